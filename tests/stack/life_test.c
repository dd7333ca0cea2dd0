/*
 * Random lives always end: connections of random configs live through random traces, are closed, and their
 * peer falls silent. Whatever the state, each has a deadline (F-INV-4) until it is over (F-TMO-1), and then
 * nothing is left of it.
 */
#include "support/random_trace.h"

#define LIVES (ESTAB_TEST_SLOW ? 60u : 600u)

static uint32_t one_of(uint64_t *seed, const uint32_t *values, uint32_t count)
{
    return values[rig_random(seed) % count];
}

static void random_options(struct rig_options *options, uint64_t *seed)
{
    static const uint32_t buffers[] = {1, 2, 100, 1460, 3000, 20000, 65535, 65536, 200000};
    static const uint32_t blocks[] = {256, 512, 4096};
    static const uint32_t sizes[] = {0, 1, 88, 100, 536, 1460, 1460, 65535};
    static const uint32_t isns[] = {OUR_ISN, 0x7ffffff0, 0xffffffff, 1, 0x80000000};
    rig_defaults(options);
    options->v6 = rig_random(seed) % 3 == 0;
    options->timestamps = rig_random(seed) % 2;
    options->sack = rig_random(seed) % 2;
    options->wscale = (int)(rig_random(seed) % 6);
    options->config.receive_buffer = one_of(seed, buffers, 9);
    options->config.send_buffer = one_of(seed, buffers, 9);
    options->config.block_size = one_of(seed, blocks, 3);
    options->peer_mss = (uint16_t)one_of(seed, sizes, 8);
    options->iss = one_of(seed, isns, 5);
    options->untraced = rig_random(seed) % 8 == 0;
    options->config.challenge_acks = 2;
    options->config.replies_per_second = 64; /* else how much they take depends on the memory */
    size_t blocks_more = rig_random(seed) % 4 == 0 ? 1 + rig_random(seed) % 12 : 60;
    size_t size = estab_memory_minimum(&options->config) + blocks_more * options->config.block_size;
    options->memory = (size + 63) & ~(size_t)63;
}

static void open_it(struct rig *r, bool passive)
{
    if (passive) {
        rig_listen(r, 2);
        inject(r, .flags = SYN, .seq = 0);
        rig_discard(r);
        inject(r, .flags = ACK, .seq = 1, .ack = 1);
        rig_discard(r);
        rig_accept(r);
    } else {
        rig_connect(r);
        rig_discard(r);
        inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
        rig_discard(r);
    }
}

static bool is_over(const struct rig *r)
{
    return rig_state(r) == ESTAB_CLOSED || rig_state(r) == ESTAB_LISTEN;
}

static void wait_for_the_end(struct rig *r)
{
    for (unsigned i = 0; i < 3000 && !is_over(r); i++) {
        uint64_t due = estab_next_deadline(r->stack);
        if (due == UINT64_MAX) {
            fail_msg("%s without a deadline", estab_state_name(rig_state(r)));
        }
        advance(r, due > r->now ? due - r->now : 0);
        rig_discard(r);
    }
    if (!is_over(r)) {
        fail_msg("%s does not end", estab_state_name(rig_state(r)));
    }
}

static void live(uint64_t number)
{
    static const uint32_t wildness[] = {0, 2, 10, 60};
    struct rig_options options;
    struct estab_memory memory;
    uint64_t seed = number * 77 + 5;
    random_options(&options, &seed);
    struct rig *r = rig_start(&options);
    r->wnd = rig_random(&seed) % 3 != 0 ? 30000 : (int32_t)(1 + rig_random(&seed) % 3000);
    open_it(r, rig_random(&seed) % 3 == 0);
    struct random_trace trace = {.seed = number, .peer_nxt = 1, .top = 1, .acked = 1, .reads = true};
    trace.closes = number % 3 == 0;
    trace.wildness = one_of(&seed, wildness, 4);
    for (unsigned i = 0; i < 300 && random_step(r, &trace); i++) {
        rig_discard(r);
    }
    rig_discard(r);
    rig_close(r);
    rig_discard(r);
    wait_for_the_end(r);
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.blocks_used, 0);
    rig_stop(r);
}

static void every_random_life_ends_and_leaves_nothing(void **state)
{
    (void)state;
    for (uint64_t number = 0; number < LIVES; number++) {
        live(number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_random_life_ends_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
