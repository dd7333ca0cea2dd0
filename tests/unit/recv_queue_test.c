/*
 * The receive queue against a plain array with one byte and one mark for each stream offset: every overlap of
 * two and three segments at several scales of the block grid, random segments, reads and losses, every
 * allocation failing.
 *
 * Each segment carries bytes of its own, so that what a later overlapping segment must not change is seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/recv_queue.h"

enum { BLOCK_MAX = 512, BLOCKS_MAX = 64, STREAM = 1 << 19, SLICES = 80, RANGES = 64 };

struct fixture {
    struct pool pool;
    struct recv_queue queue;
    tcp_seq start;
    uint32_t begin, end; /* the in-order part that the queue should hold, as offsets */
    uint32_t limit;      /* nothing was ever stored from here on */
    uint32_t random;
    uint8_t version;
    uint8_t value[STREAM];
    bool present[STREAM];
    _Alignas(16) uint8_t memory[BLOCK_MAX * BLOCKS_MAX];
};

static uint32_t random_below(struct fixture *f, uint32_t bound)
{
    f->random = f->random * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)f->random * bound) >> 32);
}

static int set_up(void **state)
{
    *state = aligned_alloc(16, (sizeof(struct fixture) + 15) / 16 * 16);
    struct fixture *f = *state;
    memset(f, 0, sizeof(*f));
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void start(struct fixture *f, uint32_t block_size, uint32_t blocks, uint32_t first)
{
    pool_init(&f->pool, f->memory, (size_t)block_size * blocks, block_size);
    memset(f->present, 0, f->limit);
    f->start = seq_of(first);
    f->begin = 0;
    f->end = 0;
    f->limit = 0;
    recv_queue_init(&f->queue, f->start);
}

/* The ranges ahead by the oracle, as offsets. Returns their number. */
static unsigned oracle_ranges(const struct fixture *f, uint32_t ranges[][2])
{
    unsigned count = 0;
    for (uint32_t i = f->end; i < f->limit; i++) {
        if (f->present[i] && (i == f->end || !f->present[i - 1])) {
            ranges[count][0] = i;
        }
        if (f->present[i] && (i + 1 == f->limit || !f->present[i + 1])) {
            ranges[count++][1] = i + 1;
        }
    }
    return count;
}

static void check_in_order(struct fixture *f)
{
    struct slice slices[SLICES];
    assert_int_equal(f->queue.begin.v, seq_add(f->start, f->begin).v);
    assert_int_equal(f->queue.end.v, seq_add(f->start, f->end).v);
    assert_int_equal(recv_queue_readable(&f->queue), f->end - f->begin);
    unsigned count = recv_queue_slices(&f->queue, slices, SLICES);
    uint32_t at = f->begin;
    for (unsigned i = 0; i < count; i++) {
        assert_true(slices[i].length > 0 && slices[i].length <= f->end - at);
        assert_memory_equal(slices[i].data, f->value + at, slices[i].length);
        at += (uint32_t)slices[i].length;
    }
    assert_int_equal(at, f->end);
}

/* The queue's own table against the oracle's marks; every byte at its place; no block too many. */
static void check_ahead(const struct fixture *f)
{
    static uint32_t ranges[RANGES * 8][2];
    unsigned count = oracle_ranges(f, ranges);
    assert_true(recv_queue_has_ahead(&f->queue) == (count > 0));
    uint32_t bytes = 0;
    const struct recv_ahead *ahead = count > 0 ? (const void *)f->queue.ahead->data : NULL;
    assert_true(count == 0 || ahead->count == count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(ahead->range[i].begin.v, seq_add(f->start, ranges[i][0]).v);
        assert_int_equal(ahead->range[i].end.v, seq_add(f->start, ranges[i][1]).v);
        bytes += ranges[i][1] - ranges[i][0];
    }
    assert_int_equal(recv_queue_ahead_bytes(&f->queue), bytes);
    uint32_t payload = pool_payload(&f->pool);
    uint32_t blocks = count > 0;
    for (const struct block *block = f->queue.head; block != NULL; block = block->next) {
        uint32_t base = seq_diff(block->base, f->start);
        blocks++;
        for (uint32_t i = 0; i < payload; i++) {
            uint32_t at = base + i;
            if (at < f->limit && at >= f->begin && f->present[at]) {
                assert_int_equal(block->data[i], f->value[at]);
            }
        }
    }
    assert_int_equal(f->pool.used, blocks);
}

static void check_recent(const struct fixture *f)
{
    static uint32_t ranges[RANGES * 8][2];
    unsigned count = oracle_ranges(f, ranges);
    tcp_seq edges[6][2];
    for (unsigned max = 0; max <= 6; max++) {
        unsigned given = recv_queue_recent(&f->queue, edges, max);
        assert_int_equal(given, count < max ? count : max);
        for (unsigned i = 0; i < given; i++) {
            unsigned matches = 0;
            for (unsigned j = 0; j < count; j++) {
                matches += edges[i][0].v == seq_add(f->start, ranges[j][0]).v &&
                           edges[i][1].v == seq_add(f->start, ranges[j][1]).v;
            }
            assert_int_equal(matches, 1);
            for (unsigned j = 0; j < i; j++) {
                assert_int_not_equal(edges[i][0].v, edges[j][0].v);
            }
        }
    }
}

static void check_state(struct fixture *f)
{
    assert_true(recv_queue_check(&f->queue, &f->pool));
    check_in_order(f);
    check_ahead(f);
    check_recent(f);
}

/*
 * Where the queue could not keep all, only what it says it has counts: it must be a part of what came, and
 * nothing that was there may be gone.
 */
static void oracle_partial(struct fixture *f, uint32_t from, uint32_t to, const uint8_t *data)
{
    uint32_t end = seq_diff(f->queue.end, f->start);
    const struct recv_ahead *ahead = f->queue.ahead != NULL ? (const void *)f->queue.ahead->data : NULL;
    uint32_t new_bytes = 0;
    assert_true(end >= f->end);
    for (uint32_t i = f->end; i < (to > f->limit ? to : f->limit); i++) {
        bool held = i < end;
        for (uint32_t j = 0; ahead != NULL && j < ahead->count; j++) {
            uint32_t length = seq_diff(ahead->range[j].end, ahead->range[j].begin);
            held = held || seq_in_window(seq_add(f->start, i), ahead->range[j].begin, length);
        }
        if (f->present[i]) {
            assert_true(held);
        } else if (held) {
            assert_true(i >= from && i < to);
            f->present[i] = true;
            f->value[i] = data[i - from];
        } else if (i >= from && i < to) {
            new_bytes++;
        }
    }
    assert_true(new_bytes > 0);
    f->limit = to > f->limit ? to : f->limit;
    f->end = end;
}

/* Inserts [from, to) with fresh bytes and compares the verdict. `from` may be before begin. */
static enum recv_verdict do_insert(struct fixture *f, uint32_t from, uint32_t to)
{
    static uint8_t data[STREAM];
    uint32_t old_end = f->end;
    bool fresh = false;
    f->version = (uint8_t)(f->version * 5 + 3);
    for (uint32_t i = from; i < to; i++) {
        data[i - from] = (uint8_t)(f->version + i * 7);
        fresh = fresh || (i >= f->end && !f->present[i]);
    }
    enum recv_verdict verdict =
        recv_queue_insert(&f->queue, &f->pool, seq_add(f->start, from), data, to - from);
    if (verdict == RECV_NO_MEMORY) {
        oracle_partial(f, from, to, data);
        return verdict;
    }
    for (uint32_t i = from; i < to; i++) {
        if (i >= f->end && !f->present[i]) {
            f->present[i] = true;
            f->value[i] = data[i - from];
        }
    }
    f->limit = to > f->limit ? to : f->limit;
    while (f->end < f->limit && f->present[f->end]) {
        f->end++;
    }
    assert_int_equal(verdict, !fresh ? RECV_DUPLICATE : f->end != old_end ? RECV_IN_ORDER : RECV_AHEAD);
    return verdict;
}

static void do_consume(struct fixture *f, uint32_t length)
{
    f->begin += length;
    recv_queue_consume(&f->queue, &f->pool, length);
    if (f->begin == f->end && !recv_queue_has_ahead(&f->queue)) {
        assert_int_equal(f->pool.used, 0);
    }
}

static void do_copy(struct fixture *f)
{
    uint8_t data[2048];
    uint32_t readable = f->end - f->begin;
    uint32_t offset = random_below(f, readable + 3);
    uint32_t length = random_below(f, sizeof(data));
    uint32_t rest = offset < readable ? readable - offset : 0;
    uint32_t copied = recv_queue_copy(&f->queue, offset, data, length);
    assert_int_equal(copied, length < rest ? length : rest);
    assert_memory_equal(data, f->value + f->begin + offset, copied);
}

static void do_shed(struct fixture *f)
{
    uint32_t held = 0;
    for (uint32_t i = f->end; i < f->limit; i++) {
        held += f->present[i];
        f->present[i] = false;
    }
    f->limit = f->end;
    assert_int_equal(recv_queue_shed_ahead(&f->queue, &f->pool), held);
}

static void random_insert(struct fixture *f)
{
    uint32_t payload = pool_payload(&f->pool);
    uint32_t from;
    switch (random_below(f, 5)) {
    case 0: from = f->end; break;
    case 1: from = f->end - random_below(f, f->end < 300 ? f->end + 1 : 300); break;
    case 2: from = f->end + random_below(f, 4) * payload; break;
    default: from = f->end + random_below(f, 12 * payload);
    }
    uint32_t length = 1 + random_below(f, random_below(f, 3) == 0 ? 4 * payload : 60);
    do_insert(f, from, from + length);
}

static void random_step(struct fixture *f)
{
    uint32_t readable = f->end - f->begin;
    switch (random_below(f, 16)) {
    case 0: do_consume(f, readable); break;
    case 1:
    case 2: do_consume(f, random_below(f, readable + 1)); break;
    case 3: do_copy(f); break;
    case 5:
        if (random_below(f, 2) == 0) {
            do_shed(f);
        }
        break;
    default: random_insert(f);
    }
}

static void random_steps_match_a_plain_array(void **state)
{
    struct fixture *f = *state;
    static const uint32_t starts[] = {0, 0xffffff00, 0xffffffff, 0x7fffff80, 0xffffe000};
    static const uint32_t shapes[][2] = {{128, 3}, {128, 12}, {128, 64}, {256, 20}, {512, 64}};
    for (uint32_t i = 0; i < 25; i++) {
        start(f, shapes[i / 5][0], shapes[i / 5][1], starts[i % 5]);
        f->random = 77 + i;
        for (unsigned step = 0; step < 1500 && f->end + 40 * BLOCK_MAX < STREAM; step++) {
            random_step(f);
            check_state(f);
            if (f->end - f->begin > 20 * pool_payload(&f->pool)) {
                do_consume(f, f->end - f->begin);
            }
        }
        assert_true(f->end > 2000);
        recv_queue_free(&f->queue, &f->pool);
        assert_int_equal(f->pool.used, 0);
    }
}

enum { GRID = 7 };

/*
 * Every order and overlap of three segments over a line of GRID - 1 units, then the rest, then all is read.
 */
static void run_grid(struct fixture *f, uint32_t unit, uint32_t shift, uint32_t consume)
{
    for (uint32_t code = 0; code < GRID * GRID * GRID * GRID * GRID * GRID; code++) {
        uint32_t edge[6];
        uint32_t rest = code;
        for (unsigned i = 0; i < 6; i++) {
            edge[i] = rest % GRID;
            rest /= GRID;
        }
        if (edge[0] >= edge[1] || edge[2] >= edge[3] || edge[4] >= edge[5]) {
            continue;
        }
        start(f, 128, 24, 0xffffff80);
        if (shift > 0) {
            do_insert(f, 0, shift);
        }
        for (unsigned i = 0; i < 6; i += 2) {
            do_insert(f, shift + edge[i] * unit, shift + edge[i + 1] * unit);
            if (consume == i / 2) {
                do_consume(f, f->end - f->begin);
            }
        }
        check_state(f);
        assert_int_not_equal(do_insert(f, 0, shift + GRID * unit), RECV_NO_MEMORY);
        assert_int_equal(f->end, shift + GRID * unit);
        check_state(f);
        do_consume(f, f->end - f->begin);
        assert_int_equal(f->pool.used, 0);
    }
}

static void every_overlap_of_three_segments_is_right(void **state)
{
    struct fixture *f = *state;
    static const uint32_t units[] = {1, 37, 56, 112};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        run_grid(f, units[i], 0, 9);
        run_grid(f, units[i], i % 2 == 0 ? 100 : 112, (uint32_t)i);
    }
}

static void insert_pool_fails_at_each_take_loses_nothing(void **state)
{
    struct fixture *f = *state;
    for (uint32_t k = 1; k <= 24; k++) {
        for (uint32_t seed = 0; seed < 40; seed++) {
            start(f, 128, 40, 0xfffffe00);
            f->random = seed;
            f->pool.fail_after = k;
            for (unsigned step = 0; step < 30; step++) {
                random_insert(f);
                check_state(f);
            }
            f->pool.fail_after = 0;
            uint32_t goal = f->limit;
            do_consume(f, f->end - f->begin);
            while (f->end < goal) {
                uint32_t to = goal - f->end < 200 ? goal : f->end + 200;
                assert_int_equal(do_insert(f, f->end, to), RECV_IN_ORDER);
                check_state(f);
                do_consume(f, f->end - f->begin);
                check_state(f);
            }
            assert_int_equal(f->pool.used, 0);
        }
    }
}

static void insert_table_full_refuses_new_ranges_and_still_closes_gaps(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 64, 0xffffffe0);
    uint32_t made = 0;
    while (do_insert(f, 10 + made * 10, 15 + made * 10) == RECV_AHEAD) {
        made++;
        check_state(f);
    }
    const struct recv_ahead *ahead = (const void *)f->queue.ahead->data;
    assert_int_equal(made, ahead->capacity);
    assert_true(made >= 5);
    check_state(f);
    assert_int_equal(do_insert(f, 15, 18), RECV_AHEAD); /* continues a range */
    assert_int_equal(do_insert(f, 10, 20), RECV_AHEAD); /* and joins two */
    check_state(f);
    assert_int_equal(do_insert(f, 200, 205), RECV_AHEAD);
    assert_int_equal(do_insert(f, 0, 10), RECV_IN_ORDER);
    check_state(f);
    assert_int_equal(do_insert(f, 0, 210), RECV_IN_ORDER);
    check_state(f);
}

static void recent_new_ranges_come_newest_first(void **state)
{
    struct fixture *f = *state;
    start(f, 256, 32, 0xffffff00);
    static const uint32_t order[] = {300, 100, 500, 200, 400};
    for (size_t i = 0; i < 5; i++) {
        do_insert(f, order[i], order[i] + 20);
    }
    tcp_seq edges[5][2];
    static const uint32_t expected[] = {400, 200, 500, 100, 300};
    assert_int_equal(recv_queue_recent(&f->queue, edges, 5), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(edges[i][0].v, seq_add(f->start, expected[i]).v);
        assert_int_equal(edges[i][1].v, seq_add(f->start, expected[i] + 20).v);
    }
    /* A range that grows goes to the front, at either end; one that joins two counts once. */
    do_insert(f, 520, 525);
    do_insert(f, 95, 100);
    do_insert(f, 220, 300);
    static const uint32_t joined[][2] = {{200, 320}, {95, 120}, {500, 525}, {400, 420}};
    assert_int_equal(recv_queue_recent(&f->queue, edges, 5), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(edges[i][0].v, seq_add(f->start, joined[i][0]).v);
        assert_int_equal(edges[i][1].v, seq_add(f->start, joined[i][1]).v);
    }
    /* What is in order now is no longer reported. */
    do_insert(f, 0, 200);
    assert_int_equal(recv_queue_recent(&f->queue, edges, 5), 2);
    assert_int_equal(edges[0][0].v, seq_add(f->start, 500).v);
    assert_int_equal(edges[1][0].v, seq_add(f->start, 400).v);
    check_state(f);
}

static void check_recent_order(const struct fixture *f, const uint32_t *begins, unsigned count)
{
    tcp_seq edges[RANGES][2];
    assert_int_equal(recv_queue_recent(&f->queue, edges, RANGES), count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(edges[i][0].v, seq_add(f->start, begins[i]).v);
    }
}

/* Neither a range that grows again and again nor what is in order by now pushes others out of memory. */
static void recent_growth_and_old_places_forget_no_other(void **state)
{
    struct fixture *f = *state;
    start(f, 256, 32, 0xffffff00);
    do_insert(f, 500, 510);
    do_insert(f, 100, 110);
    for (uint32_t i = 0; i < 8; i++) {
        do_insert(f, 300 + i, 301 + i);
    }
    check_recent_order(f, (const uint32_t[]){300, 100, 500}, 3);
    start(f, 256, 32, 0xffffff00);
    static const uint32_t order[] = {500, 400, 100, 110};
    for (size_t i = 0; i < 4; i++) {
        do_insert(f, order[i], order[i] + 5);
    }
    do_insert(f, 0, 115);
    do_insert(f, 300, 305);
    do_insert(f, 250, 255);
    check_recent_order(f, (const uint32_t[]){250, 300, 400, 500}, 4);
}

static void consume_tail_cell_shared_with_ahead_keeps_the_block(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 8, 0xfffffff0);
    do_insert(f, 0, 30);
    do_insert(f, 40, 50);
    assert_int_equal(f->pool.used, 2);
    do_consume(f, 30);
    assert_int_equal(f->pool.used, 2);
    assert_null(f->queue.tail);
    check_state(f);
    do_insert(f, 30, 35);
    check_state(f);
    do_consume(f, 5);
    do_insert(f, 35, 40);
    assert_int_equal(f->end, 50);
    check_state(f);
    do_consume(f, 10);
    check_state(f);
    do_consume(f, 5);
    assert_int_equal(f->pool.used, 0);
}

static void consume_ahead_in_later_cell_keeps_only_that(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 8, 0xfffffff0);
    do_insert(f, 0, 30);
    do_insert(f, 400, 410);
    do_consume(f, 30);
    assert_int_equal(f->pool.used, 2);
    check_state(f);
    do_insert(f, 30, 400);
    assert_int_equal(f->end, 410);
    check_state(f);
}

static void insert_far_ahead_needs_no_blocks_between(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 3, 0xffffff00);
    tcp_seq far = seq_add(f->start, (UINT32_C(1) << 30) - 200);
    static const uint8_t data[4] = {1, 2, 3, 4};
    assert_int_equal(recv_queue_insert(&f->queue, &f->pool, far, data, 4), RECV_AHEAD);
    assert_int_equal(recv_queue_insert(&f->queue, &f->pool, seq_add(far, 2), data, 2), RECV_DUPLICATE);
    assert_int_equal(f->pool.used, 2);
    assert_true(recv_queue_check(&f->queue, &f->pool));
    assert_int_equal(recv_queue_shed_ahead(&f->queue, &f->pool), 4);
    assert_int_equal(f->pool.used, 0);
}

static void insert_in_order_crosses_blocks_and_idle_holds_none(void **state)
{
    struct fixture *f = *state;
    start(f, 256, 20, 0xfffff000);
    for (uint32_t length = 1; length < 700; length++) {
        assert_int_equal(do_insert(f, f->end, f->end + length), RECV_IN_ORDER);
        check_in_order(f);
        do_consume(f, length);
        assert_int_equal(f->pool.used, 0);
        assert_true(recv_queue_check(&f->queue, &f->pool));
    }
}

static void check_broken_queue_is_refused(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 12, 0xfffffff0);
    do_insert(f, 0, 150);
    do_insert(f, 200, 210);
    do_insert(f, 400, 600);
    assert_true(recv_queue_check(&f->queue, &f->pool));
    struct recv_queue broken = f->queue;
    broken.tail = broken.head;
    assert_false(recv_queue_check(&broken, &f->pool));
    broken = f->queue;
    broken.end = seq_add(broken.end, 50);
    assert_false(recv_queue_check(&broken, &f->pool));
    broken = f->queue;
    broken.ahead = NULL;
    assert_false(recv_queue_check(&broken, &f->pool));
    struct recv_ahead *ahead = (void *)f->queue.ahead->data;
    ahead->range[0].end = seq_add(f->start, 399);
    assert_false(recv_queue_check(&f->queue, &f->pool));
    ahead->range[0].end = seq_add(f->start, 210);
    assert_true(recv_queue_check(&f->queue, &f->pool));
    ahead->range[1].last = ahead->range[0].last;
    assert_false(recv_queue_check(&f->queue, &f->pool));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(insert_in_order_crosses_blocks_and_idle_holds_none),
        TEST(consume_tail_cell_shared_with_ahead_keeps_the_block),
        TEST(consume_ahead_in_later_cell_keeps_only_that),
        TEST(insert_far_ahead_needs_no_blocks_between),
        TEST(insert_table_full_refuses_new_ranges_and_still_closes_gaps),
        TEST(recent_new_ranges_come_newest_first),
        TEST(recent_growth_and_old_places_forget_no_other),
        TEST(insert_pool_fails_at_each_take_loses_nothing),
        TEST(every_overlap_of_three_segments_is_right),
        TEST(check_broken_queue_is_refused),
        TEST(random_steps_match_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
