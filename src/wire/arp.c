/*
 * ARP for IPv4 over Ethernet (RFC 826). All 28 bytes must have arrived before one of them is looked at
 * (V-10), and the four fields that say what kind of addresses follow must say Ethernet and IPv4. Bytes after
 * the packet are the padding of a short frame.
 *
 * This file must not know the neighbour table: whether an answer was asked for, and whether to believe it, is
 * ip/'s to decide. Any operation code parses.
 */
#include "wire/arp.h"

#include "base/bytes.h"
#include "base/mem.h"

#define HARDWARE_ETHERNET 1u

bool arp_parse(const uint8_t *data, size_t length, struct arp_packet *arp)
{
    if (length < ARP_LENGTH) {
        return false;
    }
    if (get_be16(data) != HARDWARE_ETHERNET || get_be16(data + 2) != ETHERTYPE_IPV4) {
        return false;
    }
    if (data[4] != 6 || data[5] != 4) {
        return false;
    }
    arp->operation = get_be16(data + 6);
    memcpy(arp->sender_mac.b, data + 8, 6);
    memcpy(arp->sender_ip, data + 14, 4);
    memcpy(arp->target_mac.b, data + 18, 6);
    memcpy(arp->target_ip, data + 24, 4);
    return true;
}

void arp_write(uint8_t out[ARP_LENGTH], const struct arp_packet *arp)
{
    put_be16(out, HARDWARE_ETHERNET);
    put_be16(out + 2, ETHERTYPE_IPV4);
    out[4] = 6;
    out[5] = 4;
    put_be16(out + 6, arp->operation);
    memcpy(out + 8, arp->sender_mac.b, 6);
    memcpy(out + 14, arp->sender_ip, 4);
    memcpy(out + 18, arp->target_mac.b, 6);
    memcpy(out + 24, arp->target_ip, 4);
}
