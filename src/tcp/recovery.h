/*
 * Loss recovery: which range goes again next. `scoreboard` holds the facts that ACKs tell, `recovery` decides
 * by them, `cc` says how much. Today NewReno (RFC 5681 3.2, RFC 6582); SACK based recovery (RFC 6675, RFC
 * 8985) takes these same three places.
 */
#ifndef ESTAB_TCP_RECOVERY_H
#define ESTAB_TCP_RECOVERY_H

#include "tcp/conn.h"

void recovery_init(struct tcp_conn *c);

/* SND.UNA moved by `acked` (> 0) bytes of sequence space; `flight` was in flight before. */
void recovery_on_ack(struct tcp_conn *c, struct tcp_context *ctx, uint32_t acked, uint32_t flight);

/* An ACK that says nothing new while data is in flight (RFC 5681 2, duplicate acknowledgment). */
void recovery_on_duplicate_ack(struct tcp_conn *c, struct tcp_context *ctx);

/* The retransmission timer fired. */
void recovery_on_timeout(struct tcp_conn *c, struct tcp_context *ctx);

/* A window opened after probes. */
void recovery_on_window_open(struct tcp_conn *c);

/* The path takes less: what is in flight goes again in smaller segments, without a congestion response. */
void recovery_on_path_change(struct tcp_conn *c);

struct recovery_range {
    tcp_seq from;
    uint32_t length; /* of sequence space, a FIN included; 0 = nothing to send again now */
    enum estab_reason reason;
};

/* The next range to send again, at most `mss` long, within cwnd and the peer's window. */
struct recovery_range recovery_next(const struct tcp_conn *c, uint32_t mss);

/* It was sent. */
void recovery_on_sent_again(struct tcp_conn *c, tcp_seq from, uint32_t length);

/*
 * Bytes that may be in flight beyond what is: the congestion window's part of the decision to send new data.
 */
uint32_t recovery_room(const struct tcp_conn *c);

#endif
