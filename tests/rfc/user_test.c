/*
 * What the user is told and may do (RFC 9293 3.8.5, 3.8.6.1, 3.9.1.8), what one arrival may bring about
 * (F-INV-3), and what strangers can neither guess nor cause (RFC 6056, RFC 5961 7, RFC 5927 4).
 */
#include "support/rig.h"

/* U-1: an ICMP error, retransmissions up to R1 and urgent data each make themselves known. */
static void conditions_are_reported_as_they_come(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 100, 0);
    rig_discard(r);
    assert_false(rig_ready(r) & (ESTAB_SOFT_ERROR | ESTAB_URGENT_MARK));
    rig_inject_icmp(r, 3, 1, 1, 0);
    assert_true(rig_ready(r) & ESTAB_SOFT_ERROR);
    assert_int_equal(rig_status(r).soft_error, -ESTAB_EHOSTUNREACH);
    unsigned times = 0;
    while (!(rig_ready(r) & ESTAB_SOFT_ERROR)) {
        advance_to_next(r, 60 * SECOND);
        rig_discard(r);
        times++;
    }
    assert_int_equal(times, 3);
    assert_int_equal(rig_status(r).soft_error, -ESTAB_ETIMEDOUT);
    inject(r, .flags = ACK | URG, .seq = 1, .ack = 1, .length = 10, .up = 5);
    assert_true(rig_ready(r) & ESTAB_URGENT_MARK);
    expect_state(r, ESTAB_ESTABLISHED);
    rig_discard(r);
    rig_stop(r);
}

/* U-9: behind a closed window the user may still abort, and nothing is left of the connection. */
static void closed_window_can_be_aborted(void **state)
{
    (void)state;
    struct estab_memory memory;
    struct rig *r = rig_at(AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
    rig_send(r, 5000, 0);
    for (unsigned i = 0; i < 5; i++) {
        advance_to_next(r, 60 * SECOND);
        expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1, .reason = ESTAB_REASON_WINDOW_PROBE);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = WND_ZERO);
    }
    rig_abort(r);
    expect(r, .flags = RST | ACK, .seq = 2, .ack = 1);
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.blocks_used, 0);
    assert_int_equal(memory.connections, 0);
    assert_int_equal(estab_next_deadline(r->stack), UINT64_MAX);
    rig_stop(r);
}

/* MAY-8: a user that never reads keeps the window closed; every probe is answered, for a day. */
static void reader_may_keep_the_window_closed(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    uint32_t at = 1;
    while (at <= RCV_BUFFER) {
        uint32_t length = RCV_BUFFER + 1 - at < MSS ? RCV_BUFFER + 1 - at : MSS;
        inject(r, .flags = ACK, .seq = at, .ack = 1, .length = length);
        at += length;
        rig_discard(r);
    }
    for (unsigned minute = 0; minute < 24 * 60; minute++) {
        advance(r, 60 * SECOND);
        rig_discard(r);
        inject(r, .flags = ACK, .seq = at, .ack = 1, .length = 1);
        expect(r, .flags = ACK, .seq = 1, .ack = at, .wnd = 0);
        assert_int_equal(r->last.wnd, 0);
    }
    expect_state(r, ESTAB_ESTABLISHED);
    assert_int_equal(rig_read(r, RCV_BUFFER), RCV_BUFFER);
    rig_discard(r);
    rig_stop(r);
}

static void expect_one_answer_at_most(enum place place, unsigned flags, unsigned k)
{
    static const uint32_t off[] = {0, 1, RCV_BUFFER - 5, (uint32_t)-1};
    struct rig *r = rig_at(place);
    struct segment sent;
    inject(r, .flags = flags, .seq = places[place].rcv_nxt + off[k & 3],
           .ack = places[place].snd_nxt + off[k >> 2 & 3], .length = k & 16 ? 10 : 0, .up = 3);
    unsigned answers = 0;
    while (rig_take(r, &sent)) {
        answers++;
        assert_int_equal(sent.length, 0);
    }
    assert_true(answers <= 1);
    rig_stop(r);
}

/* F-INV-3, R5681-22: nothing waits to be sent, so whatever arrives brings one segment or none. */
static void one_arrival_brings_one_answer_at_most(void **state)
{
    (void)state;
    unsigned step = ESTAB_TEST_SLOW ? 7 : 1;
    for (enum place place = AT_CLOSED; place < PLACES; place++) {
        for (unsigned flags = 0; flags < 64; flags++) {
            for (unsigned k = flags % step; k < 32; k += step) {
                expect_one_answer_at_most(place, flags, k);
            }
        }
    }
}

/* ---- what cannot be guessed ---- */

static void ports_of(uint8_t secret, uint16_t *ports, unsigned count)
{
    struct rig_options options;
    rig_defaults(&options);
    options.config.secret[5] = secret;
    options.far_from_wrap = true;
    struct rig *r = rig_start(&options);
    struct estab_addr peer = rig_peer(r, PEER_PORT);
    for (unsigned i = 0; i < count; i++) {
        struct segment sent;
        estab_conn conn;
        assert_int_equal(estab_open(r->stack, &conn), 0);
        assert_int_equal(estab_connect(r->stack, r->now, conn, &peer), 0);
        rig_called(r);
        assert_true(rig_take(r, &sent));
        ports[i] = sent.local_port;
        assert_int_equal(estab_abort(r->stack, r->now, conn), 0);
        rig_called(r);
    }
    rig_stop(r);
}

/*
 * R6056-01, R6056-04, R6056-06, O-27: ports of one peer come from all over 1024 to 65535, evenly, and neither
 * the one before nor another stack tells the next.
 */
static void ports_are_spread_over_the_whole_range(void **state)
{
    (void)state;
    enum { COUNT = 2016, CELLS = 63 };
    static uint16_t ports[COUNT], others[COUNT];
    unsigned cells[CELLS] = {0}, steps[CELLS] = {0}, same = 0;
    ports_of(1, ports, COUNT);
    ports_of(2, others, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_true(ports[i] >= 1024);
        cells[(ports[i] - 1024) / 1024]++;
        unsigned step = (unsigned)(ports[i] - ports[i == 0 ? COUNT - 1 : i - 1] + 64512) % 64512;
        steps[step / 1024]++;
        same += ports[i] == others[i];
    }
    for (unsigned i = 0; i < CELLS; i++) { /* 32 expected, the deviation is 5.6 */
        assert_in_range(cells[i], 4, 66);
        assert_in_range(steps[i], 4, 66);
    }
    assert_true(same < 5);
}

/* ---- limits and aims of blind attackers ---- */

/* R5961-13: the number of challenge ACKs a second is the config's. */
static void challenge_limit_can_be_set(void **state)
{
    (void)state;
    for (unsigned limit = 1; limit < 8; limit++) {
        struct rig_options options;
        rig_defaults(&options);
        options.config.challenge_acks = limit;
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_ESTABLISHED);
        advance(r, SECOND - r->now % SECOND);
        for (unsigned i = 0; i < 20; i++) {
            inject(r, .flags = SYN, .seq = 50);
            if (i < limit) {
                expect(r, .flags = ACK, .seq = 1, .ack = 1);
            }
            expect_nothing(r);
        }
        rig_stop(r);
    }
}

/* MUST-54, R5927-02, O-29: an error about another port is not ours, whatever sequence number it quotes. */
static void icmp_error_about_another_port_is_dropped(void **state)
{
    (void)state;
    for (uint16_t port = LOCAL_PORT; port < LOCAL_PORT + 2; port++) {
        struct rig *r = rig_start(NULL);
        struct estab_addr local = rig_local(r, port);
        struct estab_addr peer = rig_peer(r, PEER_PORT);
        assert_int_equal(estab_open(r->stack, &r->conn), 0);
        assert_int_equal(estab_bind(r->stack, r->now, r->conn, &local), 0);
        assert_int_equal(estab_connect(r->stack, r->now, r->conn, &peer), 0);
        rig_called(r);
        expect(r, .flags = SYN, .seq = 0, .local_port = port);
        rig_inject_icmp(r, 3, 3, 0, 0); /* port unreachable, about LOCAL_PORT */
        expect_state(r, port == LOCAL_PORT ? ESTAB_CLOSED : ESTAB_SYN_SENT);
        assert_int_equal(rig_counters(r).icmp_errors_delivered, port == LOCAL_PORT);
        rig_stop(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_are_reported_as_they_come),
        cmocka_unit_test(closed_window_can_be_aborted),
        cmocka_unit_test(reader_may_keep_the_window_closed),
        cmocka_unit_test(one_arrival_brings_one_answer_at_most),
        cmocka_unit_test(ports_are_spread_over_the_whole_range),
        cmocka_unit_test(challenge_limit_can_be_set),
        cmocka_unit_test(icmp_error_about_another_port_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
