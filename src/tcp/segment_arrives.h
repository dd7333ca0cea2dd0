/*
 * SEGMENT ARRIVES (RFC 9293 3.10.7): what a segment does in each state. CLOSED and LISTEN have no connection
 * yet, so their rules answer with what the stack is to do; all other states run through the numbered steps on
 * the connection. TIME-WAIT is time_wait.h's.
 */
#ifndef ESTAB_TCP_SEGMENT_ARRIVES_H
#define ESTAB_TCP_SEGMENT_ARRIVES_H

#include "tcp/conn.h"
#include "wire/tcp_header.h"

struct tcp_verdict {
    enum estab_drop drop; /* NONE = accepted, at least in part */
    bool reset;           /* the stack owes a RST made by tcp_reset_for() */
};

/*
 * A segment of ours that belongs to no connection, or to none any more: the facts of RST and of TIME-WAIT's
 * ACK.
 */
struct tcp_reply {
    tcp_seq seq;
    tcp_seq ack;
    uint16_t flags;
    uint16_t wnd;
    bool timestamps;
    bool has_mss, has_window_scale, sack_permitted; /* of a SYN,ACK */
    uint8_t window_scale;
    uint8_t reason; /* enum estab_reason */
    uint16_t mss;
    uint32_t tsval;
    uint32_t tsecr;
};

/*
 * 3.10.7.1: the RST for a segment that meets no connection, or a RST that 3.10.7.2-4 ask for. Never for a RST
 * (U-12): false.
 */
bool tcp_reset_for(const struct tcp_segment *seg, struct tcp_reply *reply);

/* The RST of ABORT (3.10.5). */
void tcp_reset_of(const struct tcp_conn *c, uint64_t now, struct tcp_reply *reply);

/* 3.10.7.2: whether a segment for a listener opens a connection: verdict.drop = NONE. */
struct tcp_verdict tcp_listen_segment(const struct tcp_segment *seg);

/* 3.10.7.3 and 3.10.7.4: SYN-SENT to LAST-ACK. */
struct tcp_verdict tcp_segment_arrives(struct tcp_conn *c, struct tcp_context *ctx,
                                       const struct tcp_segment *seg);

#endif
