/*
 * Reassembly (RFC 791 3.2, RFC 8200 4.5) without anything to walk: one slot a datagram, one bit a unit of
 * eight bytes. Any overlap condemns the whole datagram, IPv4's too (RFC 5722 4), and what may still come of
 * it is refused until its time is up; only exact duplicates are let pass. Nobody gets more than half of the
 * slots; who wants more loses his own oldest, and where all are taken the oldest of all goes (V-07, V-08).
 * DEVIATION from RFC 8200 4.5: 15 s instead of 60 s, and no ICMP Time Exceeded when they are over: memory
 * that an attacker can hold for so long is worth more than a message to senders that hardly read it. This
 * file must not know interfaces or what the datagrams carry.
 */
#include "ip/fragments.h"

#include "base/assert.h"

#define UNIT         8u
#define ECN_CE       3u

struct fragment_slot {
    struct ip_datagram header; /* of the first fragment, until then of any */
    uint64_t expires;
    uint64_t born;     /* counts slots taken: the order of age */
    uint32_t received; /* bytes; no two fragments overlap, so equal to `total` means whole */
    uint32_t total;    /* 0 = the last fragment is missing */
    uint32_t highest;  /* end of the last byte that is there */
    uint8_t ecn_seen;  /* bit i: a fragment with the ECN field i */
    bool used;
    bool refused; /* overlapped or did not fit */
    uint8_t *data;
    uint64_t *have;   /* a bit for each unit that is there */
    uint64_t *starts; /* a bit for each unit that a fragment began with */
};

struct fragments {
    uint64_t born;
    uint64_t shed;   /* datagrams that gave way */
    uint32_t count;  /* slots */
    uint32_t active; /* of them in use */
    uint32_t slot_size;
    uint32_t map_words;
    struct fragment_slot slots[];
};

/* ---- memory ---- */

/* Four slots where they can be had, then larger ones, then more of them. */
static uint32_t slot_size(uint32_t budget)
{
    uint32_t size = budget / 4 / 512 * 512;
    if (size < FRAGMENT_SLOT_MIN) {
        return FRAGMENT_SLOT_MIN;
    }
    return size > FRAGMENT_SLOT_MAX ? FRAGMENT_SLOT_MAX : size;
}

static uint32_t slot_count(uint32_t budget)
{
    uint32_t count = budget / slot_size(budget);
    return count > FRAGMENT_SLOTS ? FRAGMENT_SLOTS : count;
}

static uint32_t map_words(uint32_t budget)
{
    return (slot_size(budget) / UNIT + 63) / 64;
}

size_t fragments_memory(uint32_t budget)
{
    size_t each = sizeof(struct fragment_slot) + slot_size(budget) + 2 * map_words(budget) * sizeof(uint64_t);
    return slot_count(budget) > 0 ? sizeof(struct fragments) + slot_count(budget) * each : 0;
}

struct fragments *fragments_create(void *memory, uint32_t budget)
{
    struct fragments *f = memory;
    ESTAB_ASSERT(slot_count(budget) > 0);
    memset(f, 0, sizeof(*f));
    f->count = slot_count(budget);
    f->slot_size = slot_size(budget);
    f->map_words = map_words(budget);
    uint64_t *maps = (uint64_t *)(void *)&f->slots[f->count];
    uint8_t *data = (uint8_t *)(maps + (size_t)f->count * 2 * f->map_words);
    for (uint32_t i = 0; i < f->count; i++) {
        struct fragment_slot *slot = &f->slots[i];
        memset(slot, 0, sizeof(*slot));
        slot->have = maps + (size_t)i * 2 * f->map_words;
        slot->starts = slot->have + f->map_words;
        slot->data = data + (size_t)i * f->slot_size;
    }
    return f;
}

/* ---- bits [from, to) of a map ---- */

static uint64_t word_mask(uint32_t word, uint32_t from, uint32_t to)
{
    uint32_t base = word * 64;
    uint64_t mask = UINT64_MAX;
    if (from > base) {
        mask &= UINT64_MAX << (from - base);
    }
    if (to < base + 64) {
        mask &= (1ull << (to - base)) - 1;
    }
    return mask;
}

static bool bits_any(const uint64_t *map, uint32_t from, uint32_t to)
{
    for (uint32_t word = from / 64; word * 64 < to; word++) {
        if ((map[word] & word_mask(word, from, to)) != 0) {
            return true;
        }
    }
    return false;
}

static bool bits_all(const uint64_t *map, uint32_t from, uint32_t to)
{
    for (uint32_t word = from / 64; word * 64 < to; word++) {
        uint64_t mask = word_mask(word, from, to);
        if ((map[word] & mask) != mask) {
            return false;
        }
    }
    return true;
}

static void bits_set(uint64_t *map, uint32_t from, uint32_t to)
{
    for (uint32_t word = from / 64; word * 64 < to; word++) {
        map[word] |= word_mask(word, from, to);
    }
}

/* ---- slots ---- */

static void slot_free(struct fragments *f, struct fragment_slot *slot)
{
    slot->used = false;
    f->active--;
}

/* Fragments of one datagram agree in these (RFC 791 3.2; RFC 8200 4.5 leaves the protocol out). */
static bool same_datagram(const struct ip_datagram *a, const struct ip_datagram *b)
{
    return a->id == b->id && (a->is_v6 || a->protocol == b->protocol) &&
           ip_addr_eq(&a->source, &b->source) && ip_addr_eq(&a->destination, &b->destination);
}

static struct fragment_slot *slot_find(struct fragments *f, const struct ip_datagram *datagram)
{
    for (uint32_t i = 0; f->active > 0 && i < f->count; i++) {
        if (f->slots[i].used && same_datagram(&f->slots[i].header, datagram)) {
            return &f->slots[i];
        }
    }
    return NULL;
}

/* A slot for a new datagram of `source`: a free one unless the source has its share, else the oldest. */
static struct fragment_slot *slot_make_room(struct fragments *f, const struct ip_addr *source)
{
    struct fragment_slot *free_slot = NULL;
    struct fragment_slot *oldest = &f->slots[0]; /* counts only where no slot is free */
    struct fragment_slot *oldest_own = NULL;
    uint32_t own = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        struct fragment_slot *slot = &f->slots[i];
        if (!slot->used) {
            free_slot = slot;
            continue;
        }
        if (slot->born < oldest->born) {
            oldest = slot;
        }
        if (ip_addr_eq(&slot->header.source, source)) {
            own++;
            oldest_own = oldest_own == NULL || slot->born < oldest_own->born ? slot : oldest_own;
        }
    }
    bool has_share = oldest_own != NULL && own >= (f->count + 1) / 2;
    if (free_slot != NULL && !has_share) {
        return free_slot;
    }
    oldest = has_share ? oldest_own : oldest;
    f->shed++;
    slot_free(f, oldest);
    return oldest;
}

static struct fragment_slot *slot_open(struct fragments *f, uint64_t now, const struct ip_datagram *datagram)
{
    struct fragment_slot *slot = slot_make_room(f, &datagram->source);
    slot->header = *datagram;
    slot->header.payload = NULL;
    slot->expires = now + FRAGMENT_TIMEOUT_NS;
    slot->born = f->born++;
    slot->received = 0;
    slot->total = 0;
    slot->highest = 0;
    slot->ecn_seen = 0;
    slot->refused = false;
    slot->used = true;
    memset(slot->have, 0, 2 * f->map_words * sizeof(uint64_t));
    f->active++;
    return slot;
}

/* ---- one fragment ---- */

/*
 * A fragment that could be one of a datagram (teardrop). That none ends beyond the largest datagram (ping of
 * death) the parsers of both headers have seen to.
 */
static bool plausible(const struct ip_datagram *datagram)
{
    return datagram->length > 0 && (!datagram->more_fragments || datagram->length % UNIT == 0);
}

/* The same fragment once more, byte for byte (RFC 8200 4.5 lets it be ignored). */
static bool is_duplicate(const struct fragments *f, const struct fragment_slot *slot,
                         const struct ip_datagram *datagram)
{
    uint32_t end = datagram->fragment_offset + datagram->length;
    uint32_t from = datagram->fragment_offset / UNIT;
    uint32_t to = (end + UNIT - 1) / UNIT;
    bool ends_there =
        to == f->map_words * 64 || !bits_any(slot->have, to, to + 1) || bits_any(slot->starts, to, to + 1);
    return bits_all(slot->have, from, to) && bits_any(slot->starts, from, from + 1) &&
           !bits_any(slot->starts, from + 1, to) && ends_there &&
           (slot->total == end) == !datagram->more_fragments && end <= slot->highest &&
           memcmp(slot->data + datagram->fragment_offset, datagram->payload, datagram->length) == 0;
}

/* The end of the datagram and what is beyond it contradict each other. */
static bool contradicts_total(const struct fragment_slot *slot, const struct ip_datagram *datagram)
{
    uint32_t end = datagram->fragment_offset + datagram->length;
    if (!datagram->more_fragments) {
        return slot->total != 0 || slot->highest > end;
    }
    return slot->total != 0 && end >= slot->total;
}

static void store(struct fragment_slot *slot, const struct ip_datagram *datagram)
{
    uint32_t end = datagram->fragment_offset + datagram->length;
    uint32_t from = datagram->fragment_offset / UNIT;
    memcpy(slot->data + datagram->fragment_offset, datagram->payload, datagram->length);
    bits_set(slot->have, from, (end + UNIT - 1) / UNIT);
    bits_set(slot->starts, from, from + 1);
    slot->received += datagram->length;
    slot->ecn_seen |= (uint8_t)(1u << (datagram->traffic_class & 3));
    if (end > slot->highest) {
        slot->highest = end;
    }
    if (!datagram->more_fragments) {
        slot->total = end;
    }
    if (datagram->fragment_offset == 0) {
        slot->header = *datagram; /* its next header and its hop limit count (RFC 8200 4.5) */
        slot->header.payload = NULL;
    }
}

/* The whole datagram as if it had come in one packet; false where RFC 3168 5.3 wants it dropped. */
static bool deliver(struct fragment_slot *slot, struct ip_datagram *datagram)
{
    *datagram = slot->header;
    datagram->payload = slot->data;
    datagram->length = slot->total;
    datagram->is_fragment = false;
    datagram->more_fragments = false;
    if ((slot->ecn_seen & (1u << ECN_CE)) != 0) {
        datagram->traffic_class |= ECN_CE;
        return (slot->ecn_seen & 1u) == 0;
    }
    return true;
}

enum fragment_result fragments_input(struct fragments *f, uint64_t now, struct ip_datagram *datagram)
{
    fragments_tick(f, now);
    if (!plausible(datagram)) {
        return FRAGMENT_DROPPED;
    }
    uint32_t end = datagram->fragment_offset + datagram->length;
    struct fragment_slot *slot = slot_find(f, datagram);
    if (slot == NULL && end <= f->slot_size) {
        slot = slot_open(f, now, datagram);
    }
    if (slot == NULL) {
        return FRAGMENT_DROPPED;
    }
    if (slot->refused || end > f->slot_size) {
        slot->refused = true;
        return FRAGMENT_DROPPED;
    }
    if (bits_any(slot->have, datagram->fragment_offset / UNIT, (end + UNIT - 1) / UNIT)) {
        slot->refused = !is_duplicate(f, slot, datagram);
        return FRAGMENT_DROPPED;
    }
    if (contradicts_total(slot, datagram)) {
        slot->refused = true;
        return FRAGMENT_DROPPED;
    }
    store(slot, datagram);
    if (slot->received != slot->total) {
        return FRAGMENT_KEPT;
    }
    slot_free(f, slot);
    return deliver(slot, datagram) ? FRAGMENT_COMPLETE : FRAGMENT_DROPPED;
}

/* ---- time and invariants ---- */

void fragments_tick(struct fragments *f, uint64_t now)
{
    for (uint32_t i = 0; f->active > 0 && i < f->count; i++) {
        if (f->slots[i].used && f->slots[i].expires <= now) {
            slot_free(f, &f->slots[i]);
        }
    }
}

uint64_t fragments_next_deadline(const struct fragments *f)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; f->active > 0 && i < f->count; i++) {
        if (f->slots[i].used && f->slots[i].expires < next) {
            next = f->slots[i].expires;
        }
    }
    return next;
}

struct fragments_use fragments_use(const struct fragments *f)
{
    return (struct fragments_use){
        .bytes = (size_t)f->active * f->slot_size,
        .bytes_max = (size_t)f->count * f->slot_size,
        .shed = f->shed,
    };
}

const char *fragments_check(const struct fragments *f)
{
    uint32_t active = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct fragment_slot *slot = &f->slots[i];
        if (!slot->used) {
            continue;
        }
        active++;
        if (slot->received > slot->highest || slot->highest > f->slot_size) {
            return "fragments: what is there fits into the slot";
        }
        if (slot->total != 0 && (slot->received >= slot->total || slot->highest > slot->total)) {
            return "fragments: a slot that is whole is handed up";
        }
    }
    return active == f->active ? NULL : "fragments: the slots in use are counted";
}
