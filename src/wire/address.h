/*
 * Internet addresses as values: 16 bytes, IPv4 in the mapped form ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that
 * one table, one comparison and one hash serve both versions.
 */
#ifndef ESTAB_WIRE_ADDRESS_H
#define ESTAB_WIRE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/mem.h"

struct ip_addr {
    _Alignas(8) uint8_t b[16];
};

static inline bool ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b)
{
    uint64_t x[2];
    uint64_t y[2];
    memcpy(x, a->b, 16);
    memcpy(y, b->b, 16);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

static inline bool ip_addr_is_any(const struct ip_addr *a)
{
    uint64_t lower = get_be64(a->b + 8);
    return get_be64(a->b) == 0 && (lower == 0 || lower == (uint64_t)0xffff << 32);
}

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
    uint64_t upper;
    memcpy(&upper, a->b, 8);
    return upper == 0 && get_be32(a->b + 8) == 0xffff;
}

/* In one piece, so that a comparison or a copy that follows need not wait for the parts to be stored. */
static inline void ip_addr_set_v4(struct ip_addr *a, const uint8_t bytes[4])
{
    typedef uint64_t whole __attribute__((vector_size(16)));
    const whole value = {0, be64_word((uint64_t)0xffff << 32 | get_be32(bytes))};
    memcpy(a->b, &value, 16);
}

static inline struct ip_addr ip_addr_v4(const uint8_t bytes[4])
{
    struct ip_addr a;
    ip_addr_set_v4(&a, bytes);
    return a;
}

static inline struct ip_addr ip_addr_v6(const uint8_t bytes[16])
{
    struct ip_addr a = {{0}};
    memcpy(a.b, bytes, 16);
    return a;
}

/* 224.0.0.0/4, 255.255.255.255 or ff00::/8. */
bool ip_addr_is_multicast(const struct ip_addr *a);
bool ip_addr_is_limited_broadcast(const struct ip_addr *a);
bool ip_addr_is_loopback(const struct ip_addr *a);
bool ip_addr_is_link_local(const struct ip_addr *a);

/*
 * Fit to be the address of one host on the wire: not any, multicast, broadcast, 0.0.0.0/8, 240.0.0.0/4
 * (MUST-46, MUST-63). Loopback is the caller's question.
 */
bool ip_addr_is_unicast(const struct ip_addr *a);

/* The first `prefix` bits are equal; for IPv4 the prefix counts from the IPv4 part and both must be IPv4. */
bool ip_addr_in_prefix(const struct ip_addr *a, const struct ip_addr *network, unsigned prefix);

#endif
