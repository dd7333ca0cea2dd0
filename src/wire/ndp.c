/*
 * The messages of IPv6 neighbour discovery (RFC 4861 4): neighbour and router solicitation and advertisement.
 * Options are walked within the bytes that arrived; one of length zero, or longer than what is left, makes
 * the whole message invalid (RFC 4861 6.1, 7.1; V-10). Unknown options, and known ones of another length than
 * Ethernet's, are skipped.
 *
 * This file must not know the neighbour table. The rules that need the IP header (hop limit 255, multicast
 * destination and the solicited flag, unspecified source) are checked by ip/.
 */
#include "base/bytes.h"
#include "base/mem.h"
#include "wire/checksum.h"
#include "wire/icmp.h"

#define TYPE_ROUTER_SOLICITATION     133u
#define TYPE_NEIGHBOUR_SOLICITATION  135u
#define TYPE_NEIGHBOUR_ADVERTISEMENT 136u

#define OPTION_SOURCE_LINK_ADDRESS 1u
#define OPTION_TARGET_LINK_ADDRESS 2u
#define OPTION_PREFIX              3u
#define OPTION_MTU                 5u
#define OPTION_UNIT                8u
#define PREFIX_OPTION_BYTES        32u

#define FLAG_ROUTER     0x80u
#define FLAG_SOLICITED  0x40u
#define FLAG_OVERRIDE   0x20u
#define FLAG_ON_LINK    0x80u
#define FLAG_AUTONOMOUS 0x40u

#define TARGET_BYTES       16u
#define ROUTER_TIMES_BYTES 8u

static void read_prefix(const uint8_t *option, struct ndp_message *ndp)
{
    struct ip_addr prefix = ip_addr_v6(option + 16);
    if (ndp->has_prefix || option[2] > 128 || ip_addr_is_v4(&prefix)) {
        return;
    }
    ndp->has_prefix = true;
    ndp->prefix_length = option[2];
    ndp->prefix_on_link = (option[3] & FLAG_ON_LINK) != 0;
    ndp->prefix_autonomous = (option[3] & FLAG_AUTONOMOUS) != 0;
    ndp->prefix_valid_s = get_be32(option + 4);
    ndp->prefix = prefix;
}

static void read_option(const uint8_t *option, uint32_t length, uint8_t link_option, struct ndp_message *ndp)
{
    uint8_t kind = option[0];
    if (kind == link_option && length == OPTION_UNIT) {
        ndp->has_link_address = true;
        memcpy(ndp->link_address.b, option + 2, 6);
    } else if (kind == OPTION_MTU && length == OPTION_UNIT) {
        ndp->mtu = get_be32(option + 4);
    } else if (kind == OPTION_PREFIX && length == PREFIX_OPTION_BYTES) {
        read_prefix(option, ndp);
    }
}

static bool read_options(const uint8_t *options, size_t length, uint8_t link_option, struct ndp_message *ndp)
{
    size_t at = 0;
    while (at < length) {
        if (length - at < 2 || options[at + 1] == 0) {
            return false;
        }
        uint32_t bytes = options[at + 1] * OPTION_UNIT;
        if (bytes > length - at) {
            return false;
        }
        read_option(options + at, bytes, link_option, ndp);
        at += bytes;
    }
    return true;
}

/* A target that is a group, or that would pass for an IPv4 host, makes the message invalid (RFC 4861 7.1). */
static bool read_target(const uint8_t *body, struct ndp_message *ndp)
{
    ndp->target = ip_addr_v6(body);
    return !ip_addr_is_multicast(&ndp->target) && !ip_addr_is_v4(&ndp->target);
}

bool ndp_parse(const struct icmp_message *message, struct ndp_message *ndp)
{
    size_t fixed = 0;
    uint8_t link_option = OPTION_SOURCE_LINK_ADDRESS;
    *ndp = (struct ndp_message){.has_link_address = false};
    switch (message->kind) {
    case NDP_ROUTER_SOLICITATION: break;
    case NDP_ROUTER_ADVERTISEMENT:
        fixed = ROUTER_TIMES_BYTES;
        ndp->hop_limit = message->rest[0];
        ndp->router_lifetime_s = get_be16(message->rest + 2);
        break;
    case NDP_NEIGHBOUR_SOLICITATION: fixed = TARGET_BYTES; break;
    case NDP_NEIGHBOUR_ADVERTISEMENT:
        fixed = TARGET_BYTES;
        link_option = OPTION_TARGET_LINK_ADDRESS;
        ndp->router = (message->rest[0] & FLAG_ROUTER) != 0;
        ndp->solicited = (message->rest[0] & FLAG_SOLICITED) != 0;
        ndp->override = (message->rest[0] & FLAG_OVERRIDE) != 0;
        break;
    default: return false;
    }
    if (message->body_length < fixed) {
        return false;
    }
    if (fixed == TARGET_BYTES && !read_target(message->body, ndp)) {
        return false;
    }
    return read_options(message->body + fixed, message->body_length - fixed, link_option, ndp);
}

/* Appends a link-layer address option, if there is an address, and closes the message with its checksum. */
static size_t finish(uint8_t *out, size_t length, uint8_t option, const struct mac_addr *mac, uint64_t pseudo)
{
    if (mac) {
        out[length] = option;
        out[length + 1] = 1;
        memcpy(out + length + 2, mac->b, 6);
        length += OPTION_UNIT;
    }
    checksum_put(out + 2, pseudo + checksum_length((uint32_t)length) + checksum_sum(out, length));
    return length;
}

size_t ndp_write_neighbour_solicitation(uint8_t *out, const struct ip_addr *target,
                                        const struct mac_addr *mac, uint64_t pseudo)
{
    memset(out, 0, ICMP_HEADER);
    out[0] = TYPE_NEIGHBOUR_SOLICITATION;
    memcpy(out + ICMP_HEADER, target->b, TARGET_BYTES);
    return finish(out, ICMP_HEADER + TARGET_BYTES, OPTION_SOURCE_LINK_ADDRESS, mac, pseudo);
}

size_t ndp_write_neighbour_advertisement(uint8_t *out, const struct ip_addr *target,
                                         const struct mac_addr *mac, bool solicited, uint64_t pseudo)
{
    memset(out, 0, ICMP_HEADER);
    out[0] = TYPE_NEIGHBOUR_ADVERTISEMENT;
    out[4] = (uint8_t)(FLAG_OVERRIDE | (solicited ? FLAG_SOLICITED : 0u));
    memcpy(out + ICMP_HEADER, target->b, TARGET_BYTES);
    return finish(out, ICMP_HEADER + TARGET_BYTES, OPTION_TARGET_LINK_ADDRESS, mac, pseudo);
}

size_t ndp_write_router_solicitation(uint8_t *out, const struct mac_addr *mac, uint64_t pseudo)
{
    memset(out, 0, ICMP_HEADER);
    out[0] = TYPE_ROUTER_SOLICITATION;
    return finish(out, ICMP_HEADER, OPTION_SOURCE_LINK_ADDRESS, mac, pseudo);
}
