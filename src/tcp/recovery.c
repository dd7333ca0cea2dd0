/*
 * NewReno (RFC 6582) and the timeout's go-back (RFC 5681 3.1, 4.3); see recovery.h. It sends nothing: output
 * asks recovery_next().
 */
#include "tcp/recovery.h"

#include "tcp/mtu_probing.h"
#include "tcp/scoreboard.h"

static struct cc_sample sample_of(const struct tcp_conn *c, const struct tcp_context *ctx, uint32_t acked,
                                  uint32_t flight)
{
    return (struct cc_sample){
        .now_ns = ctx->now,
        .acked = acked,
        .flight = flight,
        .mss = conn_snd_mss(c),
        .srtt_us = c->rtt.srtt_us,
        .cwnd_limited = c->cwnd_limited,
    };
}

static struct cc_window window_of(const struct tcp_conn *c)
{
    return (struct cc_window){.cwnd = c->cwnd, .ssthresh = c->ssthresh};
}

static void take_window(struct tcp_conn *c, const struct cc_window *window)
{
    c->cwnd = window->cwnd;
    c->ssthresh = window->ssthresh;
}

void recovery_init(struct tcp_conn *c)
{
    /* RFC 6582 3.2 (1), R6582-01 */
    c->recovery = (struct tcp_recovery){.recover = c->iss, .phase = RECOVERY_OPEN};
    scoreboard_reset(&c->scoreboard);
}

static void finish(struct tcp_conn *c, struct tcp_context *ctx, uint32_t acked, uint32_t flight)
{
    if (c->recovery.phase == RECOVERY_FAST) {
        struct cc_window window = window_of(c);
        struct cc_sample sample = sample_of(c, ctx, acked, flight - acked);
        c->cc->on_recovered(c->cc_private, &window, &sample); /* R5681-19 */
        take_window(c, &window);
    } else if (c->recovery.phase == RECOVERY_MTU_PROBE) {
        mtu_probing_end(c);
    }
    c->recovery.phase = RECOVERY_OPEN;
    c->recovery.front_due = false;
}

/*
 * RFC 6582 3.2 (3): a partial ACK sends the next hole and deflates the window by what it acknowledged
 * (R6582-04).
 */
static void partial_ack(struct tcp_conn *c, uint32_t acked)
{
    uint32_t mss = conn_snd_mss(c);
    c->recovery.front_due = true;
    c->cwnd = c->cwnd > acked ? c->cwnd - acked : 0;
    c->cwnd += acked >= mss ? mss : 0;
    c->cwnd = c->cwnd < mss ? mss : c->cwnd;
}

/*
 * RFC 5681 3.2 and RFC 6582 3.2 (2): the third duplicate, unless this loss was answered already (R6582-02,
 * R5681-17).
 */
static void enter_fast_recovery(struct tcp_conn *c, struct tcp_context *ctx)
{
    struct cc_window window = window_of(c);
    uint32_t flight = conn_flight(c) < c->cwnd ? conn_flight(c) : c->cwnd; /* the rest is RFC 3042's */
    struct cc_sample sample = sample_of(c, ctx, 0, flight);
    c->cc->on_loss(c->cc_private, &window, &sample);
    window.cwnd = window.ssthresh + 3 * sample.mss;
    take_window(c, &window);
    c->recovery.unheard = conn_flight(c) > 3 * sample.mss ? conn_flight(c) - 3 * sample.mss : 0;
    c->recovery.recover = c->snd_nxt;
    c->recovery.phase = RECOVERY_FAST;
    c->recovery.front_due = true;
    c->recovery.partial_seen = false;
    ctx->counters->fast_retransmits++;
}

/*
 * RFC 4821 7.6.2, R4821-06: the probe is lost, and as long as nothing else is that was no congestion: its
 * text goes again and cwnd stays.
 */
static void enter_probe_recovery(struct tcp_conn *c, struct tcp_context *ctx)
{
    mtu_probing_on_loss(c, ctx);
    c->recovery.recover = c->snd_nxt;
    c->recovery.rexmit_nxt = c->snd_una;
    c->recovery.phase = RECOVERY_MTU_PROBE;
}

/* Its text has arrived, and not all that was sent behind it: something else is lost too. */
static void probe_partial_ack(struct tcp_conn *c, struct tcp_context *ctx)
{
    c->recovery.rexmit_nxt = seq_max(c->recovery.rexmit_nxt, c->snd_una);
    if (seq_geq(c->snd_una, mtu_probing_edge(c))) {
        mtu_probing_end(c);
        enter_fast_recovery(c, ctx);
    }
}

void recovery_on_ack(struct tcp_conn *c, struct tcp_context *ctx, uint32_t acked, uint32_t flight)
{
    scoreboard_reset(&c->scoreboard);
    struct tcp_recovery *recovery = &c->recovery;
    if (recovery->phase != RECOVERY_OPEN && seq_geq(c->snd_una, recovery->recover)) {
        bool was_loss = recovery->phase == RECOVERY_LOSS;
        finish(c, ctx, acked, flight);
        if (!was_loss) {
            return;
        }
    }
    if (recovery->phase == RECOVERY_FAST) {
        partial_ack(c, acked);
        return;
    }
    if (recovery->phase == RECOVERY_MTU_PROBE) {
        probe_partial_ack(c, ctx);
        return;
    }
    if (recovery->phase != RECOVERY_OPEN && seq_lt(recovery->rexmit_nxt, c->snd_una)) {
        recovery->rexmit_nxt = c->snd_una;
    }
    struct cc_window window = window_of(c);
    struct cc_sample sample = sample_of(c, ctx, acked, flight);
    sample.cwnd_limited = c->cwnd_limited || recovery->phase == RECOVERY_LOSS;
    c->cc->on_ack(c->cc_private, &window, &sample);
    take_window(c, &window);
}

/*
 * R5681-18: never more, in one recovery, than what was in flight when it began could have caused. What was
 * sent since does not count: else each duplicate would pay for the next (V-44).
 */
static void inflate(struct tcp_conn *c)
{
    uint32_t mss = conn_snd_mss(c);
    uint32_t left = c->recovery.unheard < mss ? c->recovery.unheard : mss;
    c->recovery.unheard -= left;
    c->cwnd += left > 0 ? mss : 0;
}

void recovery_on_duplicate_ack(struct tcp_conn *c, struct tcp_context *ctx)
{
    scoreboard_duplicate(&c->scoreboard);
    if (c->recovery.phase == RECOVERY_FAST) {
        inflate(c);
        return;
    }
    if (c->recovery.phase != RECOVERY_OPEN || !scoreboard_lost(&c->scoreboard)) {
        return;
    }
    if (mtu_probing_is_front(c)) {
        enter_probe_recovery(c, ctx);
    } else if (seq_gt(c->snd_una, c->recovery.recover)) {
        enter_fast_recovery(c, ctx);
    }
}

void recovery_on_timeout(struct tcp_conn *c, struct tcp_context *ctx)
{
    uint32_t mss = conn_snd_mss(c);
    if (c->retransmits == 1) { /* R5681-11: only the first timeout of a segment halves */
        struct cc_window window = window_of(c);
        uint32_t flight = conn_flight(c);
        if (c->recovery.phase == RECOVERY_FAST && c->ssthresh < flight) {
            flight = c->ssthresh; /* R5681-23: what was sent again is lost too */
        }
        struct cc_sample sample = sample_of(c, ctx, 0, flight);
        c->cc->on_timeout(c->cc_private, &window, &sample);
        take_window(c, &window);
    } else {
        c->cwnd = mss;
    }
    c->recovery.phase = RECOVERY_LOSS;
    c->recovery.recover = c->snd_nxt; /* RFC 6582 3.2 (4), R6582-05 */
    c->recovery.rexmit_nxt = c->snd_una;
    c->recovery.front_due = false;
    scoreboard_reset(&c->scoreboard);
    rtt_cancel(&c->rtt);
}

static void restart_front(struct tcp_conn *c)
{
    c->recovery.phase = RECOVERY_PROBED;
    c->recovery.recover = c->snd_nxt;
    c->recovery.rexmit_nxt = c->snd_una;
    c->recovery.front_due = false;
    rtt_cancel(&c->rtt);
}

void recovery_on_window_open(struct tcp_conn *c)
{
    if (conn_flight(c) > 0 && c->recovery.phase == RECOVERY_OPEN) {
        restart_front(c);
    }
}

void recovery_on_path_change(struct tcp_conn *c)
{
    if (conn_flight(c) > 0 && conn_syn_acked(c)) {
        restart_front(c);
    }
}

struct recovery_range recovery_next(const struct tcp_conn *c, uint32_t mss)
{
    const struct tcp_recovery *recovery = &c->recovery;
    struct recovery_range range = {.from = c->snd_una, .reason = ESTAB_REASON_RETRANSMIT_FAST};
    tcp_seq limit = c->snd_nxt;
    if (recovery->phase == RECOVERY_LOSS || recovery->phase == RECOVERY_PROBED) {
        range.from = recovery->rexmit_nxt; /* R2018-07 */
        range.reason = ESTAB_REASON_RETRANSMIT_TIMEOUT;
        limit = recovery->recover;
    } else if (recovery->phase == RECOVERY_MTU_PROBE) {
        range.from = recovery->rexmit_nxt;
        limit = mtu_probing_edge(c);
    } else if (!recovery->front_due) {
        return range;
    }
    uint32_t ahead = seq_diff(range.from, c->snd_una);
    uint32_t length = seq_diff(limit, range.from);
    length = length < mss ? length : mss;
    uint32_t window = c->snd_wnd > ahead ? c->snd_wnd - ahead : 0; /* SHLD-16 */
    length = length < window ? length : window;
    if (ahead > 0 && ahead + length > c->cwnd) {
        length = 0;
    }
    range.length = length;
    return range;
}

/* R6298-06 */
void recovery_on_sent_again(struct tcp_conn *c, tcp_seq from, uint32_t length)
{
    rtt_cancel(&c->rtt);
    c->recovery.front_due = false;
    if (c->recovery.phase != RECOVERY_OPEN && c->recovery.phase != RECOVERY_FAST) {
        c->recovery.rexmit_nxt = seq_max(c->recovery.rexmit_nxt, seq_add(from, length));
    }
}

uint32_t recovery_room(const struct tcp_conn *c)
{
    uint32_t flight = conn_flight(c);
    uint32_t cwnd = c->cwnd;
    if (c->recovery.phase == RECOVERY_LOSS || c->recovery.phase == RECOVERY_PROBED) {
        if (seq_lt(c->recovery.rexmit_nxt, c->recovery.recover)) {
            return 0; /* old data first */
        }
    } else if (c->recovery.phase == RECOVERY_MTU_PROBE) {
        if (seq_lt(c->recovery.rexmit_nxt, mtu_probing_edge(c))) {
            return 0;
        }
        /* what duplicates say has left the network, as in fast recovery, and no more than was in it */
        uint32_t left = c->scoreboard.dup_acks * conn_snd_mss(c);
        uint32_t out = seq_diff(c->recovery.recover, c->snd_una);
        cwnd += left < out ? left : out;
    } else if (c->recovery.phase == RECOVERY_OPEN && c->scoreboard.dup_acks > 0) {
        /* RFC 3042, R3042-01, R5681-15 */
        cwnd += scoreboard_limited_transmit(&c->scoreboard) * conn_snd_mss(c);
    }
    return flight < cwnd ? cwnd - flight : 0;
}
