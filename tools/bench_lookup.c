/*
 * `estab bench lookup`: one byte on a random connection of N, and one byte back, so that what a segment costs
 * is what it costs to find its connection and bring it into the caches. Several exchanges are under way at
 * once, as they are with a driver that reads what has arrived: the packets of a batch are pulled and put in
 * together, which lets their cache misses overlap; --batch 1 does one exchange after the other. Time is the
 * real one: acknowledgments that are delayed, because a connection is not met again soon, are segments that
 * count.
 */
#include "bench.h"
#include "tool.h"

#include <stdlib.h>

#define PER_CLOCK 64u /* exchanges between two looks at the clock */

static const uint32_t default_sizes[] = {10, 1000, 100000, 1000000};

struct lookup {
    estab_conn *conns;
    uint64_t answers;
    uint32_t batch; /* exchanges under way at once */
    uint64_t random;
};

static void on_event(struct bench_pair *pair, enum bench_end end, const struct estab_event *event)
{
    struct lookup *lookup = pair->user;
    uint8_t byte[BENCH_BATCH];
    estab_conn conn;
    if ((event->ready & ESTAB_ACCEPTABLE) != 0) {
        while (estab_accept(pair->stack[SERVER], pair->now, event->conn, &conn) == 0) {
            estab_set(pair->stack[SERVER], pair->now, conn, ESTAB_OPTION_NODELAY, 1);
        }
        return;
    }
    if ((event->ready & ESTAB_READABLE) == 0) {
        return;
    }
    ptrdiff_t count = estab_recv(pair->stack[end], pair->now, event->conn, byte, sizeof byte, 0);
    if (count > 0 && end == SERVER) {
        estab_send(pair->stack[SERVER], pair->now, event->conn, byte, (size_t)count, 0);
    } else if (count > 0) {
        lookup->answers += (uint64_t)count;
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Sends the questions of one batch. False after a line was printed. */
static bool ask(struct bench_pair *pair, struct lookup *lookup, uint32_t count)
{
    for (unsigned i = 0; i < lookup->batch; i++) {
        estab_conn conn = lookup->conns[next_random(&lookup->random) % count];
        if (estab_send(pair->stack[CLIENT], pair->now, conn, "x", 1, 0) != 1) {
            tool_error("a byte cannot be sent");
            return false;
        }
    }
    return true;
}

/* Exchanges for a time; the segments that took. 0 after a line was printed. */
static uint64_t exchange(struct bench_pair *pair, struct lookup *lookup, uint32_t count, uint64_t duration_ns)
{
    uint64_t segments = bench_segments_in(pair, CLIENT) + bench_segments_in(pair, SERVER);
    uint64_t answered = lookup->answers;
    uint64_t asked = 0;
    uint64_t start = pair->now = bench_clock();
    while (pair->now - start < duration_ns) {
        for (unsigned i = 0; i < PER_CLOCK; i += lookup->batch) {
            if (!ask(pair, lookup, count)) {
                return 0;
            }
            asked += lookup->batch;
            bench_move(pair, CLIENT);
            bench_move(pair, SERVER);
        }
        bench_settle(pair);
        pair->now = bench_clock();
    }
    answered = lookup->answers - answered;
    if (answered != asked) {
        tool_error("%llu of %llu bytes were answered", (unsigned long long)answered,
                   (unsigned long long)asked);
        return 0;
    }
    return bench_segments_in(pair, CLIENT) + bench_segments_in(pair, SERVER) - segments;
}

static int measure(struct bench_pair *pair, const struct bench_settings *settings, struct lookup *lookup,
                   uint32_t count)
{
    pair->now = bench_clock();
    pair->user = lookup;
    pair->handler = on_event;
    if (!bench_connect_many(pair, count, lookup->conns)) {
        return TOOL_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        estab_set(pair->stack[CLIENT], pair->now, lookup->conns[i], ESTAB_OPTION_NODELAY, 1);
    }
    if (exchange(pair, lookup, count, settings->duration_ns / 4) == 0) {
        return TOOL_FAILED;
    }
    uint64_t before = lookup->answers;
    uint64_t start = bench_clock();
    uint64_t segments = exchange(pair, lookup, count, settings->duration_ns);
    if (segments == 0) {
        return TOOL_FAILED;
    }
    double elapsed = (double)(pair->now - start);
    const struct bench_figure figures[] = {
        {"connections", count, 0},
        {"ns_per_segment", elapsed / (double)segments, 1},
        {"batch", lookup->batch, 0},
        {"segments_per_exchange", (double)segments / (double)(lookup->answers - before), 2},
        {"seconds", elapsed / 1e9, 2},
    };
    bench_report(settings, "lookup",
                 "one byte on a random connection and one byte back, both ends on one core", figures, 5);
    return TOOL_OK;
}

static int run(const struct bench_settings *settings, uint32_t count)
{
    /* Each answer waits in a small block for an acknowledgment that may be delayed: there must be many. */
    const struct bench_setup setup = {
        .connections = count,
        .time_wait = 16,
        .buffers = (size_t)256 << 20,
        .block_size = 256,
    };
    struct lookup lookup = {.conns = calloc(count, sizeof *lookup.conns), .batch = settings->batch,
                            .random = 88172645463325252u};
    if (lookup.conns == NULL) {
        return tool_fail("out of memory for %u connections", count);
    }
    int code = TOOL_FAILED;
    struct bench_pair *pair = bench_pair_open(&setup);
    if (pair != NULL) {
        code = measure(pair, settings, &lookup, count);
        bench_pair_close(pair);
    }
    free(lookup.conns);
    return code;
}

int bench_lookup(const struct bench_settings *settings)
{
    int code = TOOL_OK;
    if (settings->connections == 0) {
        return tool_usage("lookup wants at least one connection: --connections 1");
    }
    if (settings->connections != UINT32_MAX) {
        return run(settings, settings->connections);
    }
    for (size_t i = 0; i < sizeof default_sizes / sizeof default_sizes[0] && code == TOOL_OK; i++) {
        code = run(settings, default_sizes[i]);
    }
    return code;
}
