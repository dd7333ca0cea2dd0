/* What the timers of one connection do when they fire (RFC 9293 3.10.8, 3.8.3, 3.8.4, 3.8.6.1). */
#ifndef ESTAB_TCP_TIMEOUTS_H
#define ESTAB_TCP_TIMEOUTS_H

#include "tcp/conn.h"

/*
 * Fires every deadline that has passed. Returns true where the peer is owed a RST made by tcp_reset_of()
 * (keep-alive gave up).
 */
bool tcp_timeouts(struct tcp_conn *c, struct tcp_context *ctx);

#endif
