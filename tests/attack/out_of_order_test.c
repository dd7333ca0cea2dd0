/*
 * Text ahead of gaps (SegmentSmack, CVE-2018-5390; RFC 9293 3.10.7.4, SHLD-31): row V-38. A peer sends one
 * byte at every second place of a window of 4 MiB, in several orders. Ranges and memory are bounded, whatever
 * finds no room is dropped, and once the gaps are filled everything is there, byte for byte. A range is found
 * by halving, so 256 of them bound the steps of a segment; nothing here reads a clock.
 */
#include "stack/stack.h"
#include "support/rig.h"

#define WINDOW     (ESTAB_TEST_SLOW ? 1u << 18 : 4u << 20)
#define MAX_RANGES 256u

static struct rig *wide_rig(uint32_t window)
{
    struct rig_options options;
    rig_defaults(&options);
    options.wscale = 1 + 8;
    options.sack = true;
    options.config.receive_buffer = window;
    options.memory = (size_t)16 << 20;
    struct rig *r = rig_start(&options);
    r->unchecked = true;
    rig_reach(r, AT_ESTABLISHED);
    return r;
}

static const struct recv_ahead *ahead_of(const struct rig *r)
{
    const struct conn *conn = conn_of(r->stack, r->conn);
    return conn->tcp.rcv.ahead != NULL ? (const void *)conn->tcp.rcv.ahead->data : NULL;
}

static void check_bounds(const struct rig *r, uint32_t window)
{
    struct estab_memory memory;
    const struct recv_ahead *ahead = ahead_of(r);
    estab_memory(r->stack, &memory);
    assert_true(ahead == NULL || (ahead->count <= ahead->capacity && ahead->capacity <= MAX_RANGES));
    assert_true((uint64_t)memory.blocks_used * memory.block_size <= (uint64_t)window * 5 / 4);
    assert_null(estab_check(r->stack));
}

enum order { UPWARDS, DOWNWARDS, FROM_BOTH_ENDS, RANDOM, ORDERS };

/* A permutation of [0, n), n a power of two. */
static uint32_t nth(enum order order, uint32_t i, uint32_t n)
{
    switch (order) {
    case UPWARDS: return i;
    case DOWNWARDS: return n - 1 - i;
    case FROM_BOTH_ENDS: return i % 2 ? n - 1 - i / 2 : i / 2;
    default: return (i * 2654435761u) & (n - 1); /* odd, so every place once */
    }
}

/* V-38: one order, then the gaps are filled from the left and the reader gets it all. */
static void try_order(enum order order, uint32_t window)
{
    struct rig *r = wide_rig(window);
    uint32_t places_of = window / 2;
    for (uint32_t i = 0; i < places_of; i++) {
        inject(r, .flags = ACK, .seq = 2 + 2 * nth(order, i, places_of), .ack = 1, .length = 1);
        rig_discard(r);
        if ((i & (i + 1)) == 0) {
            check_bounds(r, window);
        }
    }
    check_bounds(r, window);
    assert_true(ahead_of(r)->count > MAX_RANGES / 2);
    uint32_t limit = 1 + rig_status(r).rcv_wnd;
    for (uint32_t at = 1; at < limit;) { /* as a sender would, who has been told of nothing */
        uint32_t length = limit - at < 1400 ? limit - at : 1400;
        inject(r, .flags = ACK, .seq = at, .ack = 1, .length = length);
        rig_discard(r);
        at = rig_status(r).rcv_nxt - r->irs;
    }
    check_bounds(r, window);
    assert_null(ahead_of(r));
    assert_int_equal(rig_read(r, window), limit - 1); /* checks every byte */
    rig_discard(r);
    rig_stop(r);
}

/* V-38 */
static void v38_a_byte_at_every_second_place_of_the_window(void **state)
{
    (void)state;
    for (enum order order = UPWARDS; order < ORDERS; order++) {
        try_order(order, order == UPWARDS ? WINDOW : WINDOW / 4);
    }
}

/*
 * V-38: each range pins a block of its own: the most that so few bytes can hold. A segment in order still
 * gets in when the pool is empty.
 */
static void v38_ranges_that_pin_every_block_give_way_to_text_in_order(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.wscale = 1 + 8;
    options.config.receive_buffer = WINDOW;
    options.config.block_size = 1024;
    options.memory = (size_t)300 << 10;
    struct rig *r = rig_start(&options);
    r->unchecked = true;
    rig_reach(r, AT_ESTABLISHED);
    struct estab_memory memory;
    for (uint32_t i = 1; i < 2000; i++) {
        inject(r, .flags = ACK, .seq = (2048 * i) % WINDOW, .ack = 1, .length = 1);
        rig_discard(r);
    }
    estab_memory(r->stack, &memory);
    assert_true(memory.blocks_used <= MAX_RANGES + 1);
    uint32_t at = 1;
    while (at < WINDOW / 8) {
        inject(r, .flags = ACK, .seq = at, .ack = 1, .length = 1000);
        rig_discard(r);
        assert_int_equal(rig_status(r).rcv_nxt - r->irs, at + 1000);
        assert_int_equal(rig_read(r, 1000), 1000);
        rig_discard(r);
        at += 1000;
    }
    assert_null(estab_check(r->stack));
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v38_a_byte_at_every_second_place_of_the_window),
        cmocka_unit_test(v38_ranges_that_pin_every_block_give_way_to_text_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
