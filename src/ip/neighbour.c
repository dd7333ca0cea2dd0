/*
 * The neighbour table, one for ARP (RFC 826, RFC 1122 2.3.2) and IPv6 neighbour discovery (RFC 4861 7.3): who
 * is asked for, who answered, whom TCP has confirmed. Each entry stands in the list of its state, oldest
 * first; as every state has one constant timeout, the head of a list is the next that is due, and no timer
 * costs more than its own list operation. Lookups go by a keyed hash.
 *
 * The table is bounded and sheds in this order (RFC 6583, V-50): who failed, who is asked for, who was not
 * used, who was used longest ago. Those that are asked for never hold more than half of it, so that a scan
 * cannot push out neighbours that answer. What an unasked message claims is never believed against a known
 * address: it only makes us ask again. This file knows no packet format.
 */
#include "ip/host.h"

#define ASK_INTERVAL_NS SECOND_NS         /* RFC 4861 10: RETRANS_TIMER */
#define ASK_TRIES       3u                /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define REACHABLE_NS    (30u * SECOND_NS) /* REACHABLE_TIME */
#define DELAY_NS        (5u * SECOND_NS)  /* DELAY_FIRST_PROBE_TIME */
#define FAILED_NS       SECOND_NS         /* how long "did not answer" is given as an answer */
#define SETTLE_NS       SECOND_NS
#define TICK_BUDGET     64u
#define LEARN_SEARCH    8u
#define ANSWERS_MAX     (IP_MAX_REPLIES * 3u / 4u) /* so that others' questions leave room for ours */

/* ---- lists ---- */

static unsigned list_of(unsigned state)
{
    return state == NEIGHBOUR_REACHABLE ? NEIGHBOUR_STALE : state;
}

static void list_remove(struct neighbours *n, uint16_t index)
{
    struct neighbour *entry = &n->entries[index];
    struct neighbour_list *list = &n->lists[list_of(entry->state)];
    if (entry->previous == IP_NO_NEIGHBOUR) {
        list->head = entry->next;
    } else {
        n->entries[entry->previous].next = entry->next;
    }
    if (entry->next == IP_NO_NEIGHBOUR) {
        list->tail = entry->previous;
    } else {
        n->entries[entry->next].previous = entry->previous;
    }
    list->count--;
}

static void list_append(struct neighbours *n, uint16_t index, unsigned state)
{
    struct neighbour *entry = &n->entries[index];
    struct neighbour_list *list = &n->lists[list_of(state)];
    entry->state = (uint8_t)state;
    entry->next = IP_NO_NEIGHBOUR;
    entry->previous = list->tail;
    if (list->tail == IP_NO_NEIGHBOUR) {
        list->head = index;
    } else {
        n->entries[list->tail].next = index;
    }
    list->tail = index;
    list->count++;
}

/* To the end of a state's list, with its time. */
static void enter(struct neighbours *n, uint16_t index, unsigned state, uint64_t when)
{
    list_remove(n, index);
    list_append(n, index, state);
    n->entries[index].when = when;
}

/* ---- creation and lookup ---- */

static uint32_t table_capacity(uint32_t capacity)
{
    return capacity + capacity / 2 + 1;
}

size_t neighbours_memory(uint32_t capacity)
{
    return sizeof(struct neighbours) + capacity * sizeof(struct neighbour) +
           IP_MAX_REPLIES * sizeof(struct link_message) +
           table_capacity(capacity) * sizeof(struct table_entry);
}

struct neighbours *neighbours_create(void *memory, uint32_t capacity)
{
    struct neighbours *n = memory;
    memset(n, 0, sizeof(*n));
    n->capacity = capacity;
    n->settle_at = UINT64_MAX;
    n->entries = (struct neighbour *)(void *)(n + 1);
    n->messages = (struct link_message *)(void *)(n->entries + capacity);
    table_init(&n->table, (struct table_entry *)(void *)(n->messages + IP_MAX_REPLIES),
               table_capacity(capacity));
    memset(n->entries, 0, capacity * sizeof(n->entries[0]));
    for (unsigned i = 0; i < NEIGHBOUR_LISTS; i++) {
        n->lists[i] = (struct neighbour_list){IP_NO_NEIGHBOUR, IP_NO_NEIGHBOUR, 0};
    }
    for (uint32_t i = 0; i < capacity; i++) {
        list_append(n, (uint16_t)i, NEIGHBOUR_FREE);
    }
    return n;
}

static uint32_t neighbour_hash(const struct ip_host *ip, uint32_t interface, const struct ip_addr *address)
{
    return (uint32_t)host_hash(ip, address, 0x6e656967u + ((uint64_t)interface << 32));
}

uint16_t neighbour_find(const struct ip_host *ip, uint32_t interface, const struct ip_addr *address)
{
    const struct neighbours *n = ip->neighbours;
    uint32_t hash = neighbour_hash(ip, interface, address);
    uint32_t position = table_home(&n->table, hash);
    uint32_t id;
    while ((id = table_next(&n->table, hash, &position)) != TABLE_NONE) {
        if (n->entries[id].interface == interface && ip_addr_eq(&n->entries[id].address, address)) {
            return (uint16_t)id;
        }
    }
    return IP_NO_NEIGHBOUR;
}

/* ---- room ---- */

static uint32_t unresolved_count(const struct neighbours *n)
{
    return n->lists[NEIGHBOUR_INCOMPLETE].count + n->lists[NEIGHBOUR_FAILED].count;
}

static uint32_t unresolved_limit(const struct neighbours *n)
{
    return n->capacity > 1 ? n->capacity / 2 : 1;
}

/*
 * Takes the entry away from its neighbour. Connections that wait for one that was asked for are told so by
 * and by, not at once: if there are more of them than entries, trying again at once would never end.
 */
static void evict(struct ip_host *ip, uint64_t now, uint16_t index)
{
    struct neighbours *n = ip->neighbours;
    struct neighbour *entry = &n->entries[index];
    if (entry->state == NEIGHBOUR_INCOMPLETE && n->settle_at == UINT64_MAX) {
        n->settle_at = now + SETTLE_NS;
    }
    table_remove(&n->table, neighbour_hash(ip, entry->interface, &entry->address), index);
    entry->generation++;
    if (entry->generation == 0) {
        host_changed(ip); /* paths of 65536 neighbours ago would look valid again */
    }
    enter(n, index, NEIGHBOUR_FREE, 0);
}

static uint16_t oldest_unresolved(const struct neighbours *n)
{
    uint16_t failed = n->lists[NEIGHBOUR_FAILED].head;
    return failed != IP_NO_NEIGHBOUR ? failed : n->lists[NEIGHBOUR_INCOMPLETE].head;
}

/* The first neighbour that was not used since this passed by last; who was used gets a second chance. */
static uint16_t oldest_resolved(struct neighbours *n)
{
    struct neighbour_list *list = &n->lists[NEIGHBOUR_STALE];
    for (uint32_t left = list->count; left > 0; left--) {
        uint16_t index = list->head;
        struct neighbour *entry = &n->entries[index];
        if (!entry->used) {
            return index;
        }
        entry->used = false;
        enter(n, index, entry->state, entry->when);
    }
    return list->head;
}

/* An entry for somebody we want to send to. IP_NO_NEIGHBOUR where all are static. */
static uint16_t make_room_wanted(struct ip_host *ip, uint64_t now)
{
    struct neighbours *n = ip->neighbours;
    uint16_t index = n->lists[NEIGHBOUR_FREE].head;
    if (index != IP_NO_NEIGHBOUR && unresolved_count(n) < unresolved_limit(n)) {
        return index;
    }
    index = oldest_unresolved(n);
    if (index == IP_NO_NEIGHBOUR) {
        index = oldest_resolved(n);
    }
    if (index == IP_NO_NEIGHBOUR) {
        index = n->lists[NEIGHBOUR_DELAY].head;
    }
    if (index == IP_NO_NEIGHBOUR) {
        index = n->lists[NEIGHBOUR_PROBE].head;
    }
    if (index != IP_NO_NEIGHBOUR) {
        evict(ip, now, index);
    }
    return index;
}

/* An entry for somebody who made itself known: nobody in use has to go for it. */
static uint16_t make_room_learnt(struct ip_host *ip, uint64_t now)
{
    struct neighbours *n = ip->neighbours;
    uint16_t index = n->lists[NEIGHBOUR_FREE].head;
    if (index != IP_NO_NEIGHBOUR) {
        return index;
    }
    index = n->lists[NEIGHBOUR_FAILED].head;
    if (index == IP_NO_NEIGHBOUR) {
        index = n->lists[NEIGHBOUR_STALE].head;
        for (unsigned i = 0; i < LEARN_SEARCH && index != IP_NO_NEIGHBOUR && n->entries[index].used; i++) {
            index = n->entries[index].next;
        }
    }
    if (index == IP_NO_NEIGHBOUR || n->entries[index].used) {
        return IP_NO_NEIGHBOUR;
    }
    evict(ip, now, index);
    return index;
}

static void fill(struct ip_host *ip, uint16_t index, uint32_t interface, const struct ip_addr *address)
{
    struct neighbours *n = ip->neighbours;
    struct neighbour *entry = &n->entries[index];
    entry->address = *address;
    entry->interface = (uint8_t)interface;
    entry->tries = 0;
    entry->used = false;
    memset(&entry->mac, 0, sizeof(entry->mac));
    table_insert(&n->table, neighbour_hash(ip, interface, address), index);
}

/* ---- asking ---- */

bool link_message_add(struct ip_host *ip, const struct link_message *message)
{
    struct neighbours *n = ip->neighbours;
    unsigned room = message->kind == LINK_ANSWER ? ANSWERS_MAX : IP_MAX_REPLIES;
    if (n->message_count >= room) {
        return false;
    }
    n->messages[(n->message_first + n->message_count) % IP_MAX_REPLIES] = *message;
    n->message_count++;
    return true;
}

bool link_message_take(struct ip_host *ip, struct link_message *message)
{
    struct neighbours *n = ip->neighbours;
    if (n->message_count == 0) {
        return false;
    }
    *message = n->messages[n->message_first];
    n->message_first = (uint16_t)((n->message_first + 1u) % IP_MAX_REPLIES);
    n->message_count--;
    return true;
}

/* A question that finds no room is lost like one on the wire: the next try follows. */
static void ask(struct ip_host *ip, uint64_t now, uint16_t index, unsigned state)
{
    struct neighbour *entry = &ip->neighbours->entries[index];
    struct link_message message = {
        .kind = LINK_ASK, .interface = entry->interface, .address = entry->address};
    message.to_one = entry->state == NEIGHBOUR_DELAY; /* the first probe; later ones ask everybody */
    message.mac = entry->mac;
    entry->tries = entry->state == state ? (uint8_t)(entry->tries + 1) : 1;
    enter(ip->neighbours, index, state, now + ASK_INTERVAL_NS);
    (void)link_message_add(ip, &message);
}

uint16_t neighbour_want(struct ip_host *ip, uint64_t now, uint32_t interface, const struct ip_addr *address)
{
    uint16_t index = neighbour_find(ip, interface, address);
    if (index != IP_NO_NEIGHBOUR) {
        return index;
    }
    index = make_room_wanted(ip, now);
    if (index != IP_NO_NEIGHBOUR) {
        fill(ip, index, interface, address);
        ask(ip, now, index, NEIGHBOUR_INCOMPLETE);
    }
    return index;
}

enum ip_path_state neighbour_resolve(struct ip_host *ip, uint64_t now, uint16_t index)
{
    struct neighbour *entry = &ip->neighbours->entries[index];
    if (!entry->used) {
        entry->used = true;
    }
    switch (entry->state) {
    case NEIGHBOUR_REACHABLE:
        if (now - entry->when >= REACHABLE_NS) {
            enter(ip->neighbours, index, NEIGHBOUR_DELAY, now + DELAY_NS);
        }
        return IP_PATH_READY;
    case NEIGHBOUR_STALE: enter(ip->neighbours, index, NEIGHBOUR_DELAY, now + DELAY_NS); return IP_PATH_READY;
    case NEIGHBOUR_FAILED:
        if (now - entry->when < FAILED_NS) {
            return IP_PATH_FAILED;
        }
        ask(ip, now, index, NEIGHBOUR_INCOMPLETE);
        return IP_PATH_WAIT;
    case NEIGHBOUR_INCOMPLETE: return IP_PATH_WAIT;
    default: return IP_PATH_READY;
    }
}

/* ---- hearing ---- */

static void reachable(struct ip_host *ip, uint64_t now, uint16_t index)
{
    struct neighbour *entry = &ip->neighbours->entries[index];
    if (entry->state == NEIGHBOUR_INCOMPLETE || entry->state == NEIGHBOUR_FAILED) {
        ip->settled = true;
    }
    enter(ip->neighbours, index, NEIGHBOUR_REACHABLE, now);
}

void neighbour_confirm(struct ip_host *ip, uint64_t now, uint16_t index)
{
    struct neighbour *entry = &ip->neighbours->entries[index];
    switch (entry->state) {
    case NEIGHBOUR_REACHABLE: entry->when = now; break;
    case NEIGHBOUR_STALE:
    case NEIGHBOUR_DELAY:
    case NEIGHBOUR_PROBE: reachable(ip, now, index); break;
    default: break;
    }
}

/*
 * Somebody claims an address that we know elsewhere. It may have moved, or somebody lies: whoever answers the
 * question says, and TCP's progress counts as an answer of the old one. At most one question a second.
 */
static void doubt(struct ip_host *ip, uint64_t now, uint16_t index)
{
    struct neighbour *entry = &ip->neighbours->entries[index];
    bool fresh = entry->state == NEIGHBOUR_REACHABLE && now - entry->when < SECOND_NS;
    if (!fresh && entry->state != NEIGHBOUR_PROBE) {
        entry->tries = 0;
        enter(ip->neighbours, index, NEIGHBOUR_PROBE, now);
        ask(ip, now, index, NEIGHBOUR_PROBE);
    }
}

void neighbour_learn(struct ip_host *ip, uint64_t now, const struct neighbour_claim *claim)
{
    struct neighbours *n = ip->neighbours;
    uint16_t index = neighbour_find(ip, claim->interface, claim->address);
    if (index == IP_NO_NEIGHBOUR) {
        index = make_room_learnt(ip, now);
        if (index != IP_NO_NEIGHBOUR) {
            fill(ip, index, claim->interface, claim->address);
            n->entries[index].mac = *claim->mac;
            enter(n, index, NEIGHBOUR_STALE, now);
        }
        return;
    }
    struct neighbour *entry = &n->entries[index];
    if (entry->state == NEIGHBOUR_INCOMPLETE || entry->state == NEIGHBOUR_FAILED) {
        entry->mac = *claim->mac;
        enter(n, index, NEIGHBOUR_STALE, now);
        ip->settled = true;
    } else if (entry->state != NEIGHBOUR_STATIC && !mac_eq(&entry->mac, claim->mac)) {
        doubt(ip, now, index);
    }
}

bool neighbour_answered(struct ip_host *ip, uint64_t now, const struct neighbour_claim *claim)
{
    uint16_t index = neighbour_find(ip, claim->interface, claim->address);
    if (index == IP_NO_NEIGHBOUR) {
        return false;
    }
    struct neighbour *entry = &ip->neighbours->entries[index];
    bool other = claim->mac != NULL && !mac_eq(&entry->mac, claim->mac);
    switch (entry->state) {
    case NEIGHBOUR_INCOMPLETE:
    case NEIGHBOUR_FAILED:
        if (claim->mac == NULL || !claim->solicited) {
            return false;
        }
        entry->mac = *claim->mac;
        reachable(ip, now, index);
        return true;
    case NEIGHBOUR_PROBE:
        if (!claim->solicited) {
            return false;
        }
        entry->mac = other ? *claim->mac : entry->mac;
        reachable(ip, now, index);
        return true;
    case NEIGHBOUR_STATIC: return false;
    default:
        if (other) {
            doubt(ip, now, index);
            return false;
        }
        return true;
    }
}

int neighbour_set(struct ip_host *ip, uint32_t interface, const struct ip_addr *address,
                  const struct mac_addr *mac)
{
    uint16_t index = neighbour_find(ip, interface, address);
    if (index == IP_NO_NEIGHBOUR) {
        index = ip->neighbours->lists[NEIGHBOUR_FREE].head;
        index = index != IP_NO_NEIGHBOUR ? index : make_room_wanted(ip, 0);
        if (index == IP_NO_NEIGHBOUR) {
            return -ESTAB_ENOBUFS;
        }
        fill(ip, index, interface, address);
    }
    struct neighbour *entry = &ip->neighbours->entries[index];
    ip->settled = ip->settled || entry->state == NEIGHBOUR_INCOMPLETE || entry->state == NEIGHBOUR_FAILED;
    entry->mac = *mac;
    enter(ip->neighbours, index, NEIGHBOUR_STATIC, 0);
    return 0;
}

/* ---- time ---- */

static void give_up(struct ip_host *ip, uint64_t now, uint16_t index)
{
    struct neighbours *n = ip->neighbours;
    bool one_more = n->entries[index].state == NEIGHBOUR_PROBE;
    if (one_more && unresolved_count(n) >= unresolved_limit(n)) {
        evict(ip, now, oldest_unresolved(n));
    }
    enter(n, index, NEIGHBOUR_FAILED, now);
    ip->settled = true;
    ip->config.counters->neighbour_failures++;
}

static bool tick_list(struct ip_host *ip, uint64_t now, unsigned state)
{
    struct neighbours *n = ip->neighbours;
    uint16_t index = n->lists[state].head;
    if (index == IP_NO_NEIGHBOUR || n->entries[index].when > now) {
        return false;
    }
    if (state == NEIGHBOUR_DELAY) {
        ask(ip, now, index, NEIGHBOUR_PROBE);
    } else if (n->entries[index].tries < ASK_TRIES) {
        ask(ip, now, index, state);
    } else {
        give_up(ip, now, index);
    }
    return true;
}

void neighbours_tick(struct ip_host *ip, uint64_t now)
{
    struct neighbours *n = ip->neighbours;
    unsigned left = TICK_BUDGET;
    while (left > 0 && (tick_list(ip, now, NEIGHBOUR_INCOMPLETE) || tick_list(ip, now, NEIGHBOUR_PROBE) ||
                        tick_list(ip, now, NEIGHBOUR_DELAY))) {
        left--;
    }
    if (n->settle_at <= now) {
        n->settle_at = UINT64_MAX;
        ip->settled = true;
    }
}

uint64_t neighbours_next_deadline(const struct neighbours *n)
{
    static const uint8_t timed[] = {NEIGHBOUR_INCOMPLETE, NEIGHBOUR_PROBE, NEIGHBOUR_DELAY};
    uint64_t next = n->settle_at;
    for (unsigned i = 0; i < sizeof(timed); i++) {
        uint16_t head = n->lists[timed[i]].head;
        if (head != IP_NO_NEIGHBOUR && n->entries[head].when < next) {
            next = n->entries[head].when;
        }
    }
    return next;
}

/* ---- invariants ---- */

static const char *check_list(const struct ip_host *ip, unsigned which)
{
    const struct neighbours *n = ip->neighbours;
    uint16_t previous = IP_NO_NEIGHBOUR;
    uint32_t count = 0;
    for (uint16_t i = n->lists[which].head; i != IP_NO_NEIGHBOUR; i = n->entries[i].next) {
        const struct neighbour *entry = &n->entries[i];
        if (++count > n->capacity || entry->previous != previous || list_of(entry->state) != which) {
            return "neighbours: a list holds the entries of its state, linked both ways";
        }
        if (which != NEIGHBOUR_FREE && neighbour_find(ip, entry->interface, &entry->address) != i) {
            return "neighbours: every entry is found by its address";
        }
        bool timed = which == NEIGHBOUR_INCOMPLETE || which == NEIGHBOUR_PROBE || which == NEIGHBOUR_DELAY;
        if (timed && previous != IP_NO_NEIGHBOUR && n->entries[previous].when > entry->when) {
            return "neighbours: a list with a timer is in the order of time";
        }
        previous = i;
    }
    return count == n->lists[which].count && n->lists[which].tail == previous
               ? NULL
               : "neighbours: a list knows its length and its tail";
}

const char *neighbours_check(const struct ip_host *ip)
{
    const struct neighbours *n = ip->neighbours;
    uint32_t total = 0;
    for (unsigned i = 0; i < NEIGHBOUR_LISTS; i++) {
        const char *wrong = check_list(ip, i);
        if (wrong != NULL) {
            return wrong;
        }
        total += n->lists[i].count;
    }
    if (total != n->capacity || n->table.count != total - n->lists[NEIGHBOUR_FREE].count) {
        return "neighbours: every entry is in one list, and in the table unless it is free";
    }
    if (unresolved_count(n) > unresolved_limit(n)) {
        return "neighbours: those without an answer hold at most half of the table";
    }
    return n->message_count <= IP_MAX_REPLIES ? NULL : "neighbours: the queue of messages is within its ring";
}
