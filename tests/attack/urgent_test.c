/*
 * The urgent pointer (RFC 9293 3.8.5, RFC 6093) as URGENT/11, uIP CVE-2020-17437, INFRA:HALT CVE-2021-31400
 * and WinNuke sent it: beyond the text, before it, zero, again and backwards. It is a mark in sequence space
 * and nothing else: no byte of the stream moves (the rig compares each by its place), and the user is told at
 * most once for each advance of the mark.
 */
#include "support/rig.h"

#define UPS 6u

static uint16_t pointer_of(unsigned which, uint32_t length)
{
    const uint32_t all[UPS] = {0, 1, length - 1, length, length + 1, 65535};
    return (uint16_t)all[which];
}

/* What a run has shown so far: the mark by 64-bit arithmetic, and how often the user was told. */
struct told {
    uint64_t mark; /* stream position behind the last urgent octet that was announced; 0 = none */
    unsigned advances, signals;
};

/* The user may only be told if this segment is one whose URG counts, and the mark went on. */
static void watch(struct rig *r, struct told *told, const struct segment *seg)
{
    bool signalled = (rig_ready(r) & ESTAB_URGENT_MARK) != 0;
    uint64_t mark = (uint64_t)seg->seq + seg->up;
    bool advance = mark > told->mark;
    if (advance) {
        told->mark = mark;
        told->advances++;
    }
    told->signals += signalled;
    assert_true(!signalled || advance);
    assert_true(told->signals <= told->advances);
    if (rig_status(r).urgent) {
        assert_in_range(rig_status(r).urgent_ahead, 1, 65535 + 3 * 1460);
    }
}

/* Three segments: in order, the same numbers again, and one back: text of `length` each. */
static void try_pointers(enum place place, uint32_t length, const unsigned which[3])
{
    struct rig *r = rig_at(place);
    struct told told = {0, 0, 0};
    uint32_t seq = places[place].rcv_nxt;
    uint32_t ack = places[place].state < ESTAB_ESTABLISHED ? 1 : places[place].snd_nxt;
    rig_ready(r);
    for (unsigned i = 0; i < 3; i++) {
        struct segment seg = {.flags = ACK | URG, .seq = seq, .ack = ack, .length = length};
        seg.up = pointer_of(which[i], length);
        rig_inject(r, &seg, __FILE__, __LINE__);
        watch(r, &told, &seg);
        rig_discard(r);
        bool taken =
            rig_status(r).state >= ESTAB_ESTABLISHED && rig_status(r).rcv_nxt == r->irs + seq + length;
        seq += taken && i != 1 ? length : 0;
    }
    rig_read(r, 100000); /* checks every byte by its place */
    rig_discard(r);
    rig_stop(r);
}

/*
 * V-03: URG with pointers {0, 1, len - 1, len, len + 1, 65535} x text of {0, 1, MSS} x all states, in every
 * sequence of three, repeated and backward: the stream is unchanged, at most one signal for each advance.
 */
static void v03_pointers_anywhere_in_every_state(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, MSS};
    for (enum place place = AT_CLOSED; place < PLACES; place++) {
        for (unsigned i = 0; i < 3; i++) {
            for (unsigned run = 0; run < UPS * UPS * UPS; run += ESTAB_TEST_SLOW ? 7 : 1) {
                const unsigned which[3] = {run % UPS, run / UPS % UPS, run / UPS / UPS};
                try_pointers(place, lengths[i], which);
            }
        }
    }
}

/*
 * V-03: a mark that runs ahead of all text, behind gaps and over the wrap, while the user reads: nothing
 * underflows.
 */
static void v03_a_mark_far_ahead_never_touches_what_is_read(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (unsigned run = 0; run < (ESTAB_TEST_SLOW ? 20 : 200); run++) {
        struct rig *r = rig_at(AT_ESTABLISHED);
        uint32_t nxt = 1;
        for (unsigned i = 0; i < 40; i++) {
            uint32_t length = rig_random(&seed) % 200;
            uint32_t gap = rig_random(&seed) % 3 == 0 ? rig_random(&seed) % 300 : 0;
            inject(r, .flags = ACK | URG, .seq = nxt + gap, .ack = 1, .length = length,
                   .up = (uint16_t)(rig_random(&seed) % 2 ? 65535 : rig_random(&seed)));
            rig_discard(r);
            nxt = rig_status(r).rcv_nxt - r->irs;
            if (i % 4 == 3) {
                rig_read(r, rig_random(&seed) % 500);
                rig_discard(r);
            }
        }
        rig_read(r, 100000);
        rig_discard(r);
        assert_true(rig_status(r).receive_queued == 0);
        rig_stop(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v03_pointers_anywhere_in_every_state),
        cmocka_unit_test(v03_a_mark_far_ahead_never_touches_what_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
