/*
 * SYN cookies (RFC 4987 3.6, O-36): where the SYN cache is full, or always where so configured, a SYN is
 * answered without remembering anything. The ISS of the SYN,ACK is the memory: 28 bits of a keyed hash of
 * addresses, ports, the peer's ISS and an epoch of 64 s; three bits of MSS; one that tells this epoch from
 * the one before, which is still good. With timestamps the low bits of our TSval carry window scale and SACK;
 * without, a connection by cookie has neither. The ACK must bring all of it back before anything is
 * allocated.
 */
#include "base/mem.h"
#include "stack/stack.h"
#include "tcp/options.h"

#define EPOCH_NS UINT64_C(64000000000)
#define MAC_BITS 28
#define MAC_MASK ((1u << MAC_BITS) - 1)
#define TS_BITS  6 /* four of window scale (15 = none), one of SACK, one to spare */
#define TS_MASK  ((1u << TS_BITS) - 1)
#define TS_SACK  0x10u
#define NO_SCALE 15u

/* Rounded down to what eight values can say: the usual paths exactly. */
static const uint16_t mss_table[8] = {TCP_MIN_MSS, 536, 1220, 1360, 1440, 1452, 1460, 8940};

static unsigned mss_index(uint32_t mss)
{
    unsigned index = 0;
    for (unsigned step = 4; step > 0; step /= 2) {
        index += mss_table[index + step] <= mss ? step : 0;
    }
    return index;
}

/* The ISS that says `index`, an MSS, to whoever knows the key. */
static uint32_t cookie(const struct estab_stack *stack, struct flow_words *flow, uint32_t irs, uint64_t epoch,
                       unsigned index)
{
    flow->w[flow->count] = (uint64_t)irs << 32 | (uint32_t)(epoch << 3 | index);
    uint32_t mac = (uint32_t)siphash24(&stack->cookie_key, flow->w, flow->count + 1);
    uint32_t data = (uint32_t)(epoch & 1) << 3 | index;
    return data << MAC_BITS | (mac & MAC_MASK);
}

/* ---- the answer to a SYN ---- */

static uint32_t timestamp_clock(const struct estab_stack *stack, const struct flow_words *flow)
{
    return (uint32_t)(stack->tcp.now / 1000000) + guard_timestamp_offset(&stack->stamp_key, flow);
}

/* The latest time that is not ahead and ends in these bits. */
static uint32_t stamp_with(uint32_t clock, uint32_t bits)
{
    uint32_t stamp = (clock & ~TS_MASK) | bits;
    return (int32_t)(stamp - clock) > 0 ? stamp - (TS_MASK + 1) : stamp;
}

static void offer(const struct estab_stack *stack, const struct conn *listener, const struct tcp_options *syn,
                  const struct flow_words *flow, struct tcp_reply *reply)
{
    const struct tcp_conn *c = &listener->tcp;
    if (!syn->has_timestamps || !c->offer_timestamps) {
        return; /* nothing would bring the rest back */
    }
    bool scale = syn->has_window_scale && c->offer_window_scale;
    bool sack = syn->sack_permitted && c->offer_sack;
    uint32_t shift = syn->window_scale > TCP_MAX_SHIFT ? TCP_MAX_SHIFT : syn->window_scale;
    reply->timestamps = true;
    reply->tsval =
        stamp_with(timestamp_clock(stack, flow), (scale ? shift : NO_SCALE) | (sack ? TS_SACK : 0));
    reply->tsecr = syn->tsval;
    reply->has_window_scale = scale;
    reply->window_scale = options_choose_shift(c->rcv_limit);
    reply->sack_permitted = sack;
}

static void answer(struct estab_stack *stack, const struct conn *listener, const struct arrival *arrival)
{
    const struct tcp_segment *syn = arrival->seg;
    const struct tcp_options *options = &syn->options;
    bool v6 = !ip_addr_is_v4(&arrival->key.local);
    uint32_t mss = options->has_mss ? options->mss : v6 ? 1220u : 536u; /* MUST-15 */
    struct flow_words flow;
    flow_words_of(&arrival->key, &flow);
    uint32_t iss = cookie(stack, &flow, syn->seq.v, stack->tcp.now / EPOCH_NS, mss_index(mss));
    uint16_t offered = mss_to_offer(stack, listener, arrival);
    stack->cookie_ns = stack->tcp.now;
    stack->counters.cookies_sent++;
    struct reply *reply = reply_room(stack);
    if (reply == NULL) {
        return;
    }
    *reply = (struct reply){
        .source = arrival->key.local,
        .destination = arrival->key.remote,
        .source_port = arrival->key.local_port,
        .destination_port = arrival->key.remote_port,
        .tcp = {.seq = seq_of(iss),
                .ack = seq_add(syn->seq, 1),
                .flags = TCP_SYN | TCP_ACK,
                .wnd = (uint16_t)(listener->tcp.rcv_limit < 65535 ? listener->tcp.rcv_limit : 65535),
                .has_mss = true,
                .mss = offered,
                .reason = ESTAB_REASON_SYN_COOKIE},
        .interface = arrival->interface,
        .traffic_class = (uint8_t)(listener->dscp << 2),
        .hop_limit = listener->hop_limit,
        .state_before = ESTAB_LISTEN,
        .state_after = ESTAB_LISTEN,
    };
    offer(stack, listener, options, &flow, &reply->tcp);
}

/* ---- the ACK ---- */

/* A cookie is only looked at while one of ours may be on its way. */
static bool alive(const struct estab_stack *stack)
{
    return stack->cookie_ns != 0 && stack->tcp.now - stack->cookie_ns < 2 * EPOCH_NS;
}

/* What the echo of our TSval tells; false: it is none that we sent. */
static bool take_stamp(const struct estab_stack *stack, const struct tcp_options *options,
                       const struct flow_words *flow, struct tcp_half_open *half_open)
{
    if (!options->has_timestamps) {
        return true;
    }
    uint32_t age_ms = timestamp_clock(stack, flow) - options->tsecr;
    if (age_ms > 2 * EPOCH_NS / 1000000 + TS_MASK) {
        return false;
    }
    uint32_t scale = options->tsecr & 15u;
    half_open->timestamps = true;
    half_open->ts_recent = options->tsval;
    half_open->has_window_scale = scale != NO_SCALE;
    half_open->window_scale = scale != NO_SCALE ? scale & 15u : 0;
    half_open->sack = (options->tsecr & TS_SACK) != 0;
    return true;
}

static bool check(const struct estab_stack *stack, const struct arrival *arrival,
                  struct tcp_half_open *half_open)
{
    const struct tcp_segment *seg = arrival->seg;
    uint32_t iss = seg->ack.v - 1;
    uint32_t irs = seg->seq.v - 1;
    uint32_t data = iss >> MAC_BITS;
    uint64_t epoch = stack->tcp.now / EPOCH_NS;
    if ((epoch & 1) != data >> 3) {
        epoch--; /* of this epoch, or else of the one before */
    }
    struct flow_words flow;
    flow_words_of(&arrival->key, &flow);
    if (!alive(stack) || cookie(stack, &flow, irs, epoch, data & 7) != iss) {
        return false;
    }
    *half_open = (struct tcp_half_open){
        .iss = seq_of(iss),
        .irs = seq_of(irs),
        .wnd = seg->wnd,
        .mss = mss_table[data & 7],
        .interface = arrival->interface,
    };
    return take_stamp(stack, &seg->options, &flow, half_open);
}

const struct estab_cookies estab_syn_cookies = {.answer = answer, .check = check};
const struct estab_cookies estab_syn_cookies_always = {.answer = answer, .check = check, .always = true};
