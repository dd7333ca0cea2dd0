/*
 * What must always hold of a receive queue (RFC 9293 3.10.7.4, F-INV-5): every byte in its cell, every
 * range behind a gap, no block without a byte. For tests and conn_check().
 *
 * It walks all of it and changes nothing. Knows the blocks and ranges of recv_queue.h, and nothing of how
 * they came to be.
 */
#include "base/recv_queue.h"

static const struct recv_ahead *ahead_of(const struct recv_queue *queue)
{
    return queue->ahead != NULL ? (const struct recv_ahead *)(const void *)queue->ahead->data : NULL;
}

static uint32_t ahead_count(const struct recv_queue *queue)
{
    return queue->ahead != NULL ? ahead_of(queue)->count : 0;
}

static tcp_seq end_before(const struct recv_queue *queue, uint32_t index)
{
    return index > 0 ? ahead_of(queue)->range[index - 1].end : queue->end;
}

static bool blocks_check(const struct recv_queue *queue, uint32_t payload)
{
    for (const struct block *block = queue->head; block != NULL; block = block->next) {
        uint32_t step = block->next != NULL ? seq_diff(block->next->base, block->base) : payload;
        if (block->owner_word != payload || step == 0 || step > UINT32_C(1) << 31 || step % payload != 0) {
            return false;
        }
    }
    return true;
}

static bool table_check(const struct recv_queue *queue, uint32_t payload)
{
    const struct recv_ahead *ahead = ahead_of(queue);
    return ahead == NULL ||
           (ahead->count > 0 && ahead->count <= ahead->capacity && ahead->recent_count > 0 &&
            ahead->recent_count <= RECV_QUEUE_RECENT && ahead->capacity == recv_ahead_capacity(payload));
}

/*
 * Whether the bytes of a run stand in adjoining blocks up to run->last, the first of which is *block (where
 * the run before it ended) or the one after. Leaves *block at the last.
 */
static bool run_check(const struct recv_queue *queue, const struct recv_range *run,
                      const struct block **block)
{
    tcp_seq at = run->begin;
    while (!seq_eq(at, run->end)) {
        if (*block == NULL || seq_diff(at, (*block)->base) >= (*block)->owner_word) {
            *block = *block != NULL ? (*block)->next : queue->head;
        }
        if (*block == NULL || seq_diff(at, (*block)->base) >= (*block)->owner_word) {
            return false;
        }
        uint32_t rest = (*block)->owner_word - seq_diff(at, (*block)->base);
        at = seq_add(at, seq_diff(run->end, at) < rest ? seq_diff(run->end, at) : rest);
    }
    return *block == run->last;
}

bool recv_queue_check(const struct recv_queue *queue, const struct pool *pool)
{
    const struct block *block = NULL;
    const struct recv_range in_order = {queue->begin, queue->end, queue->tail};
    uint32_t payload = pool_payload(pool);
    if (!blocks_check(queue, payload) || !table_check(queue, payload) ||
        !run_check(queue, &in_order, &block)) {
        return false;
    }
    for (uint32_t i = 0; i < ahead_count(queue); i++) {
        const struct recv_range *range = &ahead_of(queue)->range[i];
        if (seq_leq(range->begin, end_before(queue, i)) || seq_leq(range->end, range->begin) ||
            !run_check(queue, range, &block)) {
            return false;
        }
    }
    /* No block stands behind the last byte, none at all where there is no byte. */
    return block != NULL ? block->next == NULL : queue->head == NULL;
}

uint32_t recv_queue_blocks_in_order(const struct recv_queue *queue)
{
    uint32_t count = 0;
    for (const struct block *block = queue->head; queue->tail != NULL && block != NULL; block = block->next) {
        count++;
        if (block == queue->tail) {
            break;
        }
    }
    return count;
}
