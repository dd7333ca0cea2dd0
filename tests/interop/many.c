/*
 * Many connections of one byte between a stack and the kernel's TCP, as many at once as asked for. Each
 * carries its number's last octet and gets it back; an odd one is closed by the listening side first, an even
 * one by the other. When the last one and its TIME-WAIT are gone, what the budget is used for (struct
 * estab_memory) stands beside what it was before the first one: one line of JSON, which many.py judges.
 *
 *     interop_many listen DEVICE ADDRESSES PORT COUNT
 *     interop_many connect DEVICE ADDRESSES ADDRESS:PORT COUNT PARALLEL
 */
#include "drivers/addr.h"
#include "drivers/host.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND  UINT64_C(1000000000)
#define MSL_NS  (SECOND / 10)
#define LIMIT   (60 * SECOND)
#define BACKLOG 1024

enum phase { OPENING, WAITING, ECHOED };

struct link {
    estab_conn conn;
    enum phase phase;
    uint8_t octet;
};

struct many {
    struct host host;
    bool listening;
    struct estab_addr peer; /* listening: only its port counts, and it is ours */
    uint32_t count, parallel;
    uint32_t begun, ended, failed, wrong;
    estab_conn listener;
    struct link *links; /* [count]; a connection's user value is its place, from 1 on */
};

static void finish(struct many *many, struct link *link)
{
    estab_close(many->host.stack, many->host.now, link->conn);
    link->conn = 0;
    many->ended++;
}

static void fail(struct many *many, struct link *link, int error)
{
    fprintf(stderr, "connection %td: %s\n", link - many->links, estab_strerror(error));
    many->failed++;
    finish(many, link);
}

static bool send_octet(struct many *many, struct link *link)
{
    ptrdiff_t n = estab_send(many->host.stack, many->host.now, link->conn, &link->octet, 1, 0);
    if (n != 1) {
        fail(many, link, (int)n);
    }
    return n == 1;
}

/* The octet has come: back to the sender, or from there. */
static void take_octet(struct many *many, struct link *link, uint8_t octet)
{
    if (many->listening) {
        link->octet = octet;
        if (!send_octet(many, link)) {
            return;
        }
    } else {
        many->wrong += octet != link->octet;
    }
    link->phase = ECHOED;
    if ((octet & 1) == many->listening) {
        finish(many, link);
    }
}

static void work(struct many *many, struct link *link)
{
    if (link->phase == OPENING) {
        int ready = estab_ready(many->host.stack, link->conn);
        if (ready < 0 || (ready & ESTAB_ERROR) != 0) {
            fail(many, link, ready < 0 ? ready : -ESTAB_ECONNREFUSED);
            return;
        }
        if ((ready & ESTAB_CONNECTED) == 0 || !send_octet(many, link)) {
            return;
        }
        link->phase = WAITING;
    }
    while (link->conn != 0) {
        uint8_t octet = 0;
        ptrdiff_t n = estab_recv(many->host.stack, many->host.now, link->conn, &octet, 1, 0);
        if (n == -ESTAB_EAGAIN) {
            return;
        }
        if (n == 1 && link->phase == WAITING) {
            take_octet(many, link, octet);
        } else if (n == 0 && link->phase == ECHOED) {
            finish(many, link);
        } else {
            fail(many, link, n < 0 ? (int)n : -ESTAB_EPROTO);
        }
    }
}

static struct link *new_link(struct many *many, estab_conn conn, enum phase phase)
{
    struct link *link = &many->links[many->begun++];
    *link = (struct link){.conn = conn, .phase = phase, .octet = (uint8_t)many->begun};
    estab_set(many->host.stack, many->host.now, conn, ESTAB_OPTION_USER, many->begun);
    return link;
}

static void accept_all(struct many *many)
{
    estab_conn conn;
    while (many->begun < many->count &&
           estab_accept(many->host.stack, many->host.now, many->listener, &conn) == 0) {
        work(many, new_link(many, conn, WAITING));
    }
}

/* As many at once as asked for. An opening that fails ends the program: it is a finding. */
static bool connect_more(struct many *many)
{
    while (!many->listening && many->begun < many->count && many->begun - many->ended < many->parallel) {
        estab_conn conn = 0;
        int error = estab_open(many->host.stack, &conn);
        if (error == 0) {
            error = estab_connect(many->host.stack, many->host.now, conn, &many->peer);
        }
        if (error != 0) {
            fprintf(stderr, "opening %u: %s\n", (unsigned)many->begun, estab_strerror(error));
            return false;
        }
        new_link(many, conn, OPENING);
    }
    return true;
}

static bool turn(struct many *many)
{
    struct estab_event event;
    if (host_step(&many->host, SECOND / 100) < 0) {
        fprintf(stderr, "%s\n", many->host.error);
        return false;
    }
    while (estab_poll(many->host.stack, &event, 1) > 0) {
        if (event.conn == many->listener) {
            accept_all(many);
        } else if (event.user != 0 && many->links[event.user - 1].conn == event.conn) {
            work(many, &many->links[event.user - 1]);
        }
    }
    return connect_more(many);
}

static bool open_listener(struct many *many)
{
    struct estab_addr local = estab_addr_any(many->peer.port);
    return estab_open(many->host.stack, &many->listener) == 0 &&
           estab_bind(many->host.stack, many->host.now, many->listener, &local) == 0 &&
           estab_listen(many->host.stack, many->host.now, many->listener, BACKLOG) == 0;
}

static bool at_rest(const struct many *many, const struct estab_memory *before)
{
    struct estab_memory memory;
    estab_memory(many->host.stack, &memory);
    return many->ended == many->count && memory.time_wait == 0 && memory.connections == before->connections;
}

static void print_memory(const char *name, const struct estab_memory *memory)
{
    printf(",\"%s\":{\"connections\":%u,\"time_wait\":%u,\"blocks_used\":%u}", name,
           (unsigned)memory->connections, (unsigned)memory->time_wait, (unsigned)memory->blocks_used);
}

static void print_result(const struct many *many, const struct estab_memory *before)
{
    struct estab_memory after;
    struct estab_counters counters;
    const char *broken = estab_check(many->host.stack);
    estab_memory(many->host.stack, &after);
    estab_counters(many->host.stack, &counters);
    printf("{\"v\":1,\"ended\":%u,\"failed\":%u,\"wrong\":%u", (unsigned)many->ended, (unsigned)many->failed,
           (unsigned)many->wrong);
    printf(",\"established\":%" PRIu64 ",\"resets_in\":%" PRIu64 ",\"resets_out\":%" PRIu64,
           counters.established, counters.resets_in, counters.resets_out);
    printf(",\"retransmitted\":%" PRIu64 ",\"no_memory\":%" PRIu64 ",\"time_waits\":%" PRIu64,
           counters.segments_retransmitted, counters.no_memory, counters.time_wait_entered);
    print_memory("before", before);
    print_memory("after", &after);
    printf(",\"check\":\"%s\"}\n", broken != NULL ? broken : "ok");
}

static int run(struct many *many)
{
    struct estab_memory before;
    bool going = !many->listening || open_listener(many);
    uint64_t begin = host_now(&many->host);
    estab_memory(many->host.stack, &before);
    puts("ready");
    fflush(stdout);
    going = going && connect_more(many);
    while (going && !at_rest(many, &before) && many->host.now - begin < LIMIT) {
        going = turn(many);
    }
    print_result(many, &before);
    return going && at_rest(many, &before) ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct many many;
    struct host_options options;
    char error[256];
    uint16_t port = 0;
    if (argc < 6) {
        return 2;
    }
    many.listening = strcmp(argv[1], "listen") == 0;
    if (many.listening ? !addr_parse_number(argv[4], &port) : !addr_parse_port(argv[4], &many.peer)) {
        return 2;
    }
    many.peer.port = many.listening ? port : many.peer.port;
    many.count = (uint32_t)strtoul(argv[5], NULL, 10);
    many.parallel = argc > 6 ? (uint32_t)strtoul(argv[6], NULL, 10) : 1;
    many.links = calloc(many.count, sizeof *many.links);
    host_options_init(&options);
    options.device = argv[2];
    options.addresses = argv[3];
    options.config.msl_ns = MSL_NS;
    int code = many.links == NULL ? 1 : host_open(&many.host, &options, error, sizeof error);
    if (code != 0) {
        fprintf(stderr, "%s\n", many.links == NULL ? "out of memory" : error);
        free(many.links);
        return code;
    }
    code = run(&many);
    host_close(&many.host);
    free(many.links);
    return code;
}
