/*
 * What RFC 9293 3.1, 3.2 and 3.7.1, RFC 7323 and RFC 2018 ask of every segment, looked at as bytes: checksum,
 * the form of the options, which of them may stand where; and that windows have no sign. The log of the rig
 * is read here by the RFC's figures, neither by src/wire nor by the rig.
 */
#include "support/rig.h"

struct packet {
    const uint8_t *ip;
    size_t length; /* of the whole packet */
    const uint8_t *tcp;
    size_t tcp_length;
    size_t header; /* of TCP, options included */
    unsigned flags;
};

static unsigned word_at(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t add_words(uint32_t sum, const uint8_t *p, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        sum += (i & 1) != 0 ? p[i] : (uint32_t)p[i] << 8;
    }
    return sum;
}

static bool sums_up(uint32_t sum)
{
    while (sum > 0xffff) {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    return sum == 0xffff;
}

/* The next packet of the log from `*at` on; false at its end. */
static bool next_packet(const struct rig *r, size_t *at, struct packet *p)
{
    if (*at >= r->log_length) {
        return false;
    }
    p->ip = r->log + *at + 8;
    bool v6 = p->ip[0] >> 4 == 6;
    size_t head = v6 ? 40 : (size_t)(p->ip[0] & 15) * 4;
    p->length = v6 ? 40 + word_at(p->ip + 4) : word_at(p->ip + 2);
    p->tcp = p->ip + head;
    p->tcp_length = p->length - head;
    p->header = (size_t)(p->tcp[12] >> 4) * 4;
    p->flags = p->tcp[13];
    *at += 8 + p->length;
    assert_true(*at <= r->log_length && p->header >= 20 && p->header <= p->tcp_length);
    return true;
}

typedef void look(const struct packet *p);

/* Calls `look` for each packet that two sides with all options, or none, exchange in all states. */
static void look_at_all(look *look_at)
{
    for (unsigned i = 0; i < 4 * PLACES; i++) {
        enum place place = i / 4;
        struct rig_options options;
        struct packet p;
        size_t at = 0;
        unsigned seen = 0;
        rig_defaults(&options);
        options.v6 = (i & 1) != 0;
        options.log = true;
        options.timestamps = options.sack = (i & 2) != 0;
        options.wscale = (i & 2) != 0 ? 1 + 5 : 0;
        struct rig *r = rig_start(&options);
        rig_reach(r, place);
        uint32_t ack = places[place].snd_nxt;
        if (place == AT_ESTABLISHED || place == AT_CLOSE_WAIT) {
            rig_send(r, 333, 0);
            rig_discard(r);
            rig_send(r, 4000, ESTAB_URGENT);
            rig_discard(r);
        }
        inject(r, .flags = ACK, .seq = places[place].rcv_nxt + 9, .ack = ack, .length = 10);
        rig_discard(r);
        inject(r, .flags = ACK, .seq = places[place].rcv_nxt, .ack = ack, .length = 2);
        rig_discard(r);
        inject(r, .flags = SYN, .seq = places[place].rcv_nxt + 77);
        rig_discard(r);
        advance(r, 3 * SECOND); /* what is due again */
        rig_discard(r);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = PEER_PORT + 7);
        rig_discard(r);
        while (next_packet(r, &at, &p)) {
            look_at(&p);
            seen++;
        }
        assert_true(seen > 0);
        rig_stop(r);
    }
}

static void look_at_checksum(const struct packet *p)
{
    bool v6 = p->ip[0] >> 4 == 6;
    uint32_t sum = add_words(6 + (uint32_t)p->tcp_length, p->ip + (v6 ? 8 : 12), v6 ? 32 : 8);
    assert_true(sums_up(add_words(sum, p->tcp, p->tcp_length)));
}

/* MUST-2: IPv4 and IPv6, text of even and odd length or none, every flag that is ever sent. */
static void every_segment_has_its_checksum(void **state)
{
    (void)state;
    look_at_all(look_at_checksum);
}

static void look_at_options(const struct packet *p)
{
    const uint8_t *options = p->tcp + 20;
    size_t length = p->header - 20;
    size_t at = 0;
    while (at < length && options[at] != 0) {
        unsigned kind = options[at];
        size_t size = kind == 1 ? 1 : options[at + 1];
        assert_true(size >= (kind == 1 ? 1u : 2u) && at + size <= length);
        if (kind == 2 || kind == 3 || kind == 4) {
            assert_true(p->flags & SYN);
        }
        assert_true(kind != 5 || !(p->flags & SYN));
        at += size;
    }
    for (; at < length; at++) {
        assert_int_equal(options[at], 0);
    }
}

/* MUST-65, MUST-68, MUST-69, R2018-01: lengths, zero behind the end, and what belongs to a SYN only there. */
static void every_option_has_its_form_and_place(void **state)
{
    (void)state;
    look_at_all(look_at_options);
}

static void look_at_fragmenting(const struct packet *p)
{
    if (p->ip[0] >> 4 == 4) {
        assert_int_equal(word_at(p->ip + 6), 0x4000); /* don't fragment, and no fragment */
        assert_true(sums_up(add_words(0, p->ip, 20)));
    }
    assert_true(p->length <= 1500);
}

/* R7323-40: path MTU discovery needs that nobody cuts a packet on its way. */
static void no_segment_may_be_fragmented(void **state)
{
    (void)state;
    look_at_all(look_at_fragmenting);
}

static void look_at_reset(const struct packet *p)
{
    assert_true((p->flags & (SYN | RST)) != (SYN | RST));
    assert_true(!(p->flags & SYN) || p->tcp_length == p->header);
}

/* F-INV-1: no RST is a SYN at the same time. */
static void no_reset_carries_syn(void **state)
{
    (void)state;
    look_at_all(look_at_reset);
}

/* MUST-4: NOP, MSS and the end of the list in a SYN,ACK; behind the end there is nothing to be read. */
static void mandatory_options_are_understood(void **state)
{
    (void)state;
    static const uint8_t options[12] = {1, 1, 1, 2, 4, 700 >> 8, 700 & 255, 0, 2, 4, 1, 1};
    struct rig *r = rig_at(AT_SYN_SENT);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .raw = options, .raw_length = sizeof options);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_send(r, 1000, 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 700);
    rig_stop(r);
}

/* MUST-1: a peer's window above 0x7fff is used like any other. */
static void peers_window_has_no_sign(void **state)
{
    (void)state;
    static const int32_t windows[] = {0x7000, 0x7fff, 0x8000, 0x8001, 0xffff};
    for (unsigned i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        struct rig_options options;
        rig_defaults(&options);
        options.config.initial_window = 100;
        options.config.send_buffer = 100000;
        struct rig *r = rig_start(&options);
        r->wnd = windows[i];
        rig_reach(r, AT_ESTABLISHED);
        assert_int_equal(rig_status(r).snd_wnd, windows[i]);
        rig_send(r, 80000, 0);
        rig_discard(r);
        uint64_t flight = rig_status(r).bytes_in_flight;
        assert_in_range(flight, (uint64_t)windows[i] - MSS + 1, (uint64_t)windows[i]);
        rig_stop(r);
    }
}

/* MUST-1, REC-1: nor has our own; scaled ones need more than 16 bits, up to 2^30. */
static void windows_of_all_sizes_are_kept(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.receive_buffer = 65535;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    assert_int_equal(rig_status(r).rcv_wnd, 65535);
    inject(r, .flags = ACK, .seq = 1 + 65535 - 100, .ack = 1, .length = 100);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 65535);
    assert_int_equal(rig_status(r).receive_ahead, 100);
    rig_stop(r);
    options.wscale = 1 + 14;
    r = rig_start(&options);
    r->wnd = 65535;
    rig_reach(r, AT_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .wnd = 65535);
    assert_int_equal(rig_status(r).snd_wnd, 65535u << 14);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_segment_has_its_checksum),
        cmocka_unit_test(every_option_has_its_form_and_place),
        cmocka_unit_test(no_segment_may_be_fragmented),
        cmocka_unit_test(no_reset_carries_syn),
        cmocka_unit_test(mandatory_options_are_understood),
        cmocka_unit_test(peers_window_has_no_sign),
        cmocka_unit_test(windows_of_all_sizes_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
