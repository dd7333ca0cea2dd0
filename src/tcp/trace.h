/*
 * The ring of trace records (estab/trace.h). It exists where the config asks for it; a full ring loses the
 * newest record and counts it. What a record is about is set in `who` before the connection's code runs, so
 * that the TCP of one connection need not know its addresses.
 */
#ifndef ESTAB_TCP_TRACE_H
#define ESTAB_TCP_TRACE_H

#include "estab/trace.h"
#include "wire/tcp_header.h"

struct trace_identity {
    estab_conn conn;
    struct estab_addr local;
    struct estab_addr remote;
};

struct trace_ring {
    struct estab_trace *records;
    uint32_t capacity; /* 0 = tracing is off */
    uint32_t head;     /* oldest */
    uint32_t count;
    uint64_t *lost;
    struct trace_identity who;
};

void trace_init(struct trace_ring *ring, struct estab_trace *records, uint32_t capacity, uint64_t *lost);
unsigned trace_pull(struct trace_ring *ring, struct estab_trace *out, unsigned max);

static inline bool trace_on(const struct trace_ring *ring)
{
    return ring->capacity != 0;
}

/* A fresh record about `who`, or NULL where the ring is full; never called while tracing is off. */
struct estab_trace *trace_add(struct trace_ring *ring, uint64_t now, enum estab_trace_kind kind);

void trace_segment_fields(struct estab_trace_segment *out, const struct tcp_segment *seg,
                          unsigned window_shift);

#endif
