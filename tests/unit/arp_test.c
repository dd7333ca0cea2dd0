/*
 * Tests of wire/arp: the bytes of RFC 826, there and back, every length, and every field that must have its
 * one value (V-10).
 * Short packets lie in heap blocks of their exact length, so that a sanitizer sees a byte too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/arp.h"

static const struct arp_packet reply = {
    .operation = ARP_REPLY,
    .sender_mac = {{2, 1, 2, 3, 4, 5}},
    .sender_ip = {10, 9, 0, 2},
    .target_mac = {{2, 6, 7, 8, 9, 10}},
    .target_ip = {10, 9, 0, 1},
};

static const uint8_t reply_bytes[ARP_LENGTH] = {0,  1, 8, 0, 6, 4, 0, 2, 2, 1,  2,  3, 4, 5,
                                                10, 9, 0, 2, 2, 6, 7, 8, 9, 10, 10, 9, 0, 1};

static void packet_written_is_rfc826(void **state)
{
    (void)state;
    uint8_t out[ARP_LENGTH];
    memset(out, 0x5a, sizeof out);
    arp_write(out, &reply);
    assert_memory_equal(out, reply_bytes, sizeof out);
}

static void packet_written_parses_back(void **state)
{
    (void)state;
    uint8_t out[ARP_LENGTH];
    struct arp_packet arp;
    arp_write(out, &reply);
    assert_true(arp_parse(out, sizeof out, &arp));
    assert_int_equal(arp.operation, ARP_REPLY);
    assert_true(mac_eq(&arp.sender_mac, &reply.sender_mac));
    assert_true(mac_eq(&arp.target_mac, &reply.target_mac));
    assert_memory_equal(arp.sender_ip, reply.sender_ip, 4);
    assert_memory_equal(arp.target_ip, reply.target_ip, 4);
}

static void v10_packet_parses_only_when_all_of_it_arrived(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 46; length++) {
        struct arp_packet arp;
        uint8_t *data = calloc(1, length > 0 ? length : 1);
        assert_non_null(data);
        memcpy(data, reply_bytes, length < ARP_LENGTH ? length : ARP_LENGTH);
        assert_int_equal(arp_parse(data, length, &arp), length >= ARP_LENGTH);
        free(data);
    }
}

static void v10_other_hardware_or_protocol_does_not_parse(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 6; at++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t data[ARP_LENGTH];
            struct arp_packet arp;
            memcpy(data, reply_bytes, sizeof data);
            data[at] = (uint8_t)value;
            assert_int_equal(arp_parse(data, sizeof data, &arp), value == reply_bytes[at]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packet_written_is_rfc826),
        cmocka_unit_test(packet_written_parses_back),
        cmocka_unit_test(v10_packet_parses_only_when_all_of_it_arrived),
        cmocka_unit_test(v10_other_hardware_or_protocol_does_not_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
