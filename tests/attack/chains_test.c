/*
 * Hash flooding (V-23, CVE-2023-1206): what a table's lookups cost, counted in steps, for flows that an
 * attacker has chosen offline to collide under hashes without a key, and for those that merely follow one
 * another. They are put into a whole stack as half-open connections, and the stack's own table is looked at.
 * Every set is compared with one of random flows: with a keyed hash there is no difference.
 */
#include "attack/bench.h"
#include "stack/stack.h"

#define FLOWS   (ESTAB_TEST_SLOW ? 4096u : 16384u)
#define SECRETS (ESTAB_TEST_SLOW ? 4u : 24u)
#define SERVICE 80

/* What one flow sends from. */
struct source {
    uint32_t host; /* of 10/8 */
    uint16_t port;
};

/* ---- sets of flows ---- */

/* The hash that Linux had for its table of connections before it got a key: a fold of addresses and ports. */
static uint32_t folded(const struct source *s)
{
    uint32_t h = (0x0a010001u ^ (0x0a000000u | s->host)) ^ ((uint32_t)SERVICE << 16 | s->port);
    return h ^ h >> 16 ^ h >> 8;
}

/* A multilinear hash as ours, with a key that everybody knows. */
static uint32_t published(const struct source *s)
{
    static const uint64_t k[] = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344),
                                 UINT64_C(0xa4093822299f31d0)};
    uint32_t words[2] = {0x0a000000u | s->host, (uint32_t)SERVICE << 16 | s->port};
    return (uint32_t)((k[0] + k[1] * words[0] + k[2] * words[1]) >> 32);
}

static struct source any_source(uint64_t *seed)
{
    return (struct source){0x200000 + roll(seed, 1u << 21), (uint16_t)(1 + roll(seed, 65535))};
}

/* The next that falls into the first 32nd of a table of that hash. */
static struct source collides(uint64_t *seed, uint32_t (*hash)(const struct source *))
{
    struct source s;
    do {
        s = any_source(seed);
    } while ((hash == folded ? hash(&s) & 0x1f : hash(&s) >> 27) != 0);
    return s;
}

enum set { RANDOM, FOLD_COLLIDES, PUBLISHED_COLLIDES, PORTS_IN_ORDER, HOSTS_IN_ORDER, BOTH_IN_STEPS, SETS };

static struct source source_of(enum set set, uint32_t i, uint64_t *seed)
{
    switch (set) {
    case FOLD_COLLIDES: return collides(seed, folded);
    case PUBLISHED_COLLIDES: return collides(seed, published);
    case PORTS_IN_ORDER: return (struct source){0x200001, (uint16_t)(1024 + i)};
    case HOSTS_IN_ORDER: return (struct source){0x200001 + i, 5000};
    case BOTH_IN_STEPS: return (struct source){0x200001 + (i >> 7) * 256, (uint16_t)(1024 + (i & 127) * 64)};
    default: return any_source(seed);
    }
}

/* ---- the table ---- */

struct cost {
    uint64_t entries, steps,
        misses;             /* steps of finding each entry, and of as many flows that are not there */
    uint32_t longest_chain; /* entries with one home, were there as many homes as entries */
};

static uint64_t steps_of_miss(const struct table *table, uint32_t hash)
{
    uint64_t steps = 1;
    for (uint32_t at = table_home(table, hash); table->entries[at].id != TABLE_NONE; steps++) {
        at = at + 1 == table->capacity ? 0 : at + 1;
    }
    return steps;
}

static struct cost cost_of(const struct table *table)
{
    struct cost cost = {.entries = table->count};
    uint32_t *chains = calloc(table->count, sizeof *chains);
    uint64_t seed = 77;
    for (uint32_t at = 0; at < table->capacity; at++) {
        const struct table_entry *entry = &table->entries[at];
        if (entry->id == TABLE_NONE) {
            continue;
        }
        uint32_t home = table_home(table, entry->hash);
        uint32_t bucket = (uint32_t)(((uint64_t)entry->hash * table->count) >> 32);
        cost.steps += (at >= home ? at - home : at + table->capacity - home) + 1;
        cost.misses += steps_of_miss(table, (uint32_t)next_random(&seed));
        chains[bucket]++;
        cost.longest_chain = chains[bucket] > cost.longest_chain ? chains[bucket] : cost.longest_chain;
    }
    free(chains);
    return cost;
}

static struct cost flooded(enum set set, uint8_t secret)
{
    struct bench *b = calloc(1, sizeof *b);
    struct estab_config config;
    uint64_t seed = secret;
    bench_config(&config, secret);
    config.max_connections = 4;
    config.max_time_wait = 1;
    config.max_half_open = FLOWS;
    config.cookies = NULL; /* all of them find room */
    bench_start(b, &config, 4 << 20);
    (void)bench_listen(b, SERVICE, 65535);
    while (b->stack->half_open_count < FLOWS) {
        for (uint32_t i = b->stack->half_open_count; i < FLOWS; i++) { /* random ones may come twice */
            struct source s = source_of(set, i, &seed);
            struct packet_fields f = {.from =
                                          estab_addr_ipv4(10, (uint8_t)(s.host >> 16), (uint8_t)(s.host >> 8),
                                                          (uint8_t)s.host, s.port),
                                      .to = bench_addr(false, SERVICE),
                                      .flags = SYN};
            bench_tcp(b, &f);
        }
        bench_flush(b);
    }
    struct cost cost = cost_of(&b->stack->table);
    bench_stop(b);
    free(b);
    return cost;
}

/* ---- the tests ---- */

/* The sets do collide where there is no key: all of them in a 32nd of the homes. */
static void chains_sets_collide_without_a_key(void **state)
{
    (void)state;
    uint64_t seed = 1;
    unsigned folds = 0;
    unsigned first = 0;
    for (unsigned i = 0; i < 1000; i++) {
        struct source a = source_of(FOLD_COLLIDES, i, &seed);
        struct source b = source_of(PUBLISHED_COLLIDES, i, &seed);
        folds += (folded(&a) & 0x1f) == 0;
        first += published(&b) >> 27 == 0;
    }
    assert_int_equal(folds, 1000);
    assert_int_equal(first, 1000);
}

/*
 * V-23: with a full table, over two dozen secrets: lookups take at most a tenth more steps than chance has,
 * and chains at load 1 are at most 8 long. Of 16384 balls in as many boxes one box has more than 8 in one
 * throw of fifty, so one table in twenty may have one, and none one of more than 10.
 */
static void chains_cannot_be_grown(void **state)
{
    (void)state;
    unsigned tables = 0;
    unsigned longer = 0;
    for (uint8_t secret = 1; secret <= SECRETS; secret++) {
        for (enum set set = RANDOM; set < SETS; set++) {
            struct cost cost = flooded(set, secret);
            assert_true(cost.entries >= FLOWS);
            assert_true(cost.longest_chain <= 10);
            assert_true(cost.steps * 10 <= 11 * 2 * cost.entries);  /* 2 steps is what chance takes, */
            assert_true(cost.misses * 10 <= 13 * 5 * cost.entries); /* 5 to find nothing, with more spread */
            longer += cost.longest_chain > 8;
            tables++;
        }
    }
    assert_true(longer * 20 <= tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_sets_collide_without_a_key),
        cmocka_unit_test(chains_cannot_be_grown),
    };
    return cmocka_run_group_tests_name("chains", tests, NULL, NULL);
}
