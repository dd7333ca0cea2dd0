/*
 * How far a transfer has come: a bar with amount and rate on standard error where that is a terminal, nothing
 * where it is not. It reads no clock: the caller says what time it is.
 */
#ifndef ESTAB_TOOLS_PROGRESS_H
#define ESTAB_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    const char *name;
    uint64_t total; /* 0 = not known */
    uint64_t started_ns;
    uint64_t drawn_ns; /* when the bar was last drawn */
    bool shown;        /* standard error is a terminal */
};

#define PROGRESS_LINE 160
#define PROGRESS_RATE 32

/* total 0 = not known; progress->total may be set later. */
void progress_begin(struct progress *progress, const char *name, uint64_t total, uint64_t now_ns);

/* Draws at most ten times a second. */
void progress_update(struct progress *progress, uint64_t done, uint64_t now_ns);

/* Takes the bar away; draws it for the last time before where `keep`. */
void progress_end(struct progress *progress, uint64_t done, uint64_t now_ns, bool keep);

/* "1.23 Gbit/s" of bytes in that time: returns `text`. */
const char *progress_rate(uint64_t bytes, uint64_t duration_ns, char text[PROGRESS_RATE]);

#endif
