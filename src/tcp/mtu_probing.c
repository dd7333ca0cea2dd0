/*
 * See mtu_probing.h. There is no timer: whether a search is due is decided when there is text to send. It
 * knows nothing of packets and addresses but the family of the latter.
 */
#include "tcp/mtu_probing.h"

#define IPV4_BASE   (1024u - 40u) /* RFC 4821 7.2, R4821-01: what a path should take */
#define IPV4_FLOOR  (552u - 40u)  /* as of packet too big (RFC 5927 7) */
#define IPV6_FLOOR  (1280u - 60u) /* RFC 8200 5 */
#define TIMEOUTS    3u            /* R1 of them, and then each second one, make a black hole (MUST-20) */
#define MAX_PROBES  3u            /* of one size are lost before it is too large (R8899-03) */
#define RESOLUTION  16u           /* a range smaller than this is not searched */
#define BEHIND      4u            /* segments to follow a probe: duplicate ACKs tell of its loss (R4821-03) */
#define WINDOWS     2u            /* of text behind a lost probe before the next (RFC 4821 7.6.2) */
#define CLOCK_SHIFT 32            /* mtu.since is in units of 4.3 s, */
#define RAISE_UNITS 140u          /* ten minutes until what failed is tried again (R8899-02, RFC 8201 4) */

static uint16_t clock_of(uint64_t now)
{
    return (uint16_t)(now >> CLOCK_SHIFT);
}

static bool off(const struct tcp_context *ctx)
{
    return ctx->limits->mtu_probing == ESTAB_MTU_PROBING_OFF;
}

static uint32_t text_of(const struct tcp_conn *c, uint32_t size)
{
    return size - (c->timestamps ? 12u : 0u);
}

/* What a segment of `size` shrinks to where it vanishes. */
static uint32_t smaller(const struct tcp_conn *c, uint32_t size)
{
    uint32_t least = c->v6 ? IPV6_FLOOR : size > IPV4_BASE ? IPV4_BASE : IPV4_FLOOR;
    return size < least ? size : least;
}

/*
 * The size to probe next: the middle of what is left, and its upper end where little is; 0 = the search has
 * ended (RFC 4821 7.3, R4821-02).
 */
static uint32_t next_size(const struct tcp_conn *c)
{
    uint32_t range = c->mtu.high > c->path_mss ? (uint32_t)(c->mtu.high - c->path_mss) : 0;
    if (range > 0 && c->mtu_untried && range <= 2 * RESOLUTION) {
        return c->mtu.high;
    }
    return range < RESOLUTION ? 0 : c->path_mss + (range + 1) / 2;
}

/* A search over the whole range begins when `since` is ten minutes ago. */
static void search_since(struct tcp_conn *c, uint16_t since)
{
    c->mtu.since = since;
    c->mtu.high = c->mtu.most;
    c->mtu_untried = true;
    c->mtu_failures = 0;
    c->mtu_search = c->path_mss < c->mtu.most || c->mtu.size != 0;
}

static void search_later(struct tcp_conn *c, const struct tcp_context *ctx)
{
    search_since(c, clock_of(ctx->now));
}

static void search_now(struct tcp_conn *c, const struct tcp_context *ctx)
{
    search_since(c, (uint16_t)(clock_of(ctx->now) - RAISE_UNITS));
}

void mtu_probing_begin(struct tcp_conn *c, const struct tcp_context *ctx)
{
    c->mtu.size = 0;
    c->mtu.seq = c->snd_nxt;
    c->mtu_search = false;
    if (off(ctx)) {
        return;
    }
    c->mtu.most = c->peer_mss < c->mtu.most ? c->peer_mss : c->mtu.most;
    if (ctx->limits->mtu_probing == ESTAB_MTU_PROBING_ALWAYS) {
        uint32_t base = c->v6 ? IPV6_FLOOR : IPV4_BASE;
        c->path_mss = c->path_mss < base ? c->path_mss : (uint16_t)base;
        search_now(c, ctx);
    } else {
        search_later(c, ctx); /* where less than the link's was told of: ten minutes are kept */
    }
}

/* RFC 4821 7.4, R4821-03: text and windows for the probe and enough behind it, nothing lost, and none out. */
uint32_t mtu_probing_due(const struct tcp_conn *c, uint64_t now)
{
    bool waits = (uint16_t)(clock_of(now) - c->mtu.since) < RAISE_UNITS || seq_lt(c->snd_nxt, c->mtu.seq);
    if (waits || c->mtu.size != 0 || c->recovery.phase != RECOVERY_OPEN || c->scoreboard.dup_acks > 0) {
        return 0;
    }
    uint32_t size = next_size(c);
    if (size == 0) {
        return 0;
    }
    uint32_t text = text_of(c, size);
    uint32_t all = text + BEHIND * conn_snd_mss(c);
    bool enough = conn_unsent(c) >= all && c->cwnd >= all && c->snd_wnd >= conn_flight(c) + all;
    return enough ? text : 0;
}

void mtu_probing_on_sent(struct tcp_conn *c, struct tcp_context *ctx, tcp_seq seq, uint32_t text)
{
    c->mtu.seq = seq;
    c->mtu.size = (uint16_t)(text + (c->timestamps ? 12u : 0u));
    ctx->counters->mtu_probes_sent++;
}

bool mtu_probing_on_ack_in_front(struct tcp_conn *c, const struct tcp_segment *seg)
{
    if (c->recovery.phase != RECOVERY_OPEN && c->recovery.phase != RECOVERY_MTU_PROBE) {
        return false;
    }
    uint32_t reported = 0;
    for (unsigned i = 0; i < seg->options.sack_count; i++) {
        tcp_seq left = seg->options.sack[i].left;
        tcp_seq right = seg->options.sack[i].right;
        bool sent = seq_in_window(left, c->snd_una, conn_flight(c)) && seq_between(left, right, c->snd_nxt);
        reported += sent ? seq_diff(right, left) : 0;
    }
    uint32_t segments = reported / conn_snd_mss(c);
    segments = segments < UINT8_MAX ? segments : UINT8_MAX;
    if (segments > c->scoreboard.dup_acks + 1u) {
        c->scoreboard.dup_acks = (uint8_t)(segments - 1); /* and this one */
    }
    return segments > 0;
}

void mtu_probing_end(struct tcp_conn *c)
{
    c->mtu.size = 0;
    c->mtu.seq = seq_add(c->snd_nxt, WINDOWS * c->cwnd);
}

void mtu_probing_on_sent_again(struct tcp_conn *c, tcp_seq from, uint32_t length)
{
    bool recovered = c->recovery.phase == RECOVERY_MTU_PROBE; /* what is known of it counts already */
    if (c->mtu.size != 0 && !recovered && seq_lt(from, mtu_probing_edge(c)) &&
        seq_gt(seq_add(from, length), c->mtu.seq)) {
        mtu_probing_end(c); /* R4821-08 */
    }
}

void mtu_probing_on_ack(struct tcp_conn *c, const struct tcp_context *ctx)
{
    bool out = c->mtu.size != 0 && c->recovery.phase != RECOVERY_MTU_PROBE;
    if (!out || seq_lt(c->snd_una, mtu_probing_edge(c))) {
        return;
    }
    c->path_mss = c->mtu.size < c->mtu.most ? c->mtu.size : c->mtu.most; /* R4821-05 */
    c->mtu.size = 0;
    c->mtu.seq = c->snd_nxt;
    c->mtu_failures = 0;
    if (next_size(c) == 0) {
        search_later(c, ctx);
    }
}

void mtu_probing_on_loss(struct tcp_conn *c, struct tcp_context *ctx)
{
    ctx->counters->mtu_probes_lost++;
    if (++c->mtu_failures < MAX_PROBES) {
        return;
    }
    c->mtu_failures = 0;
    if (c->mtu.size <= c->mtu.high) {
        c->mtu.high = (uint16_t)(c->mtu.size - 1);
        c->mtu_untried = false;
    }
    if (next_size(c) == 0) {
        search_later(c, ctx);
    }
}

/*
 * RFC 4821 7.7, R4821-09: what vanishes so persistently may have been too large, if it was larger than what
 * we shrink to. The search that begins at once makes good where the path was only broken.
 */
static void black_hole(struct tcp_conn *c, struct tcp_context *ctx)
{
    uint32_t text = conn_snd_mss(c);
    text = conn_flight(c) < text ? conn_flight(c) : text;
    text = c->snd_wnd < text ? c->snd_wnd : text;
    uint32_t size = text + (c->timestamps ? 12u : 0u); /* of the segment in front */
    uint32_t least = smaller(c, size);
    if (least >= size) {
        return;
    }
    c->path_mss = (uint16_t)least;
    ctx->counters->black_holes++;
    search_now(c, ctx);
}

void mtu_probing_on_timeout(struct tcp_conn *c, struct tcp_context *ctx)
{
    if (c->mtu.size != 0) {
        if (c->recovery.phase != RECOVERY_MTU_PROBE) {
            mtu_probing_on_loss(c, ctx); /* R4821-07 */
        }
        mtu_probing_end(c);
    }
    bool due = c->retransmits >= TIMEOUTS && (c->retransmits - TIMEOUTS) % 2 == 0;
    if (due && !off(ctx)) {
        black_hole(c, ctx);
    }
}

void mtu_probing_on_path_lowered(struct tcp_conn *c, const struct tcp_context *ctx)
{
    if (!off(ctx)) {
        c->mtu.size = 0; /* all that is out goes again */
        search_later(c, ctx);
    }
}

/* RFC 8899 4.6.2, R8899-01: the router that would not take the probe says what it takes. */
void mtu_probing_on_probe_refused(struct tcp_conn *c, const struct tcp_context *ctx, uint32_t mss)
{
    if (c->mtu.size <= mss || c->mtu.high <= mss || mss < c->path_mss) {
        return;
    }
    c->mtu.high = (uint16_t)mss;
    c->mtu_untried = true;
    c->mtu_failures = 0;
    if (next_size(c) == 0) {
        search_later(c, ctx);
    }
}

void mtu_probing_on_link(struct tcp_conn *c, uint32_t mss)
{
    if (mss < c->mtu.most) {
        c->mtu.most = (uint16_t)mss;
        c->mtu.high = c->mtu.high < mss ? c->mtu.high : (uint16_t)mss;
    }
}

const char *mtu_probing_check(const struct tcp_conn *c)
{
    if (c->mtu.size != 0 &&
        !(seq_lt(c->snd_una, mtu_probing_edge(c)) && seq_leq(mtu_probing_edge(c), c->snd_nxt))) {
        return "the probe of the path MTU is in flight";
    }
    if (c->recovery.phase == RECOVERY_MTU_PROBE && c->mtu.size == 0) {
        return "there is a probe to recover from";
    }
    if (c->mtu.size != 0 && !c->mtu_search) {
        return "a probe of the path MTU belongs to a search";
    }
    if (c->mtu_search && c->mtu.high > c->mtu.most) {
        return "the search for a path MTU ends at what the link takes";
    }
    return NULL;
}
