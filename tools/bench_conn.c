/*
 * `estab bench conn`: open, one byte, close, sixteen at a time, beside N connections that stay. The client
 * closes first and keeps TIME-WAIT. Time is the benchmark's own: each connection takes a microsecond of it,
 * and the MSL is so short that as many connections are in TIME-WAIT as was asked for, always.
 */
#include "bench.h"
#include "tool.h"

#define AT_ONCE 16u
#define STEP_NS 1000u  /* of the stacks' time, a connection */
#define WARM_UP 20000u /* connections, besides those that fill TIME-WAIT */

struct conn {
    uint64_t bytes; /* received by the server */
    uint64_t ended; /* closed by the server after the client */
};

static void serve(struct bench_pair *pair, struct conn *state, estab_conn conn)
{
    uint8_t byte[16];
    for (;;) {
        ptrdiff_t count = estab_recv(pair->stack[SERVER], pair->now, conn, byte, sizeof byte, 0);
        if (count == 0) {
            estab_close(pair->stack[SERVER], pair->now, conn);
            state->ended++;
        }
        if (count <= 0) {
            return;
        }
        state->bytes += (uint64_t)count;
    }
}

static void on_event(struct bench_pair *pair, enum bench_end end, const struct estab_event *event)
{
    struct conn *state = pair->user;
    estab_conn conn;
    if (end == CLIENT) {
        if ((event->changed & ESTAB_CONNECTED) != 0) {
            estab_send(pair->stack[CLIENT], pair->now, event->conn, "x", 1, ESTAB_MORE);
            estab_close(pair->stack[CLIENT], pair->now, event->conn);
        }
    } else if ((event->ready & ESTAB_ACCEPTABLE) != 0) {
        while (estab_accept(pair->stack[SERVER], pair->now, event->conn, &conn) == 0) {
            serve(pair, state, conn);
        }
    } else {
        serve(pair, state, event->conn);
    }
}

/* Opens, uses and closes AT_ONCE connections. False after a line was printed. */
static bool turn(struct bench_pair *pair, unsigned ports, uint64_t *count)
{
    for (unsigned i = 0; i < AT_ONCE; i++) {
        estab_conn conn;
        if (!bench_connect(pair, (uint16_t)(BENCH_PORT + *count % ports), &conn)) {
            return false;
        }
        (*count)++;
    }
    bench_settle(pair);
    pair->now += AT_ONCE * STEP_NS;
    return true;
}

static int measure(struct bench_pair *pair, const struct bench_settings *settings, uint32_t alive)
{
    struct conn *state = pair->user;
    struct estab_memory memory;
    unsigned ports = bench_listeners(settings->time_wait);
    uint64_t count = 0;
    pair->handler = on_event;
    while (count < (uint64_t)settings->time_wait + WARM_UP) {
        if (!turn(pair, ports, &count)) {
            return TOOL_FAILED;
        }
    }
    uint64_t first = count;
    uint64_t segments = bench_segments_in(pair, CLIENT) + bench_segments_in(pair, SERVER);
    uint64_t start = bench_clock();
    uint64_t end = start;
    while (end - start < settings->duration_ns) {
        for (unsigned i = 0; i < 16; i++) {
            if (!turn(pair, ports, &count)) {
                return TOOL_FAILED;
            }
        }
        end = bench_clock();
    }
    segments = bench_segments_in(pair, CLIENT) + bench_segments_in(pair, SERVER) - segments;
    if (state->ended != count || state->bytes != count) {
        return tool_fail("of %llu connections %llu were served, with %llu bytes", (unsigned long long)count,
                         (unsigned long long)state->ended, (unsigned long long)state->bytes);
    }
    estab_memory(pair->stack[CLIENT], &memory);
    double elapsed = (double)(end - start);
    double done = (double)(count - first);
    const struct bench_figure figures[] = {
        {"per_s", done * 1e9 / elapsed, 0},
        {"ns_per_segment", elapsed / (double)segments, 1},
        {"segments_per_connection", (double)segments / done, 2},
        {"connections", alive, 0},
        {"time_wait", memory.time_wait, 0},
        {"seconds", elapsed / 1e9, 2},
    };
    bench_report(settings, "conn",
                 "open, one byte, close by the client, then by the server; both ends on one core", figures,
                 6);
    return TOOL_OK;
}

int bench_conn(const struct bench_settings *settings)
{
    uint32_t alive = settings->connections != UINT32_MAX ? settings->connections : 0;
    const struct bench_setup setup = {
        .connections = alive + 4 * AT_ONCE,
        .time_wait = settings->time_wait + settings->time_wait / 4 + 4 * AT_ONCE,
        .msl_ns = (uint64_t)settings->time_wait * STEP_NS / 2,
        .buffers = (size_t)4 << 20,
    };
    struct bench_pair *pair = bench_pair_open(&setup);
    if (pair == NULL) {
        return TOOL_FAILED;
    }
    struct conn state = {0};
    int code = TOOL_FAILED;
    pair->user = &state;
    if (bench_connect_many(pair, alive, NULL) && bench_listen(pair, bench_listeners(settings->time_wait))) {
        code = measure(pair, settings, alive);
    }
    bench_pair_close(pair);
    return code;
}
