/*
 * SEGMENT ARRIVES, as RFC 9293 3.10.7 has it: one function a step, in its order, each able to end the
 * segment. The corrections of RFC 5961 are steps of it; PAWS (RFC 7323 5.3) comes before the sequence check.
 * Nothing is sent here: what is owed is marked on the connection.
 *
 * The text may have been trimmed by the first step, so all later ones work on a copy of the segment's facts.
 */
#include "tcp/segment_arrives.h"

#include "tcp/ack.h"
#include "tcp/guard.h"
#include "tcp/open.h"
#include "tcp/options.h"
#include "tcp/receive.h"
#include "tcp/timers.h"

/* What a step says: go on with the next one, or the segment ends here for a reason. */
struct step {
    bool stop;
    struct tcp_verdict verdict;
};

static const struct step go_on = {.stop = false};

static struct step end_with(enum estab_drop drop)
{
    return (struct step){.stop = true, .verdict = {.drop = drop}};
}

static struct step end_with_reset(enum estab_drop drop)
{
    return (struct step){.stop = true, .verdict = {.drop = drop, .reset = true}};
}

/* RFC 5961: an ACK that makes an honest peer show itself, limited in rate; one that is owed anyway is not. */
static void challenge(struct tcp_conn *c, struct tcp_context *ctx, enum estab_reason reason)
{
    if (!(c->owed & OWED_ACK) && guard_allows_ack(c, ctx)) {
        receive_owe_ack(c, reason);
        ctx->counters->challenge_acks += reason == ESTAB_REASON_ACK_CHALLENGE;
    }
}

/* ---- 3.10.7.1 CLOSED ---- */

bool tcp_reset_for(const struct tcp_segment *seg, struct tcp_reply *reply)
{
    if (seg->flags & TCP_RST) {
        return false; /* F-CLOSED-1, F-INV-1 */
    }
    *reply = (struct tcp_reply){.reason = ESTAB_REASON_RESET_REFUSE};
    if (seg->flags & TCP_ACK) {
        reply->seq = seg->ack; /* F-CLOSED-3 */
        reply->flags = TCP_RST;
    } else {
        reply->ack = seq_add(seg->seq, tcp_segment_len(seg)); /* F-CLOSED-2 */
        reply->flags = TCP_RST | TCP_ACK;
    }
    if (seg->options.has_timestamps) { /* R7323-31 */
        reply->timestamps = true;
        reply->tsecr = seg->options.tsval;
    }
    return true;
}

void tcp_reset_of(const struct tcp_conn *c, uint64_t now, struct tcp_reply *reply)
{
    *reply = (struct tcp_reply){
        .seq = c->snd_nxt,
        .ack = c->rcv_nxt,
        .flags = TCP_RST | TCP_ACK,
        .timestamps = c->timestamps, /* R7323-32, R7323-19 */
        .tsval = options_tsval(c, now),
        .tsecr = c->ts_recent,
        .reason = ESTAB_REASON_RESET_ABORT,
    };
}

/* ---- 3.10.7.2 LISTEN ---- */

struct tcp_verdict tcp_listen_segment(const struct tcp_segment *seg)
{
    if (seg->flags & TCP_RST) {
        return (struct tcp_verdict){.drop = ESTAB_DROP_CLOSED_RST}; /* F-LISTEN-1 */
    }
    if (seg->flags & TCP_ACK) {
        return (struct tcp_verdict){.drop = ESTAB_DROP_LISTEN_SEGMENT, .reset = true}; /* F-LISTEN-2 */
    }
    if (!(seg->flags & TCP_SYN)) {
        return (struct tcp_verdict){.drop = ESTAB_DROP_LISTEN_SEGMENT}; /* F-LISTEN-4 */
    }
    return (struct tcp_verdict){.drop = ESTAB_DROP_NONE}; /* F-LISTEN-3 */
}

/* ---- 3.10.7.3 SYN-SENT ---- */

/* First: the ACK bit. */
static struct step syn_sent_ack(struct tcp_conn *c, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_ACK)) {
        return go_on;
    }
    /* F-SYNSENT-8 */
    bool acceptable = seq_between(seq_add(c->iss, 1), seg->ack, c->snd_nxt) && conn_syn_sent(c);
    if (acceptable) {
        return go_on;
    }
    return (seg->flags & TCP_RST) ? end_with(ESTAB_DROP_SYN_SENT_SEGMENT)        /* F-SYNSENT-2 */
                                  : end_with_reset(ESTAB_DROP_SYN_SENT_SEGMENT); /* F-SYNSENT-1 */
}

/* Second: the RST bit. An ACK that is there was acceptable. */
static struct step syn_sent_rst(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_RST)) {
        return go_on;
    }
    if (!(seg->flags & TCP_ACK)) {
        return end_with(ESTAB_DROP_SYN_SENT_SEGMENT); /* F-SYNSENT-4 */
    }
    ctx->counters->attempt_fails++;
    conn_end(c, ctx, EVENT_RCV_RST, -ESTAB_ECONNREFUSED); /* F-SYNSENT-3 */
    return end_with(ESTAB_DROP_NONE);
}

/* Fourth: the SYN bit. (Third, security and compartment, is obsolete.) */
static struct step syn_sent_syn(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_SYN)) {
        return end_with(ESTAB_DROP_SYN_SENT_SEGMENT); /* F-SYNSENT-7 */
    }
    open_take_syn(c, ctx, seg);
    if (seg->flags & TCP_ACK) { /* F-SYNSENT-5 */
        conn_event(c, ctx, EVENT_RCV_SYN_ACK);
        ack_establish(c, ctx, seg);
        receive_owe_ack(c, ESTAB_REASON_ACK);
    } else { /* F-SYNSENT-6: both sides opened at once (MUST-10) */
        conn_event(c, ctx, EVENT_RCV_SYN);
        ack_take_window(c, seg);
        receive_text_of_syn(c, ctx, seg);
        c->owed |= OWED_SYN;
        return end_with(ESTAB_DROP_NONE);
    }
    return go_on;
}

/* ---- 3.10.7.4, first: the sequence number ---- */

/* R7323-35: PAWS comes before the sequence check, for all but RST (R7323-33). */
static struct step check_timestamp(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (!c->timestamps || (seg->flags & TCP_RST)) { /* R7323-22, R7323-33, R7323-37 */
        return go_on;
    }
    if (!seg->options.has_timestamps) {
        return end_with(ESTAB_DROP_NO_TIMESTAMP); /* R7323-20: in silence */
    }
    if (!options_paws_ok(c, ctx, seg)) {
        if (seg->text_length > 0) {
            receive_owe_ack(c, ESTAB_REASON_ACK_DUPLICATE);
        } else {
            challenge(c, ctx, ESTAB_REASON_ACK_DUPLICATE);
        }
        return end_with(ESTAB_DROP_PAWS);
    }
    return go_on;
}

/*
 * F-SEQ-1..4. With a closed window what stands at its edge is let through for its RST, URG and ACK (MUST-66,
 * U-13).
 */
static bool acceptable(const struct tcp_conn *c, const struct tcp_segment *seg)
{
    uint32_t window = conn_rcv_wnd(c);
    uint32_t length = tcp_segment_len(seg);
    if (seq_eq(seg->seq, c->rcv_nxt)) {
        return true;
    }
    if (length == 0) {
        return seq_in_window(seg->seq, c->rcv_nxt, window); /* F-SEQ-2 */
    }
    return seq_in_window(seg->seq, c->rcv_nxt, window) ||
           seq_in_window(seq_add(seg->seq, length - 1), c->rcv_nxt, window);
}

/*
 * F-SEQ-7: only what is new and within the window is processed further. A SYN is not trimmed: its step
 * refuses the whole segment. Nor is a RST: it counts at the SEQ it was sent with.
 */
static void trim(struct tcp_conn *c, struct tcp_segment *seg)
{
    if (seg->flags & (TCP_SYN | TCP_RST)) {
        return;
    }
    if (seq_lt(seg->seq, c->rcv_nxt)) {
        uint32_t old = seq_diff(c->rcv_nxt, seg->seq);
        old = old < seg->text_length ? old : seg->text_length;
        if (old > 0) {
            receive_note_duplicate(c, seg->seq, seq_add(seg->seq, old));
        }
        seg->text += old;
        seg->text_length -= old;
        seg->seq = seq_add(seg->seq, old);
    }
    uint32_t room = seq_diff(c->rcv_adv, seg->seq);
    if (tcp_segment_len(seg) > room) {
        receive_owe_ack(c, ESTAB_REASON_ACK_DUPLICATE);
        seg->flags &= (uint16_t)~TCP_FIN;
        seg->text_length = seg->text_length < room ? seg->text_length : room;
    }
}

/* RFC 9293 3.5 Figure 8: both opened at once, and this answers our SYN. Its own SYN was taken before. */
static bool completes_simultaneous_open(const struct tcp_conn *c, const struct tcp_segment *seg)
{
    const uint16_t both = TCP_SYN | TCP_ACK;
    return c->state == ESTAB_SYN_RECEIVED && !c->passive && (seg->flags & both) == both &&
           seq_eq(seg->seq, c->irs) && seq_between(seq_add(c->snd_una, 1), seg->ack, c->snd_nxt);
}

/* F-SYN-2, RFC 5961 4.2. DEVIATION from F-SYN-1: the same SYN again is answered, and no other ends LISTEN. */
static struct step refuse_syn(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (c->state == ESTAB_SYN_RECEIVED && seq_eq(seg->seq, c->irs) && !(seg->flags & TCP_ACK)) {
        c->owed |= OWED_SYN; /* the peer did not get our SYN,ACK */
        return end_with(ESTAB_DROP_NONE);
    }
    challenge(c, ctx, ESTAB_REASON_ACK_CHALLENGE);
    return end_with(ESTAB_DROP_SYN_CHALLENGED);
}

static struct step check_sequence(struct tcp_conn *c, struct tcp_context *ctx, struct tcp_segment *seg)
{
    if (acceptable(c, seg)) {
        trim(c, seg);
        return go_on;
    }
    if (seg->flags & TCP_RST) {
        return end_with(ESTAB_DROP_RST_WINDOW); /* F-SEQ-6, F-RST-1 */
    }
    if (completes_simultaneous_open(c, seg)) { /* MUST-10 */
        return go_on;
    }
    if (seg->flags & TCP_SYN) {
        return refuse_syn(c, ctx, seg);
    }
    if (seg->text_length > 0) {
        tcp_seq end = seq_add(seg->seq, seg->text_length);
        if (seq_in_window(end, seq_sub(c->rcv_nxt, c->rcv_limit), c->rcv_limit + 1)) {
            receive_note_duplicate(c, seg->seq, end);
        }
        receive_owe_ack(c, ESTAB_REASON_ACK_DUPLICATE); /* F-SEQ-5 */
    } else {
        challenge(c, ctx, ESTAB_REASON_ACK_DUPLICATE);
    }
    return end_with(ESTAB_DROP_SEQUENCE);
}

/* ---- second: RST, with text or without (SHLD-2) ---- */

/* Both have closed and nothing of the user's can be lost any more. */
static bool only_fin_is_out(const struct tcp_conn *c)
{
    return (c->state == ESTAB_CLOSING || c->state == ESTAB_LAST_ACK) && conn_flight(c) == 1;
}

static struct step check_rst(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_RST)) {
        return go_on;
    }
    if (seq_lt(seg->seq, c->rcv_nxt)) { /* only its text reaches into the window */
        return end_with(ESTAB_DROP_RST_WINDOW);
    }
    if (!seq_eq(seg->seq, c->rcv_nxt)) { /* F-RST-2, RFC 5961 3.2 */
        challenge(c, ctx, ESTAB_REASON_ACK_CHALLENGE);
        return end_with(ESTAB_DROP_RST_CHALLENGED);
    }
    if (c->state == ESTAB_SYN_RECEIVED) {
        ctx->counters->attempt_fails++;
        if (c->passive) {
            open_return_to_listen(c, ctx); /* F-RST-3 */
        } else {
            conn_end(c, ctx, EVENT_RCV_RST, -ESTAB_ECONNREFUSED); /* F-RST-4 */
        }
        return end_with(ESTAB_DROP_NONE);
    }
    ctx->counters->resets_in++;
    conn_end(c, ctx, EVENT_RCV_RST, only_fin_is_out(c) ? 0 : -ESTAB_ECONNRESET); /* F-RST-5, F-RST-6 */
    return end_with(ESTAB_DROP_NONE);
}

/* ---- fourth: SYN (third, security and compartment, is obsolete) ---- */

static struct step check_syn(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_SYN) || completes_simultaneous_open(c, seg)) {
        return go_on;
    }
    return refuse_syn(c, ctx, seg);
}

/* ---- fifth: ACK ---- */

static struct step check_ack_of_syn(struct tcp_conn *c, struct tcp_context *ctx,
                                    const struct tcp_segment *seg)
{
    bool ok = seq_between(seq_add(c->snd_una, 1), seg->ack, c->snd_nxt) && conn_syn_sent(c);
    if (!ok) {
        return end_with_reset(ESTAB_DROP_ACK_RANGE); /* F-ACK-3 */
    }
    conn_event(c, ctx, EVENT_RCV_ACK_SYN); /* F-ACK-2 */
    ack_establish(c, ctx, seg);
    open_continue_close(c, ctx);
    return go_on;
}

/* What the ACK of our FIN does to the state (F-ACK-9, F-ACK-12, F-ACK-13). */
static struct step check_ack_of_fin(struct tcp_conn *c, struct tcp_context *ctx)
{
    if (!conn_fin_acked(c)) {
        return go_on;
    }
    switch (c->state) {
    case ESTAB_FIN_WAIT_1:
        conn_event(c, ctx, EVENT_RCV_ACK_FIN);
        tcp_timers_on_fin_wait_2(c, ctx);
        return go_on;
    case ESTAB_CLOSING:
        conn_event(c, ctx, EVENT_RCV_ACK_FIN);
        tcp_timers_stop(c);
        return end_with(ESTAB_DROP_NONE);
    case ESTAB_LAST_ACK:
        conn_end(c, ctx, EVENT_RCV_ACK_FIN, 0);
        return end_with(ESTAB_DROP_NONE);
    default:
        return go_on;
    }
}

static struct step check_ack(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_ACK)) {
        return end_with(ESTAB_DROP_ACK_MISSING); /* F-ACK-0 */
    }
    if (c->state == ESTAB_SYN_RECEIVED) {
        return check_ack_of_syn(c, ctx, seg);
    }
    if (!guard_ack_plausible(c, seg->ack)) { /* F-ACK-1, F-ACK-6 */
        challenge(c, ctx, ESTAB_REASON_ACK_CHALLENGE);
        return end_with(ESTAB_DROP_ACK_RANGE);
    }
    if (!conn_syn_acked(c) && seq_gt(seg->ack, c->snd_una)) {
        ack_establish(c, ctx, seg); /* CLOSE came before the handshake was done */
    } else {
        ack_arrives(c, ctx, seg);
    }
    return go_on;
}

/* ---- sixth to eighth: URG, text, FIN ---- */

/* The urgent pointer counts from the SEQ that was sent, so that step sees the segment untrimmed. */
static struct tcp_verdict finish(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg,
                                 const struct tcp_segment *untrimmed)
{
    bool new_text = seg->text_length > 0 && seq_geq(seg->seq, c->rcv_nxt);
    if (c->released && new_text && state_can_receive(c->state) && c->state != ESTAB_ESTABLISHED) {
        /* F-TXT-3, SHLD-3: nobody is left to read it. */
        conn_end(c, ctx, EVENT_ABORT, -ESTAB_ECONNABORTED);
        return (struct tcp_verdict){.drop = ESTAB_DROP_TEXT_AFTER_CLOSE, .reset = true};
    }
    receive_urgent(c, untrimmed);
    enum estab_drop drop = receive_text(c, ctx, seg);
    receive_fin(c, ctx, seg);
    return (struct tcp_verdict){.drop = drop};
}

/* The text and FIN of a SYN,ACK stand behind its SYN, which is done with. */
static void pass_syn(struct tcp_conn *c, struct tcp_segment *seg)
{
    bool text = seg->text_length > 0;
    seg->seq = seq_add(seg->seq, 1);
    seg->flags &= (uint16_t)~TCP_SYN;
    trim(c, seg);
    if (text && seg->text_length == 0) {
        receive_owe_ack(c, ESTAB_REASON_ACK_DUPLICATE); /* all of it came with the SYN before */
    }
}

/* F-FIN-1 */
static struct step syn_sent_steps(struct tcp_conn *c, struct tcp_context *ctx, struct tcp_segment *seg)
{
    struct step step = syn_sent_ack(c, seg);
    if (!step.stop) {
        step = syn_sent_rst(c, ctx, seg);
    }
    if (!step.stop) {
        step = syn_sent_syn(c, ctx, seg);
    }
    if (!step.stop) {
        pass_syn(c, seg);
    }
    return step;
}

static struct step steps(struct tcp_conn *c, struct tcp_context *ctx, struct tcp_segment *seg,
                         const struct tcp_segment *untrimmed)
{
    struct step step = check_timestamp(c, ctx, seg);
    if (!step.stop) {
        step = check_sequence(c, ctx, seg);
    }
    if (!step.stop) {
        step = check_rst(c, ctx, seg);
    }
    if (!step.stop) {
        step = check_syn(c, ctx, seg);
    }
    if (!step.stop) {
        step = check_ack(c, ctx, seg);
    }
    if (!step.stop && c->timestamps) {
        options_update_ts_recent(c, ctx, untrimmed); /* not before its ACK was believed (V-28) */
    }
    if (!step.stop) {
        step = check_ack_of_fin(c, ctx);
    }
    if (!step.stop && (seg->flags & TCP_SYN)) {
        pass_syn(c, seg);
    }
    return step;
}

/*
 * Header prediction: the segment that comes next on a connection in good order, for which the first four
 * steps have nothing to say. It must do what they would.
 */
static bool predicted(const struct tcp_conn *c, const struct tcp_segment *seg)
{
    return c->state == ESTAB_ESTABLISHED && (seg->flags & 0xfff & ~TCP_PSH) == TCP_ACK &&
           seq_eq(seg->seq, c->rcv_nxt) && seg->text_length <= conn_rcv_wnd(c) &&
           seq_between(c->snd_una, seg->ack, c->snd_nxt) &&
           c->timestamps == (c->timestamps && seg->options.has_timestamps) &&
           (!c->timestamps || (int32_t)(seg->options.tsval - c->ts_recent) >= 0);
}

struct tcp_verdict tcp_segment_arrives(struct tcp_conn *c, struct tcp_context *ctx,
                                       const struct tcp_segment *segment)
{
    c->segments_received++;
    c->last_received = conn_clock(ctx->now);
    tcp_timers_on_received(c, ctx);
    if (predicted(c, segment)) {
        ctx->counters->segments_fast++;
        if (c->timestamps) {
            options_update_ts_recent(c, ctx, segment);
        }
        ack_arrives(c, ctx, segment);
        enum estab_drop drop = receive_text(c, ctx, segment);
        if (c->rcv_fin_known) {
            receive_fin(c, ctx, segment);
        }
        return (struct tcp_verdict){.drop = drop};
    }
    struct tcp_segment seg = *segment;
    uint8_t owed = c->owed;
    struct step step = c->state == ESTAB_SYN_SENT ? syn_sent_steps(c, ctx, &seg)
                                                    : steps(c, ctx, &seg, segment);
    if (step.stop) {
        c->owed = step.verdict.reset ? owed : c->owed; /* one answer to one segment (F-INV-3) */
        return step.verdict;
    }
    return finish(c, ctx, &seg, segment);
}
