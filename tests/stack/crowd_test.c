/*
 * Many short connections between two small stacks over a bad wire, from fixed seeds: opened, fed,
 * half-closed, closed, aborted and abandoned at random, with less memory than they want. Every byte that is
 * read is the right one, every invariant holds after every event, and when all is over both stacks are as
 * empty as at the start.
 */
#include "drivers/pipe.h"
#include "support/rig.h"

#define PORT   80
#define CROWD  12u
#define ROUNDS (ESTAB_TEST_SLOW ? 150u : 600u)

struct member {
    estab_conn conn;
    uint32_t id;            /* of the connection: seeds its bytes; the client sends it first */
    uint64_t written, read;
    bool known, shut;
};

struct crowd {
    struct pipe pipe;
    estab_stack *stack[2];
    void *memory[2];
    struct figure_replay *replay[2];
    estab_conn listener;
    struct member member[2][CROWD];
    uint64_t seed, bytes_read;
    uint32_t next_id, opened, rounds;
    bool over;
};

static uint32_t roll(struct crowd *c, uint32_t n)
{
    return rig_random(&c->seed) % n;
}

static void hook(void *user, unsigned from, uint64_t index, struct estab_packet *packet,
                 struct pipe_fate *fate)
{
    struct crowd *c = user;
    (void)index;
    rig_replay(c->replay[from], c->stack[from]);
    uint32_t dice = roll(c, 100);
    fate->copies = dice < 4 ? 0 : dice < 6 ? 2 : 1;
    fate->extra_ns = dice > 90 ? roll(c, 8) * MS : 0;
    if (dice == 50) {
        packet->data[roll(c, packet->length)] ^= (uint8_t)(1u << roll(c, 8));
    }
}

static uint8_t byte_of(uint32_t id, unsigned side, uint64_t position)
{
    return position < 4 ? (uint8_t)(id >> (8 * position)) : rig_byte(position + id * 131u + side * 7919u);
}

static void write_some(struct crowd *c, unsigned side, struct member *m)
{
    uint8_t bytes[1500];
    uint32_t length = 1 + roll(c, sizeof bytes);
    if (m->shut || !m->known) {
        return;
    }
    for (uint32_t i = 0; i < length; i++) {
        bytes[i] = byte_of(m->id, side, m->written + i);
    }
    ptrdiff_t sent =
        estab_send(c->stack[side], c->pipe.now, m->conn, bytes, length, roll(c, 8) == 0 ? ESTAB_MORE : 0);
    m->written += sent > 0 ? (uint64_t)sent : 0;
}

/* The first four bytes name the connection. Returns false when it is over. */
static bool read_some(struct crowd *c, unsigned side, struct member *m)
{
    uint8_t bytes[2000];
    if (!m->known) {
        ptrdiff_t got = estab_recv(c->stack[side], c->pipe.now, m->conn, bytes, 4, ESTAB_PEEK);
        m->known = got == 4;
        for (unsigned i = 0; i < 4 && m->known; i++) {
            m->id |= (uint32_t)bytes[i] << (8 * i);
        }
        if (!m->known) {
            return got >= 0 ? got > 0 : got == -ESTAB_EAGAIN;
        }
    }
    ptrdiff_t got = estab_recv(c->stack[side], c->pipe.now, m->conn, bytes, sizeof bytes, 0);
    for (ptrdiff_t i = 0; i < got; i++) {
        assert_int_equal(bytes[i], byte_of(m->id, 1 - side, m->read + (uint64_t)i));
    }
    m->read += got > 0 ? (uint64_t)got : 0;
    c->bytes_read += got > 0 ? (uint64_t)got : 0;
    return got > 0 || got == -ESTAB_EAGAIN;
}

static void let_go(struct crowd *c, unsigned side, struct member *m, bool abort)
{
    if (abort) {
        estab_abort(c->stack[side], c->pipe.now, m->conn);
    } else {
        estab_close(c->stack[side], c->pipe.now, m->conn);
    }
    *m = (struct member){0};
}

static void open_or_accept(struct crowd *c, unsigned side, struct member *m)
{
    if (side == 1) {
        estab_accept(c->stack[1], c->pipe.now, c->listener, &m->conn);
        return;
    }
    struct estab_addr server = estab_addr_ipv4(10, 0, 0, 2, PORT);
    if (c->over || estab_open(c->stack[0], &m->conn) != 0) {
        return;
    }
    if (estab_connect(c->stack[0], c->pipe.now, m->conn, &server) != 0) {
        let_go(c, 0, m, false);
        return;
    }
    m->id = ++c->next_id * 2654435761u;
    m->known = true;
    c->opened++;
}

static void live(struct crowd *c, unsigned side, struct member *m)
{
    uint32_t dice = roll(c, 100);
    if (m->conn == 0) {
        open_or_accept(c, side, m);
    } else if (c->over || dice < 2) {
        let_go(c, side, m, dice == 0);
    } else if (dice < 40) {
        write_some(c, side, m);
    } else if (dice < 45 && m->known) {
        m->shut = estab_shutdown(c->stack[side], c->pipe.now, m->conn, ESTAB_SHUT_WR) == 0 || m->shut;
    } else if (dice < 90 && !read_some(c, side, m)) {
        let_go(c, side, m, false);
    }
}

static bool users(void *user)
{
    struct crowd *c = user;
    for (unsigned side = 0; side < 2; side++) {
        struct estab_event events[8];
        for (unsigned i = 0; i < CROWD; i++) {
            live(c, side, &c->member[side][i]);
        }
        estab_poll(c->stack[side], events, 8);
        const char *wrong = estab_check(c->stack[side]);
        if (wrong != NULL) {
            fail_msg("estab_check: %s", wrong);
        }
        rig_replay(c->replay[side], c->stack[side]);
    }
    return ++c->rounds >= ROUNDS;
}

static void start(struct crowd *c, uint64_t seed)
{
    char error[200] = "";
    struct pipe_options options = {.delay_ns = MS, .mtu = 576, .hook = hook, .hook_user = c};
    memset(c, 0, sizeof *c);
    c->seed = seed;
    for (unsigned i = 0; i < 2; i++) {
        struct estab_config config;
        estab_config_init(&config);
        memset(config.secret, 9 + (int)i, sizeof config.secret);
        config.max_connections = 10; /* fewer than the crowd */
        config.max_time_wait = 5;
        config.block_size = 512;
        config.receive_buffer = config.send_buffer = 4000;
        config.port_low = 2000;
        config.port_high = 2015;
        config.trace_records = TRACE_ROOM;
        c->replay[i] = figure_replay_new();
        size_t size = (estab_memory_minimum(&config) + 40 * 512 + 63) & ~(size_t)63;
        c->memory[i] = aligned_alloc(64, size);
        c->stack[i] = estab_init(c->memory[i], size, &config, NULL, NULL);
        assert_non_null(c->stack[i]);
    }
    assert_int_equal(pipe_open(&c->pipe, c->stack, &options, error, sizeof error), 0);
    assert_int_equal(pipe_address(&c->pipe, 0, "10.0.0.1/24", error, sizeof error), 0);
    assert_int_equal(pipe_address(&c->pipe, 1, "10.0.0.2/24", error, sizeof error), 0);
    struct estab_addr any = estab_addr_any(PORT);
    assert_int_equal(estab_open(c->stack[1], &c->listener), 0);
    assert_int_equal(estab_bind(c->stack[1], c->pipe.now, c->listener, &any), 0);
    assert_int_equal(estab_listen(c->stack[1], c->pipe.now, c->listener, 3), 0);
}

static void stop(struct crowd *c)
{
    c->over = true;
    for (unsigned i = 0; i < 10; i++) {
        users(c);
    }
    assert_int_equal(estab_close(c->stack[1], c->pipe.now, c->listener), 0);
    pipe_run(&c->pipe, NULL, NULL, 4000 * SECOND);
    for (unsigned i = 0; i < 2; i++) {
        struct estab_memory memory;
        estab_memory(c->stack[i], &memory);
        assert_null(estab_check(c->stack[i]));
        assert_int_equal(memory.connections, 0);
        assert_int_equal(memory.time_wait, 0);
        assert_int_equal(memory.blocks_used, 0);
        assert_int_equal(estab_next_deadline(c->stack[i]), UINT64_MAX);
        rig_replay(c->replay[i], c->stack[i]);
        assert_true(figure_replay_changes(c->replay[i]) > CROWD);
        figure_replay_free(c->replay[i]);
        free(c->memory[i]);
    }
    pipe_close(&c->pipe);
}

static void crowd_comes_and_goes_and_leaves_nothing(void **state)
{
    (void)state;
    uint64_t bytes_read = 0;
    unsigned opened = 0;
    for (uint64_t seed = 0; seed < (ESTAB_TEST_SLOW ? 3 : 12); seed++) {
        struct crowd c;
        start(&c, seed);
        while (c.rounds < ROUNDS) {
            pipe_run(&c.pipe, users, &c, 50 * MS);
        }
        opened += c.opened;
        bytes_read += c.bytes_read;
        stop(&c);
    }
    assert_true(opened > 50);
    assert_true(bytes_read > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowd_comes_and_goes_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
