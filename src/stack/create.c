/*
 * A stack is made: its tables are carved out of the memory that it was given, the rest becomes blocks.
 * Records of connections and TIME-WAIT are not touched before they are used, so that a large budget costs
 * nothing until then.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "stack/stack.h"

#define LEAST_BLOCKS 4 /* below which no connection could carry data both ways */

/* Takes runs of 16-aligned bytes from a region; with a NULL base it only counts them. */
struct carver {
    uint8_t *base;
    size_t used;
};

static void *carve(struct carver *carver, uint64_t count, size_t size)
{
    size_t at = carver->used;
    carver->used += (size_t)((count * size + 15) & ~UINT64_C(15));
    return carver->base == NULL ? NULL : carver->base + at;
}

/* Entries of the table: two thirds full at most. */
static uint32_t table_capacity(const struct settings *s)
{
    return (uint32_t)(((uint64_t)s->max_connections + s->max_time_wait + s->max_half_open) * 3 / 2 + 2);
}

static struct ip_config ip_config_of(const struct settings *s, struct estab_counters *counters)
{
    return (struct ip_config){
        .ipv6 = s->ipv6,
        .ethernet = s->ethernet,
        .max_neighbours = s->max_neighbours,
        .replies_per_second = s->replies_per_second,
        .reply_places = s->reply_places,
        .fragment_bytes = s->fragment_bytes,
        .hop_limit = s->hop_limit,
        .counters = counters,
    };
}

struct plan {
    struct estab_stack *stack;
    void *ip, *conns, *heap, *positions, *entries, *time_waits, *half_opens, *bound, *replies, *trace;
};

static void carve_all(struct carver *carver, const struct settings *s, struct plan *plan)
{
    struct ip_config ip = ip_config_of(s, NULL);
    plan->stack = carve(carver, 1, sizeof(struct estab_stack));
    plan->ip = carve(carver, 1, ip_memory(&ip));
    plan->conns = carve(carver, s->max_connections, sizeof(struct conn));
    plan->heap = carve(carver, s->max_connections, sizeof(struct timers_entry));
    plan->positions = carve(carver, s->max_connections, sizeof(uint32_t));
    plan->entries = carve(carver, table_capacity(s), sizeof(struct table_entry));
    plan->time_waits = carve(carver, s->max_time_wait, sizeof(struct time_wait));
    plan->half_opens = carve(carver, s->max_half_open, sizeof(struct half_open));
    plan->bound = carve(carver, s->bound_heads, sizeof(uint32_t));
    plan->replies = carve(carver, s->max_replies, sizeof(struct reply));
    plan->trace = carve(carver, s->trace_records, sizeof(struct estab_trace));
}

/* The tables of a larger memory are larger, so the answer is looked for until it is enough for itself. */
size_t estab_memory_minimum(const struct estab_config *config)
{
    struct estab_config named = *config;
    named.max_connections = named.max_connections == 0 ? 1 : named.max_connections;
    size_t minimum = 0;
    for (;;) {
        struct settings settings;
        const char *what;
        struct carver carver = {0};
        struct plan plan;
        settings_fill(&settings, &named, minimum, &what);
        carve_all(&carver, &settings, &plan);
        size_t needed = carver.used + LEAST_BLOCKS * (size_t)settings.block_size;
        if (needed <= minimum) {
            return minimum;
        }
        minimum = needed;
    }
}

static struct siphash_key derive(const uint8_t secret[16], uint64_t purpose)
{
    struct siphash_key master = siphash_key_read(secret);
    uint64_t words[2] = {purpose, 0};
    struct siphash_key key;
    key.k0 = siphash24(&master, words, 2);
    words[1] = 1;
    key.k1 = siphash24(&master, words, 2);
    return key;
}

static void derive_table_key(struct flow_hash_key *key, const uint8_t secret[16])
{
    struct siphash_key source = derive(secret, 2);
    for (uint64_t i = 0; i <= FLOW_HASH_WORDS; i++) {
        key->k[i] = siphash24(&source, &i, 1);
    }
}

static void make(struct estab_stack *stack, const struct settings *settings, const struct plan *plan)
{
    memset(stack, 0, sizeof *stack);
    stack->settings = *settings;
    stack->conns = plan->conns;
    stack->time_waits = plan->time_waits;
    stack->half_opens = plan->half_opens;
    stack->bound = plan->bound;
    stack->replies = plan->replies;
    stack->conn_free = stack->time_wait_free = NONE;
    stack->output = stack->parked = stack->ready = (struct index_queue){NONE, NONE};
    stack->starved = stack->starved_shut = (struct index_queue){NONE, NONE};
    timers_init(&stack->timers, plan->heap, plan->positions, settings->max_connections);
    table_init(&stack->table, plan->entries, table_capacity(settings));
    time_waits_init(stack);
    half_opens_init(stack);
    ports_init(stack);
    trace_init(&stack->trace, plan->trace, settings->trace_records, &stack->counters.trace_lost);
    stack->tcp = (struct tcp_context){
        .pool = &stack->pool,
        .limits = &stack->settings.limits,
        .counters = &stack->counters,
        .trace = &stack->trace,
    };
}

estab_stack *estab_init(void *memory, size_t size, const struct estab_config *config, int *error,
                        const char **what)
{
    struct settings settings;
    const char *field = "memory";
    int result =
        ((uintptr_t)memory & 15) != 0 ? -ESTAB_EINVAL : settings_fill(&settings, config, size, &field);
    struct carver carver = {.base = memory};
    struct plan plan = {0};
    if (result == 0) {
        carve_all(&carver, &settings, &plan);
        field = "memory";
        result = carver.used + LEAST_BLOCKS * (size_t)settings.block_size > size ? -ESTAB_ENOBUFS : 0;
    }
    if (error != NULL) {
        *error = result;
    }
    if (what != NULL) {
        *what = result == 0 ? NULL : field;
    }
    if (result != 0) {
        return NULL;
    }
    make(plan.stack, &settings, &plan);
    plan.stack->isn_key = derive(config->secret, 1);
    derive_table_key(&plan.stack->table_key, config->secret);
    plan.stack->stamp_key = derive(config->secret, 6);
    plan.stack->port_key = derive(config->secret, 3);
    plan.stack->cookie_key = derive(config->secret, 5);
    plan.stack->budget = size;
    plan.stack->fixed = carver.used;
    pool_init(&plan.stack->pool, (uint8_t *)memory + carver.used, size - carver.used, settings.block_size);
    shed_init(plan.stack);
    struct ip_config ip = ip_config_of(&settings, &plan.stack->counters);
    ip.key = derive(config->secret, 4);
    plan.stack->ip = ip_create(plan.ip, &ip, &plan.stack->pool);
    return plan.stack;
}
