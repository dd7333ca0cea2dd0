/*
 * Allocations that fail (row V-52). Every block that a stack takes in each of the scenarios below is refused
 * in turn, once, and from then on; tests/stack/allocation_test.c does the same to whole lives of connections.
 * The tables are allocations as well: here they are of every small size. Nothing crashes, every invariant
 * holds, no block or record is kept; refused once, the stream is whole, because the peer tries again; refused
 * for ever, it ends by an error or a timeout.
 */
#include "sim/bytes.h"
#include "stack/stack.h"
#include "support/siege.h"

#define TEXT 3000u

/* ---- blocks ---- */

struct attempt {
    struct rig *r;
    bool for_ever; /* else the one that was refused is the only one */
};

static struct pool *pool_of(const struct rig *r)
{
    return &((struct estab_stack *)r->stack)->pool;
}

/* After each step: what was to be refused once has been. */
static void after_step(struct attempt *a)
{
    rig_discard(a->r);
    struct pool *pool = pool_of(a->r);
    if (!a->for_ever && pool->fail_after == 1 && pool->failed > 0) {
        pool->fail_after = 0;
    }
}

static void put(struct attempt *a, const struct segment *seg)
{
    rig_discard(a->r);
    rig_inject(a->r, seg, __FILE__, __LINE__);
    after_step(a);
}

static void wait_for(struct attempt *a, uint64_t ns)
{
    uint64_t end = a->r->now + ns;
    while (a->r->now < end) {
        uint64_t due = estab_next_deadline(a->r->stack);
        advance(a->r, due > a->r->now && due < end ? due - a->r->now : end - a->r->now);
        after_step(a);
    }
}

static void accept_it(struct attempt *a)
{
    if (a->r->conn == 0 && estab_accept(a->r->stack, a->r->now, a->r->listener, &a->r->conn) != 0) {
        a->r->conn = 0;
    }
}

/* The peer's text from `from` on, sent again every second until it is taken, and read. */
static void put_text(struct attempt *a, uint32_t from, uint32_t end, unsigned flags)
{
    for (unsigned n = 0; n < 10; n++) {
        uint32_t have = a->r->conn != 0 ? rig_status(a->r).rcv_nxt - a->r->irs : from;
        if ((int32_t)(have - end) >= 0) {
            break;
        }
        for (uint32_t at = have < from ? from : have; at < end; at += 600) {
            uint32_t length = end - at < 600 ? end - at : 600;
            put(a, &(struct segment){.flags = ACK | PSH | flags, .seq = at, .ack = 1, .length = length});
            accept_it(a);
        }
        if (a->r->conn != 0) {
            rig_read(a->r, TEXT); /* checks every byte */
            after_step(a);
        }
        wait_for(a, SECOND);
    }
}

/* The whole text was read: that the peer has sent, and that we have. */
static bool is_whole(const struct attempt *a)
{
    return a->r->conn != 0 && a->r->read == TEXT;
}

static void shake_hands(struct attempt *a, uint32_t text_of_ack)
{
    for (unsigned n = 0; n < 5 && a->r->conn == 0; n++) {
        put(a, &(struct segment){.flags = SYN, .seq = 0});
        put(a, &(struct segment){.flags = ACK, .seq = 1, .ack = 1, .length = text_of_ack});
        accept_it(a);
    }
}

/* In the SYN cache; the ACK brings text. */
static void scene_syn_cache(struct attempt *a)
{
    rig_listen(a->r, 4);
    shake_hands(a, 500);
    put_text(a, 1, 1 + TEXT, 0);
}

/* The SYN brings text: it gets a connection at once, or the text later. */
static void scene_text_of_syn(struct attempt *a)
{
    rig_listen(a->r, 4);
    put(a, &(struct segment){.flags = SYN, .seq = 0, .length = 500});
    put(a, &(struct segment){.flags = ACK, .seq = 1, .ack = 1});
    accept_it(a);
    put_text(a, 1, 1 + TEXT, 0);
}

/* Behind gaps: the ranges and their table. */
static void scene_out_of_order(struct attempt *a)
{
    rig_listen(a->r, 4);
    shake_hands(a, 0);
    for (uint32_t at = 201; at + 100 <= TEXT; at += 400) {
        put(a, &(struct segment){.flags = ACK, .seq = at, .ack = 1, .length = 100});
    }
    put_text(a, 1, 1 + TEXT, 0);
}

/* The same segments in fragments of 64 bytes, and an echo request, whose answer is kept in a block. */
static void put_fragments(struct attempt *a, const struct segment *seg, uint16_t id)
{
    uint8_t whole[2048], part[128];
    size_t length = rig_packet(a->r, seg, whole) - 20;
    for (size_t at = 0; at < length; at += 64) {
        size_t size = length - at < 64 ? length - at : 64;
        memcpy(part, whole, 20);
        memcpy(part + 20, whole + 20 + at, size);
        put16(part + 2, 20 + (unsigned)size);
        put16(part + 4, id);
        put16(part + 6, (at + size < length ? 0x2000 : 0) | (unsigned)at / 8);
        put16(part + 10, 0);
        put16(part + 10, ~sum_bytes(part, 20, 0) & 0xffff);
        rig_input(a->r, part, 20 + size);
        after_step(a);
    }
}

static void put_echo(struct attempt *a)
{
    uint8_t echo[128] = {0x45, 0, 0, 128, 0, 0, 0x40, 0, 64, 1, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2, 8};
    put16(echo + 10, ~sum_bytes(echo, 20, 0) & 0xffff);
    put16(echo + 22, ~sum_bytes(echo + 20, 108, 0) & 0xffff);
    struct estab_packet in = {.data = echo, .length = 128, .interface = (uint32_t)a->r->interface};
    uint8_t room[2048];
    struct estab_packet out = {.data = room, .capacity = sizeof room};
    estab_input(a->r->stack, a->r->now, &in, 1);
    assert_null(estab_check(a->r->stack));
    while (estab_pull(a->r->stack, a->r->now, &out, 1) == 1) {
    }
    after_step(a);
}

static void scene_fragments(struct attempt *a)
{
    uint16_t id = 1;
    rig_listen(a->r, 4);
    put_echo(a);
    shake_hands(a, 0);
    put_fragments(a, &(struct segment){.flags = ACK, .seq = 1, .ack = 1, .length = 500}, id++);
    put_echo(a);
    put_fragments(a, &(struct segment){.flags = ACK, .seq = 1001, .ack = 1, .length = 500}, id++);
    put_text(a, 1, 1 + TEXT, 0);
}

/* Several listeners and connections on them; one is not accepted, one is aborted, the last is read. */
static void scene_listeners(struct attempt *a)
{
    rig_listen(a->r, 4);
    for (uint16_t port = PEER_PORT + 1; port < PEER_PORT + 4; port++) {
        put(a, &(struct segment){.flags = SYN, .seq = 0, .port = port});
        put(a, &(struct segment){.flags = ACK, .seq = 1, .ack = 1, .port = port, .length = 700});
        put(a, &(struct segment){.flags = ACK, .seq = 1001, .ack = 1, .port = port, .length = 100});
    }
    estab_conn conn;
    while (estab_accept(a->r->stack, a->r->now, a->r->listener, &conn) == 0) {
        assert_int_equal(estab_abort(a->r->stack, a->r->now, conn), 0);
        rig_called(a->r);
        after_step(a);
    }
    shake_hands(a, 0);
    put_text(a, 1, 1 + TEXT, 0);
}

/* What we send: the peer acknowledges whatever comes, in the order in which it comes. */
static void scene_sending(struct attempt *a)
{
    rig_listen(a->r, 4);
    shake_hands(a, 0);
    for (unsigned n = 0; n < 60 && a->r->conn != 0; n++) {
        uint8_t bytes[TEXT];
        uint32_t left = TEXT - (uint32_t)a->r->written;
        for (uint32_t i = 0; i < left; i++) {
            bytes[i] = rig_byte(a->r->written + i);
        }
        ptrdiff_t sent = left == 0 ? 0 : estab_send(a->r->stack, a->r->now, a->r->conn, bytes, left, 0);
        assert_true(sent >= 0 || sent == -ESTAB_EAGAIN);
        a->r->written += sent > 0 ? (uint64_t)sent : 0;
        rig_called(a->r);
        after_step(a);
        struct estab_status status = rig_status(a->r);
        put(a, &(struct segment){.flags = ACK, .seq = 1, .ack = status.snd_nxt - status.iss});
        wait_for(a, SECOND / 10);
    }
    put_text(a, 1, 1 + TEXT, 0);
}

static const struct scene {
    const char *name;
    void (*play)(struct attempt *a);
    bool cookies;
    unsigned least_blocks; /* that it asks for */
} scenes[] = {
    {"SYN cache", scene_syn_cache, false, 3},       {"cookies", scene_syn_cache, true, 3},
    {"text of a SYN", scene_text_of_syn, false, 3}, {"text of a SYN, cookies", scene_text_of_syn, true, 3},
    {"out of order", scene_out_of_order, false, 6}, {"fragments", scene_fragments, false, 6},
    {"listeners", scene_listeners, false, 9},       {"sending", scene_sending, false, 6},
};

/* Everything is given up; then nothing is left, also where blocks are still refused. */
static void end(struct attempt *a)
{
    struct estab_memory memory;
    if (a->r->conn != 0) {
        estab_abort(a->r->stack, a->r->now, a->r->conn);
        rig_called(a->r);
    }
    estab_close(a->r->stack, a->r->now, a->r->listener);
    rig_called(a->r);
    rig_discard(a->r);
    a->r->conn = 0;
    wait_for(a, 1000 * SECOND);
    estab_memory(a->r->stack, &memory);
    assert_int_equal(memory.blocks_used, 0);
    assert_int_equal(memory.connections, 0);
    assert_int_equal(memory.half_open, 0);
    assert_int_equal(memory.time_wait, 0);
    rig_stop(a->r);
}

/* Returns whether the scene asked for a k-th block. */
static bool refuse(const struct scene *scene, uint32_t k, bool for_ever)
{
    struct rig_options options;
    rig_defaults(&options);
    options.config.block_size = 256;
    options.config.cookies = scene->cookies ? &estab_syn_cookies_always : NULL;
    struct attempt a = {.r = rig_start(&options), .for_ever = for_ever};
    pool_of(a.r)->fail_after = k;
    scene->play(&a);
    bool asked = pool_of(a.r)->failed > 0;
    if (!for_ever && !is_whole(&a)) {
        fail_msg("%s: block %u refused once: read %u of %u", scene->name, k, (unsigned)a.r->read, TEXT);
    }
    end(&a);
    return asked;
}

/* V-52 */
static void v52_every_block_of_every_scene_refused_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        uint32_t k = 1;
        while (refuse(&scenes[i], k, false)) {
            k++;
        }
        assert_true(k > scenes[i].least_blocks);
    }
}

/* V-52 */
static void v52_every_block_of_every_scene_refused_from_then_on(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        uint32_t k = 1;
        while (refuse(&scenes[i], k, true)) {
            k++;
        }
        assert_true(k > scenes[i].least_blocks);
    }
}

/* ---- tables ---- */

/*
 * Users for a while against tables of these sizes: each of them comes through or is told, what was read is
 * right (siege.c looks at each byte), and everything is given back.
 */
static void try_tables(uint32_t connections, uint32_t half_open, uint32_t time_wait,
                       const struct estab_cookies *cookies)
{
    struct siege siege;
    struct estab_config config;
    estab_config_init(&config);
    config.max_connections = connections;
    config.max_half_open = half_open;
    config.max_time_wait = time_wait;
    config.cookies = cookies;
    siege_start(&siege, &config, estab_memory_minimum(&config) + (64u << 10));
    for (unsigned i = 0; i < 20; i++) {
        siege_run(&siege, SECOND / 10);
        assert_null(estab_check(siege.stack[1]));
    }
    siege_finish(&siege);
    assert_int_equal(siege.done + siege.failed, siege.opened);
    assert_true(siege.done > 0);
    siege_run(&siege, 1000 * SECOND);
    struct estab_memory memory = siege_memory(&siege);
    assert_int_equal(memory.connections, 1);
    assert_int_equal(memory.half_open, 0);
    assert_int_equal(memory.time_wait, 0);
    assert_int_equal(memory.blocks_used, 0);
    siege_stop(&siege);
}

/* V-52: the connection table and the SYN cache, of every size that is too small for all users at once. */
static void v52_tables_of_every_small_size(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= SIEGE_CLIENTS; n++) {
        try_tables(1 + n, 8, 8, NULL);
        try_tables(16, n, 8, NULL);
        try_tables(16, n, 8, &estab_syn_cookies);
        try_tables(1 + n, n, n, &estab_syn_cookies_always);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v52_every_block_of_every_scene_refused_once),
        cmocka_unit_test(v52_every_block_of_every_scene_refused_from_then_on),
        cmocka_unit_test(v52_tables_of_every_small_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
