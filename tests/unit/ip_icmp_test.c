/*
 * ICMP and ICMPv6 at the Internet layer: echo replies made of nothing but what arrived (V-09), their rate and
 * their queue, errors about our packets with their quote, and what is dropped without a word (MUST-55,
 * redirects).
 */
#include "ip_fixture.h"

static struct header to_us(bool six)
{
    struct header h = {.from = v4(10, 9, 0, 1), .to = v4(10, 9, 0, 2)};
    if (six) {
        h.from = v6(0xfd09, 1);
        h.to = v6(0xfd09, 2);
    }
    return h;
}

static size_t echo_request(uint8_t *out, const struct header *h, size_t body)
{
    uint8_t message[1600] = {0};
    message[0] = ip_addr_is_v4(&h->to) ? 8 : 128;
    put_be32(message + 4, 0xabcd0001);
    for (size_t i = 0; i < body; i++) {
        message[8 + i] = (uint8_t)(i * 5 + 1);
    }
    return icmp_packet(out, h, message, ICMP_HEADER + body);
}

static void check_reply(struct fixture *f, bool six, size_t body)
{
    struct ip_datagram d;
    struct header h = to_us(six);
    assert_true(pull(f));
    assert_int_equal(f->pulled.reason, ESTAB_REASON_ICMP);
    assert_int_equal(f->pulled.interface, 1);
    assert_int_equal(f->pulled.length, (six ? IPV6_HEADER : IPV4_HEADER) + ICMP_HEADER + body);
    assert_int_equal(
        six ? ipv6_parse(f->out, f->pulled.length, &d) : ipv4_parse(f->out, f->pulled.length, &d), IP_OK);
    assert_true(ip_addr_eq(&d.source, &h.to));
    assert_true(ip_addr_eq(&d.destination, &h.from));
    assert_int_equal(d.hop_limit, 64);
    struct icmp_message message;
    assert_true(icmp_parse(&d, &message));
    assert_int_equal(message.kind, ICMP_ECHO_REPLY);
    assert_int_equal(get_be32(message.rest), 0xabcd0001);
    assert_int_equal(message.body_length, body);
    for (size_t i = 0; i < body; i++) {
        assert_int_equal(message.body[i], (uint8_t)(i * 5 + 1));
    }
    expect_silence(f);
}

static void echo_request_is_answered(void **state)
{
    (void)state;
    static const size_t bodies[] = {0, 1, 7, 56, 1452};
    struct ip_config config = config_full();
    for (unsigned six = 0; six < 2; six++) {
        struct fixture *f = fixture_with(&config, false);
        for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
            uint8_t out[1600];
            struct header h = to_us(six != 0);
            size_t length = echo_request(out, &h, bodies[i]);
            assert_int_equal(put(f, 1, out, length)->drop, ESTAB_DROP_NONE);
            assert_int_equal(f->received.kind, IP_RECEIVED_NOTHING);
            check_reply(f, six != 0, bodies[i]);
        }
        assert_int_equal(f->counters.icmp_in, 5);
        assert_int_equal(f->counters.icmp_out, 5);
        assert_int_equal(f->pool.used, 0);
        fixture_destroy(f);
    }
}

static void echo_over_ethernet_goes_back_to_its_frame(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, true);
    uint8_t packet[128];
    uint8_t out[160];
    struct header h = to_us(false);
    size_t length = echo_request(packet, &h, 20);
    length = frame(out, &OUR_MAC, ETHERTYPE_IPV4, packet, length);
    assert_int_equal(put(f, 1, out, length)->drop, ESTAB_DROP_NONE);
    assert_true(pull(f));
    assert_memory_equal(f->out, PEER_MAC.b, 6);
    assert_memory_equal(f->out + 6, OUR_MAC.b, 6);
    assert_int_equal(get_be16(f->out + 12), ETHERTYPE_IPV4);
    assert_int_equal(f->pulled.length, length);
    expect_silence(f);
    fixture_destroy(f);
}

static void v09_echo_truncated_at_every_byte_never_grows(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.replies_per_second = 1000000;
    for (unsigned six = 0; six < 2; six++) {
        struct fixture *f = fixture_with(&config, false);
        uint8_t out[160];
        struct header h = to_us(six != 0);
        size_t length = echo_request(out, &h, 40);
        for (size_t i = 0; i < length; i++) { /* the header claims more than came */
            (void)put(f, 1, out, i);
            assert_int_not_equal(f->received.drop, ESTAB_DROP_NONE);
            expect_silence(f);
        }
        for (size_t body = 0; body <= 40; body++) { /* and the header tells the truth */
            (void)put(f, 1, out, echo_request(out, &h, body));
            check_reply(f, six != 0, body);
        }
        fixture_destroy(f);
    }
}

static void echo_beyond_the_rate_is_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.replies_per_second = 5;
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[160];
    struct header h = to_us(false);
    size_t length = echo_request(out, &h, 8);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(put(f, 1, out, length)->drop, ESTAB_DROP_NONE);
        assert_true(pull(f));
    }
    expect_drop(f, out, length, ESTAB_DROP_REPLY_LIMIT);
    expect_silence(f);
    f->now += SECOND - 1 - f->now % SECOND; /* the limit is of whole seconds */
    expect_drop(f, out, length, ESTAB_DROP_REPLY_LIMIT);
    f->now += 1;
    assert_int_equal(put(f, 1, out, length)->drop, ESTAB_DROP_NONE);
    assert_true(pull(f));
    f->now += 1000 * SECOND; /* a second's worth, however long it was quiet */
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(put(f, 1, out, length)->drop, ESTAB_DROP_NONE);
    }
    expect_drop(f, out, length, ESTAB_DROP_REPLY_LIMIT);
    fixture_destroy(f);
}

static void echo_without_room_is_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.replies_per_second = 1000;
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[1600];
    struct header h = to_us(false);
    size_t length = echo_request(out, &h, 8);
    f->pool.fail_after = 1;
    expect_drop(f, out, length, ESTAB_DROP_REPLY_QUEUE);
    f->pool.fail_after = 0;
    for (unsigned i = 0; i < IP_MAX_REPLIES; i++) {
        assert_int_equal(put(f, 1, out, length)->drop, ESTAB_DROP_NONE);
    }
    expect_drop(f, out, length, ESTAB_DROP_REPLY_QUEUE);
    assert_int_equal(f->pool.used, IP_MAX_REPLIES);
    for (unsigned i = 0; i < IP_MAX_REPLIES; i++) {
        assert_true(pull(f));
    }
    expect_silence(f);
    assert_int_equal(f->pool.used, 0);
    assert_int_equal(ip_interface_set_mtu(f->ip, 1, 1280), 0);
    length = echo_request(out, &h, 1253); /* 20 + 8 + 1253 = 1281 */
    expect_drop(f, out, length, ESTAB_DROP_REPLY_QUEUE);
    fixture_destroy(f);
}

static void reply_longer_than_the_drivers_room_is_not_cut(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[1600];
    struct header h = to_us(false);
    (void)put(f, 1, out, echo_request(out, &h, 1000));
    (void)put(f, 1, out, echo_request(out, &h, 8));
    f->pulled = (struct estab_packet){.data = f->out, .capacity = 600};
    assert_true(ip_pull(f->ip, f->now, &f->pulled));
    assert_int_equal(f->pulled.length, IPV4_HEADER + ICMP_HEADER + 8);
    assert_int_equal(f->pool.used, 0);
    fixture_destroy(f);
}

static void echo_to_a_group_is_not_answered(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, true);
    const struct ip_addr groups[] = {v4(10, 9, 0, 255), v4(255, 255, 255, 255), v4(224, 0, 0, 1),
                                     v6(0xff02, 1)};
    for (unsigned i = 0; i < 4; i++) {
        uint8_t packet[128];
        uint8_t out[160];
        struct header h = {.from = i < 3 ? v4(10, 9, 0, 1) : v6(0xfd09, 1), .to = groups[i]};
        size_t length = echo_request(packet, &h, 8);
        length = frame(out, &BROADCAST_MAC, i < 3 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6, packet, length);
        expect_drop(f, out, length, ESTAB_DROP_IP_ADDRESS);
        expect_silence(f);
    }
    fixture_destroy(f);
}

/* ---- errors ---- */

/* An error of `type` and `code` about a packet of ours to `far`, quoting `quoted` bytes of it. */
static size_t error_packet(uint8_t *out, uint8_t type, uint8_t code, uint32_t rest, size_t quoted)
{
    bool six = type < 3;
    struct ip_addr far = six ? v6(0x2001, 7) : v4(203, 0, 113, 7);
    struct header ours = {
        .from = six ? v6(0xfd09, 2) : v4(10, 9, 0, 2), .to = far, .protocol = IP_PROTOCOL_TCP};
    struct header h = {.from = six ? v6(0xfd09, 1) : v4(10, 9, 0, 1), .to = ours.from};
    uint8_t tcp[20] = {0xc0, 0x01, 0x01, 0xbb, 0xff, 0xff, 0xff, 0xf8};
    uint8_t message[128] = {type, code};
    put_be32(message + 4, rest);
    (void)ip_packet(message + 8, &ours, tcp, sizeof(tcp));
    return icmp_packet(out, &h, message, 8 + quoted);
}

static void error_about_our_packet_is_handed_up(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, code;
        enum icmp_kind kind;
        uint32_t rest, mtu;
    } cases[] = {
        {3, 0, ICMP_NET_UNREACHABLE, 0, 0},      {3, 1, ICMP_HOST_UNREACHABLE, 0, 0},
        {3, 3, ICMP_PORT_UNREACHABLE, 0, 0},     {3, 13, ICMP_PROHIBITED, 0, 0},
        {11, 0, ICMP_TIME_EXCEEDED, 0, 0},       {12, 0, ICMP_PARAMETER_PROBLEM, 0, 0},
        {3, 4, ICMP_PACKET_TOO_BIG, 1400, 1400}, {1, 4, ICMP_PORT_UNREACHABLE, 0, 0},
        {2, 0, ICMP_PACKET_TOO_BIG, 1280, 1280},
    };
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[256];
        size_t quoted = (cases[i].type < 3 ? IPV6_HEADER : IPV4_HEADER) + 8u;
        size_t length = error_packet(out, cases[i].type, cases[i].code, cases[i].rest, quoted);
        struct ip_received *r = put(f, 1, out, length);
        assert_int_equal(r->kind, IP_RECEIVED_ICMP_ERROR);
        assert_int_equal(r->error, cases[i].kind);
        assert_int_equal(r->error_mtu, cases[i].mtu);
        assert_int_equal(r->quote.source_port, 0xc001);
        assert_int_equal(r->quote.destination_port, 443);
        assert_int_equal(r->quote.seq, 0xfffffff8u);
        expect_silence(f);
    }
    fixture_destroy(f);
}

static void v09_error_with_less_than_eight_quoted_bytes_is_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[256];
    for (size_t quoted = 0; quoted < IPV4_HEADER + 20; quoted++) {
        struct ip_received *r = put(f, 1, out, error_packet(out, 3, 1, 0, quoted));
        assert_int_equal(r->drop, quoted < IPV4_HEADER + 8 ? ESTAB_DROP_ICMP : ESTAB_DROP_NONE);
    }
    for (size_t quoted = 0; quoted < IPV6_HEADER + 20; quoted++) {
        struct ip_received *r = put(f, 1, out, error_packet(out, 1, 0, 0, quoted));
        assert_int_equal(r->drop, quoted < IPV6_HEADER + 8 ? ESTAB_DROP_ICMP : ESTAB_DROP_NONE);
    }
    fixture_destroy(f);
}

static void packet_too_big_without_mtu_names_the_next_plateau(void **state)
{
    (void)state;
    static const struct {
        uint16_t was, mtu;
    } cases[] = {{65535, 32000}, {32000, 17914}, {1500, 1492}, {1492, 1006}, {297, 296}, {296, 68}};
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t message[96] = {3, 4};
        uint8_t out[128];
        uint8_t tcp[20] = {0xc0};
        struct header ours = {.from = v4(10, 9, 0, 2), .to = v4(1, 2, 3, 4), .protocol = IP_PROTOCOL_TCP};
        struct header h = to_us(false);
        (void)ip_packet(message + 8, &ours, tcp, 20);
        put_be16(message + 10, cases[i].was);
        (void)put(f, 1, out, icmp_packet(out, &h, message, 8 + 28));
        assert_int_equal(f->received.kind, IP_RECEIVED_ICMP_ERROR);
        assert_int_equal(f->received.error_mtu, cases[i].mtu);
    }
    uint8_t out[256];
    expect_drop(f, out, error_packet(out, 2, 0, 1279, 48), ESTAB_DROP_ICMP); /* RFC 8201 4 */
    expect_drop(f, out, error_packet(out, 2, 0, 0, 48), ESTAB_DROP_ICMP);
    fixture_destroy(f);
}

static void error_about_somebody_elses_packet_is_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t message[96] = {3, 1};
    uint8_t out[128];
    uint8_t tcp[20] = {0xc0};
    struct header theirs = {.from = v4(10, 9, 0, 3), .to = v4(1, 2, 3, 4), .protocol = IP_PROTOCOL_TCP};
    struct header h = to_us(false);
    (void)ip_packet(message + 8, &theirs, tcp, 20);
    expect_drop(f, out, icmp_packet(out, &h, message, 8 + 28), ESTAB_DROP_ICMP);
    struct header udp = {.from = v4(10, 9, 0, 2), .to = v4(1, 2, 3, 4), .protocol = 17};
    (void)ip_packet(message + 8, &udp, tcp, 20);
    expect_drop(f, out, icmp_packet(out, &h, message, 8 + 28), ESTAB_DROP_ICMP);
    fixture_destroy(f);
}

/* O-32, O-34 */
static void source_quench_redirect_and_others_are_dropped_in_silence(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    static const uint8_t types[] = {0, 4, 5, 9, 13, 17, 40};
    uint64_t before = ip_next_deadline(f->ip);
    for (unsigned i = 0; i < sizeof(types); i++) {
        uint8_t out[256];
        expect_drop(f, out, error_packet(out, types[i] < 3 ? 13 : types[i], 0, 0, 28), ESTAB_DROP_ICMP);
        expect_silence(f);
    }
    uint8_t redirect[48] = {137}; /* O-34: ICMPv6 redirect, hop limit 255 */
    uint8_t out[128];
    struct header h = {.from = v6(0xfe80, 1), .to = v6(0xfd09, 2), .hop_limit = 255};
    expect_drop(f, out, icmp_packet(out, &h, redirect, 40), ESTAB_DROP_ICMP);
    size_t length = echo_request(out, &h, 8);
    out[IPV6_HEADER + 2] ^= 1;
    expect_drop(f, out, length, ESTAB_DROP_ICMP);
    expect_silence(f);
    assert_int_equal(ip_next_deadline(f->ip), before);
    assert_int_equal(f->counters.icmp_in, 9);
    assert_int_equal(f->counters.icmp_out, 0);
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_request_is_answered),
        cmocka_unit_test(echo_over_ethernet_goes_back_to_its_frame),
        cmocka_unit_test(v09_echo_truncated_at_every_byte_never_grows),
        cmocka_unit_test(echo_beyond_the_rate_is_dropped),
        cmocka_unit_test(echo_without_room_is_dropped),
        cmocka_unit_test(reply_longer_than_the_drivers_room_is_not_cut),
        cmocka_unit_test(echo_to_a_group_is_not_answered),
        cmocka_unit_test(error_about_our_packet_is_handed_up),
        cmocka_unit_test(v09_error_with_less_than_eight_quoted_bytes_is_dropped),
        cmocka_unit_test(packet_too_big_without_mtu_names_the_next_plateau),
        cmocka_unit_test(error_about_somebody_elses_packet_is_dropped),
        cmocka_unit_test(source_quench_redirect_and_others_are_dropped_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
