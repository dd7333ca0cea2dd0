/*
 * Ethernet II frames (RFC 894, RFC 2464): header in, header out. VLAN tags and 802.3 length frames are not
 * ours and do not parse.
 */
#ifndef ESTAB_WIRE_ETHERNET_H
#define ESTAB_WIRE_ETHERNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETHERNET_HEADER 14u
#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_ARP 0x0806u
#define ETHERTYPE_IPV6 0x86ddu

struct mac_addr {
    uint8_t b[6];
};

struct ethernet_frame {
    struct mac_addr destination;
    struct mac_addr source;
    uint16_t type;
    const uint8_t *payload;
    size_t length; /* of the payload, padding included */
};

bool ethernet_parse(const uint8_t *data, size_t length, struct ethernet_frame *frame);
void ethernet_write(uint8_t *out, const struct mac_addr *destination, const struct mac_addr *source,
                    uint16_t type);
bool mac_is_group(const struct mac_addr *mac);     /* multicast or broadcast bit */
bool mac_is_broadcast(const struct mac_addr *mac);
bool mac_eq(const struct mac_addr *a, const struct mac_addr *b);

#endif
