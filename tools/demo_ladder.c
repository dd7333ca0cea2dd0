/*
 * The list of what crossed: see demo_ladder.h. Sequence numbers become relative to the first SYN of each side
 * as they come in, so that a second connection on the same ports begins at 0 again.
 */
#include "demo_ladder.h"

#include <stdio.h>
#include <string.h>

#define FIN 0x01u
#define SYN 0x02u
#define RST 0x04u
#define ACK 0x10u

void ladder_init(struct ladder *ladder)
{
    memset(ladder, 0, sizeof *ladder);
    ladder->head_most = LADDER_HEAD;
    ladder->tail_most = LADDER_TAIL;
}

/* ----------------------------------------------------------------------------------------------- lines */

/* The place of a new line; what it pushes out of the ring is counted as left out. */
static struct line *add_line(struct ladder *ladder, enum line_kind kind, enum side side, uint64_t time_ns)
{
    struct line *line;
    if (ladder->head_count < ladder->head_most) {
        line = &ladder->head[ladder->head_count++];
    } else {
        line = &ladder->tail[ladder->tail_count++ % ladder->tail_most];
        if (ladder->tail_count > ladder->tail_most && line->kind == LINE_SEGMENT) {
            ladder->elided_bytes += line->record.segment.length;
        }
    }
    memset(line, 0, sizeof *line);
    line->kind = kind;
    line->side = side;
    line->time_ns = time_ns;
    return line;
}

uint64_t ladder_elided(const struct ladder *ladder)
{
    return ladder->tail_count > ladder->tail_most ? ladder->tail_count - ladder->tail_most : 0;
}

unsigned ladder_kept(const struct ladder *ladder)
{
    uint64_t tail = ladder->tail_count < ladder->tail_most ? ladder->tail_count : ladder->tail_most;
    return ladder->head_count + (unsigned)tail;
}

const struct line *ladder_line(const struct ladder *ladder, unsigned i)
{
    if (i < ladder->head_count) {
        return &ladder->head[i];
    }
    return &ladder->tail[(ladder_elided(ladder) + i - ladder->head_count) % ladder->tail_most];
}

void ladder_note(struct ladder *ladder, uint64_t time_ns, const char *note)
{
    struct line *line = add_line(ladder, LINE_NOTE, OURS, time_ns);
    snprintf(line->note, sizeof line->note, "%s", note);
}

/* ----------------------------------------------------------------------------------------------- paths */

static void path_add(struct path *path, uint8_t state, bool jump)
{
    if (path->count < LADDER_PATH) {
        path->jump[path->count] = jump;
        path->state[path->count++] = state;
    }
}

/* A path is begun, or goes on from another connection, where `from` is not where it stands. */
static void path_step(struct path *path, uint8_t from, uint8_t to)
{
    if (path->count == 0 || path->state[path->count - 1] != from) {
        path_add(path, from, path->count > 0);
    }
    path_add(path, to, false);
}

void path_format(const struct path *path, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < path->count && length < size; i++) {
        const char *between = i == 0 ? "" : path->jump[i] ? " | " : " > ";
        int more = snprintf(text + length, size - length, "%s%s", between, estab_state_name(path->state[i]));
        length += more > 0 ? (size_t)more : 0;
    }
    if (path->count == 0) {
        snprintf(text, size, "%s", "no connection");
    }
}

/* -------------------------------------------------------------------------------------------- segments */

void ladder_segment(struct ladder *ladder, enum side from, const struct estab_trace *record, bool lost)
{
    const struct estab_trace_segment *segment = &record->segment;
    enum side to = from == OURS ? PEER : OURS;
    struct line *line = add_line(ladder, LINE_SEGMENT, from, record->time_ns);
    if (segment->flags & SYN) {
        ladder->isn[from] = segment->seq;
    }
    line->record = *record;
    line->lost = lost;
    line->seq = segment->seq == 0 ? 0 : segment->seq - ladder->isn[from];
    line->ack = segment->ack - ladder->isn[to];
    ladder->segments++;
    ladder->zero_window[from] |= segment->window == 0 && (segment->flags & (SYN | RST)) == 0;
    if (record->kind == ESTAB_TRACE_SEGMENT_OUT && record->reason < ESTAB_REASON_COUNT) {
        ladder->reasons[from][record->reason]++;
    }
}

/* ---------------------------------------------------------------------------------------------- states */

/* Note 2 of the figure: the ACK of our FIN and the peer's FIN in one segment, hence two arrows with no other
 * segment between. */
static void note_arrow(struct ladder *ladder, struct figure *figure, enum side side,
                       const struct estab_trace *record)
{
    struct estab_transition arrow;
    if (!estab_transition(record->transition, &arrow) || record->transition >= FIGURE_ARROWS) {
        return;
    }
    figure->taken[record->transition]++;
    bool ends = arrow.from == ESTAB_FIN_WAIT_2 && arrow.to == ESTAB_TIME_WAIT;
    if (ends && ladder->acked_fin[side] && ladder->fin_in[side]) {
        figure->note_2++;
    }
    ladder->acked_fin[side] = arrow.from == ESTAB_FIN_WAIT_1 && arrow.to == ESTAB_FIN_WAIT_2;
}

static void record_state(struct ladder *ladder, struct figure *figure, enum side side,
                         const struct estab_trace *record)
{
    struct line *line = add_line(ladder, LINE_STATE, side, record->time_ns);
    line->record = *record;
    note_arrow(ladder, figure, side, record);
    path_step(&ladder->path[side], record->state, record->state_after);
    ladder->state[side] = record->state_after;
}

void ladder_record(struct ladder *ladder, struct figure *figure, enum side side,
                   const struct estab_trace *record)
{
    switch (record->kind) {
    case ESTAB_TRACE_SEGMENT_IN:
        ladder->acked_fin[side] = false;
        ladder->fin_in[side] = (record->segment.flags & (FIN | ACK)) == (FIN | ACK);
        break;
    case ESTAB_TRACE_STATE: record_state(ladder, figure, side, record); break;
    case ESTAB_TRACE_TIMER: add_line(ladder, LINE_TIMER, side, record->time_ns)->record = *record; break;
    default: break;
    }
}

void ladder_kernel_state(struct ladder *ladder, uint64_t time_ns, enum estab_state state)
{
    if (state == ESTAB_LISTEN && ladder->peer_connected) {
        state = ESTAB_CLOSED; /* only the listener is left */
    }
    ladder->peer_connected |= state != ESTAB_LISTEN && state != ESTAB_CLOSED;
    if (ladder->state[PEER] == state) {
        return;
    }
    struct line *line = add_line(ladder, LINE_STATE, PEER, time_ns);
    line->record.state = ladder->state[PEER];
    line->record.state_after = (uint8_t)state;
    line->record.transition = LADDER_NO_ARROW;
    path_step(&ladder->path[PEER], ladder->state[PEER], (uint8_t)state);
    ladder->state[PEER] = (uint8_t)state;
}

void ladder_jump(struct ladder *ladder, enum side side)
{
    path_add(&ladder->path[side], ESTAB_CLOSED, true);
    ladder->state[side] = ESTAB_CLOSED;
    ladder->acked_fin[side] = false;
}

uint16_t ladder_arrow(uint8_t from, uint8_t to)
{
    struct estab_transition arrow;
    for (uint16_t i = 0; estab_transition(i, &arrow); i++) {
        if (arrow.from == from && arrow.to == to && arrow.in_figure) {
            return i;
        }
    }
    return LADDER_NO_ARROW;
}
