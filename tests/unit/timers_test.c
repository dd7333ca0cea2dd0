/*
 * The heap of deadlines against a plain array: the top is always the least, every id is found, and after each
 * step the order of the heap and the back references are checked entry by entry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/timers.h"

enum { CAPACITY_MAX = 300 };

struct fixture {
    struct timers timers;
    struct timers_entry heap[CAPACITY_MAX];
    uint32_t position[CAPACITY_MAX];
    uint64_t oracle[CAPACITY_MAX]; /* TIMERS_NEVER: not set */
};

static uint64_t random_state;

static uint32_t random_next(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33);
}

static void start(struct fixture *f, uint32_t capacity)
{
    memset(f, 0xee, sizeof(*f));
    timers_init(&f->timers, f->heap, f->position, capacity);
    for (uint32_t id = 0; id < CAPACITY_MAX; id++) {
        f->oracle[id] = TIMERS_NEVER;
    }
}

static void check_against_oracle(const struct fixture *f)
{
    const struct timers *timers = &f->timers;
    uint64_t least = TIMERS_NEVER;
    uint32_t count = 0;
    for (uint32_t id = 0; id < timers->capacity; id++) {
        assert_true(timers_get(timers, id) == f->oracle[id]);
        least = f->oracle[id] < least ? f->oracle[id] : least;
        count += f->oracle[id] != TIMERS_NEVER;
    }
    assert_int_equal(timers->count, count);
    const struct timers_entry *top = timers_top(timers);
    assert_true((top == NULL) == (count == 0));
    assert_true(top == NULL || top->deadline_ns == least);
    for (uint32_t place = 0; place < count; place++) {
        assert_int_equal(timers->position[timers->heap[place].id], place + 1);
        uint64_t parent_ns = place == 0 ? 0 : timers->heap[(place - 1) / 4].deadline_ns;
        assert_true(parent_ns <= timers->heap[place].deadline_ns);
    }
}

/* Few values with many equal ones, or many values, or the ends of the range. */
static uint64_t choose_deadline(unsigned kind)
{
    switch (kind) {
    case 0: return random_next() % 8;
    case 1: return (uint64_t)random_next() << 20;
    default: return random_next() % 2 != 0 ? TIMERS_NEVER - 1 - random_next() % 3 : random_next() % 3;
    }
}

static void run_random(struct fixture *f, uint32_t capacity, unsigned kind)
{
    start(f, capacity);
    for (unsigned step = 0; step < 3000; step++) {
        uint32_t id = random_next() % capacity;
        unsigned action = random_next() % 8;
        if (action < (step / 500 % 2 == 0 ? 6u : 3u)) {
            f->oracle[id] = choose_deadline(kind);
            timers_set(&f->timers, id, f->oracle[id]);
        } else if (action == 7 && f->timers.count > 0) {
            id = timers_top(&f->timers)->id;
            f->oracle[id] = TIMERS_NEVER;
            timers_remove(&f->timers, id);
        } else {
            f->oracle[id] = TIMERS_NEVER;
            timers_remove(&f->timers, id);
        }
        check_against_oracle(f);
    }
}

static void random_steps_match_a_plain_array(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {1, 2, 5, 6, 21, 22, CAPACITY_MAX};
    struct fixture f;
    random_state = 4711;
    for (unsigned kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
            run_random(&f, capacities[i], kind);
        }
    }
}

static void drain_gives_sorted_order(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, CAPACITY_MAX);
    random_state = 99;
    for (uint32_t id = 0; id < CAPACITY_MAX; id++) {
        f.oracle[id] = random_next() % 100;
        timers_set(&f.timers, id, f.oracle[id]);
    }
    uint64_t last = 0;
    for (uint32_t left = CAPACITY_MAX; left > 0; left--) {
        struct timers_entry top = *timers_top(&f.timers);
        assert_true(top.deadline_ns >= last);
        assert_true(top.deadline_ns == f.oracle[top.id]);
        last = top.deadline_ns;
        f.oracle[top.id] = TIMERS_NEVER;
        timers_remove(&f.timers, top.id);
        check_against_oracle(&f);
    }
    assert_null(timers_top(&f.timers));
}

static void set_never_removes(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 4);
    timers_set(&f.timers, 2, 50);
    timers_set(&f.timers, 3, 40);
    timers_set(&f.timers, 3, TIMERS_NEVER);
    timers_set(&f.timers, 1, TIMERS_NEVER);
    f.oracle[2] = 50;
    check_against_oracle(&f);
}

static void remove_unset_does_nothing(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 3);
    timers_remove(&f.timers, 0);
    timers_set(&f.timers, 1, 7);
    timers_remove(&f.timers, 2);
    f.oracle[1] = 7;
    check_against_oracle(&f);
    timers_remove(&f.timers, 1);
    timers_remove(&f.timers, 1);
    f.oracle[1] = TIMERS_NEVER;
    check_against_oracle(&f);
}

/* The entry that fills the hole of a removed one may have to go up: its parent can be later than it. */
static void remove_refill_from_other_branch_goes_up(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 12);
    /* Places 5 to 8 are children of place 1, 9 and on of place 2. Branch 1 is late, branch 2 early. */
    static const uint64_t deadlines[] = {1, 100, 2, 50, 50, 101, 102, 103, 104, 3, 4};
    for (uint32_t id = 0; id < 11; id++) {
        f.oracle[id] = deadlines[id];
        timers_set(&f.timers, id, deadlines[id]);
        assert_int_equal(f.timers.heap[id].id, id);
    }
    timers_remove(&f.timers, 6);
    f.oracle[6] = TIMERS_NEVER;
    check_against_oracle(&f);
    assert_int_equal(f.timers.heap[1].id, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remove_unset_does_nothing),
        cmocka_unit_test(set_never_removes),
        cmocka_unit_test(remove_refill_from_other_branch_goes_up),
        cmocka_unit_test(drain_gives_sorted_order),
        cmocka_unit_test(random_steps_match_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
