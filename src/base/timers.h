/*
 * A 4-ary heap of deadlines, at most one for each id: the stack keeps one entry a connection. Setting, moving
 * and removing take O(log n) steps and the earliest is at the top. Nothing here knows what a deadline is for.
 */
#ifndef ESTAB_BASE_TIMERS_H
#define ESTAB_BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMERS_NEVER UINT64_MAX

/* Packed: each connection has one, and four bytes of it would be nothing. */
struct timers_entry {
    uint64_t deadline_ns;
    uint32_t id;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct timers_entry) == 12, "no padding");

struct timers {
    struct timers_entry *heap; /* capacity entries, the first `count` in use */
    uint32_t *position;        /* by id: place in the heap + 1, 0 = not set */
    uint32_t count;
    uint32_t capacity;
};

/* heap: capacity entries; position: capacity words. Neither has to be cleared before. */
void timers_init(struct timers *timers, struct timers_entry *heap, uint32_t *position, uint32_t capacity);

/* Sets or moves the deadline of id (id < capacity). TIMERS_NEVER removes it. */
void timers_set(struct timers *timers, uint32_t id, uint64_t deadline_ns);

/* Removes the deadline of id; no harm where it has none. */
void timers_remove(struct timers *timers, uint32_t id);

/* The deadline of id, TIMERS_NEVER where it has none. */
uint64_t timers_get(const struct timers *timers, uint32_t id);

/* The earliest entry, or NULL where there is none. */
static inline const struct timers_entry *timers_top(const struct timers *timers)
{
    return timers->count > 0 ? &timers->heap[0] : NULL;
}

#endif
