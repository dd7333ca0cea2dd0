/*
 * From packets to connections. A batch goes through in three passes, so that the cache misses of one packet
 * are taken while others are worked on: the IP layer and the hash, the table's candidate, the segment itself.
 */
#include "base/mem.h"
#include "stack/stack.h"
#include "tcp/icmp_error.h"
#include "tcp/mtu_probing.h"
#include "wire/checksum.h"

#define BATCH 16

/* A packet between the passes. */
struct waiting {
    struct ip_received received;
    struct arrival arrival;
    uint32_t hash; /* of its flow */
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
static struct estab_trace *trace_ahead(struct estab_stack *stack, const struct arrival *arrival,
                                       unsigned shift)
{
    if (!trace_on(&stack->trace)) {
        return NULL;
    }
    if (stack->trace.count == stack->trace.capacity) {
        ++*stack->trace.lost;
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
    if (completes && !listener_may_establish(stack, &stack->conns[conn->partner], arrival)) {
        return;
    }
    shed_for_segment(stack, conn, arrival->seg);
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
                        : (id & RECORD_IDS) ? NULL
                                            : &stack->conns[id];
    unsigned shift = conn != NULL ? conn->tcp.snd_shift : 0;
    struct estab_trace *record = trace_ahead(stack, arrival, shift);
    if (conn != NULL && conn->tcp.state == ESTAB_LISTEN) {
        listener_segment(stack, conn, arrival);
    } else if (conn != NULL) {
        conn_segment(stack, conn, arrival);
    } else if (id != TABLE_NONE && (id & TIME_WAIT_ID)) {
        time_wait_segment(stack, id & ~RECORD_IDS, arrival);
    } else if (id != TABLE_NONE) {
        half_open_segment(stack, id & ~RECORD_IDS, arrival);
    } else {
        closed_segment(stack, arrival);
    }
    trace_outcome(record, arrival->packet);
    if (arrival->packet->reason != ESTAB_DROP_NONE) {
        stack->counters.drops[arrival->packet->reason]++;
    }
}

static void tcp_arrives(struct estab_stack *stack, struct waiting *waiting)
{
    struct arrival *arrival = &waiting->arrival;
    struct tcp_segment seg;
    uint32_t id = flow_find(stack, &arrival->key, waiting->hash);
    enum estab_drop bad = ESTAB_DROP_NONE;
    if (id == TABLE_NONE) {
        bad = ip_check_addresses(stack->ip, &waiting->received);
    }
    if (bad == ESTAB_DROP_NONE) {
        bad = parse(arrival->packet, &waiting->received.datagram, &seg);
    }
    if (bad != ESTAB_DROP_NONE) {
        drop(stack, arrival->packet, bad);
        trace_drop(stack, arrival->packet);
        return;
    }
    stack->counters.segments_in++;
    arrival->seg = &seg;
    deliver(stack, arrival, id);
    arrival->seg = NULL; /* it ends here */
}

/* ---- ICMP errors ---- */

static void path_too_big(struct estab_stack *stack, struct conn *conn, const struct ip_received *received)
{
    uint32_t mtu = ip_path_mtu_lower(stack->ip, stack->tcp.now, &conn->remote, received->error_mtu);
    uint32_t headers = conn_headers(conn);
    uint32_t mss = mtu > headers ? mtu - headers : 0;
    if (mss < conn->tcp.path_mss) {
        stack->counters.path_mtu_changes++;
        tcp_path_mss_changed(&conn->tcp, &stack->tcp, mss);
    } else {
        mtu_probing_on_probe_refused(&conn->tcp, &stack->tcp, mss);
    }
}

/* MUST-54, R5927-02 */
static void icmp_arrives(struct estab_stack *stack, struct estab_packet *packet,
                         const struct ip_received *received)
{
    const struct icmp_quote *quote = &received->quote;
    struct flow_key key = {quote->datagram.source, quote->datagram.destination, quote->source_port,
                           quote->destination_port};
    uint32_t id = flow_find(stack, &key, flow_hash(stack, &key));
    struct conn *conn = id == TABLE_NONE || (id & RECORD_IDS) ? NULL : &stack->conns[id];
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

static void name_flow(struct estab_stack *stack, struct waiting *waiting, struct estab_packet *packet)
{
    const struct ip_datagram *datagram = &waiting->received.datagram;
    struct arrival *arrival = &waiting->arrival;
    bool long_enough = datagram->length >= TCP_HEADER;
    arrival->key.local = datagram->destination;
    arrival->key.remote = datagram->source;
    arrival->key.local_port = long_enough ? get_be16(datagram->payload + 2) : 0;
    arrival->key.remote_port = long_enough ? get_be16(datagram->payload) : 0;
    arrival->packet = packet;
    arrival->interface = (uint8_t)packet->interface;
    arrival->reuses = false;
    waiting->hash = flow_hash(stack, &arrival->key);
    table_prefetch(&stack->table, waiting->hash);
}

/*
 * First pass. Returns how many packets it took: a reassembled datagram ends the batch, since its buffer is
 * used again.
 */
static unsigned take_apart(struct estab_stack *stack, struct estab_packet *packets, unsigned count,
                           struct waiting *batch)
{
    for (unsigned i = 0; i < count; i++) {
        struct estab_packet *packet = &packets[i];
        packet->conn = 0;
        packet->reason = ESTAB_DROP_NONE;
        packet->state_before = packet->state_after = ESTAB_CLOSED;
        stack->counters.bytes_in += packet->length;
        ip_input(stack->ip, stack->tcp.now, packet, &batch[i].received);
        if (batch[i].received.kind != IP_RECEIVED_TCP) {
            continue;
        }
        name_flow(stack, &batch[i], packet);
        const uint8_t *payload = batch[i].received.datagram.payload;
        bool reassembled = payload < packet->data || payload >= packet->data + packet->length;
        if (reassembled) {
            return i + 1;
        }
    }
    return count;
}

/* Second pass: what the third will read and write of a connection. */
static void prefetch(const struct estab_stack *stack, uint32_t hash)
{
    uint32_t position = table_home(&stack->table, hash);
    uint32_t id = table_next(&stack->table, hash, &position);
    if (id == TABLE_NONE) {
        return;
    }
    if (!(id & RECORD_IDS)) {
        conn_prefetch(&stack->conns[id]);
    } else if (id & TIME_WAIT_ID) {
        __builtin_prefetch(&stack->time_waits[id & ~RECORD_IDS], 1);
    } else {
        __builtin_prefetch(&stack->half_opens[id & ~RECORD_IDS], 1);
    }
}

static void handle(struct estab_stack *stack, struct estab_packet *packet, struct waiting *waiting)
{
    switch (waiting->received.kind) {
    case IP_RECEIVED_TCP:
        tcp_arrives(stack, waiting);
        return;
    case IP_RECEIVED_ICMP_ERROR:
        icmp_arrives(stack, packet, &waiting->received);
        return;
    case IP_RECEIVED_NOTHING:
        if (waiting->received.drop != ESTAB_DROP_NONE) {
            drop(stack, packet, waiting->received.drop);
            trace_drop(stack, packet);
        }
        return;
    }
}

void estab_input(estab_stack *stack, uint64_t now, struct estab_packet *packets, unsigned count)
{
    struct waiting batch[BATCH];
    stack->tcp.now = now;
    while (count > 0) {
        unsigned taken = take_apart(stack, packets, count < BATCH ? count : BATCH, batch);
        stack->counters.packets_in += taken;
        for (unsigned i = 0; taken > 1 && i < taken; i++) {
            if (batch[i].received.kind == IP_RECEIVED_TCP) {
                prefetch(stack, batch[i].hash);
            }
        }
        for (unsigned i = 0; i < taken; i++) {
            handle(stack, &packets[i], &batch[i]);
        }
        packets += taken;
        count -= taken;
    }
    wake_starved(stack);
    if (ip_take_settled(stack->ip)) {
        unpark_all(stack);
    }
}
