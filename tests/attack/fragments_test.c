/*
 * Fragments (RFC 791 3.2, RFC 8200 4.5, RFC 5722): teardrop, ping of death, FragmentSmack, Rose, jolt2. The
 * datagram that is cut is an echo request whose checksum is right for each number of its units of eight
 * bytes, so that what was put together shows byte for byte in the answer, and a wrong length is answered as
 * well. What must come of a set of fragments is said here by comparing intervals.
 */
#include "attack/victim.h"

#define UNITS 8u /* the grid */

struct piece {
    uint32_t from, length; /* bytes of the datagram */
    bool more;
};

/* The byte at `at` of the datagram: each unit sums to zero, the first with type 8 or 128 and its checksum. */
static void fill_datagram(uint8_t *out, size_t length, bool v6)
{
    for (size_t i = 0; i < length; i += 8) {
        uint16_t a = (uint16_t)(i * 773 + 4919);
        uint16_t b = (uint16_t)(i * 31 + 577);
        put16(out + i, a);
        put16(out + i + 2, b);
        put16(out + i + 4, 0xffffu - a);
        put16(out + i + 6, 0xffffu - b);
    }
    memset(out, 0, 8);
    out[0] = v6 ? 128 : 8;
    put32(out + 4, 0xabcd1234);
    put16(out + 2, ~sum_bytes(out, 8, 0) & 0xffff);
}

/*
 * The pseudo header of IPv6 counts the length: the checksum is made for the datagram that `total` bytes are.
 */
static void seal_datagram(uint8_t *datagram, size_t total, bool v6)
{
    if (v6 && total >= 8) {
        seal_icmp(datagram, total, true);
    }
}

static void input_piece(struct victim *v, const uint8_t *datagram, uint32_t id, const struct piece *piece,
                        bool v6)
{
    static uint8_t packet[70000];
    size_t at = put_ip(packet, v6, v6 ? 44 : V_ICMP, piece->length + (v6 ? 8u : 0u));
    if (v6) {
        memset(packet + at, 0, 8);
        packet[at] = V_ICMPV6;
        put16(packet + at + 2, (piece->from & 0xfff8u) | piece->more);
        put32(packet + at + 4, id);
        at += 8;
    } else {
        put16(packet + 4, id);
        put16(packet + 6, piece->from / 8 | (piece->more ? 0x2000u : 0));
        seal_ipv4(packet);
    }
    memcpy(packet + at, datagram + piece->from, piece->length);
    victim_input(v, packet, at + piece->length);
}

/* ---- what must come of them ---- */

struct model {
    struct piece held[8];
    unsigned count;
    bool refused;
};

static bool overlap(const struct piece *a, const struct piece *b)
{
    return a->from < b->from + b->length && b->from < a->from + a->length;
}

static bool same(const struct piece *a, const struct piece *b)
{
    return a->from == b->from && a->length == b->length && a->more == b->more;
}

/*
 * Bytes of the datagram that this piece makes whole, 0 = none. Exact duplicates pass, any other overlap
 * condemns.
 */
static uint32_t model_add(struct model *m, const struct piece *piece)
{
    uint32_t total = 0, sum = 0, highest = 0;
    for (unsigned i = 0; i < m->count; i++) {
        if (same(&m->held[i], piece)) {
            return 0;
        }
        m->refused |= overlap(&m->held[i], piece);
    }
    m->held[m->count++] = *piece;
    for (unsigned i = 0; i < m->count; i++) {
        const struct piece *held = &m->held[i];
        m->refused |= held->more && held->length % 8 != 0;
        m->refused |= !held->more && total != 0; /* two ends */
        total = held->more ? total : held->from + held->length;
        highest = held->from + held->length > highest ? held->from + held->length : highest;
        sum += held->length;
    }
    m->refused |= total != 0 && highest > total;
    for (unsigned i = 0; i < m->count && total != 0;
         i++) { /* one that ends where the datagram does says so */
        m->refused |= m->held[i].more && m->held[i].from + m->held[i].length == total;
    }
    return !m->refused && total != 0 && sum == total ? total : 0;
}

/* ---- the grid ---- */

/* All pieces of the grid, with and without MF. */
static unsigned all_pieces(struct piece out[2 * UNITS * UNITS])
{
    unsigned count = 0;
    for (uint32_t from = 0; from < UNITS; from++) {
        for (uint32_t to = from + 1; to <= UNITS; to++) {
            for (unsigned more = 0; more < 2; more++) {
                out[count++] = (struct piece){from * 8, (to - from) * 8, more == 1};
            }
        }
    }
    return count;
}

/* An echo on its own, no fragment. */
static bool single(const struct piece *piece)
{
    return piece->from == 0 && !piece->more;
}

/* How many bytes the datagram has that these make whole; 0 = none. Three make one at most. */
static uint32_t total_of(const struct piece *pieces, unsigned count)
{
    struct model model = {.count = 0};
    uint32_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        if (single(&pieces[i])) {
            continue;
        }
        uint32_t whole = model_add(&model, &pieces[i]);
        if (whole != 0) {
            return whole;
        }
        total = pieces[i].more ? total : pieces[i].from + pieces[i].length;
    }
    return total;
}

/* A set of fragments in the order given: answered where the model says, with exactly these bytes. */
static void try_pieces(struct victim *v, const struct piece *pieces, unsigned count, bool v6)
{
    static uint32_t id = 0x100;
    static uint8_t datagram[UNITS * 8];
    struct model model = {.count = 0};
    uint32_t total = total_of(pieces, count);
    id = (id + 1) & 0xffff;
    fill_datagram(datagram, sizeof datagram, v6);
    seal_datagram(datagram, total, v6);
    for (unsigned i = 0; i < count; i++) {
        bool alone = single(&pieces[i]);
        uint32_t whole = alone ? pieces[i].length : model_add(&model, &pieces[i]);
        seal_datagram(datagram, alone ? whole : total, v6);
        uint64_t before = victim_counters(v).fragments_reassembled;
        input_piece(v, datagram, id, &pieces[i], v6);
        assert_int_equal(victim_counters(v).fragments_reassembled - before, whole != 0 && !alone);
        assert_int_equal(victim_sends(v), whole != 0 && whole % 8 == 0); /* else its checksum is wrong */
        if (whole != 0 && whole % 8 == 0) {
            size_t head = v6 ? 40 : 20;
            assert_int_equal(v->out_length, head + whole);
            assert_memory_equal(v->out + head + 4, datagram + 4, whole - 4);
            assert_false(victim_sends(v));
        }
        if (whole != 0 && !alone) { /* what comes now begins another datagram */
            memset(&model, 0, sizeof model);
        }
    }
    victim_wait(v, 16 * VICTIM_SECOND);
}

/*
 * All sets of two and of three fragments on a grid of eight units, in every order, first or last missing too:
 * 5,184 and 373,248 for each version of IP; delivered are exact tilings, byte for byte, and nothing else.
 */
static void v07_every_overlap(bool v6)
{
    struct piece all[2 * UNITS * UNITS];
    unsigned n = all_pieces(all);
    struct victim *v = victim_start(false);
    assert_int_equal(n, 72);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < n; k++) {
            const struct piece two[2] = {all[i], all[k]};
            try_pieces(v, two, 2, v6);
        }
    }
    for (unsigned i = 0; i < n * n * n; i += ESTAB_TEST_SLOW ? 11 : 1) {
        const struct piece three[3] = {all[i % n], all[i / n % n], all[i / n / n]};
        try_pieces(v, three, 3, v6);
    }
    victim_stop(v);
}

/* V-07: every overlap of two and three fragments, IPv4. */
static void v07_every_overlap_v4(void **state)
{
    (void)state;
    v07_every_overlap(false);
}

/* V-07: every overlap of two and three fragments, IPv6 (RFC 5722). */
static void v07_every_overlap_v6(void **state)
{
    (void)state;
    v07_every_overlap(true);
}

/* The first piece has an offset of zero; the last begins at the multiple of eight below its end. */
static void try_lengths(struct victim *v, uint32_t first, uint32_t last, bool v6)
{
    uint8_t datagram[64];
    uint32_t total = first / 8 * 8 + last;
    struct piece one = {0, first, true};
    struct piece two = {first / 8 * 8, last, false};
    fill_datagram(datagram, sizeof datagram, v6);
    memset(datagram + total, 0, sizeof datagram - total);
    if (total >= 8) {
        seal_icmp(datagram, total, v6);
    }
    input_piece(v, datagram, 7, &one, v6);
    assert_int_equal(v->drop == ESTAB_DROP_NONE, first > 0 && first % 8 == 0);
    input_piece(v, datagram, 7, &two, v6);
    bool whole = first > 0 && first % 8 == 0 && last > 0;
    whole |= first < 8 && last >= 8; /* the second is a datagram of its own */
    assert_int_equal(victim_sends(v), whole);
    assert_true(!whole || v->out_length == (v6 ? 40 : 20) + total);
    victim_wait(v, 16 * VICTIM_SECOND);
}

/*
 * V-07: lengths that are no multiple of eight: right in the last fragment alone; none, and more than fits,
 * nowhere.
 */
static void v07_lengths_of_each_remainder(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (uint32_t first = 0; first <= 24; first++) {
            for (uint32_t last = 0; last <= 16; last++) {
                try_lengths(v, first, last, v6);
            }
        }
    }
    victim_stop(v);
}

/*
 * V-07: the ping of death: each of the 8,192 offsets with every length near the end: nothing is kept whose
 * last byte has no place below 65,536, and nothing beyond what a slot holds.
 */
static void v07_no_byte_beyond_the_largest_datagram(void **state)
{
    (void)state;
    static uint8_t datagram[70000];
    struct victim *v = victim_start(false);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        uint32_t limit = v6 ? 65535 : 65515;
        for (uint32_t from = 8; from < 65536; from += ESTAB_TEST_SLOW ? 64 : 8) {
            for (uint32_t length = 8; length <= 1400; length += 464) {
                struct piece last = {from, length, false};
                input_piece(v, datagram, from, &last, v6);
                assert_true(from + length <= limit || v->drop != ESTAB_DROP_NONE);
                assert_false(victim_sends(v));
            }
        }
        for (uint32_t length = 65436; length <= 65535 - (v6 ? 8u : 20u); length++) { /* one huge piece */
            struct piece huge = {8, length, false};
            input_piece(v, datagram, length, &huge, v6);
            assert_true(v->drop != ESTAB_DROP_NONE);
        }
        victim_wait(v, 16 * VICTIM_SECOND);
    }
    victim_check(v);
    victim_stop(v);
}

/* V-07: a refused datagram stays refused for its 15 s, whatever still comes of it, and is gone then. */
static void v07_what_was_condemned_stays_so_until_its_time_is_up(void **state)
{
    (void)state;
    static const struct piece first = {0, 16, true}, bad = {8, 16, true}, last = {16, 16, false};
    uint8_t datagram[64];
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct victim *v = victim_start(false);
        fill_datagram(datagram, sizeof datagram, v6);
        seal_datagram(datagram, 32, v6);
        input_piece(v, datagram, 9, &first, v6);
        input_piece(v, datagram, 9, &bad, v6);
        input_piece(v, datagram, 9, &last, v6);
        assert_int_equal(victim_drain(v), 0);
        victim_wait(v, 15 * VICTIM_SECOND - 1);
        input_piece(v, datagram, 9, &first, v6);
        input_piece(v, datagram, 9, &last, v6);
        assert_int_equal(victim_drain(v), 0);
        victim_wait(v, 1);
        input_piece(v, datagram, 9, &first, v6);
        input_piece(v, datagram, 9, &last, v6);
        assert_int_equal(victim_drain(v), 1);
        victim_stop(v);
    }
}

/* V-07: fragments of two datagrams that differ in one field of their key are never mixed. */
static void v07_only_fragments_of_one_datagram_meet(void **state)
{
    (void)state;
    static const struct piece first = {0, 16, true}, last = {16, 16, false};
    uint8_t datagram[64];
    fill_datagram(datagram, sizeof datagram, false);
    for (unsigned field = 0; field < 4; field++) { /* id, protocol, source, destination */
        struct victim *v = victim_start(false);
        struct estab_addr other = victim_address(false, 9, 0);
        assert_int_equal(estab_address_add(v->stack, v->now, 1, &other, 24), 0);
        uint8_t packet[64];
        input_piece(v, datagram, 9, &first, false);
        put_ipv4(packet, 5, field == 1 ? V_TCP : V_ICMP, 16);
        put16(packet + 4, field == 0 ? 10 : 9);
        put16(packet + 6, 2);
        packet[15] = field == 2 ? 3 : packet[15];
        packet[19] = field == 3 ? 9 : packet[19];
        memcpy(packet + 20, datagram + 16, 16);
        seal_ipv4(packet);
        victim_input(v, packet, 36);
        assert_int_equal(v->drop, ESTAB_DROP_NONE);
        assert_int_equal(victim_drain(v), 0);
        input_piece(v, datagram, 9, &last, false);
        assert_int_equal(victim_drain(v), 1);
        victim_stop(v);
    }
}

/*
 * V-07: 200,000 random sets of four to six fragments with duplicates among them and ends on any byte: only
 * exact duplicates are let pass, and what lies in the memory of an earlier datagram completes nothing.
 */
static void v07_random_sets_with_duplicates(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct victim *v = victim_start(false);
    for (unsigned run = 0; run < (ESTAB_TEST_SLOW ? 20000 : 200000); run++) {
        struct piece pieces[6];
        unsigned count = 4 + victim_random(&seed) % 3;
        for (unsigned i = 0; i < count; i++) {
            uint32_t from = victim_random(&seed) % 4;
            uint32_t to = from + 1 + victim_random(&seed) % (4 - from);
            pieces[i] = (struct piece){from * 8, (to - from) * 8, to < 4 || victim_random(&seed) % 8 == 0};
            if (victim_random(&seed) % 8 == 0) {
                pieces[i].more = false;
            }
            if (!pieces[i].more && from > 0 && victim_random(&seed) % 4 == 0) {
                pieces[i].length -= victim_random(&seed) % 8;
            }
            if (i > 0 && victim_random(&seed) % 3 == 0) {
                pieces[i] = pieces[victim_random(&seed) % i];
            }
        }
        try_pieces(v, pieces, count, false);
    }
    victim_stop(v);
}

/* V-07: a duplicate of the piece that ends where the slot ends, which has no neighbour behind it. */
static void v07_a_duplicate_at_the_end_of_a_slot(void **state)
{
    (void)state;
    static const struct piece pieces[4] = {
        {0, 1024, true}, {2048, 2048, false}, {2048, 2048, false}, {1024, 1024, true}};
    uint8_t datagram[4096];
    struct estab_config config;
    victim_config(&config);
    struct victim *v =
        victim_create(&config, false, 0); /* a bit that is read behind the slot's own says no */
    fill_datagram(datagram, sizeof datagram, false);
    for (unsigned i = 0; i < 4; i++) {
        input_piece(v, datagram, 5, &pieces[i], false);
    }
    assert_int_equal(victim_counters(v).fragments_reassembled,
                     1); /* 4096 bytes: a slot of this small stack */
    victim_stop(v);
}

/* V-07: the same id again, while another datagram waits: what was handed up has left nothing behind. */
static void v07_a_slot_that_was_used_is_empty(void **state)
{
    (void)state;
    static const struct piece first = {0, 16, true}, last = {16, 16, false};
    uint8_t datagram[64];
    struct victim *v = victim_start(false);
    fill_datagram(datagram, sizeof datagram, false);
    input_piece(v, datagram, 8, &first, false); /* waits */
    for (unsigned i = 0; i < 3; i++) {
        input_piece(v, datagram, 9, &first, false);
        assert_int_equal(v->drop, ESTAB_DROP_NONE);
        input_piece(v, datagram, 9, &last, false);
        assert_int_equal(victim_drain(v), 1);
    }
    victim_stop(v);
}

/*
 * V-08: a source that wants more than its share loses its own oldest, and one that does not fit pushes out
 * nobody.
 */
static void v08_a_source_loses_its_own_oldest(void **state)
{
    (void)state;
    static const struct piece first = {0, 16, true}, last = {16, 16, false}, huge = {4096, 16, true};
    uint8_t datagram[8192];
    struct victim *v = victim_start(false);
    fill_datagram(datagram, sizeof datagram, false);
    for (uint32_t id = 1; id <= 3; id++) { /* a share is two of four */
        input_piece(v, datagram, id, &first, false);
    }
    input_piece(v, datagram, 4, &huge, false);
    assert_int_equal(v->drop, ESTAB_DROP_IP_FRAGMENT);
    for (uint32_t id = 3; id >= 1; id--) {
        input_piece(v, datagram, id, &last, false);
        assert_int_equal(victim_drain(v), id > 1);
    }
    victim_stop(v);
}

/*
 * V-07: of IPv6 only the first fragment's next header counts (RFC 8200 4.5), whatever others say and come
 * first.
 */
static void v07_the_first_fragment_says_what_follows(void **state)
{
    (void)state;
    uint8_t datagram[32];
    struct victim *v = victim_start(false);
    fill_datagram(datagram, sizeof datagram, true);
    seal_icmp(datagram, sizeof datagram, true);
    for (unsigned order = 0; order < 2; order++) {
        for (unsigned i = 0; i < 2; i++) {
            uint8_t packet[128];
            bool first = i == order;
            size_t at = put_ipv6(packet, 44, 24);
            memset(packet + at, 0, 8);
            packet[at] = first ? V_ICMPV6 : V_UDP;
            put16(packet + at + 2, first ? 1 : 16);
            put32(packet + at + 4, 70 + order);
            memcpy(packet + at + 8, datagram + (first ? 0 : 16), 16);
            victim_input(v, packet, at + 24);
        }
        assert_int_equal(victim_drain(v), 1);
    }
    victim_stop(v);
}

/* V-08: of IPv4 a fragment of what nobody takes here is no fragment to keep. */
static void v08_fragments_of_other_protocols_take_no_memory(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    for (unsigned protocol = 0; protocol < 256; protocol++) {
        uint8_t packet[64] = {0};
        put_ipv4(packet, 5, protocol, 16);
        put16(packet + 6, 0x2000);
        seal_ipv4(packet);
        victim_input(v, packet, 36);
        bool ours = protocol == V_TCP || protocol == V_ICMP;
        assert_int_equal(v->drop, ours ? ESTAB_DROP_NONE : ESTAB_DROP_IP_PROTOCOL);
    }
    victim_stop(v);
}

/*
 * Two segments in one call of estab_input(), each in two fragments in the same slot; `room` holds the four
 * packets.
 */
static void two_segments_in_a_batch(uint8_t room[4][64])
{
    struct victim *v = victim_start(false);
    estab_conn conn = victim_connected(v, false);
    struct estab_packet packets[4] = {{.length = 0}};
    for (unsigned i = 0; i < 4; i++) {
        uint8_t segment[48];
        put_tcp(segment, 5, V_ACK, v->peer_nxt + i / 2 * 28, v->victim_nxt);
        memset(segment + 20, 'a' + (int)i / 2, 28);
        seal_tcp(segment, 48, false);
        put_ipv4(room[i], 5, V_TCP, 24);
        put16(room[i] + 4, 40 + i / 2);
        put16(room[i] + 6, i % 2 ? 3 : 0x2000);
        seal_ipv4(room[i]);
        memcpy(room[i] + 20, segment + i % 2 * 24, 24);
        packets[i] = (struct estab_packet){.data = room[i], .length = 44, .interface = 1};
    }
    estab_input(v->stack, v->now, packets, 4);
    char text[64];
    assert_int_equal(estab_recv(v->stack, v->now, conn, text, sizeof text, 0), 56);
    assert_true(text[0] == 'a' && text[27] == 'a' && text[28] == 'b' && text[55] == 'b');
    victim_stop(v);
}

/*
 * V-07: datagrams that were put together are handled before the next one takes their memory, wherever the
 * driver's buffers lie: below the stack's, or above it.
 */
static void v07_two_datagrams_of_one_batch_do_not_mix(void **state)
{
    (void)state;
    static uint8_t below[4][64];
    uint8_t above[4][64];
    two_segments_in_a_batch(below);
    two_segments_in_a_batch(above);
}

/* ---- floods ---- */

static void flood_piece(struct victim *v, uint64_t *seed, uint32_t source)
{
    static const uint8_t text[512];
    uint8_t packet[600];
    put_ipv4(packet, 5, V_ICMP, 512);
    put32(packet + 12, source);
    put16(packet + 4, victim_random(seed));
    put16(packet + 6, 0x2000);
    memcpy(packet + 20, text, 512);
    seal_ipv4(packet);
    victim_input(v, packet, 532);
}

/*
 * Legitimate datagrams of two fragments that got through, of `rounds`; between the two fall `between` of the
 * flood.
 */
static unsigned flood(struct victim *v, unsigned rounds, unsigned each, unsigned between, bool spoofed)
{
    static const struct piece first = {0, 512, true}, last = {512, 512, false};
    uint8_t datagram[1024];
    uint64_t seed = 8;
    unsigned through = 0;
    fill_datagram(datagram, sizeof datagram, false);
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned k = 0; k < each; k++) {
            if (k == each - between) {
                input_piece(v, datagram, i, &first, false);
            }
            flood_piece(v, &seed, spoofed ? 0x0b000000u | victim_random(&seed) % 0x1000000u : 0x0b000001u);
            v->now += 1000; /* a million a second */
        }
        input_piece(v, datagram, i, &last, false);
        through += victim_drain(v);
    }
    return through;
}

/*
 * V-08: first fragments at a million a second from one source that holds all it may get: 100 % of a
 * fragmented flow from another source gets through (90 % are asked for), though 1 ms passes between its two
 * fragments. The memory is what it was: slots are carved at creation, 16 at most, and a fragment looks at
 * each of them once, which bounds what it costs. (`estab bench flood --kind frag` measures the time.)
 */
static void v08_one_source_cannot_take_all(void **state)
{
    (void)state;
    unsigned rounds = ESTAB_TEST_SLOW ? 10 : 100;
    struct estab_memory before, after;
    struct victim *v = victim_start(false);
    estab_memory(v->stack, &before);
    assert_int_equal(flood(v, rounds, 10000, 1000, false), rounds);
    estab_memory(v->stack, &after);
    assert_int_equal(after.blocks_used_high,
                     before.blocks_used_high > 1 ? before.blocks_used_high : 1); /* the echo */
    assert_int_equal(after.fixed, before.fixed);
    assert_true(VICTIM_MEMORY / 32 <= (size_t)4 << 20); /* what fragments get of it */
    assert_int_equal(victim_counters(v).fragments_in, rounds * 10002ull);
    victim_stop(v);
}

/*
 * V-08: the same from sixteen million spoofed sources: no share can be kept for a flow then, only the order
 * of age. A datagram whose fragments come back to back, no further apart than there are slots less one, gets
 * through.
 */
static void v08_spoofed_sources_push_out_the_oldest_only(void **state)
{
    (void)state;
    unsigned rounds = ESTAB_TEST_SLOW ? 100 : 1000;
    struct victim *v = victim_start(false);
    assert_true(flood(v, rounds, 100, 3, true) * 10 >= rounds * 9); /* four slots of this small stack */
    victim_stop(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v07_every_overlap_v4),
        cmocka_unit_test(v07_every_overlap_v6),
        cmocka_unit_test(v07_lengths_of_each_remainder),
        cmocka_unit_test(v07_no_byte_beyond_the_largest_datagram),
        cmocka_unit_test(v07_what_was_condemned_stays_so_until_its_time_is_up),
        cmocka_unit_test(v07_only_fragments_of_one_datagram_meet),
        cmocka_unit_test(v07_random_sets_with_duplicates),
        cmocka_unit_test(v07_a_duplicate_at_the_end_of_a_slot),
        cmocka_unit_test(v07_a_slot_that_was_used_is_empty),
        cmocka_unit_test(v07_the_first_fragment_says_what_follows),
        cmocka_unit_test(v07_two_datagrams_of_one_batch_do_not_mix),
        cmocka_unit_test(v08_a_source_loses_its_own_oldest),
        cmocka_unit_test(v08_fragments_of_other_protocols_take_no_memory),
        cmocka_unit_test(v08_one_source_cannot_take_all),
        cmocka_unit_test(v08_spoofed_sources_push_out_the_oldest_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
