/*
 * Every allocation failing in turn: a whole life of two connections, from SYN to TIME-WAIT, in both
 * directions, with loss and reordering, in which the k-th block that a stack asks for is not there, nor any
 * after it, for a while or for ever. No crash, every invariant holds, no block is kept, and the stream is
 * exact, or its end is an error and what was read before is a prefix of it (F-INV-5).
 */
#include "drivers/pipe.h"
#include "stack/stack.h"
#include "support/rig.h"

#define TOTAL  20000u
#define PORT   80
#define MEMORY ((128u << 10) + TRACE_MEMORY)

struct side {
    estab_stack *stack;
    void *memory;
    estab_conn conn;
    uint32_t written, read;
    bool ended;   /* the peer's end was read */
    bool shut, closed;
    struct figure_replay *replay;
    int error;
};

struct life {
    struct pipe pipe;
    struct side side[2];
    estab_conn listener;
    struct pool *failing;
    uint64_t hit_at;       /* when the first block was refused */
    uint64_t outage_ns;
    uint64_t seed;
};

static void hook(void *user, unsigned from, uint64_t index, struct estab_packet *packet,
                 struct pipe_fate *fate)
{
    struct life *life = user;
    (void)from;
    (void)index;
    (void)packet;
    uint32_t dice = rig_random(&life->seed) % 16;
    fate->copies = dice == 0 ? 0 : 1;
    fate->extra_ns = dice == 1 || dice == 2 ? 3 * MS : 0;
}

static void start(struct life *life, bool lossy)
{
    estab_stack *stacks[2];
    char error[200] = "";
    struct pipe_options options = {
        .delay_ns = MS, .mtu = 600, .hook = lossy ? hook : NULL, .hook_user = life};
    memset(life, 0, sizeof *life);
    life->seed = 11;
    for (unsigned i = 0; i < 2; i++) {
        struct estab_config config;
        estab_config_init(&config);
        memset(config.secret, 7 + (int)i, sizeof config.secret);
        config.max_connections = 8;
        config.max_time_wait = 8;
        config.block_size = 512;
        config.receive_buffer = 6000;
        config.send_buffer = 6000;
        config.msl_ns = SECOND;
        config.trace_records = TRACE_ROOM;
        life->side[i].replay = figure_replay_new();
        life->side[i].memory = aligned_alloc(64, MEMORY);
        life->side[i].stack = stacks[i] = estab_init(life->side[i].memory, MEMORY, &config, NULL, NULL);
        assert_non_null(stacks[i]);
    }
    assert_int_equal(pipe_open(&life->pipe, stacks, &options, error, sizeof error), 0);
    assert_int_equal(pipe_address(&life->pipe, 0, "10.0.0.1/24", error, sizeof error), 0);
    assert_int_equal(pipe_address(&life->pipe, 1, "10.0.0.2/24", error, sizeof error), 0);
    struct estab_addr any = estab_addr_any(PORT);
    struct estab_addr server = estab_addr_ipv4(10, 0, 0, 2, PORT);
    assert_int_equal(estab_open(stacks[1], &life->listener), 0);
    assert_int_equal(estab_bind(stacks[1], life->pipe.now, life->listener, &any), 0);
    assert_int_equal(estab_listen(stacks[1], life->pipe.now, life->listener, 2), 0);
    assert_int_equal(estab_open(stacks[0], &life->side[0].conn), 0);
    assert_int_equal(estab_connect(stacks[0], life->pipe.now, life->side[0].conn, &server), 0);
}

static void stop(struct life *life)
{
    pipe_close(&life->pipe);
    for (unsigned i = 0; i < 2; i++) {
        rig_replay(life->side[i].replay, life->side[i].stack);
        assert_true(figure_replay_changes(life->side[i].replay) > 0);
        figure_replay_free(life->side[i].replay);
        free(life->side[i].memory);
    }
}

static void write_some(struct life *life, struct side *s, unsigned stream)
{
    uint8_t bytes[700];
    uint32_t length = TOTAL - s->written < sizeof bytes ? TOTAL - s->written : (uint32_t)sizeof bytes;
    for (uint32_t i = 0; i < length; i++) {
        bytes[i] = rig_byte(s->written + i + stream * 1000003u);
    }
    if (length > 0) {
        ptrdiff_t sent = estab_send(s->stack, life->pipe.now, s->conn, bytes, length, 0);
        if (sent > 0) {
            s->written += (uint32_t)sent;
        } else if (sent != -ESTAB_EAGAIN) {
            s->error = (int)sent;
        }
    } else if (!s->shut) {
        s->shut = estab_shutdown(s->stack, life->pipe.now, s->conn, ESTAB_SHUT_WR) == 0;
    }
}

static void read_some(struct life *life, struct side *s, unsigned stream)
{
    uint8_t bytes[900];
    ptrdiff_t got = estab_recv(s->stack, life->pipe.now, s->conn, bytes, sizeof bytes, 0);
    for (ptrdiff_t i = 0; i < got; i++) {
        assert_int_equal(bytes[i], rig_byte(s->read + (uint64_t)i + stream * 1000003u));
    }
    if (got > 0) {
        s->read += (uint32_t)got;
    } else if (got == 0) {
        s->ended = true;
        assert_int_equal(s->read, TOTAL); /* the end only after all of it */
    } else if (got != -ESTAB_EAGAIN) {
        s->error = (int)got;
    }
}

/* One step of both users; true when both have closed. */
static bool users(void *user)
{
    struct life *life = user;
    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &life->side[i];
        const char *wrong = estab_check(s->stack);
        if (wrong != NULL) {
            fail_msg("estab_check: %s", wrong);
        }
        rig_replay(s->replay, s->stack);
        if (i == 1 && s->conn == 0) {
            estab_accept(s->stack, life->pipe.now, life->listener, &s->conn);
        }
        if (s->conn == 0 || s->closed) {
            continue;
        }
        int ready = estab_ready(s->stack, s->conn);
        if (!(ready & (ESTAB_CONNECTED | ESTAB_CLOSED_BIT | ESTAB_ERROR))) {
            continue;
        }
        uint32_t before;
        do { /* until nothing is possible: no event may come afterwards */
            before = s->written + s->read;
            write_some(life, s, i);
            read_some(life, s, 1 - i);
        } while (s->written + s->read != before);
        if (s->error != 0 || (s->ended && s->shut)) {
            s->closed = true;
            estab_close(s->stack, life->pipe.now, s->conn);
        }
    }
    if (life->failing != NULL && life->failing->fail_after == 1 && life->failing->failed > 0) {
        life->hit_at = life->hit_at == 0 ? life->pipe.now : life->hit_at;
        if (life->pipe.now - life->hit_at >= life->outage_ns) {
            life->failing->fail_after = 0;
        }
    }
    return life->side[0].closed && life->side[1].closed;
}

/* Both stacks have given everything back. */
static void expect_clean(struct life *life)
{
    for (unsigned i = 0; i < 2; i++) {
        struct estab_memory memory;
        estab_memory(life->side[i].stack, &memory);
        assert_null(estab_check(life->side[i].stack));
        assert_int_equal(memory.blocks_used, 0);
        assert_int_equal(memory.connections, i); /* the listener */
        assert_int_equal(memory.time_wait, 0);
    }
}

static bool never(void *user)
{
    struct life *life = user;
    for (unsigned i = 0; i < 2; i++) {
        assert_null(estab_check(life->side[i].stack));
        rig_replay(life->side[i].replay, life->side[i].stack);
    }
    return false;
}

/* Returns whether the k-th allocation of that side was asked for at all. */
static bool run_with_outage(unsigned side, uint32_t k, bool lossy)
{
    struct life life;
    start(&life, lossy);
    life.failing = &life.side[side].stack->pool;
    life.failing->fail_after = k;
    life.outage_ns = 2 * SECOND;
    bool done = false;
    for (unsigned i = 0; i < 3000 && !done;
         i++) { /* the users look in every second even if nothing happens */
        done = pipe_run(&life.pipe, users, &life, SECOND) || users(&life);
    }
    if (!done) {
        fail_msg("side %u, block %u: no end; written %u %u, read %u %u", side, k, life.side[0].written,
                 life.side[1].written, life.side[0].read, life.side[1].read);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (life.side[i].error != 0 || life.side[i].read != TOTAL) {
            fail_msg("side %u, block %u: %s, read %u of %u", side, k, estab_strerror(life.side[i].error),
                     life.side[i].read, TOTAL);
        }
    }
    pipe_run(&life.pipe, never, &life, 300 * SECOND);
    expect_clean(&life);
    bool hit = life.hit_at != 0;
    stop(&life);
    return hit;
}

/* For ever: the users give up in the end. */
static bool run_without_memory(unsigned side, uint32_t k)
{
    struct life life;
    start(&life, true);
    life.failing = &life.side[side].stack->pool;
    life.failing->fail_after = k;
    life.outage_ns = UINT64_MAX;
    pipe_run(&life.pipe, users, &life, 20 * SECOND);
    bool hit = life.hit_at != 0;
    for (unsigned i = 0; i < 2; i++) {
        if (life.side[i].conn != 0 && !life.side[i].closed) {
            estab_abort(life.side[i].stack, life.pipe.now, life.side[i].conn);
        }
    }
    pipe_run(&life.pipe, never, &life, 2000 * SECOND);
    expect_clean(&life);
    stop(&life);
    return hit;
}

#define STRIDE (ESTAB_TEST_SLOW ? 7u : 1u)

static void every_block_refused_for_a_while_delays_and_no_more(void **state)
{
    (void)state;
    for (unsigned side = 0; side < 2; side++) {
        uint32_t k = 1;
        while (run_with_outage(side, k, false)) {
            k += STRIDE;
        }
        assert_true(k > 40);
    }
}

static void every_block_refused_for_a_while_with_loss_delays_and_no_more(void **state)
{
    (void)state;
    for (unsigned side = 0; side < 2; side++) {
        uint32_t k = 1;
        while (run_with_outage(side, k, true)) {
            k += STRIDE;
        }
        assert_true(k > 40);
    }
}

static void every_block_refused_for_ever_ends_clean(void **state)
{
    (void)state;
    for (unsigned side = 0; side < 2; side++) {
        uint32_t k = 1;
        while (run_without_memory(side, k)) {
            k += STRIDE;
        }
        assert_true(k > 40);
    }
}

/*
 * RFC 2018 8: what is held ahead of a gap gives way to what is in order, else a full pool would stay full
 * for ever.
 */
static void text_ahead_gives_way_to_text_in_order(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.block_size = 256;
    options.memory = (estab_memory_minimum(&options.config) + 6 * 256 + 63) & ~(size_t)63;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    uint32_t ahead = 0;
    for (uint32_t i = 0; i < 30; i++) {
        inject(r, .flags = ACK, .seq = 1001 + 600 * i, .ack = 1, .length = 200);
        expect(r, .flags = ACK, .seq = 1, .ack = 1);
        ahead += r->drop == ESTAB_DROP_NONE;
        assert_true(r->drop == ESTAB_DROP_NONE || r->drop == ESTAB_DROP_NO_MEMORY);
    }
    assert_in_range(ahead, 2, 20);
    assert_int_equal(pool_available(&((struct estab_stack *)r->stack)->pool), 0);
    uint32_t at = 1;
    for (unsigned i = 0; i < 40;
         i++) { /* the peer sends everything again, in order; nobody reads for a while */
        inject(r, .flags = ACK, .seq = at, .ack = 1, .length = 200);
        rig_discard(r);
        if (rig_status(r).rcv_nxt == r->irs + at + 200) {
            at += 200;
        } else {
            assert_true(rig_read(r, 100000) > 0);
            rig_discard(r);
        }
    }
    assert_true(at > 5000);
    assert_true(rig_counters(r).no_memory > 0);
    rig_stop(r);
}

/* Text of a SYN that finds no room is not acknowledged: the peer sends it again. */
static void text_of_a_syn_without_memory_is_left_to_the_peer(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_LISTEN);
    ((struct estab_stack *)r->stack)->pool.fail_after = 1;
    inject(r, .flags = SYN, .seq = 0, .length = 100);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    ((struct estab_stack *)r->stack)->pool.fail_after = 0;
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100);
    expect_nothing(r);
    assert_int_equal(rig_read(r, 1000), 100);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_refused_for_a_while_delays_and_no_more),
        cmocka_unit_test(every_block_refused_for_a_while_with_loss_delays_and_no_more),
        cmocka_unit_test(every_block_refused_for_ever_ends_clean),
        cmocka_unit_test(text_ahead_gives_way_to_text_in_order),
        cmocka_unit_test(text_of_a_syn_without_memory_is_left_to_the_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
