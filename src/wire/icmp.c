/*
 * ICMP (RFC 792, RFC 1191) and ICMPv6 (RFC 4443) messages: the eight bytes that all have, their checksum, and
 * what an error message quotes. The quote is parsed as far as it arrived and gives no more than RFC 792
 * promises: the IP header and eight bytes of TCP (V-09).
 *
 * This file must not know connections. Whether a quoted sequence number is in flight, and what an error may
 * do then (RFC 5927), is for tcp/ to decide; whether an error may be answered at all is for ip/.
 */
#include "wire/icmp.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "wire/checksum.h"

#define ICMP_TYPE_ECHO_REPLY   0u
#define ICMPV6_TYPE_ECHO_REPLY 129u
#define QUOTED_TCP_BYTES       8u

static enum icmp_kind unreachable_kind_v4(uint8_t code)
{
    static const uint8_t kinds[] = {
        [0] = ICMP_NET_UNREACHABLE,   [1] = ICMP_HOST_UNREACHABLE, [2] = ICMP_PROTOCOL_UNREACHABLE,
        [3] = ICMP_PORT_UNREACHABLE,  [4] = ICMP_PACKET_TOO_BIG,   [5] = ICMP_HOST_UNREACHABLE,
        [6] = ICMP_HOST_UNREACHABLE,  [7] = ICMP_HOST_UNREACHABLE, [8] = ICMP_HOST_UNREACHABLE,
        [9] = ICMP_PROHIBITED,        [10] = ICMP_PROHIBITED,      [11] = ICMP_HOST_UNREACHABLE,
        [12] = ICMP_HOST_UNREACHABLE, [13] = ICMP_PROHIBITED,
    };
    return code < sizeof kinds ? (enum icmp_kind)kinds[code] : ICMP_OTHER;
}

static enum icmp_kind unreachable_kind_v6(uint8_t code)
{
    static const uint8_t kinds[] = {
        [0] = ICMP_NET_UNREACHABLE,  [1] = ICMP_PROHIBITED,       [2] = ICMP_HOST_UNREACHABLE,
        [3] = ICMP_HOST_UNREACHABLE, [4] = ICMP_PORT_UNREACHABLE, [5] = ICMP_PROHIBITED,
        [6] = ICMP_PROHIBITED,
    };
    return code < sizeof kinds ? (enum icmp_kind)kinds[code] : ICMP_OTHER;
}

static enum icmp_kind parameter_kind_v6(uint8_t code)
{
    static const uint8_t kinds[] = {
        [0] = ICMP_PARAMETER_PROBLEM,
        [1] = ICMP_PROTOCOL_UNREACHABLE,
        [2] = ICMP_PARAMETER_PROBLEM,
    };
    return code < sizeof kinds ? (enum icmp_kind)kinds[code] : ICMP_OTHER;
}

static enum icmp_kind kind_v4(uint8_t type, uint8_t code)
{
    switch (type) {
    case 0: return ICMP_ECHO_REPLY;
    case 3: return unreachable_kind_v4(code);
    case 4: return ICMP_SOURCE_QUENCH;
    case 5: return ICMP_REDIRECT;
    case 8: return ICMP_ECHO_REQUEST;
    case 11: return ICMP_TIME_EXCEEDED;
    case 12: return ICMP_PARAMETER_PROBLEM;
    default: return ICMP_OTHER;
    }
}

static enum icmp_kind kind_v6(uint8_t type, uint8_t code)
{
    switch (type) {
    case 1: return unreachable_kind_v6(code);
    case 2: return ICMP_PACKET_TOO_BIG; /* whatever the code says (RFC 4443 3.2) */
    case 3: return ICMP_TIME_EXCEEDED;
    case 4: return parameter_kind_v6(code);
    case 128: return ICMP_ECHO_REQUEST;
    case 129: return ICMP_ECHO_REPLY;
    case 133: /* neighbour discovery has code 0 or is not valid (RFC 4861 6.1, 7.1, 8.1) */
        return code == 0 ? NDP_ROUTER_SOLICITATION : ICMP_OTHER;
    case 134: return code == 0 ? NDP_ROUTER_ADVERTISEMENT : ICMP_OTHER;
    case 135: return code == 0 ? NDP_NEIGHBOUR_SOLICITATION : ICMP_OTHER;
    case 136: return code == 0 ? NDP_NEIGHBOUR_ADVERTISEMENT : ICMP_OTHER;
    case 137: return code == 0 ? ICMP_REDIRECT : ICMP_OTHER;
    default: return ICMP_OTHER;
    }
}

bool icmp_parse(const struct ip_datagram *datagram, struct icmp_message *message)
{
    const uint8_t *data = datagram->payload;
    if (datagram->length < ICMP_HEADER) {
        return false;
    }
    uint64_t sum = checksum_sum(data, datagram->length);
    if (datagram->is_v6) {
        sum += checksum_pseudo(&datagram->source, &datagram->destination, IP_PROTOCOL_ICMPV6);
        sum += checksum_length(datagram->length);
    }
    if (!checksum_ok(sum)) {
        return false;
    }
    message->type = data[0];
    message->code = data[1];
    message->kind = datagram->is_v6 ? kind_v6(data[0], data[1]) : kind_v4(data[0], data[1]);
    message->mtu = 0;
    if (message->kind == ICMP_PACKET_TOO_BIG) {
        message->mtu = datagram->is_v6 ? get_be32(data + 4) : get_be16(data + 6);
    }
    memcpy(message->rest, data + 4, 4);
    message->body = data + ICMP_HEADER;
    message->body_length = datagram->length - ICMP_HEADER;
    return true;
}

void icmp_echo_reply_write(uint8_t *out, const struct icmp_message *message, bool v6, uint64_t pseudo)
{
    out[0] = v6 ? ICMPV6_TYPE_ECHO_REPLY : ICMP_TYPE_ECHO_REPLY;
    out[1] = 0;
    out[2] = 0;
    out[3] = 0;
    memcpy(out + 4, message->rest, 4);
    uint64_t sum = checksum_sum(out, ICMP_HEADER);
    sum += checksum_copy(out + ICMP_HEADER, message->body, message->body_length);
    if (v6) {
        sum += pseudo + checksum_length((uint32_t)(ICMP_HEADER + message->body_length));
    }
    checksum_put(out + 2, sum);
}

bool icmp_parse_quote(const struct icmp_message *message, bool v6, struct icmp_quote *quote)
{
    struct ip_datagram *datagram = &quote->datagram;
    enum ip_verdict verdict = v6 ? ipv6_parse_quoted(message->body, message->body_length, datagram)
                                 : ipv4_parse_quoted(message->body, message->body_length, datagram);
    if (verdict != IP_OK || datagram->protocol != IP_PROTOCOL_TCP) {
        return false;
    }
    /* Of a fragment that is not the first the payload is no TCP header. */
    if (datagram->fragment_offset != 0 || datagram->length < QUOTED_TCP_BYTES) {
        return false;
    }
    quote->source_port = get_be16(datagram->payload);
    quote->destination_port = get_be16(datagram->payload + 2);
    quote->seq = get_be32(datagram->payload + 4);
    return true;
}
