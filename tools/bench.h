/*
 * What the benchmarks share: two stacks in this process with nothing between them but packet buffers, and the
 * report.
 *
 * Everything is in the figures: both ends run on one core, every packet is made, checksummed, handed over,
 * verified and parsed. There is no offload and no system call. Time is an argument of the stacks, so a
 * benchmark says what time it is.
 */
#ifndef ESTAB_TOOLS_BENCH_H
#define ESTAB_TOOLS_BENCH_H

#include "estab/estab.h"

#define BENCH_MTU      1500u
#define BENCH_ROOM     1536u /* of a packet buffer */
#define BENCH_BATCH    32u   /* packets pulled at once */
#define BENCH_SECOND   UINT64_C(1000000000)
#define BENCH_PORT     80     /* the first port that the server listens on */
#define BENCH_PER_PORT 16000u /* connections to each of them: leaves most ephemeral ports free */

enum bench_end { CLIENT, SERVER };

struct bench_settings {
    uint64_t duration_ns;
    uint32_t connections; /* UINT32_MAX = the benchmark's own choice */
    uint32_t time_wait;
    uint32_t batch; /* lookup: exchanges under way at once */
    bool ipv6;      /* cookie: over IPv6 */
    bool json;
    const char *kind; /* flood: and what follows */
    size_t budget;
    bool no_cookies;
    bool check;
};

/* Called with each event of a stack while packets move. */
struct bench_pair;
typedef void bench_handler(struct bench_pair *pair, enum bench_end end, const struct estab_event *event);

struct bench_pair {
    estab_stack *stack[2];
    void *memory[2];
    size_t size;
    uint64_t now;
    bench_handler *handler; /* NULL = events are taken and dropped */
    void *user;
    bool cut; /* what the server sends is lost */
    unsigned listeners;
    struct estab_packet packets[BENCH_BATCH];
    uint8_t room[BENCH_BATCH][BENCH_ROOM];
};

struct bench_setup {
    uint32_t connections; /* room for so many in each stack, listeners and a reserve not counted */
    uint32_t time_wait;
    uint32_t half_open;  /* 0 = the default */
    uint64_t msl_ns;     /* 0 = the default */
    size_t buffers;      /* bytes for data */
    uint32_t block_size; /* 0 = the default */
};

/* The configuration that a setup means. */
void bench_configure(struct estab_config *config, const struct bench_setup *setup);

/* NULL after a line was printed. */
struct bench_pair *bench_pair_open(const struct bench_setup *setup);
void bench_pair_close(struct bench_pair *pair);

/* Opens so many listeners, from BENCH_PORT on; their user value is 0. False after a line was printed. */
bool bench_listen(struct bench_pair *pair, unsigned count);

/* Begins a connection to the server's `port`. False after a line was printed. */
bool bench_connect(struct bench_pair *pair, uint16_t port, estab_conn *conn);

/*
 * Opens `count` connections spread over the listeners (bench_listeners()), which stay. Their client ends go
 * to `conns` unless it is NULL. False after a line was printed.
 */
bool bench_connect_many(struct bench_pair *pair, uint32_t count, estab_conn *conns);

/* How many listeners `count` connections take. */
unsigned bench_listeners(uint32_t count);

/* Hands over one batch from one end to the other and calls the handler with what it made possible there. */
unsigned bench_move(struct bench_pair *pair, enum bench_end from);

/* Moves packets both ways until both ends have nothing to say at this time. */
void bench_settle(struct bench_pair *pair);

/* CLOCK_MONOTONIC. */
uint64_t bench_clock(void);

uint64_t bench_segments_in(const struct bench_pair *pair, enum bench_end end);

struct bench_figure {
    const char *name; /* of the JSON field; in text its underscores are blanks */
    double value;
    int decimals;
};

/* One line of JSON, or of text. */
void bench_report(const struct bench_settings *settings, const char *bench, const char *measured,
                  const struct bench_figure *figures, unsigned count);

/* The benchmarks: exit codes. */
int bench_bulk(const struct bench_settings *settings);
int bench_conn(const struct bench_settings *settings);
int bench_cookie(const struct bench_settings *settings);
int bench_lookup(const struct bench_settings *settings);
int bench_memory(const struct bench_settings *settings);
int bench_flood(const struct bench_settings *settings);

#endif
