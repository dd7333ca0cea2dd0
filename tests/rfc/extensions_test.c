/*
 * RFC 7323 rule by rule, as far as no other test has it: where the options of a handshake hold, which
 * timestamp is echoed, and how the receiver keeps its word about a scaled window.
 */
#include "support/rig.h"

/* R7323-03: a shift outside of a SYN changes nothing, agreed on before or not. */
static void window_scale_outside_a_syn_is_ignored(void **state)
{
    (void)state;
    static const uint8_t scale[4] = {3, 3, 9, 0};
    for (int agreed = 0; agreed < 2; agreed++) {
        struct rig_options options;
        rig_defaults(&options);
        options.wscale = agreed ? 1 + 2 : 0;
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_ESTABLISHED);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 1000, .raw = scale, .raw_length = 4);
        assert_int_equal(rig_status(r).snd_wnd, agreed ? 4000 : 1000);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 2000);
        assert_int_equal(rig_status(r).snd_wnd, agreed ? 8000 : 2000);
        assert_int_equal(rig_status(r).snd_wnd_shift, agreed ? 2 : 0);
        rig_stop(r);
    }
}

/* R7323-10, R7323-11: what lies within the furthest edge that any ACK told is taken, also after rounding. */
static void text_up_to_the_furthest_edge_is_taken(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.receive_buffer = 1 << 18;
    options.memory = 1 << 20;
    options.wscale = 1;
    uint32_t furthest = 0, at = 1;
    struct segment sent;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    unsigned shift = rig_status(r).rcv_wnd_shift;
    assert_int_equal(shift, 3);
    for (unsigned i = 0; i < 50; i++) { /* lengths that are no multiples of the scale */
        inject(r, .flags = ACK, .seq = at, .ack = 1, .length = 1001);
        at += 1001;
        while (rig_take(r, &sent)) {
            uint32_t edge = sent.ack + ((uint32_t)sent.wnd << shift);
            furthest = edge > furthest ? edge : furthest;
        }
    }
    inject(r, .flags = ACK, .seq = furthest - 10, .ack = 1, .length = 10);
    rig_discard(r);
    assert_int_equal(rig_status(r).receive_ahead, 10);
    assert_int_equal(rig_counters(r).drops[ESTAB_DROP_SEQUENCE], 0);
    inject(r, .flags = ACK, .seq = furthest, .ack = 1, .length = 10);
    rig_discard(r);
    assert_int_equal(rig_counters(r).drops[ESTAB_DROP_SEQUENCE], 1);
    rig_stop(r);
}

/* R7323-16: the echo of a segment without ACK says nothing, be it ever so plausible. */
static void echo_without_ack_is_no_measurement(void **state)
{
    (void)state;
    struct rig *r = rig_with_timestamps(AT_SYN_SENT);
    advance(r, 700 * MS);
    inject(r, .flags = SYN, .seq = 0, .check_ts = true, .tsval = r->peer_ts, .tsecr = r->last_tsval);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    assert_int_equal(rig_status(r).srtt_ns, 0);
    inject(r, .flags = 0, .seq = 1, .length = 5, .check_ts = true, .tsval = r->peer_ts,
           .tsecr = r->last_tsval);
    expect_nothing(r);
    assert_int_equal(rig_status(r).srtt_ns, 0);
    rig_stop(r);
}

/* R7323-24: an echo counts with an ACK of something new, and with no other. */
static void echo_without_progress_is_no_measurement(void **state)
{
    (void)state;
    struct rig *r = rig_with_timestamps(AT_SYN_SENT);
    advance(r, SECOND);
    expect(r, .flags = SYN, .seq = 0); /* twice, so that the handshake gives no sample */
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_send(r, 10, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    advance_to_next(r, 5 * SECOND);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    advance(r, 100 * MS);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(rig_status(r).srtt_ns, 0);
    inject(r, .flags = ACK, .seq = 1, .ack = 11);
    assert_in_range(rig_status(r).srtt_ns, 99 * MS, 101 * MS);
    rig_stop(r);
}

/* R7323-17: offered in our SYN, and in a SYN,ACK only where the SYN had them. */
static void syn_ack_has_timestamps_only_as_an_answer(void **state)
{
    (void)state;
    for (unsigned offered = 0; offered < 2; offered++) {
        struct rig_options options;
        rig_defaults(&options);
        options.timestamps = offered == 1;
        struct rig *r = rig_start(&options);
        rig_listen(r, 1);
        inject(r, .flags = SYN, .seq = 0);
        expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
        assert_int_equal(r->last.has_ts, offered);
        assert_int_equal(r->last.tsecr, offered ? r->peer_ts : 0);
        rig_stop(r);
        r = rig_start(&options);
        rig_connect(r);
        expect(r, .flags = SYN, .seq = 0);
        assert_true(r->last.has_ts);
        rig_stop(r);
    }
}

/* R7323-22: where they were not agreed on they are passed over: no echo, and none is too old. */
static void timestamps_that_were_not_agreed_on_are_ignored(void **state)
{
    (void)state;
    static const uint8_t values[3] = {0x90, 0x10, 0x70};
    struct rig *r = rig_at(AT_ESTABLISHED);
    for (uint32_t i = 0; i < 3; i++) { /* ECE: not by way of header prediction */
        const uint8_t stamps[12] = {1, 1, 8, 10, values[i], 1, 2, 3, 4, 5, 6, 7};
        inject(r, .flags = ACK | ECE, .seq = 1 + 10 * i, .ack = 1, .length = 10, .raw = stamps,
               .raw_length = 12);
        advance(r, SECOND);
        expect(r, .flags = ACK, .seq = 1, .ack = 11 + 10 * i);
        assert_false(r->last.has_ts);
    }
    assert_int_equal(rig_read(r, 100), 30);
    rig_stop(r);
}

/* R7323-28: the segment that fills a gap is echoed, not what was held behind it. */
static void ack_of_a_filled_gap_echoes_what_filled_it(void **state)
{
    (void)state;
    struct rig *r = rig_with_timestamps(AT_ESTABLISHED);
    uint32_t ts = r->peer_ts;
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 100, .check_ts = true, .tsval = ts + 20,
           .tsecr = 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100, .check_ts = true, .tsval = ts + 10,
           .tsecr = 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 201);
    assert_int_equal(r->last.tsecr, ts + 10);
    rig_stop(r);
}

/* R7323-37: text that was held is not judged again by what came since. */
static void held_text_is_not_too_old_later(void **state)
{
    (void)state;
    struct rig *r = rig_with_timestamps(AT_ESTABLISHED);
    uint32_t ts = r->peer_ts;
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 100, .check_ts = true, .tsval = ts + 5,
           .tsecr = 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .check_ts = true, .tsval = ts + 50, .tsecr = 0);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100, .check_ts = true, .tsval = ts + 90,
           .tsecr = 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 201);
    assert_int_equal(rig_read(r, 1000), 200);
    rig_stop(r);
}

/*
 * R7323-23, R7323-38: a tick each millisecond. So 2^31 bytes in a tick would need 17 Tbit/s, and the clock
 * comes round after 24 days, long after any segment of 30 s is gone.
 */
static void timestamp_clock_counts_milliseconds(void **state)
{
    (void)state;
    uint64_t seed = 11;
    struct rig *r = rig_with_timestamps(AT_ESTABLISHED);
    r->unchecked = true;
    uint32_t first = r->last_tsval;
    uint64_t start = r->now - r->now % MS;
    for (uint32_t i = 0; i < 200; i++) {
        advance(r, 100 * MS + rig_random(&seed) % (100 * SECOND));
        inject(r, .flags = ACK, .seq = 501, .ack = 1, .length = 1);
        expect(r, .flags = ACK, .seq = 1, .ack = 1);
        assert_int_equal(r->last.tsval - first, (r->now - start) / MS);
    }
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_scale_outside_a_syn_is_ignored),
        cmocka_unit_test(text_up_to_the_furthest_edge_is_taken),
        cmocka_unit_test(echo_without_ack_is_no_measurement),
        cmocka_unit_test(echo_without_progress_is_no_measurement),
        cmocka_unit_test(syn_ack_has_timestamps_only_as_an_answer),
        cmocka_unit_test(timestamps_that_were_not_agreed_on_are_ignored),
        cmocka_unit_test(ack_of_a_filled_gap_echoes_what_filled_it),
        cmocka_unit_test(held_text_is_not_too_old_later),
        cmocka_unit_test(timestamp_clock_counts_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
