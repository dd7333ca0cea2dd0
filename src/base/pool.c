/*
 * The pool of blocks: a stack of those given back, and behind it the memory that nobody has touched yet.
 *
 * Both calls are on the path of every few segments, so neither does more than unlink or link one block and
 * count. The bytes of a block are never cleared: its owner knows which of them it has written.
 *
 * Knows nothing of what a block holds, nor of who holds it.
 */
#include "base/pool.h"

#include <stdbool.h>

#include "base/assert.h"

enum { POOL_ALIGNMENT = 16, POOL_BLOCK_MIN = 128 };

void pool_init(struct pool *pool, void *memory, size_t size, uint32_t block_size)
{
    ESTAB_ASSERT(((uintptr_t)memory & (POOL_ALIGNMENT - 1)) == 0);
    ESTAB_ASSERT(block_size >= POOL_BLOCK_MIN);
    ESTAB_ASSERT((block_size & (block_size - 1)) == 0);
    ESTAB_ASSERT(size / block_size < UINT32_MAX);
    size_t total = size / block_size;
    *pool = (struct pool){
        .fresh = memory,
        .end = (uint8_t *)memory + total * block_size,
        .block_size = block_size,
        .total = (uint32_t)total,
    };
}

/* Counts one call of pool_take() under fail_after; true when it must fail. */
static bool told_to_fail(struct pool *pool)
{
    if (pool->fail_after > 1) {
        pool->fail_after--;
        return false;
    }
    return true;
}

/* No block can be handed out: counted, so that a stack can tell how often its budget was short. */
__attribute__((cold, noinline)) static struct block *take_none(struct pool *pool)
{
    pool->failed++;
    return NULL;
}

struct block *pool_take(struct pool *pool)
{
    if (__builtin_expect(pool->fail_after != 0, 0) && told_to_fail(pool)) {
        return take_none(pool);
    }
    struct block *block = pool->free;
    if (block != NULL) {
        pool->free = block->next;
    } else if (pool->fresh != pool->end) {
        block = (struct block *)(void *)pool->fresh;
        pool->fresh += pool->block_size;
    } else {
        return take_none(pool);
    }
    block->next = NULL;
    pool->used++;
    if (pool->used > pool->used_high) {
        pool->used_high = pool->used;
    }
    return block;
}

void pool_give(struct pool *pool, struct block *block)
{
    ESTAB_ASSERT(pool->used > 0);
    block->next = pool->free;
    pool->free = block;
    pool->used--;
}
