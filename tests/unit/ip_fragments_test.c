/*
 * Reassembly (V-07, V-08): only exact tilings are delivered, byte for byte, whatever else arrives; every
 * overlap condemns its datagram; nobody gets more than his share of the slots, and nothing is kept longer
 * than 15 s.
 */
#include "ip_fixture.h"

#include "ip/fragments.h"

#define GRID   8u
#define PIECES (GRID * (GRID + 1)) /* every range on the grid, as the last one or not */

struct piece {
    unsigned from, to; /* units of eight bytes */
    bool more;
};

static uint8_t pattern[70000];

static void fill_pattern(void)
{
    for (uint32_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (uint8_t)(i * 7 + (i >> 8));
    }
}

static unsigned all_pieces(struct piece pieces[PIECES])
{
    unsigned count = 0;
    for (unsigned from = 0; from < GRID; from++) {
        for (unsigned to = from + 1; to <= GRID; to++) {
            pieces[count++] = (struct piece){from, to, true};
            pieces[count++] = (struct piece){from, to, false};
        }
    }
    return count;
}

/* What has to come of fragments in this order, said without bitmaps: a list of those that are there. */
struct oracle {
    struct piece kept[3];
    unsigned count;
    bool refused;
};

static bool same_piece(const struct piece *a, const struct piece *b)
{
    return a->from == b->from && a->to == b->to && a->more == b->more;
}

static bool conflict(const struct piece *a, const struct piece *b)
{
    bool overlap = a->from < b->to && b->from < a->to;
    bool both_last = !a->more && !b->more;
    bool beyond = (!a->more && b->to >= a->to) || (!b->more && a->to >= b->to);
    return overlap || both_last || beyond;
}

static enum fragment_result oracle_add(struct oracle *o, const struct piece *piece)
{
    unsigned length = 0;
    unsigned total = 0;
    for (unsigned i = 0; i < o->count; i++) {
        if (!o->refused && same_piece(&o->kept[i], piece)) {
            return FRAGMENT_DROPPED;
        }
    }
    for (unsigned i = 0; i < o->count; i++) {
        o->refused = o->refused || conflict(&o->kept[i], piece);
    }
    if (o->refused) {
        return FRAGMENT_DROPPED;
    }
    o->kept[o->count++] = *piece;
    for (unsigned i = 0; i < o->count; i++) {
        length += o->kept[i].to - o->kept[i].from;
        total = o->kept[i].more ? total : o->kept[i].to;
    }
    if (length != total) {
        return FRAGMENT_KEPT;
    }
    o->count = 0;
    return FRAGMENT_COMPLETE;
}

static enum fragment_result give(struct fragments *f, uint64_t now, uint32_t id, const struct piece *piece,
                                 struct ip_datagram *d)
{
    *d = (struct ip_datagram){.source = v4(10, 9, 0, 1), .destination = v4(10, 9, 0, 2)};
    d->protocol = IP_PROTOCOL_TCP;
    d->id = id;
    d->payload = pattern + piece->from * 8;
    d->length = (piece->to - piece->from) * 8;
    d->fragment_offset = piece->from * 8;
    d->more_fragments = piece->more;
    d->is_fragment = true;
    return fragments_input(f, now, d);
}

static void check_sequence(struct fragments *f, uint64_t now, const struct piece *pieces, unsigned count)
{
    struct oracle oracle = {.count = 0};
    for (unsigned i = 0; i < count; i++) {
        struct ip_datagram d;
        enum fragment_result expected = oracle_add(&oracle, &pieces[i]);
        enum fragment_result result = give(f, now, 0xfffffff0u, &pieces[i], &d);
        if (result != expected) {
            fail_msg("step %u of [%u,%u)%d [%u,%u)%d [%u,%u)%d: %d, expected %d", i, pieces[0].from,
                     pieces[0].to, pieces[0].more, pieces[1].from, pieces[1].to, pieces[1].more,
                     count > 2 ? pieces[2].from : 0, count > 2 ? pieces[2].to : 0,
                     count > 2 && pieces[2].more, (int)result, (int)expected);
        }
        if (result == FRAGMENT_COMPLETE) {
            assert_int_equal(memcmp(d.payload, pattern, d.length), 0);
            assert_false(d.is_fragment);
        }
    }
}

static void v07_all_pairs_and_triples_deliver_only_exact_tilings(void **state)
{
    (void)state;
    struct piece pieces[PIECES];
    unsigned count = all_pieces(pieces);
    struct fragments *f =
        fragments_create(aligned_alloc(16, (fragments_memory(2048) + 15) & ~(size_t)15), 2048);
    uint64_t now = START;
    fill_pattern();
    for (unsigned a = 0; a < count; a++) {
        for (unsigned b = 0; b < count; b++) {
            struct piece pair[3] = {pieces[a], pieces[b], pieces[a]};
            now += FRAGMENT_TIMEOUT_NS;
            check_sequence(f, now, pair, 2);
            for (unsigned c = 0; c < count; c++) {
                pair[2] = pieces[c];
                now += FRAGMENT_TIMEOUT_NS;
                check_sequence(f, now, pair, 3);
            }
        }
        assert_null(fragments_check(f));
    }
    free(f);
}

static size_t fragment_packet(uint8_t *out, bool six, uint16_t id, uint32_t offset, size_t length, bool more)
{
    struct header h = {.from = v4(10, 9, 0, 1), .to = v4(10, 9, 0, 2), .protocol = IP_PROTOCOL_TCP, .id = id};
    if (!six) {
        h.fragment = (uint16_t)((offset / 8) | (more ? 0x2000u : 0));
        return ip_packet(out, &h, pattern + offset, length);
    }
    h.from = v6(0xfd09, 1);
    h.to = v6(0xfd09, 2);
    h.protocol = 44;
    uint8_t *body = malloc(length + 8);
    memset(body, 0, 8);
    body[0] = IP_PROTOCOL_TCP;
    put_be16(body + 2, offset | (more ? 1u : 0));
    put_be32(body + 4, id);
    memcpy(body + 8, pattern + offset, length);
    size_t whole = ip_packet(out, &h, body, length + 8);
    free(body);
    return whole;
}

static void v07_fragments_through_the_wire_arrive_byte_exact(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    uint8_t out[2048];
    fill_pattern();
    for (unsigned six = 0; six < 2; six++) {
        struct fixture *f = fixture_with(&config, false);
        const unsigned order[3] = {2, 0, 1};
        for (unsigned i = 0; i < 3; i++) {
            size_t length = order[i] == 2 ? 333 : 1000;
            size_t whole = fragment_packet(out, six != 0, 0xffff, order[i] * 1000, length, order[i] < 2);
            struct ip_received *r = put(f, 1, out, whole);
            assert_int_equal(r->drop, ESTAB_DROP_NONE);
            assert_int_equal(r->kind, i == 2 ? IP_RECEIVED_TCP : IP_RECEIVED_NOTHING);
        }
        assert_int_equal(f->received.datagram.length, 2333);
        assert_memory_equal(f->received.datagram.payload, pattern, 2333);
        assert_int_equal(f->counters.fragments_in, 3);
        assert_int_equal(f->counters.fragments_reassembled, 1);
        expect_silence(f);
        fixture_destroy(f);
    }
}

static void v07_overlap_refuses_the_id_until_it_times_out(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[2048];
    fill_pattern();
    assert_int_equal(put(f, 1, out, fragment_packet(out, false, 7, 0, 16, true))->drop, ESTAB_DROP_NONE);
    expect_drop(f, out, fragment_packet(out, false, 7, 8, 16, true), ESTAB_DROP_IP_FRAGMENT);
    expect_drop(f, out, fragment_packet(out, false, 7, 16, 8, false), ESTAB_DROP_IP_FRAGMENT);
    assert_int_equal(ip_next_deadline(f->ip), START + FRAGMENT_TIMEOUT_NS);
    f->now = START + FRAGMENT_TIMEOUT_NS - 1;
    expect_drop(f, out, fragment_packet(out, false, 7, 0, 16, true), ESTAB_DROP_IP_FRAGMENT);
    tick_to(f, START + FRAGMENT_TIMEOUT_NS);
    assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
    assert_int_equal(put(f, 1, out, fragment_packet(out, false, 7, 0, 16, true))->drop, ESTAB_DROP_NONE);
    assert_int_equal(put(f, 1, out, fragment_packet(out, false, 7, 16, 8, false))->kind, IP_RECEIVED_TCP);
    fixture_destroy(f);
}

static void v07_duplicate_with_other_bytes_condemns_the_datagram(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[2048];
    fill_pattern();
    size_t length = fragment_packet(out, false, 8, 0, 16, true);
    assert_int_equal(put(f, 1, out, length)->drop, ESTAB_DROP_NONE);
    expect_drop(f, out, length, ESTAB_DROP_IP_FRAGMENT); /* the same: ignored */
    out[IPV4_HEADER] ^= 1;
    expect_drop(f, out, length, ESTAB_DROP_IP_FRAGMENT);
    expect_drop(f, out, fragment_packet(out, false, 8, 16, 8, false), ESTAB_DROP_IP_FRAGMENT);
    fixture_destroy(f);
}

static void v07_impossible_fragments_are_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.fragment_bytes = 4 * 65536;
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[2048];
    fill_pattern();
    for (unsigned six = 0; six < 2; six++) {
        for (size_t length = 1; length < 24; length++) { /* all but the last are multiples of eight */
            enum estab_drop drop = length % 8 == 0 ? ESTAB_DROP_NONE : ESTAB_DROP_IP_FRAGMENT;
            expect_drop(f, out, fragment_packet(out, six != 0, (uint16_t)(20 + length), 0, length, true),
                        drop);
        }
        expect_drop(f, out, fragment_packet(out, six != 0, 1, 8, 0, false), ESTAB_DROP_IP_FRAGMENT);
        expect_drop(f, out, fragment_packet(out, six != 0, 1, 0, 0, true), ESTAB_DROP_IP_FRAGMENT);
    }
    struct ip_received *r =
        put(f, 1, out, fragment_packet(out, false, 2, 65528, 1000, false)); /* ping of death */
    assert_int_equal(r->kind, IP_RECEIVED_NOTHING);
    assert_int_not_equal(r->drop, ESTAB_DROP_NONE);
    r = put(f, 1, out, fragment_packet(out, true, 2, 65528, 8, false));
    assert_int_not_equal(r->drop, ESTAB_DROP_NONE);
    expect_silence(f);
    fixture_destroy(f);
}

static void largest_datagram_is_put_together(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.fragment_bytes = 4 * 65536;
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[2048];
    fill_pattern();
    for (unsigned six = 0; six < 2; six++) {
        uint32_t total = six != 0 ? 65535 : 65515;
        for (uint32_t at = 0; at < total; at += 1000) {
            uint32_t length = total - at < 1000 ? total - at : 1000;
            (void)put(f, 1, out, fragment_packet(out, six != 0, 3, at, length, at + length < total));
            assert_int_equal(f->received.drop, ESTAB_DROP_NONE);
        }
        assert_int_equal(f->received.kind, IP_RECEIVED_TCP);
        assert_int_equal(f->received.datagram.length, total);
        assert_int_equal(memcmp(f->received.datagram.payload, pattern, total), 0);
    }
    fixture_destroy(f);
}

static void datagram_larger_than_a_slot_is_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.fragment_bytes = 2048;
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[2048];
    fill_pattern();
    assert_int_equal(put(f, 1, out, fragment_packet(out, false, 3, 0, 1400, true))->drop, ESTAB_DROP_NONE);
    expect_drop(f, out, fragment_packet(out, false, 3, 1400, 656, false), ESTAB_DROP_IP_FRAGMENT);
    f->now += FRAGMENT_TIMEOUT_NS;
    assert_int_equal(put(f, 1, out, fragment_packet(out, false, 3, 0, 1400, true))->drop, ESTAB_DROP_NONE);
    assert_int_equal(put(f, 1, out, fragment_packet(out, false, 3, 1400, 648, false))->kind, IP_RECEIVED_TCP);
    fixture_destroy(f);
}

static void without_memory_every_fragment_is_dropped(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    uint8_t out[2048];
    fill_pattern();
    for (uint32_t bytes = 0; bytes < 2048; bytes += 2047) {
        config.fragment_bytes = bytes;
        struct fixture *f = fixture_with(&config, false);
        expect_drop(f, out, fragment_packet(out, false, 3, 0, 16, true), ESTAB_DROP_IP_FRAGMENT);
        assert_int_equal(f->counters.fragments_in, 1);
        assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
        fixture_destroy(f);
    }
}

static void v08_a_flood_of_one_source_leaves_others_their_slots(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[128];
    unsigned delivered = 0;
    fill_pattern();
    for (unsigned i = 0; i < 20000; i++) {
        struct header h = {.from = v4(203, 0, 113, 7), .to = v4(10, 9, 0, 2), .protocol = IP_PROTOCOL_TCP};
        h.id = (uint16_t)i;
        h.fragment = 0x2000;
        f->now += 1000;
        assert_int_equal(put(f, 1, out, ip_packet(out, &h, pattern, 16))->drop, ESTAB_DROP_NONE);
        if (i % 100 == 0) { /* an honest datagram, its second half 50 us after its first */
            (void)put(f, 1, out, fragment_packet(out, false, (uint16_t)i, 0, 16, true));
        }
        if (i % 100 == 50) {
            struct ip_received *r =
                put(f, 1, out, fragment_packet(out, false, (uint16_t)(i - 50), 16, 8, false));
            delivered += r->kind == IP_RECEIVED_TCP;
        }
    }
    assert_int_equal(delivered, 200);
    expect_silence(f);
    fixture_destroy(f);
}

static void v08_when_all_slots_are_taken_the_oldest_goes(void **state)
{
    (void)state;
    struct ip_config config = config_full(); /* four slots */
    struct fixture *f = fixture_with(&config, false);
    uint8_t out[128];
    fill_pattern();
    for (uint8_t i = 1; i <= 5; i++) {
        struct header h = {.from = v4(203, 0, 113, i), .to = v4(10, 9, 0, 2), .protocol = IP_PROTOCOL_TCP};
        h.fragment = 0x2000;
        (void)put(f, 1, out, ip_packet(out, &h, pattern, 16));
    }
    for (uint8_t i = 5; i >= 1; i--) {
        struct header h = {.from = v4(203, 0, 113, i), .to = v4(10, 9, 0, 2), .protocol = IP_PROTOCOL_TCP};
        h.fragment = 2;
        struct ip_received *r = put(f, 1, out, ip_packet(out, &h, pattern + 16, 8));
        assert_int_equal(r->kind, i > 1 ? IP_RECEIVED_TCP : IP_RECEIVED_NOTHING);
    }
    fixture_destroy(f);
}

static void v06_headers_after_reassembly_are_walked_once(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, false);
    for (unsigned again = 0; again < 2; again++) {
        uint8_t inner[32] = {IP_PROTOCOL_TCP, 0, 1, 4, 0, 0, 0, 0};
        uint8_t out[128];
        for (unsigned half = 0; half < 2; half++) {
            uint8_t body[24] = {60, 0, 0, (uint8_t)(half == 0 ? 1 : 16), 0, 0, 0, (uint8_t)again};
            struct header h = {.from = v6(0xfd09, 1), .to = v6(0xfd09, 2), .protocol = 44};
            body[0] = again == 0 ? 60 : 44; /* a fragment in a fragment */
            memcpy(body + 8, inner + half * 16, 16);
            (void)put(f, 1, out, ip_packet(out, &h, body, 24));
        }
        assert_int_equal(f->received.kind, again == 0 ? IP_RECEIVED_TCP : IP_RECEIVED_NOTHING);
        assert_int_equal(f->received.drop, again == 0 ? ESTAB_DROP_NONE : ESTAB_DROP_IP_EXTENSION);
    }
    assert_int_equal(f->counters.fragments_reassembled, 2);
    fixture_destroy(f);
}

static void congestion_marks_survive_reassembly(void **state)
{
    (void)state;
    static const struct {
        uint8_t first, second;
        bool delivered;
        uint8_t mark;
    } cases[] = {{0, 0, true, 0}, {2, 2, true, 2}, {2, 3, true, 3}, {3, 2, true, 3}, {0, 3, false, 0}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fragments *f =
            fragments_create(aligned_alloc(16, (fragments_memory(2048) + 15) & ~(size_t)15), 2048);
        struct ip_datagram d = {.protocol = IP_PROTOCOL_TCP, .payload = pattern, .length = 8};
        d.more_fragments = true;
        d.traffic_class = cases[i].first;
        assert_int_equal(fragments_input(f, START, &d), FRAGMENT_KEPT);
        d.more_fragments = false;
        d.fragment_offset = 8;
        d.traffic_class = cases[i].second;
        d.payload = pattern + 8;
        assert_int_equal(fragments_input(f, START, &d),
                         cases[i].delivered ? FRAGMENT_COMPLETE : FRAGMENT_DROPPED);
        if (cases[i].delivered) {
            assert_int_equal(d.traffic_class, cases[i].mark);
        }
        free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v07_all_pairs_and_triples_deliver_only_exact_tilings),
        cmocka_unit_test(v07_fragments_through_the_wire_arrive_byte_exact),
        cmocka_unit_test(v07_overlap_refuses_the_id_until_it_times_out),
        cmocka_unit_test(v07_duplicate_with_other_bytes_condemns_the_datagram),
        cmocka_unit_test(v07_impossible_fragments_are_dropped),
        cmocka_unit_test(largest_datagram_is_put_together),
        cmocka_unit_test(datagram_larger_than_a_slot_is_dropped),
        cmocka_unit_test(without_memory_every_fragment_is_dropped),
        cmocka_unit_test(v08_a_flood_of_one_source_leaves_others_their_slots),
        cmocka_unit_test(v08_when_all_slots_are_taken_the_oldest_goes),
        cmocka_unit_test(v06_headers_after_reassembly_are_walked_once),
        cmocka_unit_test(congestion_marks_survive_reassembly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
