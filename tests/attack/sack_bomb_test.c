/*
 * SACK bombs (SACK Panic and its kin, CVE-2019-11477 to 11479; RFC 2018, RFC 9293 3.7.1): row V-39. A peer
 * that asks for the smallest segments lets us fill its window, then reports every other segment as received,
 * up to a million times. Nothing is kept for a SACK block or a segment in flight, so memory stays what the
 * text takes; an ACK brings at most one segment; and one honest ACK ends it.
 */
#include "support/rig.h"

#define SHRINK (ESTAB_TEST_SLOW ? 16u : 1u)
#define SMALL  48u /* bytes of text in the smallest segment that we send */

struct bomb {
    uint16_t mss; /* what the peer's SYN says; 0 is written as such */
    uint32_t in_flight;
    uint32_t sacks;
};

static struct rig *bomb_rig(const struct bomb *bomb)
{
    const uint8_t syn[] = {2, 4, (uint8_t)(bomb->mss >> 8), (uint8_t)bomb->mss, 1, 1, 4, 2, 1, 3, 3, 14};
    struct rig_options options;
    rig_defaults(&options);
    options.sack = true;
    options.wscale = 1 + 14;
    options.config.send_buffer = bomb->in_flight;
    options.memory = bomb->in_flight + bomb->in_flight / 2 + ((size_t)1 << 20);
    struct rig *r = rig_start(&options);
    r->unchecked = true;
    r->wnd = 65535;
    rig_reach(r, AT_SYN_SENT);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .raw = syn, .raw_length = sizeof syn);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    return r;
}

/* Everything that the window and our own buffer let out; returns what SND.NXT is. Segments never shrink. */
static uint32_t fill(struct rig *r, const struct bomb *bomb)
{
    struct segment sent;
    uint32_t acked = 1;
    uint32_t top = 1;
    rig_send(r, bomb->in_flight, 0);
    for (uint64_t goal = bomb->in_flight;;) {
        while (rig_take(r, &sent)) {
            assert_true(sent.length <= MSS && (sent.length >= SMALL || sent.seq + sent.length == 1 + goal));
            top = sent.seq + sent.length;
        }
        if (rig_status(r).bytes_in_flight > bomb->in_flight - 2 * MSS) {
            return top;
        }
        uint32_t most = 500 * rig_status(r).snd_mss; /* no burst of more than the rig keeps */
        acked = top - acked > most ? acked + most : top;
        inject(r, .flags = ACK, .seq = 1, .ack = acked);
        while (rig_take(r, &sent)) {
            top = sent.seq + sent.length;
        }
        uint64_t room = bomb->in_flight - rig_status(r).send_queued;
        goal += room;
        rig_send(r, room, 0);
    }
}

static void throw_bomb(const struct bomb *bomb)
{
    struct rig *r = bomb_rig(bomb);
    struct estab_memory memory;
    uint64_t seed = bomb->mss;
    uint32_t mss = rig_status(r).snd_mss;
    assert_true(mss >= SMALL);
    uint32_t top = fill(r, bomb);
    estab_memory(r->stack, &memory);
    uint32_t blocks = memory.blocks_used;
    uint32_t una = rig_status(r).snd_una - r->iss[0];
    uint64_t sent = rig_counters(r).segments_out;
    for (uint32_t i = 0; i < bomb->sacks; i++) {
        struct segment seg = {.flags = ACK, .seq = 1, .ack = una, .sack_count = 1 + i % 4};
        for (unsigned b = 0; b < seg.sack_count; b++) {
            uint32_t every_other = b == 0 ? 2 * i + 1 : 2 * rig_random(&seed) + 1;
            seg.sack[b][0] = una + every_other * mss % (top - una - mss);
            seg.sack[b][1] = seg.sack[b][0] + (b == 3 ? 1 : mss);
        }
        rig_inject(r, &seg, __FILE__, __LINE__);
        assert_true(r->sent_count <= 1 || i < 3);
        rig_discard(r);
    }
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.blocks_used, blocks);
    assert_true((uint64_t)blocks * memory.block_size <= bomb->in_flight + (uint64_t)bomb->in_flight / 8);
    assert_true(rig_counters(r).segments_out - sent <= bomb->sacks + 3);
    assert_int_equal(rig_status(r).snd_una, una + r->iss[0]);
    assert_null(estab_check(r->stack));
    for (unsigned i = 0; i < 4000 && rig_status(r).send_queued > 0; i++) {
        inject(r, .flags = ACK, .seq = 1, .ack = rig_status(r).snd_nxt - r->iss[0]);
        rig_discard(r);
    }
    assert_int_equal(rig_status(r).send_queued, 0);
    assert_null(estab_check(r->stack));
    rig_stop(r);
}

/* V-39: a million SACKs over 64 MiB in flight. */
static void v39_a_million_sacks_over_a_large_window(void **state)
{
    (void)state;
    throw_bomb(&(struct bomb){1460, (64u << 20) / SHRINK, 700000 / SHRINK});
}

/* V-39: the smallest segments that a peer can make us send, and all that it may ask for. */
static void v39_sacks_over_the_smallest_segments(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {1, 2, 8, 40, 47, 48, 87, 88};
    for (unsigned i = 0; i < 8; i++) {
        throw_bomb(&(struct bomb){sizes[i], (1u << 20) / SHRINK, 40000 / SHRINK});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v39_a_million_sacks_over_a_large_window),
        cmocka_unit_test(v39_sacks_over_the_smallest_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
