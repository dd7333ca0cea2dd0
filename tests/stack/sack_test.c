/*
 * SACK blocks and DSACK as the receiver sends them (RFC 2018 4, RFC 2883 4), timestamps as sent (RFC 7323
 * 3), and duplicate ACKs, fast retransmit and fast recovery as the sender answers them (RFC 5681, 6582,
 * 3042).
 */
#include "support/rig.h"

static struct rig *with(bool sack, bool timestamps)
{
    struct rig_options options;
    rig_defaults(&options);
    options.sack = sack;
    options.timestamps = timestamps;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    return r;
}

/* R2018-02: RFC 2018 2: only where both said so. */
static void sack_is_sent_only_where_it_was_permitted(void **state)
{
    (void)state;
    struct rig *r = with(false, false);
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 10);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_stop(r);
    struct rig_options options;
    rig_defaults(&options);
    options.sack = true;
    options.config.no_sack = true;
    r = rig_start(&options);
    rig_connect(r);
    expect(r, .flags = SYN, .seq = 0);
    assert_false(r->last.sack_ok);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 10);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_stop(r);
}

/*
 * R2018-03, R2018-04: RFC 2018 4: the block of the segment that brought the ACK first, then those that were
 * reported last.
 */
static void newest_block_comes_first(void **state)
{
    (void)state;
    struct rig *r = with(true, false);
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .sack_count = 1, .sack = {{101, 201}});
    inject(r, .flags = ACK, .seq = 301, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .sack_count = 2, .sack = {{301, 401}, {101, 201}});
    inject(r, .flags = ACK, .seq = 501, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .sack_count = 3,
           .sack = {{501, 601}, {301, 401}, {101, 201}});
    inject(r, .flags = ACK, .seq = 201, .ack = 1, .length = 50); /* grows the oldest */
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .sack_count = 3,
           .sack = {{101, 251}, {501, 601}, {301, 401}});
    inject(r, .flags = ACK, .seq = 401, .ack = 1, .length = 100); /* joins two */
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .sack_count = 2, .sack = {{301, 601}, {101, 251}});
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100); /* what is acknowledged is reported no more */
    expect(r, .flags = ACK, .seq = 1, .ack = 251, .sack_count = 1, .sack = {{301, 601}});
    inject(r, .flags = ACK, .seq = 251, .ack = 1, .length = 50);
    expect(r, .flags = ACK, .seq = 1, .ack = 601);
    assert_int_equal(rig_read(r, 1000), 600);
    rig_stop(r);
}

/* R2018-05: As many as fit: four, beside timestamps three. */
static void four_blocks_fit_or_three_with_timestamps(void **state)
{
    (void)state;
    for (unsigned ts = 0; ts < 2; ts++) {
        struct rig *r = with(true, ts == 1);
        struct segment sent;
        for (uint32_t i = 0; i < 8; i++) {
            inject(r, .flags = ACK, .seq = 101 + 200 * i, .ack = 1, .length = 100);
            assert_true(rig_take(r, &sent));
            unsigned most = ts == 1 ? 3 : 4;
            assert_int_equal(sent.sack_count, i + 1 < most ? i + 1 : most);
            for (uint32_t k = 0; k < sent.sack_count; k++) {
                assert_int_equal(sent.sack[k][0], 101 + 200 * (i - k));
                assert_int_equal(sent.sack[k][1], 201 + 200 * (i - k));
            }
        }
        rig_stop(r);
    }
}

/* R2883-01: RFC 2883 4.1: what was received before, left of RCV.NXT. */
static void duplicate_text_is_reported_by_dsack(void **state)
{
    (void)state;
    struct rig *r = with(true, false);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100);
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 201);
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 201, .sack_count = 1, .sack = {{101, 201}});
    inject(r, .flags = ACK, .seq = 401, .ack = 1, .length = 100); /* reported once only */
    expect(r, .flags = ACK, .seq = 1, .ack = 201, .sack_count = 1, .sack = {{401, 501}});
    inject(r, .flags = ACK, .seq = 401, .ack = 1,
           .length = 100); /* ahead of the gap, again: inside the second block */
    expect(r, .flags = ACK, .seq = 1, .ack = 201, .sack_count = 2, .sack = {{401, 501}, {401, 501}});
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 50);
    expect(r, .flags = ACK, .seq = 1, .ack = 201, .sack_count = 2, .sack = {{1, 51}, {401, 501}});
    rig_stop(r);
}

/* ---- timestamps ---- */

/*
 * R7323-19, R7323-14, R7323-15, R7323-18, R7323-23, R7323-32: in every segment, echoing; the clock is
 * milliseconds from a keyed offset.
 */
static void timestamps_are_in_every_segment(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.timestamps = true;
    struct rig *r = rig_start(&options);
    rig_connect(r);
    expect(r, .flags = SYN, .seq = 0);
    assert_true(r->last.has_ts);
    assert_int_equal(r->last.tsecr, 0);
    uint32_t first = r->last.tsval;
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .check_ts = true, .tsval = first, .tsecr = r->peer_ts);
    advance(r, 1234 * MS);
    r->peer_ts += 77;
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 10);
    rig_send(r, 5, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 11, .length = 5, .check_ts = true, .tsval = first + 1234,
           .tsecr = r->peer_ts);
    rig_abort(r);
    expect(r, .flags = RST | ACK, .seq = 6, .ack = 11, .check_ts = true, .tsval = first + 1234,
           .tsecr = r->peer_ts);
    rig_stop(r);
}

static void timestamps_are_not_used_where_one_side_does_not_offer(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.no_timestamps = true;
    options.timestamps = true;
    struct rig *r = rig_start(&options);
    rig_connect(r);
    expect(r, .flags = SYN, .seq = 0);
    assert_false(r->last.has_ts);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    assert_false(rig_status(r).timestamps);
    rig_stop(r);
}

/* ---- duplicate ACKs ---- */

/*
 * R5681-14, R5681-15, R3042-01: RFC 5681 3.2, RFC 3042, RFC 6582: two bring new data, the third the front
 * again; a partial ACK the next hole.
 */
static void third_duplicate_ack_resends_the_front(void **state)
{
    (void)state;
    struct rig *r = with(false, false);
    rig_send(r, 20 * 1460, 0);
    for (uint32_t i = 0; i < 10; i++) {
        expect(r, .flags = ACK, .seq = 1 + 1460 * i, .ack = 1, .length = 1460);
    }
    expect_nothing(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1461);
    uint32_t nxt = 1 + 14600;
    expect(r, .flags = ACK, .seq = nxt, .ack = 1, .length = 1460);
    expect(r, .flags = ACK, .seq = nxt + 1460, .ack = 1, .length = 1460);
    expect_nothing(r);
    nxt += 2920;
    inject(r, .flags = ACK, .seq = 1, .ack = 1461);
    expect(r, .flags = ACK, .seq = nxt, .ack = 1, .length = 1460); /* limited transmit */
    inject(r, .flags = ACK, .seq = 1, .ack = 1461);
    expect(r, .flags = ACK, .seq = nxt + 1460, .ack = 1, .length = 1460);
    expect_nothing(r);
    nxt += 2920;
    inject(r, .flags = ACK, .seq = 1, .ack = 1461);
    expect(r, .flags = ACK, .seq = 1461, .ack = 1, .length = 1460, .reason = ESTAB_REASON_RETRANSMIT_FAST);
    expect_nothing(r);
    assert_int_equal(rig_status(r).in_recovery, 1);
    assert_int_equal(rig_counters(r).fast_retransmits, 1);
    uint32_t ssthresh = rig_status(r).ssthresh;
    assert_int_equal(ssthresh, 11 * 1460 / 2); /* half of what was in flight, limited transmit left out */
    inject(r, .flags = ACK, .seq = 1, .ack = 5841); /* partial: the next hole at once */
    expect(r, .flags = ACK, .seq = 5841, .ack = 1, .length = 1460);
    rig_discard(r);
    inject(r, .flags = ACK, .seq = 1, .ack = nxt);
    rig_discard(r);
    assert_int_equal(rig_status(r).in_recovery, 0);
    assert_true(rig_status(r).cwnd <= ssthresh + 1460);
    rig_stop(r);
}

/* RFC 5681 2: with data, with another window or a FIN it is no duplicate. */
static void segment_with_text_or_another_window_is_no_duplicate_ack(void **state)
{
    (void)state;
    struct rig *r = with(false, false);
    rig_send(r, 14600, 0);
    rig_discard(r);
    for (uint32_t i = 0; i < 5; i++) {
        inject(r, .flags = ACK, .seq = 1 + 10 * i, .ack = 1, .wnd = 30001 + (int32_t)i);
        inject(r, .flags = ACK, .seq = 1 + 10 * i, .ack = 1, .wnd = 30001 + (int32_t)i, .length = 10);
        rig_discard(r);
    }
    assert_int_equal(rig_counters(r).fast_retransmits, 0);
    rig_stop(r);
}

/* R5681-11, R5681-12: RFC 5681 3.1: a timeout: one segment, then slow start up to half of the flight. */
static void timeout_begins_again_with_one_segment(void **state)
{
    (void)state;
    struct rig *r = with(false, false);
    rig_send(r, 14600, 0);
    rig_discard(r);
    advance_to_next(r, SECOND);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1460);
    expect_nothing(r);
    assert_int_equal(rig_status(r).cwnd, 1460);
    assert_int_equal(rig_status(r).ssthresh, 7300);
    assert_int_equal(rig_status(r).in_recovery, 2);
    inject(r, .flags = ACK, .seq = 1, .ack = 1461);
    expect(r, .flags = ACK, .seq = 1461, .ack = 1, .length = 1460);
    expect(r, .flags = ACK, .seq = 2921, .ack = 1, .length = 1460);
    expect_nothing(r);
    assert_int_equal(rig_status(r).cwnd, 2920);
    rig_stop(r);
}

/* R6928-01: RFC 6928, R5681-20: ten segments at first; after an idle time no more than that. */
static void initial_window_is_ten_segments(void **state)
{
    (void)state;
    struct rig *r = with(false, false);
    assert_int_equal(rig_status(r).cwnd, 14600);
    rig_send(r, 29200, 0);
    rig_discard(r);
    assert_int_equal(rig_status(r).bytes_in_flight, 14600);
    inject(r, .flags = ACK, .seq = 1, .ack = 14601);
    rig_discard(r);
    assert_true(rig_status(r).cwnd > 14600);
    inject(r, .flags = ACK, .seq = 1, .ack = 29201);
    advance(r, 10 * SECOND);
    rig_send(r, 29200, 0);
    rig_discard(r);
    assert_int_equal(rig_status(r).bytes_in_flight, 14600);
    rig_stop(r);
}

/*
 * R6928-01: RFC 6928: ten segments but at most 14600 bytes or two segments; another number where the config
 * says so.
 */
static void initial_window_follows_mss_and_config(void **state)
{
    (void)state;
    static const struct {
        uint16_t mss;
        uint32_t segments, want;
    } cases[] = {{536, 0, 5360}, {1000, 0, 10000}, {1460, 3, 4380}, {1460, 20, 29200}, {100, 1, 100}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig_options options;
        rig_defaults(&options);
        options.peer_mss = cases[i].mss;
        options.config.initial_window = cases[i].segments;
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_ESTABLISHED);
        assert_int_equal(rig_status(r).cwnd, cases[i].want);
        rig_stop(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sack_is_sent_only_where_it_was_permitted),
        cmocka_unit_test(newest_block_comes_first),
        cmocka_unit_test(four_blocks_fit_or_three_with_timestamps),
        cmocka_unit_test(duplicate_text_is_reported_by_dsack),
        cmocka_unit_test(timestamps_are_in_every_segment),
        cmocka_unit_test(timestamps_are_not_used_where_one_side_does_not_offer),
        cmocka_unit_test(third_duplicate_ack_resends_the_front),
        cmocka_unit_test(segment_with_text_or_another_window_is_no_duplicate_ack),
        cmocka_unit_test(timeout_begins_again_with_one_segment),
        cmocka_unit_test(initial_window_is_ten_segments),
        cmocka_unit_test(initial_window_follows_mss_and_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
