/*
 * The kinds of `estab bench flood` that hold connections: what each bot does once its connection is open. See
 * bench_flood.h and bench_flood_bots.c.
 */
#include "bench_flood.h"
#include "sim/bytes.h"

#include <stddef.h>

enum set { OOO, SACK, SOCKSTRESS, TIMEWAIT };

#define OOO_BOTS        512u
#define OOO_SPAN        262144u /* as large as the window may become */
#define OOO_STRIDE      4096u   /* a block */
#define SACK_BOTS       64u
#define SACK_BLOCKS     4u
#define SOCKSTRESS_BOTS 50000u
#define SOCKSTRESS_RATE 25000u
#define TIMEWAIT_BOTS   4096u

static const char *no_request(uint32_t index)
{
    (void)index;
    return "";
}

/* ---- ooo: a byte, a gap of one, a byte ...; or a byte in each block (V-38) ---- */

static uint32_t ooo_act(struct flood *flood, struct flood_bots *bots, uint32_t index, uint8_t *to)
{
    static const uint8_t byte = 'o';
    struct flood_bot *bot = flood_bot(bots, index);
    struct flood_segment segment = flood_bot_segment(bots, index, FLOOD_ACK);
    (void)flood;
    uint32_t stride = index % 2 == 0 ? 2 : OOO_STRIDE;
    segment.seq += 1 + stride * bot->count;
    segment.text = &byte;
    segment.text_length = 1;
    bot->count = (bot->count + 1) % (OOO_SPAN / stride);
    return flood_write(&segment, to);
}

static bool ooo_begin(struct flood *flood)
{
    static const struct flood_bots_plan plan = {.set = OOO,
                                                .count = OOO_BOTS,
                                                .opens_per_second = 10000,
                                                .wnd = 65535,
                                                .request = no_request,
                                                .act = ooo_act};
    return flood_bots_open(flood, &plan);
}

static uint32_t ooo_fill(struct flood *flood, uint8_t *to)
{
    return flood_bots_fill(flood, OOO, to);
}

const struct flood_kind flood_ooo = {
    "ooo", "half of the attackers send every second byte of the window, half one in 4096, over and over",
    ooo_begin, ooo_fill};

/* ---- sack: tiny MSS, every other segment reported, and lies (V-39) ---- */

static const char *endless(uint32_t index)
{
    (void)index;
    return "1999999999\n";
}

/* Every other segment beyond the ACK; now and then what was never sent, or was acknowledged long ago. */
static void sack_blocks(struct flood *flood, struct flood_bot *bot, uint8_t *options)
{
    uint32_t lie = flood_below(flood, 16);
    options[0] = options[1] = 1;
    options[2] = 5;
    options[3] = 2 + 8 * SACK_BLOCKS;
    for (unsigned i = 0; i < SACK_BLOCKS; i++) {
        uint32_t left = bot->ack + bot->mss * (1 + 2 * (bot->count + i));
        left = lie == 0 ? bot->high + (uint32_t)flood_random(flood) % 100000 : left;
        left = lie == 1 ? bot->ack - 1000 : left;
        put32(options + 4 + 8 * i, left);
        put32(options + 8 + 8 * i, lie == 2 ? left - bot->mss : left + bot->mss);
    }
    uint32_t ahead = (bot->high - bot->ack) / bot->mss / 2;
    bot->count = ahead > SACK_BLOCKS ? (bot->count + SACK_BLOCKS) % ahead : 0;
}

static uint32_t sack_act(struct flood *flood, struct flood_bots *bots, uint32_t index, uint8_t *to)
{
    struct flood_bot *bot = flood_bot(bots, index);
    uint8_t options[4 + 8 * SACK_BLOCKS];
    uint32_t dice = flood_below(flood, 64);
    if (dice == 0 && bot->high != bot->ack) { /* a byte is acknowledged, by some now and then half of all */
        bot->ack += index % 2 == 0 && flood_below(flood, 8) == 0 ? (bot->high - bot->ack) / 2 : 1;
    }
    sack_blocks(flood, bot, options);
    struct flood_segment segment = flood_bot_segment(bots, index, FLOOD_ACK);
    segment.ack += dice == 1 ? bot->high - bot->ack + 1000 : 0; /* of what was never sent */
    segment.options = options;
    segment.options_length = sizeof options;
    return flood_write(&segment, to);
}

static bool sack_begin(struct flood *flood)
{
    static const struct flood_bots_plan plan = {.set = SACK,
                                                .count = SACK_BOTS,
                                                .opens_per_second = 10000,
                                                .small_mss = true,
                                                .wnd = 65535,
                                                .request = endless,
                                                .act = sack_act};
    return flood_bots_open(flood, &plan);
}

static uint32_t sack_fill(struct flood *flood, uint8_t *to)
{
    return flood_bots_fill(flood, SACK, to);
}

const struct flood_kind flood_sack = {
    "sack", "attackers with an MSS of 1 to 88 ask for 2 GB, report every other segment, lie, and dribble",
    sack_begin, sack_fill};

/* ---- sockstress: connections that cost their holder nothing (V-36, V-37, V-46, V-49) ---- */

/*
 * Four of eight shut the window before the answer comes; the others never ask, take the answer and never
 * close, never acknowledge it, or acknowledge a byte of it a second.
 */
enum holder { NEVER_ASKS = 4, NEVER_CLOSES, NEVER_ACKNOWLEDGES, DRIBBLES, HOLDERS };

static const char *held_request(uint32_t index)
{
    return index % HOLDERS == NEVER_ASKS ? "" : index % HOLDERS == NEVER_CLOSES ? "1\n" : "10000\n";
}

/* All say that they are alive. */
static uint32_t held_act(struct flood *flood, struct flood_bots *bots, uint32_t index, uint8_t *to)
{
    struct flood_bot *bot = flood_bot(bots, index);
    uint32_t second = (uint32_t)((flood->now - flood->start) / BENCH_SECOND);
    if (index % HOLDERS == NEVER_CLOSES) {
        bot->ack = bot->high;
    } else if (index % HOLDERS == DRIBBLES && bot->count != second && bot->ack != bot->high) {
        bot->ack++;
        bot->count = second;
    }
    struct flood_segment segment = flood_bot_segment(bots, index, FLOOD_ACK);
    segment.wnd = index % HOLDERS < NEVER_ASKS ? 0 : 65535;
    return flood_write(&segment, to);
}

static bool sockstress_begin(struct flood *flood)
{
    static const struct flood_bots_plan plan = {.set = SOCKSTRESS,
                                                .count = SOCKSTRESS_BOTS,
                                                .opens_per_second = SOCKSTRESS_RATE,
                                                .wnd = 0,
                                                .request = held_request,
                                                .act = held_act};
    return flood_bots_open(flood, &plan);
}

static uint32_t sockstress_fill(struct flood *flood, uint8_t *to)
{
    return flood_bots_fill(flood, SOCKSTRESS, to);
}

const struct flood_kind flood_sockstress = {
    "sockstress", "attackers ask and shut their window, dribble, or never ask, close or acknowledge",
    sockstress_begin, sockstress_fill};

/* ---- timewait: open, ask, close, as fast as may be (V-47) ---- */

static const char *one_byte(uint32_t index)
{
    (void)index;
    return "1\n";
}

static bool timewait_begin(struct flood *flood)
{
    static const struct flood_bots_plan plan = {
        .set = TIMEWAIT, .count = TIMEWAIT_BOTS, .wnd = 65535, .request = one_byte, .fins = true};
    return flood_bots_open(flood, &plan);
}

static uint32_t timewait_fill(struct flood *flood, uint8_t *to)
{
    return flood_bots_fill(flood, TIMEWAIT, to);
}

const struct flood_kind flood_timewait = {
    "timewait", "attackers open, ask for one byte and close after the server, three packets each",
    timewait_begin, timewait_fill};
