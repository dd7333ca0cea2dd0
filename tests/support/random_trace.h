/*
 * Random traces for the rig: a peer that knows what was sent to it and mostly behaves, and a user who calls
 * what may be called. The same seed makes the same trace as long as the stack answers the same.
 */
#ifndef ESTAB_TESTS_RANDOM_TRACE_H
#define ESTAB_TESTS_RANDOM_TRACE_H

#include "support/rig.h"

struct random_trace {
    uint64_t seed;
    uint32_t peer_nxt;   /* what the peer sends next, relative */
    uint32_t top;        /* SND.NXT of the stack as the peer saw it */
    uint32_t acked;      /* what the peer has acknowledged */
    unsigned wildness;   /* of 100 segments, how many have random numbers and flags */
    unsigned reserved;   /* reserved header bits in every segment of the peer */
    bool reads;          /* the user reads and checks the stream: only while nobody lies about its bytes */
    bool closes;         /* FINs and closing calls may come */
};

/* From ESTABLISHED: one thing happens. False: the connection is gone. */
bool random_step(struct rig *r, struct random_trace *trace);

#endif
