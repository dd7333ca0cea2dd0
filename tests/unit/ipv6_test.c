/*
 * Tests of wire/ipv6: round trips, each extension header, and the grids of V-01 and V-06. Every packet lies
 * in a heap block of its exact length, so that a sanitizer sees the first byte read beyond it.
 * What must be accepted is computed here from the lengths that the packet was built with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/ip_header.h"
#include "wire/tcp_header.h"

#define HOP_BY_HOP  0u
#define ROUTING     43u
#define FRAGMENT    44u
#define NONE        59u
#define DESTINATION 60u

static volatile uint32_t bytes_seen;

/*
 * A packet under construction: extension headers are appended, then finish() adds text and the payload
 * length.
 */
static uint8_t packet[4096];
static size_t packet_length;
static uint8_t *next_header;

static const struct ip_header_fields fields = {
    .source = {{0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}},
    .destination = {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
    .payload_length = 24,
    .flow_label = 0xfedcb,
    .protocol = IP_PROTOCOL_TCP,
    .hop_limit = 255,
    .traffic_class = 0xb9,
};

static void start(void)
{
    memset(packet, 0, sizeof packet);
    ipv6_write(packet, &fields);
    packet_length = IPV6_HEADER;
    next_header = packet + 6;
}

/* Appends `length` zero bytes of header (which as options are Pad1) and says so in the one before. */
static uint8_t *extend(uint8_t kind, size_t length)
{
    uint8_t *header = packet + packet_length;
    assert_true(packet_length + length <= sizeof packet);
    *next_header = kind;
    next_header = header;
    header[1] = kind == FRAGMENT ? 0 : (uint8_t)(length / 8 - 1);
    packet_length += length;
    return header;
}

static void finish(uint8_t protocol, size_t text)
{
    *next_header = protocol;
    memset(packet + packet_length, 0xa5, text);
    packet_length += text;
    put_be16(packet + 4, (uint32_t)(packet_length - IPV6_HEADER));
}

static uint8_t *exact_copy(const uint8_t *data, size_t length)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, data, length);
    return copy;
}

static void read_all(const uint8_t *data, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        sum += data[i];
    }
    bytes_seen = bytes_seen + sum;
}

/* Parses `length` bytes of the packet in a block of their own; the payload must lie inside. */
static enum ip_verdict parse_cut(size_t length, struct ip_datagram *d)
{
    uint8_t *data = exact_copy(packet, length);
    enum ip_verdict verdict = ipv6_parse(data, length, d);
    if (verdict == IP_OK) {
        assert_true(d->payload >= data + IPV6_HEADER && d->payload + d->length <= data + length);
        read_all(d->payload, d->length);
    }
    struct ip_datagram quoted;
    if (ipv6_parse_quoted(data, length, &quoted) == IP_OK) {
        assert_true(quoted.payload + quoted.length <= data + length);
        read_all(quoted.payload, quoted.length);
    }
    free(data);
    return verdict;
}

static enum ip_verdict parse(struct ip_datagram *d)
{
    return parse_cut(packet_length, d);
}

static void header_written_parses_back(void **state)
{
    (void)state;
    struct ip_datagram d;
    start();
    finish(IP_PROTOCOL_TCP, 24);
    assert_int_equal(ipv6_parse(packet, packet_length, &d), IP_OK);
    assert_true(ip_addr_eq(&d.source, &fields.source));
    assert_true(ip_addr_eq(&d.destination, &fields.destination));
    assert_ptr_equal(d.payload, packet + IPV6_HEADER);
    assert_int_equal(d.length, 24);
    assert_int_equal(d.flow_label, 0xfedcb);
    assert_int_equal(d.traffic_class, 0xb9);
    assert_int_equal(d.protocol, IP_PROTOCOL_TCP);
    assert_int_equal(d.hop_limit, 255);
    assert_false(d.is_fragment);
    assert_true(d.is_v6);
}

static void v12_header_is_written_whole(void **state)
{
    (void)state;
    uint8_t a[IPV6_HEADER];
    uint8_t b[IPV6_HEADER];
    memset(a, 0x00, sizeof a);
    memset(b, 0xff, sizeof b);
    ipv6_write(a, &fields);
    ipv6_write(b, &fields);
    assert_memory_equal(a, b, sizeof a);
}

static void padding_of_the_frame_is_not_payload(void **state)
{
    (void)state;
    struct ip_datagram d;
    start();
    finish(IP_PROTOCOL_TCP, 24);
    assert_int_equal(parse_cut(packet_length + 6, &d), IP_OK);
    assert_int_equal(d.length, 24);
}

static void other_version_is_refused(void **state)
{
    (void)state;
    for (unsigned version = 0; version < 16; version++) {
        struct ip_datagram d;
        start();
        finish(IP_PROTOCOL_TCP, 24);
        packet[0] = (uint8_t)(version << 4);
        assert_int_equal(parse(&d), version == 6 ? IP_OK : IP_BAD_VERSION);
    }
}

/* ::ffff:a.b.c.d inside of an IPv6 header would pass for an IPv4 host. */
static void mapped_address_on_the_wire_is_refused(void **state)
{
    (void)state;
    for (size_t at = 8; at <= 24; at += 16) {
        struct ip_datagram d;
        start();
        finish(IP_PROTOCOL_TCP, 24);
        memset(packet + at, 0, 10);
        memset(packet + at + 10, 0xff, 2);
        assert_int_equal(parse(&d), IP_BAD_VERSION);
        packet[at + 11] = 0xfe;
        assert_int_equal(parse(&d), IP_OK);
    }
}

/* Payload length x data offset x truncation at each byte; IPv6 has no header length to lie about. */
static void v01_lying_lengths_are_dropped(void **state)
{
    (void)state;
    const uint32_t actual = 110;
    const uint32_t lengths[] = {0, 1, 19, 20, 39, 40, 69, 70, 71, 65535};
    uint32_t reached = 0;
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0] * 16; i++) {
        for (uint32_t arrived = 0; arrived <= actual; arrived++) {
            struct ip_datagram d;
            struct tcp_segment seg;
            uint32_t length = lengths[i / 16];
            uint32_t offset = i % 16 * 4;
            start();
            finish(IP_PROTOCOL_TCP, 70);
            memset(packet + 40, 0, 70);
            packet[52] = (uint8_t)(offset * 4);
            put_be16(packet + 4, length);
            bool good = arrived >= 40 && 40 + length <= arrived;
            assert_int_equal(parse_cut(arrived, &d) == IP_OK, good);
            uint8_t *text = exact_copy(packet + 40, good ? length : 0);
            bool tcp_good = good && offset >= 20 && offset <= length && length >= 20;
            assert_int_equal(tcp_segment_parse(text, good ? length : 0, &seg) == TCP_PARSED, tcp_good);
            free(text);
            reached += tcp_good;
        }
    }
    assert_true(reached > 0);
}

static void known_extension_headers_are_skipped(void **state)
{
    (void)state;
    struct ip_datagram d;
    start();
    extend(HOP_BY_HOP, 8);
    extend(DESTINATION, 16);
    extend(ROUTING, 24);
    extend(DESTINATION, 8);
    finish(IP_PROTOCOL_TCP, 24);
    assert_int_equal(ipv6_parse(packet, packet_length, &d), IP_OK);
    assert_int_equal(d.protocol, IP_PROTOCOL_TCP);
    assert_int_equal(d.length, 24);
    assert_ptr_equal(d.payload, packet + 96);
    assert_false(d.is_fragment);
}

static void hop_by_hop_stands_first_or_is_refused(void **state)
{
    (void)state;
    const uint8_t before[] = {HOP_BY_HOP, DESTINATION, ROUTING, FRAGMENT};
    for (size_t i = 0; i < sizeof before; i++) {
        struct ip_datagram d;
        start();
        extend(before[i], 8);
        extend(HOP_BY_HOP, 8);
        finish(IP_PROTOCOL_TCP, 24);
        assert_int_equal(parse(&d), IP_BAD_EXTENSION);
    }
}

static void no_next_header_is_told(void **state)
{
    (void)state;
    struct ip_datagram d;
    start();
    finish(NONE, 0);
    assert_int_equal(parse(&d), IP_NO_NEXT_HEADER);
    start();
    extend(DESTINATION, 8);
    finish(NONE, 5);
    assert_int_equal(parse(&d), IP_NO_NEXT_HEADER);
}

static void routing_header_at_its_end_is_skipped_else_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned left = 0; left < 256; left++) {
            struct ip_datagram d;
            start();
            uint8_t *header = extend(ROUTING, 24);
            header[2] = (uint8_t)type;
            header[3] = (uint8_t)left;
            finish(IP_PROTOCOL_TCP, 20);
            enum ip_verdict expected = left == 0 ? IP_OK : type == 0 ? IP_SOURCE_ROUTED : IP_BAD_EXTENSION;
            assert_int_equal(ipv6_parse(packet, packet_length, &d), expected);
        }
    }
}

/*
 * One option of any type and length in a header of 8 bytes: five places for it, PadN behind it where it
 * leaves room.
 */
static void options_obey_their_length_and_top_bits(void **state)
{
    (void)state;
    const uint8_t kinds[] = {HOP_BY_HOP, DESTINATION};
    for (uint32_t i = 0; i < 2u * 256 * 256 * 6; i++) {
        uint32_t type = i / 2 % 256;
        uint32_t length = i / 512 % 256;
        uint32_t at = i / 512 / 256;
        struct ip_datagram d;
        start();
        uint8_t *header = extend(kinds[i % 2], 8);
        header[2 + at] = (uint8_t)type;
        if (at < 5) {
            header[3 + at] = (uint8_t)length;
        }
        finish(IP_PROTOCOL_TCP, 20);
        enum ip_verdict expected = IP_OK;
        if (type == 0 && length != 0 && at < 5) {
            continue; /* Pad1, and the length would itself be an option */
        }
        if (type != 0) {
            bool fits = at < 5 && at + 2 + length <= 6;
            expected = !fits ? IP_BAD_OPTION : type >= 0x40 ? IP_BAD_EXTENSION : IP_OK;
        }
        assert_int_equal(ipv6_parse(packet, packet_length, &d), expected);
    }
}

static void fragment_is_told_with_its_place(void **state)
{
    (void)state;
    struct ip_datagram d;
    start();
    extend(DESTINATION, 8);
    uint8_t *header = extend(FRAGMENT, 8);
    put_be16(header + 2, 1480 | 1);
    put_be32(header + 4, 0xfffffff1);
    finish(HOP_BY_HOP, 32); /* what follows is a part of something and not looked at */
    assert_int_equal(ipv6_parse(packet, packet_length, &d), IP_OK);
    assert_true(d.is_fragment);
    assert_true(d.more_fragments);
    assert_int_equal(d.fragment_offset, 1480);
    assert_int_equal(d.id, 0xfffffff1);
    assert_int_equal(d.protocol, HOP_BY_HOP);
    assert_int_equal(d.length, 32);
    assert_ptr_equal(d.payload, header + 8);
}

static void last_and_first_fragments_are_fragments(void **state)
{
    (void)state;
    const uint16_t places[] = {0x0001, 0x0008, 0xfff8 - 64};
    for (unsigned i = 0; i < 3; i++) {
        struct ip_datagram d;
        start();
        put_be16(extend(FRAGMENT, 8) + 2, places[i]);
        finish(IP_PROTOCOL_TCP, 32);
        assert_int_equal(parse(&d), IP_OK);
        assert_true(d.is_fragment);
        assert_int_equal(d.more_fragments, places[i] & 1);
        assert_int_equal(d.fragment_offset, places[i] & 0xfff8);
    }
}

static void v07_fragment_past_65535_is_refused(void **state)
{
    (void)state;
    for (uint32_t offset = 65400; offset < 65536; offset += 8) {
        for (uint32_t length = 0; length < 64; length++) {
            struct ip_datagram d;
            start();
            put_be16(extend(FRAGMENT, 8) + 2, offset);
            finish(IP_PROTOCOL_TCP, length);
            assert_int_equal(parse(&d), offset + length > 65535 ? IP_BAD_LENGTH : IP_OK);
        }
    }
}

/* RFC 6946: not a fragment, whatever its id and the reserved bits; the chain goes on behind it. */
static void atomic_fragment_is_a_whole_datagram(void **state)
{
    (void)state;
    for (unsigned reserved = 0; reserved < 4; reserved++) {
        struct ip_datagram d;
        start();
        uint8_t *header = extend(FRAGMENT, 8);
        put_be16(header + 2, reserved << 1);
        put_be32(header + 4, 0xfffffff1);
        extend(DESTINATION, 8);
        finish(IP_PROTOCOL_TCP, 32);
        assert_int_equal(parse(&d), IP_OK);
        assert_false(d.is_fragment);
        assert_int_equal(d.protocol, IP_PROTOCOL_TCP);
        assert_int_equal(d.length, 32);
    }
}

static void v06_second_fragment_header_is_refused(void **state)
{
    (void)state;
    struct ip_datagram d;
    start();
    extend(FRAGMENT, 8);
    put_be16(extend(FRAGMENT, 8) + 2, 1);
    finish(IP_PROTOCOL_TCP, 32);
    assert_int_equal(parse(&d), IP_BAD_EXTENSION);
}

static struct ip_datagram reassembled(uint8_t protocol)
{
    return (struct ip_datagram){
        .payload = packet + IPV6_HEADER,
        .length = (uint32_t)(packet_length - IPV6_HEADER),
        .protocol = protocol,
        .is_fragment = true,
        .more_fragments = true,
        .is_v6 = true,
    };
}

static void reassembled_chain_goes_on_to_the_payload(void **state)
{
    (void)state;
    start();
    extend(DESTINATION, 16);
    finish(IP_PROTOCOL_TCP, 20);
    struct ip_datagram d = reassembled(DESTINATION);
    assert_int_equal(ipv6_skip_extensions(&d), IP_OK);
    assert_int_equal(d.protocol, IP_PROTOCOL_TCP);
    assert_int_equal(d.length, 20);
    assert_false(d.is_fragment);
    assert_false(d.more_fragments);
}

/* CVE-2024-38063 and its like: what came out of reassembly must not go in again. */
static void v06_reassembled_chain_holds_no_fragment_and_no_hop_by_hop(void **state)
{
    (void)state;
    const uint8_t kinds[] = {FRAGMENT, HOP_BY_HOP};
    for (unsigned i = 0; i < 2; i++) {
        start();
        extend(kinds[i], 8);
        finish(IP_PROTOCOL_TCP, 20);
        struct ip_datagram d = reassembled(kinds[i]);
        assert_int_equal(ipv6_skip_extensions(&d), IP_BAD_EXTENSION);
    }
}

static void v06_chain_of_0_to_64_headers_ends_at_the_limit(void **state)
{
    (void)state;
    const uint8_t kinds[] = {DESTINATION, ROUTING};
    for (unsigned headers = 0; headers <= 64; headers++) {
        for (unsigned i = 0; i < 2; i++) {
            struct ip_datagram d;
            start();
            for (unsigned n = 0; n < headers; n++) {
                extend(kinds[i], 8);
            }
            finish(IP_PROTOCOL_TCP, 20);
            assert_int_equal(parse(&d), headers <= IPV6_MAX_EXTENSIONS ? IP_OK : IP_BAD_EXTENSION);
        }
    }
}

static void v06_header_of_every_length_ends_at_the_limit(void **state)
{
    (void)state;
    const uint8_t kinds[] = {HOP_BY_HOP, DESTINATION, ROUTING};
    for (unsigned units = 0; units < 256; units++) {
        for (unsigned i = 0; i < 3; i++) {
            struct ip_datagram d;
            size_t bytes = (units + 1) * 8;
            start();
            extend(kinds[i], bytes);
            finish(IP_PROTOCOL_TCP, 20);
            assert_int_equal(parse(&d), bytes <= IPV6_MAX_EXTENSION_BYTES ? IP_OK : IP_BAD_EXTENSION);
            start();
            extend(kinds[i], 8)[1] = (uint8_t)units; /* says `bytes`, 28 are there */
            finish(IP_PROTOCOL_TCP, 20);
            enum ip_verdict expected = bytes <= 28 ? IP_OK : bytes <= 256 ? IP_TRUNCATED : IP_BAD_EXTENSION;
            packet[IPV6_HEADER + 8] = 0; /* of 16 and 24 bytes the rest is padding, too */
            memset(packet + IPV6_HEADER + 8, 0, 20);
            assert_int_equal(parse(&d), expected);
        }
    }
}

/* The limit is on the sum, not on each header. */
static void v06_sum_of_lengths_ends_at_the_limit(void **state)
{
    (void)state;
    for (size_t first = 8; first <= 256; first += 8) {
        for (size_t second = 8; second <= 256; second += 8) {
            struct ip_datagram d;
            start();
            extend(HOP_BY_HOP, first);
            extend(DESTINATION, second);
            finish(IP_PROTOCOL_TCP, 20);
            assert_int_equal(parse(&d), first + second <= 256 ? IP_OK : IP_BAD_EXTENSION);
        }
    }
}

/* A chain of every kind, cut at each byte: by the frame, and by a payload length that says so. */
static void v06_chain_cut_at_each_byte_is_truncated(void **state)
{
    (void)state;
    start();
    extend(HOP_BY_HOP, 8);
    extend(DESTINATION, 24);
    extend(ROUTING, 16);
    extend(FRAGMENT, 8);
    extend(DESTINATION, 8);
    size_t chain_end = packet_length;
    finish(IP_PROTOCOL_TCP, 20);
    for (size_t length = 0; length <= packet_length; length++) {
        struct ip_datagram d;
        put_be16(packet + 4, (uint32_t)(packet_length - IPV6_HEADER));
        assert_int_equal(parse_cut(length, &d), length == packet_length ? IP_OK : IP_TRUNCATED);
        if (length >= IPV6_HEADER) {
            put_be16(packet + 4, (uint32_t)(length - IPV6_HEADER));
            assert_int_equal(parse_cut(length, &d), length >= chain_end ? IP_OK : IP_TRUNCATED);
        }
    }
}

/* Whatever the bytes say, the walk stays inside; parse_cut() checks it. */
static void v06_random_chains_stay_inside(void **state)
{
    (void)state;
    const uint8_t kinds[] = {HOP_BY_HOP, ROUTING, FRAGMENT, NONE, DESTINATION, IP_PROTOCOL_TCP};
    uint32_t random = 7;
    uint32_t good = 0;
    for (uint32_t round = 0; round < 200000; round++) {
        struct ip_datagram d;
        start();
        size_t length = IPV6_HEADER + (random >> 8) % 200;
        for (size_t i = IPV6_HEADER; i < length; i++) {
            random = random * 1664525u + 1013904223u;
            packet[i] = random >> 31 ? kinds[(random >> 24) % sizeof kinds] : (uint8_t)((random >> 26) & 3);
        }
        packet[6] = kinds[(random >> 16) % sizeof kinds];
        put_be16(packet + 4, (uint32_t)(length - IPV6_HEADER));
        good += parse_cut(length, &d) == IP_OK;
        random = random * 1664525u + 1013904223u;
    }
    assert_in_range(good, 1000, 199000);
}

static void quoted_packet_may_be_cut(void **state)
{
    (void)state;
    start();
    finish(IP_PROTOCOL_TCP, 40);
    for (size_t length = 0; length <= packet_length; length++) {
        struct ip_datagram d;
        uint8_t *data = exact_copy(packet, length);
        assert_int_equal(ipv6_parse_quoted(data, length, &d), length < IPV6_HEADER ? IP_TRUNCATED : IP_OK);
        if (length >= IPV6_HEADER) {
            assert_int_equal(d.length, length - IPV6_HEADER);
        }
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_written_parses_back),
        cmocka_unit_test(v12_header_is_written_whole),
        cmocka_unit_test(padding_of_the_frame_is_not_payload),
        cmocka_unit_test(other_version_is_refused),
        cmocka_unit_test(mapped_address_on_the_wire_is_refused),
        cmocka_unit_test(v01_lying_lengths_are_dropped),
        cmocka_unit_test(known_extension_headers_are_skipped),
        cmocka_unit_test(hop_by_hop_stands_first_or_is_refused),
        cmocka_unit_test(no_next_header_is_told),
        cmocka_unit_test(routing_header_at_its_end_is_skipped_else_refused),
        cmocka_unit_test(options_obey_their_length_and_top_bits),
        cmocka_unit_test(fragment_is_told_with_its_place),
        cmocka_unit_test(last_and_first_fragments_are_fragments),
        cmocka_unit_test(v07_fragment_past_65535_is_refused),
        cmocka_unit_test(atomic_fragment_is_a_whole_datagram),
        cmocka_unit_test(v06_second_fragment_header_is_refused),
        cmocka_unit_test(reassembled_chain_goes_on_to_the_payload),
        cmocka_unit_test(v06_reassembled_chain_holds_no_fragment_and_no_hop_by_hop),
        cmocka_unit_test(v06_chain_of_0_to_64_headers_ends_at_the_limit),
        cmocka_unit_test(v06_header_of_every_length_ends_at_the_limit),
        cmocka_unit_test(v06_sum_of_lengths_ends_at_the_limit),
        cmocka_unit_test(v06_chain_cut_at_each_byte_is_truncated),
        cmocka_unit_test(v06_random_chains_stay_inside),
        cmocka_unit_test(quoted_packet_may_be_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
