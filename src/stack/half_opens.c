/*
 * The SYN cache (RFC 4987 3.4): handshakes that a listener's SYNs began, each in a record of its own kind
 * until the ACK comes. A record has no buffers and no place among the timers: how long it waits depends on
 * how many SYN,ACKs it has sent, so records stand in one list for each number, in the order of their ends.
 * The rules of SYN-RECEIVED are segment_arrives.c's, see tcp/half_open.h.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "stack/stack.h"
#include "tcp/output.h"

_Static_assert(sizeof(struct half_open) + 12 <= 96, "with its table entry too");

#define MAX_A_CALL 64

void half_opens_init(struct estab_stack *stack)
{
    for (unsigned i = 0; i < HALF_OPEN_LISTS; i++) {
        stack->half_open_lists[i] = (struct index_queue){NONE, NONE};
    }
    stack->half_open_free = NONE;
}

static struct flow_key key_of(const struct half_open *entry)
{
    return (struct flow_key){entry->local, entry->remote, entry->local_port, entry->remote_port};
}

static uint32_t index_of(const struct estab_stack *stack, const struct half_open *entry)
{
    return (uint32_t)(entry - stack->half_opens);
}

/* ---- records and lists ---- */

static struct index_queue *list_of(struct estab_stack *stack, const struct half_open *entry)
{
    return &stack->half_open_lists[entry->tcp.sent - 1];
}

static void append(struct estab_stack *stack, struct half_open *entry)
{
    struct index_queue *queue = list_of(stack, entry);
    uint32_t index = index_of(stack, entry);
    entry->next = NONE;
    entry->previous = queue->tail;
    if (queue->tail == NONE) {
        queue->head = index;
    } else {
        stack->half_opens[queue->tail].next = index;
    }
    queue->tail = index;
}

static void unlink_entry(struct estab_stack *stack, const struct half_open *entry)
{
    struct index_queue *queue = list_of(stack, entry);
    if (entry->previous == NONE) {
        queue->head = entry->next;
    } else {
        stack->half_opens[entry->previous].next = entry->next;
    }
    if (entry->next == NONE) {
        queue->tail = entry->previous;
    } else {
        stack->half_opens[entry->next].previous = entry->previous;
    }
}

static bool full(const struct estab_stack *stack)
{
    return stack->half_open_count == stack->settings.max_half_open;
}

/*
 * Where a limit is sharp, who fills it up to the last place learns by a SYN of his own whether one that he
 * forged has taken that place, and so whether the connection that he named was there already (V-22).
 */
bool place_is_given(const struct estab_stack *stack, const struct flow_key *key, uint32_t left,
                    uint32_t window)
{
    if (left == 0 || left >= window) {
        return left > 0;
    }
    struct flow_words flow;
    flow_words_of(key, &flow);
    flow.w[flow.count] = stack->tcp.now;
    uint64_t chance = siphash13(&stack->cookie_key, flow.w, flow.count + 1) >> 32;
    return (chance * window) >> 32 < left;
}

bool half_opens_have_room(const struct estab_stack *stack, const struct flow_key *key)
{
    uint32_t places = stack->settings.max_half_open;
    return place_is_given(stack, key, places - stack->half_open_count, places / 4);
}

/* The listener's count and the table forget it; its place is free. */
static void forget(struct estab_stack *stack, struct half_open *entry)
{
    struct flow_key key = key_of(entry);
    uint32_t index = index_of(stack, entry);
    table_remove(&stack->table, flow_hash(stack, &key), index | HALF_OPEN_ID);
    unlink_entry(stack, entry);
    stack->conns[entry->listener].listener.half_open--;
    entry->next = stack->half_open_free;
    entry->listener = NONE;
    stack->half_open_free = index;
    stack->half_open_count--;
}

void half_open_trace_identity(struct estab_stack *stack, const struct flow_key *key)
{
    if (trace_on(&stack->trace)) {
        stack->trace.who = (struct trace_identity){
            .local = addr_of(&key->local, key->local_port, 0),
            .remote = addr_of(&key->remote, key->remote_port, 0),
        };
    }
}

static void trace_arrow(struct estab_stack *stack, const struct half_open *entry, unsigned before,
                        unsigned after, unsigned arrow)
{
    if (!trace_on(&stack->trace)) {
        return;
    }
    struct flow_key key = key_of(entry);
    half_open_trace_identity(stack, &key);
    struct estab_trace *record = trace_add(&stack->trace, stack->tcp.now, ESTAB_TRACE_STATE);
    if (record != NULL) {
        record->state = (uint8_t)before;
        record->state_after = (uint8_t)after;
        record->transition = (uint16_t)arrow;
    }
}

/* The arrow of the SYN that a cookie stands for: nobody remembers, so it is told when the cookie is back. */
static void trace_cookie(struct estab_stack *stack, const struct half_open *entry)
{
    uint8_t after = ESTAB_LISTEN;
    unsigned arrow = transition(&after, EVENT_RCV_SYN);
    trace_arrow(stack, entry, ESTAB_LISTEN, after, arrow);
}

static void end(struct estab_stack *stack, struct half_open *entry, enum tcp_event event)
{
    unsigned arrow = transition(&entry->tcp.state, event);
    trace_arrow(stack, entry, ESTAB_SYN_RECEIVED, entry->tcp.state, arrow);
    forget(stack, entry);
}

/* The one that has waited for most: what a stack without cookies gives up for a new SYN. */
static void shed(struct estab_stack *stack)
{
    for (unsigned list = HALF_OPEN_LISTS; list-- > 0;) {
        uint32_t index = stack->half_open_lists[list].head;
        if (index != NONE) {
            stack->counters.half_open_dropped++;
            end(stack, &stack->half_opens[index], EVENT_TIMEOUT_USER);
            return;
        }
    }
}

static struct half_open *take(struct estab_stack *stack)
{
    if (full(stack)) {
        shed(stack);
    }
    uint32_t index = stack->half_open_free;
    if (index != NONE) {
        stack->half_open_free = stack->half_opens[index].next;
    } else {
        index = stack->half_open_fresh++;
    }
    stack->half_open_count++;
    return &stack->half_opens[index];
}

/* ---- the SYN,ACK ---- */

/* How long an entry waits for the ACK: each time twice as long (RFC 6298 5.5). */
static uint64_t patience_ns(const struct estab_stack *stack, const struct half_open *entry)
{
    unsigned doublings = entry->tcp.sent > 0 ? entry->tcp.sent - 1u : 0;
    return stack->settings.limits.rtt.initial_rto_ns << doublings;
}

static void wait_for_ack(struct estab_stack *stack, struct half_open *entry)
{
    entry->deadline_ns = stack->tcp.now + patience_ns(stack, entry);
    append(stack, entry);
}

/* What the unfolded connection owes, as a segment that belongs to none. */
static void answer(struct estab_stack *stack, struct half_open *entry, const struct conn *conn)
{
    struct tcp_plan plan;
    if (!tcp_output_decide(&conn->tcp, &stack->tcp, 0, &plan)) {
        return;
    }
    const struct tcp_options *options = &plan.seg.options;
    struct flow_key key = {conn->local, conn->remote, conn->local_port, conn->remote_port};
    struct reply reply = {
        .tcp = {.seq = plan.seg.seq,
                .ack = plan.seg.ack,
                .flags = plan.seg.flags,
                .wnd = plan.seg.wnd,
                .has_mss = options->has_mss,
                .mss = options->mss,
                .has_window_scale = options->has_window_scale,
                .window_scale = options->window_scale,
                .sack_permitted = options->sack_permitted,
                .timestamps = options->has_timestamps,
                .tsval = options->tsval,
                .tsecr = options->tsecr,
                .reason = plan.reason},
        .interface = conn->path.interface,
        .traffic_class = (uint8_t)(conn->dscp << 2),
        .hop_limit = conn->hop_limit,
        .state_before = ESTAB_SYN_RECEIVED,
        .state_after = ESTAB_SYN_RECEIVED,
    };
    entry->tcp.told = (plan.seg.flags & TCP_SYN) ? entry->tcp.told : plan.seg.wnd;
    reply_add(stack, &key, &reply);
}

/* ---- unfolding ---- */

/*
 * The connection that an entry stands for, in a record of the caller's: with its listener's options and its
 * own addresses. False: there is no way back to the peer any more.
 */
static bool unfold(struct estab_stack *stack, const struct half_open *entry, struct conn *conn)
{
    conn_adopt(conn, &stack->conns[entry->listener]);
    conn->local = entry->local;
    conn->remote = entry->remote;
    conn->local_port = entry->local_port;
    conn->remote_port = entry->remote_port;
    conn->path = (struct ip_path){.interface = entry->tcp.interface};
    if (!conn_way_back(stack, conn)) {
        return false;
    }
    struct open_facts facts = open_facts_of(stack, conn, stack->tcp.now);
    transition(&conn->tcp.state, EVENT_PASSIVE_OPEN); /* the listener's LISTEN, for this one peer */
    half_open_unfold(&entry->tcp, &conn->tcp, &stack->tcp, &facts,
                     entry->deadline_ns - patience_ns(stack, entry));
    return true;
}

bool half_open_copy(struct estab_stack *stack, const struct half_open *entry, struct conn *copy)
{
    conn_clear(stack, copy);
    return unfold(stack, entry, copy);
}

static void send_syn_ack(struct estab_stack *stack, struct half_open *entry)
{
    struct conn conn;
    unlink_entry(stack, entry);
    entry->tcp.sent++;
    if (half_open_copy(stack, entry, &conn)) {
        conn.tcp.owed = OWED_SYN;
        conn.tcp.retransmits = (uint8_t)(entry->tcp.sent - 1);
        stack->counters.segments_retransmitted++;
        answer(stack, entry, &conn);
    }
    wait_for_ack(stack, entry);
}

/* ---- events ---- */

void half_open_begin(struct estab_stack *stack, const struct conn *conn, uint32_t listener)
{
    struct half_open *entry = take(stack);
    *entry = (struct half_open){
        .local = conn->local,
        .remote = conn->remote,
        .local_port = conn->local_port,
        .remote_port = conn->remote_port,
        .listener = listener,
        .tcp.interface = conn->path.interface,
    };
    half_open_fold(&entry->tcp, &conn->tcp);
    entry->tcp.sent = 1;
    stack->conns[listener].listener.half_open++;
    wait_for_ack(stack, entry);
    struct flow_key key = key_of(entry);
    table_insert(&stack->table, flow_hash(stack, &key), index_of(stack, entry) | HALF_OPEN_ID);
    answer(stack, entry, conn);
}

/* The segment met the connection, and the handshake is where it was, or is over. */
static void fold(struct estab_stack *stack, struct half_open *entry, const struct conn *conn)
{
    if (conn->tcp.state == ESTAB_SYN_RECEIVED) {
        half_open_fold(&entry->tcp, &conn->tcp);
        answer(stack, entry, conn);
    } else { /* F-RST-3: the arrow back to LISTEN was taken */
        forget(stack, entry);
    }
}

/* A segment that cannot complete the handshake: an unfolded copy is enough to find out what it does. */
static void meets_copy(struct estab_stack *stack, struct half_open *entry, const struct arrival *arrival)
{
    struct conn copy;
    if (!half_open_copy(stack, entry, &copy)) {
        arrival->packet->reason = ESTAB_DROP_IP_ADDRESS;
        return;
    }
    half_open_trace_identity(stack, &arrival->key);
    struct tcp_verdict verdict = tcp_segment_arrives(&copy.tcp, &stack->tcp, arrival->seg);
    arrival->packet->reason = (uint8_t)verdict.drop;
    arrival->packet->state_after = copy.tcp.state;
    if (verdict.reset) {
        reply_reset(stack, arrival);
    }
    fold(stack, entry, &copy);
}

/*
 * A segment that may complete it meets the record that the connection would live in. NULL: it did not, the
 * packet is told why.
 */
static struct conn *meets_record(struct estab_stack *stack, const struct half_open *entry,
                                 const struct arrival *arrival)
{
    struct estab_packet *packet = arrival->packet;
    if (!listener_may_establish(stack, &stack->conns[entry->listener], arrival)) {
        return NULL;
    }
    shed_for_connection(stack);
    struct conn *conn = conn_new(stack);
    if (conn == NULL) {
        packet->reason = ESTAB_DROP_NO_MEMORY;
        return NULL;
    }
    if (!unfold(stack, entry, conn)) {
        packet->reason = ESTAB_DROP_IP_ADDRESS;
        conn_delete(stack, conn);
        return NULL;
    }
    if (entry->tcp.sent == 0) {
        trace_cookie(stack, entry);
    }
    packet->conn = conn_handle(stack, conn);
    shed_for_segment(stack, conn, arrival->seg);
    struct tcp_context *ctx = conn_context(stack, conn, stack->tcp.now);
    struct tcp_verdict verdict = tcp_segment_arrives(&conn->tcp, ctx, arrival->seg);
    packet->reason = (uint8_t)verdict.drop;
    packet->state_after = conn->tcp.state;
    if (verdict.reset) {
        reply_reset(stack, arrival);
    }
    return conn;
}

static void stays_half_open(struct estab_stack *stack, struct conn *conn, const struct arrival *arrival)
{
    arrival->packet->conn = 0;
    conn_delete(stack, conn);
}

static void may_complete(struct estab_stack *stack, struct half_open *entry, const struct arrival *arrival)
{
    struct conn *conn = meets_record(stack, entry, arrival);
    if (conn == NULL) {
        return;
    }
    struct conn *listener = &stack->conns[entry->listener];
    if (conn->tcp.state == ESTAB_SYN_RECEIVED) {
        fold(stack, entry, conn);
        stays_half_open(stack, conn, arrival);
        return;
    }
    forget(stack, entry);
    child_begin(stack, conn, listener);
}

bool half_open_cookie(struct estab_stack *stack, const struct conn *listener, const struct arrival *arrival)
{
    const struct estab_cookies *cookies = stack->settings.cookies;
    struct half_open entry = {
        .local = arrival->key.local,
        .remote = arrival->key.remote,
        .local_port = arrival->key.local_port,
        .remote_port = arrival->key.remote_port,
        .listener = conn_index(stack, listener),
    };
    bool plain = (arrival->seg->flags & (TCP_ACK | TCP_RST | TCP_SYN)) == TCP_ACK;
    if (cookies == NULL || !plain || !cookies->check(stack, arrival, &entry.tcp)) {
        return false;
    }
    struct conn *conn = meets_record(stack, &entry, arrival);
    if (conn != NULL && conn->tcp.state == ESTAB_SYN_RECEIVED) {
        stays_half_open(stack, conn, arrival);
    } else if (conn != NULL) {
        stack->counters.cookies_accepted++;
        child_begin(stack, conn, &stack->conns[entry.listener]);
    }
    return true;
}

void half_open_segment(struct estab_stack *stack, uint32_t index, const struct arrival *arrival)
{
    struct half_open *entry = &stack->half_opens[index];
    arrival->packet->state_before = arrival->packet->state_after = ESTAB_SYN_RECEIVED;
    if ((arrival->seg->flags & (TCP_ACK | TCP_RST | TCP_SYN)) == TCP_ACK) {
        may_complete(stack, entry, arrival);
    } else {
        meets_copy(stack, entry, arrival);
    }
}

/* ABORT (3.10.5): the peer is told, as far as there is room to say so; else its ACK will find nobody. */
static void abort_entry(struct estab_stack *stack, struct half_open *entry)
{
    struct conn copy;
    if (half_open_copy(stack, entry, &copy)) {
        conn_send_reset(stack, &copy, ESTAB_SYN_RECEIVED);
    }
    end(stack, entry, EVENT_ABORT);
}

void half_opens_drop(struct estab_stack *stack, uint32_t listener)
{
    for (uint32_t i = 0; i < stack->half_open_fresh; i++) {
        if (stack->half_opens[i].listener == listener) {
            abort_entry(stack, &stack->half_opens[i]);
        }
    }
}

/* ---- time ---- */

/* DEVIATION from MUST-23: four SYN,ACKs, and 15 s are enough for a peer who means it. */
static void due(struct estab_stack *stack, struct half_open *entry)
{
    if (entry->tcp.sent < HALF_OPEN_LISTS) {
        stack->counters.timeouts_retransmit++;
        send_syn_ack(stack, entry);
        return;
    }
    stack->counters.attempt_fails++;
    end(stack, entry, EVENT_TIMEOUT_USER);
}

bool half_opens_tick(struct estab_stack *stack)
{
    unsigned left = MAX_A_CALL;
    for (unsigned list = 0; list < HALF_OPEN_LISTS; list++) {
        uint32_t index;
        while ((index = stack->half_open_lists[list].head) != NONE &&
               stack->half_opens[index].deadline_ns <= stack->tcp.now) {
            if (left-- == 0) {
                return true;
            }
            due(stack, &stack->half_opens[index]);
        }
    }
    return false;
}

uint64_t half_opens_deadline(const struct estab_stack *stack)
{
    uint64_t next = UINT64_MAX;
    for (unsigned list = 0; list < HALF_OPEN_LISTS; list++) {
        uint32_t index = stack->half_open_lists[list].head;
        uint64_t deadline = index == NONE ? UINT64_MAX : stack->half_opens[index].deadline_ns;
        next = deadline < next ? deadline : next;
    }
    return next;
}
