/* Packets to bytes and back: see wire.h. */
#include "wire.h"
#include "sim/bytes.h"

#include <string.h>

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER  20
#define ICMP_HEADER 8
#define HOP_LIMIT   64

/* RFC 9293 3.1, RFC 8200 8.1 */
static uint32_t pseudo_header(const struct wire *wire, size_t length)
{
    size_t skip = wire->ipv6 ? 0 : 12;
    uint32_t sum = sum_bytes(wire->source.ip + skip, 16 - skip, (uint32_t)wire->protocol);
    sum = sum_bytes(wire->destination.ip + skip, 16 - skip, sum);
    return sum + (uint32_t)(length >> 16) + (uint32_t)(length & 0xffff);
}

static unsigned transport_checksum(const struct wire *wire, const uint8_t *bytes, size_t length)
{
    uint32_t sum = wire->protocol == WIRE_ICMP ? 0 : pseudo_header(wire, length);
    return ~sum_bytes(bytes, length, (sum & 0xffff) + (sum >> 16)) & 0xffff;
}

/* -------------------------------------------------------------------------------------------- TCP options */

static size_t write_sack(const struct tcp_option_text *option, uint8_t *out)
{
    out[1] = (uint8_t)(2 + 8 * option->blocks);
    for (unsigned i = 0; i < option->blocks; i++) {
        put32(out + 2 + 8 * i, option->sack[i][0]);
        put32(out + 6 + 8 * i, option->sack[i][1]);
    }
    return out[1];
}

static size_t write_bytes(const struct tcp_option_text *option, uint8_t *out, size_t before)
{
    out[1] = (uint8_t)(2 + before + option->length);
    memcpy(out + 2 + before, option->bytes, option->length);
    return out[1];
}

/* Up to 2 + 64 bytes. */
static size_t write_option(const struct tcp_option_text *option, uint8_t *out)
{
    static const uint8_t numbers[] = {
        [SCRIPT_OPTION_NOP] = 1,
        [SCRIPT_OPTION_MSS] = 2,
        [SCRIPT_OPTION_WSCALE] = 3,
        [SCRIPT_OPTION_SACK_OK] = 4,
        [SCRIPT_OPTION_SACK] = 5,
        [SCRIPT_OPTION_TIMESTAMPS] = 8,
        [SCRIPT_OPTION_MD5] = 19,
        [SCRIPT_OPTION_FAST_OPEN] = 34,
        [SCRIPT_OPTION_FAST_OPEN_EXPERIMENT] = 254,
    };
    out[0] = option->kind == SCRIPT_OPTION_OTHER ? option->number : numbers[option->kind];
    switch (option->kind) {
    case SCRIPT_OPTION_END:
    case SCRIPT_OPTION_NOP: return 1;
    case SCRIPT_OPTION_MSS:
        out[1] = 4;
        put16(out + 2, option->value);
        return 4;
    case SCRIPT_OPTION_WSCALE:
        out[1] = 3;
        out[2] = (uint8_t)option->value;
        return 3;
    case SCRIPT_OPTION_SACK_OK: out[1] = 2; return 2;
    case SCRIPT_OPTION_SACK: return write_sack(option, out);
    case SCRIPT_OPTION_TIMESTAMPS:
        out[1] = 10;
        put32(out + 2, option->value);
        put32(out + 6, option->echo);
        return 10;
    case SCRIPT_OPTION_FAST_OPEN_EXPERIMENT: put16(out + 2, 0xf989); return write_bytes(option, out, 2);
    case SCRIPT_OPTION_FAST_OPEN:
    case SCRIPT_OPTION_MD5:
    case SCRIPT_OPTION_OTHER: return write_bytes(option, out, 0);
    }
    return 0;
}

/* Padded with zeros to four bytes. SIZE_MAX = more than 40 bytes. */
static size_t write_options(const struct packet *packet, uint8_t out[40])
{
    uint8_t one[80];
    size_t length = 0;
    for (unsigned i = 0; i < packet->option_count; i++) {
        size_t added = write_option(&packet->options[i], one);
        if (length + added > 40) {
            return SIZE_MAX;
        }
        memcpy(out + length, one, added);
        length += added;
    }
    while (length % 4 != 0) {
        out[length++] = 0;
    }
    return length;
}

static void read_option_text(struct tcp_option_text *option, const uint8_t *bytes, unsigned length)
{
    option->number = bytes[0];
    option->kind = SCRIPT_OPTION_OTHER;
    option->length = length - 2;
    memcpy(option->bytes, bytes + 2, length - 2);
    if (bytes[0] == 2 && length == 4) {
        option->kind = SCRIPT_OPTION_MSS;
        option->value = get16(bytes + 2);
    } else if (bytes[0] == 3 && length == 3) {
        option->kind = SCRIPT_OPTION_WSCALE;
        option->value = bytes[2];
    } else if (bytes[0] == 4 && length == 2) {
        option->kind = SCRIPT_OPTION_SACK_OK;
    } else if (bytes[0] == 5 && length >= 10 && length % 8 == 2) {
        option->kind = SCRIPT_OPTION_SACK;
        option->blocks = (length - 2) / 8;
        for (unsigned i = 0; i < option->blocks; i++) {
            option->sack[i][0] = get32(bytes + 2 + 8 * i);
            option->sack[i][1] = get32(bytes + 6 + 8 * i);
        }
    } else if (bytes[0] == 8 && length == 10) {
        option->kind = SCRIPT_OPTION_TIMESTAMPS;
        option->value = get32(bytes + 2);
        option->echo = get32(bytes + 6);
    } else if (bytes[0] == 34) {
        option->kind = SCRIPT_OPTION_FAST_OPEN;
    } else if (bytes[0] == 19) {
        option->kind = SCRIPT_OPTION_MD5;
    }
    bool spelled = option->kind < SCRIPT_OPTION_FAST_OPEN;
    option->length = spelled ? 0 : option->length;
}

static const char *read_options(struct packet *packet, const uint8_t *bytes, unsigned length)
{
    for (unsigned at = 0; at < length;) {
        if (packet->option_count == sizeof packet->options / sizeof packet->options[0]) {
            return "more TCP options than can be shown";
        }
        struct tcp_option_text *option = &packet->options[packet->option_count++];
        unsigned size = 1;
        if (bytes[at] < 2) {
            option->kind = bytes[at] == 0 ? SCRIPT_OPTION_END : SCRIPT_OPTION_NOP;
        } else if (at + 1 >= length || bytes[at + 1] < 2 || at + bytes[at + 1] > length) {
            return "a TCP option runs past the header";
        } else {
            size = bytes[at + 1];
            read_option_text(option, bytes + at, size);
        }
        at += size;
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ reading */

static const char *read_tcp(struct wire *wire, const uint8_t *bytes, size_t length)
{
    struct packet *packet = &wire->packet;
    unsigned header = length >= TCP_HEADER ? (unsigned)(bytes[12] >> 4) * 4 : 0;
    if (header < TCP_HEADER || header > length) {
        return "broken TCP header";
    }
    wire->source.port = (uint16_t)get16(bytes);
    wire->destination.port = (uint16_t)get16(bytes + 2);
    packet->flags = (uint16_t)(get16(bytes + 12) & 0x1ff);
    packet->seq = get32(bytes + 4);
    packet->ack = get32(bytes + 8);
    packet->has_ack = (packet->flags & 0x10) != 0;
    packet->window = get16(bytes + 14);
    packet->has_window = true;
    packet->urgent = (uint16_t)get16(bytes + 18);
    packet->has_urgent = (packet->flags & 0x20) != 0;
    packet->length = (uint32_t)(length - header);
    packet->seq_end = packet->seq + packet->length;
    for (size_t i = length; i-- > header;) {
        wire->not_zero = bytes[i] != 0 ? (int64_t)(i - header) : wire->not_zero;
    }
    const char *broken = read_options(packet, bytes + TCP_HEADER, header - TCP_HEADER);
    if (broken == NULL && (get16(bytes + 12) & 0xe00) != 0) {
        broken = "reserved bits are set";
    }
    return broken == NULL && transport_checksum(wire, bytes, length) != 0 ? "wrong TCP checksum" : broken;
}

static const char *read_icmp(struct wire *wire, const uint8_t *bytes, size_t length)
{
    if (length < ICMP_HEADER) {
        return "broken ICMP header";
    }
    wire->packet.icmp = true;
    wire->packet.icmp_number = bytes[0];
    wire->packet.icmp_code = bytes[1];
    const char *name = script_icmp_name(wire->ipv6, bytes[0], bytes[1], &wire->packet.icmp_code_name);
    wire->packet.icmp_type = name != NULL ? name : "unknown";
    wire->packet.icmp_mtu = get32(bytes + 4);
    return transport_checksum(wire, bytes, length) != 0 ? "wrong ICMP checksum" : NULL;
}

static const char *read_transport(struct wire *wire, const uint8_t *bytes, size_t length)
{
    if (wire->protocol == WIRE_TCP) {
        return read_tcp(wire, bytes, length);
    }
    return wire->protocol == WIRE_ICMP || wire->protocol == WIRE_ICMPV6 ? read_icmp(wire, bytes, length)
                                                                        : NULL;
}

static void set_tos(struct packet *packet, unsigned tos)
{
    static const enum script_ecn ecn[] = {ECN_NONE, ECN_ECT1, ECN_ECT0, ECN_CE};
    packet->tos = (int)tos;
    packet->ecn = ecn[tos & 3];
}

static const char *read_ipv4(struct wire *wire, const uint8_t *bytes, size_t length)
{
    unsigned header = (unsigned)(bytes[0] & 15) * 4;
    if (length < IPV4_HEADER || header < IPV4_HEADER || get16(bytes + 2) != length || header > length) {
        return "broken IPv4 header";
    }
    wire->source = estab_addr_ipv4(bytes[12], bytes[13], bytes[14], bytes[15], 0);
    wire->destination = estab_addr_ipv4(bytes[16], bytes[17], bytes[18], bytes[19], 0);
    wire->protocol = bytes[9];
    wire->packet.ttl = bytes[8];
    set_tos(&wire->packet, bytes[1]);
    if (sum_bytes(bytes, header, 0) != 0xffff) {
        return "wrong IPv4 checksum";
    }
    return read_transport(wire, bytes + header, length - header);
}

static const char *read_ipv6(struct wire *wire, const uint8_t *bytes, size_t length)
{
    if (length < IPV6_HEADER || get16(bytes + 4) + (size_t)IPV6_HEADER != length) {
        return "broken IPv6 header";
    }
    memcpy(wire->source.ip, bytes + 8, 16);
    memcpy(wire->destination.ip, bytes + 24, 16);
    wire->ipv6 = true;
    wire->protocol = bytes[6];
    wire->packet.ttl = bytes[7];
    wire->packet.flow_label = get32(bytes) & 0xfffff;
    set_tos(&wire->packet, get32(bytes) >> 20 & 0xff);
    return read_transport(wire, bytes + IPV6_HEADER, length - IPV6_HEADER);
}

void wire_read(struct wire *wire, const uint8_t *bytes, size_t length)
{
    *wire = (struct wire){.not_zero = -1, .packet = {.tos = -1, .ttl = -1, .flow_label = -1, .icmp_mtu = -1}};
    wire->broken = length > 0 && bytes[0] >> 4 == 6 ? read_ipv6(wire, bytes, length)
                   : length > 0                     ? read_ipv4(wire, bytes, length)
                                                    : "empty packet";
}

/* ------------------------------------------------------------------------------------------------ writing */

static unsigned tos_of(const struct packet *packet)
{
    static const uint8_t bits[] = {[ECN_ECT0] = 2, [ECN_ECT1] = 1, [ECN_CE] = 3, [ECN_ECT01] = 2};
    return packet->tos >= 0 ? (unsigned)packet->tos : bits[packet->ecn];
}

/* The headers in front of `length` bytes; returns their length. */
static size_t write_ip(const struct wire *wire, uint8_t *out, size_t length, const struct packet *packet)
{
    uint8_t hops = packet->ttl >= 0 ? (uint8_t)packet->ttl : HOP_LIMIT;
    if (wire->ipv6) {
        uint32_t label = packet->flow_label >= 0 ? (uint32_t)packet->flow_label : 0;
        put32(out, 6U << 28 | tos_of(packet) << 20 | label);
        put16(out + 4, (unsigned)length);
        out[6] = wire->protocol;
        out[7] = hops;
        memcpy(out + 8, wire->source.ip, 16);
        memcpy(out + 24, wire->destination.ip, 16);
        return IPV6_HEADER;
    }
    memset(out, 0, IPV4_HEADER);
    out[0] = 0x45;
    out[1] = (uint8_t)tos_of(packet);
    put16(out + 2, (unsigned)length + IPV4_HEADER);
    put16(out + 6, 0x4000);
    out[8] = hops;
    out[9] = wire->protocol;
    memcpy(out + 12, wire->source.ip + 12, 4);
    memcpy(out + 16, wire->destination.ip + 12, 4);
    put16(out + 10, ~sum_bytes(out, IPV4_HEADER, 0) & 0xffff);
    return IPV4_HEADER;
}

static size_t write_tcp(const struct wire *wire, uint8_t *out)
{
    const struct packet *packet = &wire->packet;
    uint8_t options[44];
    size_t extra = write_options(packet, options);
    if (extra == SIZE_MAX) {
        return 0;
    }
    put16(out, wire->source.port);
    put16(out + 2, wire->destination.port);
    put32(out + 4, packet->seq);
    put32(out + 8, packet->has_ack ? packet->ack : 0);
    put16(out + 12, (unsigned)(TCP_HEADER + extra) / 4 << 12 | (packet->flags & 0x1ffU));
    put16(out + 14, (unsigned)packet->window & 0xffff);
    put16(out + 16, 0);
    put16(out + 18, packet->urgent);
    memcpy(out + TCP_HEADER, options, extra);
    memset(out + TCP_HEADER + extra, 0, packet->length);
    size_t length = TCP_HEADER + extra + packet->length;
    put16(out + 16, transport_checksum(wire, out, length));
    return length;
}

/* An ICMP error with the headers of the segment it is about, as far as RFC 792 has them quoted at least. */
static size_t write_icmp(const struct wire *wire, uint8_t *out)
{
    const struct packet *packet = &wire->packet;
    static const struct packet plain = {.ttl = -1, .tos = -1, .flow_label = -1};
    struct wire quoted = {.ipv6 = wire->ipv6, .source = wire->destination, .destination = wire->source};
    quoted.protocol = packet->quoted_protocol != 0 ? packet->quoted_protocol : WIRE_TCP;
    memset(out, 0, ICMP_HEADER);
    out[0] = packet->icmp_number;
    out[1] = packet->icmp_code;
    put32(out + 4, packet->icmp_mtu >= 0 ? (uint32_t)packet->icmp_mtu : 0);
    uint8_t *at = out + ICMP_HEADER;
    at += write_ip(&quoted, at, TCP_HEADER + (size_t)packet->length, &plain);
    memset(at, 0, TCP_HEADER);
    put16(at, wire->destination.port);
    put16(at + 2, wire->source.port);
    put32(at + 4, packet->seq);
    if (quoted.protocol == WIRE_TCP) {
        at[12] = TCP_HEADER / 4 << 4;
        at[13] = 0x10;
    }
    size_t length = (size_t)(at - out) + TCP_HEADER;
    put16(out + 2, transport_checksum(wire, out, length));
    return length;
}

size_t wire_write(const struct wire *wire, uint8_t *bytes)
{
    size_t header = wire->ipv6 ? IPV6_HEADER : IPV4_HEADER;
    if (!wire->packet.icmp && wire->packet.length > 65535 - header - TCP_HEADER - 40) {
        return 0;
    }
    size_t length = wire->packet.icmp ? write_icmp(wire, bytes + header) : write_tcp(wire, bytes + header);
    return length == 0 ? 0 : write_ip(wire, bytes, length, &wire->packet) + length;
}
