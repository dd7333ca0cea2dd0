/*
 * The connection record: how it begins and ends, what follows from its variables, and what must always hold
 * of them (conn_check, F-INV-2 and F-INV-4 of the rule table).
 */
#include "tcp/conn.h"

#include "base/mem.h"
#include "tcp/mtu_probing.h"
#include "tcp/timers.h"

_Static_assert(sizeof(struct tcp_conn) <= 384, "an idle connection must stay small");

void conn_init(struct tcp_conn *c, const struct tcp_conn_defaults *defaults)
{
    memset(c, 0, sizeof *c);
    c->cc = defaults->cc;
    c->keep_idle_ms = (uint32_t)(defaults->keep_idle_ns / 1000000);
    c->keep_interval_ms = (uint32_t)(defaults->keep_interval_ns / 1000000);
    c->keep_count = defaults->keep_count;
    c->user_timeout_ms = defaults->user_timeout_ns >= ESTAB_INFINITE
                             ? UINT32_MAX
                             : (uint32_t)(defaults->user_timeout_ns / 1000000);
    c->rcv_limit = defaults->rcv_limit;
    c->snd_limit = defaults->snd_limit;
    c->offer_timestamps = defaults->timestamps;
    c->offer_window_scale = defaults->window_scale;
    c->offer_sack = defaults->sack;
    c->soft_errors = true;
    rtt_init(&c->rtt);
    for (unsigned i = 0; i < TCP_DEADLINES; i++) {
        c->deadline[i] = UINT64_MAX;
    }
    c->wake_ns = UINT64_MAX;
}

void conn_inherit(struct tcp_conn *c, const struct tcp_conn *listener)
{
    c->cc = listener->cc;
    c->nodelay = listener->nodelay;
    c->cork = listener->cork;
    c->keepalive = listener->keepalive;
    c->quick_ack = listener->quick_ack;
    c->soft_errors = listener->soft_errors;
    c->keep_idle_ms = listener->keep_idle_ms;
    c->keep_interval_ms = listener->keep_interval_ms;
    c->keep_count = listener->keep_count;
    c->user_timeout_ms = listener->user_timeout_ms;
    c->rcv_limit = listener->rcv_limit;
    c->snd_limit = listener->snd_limit;
}

void conn_free_queues(struct tcp_conn *c, struct pool *pool)
{
    send_queue_free(&c->snd, pool);
    recv_queue_free(&c->rcv, pool);
}

void conn_event(struct tcp_conn *c, struct tcp_context *ctx, enum tcp_event event)
{
    uint8_t before = c->state;
    unsigned arrow = transition(&c->state, event);
    if (trace_on(ctx->trace)) {
        struct estab_trace *record = trace_add(ctx->trace, ctx->now, ESTAB_TRACE_STATE);
        if (record != NULL) {
            record->state = before;
            record->state_after = c->state;
            record->transition = (uint16_t)arrow;
        }
    }
}

void conn_end(struct tcp_conn *c, struct tcp_context *ctx, enum tcp_event event, int error)
{
    conn_event(c, ctx, event);
    send_queue_free(&c->snd, ctx->pool);
    if (error != 0 || c->released) {
        recv_queue_free(&c->rcv, ctx->pool); /* after a normal end the user may still read */
    }
    tcp_timers_stop(c);
    c->owed = 0;
    c->error = (int16_t)error;
    c->events |= ESTAB_CLOSED_BIT | ESTAB_READABLE | (error != 0 ? ESTAB_ERROR : 0u);
}

uint32_t conn_snd_mss(const struct tcp_conn *c)
{
    uint32_t mss = c->peer_mss < c->path_mss ? c->peer_mss : c->path_mss;
    return mss - (c->timestamps ? 12u : 0u);
}

/* MAY-8, F-INV-6 */
tcp_seq conn_rcv_edge(const struct tcp_conn *c)
{
    uint32_t limit = c->window_scale || c->rcv_limit <= 65535 ? c->rcv_limit : 65535;
    uint32_t used = recv_queue_readable(&c->rcv);
    uint32_t room = c->shut_read ? limit : limit > used ? limit - used : 0;
    return seq_max(c->rcv_adv, seq_add(c->rcv_nxt, room));
}

/*
 * RFC 9293 3.8.6.2.2: the window opens by the smaller of half the buffer and a full segment, never by less.
 */
bool conn_window_update_due(const struct tcp_conn *c)
{
    uint32_t half = c->rcv_limit / 2;
    uint32_t least = half < c->adv_mss ? half : c->adv_mss;
    if (conn_rcv_most_gain(c) < least) {
        return false; /* after most reads: too little in any case */
    }
    uint32_t gain = seq_diff(conn_rcv_edge(c), c->rcv_adv);
    uint32_t mss = 2u * c->adv_mss; /* two segments: fewer updates, still no silly window */
    uint32_t wnd = conn_rcv_wnd(c);
    if (wnd < c->adv_mss) {
        mss = c->adv_mss;
    }
    if (gain < (half < mss ? half : mss)) {
        return false;
    }
    /* A peer that still has plenty of window learns of more with the next ACK. */
    return wnd < half || gain >= half;
}

/* F-INV-6 */
uint32_t conn_send_room(const struct tcp_conn *c)
{
    uint32_t queued = send_queue_length(&c->snd);
    return queued < c->snd_limit ? c->snd_limit - queued : 0;
}

bool conn_writable(const struct tcp_conn *c)
{
    return state_can_send(c->state) && !c->closing && conn_send_room(c) >= c->snd_limit / 4;
}

uint32_t conn_ready(const struct tcp_conn *c)
{
    uint32_t ready = 0;
    if (recv_queue_readable(&c->rcv) > 0 && c->established) {
        ready |= ESTAB_READABLE;
    }
    if (conn_writable(c)) {
        ready |= ESTAB_WRITABLE;
    }
    if (c->established) {
        ready |= ESTAB_CONNECTED;
    }
    if (state_peer_closed(c->state)) {
        ready |= ESTAB_PEER_CLOSED | ESTAB_READABLE;
    }
    if (c->state == ESTAB_CLOSED && (c->established || c->error != 0)) {
        ready |= ESTAB_CLOSED_BIT | ESTAB_READABLE;
    }
    if (c->error != 0) {
        ready |= ESTAB_ERROR;
    }
    if (c->rcv_urgent) {
        ready |= ESTAB_URGENT_MARK;
    }
    if (c->soft_error != 0) {
        ready |= ESTAB_SOFT_ERROR;
    }
    return ready;
}

static const char *check_send(const struct tcp_conn *c, const struct pool *pool)
{
    if (!send_queue_check(&c->snd, pool)) {
        return "the send queue is consistent";
    }
    if (!seq_leq(c->snd_una, c->snd_nxt)) {
        return "SND.UNA =< SND.NXT";
    }
    if (!seq_leq(c->snd_nxt, seq_add(c->snd.end, c->closing ? 1 : 0))) {
        return "SND.NXT does not pass what was queued";
    }
    if (conn_syn_acked(c) && !seq_eq(c->snd.begin, seq_min(c->snd_una, c->snd.end))) {
        return "the send queue begins at SND.UNA";
    }
    if (c->recovery.phase != RECOVERY_OPEN && !seq_leq(c->recovery.recover, c->snd_nxt)) {
        return "recovery ends at SND.NXT or before";
    }
    return mtu_probing_check(c);
}

static const char *check_receive(const struct tcp_conn *c, const struct pool *pool)
{
    if (!recv_queue_check(&c->rcv, pool)) {
        return "the receive queue is consistent";
    }
    if (!seq_leq(c->rcv_nxt, c->rcv_adv)) {
        return "RCV.NXT =< the announced right edge";
    }
    uint32_t fin = state_peer_closed(c->state) ? 1 : 0;
    if (!c->shut_read && !seq_eq(c->rcv_nxt, seq_add(c->rcv.end, fin))) {
        return "the receive queue ends at RCV.NXT";
    }
    return NULL;
}

/* Work that is pending always has a timer or is owed (F-INV-4). */
static const char *check_progress(const struct tcp_conn *c)
{
    bool outstanding = conn_flight(c) > 0;
    bool timer =
        c->deadline[ESTAB_TIMER_RETRANSMIT] != UINT64_MAX || c->deadline[ESTAB_TIMER_PERSIST] != UINT64_MAX;
    bool due = c->owed != 0 || c->recovery.front_due || c->recovery.phase != RECOVERY_OPEN;
    if (outstanding && !timer && !due) {
        return "unacknowledged data has a timer";
    }
    if ((c->owed & OWED_ACK_LATER) && c->deadline[ESTAB_TIMER_DELAYED_ACK] == UINT64_MAX) {
        return "a delayed ACK has a timer";
    }
    return NULL;
}

const char *conn_check(const struct tcp_conn *c, const struct pool *pool)
{
    if (c->state == ESTAB_CLOSED || c->state == ESTAB_LISTEN) {
        for (unsigned i = 0; i < TCP_DEADLINES; i++) {
            if (c->deadline[i] != UINT64_MAX) {
                return "no timer runs in CLOSED and LISTEN";
            }
        }
        return NULL;
    }
    const char *wrong = check_send(c, pool);
    if (wrong == NULL && c->state != ESTAB_SYN_SENT && c->state != ESTAB_TIME_WAIT) {
        wrong = check_receive(c, pool);
    }
    return wrong == NULL && c->state != ESTAB_TIME_WAIT ? check_progress(c) : wrong;
}
