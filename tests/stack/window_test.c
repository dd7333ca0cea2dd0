/*
 * Windows and segments as a peer sees them: Nagle and the sender's silly windows (RFC 9293 3.7.4,
 * 3.8.6.2.1), the receiver's (3.8.6.2.2), windows that close, shrink and open, MSS and its reductions
 * (3.7.1), PSH, cork, urgent data (3.8.5), and window scaling (RFC 7323 2).
 */
#include "support/rig.h"

static struct rig *established(const struct rig_options *options)
{
    struct rig *r = rig_start(options);
    rig_connect(r);
    expect(r, .flags = SYN, .seq = 0);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_ready(r);
    return r;
}

/* ---- Nagle, PSH, cork ---- */

/*
 * SHLD-7, MUST-60, MUST-61, SHLD-27: small data waits while other is outstanding, then goes in one segment.
 */
static void small_writes_wait_while_data_is_outstanding(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 10, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    rig_send(r, 10, 0);
    rig_send(r, 10, 0);
    rig_send(r, 10, 0);
    expect_nothing(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 11);
    expect(r, .flags = ACK | PSH, .seq = 11, .ack = 1, .length = 30);
    rig_send(r, 1450, 0);
    expect_nothing(r);
    rig_send(r, 20, 0); /* a full segment goes at once, its tail does not */
    expect(r, .flags = ACK, .seq = 41, .ack = 1, .length = 1460);
    expect_nothing(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1501);
    expect(r, .flags = ACK | PSH, .seq = 1501, .ack = 1, .length = 10);
    rig_stop(r);
}

/* MUST-17 */
static void nodelay_sends_small_writes_at_once(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_set(r, ESTAB_OPTION_NODELAY, 1);
    for (uint32_t i = 0; i < 5; i++) {
        rig_send(r, 3, 0);
        expect(r, .flags = ACK | PSH, .seq = 1 + 3 * i, .ack = 1, .length = 3);
    }
    rig_stop(r);
}

/* MUST-17: switched on while data waits. */
static void nodelay_releases_what_nagle_held(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 10, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    rig_send(r, 10, 0);
    expect_nothing(r);
    rig_set(r, ESTAB_OPTION_NODELAY, 1);
    expect(r, .flags = ACK | PSH, .seq = 11, .ack = 1, .length = 10);
    rig_stop(r);
}

/* MAY-15, MAY-16 */
static void cork_and_more_hold_the_tail(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_set(r, ESTAB_OPTION_CORK, 1);
    rig_send(r, 1500, 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1460);
    expect_nothing(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1461);
    expect_nothing(r);
    rig_set(r, ESTAB_OPTION_CORK, 0);
    expect(r, .flags = ACK | PSH, .seq = 1461, .ack = 1, .length = 40);
    inject(r, .flags = ACK, .seq = 1, .ack = 1501);
    rig_send(r, 10, ESTAB_MORE);
    expect_nothing(r);
    rig_send(r, 10, 0);
    expect(r, .flags = ACK | PSH, .seq = 1501, .ack = 1, .length = 20);
    rig_stop(r);
}

/* MUST-60: what is held back goes within a bound, even if the promised rest never comes. */
static void cork_and_more_do_not_hold_for_ever(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rig *r = rig_at(AT_ESTABLISHED);
        if (i == 0) {
            rig_set(r, ESTAB_OPTION_CORK, 1);
        }
        rig_send(r, 10, i == 0 ? 0 : ESTAB_MORE);
        expect_nothing(r);
        assert_true(advance_to_next(r, SECOND) <= SECOND);
        expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
        rig_stop(r);
    }
}

/* SHLD-28 */
static void bulk_goes_in_full_segments(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 14600, 0);
    for (uint32_t i = 0; i < 10; i++) {
        expect(r, .flags = ACK | (i == 9 ? PSH : 0), .seq = 1 + 1460 * i, .ack = 1, .length = 1460);
    }
    expect_nothing(r);
    rig_stop(r);
}

/* ---- the sender's silly windows ---- */

/* MUST-38: a window that opens by crumbs is not used until the override time. */
static void small_window_is_not_used_at_once(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
    rig_send(r, 3000, 0);
    expect_nothing(r);
    for (int32_t wnd = 1; wnd < 200; wnd += 20) {
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = wnd);
        expect_nothing(r);
    }
    assert_true(advance_to_next(r, SECOND) <= SECOND); /* override: what the window allows */
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 181);
    inject(r, .flags = ACK, .seq = 1, .ack = 182, .wnd = 1460);
    expect(r, .flags = ACK, .seq = 182, .ack = 1, .length = 1460); /* a full segment at once */
    expect_nothing(r);
    rig_stop(r);
}

/* RFC 9293 3.8.6.2.1 (3): half of the largest window, for peers with a window below the MSS. */
static void half_of_a_small_window_is_worth_a_segment(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    struct rig *r = rig_start(&options);
    r->wnd = 1000;
    rig_reach(r, AT_ESTABLISHED);
    rig_send(r, 3000, 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1000);
    inject(r, .flags = ACK, .seq = 1, .ack = 1001, .wnd = 400);
    expect_nothing(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1001, .wnd = 500);
    expect(r, .flags = ACK, .seq = 1001, .ack = 1, .length = 500);
    rig_stop(r);
}

/* ---- the receiver's silly windows ---- */

/* MUST-39: a reader of single bytes brings no crumbs of window. */
static void byte_by_byte_reader_opens_the_window_by_a_segment(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.receive_buffer = 5000;
    struct rig *r = established(&options);
    for (uint32_t i = 0; i < 5; i++) {
        inject(r, .flags = ACK, .seq = 1 + 1000 * i, .ack = 1, .length = 1000);
        rig_discard(r);
    }
    advance(r, 40 * MS);
    if (rig_status(r).rcv_wnd == 0) {
        rig_discard(r);
    }
    assert_int_equal(rig_status(r).rcv_nxt, PEER_ISN + 5001);
    for (unsigned i = 1; i <= 1460; i++) {
        assert_int_equal(rig_read(r, 1), 1);
        if (i < 1460) {
            expect_nothing(r);
        }
    }
    expect(r, .flags = ACK, .seq = 1, .ack = 5001, .wnd = 1460, .reason = ESTAB_REASON_WINDOW_UPDATE);
    expect_nothing(r);
    rig_stop(r);
}

/* MUST-39: half of a buffer that is smaller than two segments. */
static void small_buffer_opens_by_its_half(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.receive_buffer = 1000;
    struct rig *r = established(&options);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1000);
    advance(r, 40 * MS);
    expect(r, .flags = ACK, .seq = 1, .ack = 1001, .wnd = WND_ZERO);
    assert_int_equal(rig_read(r, 499), 499);
    expect_nothing(r);
    assert_int_equal(rig_read(r, 1), 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1001, .wnd = 500);
    rig_stop(r);
}

/* The ACKs of a full buffer never take back what was announced (SHLD-14; the rig watches). */
static void window_shrinks_only_by_what_was_received(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    uint32_t at = 1;
    while (rig_status(r).rcv_wnd >= 1460) {
        inject(r, .flags = ACK, .seq = at, .ack = 1, .length = 1460);
        at += 1460;
        struct segment sent;
        if (rig_take(r, &sent)) {
            assert_int_equal(sent.ack + (uint32_t)sent.wnd, 1 + RCV_BUFFER);
        }
    }
    rig_set(r, ESTAB_OPTION_RECEIVE_BUFFER, 1000); /* a smaller buffer does not move the edge either */
    rig_discard(r);
    rig_read(r, 5000);
    rig_discard(r);
    inject(r, .flags = ACK, .seq = at, .ack = 1, .length = 100);
    rig_discard(r);
    rig_stop(r);
}

/* ---- zero and shrinking windows ---- */

static void window_update_releases_data_at_once(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
    rig_send(r, 100, 0);
    expect_nothing(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 100);
    rig_stop(r);
}

/*
 * MUST-34, SHLD-15, SHLD-16, SHLD-17: the usable window is negative; old data is repeated within the new
 * edge only.
 */
static void shrunk_window_sends_nothing_new_and_repeats_within_it(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.min_rto_ns = SECOND;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    rig_send(r, 8760, 0);
    for (uint32_t i = 0; i < 6; i++) {
        expect(r, .flags = ACK | (i == 5 ? PSH : 0), .seq = 1 + 1460 * i, .ack = 1, .length = 1460);
    }
    inject(r, .flags = ACK, .seq = 1, .ack = 1461,
           .wnd = 2000); /* the right edge: 3461, far below SND.NXT = 8761 */
    rig_send(r, 100, 0);
    expect_nothing(r);
    assert_int_equal(advance_to_next(r, 2 * SECOND), SECOND);
    expect(r, .flags = ACK, .seq = 1461, .ack = 1, .length = 1460);
    expect_nothing(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 2921, .wnd = 540); /* the same edge: only what is within */
    struct segment sent;
    while (rig_take(r, &sent)) {
        assert_true(sent.seq + sent.length <= 3461);
    }
    inject(r, .flags = ACK, .seq = 1, .ack = 8761);
    expect(r, .flags = ACK | PSH, .seq = 8761, .ack = 1, .length = 100);
    rig_stop(r);
}

/* MUST-35: shrunk to nothing with data in flight: probed, not timed out. */
static void window_shrunk_to_zero_is_probed(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.min_rto_ns = SECOND;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    rig_send(r, 2920, 0);
    rig_discard(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
    expect_nothing(r);
    for (unsigned i = 0; i < 30; i++) { /* 30 minutes: longer than R2 */
        advance_to_next(r, 60 * SECOND);
        expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1);
        expect_nothing(r);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
    }
    expect_state(r, ESTAB_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1460);
    expect(r, .flags = ACK | PSH, .seq = 1461, .ack = 1, .length = 1460);
    rig_stop(r);
}

/* ---- MSS ---- */

/* MUST-14, MUST-67, SHLD-5, MAY-3 */
static void advertised_mss_is_the_mtu_less_fixed_headers(void **state)
{
    (void)state;
    static const uint32_t mtus[] = {296, 576, 1280, 1400, 1500, 9000, 65535};
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (unsigned i = 0; i < 6; i++) {
            struct rig_options options;
            rig_defaults(&options);
            options.v6 = v6 == 1;
            options.mtu = mtus[i];
            options.timestamps = true; /* not reduced for options */
            if (v6 == 1 && mtus[i] < 1280) {
                continue;
            }
            struct rig *r = rig_start(&options);
            rig_listen(r, 1);
            inject(r, .flags = SYN, .seq = 0);
            expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .mss = (uint16_t)(mtus[i] - (v6 ? 60 : 40)));
            rig_stop(r);
        }
    }
}

/* MUST-15, MUST-16, V-39: what the peer's option, the MTU and our own options leave. */
static void sent_segments_keep_to_the_mss(void **state)
{
    (void)state;
    static const struct {
        uint16_t mss; /* 0 = no option */
        bool v6, timestamps;
        uint32_t want;
    } cases[] = {
        {0, false, false, 536},       {0, true, false, 1220},      {0, false, true, 524},
        {1460, false, false, 1460},   {1460, false, true, 1448},   {1440, true, true, 1428},
        {65535, false, false, 1460},  {65535, true, false, 1440},  {1000, false, false, 1000},
        {1000, false, true, 988},     {1, false, false, 88},       {48, false, true, 76},
        {536, true, false, 536},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig_options options;
        rig_defaults(&options);
        options.v6 = cases[i].v6;
        options.timestamps = cases[i].timestamps;
        options.peer_mss = cases[i].mss;
        struct rig *r = established(&options);
        rig_send(r, 3000, 0);
        expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = cases[i].want);
        assert_int_equal(rig_status(r).snd_mss, cases[i].want);
        rig_discard(r);
        rig_stop(r);
    }
}

/* MSS 0 is an absent one, or the floor: in any case segments flow. */
static void mss_of_zero_does_no_harm(void **state)
{
    (void)state;
    static const uint8_t zero[4] = {2, 4, 0, 0};
    struct rig *r = rig_at(AT_SYN_SENT);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .raw = zero, .raw_length = 4);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_send(r, 3000, 0);
    struct segment sent;
    assert_true(rig_take(r, &sent));
    assert_true(sent.length >= 88 && sent.length <= 1460);
    rig_discard(r);
    rig_stop(r);
}

/* MUST-65, MUST-5 */
static void mss_option_outside_a_syn_is_ignored(void **state)
{
    (void)state;
    static const uint8_t small[4] = {2, 4, 0, 100};
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .raw = small, .raw_length = 4);
    rig_send(r, 2000, 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1460);
    rig_stop(r);
}

/* MUST-16: SACK blocks take their room too. */
static void data_with_sack_blocks_stays_within_the_mss(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.sack = true;
    struct rig *r = established(&options);
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 10);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .sack_count = 1, .sack = {{101, 111}});
    rig_send(r, 3000, 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1448, .sack_count = 1, .sack = {{101, 111}});
    rig_discard(r);
    rig_stop(r);
}

/* ESTAB_OPTION_MAX_SEGMENT */
static void max_segment_option_bounds_both_directions(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    struct estab_addr local = rig_local(r, LOCAL_PORT);
    struct estab_addr peer = rig_peer(r, PEER_PORT);
    assert_int_equal(estab_open(r->stack, &r->conn), 0);
    assert_int_equal(estab_bind(r->stack, r->now, r->conn, &local), 0);
    rig_set(r, ESTAB_OPTION_MAX_SEGMENT, 600);
    assert_int_equal(estab_set(r->stack, r->now, r->conn, ESTAB_OPTION_MAX_SEGMENT, 20), -ESTAB_EINVAL);
    assert_int_equal(estab_connect(r->stack, r->now, r->conn, &peer), 0);
    rig_called(r);
    expect(r, .flags = SYN, .seq = 0, .mss = 600);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_send(r, 1000, 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 600);
    rig_stop(r);
}

/* ---- urgent data out ---- */

/* MUST-30, MUST-31, MUST-62: the octet after the last, in every segment until it is acknowledged. */
static void urgent_send_marks_until_acknowledged(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 10, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    rig_set(r, ESTAB_OPTION_NODELAY, 1);
    rig_send(r, 1, ESTAB_URGENT);
    expect(r, .flags = ACK | PSH | URG, .seq = 11, .ack = 1, .length = 1, .up = 1);
    rig_send(r, 5, 0);
    expect(r, .flags = ACK | PSH, .seq = 12, .ack = 1, .length = 5); /* behind the urgent data */
    advance_to_next(r, SECOND);
    expect(r, .flags = ACK | PSH | URG, .seq = 1, .ack = 1, .length = 16, .up = 11);
    inject(r, .flags = ACK, .seq = 1, .ack = 17);
    rig_send(r, 5, 0);
    expect(r, .flags = ACK | PSH, .seq = 17, .ack = 1, .length = 5);
    rig_stop(r);
}

/* MUST-31: further ahead than 16 bits tell. */
static void urgent_data_may_be_longer_than_the_pointer(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.send_buffer = 200000;
    options.config.initial_window = 100;
    options.wscale = 1 + 3;
    struct rig *r = rig_start(&options);
    r->wnd = 65535;
    rig_connect(r);
    expect(r, .flags = SYN, .seq = 0);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    rig_discard(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_set(r, ESTAB_OPTION_NODELAY, 1);
    rig_send(r, 100000, ESTAB_URGENT);
    uint32_t at = 1;
    struct segment sent;
    while (rig_take(r, &sent)) {
        uint32_t ahead = 100001 - at;
        assert_int_equal(sent.seq, at);
        assert_true(sent.flags & URG);
        assert_int_equal(sent.up, ahead > 65535 ? 65535 : ahead);
        at += sent.length;
    }
    assert_int_equal(at, 100001);
    rig_stop(r);
}

/* ---- window scale ---- */

/* R7323-07, R7323-01, R7323-06, R7323-02: only where both offer. R7323-04: never in the SYN's own window. */
static void window_scale_needs_both_sides(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.receive_buffer = 1 << 20;
    struct rig *r = rig_start(&options);
    rig_connect(r);
    expect(r, .flags = SYN, .seq = 0, .wnd = 65535, .wscale = 1 + 5);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1); /* not offered */
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 65535);
    assert_false(rig_status(r).window_scale);
    assert_int_equal(rig_status(r).rcv_wnd, 65535);
    rig_stop(r);
    options.wscale = 1 + 7;
    r = rig_start(&options);
    r->wnd = 1000;
    rig_connect(r);
    expect(r, .flags = SYN, .seq = 0, .wnd = 65535, .wscale = 1 + 5);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = (1 << 20) >> 5);
    assert_int_equal(rig_status(r).snd_wnd, 1000); /* the SYN,ACK's is not scaled */
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(rig_status(r).snd_wnd, 1000 << 7);
    rig_stop(r);
}

/* R7323-05, R7323-06: The answer to a SYN without it does not offer it. */
static void window_scale_is_not_offered_to_a_syn_without(void **state)
{
    (void)state;
    for (int offered = 0; offered < 2; offered++) {
        struct rig_options options;
        rig_defaults(&options);
        options.config.receive_buffer = 1 << 20;
        options.wscale = offered;
        struct rig *r = rig_start(&options);
        rig_listen(r, 1);
        inject(r, .flags = SYN, .seq = 0);
        expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .wnd = 65535, .wscale = offered ? 1 + 5 : -1);
        assert_false(r->last.sack_ok);
        rig_stop(r);
    }
}

/* R7323-07, R7323-08, V-14 */
static void v14_window_scale_above_14_is_14(void **state)
{
    (void)state;
    for (int shift = 13; shift < 256; shift += shift < 20 ? 1 : 59) {
        struct rig_options options;
        rig_defaults(&options);
        options.wscale = 1 + shift;
        struct rig *r = established(&options);
        assert_int_equal(rig_status(r).snd_wnd_shift, shift > 14 ? 14 : shift);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 0xffff);
        assert_int_equal(rig_status(r).snd_wnd, 0xffffu << (shift > 14 ? 14 : shift));
        rig_send(r, 5000, 0);
        rig_discard(r);
        rig_stop(r);
    }
}

/* R7323-11, SHLD-14 with a scale: what rounding takes away is never less than what was announced. */
static void scaled_window_never_moves_left(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.receive_buffer = 1 << 18;
    options.wscale = 1;
    struct rig *r = established(&options);
    unsigned shift = rig_status(r).rcv_wnd_shift;
    uint64_t seed = 3;
    uint32_t at = 1;
    uint32_t right = 0;
    assert_int_equal(shift, 3);
    for (unsigned i = 0; i < 400; i++) {
        uint32_t length = 1 + rig_random(&seed) % 1460;
        if (rig_status(r).rcv_wnd >= length) {
            inject(r, .flags = ACK, .seq = at, .ack = 1, .length = length);
            at += length;
        }
        struct segment sent;
        while (rig_take(r, &sent)) {
            uint32_t edge = sent.ack + ((uint32_t)sent.wnd << shift);
            assert_true(edge >= right); /* a scaled field may round up what is offered, never down what was */
            right = edge > right ? edge : right;
        }
        if (rig_random(&seed) % 3 == 0) {
            rig_read(r, rig_random(&seed) % 3000);
            rig_discard(r);
        }
    }
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_writes_wait_while_data_is_outstanding),
        cmocka_unit_test(nodelay_sends_small_writes_at_once),
        cmocka_unit_test(nodelay_releases_what_nagle_held),
        cmocka_unit_test(cork_and_more_hold_the_tail),
        cmocka_unit_test(cork_and_more_do_not_hold_for_ever),
        cmocka_unit_test(bulk_goes_in_full_segments),
        cmocka_unit_test(small_window_is_not_used_at_once),
        cmocka_unit_test(half_of_a_small_window_is_worth_a_segment),
        cmocka_unit_test(byte_by_byte_reader_opens_the_window_by_a_segment),
        cmocka_unit_test(small_buffer_opens_by_its_half),
        cmocka_unit_test(window_shrinks_only_by_what_was_received),
        cmocka_unit_test(window_update_releases_data_at_once),
        cmocka_unit_test(shrunk_window_sends_nothing_new_and_repeats_within_it),
        cmocka_unit_test(window_shrunk_to_zero_is_probed),
        cmocka_unit_test(advertised_mss_is_the_mtu_less_fixed_headers),
        cmocka_unit_test(sent_segments_keep_to_the_mss),
        cmocka_unit_test(mss_of_zero_does_no_harm),
        cmocka_unit_test(mss_option_outside_a_syn_is_ignored),
        cmocka_unit_test(data_with_sack_blocks_stays_within_the_mss),
        cmocka_unit_test(max_segment_option_bounds_both_directions),
        cmocka_unit_test(urgent_send_marks_until_acknowledged),
        cmocka_unit_test(urgent_data_may_be_longer_than_the_pointer),
        cmocka_unit_test(window_scale_needs_both_sides),
        cmocka_unit_test(window_scale_is_not_offered_to_a_syn_without),
        cmocka_unit_test(v14_window_scale_above_14_is_14),
        cmocka_unit_test(scaled_window_never_moves_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
