/*
 * `estab bench flood`: a million attack packets a simulated second against one stack, while 200 clients
 * open, exchange 10 kB and close, over and over. The same simulation runs idle first, to have set-up times
 * to compare with. What is attacked and how stands in bench_flood.h.
 */
#include "bench_flood.h"
#include "tool.h"

#include <string.h>

#define IDLE_NS (10 * BENCH_SECOND) /* at most: enough for a 99th percentile */

static struct flood *run(const struct flood_setup *setup)
{
    struct flood *flood = flood_open(setup);
    if (flood != NULL && !flood_run(flood)) {
        flood_close(flood);
        return NULL;
    }
    return flood;
}

static bool is_one_of(const char *name, const char *a, const char *b)
{
    return strcmp(name, a) == 0 || strcmp(name, b) == 0;
}

int bench_flood(const struct bench_settings *settings)
{
    const struct flood_kind *kind = flood_kind_find(settings->kind);
    if (kind == NULL) {
        return tool_usage("--kind '%s' is none: syn, rst, ack, ooo, sack, frag, sockstress, timewait or all",
                          settings->kind);
    }
    if (settings->connections != UINT32_MAX && settings->connections > FLOOD_MOST_BOTS) {
        return tool_usage("flood: --connections is at most %u", FLOOD_MOST_BOTS);
    }
    const struct flood_setup setup = {
        .kind = kind,
        .duration_ns = settings->duration_ns,
        .msl_ns = strcmp(kind->name, "timewait") == 0 ? 5 * BENCH_SECOND : 0,
        .budget = settings->budget,
        .attackers = settings->connections == UINT32_MAX ? 0 : settings->connections,
        .no_cookies = settings->no_cookies,
        .fragments = is_one_of(kind->name, "frag", "all"),
        .storm = is_one_of(kind->name, "ack", "all"),
    };
    struct flood_setup calm = setup;
    calm.kind = NULL;
    calm.duration_ns = setup.duration_ns < IDLE_NS ? setup.duration_ns : IDLE_NS;
    int code = TOOL_FAILED;
    uint64_t begun = bench_clock();
    struct flood *idle = run(&calm);
    struct flood *flood = idle != NULL ? run(&setup) : NULL;
    if (flood != NULL) {
        code = flood_report(settings, flood, idle, bench_clock() - begun);
        flood_close(flood);
    }
    if (idle != NULL) {
        flood_close(idle);
    }
    return code;
}
