/*
 * The Internet checksum (RFC 1071; RFC 9293 3.1; RFC 8200 8.1), half of the time that bulk transfer takes.
 * The sum of 16-bit words modulo 2^16 - 1 is the same for words of 32 or 64 bits, because 2^16 is 1 in that
 * arithmetic, and the same in either byte order up to the order of the result's bytes (RFC 1071 2.B), so
 * words are loaded as they lie in memory.
 *
 * A 64-bit word w is added in three vector operations: all of w to `all`, which may wrap, and its high half
 * to `high`, which may not. What the low halves add up to is then all - high * 2^32 modulo 2^64, and exact,
 * because it is below 2^64. That is written with the vector types of gcc and clang, which every target
 * accepts and the baseline of x86-64 runs at 16 bytes a cycle. Machines of 32 bits take the plain loop alone,
 * which is as fast there and much smaller.
 */
#include "wire/checksum.h"

#if defined(__AVX2__)
#define LANES 4u
#else
#define LANES 2u
#endif
#define VECTOR_BYTES (8u * LANES)
#define BLOCK_BYTES  (4u * VECTOR_BYTES)
#define HAS_BLOCKS   (UINTPTR_MAX > 0xffffffff)

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef uint64_t lanes __attribute__((vector_size(VECTOR_BYTES)));

ALWAYS_INLINE uint64_t load64(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, 8);
    return word;
}

/* Sums whole blocks; with `to`, copies them too. */
ALWAYS_INLINE uint64_t sum_blocks(uint8_t *restrict to, const uint8_t *restrict from, size_t blocks)
{
    lanes all0 = {0};
    lanes all1 = {0};
    lanes high0 = {0};
    lanes high1 = {0};
    for (; blocks > 0; blocks--) {
        lanes a;
        lanes b;
        lanes c;
        lanes d;
        memcpy(&a, from, VECTOR_BYTES);
        memcpy(&b, from + VECTOR_BYTES, VECTOR_BYTES);
        memcpy(&c, from + 2 * VECTOR_BYTES, VECTOR_BYTES);
        memcpy(&d, from + 3 * VECTOR_BYTES, VECTOR_BYTES);
        from += BLOCK_BYTES;
        if (to) {
            memcpy(to, &a, VECTOR_BYTES);
            memcpy(to + VECTOR_BYTES, &b, VECTOR_BYTES);
            memcpy(to + 2 * VECTOR_BYTES, &c, VECTOR_BYTES);
            memcpy(to + 3 * VECTOR_BYTES, &d, VECTOR_BYTES);
            to += BLOCK_BYTES;
        }
        all0 += a;
        high0 += a >> 32;
        all1 += b;
        high1 += b >> 32;
        all0 += c;
        high0 += c >> 32;
        all1 += d;
        high1 += d >> 32;
    }
    all0 += all1;
    high0 += high1;
    lanes both = (all0 - (high0 << 32)) + high0;
    uint64_t sum = 0;
    for (unsigned i = 0; i < LANES; i++) {
        sum += both[i];
    }
    return sum;
}

/* The last seven bytes or fewer; an odd byte counts as the first of its word (RFC 1071 1). */
ALWAYS_INLINE uint64_t sum_tail(uint8_t *restrict to, const uint8_t *restrict from, size_t length)
{
    uint64_t sum = 0;
    if (length & 4) {
        uint32_t word;
        memcpy(&word, from, 4);
        if (to) {
            memcpy(to, &word, 4);
            to += 4;
        }
        from += 4;
        sum += word;
    }
    if (length & 2) {
        uint16_t word;
        memcpy(&word, from, 2);
        if (to) {
            memcpy(to, &word, 2);
            to += 2;
        }
        from += 2;
        sum += word;
    }
    if (length & 1) {
        if (to) {
            *to = *from;
        }
        sum += be32_word((uint32_t)*from << 24);
    }
    return sum;
}

ALWAYS_INLINE uint64_t sum_all(uint8_t *restrict to, const uint8_t *restrict from, size_t length)
{
    uint64_t sum = 0;
    if (HAS_BLOCKS && length >= BLOCK_BYTES) {
        size_t bytes = length - length % BLOCK_BYTES;
        sum = sum_blocks(to, from, length / BLOCK_BYTES);
        from += bytes;
        length -= bytes;
        if (to) {
            to += bytes;
        }
    }
    for (; length >= 8; length -= 8) {
        uint64_t word = load64(from);
        from += 8;
        if (to) {
            memcpy(to, &word, 8);
            to += 8;
        }
        sum = checksum_add_word(sum, word);
    }
    return checksum_halves(sum) + sum_tail(to, from, length);
}

uint64_t checksum_sum(const uint8_t *data, size_t length)
{
    return sum_all(NULL, data, length);
}

uint64_t checksum_copy(uint8_t *restrict to, const uint8_t *restrict from, size_t length)
{
    return sum_all(to, from, length);
}
