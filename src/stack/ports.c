/*
 * Local ports: who holds which, what a bind may take, and which one an active OPEN gets (RFC 6056). A small
 * hash of ports counts their holders, so that the common questions are one look; only a bind to a port that
 * is in use looks at the holders one by one.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "stack/stack.h"

#define RANDOM_TRIES 32

void ports_init(struct estab_stack *stack)
{
    memset(stack->ports, 0, stack->settings.max_ports * sizeof stack->ports[0]);
}

static uint32_t home(const struct estab_stack *stack, uint16_t port)
{
    uint32_t capacity = stack->settings.max_ports;
    return capacity == 65536 ? port : (uint32_t)(((uint64_t)(port * 0x9e3779b1u) * capacity) >> 32);
}

/* The place of the port's record, or of the empty one where it would stand. */
static uint32_t place(const struct estab_stack *stack, uint16_t port)
{
    uint32_t i = home(stack, port);
    while (stack->ports[i].port != 0 && stack->ports[i].port != port) {
        i = i + 1 == stack->settings.max_ports ? 0 : i + 1;
    }
    return i;
}

void port_hold(struct estab_stack *stack, uint16_t port)
{
    if (port != 0) {
        struct port_record *record = &stack->ports[place(stack, port)];
        record->port = port;
        record->holders++;
    }
}

/* Removal by shifting back what stands behind, as in base/table.c. */
static void remove_record(struct estab_stack *stack, uint32_t hole)
{
    uint32_t capacity = stack->settings.max_ports;
    uint32_t i = hole;
    for (;;) {
        i = i + 1 == capacity ? 0 : i + 1;
        if (stack->ports[i].port == 0) {
            break;
        }
        uint32_t from_home = (i + capacity - home(stack, stack->ports[i].port)) % capacity;
        uint32_t from_hole = (i + capacity - hole) % capacity;
        if (from_home >= from_hole) {
            stack->ports[hole] = stack->ports[i];
            hole = i;
        }
    }
    stack->ports[hole] = (struct port_record){0};
}

void port_let_go(struct estab_stack *stack, uint16_t port)
{
    if (port != 0) {
        uint32_t i = place(stack, port);
        ESTAB_ASSERT(stack->ports[i].holders > 0);
        if (--stack->ports[i].holders == 0) {
            remove_record(stack, i);
        }
    }
}

void port_bind(struct estab_stack *stack, struct conn *conn)
{
    conn->holds_port = true;
    port_hold(stack, conn->local_port);
    if (conn->bound && conn->local_port != 0) {
        stack->ports[place(stack, conn->local_port)].bound++;
    }
}

void port_unbind(struct estab_stack *stack, struct conn *conn)
{
    if (!conn->holds_port) {
        return;
    }
    if (conn->bound && conn->local_port != 0) {
        stack->ports[place(stack, conn->local_port)].bound--;
    }
    conn->holds_port = conn->bound = false;
    port_let_go(stack, conn->local_port);
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
    if (!other->in_use || other == conn || !other->holds_port || other->local_port != port ||
        !overlap(local, &other->local)) {
        return false;
    }
    bool waits = other->tcp.state == ESTAB_LISTEN || other->tcp.state == ESTAB_CLOSED;
    return waits ? !(conn->reuse_address && other->reuse_address && other->tcp.state != ESTAB_LISTEN)
                 : !conn->reuse_address;
}

bool port_conflict(const struct estab_stack *stack, const struct conn *conn, const struct ip_addr *local,
                   uint16_t port)
{
    if (port == 0 || stack->ports[place(stack, port)].port == 0) {
        return false;
    }
    for (uint32_t i = 0; i < stack->conn_fresh; i++) {
        if (conflicts_with(conn, &stack->conns[i], local, port)) {
            return true;
        }
    }
    for (uint32_t i = 0; !conn->reuse_address && i < stack->time_wait_fresh; i++) {
        const struct time_wait *tw = &stack->time_waits[i];
        if (tw->tcp.state == ESTAB_TIME_WAIT && tw->local_port == port && overlap(local, &tw->local)) {
            return true;
        }
    }
    return false;
}

static bool is_free(const struct estab_stack *stack, struct flow_key *key, uint16_t port)
{
    const struct port_record *record = &stack->ports[place(stack, port)];
    if (record->port == 0) {
        return true;
    }
    if (record->bound > 0 || key->remote_port == 0) {
        return false; /* R6056-02, R6056-03 */
    }
    key->local_port = port;
    return flow_find(stack, key, flow_hash(stack, key)) == TABLE_NONE;
}

/*
 * Random picks first; when they fail the range is nearly full and searched from a random place on, so that
 * the last free port is found.
 */
bool port_choose(struct estab_stack *stack, struct flow_key *key)
{
    uint32_t low = stack->settings.port_low;
    uint32_t range = (uint32_t)stack->settings.port_high - low + 1;
    struct flow_words words;
    key->local_port = 0;
    flow_words_of(key, &words);
    uint32_t pick = 0;
    for (unsigned i = 0; i < RANDOM_TRIES + range; i++) {
        if (i <= RANDOM_TRIES) {
            words.w[4] = stack->port_counter++;
            pick = (uint32_t)(((siphash24(&stack->port_key, words.w, 5) >> 32) * range) >> 32);
        } else {
            pick = pick + 1 == range ? 0 : pick + 1;
        }
        uint16_t port = (uint16_t)(low + pick);
        if (is_free(stack, key, port)) {
            key->local_port = port;
            return true;
        }
    }
    return false;
}
