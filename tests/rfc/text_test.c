/*
 * SEGMENT ARRIVES in SYN-RECEIVED to TIME-WAIT, continued (RFC 9293 3.10.7.4, fifth to eighth; 3.10.8): ACK,
 * URG, text and FIN, the timeouts, and the invariants of the table of rules, whose ids stand before the
 * tests.
 */
#include "support/rig.h"

#define expect_ack(r, place) \
    expect(r, .flags = ACK, .seq = places[place].snd_nxt, .ack = places[place].rcv_nxt)

static struct rig *with_config(const struct rig_options *options, enum place place)
{
    struct rig *r = rig_start(options);
    rig_reach(r, place);
    return r;
}

/* ---- ACK ---- */

/* F-ACK-0, O-16, U-11 */
static void segment_without_ack_is_dropped(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place < PLACES; place++) {
        struct rig *r = rig_at(place);
        uint32_t nxt = places[place].rcv_nxt;
        inject(r, .flags = 0, .seq = nxt);
        inject(r, .flags = PSH, .seq = nxt, .length = 50);
        inject(r, .flags = URG | PSH, .seq = nxt, .length = 50, .up = 50);
        if (place != AT_TIME_WAIT) { /* a FIN there is the peer's again, F-FIN-7 */
            inject(r, .flags = FIN, .seq = nxt);
            inject(r, .flags = FIN | PSH | URG, .seq = nxt, .length = 50, .up = 5);
        }
        expect_nothing(r);
        expect_state(r, places[place].state);
        assert_int_equal(rig_status(r).receive_queued, 0);
        rig_stop(r);
    }
}

/* MAY-12, F-ACK-1, F-ACK-6, O-13, O-14, U-7, R5961-11 */
static void ack_outside_the_plausible_range_is_answered_and_dropped(void **state)
{
    (void)state;
    static const enum place from[] = {AT_ESTABLISHED, AT_FIN_WAIT_1, AT_FIN_WAIT_2,
                                      AT_CLOSE_WAIT,  AT_CLOSING,    AT_LAST_ACK};
    for (unsigned i = 0; i < 6; i++) {
        enum place place = from[i];
        struct rig *r = rig_at(place);
        uint32_t nxt = places[place].snd_nxt;
        uint32_t oldest = places[place].snd_una - PEER_WND;
        const uint32_t acks[] = {nxt + 1, nxt + 0x7fffffff, nxt + 0x80000000, oldest - 1};
        uint32_t cwnd = rig_status(r).cwnd;
        for (unsigned k = 0; k < 4; k++) {
            inject(r, .flags = ACK | PSH, .seq = places[place].rcv_nxt, .ack = acks[k], .length = 30);
            expect_ack(r, place);
            assert_int_equal(r->drop, ESTAB_DROP_ACK_RANGE);
            expect_state(r, places[place].state);
        }
        assert_int_equal(rig_status(r).receive_queued, 0);
        assert_int_equal(rig_status(r).cwnd, cwnd);
        rig_stop(r);
    }
}

/* F-ACK-1, O-13, O-15: one within the range is old, and its text is taken. */
static void ack_at_the_edge_of_the_plausible_range_is_taken(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1u - PEER_WND, .length = 30, .wnd = 7);
    expect_nothing(r);
    assert_int_equal(rig_status(r).receive_queued, 30);
    assert_int_equal(rig_status(r).snd_una, OUR_ISN + 1);
    assert_int_equal(rig_status(r).snd_wnd, PEER_WND); /* the window of an old ACK is not taken */
    advance(r, 40 * MS);
    expect(r, .flags = ACK, .seq = 1, .ack = 31);
    rig_stop(r);
}

/* F-ACK-2 */
static void syn_received_ack_establishes(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place <= AT_SYN_RECEIVED_ACTIVE; place++) {
        struct rig *r = rig_at(place);
        rig_send(r, 10, 0);
        expect_nothing(r);
        inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .wnd = 1234, .length = 20);
        expect(r, .flags = ACK | PSH, .seq = 1, .ack = 21, .length = 10);
        struct estab_status s = rig_status(r);
        assert_int_equal(s.state, ESTAB_ESTABLISHED);
        assert_int_equal(s.snd_wnd, 1234);
        assert_int_equal(s.snd_wl1, PEER_ISN + 1);
        assert_int_equal(s.snd_wl2, OUR_ISN + 1);
        assert_true(rig_ready(r) & ESTAB_CONNECTED);
        assert_int_equal(rig_read(r, 100), 20);
        rig_stop(r);
    }
}

/* F-ACK-3 */
static void syn_received_unacceptable_ack_is_reset(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place <= AT_SYN_RECEIVED_ACTIVE; place++) {
        static const uint32_t acks[] = {0, 2, 0x80000000, 0xffffffff};
        struct rig *r = rig_at(place);
        for (unsigned i = 0; i < 4; i++) {
            inject(r, .flags = ACK, .seq = 1, .ack = acks[i], .length = 5);
            expect(r, .flags = RST, .seq = acks[i]);
            expect_state(r, ESTAB_SYN_RECEIVED);
        }
        rig_stop(r);
    }
}

/* F-ACK-4 */
static void ack_frees_what_it_acknowledges_and_wakes_the_writer(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.send_buffer = 4000;
    struct rig *r = with_config(&options, AT_ESTABLISHED);
    rig_send(r, 4000, 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1460);
    expect(r, .flags = ACK, .seq = 1461, .ack = 1, .length = 1460);
    expect_nothing(r); /* Nagle: the tail waits */
    assert_int_equal(estab_send(r->stack, r->now, r->conn, "x", 1, 0), -ESTAB_EAGAIN);
    rig_ready(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1461);
    assert_int_equal(rig_status(r).snd_una, OUR_ISN + 1461);
    assert_int_equal(rig_status(r).send_queued, 2540);
    assert_true(rig_ready(r) & ESTAB_WRITABLE);
    inject(r, .flags = ACK, .seq = 1, .ack = 2921);
    expect(r, .flags = ACK | PSH, .seq = 2921, .ack = 1, .length = 1080);
    inject(r, .flags = ACK, .seq = 1, .ack = 4001);
    expect_nothing(r);
    assert_int_equal(rig_status(r).send_queued, 0);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    rig_stop(r);
}

/* F-ACK-5 */
static void duplicate_ack_advances_nothing(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 100, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 100);
    uint64_t deadline = estab_next_deadline(r->stack);
    advance(r, MS);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1u - 5);
    expect_nothing(r);
    assert_int_equal(rig_status(r).snd_una, OUR_ISN + 1);
    assert_int_equal(estab_next_deadline(r->stack), deadline);
    rig_stop(r);
}

/* F-ACK-7 */
static void newer_segment_sets_the_window(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 5000); /* same SEQ, same ACK */
    assert_int_equal(rig_status(r).snd_wnd, 5000);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 0xffff); /* MUST-1: unsigned */
    assert_int_equal(rig_status(r).snd_wnd, 0xffff);
    rig_send(r, 10, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    inject(r, .flags = ACK, .seq = 1, .ack = 11, .wnd = 0x8000); /* same SEQ, newer ACK */
    assert_int_equal(rig_status(r).snd_wnd, 0x8000);
    inject(r, .flags = ACK, .seq = 1, .ack = 11, .wnd = 200, .length = 10);
    inject(r, .flags = ACK, .seq = 11, .ack = 11, .wnd = 300, .length = 10); /* newer SEQ */
    assert_int_equal(rig_status(r).snd_wnd, 300);
    assert_int_equal(rig_status(r).snd_wl1, PEER_ISN + 11);
    assert_int_equal(rig_status(r).snd_wl2, OUR_ISN + 11);
    rig_discard(r);
    rig_stop(r);
}

/* F-ACK-8, O-38 */
static void older_segment_leaves_the_window(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .wnd = 5000, .length = 10); /* ahead: WL1 = 101 */
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(rig_status(r).snd_wnd, 5000);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 9000, .length = 10); /* sent before it */
    rig_discard(r);
    assert_int_equal(rig_status(r).snd_wnd, 5000);
    rig_stop(r);
    r = rig_at(AT_ESTABLISHED);
    rig_send(r, 20, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 20);
    inject(r, .flags = ACK, .seq = 1, .ack = 21, .wnd = 5000);
    inject(r, .flags = ACK, .seq = 1, .ack = 11, .wnd = 9000); /* same SEQ, older ACK */
    assert_int_equal(rig_status(r).snd_wnd, 5000);
    rig_stop(r);
}

/* F-ACK-9 */
static void fin_wait_1_ack_of_fin_leads_to_fin_wait_2(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_FIN_WAIT_1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    expect_state(r, ESTAB_FIN_WAIT_1);
    inject(r, .flags = ACK, .seq = 1, .ack = 2);
    expect_nothing(r);
    expect_state(r, ESTAB_FIN_WAIT_2);
    assert_int_equal(estab_next_deadline(r->stack),
                     UINT64_MAX); /* half-closed by the user: it may take for ever */
    rig_stop(r);
}

/* F-ACK-9: data and FIN in flight; the ACK of the data alone is not enough. */
static void fin_wait_1_ack_of_data_alone_stays(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 10, ESTAB_MORE);
    rig_shutdown(r);
    expect(r, .flags = ACK | PSH | FIN, .seq = 1, .ack = 1, .length = 10);
    inject(r, .flags = ACK, .seq = 1, .ack = 11);
    expect_state(r, ESTAB_FIN_WAIT_1);
    inject(r, .flags = ACK, .seq = 1, .ack = 12);
    expect_state(r, ESTAB_FIN_WAIT_2);
    rig_stop(r);
}

/* F-ACK-10, F-ACK-11: data and ACKs as in ESTABLISHED. */
static void fin_wait_2_and_close_wait_go_on_with_acks(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_FIN_WAIT_2);
    inject(r, .flags = ACK, .seq = 1, .ack = 2, .wnd = 777);
    expect_nothing(r);
    assert_int_equal(rig_status(r).snd_wnd, 777);
    rig_stop(r);
    r = rig_at(AT_CLOSE_WAIT);
    rig_send(r, 30, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 2, .length = 30);
    inject(r, .flags = ACK, .seq = 2, .ack = 31, .wnd = 777);
    expect_nothing(r);
    expect_state(r, ESTAB_CLOSE_WAIT);
    assert_int_equal(rig_status(r).snd_una, OUR_ISN + 31);
    assert_int_equal(rig_status(r).snd_wnd, 777);
    rig_stop(r);
}

/* F-ACK-12 */
static void closing_ack_of_fin_leads_to_time_wait(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_CLOSING);
    inject(r, .flags = ACK, .seq = 2, .ack = 1);
    expect_nothing(r);
    expect_state(r, ESTAB_CLOSING);
    inject(r, .flags = ACK, .seq = 2, .ack = 2);
    expect_nothing(r);
    expect_state(r, ESTAB_TIME_WAIT);
    assert_int_equal(estab_next_deadline(r->stack), r->now + 60 * SECOND);
    rig_stop(r);
}

/* F-ACK-13 */
static void last_ack_ack_of_fin_closes(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_LAST_ACK);
    inject(r, .flags = ACK, .seq = 2, .ack = 1);
    expect_state(r, ESTAB_LAST_ACK);
    inject(r, .flags = ACK, .seq = 2, .ack = 2);
    expect_nothing(r);
    expect_state(r, ESTAB_CLOSED);
    assert_int_equal(rig_status(r).error, 0);
    assert_true(rig_ready(r) & ESTAB_CLOSED_BIT);
    assert_int_equal(rig_read(r, 1), 0);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    rig_stop(r);
}

/* F-ACK-14, F-FIN-7, MUST-13 */
static void time_wait_fin_again_is_acknowledged_and_restarts_2msl(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_TIME_WAIT);
    advance(r, 59 * SECOND);
    inject(r, .flags = FIN | ACK, .seq = 1, .ack = 2);
    expect_ack(r, AT_TIME_WAIT);
    expect_state(r, ESTAB_TIME_WAIT);
    advance(r, 60 * SECOND - 1);
    expect_state(r, ESTAB_TIME_WAIT);
    advance(r, 1);
    expect_state(r, ESTAB_CLOSED);
    rig_stop(r);
}

/* ---- URG ---- */

/* F-URG-1, MUST-30, MUST-32, MUST-33 */
static void urgent_mark_is_told_once_for_each_advance(void **state)
{
    (void)state;
    static const enum place from[] = {AT_ESTABLISHED, AT_FIN_WAIT_1, AT_FIN_WAIT_2};
    for (unsigned i = 0; i < 3; i++) {
        struct rig *r = rig_at(from[i]);
        uint32_t una = places[from[i]].snd_una;
        rig_ready(r);
        inject(r, .flags = ACK | URG, .seq = 1, .ack = una, .length = 10, .up = 20);
        rig_discard(r);
        assert_true(rig_ready(r) & ESTAB_URGENT_MARK);
        assert_int_equal(rig_status(r).urgent_ahead, 20);
        inject(r, .flags = ACK | URG, .seq = 11, .ack = una, .length = 5, .up = 10); /* the same end */
        rig_discard(r);
        assert_false(rig_ready(r) & ESTAB_URGENT_MARK);
        inject(r, .flags = ACK | URG, .seq = 16, .ack = una, .length = 5, .up = 2); /* an earlier one */
        rig_discard(r);
        assert_false(rig_ready(r) & ESTAB_URGENT_MARK);
        assert_int_equal(rig_status(r).urgent_ahead, 20);
        inject(r, .flags = ACK | URG, .seq = 21, .ack = una, .length = 5, .up = 5);
        rig_discard(r);
        assert_true(rig_ready(r) & ESTAB_URGENT_MARK);
        assert_int_equal(rig_status(r).urgent_ahead, 25);
        assert_true(rig_status(r).urgent);
        assert_int_equal(rig_read(r, 24), 24);
        assert_true(rig_status(r).urgent);
        assert_int_equal(rig_read(r, 24), 1);
        assert_false(rig_status(r).urgent);
        rig_discard(r);
        rig_stop(r);
    }
}

/*
 * F-URG-1: the pointer counts from the segment's own SEQ, also where the front of its text was received
 * before.
 */
static void urgent_pointer_of_a_trimmed_segment_counts_from_its_seq(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 10);
    inject(r, .flags = ACK | URG, .seq = 1, .ack = 1, .length = 20, .up = 15);
    rig_discard(r);
    assert_int_equal(rig_status(r).urgent_ahead, 15);
    rig_stop(r);
}

/* F-URG-2 */
static void urgent_after_the_peers_fin_is_ignored(void **state)
{
    (void)state;
    for (enum place place = AT_CLOSE_WAIT; place < PLACES; place++) {
        struct rig *r = rig_at(place);
        inject(r, .flags = ACK | URG, .seq = 2, .ack = places[place].snd_una, .up = 9);
        expect_nothing(r);
        assert_false(rig_ready(r) & ESTAB_URGENT_MARK);
        assert_false(rig_status(r).urgent);
        rig_stop(r);
    }
}

/* O-19 */
static void urgent_outside_the_window_has_no_effect(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_ready(r);
    inject(r, .flags = ACK | URG, .seq = RCV_BUFFER + 1, .ack = 1, .up = 1, .length = 3);
    expect_ack(r, AT_ESTABLISHED);
    inject(r, .flags = ACK | URG, .seq = 0, .ack = 1, .up = 9);
    expect_ack(r, AT_ESTABLISHED);
    assert_false(rig_ready(r) & ESTAB_URGENT_MARK);
    rig_stop(r);
}

/* ---- text ---- */

/* F-TXT-1, F-INV-2: delivered in order, the right edge never moves left (the rig watches it). */
static void text_is_delivered_and_acknowledged(void **state)
{
    (void)state;
    static const enum place from[] = {AT_ESTABLISHED, AT_FIN_WAIT_1, AT_FIN_WAIT_2};
    for (unsigned i = 0; i < 3; i++) {
        struct rig *r = rig_at(from[i]);
        uint32_t una = places[from[i]].snd_una;
        uint32_t nxt = places[from[i]].snd_nxt;
        rig_ready(r);
        inject(r, .flags = ACK | PSH, .seq = 1, .ack = una, .length = 100);
        expect_nothing(r);
        assert_true(rig_ready(r) & ESTAB_READABLE);
        assert_int_equal(rig_read(r, 1000), 100);
        advance(r, 40 * MS - 1);
        expect_nothing(r);
        advance(r, 1);
        expect(r, .flags = ACK, .seq = nxt, .ack = 101);
        rig_stop(r);
    }
}

/* F-TXT-2 */
static void text_after_the_peers_fin_is_ignored(void **state)
{
    (void)state;
    for (enum place place = AT_CLOSE_WAIT; place < PLACES; place++) {
        struct rig *r = rig_at(place);
        uint32_t before = rig_status(r).rcv_nxt;
        inject(r, .flags = ACK | PSH, .seq = 2, .ack = places[place].snd_una, .length = 100);
        rig_discard(r); /* an ACK of it does no harm */
        expect_state(r, places[place].state);
        assert_int_equal(rig_status(r).rcv_nxt, before);
        assert_int_equal(rig_read(r, 10), 0);
        rig_stop(r);
    }
}

/* F-TXT-3, SHLD-3 */
static void text_after_close_is_reset(void **state)
{
    (void)state;
    static const enum place from[] = {AT_ESTABLISHED, AT_FIN_WAIT_1, AT_FIN_WAIT_2};
    for (unsigned i = 0; i < 3; i++) {
        struct rig *r = rig_at(from[i]);
        rig_close(r);
        if (from[i] == AT_ESTABLISHED) {
            expect(r, .flags = FIN | ACK, .seq = 1, .ack = 1);
        }
        expect_nothing(r);
        inject(r, .flags = ACK | PSH, .seq = 1, .ack = places[from[i]].snd_nxt, .length = 10);
        expect(r, .flags = RST, .seq = places[from[i]].snd_nxt == 1 ? 1 : 2);
        expect_nothing(r);
        expect_state(r, ESTAB_CLOSED);
        rig_stop(r);
    }
}

/* SHLD-3: close with data that nobody has read. */
static void close_with_unread_data_resets(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    rig_close(r);
    expect(r, .flags = RST | ACK, .seq = 1, .ack = 11);
    expect_state(r, ESTAB_CLOSED);
    rig_stop(r);
}

/* ---- FIN ---- */

/* F-FIN-2, MUST-12 */
static void fin_in_order_leads_to_close_wait(void **state)
{
    (void)state;
    static const enum place from[] = {AT_SYN_RECEIVED_PASSIVE, AT_SYN_RECEIVED_ACTIVE, AT_ESTABLISHED};
    for (unsigned i = 0; i < 3; i++) {
        struct rig *r = rig_at(from[i]);
        inject(r, .flags = FIN | ACK, .seq = 1, .ack = 1, .length = 5);
        expect(r, .flags = ACK, .seq = 1, .ack = 7);
        expect_nothing(r);
        expect_state(r, ESTAB_CLOSE_WAIT);
        assert_true(rig_ready(r) & ESTAB_PEER_CLOSED);
        assert_int_equal(rig_read(r, 10), 5);
        assert_int_equal(rig_read(r, 10), 0);
        rig_stop(r);
    }
}

/* F-FIN-3: note 2 of Figure 5, by FIN-WAIT-2; all other timers stop. */
static void fin_wait_1_fin_with_ack_of_ours_leads_to_time_wait(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_FIN_WAIT_1);
    inject(r, .flags = FIN | ACK, .seq = 1, .ack = 2);
    expect(r, .flags = ACK, .seq = 2, .ack = 2);
    expect_state(r, ESTAB_TIME_WAIT);
    assert_int_equal(estab_next_deadline(r->stack), r->now + 60 * SECOND);
    rig_stop(r);
}

/* F-FIN-4 */
static void fin_wait_1_fin_leads_to_closing(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_FIN_WAIT_1);
    inject(r, .flags = FIN | ACK, .seq = 1, .ack = 1, .length = 3);
    expect(r, .flags = ACK, .seq = 2, .ack = 5);
    expect_state(r, ESTAB_CLOSING);
    rig_stop(r);
}

/* F-FIN-5 */
static void fin_wait_2_fin_leads_to_time_wait(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_FIN_WAIT_2);
    inject(r, .flags = FIN | ACK, .seq = 1, .ack = 2, .length = 3);
    expect(r, .flags = ACK, .seq = 2, .ack = 5);
    expect_state(r, ESTAB_TIME_WAIT);
    assert_int_equal(estab_next_deadline(r->stack), r->now + 60 * SECOND);
    assert_int_equal(rig_read(r, 10), 3); /* what is left can be read */
    assert_int_equal(rig_read(r, 10), 0);
    rig_stop(r);
}

/* F-FIN-6 */
static void fin_again_changes_nothing(void **state)
{
    (void)state;
    static const enum place from[] = {AT_CLOSE_WAIT, AT_CLOSING, AT_LAST_ACK};
    for (unsigned i = 0; i < 3; i++) {
        struct rig *r = rig_at(from[i]);
        inject(r, .flags = FIN | ACK, .seq = 1, .ack = 1);
        expect_ack(r, from[i]);
        expect_state(r, places[from[i]].state);
        inject(r, .flags = FIN | ACK, .seq = 2, .ack = 1); /* another one behind it is nonsense */
        rig_discard(r);
        expect_state(r, places[from[i]].state);
        assert_int_equal(rig_status(r).rcv_nxt, PEER_ISN + 2);
        rig_stop(r);
    }
}

/* F-FIN-8, O-18 */
static void fin_behind_a_gap_waits_for_what_is_before_it(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = FIN | ACK, .seq = 101, .ack = 1, .length = 10);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    expect_state(r, ESTAB_ESTABLISHED);
    inject(r, .flags = FIN | ACK, .seq = 111, .ack = 1); /* the bare FIN again */
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 50);
    rig_discard(r);
    expect_state(r, ESTAB_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 51, .ack = 1, .length = 50);
    expect(r, .flags = ACK, .seq = 1, .ack = 112);
    expect_state(r, ESTAB_CLOSE_WAIT);
    assert_int_equal(rig_read(r, 1000), 110);
    assert_int_equal(rig_read(r, 1000), 0);
    rig_stop(r);
}

/* F-FIN-8: beyond the window it is not consumed. */
static void fin_beyond_the_window_is_not_consumed(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = FIN | ACK, .seq = RCV_BUFFER + 1, .ack = 1);
    expect_ack(r, AT_ESTABLISHED);
    inject(r, .flags = FIN | ACK, .seq = RCV_BUFFER, .ack = 1, .length = 1);
    expect_ack(r, AT_ESTABLISHED);
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

/* ---- timeouts ---- */

/* F-TMO-1 */
static void user_timeout_aborts_in_every_state(void **state)
{
    (void)state;
    static const enum place from[] = {AT_ESTABLISHED, AT_FIN_WAIT_1, AT_CLOSE_WAIT, AT_CLOSING, AT_LAST_ACK};
    for (unsigned i = 0; i < 5; i++) {
        struct rig_options options;
        rig_defaults(&options);
        options.config.user_timeout_ns = 100 * SECOND;
        struct rig *r = with_config(&options, from[i]);
        if (places[from[i]].snd_una == places[from[i]].snd_nxt) {
            rig_send(r, 10, 0);
            rig_discard(r);
        }
        for (uint64_t end = r->now + 100 * SECOND; r->now < end - 1;) {
            uint64_t due = estab_next_deadline(r->stack);
            assert_true(due <= end);
            advance(r, (due < end - 1 ? due : end - 1) - r->now);
            rig_discard(r);
            expect_state(r, places[from[i]].state);
        }
        advance(r, 1);
        expect_nothing(r);
        expect_state(r, ESTAB_CLOSED);
        assert_int_equal(rig_status(r).error, -ESTAB_ETIMEDOUT);
        assert_true(rig_ready(r) & ESTAB_ERROR);
        rig_stop(r);
    }
}

/* F-TMO-2 */
static void retransmission_timeout_resends_the_front(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 2000, 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1460);
    expect_nothing(r);
    rig_set(r, ESTAB_OPTION_NODELAY, 1);
    expect(r, .flags = ACK | PSH, .seq = 1461, .ack = 1, .length = 540);
    advance_to_next(r, SECOND);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1460, .reason = ESTAB_REASON_RETRANSMIT_TIMEOUT);
    expect_nothing(r);
    assert_true(estab_next_deadline(r->stack) < UINT64_MAX);
    rig_stop(r);
}

/* F-TMO-2: SYN, SYN,ACK and FIN. */
static void retransmission_timeout_resends_syn_and_fin(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    assert_int_equal(advance_to_next(r, SECOND), SECOND);
    expect(r, .flags = SYN, .seq = 0);
    rig_stop(r);
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place <= AT_SYN_RECEIVED_ACTIVE; place++) {
        r = rig_at(place);
        assert_int_equal(advance_to_next(r, SECOND), SECOND);
        expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
        rig_stop(r);
    }
    static const enum place from[] = {AT_FIN_WAIT_1, AT_CLOSING, AT_LAST_ACK};
    for (unsigned i = 0; i < 3; i++) {
        r = rig_at(from[i]);
        advance_to_next(r, SECOND);
        expect(r, .flags = FIN | ACK, .seq = 1, .ack = places[from[i]].rcv_nxt);
        expect_nothing(r);
        rig_stop(r);
    }
}

/* F-TMO-3, MUST-13, O-37: to the nanosecond, and the record is free then. */
static void time_wait_ends_after_exactly_2msl(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_TIME_WAIT);
    struct estab_memory memory;
    rig_close(r);
    expect_nothing(r);
    assert_int_equal(estab_next_deadline(r->stack), r->now + 60 * SECOND);
    advance(r, 60 * SECOND - 1);
    expect_state(r, ESTAB_TIME_WAIT);
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.time_wait, 1);
    assert_int_equal(memory.connections, 0);
    advance(r, 1);
    expect_nothing(r);
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.time_wait, 0);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    inject(r, .flags = FIN | ACK, .seq = 1, .ack = 2);
    expect(r, .flags = RST, .seq = 2); /* CLOSED: F-CLOSED-3 */
    rig_stop(r);
}

/* ---- invariants ---- */

/*
 * F-INV-1, U-12: a RST is never answered with a RST, wherever it comes. F-INV-3: no segment brings more than
 * one.
 */
static void expect_no_rst_for(enum place place, unsigned flags, unsigned k)
{
    struct segment sent;
    struct rig *r = rig_at(place);
    uint32_t seq = places[place].rcv_nxt + (k & 1 ? 3 : 0);
    uint32_t ack = places[place].snd_nxt + (k & 2 ? 3 : 0);
    inject(r, .flags = RST | flags, .seq = seq, .ack = ack, .length = k & 1 ? 5 : 0);
    while (rig_take(r, &sent)) {
        assert_false(sent.flags & RST);
        expect_nothing(r);
    }
    rig_stop(r);
}

/* F-INV-1, O-08, U-12 */
static void rst_never_brings_a_rst(void **state)
{
    (void)state;
    for (enum place place = AT_CLOSED; place < PLACES; place++) {
        for (unsigned i = 0; i < 64 * 4; i++) {
            expect_no_rst_for(place, i / 4, i % 4);
        }
    }
}

/* F-INV-4: what is unacknowledged, unsent or waits for a window always has a deadline. */
static void pending_work_always_has_a_deadline(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    rig_send(r, 10, 0);
    rig_discard(r);
    assert_true(estab_next_deadline(r->stack) <= r->now + SECOND);
    inject(r, .flags = ACK, .seq = 1, .ack = 11, .wnd = WND_ZERO);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX); /* nothing to send: nothing to ask for */
    rig_send(r, 10, 0);
    expect_nothing(r);
    assert_true(estab_next_deadline(r->stack) <= r->now + SECOND);
    rig_stop(r);
    static const enum place from[] = {
        AT_SYN_SENT, AT_SYN_RECEIVED_PASSIVE, AT_SYN_RECEIVED_ACTIVE, AT_FIN_WAIT_1, AT_CLOSING, AT_LAST_ACK,
        AT_TIME_WAIT};
    for (unsigned i = 0; i < 7; i++) {
        r = rig_at(from[i]);
        assert_true(estab_next_deadline(r->stack) <= r->now + 60 * SECOND);
        rig_stop(r);
    }
}

/* The segment of `held` with other text but the same checksum: 16-bit words at even places exchanged. */
static size_t with_other_text(const struct rig *r, const struct segment *held, uint8_t packet[2048])
{
    size_t length = rig_packet(r, held, packet);
    for (size_t i = length - held->length; i + 4 <= length; i += 4) {
        uint8_t swap[2] = {packet[i], packet[i + 1]};
        memcpy(packet + i, packet + i + 2, 2);
        memcpy(packet + i + 2, swap, 2);
    }
    return length;
}

/*
 * F-INV-5, O-39: the first byte that was accepted stays, whatever comes later for its place, ahead of a gap
 * or not.
 */
static void overlapping_text_never_changes_what_was_accepted(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct rig *r = rig_at(AT_ESTABLISHED);
        uint8_t packet[2048];
        struct segment held = {.flags = ACK, .seq = 11, .ack = 1, .length = 20};
        size_t length = with_other_text(r, &held, packet);
        inject(r, .flags = ACK, .seq = 11, .ack = 1, .length = 20);
        rig_discard(r);
        if (late) {
            inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 10);
            rig_discard(r);
        }
        rig_input(r, packet, length);
        assert_int_equal(r->drop, late ? ESTAB_DROP_SEQUENCE : ESTAB_DROP_DUPLICATE_TEXT);
        rig_discard(r);
        if (!late) {
            inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 10);
            rig_discard(r);
        }
        assert_int_equal(rig_read(r, 100), 30); /* checked by position */
        rig_stop(r);
    }
}

/* F-INV-6: a connection never holds more than its buffers, however much is thrown at it. */
static void memory_of_a_connection_is_bounded(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    struct estab_memory memory;
    uint64_t seed = 7;
    for (unsigned i = 0; i < 2000; i++) {
        uint32_t seq = 2 + rig_random(&seed) % (2 * RCV_BUFFER);
        inject(r, .flags = ACK, .seq = seq, .ack = 1, .length = 1 + rig_random(&seed) % 40);
        rig_discard(r);
        estab_memory(r->stack, &memory);
        assert_true((uint64_t)memory.blocks_used * memory.block_size <= memory.worst_case_connection);
    }
    assert_true(rig_status(r).receive_ahead > 0);
    rig_abort(r);
    expect(r, .flags = RST | ACK, .seq = 1, .ack = 1);
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.blocks_used, 0);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment_without_ack_is_dropped),
        cmocka_unit_test(ack_outside_the_plausible_range_is_answered_and_dropped),
        cmocka_unit_test(ack_at_the_edge_of_the_plausible_range_is_taken),
        cmocka_unit_test(syn_received_ack_establishes),
        cmocka_unit_test(syn_received_unacceptable_ack_is_reset),
        cmocka_unit_test(ack_frees_what_it_acknowledges_and_wakes_the_writer),
        cmocka_unit_test(duplicate_ack_advances_nothing),
        cmocka_unit_test(newer_segment_sets_the_window),
        cmocka_unit_test(older_segment_leaves_the_window),
        cmocka_unit_test(fin_wait_1_ack_of_fin_leads_to_fin_wait_2),
        cmocka_unit_test(fin_wait_1_ack_of_data_alone_stays),
        cmocka_unit_test(fin_wait_2_and_close_wait_go_on_with_acks),
        cmocka_unit_test(closing_ack_of_fin_leads_to_time_wait),
        cmocka_unit_test(last_ack_ack_of_fin_closes),
        cmocka_unit_test(time_wait_fin_again_is_acknowledged_and_restarts_2msl),
        cmocka_unit_test(urgent_mark_is_told_once_for_each_advance),
        cmocka_unit_test(urgent_pointer_of_a_trimmed_segment_counts_from_its_seq),
        cmocka_unit_test(urgent_after_the_peers_fin_is_ignored),
        cmocka_unit_test(urgent_outside_the_window_has_no_effect),
        cmocka_unit_test(text_is_delivered_and_acknowledged),
        cmocka_unit_test(text_after_the_peers_fin_is_ignored),
        cmocka_unit_test(text_after_close_is_reset),
        cmocka_unit_test(close_with_unread_data_resets),
        cmocka_unit_test(fin_in_order_leads_to_close_wait),
        cmocka_unit_test(fin_wait_1_fin_with_ack_of_ours_leads_to_time_wait),
        cmocka_unit_test(fin_wait_1_fin_leads_to_closing),
        cmocka_unit_test(fin_wait_2_fin_leads_to_time_wait),
        cmocka_unit_test(fin_again_changes_nothing),
        cmocka_unit_test(fin_behind_a_gap_waits_for_what_is_before_it),
        cmocka_unit_test(fin_beyond_the_window_is_not_consumed),
        cmocka_unit_test(user_timeout_aborts_in_every_state),
        cmocka_unit_test(retransmission_timeout_resends_the_front),
        cmocka_unit_test(retransmission_timeout_resends_syn_and_fin),
        cmocka_unit_test(time_wait_ends_after_exactly_2msl),
        cmocka_unit_test(rst_never_brings_a_rst),
        cmocka_unit_test(pending_work_always_has_a_deadline),
        cmocka_unit_test(overlapping_text_never_changes_what_was_accepted),
        cmocka_unit_test(memory_of_a_connection_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
