/* See guard.h. RFC 6528 3, RFC 5961 3-5 and 7. */
#include "tcp/guard.h"

tcp_seq guard_isn(const struct siphash_key *key, const struct flow_words *flow, uint64_t now)
{
    uint32_t clock = (uint32_t)(now / 4000);
    return seq_of((uint32_t)siphash24(key, flow->w, flow->count) + clock);
}

uint32_t guard_timestamp_offset(const struct siphash_key *key, const struct flow_words *flow)
{
    return (uint32_t)siphash13(key, flow->w, flow->count);
}

bool guard_allows_ack(struct tcp_conn *c, const struct tcp_context *ctx)
{
    uint8_t second = (uint8_t)(ctx->now / 1000000000);
    if (second != c->challenge_s) {
        c->challenge_s = second;
        c->challenges = 0;
    }
    if (c->challenges >= ctx->limits->challenge_acks) {
        return false;
    }
    c->challenges++;
    return true;
}
