/*
 * Every invariant of a stack, walked in full: for tests, simulation and fuzzing after each call. It names the
 * first that does not hold.
 */
#include "stack/stack.h"
#include "tcp/timers.h"

struct tally {
    uint32_t connections;
    uint32_t in_table;
    uint32_t blocks;
    uint32_t in_order; /* of them, with text received in order */
    uint32_t ahead;    /* and ahead of gaps */
    uint32_t wildcards;
    uint32_t early; /* children that are connections before their handshake is done */
};

static uint32_t chain_length(const struct block *block)
{
    uint32_t n = 0;
    for (; block != NULL; block = block->next) {
        n++;
    }
    return n;
}

static const char *check_conn(const struct estab_stack *stack, const struct conn *conn)
{
    const char *wrong = conn_check(&conn->tcp, &stack->pool);
    if (wrong != NULL) {
        return wrong;
    }
    uint64_t due = tcp_timers_next(&conn->tcp);
    if (due != UINT64_MAX && timers_get(&stack->timers, conn_index(stack, conn)) > due) {
        return "the stack's deadline of a connection is not later than its own";
    }
    bool found_by_flow = conn->tcp.state != ESTAB_CLOSED && conn->tcp.state != ESTAB_TIME_WAIT;
    if (found_by_flow != conn->in_table) {
        return "a connection is in the table in every state but CLOSED and TIME-WAIT";
    }
    if (conn->in_table) {
        struct flow_key key = {conn->local, conn->remote, conn->local_port, conn->remote_port};
        if (flow_find(stack, &key, flow_hash(stack, &key)) != conn_index(stack, conn)) {
            return "a connection is found by its flow";
        }
    }
    if (conn->has_record && (conn->tcp.state != ESTAB_TIME_WAIT || conn->partner >= stack->time_wait_fresh ||
                             stack->time_waits[conn->partner].holder != conn_index(stack, conn))) {
        return "a connection in TIME-WAIT and its record know each other";
    }
    return !conn->has_record && conn->tcp.state == ESTAB_TIME_WAIT ? "TIME-WAIT has a record" : NULL;
}

/* A listener counts its children right. */
static const char *check_listener(const struct estab_stack *stack, const struct conn *listener)
{
    uint32_t half_open = 0;
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < stack->conn_fresh; i++) {
        const struct conn *child = &stack->conns[i];
        if (child->in_use && child->has_parent && child->partner == conn_index(stack, listener)) {
            waiting += child->in_queue;
            half_open += !child->in_queue;
        }
    }
    for (uint32_t i = 0; i < stack->half_open_fresh; i++) {
        half_open += stack->half_opens[i].listener == conn_index(stack, listener);
    }
    if (half_open != listener->listener.half_open) {
        return "handshakes under way are counted";
    }
    if (waiting != listener->listener.waiting_count) {
        return "connections that wait are counted";
    }
    struct flow_key first = {listener->local, listener->remote, listener->local_port, 0};
    uint32_t id = flow_find(stack, &first, flow_hash(stack, &first));
    return id != TABLE_NONE && listener->remote_port < stack->conns[id].group
               ? NULL
               : "listeners that share a port are counted";
}

/* Whoever is bound stands in the chain of its port. */
static const char *check_ports(const struct estab_stack *stack)
{
    uint32_t chained = 0;
    uint32_t bound = 0;
    for (uint32_t i = 0; i < stack->settings.bound_heads; i++) {
        for (uint32_t k = stack->bound[i]; k != NONE; k = stack->conns[k].bound_next) {
            chained++;
        }
    }
    for (uint32_t i = 0; i < stack->conn_fresh; i++) {
        bound += stack->conns[i].in_use && stack->conns[i].bound;
    }
    return chained == bound ? NULL : "a bound connection stands in the chain of its port";
}

static const char *check_conns(const struct estab_stack *stack, struct tally *tally)
{
    for (uint32_t i = 0; i < stack->conn_fresh; i++) {
        const struct conn *conn = &stack->conns[i];
        if (!conn->in_use) {
            continue;
        }
        const char *wrong = check_conn(stack, conn);
        if (wrong == NULL && conn->listening) {
            wrong = check_listener(stack, conn);
        }
        if (wrong != NULL) {
            return wrong;
        }
        tally->wildcards += conn->in_table && conn->tcp.state == ESTAB_LISTEN && conn->local_port == 0;
        tally->connections++;
        tally->early += conn->has_parent && !conn->in_queue;
        tally->in_table += conn->in_table;
        uint32_t received = chain_length(conn->tcp.rcv.head) + (conn->tcp.rcv.ahead != NULL);
        uint32_t in_order = recv_queue_blocks_in_order(&conn->tcp.rcv);
        tally->blocks += chain_length(conn->tcp.snd.head) + received;
        tally->in_order += in_order;
        tally->ahead += received - in_order;
    }
    return NULL;
}

/* Those whose handle was given up are the list of orphans. */
static const char *check_orphans(const struct estab_stack *stack)
{
    uint32_t listed = 0;
    uint32_t released = 0;
    for (uint32_t i = stack->shed.orphans.head; i != NONE; i = stack->conns[i].orphan_next) {
        const struct conn *conn = &stack->conns[i];
        if (!conn->in_use || !conn->orphan || listed++ == stack->conn_fresh) {
            return "an orphan is a connection";
        }
    }
    for (uint32_t i = 0; i < stack->conn_fresh; i++) {
        released += stack->conns[i].in_use && stack->conns[i].tcp.released;
    }
    if (released > stack->settings.max_orphans) {
        return "orphans are no more than may be";
    }
    return listed == released && listed == stack->shed.orphan_count ? NULL : "orphans are counted";
}

static const char *check_time_waits(const struct estab_stack *stack)
{
    uint32_t n = 0;
    uint64_t last = 0;
    for (uint32_t i = stack->time_wait_first; i != NONE; i = stack->time_waits[i].next) {
        const struct time_wait *tw = &stack->time_waits[i];
        if (tw->deadline_ns < last) {
            return "TIME-WAIT records stand in the order of their ends";
        }
        if (tw->tcp.state != ESTAB_TIME_WAIT) {
            return "a TIME-WAIT record is in TIME-WAIT";
        }
        last = tw->deadline_ns;
        n++;
    }
    return n == stack->time_wait_count ? NULL : "every TIME-WAIT record waits for its end";
}

static const char *check_half_open(const struct estab_stack *stack, uint32_t index, unsigned list)
{
    const struct half_open *entry = &stack->half_opens[index];
    if (entry->tcp.state != ESTAB_SYN_RECEIVED || entry->tcp.sent != list + 1) {
        return "a handshake is in SYN-RECEIVED and in the list of its SYN,ACKs";
    }
    if (entry->listener >= stack->conn_fresh || !stack->conns[entry->listener].listening) {
        return "a handshake has a listener";
    }
    struct flow_key key = {entry->local, entry->remote, entry->local_port, entry->remote_port};
    return flow_find(stack, &key, flow_hash(stack, &key)) == (index | HALF_OPEN_ID)
               ? NULL
               : "a handshake is found by its flow";
}

static const char *check_half_opens(const struct estab_stack *stack)
{
    uint32_t n = 0;
    for (unsigned list = 0; list < HALF_OPEN_LISTS; list++) {
        uint64_t last = 0;
        for (uint32_t i = stack->half_open_lists[list].head; i != NONE; i = stack->half_opens[i].next) {
            const char *wrong = check_half_open(stack, i, list);
            uint64_t deadline = stack->half_opens[i].deadline_ns;
            if (wrong != NULL || deadline < last) {
                return wrong != NULL ? wrong : "handshakes stand in the order of their ends";
            }
            last = deadline;
            n++;
        }
    }
    return n == stack->half_open_count ? NULL : "every handshake waits for its ACK";
}

const char *estab_check(const estab_stack *stack)
{
    struct tally tally = {0};
    const char *wrong = check_conns(stack, &tally);
    if (wrong == NULL) {
        wrong = check_time_waits(stack);
    }
    if (wrong == NULL) {
        wrong = check_half_opens(stack);
    }
    if (wrong == NULL) {
        wrong = ip_check(stack->ip);
    }
    if (wrong == NULL) {
        wrong = check_ports(stack);
    }
    if (wrong == NULL) {
        wrong = check_orphans(stack);
    }
    if (wrong != NULL) {
        return wrong;
    }
    if (tally.connections != stack->conn_count) {
        return "connections are counted";
    }
    if (tally.early != stack->early_count) {
        return "children that are connections already are counted";
    }
    if (tally.in_table + stack->time_wait_count + stack->half_open_count != stack->table.count) {
        return "the table holds connections, TIME-WAIT records and handshakes, no more";
    }
    if (tally.wildcards != stack->wildcard_ports) {
        return "listeners on every port are counted";
    }
    if (tally.in_order != stack->pool.in_order || tally.ahead != stack->pool.ahead) {
        return "blocks in order and ahead are counted";
    }
    return tally.blocks + ip_blocks_used(stack->ip) == stack->pool.used ? NULL : "no block is lost";
}
