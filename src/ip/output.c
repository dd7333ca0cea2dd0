/*
 * The way out: which interface and next hop lead to a destination (RFC 1122 3.3.1), which of our addresses to
 * send from (MUST-44, RFC 6724 5), the headers in front of a segment, and this layer's own packets. A
 * connection finds its way once and then only asks whether it is still valid: a comparison of two counters.
 *
 * Prefixes of our addresses, routes and the routers' advertisements compete by the length of their prefix; at
 * equal length the way that has the source address wins, then the one that the packet to be answered came by,
 * then the link before a gateway, then the older. This file must not know connections.
 */
#include "ip/host.h"

/* ---- choosing a way ---- */

struct way {
    uint32_t interface; /* 0 = none */
    const struct ip_addr *next_hop;
    unsigned score;
};

struct search {
    const struct ip_host *ip;
    const struct ip_path_query *query;
    const struct ip_addr *source; /* any = to be chosen */
    uint64_t now;
    uint32_t scope;
};

static bool link_local_v6(const struct ip_addr *address)
{
    return !ip_addr_is_v4(address) && ip_addr_is_link_local(address);
}

/* Offers a way by `gateway` (NULL: the destination is on the link) for a prefix; rank 0 = the last resort. */
static void offer(const struct search *search, struct way *best, uint32_t interface, unsigned rank,
                  const struct ip_addr *gateway)
{
    const struct ip_interface *by = host_interface(search->ip, interface);
    bool owns = !ip_addr_is_any(search->source) && host_interface_address(by, search->source) != NULL;
    unsigned score = rank * 8 + (owns ? 4u : 0u) + (search->query->hint == interface ? 2u : 0u) +
                     (gateway == NULL ? 1u : 0u);
    if (search->scope != 0 && search->scope != interface) {
        return;
    }
    if (best->interface == 0 || score > best->score) {
        *best = (struct way){interface, gateway != NULL ? gateway : search->query->destination, score};
    }
}

static void offer_links(const struct search *search, struct way *best)
{
    const struct ip_addr *destination = search->query->destination;
    for (uint32_t i = 1; i <= search->ip->interface_count; i++) {
        const struct ip_interface *interface = host_interface(search->ip, i);
        for (unsigned k = 0; k < interface->address_count; k++) {
            const struct ip_address *own = &interface->addresses[k];
            if (ip_addr_in_prefix(destination, &own->address, own->prefix)) {
                offer(search, best, i, own->prefix + 2u, NULL);
            }
        }
    }
}

static void offer_routes(const struct search *search, struct way *best)
{
    const struct ip_addr *destination = search->query->destination;
    for (unsigned i = 0; i < search->ip->route_count; i++) {
        const struct ip_route *route = &search->ip->routes[i];
        if (ip_addr_in_prefix(destination, &route->network, route->prefix)) {
            const struct ip_addr *gateway = ip_addr_is_any(&route->gateway) ? NULL : &route->gateway;
            offer(search, best, route->interface, route->prefix + 2u, gateway);
        }
    }
}

/*
 * Default routes that nobody entered: advertised routers, and on a link without addresses the way an answer
 * goes back.
 */
static void offer_defaults(const struct search *search, struct way *best)
{
    const struct ip_host *ip = search->ip;
    for (uint32_t i = 1; !ip_addr_is_v4(search->query->destination) && i <= ip->interface_count; i++) {
        const struct ip_addr *router = ip->config.ipv6->router(ip, search->now, i);
        if (router != NULL) {
            offer(search, best, i, 1, router);
        }
    }
    uint32_t hint = search->query->hint;
    if (host_has_interface(ip, hint) && !host_interface(ip, hint)->setup.ethernet) {
        offer(search, best, hint, 0, NULL);
    }
}

/* A packet came by the only link there is, and that has no link addresses: the answer goes back by it. */
static bool is_only_way(const struct search *search)
{
    const struct ip_host *ip = search->ip;
    return ip->interface_count == 1 && search->query->hint == 1 && search->scope <= 1 &&
           !ip_addr_is_any(search->source) && !host_interface(ip, 1)->setup.ethernet;
}

static struct way find_way(struct search *search)
{
    const struct ip_host *ip = search->ip;
    struct way best = {0, NULL, 0};
    if (is_only_way(search)) {
        return (struct way){1, search->query->destination, 0};
    }
    if (!link_local_v6(search->query->destination)) {
        offer_links(search, &best);
        offer_routes(search, &best);
        offer_defaults(search, &best);
        return best;
    }
    /* A link-local address means nothing without its link (RFC 4007 6). */
    if (search->scope == 0) {
        search->scope = ip->interface_count == 1 ? 1 : search->query->hint;
    }
    if (host_has_interface(ip, search->scope)) {
        offer(search, &best, search->scope, 0, NULL);
    }
    return best;
}

/* ---- choosing a source ---- */

/*
 * From the interface of the way, else any of ours that others can answer to. An IPv4 source lies in the next
 * hop's network where it can (RFC 1122 3.3.4.3); of IPv6 the scope and the prefix of the destination count.
 */
static const struct ip_addr *choose_source(const struct ip_host *ip, const struct way *way,
                                           const struct ip_addr *destination)
{
    const struct ip_addr *near = ip_addr_is_v4(destination) ? way->next_hop : destination;
    const struct ip_addr *best = host_source(host_interface(ip, way->interface), near);
    for (uint32_t i = 1; i <= ip->interface_count; i++) {
        if (best != NULL && link_local_v6(best) == link_local_v6(destination)) {
            return best;
        }
        const struct ip_addr *other = host_source(host_interface(ip, i), destination);
        if (other != NULL && !link_local_v6(other)) {
            best = other;
        }
    }
    return best;
}

static bool source_usable(const struct ip_host *ip, uint32_t interface, const struct ip_addr *source)
{
    const struct ip_interface *by = host_interface(ip, interface);
    if (link_local_v6(source)) {
        return host_interface_address(by, source) != NULL;
    }
    return ip_is_local(ip, source) ||
           (by->setup.accept_any_address && ip_addr_is_unicast(source) && !ip_addr_is_loopback(source));
}

static int settle_source(const struct ip_host *ip, const struct way *way, const struct ip_addr *destination,
                         struct ip_addr *source)
{
    if (!ip_addr_is_any(source)) {
        bool usable =
            ip_addr_is_v4(source) == ip_addr_is_v4(destination) && source_usable(ip, way->interface, source);
        return usable ? 0 : -ESTAB_EADDRNOTAVAIL;
    }
    const struct ip_addr *chosen = choose_source(ip, way, destination);
    if (chosen == NULL) {
        return -ESTAB_EADDRNOTAVAIL;
    }
    *source = *chosen;
    return 0;
}

/* ---- paths ---- */

static int destination_refused(const struct ip_host *ip, const struct ip_addr *destination)
{
    if (!ip_addr_is_v4(destination) && ip->config.ipv6 == NULL) {
        return -ESTAB_EAFNOSUPPORT;
    }
    if (!ip_addr_is_unicast(destination) || host_is_broadcast(ip, destination)) {
        return -ESTAB_ENETUNREACH; /* MUST-46 */
    }
    /*
     * A stack does not talk to itself: there is no loopback interface, and a packet to us would be a LAND
     * packet.
     */
    if (ip_addr_is_loopback(destination) || ip_is_local(ip, destination)) {
        return -ESTAB_EADDRNOTAVAIL;
    }
    return 0;
}

int ip_path_find(struct ip_host *ip, uint64_t now, const struct ip_path_query *query, struct ip_addr *source,
                 struct ip_path *path)
{
    struct search search = {ip, query, source, now, query->scope};
    int error = destination_refused(ip, query->destination);
    if (error != 0) {
        return error;
    }
    struct way way = find_way(&search);
    if (way.interface == 0) {
        return -ESTAB_ENETUNREACH;
    }
    error = settle_source(ip, &way, query->destination, source);
    if (error != 0) {
        return error;
    }
    struct ip_path found = {0, IP_NO_NEIGHBOUR, 0, (uint8_t)way.interface, 0};
    if (host_interface(ip, way.interface)->setup.ethernet) {
        found.link_header = (uint8_t)ip->config.ethernet->header;
        found.neighbour = neighbour_want(ip, now, way.interface, way.next_hop);
        if (found.neighbour == IP_NO_NEIGHBOUR) {
            return -ESTAB_ENOBUFS;
        }
        found.neighbour_generation = ip->neighbours->entries[found.neighbour].generation;
    }
    found.generation = ip->generation;
    *path = found;
    return 0;
}

bool ip_path_valid(const struct ip_host *ip, const struct ip_path *path)
{
    return path->generation == ip->generation &&
           (path->neighbour == IP_NO_NEIGHBOUR ||
            path->neighbour_generation == ip->neighbours->entries[path->neighbour].generation);
}

enum ip_path_state ip_path_resolve(struct ip_host *ip, uint64_t now, const struct ip_path *path)
{
    ESTAB_ASSERT(path->generation != 0);
    return path->neighbour == IP_NO_NEIGHBOUR ? IP_PATH_READY : neighbour_resolve(ip, now, path->neighbour);
}

void ip_path_confirm(struct ip_host *ip, uint64_t now, const struct ip_path *path)
{
    if (path->neighbour != IP_NO_NEIGHBOUR && ip_path_valid(ip, path)) {
        neighbour_confirm(ip, now, path->neighbour);
    }
}

void output_write_ip(const struct ip_host *ip, const struct ip_header_fields *fields, uint8_t *out)
{
    if (!ip_addr_is_v4(&fields->destination)) {
        ip->config.ipv6->write(out, fields);
        return;
    }
    ipv4_write_whole(out, fields);
}

void ip_path_write(const struct ip_host *ip, const struct ip_path *path,
                   const struct ip_header_fields *fields, uint8_t *out)
{
    if (path->neighbour != IP_NO_NEIGHBOUR) {
        const struct ip_interface *interface = host_interface(ip, path->interface);
        const struct mac_addr *to = &ip->neighbours->entries[path->neighbour].mac;
        ip->config.ethernet->write(out, to, &interface->mac, !ip_addr_is_v4(&fields->destination));
        out += path->link_header;
    }
    output_write_ip(ip, fields, out);
}

uint32_t ip_flow_label(const struct ip_host *ip, const struct ip_addr *source,
                       const struct ip_addr *destination, uint32_t ports)
{
    uint64_t words[3] = {host_hash(ip, source, 0x666c7372), host_hash(ip, destination, 0x666c6473), ports};
    return (uint32_t)siphash13(&ip->config.key, words, 3) & 0xfffff;
}

/* ---- own packets ---- */

#define MESSAGE_MAX (ETHERNET_HEADER + IPV6_HEADER + NDP_MAX_LENGTH)

/*
 * A packet that was queued before its interface's MTU was lowered may be too long now: nobody gets half of
 * it.
 */
static void packet_fill(struct estab_packet *packet, const uint8_t *data, size_t length, uint32_t interface)
{
    packet->length = length <= packet->capacity ? (uint32_t)length : 0;
    packet->interface = interface;
    memcpy(packet->data, data, packet->length);
}

/* ARP, solicitations and advertisements are written only now. */
static bool pull_message(struct ip_host *ip, struct estab_packet *packet)
{
    struct link_message message;
    if (ip->neighbours == NULL || !link_message_take(ip, &message)) {
        return false;
    }
    bool v4 = ip_addr_is_v4(&message.address);
    uint8_t written[MESSAGE_MAX];
    size_t length = v4 ? ip->config.ethernet->message_write(ip, &message, written)
                       : ip->config.ipv6->message_write(ip, &message, written);
    packet_fill(packet, written, length, message.interface);
    packet->reason = ESTAB_REASON_NEIGHBOUR;
    return true;
}

static bool pull_reply(struct ip_host *ip, struct estab_packet *packet)
{
    if (ip->reply_count == 0) {
        return false;
    }
    struct ip_reply *reply = &ip->replies[ip->reply_first];
    packet_fill(packet, reply->block->data, reply->length, reply->interface);
    packet->reason = ESTAB_REASON_ICMP;
    pool_give(ip->pool, reply->block);
    ip->reply_first = (uint8_t)((ip->reply_first + 1u) % IP_MAX_REPLIES);
    ip->reply_count--;
    return true;
}

bool ip_pull(struct ip_host *ip, uint64_t now, struct estab_packet *packet)
{
    (void)now; /* what is due was queued by ip_tick() */
    while (pull_message(ip, packet) || pull_reply(ip, packet)) {
        if (packet->length == 0) {
            continue;
        }
        if (packet->reason == ESTAB_REASON_NEIGHBOUR) {
            ip->config.counters->neighbour_out++;
        } else {
            ip->config.counters->icmp_out++;
        }
        return true;
    }
    return false;
}

bool ip_pull_pending(const struct ip_host *ip)
{
    return ip->reply_count > 0 || (ip->neighbours != NULL && ip->neighbours->message_count > 0);
}

uint32_t ip_blocks_used(const struct ip_host *ip)
{
    return ip->reply_count;
}
