/*
 * Ethernet (RFC 894, RFC 2464) with ARP (RFC 826, RFC 1122 2.3.2, RFC 5227): the object estab_ethernet. Takes
 * frames apart, answers questions for our addresses, and writes the questions of the neighbour table.
 *
 * What ARP says is believed where it can be: a neighbour is learnt from its question to us if its address is
 * on this link, and from an answer that we asked for. Everything else creates nothing and overwrites nothing
 * (O-34). This file knows nothing of what IP packets carry.
 */
#include "ip/host.h"
#include "wire/arp.h"
#include "wire/ethernet.h"

static const struct mac_addr broadcast_mac = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* A sender that may be one of our neighbours. */
static bool sender_plausible(const struct ip_host *ip, uint32_t interface, const struct ip_addr *sender)
{
    return ip_addr_is_unicast(sender) && !ip_addr_is_loopback(sender) && !ip_is_local(ip, sender) &&
           !host_is_broadcast(ip, sender) && host_is_on_link(ip, interface, sender);
}

static enum estab_drop request_input(struct ip_host *ip, const struct ip_arrival *arrival,
                                     const struct arp_packet *arp)
{
    struct ip_addr sender = ip_addr_v4(arp->sender_ip);
    struct ip_addr target = ip_addr_v4(arp->target_ip);
    struct neighbour_claim claim = {arrival->interface, &sender, &arp->sender_mac, false};
    bool probe = ip_addr_is_any(&sender); /* RFC 5227 2.1.1: asks whether an address is free, claims none */
    if (!probe && !sender_plausible(ip, arrival->interface, &sender)) {
        return ESTAB_DROP_ARP;
    }
    if (host_interface_address(host_interface(ip, arrival->interface), &target) == NULL) {
        (void)neighbour_answered(ip, arrival->now, &claim); /* not for us, but somebody may have moved */
        return ESTAB_DROP_NONE;
    }
    if (!probe) {
        neighbour_learn(ip, arrival->now, &claim);
    }
    struct link_message answer = {.kind = LINK_ANSWER, .interface = (uint8_t)arrival->interface};
    answer.address = target;
    answer.to = sender;
    answer.mac = arp->sender_mac;
    answer.to_one = true;
    return link_message_add(ip, &answer) ? ESTAB_DROP_NONE : ESTAB_DROP_REPLY_QUEUE;
}

static enum estab_drop reply_input(struct ip_host *ip, const struct ip_arrival *arrival,
                                   const struct arp_packet *arp)
{
    struct ip_addr sender = ip_addr_v4(arp->sender_ip);
    struct ip_addr target = ip_addr_v4(arp->target_ip);
    const struct ip_interface *interface = host_interface(ip, arrival->interface);
    bool to_us = host_interface_address(interface, &target) != NULL || ip_addr_is_any(&target);
    struct neighbour_claim claim = {arrival->interface, &sender, &arp->sender_mac,
                                    to_us && !arrival->link_group};
    if (ip_is_local(ip, &sender)) {
        return ESTAB_DROP_ARP;
    }
    return neighbour_answered(ip, arrival->now, &claim) ? ESTAB_DROP_NONE : ESTAB_DROP_ARP;
}

static enum estab_drop arp_input(struct ip_host *ip, const struct ip_arrival *arrival)
{
    struct arp_packet arp;
    ip->config.counters->neighbour_in++;
    if (!arp_parse(arrival->data, arrival->length, &arp) || mac_is_group(&arp.sender_mac) ||
        mac_eq(&arp.sender_mac, &host_interface(ip, arrival->interface)->mac)) {
        return ESTAB_DROP_ARP;
    }
    if (arp.operation == ARP_REQUEST) {
        return request_input(ip, arrival, &arp);
    }
    return arp.operation == ARP_REPLY ? reply_input(ip, arrival, &arp) : ESTAB_DROP_ARP;
}

static bool frame_input(struct ip_host *ip, struct ip_arrival *arrival, uint16_t *type, enum estab_drop *drop)
{
    const struct mac_addr *own = &host_interface(ip, arrival->interface)->mac;
    struct ethernet_frame frame;
    *drop = ESTAB_DROP_LINK_HEADER;
    if (!ethernet_parse(arrival->data, arrival->length, &frame) || mac_is_group(&frame.source) ||
        mac_eq(&frame.source, own)) {
        return false;
    }
    arrival->link_group = mac_is_group(&frame.destination);
    if (!arrival->link_group && !mac_eq(&frame.destination, own)) {
        return false;
    }
    arrival->data = frame.payload;
    arrival->length = frame.length;
    arrival->link_source = frame.source;
    *type = frame.type;
    if (frame.type == ETHERTYPE_ARP) {
        *drop = arp_input(ip, arrival);
        return false;
    }
    *drop = ESTAB_DROP_LINK_TYPE;
    return frame.type == ETHERTYPE_IPV4 || frame.type == ETHERTYPE_IPV6;
}

static void header_write(uint8_t *out, const struct mac_addr *destination, const struct mac_addr *source,
                         bool v6)
{
    ethernet_write(out, destination, source, v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
}

/* The address that a question comes from; without one it is a probe, which is answered as well (RFC 5227). */
static void sender_write(uint8_t out[4], const struct ip_interface *interface, const struct ip_addr *target)
{
    const struct ip_addr *source = host_source(interface, target);
    memset(out, 0, 4);
    if (source != NULL) {
        memcpy(out, source->b + 12, 4);
    }
}

static size_t arp_message_write(const struct ip_host *ip, const struct link_message *message, uint8_t *out)
{
    const struct ip_interface *interface = host_interface(ip, message->interface);
    struct arp_packet arp = {.sender_mac = interface->mac};
    if (message->kind == LINK_ASK) {
        arp.operation = ARP_REQUEST;
        sender_write(arp.sender_ip, interface, &message->address);
        memcpy(arp.target_ip, message->address.b + 12, 4);
    } else {
        arp.operation = ARP_REPLY;
        memcpy(arp.sender_ip, message->address.b + 12, 4);
        memcpy(arp.target_ip, message->to.b + 12, 4);
        arp.target_mac = message->mac;
    }
    ethernet_write(out, message->to_one ? &message->mac : &broadcast_mac, &interface->mac, ETHERTYPE_ARP);
    arp_write(out + ETHERNET_HEADER, &arp);
    return ETHERNET_HEADER + ARP_LENGTH;
}

const struct estab_link estab_ethernet = {
    .header = ETHERNET_HEADER,
    .input = frame_input,
    .write = header_write,
    .message_write = arp_message_write,
};
