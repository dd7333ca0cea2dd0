/* What an ICMP error about a segment of ours does to its connection (RFC 9293 3.9.2.2, RFC 5927). */
#ifndef ESTAB_TCP_ICMP_ERROR_H
#define ESTAB_TCP_ICMP_ERROR_H

#include "tcp/conn.h"
#include "wire/icmp.h"

/* R5927-01: only an error that quotes a sequence number in flight is believed. */
bool tcp_icmp_plausible(const struct tcp_conn *c, tcp_seq quoted);

/* An error other than packet-too-big: ends an active OPEN where it is hard, else is advice to the user. */
void tcp_icmp_error(struct tcp_conn *c, struct tcp_context *ctx, enum icmp_kind kind);

/* The path takes segments of `path_mss` (without options) and no larger ones. */
void tcp_path_mss_changed(struct tcp_conn *c, const struct tcp_context *ctx, uint32_t path_mss);

#endif
