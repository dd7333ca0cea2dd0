/*
 * The changing half of the hash table; looking up is inline in table.h.
 *
 * An entry stands at its home or behind it with no empty entry in between, counted around the end. That is
 * the one invariant: insertion takes the first empty entry from home on, removal moves later entries of the
 * run back into the hole as far as their homes allow. Homes grow with the hash, so a keyed hash spreads them
 * evenly over any capacity and a division is never needed.
 *
 * Knows nothing of the keys, and nothing of why an entry came or went.
 */
#include "base/table.h"

#include "base/assert.h"

static uint32_t place_after(const struct table *table, uint32_t place)
{
    return place + 1 == table->capacity ? 0 : place + 1;
}

/* How far `to` lies behind `from`, going forward and around the end. */
static uint32_t places_between(const struct table *table, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + (table->capacity - from);
}

void table_init(struct table *table, struct table_entry *entries, uint32_t capacity)
{
    ESTAB_ASSERT(capacity > 0);
    *table = (struct table){.entries = entries, .capacity = capacity};
    for (uint32_t place = 0; place < capacity; place++) {
        entries[place] = (struct table_entry){0, TABLE_NONE};
    }
}

void table_insert(struct table *table, uint32_t hash, uint32_t id)
{
    ESTAB_ASSERT(id != TABLE_NONE);
    /* One entry stays empty: it is what ends every walk. */
    ESTAB_ASSERT(table->count < table->capacity - 1);
    uint32_t place = table_home(table, hash);
    while (table->entries[place].id != TABLE_NONE) {
        place = place_after(table, place);
    }
    table->entries[place] = (struct table_entry){hash, id};
    table->count++;
}

static uint32_t find_entry(const struct table *table, uint32_t hash, uint32_t id)
{
    uint32_t place = table_home(table, hash);
    for (;;) {
        const struct table_entry *entry = &table->entries[place];
        ESTAB_ASSERT(entry->id != TABLE_NONE);
        if (entry->id == id && entry->hash == hash) {
            return place;
        }
        place = place_after(table, place);
    }
}

void table_remove(struct table *table, uint32_t hash, uint32_t id)
{
    ESTAB_ASSERT(id != TABLE_NONE);
    uint32_t hole = find_entry(table, hash, id);
    uint32_t place = hole;
    for (;;) {
        place = place_after(table, place);
        struct table_entry entry = table->entries[place];
        if (entry.id == TABLE_NONE) {
            break;
        }
        /* It may move into the hole unless its home lies behind the hole. */
        uint32_t home = table_home(table, entry.hash);
        if (places_between(table, home, place) >= places_between(table, hole, place)) {
            table->entries[hole] = entry;
            hole = place;
        }
    }
    table->entries[hole] = (struct table_entry){0, TABLE_NONE};
    table->count--;
}
