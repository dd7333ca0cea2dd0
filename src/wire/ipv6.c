/*
 * IPv6 headers and the chain of extension headers (RFC 8200, RFC 5095, RFC 6946). The chain is walked once,
 * each header checked against the bytes that are left, and no further than IPV6_MAX_EXTENSIONS headers and
 * IPV6_MAX_EXTENSION_BYTES bytes (V-06). Hop-by-hop options stand first or not at all (RFC 8200 4.1), a
 * fragment header at most once: what is inside a reassembled datagram is never a fragment again, so that
 * parsing cannot be made to start over.
 *
 * This file must not know our addresses, reassembly or ICMP: that some of these errors deserve an answer (RFC
 * 8200 4.2) is ip/'s to know.
 */
#include "wire/ip_header.h"

#include "base/assert.h"

#define NEXT_HOP_BY_HOP          0u
#define NEXT_ROUTING             43u
#define NEXT_FRAGMENT            44u
#define NEXT_NONE                59u
#define NEXT_DESTINATION_OPTIONS 60u

#define FRAGMENT_HEADER 8u
#define OPTION_PAD1     0u
#define MAX_PAYLOAD     65535u

/* How far the walk along the chain has come. */
struct chain {
    uint32_t headers;
    uint32_t bytes;
    bool fragment_seen; /* in this packet, or in those that it was put together from */
};

/*
 * Options of a hop-by-hop or destination options header; we know none but padding, so the two highest bits of
 * the type decide (4.2).
 */
static enum ip_verdict check_options(const uint8_t *options, uint32_t length)
{
    uint32_t at = 0;
    while (at < length) {
        if (options[at] == OPTION_PAD1) {
            at++;
            continue;
        }
        if (length - at < 2 || options[at + 1] > length - at - 2) {
            return IP_BAD_OPTION;
        }
        if ((options[at] & 0xc0) != 0) {
            return IP_BAD_EXTENSION;
        }
        at += 2u + options[at + 1];
    }
    return IP_OK;
}

/*
 * A route that has been travelled to its end is skipped, whatever its type (4.4); one that would send the
 * packet on is refused.
 */
static enum ip_verdict check_routing(const uint8_t *header)
{
    uint8_t type = header[2];
    uint8_t segments_left = header[3];
    if (segments_left == 0) {
        return IP_OK;
    }
    return type == 0 ? IP_SOURCE_ROUTED : IP_BAD_EXTENSION;
}

/* Takes `length` bytes of header off the payload, if they are there and the chain may still have them. */
static enum ip_verdict chain_take(struct chain *chain, struct ip_datagram *datagram, uint32_t length)
{
    chain->headers++;
    chain->bytes += length;
    if (chain->headers > IPV6_MAX_EXTENSIONS || chain->bytes > IPV6_MAX_EXTENSION_BYTES) {
        return IP_BAD_EXTENSION;
    }
    if (length > datagram->length) {
        return IP_TRUNCATED;
    }
    datagram->protocol = datagram->payload[0];
    datagram->payload += length;
    datagram->length -= length;
    return IP_OK;
}

static enum ip_verdict skip_fragment_header(struct chain *chain, struct ip_datagram *datagram)
{
    const uint8_t *header = datagram->payload;
    if (chain->fragment_seen) {
        return IP_BAD_EXTENSION;
    }
    chain->fragment_seen = true;
    enum ip_verdict verdict = chain_take(chain, datagram, FRAGMENT_HEADER);
    if (verdict != IP_OK) {
        return verdict;
    }
    uint32_t fragment = get_be16(header + 2);
    datagram->fragment_offset = fragment & 0xfff8u;
    datagram->more_fragments = (fragment & 1) != 0;
    datagram->id = get_be32(header + 4);
    /*
     * Offset 0 and no more to come is a whole datagram, not to be mixed with fragments of the same id (RFC
     * 6946 4).
     */
    datagram->is_fragment = datagram->fragment_offset != 0 || datagram->more_fragments;
    return datagram->fragment_offset + datagram->length > MAX_PAYLOAD ? IP_BAD_LENGTH : IP_OK;
}

static enum ip_verdict skip_sized_header(struct chain *chain, struct ip_datagram *datagram)
{
    const uint8_t *header = datagram->payload;
    uint8_t kind = datagram->protocol;
    if (datagram->length < 2) {
        return IP_TRUNCATED;
    }
    uint32_t length = (header[1] + 1u) * 8u;
    enum ip_verdict verdict = chain_take(chain, datagram, length);
    if (verdict != IP_OK) {
        return verdict;
    }
    return kind == NEXT_ROUTING ? check_routing(header) : check_options(header + 2, length - 2);
}

static enum ip_verdict skip_chain(struct chain *chain, struct ip_datagram *datagram)
{
    enum ip_verdict verdict = IP_OK;
    while (verdict == IP_OK && !datagram->is_fragment) {
        switch (datagram->protocol) {
        case NEXT_HOP_BY_HOP:
            if (chain->headers > 0 || chain->fragment_seen) {
                return IP_BAD_EXTENSION;
            }
            verdict = skip_sized_header(chain, datagram);
            break;
        case NEXT_ROUTING:
        case NEXT_DESTINATION_OPTIONS: verdict = skip_sized_header(chain, datagram); break;
        case NEXT_FRAGMENT: verdict = skip_fragment_header(chain, datagram); break;
        case NEXT_NONE: return IP_NO_NEXT_HEADER;
        default: return IP_OK;
        }
    }
    return verdict;
}

enum ip_verdict ipv6_skip_extensions(struct ip_datagram *datagram)
{
    struct chain chain = {.fragment_seen = true};
    datagram->is_fragment = false;
    datagram->more_fragments = false;
    datagram->fragment_offset = 0;
    return skip_chain(&chain, datagram);
}

/* The fixed header; the payload's length is left to the caller, who knows whether it may be cut short. */
static enum ip_verdict read_fixed(const uint8_t *data, size_t length, struct ip_datagram *datagram)
{
    if (length == 0) {
        return IP_TRUNCATED;
    }
    if (data[0] >> 4 != 6) {
        return IP_BAD_VERSION;
    }
    if (length < IPV6_HEADER) {
        return IP_TRUNCATED;
    }
    uint32_t first = get_be32(data);
    *datagram = (struct ip_datagram){
        .source = ip_addr_v6(data + 8),
        .destination = ip_addr_v6(data + 24),
        .payload = data + IPV6_HEADER,
        .flow_label = first & 0xfffff,
        .protocol = data[6],
        .hop_limit = data[7],
        .traffic_class = (uint8_t)(first >> 20),
        .is_v6 = true,
    };
    /*
     * A mapped address means IPv4 everywhere above; on the wire it could only be used to pass for somebody
     * (RFC 4942 2.2).
     */
    if (ip_addr_is_v4(&datagram->source) || ip_addr_is_v4(&datagram->destination)) {
        return IP_BAD_VERSION;
    }
    return IP_OK;
}

enum ip_verdict ipv6_parse(const uint8_t *data, size_t length, struct ip_datagram *datagram)
{
    enum ip_verdict verdict = read_fixed(data, length, datagram);
    if (verdict != IP_OK) {
        return verdict;
    }
    datagram->length = get_be16(data + 4);
    if (datagram->length > length - IPV6_HEADER) {
        return IP_TRUNCATED;
    }
    struct chain chain = {.fragment_seen = false};
    return skip_chain(&chain, datagram);
}

enum ip_verdict ipv6_parse_quoted(const uint8_t *data, size_t length, struct ip_datagram *datagram)
{
    enum ip_verdict verdict = read_fixed(data, length, datagram);
    if (verdict != IP_OK) {
        return verdict;
    }
    size_t claimed = get_be16(data + 4);
    size_t arrived = length - IPV6_HEADER;
    datagram->length = (uint32_t)(arrived < claimed ? arrived : claimed);
    struct chain chain = {.fragment_seen = false};
    return skip_chain(&chain, datagram);
}

void ipv6_write(uint8_t *out, const struct ip_header_fields *fields)
{
    ESTAB_ASSERT(fields->payload_length <= MAX_PAYLOAD);
    put_be32(out, 6u << 28 | (uint32_t)fields->traffic_class << 20 | (fields->flow_label & 0xfffff));
    put_be16(out + 4, fields->payload_length);
    out[6] = fields->protocol;
    out[7] = fields->hop_limit;
    memcpy(out + 8, fields->source.b, 16);
    memcpy(out + 24, fields->destination.b, 16);
}
