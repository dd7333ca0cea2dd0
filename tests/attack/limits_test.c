/*
 * Answers to what is forged, counted by the second: challenge ACKs of whatever holds a connection's state
 * (RFC 5961 7: the connection, its entry in the SYN cache, its TIME-WAIT record), and RSTs and echo replies
 * for strangers. Each has its own limit, whatever is done to the others; that none shows in another's is the
 * business of worlds_test.c.
 */
#include "attack/bench.h"

#define SERVICE 80
#define ROUNDS  (ESTAB_TEST_SLOW ? 100u : 1000u) /* forged segments a second and connection */

/* ---- who listens to the answers ---- */

#define PEERS 100u

struct counts {
    struct bench b;
    estab_conn listener;
    unsigned acks[PEERS]; /* by the port of the peer */
    unsigned resets, echoes;
    struct heard last;
};

static void hear(void *user, const uint8_t *packet, size_t length)
{
    struct counts *c = user;
    struct heard h = read_packet(packet, length);
    unsigned peer = h.to.port - 5000u;
    c->last = h;
    c->resets += h.tcp && (h.flags & RST) != 0;
    c->echoes += !h.tcp;
    if (h.tcp && h.flags == ACK && peer < PEERS) {
        c->acks[peer]++;
    }
}

static struct counts *counts_start(const struct estab_config *config, size_t memory)
{
    struct counts *c = calloc(1, sizeof *c);
    bench_start(&c->b, config, memory);
    c->b.hear = hear;
    c->b.user = c;
    c->listener = bench_listen(&c->b, SERVICE, 1000);
    return c;
}

static void counts_stop(struct counts *c)
{
    bench_stop(&c->b);
    free(c);
}

/* ---- challenge ACKs ---- */

enum holder { ENTRY, CONNECTION, RECORD, HOLDERS };

struct peer {
    struct packet_fields f; /* from, to, what is next and right */
};

static void tell(struct counts *c, struct peer *p, unsigned flags)
{
    p->f.flags = flags;
    bench_tcp(&c->b, &p->f);
    bench_flush(&c->b);
    p->f.seq += (flags & (SYN | FIN)) != 0;
}

/* SYN-RECEIVED in the cache, ESTABLISHED, or TIME-WAIT after the stack closed first. */
static struct peer hold(struct counts *c, enum holder holder, unsigned number)
{
    struct peer p = {.f = {.from = host_addr(false, 30, 5, (uint16_t)(5000 + number)),
                           .to = bench_addr(false, SERVICE),
                           .seq = 1000}};
    estab_conn conn;
    tell(c, &p, SYN);
    p.f.ack = c->last.seq + 1;
    if (holder == ENTRY) {
        return p;
    }
    tell(c, &p, ACK);
    assert_int_equal(estab_accept(c->b.stack, c->b.now, c->listener, &conn), 0);
    if (holder == RECORD) {
        assert_int_equal(estab_close(c->b.stack, c->b.now, conn), 0);
        bench_flush(&c->b);
        p.f.ack++;
        tell(c, &p, FIN | ACK);
    }
    return p;
}

/* One of the segments that RFC 5961 and 9293 3.10.7.4 answer by an ACK: none has text. */
static void forge(struct counts *c, const struct peer *p, unsigned kind)
{
    static const struct {
        unsigned flags;
        uint32_t seq, ack;
    } kinds[] = {{SYN, 0xffff0000, 0},
                 {ACK, 0x40000000, 0},
                 {SYN | ACK, 0x80000000, 0},
                 {ACK, 0xfff00000, 0},
                 {FIN | ACK, 0x20000000, 0}};
    struct packet_fields f = p->f;
    f.flags = kinds[kind % 5].flags;
    f.seq += kinds[kind % 5].seq;
    f.ack += kinds[kind % 5].ack;
    bench_tcp(&c->b, &f);
}

static void to_next_second(struct counts *c)
{
    bench_advance(&c->b, SECOND - c->b.now % SECOND);
    memset(c->acks, 0, sizeof c->acks);
    c->resets = c->echoes = 0;
}

static void flood_holder(enum holder holder, unsigned limit)
{
    struct estab_config config;
    bench_config(&config, 1);
    config.challenge_acks = limit; /* 0 = 2 */
    struct counts *c = counts_start(&config, 4 << 20);
    struct peer p = hold(c, holder, 0);
    for (unsigned second = 0; second < 5; second++) {
        to_next_second(c);
        for (unsigned i = 0; i < ROUNDS; i++) {
            forge(c, &p, i);
            bench_advance(&c->b, SECOND / ROUNDS * 9 / 10);
        }
        assert_int_equal(c->acks[0], limit == 0 ? 2 : limit);
    }
    struct estab_memory memory;
    estab_memory(c->b.stack, &memory);
    assert_int_equal(holder == ENTRY ? memory.half_open : holder == RECORD ? memory.time_wait : 1, 1);
    counts_stop(c);
}

/* V-20, O-20, U-8, R5961-12, R5961-13: never more than two a second, or what was set, in every holder. */
static void challenge_acks_are_limited_in_every_holder(void **state)
{
    (void)state;
    for (enum holder holder = 0; holder < HOLDERS; holder++) {
        flood_holder(holder, 0);
        flood_holder(holder, 7);
    }
}

/* V-20, O-20, R5961-14: a hundred of them under attack have a hundred limits. */
static void challenge_acks_have_no_limit_in_common(void **state)
{
    (void)state;
    for (enum holder holder = 0; holder < HOLDERS; holder++) {
        struct estab_config config;
        struct peer peers[PEERS];
        bench_config(&config, 1);
        struct counts *c = counts_start(&config, 8 << 20);
        for (unsigned i = 0; i < PEERS; i++) {
            peers[i] = hold(c, holder, i);
        }
        to_next_second(c);
        for (unsigned i = 0; i < PEERS * 20; i++) {
            forge(c, &peers[i % PEERS], i / PEERS);
        }
        bench_flush(&c->b);
        for (unsigned i = 0; i < PEERS; i++) {
            assert_int_equal(c->acks[i], 2);
        }
        counts_stop(c);
    }
}

/* ---- RSTs and echo replies ---- */

static void provoke(struct counts *c, const struct estab_addr *from, bool echo)
{
    bool v6 = !is_v4(from);
    if (echo) {
        struct icmp_fields f = {.from = *from,
                                .to = bench_addr(v6, 0),
                                .type = v6 ? 128 : 8,
                                .body = (const uint8_t *)"",
                                .body_length = 0};
        uint8_t *room = bench_room(&c->b);
        bench_add(&c->b, write_icmp(room, &f));
    } else {
        struct packet_fields f = {.from = *from, .to = bench_addr(v6, 9999), .ack = 1, .flags = ACK};
        bench_tcp(&c->b, &f);
    }
}

static unsigned answers(const struct counts *c, bool echo)
{
    return echo ? c->echoes : c->resets;
}

/* V-21, V-42, O-41: of a thousand a second one remote gets 8, all together get no more than 1000. */
static void replies_to_strangers_are_limited_by_remote_and_in_sum(void **state)
{
    (void)state;
    struct estab_config config;
    uint64_t seed = 1;
    bench_config(&config, 1);
    struct counts *c = counts_start(&config, 4 << 20);
    for (unsigned round = 0; round < 8; round++) {
        bool v6 = round & 1;
        bool echo = (round & 2) != 0;
        to_next_second(c);
        struct estab_addr first = host_addr(v6, 70, 1, 1234);
        provoke(c, &first, echo);
        bench_flush(&c->b);
        assert_int_equal(answers(c, echo), 1);
        for (unsigned i = 0; i < (ESTAB_TEST_SLOW ? 20000u : 500000u); i++) {
            struct estab_addr from = host_addr(v6, 72 + roll(&seed, 180), 1 + roll(&seed, 10), 1234);
            provoke(c, &from, echo);
        }
        bench_flush(&c->b);
        assert_true(answers(c, echo) <= 1000);
        assert_true(answers(c, echo) >= 500); /* and they are given out */
        unsigned before = answers(c, echo);
        for (unsigned i = 0; i < 1000; i++) { /* who was there has its share still */
            struct estab_addr from =
                host_addr(v6, 70, v6 ? 1 + i : 1, 1234); /* a network of 64 bits has one */
            provoke(c, &from, echo);
        }
        bench_flush(&c->b);
        assert_int_equal(answers(c, echo) - before, 7);
    }
    counts_stop(c);
}

/* O-41: the sum stands whatever was set and however small the memory is; and a share is never nothing. */
static void replies_keep_to_what_was_set(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 3, 10, 64, 1000, 100000};
    for (unsigned i = 0; i < 12; i++) {
        struct estab_config config;
        uint64_t seed = 1;
        bench_config(&config, 1);
        config.replies_per_second = limits[i / 2];
        config.max_neighbours = 8;
        struct counts *c = counts_start(&config, i & 1 ? 1 << 20 : 96 << 10);
        to_next_second(c);
        for (unsigned k = 0; k < 200000; k++) {
            struct estab_addr from = host_addr(false, 72, 1 + roll(&seed, 300), 1234);
            provoke(c, &from, false);
        }
        bench_flush(&c->b);
        assert_true(c->resets <= limits[i / 2]);
        assert_true(limits[i / 2] > 1000 || c->resets * 2 >= limits[i / 2]);
        counts_stop(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenge_acks_are_limited_in_every_holder),
        cmocka_unit_test(challenge_acks_have_no_limit_in_common),
        cmocka_unit_test(replies_to_strangers_are_limited_by_remote_and_in_sum),
        cmocka_unit_test(replies_keep_to_what_was_set),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
