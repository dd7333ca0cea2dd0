/*
 * What is given up when the budget is used up (V-36, V-46, R6429-02; RFC 2018 8): first text ahead of
 * gaps, then orphans that do not get on, then the connections that have waited for their peers for
 * longest, which learn it as -ESTAB_ENOBUFS and whose peers get a RST. Fragments, handshakes and TIME-WAIT
 * records hold no block: they make room in their own tables, the oldest first.
 *
 * Nothing is walked: a hand goes over the records of connections, LOOK of them a call, and goes on where
 * it was. What has waited for less than stall_ns is healthy and stays, unless there is nobody else: each look
 * in vain halves that patience, each second without one doubles it. So one who lost a packet is safe from a
 * busy hour, while a flood of connections that take nothing displaces itself. For want of a record those go
 * too that have carried nothing yet: nobody loses a byte by it. Else what waits for nothing stays: Naptha's
 * idle connections cannot be told from honest ones here, and cost no block: they are the application's to
 * end, or keep-alive's. A call of the user's on one connection never ends another that somebody may hold.
 */
#include "stack/stack.h"
#include "tcp/receive.h"

#define LOOK    64u /* records that one call looks at */
#define LEAST   4u  /* steps of the progress clock, 67 ms: no patience is less */
#define REST_NS (2 * CONN_PROGRESS_NS)
#define GROW_NS UINT64_C(1000000000)

/* What one call looks for, and the best it has found. */
struct look {
    const struct conn *keep;
    uint32_t blocks; /* that must be free; 0 = a record is wanted */
    uint32_t patience;
    bool ahead; /* of need: in vain patience is not lost */
    struct conn *longest;
    uint32_t waited;
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void shed_init(struct estab_stack *stack)
{
    stack->shed = (struct shed){
        .orphans = {NONE, NONE},
        .patience = stack->settings.stall,
        .reserve = UINT16_MAX / pool_payload(&stack->pool) + 1,
        .records = smaller(stack->settings.max_connections / 32 + 1, 1024),
    };
}

/* ---- orphans: closed by their users, and still on their way to the end ---- */

static void orphan_append(struct estab_stack *stack, struct conn *conn)
{
    struct index_queue *list = &stack->shed.orphans;
    uint32_t index = conn_index(stack, conn);
    conn->orphan_next = NONE;
    conn->orphan_previous = list->tail;
    if (list->tail == NONE) {
        list->head = index;
    } else {
        stack->conns[list->tail].orphan_next = index;
    }
    list->tail = index;
}

static void orphan_unlink(struct estab_stack *stack, const struct conn *conn)
{
    struct index_queue *list = &stack->shed.orphans;
    if (conn->orphan_previous == NONE) {
        list->head = conn->orphan_next;
    } else {
        stack->conns[conn->orphan_previous].orphan_next = conn->orphan_next;
    }
    if (conn->orphan_next == NONE) {
        list->tail = conn->orphan_previous;
    } else {
        stack->conns[conn->orphan_next].orphan_previous = conn->orphan_previous;
    }
}

void orphan_add(struct estab_stack *stack, struct conn *conn)
{
    conn_note_progress(&conn->tcp, stack->tcp.now);
    conn->orphan = true;
    orphan_append(stack, conn);
    stack->shed.orphan_count++;
}

/* The list stays in the order of their last steps. */
void orphan_moved(struct estab_stack *stack, struct conn *conn)
{
    if (conn->tcp.progress == conn_progress_clock(stack->tcp.now) && conn->orphan_next != NONE) {
        orphan_unlink(stack, conn);
        orphan_append(stack, conn);
    }
}

void orphan_remove(struct estab_stack *stack, struct conn *conn)
{
    if (conn->orphan) {
        orphan_unlink(stack, conn);
        conn->orphan = false;
        stack->shed.orphan_count--;
    }
}

/* ---- who may go ---- */

/* Since when it has waited, in steps of its clock. */
static uint32_t waited(const struct estab_stack *stack, const struct conn *conn)
{
    return (uint16_t)(conn_progress_clock(stack->tcp.now) - conn->tcp.progress);
}

/* Who has waited for less is healthy. */
static uint32_t patience(const struct estab_stack *stack)
{
    uint64_t seconds = (stack->tcp.now - stack->shed.vain_ns) / GROW_NS;
    uint64_t grown = seconds < 16 ? (uint64_t)stack->shed.patience << seconds : UINT32_MAX;
    return grown < stack->settings.stall ? (uint32_t)grown : stack->settings.stall;
}

bool besieged(const struct estab_stack *stack)
{
    return patience(stack) < stack->settings.stall;
}

static void lose_patience(struct estab_stack *stack)
{
    bool lately = stack->tcp.now - stack->shed.vain_ns < REST_NS;
    if (!lately && stack->settings.stall != UINT32_MAX) {
        uint32_t half = patience(stack) / 2;
        stack->shed.patience = half > LEAST ? half : smaller(LEAST, stack->settings.stall);
        stack->shed.vain_ns = stack->tcp.now;
    }
}

static bool has_blocks(const struct tcp_conn *c)
{
    return c->snd.head != NULL || c->rcv.head != NULL || c->rcv.ahead != NULL;
}

/* Its peer opened it and has said nothing since, nor have we. */
static bool carried_nothing(const struct tcp_conn *c)
{
    return c->passive && c->bytes_received == 0 && c->bytes_sent == 0;
}

/* For blocks only who has some; an orphan waits for its peer in any case, to come to its end. */
static bool may_go(const struct estab_stack *stack, const struct conn *conn, const struct look *look)
{
    const struct tcp_conn *c = &conn->tcp;
    bool waits = conn->orphan || conn_waits_for_peer(c) || carried_nothing(c);
    return conn != look->keep && state_is_synchronized(c->state) && c->state != ESTAB_TIME_WAIT && waits &&
           (look->blocks == 0 || has_blocks(c)) && waited(stack, conn) > look->patience;
}

static bool enough(const struct estab_stack *stack, const struct look *look)
{
    return look->blocks > 0 && pool_available(&stack->pool) >= look->blocks;
}

static void end_connection(struct estab_stack *stack, struct conn *conn)
{
    uint64_t *counter = conn->orphan ? &stack->counters.orphans_dropped : &stack->counters.shed_connections;
    ++*counter;
    conn_context(stack, conn, stack->tcp.now);
    conn_abort(stack, conn, -ESTAB_ENOBUFS);
    conn_settle(stack, conn);
    if (conn->in_use) {
        conn->shed = true;
        stack->shed.husks++;
    }
}

void shed_forget(struct estab_stack *stack, struct conn *conn)
{
    stack->shed.husks -= conn->shed;
    conn->shed = false;
}

void orphans_cap(struct estab_stack *stack)
{
    if (stack->shed.orphan_count > stack->settings.max_orphans) {
        end_connection(stack, &stack->conns[stack->shed.orphans.head]);
    }
}

/* ---- looking ---- */

/* Those that got on least recently stand first; behind one that is healthy are only such. */
static bool shed_orphan(struct estab_stack *stack, const struct look *look)
{
    uint32_t index = stack->shed.orphans.head;
    for (unsigned n = 0; n < LOOK && index != NONE; n++) {
        struct conn *conn = &stack->conns[index];
        if (may_go(stack, conn, look)) {
            end_connection(stack, conn);
            return true;
        }
        index = conn->orphan_next;
    }
    return false;
}

/* The hand goes on: text ahead of gaps is given up on the way, until it is enough. */
static bool turn(struct estab_stack *stack, struct look *look)
{
    struct shed *shed = &stack->shed;
    bool found = false;
    for (unsigned n = 0; n < LOOK && n < stack->conn_fresh && !enough(stack, look); n++) {
        shed->hand = shed->hand + 1 < stack->conn_fresh ? shed->hand + 1 : 0;
        shed->passed[look->blocks > 0]++;
        struct conn *conn = &stack->conns[shed->hand];
        if (!conn->in_use || conn == look->keep) {
            continue;
        }
        if (may_go(stack, conn, look) && !conn->orphan &&
            (look->longest == NULL || waited(stack, conn) > look->waited)) {
            look->longest = conn;
            look->waited = waited(stack, conn);
        }
        if (look->blocks > 0 && recv_queue_has_ahead(&conn->tcp.rcv)) {
            receive_shed_ahead(&conn->tcp, conn_context(stack, conn, stack->tcp.now));
            found = true;
        }
    }
    return found;
}

/* One look, in the order that the head of this file states. */
static void shed(struct estab_stack *stack, struct look *look)
{
    uint32_t *passed = &stack->shed.passed[look->blocks > 0];
    look->patience = patience(stack);
    bool found = turn(stack, look);
    if (!enough(stack, look)) {
        if (shed_orphan(stack, look)) {
            found = true;
        } else if (look->longest != NULL) {
            end_connection(stack, look->longest);
            found = true;
        }
    }
    if (found) {
        *passed = 0;
        return;
    }
    if (!look->ahead) {
        lose_patience(stack);
    }
    if (*passed >= stack->conn_fresh) {
        *passed = 0;
        stack->shed.again_ns[look->blocks > 0] = stack->tcp.now + REST_NS;
    }
}

static bool rests(const struct estab_stack *stack, bool blocks)
{
    return stack->tcp.now < stack->shed.again_ns[blocks];
}

void shed_for_text(struct estab_stack *stack, const struct conn *conn, const struct tcp_segment *seg)
{
    uint32_t length = seg->text_length;
    tcp_seq next = conn->tcp.rcv_nxt;
    struct look look = {
        .keep = conn,
        .blocks = length / pool_payload(&stack->pool) + 1,
        .ahead = recv_queue_readable(&conn->tcp.rcv) > 0, /* its reader is behind: nobody else's fault */
    };
    bool in_order = seq_leq(seg->seq, next) && seq_gt(seq_add(seg->seq, length), next);
    if (in_order && !enough(stack, &look) && !rests(stack, true)) {
        shed(stack, &look);
    }
}

void shed_for_user(struct estab_stack *stack)
{
    const struct look look = {.blocks = 0, .patience = patience(stack)};
    shed_orphan(stack, &look);
}

/* Husks are free as soon as their users close them. */
void shed_for_connection(struct estab_stack *stack)
{
    uint32_t free = stack->settings.max_connections - stack->conn_count + stack->shed.husks;
    struct look look = {.blocks = 0, .ahead = free > 0};
    if (free < (besieged(stack) ? stack->shed.records : 1) && !rests(stack, false)) {
        shed(stack, &look);
    }
}

/* ---- for senders: in the tick, since they asked in a call of their own ---- */

static bool sender_waits(const struct estab_stack *stack)
{
    return stack->starved.head != NONE && blocks_for_senders(stack) == 0;
}

static bool blocks_wanted(const struct estab_stack *stack)
{
    return sender_waits(stack) || (besieged(stack) && !blocks_plenty(stack));
}

uint64_t shed_deadline(const struct estab_stack *stack)
{
    bool wakes = stack->starved.head != NONE || (stack->starved_shut.head != NONE && blocks_plenty(stack));
    uint64_t next = blocks_wanted(stack) ? stack->shed.again_ns[true]
                    : wakes              ? stack->wake_ns
                                         : UINT64_MAX;
    return next > stack->tcp.now ? next : stack->tcp.now;
}

bool shed_tick(struct estab_stack *stack)
{
    struct look look = {.blocks = stack->pool.total / 4 + 1, .ahead = !sender_waits(stack)};
    if (blocks_wanted(stack) && !rests(stack, true)) {
        shed(stack, &look);
    }
    return blocks_wanted(stack) && !rests(stack, true);
}
