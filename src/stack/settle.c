/*
 * What follows for the stack after a connection was touched. tcp/ only changes the connection; here, and only
 * here, its news become events, its debts output, its deadlines the stack's, and its end a TIME-WAIT record
 * or a free place.
 */
#include "base/assert.h"
#include "stack/stack.h"
#include "tcp/recovery.h"
#include "tcp/timers.h"
#include "tcp/user_calls.h"

void conn_trace_identity(struct estab_stack *stack, const struct conn *conn)
{
    stack->trace.who = (struct trace_identity){
        .conn = conn_handle(stack, conn),
        .local = addr_of(&conn->local, conn->local_port, conn->scope),
        .remote = addr_of(&conn->remote, conn->listening ? 0 : conn->remote_port, conn->scope),
    };
}

bool conn_may_have_output(const struct tcp_conn *c)
{
    if (c->state == ESTAB_CLOSED || c->state == ESTAB_LISTEN || c->state == ESTAB_TIME_WAIT) {
        return false;
    }
    return (c->owed & ~OWED_ACK_LATER) != 0 || conn_has_unsent(c) || c->recovery.phase != RECOVERY_OPEN ||
           (c->closing && !conn_fin_sent(c));
}

void conn_settle_timers(struct estab_stack *stack, struct conn *conn)
{
    if (conn->tcp.timers_set) {
        conn->tcp.timers_set = false;
        conn_set_timer(stack, conn, conn->tcp.wake_ns);
    }
}

void conn_set_timer(struct estab_stack *stack, struct conn *conn, uint64_t deadline_ns)
{
    conn->tcp.wake_ns = deadline_ns;
    timers_set(&stack->timers, conn_index(stack, conn), deadline_ns);
}

static void forget_parent(struct estab_stack *stack, struct conn *conn)
{
    if (!conn->has_parent) {
        return;
    }
    struct conn *listener = &stack->conns[conn->partner];
    if (conn->in_queue) {
        waiting_remove(stack, listener, conn);
    } else {
        listener->listener.half_open--;
        stack->early_count--;
    }
    conn->has_parent = false;
}

/* CLOSED: nothing is left on the wire. The record stays while its user may still look at it. */
static void settle_closed(struct estab_stack *stack, struct conn *conn)
{
    bool unaccepted = conn->has_parent;
    conn->spent = true;
    forget_parent(stack, conn);
    conn_leave_table(stack, conn);
    port_unbind(stack, conn);
    conn_set_timer(stack, conn, TIMERS_NEVER);
    if (conn->tcp.released || unaccepted) {
        conn_delete(stack, conn);
    }
}

/*
 * Back in LISTEN (Figure 5, note 1): a listener's child gives its place back, a passive OPEN waits for the
 * next SYN.
 */
static void settle_listen(struct estab_stack *stack, struct conn *conn)
{
    if (conn->has_parent || conn->tcp.released) {
        forget_parent(stack, conn);
        conn_delete(stack, conn);
        return;
    }
    if (!conn->named_remote && conn->remote_port != 0) {
        conn_leave_table(stack, conn);
        conn->remote = (struct ip_addr){{0}};
        conn->remote_port = 0;
        conn->local = conn_bound_address(conn);
        conn_enter_table(stack, conn);
    }
    conn_set_timer(stack, conn, TIMERS_NEVER);
}

static void settle_events(struct estab_stack *stack, struct conn *conn)
{
    if (conn->tcp.events != 0 && !conn->in_ready && !conn->tcp.released && !conn->has_parent) {
        queue_ready(stack, conn);
    }
}

/* What a connection that lives may have for its user, the driver and the timers. */
static inline void settle_news(struct estab_stack *stack, struct conn *conn)
{
    settle_events(stack, conn);
    conn_settle_timers(stack, conn);
    if (!conn->in_output && conn_may_have_output(&conn->tcp)) {
        queue_output(stack, conn);
    }
}

/* Every state but ESTABLISHED, and what a listener has not handed over yet. */
__attribute__((noinline)) static void settle_other(struct estab_stack *stack, struct conn *conn)
{
    const struct tcp_conn *c = &conn->tcp;
    if (conn->orphan) {
        orphan_moved(stack, conn);
    }
    if (conn->has_parent && !conn->in_queue && state_is_synchronized(c->state)) {
        child_established(stack, conn);
    }
    if (c->state == ESTAB_TIME_WAIT && !conn->has_record) {
        time_wait_take_over(stack, conn);
        if (!conn->in_use) {
            return;
        }
    }
    if (c->state != ESTAB_CLOSED && c->state != ESTAB_LISTEN) {
        settle_news(stack, conn);
        return;
    }
    settle_events(stack, conn);
    if (c->state == ESTAB_CLOSED && conn->in_table) {
        settle_closed(stack, conn);
    } else if (c->state == ESTAB_LISTEN && !conn->listening && (conn->remote_port != 0 || conn->has_parent)) {
        settle_listen(stack, conn);
    }
}

void conn_settle(struct estab_stack *stack, struct conn *conn)
{
    if (conn->tcp.state == ESTAB_ESTABLISHED && !conn->has_parent) {
        settle_news(stack, conn);
    } else {
        settle_other(stack, conn);
    }
}

void conn_send_reset(struct estab_stack *stack, const struct conn *conn, uint8_t state_before)
{
    struct reply reply = {.conn = conn->in_use ? conn_handle(stack, conn) : 0,
                          .state_before = state_before,
                          .state_after = ESTAB_CLOSED};
    struct flow_key key = {conn->local, conn->remote, conn->local_port, conn->remote_port};
    tcp_reset_of(&conn->tcp, stack->tcp.now, &reply.tcp);
    reply.interface = conn->path.interface;
    reply.traffic_class = (uint8_t)(conn->dscp << 2);
    reply.hop_limit = conn->hop_limit;
    stack->counters.resets_out++;
    reply_add(stack, &key, &reply);
}

void conn_abort(struct estab_stack *stack, struct conn *conn, int error)
{
    uint8_t before = conn->tcp.state;
    if (tcp_abort_resets(&conn->tcp)) {
        conn_send_reset(stack, conn, before);
    }
    /* DEVIATION from RFC 9293 3.10.5: TIME-WAIT lasts its 2 MSL (MUST-13), whoever gives up the handle. */
    if (before != ESTAB_TIME_WAIT) {
        tcp_abort(&conn->tcp, &stack->tcp, error);
    }
}

/* Keep-alive has given the peer up: it is told, should it still live. */
void conn_reset_peer(struct estab_stack *stack, struct conn *conn)
{
    conn_send_reset(stack, conn, ESTAB_ESTABLISHED);
}

void conn_release(struct estab_stack *stack, struct conn *conn)
{
    struct tcp_conn *c = &conn->tcp;
    c->released = true;
    c->shut_read = true;
    recv_queue_consume(&c->rcv, &stack->pool, recv_queue_readable(&c->rcv));
    if (conn->has_record) {
        stack->time_waits[conn->partner].holder = NONE;
        conn_delete(stack, conn);
        return;
    }
    if (c->state == ESTAB_CLOSED) {
        conn_delete(stack, conn);
        return;
    }
    tcp_timers_on_fin_wait_2(c, &stack->tcp);
    orphan_add(stack, conn);
    conn_settle(stack, conn);
    orphans_cap(stack);
}
