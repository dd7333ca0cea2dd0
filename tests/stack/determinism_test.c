/*
 * Same inputs, same bytes: a random trace twice, with and without trace records, and with and without header
 * prediction. Reserved header bits, which every step ignores, keep a segment off the predicted path, so that
 * the slow path answers for the fast one.
 */
#include "support/random_trace.h"

struct outcome {
    uint8_t *log;
    size_t length;
    struct estab_status status;
    struct estab_counters counters;
    uint64_t written, read, ended;
};

struct shape {
    bool v6, options, traced, closes;
    unsigned wildness, reserved;
    uint64_t seed;
};

static struct outcome run(const struct shape *shape, unsigned steps)
{
    struct rig_options options;
    rig_defaults(&options);
    options.log = true;
    options.v6 = shape->v6;
    options.timestamps = options.sack = shape->options;
    options.wscale = shape->options ? 1 + 2 : 0;
    options.untraced = !shape->traced;
    options.config.challenge_acks = 2;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    struct random_trace trace = {.seed = shape->seed,
                                 .peer_nxt = 1,
                                 .top = 1,
                                 .acked = 1,
                                 .reads = true,
                                 .wildness = shape->wildness,
                                 .reserved = shape->reserved,
                                 .closes = shape->closes};
    unsigned i = 0;
    while (i < steps && random_step(r, &trace)) {
        i++;
    }
    rig_discard(r);
    struct outcome outcome = {
        .log = r->log, .length = r->log_length, .written = r->written, .read = r->read, .ended = r->now};
    outcome.status = rig_status(r);
    outcome.counters = rig_counters(r);
    r->log = NULL;
    rig_stop(r);
    return outcome;
}

static void expect_same(struct outcome *a, struct outcome *b)
{
    assert_int_equal(a->length, b->length);
    assert_true(a->length > 1000);
    assert_memory_equal(a->log, b->log, a->length);
    assert_memory_equal(&a->status, &b->status, sizeof a->status);
    assert_int_equal(a->read, b->read);
    assert_int_equal(a->written, b->written);
    assert_int_equal(a->ended, b->ended);
    free(a->log);
    free(b->log);
}

#define SEEDS (ESTAB_TEST_SLOW ? 3u : 15u)
#define STEPS (ESTAB_TEST_SLOW ? 300u : 1000u)

static void same_trace_gives_the_same_bytes(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct shape shape = {
            .v6 = seed % 2 == 1, .options = seed % 3 != 0, .wildness = 10, .seed = seed, .closes = true};
        struct outcome a = run(&shape, STEPS);
        struct outcome b = run(&shape, STEPS);
        expect_same(&a, &b);
    }
}

static void traced_run_gives_the_same_bytes_as_untraced(void **state)
{
    (void)state;
    for (unsigned seed = 100; seed < 100 + SEEDS; seed++) {
        struct shape shape = {
            .v6 = seed % 2 == 1, .options = seed % 3 != 0, .wildness = 10, .seed = seed, .closes = true};
        struct outcome a = run(&shape, STEPS);
        shape.traced = true;
        struct outcome b = run(&shape, STEPS);
        expect_same(&a, &b);
    }
}

static void predicted_path_does_what_the_steps_do(void **state)
{
    (void)state;
    uint64_t fast = 0;
    for (unsigned seed = 200; seed < 200 + 2 * SEEDS; seed++) {
        struct shape shape = {
            .v6 = seed % 2 == 1, .options = seed % 3 != 0, .seed = seed, .closes = seed % 4 == 0};
        shape.wildness = seed % 5 == 0 ? 30 : 2;
        struct outcome a = run(&shape, STEPS);
        shape.reserved = 2;
        struct outcome b = run(&shape, STEPS);
        fast += a.counters.segments_fast;
        assert_int_equal(b.counters.segments_fast, 0);
        a.counters.segments_fast = 0;
        assert_memory_equal(&a.counters, &b.counters, sizeof a.counters);
        expect_same(&a, &b);
    }
    assert_true(fast > STEPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_trace_gives_the_same_bytes),
        cmocka_unit_test(traced_run_gives_the_same_bytes_as_untraced),
        cmocka_unit_test(predicted_path_does_what_the_steps_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
