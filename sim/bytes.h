/*
 * Numbers in network order and the Internet checksum's sum (RFC 1071), for tools and tests that write packets
 * of their own beside the stack: not the core's code, so that an error there does not hide itself.
 */
#ifndef SIM_BYTES_H
#define SIM_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void put32(uint8_t *p, uint32_t value)
{
    put16(p, value >> 16);
    put16(p + 2, value & 0xffff);
}

static inline uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* The sum so far and that of `length` bytes, folded to 16 bits; its complement is the checksum. */
static inline uint32_t sum_bytes(const uint8_t *p, size_t length, uint32_t sum)
{
    for (size_t i = 0; i < length; i++) {
        sum += (i & 1) ? p[i] : (uint32_t)p[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

#endif
