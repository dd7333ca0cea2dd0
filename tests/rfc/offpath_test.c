/*
 * What an attacker who sees nothing can send (RFC 5961, 5927, 7323, 6191, 9293 3.9.2.2), by the ids O-.. of
 * the table of off-path rules. Those that are a rule of 3.10.7 as well stand in opening_test.c,
 * synchronized_test.c and text_test.c; those of the IP layer in tests/unit.
 */
#include "support/rig.h"

/* O-05: a flood of RSTs and spoofed SYNs leaves the listener usable. */
static void o05_listener_survives_a_flood_of_rst(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    rig_listen(r, 8);
    for (unsigned i = 0; i < 200; i++) {
        uint16_t port = (uint16_t)(PEER_PORT + 1 + i % 200);
        inject(r, .flags = RST, .seq = i, .port = port);
        inject(r, .flags = SYN, .seq = 0, .port = port);
        expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = port);
        inject(r, .flags = RST, .seq = 1, .port = port);
        expect_nothing(r);
    }
    struct estab_status status;
    assert_int_equal(estab_status(r->stack, r->listener, &status), 0);
    assert_int_equal(status.half_open, 0);
    inject(r, .flags = SYN, .seq = 0);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    inject(r, .flags = RST, .seq = 2); /* not at RCV.NXT: the half-open connection stays */
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_accept(r);
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

/* O-07, R7323-33: no PAWS for a RST, and its timestamp is not remembered. */
static void o07_rst_with_old_or_no_timestamp_counts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct rig *r = rig_with_timestamps(AT_ESTABLISHED);
        uint32_t old = r->peer_ts - 100000;
        if (i == 0) {
            inject(r, .flags = RST, .seq = 1, .check_ts = true, .tsval = old, .tsecr = 0);
        } else if (i == 1) {
            inject(r, .flags = RST, .seq = 1, .no_ts = true);
        } else {
            inject(r, .flags = RST, .seq = 2, .check_ts = true, .tsval = r->peer_ts + 5000, .tsecr = 0);
            expect(r, .flags = ACK, .seq = 1, .ack = 1);
            assert_int_equal(r->last.tsecr, r->peer_ts); /* no update */
            inject(r, .flags = RST, .seq = 1, .check_ts = true, .tsval = r->peer_ts + 5000, .tsecr = 0);
        }
        expect_nothing(r);
        expect_state(r, ESTAB_CLOSED);
        rig_stop(r);
    }
}

/* O-11, R6191-01..06, SHLD-4 */
static void o11_syn_in_time_wait_follows_rfc_6191(void **state)
{
    (void)state;
    static const struct {
        bool old_ts, syn_ts;
        int32_t newer;
        uint32_t seq; /* RCV.NXT is 2 */
        bool opens;
    } cases[] = {
        {true, true, 1, 1000, true},   {true, true, 1, 0xfffffff0, true}, {true, true, 0, 1000, true},
        {true, true, 0, 2, false},     {true, true, 0, 1, false},         {true, true, -1, 1000, false},
        {true, true, -1, 1, false},    {true, false, 0, 1000, true},      {true, false, 0, 2, false},
        {true, false, 0, 1, false},    {false, true, 0, 1000, true},      {false, true, 0, 1, true},
        {false, false, 0, 1000, true}, {false, false, 0, 2, false},       {true, true, INT32_MAX, 1, true},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig_options options;
        rig_defaults(&options);
        options.timestamps = cases[i].old_ts;
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_TIME_WAIT);
        struct estab_addr local = rig_local(r, LOCAL_PORT);
        assert_int_equal(estab_open(r->stack, &r->listener), 0);
        assert_int_equal(estab_set(r->stack, r->now, r->listener, ESTAB_OPTION_REUSE_ADDRESS, 1), 0);
        assert_int_equal(estab_bind(r->stack, r->now, r->listener, &local), 0);
        assert_int_equal(estab_listen(r->stack, r->now, r->listener, 4), 0);
        r->options.timestamps = cases[i].syn_ts;
        uint32_t tsval = r->peer_ts + (uint32_t)cases[i].newer;
        inject(r, .flags = SYN, .seq = cases[i].seq, .check_ts = true, .tsval = tsval, .tsecr = 0);
        if (cases[i].opens) {
            expect(r, .flags = SYN | ACK, .seq = 0, .ack = cases[i].seq + 1);
        } else {
            r->options.timestamps = cases[i].old_ts;
            expect(r, .flags = ACK, .seq = 2, .ack = 2);
            expect_state(r, ESTAB_TIME_WAIT);
        }
        rig_stop(r);
    }
}

/* O-20, U-8, R5961-12: so many in a second, and no more. */
static void o20_challenge_acks_are_limited_per_connection(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.challenge_acks = 0; /* the default: 2 */
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    advance(r, SECOND - r->now % SECOND);
    for (unsigned second = 0; second < 3; second++) {
        for (unsigned i = 0; i < 20; i++) {
            switch (i % 4) {
            case 0:
                inject(r, .flags = SYN, .seq = 100 + i);
                break;
            case 1:
                inject(r, .flags = RST, .seq = 100 + i);
                break;
            case 2:
                inject(r, .flags = ACK, .seq = 1, .ack = 500);
                break;
            default:
                inject(r, .flags = ACK, .seq = 0x80000000, .ack = 1);
                break;
            }
            if (i < 2) {
                expect(r, .flags = ACK, .seq = 1, .ack = 1);
            } else {
                expect_nothing(r);
            }
        }
        advance(r, SECOND);
    }
    rig_stop(r);
}

/* O-20, R5961-14: what is done to one connection does not show on another (the attack of CVE-2016-5696). */
static void o20_limit_of_one_connection_is_not_seen_on_another(void **state)
{
    (void)state;
    for (unsigned flood = 0; flood < 2; flood++) {
        struct rig_options options;
        rig_defaults(&options);
        options.config.challenge_acks = 0;
        struct rig *r = rig_start(&options);
        rig_listen(r, 4);
        for (uint16_t i = 0; i < 2; i++) {
            uint16_t port = (uint16_t)(PEER_PORT + i);
            inject(r, .flags = SYN, .seq = 0, .port = port);
            expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = port);
            inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = port);
        }
        for (unsigned i = 0; flood == 1 && i < 300; i++) {
            inject(r, .flags = SYN, .seq = 5, .port = PEER_PORT + 1);
            rig_discard(r);
        }
        for (unsigned i = 0; i < 4; i++) {
            inject(r, .flags = RST, .seq = 5);
            if (i < 2) {
                expect(r, .flags = ACK, .seq = 1, .ack = 1);
            }
            expect_nothing(r);
        }
        rig_stop(r);
    }
}

/* O-21, R7323-35, R7323-36 */
static void o21_old_timestamp_is_acknowledged_and_dropped(void **state)
{
    (void)state;
    static const uint32_t older[] = {1, 2, 1000, 0x7ffffffe, 0x7fffffff, 0x80000000};
    for (enum place place = AT_ESTABLISHED; place < AT_TIME_WAIT; place++) {
        struct rig *r = rig_with_timestamps(place);
        for (unsigned i = 0; i < 6; i++) {
            inject(r, .flags = ACK | PSH, .seq = places[place].rcv_nxt, .ack = places[place].snd_nxt,
                   .length = 10, .check_ts = true, .tsval = r->peer_ts - older[i], .tsecr = r->last_tsval);
            expect(r, .flags = ACK, .seq = places[place].snd_nxt, .ack = places[place].rcv_nxt);
            assert_int_equal(r->drop, ESTAB_DROP_PAWS);
            expect_state(r, places[place].state);
            inject(r, .flags = ACK, .seq = 0x70000000, .ack = places[place].snd_nxt, .check_ts = true,
                   .tsval = r->peer_ts - older[i],
                   .tsecr = r->last_tsval); /* PAWS comes before the sequence check */
            rig_discard(r);
            assert_int_equal(r->drop, ESTAB_DROP_PAWS);
        }
        assert_int_equal(rig_status(r).receive_queued, 0);
        rig_stop(r);
    }
}

/* R7323-39: after 24 days of silence the remembered timestamp is void. */
static void o21_timestamp_is_void_after_24_days(void **state)
{
    (void)state;
    struct rig *r = rig_with_timestamps(AT_ESTABLISHED);
    r->unchecked = true;
    advance(r, 24 * 86400 * SECOND - SECOND);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10, .check_ts = true, .tsval = r->peer_ts - 1,
           .tsecr = 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    advance(r, 3 * SECOND);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10, .check_ts = true, .tsval = r->peer_ts - 1,
           .tsecr = 0);
    expect_nothing(r);
    assert_int_equal(rig_status(r).receive_queued, 10);
    rig_stop(r);
}

/* R7323-27, O-22, R7323-29, R7323-30 */
static void o22_timestamp_is_taken_from_the_left_edge_only(void **state)
{
    (void)state;
    struct rig *r = rig_with_timestamps(AT_ESTABLISHED);
    uint32_t ts = r->peer_ts;
    inject(r, .flags = ACK, .seq = 101, .ack = 1, .length = 10, .check_ts = true, .tsval = ts + 500,
           .tsecr = 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1); /* ahead of a gap: not taken */
    assert_int_equal(r->last.tsecr, ts);
    inject(r, .flags = ACK, .seq = 1, .ack = 77, .length = 10, .check_ts = true, .tsval = ts + 600,
           .tsecr = 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1); /* its ACK is not believed (V-28) */
    assert_int_equal(r->last.tsecr, ts);
    inject(r, .flags = ACK, .seq = 0x70000000, .ack = 1, .length = 10, .check_ts = true, .tsval = ts + 700,
           .tsecr = 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1); /* outside the window */
    assert_int_equal(r->last.tsecr, ts);
    inject(r, .flags = 0, .seq = 1, .length = 10, .check_ts = true, .tsval = ts + 800,
           .tsecr = 0); /* no ACK bit */
    expect_nothing(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100, .check_ts = true, .tsval = ts + 3, .tsecr = 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 111);
    assert_int_equal(r->last.tsecr, ts + 3);
    rig_stop(r);
}

/* R7323-26: of segments that wait for one ACK the oldest timestamp is echoed. */
static void o22_delayed_ack_echoes_the_earlier_timestamp(void **state)
{
    (void)state;
    struct rig *r = rig_with_timestamps(AT_ESTABLISHED);
    uint32_t ts = r->peer_ts;
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1448, .check_ts = true, .tsval = ts + 10,
           .tsecr = 0);
    inject(r, .flags = ACK, .seq = 1449, .ack = 1, .length = 1448, .check_ts = true, .tsval = ts + 20,
           .tsecr = 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 2897);
    assert_int_equal(r->last.tsecr, ts + 10);
    rig_stop(r);
}

/* O-23, R7323-20, R7323-21 */
static void o23_segment_without_timestamp_is_dropped_in_silence(void **state)
{
    (void)state;
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place < PLACES; place++) {
        struct rig *r = rig_with_timestamps(place);
        uint32_t una = places[place].snd_una;
        inject(r, .flags = ACK | PSH, .seq = places[place].rcv_nxt, .ack = una, .length = 10, .no_ts = true);
        inject(r, .flags = ACK, .seq = 0x70000000, .ack = 77, .no_ts = true);
        inject(r, .flags = FIN | ACK, .seq = places[place].rcv_nxt, .ack = places[place].snd_nxt,
               .no_ts = true);
        expect_nothing(r);
        expect_state(r, places[place].state);
        rig_stop(r);
    }
}

/* O-25: an echo of what was never sent is no measurement. */
static void o25_timestamp_echo_that_was_never_sent_is_not_used(void **state)
{
    (void)state;
    static const int32_t off[] = {1, 1000, 0x7fffffff, -1000 * 1000, INT32_MIN};
    for (unsigned i = 0; i < 5; i++) {
        struct rig_options options;
        rig_defaults(&options);
        options.timestamps = true;
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_SYN_SENT);
        advance(r, SECOND);
        expect(r, .flags = SYN, .seq = 0); /* twice: no sample from the handshake */
        uint32_t forged = r->last_tsval + (uint32_t)off[i];
        inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .check_ts = true, .tsval = r->peer_ts,
               .tsecr = forged);
        expect(r, .flags = ACK, .seq = 1, .ack = 1);
        rig_send(r, 10, 0);
        expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 10);
        advance_to_next(r, 5 * SECOND);
        rig_discard(r);
        forged = r->last_tsval + (uint32_t)off[i];
        inject(r, .flags = ACK, .seq = 1, .ack = 11, .check_ts = true, .tsval = r->peer_ts, .tsecr = forged);
        assert_int_equal(rig_status(r).srtt_ns, 0);
        rig_stop(r);
    }
}

/* ---- ICMP ---- */

struct icmp_case {
    unsigned type, code;
    int error;
    bool hard;
};

static const struct icmp_case icmp_v4[] = {
    {3, 0, -ESTAB_ENETUNREACH, false},  {3, 1, -ESTAB_EHOSTUNREACH, false},
    {3, 5, -ESTAB_EHOSTUNREACH, false}, {11, 0, -ESTAB_EHOSTUNREACH, false},
    {12, 0, -ESTAB_EPROTO, false},      {3, 2, -ESTAB_ECONNREFUSED, true},
    {3, 3, -ESTAB_ECONNREFUSED, true},  {3, 13, -ESTAB_EACCES, false},
};
static const struct icmp_case icmp_v6[] = {
    {1, 0, -ESTAB_ENETUNREACH, false}, {1, 3, -ESTAB_EHOSTUNREACH, false}, {3, 0, -ESTAB_EHOSTUNREACH, false},
    {4, 0, -ESTAB_EPROTO, false},      {1, 4, -ESTAB_ECONNREFUSED, true},  {4, 1, -ESTAB_ECONNREFUSED, true},
    {1, 1, -ESTAB_EACCES, false},
};

static struct rig *icmp_rig(bool v6, enum place place)
{
    struct rig_options options;
    rig_defaults(&options);
    options.v6 = v6;
    struct rig *r = rig_start(&options);
    rig_reach(r, place);
    return r;
}

/* O-29, O-30, R5927-01, R5927-03, MUST-54, MUST-56, MUST-47: soft, and only about what is in flight. */
static void o29_icmp_error_in_a_synchronized_state_is_advice(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        const struct icmp_case *cases = v6 ? icmp_v6 : icmp_v4;
        for (unsigned i = 0; i < (v6 ? 7 : 8); i++) {
            static const uint32_t wrong[] = {0, 101, 0x80000001, 0xffffffff};
            static const uint32_t right[] = {1, 50, 100};
            struct rig *r = icmp_rig(v6 == 1, AT_ESTABLISHED);
            rig_send(r, 100, 0);
            rig_discard(r);
            rig_ready(r);
            for (unsigned k = 0; k < 4; k++) {
                rig_inject_icmp(r, cases[i].type, cases[i].code, wrong[k], 0);
                assert_int_equal(rig_status(r).soft_error, 0);
                assert_int_equal(r->drop, ESTAB_DROP_ICMP);
            }
            for (unsigned k = 0; k < 3; k++) {
                rig_inject_icmp(r, cases[i].type, cases[i].code, right[k], 0);
                expect_nothing(r);
                expect_state(r, ESTAB_ESTABLISHED);
            }
            assert_int_equal(rig_status(r).soft_error, cases[i].error);
            assert_true(rig_ready(r) & ESTAB_SOFT_ERROR);
            assert_int_equal(rig_counters(r).icmp_errors_delivered, 3);
            rig_stop(r);
        }
    }
}

/* SHLD-20: nobody is told who does not want to know. */
static void o30_soft_errors_can_be_switched_off(void **state)
{
    (void)state;
    struct rig *r = icmp_rig(false, AT_ESTABLISHED);
    rig_set(r, ESTAB_OPTION_SOFT_ERRORS, 0);
    rig_send(r, 100, 0);
    rig_discard(r);
    rig_ready(r);
    rig_inject_icmp(r, 3, 1, 1, 0);
    assert_false(rig_ready(r) & ESTAB_SOFT_ERROR);
    rig_stop(r);
}

/* O-31, SHLD-26, SHLD-25 */
static void o31_hard_icmp_error_in_syn_sent_refuses(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        const struct icmp_case *cases = v6 ? icmp_v6 : icmp_v4;
        for (unsigned i = 0; i < (v6 ? 7 : 8); i++) {
            struct rig *r = icmp_rig(v6 == 1, AT_SYN_SENT);
            rig_inject_icmp(r, cases[i].type, cases[i].code, 1, 0);
            rig_inject_icmp(r, cases[i].type, cases[i].code, 0xffffffff, 0);
            expect_state(r, ESTAB_SYN_SENT);
            assert_int_equal(rig_status(r).soft_error, 0);
            rig_inject_icmp(r, cases[i].type, cases[i].code, 0, 0);
            expect_nothing(r);
            if (cases[i].hard) {
                expect_state(r, ESTAB_CLOSED);
                assert_int_equal(rig_status(r).error, cases[i].error);
            } else {
                expect_state(r, ESTAB_SYN_SENT);
                assert_int_equal(rig_status(r).soft_error, cases[i].error);
            }
            rig_stop(r);
        }
    }
}

/* O-32, MUST-55 */
static void o32_source_quench_is_dropped(void **state)
{
    (void)state;
    struct rig *r = icmp_rig(false, AT_ESTABLISHED);
    rig_send(r, 100, 0);
    rig_discard(r);
    uint32_t cwnd = rig_status(r).cwnd;
    rig_inject_icmp(r, 4, 0, 1, 0);
    expect_nothing(r);
    assert_int_equal(rig_status(r).cwnd, cwnd);
    assert_int_equal(rig_status(r).soft_error, 0);
    assert_int_equal(rig_counters(r).icmp_errors_delivered, 0);
    rig_stop(r);
}

/*
 * O-33, R5927-05: only about what is in flight, never below the floor; what was too big goes again in
 * smaller pieces.
 */
static void o33_packet_too_big_lowers_the_segment_to_the_floor(void **state)
{
    (void)state;
    static const struct {
        bool v6;
        uint32_t told, mtu;
    } cases[] = {
        {false, 1400, 1400}, {false, 1000, 1000}, {false, 552, 552},  {false, 551, 552},
        {false, 68, 552},    {false, 1, 552},     {true, 1400, 1400}, {true, 1280, 1280},
        {true, 1279, 1500},  {true, 68, 1500},    {true, 0, 1500}, /* RFC 8201 4 */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool v6 = cases[i].v6;
        struct rig *r = icmp_rig(v6, AT_ESTABLISHED);
        uint32_t headers = v6 ? 60 : 40;
        rig_send(r, 1400, 0);
        rig_discard(r);
        uint32_t before = rig_status(r).snd_mss;
        rig_inject_icmp(r, v6 ? 2 : 3, v6 ? 0 : 4, 1401, cases[i].told); /* not in flight */
        rig_inject_icmp(r, v6 ? 2 : 3, v6 ? 0 : 4, 0, cases[i].told);
        expect_nothing(r);
        assert_int_equal(rig_status(r).snd_mss, before);
        rig_inject_icmp(r, v6 ? 2 : 3, v6 ? 0 : 4, 1, cases[i].told);
        assert_int_equal(rig_status(r).snd_mss, cases[i].mtu - headers);
        struct segment sent;
        uint32_t at = 1;
        while (rig_take(r, &sent)) {
            assert_int_equal(sent.seq, at);
            assert_true(sent.length <= cases[i].mtu - headers);
            at += sent.length;
        }
        assert_int_equal(at, cases[i].mtu < 1500 ? 1401 : 1);
        rig_inject_icmp(r, v6 ? 2 : 3, v6 ? 0 : 4, 1, 1500); /* never up again by a message */
        assert_int_equal(rig_status(r).snd_mss, cases[i].mtu - headers);
        rig_discard(r);
        rig_stop(r);
    }
}

/* ---- addresses ---- */

/* O-35, MUST-57, MUST-63 */
static void o35_syn_with_an_invalid_address_is_ignored(void **state)
{
    (void)state;
    struct estab_addr v4[] = {
        estab_addr_ipv4(0, 0, 0, 0, 0),         estab_addr_ipv4(0, 1, 2, 3, 0),
        estab_addr_ipv4(127, 0, 0, 1, 0),       estab_addr_ipv4(224, 0, 0, 1, 0),
        estab_addr_ipv4(10, 9, 0, 2, 0),        estab_addr_ipv4(239, 255, 1, 1, 0),
        estab_addr_ipv4(255, 255, 255, 255, 0), estab_addr_ipv4(10, 9, 0, 255, 0),
    };
    struct estab_addr v6[] = {
        {.ip = {0}}, {.ip = {0xff, 2, [15] = 1}}, {.ip = {[15] = 1}}, {.ip = {0xfd, 9, [15] = 2}}};
    for (unsigned six = 0; six < 2; six++) {
        struct estab_addr *bad = six ? v6 : v4;
        unsigned count = six ? 4 : 8;
        struct rig_options options;
        rig_defaults(&options);
        options.v6 = six == 1;
        struct rig *r = rig_start(&options);
        rig_listen(r, 8);
        for (unsigned i = 0; i < count; i++) {
            r->from = &bad[i];
            r->to = NULL;
            inject(r, .flags = SYN, .seq = 0);
            inject(r, .flags = SYN, .seq = 0, .port = LOCAL_PORT); /* LAND, where it is our own address */
            expect_nothing(r);
            bool own = six ? i == 3 : i == 4;
            r->from = NULL;
            r->to = &bad[i];
            if (!own) {
                inject(r, .flags = SYN, .seq = 0);
                inject(r, .flags = ACK, .seq = 0, .ack = 1);
                expect_nothing(r);
            }
        }
        r->from = r->to = NULL;
        struct estab_status status;
        assert_int_equal(estab_status(r->stack, r->listener, &status), 0);
        assert_int_equal(status.half_open, 0);
        rig_stop(r);
    }
}

/* O-41: RSTs for no connection are limited in rate. */
static void o41_resets_are_limited_in_rate(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.replies_per_second = 20; /* four remotes in a second, each five */
    struct rig *r = rig_start(&options);
    advance(r, SECOND - r->now % SECOND);
    for (unsigned second = 0; second < 3; second++) {
        for (unsigned i = 0; i < 20; i++) {
            inject(r, .flags = ACK, .seq = 1, .ack = 9);
            if (i < 5) {
                expect(r, .flags = RST, .seq = 9);
            }
            expect_nothing(r);
        }
        advance(r, SECOND);
    }
    assert_int_equal(rig_counters(r).resets_out, 15);
    assert_true(rig_counters(r).drops[ESTAB_DROP_REPLY_LIMIT] == 45);
    rig_stop(r);
}

/* MUST-3: one wrong bit anywhere in the segment, and nothing happens. */
static void wrong_checksum_is_dropped_in_every_state(void **state)
{
    (void)state;
    for (enum place place = AT_CLOSED; place < PLACES; place++) {
        struct rig *r = rig_at(place);
        uint8_t packet[2048];
        struct segment seg = {
            .flags = RST | ACK, .seq = places[place].rcv_nxt, .ack = places[place].snd_nxt, .length = 7};
        size_t length = rig_packet(r, &seg, packet);
        for (size_t bit = 20 * 8; bit < length * 8; bit++) {
            packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
            rig_input(r, packet, length);
            packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
            expect_nothing(r);
        }
        expect_state(r, places[place].state);
        rig_stop(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(o05_listener_survives_a_flood_of_rst),
        cmocka_unit_test(o07_rst_with_old_or_no_timestamp_counts),
        cmocka_unit_test(o11_syn_in_time_wait_follows_rfc_6191),
        cmocka_unit_test(o20_challenge_acks_are_limited_per_connection),
        cmocka_unit_test(o20_limit_of_one_connection_is_not_seen_on_another),
        cmocka_unit_test(o21_old_timestamp_is_acknowledged_and_dropped),
        cmocka_unit_test(o21_timestamp_is_void_after_24_days),
        cmocka_unit_test(o22_timestamp_is_taken_from_the_left_edge_only),
        cmocka_unit_test(o22_delayed_ack_echoes_the_earlier_timestamp),
        cmocka_unit_test(o23_segment_without_timestamp_is_dropped_in_silence),
        cmocka_unit_test(o25_timestamp_echo_that_was_never_sent_is_not_used),
        cmocka_unit_test(o29_icmp_error_in_a_synchronized_state_is_advice),
        cmocka_unit_test(o30_soft_errors_can_be_switched_off),
        cmocka_unit_test(o31_hard_icmp_error_in_syn_sent_refuses),
        cmocka_unit_test(o32_source_quench_is_dropped),
        cmocka_unit_test(o33_packet_too_big_lowers_the_segment_to_the_floor),
        cmocka_unit_test(o35_syn_with_an_invalid_address_is_ignored),
        cmocka_unit_test(o41_resets_are_limited_in_rate),
        cmocka_unit_test(wrong_checksum_is_dropped_in_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
