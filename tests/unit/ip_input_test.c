/*
 * What the Internet layer lets in: link headers, IP headers with options and extension headers (V-05, V-06),
 * and addresses (V-30, MUST-57, MUST-63). Everything that is not a whole packet from a host that can exist to
 * an address of ours is dropped with its reason, and nothing is ever sent back.
 */
#include "ip_fixture.h"

static const uint8_t segment[20] = {0x12, 0x34, 0x00, 0x50, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 0, 0x50, 0x02};

static struct header from_peer(bool six)
{
    struct header h = {.from = v4(10, 9, 0, 1), .to = v4(10, 9, 0, 2), .protocol = IP_PROTOCOL_TCP};
    if (six) {
        h.from = v6(0xfd09, 1);
        h.to = v6(0xfd09, 2);
    }
    return h;
}

static void tcp_to_our_address_is_handed_up(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    for (unsigned six = 0; six < 2; six++) {
        struct fixture *f = fixture_with(&config, false);
        struct header h = from_peer(six != 0);
        uint8_t out[128];
        size_t length = ip_packet(out, &h, segment, sizeof(segment));
        struct ip_received *r = put(f, 1, out, length);
        assert_int_equal(r->kind, IP_RECEIVED_TCP);
        assert_int_equal(r->drop, ESTAB_DROP_NONE);
        assert_int_equal(r->interface, 1);
        assert_int_equal(r->datagram.length, sizeof(segment));
        assert_memory_equal(r->datagram.payload, segment, sizeof(segment));
        assert_true(ip_addr_eq(&r->datagram.source, &h.from));
        expect_silence(f);
        fixture_destroy(f);
    }
}

static void tcp_in_a_padded_frame_is_trimmed(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, true);
    uint8_t packet[128] = {0};
    uint8_t out[128];
    struct header h = from_peer(false);
    (void)ip_packet(packet, &h, segment, sizeof(segment));
    size_t length = frame(out, &OUR_MAC, ETHERTYPE_IPV4, packet, 46);
    assert_int_equal(put(f, 1, out, length)->kind, IP_RECEIVED_TCP);
    assert_int_equal(f->received.datagram.length, sizeof(segment));
    assert_int_equal(ip_next_deadline(f->ip),
                     START); /* only the router solicitation that the address made due */
    fixture_destroy(f);
}

static void frame_not_for_us_is_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, true);
    uint8_t packet[128];
    uint8_t out[128];
    struct header h = from_peer(false);
    size_t length = ip_packet(packet, &h, segment, sizeof(segment));
    size_t whole = frame(out, &OTHER_MAC, ETHERTYPE_IPV4, packet, length);
    expect_drop(f, out, whole, ESTAB_DROP_LINK_HEADER);
    (void)frame(out, &BROADCAST_MAC, ETHERTYPE_IPV4, packet, length); /* RFC 1122 3.3.6 */
    expect_drop(f, out, whole, ESTAB_DROP_LINK_HEADER);
    (void)frame(out, &OUR_MAC, 0x88cc, packet, length);
    expect_drop(f, out, whole, ESTAB_DROP_LINK_TYPE);
    (void)frame(out, &OUR_MAC, ETHERTYPE_IPV6, packet, length);
    expect_drop(f, out, whole, ESTAB_DROP_IP_HEADER);
    (void)frame(out, &OUR_MAC, ETHERTYPE_IPV4, packet, length);
    memcpy(out + 6, OUR_MAC.b, 6); /* our own frame come back */
    expect_drop(f, out, whole, ESTAB_DROP_LINK_HEADER);
    memcpy(out + 6, BROADCAST_MAC.b, 6);
    expect_drop(f, out, whole, ESTAB_DROP_LINK_HEADER);
    assert_int_equal(put(f, 2, out, whole)->drop, ESTAB_DROP_INTERFACE);
    assert_int_equal(put(f, 0, out, whole)->drop, ESTAB_DROP_INTERFACE);
    expect_silence(f);
    fixture_destroy(f);
}

static void ipv4_only_build_drops_ipv6(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.ipv6 = NULL;
    for (unsigned ethernet = 0; ethernet < 2; ethernet++) {
        struct fixture *f = fixture_with(&config, ethernet != 0);
        uint8_t packet[128];
        uint8_t out[128];
        struct header h = from_peer(true);
        size_t length = ip_packet(packet, &h, segment, sizeof(segment));
        if (ethernet != 0) {
            length = frame(out, &OUR_MAC, ETHERTYPE_IPV6, packet, length);
        } else {
            memcpy(out, packet, length);
        }
        expect_drop(f, out, length, ESTAB_DROP_LINK_TYPE);
        struct ip_addr six = v6(0xfd09, 2);
        assert_int_equal(ip_address_add(f->ip, f->now, 1, &six, 64), -ESTAB_EAFNOSUPPORT);
        assert_int_equal(ip_route_add(f->ip, 1, &six, 64, NULL), -ESTAB_EAFNOSUPPORT);
        assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
        expect_silence(f);
        fixture_destroy(f);
    }
}

static void truncated_at_every_byte_is_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    for (unsigned six = 0; six < 2; six++) {
        struct fixture *f = fixture_with(&config, false);
        uint8_t out[128];
        struct header h = from_peer(six != 0);
        size_t length = ip_packet(out, &h, segment, sizeof(segment));
        for (size_t i = 0; i < length; i++) {
            expect_drop(f, out, i, ESTAB_DROP_IP_HEADER);
        }
        fixture_destroy(f);
    }
}

/* ---- V-05 ---- */

static size_t with_options(uint8_t *out, const uint8_t *options, size_t length, bool echo)
{
    uint8_t ping[16] = {8, 0};
    struct header h = from_peer(false);
    size_t packet =
        echo ? icmp_packet(out, &h, ping, sizeof(ping)) : ip_packet(out, &h, segment, sizeof(segment));
    memmove(out + IPV4_HEADER + length, out + IPV4_HEADER, packet - IPV4_HEADER);
    memcpy(out + IPV4_HEADER, options, length);
    out[0] = (uint8_t)(0x40 | ((IPV4_HEADER + length) / 4));
    put_be16(out + 2, (unsigned)(packet + length));
    memset(out + 10, 0, 2);
    checksum_put(out + 10, checksum_sum(out, IPV4_HEADER + length));
    return packet + length;
}

/* MUST-50 */
static void v05_every_option_kind_and_length_is_skipped_or_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[256];
    for (unsigned kind = 0; kind < 256; kind++) {
        for (unsigned length = 0; length <= 41; length++) {
            uint8_t options[40] = {(uint8_t)kind, (uint8_t)length};
            struct ip_received *r = put(f, 1, out, with_options(out, options, sizeof(options), false));
            bool single = kind < 2;
            bool broken = !single && (length < 2 || length > 40);
            bool routed = kind == 131 || kind == 137;
            if (kind == 1) {
                continue; /* after a NOP the length stands as a kind */
            }
            assert_int_equal(r->drop, broken || routed ? ESTAB_DROP_IP_OPTION : ESTAB_DROP_NONE);
            assert_int_equal(r->kind, broken || routed ? IP_RECEIVED_NOTHING : IP_RECEIVED_TCP);
        }
    }
    expect_silence(f);
    fixture_destroy(f);
}

static void v05_options_are_not_echoed(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[256];
    uint8_t record_route[8] = {7, 7, 4, 0, 0, 0, 0, 0};
    assert_int_equal(put(f, 1, out, with_options(out, record_route, 8, true))->drop, ESTAB_DROP_NONE);
    assert_true(pull(f));
    assert_int_equal(f->out[0], 0x45);
    assert_int_equal(f->pulled.length, IPV4_HEADER + 16);
    uint8_t routes[16] = {131, 7, 4, 0, 0, 0, 0, 137, 7, 4, 0, 0, 0, 0, 0, 0};
    expect_drop(f, out, with_options(out, routes, 16, true), ESTAB_DROP_IP_OPTION);
    expect_silence(f);
    fixture_destroy(f);
}

/* ---- V-06 ---- */

static void v06_chains_of_extension_headers_are_bounded(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t payload[64 * 8 + 20];
    uint8_t out[sizeof(payload) + IPV6_HEADER];
    for (unsigned count = 0; count <= 64; count++) {
        memset(payload, 0, sizeof(payload));
        for (unsigned i = 0; i < count; i++) {
            payload[i * 8] = i + 1 < count ? 60 : IP_PROTOCOL_TCP; /* destination options, padded */
            payload[i * 8 + 2] = 1;
            payload[i * 8 + 3] = 4;
        }
        struct header h = from_peer(true);
        h.protocol = count > 0 ? 60 : IP_PROTOCOL_TCP;
        size_t length = ip_packet(out, &h, payload, count * 8 + 20);
        struct ip_received *r = put(f, 1, out, length);
        bool allowed = count <= IPV6_MAX_EXTENSIONS;
        assert_int_equal(r->kind, allowed ? IP_RECEIVED_TCP : IP_RECEIVED_NOTHING);
        assert_int_equal(r->drop, allowed ? ESTAB_DROP_NONE : ESTAB_DROP_IP_EXTENSION);
        for (size_t i = 0; i < length; i++) {
            (void)put(f, 1, out, i);
            assert_int_equal(f->received.kind, IP_RECEIVED_NOTHING);
        }
    }
    expect_silence(f);
    fixture_destroy(f);
}

static void v06_every_extension_length_stays_in_bounds(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {0, 43, 44, 50, 51, 59, 60, 135, 139, 255};
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t payload[60] = {0};
    uint8_t out[128];
    for (unsigned k = 0; k < sizeof(kinds); k++) {
        for (unsigned length = 0; length < 256; length++) {
            struct header h = from_peer(true);
            h.protocol = kinds[k];
            payload[0] = IP_PROTOCOL_TCP;
            payload[1] = (uint8_t)length;
            struct ip_received *r = put(f, 1, out, ip_packet(out, &h, payload, sizeof(payload)));
            if (r->kind == IP_RECEIVED_TCP) {
                assert_true(r->datagram.payload + r->datagram.length <=
                            f->last + IPV6_HEADER + sizeof(payload));
            }
        }
    }
    expect_silence(f);
    fixture_destroy(f);
}

/* ---- V-30 and addresses ---- */

struct address_case {
    struct ip_addr from, to;
    enum estab_drop drop;
};

static void check_addresses(const struct address_case *cases, unsigned count, bool ethernet)
{
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, ethernet);
    for (unsigned i = 0; i < count; i++) {
        uint8_t packet[128];
        uint8_t out[128];
        struct header h = {.from = cases[i].from, .to = cases[i].to, .protocol = IP_PROTOCOL_TCP};
        size_t length = ip_packet(packet, &h, segment, sizeof(segment));
        memcpy(out, packet, length);
        if (ethernet) {
            unsigned type = ip_addr_is_v4(&h.to) ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
            length = frame(out, &OUR_MAC, type, packet, length);
        }
        struct ip_received *r = put(f, 1, out, length);
        if (r->drop != cases[i].drop) {
            fail_msg("case %u: drop %u, expected %u", i, (unsigned)r->drop, (unsigned)cases[i].drop);
        }
        assert_int_equal(r->kind, cases[i].drop == ESTAB_DROP_NONE ? IP_RECEIVED_TCP : IP_RECEIVED_NOTHING);
        expect_silence(f);
    }
    fixture_destroy(f);
}

static void v30_martians_are_dropped_with_nothing_sent(void **state)
{
    (void)state;
    struct ip_addr us = v4(10, 9, 0, 2);
    struct ip_addr us6 = v6(0xfd09, 2);
    struct ip_addr peer = v4(10, 9, 0, 1);
    struct ip_addr peer6 = v6(0xfd09, 1);
    const struct address_case cases[] = {
        {us, us, ESTAB_DROP_IP_ADDRESS}, /* LAND */
        {us6, us6, ESTAB_DROP_IP_ADDRESS},
        {v4(127, 0, 0, 1), us, ESTAB_DROP_IP_ADDRESS},
        {v4(127, 9, 9, 9), us, ESTAB_DROP_IP_ADDRESS},
        {v4(0, 0, 0, 0), us, ESTAB_DROP_IP_ADDRESS},
        {v4(0, 1, 2, 3), us, ESTAB_DROP_IP_ADDRESS},
        {v4(224, 0, 0, 1), us, ESTAB_DROP_IP_ADDRESS},
        {v4(239, 255, 255, 255), us, ESTAB_DROP_IP_ADDRESS},
        {v4(240, 0, 0, 1), us, ESTAB_DROP_IP_ADDRESS},
        {v4(255, 255, 255, 255), us, ESTAB_DROP_IP_ADDRESS},
        {v4(10, 9, 0, 255), us, ESTAB_DROP_IP_ADDRESS},
        {v6(0, 0), us6, ESTAB_DROP_IP_ADDRESS},
        {v6(0, 1), us6, ESTAB_DROP_IP_ADDRESS},
        {v6(0xff02, 1), us6, ESTAB_DROP_IP_ADDRESS},
        {peer, v4(127, 0, 0, 1), ESTAB_DROP_IP_ADDRESS},
        {peer, v4(0, 0, 0, 0), ESTAB_DROP_IP_ADDRESS},
        {peer, v4(224, 0, 0, 1), ESTAB_DROP_IP_ADDRESS},
        {peer, v4(255, 255, 255, 255), ESTAB_DROP_IP_ADDRESS},
        {peer, v4(10, 9, 0, 255), ESTAB_DROP_IP_ADDRESS},
        {peer, v4(10, 9, 0, 3), ESTAB_DROP_IP_NOT_OURS},
        {peer6, v6(0, 1), ESTAB_DROP_IP_ADDRESS},
        {peer6, v6(0, 0), ESTAB_DROP_IP_ADDRESS},
        {peer6, v6(0xff02, 1), ESTAB_DROP_IP_ADDRESS}, /* MUST-57, also where NDP would be heard */
        {peer6, v6(0xff02, 2), ESTAB_DROP_IP_ADDRESS},
        {peer6, v6(0xfd09, 3), ESTAB_DROP_IP_NOT_OURS},
        {peer6, v6(0xfe80, 2), ESTAB_DROP_IP_NOT_OURS},
        {v4(10, 9, 0, 254), us, ESTAB_DROP_NONE},
        {v4(10, 9, 1, 255), us, ESTAB_DROP_NONE},
        {v4(1, 1, 1, 1), us, ESTAB_DROP_NONE},
        {v6(0x2001, 1), us6, ESTAB_DROP_NONE},
        {v6(0xfe80, 9), us6, ESTAB_DROP_NONE},
    };
    check_addresses(cases, sizeof(cases) / sizeof(cases[0]), false);
    check_addresses(cases, sizeof(cases) / sizeof(cases[0]), true);
}

static void v30_our_other_address_as_source_is_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    (void)fixture_interface(f, false);
    uint8_t out[128];
    struct header h = from_peer(false);
    h.from = v4(10, 8, 0, 2);
    size_t length = ip_packet(out, &h, segment, sizeof(segment));
    assert_int_equal(put(f, 1, out, length)->kind, IP_RECEIVED_TCP);
    assert_int_equal(ip_address_add(f->ip, f->now, 2, &h.from, 24), 0);
    expect_drop(f, out, length, ESTAB_DROP_IP_ADDRESS);
    fixture_destroy(f);
}

static void mapped_address_in_ipv6_is_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[128];
    struct header h = from_peer(true);
    struct ip_addr mapped = v4(10, 9, 0, 1);
    size_t length = ip_packet(out, &h, segment, sizeof(segment));
    memcpy(out + 8, mapped.b, 16);
    expect_drop(f, out, length, ESTAB_DROP_IP_HEADER);
    fixture_destroy(f);
}

static void accepting_interface_takes_every_unicast_destination(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_create(&config);
    struct estab_interface setup = {.size = sizeof(setup), .mtu = 1500, .accept_any_address = true};
    assert_int_equal(ip_interface_add(f->ip, f->now, &setup), 1);
    uint8_t out[128];
    struct header h = from_peer(false);
    h.to = v4(93, 184, 216, 34);
    assert_int_equal(put(f, 1, out, ip_packet(out, &h, segment, 20))->kind, IP_RECEIVED_TCP);
    h.from = h.to; /* LAND for an address that is everybody's */
    expect_drop(f, out, ip_packet(out, &h, segment, 20), ESTAB_DROP_IP_ADDRESS);
    h = from_peer(true);
    assert_int_equal(put(f, 1, out, ip_packet(out, &h, segment, 20))->kind, IP_RECEIVED_TCP);
    h.to = v6(0xff0e, 1);
    expect_drop(f, out, ip_packet(out, &h, segment, 20), ESTAB_DROP_IP_ADDRESS);
    h = from_peer(false);
    h.to = v4(127, 0, 0, 1);
    expect_drop(f, out, ip_packet(out, &h, segment, 20), ESTAB_DROP_IP_ADDRESS);
    fixture_destroy(f);
}

static void other_protocols_are_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[128];
    for (unsigned six = 0; six < 2; six++) {
        struct header h = from_peer(six != 0);
        h.protocol = 17;
        expect_drop(f, out, ip_packet(out, &h, segment, 20), ESTAB_DROP_IP_PROTOCOL);
        h.protocol = six != 0 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6; /* the other family's */
        expect_drop(f, out, ip_packet(out, &h, segment, 20), ESTAB_DROP_IP_PROTOCOL);
    }
    struct header h = from_peer(false);
    size_t length = ip_packet(out, &h, segment, 20);
    out[10] ^= 1;
    expect_drop(f, out, length, ESTAB_DROP_IP_CHECKSUM);
    expect_silence(f);
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_to_our_address_is_handed_up),
        cmocka_unit_test(tcp_in_a_padded_frame_is_trimmed),
        cmocka_unit_test(frame_not_for_us_is_dropped),
        cmocka_unit_test(ipv4_only_build_drops_ipv6),
        cmocka_unit_test(truncated_at_every_byte_is_dropped),
        cmocka_unit_test(v05_every_option_kind_and_length_is_skipped_or_dropped),
        cmocka_unit_test(v05_options_are_not_echoed),
        cmocka_unit_test(v06_chains_of_extension_headers_are_bounded),
        cmocka_unit_test(v06_every_extension_length_stays_in_bounds),
        cmocka_unit_test(v30_martians_are_dropped_with_nothing_sent),
        cmocka_unit_test(v30_our_other_address_as_source_is_dropped),
        cmocka_unit_test(mapped_address_in_ipv6_is_dropped),
        cmocka_unit_test(accepting_interface_takes_every_unicast_destination),
        cmocka_unit_test(other_protocols_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
