/*
 * SipHash (Aumasson and Bernstein), the keyed hash behind everything that a peer must not be able to compute:
 * initial sequence numbers and timestamp offsets (2-4), the connection table (1-3), ports. Words go in, no
 * bytes are read: callers put addresses and ports into 64-bit words of host order built the same way on every
 * machine.
 */
#ifndef ESTAB_BASE_SIPHASH_H
#define ESTAB_BASE_SIPHASH_H

#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

/* The key of 16 bytes, read as two little-endian words. */
struct siphash_key siphash_key_read(const uint8_t bytes[16]);

/* SipHash-2-4 and SipHash-1-3 of `count` words: the same as hashing their 8 * count little-endian bytes. */
uint64_t siphash24(const struct siphash_key *key, const uint64_t *words, unsigned count);
uint64_t siphash13(const struct siphash_key *key, const uint64_t *words, unsigned count);

#endif
