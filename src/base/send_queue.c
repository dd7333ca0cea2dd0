/*
 * The send queue: what RFC 9293 3.8.1 calls the retransmission queue and the bytes still to be sent, in one
 * list of blocks (RFC 9293 3.10.2 SEND, 3.10.7.4 for what an acknowledgement removes).
 *
 * New data is read where the last read ended, and data sent again runs behind it through the same list; each
 * has a cursor of its own, so that going back for a hole does not cost the way to the front. Only a jump
 * backwards walks, from the head, and holes are mended from the head on.
 *
 * Knows positions and bytes. What was sent, lost or acknowledged is the caller's.
 */
#include "base/send_queue.h"

#include "base/assert.h"
#include "base/mem.h"

/* Bytes of the tail block that are taken. */
static uint32_t tail_used(const struct send_queue *queue)
{
    return seq_diff(queue->end, queue->tail->base);
}

/* Appends a new block that begins at `end`. */
static struct block *append_block(struct send_queue *queue, struct pool *pool)
{
    struct block *block = pool_take(pool);
    if (block == NULL) {
        return NULL;
    }
    block->base = queue->end;
    block->owner_word = 0;
    if (queue->tail != NULL) {
        queue->tail->next = block;
    } else {
        queue->head = block;
    }
    queue->tail = block;
    return block;
}

/* The block with room for the byte at `end`: the tail, or a new one behind it. */
static struct block *block_with_room(struct send_queue *queue, struct pool *pool)
{
    if (queue->tail != NULL && tail_used(queue) < pool_payload(pool)) {
        return queue->tail;
    }
    return append_block(queue, pool);
}

static void give_head(struct send_queue *queue, struct pool *pool)
{
    struct block *block = queue->head;
    queue->head = block->next;
    if (queue->head == NULL) {
        queue->tail = NULL;
    }
    if (queue->cursor == block) {
        queue->cursor = NULL;
    }
    if (queue->again == block) {
        queue->again = NULL;
    }
    pool_give(pool, block);
}

void send_queue_init(struct send_queue *queue, tcp_seq start)
{
    *queue = (struct send_queue){.begin = start, .end = start};
}

void send_queue_free(struct send_queue *queue, struct pool *pool)
{
    while (queue->head != NULL) {
        give_head(queue, pool);
    }
    queue->begin = queue->end;
}

uint32_t send_queue_write(struct send_queue *queue, struct pool *pool, const uint8_t *data, uint32_t length)
{
    uint32_t done = 0;
    while (done < length) {
        struct block *block = block_with_room(queue, pool);
        if (block == NULL) {
            break;
        }
        uint32_t used = tail_used(queue);
        uint32_t room = pool_payload(pool) - used;
        uint32_t run = length - done < room ? length - done : room;
        memcpy(block->data + used, data + done, run);
        block->owner_word = 0;
        queue->end = seq_add(queue->end, run);
        done += run;
    }
    return done;
}

uint8_t *send_queue_reserve(struct send_queue *queue, struct pool *pool, uint32_t *length)
{
    struct block *block = block_with_room(queue, pool);
    if (block == NULL) {
        return NULL;
    }
    uint32_t used = tail_used(queue);
    block->owner_word = pool_payload(pool) - used;
    *length = block->owner_word;
    return block->data + used;
}

void send_queue_commit(struct send_queue *queue, uint32_t length)
{
    ESTAB_ASSERT(length <= send_queue_reserved(queue));
    if (queue->tail != NULL) {
        queue->tail->owner_word = 0;
    }
    queue->end = seq_add(queue->end, length);
}

void send_queue_trim(struct send_queue *queue, struct pool *pool)
{
    if (queue->tail != NULL) {
        queue->tail->owner_word = 0;
    }
    send_queue_drop(queue, pool, queue->begin);
}

/* Whether the head holds a byte from `upto` on, or is reserved for one. */
static bool head_needed(const struct send_queue *queue, const struct pool *pool, tcp_seq upto)
{
    if (queue->head != queue->tail) {
        return seq_diff(upto, queue->head->base) < pool_payload(pool);
    }
    return !seq_eq(upto, queue->end) || queue->head->owner_word != 0;
}

void send_queue_drop(struct send_queue *queue, struct pool *pool, tcp_seq upto)
{
    ESTAB_ASSERT(seq_between(queue->begin, upto, queue->end));
    while (queue->head != NULL && !head_needed(queue, pool, upto)) {
        give_head(queue, pool);
    }
    queue->begin = upto;
}

void send_queue_rebase(struct send_queue *queue, struct pool *pool, tcp_seq start)
{
    ESTAB_ASSERT(queue->head == NULL || seq_diff(queue->begin, queue->head->base) < pool_payload(pool));
    uint32_t shift = seq_diff(start, queue->begin);
    for (struct block *block = queue->head; block != NULL; block = block->next) {
        block->base = seq_add(block->base, shift);
    }
    queue->begin = start;
    queue->end = seq_add(queue->end, shift);
}

/* The cursor that serves a read at `from`, set to a block at or before it. */
static struct block **choose_cursor(struct send_queue *queue, tcp_seq from)
{
    if (queue->cursor == NULL) {
        queue->cursor = queue->head;
        return &queue->cursor;
    }
    if (seq_leq(queue->cursor->base, from)) {
        return &queue->cursor;
    }
    if (queue->again == NULL || seq_gt(queue->again->base, from)) {
        queue->again = queue->head;
    }
    return &queue->again;
}

unsigned send_queue_slices(struct send_queue *queue, tcp_seq from, uint32_t length, struct slice *slices,
                           unsigned max)
{
    ESTAB_ASSERT(seq_between(queue->begin, from, queue->end));
    ESTAB_ASSERT(length <= seq_diff(queue->end, from));
    if (length == 0 || max == 0) {
        return 0;
    }
    struct block **cursor = choose_cursor(queue, from);
    struct block *block = *cursor;
    while (block->next != NULL && seq_leq(block->next->base, from)) {
        block = block->next;
    }
    unsigned count = 0;
    for (;;) {
        ESTAB_ASSERT(block != NULL);
        tcp_seq block_end = block->next != NULL ? block->next->base : queue->end;
        uint32_t run = seq_diff(block_end, from);
        if (run > length) {
            run = length;
        }
        slices[count++] = (struct slice){block->data + seq_diff(from, block->base), run};
        length -= run;
        if (length == 0 || count == max) {
            break;
        }
        from = block_end;
        block = block->next;
    }
    *cursor = block;
    return count;
}

bool send_queue_check(const struct send_queue *queue, const struct pool *pool)
{
    if ((queue->head == NULL) != (queue->tail == NULL)) {
        return false;
    }
    if (queue->head == NULL) {
        return seq_eq(queue->begin, queue->end) && queue->cursor == NULL && queue->again == NULL;
    }
    bool cursor_seen = queue->cursor == NULL;
    bool again_seen = queue->again == NULL;
    tcp_seq expected = queue->head->base;
    const struct block *last = queue->head;
    for (const struct block *block = queue->head; block != NULL; block = block->next) {
        if (!seq_eq(block->base, expected) || (block->next != NULL && block->owner_word != 0)) {
            return false;
        }
        cursor_seen = cursor_seen || block == queue->cursor;
        again_seen = again_seen || block == queue->again;
        expected = seq_add(expected, pool_payload(pool));
        last = block;
    }
    uint32_t used = seq_diff(queue->end, last->base);
    return cursor_seen && again_seen && last == queue->tail &&
           used + last->owner_word <= pool_payload(pool) &&
           seq_diff(queue->begin, queue->head->base) < pool_payload(pool) &&
           seq_between(queue->begin, queue->end, seq_add(queue->begin, UINT32_C(1) << 30));
}
