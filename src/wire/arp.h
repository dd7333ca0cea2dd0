/*
 * ARP for IPv4 over Ethernet (RFC 826), 28 bytes. Anything of another hardware, protocol or length does not
 * parse (V-10).
 */
#ifndef ESTAB_WIRE_ARP_H
#define ESTAB_WIRE_ARP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/ethernet.h"

#define ARP_LENGTH 28u
#define ARP_REQUEST 1u
#define ARP_REPLY 2u

struct arp_packet {
    uint16_t operation;
    struct mac_addr sender_mac;
    uint8_t sender_ip[4];
    struct mac_addr target_mac;
    uint8_t target_ip[4];
};

bool arp_parse(const uint8_t *data, size_t length, struct arp_packet *arp);
void arp_write(uint8_t out[ARP_LENGTH], const struct arp_packet *arp);

#endif
