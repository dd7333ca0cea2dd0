/*
 * The send queue against a plain array of bytes that is indexed by stream offset: writing, reserving, reading
 * at any place in any order, dropping, running out of blocks. Positions lie around the wrap at 2^32.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/send_queue.h"

enum { BLOCK_MAX = 512, BLOCKS_MAX = 40, STREAM = 1 << 20, SLICES = 64 };

struct fixture {
    struct pool pool;
    struct send_queue queue;
    uint8_t stream[STREAM]; /* the oracle: byte i of the stream stands at position start + i */
    tcp_seq start;
    uint32_t begin, end; /* what the queue should hold, as offsets into stream */
    uint32_t random;
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
    f->random = 1;
    for (uint32_t i = 0; i < STREAM; i++) {
        f->stream[i] = (uint8_t)random_below(f, 256);
    }
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
    memset(f->memory, 0xdb, sizeof(f->memory));
    f->start = seq_of(first);
    f->begin = 0;
    f->end = 0;
    send_queue_init(&f->queue, f->start);
}

static void check_read(struct fixture *f, uint32_t from, uint32_t length, unsigned max)
{
    struct slice slices[SLICES];
    unsigned count = send_queue_slices(&f->queue, seq_add(f->start, from), length, slices, max);
    assert_true(count <= max);
    uint32_t done = 0;
    for (unsigned i = 0; i < count; i++) {
        assert_true(slices[i].length > 0);
        assert_true(slices[i].length <= length - done);
        assert_memory_equal(slices[i].data, f->stream + from + done, slices[i].length);
        done += (uint32_t)slices[i].length;
    }
    assert_true(done == length || count == max);
}

static void check_state(struct fixture *f)
{
    assert_true(send_queue_check(&f->queue, &f->pool));
    assert_int_equal(send_queue_length(&f->queue), f->end - f->begin);
    assert_int_equal(f->queue.begin.v, seq_add(f->start, f->begin).v);
    uint32_t blocks = 0;
    for (const struct block *block = f->queue.head; block != NULL; block = block->next) {
        blocks++;
    }
    assert_int_equal(f->pool.used, blocks);
    if (f->begin == f->end && send_queue_reserved(&f->queue) == 0) {
        send_queue_trim(&f->queue, &f->pool);
        assert_int_equal(f->pool.used, 0);
    }
}

static uint32_t room_left(const struct fixture *f)
{
    uint32_t payload = pool_payload(&f->pool);
    uint32_t in_tail = f->queue.tail == NULL ? 0 : payload - seq_diff(f->queue.end, f->queue.tail->base);
    return in_tail + pool_available(&f->pool) * payload;
}

static void do_write(struct fixture *f, uint32_t length)
{
    uint32_t room = room_left(f);
    uint32_t done = send_queue_write(&f->queue, &f->pool, f->stream + f->end, length);
    assert_int_equal(done, length < room ? length : room);
    f->end += done;
}

static void do_reserve(struct fixture *f, uint32_t fraction)
{
    uint32_t length = 0;
    uint32_t room = room_left(f);
    uint8_t *data = send_queue_reserve(&f->queue, &f->pool, &length);
    assert_true((data == NULL) == (room == 0));
    if (data == NULL) {
        return;
    }
    assert_true(length > 0);
    assert_int_equal(send_queue_reserved(&f->queue), length);
    memcpy(data, f->stream + f->end, length);
    /* An acknowledgement may come while the application fills. */
    if (fraction % 3 == 0) {
        f->begin = f->end;
        send_queue_drop(&f->queue, &f->pool, seq_add(f->start, f->begin));
    }
    uint32_t used = fraction % 4 == 0 ? 0 : fraction % 4 == 1 ? length : length * (fraction % 16) / 16;
    send_queue_commit(&f->queue, used);
    f->end += used;
    assert_int_equal(send_queue_reserved(&f->queue), 0);
}

static void random_step(struct fixture *f)
{
    uint32_t payload = pool_payload(&f->pool);
    uint32_t held = f->end - f->begin;
    switch (random_below(f, 8)) {
    case 0:
    case 1: do_write(f, random_below(f, 3 * payload)); break;
    case 2: do_reserve(f, random_below(f, 48)); break;
    case 3:
        f->begin += random_below(f, 4) == 0 ? held : random_below(f, held + 1);
        send_queue_drop(&f->queue, &f->pool, seq_add(f->start, f->begin));
        break;
    default: {
        uint32_t from = f->begin + random_below(f, held + 1);
        unsigned max = random_below(f, 4) == 0 ? random_below(f, 3) : SLICES;
        check_read(f, from, random_below(f, f->end - from + 1), max);
    }
    }
}

static void random_steps_match_a_plain_array(void **state)
{
    struct fixture *f = *state;
    static const uint32_t starts[] = {0, 0xffffff00, 0xffffffff, 0x7fffffc0, 0xfffff000};
    static const uint32_t shapes[][2] = {{128, 1}, {128, 7}, {128, 40}, {256, 5}, {512, 40}};
    for (uint32_t i = 0; i < 25; i++) {
        start(f, shapes[i / 5][0], shapes[i / 5][1], starts[i % 5]);
        f->random = 1000 + i;
        for (unsigned step = 0; step < 4000 && f->end + 8 * BLOCK_MAX < STREAM; step++) {
            random_step(f);
            check_state(f);
        }
        check_read(f, f->begin, f->end - f->begin, SLICES);
        send_queue_free(&f->queue, &f->pool);
        assert_int_equal(f->pool.used, 0);
        assert_true(send_queue_check(&f->queue, &f->pool));
    }
}

/* New data is read on at one place while what was sent is read again behind it. */
static void read_two_places_in_turn_keeps_both(void **state)
{
    struct fixture *f = *state;
    start(f, 128, BLOCKS_MAX, 0xfffff800);
    do_write(f, 4000);
    uint32_t again = 0;
    for (uint32_t next = 1000; next + 100 <= 4000; next += 100) {
        check_read(f, next, 100, SLICES);
        const struct block *cursor = f->queue.cursor;
        check_read(f, again, 30, SLICES);
        again += 30;
        assert_ptr_equal(f->queue.cursor, cursor);
        assert_true(seq_leq(f->queue.again->base, seq_add(f->start, again)));
        assert_true(seq_diff(seq_add(f->start, again), f->queue.again->base) <= pool_payload(&f->pool));
        check_state(f);
    }
}

static void read_from_the_start_of_the_cursor_block_uses_it(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 8, 0xffffff80);
    do_write(f, 3 * pool_payload(&f->pool));
    check_read(f, 0, pool_payload(&f->pool) + 1, SLICES);
    check_read(f, pool_payload(&f->pool), 5, SLICES);
    assert_null(f->queue.again);
    check_read(f, pool_payload(&f->pool) - 1, 1, SLICES);
    assert_ptr_equal(f->queue.again, f->queue.head);
}

static void read_every_range_of_three_blocks_is_right(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 3, 0xffffff80);
    do_write(f, 300);
    for (uint32_t from = 0; from <= 300; from++) {
        for (uint32_t length = 0; from + length <= 300; length++) {
            check_read(f, from, length, 1 + (from + length) % 4);
        }
    }
    check_state(f);
}

static void drop_every_point_gives_back_what_is_before(void **state)
{
    struct fixture *f = *state;
    for (uint32_t upto = 0; upto <= 336; upto++) {
        start(f, 128, 4, 0xffffff80);
        uint32_t payload = pool_payload(&f->pool);
        do_write(f, 3 * payload);
        check_read(f, 0, 3 * payload, SLICES);
        check_read(f, 10, payload, SLICES);
        f->begin = upto < 3 * payload ? upto : 3 * payload;
        send_queue_drop(&f->queue, &f->pool, seq_add(f->start, f->begin));
        assert_int_equal(f->pool.used, 3 - f->begin / payload);
        check_state(f);
        check_read(f, f->begin, f->end - f->begin, SLICES);
    }
}

static void drop_all_gives_back_every_block(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 8, 0xffffffff);
    for (uint32_t length = 1; length < 500; length++) {
        do_write(f, length);
        f->begin = f->end;
        send_queue_drop(&f->queue, &f->pool, seq_add(f->start, f->begin));
        assert_int_equal(f->pool.used, 0);
        check_state(f);
    }
}

static void reserve_then_drop_all_then_commit_keeps_the_bytes(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 4, 0xffffffc0);
    do_write(f, 50);
    uint32_t length;
    uint8_t *data = send_queue_reserve(&f->queue, &f->pool, &length);
    memcpy(data, f->stream + 50, 20);
    f->begin = 50;
    send_queue_drop(&f->queue, &f->pool, seq_add(f->start, 50));
    assert_int_equal(f->pool.used, 1);
    send_queue_commit(&f->queue, 20);
    f->end = 70;
    check_state(f);
    check_read(f, 50, 20, SLICES);
}

static void reserve_then_trim_gives_back_only_an_empty_queue(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 4, 5);
    uint32_t length;
    assert_non_null(send_queue_reserve(&f->queue, &f->pool, &length));
    assert_int_equal(length, pool_payload(&f->pool));
    assert_int_equal(f->pool.used, 1);
    send_queue_trim(&f->queue, &f->pool);
    assert_int_equal(f->pool.used, 0);
    assert_int_equal(send_queue_reserved(&f->queue), 0);
    send_queue_trim(&f->queue, &f->pool);
    do_write(f, 3);
    assert_non_null(send_queue_reserve(&f->queue, &f->pool, &length));
    send_queue_trim(&f->queue, &f->pool);
    assert_int_equal(f->pool.used, 1);
    check_state(f);
    check_read(f, 0, 3, SLICES);
}

static void reserve_then_write_ends_the_reservation(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 4, 0xfffffff0);
    uint32_t length;
    assert_non_null(send_queue_reserve(&f->queue, &f->pool, &length));
    do_write(f, 40);
    assert_int_equal(send_queue_reserved(&f->queue), 0);
    assert_int_equal(f->pool.used, 1);
    check_read(f, 0, 40, SLICES);
}

static void rebase_moves_positions_and_keeps_bytes(void **state)
{
    struct fixture *f = *state;
    static const uint32_t targets[] = {0, 0xffffffff, 0xfffffe00, 0x80000000, 17};
    for (size_t i = 0; i < 5; i++) {
        start(f, 128, 8, 1);
        send_queue_rebase(&f->queue, &f->pool, seq_of(targets[i]));
        f->start = seq_of(targets[i]);
        check_state(f);
        do_write(f, 400);
        check_read(f, 0, 400, SLICES);
        f->start = seq_of(targets[4 - i]);
        send_queue_rebase(&f->queue, &f->pool, f->start);
        check_state(f);
        check_read(f, 0, 400, SLICES);
        do_write(f, 100);
        check_read(f, 350, 150, SLICES);
        uint32_t length;
        assert_non_null(send_queue_reserve(&f->queue, &f->pool, &length));
        f->begin = f->end;
        send_queue_drop(&f->queue, &f->pool, seq_add(f->start, f->begin));
        send_queue_rebase(&f->queue, &f->pool, seq_of(9));
        f->start = seq_of(9u - f->begin);
        send_queue_commit(&f->queue, 0);
        check_state(f);
    }
}

static void write_pool_fails_at_each_take_keeps_the_front(void **state)
{
    struct fixture *f = *state;
    for (uint32_t k = 1; k <= 6; k++) {
        start(f, 128, 8, 0xffffff00);
        f->pool.fail_after = k;
        uint32_t payload = pool_payload(&f->pool);
        uint32_t done = send_queue_write(&f->queue, &f->pool, f->stream, 5 * payload);
        assert_int_equal(done, (k - 1 < 5 ? k - 1 : 5) * payload);
        f->end = done;
        check_state(f);
        check_read(f, 0, done, SLICES);
        uint32_t length;
        assert_null(send_queue_reserve(&f->queue, &f->pool, &length));
        check_state(f);
        f->pool.fail_after = 0;
        do_write(f, 2 * payload);
        check_state(f);
        check_read(f, 0, f->end, SLICES);
    }
}

static void check_broken_queue_is_refused(void **state)
{
    struct fixture *f = *state;
    start(f, 128, 8, 0xffffff00);
    do_write(f, 300);
    check_read(f, 0, 300, SLICES);
    assert_true(send_queue_check(&f->queue, &f->pool));
    struct send_queue broken = f->queue;
    broken.tail = broken.head;
    assert_false(send_queue_check(&broken, &f->pool));
    broken = f->queue;
    broken.end = seq_add(broken.end, 2 * 128);
    assert_false(send_queue_check(&broken, &f->pool));
    broken = f->queue;
    broken.begin = seq_sub(broken.begin, 1);
    assert_false(send_queue_check(&broken, &f->pool));
    broken = f->queue;
    broken.head = broken.head->next;
    assert_false(send_queue_check(&broken, &f->pool));
    struct block stray = {0};
    broken = f->queue;
    broken.cursor = &stray;
    assert_false(send_queue_check(&broken, &f->pool));
    f->queue.tail->base.v++;
    assert_false(send_queue_check(&f->queue, &f->pool));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(read_every_range_of_three_blocks_is_right),
        TEST(read_from_the_start_of_the_cursor_block_uses_it),
        TEST(read_two_places_in_turn_keeps_both),
        TEST(drop_every_point_gives_back_what_is_before),
        TEST(drop_all_gives_back_every_block),
        TEST(reserve_then_drop_all_then_commit_keeps_the_bytes),
        TEST(reserve_then_trim_gives_back_only_an_empty_queue),
        TEST(reserve_then_write_ends_the_reservation),
        TEST(rebase_moves_positions_and_keeps_bytes),
        TEST(write_pool_fails_at_each_take_keeps_the_front),
        TEST(check_broken_queue_is_refused),
        TEST(random_steps_match_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
