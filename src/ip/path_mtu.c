/*
 * Path MTUs that were told by packet-too-big messages (RFC 1191, RFC 8201), for at most ten minutes, then the
 * link's MTU is tried again (RFC 1191 6.3, RFC 8201 5.3). The table is a small cache of four ways: a
 * destination may only stand in one row of four, and where they are taken the one that ends soonest goes.
 * Destinations stand there as keyed 64-bit hashes: no two are ever taken for each other, and nobody can
 * choose addresses that meet in one row.
 *
 * Whether a message is to be believed (RFC 5927 7) is decided above; this file only has the last word on how
 * low a path MTU may get.
 */
#include "ip/host.h"

#define WAYS         4u
#define IPV4_FLOOR   552u /* RFC 5927 7: no honest path needs less, an attacker would like it */
#define EXPIRY_SHIFT 32   /* units of 4.3 s */
#define EXPIRY_UNITS 140u

static uint64_t destination_hash(const struct ip_host *ip, const struct ip_addr *destination)
{
    return host_hash(ip, destination, 0x706d7475);
}

static uint32_t row_of(uint64_t hash)
{
    return (uint32_t)(hash % (IP_MAX_PATH_MTUS / WAYS)) * WAYS;
}

static bool valid(const struct path_mtu *entry, uint64_t now)
{
    return entry->mtu != 0 && (now >> EXPIRY_SHIFT) < entry->expires;
}

uint32_t path_mtu_get(const struct ip_host *ip, uint64_t now, const struct ip_addr *destination)
{
    uint64_t hash = destination_hash(ip, destination);
    const struct path_mtu *row = &ip->path_mtus[row_of(hash)];
    for (unsigned i = 0; i < WAYS; i++) {
        if (row[i].hash == hash && valid(&row[i], now)) {
            return row[i].mtu;
        }
    }
    return UINT32_MAX;
}

/* The entry of this destination, or the one that has to make room for it. */
static struct path_mtu *entry_for(struct ip_host *ip, uint64_t now, uint64_t hash)
{
    struct path_mtu *row = &ip->path_mtus[row_of(hash)];
    struct path_mtu *victim = row;
    for (unsigned i = 0; i < WAYS; i++) {
        if (row[i].hash == hash && valid(&row[i], now)) {
            return &row[i];
        }
        if (!valid(&row[i], now)) {
            row[i] = (struct path_mtu){0, 0, 0};
        }
        if (row[i].expires < victim->expires) {
            victim = &row[i];
        }
    }
    *victim = (struct path_mtu){hash, 0, UINT16_MAX};
    return victim;
}

uint32_t ip_path_mtu_lower(struct ip_host *ip, uint64_t now, const struct ip_addr *destination, uint32_t mtu)
{
    uint32_t floor = ip_addr_is_v4(destination) ? IPV4_FLOOR : IPV6_MIN_MTU; /* R5927-05 */
    uint32_t lowered = mtu < floor ? floor : mtu;
    uint32_t known = path_mtu_get(ip, now, destination);
    if (lowered >= known || lowered >= UINT16_MAX) {
        return known < UINT16_MAX ? known : UINT16_MAX;
    }
    struct path_mtu *entry = entry_for(ip, now, destination_hash(ip, destination));
    entry->mtu = (uint16_t)lowered;
    entry->expires = (uint32_t)(now >> EXPIRY_SHIFT) + EXPIRY_UNITS;
    return lowered;
}

uint32_t ip_link_mtu(const struct ip_host *ip, const struct ip_path *path, const struct ip_addr *destination)
{
    uint32_t mtu = host_interface(ip, path->interface)->setup.mtu;
    if (ip->ipv6_interfaces != NULL && !ip_addr_is_v4(destination)) {
        uint32_t link = ip->ipv6_interfaces[path->interface - 1].mtu;
        mtu = link != 0 && link < mtu ? link : mtu;
    }
    return mtu;
}

uint32_t ip_path_mtu(const struct ip_host *ip, uint64_t now, const struct ip_path *path,
                     const struct ip_addr *destination)
{
    uint32_t mtu = ip_link_mtu(ip, path, destination);
    uint32_t told = path_mtu_get(ip, now, destination);
    return told < mtu ? told : mtu;
}
