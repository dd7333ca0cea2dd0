/*
 * TCP options whose length is a lie (RFC 9293 3.1, 3.2, MUST-6, MUST-7, MUST-64): picoTCP CVE-2020-24337, uIP
 * CVE-2020-13988, FreeRTOS CVE-2018-16523 and 16524; and sizes, shifts and clocks of a SYN at their extremes
 * (CVE-2017-14106). What is lawful is said by a walk of this file's own over the forty bytes, which also
 * counts its steps.
 */
#include "attack/victim.h"

#include "wire/tcp_header.h"

#define ROOM 40u

/* True where every option is lawful; at most forty steps, one a byte. */
static bool options_lawful(const uint8_t options[ROOM])
{
    static const uint8_t lengths[] = {[2] = 4, [3] = 3, [4] = 2, [8] = 10};
    unsigned steps = 0;
    for (unsigned at = 0; at < ROOM && options[at] != 0;) {
        assert_true(++steps <= 40);
        if (options[at] == 1) {
            at++;
            continue;
        }
        unsigned kind = options[at];
        if (at + 1 == ROOM) {
            return false;
        }
        unsigned length = options[at + 1];
        bool fixed = kind < sizeof lengths && lengths[kind] != 0;
        if (length < 2 || at + length > ROOM || (fixed && length != lengths[kind]) ||
            (kind == 5 && (length < 10 || length % 8 != 2))) {
            return false;
        }
        at += length;
    }
    return true;
}

static void input_with(struct victim *v, unsigned flags, uint32_t seq, uint32_t ack,
                       const uint8_t options[ROOM])
{
    uint8_t packet[80];
    put_ipv4(packet, 5, V_TCP, 60);
    put_tcp(packet + 20, 15, flags, seq, ack);
    if (flags == V_SYN) {
        put16(packet + 20, 7777);
    }
    memcpy(packet + 40, options, ROOM);
    seal_tcp(packet + 20, 60, false);
    victim_input(v, packet, sizeof packet);
}

/* In a SYN to the listener: one answer that is a SYN,ACK, or none; then a RST makes room again. */
static void try_syn(struct victim *v, const uint8_t options[ROOM], bool lawful)
{
    uint8_t reset[64];
    input_with(v, V_SYN, 100, 0, options);
    if (!lawful) {
        assert_int_equal(v->drop, ESTAB_DROP_TCP_OPTION);
        assert_false(victim_sends(v));
        return;
    }
    assert_int_equal(v->drop, ESTAB_DROP_NONE);
    assert_true(victim_sends(v));
    assert_int_equal(v->out[33], V_SYN | V_ACK);
    assert_false(victim_sends(v));
    put_segment(reset, false, V_RST, 101, 0);
    put16(reset + 20, 7777);
    seal_tcp(reset + 20, 20, false);
    victim_input(v, reset, 40);
    assert_false(victim_sends(v));
}

/*
 * V-02: every kind 0..255 x length 0..41 x offset 0..39, in an ACK of a connection and in a SYN: 430,080
 * each. What is unlawful is dropped and counted; the walk is right about each, and it is within 40 steps.
 */
static void v02_every_kind_length_and_place(void **state)
{
    (void)state;
    unsigned long cases = 0;
    struct victim *v = victim_start(false);
    estab_conn conn = victim_connected(v, false);
    for (unsigned kind = 0; kind < 256; kind += ESTAB_TEST_SLOW && kind > 16 ? 13 : 1) {
        for (unsigned i = 0; i < 42 * ROOM; i++) {
            uint8_t options[ROOM + 1];
            memset(options, 1, sizeof options);
            options[i % ROOM] = (uint8_t)kind;
            options[i % ROOM + 1] = (uint8_t)(i / ROOM);
            bool lawful = options_lawful(options);
            input_with(v, V_ACK, v->peer_nxt, v->victim_nxt, options);
            assert_int_equal(v->drop, lawful ? ESTAB_DROP_NONE : ESTAB_DROP_TCP_OPTION);
            assert_false(victim_sends(v));
            try_syn(v, options, lawful);
            cases++;
        }
        victim_check(v);
    }
    assert_true(ESTAB_TEST_SLOW || cases >= 420000);
    assert_int_equal(victim_status(v, conn).state, ESTAB_ESTABLISHED);
    victim_stop(v);
}

/*
 * V-02: the same with a header that is shorter than forty bytes of options: none reads into the text behind.
 */
static void v02_an_option_never_reaches_into_the_text(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    estab_conn conn = victim_connected(v, false);
    for (unsigned words = 6; words <= 15; words++) {
        for (unsigned kind = 2; kind < 256; kind++) {
            for (unsigned length = 2; length < 44; length++) {
                uint8_t packet[128];
                unsigned room = words * 4 - 20;
                put_ipv4(packet, 5, V_TCP, words * 4 + 40);
                put_tcp(packet + 20, words, V_ACK, v->peer_nxt - 100, v->victim_nxt);
                memset(packet + 20 + words * 4, 1, 40); /* old text that would pass for NOPs */
                packet[40] = (uint8_t)kind;
                packet[41] = (uint8_t)length;
                seal_tcp(packet + 20, words * 4 + 40, false);
                victim_input(v, packet, 20 + words * 4 + 40);
                bool known = kind <= 5 || kind == 8;
                assert_true(length <= room || v->drop == ESTAB_DROP_TCP_OPTION);
                assert_true(length > room || known || v->drop != ESTAB_DROP_TCP_OPTION);
                victim_drain(v);
            }
        }
    }
    assert_int_equal(victim_status(v, conn).rcv_nxt, v->peer_nxt);
    victim_stop(v);
}

/* A connection whose SYN said this; returns its status. */
static struct estab_status opened_by(bool v6, uint16_t mss, unsigned shift, uint32_t stamp)
{
    uint8_t packet[128];
    estab_conn conn = 0;
    struct victim *v = victim_start(false);
    size_t at = put_ip(packet, v6, V_TCP, 40);
    put_tcp(packet + at, 10, V_SYN, VICTIM_ISN, 0);
    const uint8_t options[20] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss, 1, 3, 3, (uint8_t)shift, 8, 10};
    memcpy(packet + at + 20, options, 20);
    put32(packet + at + 30, stamp);
    seal_tcp(packet + at, 40, v6);
    victim_input(v, packet, at + 40);
    assert_true(victim_sends(v));
    uint32_t ack = get32(v->out + at + 4) + 1;
    put_tcp(packet + at, 8, V_ACK, VICTIM_ISN + 1, ack);
    packet[at + 22] = 8;
    packet[at + 23] = 10;
    put32(packet + at + 24, stamp + 1);
    memset(packet + at + 28, 0, 4);
    put_ip(packet, v6, V_TCP, 32);
    seal_tcp(packet + at, 32, v6);
    victim_input(v, packet, at + 32);
    assert_int_equal(estab_accept(v->stack, v->now, v->listener, &conn), 0);
    uint8_t text[9000] = {0};
    assert_int_equal(estab_send(v->stack, v->now, conn, text, sizeof text, 0), sizeof text);
    while (victim_sends(v)) {
        assert_true(v->out_length <= 1500);
    }
    victim_wait(v, 400 * VICTIM_SECOND / 1000); /* and once more by the timeout */
    struct estab_status status = victim_status(v, conn);
    victim_stop(v);
    return status;
}

/*
 * V-14: MSS {0, 1} and their neighbours x window scale 15..255 x TSval at all extremes: MSS 0 counts as none,
 * what is tiny is raised to the floor of 88 (76 of text beside timestamps), no shift is above 14; UBSan sees
 * no division and no shift that is none.
 */
static void v14_sizes_and_shifts_are_clamped(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {0, 1, 2, 87, 88, 65535};
    static const uint32_t stamps[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned shift = 13; shift < 256; shift += ESTAB_TEST_SLOW && shift > 32 ? 37 : 1) {
            for (unsigned v6 = 0; v6 < 2; v6++) {
                struct estab_status status = opened_by(v6, sizes[i], shift, stamps[(shift + i) % 6]);
                uint32_t mss = sizes[i] == 0 ? (v6 ? 1220u : 536u) : sizes[i] < 88 ? 88u : sizes[i];
                uint32_t most = v6 ? 1440 : 1460;
                assert_int_equal(status.snd_mss, (mss < most ? mss : most) - 12);
                assert_int_equal(status.snd_wnd_shift, shift < 14 ? shift : 14);
                assert_true(status.rcv_wnd_shift <= 14);
            }
        }
    }
}

/* No option reaches beyond `room`, at most that of the header. */
static bool options_within(const uint8_t *options, unsigned room)
{
    unsigned at = 0;
    while (at < room && options[at] != 0) {
        if (options[at] != 1 && at + 1 == room) {
            return false;
        }
        at += options[at] == 1 ? 1 : options[at + 1];
    }
    return at <= room;
}

/* What twenty lawful bytes of options say, one after the other. */
static void read_slowly(const uint8_t *options, bool syn, struct tcp_options *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned at = 0; at < 20 && options[at] != 0; at += options[at] == 1 ? 1 : options[at + 1]) {
        const uint8_t *value = options + at + 2;
        if (options[at] == 2 && syn && get16(value) != 0) {
            out->has_mss = true;
            out->mss = get16(value);
        } else if (options[at] == 3 && syn) {
            out->has_window_scale = true;
            out->window_scale = value[0];
        } else if (options[at] == 4 && syn) {
            out->sack_permitted = true;
        } else if (options[at] == 8) {
            out->has_timestamps = true;
            out->tsval = get32(value);
            out->tsecr = get32(value + 4);
        }
    }
}

/*
 * V-02, V-14: the form that nearly every SYN has, with each of its bytes at each value, in a SYN and in an
 * ACK: what is read in one piece is what is read option by option.
 */
static void v02_the_usual_options_with_one_byte_changed(void **state)
{
    (void)state;
    static const uint8_t usual[20] = {2, 4, 5, 0, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7};
    for (unsigned i = 0; i < 20 * 256 * 2; i++) {
        uint8_t options[ROOM] = {0};
        uint8_t tcp[40];
        struct tcp_segment seg;
        struct tcp_options want;
        bool syn = i & 1;
        memcpy(options, usual, 20);
        options[i / 2 % 20] = (uint8_t)(i / 40);
        put_tcp(tcp, 10, syn ? V_SYN : V_ACK, 1, 2);
        memcpy(tcp + 20, options, 20);
        bool lawful = tcp_segment_parse(tcp, sizeof tcp, &seg) == TCP_PARSED;
        assert_int_equal(lawful, options_lawful(options) && options_within(options, 20));
        if (!lawful || seg.options.sack_count > 0) {
            continue;
        }
        read_slowly(options, syn, &want);
        assert_int_equal(seg.options.has_mss, want.has_mss);
        assert_int_equal(seg.options.mss, want.mss);
        assert_int_equal(seg.options.has_window_scale, want.has_window_scale);
        assert_int_equal(seg.options.window_scale, want.window_scale);
        assert_int_equal(seg.options.sack_permitted, want.sack_permitted);
        assert_int_equal(seg.options.has_timestamps, want.has_timestamps);
        assert_int_equal(seg.options.tsval, want.tsval);
        assert_int_equal(seg.options.tsecr, want.tsecr);
    }
}

/* What a connection of ours negotiated with a peer whose SYN,ACK has all options, or none. */
static struct estab_status negotiated(bool offered, bool answered)
{
    struct estab_config config;
    estab_conn conn;
    uint8_t packet[128];
    struct estab_addr peer = victim_address(false, 1, PEER_TCP_PORT);
    victim_config(&config);
    config.no_sack = config.no_timestamps = config.no_window_scale = !offered;
    struct victim *v = victim_create(&config, false, 0);
    assert_int_equal(estab_open(v->stack, &conn), 0);
    assert_int_equal(estab_connect(v->stack, v->now, conn, &peer), 0);
    assert_true(victim_sends(v));
    static const uint8_t options[20] = {2, 4, 4, 0, 3, 3, 5, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    unsigned words = answered ? 10 : 5;
    put_ipv4(packet, 5, V_TCP, words * 4);
    put_tcp(packet + 20, words, V_SYN | V_ACK, 77, get32(v->out + 24) + 1);
    put16(packet + 22, get16(v->out + 20));
    if (answered) {
        memcpy(packet + 40, options, 20);
        memcpy(packet + 55, v->out + (offered ? 48 : 20), 4); /* some TSecr: any will do */
    }
    seal_tcp(packet + 20, words * 4, false);
    victim_input(v, packet, 20 + words * 4);
    struct estab_status status = victim_status(v, conn);
    assert_int_equal(status.state, ESTAB_ESTABLISHED);
    victim_stop(v);
    return status;
}

/* V-14: an option holds where both offered it, and nowhere else: none is made up, none forced on us. */
static void v14_only_what_both_offered_is_negotiated(void **state)
{
    (void)state;
    for (unsigned run = 0; run < 4; run++) {
        struct estab_status status = negotiated(run & 1, run & 2);
        bool both = run == 3;
        assert_int_equal(status.sack, both);
        assert_int_equal(status.timestamps, both);
        assert_int_equal(status.window_scale, both);
        assert_int_equal(status.snd_wnd_shift, both ? 5 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v02_every_kind_length_and_place),
        cmocka_unit_test(v02_an_option_never_reaches_into_the_text),
        cmocka_unit_test(v02_the_usual_options_with_one_byte_changed),
        cmocka_unit_test(v14_sizes_and_shifts_are_clamped),
        cmocka_unit_test(v14_only_what_both_offered_is_negotiated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
