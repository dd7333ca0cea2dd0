/*
 * Tests of wire/address: kinds of addresses and prefixes, each at the edges of its range, for both versions.
 *
 * Expected: RFC 1122 3.2.1.3 and RFC 6890 for IPv4, RFC 4291 2.4 for IPv6.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/address.h"

static struct ip_addr v4(uint32_t address)
{
    uint8_t bytes[4];
    put_be32(bytes, address);
    return ip_addr_v4(bytes);
}

static struct ip_addr v6(uint32_t first, uint32_t last)
{
    uint8_t bytes[16] = {0};
    put_be32(bytes, first);
    put_be32(bytes + 12, last);
    return ip_addr_v6(bytes);
}

struct kinds {
    struct ip_addr address;
    bool any, multicast, broadcast, loopback, link_local, unicast;
};

static void check(struct kinds k)
{
    assert_int_equal(ip_addr_is_any(&k.address), k.any);
    assert_int_equal(ip_addr_is_multicast(&k.address), k.multicast);
    assert_int_equal(ip_addr_is_limited_broadcast(&k.address), k.broadcast);
    assert_int_equal(ip_addr_is_loopback(&k.address), k.loopback);
    assert_int_equal(ip_addr_is_link_local(&k.address), k.link_local);
    assert_int_equal(ip_addr_is_unicast(&k.address), k.unicast);
}

static void v4_kinds_at_their_edges(void **state)
{
    (void)state;
    check((struct kinds){.address = v4(0), .any = true});
    check((struct kinds){.address = v4(0x00000001)});
    check((struct kinds){.address = v4(0x00ffffff)});
    check((struct kinds){.address = v4(0x01000000), .unicast = true});
    check((struct kinds){.address = v4(0x7effffff), .unicast = true});
    check((struct kinds){.address = v4(0x7f000000), .loopback = true, .unicast = true});
    check((struct kinds){.address = v4(0x7fffffff), .loopback = true, .unicast = true});
    check((struct kinds){.address = v4(0x80000000), .unicast = true});
    check((struct kinds){.address = v4(0xa9fdffff), .unicast = true});
    check((struct kinds){.address = v4(0xa9fe0000), .link_local = true, .unicast = true});
    check((struct kinds){.address = v4(0xa9feffff), .link_local = true, .unicast = true});
    check((struct kinds){.address = v4(0xa9ff0000), .unicast = true});
    check((struct kinds){.address = v4(0xdfffffff), .unicast = true});
    check((struct kinds){.address = v4(0xe0000000), .multicast = true});
    check((struct kinds){.address = v4(0xefffffff), .multicast = true});
    check((struct kinds){.address = v4(0xf0000000)});
    check((struct kinds){.address = v4(0xfffffffe)});
    check((struct kinds){.address = v4(0xffffffff), .multicast = true, .broadcast = true});
}

static void v6_kinds_at_their_edges(void **state)
{
    (void)state;
    check((struct kinds){.address = v6(0, 0), .any = true});
    check((struct kinds){.address = v6(0, 1), .loopback = true, .unicast = true});
    check((struct kinds){.address = v6(0, 2), .unicast = true});
    check((struct kinds){.address = v6(0x20010db8, 1), .unicast = true});
    check((struct kinds){.address = v6(0xfd090000, 2), .unicast = true});
    check((struct kinds){.address = v6(0xfe7fffff, 2), .unicast = true});
    check((struct kinds){.address = v6(0xfe800000, 2), .link_local = true, .unicast = true});
    check((struct kinds){.address = v6(0xfebfffff, 2), .link_local = true, .unicast = true});
    check((struct kinds){.address = v6(0xfec00000, 2), .unicast = true});
    check((struct kinds){.address = v6(0xfeffffff, 2), .unicast = true});
    check((struct kinds){.address = v6(0xff000000, 0), .multicast = true});
    check((struct kinds){.address = v6(0xffffffff, 0xffffffff), .multicast = true});
}

static void equal_only_when_all_bytes_are(void **state)
{
    (void)state;
    struct ip_addr a = v6(0x20010db8, 1);
    for (unsigned bit = 0; bit < 128; bit++) {
        struct ip_addr b = a;
        assert_true(ip_addr_eq(&a, &b));
        b.b[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(ip_addr_eq(&a, &b));
    }
}

/* For every prefix length: a difference in bit n matters if and only if n lies within the prefix. */
static void prefix_looks_at_its_bits_only(void **state)
{
    (void)state;
    struct ip_addr networks[2] = {v6(0xfd095a5a, 0xa5a5a5a5), v4(0x0a095aa5)};
    for (unsigned version = 0; version < 2; version++) {
        unsigned first = version == 0 ? 0 : 96;
        for (unsigned prefix = 0; prefix <= 128 - first; prefix++) {
            assert_true(ip_addr_in_prefix(&networks[version], &networks[version], prefix));
            for (unsigned bit = 0; bit < 128 - first; bit++) {
                struct ip_addr a = networks[version];
                a.b[(first + bit) / 8] ^= (uint8_t)(0x80u >> (bit % 8));
                assert_int_equal(ip_addr_in_prefix(&a, &networks[version], prefix), bit >= prefix);
            }
        }
    }
}

static void prefix_of_the_other_version_never_matches(void **state)
{
    (void)state;
    struct ip_addr a4 = v4(0x0a090002);
    struct ip_addr a6 = v6(0xfd090000, 2);
    struct ip_addr any4 = v4(0);
    struct ip_addr any6 = v6(0, 0);
    assert_true(ip_addr_in_prefix(&a4, &any4, 0));
    assert_true(ip_addr_in_prefix(&a6, &any6, 0));
    assert_false(ip_addr_in_prefix(&a4, &any6, 0));
    assert_false(ip_addr_in_prefix(&a6, &any4, 0));
}

static void prefix_longer_than_an_address_never_matches(void **state)
{
    (void)state;
    struct ip_addr a4 = v4(0x0a090002);
    struct ip_addr a6 = v6(0xfd090000, 2);
    assert_false(ip_addr_in_prefix(&a4, &a4, 33));
    assert_false(ip_addr_in_prefix(&a4, &a4, 255));
    assert_false(ip_addr_in_prefix(&a4, &a4, 0xffffffff));
    assert_false(ip_addr_in_prefix(&a6, &a6, 129));
    assert_false(ip_addr_in_prefix(&a6, &a6, 0xffffffff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_kinds_at_their_edges),
        cmocka_unit_test(v6_kinds_at_their_edges),
        cmocka_unit_test(equal_only_when_all_bytes_are),
        cmocka_unit_test(prefix_looks_at_its_bits_only),
        cmocka_unit_test(prefix_of_the_other_version_never_matches),
        cmocka_unit_test(prefix_longer_than_an_address_never_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
