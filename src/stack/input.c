/*
 * From packets to connections. A batch goes through in three passes, so that the cache misses of one packet are taken while others are worked on: the IP layer and the hash,
 * the table's candidate, the segment itself.
 */
#include "base/mem.h"
#include "stack/stack.h"
#include "tcp/icmp_error.h"
#include "wire/checksum.h"

#define BATCH 16

struct batch {
    struct ip_received received[BATCH];
    uint32_t hash[BATCH];
    struct flow_key key[BATCH];
};

static void drop(struct estab_stack *stack, struct estab_packet *packet, enum estab_drop reason)
{
    packet->reason = (uint8_t)reason;
    stack->counters.drops[reason]++;
}

/* What tells traces of a packet that met no connection. */
static void trace_drop(struct estab_stack *stack, const struct estab_packet *packet)
{
    if (trace_on(&stack->trace)) {
        stack->trace.who = (struct trace_identity){0};
        struct estab_trace *record = trace_add(&stack->trace, stack->tcp.now, ESTAB_TRACE_DROP);
        if (record != NULL) {
            record->drop = packet->reason;
        }
    }
}

/* ---- one segment ---- */

static bool checksum_right(const struct estab_packet *packet, const struct ip_datagram *datagram)
{
    if (packet->flags & ESTAB_PACKET_CHECKSUM_VALID) {
        return true;
    }
    uint64_t sum = checksum_pseudo(&datagram->source, &datagram->destination, IP_PROTOCOL_TCP);
    sum += checksum_length(datagram->length) + checksum_sum(datagram->payload, datagram->length);
    return checksum_ok(sum); /* MUST-3 */
}

static enum estab_drop parse(const struct estab_packet *packet, const struct ip_datagram *datagram,
                             struct tcp_segment *seg)
{
    enum tcp_parse_verdict verdict = tcp_segment_parse(datagram->payload, datagram->length, seg);
    if (verdict == TCP_TRUNCATED || verdict == TCP_BAD_OFFSET) {
        return ESTAB_DROP_TCP_HEADER;
    }
    if (!checksum_right(packet, datagram)) {
        return ESTAB_DROP_TCP_CHECKSUM;
    }
    seg->merged_size = packet->gso_size;
    return verdict == TCP_BAD_OPTION ? ESTAB_DROP_TCP_OPTION : ESTAB_DROP_NONE; /* MUST-7 */
}

static void trace_arrival(struct estab_stack *stack, const struct arrival *arrival, unsigned shift)
{
    if (!trace_on(&stack->trace)) {
        return;
    }
    const struct estab_packet *packet = arrival->packet;
    stack->trace.who = (struct trace_identity){
        .conn = packet->conn,
        .local = addr_of(&arrival->key.local, arrival->key.local_port, 0),
        .remote = addr_of(&arrival->key.remote, arrival->key.remote_port, 0),
    };
    struct estab_trace *record = trace_add(&stack->trace, stack->tcp.now, ESTAB_TRACE_SEGMENT_IN);
    if (record == NULL) {
        return;
    }
    record->state = packet->state_before;
    record->state_after = packet->state_after;
    record->drop = packet->reason;
    trace_segment_fields(&record->segment, arrival->seg, (arrival->seg->flags & TCP_SYN) ? 0 : shift);
}

/* The segment's record stands in the trace before the arrows that it takes. */
static struct estab_trace *trace_ahead(struct estab_stack *stack, const struct arrival *arrival, unsigned shift)
{
    if (!trace_on(&stack->trace) || stack->trace.count == stack->trace.capacity) {
        return NULL;
    }
    uint32_t place = (stack->trace.head + stack->trace.count) % stack->trace.capacity;
    trace_arrival(stack, arrival, shift);
    return &stack->trace.records[place];
}

static void trace_outcome(struct estab_trace *record, const struct estab_packet *packet)
{
    if (record != NULL) {
        record->conn = packet->conn;
        record->state = packet->state_before;
        record->state_after = packet->state_after;
        record->drop = packet->reason;
    }
}

static void conn_segment(struct estab_stack *stack, struct conn *conn, const struct arrival *arrival)
{
    struct estab_packet *packet = arrival->packet;
    packet->conn = conn_handle(stack, conn);
    packet->state_before = packet->state_after = conn->tcp.state;
    bool completes = conn->has_parent && conn->tcp.state == ESTAB_SYN_RECEIVED &&
                     (arrival->seg->flags & (TCP_ACK | TCP_RST)) == TCP_ACK;
    if (completes && !child_may_establish(stack, conn)) {
        stack->counters.backlog_overflows++;
        packet->reason = ESTAB_DROP_BACKLOG;
        return;
    }
    struct tcp_context *ctx = conn_context(stack, conn, stack->tcp.now);
    struct tcp_verdict verdict = tcp_segment_arrives(&conn->tcp, ctx, arrival->seg);
    packet->reason = (uint8_t)verdict.drop;
    packet->state_after = conn->tcp.state;
    if (verdict.reset) {
        reply_reset(stack, arrival);
    }
    conn_settle(stack, conn);
}

static void closed_segment(struct estab_stack *stack, const struct arrival *arrival)
{
    struct estab_packet *packet = arrival->packet;
    packet->state_before = packet->state_after = ESTAB_CLOSED;
    bool reset = (arrival->seg->flags & TCP_RST) != 0;
    packet->reason = reset ? ESTAB_DROP_CLOSED_RST : ESTAB_DROP_NO_CONNECTION;
    reply_reset(stack, arrival);
}

static void deliver(struct estab_stack *stack, struct arrival *arrival, uint32_t id)
{
    struct conn *conn = id == TABLE_NONE ? listener_find(stack, &arrival->key)
                        : (id & TIME_WAIT_ID) ? NULL
                                              : &stack->conns[id];
    unsigned shift = conn != NULL ? conn->tcp.snd_shift : 0;
    struct estab_trace *record = trace_ahead(stack, arrival, shift);
    if (conn != NULL && conn->tcp.state == ESTAB_LISTEN) {
        listener_segment(stack, conn, arrival);
    } else if (conn != NULL) {
        conn_segment(stack, conn, arrival);
    } else if (id != TABLE_NONE) {
        time_wait_segment(stack, id & ~TIME_WAIT_ID, arrival);
    } else {
        closed_segment(stack, arrival);
    }
    trace_outcome(record, arrival->packet);
    stack->counters.drops[arrival->packet->reason] += arrival->packet->reason != ESTAB_DROP_NONE;
}

static void tcp_arrives(struct estab_stack *stack, struct estab_packet *packet, const struct batch *batch, unsigned i)
{
    const struct ip_received *received = &batch->received[i];
    struct tcp_segment seg;
    uint32_t id = flow_find(stack, &batch->key[i], batch->hash[i]);
    enum estab_drop bad = id == TABLE_NONE ? ip_check_addresses(stack->ip, received) : ESTAB_DROP_NONE;
    if (bad == ESTAB_DROP_NONE) {
        bad = parse(packet, &received->datagram, &seg);
    }
    if (bad != ESTAB_DROP_NONE) {
        drop(stack, packet, bad);
        trace_drop(stack, packet);
        return;
    }
    stack->counters.segments_in++;
    struct arrival arrival = {
        .key = batch->key[i],
        .seg = &seg,
        .packet = packet,
        .interface = (uint8_t)received->interface,
    };
    deliver(stack, &arrival, id);
}

/* ---- ICMP errors ---- */

static void path_too_big(struct estab_stack *stack, struct conn *conn, const struct ip_received *received)
{
    uint32_t mtu = ip_path_mtu_lower(stack->ip, stack->tcp.now, &conn->remote, received->error_mtu);
    uint32_t headers = conn_headers(conn);
    uint32_t mss = mtu > headers ? mtu - headers : 0;
    if (mss < conn->tcp.path_mss) {
        stack->counters.path_mtu_changes++;
        tcp_path_mss_changed(&conn->tcp, mss);
    }
}

static void icmp_arrives(struct estab_stack *stack, struct estab_packet *packet, const struct ip_received *received)
{
    const struct icmp_quote *quote = &received->quote;
    struct flow_key key = {quote->datagram.source, quote->datagram.destination, quote->source_port,
                           quote->destination_port};
    uint32_t id = flow_find(stack, &key, flow_hash(stack, &key));
    struct conn *conn = id == TABLE_NONE || (id & TIME_WAIT_ID) ? NULL : &stack->conns[id];
    if (conn == NULL || !tcp_icmp_plausible(&conn->tcp, seq_of(quote->seq))) {
        drop(stack, packet, ESTAB_DROP_ICMP);
        trace_drop(stack, packet);
        return;
    }
    packet->conn = conn_handle(stack, conn);
    packet->state_before = conn->tcp.state;
    struct tcp_context *ctx = conn_context(stack, conn, stack->tcp.now);
    if (received->error == ICMP_PACKET_TOO_BIG) {
        ctx->counters->icmp_errors_delivered++;
        path_too_big(stack, conn, received);
    } else {
        tcp_icmp_error(&conn->tcp, ctx, received->error);
    }
    packet->state_after = conn->tcp.state;
    conn_settle(stack, conn);
}

/* ---- batches ---- */

static bool key_eq(const struct flow_key *a, const struct flow_key *b)
{
    return a->local_port == b->local_port && a->remote_port == b->remote_port &&
           ip_addr_eq(&a->remote, &b->remote) && ip_addr_eq(&a->local, &b->local);
}

/* First pass. Returns how many packets it took: a reassembled datagram ends the batch, since its buffer is used again. */
static unsigned take_apart(struct estab_stack *stack, struct estab_packet *packets, unsigned count, struct batch *batch)
{
    for (unsigned i = 0; i < count; i++) {
        struct ip_received *received = &batch->received[i];
        struct estab_packet *packet = &packets[i];
        packet->conn = 0;
        packet->reason = ESTAB_DROP_NONE;
        packet->state_before = packet->state_after = ESTAB_CLOSED;
        stack->counters.packets_in++;
        stack->counters.bytes_in += packet->length;
        ip_input(stack->ip, stack->tcp.now, packet, received);
        if (received->kind != IP_RECEIVED_TCP) {
            continue;
        }
        const uint8_t *ports = received->datagram.payload;
        bool long_enough = received->datagram.length >= TCP_HEADER;
        batch->key[i] = (struct flow_key){
            .local = received->datagram.destination,
            .remote = received->datagram.source,
            .local_port = long_enough ? get_be16(ports + 2) : 0,
            .remote_port = long_enough ? get_be16(ports) : 0,
        };
        bool same = i > 0 && batch->received[i - 1].kind == IP_RECEIVED_TCP && key_eq(&batch->key[i], &batch->key[i - 1]);
        batch->hash[i] = same ? batch->hash[i - 1] : flow_hash(stack, &batch->key[i]);
        table_prefetch(&stack->table, batch->hash[i]);
        bool reassembled = ports < packet->data || ports >= packet->data + packet->length;
        if (reassembled) {
            return i + 1;
        }
    }
    return count;
}

static void prefetch(const struct estab_stack *stack, uint32_t hash)
{
    uint32_t position = table_home(&stack->table, hash);
    uint32_t id = table_next(&stack->table, hash, &position);
    if (id != TABLE_NONE && !(id & TIME_WAIT_ID)) {
        const char *conn = (const char *)&stack->conns[id];
        __builtin_prefetch(conn, 1);
        __builtin_prefetch(conn + 64, 1);
        __builtin_prefetch(conn + 128, 1);
        __builtin_prefetch(&stack->conns[id].local, 1);
    } else if (id != TABLE_NONE) {
        __builtin_prefetch(&stack->time_waits[id & ~TIME_WAIT_ID], 1);
    }
}

static void handle(struct estab_stack *stack, struct estab_packet *packet, const struct batch *batch, unsigned i)
{
    switch (batch->received[i].kind) {
    case IP_RECEIVED_TCP:
        tcp_arrives(stack, packet, batch, i);
        return;
    case IP_RECEIVED_ICMP_ERROR:
        icmp_arrives(stack, packet, &batch->received[i]);
        return;
    case IP_RECEIVED_NOTHING:
        if (batch->received[i].drop != ESTAB_DROP_NONE) {
            drop(stack, packet, batch->received[i].drop);
            trace_drop(stack, packet);
        }
        return;
    }
}

void estab_input(estab_stack *stack, uint64_t now, struct estab_packet *packets, unsigned count)
{
    struct batch batch;
    stack->tcp.now = now;
    while (count > 0) {
        unsigned taken = take_apart(stack, packets, count < BATCH ? count : BATCH, &batch);
        for (unsigned i = 0; taken > 1 && i < taken; i++) {
            if (batch.received[i].kind == IP_RECEIVED_TCP) {
                prefetch(stack, batch.hash[i]);
            }
        }
        for (unsigned i = 0; i < taken; i++) {
            handle(stack, &packets[i], &batch, i);
        }
        packets += taken;
        count -= taken;
    }
    wake_starved(stack);
    if (ip_take_settled(stack->ip)) {
        unpark_all(stack);
    }
}
