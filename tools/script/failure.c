/*
 * How a run is told to a human: the failure with its line of the script, the state of the connection, and the
 * ladder: every packet so far with its time and direction, ours with the reason they were sent for, in the
 * script's own words.
 */
#include "run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Longer ladders lose their middle. */
#define LADDER_HEAD 40
#define LADDER_TAIL 60

const char *run_seconds(int64_t ns, char text[32])
{
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t microseconds = (magnitude + 500) / 1000;
    snprintf(text, 32, "%s%" PRIu64 ".%06" PRIu64, ns < 0 ? "-" : "", microseconds / 1000000,
             microseconds % 1000000);
    return text;
}

/* The event as it stands in the script, each line indented alike. */
static void print_source(FILE *out, const struct event *event)
{
    const char *at = event->source != NULL ? event->source : "";
    for (bool first = true; *at != 0 || first; first = false) {
        int length = (int)strcspn(at, "\n");
        fprintf(out, "  %-9s %.*s\n", first ? "script" : "", length, at);
        at += length + (at[length] != 0);
    }
}

bool run_fail(struct run *run, const struct event *event, const char *format, ...)
{
    va_list arguments;
    struct outcome *outcome = run->outcome;
    if (run->failed) {
        return false;
    }
    run->failed = true;
    outcome->line = event->place.line;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    vsnprintf(outcome->reason, sizeof outcome->reason, format, arguments);
    va_end(arguments);
    fprintf(run->report, "%s:%d: %s\n", run->script->path, event->place.line, outcome->reason);
    print_source(run->report, event);
    return false;
}

void run_detail(struct run *run, const char *format, ...)
{
    va_list arguments;
    fputs("  ", run->report);
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    vfprintf(run->report, format, arguments);
    va_end(arguments);
    fputc('\n', run->report);
}

void run_note(struct run *run, int line, const char *format, ...)
{
    va_list arguments;
    if (!run->options->verbose) {
        return;
    }
    fprintf(run->report, "%s:%d: note: ", run->script->path, line);
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    vfprintf(run->report, format, arguments);
    va_end(arguments);
    fputc('\n', run->report);
}

void run_warn(struct run *run, const struct event *event, const char *format, ...)
{
    va_list arguments;
    fprintf(run->report, "%s:%d: warning: ", run->script->path, event->place.line);
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    vfprintf(run->report, format, arguments);
    va_end(arguments);
    fputc('\n', run->report);
}

/* ------------------------------------------------------------------------------------------------- ladder */

static void print_rung(const struct run *run, const struct crossing *c)
{
    char text[32];
    char *packet = NULL;
    size_t length;
    FILE *out = open_memstream(&packet, &length);
    if (out == NULL) {
        return;
    }
    script_print_packet(out, &c->shown);
    fclose(out);
    fprintf(run->report, "  %s %11s  %-60s  %s", c == run->fault ? "=>" : "  ", run_seconds(c->time_ns, text),
            packet, estab_state_name(c->state_before));
    if (c->state_after != c->state_before) {
        fprintf(run->report, " -> %s", estab_state_name(c->state_after));
    }
    const char *why = c->inbound ? estab_drop_name(c->reason) : estab_reason_name(c->reason);
    if (*why != 0) {
        fprintf(run->report, c->inbound ? "  (dropped: %s)" : "  (%s)", why);
    }
    fputs(c->foreign ? "  [another connection]\n" : "\n", run->report);
    free(packet);
}

static void print_ladder(const struct run *run)
{
    unsigned count = 0;
    unsigned at = 0;
    for (const struct crossing *c = run->world.first; c != NULL; c = c->next) {
        count++;
    }
    if (count == 0) {
        fprintf(run->report, "  no packet so far\n");
        return;
    }
    fprintf(run->report, "  packets: time, < in or > out, state of the connection, why it was sent\n");
    for (const struct crossing *c = run->world.first; c != NULL; c = c->next, at++) {
        bool shown =
            at < LADDER_HEAD || at + LADDER_TAIL >= count || run->options->verbose || c == run->fault;
        if (shown) {
            print_rung(run, c);
        } else if (at == LADDER_HEAD) {
            fprintf(run->report, "     ... %u packets ...\n", count - LADDER_HEAD - LADDER_TAIL);
        }
    }
}

static const struct crossing *last_of_flow(const struct run *run)
{
    const struct crossing *found = NULL;
    for (const struct crossing *c = run->world.first; c != NULL; c = c->next) {
        found = c->flow == run->flow || run->flow == NULL ? c : found;
    }
    return found;
}

static void print_state(struct run *run)
{
    char text[32];
    const char *now = run_seconds(world_time(&run->world), text);
    struct run_fd *fd = run_flow_fd(run);
    struct estab_status status;
    const struct crossing *last = last_of_flow(run);
    if (fd != NULL &&
        estab_status(run->world.stack, sockets_conn(run->world.sockets, fd->live), &status) == 0) {
        fprintf(run->report, "  state     %s, descriptor %d, at %s s\n", estab_state_name(status.state),
                fd->script, now);
    } else if (last != NULL) {
        fprintf(run->report, "  state     %s after the last packet, at %s s\n",
                estab_state_name(last->state_after), now);
    } else {
        fprintf(run->report, "  state     no connection, at %s s\n", now);
    }
}

void failure_show(struct run *run)
{
    print_state(run);
    print_ladder(run);
}
