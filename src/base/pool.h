/*
 * The one pool of fixed-size blocks that holds user bytes in both directions, out-of-order ranges and IP
 * fragments: the part of a stack's memory budget that moves. Blocks are handed out last in, first out, so
 * that the ones in use stay in the cache. A block that was never used was never touched, so a large budget
 * costs nothing until it is needed.
 */
#ifndef ESTAB_BASE_POOL_H
#define ESTAB_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/seq.h"

struct block {
    struct block *next;
    tcp_seq base;        /* stream position of data[0]; its owner's to use */
    uint32_t owner_word; /* the owner's to use */
    uint8_t data[];
};

/*
 * With fail_after set to k > 0 the k-th pool_take() from then on fails and so does every later one, until it
 * is set anew: it counts down to 1 and stays there.
 */
struct pool {
    struct block *free;   /* given back, last in first out */
    uint8_t *fresh;       /* never handed out yet: [fresh, end) */
    uint8_t *end;
    uint32_t block_size;  /* bytes of a block with its header */
    uint32_t total;       /* blocks in all */
    uint32_t used;        /* handed out now */
    uint32_t used_high;   /* the most ever handed out at once */
    uint32_t failed;      /* calls that found none */
    uint32_t in_order;    /* of `used`, as receive queues count: with text in order */
    uint32_t ahead;       /* with text ahead of a gap, and their lists */
    uint32_t fail_after;  /* for tests, see above; 0 = never */
};

/* Carves `memory` (aligned to 16) into blocks of block_size bytes, a power of two of at least 128. */
void pool_init(struct pool *pool, void *memory, size_t size, uint32_t block_size);

/* A block with next = NULL and the rest as it was left; NULL when all are in use (counted in failed). */
struct block *pool_take(struct pool *pool);
void pool_give(struct pool *pool, struct block *block);

/* Payload bytes of one block. */
static inline uint32_t pool_payload(const struct pool *pool)
{
    return pool->block_size - (uint32_t)sizeof(struct block);
}

static inline uint32_t pool_available(const struct pool *pool)
{
    return pool->total - pool->used;
}

/*
 * Blocks that are kept for what is given back soon (V-36): senders leave so many, and twice as many whoever
 * has text that is not read yet, or comes ahead of a gap. The rest is for text in order whose reader keeps
 * up.
 */
static inline uint32_t pool_kept(const struct pool *pool)
{
    return pool->total / 32;
}

#endif
