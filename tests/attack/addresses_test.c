/*
 * Who may send and who is meant (RFC 1122 3.2.1.3, RFC 4291 2.4 to 2.7, MUST-57, MUST-63, V-30): sources that
 * cannot be, groups that nobody joined, addresses of another interface. Each is dropped with its reason and
 * brings nothing out, in whole packets and in fragments, before its protocol is looked at. The predicates are
 * also asked directly, at the edges of their ranges.
 */
#include "attack/victim.h"
#include "unit/ip_fixture.h"

#include "wire/address.h"

static const uint8_t group_of_ours[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2};
static const uint8_t all_nodes[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

/* ---- IPv4 ---- */

/* A SYN, an echo, and a fragment of each, from and to these: whether anything came of one of them. */
static bool heard_v4(struct victim *v, const uint8_t source[4], const uint8_t destination[4])
{
    bool heard = false;
    for (unsigned kind = 0; kind < 4; kind++) {
        uint8_t packet[64];
        if (kind & 1) {
            put_echo(packet, false, 12);
        } else {
            put_segment(packet, false, V_SYN, 9, 0);
        }
        memcpy(packet + 12, source, 4);
        memcpy(packet + 16, destination, 4);
        put16(packet + 6, kind & 2 ? 0x2000 : 0);
        put16(packet + 2, kind & 2 ? 36 : 40); /* two units of a fragment */
        seal_ipv4(packet);
        if (!(kind & 1)) {
            put16(packet + 36, 0);
            uint32_t sum = sum_bytes(packet + 12, 8, V_TCP + 20);
            put16(packet + 36, ~sum_bytes(packet + 20, 20, sum) & 0xffff);
        }
        victim_input(v, packet, kind & 2 ? 36 : 40);
        unsigned out = victim_drain(v);
        bool taken = out > 0 || v->drop == ESTAB_DROP_NONE;
        assert_true(kind == 0 || taken == heard); /* all four alike */
        assert_true(taken || v->drop == ESTAB_DROP_IP_ADDRESS || v->drop == ESTAB_DROP_IP_NOT_OURS);
        heard = taken;
    }
    victim_wait(v, 200 * VICTIM_SECOND); /* the handshake is given up */
    return heard;
}

/*
 * V-01, V-30: sources that are a group, nobody, loopback, ourselves, or a broadcast: nothing comes of them.
 */
static void v30_sources_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        uint8_t source[4];
        bool heard;
    } cases[] = {
        {{10, 9, 0, 1}, true},   {{0, 0, 0, 0}, false},     {{0, 1, 2, 3}, false},
        {{127, 0, 0, 1}, false}, {{127, 255, 0, 9}, false}, {{224, 0, 0, 1}, false},
        {{239, 1, 1, 1}, false}, {{240, 0, 0, 1}, false},   {{255, 255, 255, 255}, false},
        {{10, 9, 0, 2}, false},  {{10, 9, 0, 255}, false},  {{223, 255, 255, 255}, true},
        {{126, 0, 0, 1}, true},  {{1, 2, 3, 4}, true},
    };
    static const uint8_t us[4] = {10, 9, 0, 2};
    struct victim *v = victim_start(false);
    struct estab_addr any = estab_addr_ipv4(0, 0, 0, 0, 0);
    assert_int_equal(estab_route_add(v->stack, 1, &any, 0, NULL), 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (heard_v4(v, cases[i].source, us) != cases[i].heard) {
            fail_msg("source %u.%u.%u.%u", cases[i].source[0], cases[i].source[1], cases[i].source[2],
                     cases[i].source[3]);
        }
    }
    victim_stop(v);
}

/* V-30: destinations: ours, and no group, broadcast, loopback or neighbour. */
static void v30_destinations_that_are_not_ours(void **state)
{
    (void)state;
    static const struct {
        uint8_t destination[4];
        bool heard;
    } cases[] = {
        {{10, 9, 0, 2}, true},         {{10, 9, 0, 3}, false},  {{10, 9, 0, 255}, false},
        {{10, 9, 0, 0}, false},        {{224, 0, 0, 1}, false}, {{127, 0, 0, 1}, false},
        {{255, 255, 255, 255}, false}, {{0, 0, 0, 0}, false},
    };
    static const uint8_t peer[4] = {10, 9, 0, 1};
    struct victim *v = victim_start(false);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (heard_v4(v, peer, cases[i].destination) != cases[i].heard) {
            fail_msg("destination %u.%u.%u.%u", cases[i].destination[0], cases[i].destination[1],
                     cases[i].destination[2], cases[i].destination[3]);
        }
    }
    victim_stop(v);
}

/* V-30: a stack without IPv6 looks at an IPv4 group with ICMPv6's number, and at IPv6, without harm. */
static void v30_a_stack_without_ipv6(void **state)
{
    (void)state;
    int error = 0;
    const char *what = NULL;
    struct estab_config config;
    struct victim v = {.now = VICTIM_SECOND};
    victim_config(&config);
    config.ipv6 = NULL;
    v.memory = aligned_alloc(64, VICTIM_MEMORY);
    assert_non_null(v.memory);
    v.stack = estab_init(v.memory, VICTIM_MEMORY, &config, &error, &what);
    assert_non_null(v.stack);
    struct estab_interface interface = {.size = sizeof interface, .mtu = 1500};
    assert_int_equal(estab_interface_add(v.stack, v.now, &interface), 1);
    struct estab_addr own = victim_address(false, 2, 0);
    assert_int_equal(estab_address_add(v.stack, v.now, 1, &own, 24), 0);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        uint8_t packet[128];
        size_t length = put_echo(packet, v6, 24);
        if (!v6) {
            packet[9] = V_ICMPV6;
            put32(packet + 16, 0xe0000001);
            seal_ipv4(packet);
        }
        victim_input(&v, packet, length);
        assert_int_equal(v.drop, v6 ? ESTAB_DROP_LINK_TYPE : ESTAB_DROP_IP_ADDRESS);
        assert_int_equal(victim_drain(&v), 0);
    }
    victim_check(&v);
    free(v.memory);
}

/* ---- IPv6 ---- */

/*
 * A solicitation for our address, from and to these; with `parts` in two fragments, of which this is the
 * first.
 */
static unsigned solicited(struct victim *v, const uint8_t source[16], const uint8_t destination[16],
                          bool fragment)
{
    uint8_t frame[128];
    size_t at = v->ethernet ? put_ethernet(frame, 0x86dd) : 0;
    uint8_t *ip = frame + at;
    put_ipv6(ip, fragment ? 44 : V_ICMPV6, fragment ? 8 + 24 : 24);
    memcpy(ip + 8, source, 16);
    memcpy(ip + 24, destination, 16);
    at += 40;
    if (fragment) {
        memset(frame + at, 0, 8);
        frame[at] = V_ICMPV6;
        frame[at + 3] = 1;
        at += 8;
    }
    memset(frame + at, 0, 24);
    frame[at] = 135;
    memcpy(frame + at + 8, victim_address(true, 2, 0).ip, 16);
    uint32_t sum = sum_bytes(ip + 8, 32, V_ICMPV6 + 24);
    put16(frame + at + 2, ~sum_bytes(frame + at, 24, sum) & 0xffff);
    victim_input(v, frame, at + 24);
    return victim_drain(v);
}

/*
 * V-10, V-30: groups are heard that are ours by RFC 4861, on a link with addresses, in whole packets, and no
 * others.
 */
static void v30_groups_that_nobody_joined(void **state)
{
    (void)state;
    struct victim *v = victim_start(true);
    struct estab_addr peer = victim_address(true, 1, 0);
    uint8_t group[16];
    assert_int_equal(solicited(v, peer.ip, group_of_ours, false), 1);
    assert_int_equal(solicited(v, peer.ip, all_nodes, false), 1);
    assert_int_equal(solicited(v, peer.ip, group_of_ours, true), 0);
    assert_int_equal(v->drop, ESTAB_DROP_IP_ADDRESS);
    for (unsigned at = 0; at < 16; at++) {
        memcpy(group, group_of_ours, 16);
        group[at] ^= at == 0 ? 0 : 0x20;
        unsigned answers = solicited(v, peer.ip, group, false);
        assert_int_equal(answers, at == 0);
        assert_int_equal(v->drop, at == 0 ? ESTAB_DROP_NONE : ESTAB_DROP_IP_ADDRESS);
    }
    memcpy(group, group_of_ours, 16);
    memcpy(group + 13, (const uint8_t[3]){9, 0, 2}, 3); /* what the IPv4 address would join */
    assert_int_equal(solicited(v, peer.ip, group, false), 0);
    assert_int_equal(v->drop, ESTAB_DROP_IP_ADDRESS);
    victim_stop(v);
    v = victim_start(false); /* a link without addresses has no neighbours */
    assert_int_equal(solicited(v, peer.ip, group_of_ours, false), 0);
    assert_int_equal(v->drop, ESTAB_DROP_IP_ADDRESS);
    assert_int_equal(solicited(v, peer.ip, victim_address(true, 2, 0).ip, false), 0);
    assert_int_equal(v->drop, ESTAB_DROP_ARP);
    victim_stop(v);
}

/* V-30: IPv6 sources: nobody may only ask a group (RFC 4861 7.1.1), no group asks at all. */
static void v30_sources_of_solicitations(void **state)
{
    (void)state;
    static const uint8_t nobody[16] = {0}, group[16] = {0xff, 2, [15] = 9}, loopback[16] = {[15] = 1};
    struct estab_addr us = victim_address(true, 2, 0);
    struct victim *v = victim_start(true);
    assert_int_equal(solicited(v, nobody, group_of_ours, false), 1);
    assert_int_equal(solicited(v, nobody, us.ip, false), 0);
    assert_int_equal(v->drop, ESTAB_DROP_IP_ADDRESS);
    assert_int_equal(solicited(v, group, group_of_ours, false), 0);
    assert_int_equal(v->drop, ESTAB_DROP_IP_ADDRESS);
    assert_int_equal(solicited(v, loopback, us.ip, false), 0);
    assert_int_equal(v->drop, ESTAB_DROP_IP_ADDRESS);
    assert_int_equal(solicited(v, us.ip, us.ip, false), 0);
    assert_int_equal(v->drop, ESTAB_DROP_IP_ADDRESS);
    victim_stop(v);
}

/* An echo request to `destination` that comes in on interface 1: whether it was answered. */
static bool echoed(struct victim *v, const uint8_t destination[16], bool v6)
{
    uint8_t frame[128];
    size_t at = put_ethernet(frame, v6 ? 0x86dd : 0x0800);
    uint8_t *ip = frame + at;
    size_t length = put_echo(ip, v6, 16);
    memcpy(ip + (v6 ? 24 : 16), destination + (v6 ? 0 : 12), v6 ? 16 : 4);
    if (v6) {
        put16(ip + 42, 0);
        uint32_t sum = sum_bytes(ip + 8, 32, V_ICMPV6 + 24);
        put16(ip + 42, ~sum_bytes(ip + 40, 24, sum) & 0xffff);
    } else {
        seal_ipv4(ip);
    }
    victim_input(v, frame, at + length);
    return victim_drain(v) > 0;
}

/*
 * V-30: an address of another interface is ours here, too (RFC 1122 3.3.4.2), but for what means one link
 * only.
 */
static void v30_addresses_of_another_interface(void **state)
{
    (void)state;
    struct victim *v = victim_start(true);
    struct estab_interface second = {
        .size = sizeof second, .mtu = 1500, .ethernet = true, .mac = {2, 0, 0, 0, 0, 7}};
    assert_int_equal(estab_interface_add(v->stack, v->now, &second), 2);
    struct estab_addr far6 = {.ip = {0xfd, 0x77, [15] = 3}}, link6 = {.ip = {0xfe, 0x80, [15] = 3}};
    struct estab_addr far4 = estab_addr_ipv4(10, 77, 0, 3, 0), link4 = estab_addr_ipv4(169, 254, 0, 3, 0);
    assert_int_equal(estab_address_add(v->stack, v->now, 2, &far6, 64), 0);
    assert_int_equal(estab_address_add(v->stack, v->now, 2, &link6, 64), 0);
    assert_int_equal(estab_address_add(v->stack, v->now, 2, &far4, 24), 0);
    assert_int_equal(estab_address_add(v->stack, v->now, 2, &link4, 16), 0);
    victim_drain(v);
    assert_true(echoed(v, far6.ip, true));
    assert_true(echoed(v, far4.ip, false));
    assert_true(echoed(v, link4.ip, false));
    assert_false(echoed(v, link6.ip, true));
    assert_int_equal(v->drop, ESTAB_DROP_IP_NOT_OURS);
    victim_stop(v);
}

/* ---- asked directly ---- */

/* V-30: the predicates at the edges of their ranges. */
static void v30_kinds_of_addresses_at_their_edges(void **state)
{
    (void)state;
    struct ip_addr near[] = {v4(169, 253, 0, 1), v4(10, 254, 0, 1), v4(170, 254, 0, 1),
                             {{0x10, 0x80}},     {{0xfe, 0xc0}},    {{0xfe, 0x40}}};
    struct ip_addr local[] = {v4(169, 254, 0, 0), v4(169, 254, 255, 255), {{0xfe, 0x80}}, {{0xfe, 0xbf}}};
    for (unsigned i = 0; i < sizeof near / sizeof near[0]; i++) {
        assert_false(ip_addr_is_link_local(&near[i]));
    }
    for (unsigned i = 0; i < sizeof local / sizeof local[0]; i++) {
        assert_true(ip_addr_is_link_local(&local[i]));
    }
}

/* V-09: with no replies allowed at all, no echo is answered. */
static void v09_an_allowance_of_nothing(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.replies_per_second = 0;
    struct fixture *f = fixture_with(&config, false);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t packet[64];
        struct estab_packet in = {.data = packet, .interface = 1};
        in.length = (uint32_t)put_echo(packet, false, 8);
        ip_input(f->ip, f->now, &in, &f->received);
        assert_int_equal(f->received.drop, ESTAB_DROP_REPLY_LIMIT);
        f->now += SECOND;
    }
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v30_sources_that_cannot_be),
        cmocka_unit_test(v30_destinations_that_are_not_ours),
        cmocka_unit_test(v30_a_stack_without_ipv6),
        cmocka_unit_test(v30_groups_that_nobody_joined),
        cmocka_unit_test(v30_sources_of_solicitations),
        cmocka_unit_test(v30_addresses_of_another_interface),
        cmocka_unit_test(v30_kinds_of_addresses_at_their_edges),
        cmocka_unit_test(v09_an_allowance_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
