/*
 * The host: its memory, interfaces, addresses and routes, and what follows from them (RFC 1122 3.3.1, 3.3.4;
 * RFC 4291 2.8). It is a weak end system in the words of RFC 1122 3.3.4.2: a packet for any of our addresses
 * is ours, whichever interface it came by, link-local addresses excepted.
 *
 * Every change of addresses and routes counts `generation` up, which makes all paths that connections
 * remember invalid: nothing has to be told to them. This file knows nothing of packets.
 */
#include "ip/host.h"

static size_t round_up(size_t bytes)
{
    return (bytes + 15u) & ~(size_t)15u;
}

static size_t host_bytes(void)
{
    return round_up(sizeof(struct ip_host));
}

static size_t neighbour_bytes(const struct ip_config *config)
{
    return config->ethernet != NULL ? round_up(neighbours_memory(config->max_neighbours)) : 0;
}

static size_t ipv6_bytes(const struct ip_config *config)
{
    bool discovers = config->ethernet != NULL && config->ipv6 != NULL;
    return discovers ? round_up(ESTAB_MAX_INTERFACES * sizeof(struct ipv6_interface)) : 0;
}

static size_t limiter_bytes(const struct ip_config *config)
{
    return round_up(config->reply_places * sizeof(struct limiter_place));
}

size_t ip_memory(const struct ip_config *config)
{
    return host_bytes() + neighbour_bytes(config) + ipv6_bytes(config) +
           IP_REPLY_KINDS * limiter_bytes(config) +
           round_up(fragments_memory(config->fragment_bytes));
}

struct ip_host *ip_create(void *memory, const struct ip_config *config, struct pool *pool)
{
    ESTAB_ASSERT(config->counters != NULL);
    ESTAB_ASSERT(config->ethernet == NULL || config->max_neighbours > 0);
    ESTAB_ASSERT(config->max_neighbours < IP_NO_NEIGHBOUR);
    uint8_t *next = memory;
    struct ip_host *ip = memory;
    memset(ip, 0, sizeof(*ip));
    next += host_bytes();
    ip->config = *config;
    ip->pool = pool;
    ip->generation = 1;
    for (unsigned i = 0; i < IP_REPLY_KINDS; i++) {
        limiter_init(&ip->limiters[i], (struct limiter_place *)(void *)next, config->reply_places,
                     config->replies_per_second);
        next += limiter_bytes(config);
    }
    if (neighbour_bytes(config) > 0) {
        ip->neighbours = neighbours_create(next, config->max_neighbours);
        next += neighbour_bytes(config);
    }
    if (ipv6_bytes(config) > 0) {
        ip->ipv6_interfaces = (struct ipv6_interface *)(void *)next;
        memset(next, 0, ipv6_bytes(config));
        for (unsigned i = 0; i < ESTAB_MAX_INTERFACES; i++) {
            ip->ipv6_interfaces[i].solicit_at = UINT64_MAX;
        }
        next += ipv6_bytes(config);
    }
    if (fragments_memory(config->fragment_bytes) > 0) {
        ip->fragments = fragments_create(next, config->fragment_bytes);
    }
    return ip;
}

void host_changed(struct ip_host *ip)
{
    ip->generation = ip->generation == UINT32_MAX ? 1 : ip->generation + 1;
}

uint64_t host_hash(const struct ip_host *ip, const struct ip_addr *address, uint64_t tag)
{
    const uint8_t *b = address->b;
    uint64_t words[3] = {((uint64_t)get_be32(b) << 32) | get_be32(b + 4),
                         ((uint64_t)get_be32(b + 8) << 32) | get_be32(b + 12), tag};
    return siphash13(&ip->config.key, words, 3);
}

/* ---- interfaces ---- */

static bool mac_usable(const struct mac_addr *mac)
{
    static const struct mac_addr none = {{0}};
    return !mac_is_group(mac) && !mac_eq(mac, &none);
}

int ip_interface_add(struct ip_host *ip, uint64_t now, const struct estab_interface *interface)
{
    (void)now; /* an interface is silent until it has an address */
    struct ip_interface *added = &ip->interfaces[ip->interface_count];
    if (interface->size < offsetof(struct estab_interface, checksum_offload)) {
        return -ESTAB_EINVAL;
    }
    if (ip->interface_count == ESTAB_MAX_INTERFACES) {
        return -ESTAB_ENOBUFS;
    }
    memset(added, 0, sizeof(*added));
    memcpy(&added->setup, interface,
           interface->size < sizeof(added->setup) ? interface->size : sizeof(added->setup));
    if (added->setup.mtu < IPV4_MIN_MTU || added->setup.mtu > 65535) {
        return -ESTAB_EINVAL;
    }
    if (added->setup.ethernet && ip->config.ethernet == NULL) {
        return -ESTAB_EOPNOTSUPP;
    }
    memcpy(added->mac.b, added->setup.mac, sizeof(added->mac.b));
    if (added->setup.ethernet && !mac_usable(&added->mac)) {
        return -ESTAB_EINVAL;
    }
    ip->interface_count++;
    host_changed(ip);
    if (ip->config.ipv6 != NULL) {
        ip->config.ipv6->interface_added(ip, ip->interface_count);
    }
    return ip->interface_count;
}

const struct estab_interface *ip_interface(const struct ip_host *ip, uint32_t interface)
{
    return host_has_interface(ip, interface) ? &host_interface(ip, interface)->setup : NULL;
}

static bool interface_has_v6(const struct ip_interface *interface)
{
    for (unsigned i = 0; i < interface->address_count; i++) {
        if (!ip_addr_is_v4(&interface->addresses[i].address)) {
            return true;
        }
    }
    return false;
}

int ip_interface_set_mtu(struct ip_host *ip, uint32_t interface, uint32_t mtu)
{
    if (!host_has_interface(ip, interface) || mtu < IPV4_MIN_MTU || mtu > 65535) {
        return -ESTAB_EINVAL;
    }
    struct ip_interface *changed = &ip->interfaces[interface - 1];
    if (mtu < IPV6_MIN_MTU && interface_has_v6(changed)) {
        return -ESTAB_EINVAL; /* RFC 8200 5 */
    }
    changed->setup.mtu = mtu;
    return 0;
}

/* ---- addresses ---- */

static unsigned family_bits(const struct ip_addr *address)
{
    return ip_addr_is_v4(address) ? 32 : 128;
}

/* 0 or the error of an address with a prefix that somebody wants to enter into a table. */
static int address_refused(const struct ip_host *ip, uint32_t interface, const struct ip_addr *address,
                           unsigned prefix)
{
    if (!host_has_interface(ip, interface) || prefix > family_bits(address)) {
        return -ESTAB_EINVAL;
    }
    if (!ip_addr_is_v4(address) && ip->config.ipv6 == NULL) {
        return -ESTAB_EAFNOSUPPORT;
    }
    return 0;
}

const struct ip_address *host_interface_address(const struct ip_interface *interface,
                                                const struct ip_addr *address)
{
    for (unsigned i = 0; i < interface->address_count; i++) {
        if (ip_addr_eq(&interface->addresses[i].address, address)) {
            return &interface->addresses[i];
        }
    }
    return NULL;
}

static bool link_local_v6(const struct ip_addr *address)
{
    return !ip_addr_is_v4(address) && ip_addr_is_link_local(address);
}

/* 0 = none: of IPv6, and of prefixes of 31 and 32 bits (RFC 3021). */
static uint32_t broadcast_of(const struct ip_addr *address, unsigned prefix)
{
    if (!ip_addr_is_v4(address) || prefix >= 31) {
        return 0;
    }
    uint32_t hosts = prefix == 0 ? UINT32_MAX : (1u << (32 - prefix)) - 1;
    return get_be32(address->b + 12) | hosts;
}

int ip_address_add(struct ip_host *ip, uint64_t now, uint32_t interface, const struct ip_addr *address,
                   unsigned prefix)
{
    int refused = address_refused(ip, interface, address, prefix);
    if (refused != 0) {
        return refused;
    }
    struct ip_interface *owner = &ip->interfaces[interface - 1];
    bool v6 = !ip_addr_is_v4(address);
    if (!ip_addr_is_unicast(address) || ip_addr_is_loopback(address) ||
        (v6 && owner->setup.mtu < IPV6_MIN_MTU)) {
        return -ESTAB_EINVAL;
    }
    if (host_interface_address(owner, address) != NULL ||
        (!link_local_v6(address) && ip_is_local(ip, address))) {
        return -ESTAB_EADDRINUSE;
    }
    if (owner->address_count == IP_MAX_ADDRESSES) {
        return -ESTAB_ENOBUFS;
    }
    struct ip_address *added = &owner->addresses[owner->address_count];
    added->address = *address;
    added->broadcast = broadcast_of(address, prefix);
    added->prefix = (uint8_t)prefix;
    owner->address_count++;
    host_changed(ip);
    if (v6) {
        ip->config.ipv6->address_added(ip, now, interface, address);
    }
    return 0;
}

int ip_address_remove(struct ip_host *ip, uint32_t interface, const struct ip_addr *address)
{
    if (!host_has_interface(ip, interface)) {
        return -ESTAB_EINVAL;
    }
    struct ip_interface *owner = &ip->interfaces[interface - 1];
    for (unsigned i = 0; i < owner->address_count; i++) {
        if (ip_addr_eq(&owner->addresses[i].address, address)) {
            owner->address_count--;
            memmove(&owner->addresses[i], &owner->addresses[i + 1],
                    (owner->address_count - i) * sizeof(owner->addresses[0]));
            host_changed(ip);
            return 0;
        }
    }
    return -ESTAB_EADDRNOTAVAIL;
}

bool ip_is_local(const struct ip_host *ip, const struct ip_addr *address)
{
    for (unsigned i = 0; i < ip->interface_count; i++) {
        if (host_interface_address(&ip->interfaces[i], address) != NULL) {
            return true;
        }
    }
    return false;
}

bool host_is_broadcast(const struct ip_host *ip, const struct ip_addr *address)
{
    if (!ip_addr_is_v4(address)) {
        return false;
    }
    uint32_t value = get_be32(address->b + 12);
    for (unsigned i = 0; i < ip->interface_count; i++) {
        const struct ip_interface *interface = &ip->interfaces[i];
        for (unsigned k = 0; k < interface->address_count; k++) {
            if (interface->addresses[k].broadcast == value && value != 0) {
                return true;
            }
        }
    }
    return false;
}

bool host_is_on_link(const struct ip_host *ip, uint32_t interface, const struct ip_addr *address)
{
    const struct ip_interface *link = host_interface(ip, interface);
    if (link_local_v6(address)) {
        return true;
    }
    for (unsigned i = 0; i < link->address_count; i++) {
        if (ip_addr_is_v4(&link->addresses[i].address) == ip_addr_is_v4(address) &&
            ip_addr_in_prefix(address, &link->addresses[i].address, link->addresses[i].prefix)) {
            return true;
        }
    }
    for (unsigned i = 0; i < ip->route_count; i++) {
        const struct ip_route *route = &ip->routes[i];
        if (route->interface != interface || ip_addr_is_v4(&route->network) != ip_addr_is_v4(address)) {
            continue;
        }
        if (ip_addr_eq(&route->gateway, address) ||
            (ip_addr_is_any(&route->gateway) && ip_addr_in_prefix(address, &route->network, route->prefix))) {
            return true;
        }
    }
    return false;
}

static unsigned common_bits(const struct ip_addr *a, const struct ip_addr *b)
{
    unsigned bits = 0;
    while (bits < 128 && ((a->b[bits / 8] ^ b->b[bits / 8]) & (0x80u >> (bits % 8))) == 0) {
        bits++;
    }
    return bits;
}

const struct ip_addr *host_source(const struct ip_interface *interface, const struct ip_addr *destination)
{
    const struct ip_addr *best = NULL;
    unsigned best_score = 0;
    for (unsigned i = 0; i < interface->address_count; i++) {
        const struct ip_addr *own = &interface->addresses[i].address;
        if (ip_addr_is_v4(own) != ip_addr_is_v4(destination)) {
            continue;
        }
        bool same_scope = link_local_v6(own) == link_local_v6(destination);
        unsigned score = (same_scope ? 256u : 0u) + common_bits(own, destination) + 1;
        if (score > best_score) {
            best_score = score;
            best = own;
        }
    }
    return best;
}

/* ---- routes ---- */

/* The network without the bits beyond its prefix, so that two spellings of one route are equal. */
static struct ip_addr network_of(const struct ip_addr *address, unsigned prefix)
{
    struct ip_addr network = *address;
    unsigned keep = prefix + (ip_addr_is_v4(address) ? 96u : 0u);
    for (unsigned i = 0; i < 16; i++) {
        unsigned bits = keep > i * 8 ? keep - i * 8 : 0;
        network.b[i] &= (uint8_t)(bits >= 8 ? 0xffu : 0xff00u >> bits);
    }
    return network;
}

static struct ip_route *route_find(struct ip_host *ip, uint32_t interface, const struct ip_addr *network,
                                   unsigned prefix)
{
    for (unsigned i = 0; i < ip->route_count; i++) {
        struct ip_route *route = &ip->routes[i];
        if (route->interface == interface && route->prefix == prefix &&
            ip_addr_eq(&route->network, network)) {
            return route;
        }
    }
    return NULL;
}

int ip_route_add(struct ip_host *ip, uint32_t interface, const struct ip_addr *network, unsigned prefix,
                 const struct ip_addr *gateway)
{
    static const uint8_t zero[4] = {0};
    struct ip_addr any_v4 = ip_addr_v4(zero);
    if (gateway != NULL && ip_addr_is_v4(gateway) && prefix == 0 && ip_addr_is_any(network)) {
        network = &any_v4; /* :: is any of both families: the gateway says which is meant */
    }
    int refused = address_refused(ip, interface, network, prefix);
    if (refused != 0) {
        return refused;
    }
    if (gateway != NULL &&
        (ip_addr_is_v4(gateway) != ip_addr_is_v4(network) || !ip_addr_is_unicast(gateway) ||
         ip_addr_is_loopback(gateway) || ip_is_local(ip, gateway))) {
        return -ESTAB_EINVAL;
    }
    struct ip_addr masked = network_of(network, prefix);
    struct ip_route *route = route_find(ip, interface, &masked, prefix);
    if (route == NULL) {
        if (ip->route_count == IP_MAX_ROUTES) {
            return -ESTAB_ENOBUFS;
        }
        route = &ip->routes[ip->route_count++];
    }
    memset(route, 0, sizeof(*route));
    route->network = masked;
    route->prefix = (uint8_t)prefix;
    route->interface = (uint8_t)interface;
    if (gateway != NULL) {
        route->gateway = *gateway;
    }
    host_changed(ip);
    return 0;
}

int ip_route_remove(struct ip_host *ip, uint32_t interface, const struct ip_addr *network, unsigned prefix)
{
    int refused = address_refused(ip, interface, network, prefix);
    if (refused != 0) {
        return refused;
    }
    struct ip_addr masked = network_of(network, prefix);
    struct ip_route *route = route_find(ip, interface, &masked, prefix);
    if (route == NULL) {
        return -ESTAB_ENETUNREACH;
    }
    ip->route_count--;
    memmove(route, route + 1, (size_t)(&ip->routes[ip->route_count] - route) * sizeof(*route));
    host_changed(ip);
    return 0;
}

int ip_neighbour_add(struct ip_host *ip, uint32_t interface, const struct ip_addr *address,
                     const struct mac_addr *mac)
{
    int refused = address_refused(ip, interface, address, 0);
    if (refused != 0) {
        return refused;
    }
    if (!host_interface(ip, interface)->setup.ethernet || !mac_usable(mac) || !ip_addr_is_unicast(address)) {
        return -ESTAB_EINVAL;
    }
    return neighbour_set(ip, interface, address, mac);
}

/* ---- limits ---- */

/* The network that gets one share, and the second, so that those who are neighbours now are none later. */
static uint64_t share_hash(const struct ip_host *ip, uint64_t second, const struct ip_addr *remote,
                           enum ip_reply_kind kind)
{
    bool whole = ip_addr_is_v4(remote) || ip_addr_is_link_local(remote);
    struct ip_addr network = whole ? *remote : network_of(remote, 64);
    return host_hash(ip, &network, second << 16 | (0x7270u + kind));
}

bool ip_reply_allowed(struct ip_host *ip, uint64_t now, const struct ip_addr *remote, enum ip_reply_kind kind)
{
    uint64_t second = now / SECOND_NS;
    return limiter_allows(&ip->limiters[kind], second, share_hash(ip, second, remote, kind));
}

struct fragments_use ip_fragments_use(const struct ip_host *ip)
{
    return ip->fragments != NULL ? fragments_use(ip->fragments) : (struct fragments_use){0};
}

/* ---- time and invariants ---- */

void ip_tick(struct ip_host *ip, uint64_t now)
{
    if (ip->neighbours != NULL) {
        neighbours_tick(ip, now);
    }
    if (ip->ipv6_interfaces != NULL) {
        ip->config.ipv6->tick(ip, now);
    }
    if (ip->fragments != NULL) {
        fragments_tick(ip->fragments, now);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t ip_next_deadline(const struct ip_host *ip)
{
    uint64_t next = UINT64_MAX;
    if (ip->neighbours != NULL) {
        next = earlier(next, neighbours_next_deadline(ip->neighbours));
    }
    if (ip->ipv6_interfaces != NULL) {
        next = earlier(next, ip->config.ipv6->next_deadline(ip));
    }
    if (ip->fragments != NULL) {
        next = earlier(next, fragments_next_deadline(ip->fragments));
    }
    return next;
}

bool ip_take_settled(struct ip_host *ip)
{
    bool settled = ip->settled;
    ip->settled = false;
    return settled;
}

const char *ip_check(const struct ip_host *ip)
{
    if (ip->generation == 0) {
        return "ip: the generation is never 0";
    }
    if (ip->reply_count > IP_MAX_REPLIES || ip->reply_first >= IP_MAX_REPLIES) {
        return "ip: the queue of replies is within its ring";
    }
    for (unsigned i = 0; i < ip->interface_count; i++) {
        if (ip->interfaces[i].address_count > IP_MAX_ADDRESSES) {
            return "ip: an interface has at most IP_MAX_ADDRESSES";
        }
    }
    for (unsigned i = 0; i < ip->route_count; i++) {
        if (!host_has_interface(ip, ip->routes[i].interface)) {
            return "ip: a route leads to an interface";
        }
    }
    const char *wrong = ip->neighbours != NULL ? neighbours_check(ip) : NULL;
    if (wrong == NULL && ip->fragments != NULL) {
        wrong = fragments_check(ip->fragments);
    }
    return wrong;
}
