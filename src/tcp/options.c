/* See options.h. */
#include "tcp/options.h"

#define TS_RECENT_LIFE_S (24u * 24 * 3600) /* RFC 7323 5.5 */

/* R7323-01 */
uint8_t options_choose_shift(uint32_t rcv_limit)
{
    uint8_t shift = 0;
    while (shift < TCP_MAX_SHIFT && (rcv_limit >> shift) > 65535) {
        shift++;
    }
    return shift;
}

static void set_ts_recent(struct tcp_conn *c, const struct tcp_context *ctx, uint32_t tsval)
{
    c->ts_recent = tsval;
    c->ts_recent_s = (uint32_t)(ctx->now / 1000000000);
}

void options_take_syn(struct tcp_conn *c, const struct tcp_context *ctx, const struct tcp_segment *syn,
                      bool v6)
{
    const struct tcp_options *options = &syn->options;
    uint32_t mss = options->has_mss ? options->mss : v6 ? 1220u : 536u; /* MUST-15 */
    c->peer_mss = (uint16_t)(mss < TCP_MIN_MSS ? TCP_MIN_MSS : mss);
    c->window_scale = options->has_window_scale && c->offer_window_scale; /* R7323-02, R7323-06 */
    if (c->window_scale) {
        /* R7323-08 */
        c->snd_shift = options->window_scale > TCP_MAX_SHIFT ? TCP_MAX_SHIFT : options->window_scale;
        c->rcv_shift = options_choose_shift(c->rcv_limit);
    }
    c->sack = options->sack_permitted && c->offer_sack;
    c->timestamps = options->has_timestamps && c->offer_timestamps;
    if (c->timestamps) {
        set_ts_recent(c, ctx, options->tsval);
    }
}

void options_of_syn(const struct tcp_conn *c, uint64_t now, struct tcp_options *options)
{
    bool answer = c->state != ESTAB_SYN_SENT; /* a SYN,ACK offers what the SYN offered */
    *options = (struct tcp_options){.has_mss = true, .mss = c->adv_mss}; /* MUST-14, SHLD-5, MAY-3 */
    options->has_window_scale = answer ? c->window_scale : c->offer_window_scale; /* R7323-05 */
    options->window_scale = answer ? c->rcv_shift : options_choose_shift(c->rcv_limit);
    options->sack_permitted = answer ? c->sack : c->offer_sack;
    options->has_timestamps = answer ? c->timestamps : c->offer_timestamps; /* R7323-17 */
    options->tsval = options_tsval(c, now);
    options->tsecr = answer ? c->ts_recent : 0; /* R7323-14 */
}

/*
 * RFC 2018 4, RFC 2883 4: a duplicate first, then the ranges that grew last, newest first (R2018-03,
 * R2018-04, R2018-05, R2883-01).
 */
static void add_sack(const struct tcp_conn *c, struct tcp_options *options)
{
    unsigned max = c->timestamps ? 3 : 4;
    unsigned n = 0;
    if (c->dsack) {
        options->sack[n++] = (struct tcp_sack_block){c->dsack_left, c->dsack_right};
    }
    if (recv_queue_has_ahead(&c->rcv)) {
        tcp_seq edges[TCP_MAX_SACK][2];
        unsigned count = recv_queue_recent(&c->rcv, edges, max - n);
        for (unsigned i = 0; i < count; i++) {
            options->sack[n++] = (struct tcp_sack_block){edges[i][0], edges[i][1]};
        }
    }
    options->sack_count = (uint8_t)n;
}

void options_of_segment(const struct tcp_conn *c, uint64_t now, struct tcp_options *options)
{
    options->has_mss = false;
    options->has_window_scale = false;
    options->sack_permitted = false; /* R2018-01 */
    options->sack_count = 0;
    options->has_timestamps = c->timestamps; /* R7323-18 */
    if (c->timestamps) {
        options->tsval = options_tsval(c, now);
        options->tsecr = c->ts_recent; /* R7323-15 */
    }
    if (c->sack && (c->dsack || recv_queue_has_ahead(&c->rcv))) { /* R2018-02 */
        add_sack(c, options);
    }
}

/* R7323-36 */
bool options_paws_ok(const struct tcp_conn *c, const struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if ((int32_t)(seg->options.tsval - c->ts_recent) >= 0) {
        return true;
    }
    uint32_t age = (uint32_t)(ctx->now / 1000000000) - c->ts_recent_s;
    return age > TS_RECENT_LIFE_S; /* R7323-36, R7323-39 */
}

void options_update_ts_recent(struct tcp_conn *c, const struct tcp_context *ctx,
                              const struct tcp_segment *seg)
{
    if (seq_leq(seg->seq, c->last_ack_sent)) { /* R7323-29, R7323-26, R7323-28, R7323-30 */
        set_ts_recent(c, ctx, seg->options.tsval);
    }
}
