/*
 * Two stacks joined by packet buffers, for the benchmarks: see bench.h. Packets go from estab_pull() of one
 * end to estab_input() of the other where they lie. The memory of each stack is mapped with huge pages where
 * the kernel gives them, so that figures do not depend on where small pages happened to lie.
 */
#include "bench.h"
#include "tool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define HUGE_PAGE    ((size_t)2 << 20)
#define OPEN_AT_ONCE 16u
#define BACKLOG      65535u

uint64_t bench_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * BENCH_SECOND + (uint64_t)time.tv_nsec;
}

static struct estab_addr address_of(enum bench_end end, uint16_t port)
{
    return estab_addr_ipv4(10, 0, 0, end == CLIENT ? 1 : 2, port);
}

unsigned bench_listeners(uint32_t count)
{
    return 1 + count / BENCH_PER_PORT;
}

void bench_configure(struct estab_config *config, const struct bench_setup *setup)
{
    estab_config_init(config);
    config->max_connections = setup->connections;
    config->max_time_wait = setup->time_wait;
    config->max_half_open = setup->half_open;
    config->msl_ns = setup->msl_ns;
    config->block_size = setup->block_size;
}

/* ------------------------------------------------------------------------------------------------ the stacks
 */

static bool open_end(struct bench_pair *pair, enum bench_end end, const struct estab_config *config)
{
    struct estab_interface interface = {.size = sizeof interface, .mtu = BENCH_MTU};
    struct estab_addr address = address_of(end, 0);
    const char *what = NULL;
    int error = 0;
    struct estab_config own = *config;
    own.secret[0] = (uint8_t)(end + 1);
    pair->memory[end] = mmap(NULL, pair->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pair->memory[end] == MAP_FAILED) {
        pair->memory[end] = NULL;
        tool_error("%zu bytes for a stack: %s", pair->size, strerror(errno));
        return false;
    }
    madvise(pair->memory[end], pair->size, MADV_HUGEPAGE);
    pair->stack[end] = estab_init(pair->memory[end], pair->size, &own, &error, &what);
    if (pair->stack[end] == NULL) {
        tool_error("no stack in %zu bytes: %s (%s)", pair->size, estab_strerror(error),
                   what != NULL ? what : "-");
        return false;
    }
    int number = estab_interface_add(pair->stack[end], pair->now, &interface);
    error =
        number < 0 ? number : estab_address_add(pair->stack[end], pair->now, (uint32_t)number, &address, 24);
    if (error != 0) {
        tool_error("no interface: %s", estab_strerror(error));
        return false;
    }
    return true;
}

struct bench_pair *bench_pair_open(const struct bench_setup *setup)
{
    struct bench_setup whole = *setup;
    struct estab_config config;
    struct bench_pair *pair =
        mmap(NULL, sizeof *pair, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pair == MAP_FAILED) {
        tool_error("out of memory");
        return NULL;
    }
    pair->now = BENCH_SECOND;
    for (unsigned i = 0; i < BENCH_BATCH; i++) {
        pair->packets[i].data = pair->room[i];
        pair->packets[i].capacity = BENCH_ROOM;
    }
    whole.connections += bench_listeners(setup->connections + setup->time_wait) + OPEN_AT_ONCE;
    bench_configure(&config, &whole);
    pair->size = estab_memory_minimum(&config) + setup->buffers;
    pair->size = (pair->size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (!open_end(pair, CLIENT, &config) || !open_end(pair, SERVER, &config)) {
        bench_pair_close(pair);
        return NULL;
    }
    return pair;
}

void bench_pair_close(struct bench_pair *pair)
{
    for (unsigned end = CLIENT; end <= SERVER; end++) {
        if (pair->memory[end] != NULL) {
            munmap(pair->memory[end], pair->size);
        }
    }
    munmap(pair, sizeof *pair);
}

/* ----------------------------------------------------------------------------------------------- connections
 */

bool bench_listen(struct bench_pair *pair, unsigned count)
{
    for (; pair->listeners < count; pair->listeners++) {
        struct estab_addr local = estab_addr_any((uint16_t)(BENCH_PORT + pair->listeners));
        estab_conn listener;
        int error = estab_open(pair->stack[SERVER], &listener);
        if (error == 0) {
            error = estab_bind(pair->stack[SERVER], pair->now, listener, &local);
        }
        if (error == 0) {
            error = estab_listen(pair->stack[SERVER], pair->now, listener, BACKLOG);
        }
        if (error != 0) {
            tool_error("cannot listen on port %u: %s", local.port, estab_strerror(error));
            return false;
        }
    }
    return true;
}

bool bench_connect(struct bench_pair *pair, uint16_t port, estab_conn *conn)
{
    struct estab_addr remote = address_of(SERVER, port);
    int error = estab_open(pair->stack[CLIENT], conn);
    if (error == 0) {
        error = estab_connect(pair->stack[CLIENT], pair->now, *conn, &remote);
    }
    if (error != 0) {
        tool_error("a connection cannot be opened: %s", estab_strerror(error));
        return false;
    }
    return true;
}

bool bench_connect_many(struct bench_pair *pair, uint32_t count, estab_conn *conns)
{
    if (!bench_listen(pair, bench_listeners(count))) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        estab_conn conn;
        if (!bench_connect(pair, (uint16_t)(BENCH_PORT + i / BENCH_PER_PORT), &conn)) {
            return false;
        }
        if (conns != NULL) {
            conns[i] = conn;
        }
        if (i % OPEN_AT_ONCE == OPEN_AT_ONCE - 1 || i == count - 1) {
            bench_settle(pair);
        }
    }
    return true;
}

/* ----------------------------------------------------------------------------------------------------
 * packets */

static void handle_events(struct bench_pair *pair, enum bench_end end)
{
    struct estab_event events[BENCH_BATCH];
    unsigned count;
    while ((count = estab_poll(pair->stack[end], events, BENCH_BATCH)) > 0) {
        for (unsigned i = 0; i < count && pair->handler != NULL; i++) {
            pair->handler(pair, end, &events[i]);
        }
    }
}

unsigned bench_move(struct bench_pair *pair, enum bench_end from)
{
    enum bench_end to = from == CLIENT ? SERVER : CLIENT;
    unsigned count = estab_pull(pair->stack[from], pair->now, pair->packets, BENCH_BATCH);
    if (count == 0 || (pair->cut && from == SERVER)) {
        return count;
    }
    for (unsigned i = 0; i < count; i++) {
        pair->packets[i].interface = 1;
        pair->packets[i].flags = 0;
        pair->packets[i].gso_size = 0;
    }
    estab_input(pair->stack[to], pair->now, pair->packets, count);
    handle_events(pair, to);
    return count;
}

void bench_settle(struct bench_pair *pair)
{
    unsigned moved;
    for (unsigned end = CLIENT; end <= SERVER; end++) {
        bool more;
        do {
            more = estab_tick(pair->stack[end], pair->now);
        } while (more);
        handle_events(pair, end);
    }
    do {
        moved = bench_move(pair, CLIENT);
        moved += bench_move(pair, SERVER);
    } while (moved > 0);
}

uint64_t bench_segments_in(const struct bench_pair *pair, enum bench_end end)
{
    struct estab_counters counters;
    estab_counters(pair->stack[end], &counters);
    return counters.segments_in;
}
