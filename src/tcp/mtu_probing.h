/*
 * The path MTU as TCP finds it out by itself (RFC 4821, RFC 8899 5; RFC 9293 3.7.2), where packet-too-big
 * messages do not come, or came from a liar:
 *
 * - A black hole. The front segment has timed out R1 times in a row, and was larger than a size that any path
 *   should take: segments become that small, and what is lost goes again in that size.
 * - The search upward. While segments are smaller than link and peer allow, new text now and then goes in one
 *   larger segment, a probe. It arrives: segments become that large. It is lost: it goes again in the size
 *   that is known to get through, and that loss alone says nothing about congestion (RFC 4821 7.6.2).
 *
 * Sizes here are those of `path_mss`: an MTU less the IP and TCP headers without options.
 */
#ifndef ESTAB_TCP_MTU_PROBING_H
#define ESTAB_TCP_MTU_PROBING_H

#include "tcp/conn.h"
#include "wire/tcp_header.h"

/* The handshake is done: peer_mss is known, mtu.most is what the link allows. */
void mtu_probing_begin(struct tcp_conn *c, const struct tcp_context *ctx);

/* Text of the probe that is due, 0 = none is. To be asked where `mtu_search` is set. */
uint32_t mtu_probing_due(const struct tcp_conn *c, uint64_t now);

/* The probe was sent, at `seq`, with so much text. */
void mtu_probing_on_sent(struct tcp_conn *c, struct tcp_context *ctx, tcp_seq seq, uint32_t text);

/* Something was sent again: where it was the probe, its ACK will tell nothing. */
void mtu_probing_on_sent_again(struct tcp_conn *c, tcp_seq from, uint32_t length);

/* SND.UNA moved. To be told where `mtu_search` is set: no probe is out without. */
void mtu_probing_on_ack(struct tcp_conn *c, const struct tcp_context *ctx);

/* A probe is out and, if duplicates tell of a loss, it is what was lost. */
static inline bool mtu_probing_is_front(const struct tcp_conn *c)
{
    return c->mtu.size != 0 && seq_eq(c->snd_una, c->mtu.seq);
}

/*
 * While it is, an ACK came. True: its SACK blocks tell of what was sent behind, so that it counts as a
 * duplicate (RFC 6675 2) and, where the receiver merges, for as many as there would have been.
 */
bool mtu_probing_on_ack_in_front(struct tcp_conn *c, const struct tcp_segment *seg);

/* It was; the recovery of its text has ended, or gave way to another. */
void mtu_probing_on_loss(struct tcp_conn *c, struct tcp_context *ctx);
void mtu_probing_end(struct tcp_conn *c);

/* Behind the text of the probe. */
static inline tcp_seq mtu_probing_edge(const struct tcp_conn *c)
{
    return seq_add(c->mtu.seq, c->mtu.size - (c->timestamps ? 12u : 0u));
}

/* The retransmission timer fired: no ACK for `retransmits` times in a row. */
void mtu_probing_on_timeout(struct tcp_conn *c, struct tcp_context *ctx);

/* Packet too big was believed: path_mss has fallen, or (not below it) a probe of more is refused. */
void mtu_probing_on_path_lowered(struct tcp_conn *c, const struct tcp_context *ctx);
void mtu_probing_on_probe_refused(struct tcp_conn *c, const struct tcp_context *ctx, uint32_t mss);

/* The link takes no more than this now. */
void mtu_probing_on_link(struct tcp_conn *c, uint32_t mss);

/* Every invariant; NULL = all hold. */
const char *mtu_probing_check(const struct tcp_conn *c);

#endif
