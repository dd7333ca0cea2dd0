/*
 * Figure 5 as text and the replay of traces: see figure.h. A connection is known by its handle; in
 * SYN-RECEIVED and TIME-WAIT by its addresses and ports, as there it may have none (RFC 4987 3.4,
 * RFC 9293 3.6.1).
 *
 * What begins here begins in CLOSED; a connection that a listener's SYN makes begins in LISTEN, and somebody
 * must listen on its port. Nothing of src/ is known, the public headers only.
 */
#include "matrix/figure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LINES 128
#define BUCKETS    1024
#define NOBODY     UINT32_MAX
#define MESSAGE    320

enum { FLAG_SYN = 2, FLAG_RST = 4, FLAG_ACK = 0x10 };

/* ---------------------------------------------------------------------------------------------- the text */

static const char *const kind_names[FIGURE_KINDS] = {"figure", "note1", "note2",  "text",
                                                     "stays",  "ours",  "refused"};

static unsigned state_named(const char *name)
{
    for (unsigned state = 0; state < ESTAB_STATE_COUNT; state++) {
        if (strcmp(estab_state_name(state), name) == 0) {
            return state;
        }
    }
    return ESTAB_STATE_COUNT;
}

/* Splits a line at two or more blanks; returns the number of columns. */
static unsigned split(char *line, char *columns[6])
{
    unsigned count = 0;
    char *at = line;
    while (*at != '\0' && count < 6) {
        columns[count++] = at;
        char *end = strstr(at, "  ");
        if (end == NULL) {
            break;
        }
        *end++ = '\0';
        at = end + strspn(end, " ");
    }
    return count;
}

static bool copy(char *out, size_t size, const char *text)
{
    return snprintf(out, size, "%s", text) < (int)size;
}

/* NULL = *line is filled in, else what is wrong. */
static const char *read_line(char *text, struct figure_line *line)
{
    char *columns[6] = {NULL};
    unsigned count = split(text, columns);
    memset(line, 0, sizeof *line);
    if (count < 5) {
        return "wanted: FROM  event  TO  section  kind  [remark], two blanks between";
    }
    unsigned from = strcmp(columns[0], "-") == 0 ? FIGURE_ANY_STATE : state_named(columns[0]);
    unsigned to = state_named(columns[2]);
    if (from == ESTAB_STATE_COUNT || to == ESTAB_STATE_COUNT) {
        return "no such state";
    }
    line->from = (uint8_t)from;
    line->to = (uint8_t)to;
    unsigned kind = 0;
    while (kind < FIGURE_KINDS && strcmp(columns[4], kind_names[kind]) != 0) {
        kind++;
    }
    if (kind == FIGURE_KINDS) {
        return "no such kind";
    }
    line->kind = (enum figure_kind)kind;
    if (!copy(line->event, sizeof line->event, columns[1]) ||
        !copy(line->section, sizeof line->section, columns[3]) ||
        !copy(line->remark, sizeof line->remark, count > 5 ? columns[5] : "")) {
        return "a column is too long";
    }
    if ((kind == FIGURE_OURS || kind == FIGURE_REFUSED) && line->remark[0] == '\0') {
        return "the remark must say why";
    }
    if (from == FIGURE_ANY_STATE && kind != FIGURE_REFUSED) {
        return "an arrow from any state can only be refused";
    }
    if ((kind == FIGURE_STAYS) != (from == to)) {
        return "\"stays\" goes with two equal states, and only with these";
    }
    unsigned by = kind == FIGURE_NOTE2 ? state_named(line->remark) : 0;
    line->by = (uint8_t)by;
    return by == ESTAB_STATE_COUNT ? "the remark must name the state between" : NULL;
}

/* From a state an event leads to one state only. */
static bool said_twice(const struct figure_line *lines, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (lines[i].from == lines[count].from && strcmp(lines[i].event, lines[count].event) == 0) {
            return true;
        }
    }
    return false;
}

int figure_parse(const char *text, struct figure_line *lines, unsigned most, char *wrong, size_t size)
{
    unsigned count = 0;
    unsigned number = 0;
    while (*text != '\0') {
        char line[256];
        size_t length = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        text += length + (text[length] == '\n');
        number++;
        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }
        const char *why = count == most ? "too many lines" : read_line(line, &lines[count]);
        if (why == NULL && said_twice(lines, count)) {
            why = "this state has a line for this event already";
        }
        if (why != NULL) {
            snprintf(wrong, size, "line %u: %s", number, why);
            return -1;
        }
        count++;
    }
    return (int)count;
}

/* ---------------------------------------------------------------------------------------------- the file */

static struct figure_line figure_lines[MOST_LINES];
static unsigned figure_count;

static void give_up(const char *why)
{
    fprintf(stderr, "%s: %s\n", ESTAB_SOURCE_DIR "/tests/matrix/figure5.txt", why);
    exit(3);
}

static void read_file(void)
{
    static char text[MOST_LINES * 128];
    char why[128];
    FILE *file = fopen(ESTAB_SOURCE_DIR "/tests/matrix/figure5.txt", "r");
    if (file == NULL) {
        give_up("cannot be opened");
        return;
    }
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    if (length == sizeof text - 1) {
        give_up("too long");
    }
    int count = figure_parse(text, figure_lines, MOST_LINES, why, sizeof why);
    if (count <= 0) {
        give_up(count < 0 ? why : "no arrow stands in it");
    }
    figure_count = (unsigned)count;
}

const struct figure_line *figure_line(unsigned index)
{
    if (figure_count == 0) {
        read_file();
    }
    return index < figure_count ? &figure_lines[index] : NULL;
}

const struct figure_line *figure_find(unsigned from, const char *event, unsigned to)
{
    const struct figure_line *line;
    for (unsigned i = 0; (line = figure_line(i)) != NULL; i++) {
        if (line->from == from && line->to == to && line->kind != FIGURE_REFUSED &&
            line->kind != FIGURE_NOTE2 && strcmp(line->event, event) == 0) {
            return line;
        }
    }
    return NULL;
}

/* The line of note 2 between two states, NULL = none. */
static const struct figure_line *find_note2(unsigned from, unsigned to)
{
    const struct figure_line *line;
    for (unsigned i = 0; (line = figure_line(i)) != NULL; i++) {
        if (line->kind == FIGURE_NOTE2 && line->from == from && line->to == to) {
            return line;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- messages */

static const char *say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *say(const char *format, ...)
{
    static char message[MESSAGE];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    return message;
}

/* The name of the event, "?" where the record names no arrow at all. */
static const char *event_of(const struct estab_trace *record)
{
    struct estab_transition arrow;
    return estab_transition(record->transition, &arrow) ? arrow.event : "?";
}

static const char *say_of(const struct estab_trace *record, const char *what)
{
    return say("connection %llx, port %u to %u, %s -> %s by \"%s\": %s", (unsigned long long)record->conn,
               record->local.port, record->remote.port, estab_state_name(record->state),
               estab_state_name(record->state_after), event_of(record), what);
}

const char *figure_arrow_wrong(const struct estab_trace *record)
{
    if (record->kind != ESTAB_TRACE_STATE) {
        return NULL;
    }
    if (figure_find(record->state, event_of(record), record->state_after) == NULL) {
        return say_of(record, "Figure 5 and 3.10 have no such arrow");
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------- connections */

struct known {
    bool used;
    bool child; /* made by a listener's SYN */
    uint8_t state;
    estab_conn conn;
    struct estab_addr local, remote;
    uint32_t next; /* of its bucket, or of the free ones */
};

/* The segment that is being looked at: the arrows behind its record lead from `at` to `to`. */
struct arrival {
    bool open;
    uint8_t from, at, to;
    unsigned flags;
    struct estab_addr local, remote;
};

struct figure_replay {
    struct known *known;
    uint32_t room, fresh, free;
    uint32_t bucket[BUCKETS];
    struct arrival arrival;
    uint64_t changes, lost;
};

struct figure_replay *figure_replay_new(void)
{
    struct figure_replay *replay = calloc(1, sizeof *replay);
    if (replay == NULL) {
        give_up("no memory to replay against it");
    } else {
        replay->free = NOBODY;
        memset(replay->bucket, 0xff, sizeof replay->bucket);
    }
    return replay;
}

void figure_replay_free(struct figure_replay *replay)
{
    if (replay != NULL) {
        free(replay->known);
        free(replay);
    }
}

uint64_t figure_replay_changes(const struct figure_replay *replay)
{
    return replay->changes;
}

static bool same_end(const struct estab_addr *a, const struct estab_addr *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static unsigned mix(unsigned hash, const struct estab_addr *addr)
{
    for (unsigned i = 0; i < sizeof addr->ip; i++) {
        hash = hash * 31 + addr->ip[i];
    }
    return hash * 31 + addr->port;
}

/* A handshake has no handle while the SYN cache holds it, and a TIME-WAIT record outlives its own. */
static bool known_by_flow(unsigned state)
{
    return state == ESTAB_SYN_RECEIVED || state == ESTAB_TIME_WAIT;
}

static uint32_t *bucket_of(struct figure_replay *replay, unsigned state, const struct estab_trace *record)
{
    unsigned hash = (unsigned)(record->conn ^ record->conn >> 32);
    if (known_by_flow(state)) {
        hash = mix(mix(7, &record->local), &record->remote);
    }
    return &replay->bucket[(hash ^ hash >> 10) % BUCKETS];
}

/* The connection that a change in `state` is about; the link that leads to it, holding NOBODY if unknown. */
static uint32_t *find(struct figure_replay *replay, unsigned state, const struct estab_trace *record)
{
    uint32_t *link = bucket_of(replay, state, record);
    while (*link != NOBODY) {
        const struct known *known = &replay->known[*link];
        bool same = known_by_flow(state)
                        ? known_by_flow(known->state) && same_end(&known->local, &record->local) &&
                              same_end(&known->remote, &record->remote)
                        : !known_by_flow(known->state) && known->conn == record->conn;
        if (same) {
            break;
        }
        link = &replay->known[*link].next;
    }
    return link;
}

static uint32_t take(struct figure_replay *replay)
{
    uint32_t index = replay->free;
    if (index != NOBODY) {
        replay->free = replay->known[index].next;
        return index;
    }
    if (replay->fresh == replay->room) {
        replay->room = replay->room == 0 ? 16 : replay->room * 2;
        replay->known = realloc(replay->known, replay->room * sizeof *replay->known);
        if (replay->known == NULL) {
            give_up("no memory to replay against it");
        }
    }
    return replay->fresh++;
}

/*
 * It is where the record says now. One in CLOSED is forgotten, and so is a child that is back in LISTEN: its
 * record is gone, only the listener is left (note 1).
 */
static void remember(struct figure_replay *replay, uint32_t index, bool child,
                     const struct estab_trace *record)
{
    struct known *known = &replay->known[index];
    known->used = record->state_after != ESTAB_CLOSED && !(child && record->state_after == ESTAB_LISTEN);
    known->child = child;
    known->state = record->state_after;
    known->conn = record->conn;
    known->local = record->local;
    known->remote = record->remote;
    uint32_t *link = known->used ? bucket_of(replay, known->state, record) : &replay->free;
    known->next = *link;
    *link = index;
}

static bool somebody_listens(const struct figure_replay *replay, uint16_t port)
{
    for (uint32_t i = 0; i < replay->fresh; i++) {
        const struct known *known = &replay->known[i];
        if (known->used && known->state == ESTAB_LISTEN &&
            (known->local.port == port || known->local.port == 0)) {
            return true;
        }
    }
    return false;
}

/* ----------------------------------------------------------------------------------------------- a replay */

/* It begins while its addresses and ports stand in TIME-WAIT: that one's end was not told. */
static bool too_early(struct figure_replay *replay, const struct estab_trace *record)
{
    bool begins = record->state == ESTAB_CLOSED || record->state == ESTAB_LISTEN;
    bool has_flow = record->state_after == ESTAB_SYN_SENT || record->state_after == ESTAB_SYN_RECEIVED;
    uint32_t index = begins && has_flow ? *find(replay, ESTAB_TIME_WAIT, record) : NOBODY;
    return index != NOBODY && replay->known[index].state == ESTAB_TIME_WAIT;
}

/* Where a connection stood before. */
static const char *follow(struct figure_replay *replay, const struct estab_trace *record)
{
    uint32_t *link = find(replay, record->state, record);
    uint32_t index = *link;
    const char *wrong = NULL;
    bool child = false;
    if (index != NOBODY) {
        struct known *known = &replay->known[index];
        *link = known->next;
        child = known->child;
        if (known->state != record->state) {
            wrong = say("connection %llx stands in %s, but \"%s\" finds it in %s",
                        (unsigned long long)record->conn, estab_state_name(known->state), event_of(record),
                        estab_state_name(record->state));
        }
    } else {
        child = record->state == ESTAB_LISTEN && record->state_after == ESTAB_SYN_RECEIVED;
        if (child && !somebody_listens(replay, record->local.port)) {
            wrong = say_of(record, "nobody listens on that port");
        } else if (record->state != ESTAB_CLOSED && !child) {
            wrong = say_of(record, "a connection begins in CLOSED, or in LISTEN by a listener's SYN");
        }
        index = take(replay);
    }
    remember(replay, index, child, record);
    return wrong;
}

/* What the segment must have been for its event, in the figure's words. */
static bool flags_fit(const char *event, unsigned flags)
{
    static const struct {
        const char *begins;
        unsigned set, clear;
    } rows[] = {
        {"rcv RST", FLAG_RST, 0},
        {"rcv SYN,ACK", FLAG_SYN | FLAG_ACK, FLAG_RST},
        {"rcv SYN", FLAG_SYN, FLAG_RST | FLAG_ACK},
        {"rcv ", FLAG_ACK, FLAG_RST},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strncmp(event, rows[i].begins, strlen(rows[i].begins)) == 0) {
            return (flags & rows[i].set) == rows[i].set && (flags & rows[i].clear) == 0;
        }
    }
    return (flags & FLAG_RST) == 0; /* a CLOSE that waited, an ABORT since nobody reads */
}

/* The arrow against the segment that caused it. */
static const char *follow_arrival(struct figure_replay *replay, const struct estab_trace *record)
{
    struct arrival *arrival = &replay->arrival;
    const char *event = event_of(record);
    bool received = strncmp(event, "rcv ", 4) == 0;
    bool ours = arrival->open && same_end(&arrival->local, &record->local) &&
                same_end(&arrival->remote, &record->remote) &&
                !(record->state == ESTAB_TIME_WAIT && arrival->from != ESTAB_TIME_WAIT);
    if (!ours) {
        return received ? say_of(record, "no segment arrived for it") : NULL;
    }
    if (arrival->at ==
        arrival->to) { /* the segment has had its effect: the user goes on, or the text says so */
        return received && record->state != record->state_after ? say_of(record, "the segment led elsewhere")
                                                                : NULL;
    }
    const struct figure_line *note2 = find_note2(arrival->from, arrival->to);
    if (record->state != arrival->at) {
        return say_of(record, "not where the segment found it");
    }
    if (note2 != NULL && arrival->at == arrival->from && record->state_after != note2->by) {
        return say_of(record, "note 2: an ACK is looked at before a FIN, so the way is by FIN-WAIT-2");
    }
    arrival->at = record->state_after;
    /* A cookie's ACK stands for the SYN too. */
    bool cookie = record->state == ESTAB_LISTEN && arrival->to >= ESTAB_ESTABLISHED;
    bool fits = cookie || flags_fit(event, arrival->flags);
    return fits ? NULL : say_of(record, "the segment has not the flags for it");
}

/* A record that is no change of state: the arrows of the segment before it are complete. */
static const char *end_arrival(struct figure_replay *replay)
{
    struct arrival *arrival = &replay->arrival;
    bool complete = !arrival->open || arrival->at == arrival->to;
    arrival->open = false;
    return complete ? NULL
                    : say("port %u to %u: a segment led from %s to %s, the arrows only to %s",
                          arrival->local.port, arrival->remote.port, estab_state_name(arrival->from),
                          estab_state_name(arrival->to), estab_state_name(arrival->at));
}

static void begin_arrival(struct figure_replay *replay, const struct estab_trace *record)
{
    replay->arrival = (struct arrival){
        .open = true,
        .from = record->state,
        .at = record->state,
        .to = record->state_after,
        .flags = record->segment.flags,
        .local = record->local,
        .remote = record->remote,
    };
}

const char *figure_replay(struct figure_replay *replay, const struct estab_trace *record)
{
    if (record->kind != ESTAB_TRACE_STATE) {
        const char *wrong = end_arrival(replay);
        if (record->kind == ESTAB_TRACE_SEGMENT_IN) {
            begin_arrival(replay, record);
        }
        return wrong;
    }
    replay->changes++;
    const char *bad = figure_arrow_wrong(record);
    if (bad != NULL) {
        follow(replay, record);
        return figure_arrow_wrong(record);
    }
    if (too_early(replay, record)) {
        follow(replay, record);
        return say_of(record, "its addresses and ports are still in TIME-WAIT");
    }
    const char *gap = follow(replay, record);
    return gap != NULL ? gap : follow_arrival(replay, record);
}

const char *figure_replay_pull(struct figure_replay *replay, estab_stack *stack)
{
    struct estab_trace records[32];
    struct estab_counters counters;
    const char *wrong = NULL;
    unsigned count;
    while ((count = estab_trace_pull(stack, records, 32)) > 0) {
        for (unsigned i = 0; i < count && wrong == NULL; i++) {
            wrong = figure_replay(replay, &records[i]);
        }
    }
    const char *incomplete = end_arrival(replay); /* the call that it came with has returned */
    wrong = wrong != NULL ? wrong : incomplete;
    estab_counters(stack, &counters);
    if (wrong == NULL && counters.trace_lost != replay->lost) {
        wrong = say("%llu trace records were lost", (unsigned long long)(counters.trace_lost - replay->lost));
    }
    replay->lost = counters.trace_lost;
    return wrong;
}

/* How many connections the replay knows of. */
static unsigned count_known(const struct figure_replay *replay)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < replay->fresh; i++) {
        count += replay->known[i].used;
    }
    return count;
}

const char *figure_replay_stands(struct figure_replay *replay, const estab_stack *stack)
{
    struct estab_status status;
    uint64_t cursor = 0;
    unsigned count = 0;
    while (estab_iterate(stack, &cursor, &status)) {
        struct estab_trace record = {.conn = status.conn, .local = status.local, .remote = status.remote};
        if (status.state == ESTAB_CLOSED) {
            continue;
        }
        const uint32_t *link = find(replay, status.state, &record);
        if (*link == NOBODY || replay->known[*link].state != status.state) {
            return say(
                "connection %llx, port %u to %u, stands in %s, and no record of the trace led it there",
                (unsigned long long)status.conn, status.local.port, status.remote.port,
                estab_state_name(status.state));
        }
        count++;
    }
    if (count != count_known(replay)) {
        return say("the trace left %u connections that are not CLOSED, the stack has %u", count_known(replay),
                   count);
    }
    return NULL;
}
