/* See time_wait.h: the steps of RFC 9293 3.10.7.4 for this one state, in their order. */
#include "tcp/time_wait.h"

void tcp_time_wait_enter(struct tcp_time_wait *tw, const struct tcp_conn *c)
{
    uint32_t window = conn_rcv_wnd(c) >> c->rcv_shift;
    *tw = (struct tcp_time_wait){
        .snd_nxt = c->snd_nxt,
        .rcv_nxt = c->rcv_nxt,
        .ts_recent = c->ts_recent,
        .ts_offset = c->ts_offset,
        .wnd = (uint16_t)(window > 65535 ? 65535 : window),
        .timestamps = c->timestamps,
        .challenge_s = c->challenge_s,
        .challenges = c->challenges,
    };
    state_hand_over(&tw->state, c->state);
}

/*
 * RFC 6191 section 2, both of its cases, the old incarnation with and without timestamps (R6191-01..06,
 * MAY-2, SHLD-4).
 */
static bool may_reuse(const struct tcp_time_wait *tw, const struct tcp_segment *syn)
{
    bool beyond = seq_diff(syn->seq, tw->rcv_nxt) - 1 < 0x7fffffff; /* half the circle away is not */
    if (!syn->options.has_timestamps) {
        return beyond;
    }
    if (!tw->timestamps) {
        return true;
    }
    int32_t newer = (int32_t)(syn->options.tsval - tw->ts_recent);
    return newer > 0 || (newer == 0 && beyond);
}

enum time_wait_answer tcp_time_wait_limited_ack(struct tcp_time_wait *tw,
                                                const struct tcp_context *ctx)
{
    uint8_t second = (uint8_t)(ctx->now / 1000000000);
    if (second != tw->challenge_s) {
        tw->challenge_s = second;
        tw->challenges = 0;
    }
    if (tw->challenges >= ctx->limits->challenge_acks) {
        return TIME_WAIT_IGNORE;
    }
    tw->challenges++;
    return TIME_WAIT_ACK;
}

/* The peer did not get our last ACK: its FIN again, whole and just left of the window (F-ACK-14, F-FIN-7). */
static bool is_fin_again(const struct tcp_time_wait *tw, const struct tcp_segment *seg)
{
    return (seg->flags & TCP_FIN) && !(seg->flags & TCP_SYN) &&
           seq_eq(seq_add(seg->seq, tcp_segment_len(seg)), tw->rcv_nxt);
}

/* A segment in order with a newer timestamp (R7323-29): RFC 6191 will judge a SYN by it. */
static void take_timestamp(struct tcp_time_wait *tw, const struct tcp_segment *seg)
{
    if (tw->timestamps) {
        tw->ts_recent = seg->options.tsval;
    }
}

enum time_wait_answer tcp_time_wait_segment(struct tcp_time_wait *tw, const struct tcp_context *ctx,
                                            const struct tcp_segment *seg, enum estab_drop *drop)
{
    *drop = ESTAB_DROP_TIME_WAIT;
    if (seg->flags & TCP_RST) {
        return TIME_WAIT_IGNORE; /* DEVIATION from F-RST-6: RFC 1337 3, R1337-01 */
    }
    if (seg->flags & TCP_SYN) { /* F-SEQ-9: before the sequence check. DEVIATION from R6191-04: an answer */
        bool reuse = !(seg->flags & TCP_ACK) && may_reuse(tw, seg);
        *drop = reuse ? ESTAB_DROP_NONE : ESTAB_DROP_SYN_CHALLENGED;
        return reuse ? TIME_WAIT_REUSE : tcp_time_wait_limited_ack(tw, ctx);
    }
    if (tw->timestamps && !seg->options.has_timestamps) {
        *drop = ESTAB_DROP_NO_TIMESTAMP;
        return TIME_WAIT_IGNORE;
    }
    if (tw->timestamps && (int32_t)(seg->options.tsval - tw->ts_recent) < 0) {
        *drop = ESTAB_DROP_PAWS;
        return tcp_time_wait_limited_ack(tw, ctx);
    }
    if (is_fin_again(tw, seg)) {
        *drop = ESTAB_DROP_NONE;
        return TIME_WAIT_RESTART;
    }
    if (!seq_eq(seg->seq, tw->rcv_nxt)) {
        *drop = ESTAB_DROP_SEQUENCE;
        return tcp_time_wait_limited_ack(tw, ctx);
    }
    if (!(seg->flags & TCP_ACK) || !seq_eq(seg->ack, tw->snd_nxt)) {
        *drop = (seg->flags & TCP_ACK) ? ESTAB_DROP_ACK_RANGE : ESTAB_DROP_ACK_MISSING;
        return (seg->flags & TCP_ACK) ? tcp_time_wait_limited_ack(tw, ctx) : TIME_WAIT_IGNORE;
    }
    take_timestamp(tw, seg);
    return TIME_WAIT_IGNORE; /* F-TXT-2, F-URG-2 */
}

void tcp_time_wait_ack(const struct tcp_time_wait *tw, uint64_t now, struct tcp_reply *reply)
{
    *reply = (struct tcp_reply){
        .seq = tw->snd_nxt,
        .ack = tw->rcv_nxt,
        .flags = TCP_ACK,
        .wnd = tw->wnd,
        .timestamps = tw->timestamps,
        .tsval = (uint32_t)(now / 1000000) + tw->ts_offset,
        .tsecr = tw->ts_recent,
        .reason = ESTAB_REASON_TIME_WAIT_ACK,
    };
}
