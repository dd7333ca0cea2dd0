/*
 * The fifth step of RFC 9293 3.10.7.4: what an acceptable ACK does to SND.UNA, the window, the timers,
 * recovery and the state.
 */
#ifndef ESTAB_TCP_ACK_H
#define ESTAB_TCP_ACK_H

#include "tcp/conn.h"
#include "wire/tcp_header.h"

/*
 * SND.UNA =< SEG.ACK =< SND.NXT or an older one that RFC 5961 still allows; SEG.ACK > SND.NXT has been
 * refused before.
 */
void ack_arrives(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg);

/* The handshake is done: windows from the segment (F-ACK-2), timers, cwnd. */
void ack_establish(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg);

/* The window field of a segment that is not a SYN. */
static inline uint32_t ack_window(const struct tcp_conn *c, const struct tcp_segment *seg)
{
    return (uint32_t)seg->wnd << ((seg->flags & TCP_SYN) ? 0 : c->snd_shift); /* R7323-04, R7323-07 */
}

void ack_take_window(struct tcp_conn *c, const struct tcp_segment *seg);

#endif
