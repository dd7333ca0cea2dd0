/*
 * From the link to TCP: one packet is taken apart in the order of its headers, and the first thing that is
 * wrong with it ends it with its reason (RFC 1122 3.2.1, RFC 8200 4, RFC 9293 3.9.2.3). What remains is a
 * whole segment from a host that can exist to an address of ours.
 *
 * Addresses are checked here once for every protocol: no group, no loopback, no broadcast, none of our own as
 * a source (MUST-57, MUST-63, V-30). This file must not know ports, connections or link-layer addresses.
 */
#include "ip/host.h"

static enum estab_drop verdict_drop(enum ip_verdict verdict)
{
    switch (verdict) {
    case IP_OK: return ESTAB_DROP_NONE;
    case IP_BAD_CHECKSUM: return ESTAB_DROP_IP_CHECKSUM;
    case IP_BAD_OPTION:
    case IP_SOURCE_ROUTED: return ESTAB_DROP_IP_OPTION;
    case IP_BAD_EXTENSION: return ESTAB_DROP_IP_EXTENSION;
    case IP_NO_NEXT_HEADER: return ESTAB_DROP_IP_PROTOCOL;
    default: return ESTAB_DROP_IP_HEADER;
    }
}

/* ---- link ---- */

/* On a link without headers the version says what it is. */
static uint16_t bare_type(const struct ip_arrival *arrival)
{
    return arrival->length > 0 && arrival->data[0] >> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
}

/* Takes the link header off: false where nothing of IP remains. */
static bool link_input(struct ip_host *ip, struct ip_arrival *arrival, uint16_t *type, enum estab_drop *drop)
{
    if (!host_has_interface(ip, arrival->interface)) {
        *drop = ESTAB_DROP_INTERFACE;
        return false;
    }
    if (host_interface(ip, arrival->interface)->setup.ethernet) {
        return ip->config.ethernet->input(ip, arrival, type, drop);
    }
    *type = bare_type(arrival);
    return true;
}

static enum estab_drop header_input(const struct ip_host *ip, const struct ip_arrival *arrival, uint16_t type,
                                    struct ip_datagram *datagram)
{
    if (type == ETHERTYPE_IPV4) {
        return verdict_drop(ipv4_parse(arrival->data, arrival->length, datagram));
    }
    if (ip->config.ipv6 == NULL) {
        return ESTAB_DROP_LINK_TYPE;
    }
    return verdict_drop(ip->config.ipv6->parse(arrival->data, arrival->length, datagram));
}

/* ---- addresses ---- */

/*
 * Who may have sent it. Nobody talks to himself through a wire (LAND), and only the search for a duplicate
 * address comes from no address at all, to a group (RFC 4861 7.1.1): what it may carry is group_check()'s.
 */
static bool source_valid(const struct ip_host *ip, const struct ip_datagram *datagram)
{
    const struct ip_addr *source = &datagram->source;
    if (!ip_addr_is_unicast(source)) {
        return ip_addr_is_any(source) && ip_addr_is_multicast(&datagram->destination);
    }
    return !ip_addr_is_loopback(source) && !ip_addr_eq(source, &datagram->destination) &&
           !ip_is_local(ip, source) && !host_is_broadcast(ip, source);
}

static enum estab_drop group_check(const struct ip_host *ip, const struct ip_arrival *arrival,
                                   const struct ip_datagram *datagram)
{
    bool wanted = datagram->is_v6 && datagram->protocol == IP_PROTOCOL_ICMPV6 && !datagram->is_fragment &&
                  ip->config.ipv6->listens(ip, arrival->interface, &datagram->destination);
    return wanted ? ESTAB_DROP_NONE : ESTAB_DROP_IP_ADDRESS;
}

static enum estab_drop destination_check(const struct ip_host *ip, const struct ip_arrival *arrival,
                                         const struct ip_datagram *datagram)
{
    const struct ip_addr *destination = &datagram->destination;
    const struct ip_interface *interface = host_interface(ip, arrival->interface);
    if (ip_addr_is_multicast(destination)) {
        return group_check(ip, arrival, datagram);
    }
    if (arrival->link_group) {
        return host_is_broadcast(ip, destination) ? ESTAB_DROP_IP_ADDRESS
                                                  : ESTAB_DROP_LINK_HEADER; /* RFC 1122 3.3.6 */
    }
    if (host_interface_address(interface, destination) != NULL) {
        return ESTAB_DROP_NONE;
    }
    if (!ip_addr_is_unicast(destination) || ip_addr_is_loopback(destination) ||
        host_is_broadcast(ip, destination)) {
        return ESTAB_DROP_IP_ADDRESS;
    }
    if (interface->setup.accept_any_address) {
        return ESTAB_DROP_NONE;
    }
    bool this_link_only = datagram->is_v6 && ip_addr_is_link_local(destination);
    return !this_link_only && ip_is_local(ip, destination) ? ESTAB_DROP_NONE : ESTAB_DROP_IP_NOT_OURS;
}

static enum estab_drop address_check(const struct ip_host *ip, const struct ip_arrival *arrival,
                                     const struct ip_datagram *datagram)
{
    if (!source_valid(ip, datagram)) {
        return ESTAB_DROP_IP_ADDRESS;
    }
    return destination_check(ip, arrival, datagram);
}

/* ---- fragments ---- */

/* Not worth memory: of IPv4 every fragment says what it is a part of. */
static bool fragment_unwanted(const struct ip_datagram *datagram)
{
    return !datagram->is_v6 && datagram->protocol != IP_PROTOCOL_TCP &&
           datagram->protocol != IP_PROTOCOL_ICMP;
}

/* True where the datagram is whole now. */
static bool fragment_input(struct ip_host *ip, const struct ip_arrival *arrival, struct ip_datagram *datagram,
                           enum estab_drop *drop)
{
    ip->config.counters->fragments_in++;
    if (fragment_unwanted(datagram)) {
        *drop = ESTAB_DROP_IP_PROTOCOL;
        return false;
    }
    enum fragment_result result = FRAGMENT_DROPPED;
    if (ip->fragments != NULL) {
        result = fragments_input(ip->fragments, arrival->now, datagram);
    }
    *drop = result == FRAGMENT_DROPPED ? ESTAB_DROP_IP_FRAGMENT : ESTAB_DROP_NONE;
    if (result != FRAGMENT_COMPLETE) {
        return false;
    }
    ip->config.counters->fragments_reassembled++;
    if (datagram->is_v6) {
        *drop = verdict_drop(ip->config.ipv6->skip_extensions(datagram));
    }
    return *drop == ESTAB_DROP_NONE;
}

/* ---- upper layers ---- */

static enum estab_drop upper_input(struct ip_host *ip, const struct ip_arrival *arrival,
                                   struct ip_received *received)
{
    const struct ip_datagram *datagram = &received->datagram;
    if (datagram->protocol == IP_PROTOCOL_TCP) {
        received->kind = IP_RECEIVED_TCP;
        return ESTAB_DROP_NONE;
    }
    if (datagram->protocol == (datagram->is_v6 ? IP_PROTOCOL_ICMPV6 : IP_PROTOCOL_ICMP)) {
        return icmp_input(ip, arrival, received);
    }
    return ESTAB_DROP_IP_PROTOCOL;
}

static enum estab_drop packet_input(struct ip_host *ip, struct ip_arrival *arrival,
                                    struct ip_received *received)
{
    struct ip_datagram *datagram = &received->datagram;
    enum estab_drop drop;
    uint16_t type;
    if (!link_input(ip, arrival, &type, &drop)) {
        return drop;
    }
    drop = header_input(ip, arrival, type, datagram);
    if (drop != ESTAB_DROP_NONE) {
        return drop;
    }
    bool whole_tcp = datagram->protocol == IP_PROTOCOL_TCP && !datagram->is_fragment && !arrival->link_group;
    drop = whole_tcp ? ESTAB_DROP_NONE : address_check(ip, arrival, datagram);
    if (drop != ESTAB_DROP_NONE) {
        return drop;
    }
    if (datagram->is_fragment) {
        arrival->reassembled = true;
        if (!fragment_input(ip, arrival, datagram, &drop)) {
            return drop;
        }
    }
    return upper_input(ip, arrival, received);
}

enum estab_drop ip_check_addresses(const struct ip_host *ip, const struct ip_received *received)
{
    const struct ip_arrival arrival = {.interface = received->interface};
    return address_check(ip, &arrival, &received->datagram);
}

void ip_input(struct ip_host *ip, uint64_t now, const struct estab_packet *packet,
              struct ip_received *received)
{
    struct ip_arrival arrival = {.now = now, .interface = packet->interface};
    arrival.data = packet->data;
    arrival.length = packet->length;
    received->kind = IP_RECEIVED_NOTHING;
    received->interface = packet->interface;
    received->drop = packet_input(ip, &arrival, received);
}
