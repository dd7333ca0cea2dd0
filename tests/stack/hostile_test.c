/*
 * Segments nobody should send, against a whole stack in every state: the rows V-02, V-03, V-04, V-12 to V-15
 * of the table of published faults (their parsers have tests of their own in tests/unit). Nothing crashes,
 * every invariant holds after each (the rig calls estab_check()), no segment brings more than one answer, a
 * RST never one, and the stream stays what it is.
 */
#include "support/random_trace.h"

/* F-INV-3: at most one segment comes back. Returns whether one did. */
static bool take_answer(struct rig *r, struct segment *sent)
{
    bool any = rig_take(r, sent);
    expect_nothing(r);
    return any;
}

/* V-02: one option in an ACK and in a SYN. */
static void try_option(struct rig *r, struct rig *listening, const uint8_t raw[40])
{
    struct segment sent;
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .raw = raw, .raw_length = 40);
    expect_nothing(r);
    expect_state(r, ESTAB_ESTABLISHED);
    inject(listening, .flags = SYN, .seq = 0, .raw = raw, .raw_length = 40);
    if (take_answer(listening, &sent)) {
        assert_int_equal(sent.flags, SYN | ACK);
        inject(listening, .flags = RST, .seq = 1, .no_options = true);
    } else {
        assert_int_equal(listening->drop, ESTAB_DROP_TCP_OPTION);
    }
    expect_state(listening, ESTAB_LISTEN);
}

/* V-02: every kind and length of an option, at the front and behind padding. MUST-6, MUST-7, MUST-64 */
static void v02_options_of_every_kind_and_length(void **state)
{
    (void)state;
    static const unsigned places_of_option[] = {0, 1, 2, 3, 39};
    struct rig *r = rig_at(AT_ESTABLISHED);
    struct rig *listening = rig_at(AT_LISTEN);
    for (unsigned kind = 0; kind < 256; kind += ESTAB_TEST_SLOW && kind > 32 ? 7 : 1) {
        for (unsigned i = 0; i < 42 * 5; i++) {
            uint8_t raw[41];
            unsigned at = places_of_option[i % 5];
            memset(raw, 1, sizeof raw);
            raw[at] = (uint8_t)kind;
            raw[at + 1] = (uint8_t)(i / 5);
            try_option(r, listening, raw);
        }
    }
    rig_stop(r);
    rig_stop(listening);
}

/*
 * MUST-7: what is unlawful is dropped and counted in every state; MUST-5, MUST-6, MUST-64: what is lawful is
 * skipped.
 */
static void v02_illegal_option_is_dropped_in_every_state(void **state)
{
    (void)state;
    static const uint8_t bad[][4] = {
        {2, 0, 0, 0},  {2, 1, 0, 0},  {2, 5, 1, 1},  {3, 4, 0, 0}, {77, 0, 0, 0},
        {77, 1, 0, 0}, {77, 5, 0, 0}, {1, 1, 1, 77}, {8, 3, 1, 0}, {5, 4, 1, 1},
    };
    static const uint8_t good[][4] = {{77, 2, 1, 1}, {77, 4, 9, 9}, {1, 77, 2, 1},
                                      {1, 1, 77, 2}, {77, 3, 9, 0}, {0, 77, 0, 77}};
    for (enum place place = AT_LISTEN; place < PLACES; place++) {
        struct rig *r = rig_at(place);
        uint32_t seq = places[place].rcv_nxt;
        for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            inject(r, .flags = RST | ACK, .seq = seq, .ack = places[place].snd_nxt, .raw = bad[i],
                   .raw_length = 4);
            expect_nothing(r);
            assert_int_equal(r->drop, ESTAB_DROP_TCP_OPTION);
            expect_state(r, places[place].state);
        }
        for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
            inject(r, .flags = PSH, .seq = seq, .raw = good[i],
                   .raw_length = 4); /* no ACK: nothing else happens */
            assert_true(r->drop != ESTAB_DROP_TCP_OPTION);
            rig_discard(r);
            expect_state(r, places[place].state);
        }
        rig_stop(r);
    }
}

/* V-03: a run of urgent pointers over text of one length, forwards, backwards and again. */
static void try_urgent_pointers(enum place place, uint32_t length)
{
    const uint32_t ups[] = {0, 1, length - 1, length, length + 1, 65535, 3, 2};
    struct rig *r = rig_at(place);
    uint32_t seq = places[place].rcv_nxt;
    uint32_t ack = place <= AT_SYN_RECEIVED_ACTIVE ? 1 : places[place].snd_una;
    for (unsigned k = 0; k < 8; k++) {
        rig_ready(r);
        uint32_t ahead = rig_status(r).urgent_ahead;
        inject(r, .flags = ACK | URG, .seq = seq, .ack = ack, .length = length, .up = (uint16_t)ups[k]);
        if (rig_ready(r) & ESTAB_URGENT_MARK) {
            assert_true(rig_status(r).urgent_ahead > ahead);
        }
        if (rig_status(r).state >= ESTAB_ESTABLISHED && rig_status(r).rcv_nxt == r->irs + seq + length) {
            seq += length;
        }
        rig_discard(r);
    }
    rig_read(r, 100000); /* checks every byte by its place */
    assert_false(rig_status(r).urgent_ahead > 65535);
    rig_discard(r);
    rig_stop(r);
}

static void v03_urgent_pointers_never_touch_the_stream(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 1460};
    for (enum place place = AT_SYN_SENT; place < PLACES; place++) {
        for (unsigned i = 0; i < 3; i++) {
            try_urgent_pointers(place, lengths[i]);
        }
    }
}

/* V-04: one segment in one place, and where it was answered the same again. */
static void try_flags(enum place place, const struct segment *seg)
{
    struct segment sent;
    struct rig *r = rig_at(place);
    rig_inject(r, seg, __FILE__, __LINE__);
    bool answered = take_answer(r, &sent);
    if (seg->flags & RST) {
        assert_false(answered && (sent.flags & RST));
    }
    if (answered && sent.length == 0 && rig_state(r) >= ESTAB_ESTABLISHED) {
        rig_inject(r, seg, __FILE__, __LINE__);
        take_answer(r, &sent);
    }
    rig_stop(r);
}

/* V-04: all flag sets with the ECN bits, in all places, at all edges of SEQ and ACK. */
static void v04_every_flag_set_in_every_state(void **state)
{
    (void)state;
    static const uint32_t seqs[] = {0, 1, RCV_BUFFER - 1, RCV_BUFFER, 0x80000000, 0xffffffff};
    static const uint32_t acks[] = {0, 1, 0xffffffff, 0x80000000, 0u - PEER_WND};
    for (enum place place = AT_CLOSED; place < PLACES; place++) {
        for (unsigned flags = 0; flags < 256; flags += ESTAB_TEST_SLOW ? 5 : 1) {
            unsigned classes = flags < 64 ? 6 * 5 : 5;
            for (unsigned i = 0; i < classes; i++) {
                struct segment seg = {.flags = flags, .length = i % 3 == 0 ? 20 : 0, .up = 10};
                seg.seq = places[place].rcv_nxt + seqs[i / 5];
                seg.ack = places[place].snd_nxt + acks[i % 5];
                try_flags(place, &seg);
            }
        }
    }
}

/* V-04: sequences of them, with the user calling in between; the same seeds each time. */
static void v04_random_segments_and_calls(void **state)
{
    (void)state;
    unsigned runs = ESTAB_TEST_SLOW ? 60 : 600;
    for (unsigned run = 0; run < runs; run++) {
        struct rig_options options;
        rig_defaults(&options);
        options.timestamps = options.sack = run % 2 == 1;
        options.wscale = (int)(run % 3);
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_ESTABLISHED);
        struct random_trace trace = {
            .seed = run, .peer_nxt = 1, .top = 1, .acked = 1, .wildness = 60, .closes = true};
        trace.reads = true;
        for (unsigned i = 0; i < 120 && random_step(r, &trace); i++) {
        }
        rig_discard(r);
        rig_stop(r);
    }
}

/* Builds an answer of a connection in `place` over room that is full of `fill`; returns its length. */
static uint32_t answer_over(const struct rig_options *options, enum place place, uint8_t room[2048], int fill)
{
    uint8_t bytes[2048];
    struct rig *r = rig_start(options);
    struct estab_packet out = {.data = room, .capacity = 2048};
    rig_reach(r, place);
    memset(room, fill, 2048);
    struct segment seg = {.flags = SYN, .seq = 5000}; /* everywhere it brings an answer */
    if (place == AT_SYN_SENT) {
        seg = (struct segment){.flags = ACK, .seq = 0, .ack = 50};
    }
    struct estab_packet in = {.data = bytes, .length = (uint32_t)rig_packet(r, &seg, bytes), .interface = 1};
    estab_input(r->stack, r->now, &in, 1);
    assert_int_equal(estab_pull(r->stack, r->now, &out, 1), 1);
    rig_stop(r);
    return out.length;
}

/* V-12: no byte of a packet is left as it was: built twice over different memory it is the same. */
static void v12_no_uninitialised_byte_is_sent(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct rig_options options;
        rig_defaults(&options);
        options.v6 = v6 == 1;
        options.timestamps = options.sack = true;
        for (enum place place = AT_SYN_SENT; place < PLACES; place++) {
            uint8_t room[2][2048];
            uint32_t length = answer_over(&options, place, room[0], 0);
            assert_int_equal(answer_over(&options, place, room[1], 0xff), length);
            assert_memory_equal(room[0], room[1], length);
        }
    }
}

static void fill_edges(uint32_t edges[64])
{
    static const uint32_t middles[] = {0, 1, 1461, 8761, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff};
    for (unsigned i = 0; i < 64; i++) {
        edges[i] = middles[i / 8] + i % 8 - 4;
    }
}

/* V-13: all pairs of edges in the first of one to four blocks, any in the others. */
static void try_sack_edges(struct rig *r, uint64_t seed)
{
    uint32_t edges[64];
    fill_edges(edges);
    for (unsigned i = 0; i < 64 * 64; i += ESTAB_TEST_SLOW ? 9 : 1) {
        struct segment seg = {.flags = ACK, .seq = 1, .ack = 1, .sack_count = 1 + i % 4};
        seg.sack[0][0] = edges[i / 64];
        seg.sack[0][1] = edges[i % 64];
        for (unsigned b = 1; b < seg.sack_count; b++) {
            seg.sack[b][0] = edges[rig_random(&seed) % 64];
            seg.sack[b][1] = edges[rig_random(&seed) % 64];
        }
        rig_inject(r, &seg, __FILE__, __LINE__);
        assert_int_equal(rig_status(r).snd_una, r->iss[0] + 1);
        rig_discard(r);
    }
}

/* V-13: SACK blocks with edges anywhere, in any number. */
static void v13_sack_edges_anywhere_do_no_harm(void **state)
{
    (void)state;
    static const uint32_t isns[] = {0x100, 0x7fffff00, 0xfffffff4};
    for (unsigned n = 0; n < 3; n++) {
        struct rig_options options;
        rig_defaults(&options);
        options.sack = true;
        options.iss = isns[n];
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_ESTABLISHED);
        rig_send(r, 8760, 0);
        rig_discard(r);
        try_sack_edges(r, n);
        inject(r, .flags = ACK, .seq = 1, .ack = 8761);
        rig_discard(r);
        assert_int_equal(rig_status(r).send_queued, 0);
        rig_stop(r);
    }
}

static void try_syn_options(uint16_t mss, unsigned shift, uint32_t stamp)
{
    const uint8_t raw[20] = {2,
                             4,
                             (uint8_t)(mss >> 8),
                             (uint8_t)mss,
                             1,
                             3,
                             3,
                             (uint8_t)shift,
                             8,
                             10,
                             (uint8_t)(stamp >> 24),
                             (uint8_t)(stamp >> 16),
                             (uint8_t)(stamp >> 8),
                             (uint8_t)stamp};
    struct rig_options options;
    rig_defaults(&options);
    options.timestamps = true;
    struct rig *r = rig_start(&options);
    rig_listen(r, 2);
    inject(r, .flags = SYN, .seq = 0, .raw = raw, .raw_length = 20);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    assert_int_equal(r->last.tsecr, stamp);
    r->peer_ts = stamp;
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_accept(r);
    assert_true(rig_status(r).snd_mss >= 48);
    assert_true(rig_status(r).snd_wnd_shift <= 14);
    rig_send(r, 3000, 0);
    struct segment sent;
    while (rig_take(r, &sent)) {
        assert_true(sent.length >= 48 && sent.length <= 1448);
    }
    rig_abort(r);
    rig_discard(r);
    rig_stop(r);
}

/* V-14: the extremes of MSS, window scale and timestamps of a SYN, and data afterwards. */
static void v14_extreme_syn_options_are_clamped(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {0, 1, 2, 40, 87, 88, 535, 65535};
    static const uint32_t stamps[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned shift = 13; shift < 256; shift += 81) {
            for (unsigned k = 0; k < 5; k++) {
                try_syn_options(sizes[i], shift, stamps[k]);
            }
        }
    }
}

/* V-15: relations that only a peer controls: windows, MSS and what is queued in every order. */
static void v15_window_and_mss_relations_never_assert(void **state)
{
    (void)state;
    uint64_t seed = 5;
    unsigned runs = ESTAB_TEST_SLOW ? 20 : 200;
    for (unsigned run = 0; run < runs; run++) {
        struct rig_options options;
        rig_defaults(&options);
        options.peer_mss =
            (uint16_t)(rig_random(&seed) % 3 == 0 ? rig_random(&seed) % 100 : rig_random(&seed));
        options.wscale = (int)(rig_random(&seed) % 16);
        options.config.send_buffer = 1 + rig_random(&seed) % 70000;
        options.config.receive_buffer = 1 + rig_random(&seed) % 70000;
        struct rig *r = rig_start(&options);
        r->wnd = 1 + (int32_t)(rig_random(&seed) % 65535);
        rig_connect(r);
        rig_discard(r);
        inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
        rig_discard(r);
        struct random_trace trace = {
            .seed = seed, .peer_nxt = 1, .top = 1, .acked = 1, .wildness = 5, .reads = true};
        for (unsigned i = 0; i < 80 && random_step(r, &trace); i++) {
            if (i % 20 == 7) { /* a path that becomes narrow in the middle */
                rig_inject_icmp(r, 3, 4, trace.acked, 500 + rig_random(&seed) % 1000);
            }
            rig_discard(r);
        }
        rig_stop(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v02_options_of_every_kind_and_length),
        cmocka_unit_test(v02_illegal_option_is_dropped_in_every_state),
        cmocka_unit_test(v03_urgent_pointers_never_touch_the_stream),
        cmocka_unit_test(v04_every_flag_set_in_every_state),
        cmocka_unit_test(v04_random_segments_and_calls),
        cmocka_unit_test(v12_no_uninitialised_byte_is_sent),
        cmocka_unit_test(v13_sack_edges_anywhere_do_no_harm),
        cmocka_unit_test(v14_extreme_syn_options_are_clamped),
        cmocka_unit_test(v15_window_and_mss_relations_never_assert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
