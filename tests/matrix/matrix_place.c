/*
 * The places of the matrix and how each is reached: from a fresh stack, by packets of a peer and calls of the
 * user alone (RFC 9293 3.10.1 to 3.10.5 and 3.10.7), in virtual time. A recipe is a line of words; `take`
 * below has one case for each.
 *
 * The time at which a recipe begins is chosen so that our ISS (RFC 9293 3.4.1: a clock of 4 us and a keyed
 * hash) comes to lie where the placement wants it.
 */
#include "matrix/figure.h"
#include "matrix/matrix.h"

#include <stdlib.h>

#define SECOND   UINT64_C(1000000000)
#define MS       UINT64_C(1000000)
#define START    (1000 * SECOND)
#define FLIGHT   1000u
#define PEER_WND 3000u
#define PEER_MSS 500u

const struct matrix_place matrix_places[] = {
    /* name, what is special, recipe, state, never with a window of zero */
    {"CLOSED", "nobody listens", "", ESTAB_CLOSED, false},
    {"LISTEN", "a listener", "listen", ESTAB_LISTEN, false},
    {"LISTEN", "a passive OPEN", "passive", ESTAB_LISTEN, false},
    {"SYN-SENT", "an active OPEN", "connect", ESTAB_SYN_SENT, false},
    {"SYN-RECEIVED-PASSIVE", "a listener's child", "listen syn:fill", ESTAB_SYN_RECEIVED, false},
    {"SYN-RECEIVED-PASSIVE", "a passive OPEN", "passive syn:fill", ESTAB_SYN_RECEIVED, false},
    {"SYN-RECEIVED-PASSIVE", "text in the SYN", "listen syn:text", ESTAB_SYN_RECEIVED, true},
    {"SYN-RECEIVED-ACTIVE", "both opened", "connect syn:fill", ESTAB_SYN_RECEIVED, false},
    {"SYN-RECEIVED-ACTIVE", "both opened, text in the SYN", "connect syn:text", ESTAB_SYN_RECEIVED, true},
    {"ESTABLISHED", "text in flight", "connect synack fill send", ESTAB_ESTABLISHED, false},
    {"ESTABLISHED", "text behind a gap", "listen syn ack accept gap", ESTAB_ESTABLISHED, true},
    {"ESTABLISHED", "ACK delayed, urgent mark, text in flight", "connect synack send text", ESTAB_ESTABLISHED,
     true},
    {"ESTABLISHED", "FIN behind a gap, text in flight", "connect synack gap:fin send", ESTAB_ESTABLISHED,
     true},
    {"ESTABLISHED", "challenges used up", "listen syn ack accept spend", ESTAB_ESTABLISHED, true},
    {"FIN-WAIT-1", "text and FIN in flight", "connect synack fill send shutdown", ESTAB_FIN_WAIT_1, false},
    {"FIN-WAIT-1", "released", "listen syn ack accept close", ESTAB_FIN_WAIT_1, true},
    {"FIN-WAIT-1", "text behind a gap", "connect synack gap shutdown", ESTAB_FIN_WAIT_1, true},
    {"FIN-WAIT-1", "closed in SYN-RECEIVED", "passive syn:fill shutdown", ESTAB_FIN_WAIT_1, false},
    {"FIN-WAIT-2", "half closed", "connect synack fill send shutdown ack", ESTAB_FIN_WAIT_2, false},
    {"FIN-WAIT-2", "released", "listen syn ack accept close ack", ESTAB_FIN_WAIT_2, true},
    {"FIN-WAIT-2", "FIN behind a gap", "connect synack gap:fin shutdown ack", ESTAB_FIN_WAIT_2, true},
    {"CLOSE-WAIT", "text in flight", "connect synack fill:fin send fin", ESTAB_CLOSE_WAIT, false},
    {"CLOSE-WAIT", "nothing in flight", "listen syn ack accept fin", ESTAB_CLOSE_WAIT, true},
    {"CLOSING", "text and FIN in flight", "connect synack fill:fin send shutdown fin", ESTAB_CLOSING, false},
    {"CLOSING", "released", "listen syn ack accept close fin", ESTAB_CLOSING, true},
    {"LAST-ACK", "text and FIN in flight", "connect synack fill:fin send fin shutdown", ESTAB_LAST_ACK,
     false},
    {"LAST-ACK", "released", "listen syn ack accept fin close", ESTAB_LAST_ACK, true},
    {"TIME-WAIT", "the user holds on", "listen syn ack accept fill:fin send shutdown ack fin",
     ESTAB_TIME_WAIT, false},
    {"TIME-WAIT", "released", "listen syn ack accept close ack fin", ESTAB_TIME_WAIT, true},
    {"TIME-WAIT", "by way of CLOSING", "listen syn ack accept shutdown fin ack", ESTAB_TIME_WAIT, true},
    {"TIME-WAIT", "challenges used up", "listen syn ack accept shutdown ack fin spend", ESTAB_TIME_WAIT,
     true},
    {"TIME-WAIT", "nobody listens", "connect synack shutdown ack fin", ESTAB_TIME_WAIT, true},
};
const unsigned matrix_place_count = sizeof matrix_places / sizeof matrix_places[0];

_Noreturn static void give_up(const struct matrix_bench *bench, const char *why, const char *word)
{
    const struct matrix_spot *spot = &bench->spot;
    fprintf(stderr, "estab_matrix: %s (%s; %s; %s) cannot be reached: %s%s%s\n", spot->place->name,
            spot->place->what, matrix_window_name(spot->window), matrix_placement_name(spot->placement), why,
            *word != 0 ? " at " : "", word);
    exit(3);
}

/* ---- addresses and the stack ---- */

static struct estab_addr address(const struct matrix_bench *bench, uint8_t last, uint16_t port)
{
    if (!bench->v6) {
        return estab_addr_ipv4(10, 9, 0, last, port);
    }
    struct estab_addr addr = {.ip = {0xfd, 9}, .port = port};
    addr.ip[15] = last;
    return addr;
}

static void make_stack(struct matrix_bench *bench)
{
    struct estab_config config;
    estab_config_init(&config);
    for (unsigned i = 0; i < sizeof config.secret; i++) {
        config.secret[i] = (uint8_t)(i * 11 + 3);
    }
    config.ethernet = NULL;
    config.ipv6 = bench->v6 ? &estab_ipv6 : NULL;
    config.max_connections = 6; /* the text of a SYN is kept while there is plenty of room */
    config.max_time_wait = 2;
    config.max_neighbours = 1;
    config.block_size = 256;
    config.receive_buffer = bench->limit;
    config.send_buffer = 4 * FLIGHT;
    config.no_timestamps = !bench->spot.timestamps;
    config.trace_records = MATRIX_TRACE;
    int error = 0;
    const char *what = NULL;
    memset(bench->memory, 0xa5, sizeof bench->memory);
    bench->stack = estab_init(bench->memory, sizeof bench->memory, &config, &error, &what);
    if (bench->stack == NULL) {
        give_up(bench, estab_strerror(error), what);
    }
    struct estab_interface interface = {.size = sizeof interface, .mtu = MATRIX_MTU};
    struct estab_addr local = address(bench, 2, 0);
    int number = estab_interface_add(bench->stack, bench->now, &interface);
    if (number != 1 || estab_address_add(bench->stack, bench->now, 1, &local, bench->v6 ? 64 : 24) != 0) {
        give_up(bench, "no interface", "");
    }
}

/* ---- what goes to and fro ---- */

static void drain(struct matrix_bench *bench)
{
    uint8_t room[2048];
    struct estab_packet packet = {.data = room, .capacity = sizeof room};
    while (estab_pull(bench->stack, bench->now, &packet, 1) == 1) {
        struct matrix_sent sent;
        matrix_parse(bench, &packet, true, &sent);
        if (sent.broken != NULL) {
            give_up(bench, sent.broken, "");
        }
        const struct oracle_segment *seg = &sent.segment;
        if (seg->flags & ORACLE_RST) {
            give_up(bench, "a RST was sent", "");
        }
        bench->seen_nxt = seg->seq + seg->text_length + ((seg->flags & ORACLE_SYN) ? 1 : 0) +
                          ((seg->flags & ORACLE_FIN) ? 1 : 0);
        if (seg->timestamps) {
            bench->tsecr = seg->tsval;
            bench->ts_offset = seg->tsval - (uint32_t)(bench->now / MS);
        }
        packet.slices = NULL;
    }
}

/* A segment of the peer at `seq`, as it would send it. */
static void peer_at(struct matrix_bench *bench, uint32_t seq, uint8_t flags, uint32_t length)
{
    uint8_t bytes[2048];
    struct oracle_segment seg = {
        .seq = seq,
        .ack = (flags & ORACLE_ACK) ? bench->peer_ack : 0,
        .text_length = length,
        .window = PEER_WND,
        .flags = flags,
        .up = (flags & ORACLE_URG) ? (uint16_t)(length + 25) : 0,
        .timestamps = true,
        .tsval = ++bench->tsval,
        .tsecr = (flags & ORACLE_ACK) ? bench->tsecr : 0,
        .window_scale = -1,
    };
    if (flags & ORACLE_SYN) {
        seg.mss = PEER_MSS;
        seg.window_scale = bench->peer_scale;
        seg.sack_permitted = bench->spot.placement != WRAP_AHEAD;
    }
    size_t size = matrix_packet(bench, &seg, true, bytes);
    struct estab_packet packet = {.data = bytes, .length = (uint32_t)size, .interface = 1};
    estab_input(bench->stack, bench->now, &packet, 1);
    bool challenged = packet.reason == ESTAB_DROP_SYN_CHALLENGED;
    if (packet.reason != ESTAB_DROP_NONE && !challenged) {
        give_up(bench, estab_drop_name(packet.reason), "");
    }
}

/* The next one in order. */
static void peer(struct matrix_bench *bench, uint8_t flags, uint32_t length)
{
    peer_at(bench, bench->peer_nxt, flags, length);
    bench->peer_nxt += length + ((flags & ORACLE_SYN) ? 1 : 0) + ((flags & ORACLE_FIN) ? 1 : 0);
    drain(bench);
}

static void peer_acks_all(struct matrix_bench *bench)
{
    bench->peer_ack = bench->seen_nxt;
}

/* A delayed ACK goes out. */
static void wait_for_ack(struct matrix_bench *bench)
{
    bench->now += 41 * MS;
    while (estab_tick(bench->stack, bench->now)) {
    }
    drain(bench);
}

/* ---- words of the user ---- */

static int bound(struct matrix_bench *bench, estab_conn *conn)
{
    struct estab_addr local = address(bench, 2, MATRIX_LOCAL_PORT);
    int error = estab_open(bench->stack, conn);
    if (error == 0) {
        error = estab_set(bench->stack, bench->now, *conn, ESTAB_OPTION_NODELAY, 1);
    }
    return error != 0 ? error : estab_bind(bench->stack, bench->now, *conn, &local);
}

static int do_connect(struct matrix_bench *bench)
{
    struct estab_addr remote = address(bench, 1, MATRIX_PEER_PORT);
    int error = bound(bench, &bench->conn);
    error = error != 0 ? error : estab_connect(bench->stack, bench->now, bench->conn, &remote);
    drain(bench);
    peer_acks_all(bench);
    return error;
}

static int do_listen(struct matrix_bench *bench)
{
    int error = bound(bench, &bench->listener);
    return error != 0 ? error : estab_listen(bench->stack, bench->now, bench->listener, 2);
}

static int do_passive(struct matrix_bench *bench)
{
    int error = bound(bench, &bench->conn);
    return error != 0 ? error : estab_open_passive(bench->stack, bench->now, bench->conn, NULL);
}

static int do_send(struct matrix_bench *bench)
{
    static const uint8_t text[FLIGHT];
    ptrdiff_t sent = estab_send(bench->stack, bench->now, bench->conn, text, sizeof text, 0);
    drain(bench);
    return sent == (ptrdiff_t)sizeof text ? 0 : -ESTAB_EAGAIN;
}

static int do_close(struct matrix_bench *bench, bool release)
{
    int error = release ? estab_close(bench->stack, bench->now, bench->conn)
                        : estab_shutdown(bench->stack, bench->now, bench->conn, ESTAB_SHUT_WR);
    drain(bench);
    return error;
}

/* ---- words of the peer ---- */

static int do_syn(struct matrix_bench *bench, uint32_t text)
{
    peer(bench, ORACLE_SYN, text);
    peer_acks_all(bench);
    return 0;
}

/* The window is filled: by all of it, or by all but the octet of a FIN. */
static int do_fill(struct matrix_bench *bench, uint32_t spare)
{
    if (bench->spot.window == WINDOW_ZERO) {
        peer(bench, ORACLE_ACK, bench->limit - spare);
        wait_for_ack(bench);
    }
    return 0;
}

static int do_gap(struct matrix_bench *bench, uint8_t flags)
{
    peer_at(bench, bench->peer_nxt + 10, (uint8_t)(ORACLE_ACK | flags), 10);
    drain(bench);
    return 0;
}

/* The challenge ACKs of this second, provoked by SYNs with an ACK (RFC 5961 4.2 and 7). */
static int do_spend(struct matrix_bench *bench)
{
    for (unsigned i = 0; i < ORACLE_CHALLENGES; i++) {
        peer_at(bench, bench->peer_nxt, ORACLE_SYN | ORACLE_ACK, 0);
        drain(bench);
    }
    return 0;
}

static bool is(const char *word, const char *name)
{
    return strcmp(word, name) == 0;
}

static int take(struct matrix_bench *bench, const char *word)
{
    if (is(word, "listen")) {
        return do_listen(bench);
    } else if (is(word, "passive")) {
        return do_passive(bench);
    } else if (is(word, "connect")) {
        return do_connect(bench);
    } else if (is(word, "accept")) {
        return estab_accept(bench->stack, bench->now, bench->listener, &bench->conn);
    } else if (is(word, "send")) {
        return do_send(bench);
    } else if (is(word, "shutdown") || is(word, "close")) {
        return do_close(bench, is(word, "close"));
    } else if (is(word, "syn")) {
        return do_syn(bench, 0);
    } else if (is(word, "syn:fill")) {
        return do_syn(bench, bench->spot.window == WINDOW_ZERO ? bench->limit : 0);
    } else if (is(word, "syn:text")) {
        return do_syn(bench, 40);
    } else if (is(word, "fill") || is(word, "fill:fin")) {
        return do_fill(bench, is(word, "fill") ? 0 : 1);
    } else if (is(word, "gap") || is(word, "gap:fin")) {
        return do_gap(bench, is(word, "gap") ? 0 : ORACLE_FIN);
    } else if (is(word, "spend")) {
        return do_spend(bench);
    } else if (is(word, "text")) {
        peer(bench, ORACLE_ACK | ORACLE_URG, 40);
        return 0;
    } else if (is(word, "fin")) {
        peer(bench, ORACLE_ACK | ORACLE_FIN, 0);
        return 0;
    } else if (is(word, "ack") || is(word, "synack")) {
        peer_acks_all(bench);
        peer(bench, is(word, "ack") ? ORACLE_ACK : ORACLE_SYN | ORACLE_ACK, 0);
        return 0;
    }
    return -ESTAB_EINVAL;
}

static void cook(struct matrix_bench *bench, const char *recipe)
{
    struct figure_replay *replay = figure_replay_new();
    char word[16];
    while (*recipe != 0) {
        size_t length = strcspn(recipe, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, recipe);
        recipe += length + (recipe[length] == ' ');
        int error = take(bench, word);
        if (error != 0) {
            give_up(bench, estab_strerror(error), word);
        }
        const char *wrong = estab_check(bench->stack);
        wrong = wrong != NULL ? wrong : figure_replay_pull(replay, bench->stack);
        if (wrong != NULL) {
            give_up(bench, wrong, word);
        }
    }
    figure_replay_free(replay);
}

/* ---- where the numbers lie ---- */

/* The ISS and the timestamps of this flow, asked for by an OPEN that is thrown away. */
static void probe(struct matrix_bench *bench)
{
    bench->now = START;
    make_stack(bench);
    do_connect(bench);
    bench->iss_at_zero = bench->seen_nxt - 1 - (uint32_t)(START / 4000);
}

static uint32_t iss_wanted(enum matrix_placement placement)
{
    switch (placement) {
    case WRAP_INSIDE: return 0u - FLIGHT / 2;
    case WRAP_AHEAD: return 0u - FLIGHT - 1;  /* SND.NXT is 0 once the text is out */
    default: return 0x80000000u - FLIGHT / 2; /* nor does 2^31 mean anything */
    }
}

static uint32_t irs_wanted(const struct matrix_bench *bench)
{
    switch (bench->spot.placement) {
    case WRAP_INSIDE: return bench->spot.window == WINDOW_SCALED ? 0u - 100000 : 0u - 155;
    case WRAP_AHEAD: return 0u - bench->limit - 1; /* the right edge of a fresh window is 0 */
    default: return 0x80000000u - 155;
    }
}

/* When the ISS is the one that is wanted, and the second is young: its challenge ACKs are of this second. */
static uint64_t time_of(const struct matrix_bench *bench, uint32_t iss)
{
    uint64_t ticks = (uint32_t)(iss - bench->iss_at_zero - (uint32_t)(START / 4000));
    uint64_t now = START + ticks * 4000;
    while (now % SECOND < SECOND / 10 || now % SECOND > SECOND / 2) {
        now += (UINT64_C(1) << 32) * 4000;
    }
    return now;
}

/* The record that the place is about. */
static uint32_t find_index(const struct matrix_bench *bench)
{
    const struct estab_stack *stack = bench->stack;
    const struct conn *listener = conn_of(stack, bench->listener);
    for (uint32_t i = 0; i < stack->conn_fresh; i++) {
        const struct conn *conn = &stack->conns[i];
        if (conn != listener && conn->tcp.state == bench->spot.place->state) {
            return i;
        }
    }
    return listener != NULL && bench->spot.place->state == ESTAB_LISTEN ? conn_index(stack, listener) : NONE;
}

void matrix_build(struct matrix_bench *bench, const struct matrix_spot *spot)
{
    static const int8_t scales[WINDOWS] = {[WINDOW_ZERO] = 2, [WINDOW_SMALL] = -1, [WINDOW_SCALED] = 3};
    bench->spot = *spot;
    bench->v6 = spot->placement == WRAP_FAR;
    bench->limit = spot->window == WINDOW_SCALED ? MATRIX_BIG_BUFFER : MATRIX_BUFFER;
    bench->peer_scale = scales[spot->window];
    bench->irs = irs_wanted(bench);
    bench->tsval = spot->placement == WRAP_INSIDE ? UINT32_MAX - 1 : 0x7ffffffe;
    bench->tsecr = bench->peer_ack = bench->seen_nxt = 0;
    probe(bench);
    bench->now = time_of(bench, iss_wanted(spot->placement));
    bench->conn = bench->listener = 0;
    bench->peer_nxt = bench->irs;
    make_stack(bench);
    cook(bench, spot->place->recipe);
    bench->index = find_index(bench);
    bench->two_msl_since = bench->now;
    struct oracle_tcb tcb;
    matrix_read(bench, bench->now, NULL, &tcb);
    if (tcb.state != (unsigned)spot->place->state) {
        give_up(bench, "the state is another", "");
    }
}

struct oracle_offer matrix_offer(const struct matrix_bench *bench, const struct oracle_tcb *before,
                                 uint64_t now)
{
    bool reuses = before->state == ESTAB_TIME_WAIT;
    return (struct oracle_offer){
        /* in TIME-WAIT's place: well beyond what the old connection has sent (RFC 6191 2) */
        .iss = reuses ? before->snd_nxt + 65537 : bench->iss_at_zero + (uint32_t)(now / 4000),
        .receive_window = bench->limit,
        .mss = (uint16_t)(MATRIX_MTU - (bench->v6 ? 60 : 40)),
        .shift = bench->spot.window == WINDOW_SCALED ? 2 : 0,
        .timestamps = bench->spot.timestamps,
        .window_scale = true,
        .sack = true,
        .v6 = bench->v6,
    };
}
