/*
 * One side: a stack in a small piece of memory that always stands at the same address, and its user. A state
 * is kept as what differs from a fresh stack and put back by copying, so a step is: put back, act, look,
 * bring into normal form, keep.
 *
 * Normal form. Two states are one where nothing that they will ever do differs. What is taken away:
 *  - absolute time. Each step ends at a clock that only the connections begun and the bytes sent so far
 *    determine, and all deadlines move along. So initial sequence numbers (RFC 6528) and timestamps grow from
 *    one connection to the next, and waiting as such makes no new states;
 *  - RTT, backoff and congestion window: the RTO has one value in the config here, and the window is checked
 *    to be far larger than what is ever sent;
 *  - counters, times for people, which block of the pool holds a byte, generations of handles.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/explore.h"
#include "stack/stack.h"
#include "tcp/timers.h"

enum {
    MEMORY = 16 * 1024,
    LINE = 16, /* bytes that are kept together */
    LINES = MEMORY / LINE,
    PORT = 4000,
    CONNS = 4,
    TRACES = 32,
    ROOM = 256
};

#define SECOND UINT64_C(1000000000)
#define MSL    (30 * SECOND)
/*
 * The windows of the first connections lie across the wrap; the few bytes sent do not reach 0, since a RST
 * that answers a SYN has SEQ 0 (3.10.7.1) and, late enough, would meet exactly RCV.NXT there: once in 2^32.
 */
#define FIRST_ISS 0xffffffe0u

struct kept {
    size_t at; /* in the arena */
    uint16_t lines;
    uint64_t digest[2];
    struct facts facts;
};

struct step {
    uint64_t key; /* 0 = none */
    struct effect effect;
};

struct machine {
    const struct scenario *scenario;
    const struct role *role;
    unsigned side;
    const char *plant;
    struct estab_config config;
    uint64_t clock_start;
    uint8_t *memory;
    uint8_t *fresh; /* a copy of the memory with the stack just made */
    struct estab_stack *stack;
    uint64_t now;
    struct user user;
    bool refused;
    const char *violation;
    uint64_t arrows;
    uint8_t *arena;
    size_t arena_used, arena_room;
    struct kept *kept;
    unsigned kept_count, kept_room;
    uint32_t *index; /* by digest: state + 1 */
    uint32_t index_room;
    struct step *steps;
    uint32_t steps_room, step_count;
};

const char *const act_names[ACT_KINDS] = {"passive OPEN",
                                          "passive OPEN of the peer",
                                          "listen",
                                          "active OPEN",
                                          "accept",
                                          "SEND of 1",
                                          "RECEIVE",
                                          "CLOSE",
                                          "give the handle up",
                                          "close the listener",
                                          "ABORT",
                                          "crash",
                                          "2 s pass",
                                          "next timer",
                                          "a second passes",
                                          "packet"};

static void *grown(void *memory, size_t size)
{
    void *more = realloc(memory, size);
    if (more == NULL) {
        fprintf(stderr, "explore: out of memory\n");
        exit(2);
    }
    return more;
}

static bool planted(const struct machine *m, const char *name)
{
    return m->plant != NULL && strcmp(m->plant, name) == 0;
}

static void violated(struct machine *m, const char *what)
{
    if (m->violation == NULL) {
        m->violation = what;
    }
}

/* ---- the stack ---- */

static struct estab_addr address_of(unsigned side)
{
    return estab_addr_ipv4(10, 0, 0, (uint8_t)(side + 1), PORT);
}

static void make_stack(struct machine *m)
{
    memset(m->memory, 0, MEMORY);
    int error;
    const char *what;
    m->stack = estab_init(m->memory, MEMORY, &m->config, &error, &what);
    if (m->stack == NULL) {
        fprintf(stderr, "explore: %s: %s\n", what, estab_strerror(error));
        exit(2);
    }
    const struct estab_interface interface = {.size = sizeof interface, .mtu = 1500};
    struct estab_addr address = address_of(m->side);
    estab_interface_add(m->stack, m->now, &interface);
    estab_address_add(m->stack, m->now, 1, &address, 24);
}

static void fill_config(struct machine *m)
{
    const struct scenario *s = m->scenario;
    m->config = (struct estab_config){
        .size = sizeof m->config,
        .cc = {&estab_cc_newreno},
        .max_connections = CONNS,
        .max_time_wait = 2,
        .max_half_open = 1,
        .max_neighbours = 1,
        .trace_records = TRACES,
        .block_size = 256,
        .receive_buffer = s->window,
        .send_buffer = 64,
        .msl_ns = MSL,
        .min_rto_ns = SECOND, /* one RTO, whatever is measured or backed off */
        .max_rto_ns = SECOND,
        .initial_rto_ns = SECOND,
        .delayed_ack_ns = s->no_delayed_ack ? ESTAB_OFF : SECOND * 2 / 5,
        .syn_timeout_ns = s->syn_timeout_s == 0 ? ESTAB_INFINITE : s->syn_timeout_s * SECOND,
        .user_timeout_ns = ESTAB_INFINITE,
        .fin_wait_2_ns = 2 * MSL,
        .challenge_acks = 1,
        .no_timestamps = !s->timestamps,
        .no_sack = !s->sack,
    };
    memset(m->config.secret, (int)m->side + 1, sizeof m->config.secret);
}

/* The clock at which a state stands: it goes on with each connection begun and, for timestamps, each byte. */
static uint64_t clock_of(const struct machine *m)
{
    unsigned sent = m->scenario->timestamps ? m->role->sends - m->user.sends : 0;
    return m->clock_start + (4u * m->user.incarnations + sent) * SECOND;
}

static estab_conn handle_of(const struct machine *m, unsigned place)
{
    return place == 0 ? 0 : conn_handle(m->stack, &m->stack->conns[place - 1]);
}

static struct conn *conn_at(const struct machine *m)
{
    return m->user.conn == 0 ? NULL : &m->stack->conns[m->user.conn - 1];
}

static uint8_t place_of(const struct machine *m, estab_conn handle)
{
    return (uint8_t)(conn_index(m->stack, conn_of(m->stack, handle)) + 1);
}

/* ---- the user's calls ---- */

static bool try_open(struct machine *m, enum act act, estab_conn handle)
{
    struct estab_addr local = address_of(m->side);
    struct estab_addr peer = address_of(!m->side);
    estab_set(m->stack, m->now, handle, ESTAB_OPTION_REUSE_ADDRESS, 1);
    estab_set(m->stack, m->now, handle, ESTAB_OPTION_SOFT_ERRORS, 0);
    if (estab_bind(m->stack, m->now, handle, &local) != 0) {
        return false;
    }
    switch (act) {
    case ACT_PASSIVE: return estab_open_passive(m->stack, m->now, handle, NULL) == 0;
    case ACT_PASSIVE_NAMED: return estab_open_passive(m->stack, m->now, handle, &peer) == 0;
    case ACT_LISTEN: return estab_listen(m->stack, m->now, handle, 2) == 0;
    default: return estab_connect(m->stack, m->now, handle, &peer) == 0;
    }
}

static void new_connection(struct machine *m, uint8_t place)
{
    struct user *u = &m->user;
    u->conn = place;
    u->shut = u->end_seen = false;
    u->error = u->received = 0;
    u->iss = u->irs = 0;
    memset(u->text, 0, sizeof u->text);
}

/* False: the call was refused and nothing has changed that anybody can see. */
static bool open_conn(struct machine *m, enum act act)
{
    estab_conn handle;
    if (act == ACT_CONNECT && m->user.conn != 0) { /* a passive OPEN becomes active */
        struct estab_addr peer = address_of(!m->side);
        return estab_connect(m->stack, m->now, handle_of(m, m->user.conn), &peer) == 0;
    }
    if (estab_open(m->stack, &handle) != 0 || !try_open(m, act, handle)) {
        return false;
    }
    if (act == ACT_LISTEN) {
        m->user.listener = place_of(m, handle);
    } else {
        new_connection(m, place_of(m, handle));
    }
    return true;
}

static struct incarnation *incarnation_of(struct machine *m, uint32_t iss)
{
    for (unsigned i = 0; i < m->user.incarnations; i++) {
        if (m->user.began[i].iss == iss) {
            return &m->user.began[i];
        }
    }
    return NULL;
}

/* A connection with an ISS that was not there before has begun. False: there are too many. */
static bool note_incarnation(struct machine *m, uint32_t iss)
{
    if (incarnation_of(m, iss) != NULL) {
        return true;
    }
    if (m->user.incarnations >= m->scenario->syns) {
        m->refused = true;
        return false;
    }
    m->user.began[m->user.incarnations++].iss = iss;
    return true;
}

static void note_incarnations(struct machine *m)
{
    for (unsigned i = 0; i < m->stack->half_open_fresh; i++) {
        const struct half_open *entry = &m->stack->half_opens[i];
        if (entry->listener != NONE && !note_incarnation(m, entry->tcp.iss.v)) {
            return;
        }
    }
    for (unsigned i = 0; i < m->stack->conn_fresh; i++) {
        const struct conn *conn = &m->stack->conns[i];
        bool begun = conn->in_use && !conn->listening && conn->tcp.state > ESTAB_LISTEN;
        if (begun && !note_incarnation(m, conn->tcp.iss.v)) {
            return;
        }
    }
}

static bool call_send(struct machine *m)
{
    struct conn *conn = conn_at(m);
    bool begun = conn->tcp.state != ESTAB_LISTEN;
    const struct incarnation *now = begun ? incarnation_of(m, conn->tcp.iss.v) : NULL;
    unsigned number = begun ? (unsigned)(now - m->user.began) : m->user.incarnations;
    uint8_t byte = text_byte(m->side, number, begun ? now->sent : 0);
    if (estab_send(m->stack, m->now, handle_of(m, m->user.conn), &byte, 1, 0) != 1) {
        return false;
    }
    note_incarnations(m);
    if (!m->refused && !planted(m, "uncounted")) {
        m->user.began[number].sent++;
    }
    return true;
}

/* No more will be sent on the connection that the user holds. */
static void note_finished(struct machine *m)
{
    struct incarnation *now = incarnation_of(m, conn_at(m)->tcp.iss.v);
    if (now != NULL) {
        now->finished = true;
    }
}

static void take_bytes(struct machine *m, const uint8_t *data, size_t length)
{
    struct user *u = &m->user;
    for (size_t i = 0; i < length; i++) {
        if (u->received == MAX_TEXT || (data[i] & 15) != u->received || (data[i] >> 7) == m->side ||
            (u->received > 0 && (data[i] ^ u->text[0]) >> 4 != 0)) {
            violated(m, "the bytes received are a prefix of those that were sent");
            return;
        }
        u->text[u->received++] = data[i];
    }
    if (planted(m, "lost-byte") && u->received == 2) {
        u->received = 1;
    }
}

static void call_receive(struct machine *m)
{
    uint8_t room[MAX_TEXT + 2];
    for (;;) {
        ptrdiff_t n = estab_recv(m->stack, m->now, handle_of(m, m->user.conn), room, sizeof room, 0);
        if (n > 0) {
            take_bytes(m, room, (size_t)n);
            continue;
        }
        if (n == 0) {
            m->user.end_seen = true;
        } else if (n != -ESTAB_EAGAIN && n != -ESTAB_ENOTCONN) {
            m->user.error = (uint8_t)-n;
        }
        return;
    }
}

static void give_up(struct machine *m, bool abort)
{
    if (m->user.conn == 0) {
        return;
    }
    note_finished(m);
    estab_conn handle = handle_of(m, m->user.conn);
    if (abort) {
        estab_abort(m->stack, m->now, handle);
    } else {
        estab_close(m->stack, m->now, handle);
    }
    m->user.conn = 0;
}

static bool call_accept(struct machine *m)
{
    estab_conn handle;
    if (estab_accept(m->stack, m->now, handle_of(m, m->user.listener), &handle) != 0) {
        return false;
    }
    new_connection(m, place_of(m, handle));
    return true;
}

static void call_close_listener(struct machine *m)
{
    estab_close(m->stack, m->now, handle_of(m, m->user.listener));
    m->user.listener = 0;
}

static void crash(struct machine *m)
{
    m->user.conn = m->user.listener = 0;
    make_stack(m);
}

/* ---- what comes from outside ---- */

static void take_packet(struct machine *m, uint16_t number)
{
    uint32_t length;
    const uint8_t *data = packet_bytes(number, &length);
    uint8_t copy[ROOM];
    memcpy(copy, data, length);
    struct estab_packet packet = {.data = copy, .length = length, .interface = 1};
    bool text = length > 20u + (copy[32] >> 4) * 4u;
    if (planted(m, "altered") && text) {
        copy[length - 1] ^= 1;
        packet.flags = ESTAB_PACKET_CHECKSUM_VALID;
    }
    estab_input(m->stack, m->now, &packet, 1);
}

static uint64_t moved(uint64_t deadline, uint64_t by)
{
    return deadline == UINT64_MAX ? deadline : deadline + by;
}

/* Every deadline of the stack moves by `by`, which may stand for a negative number. */
static void move_deadlines(struct machine *m, uint64_t by)
{
    struct estab_stack *stack = m->stack;
    if (by == 0) {
        return;
    }
    for (unsigned i = 0; i < stack->conn_fresh; i++) {
        conn_set_timer(stack, &stack->conns[i], UINT64_MAX);
    }
    for (unsigned i = 0; i < stack->conn_fresh; i++) {
        struct tcp_conn *c = &stack->conns[i].tcp;
        for (unsigned k = 0; k < TCP_DEADLINES && stack->conns[i].in_use; k++) {
            c->deadline[k] = moved(c->deadline[k], by);
        }
        conn_set_timer(stack, &stack->conns[i], stack->conns[i].in_use ? tcp_timers_next(c) : UINT64_MAX);
        c->timers_set = false;
    }
    for (uint32_t i = stack->time_wait_first; i != NONE; i = stack->time_waits[i].next) {
        stack->time_waits[i].deadline_ns += by;
    }
    for (unsigned i = 0; i < stack->half_open_fresh; i++) {
        stack->half_opens[i].deadline_ns += by;
    }
}

/* The limit on challenge ACKs (RFC 5961 7) begins anew. */
static void new_second(struct machine *m)
{
    for (unsigned i = 0; i < m->stack->conn_fresh; i++) {
        m->stack->conns[i].tcp.challenges = 0;
    }
    for (uint32_t i = m->stack->time_wait_first; i != NONE; i = m->stack->time_waits[i].next) {
        m->stack->time_waits[i].tcp.challenges = 0;
    }
}

/* Deadlines come nearer while the clock stands still: see the top of this file. */
static void next_timer(struct machine *m)
{
    move_deadlines(m, m->now - estab_next_deadline(m->stack));
    new_second(m);
    while (estab_tick(m->stack, m->now)) {
    }
}

/* False: the call was refused. */
static bool act_out(struct machine *m, enum act act, uint16_t packet)
{
    struct user *u = &m->user;
    switch (act) {
    case ACT_PASSIVE:
    case ACT_PASSIVE_NAMED:
    case ACT_LISTEN:
    case ACT_CONNECT: u->opens--; return open_conn(m, act);
    case ACT_ACCEPT: return call_accept(m);
    case ACT_SEND: u->sends--; return call_send(m);
    case ACT_RECEIVE: call_receive(m); return true;
    case ACT_SHUTDOWN:
        u->shut = true;
        note_finished(m);
        return estab_shutdown(m->stack, m->now, handle_of(m, u->conn), ESTAB_SHUT_WR) == 0;
    case ACT_CLOSE: give_up(m, false); return true;
    case ACT_CLOSE_LISTENER: call_close_listener(m); return true;
    case ACT_ABORT:
        u->aborts--;
        give_up(m, true);
        return true;
    case ACT_CRASH:
        u->crashes--;
        crash(m);
        return true;
    case ACT_WAIT:
        u->waits--;
        move_deadlines(m, (uint64_t)0 - 2 * SECOND);
        new_second(m);
        return true;
    case ACT_TIMER: next_timer(m); return true;
    case ACT_SECOND: new_second(m); return true;
    default: take_packet(m, packet); return true;
    }
}

/* ---- what follows at once: the driver takes every packet, the user reads ---- */

static void pull_all(struct machine *m, struct effect *effect)
{
    uint8_t room[ROOM];
    struct estab_packet packet = {.data = room, .capacity = sizeof room};
    while (estab_pull(m->stack, m->now, &packet, 1) == 1) {
        if (effect->packet_count == MAX_OUT) {
            violated(m, "one step sends a few packets at most");
            return;
        }
        effect->packets[effect->packet_count++] = packet_number(m->side, packet.data, packet.length);
    }
}

static void poll_all(struct machine *m)
{
    struct estab_event events[CONNS];
    while (estab_poll(m->stack, events, CONNS) > 0) {
    }
}

static void follow_up(struct machine *m, struct effect *effect)
{
    note_incarnations(m);
    struct conn *conn = conn_at(m);
    if (conn != NULL && conn->tcp.state > ESTAB_LISTEN) {
        m->user.iss = conn->tcp.iss.v;
        m->user.irs = conn->tcp.irs.v;
    }
    bool over = conn != NULL && conn->tcp.state == ESTAB_CLOSED;
    if (conn != NULL && (over || !m->role->lazy)) {
        call_receive(m);
    }
    if (over) {
        give_up(m, false);
    }
    poll_all(m);
    pull_all(m, effect);
    poll_all(m);
}

/* ---- arrows ---- */

/* The states of the records, followed along the trace. */
struct followed {
    estab_conn handle[CONNS];
    uint8_t state[CONNS];
    bool in_use[CONNS];
    bool half_open; /* a handshake in the SYN cache, which has no handle */
};

static void follow_begin(const struct machine *m, struct followed *f)
{
    memset(f, 0, sizeof *f);
    f->half_open = m->stack->half_open_count > 0;
    for (unsigned i = 0; i < m->stack->conn_fresh; i++) {
        const struct conn *conn = &m->stack->conns[i];
        f->handle[i] = conn_handle(m->stack, conn);
        f->state[i] = conn->tcp.state;
        f->in_use[i] = conn->in_use;
    }
}

static void follow_record(struct machine *m, struct followed *f, const struct estab_trace *record)
{
    struct estab_transition arrow;
    if (!estab_transition(record->transition, &arrow) || arrow.from != record->state ||
        arrow.to != record->state_after) {
        violated(m, "every change of state is an arrow of the table");
        return;
    }
    m->arrows |= UINT64_C(1) << record->transition;
    unsigned place = (uint32_t)record->conn - 1;
    if (record->conn == 0) {
        f->half_open |= record->state_after == ESTAB_SYN_RECEIVED;
    }
    if (record->conn == 0 || place >= CONNS) {
        return;
    }
    if (f->handle[place] != record->conn || !f->in_use[place]) { /* a new one in this place */
        f->handle[place] = record->conn;
        f->in_use[place] = true;
        bool begins = record->state <= ESTAB_LISTEN || (record->state == ESTAB_SYN_RECEIVED && f->half_open);
        f->state[place] = begins ? record->state : UINT8_MAX;
    }
    if (f->state[place] != record->state) {
        violated(m, "a connection changes its state along arrows only");
    }
    f->state[place] = record->state_after;
}

static void follow_end(struct machine *m, struct followed *f)
{
    struct estab_trace record;
    while (estab_trace_pull(m->stack, &record, 1) == 1) {
        if (record.kind == ESTAB_TRACE_STATE) {
            follow_record(m, f, &record);
        }
    }
    for (unsigned i = 0; i < m->stack->conn_fresh; i++) {
        const struct conn *conn = &m->stack->conns[i];
        bool known = f->in_use[i] && f->handle[i] == conn_handle(m->stack, conn);
        bool begins = conn->tcp.state <= ESTAB_LISTEN;
        if (conn->in_use && !(known ? f->state[i] == conn->tcp.state : begins)) {
            violated(m, "a connection changes its state along arrows only");
        }
    }
}

/* ---- normal form ---- */

/* The third duplicate and all later ones say the same; `recover` says nothing once it is passed. */
static void normal_recovery(struct tcp_conn *c)
{
    if (c->scoreboard.dup_acks > 3 || c->recovery.phase == RECOVERY_FAST) {
        c->scoreboard.dup_acks = 3;
    }
    if (c->recovery.phase == RECOVERY_OPEN) {
        c->recovery.rexmit_nxt = seq_of(0);
        c->recovery.partial_seen = false;
        if (seq_gt(c->snd_una, c->recovery.recover)) {
            c->recovery.recover = c->iss;
        }
    }
}

/* The second in which challenge ACKs were counted is always the present one. */
static uint8_t second_of(const struct machine *m)
{
    return (uint8_t)(clock_of(m) / SECOND);
}

static void normal_conn(struct machine *m, struct conn *conn)
{
    struct tcp_conn *c = &conn->tcp;
    uint32_t flight = conn_flight(c) + conn_unsent(c);
    if (c->established && c->cwnd < flight + 64) {
        violated(m, "the harness: the congestion window never limits what these users send");
    }
    c->cwnd = c->cwnd > 0 ? 65535 : 0;
    c->ssthresh = 65535;
    memset(c->cc_private, 0, sizeof c->cc_private);
    c->cwnd_limited = false;
    rtt_init(&c->rtt);
    normal_recovery(c);
    c->retransmits = c->probes = 0;
    c->challenge_s = second_of(m);
    c->ack_reason = (c->owed & OWED_ACK) ? c->ack_reason : 0;
    c->events = c->released ? 0 : c->events;
    c->last_received = c->last_sent = c->ts_recent_s = 0;
    c->bytes_sent = c->bytes_received = 0;
    c->bytes_retransmitted = c->segments_sent = c->segments_received = c->segments_retransmitted = 0;
}

static void normal_stack(struct machine *m)
{
    struct estab_stack *stack = m->stack;
    uint64_t now = clock_of(m);
    move_deadlines(m, now - m->now);
    for (unsigned i = 0; i < stack->conn_fresh; i++) {
        struct conn *conn = &stack->conns[i];
        if (conn->in_use) {
            normal_conn(m, conn);
        }
        conn->generation = 1;
    }
    for (uint32_t i = stack->time_wait_first; i != NONE; i = stack->time_waits[i].next) {
        stack->time_waits[i].tcp.challenge_s = second_of(m);
    }
    for (unsigned i = 0; i < stack->half_open_fresh; i++) {
        stack->half_opens[i].tcp.challenge_s = second_of(m);
    }
    if (stack->counters.trace_lost > 0) {
        violated(m, "the harness: a step fits into the trace");
    }
    memset(&stack->counters, 0, sizeof stack->counters);
    memset(stack->trace.records, 0, TRACES * sizeof *stack->trace.records);
    memset(&stack->trace.who, 0, sizeof stack->trace.who);
    stack->trace.head = 0;
    stack->burst = 0;
    stack->tcp.now = m->now = now;
}

/* ---- digest: of what is left, wherever it lies ---- */

static uint64_t mixed(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    return h;
}

static void digest(uint64_t d[2], const void *data, size_t length)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word = 0;
        memcpy(&word, p + i, length - i < 8 ? length - i : 8);
        d[0] = mixed(d[0] ^ word) + 1;
        d[1] = mixed(d[1] + word * UINT64_C(0x9e3779b97f4a7c15)) ^ i;
    }
}

static const uint8_t *stored_byte(const struct block *block, uint32_t payload, tcp_seq place)
{
    for (; block != NULL; block = block->next) {
        if (seq_diff(place, block->base) < payload) {
            return &block->data[seq_diff(place, block->base)];
        }
    }
    return NULL;
}

static void digest_bytes(uint64_t d[2], const struct block *head, uint32_t payload, const tcp_seq edges[2])
{
    digest(d, edges, 2 * sizeof edges[0]);
    for (tcp_seq at = edges[0]; seq_lt(at, edges[1]); at = seq_add(at, 1)) {
        const uint8_t *byte = stored_byte(head, payload, at);
        digest(d, byte, byte != NULL);
    }
}

static void digest_queues(const struct machine *m, uint64_t d[2], const struct tcp_conn *c)
{
    uint32_t payload = pool_payload(&m->stack->pool);
    digest_bytes(d, c->snd.head, payload, (const tcp_seq[2]){c->snd.begin, c->snd.end});
    digest_bytes(d, c->rcv.head, payload, (const tcp_seq[2]){c->rcv.begin, c->rcv.end});
    if (!recv_queue_has_ahead(&c->rcv)) {
        return;
    }
    const struct recv_ahead *ahead = (const struct recv_ahead *)(const void *)c->rcv.ahead->data;
    digest(d, ahead->recent, ahead->recent_count * sizeof ahead->recent[0]);
    for (uint32_t i = 0; i < ahead->count; i++) {
        const struct recv_range *range = &ahead->range[i];
        digest_bytes(d, c->rcv.head, payload, (const tcp_seq[2]){range->begin, range->end});
    }
}

static void digest_conn(const struct machine *m, uint64_t d[2], const struct conn *conn)
{
    struct conn copy;
    memcpy(&copy, conn, sizeof copy);
    copy.tcp.snd = (struct send_queue){0};
    copy.tcp.rcv = (struct recv_queue){0};
    copy.tcp.wake_ns = 0;
    copy.tcp.cc = NULL;
    copy.output_next = copy.ready_next = copy.bound_next = copy.queue_next = 0;
    digest(d, &copy, sizeof copy);
    digest_queues(m, d, &conn->tcp);
}

static void digest_all(const struct machine *m, uint64_t d[2])
{
    const struct estab_stack *stack = m->stack;
    d[0] = 1;
    d[1] = 2;
    digest(d, &m->user, sizeof m->user);
    for (uint32_t i = 0; i < stack->conn_fresh; i++) {
        const struct conn *conn = &stack->conns[i];
        digest(d, &i, conn->in_use || conn->in_queue ? sizeof i : 0);
        if (conn->in_use) {
            digest_conn(m, d, conn);
        }
    }
    for (uint32_t i = stack->time_wait_first; i != NONE; i = stack->time_waits[i].next) {
        struct time_wait copy;
        memcpy(&copy, &stack->time_waits[i], sizeof copy);
        copy.previous = copy.next = 0;
        digest(d, &copy, sizeof copy);
    }
    for (uint32_t i = 0; i < stack->half_open_fresh; i++) {
        if (stack->half_opens[i].listener != NONE) {
            digest(d, &stack->half_opens[i], sizeof stack->half_opens[i]);
        }
    }
}

/* ---- facts ---- */

static bool is_pending(const struct tcp_conn *c)
{
    switch (c->state) {
    case ESTAB_SYN_SENT:
    case ESTAB_SYN_RECEIVED:
    case ESTAB_FIN_WAIT_1:
    case ESTAB_CLOSING:
    case ESTAB_LAST_ACK:
    case ESTAB_TIME_WAIT: return true;
    default: return conn_flight(c) > 0 || conn_unsent(c) > 0;
    }
}

static void add_end(struct facts *f, const struct end *end)
{
    if (f->end_count < MAX_ENDS) {
        f->ends[f->end_count++] = *end;
    }
}

static void find_ends(const struct machine *m, struct facts *f)
{
    const struct estab_stack *stack = m->stack;
    for (unsigned i = 0; i < stack->conn_fresh; i++) {
        const struct conn *conn = &stack->conns[i];
        const struct tcp_conn *c = &conn->tcp;
        if (!conn->in_use || conn->listening || c->state <= ESTAB_LISTEN) {
            continue;
        }
        add_end(f, &(const struct end){.state = c->state,
                                       .pending = is_pending(c),
                                       .iss = c->iss.v,
                                       .irs = c->irs.v,
                                       .snd_una = c->snd_una.v,
                                       .snd_nxt = c->snd_nxt.v,
                                       .rcv_nxt = c->rcv_nxt.v});
    }
    for (uint32_t i = stack->time_wait_first; i != NONE; i = stack->time_waits[i].next) {
        if (stack->time_waits[i].holder == NONE) {
            add_end(f, &(const struct end){.state = ESTAB_TIME_WAIT, .pending = true});
        }
    }
    for (uint32_t i = 0; i < stack->half_open_fresh; i++) {
        const struct half_open *entry = &stack->half_opens[i];
        if (entry->listener != NONE) {
            add_end(f, &(const struct end){.state = ESTAB_SYN_RECEIVED,
                                           .pending = true,
                                           .iss = entry->tcp.iss.v,
                                           .irs = entry->tcp.irs.v,
                                           .snd_una = entry->tcp.iss.v,
                                           .snd_nxt = entry->tcp.iss.v + 1,
                                           .rcv_nxt = entry->tcp.irs.v + 1});
        }
    }
}

static bool may_send_in(const struct conn *conn)
{
    unsigned state = conn->tcp.state;
    return state == ESTAB_SYN_SENT || state == ESTAB_SYN_RECEIVED || state_can_send(state) ||
           (state == ESTAB_LISTEN && conn->named_remote);
}

static bool may_shut_in(unsigned state)
{
    return state == ESTAB_SYN_RECEIVED || state_can_send(state);
}

static uint32_t acts_on_conn(const struct machine *m, const struct conn *conn)
{
    const struct user *u = &m->user;
    const struct role *role = m->role;
    uint32_t acts = 0;
    unsigned state = conn->tcp.state;
    bool closed_both_ways = u->shut && u->end_seen;
    bool to_read = recv_queue_readable(&conn->tcp.rcv) > 0 || (state_peer_closed(state) && !u->end_seen);
    acts |= state == ESTAB_LISTEN && u->opens > 0 ? role->opens & BIT(ACT_CONNECT) : 0;
    acts |= !u->shut && u->sends > 0 && may_send_in(conn) ? BIT(ACT_SEND) : 0;
    bool reads = role->lazy && !planted(m, "unread");
    acts |= reads && conn->tcp.established && to_read ? BIT(ACT_RECEIVE) : 0;
    acts |= !u->shut && may_shut_in(state) ? BIT(ACT_SHUTDOWN) : 0;
    bool forsaken = state == ESTAB_FIN_WAIT_2 && m->scenario->gives_up;
    acts |= state <= ESTAB_SYN_SENT || closed_both_ways || role->early_close || forsaken ? BIT(ACT_CLOSE) : 0;
    acts |= u->aborts > 0 ? BIT(ACT_ABORT) : 0;
    return acts;
}

static uint32_t acts_of_user(const struct machine *m)
{
    const struct user *u = &m->user;
    const struct conn *conn = conn_at(m);
    uint32_t acts = conn != NULL ? acts_on_conn(m, conn) : 0;
    if (conn == NULL && u->opens > 0) {
        acts |= m->role->opens & (BIT(ACT_PASSIVE) | BIT(ACT_PASSIVE_NAMED) | BIT(ACT_CONNECT));
    }
    if (u->listener == 0 && u->opens > 0) {
        acts |= m->role->opens & BIT(ACT_LISTEN);
    }
    if (u->listener != 0) {
        bool waits = m->stack->conns[u->listener - 1].listener.waiting_count > 0;
        acts |= BIT(ACT_CLOSE_LISTENER) | (conn == NULL && waits ? BIT(ACT_ACCEPT) : 0);
    }
    return acts | (u->crashes > 0 ? BIT(ACT_CRASH) : 0);
}

/* Nothing is lost where the handle is given up now; the last but for a peer that is gone (see fair_now()). */
static bool is_over(const struct machine *m)
{
    unsigned state = conn_at(m)->tcp.state;
    return m->user.end_seen || state <= ESTAB_SYN_SENT || state == ESTAB_FIN_WAIT_2;
}

/* What brings everything to a good end: read all, send no more, give up what is over. */
static uint8_t fair_act(const struct machine *m, const struct facts *f)
{
    static const uint8_t order[] = {ACT_ACCEPT, ACT_RECEIVE, ACT_SHUTDOWN, ACT_CLOSE, ACT_CLOSE_LISTENER};
    for (unsigned i = 0; i < sizeof order; i++) {
        if ((f->acts & BIT(order[i])) != 0 && (order[i] != ACT_CLOSE || is_over(m))) {
            return order[i];
        }
    }
    return ACT_KINDS;
}

static void find_facts(const struct machine *m, struct facts *f)
{
    memset(f, 0, sizeof *f);
    f->user = m->user;
    f->acts = acts_of_user(m);
    uint64_t next = estab_next_deadline(m->stack);
    if (next != UINT64_MAX && !planted(m, "deaf")) {
        f->acts |= BIT(ACT_TIMER);
        f->timer_is_long = next - m->now > MSL;
        bool quiet = m->user.waits > 0 && m->stack->time_wait_count > 0 && next > m->now + 2 * SECOND;
        f->acts |= quiet ? BIT(ACT_WAIT) : 0;
    }
    f->fair = fair_act(m, f);
    f->idle = m->stack->conn_count == 0 && m->stack->time_wait_count == 0 &&
              m->stack->half_open_count == 0 && m->stack->pool.used == 0;
    find_ends(m, f);
    const struct conn *conn = conn_at(m);
    f->state = conn != NULL            ? conn->tcp.state
               : f->end_count > 0      ? f->ends[0].state
               : m->user.listener != 0 ? ESTAB_LISTEN
                                       : ESTAB_CLOSED;
}

/* ---- keeping states ---- */

static void keep_image(struct machine *m, struct kept *kept)
{
    if (m->arena_used + MEMORY + 2 * LINES > m->arena_room) {
        m->arena_room = 2 * m->arena_room + MEMORY + 2 * LINES;
        m->arena = grown(m->arena, m->arena_room);
    }
    kept->at = m->arena_used;
    kept->lines = 0;
    for (unsigned i = 0; i < LINES; i++) {
        const uint8_t *line = m->memory + i * LINE;
        if (memcmp(line, m->fresh + i * LINE, LINE) != 0) {
            uint16_t number = (uint16_t)i;
            memcpy(m->arena + m->arena_used, &number, 2);
            memcpy(m->arena + m->arena_used + 2, line, LINE);
            m->arena_used += LINE + 2;
            kept->lines++;
        }
    }
}

static void put_back(struct machine *m, uint32_t state)
{
    const struct kept *kept = &m->kept[state];
    const uint8_t *from = m->arena + kept->at;
    memcpy(m->memory, m->fresh, MEMORY);
    for (unsigned i = 0; i < kept->lines; i++, from += LINE + 2) {
        uint16_t number;
        memcpy(&number, from, 2);
        memcpy(m->memory + number * LINE, from + 2, LINE);
    }
    m->user = kept->facts.user;
    m->now = clock_of(m);
}

static void index_state(struct machine *m, uint32_t state)
{
    uint32_t at = (uint32_t)m->kept[state].digest[0] & (m->index_room - 1);
    while (m->index[at] != 0) {
        at = (at + 1) & (m->index_room - 1);
    }
    m->index[at] = state + 1;
}

static void index_grow(struct machine *m)
{
    m->index_room = m->index_room == 0 ? 1024 : 2 * m->index_room;
    free(m->index);
    m->index = grown(NULL, m->index_room * sizeof *m->index);
    memset(m->index, 0, m->index_room * sizeof *m->index);
    for (uint32_t i = 0; i < m->kept_count; i++) {
        index_state(m, i);
    }
}

static uint32_t keep(struct machine *m)
{
    uint64_t d[2];
    digest_all(m, d);
    if (2 * m->kept_count >= m->index_room) {
        index_grow(m);
    }
    for (uint32_t at = (uint32_t)d[0] & (m->index_room - 1); m->index[at] != 0;
         at = (at + 1) & (m->index_room - 1)) {
        const struct kept *kept = &m->kept[m->index[at] - 1];
        if (kept->digest[0] == d[0] && kept->digest[1] == d[1]) {
            return m->index[at] - 1;
        }
    }
    if (m->kept_count == m->kept_room) {
        m->kept_room = 2 * m->kept_room + 256;
        m->kept = grown(m->kept, m->kept_room * sizeof *m->kept);
    }
    struct kept *kept = &m->kept[m->kept_count];
    memcpy(kept->digest, d, sizeof d);
    keep_image(m, kept);
    find_facts(m, &kept->facts);
    index_state(m, m->kept_count);
    return m->kept_count++;
}

/* ---- steps ---- */

static void run_step(struct machine *m, uint32_t state, enum act act, uint16_t packet, struct effect *effect)
{
    *effect = (struct effect){.side = state};
    put_back(m, state);
    m->refused = false;
    m->violation = NULL;
    struct followed followed;
    follow_begin(m, &followed);
    if (!act_out(m, act, packet)) {
        effect->refused = true;
        return;
    }
    if (act == ACT_CRASH) {
        follow_begin(m, &followed);
    }
    follow_up(m, effect);
    const char *wrong = estab_check(m->stack);
    if (wrong != NULL) {
        violated(m, wrong);
    }
    follow_end(m, &followed);
    if (m->refused) {
        *effect = (struct effect){.side = state, .refused = true};
        return;
    }
    normal_stack(m);
    effect->violation = m->violation;
    effect->side = keep(m);
}

static struct step *step_place(struct step *steps, uint32_t room, uint64_t key)
{
    uint32_t at = (uint32_t)mixed(key) & (room - 1);
    while (steps[at].key != 0 && steps[at].key != key) {
        at = (at + 1) & (room - 1);
    }
    return &steps[at];
}

static void steps_grow(struct machine *m)
{
    uint32_t room = m->steps_room == 0 ? 4096 : 2 * m->steps_room;
    struct step *steps = grown(NULL, room * sizeof *steps);
    memset(steps, 0, room * sizeof *steps);
    for (uint32_t i = 0; i < m->steps_room; i++) {
        if (m->steps[i].key != 0) {
            *step_place(steps, room, m->steps[i].key) = m->steps[i];
        }
    }
    free(m->steps);
    m->steps = steps;
    m->steps_room = room;
}

const struct effect *machine_step(struct machine *m, uint32_t state, enum act act, uint16_t packet)
{
    if (2 * m->step_count >= m->steps_room) {
        steps_grow(m);
    }
    uint64_t key = (uint64_t)(state + 1) << 24 | (uint64_t)packet << 8 | act;
    struct step *step = step_place(m->steps, m->steps_room, key);
    if (step->key == 0) {
        step->key = key;
        m->step_count++;
        run_step(m, state, act, packet, &step->effect);
    }
    return &step->effect;
}

/* ---- making one ---- */

/* When to begin, so that the first ISS lies just below the wrap. */
static void choose_start(struct machine *m)
{
    m->clock_start = m->now = 1000 * SECOND;
    make_stack(m);
    open_conn(m, ACT_CONNECT);
    uint32_t ahead = FIRST_ISS - conn_at(m)->tcp.iss.v;
    m->user.conn = 0;
    m->clock_start += (uint64_t)ahead * 4000;
}

struct machine *machine_new(const struct scenario *scenario, unsigned side, const char *plant)
{
    struct machine *m = grown(NULL, sizeof *m);
    memset(m, 0, sizeof *m);
    m->scenario = scenario;
    m->role = &scenario->role[side];
    m->side = side;
    m->plant = plant;
    m->memory = aligned_alloc(64, MEMORY);
    m->fresh = grown(NULL, MEMORY);
    fill_config(m);
    choose_start(m);
    const struct role *role = m->role;
    memset(&m->user, 0, sizeof m->user); /* its padding is part of the digest */
    m->user.opens = role->open_count;
    m->user.sends = role->sends;
    m->user.aborts = role->aborts;
    m->user.crashes = role->crashes;
    m->user.waits = role->waits;
    m->now = clock_of(m);
    make_stack(m);
    normal_stack(m);
    memcpy(m->fresh, m->memory, MEMORY);
    keep(m);
    return m;
}

void machine_free(struct machine *m)
{
    free(m->memory);
    free(m->fresh);
    free(m->arena);
    free(m->kept);
    free(m->index);
    free(m->steps);
    free(m);
}

const struct facts *machine_facts(const struct machine *m, uint32_t state)
{
    return &m->kept[state].facts;
}

unsigned machine_states(const struct machine *m)
{
    return m->kept_count;
}

unsigned machine_steps(const struct machine *m)
{
    return m->step_count;
}

uint64_t machine_arrows(const struct machine *m)
{
    return m->arrows;
}
