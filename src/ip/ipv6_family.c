/*
 * IPv6 (RFC 8200) and, on Ethernet, neighbour discovery (RFC 4861): the object estab_ipv6. Answers
 * solicitations for our addresses, asks for neighbours and routers, and takes from router advertisements the
 * default route and the link's MTU. An Ethernet interface gets its link-local address by itself (RFC 4291
 * 2.5.6, appendix A).
 *
 * Nothing is believed that came by a router (hop limit 255, checked in icmp.c) or in fragments (RFC 6980).
 * DEVIATION from RFC 4861 6.3.4: one default router an interface, the first that advertised itself, is kept;
 * another takes its place when its lifetime is over. No address is made from a prefix (RFC 4862): they are
 * given by the program. On links without addresses there is no discovery at all.
 */
#include "ip/host.h"
#include "wire/checksum.h"

#define ROUTER_SOLICITATIONS 3u               /* RFC 4861 10: MAX_RTR_SOLICITATIONS */
#define SOLICITATION_NS      (4u * SECOND_NS) /* RTR_SOLICITATION_INTERVAL */
#define DISCOVERY_HOP_LIMIT  255u

static const struct ip_addr all_nodes = {{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
static const struct ip_addr all_routers = {{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};

/* ff02::1:ffXX:XXXX (RFC 4291 2.7.1). */
static struct ip_addr solicited_node(const struct ip_addr *address)
{
    struct ip_addr group = {{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0}};
    memcpy(group.b + 13, address->b + 13, 3);
    return group;
}

/* RFC 2464 7. */
static struct mac_addr group_mac(const struct ip_addr *group)
{
    struct mac_addr mac = {{0x33, 0x33, 0, 0, 0, 0}};
    memcpy(mac.b + 2, group->b + 12, 4);
    return mac;
}

/* ---- addresses ---- */

static void interface_added(struct ip_host *ip, uint32_t interface)
{
    struct ip_interface *added = &ip->interfaces[interface - 1];
    const uint8_t *mac = added->mac.b;
    if (!added->setup.ethernet || added->setup.mtu < IPV6_MIN_MTU) {
        return;
    }
    struct ip_addr address = {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, (uint8_t)(mac[0] ^ 2), mac[1], mac[2], 0xff,
                               0xfe, mac[3], mac[4], mac[5]}};
    added->addresses[0] = (struct ip_address){.address = address, .prefix = 64};
    added->address_count = 1;
}

/* With an address that reaches beyond the link a router is of use. */
static void address_added(struct ip_host *ip, uint64_t now, uint32_t interface, const struct ip_addr *address)
{
    if (!host_interface(ip, interface)->setup.ethernet || ip_addr_is_link_local(address)) {
        return;
    }
    struct ipv6_interface *v6 = &ip->ipv6_interfaces[interface - 1];
    if (v6->router_expires == 0 && v6->solicit_at == UINT64_MAX) {
        v6->solicit_at = now;
        v6->solicit_left = ROUTER_SOLICITATIONS;
    }
}

static bool listens(const struct ip_host *ip, uint32_t interface, const struct ip_addr *group)
{
    const struct ip_interface *link = host_interface(ip, interface);
    if (!link->setup.ethernet) {
        return false;
    }
    for (unsigned i = 0; i < link->address_count; i++) {
        const struct ip_addr *own = &link->addresses[i].address;
        struct ip_addr node = solicited_node(own);
        if (!ip_addr_is_v4(own) && ip_addr_eq(&node, group)) {
            return true;
        }
    }
    return ip_addr_eq(group, &all_nodes);
}

/* ---- input ---- */

/* RFC 4861 7.1.1 and 7.2.3. */
static enum estab_drop solicitation_input(struct ip_host *ip, const struct ip_arrival *arrival,
                                          const struct ip_datagram *datagram, const struct ndp_message *ndp)
{
    struct ip_addr node = solicited_node(&ndp->target);
    const struct mac_addr *mac = ndp->has_link_address ? &ndp->link_address : &arrival->link_source;
    struct neighbour_claim claim = {arrival->interface, &datagram->source, mac, false};
    struct link_message answer = {.kind = LINK_ANSWER, .interface = (uint8_t)arrival->interface};
    bool probe = ip_addr_is_any(&datagram->source);
    if (probe ? ndp->has_link_address || !ip_addr_eq(&datagram->destination, &node)
              : !host_is_on_link(ip, arrival->interface, &datagram->source)) {
        return ESTAB_DROP_ARP;
    }
    if (mac_is_group(mac)) {
        return ESTAB_DROP_ARP;
    }
    if (host_interface_address(host_interface(ip, arrival->interface), &ndp->target) == NULL) {
        return ESTAB_DROP_NONE; /* somebody else's, or one whose last three bytes are like ours */
    }
    if (ndp->has_link_address) { /* which a probe has not */
        neighbour_learn(ip, arrival->now, &claim);
    }
    answer.address = ndp->target;
    answer.to = datagram->source;
    answer.to_one = !probe;
    answer.mac = *mac;
    return link_message_add(ip, &answer) ? ESTAB_DROP_NONE : ESTAB_DROP_REPLY_QUEUE;
}

/* RFC 4861 7.1.2 and 7.2.5. */
static enum estab_drop advertisement_input(struct ip_host *ip, const struct ip_arrival *arrival,
                                           const struct ip_datagram *datagram, const struct ndp_message *ndp)
{
    bool to_all = ip_addr_is_multicast(&datagram->destination);
    const struct mac_addr *mac = ndp->has_link_address ? &ndp->link_address : NULL;
    struct neighbour_claim claim = {arrival->interface, &ndp->target, mac, ndp->solicited};
    if ((to_all && ndp->solicited) || ip_is_local(ip, &ndp->target) || (mac != NULL && mac_is_group(mac))) {
        return ESTAB_DROP_ARP;
    }
    return neighbour_answered(ip, arrival->now, &claim) ? ESTAB_DROP_NONE : ESTAB_DROP_ARP;
}

/* The first router that offers itself is taken, and heard until it withdraws or falls silent. */
static void router_update(struct ip_host *ip, const struct ip_arrival *arrival, const struct ip_addr *source,
                          const struct ndp_message *ndp)
{
    struct ipv6_interface *v6 = &ip->ipv6_interfaces[arrival->interface - 1];
    bool known = v6->router_expires > arrival->now;
    if (known && !ip_addr_eq(&v6->router, source)) {
        return;
    }
    uint64_t expires = arrival->now + ndp->router_lifetime_s * SECOND_NS;
    if (known != (ndp->router_lifetime_s > 0)) {
        host_changed(ip);
    }
    v6->router = *source;
    v6->router_expires = ndp->router_lifetime_s > 0 ? expires : 0;
    if (ndp->mtu >= IPV6_MIN_MTU) { /* one that is above the interface's means nothing */
        v6->mtu = ndp->mtu;
    }
    if (ndp->router_lifetime_s > 0) {
        v6->solicit_at = UINT64_MAX;
        v6->solicit_left = 0;
    }
}

/* RFC 4861 6.1.2 and 6.3.4. */
static enum estab_drop router_input(struct ip_host *ip, const struct ip_arrival *arrival,
                                    const struct ip_datagram *datagram, const struct ndp_message *ndp)
{
    if (!ip_addr_is_link_local(&datagram->source)) {
        return ESTAB_DROP_ARP;
    }
    router_update(ip, arrival, &datagram->source, ndp);
    if (ndp->has_link_address && !mac_is_group(&ndp->link_address)) {
        struct neighbour_claim claim = {arrival->interface, &datagram->source, &ndp->link_address, false};
        neighbour_learn(ip, arrival->now, &claim);
    }
    return ESTAB_DROP_NONE;
}

static enum estab_drop discovery_input(struct ip_host *ip, const struct ip_arrival *arrival,
                                       const struct ip_datagram *datagram, const struct icmp_message *message)
{
    struct ndp_message ndp;
    if (datagram->hop_limit != DISCOVERY_HOP_LIMIT || !ndp_parse(message, &ndp)) {
        return ESTAB_DROP_ARP;
    }
    switch (message->kind) {
    case NDP_NEIGHBOUR_SOLICITATION: return solicitation_input(ip, arrival, datagram, &ndp);
    case NDP_NEIGHBOUR_ADVERTISEMENT:
        return ip_addr_is_any(&datagram->source) ? ESTAB_DROP_ARP
                                                 : advertisement_input(ip, arrival, datagram, &ndp);
    case NDP_ROUTER_ADVERTISEMENT: return router_input(ip, arrival, datagram, &ndp);
    default: return ESTAB_DROP_ARP; /* solicitations are for routers */
    }
}

/* ---- output ---- */

static const struct ip_addr *discovery_source(const struct ip_interface *interface, const struct ip_addr *to)
{
    static const struct ip_addr none = {{0}};
    const struct ip_addr *source = host_source(interface, to);
    return source != NULL ? source : &none;
}

/* What a message says in its IP header: from where, to whom. */
static void message_address(const struct ip_interface *interface, const struct link_message *message,
                            struct ip_header_fields *fields)
{
    switch (message->kind) {
    case LINK_ASK:
        fields->source = *discovery_source(interface, &message->address);
        fields->destination = message->to_one ? message->address : solicited_node(&message->address);
        break;
    case LINK_ANSWER:
        fields->source = message->address;
        fields->destination = message->to_one ? message->to : all_nodes;
        break;
    default:
        fields->destination = all_routers;
        fields->source = *discovery_source(interface, &interface->addresses[0].address);
        break;
    }
}

static size_t message_write(const struct ip_host *ip, const struct link_message *message, uint8_t *out)
{
    const struct ip_interface *interface = host_interface(ip, message->interface);
    struct ip_header_fields fields = {.protocol = IP_PROTOCOL_ICMPV6, .hop_limit = DISCOVERY_HOP_LIMIT};
    uint32_t link = ip->config.ethernet->header;
    uint8_t *body = out + link + IPV6_HEADER;
    message_address(interface, message, &fields);
    uint64_t pseudo = checksum_pseudo(&fields.source, &fields.destination, IP_PROTOCOL_ICMPV6);
    const struct mac_addr *own =
        ip_addr_is_any(&fields.source) ? NULL : &interface->mac; /* RFC 4861 4.1, 4.3 */
    size_t length;
    if (message->kind == LINK_ASK) {
        length = ndp_write_neighbour_solicitation(body, &message->address, own, pseudo);
    } else if (message->kind == LINK_ANSWER) {
        length = ndp_write_neighbour_advertisement(body, &message->address, own, message->to_one, pseudo);
    } else {
        length = ndp_write_router_solicitation(body, own, pseudo);
    }
    fields.payload_length = (uint32_t)length;
    ipv6_write(out + link, &fields);
    struct mac_addr to = message->to_one ? message->mac : group_mac(&fields.destination);
    ip->config.ethernet->write(out, &to, &interface->mac, true);
    return link + IPV6_HEADER + length;
}

/* ---- routers ---- */

static const struct ip_addr *router(const struct ip_host *ip, uint64_t now, uint32_t interface)
{
    if (ip->ipv6_interfaces == NULL || ip->ipv6_interfaces[interface - 1].router_expires <= now) {
        return NULL;
    }
    return &ip->ipv6_interfaces[interface - 1].router;
}

static void tick(struct ip_host *ip, uint64_t now)
{
    for (uint32_t i = 0; i < ip->interface_count; i++) {
        struct ipv6_interface *v6 = &ip->ipv6_interfaces[i];
        if (v6->router_expires != 0 && v6->router_expires <= now) {
            v6->router_expires = 0;
            host_changed(ip);
        }
        if (v6->solicit_at <= now) {
            struct link_message message = {.kind = LINK_FIND_ROUTER, .interface = (uint8_t)(i + 1)};
            (void)link_message_add(ip, &message);
            v6->solicit_left--;
            v6->solicit_at = v6->solicit_left > 0 ? now + SOLICITATION_NS : UINT64_MAX;
        }
    }
}

static uint64_t next_deadline(const struct ip_host *ip)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < ip->interface_count; i++) {
        const struct ipv6_interface *v6 = &ip->ipv6_interfaces[i];
        if (v6->solicit_at < next) {
            next = v6->solicit_at;
        }
        if (v6->router_expires != 0 && v6->router_expires < next) {
            next = v6->router_expires;
        }
    }
    return next;
}

const struct estab_family estab_ipv6 = {
    .parse = ipv6_parse,
    .skip_extensions = ipv6_skip_extensions,
    .write = ipv6_write,
    .listens = listens,
    .discovery_input = discovery_input,
    .message_write = message_write,
    .interface_added = interface_added,
    .address_added = address_added,
    .router = router,
    .tick = tick,
    .next_deadline = next_deadline,
};
