/*
 * The bytes that have arrived and the application has not read, with those that came ahead of a gap (RFC 9293
 * 3.10.7.4, SHLD-31). Every byte has one place: block positions follow from stream positions, so filling a
 * gap moves nothing and overlapping segments cost no memory twice. Of bytes that arrive twice the first that
 * was accepted stays.
 *
 * In order: [begin, end). Ahead: ranges behind gaps, sorted, in one block of the pool that exists only while
 * there are any. Each range knows its last block, so that the place of a new byte is found by a binary search
 * over ranges, never by walking blocks. Blocks exist only where bytes are.
 *
 * All blocks stand in one list in stream order. Their bases differ by multiples of the payload: the grid on
 * which bytes have their places; it starts anew when the last block goes. Of a block, owner_word is the
 * payload.
 */
#ifndef ESTAB_BASE_RECV_QUEUE_H
#define ESTAB_BASE_RECV_QUEUE_H

#include <stdbool.h>

#include "base/pool.h"
#include "base/slice.h"

/* How many recent ranges are remembered in the order of arrival, for SACK blocks (RFC 2018 section 4). */
#define RECV_QUEUE_RECENT 4
/* The most ranges ahead of gaps: what a segment may have to move aside is bounded (V-38). */
#define RECV_QUEUE_RANGES 256

struct recv_range {
    tcp_seq begin;
    tcp_seq end;
    struct block *last; /* the block that holds end - 1 */
};

/* Lies in the data of one block. */
struct recv_ahead {
    uint32_t count;
    uint32_t capacity;
    uint32_t recent_count;
    tcp_seq recent[RECV_QUEUE_RECENT]; /* a position inside each range that grew last, newest first */
    struct recv_range range[];
};

static inline uint32_t recv_ahead_capacity(uint32_t payload)
{
    uint32_t room = (payload - (uint32_t)sizeof(struct recv_ahead)) / (uint32_t)sizeof(struct recv_range);
    return room < RECV_QUEUE_RANGES ? room : RECV_QUEUE_RANGES;
}

struct recv_queue {
    struct block *head;  /* the first of all blocks; holds begin, when there is any byte in order */
    struct block *tail;  /* the last block with in-order bytes, or NULL */
    struct block *ahead; /* struct recv_ahead, or NULL */
    tcp_seq begin;
    tcp_seq end;
};

enum recv_verdict {
    RECV_IN_ORDER,  /* `end` moved, maybe over ranges that were ahead */
    RECV_AHEAD,     /* stored behind a gap */
    RECV_DUPLICATE, /* nothing in it was new */
    RECV_NO_MEMORY, /* nothing or only part could be kept (pool or range table full); what was in order and
                       fitted has moved `end` */
};

void recv_queue_init(struct recv_queue *queue, tcp_seq start);
void recv_queue_free(struct recv_queue *queue, struct pool *pool);

static inline uint32_t recv_queue_readable(const struct recv_queue *queue)
{
    return seq_diff(queue->end, queue->begin);
}

/*
 * Stores `length` bytes (> 0) whose first has position `from`. The caller has trimmed them to the window, so
 * that begin - 2^30 < from and from + length < begin + 2^30; the part before `end` is ignored here.
 */
enum recv_verdict recv_queue_insert(struct recv_queue *queue, struct pool *pool, tcp_seq from,
                                    const uint8_t *data, uint32_t length);

/*
 * Copies up to `length` readable bytes starting `offset` bytes behind begin; removes nothing. Returns the
 * number copied.
 */
uint32_t recv_queue_copy(const struct recv_queue *queue, uint32_t offset, uint8_t *data, uint32_t length);

/* Readable bytes from the front as slices. Returns their number. */
unsigned recv_queue_slices(const struct recv_queue *queue, struct slice *slices, unsigned max);

/* Removes `length` <= recv_queue_readable() bytes from the front. */
void recv_queue_consume(struct recv_queue *queue, struct pool *pool, uint32_t length);

/* Drops every range ahead (RFC 2018 section 8 allows it) and returns the number of bytes lost. */
uint32_t recv_queue_shed_ahead(struct recv_queue *queue, struct pool *pool);

static inline bool recv_queue_has_ahead(const struct recv_queue *queue)
{
    return queue->ahead != NULL;
}

/*
 * The ranges ahead, each once, at most max: those that grew last, newest first, then (RFC 2018 section 4: as
 * many as possible) others that are not remembered, the furthest first. Returns their number.
 */
unsigned recv_queue_recent(const struct recv_queue *queue, tcp_seq (*edges)[2], unsigned max);

/*
 * The first run of [from, from + length) that is held already, as [edges[0], edges[1]); false = nothing is.
 * `from` lies at `end` or behind it.
 */
bool recv_queue_held(const struct recv_queue *queue, tcp_seq from, uint32_t length, tcp_seq edges[2]);

/* Bytes held ahead, over all ranges. */
uint32_t recv_queue_ahead_bytes(const struct recv_queue *queue);

/* Every invariant of the queue; for tests and conn_check(). */
bool recv_queue_check(const struct recv_queue *queue, const struct pool *pool);

/* Blocks that hold text in order: pool->in_order is the sum of them over all queues. Walks them. */
uint32_t recv_queue_blocks_in_order(const struct recv_queue *queue);

#endif
