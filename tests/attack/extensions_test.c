/*
 * Chains of IPv6 extension headers (RFC 8200 4): picoTCP CVE-2020-17442, 17444 and 17445, FNET
 * CVE-2020-17468, Windows CVE-2024-38063 and CVE-2021-24086 believed their lengths, walked them without end
 * or walked them twice. Here a chain ends after eight headers or 256 bytes, each header lies within the
 * packet, hop-by-hop options stand first, and what has been put together is never a fragment again. An echo
 * request stands behind each chain: it is answered where the chain is lawful, and only there.
 */
#include "attack/victim.h"

#define MAX_HEADERS 8u
#define MAX_BYTES   256u
#define HOP_BY_HOP  0u
#define ROUTING     43u
#define FRAGMENT    44u
#define NONE        59u
#define DESTINATION 60u
#define ECHO_BYTES  20u

struct link {
    uint8_t kind;
    uint8_t units; /* of eight bytes beyond the first */
};

/* An extension header with padding in it; the fragment header says that it is the whole datagram. */
static size_t put_link(uint8_t *out, const struct link *link, unsigned next)
{
    size_t length = link->kind == FRAGMENT ? 8 : ((size_t)link->units + 1) * 8;
    memset(out, 0, length);
    out[0] = (uint8_t)next;
    out[1] = link->kind == FRAGMENT ? 0 : link->units;
    return length;
}

/* The packet: all links and the echo. */
static size_t put_chain(uint8_t *out, const struct link *links, unsigned count)
{
    uint8_t echo[128];
    size_t at = 40;
    put_echo(echo, true, ECHO_BYTES - 8);
    for (unsigned i = 0; i < count; i++) {
        at += put_link(out + at, &links[i], i + 1 < count ? links[i + 1].kind : V_ICMPV6);
    }
    put_ipv6(out, count > 0 ? links[0].kind : V_ICMPV6, at - 40 + ECHO_BYTES);
    memcpy(out + at, echo + 40, ECHO_BYTES);
    return at + ECHO_BYTES;
}

static bool lawful(const struct link *links, unsigned count)
{
    unsigned bytes = 0;
    unsigned fragments = 0;
    for (unsigned i = 0; i < count; i++) {
        bytes += links[i].kind == FRAGMENT ? 8 : (links[i].units + 1u) * 8;
        fragments += links[i].kind == FRAGMENT;
        if (links[i].kind == HOP_BY_HOP && i > 0) {
            return false;
        }
    }
    return count <= MAX_HEADERS && bytes <= MAX_BYTES && fragments <= 1;
}

static void try_packet(struct victim *v, const uint8_t *packet, size_t length, bool good)
{
    victim_input(v, packet, length);
    assert_int_equal(v->drop == ESTAB_DROP_NONE, good);
    assert_int_equal(victim_sends(v), good);
    if (good) { /* the echo and nothing of the chain */
        assert_int_equal(v->out_length, 40 + ECHO_BYTES);
        assert_int_equal(v->out[6], V_ICMPV6);
        assert_int_equal(v->out[40], 129);
        assert_memory_equal(v->out + 44, packet + length - ECHO_BYTES + 4, ECHO_BYTES - 4);
        assert_false(victim_sends(v));
        victim_wait(v, VICTIM_SECOND / 1000);
    }
}

/*
 * V-06: chains of 0..64 headers, each of 8 bytes and of every length 0..255 alone and behind another: more
 * than 8 headers or 256 bytes are dropped. At most 8 steps a packet, so that 5 us hold on any machine.
 */
static void v06_number_and_length_are_limited(void **state)
{
    (void)state;
    static uint8_t packet[32768];
    struct victim *v = victim_start(false);
    for (unsigned count = 0; count <= 64; count++) {
        struct link links[64];
        for (unsigned i = 0; i < count; i++) {
            links[i] = (struct link){DESTINATION, 0};
        }
        try_packet(v, packet, put_chain(packet, links, count), lawful(links, count));
    }
    for (unsigned units = 0; units < 256; units++) {
        for (unsigned before = 0; before < 10; before++) {
            struct link links[10];
            for (unsigned i = 0; i < before; i++) {
                links[i] = (struct link){ROUTING, 0};
            }
            links[before] = (struct link){DESTINATION, (uint8_t)units};
            try_packet(v, packet, put_chain(packet, links, before + 1), lawful(links, before + 1));
        }
    }
    victim_stop(v);
}

/* V-06: random chains of every kind: hop-by-hop only first, one fragment header at most. */
static void v06_random_chains(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION};
    static uint8_t packet[32768];
    uint64_t seed = 6;
    unsigned good = 0;
    struct victim *v = victim_start(false);
    for (unsigned run = 0; run < (ESTAB_TEST_SLOW ? 20000 : 200000); run++) {
        struct link links[12];
        unsigned count = victim_random(&seed) % 12;
        for (unsigned i = 0; i < count; i++) {
            links[i].kind = kinds[victim_random(&seed) % 4];
            links[i].units = (uint8_t)(victim_random(&seed) % 4 == 0 ? victim_random(&seed) : 0);
        }
        good += lawful(links, count);
        try_packet(v, packet, put_chain(packet, links, count), lawful(links, count));
    }
    assert_true(good > 1000);
    victim_stop(v);
}

/*
 * V-06: every chain of one to three headers, cut at each byte, with the old and with the true payload length.
 */
static void v06_a_chain_is_cut_at_each_byte(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION};
    uint8_t packet[512];
    struct victim *v = victim_start(false);
    for (unsigned run = 0; run < 4 * 4 * 4 * 3; run++) {
        struct link links[3];
        unsigned count = 1 + run / 64;
        for (unsigned i = 0, k = run; i < count; i++, k /= 4) {
            links[i] = (struct link){kinds[k % 4], (uint8_t)(i % 2)};
        }
        size_t whole = put_chain(packet, links, count);
        for (size_t cut = 0; cut < whole; cut++) {
            put16(packet + 4, (unsigned)whole - 40);
            try_packet(v, packet, cut, false);
            put16(packet + 4, cut > 40 ? (unsigned)cut - 40 : 0);
            try_packet(v, packet, cut, false); /* the echo is cut too: its checksum is wrong */
        }
    }
    victim_stop(v);
}

/* What the two highest bits of an option's type say of one that nobody knows (RFC 8200 4.2). */
static bool option_lawful(const uint8_t *options, unsigned room)
{
    for (unsigned at = 0; at < room;) {
        if (options[at] == 0) {
            at++;
            continue;
        }
        if (at + 2 > room || at + 2u + options[at + 1] > room || options[at] >= 0x40) {
            return false;
        }
        at += 2u + options[at + 1];
    }
    return true;
}

static void try_option(struct victim *v, unsigned type, unsigned length, unsigned place)
{
    uint8_t packet[512];
    struct link link = {place & 1 ? HOP_BY_HOP : DESTINATION, 1};
    size_t whole = put_chain(packet, &link, 1);
    packet[42 + place] = (uint8_t)type;
    if (place < 13) {
        packet[43 + place] = (uint8_t)length;
    }
    try_packet(v, packet, whole, option_lawful(packet + 42, 14));
}

/*
 * V-06: options within them: every type x length 0..255 x place, jumbo (0xc2) among them, within the header
 * or not.
 */
static void v06_options_stay_within_their_header(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned length = 0; length < 256; length += length < 24 ? 1 : 33) {
            for (unsigned place = 0; place < 14; place++) {
                try_option(v, type, length, place);
            }
        }
    }
    victim_stop(v);
}

/*
 * V-06: a route with segments left is refused whatever its type (RFC 5095, RFC 8200 4.4), one at its end
 * skipped.
 */
static void v06_routes_are_refused(void **state)
{
    (void)state;
    uint8_t packet[512];
    struct victim *v = victim_start(false);
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned left = 0; left < 256; left++) {
            struct link link = {ROUTING, 2};
            size_t whole = put_chain(packet, &link, 1);
            packet[42] = (uint8_t)type;
            packet[43] = (uint8_t)left;
            try_packet(v, packet, whole, left == 0);
            if (left != 0) { /* type 0 is told apart: a source route */
                assert_int_equal(v->drop, type == 0 ? ESTAB_DROP_IP_OPTION : ESTAB_DROP_IP_EXTENSION);
            }
        }
    }
    struct link none = {DESTINATION, 0};
    size_t whole = put_chain(packet, &none, 1);
    packet[40] = NONE;
    try_packet(v, packet, whole, false); /* nothing follows (4.7), whatever does */
    victim_stop(v);
}

/* Two fragments that carry `inner` as next header in front of an echo. */
static void try_inside(struct victim *v, uint8_t inner, bool good)
{
    static uint32_t id = 1;
    uint8_t whole[128];
    uint8_t packet[128];
    struct link link = {inner, 0};
    put_chain(whole, &link, inner == V_ICMPV6 ? 0 : 1);
    size_t length = inner == V_ICMPV6 ? ECHO_BYTES : 8 + ECHO_BYTES;
    for (unsigned i = 0; i < 2; i++) {
        size_t from = i * 8u;
        size_t part = i == 0 ? 8 : length - 8;
        put_ipv6(packet, FRAGMENT, 8 + part);
        memset(packet + 40, 0, 8);
        packet[40] = inner;
        put16(packet + 42, (unsigned)from | (i == 0));
        put32(packet + 44, id);
        memcpy(packet + 48, whole + 40 + from, part);
        victim_input(v, packet, 48 + part);
    }
    id++;
    assert_int_equal(victim_drain(v), good);
    assert_int_equal(v->drop == ESTAB_DROP_NONE, good);
}

/* V-06: what was put together is walked on from where it stood: no second fragment header, no hop-by-hop. */
static void v06_nothing_is_parsed_again_after_reassembly(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    try_inside(v, V_ICMPV6, true);
    try_inside(v, DESTINATION, true);
    try_inside(v, ROUTING, true);
    try_inside(v, FRAGMENT, false);
    try_inside(v, HOP_BY_HOP, false);
    victim_stop(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v06_number_and_length_are_limited),
        cmocka_unit_test(v06_random_chains),
        cmocka_unit_test(v06_a_chain_is_cut_at_each_byte),
        cmocka_unit_test(v06_options_stay_within_their_header),
        cmocka_unit_test(v06_routes_are_refused),
        cmocka_unit_test(v06_nothing_is_parsed_again_after_reassembly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
