/*
 * Packets out: what this host owes the link (ARP, ICMP), segments for no connection, then connections in
 * turn. A segment's text is copied once, summed on the way, or not at all where the driver gathers slices.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "stack/stack.h"
#include "tcp/output.h"
#include "tcp/timers.h"
#include "wire/checksum.h"

#define MAX_HEADERS 114 /* Ethernet, IPv6, and TCP with all its options */
#define BURST 16      /* packets of one connection before the next has its turn */
#define MAX_SLICES 64 /* of one packet's text */

static void leave_checksum(struct estab_packet *packet, uint8_t *field, uint64_t pseudo, uint32_t start)
{
    uint16_t folded = checksum_fold(pseudo);
    memcpy(field, &folded, 2);
    packet->flags = ESTAB_PACKET_CHECKSUM_PARTIAL;
    packet->checksum_start = (uint16_t)start;
    packet->checksum_offset = 16;
}

void frame_finish(struct estab_stack *stack, struct estab_packet *packet, struct frame *frame)
{
    struct ip_header_fields *ip = &frame->ip;
    uint32_t at = ip_path_header(frame->path, !ip_addr_is_v4(&ip->source));
    uint32_t segment = frame->header_length + frame->text_length;
    uint8_t *header = packet->data + at;
    uint64_t pseudo =
        checksum_pseudo(&ip->source, &ip->destination, IP_PROTOCOL_TCP) + checksum_length(segment);
    packet->flags = 0;
    if (ip_interface(stack->ip, frame->path->interface)->checksum_offload) {
        leave_checksum(packet, header + 16, pseudo, at);
    } else {
        checksum_put(header + 16, pseudo + frame->header_sum + frame->text_sum); /* MUST-2 */
    }
    ip->payload_length = segment;
    ip_path_write(stack->ip, frame->path, ip, packet->data);
    packet->header_length = (uint16_t)(at + frame->header_length);
    packet->length = at + segment - (packet->slice_count > 0 ? frame->text_length : 0);
    packet->interface = frame->path->interface;
}

/* ---- text ---- */

/* The sum of a run that stands `at` bytes behind the start of the text. */
static uint64_t add_run(uint64_t sum, uint32_t at, uint64_t run)
{
    return (at & 1) ? checksum_add_odd(sum, run) : sum + run;
}

/*
 * Copies the text behind the headers, in as many rounds as its blocks take; returns its sum where software
 * makes the checksum.
 */
static uint64_t copy_text(struct conn *conn, const struct tcp_plan *plan, uint8_t *to, bool sum_it)
{
    struct slice slices[MAX_SLICES];
    uint64_t sum = 0;
    uint32_t done = 0;
    uint32_t length = plan->seg.text_length;
    while (done < length) {
        tcp_seq from = seq_add(plan->seg.seq, done);
        unsigned count = send_queue_slices(&conn->tcp.snd, from, length - done, slices, MAX_SLICES);
        for (unsigned i = 0; i < count; i++) {
            if (sum_it) {
                sum = add_run(sum, done, checksum_copy(to + done, slices[i].data, slices[i].length));
            } else {
                memcpy(to + done, slices[i].data, slices[i].length);
            }
            done += (uint32_t)slices[i].length;
        }
    }
    return sum;
}

/* Slices of text that the packet may refer to. */
static unsigned slice_room(const struct estab_packet *packet)
{
    if (packet->slices == NULL) {
        return 0;
    }
    return packet->slice_capacity < MAX_SLICES ? packet->slice_capacity : MAX_SLICES;
}

/* Lets the packet's slices point at the text, if it has room for all of them. */
static bool refer_text(struct conn *conn, const struct tcp_plan *plan, struct estab_packet *packet)
{
    struct slice slices[MAX_SLICES];
    unsigned room = slice_room(packet);
    uint32_t length = plan->seg.text_length;
    if (length == 0 || room == 0) {
        return false;
    }
    unsigned count = send_queue_slices(&conn->tcp.snd, plan->seg.seq, length, slices, room);
    size_t covered = 0;
    for (unsigned i = 0; i < count; i++) {
        packet->slices[i] = (struct estab_slice){slices[i].data, slices[i].length};
        covered += slices[i].length;
    }
    packet->slice_count = covered == length ? (uint16_t)count : 0;
    return packet->slice_count > 0;
}

static uint64_t sum_slices(const struct estab_packet *packet)
{
    uint64_t sum = 0;
    uint32_t done = 0;
    for (unsigned i = 0; i < packet->slice_count; i++) {
        sum = add_run(sum, done, checksum_sum(packet->slices[i].data, packet->slices[i].length));
        done += (uint32_t)packet->slices[i].length;
    }
    return sum;
}

/* ---- one segment of a connection ---- */

static void trace_output(struct estab_stack *stack, const struct conn *conn, const struct tcp_plan *plan)
{
    if (!trace_on(&stack->trace)) {
        return;
    }
    conn_context(stack, conn, stack->tcp.now);
    struct estab_trace *record = trace_add(&stack->trace, stack->tcp.now, ESTAB_TRACE_SEGMENT_OUT);
    if (record != NULL) {
        record->state = record->state_after = conn->tcp.state;
        record->reason = plan->reason;
        trace_segment_fields(&record->segment, &plan->seg,
                             (plan->seg.flags & TCP_SYN) ? 0 : conn->tcp.rcv_shift);
    }
}

static void describe(const struct estab_stack *stack, const struct conn *conn, const struct tcp_plan *plan,
                     struct estab_packet *packet)
{
    packet->conn = conn_handle(stack, conn);
    packet->state_before = packet->state_after = conn->tcp.state;
    packet->reason = plan->reason;
    packet->gso_size = plan->seg.text_length > plan->segment_size ? (uint16_t)plan->segment_size : 0;
}

static void build(struct estab_stack *stack, struct conn *conn, struct tcp_plan *plan,
                  struct estab_packet *packet)
{
    struct frame frame = {
        .ip.source = conn->local,
        .ip.destination = conn->remote,
        .ip.flow_label = conn->flow_label,
        .ip.protocol = IP_PROTOCOL_TCP,
        .ip.hop_limit = conn->hop_limit != 0 ? conn->hop_limit : stack->settings.hop_limit,
        .ip.traffic_class = (uint8_t)(conn->dscp << 2), /* MUST-48, SHLD-21, SHLD-22 */
        .path = &conn->path,
        .text_length = plan->seg.text_length,
    };
    uint8_t *header = packet->data + ip_path_header(&conn->path, !ip_addr_is_v4(&conn->local));
    plan->seg.source_port = conn->local_port;
    plan->seg.destination_port = conn->remote_port;
    frame.header_length = tcp_header_write_sum(header, &plan->seg, &frame.header_sum);
    bool sum_it = !ip_interface(stack->ip, conn->path.interface)->checksum_offload;
    packet->slice_count = 0;
    if (refer_text(conn, plan, packet)) {
        frame.text_sum = sum_it ? sum_slices(packet) : 0;
    } else {
        frame.text_sum = copy_text(conn, plan, header + frame.header_length, sum_it);
    }
    frame_finish(stack, packet, &frame);
    describe(stack, conn, plan, packet);
    trace_output(stack, conn, plan);
}

/* Text that slices are sure to cover, wherever it begins in its first block. */
static uint32_t text_to_refer(const struct estab_stack *stack, const struct estab_packet *packet)
{
    uint32_t slices = slice_room(packet);
    return slices > 1 ? (slices - 1) * pool_payload(&stack->pool) : 0;
}

/* Text of one packet: what the interface can cut, what the driver's room or our slices can hold. */
static uint32_t most_text(const struct estab_stack *stack, const struct conn *conn,
                          const struct estab_packet *packet)
{
    uint32_t most = ip_interface(stack->ip, conn->path.interface)->gso_max;
    if (most == 0) {
        return 0;
    }
    uint32_t refer = text_to_refer(stack, packet);
    uint32_t copy = packet->capacity - MAX_HEADERS;
    uint32_t limit = refer > copy ? refer : copy;
    return most < limit ? most : limit;
}

/* A driver whose room is smaller than it promised gets nothing that is larger: nothing is written past it. */
static bool fits(const struct estab_stack *stack, const struct conn *conn, const struct tcp_plan *plan,
                 const struct estab_packet *packet)
{
    uint32_t length = plan->seg.text_length;
    if (MAX_HEADERS + length <= packet->capacity) {
        return true;
    }
    uint32_t headers = ip_path_header(&conn->path, !ip_addr_is_v4(&conn->local)) + TCP_HEADER +
                       tcp_options_length(&plan->seg.options, plan->seg.flags & TCP_SYN);
    return headers + length <= packet->capacity || length <= text_to_refer(stack, packet);
}

/* The way to the peer, found again where routes or neighbours have changed. */
static enum ip_path_state path_state(struct estab_stack *stack, struct conn *conn)
{
    if (!ip_path_valid(stack->ip, &conn->path) && conn_find_path(stack, conn, stack->tcp.now) != 0) {
        return IP_PATH_FAILED;
    }
    return ip_path_resolve(stack->ip, stack->tcp.now, &conn->path);
}

static void note_unreachable(struct conn *conn)
{
    if (conn->tcp.soft_error != -ESTAB_EHOSTUNREACH && conn->tcp.soft_errors) {
        conn->tcp.events |= ESTAB_SOFT_ERROR;
    }
    conn->tcp.soft_error = -ESTAB_EHOSTUNREACH;
}

bool conn_pull(struct estab_stack *stack, struct conn *conn, struct estab_packet *packet)
{
    struct tcp_plan plan;
    struct tcp_conn *c = &conn->tcp;
    struct tcp_context *ctx = &stack->tcp;
    if (!tcp_output_decide(c, ctx, most_text(stack, conn, packet), &plan)) {
        tcp_output_idle(c, ctx, &plan);
        return false;
    }
    enum ip_path_state state = path_state(stack, conn);
    if (state != IP_PATH_READY) {
        conn->parked = state == IP_PATH_WAIT;
        if (state == IP_PATH_FAILED) {
            note_unreachable(conn);
            c->owed &= OWED_ACK_LATER; /* lost, as on the wire: the timer tries again */
        }
        tcp_timers_on_blocked(c, ctx);
        return false;
    }
    if (!fits(stack, conn, &plan, packet)) {
        return false;
    }
    build(stack, conn, &plan, packet);
    if (plan.seg.flags & TCP_ACK && c->ack_reason == ESTAB_REASON_ACK) {
        ip_path_confirm(stack->ip, ctx->now, &conn->path);
    }
    tcp_output_sent(c, ctx, &plan);
    return true;
}

/* ---- in turn ---- */

static struct conn *output_pop(struct estab_stack *stack)
{
    struct conn *conn = &stack->conns[stack->output.head];
    stack->output.head = conn->output_next;
    if (stack->output.head == NONE) {
        stack->output.tail = NONE;
    }
    conn->in_output = false;
    stack->burst = 0;
    return conn;
}

static void park(struct estab_stack *stack, struct conn *conn)
{
    conn->in_output = true;
    conn->output_next = stack->parked.head;
    stack->parked.head = conn_index(stack, conn);
}

/* The head of the queue lets go: it has nothing more, or waits for its neighbour. */
static void finish_turn(struct estab_stack *stack, struct conn *conn)
{
    output_pop(stack);
    if (!conn->in_use) {
        conn_recycle(stack, conn);
        return;
    }
    if (conn->parked) {
        park(stack, conn);
    }
    conn_settle_timers(stack, conn);
}

/* Fills one packet from the connection at the head of the queue, or lets it go. */
static bool pull_next(struct estab_stack *stack, struct estab_packet *packet)
{
    struct conn *conn = &stack->conns[stack->output.head];
    if (!conn->in_use || !conn_pull(stack, conn, packet)) {
        finish_turn(stack, conn);
        return false;
    }
    if (!conn_may_have_output(&conn->tcp)) {
        finish_turn(stack, conn);
    } else if (++stack->burst >= BURST) {
        finish_turn(stack, conn);
        queue_output(stack, conn);
    }
    return true;
}

static void count_out(struct estab_stack *stack, const struct estab_packet *packet, bool tcp)
{
    stack->counters.packets_out++;
    stack->counters.bytes_out += packet->length;
    for (unsigned i = 0; i < packet->slice_count; i++) {
        stack->counters.bytes_out += packet->slices[i].length;
    }
    stack->counters.segments_out += tcp;
}

/* What does not belong to a connection goes first: ARP, ICMP, RST, TIME-WAIT's ACKs. */
static bool pull_own(struct estab_stack *stack, struct estab_packet *packet)
{
    uint64_t now = stack->tcp.now;
    bool own = ip_pull(stack->ip, now, packet);
    bool reply = !own && reply_pull(stack, packet);
    own = own || (!reply && ip_pull(stack->ip, now, packet)); /* a reply's neighbour is asked for */
    if (own || reply) {
        count_out(stack, packet, reply);
    }
    return own || reply;
}

static void clear(struct estab_packet *packet)
{
    packet->slice_count = 0;
    packet->gso_size = 0;
    packet->flags = 0;
    packet->conn = 0;
}

unsigned estab_pull(estab_stack *stack, uint64_t now, struct estab_packet *packets, unsigned count)
{
    stack->tcp.now = now;
    unsigned n = 0;
    bool own = stack->reply_count > 0 || ip_pull_pending(stack->ip);
    while (n < count) {
        struct estab_packet *packet = &packets[n];
        if (packet->capacity < MAX_HEADERS) {
            break;
        }
        clear(packet);
        if (own && pull_own(stack, packet)) {
            n++;
            continue;
        }
        own = false;
        if (stack->output.head == NONE) {
            break;
        }
        if (pull_next(stack, packet)) {
            count_out(stack, packet, true);
            n++;
        } else {
            own = stack->reply_count > 0 || ip_pull_pending(stack->ip); /* a neighbour is asked for */
        }
    }
    if (n > 0 && stack->output.head != NONE) {
        conn_settle_timers(stack, &stack->conns[stack->output.head]);
    }
    return n;
}

bool estab_pull_pending(const estab_stack *stack)
{
    return stack->output.head != NONE || stack->reply_count > 0 || ip_pull_pending(stack->ip);
}
