/*
 * Circular sequence numbers (RFC 9293 3.4) against plain 64-bit arithmetic, at every distance that decides a
 * comparison and around the wrap at 2^32.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/seq.h"

/* Places where something changes: the wrap, the half circle, the signs. */
static const uint32_t places[] = {
    0,          1,          2,          0x3fffffff, 0x40000000, 0x7ffffffe, 0x7fffffff, 0x80000000,
    0x80000001, 0xbfffffff, 0xc0000000, 0xfffffff0, 0xfffffffd, 0xfffffffe, 0xffffffff,
};

static const uint32_t distances[] = {0, 1, 2, 1448, 0xffff, 0x3fffffff, 0x40000000, 0x7ffffffe, 0x7fffffff};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check_order(tcp_seq low, tcp_seq high, uint32_t distance)
{
    assert_int_equal(seq_diff(high, low), distance);
    assert_true(seq_eq(low, high) == (distance == 0));
    assert_true(seq_lt(low, high) == (distance != 0));
    assert_true(seq_leq(low, high));
    assert_true(seq_gt(high, low) == (distance != 0));
    assert_true(seq_geq(high, low));
    assert_false(seq_lt(high, low));
    assert_true(seq_leq(high, low) == (distance == 0));
    assert_false(seq_gt(low, high));
    assert_true(seq_geq(low, high) == (distance == 0));
    assert_int_equal(seq_max(low, high).v, high.v);
    assert_int_equal(seq_max(high, low).v, high.v);
    assert_int_equal(seq_min(low, high).v, low.v);
    assert_int_equal(seq_min(high, low).v, low.v);
}

static void order_below_half_circle_holds_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        for (size_t j = 0; j < COUNT(distances); j++) {
            tcp_seq low = seq_of(places[i]);
            check_order(low, seq_add(low, distances[j]), distances[j]);
        }
    }
}

static void add_and_sub_undo_each_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        for (size_t j = 0; j < COUNT(places); j++) {
            tcp_seq a = seq_of(places[i]);
            tcp_seq b = seq_add(a, places[j]);
            assert_int_equal(b.v, (uint32_t)((uint64_t)places[i] + places[j]));
            assert_int_equal(seq_sub(b, places[j]).v, a.v);
            assert_int_equal(seq_diff(b, a), places[j]);
        }
    }
}

/* The oracle lays the circle out straight, beginning at the window: 64 bits, no wrap. */
static uint64_t straight(uint32_t start, uint32_t place)
{
    return place >= start ? (uint64_t)place - start : ((uint64_t)place + (UINT64_C(1) << 32)) - start;
}

static void window_any_value_matches_straight_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        for (size_t j = 0; j < COUNT(places); j++) {
            for (size_t k = 0; k < COUNT(places); k++) {
                uint32_t start = places[i];
                uint64_t at = straight(start, places[j]);
                uint32_t length = places[k];
                assert_true(seq_in_window(seq_of(places[j]), seq_of(start), length) == (at < length));
                uint64_t high = straight(start, places[k]);
                assert_true(seq_between(seq_of(start), seq_of(places[j]), seq_of(places[k])) == (at <= high));
            }
        }
    }
}

static void window_over_the_wrap_has_both_ends(void **state)
{
    (void)state;
    tcp_seq start = seq_of(0xfffffffe);
    assert_false(seq_in_window(seq_of(0xfffffffd), start, 4));
    assert_true(seq_in_window(seq_of(0xfffffffe), start, 4));
    assert_true(seq_in_window(seq_of(0xffffffff), start, 4));
    assert_true(seq_in_window(seq_of(0), start, 4));
    assert_true(seq_in_window(seq_of(1), start, 4));
    assert_false(seq_in_window(seq_of(2), start, 4));
    assert_false(seq_in_window(start, start, 0));
    assert_true(seq_between(start, seq_of(2), seq_of(2)));
    assert_true(seq_between(start, start, start));
    assert_false(seq_between(start, seq_of(3), seq_of(2)));
    assert_false(seq_between(start, seq_of(0xfffffffd), seq_of(2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_below_half_circle_holds_everywhere),
        cmocka_unit_test(add_and_sub_undo_each_other),
        cmocka_unit_test(window_any_value_matches_straight_line),
        cmocka_unit_test(window_over_the_wrap_has_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
