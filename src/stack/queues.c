/*
 * The queues that connections stand in, linked by index: packets to be pulled, neighbours or blocks to be
 * waited for, events to be told, connections to be accepted.
 */
#include "base/assert.h"
#include "stack/stack.h"

#define READY_LOOKS   64
#define WAKE_A_CALL   64
#define WAKE_AGAIN_NS UINT64_C(1000000)

void queue_output(struct estab_stack *stack, struct conn *conn)
{
    if (conn->in_output) {
        return;
    }
    uint32_t index = conn_index(stack, conn);
    conn->in_output = true;
    conn->output_next = NONE;
    if (stack->output.head == NONE) {
        stack->output.head = index;
    } else {
        stack->conns[stack->output.tail].output_next = index;
    }
    stack->output.tail = index;
}

/* Those who waited for a neighbour stand in the output queue's link; the whole queue moves at once. */
void unpark_all(struct estab_stack *stack)
{
    while (stack->parked.head != NONE) {
        struct conn *conn = &stack->conns[stack->parked.head];
        stack->parked.head = conn->output_next;
        conn->in_output = conn->parked = false;
        queue_output(stack, conn);
    }
    stack->parked.tail = NONE;
    replies_unpark(stack);
}

void queue_ready(struct estab_stack *stack, struct conn *conn)
{
    if (conn->in_ready) {
        return;
    }
    uint32_t index = conn_index(stack, conn);
    conn->in_ready = true;
    conn->ready_next = NONE;
    if (stack->ready.head == NONE) {
        stack->ready.head = index;
    } else {
        stack->conns[stack->ready.tail].ready_next = index;
    }
    stack->ready.tail = index;
}

/* So many a call: who is alive goes to the end of the queue, so that the next call looks at others. */
void ready_drop_dead(struct estab_stack *stack)
{
    for (unsigned n = 0; n < READY_LOOKS && stack->ready.head != NONE; n++) {
        struct conn *conn = &stack->conns[stack->ready.head];
        stack->ready.head = conn->ready_next;
        conn->in_ready = false;
        if (conn->in_use) {
            queue_ready(stack, conn);
        } else {
            conn_recycle(stack, conn);
        }
    }
    if (stack->ready.head == NONE) {
        stack->ready.tail = NONE;
    }
}

static void push(struct estab_stack *stack, struct index_queue *queue, struct conn *conn)
{
    uint32_t index = conn_index(stack, conn);
    conn->in_queue = true;
    conn->queue_next = NONE;
    if (queue->head == NONE) {
        queue->head = index;
    } else {
        stack->conns[queue->tail].queue_next = index;
    }
    queue->tail = index;
}

static struct conn *pop(struct estab_stack *stack, struct index_queue *queue)
{
    if (queue->head == NONE) {
        return NULL;
    }
    struct conn *conn = &stack->conns[queue->head];
    queue->head = conn->queue_next;
    if (queue->head == NONE) {
        queue->tail = NONE;
    }
    conn->in_queue = false;
    return conn;
}

/* Whose peer takes nothing now could do nothing with a block, and stands apart. */
static struct index_queue *starved_queue(struct estab_stack *stack, const struct conn *conn)
{
    return conn->tcp.snd_wnd > 0 ? &stack->starved : &stack->starved_shut;
}

static void push_front(struct estab_stack *stack, struct index_queue *queue, struct conn *conn)
{
    conn->in_queue = true;
    conn->queue_next = queue->head;
    queue->head = conn_index(stack, conn);
    if (queue->tail == NONE) {
        queue->tail = queue->head;
    }
}

/* In a siege who asked last goes first: the queue is full of those who will never be done. */
void queue_starved(struct estab_stack *stack, struct conn *conn)
{
    if (conn->in_queue) {
        return;
    }
    if (besieged(stack)) {
        push_front(stack, starved_queue(stack, conn), conn);
    } else {
        push(stack, starved_queue(stack, conn), conn);
    }
}

static void tell_writable(struct estab_stack *stack, struct conn *conn)
{
    if (conn_writable(&conn->tcp)) {
        conn->tcp.want_write = false;
        conn->tcp.events |= ESTAB_WRITABLE;
        conn_settle(stack, conn);
    }
}

/*
 * So many of a queue may try again; a connection that has ended meanwhile gives its record back in any case.
 * Where nobody may, those who stand apart are looked at all the same, for windows that have opened.
 */
static void wake(struct estab_stack *stack, struct index_queue *queue, uint32_t left)
{
    for (unsigned n = 0; n < WAKE_A_CALL && queue->head != NONE; n++) {
        if (left == 0 && queue == &stack->starved && stack->conns[queue->head].in_use) {
            return;
        }
        struct conn *conn = pop(stack, queue);
        if (!conn->in_use) {
            conn_recycle(stack, conn);
        } else if (left == 0) {
            push(stack, starved_queue(stack, conn), conn);
        } else {
            left--;
            tell_writable(stack, conn);
        }
    }
}

/*
 * Blocks have come back: no more of those who found none may try again than there are blocks, and no others
 * until these have had time to; who can send nothing now only where there are plenty.
 */
void wake_starved(struct estab_stack *stack)
{
    bool nobody = stack->starved.head == NONE && stack->starved_shut.head == NONE;
    if (nobody || stack->tcp.now < stack->wake_ns) {
        return;
    }
    stack->wake_ns = stack->tcp.now + WAKE_AGAIN_NS;
    wake(stack, &stack->starved, blocks_for_senders(stack));
    wake(stack, &stack->starved_shut, blocks_plenty(stack) ? WAKE_A_CALL : 0);
}

void waiting_push(struct estab_stack *stack, struct conn *listener, struct conn *child)
{
    child->queue_previous = listener->listener.waiting.tail;
    push(stack, &listener->listener.waiting, child);
    listener->listener.waiting_count++;
}

void waiting_remove(struct estab_stack *stack, struct conn *listener, struct conn *child)
{
    struct index_queue *queue = &listener->listener.waiting;
    if (child->queue_previous == NONE) {
        queue->head = child->queue_next;
    } else {
        stack->conns[child->queue_previous].queue_next = child->queue_next;
    }
    if (child->queue_next == NONE) {
        queue->tail = child->queue_previous;
    } else {
        stack->conns[child->queue_next].queue_previous = child->queue_previous;
    }
    child->in_queue = false;
    listener->listener.waiting_count--;
}

struct conn *waiting_pop(struct estab_stack *stack, struct conn *listener)
{
    uint32_t index = listener->listener.waiting.head;
    if (index == NONE) {
        return NULL;
    }
    waiting_remove(stack, listener, &stack->conns[index]);
    return &stack->conns[index];
}
