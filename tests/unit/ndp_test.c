/*
 * Tests of wire/ndp: round trips of what we send, the router's messages by their bytes, and options that lie
 * about their length (V-10). Messages lie in heap blocks of their exact length, so that a sanitizer sees the
 * first byte read beyond them.
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

static const struct ip_addr here = {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};
static const struct ip_addr there = {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
static const struct mac_addr mac = {{2, 1, 2, 3, 4, 5}};

static uint64_t pseudo(void)
{
    return checksum_pseudo(&here, &there, IP_PROTOCOL_ICMPV6);
}

/* Parses a message that has its checksum, all the way from the datagram, in a block of its own. */
static bool parse(const uint8_t *data, size_t length, struct ndp_message *ndp)
{
    struct icmp_message message;
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, data, length);
    struct ip_datagram d = {
        .source = here,
        .destination = there,
        .payload = copy,
        .length = (uint32_t)length,
        .protocol = IP_PROTOCOL_ICMPV6,
        .is_v6 = true,
    };
    bool good = icmp_parse(&d, &message) && ndp_parse(&message, ndp);
    free(copy);
    return good;
}

/* The same for a message that still wants its checksum. */
static bool parse_new(uint8_t *data, size_t length, struct ndp_message *ndp)
{
    memset(data + 2, 0, 2);
    checksum_put(data + 2, pseudo() + checksum_length((uint32_t)length) + checksum_sum(data, length));
    return parse(data, length, ndp);
}

static void neighbour_solicitation_written_parses_back(void **state)
{
    (void)state;
    uint8_t out[NDP_MAX_LENGTH];
    struct ndp_message ndp;
    memset(out, 0xff, sizeof out);
    assert_int_equal(ndp_write_neighbour_solicitation(out, &there, &mac, pseudo()), 32);
    assert_int_equal(get_be32(out + 4), 0);
    assert_true(parse(out, 32, &ndp));
    assert_true(ip_addr_eq(&ndp.target, &there));
    assert_true(ndp.has_link_address);
    assert_true(mac_eq(&ndp.link_address, &mac));
    assert_false(ndp.solicited);
}

/* A solicitation from the unspecified address must not carry the option (RFC 4861 4.3). */
static void solicitation_without_mac_has_no_option(void **state)
{
    (void)state;
    uint8_t out[NDP_MAX_LENGTH];
    struct ndp_message ndp;
    assert_int_equal(ndp_write_neighbour_solicitation(out, &there, NULL, pseudo()), 24);
    assert_true(parse(out, 24, &ndp));
    assert_false(ndp.has_link_address);
    assert_int_equal(ndp_write_router_solicitation(out, NULL, pseudo()), 8);
    assert_true(parse(out, 8, &ndp));
    assert_false(ndp.has_link_address);
}

static void neighbour_advertisement_written_parses_back(void **state)
{
    (void)state;
    for (unsigned solicited = 0; solicited < 2; solicited++) {
        uint8_t out[NDP_MAX_LENGTH];
        struct ndp_message ndp;
        memset(out, 0xff, sizeof out);
        assert_int_equal(ndp_write_neighbour_advertisement(out, &here, &mac, solicited, pseudo()), 32);
        assert_true(parse(out, 32, &ndp));
        assert_true(ip_addr_eq(&ndp.target, &here));
        assert_true(ndp.has_link_address);
        assert_true(mac_eq(&ndp.link_address, &mac));
        assert_int_equal(ndp.solicited, solicited);
        assert_true(ndp.override);
        assert_false(ndp.router);
        assert_int_equal(get_be32(out + 4) & 0x1fffffff, 0);
    }
}

static void router_solicitation_written_parses_back(void **state)
{
    (void)state;
    uint8_t out[NDP_MAX_LENGTH];
    struct ndp_message ndp;
    memset(out, 0xff, sizeof out);
    assert_int_equal(ndp_write_router_solicitation(out, &mac, pseudo()), 16);
    assert_int_equal(get_be32(out + 4), 0);
    assert_true(parse(out, 16, &ndp));
    assert_true(ndp.has_link_address);
    assert_true(mac_eq(&ndp.link_address, &mac));
}

/* Every option of a router, a second prefix that must not count, and one that nobody knows. */
static size_t make_router_advertisement(uint8_t *data)
{
    static const uint8_t bytes[] = {
        134,  0,  0,  0,    64,   0xc0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, /* hop limit 64, 1800 s */
        1,    1,  2,  6,    7,    8,    9,    10,                           /* source link address */
        5,    1,  0,  0,    0,    0,    5,    0xdc,                         /* MTU 1500 */
        24,   2,  0,  0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, /* route information */
        3,    4,  64, 0xc0, 0xff, 0xff, 0xff, 0xfe, 0, 0, 1, 0, 0, 0, 0, 0, /* on-link, autonomous */
        0xfd, 9,  0,  0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, /* fd09::/64 */
        3,    4,  48, 0x80, 0,    0,    0,    1,    0, 0, 0, 1, 0, 0, 0, 0, /* a second one */
        0xfd, 10, 0,  0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0,
    };
    memcpy(data, bytes, sizeof bytes);
    return sizeof bytes;
}

static void router_advertisement_says_all_it_has(void **state)
{
    (void)state;
    const struct ip_addr prefix = {{0xfd, 9}};
    const struct mac_addr router = {{2, 6, 7, 8, 9, 10}};
    uint8_t data[256];
    struct ndp_message ndp;
    size_t length = make_router_advertisement(data);
    assert_true(parse_new(data, length, &ndp));
    assert_int_equal(ndp.hop_limit, 64);
    assert_int_equal(ndp.router_lifetime_s, 1800);
    assert_true(ndp.has_link_address);
    assert_true(mac_eq(&ndp.link_address, &router));
    assert_int_equal(ndp.mtu, 1500);
    assert_true(ndp.has_prefix);
    assert_true(ndp.prefix_on_link);
    assert_true(ndp.prefix_autonomous);
    assert_int_equal(ndp.prefix_length, 64);
    assert_int_equal(ndp.prefix_valid_s, 0xfffffffe);
    assert_true(ip_addr_eq(&ndp.prefix, &prefix));
}

/* An advertisement ends where an option ends, and nowhere else. */
static void v10_message_cut_at_each_byte_parses_only_at_option_ends(void **state)
{
    (void)state;
    const size_t ends[] = {16, 24, 32, 48, 80, 112};
    uint8_t data[256];
    size_t whole = make_router_advertisement(data);
    for (size_t length = ICMP_HEADER; length <= whole; length++) {
        struct ndp_message ndp;
        bool at_end = false;
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
            at_end = at_end || ends[i] == length;
        }
        assert_int_equal(parse_new(data, length, &ndp), at_end);
    }
}

/* The first option of each message with every kind and length, in 32 bytes of options. */
static void v10_option_of_every_length_is_survived(void **state)
{
    (void)state;
    const uint8_t types[] = {133, 134, 135, 136};
    const size_t fixed[] = {8, 16, 24, 24};
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned n = 0; n < 65536; n++) {
            uint8_t data[56];
            struct ndp_message ndp;
            unsigned units = n >> 8;
            memset(data, 0, sizeof data);
            data[0] = types[i];
            for (size_t at = fixed[i]; at < fixed[i] + 32; at += 8) {
                data[at + 1] = 1; /* options of one unit, so that any whole number of units can be followed */
            }
            data[fixed[i]] = (uint8_t)n;
            data[fixed[i] + 1] = (uint8_t)units;
            assert_int_equal(parse_new(data, fixed[i] + 32, &ndp), units >= 1 && units <= 4);
        }
    }
}

static void option_of_another_length_is_skipped(void **state)
{
    (void)state;
    const uint8_t kinds[] = {1, 5, 3};
    const uint8_t units[] = {2, 2, 3};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t data[40] = {134};
        struct ndp_message ndp;
        data[16] = kinds[i];
        data[17] = units[i];
        memset(data + 18, 0x20, 22);
        assert_true(parse_new(data, 16 + units[i] * 8u, &ndp));
        assert_false(ndp.has_link_address);
        assert_false(ndp.has_prefix);
        assert_int_equal(ndp.mtu, 0);
    }
}

/* The source's address answers no "who has", nor the target's who asks. */
static void link_option_of_the_other_side_is_skipped(void **state)
{
    (void)state;
    const uint8_t types[] = {133, 134, 135, 136};
    const uint8_t wrong[] = {2, 2, 2, 1};
    const size_t fixed[] = {8, 16, 24, 24};
    for (unsigned i = 0; i < 4; i++) {
        uint8_t data[32] = {0};
        struct ndp_message ndp;
        data[0] = types[i];
        data[fixed[i]] = wrong[i];
        data[fixed[i] + 1] = 1;
        assert_true(parse_new(data, fixed[i] + 8, &ndp));
        assert_false(ndp.has_link_address);
        data[fixed[i]] = (uint8_t)(3 - wrong[i]);
        assert_true(parse_new(data, fixed[i] + 8, &ndp));
        assert_true(ndp.has_link_address);
    }
}

static void impossible_prefix_is_skipped(void **state)
{
    (void)state;
    uint8_t data[256];
    struct ndp_message ndp;
    size_t length = make_router_advertisement(data);
    data[50] = 129;
    assert_true(parse_new(data, length, &ndp));
    assert_int_equal(ndp.prefix_length, 48); /* the second one is now the first */
    data[50] = 128;
    assert_true(parse_new(data, length, &ndp));
    assert_int_equal(ndp.prefix_length, 128);
}

static void multicast_or_mapped_target_does_not_parse(void **state)
{
    (void)state;
    const uint8_t types[] = {135, 136};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t data[24] = {types[i]};
        struct ndp_message ndp;
        data[8] = 0xff;
        assert_false(parse_new(data, sizeof data, &ndp));
        data[8] = 0xfe;
        assert_true(parse_new(data, sizeof data, &ndp));
        memset(data + 8, 0, 16);
        memset(data + 18, 0xff, 2);
        assert_false(parse_new(data, sizeof data, &ndp));
    }
}

static void other_icmp_message_is_not_ndp(void **state)
{
    (void)state;
    uint8_t data[32] = {128};
    struct ndp_message ndp;
    assert_false(parse_new(data, sizeof data, &ndp));
    data[0] = 135;
    data[8] = 0xfd;
    assert_true(parse_new(data, 24, &ndp));
    data[1] = 1;
    assert_false(parse_new(data, 24, &ndp));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbour_solicitation_written_parses_back),
        cmocka_unit_test(solicitation_without_mac_has_no_option),
        cmocka_unit_test(neighbour_advertisement_written_parses_back),
        cmocka_unit_test(router_solicitation_written_parses_back),
        cmocka_unit_test(router_advertisement_says_all_it_has),
        cmocka_unit_test(v10_message_cut_at_each_byte_parses_only_at_option_ends),
        cmocka_unit_test(v10_option_of_every_length_is_survived),
        cmocka_unit_test(option_of_another_length_is_skipped),
        cmocka_unit_test(link_option_of_the_other_side_is_skipped),
        cmocka_unit_test(impossible_prefix_is_skipped),
        cmocka_unit_test(multicast_or_mapped_target_does_not_parse),
        cmocka_unit_test(other_icmp_message_is_not_ndp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
