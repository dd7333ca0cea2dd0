/*
 * `estab bench memory`: what a connection costs when nothing happens on it, in all: its record, its share of
 * tables and timers, and the buffers it holds.
 *
 * Records and tables are laid out when a stack is made, so their price is by how much more memory a stack
 * asks for that has room for N more. Then N connections are brought into the state, after data has gone both
 * ways, and the buffer blocks in use are added. What estab_memory() claims must not be less, and the pages
 * that these N connections touched not more.
 */
#include "bench.h"
#include "tool.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BASE          100000u /* from here on what is bounded (reassembly, replies) grows no more */
#define SHARE_SLACK   24 /* of bounded tables (ports, replies), which weigh on few connections */
#define TOUCHED_SLACK ((size_t)8 << 20) /* huge pages and the pool's first blocks, touched once */

struct price {
    const char *what;
    double record; /* bytes by layout */
    double blocks; /* bytes of buffers in use */
    double claimed;
    size_t touched; /* bytes of pages, all connections */
};

static void on_event(struct bench_pair *pair, enum bench_end end, const struct estab_event *event)
{
    uint8_t text[64];
    estab_conn conn;
    if ((event->ready & ESTAB_ACCEPTABLE) != 0) {
        int error;
        do {
            error = estab_accept(pair->stack[SERVER], pair->now, event->conn, &conn);
        } while (error == 0);
        return;
    }
    if ((event->changed & ESTAB_CONNECTED) != 0 && end == CLIENT) {
        estab_send(pair->stack[CLIENT], pair->now, event->conn, "question", 8, 0);
    }
    ptrdiff_t count = estab_recv(pair->stack[end], pair->now, event->conn, text, sizeof text, 0);
    if (count > 0 && end == SERVER) {
        estab_send(pair->stack[SERVER], pair->now, event->conn, text, (size_t)count, 0);
    } else if (count == 0) {
        estab_close(pair->stack[end], pair->now, event->conn);
    }
}

static size_t layout_bytes(uint32_t connections, uint32_t time_wait, uint32_t half_open)
{
    const struct bench_setup setup = {
        .connections = connections, .time_wait = time_wait, .half_open = half_open};
    struct estab_config config;
    bench_configure(&config, &setup);
    return estab_memory_minimum(&config);
}

/* Bytes of the stack's memory that are backed by pages. */
static size_t touched_bytes(const struct bench_pair *pair, enum bench_end end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = pair->size / page;
    size_t count = 0;
    unsigned char *map = malloc(pages);
    if (map == NULL || mincore(pair->memory[end], pair->size, map) != 0) {
        free(map);
        return 0;
    }
    for (size_t i = 0; i < pages; i++) {
        count += map[i] & 1;
    }
    free(map);
    return count * page;
}

static double block_bytes(const struct bench_pair *pair, enum bench_end end)
{
    struct estab_memory memory;
    estab_memory(pair->stack[end], &memory);
    return (double)memory.blocks_used * (double)memory.block_size;
}

/* Lets what is delayed, acknowledgments above all, happen. */
static void let_pass(struct bench_pair *pair, uint64_t duration_ns)
{
    for (unsigned i = 0; i < 100; i++) {
        pair->now += duration_ns / 100;
        bench_settle(pair);
    }
}

static bool is_count(const char *what, uint32_t count, uint32_t wanted)
{
    if (count != wanted) {
        tool_error("%u %s instead of %u", count, what, wanted);
    }
    return count == wanted;
}

static struct bench_pair *open_pair(uint32_t count)
{
    /* The last quarter of the cache is given by chance: the first half is not. */
    const struct bench_setup setup = {
        .connections = count, .time_wait = count, .half_open = 2 * count, .buffers = (size_t)4 << 20};
    struct bench_pair *pair = bench_pair_open(&setup);
    if (pair != NULL) {
        madvise(pair->memory[CLIENT], pair->size, MADV_NOHUGEPAGE);
        madvise(pair->memory[SERVER], pair->size, MADV_NOHUGEPAGE);
        pair->handler = on_event;
    }
    return pair;
}

/* ------------------------------------------------------------------------------------------------- the
 * states */

/* N connections on which a question was asked and answered. */
static bool fill_idle(struct bench_pair *pair, uint32_t count, struct price *price, estab_conn *conns)
{
    struct estab_memory memory;
    size_t before = touched_bytes(pair, SERVER);
    if (!bench_connect_many(pair, count, conns)) {
        return false;
    }
    let_pass(pair, 2 * BENCH_SECOND);
    estab_memory(pair->stack[SERVER], &memory);
    price->touched = touched_bytes(pair, SERVER) - before;
    price->blocks = block_bytes(pair, SERVER) / count;
    price->claimed = (double)memory.per_connection;
    return is_count("connections are open", memory.connections - pair->listeners, count);
}

/* The same connections, closed by the client. */
static bool fill_time_wait(struct bench_pair *pair, uint32_t count, struct price *price,
                           const estab_conn *conns)
{
    struct estab_memory memory;
    for (uint32_t i = 0; i < count; i++) {
        estab_shutdown(pair->stack[CLIENT], pair->now, conns[i], ESTAB_SHUT_WR);
        bench_settle(pair);
    }
    let_pass(pair, BENCH_SECOND);
    estab_memory(pair->stack[CLIENT], &memory);
    price->blocks = block_bytes(pair, CLIENT) / count;
    price->claimed = (double)memory.per_time_wait;
    return is_count("connections are in TIME-WAIT", memory.time_wait, count) &&
           is_count("of them still have their record", memory.connections, 0);
}

/* N handshakes whose SYN,ACK is lost. */
static bool fill_half_open(struct bench_pair *pair, uint32_t count, struct price *price)
{
    struct estab_memory memory;
    size_t before = touched_bytes(pair, SERVER);
    pair->cut = true;
    if (!bench_connect_many(pair, count, NULL)) {
        return false;
    }
    estab_memory(pair->stack[SERVER], &memory);
    price->touched = touched_bytes(pair, SERVER) - before;
    price->blocks = block_bytes(pair, SERVER) / count;
    price->claimed = (double)memory.per_half_open;
    return is_count("handshakes are in the SYN cache", memory.half_open, count);
}

/* -------------------------------------------------------------------------------------------------- the
 * report */

static bool is_plausible(const struct price *price, uint32_t count)
{
    double total = price->record + price->blocks;
    if (total > price->claimed + SHARE_SLACK) {
        tool_error("%s: %.1f bytes were measured, estab_memory() claims %.1f", price->what, total,
                   price->claimed);
        return false;
    }
    if ((double)price->touched > total * count + (double)TOUCHED_SLACK) {
        tool_error("%s: %u of them touched %zu bytes, more than %.1f each", price->what, count,
                   price->touched, total);
        return false;
    }
    return true;
}

static bool fill(uint32_t count, struct price *idle, struct price *time_wait, struct price *half_open)
{
    estab_conn *conns = calloc(count, sizeof *conns);
    if (conns == NULL) {
        tool_error("out of memory");
        return false;
    }
    struct bench_pair *pair = open_pair(count);
    bool filled =
        pair != NULL && fill_idle(pair, count, idle, conns) && fill_time_wait(pair, count, time_wait, conns);
    free(conns);
    if (pair != NULL) {
        bench_pair_close(pair);
    }
    pair = filled ? open_pair(count) : NULL;
    filled = pair != NULL && fill_half_open(pair, count, half_open);
    if (pair != NULL) {
        bench_pair_close(pair);
    }
    return filled;
}

int bench_memory(const struct bench_settings *settings)
{
    uint32_t count = settings->connections != UINT32_MAX ? settings->connections : 100000;
    if (count < 1000) {
        return tool_usage("memory wants at least 1000 connections: fewer measure the rounding of tables");
    }
    double base = (double)layout_bytes(BASE, BASE, BASE);
    struct price idle = {.what = "idle connection",
                         .record = ((double)layout_bytes(BASE + count, BASE, BASE) - base) / count};
    struct price time_wait = {.what = "TIME-WAIT",
                              .record = ((double)layout_bytes(BASE, BASE + count, BASE) - base) / count};
    struct price half_open = {.what = "handshake in the SYN cache",
                              .record = ((double)layout_bytes(BASE, BASE, BASE + count) - base) / count};
    if (!fill(count, &idle, &time_wait, &half_open)) {
        return TOOL_FAILED;
    }
    if (!is_plausible(&idle, count) || !is_plausible(&time_wait, count) || !is_plausible(&half_open, count)) {
        return TOOL_FAILED;
    }
    const struct bench_figure figures[] = {
        {"idle_connection_bytes", idle.record + idle.blocks, 1},
        {"time_wait_bytes", time_wait.record + time_wait.blocks, 1},
        {"half_open_bytes", half_open.record + half_open.blocks, 1},
        {"connections", count, 0},
    };
    bench_report(
        settings, "memory",
        "bytes of the budget that each of N takes in all: record, share of tables and timers, buffers held",
        figures, 4);
    return TOOL_OK;
}
