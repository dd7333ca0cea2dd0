/*
 * The stack under test in virtual time: one interface of bare IP packets, Linux's sockets over it, a clock
 * that only world_go() moves, and every packet that went in or came out, in order. Knows nothing of scripts.
 */
#ifndef TOOLS_SCRIPT_WORLD_H
#define TOOLS_SCRIPT_WORLD_H

#include "settings.h"
#include "wire.h"

#include "sim/sockets.h"

/* The clock's zero: the first event's time. */
#define WORLD_START (UINT64_C(1000) * 1000000000)

/* A script that makes more steps or packets than these loops. */
#define WORLD_STEPS   2000000
#define WORLD_PACKETS 200000

struct flow;

/* A packet that crossed the interface. */
struct crossing {
    struct crossing *next;
    int64_t time_ns; /* since the first event */
    bool inbound;
    bool matched;            /* outbound: an expectation was for it */
    bool merged;             /* outbound: not the first of those that one expectation took together */
    const struct flow *flow; /* which the script knows, when it crossed; NULL = none */
    bool foreign;            /* of a connection that was not under test then */
    int cause;               /* number of the last event that had been acted on, from 0; -1 = none */
    uint8_t state_before, state_after, reason;
    struct wire wire;
    struct packet shown; /* in the script's numbers */
};

struct world {
    estab_stack *stack;
    void *memory;
    struct sockets *sockets;
    uint64_t now;
    struct crossing *first, *last;
    unsigned steps, packets;
    bool looped;
    const char *check; /* the invariant of the stack that does not hold, NULL = all do */
    uint32_t room;     /* bytes of a packet */
    uint8_t *buffer;
    /* told of each packet that leaves */
    void (*on_packet)(void *user, struct crossing *crossing);
    void *user;
};

/* False: with a sentence in *why. */
bool world_make(struct world *world, const struct settings *settings, const char **why);
void world_free(struct world *world);

/* Nanoseconds since the first event. */
int64_t world_time(const struct world *world);

/* Everything that is due now happens; packets leave. */
void world_settle(struct world *world);

/*
 * To the next moment at which something happens, at most to `until` (as world_time()), or earlier where
 * `deadline` (the stack's clock) says so. False: that moment is `until`, and nothing was due before.
 */
bool world_step(struct world *world, int64_t until, uint64_t deadline);

/* Puts a packet in; mss: its text comes as merged segments of that size. NULL = it cannot be written. */
struct crossing *world_inject(struct world *world, const struct wire *wire, uint32_t mss);

#endif
