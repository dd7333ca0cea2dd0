/*
 * The kinds of `estab bench flood` that forge: packets from addresses that are not the sender's; and the mix
 * of all kinds. See bench_flood.h; kinds with connections stand in bench_flood_holders.c.
 */
#include "bench_flood.h"
#include "sim/bytes.h"

#include <stddef.h>
#include <string.h>

#define FRAGMENT_TEXT 24u
#define NEAR          60000u /* bytes by which a near guess misses */

/* A unicast address that is nobody's here: 11.0.0.0 to 138.255.255.255 */
static uint32_t spoofed(struct flood *flood)
{
    return 0x0b000000u + (uint32_t)(flood_random(flood) >> 33);
}

static uint16_t random_port(struct flood *flood)
{
    return (uint16_t)(1024 + flood_below(flood, 64512));
}

/* ---- syn: from everywhere (V-34, V-35) ---- */

enum syn_shape { BARE, USUAL, USUAL_TOO, WITH_TEXT, SYN_SHAPES };

static uint32_t syn_fill(struct flood *flood, uint8_t *to)
{
    uint8_t options[20] = {2, 4, 1460 >> 8, 1460 & 255, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7};
    static const uint8_t text[16] = "GET / HTTP/1.1";
    uint64_t dice = flood_random(flood);
    enum syn_shape shape = dice % SYN_SHAPES;
    struct flood_segment syn = {
        .source = spoofed(flood),
        .destination = FLOOD_SERVER,
        .source_port = random_port(flood),
        .destination_port = BENCH_PORT,
        .seq = (uint32_t)(dice >> 32),
        .flags = FLOOD_SYN,
        .wnd = 64240,
        .options = options,
        .options_length = shape == BARE ? 0 : sizeof options,
        .text = text,
        .text_length = shape == WITH_TEXT ? sizeof text : 0,
    };
    put32(options + 8, (uint32_t)dice);
    return flood_write(&syn, to);
}

static const struct flood_kind syn_kind = {
    "syn", "SYNs from random addresses: a quarter without options, a quarter with text", NULL, syn_fill};

/* ---- rst, ack: blind guesses (O-01 and others) ---- */

enum aim { RANDOM_TUPLE, KNOWN_TUPLE, NEAR_GUESS };

/*
 * Half come from nowhere, three of eight hit a live connection of a client with a random SEQ, one of eight
 * hits the window of a stream, though never its left edge.
 */
static struct flood_segment aimed(struct flood *flood)
{
    uint32_t dice = flood_below(flood, 8);
    enum aim aim = dice < 4 ? RANDOM_TUPLE : dice < 7 ? KNOWN_TUPLE : NEAR_GUESS;
    struct flood_victim victim = aim == NEAR_GUESS ? flood_victim_stream(flood) : flood_victim(flood);
    struct flood_segment segment = {
        .source = FLOOD_CLIENT,
        .destination = FLOOD_SERVER,
        .source_port = victim.port,
        .destination_port = BENCH_PORT,
        .seq = (uint32_t)flood_random(flood),
        .ack = (uint32_t)flood_random(flood),
        .wnd = (uint16_t)flood_random(flood),
    };
    if (aim == NEAR_GUESS) {
        segment.seq = victim.seq + 1 + flood_below(flood, NEAR);
    }
    if (aim == RANDOM_TUPLE || victim.port == 0) {
        segment.source = spoofed(flood);
        segment.source_port = random_port(flood);
        segment.destination_port = (dice & 1) != 0 ? BENCH_PORT : random_port(flood);
    }
    return segment;
}

static uint32_t rst_fill(struct flood *flood, uint8_t *to)
{
    struct flood_segment segment = aimed(flood);
    segment.flags = FLOOD_RST | (flood_below(flood, 2) != 0 ? FLOOD_ACK : 0);
    return flood_write(&segment, to);
}

static const struct flood_kind rst_kind = {
    "rst", "RSTs: random tuples, live connections with a random SEQ, and SEQs in a stream's window", NULL,
    rst_fill};

/* With timestamps, half of which look new enough; one of eight has text, one a FIN, one a SYN. */
static uint32_t ack_fill(struct flood *flood, uint8_t *to)
{
    uint8_t options[12] = {1, 1, 8, 10};
    static const uint8_t text[8] = "forgery";
    struct flood_segment segment = aimed(flood);
    uint32_t dice = flood_below(flood, 8);
    put32(options + 4, (uint32_t)flood_random(flood));
    segment.flags = FLOOD_ACK;
    segment.options = options;
    segment.options_length = sizeof options;
    if (dice == 0) {
        segment.text = text;
        segment.text_length = sizeof text;
    }
    segment.flags |= dice == 1 ? FLOOD_FIN : dice == 2 ? FLOOD_SYN : 0;
    return flood_write(&segment, to);
}

static const struct flood_kind ack_kind = {
    "ack", "ACKs with text, FIN and SYN, aimed as RSTs are; and connections led apart", NULL, ack_fill};

/* ---- frag: datagrams that never become whole (V-07, V-08) ---- */

/* First fragments of new datagrams; one of four is followed by one that overlaps it. */
static uint32_t frag_fill(struct flood *flood, uint8_t *to)
{
    struct flood_fragment *last = &flood->fragment;
    if (!last->again) {
        last->source = spoofed(flood);
        last->id = (uint16_t)flood_random(flood);
    }
    const uint32_t addresses[2] = {last->source, FLOOD_SERVER};
    uint16_t offset = last->again ? 1 : 0;
    last->again = !last->again && flood_below(flood, 4) == 0;
    memset(to + 20, 'f', FRAGMENT_TEXT);
    flood_write_ip(to, 20 + FRAGMENT_TEXT, last->id, 0x2000 | offset, addresses);
    return 20 + FRAGMENT_TEXT;
}

static const struct flood_kind frag_kind = {
    "frag", "first fragments from random addresses, and some that overlap them", NULL, frag_fill};

/* ---- all of them in turn ---- */

static const struct flood_kind *const kinds[] = {
    &syn_kind, &rst_kind, &ack_kind, &flood_ooo, &flood_sack, &frag_kind, &flood_sockstress, &flood_timewait,
};

#define KINDS (sizeof kinds / sizeof kinds[0])

static bool all_begin(struct flood *flood)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i]->begin != NULL && !kinds[i]->begin(flood)) {
            return false;
        }
    }
    return true;
}

/* A kind that has nothing to send now leaves its turn to the next. */
static uint32_t all_fill(struct flood *flood, uint8_t *to)
{
    uint32_t length = 0;
    for (size_t tries = 0; tries < KINDS && length == 0; tries++) {
        length = kinds[flood->turn % KINDS]->fill(flood, to);
        flood->turn++;
    }
    return length;
}

static const struct flood_kind all_kind = {"all", "all kinds in turn, a packet each", all_begin, all_fill};

const struct flood_kind *flood_kind_find(const char *name)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            return kinds[i];
        }
    }
    return strcmp(name, all_kind.name) == 0 ? &all_kind : NULL;
}
