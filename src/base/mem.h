/*
 * The four memory functions that the core needs from its environment. A freestanding C implementation has to
 * provide them (C17 4p6 leaves string.h out, but gcc and clang emit calls to them), so they are the only
 * undefined symbols of src/.
 */
#ifndef ESTAB_BASE_MEM_H
#define ESTAB_BASE_MEM_H

#include <stddef.h>

void *memcpy(void *restrict destination, const void *restrict source, size_t length);
void *memmove(void *destination, const void *source, size_t length);
void *memset(void *destination, int value, size_t length);
int memcmp(const void *left, const void *right, size_t length);

#endif
