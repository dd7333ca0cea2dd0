/*
 * The length of ICMP messages (RFC 792, RFC 4443): INFRA:HALT CVE-2020-35683, FreeRTOS CVE-2018-16527,
 * Ripple20 CVE-2020-11910 and NUCLEUS CVE-2021-31346 built an answer from the length that a header claimed
 * and sent what lay behind the packet. Here each message is cut at each byte, with lengths that say so and
 * with lengths that do not: an answer has exactly the bytes that arrived, and a quoted packet is believed
 * only with its ports and SEQ.
 */
#include "attack/victim.h"

/*
 * V-09: echo requests cut at each byte, v4 and v6: the answer is as long as what arrived and has its bytes.
 */
static void v09_an_echo_is_answered_with_what_arrived(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        size_t head = v6 ? 40 : 20;
        for (size_t icmp = 0; icmp <= 8 + 256; icmp++) {
            uint8_t packet[512];
            put_echo(packet, v6, icmp < 8 ? 0 : icmp - 8);
            put_ip(packet, v6, v6 ? V_ICMPV6 : V_ICMP, icmp);
            seal_icmp(packet + head, icmp < 4 ? 4 : icmp, v6);
            victim_input(v, packet, head + icmp);
            assert_int_equal(v->drop == ESTAB_DROP_NONE, icmp >= 8);
            assert_int_equal(victim_sends(v), icmp >= 8);
            if (icmp >= 8) {
                assert_int_equal(v->out_length, head + icmp);
                assert_int_equal(v->out[head], v6 ? 129 : 0);
                assert_memory_equal(v->out + head + 4, packet + head + 4, icmp - 4);
            }
        }
        victim_wait(v, VICTIM_SECOND);
    }
    victim_stop(v);
}

/*
 * V-09: the same with every total length that is a lie: longer than what arrived is dropped, shorter is cut
 * there.
 */
static void v09_a_length_that_lies_brings_no_byte_back(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        size_t head = v6 ? 40 : 20;
        for (size_t claimed = 0; claimed <= 96; claimed++) {
            for (size_t arrived = 0; arrived <= 64; arrived++) {
                uint8_t packet[256];
                put_echo(packet, v6, 128);
                put_ip(packet, v6, v6 ? V_ICMPV6 : V_ICMP, claimed);
                seal_icmp(packet + head, claimed < 8 ? 8 : claimed, v6);
                victim_input(v, packet, head + arrived);
                bool whole = claimed >= 8 && claimed <= arrived;
                assert_int_equal(victim_sends(v), whole);
                assert_true(!whole || v->out_length == head + claimed);
            }
            victim_wait(v, VICTIM_SECOND);
        }
    }
    victim_stop(v);
}

/*
 * V-09: a wrong checksum in any one bit is no echo, and what is larger than the MTU or a block is not
 * answered.
 */
static void v09_broken_and_huge_echoes_are_not_answered(void **state)
{
    (void)state;
    static uint8_t packet[8192];
    struct victim *v = victim_start(false);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        size_t head = v6 ? 40 : 20;
        for (unsigned bit = 0; bit < 32 * 8; bit++) {
            size_t length = put_echo(packet, v6, 24);
            packet[head + bit / 8] ^= (uint8_t)(1u << bit % 8);
            victim_input(v, packet, length);
            assert_int_equal(v->drop, ESTAB_DROP_ICMP);
            assert_false(victim_sends(v));
        }
        for (size_t body = 1400; body < 5000; body++) {
            victim_input(v, packet, put_echo(packet, v6, body));
            assert_int_equal(victim_sends(v), head + 8 + body <= 1500);
        }
        victim_wait(v, VICTIM_SECOND);
    }
    victim_stop(v);
}

/* An error about the connection's segment; returns the bytes of ICMP. */
static size_t put_error(uint8_t *packet, const struct victim *v, bool v6, unsigned extension)
{
    size_t head = v6 ? 40 : 20;
    uint8_t *icmp = packet + head;
    uint8_t *quote = icmp + 8;
    memset(icmp, 0, 8);
    icmp[0] = v6 ? 1 : 3;
    icmp[1] = v6 ? 3 : 1; /* the host cannot be reached */
    size_t at = put_ip(quote, v6, extension ? 60 : V_TCP, 1000 + extension);
    struct estab_addr us = victim_address(v6, 2, 0);
    struct estab_addr peer = victim_address(v6, 1, 0);
    memcpy(quote + (v6 ? 8 : 12), us.ip + (v6 ? 0 : 12), v6 ? 16 : 4);
    memcpy(quote + (v6 ? 24 : 16), peer.ip + (v6 ? 0 : 12), v6 ? 16 : 4);
    if (extension) {
        memset(quote + at, 0, extension);
        quote[at] = V_TCP;
        quote[at + 1] = (uint8_t)(extension / 8 - 1);
        at += extension;
    }
    put_tcp(quote + at, 5, V_ACK, v->victim_nxt, v->peer_nxt);
    put16(quote + at, VICTIM_PORT);
    put16(quote + at + 2, PEER_TCP_PORT);
    return 8 + at + 20;
}

static bool error_believed(struct victim *v, uint8_t *packet, size_t icmp, bool v6)
{
    uint64_t before = victim_counters(v).icmp_errors_delivered;
    size_t head = put_ip(packet, v6, v6 ? V_ICMPV6 : V_ICMP, icmp);
    seal_icmp(packet + head, icmp < 4 ? 4 : icmp, v6);
    victim_input(v, packet, head + icmp);
    bool believed = victim_counters(v).icmp_errors_delivered != before;
    assert_int_equal(victim_drain(v), 0); /* an error is never answered */
    assert_int_equal(v->drop == ESTAB_DROP_NONE, believed);
    return believed;
}

/*
 * V-09: errors cut at each byte: believed with eight bytes of the quoted TCP header and no fewer; no reply to
 * any.
 */
static void v09_errors_are_cut_at_each_byte(void **state)
{
    (void)state;
    for (unsigned run = 0; run < 3; run++) {
        bool v6 = run > 0;
        unsigned extension = run == 2 ? 16 : 0;
        uint8_t packet[512] = {0};
        uint8_t text[64] = {0};
        struct victim *v = victim_start(false);
        estab_conn conn = victim_connected(v, v6);
        assert_int_equal(estab_send(v->stack, v->now, conn, text, sizeof text, 0), sizeof text);
        victim_drain(v);
        size_t whole = put_error(packet, v, v6, extension);
        for (size_t icmp = 0; icmp <= whole; icmp++) {
            assert_int_equal(error_believed(v, packet, icmp, v6), icmp + 12 >= whole);
        }
        assert_int_equal(victim_status(v, conn).state, ESTAB_ESTABLISHED);
        victim_stop(v);
    }
}

/* One change to a good error that makes it one of somebody else. */
struct lie {
    const char *what;
    size_t v4, v6; /* where, from the quoted IP header on; 0 = not in this version */
    uint8_t xor ;
};

/*
 * V-09: the quoted header is parsed like any other: version, lengths, protocol, fragment, addresses, ports
 * and SEQ must be those of a segment in flight.
 */
static void v09_every_field_of_the_quote_must_be_ours(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {"version", 0, 0, 0x20},         {"header length", 0, SIZE_MAX, 1},
        {"total length", 2, 4, 4},       {"fragment offset", 7, SIZE_MAX, 1},
        {"protocol", 9, 6, 1},           {"source", 15, 23, 1},
        {"destination", 19, 39, 1},      {"source port", 21, 41, 1},
        {"destination port", 23, 43, 1}, {"SEQ", 24, 44, 0x40},
        {"group", 16, 24, 0xff},
    };
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct victim *v = victim_start(false);
        estab_conn conn = victim_connected(v, v6);
        uint8_t text[64] = {0};
        assert_int_equal(estab_send(v->stack, v->now, conn, text, sizeof text, 0), sizeof text);
        victim_drain(v);
        for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
            size_t where = v6 ? lies[i].v6 : lies[i].v4;
            if (where == SIZE_MAX) {
                continue;
            }
            uint8_t packet[256] = {0};
            size_t whole = put_error(packet, v, v6, 0);
            packet[(v6 ? 48u : 28u) + where] ^= lies[i].xor ;
            if (i == 2) { /* so little that no port fits */
                put16(packet + (v6 ? 48 + 4 : 28 + 2), v6 ? 7 : 27);
            }
            if (error_believed(v, packet, whole, v6)) {
                fail_msg("believed in spite of its %s", lies[i].what);
            }
        }
        victim_stop(v);
    }
}

/*
 * V-09: an echo that fits into the MTU but not into a block of the pool is not answered: nothing is written
 * past it.
 */
static void v09_an_echo_larger_than_a_block_is_not_answered(void **state)
{
    (void)state;
    static uint8_t packet[2048];
    struct estab_config config;
    victim_config(&config);
    config.block_size = 512;
    struct victim *v = victim_create(&config, false, 0);
    unsigned answers = 0;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (size_t body = 300; body < 1400; body++) {
            victim_input(v, packet, put_echo(packet, v6, body));
            bool answered = victim_sends(v);
            answers += answered;
            assert_true(!answered || v->out_length <= 512);
            victim_check(v);
            victim_wait(v, VICTIM_SECOND / 1000);
        }
    }
    assert_true(answers > 200);
    victim_stop(v);
}

/* V-09: what is too big is told to the connection that is meant, and never by less than its own length. */
static void v09_packet_too_big_lowers_the_path_mtu(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct victim *v = victim_start(false);
        estab_conn conn = victim_connected(v, v6);
        uint8_t packet[256] = {0};
        uint8_t text[64] = {0};
        assert_int_equal(estab_send(v->stack, v->now, conn, text, sizeof text, 0), sizeof text);
        victim_drain(v);
        size_t whole = put_error(packet, v, v6, 0);
        uint8_t *icmp = packet + (v6 ? 40 : 20);
        icmp[0] = v6 ? 2 : 3;
        icmp[1] = v6 ? 0 : 4;
        put32(icmp + 4, 1279); /* no IPv6 link has less than 1280 (RFC 8201 4) */
        if (v6) {
            assert_false(error_believed(v, packet, whole, v6));
        }
        put32(icmp + 4, 1400);
        assert_true(error_believed(v, packet, whole, v6));
        assert_int_equal(victim_counters(v).path_mtu_changes, 1);
        assert_int_equal(victim_status(v, conn).soft_error, 0); /* it is no error of the path */
        victim_stop(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v09_an_echo_is_answered_with_what_arrived),
        cmocka_unit_test(v09_a_length_that_lies_brings_no_byte_back),
        cmocka_unit_test(v09_broken_and_huge_echoes_are_not_answered),
        cmocka_unit_test(v09_errors_are_cut_at_each_byte),
        cmocka_unit_test(v09_every_field_of_the_quote_must_be_ours),
        cmocka_unit_test(v09_an_echo_larger_than_a_block_is_not_answered),
        cmocka_unit_test(v09_packet_too_big_lowers_the_path_mtu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
