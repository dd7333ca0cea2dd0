/*
 * The matrix: the core held against the oracle, segment by segment. A bench is a real stack in a small memory
 * that was brought to a place by packets and calls of its user; a step restores that memory, gives it one
 * packet, pulls what is sent at once, reads the variables and compares all of it with what oracle.h says of
 * the same variables and the same segment (RFC 9293 3.10.7; RFC 5961, 6191, 7323).
 *
 * The driver may look into the stack (src/), for reading only. It must not know the oracle's insides, and the
 * oracle knows nothing of it.
 */
#ifndef TESTS_MATRIX_MATRIX_H
#define TESTS_MATRIX_MATRIX_H

#include <stdio.h>
#include <string.h>

#include "matrix/oracle.h"
#include "stack/stack.h"

#define MATRIX_LOCAL_PORT 80
#define MATRIX_PEER_PORT  5000
#define MATRIX_MEMORY     32768u
#define MATRIX_BUFFER     600u    /* the small receive buffer */
#define MATRIX_BIG_BUFFER 200000u /* the one whose window is scaled */
#define MATRIX_MTU        1500u
#define MATRIX_STEP_NS    UINT64_C(3000000)
#define MATRIX_MAX_SENT   4
#define MATRIX_TRACE      16u /* trace records that a bench keeps */

/* ---- places ---- */

enum matrix_window { WINDOW_ZERO, WINDOW_SMALL, WINDOW_SCALED, WINDOWS };
enum matrix_placement { WRAP_INSIDE, WRAP_AHEAD, WRAP_FAR, PLACEMENTS };

/* A state and how it is reached: a row of the table in matrix_place.c. */
struct matrix_place {
    const char *name;   /* of the place, as --place takes it */
    const char *what;   /* what is special about this row */
    const char *recipe; /* words of matrix_place.c */
    enum estab_state state;
    bool never_shut; /* a zero window does not go together with it */
};
extern const struct matrix_place matrix_places[];
extern const unsigned matrix_place_count;

/* One way to stand in a place. */
struct matrix_spot {
    const struct matrix_place *place;
    enum matrix_window window;
    enum matrix_placement placement;
    bool timestamps; /* offered by us; the peer always offers them */
};

struct matrix_bench {
    _Alignas(64) uint8_t memory[MATRIX_MEMORY];
    struct matrix_spot spot;
    estab_stack *stack;
    uint32_t index;         /* of the record in question, NONE in CLOSED */
    uint64_t now;           /* when the place was reached */
    uint64_t two_msl_since; /* when TIME-WAIT began or began again */
    bool v6;
    estab_conn conn, listener;
    uint32_t limit;       /* bytes of the receive buffer */
    int8_t peer_scale;    /* what the peer's SYN offers, -1 = nothing */
    uint32_t iss_at_zero; /* the ISS chosen at time t is this + t / 4 us (RFC 9293 3.4.1) */
    uint32_t ts_offset;   /* of our timestamps: milliseconds + this */
    /* the peer */
    uint32_t irs, peer_nxt, peer_ack, seen_nxt, tsval, tsecr;
};

/* Prints why and ends the program with 3 where a place cannot be reached. */
void matrix_build(struct matrix_bench *bench, const struct matrix_spot *spot);

struct oracle_offer matrix_offer(const struct matrix_bench *bench, const struct oracle_tcb *before,
                                 uint64_t now);

/* ---- packets (matrix_packet.c): a codec of its own, not src/wire ---- */

struct matrix_sent {
    struct oracle_segment segment;
    unsigned sack_count;
    uint32_t sack[4][2];
    uint8_t reason;     /* enum estab_reason */
    const char *broken; /* what is wrong with its bytes, NULL = nothing */
};

/* Text of the peer's stream: the byte with number `seq`. */
uint8_t matrix_byte(const struct matrix_bench *bench, uint32_t seq);
size_t matrix_packet(const struct matrix_bench *bench, const struct oracle_segment *seg, bool checksum,
                     uint8_t *out);
void matrix_parse(const struct matrix_bench *bench, const struct estab_packet *packet, bool checksum,
                  struct matrix_sent *sent);

/* ---- the core's variables (matrix_read.c) ---- */

/* `before`: what was remembered before the step, NULL when a place has just been reached. */
void matrix_read(const struct matrix_bench *bench, uint64_t now, const struct oracle_tcb *before,
                 struct oracle_tcb *tcb);
/* The record that the flow's segments go to now, or went to. */
uint32_t matrix_index(const struct matrix_bench *bench);
/* Timers, and what else the oracle has no word for; NULL = as it should be. */
const char *matrix_timers_wrong(const struct matrix_bench *bench, uint64_t now,
                                const struct oracle_tcb *before, const struct oracle_tcb *after);
const char *matrix_text_wrong(const struct matrix_bench *bench, const struct oracle_tcb *after);

/* ---- steps (matrix_step.c) ---- */

struct matrix_step {
    struct oracle_segment segment;
    uint64_t now;
    uint64_t number; /* picks what is checked in samples only */
};

struct matrix_outcome {
    struct oracle_tcb core;
    struct matrix_sent sent[MATRIX_MAX_SENT];
    unsigned sent_count; /* may be more than MATRIX_MAX_SENT */
};

/* What the core does; the bench stands where it stood before. */
void matrix_run(struct matrix_bench *bench, const struct matrix_step *step, const struct oracle_tcb *before,
                struct matrix_outcome *outcome);
/*
 * Runs core and oracle; *tcb is the oracle's and moves on. Returns what differs, NULL = nothing.
 */
const char *matrix_compare(struct matrix_bench *bench, const struct matrix_step *step, struct oracle_tcb *tcb,
                           struct matrix_outcome *outcome, struct oracle_answer *answer);

/* ---- cases (matrix_cases.c) ---- */

struct matrix_classes {
    uint8_t flags, seq, ack, length, timestamp, window, up, options;
};

#define MATRIX_SEQ_CLASSES       12
#define MATRIX_ACK_CLASSES       9
#define MATRIX_LENGTH_CLASSES    4
#define MATRIX_TIMESTAMP_CLASSES 4 /* without negotiated timestamps the first two */

void matrix_segment(const struct matrix_bench *bench, const struct oracle_tcb *tcb,
                    const struct matrix_classes *classes, struct oracle_segment *segment);
/* A line that names the classes. */
void matrix_describe(const struct matrix_classes *classes, char *out, size_t size);

/* What to do, from the command line. */
struct matrix_plan {
    const char *place; /* NULL = all */
    unsigned stride;   /* 1 = every case */
    unsigned jobs;
    unsigned show; /* so many differences in full */
    bool first;    /* stop at the first difference */
};

/* What a worker counts; shown by the parent. */
#define MATRIX_CAUSES 512
#define MATRIX_SHOWN  6 /* of one spot, each for another cause */
#define MATRIX_TEXT   4096
struct matrix_cause {
    const char *place;
    const char *what;
    uint64_t count;
};
struct matrix_tally {
    uint64_t single, sequences, differences;
    struct matrix_cause causes[MATRIX_CAUSES];
};
struct matrix_shown {
    unsigned count;
    const char *what[MATRIX_SHOWN];
    char text[MATRIX_SHOWN][MATRIX_TEXT];
};

struct matrix_worker {
    const struct matrix_plan *plan;
    struct matrix_tally *tally;
    struct matrix_shown *shown; /* of the spot under way */
    volatile int *stop;
};

/* All cases of one spot. */
void matrix_spot_run(struct matrix_worker *worker, const struct matrix_spot *spot);

/* ---- showing (matrix_show.c) ---- */

void matrix_show(char *out, size_t size, const struct matrix_spot *spot, const char *what,
                 const char *classes);
void matrix_show_step(char *out, size_t size, const struct matrix_step *step, const struct oracle_tcb *before,
                      const struct oracle_tcb *oracle, const struct oracle_answer *answer);
void matrix_show_core(char *out, size_t size, const struct matrix_outcome *outcome);
const char *matrix_window_name(enum matrix_window window);
const char *matrix_placement_name(enum matrix_placement placement);

#endif
