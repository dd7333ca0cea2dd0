/*
 * The deadlines of one connection. Nobody sets them: the rest of TCP tells what happened, and the rule for
 * each event stands here once (RFC 6298 5, RFC 9293 3.8.3, 3.8.4, 3.8.6.1, 3.8.6.3). Several may run at once;
 * RETRANSMIT and PERSIST never do.
 */
#ifndef ESTAB_TCP_TIMERS_H
#define ESTAB_TCP_TIMERS_H

#include "tcp/conn.h"

static inline bool tcp_timer_runs(const struct tcp_conn *c, enum estab_timer timer)
{
    return c->deadline[timer] != UINT64_MAX;
}

/* The earliest of them, UINT64_MAX where none runs. */
uint64_t tcp_timers_next(const struct tcp_conn *c);

/* An active OPEN was called or a SYN accepted. */
void tcp_timers_on_open(struct tcp_conn *c, const struct tcp_context *ctx);

/* The handshake is done. */
void tcp_timers_on_established(struct tcp_conn *c, const struct tcp_context *ctx);

/* Something that the peer must acknowledge was sent. */
void tcp_timers_on_sent(struct tcp_conn *c, const struct tcp_context *ctx);

/* It could not be sent because the neighbour is not known yet: as if it had been lost there. */
void tcp_timers_on_blocked(struct tcp_conn *c, const struct tcp_context *ctx);

/* SND.UNA moved. */
void tcp_timers_on_ack_advanced(struct tcp_conn *c, const struct tcp_context *ctx);

/* The peer's window was told anew: persist where it is shut and there is something to send. */
void tcp_timers_on_window(struct tcp_conn *c, const struct tcp_context *ctx);

/* There is unsent data that must wait: for a window, for more, or for an ACK. */
void tcp_timers_on_held_back(struct tcp_conn *c, const struct tcp_context *ctx);

/* An ACK may wait; an ACK has gone out. */
void tcp_timers_on_ack_owed(struct tcp_conn *c, const struct tcp_context *ctx);
void tcp_timers_on_ack_sent(struct tcp_conn *c);

/* Any segment of the connection arrived. */
void tcp_timers_on_received(struct tcp_conn *c, const struct tcp_context *ctx);

/* The user has switched keep-alive, changed its times or the user timeout. */
void tcp_timers_on_options(struct tcp_conn *c, const struct tcp_context *ctx);

/* FIN-WAIT-2 was entered, or the handle given up in it. */
void tcp_timers_on_fin_wait_2(struct tcp_conn *c, const struct tcp_context *ctx);

/* The retransmission timer or the persist timer fired: runs again after the next, longer wait. */
void tcp_timers_on_retransmit(struct tcp_conn *c, const struct tcp_context *ctx);
void tcp_timers_on_probe(struct tcp_conn *c, const struct tcp_context *ctx);

void tcp_timers_stop(struct tcp_conn *c);

#endif
