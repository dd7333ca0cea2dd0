/*
 * The way out: which interface, next hop and source are chosen, when a remembered path stops to be valid, the
 * headers that are written (O-28), path MTUs and their expiry, and the tables behind the API with their
 * errors.
 */
#include "ip_fixture.h"

/* ---- choosing ---- */

/*
 * Interface 1: Ethernet, 10.9.0.2/24, fd09::2/64, fe80::/64. Interface 2: point to point, 10.8.0.2/24 and
 * 192.168.0.1/32. Routes: default by 10.9.0.1, 172.16/12 by 10.8.0.9, 172.16.5/24 by 10.9.0.5, 10.9.0.77/32
 * on link 2.
 */
static struct fixture *two_links(void)
{
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, true);
    uint32_t second = fixture_interface(f, false);
    struct ip_addr a = v4(10, 8, 0, 2);
    struct ip_addr b = v4(192, 168, 0, 1);
    struct ip_addr any = {{0}};
    struct ip_addr gateway = v4(10, 9, 0, 1);
    struct ip_addr wide = v4(172, 16, 0, 0);
    struct ip_addr wide_gateway = v4(10, 8, 0, 9);
    struct ip_addr narrow = v4(172, 16, 5, 99); /* bits beyond the prefix do not count */
    struct ip_addr narrow_gateway = v4(10, 9, 0, 5);
    struct ip_addr host = v4(10, 9, 0, 77);
    assert_int_equal(ip_address_add(f->ip, f->now, second, &a, 24), 0);
    assert_int_equal(ip_address_add(f->ip, f->now, second, &b, 32), 0);
    assert_int_equal(ip_route_add(f->ip, 1, &any, 0, &gateway), 0);
    assert_int_equal(ip_route_add(f->ip, 2, &wide, 12, &wide_gateway), 0);
    assert_int_equal(ip_route_add(f->ip, 1, &narrow, 24, &narrow_gateway), 0);
    assert_int_equal(ip_route_add(f->ip, 2, &host, 32, NULL), 0);
    return f;
}

struct choice {
    struct ip_addr destination, source; /* source any: to be chosen */
    uint32_t scope, hint;
    int result;
    uint32_t interface;
    struct ip_addr next_hop, chosen; /* next hop any: a link without neighbours */
};

static void check_choice(struct fixture *f, const struct choice *c, unsigned number)
{
    struct ip_path_query query = {&c->destination, c->scope, c->hint};
    struct ip_addr source = c->source;
    struct ip_path path = {0};
    while (pull(f)) {
        continue;
    }
    int result = ip_path_find(f->ip, f->now, &query, &source, &path);
    if (result != c->result) {
        fail_msg("choice %u: %d, expected %d", number, result, c->result);
    }
    if (result != 0) {
        assert_int_equal(path.generation, 0);
        expect_silence(f);
        return;
    }
    if (path.interface != c->interface || !ip_addr_eq(&source, &c->chosen)) {
        fail_msg("choice %u: interface %u, source ends in %u", number, (unsigned)path.interface,
                 source.b[15]);
    }
    bool bare = ip_addr_is_any(&c->next_hop);
    assert_int_equal(path.neighbour == IP_NO_NEIGHBOUR, bare);
    assert_int_equal(path.link_header, bare ? 0 : ETHERNET_HEADER);
    assert_int_equal(ip_path_resolve(f->ip, f->now, &path), bare ? IP_PATH_READY : IP_PATH_WAIT);
    if (pull(f)) { /* a neighbour that was not known before is asked for */
        const uint8_t *target = f->out + (ip_addr_is_v4(&c->next_hop) ? 38 : 62);
        assert_memory_equal(target, c->next_hop.b + (ip_addr_is_v4(&c->next_hop) ? 12 : 0),
                            ip_addr_is_v4(&c->next_hop) ? 4 : 16);
    }
    fixture_check(f);
}

/* MUST-44, MUST-46 */
static void path_selection_table(void **state)
{
    (void)state;
    struct fixture *f = two_links();
    struct ip_addr any = {{0}};
    struct ip_addr none = any;
    struct ip_addr us = v4(10, 9, 0, 2);
    struct ip_addr us6 = v6(0xfd09, 2);
    struct ip_addr second = v4(10, 8, 0, 2);
    struct ip_addr gw = v4(10, 9, 0, 1);
    struct ip_addr local = {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1}};
    const struct choice choices[] = {
        {v4(10, 9, 0, 9), any, 0, 0, 0, 1, v4(10, 9, 0, 9), us}, /* on the link */
        {v4(10, 8, 0, 9), any, 0, 0, 0, 2, none, second},
        {v4(8, 8, 8, 8), any, 0, 0, 0, 1, gw, us},                 /* default route */
        {v4(172, 17, 1, 1), any, 0, 0, 0, 2, none, second},        /* /12 beats /0 */
        {v4(172, 16, 5, 1), any, 0, 0, 0, 1, v4(10, 9, 0, 5), us}, /* /24 beats /12 */
        {v4(10, 9, 0, 77), any, 0, 0, 0, 2, none, second},         /* /32 beats the link's /24 */
        {v4(8, 8, 8, 8), second, 0, 0, 0, 1, gw, second},          /* any of our addresses may be named */
        {v4(8, 8, 8, 8), v4(1, 2, 3, 4), 0, 0, -ESTAB_EADDRNOTAVAIL, 0, none, none},
        {v4(8, 8, 8, 8), us6, 0, 0, -ESTAB_EADDRNOTAVAIL, 0, none, none},
        {v4(8, 8, 8, 8), any, 2, 0, -ESTAB_ENETUNREACH, 0, none, none}, /* no default on interface 2 */
        {v4(8, 8, 8, 8), any, 2, 2, 0, 2, none, second},                /* but an answer goes back */
        {us, any, 0, 0, -ESTAB_EADDRNOTAVAIL, 0, none, none},           /* we do not talk to ourselves */
        {second, any, 0, 0, -ESTAB_EADDRNOTAVAIL, 0, none, none},
        {us6, any, 0, 0, -ESTAB_EADDRNOTAVAIL, 0, none, none},
        {v4(127, 0, 0, 1), any, 0, 0, -ESTAB_EADDRNOTAVAIL, 0, none, none},
        {v6(0, 1), any, 0, 0, -ESTAB_EADDRNOTAVAIL, 0, none, none},
        {v4(10, 9, 0, 255), any, 0, 0, -ESTAB_ENETUNREACH, 0, none, none}, /* MUST-46 */
        {v4(255, 255, 255, 255), any, 0, 0, -ESTAB_ENETUNREACH, 0, none, none},
        {v4(224, 0, 0, 1), any, 0, 0, -ESTAB_ENETUNREACH, 0, none, none},
        {v4(0, 0, 0, 0), any, 0, 0, -ESTAB_ENETUNREACH, 0, none, none},
        {v6(0xff02, 1), any, 0, 0, -ESTAB_ENETUNREACH, 0, none, none},
        {v6(0xfd09, 9), any, 0, 0, 0, 1, v6(0xfd09, 9), us6},
        {v6(0x2001, 9), any, 0, 0, -ESTAB_ENETUNREACH, 0, none, none}, /* no router yet */
        {v6(0xfe80, 9), any, 0, 0, -ESTAB_ENETUNREACH, 0, none, none}, /* which link? */
        {v6(0xfe80, 9), any, 1, 0, 0, 1, v6(0xfe80, 9), local},
        {v6(0xfe80, 9), any, 0, 1, 0, 1, v6(0xfe80, 9), local},
        {v6(0xfe80, 9), any, 9, 0, -ESTAB_ENETUNREACH, 0, none, none},
        {v6(0xfe80, 9), us6, 1, 0, 0, 1, v6(0xfe80, 9), us6},
    };
    for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        check_choice(f, &choices[i], i);
    }
    fixture_destroy(f);
}

static void equal_routes_prefer_the_owner_of_the_source_then_the_hint(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_create(&config);
    struct ip_addr any = {{0}};
    struct ip_addr far = v4(8, 8, 8, 8);
    for (uint8_t i = 1; i <= 3; i++) {
        assert_int_equal(fixture_interface(f, false), i);
        struct ip_addr own = v4(10, i, 0, 2);
        struct ip_addr gateway = v4(10, i, 0, 1);
        assert_int_equal(ip_address_add(f->ip, f->now, i, &own, 24), 0);
        assert_int_equal(ip_route_add(f->ip, i, &any, 0, &gateway), 0);
    }
    const struct choice choices[] = {
        {far, any, 0, 0, 0, 1, any, v4(10, 1, 0, 2)}, /* the older */
        {far, any, 0, 3, 0, 3, any, v4(10, 3, 0, 2)},
        {far, v4(10, 2, 0, 2), 0, 3, 0, 2, any, v4(10, 2, 0, 2)},
        {far, any, 2, 3, 0, 2, any, v4(10, 2, 0, 2)},
    };
    for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        check_choice(f, &choices[i], i);
    }
    fixture_destroy(f);
}

static void accepting_interface_sends_from_any_address(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_create(&config);
    struct estab_interface setup = {.size = sizeof(setup), .mtu = 1500, .accept_any_address = true};
    assert_int_equal(ip_interface_add(f->ip, f->now, &setup), 1);
    struct ip_addr any = {{0}};
    const struct choice choices[] = {
        {v4(10, 0, 0, 7), v4(93, 184, 216, 34), 0, 1, 0, 1, any, v4(93, 184, 216, 34)},
        {v6(0xfd00, 7), v6(0x2001, 1), 0, 1, 0, 1, any, v6(0x2001, 1)},
        {v4(10, 0, 0, 7), v4(224, 0, 0, 1), 0, 1, -ESTAB_EADDRNOTAVAIL, 0, any, any},
        {v4(10, 0, 0, 7), any, 0, 1, -ESTAB_EADDRNOTAVAIL, 0, any, any},
        {v4(10, 0, 0, 7), v4(93, 184, 216, 34), 0, 0, -ESTAB_ENETUNREACH, 0, any, any},
    };
    for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        check_choice(f, &choices[i], i);
    }
    fixture_destroy(f);
}

static void ipv4_only_build_refuses_ipv6_destinations(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.ipv6 = NULL;
    struct fixture *f = fixture_with(&config, false);
    const struct choice choice = {v6(0xfd09, 1), {{0}}, 0, 1, -ESTAB_EAFNOSUPPORT, 0, {{0}}, {{0}}};
    check_choice(f, &choice, 0);
    fixture_destroy(f);
}

static void changed_addresses_and_routes_make_paths_invalid(void **state)
{
    (void)state;
    struct fixture *f = two_links();
    struct ip_addr far = v4(8, 8, 8, 8);
    struct ip_addr extra = v4(10, 8, 0, 3);
    struct ip_addr network = v4(9, 0, 0, 0);
    struct ip_path path = path_to(f, &far);
    assert_int_equal(ip_address_add(f->ip, f->now, 2, &extra, 24), 0);
    assert_false(ip_path_valid(f->ip, &path));
    path = path_to(f, &far);
    assert_int_equal(ip_address_remove(f->ip, 2, &extra), 0);
    assert_false(ip_path_valid(f->ip, &path));
    path = path_to(f, &far);
    assert_int_equal(ip_route_add(f->ip, 2, &network, 8, NULL), 0);
    assert_false(ip_path_valid(f->ip, &path));
    path = path_to(f, &far);
    assert_int_equal(ip_route_remove(f->ip, 2, &network, 8), 0);
    assert_false(ip_path_valid(f->ip, &path));
    struct ip_path none = {0};
    assert_false(ip_path_valid(f->ip, &none));
    fixture_destroy(f);
}

/* ---- tables ---- */

static void tables_refuse_what_makes_no_sense(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    struct ip_addr us = v4(10, 9, 0, 2);
    struct ip_addr other = v4(10, 9, 0, 3);
    struct ip_addr group = v4(224, 0, 0, 1);
    struct ip_addr six = v6(0xfd09, 9);
    assert_int_equal(ip_address_add(f->ip, 1, 1, &us, 24), -ESTAB_EADDRINUSE);
    assert_int_equal(ip_address_add(f->ip, 1, 2, &other, 24), -ESTAB_EINVAL);
    assert_int_equal(ip_address_add(f->ip, 1, 0, &other, 24), -ESTAB_EINVAL);
    assert_int_equal(ip_address_add(f->ip, 1, 1, &other, 33), -ESTAB_EINVAL);
    assert_int_equal(ip_address_add(f->ip, 1, 1, &six, 129), -ESTAB_EINVAL);
    assert_int_equal(ip_address_add(f->ip, 1, 1, &group, 4), -ESTAB_EINVAL);
    assert_int_equal(ip_address_remove(f->ip, 1, &other), -ESTAB_EADDRNOTAVAIL);
    assert_int_equal(ip_route_add(f->ip, 1, &group, 4, &us), -ESTAB_EINVAL); /* a gateway of our own */
    assert_int_equal(ip_route_add(f->ip, 1, &group, 4, &six), -ESTAB_EINVAL);
    assert_int_equal(ip_route_remove(f->ip, 1, &other, 32), -ESTAB_ENETUNREACH);
    assert_int_equal(ip_neighbour_add(f->ip, 1, &other, &PEER_MAC), -ESTAB_EINVAL); /* no Ethernet */
    assert_int_equal(ip_interface_set_mtu(f->ip, 1, 67), -ESTAB_EINVAL);
    assert_int_equal(ip_interface_set_mtu(f->ip, 1, 1279), -ESTAB_EINVAL); /* it has IPv6 */
    assert_int_equal(ip_interface_set_mtu(f->ip, 2, 1500), -ESTAB_EINVAL);
    assert_null(ip_interface(f->ip, 0));
    assert_null(ip_interface(f->ip, 2));
    assert_int_equal(ip_interface(f->ip, 1)->mtu, 1500);
    fixture_destroy(f);
}

static void interfaces_are_bounded_and_checked(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.ethernet = NULL;
    struct fixture *f = fixture_create(&config);
    struct estab_interface setup = {.size = sizeof(setup), .mtu = 1500, .ethernet = true, .mac = {2}};
    assert_int_equal(ip_interface_add(f->ip, 1, &setup), -ESTAB_EOPNOTSUPP);
    setup.ethernet = false;
    setup.mtu = 67;
    assert_int_equal(ip_interface_add(f->ip, 1, &setup), -ESTAB_EINVAL);
    setup.mtu = 68;
    for (int i = 1; i <= ESTAB_MAX_INTERFACES; i++) {
        assert_int_equal(ip_interface_add(f->ip, 1, &setup), i);
    }
    assert_int_equal(ip_interface_add(f->ip, 1, &setup), -ESTAB_ENOBUFS);
    struct ip_addr six = v6(0xfd09, 9);
    assert_int_equal(ip_address_add(f->ip, 1, 1, &six, 64), -ESTAB_EINVAL); /* the MTU is too small */
    fixture_destroy(f);
    config = config_full();
    f = fixture_create(&config);
    setup = (struct estab_interface){.size = sizeof(setup), .mtu = 1500, .ethernet = true, .mac = {1}};
    assert_int_equal(ip_interface_add(f->ip, 1, &setup), -ESTAB_EINVAL); /* a group address */
    setup.mac[0] = 0;
    assert_int_equal(ip_interface_add(f->ip, 1, &setup), -ESTAB_EINVAL);
    fixture_destroy(f);
}

static void tables_are_bounded(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_create(&config);
    (void)fixture_interface(f, false);
    for (uint8_t i = 0; i < IP_MAX_ADDRESSES; i++) {
        struct ip_addr own = v4(10, 0, i, 1);
        assert_int_equal(ip_address_add(f->ip, 1, 1, &own, 24), 0);
    }
    for (uint8_t i = 0; i < IP_MAX_ROUTES; i++) {
        struct ip_addr network = v4(20, 0, i, 0);
        assert_int_equal(ip_route_add(f->ip, 1, &network, 24, NULL), 0);
    }
    struct ip_addr more = v4(30, 0, 0, 1);
    assert_int_equal(ip_address_add(f->ip, 1, 1, &more, 24), -ESTAB_ENOBUFS);
    assert_int_equal(ip_route_add(f->ip, 1, &more, 24, NULL), -ESTAB_ENOBUFS);
    struct ip_addr first = v4(20, 0, 0, 0);
    struct ip_addr gateway = v4(10, 0, 0, 9);
    assert_int_equal(ip_route_add(f->ip, 1, &first, 24, &gateway), 0); /* replaced in its place */
    assert_int_equal(ip_route_remove(f->ip, 1, &first, 24), 0);
    assert_int_equal(ip_route_add(f->ip, 1, &more, 24, NULL), 0);
    fixture_destroy(f);
}

static void minimal_host_fits_into_its_memory(void **state)
{
    (void)state;
    struct ip_config config = {.max_neighbours = 2, .hop_limit = 64, .replies_per_second = 1};
    /* 2.5 KiB on a machine of 32 bits; pointers and size_t are larger here. */
    assert_true(ip_memory(&config) <= 2560);
    struct fixture *f = fixture_with(&config, false);
    struct ip_addr peer = v4(10, 9, 0, 1);
    struct ip_path path = path_to(f, &peer);
    assert_int_equal(ip_path_resolve(f->ip, f->now, &path), IP_PATH_READY);
    fixture_destroy(f);
}

/* ---- headers ---- */

/* O-28 */
static void headers_are_written_without_counters(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, true);
    struct ip_addr peer = v4(10, 9, 0, 1);
    assert_int_equal(ip_neighbour_add(f->ip, 1, &peer, &PEER_MAC), 0);
    struct ip_path path = path_to(f, &peer);
    assert_int_equal(ip_path_resolve(f->ip, f->now, &path), IP_PATH_READY);
    assert_int_equal(ip_path_header(&path, false), 34);
    assert_int_equal(ip_path_header(&path, true), 54);
    struct ip_header_fields fields = {.source = v4(10, 9, 0, 2), .destination = peer, .payload_length = 20};
    fields.protocol = IP_PROTOCOL_TCP;
    fields.hop_limit = 61;
    fields.id = 0x1234;
    uint8_t out[2][54];
    for (unsigned i = 0; i < 2; i++) { /* O-28: two packets are alike, whatever was sent before */
        ip_path_write(f->ip, &path, &fields, out[i]);
        assert_memory_equal(out[i], PEER_MAC.b, 6);
        assert_memory_equal(out[i] + 6, OUR_MAC.b, 6);
        assert_int_equal(get_be16(out[i] + 12), ETHERTYPE_IPV4);
        assert_int_equal(get_be16(out[i] + 14 + 4), 0);
        assert_int_equal(get_be16(out[i] + 14 + 6), 0x4000);
        assert_int_equal(out[i][14 + 8], 61);
        assert_true(checksum_ok(checksum_sum(out[i] + 14, 20)));
    }
    fixture_destroy(f);
}

/* O-28 */
static void o28_flow_labels_tell_nothing_of_other_flows(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    struct ip_addr a = v6(0xfd09, 2);
    struct ip_addr b = v6(0xfd09, 1);
    uint32_t label = ip_flow_label(f->ip, &a, &b, 0xc0010050);
    uint32_t equal = 0;
    for (uint32_t ports = 1; ports < 1000; ports++) {
        uint32_t other = ip_flow_label(f->ip, &a, &b, ports);
        assert_true(other <= 0xfffff);
        equal += other == label;
    }
    assert_true(equal < 3);
    assert_int_equal(ip_flow_label(f->ip, &a, &b, 0xc0010050), label);
    config.key.k0++;
    struct fixture *g = fixture_with(&config, false);
    assert_int_not_equal(ip_flow_label(g->ip, &a, &b, 0xc0010050), label);
    fixture_destroy(f);
    fixture_destroy(g);
}

/* ---- path MTU ---- */

static void path_mtu_is_lowered_to_its_floor_and_expires(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    struct ip_addr four = v4(10, 9, 0, 1);
    struct ip_addr six = v6(0xfd09, 1);
    struct ip_addr other = v4(10, 9, 0, 4);
    struct ip_path path = path_to(f, &four);
    assert_int_equal(ip_path_mtu(f->ip, f->now, &path, &four), 1500);
    assert_int_equal(ip_path_mtu_lower(f->ip, f->now, &four, 1400), 1400);
    assert_int_equal(ip_path_mtu_lower(f->ip, f->now, &four, 1450), 1400); /* it never grows by a message */
    assert_int_equal(ip_path_mtu(f->ip, f->now, &path, &four), 1400);
    assert_int_equal(ip_path_mtu(f->ip, f->now, &path, &other), 1500);
    assert_int_equal(ip_path_mtu_lower(f->ip, f->now, &four, 0), 552); /* RFC 5927 7 */
    assert_int_equal(ip_path_mtu_lower(f->ip, f->now, &six, 68), 1280);
    assert_int_equal(ip_path_mtu(f->ip, f->now, &path, &six), 1280);
    assert_int_equal(ip_path_mtu(f->ip, f->now + 590 * SECOND, &path, &four), 552);
    assert_int_equal(ip_path_mtu(f->ip, f->now + 610 * SECOND, &path, &four), 1500);
    assert_int_equal(ip_interface_set_mtu(f->ip, 1, 1300), 0);
    assert_int_equal(ip_path_mtu(f->ip, f->now + 610 * SECOND, &path, &four), 1300);
    assert_true(ip_path_mtu_lower(f->ip, f->now, &other, 100000) >= 1500);
    fixture_destroy(f);
}

static void path_mtus_are_bounded_and_keep_the_newest(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    struct ip_path path = {.interface = 1};
    unsigned known = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        struct ip_addr to = v4(20, 0, (uint8_t)(i >> 8), (uint8_t)i);
        f->now += 5 * SECOND;
        assert_int_equal(ip_path_mtu_lower(f->ip, f->now, &to, 1000), 1000);
        assert_int_equal(ip_path_mtu(f->ip, f->now, &path, &to), 1000);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        struct ip_addr to = v4(20, 0, (uint8_t)(i >> 8), (uint8_t)i);
        known += ip_path_mtu(f->ip, f->now, &path, &to) == 1000;
    }
    assert_true(known <= IP_MAX_PATH_MTUS);
    assert_true(known >= IP_MAX_PATH_MTUS / 2);
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_selection_table),
        cmocka_unit_test(equal_routes_prefer_the_owner_of_the_source_then_the_hint),
        cmocka_unit_test(accepting_interface_sends_from_any_address),
        cmocka_unit_test(ipv4_only_build_refuses_ipv6_destinations),
        cmocka_unit_test(changed_addresses_and_routes_make_paths_invalid),
        cmocka_unit_test(tables_refuse_what_makes_no_sense),
        cmocka_unit_test(interfaces_are_bounded_and_checked),
        cmocka_unit_test(tables_are_bounded),
        cmocka_unit_test(minimal_host_fits_into_its_memory),
        cmocka_unit_test(headers_are_written_without_counters),
        cmocka_unit_test(o28_flow_labels_tell_nothing_of_other_flows),
        cmocka_unit_test(path_mtu_is_lowered_to_its_floor_and_expires),
        cmocka_unit_test(path_mtus_are_bounded_and_keep_the_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
