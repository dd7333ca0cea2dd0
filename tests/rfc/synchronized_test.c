/*
 * SEGMENT ARRIVES in SYN-RECEIVED to TIME-WAIT (RFC 9293 3.10.7.4): sequence numbers, RST and SYN, one test
 * for each rule of the table of states and events, whose id stands before it, over all states that it names.
 * A segment in, the segment out and nothing else. ACK, URG, text and FIN are text_test.c.
 */
#include "support/rig.h"

#define EDGE (1 + RCV_BUFFER) /* the right edge of the window in every place */

/* What is answered where a segment only shows that somebody does not know the state. */
#define expect_ack(r, place) \
    expect(r, .flags = ACK, .seq = places[place].snd_nxt, .ack = places[place].rcv_nxt)

/* A window that is full: text up to its right edge was taken and nobody reads. */
static struct rig *with_closed_window(enum place place)
{
    struct rig_options options;
    rig_defaults(&options);
    options.config.receive_buffer = 2000;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1000);
    inject(r, .flags = ACK, .seq = 1001, .ack = 1, .length = 1000);
    expect(r, .flags = ACK, .seq = 1, .ack = 2001, .wnd = WND_ZERO);
    if (place != AT_ESTABLISHED) {
        rig_shutdown(r);
        expect(r, .flags = FIN | ACK, .seq = 1, .ack = 2001, .wnd = WND_ZERO);
    }
    if (place == AT_FIN_WAIT_2) {
        inject(r, .flags = ACK, .seq = 2001, .ack = 2);
    }
    expect_state(r, places[place].state);
    return r;
}

static const enum place receiving[] = {AT_ESTABLISHED, AT_FIN_WAIT_1, AT_FIN_WAIT_2};

/* F-SEQ-1 */
static void zero_window_empty_segment_only_at_rcv_nxt(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct rig *r = with_closed_window(receiving[i]);
        uint32_t nxt = places[receiving[i]].snd_nxt;
        uint32_t una = places[receiving[i]].snd_una;
        inject(r, .flags = ACK, .seq = 2001, .ack = una);
        expect_nothing(r);
        inject(r, .flags = ACK, .seq = 2002, .ack = una);
        expect(r, .flags = ACK, .seq = nxt, .ack = 2001, .wnd = WND_ZERO);
        inject(r, .flags = ACK, .seq = 2000, .ack = una);
        expect(r, .flags = ACK, .seq = nxt, .ack = 2001, .wnd = WND_ZERO);
        rig_stop(r);
    }
}

/* F-SEQ-2, O-17 */
static void empty_segment_anywhere_in_the_window(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place < PLACES; place++) {
        struct rig *r = rig_at(place);
        uint32_t nxt = places[place].rcv_nxt;
        uint32_t una = place <= AT_SYN_RECEIVED_ACTIVE ? 1 : places[place].snd_una;
        inject(r, .flags = ACK, .seq = nxt - 1, .ack = una);
        expect_ack(r, place);
        inject(r, .flags = ACK, .seq = EDGE, .ack = una);
        expect_ack(r, place);
        inject(r, .flags = ACK, .seq = nxt + 0x80000000, .ack = una);
        expect_ack(r, place);
        assert_int_equal(r->drop, ESTAB_DROP_SEQUENCE);
        inject(r, .flags = ACK, .seq = nxt, .ack = una);
        expect_nothing(r);
        if (place != AT_TIME_WAIT) { /* there all but a FIN is old news */
            inject(r, .flags = ACK, .seq = EDGE - 1, .ack = una);
            expect_nothing(r);
        }
        rig_stop(r);
    }
}

/* F-SEQ-3, MUST-66, U-13: no text is taken, but what stands at RCV.NXT is heard. */
static void zero_window_text_is_refused_but_its_ack_counts(void **state)
{
    (void)state;
    struct rig *r = with_closed_window(AT_ESTABLISHED);
    rig_send(r, 100, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 2001, .length = 100);
    inject(r, .flags = ACK, .seq = 2001, .ack = 101, .length = 50);
    expect(r, .flags = ACK, .seq = 101, .ack = 2001, .wnd = WND_ZERO);
    assert_int_equal(rig_status(r).snd_una, OUR_ISN + 101);
    assert_int_equal(rig_status(r).receive_queued, 2000);
    inject(r, .flags = ACK, .seq = 2002, .ack = 101, .length = 50);
    expect(r, .flags = ACK, .seq = 101, .ack = 2001, .wnd = WND_ZERO);
    rig_stop(r);
}

/* F-SEQ-3, MUST-66 */
static void zero_window_rst_and_urg_are_honoured(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct rig *r = with_closed_window(receiving[i]);
        rig_ready(r);
        inject(r, .flags = ACK | URG, .seq = 2001, .ack = places[receiving[i]].snd_una, .up = 10);
        expect_nothing(r);
        assert_true(rig_ready(r) & ESTAB_URGENT_MARK);
        inject(r, .flags = RST, .seq = 2001);
        expect_nothing(r);
        expect_state(r, ESTAB_CLOSED);
        rig_stop(r);
    }
}

/* F-SEQ-4 */
static void text_needs_its_first_or_last_octet_in_the_window(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 0u - 9, .ack = 1, .length = 10); /* ends at 0: old */
    expect_ack(r, AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = EDGE, .ack = 1, .length = 10);
    expect_ack(r, AT_ESTABLISHED);
    assert_int_equal(rig_status(r).receive_ahead, 0);
    inject(r, .flags = ACK, .seq = EDGE - 1, .ack = 1, .length = 10); /* its first octet is in */
    expect_ack(r, AT_ESTABLISHED);
    assert_int_equal(rig_status(r).receive_ahead, 1);
    inject(r, .flags = ACK, .seq = 0u - 9, .ack = 1, .length = 11); /* its last octet is in */
    expect(r, .flags = ACK, .seq = 1, .ack = 2); /* at once: more is held ahead (RFC 5681 4.2) */
    assert_int_equal(rig_read(r, 100), 1);
    rig_stop(r);
}

/* F-SEQ-5, O-17 */
static void unacceptable_text_is_acknowledged_and_dropped(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place < PLACES; place++) {
        static const uint32_t away[] = {EDGE, EDGE + 1, 0x80000000, 0x80000002, 0u - 100};
        struct rig *r = rig_at(place);
        for (unsigned i = 0; i < 5; i++) {
            inject(r, .flags = ACK | PSH, .seq = away[i], .ack = places[place].snd_nxt, .length = 20);
            expect_ack(r, place);
            expect_nothing(r);
        }
        expect_state(r, places[place].state);
        rig_stop(r);
    }
}

/* R5961-06, F-SEQ-6, F-RST-1, O-01, U-3 */
static void rst_outside_the_window_is_dropped_in_silence(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place < PLACES; place++) {
        uint32_t nxt = places[place].rcv_nxt;
        const uint32_t away[] = {nxt - 1,         EDGE, EDGE + 1, nxt + 0x80000000, nxt + 0x7fffffff,
                                 nxt + 0x80000001};
        struct rig *r = rig_at(place);
        for (unsigned i = 0; i < 6; i++) {
            inject(r, .flags = RST, .seq = away[i]);
            inject(r, .flags = RST | ACK, .seq = away[i], .ack = places[place].snd_nxt);
            inject(r, .flags = RST | ACK | SYN, .seq = away[i], .ack = places[place].snd_nxt);
            expect_nothing(r);
            expect_state(r, places[place].state);
        }
        rig_stop(r);
    }
}

/* F-SEQ-7 */
static void straddling_text_is_trimmed_on_the_left(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 20);
    inject(r, .flags = ACK, .seq = 11, .ack = 1, .length = 20);
    assert_int_equal(rig_status(r).rcv_nxt, PEER_ISN + 31);
    assert_int_equal(rig_read(r, 100), 30);
    rig_discard(r);
    rig_stop(r);
}

/* F-SEQ-7: beyond the right edge text and FIN are cut off, and the FIN does not count. */
static void straddling_text_is_trimmed_on_the_right_with_its_fin(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.receive_buffer = 1000;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    inject(r, .flags = ACK | FIN, .seq = 1, .ack = 1, .length = 1010);
    expect(r, .flags = ACK, .seq = 1, .ack = 1001, .wnd = WND_ZERO);
    expect_state(r, ESTAB_ESTABLISHED);
    assert_int_equal(rig_status(r).receive_queued, 1000);
    inject(r, .flags = ACK | FIN, .seq = 991, .ack = 1, .length = 10); /* exactly the FIN lies beyond */
    expect(r, .flags = ACK, .seq = 1, .ack = 1001, .wnd = WND_ZERO);
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

/*
 * MAY-13, R5681-13, F-SEQ-8, SHLD-31, MUST-59: held, a duplicate ACK at once; the segment that fills the gap
 * brings one ACK for all.
 */
static void text_ahead_of_a_gap_is_held(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .reason = ESTAB_REASON_ACK_DUPLICATE);
    inject(r, .flags = ACK, .seq = 301, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(rig_read(r, 1), -ESTAB_EAGAIN);
    inject(r, .flags = ACK, .seq = 201, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 401);
    expect_nothing(r);
    assert_int_equal(rig_read(r, 1000), 400);
    rig_stop(r);
}

/* F-SEQ-9, MAY-2: no timestamps: a SYN beyond RCV.NXT opens anew where somebody listens. */
static void time_wait_syn_beyond_opens_anew(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_TIME_WAIT);
    estab_conn old = r->conn;
    struct estab_addr local = rig_local(r, LOCAL_PORT);
    assert_int_equal(estab_open(r->stack, &r->listener), 0);
    assert_int_equal(estab_set(r->stack, r->now, r->listener, ESTAB_OPTION_REUSE_ADDRESS, 1), 0);
    assert_int_equal(estab_bind(r->stack, r->now, r->listener, &local), 0);
    assert_int_equal(estab_listen(r->stack, r->now, r->listener, 4), 0);
    inject(r, .flags = SYN, .seq = 2); /* = RCV.NXT: not beyond */
    expect_ack(r, AT_TIME_WAIT);
    inject(r, .flags = SYN, .seq = 1);
    expect_ack(r, AT_TIME_WAIT);
    inject(r, .flags = SYN | ACK, .seq = 100, .ack = 2); /* only a plain SYN */
    expect_ack(r, AT_TIME_WAIT);
    expect_state(r, ESTAB_TIME_WAIT);
    uint32_t before = r->iss[0];
    inject(r, .flags = SYN, .seq = 3);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 4);
    assert_true((int32_t)(r->iss[0] - (before + 2)) > 0); /* beyond what the old one sent */
    struct estab_status status;
    assert_int_equal(estab_status(r->stack, old, &status), 0);
    assert_int_equal(status.state, ESTAB_CLOSED);
    assert_int_equal(rig_counters(r).time_wait_reused, 1);
    inject(r, .flags = ACK, .seq = 4, .ack = 1);
    rig_accept(r);
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

/* F-SEQ-9: nobody listens. */
static void time_wait_syn_without_listener_is_acknowledged(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_TIME_WAIT);
    inject(r, .flags = SYN, .seq = 3);
    expect(r, .flags = ACK, .seq = 2, .ack = 2);
    expect_state(r, ESTAB_TIME_WAIT);
    rig_stop(r);
}

/* R5961-05, F-RST-2, O-03, U-5, R5961-04 */
static void rst_in_the_window_is_challenged(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place < AT_TIME_WAIT; place++) {
        uint32_t nxt = places[place].rcv_nxt;
        const uint32_t in[] = {nxt + 1, nxt + RCV_BUFFER / 2, EDGE - 1};
        struct rig *r = rig_at(place);
        for (unsigned i = 0; i < 3; i++) {
            inject(r, .flags = RST, .seq = in[i]);
            expect_ack(r, place);
            assert_int_equal(r->drop, ESTAB_DROP_RST_CHALLENGED);
            inject(r, .flags = RST | ACK, .seq = in[i], .ack = places[place].snd_nxt);
            expect_ack(r, place);
            expect_state(r, places[place].state);
        }
        assert_int_equal(rig_counters(r).challenge_acks, 6);
        rig_stop(r);
    }
}

/* MUST-11, F-RST-3, O-05: Figure 5, note 1 */
static void syn_received_passive_rst_returns_to_listen(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_RECEIVED_PASSIVE);
    rig_send(r, 10, 0);
    rig_ready(r);
    inject(r, .flags = RST, .seq = 1);
    expect_nothing(r);
    expect_state(r, ESTAB_LISTEN);
    assert_false(rig_ready(r) & (ESTAB_ERROR | ESTAB_CLOSED_BIT));
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    r->written = 0; /* the retransmission queue was flushed */
    inject(r, .flags = SYN, .seq = 500, .port = PEER_PORT + 1); /* somebody else is welcome */
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 501, .port = PEER_PORT + 1);
    inject(r, .flags = ACK, .seq = 501, .ack = 1, .port = PEER_PORT + 1);
    expect_nothing(r);
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

/* MUST-11, F-RST-4 */
static void syn_received_active_rst_refuses(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_RECEIVED_ACTIVE);
    inject(r, .flags = RST | ACK, .seq = 1, .ack = 1);
    expect_nothing(r);
    expect_state(r, ESTAB_CLOSED);
    assert_int_equal(rig_status(r).error, -ESTAB_ECONNREFUSED);
    assert_true(rig_ready(r) & ESTAB_ERROR);
    rig_stop(r);
}

/* R5961-03, U-4, F-RST-5, O-02, MUST-12, SHLD-2: also with text */
static void rst_at_rcv_nxt_resets(void **state)
{
    (void)state;
    static const enum place from[] = {AT_ESTABLISHED, AT_FIN_WAIT_1, AT_FIN_WAIT_2, AT_CLOSE_WAIT};
    for (unsigned i = 0; i < 8; i++) {
        enum place place = from[i / 2];
        struct rig *r = rig_at(place);
        inject(r, .flags = RST | (i & 1 ? ACK : 0), .seq = places[place].rcv_nxt, .ack = 1,
               .length = i & 1 ? 100 : 0);
        expect_nothing(r);
        expect_state(r, ESTAB_CLOSED);
        assert_int_equal(rig_status(r).error, -ESTAB_ECONNRESET);
        uint32_t changed = rig_ready(r);
        assert_true(changed & ESTAB_ERROR);
        assert_false(changed & ESTAB_PEER_CLOSED); /* not a normal close */
        assert_int_equal(estab_send(r->stack, r->now, r->conn, "x", 1, 0), -ESTAB_ECONNRESET);
        assert_int_equal(estab_send(r->stack, r->now, r->conn, "x", 1, 0), -ESTAB_EPIPE);
        assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
        assert_int_equal(rig_counters(r).resets_in, 1);
        rig_stop(r);
    }
}

/* F-RST-5: what was queued in both directions is gone. */
static void rst_flushes_the_queues(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    struct estab_memory memory;
    rig_send(r, 1000, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 1000);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100);
    inject(r, .flags = RST, .seq = 101);
    expect_nothing(r);
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.blocks_used, 0);
    assert_int_equal(rig_read(r, 100), -ESTAB_ECONNRESET);
    rig_stop(r);
}

/* F-RST-6 */
static void closing_and_last_ack_rst_closes_normally(void **state)
{
    (void)state;
    static const enum place from[] = {AT_CLOSING, AT_LAST_ACK};
    for (unsigned i = 0; i < 2; i++) {
        struct rig *r = rig_at(from[i]);
        inject(r, .flags = RST, .seq = 2);
        expect_nothing(r);
        expect_state(r, ESTAB_CLOSED);
        assert_int_equal(rig_status(r).error, 0);
        rig_stop(r);
    }
}

/* F-RST-6, O-06, R1337-01, O-37: TIME-WAIT ignores every RST, and its end does not move. */
static void time_wait_rst_is_ignored(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_TIME_WAIT);
    uint64_t end = estab_next_deadline(r->stack);
    assert_int_equal(end, r->now + 60 * SECOND);
    advance(r, 20 * SECOND);
    for (uint32_t seq = 0; seq < 5; seq++) {
        inject(r, .flags = RST, .seq = seq);
        inject(r, .flags = RST | ACK, .seq = seq, .ack = 2);
        expect_nothing(r);
    }
    assert_int_equal(estab_next_deadline(r->stack), end);
    advance(r, 40 * SECOND - 1);
    expect_state(r, ESTAB_TIME_WAIT);
    advance(r, 1);
    expect_state(r, ESTAB_CLOSED);
    rig_stop(r);
}

/* F-SYN-1: the identical SYN again: our SYN,ACK was lost. */
static void syn_received_same_syn_gets_the_syn_ack_again(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place <= AT_SYN_RECEIVED_ACTIVE; place++) {
        struct rig *r = rig_at(place);
        inject(r, .flags = SYN, .seq = 0);
        expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
        expect_state(r, ESTAB_SYN_RECEIVED);
        inject(r, .flags = ACK, .seq = 1, .ack = 1);
        expect_state(r, ESTAB_ESTABLISHED);
        rig_stop(r);
    }
}

/* F-SYN-1: another SYN is challenged, in the window and outside. */
static void syn_received_other_syn_is_challenged(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place <= AT_SYN_RECEIVED_ACTIVE; place++) {
        static const uint32_t seqs[] = {1, 2, 500, 0x80000000, 0xffffffff};
        struct rig *r = rig_at(place);
        for (unsigned i = 0; i < 5; i++) {
            inject(r, .flags = SYN, .seq = seqs[i]);
            expect_ack(r, place);
            expect_state(r, ESTAB_SYN_RECEIVED);
        }
        rig_stop(r);
    }
}

/* F-SYN-2, O-09, O-12, U-6, R5961-08 */
static void syn_is_challenged_wherever_it_lies(void **state)
{
    (void)state;
    for (enum place place = AT_ESTABLISHED; place < AT_TIME_WAIT; place++) {
        uint32_t nxt = places[place].rcv_nxt;
        const uint32_t seqs[] = {nxt, nxt + 1, EDGE - 1, EDGE, nxt - 1, 0, nxt + 0x80000000};
        struct rig *r = rig_at(place);
        uint32_t before = rig_status(r).rcv_nxt;
        for (unsigned i = 0; i < 7; i++) {
            inject(r, .flags = SYN, .seq = seqs[i]);
            expect_ack(r, place);
            inject(r, .flags = SYN | ACK, .seq = seqs[i], .ack = places[place].snd_nxt, .length = 10);
            expect_ack(r, place);
            inject(r, .flags = SYN | FIN | PSH | URG | ACK, .seq = seqs[i], .ack = 1, .length = 10, .up = 4);
            expect_ack(r, place);
            expect_state(r, places[place].state);
        }
        assert_int_equal(rig_status(r).rcv_nxt, before);
        assert_int_equal(rig_status(r).receive_queued, 0);
        assert_int_equal(rig_counters(r).challenge_acks, 21);
        rig_stop(r);
    }
}

/* O-10, R5961-09: a peer that restarted: challenge, its RST, and the next SYN succeeds. */
static void restarted_peer_opens_again(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    rig_listen(r, 5);
    inject(r, .flags = SYN, .seq = 0);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_accept(r);
    inject(r, .flags = SYN, .seq = 5000000);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    inject(r, .flags = RST, .seq = 1); /* a host without the connection answers so (F-CLOSED-3) */
    expect_state(r, ESTAB_CLOSED);
    rig_close(r);
    inject(r, .flags = SYN, .seq = 5000000);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 5000001);
    inject(r, .flags = ACK, .seq = 5000001, .ack = 1);
    rig_accept(r);
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_window_empty_segment_only_at_rcv_nxt),
        cmocka_unit_test(empty_segment_anywhere_in_the_window),
        cmocka_unit_test(zero_window_text_is_refused_but_its_ack_counts),
        cmocka_unit_test(zero_window_rst_and_urg_are_honoured),
        cmocka_unit_test(text_needs_its_first_or_last_octet_in_the_window),
        cmocka_unit_test(unacceptable_text_is_acknowledged_and_dropped),
        cmocka_unit_test(rst_outside_the_window_is_dropped_in_silence),
        cmocka_unit_test(straddling_text_is_trimmed_on_the_left),
        cmocka_unit_test(straddling_text_is_trimmed_on_the_right_with_its_fin),
        cmocka_unit_test(text_ahead_of_a_gap_is_held),
        cmocka_unit_test(time_wait_syn_beyond_opens_anew),
        cmocka_unit_test(time_wait_syn_without_listener_is_acknowledged),
        cmocka_unit_test(rst_in_the_window_is_challenged),
        cmocka_unit_test(syn_received_passive_rst_returns_to_listen),
        cmocka_unit_test(syn_received_active_rst_refuses),
        cmocka_unit_test(rst_at_rcv_nxt_resets),
        cmocka_unit_test(rst_flushes_the_queues),
        cmocka_unit_test(closing_and_last_ack_rst_closes_normally),
        cmocka_unit_test(time_wait_rst_is_ignored),
        cmocka_unit_test(syn_received_same_syn_gets_the_syn_ack_again),
        cmocka_unit_test(syn_received_other_syn_is_challenged),
        cmocka_unit_test(syn_is_challenged_wherever_it_lies),
        cmocka_unit_test(restarted_peer_opens_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
