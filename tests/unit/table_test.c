/*
 * The hash table against a plain list: hashes that collide, runs that go around the end, capacities that are
 * no power of two, a table that is as full as it may be. After each step the one invariant is checked entry
 * by entry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/table.h"

enum { CAPACITY_MAX = 64 };

struct oracle {
    struct table_entry held[CAPACITY_MAX];
    uint32_t count;
};

static uint32_t random_state;

static uint32_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Each entry is found from its home on without an empty entry in between; there are `count` of them. */
static void check_invariant(const struct table *table)
{
    uint32_t filled = 0;
    for (uint32_t place = 0; place < table->capacity; place++) {
        if (table->entries[place].id == TABLE_NONE) {
            continue;
        }
        filled++;
        uint32_t home = table_home(table, table->entries[place].hash);
        for (uint32_t at = home; at != place; at = (at + 1) % table->capacity) {
            assert_int_not_equal(table->entries[at].id, TABLE_NONE);
        }
    }
    assert_int_equal(filled, table->count);
}

/* The walk over a hash gives exactly the ids that the oracle has for it, each once. */
static void check_walk(const struct table *table, const struct oracle *oracle, uint32_t hash)
{
    bool given[CAPACITY_MAX] = {false};
    uint32_t position = table_home(table, hash);
    uint32_t found = 0;
    for (;;) {
        uint32_t id = table_next(table, hash, &position);
        if (id == TABLE_NONE) {
            break;
        }
        uint32_t i = 0;
        while (i < oracle->count && (oracle->held[i].hash != hash || oracle->held[i].id != id || given[i])) {
            i++;
        }
        assert_true(i < oracle->count);
        given[i] = true;
        found++;
    }
    uint32_t expected = 0;
    for (uint32_t i = 0; i < oracle->count; i++) {
        expected += oracle->held[i].hash == hash;
    }
    assert_int_equal(found, expected);
}

/* Few different hashes, some with their home in the last entry, so that runs are long and go around. */
static uint32_t choose_hash(unsigned kind)
{
    uint32_t r = random_next();
    switch (kind) {
    case 0: return r;
    case 1: return (r % 5) * 0x33333333u;
    case 2: return UINT32_MAX - r % 3;
    default: return (r & 1) != 0 ? UINT32_MAX : r / 2 % 2;
    }
}

static void run_random(uint32_t capacity, unsigned kind)
{
    struct table_entry entries[CAPACITY_MAX];
    struct table table;
    struct oracle oracle = {.count = 0};
    uint32_t next_id = 0;
    bool was_full = false;
    table_init(&table, entries, capacity);
    for (unsigned step = 0; step < 1500; step++) {
        bool grow = random_next() % 16 < (step / 250 % 2 == 0 ? 11u : 5u);
        uint32_t touched;
        if (grow && oracle.count < capacity - 1) {
            touched = choose_hash(kind);
            oracle.held[oracle.count++] = (struct table_entry){touched, next_id};
            table_insert(&table, touched, next_id++);
        } else if (oracle.count > 0) {
            uint32_t victim = random_next() % oracle.count;
            touched = oracle.held[victim].hash;
            table_remove(&table, touched, oracle.held[victim].id);
            oracle.held[victim] = oracle.held[--oracle.count];
        } else {
            continue;
        }
        was_full = was_full || oracle.count == capacity - 1;
        assert_int_equal(table.count, oracle.count);
        check_invariant(&table);
        check_walk(&table, &oracle, touched);
        check_walk(&table, &oracle, choose_hash(kind));
    }
    assert_true(was_full);
    for (uint32_t i = 0; i < oracle.count; i++) {
        check_walk(&table, &oracle, oracle.held[i].hash);
    }
}

static void random_steps_match_a_plain_list(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {2, 3, 7, 16, 31, 64};
    random_state = 20240607;
    for (unsigned kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
            run_random(capacities[i], kind);
        }
    }
}

static void table_empty_finds_nothing(void **state)
{
    (void)state;
    struct table_entry entries[3];
    struct table table;
    memset(entries, 0, sizeof(entries));
    table_init(&table, entries, 3);
    static const uint32_t hashes[] = {0, 1, 0x55555555, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < 5; i++) {
        uint32_t position = table_home(&table, hashes[i]);
        assert_true(position < 3);
        assert_int_equal(table_next(&table, hashes[i], &position), TABLE_NONE);
    }
}

static void home_spreads_evenly_over_any_capacity(void **state)
{
    (void)state;
    struct table_entry entries[7];
    struct table table;
    uint32_t hits[7] = {0};
    table_init(&table, entries, 7);
    for (uint32_t i = 0; i < 7000; i++) {
        hits[table_home(&table, (uint32_t)(i * (UINT64_C(1) << 32) / 7000))]++;
    }
    for (unsigned i = 0; i < 7; i++) {
        assert_in_range(hits[i], 999, 1001);
    }
}

static void remove_at_the_end_pulls_entries_around(void **state)
{
    (void)state;
    struct table_entry entries[5];
    struct table table;
    table_init(&table, entries, 5);
    table_insert(&table, UINT32_MAX, 10);     /* home 4 */
    table_insert(&table, UINT32_MAX, 11);     /* goes around to 0 */
    table_insert(&table, 0, 12);              /* home 0, stands at 1 */
    table_insert(&table, UINT32_MAX / 5 + 9, 13); /* home 1, stands at 2 */
    assert_int_equal(table.entries[0].id, 11);
    assert_int_equal(table.entries[1].id, 12);
    assert_int_equal(table.entries[2].id, 13);
    table_remove(&table, UINT32_MAX, 10);
    assert_int_equal(table.entries[4].id, 11);
    assert_int_equal(table.entries[0].id, 12);
    assert_int_equal(table.entries[1].id, 13);
    assert_int_equal(table.entries[2].id, TABLE_NONE);
    assert_int_equal(table.count, 3);
}

static void remove_same_hash_takes_the_given_id(void **state)
{
    (void)state;
    struct table_entry entries[8];
    struct table table;
    struct oracle oracle = {.count = 0};
    table_init(&table, entries, 8);
    for (uint32_t id = 0; id < 7; id++) {
        table_insert(&table, 77, id);
        oracle.held[oracle.count++] = (struct table_entry){77, id};
    }
    static const uint32_t order[] = {3, 0, 6, 1, 5, 2, 4};
    for (size_t i = 0; i < 7; i++) {
        table_remove(&table, 77, order[i]);
        for (uint32_t j = 0; j < oracle.count; j++) {
            if (oracle.held[j].id == order[i]) {
                oracle.held[j] = oracle.held[--oracle.count];
                break;
            }
        }
        check_invariant(&table);
        check_walk(&table, &oracle, 77);
    }
    assert_int_equal(table.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_empty_finds_nothing),
        cmocka_unit_test(home_spreads_evenly_over_any_capacity),
        cmocka_unit_test(remove_at_the_end_pulls_entries_around),
        cmocka_unit_test(remove_same_hash_takes_the_given_id),
        cmocka_unit_test(random_steps_match_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
