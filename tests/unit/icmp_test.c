/*
 * Tests of wire/icmp: which message means what, echo replies, and quotes cut at each byte (V-09). Messages
 * lie in heap blocks of their exact length, so that a sanitizer sees the first byte read beyond them.
 * The tables of kinds are checked for all 65,536 types and codes of each version.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/checksum.h"
#include "wire/icmp.h"

static const struct ip_addr here4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 0, 2}};
static const struct ip_addr there4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 0, 1}};
static const struct ip_addr here6 = {{0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};
static const struct ip_addr there6 = {{0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

/* Sets the checksum of a message and returns the datagram that carries it. */
static struct ip_datagram carry(uint8_t *data, size_t length, bool v6)
{
    struct ip_datagram d = {
        .source = v6 ? there6 : there4,
        .destination = v6 ? here6 : here4,
        .payload = data,
        .length = (uint32_t)length,
        .protocol = v6 ? IP_PROTOCOL_ICMPV6 : IP_PROTOCOL_ICMP,
        .is_v6 = v6,
    };
    if (length >= 4) {
        uint64_t pseudo = v6 ? checksum_pseudo(&d.source, &d.destination, 58) + checksum_length(d.length) : 0;
        memset(data + 2, 0, 2);
        checksum_put(data + 2, pseudo + checksum_sum(data, length));
    }
    return d;
}

static enum icmp_kind kind_of(uint8_t type, uint8_t code, bool v6)
{
    uint8_t data[ICMP_HEADER] = {type, code};
    struct icmp_message message;
    struct ip_datagram d = carry(data, sizeof data, v6);
    assert_true(icmp_parse(&d, &message));
    assert_int_equal(message.type, type);
    assert_int_equal(message.code, code);
    return message.kind;
}

struct row {
    uint8_t type, first_code, last_code;
    enum icmp_kind kind;
};

/* Every type and code: the row that covers it, or nothing to us. */
static void check_table(const struct row *rows, size_t count, bool v6)
{
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t type = (uint8_t)(i >> 8);
        uint8_t code = (uint8_t)i;
        enum icmp_kind expected = ICMP_OTHER;
        for (size_t n = 0; n < count; n++) {
            if (rows[n].type == type && rows[n].first_code <= code && code <= rows[n].last_code) {
                expected = rows[n].kind;
            }
        }
        assert_int_equal(kind_of(type, code, v6), expected);
    }
}

static void v4_types_and_codes_have_their_kinds(void **state)
{
    (void)state;
    const struct row rows[] = {
        {0, 0, 255, ICMP_ECHO_REPLY},         {3, 0, 0, ICMP_NET_UNREACHABLE},
        {3, 1, 1, ICMP_HOST_UNREACHABLE},     {3, 2, 2, ICMP_PROTOCOL_UNREACHABLE},
        {3, 3, 3, ICMP_PORT_UNREACHABLE},     {3, 4, 4, ICMP_PACKET_TOO_BIG},
        {3, 5, 8, ICMP_HOST_UNREACHABLE},     {3, 9, 10, ICMP_PROHIBITED},
        {3, 11, 12, ICMP_HOST_UNREACHABLE},   {3, 13, 13, ICMP_PROHIBITED},
        {4, 0, 255, ICMP_SOURCE_QUENCH},      {5, 0, 255, ICMP_REDIRECT},
        {8, 0, 255, ICMP_ECHO_REQUEST},       {11, 0, 255, ICMP_TIME_EXCEEDED},
        {12, 0, 255, ICMP_PARAMETER_PROBLEM},
    };
    check_table(rows, sizeof rows / sizeof rows[0], false);
}

static void v6_types_and_codes_have_their_kinds(void **state)
{
    (void)state;
    const struct row rows[] = {
        {1, 0, 0, ICMP_NET_UNREACHABLE},
        {1, 1, 1, ICMP_PROHIBITED},
        {1, 2, 3, ICMP_HOST_UNREACHABLE},
        {1, 4, 4, ICMP_PORT_UNREACHABLE},
        {1, 5, 6, ICMP_PROHIBITED},
        {2, 0, 255, ICMP_PACKET_TOO_BIG},
        {3, 0, 255, ICMP_TIME_EXCEEDED},
        {4, 0, 0, ICMP_PARAMETER_PROBLEM},
        {4, 1, 1, ICMP_PROTOCOL_UNREACHABLE},
        {4, 2, 2, ICMP_PARAMETER_PROBLEM},
        {128, 0, 255, ICMP_ECHO_REQUEST},
        {129, 0, 255, ICMP_ECHO_REPLY},
        {133, 0, 0, NDP_ROUTER_SOLICITATION},
        {134, 0, 0, NDP_ROUTER_ADVERTISEMENT},
        {135, 0, 0, NDP_NEIGHBOUR_SOLICITATION},
        {136, 0, 0, NDP_NEIGHBOUR_ADVERTISEMENT},
        {137, 0, 0, ICMP_REDIRECT},
    };
    check_table(rows, sizeof rows / sizeof rows[0], true);
}

static void packet_too_big_says_its_mtu(void **state)
{
    (void)state;
    struct icmp_message message;
    uint8_t v4[ICMP_HEADER] = {3, 4, 0, 0, 0xff, 0xff, 0x05, 0x64};
    struct ip_datagram d = carry(v4, sizeof v4, false);
    assert_true(icmp_parse(&d, &message));
    assert_int_equal(message.mtu, 0x0564);
    uint8_t v6[ICMP_HEADER] = {2, 0, 0, 0, 0xff, 0xff, 0x05, 0x64};
    d = carry(v6, sizeof v6, true);
    assert_true(icmp_parse(&d, &message));
    assert_int_equal(message.mtu, 0xffff0564);
    uint8_t other[ICMP_HEADER] = {3, 3, 0, 0, 0xff, 0xff, 0x05, 0x64};
    d = carry(other, sizeof other, false);
    assert_true(icmp_parse(&d, &message));
    assert_int_equal(message.mtu, 0);
}

static void each_flipped_bit_is_noticed(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (unsigned bit = 0; bit < 13 * 8; bit++) {
            struct icmp_message message;
            uint8_t data[13] = {(uint8_t)(v6 ? 128 : 8), 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
            struct ip_datagram d = carry(data, sizeof data, v6);
            assert_true(icmp_parse(&d, &message));
            data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            assert_false(icmp_parse(&d, &message));
        }
    }
}

static void v6_checksum_covers_the_addresses(void **state)
{
    (void)state;
    struct icmp_message message;
    uint8_t data[ICMP_HEADER] = {128};
    struct ip_datagram d = carry(data, sizeof data, true);
    d.source.b[15] ^= 4;
    assert_false(icmp_parse(&d, &message));
}

/* An echo request of every length: the reply is as long as what arrived, and says the same. */
static void v09_echo_reply_is_what_arrived(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 150; length++) {
        for (unsigned v6 = 0; v6 < 2; v6++) {
            struct icmp_message request;
            struct icmp_message reply;
            uint8_t *data = malloc(length > 0 ? length : 1);
            uint8_t *out = malloc(length > 0 ? length : 1);
            assert_non_null(data);
            assert_non_null(out);
            for (size_t i = 0; i < length; i++) {
                data[i] = (uint8_t)(i * 7 + 1);
            }
            memset(data, v6 ? 128 : 8, 1);
            struct ip_datagram d = carry(data, length, v6);
            assert_int_equal(icmp_parse(&d, &request), length >= ICMP_HEADER);
            if (length >= ICMP_HEADER) {
                assert_int_equal(request.body_length, length - ICMP_HEADER);
                icmp_echo_reply_write(out, &request, v6, v6 ? checksum_pseudo(&here6, &there6, 58) : 0);
                d.payload = out;
                d.source = v6 ? here6 : here4;
                d.destination = v6 ? there6 : there4;
                assert_true(icmp_parse(&d, &reply));
                assert_int_equal(reply.kind, ICMP_ECHO_REPLY);
                assert_int_equal(reply.code, 0);
                assert_memory_equal(out + 4, data + 4, length - 4);
            }
            free(out);
            free(data);
        }
    }
}

/* An error message that quotes a TCP segment of ours, 20 bytes of it. Returns the length. */
static size_t make_error(uint8_t *data, bool v6, const struct ip_header_fields *fields)
{
    size_t header = v6 ? IPV6_HEADER : IPV4_HEADER;
    memset(data, 0, ICMP_HEADER);
    data[0] = v6 ? 1 : 3;
    data[1] = v6 ? 4 : 3;
    if (v6) {
        ipv6_write(data + ICMP_HEADER, fields);
    } else {
        ipv4_write(data + ICMP_HEADER, fields);
    }
    uint8_t *tcp = data + ICMP_HEADER + header;
    memset(tcp, 0, 20);
    put_be16(tcp, 65535);
    put_be16(tcp + 2, 443);
    put_be32(tcp + 4, 0xfffffffe);
    return ICMP_HEADER + header + 20;
}

static struct ip_header_fields quoted_fields(bool v6)
{
    return (struct ip_header_fields){
        .source = v6 ? here6 : here4,
        .destination = v6 ? there6 : there4,
        .payload_length = 1460,
        .protocol = IP_PROTOCOL_TCP,
        .hop_limit = 1,
    };
}

static bool parse_quote_of(const uint8_t *data, size_t length, bool v6, struct icmp_quote *quote)
{
    uint8_t *copy = malloc(length);
    struct icmp_message message;
    assert_non_null(copy);
    memcpy(copy, data, length);
    struct ip_datagram d = carry(copy, length, v6);
    assert_true(icmp_parse(&d, &message));
    bool result = icmp_parse_quote(&message, v6, quote);
    free(copy);
    return result;
}

static void v09_quote_cut_at_each_byte_needs_eight_of_tcp(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        uint8_t data[128];
        struct ip_header_fields fields = quoted_fields(v6);
        size_t whole = make_error(data, v6, &fields);
        for (size_t length = ICMP_HEADER; length <= whole; length++) {
            struct icmp_quote quote;
            bool enough = length >= whole - 12;
            assert_int_equal(parse_quote_of(data, length, v6, &quote), enough);
            if (enough) {
                assert_int_equal(quote.source_port, 65535);
                assert_int_equal(quote.destination_port, 443);
                assert_int_equal(quote.seq, 0xfffffffe);
                assert_true(ip_addr_eq(&quote.datagram.source, &fields.source));
                assert_true(ip_addr_eq(&quote.datagram.destination, &fields.destination));
            }
        }
    }
}

/* The quote's own length fields may say anything. */
static void v09_quote_with_lying_lengths_stays_inside(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256 * 256; i++) {
        uint8_t data[128];
        struct icmp_quote quote;
        struct ip_header_fields fields = quoted_fields(false);
        size_t length = make_error(data, false, &fields);
        uint32_t header = (i & 15) * 4;
        uint32_t total = i >> 4;
        data[ICMP_HEADER] = (uint8_t)(0x40 | (i & 15));
        put_be16(data + ICMP_HEADER + 2, total);
        memset(data + ICMP_HEADER + 20, 0, 20);
        bool good = header >= 20 && header + 8 <= total && header + 8 <= length - ICMP_HEADER;
        assert_int_equal(parse_quote_of(data, length, false, &quote), good);
    }
}

static void quote_of_another_protocol_or_later_fragment_is_none(void **state)
{
    (void)state;
    uint8_t data[128];
    struct icmp_quote quote;
    struct ip_header_fields fields = quoted_fields(false);
    size_t length = make_error(data, false, &fields);
    put_be16(data + ICMP_HEADER + 6, 0x2000);
    assert_true(parse_quote_of(data, length, false, &quote));
    put_be16(data + ICMP_HEADER + 6, 0x2001);
    assert_false(parse_quote_of(data, length, false, &quote));
    fields.protocol = 17;
    length = make_error(data, false, &fields);
    assert_false(parse_quote_of(data, length, false, &quote));
    fields = quoted_fields(true);
    fields.protocol = 17;
    length = make_error(data, true, &fields);
    assert_false(parse_quote_of(data, length, true, &quote));
}

static void quote_of_the_other_version_is_none(void **state)
{
    (void)state;
    uint8_t data[128];
    struct icmp_quote quote;
    struct ip_header_fields fields = quoted_fields(false);
    size_t length = make_error(data, false, &fields);
    data[0] = 1;
    data[1] = 4;
    assert_false(parse_quote_of(data, length, true, &quote));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_types_and_codes_have_their_kinds),
        cmocka_unit_test(v6_types_and_codes_have_their_kinds),
        cmocka_unit_test(packet_too_big_says_its_mtu),
        cmocka_unit_test(each_flipped_bit_is_noticed),
        cmocka_unit_test(v6_checksum_covers_the_addresses),
        cmocka_unit_test(v09_echo_reply_is_what_arrived),
        cmocka_unit_test(v09_quote_cut_at_each_byte_needs_eight_of_tcp),
        cmocka_unit_test(v09_quote_with_lying_lengths_stays_inside),
        cmocka_unit_test(quote_of_another_protocol_or_later_fragment_is_none),
        cmocka_unit_test(quote_of_the_other_version_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
