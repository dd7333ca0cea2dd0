/*
 * TIME-WAIT by the million (RFC 9293 3.6.1, RFC 6191, RFC 1337): row V-47. 100,000 connections a second are
 * closed by the stack, MSL 5 s: a million records stand at once, of at most 96 bytes each, and nobody honest
 * fails to connect. Where there is room for fewer the oldest go first, counted. Also what a handshake costs:
 * at most 96 bytes in the SYN cache, and nothing by cookie.
 */
#include "support/siege.h"

#define PER_MS  100u
#define MSL     (5 * SECOND)
#define MILLION (ESTAB_TEST_SLOW ? 50000u : 1000000u)
#define SPAN_MS (2 * (MILLION / 200000u > 0 ? 5000u : 250u)) /* while so many are closed */
#define CLOSERS 81

struct answer {
    uint32_t to, seq, ack;
    uint16_t port;
    unsigned flags;
};

/* What the closers' connections have said and is not answered yet. */
struct closers {
    struct siege siege;
    estab_conn listener;
    struct answer answers[8192], at_work[8192];
    unsigned count;
    uint64_t begun, closed;
};

static void take(void *user, const struct raw *raw, unsigned reason)
{
    struct closers *c = user;
    (void)reason;
    if (raw->flags & (SYN | FIN)) {
        assert_true(c->count < 8192);
        c->answers[c->count++] = (struct answer){.to = raw->to,
                                                 .seq = raw->seq + raw->length + 1,
                                                 .ack = raw->ack,
                                                 .port = raw->to_port,
                                                 .flags = raw->flags};
    }
}

static void start(struct closers *c, uint32_t max_time_wait, const struct estab_cookies *cookies)
{
    struct estab_config config;
    struct estab_addr any = estab_addr_any(CLOSERS);
    estab_config_init(&config);
    config.msl_ns = MSL;
    config.max_connections = 4096;
    config.max_time_wait = max_time_wait;
    config.max_half_open = 4096;
    config.cookies = cookies;
    memset(c, 0, sizeof *c);
    siege_start(&c->siege, &config, estab_memory_minimum(&config) + ((size_t)4 << 20));
    c->siege.answer = take;
    c->siege.answer_user = c;
    assert_int_equal(estab_open(c->siege.stack[1], &c->listener), 0);
    assert_int_equal(estab_bind(c->siege.stack[1], c->siege.pipe.now, c->listener, &any), 0);
    assert_int_equal(estab_listen(c->siege.stack[1], c->siege.pipe.now, c->listener, 1000), 0);
}

static void stop(struct closers *c)
{
    siege_stop(&c->siege);
    free(c);
}

/* The n-th peer: a flow of its own each. */
static struct raw peer(uint32_t n)
{
    return (struct raw){.from = 0xac100000u + n / 50000,
                        .from_port = (uint16_t)(1024 + n % 50000),
                        .to_port = CLOSERS,
                        .seq = n,
                        .wnd = 60000};
}

/* As a driver does: replies wait for it in a queue that is not long. */
static void pull_now_and_then(struct closers *c, uint32_t i)
{
    if (i % 32 == 31) {
        pipe_round(&c->siege.pipe);
    }
}

/* SYN,ACKs are acknowledged, FINs answered by FINs. */
static void answer_all(struct closers *c)
{
    unsigned count = c->count;
    c->count = 0;
    memcpy(c->at_work, c->answers, count * sizeof c->answers[0]);
    for (unsigned i = 0; i < count; i++) {
        const struct answer *a = &c->at_work[i];
        siege_put(&c->siege, &(struct raw){.from = a->to,
                                           .from_port = a->port,
                                           .to_port = CLOSERS,
                                           .seq = a->ack,
                                           .ack = a->seq,
                                           .flags = a->flags & FIN ? FIN | ACK : ACK,
                                           .wnd = 60000});
        pull_now_and_then(c, i);
    }
}

/* We accept and close at once: the closing is ours, and so is the TIME-WAIT. */
static void close_all(struct closers *c)
{
    estab_conn conn;
    while (estab_accept(c->siege.stack[1], c->siege.pipe.now, c->listener, &conn) == 0) {
        assert_int_equal(estab_close(c->siege.stack[1], c->siege.pipe.now, conn), 0);
        c->closed++;
    }
}

/* A millisecond in which PER_MS peers come and go. */
static void one_ms(struct closers *c)
{
    for (unsigned i = 0; i < PER_MS; i++) {
        struct raw raw = peer((uint32_t)c->begun++);
        raw.flags = SYN;
        siege_put(&c->siege, &raw);
        pull_now_and_then(c, i);
    }
    siege_run(&c->siege, MS / 4); /* SYN,ACK */
    answer_all(c);
    close_all(c);
    siege_run(&c->siege, MS / 4); /* FIN */
    answer_all(c);
    siege_run(&c->siege, MS / 2);
}

static void check_sizes(const struct closers *c)
{
    struct estab_memory memory = siege_memory(&c->siege);
    assert_true(memory.per_time_wait > 0 && memory.per_time_wait <= 96);
    assert_true(memory.per_half_open > 0 && memory.per_half_open <= 96);
}

/* V-47: a million at once, each for exactly 2MSL, and not one user fails. */
static void v47_a_million_time_waits_and_nobody_fails(void **state)
{
    (void)state;
    struct closers *c = malloc(sizeof *c);
    assert_non_null(c);
    start(c, MILLION + 20000, NULL);
    for (unsigned ms = 0; ms < SPAN_MS; ms++) {
        one_ms(c);
    }
    struct estab_memory memory = siege_memory(&c->siege);
    assert_int_equal(c->closed, (uint64_t)SPAN_MS * PER_MS);
    assert_true(memory.time_wait + 2 * PER_MS >= MILLION);
    assert_int_equal(siege_counters(&c->siege).time_wait_dropped, 0);
    check_sizes(c);
    /* A second more: as many end as begin. */
    for (unsigned ms = 0; ms < 1000 && !ESTAB_TEST_SLOW; ms++) {
        one_ms(c);
        memory = siege_memory(&c->siege);
        assert_true(memory.time_wait <= MILLION + 2 * PER_MS);
        assert_true(memory.time_wait <= memory.time_wait_max);
    }
    siege_finish(&c->siege);
    assert_int_equal(c->siege.failed, 0);
    assert_true(c->siege.done >= SPAN_MS / 10);
    siege_run(&c->siege, 2 * MSL);
    assert_int_equal(siege_memory(&c->siege).time_wait, 0);
    stop(c);
}

/*
 * V-47: a quarter of the room that would be needed: the oldest go, counted, never more than there is room
 * for.
 */
static void v47_more_than_there_is_room_for_lets_the_oldest_go(void **state)
{
    (void)state;
    struct closers *c = malloc(sizeof *c);
    assert_non_null(c);
    start(c, 20000, NULL);
    for (unsigned ms = 0; ms < 1000; ms++) {
        one_ms(c);
        assert_true(siege_memory(&c->siege).time_wait <= 20000);
    }
    uint64_t entered = siege_counters(&c->siege).time_wait_entered;
    assert_true(entered >= 1000 * PER_MS - PER_MS);
    assert_int_equal(siege_counters(&c->siege).time_wait_dropped, entered - 20000);
    /* The last are still there, the first are not. */
    struct raw last = peer((uint32_t)c->begun - 2 * PER_MS);
    struct raw first = peer(0);
    uint64_t ignored = siege_counters(&c->siege).drops[ESTAB_DROP_TIME_WAIT];
    last.flags = first.flags = RST;
    siege_put(&c->siege, &last);
    assert_int_equal(siege_counters(&c->siege).drops[ESTAB_DROP_TIME_WAIT], ignored + 1);
    siege_put(&c->siege, &first);
    assert_int_equal(siege_counters(&c->siege).drops[ESTAB_DROP_TIME_WAIT], ignored + 1);
    siege_finish(&c->siege);
    assert_int_equal(c->siege.failed, 0);
    check_sizes(c);
    stop(c);
}

/* V-47, R6191-01..06: the peers that came come again before 2MSL is over: their SYNs open. */
static void v47_peers_that_come_again_are_let_in(void **state)
{
    (void)state;
    struct closers *c = malloc(sizeof *c);
    assert_non_null(c);
    start(c, 40000, NULL);
    for (unsigned ms = 0; ms < 100; ms++) {
        one_ms(c);
    }
    uint64_t closed = c->closed;
    uint32_t records = siege_memory(&c->siege).time_wait;
    for (uint32_t n = 0; n < 100 * PER_MS; n++) {
        struct raw raw = peer(n);
        raw.seq = n + 1000; /* beyond what the old one used */
        raw.flags = SYN;
        siege_put(&c->siege, &raw);
        pull_now_and_then(c, n);
        if (n % PER_MS == PER_MS - 1) {
            siege_run(&c->siege, MS / 4);
            answer_all(c);
            close_all(c);
            siege_run(&c->siege, MS / 4);
            answer_all(c);
        }
    }
    siege_run(&c->siege, MS);
    assert_int_equal(c->closed - closed, 100 * PER_MS);
    assert_int_equal(siege_counters(&c->siege).time_wait_reused, 100 * PER_MS);
    assert_int_equal(siege_memory(&c->siege).time_wait, records);
    siege_finish(&c->siege);
    assert_int_equal(c->siege.failed, 0);
    stop(c);
}

/* V-34: what handshakes that are not done cost: a record of the cache each, or by cookie nothing at all. */
static void v34_half_open_costs_a_record_and_a_cookie_nothing(void **state)
{
    (void)state;
    for (unsigned cookie = 0; cookie < 2; cookie++) {
        struct closers *c = malloc(sizeof *c);
        assert_non_null(c);
        start(c, 100, cookie ? &estab_syn_cookies_always : NULL);
        c->siege.clients = 0;
        struct estab_memory before = siege_memory(&c->siege);
        for (uint32_t n = 0; n < 1000; n++) {
            struct raw raw = peer(n);
            raw.flags = SYN;
            siege_put(&c->siege, &raw);
            siege_run(&c->siege, MS / 100);
        }
        struct estab_memory after = siege_memory(&c->siege);
        assert_int_equal(c->count, 1000); /* all are answered */
        assert_int_equal(after.half_open, cookie ? 0 : 1000);
        assert_int_equal(after.connections, before.connections);
        assert_int_equal(after.blocks_used, before.blocks_used);
        assert_int_equal(after.fixed, before.fixed);
        check_sizes(c);
        answer_all(c); /* and all become connections */
        assert_int_equal(siege_memory(&c->siege).connections, before.connections + 1000);
        stop(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v47_a_million_time_waits_and_nobody_fails),
        cmocka_unit_test(v47_more_than_there_is_room_for_lets_the_oldest_go),
        cmocka_unit_test(v47_peers_that_come_again_are_let_in),
        cmocka_unit_test(v34_half_open_costs_a_record_and_a_cookie_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
