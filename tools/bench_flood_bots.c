/*
 * Attackers with real connections, in `estab bench flood`: each a few words of state and no stack. A set of
 * them opens as many connections as its plan says, answers the SYN,ACK with a request, and then does what
 * its kind does. A bot has an address of its own and a new port for each connection, so that what the server
 * sends names the bot. See bench_flood.h.
 */
#include "bench_flood.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_PORT  1024u
#define PORTS       64000u
#define PATIENCE_MS 1000u /* for an answer, then the bot tries again from another port */
#define MAX_VISITS  64u

enum bot_state { FREE, SYN_SENT, OWES_ACK, OPEN, OWES_FIN };

/* A queue of bots; each stands in it at most once. */
struct queue {
    uint32_t head, count;
    uint32_t *items;
};

struct flood_bots {
    struct flood_bots_plan plan;
    struct queue idle;  /* without a connection */
    struct queue owing; /* a packet at once */
    uint32_t turn;
    uint64_t next_open_ns;
    struct flood_bot bot[];
};

static void push(const struct flood_bots *bots, struct queue *queue, uint32_t index)
{
    queue->items[(queue->head + queue->count) % bots->plan.count] = index;
    queue->count++;
}

static uint32_t pop(const struct flood_bots *bots, struct queue *queue)
{
    uint32_t index = queue->items[queue->head];
    queue->head = (queue->head + 1) % bots->plan.count;
    queue->count--;
    return index;
}

bool flood_bots_open(struct flood *flood, const struct flood_bots_plan *plan)
{
    uint32_t count = flood->setup->attackers > 0 ? flood->setup->attackers : plan->count;
    struct flood_bots *bots = calloc(1, sizeof(struct flood_bots) + count * sizeof(struct flood_bot));
    flood->bots[plan->set] = bots;
    if (bots == NULL) {
        tool_error("out of memory");
        return false;
    }
    bots->plan = *plan;
    bots->plan.count = count;
    bots->idle.items = calloc(count, sizeof *bots->idle.items);
    bots->owing.items = calloc(count, sizeof *bots->owing.items);
    if (bots->idle.items == NULL || bots->owing.items == NULL) {
        tool_error("out of memory");
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        bots->bot[i].port = FIRST_PORT;
        push(bots, &bots->idle, i);
    }
    bots->next_open_ns = flood->now;
    return true;
}

void flood_bots_close(struct flood_bots *bots)
{
    if (bots != NULL) {
        free(bots->idle.items);
        free(bots->owing.items);
        free(bots);
    }
}

struct flood_bot *flood_bot(struct flood_bots *bots, uint32_t index)
{
    return &bots->bot[index];
}

struct flood_segment flood_bot_segment(const struct flood_bots *bots, uint32_t index, uint16_t flags)
{
    const struct flood_bot *bot = &bots->bot[index];
    return (struct flood_segment){
        .source = FLOOD_BOTS + bots->plan.set * FLOOD_MOST_BOTS + index,
        .destination = FLOOD_SERVER,
        .source_port = bot->port,
        .destination_port = BENCH_PORT,
        .seq = bot->seq,
        .ack = bot->ack,
        .flags = flags,
        .wnd = bots->plan.wnd,
    };
}

static uint32_t now_ms(const struct flood *flood)
{
    return (uint32_t)((flood->now - flood->start) / 1000000);
}

/* ---- opening ---- */

/* From a port that it has not used for long. */
static void forget(struct flood_bots *bots, uint32_t index)
{
    struct flood_bot *bot = &bots->bot[index];
    bot->port = (uint16_t)(bot->port < FIRST_PORT + PORTS ? bot->port + 1u : FIRST_PORT);
    if (bot->state != OWES_ACK && bot->state != OWES_FIN) { /* else it is forgotten when its turn comes */
        push(bots, &bots->idle, index);
    }
    bot->state = FREE;
}

static uint32_t open_one(struct flood *flood, struct flood_bots *bots, uint8_t *to)
{
    uint32_t index = pop(bots, &bots->idle);
    struct flood_bot *bot = &bots->bot[index];
    bot->state = SYN_SENT;
    bot->seq = (uint32_t)flood_random(flood);
    bot->ack = 0;
    bot->count = 0;
    bot->since_ms = now_ms(flood);
    const uint16_t mss = (uint16_t)(bots->plan.small_mss ? 1 + flood_below(flood, 88) : 1460u);
    bot->mss = 88;
    const uint8_t options[12] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss, 4, 2, 1, 1, 1, 3, 3, 10};
    struct flood_segment syn = flood_bot_segment(bots, index, FLOOD_SYN);
    syn.wnd = 65535;
    syn.options = options;
    syn.options_length = sizeof options;
    bot->seq++;
    return flood_write(&syn, to);
}

static bool may_open(struct flood *flood, struct flood_bots *bots)
{
    if (bots->idle.count == 0 || bots->next_open_ns > flood->now) {
        return false;
    }
    if (bots->plan.opens_per_second > 0) {
        bots->next_open_ns += BENCH_SECOND / bots->plan.opens_per_second;
    }
    return true;
}

/* ---- what is owed at once ---- */

static uint32_t pay(struct flood *flood, struct flood_bots *bots, uint8_t *to)
{
    uint32_t index = pop(bots, &bots->owing);
    struct flood_bot *bot = &bots->bot[index];
    struct flood_segment segment = flood_bot_segment(bots, index, FLOOD_ACK);
    if (bot->state == OWES_ACK) {
        const char *request = bots->plan.request(index);
        segment.text = (const uint8_t *)request;
        segment.text_length = (uint32_t)strlen(request);
        bot->seq += segment.text_length;
        bot->state = OPEN;
        bot->since_ms = now_ms(flood);
        return flood_write(&segment, to);
    }
    if (bot->state == OWES_FIN) {
        segment.flags |= FLOOD_FIN;
        bot->state = OPEN;
        forget(bots, index);
        return flood_write(&segment, to);
    }
    push(bots, &bots->idle, index); /* reset in between */
    return 0;
}

/* ---- packets ---- */

static uint32_t act(struct flood *flood, struct flood_bots *bots, uint8_t *to)
{
    uint32_t length = 0;
    for (unsigned visits = 0; visits < MAX_VISITS && length == 0; visits++) {
        uint32_t index = bots->turn;
        struct flood_bot *bot = &bots->bot[index];
        bots->turn = index + 1 < bots->plan.count ? index + 1 : 0;
        if (bot->state == OPEN && bots->plan.act != NULL) {
            length = bots->plan.act(flood, bots, index, to);
        } else if ((bot->state == OPEN || bot->state == SYN_SENT) &&
                   now_ms(flood) - bot->since_ms > PATIENCE_MS) {
            forget(bots, index);
        }
    }
    return length;
}

uint32_t flood_bots_fill(struct flood *flood, unsigned set, uint8_t *to)
{
    struct flood_bots *bots = flood->bots[set];
    uint32_t length = 0;
    while (length == 0 && bots->owing.count > 0) {
        length = pay(flood, bots, to);
    }
    if (length == 0 && may_open(flood, bots)) {
        length = open_one(flood, bots, to);
    }
    return length > 0 ? length : act(flood, bots, to);
}

/* ---- what the server says ---- */

static void take(struct flood_bot *bot, const struct flood_segment *segment)
{
    uint32_t end = segment->seq + segment->text_length + (segment->flags & FLOOD_FIN);
    if ((int32_t)(end - bot->high) > 0) {
        bot->high = end;
    }
    if (segment->text_length > 0 && segment->text_length < UINT8_MAX) {
        bot->mss = (uint8_t)segment->text_length; /* what the server makes of it */
    }
}

void flood_bots_hear(struct flood *flood, const struct flood_segment *segment)
{
    uint32_t place = segment->destination - FLOOD_BOTS;
    struct flood_bots *bots =
        place / FLOOD_MOST_BOTS < FLOOD_BOT_SETS ? flood->bots[place / FLOOD_MOST_BOTS] : NULL;
    uint32_t index = place % FLOOD_MOST_BOTS;
    if (bots == NULL || index >= bots->plan.count || bots->bot[index].port != segment->destination_port) {
        return;
    }
    struct flood_bot *bot = &bots->bot[index];
    if (segment->flags & FLOOD_RST) {
        if (bot->state != FREE) {
            forget(bots, index);
        }
    } else if (bot->state == SYN_SENT && (segment->flags & FLOOD_SYN)) {
        bot->ack = bot->high = segment->seq + 1;
        bot->state = OWES_ACK;
        push(bots, &bots->owing, index);
    } else if (bot->state == OPEN) {
        take(bot, segment);
        if (bots->plan.fins && (segment->flags & FLOOD_FIN)) {
            bot->ack = bot->high;
            bot->state = OWES_FIN;
            push(bots, &bots->owing, index);
        }
    }
}
