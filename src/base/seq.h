/*
 * Circular sequence numbers (RFC 9293 3.4). tcp_seq is a struct so that `a < b` does not compile: every
 * comparison is one of the functions below, and this file is the only one that knows the arithmetic modulo
 * 2^32.
 *
 * Two numbers can be ordered only while they are less than 2^31 apart. What a peer sends is first held
 * against a window with seq_in_window() or seq_between(), which are right for every value, and only then
 * ordered.
 */
#ifndef ESTAB_BASE_SEQ_H
#define ESTAB_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t v;
} tcp_seq;

static inline tcp_seq seq_of(uint32_t value)
{
    return (tcp_seq){value};
}

static inline tcp_seq seq_add(tcp_seq a, uint32_t n)
{
    return (tcp_seq){a.v + n};
}

static inline tcp_seq seq_sub(tcp_seq a, uint32_t n)
{
    return (tcp_seq){a.v - n};
}

/* How far b lies behind a: a - b modulo 2^32. */
static inline uint32_t seq_diff(tcp_seq a, tcp_seq b)
{
    return a.v - b.v;
}

static inline bool seq_eq(tcp_seq a, tcp_seq b)
{
    return a.v == b.v;
}

static inline bool seq_lt(tcp_seq a, tcp_seq b)
{
    return (int32_t)(a.v - b.v) < 0;
}

static inline bool seq_leq(tcp_seq a, tcp_seq b)
{
    return (int32_t)(a.v - b.v) <= 0;
}

static inline bool seq_gt(tcp_seq a, tcp_seq b)
{
    return seq_lt(b, a);
}

static inline bool seq_geq(tcp_seq a, tcp_seq b)
{
    return seq_leq(b, a);
}

static inline tcp_seq seq_max(tcp_seq a, tcp_seq b)
{
    return seq_lt(a, b) ? b : a;
}

static inline tcp_seq seq_min(tcp_seq a, tcp_seq b)
{
    return seq_lt(b, a) ? b : a;
}

/* start <= a < start + length, for every value of a. */
static inline bool seq_in_window(tcp_seq a, tcp_seq start, uint32_t length)
{
    return a.v - start.v < length;
}

/* low <= a <= high, for every value of a; high must not lie before low. */
static inline bool seq_between(tcp_seq low, tcp_seq a, tcp_seq high)
{
    return a.v - low.v <= high.v - low.v;
}

#endif
