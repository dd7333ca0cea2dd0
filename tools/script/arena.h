/*
 * Memory that is given back all at once: what a script was read into. Nothing in it is freed alone, nothing
 * in it moves. It knows nothing of what lies in it.
 *
 * No memory ends the program: there is nothing sensible to say about a script that did not fit.
 */
#ifndef TOOLS_SCRIPT_ARENA_H
#define TOOLS_SCRIPT_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);

/* Zeroed, aligned for everything; never NULL. */
void *arena_take(struct arena *arena, size_t size);
/* A copy with a zero byte behind it. */
char *arena_text(struct arena *arena, const char *text, size_t length);

#endif
