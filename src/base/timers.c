/*
 * The heap of deadlines. Four children an entry: half the depth of a binary heap, and the four that are
 * compared on the way down lie side by side. RFC 9293 3.10.8 and RFC 6298 say what deadlines are for; here
 * they are numbers.
 *
 * `position` tells where in the heap an id stands (plus one, 0 for nowhere), so that a deadline that moves is
 * sifted from its place and nothing is searched. A deadline that moves usually moves by little, hence a short
 * way.
 *
 * Knows neither the time nor what happens when a deadline passes.
 */
#include "base/timers.h"

#include "base/assert.h"
#include "base/mem.h"

enum { CHILDREN = 4 };

static void put(struct timers *timers, uint32_t place, struct timers_entry entry)
{
    timers->heap[place] = entry;
    timers->position[entry.id] = place + 1;
}

/* Finds the place of an entry at `place` or nearer the top, moving later deadlines down. */
static void sift_up(struct timers *timers, uint32_t place, struct timers_entry entry)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / CHILDREN;
        if (timers->heap[parent].deadline_ns <= entry.deadline_ns) {
            break;
        }
        put(timers, place, timers->heap[parent]);
        place = parent;
    }
    put(timers, place, entry);
}

/* The earliest child of `place`, or `count` where it has none. */
static uint32_t earliest_child(const struct timers *timers, uint32_t place)
{
    uint64_t first = (uint64_t)place * CHILDREN + 1;
    if (first >= timers->count) {
        return timers->count;
    }
    uint32_t best = (uint32_t)first;
    uint32_t stop = timers->count - best < CHILDREN ? timers->count : best + CHILDREN;
    for (uint32_t child = best + 1; child < stop; child++) {
        if (timers->heap[child].deadline_ns < timers->heap[best].deadline_ns) {
            best = child;
        }
    }
    return best;
}

/* Finds the place of an entry at `place` or farther from the top, moving earlier deadlines up. */
static void sift_down(struct timers *timers, uint32_t place, struct timers_entry entry)
{
    for (;;) {
        uint32_t child = earliest_child(timers, place);
        if (child == timers->count || timers->heap[child].deadline_ns >= entry.deadline_ns) {
            break;
        }
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, entry);
}

/* Puts an entry where one with the deadline `old_ns` stood. */
static void replace(struct timers *timers, uint32_t place, struct timers_entry entry, uint64_t old_ns)
{
    if (entry.deadline_ns < old_ns) {
        sift_up(timers, place, entry);
    } else {
        sift_down(timers, place, entry);
    }
}

void timers_init(struct timers *timers, struct timers_entry *heap, uint32_t *position, uint32_t capacity)
{
    ESTAB_ASSERT(capacity < UINT32_MAX);
    *timers = (struct timers){.heap = heap, .position = position, .capacity = capacity};
    memset(position, 0, (size_t)capacity * sizeof(*position));
}

void timers_set(struct timers *timers, uint32_t id, uint64_t deadline_ns)
{
    ESTAB_ASSERT(id < timers->capacity);
    if (deadline_ns == TIMERS_NEVER) {
        timers_remove(timers, id);
        return;
    }
    struct timers_entry entry = {deadline_ns, id};
    uint32_t position = timers->position[id];
    if (position == 0) {
        timers->count++;
        sift_up(timers, timers->count - 1, entry);
        return;
    }
    replace(timers, position - 1, entry, timers->heap[position - 1].deadline_ns);
}

void timers_remove(struct timers *timers, uint32_t id)
{
    ESTAB_ASSERT(id < timers->capacity);
    uint32_t position = timers->position[id];
    if (position == 0) {
        return;
    }
    uint64_t old_ns = timers->heap[position - 1].deadline_ns;
    timers->position[id] = 0;
    timers->count--;
    struct timers_entry last = timers->heap[timers->count];
    if (last.id != id) {
        replace(timers, position - 1, last, old_ns);
    }
}

uint64_t timers_get(const struct timers *timers, uint32_t id)
{
    ESTAB_ASSERT(id < timers->capacity);
    uint32_t position = timers->position[id];
    return position == 0 ? TIMERS_NEVER : timers->heap[position - 1].deadline_ns;
}
