/*
 * A connection as a script sees it: who its ends are, and how the script's numbers (an ISN of 0, or what
 * stands in its SYN) become the wire's and back. SYN segments carry the script's ISN as it stands, all others
 * count from the ISN; TSval of ours are known by the place where the script named them. All as in
 * packetdrill.
 */
#ifndef TOOLS_SCRIPT_FLOW_H
#define TOOLS_SCRIPT_FLOW_H

#include "estab/estab.h"
#include "script.h"
#include "wire.h"

#define FLOW_STAMPS 256

enum flow_state {
    FLOW_NEW,
    FLOW_LISTENING,
    FLOW_CONNECTING, /* connect() was called */
    FLOW_PASSIVE,    /* a packet came in */
    FLOW_OPEN        /* our SYN or SYN,ACK was seen */
};

struct flow {
    struct flow *next;
    enum flow_state state;
    bool active;                     /* by connect() */
    int fd;                          /* the script's; -1 = none yet */
    bool closed;                     /* that was closed */
    struct estab_addr local, remote; /* of the wire; port 0 = not known yet */
    uint32_t script_iss, iss;        /* of ours: as the script names it, as it is */
    bool named;                      /* the script's SYN or SYN,ACK has named it: for this one */
    uint32_t named_iss;
    uint32_t script_irs, irs; /* of the remote side */
    bool has_syn;             /* a SYN came in: this is its SEQ on the wire */
    uint32_t syn;
    /* our TSval: in the script, on the wire */
    uint32_t stamps[FLOW_STAMPS][2];
    unsigned stamp_count;
    /* flow labels: in the script, on the wire; 0 = none yet */
    uint32_t script_label, label;
};

/* Whether the packet belongs to the flow, `inbound` or not. Ports that are not known yet match. */
bool flow_has(const struct flow *flow, const struct wire *wire, bool inbound);

/* What a packet of ours teaches: the local port, and the ISS from a SYN or SYN,ACK. */
void flow_learn(struct flow *flow, const struct wire *wire);

/* The packet of the script as it goes into the stack. False: TSecr names no TSval of ours. */
bool flow_to_wire(const struct flow *flow, const struct packet *script, bool scaled, struct packet *wire);

/* A packet of the wire in the script's numbers; of its IP header only ECN where there is some. */
void flow_to_script(const struct flow *flow, const struct packet *wire, bool inbound, struct packet *script);

/* Remembers what the script calls our TSval. */
void flow_stamp(struct flow *flow, uint32_t script, uint32_t wire);

#endif
