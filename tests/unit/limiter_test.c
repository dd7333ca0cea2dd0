/*
 * Unit tests of base/limiter: what each has, what all have together, and that nobody sees another's. What
 * packets make of it stands in tests/attack/worlds_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limiter.h"

#define PLACES 16u

static uint64_t hash_of(uint64_t name)
{
    name = (name + 1) * UINT64_C(0x9e3779b97f4a7c15);
    name = (name ^ name >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return name ^ name >> 32;
}

static unsigned drawn(struct limiter *limiter, uint64_t second, uint64_t hash, unsigned tries)
{
    unsigned allowed = 0;
    for (unsigned i = 0; i < tries; i++) {
        allowed += limiter_allows(limiter, second, hash);
    }
    return allowed;
}

static void each_has_its_own_allowance_in_each_second(void **state)
{
    (void)state;
    struct limiter_place places[PLACES];
    struct limiter limiter;
    limiter_init(&limiter, places, PLACES, 100);
    for (uint64_t second = 0; second < 5; second++) {
        assert_int_equal(drawn(&limiter, second, hash_of(1), 1000), 100 / PLACES);
        assert_int_equal(drawn(&limiter, second, hash_of(2), 1000), 100 / PLACES);
        assert_int_equal(drawn(&limiter, second, hash_of(1), 1), 0);
    }
}

static void all_together_never_have_more_than_the_sum(void **state)
{
    (void)state;
    struct limiter_place places[PLACES];
    for (uint32_t per_second = 0; per_second < 200; per_second += 7) {
        struct limiter limiter;
        unsigned sum = 0;
        limiter_init(&limiter, places, PLACES, per_second);
        for (uint64_t name = 0; name < 2000; name++) {
            sum += drawn(&limiter, 9, hash_of(name), 200);
        }
        assert_true(sum <= per_second);
        assert_true(sum >= per_second / PLACES * PLACES); /* and it is given out */
    }
}

/* Whoever has a place keeps all of it, however many come after. */
static void who_comes_later_takes_nothing_from_who_was_there(void **state)
{
    (void)state;
    struct limiter_place places[PLACES];
    struct limiter limiter;
    limiter_init(&limiter, places, PLACES, 160);
    for (uint64_t second = 1; second < 50; second++) {
        assert_int_equal(drawn(&limiter, second, hash_of(second), 1), 1);
        for (uint64_t name = 1000; name < 1500; name++) {
            (void)drawn(&limiter, second, hash_of(name), 20);
        }
        assert_int_equal(drawn(&limiter, second, hash_of(second), 100), 9);
    }
}

static void without_places_nothing_is_allowed(void **state)
{
    (void)state;
    struct limiter limiter;
    limiter_init(&limiter, NULL, 0, 100);
    assert_false(limiter_allows(&limiter, 1, hash_of(1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_own_allowance_in_each_second),
        cmocka_unit_test(all_together_never_have_more_than_the_sum),
        cmocka_unit_test(who_comes_later_takes_nothing_from_who_was_there),
        cmocka_unit_test(without_places_nothing_is_allowed),
    };
    return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
