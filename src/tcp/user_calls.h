/*
 * The user's calls on one connection (RFC 9293 3.10.2 to 3.10.6). The OPENs are open.h; errors are negated
 * enum estab_error.
 */
#ifndef ESTAB_TCP_USER_CALLS_H
#define ESTAB_TCP_USER_CALLS_H

#include "tcp/conn.h"

/* SEND: whether bytes may be queued now; 0 or the error. The error of a dead connection is told once. */
int tcp_may_send(struct tcp_conn *c);

/* Bytes were queued by `length` (maybe 0, where room was short of `wanted`): flags as in the API. */
void tcp_sent_by_user(struct tcp_conn *c, const struct tcp_context *ctx, unsigned flags, bool short_of_room);

/* A send fell short: the user is told when there is room. */
void tcp_want_write(struct tcp_conn *c, const struct tcp_context *ctx);

/* Copies into the send queue; returns the number of bytes or -ESTAB_EAGAIN. */
ptrdiff_t tcp_send(struct tcp_conn *c, const struct tcp_context *ctx, const struct slice *slice,
                   unsigned flags);

/* RECEIVE: 1 = there are bytes, 0 = the end, or the error. */
int tcp_may_receive(struct tcp_conn *c);
void tcp_consume(struct tcp_conn *c, const struct tcp_context *ctx, uint32_t length);

/* CLOSE (3.10.4): the sending direction. */
int tcp_close(struct tcp_conn *c, struct tcp_context *ctx);

/* ABORT (3.10.5): returns whether the peer must be sent a RST made by tcp_reset_of(). */
bool tcp_abort_resets(const struct tcp_conn *c);
void tcp_abort(struct tcp_conn *c, struct tcp_context *ctx, int error);

/*
 * The options of the API that belong to TCP. -ESTAB_EINVAL for a value out of range, -ESTAB_EOPNOTSUPP for an
 * option that is not TCP's.
 */
int tcp_set_option(struct tcp_conn *c, struct tcp_context *ctx, enum estab_option option, uint64_t value);
int tcp_get_option(const struct tcp_conn *c, enum estab_option option, uint64_t *value);

/* STATUS (3.10.6): the fields that are TCP's. */
void tcp_status(const struct tcp_conn *c, const struct tcp_context *ctx, struct estab_status *status);

#endif
