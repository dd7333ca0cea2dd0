/*
 * Connections that are over before their application has looked (V-48, the Naptha class): whoever connects
 * and resets again and again, against a listener whose application is slow, leaves nothing behind; neither do
 * connections whose events nobody asks for.
 */
#include "support/siege.h"

#define ROUNDS 500u

static uint32_t iss_of_answer;

static void remember(void *user, const struct raw *raw, unsigned reason)
{
    (void)user;
    (void)reason;
    if (raw->flags == (SYN | ACK)) {
        iss_of_answer = raw->seq;
    }
}

/* No siege_run(): it takes the events. */
static void handshake(struct siege *siege, uint16_t port)
{
    struct raw raw = {.from = 0xac100001, .from_port = port, .seq = 100, .flags = SYN, .wnd = 1000};
    siege_put(siege, &raw);
    pipe_round(&siege->pipe);
    raw.seq = 101;
    raw.ack = iss_of_answer + 1;
    raw.flags = ACK;
    siege_put(siege, &raw);
    pipe_round(&siege->pipe);
    siege->pipe.now += MS;
}

static void start(struct siege *siege)
{
    struct estab_config config;
    estab_config_init(&config);
    config.max_connections = 32;
    config.replies_per_second = 100000;
    siege_start(siege, &config, (size_t)1 << 20);
    siege->clients = 0;
    siege->answer = remember;
}

/* V-48: far more than there are records, and one that lives in front of them: nobody accepts. */
static void connections_reset_before_they_are_accepted_leave_nothing(void **state)
{
    (void)state;
    struct siege siege;
    struct estab_addr any = estab_addr_any(81);
    estab_conn slow;
    start(&siege);
    assert_int_equal(estab_open(siege.stack[1], &slow), 0);
    assert_int_equal(estab_bind(siege.stack[1], siege.pipe.now, slow, &any), 0);
    assert_int_equal(estab_listen(siege.stack[1], siege.pipe.now, slow, 8), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct raw raw = {.from = 0xac100001,
                          .from_port = (uint16_t)(1 + i),
                          .to_port = 81,
                          .seq = 100,
                          .flags = SYN,
                          .wnd = 1000};
        siege_put(&siege, &raw);
        siege_run(&siege, MS);
        raw.seq = 101;
        raw.ack = iss_of_answer + 1;
        raw.flags = ACK;
        siege_put(&siege, &raw);
        if (i % 100 != 0) { /* every hundredth lives */
            raw.flags = RST;
            siege_put(&siege, &raw);
        }
        siege_run(&siege, MS);
        assert_null(estab_check(siege.stack[1]));
        assert_int_equal(siege_memory(&siege).connections, 3 + i / 100);
    }
    for (unsigned i = 0; i < ROUNDS / 100; i++) {
        estab_conn conn;
        struct estab_status status;
        assert_int_equal(estab_accept(siege.stack[1], siege.pipe.now, slow, &conn), 0);
        assert_int_equal(estab_status(siege.stack[1], conn, &status), 0);
        assert_int_equal(status.state, ESTAB_ESTABLISHED);
        assert_int_equal(status.remote.port, 1 + 100 * i); /* in the order in which they came */
    }
    estab_conn none;
    assert_int_equal(estab_accept(siege.stack[1], siege.pipe.now, slow, &none), -ESTAB_EAGAIN);
    siege_stop(&siege);
}

/*
 * The application only accepts and closes: the events of many more connections than there are records wait.
 */
static void connections_whose_events_nobody_takes_leave_nothing(void **state)
{
    (void)state;
    struct siege siege;
    start(&siege);
    for (unsigned i = 0; i < ROUNDS; i++) {
        estab_conn conn;
        handshake(&siege, (uint16_t)(1 + i));
        assert_int_equal(estab_accept(siege.stack[1], siege.pipe.now, siege.listener, &conn), 0);
        assert_int_equal(estab_abort(siege.stack[1], siege.pipe.now, conn), 0);
        pipe_round(&siege.pipe);
        assert_null(estab_check(siege.stack[1]));
    }
    siege_stop(&siege);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_reset_before_they_are_accepted_leave_nothing),
        cmocka_unit_test(connections_whose_events_nobody_takes_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
