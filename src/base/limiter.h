/*
 * How much each of many may have a second, in fixed memory and without anything that one could read about
 * another (CVE-2016-5696, CVE-2020-25705: a limit that all share is an oracle). There are a few places, each
 * with an allowance of its own for one second. Who comes first in a second takes a free place near its home
 * and keeps it to the second's end; nobody draws on another's place; who finds none free gets nothing. So
 * the sum is bounded too: places times allowance. The caller's hash is keyed and holds the second, so that
 * homes move and nobody can choose neighbours.
 *
 * What is left to see: an attacker who has as many names as there are places and fills them can tell in each
 * second whether one more, that it forged, was answered at all: one bit a second, not how often.
 * Knows no addresses and no clock.
 */
#ifndef ESTAB_BASE_LIMITER_H
#define ESTAB_BASE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

struct limiter_place {
    uint32_t tag;  /* whose it is */
    uint32_t used; /* 0 = nobody's in this second */
};

struct limiter {
    struct limiter_place *places;
    uint32_t count;
    uint32_t each;   /* what a place allows */
    uint64_t second; /* that the places are of */
};

/* places: room for `count`; of them no more are used than that each allows something. */
void limiter_init(struct limiter *limiter, struct limiter_place *places, uint32_t count, uint32_t per_second);

/* Whether the one with this hash may have one more in this second; counts it. */
bool limiter_allows(struct limiter *limiter, uint64_t second, uint64_t hash);

#endif
