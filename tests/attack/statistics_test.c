/*
 * Numbers that nobody may predict, a million of each, judged by integer statistics: initial sequence
 * numbers (RFC 6528), ephemeral ports (RFC 6056), timestamp offsets (RFC 7323 7.1), flow labels (RFC
 * 6437), IP identification (RFC 6864). They come out of a whole stack, for tuples that follow one another,
 * which is what would betray a weak hash. Seeds are fixed, so each verdict is the same every time; the
 * limits lie at five standard deviations, for the chi squared of ports at p = 0.001. The same statistics
 * must refuse counters, clocks and congruential generators: the last test shows it.
 *
 * What is shown is that numbers look like chance and depend on the secret; that SipHash cannot be inverted
 * is not a matter of statistics.
 */
#include "attack/bench.h"
#include "stack/stack.h"

#define FLOWS   (ESTAB_TEST_SLOW ? 50000u : 1000000u)
#define SERVICE 80

/* ---- statistics ---- */

struct sample {
    unsigned width; /* bits of a number */
    uint64_t n;
    uint64_t ones[32];            /* by bit */
    uint64_t high[256], low[256]; /* by the eight highest, and the eight lowest bits */
    uint64_t middle[256];
    uint64_t high_step[256], low_step[256]; /* of the difference to the number before */
    uint64_t pairs[256];                    /* four bits of one and of the next */
    uint64_t repeats;                       /* differences that were the one before */
    int64_t product;                        /* of neighbours, around their mean, at 16 bits */
    uint32_t last, last_step;
};

static uint32_t top(const struct sample *s, uint32_t x, unsigned bits)
{
    return x >> (s->width - bits);
}

static void take(struct sample *s, uint32_t x)
{
    uint32_t mask = s->width == 32 ? UINT32_MAX : (1u << s->width) - 1;
    uint32_t step = (x - s->last) & mask;
    for (unsigned i = 0; i < s->width; i++) {
        s->ones[i] += x >> i & 1;
    }
    s->high[top(s, x, 8)]++;
    s->low[x & 255]++;
    s->middle[x >> (s->width / 2 - 4) & 255]++;
    if (s->n > 0) {
        s->high_step[top(s, step, 8)]++;
        s->low_step[step & 255]++;
        s->pairs[top(s, s->last, 4) << 4 | top(s, x, 4)]++;
        s->repeats += step == s->last_step;
        s->product += ((int64_t)top(s, x, 16) - 32768) * ((int64_t)top(s, s->last, 16) - 32768);
    }
    s->last = x;
    s->last_step = step;
    s->n++;
}

/* Pearson's chi squared against equal shares: bins * sum(count^2) / n - n. */
static uint64_t chi_squared(const uint64_t *counts, uint64_t bins)
{
    uint64_t squares = 0;
    uint64_t n = 0;
    for (uint64_t i = 0; i < bins; i++) {
        squares += counts[i] * counts[i];
        n += counts[i];
    }
    uint64_t scaled = squares / n * bins + squares % n * bins / n; /* bins * squares / n */
    return scaled - n;
}

/* 255 degrees of freedom: 255, standard deviation 22.6; what is too even is not by chance either. */
static bool even(const uint64_t counts[256])
{
    uint64_t chi = chi_squared(counts, 256);
    return chi >= 255 - 113 && chi <= 255 + 113;
}

static bool bits_balanced(const struct sample *s)
{
    for (unsigned i = 0; i < s->width; i++) {
        int64_t off = 2 * (int64_t)s->ones[i] - (int64_t)s->n;
        if (off * off > 25 * (int64_t)s->n) {
            return false;
        }
    }
    return true;
}

/* Correlation of neighbours: r = product / (n * variance), |r| <= 5 / sqrt(n). */
static bool uncorrelated(const struct sample *s)
{
    const int64_t variance = INT64_C(65536) * 65536 / 12;
    int64_t r_n = s->product / variance;
    return r_n * r_n <= 25 * (int64_t)s->n;
}

/* The first statistic that refuses the sample; NULL: it may be chance. */
static const char *refused(const struct sample *s)
{
    const struct {
        bool passed;
        const char *name;
    } verdicts[] = {
        {bits_balanced(s), "a bit is not balanced"},
        {even(s->high), "the high bits are not even"},
        {even(s->middle), "the middle bits are not even"},
        {even(s->low), "the low bits are not even"},
        {even(s->high_step), "the differences are not even"},
        {even(s->low_step), "the low bits of differences are not even"},
        {even(s->pairs), "neighbours are not independent"},
        {uncorrelated(s), "neighbours are correlated"},
        {s->repeats <= 3 + (s->n >> (s->width - 2)), "a difference repeats"},
    };
    for (unsigned i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        if (!verdicts[i].passed) {
            return verdicts[i].name;
        }
    }
    return NULL;
}

static void looks_like_chance(const struct sample *s)
{
    const char *why = refused(s);
    if (why != NULL) {
        fail_msg("of %u numbers: %s", (unsigned)s->n, why);
    }
}

/* ---- a stack that answers SYNs ---- */

struct answerer {
    struct bench b;
    estab_conn listener;
    struct heard last;
};

static void hear(void *user, const uint8_t *packet, size_t length)
{
    struct answerer *a = user;
    a->last = read_packet(packet, length);
}

static struct answerer *answerer_start(uint8_t secret)
{
    struct answerer *a = calloc(1, sizeof *a);
    struct estab_config config;
    bench_config(&config, secret);
    bench_start(&a->b, &config, 8 << 20);
    a->b.hear = hear;
    a->b.user = a;
    a->listener = bench_listen(&a->b, SERVICE, 1000);
    return a;
}

static void answerer_stop(struct answerer *a)
{
    bench_stop(&a->b);
    free(a);
}

/* The answer to a SYN of flow i: ports follow one another, then hosts. A RST takes it back. */
static struct heard syn_ack(struct answerer *a, bool v6, uint32_t i)
{
    static const uint8_t timestamps[12] = {1, 1, 8, 10};
    struct packet_fields f = {.from = host_addr(v6, 50, 1 + i / 50000, (uint16_t)(10000 + i % 50000)),
                              .to = bench_addr(v6, SERVICE),
                              .seq = 1000,
                              .flags = SYN,
                              .options = timestamps,
                              .options_length = 12};
    bench_tcp(&a->b, &f);
    bench_flush(&a->b);
    struct heard answer = a->last;
    assert_int_equal(answer.flags, SYN | ACK);
    assert_int_equal(answer.to.port, f.from.port);
    f.flags = RST;
    f.seq = 1001;
    f.options_length = 0;
    bench_tcp(&a->b, &f);
    bench_flush(&a->b);
    return answer;
}

/* ---- initial sequence numbers ---- */

/*
 * V-16, O-26, MUST-8, MUST-9, SHLD-1: a million, at one time, IPv4 and IPv6; beside those of another
 * secret.
 */
static void isns_look_like_chance(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct answerer *a = answerer_start(1);
        struct answerer *other = answerer_start(2);
        struct sample *isns = calloc(1, sizeof *isns);
        struct sample *both = calloc(1, sizeof *both);
        isns->width = both->width = 32;
        for (uint32_t i = 0; i < FLOWS; i++) {
            uint32_t isn = syn_ack(a, v6 == 1, i).seq;
            take(isns, isn);
            if (i % 4 == 0) {
                take(both, isn ^ syn_ack(other, v6 == 1, i).seq);
            }
        }
        looks_like_chance(isns);
        looks_like_chance(both);
        free(isns);
        free(both);
        answerer_stop(a);
        answerer_stop(other);
    }
}

/* V-16, O-26, R6528-01: the same flow again: only the clock of 4 us has gone on, exactly. */
static void isn_of_one_flow_follows_the_clock(void **state)
{
    (void)state;
    struct answerer *a = answerer_start(1);
    uint64_t seed = 9;
    for (uint32_t flow = 0; flow < 20; flow++) {
        uint32_t first = syn_ack(a, flow & 1, flow * 777).seq;
        uint64_t began = a->b.now;
        for (unsigned i = 0; i < 200; i++) {
            bench_advance(&a->b, next_random(&seed) % (i < 100 ? 20000 : 3000 * SECOND));
            uint32_t clock = (uint32_t)(a->b.now / 4000 - began / 4000);
            assert_int_equal(syn_ack(a, flow & 1, flow * 777).seq - first, clock);
        }
    }
    answerer_stop(a);
}

/* ---- timestamps ---- */

/* V-19, O-24, R7323-41: offsets to the clock are spread over all 32 bits, whatever flow. */
static void timestamp_offsets_look_like_chance(void **state)
{
    (void)state;
    struct answerer *a = answerer_start(1);
    struct answerer *other = answerer_start(2);
    struct sample *offsets = calloc(1, sizeof *offsets);
    struct sample *both = calloc(1, sizeof *both);
    offsets->width = both->width = 32;
    for (uint32_t i = 0; i < FLOWS / 5; i++) {
        struct heard answer = syn_ack(a, i & 1, i);
        assert_true(answer.has_ts);
        take(offsets, answer.tsval - (uint32_t)(a->b.now / MS));
        take(both, answer.tsval ^ syn_ack(other, i & 1, i).tsval);
    }
    looks_like_chance(offsets);
    looks_like_chance(both);
    free(offsets);
    free(both);
    answerer_stop(a);
    answerer_stop(other);
}

/* V-19, O-24: within a flow, and when it is opened again, they run with the clock of a millisecond. */
static void timestamps_of_one_flow_follow_the_clock(void **state)
{
    (void)state;
    struct answerer *a = answerer_start(1);
    uint64_t seed = 9;
    for (uint32_t flow = 0; flow < 20; flow++) {
        uint32_t first = syn_ack(a, flow & 1, flow * 777).tsval;
        uint64_t began = a->b.now;
        for (unsigned i = 0; i < 100; i++) {
            bench_advance(&a->b, next_random(&seed) % (100 * SECOND));
            uint32_t clock = (uint32_t)(a->b.now / MS - began / MS);
            assert_int_equal(syn_ack(a, flow & 1, flow * 777).tsval - first, clock);
        }
    }
    answerer_stop(a);
}

/* ---- identification and flow labels ---- */

struct ids {
    struct answerer *a;
    unsigned packets, kinds; /* bit i: flag i was seen; bit 8: an echo reply */
    uint32_t label;
    bool v6;
};

static void hear_ids(void *user, const uint8_t *packet, size_t length)
{
    struct ids *ids = user;
    struct heard h = read_packet(packet, length);
    ids->a->last = h;
    ids->packets++;
    ids->kinds |= h.tcp ? h.flags : 0x100;
    if (!ids->v6) {
        assert_int_equal(h.id, 0); /* RFC 6864 4.1: of a packet that is no fragment, it is nothing */
        assert_int_equal(h.fragment, 0x4000); /* DF */
    } else if (h.tcp) {
        assert_true(ids->label == 0 || h.label == ids->label);
        ids->label = h.label;
    }
}

static void ping(struct answerer *a, bool v6)
{
    struct icmp_fields f = {.from = host_addr(v6, 50, 1, 0),
                            .to = bench_addr(v6, 0),
                            .type = v6 ? 128 : 8,
                            .body = (const uint8_t *)"0123456789",
                            .body_length = 10};
    uint8_t *room = bench_room(&a->b);
    bench_add(&a->b, write_icmp(room, &f));
    bench_flush(&a->b);
}

/* V-18, O-28: SYN,ACK, data, FIN, retransmissions, RST and echo: DF and one constant; a label for a flow. */
static void identification_is_constant_and_labels_are_of_the_flow(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct ids ids = {.a = answerer_start(1), .v6 = v6 == 1};
        struct bench *b = &ids.a->b;
        estab_conn conn;
        b->hear = hear_ids;
        b->user = &ids;
        struct packet_fields f = {.from = host_addr(v6 == 1, 50, 1, 6000),
                                  .to = bench_addr(v6 == 1, SERVICE),
                                  .seq = 1000,
                                  .flags = ACK};
        bench_tcp(b, &f); /* for nobody: a RST */
        bench_flush(b);
        f.flags = SYN;
        bench_tcp(b, &f);
        bench_flush(b);
        f.flags = ACK;
        f.seq = 1001;
        f.ack = ids.a->last.seq + 1;
        bench_tcp(b, &f);
        bench_flush(b);
        assert_int_equal(estab_accept(b->stack, b->now, ids.a->listener, &conn), 0);
        for (unsigned i = 0; i < 100; i++) {
            assert_int_equal(estab_send(b->stack, b->now, conn, "0123456789", 10, 0), 10);
            bench_advance(b, 2 * SECOND); /* it goes more than once */
            ping(ids.a, v6 == 1);
            f.ack += 10;
            bench_tcp(b, &f);
        }
        assert_int_equal(estab_close(b->stack, b->now, conn), 0);
        bench_flush(b);
        assert_true(ids.packets > 200);
        assert_int_equal(ids.kinds & (0x100 | RST | SYN | PSH | FIN), 0x100 | RST | SYN | PSH | FIN);
        answerer_stop(ids.a);
    }
}

/* V-18, O-28: labels of flows that follow one another, and beside those of another secret. */
static void flow_labels_look_like_chance(void **state)
{
    (void)state;
    struct answerer *a = answerer_start(1);
    struct answerer *other = answerer_start(2);
    struct sample *labels = calloc(1, sizeof *labels);
    struct sample *both = calloc(1, sizeof *both);
    labels->width = both->width = 20;
    for (uint32_t i = 0; i < FLOWS / 5; i++) {
        uint32_t label = syn_ack(a, true, i).label;
        take(labels, label);
        take(both, label ^ syn_ack(other, true, i).label);
    }
    looks_like_chance(labels);
    looks_like_chance(both);
    free(labels);
    free(both);
    answerer_stop(a);
    answerer_stop(other);
}

/* ---- ports ---- */

#define PORT_LOW 1024u
#define PORTS    (65536u - PORT_LOW)

static int connect_to(struct bench *b, const struct estab_addr *to, estab_conn *conn)
{
    assert_int_equal(estab_open(b->stack, conn), 0);
    int error = estab_connect(b->stack, b->now, *conn, to);
    if (error != 0) {
        estab_close(b->stack, b->now, *conn);
    }
    return error;
}

static uint16_t port_of(struct bench *b, estab_conn conn)
{
    struct estab_status status;
    assert_int_equal(estab_status(b->stack, conn, &status), 0);
    return status.local.port;
}

static uint16_t port_to(struct bench *b, const struct estab_addr *to)
{
    estab_conn conn;
    assert_int_equal(connect_to(b, to, &conn), 0);
    uint16_t port = port_of(b, conn);
    estab_abort(b->stack, b->now, conn);
    bench_flush(b); /* the record comes free */
    return port;
}

/* A number below PORTS, stretched to 16 bits: 252 ports have each of the 256 highest values. */
static uint32_t stretched(uint32_t port)
{
    return (uint32_t)((uint64_t)port * 65536 / PORTS);
}

/*
 * What a million ports must be: each of them as often as the others, chi squared with 64511 degrees of
 * freedom at p = 0.001 on both sides; and neither the port before nor that of another destination tells
 * the next.
 */
static const char *ports_refused(uint16_t (*next)(void *user, unsigned destination), void *user)
{
    static uint64_t counts[PORTS], steps[256], pairs[256];
    const char *why = NULL;
    uint32_t last[2] = {0, 0};
    memset(counts, 0, sizeof counts);
    memset(steps, 0, sizeof steps);
    memset(pairs, 0, sizeof pairs);
    for (uint32_t i = 0; i < FLOWS; i++) {
        unsigned destination = i & 1;
        uint32_t port = (uint32_t)next(user, destination) - PORT_LOW;
        counts[port]++;
        steps[stretched((port + PORTS - last[destination]) % PORTS) >> 8]++;     /* of one destination */
        pairs[stretched((port + PORTS - last[1 - destination]) % PORTS) >> 8]++; /* of two */
        last[destination] = port;
    }
    uint64_t chi = chi_squared(counts, PORTS);
    why = !even(pairs) ? "one destination tells of another" : why;
    why = !even(steps) ? "a port tells of the next" : why;
    return chi > PORTS - 1 + 1110 || chi < PORTS - 1 - 1110 ? "ports are not even" : why;
}

struct chooser {
    struct bench b;
    struct estab_addr to[2];
};

static uint16_t next_of_stack(void *user, unsigned destination)
{
    struct chooser *c = user;
    return port_to(&c->b, &c->to[destination]);
}

/* V-17, O-27, R6056-01..05: a million connects to two destinations by turns. */
static void ports_look_like_chance(void **state)
{
    (void)state;
    struct chooser *c = calloc(1, sizeof *c);
    struct estab_config config;
    bench_config(&config, 1);
    bench_start(&c->b, &config, 4 << 20);
    c->to[0] = host_addr(false, 60, 1, 80);
    c->to[1] = host_addr(false, 60, 2, 80);
    const char *why = ports_refused(next_of_stack, c);
    if (why != NULL) {
        fail_msg("%s", why);
    }
    bench_stop(&c->b);
    free(c);
}

/*
 * V-17, O-27, R6056-06: every port of the whole range is found, down to the last, none twice; then there
 * is an error, after no more random picks than for any other, and one that comes free is found again.
 */
static void every_port_is_found_and_then_there_is_none(void **state)
{
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    struct estab_config config;
    struct estab_addr to = host_addr(false, 60, 1, 80);
    struct estab_addr other = host_addr(false, 60, 2, 80);
    uint32_t ports = ESTAB_TEST_SLOW ? 2000 : PORTS;
    uint8_t *used = calloc(1, 65536);
    estab_conn *conns = calloc(PORTS, sizeof *conns);
    estab_conn none;
    bench_config(&config, 1);
    config.port_low = (uint16_t)(65536 - ports);
    config.max_connections = ports + 10;
    config.max_time_wait = 16;
    bench_start(b, &config, 96 << 20);
    for (uint32_t i = 0; i < ports; i++) {
        assert_int_equal(connect_to(b, &to, &conns[i]), 0);
        uint16_t port = port_of(b, conns[i]);
        assert_true(port >= config.port_low && used[port] == 0);
        used[port] = 1;
    }
    for (unsigned i = 0; i < 5; i++) {
        uint64_t picks = b->stack->port_counter;
        assert_int_equal(connect_to(b, &to, &none), -ESTAB_EADDRNOTAVAIL);
        assert_true(b->stack->port_counter - picks <= 33);
        assert_int_equal(connect_to(b, &other, &none), 0); /* that is of this destination only */
        estab_abort(b->stack, b->now, none);
        uint32_t victim = ports / 7 * (i + 1);
        uint16_t freed = port_of(b, conns[victim]);
        estab_abort(b->stack, b->now, conns[victim]);
        assert_int_equal(connect_to(b, &to, &conns[victim]), 0);
        assert_int_equal(port_of(b, conns[victim]), freed);
    }
    bench_stop(b);
    free(conns);
    free(used);
    free(b);
}

/* O-27, R6056-02, R6056-03: ports with a service of ours are no ephemeral ones. */
static void ports_with_services_are_left_out(void **state)
{
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    struct estab_config config;
    struct estab_addr to = host_addr(false, 60, 1, 80);
    estab_conn conn;
    bench_config(&config, 1);
    config.port_low = 40000;
    config.port_high = 40009;
    bench_start(b, &config, 4 << 20);
    for (uint16_t port = 40000; port < 40010; port += 2) {
        (void)bench_listen(b, port, 4);
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(connect_to(b, &to, &conn), 0);
        assert_int_equal(port_of(b, conn) % 2, 1);
    }
    assert_int_equal(connect_to(b, &to, &conn), -ESTAB_EADDRNOTAVAIL);
    bench_stop(b);
    free(b);
}

/* ---- the statistics can say no ---- */

enum weak { COUNTER, COUNTER_WITH_NOISE, CLOCK, CONGRUENTIAL, NARROW, SHARED_INCREMENT, WEAK };

static uint32_t weak_number(enum weak kind, uint32_t i, uint32_t before, uint64_t *seed)
{
    switch (kind) {
    case COUNTER: return i;
    case COUNTER_WITH_NOISE:
        return before + 64000 + roll(seed, 4096); /* as 4.4BSD had it, and a little more */
    case CLOCK: return i * 2654435769u;           /* one step, however odd */
    case CONGRUENTIAL: return before * 1103515245u + 12345u;
    case NARROW: return (uint32_t)next_random(seed) & 0x7fffffff;
    default:
        return before + (uint32_t)(next_random(seed) & 0x3fffffff); /* the difference is not all by chance */
    }
}

static uint16_t next_in_order(void *user, unsigned destination)
{
    uint32_t *counter = user;
    (void)destination;
    return (uint16_t)(PORT_LOW + (*counter)++ % PORTS);
}

/* RFC 6056 3.3.3 with a table of one entry: an offset for a destination and one counter for all. */
static uint16_t next_by_offset(void *user, unsigned destination)
{
    uint32_t *counter = user;
    return (uint16_t)(PORT_LOW + (destination * 31337 + (*counter)++) % PORTS);
}

static uint16_t next_in_a_narrow_range(void *user, unsigned destination)
{
    uint64_t *seed = user;
    (void)destination;
    return (uint16_t)(32768 + roll(seed, 28232));
}

/* V-16, V-17: weak generators are refused by the same statistics, each of them; a good one is not. */
static void weak_generators_are_refused(void **state)
{
    (void)state;
    uint64_t seed = 3;
    uint32_t counter = 0;
    for (unsigned kind = 0; kind <= WEAK; kind++) {
        struct sample *s = calloc(1, sizeof *s);
        uint32_t x = 12345;
        s->width = 32;
        for (uint32_t i = 0; i < FLOWS; i++) {
            x = kind == WEAK ? (uint32_t)next_random(&seed) : weak_number(kind, i, x, &seed);
            take(s, x);
        }
        assert_int_equal(refused(s) != NULL, kind != WEAK);
        free(s);
    }
    assert_non_null(ports_refused(next_in_order, &counter));
    assert_non_null(ports_refused(next_by_offset, &counter));
    assert_non_null(ports_refused(next_in_a_narrow_range, &seed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(isns_look_like_chance),
        cmocka_unit_test(isn_of_one_flow_follows_the_clock),
        cmocka_unit_test(timestamp_offsets_look_like_chance),
        cmocka_unit_test(timestamps_of_one_flow_follow_the_clock),
        cmocka_unit_test(identification_is_constant_and_labels_are_of_the_flow),
        cmocka_unit_test(flow_labels_look_like_chance),
        cmocka_unit_test(ports_look_like_chance),
        cmocka_unit_test(every_port_is_found_and_then_there_is_none),
        cmocka_unit_test(ports_with_services_are_left_out),
        cmocka_unit_test(weak_generators_are_refused),
    };
    return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
