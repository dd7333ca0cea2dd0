/*
 * The bytes that an application has sent and the peer has not acknowledged: blocks of the pool in stream
 * order, each with the stream position of its first byte, all but the last one full. Bytes are copied in once
 * and read in place, as often as they must be sent again. An empty queue holds no block, unless one is
 * reserved to be filled.
 *
 * `begin` is the oldest byte kept, `end` the place of the next byte written. Two cursors remember blocks that
 * were read last, one for new data and one for what is sent again, so that reading on costs no search in
 * either case. Of a block, owner_word is what a reservation may still commit (only ever set in the tail).
 */
#ifndef ESTAB_BASE_SEND_QUEUE_H
#define ESTAB_BASE_SEND_QUEUE_H

#include <stdbool.h>

#include "base/pool.h"
#include "base/slice.h"

struct send_queue {
    struct block *head;
    struct block *tail;
    struct block *cursor; /* a block of the queue, or NULL: where the furthest read ended */
    struct block *again;  /* the same for reads that started before cursor */
    tcp_seq begin;
    tcp_seq end;
};

/* Empty, next byte at `start`. */
void send_queue_init(struct send_queue *queue, tcp_seq start);
void send_queue_free(struct send_queue *queue, struct pool *pool);

static inline uint32_t send_queue_length(const struct send_queue *queue)
{
    return seq_diff(queue->end, queue->begin);
}

/* What send_queue_commit() may add now: the room of the last reservation, 0 where there is none any more. */
static inline uint32_t send_queue_reserved(const struct send_queue *queue)
{
    return queue->tail != NULL ? queue->tail->owner_word : 0;
}

/*
 * Copies up to `length` bytes to the end; fewer when the pool is empty. Returns the number copied. Ends a
 * reservation. The caller keeps the queue below 2^30 bytes.
 */
uint32_t send_queue_write(struct send_queue *queue, struct pool *pool, const uint8_t *data, uint32_t length);

/*
 * Room at the end to be filled by the caller: a pointer to *length contiguous bytes (never 0; a new block is
 * taken when the tail is full), or NULL when the pool is empty. send_queue_commit() then adds the first
 * `length` of them (at most send_queue_reserved(), asserted) and ends the reservation. Bytes may be dropped
 * in between.
 */
uint8_t *send_queue_reserve(struct send_queue *queue, struct pool *pool, uint32_t *length);
void send_queue_commit(struct send_queue *queue, uint32_t length);

/*
 * A block reserved and then not filled stays as an empty tail: this ends the reservation and gives the block
 * back if the queue is empty.
 */
void send_queue_trim(struct send_queue *queue, struct pool *pool);

/* Drops everything before `upto`, begin <= upto <= end, and gives back the blocks. */
void send_queue_drop(struct send_queue *queue, struct pool *pool, tcp_seq upto);

/*
 * Moves the queue so that it begins at `start` (the ISS is chosen when the connection opens). Bytes written
 * before stay in order, a reservation stays good.
 */
void send_queue_rebase(struct send_queue *queue, struct pool *pool, tcp_seq start);

/*
 * The bytes [from, from + length), which must lie within the queue (asserted), as at most `max` slices.
 * Returns their number; their lengths add up to `length` unless `max` was too small. Moves a cursor.
 */
unsigned send_queue_slices(struct send_queue *queue, tcp_seq from, uint32_t length, struct slice *slices,
                           unsigned max);

/* Every invariant of the queue; for tests and conn_check(). */
bool send_queue_check(const struct send_queue *queue, const struct pool *pool);

#endif
