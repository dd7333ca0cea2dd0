/*
 * The pool of blocks: every block once, none beyond the memory, last in first out, counters, and the failing
 * calls that other tests are built on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/pool.h"

enum { BLOCK = 128, BLOCKS = 9 };

struct fixture {
    struct pool pool;
    _Alignas(16) uint8_t memory[BLOCK * BLOCKS + 100]; /* the last 100 bytes make no block */
};

static int set_up(void **state)
{
    struct fixture *f = aligned_alloc(16, (sizeof(*f) + 15) / 16 * 16);
    memset(f, 0xa5, sizeof(*f));
    pool_init(&f->pool, f->memory, sizeof(f->memory), BLOCK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void pool_fresh_counts_whole_blocks(void **state)
{
    const struct pool *pool = &((struct fixture *)*state)->pool;
    assert_int_equal(pool->total, BLOCKS);
    assert_int_equal(pool_available(pool), BLOCKS);
    assert_int_equal(pool_payload(pool), BLOCK - sizeof(struct block));
    assert_int_equal(pool->used, 0);
    assert_int_equal(pool->used_high, 0);
}

static void pool_fresh_touches_no_memory(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(f->memory); i++) {
        assert_int_equal(f->memory[i], 0xa5);
    }
    struct block *block = pool_take(&f->pool);
    memset(block->data, 0x11, pool_payload(&f->pool));
    for (size_t i = BLOCK; i < sizeof(f->memory); i++) {
        assert_int_equal(f->memory[i], 0xa5);
    }
}

static void take_all_gives_distinct_blocks_then_null(void **state)
{
    struct fixture *f = *state;
    bool seen[BLOCKS] = {false};
    for (unsigned i = 0; i < BLOCKS; i++) {
        struct block *block = pool_take(&f->pool);
        assert_non_null(block);
        assert_null(block->next);
        size_t offset = (size_t)((uint8_t *)block - f->memory);
        assert_int_equal(offset % BLOCK, 0);
        assert_true(offset / BLOCK < BLOCKS);
        assert_false(seen[offset / BLOCK]);
        seen[offset / BLOCK] = true;
        memset(block->data, 0xff, pool_payload(&f->pool));
    }
    assert_int_equal(pool_available(&f->pool), 0);
    assert_null(pool_take(&f->pool));
    assert_null(pool_take(&f->pool));
    assert_int_equal(f->pool.failed, 2);
    assert_int_equal(f->pool.used, BLOCKS);
    for (size_t i = (size_t)BLOCK * BLOCKS; i < sizeof(f->memory); i++) {
        assert_int_equal(f->memory[i], 0xa5);
    }
}

static void give_then_take_is_last_in_first_out(void **state)
{
    struct fixture *f = *state;
    struct block *first = pool_take(&f->pool);
    struct block *second = pool_take(&f->pool);
    struct block *third = pool_take(&f->pool);
    pool_give(&f->pool, first);
    pool_give(&f->pool, third);
    assert_ptr_equal(pool_take(&f->pool), third);
    assert_null(third->next);
    assert_ptr_equal(pool_take(&f->pool), first);
    assert_null(first->next);
    assert_int_equal(f->pool.used, 3);
    assert_int_equal(f->pool.used_high, 3);
    pool_give(&f->pool, second);
    assert_int_equal(f->pool.used, 2);
    assert_int_equal(f->pool.used_high, 3);
}

static void fail_after_k_fails_kth_and_later(void **state)
{
    struct fixture *f = *state;
    for (uint32_t k = 1; k <= BLOCKS; k++) {
        struct block *taken[BLOCKS];
        f->pool.fail_after = k;
        uint32_t failed = f->pool.failed;
        for (uint32_t i = 0; i + 1 < k; i++) {
            taken[i] = pool_take(&f->pool);
            assert_non_null(taken[i]);
        }
        for (int i = 0; i < 3; i++) {
            assert_null(pool_take(&f->pool));
        }
        assert_int_equal(f->pool.failed, failed + 3);
        assert_int_equal(f->pool.used, k - 1);
        for (uint32_t i = 0; i + 1 < k; i++) {
            pool_give(&f->pool, taken[i]);
        }
        assert_null(pool_take(&f->pool));
        f->pool.fail_after = 0;
        struct block *again = pool_take(&f->pool);
        assert_non_null(again);
        pool_give(&f->pool, again);
    }
}

static void random_takes_and_gives_keep_owners_apart(void **state)
{
    struct fixture *f = *state;
    struct block *held[BLOCKS];
    uint8_t mark[BLOCKS];
    uint32_t count = 0;
    uint32_t high = 0;
    uint32_t random = 12345;
    for (uint32_t step = 0; step < 20000; step++) {
        random = random * 1664525 + 1013904223;
        if ((random >> 16 & 1) != 0) {
            struct block *block = pool_take(&f->pool);
            assert_true((block == NULL) == (count == BLOCKS));
            if (block == NULL) {
                continue;
            }
            held[count] = block;
            mark[count] = (uint8_t)step;
            memset(block->data, mark[count], pool_payload(&f->pool));
            count++;
        } else if (count > 0) {
            uint32_t victim = (random >> 20) % count;
            for (uint32_t i = 0; i < pool_payload(&f->pool); i++) {
                assert_int_equal(held[victim]->data[i], mark[victim]);
            }
            pool_give(&f->pool, held[victim]);
            count--;
            held[victim] = held[count];
            mark[victim] = mark[count];
        }
        high = count > high ? count : high;
        assert_int_equal(f->pool.used, count);
        assert_int_equal(f->pool.used_high, high);
        assert_int_equal(pool_available(&f->pool), BLOCKS - count);
    }
    assert_int_equal(high, BLOCKS);
}

static void pool_smaller_than_a_block_holds_none(void **state)
{
    struct fixture *f = *state;
    pool_init(&f->pool, f->memory, BLOCK - 1, BLOCK);
    assert_int_equal(f->pool.total, 0);
    assert_null(pool_take(&f->pool));
    pool_init(&f->pool, f->memory, 0, BLOCK);
    assert_null(pool_take(&f->pool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pool_fresh_counts_whole_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pool_fresh_touches_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_all_gives_distinct_blocks_then_null, set_up, tear_down),
        cmocka_unit_test_setup_teardown(give_then_take_is_last_in_first_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fail_after_k_fails_kth_and_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_takes_and_gives_keep_owners_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pool_smaller_than_a_block_holds_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
