/*
 * Tests of wire/ethernet: what is written parses back, short frames and frames of other networks do not
 * parse.
 * Short ones lie in heap blocks of their exact length, so that a sanitizer sees a byte too many (V-10).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/ethernet.h"

static const struct mac_addr here = {{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}};
static const struct mac_addr there = {{0x02, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5}};

static void header_written_parses_back(void **state)
{
    (void)state;
    const uint16_t types[] = {ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6, 0x0600, 0x88cc, 0xffff};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        uint8_t data[60] = {0};
        struct ethernet_frame frame;
        ethernet_write(data, &there, &here, types[i]);
        assert_true(ethernet_parse(data, sizeof data, &frame));
        assert_true(mac_eq(&frame.destination, &there));
        assert_true(mac_eq(&frame.source, &here));
        assert_int_equal(frame.type, types[i]);
        assert_ptr_equal(frame.payload, data + ETHERNET_HEADER);
        assert_int_equal(frame.length, sizeof data - ETHERNET_HEADER);
    }
}

static void v10_short_frame_does_not_parse(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 60; length++) {
        uint8_t whole[60] = {0};
        struct ethernet_frame frame;
        ethernet_write(whole, &there, &here, ETHERTYPE_IPV4);
        uint8_t *data = malloc(length > 0 ? length : 1);
        assert_non_null(data);
        memcpy(data, whole, length);
        assert_int_equal(ethernet_parse(data, length, &frame), length >= ETHERNET_HEADER);
        free(data);
    }
}

static void length_field_or_vlan_tag_does_not_parse(void **state)
{
    (void)state;
    const uint16_t types[] = {0, 1, 46, 1500, 0x05ff, 0x8100, 0x88a8};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        uint8_t data[60] = {0};
        struct ethernet_frame frame;
        ethernet_write(data, &there, &here, types[i]);
        assert_false(ethernet_parse(data, sizeof data, &frame));
    }
}

static void mac_kinds_are_told_apart(void **state)
{
    (void)state;
    struct mac_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    struct mac_addr multicast = {{0x33, 0x33, 0xff, 0, 0, 1}};
    assert_true(mac_is_group(&broadcast));
    assert_true(mac_is_group(&multicast));
    assert_false(mac_is_group(&here));
    assert_true(mac_is_broadcast(&broadcast));
    assert_false(mac_is_broadcast(&multicast));
    for (unsigned i = 0; i < 6; i++) {
        struct mac_addr other = broadcast;
        other.b[i] = 0xfe;
        assert_false(mac_is_broadcast(&other));
        assert_false(mac_eq(&other, &broadcast));
    }
    assert_true(mac_eq(&here, &here));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_written_parses_back),
        cmocka_unit_test(v10_short_frame_does_not_parse),
        cmocka_unit_test(length_field_or_vlan_tag_does_not_parse),
        cmocka_unit_test(mac_kinds_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
