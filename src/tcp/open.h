/*
 * How a connection begins: the two OPENs (RFC 9293 3.10.1), the SYN that arrives, and what falls back to
 * LISTEN.
 */
#ifndef ESTAB_TCP_OPEN_H
#define ESTAB_TCP_OPEN_H

#include "tcp/conn.h"
#include "wire/tcp_header.h"

/* What the addresses decide, by the stack. */
struct open_facts {
    tcp_seq iss;
    uint32_t ts_offset;
    uint16_t path_mss;  /* path MTU less IP and TCP headers */
    uint16_t link_mss;  /* what it could be: the link's MTU, or what the user set */
    uint16_t adv_mss;   /* MTU less IP and TCP headers, or what the user set (MUST-67) */
};

/* Active OPEN from CLOSED, or from LISTEN by SEND or ACTIVE_OPEN: the event. Owes a SYN. */
void open_active(struct tcp_conn *c, struct tcp_context *ctx, enum tcp_event event,
                 const struct open_facts *facts);

/* A SYN for a connection in LISTEN (3.10.7.2, F-LISTEN-3): owes a SYN,ACK, keeps the text. */
void open_accept_syn(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *syn,
                     const struct open_facts *facts);

/* IRS, RCV.NXT, the options and the first receive window from the peer's SYN. */
void open_take_syn(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *syn);

/* F-RST-3: a passive SYN-RECEIVED goes back to LISTEN. */
void open_return_to_listen(struct tcp_conn *c, struct tcp_context *ctx);

/* A CLOSE that waited in SYN-RECEIVED behind queued data (3.10.4) takes effect. */
void open_continue_close(struct tcp_conn *c, struct tcp_context *ctx);

#endif
