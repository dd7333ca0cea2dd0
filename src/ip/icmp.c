/*
 * ICMP (RFC 792, RFC 1122 3.2.2) and ICMPv6 (RFC 4443): echo requests are answered here, errors about TCP
 * packets of ours go up with what they quote, neighbour discovery goes to the IPv6 family. Source quench is
 * dropped in silence (MUST-55), redirects are dropped: routes come from the program and from routers'
 * advertisements.
 *
 * DEVIATION from RFC 1122 3.2.2.6: an echo that does not fit into one block of the pool or into the MTU is
 * not answered; we send no fragments. This file must not know connections.
 */
#include "ip/host.h"
#include "wire/checksum.h"

/* ---- echo ---- */

static uint32_t link_header(const struct ip_host *ip, uint32_t interface)
{
    return host_interface(ip, interface)->setup.ethernet ? ip->config.ethernet->header : 0;
}

static void reply_write(const struct ip_host *ip, const struct ip_arrival *arrival,
                        const struct ip_datagram *datagram, const struct icmp_message *message, uint8_t *out)
{
    uint64_t pseudo = 0;
    struct ip_header_fields fields = {.source = datagram->destination, .destination = datagram->source};
    fields.payload_length = (uint32_t)(ICMP_HEADER + message->body_length);
    fields.protocol = datagram->protocol;
    fields.hop_limit = ip->config.hop_limit;
    fields.traffic_class = datagram->traffic_class & 0xfcu; /* its DSCP; echoes are not ECN capable */
    if (link_header(ip, arrival->interface) > 0) {
        /* Back where it came from: an answer must not fill the neighbour table. */
        const struct ip_interface *interface = host_interface(ip, arrival->interface);
        ip->config.ethernet->write(out, &arrival->link_source, &interface->mac, datagram->is_v6);
        out += ip->config.ethernet->header;
    }
    if (datagram->is_v6) {
        pseudo = checksum_pseudo(&fields.source, &fields.destination, IP_PROTOCOL_ICMPV6);
    }
    output_write_ip(ip, &fields, out);
    icmp_echo_reply_write(out + (datagram->is_v6 ? IPV6_HEADER : IPV4_HEADER), message, datagram->is_v6,
                          pseudo);
}

static enum estab_drop echo_input(struct ip_host *ip, const struct ip_arrival *arrival,
                                  const struct ip_datagram *datagram, const struct icmp_message *message)
{
    size_t packet = (datagram->is_v6 ? IPV6_HEADER : IPV4_HEADER) + ICMP_HEADER + message->body_length;
    size_t length = packet + link_header(ip, arrival->interface);
    if (ip->reply_count == IP_MAX_REPLIES || length > pool_payload(ip->pool) ||
        packet > host_interface(ip, arrival->interface)->setup.mtu) {
        return ESTAB_DROP_REPLY_QUEUE;
    }
    if (!ip_reply_allowed(ip, arrival->now, &datagram->source, IP_REPLY_ECHO)) {
        return ESTAB_DROP_REPLY_LIMIT;
    }
    struct block *block = pool_take(ip->pool);
    if (block == NULL) {
        return ESTAB_DROP_REPLY_QUEUE;
    }
    reply_write(ip, arrival, datagram, message, block->data);
    struct ip_reply *reply = &ip->replies[(ip->reply_first + ip->reply_count) % IP_MAX_REPLIES];
    *reply = (struct ip_reply){block, (uint16_t)length, (uint8_t)arrival->interface};
    ip->reply_count++;
    return ESTAB_DROP_NONE;
}

/* ---- errors ---- */

/*
 * Where an old router does not say how large a packet may be: the next plateau below the one that was too
 * large (RFC 1191 7.1).
 */
static uint32_t plateau_below(uint32_t length)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};
    for (unsigned i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++) {
        if (plateaus[i] < length) {
            return plateaus[i];
        }
    }
    return IPV4_MIN_MTU;
}

/* Our packet is quoted, so the message must have come to the address that the packet was sent from. */
static enum estab_drop error_input(const struct icmp_message *message, struct ip_received *received)
{
    const struct ip_datagram *datagram = &received->datagram;
    struct icmp_quote *quote = &received->quote;
    if (!icmp_parse_quote(message, datagram->is_v6, quote) ||
        !ip_addr_eq(&quote->datagram.source, &datagram->destination)) {
        return ESTAB_DROP_ICMP;
    }
    received->error_mtu = message->mtu;
    if (message->kind == ICMP_PACKET_TOO_BIG && datagram->is_v6 && message->mtu < IPV6_MIN_MTU) {
        return ESTAB_DROP_ICMP; /* RFC 8201 4 */
    }
    if (message->kind == ICMP_PACKET_TOO_BIG && message->mtu == 0) {
        received->error_mtu = plateau_below(get_be16(message->body + 2));
    }
    received->kind = IP_RECEIVED_ICMP_ERROR;
    received->error = message->kind;
    return ESTAB_DROP_NONE;
}

static bool is_discovery(enum icmp_kind kind)
{
    return kind == NDP_ROUTER_SOLICITATION || kind == NDP_ROUTER_ADVERTISEMENT ||
           kind == NDP_NEIGHBOUR_SOLICITATION || kind == NDP_NEIGHBOUR_ADVERTISEMENT;
}

/* Only on a link with addresses, and never in fragments (RFC 6980). */
static enum estab_drop discovery_input(struct ip_host *ip, const struct ip_arrival *arrival,
                                       const struct ip_datagram *datagram, const struct icmp_message *message)
{
    ip->config.counters->neighbour_in++;
    if (!host_interface(ip, arrival->interface)->setup.ethernet || arrival->reassembled) {
        return ESTAB_DROP_ARP;
    }
    return ip->config.ipv6->discovery_input(ip, arrival, datagram, message);
}

enum estab_drop icmp_input(struct ip_host *ip, const struct ip_arrival *arrival, struct ip_received *received)
{
    const struct ip_datagram *datagram = &received->datagram;
    struct icmp_message message;
    if (!icmp_parse(datagram, &message)) {
        ip->config.counters->icmp_in++;
        return ESTAB_DROP_ICMP;
    }
    if (is_discovery(message.kind)) {
        return discovery_input(ip, arrival, datagram, &message);
    }
    ip->config.counters->icmp_in++;
    /* Of a source that is none this is all there can be. */
    if (ip_addr_is_multicast(&datagram->destination)) {
        return ESTAB_DROP_IP_ADDRESS;
    }
    switch (message.kind) {
    case ICMP_ECHO_REQUEST: return echo_input(ip, arrival, datagram, &message);
    case ICMP_NET_UNREACHABLE:
    case ICMP_HOST_UNREACHABLE:
    case ICMP_PROTOCOL_UNREACHABLE:
    case ICMP_PORT_UNREACHABLE:
    case ICMP_PROHIBITED:
    case ICMP_PACKET_TOO_BIG:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETER_PROBLEM: return error_input(&message, received);
    default: return ESTAB_DROP_ICMP;
    }
}
