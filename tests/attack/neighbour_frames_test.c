/*
 * ARP (RFC 826) and neighbour discovery (RFC 4861 4, 7.1) in frames of each length: Ripple20 CVE-2020-11914,
 * lwIP CVE-2020-22283 and its length check that was lost again in 2026. All 28 bytes of ARP must have
 * arrived; an option of no length, or longer than what is left, ends the message; and each field that says
 * what kind of addresses follow is looked at. An answer shows that a frame was believed.
 */
#include "attack/victim.h"

enum { ARP_BYTES = 28, SOLICITATION_BYTES = 8 + 16 };

/* The peer asks for us, or answers: 1 or 2. */
static size_t put_arp(uint8_t *out, unsigned operation)
{
    size_t at = put_ethernet(out, 0x0806);
    uint8_t *arp = out + at;
    memset(arp, 0, ARP_BYTES);
    put16(arp, 1);
    put16(arp + 2, 0x0800);
    arp[4] = 6;
    arp[5] = 4;
    put16(arp + 6, operation);
    memcpy(arp + 8, peer_mac, 6);
    memcpy(arp + 14, victim_address(false, 1, 0).ip + 12, 4);
    memcpy(arp + 24, victim_address(false, 2, 0).ip + 12, 4);
    return at + ARP_BYTES;
}

static bool answered(struct victim *v)
{
    bool any = victim_sends(v);
    assert_false(victim_sends(v));
    return any;
}

/* V-10: ARP in frames of 0..60 bytes, each length: answered where 28 bytes of it arrived, padding or not. */
static void v10_arp_of_each_length(void **state)
{
    (void)state;
    struct victim *v = victim_start(true);
    for (size_t length = 0; length <= 60; length++) {
        uint8_t frame[64];
        memset(frame, 0xee, sizeof frame);
        put_arp(frame, 1);
        victim_input(v, frame, length);
        bool whole = length >= ETHERNET_BYTES + ARP_BYTES;
        assert_int_equal(answered(v), whole);
        assert_int_equal(v->drop == ESTAB_DROP_NONE, whole);
        if (whole) {
            assert_int_equal(v->out_length, ETHERNET_BYTES + ARP_BYTES);
        }
    }
    victim_check(v);
    victim_stop(v);
}

/*
 * V-10: each value of each byte that says what an ARP packet is; only Ethernet, IPv4, and the two operations
 * are.
 */
static void v10_arp_of_other_kinds_is_dropped(void **state)
{
    (void)state;
    static const uint8_t fixed[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    struct victim *v = victim_start(true);
    for (unsigned at = 0; at < sizeof fixed; at++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t frame[64];
            size_t length = put_arp(frame, 1);
            frame[ETHERNET_BYTES + at] = (uint8_t)value;
            victim_input(v, frame, length);
            assert_int_equal(answered(v), value == fixed[at]);
        }
    }
    victim_stop(v);
}

/* A frame whose Ethernet header is `change`d at one byte: true where the question in it was answered. */
static bool asked_with(struct victim *v, unsigned at, uint8_t value)
{
    uint8_t frame[64];
    size_t length = put_arp(frame, 1);
    frame[at] = value;
    victim_input(v, frame, length);
    return answered(v);
}

/*
 * V-10: the frame around it: for us or for a group, from one station that is not us, of a type that may be
 * ours; a sender inside of ARP that is a group, ourselves, a broadcast or another network is not believed.
 */
static void v10_frames_and_senders_that_cannot_be(void **state)
{
    (void)state;
    struct victim *v = victim_start(true);
    assert_true(asked_with(v, 5, victim_mac[5]));
    assert_false(asked_with(v, 5, 9));               /* for somebody else */
    assert_false(asked_with(v, 6, peer_mac[0] | 1)); /* from a group */
    assert_false(asked_with(v, 11, victim_mac[5]));  /* from us */
    assert_false(asked_with(v, 13, 0x05));
    assert_false(asked_with(v, 22, 3));             /* a sender that is a group */
    assert_false(asked_with(v, 27, victim_mac[5])); /* our MAC address */
    assert_false(asked_with(v, 31, 2));             /* our IP address */
    assert_false(asked_with(v, 31, 255));           /* the subnet's broadcast */
    assert_false(asked_with(v, 28, 224));           /* a group */
    assert_false(asked_with(v, 28, 127));           /* loopback */
    assert_false(asked_with(v, 30, 7));             /* another network */
    assert_false(asked_with(v, 41, 77));            /* asks for somebody else */
    uint8_t frame[64];
    put_arp(frame, 1);
    memset(frame, 0xff, 6);
    victim_input(v, frame, ETHERNET_BYTES + ARP_BYTES);
    assert_true(answered(v));
    victim_stop(v);
}

/*
 * V-10: types below 0x600 are lengths, a VLAN's frames are not ours: of all 65,536 types only three are
 * looked into.
 */
static void v10_every_type_of_frame(void **state)
{
    (void)state;
    struct victim *v = victim_start(true);
    for (unsigned type = 0; type < 65536; type++) {
        uint8_t frame[64];
        size_t length = put_arp(frame, 1);
        put16(frame + 12, type);
        victim_input(v, frame, length);
        assert_int_equal(answered(v), type == 0x0806);
        bool looked_into = type == 0x0806 || type == 0x0800 || type == 0x86dd;
        bool link = type < 0x600 || type == 0x8100 || type == 0x88a8;
        unsigned want = link ? ESTAB_DROP_LINK_HEADER : looked_into ? v->drop : ESTAB_DROP_LINK_TYPE;
        assert_int_equal(v->drop, want);
    }
    victim_stop(v);
}

/* ---- neighbour discovery ---- */

/* A solicitation for our address to its group, with `options` behind it. */
static size_t put_solicitation(uint8_t *out, const uint8_t *options, size_t length)
{
    size_t icmp = SOLICITATION_BYTES + length;
    size_t at = put_ethernet(out, 0x86dd);
    uint8_t *ip = out + at;
    at += put_ipv6(ip, V_ICMPV6, icmp);
    memset(out + at, 0, SOLICITATION_BYTES);
    out[at] = 135;
    memcpy(out + at + 8, victim_address(true, 2, 0).ip, 16);
    if (length > 0) {
        memcpy(out + at + SOLICITATION_BYTES, options, length);
    }
    seal_icmp(out + at, icmp, true);
    return at + icmp;
}

/* V-10: a solicitation cut at each byte, with a length that says so and one that does not. */
static void v10_a_solicitation_is_cut_at_each_byte(void **state)
{
    (void)state;
    static const uint8_t option[8] = {1, 1, 2, 0, 0, 0, 0, 2};
    struct victim *v = victim_start(true);
    for (size_t icmp = 0; icmp <= SOLICITATION_BYTES + 8; icmp++) {
        uint8_t frame[128];
        size_t head = ETHERNET_BYTES + 40;
        size_t whole = put_solicitation(frame, option, sizeof option);
        victim_input(v, frame, head + icmp);
        assert_int_equal(answered(v), head + icmp == whole);
        put16(frame + ETHERNET_BYTES + 4, (unsigned)icmp);
        seal_icmp(frame + head, icmp < 4 ? 4 : icmp, true);
        victim_input(v, frame, head + icmp);
        assert_int_equal(answered(v), icmp == SOLICITATION_BYTES || icmp == SOLICITATION_BYTES + 8);
    }
    victim_stop(v);
}

static bool options_whole(const uint8_t *options, size_t length)
{
    for (size_t at = 0; at < length;) {
        if (length - at < 2 || options[at + 1] == 0 || options[at + 1] * 8u > length - at) {
            return false;
        }
        at += options[at + 1] * 8u;
    }
    return true;
}

/*
 * V-10: options of every kind x length 0..255 x room 0..24, behind another or not: of length 0 or too long,
 * dropped.
 */
static void v10_options_of_no_length_or_too_long(void **state)
{
    (void)state;
    struct victim *v = victim_start(true);
    for (unsigned kind = 0; kind < 256; kind += ESTAB_TEST_SLOW && kind > 8 ? 9 : 1) {
        for (unsigned units = 0; units < 256; units++) {
            for (size_t room = 0; room <= 24; room++) {
                uint8_t frame[128];
                uint8_t options[24] = {14, 1, 9, 9, 9, 9, 9, 9}; /* a nonce, which nobody knows */
                size_t at = room > 12 ? 8 : 0;
                options[at] = (uint8_t)kind;
                options[at + 1] = (uint8_t)units;
                memset(options + at + 2, 2, 6);
                victim_input(v, frame, put_solicitation(frame, options, room));
                assert_int_equal(answered(v), options_whole(options, room));
            }
        }
        victim_wait(v, 1);
    }
    victim_check(v);
    victim_stop(v);
}

/* One byte of a good solicitation changed: `at` counts from the IPv6 header. */
static bool solicited_with(struct victim *v, size_t at, uint8_t value)
{
    static const uint8_t option[8] = {1, 1, 2, 0, 0, 0, 0, 2};
    uint8_t frame[128];
    size_t length = put_solicitation(frame, option, sizeof option);
    frame[ETHERNET_BYTES + at] = value;
    if (at >= 40) {
        seal_icmp(frame + ETHERNET_BYTES + 40, length - ETHERNET_BYTES - 40, true);
    }
    victim_input(v, frame, length);
    return answered(v);
}

/* V-10: what makes a solicitation no solicitation (RFC 4861 7.1.1): hop limit, code, target, sender. */
static void v10_solicitations_that_cannot_be(void **state)
{
    (void)state;
    struct victim *v = victim_start(true);
    assert_true(solicited_with(v, 7, 255));
    assert_false(solicited_with(v, 7, 254));   /* came by a router */
    assert_false(solicited_with(v, 41, 1));    /* code */
    assert_false(solicited_with(v, 48, 0xff)); /* a group as target */
    assert_false(solicited_with(v, 63, 77));   /* somebody else's */
    assert_false(solicited_with(v, 66, 3));    /* a link-layer address that is a group */
    victim_stop(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v10_arp_of_each_length),
        cmocka_unit_test(v10_arp_of_other_kinds_is_dropped),
        cmocka_unit_test(v10_frames_and_senders_that_cannot_be),
        cmocka_unit_test(v10_every_type_of_frame),
        cmocka_unit_test(v10_a_solicitation_is_cut_at_each_byte),
        cmocka_unit_test(v10_options_of_no_length_or_too_long),
        cmocka_unit_test(v10_solicitations_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
