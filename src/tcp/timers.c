/* When the timers of a connection run; see timers.h. What they do when they fire is timeouts.c. */
#include "tcp/timers.h"

static void stop(struct tcp_conn *c, enum estab_timer timer)
{
    c->deadline[timer] = UINT64_MAX;
}

static void set(struct tcp_conn *c, enum estab_timer timer, uint64_t deadline_ns)
{
    c->deadline[timer] = deadline_ns;
    /*
     * A deadline put off leaves the stack's entry where it is: one look too early costs less than moving it
     * at each ACK.
     */
    if (deadline_ns < c->wake_ns) {
        c->wake_ns = deadline_ns;
        c->timers_set = true;
    }
}

static uint64_t rto(const struct tcp_conn *c, const struct tcp_context *ctx)
{
    return rtt_rto_ns(&c->rtt, &ctx->limits->rtt);
}

static inline uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t tcp_timers_next(const struct tcp_conn *c)
{
    _Static_assert(TCP_DEADLINES == 6, "all of them");
    const uint64_t *d = c->deadline;
    return earlier(earlier(earlier(d[0], d[1]), earlier(d[2], d[3])), earlier(d[4], d[5]));
}

void tcp_timers_stop(struct tcp_conn *c)
{
    for (unsigned i = 0; i < TCP_DEADLINES; i++) {
        c->deadline[i] = UINT64_MAX;
    }
}

/*
 * R2 (RFC 9293 3.8.3): counted from the oldest progress while anything is outstanding or waits for a window.
 */
static void restart_user_timeout(struct tcp_conn *c, const struct tcp_context *ctx)
{
    if (c->user_timeout_ms == UINT32_MAX) {
        stop(c, ESTAB_TIMER_USER);
    } else {
        set(c, ESTAB_TIMER_USER, ctx->now + (uint64_t)c->user_timeout_ms * 1000000);
    }
}

void tcp_timers_on_open(struct tcp_conn *c, const struct tcp_context *ctx)
{
    uint64_t timeout = ctx->limits->syn_timeout_ns;
    if (timeout < ESTAB_INFINITE) {
        set(c, ESTAB_TIMER_USER, ctx->now + timeout);
    }
}

static void restart_keepalive(struct tcp_conn *c, const struct tcp_context *ctx)
{
    bool may = c->keepalive && state_is_synchronized(c->state) && c->state != ESTAB_TIME_WAIT;
    set(c, ESTAB_TIMER_KEEPALIVE, may ? ctx->now + (uint64_t)c->keep_idle_ms * 1000000 : UINT64_MAX);
}

void tcp_timers_on_established(struct tcp_conn *c, const struct tcp_context *ctx)
{
    stop(c, ESTAB_TIMER_USER);
    if (conn_flight(c) > 0) {
        restart_user_timeout(c, ctx);
    }
    restart_keepalive(c, ctx);
}

void tcp_timers_on_sent(struct tcp_conn *c, const struct tcp_context *ctx)
{
    if (c->snd_wnd > 0 || !conn_syn_acked(c)) {
        stop(c, ESTAB_TIMER_PERSIST);
    }
    if (!tcp_timer_runs(c, ESTAB_TIMER_RETRANSMIT) && !tcp_timer_runs(c, ESTAB_TIMER_PERSIST)) {
        set(c, ESTAB_TIMER_RETRANSMIT, ctx->now + rto(c, ctx)); /* RFC 6298 5.1, R6298-09, R6298-10 */
    }
    if (!tcp_timer_runs(c, ESTAB_TIMER_USER)) {
        restart_user_timeout(c, ctx);
    }
}

void tcp_timers_on_blocked(struct tcp_conn *c, const struct tcp_context *ctx)
{
    tcp_timers_on_sent(c, ctx);
}

/* Text, or the FIN, that was not sent yet. */
static bool waits_to_be_sent(const struct tcp_conn *c)
{
    return conn_has_unsent(c) || (c->closing && !conn_fin_sent(c));
}

/* Nothing is outstanding, nothing waits: no probe, and no R2. */
static void stop_waiting(struct tcp_conn *c)
{
    stop(c, ESTAB_TIMER_PERSIST);
    stop(c, ESTAB_TIMER_USER);
    c->probes = 0;
}

void tcp_timers_on_ack_advanced(struct tcp_conn *c, const struct tcp_context *ctx)
{
    c->retransmits = 0; /* but the backoff stays until a new sample (RFC 6298 5, Karn) */
    if (conn_flight(c) == 0) {
        stop(c, ESTAB_TIMER_RETRANSMIT); /* RFC 6298 5.2 */
        if (tcp_timer_runs(c, ESTAB_TIMER_PERSIST) && waits_to_be_sent(c)) {
            restart_user_timeout(c, ctx); /* what waits for a window has its R2 too */
        } else {
            stop_waiting(c);
        }
        return;
    }
    restart_user_timeout(c, ctx);
    if (c->recovery.phase == RECOVERY_FAST) {
        if (c->recovery.partial_seen) {
            return; /* RFC 6582 4: only the first partial ACK restarts it */
        }
        c->recovery.partial_seen = true;
    }
    if (tcp_timer_runs(c, ESTAB_TIMER_RETRANSMIT)) {
        set(c, ESTAB_TIMER_RETRANSMIT, ctx->now + rto(c, ctx)); /* RFC 6298 5.3 */
    }
}

void tcp_timers_on_window(struct tcp_conn *c, const struct tcp_context *ctx)
{
    if (!state_is_synchronized(c->state)) {
        return;
    }
    if (conn_flight(c) == 0 && !waits_to_be_sent(c)) {
        stop_waiting(c);
        return;
    }
    if (c->snd_wnd == 0) {
        /* RFC 9293 3.8.6.1 (MUST-37, SHLD-17): while the peer answers, the connection lives. */
        stop(c, ESTAB_TIMER_RETRANSMIT);
        restart_user_timeout(c, ctx);
        if (!tcp_timer_runs(c, ESTAB_TIMER_PERSIST)) {
            set(c, ESTAB_TIMER_PERSIST, ctx->now + rto(c, ctx)); /* SHLD-29 */
        }
        return;
    }
    c->probes = 0;
    if (tcp_timer_runs(c, ESTAB_TIMER_PERSIST)) {
        stop(c, ESTAB_TIMER_PERSIST);
        c->rtt.backoff = 0;
        if (conn_flight(c) > 0) {
            set(c, ESTAB_TIMER_RETRANSMIT, ctx->now + rto(c, ctx));
        } else {
            stop(c, ESTAB_TIMER_USER);
        }
    }
}

void tcp_timers_on_held_back(struct tcp_conn *c, const struct tcp_context *ctx)
{
    if (conn_flight(c) == 0 && !tcp_timer_runs(c, ESTAB_TIMER_PERSIST)) {
        set(c, ESTAB_TIMER_PERSIST, ctx->now + rto(c, ctx));
        if (c->snd_wnd == 0 && !tcp_timer_runs(c, ESTAB_TIMER_USER)) {
            restart_user_timeout(c, ctx);
        }
    }
}

void tcp_timers_on_ack_owed(struct tcp_conn *c, const struct tcp_context *ctx)
{
    if (!tcp_timer_runs(c, ESTAB_TIMER_DELAYED_ACK)) {
        set(c, ESTAB_TIMER_DELAYED_ACK, ctx->now + ctx->limits->delayed_ack_ns); /* SHLD-18 */
    }
}

void tcp_timers_on_ack_sent(struct tcp_conn *c)
{
    stop(c, ESTAB_TIMER_DELAYED_ACK);
}

void tcp_timers_on_received(struct tcp_conn *c, const struct tcp_context *ctx)
{
    if (c->keepalive) {
        c->probes = c->snd_wnd == 0 ? c->probes : 0;
        restart_keepalive(c, ctx);
    }
}

void tcp_timers_on_options(struct tcp_conn *c, const struct tcp_context *ctx)
{
    restart_keepalive(c, ctx);
    if (tcp_timer_runs(c, ESTAB_TIMER_USER) && state_is_synchronized(c->state)) {
        restart_user_timeout(c, ctx);
    }
}

/* DEVIATION from RFC 9293 3.6.1, as elsewhere: nobody is left who could read until the FIN comes. */
void tcp_timers_on_fin_wait_2(struct tcp_conn *c, const struct tcp_context *ctx)
{
    uint64_t wait = ctx->limits->fin_wait_2_ns;
    if (c->state == ESTAB_FIN_WAIT_2 && c->released && wait < ESTAB_INFINITE) {
        set(c, ESTAB_TIMER_FIN_WAIT_2, ctx->now + wait);
    }
}

void tcp_timers_on_retransmit(struct tcp_conn *c, const struct tcp_context *ctx)
{
    rtt_back_off(&c->rtt); /* RFC 6298 5.5 */
    set(c, ESTAB_TIMER_RETRANSMIT, ctx->now + rto(c, ctx));
}

void tcp_timers_on_probe(struct tcp_conn *c, const struct tcp_context *ctx)
{
    rtt_back_off(&c->rtt); /* RFC 9293 3.8.6.1, SHLD-30 */
    set(c, ESTAB_TIMER_PERSIST, ctx->now + rto(c, ctx));
    if (!tcp_timer_runs(c, ESTAB_TIMER_USER)) {
        restart_user_timeout(c, ctx);
    }
}
