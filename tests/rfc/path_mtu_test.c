/*
 * Probes of the path MTU segment by segment (RFC 4821 7, RFC 8899 5): when one is due, what its loss and its
 * ACK do, and what it must not be taken for. What whole paths do to whole transfers: tests/attack.
 */
#include "support/rig.h"

#define BASE  984u  /* an MTU of 1024 bytes less IPv4 and TCP headers */
#define PROBE 1222u /* the first: half way from there to MSS */
#define CWND  (10 * BASE)
#define NONE  UINT32_MAX

static struct rig_options options_of(enum estab_mtu_probing probing)
{
    struct rig_options options;
    rig_defaults(&options);
    options.config.mtu_probing = (uint8_t)probing;
    return options;
}

static struct rig *established(const struct rig_options *options)
{
    struct rig *r = rig_start(options);
    rig_reach(r, AT_ESTABLISHED);
    return r;
}

/* Searches from below, and has as much to send as the buffer takes. */
static struct rig *searching(const struct rig_options *options)
{
    struct rig_options own = options_of(ESTAB_MTU_PROBING_ALWAYS);
    struct rig *r = established(options != NULL ? options : &own);
    rig_send(r, SND_BUFFER, 0);
    return r;
}

/* The probe first, full segments behind it up to the congestion window. */
static void expect_flight(struct rig *r)
{
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = PROBE, .reason = ESTAB_REASON_MTU_PROBE);
    for (uint32_t at = 1 + PROBE; at + BASE <= 1 + CWND; at += BASE) {
        expect(r, .flags = ACK, .seq = at, .ack = 1, .length = BASE, .reason = ESTAB_REASON_DATA);
    }
    expect_nothing(r);
}

/* What was sent is taken: the longest of it. */
static uint32_t take_all(struct rig *r)
{
    struct segment sent;
    uint32_t longest = 0;
    while (rig_take(r, &sent)) {
        longest = sent.length > longest ? sent.length : longest;
    }
    return longest;
}

/*
 * The peer acknowledges everything, and the user fills the buffer again. The longest segment of what follows.
 */
static uint32_t go_round(struct rig *r)
{
    uint32_t end = rig_status(r).snd_nxt - rig_status(r).iss;
    inject(r, .flags = ACK, .seq = 1, .ack = end);
    uint32_t first = take_all(r);
    if (rig_status(r).send_queued < SND_BUFFER) {
        rig_send(r, SND_BUFFER - rig_status(r).send_queued, 0);
    }
    uint32_t second = take_all(r);
    return first > second ? first : second;
}

static void duplicate_acks(struct rig *r, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        rig_discard(r);
        inject(r, .flags = ACK, .seq = 1, .ack = 1);
    }
    rig_discard(r);
}

#define LAST (1 + PROBE + (CWND - PROBE) / BASE * BASE) /* behind that flight */

/*
 * R4821-01, R4821-04, R4821-05: from 1024 bytes half way to the link's MTU, in new text; what arrives is
 * used.
 */
static void probe_that_arrives_makes_segments_larger(void **state)
{
    (void)state;
    struct rig *r = searching(NULL);
    assert_int_equal(rig_status(r).path_mtu, 1024);
    expect_flight(r);
    assert_int_equal(rig_status(r).snd_mss, BASE);
    inject(r, .flags = ACK, .seq = 1, .ack = PROBE); /* all of it but a byte */
    assert_int_equal(rig_status(r).snd_mss, BASE);
    rig_discard(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + PROBE);
    assert_int_equal(rig_status(r).snd_mss, PROBE);
    assert_int_equal(rig_status(r).path_mtu, PROBE + 40);
    assert_int_equal(rig_counters(r).mtu_probes_sent, 1);
    assert_int_equal(rig_counters(r).mtu_probes_lost, 0);
    rig_discard(r);
    rig_stop(r);
}

/*
 * R4821-01: what the peer, the user or the link allow is never passed; below 1024 bytes nothing is searched.
 */
static void search_keeps_to_what_all_sides_allow(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        static const uint16_t sizes[] = {536, 1000, 1200, 1300};
        uint16_t most = sizes[i / 3];
        struct rig_options options = options_of(ESTAB_MTU_PROBING_ALWAYS);
        options.peer_mss = i % 3 == 0 ? most : 1460;
        options.mtu = i % 3 == 1 ? most + 40u : 1500;
        struct rig *r = rig_start(&options);
        if (i % 3 == 2) {
            struct estab_addr local = rig_local(r, LOCAL_PORT);
            struct estab_addr peer = rig_peer(r, PEER_PORT);
            assert_int_equal(estab_open(r->stack, &r->conn), 0);
            assert_int_equal(estab_bind(r->stack, r->now, r->conn, &local), 0);
            rig_set(r, ESTAB_OPTION_MAX_SEGMENT, most);
            assert_int_equal(estab_connect(r->stack, r->now, r->conn, &peer), 0);
            rig_called(r);
            expect(r, .flags = SYN, .mss = most);
            inject(r, .flags = SYN | ACK, .ack = 1);
            expect(r, .flags = ACK, .seq = 1, .ack = 1);
        } else {
            rig_reach(r, AT_ESTABLISHED);
        }
        uint32_t longest = 0;
        rig_send(r, SND_BUFFER, 0);
        take_all(r);
        for (unsigned round = 0; round < 40; round++) {
            uint32_t length = go_round(r);
            longest = length > longest ? length : longest;
        }
        assert_int_equal(longest, most);
        assert_int_equal(rig_status(r).snd_mss, most);
        assert_true(rig_counters(r).mtu_probes_sent > 0 || most <= BASE);
        rig_discard(r);
        rig_stop(r);
    }
}

/*
 * R4821-02, R8899-03: the whole search, where nothing above 1300 bytes gets through: which sizes are tried,
 * in order.
 */
static void search_halves_its_range(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1222, 1341, 1341, 1341, 1281, 1281, 1281, 1251, 1266, 1266, 1266};
    struct rig_options options = options_of(ESTAB_MTU_PROBING_ALWAYS);
    options.sack = true;
    struct rig *r = searching(&options);
    unsigned probes = 0;
    uint32_t una = 1, lost = NONE, end = 1;
    for (unsigned round = 0; round < 400; round++) {
        struct segment sent;
        while (rig_take(r, &sent)) {
            if (sent.reason == ESTAB_REASON_MTU_PROBE) {
                assert_true(probes < sizeof sizes / sizeof sizes[0]);
                assert_int_equal(sent.length, sizes[probes++]);
                lost = sent.length + 40 > 1300 ? sent.seq : lost;
            } else if (sent.seq == lost) {
                lost = NONE;
            }
            end = sent.seq + sent.length > end ? sent.seq + sent.length : end;
        }
        if (round % 2 == 1 && rig_status(r).send_queued < SND_BUFFER) {
            rig_send(r, SND_BUFFER - rig_status(r).send_queued, 0);
            continue;
        }
        una = lost != NONE ? lost : end;
        if (lost != NONE && end > lost + 1500) {
            inject(r, .flags = ACK, .seq = 1, .ack = una, .sack_count = 1, .sack = {{lost + 1400, end}});
        } else {
            inject(r, .flags = ACK, .seq = 1, .ack = una);
        }
    }
    assert_int_equal(probes, sizeof sizes / sizeof sizes[0]);
    assert_int_equal(rig_status(r).snd_mss, 1251);
    assert_int_equal(rig_counters(r).timeouts_retransmit, 0);
    rig_discard(r);
    rig_stop(r);
}

/*
 * R4821-03: no probe without text for it and four segments behind it, nor without the peer's window for
 * that, and none while another is out.
 */
static void probe_waits_for_text_and_window(void **state)
{
    (void)state;
    const uint32_t enough = PROBE + 4 * BASE;
    for (unsigned i = 0; i < 4; i++) {
        struct rig_options options = options_of(ESTAB_MTU_PROBING_ALWAYS);
        struct rig *r = established(&options);
        rig_set(r, ESTAB_OPTION_NODELAY, 1);
        uint32_t text = i == 0 ? enough - 1 : i == 1 ? enough : SND_BUFFER;
        uint32_t window = i == 2 ? enough - 1 : i == 3 ? enough : PEER_WND;
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = (int32_t)window);
        rig_send(r, text, 0);
        rig_discard(r);
        assert_int_equal(rig_counters(r).mtu_probes_sent, i % 2);
        if (i == 1) {
            rig_send(r, SND_BUFFER - text, 0);
            rig_discard(r);
            assert_int_equal(rig_counters(r).mtu_probes_sent, 1);
        }
        rig_stop(r);
    }
}

/*
 * R4821-06: three duplicates tell that the probe is lost: it goes again as a full segment and the rest, the
 * window stays, and two new segments went out for the first two duplicates as ever (RFC 3042).
 */
static void lost_probe_goes_again_and_the_window_stays(void **state)
{
    (void)state;
    struct rig *r = searching(NULL);
    expect_flight(r);
    for (uint32_t i = 0; i < 2; i++) {
        inject(r, .flags = ACK, .seq = 1, .ack = 1);
        expect(r, .flags = ACK, .seq = LAST + i * BASE, .ack = 1, .length = BASE);
    }
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = BASE, .reason = ESTAB_REASON_RETRANSMIT_FAST);
    expect(r, .flags = ACK, .seq = 1 + BASE, .ack = 1, .length = PROBE - BASE);
    expect(r, .flags = ACK, .seq = LAST + 2 * BASE, .ack = 1, .length = BASE); /* what has left made room */
    expect_nothing(r);
    for (uint32_t i = 3; i < 8; i++) {
        inject(r, .flags = ACK, .seq = 1, .ack = 1);
        expect(r, .flags = ACK, .seq = LAST + i * BASE, .ack = 1, .length = BASE);
        expect_nothing(r);
    }
    assert_int_equal(rig_status(r).cwnd, CWND);
    assert_int_equal(rig_status(r).ssthresh, NONE);
    assert_int_equal(rig_counters(r).mtu_probes_lost, 1);
    inject(r, .flags = ACK, .seq = 1, .ack = LAST + 8 * BASE);
    rig_discard(r);
    assert_true(rig_status(r).cwnd >= CWND);
    assert_int_equal(rig_status(r).ssthresh, NONE);
    assert_int_equal(rig_status(r).in_recovery, 0);
    assert_int_equal(rig_status(r).snd_mss, BASE);
    assert_int_equal(rig_counters(r).fast_retransmits, 0);
    rig_stop(r);
}

/*
 * R4821-06: SACK blocks tell of it in one ACK, where the receiver merges, and with it the room that it made.
 */
static void merged_duplicates_tell_of_the_probe_too(void **state)
{
    (void)state;
    for (uint32_t segments = 2; segments <= 3; segments++) {
        struct rig_options options = options_of(ESTAB_MTU_PROBING_ALWAYS);
        options.sack = true;
        struct rig *r = searching(&options);
        expect_flight(r);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 29000, .sack_count = 1,
               .sack = {{1 + PROBE, 1 + PROBE + segments * BASE}});
        if (segments == 3) {
            expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = BASE);
            expect(r, .flags = ACK, .seq = 1 + BASE, .ack = 1, .length = PROBE - BASE);
        }
        rig_discard(r);
        assert_int_equal(rig_counters(r).mtu_probes_lost, segments == 3);
        assert_int_equal(rig_status(r).cwnd, CWND);
        rig_stop(r);
    }
}

/* R4821-06: blocks that name what was never sent, or nothing, tell of no loss. */
static void blocks_about_nothing_tell_nothing(void **state)
{
    (void)state;
    static const uint32_t blocks[][2] = {{1 + PROBE, LAST + 1}, {LAST, LAST + 5 * BASE},  {5000, 5000},
                                         {5000, 1 + PROBE},     {0x80000000, 0x80005000}, {0, 9000}};
    for (unsigned i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        struct rig_options options = options_of(ESTAB_MTU_PROBING_ALWAYS);
        options.sack = true;
        struct rig *r = searching(&options);
        expect_flight(r);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 29000, .sack_count = 1,
               .sack = {{blocks[i][0], blocks[i][1]}});
        rig_discard(r);
        assert_int_equal(rig_counters(r).mtu_probes_lost, 0);
        rig_stop(r);
    }
}

/* R4821-06, R4821-08: the probe's text has come, and something behind it has not: that is congestion. */
static void loss_behind_the_probe_is_congestion(void **state)
{
    (void)state;
    struct rig *r = searching(NULL);
    expect_flight(r);
    duplicate_acks(r, 3);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + BASE); /* the first half of it */
    expect_nothing(r);
    assert_int_equal(rig_status(r).ssthresh, NONE);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + PROBE);
    expect(r, .flags = ACK, .seq = 1 + PROBE, .ack = 1, .length = BASE,
           .reason = ESTAB_REASON_RETRANSMIT_FAST);
    assert_int_equal(rig_status(r).in_recovery, 1);
    assert_int_equal(rig_counters(r).fast_retransmits, 1);
    assert_true(rig_status(r).ssthresh <= CWND / 2);
    rig_discard(r);
    rig_stop(r);
}

/*
 * R4821-08: what was lost stood in front of the probe: congestion, and of the probe's size nothing is known.
 */
static void loss_in_front_of_the_probe_is_congestion(void **state)
{
    (void)state;
    struct rig_options options = options_of(ESTAB_MTU_PROBING_ALWAYS);
    struct rig *r = established(&options);
    rig_send(r, BASE, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = BASE);
    rig_send(r, SND_BUFFER - BASE, 0);
    expect(r, .flags = ACK, .seq = 1 + BASE, .ack = 1, .length = PROBE, .reason = ESTAB_REASON_MTU_PROBE);
    rig_discard(r);
    duplicate_acks(r, 3);
    assert_int_equal(rig_counters(r).fast_retransmits, 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + BASE); /* ... and the probe is lost as well */
    expect(r, .flags = ACK, .seq = 1 + BASE, .ack = 1, .length = BASE,
           .reason = ESTAB_REASON_RETRANSMIT_FAST);
    rig_discard(r);
    uint32_t all = rig_status(r).snd_nxt - rig_status(r).iss;
    inject(r, .flags = ACK, .seq = 1, .ack = all);
    assert_int_equal(rig_status(r).snd_mss, BASE); /* its ACK is that of other segments */
    assert_int_equal(rig_counters(r).mtu_probes_lost, 0);
    rig_discard(r);
    rig_stop(r);
}

/* R4821-07: nothing tells of the loss but the timer: that is congestion, and one of three lost probes. */
static void probe_that_times_out_is_congestion(void **state)
{
    (void)state;
    struct rig *r = searching(NULL);
    expect_flight(r);
    advance_to_next(r, 10 * SECOND);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = BASE, .reason = ESTAB_REASON_RETRANSMIT_TIMEOUT);
    expect_nothing(r);
    assert_int_equal(rig_status(r).cwnd, BASE);
    assert_true(rig_status(r).ssthresh <= CWND / 2);
    assert_int_equal(rig_counters(r).mtu_probes_lost, 1);
    inject(r, .flags = ACK, .seq = 1, .ack = LAST);
    rig_discard(r);
    assert_int_equal(rig_status(r).snd_mss, BASE);
    rig_stop(r);
}

/*
 * R4821-09, MUST-20: the third timeout in a row makes the segment smaller, to 1024 bytes, the fifth to 552,
 * and nothing after that; what was no larger than 1024 bytes shrinks to 552 at once, and what was no larger
 * than that not at all.
 */
static void third_timeout_makes_segments_smaller(void **state)
{
    (void)state;
    static const uint32_t texts[] = {512, 513, 984, 985, 1460, 14600};
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rig_options options = options_of(ESTAB_MTU_PROBING_DEFAULT);
        struct rig *r = established(&options);
        uint32_t text = texts[i];
        rig_send(r, text, 0);
        rig_discard(r);
        for (unsigned timeout = 1; timeout <= 8; timeout++) {
            uint32_t size = timeout < 3 ? 1460 : timeout < 5 && text > 984 ? 984 : 512;
            struct segment sent;
            advance_to_next(r, 100 * SECOND);
            assert_true(rig_take(r, &sent));
            assert_int_equal(sent.seq, 1);
            assert_int_equal(sent.length, text < size ? text : size);
            expect_nothing(r);
        }
        assert_int_equal(rig_counters(r).black_holes, text <= 512 ? 0 : text <= 984 ? 1 : 2);
        rig_stop(r);
    }
}

/* R4821-09: what the peer's window keeps small was not too large either. */
static void small_window_is_no_black_hole(void **state)
{
    (void)state;
    static const struct {
        int32_t window;
        uint64_t black_holes;
    } cases[] = {{512, 0}, {513, 1}, {984, 1}, {985, 2}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig_options options = options_of(ESTAB_MTU_PROBING_DEFAULT);
        struct rig *r = established(&options);
        rig_set(r, ESTAB_OPTION_NODELAY, 1);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = cases[i].window);
        rig_send(r, 14600, 0);
        for (unsigned timeout = 0; timeout < 6; timeout++) {
            rig_discard(r);
            advance_to_next(r, 100 * SECOND);
        }
        rig_discard(r);
        assert_int_equal(rig_counters(r).black_holes, cases[i].black_holes);
        rig_stop(r);
    }
}

/* R4821-04: SACK blocks would make the probe larger than its size: it waits until none are to be told. */
static void probe_carries_no_blocks(void **state)
{
    (void)state;
    struct rig_options options = options_of(ESTAB_MTU_PROBING_ALWAYS);
    options.sack = true;
    struct rig *r = established(&options);
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 100);
    rig_discard(r);
    rig_send(r, SND_BUFFER, 0);
    take_all(r);
    for (unsigned round = 0; round < 5; round++) {
        go_round(r);
    }
    assert_int_equal(rig_counters(r).mtu_probes_sent, 0);
    uint32_t una = rig_status(r).snd_una - rig_status(r).iss;
    inject(r, .flags = ACK, .seq = 1, .ack = una, .length = 100);
    take_all(r);
    for (unsigned round = 0; round < 5; round++) {
        uint32_t end = rig_status(r).snd_nxt - rig_status(r).iss;
        inject(r, .flags = ACK, .seq = 201, .ack = end);
        take_all(r);
        rig_send(r, SND_BUFFER - rig_status(r).send_queued, 0);
        take_all(r);
    }
    assert_true(rig_counters(r).mtu_probes_sent > 0);
    rig_stop(r);
}

/* R4821-09: IPv6 has one step, to 1280 bytes. */
static void third_timeout_over_ipv6(void **state)
{
    (void)state;
    struct rig_options options = options_of(ESTAB_MTU_PROBING_DEFAULT);
    options.v6 = true;
    options.peer_mss = 1440;
    struct rig *r = established(&options);
    rig_send(r, 14400, 0);
    rig_discard(r);
    for (unsigned timeout = 1; timeout <= 8; timeout++) {
        advance_to_next(r, 100 * SECOND);
        expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = timeout < 3 ? 1440 : 1220);
        expect_nothing(r);
    }
    assert_int_equal(rig_counters(r).black_holes, 1);
    rig_stop(r);
}

/*
 * R8899-02, R5927-05, O-33: ten minutes after packet too big the search begins, not before, and with what
 * was told it never ends below.
 */
static void told_path_mtu_is_kept_for_ten_minutes(void **state)
{
    (void)state;
    struct rig_options options = options_of(ESTAB_MTU_PROBING_DEFAULT);
    struct rig *r = established(&options);
    rig_send(r, MSS, 0);
    rig_discard(r);
    rig_inject_icmp(r, 3, 4, 1, 1024);
    rig_discard(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + MSS);
    uint64_t began = r->now;
    while (rig_counters(r).mtu_probes_sent == 0) {
        advance(r, SECOND);
        assert_true(r->now - began < 610 * SECOND);
        rig_send(r, 10000, 0);
        while (rig_status(r).send_queued > 0) {
            rig_discard(r);
            inject(r, .flags = ACK, .seq = 1, .ack = rig_status(r).snd_nxt - rig_status(r).iss);
        }
        rig_discard(r);
    }
    assert_true(r->now - began > 595 * SECOND);
    assert_int_equal(rig_status(r).snd_mss, PROBE);
    rig_stop(r);
}

/*
 * R8899-01: packet too big about the probe alone lowers nothing; larger sizes than it tells are not
 * tried again, though the probe is lost once only.
 */
static void refused_probe_lowers_nothing(void **state)
{
    (void)state;
    struct rig *r = searching(NULL);
    expect_flight(r);
    rig_inject_icmp(r, 3, 4, 1, 1100);
    expect_nothing(r);
    assert_int_equal(rig_status(r).snd_mss, BASE);
    assert_int_equal(rig_counters(r).path_mtu_changes, 0);
    duplicate_acks(r, 3);
    uint32_t longest = 0;
    for (unsigned round = 0; round < 40; round++) {
        uint32_t length = go_round(r);
        longest = length > longest ? length : longest;
    }
    assert_int_equal(longest, 1060);
    assert_int_equal(rig_status(r).snd_mss, 1060);
    assert_int_equal(rig_counters(r).mtu_probes_lost, 1);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_that_arrives_makes_segments_larger),
        cmocka_unit_test(search_keeps_to_what_all_sides_allow),
        cmocka_unit_test(search_halves_its_range),
        cmocka_unit_test(probe_waits_for_text_and_window),
        cmocka_unit_test(lost_probe_goes_again_and_the_window_stays),
        cmocka_unit_test(merged_duplicates_tell_of_the_probe_too),
        cmocka_unit_test(blocks_about_nothing_tell_nothing),
        cmocka_unit_test(loss_behind_the_probe_is_congestion),
        cmocka_unit_test(loss_in_front_of_the_probe_is_congestion),
        cmocka_unit_test(probe_that_times_out_is_congestion),
        cmocka_unit_test(third_timeout_makes_segments_smaller),
        cmocka_unit_test(third_timeout_over_ipv6),
        cmocka_unit_test(small_window_is_no_black_hole),
        cmocka_unit_test(probe_carries_no_blocks),
        cmocka_unit_test(told_path_mtu_is_kept_for_ten_minutes),
        cmocka_unit_test(refused_probe_lowers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
