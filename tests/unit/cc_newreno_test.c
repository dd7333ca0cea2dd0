/*
 * Unit tests of cc/newreno: slow start, congestion avoidance and the reactions to loss (RFC 5681 3.1, RFC
 * 6582 3.2).
 */
#include "cc/cc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MSS 1000u

struct fixture {
    uint64_t words[CC_PRIVATE_WORDS];
    struct cc_window window;
};

static const struct estab_cc *const cc = &estab_cc_newreno;

static struct fixture start(uint32_t cwnd)
{
    struct fixture f = {.words = {~UINT64_C(0), ~UINT64_C(0)}, .window = {.cwnd = cwnd}};
    cc->init(f.words, &f.window);
    return f;
}

static void ack(struct fixture *f, uint32_t acked, bool limited)
{
    struct cc_sample sample = {.acked = acked, .flight = f->window.cwnd, .mss = MSS, .cwnd_limited = limited};
    cc->on_ack(f->words, &f->window, &sample);
}

static void init_sets_no_threshold_and_keeps_the_window(void **state)
{
    (void)state;
    struct fixture f = start(10 * MSS);
    assert_int_equal(f.window.cwnd, 10 * MSS);
    assert_int_equal(f.window.ssthresh, UINT32_MAX);
    assert_string_equal(cc->name, "newreno");
}

/* It doubles in a round trip and no more, however the ACKs are cut (V-44). */
static void slow_start_grows_by_what_was_acknowledged(void **state)
{
    (void)state;
    struct fixture f = start(10 * MSS);
    for (unsigned i = 0; i < 10; i++) {
        ack(&f, MSS, true);
    }
    assert_int_equal(f.window.cwnd, 20 * MSS);
    f = start(10 * MSS);
    for (unsigned i = 0; i < 10000; i++) {
        ack(&f, 1, true);
    }
    assert_int_equal(f.window.cwnd, 20 * MSS);
    f = start(10 * MSS);
    ack(&f, 30 * MSS, true);
    assert_int_equal(f.window.cwnd, 20 * MSS);
}

static void congestion_avoidance_grows_by_a_segment_a_round_trip(void **state)
{
    (void)state;
    struct fixture f = start(20 * MSS);
    f.window.ssthresh = 20 * MSS;
    for (unsigned i = 0; i < 19; i++) {
        ack(&f, MSS, true);
    }
    assert_int_equal(f.window.cwnd, 20 * MSS);
    ack(&f, MSS, true);
    assert_int_equal(f.window.cwnd, 21 * MSS);
    for (unsigned i = 0; i < 2 * 21 * MSS; i++) {
        ack(&f, 1, true);
    }
    assert_in_range(f.window.cwnd, 22 * MSS, 23 * MSS);
}

/* RFC 7661: a window that is not used does not grow. */
static void unused_window_does_not_grow(void **state)
{
    (void)state;
    struct fixture f = start(10 * MSS);
    ack(&f, MSS, false);
    assert_int_equal(f.window.cwnd, 10 * MSS);
}

/* Equation 4: half of the flight, at least two segments. */
static void loss_and_timeout_halve_the_flight(void **state)
{
    (void)state;
    static const uint32_t flights[][2] = {
        {20 * MSS, 10 * MSS}, {5 * MSS, 2500}, {3 * MSS, 2 * MSS}, {0, 2 * MSS}};
    for (unsigned i = 0; i < 4; i++) {
        struct cc_sample sample = {.flight = flights[i][0], .mss = MSS};
        struct fixture f = start(20 * MSS);
        cc->on_loss(f.words, &f.window, &sample);
        assert_int_equal(f.window.ssthresh, flights[i][1]);
        f = start(20 * MSS);
        cc->on_timeout(f.words, &f.window, &sample);
        assert_int_equal(f.window.ssthresh, flights[i][1]);
        assert_int_equal(f.window.cwnd, MSS);
    }
}

/* RFC 6582 3.2 (3): min(ssthresh, max(FlightSize, SMSS) + SMSS) */
static void recovered_window_allows_no_burst(void **state)
{
    (void)state;
    static const uint32_t flights[][2] = {{0, 2 * MSS}, {3 * MSS, 4 * MSS}, {50 * MSS, 10 * MSS}};
    for (unsigned i = 0; i < 3; i++) {
        struct fixture f = start(20 * MSS);
        struct cc_sample sample = {.flight = flights[i][0], .mss = MSS};
        f.window.ssthresh = 10 * MSS;
        cc->on_recovered(f.words, &f.window, &sample);
        assert_int_equal(f.window.cwnd, flights[i][1]);
    }
}

static void window_never_overflows(void **state)
{
    (void)state;
    struct fixture f = start(UINT32_MAX / 4 - 1);
    for (unsigned i = 0; i < 100; i++) {
        uint32_t before = f.window.cwnd;
        ack(&f, UINT32_MAX / 8, true);
        assert_true(f.window.cwnd >= before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_sets_no_threshold_and_keeps_the_window),
        cmocka_unit_test(slow_start_grows_by_what_was_acknowledged),
        cmocka_unit_test(congestion_avoidance_grows_by_a_segment_a_round_trip),
        cmocka_unit_test(unused_window_does_not_grow),
        cmocka_unit_test(loss_and_timeout_halve_the_flight),
        cmocka_unit_test(recovered_window_allows_no_burst),
        cmocka_unit_test(window_never_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
