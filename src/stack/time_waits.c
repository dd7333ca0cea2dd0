/*
 * The TIME-WAIT records: small, found by the same table as connections, and in the order of their ends, which
 * is the order in which they were made or restarted. When there is no room the oldest is let go and counted.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "stack/stack.h"

_Static_assert(sizeof(struct time_wait) + 12 <= 96,
               "a TIME-WAIT costs at most 96 bytes with its table entry");

void time_waits_init(struct estab_stack *stack)
{
    stack->time_wait_first = stack->time_wait_last = NONE;
}

static struct flow_key key_of(const struct time_wait *tw)
{
    return (struct flow_key){tw->local, tw->remote, tw->local_port, tw->remote_port};
}

static void append(struct estab_stack *stack, uint32_t index)
{
    struct time_wait *tw = &stack->time_waits[index];
    tw->next = NONE;
    tw->previous = stack->time_wait_last;
    if (tw->previous == NONE) {
        stack->time_wait_first = index;
    } else {
        stack->time_waits[tw->previous].next = index;
    }
    stack->time_wait_last = index;
    tw->deadline_ns = stack->tcp.now + 2 * stack->settings.msl_ns; /* MUST-13 */
}

static void unlink_record(struct estab_stack *stack, const struct time_wait *tw)
{
    if (tw->previous == NONE) {
        stack->time_wait_first = tw->next;
    } else {
        stack->time_waits[tw->previous].next = tw->next;
    }
    if (tw->next == NONE) {
        stack->time_wait_last = tw->previous;
    } else {
        stack->time_waits[tw->next].previous = tw->previous;
    }
}

/* DEVIATION from MUST-13: when all are in use the oldest gives way. */
static uint32_t take_record(struct estab_stack *stack)
{
    if (stack->time_wait_free == NONE && stack->time_wait_fresh == stack->settings.max_time_wait) {
        stack->counters.time_wait_dropped++;
        time_wait_end(stack, stack->time_wait_first, EVENT_RELEASED);
    }
    uint32_t index = stack->time_wait_free;
    if (index != NONE) {
        stack->time_wait_free = stack->time_waits[index].next;
    } else {
        index = stack->time_wait_fresh++;
    }
    stack->time_wait_count++;
    return index;
}

static void trace_transition(struct estab_stack *stack, const struct time_wait *tw, unsigned arrow)
{
    if (!trace_on(&stack->trace)) {
        return;
    }
    stack->trace.who = (struct trace_identity){
        .conn = tw->holder == NONE ? 0 : conn_handle(stack, &stack->conns[tw->holder]),
        .local = addr_of(&tw->local, tw->local_port, 0),
        .remote = addr_of(&tw->remote, tw->remote_port, 0),
    };
    struct estab_trace *record = trace_add(&stack->trace, stack->tcp.now, ESTAB_TRACE_STATE);
    if (record != NULL) {
        record->state = ESTAB_TIME_WAIT;
        record->state_after = tw->tcp.state;
        record->transition = (uint16_t)arrow;
    }
}

static void send_ack(struct estab_stack *stack, const struct time_wait *tw)
{
    struct reply reply = {.state_before = ESTAB_TIME_WAIT, .state_after = ESTAB_TIME_WAIT};
    struct flow_key key = key_of(tw);
    tcp_time_wait_ack(&tw->tcp, stack->tcp.now, &reply.tcp);
    reply.traffic_class = tw->tcp.traffic_class;
    reply.interface = tw->tcp.interface;
    reply_add(stack, &key, &reply);
}

/*
 * The connection has entered TIME-WAIT: its record keeps what the protocol needs, the rest goes, or stays
 * with a user who still holds it.
 */
void time_wait_take_over(struct estab_stack *stack, struct conn *conn)
{
    bool ack_owed = (conn->tcp.owed & OWED_ACK) != 0;
    conn_leave_table(stack, conn);
    uint32_t index = take_record(stack);
    struct time_wait *tw = &stack->time_waits[index];
    tw->local = conn->local;
    tw->remote = conn->remote;
    tw->local_port = conn->local_port;
    tw->remote_port = conn->remote_port;
    tw->holder = conn->tcp.released ? NONE : conn_index(stack, conn);
    tcp_time_wait_enter(&tw->tcp, &conn->tcp);
    tw->tcp.traffic_class = (uint8_t)(conn->dscp << 2);
    tw->tcp.interface = conn->path.interface;
    append(stack, index);
    struct flow_key key = key_of(tw);
    table_insert(&stack->table, flow_hash(stack, &key), index | TIME_WAIT_ID);
    port_unbind(stack, conn);
    stack->counters.time_wait_entered++;
    if (ack_owed) {
        send_ack(stack, tw);
    }
    conn->tcp.owed = 0;
    for (unsigned i = 0; i < TCP_DEADLINES; i++) {
        conn->tcp.deadline[i] = UINT64_MAX;
    }
    conn_set_timer(stack, conn, TIMERS_NEVER);
    if (conn->tcp.released) {
        conn_delete(stack, conn);
        return;
    }
    conn->has_record = true;
    conn->partner = index;
}

void time_wait_end(struct estab_stack *stack, uint32_t index, enum tcp_event event)
{
    struct time_wait *tw = &stack->time_waits[index];
    unsigned arrow = transition(&tw->tcp.state, event);
    trace_transition(stack, tw, arrow);
    if (tw->holder != NONE) { /* its user learns of the end by the same arrow */
        struct conn *conn = &stack->conns[tw->holder];
        transition(&conn->tcp.state, event);
        conn->has_record = false;
        conn->tcp.events |= ESTAB_CLOSED_BIT;
        queue_ready(stack, conn);
    }
    struct flow_key key = key_of(tw);
    table_remove(&stack->table, flow_hash(stack, &key), index | TIME_WAIT_ID);
    unlink_record(stack, tw);
    tw->next = stack->time_wait_free;
    stack->time_wait_free = index;
    stack->time_wait_count--;
}

static void restart(struct estab_stack *stack, uint32_t index)
{
    struct time_wait *tw = &stack->time_waits[index];
    unsigned arrow = transition(&tw->tcp.state, EVENT_RCV_FIN);
    trace_transition(stack, tw, arrow);
    unlink_record(stack, tw);
    append(stack, index);
}

/*
 * RFC 6191: the SYN opens a new connection where somebody listens; its ISS lies beyond what the old one sent.
 */
static void reuse(struct estab_stack *stack, uint32_t index, struct arrival *arrival)
{
    struct conn *listener = listener_find(stack, &arrival->key);
    if (listener == NULL) { /* in this state a SYN that opens nothing gets an ACK, never a RST (3.5.2) */
        struct time_wait *tw = &stack->time_waits[index];
        arrival->packet->reason = ESTAB_DROP_SYN_CHALLENGED;
        if (tcp_time_wait_limited_ack(&tw->tcp, &stack->tcp) == TIME_WAIT_ACK) {
            send_ack(stack, tw);
        }
        return;
    }
    arrival->iss_after = stack->time_waits[index].tcp.snd_nxt;
    arrival->reuses = true;
    time_wait_end(stack, index, EVENT_REUSED);
    stack->counters.time_wait_reused++;
    listener_segment(stack, listener, arrival);
}

void time_wait_segment(struct estab_stack *stack, uint32_t index, struct arrival *arrival)
{
    struct time_wait *tw = &stack->time_waits[index];
    enum estab_drop drop;
    arrival->packet->state_before = arrival->packet->state_after = ESTAB_TIME_WAIT;
    enum time_wait_answer answer = tcp_time_wait_segment(&tw->tcp, &stack->tcp, arrival->seg, &drop);
    if (answer == TIME_WAIT_REUSE) {
        reuse(stack, index, arrival);
        return;
    }
    arrival->packet->reason = (uint8_t)drop;
    if (answer != TIME_WAIT_IGNORE) {
        send_ack(stack, tw);
    }
    if (answer == TIME_WAIT_RESTART) {
        restart(stack, index);
    }
}

bool time_waits_tick(struct estab_stack *stack, uint64_t now, unsigned max)
{
    /* F-TMO-3 */
    while (stack->time_wait_first != NONE && stack->time_waits[stack->time_wait_first].deadline_ns <= now) {
        if (max-- == 0) {
            return true;
        }
        time_wait_end(stack, stack->time_wait_first, EVENT_TIMEOUT_2MSL);
    }
    return false;
}

uint64_t time_waits_deadline(const struct estab_stack *stack)
{
    return stack->time_wait_first == NONE ? UINT64_MAX
                                          : stack->time_waits[stack->time_wait_first].deadline_ns;
}
