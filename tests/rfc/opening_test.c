/*
 * SEGMENT ARRIVES in CLOSED, LISTEN and SYN-SENT (RFC 9293 3.10.7.1 to 3.10.7.3), one test for each rule of
 * the table of states and events, whose id stands before it: a segment in, the segment out and nothing else.
 * What crosses the wrap of sequence numbers and the harness itself are tests/support/rig's.
 */
#include "support/rig.h"

/* ---- CLOSED ---- */

/* O-08, U-12, F-CLOSED-1 */
static void closed_rst_is_dropped_in_silence(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_CLOSED);
    inject(r, .flags = RST, .seq = 7);
    expect_nothing(r);
    inject(r, .flags = RST | ACK, .seq = 7, .ack = 9);
    expect_nothing(r);
    inject(r, .flags = RST | SYN | FIN | ACK, .seq = 7, .ack = 9, .length = 5);
    expect_nothing(r);
    assert_int_equal(r->drop, ESTAB_DROP_CLOSED_RST);
    rig_stop(r);
}

/* F-CLOSED-2 */
static void closed_segment_without_ack_is_reset_with_its_length_acknowledged(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_CLOSED);
    inject(r, .flags = SYN, .seq = 0, .no_options = true);
    expect(r, .flags = RST | ACK, .seq = 0, .ack = 1);
    inject(r, .flags = 0, .seq = 10);
    expect(r, .flags = RST | ACK, .seq = 0, .ack = 10);
    inject(r, .flags = FIN, .seq = 10, .length = 20);
    expect(r, .flags = RST | ACK, .seq = 0, .ack = 31);
    inject(r, .flags = SYN | FIN, .seq = 10, .length = 20);
    expect(r, .flags = RST | ACK, .seq = 0, .ack = 32);
    assert_int_equal(rig_counters(r).resets_out, 4);
    rig_stop(r);
}

/* F-CLOSED-3 */
static void closed_segment_with_ack_is_reset_at_its_ack(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_CLOSED);
    inject(r, .flags = ACK, .seq = 10, .ack = 0xfffffffe, .length = 20);
    expect(r, .flags = RST, .seq = 0xfffffffe);
    inject(r, .flags = SYN | ACK, .seq = 10, .ack = 3);
    expect(r, .flags = RST, .seq = 3);
    rig_stop(r);
}

/* F-CLOSED-3, R7323-31 */
static void closed_reset_echoes_the_timestamp(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.timestamps = true;
    struct rig *r = rig_start(&options);
    inject(r, .flags = ACK, .seq = 10, .ack = 20, .check_ts = true, .tsval = 0xfffffffd, .tsecr = 5);
    expect(r, .flags = RST, .seq = 20, .check_ts = true, .tsval = 0, .tsecr = 0xfffffffd);
    rig_stop(r);
}

/* ---- LISTEN ---- */

/* O-08, U-12, F-LISTEN-1 */
static void listen_rst_is_ignored(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_LISTEN);
    inject(r, .flags = RST, .seq = 0);
    inject(r, .flags = RST | ACK, .seq = 0, .ack = 1);
    inject(r, .flags = RST | SYN, .seq = 0);
    expect_nothing(r);
    expect_state(r, ESTAB_LISTEN);
    rig_stop(r);
}

/* F-LISTEN-2 */
static void listen_ack_is_reset_and_listen_stays(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_LISTEN);
    inject(r, .flags = ACK, .seq = 3, .ack = 77, .length = 4);
    expect(r, .flags = RST, .seq = 77);
    inject(r, .flags = SYN | ACK, .seq = 3, .ack = 0xffffffff);
    expect(r, .flags = RST, .seq = 0xffffffff);
    expect_state(r, ESTAB_LISTEN);
    rig_stop(r);
}

/* F-LISTEN-3 */
static void listen_syn_makes_a_passive_syn_received(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_LISTEN);
    inject(r, .flags = SYN, .seq = 0);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .wnd = RCV_BUFFER, .mss = MSS,
           .reason = ESTAB_REASON_SYN_ACK);
    struct estab_status s = rig_status(r);
    assert_int_equal(s.state, ESTAB_SYN_RECEIVED);
    assert_int_equal(s.irs, PEER_ISN);
    assert_int_equal(s.iss, OUR_ISN);
    assert_int_equal(s.rcv_nxt, PEER_ISN + 1);
    assert_int_equal(s.snd_nxt, OUR_ISN + 1);
    assert_int_equal(s.snd_una, OUR_ISN);
    rig_stop(r);
}

/* F-LISTEN-3: text of the SYN is kept until ESTABLISHED (design: acknowledged where there is room). */
static void listen_syn_with_text_keeps_it_until_established(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_LISTEN);
    inject(r, .flags = SYN, .seq = 0, .length = 100);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 101);
    assert_int_equal(rig_read(r, 100), -ESTAB_EAGAIN);
    inject(r, .flags = ACK, .seq = 101, .ack = 1);
    expect_nothing(r);
    expect_state(r, ESTAB_ESTABLISHED);
    assert_true(rig_ready(r) & ESTAB_READABLE);
    assert_int_equal(rig_read(r, 1000), 100);
    rig_stop(r);
}

/* U-10, F-LISTEN-3, F-FIN-1: the FIN of a SYN is not processed; the peer sends it again. */
static void listen_syn_with_fin_leaves_the_fin(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_LISTEN);
    inject(r, .flags = SYN | FIN, .seq = 0);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect_state(r, ESTAB_SYN_RECEIVED);
    inject(r, .flags = FIN | ACK, .seq = 1, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 2);
    expect_state(r, ESTAB_CLOSE_WAIT);
    rig_stop(r);
}

/* U-10, F-LISTEN-4, F-FIN-1 */
static void listen_segment_with_neither_is_dropped(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_LISTEN);
    inject(r, .flags = 0, .seq = 0, .length = 10);
    inject(r, .flags = FIN, .seq = 0);
    inject(r, .flags = PSH | URG, .seq = 0, .up = 3, .length = 3);
    expect_nothing(r);
    expect_state(r, ESTAB_LISTEN);
    rig_stop(r);
}

/* ---- SYN-SENT ---- */

/* F-SYNSENT-1 */
static void syn_sent_unacceptable_ack_is_reset(void **state)
{
    (void)state;
    static const uint32_t acks[] = {0, 2, 0xffffffff, 0x80000000, 0x80000001, 0x7fffffff};
    for (unsigned i = 0; i < sizeof acks / sizeof acks[0]; i++) {
        struct rig *r = rig_at(AT_SYN_SENT);
        inject(r, .flags = ACK, .seq = 0, .ack = acks[i]);
        expect(r, .flags = RST, .seq = acks[i]);
        inject(r, .flags = SYN | ACK, .seq = 0, .ack = acks[i], .length = 10);
        expect(r, .flags = RST, .seq = acks[i]);
        expect_state(r, ESTAB_SYN_SENT);
        rig_stop(r);
    }
}

/* O-04, U-2, F-SYNSENT-2 */
static void syn_sent_unacceptable_ack_with_rst_is_dropped(void **state)
{
    (void)state;
    static const uint32_t acks[] = {0, 2, 0xffffffff, 0x80000001};
    struct rig *r = rig_at(AT_SYN_SENT);
    for (unsigned i = 0; i < sizeof acks / sizeof acks[0]; i++) {
        inject(r, .flags = RST | ACK, .seq = 0, .ack = acks[i]);
        expect_nothing(r);
        expect_state(r, ESTAB_SYN_SENT);
    }
    rig_stop(r);
}

/* O-04, U-2, F-SYNSENT-3 */
static void syn_sent_rst_with_good_ack_refuses(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    inject(r, .flags = RST | ACK, .seq = 0, .ack = 1);
    expect_nothing(r);
    expect_state(r, ESTAB_CLOSED);
    assert_int_equal(rig_status(r).error, -ESTAB_ECONNREFUSED);
    assert_true(rig_ready(r) & ESTAB_ERROR);
    assert_int_equal(rig_read(r, 1), -ESTAB_ECONNREFUSED);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    rig_close(r);
    rig_stop(r);
}

/* O-04, U-2, F-SYNSENT-4, RFC 5961: a blind RST. */
static void syn_sent_rst_without_ack_is_dropped(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    inject(r, .flags = RST, .seq = 0);
    inject(r, .flags = RST | SYN, .seq = 0);
    expect_nothing(r);
    expect_state(r, ESTAB_SYN_SENT);
    rig_stop(r);
}

/* F-SYNSENT-5 */
static void syn_sent_syn_ack_establishes(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = RCV_BUFFER);
    struct estab_status s = rig_status(r);
    assert_int_equal(s.state, ESTAB_ESTABLISHED);
    assert_int_equal(s.irs, PEER_ISN);
    assert_int_equal(s.rcv_nxt, PEER_ISN + 1);
    assert_int_equal(s.snd_una, OUR_ISN + 1);
    assert_int_equal(s.snd_wnd, PEER_WND);
    assert_true(rig_ready(r) & ESTAB_CONNECTED);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    rig_stop(r);
}

/* F-SYNSENT-5: what the user queued before goes with the ACK. */
static void syn_sent_syn_ack_releases_queued_data_with_the_ack(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    rig_send(r, 100, 0);
    expect_nothing(r);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 100);
    rig_stop(r);
}

/* F-SYNSENT-5: text and FIN of the SYN,ACK are processed. */
static void syn_sent_syn_ack_with_text_and_fin_goes_on(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .length = 50);
    expect(r, .flags = ACK, .seq = 1, .ack = 51);
    assert_int_equal(rig_read(r, 1000), 50);
    rig_stop(r);
    r = rig_at(AT_SYN_SENT);
    inject(r, .flags = SYN | ACK | FIN, .seq = 0, .ack = 1, .length = 50);
    expect(r, .flags = ACK, .seq = 1, .ack = 52);
    expect_state(r, ESTAB_CLOSE_WAIT);
    assert_int_equal(rig_read(r, 1000), 50);
    assert_int_equal(rig_read(r, 1000), 0);
    rig_stop(r);
}

/* F-SYNSENT-6 */
static void syn_sent_syn_makes_an_active_syn_received(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    inject(r, .flags = SYN, .seq = 0, .length = 30);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 31);
    expect_state(r, ESTAB_SYN_RECEIVED);
    assert_int_equal(rig_status(r).snd_wnd, PEER_WND);
    assert_int_equal(rig_read(r, 100), -ESTAB_EAGAIN);
    inject(r, .flags = ACK, .seq = 31, .ack = 1);
    expect_nothing(r);
    expect_state(r, ESTAB_ESTABLISHED);
    assert_int_equal(rig_read(r, 100), 30);
    rig_stop(r);
}

/* U-10, F-SYNSENT-7, F-FIN-1 */
static void syn_sent_segment_without_syn_and_rst_is_dropped(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    inject(r, .flags = ACK, .seq = 0, .ack = 1);
    inject(r, .flags = ACK, .seq = 0, .ack = 1, .length = 100);
    inject(r, .flags = FIN | ACK, .seq = 0, .ack = 1);
    inject(r, .flags = FIN, .seq = 0);
    inject(r, .flags = 0, .seq = 0, .length = 9);
    expect_nothing(r);
    expect_state(r, ESTAB_SYN_SENT);
    rig_stop(r);
}

/*
 * F-SYNSENT-8: our SYN carries no text, so the one ACK that is acceptable is ISS+1, and what waits is not
 * acknowledged.
 */
static void syn_sent_ack_of_queued_but_unsent_data_is_reset(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    rig_send(r, 10, 0);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 11);
    expect(r, .flags = RST, .seq = 11);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    rig_stop(r);
}

/* MUST-10 against a peer that follows Figure 8 to the letter. */
static void simultaneous_open_syn_ack_from_both(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_RECEIVED_ACTIVE);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 2); /* not an ACK of our SYN: as any SYN there */
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    expect_state(r, ESTAB_SYN_RECEIVED);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect_nothing(r);
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

/* ---- opening by the user (3.10.1, 3.10.2) ---- */

/* Figure 5: LISTEN, SEND, SYN-SENT */
static void listen_send_turns_active_where_a_remote_was_named(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    struct estab_addr local = rig_local(r, LOCAL_PORT);
    struct estab_addr peer = rig_peer(r, PEER_PORT);
    assert_int_equal(estab_open(r->stack, &r->conn), 0);
    assert_int_equal(estab_bind(r->stack, r->now, r->conn, &local), 0);
    assert_int_equal(estab_open_passive(r->stack, r->now, r->conn, &peer), 0);
    expect_state(r, ESTAB_LISTEN);
    rig_send(r, 20, 0);
    expect(r, .flags = SYN, .seq = 0);
    expect_state(r, ESTAB_SYN_SENT);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 20);
    rig_stop(r);
}

static void listen_send_without_a_remote_fails(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_LISTEN);
    assert_int_equal(estab_send(r->stack, r->now, r->conn, "x", 1, 0), -ESTAB_ENOTCONN);
    expect_nothing(r);
    expect_state(r, ESTAB_LISTEN);
    rig_stop(r);
}

/* A passive OPEN that named its peer takes nobody else. */
static void listen_for_a_named_peer_resets_others(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    struct estab_addr local = rig_local(r, LOCAL_PORT);
    struct estab_addr peer = rig_peer(r, PEER_PORT);
    assert_int_equal(estab_open(r->stack, &r->conn), 0);
    assert_int_equal(estab_bind(r->stack, r->now, r->conn, &local), 0);
    assert_int_equal(estab_open_passive(r->stack, r->now, r->conn, &peer), 0);
    inject(r, .flags = SYN, .seq = 0, .port = PEER_PORT + 1);
    expect(r, .flags = RST | ACK, .seq = 0, .ack = 1, .port = PEER_PORT + 1);
    inject(r, .flags = SYN, .seq = 0);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    rig_stop(r);
}

/* 3.10.4: CLOSE in LISTEN and SYN-SENT deletes, and says nothing to anybody. */
static void listen_and_syn_sent_close_ends_in_silence(void **state)
{
    (void)state;
    static const enum place from[] = {AT_LISTEN, AT_SYN_SENT};
    for (unsigned i = 0; i < 2; i++) {
        struct rig *r = rig_at(from[i]);
        assert_int_equal(rig_shutdown(r), 0);
        expect_nothing(r);
        expect_state(r, ESTAB_CLOSED);
        rig_close(r);
        expect_nothing(r);
        inject(r, .flags = SYN, .seq = 0);
        expect(r, .flags = RST | ACK, .seq = 0u - r->iss[0], .ack = 1);
        rig_stop(r);
    }
}

/* 3.10.5: ABORT in each state; a RST where the peer knows of the connection. */
static void abort_resets_where_the_peer_knows(void **state)
{
    (void)state;
    for (enum place place = AT_LISTEN; place < PLACES; place++) {
        struct rig *r = rig_at(place);
        bool rst = place >= AT_SYN_RECEIVED_PASSIVE && place <= AT_CLOSE_WAIT;
        assert_int_equal(rig_abort(r), 0);
        if (rst) {
            expect(r, .flags = RST | ACK, .seq = places[place].snd_nxt, .ack = places[place].rcv_nxt);
        }
        expect_nothing(r);
        assert_int_equal(rig_state(r), place == AT_TIME_WAIT ? ESTAB_TIME_WAIT : ESTAB_CLOSED);
        rig_stop(r);
    }
}

/* 3.10.4: CLOSE in SYN-RECEIVED; FIN-WAIT-1 before the peer has acknowledged our SYN. */
static void syn_received_close_sends_fin(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place <= AT_SYN_RECEIVED_ACTIVE; place++) {
        struct rig *r = rig_at(place);
        assert_int_equal(rig_shutdown(r), 0);
        expect(r, .flags = FIN | ACK, .seq = 1, .ack = 1);
        expect_state(r, ESTAB_FIN_WAIT_1);
        inject(r, .flags = ACK, .seq = 1, .ack = 2);
        expect_nothing(r);
        expect_state(r, ESTAB_FIN_WAIT_2);
        inject(r, .flags = ACK, .seq = 1, .ack = 2, .length = 10);
        inject(r, .flags = FIN | ACK, .seq = 11, .ack = 2);
        expect(r, .flags = ACK, .seq = 2, .ack = 12);
        expect_state(r, ESTAB_TIME_WAIT);
        assert_int_equal(rig_read(r, 100), 10);
        rig_stop(r);
    }
}

/* The same with data waiting: the FIN follows it, after the handshake. */
static void syn_received_close_with_queued_data_waits_for_the_handshake(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_RECEIVED_PASSIVE);
    rig_send(r, 10, 0);
    expect_nothing(r);
    assert_int_equal(rig_shutdown(r), 0);
    expect_nothing(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    expect(r, .flags = FIN | ACK | PSH, .seq = 1, .ack = 1, .length = 10);
    expect_state(r, ESTAB_FIN_WAIT_1);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_rst_is_dropped_in_silence),
        cmocka_unit_test(closed_segment_without_ack_is_reset_with_its_length_acknowledged),
        cmocka_unit_test(closed_segment_with_ack_is_reset_at_its_ack),
        cmocka_unit_test(closed_reset_echoes_the_timestamp),
        cmocka_unit_test(listen_rst_is_ignored),
        cmocka_unit_test(listen_ack_is_reset_and_listen_stays),
        cmocka_unit_test(listen_syn_makes_a_passive_syn_received),
        cmocka_unit_test(listen_syn_with_text_keeps_it_until_established),
        cmocka_unit_test(listen_syn_with_fin_leaves_the_fin),
        cmocka_unit_test(listen_segment_with_neither_is_dropped),
        cmocka_unit_test(syn_sent_unacceptable_ack_is_reset),
        cmocka_unit_test(syn_sent_unacceptable_ack_with_rst_is_dropped),
        cmocka_unit_test(syn_sent_rst_with_good_ack_refuses),
        cmocka_unit_test(syn_sent_rst_without_ack_is_dropped),
        cmocka_unit_test(syn_sent_syn_ack_establishes),
        cmocka_unit_test(syn_sent_syn_ack_releases_queued_data_with_the_ack),
        cmocka_unit_test(syn_sent_syn_ack_with_text_and_fin_goes_on),
        cmocka_unit_test(syn_sent_syn_makes_an_active_syn_received),
        cmocka_unit_test(syn_sent_segment_without_syn_and_rst_is_dropped),
        cmocka_unit_test(syn_sent_ack_of_queued_but_unsent_data_is_reset),
        cmocka_unit_test(simultaneous_open_syn_ack_from_both),
        cmocka_unit_test(listen_send_turns_active_where_a_remote_was_named),
        cmocka_unit_test(listen_send_without_a_remote_fails),
        cmocka_unit_test(listen_for_a_named_peer_resets_others),
        cmocka_unit_test(listen_and_syn_sent_close_ends_in_silence),
        cmocka_unit_test(abort_resets_where_the_peer_knows),
        cmocka_unit_test(syn_received_close_sends_fin),
        cmocka_unit_test(syn_received_close_with_queued_data_waits_for_the_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
