/* A run of bytes that somebody else owns: what vectors, gathered packets and peeked queues are made of. */
#ifndef ESTAB_BASE_SLICE_H
#define ESTAB_BASE_SLICE_H

#include <stddef.h>
#include <stdint.h>

struct slice {
    const uint8_t *data;
    size_t length;
};

#endif
