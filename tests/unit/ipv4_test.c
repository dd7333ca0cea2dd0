/*
 * Tests of wire/ipv4: round trips, each verdict, and the grids of V-01 and V-05. Every packet lies at the end
 * of a heap block of its exact length, so that a sanitizer sees the first byte read beyond it. What must be
 * accepted is computed here from the RFCs' inequalities, not by the code under test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/checksum.h"
#include "wire/ip_header.h"
#include "wire/tcp_header.h"

static volatile uint32_t bytes_seen;

static void *exact_copy(const uint8_t *data, size_t length)
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

static const struct ip_header_fields fields = {
    .source = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 0, 2}},
    .destination = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 255, 1}},
    .payload_length = 33,
    .id = 0xfedc,
    .protocol = IP_PROTOCOL_TCP,
    .hop_limit = 64,
    .traffic_class = 0x2a,
    .dont_fragment = true,
};

static void set_checksum(uint8_t *header, size_t length)
{
    memset(header + 10, 0, 2);
    checksum_put(header + 10, checksum_sum(header, length));
}

/* A packet of 20 + 33 bytes in a static buffer that is made anew by each call. */
static uint8_t *make_packet(void)
{
    static uint8_t packet[128];
    memset(packet, 0, sizeof packet);
    ipv4_write(packet, &fields);
    return packet;
}

static void header_written_parses_back(void **state)
{
    (void)state;
    struct ip_datagram d;
    uint8_t *packet = make_packet();
    assert_int_equal(ipv4_parse(packet, 53, &d), IP_OK);
    assert_true(ip_addr_eq(&d.source, &fields.source));
    assert_true(ip_addr_eq(&d.destination, &fields.destination));
    assert_ptr_equal(d.payload, packet + 20);
    assert_int_equal(d.length, 33);
    assert_int_equal(d.id, 0xfedc);
    assert_int_equal(d.protocol, IP_PROTOCOL_TCP);
    assert_int_equal(d.hop_limit, 64);
    assert_int_equal(d.traffic_class, 0x2a);
    assert_int_equal(d.header_length, 20);
    assert_false(d.is_fragment);
    assert_false(d.more_fragments);
    assert_false(d.is_v6);
    assert_int_equal(get_be16(packet + 6), 0x4000);
}

static void v12_header_is_written_whole(void **state)
{
    (void)state;
    uint8_t a[IPV4_HEADER];
    uint8_t b[IPV4_HEADER];
    memset(a, 0x00, sizeof a);
    memset(b, 0xff, sizeof b);
    ipv4_write(a, &fields);
    ipv4_write(b, &fields);
    assert_memory_equal(a, b, sizeof a);
}

/* The checksum field takes all values over these; a header of ours must verify for each. */
static void every_id_gives_a_right_checksum(void **state)
{
    (void)state;
    struct ip_header_fields f = fields;
    for (uint32_t id = 0; id < 65536; id++) {
        uint8_t out[IPV4_HEADER];
        f.id = (uint16_t)id;
        ipv4_write(out, &f);
        assert_true(checksum_ok(checksum_sum(out, sizeof out)));
    }
}

static void padding_of_the_frame_is_not_payload(void **state)
{
    (void)state;
    struct ip_datagram d;
    assert_int_equal(ipv4_parse(make_packet(), 60, &d), IP_OK);
    assert_int_equal(d.length, 33);
}

static void each_flipped_header_bit_is_noticed(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < IPV4_HEADER * 8; bit++) {
        struct ip_datagram d;
        uint8_t *packet = make_packet();
        packet[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_not_equal(ipv4_parse(packet, 53, &d), IP_OK);
    }
}

static void other_version_is_refused(void **state)
{
    (void)state;
    for (unsigned version = 0; version < 16; version++) {
        struct ip_datagram d;
        uint8_t *packet = make_packet();
        packet[0] = (uint8_t)(version << 4 | 5);
        set_checksum(packet, 20);
        assert_int_equal(ipv4_parse(packet, 53, &d), version == 4 ? IP_OK : IP_BAD_VERSION);
    }
}

static void fragments_say_their_place(void **state)
{
    (void)state;
    struct ip_datagram d;
    uint8_t *packet = make_packet();
    put_be16(packet + 6, 0x2000);
    set_checksum(packet, 20);
    assert_int_equal(ipv4_parse(packet, 53, &d), IP_OK);
    assert_true(d.is_fragment);
    assert_true(d.more_fragments);
    assert_int_equal(d.fragment_offset, 0);
    put_be16(packet + 6, 0x00b9);
    set_checksum(packet, 20);
    assert_int_equal(ipv4_parse(packet, 53, &d), IP_OK);
    assert_true(d.is_fragment);
    assert_false(d.more_fragments);
    assert_int_equal(d.fragment_offset, 1480);
}

/*
 * The last fragment may end at byte 65535 of the datagram, its header included, and not beyond (ping of
 * death).
 */
static void v07_fragment_past_65535_is_refused(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 12 * 64; i++) {
        struct ip_datagram d;
        uint32_t offset = 8180 + i % 12;
        uint32_t total = 20 + i / 12;
        uint8_t *packet = make_packet();
        put_be16(packet + 2, total);
        put_be16(packet + 6, offset);
        set_checksum(packet, 20);
        enum ip_verdict expected = offset * 8 + total > 65535 ? IP_BAD_LENGTH : IP_OK;
        assert_int_equal(ipv4_parse(packet, 128, &d), expected);
    }
}

/*
 * One case of V-01: what the inequalities say, and that nothing is read outside of the packet. Returns
 * whether TCP was reached.
 */
static bool v01_case(const uint8_t *packet, size_t arrived, uint32_t total)
{
    uint8_t *data = exact_copy(packet, arrived);
    uint32_t header = (packet[0] & 15u) * 4u;
    bool ip_good = arrived >= 20 && header >= 20 && header <= total && total <= arrived;
    bool reached = false;
    struct ip_datagram d;
    struct tcp_segment seg;
    assert_int_equal(ipv4_parse(data, arrived, &d) == IP_OK, ip_good);
    if (ip_good) {
        assert_ptr_equal(d.payload, data + header);
        assert_int_equal(d.length, total - header);
        read_all(d.payload, d.length);
        uint32_t offset = d.length >= 20 ? (d.payload[12] >> 4) * 4u : 0;
        reached = offset >= 20 && offset <= d.length;
        assert_int_equal(tcp_segment_parse(d.payload, d.length, &seg) == TCP_PARSED, reached);
    }
    if (reached) {
        assert_int_equal(seg.header_length + seg.text_length, d.length);
        read_all(seg.text, seg.text_length);
    }
    if (ipv4_parse_quoted(data, arrived, &d) == IP_OK) {
        assert_true(header >= 20 && header <= arrived);
        read_all(d.payload, d.length);
    }
    free(data);
    return reached;
}

/* IHL x total length x data offset x truncation at each byte, of a packet of `actual` bytes. */
static uint32_t v01_grid(uint32_t actual)
{
    uint32_t reached = 0;
    for (uint32_t ihl = 0; ihl < 16; ihl++) {
        uint32_t header = ihl * 4;
        uint32_t below = header > 0 ? header - 1 : 0;
        const uint32_t totals[] = {0, 1, 19, 20, below, header, actual - 1, actual, actual + 1, 65535};
        for (uint32_t i = 0; i < sizeof totals / sizeof totals[0] * 16; i++) {
            uint8_t packet[160] = {0};
            uint32_t total = totals[i / 16];
            ipv4_write(packet, &fields);
            memset(packet + 20, 0, sizeof packet - 20);
            packet[0] = (uint8_t)(0x40 | ihl);
            put_be16(packet + 2, total);
            set_checksum(packet, header);
            if (header + 12 < sizeof packet && header >= 20) {
                packet[header + 12] = (uint8_t)((i % 16) << 4);
            }
            for (uint32_t arrived = 0; arrived <= actual; arrived++) {
                reached += v01_case(packet, arrived, total);
            }
        }
    }
    return reached;
}

static void v01_lying_lengths_are_dropped(void **state)
{
    (void)state;
    assert_true(v01_grid(74) > 0);
    assert_true(v01_grid(130) > 0);
}

/* Puts an option area of 40 bytes behind the header; there is no payload, so that the packet ends with it. */
static void set_options(uint8_t *packet, const uint8_t options[40])
{
    memcpy(packet + 20, options, 40);
    packet[0] = 0x4f;
    put_be16(packet + 2, 60);
    set_checksum(packet, 60);
}

/* One option of any kind and length after `at` NOPs, with NOPs behind it. */
static void v05_every_option_length_is_survived(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 256u * 41u * 40u; i++) {
        uint32_t kind = i % 256;
        uint32_t length = i / 256 % 41;
        uint32_t at = i / 256 / 41;
        uint8_t options[40];
        struct ip_datagram d;
        memset(options, 1, sizeof options);
        options[at] = (uint8_t)kind;
        if (at + 1 < sizeof options) {
            options[at + 1] = (uint8_t)length;
        }
        uint8_t *packet = make_packet();
        set_options(packet, options);
        uint8_t *data = exact_copy(packet, 60);
        enum ip_verdict expected = IP_OK;
        if (kind == 1 && length > 1 && at < 39) {
            free(data); /* the length would itself be an option */
            continue;
        }
        if (kind > 1) {
            bool legal = at + 1 < 40 && length >= 2 && at + length <= 40;
            expected = !legal ? IP_BAD_OPTION : kind == 131 || kind == 137 ? IP_SOURCE_ROUTED : IP_OK;
        }
        assert_int_equal(ipv4_parse(data, 60, &d), expected);
        free(data);
    }
}

static void v05_source_route_after_other_options_is_refused(void **state)
{
    (void)state;
    const uint8_t kinds[] = {131, 137};
    for (unsigned i = 0; i < 2; i++) {
        struct ip_datagram d;
        uint8_t options[40] = {1, 7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0};
        const uint8_t route[7] = {kinds[i], 7, 4, 10, 9, 0, 1};
        memcpy(options + 12, route, sizeof route);
        memcpy(options + 19, route, sizeof route);
        uint8_t *packet = make_packet();
        set_options(packet, options);
        assert_int_equal(ipv4_parse(packet, 60, &d), IP_SOURCE_ROUTED);
        options[0] = 0; /* behind the end of the list it is no option */
        set_options(packet, options);
        assert_int_equal(ipv4_parse(packet, 60, &d), IP_OK);
        assert_ptr_equal(d.payload, packet + 60);
        assert_int_equal(d.header_length, 60);
    }
}

static void quoted_header_may_be_cut_and_have_any_checksum(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 60; length++) {
        struct ip_datagram d;
        uint8_t *packet = make_packet();
        packet[10] ^= 0xff;
        uint8_t *data = exact_copy(packet, length);
        enum ip_verdict verdict = ipv4_parse_quoted(data, length, &d);
        assert_int_equal(verdict, length < 20 ? IP_TRUNCATED : IP_OK);
        if (verdict == IP_OK) {
            assert_int_equal(d.length, length < 53 ? length - 20 : 33);
            read_all(d.payload, d.length);
        }
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_written_parses_back),
        cmocka_unit_test(v12_header_is_written_whole),
        cmocka_unit_test(every_id_gives_a_right_checksum),
        cmocka_unit_test(padding_of_the_frame_is_not_payload),
        cmocka_unit_test(each_flipped_header_bit_is_noticed),
        cmocka_unit_test(other_version_is_refused),
        cmocka_unit_test(fragments_say_their_place),
        cmocka_unit_test(v07_fragment_past_65535_is_refused),
        cmocka_unit_test(v01_lying_lengths_are_dropped),
        cmocka_unit_test(v05_every_option_length_is_survived),
        cmocka_unit_test(v05_source_route_after_other_options_is_refused),
        cmocka_unit_test(quoted_header_may_be_cut_and_have_any_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
