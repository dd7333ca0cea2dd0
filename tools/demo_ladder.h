/*
 * What crossed between two ends and which states they passed, as a list of lines in the order in which it
 * happened, taken from trace records; and the arrows of RFC 9293 Figure 5 that were taken on the way. It
 * knows no stack and no socket. Long lists keep their beginning and their end.
 */
#ifndef ESTAB_TOOLS_DEMO_LADDER_H
#define ESTAB_TOOLS_DEMO_LADDER_H

#include "estab/estab.h"
#include "estab/trace.h"

enum side { OURS, PEER };

#define LADDER_HEAD 48
#define LADDER_TAIL 24
#define LADDER_PATH 40
#define LADDER_NOTE 96

enum line_kind { LINE_SEGMENT, LINE_STATE, LINE_TIMER, LINE_NOTE };

struct line {
    enum line_kind kind;
    enum side side;   /* of a segment: who sent it */
    uint64_t time_ns; /* since the scene began */
    bool lost;
    struct estab_trace
        record; /* of a kernel's state only `state_after` is set, and `transition` is LADDER_NO_ARROW */
    uint32_t seq, ack; /* relative */
    char note[LADDER_NOTE];
};

#define LADDER_NO_ARROW UINT16_MAX

/* Which arrows were taken; the note 2 of the figure is two of them for one segment. */
#define FIGURE_ARROWS 128
struct figure {
    unsigned taken[FIGURE_ARROWS];
    unsigned note_2;
};

struct path {
    unsigned count;
    bool jump[LADDER_PATH]; /* another connection's: no arrow led here */
    uint8_t state[LADDER_PATH];
};

struct ladder {
    unsigned head_most, tail_most; /* how much is kept of a long one */
    struct line head[LADDER_HEAD];
    struct line tail[LADDER_TAIL]; /* a ring */
    unsigned head_count;
    uint64_t tail_count; /* lines that came to the ring in all */
    uint64_t segments;   /* in all */
    uint64_t elided_bytes;
    uint32_t isn[2];
    struct path path[2];
    uint8_t state[2];
    bool peer_connected; /* the kernel had a connection: a listener of the same port is not told any more */
    unsigned reasons[2][ESTAB_REASON_COUNT]; /* segments by side and reason */
    bool zero_window[2];                     /* this side has closed its window */
    bool acked_fin[2]; /* the last arrow was the ACK of our FIN, by the segment that is still being looked at
                        */
    bool fin_in[2];    /* that segment carries a FIN */
};

void ladder_init(struct ladder *ladder);

/* States, arrows and timers of one side; of a segment that came in only what the next arrows mean. */
void ladder_record(struct ladder *ladder, struct figure *figure, enum side side,
                   const struct estab_trace *record);
void ladder_segment(struct ladder *ladder, enum side from, const struct estab_trace *record, bool lost);
void ladder_kernel_state(struct ladder *ladder, uint64_t time_ns, enum estab_state state);
void ladder_note(struct ladder *ladder, uint64_t time_ns, const char *note);

/* A side has forgotten its connections: it is CLOSED without an arrow. */
void ladder_jump(struct ladder *ladder, enum side side);

/* Lines that were left out in the middle, and the i-th that was kept. */
uint64_t ladder_elided(const struct ladder *ladder);
unsigned ladder_kept(const struct ladder *ladder);
const struct line *ladder_line(const struct ladder *ladder, unsigned i);

/* The arrow between two states that a user's call takes, for captures, which tell of states only.
 * LADDER_NO_ARROW = none. */
uint16_t ladder_arrow(uint8_t from, uint8_t to);

/* "LISTEN > SYN-RECEIVED > ESTABLISHED" */
void path_format(const struct path *path, char *text, size_t size);

/* -------------------------------------------------------------------------------------------- Figure 5 */

/* Arrows of the figure, note 2 being one of them, and how many of those were taken. */
unsigned figure_arrows(void);
unsigned figure_taken(const struct figure *figure);

/* The drawing and the list of what was not taken, or both as JSON. */
void figure_print(const struct figure *figure);
void figure_print_json(const struct figure *figure);

#endif
