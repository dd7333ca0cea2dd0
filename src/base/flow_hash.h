/*
 * A keyed hash of short runs of 32-bit words for tables: multilinear hashing, k[0] + sum of k[i + 1] * w[i]
 * modulo 2^64, of which the upper half counts (Thorup, "High speed hashing for integers and strings"). With
 * secret random keys two flows collide with a chance of 2^-32 whoever chose them. That alone is not enough
 * for a table that probes in a line: ports that follow one another would have hashes in equal steps, and with
 * one key in a hundred these steps fill long runs (V-23). So the half is scattered by a bijection of 32 bits
 * (the last steps of MurmurHash3), which keeps the collisions as rare and takes the steps away. It costs a
 * multiplication a word and two. Not for numbers that leave the machine: those take SipHash.
 */
#ifndef ESTAB_BASE_FLOW_HASH_H
#define ESTAB_BASE_FLOW_HASH_H

#include <stdint.h>

#define FLOW_HASH_WORDS 9

struct flow_hash_key {
    uint64_t k[FLOW_HASH_WORDS + 1];
};

static inline uint32_t flow_hash_scatter(uint32_t h)
{
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

static inline uint32_t flow_hash_words(const struct flow_hash_key *key, const uint32_t *words, unsigned count)
{
    uint64_t sum = key->k[0];
    for (unsigned i = 0; i < count; i++) {
        sum += key->k[i + 1] * words[i];
    }
    return flow_hash_scatter((uint32_t)(sum >> 32));
}

#endif
