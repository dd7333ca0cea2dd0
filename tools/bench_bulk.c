/*
 * `estab bench bulk`: one connection that sends as fast as it goes. The application copies into the send
 * queue and out of the receive queue; the segments have 1448 bytes of text and a timestamp. Before it is
 * timed, a stretch of the stream is compared byte by byte.
 */
#include "bench.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define PATTERN ((size_t)256 * 1024)
#define PIECE   ((size_t)16 * 1024)  /* what the application sends and receives at once */
#define CHECKED ((uint64_t)16 << 20) /* bytes compared before it counts */

struct bulk {
    struct bench_pair *pair;
    estab_conn sender, receiver;
    uint64_t sent, received;
    bool compare;
    bool broken;
    uint8_t pattern[PATTERN];
    uint8_t got[PIECE];
};

static void on_event(struct bench_pair *pair, enum bench_end end, const struct estab_event *event)
{
    struct bulk *bulk = pair->user;
    if (end == SERVER && (event->ready & ESTAB_ACCEPTABLE) != 0) {
        estab_accept(pair->stack[SERVER], pair->now, event->conn, &bulk->receiver);
    }
}

static void send_all(struct bulk *bulk)
{
    for (;;) {
        size_t offset = bulk->sent % PATTERN;
        size_t length = PATTERN - offset < PIECE ? PATTERN - offset : PIECE;
        ptrdiff_t count = estab_send(bulk->pair->stack[CLIENT], bulk->pair->now, bulk->sender,
                                     bulk->pattern + offset, length, 0);
        if (count <= 0) {
            bulk->broken = bulk->broken || count != -ESTAB_EAGAIN;
            return;
        }
        bulk->sent += (uint64_t)count;
    }
}

static bool is_as_sent(const struct bulk *bulk, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bulk->got[i] != bulk->pattern[(bulk->received + i) % PATTERN]) {
            return false;
        }
    }
    return true;
}

static void receive_all(struct bulk *bulk)
{
    for (;;) {
        ptrdiff_t count =
            estab_recv(bulk->pair->stack[SERVER], bulk->pair->now, bulk->receiver, bulk->got, PIECE, 0);
        if (count <= 0) {
            bulk->broken = bulk->broken || count != -ESTAB_EAGAIN;
            return;
        }
        if (bulk->compare && !is_as_sent(bulk, (size_t)count)) {
            bulk->broken = true;
        }
        bulk->received += (uint64_t)count;
    }
}

/* Both ends do what they can; then it is later. */
static void turn(struct bulk *bulk)
{
    struct bench_pair *pair = bulk->pair;
    send_all(bulk);
    unsigned moved = bench_move(pair, CLIENT);
    receive_all(bulk);
    moved += bench_move(pair, SERVER);
    pair->now = bench_clock();
    if (moved == 0) {
        bench_settle(pair);
    }
}

static int measure(struct bulk *bulk, const struct bench_settings *settings)
{
    struct bench_pair *pair = bulk->pair;
    uint64_t start = bench_clock();
    for (bulk->compare = true; bulk->received < CHECKED && !bulk->broken;) {
        turn(bulk);
        if (pair->now - start > 10 * BENCH_SECOND) {
            return tool_fail("the transfer does not get on: %llu bytes in 10 s",
                             (unsigned long long)bulk->received);
        }
    }
    bulk->compare = false;
    uint64_t received = bulk->received;
    uint64_t segments = bench_segments_in(pair, SERVER);
    start = pair->now;
    while (pair->now - start < settings->duration_ns && !bulk->broken) {
        turn(bulk);
    }
    if (bulk->broken) {
        return tool_fail("the connection broke, or its bytes are not those that were sent");
    }
    double elapsed = (double)(pair->now - start);
    const struct bench_figure figures[] = {
        {"gbit_per_s", (double)(bulk->received - received) * 8 / elapsed, 2},
        {"ns_per_segment", elapsed / (double)(bench_segments_in(pair, SERVER) - segments), 1},
        {"seconds", elapsed / 1e9, 2},
    };
    bench_report(settings, "bulk",
                 "one connection, MSS 1448, application to queue to packet and back, both ends on one core",
                 figures, 3);
    return TOOL_OK;
}

static int run(struct bulk *bulk, const struct bench_settings *settings)
{
    struct bench_pair *pair = bulk->pair;
    uint64_t random = 88172645463325252u;
    for (size_t i = 0; i < PATTERN; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        bulk->pattern[i] = (uint8_t)random;
    }
    pair->now = bench_clock();
    pair->user = bulk;
    pair->handler = on_event;
    if (!bench_listen(pair, 1) || !bench_connect(pair, BENCH_PORT, &bulk->sender)) {
        return TOOL_FAILED;
    }
    bench_settle(pair);
    if (bulk->receiver == 0) {
        return tool_fail("the connection was not established");
    }
    return measure(bulk, settings);
}

int bench_bulk(const struct bench_settings *settings)
{
    const struct bench_setup setup = {.connections = 16, .time_wait = 16, .buffers = (size_t)4 << 20};
    struct bulk *bulk = calloc(1, sizeof *bulk);
    if (bulk == NULL) {
        return tool_fail("out of memory");
    }
    int code = TOOL_FAILED;
    bulk->pair = bench_pair_open(&setup);
    if (bulk->pair != NULL) {
        code = run(bulk, settings);
        bench_pair_close(bulk->pair);
    }
    free(bulk);
    return code;
}
