/*
 * Trace records: every segment, state change, timer and drop of a stack with its reason, typed, for tools. A
 * stack whose config asks for `trace_records` keeps that many until they are pulled; the ones that find no
 * room are counted in `trace_lost`.
 */
#ifndef ESTAB_TRACE_H
#define ESTAB_TRACE_H

#include "estab/estab.h"

#ifdef __cplusplus
extern "C" {
#endif

enum estab_trace_kind {
    ESTAB_TRACE_SEGMENT_IN,
    ESTAB_TRACE_SEGMENT_OUT,
    ESTAB_TRACE_STATE,  /* an arrow was taken */
    ESTAB_TRACE_TIMER,  /* a timer fired */
    ESTAB_TRACE_DROP    /* a packet was dropped before it met a connection */
};

struct estab_trace_segment {
    uint32_t seq, ack;       /* as on the wire */
    uint32_t length;         /* bytes of text */
    uint32_t window;         /* scaled where that applies */
    /* TCP header bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 0x10, URG 0x20, ECE 0x40, CWR 0x80 */
    uint16_t flags;
    uint16_t up;
    uint16_t mss;            /* 0 = no such option */
    uint8_t window_scale;    /* 255 = no such option */
    bool sack_permitted;
    bool timestamps;
    uint8_t sack_count;
    uint32_t tsval, tsecr;
    uint32_t sack[4][2];
};

struct estab_trace {
    uint64_t time_ns;
    estab_conn conn;         /* 0 = none */
    struct estab_addr local;
    struct estab_addr remote;
    uint8_t kind;            /* enum estab_trace_kind */
    uint8_t state;           /* enum estab_state before; of a STATE record: from */
    uint8_t state_after;     /* of a STATE record: to; of a segment: once it was handled */
    uint8_t reason;          /* SEGMENT_OUT: enum estab_reason */
    uint8_t drop;            /* SEGMENT_IN, DROP: enum estab_drop, 0 = accepted */
    uint8_t timer;           /* TIMER: enum estab_timer */
    uint16_t transition;     /* STATE: index for estab_transition() */
    struct estab_trace_segment segment;
};

/* The oldest records, up to `max`; they leave the stack. Returns their number. */
ESTAB_API unsigned estab_trace_pull(estab_stack *stack, struct estab_trace *records, unsigned max);

#ifdef __cplusplus
}
#endif

#endif
