/*
 * An expected packet against the one that came, both in the script's numbers: what differs, field by field,
 * in words. Pure. What the script does not say (a window, options in `<...>`, TTL) is not compared.
 */
#ifndef TOOLS_SCRIPT_EXPECT_H
#define TOOLS_SCRIPT_EXPECT_H

#include "script.h"

#include <stdio.h>

struct expectation {
    const struct packet *expected;
    const struct packet *actual;
    bool ipv6;
    uint64_t tick_ns;      /* a tick of TSval, 0 = TSval is not compared */
    uint64_t tolerance_ns; /* for that */
    int64_t not_zero;      /* where the text has a byte that is not 0; -1 = nowhere */
};

/* Writes a line for each difference, "field: expected X, got Y", and the fields' names into `names`. */
unsigned expect_compare(const struct expectation *expectation, FILE *lines, char *names, size_t size);

/* Whether `next` can be a further part of the segment that begins with `first` and went on to `last`. */
bool expect_continues(const struct packet *first, const struct packet *last, const struct packet *next);

/* Puts it behind. */
void expect_append(struct packet *whole, const struct packet *next);

#endif
