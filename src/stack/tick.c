/*
 * Time: the deadlines of connections, TIME-WAIT records and the IP layer, a bounded number in each call
 * (V-51).
 */
#include "stack/stack.h"
#include "tcp/timeouts.h"
#include "tcp/timers.h"

#define MAX_CONNECTIONS_A_CALL 64
#define MAX_TIME_WAITS_A_CALL 256

static void conn_due(struct estab_stack *stack, uint32_t index, uint64_t now)
{
    struct conn *conn = &stack->conns[index];
    uint64_t due = tcp_timers_next(&conn->tcp);
    if (due > now) { /* put off since: see conn_settle_timers() */
        conn_set_timer(stack, conn, due);
        return;
    }
    bool gave_up = tcp_timeouts(&conn->tcp, conn_context(stack, conn, now));
    if (gave_up) {
        conn_reset_peer(stack, conn);
    }
    conn_set_timer(stack, conn, tcp_timers_next(&conn->tcp)); /* NEVER removes it */
    conn_settle(stack, conn);
}

bool estab_tick(estab_stack *stack, uint64_t now)
{
    stack->tcp.now = now;
    ip_tick(stack->ip, now);
    if (ip_take_settled(stack->ip)) {
        unpark_all(stack);
    }
    for (unsigned n = 0; n < MAX_CONNECTIONS_A_CALL; n++) {
        const struct timers_entry *top = timers_top(&stack->timers);
        if (top == NULL || top->deadline_ns > now) {
            break;
        }
        conn_due(stack, top->id, now);
    }
    bool more = shed_tick(stack);
    wake_starved(stack);
    more = time_waits_tick(stack, now, MAX_TIME_WAITS_A_CALL) || more;
    more = half_opens_tick(stack) || more;
    const struct timers_entry *top = timers_top(&stack->timers);
    return more || (top != NULL && top->deadline_ns <= now);
}

uint64_t estab_next_deadline(estab_stack *stack)
{
    uint64_t next = ip_next_deadline(stack->ip);
    uint64_t time_wait = time_waits_deadline(stack);
    next = time_wait < next ? time_wait : next;
    uint64_t half_open = half_opens_deadline(stack);
    next = half_open < next ? half_open : next;
    uint64_t shed = shed_deadline(stack);
    next = shed < next ? shed : next;
    const struct timers_entry *top;
    while ((top = timers_top(&stack->timers)) != NULL) {
        struct conn *conn = &stack->conns[top->id];
        uint64_t due = tcp_timers_next(&conn->tcp);
        if (due == top->deadline_ns) {
            return due < next ? due : next;
        }
        conn_set_timer(stack, conn, due); /* NEVER removes it */
    }
    return next;
}
