/*
 * Segments that belong to no connection: RSTs, SYN,ACKs of the SYN cache and cookies, the ACKs of TIME-WAIT.
 * They wait in a small ring until they are pulled; what finds no room there is dropped and counted, and RSTs
 * that strangers provoke are limited in rate, each remote by itself. A few may also wait for a neighbour that
 * is being asked for (RFC 1122 2.3.2.2).
 */
#include "base/mem.h"
#include "stack/stack.h"
#include "wire/checksum.h"

struct reply *reply_room(struct estab_stack *stack)
{
    uint32_t size = stack->settings.max_replies;
    if (stack->reply_count == size) {
        stack->counters.drops[ESTAB_DROP_REPLY_QUEUE]++;
        return NULL;
    }
    uint32_t place = stack->reply_head + stack->reply_count++;
    return &stack->replies[place < size ? place : place - size];
}

void reply_add(struct estab_stack *stack, const struct flow_key *key, const struct reply *reply)
{
    struct reply *slot = reply_room(stack);
    if (slot == NULL) {
        return;
    }
    *slot = *reply;
    slot->source = key->local;
    slot->destination = key->remote;
    slot->source_port = key->local_port;
    slot->destination_port = key->remote_port;
}

/* RSTs for one remote do not show in what another gets (CVE-2016-5696). */
static bool reset_allowed(struct estab_stack *stack, const struct ip_addr *remote)
{
    bool allowed = ip_reply_allowed(stack->ip, stack->tcp.now, remote, IP_REPLY_RESET);
    stack->counters.drops[ESTAB_DROP_REPLY_LIMIT] += !allowed;
    return allowed;
}

void reply_reset(struct estab_stack *stack, const struct arrival *arrival)
{
    struct reply reply = {.interface = arrival->interface};
    if (!tcp_reset_for(arrival->seg, &reply.tcp) || !reset_allowed(stack, &arrival->key.remote)) {
        return;
    }
    reply.state_before = arrival->packet->state_before;
    reply.state_after = arrival->packet->state_after;
    /*
     * DEVIATION from R7323-31: no timestamp in a RST from SYN-SENT. It is to clear an old connection of
     * the peer (RFC 9293 3.5.2), and Linux applies PAWS to a RST for its TIME-WAIT: a TSval of 0 may be old.
     */
    reply.tcp.timestamps = reply.tcp.timestamps && reply.state_before != ESTAB_SYN_SENT;
    stack->counters.resets_out++;
    reply_add(stack, &arrival->key, &reply);
}

static void trace_reply(struct estab_stack *stack, const struct reply *reply, const struct tcp_segment *seg)
{
    if (!trace_on(&stack->trace)) {
        return;
    }
    stack->trace.who = (struct trace_identity){
        .conn = reply->conn,
        .local = addr_of(&reply->source, reply->source_port, 0),
        .remote = addr_of(&reply->destination, reply->destination_port, 0),
    };
    struct estab_trace *record = trace_add(&stack->trace, stack->tcp.now, ESTAB_TRACE_SEGMENT_OUT);
    if (record != NULL) {
        record->state = reply->state_before;
        record->state_after = reply->state_after;
        record->reason = reply->tcp.reason;
        trace_segment_fields(&record->segment, seg, 0);
    }
}

static void segment_of(const struct reply *reply, struct tcp_segment *seg)
{
    tcp_segment_clear(seg);
    seg->source_port = reply->source_port;
    seg->destination_port = reply->destination_port;
    seg->seq = reply->tcp.seq;
    seg->ack = reply->tcp.ack;
    seg->flags = reply->tcp.flags;
    seg->wnd = reply->tcp.wnd;
    seg->options.has_timestamps = reply->tcp.timestamps;
    seg->options.tsval = reply->tcp.tsval;
    seg->options.tsecr = reply->tcp.tsecr;
    seg->options.has_mss = reply->tcp.has_mss;
    seg->options.mss = reply->tcp.mss;
    seg->options.has_window_scale = reply->tcp.has_window_scale;
    seg->options.window_scale = reply->tcp.window_scale;
    seg->options.sack_permitted = reply->tcp.sack_permitted;
}

static void build(struct estab_stack *stack, struct reply *reply, const struct ip_path *path,
                  struct estab_packet *packet)
{
    struct tcp_segment seg;
    segment_of(reply, &seg);
    bool v6 = !ip_addr_is_v4(&reply->source);
    uint32_t ports = (uint32_t)reply->source_port << 16 | reply->destination_port;
    struct frame frame = {
        .path = path,
        .ip.source = reply->source,
        .ip.destination = reply->destination,
        .ip.flow_label = v6 ? ip_flow_label(stack->ip, &reply->source, &reply->destination, ports) : 0,
        .ip.hop_limit = reply->hop_limit != 0 ? reply->hop_limit : stack->settings.hop_limit,
        .ip.traffic_class = reply->traffic_class,
        .ip.protocol = IP_PROTOCOL_TCP,
    };
    frame.header_length =
        tcp_header_write_sum(packet->data + ip_path_header(path, v6), &seg, &frame.header_sum);
    packet->interface = path->interface;
    packet->conn = reply->conn;
    packet->state_before = reply->state_before;
    packet->state_after = reply->state_after;
    packet->reason = reply->tcp.reason;
    frame_finish(stack, packet, &frame);
    trace_reply(stack, reply, &seg);
}

/* RFC 1122 2.3.2.2: the latest are kept. A few are enough: it is the first packet to a peer that waits. */
static void park(struct estab_stack *stack, const struct reply *reply, const struct ip_path *path)
{
    struct waiting_reply *waiting = stack->waiting_replies;
    if (stack->replies_waiting == REPLIES_WAITING) {
        stack->counters.drops[ESTAB_DROP_NEIGHBOUR_UNKNOWN]++;
        stack->replies_waiting--;
        memmove(waiting, waiting + 1, stack->replies_waiting * sizeof *waiting);
    }
    waiting[stack->replies_waiting++] = (struct waiting_reply){*reply, *path};
}

/* Whose neighbour was forgotten meanwhile has lost its place: asking again would be a second question. */
void replies_unpark(struct estab_stack *stack)
{
    uint32_t count = stack->replies_waiting;
    stack->replies_waiting = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct waiting_reply *waiting = &stack->waiting_replies[i];
        bool valid = ip_path_valid(stack->ip, &waiting->path);
        struct reply *slot = valid ? reply_room(stack) : NULL;
        stack->counters.drops[ESTAB_DROP_NEIGHBOUR_UNKNOWN] += !valid;
        if (slot != NULL) {
            *slot = waiting->reply;
        }
    }
}

/* The way to whom a reply goes; it is ready only if this says so. */
static enum ip_path_state find_way(struct estab_stack *stack, struct reply *reply, struct ip_path *path)
{
    struct ip_path_query query = {&reply->destination, 0, reply->interface};
    if (ip_path_find(stack->ip, stack->tcp.now, &query, &reply->source, path) != 0) {
        return IP_PATH_FAILED;
    }
    return ip_path_resolve(stack->ip, stack->tcp.now, path);
}

bool reply_pull(struct estab_stack *stack, struct estab_packet *packet)
{
    while (stack->reply_count > 0) {
        struct reply *reply = &stack->replies[stack->reply_head];
        stack->reply_head = stack->reply_head + 1 == stack->settings.max_replies ? 0 : stack->reply_head + 1;
        stack->reply_count--;
        struct ip_path path = {0};
        enum ip_path_state state = find_way(stack, reply, &path);
        if (state == IP_PATH_READY) {
            build(stack, reply, &path, packet);
            return true;
        }
        if (state == IP_PATH_WAIT) {
            park(stack, reply, &path);
        } else {
            stack->counters.drops[ESTAB_DROP_NEIGHBOUR_UNKNOWN]++;
        }
    }
    return false;
}
