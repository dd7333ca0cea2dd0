/*
 * The queues that connections stand in, linked by index: packets to be pulled, neighbours or blocks to be
 * waited for, events to be told, connections to be accepted.
 */
#include "base/assert.h"
#include "stack/stack.h"

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

void ready_drop_dead(struct estab_stack *stack)
{
    while (stack->ready.head != NONE && !stack->conns[stack->ready.head].in_use) {
        struct conn *conn = &stack->conns[stack->ready.head];
        stack->ready.head = conn->ready_next;
        conn->in_ready = false;
        conn_recycle(stack, conn);
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

void queue_starved(struct estab_stack *stack, struct conn *conn)
{
    if (!conn->in_queue) {
        push(stack, &stack->starved, conn);
    }
}

/* Blocks have come back: a few of those who found none may try again. */
void wake_starved(struct estab_stack *stack)
{
    for (unsigned n = 0; n < 8 && stack->starved.head != NONE; n++) {
        if (pool_available(&stack->pool) <= stack->pool.total / 8) {
            return;
        }
        struct conn *conn = pop(stack, &stack->starved);
        if (!conn->in_use) {
            conn_recycle(stack, conn);
        } else if (conn_writable(&conn->tcp)) {
            conn->tcp.want_write = false;
            conn->tcp.events |= ESTAB_WRITABLE;
            conn_settle(stack, conn);
        }
    }
}

void waiting_push(struct estab_stack *stack, struct conn *listener, struct conn *child)
{
    push(stack, &listener->listener.waiting, child);
    listener->listener.waiting_count++;
}

/* A connection that ended while it waited stands here until its turn and is skipped. */
struct conn *waiting_pop(struct estab_stack *stack, struct conn *listener)
{
    for (;;) {
        struct conn *child = pop(stack, &listener->listener.waiting);
        if (child == NULL) {
            return NULL;
        }
        if (child->in_use) {
            listener->listener.waiting_count--;
            return child;
        }
        conn_recycle(stack, child);
    }
}
