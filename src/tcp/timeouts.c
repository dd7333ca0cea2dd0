/* See timeouts.h: one function a timer. */
#include "tcp/timeouts.h"

#include "tcp/mtu_probing.h"
#include "tcp/recovery.h"
#include "tcp/receive.h"
#include "tcp/timers.h"

#define R1 \
    3 /* retransmissions of one segment after which the user is told (RFC 9293 3.8.3, SHLD-9, SHLD-10) */

static bool take(struct tcp_conn *c, const struct tcp_context *ctx, enum estab_timer timer)
{
    if (c->deadline[timer] > ctx->now) {
        return false;
    }
    c->deadline[timer] = UINT64_MAX;
    if (trace_on(ctx->trace)) {
        struct estab_trace *record = trace_add(ctx->trace, ctx->now, ESTAB_TRACE_TIMER);
        if (record != NULL) {
            record->timer = (uint8_t)timer;
            record->state = record->state_after = c->state;
        }
    }
    return true;
}

/* MUST-19, MUST-20, MUST-22 */
static void retransmission_timeout(struct tcp_conn *c, struct tcp_context *ctx)
{
    ctx->counters->timeouts_retransmit++;
    c->retransmits = c->retransmits < UINT8_MAX ? (uint8_t)(c->retransmits + 1) : UINT8_MAX;
    if (!conn_syn_acked(c)) {
        c->owed |= OWED_SYN;
        c->rtt.syn_lost = true; /* RFC 6298 5.7 */
    } else {
        mtu_probing_on_timeout(c, ctx);
        recovery_on_timeout(c, ctx); /* R5681-12 */
    }
    if (c->retransmits == R1 && c->soft_errors) {
        c->soft_error = -ESTAB_ETIMEDOUT;
        c->events |= ESTAB_SOFT_ERROR;
    }
    tcp_timers_on_retransmit(c, ctx);
}

/* A closed window is probed; what was only held back goes now, silly or not (MUST-35, MUST-36). */
static void persist_timeout(struct tcp_conn *c, struct tcp_context *ctx)
{
    uint32_t flight = conn_flight(c);
    if (c->snd_wnd > flight) {
        c->owed |= OWED_OVERRIDE;
        return;
    }
    c->owed |= OWED_PROBE;
    c->probes = c->probes < UINT8_MAX ? (uint8_t)(c->probes + 1) : UINT8_MAX;
    ctx->counters->window_probes++;
    tcp_timers_on_probe(c, ctx);
}

static void delayed_ack_timeout(struct tcp_conn *c)
{
    if (c->owed & OWED_ACK_LATER) {
        c->owed &= (uint8_t)~OWED_ACK_LATER;
        receive_owe_ack(c, ESTAB_REASON_ACK_DELAYED);
    }
}

/*
 * RFC 9293 3.8.4, MAY-5: only an idle connection is probed (MUST-26), and several probes must go unanswered
 * (MUST-29).
 */
static bool keepalive_timeout(struct tcp_conn *c, struct tcp_context *ctx)
{
    uint64_t wait = (uint64_t)c->keep_idle_ms * 1000000;
    if (conn_flight(c) == 0 && conn_unsent(c) == 0) {
        if (c->probes >= c->keep_count) {
            conn_end(c, ctx, EVENT_TIMEOUT_USER, -ESTAB_ETIMEDOUT);
            return true;
        }
        c->owed |= OWED_KEEPALIVE;
        c->probes++;
        ctx->counters->keepalives++;
        wait = (uint64_t)c->keep_interval_ms * 1000000;
    }
    c->deadline[ESTAB_TIMER_KEEPALIVE] = ctx->now + wait;
    c->timers_set = true;
    return false;
}

bool tcp_timeouts(struct tcp_conn *c, struct tcp_context *ctx)
{
    if (take(c, ctx, ESTAB_TIMER_USER)) { /* F-TMO-1 */
        ctx->counters->timeouts_user++;
        conn_end(c, ctx, EVENT_TIMEOUT_USER, -ESTAB_ETIMEDOUT);
        return false;
    }
    if (take(c, ctx, ESTAB_TIMER_FIN_WAIT_2)) {
        conn_end(c, ctx, EVENT_TIMEOUT_FIN, 0);
        return false;
    }
    if (take(c, ctx, ESTAB_TIMER_KEEPALIVE) && keepalive_timeout(c, ctx)) {
        return true;
    }
    if (take(c, ctx, ESTAB_TIMER_RETRANSMIT)) { /* F-TMO-2 */
        retransmission_timeout(c, ctx);
    }
    if (take(c, ctx, ESTAB_TIMER_PERSIST)) {
        persist_timeout(c, ctx);
    }
    if (take(c, ctx, ESTAB_TIMER_DELAYED_ACK)) {
        delayed_ack_timeout(c);
    }
    return false;
}
