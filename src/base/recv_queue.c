/*
 * The receive queue: in-order bytes and reassembly (RFC 9293 3.10.7.4, F-INV-5; SHLD-31 asks to keep
 * what comes early; RFC 2018 sections 4 and 8 for what is reported of it and may be dropped again).
 *
 * The stream is cut into cells of one block's payload each, on the grid of the blocks that exist. A byte's
 * cell and place in it follow from its position, so storing is: find the block before the gap (the last one
 * of the range that stands there, by binary search), step to the cell, copy. Ranges grow and merge by
 * changing numbers alone.
 *
 * Bytes in order with nothing ahead pass through the first lines of recv_queue_insert() and no search.
 *
 * Knows positions and bytes. What the window is and what to acknowledge is the caller's.
 */
#include "base/recv_queue.h"

#include "base/assert.h"
#include "base/mem.h"

/* Bytes to be stored in one gap, and what came of it. */
struct piece {
    tcp_seq from;
    const uint8_t *data;
    uint32_t length;
    struct block *last; /* the block of the last byte stored */
};

static struct recv_ahead *ahead_of(const struct recv_queue *queue)
{
    return queue->ahead != NULL ? (struct recv_ahead *)(void *)queue->ahead->data : NULL;
}

static uint32_t ahead_count(const struct recv_queue *queue)
{
    return queue->ahead != NULL ? ahead_of(queue)->count : 0;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Bytes of the tail's cell before `end`. */
static uint32_t tail_used(const struct recv_queue *queue)
{
    return seq_diff(queue->end, queue->tail->base);
}

void recv_queue_init(struct recv_queue *queue, tcp_seq start)
{
    *queue = (struct recv_queue){.begin = start, .end = start};
}

/* Returns how many there were. */
static uint32_t give_list(struct pool *pool, struct block *block)
{
    uint32_t count = 0;
    for (; block != NULL; count++) {
        struct block *next = block->next;
        pool_give(pool, block);
        block = next;
    }
    return count;
}

void recv_queue_free(struct recv_queue *queue, struct pool *pool)
{
    recv_queue_shed_ahead(queue, pool);
    pool->in_order -= give_list(pool, queue->head);
    recv_queue_init(queue, queue->end);
}

/* The pool tells blocks with text in order from those ahead: `count` of them have changed sides. */
static void become_in_order(struct pool *pool, uint32_t count)
{
    pool->ahead -= count;
    pool->in_order += count;
}

/*
 * A new block with the given base, linked in behind `before`, or first where that is NULL. It counts as ahead
 * until what is in order reaches it.
 */
static struct block *link_block(struct recv_queue *queue, struct pool *pool, struct block *before,
                                tcp_seq base)
{
    struct block *block = pool_take(pool);
    if (block == NULL) {
        return NULL;
    }
    struct block **link = before != NULL ? &before->next : &queue->head;
    block->base = base;
    block->owner_word = pool_payload(pool);
    block->next = *link;
    *link = block;
    pool->ahead++;
    return block;
}

/* The tail with room for the byte at `end`, when nothing is ahead: the tail there is, or a new one. */
static struct block *tail_with_room(struct recv_queue *queue, struct pool *pool)
{
    struct block *tail = queue->tail;
    if (tail != NULL && tail_used(queue) < tail->owner_word) {
        return tail;
    }
    tail = link_block(queue, pool, tail, queue->end);
    if (tail != NULL) {
        queue->tail = tail;
        become_in_order(pool, 1);
    }
    return tail;
}

/* Bytes at `end` with nothing ahead, over as many blocks as it takes. */
static enum recv_verdict append(struct recv_queue *queue, struct pool *pool, const uint8_t *data,
                                uint32_t length)
{
    while (length > 0) {
        struct block *tail = tail_with_room(queue, pool);
        if (tail == NULL) {
            return RECV_NO_MEMORY;
        }
        uint32_t used = tail_used(queue);
        uint32_t run = smaller(length, tail->owner_word - used);
        memcpy(tail->data + used, data, run);
        queue->end = seq_add(queue->end, run);
        data += run;
        length -= run;
    }
    return RECV_IN_ORDER;
}

/* The first range that ends behind `position`; `count` where there is none. */
static uint32_t range_find(const struct recv_queue *queue, tcp_seq position)
{
    const struct recv_ahead *ahead = ahead_of(queue);
    uint32_t low = 0;
    uint32_t high = ahead_count(queue);
    /* A segment behind all others is what one loss brings again and again. */
    if (high > 0 && seq_leq(ahead->range[high - 1].end, position)) {
        return high;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (seq_leq(ahead->range[middle].end, position)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/*
 * The end of the run of bytes held that `position` lies in, or `position` itself where it lies in a gap.
 * `index` is what range_find() gave for it.
 */
static tcp_seq held_until(const struct recv_queue *queue, uint32_t index, tcp_seq position)
{
    if (seq_lt(position, queue->end)) {
        return queue->end;
    }
    bool held = index < ahead_count(queue) && seq_leq(ahead_of(queue)->range[index].begin, position);
    return held ? ahead_of(queue)->range[index].end : position;
}

/* Room for one more range; takes the block of the table for the first one. */
static bool range_room(struct recv_queue *queue, struct pool *pool)
{
    if (queue->ahead == NULL) {
        queue->ahead = pool_take(pool);
        if (queue->ahead == NULL) {
            return false;
        }
        struct recv_ahead *ahead = ahead_of(queue);
        *ahead = (struct recv_ahead){.capacity = recv_ahead_capacity(pool_payload(pool))};
        pool->ahead++;
    }
    return ahead_of(queue)->count < ahead_of(queue)->capacity;
}

/* The table's block goes back with the last range. */
static void range_release(struct recv_queue *queue, struct pool *pool)
{
    if (queue->ahead != NULL && ahead_of(queue)->count == 0) {
        pool_give(pool, queue->ahead);
        pool->ahead--;
        queue->ahead = NULL;
    }
}

static void range_remove(struct recv_queue *queue, uint32_t index)
{
    struct recv_ahead *ahead = ahead_of(queue);
    ahead->count--;
    struct recv_range *range = &ahead->range[index];
    memmove(range, range + 1, (ahead->count - index) * sizeof(*range));
}

static void range_add(struct recv_queue *queue, uint32_t index, struct recv_range range)
{
    struct recv_ahead *ahead = ahead_of(queue);
    struct recv_range *place = &ahead->range[index];
    memmove(place + 1, place, (ahead->count - index) * sizeof(*place));
    *place = range;
    ahead->count++;
}

/*
 * The position at which the run of bytes before range `index` ends: the range before it, or what is in order.
 */
static tcp_seq end_before(const struct recv_queue *queue, uint32_t index)
{
    return index > 0 ? ahead_of(queue)->range[index - 1].end : queue->end;
}

/* Blocks with text in order that end in `last`, beyond those that end in the tail. */
static uint32_t blocks_gained(const struct recv_queue *queue, const struct block *last)
{
    tcp_seq from = queue->tail != NULL ? queue->tail->base : queue->head->base;
    uint32_t cells = seq_diff(last->base, from) / last->owner_word;
    return queue->tail != NULL ? cells : cells + 1;
}

/* What stands before range `index`, and what is in order where it is the first, now ends as `run` does. */
static void extend_before(struct recv_queue *queue, struct pool *pool, uint32_t index,
                          const struct recv_range *run)
{
    if (index == 0) {
        become_in_order(pool, blocks_gained(queue, run->last));
        queue->end = run->end;
        queue->tail = run->last;
        return;
    }
    struct recv_range *range = &ahead_of(queue)->range[index - 1];
    range->end = run->end;
    range->last = run->last;
}

/*
 * Enters a run of bytes that was stored in the gap before range `index`: it may touch what stands before the
 * gap, what stands behind it, both or neither.
 */
static void range_enter(struct recv_queue *queue, struct pool *pool, uint32_t index,
                        const struct recv_range *run)
{
    struct recv_ahead *ahead = ahead_of(queue);
    bool touches_before = seq_eq(run->begin, end_before(queue, index));
    bool touches_behind = index < ahead_count(queue) && seq_eq(run->end, ahead->range[index].begin);
    if (touches_before && touches_behind) {
        extend_before(queue, pool, index, &ahead->range[index]);
        range_remove(queue, index);
    } else if (touches_before) {
        extend_before(queue, pool, index, run);
    } else if (touches_behind) {
        ahead->range[index].begin = run->begin;
    } else {
        range_add(queue, index, *run);
    }
}

/* The base of the cell that holds `position`, on the grid of the blocks around it. */
static tcp_seq cell_base(const struct recv_queue *queue, const struct block *before, tcp_seq position,
                         uint32_t payload)
{
    if (before == NULL && queue->head != NULL) {
        uint32_t cells = (seq_diff(queue->head->base, position) + payload - 1) / payload;
        return seq_sub(queue->head->base, cells * payload);
    }
    tcp_seq origin = before != NULL ? before->base : queue->end;
    return seq_add(origin, seq_diff(position, origin) / payload * payload);
}

/*
 * The block for the byte at `position`, which lies in a gap: the last block before the gap, the first one
 * behind it, or a new one between them. `before` is NULL where no block stands before the gap.
 */
static struct block *cell_block(struct recv_queue *queue, struct pool *pool, struct block *before,
                                tcp_seq position)
{
    uint32_t payload = pool_payload(pool);
    if (before != NULL && seq_diff(position, before->base) < payload) {
        return before;
    }
    struct block *behind = before != NULL ? before->next : queue->head;
    if (behind != NULL && seq_leq(behind->base, position)) {
        return behind;
    }
    return link_block(queue, pool, before, cell_base(queue, before, position, payload));
}

/* Copies a piece into its cells from `before` on. Returns how many bytes of it found a block. */
static uint32_t fill(struct recv_queue *queue, struct pool *pool, struct block *before, struct piece *piece)
{
    uint32_t done = 0;
    while (done < piece->length) {
        tcp_seq position = seq_add(piece->from, done);
        struct block *block = cell_block(queue, pool, before, position);
        if (block == NULL) {
            break;
        }
        uint32_t offset = seq_diff(position, block->base);
        uint32_t run = smaller(piece->length - done, block->owner_word - offset);
        memcpy(block->data + offset, piece->data + done, run);
        done += run;
        before = block;
        piece->last = block;
    }
    return done;
}

/*
 * Stores a piece in the gap before range `index`, which it does not exceed. Returns how many bytes were kept.
 * A piece that does not continue what stands before the gap may become a range of its own, so there must be
 * room for one.
 */
static uint32_t store(struct recv_queue *queue, struct pool *pool, uint32_t index, struct piece *piece)
{
    if (!seq_eq(piece->from, end_before(queue, index)) && !range_room(queue, pool)) {
        return 0;
    }
    struct block *before = index > 0 ? ahead_of(queue)->range[index - 1].last : queue->tail;
    uint32_t done = fill(queue, pool, before, piece);
    if (done > 0) {
        const struct recv_range run = {piece->from, seq_add(piece->from, done), piece->last};
        range_enter(queue, pool, index, &run);
    }
    range_release(queue, pool);
    return done;
}

/*
 * `position` lies in the range that has just grown: it is now the newest, and others in that range are
 * forgotten.
 */
static void remember_recent(struct recv_queue *queue, tcp_seq position)
{
    struct recv_ahead *ahead = ahead_of(queue);
    const struct recv_range *grown = &ahead->range[range_find(queue, position)];
    tcp_seq kept[RECV_QUEUE_RECENT] = {position};
    uint32_t count = 1;
    for (uint32_t i = 0; i < ahead->recent_count && count < RECV_QUEUE_RECENT; i++) {
        tcp_seq other = ahead->recent[i];
        if (seq_gt(other, queue->end) && (seq_lt(other, grown->begin) || seq_geq(other, grown->end))) {
            kept[count++] = other;
        }
    }
    memcpy(ahead->recent, kept, sizeof(kept));
    ahead->recent_count = count;
}

/* Stores what is new of `rest` gap by gap. Returns false when memory ran out on the way. */
static bool fill_gaps(struct recv_queue *queue, struct pool *pool, struct piece *rest, tcp_seq *stored_at)
{
    while (rest->length > 0) {
        uint32_t index = range_find(queue, rest->from);
        uint32_t step = smaller(rest->length, seq_diff(held_until(queue, index, rest->from), rest->from));
        if (step == 0) {
            struct piece piece = *rest;
            if (index < ahead_count(queue)) {
                tcp_seq stop = ahead_of(queue)->range[index].begin;
                piece.length = smaller(piece.length, seq_diff(stop, piece.from));
            }
            step = store(queue, pool, index, &piece);
            *stored_at = step > 0 ? piece.from : *stored_at;
            if (step < piece.length) {
                return false;
            }
        }
        rest->from = seq_add(rest->from, step);
        rest->data += step;
        rest->length -= step;
    }
    return true;
}

/* Everything but bytes at `end` with nothing ahead. */
__attribute__((noinline)) static enum recv_verdict insert_slow(struct recv_queue *queue, struct pool *pool,
                                                               struct piece rest)
{
    tcp_seq old_end = queue->end;
    tcp_seq from = rest.from;
    /* What is stored ahead begins behind `end`, so `end` itself stands for nothing. */
    tcp_seq stored_at = old_end;
    bool complete = fill_gaps(queue, pool, &rest, &stored_at);
    if (seq_gt(stored_at, queue->end)) {
        remember_recent(queue, stored_at);
    }
    if (!complete) {
        return RECV_NO_MEMORY;
    }
    if (!seq_eq(queue->end, old_end)) {
        return RECV_IN_ORDER;
    }
    if (!seq_eq(stored_at, old_end)) {
        return RECV_AHEAD;
    }
    if (seq_gt(from, queue->end)) {
        remember_recent(queue, from); /* RFC 2018 4: the range that the last segment lies in comes first */
    }
    return RECV_DUPLICATE;
}

enum recv_verdict recv_queue_insert(struct recv_queue *queue, struct pool *pool, tcp_seq from,
                                    const uint8_t *data, uint32_t length)
{
    if (__builtin_expect(!seq_eq(from, queue->end) || queue->ahead != NULL, 0)) {
        return insert_slow(queue, pool, (struct piece){from, data, length, NULL});
    }
    struct block *tail = queue->tail;
    if (tail == NULL || length > tail->owner_word - tail_used(queue)) {
        return append(queue, pool, data, length);
    }
    memcpy(tail->data + tail_used(queue), data, length);
    queue->end = seq_add(queue->end, length);
    return RECV_IN_ORDER;
}

uint32_t recv_queue_copy(const struct recv_queue *queue, uint32_t offset, uint8_t *data, uint32_t length)
{
    uint32_t readable = recv_queue_readable(queue);
    if (offset >= readable) {
        return 0;
    }
    length = smaller(length, readable - offset);
    tcp_seq from = seq_add(queue->begin, offset);
    const struct block *block = queue->head;
    while (seq_diff(from, block->base) >= block->owner_word) {
        block = block->next;
    }
    uint32_t at = seq_diff(from, block->base);
    for (uint32_t done = 0; done < length;) {
        uint32_t run = smaller(length - done, block->owner_word - at);
        memcpy(data + done, block->data + at, run);
        done += run;
        block = block->next;
        at = 0;
    }
    return length;
}

unsigned recv_queue_slices(const struct recv_queue *queue, struct slice *slices, unsigned max)
{
    unsigned count = 0;
    const struct block *block = queue->head;
    tcp_seq from = queue->begin;
    while (count < max && !seq_eq(from, queue->end)) {
        uint32_t offset = seq_diff(from, block->base);
        uint32_t run = smaller(block->owner_word - offset, seq_diff(queue->end, from));
        slices[count++] = (struct slice){block->data + offset, run};
        from = seq_add(from, run);
        block = block->next;
    }
    return count;
}

static void give_head(struct recv_queue *queue, struct pool *pool)
{
    struct block *block = queue->head;
    queue->head = block->next;
    pool_give(pool, block);
    pool->in_order--;
}

void recv_queue_consume(struct recv_queue *queue, struct pool *pool, uint32_t length)
{
    ESTAB_ASSERT(length <= recv_queue_readable(queue));
    queue->begin = seq_add(queue->begin, length);
    if (queue->tail == NULL) {
        return;
    }
    tcp_seq begin = queue->begin;
    while (queue->head != queue->tail && seq_diff(begin, queue->head->base) >= queue->head->owner_word) {
        give_head(queue, pool);
    }
    if (!seq_eq(begin, queue->end)) {
        return;
    }
    /* Nothing in order is left. The tail stays only where its cell holds the start of what is ahead. */
    const struct recv_ahead *ahead = ahead_of(queue);
    if (ahead == NULL || seq_diff(ahead->range[0].begin, queue->tail->base) >= queue->tail->owner_word) {
        give_head(queue, pool);
    } else {
        pool->in_order--;
        pool->ahead++;
    }
    queue->tail = NULL;
}

uint32_t recv_queue_shed_ahead(struct recv_queue *queue, struct pool *pool)
{
    uint32_t lost = recv_queue_ahead_bytes(queue);
    struct block **link = queue->tail != NULL ? &queue->tail->next : &queue->head;
    pool->ahead -= give_list(pool, *link);
    *link = NULL;
    pool->ahead -= give_list(pool, queue->ahead);
    queue->ahead = NULL;
    return lost;
}

/* Adds a range to the edges unless it is among them or there is no room. Returns the new number. */
static unsigned edges_add(tcp_seq (*edges)[2], unsigned count, unsigned max, const struct recv_range *range)
{
    for (unsigned i = 0; i < count; i++) {
        if (seq_eq(edges[i][0], range->begin)) {
            return count;
        }
    }
    if (count < max) {
        edges[count][0] = range->begin;
        edges[count][1] = range->end;
        count++;
    }
    return count;
}

unsigned recv_queue_recent(const struct recv_queue *queue, tcp_seq (*edges)[2], unsigned max)
{
    const struct recv_ahead *ahead = ahead_of(queue);
    unsigned count = 0;
    if (ahead == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < ahead->recent_count; i++) {
        uint32_t index = range_find(queue, ahead->recent[i]);
        if (!seq_eq(held_until(queue, index, ahead->recent[i]), ahead->recent[i]) &&
            seq_gt(ahead->recent[i], queue->end)) {
            count = edges_add(edges, count, max, &ahead->range[index]);
        }
    }
    for (uint32_t i = ahead->count; i-- > 0 && count < max;) {
        count = edges_add(edges, count, max, &ahead->range[i]);
    }
    return count;
}

bool recv_queue_held(const struct recv_queue *queue, tcp_seq from, uint32_t length, tcp_seq edges[2])
{
    uint32_t index = range_find(queue, from);
    tcp_seq until = seq_add(from, length);
    edges[0] = from;
    edges[1] = held_until(queue, index, from);
    if (seq_eq(edges[0], edges[1])) {
        if (index == ahead_count(queue) || seq_geq(ahead_of(queue)->range[index].begin, until)) {
            return false;
        }
        edges[0] = ahead_of(queue)->range[index].begin;
        edges[1] = ahead_of(queue)->range[index].end;
    }
    edges[1] = seq_min(edges[1], until);
    return true;
}

uint32_t recv_queue_ahead_bytes(const struct recv_queue *queue)
{
    const struct recv_ahead *ahead = ahead_of(queue);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < ahead_count(queue); i++) {
        sum += seq_diff(ahead->range[i].end, ahead->range[i].begin);
    }
    return sum;
}
