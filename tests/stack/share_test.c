/*
 * Listeners that share an address and a port (SO_REUSEPORT), and the choice of a RST where a backlog is full:
 * which listener a flow goes to, what happens to the rest when one leaves, who may bind, and what a client
 * sees. A flow is that of another peer port.
 */
#include "support/rig.h"

#include "stack/stack.h"

#define SHARES 4u
#define FLOWS  200u

static estab_conn listen_on(struct rig *r, uint64_t reuse_port, int bind_error)
{
    estab_conn conn = 0;
    struct estab_addr local = rig_local(r, LOCAL_PORT);
    assert_int_equal(estab_open(r->stack, &conn), 0);
    assert_int_equal(estab_set(r->stack, r->now, conn, ESTAB_OPTION_REUSE_PORT, reuse_port), 0);
    assert_int_equal(estab_bind(r->stack, r->now, conn, &local), bind_error);
    if (bind_error == 0) {
        assert_int_equal(estab_listen(r->stack, r->now, conn, FLOWS), 0);
    }
    assert_null(estab_check(r->stack));
    return conn;
}

static struct rig *rig_with_room(void)
{
    struct rig_options options;
    rig_defaults(&options);
    options.config.max_connections = 2 * FLOWS;
    options.config.max_half_open = 2 * FLOWS;
    options.memory = (size_t)1 << 20;
    return rig_start(&options);
}

static void open_flow(struct rig *r, unsigned flow)
{
    uint16_t port = (uint16_t)(PEER_PORT + flow);
    inject(r, .flags = SYN, .seq = 0, .port = port);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = port);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = port);
    expect_nothing(r);
}

static unsigned waiting_at(struct rig *r, estab_conn listener)
{
    struct estab_status status;
    assert_int_equal(estab_status(r->stack, listener, &status), 0);
    assert_int_equal(status.remote.port, 0); /* its number in the group is nobody's business */
    return status.accept_waiting;
}

/* Each of four gets its share: a keyed hash of 200 flows leaves none with fewer than 25 or more than 80. */
static void flows_are_spread_over_listeners_that_share_a_port(void **state)
{
    (void)state;
    struct rig *r = rig_with_room();
    estab_conn listener[SHARES];
    unsigned sum = 0;
    for (unsigned i = 0; i < SHARES; i++) {
        listener[i] = listen_on(r, 1, 0);
    }
    for (unsigned i = 0; i < FLOWS; i++) {
        open_flow(r, i);
    }
    for (unsigned i = 0; i < SHARES; i++) {
        unsigned count = waiting_at(r, listener[i]);
        assert_in_range(count, 25, 80);
        sum += count;
    }
    assert_int_equal(sum, FLOWS);
    rig_stop(r);
}

/* Whichever leaves, the rest take every flow: none is refused, and the handshakes of the others go on. */
static void listener_that_leaves_takes_no_flow_of_the_others_along(void **state)
{
    (void)state;
    for (unsigned leaver = 0; leaver < SHARES; leaver++) {
        struct rig *r = rig_with_room();
        estab_conn listener[SHARES];
        for (unsigned i = 0; i < SHARES; i++) {
            listener[i] = listen_on(r, 1, 0);
        }
        open_flow(r, 0);
        bool mine = waiting_at(r, listener[leaver]) == 1;
        assert_int_equal(estab_close(r->stack, r->now, listener[leaver]), 0);
        rig_called(r);
        if (mine) {
            expect(r, .flags = RST | ACK, .seq = 1, .ack = 1);
        }
        for (unsigned i = 1; i < 60; i++) {
            open_flow(r, i);
        }
        unsigned sum = mine ? 1 : 0;
        for (unsigned i = 0; i < SHARES; i++) {
            sum += i == leaver ? 0 : waiting_at(r, listener[i]);
        }
        assert_int_equal(sum, 60);
        for (unsigned i = 0; i < SHARES; i++) {
            if (i != leaver) {
                assert_int_equal(estab_close(r->stack, r->now, listener[i]), 0);
                rig_called(r);
            }
        }
        rig_discard(r);
        inject(r, .flags = SYN, .seq = 0, .port = PEER_PORT + 100); /* and the port is nobody's */
        expect(r, .flags = RST | ACK, .seq = 0, .ack = 1, .port = PEER_PORT + 100);
        rig_stop(r);
    }
}

/* MUST-42: a port is shared only by those who all say so. */
static void port_is_shared_only_where_all_agree(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    listen_on(r, 1, 0);
    listen_on(r, 0, -ESTAB_EADDRINUSE);
    listen_on(r, 1, 0);
    rig_stop(r);
    r = rig_start(NULL);
    listen_on(r, 0, 0);
    listen_on(r, 1, -ESTAB_EADDRINUSE);
    rig_stop(r);
}

/* V-48: the last ACK finds the backlog full: dropped, or answered by a RST where so chosen. */
static void full_backlog_resets_where_so_chosen(void **state)
{
    (void)state;
    for (uint64_t reset = 0; reset < 2; reset++) {
        struct rig *r = rig_start(NULL);
        rig_listen(r, 1);
        assert_int_equal(estab_set(r->stack, r->now, r->listener, ESTAB_OPTION_BACKLOG_RESET, reset), 0);
        for (uint16_t i = 0; i < 2; i++) {
            inject(r, .flags = SYN, .seq = 0, .port = (uint16_t)(PEER_PORT + i));
            expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = (uint16_t)(PEER_PORT + i));
        }
        inject(r, .flags = ACK, .seq = 1, .ack = 1);
        inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = PEER_PORT + 1);
        assert_int_equal(r->drop, ESTAB_DROP_BACKLOG);
        if (reset) {
            expect(r, .flags = RST, .seq = 1, .port = PEER_PORT + 1);
            inject(r, .flags = RST, .seq = 1, .port = PEER_PORT + 1); /* its answer to the next SYN,ACK */
        }
        expect_nothing(r);
        assert_int_equal(rig_counters(r).backlog_overflows, 1);
        rig_stop(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_are_spread_over_listeners_that_share_a_port),
        cmocka_unit_test(listener_that_leaves_takes_no_flow_of_the_others_along),
        cmocka_unit_test(port_is_shared_only_where_all_agree),
        cmocka_unit_test(full_backlog_resets_where_so_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
