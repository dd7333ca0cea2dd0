/*
 * A hash table from a keyed 32-bit hash to a 32-bit id: open addressing, linear probing, removal by shifting
 * back, so there are no tombstones and no chains to walk. It holds no keys: the caller compares the candidate
 * that a hash finds. Ids are connection or TIME-WAIT indexes; an entry is 8 bytes. Its capacity is fixed at
 * creation and may be any number from 1 up. A removal moves entries: a walk that was under way has to start
 * again.
 */
#ifndef ESTAB_BASE_TABLE_H
#define ESTAB_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_NONE UINT32_MAX

struct table_entry {
    uint32_t hash;
    uint32_t id; /* TABLE_NONE: empty */
};

struct table {
    struct table_entry *entries;
    uint32_t capacity;
    uint32_t count;
};

/* entries: capacity entries; at most capacity - 1 of them may ever be filled (asserted). */
void table_init(struct table *table, struct table_entry *entries, uint32_t capacity);
void table_insert(struct table *table, uint32_t hash, uint32_t id);

/* Removes the entry with this hash and id, which must be there (asserted). */
void table_remove(struct table *table, uint32_t hash, uint32_t id);

/*
 * Walks the entries with this hash: start with *position = table_home(), call until TABLE_NONE comes back.
 * Each call gives the next id whose stored hash is equal.
 */
static inline uint32_t table_home(const struct table *table, uint32_t hash)
{
    return (uint32_t)(((uint64_t)hash * table->capacity) >> 32);
}

static inline uint32_t table_next(const struct table *table, uint32_t hash, uint32_t *position)
{
    for (;;) {
        const struct table_entry *entry = &table->entries[*position];
        if (entry->id == TABLE_NONE) {
            return TABLE_NONE;
        }
        *position = *position + 1 == table->capacity ? 0 : *position + 1;
        if (entry->hash == hash) {
            return entry->id;
        }
    }
}

static inline void table_prefetch(const struct table *table, uint32_t hash)
{
    __builtin_prefetch(&table->entries[table_home(table, hash)]);
}

#endif
