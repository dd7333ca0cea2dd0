/*
 * The timers of a connection as a peer sees them, to the nanosecond of virtual time: the chain of
 * retransmission timeouts (RFC 6298, Karn), R1 and R2, persist, delayed ACK, keep-alive, FIN-WAIT-2. That
 * each state has the timers it needs is rfc/text_test.c (F-TMO, F-INV-4).
 */
#include "support/rig.h"

/* Times in whole seconds: the round trip is 0, so that the RTO is its minimum. */
static struct rig_options second_rto(void)
{
    struct rig_options options;
    rig_defaults(&options);
    options.config.min_rto_ns = SECOND;
    return options;
}

static struct rig *with_second_rto(enum place place)
{
    struct rig_options options = second_rto();
    struct rig *r = rig_start(&options);
    rig_reach(r, place);
    return r;
}

/* Nothing until just before, then something. */
static void wait_exactly(struct rig *r, uint64_t ns)
{
    advance(r, ns - 1);
    expect_nothing(r);
    advance(r, 1);
}

/* R6298-05, R6298-09, R6298-11, MUST-19, RFC 6298 5.5, 2.5: 1, 2, 4 ... 60, 60 */
static void data_is_sent_again_at_doubling_intervals(void **state)
{
    (void)state;
    static const uint64_t chain[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    rig_send(r, 100, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 100);
    for (unsigned i = 0; i < sizeof chain / sizeof chain[0]; i++) {
        wait_exactly(r, chain[i] * SECOND);
        expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 100);
        expect_nothing(r);
    }
    assert_int_equal(rig_counters(r).timeouts_retransmit, 9);
    assert_int_equal(rig_status(r).retransmits, 9);
    rig_stop(r);
}

/* R6298-01, MUST-20, MUST-22, MUST-23, SHLD-9, SHLD-10: R1 is told, R2 of a SYN is 180 s. */
static void syn_is_sent_again_until_r2(void **state)
{
    (void)state;
    static const uint64_t chain[] = {1, 2, 4, 8, 16, 32, 60};
    struct rig *r = rig_at(AT_SYN_SENT);
    uint64_t start = r->now;
    for (unsigned i = 0; i < 7; i++) {
        rig_ready(r);
        wait_exactly(r, chain[i] * SECOND);
        expect(r, .flags = SYN, .seq = 0);
        assert_int_equal((rig_ready(r) & ESTAB_SOFT_ERROR) != 0, i == 2);
    }
    advance(r, start + 180 * SECOND - 1 - r->now);
    expect_state(r, ESTAB_SYN_SENT);
    advance(r, 1);
    expect_nothing(r);
    expect_state(r, ESTAB_CLOSED);
    assert_int_equal(rig_status(r).error, -ESTAB_ETIMEDOUT);
    assert_int_equal(rig_counters(r).timeouts_user, 1);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    rig_stop(r);
}

/* MUST-22: the passive side, and what was queued is freed. */
static void syn_ack_is_sent_again_until_r2(void **state)
{
    (void)state;
    static const uint64_t chain[] = {1, 2, 4, 8, 16, 32, 60};
    struct rig *r = rig_start(NULL);
    rig_listen(r, 3);
    uint64_t start = r->now;
    struct estab_memory memory;
    inject(r, .flags = SYN, .seq = 0, .length = 30);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 31);
    for (unsigned i = 0; i < 7; i++) {
        wait_exactly(r, chain[i] * SECOND);
        expect(r, .flags = SYN | ACK, .seq = 0, .ack = 31);
    }
    advance(r, start + 180 * SECOND - r->now);
    expect_nothing(r);
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.connections, 1);
    assert_int_equal(memory.blocks_used, 0);
    rig_stop(r);
}

/* R6298-10: RFC 6298 5.3: an ACK of new data starts the timer anew. */
static void ack_of_new_data_restarts_the_timer(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    rig_send(r, 2920, 0);
    rig_discard(r);
    advance(r, 900 * MS);
    inject(r, .flags = ACK, .seq = 1, .ack = 1461);
    uint64_t rto = rig_status(r).rto_ns;
    assert_true(rto > SECOND);
    wait_exactly(r, rto);
    expect(r, .flags = ACK | PSH, .seq = 1461, .ack = 1, .length = 1460);
    rig_stop(r);
}

/* R6298-10: RFC 6298 5.1, 5.2: it runs while something is outstanding and not longer. */
static void timer_stops_when_all_is_acknowledged(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    rig_send(r, 100, 0);
    rig_discard(r);
    advance(r, 500 * MS);
    inject(r, .flags = ACK, .seq = 1, .ack = 101);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    advance(r, 100 * SECOND);
    expect_nothing(r);
    rig_stop(r);
}

/* R6298-02, R6298-03, R6298-07: RFC 6298 2.2, 2.3 */
static void round_trips_set_the_rto(void **state)
{
    (void)state;
    struct rig_options options = second_rto();
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_SYN_SENT);
    advance(r, 800 * MS);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    rig_discard(r);
    assert_int_equal(rig_status(r).srtt_ns, 800 * MS);
    assert_int_equal(rig_status(r).rttvar_ns, 400 * MS);
    assert_int_equal(rig_status(r).rto_ns, 2400 * MS);
    rig_send(r, 10, 0);
    rig_discard(r);
    advance(r, 400 * MS);
    inject(r, .flags = ACK, .seq = 1, .ack = 11);
    assert_int_equal(rig_status(r).srtt_ns, 750 * MS);
    assert_int_equal(rig_status(r).rttvar_ns, 400 * MS); /* 3/4 * 400 + 1/4 * 400 */
    assert_int_equal(rig_status(r).min_rtt_ns, 400 * MS);
    rig_stop(r);
}

/* R6298-06, MUST-18, Karn: nothing is learned from what was sent twice. */
static void round_trip_of_a_retransmission_is_not_a_sample(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    uint64_t srtt = rig_status(r).srtt_ns;
    rig_send(r, 10, 0);
    rig_discard(r);
    wait_exactly(r, SECOND);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    advance(r, 700 * MS);
    inject(r, .flags = ACK, .seq = 1, .ack = 11);
    assert_int_equal(rig_status(r).srtt_ns, srtt);
    rig_stop(r);
}

/*
 * RFC 6298 5: the timeout stays backed off until a sample; else a path that became slow would be timed out
 * for ever.
 */
static void backed_off_rto_stays_until_a_sample(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    rig_send(r, 10, 0);
    rig_discard(r);
    wait_exactly(r, SECOND);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    advance(r, 500 * MS); /* the round trip is 1.5 s now */
    inject(r, .flags = ACK, .seq = 1, .ack = 11);
    rig_send(r, 10, 0);
    expect(r, .flags = ACK | PSH, .seq = 11, .ack = 1, .length = 10);
    advance(r, 1500 * MS);
    expect_nothing(r); /* not timed out again */
    inject(r, .flags = ACK, .seq = 1, .ack = 21);
    assert_int_equal(rig_status(r).backoff, 0);
    assert_true(rig_status(r).srtt_ns > 100 * MS);
    rig_stop(r);
}

/*
 * R6298-12: RFC 6298 5.7, R5681-06: after a SYN that was sent twice data starts with 3 s and a window of one
 * segment.
 */
static void lost_syn_starts_data_with_three_seconds(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    wait_exactly(r, SECOND);
    expect(r, .flags = SYN, .seq = 0);
    advance(r, 100 * MS);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(rig_status(r).srtt_ns, 0);
    assert_int_equal(rig_status(r).cwnd, MSS);
    rig_send(r, 3000, 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1460);
    expect_nothing(r);
    wait_exactly(r, 3 * SECOND);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1460);
    rig_stop(r);
}

/* SHLD-11, MUST-21: R2 as the user sets it, and never. */
static void user_timeout_follows_its_option(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    rig_set(r, ESTAB_OPTION_USER_TIMEOUT, 5 * SECOND);
    rig_send(r, 10, 0);
    rig_discard(r);
    advance(r, SECOND);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    advance(r, 2 * SECOND);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    wait_exactly(r, 2 * SECOND);
    expect_nothing(r);
    expect_state(r, ESTAB_CLOSED);
    assert_int_equal(rig_status(r).error, -ESTAB_ETIMEDOUT);
    rig_stop(r);
    r = with_second_rto(AT_ESTABLISHED);
    rig_set(r, ESTAB_OPTION_USER_TIMEOUT, ESTAB_INFINITE);
    rig_send(r, 10, 0);
    rig_discard(r);
    for (unsigned i = 0; i < 100; i++) {
        advance_to_next(r, 60 * SECOND);
        expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    }
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

/* MUST-20, SHLD-11: The default R2: 900 s. */
static void data_is_given_up_after_the_default_r2(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    uint64_t start = r->now;
    rig_send(r, 10, 0);
    rig_discard(r);
    while (rig_state(r) == ESTAB_ESTABLISHED) {
        advance_to_next(r, 60 * SECOND);
        rig_discard(r);
    }
    assert_int_equal(r->now - start, 900 * SECOND);
    rig_stop(r);
}

/* ---- persist ---- */

/* MUST-36, SHLD-29, SHLD-30: first after one RTO, then doubling; one octet of new data. */
static void zero_window_is_probed_at_doubling_intervals(void **state)
{
    (void)state;
    static const uint64_t chain[] = {1, 2, 4, 8, 16, 32, 60, 60};
    static const enum place from[] = {AT_ESTABLISHED, AT_CLOSE_WAIT};
    for (unsigned k = 0; k < 2; k++) {
        struct rig *r = with_second_rto(from[k]);
        uint32_t ack = places[from[k]].rcv_nxt;
        inject(r, .flags = ACK, .seq = ack, .ack = 1, .wnd = WND_ZERO);
        rig_send(r, 100, 0);
        expect_nothing(r);
        for (unsigned i = 0; i < 8; i++) {
            wait_exactly(r, chain[i] * SECOND);
            expect(r, .flags = ACK, .seq = 1, .ack = ack, .length = 1, .reason = ESTAB_REASON_WINDOW_PROBE);
            inject(r, .flags = ACK, .seq = ack, .ack = 1, .wnd = WND_ZERO);
            expect_nothing(r);
        }
        assert_int_equal(rig_counters(r).window_probes, 8);
        inject(r, .flags = ACK, .seq = ack, .ack = 1);
        expect(r, .flags = ACK, .seq = 1, .ack = ack, .length = 1); /* what the probes carried goes again */
        rig_discard(r);                                             /* Nagle may hold the rest */
        inject(r, .flags = ACK, .seq = ack, .ack = 2);
        rig_discard(r);
        assert_int_equal(rig_status(r).snd_nxt, OUR_ISN + 101);
        assert_int_equal(rig_status(r).send_unsent, 0);
        rig_stop(r);
    }
}

/* A peer that takes the octet of a probe. */
static void zero_window_probe_that_is_taken_moves_on(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
    rig_send(r, 100, 0);
    wait_exactly(r, SECOND);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 2, .wnd = WND_ZERO);
    expect_nothing(r);
    advance_to_next(r, 2 * SECOND);
    expect(r, .flags = ACK, .seq = 2, .ack = 1, .length = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 3);
    expect(r, .flags = ACK | PSH, .seq = 3, .ack = 1, .length = 98);
    rig_stop(r);
}

/* MUST-36: a FIN waits behind a closed window too. */
static void zero_window_holds_a_fin_and_is_probed_with_it(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
    rig_shutdown(r);
    expect_nothing(r);
    expect_state(r, ESTAB_FIN_WAIT_1);
    wait_exactly(r, SECOND);
    expect(r, .flags = FIN | ACK, .seq = 1, .ack = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 2, .wnd = WND_ZERO);
    expect_state(r, ESTAB_FIN_WAIT_2);
    expect_nothing(r);
    rig_stop(r);
}

/* MUST-37: ten days of it. */
static void zero_window_with_a_peer_that_answers_lasts_for_ever(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    r->unchecked = true;
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
    rig_send(r, 100, 0);
    uint64_t end = r->now + 10 * 86400 * SECOND;
    while (r->now < end) {
        advance_to_next(r, 60 * SECOND);
        expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
        expect_nothing(r);
    }
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

/* ... but one that is gone is given up after R2. */
static void zero_window_with_a_dead_peer_times_out(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
    rig_send(r, 100, 0);
    uint64_t start = r->now;
    while (rig_state(r) == ESTAB_ESTABLISHED) {
        advance_to_next(r, 60 * SECOND);
        rig_discard(r);
    }
    assert_int_equal(r->now - start, 900 * SECOND);
    assert_int_equal(rig_status(r).error, -ESTAB_ETIMEDOUT);
    rig_stop(r);
}

/* F-TMO-1: also where the last sign of life acknowledged a probe but brought no newer window (F-ACK-8). */
static void zero_window_probe_acknowledged_by_an_old_segment_keeps_r2(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 10, .wnd = WND_ZERO); /* WL1 = 101 */
    rig_discard(r);
    rig_send(r, 100, 0);
    wait_exactly(r, SECOND);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 2, .wnd = WND_ZERO);
    uint64_t start = r->now;
    while (rig_state(r) == ESTAB_ESTABLISHED && r->now < start + 2000 * SECOND) {
        advance_to_next(r, 60 * SECOND);
        rig_discard(r);
    }
    assert_int_equal(r->now - start, 900 * SECOND);
    rig_stop(r);
}

/* ---- delayed ACK ---- */

/*
 * R5681-21, SHLD-18, MUST-40: to the nanosecond, from the first segment; the second small one does not move
 * it.
 */
static void delayed_ack_comes_at_its_time(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.delayed_ack_ns = 499 * MS;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 100);
    advance(r, 200 * MS);
    inject(r, .flags = ACK | PSH, .seq = 101, .ack = 1, .length = 10);
    expect_nothing(r);
    wait_exactly(r, 299 * MS);
    expect(r, .flags = ACK, .seq = 1, .ack = 111, .reason = ESTAB_REASON_ACK_DELAYED);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    rig_stop(r);
}

/* R5681-21, SHLD-19: every second full segment at once. MUST-58: one ACK for a batch. */
static void every_second_full_segment_is_acknowledged_at_once(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    for (uint32_t i = 0; i < 4; i++) {
        inject(r, .flags = ACK, .seq = 1 + i * 1460, .ack = 1, .length = 1460);
        if (i % 2 == 0) {
            expect_nothing(r);
        } else {
            expect(r, .flags = ACK, .seq = 1, .ack = 1 + (i + 1) * 1460);
        }
    }
    struct segment batch[6];
    for (uint32_t i = 0; i < 6; i++) {
        batch[i] = (struct segment){.flags = ACK, .seq = 5841 + i * 1460, .ack = 1, .length = 1460};
    }
    rig_inject_batch(r, batch, 6);
    expect(r, .flags = ACK, .seq = 1, .ack = 14601);
    expect_nothing(r);
    rig_stop(r);
}

/* A reply carries the ACK, and the timer with it. */
static void data_carries_the_delayed_ack(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 100);
    rig_send(r, 10, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 101, .length = 10);
    inject(r, .flags = ACK, .seq = 101, .ack = 11);
    advance(r, SECOND);
    expect_nothing(r);
    rig_stop(r);
}

static void quick_ack_and_delay_off_acknowledge_at_once(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_set(r, ESTAB_OPTION_QUICK_ACK, 1);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 101);
    rig_stop(r);
    struct rig_options options;
    rig_defaults(&options);
    options.config.delayed_ack_ns = ESTAB_OFF;
    r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 101);
    rig_stop(r);
}

/* ---- keep-alive ---- */

/* MUST-25 */
static void idle_connection_is_silent_for_a_day(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    advance(r, 86400 * SECOND);
    expect_nothing(r);
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

/* MAY-5, MUST-24, MUST-28, SHLD-12, MUST-29: after two hours, 75 s apart; nine unanswered ones end it. */
static void keepalive_probes_and_gives_up(void **state)
{
    (void)state;
    static const enum place from[] = {AT_ESTABLISHED, AT_CLOSE_WAIT, AT_FIN_WAIT_2};
    for (unsigned k = 0; k < 3; k++) {
        struct rig *r = rig_at(from[k]);
        uint32_t nxt = places[from[k]].snd_nxt;
        uint32_t ack = places[from[k]].rcv_nxt;
        rig_set(r, ESTAB_OPTION_KEEPALIVE, 1);
        wait_exactly(r, 7200 * SECOND);
        for (unsigned i = 0; i < 9; i++) {
            expect(r, .flags = ACK, .seq = nxt - 1, .ack = ack, .reason = ESTAB_REASON_KEEPALIVE);
            expect_state(r, places[from[k]].state);
            wait_exactly(r, 75 * SECOND);
        }
        expect(r, .flags = RST | ACK, .seq = nxt, .ack = ack);
        expect_nothing(r);
        expect_state(r, ESTAB_CLOSED);
        assert_int_equal(rig_status(r).error, -ESTAB_ETIMEDOUT);
        assert_int_equal(rig_counters(r).keepalives, 9);
        rig_stop(r);
    }
}

/* MUST-26, MUST-27, MUST-29: an answer, even to the last, keeps it up; traffic puts the probe off. */
static void keepalive_answer_keeps_the_connection(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_set(r, ESTAB_OPTION_KEEP_IDLE, 10 * SECOND);
    rig_set(r, ESTAB_OPTION_KEEP_INTERVAL, 2 * SECOND);
    rig_set(r, ESTAB_OPTION_KEEP_COUNT, 3);
    rig_set(r, ESTAB_OPTION_KEEPALIVE, 1);
    for (unsigned round = 0; round < 4; round++) {
        wait_exactly(r, 10 * SECOND);
        expect(r, .flags = ACK, .seq = 0, .ack = 1);
        wait_exactly(r, 2 * SECOND);
        expect(r, .flags = ACK, .seq = 0, .ack = 1);
        wait_exactly(r, 2 * SECOND);
        expect(r, .flags = ACK, .seq = 0, .ack = 1);
        advance(r, SECOND);
        inject(r, .flags = ACK, .seq = 1, .ack = 1);
        expect_nothing(r);
    }
    advance(r, 9 * SECOND);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    wait_exactly(r, 10 * SECOND);
    expect(r, .flags = ACK, .seq = 0, .ack = 1);
    rig_set(r, ESTAB_OPTION_KEEPALIVE, 0);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    rig_stop(r);
}

/* RFC 9293 3.8.4: a peer's garbage octet probe is answered. */
static void keepalive_probe_of_the_peer_is_answered(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    inject(r, .flags = ACK, .seq = 0, .ack = 1, .length = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_stop(r);
}

/* ---- FIN-WAIT-2 ---- */

static void fin_wait_2_of_a_closed_connection_ends_by_itself(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_close(r);
    expect(r, .flags = FIN | ACK, .seq = 1, .ack = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 2);
    expect_state(r, ESTAB_FIN_WAIT_2);
    wait_exactly(r, 60 * SECOND);
    expect_nothing(r);
    expect_state(r, ESTAB_CLOSED);
    struct estab_memory memory;
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.connections, 0);
    rig_stop(r);
}

/* Half-close: while the user holds the handle it may last. */
static void fin_wait_2_of_a_half_closed_connection_lasts(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_FIN_WAIT_2);
    advance(r, 86400 * SECOND);
    expect_nothing(r);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 2, .length = 100);
    assert_int_equal(rig_read(r, 1000), 100);
    advance(r, 40 * MS);
    expect(r, .flags = ACK, .seq = 2, .ack = 101);
    rig_close(r);
    expect_nothing(r);
    wait_exactly(r, 60 * SECOND);
    expect_state(r, ESTAB_CLOSED);
    rig_stop(r);
}

/* FIN, lost: sent again like data, with what stood before it. */
static void lost_fin_is_sent_again_with_its_data(void **state)
{
    (void)state;
    struct rig *r = with_second_rto(AT_ESTABLISHED);
    rig_send(r, 10, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    rig_shutdown(r);
    expect(r, .flags = FIN | ACK, .seq = 11, .ack = 1);
    wait_exactly(r, SECOND);
    expect(r, .flags = FIN | ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    inject(r, .flags = ACK, .seq = 1, .ack = 11);
    expect_state(r, ESTAB_FIN_WAIT_1);
    rig_discard(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 12);
    expect_state(r, ESTAB_FIN_WAIT_2);
    expect_nothing(r);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_sent_again_at_doubling_intervals),
        cmocka_unit_test(syn_is_sent_again_until_r2),
        cmocka_unit_test(syn_ack_is_sent_again_until_r2),
        cmocka_unit_test(ack_of_new_data_restarts_the_timer),
        cmocka_unit_test(timer_stops_when_all_is_acknowledged),
        cmocka_unit_test(round_trips_set_the_rto),
        cmocka_unit_test(round_trip_of_a_retransmission_is_not_a_sample),
        cmocka_unit_test(backed_off_rto_stays_until_a_sample),
        cmocka_unit_test(lost_syn_starts_data_with_three_seconds),
        cmocka_unit_test(user_timeout_follows_its_option),
        cmocka_unit_test(data_is_given_up_after_the_default_r2),
        cmocka_unit_test(zero_window_is_probed_at_doubling_intervals),
        cmocka_unit_test(zero_window_probe_that_is_taken_moves_on),
        cmocka_unit_test(zero_window_holds_a_fin_and_is_probed_with_it),
        cmocka_unit_test(zero_window_with_a_peer_that_answers_lasts_for_ever),
        cmocka_unit_test(zero_window_with_a_dead_peer_times_out),
        cmocka_unit_test(zero_window_probe_acknowledged_by_an_old_segment_keeps_r2),
        cmocka_unit_test(delayed_ack_comes_at_its_time),
        cmocka_unit_test(every_second_full_segment_is_acknowledged_at_once),
        cmocka_unit_test(data_carries_the_delayed_ack),
        cmocka_unit_test(quick_ack_and_delay_off_acknowledge_at_once),
        cmocka_unit_test(idle_connection_is_silent_for_a_day),
        cmocka_unit_test(keepalive_probes_and_gives_up),
        cmocka_unit_test(keepalive_answer_keeps_the_connection),
        cmocka_unit_test(keepalive_probe_of_the_peer_is_answered),
        cmocka_unit_test(fin_wait_2_of_a_closed_connection_ends_by_itself),
        cmocka_unit_test(fin_wait_2_of_a_half_closed_connection_lasts),
        cmocka_unit_test(lost_fin_is_sent_again_with_its_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
