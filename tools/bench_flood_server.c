/*
 * The server's application in `estab bench flood`: it accepts, reads a number that ends in a newline, answers
 * as many bytes, and closes. It is as plain as can be: it holds as many connections as the stack allows, for
 * as long as they live, and sets no timeout. What it knows of a connection stands in ESTAB_OPTION_USER. See
 * bench_flood.h.
 */
#include "bench_flood.h"
#include "tool.h"

#include <stdlib.h>

#define BACKLOG   4096u
#define ANSWERING (UINT64_C(1) << 63) /* then 31 bits of bytes sent and 32 of bytes to send */
#define MOST      1999999999u
#define EVENTS    64u

uint8_t *flood_pattern(void)
{
    uint8_t *pattern = malloc(FLOOD_PATTERN);
    uint32_t value = 1;
    for (uint32_t i = 0; pattern != NULL && i < FLOOD_PATTERN; i++) {
        value = value * 1103515245u + 12345u;
        pattern[i] = (uint8_t)(value >> 16);
    }
    return pattern;
}

bool flood_server_listen(struct flood *flood)
{
    struct estab_addr local = estab_addr_any(BENCH_PORT);
    int error = estab_open(flood->server, &flood->listener);
    if (error == 0) {
        error = estab_bind(flood->server, flood->now, flood->listener, &local);
    }
    if (error == 0) {
        error = estab_listen(flood->server, flood->now, flood->listener, BACKLOG);
    }
    if (error != 0) {
        tool_error("cannot listen: %s", estab_strerror(error));
    }
    return error == 0;
}

/* Sends what fits; closes behind the last byte. */
static void answer(struct flood *flood, estab_conn conn, uint64_t state)
{
    uint32_t sent = (uint32_t)(state >> 32) & 0x7fffffffu;
    uint32_t left = (uint32_t)state;
    while (left > 0) {
        uint32_t at = sent % FLOOD_PATTERN;
        uint32_t run = FLOOD_PATTERN - at < left ? FLOOD_PATTERN - at : left;
        ptrdiff_t count = estab_send(flood->server, flood->now, conn, flood->answer + at, run, 0);
        if (count == -ESTAB_EAGAIN) {
            break;
        }
        if (count < 0) {
            left = 0;
            break;
        }
        sent += (uint32_t)count;
        left -= (uint32_t)count;
    }
    if (left == 0) {
        estab_close(flood->server, flood->now, conn);
        return;
    }
    state = ANSWERING | (uint64_t)sent << 32 | left;
    estab_set(flood->server, flood->now, conn, ESTAB_OPTION_USER, state);
}

/* The request so far with these bytes; what is no digit counts for nothing. */
static uint64_t take(uint64_t state, const uint8_t *bytes, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count && (state & ANSWERING) == 0; i++) {
        if (bytes[i] == '\n') {
            state |= ANSWERING;
        } else if (bytes[i] >= '0' && bytes[i] <= '9') {
            state = state * 10 + (uint64_t)(bytes[i] - '0');
            state = state > MOST ? MOST : state;
        }
    }
    return state;
}

static void serve(struct flood *flood, estab_conn conn, uint64_t state)
{
    uint8_t bytes[4096];
    uint64_t before = state;
    ptrdiff_t count;
    while ((count = estab_recv(flood->server, flood->now, conn, bytes, sizeof bytes, 0)) > 0) {
        state = take(state, bytes, count);
    }
    if (state & ANSWERING) {
        answer(flood, conn, state);
    } else if (count != -ESTAB_EAGAIN) {
        estab_close(flood->server, flood->now, conn);
    } else if (state != before) {
        estab_set(flood->server, flood->now, conn, ESTAB_OPTION_USER, state);
    }
}

void flood_server_events(struct flood *flood)
{
    struct estab_event events[EVENTS];
    unsigned count;
    while ((count = estab_poll(flood->server, events, EVENTS)) > 0) {
        for (unsigned i = 0; i < count; i++) {
            estab_conn conn;
            if (events[i].conn != flood->listener) {
                serve(flood, events[i].conn, events[i].user);
                continue;
            }
            while (estab_accept(flood->server, flood->now, flood->listener, &conn) == 0) {
                serve(flood, conn, 0);
            }
        }
    }
}
