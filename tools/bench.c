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
    {"bulk", bench_bulk},     {"conn", bench_conn},     {"cookie", bench_cookie},
    {"lookup", bench_lookup}, {"memory", bench_memory}, {"flood", bench_flood},
};

#define BENCHMARKS (sizeof benchmarks / sizeof benchmarks[0])
#define QUICK      5u /* the first of them, which run when none is named */

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
    return tool_usage("'%s' is no benchmark: bulk, conn, cookie, lookup, memory or flood", name);
}

static int run_all(const struct bench_settings *settings)
{
    int code = TOOL_OK;
    for (size_t i = 0; i < QUICK && code == TOOL_OK; i++) {
        code = benchmarks[i].run(settings);
    }
    return code;
}

int bench_main(int argc, char **argv)
{
    static const struct option table[] = {
        {"seconds", 's', OPTION_SECONDS, "SECONDS",
         "how long each measurement takes (default 2);\n"
         "flood: of simulated time (default 60)",
         offsetof(struct bench_settings, duration_ns), BENCH_SECOND / 100, 3600 * BENCH_SECOND},
        {"connections", 'n', OPTION_NUMBER, "N",
         "connections alive (conn: besides, default 0; lookup: default\n"
         "10, 1000, 100000 and 1000000; memory: default 100000;\n"
         "flood: what each set of attackers holds, at most 65536)",
         offsetof(struct bench_settings, connections), 0, 4000000},
        {"time-wait", 0, OPTION_NUMBER, "N", "conn: connections in TIME-WAIT (default 50000)",
         offsetof(struct bench_settings, time_wait), 1, 1000000},
        {"batch", 0, OPTION_NUMBER, "N", "lookup: exchanges under way at once (default 16)",
         offsetof(struct bench_settings, batch), 1, BENCH_BATCH},
        {"kind", 0, OPTION_TEXT, "KIND",
         "flood: syn, rst, ack, ooo, sack, frag, sockstress,\n"
         "timewait or all (default all: the mix of them)",
         offsetof(struct bench_settings, kind), 0, 0},
        {"budget", 0, OPTION_BYTES, "BYTES", "flood: memory of the server's stack (default 64M)",
         offsetof(struct bench_settings, budget), (uint64_t)1 << 20, (uint64_t)1 << 32},
        {"no-cookies", 0, OPTION_FLAG, NULL, "flood: leave SYN cookies out of the server's stack",
         offsetof(struct bench_settings, no_cookies), 0, 0},
        {"check", 0, OPTION_FLAG, NULL, "flood: fail where a figure misses its bound",
         offsetof(struct bench_settings, check), 0, 0},
        {"ipv6", '6', OPTION_FLAG, NULL, "cookie: over IPv6", offsetof(struct bench_settings, ipv6), 0, 0},
        {"json", 0, OPTION_FLAG, NULL, "report as JSON, an object a line",
         offsetof(struct bench_settings, json), 0, 0},
        {.name = NULL},
    };
    struct bench_settings settings = {.connections = UINT32_MAX,
                                      .time_wait = 50000,
                                      .batch = 16,
                                      .kind = "all",
                                      .budget = (size_t)64 << 20};
    struct option_group group = {"Options", table, &settings};
    struct option_command command = {
        .name = "bench",
        .arguments = "[bulk|conn|cookie|lookup|memory|flood]",
        .summary = "Measures stacks in this process, joined by packet buffers, on one core; every packet "
                   "is made,\n"
                   "checksummed, verified and parsed. Without a name: all but flood.\n"
                   "  bulk    one connection, as fast as it goes\n"
                   "  conn    open, one byte, close\n"
                   "  cookie  SYNs answered by SYN cookies\n"
                   "  lookup  one byte on a random connection of N, and the answer\n"
                   "  memory  bytes of an idle connection, a TIME-WAIT, a half-open connection\n"
                   "  flood   one stack under attack, in virtual time, and what its clients see of it",
        .example = "estab bench lookup --connections 1000 --json\n"
                   "estab bench flood --kind syn --check",
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
    if (settings.duration_ns == 0) {
        bool simulated = arguments.count == 1 && strcmp(arguments.values[0], "flood") == 0;
        settings.duration_ns = (simulated ? 60 : 2) * BENCH_SECOND;
    }
    return arguments.count == 1 ? run_named(arguments.values[0], &settings) : run_all(&settings);
}
