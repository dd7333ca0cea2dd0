/*
 * Running one script: its events in their order against a stack in virtual time (world.h). Time is as in
 * packetdrill: `+` counts from the moment at which the event before was done, a packet that is expected is
 * waited for at once, a call that blocks goes on beside the events behind it until its end.
 *
 * What packets, calls and code blocks do stands in packets.c, calls.c and code.c; how a failure is told in
 * failure.c.
 */
#ifndef TOOLS_SCRIPT_RUN_H
#define TOOLS_SCRIPT_RUN_H

#include "flow.h"
#include "script.h"
#include "settings.h"
#include "world.h"

#include <stdio.h>

enum verdict { VERDICT_PASSED, VERDICT_FAILED, VERDICT_DEVIATING, VERDICT_UNPARSED };

struct outcome {
    enum verdict verdict;
    int line;          /* of the failure; 0 = none */
    unsigned commands; /* shell commands that set our config */
    unsigned skipped;  /* shell commands and options without a meaning here */
    unsigned events;
    unsigned packets;
    int64_t time_ns;  /* of the clock at the end */
    char reason[512]; /* one line */
};

/* What the command line says about every script. */
struct run_options {
    const struct script_settings *reading;
    /* name, value; name, value; ... NULL: options of packetdrill's that win over the script's */
    const char *const *overrides;
    bool verbose;      /* notes, and the ladder also of what passed */
    bool unmatched_ok; /* what was sent behind the last expected packet may be anything, as in packetdrill */
};

/* Runs a script. What a human reads about it goes to `report`. */
void run_script(const char *path, const struct run_options *options, FILE *report, struct outcome *outcome);

/* ------------------------------------------------------------------ for the files that make up a run */

struct pending;
struct code;

struct run_fd {
    int script, live;    /* live -1: closed */
    struct flow *flow;   /* of a socket; NULL */
    int64_t file_length; /* of open(): -1 = no file */
    int64_t file_at;
};

#define RUN_FDS 256

struct run {
    const struct script *script;
    const struct run_options *options;
    struct settings settings;
    struct world world;
    FILE *report;
    struct outcome *outcome;
    struct flow *flows; /* all, the latest first */
    struct flow *flow;  /* under test; NULL = none yet */
    unsigned flow_count;
    struct run_fd fds[RUN_FDS];
    unsigned fd_count;
    const struct event *event;
    const struct event *before; /* the event before, NULL */
    int64_t before_start;       /* when it was to begin */
    int64_t start, end;         /* of this event, in its place of the clock; `end` of a range */
    int index;                  /* of this event, from 0 */
    int acted;                  /* of the last one that has begun to act on the stack; -1 = none yet */
    struct pending *pending;    /* the call that blocks, NULL */
    struct code *code;
    bool failed;
    const struct crossing *fault; /* the packet that the ladder marks, NULL */
};

/* The failure of a script, told once: "path:line: reason", then the event. Returns false. */
bool run_fail(struct run *run, const struct event *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A line below it. */
void run_detail(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line that only --verbose shows. */
void run_note(struct run *run, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A mismatch that --non_fatal lets pass. */
void run_warn(struct run *run, const struct event *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Lets time pass up to `until`; a call that blocks is made again whenever something happened. */
bool run_until(struct run *run, int64_t until);
/* One step of that. True: something may have happened; false: `until` is reached. */
bool run_step(struct run *run, int64_t until);
/* What is due at this moment, after a call or a packet. */
void run_settle(struct run *run);

/* Whether `at` is when `event` was to happen, between its times; else says so. */
bool run_check_time(struct run *run, const struct event *event, int64_t at, const char *what);

struct flow *run_new_flow(struct run *run);
struct run_fd *run_find_fd(struct run *run, int64_t script);
/* The descriptor of the connection under test, or of the listener while it has none. NULL = none. */
struct run_fd *run_flow_fd(struct run *run);

/* packets.c */
void packets_seen(void *user, struct crossing *crossing);
bool packets_run(struct run *run);
bool packets_left(struct run *run);

/* calls.c */
bool calls_run(struct run *run);
/* Makes the call that blocks again; true: it is over. */
bool calls_retry(struct run *run);
/* Waits for it. */
bool calls_finish(struct run *run);
uint64_t calls_deadline(const struct run *run);
void calls_free(struct run *run);

/* code.c */
bool code_run(struct run *run);
bool code_execute(struct run *run);
void code_free(struct run *run);

/* failure.c */
void failure_show(struct run *run);
const char *run_seconds(int64_t ns, char text[32]);

/* What a script's commands set before the stack is made. */
void commands_read(struct run *run);
/* A command in its place. */
void commands_run(struct run *run);

#endif
