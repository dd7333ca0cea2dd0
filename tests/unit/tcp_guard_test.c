/*
 * Unit tests of tcp/guard: initial sequence numbers (RFC 6528, O-26), timestamp offsets (RFC 7323 7.1,
 * O-24), the limit on challenge ACKs (RFC 5961 7, O-20) and the plausible range of an ACK (RFC 5961 5,
 * O-13). The same through a stack: two flows, two secrets, time.
 */
#include "tcp/guard.h"

#include "support/rig.h"

static struct siphash_key key_of(uint8_t first)
{
    uint8_t bytes[16] = {first, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return siphash_key_read(bytes);
}

static struct flow_words flow_of(uint64_t ports)
{
    return (struct flow_words){.w = {0, 0xffff0a090002, 0, 0xffff0a090001, ports}, .count = 5};
}

/* O-26, MUST-8: M is a clock of 4 us, whatever the flow. */
static void isn_follows_the_clock(void **state)
{
    (void)state;
    struct siphash_key key = key_of(1);
    struct flow_words flow = flow_of(80);
    uint32_t first = guard_isn(&key, &flow, 1000000).v;
    assert_int_equal(guard_isn(&key, &flow, 1003999).v, first);
    assert_int_equal(guard_isn(&key, &flow, 1004000).v, first + 1);
    assert_int_equal(guard_isn(&key, &flow, 1000000 + SECOND).v, first + 250000);
    uint64_t round = (UINT64_C(1) << 32) * 4000;
    assert_int_equal(guard_isn(&key, &flow, 1000000 + round).v, first); /* about 4.77 hours */
}

/*
 * O-24, O-26, R7323-41, MUST-9, SHLD-1: F depends on each part of the flow and on the key; no bit is
 * constant, none follows from the port.
 */
static void isn_of_flows_and_keys_are_unrelated(void **state)
{
    (void)state;
    unsigned ones[32] = {0}, flips[32] = {0};
    uint32_t before = 0;
    const unsigned n = 4096;
    for (unsigned i = 0; i < n; i++) {
        struct siphash_key key = key_of(1);
        struct flow_words flow = flow_of(i);
        uint32_t isn = guard_isn(&key, &flow, 0).v;
        for (unsigned b = 0; b < 32; b++) {
            ones[b] += isn >> b & 1;
            flips[b] += (isn ^ before) >> b & 1;
        }
        before = isn;
    }
    for (unsigned b = 0; b < 32; b++) { /* eight standard deviations */
        assert_in_range(ones[b], n / 2 - 256, n / 2 + 256);
        assert_in_range(flips[b], n / 2 - 256, n / 2 + 256);
    }
    struct siphash_key one = key_of(1), two = key_of(2);
    for (unsigned word = 0; word < 5; word++) {
        struct flow_words a = flow_of(80), b = flow_of(80);
        b.w[word] ^= 1;
        assert_true(guard_isn(&one, &a, 0).v != guard_isn(&one, &b, 0).v);
        assert_true(guard_timestamp_offset(&one, &a) != guard_timestamp_offset(&one, &b));
    }
    struct flow_words flow = flow_of(80);
    assert_true(guard_isn(&one, &flow, 0).v != guard_isn(&two, &flow, 0).v);
    assert_true(guard_timestamp_offset(&one, &flow) != guard_timestamp_offset(&two, &flow));
}

/* U-8 */
static void challenge_acks_are_counted_by_the_second(void **state)
{
    (void)state;
    struct tcp_limits limits = {.challenge_acks = 3};
    struct tcp_context ctx = {.limits = &limits};
    struct tcp_conn a = {0}, b = {0};
    for (uint64_t second = 1; second < 600; second += second == 5 ? 250 : 1) {
        ctx.now = second * SECOND + 1;
        assert_true(guard_allows_ack(&a, &ctx));
        assert_true(guard_allows_ack(&a, &ctx));
        ctx.now = second * SECOND + SECOND - 1;
        assert_true(guard_allows_ack(&a, &ctx));
        assert_false(guard_allows_ack(&a, &ctx));
        assert_true(guard_allows_ack(&b, &ctx)); /* each its own */
    }
}

/* SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT, also across the wrap and with the largest window. */
static void plausible_acks_lie_between_the_old_window_and_snd_nxt(void **state)
{
    (void)state;
    static const uint32_t windows[] = {0, 1, 65535, 1u << 30};
    static const uint32_t starts[] = {0, 5, 0x7ffffff0, 0x80000000, 0xfffffff0};
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 5; k++) {
            struct tcp_conn c = {
                .snd_una = seq_of(starts[k]), .snd_nxt = seq_of(starts[k] + 100), .max_snd_wnd = windows[i]};
            assert_true(guard_ack_plausible(&c, seq_of(starts[k] - windows[i])));
            assert_true(guard_ack_plausible(&c, seq_of(starts[k])));
            assert_true(guard_ack_plausible(&c, seq_of(starts[k] + 100)));
            assert_false(guard_ack_plausible(&c, seq_of(starts[k] + 101)));
            assert_false(guard_ack_plausible(&c, seq_of(starts[k] - windows[i] - 1)));
            assert_false(guard_ack_plausible(&c, seq_of(starts[k] + 100 + 0x80000000)));
        }
    }
}

/* O-26, R6528-01: the same flow again, later, begins beyond; another secret knows nothing of the first. */
static void stack_opens_the_same_flow_again_further_on(void **state)
{
    (void)state;
    uint32_t iss[2];
    for (unsigned i = 0; i < 2; i++) {
        struct rig_options options;
        rig_defaults(&options);
        options.far_from_wrap = true;
        options.config.secret[3] ^= (uint8_t)i;
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_SYN_SENT);
        iss[i] = r->iss[0];
        rig_abort(r);
        advance(r, 10 * SECOND);
        rig_reach(r, AT_SYN_SENT);
        assert_int_equal(r->iss[0] - iss[i], 2500000);
        rig_stop(r);
    }
    assert_true(iss[0] != iss[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(isn_follows_the_clock),
        cmocka_unit_test(isn_of_flows_and_keys_are_unrelated),
        cmocka_unit_test(challenge_acks_are_counted_by_the_second),
        cmocka_unit_test(plausible_acks_lie_between_the_old_window_and_snd_nxt),
        cmocka_unit_test(stack_opens_the_same_flow_again_further_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
