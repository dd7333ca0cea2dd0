/*
 * The kinds of Internet addresses (RFC 1122 3.2.1.3, RFC 6890, RFC 4291 2.4) and the prefix match. Addresses
 * are values of 16 bytes, IPv4 in the mapped form. An IPv6 packet with a mapped address in it never gets this
 * far: ipv6_parse() refuses it, so that "is it IPv4" may be asked of the address alone.
 *
 * This file must not know interfaces or routes: which addresses are ours, and which is a subnet's broadcast
 * address, is the stack's.
 */
#include "wire/address.h"

#define MAPPED_PREFIX      12u
#define MAPPED_PREFIX_BITS 96u

bool ip_addr_is_limited_broadcast(const struct ip_addr *a)
{
    return ip_addr_is_v4(a) && get_be32(a->b + MAPPED_PREFIX) == 0xffffffff;
}

bool ip_addr_is_multicast(const struct ip_addr *a)
{
    if (ip_addr_is_v4(a)) {
        return (a->b[12] & 0xf0) == 0xe0 || ip_addr_is_limited_broadcast(a);
    }
    return a->b[0] == 0xff;
}

bool ip_addr_is_loopback(const struct ip_addr *a)
{
    static const uint8_t loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (ip_addr_is_v4(a)) {
        return a->b[12] == 127;
    }
    return memcmp(a->b, loopback, 16) == 0;
}

bool ip_addr_is_link_local(const struct ip_addr *a)
{
    if (ip_addr_is_v4(a)) {
        return a->b[12] == 169 && a->b[13] == 254;
    }
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool ip_addr_is_unicast(const struct ip_addr *a)
{
    if (ip_addr_is_v4(a)) {
        return a->b[12] != 0 && a->b[12] < 224;
    }
    return a->b[0] != 0xff && !ip_addr_is_any(a);
}

bool ip_addr_in_prefix(const struct ip_addr *a, const struct ip_addr *network, unsigned prefix)
{
    bool v4 = ip_addr_is_v4(a);
    if (v4 != ip_addr_is_v4(network)) {
        return false;
    }
    unsigned bits = prefix + (v4 ? MAPPED_PREFIX_BITS : 0u);
    /* A prefix length may come off the wire (router advertisement), so an impossible one matches nothing. */
    if (prefix > 128 || bits > 128) {
        return false;
    }
    uint64_t upper = get_be64(a->b) ^ get_be64(network->b);
    uint64_t lower = get_be64(a->b + 8) ^ get_be64(network->b + 8);
    if (bits <= 64) {
        return bits == 0 || upper >> (64 - bits) == 0;
    }
    return upper == 0 && lower >> (128 - bits) == 0;
}
