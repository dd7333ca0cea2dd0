/*
 * LISTEN: a SYN for a listener becomes a connection of its own, one for a passive OPEN becomes that very
 * connection. The backlog bounds both the handshakes under way and the connections that wait to be accepted;
 * when the latter are too many the last ACK is dropped and the client tries again.
 */
#include "base/mem.h"
#include "stack/stack.h"

static void adopt(struct conn *child, const struct conn *listener)
{
    conn_inherit(&child->tcp, &listener->tcp);
    child->user = listener->user;
    child->hop_limit = listener->hop_limit;
    child->dscp = listener->dscp;
    child->mss_option = listener->mss_option;
    child->reuse_address = listener->reuse_address;
    child->linger_abort = listener->linger_abort;
}

/*
 * A record for the connection that the SYN opens: the passive OPEN's own, or a child. NULL: no room, counted.
 */
static struct conn *record_for_syn(struct estab_stack *stack, struct conn *listener,
                                   const struct arrival *arrival)
{
    if (!listener->listening) {
        return listener;
    }
    const struct listener *queue = &listener->listener;
    if (queue->waiting_count >= queue->backlog || queue->half_open >= queue->backlog) {
        stack->counters.backlog_overflows++;
        arrival->packet->reason = ESTAB_DROP_BACKLOG;
        return NULL;
    }
    struct conn *child = conn_new(stack);
    if (child == NULL) {
        arrival->packet->reason = ESTAB_DROP_NO_MEMORY;
        return NULL;
    }
    adopt(child, listener);
    transition(&child->tcp.state, EVENT_PASSIVE_OPEN); /* the listener's LISTEN, for this one peer */
    child->partner = conn_index(stack, listener);
    child->has_parent = true;
    return child;
}

static void undo_record(struct estab_stack *stack, struct conn *conn)
{
    if (conn->has_parent) {
        conn->has_parent = false;
        conn_delete(stack, conn);
    } else {
        conn->local = conn_bound_address(conn);
        conn_enter_table(stack, conn);
    }
}

static void accept_syn(struct estab_stack *stack, struct conn *conn, const struct arrival *arrival)
{
    uint64_t now = stack->tcp.now;
    conn_leave_table(stack, conn);
    struct ip_addr remote_before = conn->remote;
    uint16_t port_before = conn->remote_port;
    conn->local = arrival->key.local;
    conn->remote = arrival->key.remote;
    conn->local_port = arrival->key.local_port;
    conn->remote_port = arrival->key.remote_port;
    conn->path = (struct ip_path){.interface = arrival->interface};
    conn->scope = ip_addr_is_link_local(&conn->remote) ? arrival->interface : conn->scope;
    if (conn_find_path(stack, conn, now) != 0) {
        conn->remote = remote_before;
        conn->remote_port = port_before;
        undo_record(stack, conn);
        arrival->packet->reason = ESTAB_DROP_IP_ADDRESS;
        return;
    }
    struct open_facts facts = open_facts_of(stack, conn, now);
    if (arrival->reuses) {
        facts.iss = seq_add(arrival->iss_after, 65537);
    }
    conn->flow_label = ip_flow_label(stack->ip, &conn->local, &conn->remote,
                                     (uint32_t)conn->local_port << 16 | conn->remote_port);
    conn->tcp.v6 = !ip_addr_is_v4(&conn->local);
    open_accept_syn(&conn->tcp, conn_context(stack, conn, now), arrival->seg, &facts);
    conn_enter_table(stack, conn);
    if (conn->has_parent) {
        stack->conns[conn->partner].listener.half_open++;
    }
    arrival->packet->conn = conn_handle(stack, conn);
    arrival->packet->state_after = conn->tcp.state;
    conn_settle(stack, conn);
}

void listener_segment(struct estab_stack *stack, struct conn *listener, const struct arrival *arrival)
{
    struct estab_packet *packet = arrival->packet;
    packet->state_before = packet->state_after = ESTAB_LISTEN;
    packet->conn = conn_handle(stack, listener);
    struct tcp_verdict verdict = tcp_listen_segment(arrival->seg);
    packet->reason = (uint8_t)verdict.drop;
    if (verdict.reset) {
        reply_reset(stack, arrival);
    }
    if (verdict.drop != ESTAB_DROP_NONE) {
        return;
    }
    struct conn *conn = record_for_syn(stack, listener, arrival);
    if (conn != NULL) {
        accept_syn(stack, conn, arrival);
    }
}

bool child_may_establish(const struct estab_stack *stack, const struct conn *child)
{
    const struct listener *queue = &stack->conns[child->partner].listener;
    return queue->waiting_count < queue->backlog;
}

void child_established(struct estab_stack *stack, struct conn *child)
{
    struct conn *parent = &stack->conns[child->partner];
    parent->listener.half_open--;
    waiting_push(stack, parent, child);
    parent->tcp.events |= ESTAB_ACCEPTABLE;
    queue_ready(stack, parent);
}

/* The connections of a listener that goes, accepted by nobody yet, go with it. */
void listener_close(struct estab_stack *stack, struct conn *listener)
{
    uint32_t index = conn_index(stack, listener);
    for (uint32_t i = 0; i < stack->conn_fresh; i++) {
        struct conn *child = &stack->conns[i];
        if (child->in_use && child->has_parent && child->partner == index) {
            conn_context(stack, child, stack->tcp.now);
            conn_abort(stack, child, -ESTAB_ECONNABORTED);
            conn_settle(stack, child);
        }
    }
    while (waiting_pop(stack, listener) != NULL) {
    }
    conn_context(stack, listener, stack->tcp.now); /* what is traced next is the listener's again */
}
