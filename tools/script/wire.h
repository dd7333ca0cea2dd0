/*
 * Packets between the script's form (struct packet) and bytes: IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293
 * 3.1, options of RFC 7323, 2018, 7413), ICMP (RFC 792, 4443). A codec of its own: what the stack's would get
 * wrong must not hide itself. Knows nothing of connections; numbers are those on the wire.
 */
#ifndef TOOLS_SCRIPT_WIRE_H
#define TOOLS_SCRIPT_WIRE_H

#include "estab/estab.h"
#include "script.h"

#define WIRE_MAX 66000

enum wire_protocol { WIRE_ICMP = 1, WIRE_TCP = 6, WIRE_UDP = 17, WIRE_ICMPV6 = 58 };

struct wire {
    bool ipv6;
    uint8_t protocol;                      /* enum wire_protocol */
    struct estab_addr source, destination; /* with ports where it is TCP */
    struct packet packet;
    int64_t not_zero;   /* where its text has the first byte that is not 0; -1 = nowhere */
    const char *broken; /* what is wrong with it, NULL = nothing */
};

/* Reads a packet; what is no IP packet at all has `protocol` 0. */
void wire_read(struct wire *wire, const uint8_t *bytes, size_t length);

/*
 * Writes wire->packet with wire's addresses and text of zeros into `bytes` (WIRE_MAX long). Of an ICMP error
 * the segment is quoted that went from wire->destination to wire->source. Returns the length, 0 = too long.
 */
size_t wire_write(const struct wire *wire, uint8_t *bytes);

#endif
