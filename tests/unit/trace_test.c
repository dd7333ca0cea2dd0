/*
 * Unit tests of the trace: the ring itself, and what a stack writes into it for a connection's life
 * (estab/trace.h).
 */
#include "tcp/trace.h"

#include "support/rig.h"

static void ring_keeps_the_order_and_counts_what_is_lost(void **state)
{
    (void)state;
    struct estab_trace records[3], out[8];
    uint64_t lost = 0;
    struct trace_ring ring;
    trace_init(&ring, records, 3, &lost);
    assert_true(trace_on(&ring));
    uint64_t next = 1, seen = 1;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < round % 5; i++) {
            struct estab_trace *record = trace_add(&ring, next, ESTAB_TRACE_TIMER);
            assert_int_equal(record == NULL, ring.count == 3 && i >= 3);
            next += record != NULL;
        }
        unsigned n = trace_pull(&ring, out, 8);
        assert_int_equal(n, round % 5 > 3 ? 3 : round % 5);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(out[i].time_ns, seen++);
        }
    }
    assert_int_equal(lost, 4);
    trace_init(&ring, NULL, 0, &lost);
    assert_false(trace_on(&ring));
    assert_int_equal(trace_pull(&ring, out, 8), 0);
}

static void record_names_who_it_is_about(void **state)
{
    (void)state;
    struct estab_trace records[1], out;
    uint64_t lost = 0;
    struct trace_ring ring;
    memset(records, 0xa5, sizeof records);
    trace_init(&ring, records, 1, &lost);
    ring.who.conn = 77;
    ring.who.local.port = 80;
    assert_non_null(trace_add(&ring, 5, ESTAB_TRACE_DROP));
    assert_int_equal(trace_pull(&ring, &out, 1), 1);
    assert_int_equal(out.conn, 77);
    assert_int_equal(out.local.port, 80);
    assert_int_equal(out.kind, ESTAB_TRACE_DROP);
    assert_int_equal(out.state, 0);
    assert_int_equal(out.segment.seq, 0);
}

static struct rig *traced(void)
{
    struct rig_options options;
    rig_defaults(&options);
    options.config.trace_records = 64;
    return rig_start(&options);
}

/* The arrival stands before the arrows that it takes, and these before what is sent. */
static void connection_tells_segments_and_arrows_in_order(void **state)
{
    (void)state;
    struct rig *r = traced();
    struct estab_trace t[64];
    rig_reach(r, AT_ESTABLISHED);
    unsigned n = rig_trace(r, t, 64);
    assert_int_equal(n, 5);
    struct estab_transition arrow;
    assert_int_equal(t[0].kind, ESTAB_TRACE_STATE);
    assert_true(estab_transition(t[0].transition, &arrow));
    assert_string_equal(arrow.event_id, "ACTIVE_OPEN");
    assert_int_equal(t[1].kind, ESTAB_TRACE_SEGMENT_OUT);
    assert_int_equal(t[1].reason, ESTAB_REASON_SYN);
    assert_int_equal(t[1].segment.seq, OUR_ISN);
    assert_int_equal(t[1].segment.flags, SYN);
    assert_int_equal(t[1].segment.mss, 1460);
    assert_int_equal(t[2].kind, ESTAB_TRACE_SEGMENT_IN);
    assert_int_equal(t[2].segment.seq, PEER_ISN);
    assert_int_equal(t[2].segment.ack, OUR_ISN + 1);
    assert_int_equal(t[2].state, ESTAB_SYN_SENT);
    assert_int_equal(t[2].state_after, ESTAB_ESTABLISHED);
    assert_int_equal(t[2].drop, 0);
    assert_int_equal(t[3].kind, ESTAB_TRACE_STATE);
    assert_int_equal(t[3].state, ESTAB_SYN_SENT);
    assert_int_equal(t[3].state_after, ESTAB_ESTABLISHED);
    assert_int_equal(t[4].kind, ESTAB_TRACE_SEGMENT_OUT);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(t[i].conn, r->conn);
        assert_int_equal(t[i].local.port, LOCAL_PORT);
        assert_int_equal(t[i].remote.port, PEER_PORT);
        assert_int_equal(t[i].time_ns, r->now);
    }
    rig_stop(r);
}

static void dropped_segment_and_timer_are_told_with_their_reason(void **state)
{
    (void)state;
    struct rig *r = traced();
    struct estab_trace t[64];
    rig_reach(r, AT_ESTABLISHED);
    rig_trace(r, t, 64);
    inject(r, .flags = RST, .seq = 0x80000000);
    assert_int_equal(rig_trace(r, t, 64), 1);
    assert_int_equal(t[0].kind, ESTAB_TRACE_SEGMENT_IN);
    assert_int_equal(t[0].drop, ESTAB_DROP_RST_WINDOW);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .bad_checksum = true);
    assert_int_equal(rig_trace(r, t, 64), 1);
    assert_int_equal(t[0].kind, ESTAB_TRACE_DROP);
    assert_int_equal(t[0].drop, ESTAB_DROP_TCP_CHECKSUM);
    rig_send(r, 10, 0);
    rig_discard(r);
    rig_trace(r, t, 64);
    advance_to_next(r, SECOND);
    rig_discard(r);
    assert_int_equal(rig_trace(r, t, 64), 2);
    assert_int_equal(t[0].kind, ESTAB_TRACE_TIMER);
    assert_int_equal(t[0].timer, ESTAB_TIMER_RETRANSMIT);
    assert_int_equal(t[1].reason, ESTAB_REASON_RETRANSMIT_TIMEOUT);
    assert_int_equal(t[1].segment.length, 10);
    rig_stop(r);
}

/* Every arrow of the table that a trace can bring about is told as the table has it. */
static void time_wait_tells_its_end(void **state)
{
    (void)state;
    struct rig *r = traced();
    struct estab_trace t[64];
    struct estab_transition arrow;
    rig_reach(r, AT_TIME_WAIT);
    rig_trace(r, t, 64);
    advance(r, 60 * SECOND);
    unsigned n = rig_trace(r, t, 64);
    assert_true(n >= 1);
    assert_int_equal(t[n - 1].kind, ESTAB_TRACE_STATE);
    assert_true(estab_transition(t[n - 1].transition, &arrow));
    assert_string_equal(arrow.event_id, "TIMEOUT_2MSL");
    assert_int_equal(t[n - 1].state_after, ESTAB_CLOSED);
    rig_stop(r);
}

static void records_that_are_not_pulled_are_counted(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.trace_records = 2;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    assert_int_equal(rig_counters(r).trace_lost, 3);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_keeps_the_order_and_counts_what_is_lost),
        cmocka_unit_test(record_names_who_it_is_about),
        cmocka_unit_test(connection_tells_segments_and_arrows_in_order),
        cmocka_unit_test(dropped_segment_and_timer_are_told_with_their_reason),
        cmocka_unit_test(time_wait_tells_its_end),
        cmocka_unit_test(records_that_are_not_pulled_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
