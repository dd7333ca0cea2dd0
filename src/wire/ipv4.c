/*
 * IPv4 headers (RFC 791, RFC 1122 3.2.1). Parsing compares 20 <= IHL * 4 <= total length <= bytes that
 * arrived before anything else is read (V-01), then the header checksum, then walks the options within the
 * header (V-05). Options are ignored but for the two source routes, which are refused (RFC 7126 4.3, 4.4).
 * Written headers have none.
 *
 * This file must not know our addresses, reassembly, or what the payload is.
 */
#include "wire/ip_header.h"

#include "base/assert.h"
#include "wire/checksum.h"

#define FLAG_DONT_FRAGMENT  0x4000u
#define FLAG_MORE_FRAGMENTS 0x2000u
#define OFFSET_MASK         0x1fffu
#define MAX_DATAGRAM        65535u

#define OPTION_END                 0u
#define OPTION_NOP                 1u
#define OPTION_LOOSE_SOURCE_ROUTE  131u
#define OPTION_STRICT_SOURCE_ROUTE 137u

static uint64_t header_sum(const uint8_t *header, uint32_t length)
{
    if (length != IPV4_HEADER) {
        return checksum_sum(header, length);
    }
    uint64_t words[2];
    uint32_t last;
    memcpy(words, header, sizeof words);
    memcpy(&last, header + sizeof words, sizeof last);
    return checksum_halves(checksum_add_word(words[0], words[1])) + last;
}

static enum ip_verdict check_options(const uint8_t *options, uint32_t length)
{
    uint32_t at = 0;
    while (at < length && options[at] != OPTION_END) {
        uint8_t kind = options[at];
        if (kind == OPTION_NOP) {
            at++;
            continue;
        }
        if (length - at < 2 || options[at + 1] < 2 || options[at + 1] > length - at) {
            return IP_BAD_OPTION;
        }
        if (kind == OPTION_LOOSE_SOURCE_ROUTE || kind == OPTION_STRICT_SOURCE_ROUTE) {
            return IP_SOURCE_ROUTED;
        }
        at += options[at + 1]; /* MUST-50 */
    }
    return IP_OK;
}

/*
 * Version and lengths; the total length is compared with what arrived by the caller, who knows whether it may
 * be cut short.
 */
static enum ip_verdict check_lengths(const uint8_t *data, size_t length)
{
    if (length == 0) {
        return IP_TRUNCATED;
    }
    if (data[0] >> 4 != 4) {
        return IP_BAD_VERSION;
    }
    if (length < IPV4_HEADER) {
        return IP_TRUNCATED;
    }
    uint32_t header = (data[0] & 0x0fu) * 4u;
    if (header < IPV4_HEADER || get_be16(data + 2) < header) {
        return IP_BAD_LENGTH;
    }
    return header > length ? IP_TRUNCATED : IP_OK;
}

/* Everything but the payload's length; lengths have been checked. */
static void read_fields(const uint8_t *data, struct ip_datagram *datagram)
{
    uint32_t fragment = get_be16(data + 6);
    uint8_t header = (uint8_t)((data[0] & 0x0fu) * 4u);
    ip_addr_set_v4(&datagram->source, data + 12);
    ip_addr_set_v4(&datagram->destination, data + 16);
    datagram->payload = data + header;
    datagram->flow_label = 0;
    datagram->id = get_be16(data + 4);
    datagram->fragment_offset = (fragment & OFFSET_MASK) * 8u;
    datagram->protocol = data[9];
    datagram->hop_limit = data[8];
    datagram->traffic_class = data[1];
    datagram->header_length = header;
    datagram->more_fragments = (fragment & FLAG_MORE_FRAGMENTS) != 0;
    datagram->is_fragment = (fragment & (FLAG_MORE_FRAGMENTS | OFFSET_MASK)) != 0;
    datagram->is_v6 = false;
}

enum ip_verdict ipv4_parse(const uint8_t *data, size_t length, struct ip_datagram *datagram)
{
    enum ip_verdict verdict = check_lengths(data, length);
    if (verdict != IP_OK) {
        return verdict;
    }
    uint32_t total = get_be16(data + 2);
    if (total > length) {
        return IP_TRUNCATED;
    }
    read_fields(data, datagram);
    datagram->length = total - datagram->header_length;
    if (!checksum_ok(header_sum(data, datagram->header_length))) {
        return IP_BAD_CHECKSUM;
    }
    /* The last byte of a reassembled datagram has a place below 65536 (V-07). */
    if (datagram->fragment_offset + total > MAX_DATAGRAM) {
        return IP_BAD_LENGTH;
    }
    return datagram->header_length == IPV4_HEADER
               ? IP_OK
               : check_options(data + IPV4_HEADER, datagram->header_length - IPV4_HEADER);
}

enum ip_verdict ipv4_parse_quoted(const uint8_t *data, size_t length, struct ip_datagram *datagram)
{
    enum ip_verdict verdict = check_lengths(data, length);
    if (verdict != IP_OK) {
        return verdict;
    }
    read_fields(data, datagram);
    size_t total = get_be16(data + 2);
    size_t arrived = length < total ? length : total;
    datagram->length = (uint32_t)(arrived - datagram->header_length);
    return check_options(data + IPV4_HEADER, datagram->header_length - IPV4_HEADER);
}

static inline void write_header(uint8_t *out, const struct ip_header_fields *fields, uint32_t id,
                                uint32_t fragment)
{
    ESTAB_ASSERT(fields->payload_length <= MAX_DATAGRAM - IPV4_HEADER);
    uint32_t source = get_be32(fields->source.b + 12);
    uint32_t destination = get_be32(fields->destination.b + 12);
    uint32_t version_and_class = 0x4500u | fields->traffic_class;
    uint32_t length = IPV4_HEADER + fields->payload_length;
    uint32_t hops_and_protocol = (uint32_t)fields->hop_limit << 8 | fields->protocol;
    /* Summed from the values: reading back what has just been written would wait for the stores. */
    uint64_t sum = (uint64_t)source + destination + version_and_class + length;
    sum += id + fragment + hops_and_protocol;
    put_be32(out, version_and_class << 16 | length);
    put_be32(out + 4, id << 16 | fragment);
    put_be32(out + 8, hops_and_protocol << 16 | (0xffffu - checksum_fold(sum)));
    put_be32(out + 12, source);
    put_be32(out + 16, destination);
}

void ipv4_write(uint8_t *out, const struct ip_header_fields *fields)
{
    write_header(out, fields, fields->id, fields->dont_fragment ? FLAG_DONT_FRAGMENT : 0u);
}

void ipv4_write_whole(uint8_t *out, const struct ip_header_fields *fields)
{
    write_header(out, fields, 0, FLAG_DONT_FRAGMENT); /* R7323-40 */
}
