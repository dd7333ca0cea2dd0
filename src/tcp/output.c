/*
 * See output.h. The order of the decisions is the order of the functions: SYN, old data, new data and FIN,
 * probes, ACK.
 */
#include "tcp/output.h"

#include "tcp/mtu_probing.h"
#include "tcp/options.h"
#include "tcp/recovery.h"
#include "tcp/timers.h"

/* ---- what every segment carries ---- */

/*
 * RFC 9293 3.8.6.2.2 (MUST-39): the right edge moves by a useful step or not at all, and never back
 * (SHLD-14).
 */
static tcp_seq edge_to_announce(const struct tcp_conn *c)
{
    uint32_t step = c->rcv_limit / 2 < c->adv_mss ? c->rcv_limit / 2 : c->adv_mss;
    if (conn_rcv_most_gain(c) < step) {
        return c->rcv_adv;
    }
    tcp_seq edge = conn_rcv_edge(c);
    return seq_diff(edge, c->rcv_adv) >= step ? edge : c->rcv_adv;
}

/*
 * R7323-10, R7323-11: the window field and the edge that it really announces: a shift may round down what is
 * offered, but not take back what was.
 */
static uint16_t window_field(const struct tcp_conn *c, bool syn, tcp_seq *edge)
{
    unsigned shift = syn ? 0 : c->rcv_shift;
    uint32_t unit = 1u << shift;
    uint32_t field = seq_diff(*edge, c->rcv_nxt) >> shift;
    uint32_t least = (conn_rcv_wnd(c) + unit - 1) >> shift;
    field = field < least ? least : field;
    field = field > 65535 ? 65535 : field;
    tcp_seq announced = seq_add(c->rcv_nxt, field << shift);
    *edge = seq_max(announced, c->rcv_adv);
    return (uint16_t)field;
}

static void plan_segment(const struct tcp_conn *c, const struct tcp_context *ctx, struct tcp_plan *plan,
                         tcp_seq seq, enum estab_reason reason)
{
    plan->seg.seq = seq;
    plan->seg.text_length = 0;
    plan->seg.flags = TCP_ACK;
    plan->segment_size = 0;
    plan->reason = (uint8_t)reason;
    plan->again = false;
    plan->edge = edge_to_announce(c);
    options_of_segment(c, ctx->now, &plan->seg.options);
}

/* Text of a full segment with the options that this one carries (MUST-16). */
static uint32_t full_segment(const struct tcp_conn *c, const struct tcp_options *options)
{
    uint32_t mss = c->peer_mss < c->path_mss ? c->peer_mss : c->path_mss;
    return mss - tcp_options_length(options, false);
}

static void add_text(const struct tcp_conn *c, struct tcp_plan *plan, uint32_t length, uint32_t full)
{
    plan->seg.text_length = length;
    plan->segment_size = full;
    if (length > 0 && seq_eq(seq_add(plan->seg.seq, length), c->snd.end)) { /* SHLD-27 */
        plan->seg.flags |= TCP_PSH; /* MUST-61 */
    }
}

/* ---- SYN and SYN,ACK ---- */

static bool decide_syn(const struct tcp_conn *c, const struct tcp_context *ctx, struct tcp_plan *plan)
{
    if (!(c->owed & OWED_SYN)) {
        return false;
    }
    bool answer = c->state != ESTAB_SYN_SENT;
    plan->seg.seq = c->iss;
    plan->seg.text_length = 0;
    plan->seg.flags = (uint16_t)(TCP_SYN | (answer ? TCP_ACK : 0));
    plan->segment_size = 0;
    plan->again = conn_syn_sent(c);
    plan->reason = answer ? ESTAB_REASON_SYN_ACK : ESTAB_REASON_SYN;
    if (plan->again && c->retransmits > 0) {
        plan->reason = ESTAB_REASON_RETRANSMIT_TIMEOUT;
    }
    plan->edge = answer ? c->rcv_adv : seq_add(c->rcv_nxt, c->rcv_limit < 65535 ? c->rcv_limit : 65535);
    options_of_syn(c, ctx->now, &plan->seg.options);
    return true;
}

/* ---- data that was sent before ---- */

static bool decide_again(const struct tcp_conn *c, const struct tcp_context *ctx, struct tcp_plan *plan)
{
    if (c->recovery.phase == RECOVERY_OPEN || !conn_syn_acked(c)) {
        return false;
    }
    plan_segment(c, ctx, plan, c->snd_una, ESTAB_REASON_NONE);
    uint32_t full = full_segment(c, &plan->seg.options);
    struct recovery_range range = recovery_next(c, full);
    if (range.length == 0) {
        return false;
    }
    plan->seg.seq = range.from;
    plan->reason = (uint8_t)range.reason;
    plan->again = true;
    uint32_t text = seq_lt(range.from, c->snd.end) ? seq_diff(c->snd.end, range.from) : 0;
    add_text(c, plan, text < range.length ? text : range.length, full);
    if (plan->seg.text_length < range.length) {
        plan->seg.flags |= TCP_FIN;
    }
    return true;
}

/* ---- new data and FIN ---- */

/*
 * MUST-38, SHLD-7, MUST-60, MAY-16: RFC 9293 3.8.6.2.1 with Nagle's rule (3.7.4): whether less than a full
 * segment may go. `rest`: it is all there is.
 */
static bool small_may_go(const struct tcp_conn *c, uint32_t length, bool rest)
{
    if (c->owed & OWED_OVERRIDE) {
        return true;
    }
    /* only what a probe carried is out */
    bool idle = conn_flight(c) == 0 || c->recovery.phase == RECOVERY_PROBED;
    if (rest) {
        if (c->closing) {
            return true;
        }
        return !c->cork && !c->more && (c->nodelay || idle);
    }
    return length >= c->max_snd_wnd / 2 && (c->nodelay || idle);
}

static uint32_t window_room(const struct tcp_conn *c)
{
    uint32_t flight = conn_flight(c);
    return c->snd_wnd > flight ? c->snd_wnd - flight : 0; /* MUST-34: it may be negative */
}

/*
 * How much text may go now: full segments, or less where small_may_go() (MUST-16, SHLD-15, SHLD-28,
 * R7323-12, R5681-01).
 */
static uint32_t new_text(const struct tcp_conn *c, uint32_t full, uint32_t gso_max)
{
    uint32_t unsent = conn_unsent(c);
    uint32_t room = window_room(c);
    uint32_t congestion = recovery_room(c);
    uint32_t length = unsent < room ? unsent : room;
    if (length > congestion) {
        length = congestion - congestion % full; /* full segments only, when congestion is the limit */
    }
    if (length == 0) {
        return 0;
    }
    uint32_t most = gso_max > full ? gso_max - gso_max % full : full;
    if (length > most) {
        return most;
    }
    uint32_t tail = length < full ? length : length % full;
    if (tail == 0 || small_may_go(c, tail, length == unsent)) {
        return length;
    }
    return length - tail;
}

/* R4821-04: one larger segment of new text, once the congestion window has room for all of it. */
static bool decide_mtu_probe(const struct tcp_conn *c, struct tcp_plan *plan, uint32_t length)
{
    if (recovery_room(c) < length) {
        plan->held_back = true; /* what is out makes room */
        return false;
    }
    plan->reason = ESTAB_REASON_MTU_PROBE;
    add_text(c, plan, length, length);
    return true;
}

static bool decide_new(const struct tcp_conn *c, const struct tcp_context *ctx, uint32_t gso_max,
                       struct tcp_plan *plan)
{
    bool fin_due = c->closing && !conn_fin_sent(c) && c->state != ESTAB_SYN_RECEIVED;
    uint32_t unsent = conn_unsent(c);
    if (unsent == 0 && !fin_due) {
        return false;
    }
    bool may_send = conn_syn_acked(c) || (c->state == ESTAB_FIN_WAIT_1 && conn_syn_sent(c));
    if (!may_send || c->state == ESTAB_SYN_RECEIVED) {
        return false;
    }
    plan_segment(c, ctx, plan, c->snd_nxt, ESTAB_REASON_DATA);
    uint32_t full = full_segment(c, &plan->seg.options);
    if (c->mtu_search && plan->seg.options.sack_count == 0) {
        uint32_t probe = mtu_probing_due(c, ctx->now);
        if (probe > 0) {
            return decide_mtu_probe(c, plan, probe);
        }
    }
    uint32_t length = unsent > 0 ? new_text(c, full, gso_max) : 0;
    bool fin = fin_due && length == unsent && length <= full && window_room(c) > length;
    if (length == 0 && !fin) {
        plan->held_back = true;
        return false;
    }
    add_text(c, plan, length, full);
    if (fin) {
        plan->seg.flags |= TCP_FIN;
        plan->reason = length > 0 ? ESTAB_REASON_DATA : ESTAB_REASON_FIN;
    }
    return true;
}

/* ---- probes ---- */

/* RFC 9293 3.8.6.1: one octet, old or new, or the FIN, into a closed window. */
static bool decide_probe(const struct tcp_conn *c, const struct tcp_context *ctx, struct tcp_plan *plan)
{
    if (c->owed & OWED_PROBE) {
        bool again = conn_flight(c) > 0;
        plan_segment(c, ctx, plan, again ? c->snd_una : c->snd_nxt, ESTAB_REASON_WINDOW_PROBE);
        plan->again = again;
        if (seq_lt(plan->seg.seq, c->snd.end)) {
            add_text(c, plan, 1, 1);
        } else if (c->closing) {
            plan->seg.flags |= TCP_FIN;
        }
        return true;
    }
    if (c->owed & OWED_KEEPALIVE) { /* SHLD-12 */
        plan_segment(c, ctx, plan, seq_sub(c->snd_nxt, 1), ESTAB_REASON_KEEPALIVE);
        return true;
    }
    return false;
}

/* ---- ACK ---- */

static bool decide_ack(const struct tcp_conn *c, const struct tcp_context *ctx, struct tcp_plan *plan)
{
    if (c->owed & OWED_ACK) {
        plan_segment(c, ctx, plan, c->snd_nxt, (enum estab_reason)c->ack_reason);
        return true;
    }
    if ((c->owed & OWED_WINDOW) && state_can_receive(c->state) && conn_window_update_due(c)) {
        plan_segment(c, ctx, plan, c->snd_nxt, ESTAB_REASON_WINDOW_UPDATE);
        return true;
    }
    return false;
}

/* ---- the decision ---- */

static bool decide(const struct tcp_conn *c, const struct tcp_context *ctx, uint32_t gso_max,
                   struct tcp_plan *plan)
{
    if (c->state == ESTAB_CLOSED || c->state == ESTAB_LISTEN || c->state == ESTAB_TIME_WAIT) {
        return false;
    }
    if (decide_syn(c, ctx, plan)) {
        return true;
    }
    if (c->state == ESTAB_SYN_SENT) {
        return false;
    }
    return decide_again(c, ctx, plan) || decide_new(c, ctx, gso_max, plan) || decide_probe(c, ctx, plan) ||
           decide_ack(c, ctx, plan);
}

/* What follows from the connection for every segment. */
static void complete(const struct tcp_conn *c, struct tcp_plan *plan)
{
    struct tcp_segment *seg = &plan->seg;
    bool syn = (seg->flags & TCP_SYN) != 0;
    seg->ack = (seg->flags & TCP_ACK) ? c->rcv_nxt : seq_of(0);
    seg->wnd = window_field(c, syn, &plan->edge);
    seg->up = 0;
    if (c->snd_urgent && seq_gt(c->snd_up, seg->seq) && !syn) {
        uint32_t ahead = seq_diff(c->snd_up, seg->seq);
        seg->up = (uint16_t)(ahead > 65535 ? 65535 : ahead); /* MUST-31, MUST-62 */
        seg->flags |= TCP_URG;
    }
}

bool tcp_output_decide(const struct tcp_conn *c, const struct tcp_context *ctx, uint32_t gso_max,
                       struct tcp_plan *plan)
{
    plan->held_back = false;
    if (!decide(c, ctx, gso_max, plan)) {
        return false;
    }
    complete(c, plan);
    return true;
}

/* ---- what was sent ---- */

static void sent_ack(struct tcp_conn *c, const struct tcp_plan *plan)
{
    c->rcv_adv = plan->edge;
    c->last_ack_sent = c->rcv_nxt;
    c->owed &= (uint8_t) ~(OWED_ACK | OWED_ACK_LATER | OWED_WINDOW);
    c->dsack = false;
    tcp_timers_on_ack_sent(c);
}

static void sent_new(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_plan *plan, uint32_t space)
{
    if (!conn_waits_for_peer(c)) {
        conn_note_progress(c, ctx->now); /* from now on it may stall */
    }
    c->snd_nxt = seq_add(plan->seg.seq, space);
    c->bytes_sent += plan->seg.text_length;
    if (plan->reason == ESTAB_REASON_WINDOW_PROBE) {
        c->probing = true;
        return;
    }
    if (plan->reason == ESTAB_REASON_MTU_PROBE) {
        mtu_probing_on_sent(c, ctx, plan->seg.seq, plan->seg.text_length);
    }
    c->cwnd_limited = recovery_room(c) < conn_snd_mss(c); /* R5681-01 */
    rtt_start(&c->rtt, c->snd_nxt, ctx->now);
    tcp_timers_on_sent(c, ctx);
}

static void sent_again(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_plan *plan,
                       uint32_t space)
{
    c->segments_retransmitted++;
    c->bytes_retransmitted += plan->seg.text_length;
    ctx->counters->segments_retransmitted++;
    rtt_cancel(&c->rtt);
    if (plan->seg.flags & TCP_SYN) {
        tcp_timers_on_sent(c, ctx);
    } else if (plan->reason != ESTAB_REASON_WINDOW_PROBE) {
        mtu_probing_on_sent_again(c, plan->seg.seq, space);
        recovery_on_sent_again(c, plan->seg.seq, space);
        tcp_timers_on_sent(c, ctx);
    }
}

void tcp_output_sent(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_plan *plan)
{
    uint32_t length = plan->seg.text_length;
    uint32_t space = tcp_segment_len(&plan->seg);
    bool merged = length > plan->segment_size && plan->segment_size > 0;
    c->segments_sent += merged ? (length + plan->segment_size - 1) / plan->segment_size : 1;
    if (space > 0) {
        c->last_sent = conn_clock(ctx->now); /* R5681-20: bare ACKs keep no window */
    }
    if (plan->seg.flags & TCP_ACK) {
        sent_ack(c, plan);
    }
    if (plan->again) {
        sent_again(c, ctx, plan, space);
    } else if (space > 0) {
        sent_new(c, ctx, plan, space);
    }
    c->owed &= (uint8_t) ~(OWED_SYN | OWED_PROBE | OWED_KEEPALIVE);
    if ((c->owed & OWED_OVERRIDE) && conn_unsent(c) == 0) {
        c->owed &= (uint8_t)~OWED_OVERRIDE;
    }
}

void tcp_output_idle(struct tcp_conn *c, const struct tcp_context *ctx, const struct tcp_plan *plan)
{
    c->owed &= (uint8_t) ~(OWED_OVERRIDE | OWED_WINDOW);
    if (plan->held_back) {
        tcp_timers_on_held_back(c, ctx);
    }
}
