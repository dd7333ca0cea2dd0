/* Unit tests of tcp/rtt: RFC 6298 by its formulas, Karn's rule, backoff and the limits. */
#include "tcp/rtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static const struct rtt_limits limits = {
    .min_rto_ns = 200 * MS, .max_rto_ns = 60 * SECOND, .initial_rto_ns = SECOND};

static struct tcp_rtt fresh(void)
{
    struct tcp_rtt rtt;
    rtt_init(&rtt);
    return rtt;
}

/* R6298-01 */
static void initial_timeout_is_the_configured_one(void **state)
{
    (void)state;
    struct tcp_rtt rtt = fresh();
    assert_int_equal(rtt_rto_ns(&rtt, &limits), SECOND);
    assert_int_equal(rtt.min_us, UINT32_MAX);
}

/* R6298-02 */
static void first_sample_sets_srtt_and_half_as_variance(void **state)
{
    (void)state;
    struct tcp_rtt rtt = fresh();
    rtt_sample(&rtt, 300 * MS);
    assert_int_equal(rtt.srtt_us, 300000);
    assert_int_equal(rtt.rttvar_us, 150000);
    assert_int_equal(rtt_rto_ns(&rtt, &limits), 900 * MS);
}

/* R6298-03: RTTVAR is computed with the old SRTT. */
static void next_sample_follows_the_formulas_in_their_order(void **state)
{
    (void)state;
    struct tcp_rtt rtt = fresh();
    rtt_sample(&rtt, 800 * MS);
    rtt_sample(&rtt, 400 * MS);
    assert_int_equal(rtt.rttvar_us, 400000); /* 3/4 * 400 + 1/4 * |800 - 400| */
    assert_int_equal(rtt.srtt_us, 750000);   /* 7/8 * 800 + 1/8 * 400 */
    assert_int_equal(rtt_rto_ns(&rtt, &limits), 2350 * MS);
    assert_int_equal(rtt.min_us, 400000);
    for (unsigned i = 0; i < 200; i++) {
        rtt_sample(&rtt, 100 * MS);
    }
    assert_in_range(rtt.srtt_us, 99900, 100100);
    assert_int_equal(rtt_rto_ns(&rtt, &limits), 200 * MS); /* the lower limit */
}

/* R6298-05, R6298-11 */
static void backoff_doubles_up_to_the_limit(void **state)
{
    (void)state;
    static const uint64_t chain[] = {1, 2, 4, 8, 16, 32, 60, 60};
    struct tcp_rtt rtt = fresh();
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(rtt_rto_ns(&rtt, &limits), chain[i] * SECOND);
        rtt_back_off(&rtt);
    }
    for (unsigned i = 0; i < 1000; i++) {
        rtt_back_off(&rtt);
    }
    assert_int_equal(rtt_rto_ns(&rtt, &limits), 60 * SECOND);
    rtt_sample(&rtt, 300 * MS);
    assert_int_equal(rtt_rto_ns(&rtt, &limits), 900 * MS);
}

/* R6298-06, R6298-07: Karn: one segment at a time, none that was sent twice. */
static void timing_takes_one_segment_and_stops_on_retransmission(void **state)
{
    (void)state;
    struct tcp_rtt rtt = fresh();
    rtt_start(&rtt, seq_of(0xfffffff0), SECOND);
    rtt_start(&rtt, seq_of(0x10), 2 * SECOND); /* one is timed already */
    assert_false(rtt_ack(&rtt, seq_of(0xffffffef), 3 * SECOND));
    assert_true(rtt_ack(&rtt, seq_of(0x5), 3 * SECOND)); /* beyond the wrap and beyond the segment */
    assert_int_equal(rtt.srtt_us, 2000000);
    assert_false(rtt_ack(&rtt, seq_of(0x10), 4 * SECOND));
    rtt_start(&rtt, seq_of(0x20), 5 * SECOND);
    rtt_back_off(&rtt);
    assert_false(rtt_ack(&rtt, seq_of(0x20), 6 * SECOND));
    rtt_start(&rtt, seq_of(0x30), 6 * SECOND);
    rtt_cancel(&rtt);
    assert_false(rtt_ack(&rtt, seq_of(0x30), 7 * SECOND));
    assert_int_equal(rtt.srtt_us, 2000000);
}

/* R6298-12 */
static void lost_syn_gives_data_three_seconds(void **state)
{
    (void)state;
    struct tcp_rtt rtt = fresh();
    rtt.syn_lost = true;
    rtt_back_off(&rtt);
    assert_int_equal(rtt_rto_ns(&rtt, &limits), 2 * SECOND); /* still the handshake */
    rtt.handshake_done = true;
    rtt.backoff = 0;
    assert_int_equal(rtt_rto_ns(&rtt, &limits), 3 * SECOND);
    rtt_sample(&rtt, 100 * MS);
    assert_int_equal(rtt_rto_ns(&rtt, &limits), 300 * MS);
}

/* No sample overflows, and none makes SRTT the mark of "no sample". */
static void extreme_samples_stay_in_range(void **state)
{
    (void)state;
    struct tcp_rtt rtt = fresh();
    rtt_sample(&rtt, 0);
    assert_int_equal(rtt.srtt_us, 1);
    rtt_sample(&rtt, UINT64_MAX);
    rtt_sample(&rtt, UINT64_MAX);
    assert_true(rtt_rto_ns(&rtt, &limits) <= 60 * SECOND);
    for (unsigned i = 0; i < 500; i++) {
        rtt_sample(&rtt, 0);
    }
    assert_true(rtt.srtt_us > 0);
    assert_int_equal(rtt_rto_ns(&rtt, &limits), 200 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_timeout_is_the_configured_one),
        cmocka_unit_test(first_sample_sets_srtt_and_half_as_variance),
        cmocka_unit_test(next_sample_follows_the_formulas_in_their_order),
        cmocka_unit_test(backoff_doubles_up_to_the_limit),
        cmocka_unit_test(timing_takes_one_segment_and_stops_on_retransmission),
        cmocka_unit_test(lost_syn_gives_data_three_seconds),
        cmocka_unit_test(extreme_samples_stay_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
