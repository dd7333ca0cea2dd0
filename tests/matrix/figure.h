/*
 * Figure 5 of RFC 9293 as text (figure5.txt), and traces replayed against it: each change of state must be
 * an arrow of that text; the changes of a connection must join; and where the record of a segment says that
 * it led from one state to another, the arrows behind it must lead there, by FIN-WAIT-2 where note 2 says so.
 *
 * It knows the public headers only, nothing of src/: it is a second statement beside src/tcp/state.def.
 *
 *     struct figure_replay *replay = figure_replay_new();
 *     const char *wrong = figure_replay_pull(replay, stack);       after each call, NULL = as it should be
 *     figure_replay_free(replay);
 */
#ifndef TESTS_MATRIX_FIGURE_H
#define TESTS_MATRIX_FIGURE_H

#include "estab/estab.h"
#include "estab/trace.h"

/* ---- the text ---- */

enum figure_kind {
    FIGURE_DRAWN, /* "figure" */
    FIGURE_NOTE1,
    FIGURE_NOTE2,
    FIGURE_TEXT,
    FIGURE_STAYS,
    FIGURE_OURS,
    FIGURE_REFUSED,
    FIGURE_KINDS
};

#define FIGURE_ANY_STATE 255u

struct figure_line {
    uint8_t from; /* enum estab_state, FIGURE_ANY_STATE */
    uint8_t to;
    uint8_t by; /* of NOTE2: the state between */
    enum figure_kind kind;
    char event[32];
    char section[16];
    char remark[64];
};

/*
 * The lines of the file, NULL past the last one. A file that cannot be read ends the program with 3, saying
 * why.
 */
const struct figure_line *figure_line(unsigned index);

/* Reads such a text; returns the number of lines or -1, with a message that names the line. */
int figure_parse(const char *text, struct figure_line *lines, unsigned most, char *wrong, size_t size);

/* The line with this arrow, those that are refused left out; NULL = there is none. */
const struct figure_line *figure_find(unsigned from, const char *event, unsigned to);

/*
 * One change by itself, without what came before it: for who puts stacks back to an earlier moment. NULL = it
 * is an arrow of the text, else what is wrong. Records that are no change of state are right.
 */
const char *figure_arrow_wrong(const struct estab_trace *record);

/* ---- a replay: the whole trace of one stack, from its creation ---- */

struct figure_replay;

struct figure_replay *figure_replay_new(void);
void figure_replay_free(struct figure_replay *replay);

/* The next record. NULL = right, else one line that says what is wrong; the replay goes on from there. */
const char *figure_replay(struct figure_replay *replay, const struct estab_trace *record);

/*
 * Pulls and replays what the stack has recorded. A record that the stack had no room for is wrong, too: ask
 * for enough `trace_records` and pull often.
 */
const char *figure_replay_pull(struct figure_replay *replay, estab_stack *stack);

/*
 * Whether each connection of the stack stands where the replay left it, and there are no others: a change
 * that left no record shows here. What was recorded must have been pulled.
 */
const char *figure_replay_stands(struct figure_replay *replay, const estab_stack *stack);

/* Changes of state that were replayed. */
uint64_t figure_replay_changes(const struct figure_replay *replay);

#endif
