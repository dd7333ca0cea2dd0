/*
 * A test rig: one stack on an interface of bare IP packets in virtual time, and a peer that is nobody: the
 * test writes its segments and checks every one that comes back. Numbers are relative: `seq` of a segment
 * counts from the initial sequence number of its sender (the SYN is 0, the first byte of text 1), `ack` from
 * that of the other side. Both lie just below 2^32, so that every trace crosses the wrap.
 *
 *     rig_reach(r, ESTABLISHED);
 *     inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100);
 *     expect(r, .flags = ACK, .seq = 1, .ack = 101);
 *     rig_stop(r);                             fails if anything else was sent
 *
 * A call that makes the stack do something first fails if a segment that was sent before was not expected,
 * and then checks every invariant with estab_check(). The bytes on the wire are written and read here, not
 * by src/wire. Every change of state is replayed against RFC 9293 Figure 5 as text (matrix/figure.h).
 */
#ifndef ESTAB_TESTS_RIG_H
#define ESTAB_TESTS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "estab/estab.h"
#include "estab/trace.h"
#include "matrix/figure.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 0x10, URG = 0x20, ECE = 0x40, CWR = 0x80 };

#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

#define LOCAL_PORT 80
#define PEER_PORT  5000
#define PEER_ISN   0xfffffff0u /* the first 16 numbers of the peer's stream lie before the wrap */
#define OUR_ISN    0xfffffff4u
#define RCV_BUFFER 20000u
#define SND_BUFFER 40000u
#define PEER_WND   30000
#define MSS        1460u
#define TRACE_ROOM 512u /* records between two replays; more would be lost, which fails */
#define WND_ZERO   (-1) /* a window field of 0; 0 is the default */
#define MAX_SENT   2048u
/* What the records take, so that a stack has the blocks that its memory would give it without them. */
#define TRACE_MEMORY ((size_t)TRACE_ROOM * sizeof(struct estab_trace))

struct segment {
    unsigned flags;
    uint32_t seq, ack;
    uint32_t length; /* of text; the byte at stream position p is rig_byte(p) */
    int32_t wnd;     /* the field as on the wire. inject: 0 = the rig's. expect: 0 = any */
    uint16_t up;
    uint16_t mss;    /* of a SYN: inject: 0 = the rig's; expect: 0 = any */
    int wscale;      /* of a SYN that is expected: shift + 1; 0 = any, -1 = no such option */
    bool no_ts;      /* inject: without the timestamps that the rig adds */
    bool has_ts;     /* of one that was sent */
    bool sack_ok;
    bool check_ts;   /* expect: compare tsval and tsecr */
    uint32_t tsval, tsecr;
    unsigned sack_count;
    uint32_t sack[4][2];
    uint16_t port;       /* of the peer; 0 = PEER_PORT */
    uint16_t local_port; /* 0 = LOCAL_PORT */
    unsigned raw_length; /* inject: these options and no others, padded to four bytes with END */
    const uint8_t *raw;
    bool no_options;     /* inject: none at all */
    bool bad_checksum;
    unsigned reason;     /* of one that was sent: enum estab_reason; expect: 0 = any */
    uint64_t at;         /* of one that was sent */
    uint8_t hop_limit, traffic_class;
    unsigned reserved;   /* the four bits beside the flags */
};

struct rig_options {
    struct estab_config config;
    bool v6;
    bool timestamps, sack;  /* what the peer's SYN offers */
    int wscale;             /* shift + 1; 0 = not offered */
    uint16_t peer_mss;      /* 0 = none */
    uint32_t mtu;
    bool log;               /* keep the bytes of everything sent */
    bool far_from_wrap;     /* start at an arbitrary time instead of one whose ISS lies below the wrap */
    uint32_t iss;           /* else: the ISS; 0 = OUR_ISN */
    size_t memory;
    bool untraced;         /* no trace records at all: nothing is replayed */
    bool accept_any;       /* of the interface */
    bool checksum_offload;  /* of the interface */
};

struct rig {
    estab_stack *stack;
    void *memory;
    struct rig_options options;
    uint64_t now;
    uint64_t started;
    estab_conn conn;
    estab_conn listener;
    int interface;
    uint32_t irs;           /* the peer's initial sequence number */
    uint32_t iss[256];      /* ours on the flow from PEER_PORT + i, as seen in its last SYN */
    uint32_t peer_ts;       /* TSval of what is injected */
    uint32_t last_tsval;    /* of the last segment sent: echoed */
    int32_t wnd;
    uint64_t written;       /* stream position of the next byte to send */
    uint64_t read;
    struct segment sent[MAX_SENT];
    unsigned sent_head, sent_count;
    struct segment last;    /* what expect() has just taken */
    uint8_t drop;           /* enum estab_drop of the last packet injected */
    uint8_t *log;
    size_t log_length;
    const struct estab_addr *from, *to; /* of what is injected, where they are not the peer's and ours */
    struct figure_replay *replay; /* of the trace */
    bool replays;           /* else the test asked for trace records itself: it pulls them, by rig_trace() */
    bool unchecked;         /* leave estab_check() out, for long runs */
    bool rightmost_known;
    uint32_t rightmost;     /* right edge announced on the main flow, absolute: may not move left */
};

static inline uint8_t rig_byte(uint64_t position)
{
    return (uint8_t)(position * 37 + (position >> 8) * 11 + 5);
}

void rig_defaults(struct rig_options *options);
struct rig *rig_start(const struct rig_options *options); /* NULL = the defaults */
void rig_stop(struct rig *r); /* nothing that was not expected may have been sent */

/* The address of the two sides. */
struct estab_addr rig_local(const struct rig *r, uint16_t port);
struct estab_addr rig_peer(const struct rig *r, uint16_t port);

/* ---- segments ---- */

void rig_inject(struct rig *r, const struct segment *seg, const char *file, int line);
void rig_expect(struct rig *r, const struct segment *want, const char *file, int line);
void rig_expect_nothing(struct rig *r, const char *file, int line);
/* A packet as it is; `drop` tells what became of it. */
void rig_input(struct rig *r, const uint8_t *packet, size_t length);
/* Builds the packet of a segment from the peer; returns its length. */
size_t rig_packet(const struct rig *r, const struct segment *seg, uint8_t out[2048]);
/* Several packets in one call of estab_input(). */
void rig_inject_batch(struct rig *r, const struct segment *segs, unsigned count);
/* The next segment that was sent, whatever it is; false = none. */
bool rig_take(struct rig *r, struct segment *seg);
void rig_discard(struct rig *r);

#define inject(r, ...)    rig_inject(r, &(const struct segment){__VA_ARGS__}, __FILE__, __LINE__)
#define expect(r, ...)    rig_expect(r, &(const struct segment){__VA_ARGS__}, __FILE__, __LINE__)
#define expect_nothing(r) rig_expect_nothing(r, __FILE__, __LINE__)

/*
 * An ICMP error about a segment that the rig's connection sent, as if its SEQ had been `seq`. type and code
 * are those of the rig's family; rest is the second word (an MTU).
 */
void rig_inject_icmp(struct rig *r, unsigned type, unsigned code, uint32_t seq, uint32_t rest);

/* ---- time ---- */

/* Time goes on by `ns`, stopping at each deadline on the way. */
void advance(struct rig *r, uint64_t ns);
/* To the next deadline; fails if there is none within `limit`. Returns how far it was. */
uint64_t advance_to_next(struct rig *r, uint64_t limit);

/* ---- the user ---- */

/* After a call of the API by the test itself: invariants, and what it has made due. */
void rig_called(struct rig *r);
void rig_send(struct rig *r, size_t length, unsigned flags); /* all of it must be taken */
/*
 * Reads and checks up to `most` bytes; returns what estab_recv() returned last if it was not positive, else
 * the sum.
 */
ptrdiff_t rig_read(struct rig *r, size_t most);
int rig_shutdown(struct rig *r);
int rig_close(struct rig *r);
int rig_abort(struct rig *r);
void rig_set(struct rig *r, enum estab_option option, uint64_t value);
void rig_accept(struct rig *r);

/* The oldest trace records of a test that asked for them; they are replayed on the way. */
unsigned rig_trace(struct rig *r, struct estab_trace *records, unsigned max);
/*
 * For tests with stacks of their own, with TRACE_ROOM records: what was recorded must be arrows of Figure 5,
 * join, and lead to where the connections stand, and none may be lost.
 */
void rig_replay(struct figure_replay *replay, estab_stack *stack);

enum estab_state rig_state(const struct rig *r);
struct estab_status rig_status(const struct rig *r);
struct estab_counters rig_counters(const struct rig *r);
uint32_t rig_ready(struct rig *r); /* what `changed` says since the last question, all events of r->conn */
void rig_expect_state(struct rig *r, enum estab_state want, const char *file, int line);
#define expect_state(r, want) rig_expect_state(r, want, __FILE__, __LINE__)

/* ---- places: a state, and how it was reached ---- */

enum place {
    AT_CLOSED,
    AT_LISTEN,          /* a passive OPEN of one record */
    AT_SYN_SENT,
    AT_SYN_RECEIVED_PASSIVE,
    AT_SYN_RECEIVED_ACTIVE,
    AT_ESTABLISHED,
    AT_FIN_WAIT_1,
    AT_FIN_WAIT_2,
    AT_CLOSE_WAIT,
    AT_CLOSING,
    AT_LAST_ACK,
    AT_TIME_WAIT,
    PLACES
};

/* Relative numbers of a place. */
struct place_facts {
    enum estab_state state;
    const char *name;
    uint32_t snd_una, snd_nxt, rcv_nxt;
};
extern const struct place_facts places[PLACES];

/*
 * Goes there from a fresh rig by an active open (but LISTEN and the passive SYN-RECEIVED); all segments on
 * the way are checked.
 */
void rig_reach(struct rig *r, enum place place);
/* A fresh rig there. */
struct rig *rig_at(enum place place);
/* The same with a peer that agreed on timestamps. */
struct rig *rig_with_timestamps(enum place place);
void rig_listen(struct rig *r, unsigned backlog);
void rig_connect(struct rig *r);

/* Deterministic numbers. */
uint32_t rig_random(uint64_t *state);

#endif
