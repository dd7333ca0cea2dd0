/*
 * Local ports: what a bind may take, and which one an active OPEN gets (RFC 6056). Connections that named
 * their port themselves stand in short chains by port, so that choosing a port for a new flow costs a look at
 * one chain and one at the table; only bind looks at all connections, to find those that a port's listener
 * has left behind.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "stack/stack.h"

#define RANDOM_TRIES 32

void ports_init(struct estab_stack *stack)
{
    memset(stack->bound, 0xff, stack->settings.bound_heads * sizeof stack->bound[0]); /* NONE */
}

static uint32_t *chain_of(const struct estab_stack *stack, uint16_t port)
{
    return &stack->bound[port % stack->settings.bound_heads];
}

void port_bind(struct estab_stack *stack, struct conn *conn)
{
    uint32_t *head = chain_of(stack, conn->local_port);
    conn->bound = true;
    conn->bound_port = conn->local_port;
    conn->bound_next = *head;
    *head = conn_index(stack, conn);
}

void port_unbind(struct estab_stack *stack, struct conn *conn)
{
    if (!conn->bound) {
        return;
    }
    uint32_t *link = chain_of(stack, conn->bound_port);
    while (*link != conn_index(stack, conn)) {
        ESTAB_ASSERT(*link != NONE);
        link = &stack->conns[*link].bound_next;
    }
    *link = conn->bound_next;
    conn->bound = false;
}

static bool port_is_bound(const struct estab_stack *stack, uint16_t port)
{
    for (uint32_t i = *chain_of(stack, port); i != NONE; i = stack->conns[i].bound_next) {
        if (stack->conns[i].bound_port == port) {
            return true;
        }
    }
    return false;
}

/* Whether one packet could be meant for both: the same address, or any address of a common family. */
static bool overlap(const struct ip_addr *a, const struct ip_addr *b)
{
    static const struct ip_addr any;
    if (ip_addr_eq(a, b) || ip_addr_eq(a, &any) || ip_addr_eq(b, &any)) {
        return true;
    }
    bool one_is_any = ip_addr_is_any(a) || ip_addr_is_any(b);
    return one_is_any && ip_addr_is_v4(a) == ip_addr_is_v4(b);
}

static bool conflicts_with(const struct conn *conn, const struct conn *other, const struct ip_addr *local,
                           uint16_t port)
{
    bool holds = other->in_use && (other->bound || other->in_table);
    bool shares = conn->reuse_port && other->reuse_port;
    if (!holds || shares || other == conn || other->local_port != port || !overlap(local, &other->local)) {
        return false;
    }
    bool waits = other->tcp.state == ESTAB_LISTEN || other->tcp.state == ESTAB_CLOSED;
    /* MUST-42 */
    return waits ? !(conn->reuse_address && other->reuse_address && other->tcp.state != ESTAB_LISTEN)
                 : !conn->reuse_address;
}

bool port_conflict(const struct estab_stack *stack, const struct conn *conn, const struct ip_addr *local,
                   uint16_t port)
{
    for (uint32_t i = 0; i < stack->conn_fresh; i++) {
        if (conflicts_with(conn, &stack->conns[i], local, port)) {
            return true;
        }
    }
    bool reuse = conn->reuse_address || conn->reuse_port;
    for (uint32_t i = 0; !reuse && i < stack->time_wait_fresh; i++) {
        const struct time_wait *tw = &stack->time_waits[i];
        if (tw->tcp.state == ESTAB_TIME_WAIT && tw->local_port == port && overlap(local, &tw->local)) {
            return true;
        }
    }
    return false;
}

/* For a flow: nobody has bound the port (R6056-02, R6056-03) and the flow is not in use. */
static bool is_free_for(const struct estab_stack *stack, const struct conn *conn, struct flow_key *key,
                        uint16_t port)
{
    if (port_is_bound(stack, port)) {
        return false;
    }
    if (key->remote_port == 0) {
        return !port_conflict(stack, conn, &key->local, port);
    }
    key->local_port = port;
    return flow_find(stack, key, flow_hash(stack, key)) == TABLE_NONE;
}

/*
 * R6056-04..06: random picks first; when they fail the range is nearly full and searched from a random place
 * on, so that the last free port is found.
 */
bool port_choose(struct estab_stack *stack, const struct conn *conn, struct flow_key *key)
{
    uint32_t low = stack->settings.port_low;
    uint32_t range = (uint32_t)stack->settings.port_high - low + 1;
    struct flow_words words;
    key->local_port = 0;
    flow_words_of(key, &words);
    uint32_t pick = 0;
    for (unsigned i = 0; i < RANDOM_TRIES + range; i++) {
        if (i <= RANDOM_TRIES) {
            words.w[words.count - 1] = stack->port_counter++;
            pick = (uint32_t)(((siphash24(&stack->port_key, words.w, words.count) >> 32) * range) >> 32);
        } else {
            pick = pick + 1 == range ? 0 : pick + 1;
        }
        uint16_t port = (uint16_t)(low + pick);
        if (is_free_for(stack, conn, key, port)) {
            key->local_port = port;
            return true;
        }
    }
    return false;
}
