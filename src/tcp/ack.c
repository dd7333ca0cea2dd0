/* See ack.h. RFC 9293 3.10.7.4 (fifth), RFC 5681 2-3, RFC 7323 4.1. */
#include "tcp/ack.h"

#include "tcp/mtu_probing.h"
#include "tcp/options.h"
#include "tcp/recovery.h"
#include "tcp/timers.h"

/* F-ACK-7, REC-1 */
void ack_take_window(struct tcp_conn *c, const struct tcp_segment *seg)
{
    c->snd_wnd = ack_window(c, seg);
    c->snd_wl1 = seg->seq;
    c->snd_wl2 = (seg->flags & TCP_ACK) ? seg->ack : seq_of(0);
    if (c->snd_wnd > c->max_snd_wnd) {
        c->max_snd_wnd = c->snd_wnd;
    }
}

/*
 * R7323-16, R7323-24: a sample from the echo, where the timed segment gave none; coarse, but right after
 * retransmissions too.
 */
static void sample_round_trip(struct tcp_conn *c, const struct tcp_context *ctx,
                              const struct tcp_segment *seg)
{
    if (rtt_ack(&c->rtt, c->snd_una, ctx->now) || c->rtt.timing) {
        return;
    }
    bool wanted = c->rtt.srtt_us == 0 || c->rtt.backoff > 0;
    if (wanted && c->timestamps && seg->options.has_timestamps && seg->options.tsecr != 0) {
        uint32_t ms = options_tsval(c, ctx->now) - seg->options.tsecr;
        uint64_t oldest = ctx->now - c->rtt.timed_since_ns; /* no honest echo is of anything older (O-25) */
        if (ms < 0x7fffffff / 1000 && (uint64_t)ms * 1000000 <= oldest + 1000000) {
            rtt_sample(&c->rtt, (uint64_t)ms * 1000000);
        }
    }
}

/*
 * The initial window (R6928-01: DEVIATION from R5681-04), of which a lost SYN leaves one segment (R5681-06).
 */
static uint32_t initial_window(const struct tcp_conn *c, const struct tcp_context *ctx)
{
    uint32_t mss = conn_snd_mss(c);
    if (c->rtt.syn_lost) {
        return mss;
    }
    uint32_t bytes = ctx->limits->initial_window * mss;
    uint32_t bound = 2 * mss > 14600 ? 2 * mss : 14600;
    return ctx->limits->initial_window == 10 && bytes > bound ? bound : bytes;
}

void ack_establish(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    rtt_ack(&c->rtt, seg->ack, ctx->now);
    c->snd_una = seg->ack;
    conn_note_progress(c, ctx->now);
    c->rtt.backoff = 0;
    c->rtt.handshake_done = true;
    ack_take_window(c, seg);
    mtu_probing_begin(c, ctx);
    struct cc_window window = {.cwnd = initial_window(c, ctx)};
    c->cc->init(c->cc_private, &window); /* R5681-05 */
    c->cwnd = window.cwnd;
    c->ssthresh = window.ssthresh;
    send_queue_drop(&c->snd, ctx->pool, seq_min(c->snd_una, c->snd.end));
    tcp_timers_on_ack_advanced(c, ctx);
    recovery_init(c);
    c->established = true;
    c->events |= ESTAB_CONNECTED | ESTAB_WRITABLE;
    if (recv_queue_readable(&c->rcv) > 0) {
        c->events |= ESTAB_READABLE; /* text that came with the SYN */
    }
    ctx->counters->established++;
    tcp_timers_on_established(c, ctx);
    tcp_timers_on_window(c, ctx);
}

/* A send fell short: there is room now. */
static void tell_writable(struct tcp_conn *c)
{
    if (c->want_write && conn_writable(c)) {
        c->want_write = false;
        c->events |= ESTAB_WRITABLE;
    }
}

/* F-ACK-4 */
static void advance(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    uint32_t acked = seq_diff(seg->ack, c->snd_una);
    uint32_t flight = conn_flight(c);
    c->snd_una = seg->ack;
    conn_note_acked(c, ctx->now, acked);
    c->probing = false;
    tcp_seq upto = seq_min(seg->ack, c->snd.end);
    if (seq_gt(upto, c->snd.begin)) {
        send_queue_drop(&c->snd, ctx->pool, upto); /* R2018-08 */
    }
    sample_round_trip(c, ctx, seg);
    if (c->mtu_search) {
        mtu_probing_on_ack(c, ctx);
    }
    if (c->snd_urgent && seq_geq(c->snd_una, c->snd_up)) {
        c->snd_urgent = false;
    }
    recovery_on_ack(c, ctx, acked, flight);
    tcp_timers_on_ack_advanced(c, ctx);
    tell_writable(c);
}

/* RFC 5681 2: the five marks of a duplicate (R5681-14). */
static bool is_duplicate_ack(const struct tcp_conn *c, const struct tcp_segment *seg)
{
    return seq_eq(seg->ack, c->snd_una) && conn_flight(c) > 0 && seg->text_length == 0 &&
           (seg->flags & (TCP_SYN | TCP_FIN)) == 0 && ack_window(c, seg) == c->snd_wnd && c->snd_wnd > 0;
}

static void take_newer_window(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (seq_gt(c->snd_wl1, seg->seq) || (seq_eq(c->snd_wl1, seg->seq) && seq_gt(c->snd_wl2, seg->ack))) {
        return; /* F-ACK-8 */
    }
    bool was_shut = c->snd_wnd == 0 || c->probing;
    ack_take_window(c, seg);
    if (was_shut && c->snd_wnd > 0) {
        c->probing = false;
        recovery_on_window_open(c);
        tell_writable(c); /* what was refused while it was shut */
    }
    tcp_timers_on_window(c, ctx);
}

void ack_arrives(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (seq_lt(seg->ack, c->snd_una)) {
        return; /* old, but the rest of the segment may be new, F-ACK-5 */
    }
    bool duplicate = is_duplicate_ack(c, seg);
    if (seq_gt(seg->ack, c->snd_una)) {
        advance(c, ctx, seg);
    }
    if (c->mtu_search && mtu_probing_is_front(c)) {
        duplicate = mtu_probing_on_ack_in_front(c, seg) || duplicate;
    }
    if (duplicate) {
        recovery_on_duplicate_ack(c, ctx);
    }
    take_newer_window(c, ctx, seg);
}
