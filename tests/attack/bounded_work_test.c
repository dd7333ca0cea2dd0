/*
 * Timers that fall due together (the smoltcp class of endless polls; RFC 6298 5): row V-51. Thousands of
 * connections, handshakes and TIME-WAIT records have one deadline. Each call of estab_tick() handles a
 * bounded number of them and says that there are more; after so many calls at the same `now` the stack is at
 * rest, and its next deadline lies ahead. Work is counted by what it leaves: states, counters, records.
 */
#include "support/random_trace.h"
#include "support/siege.h"

#define CROWD          (ESTAB_TEST_SLOW ? 1000u : 5000u)
#define A_CALL         64u /* connections, or handshakes, that a call may handle */
#define RECORDS_A_CALL 256u

struct answer {
    uint32_t to, seq, ack;
    uint16_t port;
};

struct crowd {
    struct siege siege;
    struct answer answers[5000];
    estab_conn conns[5000];
    unsigned count;
};

static void take(void *user, const struct raw *raw, unsigned reason)
{
    struct crowd *c = user;
    (void)reason;
    if (raw->flags == (SYN | ACK) && c->count < CROWD) {
        c->answers[c->count++] =
            (struct answer){.to = raw->to, .seq = raw->seq + 1, .ack = raw->ack, .port = raw->to_port};
    }
}

static struct crowd *crowd_start(void)
{
    struct crowd *c = calloc(1, sizeof *c);
    struct estab_config config;
    assert_non_null(c);
    estab_config_init(&config);
    config.max_connections = 3 * CROWD; /* there is a cap on orphans: not what is looked at here */
    config.max_time_wait = CROWD + 10;
    config.max_half_open = 2 * CROWD; /* no cookies, which come by chance from three quarters on */
    config.msl_ns = 5 * SECOND;
    siege_start(&c->siege, &config, estab_memory_minimum(&config) + ((size_t)32 << 20));
    c->siege.clients = 0;
    c->siege.answer = take;
    c->siege.answer_user = c;
    return c;
}

static void crowd_stop(struct crowd *c)
{
    siege_stop(&c->siege);
    free(c);
}

static void put_syns(struct crowd *c)
{
    for (unsigned i = 0; i < CROWD; i++) {
        siege_put(&c->siege,
                  &(struct raw){.from = 0xac100000u + i, .from_port = 9, .flags = SYN, .wnd = 60000});
        pipe_round(&c->siege.pipe);
    }
    assert_int_equal(c->count, CROWD);
}

static void put_answer(struct crowd *c, unsigned i, unsigned flags, uint32_t acked)
{
    const struct answer *a = &c->answers[i];
    siege_put(&c->siege, &(struct raw){.from = a->to,
                                       .from_port = a->port,
                                       .seq = a->ack,
                                       .ack = a->seq + acked,
                                       .flags = flags,
                                       .wnd = 60000});
}

/* All established and accepted, at one time. */
static void establish(struct crowd *c)
{
    put_syns(c);
    for (unsigned i = 0; i < CROWD; i++) {
        put_answer(c, i, ACK, 0);
        assert_int_equal(estab_accept(c->siege.stack[1], c->siege.pipe.now, c->siege.listener, &c->conns[i]),
                         0);
    }
}

static void pull_all(struct crowd *c)
{
    uint8_t room[2048];
    struct estab_packet packet = {.data = room, .capacity = sizeof room};
    while (estab_pull(c->siege.stack[1], c->siege.pipe.now, &packet, 1) == 1) {
    }
}

struct work {
    uint64_t (*done)(const struct crowd *c); /* so far */
    uint64_t total;                          /* that must be done */
    unsigned most;                           /* in one call */
};

/* All that is due at the next deadline, call by call. */
static void tick_through(struct crowd *c, const struct work *work)
{
    estab_stack *stack = c->siege.stack[1];
    uint64_t begun = work->done(c);
    unsigned calls = 0;
    c->siege.pipe.now = estab_next_deadline(stack);
    for (bool more = true; more; calls++) {
        uint64_t before = work->done(c);
        more = estab_tick(stack, c->siege.pipe.now);
        uint64_t did = work->done(c) - before;
        assert_true(did <= work->most);
        assert_true(did > 0 || !more); /* a call that says there is more has done something */
        assert_true(calls <= work->total / work->most + 2);
    }
    assert_int_equal(work->done(c) - begun, work->total);
    assert_true(calls >= work->total / work->most);
    pull_all(c);
    assert_false(estab_tick(stack, c->siege.pipe.now));
    assert_true(estab_next_deadline(stack) > c->siege.pipe.now);
    assert_null(estab_check(stack));
}

static uint64_t retransmissions(const struct crowd *c)
{
    return siege_counters(&c->siege).timeouts_retransmit;
}

static uint64_t ended_records(const struct crowd *c)
{
    return CROWD - siege_memory(&c->siege).time_wait;
}

static uint64_t ended_connections(const struct crowd *c)
{
    return CROWD + 1 - siege_memory(&c->siege).connections;
}

/* V-51: the retransmission timers of all connections. */
static void v51_retransmissions_due_together(void **state)
{
    (void)state;
    struct crowd *c = crowd_start();
    establish(c);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(estab_send(c->siege.stack[1], c->siege.pipe.now, c->conns[i], "x", 1, 0), 1);
    }
    pull_all(c);
    for (unsigned n = 0; n < 4; n++) {
        tick_through(c, &(struct work){retransmissions, CROWD, A_CALL});
    }
    crowd_stop(c);
}

/* V-51: SYN,ACKs of all handshakes in the cache. */
static void v51_handshakes_due_together(void **state)
{
    (void)state;
    struct crowd *c = crowd_start();
    put_syns(c);
    for (unsigned n = 0; n < 3; n++) {
        tick_through(c, &(struct work){retransmissions, CROWD, A_CALL});
    }
    crowd_stop(c);
}

/* V-51: FIN-WAIT-2 of closed connections. */
static void v51_orphans_due_together(void **state)
{
    (void)state;
    struct crowd *c = crowd_start();
    establish(c);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(estab_close(c->siege.stack[1], c->siege.pipe.now, c->conns[i]), 0);
    }
    pull_all(c);
    for (unsigned i = 0; i < CROWD; i++) {
        put_answer(c, i, ACK, 1);
    }
    assert_int_equal(siege_memory(&c->siege).connections, CROWD + 1);
    tick_through(c, &(struct work){ended_connections, CROWD, A_CALL});
    crowd_stop(c);
}

/* V-51: TIME-WAIT records, all at once. */
static void v51_time_waits_due_together(void **state)
{
    (void)state;
    struct crowd *c = crowd_start();
    establish(c);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(estab_close(c->siege.stack[1], c->siege.pipe.now, c->conns[i]), 0);
    }
    pull_all(c);
    for (unsigned i = 0; i < CROWD; i++) {
        put_answer(c, i, FIN | ACK, 1);
        pull_all(c);
    }
    assert_int_equal(siege_memory(&c->siege).time_wait, CROWD);
    tick_through(c, &(struct work){ended_records, CROWD, RECORDS_A_CALL});
    crowd_stop(c);
}

/* V-51: whatever has happened to a connection, a few calls at the same time bring it to rest. */
static void v51_random_courses_come_to_rest(void **state)
{
    (void)state;
    for (unsigned run = 0; run < (ESTAB_TEST_SLOW ? 20u : 300u); run++) {
        struct rig_options options;
        rig_defaults(&options);
        options.timestamps = options.sack = run % 2 == 0;
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_ESTABLISHED);
        struct random_trace trace = {.seed = 1000 + run,
                                     .peer_nxt = 1,
                                     .top = 1,
                                     .acked = 1,
                                     .wildness = 30,
                                     .closes = true,
                                     .reads = true};
        for (unsigned i = 0; i < 60 && random_step(r, &trace); i++) {
            rig_discard(r);
            unsigned calls = 0;
            while (estab_tick(r->stack, r->now)) {
                assert_true(++calls < 3);
            }
            rig_called(r);
            rig_discard(r);
            assert_true(estab_next_deadline(r->stack) > r->now);
            if (i % 8 == 7) { /* to what is due next, with nothing arriving */
                uint64_t due = estab_next_deadline(r->stack);
                r->now = due != UINT64_MAX && due < r->now + 10 * SECOND ? due : r->now + MS;
            }
        }
        rig_discard(r);
        rig_stop(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v51_retransmissions_due_together), cmocka_unit_test(v51_handshakes_due_together),
        cmocka_unit_test(v51_orphans_due_together),         cmocka_unit_test(v51_time_waits_due_together),
        cmocka_unit_test(v51_random_courses_come_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
