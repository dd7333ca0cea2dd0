/*
 * Two stacks joined by drivers/pipe in virtual time: bytes both ways, each checked by its position, over
 * IPv4 and IPv6, bare and Ethernet, with and without offload, while packets are lost, doubled, reordered and
 * damaged by fixed seeds. The end comes after the last byte and not before (F-INV-5), both stacks give back
 * everything, and the same run twice sends the same bytes.
 */
#include "drivers/pipe.h"
#include "support/rig.h"

#define PORT   80
#define MEMORY ((2u << 20) + TRACE_MEMORY)

struct weather {
    const char *name;
    unsigned lose, twice, late, damage; /* of 1000 packets */
};

struct side {
    estab_stack *stack;
    void *memory;
    struct figure_replay *replay;
    estab_conn conn;
    uint64_t written, read;
    bool ended, shut, closed;
};

struct transfer {
    struct pipe pipe;
    struct side side[2];
    estab_conn listener;
    struct weather weather;
    uint64_t seed, total, sum;
    unsigned way; /* which calls the users prefer */
};

static void hook(void *user, unsigned from, uint64_t index, struct estab_packet *packet,
                 struct pipe_fate *fate)
{
    struct transfer *t = user;
    (void)index;
    for (uint32_t i = 0; i < packet->length; i++) {
        t->sum = (t->sum ^ packet->data[i]) * UINT64_C(0x100000001b3) + from;
    }
    t->sum += t->pipe.now;
    rig_replay(t->side[from].replay, t->side[from].stack);
    uint32_t dice = rig_random(&t->seed) % 1000;
    const struct weather *w = &t->weather;
    fate->copies = dice < w->lose ? 0 : dice < w->lose + w->twice ? 2 : 1;
    dice = rig_random(&t->seed) % 1000;
    fate->extra_ns = dice < w->late ? (1 + rig_random(&t->seed) % 5) * MS : 0;
    if (rig_random(&t->seed) % 1000 < w->damage) {
        uint32_t at = rig_random(&t->seed) % packet->length;
        packet->data[at] ^= (uint8_t)(1u << rig_random(&t->seed) % 8);
    }
}

struct plan {
    bool v6, ethernet, offload;
    uint32_t mtu, buffer, block;
    uint64_t total;
    uint64_t seed;
    struct weather weather;
};

static void start(struct transfer *t, const struct plan *plan)
{
    estab_stack *stacks[2];
    char error[200] = "";
    memset(t, 0, sizeof *t);
    t->seed = plan->seed;
    t->total = plan->total;
    t->weather = plan->weather;
    t->way = (unsigned)plan->seed;
    struct pipe_options options = {.delay_ns = 2 * MS, .mtu = plan->mtu, .ethernet = plan->ethernet,
                                   .offload = plan->offload, .hook = hook, .hook_user = t};
    for (unsigned i = 0; i < 2; i++) {
        struct estab_config config;
        estab_config_init(&config);
        memset(config.secret, 3 + (int)i + (int)plan->seed, sizeof config.secret);
        config.max_connections = 8;
        config.receive_buffer = config.send_buffer = plan->buffer;
        config.block_size = plan->block;
        config.msl_ns = SECOND;
        config.trace_records = TRACE_ROOM;
        t->side[i].replay = figure_replay_new();
        t->side[i].memory = aligned_alloc(64, MEMORY);
        t->side[i].stack = stacks[i] = estab_init(t->side[i].memory, MEMORY, &config, NULL, NULL);
        assert_non_null(stacks[i]);
    }
    assert_int_equal(pipe_open(&t->pipe, stacks, &options, error, sizeof error), 0);
    assert_int_equal(pipe_address(&t->pipe, 0, plan->v6 ? "fd00::1/64" : "10.0.0.1/24", error, sizeof error),
                     0);
    assert_int_equal(pipe_address(&t->pipe, 1, plan->v6 ? "fd00::2/64" : "10.0.0.2/24", error, sizeof error),
                     0);
    struct estab_addr any = estab_addr_any(PORT);
    struct estab_addr server = estab_addr_ipv4(10, 0, 0, 2, PORT);
    if (plan->v6) {
        server = (struct estab_addr){.ip = {0xfd}, .port = PORT};
        server.ip[15] = 2;
    }
    assert_int_equal(estab_open(stacks[1], &t->listener), 0);
    assert_int_equal(estab_bind(stacks[1], t->pipe.now, t->listener, &any), 0);
    assert_int_equal(estab_listen(stacks[1], t->pipe.now, t->listener, 2), 0);
    assert_int_equal(estab_open(stacks[0], &t->side[0].conn), 0);
    assert_int_equal(estab_connect(stacks[0], t->pipe.now, t->side[0].conn, &server), 0);
}

static uint8_t byte_of(unsigned stream, uint64_t position)
{
    return rig_byte(position + stream * 77777u);
}

static ptrdiff_t write_by_reserve(struct transfer *t, struct side *s, unsigned stream)
{
    size_t length = 0;
    int error = 0;
    uint8_t *at = estab_send_reserve(s->stack, s->conn, &length, &error);
    if (at == NULL) {
        return error;
    }
    length = length < t->total - s->written ? length : (size_t)(t->total - s->written);
    for (size_t i = 0; i < length; i++) {
        at[i] = byte_of(stream, s->written + i);
    }
    assert_int_equal(estab_send_commit(s->stack, t->pipe.now, s->conn, length, 0), 0);
    return (ptrdiff_t)length;
}

static ptrdiff_t write_by_copy(struct transfer *t, struct side *s, unsigned stream)
{
    uint8_t bytes[3000];
    size_t most = 1 + (s->written * 7 + t->way) % sizeof bytes;
    size_t length = t->total - s->written < most ? (size_t)(t->total - s->written) : most;
    for (size_t i = 0; i < length; i++) {
        bytes[i] = byte_of(stream, s->written + i);
    }
    struct estab_slice slices[2] = {{bytes, length / 3}, {bytes + length / 3, length - length / 3}};
    return t->way % 3 == 0 ? estab_sendv(s->stack, t->pipe.now, s->conn, slices, 2)
                           : estab_send(s->stack, t->pipe.now, s->conn, bytes, length, 0);
}

static bool write_some(struct transfer *t, struct side *s, unsigned stream)
{
    if (s->written == t->total) {
        if (!s->shut) {
            s->shut = estab_shutdown(s->stack, t->pipe.now, s->conn, ESTAB_SHUT_WR) == 0;
        }
        return false;
    }
    ptrdiff_t sent = (t->way + stream) % 2 ? write_by_reserve(t, s, stream) : write_by_copy(t, s, stream);
    assert_true(sent > 0 || sent == -ESTAB_EAGAIN);
    s->written += sent > 0 ? (uint64_t)sent : 0;
    return sent > 0;
}

static void check_bytes(struct side *s, unsigned stream, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != byte_of(stream, s->read + i)) {
            fail_msg("byte %llu is wrong", (unsigned long long)(s->read + i));
        }
    }
    s->read += length;
}

static bool read_in_place(struct transfer *t, struct side *s, unsigned stream)
{
    struct estab_slice slices[3];
    int n = estab_recv_slices(s->stack, s->conn, slices, 3);
    size_t sum = 0;
    for (int i = 0; i < n; i++) {
        check_bytes(s, stream, slices[i].data, slices[i].length);
        sum += slices[i].length;
    }
    assert_true(n >= 0 || n == -ESTAB_EAGAIN);
    if (n > 0) {
        assert_int_equal(estab_recv_consume(s->stack, t->pipe.now, s->conn, sum), 0);
    }
    s->ended = n == 0;
    return n > 0;
}

static bool read_by_copy(struct transfer *t, struct side *s, unsigned stream)
{
    uint8_t bytes[2500];
    ptrdiff_t got = estab_recv(s->stack, t->pipe.now, s->conn, bytes, 1 + s->read % sizeof bytes, 0);
    assert_true(got >= 0 || got == -ESTAB_EAGAIN);
    if (got > 0) {
        check_bytes(s, stream, bytes, (size_t)got);
    }
    s->ended = got == 0;
    return got > 0;
}

static void one_user(struct transfer *t, struct side *s, unsigned i)
{
    if (s->conn == 0 || s->closed || !(estab_ready(s->stack, s->conn) & ESTAB_CONNECTED)) {
        return;
    }
    bool more = true;
    while (more) {
        more = write_some(t, s, i);
        more |= (t->way + i) % 4 < 2 ? read_in_place(t, s, 1 - i) : read_by_copy(t, s, 1 - i);
        if (s->ended) {
            assert_int_equal(s->read, t->total);
            more = s->written < t->total && more;
        }
    }
    if (s->ended && s->shut) {
        s->closed = true;
        assert_int_equal(estab_close(s->stack, t->pipe.now, s->conn), 0);
    }
}

static bool users(void *user)
{
    struct transfer *t = user;
    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &t->side[i];
        if (i == 1 && s->conn == 0) {
            estab_accept(s->stack, t->pipe.now, t->listener, &s->conn);
        }
        one_user(t, s, i);
        const char *wrong = estab_check(s->stack);
        if (wrong != NULL) {
            fail_msg("estab_check: %s", wrong);
        }
    }
    return t->side[0].closed && t->side[1].closed;
}

static void stop(struct transfer *t)
{
    for (unsigned i = 0; i < 2; i++) {
        rig_replay(t->side[i].replay, t->side[i].stack);
        assert_true(figure_replay_changes(t->side[i].replay) > 0);
        figure_replay_free(t->side[i].replay);
        free(t->side[i].memory);
    }
    pipe_close(&t->pipe);
}

/* Returns a sum over every packet sent and its time. */
static uint64_t run(const struct plan *plan)
{
    struct transfer t;
    start(&t, plan);
    if (!pipe_run(&t.pipe, users, &t, 3000 * SECOND)) {
        fail_msg("%s, seed %llu: no end: written %llu %llu, read %llu %llu", plan->weather.name,
                 (unsigned long long)plan->seed, (unsigned long long)t.side[0].written,
                 (unsigned long long)t.side[1].written, (unsigned long long)t.side[0].read,
                 (unsigned long long)t.side[1].read);
    }
    pipe_run(&t.pipe, NULL, NULL, 1000 * SECOND);
    for (unsigned i = 0; i < 2; i++) {
        struct estab_memory memory;
        estab_memory(t.side[i].stack, &memory);
        assert_null(estab_check(t.side[i].stack));
        assert_int_equal(memory.blocks_used, 0);
        assert_int_equal(memory.connections, i);
        assert_int_equal(memory.time_wait, 0);
    }
    stop(&t);
    return t.sum;
}

static const struct weather weathers[] = {
    {"fair", 0, 0, 0, 0},           {"lossy", 50, 0, 0, 0},      {"twice", 0, 100, 0, 0},
    {"late", 0, 0, 150, 0},         {"damaged", 0, 0, 0, 30},    {"storm", 80, 80, 150, 20},
};

#define SEEDS (ESTAB_TEST_SLOW ? 1u : 4u)

static void every_byte_arrives_in_all_weathers(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < 4; shape++) {
        for (unsigned w = 0; w < 6; w++) {
            for (uint64_t seed = 0; seed < SEEDS; seed++) {
                struct plan plan = {.v6 = shape & 1,
                                    .ethernet = shape & 2,
                                    .mtu = 1500,
                                    .buffer = 30000,
                                    .block = 4096,
                                    .total = 150000,
                                    .seed = seed + 10 * w,
                                    .weather = weathers[w]};
                run(&plan);
            }
        }
    }
}

static void every_byte_arrives_with_offload(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (unsigned w = 0; w < 4; w++) { /* nobody makes checksums here: no damage */
            struct plan plan = {.v6 = v6 == 1, .offload = true, .mtu = 1500, .buffer = 200000, .block = 4096,
                                .total = 1000000, .seed = w, .weather = weathers[w]};
            run(&plan);
        }
    }
}

/* Small and odd sizes: buffers of less than a segment, blocks of 256, the smallest MTUs. */
static void every_byte_arrives_with_odd_sizes(void **state)
{
    (void)state;
    static const uint32_t mtus[] = {128, 576, 1280, 9000, 65535};
    static const uint32_t buffers[] = {700, 5000, 65535, 65536, 300000};
    static const uint32_t blocks[] = {256, 512, 65536};
    for (unsigned i = 0; i < 15; i++) {
        struct plan plan = {.mtu = mtus[i % 5], .buffer = buffers[(i + i / 5) % 5], .block = blocks[i % 3],
                            .total = 40000, .seed = i, .weather = weathers[i % 2 ? 5 : 1]};
        plan.v6 = plan.mtu >= 1280 && i % 2;
        run(&plan);
    }
}

static void same_transfer_twice_sends_the_same_bytes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct plan plan = {.v6 = i & 1, .ethernet = i & 2, .mtu = 1500, .buffer = 30000, .block = 4096,
                            .total = 60000, .seed = i, .weather = weathers[5]};
        assert_true(run(&plan) == run(&plan));
    }
}

/* Both ends open at once and close at once: Figure 5 by its rarer arrows, on both sides. */
static void two_stacks_open_and_close_at_the_same_time(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct transfer t;
        struct plan plan = {
            .v6 = v6 == 1, .mtu = 1500, .buffer = 30000, .block = 4096, .total = 500, .weather = weathers[0]};
        start(&t, &plan);
        assert_int_equal(estab_abort(t.side[0].stack, t.pipe.now, t.side[0].conn), 0);
        assert_int_equal(estab_close(t.side[1].stack, t.pipe.now, t.listener), 0);
        for (unsigned i = 0; i < 2; i++) {
            struct side *s = &t.side[i];
            struct estab_addr address[2] = {estab_addr_ipv4(10, 0, 0, 1, 900),
                                            estab_addr_ipv4(10, 0, 0, 2, 901)};
            for (unsigned k = 0; k < 2 && v6 == 1; k++) {
                address[k] =
                    (struct estab_addr){.ip = {0xfd, [15] = (uint8_t)(k + 1)}, .port = (uint16_t)(900 + k)};
            }
            assert_int_equal(estab_open(s->stack, &s->conn), 0);
            assert_int_equal(estab_bind(s->stack, t.pipe.now, s->conn, &address[i]), 0);
            assert_int_equal(estab_connect(s->stack, t.pipe.now, s->conn, &address[1 - i]), 0);
        }
        pipe_run(&t.pipe, NULL, NULL, SECOND);
        for (unsigned i = 0; i < 2; i++) {
            struct estab_status status;
            assert_int_equal(estab_status(t.side[i].stack, t.side[i].conn, &status), 0);
            assert_int_equal(status.state, ESTAB_ESTABLISHED);
            assert_int_equal(status.retransmits, 0);
            assert_int_equal(estab_shutdown(t.side[i].stack, t.pipe.now, t.side[i].conn, ESTAB_SHUT_WR), 0);
        }
        pipe_run(&t.pipe, NULL, NULL, SECOND);
        for (unsigned i = 0; i < 2; i++) {
            struct estab_status status;
            assert_int_equal(estab_status(t.side[i].stack, t.side[i].conn, &status), 0);
            assert_int_equal(status.state, ESTAB_TIME_WAIT); /* both */
            estab_close(t.side[i].stack, t.pipe.now, t.side[i].conn);
        }
        pipe_run(&t.pipe, NULL, NULL, 10 * SECOND);
        for (unsigned i = 0; i < 2; i++) {
            struct estab_memory memory;
            estab_memory(t.side[i].stack, &memory);
            assert_int_equal(memory.connections + memory.time_wait + memory.blocks_used, 0);
        }
        stop(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_arrives_in_all_weathers),
        cmocka_unit_test(every_byte_arrives_with_offload),
        cmocka_unit_test(every_byte_arrives_with_odd_sizes),
        cmocka_unit_test(same_transfer_twice_sends_the_same_bytes),
        cmocka_unit_test(two_stacks_open_and_close_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
