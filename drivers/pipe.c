/*
 * The memory pipe (pipe.h). Each end has a queue of what it has sent, in the order of arrival at the other
 * end. Slots are allocated at the start and go from the free stack to the stack of estab, which fills them,
 * to the ring of packets under way, and back. A packet that is delayed more than its neighbours is moved
 * back in the ring, so that the front always arrives first.
 *
 * It knows struct estab_packet and the sans-I/O calls of estab.h; what is in a packet it does not know. Time
 * is a number here.
 */
#include "pipe.h"

#include "addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPE_BATCH      32u
#define ETHERNET_HEADER 14u

/* 64 KiB of a long segment and an Ethernet header, rounded; and the text that fits behind all headers. */
#define OFFLOAD_ROOM 65664u
#define GSO_TEXT_MAX 65400u

/* How far time goes on when a stack names a deadline that it has just been given. */
#define PIPE_NUDGE 1000u

struct pipe_slot {
    uint64_t due;
    uint8_t *data;
    uint32_t length;
    uint32_t flags;
    uint16_t gso_size;
    uint8_t reason; /* the sender's */
};

struct pipe_queue {
    unsigned capacity;
    uint32_t room;  /* bytes of a slot */
    unsigned head;  /* of the ring: arrives first */
    unsigned count; /* under way */
    unsigned free_count;
    struct pipe_slot **ring; /* capacity places */
    struct pipe_slot **free_slots;
    struct pipe_slot *slots;
    uint8_t *bytes;
};

/* -------------------------------------------------------------------------------------------------- queue */

static struct pipe_slot **place(const struct pipe_queue *queue, unsigned index)
{
    return &queue->ring[(queue->head + index) % queue->capacity];
}

static struct pipe_slot *queue_reserve(struct pipe_queue *queue)
{
    return queue->free_slots[--queue->free_count];
}

static void queue_release(struct pipe_queue *queue, struct pipe_slot *slot)
{
    queue->free_slots[queue->free_count++] = slot;
}

/* Puts a slot among those under way, in front of all that arrive later. */
static void queue_insert(struct pipe_queue *queue, struct pipe_slot *slot)
{
    unsigned at = queue->count++;

    for (; at > 0 && (*place(queue, at - 1))->due > slot->due; at--)
        *place(queue, at) = *place(queue, at - 1);
    *place(queue, at) = slot;
}

static const struct pipe_slot *queue_front(const struct pipe_queue *queue)
{
    return queue->count > 0 ? *place(queue, 0) : NULL;
}

static struct pipe_slot *queue_remove(struct pipe_queue *queue)
{
    struct pipe_slot *slot = *place(queue, 0);

    queue->head = (queue->head + 1) % queue->capacity;
    queue->count--;
    return slot;
}

static void queue_free(struct pipe_queue *queue)
{
    if (queue == NULL)
        return;
    free(queue->bytes);
    free(queue->slots);
    free(queue->free_slots);
    free(queue->ring);
    free(queue);
}

static struct pipe_queue *queue_new(unsigned capacity, uint32_t room)
{
    struct pipe_queue *queue = calloc(1, sizeof *queue);

    if (queue == NULL)
        return NULL;
    queue->capacity = capacity;
    queue->room = room;
    queue->ring = calloc(capacity, sizeof(struct pipe_slot *));
    queue->free_slots = calloc(capacity, sizeof(struct pipe_slot *));
    queue->slots = calloc(capacity, sizeof *queue->slots);
    queue->bytes = calloc(capacity, room);
    if (queue->ring == NULL || queue->free_slots == NULL || queue->slots == NULL || queue->bytes == NULL) {
        queue_free(queue);
        return NULL;
    }
    for (unsigned i = 0; i < capacity; i++) {
        queue->slots[i].data = queue->bytes + (size_t)i * room;
        queue_release(queue, &queue->slots[i]);
    }
    return queue;
}

/* ------------------------------------------------------------------------------------------------ capture */

/* A capture that fails says so through its writer: the owner asks pcapng_report(). */
static void capture(const struct pipe *pipe, const struct estab_packet *packet, bool outgoing,
                    const char *note)
{
    struct pcapng_record record = {
        .interface = (unsigned)pipe->capture_interface,
        .time_ns = pipe->now,
        .outgoing = outgoing,
        .note = note,
        .packet = packet,
    };

    if (pipe->options.capture != NULL && pipe->capture_interface >= 0)
        pcapng_write(pipe->options.capture, &record);
}

/*
 * What end 0 sees of a packet that is being sent: its own; and of the other's those that it will never see.
 */
static void capture_sent(const struct pipe *pipe, unsigned from, const struct estab_packet *packet,
                         const struct pipe_fate *fate)
{
    struct estab_packet lost = *packet;

    if (from == 0) {
        capture(pipe, packet, true, fate->copies == 0 ? "lost on the way" : NULL);
        return;
    }
    if (fate->copies > 0)
        return;
    lost.reason = ESTAB_DROP_NONE;
    lost.conn = 0;
    lost.state_before = lost.state_after = ESTAB_CLOSED;
    capture(pipe, &lost, false, "lost on the way");
}

/* ------------------------------------------------------------------------------------------------- moving */

static void fill_slot(struct pipe_slot *slot, const struct estab_packet *packet, uint64_t due)
{
    slot->due = due;
    slot->length = packet->length;
    slot->flags = (packet->flags & ESTAB_PACKET_CHECKSUM_PARTIAL) != 0 ? ESTAB_PACKET_CHECKSUM_VALID : 0;
    slot->gso_size = packet->gso_size;
    slot->reason = packet->reason;
}

/* Decides what becomes of a packet that stands in `slot`, and puts it and its copies on their way. */
static void send_one(struct pipe *pipe, unsigned from, struct pipe_slot *slot, struct estab_packet *packet)
{
    struct pipe_end *end = &pipe->end[from];
    struct pipe_queue *queue = end->queue;
    struct pipe_fate fate = {1, 0};
    uint64_t due;

    if (pipe->options.hook != NULL)
        pipe->options.hook(pipe->options.hook_user, from, end->sent, packet, &fate);
    end->sent++;
    capture_sent(pipe, from, packet, &fate);
    if (fate.copies == 0) {
        end->lost++;
        queue_release(queue, slot);
        return;
    }
    due = pipe->now + pipe->options.delay_ns + fate.extra_ns;
    fill_slot(slot, packet, due);
    queue_insert(queue, slot);
    for (unsigned i = 1; i < fate.copies && queue->free_count > 0; i++) {
        struct pipe_slot *copy = queue_reserve(queue);

        fill_slot(copy, packet, due);
        memcpy(copy->data, slot->data, slot->length);
        queue_insert(queue, copy);
    }
}

/* Half of the free slots stay so where a hook may want to double packets. */
static unsigned pull_batch(struct pipe *pipe, unsigned from)
{
    struct pipe_queue *queue = pipe->end[from].queue;
    unsigned room = pipe->options.hook != NULL ? queue->free_count / 2 : queue->free_count;
    unsigned most = room < PIPE_BATCH ? room : PIPE_BATCH;
    struct estab_packet packets[PIPE_BATCH] = {0};
    struct pipe_slot *slots[PIPE_BATCH];
    unsigned count;

    for (unsigned i = 0; i < most; i++) {
        slots[i] = queue_reserve(queue);
        packets[i].data = slots[i]->data;
        packets[i].capacity = queue->room;
    }
    count = estab_pull(pipe->end[from].stack, pipe->now, packets, most);
    for (unsigned i = count; i < most; i++)
        queue_release(queue, slots[i]);
    for (unsigned i = 0; i < most && i < count; i++)
        send_one(pipe, from, slots[i], &packets[i]);
    return count;
}

static void lose_due(struct pipe *pipe, struct pipe_queue *queue)
{
    while (queue->count > 0 && queue_front(queue)->due <= pipe->now)
        queue_release(queue, queue_remove(queue));
}

/* Gives an end what has arrived for it, at most a batch. */
static unsigned deliver_batch(struct pipe *pipe, unsigned to)
{
    struct pipe_queue *queue = pipe->end[1 - to].queue;
    struct estab_packet packets[PIPE_BATCH] = {0};
    struct pipe_slot *slots[PIPE_BATCH];
    unsigned count = 0;

    while (count < PIPE_BATCH && queue->count > 0 && queue_front(queue)->due <= pipe->now) {
        struct pipe_slot *slot = queue_remove(queue);

        packets[count].data = slot->data;
        packets[count].capacity = queue->room;
        packets[count].length = slot->length;
        packets[count].flags = slot->flags;
        packets[count].gso_size = slot->gso_size;
        packets[count].interface = (uint32_t)pipe->end[to].interface;
        slots[count++] = slot;
    }
    if (count == 0)
        return 0;
    estab_input(pipe->end[to].stack, pipe->now, packets, count);
    for (unsigned i = 0; i < count; i++) {
        if (to == 0)
            capture(pipe, &packets[i], false, estab_reason_name(slots[i]->reason));
        queue_release(queue, slots[i]);
    }
    pipe->end[to].delivered += count;
    return count;
}

unsigned pipe_round(struct pipe *pipe)
{
    unsigned moved = 0;

    for (unsigned i = 0; i < 2; i++) {
        if (pipe->end[i].stack != NULL)
            moved += deliver_batch(pipe, i);
        else
            lose_due(pipe, pipe->end[1 - i].queue);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (pipe->end[i].stack == NULL)
            continue;
        if (estab_tick(pipe->end[i].stack, pipe->now))
            moved++;
        moved += pull_batch(pipe, i);
    }
    return moved;
}

/* --------------------------------------------------------------------------------------------------- time */

uint64_t pipe_next(const struct pipe *pipe)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < 2; i++) {
        const struct pipe_end *end = &pipe->end[i];
        const struct pipe_slot *front = queue_front(end->queue);
        uint64_t deadline = end->stack != NULL ? estab_next_deadline(end->stack) : UINT64_MAX;

        if (front != NULL && front->due < next)
            next = front->due;
        if (deadline < next)
            next = deadline;
    }
    return next;
}

bool pipe_step(struct pipe *pipe, uint64_t deadline)
{
    uint64_t next;

    if (pipe->now > deadline)
        return false;
    if (pipe_round(pipe) > 0)
        return true;
    next = pipe_next(pipe);
    if (next <= pipe->now)
        next = pipe->now + PIPE_NUDGE;
    if (next <= deadline && next != UINT64_MAX) {
        pipe->now = next;
        return true;
    }
    if (deadline != UINT64_MAX)
        pipe->now = deadline;
    return false;
}

bool pipe_run(struct pipe *pipe, bool (*application)(void *user), void *user, uint64_t duration_ns)
{
    uint64_t deadline = duration_ns < UINT64_MAX - pipe->now ? pipe->now + duration_ns : UINT64_MAX;

    do {
        if (application != NULL && application(user))
            return true;
    } while (pipe_step(pipe, deadline));
    return application != NULL && application(user);
}

/* -------------------------------------------------------------------------------------------- open, close */

static int add_interface(struct pipe *pipe, unsigned end)
{
    struct estab_interface interface = {
        .size = sizeof interface,
        .mtu = pipe->options.mtu,
        .ethernet = pipe->options.ethernet,
        .mac = {0x02, 0, 0, 0, 0, (uint8_t)(end + 1)},
        .checksum_offload = pipe->options.offload,
        .gso_max = pipe->options.offload ? GSO_TEXT_MAX : 0,
    };
    int result = estab_interface_add(pipe->end[end].stack, pipe->now, &interface);

    if (result < 0)
        return -addr_errno(result);
    pipe->end[end].interface = result;
    return 0;
}

static int open_end(struct pipe *pipe, unsigned end, char *error, size_t size)
{
    uint32_t room = pipe->options.offload ? OFFLOAD_ROOM : pipe->options.mtu + ETHERNET_HEADER;
    int result;

    pipe->end[end].queue = queue_new(pipe->options.slots, room);
    if (pipe->end[end].queue == NULL) {
        snprintf(error, size, "out of memory for %u packets under way", pipe->options.slots);
        return -ENOMEM;
    }
    result = add_interface(pipe, end);
    if (result != 0)
        snprintf(error, size, "cannot add an interface to stack %u: %s", end, strerror(-result));
    return result;
}

int pipe_open(struct pipe *pipe, estab_stack *const stacks[2], const struct pipe_options *options,
              char *error, size_t size)
{
    memset(pipe, 0, sizeof *pipe);
    pipe->now = PIPE_START;
    pipe->options = *options;
    if (pipe->options.mtu == 0)
        pipe->options.mtu = 1500;
    if (pipe->options.slots == 0)
        pipe->options.slots = pipe->options.offload ? 128 : 512;
    if (pipe->options.slots < 2)
        pipe->options.slots = 2;
    pipe->capture_interface = -1;
    if (pipe->options.capture != NULL)
        pipe->capture_interface = pcapng_interface(pipe->options.capture, "pipe", pipe->options.ethernet);
    for (unsigned i = 0; i < 2; i++) {
        int result;

        pipe->end[i].stack = stacks[i];
        result = open_end(pipe, i, error, size);
        if (result == 0)
            continue;
        pipe_close(pipe);
        return result;
    }
    return 0;
}

void pipe_close(struct pipe *pipe)
{
    for (unsigned i = 0; i < 2; i++) {
        queue_free(pipe->end[i].queue);
        pipe->end[i].queue = NULL;
    }
}

int pipe_address(struct pipe *pipe, unsigned end, const char *list, char *error, size_t size)
{
    struct addr_prefix prefixes[16];
    int count = addr_parse_list(list, prefixes, 16, error, size);
    char text[ADDR_TEXT];

    if (count < 0)
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        int result = estab_address_add(pipe->end[end].stack, pipe->now, (uint32_t)pipe->end[end].interface,
                                       &prefixes[i].addr, prefixes[i].length);

        if (result == 0)
            continue;
        snprintf(error, size, "cannot add the address %s: %s", addr_format(&prefixes[i].addr, text),
                 estab_strerror(result));
        return -addr_errno(result);
    }
    return 0;
}

int pipe_replace(struct pipe *pipe, unsigned end, estab_stack *stack)
{
    pipe->end[end].stack = stack;
    return stack != NULL ? add_interface(pipe, end) : 0;
}
