/*
 * Blind attackers (RFC 5961, 5927, 1337, 7323, 9293 3.5), the rows V-24 to V-32 of the table of published
 * faults with the whole grid that each gives: every state, every edge. The rules themselves, one by one,
 * stand in tests/rfc/offpath_test.c and tests/rfc/synchronized_test.c; here nothing is sampled.
 */
#include "drivers/pipe.h"
#include "support/rig.h"

static struct rig *rig_of(enum place place, bool v6)
{
    struct rig_options options;
    rig_defaults(&options);
    options.v6 = v6;
    struct rig *r = rig_start(&options);
    rig_reach(r, place);
    return r;
}

/* ---- RST ---- */

enum rst_answer { SILENT, RESETS, CHALLENGED };

struct rst_place {
    bool from_edge; /* counted from the right edge of the window, else from RCV.NXT */
    uint32_t offset;
    enum rst_answer answer;
};

/* V-24, MUST-66 */
static void try_rst(enum place place, const struct rst_place *where, unsigned flags)
{
    struct rig *r = rig_at(place);
    const struct place_facts *facts = &places[place];
    uint32_t seq = facts->rcv_nxt + where->offset + (where->from_edge ? rig_status(r).rcv_wnd : 0);
    inject(r, .flags = RST | flags, .seq = seq, .ack = facts->snd_nxt);
    if (where->answer == CHALLENGED && place != AT_TIME_WAIT) {
        expect(r, .flags = ACK, .seq = facts->snd_nxt, .ack = facts->rcv_nxt,
               .reason = ESTAB_REASON_ACK_CHALLENGE);
    }
    expect_nothing(r);
    bool over = where->answer == RESETS && place != AT_TIME_WAIT;
    enum estab_state after = place == AT_SYN_RECEIVED_PASSIVE ? ESTAB_LISTEN : ESTAB_CLOSED;
    expect_state(r, over ? after : facts->state);
    rig_stop(r);
}

/* V-24, O-01, O-02, O-03, O-06: silent, reset or one challenge ACK, in all states and at all edges. */
static void v24_blind_rst_at_every_edge_in_every_state(void **state)
{
    (void)state;
    static const struct rst_place edges[] = {
        {false, 0xffffffff, SILENT},
        {false, 0, RESETS},
        {false, 1, CHALLENGED},
        {false, RCV_BUFFER / 2, CHALLENGED},
        {true, 0xffffffff, CHALLENGED},
        {true, 0, SILENT},
        {true, 1, SILENT},
        {false, 0x80000000, SILENT},
        {false, 0x7fffffff, SILENT},
    };
    for (enum place place = AT_SYN_RECEIVED_PASSIVE; place < PLACES; place++) {
        for (unsigned i = 0; i < sizeof edges / sizeof edges[0]; i++) {
            try_rst(place, &edges[i], 0);
            try_rst(place, &edges[i], ACK);
        }
    }
}

/* V-24, O-05: the same for a handshake that stands in the SYN cache; the listener stays. */
static void v24_blind_rst_against_the_syn_cache(void **state)
{
    (void)state;
    static const struct {
        uint32_t seq;
        enum rst_answer answer;
    } edges[] = {
        {0, SILENT},
        {1, RESETS},
        {2, CHALLENGED},
        {1 + RCV_BUFFER / 2, CHALLENGED},
        {RCV_BUFFER, CHALLENGED},
        {RCV_BUFFER + 1, SILENT},
        {RCV_BUFFER + 2, SILENT},
        {0x80000001, SILENT},
    };
    for (unsigned i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        struct rig *r = rig_start(NULL);
        struct estab_memory memory;
        rig_listen(r, 4);
        inject(r, .flags = SYN, .seq = 0);
        expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
        inject(r, .flags = RST, .seq = edges[i].seq);
        if (edges[i].answer == CHALLENGED) {
            expect(r, .flags = ACK, .seq = 1, .ack = 1);
        }
        expect_nothing(r);
        estab_memory(r->stack, &memory);
        assert_int_equal(memory.half_open, edges[i].answer == RESETS ? 0 : 1);
        if (edges[i].answer == RESETS) {
            inject(r, .flags = SYN, .seq = 0);
            expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
        }
        inject(r, .flags = ACK, .seq = 1, .ack = 1);
        rig_accept(r);
        expect_state(r, ESTAB_ESTABLISHED);
        rig_stop(r);
    }
}

/* ---- SYN ---- */

/* Ten SYNs in one second at one place: two answers. */
static void try_syns(struct rig *r, const struct place_facts *facts, const struct segment *syn)
{
    advance(r, SECOND - r->now % SECOND);
    rig_discard(r); /* a FIN again */
    for (unsigned n = 0; n < 10; n++) {
        rig_inject(r, syn, __FILE__, __LINE__);
        if (n < 2) {
            expect(r, .flags = ACK, .seq = facts->snd_nxt, .ack = facts->rcv_nxt,
                   .reason = ESTAB_REASON_ACK_CHALLENGE);
        }
        expect_nothing(r);
        assert_int_equal(r->drop, ESTAB_DROP_SYN_CHALLENGED);
    }
    expect_state(r, facts->state);
}

/*
 * V-25, O-09, O-12: a SYN brings one challenge ACK wherever it lies, text and ACK or not, and changes
 * nothing; a second full of them brings two.
 */
static void v25_blind_syn_at_every_edge_in_every_state(void **state)
{
    (void)state;
    static const uint32_t offsets[] = {0xffffffff,     0,          1,         RCV_BUFFER / 2,
                                       RCV_BUFFER - 1, RCV_BUFFER, 0x80000000};
    for (enum place place = AT_ESTABLISHED; place < AT_TIME_WAIT; place++) {
        const struct place_facts *facts = &places[place];
        struct rig_options options;
        rig_defaults(&options);
        options.config.challenge_acks = 0; /* the default: 2 */
        struct rig *r = rig_start(&options);
        rig_reach(r, place);
        uint64_t received = rig_status(r).bytes_received;
        for (unsigned i = 0; i < 7 * 4; i++) {
            struct segment syn = {.flags = SYN | (i & 1 ? ACK : 0),
                                  .seq = facts->rcv_nxt + offsets[i / 4],
                                  .ack = facts->snd_nxt,
                                  .length = i & 2 ? 10 : 0};
            try_syns(r, facts, &syn);
        }
        assert_int_equal(rig_status(r).bytes_received, received);
        rig_stop(r);
    }
}

/* ---- text with a guessed ACK ---- */

/*
 * V-26, O-13, O-14: text whose ACK is older than SND.UNA - MAX.SND.WND, or of what was not sent, is dropped
 * and answered by one ACK; from there to SND.NXT it is taken.
 */
static void v26_blind_data_by_its_ack(void **state)
{
    (void)state;
    static const enum place text_places[] = {AT_ESTABLISHED, AT_FIN_WAIT_1, AT_FIN_WAIT_2};
    for (unsigned p = 0; p < 3; p++) {
        const struct place_facts *facts = &places[text_places[p]];
        for (unsigned i = 0; i < 8; i++) {
            struct rig *r = rig_at(text_places[p]);
            uint32_t una = facts->snd_una;
            uint32_t nxt = facts->snd_nxt;
            if (text_places[p] == AT_ESTABLISHED) {
                rig_send(r, 100, 0);
                rig_discard(r);
                nxt += 100;
            }
            uint32_t max = rig_status(r).max_snd_wnd;
            const uint32_t acks[] = {
                una - max - 1, nxt + 1, una + 0x80000000, una - 0x7fffffff, una - max, una - 1, una, nxt};
            inject(r, .flags = ACK | PSH, .seq = 1, .ack = acks[i], .length = 10);
            if (i < 4) {
                expect(r, .flags = ACK, .seq = nxt, .ack = 1);
                assert_int_equal(r->drop, ESTAB_DROP_ACK_RANGE);
                expect_state(r, facts->state);
            } else {
                assert_int_equal(r->drop, ESTAB_DROP_NONE);
                rig_discard(r);
            }
            assert_int_equal(rig_status(r).receive_queued, i < 4 ? 0 : 10);
            rig_stop(r);
        }
    }
}

/* ---- ICMP ---- */

struct icmp_message {
    uint8_t type, codes;
};

/* V-27: all codes of one kind at one place, `in_flight` of them about what is under way. */
static void try_icmp(bool v6, enum place place, const struct icmp_message *message)
{
    bool too_big = message->type == (v6 ? 2 : 3);
    uint32_t floor = v6 ? 1280 - 60 : 552 - 40;
    struct rig *r = rig_of(place, v6);
    uint32_t text = place == AT_ESTABLISHED || place == AT_CLOSE_WAIT ? 100 : 0;
    if (text > 0) {
        rig_send(r, text, 0);
        rig_discard(r);
    }
    uint32_t una = places[place].snd_una;
    uint32_t nxt = places[place].snd_nxt + text;
    uint32_t mss = rig_status(r).snd_mss;
    const uint32_t seqs[] = {una - 1, nxt, nxt + 0x80000000, una, nxt - 1};
    for (unsigned code = 0; code < message->codes; code++) {
        for (unsigned i = 0; i < 5 * 4; i++) {
            static const uint32_t told[] = {0, 68, 551, 1279};
            uint32_t seq = seqs[i / 4];
            bool in_flight = seq - una < nxt - una;
            rig_inject_icmp(r, message->type, code, seq, told[i % 4]);
            rig_discard(r);
            expect_state(r, places[place].state);
            assert_int_equal(rig_status(r).error, 0);
            uint32_t now = rig_status(r).snd_mss;
            assert_true(now >= floor && now <= mss);
            if (!in_flight || !too_big || (!v6 && code != 4)) {
                assert_int_equal(now, mss);
            }
            mss = now;
        }
    }
    assert_true(place != AT_ESTABLISHED || v6 || !too_big || mss == floor);
    rig_stop(r);
}

/* V-27, O-29, O-30, O-32, O-33: no ICMP ends a connection; one about a segment in flight may make segments
 * smaller, never below the floor. */
static void v27_icmp_of_every_code_in_every_synchronized_state(void **state)
{
    (void)state;
    static const struct icmp_message v4[] = {{3, 17}, {4, 1}, {5, 4}, {11, 2}, {12, 3}};
    static const struct icmp_message v6[] = {{1, 8}, {2, 1}, {3, 2}, {4, 4}};
    for (enum place place = AT_ESTABLISHED; place < AT_TIME_WAIT; place++) {
        for (unsigned i = 0; i < 5; i++) {
            try_icmp(false, place, &v4[i]);
        }
        for (unsigned i = 0; i < 4; i++) {
            try_icmp(true, place, &v6[i]);
        }
    }
}

/* ---- timestamps ---- */

/* V-28, O-22: the furthest TSval that is not old, at a wrong SEQ, with a wrong ACK, or in a RST or SYN. */
static void v28_timestamps_are_not_poisoned(void **state)
{
    (void)state;
    for (enum place place = AT_ESTABLISHED; place < AT_TIME_WAIT; place++) {
        const struct place_facts *facts = &places[place];
        struct rig *r = rig_with_timestamps(place);
        uint32_t far = r->peer_ts + 0x7fffffff;
        const struct segment forged[] = {
            {.flags = ACK, .seq = facts->rcv_nxt + RCV_BUFFER, .ack = facts->snd_una, .length = 1},
            {.flags = ACK, .seq = facts->rcv_nxt + 1, .ack = facts->snd_una, .length = 1},
            {.flags = ACK, .seq = facts->rcv_nxt + 0x80000000, .ack = facts->snd_una, .length = 1},
            {.flags = ACK, .seq = facts->rcv_nxt - 10, .ack = facts->snd_una, .length = 1},
            {.flags = ACK, .seq = facts->rcv_nxt, .ack = facts->snd_nxt + 1, .length = 1},
            {.flags = ACK, .seq = facts->rcv_nxt, .ack = facts->snd_una - 0x7fff0000, .length = 1},
            {.flags = 0, .seq = facts->rcv_nxt, .length = 1},
            {.flags = RST, .seq = facts->rcv_nxt + 1},
            {.flags = SYN, .seq = facts->rcv_nxt},
        };
        for (unsigned i = 0; i < sizeof forged / sizeof forged[0]; i++) {
            struct segment seg = forged[i];
            seg.check_ts = true;
            seg.tsval = far;
            seg.tsecr = r->last_tsval;
            rig_inject(r, &seg, __FILE__, __LINE__);
            rig_discard(r);
            /* What TS.Recent is shows in the next ACK: this one is old, so it brings one. */
            inject(r, .flags = ACK, .seq = facts->rcv_nxt, .ack = facts->snd_una, .length = 1,
                   .check_ts = true, .tsval = r->peer_ts - 1, .tsecr = r->last_tsval);
            assert_int_equal(r->drop, ESTAB_DROP_PAWS);
            struct segment sent;
            assert_true(rig_take(r, &sent));
            assert_int_equal(sent.tsecr, r->peer_ts);
            rig_discard(r);
        }
        if (place == AT_ESTABLISHED) { /* the flow goes on */
            inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 1);
            rig_discard(r);
            assert_true(rig_status(r).rcv_nxt - r->irs >= 2);
        }
        rig_stop(r);
    }
}

/* ---- TIME-WAIT ---- */

/* V-29, O-06, O-37: RSTs all through TIME-WAIT neither shorten nor lengthen it. */
static void v29_time_wait_ends_after_exactly_2msl_whatever_rst_comes(void **state)
{
    (void)state;
    static const uint64_t msl[] = {SECOND, 5 * SECOND, 30 * SECOND};
    for (unsigned i = 0; i < 3; i++) {
        struct rig_options options;
        rig_defaults(&options);
        options.config.msl_ns = msl[i];
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_TIME_WAIT);
        for (unsigned n = 0; n < 10; n++) {
            for (uint32_t seq = 0; seq < 5; seq++) {
                inject(r, .flags = RST, .seq = seq);
                inject(r, .flags = RST | ACK, .seq = seq, .ack = 2);
                inject(r, .flags = RST, .seq = 2 + RCV_BUFFER * seq);
            }
            expect_nothing(r);
            expect_state(r, ESTAB_TIME_WAIT);
            advance(r, msl[i] / 5 - (n == 9 ? 1 : 0));
        }
        inject(r, .flags = RST, .seq = 2);
        expect_state(r, ESTAB_TIME_WAIT);
        advance(r, 1);
        expect_state(r, ESTAB_CLOSED);
        rig_stop(r);
    }
}

/* ---- impossible addresses ---- */

/* V-30, O-35: LAND and its kin against a listener and a connection: not one packet comes back. */
static void v30_impossible_addresses_are_met_with_silence(void **state)
{
    (void)state;
    const struct estab_addr bad[] = {
        estab_addr_ipv4(10, 9, 0, 2, 0),        estab_addr_ipv4(127, 0, 0, 1, 0),
        estab_addr_ipv4(127, 255, 255, 254, 0), estab_addr_ipv4(224, 0, 0, 1, 0),
        estab_addr_ipv4(239, 1, 2, 3, 0),       estab_addr_ipv4(240, 0, 0, 1, 0),
        estab_addr_ipv4(255, 255, 255, 255, 0), estab_addr_ipv4(10, 9, 0, 255, 0),
        estab_addr_ipv4(0, 0, 0, 0, 0),         estab_addr_ipv4(0, 9, 0, 1, 0),
    };
    struct rig *r = rig_start(NULL);
    rig_listen(r, 8);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (unsigned n = 0; n < 64 * 4; n++) {
            bool to = (n & 2) != 0;
            if (to && i == 0) {
                continue; /* our own address is the right one */
            }
            r->from = to ? NULL : &bad[i];
            r->to = to ? &bad[i] : NULL;
            inject(r, .flags = n / 4, .seq = 0, .ack = 1, .port = n & 1 ? LOCAL_PORT : PEER_PORT,
                   .length = n & 32 ? 10 : 0);
            expect_nothing(r);
            assert_true(r->drop != ESTAB_DROP_NONE);
        }
    }
    r->from = r->to = NULL;
    struct estab_memory memory;
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.half_open, 0);
    assert_int_equal(memory.connections, 1);
    assert_int_equal(rig_counters(r).packets_out, 0);
    rig_stop(r);
}

/* ---- openings ---- */

/* V-31, O-04: SYN-SENT and a SYN,ACK of something else: a RST at its ACK, and the opening goes on. */
static void v31_syn_ack_with_a_wrong_ack_is_reset(void **state)
{
    (void)state;
    static const uint32_t acks[] = {0, 2, 0x80000000, 0x80000001, 0xffffffff, 1000};
    for (unsigned i = 0; i < 6; i++) {
        struct rig *r = rig_at(AT_SYN_SENT);
        for (unsigned n = 0; n < 3; n++) {
            inject(r, .flags = SYN | ACK, .seq = 77 * n, .ack = acks[i], .length = n);
            expect(r, .flags = RST, .seq = acks[i]);
            expect_nothing(r);
            expect_state(r, ESTAB_SYN_SENT);
        }
        inject(r, .flags = SYN | ACK | RST, .seq = 0, .ack = acks[i]);
        expect_nothing(r);
        inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
        expect(r, .flags = ACK, .seq = 1, .ack = 1);
        expect_state(r, ESTAB_ESTABLISHED);
        rig_stop(r);
    }
}

#define DELAY (10 * MS)
#define ROUND (2 * DELAY)

struct pair {
    struct pipe pipe;
    estab_stack *stack[2];
    void *memory[2];
    estab_conn conn[2];
    estab_conn listener;
};

static estab_stack *pair_stack(struct pair *pair, unsigned side, int secret)
{
    struct estab_config config;
    estab_config_init(&config);
    memset(config.secret, secret, sizeof config.secret);
    config.max_connections = 8;
    free(pair->memory[side]);
    pair->memory[side] = aligned_alloc(64, 1u << 18);
    assert_non_null(pair->memory[side]);
    pair->stack[side] = estab_init(pair->memory[side], 1u << 18, &config, NULL, NULL);
    assert_non_null(pair->stack[side]);
    return pair->stack[side];
}

static void pair_connect(struct pair *pair)
{
    struct estab_addr local = estab_addr_ipv4(10, 0, 0, 1, 7000);
    struct estab_addr server = estab_addr_ipv4(10, 0, 0, 2, 80);
    uint64_t now = pair->pipe.now;
    assert_int_equal(estab_open(pair->stack[0], &pair->conn[0]), 0);
    assert_int_equal(estab_bind(pair->stack[0], now, pair->conn[0], &local), 0);
    assert_int_equal(estab_connect(pair->stack[0], now, pair->conn[0], &server), 0);
}

static enum estab_state pair_state(const struct pair *pair, unsigned side)
{
    struct estab_status status;
    return estab_status(pair->stack[side], pair->conn[side], &status) == 0 ? status.state : ESTAB_CLOSED;
}

static bool client_established(void *user)
{
    return pair_state(user, 0) == ESTAB_ESTABLISHED;
}

static bool server_closed(void *user)
{
    return pair_state(user, 1) == ESTAB_CLOSED;
}

/* Two stacks with a connection between them. */
static void pair_start(struct pair *pair)
{
    char error[200];
    struct pipe_options options = {.delay_ns = DELAY};
    memset(pair, 0, sizeof *pair);
    estab_stack *stacks[2] = {pair_stack(pair, 0, 1), pair_stack(pair, 1, 2)};
    assert_int_equal(pipe_open(&pair->pipe, stacks, &options, error, sizeof error), 0);
    assert_int_equal(pipe_address(&pair->pipe, 0, "10.0.0.1/24", error, sizeof error), 0);
    assert_int_equal(pipe_address(&pair->pipe, 1, "10.0.0.2/24", error, sizeof error), 0);
    struct estab_addr any = estab_addr_any(80);
    assert_int_equal(estab_open(stacks[1], &pair->listener), 0);
    assert_int_equal(estab_bind(stacks[1], pair->pipe.now, pair->listener, &any), 0);
    assert_int_equal(estab_listen(stacks[1], pair->pipe.now, pair->listener, 4), 0);
    pair_connect(pair);
    assert_true(pipe_run(&pair->pipe, client_established, pair, SECOND));
    pipe_run(&pair->pipe, NULL, NULL, SECOND);
    assert_int_equal(estab_accept(stacks[1], pair->pipe.now, pair->listener, &pair->conn[1]), 0);
}

/* The client's machine starts anew, and has forgotten everything. */
static void pair_restart_client(struct pair *pair)
{
    char error[200];
    assert_int_equal(pipe_replace(&pair->pipe, 0, pair_stack(pair, 0, 9)), 0);
    assert_int_equal(pipe_address(&pair->pipe, 0, "10.0.0.1/24", error, sizeof error), 0);
}

static void pair_stop(struct pair *pair)
{
    pipe_close(&pair->pipe);
    free(pair->memory[0]);
    free(pair->memory[1]);
}

/* V-31: whoever speaks first, the side that kept a half-open connection knows within two round trips. */
static void v31_half_open_connection_is_found_out_within_two_round_trips(void **state)
{
    (void)state;
    for (unsigned client_first = 0; client_first < 2; client_first++) {
        struct pair pair;
        pair_start(&pair);
        pair_restart_client(&pair);
        uint64_t begun = pair.pipe.now;
        if (client_first) {
            pair_connect(&pair);
        } else {
            assert_int_equal(estab_send(pair.stack[1], pair.pipe.now, pair.conn[1], "x", 1, 0), 1);
        }
        assert_true(pipe_run(&pair.pipe, server_closed, &pair, 2 * ROUND));
        assert_true(pair.pipe.now - begun <= 2 * ROUND);
        pair_stop(&pair);
    }
}

/* O-10: and the SYN of the one that restarted succeeds in one RTO and a round trip. */
static void o10_restarted_peer_is_connected_after_one_rto_and_a_round_trip(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    pair_restart_client(&pair);
    uint64_t begun = pair.pipe.now;
    pair_connect(&pair);
    assert_true(pipe_run(&pair.pipe, client_established, &pair, 10 * SECOND));
    assert_true(pair.pipe.now - begun <= SECOND + ROUND);
    pair_stop(&pair);
}

/* V-32: one course of four segments at most, then the ACK of an honest peer, and text both ways. */
static void try_split(unsigned course)
{
    static const struct segment moves[] = {
        {.flags = SYN, .seq = 0},
        {.flags = ACK, .seq = 1, .ack = 1},
        {.flags = SYN | ACK, .seq = 0, .ack = 1},
        {.flags = ACK, .seq = 0, .ack = 1},
        {.flags = ACK | PSH, .seq = 1, .ack = 1, .length = 20},
        {.flags = SYN | PSH, .seq = 0, .length = 20},
        {.flags = 0},
    };
    struct rig *r = rig_at(AT_SYN_SENT);
    for (unsigned i = 0; i < 4; i++, course /= 7) {
        if (course % 7 < 6) {
            rig_inject(r, &moves[course % 7], __FILE__, __LINE__);
            rig_discard(r);
        }
        enum estab_state now = rig_state(r);
        assert_true(now == ESTAB_SYN_SENT || now == ESTAB_SYN_RECEIVED || now == ESTAB_ESTABLISHED);
    }
    if (rig_state(r) == ESTAB_SYN_SENT) {
        inject(r, .flags = SYN, .seq = 0);
        rig_discard(r);
    }
    inject(r, .flags = ACK, .seq = rig_status(r).rcv_nxt - r->irs, .ack = 1);
    rig_discard(r);
    expect_state(r, ESTAB_ESTABLISHED);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 40);
    rig_discard(r);
    assert_int_equal(rig_read(r, 100), 40);
    rig_discard(r);
    rig_send(r, 40, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 41, .length = 40);
    rig_stop(r);
}

/* V-32: every order of the halves of a handshake ends established, and the text is exact. */
static void v32_split_handshakes_in_every_order(void **state)
{
    (void)state;
    for (unsigned course = 0; course < 7 * 7 * 7 * 7; course += ESTAB_TEST_SLOW ? 5 : 1) {
        try_split(course);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v24_blind_rst_at_every_edge_in_every_state),
        cmocka_unit_test(v24_blind_rst_against_the_syn_cache),
        cmocka_unit_test(v25_blind_syn_at_every_edge_in_every_state),
        cmocka_unit_test(v26_blind_data_by_its_ack),
        cmocka_unit_test(v27_icmp_of_every_code_in_every_synchronized_state),
        cmocka_unit_test(v28_timestamps_are_not_poisoned),
        cmocka_unit_test(v29_time_wait_ends_after_exactly_2msl_whatever_rst_comes),
        cmocka_unit_test(v30_impossible_addresses_are_met_with_silence),
        cmocka_unit_test(v31_syn_ack_with_a_wrong_ack_is_reset),
        cmocka_unit_test(v31_half_open_connection_is_found_out_within_two_round_trips),
        cmocka_unit_test(o10_restarted_peer_is_connected_after_one_rto_and_a_round_trip),
        cmocka_unit_test(v32_split_handshakes_in_every_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
