/*
 * The figures of `estab bench flood`, as JSON or text, and the bounds that --check holds them to. The bounds
 * are those of issue "it holds under attack": what a row of the flood table must show. See bench_flood.h.
 */
#include "bench_flood.h"
#include "json.h"
#include "tool.h"

#include <stdio.h>
#include <string.h>

#define MAX_FIGURES 64u

struct figures {
    struct bench_figure figure[MAX_FIGURES];
    unsigned count;
};

static void add(struct figures *figures, const char *name, double value, int decimals)
{
    if (figures->count < MAX_FIGURES) {
        figures->figure[figures->count++] = (struct bench_figure){name, value, decimals};
    }
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* ---- figures ---- */

/* Below which this part of them stayed, in ms; the middle of its bin. */
static double part_ms(const struct flood_times *times, double part)
{
    double wanted = part * (double)times->count;
    double seen = 0;
    for (uint64_t i = 0; i < FLOOD_BINS; i++) {
        seen += times->bins[i];
        if (seen >= wanted && seen > 0) {
            return ((double)i + 0.5) * (double)FLOOD_STEP_NS / 1e6;
        }
    }
    return 0;
}

static double decile_ns(const struct flood_tally *tally, unsigned decile)
{
    return ratio((double)tally->cpu_ns[decile], (double)tally->cpu_packets[decile]);
}

static double worst_decile_ns(const struct flood_tally *tally)
{
    double worst = 0;
    for (unsigned i = 0; i < FLOOD_DECILES; i++) {
        worst = decile_ns(tally, i) > worst ? decile_ns(tally, i) : worst;
    }
    return worst;
}

static double mean_ns(const struct flood_tally *tally)
{
    uint64_t ns = 0;
    uint64_t packets = 0;
    for (unsigned i = 0; i < FLOOD_DECILES; i++) {
        ns += tally->cpu_ns[i];
        packets += tally->cpu_packets[i];
    }
    return ratio((double)ns, (double)packets);
}

/* Exchanges a second. */
static double rate(const struct flood *flood)
{
    return ratio((double)flood->tally.completed, (double)flood->setup->duration_ns / 1e9);
}

static void add_service(struct figures *figures, const struct flood_tally *tally,
                        const struct flood_tally *idle)
{
    double p50 = part_ms(&tally->setup, 0.5);
    double p99 = part_ms(&tally->setup, 0.99);
    add(figures, "legit_success", ratio((double)tally->completed, (double)tally->begun), 5);
    add(figures, "setup_p99_ratio", ratio(p99, part_ms(&idle->setup, 0.99)), 3);
    add(figures, "setup_p50_ratio", ratio(p50, part_ms(&idle->setup, 0.5)), 3);
    add(figures, "setup_p99_ms", p99, 2);
    add(figures, "setup_p50_ms", p50, 2);
    add(figures, "exchange_p99_ms", part_ms(&tally->exchange, 0.99), 2);
    add(figures, "exchange_p50_ms", part_ms(&tally->exchange, 0.5), 2);
    add(figures, "legit_begun", (double)tally->begun, 0);
    add(figures, "legit_resets", (double)tally->resets, 0);
    add(figures, "legit_timeouts", (double)tally->timeouts, 0);
    add(figures, "legit_corrupt", (double)tally->corrupt, 0);
    add(figures, "streams", (double)tally->streams, 0);
    add(figures, "streams_lost", (double)tally->streams_lost, 0);
}

static void add_memory(struct figures *figures, const struct flood *flood, const struct estab_memory *memory)
{
    const struct flood_tally *tally = &flood->tally;
    double high = (double)memory->fixed + (double)memory->blocks_used_high * (double)memory->block_size;
    add(figures, "memory_high_bytes", high, 0);
    add(figures, "budget_bytes", (double)memory->budget, 0);
    add(figures, "half_open_bytes_high", (double)tally->half_open_bytes_high, 0);
    add(figures, "half_open_high", tally->half_open_high, 0);
    add(figures, "connections_high", tally->connections_high, 0);
    add(figures, "connections_max", memory->connections_max, 0);
    add(figures, "time_wait_high", tally->time_wait_high, 0);
    add(figures, "time_wait_max", memory->time_wait_max, 0);
    add(figures, "blocks_high", memory->blocks_used_high, 0);
    add(figures, "blocks", memory->blocks, 0);
}

static void add_cost(struct figures *figures, const struct flood_tally *tally)
{
    double first = decile_ns(tally, 0);
    add(figures, "cpu_decile_ratio", ratio(decile_ns(tally, FLOOD_DECILES - 1), first), 3);
    add(figures, "cpu_worst_decile_ratio", ratio(worst_decile_ns(tally), first), 3);
    add(figures, "ns_per_attack_packet", mean_ns(tally), 1);
    add(figures, "bytes_out_per_in", ratio((double)tally->out_bytes, (double)tally->attack_bytes), 4);
    add(figures, "packets_out_per_in", ratio((double)tally->out_packets, (double)tally->attack_packets), 4);
    add(figures, "attack_packets", (double)tally->attack_packets, 0);
}

/* Every counter of something that was given up before its time. */
static void add_given_up(struct figures *figures, const struct estab_counters *counters)
{
#define GIVEN_UP(name, help)                                                    \
    if (strncmp(#name, "shed_", 5) == 0 || strstr(#name, "_dropped") != NULL) { \
        add(figures, #name, (double)counters->name, 0);                         \
    }
    ESTAB_COUNTERS(GIVEN_UP)
#undef GIVEN_UP
}

static void add_reactions(struct figures *figures, const struct flood *flood)
{
    const struct flood_tally *tally = &flood->tally;
    struct estab_counters counters;
    estab_counters(flood->server, &counters);
    add(figures, "syn_acks_per_entry", tally->syn_acks_most, 0);
    add(figures, "cookies_sent", (double)counters.cookies_sent, 0);
    add(figures, "cookies_accepted", (double)counters.cookies_accepted, 0);
    add(figures, "challenge_acks_per_second_per_connection", tally->challenges_most, 0);
    add(figures, "challenge_acks", (double)counters.challenge_acks, 0);
    add(figures, "storm_segments_per_second", tally->storm_most, 0);
    add(figures, "resets_out", (double)counters.resets_out, 0);
    add(figures, "fragmented_success", ratio((double)counters.fragments_reassembled, (double)tally->cut), 4);
    add(figures, "time_wait_entered", (double)counters.time_wait_entered, 0);
    add_given_up(figures, &counters);
    add(figures, "backlog_overflows", (double)counters.backlog_overflows, 0);
    add(figures, "no_memory", (double)counters.no_memory, 0);
    add(figures, "no_memory_drops", (double)counters.drops[ESTAB_DROP_NO_MEMORY], 0);
    add(figures, "reply_queue_drops", (double)counters.drops[ESTAB_DROP_REPLY_QUEUE], 0);
}

/* ---- bounds ---- */

struct bound {
    const char *kind; /* NULL = every one */
    const char *figure;
    double low, high;
};

#define MOST 1e18

static const struct bound bounds[] = {
    {NULL, "legit_success", 0.95, 1},
    {"syn", "legit_success", 0.99, 1},
    {"rst", "legit_success", 0.99, 1},
    {"ack", "legit_success", 0.99, 1},
    {"ooo", "legit_success", 0.99, 1},
    {"sack", "legit_success", 0.99, 1},
    {"frag", "legit_success", 0.99, 1},
    {"sockstress", "legit_success", 0.99, 1},
    {"timewait", "legit_success", 0.99, 1},
    {NULL, "legit_rate_ratio", 0.5, 2}, /* who waits for 30 s hardly begins */
    {NULL, "legit_corrupt", 0, 0},
    {NULL, "streams_lost", 0, 0},
    {NULL, "half_open_bytes_high", 0, 1 << 20},
    {NULL, "cpu_decile_ratio", 0, 1.5},
    {NULL, "syn_acks_per_entry", 0, 4},
    {NULL, "challenge_acks_per_second_per_connection", 0, 2},
    {NULL, "storm_segments_per_second", 0, 4},
    {"syn", "setup_p99_ratio", 0, 3}, /* twice, and a round trip (V-34) */
    {"syn", "bytes_out_per_in", 0, 1.1},
    {"syn", "packets_out_per_in", 0, 1.01},     /* what the SYN cache sends again is in it */
    {"frag", "fragmented_success", 0.9, 1},     /* V-08 */
    {"ack", "storm_segments_per_second", 1, 4}, /* there was one */
    {"rst", "challenge_acks_per_second_per_connection", 1, 2},
};

static double value_of(const struct figures *figures, const char *name)
{
    for (unsigned i = 0; i < figures->count; i++) {
        if (strcmp(figures->figure[i].name, name) == 0) {
            return figures->figure[i].value;
        }
    }
    return MOST;
}

static int check(const struct figures *figures, const char *kind)
{
    int code = TOOL_OK;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        const struct bound *bound = &bounds[i];
        double value = value_of(figures, bound->figure);
        if ((bound->kind == NULL || strcmp(bound->kind, kind) == 0) &&
            (value < bound->low || value > bound->high)) {
            code = tool_fail("flood %s: %s is %.4f, not %g to %g", kind, bound->figure, value, bound->low,
                             bound->high);
        }
    }
    if (value_of(figures, "memory_high_bytes") > value_of(figures, "budget_bytes")) {
        code = tool_fail("flood %s: memory_high_bytes is over the budget", kind);
    }
    return code;
}

/* "160 161 159 ...": ns a packet of each decile. */
static void list_deciles(const struct flood_tally *tally, char *text, size_t size)
{
    size_t length = 0;
    for (unsigned i = 0; i < FLOOD_DECILES && length < size; i++) {
        length +=
            (size_t)snprintf(text + length, size - length, "%s%.0f", i > 0 ? " " : "", decile_ns(tally, i));
    }
}

static void print(const struct bench_settings *settings, const struct flood *flood,
                  const struct figures *figures)
{
    const struct flood_kind *kind = flood->setup->kind;
    char name[32];
    char deciles[128];
    if (!settings->json) {
        snprintf(name, sizeof name, "flood %s", kind->name);
        bench_report(settings, name, kind->what, figures->figure, figures->count);
        return;
    }
    json_begin(stdout);
    json_text(stdout, "bench", "flood");
    json_text(stdout, "kind", kind->name);
    json_text(stdout, "measured", kind->what);
    for (unsigned i = 0; i < figures->count; i++) {
        json_real(stdout, figures->figure[i].name, figures->figure[i].value, figures->figure[i].decimals);
    }
    list_deciles(&flood->tally, deciles, sizeof deciles);
    json_text(stdout, "ns_per_attack_packet_deciles", deciles);
    json_end(stdout);
    tool_flush();
}

int flood_report(const struct bench_settings *settings, const struct flood *flood, const struct flood *idle,
                 uint64_t real_ns)
{
    const struct flood_kind *kind = flood->setup->kind;
    struct figures figures = {.count = 0};
    struct estab_memory memory;
    estab_memory(flood->server, &memory);
    add_service(&figures, &flood->tally, &idle->tally);
    add(&figures, "legit_rate_ratio", ratio(rate(flood), rate(idle)), 3);
    add_memory(&figures, flood, &memory);
    add_cost(&figures, &flood->tally);
    add_reactions(&figures, flood);
    add(&figures, "simulated_seconds", (double)flood->setup->duration_ns / 1e9, 2);
    add(&figures, "idle_seconds", (double)idle->setup->duration_ns / 1e9, 2);
    add(&figures, "real_seconds", (double)real_ns / 1e9, 1);
    print(settings, flood, &figures);
    return settings->check ? check(&figures, kind->name) : TOOL_OK;
}
