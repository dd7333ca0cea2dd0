/*
 * See limiter.h. A place is looked for in a short run from home on, as in a table that is never removed from:
 * whoever has a place stands before the first free one. A new second empties all of them at once, so nothing
 * has to be aged. 32 bits of the hash tell the holders apart: two that agree in them and are neighbours
 * share a place for one second, which nobody can bring about without the key.
 *
 * Knows no addresses and no clock.
 */
#include "base/limiter.h"

#define RUN 8u /* places that may be somebody's */

static void clear(struct limiter *limiter)
{
    for (uint32_t i = 0; i < limiter->count; i++) {
        limiter->places[i] = (struct limiter_place){0, 0};
    }
}

void limiter_init(struct limiter *limiter, struct limiter_place *places, uint32_t count, uint32_t per_second)
{
    uint32_t used = count < per_second ? count : per_second;
    *limiter = (struct limiter){places, used, used == 0 ? 0 : per_second / used, 0};
    clear(limiter);
}

static bool draw(const struct limiter *limiter, struct limiter_place *place, uint32_t tag)
{
    if (place->used == limiter->each) {
        return false;
    }
    place->tag = tag;
    place->used++;
    return true;
}

bool limiter_allows(struct limiter *limiter, uint64_t second, uint64_t hash)
{
    if (second != limiter->second) {
        limiter->second = second;
        clear(limiter);
    }
    uint32_t tag = (uint32_t)hash;
    uint32_t at = (uint32_t)(((hash >> 32) * limiter->count) >> 32);
    for (uint32_t i = 0; i < RUN && i < limiter->count; i++) {
        struct limiter_place *place = &limiter->places[at];
        if (place->used == 0 || place->tag == tag) {
            return draw(limiter, place, tag);
        }
        at = at + 1 == limiter->count ? 0 : at + 1;
    }
    return false;
}
