/*
 * What keeps blind attackers out: keyed initial sequence numbers and timestamp offsets (RFC 6528, RFC 7323
 * 7.1), and the limit on ACKs that forged segments can provoke (RFC 5961 7, per connection, so that no
 * connection can read about another: erratum 4772, CVE-2016-5696).
 */
#ifndef ESTAB_TCP_GUARD_H
#define ESTAB_TCP_GUARD_H

#include "base/siphash.h"
#include "tcp/conn.h"

/* A flow as words for the keyed hash, local first: addresses, then ports. Of IPv4 both addresses are one. */
struct flow_words {
    uint64_t w[6];  /* one to spare: for what a hash is to be of besides */
    unsigned count; /* 2 or 5: no flow of IPv4 is taken for one of IPv6 */
};

/* ISN = M + F(flow, secret): a clock that ticks every 4 us and SipHash-2-4 (MUST-8, MUST-9, SHLD-1). */
tcp_seq guard_isn(const struct siphash_key *key, const struct flow_words *flow, uint64_t now);

/* What is added to the millisecond clock in this flow's timestamps (R7323-41); the key is its own. */
uint32_t guard_timestamp_offset(const struct siphash_key *key, const struct flow_words *flow);

/*
 * R5961-12, R5961-14: whether a challenge ACK, or an ACK that only an implausible segment without text
 * provokes, may be sent now; counts it.
 */
bool guard_allows_ack(struct tcp_conn *c, const struct tcp_context *ctx);

/* RFC 5961 5 (MAY-12, always on): SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT. */
static inline bool guard_ack_plausible(const struct tcp_conn *c, tcp_seq ack)
{
    return seq_between(seq_sub(c->snd_una, c->max_snd_wnd), ack, c->snd_nxt);
}

#endif
