/*
 * Packets of attackers: IPv4 and TCP (RFC 791, RFC 9293 3.1) written and read by hand, beside the stack, with
 * right checksums. See bench_flood.h. Knows nothing of who sends what.
 */
#include "bench_flood.h"

#include "sim/bytes.h"

#include <string.h>

#define IP_HEADER  20u
#define TCP_HEADER 20u
#define PROTOCOL   6u

/* Of words as they lie in memory, in whatever order: the checksum does not mind (RFC 1071 2 (B)). */
static uint64_t add_words(const uint8_t *p, size_t length, uint64_t sum)
{
    for (; length >= 4; length -= 4, p += 4) {
        uint32_t word;
        memcpy(&word, p, sizeof word);
        sum += word;
    }
    uint32_t rest = 0;
    memcpy(&rest, p, length);
    return sum + rest;
}

static void put_checksum(uint8_t *at, uint64_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    uint16_t field = (uint16_t)~sum;
    memcpy(at, &field, sizeof field);
}

void flood_write_ip(uint8_t *to, uint32_t length, uint16_t id, uint16_t fragment, const uint32_t addresses[2])
{
    put16(to, 0x4500);
    put16(to + 2, length);
    put16(to + 4, id);
    put16(to + 6, fragment);
    put16(to + 8, 64u << 8 | PROTOCOL);
    put16(to + 10, 0);
    put32(to + 12, addresses[0]);
    put32(to + 16, addresses[1]);
    put_checksum(to + 10, add_words(to, IP_HEADER, 0));
}

uint32_t flood_write(const struct flood_segment *segment, uint8_t *to)
{
    uint8_t *tcp = to + IP_HEADER;
    uint32_t header = TCP_HEADER + segment->options_length;
    uint32_t length = header + segment->text_length;
    const uint32_t addresses[2] = {segment->source, segment->destination};
    flood_write_ip(to, IP_HEADER + length, 0, 0x4000, addresses);
    put16(tcp, segment->source_port);
    put16(tcp + 2, segment->destination_port);
    put32(tcp + 4, segment->seq);
    put32(tcp + 8, segment->ack);
    put16(tcp + 12, header / 4 << 12 | segment->flags);
    put16(tcp + 14, segment->wnd);
    put32(tcp + 16, 0);
    if (segment->options_length > 0) {
        memcpy(tcp + TCP_HEADER, segment->options, segment->options_length);
    }
    if (segment->text_length > 0) {
        memcpy(tcp + header, segment->text, segment->text_length);
    }
    uint8_t pseudo[4] = {0, PROTOCOL, (uint8_t)(length >> 8), (uint8_t)length};
    put_checksum(tcp + 16, add_words(tcp, length, add_words(to + 12, 8, add_words(pseudo, 4, 0))));
    return IP_HEADER + length;
}

bool flood_read(const uint8_t *packet, uint32_t length, struct flood_segment *segment)
{
    const uint8_t *tcp = packet + IP_HEADER;
    if (length < IP_HEADER + TCP_HEADER || packet[9] != PROTOCOL) {
        return false;
    }
    uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;
    *segment = (struct flood_segment){
        .source = get32(packet + 12),
        .destination = get32(packet + 16),
        .source_port = get16(tcp),
        .destination_port = get16(tcp + 2),
        .seq = get32(tcp + 4),
        .ack = get32(tcp + 8),
        .flags = tcp[13],
        .wnd = get16(tcp + 14),
        .options = tcp + TCP_HEADER,
        .options_length = header - TCP_HEADER,
        .text = tcp + header,
        .text_length = length - IP_HEADER - header,
    };
    return true;
}

void flood_cut(const uint8_t *packet, uint32_t length, uint8_t *parts[2], uint32_t lengths[2])
{
    const uint32_t addresses[2] = {get32(packet + 12), get32(packet + 16)};
    uint32_t first = (length - IP_HEADER) / 2 / 8 * 8;
    uint32_t rest = length - IP_HEADER - first;
    uint16_t id = (uint16_t)(get16(packet + IP_HEADER) ^ get16(packet + IP_HEADER + 6)); /* port, SEQ */
    memcpy(parts[0] + IP_HEADER, packet + IP_HEADER, first);
    memcpy(parts[1] + IP_HEADER, packet + IP_HEADER + first, rest);
    lengths[0] = IP_HEADER + first;
    lengths[1] = IP_HEADER + rest;
    flood_write_ip(parts[0], lengths[0], id, 0x2000, addresses);
    flood_write_ip(parts[1], lengths[1], id, (uint16_t)(first / 8), addresses);
}
