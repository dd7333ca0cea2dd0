/*
 * `estab bench`: which benchmark, for how long, reported how. What each measures stands in bench_<name>.c,
 * what they share in bench_pair.c.
 */
#include "bench.h"
#include "json.h"
#include "options.h"
#include "tool.h"

#include <stdio.h>
#include <string.h>

struct benchmark {
    const char *name;
    int (*run)(const struct bench_settings *settings);
};

static const struct benchmark benchmarks[] = {
    {"bulk", bench_bulk},
    {"conn", bench_conn},
    {"lookup", bench_lookup},
    {"memory", bench_memory},
};

#define BENCHMARKS (sizeof benchmarks / sizeof benchmarks[0])

static void print_name(const char *name)
{
    for (; *name != 0; name++) {
        putchar(*name == '_' ? ' ' : *name);
    }
}

void bench_report(const struct bench_settings *settings, const char *bench, const char *measured,
                  const struct bench_figure *figures, unsigned count)
{
    if (settings->json) {
        json_begin(stdout);
        json_text(stdout, "bench", bench);
        json_text(stdout, "measured", measured);
        for (unsigned i = 0; i < count; i++) {
            json_real(stdout, figures[i].name, figures[i].value, figures[i].decimals);
        }
        json_end(stdout);
        tool_flush();
        return;
    }
    printf("%s: %s\n", bench, measured);
    for (unsigned i = 0; i < count; i++) {
        printf("%16.*f  ", figures[i].decimals, figures[i].value);
        print_name(figures[i].name);
        putchar('\n');
    }
    tool_flush();
}

static int run_named(const char *name, const struct bench_settings *settings)
{
    for (size_t i = 0; i < BENCHMARKS; i++) {
        if (strcmp(benchmarks[i].name, name) == 0) {
            return benchmarks[i].run(settings);
        }
    }
    return tool_usage("'%s' is no benchmark: bulk, conn, lookup or memory", name);
}

static int run_all(const struct bench_settings *settings)
{
    int code = TOOL_OK;
    for (size_t i = 0; i < BENCHMARKS && code == TOOL_OK; i++) {
        code = benchmarks[i].run(settings);
    }
    return code;
}

int bench_main(int argc, char **argv)
{
    static const struct option table[] = {
        {"seconds", 's', OPTION_SECONDS, "SECONDS", "how long each measurement takes (default 2)",
         offsetof(struct bench_settings, duration_ns), BENCH_SECOND / 100, 3600 * BENCH_SECOND},
        {"connections", 'n', OPTION_NUMBER, "N",
         "connections alive (conn: besides, default 0; lookup: default\n"
         "10, 1000, 100000 and 1000000; memory: default 100000)",
         offsetof(struct bench_settings, connections), 0, 4000000},
        {"time-wait", 0, OPTION_NUMBER, "N", "conn: connections in TIME-WAIT (default 50000)",
         offsetof(struct bench_settings, time_wait), 1, 1000000},
        {"batch", 0, OPTION_NUMBER, "N", "lookup: exchanges under way at once (default 16)",
         offsetof(struct bench_settings, batch), 1, BENCH_BATCH},
        {"json", 0, OPTION_FLAG, NULL, "report as JSON, an object a line",
         offsetof(struct bench_settings, json), 0, 0},
        {.name = NULL},
    };
    struct bench_settings settings = {2 * BENCH_SECOND, UINT32_MAX, 50000, 16, false};
    struct option_group group = {"Options", table, &settings};
    struct option_command command = {
        .name = "bench",
        .arguments = "[bulk|conn|lookup|memory]",
        .summary = "Measures two stacks in this process, joined by packet buffers, on one core; every packet "
                   "is made,\n"
                   "checksummed, verified and parsed. Without a name: all four.\n"
                   "  bulk    one connection, as fast as it goes\n"
                   "  conn    open, one byte, close\n"
                   "  lookup  one byte on a random connection of N, and the answer\n"
                   "  memory  bytes of an idle connection, a TIME-WAIT, a half-open connection",
        .example = "estab bench lookup --connections 1000 --json",
        .groups = &group,
        .group_count = 1,
        .least = 0,
        .most = 1,
    };
    struct option_arguments arguments;
    int code = options_parse(&command, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    return arguments.count == 1 ? run_named(arguments.values[0], &settings) : run_all(&settings);
}
