/*
 * Ethernet II headers (RFC 894, RFC 2464). A frame parses when its header arrived whole and its type field is
 * a type that may be ours: values below 0x600 are lengths (IEEE 802.3), and a VLAN tag means that the frame
 * belongs to another network than this interface's. Unknown types parse: dropping and counting them is for
 * the caller.
 *
 * This file must not know what a payload means or which MAC address is ours.
 */
#include "wire/ethernet.h"

#include "base/bytes.h"
#include "base/mem.h"

#define MIN_TYPE          0x0600u
#define TYPE_VLAN         0x8100u
#define TYPE_VLAN_SERVICE 0x88a8u

bool ethernet_parse(const uint8_t *data, size_t length, struct ethernet_frame *frame)
{
    if (length < ETHERNET_HEADER) {
        return false;
    }
    uint16_t type = get_be16(data + 12);
    if (type < MIN_TYPE || type == TYPE_VLAN || type == TYPE_VLAN_SERVICE) {
        return false;
    }
    memcpy(frame->destination.b, data, 6);
    memcpy(frame->source.b, data + 6, 6);
    frame->type = type;
    frame->payload = data + ETHERNET_HEADER;
    frame->length = length - ETHERNET_HEADER;
    return true;
}

void ethernet_write(uint8_t *out, const struct mac_addr *destination, const struct mac_addr *source,
                    uint16_t type)
{
    memcpy(out, destination->b, 6);
    memcpy(out + 6, source->b, 6);
    put_be16(out + 12, type);
}

bool mac_is_group(const struct mac_addr *mac)
{
    return (mac->b[0] & 1) != 0;
}

bool mac_is_broadcast(const struct mac_addr *mac)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    return memcmp(mac->b, broadcast, 6) == 0;
}

bool mac_eq(const struct mac_addr *a, const struct mac_addr *b)
{
    return memcmp(a->b, b->b, 6) == 0;
}
