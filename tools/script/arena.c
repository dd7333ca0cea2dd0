/*
 * Memory that is given back all at once: a list of blocks, the newest first; what is asked for is cut off the
 * newest one. A request that is larger than a block gets a block of its own.
 *
 * It knows nothing of scripts.
 */
#include "tools/script/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)64 * 1024)

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *blocks;
};

static void *take_memory(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        fprintf(stderr, "estab: no memory for a script (%zu bytes)\n", size);
        exit(1);
    }
    return memory;
}

struct arena *arena_new(void)
{
    return take_memory(sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->blocks != NULL) {
        struct block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    free(arena);
}

static struct block *add_block(struct arena *arena, size_t size)
{
    struct block *block = take_memory(sizeof *block + size);
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_take(struct arena *arena, size_t size)
{
    size_t aligned = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct block *block = arena->blocks;
    if (block == NULL || block->size - block->used < aligned)
        block = add_block(arena, aligned > BLOCK_SIZE ? aligned : BLOCK_SIZE);
    void *taken = block->bytes + block->used;
    block->used += aligned;
    return taken;
}

char *arena_text(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_take(arena, length + 1);
    if (length > 0)
        memcpy(copy, text, length);
    return copy;
}
