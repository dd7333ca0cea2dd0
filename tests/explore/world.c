/*
 * Worlds: two sides and what is under way between them. Each world that can be reached is visited once,
 * nearest first, so that a counterexample is as short as they come.
 *
 * The channel is a set of packets in each direction. Any of them may arrive next (reordering without bounds),
 * arrive and stay (repetition without bounds) or be lost; what finds the set full is lost. The one thing it
 * may not do is keep a packet beyond the maximum segment lifetime (RFC 9293 3.4.2): a timer that takes longer
 * fires only once the channel is empty and no shorter timer of the other side is due before it. But for that
 * the two clocks run as they like.
 *
 * Looked at in each world: what the two sides believe of each other, what their users got, and that nothing
 * waits for ever. At the end, from each world: if packets arrive, timers take turns and the users finish,
 * everything comes to its end. That way leads through worlds that were visited, so it is followed in the
 * graph: every way ends, or it runs in a circle and is a violation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "estab/estab.h"
#include "explore/explore.h"

enum { NO_PACKET = UINT16_MAX, COPY = ACT_KINDS, LOSE };
#define NO_WORLD UINT32_MAX

struct world {
    uint32_t side[SIDES];
    uint16_t net[SIDES][MAX_CHANNEL]; /* sent by that side; sorted, NO_PACKET behind */
    uint32_t faults;                  /* losses and repetitions that are left */
};

/* How a world was reached, and where a fair turn of either side leads. */
struct way {
    uint32_t parent;
    uint32_t code;
    uint32_t fair[SIDES];
};

struct space {
    const struct scenario *scenario;
    struct machine *machine[SIDES];
    struct world *worlds;
    struct way *ways;
    uint32_t count, room;
    uint32_t *index;
    uint32_t index_room;
    unsigned long max, transitions;
    const char *violation;
    uint32_t violated_at;
    bool cut;
    bool clean; /* nobody aborts, crashes, leaves early, gives up or times out */
};

static void *grown(void *memory, size_t size)
{
    void *more = realloc(memory, size);
    if (more == NULL) {
        fprintf(stderr, "explore: out of memory\n");
        exit(2);
    }
    return more;
}

static const struct facts *facts_of(const struct space *s, const struct world *w, unsigned side)
{
    return machine_facts(s->machine[side], w->side[side]);
}

static void violated(struct space *s, uint32_t at, const char *what)
{
    if (s->violation == NULL) {
        s->violation = what;
        s->violated_at = at;
    }
}

/* ---- the channel ---- */

static bool net_empty(const struct world *w)
{
    return w->net[0][0] == NO_PACKET && w->net[1][0] == NO_PACKET;
}

static void net_remove(struct world *w, unsigned from, uint16_t packet)
{
    uint16_t *net = w->net[from];
    unsigned kept = 0;
    for (unsigned i = 0; i < MAX_CHANNEL; i++) {
        if (net[i] != packet) {
            net[kept++] = net[i];
        }
    }
    while (kept < MAX_CHANNEL) {
        net[kept++] = NO_PACKET;
    }
}

static void net_add(const struct space *s, struct world *w, unsigned from, uint16_t packet)
{
    uint16_t *net = w->net[from];
    unsigned n = 0;
    for (; n < MAX_CHANNEL && net[n] != NO_PACKET; n++) {
        if (net[n] == packet) {
            return; /* it may be repeated as it is */
        }
    }
    if (n >= s->scenario->channel) {
        return;
    }
    for (; n > 0 && net[n - 1] > packet; n--) {
        net[n] = net[n - 1];
    }
    net[n] = packet;
}

/* ---- codes of what happens: who, what, which packet ---- */

static uint32_t code_of(unsigned who, unsigned what, uint16_t packet)
{
    return (uint32_t)packet << 16 | who << 8 | what;
}

static unsigned code_who(uint32_t code)
{
    return code >> 8 & 0xff;
}

static unsigned code_what(uint32_t code)
{
    return code & 0xff;
}

static uint16_t code_packet(uint32_t code)
{
    return (uint16_t)(code >> 16);
}

/* The side `who` does something, or a packet meets it. Returns what is wrong with that, NULL = nothing. */
static const char *apply(struct space *s, const struct world *from, uint32_t code, struct world *to)
{
    unsigned who = code_who(code);
    unsigned what = code_what(code);
    uint16_t packet = code_packet(code);
    *to = *from;
    bool early = what == ACT_TIMER && !net_empty(from);
    if ((early || what == LOSE || what == COPY) && to->faults > 0 && to->faults != UNBOUNDED) {
        to->faults--;
    }
    if (what == LOSE || what == ACT_PACKET) {
        net_remove(to, !who, packet);
    }
    if (what == LOSE) {
        return NULL;
    }
    enum act act = what == COPY ? ACT_PACKET : (enum act)what;
    const struct effect *effect = machine_step(s->machine[who], from->side[who], act, packet);
    to->side[who] = effect->side;
    for (unsigned i = 0; i < effect->packet_count; i++) {
        net_add(s, to, who, effect->packets[i]);
    }
    const char *wrong = effect->violation;
    if (act == ACT_TIMER || act == ACT_WAIT) {
        effect = machine_step(s->machine[!who], from->side[!who], ACT_SECOND, 0);
        to->side[!who] = effect->side;
        wrong = wrong == NULL ? effect->violation : wrong;
    }
    return wrong;
}

/* ---- what must hold in each world ---- */

static bool known_to(const struct user *u, uint32_t iss, unsigned *number)
{
    for (*number = 0; *number < u->incarnations; ++*number) {
        if (u->began[*number].iss == iss) {
            return true;
        }
    }
    return false;
}

/* What this user got is what the other one sent. */
static const char *check_stream(const struct user *u, const struct user *peer)
{
    unsigned number;
    if (u->received == 0 && !u->end_seen) {
        return NULL;
    }
    if (!known_to(peer, u->irs, &number)) {
        return "bytes come from a connection that the peer began";
    }
    const struct incarnation *sent = &peer->began[number];
    if (u->received > 0 && (u->text[0] >> 4 & 7) != number) {
        return "bytes arrive in the connection in which they were sent";
    }
    if (u->received > sent->sent) {
        return "no more bytes arrive than were sent";
    }
    if (u->end_seen && u->error == 0 && !(sent->finished && u->received == sent->sent)) {
        return "the end of the bytes is told once all that were sent have been read";
    }
    return NULL;
}

static bool leq(uint32_t a, uint32_t b)
{
    return (int32_t)(b - a) >= 0;
}

/* Two ends of one connection: what one knows to be received was, what the other received was sent. */
static const char *check_ends(const struct end *a, const struct end *b)
{
    if (a->iss != b->irs || b->iss != a->irs || a->state < ESTAB_ESTABLISHED ||
        b->state < ESTAB_ESTABLISHED) {
        return NULL;
    }
    if (!leq(a->snd_una, b->rcv_nxt) || !leq(b->snd_una, a->rcv_nxt)) {
        return "SND.UNA does not pass the other side's RCV.NXT";
    }
    if (!leq(a->rcv_nxt, b->snd_nxt) || !leq(b->rcv_nxt, a->snd_nxt)) {
        return "RCV.NXT does not pass the other side's SND.NXT";
    }
    return NULL;
}

/* A synchronized connection has a partner, or had one: nobody gets there by old packets alone. */
static const char *check_partners(const struct facts *f, const struct facts *peer)
{
    unsigned number;
    for (unsigned i = 0; i < f->end_count; i++) {
        const struct end *end = &f->ends[i];
        if (end->state >= ESTAB_ESTABLISHED && end->iss != end->irs &&
            !known_to(&peer->user, end->irs, &number)) {
            return "a synchronized connection knows an ISS that the peer chose";
        }
        for (unsigned k = 0; k < peer->end_count; k++) {
            const char *wrong = check_ends(end, &peer->ends[k]);
            if (wrong != NULL) {
                return wrong;
            }
        }
    }
    return NULL;
}

/* The two users hold, or held last, the two ends of one connection. */
static bool paired(const struct user *a, const struct user *b)
{
    return a->iss != 0 && a->iss == b->irs && b->iss == a->irs;
}

static bool pending(const struct facts *f)
{
    for (unsigned i = 0; i < f->end_count; i++) {
        if (f->ends[i].pending) {
            return true;
        }
    }
    return false;
}

static const char *check_world(const struct space *s, const struct world *w)
{
    const struct facts *f[SIDES] = {facts_of(s, w, 0), facts_of(s, w, 1)};
    const char *wrong = NULL;
    for (unsigned i = 0; i < SIDES && wrong == NULL; i++) {
        wrong = check_stream(&f[i]->user, &f[!i]->user);
        if (wrong == NULL && s->clean && f[i]->user.error != 0 && paired(&f[0]->user, &f[1]->user)) {
            wrong = "no connection is reset where nobody aborts, forgets or leaves early";
        }
        wrong = wrong == NULL ? check_partners(f[i], f[!i]) : wrong;
    }
    if (wrong != NULL) {
        return wrong;
    }
    bool timer = ((f[0]->acts | f[1]->acts) & BIT(ACT_TIMER)) != 0;
    if (net_empty(w) && !timer && (pending(f[0]) || pending(f[1]))) {
        return "what is pending has a packet under way or a timer";
    }
    return NULL;
}

/* ---- the visited worlds ---- */

static uint32_t hash_world(const struct world *w)
{
    uint64_t words[3] = {0};
    _Static_assert(sizeof *w <= sizeof words, "all of it");
    memcpy(words, w, sizeof *w);
    uint64_t h = words[0] * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 29 ^ words[1]) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 32 ^ words[2]) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(h >> 32);
}

static uint32_t *index_place(struct space *s, const struct world *w)
{
    uint32_t at = hash_world(w) & (s->index_room - 1);
    while (s->index[at] != 0 && memcmp(&s->worlds[s->index[at] - 1], w, sizeof *w) != 0) {
        at = (at + 1) & (s->index_room - 1);
    }
    return &s->index[at];
}

static void grow(struct space *s)
{
    s->room = s->room == 0 ? 4096 : 2 * s->room;
    s->worlds = grown(s->worlds, s->room * sizeof *s->worlds);
    s->ways = grown(s->ways, s->room * sizeof *s->ways);
    s->index_room = 2 * s->room;
    free(s->index);
    s->index = grown(NULL, s->index_room * sizeof *s->index);
    memset(s->index, 0, s->index_room * sizeof *s->index);
    for (uint32_t i = 0; i < s->count; i++) {
        *index_place(s, &s->worlds[i]) = i + 1;
    }
}

/* The number of a world, new or not; NO_WORLD where there is no more room. */
static uint32_t visit(struct space *s, const struct world *w, uint32_t parent, uint32_t code)
{
    if (s->count == s->room) {
        grow(s);
    }
    uint32_t *place = index_place(s, w);
    if (*place != 0) {
        return *place - 1;
    }
    if (s->count >= s->max) {
        s->cut = true;
        return NO_WORLD;
    }
    uint32_t number = s->count++;
    *place = number + 1;
    s->worlds[number] = *w;
    s->ways[number] = (struct way){parent, code, {NO_WORLD, NO_WORLD}};
    const char *wrong = check_world(s, w);
    if (wrong != NULL) {
        violated(s, number, wrong);
    }
    return number;
}

/* Whether the next timer of a side may fire: not a long one while anything shorter is under way. */
static bool may_fire(const struct space *s, const struct world *w, unsigned who)
{
    const struct facts *f = facts_of(s, w, who);
    const struct facts *other = facts_of(s, w, !who);
    bool runs = (f->acts & BIT(ACT_TIMER)) != 0;
    bool sooner = (other->acts & BIT(ACT_TIMER)) != 0 && !other->timer_is_long;
    return runs && !(f->timer_is_long && (sooner || !net_empty(w)));
}

/* ---- a fair turn ---- */

/* Whether a user who only waits for somebody to call may stop waiting. */
static bool fair_now(const struct space *s, const struct facts *f, const struct facts *peer)
{
    if (f->fair == ACT_CLOSE && f->state == ESTAB_SYN_SENT) {
        return peer->user.incarnations >= s->scenario->syns; /* the scenario lets nobody answer */
    }
    bool alone = f->state == ESTAB_LISTEN || (f->state == ESTAB_FIN_WAIT_2 && !f->user.end_seen);
    bool waits = f->fair == ACT_CLOSE_LISTENER || (f->fair == ACT_CLOSE && alone);
    return f->fair != ACT_KINDS && (!waits || peer->end_count == 0);
}

/* What happens next where all goes well and it is `turn`'s turn among the timers; UINT32_MAX = nothing. */
static uint32_t fair_code(struct space *s, const struct world *w, unsigned turn)
{
    for (unsigned from = 0; from < SIDES; from++) {
        uint16_t packet = w->net[from][0];
        if (packet != NO_PACKET) {
            bool refused = machine_step(s->machine[!from], w->side[!from], ACT_PACKET, packet)->refused;
            return code_of(!from, refused ? LOSE : ACT_PACKET, packet);
        }
    }
    const struct facts *f[SIDES] = {facts_of(s, w, 0), facts_of(s, w, 1)};
    for (unsigned i = 0; i < SIDES; i++) {
        if (fair_now(s, f[i], f[!i])) {
            return code_of(i, f[i]->fair, 0);
        }
    }
    for (unsigned i = 0; i < SIDES; i++) {
        unsigned who = i ^ turn;
        if (may_fire(s, w, who)) {
            return code_of(who, ACT_TIMER, 0);
        }
    }
    return UINT32_MAX;
}

/* ---- everything that may happen in a world ---- */

struct expansion {
    uint32_t from;
    uint32_t fair[SIDES]; /* codes */
};

static void go(struct space *s, const struct expansion *e, uint32_t code)
{
    struct world from = s->worlds[e->from]; /* the array may move */
    struct world to;
    const char *wrong = apply(s, &from, code, &to);
    s->transitions++;
    uint32_t next = visit(s, &to, e->from, code);
    if (next == NO_WORLD) {
        return;
    }
    if (wrong != NULL) {
        if (s->violation == NULL) { /* told by the step that led here, whoever was here first */
            s->ways[next].parent = next > e->from ? e->from : s->ways[next].parent;
            s->ways[next].code = next > e->from ? code : s->ways[next].code;
        }
        violated(s, next, wrong);
    }
    for (unsigned i = 0; i < SIDES; i++) {
        if (e->fair[i] == code) {
            s->ways[e->from].fair[i] = next;
        }
    }
}

static void expand_packet(struct space *s, const struct expansion *e, unsigned to, uint16_t packet)
{
    uint32_t side = s->worlds[e->from].side[to];
    bool refused = machine_step(s->machine[to], side, ACT_PACKET, packet)->refused;
    if (!refused) {
        go(s, e, code_of(to, ACT_PACKET, packet));
    }
    bool faulty = s->worlds[e->from].faults > 0;
    if (!refused && faulty) {
        go(s, e, code_of(to, COPY, packet));
    }
    if (refused || faulty) {
        go(s, e, code_of(to, LOSE, packet));
    }
}

static void expand_side(struct space *s, const struct expansion *e, unsigned who)
{
    const struct world w = s->worlds[e->from];
    const struct facts f = *facts_of(s, &w, who);
    for (unsigned act = 0; act <= ACT_TIMER; act++) {
        bool early = w.faults > 0 || net_empty(&w);
        bool patient = act != ACT_TIMER || (early && may_fire(s, &w, who));
        bool may = (f.acts & BIT(act)) != 0 && patient;
        if (may && !machine_step(s->machine[who], w.side[who], (enum act)act, 0)->refused) {
            go(s, e, code_of(who, act, 0));
        }
    }
}

static void expand(struct space *s, uint32_t number)
{
    const struct world w = s->worlds[number];
    struct expansion e = {.from = number};
    for (unsigned turn = 0; turn < SIDES; turn++) {
        e.fair[turn] = fair_code(s, &w, turn);
    }
    for (unsigned from = 0; from < SIDES; from++) {
        for (unsigned i = 0; i < MAX_CHANNEL && w.net[from][i] != NO_PACKET; i++) {
            expand_packet(s, &e, !from, w.net[from][i]);
        }
    }
    for (unsigned who = 0; who < SIDES; who++) {
        expand_side(s, &e, who);
    }
}

/* ---- from each world everything can come to its end ---- */

static bool is_end(const struct space *s, const struct world *w)
{
    return net_empty(w) && facts_of(s, w, 0)->idle && facts_of(s, w, 1)->idle;
}

/* A world and whose turn it is, as one number. */
static uint32_t fair_next(struct space *s, uint32_t node)
{
    uint32_t world = node / SIDES;
    unsigned turn = node % SIDES;
    uint32_t next = s->ways[world].fair[turn];
    if (next == NO_WORLD) {
        return NO_WORLD;
    }
    bool timer = code_what(fair_code(s, &s->worlds[world], turn)) == ACT_TIMER;
    return next * SIDES + (timer ? !turn : turn);
}

static void follow_fair(struct space *s, uint32_t start, uint8_t *seen)
{
    enum { NEW, UNDER_WAY, GOOD };
    uint32_t node = start;
    while (node != NO_WORLD && seen[node] == NEW && !is_end(s, &s->worlds[node / SIDES])) {
        seen[node] = UNDER_WAY;
        node = fair_next(s, node);
    }
    if (node == NO_WORLD) {
        violated(s, start / SIDES, "everything can come to its end: nothing more happens");
        return;
    }
    if (seen[node] == UNDER_WAY) {
        violated(s, node / SIDES, "everything can come to its end: the same happens again and again");
        return;
    }
    seen[node] = GOOD;
    for (node = start; seen[node] == UNDER_WAY; node = fair_next(s, node)) {
        seen[node] = GOOD;
    }
}

static void check_ends_come(struct space *s)
{
    uint8_t *seen = grown(NULL, (size_t)s->count * SIDES);
    memset(seen, 0, (size_t)s->count * SIDES);
    for (uint32_t node = 0; node < s->count * SIDES && s->violation == NULL; node++) {
        follow_fair(s, node, seen);
    }
    free(seen);
}

/* ---- a counterexample in words ---- */

static void print_net(const struct space *s, const struct world *w, unsigned from)
{
    const struct user *users[SIDES] = {&facts_of(s, w, 0)->user, &facts_of(s, w, 1)->user};
    for (unsigned i = 0; i < MAX_CHANNEL && w->net[from][i] != NO_PACKET; i++) {
        printf("          under way %c->%c: %s\n", 'A' + (char)from, 'B' - (char)from,
               packet_text(w->net[from][i], users[from], users[!from]));
    }
}

static void print_step(const struct space *s, const struct world *before, uint32_t code)
{
    unsigned who = code_who(code);
    unsigned what = code_what(code);
    const struct user *users[SIDES] = {&facts_of(s, before, 0)->user, &facts_of(s, before, 1)->user};
    if (what < ACT_SECOND) {
        printf("%c: %s", 'A' + (char)who, act_names[what]);
    } else {
        printf("%c %s %s", 'A' + (char)who, what == LOSE ? "never gets" : "gets",
               packet_text(code_packet(code), users[!who], users[who]));
        printf("%s", what == COPY ? " (and may get it again)" : "");
    }
}

static void print_world(const struct space *s, const struct world *w)
{
    for (unsigned i = 0; i < SIDES; i++) {
        const struct facts *f = facts_of(s, w, i);
        printf("%s%c %s", i > 0 ? ", " : "", 'A' + (char)i, estab_state_name(f->state));
        if (f->user.received > 0 || f->user.end_seen || f->user.error != 0) {
            printf(" (got %u%s%s)", f->user.received, f->user.end_seen ? ", end" : "",
                   f->user.error != 0 ? ", error" : "");
        }
    }
    printf("\n");
    print_net(s, w, 0);
    print_net(s, w, 1);
}

static void print_way(const struct space *s, uint32_t number)
{
    if (s->ways[number].parent == NO_WORLD) {
        printf("      0.  the beginning: ");
        print_world(s, &s->worlds[number]);
        return;
    }
    print_way(s, s->ways[number].parent);
    unsigned step = 0;
    for (uint32_t i = number; s->ways[i].parent != NO_WORLD; i = s->ways[i].parent) {
        step++;
    }
    printf("    %3u.  ", step);
    print_step(s, &s->worlds[s->ways[number].parent], s->ways[number].code);
    printf("\n          -> ");
    print_world(s, &s->worlds[number]);
}

static void print_fair(struct space *s, uint32_t number)
{
    uint32_t node = number * SIDES;
    printf("    and from there, where all goes well:\n");
    for (unsigned i = 0; i < 24 && node != NO_WORLD; i++) {
        const struct world *w = &s->worlds[node / SIDES];
        uint32_t code = fair_code(s, w, node % SIDES);
        if (code == UINT32_MAX) {
            printf("          nothing\n");
            return;
        }
        printf("          ");
        print_step(s, w, code);
        node = fair_next(s, node);
        printf("\n          -> ");
        if (node != NO_WORLD) {
            print_world(s, &s->worlds[node / SIDES]);
        }
    }
    printf("          ...\n");
}

static void print_violation(struct space *s)
{
    printf("  violated: %s\n", s->violation);
    print_way(s, s->violated_at);
    if (strncmp(s->violation, "everything can", 14) == 0) {
        print_fair(s, s->violated_at);
    }
}

/* ---- all of it ---- */

static void walk(struct space *s, struct result *result)
{
    struct world first;
    memset(&first, 0xff, sizeof first);
    first.side[0] = first.side[1] = 0;
    first.faults = s->scenario->faults;
    visit(s, &first, NO_WORLD, 0);
    uint32_t level_end = 1;
    for (uint32_t i = 0; i < s->count && s->violation == NULL; i++) {
        if (i == level_end) {
            level_end = s->count;
            result->depth++;
        }
        expand(s, i);
    }
    if (s->violation == NULL && !s->cut) {
        check_ends_come(s);
    }
}

static bool leaves_early(const struct role *role)
{
    return role->aborts > 0 || role->crashes > 0 || role->early_close;
}

void explore(const struct scenario *scenario, unsigned long max_states, const char *plant, bool quiet,
             struct result *result)
{
    struct space s = {.scenario = scenario, .max = max_states};
    memset(result, 0, sizeof *result);
    bool lasts = !scenario->gives_up && scenario->syn_timeout_s == 0;
    s.clean = lasts && !leaves_early(&scenario->role[0]) && !leaves_early(&scenario->role[1]);
    packets_clear();
    for (unsigned i = 0; i < SIDES; i++) {
        s.machine[i] = machine_new(scenario, i, plant);
    }
    walk(&s, result);
    result->states = s.count;
    result->transitions = s.transitions;
    result->packets = packet_total();
    result->violations = s.violation != NULL;
    result->cut = s.cut;
    if (s.violation != NULL && !quiet) {
        print_violation(&s);
    }
    for (unsigned i = 0; i < SIDES; i++) {
        result->side_states[i] = machine_states(s.machine[i]);
        result->side_steps[i] = machine_steps(s.machine[i]);
        result->arrows |= machine_arrows(s.machine[i]);
        machine_free(s.machine[i]);
    }
    packets_clear();
    free(s.worlds);
    free(s.ways);
    free(s.index);
}
