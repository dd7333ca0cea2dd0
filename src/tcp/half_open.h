/*
 * A connection in SYN-RECEIVED that came from a listener, folded into the few bytes that tell it from others
 * (RFC 9293 3.10.7.2; RFC 4987 3.4: a SYN cache). There is one statement of what a segment does in this
 * state, segment_arrives.c: an entry is unfolded into a connection, meets the segment there, and is folded
 * again or has become a connection. A SYN cookie is the same, folded into the ISS.
 */
#ifndef ESTAB_TCP_HALF_OPEN_H
#define ESTAB_TCP_HALF_OPEN_H

#include "tcp/conn.h"
#include "tcp/open.h"

struct tcp_half_open {
    tcp_seq iss;
    tcp_seq irs;
    uint32_t ts_recent;
    uint16_t wnd;          /* of the SYN, not scaled */
    uint16_t mss;          /* of the SYN's option; 0 = it had none */
    uint16_t told;         /* window field of an ACK that went out since, scaled; 0 = only SYN,ACKs did */
    uint8_t state;         /* enum estab_state: SYN_RECEIVED, or what it became */
    uint8_t window_scale : 4;
    bool has_window_scale : 1;
    bool timestamps : 1;
    bool sack : 1;
    uint8_t sent;          /* SYN,ACKs so far */
    uint8_t challenges;    /* as in a connection */
    uint8_t challenge_s;
    uint8_t interface;     /* the stack's: where the SYN came in */
};

/* c is passive, in SYN-RECEIVED, without text. What was sent is counted by the caller. */
void half_open_fold(struct tcp_half_open *half_open, const struct tcp_conn *c);

/*
 * c is in LISTEN with its listener's options; facts are of its addresses (the ISS there does not count). It
 * becomes what was folded. sent_ns: when the last SYN,ACK left.
 */
void half_open_unfold(const struct tcp_half_open *half_open, struct tcp_conn *c, struct tcp_context *ctx,
                      const struct open_facts *facts, uint64_t sent_ns);

#endif
