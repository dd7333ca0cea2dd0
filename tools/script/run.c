/* The events of a script in their order: see run.h. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

struct flow *run_new_flow(struct run *run)
{
    struct flow *flow = calloc(1, sizeof *flow);
    if (flow != NULL) {
        flow->fd = -1;
        flow->next = run->flows;
        run->flows = flow;
        run->flow_count++;
    }
    return flow;
}

struct run_fd *run_find_fd(struct run *run, int64_t script)
{
    for (unsigned i = run->fd_count; i-- > 0;) {
        if (run->fds[i].script == script && run->fds[i].live >= 0) {
            return &run->fds[i];
        }
    }
    return NULL;
}

struct run_fd *run_flow_fd(struct run *run)
{
    for (unsigned i = run->fd_count; i-- > 0 && run->flow != NULL;) {
        if (run->fds[i].flow == run->flow && run->fds[i].live >= 0) {
            return &run->fds[i];
        }
    }
    return NULL;
}

/* --------------------------------------------------------------------------------------------------- time */

void run_settle(struct run *run)
{
    do {
        world_settle(&run->world);
    } while (run->pending != NULL && calls_retry(run) && estab_pull_pending(run->world.stack));
    if (run->world.check != NULL && !run->failed) {
        run_fail(run, run->event, "an invariant of the stack does not hold: %s", run->world.check);
    }
    if (run->world.looped && !run->failed) {
        run_fail(run, run->event, "the stack does not come to rest: %u packets, %u steps", run->world.packets,
                 run->world.steps);
    }
}

bool run_step(struct run *run, int64_t until)
{
    bool more = world_step(&run->world, until, calls_deadline(run));
    run_settle(run);
    return more && !run->failed;
}

bool run_until(struct run *run, int64_t until)
{
    if (until > world_time(&run->world)) {
        while (run_step(run, until)) {
        }
    }
    return !run->failed;
}

bool run_check_time(struct run *run, const struct event *event, int64_t at, const char *what)
{
    char text[3][32];
    int64_t tolerance = (int64_t)run->settings.tolerance_ns;
    double slack = run->settings.tolerance_percent / 100 * (double)(run->start - run->before_start);
    tolerance = (double)tolerance < slack ? (int64_t)slack : tolerance;
    if (event->time == TIME_ANY || (at >= run->start - tolerance && at <= run->end + tolerance)) {
        return true;
    }
    const char *ours = run_seconds(at, text[0]);
    const char *from = run_seconds(run->start, text[1]);
    if (run->settings.non_fatal_packet && event->kind == EVENT_PACKET) {
        run_warn(run, event, "%s at %s s, expected at %s s", what, ours, from);
        return true;
    }
    if (run->end != run->start) {
        return run_fail(run, event, "time: %s at %s s, expected from %s to %s s", what, ours, from,
                        run_seconds(run->end, text[2]));
    }
    return run_fail(run, event, "time: %s at %s s, expected at %s s (tolerance %s s)", what, ours, from,
                    run_seconds(tolerance, text[2]));
}

static bool is_relative(const struct event *event)
{
    return event->time == TIME_RELATIVE || event->time == TIME_RELATIVE_RANGE;
}

static bool is_inbound(const struct event *event)
{
    return event != NULL && event->kind == EVENT_PACKET && event->packet.inbound;
}

/* Packets that follow each other into the stack keep their distance to the first, whatever came between. */
static void set_times(struct run *run)
{
    const struct event *event = run->event;
    int64_t offset =
        is_inbound(event) && is_inbound(run->before) ? run->before_start : world_time(&run->world);
    int64_t base = is_relative(event) ? offset : 0;
    run->start = event->time == TIME_ANY ? world_time(&run->world) : event->time_ns + base;
    bool range = event->time == TIME_ABSOLUTE_RANGE || event->time == TIME_RELATIVE_RANGE;
    run->end = range ? event->time_to_ns + base : run->start;
}

/* ------------------------------------------------------------------------------------------------- events */

static bool run_event(struct run *run)
{
    set_times(run);
    switch (run->event->kind) {
    case EVENT_PACKET: return packets_run(run);
    case EVENT_CALL: return calls_run(run);
    case EVENT_COMMAND:
        if (!run->event->untimed && !run_until(run, run->start)) {
            return false;
        }
        commands_run(run);
        return true;
    case EVENT_CODE: return run_until(run, run->start) && code_run(run);
    }
    return false;
}

static bool run_events(struct run *run)
{
    const struct event *event = run->script->events;
    for (; event != NULL; event = event->next) {
        run->event = event;
        if (!run_event(run) || run->failed) {
            return false;
        }
        run->before_start = run->start;
        run->before = event;
        run->acted = run->index;
        run->index += event->next != NULL;
        run->outcome->events++;
    }
    return (run->pending == NULL || calls_finish(run)) && packets_left(run) && code_execute(run);
}

/* ------------------------------------------------------------------------------------------------ options */

static bool set_option(struct run *run, const char *name, const char *value, int line)
{
    switch (settings_set(&run->settings, name, value)) {
    case SETTING_TAKEN: return true;
    case SETTING_IGNORED:
        run->outcome->skipped++;
        run_note(run, line, "--%s has no meaning here", name);
        return true;
    case SETTING_UNKNOWN:
        snprintf(run->outcome->reason, sizeof run->outcome->reason, "unknown option --%s", name);
        break;
    case SETTING_BAD:
        snprintf(run->outcome->reason, sizeof run->outcome->reason, "--%s=%s: expected %s", name, value,
                 settings_wants(name));
        break;
    }
    run->outcome->line = line;
    return false;
}

static bool set_options(struct run *run)
{
    settings_init(&run->settings);
    for (const struct script_option *option = run->script->options; option != NULL; option = option->next) {
        if (!set_option(run, option->name, option->value, option->place.line)) {
            fprintf(run->report, "%s:%d:%d: %s\n", run->script->path, option->place.line,
                    option->place.column, run->outcome->reason);
            return false;
        }
    }
    const char *const *pair = run->options->overrides;
    for (; pair != NULL && pair[0] != NULL; pair += 2) {
        set_option(run, pair[0], pair[1], 0); /* the command line was tried before */
    }
    if (!settings_finish(&run->settings)) {
        snprintf(run->outcome->reason, sizeof run->outcome->reason,
                 "--local_ip or --remote_ip is not of the family that --ip_version says");
        fprintf(run->report, "%s:1:1: %s\n", run->script->path, run->outcome->reason);
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------------------------------------- the run */

static void free_run(struct run *run)
{
    calls_free(run);
    code_free(run);
    world_free(&run->world);
    while (run->flows != NULL) {
        struct flow *next = run->flows->next;
        free(run->flows);
        run->flows = next;
    }
}

static void run_parsed(struct run *run)
{
    const char *why = "";
    if (!set_options(run)) {
        run->outcome->verdict = VERDICT_UNPARSED;
        return;
    }
    commands_read(run);
    run->event = run->script->events;
    run->acted = -1;
    run->outcome->verdict = VERDICT_FAILED;
    if (!world_make(&run->world, &run->settings, &why)) {
        run_fail(run, run->event, "the stack cannot be made: %s", why);
        return;
    }
    run->world.on_packet = packets_seen;
    run->world.user = run;
    run->outcome->verdict = run_events(run) && !run->failed ? VERDICT_PASSED : VERDICT_FAILED;
    run->outcome->time_ns = world_time(&run->world);
    run->outcome->packets = run->world.packets;
    if (run->failed || run->options->verbose) {
        failure_show(run);
    }
}

/* The one line that the reader says about a script that cannot be read. */
static struct script *read_script(const char *path, const struct run_options *options, FILE *report,
                                  struct outcome *outcome)
{
    char *line = NULL;
    size_t length;
    FILE *errors = open_memstream(&line, &length);
    if (errors == NULL) {
        return NULL;
    }
    struct script *script = script_read(path, options->reading, errors);
    fclose(errors);
    if (script == NULL) {
        size_t prefix = strlen(path);
        char *rest = line;
        fputs(line, report);
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, path, prefix) == 0 && line[prefix] == ':') {
            outcome->line = (int)strtol(line + prefix + 1, &rest, 10);
            strtol(*rest == ':' ? rest + 1 : rest, &rest, 10);
            rest += strspn(rest, ": ");
        }
        snprintf(outcome->reason, sizeof outcome->reason, "%s", rest);
    }
    free(line);
    return script;
}

void run_script(const char *path, const struct run_options *options, FILE *report, struct outcome *outcome)
{
    *outcome = (struct outcome){.verdict = VERDICT_UNPARSED};
    struct script *script = read_script(path, options, report, outcome);
    if (script == NULL) {
        return;
    }
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL || script->events == NULL) {
        snprintf(outcome->reason, sizeof outcome->reason,
                 run == NULL ? "no memory" : "a script without an event");
        fprintf(report, "%s:1:1: %s\n", path, outcome->reason);
    } else {
        run->script = script;
        run->options = options;
        run->report = report;
        run->outcome = outcome;
        run_parsed(run);
        free_run(run);
    }
    free(run);
    script_free(script);
}
