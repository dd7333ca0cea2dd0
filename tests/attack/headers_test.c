/*
 * Lies about lengths: IHL, total length, payload length, extension header length and data offset against each
 * other and against the bytes that arrived (RFC 791 3.1, RFC 8200 3, RFC 9293 3.1; Ripple20, INFRA:HALT,
 * NUCLEUS:13, picoTCP CVE-2020-24341). What is believed is decided here by one sentence, the invariant 20 <=
 * IHL * 4 <= total length <= bytes, 20 <= data offset * 4 <= what the total length leaves; everything else
 * must be dropped, counted once, and answered by nothing.
 */
#include "attack/victim.h"

#define BYTES    75u /* of every IPv4 packet before it is cut: truncation to 0..74 */
#define BYTES_V6 115u

struct grid {
    struct victim *v;
    estab_conn conn;
    unsigned long cases, legal;
};

/* Lengths that a header may claim for a packet of `arrived` bytes. */
static unsigned claims(unsigned header, unsigned arrived, uint16_t out[10])
{
    const unsigned all[10] = {0, 1, 19, 20, header - 1, header, arrived - 1, arrived, arrived + 1, 65535};
    for (unsigned i = 0; i < 10; i++) {
        out[i] = (uint16_t)all[i];
    }
    return 10;
}

/* Nothing but the lengths is wrong; the segment is an old one, so that what is believed changes nothing. */
static void try_packet(struct grid *g, const uint8_t *packet, size_t length, bool legal)
{
    struct estab_counters before = victim_counters(g->v);
    g->v->flags = g->cases % 2 ? ESTAB_PACKET_CHECKSUM_VALID : 0; /* which trusts a sum and no length */
    victim_input(g->v, packet, length);
    struct estab_counters after = victim_counters(g->v);
    uint64_t dropped = 0;
    for (unsigned i = 1; i < ESTAB_DROP_COUNT; i++) {
        dropped += after.drops[i] - before.drops[i];
    }
    g->cases++;
    g->legal += legal;
    assert_int_equal(after.segments_in - before.segments_in, legal);
    if (!legal) {
        assert_int_equal(dropped, 1);
        assert_true(g->v->drop != ESTAB_DROP_NONE);
        assert_int_equal(victim_drain(g->v), 0);
    }
    victim_drain(g->v);
    if (g->cases % 64 == 0) {
        victim_check(g->v);
        assert_int_equal(victim_status(g->v, g->conn).rcv_nxt, g->v->peer_nxt);
    }
}

static void grid_start(struct grid *g, bool v6)
{
    memset(g, 0, sizeof *g);
    g->v = victim_start(false);
    g->conn = victim_connected(g->v, v6);
}

static void grid_stop(struct grid *g, unsigned long least, unsigned long least_legal)
{
    if (!ESTAB_TEST_SLOW) {
        assert_true(g->cases >= least);
        assert_true(g->legal >= least_legal); /* else nothing would be shown */
    }
    assert_int_equal(victim_status(g->v, g->conn).state, ESTAB_ESTABLISHED);
    victim_stop(g->v);
}

/* The segment behind `at` bytes of headers, with checksums as the packet's own lengths have them. */
static void put_text(struct grid *g, uint8_t *packet, size_t at, unsigned offset)
{
    put_tcp(packet + at, offset, V_ACK, g->v->peer_nxt - 400, g->v->victim_nxt);
    for (size_t i = at + (offset > 5 ? offset * 4u : 20u); i < BYTES_V6; i++) {
        packet[i] = (uint8_t)i;
    }
}

/* `tcp` bytes of segment are what the lengths leave, if that is anything. */
static bool segment_legal(unsigned offset, long tcp)
{
    return tcp >= 20 && offset >= 5 && (long)offset * 4 <= tcp;
}

static void try_ipv4(struct grid *g, unsigned ihl, unsigned offset, unsigned arrived)
{
    uint16_t totals[10];
    unsigned header = ihl * 4;
    for (unsigned i = 0, n = claims(header, arrived, totals); i < n; i++) {
        uint8_t packet[256] = {0};
        size_t at = header < 20 ? 20 : header;
        put_ipv4(packet, (unsigned)at / 4, V_TCP, 0);
        put_text(g, packet, at, offset);
        packet[0] = (uint8_t)(0x40 | ihl);
        put16(packet + 2, totals[i]);
        put16(packet + 10, 0);
        put16(packet + 10, ~sum_bytes(packet, header, 0) & 0xffff);
        long tcp = (long)totals[i] - (long)header;
        bool whole = header >= 20 && totals[i] >= header && totals[i] <= arrived;
        if (whole && tcp >= 20) {
            seal_tcp(packet + at, (size_t)tcp, false);
        }
        try_packet(g, packet, arrived, whole && segment_legal(offset, tcp));
    }
}

/*
 * V-01: IHL 0..15 x total length {0, 1, 19, 20, header - 1, header, actual - 1, actual, actual + 1, 65535} x
 * data offset 0..15 x truncation at each byte 0..74: dropped, counted once, no reply; 192,000 cases.
 */
static void v01_ipv4_lengths_are_held_against_the_bytes(void **state)
{
    (void)state;
    struct grid g;
    grid_start(&g, false);
    for (unsigned ihl = 0; ihl < 16; ihl++) {
        for (unsigned offset = 0; offset < 16; offset++) {
            for (unsigned arrived = 0; arrived < BYTES; arrived += ESTAB_TEST_SLOW ? 3 : 1) {
                try_ipv4(&g, ihl, offset, arrived);
            }
        }
    }
    grid_stop(&g, 192000, 1000);
}

static void try_ipv6(struct grid *g, unsigned units, unsigned offset, unsigned arrived)
{
    uint16_t lengths[10];
    unsigned extension = units == 0 ? 0 : units * 8; /* 0: no extension header at all */
    for (unsigned i = 0, n = claims(extension, arrived - 40, lengths); i < n; i++) {
        uint8_t packet[512] = {0};
        size_t at = put_ipv6(packet, extension > 0 ? 60 : V_TCP, 0);
        if (extension > 0) { /* destination options, all Pad1 */
            packet[at] = V_TCP;
            packet[at + 1] = (uint8_t)(units - 1);
            at += extension;
        }
        put_text(g, packet, at, offset);
        put16(packet + 4, lengths[i]);
        long tcp = (long)lengths[i] - (long)extension;
        bool whole = arrived >= 40 && lengths[i] <= arrived - 40;
        if (whole && tcp >= 20) {
            seal_tcp(packet + at, (size_t)tcp, true);
        }
        try_packet(g, packet, arrived, whole && segment_legal(offset, tcp));
    }
}

/*
 * V-01: the same for IPv6: an extension header of 0..15 units x payload length x data offset x truncation at
 * each byte 0..114: 294,400 cases more; 200,000 are asked for.
 */
static void v01_ipv6_lengths_are_held_against_the_bytes(void **state)
{
    (void)state;
    struct grid g;
    grid_start(&g, true);
    for (unsigned units = 0; units < 16; units++) {
        for (unsigned offset = 0; offset < 16; offset++) {
            for (unsigned arrived = 0; arrived < BYTES_V6; arrived += ESTAB_TEST_SLOW ? 3 : 1) {
                try_ipv6(&g, units, offset, arrived);
            }
        }
    }
    grid_stop(&g, 294400, 1000);
}

/*
 * V-01: a packet that is shorter than its frame: what stands behind it is padding, never text (Etherleak's
 * mirror).
 */
static void v01_what_stands_behind_the_total_length_is_no_text(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct victim *v = victim_start(true);
        estab_conn conn = victim_connected(v, v6);
        for (unsigned padding = 0; padding < 32; padding++) {
            uint8_t frame[256];
            memset(frame, 0xee, sizeof frame);
            size_t at = put_ethernet(frame, v6 ? 0x86dd : 0x0800);
            at += put_ip(frame + at, v6, V_TCP, 20 + 3);
            put_tcp(frame + at, 5, V_ACK, v->peer_nxt, v->victim_nxt);
            seal_tcp(frame + at, 23, v6);
            victim_input(v, frame, at + 23 + padding);
            assert_int_equal(v->drop, ESTAB_DROP_NONE);
            v->peer_nxt += 3;
            assert_int_equal(victim_status(v, conn).rcv_nxt, v->peer_nxt);
            victim_drain(v);
        }
        victim_stop(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v01_ipv4_lengths_are_held_against_the_bytes),
        cmocka_unit_test(v01_ipv6_lengths_are_held_against_the_bytes),
        cmocka_unit_test(v01_what_stands_behind_the_total_length_is_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
