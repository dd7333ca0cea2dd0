/*
 * Sequence arithmetic at values that are 2^31 apart (RFC 9293 3.4): the SACK bug that OpenBSD carried for 27
 * years made impossible pairs true by a signed compare, smoltcp's receive queue lost text at the edges. Here
 * every number that a peer may choose is put at the edges of what was sent and of the window, of half of the
 * space and of all of it, with initial numbers near 0, 2^31 and 2^32; what is right is said in 64-bit
 * positions of the stream.
 */
#include "base/seq.h"
#include "support/rig.h"

#define EDGES 72u
#define SENT  8760u

static const uint32_t isns[] = {0x10, 0x7ffffff0, 0x80000000, 0xfffffff4};

/*
 * Offsets from SND.UNA or RCV.NXT: around nothing, a segment, what is in flight, a window, and half of the
 * space.
 */
static unsigned fill_edges(int64_t out[EDGES])
{
    static const int64_t middles[] = {0,     1460, SENT, RCV_BUFFER, INT64_C(1) << 31, -(INT64_C(1) << 31),
                                      -1460, -8760};
    for (unsigned i = 0; i < EDGES; i++) {
        out[i] = middles[i / 9] + (int64_t)(i % 9) - 4;
    }
    return EDGES;
}

/* V-13: the one file of the arithmetic: every predicate over every pair of edges, as 64-bit positions say. */
static void v13_each_predicate_against_64_bits(void **state)
{
    (void)state;
    int64_t edges[EDGES];
    fill_edges(edges);
    for (unsigned n = 0; n < 4; n++) {
        for (unsigned i = 0; i < EDGES * EDGES; i++) {
            int64_t a = edges[i / EDGES], b = edges[i % EDGES];
            tcp_seq sa = seq_of(isns[n] + (uint32_t)a), sb = seq_of(isns[n] + (uint32_t)b);
            int64_t distance = a - b;
            bool ordered = distance < INT64_C(1) << 31 && distance > -(INT64_C(1) << 31);
            assert_int_equal(seq_eq(sa, sb), (distance & 0xffffffff) == 0);
            assert_true(!ordered || seq_lt(sa, sb) == (a < b));
            assert_true(!ordered || seq_leq(sa, sb) == (a <= b));
            assert_true(!ordered || seq_gt(sa, sb) == (a > b));
            assert_true(!ordered || seq_geq(sa, sb) == (a >= b));
            int64_t behind = distance & 0xffffffff; /* the position of a in the one circle that begins at b */
            assert_int_equal(seq_in_window(sa, sb, RCV_BUFFER), behind < RCV_BUFFER);
            assert_int_equal(seq_between(sb, sa, seq_add(sb, SENT)), behind <= SENT);
            assert_int_equal(seq_diff(sa, sb), behind);
        }
    }
}

static struct rig *rig_of(uint32_t iss, uint32_t irs)
{
    struct rig_options options;
    rig_defaults(&options);
    options.sack = true;
    options.iss = iss;
    struct rig *r = rig_start(&options);
    r->irs = irs;
    r->unchecked = true; /* estab_check() after rounds of many segments */
    rig_reach(r, AT_ESTABLISHED);
    return r;
}

static void check(struct rig *r)
{
    const char *wrong = estab_check(r->stack);
    if (wrong != NULL) {
        fail_msg("estab_check: %s", wrong);
    }
}

/* ---- SACK ---- */

/* Blocks of text that is in flight are facts; everything else must be as if it had not been there. */
static bool block_true(int64_t left, int64_t right)
{
    return left > 0 && left < right && right <= (int64_t)SENT;
}

static void expect_same(struct rig *r, struct rig *twin)
{
    struct segment a, b;
    while (rig_take(r, &a)) {
        assert_true(rig_take(twin, &b));
        assert_int_equal(a.seq, b.seq);
        assert_int_equal(a.length, b.length);
        assert_int_equal(a.flags, b.flags);
    }
    assert_false(rig_take(twin, &b));
    struct estab_status now = rig_status(r), then = rig_status(twin);
    assert_int_equal(now.snd_una, then.snd_una);
    assert_int_equal(now.snd_nxt, then.snd_nxt);
    assert_int_equal(now.cwnd, then.cwnd);
    assert_int_equal(now.ssthresh, then.ssthresh);
    assert_int_equal(now.bytes_in_flight, then.bytes_in_flight);
    assert_int_equal(now.in_recovery, then.in_recovery);
    assert_int_equal(now.send_queued, then.send_queued);
}

/* One ACK with these blocks, and for the twin only with those that 64 bits call true. */
static void try_blocks(struct rig *r, struct rig *twin, const int64_t blocks[4][2], unsigned count)
{
    struct segment all = {.flags = ACK, .seq = 1, .ack = 1};
    struct segment real = all;
    for (unsigned i = 0; i < count; i++) {
        uint32_t left = 1 + (uint32_t)blocks[i][0], right = 1 + (uint32_t)blocks[i][1];
        all.sack[all.sack_count][0] = left;
        all.sack[all.sack_count++][1] = right;
        if (block_true(blocks[i][0], blocks[i][1])) {
            real.sack[real.sack_count][0] = left;
            real.sack[real.sack_count++][1] = right;
        }
    }
    rig_inject(r, &all, __FILE__, __LINE__);
    rig_inject(twin, &real, __FILE__, __LINE__);
    expect_same(r, twin);
}

static void try_edges(uint32_t isn)
{
    int64_t edges[EDGES];
    uint64_t seed = isn;
    fill_edges(edges);
    struct rig *r = rig_of(isn, PEER_ISN), *twin = rig_of(isn, PEER_ISN);
    rig_send(r, SENT, 0);
    rig_send(twin, SENT, 0);
    expect_same(r, twin);
    for (unsigned i = 0; i < EDGES * EDGES; i += ESTAB_TEST_SLOW ? 7 : 1) {
        for (unsigned count = 1; count <= 4; count++) {
            int64_t blocks[4][2];
            for (unsigned b = 0; b < 4; b++) {
                unsigned pair = b == 0 ? i : rig_random(&seed) % (EDGES * EDGES);
                blocks[b][0] = edges[pair / EDGES];
                blocks[b][1] = edges[pair % EDGES];
            }
            try_blocks(r, twin, (const int64_t(*)[2])blocks, count);
        }
        if (i % 64 == 0) {
            check(r);
        }
    }
    inject(r, .flags = ACK, .seq = 1, .ack = 1 + SENT);
    inject(twin, .flags = ACK, .seq = 1, .ack = 1 + SENT);
    expect_same(r, twin);
    assert_int_equal(rig_status(r).send_queued, 0);
    rig_stop(r);
    rig_stop(twin);
}

/*
 * V-13: all pairs of 72 edges in {UNA - 2^31 .. UNA + 2^31} as a SACK block, alone and with up to three
 * others, ISN near 0, 2^31 and 2^32: the same result as for a twin that is told only what 64-bit arithmetic
 * calls possible, and every invariant.
 */
static void v13_sack_edges_anywhere(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        try_edges(isns[n]);
    }
}

/* ---- ACK ---- */

/*
 * V-13: SEG.ACK at every edge: text is acknowledged only where UNA < ACK <= NXT in 64 bits (RFC 9293
 * 3.10.7.4).
 */
static void v13_ack_edges_anywhere(void **state)
{
    (void)state;
    int64_t edges[EDGES];
    fill_edges(edges);
    for (unsigned n = 0; n < 4; n++) {
        for (unsigned i = 0; i < EDGES; i++) {
            struct rig *r = rig_of(isns[n], PEER_ISN);
            rig_send(r, SENT, 0);
            rig_discard(r);
            inject(r, .flags = ACK, .seq = 1, .ack = 1 + (uint32_t)edges[i]);
            rig_discard(r);
            check(r);
            bool advances = edges[i] > 0 && edges[i] <= (int64_t)SENT;
            assert_int_equal(rig_status(r).snd_una - r->iss[0] - 1, advances ? edges[i] : 0);
            rig_stop(r);
        }
    }
}

/* ---- SEQ ---- */

/* What a receiver of 64-bit positions holds: a flag for each byte of the window. */
struct receiver {
    int64_t nxt;
    bool held[2 * RCV_BUFFER];
};

static void receiver_take(struct receiver *m, int64_t from, uint32_t length, int64_t edge)
{
    for (int64_t at = from; at < from + (int64_t)length; at++) {
        if (at >= m->nxt && at < edge) {
            m->held[at] = true;
        }
    }
    while (m->held[m->nxt]) {
        m->nxt++;
    }
}

static int64_t receiver_ahead(const struct receiver *m)
{
    int64_t count = 0;
    for (int64_t at = m->nxt; at < 2 * (int64_t)RCV_BUFFER; at++) {
        count += m->held[at];
    }
    return count;
}

static void try_text(struct rig *r, struct receiver *m, int64_t from, uint32_t length)
{
    int64_t edge = m->nxt + rig_status(r).rcv_wnd;
    bool acceptable = from < edge && from + (int64_t)length > m->nxt && length > 0;
    inject(r, .flags = ACK, .seq = 1 + (uint32_t)from, .ack = 1, .length = length);
    if (acceptable) {
        receiver_take(m, from, length, edge);
    }
    struct segment sent;
    while (rig_take(r, &sent)) {
        for (unsigned i = 0; i < sent.sack_count; i++) { /* what is told is held, or a duplicate of it */
            uint32_t left = sent.sack[i][0] - 1, right = sent.sack[i][1] - 1;
            assert_in_range(right - left, 1,
                            RCV_BUFFER); /* the first may be a duplicate, which lies anywhere */
            assert_true(i == 0 || (left < right && right <= 2 * RCV_BUFFER));
            for (uint32_t at = left; at < right && i > 0; at++) {
                assert_true(m->held[at]);
            }
        }
    }
    assert_int_equal(rig_status(r).rcv_nxt - r->irs - 1, m->nxt);
    assert_int_equal(rig_status(r).receive_ahead, receiver_ahead(m));
}

/*
 * V-13: text at every edge of the window and of the space, of several lengths: the bytes that 64 bits say are
 * held.
 */
static void v13_text_edges_anywhere(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1, 7, 1460};
    int64_t edges[EDGES];
    fill_edges(edges);
    for (unsigned n = 0; n < 4; n++) {
        struct receiver *m = calloc(1, sizeof *m);
        struct rig *r = rig_of(OUR_ISN, isns[n]);
        for (unsigned i = 0; i < EDGES * 3; i++) {
            unsigned pick = (i * 31) % (EDGES * 3); /* not in order */
            int64_t from = edges[pick / 3];
            if (m->nxt + RCV_BUFFER + 1460 < 2 * (int64_t)RCV_BUFFER) {
                from += i % 2 ? m->nxt : 0;
            }
            try_text(r, m, from, lengths[pick % 3]);
            check(r);
        }
        rig_read(r, 100000); /* and every byte is the right one */
        rig_discard(r);
        rig_stop(r);
        free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v13_each_predicate_against_64_bits),
        cmocka_unit_test(v13_sack_edges_anywhere),
        cmocka_unit_test(v13_ack_edges_anywhere),
        cmocka_unit_test(v13_text_edges_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
