/*
 * The Internet checksum (RFC 1071, RFC 9293 3.1). Sums are 64-bit accumulators of 16-bit words in the byte
 * order of the machine; the order does not matter until a sum is folded. Runs of bytes may be summed one
 * after the other as long as all but the last have an even length; checksum_add_odd() joins at an odd place.
 */
#ifndef ESTAB_WIRE_CHECKSUM_H
#define ESTAB_WIRE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/address.h"

/* The sum of `length` bytes: unfolded, safe to add up to 2^16 of them. */
uint64_t checksum_sum(const uint8_t *data, size_t length);

/* Copies and sums in one pass. */
uint64_t checksum_copy(uint8_t *restrict to, const uint8_t *restrict from, size_t length);

/*
 * Adds eight bytes at once, with the carry around the end: the result is a full word, to be halved before
 * others are added.
 */
static inline uint64_t checksum_add_word(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

/* The same value with room above it. */
static inline uint64_t checksum_halves(uint64_t sum)
{
    return (sum & 0xffffffff) + (sum >> 32);
}

/* Folds to 16 bits, machine order. */
static inline uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Adds the sum of a run that begins at an odd offset of the whole. */
static inline uint64_t checksum_add_odd(uint64_t sum, uint64_t run)
{
    uint16_t folded = checksum_fold(run);
    return sum + (uint16_t)((folded << 8) | (folded >> 8));
}

/* Writes the complement of the sum as the two bytes of a checksum field. */
static inline void checksum_put(uint8_t *field, uint64_t sum)
{
    uint16_t value = (uint16_t)~checksum_fold(sum);
    memcpy(field, &value, 2);
}

/* A sum over data and its own checksum field is right when it folds to all ones. */
static inline bool checksum_ok(uint64_t sum)
{
    return checksum_fold(sum) == 0xffff;
}

/*
 * The pseudo header without the length: addresses and protocol (RFC 9293 3.1, RFC 8200 8.1). The prefix
 * ::ffff:0:0/96 of a mapped address adds 0xffff, which is zero in this arithmetic, so that IPv4 and IPv6 need
 * no distinction.
 */
static inline uint64_t checksum_pseudo(const struct ip_addr *source, const struct ip_addr *destination,
                                       uint8_t protocol)
{
    uint64_t words[4];
    memcpy(words, source->b, 16);
    memcpy(words + 2, destination->b, 16);
    uint64_t sum = checksum_add_word(words[0], words[1]);
    sum = checksum_add_word(sum, words[2]);
    sum = checksum_add_word(sum, words[3]);
    return checksum_halves(sum) + be32_word(protocol);
}

/*
 * What the length field of the pseudo header adds: it is the same for IPv4 and for an IPv6 packet below 64
 * KiB.
 */
static inline uint64_t checksum_length(uint32_t length)
{
    return be32_word(length); /* 2^16 is 1: one word of 32 bits is two of 16 */
}

#endif
