/*
 * LISTEN: a SYN for a listener begins a handshake in the SYN cache, one for a passive OPEN becomes that very
 * connection. The backlog bounds the connections that wait to be accepted; when they are too many the last
 * ACK is dropped and the client tries again.
 */
#include "base/mem.h"
#include "stack/stack.h"

void conn_adopt(struct conn *child, const struct conn *listener)
{
    conn_inherit(&child->tcp, &listener->tcp);
    child->user = listener->user;
    child->hop_limit = listener->hop_limit;
    child->dscp = listener->dscp;
    child->mss_option = listener->mss_option;
    child->reuse_address = listener->reuse_address;
    child->reuse_port = listener->reuse_port;
    child->linger_abort = listener->linger_abort;
}

bool conn_way_back(struct estab_stack *stack, struct conn *conn)
{
    uint8_t interface = conn->path.interface;
    conn->scope = ip_addr_is_link_local(&conn->remote) ? interface : conn->scope;
    if (conn_find_path(stack, conn, stack->tcp.now) != 0) {
        return false;
    }
    conn->flow_label = ip_flow_label(stack->ip, &conn->local, &conn->remote,
                                     (uint32_t)conn->local_port << 16 | conn->remote_port);
    conn->tcp.v6 = !ip_addr_is_v4(&conn->local);
    return true;
}

static void take_addresses(struct conn *conn, const struct arrival *arrival)
{
    conn->local = arrival->key.local;
    conn->remote = arrival->key.remote;
    conn->local_port = arrival->key.local_port;
    conn->remote_port = arrival->key.remote_port;
    conn->path = (struct ip_path){.interface = arrival->interface};
}

/* F-LISTEN-3, for a connection that has its addresses. False: there is no way back to who sent it. */
static bool take_syn(struct estab_stack *stack, struct conn *conn, const struct arrival *arrival,
                     const struct tcp_segment *syn)
{
    if (!conn_way_back(stack, conn)) {
        arrival->packet->reason = ESTAB_DROP_IP_ADDRESS;
        return false;
    }
    struct open_facts facts = open_facts_of(stack, conn, stack->tcp.now);
    if (arrival->reuses) {
        facts.iss = seq_add(arrival->iss_after, 65537);
    }
    open_accept_syn(&conn->tcp, &stack->tcp, syn, &facts);
    stack->counters.passive_opens++;
    arrival->packet->state_after = conn->tcp.state;
    return true;
}

/* A passive OPEN: this very record. */
static void open_record(struct estab_stack *stack, struct conn *conn, const struct arrival *arrival)
{
    struct ip_addr remote_before = conn->remote;
    uint16_t port_before = conn->remote_port;
    conn_leave_table(stack, conn);
    take_addresses(conn, arrival);
    conn_context(stack, conn, stack->tcp.now);
    if (!take_syn(stack, conn, arrival, arrival->seg)) {
        conn->remote = remote_before;
        conn->remote_port = port_before;
        conn->local = conn_bound_address(conn);
        conn_enter_table(stack, conn);
        return;
    }
    conn_enter_table(stack, conn);
    arrival->packet->conn = conn_handle(stack, conn);
    conn_settle(stack, conn);
}

void child_begin(struct estab_stack *stack, struct conn *child, struct conn *listener)
{
    child->partner = conn_index(stack, listener);
    child->has_parent = true;
    listener->listener.half_open++;
    stack->early_count++;
    conn_enter_table(stack, child);
    conn_settle(stack, child);
}

/*
 * Text of a SYN is kept where there is plenty of room (RFC 9293 3.4): the handshake gets a connection at
 * once, with blocks. Who forges SYNs must not have many of these (V-34). False: it does not get one.
 */
static bool open_child(struct estab_stack *stack, struct conn *listener, const struct arrival *arrival)
{
    uint32_t early = stack->early_count;
    uint32_t left = early < EARLY_CHILDREN ? EARLY_CHILDREN - early : 0;
    bool roomy = place_is_given(stack, &arrival->key, left, EARLY_CHILDREN / 2) &&
                 stack->conn_count < stack->settings.max_connections / 2 &&
                 stack->half_open_count < stack->settings.max_half_open / 2 &&
                 listener->listener.half_open < listener->listener.backlog;
    struct conn *child = roomy ? conn_new(stack) : NULL;
    if (child == NULL) {
        return false;
    }
    conn_adopt(child, listener);
    transition(&child->tcp.state, EVENT_PASSIVE_OPEN); /* the listener's LISTEN, for this one peer */
    take_addresses(child, arrival);
    conn_context(stack, child, stack->tcp.now);
    if (!take_syn(stack, child, arrival, arrival->seg)) {
        conn_delete(stack, child);
        return true;
    }
    arrival->packet->conn = conn_handle(stack, child);
    child_begin(stack, child, listener);
    return true;
}

/* A handshake in the SYN cache. What text the SYN has is not taken: the peer will send it again. */
static void open_half(struct estab_stack *stack, struct conn *listener, const struct arrival *arrival)
{
    struct conn conn;
    struct tcp_segment syn = *arrival->seg;
    syn.text_length = 0;
    conn_clear(stack, &conn);
    conn_adopt(&conn, listener);
    transition(&conn.tcp.state, EVENT_PASSIVE_OPEN);
    take_addresses(&conn, arrival);
    half_open_trace_identity(stack, &arrival->key);
    arrival->packet->conn = 0;
    if (take_syn(stack, &conn, arrival, &syn)) {
        half_open_begin(stack, &conn, conn_index(stack, listener));
    }
}

static void open_listener(struct estab_stack *stack, struct conn *listener, const struct arrival *arrival)
{
    const struct estab_cookies *cookies = stack->settings.cookies;
    if (!listener_may_establish(stack, listener, arrival)) {
        return;
    }
    if (cookies != NULL && (cookies->always || !half_opens_have_room(stack, &arrival->key))) {
        cookies->answer(stack, listener, arrival);
    } else if (arrival->seg->text_length == 0 || !open_child(stack, listener, arrival)) {
        open_half(stack, listener, arrival);
    }
}

void listener_segment(struct estab_stack *stack, struct conn *listener, const struct arrival *arrival)
{
    struct estab_packet *packet = arrival->packet;
    packet->state_before = packet->state_after = ESTAB_LISTEN;
    packet->conn = conn_handle(stack, listener);
    if (listener->listening && half_open_cookie(stack, listener, arrival)) {
        return;
    }
    struct tcp_verdict verdict = tcp_listen_segment(arrival->seg);
    packet->reason = (uint8_t)verdict.drop;
    if (verdict.reset) {
        reply_reset(stack, arrival);
    }
    if (verdict.drop != ESTAB_DROP_NONE) {
        return;
    }
    if (listener->listening) {
        open_listener(stack, listener, arrival);
    } else {
        open_record(stack, listener, arrival);
    }
}

bool listener_may_establish(struct estab_stack *stack, const struct conn *listener,
                            const struct arrival *arrival)
{
    if (listener->listener.waiting_count < listener->listener.backlog) {
        return true;
    }
    stack->counters.backlog_overflows++;
    arrival->packet->reason = ESTAB_DROP_BACKLOG;
    if (listener->backlog_reset && (arrival->seg->flags & TCP_ACK)) {
        reply_reset(stack, arrival);
    }
    return false;
}

void child_established(struct estab_stack *stack, struct conn *child)
{
    struct conn *parent = &stack->conns[child->partner];
    parent->listener.half_open--;
    stack->early_count--;
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
    half_opens_drop(stack, index);
    conn_context(stack, listener, stack->tcp.now); /* what is traced next is the listener's again */
}
