/*
 * SipHash-c-d over whole 64-bit words, after Aumasson and Bernstein, "SipHash: a fast short-input PRF"
 * (2012): c rounds for each word, one more word that holds the length in its top byte, d rounds to finish.
 * RFC 6528 asks for such a function of a secret for initial sequence numbers, RFC 6056 for ports, RFC 7323
 * section 5.4 for timestamp offsets.
 *
 * The steps are additions, rotations and exclusive-or of values: no step depends on a secret by time or by
 * address, and the result is the same on machines of either byte order. Knows nothing of what is hashed.
 */
#include "base/siphash.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static uint64_t read_le64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (unsigned i = 8; i-- > 0;) {
        value = (value << 8) | bytes[i];
    }
    return value;
}

static ALWAYS_INLINE void sip_round(struct sip_state *state)
{
    state->v0 += state->v1;
    state->v2 += state->v3;
    state->v1 = rotate_left(state->v1, 13) ^ state->v0;
    state->v3 = rotate_left(state->v3, 16) ^ state->v2;
    state->v0 = rotate_left(state->v0, 32);
    state->v2 += state->v1;
    state->v0 += state->v3;
    state->v1 = rotate_left(state->v1, 17) ^ state->v2;
    state->v3 = rotate_left(state->v3, 21) ^ state->v0;
    state->v2 = rotate_left(state->v2, 32);
}

/* Up to four, their number known at compile time: written out, for a loop would be a fourth of the cost. */
static ALWAYS_INLINE void sip_rounds(struct sip_state *state, unsigned rounds)
{
    sip_round(state);
    if (rounds > 1) {
        sip_round(state);
    }
    if (rounds > 2) {
        sip_round(state);
    }
    if (rounds > 3) {
        sip_round(state);
    }
}

static ALWAYS_INLINE void sip_word(struct sip_state *state, uint64_t word, unsigned rounds)
{
    state->v3 ^= word;
    sip_rounds(state, rounds);
    state->v0 ^= word;
}

static ALWAYS_INLINE uint64_t sip_hash(const struct siphash_key *key, const uint64_t *words, unsigned count,
                                unsigned c_rounds, unsigned d_rounds)
{
    /* "somepseudorandomlygeneratedbytes" */
    struct sip_state state = {
        key->k0 ^ 0x736f6d6570736575u,
        key->k1 ^ 0x646f72616e646f6du,
        key->k0 ^ 0x6c7967656e657261u,
        key->k1 ^ 0x7465646279746573u,
    };
    for (unsigned i = 0; i < count; i++) {
        sip_word(&state, words[i], c_rounds);
    }
    sip_word(&state, ((uint64_t)count * 8) << 56, c_rounds);
    state.v2 ^= 0xff;
    sip_rounds(&state, d_rounds);
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

struct siphash_key siphash_key_read(const uint8_t bytes[16])
{
    return (struct siphash_key){read_le64(bytes), read_le64(bytes + 8)};
}

uint64_t siphash24(const struct siphash_key *key, const uint64_t *words, unsigned count)
{
    return sip_hash(key, words, count, 2, 4);
}

uint64_t siphash13(const struct siphash_key *key, const uint64_t *words, unsigned count)
{
    return sip_hash(key, words, count, 1, 3);
}
