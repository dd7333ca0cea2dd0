/* See user_calls.h. RFC 9293 3.10.2 to 3.10.5, a function a call; each state's answer is the section's. */
#include "tcp/user_calls.h"

#include "tcp/recovery.h"
#include "tcp/timers.h"

/* ---- SEND ---- */

static int take_error(struct tcp_conn *c, int otherwise)
{
    int error = c->error;
    c->error = 0;
    return error != 0 ? error : otherwise;
}

int tcp_may_send(struct tcp_conn *c)
{
    switch (c->state) {
    case ESTAB_CLOSED:
        return take_error(c, c->established ? -ESTAB_EPIPE : -ESTAB_ENOTCONN);
    case ESTAB_LISTEN:
        return -ESTAB_ENOTCONN;
    case ESTAB_SYN_SENT:
    case ESTAB_SYN_RECEIVED:
    case ESTAB_ESTABLISHED:
    case ESTAB_CLOSE_WAIT:
        return c->closing ? -ESTAB_EPIPE : 0;
    default:
        return -ESTAB_EPIPE;
    }
}

/* R5681-20: after an idle time longer than the RTO the window is the initial one again. */
static void restart_after_idle(struct tcp_conn *c, const struct tcp_context *ctx)
{
    uint64_t idle = (uint64_t)(conn_clock(ctx->now) - c->last_sent) << 20;
    if (conn_flight(c) > 0 || idle <= ctx->limits->rtt.min_rto_ns) {
        return; /* no timeout is shorter */
    }
    if (idle > rtt_rto_ns(&c->rtt, &ctx->limits->rtt)) {
        uint32_t restart = ctx->limits->initial_window * conn_snd_mss(c);
        c->cwnd = c->cwnd < restart ? c->cwnd : restart;
    }
}

void tcp_want_write(struct tcp_conn *c, const struct tcp_context *ctx)
{
    if (!conn_waits_for_peer(c)) {
        conn_note_progress(c, ctx->now); /* from now on it may stall */
    }
    c->want_write = true;
}

void tcp_sent_by_user(struct tcp_conn *c, const struct tcp_context *ctx, unsigned flags, bool short_of_room)
{
    if (c->established) {
        restart_after_idle(c, ctx);
    }
    c->more = (flags & ESTAB_MORE) != 0;
    if (flags & ESTAB_URGENT) {
        c->snd_urgent = true;
        c->snd_up = c->snd.end;
    }
    if (short_of_room) {
        tcp_want_write(c, ctx);
    }
}

ptrdiff_t tcp_send(struct tcp_conn *c, const struct tcp_context *ctx, const struct slice *slice,
                   unsigned flags)
{
    uint32_t room = conn_send_room(c);
    uint32_t length = slice->length < room ? (uint32_t)slice->length : room;
    uint32_t written = length > 0 ? send_queue_write(&c->snd, ctx->pool, slice->data, length) : 0;
    bool all = written == slice->length;
    tcp_sent_by_user(c, ctx, all ? flags : flags & ~(unsigned)ESTAB_URGENT, !all);
    return written == 0 && !all ? -ESTAB_EAGAIN : (ptrdiff_t)written;
}

/* ---- RECEIVE ---- */

int tcp_may_receive(struct tcp_conn *c)
{
    if (c->established && recv_queue_readable(&c->rcv) > 0) {
        return 1;
    }
    if (state_peer_closed(c->state) || (c->shut_read && c->state != ESTAB_CLOSED)) {
        return 0;
    }
    if (c->state == ESTAB_CLOSED) {
        return take_error(c, c->established ? 0 : -ESTAB_ENOTCONN);
    }
    return c->state == ESTAB_LISTEN ? -ESTAB_ENOTCONN : -ESTAB_EAGAIN;
}

void tcp_consume(struct tcp_conn *c, const struct tcp_context *ctx, uint32_t length)
{
    recv_queue_consume(&c->rcv, ctx->pool, length);
    if (state_can_receive(c->state) && conn_window_update_due(c)) {
        c->owed |= OWED_WINDOW;
    }
    if (c->rcv_urgent && seq_geq(c->rcv.begin, c->rcv_up)) {
        c->rcv_urgent = false;
    }
}

/* ---- CLOSE ---- */

/* MAY-1 */
int tcp_close(struct tcp_conn *c, struct tcp_context *ctx)
{
    switch (c->state) {
    case ESTAB_CLOSED:
        return -ESTAB_ENOTCONN;
    case ESTAB_LISTEN:
    case ESTAB_SYN_SENT:
        conn_end(c, ctx, EVENT_CLOSE, 0);
        return 0;
    case ESTAB_SYN_RECEIVED:
        if (c->closing) {
            return -ESTAB_EPIPE;
        }
        c->closing = true;
        if (send_queue_length(&c->snd) == 0) {
            conn_event(c, ctx, EVENT_CLOSE);
        }
        return 0;
    case ESTAB_ESTABLISHED:
    case ESTAB_CLOSE_WAIT:
        c->closing = true;
        c->more = false;
        conn_event(c, ctx, EVENT_CLOSE);
        if (c->snd_wnd == 0) {
            tcp_timers_on_window(c, ctx);
        }
        return 0;
    default:
        return -ESTAB_EPIPE;
    }
}

/* ---- ABORT ---- */

bool tcp_abort_resets(const struct tcp_conn *c)
{
    switch (c->state) {
    case ESTAB_SYN_RECEIVED:
    case ESTAB_ESTABLISHED:
    case ESTAB_FIN_WAIT_1:
    case ESTAB_FIN_WAIT_2:
    case ESTAB_CLOSE_WAIT:
        return true;
    default:
        return false;
    }
}

/* U-9 */
void tcp_abort(struct tcp_conn *c, struct tcp_context *ctx, int error)
{
    if (c->state != ESTAB_CLOSED) {
        conn_end(c, ctx, EVENT_ABORT, error);
    }
}

/* ---- options ---- */

static int set_flag_option(struct tcp_conn *c, enum estab_option option, bool on)
{
    switch (option) {
    case ESTAB_OPTION_NODELAY:
        c->nodelay = on;
        return 0;
    case ESTAB_OPTION_CORK:
        c->cork = on;
        c->owed |= !on && conn_unsent(c) > 0 && state_can_send(c->state) ? OWED_OVERRIDE : 0;
        return 0;
    case ESTAB_OPTION_KEEPALIVE:
        c->keepalive = on;
        return 0;
    case ESTAB_OPTION_QUICK_ACK:
        c->quick_ack = on;
        return 0;
    case ESTAB_OPTION_SOFT_ERRORS:
        c->soft_errors = on;
        return 0;
    default:
        return -ESTAB_EOPNOTSUPP;
    }
}

static int set_time_option(struct tcp_conn *c, enum estab_option option, uint64_t ns)
{
    uint64_t ms = ns / 1000000;
    bool infinite = ns == ESTAB_INFINITE;
    if (ms == 0 || (ms >= UINT32_MAX && !infinite)) {
        return -ESTAB_EINVAL;
    }
    switch (option) {
    case ESTAB_OPTION_KEEP_IDLE:
        c->keep_idle_ms = infinite ? UINT32_MAX : (uint32_t)ms;
        return 0;
    case ESTAB_OPTION_KEEP_INTERVAL:
        c->keep_interval_ms = infinite ? UINT32_MAX : (uint32_t)ms;
        return 0;
    default:
        c->user_timeout_ms = infinite ? UINT32_MAX : (uint32_t)ms;
        return 0;
    }
}

static int set_size_option(struct tcp_conn *c, enum estab_option option, uint64_t bytes)
{
    if (bytes < 1 || bytes > (1u << 30)) {
        return -ESTAB_EINVAL; /* RFC 7323 2.3: a window is at most 2^30 */
    }
    if (option == ESTAB_OPTION_RECEIVE_BUFFER) {
        c->rcv_limit = (uint32_t)bytes;
    } else {
        c->snd_limit = (uint32_t)bytes;
    }
    return 0;
}

int tcp_set_option(struct tcp_conn *c, struct tcp_context *ctx, enum estab_option option, uint64_t value)
{
    int error;
    switch (option) {
    case ESTAB_OPTION_KEEP_IDLE:
    case ESTAB_OPTION_KEEP_INTERVAL:
    case ESTAB_OPTION_USER_TIMEOUT:
        error = set_time_option(c, option, value);
        break;
    case ESTAB_OPTION_KEEP_COUNT:
        error = value < 2 || value > 255 ? -ESTAB_EINVAL : 0; /* MUST-29 */
        c->keep_count = error == 0 ? (uint8_t)value : c->keep_count;
        break;
    case ESTAB_OPTION_RECEIVE_BUFFER:
    case ESTAB_OPTION_SEND_BUFFER:
        error = set_size_option(c, option, value);
        break;
    default:
        error = value > 1 ? -ESTAB_EINVAL : set_flag_option(c, option, value == 1);
        break;
    }
    if (error == 0) {
        tcp_timers_on_options(c, ctx);
    }
    return error;
}

static uint64_t time_value(uint32_t ms)
{
    return ms == UINT32_MAX ? ESTAB_INFINITE : (uint64_t)ms * 1000000;
}

int tcp_get_option(const struct tcp_conn *c, enum estab_option option, uint64_t *value)
{
    switch (option) {
    case ESTAB_OPTION_NODELAY:
        *value = c->nodelay;
        return 0;
    case ESTAB_OPTION_CORK:
        *value = c->cork;
        return 0;
    case ESTAB_OPTION_KEEPALIVE:
        *value = c->keepalive;
        return 0;
    case ESTAB_OPTION_KEEP_IDLE:
        *value = time_value(c->keep_idle_ms);
        return 0;
    case ESTAB_OPTION_KEEP_INTERVAL:
        *value = time_value(c->keep_interval_ms);
        return 0;
    case ESTAB_OPTION_KEEP_COUNT:
        *value = c->keep_count;
        return 0;
    case ESTAB_OPTION_USER_TIMEOUT:
        *value = time_value(c->user_timeout_ms);
        return 0;
    case ESTAB_OPTION_RECEIVE_BUFFER:
        *value = c->rcv_limit;
        return 0;
    case ESTAB_OPTION_SEND_BUFFER:
        *value = c->snd_limit;
        return 0;
    case ESTAB_OPTION_QUICK_ACK:
        *value = c->quick_ack;
        return 0;
    case ESTAB_OPTION_SOFT_ERRORS:
        *value = c->soft_errors;
        return 0;
    default:
        return -ESTAB_EOPNOTSUPP;
    }
}
