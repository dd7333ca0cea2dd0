/*
 * Ports and flows that are used again (MUST-42; SO_REUSEADDR as BSD's sockets have it; RFC 6191, RFC 6528 3,
 * RFC 9293 3.6.1): who may bind beside whom, in every state; and incarnation after incarnation of one flow,
 * none of which takes a byte, an ACK or a RST of an older one for its own.
 */
#include "support/rig.h"

/* ---- binding ---- */

enum where { SAME, ANY, OTHER, WHERES };

static struct estab_addr bind_address(const struct rig *r, enum where where)
{
    return where == SAME  ? rig_local(r, LOCAL_PORT)
           : where == ANY ? estab_addr_any(LOCAL_PORT)
                          : estab_addr_ipv4(10, 9, 0, 3, LOCAL_PORT);
}

/* What stands on the port: a place, a bound record in CLOSED, or a listener. */
enum holder { BOUND = PLACES, LISTENER, HOLDERS };

static struct rig *hold(unsigned holder, bool reuse)
{
    struct rig *r = rig_start(NULL);
    struct estab_addr other = bind_address(r, OTHER);
    assert_int_equal(estab_address_add(r->stack, r->now, (uint32_t)r->interface, &other, 24), 0);
    if (holder == LISTENER) {
        rig_listen(r, 4);
        r->conn = r->listener;
    } else if (holder == BOUND) {
        struct estab_addr local = rig_local(r, LOCAL_PORT);
        assert_int_equal(estab_open(r->stack, &r->conn), 0);
        assert_int_equal(estab_bind(r->stack, r->now, r->conn, &local), 0);
    } else {
        rig_reach(r, (enum place)holder);
    }
    if (r->conn != 0 && reuse) {
        rig_set(r, ESTAB_OPTION_REUSE_ADDRESS, 1);
    }
    return r;
}

/*
 * The rule in words: a listener always counts; one that is bound unless both allow it; others unless we do.
 */
static bool is_refused(unsigned holder, bool holder_reuse, bool reuse, enum where where)
{
    if (holder == AT_CLOSED || where == OTHER) {
        return false;
    }
    if (holder == LISTENER || holder == AT_LISTEN) {
        return true;
    }
    return holder == BOUND ? !(reuse && holder_reuse) : !reuse;
}

static void bind_beside_every_state_by_the_rules_of_reuse_address(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HOLDERS * 2 * 2 * WHERES; i++) {
        unsigned holder = i / (2 * 2 * WHERES);
        bool holder_reuse = i / (2 * WHERES) % 2;
        bool reuse = i / WHERES % 2;
        enum where where = (enum where)(i % WHERES);
        struct rig *r = hold(holder, holder_reuse);
        struct estab_addr local = bind_address(r, where);
        estab_conn conn;
        assert_int_equal(estab_open(r->stack, &conn), 0);
        assert_int_equal(estab_set(r->stack, r->now, conn, ESTAB_OPTION_REUSE_ADDRESS, reuse), 0);
        int error = estab_bind(r->stack, r->now, conn, &local);
        bool refused = is_refused(holder, holder_reuse, reuse, where);
        if (error != (refused ? -ESTAB_EADDRINUSE : 0)) {
            fail_msg("holder %u, its reuse %d, ours %d, address %d: %s", holder, holder_reuse, reuse, where,
                     estab_error_name(error));
        }
        rig_called(r);
        rig_discard(r);
        rig_stop(r);
    }
}

/* Two that share a port may not both listen on it, nor both have the same flow. */
static void shared_port_has_one_listener_and_each_flow_once(void **state)
{
    (void)state;
    struct rig *r = hold(BOUND, true);
    struct estab_addr local = rig_local(r, LOCAL_PORT);
    struct estab_addr peer = rig_peer(r, PEER_PORT);
    struct estab_addr third = rig_peer(r, PEER_PORT + 1);
    estab_conn second;
    assert_int_equal(estab_open(r->stack, &second), 0);
    assert_int_equal(estab_set(r->stack, r->now, second, ESTAB_OPTION_REUSE_ADDRESS, 1), 0);
    assert_int_equal(estab_bind(r->stack, r->now, second, &local), 0);
    assert_int_equal(estab_listen(r->stack, r->now, second, 4), 0);
    assert_int_equal(estab_listen(r->stack, r->now, r->conn, 4), -ESTAB_EADDRINUSE);
    assert_int_equal(estab_connect(r->stack, r->now, r->conn, &peer), 0); /* a connect beside the listener */
    rig_called(r);
    expect(r, .flags = SYN, .seq = 0);
    inject(r, .flags = SYN, .seq = 0, .port = PEER_PORT + 1); /* which still gets its own */
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = PEER_PORT + 1);
    estab_conn last;
    assert_int_equal(estab_open(r->stack, &last), 0);
    assert_int_equal(estab_set(r->stack, r->now, last, ESTAB_OPTION_REUSE_ADDRESS, 1), 0);
    assert_int_equal(estab_bind(r->stack, r->now, last, &local), -ESTAB_EADDRINUSE);
    assert_int_equal(estab_close(r->stack, r->now, second), 0);
    rig_called(r);
    rig_discard(r);
    assert_int_equal(estab_bind(r->stack, r->now, last, &local), 0);
    assert_int_equal(estab_connect(r->stack, r->now, last, &peer), -ESTAB_EADDRINUSE);
    assert_int_equal(estab_connect(r->stack, r->now, last, &third), 0);
    rig_called(r);
    rig_discard(r);
    rig_stop(r);
}

/* ---- incarnations ---- */

#define INCARNATIONS (ESTAB_TEST_SLOW ? 30u : 300u)
#define TEXT         50u

struct incarnation {
    uint32_t irs, iss;
};

/* Segments of an older incarnation, as the network may keep them for long. */
static void replay_old(struct rig *r, const struct incarnation *old, const struct incarnation *now)
{
    struct estab_status before = rig_status(r);
    uint32_t seq = old->irs - now->irs; /* what the rig counts from */
    uint32_t ack = old->iss - now->iss;
    const struct segment segments[] = {
        {.flags = ACK | PSH, .seq = seq + 1, .ack = ack + 1, .length = TEXT},
        {.flags = ACK, .seq = seq + 1, .ack = ack + 1 + TEXT},
        {.flags = FIN | ACK, .seq = seq + 1 + TEXT, .ack = ack + 1 + TEXT},
        {.flags = RST, .seq = seq + 1 + TEXT},
        {.flags = RST | ACK, .seq = seq + 1, .ack = ack + 1},
        {.flags = SYN, .seq = seq},
    };
    for (unsigned i = 0; i < sizeof segments / sizeof segments[0]; i++) {
        rig_inject(r, &segments[i], __FILE__, __LINE__);
        rig_discard(r);
        struct estab_status after = rig_status(r);
        assert_int_equal(after.state, before.state);
        assert_int_equal(after.rcv_nxt, before.rcv_nxt);
        assert_int_equal(after.snd_una, before.snd_una);
    }
}

/* One incarnation: opened by the peer, text both ways, closed by us; it ends in TIME-WAIT. */
static void live(struct rig *r, const struct incarnation *old, struct incarnation *now)
{
    inject(r, .flags = SYN, .seq = 0);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    now->irs = r->irs;
    now->iss = r->iss[0];
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_accept(r);
    r->read = r->written = 0;
    if (old->irs != 0) {
        /* RFC 6191 2: beyond all that the old one has sent */
        assert_true((int32_t)(now->iss - (old->iss + 2 + TEXT)) > 0);
        replay_old(r, old, now);
    }
    rig_send(r, TEXT, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = TEXT);
    inject(r, .flags = ACK | PSH, .seq = 1, .ack = 1 + TEXT, .length = TEXT);
    assert_int_equal(rig_read(r, 1000), TEXT);
    rig_discard(r);
    assert_int_equal(rig_close(r), 0);
    rig_discard(r);
    inject(r, .flags = FIN | ACK, .seq = 1 + TEXT, .ack = 2 + TEXT);
    rig_discard(r);
    r->conn = 0;
}

/* R6191-01..06, O-11: one flow, opened again from TIME-WAIT, hundreds of times. */
static void incarnations_of_one_flow_are_never_taken_for_each_other(void **state)
{
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct rig_options options;
        struct incarnation old = {0, 0};
        struct incarnation now;
        rig_defaults(&options);
        options.timestamps = timestamps == 1;
        struct rig *r = rig_start(&options);
        rig_listen(r, 4);
        for (unsigned i = 0; i < INCARNATIONS; i++) {
            live(r, &old, &now);
            assert_int_equal(rig_counters(r).time_wait_reused, i);
            old = now;
            advance(r, i % 3 * 100 * MS);
            /* The peer's next ISS: beyond what it used; with newer timestamps it may lie anywhere. */
            r->irs += timestamps && i % 2 ? 0xd0000000u + i : 200000;
            r->peer_ts += 1 + i % 7;
        }
        rig_stop(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bind_beside_every_state_by_the_rules_of_reuse_address),
        cmocka_unit_test(shared_port_has_one_listener_and_each_flow_once),
        cmocka_unit_test(incarnations_of_one_flow_are_never_taken_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
