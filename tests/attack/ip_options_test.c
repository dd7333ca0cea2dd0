/*
 * IPv4 options (RFC 791 3.1, RFC 1122 3.2.1.8, RFC 7126 4): URGENT/11 CVE-2019-12256 and NUCLEUS
 * CVE-2021-31344 copied source routes into answers. Here every option is walked within the header, a source
 * route ends the packet, any other is skipped, and no answer, neither an echo's nor a RST, has options. What
 * is lawful is said by a walk of this file's own.
 */
#include "attack/victim.h"

#define ROOM 40u
#define MARK 0xee /* what the options are filled with: it may not come back */

enum outcome { SKIPPED, BROKEN, ROUTED };

static enum outcome outcome_of(const uint8_t *options, unsigned room)
{
    for (unsigned at = 0; at < room && options[at] != 0;) {
        if (options[at] == 1) {
            at++;
            continue;
        }
        if (at + 1 == room || options[at + 1] < 2 || at + options[at + 1] > room) {
            return BROKEN;
        }
        if (options[at] == 131 || options[at] == 137) {
            return ROUTED;
        }
        at += options[at + 1];
    }
    return SKIPPED;
}

/* One packet of `protocol` behind these options; what comes back has none. */
static void try_options(struct victim *v, unsigned protocol, const uint8_t *options, unsigned room)
{
    uint8_t packet[128];
    unsigned words = 5 + room / 4;
    size_t at = put_ipv4(packet, words, protocol, 20);
    memcpy(packet + 20, options, room);
    seal_ipv4(packet);
    if (protocol == V_TCP) {
        put_tcp(packet + at, 5, V_ACK, 5, 6); /* for no connection: a RST comes back */
        put16(packet + at + 2, 81);
        seal_tcp(packet + at, 20, false);
    } else {
        uint8_t echo[64];
        put_echo(echo, false, 12);
        memcpy(packet + at, echo + 20, 20);
    }
    bool skipped = outcome_of(options, room) == SKIPPED;
    victim_input(v, packet, at + 20);
    assert_true(skipped ? v->drop != ESTAB_DROP_IP_OPTION : v->drop == ESTAB_DROP_IP_OPTION);
    assert_int_equal(victim_sends(v), skipped);
    if (skipped) {
        assert_int_equal(v->out[0], 0x45);
        assert_int_equal(v->out_length, 40);
        assert_int_equal(get16(v->out + 2), 40);
        assert_null(memchr(v->out, MARK, protocol == V_TCP ? 40 : 20));
        assert_false(victim_sends(v));
    }
}

/*
 * V-05: all kinds x len 0..40 x every place in the header, to an echo and for a RST: dropped or ignored, no
 * echo.
 */
static void v05_every_kind_and_length(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    for (unsigned kind = 0; kind < 256; kind += ESTAB_TEST_SLOW && kind > 8 && kind != 130 ? 3 : 1) {
        for (unsigned i = 0; i < 41 * ROOM; i++) {
            uint8_t options[ROOM + 1];
            unsigned at = i % ROOM;
            memset(options, MARK, sizeof options);
            memset(options, 1, at);
            options[at] = (uint8_t)kind;
            options[at + 1] = (uint8_t)(i / ROOM);
            unsigned behind = at + i / ROOM;
            if (kind > 1 && i / ROOM >= 2 && behind < ROOM) {
                options[behind] = 0; /* END; the marks that follow mean nothing */
            }
            try_options(v, i & 1 ? V_TCP : V_ICMP, options, ROOM);
            if (i % 1000 == 0) {
                victim_wait(v, VICTIM_SECOND); /* what answers strangers may get */
            }
        }
    }
    victim_check(v);
    victim_stop(v);
}

/* V-05: headers of every length with an option that reaches one byte beyond, and duplicate source routes. */
static void v05_source_routes_and_the_edge_of_the_header(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {7, 68, 130, 131, 136, 137, 148};
    struct victim *v = victim_start(false);
    for (unsigned room = 4; room <= ROOM; room += 4) {
        for (unsigned k = 0; k < sizeof kinds; k++) {
            for (unsigned length = 0; length <= room + 2; length++) {
                uint8_t options[ROOM + 4] = {0};
                options[0] = kinds[k];
                options[1] = (uint8_t)length;
                try_options(v, V_ICMP, options, room);
            }
        }
        for (unsigned k = 0; k < 4 && room >= 8; k++) { /* LSRR and SSRR, twice and mixed */
            uint8_t options[ROOM] = {(uint8_t)(k & 1 ? 131 : 137), 3, 4, (uint8_t)(k & 2 ? 131 : 137), 3, 4};
            try_options(v, V_ICMP, options, room);
            assert_int_equal(v->drop, ESTAB_DROP_IP_OPTION);
        }
        victim_wait(v, VICTIM_SECOND);
    }
    victim_stop(v);
}

/* V-05: the same options in a packet that an ICMP error quotes: what is broken there is not believed. */
static void v05_a_broken_quote_is_not_believed(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    estab_conn conn = victim_connected(v, false);
    uint8_t text[100] = {0};
    assert_int_equal(estab_send(v->stack, v->now, conn, text, sizeof text, 0), sizeof text);
    victim_drain(v);
    for (unsigned kind = 0; kind < 256; kind++) {
        for (unsigned length = 0; length <= 41; length++) {
            uint8_t packet[128];
            uint8_t options[ROOM] = {(uint8_t)kind, (uint8_t)length};
            size_t at = put_ipv4(packet, 5, V_ICMP, 8 + 60 + 8);
            uint8_t *icmp = packet + at;
            memset(icmp, 0, 8);
            icmp[0] = 3;
            icmp[1] = 1; /* host unreachable: a soft error */
            size_t quoted = put_ipv4(icmp + 8, 15, V_TCP, 120);
            memcpy(icmp + 8 + 12, packet + 16, 4); /* from us to the peer */
            memcpy(icmp + 8 + 16, packet + 12, 4);
            memcpy(icmp + 8 + 20, options, ROOM);
            put16(icmp + 8 + quoted, VICTIM_PORT);
            put16(icmp + 8 + quoted + 2, PEER_TCP_PORT);
            put32(icmp + 8 + quoted + 4, v->victim_nxt);
            seal_icmp(icmp, 8 + quoted + 8, false);
            uint64_t before = victim_counters(v).icmp_errors_delivered;
            victim_input(v, packet, at + 8 + quoted + 8);
            bool believed = victim_counters(v).icmp_errors_delivered != before;
            assert_int_equal(believed, outcome_of(options, ROOM) == SKIPPED);
            assert_int_equal(victim_drain(v), 0);
        }
    }
    assert_int_equal(victim_status(v, conn).state, ESTAB_ESTABLISHED);
    victim_stop(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v05_every_kind_and_length),
        cmocka_unit_test(v05_source_routes_and_the_edge_of_the_header),
        cmocka_unit_test(v05_a_broken_quote_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
