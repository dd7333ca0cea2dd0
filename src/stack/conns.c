/*
 * Records of connections: where they come from, their handles, and the table that finds them by their flow.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "stack/stack.h"

/* ---- records ---- */

void conn_clear(const struct estab_stack *stack, struct conn *conn)
{
    memset(conn, 0, sizeof *conn);
    const struct settings *s = &stack->settings;
    const struct tcp_conn_defaults defaults = {
        .cc = s->cc[0],
        .keep_idle_ns = s->keep_idle_ns,
        .keep_interval_ns = s->keep_interval_ns,
        .user_timeout_ns = s->user_timeout_ns,
        .rcv_limit = s->receive_buffer,
        .snd_limit = s->send_buffer,
        .keep_count = s->keep_count,
        .timestamps = s->timestamps,
        .window_scale = s->window_scale,
        .sack = s->sack,
    };
    conn_init(&conn->tcp, &defaults);
}

struct conn *conn_new(struct estab_stack *stack)
{
    struct conn *conn;
    uint32_t generation = 1;
    if (stack->conn_free == NONE && stack->conn_fresh == stack->settings.max_connections) {
        ready_drop_dead(stack);
        shed_for_user(stack);
    }
    if (stack->conn_free != NONE) {
        conn = &stack->conns[stack->conn_free];
        stack->conn_free = conn->output_next;
        generation = conn->generation + 1 == 0 ? 1 : conn->generation + 1;
    } else if (stack->conn_fresh < stack->settings.max_connections) {
        conn = &stack->conns[stack->conn_fresh++];
    } else {
        stack->counters.no_memory++;
        return NULL;
    }
    conn_clear(stack, conn);
    conn->generation = generation;
    conn->in_use = true;
    conn->partner = conn->output_next = conn->ready_next = conn->queue_next = NONE;
    stack->conn_count++;
    return conn;
}

/*
 * A record that still stands in a queue is given back by the last one that lets go of it, so that nothing is
 * searched.
 */
void conn_recycle(struct estab_stack *stack, struct conn *conn)
{
    if (!conn->in_use && !conn->in_output && !conn->in_ready && !conn->in_queue) {
        conn->output_next = stack->conn_free;
        stack->conn_free = conn_index(stack, conn);
    }
}

void conn_delete(struct estab_stack *stack, struct conn *conn)
{
    ESTAB_ASSERT(conn->in_use);
    conn_leave_table(stack, conn);
    port_unbind(stack, conn);
    orphan_remove(stack, conn);
    shed_forget(stack, conn);
    conn_free_queues(&conn->tcp, &stack->pool);
    conn_set_timer(stack, conn, TIMERS_NEVER);
    conn->in_use = false;
    stack->conn_count--;
    conn_recycle(stack, conn);
}

/* ---- the table ---- */

void flow_words_of(const struct flow_key *key, struct flow_words *words)
{
    const uint8_t *l = key->local.b;
    const uint8_t *r = key->remote.b;
    uint64_t ports = (uint64_t)key->local_port << 16 | key->remote_port;
    if (ip_addr_is_v4(&key->local)) {
        words->w[0] = (uint64_t)get_be32(l + 12) << 32 | get_be32(r + 12);
        words->w[1] = ports;
        words->count = 2;
        return;
    }
    words->w[0] = get_be64(l);
    words->w[1] = get_be64(l + 8);
    words->w[2] = get_be64(r);
    words->w[3] = get_be64(r + 8);
    words->w[4] = ports;
    words->count = 5;
}

static inline uint32_t word_of(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

uint32_t flow_hash(const struct estab_stack *stack, const struct flow_key *key)
{
    uint32_t ports = (uint32_t)key->local_port << 16 | key->remote_port;
    if (ip_addr_is_v4(&key->local)) {
        const uint32_t words[3] = {word_of(key->local.b + 12), word_of(key->remote.b + 12), ports};
        return flow_hash_words(&stack->table_key, words, 3);
    }
    uint32_t words[9];
    memcpy(words, key->local.b, 16);
    memcpy(words + 4, key->remote.b, 16);
    words[8] = ports;
    return flow_hash_words(&stack->table_key, words, 9);
}

static bool conn_has_key(const struct conn *conn, const struct flow_key *key)
{
    return conn->local_port == key->local_port && conn->remote_port == key->remote_port &&
           ip_addr_eq(&conn->remote, &key->remote) && ip_addr_eq(&conn->local, &key->local);
}

static bool time_wait_has_key(const struct time_wait *tw, const struct flow_key *key)
{
    return tw->local_port == key->local_port && tw->remote_port == key->remote_port &&
           ip_addr_eq(&tw->remote, &key->remote) && ip_addr_eq(&tw->local, &key->local);
}

static bool half_open_has_key(const struct half_open *entry, const struct flow_key *key)
{
    return entry->local_port == key->local_port && entry->remote_port == key->remote_port &&
           ip_addr_eq(&entry->remote, &key->remote) && ip_addr_eq(&entry->local, &key->local);
}

uint32_t flow_find(const struct estab_stack *stack, const struct flow_key *key, uint32_t hash)
{
    uint32_t position = table_home(&stack->table, hash);
    for (;;) {
        uint32_t id = table_next(&stack->table, hash, &position);
        if (id == TABLE_NONE) {
            return TABLE_NONE;
        }
        bool match = !(id & RECORD_IDS)   ? conn_has_key(&stack->conns[id], key)
                     : (id & TIME_WAIT_ID) ? time_wait_has_key(&stack->time_waits[id & ~RECORD_IDS], key)
                                           : half_open_has_key(&stack->half_opens[id & ~RECORD_IDS], key);
        if (match) {
            return id;
        }
    }
}

/* Who listens has no remote in the table. */
static void forget_listener_found(struct estab_stack *stack, const struct conn *conn)
{
    if (ip_addr_is_any(&conn->remote)) {
        stack->listener_found.port = 0;
    }
}

void conn_enter_table(struct estab_stack *stack, struct conn *conn)
{
    ESTAB_ASSERT(!conn->in_table);
    struct flow_key key = {conn->local, conn->remote, conn->local_port, conn->remote_port};
    table_insert(&stack->table, flow_hash(stack, &key), conn_index(stack, conn));
    conn->in_table = true;
    forget_listener_found(stack, conn);
    if (conn->tcp.state == ESTAB_LISTEN && conn->local_port == 0) {
        stack->wildcard_ports++;
    }
}

void conn_forget_flow(struct estab_stack *stack, struct conn *conn)
{
    struct flow_key key = {conn->local, conn->remote, conn->local_port, conn->remote_port};
    table_remove(&stack->table, flow_hash(stack, &key), conn_index(stack, conn));
    conn->in_table = false;
    forget_listener_found(stack, conn);
    if (conn->local_port == 0) {
        stack->wildcard_ports--;
    }
}

void conn_leave_table(struct estab_stack *stack, struct conn *conn)
{
    if (conn->in_table && conn->listening) {
        group_leave(stack, conn);
    } else if (conn->in_table) {
        conn_forget_flow(stack, conn);
    }
}

static struct conn *listener_with(const struct estab_stack *stack, const struct ip_addr *local, uint16_t port)
{
    struct flow_key key = {.local = *local, .local_port = port};
    uint32_t id = flow_find(stack, &key, flow_hash(stack, &key));
    return id == TABLE_NONE || (id & RECORD_IDS) ? NULL : &stack->conns[id];
}

/*
 * The most special first: its address and port, any address of its family, any address; then those for every
 * port.
 */
static struct conn *find_listener(const struct estab_stack *stack, const struct ip_addr *local, uint16_t port)
{
    static const struct ip_addr any;
    static const uint8_t zero[4];
    const struct ip_addr any_v4 = ip_addr_v4(zero);
    for (unsigned round = 0; round < 2; round++) {
        struct conn *conn = listener_with(stack, local, port);
        if (conn == NULL && ip_addr_is_v4(local)) {
            conn = listener_with(stack, &any_v4, port);
        }
        if (conn == NULL) {
            conn = listener_with(stack, &any, port);
        }
        if (conn != NULL || stack->wildcard_ports == 0) {
            return conn;
        }
        port = 0;
    }
    return NULL;
}

struct conn *listener_find(struct estab_stack *stack, const struct flow_key *key)
{
    struct listener_found *found = &stack->listener_found;
    if (key->local_port == 0 || key->remote_port == 0) {
        return NULL; /* no connection has port 0, to us it means any */
    }
    if (found->port != key->local_port || !ip_addr_eq(&found->local, &key->local)) {
        *found = (struct listener_found){
            .local = key->local,
            .conn = find_listener(stack, &key->local, key->local_port),
            .port = key->local_port,
        };
    }
    struct conn *conn = found->conn;
    bool shared = conn != NULL && conn->listening && conn->group > 1;
    return shared ? group_pick(stack, conn, key) : conn;
}
