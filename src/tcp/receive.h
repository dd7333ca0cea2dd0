/* The last three steps of RFC 9293 3.10.7.4: URG, text and FIN, and when they are acknowledged (3.8.6.3). */
#ifndef ESTAB_TCP_RECEIVE_H
#define ESTAB_TCP_RECEIVE_H

#include "tcp/conn.h"
#include "wire/tcp_header.h"

/* Sixth: the urgent pointer is a mark in the sequence space and nothing else (RFC 6093, V-03). */
void receive_urgent(struct tcp_conn *c, const struct tcp_segment *seg);

/* Seventh: text within the window. Returns why it was dropped, if it was. */
/* Gives up what came ahead of gaps, for want of room. */
void receive_shed_ahead(struct tcp_conn *c, struct tcp_context *ctx);

enum estab_drop receive_text(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg);

/* Eighth: a FIN whose bytes have all arrived. */
void receive_fin(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg);

/* Text on a SYN: kept until the handshake is done, or left for the peer to send again. */
void receive_text_of_syn(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg);

/* An ACK is owed at once. A reason named earlier stays. */
void receive_owe_ack(struct tcp_conn *c, enum estab_reason reason);

/* [left, right) was received before: the next ACK says so (RFC 2883). */
void receive_note_duplicate(struct tcp_conn *c, tcp_seq left, tcp_seq right);

#endif
