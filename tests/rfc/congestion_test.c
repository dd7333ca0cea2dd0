/*
 * Congestion control and loss recovery as a peer sees them: RFC 5681, the NewReno of RFC 6582, what RFC 2018
 * asks of a sender, RFC 6298 5. The arithmetic alone is tests/unit/cc_newreno_test.c. Segments have 1460
 * bytes, the initial window has ten of them, and the round trip is 0 where time does not go on.
 */
#include "support/rig.h"

#define FLIGHT (10 * MSS)

static struct rig *established(const struct rig_options *options)
{
    struct rig *r = rig_start(options);
    rig_reach(r, AT_ESTABLISHED);
    return r;
}

/* Ten segments are in flight, and nothing waits behind them. */
static struct rig *with_full_flight(uint64_t min_rto_ns)
{
    struct rig_options options;
    rig_defaults(&options);
    options.config.min_rto_ns = min_rto_ns;
    struct rig *r = established(&options);
    rig_send(r, FLIGHT, 0);
    rig_discard(r);
    assert_int_equal(rig_status(r).bytes_in_flight, FLIGHT);
    return r;
}

static void duplicate_acks(struct rig *r, uint32_t ack, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        inject(r, .flags = ACK, .seq = 1, .ack = ack);
    }
}

/* The same, whatever they let out. */
static void take_duplicates(struct rig *r, uint32_t ack, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        duplicate_acks(r, ack, 1);
        rig_discard(r);
    }
}

static void expect_fast_retransmit(struct rig *r, uint32_t seq)
{
    struct segment sent;
    assert_true(rig_take(r, &sent));
    assert_int_equal(sent.seq, seq);
    assert_int_equal(sent.length, MSS);
    assert_int_equal(sent.reason, ESTAB_REASON_RETRANSMIT_FAST);
}

/* Fills the send queue. */
static void top_up(struct rig *r)
{
    uint64_t queued = rig_status(r).send_queued;
    if (queued < SND_BUFFER) {
        rig_send(r, SND_BUFFER - queued, 0);
    }
}

/* R5681-05: neither side's handshake makes the window grow, R6928-01: it is ten segments. */
static void handshake_leaves_the_initial_window(void **state)
{
    (void)state;
    struct rig *r = established(NULL);
    assert_int_equal(rig_status(r).cwnd, FLIGHT);
    rig_stop(r);
    r = rig_start(NULL);
    rig_listen(r, 1);
    inject(r, .flags = SYN, .seq = 0);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_accept(r);
    assert_int_equal(rig_status(r).cwnd, FLIGHT);
    rig_stop(r);
}

/* R5681-08: no window that can be announced is above the first threshold, and a loss lowers it. */
static void threshold_begins_high_and_falls_with_loss(void **state)
{
    (void)state;
    struct rig *r = with_full_flight(0);
    assert_true(rig_status(r).ssthresh >= 1u << 30);
    advance_to_next(r, SECOND);
    rig_discard(r);
    assert_int_equal(rig_status(r).ssthresh, FLIGHT / 2);
    rig_stop(r);
}

/* R5681-01: the smaller of the two windows bounds what is in flight. */
static void flight_stays_within_both_windows(void **state)
{
    (void)state;
    for (uint32_t window = 1000; window <= 30000; window += 1000) {
        struct rig *r = established(NULL);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = (int32_t)window);
        top_up(r);
        rig_discard(r);
        uint32_t flight = rig_status(r).bytes_in_flight;
        assert_true(flight <= (window < FLIGHT ? window : FLIGHT));
        assert_true(window < FLIGHT || flight == FLIGHT);
        rig_stop(r);
    }
}

/*
 * MUST-19, R5681-03, R5681-10: after a timeout a segment for each one acknowledged up to the threshold, and
 * then one segment for each window that was acknowledged.
 */
static void slow_start_ends_at_the_threshold(void **state)
{
    (void)state;
    static const unsigned wanted[] = {2, 3, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7};
    struct rig *r = with_full_flight(0);
    advance_to_next(r, SECOND);
    rig_discard(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + FLIGHT);
    uint32_t una = 1 + FLIGHT;
    assert_int_equal(rig_status(r).cwnd, 2 * MSS);
    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_int_equal(rig_status(r).cwnd, wanted[i] * MSS);
        top_up(r);
        rig_discard(r);
        una += MSS;
        inject(r, .flags = ACK, .seq = 1, .ack = una);
        rig_discard(r);
    }
    rig_stop(r);
}

/*
 * R5681-17, R5681-18, R6582-01: the first loss of a connection: half of the flight and three segments; one
 * more for each duplicate after that, but never more of them than segments were in flight.
 */
static void third_duplicate_halves_and_further_ones_inflate(void **state)
{
    (void)state;
    struct rig *r = with_full_flight(0);
    duplicate_acks(r, 1, 2);
    expect_nothing(r);
    duplicate_acks(r, 1, 1);
    expect_fast_retransmit(r, 1);
    expect_nothing(r);
    assert_int_equal(rig_status(r).ssthresh, 5 * MSS);
    assert_int_equal(rig_status(r).cwnd, 8 * MSS);
    for (unsigned i = 4; i < 100; i++) {
        duplicate_acks(r, 1, 1);
        assert_int_equal(rig_status(r).cwnd, (5 + (i < 10 ? i : 10)) * MSS);
    }
    rig_stop(r);
}

/* R5681-15, R5681-17: what the first two duplicates let out does not count in what is halved. */
static void limited_transmit_does_not_raise_the_threshold(void **state)
{
    (void)state;
    struct rig *r = with_full_flight(0);
    rig_send(r, 10 * MSS, 0);
    expect_nothing(r);
    duplicate_acks(r, 1, 1);
    expect(r, .flags = ACK, .seq = 1 + FLIGHT, .ack = 1, .length = MSS);
    assert_int_equal(rig_status(r).cwnd, FLIGHT);
    duplicate_acks(r, 1, 1);
    expect(r, .flags = ACK, .seq = 1 + FLIGHT + MSS, .ack = 1, .length = MSS);
    assert_int_equal(rig_status(r).cwnd, FLIGHT);
    expect_nothing(r);
    duplicate_acks(r, 1, 1);
    expect_fast_retransmit(r, 1);
    expect_nothing(r);
    assert_int_equal(rig_status(r).ssthresh, FLIGHT / 2);
    rig_stop(r);
}

/* R5681-19, R6582-03: back to the threshold, or a segment more than what is in flight where that is less. */
static void full_ack_deflates_without_a_burst(void **state)
{
    (void)state;
    struct rig *r = with_full_flight(0);
    duplicate_acks(r, 1, 3);
    expect_fast_retransmit(r, 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + FLIGHT);
    assert_int_equal(rig_status(r).in_recovery, 0);
    assert_int_equal(rig_status(r).cwnd, 2 * MSS); /* nothing was in flight any more */
    rig_stop(r);
    r = with_full_flight(0);
    rig_send(r, 10 * MSS, 0);
    take_duplicates(r, 1, 10); /* the inflated window lets new text out */
    uint32_t flight = rig_status(r).bytes_in_flight;
    assert_true(flight >= FLIGHT + 5 * MSS);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + FLIGHT + 2 * MSS);
    rig_discard(r);
    assert_int_equal(rig_status(r).in_recovery, 0);
    assert_true(rig_status(r).cwnd <= rig_status(r).ssthresh);
    assert_true(rig_status(r).cwnd >= rig_status(r).ssthresh - MSS);
    rig_stop(r);
}

/*
 * R6582-04: a partial ACK sends the next front, takes what it covers off the window and adds a segment; the
 * first one restarts the timer, the second does not.
 */
static void partial_ack_sends_the_next_front(void **state)
{
    (void)state;
    struct rig *r = with_full_flight(SECOND);
    uint64_t start = r->now;
    duplicate_acks(r, 1, 3);
    expect_fast_retransmit(r, 1);
    assert_int_equal(estab_next_deadline(r->stack), start + SECOND);
    advance(r, 300 * MS);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + 3 * MSS);
    expect_fast_retransmit(r, 1 + 3 * MSS);
    expect_nothing(r);
    assert_int_equal(rig_status(r).cwnd, (8 - 3 + 1) * MSS);
    assert_int_equal(rig_status(r).in_recovery, 1);
    advance(r, 300 * MS);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + 5 * MSS);
    expect_fast_retransmit(r, 1 + 5 * MSS);
    expect_nothing(r);
    advance(r, start + 1300 * MS - 1 - r->now);
    expect_nothing(r);
    advance(r, 1);
    expect(r, .flags = ACK, .seq = 1 + 5 * MSS, .ack = 1, .length = MSS,
           .reason = ESTAB_REASON_RETRANSMIT_TIMEOUT);
    assert_int_equal(rig_status(r).in_recovery, 2);
    rig_stop(r);
}

/* R6582-02, R6582-05: duplicates of what a timeout answered, up to its very end, begin no recovery. */
static void duplicates_after_a_timeout_begin_nothing(void **state)
{
    (void)state;
    struct rig *r = with_full_flight(0);
    take_duplicates(r, 1, 3);
    advance_to_next(r, SECOND);
    rig_discard(r);
    assert_int_equal(rig_status(r).in_recovery, 2);
    assert_int_equal(rig_counters(r).fast_retransmits, 1);
    take_duplicates(r, 1, 5);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + MSS);
    rig_discard(r);
    take_duplicates(r, 1 + MSS, 5);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + FLIGHT); /* exactly what had been sent */
    rig_discard(r);
    rig_send(r, 10 * MSS, 0);
    rig_discard(r);
    take_duplicates(r, 1 + FLIGHT, 5);
    assert_int_equal(rig_counters(r).fast_retransmits, 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + FLIGHT + MSS); /* beyond it */
    rig_discard(r);
    take_duplicates(r, 1 + FLIGHT + MSS, 3);
    assert_int_equal(rig_counters(r).fast_retransmits, 2);
    rig_stop(r);
}

/* R5681-23: what was sent again is lost as well: the window and the threshold fall a second time. */
static void lost_retransmission_lowers_the_window_twice(void **state)
{
    (void)state;
    struct rig *r = with_full_flight(0);
    duplicate_acks(r, 1, 3);
    expect_fast_retransmit(r, 1);
    assert_int_equal(rig_status(r).ssthresh, FLIGHT / 2);
    advance_to_next(r, SECOND);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = MSS);
    assert_int_equal(rig_status(r).cwnd, MSS);
    assert_int_equal(rig_status(r).ssthresh, FLIGHT / 4);
    rig_stop(r);
}

/*
 * R5681-11, R5681-12: the same segment again and again: the threshold is that of the first time. The third
 * timeout makes it smaller (RFC 4821 7.7).
 */
static void second_timeout_keeps_the_threshold(void **state)
{
    (void)state;
    struct rig *r = with_full_flight(0);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t mss = i < 2 ? MSS : 984;
        advance_to_next(r, 10 * SECOND);
        expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = mss);
        expect_nothing(r);
        assert_int_equal(rig_status(r).cwnd, mss);
        assert_int_equal(rig_status(r).ssthresh, FLIGHT / 2);
    }
    rig_stop(r);
}

/* R5681-20: ACKs of what the peer sends meanwhile do not make a sender of text less idle. */
static void idle_sender_restarts_also_where_it_has_acknowledged(void **state)
{
    (void)state;
    struct rig *r = with_full_flight(0);
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + FLIGHT);
    assert_int_equal(rig_status(r).cwnd, 2 * FLIGHT);
    for (uint32_t i = 0; i < 20; i++) {
        advance(r, 150 * MS);
        inject(r, .flags = ACK, .seq = 1 + 10 * i, .ack = 1 + FLIGHT, .length = 10);
        advance(r, 50 * MS);
        expect(r, .flags = ACK, .seq = 1 + FLIGHT, .ack = 11 + 10 * i);
    }
    rig_send(r, 2 * FLIGHT, 0);
    rig_discard(r);
    assert_int_equal(rig_status(r).bytes_in_flight, FLIGHT);
    rig_stop(r);
}

/* R5681-07: where the path takes smaller segments only, the window keeps its number of segments. */
static void smaller_path_mtu_lowers_the_window_in_proportion(void **state)
{
    (void)state;
    struct rig *r = with_full_flight(0);
    rig_inject_icmp(r, 3, 4, 1, 770); /* 730 bytes of text */
    rig_discard(r);
    assert_int_equal(rig_status(r).snd_mss, 730);
    assert_int_equal(rig_status(r).cwnd, FLIGHT / 2);
    rig_stop(r);
}

/*
 * R2018-07, R2018-08: blocks free nothing, and a timeout begins at the left edge and goes on from there,
 * whatever was reported: a peer may have thrown it away.
 */
static void reported_blocks_are_kept_and_sent_again(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.sack = true;
    struct rig *r = established(&options);
    rig_send(r, FLIGHT, 0);
    rig_discard(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .sack_count = 1, .sack = {{1, 1 + FLIGHT}});
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .sack_count = 1, .sack = {{1 + MSS, 1 + FLIGHT}});
    expect_nothing(r);
    assert_int_equal(rig_status(r).send_queued, FLIGHT);
    for (uint32_t i = 0; i < 10; i++) {
        advance_to_next(r, 60 * SECOND);
        struct segment sent;
        assert_true(rig_take(r, &sent));
        assert_int_equal(sent.seq, 1 + i * MSS);
        assert_int_equal(sent.length, MSS);
        expect_nothing(r);
        inject(r, .flags = ACK, .seq = 1, .ack = 1 + (i + 1) * MSS, .wnd = 1460);
        rig_discard(r);
        if (i < 9) {
            assert_int_equal(rig_status(r).send_queued, FLIGHT - (i + 1) * MSS);
            inject(r, .flags = ACK, .seq = 1, .ack = 1 + (i + 1) * MSS, .wnd = 1460, .sack_count = 1,
                   .sack = {{1 + (i + 1) * MSS, 1 + FLIGHT}});
            rig_discard(r);
        }
    }
    assert_int_equal(rig_status(r).send_queued, 0);
    rig_stop(r);
}

/* R6298-08: a round trip that never varies still leaves one tick between it and the timeout. */
static void variance_of_nothing_counts_as_a_tick(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.min_rto_ns = 1;
    struct rig *r = established(&options);
    assert_int_equal(rig_status(r).rttvar_ns, 0);
    assert_int_equal(rig_status(r).rto_ns, rig_status(r).srtt_ns + 1000);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_leaves_the_initial_window),
        cmocka_unit_test(threshold_begins_high_and_falls_with_loss),
        cmocka_unit_test(flight_stays_within_both_windows),
        cmocka_unit_test(slow_start_ends_at_the_threshold),
        cmocka_unit_test(third_duplicate_halves_and_further_ones_inflate),
        cmocka_unit_test(limited_transmit_does_not_raise_the_threshold),
        cmocka_unit_test(full_ack_deflates_without_a_burst),
        cmocka_unit_test(partial_ack_sends_the_next_front),
        cmocka_unit_test(duplicates_after_a_timeout_begin_nothing),
        cmocka_unit_test(lost_retransmission_lowers_the_window_twice),
        cmocka_unit_test(second_timeout_keeps_the_threshold),
        cmocka_unit_test(idle_sender_restarts_also_where_it_has_acknowledged),
        cmocka_unit_test(smaller_path_mtu_lowers_the_window_in_proportion),
        cmocka_unit_test(reported_blocks_are_kept_and_sent_again),
        cmocka_unit_test(variance_of_nothing_counts_as_a_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
