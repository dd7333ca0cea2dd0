/*
 * Windows that open drop by drop (the silly window syndrome; RFC 9293 3.8.6.2, RFC 1122 4.2.3.3 and 4.2.3.4,
 * RFC 896): row V-40. Whatever a peer's window does, the number of segments that we send is bounded by the
 * bytes that it took, in pieces of half a segment, plus the probes of a closed window; and we open our own
 * window in pieces of a segment, however our reader reads.
 */
#include "support/rig.h"

#define TOTAL  (10u << 20)
#define ROUNDS (ESTAB_TEST_SLOW ? 2000u : 40000u)
#define RTT    (10 * MS)

/* What has gone out until now is acknowledged; returns the highest byte that did. */
static uint32_t take_all(struct rig *r, uint32_t top, uint32_t *segments)
{
    struct segment sent;
    while (rig_take(r, &sent)) {
        *segments += sent.length > 0;
        top = sent.seq + sent.length > top ? sent.seq + sent.length : top;
    }
    return top;
}

/* V-40: the window opens by `step` bytes in each round trip, behind an honest beginning. */
static void dribble(uint32_t step, int32_t first)
{
    struct rig_options options;
    rig_defaults(&options);
    options.config.send_buffer = TOTAL;
    options.memory = (size_t)TOTAL * 3 / 2;
    struct rig *r = rig_start(&options);
    r->unchecked = true;
    r->wnd = first;
    rig_reach(r, AT_ESTABLISHED);
    rig_send(r, TOTAL, 0);
    uint32_t segments = 0;
    uint32_t acked = take_all(r, 1, &segments);
    uint32_t edge = acked;
    inject(r, .flags = ACK, .seq = 1, .ack = acked, .wnd = WND_ZERO);
    segments = 0;
    uint64_t probes = rig_counters(r).window_probes;
    uint64_t timeouts = rig_counters(r).timeouts_retransmit;
    uint32_t begun = acked;
    for (uint32_t i = 0; i < ROUNDS && edge - begun < TOTAL / 2; i++) {
        edge += step;
        int32_t wnd = (int32_t)(edge - acked);
        inject(r, .flags = ACK, .seq = 1, .ack = acked, .wnd = wnd > 0 ? wnd : WND_ZERO);
        acked = take_all(r, acked, &segments);
        edge = acked > edge ? acked : edge;
        advance(r, RTT);
        acked = take_all(r, acked, &segments);
        edge = acked > edge ? acked : edge;
    }
    uint32_t piece = (uint32_t)first / 2 < MSS / 2 ? (uint32_t)first / 2 : MSS / 2;
    probes = rig_counters(r).window_probes - probes;
    timeouts = rig_counters(r).timeouts_retransmit - timeouts;
    assert_true(acked > begun);
    assert_true(segments <= (acked - begun) / piece + 1 + probes + timeouts);
    /* at most a probe for each 200 ms, the least RTO; mostly far fewer */
    assert_true(probes + timeouts <= (uint64_t)ROUNDS * RTT / (200 * MS) + 1);
    assert_null(estab_check(r->stack));
    rig_abort(r);
    rig_discard(r);
    rig_stop(r);
}

/* V-40 */
static void v40_window_that_opens_by_a_few_bytes_brings_no_small_segments(void **state)
{
    (void)state;
    static const uint32_t steps[] = {1, 2, 7, 100, 729};
    for (unsigned i = 0; i < 5; i++) {
        dribble(steps[i], PEER_WND);
    }
    dribble(1, 3000);
}

/* V-40: the peer never shows more than `most` bytes of window: half of that is what we wait for. */
static void v40_window_that_was_never_large(void **state)
{
    (void)state;
    static const int32_t most[] = {100, 500, 1000};
    for (unsigned i = 0; i < 3; i++) {
        dribble(1, most[i]);
    }
}

/* V-40, MUST-39: our reader takes a byte at a time; the window opens by a segment or half the buffer. */
static void v40_reader_that_dribbles_opens_the_window_in_pieces(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    struct segment sent;
    uint32_t at = 1;
    r->unchecked = true;
    while (at + MSS <= 1 + RCV_BUFFER) {
        inject(r, .flags = ACK, .seq = at, .ack = 1, .length = MSS);
        rig_discard(r);
        at += MSS;
    }
    inject(r, .flags = ACK, .seq = at, .ack = 1, .length = 1 + RCV_BUFFER - at);
    rig_discard(r);
    uint32_t updates = 0;
    int32_t last = 0;
    for (uint32_t i = 0; i < RCV_BUFFER; i++) {
        assert_int_equal(rig_read(r, 1), 1);
        while (rig_take(r, &sent)) {
            assert_true(sent.wnd - last >= (int32_t)MSS);
            last = sent.wnd;
            updates++;
        }
    }
    assert_in_range(updates, 2, RCV_BUFFER / MSS);
    rig_stop(r);
}

/* V-40, MUST-17: our writer writes a byte at a time: Nagle makes segments of it. */
static void v40_writer_that_dribbles_sends_segments_a_round_trip(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    uint32_t segments = 0;
    uint32_t acked = 1;
    r->unchecked = true;
    for (uint32_t i = 0; i < 10000; i++) {
        rig_send(r, 1, 0);
        if (i % 10 == 9) { /* a round trip is as long as ten writes */
            acked = take_all(r, acked, &segments);
            inject(r, .flags = ACK, .seq = 1, .ack = acked);
        }
        acked = take_all(r, acked, &segments);
    }
    assert_true(segments <= 10000 / 10 + 2);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v40_window_that_opens_by_a_few_bytes_brings_no_small_segments),
        cmocka_unit_test(v40_window_that_was_never_large),
        cmocka_unit_test(v40_reader_that_dribbles_opens_the_window_in_pieces),
        cmocka_unit_test(v40_writer_that_dribbles_sends_segments_a_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
