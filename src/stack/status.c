/*
 * Looking into a stack: status of connections, the walk over all of them, counters, memory, and the hash that
 * spreads flows. Nothing here changes anything.
 */
#include "base/mem.h"
#include "stack/stack.h"
#include "tcp/user_calls.h"

struct estab_addr addr_of(const struct ip_addr *ip, uint16_t port, unsigned scope)
{
    struct estab_addr addr = {.port = port, .scope = scope};
    memcpy(addr.ip, ip->b, 16);
    return addr;
}

struct ip_addr ip_of(const struct estab_addr *addr)
{
    return ip_addr_v6(addr->ip);
}

static void listener_status(const struct conn *conn, struct estab_status *status)
{
    status->accept_waiting = conn->listener.waiting_count;
    status->half_open = conn->listener.half_open;
    status->backlog = conn->listener.backlog;
}

static void conn_status(const struct estab_stack *stack, const struct conn *conn, struct estab_status *status)
{
    memset(status, 0, sizeof *status);
    tcp_status(&conn->tcp, &stack->tcp, status);
    status->conn = conn_handle(stack, conn);
    status->user = conn->orphan ? 0 : conn->user;
    status->local = addr_of(&conn->local, conn->local_port, conn->scope);
    status->remote = addr_of(&conn->remote, conn->listening ? 0 : conn->remote_port, conn->scope);
    if (conn->listening) {
        listener_status(conn, status);
        return;
    }
    status->interface = conn->path.interface;
    status->path_mtu = conn->tcp.path_mss != 0 ? conn->tcp.path_mss + conn_headers(conn) : 0;
    if (conn->has_record) {
        status->next_timer_ns = stack->time_waits[conn->partner].deadline_ns;
        status->timers = 1u << ESTAB_TIMER_TIME_WAIT;
    }
}

int estab_status(const estab_stack *stack, estab_conn handle, struct estab_status *status)
{
    const struct conn *conn = conn_of(stack, handle);
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    conn_status(stack, conn, status);
    return 0;
}

void time_wait_status(const struct estab_stack *stack, const struct time_wait *tw,
                      struct estab_status *status)
{
    memset(status, 0, sizeof *status);
    status->conn = tw->holder == NONE ? 0 : conn_handle(stack, &stack->conns[tw->holder]);
    status->local = addr_of(&tw->local, tw->local_port, 0);
    status->remote = addr_of(&tw->remote, tw->remote_port, 0);
    status->state = tw->tcp.state;
    status->closed_by_user = tw->holder == NONE;
    status->timestamps = tw->tcp.timestamps;
    status->snd_una = status->snd_nxt = tw->tcp.snd_nxt.v;
    status->rcv_nxt = tw->tcp.rcv_nxt.v;
    status->interface = tw->tcp.interface;
    status->next_timer_ns = tw->deadline_ns;
    status->timers = 1u << ESTAB_TIMER_TIME_WAIT;
    status->congestion = "";
}

static void half_open_status(const struct half_open *entry, struct estab_status *status)
{
    memset(status, 0, sizeof *status);
    status->local = addr_of(&entry->local, entry->local_port, 0);
    status->remote = addr_of(&entry->remote, entry->remote_port, 0);
    status->state = entry->tcp.state;
    status->timestamps = entry->tcp.timestamps;
    status->sack = entry->tcp.sack;
    status->window_scale = entry->tcp.has_window_scale;
    status->snd_wnd_shift = entry->tcp.window_scale;
    status->iss = status->snd_una = entry->tcp.iss.v;
    status->irs = entry->tcp.irs.v;
    status->snd_nxt = entry->tcp.iss.v + 1;
    status->rcv_nxt = entry->tcp.irs.v + 1;
    status->interface = entry->tcp.interface;
    status->retransmits = (uint8_t)(entry->tcp.sent - 1);
    status->next_timer_ns = entry->deadline_ns;
    status->timers = 1u << ESTAB_TIMER_RETRANSMIT;
    status->congestion = "";
}

/*
 * Connections first, then the TIME-WAIT records whose connection is gone (one that is still held was told of
 * already), then the handshakes of the SYN cache.
 */
bool estab_iterate(const estab_stack *stack, uint64_t *cursor, struct estab_status *status)
{
    while (*cursor < stack->conn_fresh) {
        const struct conn *conn = &stack->conns[(*cursor)++];
        if (conn->in_use) {
            conn_status(stack, conn, status);
            return true;
        }
    }
    while (*cursor - stack->conn_fresh < stack->time_wait_fresh) {
        const struct time_wait *tw = &stack->time_waits[(*cursor)++ - stack->conn_fresh];
        if (tw->tcp.state == ESTAB_TIME_WAIT && tw->holder == NONE) {
            time_wait_status(stack, tw, status);
            return true;
        }
    }
    uint64_t before = (uint64_t)stack->conn_fresh + stack->time_wait_fresh;
    while (*cursor - before < stack->half_open_fresh) {
        const struct half_open *entry = &stack->half_opens[(*cursor)++ - before];
        if (entry->listener != NONE) {
            half_open_status(entry, status);
            return true;
        }
    }
    return false;
}

void estab_counters(const estab_stack *stack, struct estab_counters *counters)
{
    *counters = stack->counters;
    counters->shed_fragments = ip_fragments_use(stack->ip).shed;
}

/*
 * What one record takes with its shares: three halves of a table entry, and for a connection a place among
 * the timers.
 */
static size_t share_of_table(void)
{
    return sizeof(struct table_entry) * 3 / 2;
}

/* By what the budget is used now. A block that no receive queue and no reply holds is a sender's. */
static void memory_held(const struct estab_stack *stack, struct estab_memory *memory)
{
    const struct pool *pool = &stack->pool;
    struct fragments_use fragments = ip_fragments_use(stack->ip);
    memory->orphans = stack->shed.orphan_count;
    memory->orphans_max = stack->settings.max_orphans;
    uint32_t replies = ip_blocks_used(stack->ip);
    uint32_t send = pool->used - pool->in_order - pool->ahead - replies;
    memory->send_bytes = (size_t)send * pool->block_size;
    memory->reply_bytes = (size_t)replies * pool->block_size;
    memory->receive_bytes = (size_t)pool->in_order * pool->block_size;
    memory->out_of_order_bytes = (size_t)pool->ahead * pool->block_size;
    memory->fragment_bytes = fragments.bytes;
    memory->fragment_bytes_max = fragments.bytes_max;
    memory->time_wait_bytes = memory->time_wait * memory->per_time_wait;
    memory->half_open_bytes = memory->half_open * memory->per_half_open;
    memory->connection_bytes = memory->connections * memory->per_connection;
    memory->used = stack->fixed + (size_t)pool->used * pool->block_size;
    memory->used_high = stack->fixed + (size_t)pool->used_high * pool->block_size;
}

void estab_memory(const estab_stack *stack, struct estab_memory *memory)
{
    const struct settings *s = &stack->settings;
    size_t timers = sizeof(struct timers_entry) + sizeof(uint32_t);
    *memory = (struct estab_memory){
        .budget = stack->budget,
        .fixed = stack->fixed,
        .per_connection = sizeof(struct conn) + timers + share_of_table(),
        .per_time_wait = sizeof(struct time_wait) + share_of_table(),
        .per_half_open = sizeof(struct half_open) + share_of_table(),
        .connections = stack->conn_count,
        .connections_max = s->max_connections,
        .time_wait = stack->time_wait_count,
        .time_wait_max = s->max_time_wait,
        .half_open = stack->half_open_count,
        .half_open_max = s->max_half_open,
        .block_size = s->block_size,
        .blocks = stack->pool.total,
        .blocks_used = stack->pool.used,
        .blocks_used_high = stack->pool.used_high,
    };
    /*
     * A buffer's blocks, one that is begun, one that a scaled window rounds up to; a block for each range
     * ahead and their list.
     */
    uint64_t payload = pool_payload(&stack->pool);
    uint64_t receive = s->receive_buffer / payload + 3;
    uint64_t send = s->send_buffer / payload + 2;
    memory->worst_case_connection = memory->per_connection + (receive + send + 1) * s->block_size;
    memory_held(stack, memory);
}

uint32_t estab_flow_hash(const uint8_t key[16], const struct estab_addr *a, const struct estab_addr *b)
{
    struct siphash_key sip = siphash_key_read(key);
    struct flow_key forward = {ip_of(a), ip_of(b), a->port, b->port};
    struct flow_key back = {ip_of(b), ip_of(a), b->port, a->port};
    struct flow_words words;
    flow_words_of(&forward, &words);
    uint64_t sum = siphash13(&sip, words.w, words.count);
    flow_words_of(&back, &words);
    sum += siphash13(&sip, words.w, words.count); /* the same for both directions */
    return (uint32_t)(sum ^ sum >> 32);
}
