/*
 * The user's side: names and ports (RFC 9293 3.9.1.1, RFC 6056), listeners with their backlog, what an
 * accepted connection inherits, closing in all its ways, events, and options that show on the wire. What a
 * call may do in which state is also asserted by the tests in tests/rfc.
 */
#include "support/rig.h"

static estab_conn open_one(struct rig *r)
{
    estab_conn conn = 0;
    assert_int_equal(estab_open(r->stack, &conn), 0);
    return conn;
}

static int bind_to(struct rig *r, estab_conn conn, uint16_t port)
{
    struct estab_addr local = rig_local(r, port);
    return estab_bind(r->stack, r->now, conn, &local);
}

static int connect_to(struct rig *r, estab_conn conn, uint16_t port)
{
    struct estab_addr peer = rig_peer(r, port);
    int result = estab_connect(r->stack, r->now, conn, &peer);
    rig_called(r);
    return result;
}

static struct rig *with_ports(uint16_t low, uint16_t high)
{
    struct rig_options options;
    rig_defaults(&options);
    options.config.port_low = low;
    options.config.port_high = high;
    return rig_start(&options);
}

static void handshake(struct rig *r, uint16_t port)
{
    inject(r, .flags = SYN, .seq = 0, .port = port);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = port);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = port);
}

/* ---- ports ---- */

/*
 * R6056-05: RFC 6056: every port of the range is used once for one peer, the last free one is found, and then
 * there is none.
 */
static void ephemeral_ports_are_found_to_the_last(void **state)
{
    (void)state;
    struct rig *r = with_ports(40000, 40019);
    bool seen[20] = {false};
    for (unsigned i = 0; i < 20; i++) {
        struct segment sent;
        estab_conn conn = open_one(r);
        assert_int_equal(connect_to(r, conn, PEER_PORT), 0);
        assert_true(rig_take(r, &sent));
        assert_in_range(sent.local_port, 40000, 40019);
        assert_false(seen[sent.local_port - 40000]);
        seen[sent.local_port - 40000] = true;
    }
    estab_conn one_more = open_one(r);
    assert_int_equal(connect_to(r, one_more, PEER_PORT), -ESTAB_EADDRNOTAVAIL);
    expect_nothing(r);
    assert_int_equal(connect_to(r, one_more, PEER_PORT + 1), 0); /* another peer: another flow */
    rig_discard(r);
    rig_stop(r);
}

/* R6056-02, R6056-03: not a port on which somebody listens, and not one in TIME-WAIT for that peer. */
static void ephemeral_port_avoids_listeners(void **state)
{
    (void)state;
    struct rig *r = with_ports(40000, 40003);
    for (uint16_t i = 0; i < 3; i++) {
        estab_conn listener = open_one(r);
        assert_int_equal(bind_to(r, listener, (uint16_t)(40000 + i)), 0);
        assert_int_equal(estab_listen(r->stack, r->now, listener, 1), 0);
    }
    struct segment sent;
    estab_conn conn = open_one(r);
    assert_int_equal(connect_to(r, conn, PEER_PORT), 0);
    assert_true(rig_take(r, &sent));
    assert_int_equal(sent.local_port, 40003);
    conn = open_one(r);
    assert_int_equal(connect_to(r, conn, PEER_PORT), -ESTAB_EADDRNOTAVAIL);
    rig_stop(r);
}

/* A port goes back when its connection does. */
static void ephemeral_port_is_free_again_after_abort(void **state)
{
    (void)state;
    struct rig *r = with_ports(40000, 40000);
    for (unsigned i = 0; i < 5; i++) {
        estab_conn conn = open_one(r);
        assert_int_equal(connect_to(r, conn, PEER_PORT), 0);
        rig_discard(r);
        assert_int_equal(estab_abort(r->stack, r->now, conn), 0);
        rig_called(r);
    }
    rig_stop(r);
}

/* MUST-43, MUST-46, and addresses that are not ours. */
static void bind_and_connect_refuse_bad_addresses(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    estab_conn conn = open_one(r);
    struct estab_addr other = estab_addr_ipv4(10, 9, 0, 3, 80);
    assert_int_equal(estab_bind(r->stack, r->now, conn, &other), -ESTAB_EADDRNOTAVAIL);
    const struct estab_addr bad[] = {
        estab_addr_ipv4(0, 0, 0, 0, 80),         estab_addr_ipv4(224, 0, 0, 1, 80),
        estab_addr_ipv4(255, 255, 255, 255, 80), estab_addr_ipv4(10, 9, 0, 255, 80),
        estab_addr_ipv4(10, 9, 0, 1, 0),         estab_addr_any(80),
        {.ip = {0xff, 2, [15] = 1}, .port = 80},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int result = estab_connect(r->stack, r->now, conn, &bad[i]);
        rig_called(r);
        assert_true(result < 0);
        expect_nothing(r);
    }
    struct estab_addr far = estab_addr_ipv4(192, 0, 2, 1, 80);
    assert_int_equal(estab_connect(r->stack, r->now, conn, &far), -ESTAB_ENETUNREACH);
    assert_int_equal(connect_to(r, conn, PEER_PORT), 0); /* the record is still good */
    rig_discard(r);
    assert_int_equal(connect_to(r, conn, PEER_PORT), -ESTAB_EISCONN);
    rig_stop(r);
}

/* SO_REUSEADDR's rules. MUST-41: what exists is not touched. */
static void bind_follows_the_rules_of_reuse_address(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    rig_listen(r, 4);
    estab_conn conn = open_one(r);
    assert_int_equal(bind_to(r, conn, LOCAL_PORT), -ESTAB_EADDRINUSE);
    assert_int_equal(estab_set(r->stack, r->now, conn, ESTAB_OPTION_REUSE_ADDRESS, 1), 0);
    assert_int_equal(bind_to(r, conn, LOCAL_PORT), -ESTAB_EADDRINUSE); /* a listener counts in any case */
    handshake(r, PEER_PORT);
    rig_accept(r);
    estab_close(r->stack, r->now, r->listener);
    rig_called(r);
    assert_int_equal(bind_to(r, conn, LOCAL_PORT), 0); /* a connection does not */
    assert_int_equal(estab_listen(r->stack, r->now, conn, 4), 0);
    expect_state(r, ESTAB_ESTABLISHED);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 5);
    assert_int_equal(rig_read(r, 10), 5);
    estab_conn strict = open_one(r);
    assert_int_equal(bind_to(r, strict, LOCAL_PORT), -ESTAB_EADDRINUSE);
    rig_stop(r);
}

/* TIME-WAIT: the port is taken until 2MSL has passed, unless the user says otherwise. */
static void bind_to_a_port_in_time_wait(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_TIME_WAIT);
    rig_close(r);
    estab_conn strict = open_one(r);
    estab_conn reuse = open_one(r);
    assert_int_equal(bind_to(r, strict, LOCAL_PORT), -ESTAB_EADDRINUSE);
    assert_int_equal(estab_set(r->stack, r->now, reuse, ESTAB_OPTION_REUSE_ADDRESS, 1), 0);
    assert_int_equal(bind_to(r, reuse, LOCAL_PORT), 0);
    assert_int_equal(estab_abort(r->stack, r->now, reuse), 0);
    advance(r, 60 * SECOND - 1);
    assert_int_equal(bind_to(r, strict, LOCAL_PORT), -ESTAB_EADDRINUSE);
    advance(r, 1);
    assert_int_equal(bind_to(r, strict, LOCAL_PORT), 0);
    rig_stop(r);
}

/*
 * An active OPEN into one's own TIME-WAIT: only with timestamps, after a second, and beyond the old numbers.
 */
static void connect_into_time_wait_needs_timestamps_and_reuse(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct rig_options options;
        rig_defaults(&options);
        options.timestamps = i & 1;
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_TIME_WAIT);
        uint32_t before = r->iss[0];
        rig_close(r);
        advance(r, 2 * SECOND);
        r->conn = open_one(r);
        rig_set(r, ESTAB_OPTION_REUSE_ADDRESS, 1);
        assert_int_equal(bind_to(r, r->conn, LOCAL_PORT), 0);
        rig_set(r, ESTAB_OPTION_REUSE_ADDRESS, i >> 1);
        int result = connect_to(r, r->conn, PEER_PORT);
        if (i == 3) {
            assert_int_equal(result, 0);
            expect(r, .flags = SYN, .seq = 0);
            assert_true((int32_t)(r->iss[0] - before) > 0);
        } else {
            assert_int_equal(result, -ESTAB_EADDRINUSE);
        }
        rig_stop(r);
    }
}

/* MUST-42: a listener and a connect from the same port. */
static void listen_beside_an_opening_connection_on_the_port(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    estab_conn listener = open_one(r);
    assert_int_equal(estab_set(r->stack, r->now, listener, ESTAB_OPTION_REUSE_ADDRESS, 1), 0);
    assert_int_equal(bind_to(r, listener, LOCAL_PORT), 0);
    assert_int_equal(estab_listen(r->stack, r->now, listener, 2), 0);
    handshake(r, PEER_PORT + 1);
    expect_state(r, ESTAB_SYN_SENT);
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    expect_state(r, ESTAB_ESTABLISHED);
    rig_stop(r);
}

/* ---- listeners ---- */

/* So many waiting, the handshakes under way do not count; the peer's retries find room later. */
static void backlog_bounds_what_waits(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    rig_listen(r, 2);
    for (uint16_t i = 0; i < 2; i++) {
        inject(r, .flags = SYN, .seq = 0, .port = (uint16_t)(PEER_PORT + i));
        expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = (uint16_t)(PEER_PORT + i));
    }
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = PEER_PORT);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = PEER_PORT + 1);
    inject(r, .flags = SYN, .seq = 0, .port = PEER_PORT + 2);
    expect_nothing(r); /* two wait: full */
    assert_int_equal(r->drop, ESTAB_DROP_BACKLOG);
    assert_int_equal(rig_counters(r).backlog_overflows, 1);
    struct estab_status status;
    assert_int_equal(estab_status(r->stack, r->listener, &status), 0);
    assert_int_equal(status.accept_waiting, 2);
    assert_int_equal(status.half_open, 0);
    rig_accept(r);
    assert_int_equal(rig_status(r).remote.port, PEER_PORT); /* first come, first accepted */
    handshake(r, PEER_PORT + 2);
    rig_accept(r);
    assert_int_equal(rig_status(r).remote.port, PEER_PORT + 1);
    rig_accept(r);
    assert_int_equal(rig_status(r).remote.port, PEER_PORT + 2);
    assert_int_equal(estab_accept(r->stack, r->now, r->listener, &r->conn), -ESTAB_EAGAIN);
    rig_stop(r);
}

/* The last ACK of a handshake that finds the queue full is dropped, and that of a later try is taken. */
static void full_accept_queue_delays_the_handshake(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    rig_listen(r, 2);
    for (uint16_t i = 0; i < 2; i++) {
        inject(r, .flags = SYN, .seq = 0, .port = (uint16_t)(PEER_PORT + i));
        expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = (uint16_t)(PEER_PORT + i));
    }
    assert_int_equal(estab_listen(r->stack, r->now, r->listener, 1), 0); /* the backlog may change */
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = PEER_PORT);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = PEER_PORT + 1);
    expect_nothing(r);
    assert_int_equal(r->drop, ESTAB_DROP_BACKLOG);
    rig_accept(r);
    advance_to_next(r, 2 * SECOND);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = PEER_PORT + 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = PEER_PORT + 1);
    rig_accept(r);
    assert_int_equal(rig_status(r).remote.port, PEER_PORT + 1);
    rig_stop(r);
}

/* Those that wait, and those that are half open, go with their listener; an accepted one stays. */
static void closing_a_listener_aborts_what_waits(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    rig_listen(r, 5);
    handshake(r, PEER_PORT);
    rig_accept(r);
    handshake(r, PEER_PORT + 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 30, .port = PEER_PORT + 1);
    inject(r, .flags = SYN, .seq = 0, .port = PEER_PORT + 2);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = PEER_PORT + 2);
    assert_int_equal(estab_close(r->stack, r->now, r->listener), 0);
    rig_called(r);
    expect(r, .flags = RST | ACK, .seq = 1, .ack = 31, .port = PEER_PORT + 1);
    expect(r, .flags = RST | ACK, .seq = 1, .ack = 1, .port = PEER_PORT + 2);
    expect_nothing(r);
    expect_state(r, ESTAB_ESTABLISHED);
    struct estab_memory memory;
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.connections, 1);
    assert_int_equal(memory.blocks_used, 0);
    inject(r, .flags = SYN, .seq = 0, .port = PEER_PORT + 3);
    expect(r, .flags = RST | ACK, .seq = 0, .ack = 1, .port = PEER_PORT + 3);
    rig_stop(r);
}

/* A connection that dies while it waits is no longer offered. */
static void connection_reset_while_waiting_is_not_accepted(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    rig_listen(r, 5);
    handshake(r, PEER_PORT);
    handshake(r, PEER_PORT + 1);
    inject(r, .flags = RST, .seq = 1);
    rig_accept(r);
    assert_int_equal(rig_status(r).remote.port, PEER_PORT + 1);
    assert_int_equal(estab_accept(r->stack, r->now, r->listener, &r->conn), -ESTAB_EAGAIN);
    rig_stop(r);
}

/* Data and FIN that came before the accept are there after it. */
static void data_and_fin_before_accept_are_kept(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    rig_listen(r, 5);
    handshake(r, PEER_PORT);
    inject(r, .flags = ACK | FIN, .seq = 1, .ack = 1, .length = 200);
    expect(r, .flags = ACK, .seq = 1, .ack = 202);
    rig_accept(r);
    expect_state(r, ESTAB_CLOSE_WAIT);
    assert_int_equal(rig_read(r, 1000), 200);
    assert_int_equal(rig_read(r, 1000), 0);
    rig_stop(r);
}

/* BSD's inheritance, and MUST-48, MUST-49, SHLD-22 on the wire: also in the SYN,ACK. */
static void accepted_connection_inherits_options(void **state)
{
    (void)state;
    static const struct {
        enum estab_option option;
        uint64_t value;
    } options[] = {
        {ESTAB_OPTION_NODELAY, 1},          {ESTAB_OPTION_KEEPALIVE, 1},
        {ESTAB_OPTION_KEEP_IDLE, 33 * SECOND}, {ESTAB_OPTION_KEEP_INTERVAL, 3 * SECOND},
        {ESTAB_OPTION_KEEP_COUNT, 4},       {ESTAB_OPTION_USER_TIMEOUT, 200 * SECOND},
        {ESTAB_OPTION_LINGER, 0},           {ESTAB_OPTION_HOP_LIMIT, 9},
        {ESTAB_OPTION_DSCP, 46},            {ESTAB_OPTION_RECEIVE_BUFFER, 9999},
        {ESTAB_OPTION_SEND_BUFFER, 8888},   {ESTAB_OPTION_MAX_SEGMENT, 700},
        {ESTAB_OPTION_QUICK_ACK, 1},        {ESTAB_OPTION_USER, 0x123456789abcdef0},
        {ESTAB_OPTION_SOFT_ERRORS, 0},      {ESTAB_OPTION_REUSE_ADDRESS, 1},
    };
    struct rig *r = rig_start(NULL);
    rig_listen(r, 1);
    for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++) {
        assert_int_equal(estab_set(r->stack, r->now, r->listener, options[i].option, options[i].value), 0);
    }
    inject(r, .flags = SYN, .seq = 0);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .wnd = 9999, .mss = 700);
    assert_int_equal(r->last.hop_limit, 9);
    assert_int_equal(r->last.traffic_class, 46 << 2);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_accept(r);
    for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++) {
        uint64_t value = 0;
        assert_int_equal(estab_get(r->stack, r->conn, options[i].option, &value), 0);
        if (value != options[i].value) {
            fail_msg("option %u is not inherited", options[i].option);
        }
    }
    rig_close(r); /* linger 0 */
    expect(r, .flags = RST | ACK, .seq = 1, .ack = 1);
    assert_int_equal(r->last.traffic_class, 46 << 2);
    rig_stop(r);
}

/* SHLD-21: in the middle of a connection too. */
static void dscp_and_hop_limit_change_mid_connection(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        options.v6 = v6 == 1;
        struct rig *r = rig_start(&options);
        rig_reach(r, AT_ESTABLISHED);
        rig_set(r, ESTAB_OPTION_DSCP, 10);
        rig_set(r, ESTAB_OPTION_HOP_LIMIT, 255);
        rig_send(r, 1, 0);
        expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 1);
        assert_int_equal(r->last.hop_limit, 255);
        assert_int_equal(r->last.traffic_class, 40);
        assert_int_equal(estab_set(r->stack, r->now, r->conn, ESTAB_OPTION_DSCP, 64), -ESTAB_EINVAL);
        assert_int_equal(estab_set(r->stack, r->now, r->conn, ESTAB_OPTION_HOP_LIMIT, 0), -ESTAB_EINVAL);
        assert_int_equal(estab_set(r->stack, r->now, r->conn, ESTAB_OPTION_HOP_LIMIT, 256), -ESTAB_EINVAL);
        rig_stop(r);
    }
}

/* A listener on any address answers from the one that was asked. */
static void listener_on_any_address(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct rig_options options;
        rig_defaults(&options);
        options.v6 = v6 == 1;
        struct rig *r = rig_start(&options);
        struct estab_addr any = estab_addr_any(LOCAL_PORT);
        r->listener = open_one(r);
        assert_int_equal(estab_bind(r->stack, r->now, r->listener, &any), 0);
        assert_int_equal(estab_listen(r->stack, r->now, r->listener, 2), 0);
        handshake(r, PEER_PORT);
        rig_accept(r);
        struct estab_addr local = rig_local(r, LOCAL_PORT);
        assert_memory_equal(rig_status(r).local.ip, local.ip, 16);
        rig_stop(r);
    }
}

/* Who was found for the last segment is not believed any more once a listener has come. */
static void listener_that_comes_is_seen_at_once(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    struct rig *r = rig_start(&options);
    inject(r, .flags = SYN, .seq = 0);
    expect(r, .flags = RST | ACK, .seq = 0, .ack = 1);
    rig_listen(r, 1);
    inject(r, .flags = SYN, .seq = 0);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    rig_stop(r);
}

/* ---- closing ---- */

/* SO_LINGER 0 */
static void linger_zero_aborts(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_set(r, ESTAB_OPTION_LINGER, 0);
    rig_send(r, 10, ESTAB_MORE);
    rig_close(r);
    expect(r, .flags = RST | ACK, .seq = 1, .ack = 1);
    expect_nothing(r);
    expect_state(r, ESTAB_CLOSED);
    rig_stop(r);
}

/* MAY-1: Half-close: data goes on in the other direction. */
static void half_close_goes_on_receiving(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_FIN_WAIT_2);
    for (uint32_t i = 0; i < 10; i++) {
        inject(r, .flags = ACK, .seq = 1 + 1460 * i, .ack = 2, .length = 1460);
        rig_discard(r);
        assert_int_equal(rig_read(r, 2000), 1460);
        rig_discard(r);
    }
    assert_int_equal(estab_send(r->stack, r->now, r->conn, "x", 1, 0), -ESTAB_EPIPE);
    inject(r, .flags = FIN | ACK, .seq = 14601, .ack = 2);
    expect(r, .flags = ACK, .seq = 2, .ack = 14602);
    assert_int_equal(rig_read(r, 10), 0);
    rig_stop(r);
}

/* estab_close(): what was sent goes out first, whoever holds the handle. */
static void close_sends_what_was_queued_and_vanishes(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 2000, 0);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1460);
    rig_close(r);
    expect(r, .flags = ACK | PSH | FIN, .seq = 1461, .ack = 1, .length = 540);
    assert_int_equal(estab_send(r->stack, r->now, r->conn, "x", 1, 0), -ESTAB_EBADF);
    inject(r, .flags = ACK, .seq = 1, .ack = 2002);
    expect_state(r, ESTAB_FIN_WAIT_2);
    inject(r, .flags = FIN | ACK, .seq = 1, .ack = 2002);
    expect(r, .flags = ACK, .seq = 2002, .ack = 2);
    advance(r, 60 * SECOND);
    struct estab_memory memory;
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.connections + memory.time_wait + memory.blocks_used, 0);
    rig_stop(r);
}

/* A closed handle, and one of a record that is used again, is found out. */
static void stale_handle_is_refused_everywhere(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_SYN_SENT);
    estab_conn old = r->conn;
    rig_close(r);
    estab_conn again = open_one(r);
    assert_true(again != old);
    uint8_t byte = 0;
    uint64_t value;
    struct estab_status status;
    struct estab_slice slice;
    struct estab_addr addr = rig_peer(r, PEER_PORT);
    assert_int_equal(estab_bind(r->stack, r->now, old, &addr), -ESTAB_EBADF);
    assert_int_equal(estab_connect(r->stack, r->now, old, &addr), -ESTAB_EBADF);
    assert_int_equal(estab_open_passive(r->stack, r->now, old, NULL), -ESTAB_EBADF);
    assert_int_equal(estab_listen(r->stack, r->now, old, 1), -ESTAB_EBADF);
    assert_int_equal(estab_accept(r->stack, r->now, old, &again), -ESTAB_EBADF);
    assert_int_equal(estab_send(r->stack, r->now, old, &byte, 1, 0), -ESTAB_EBADF);
    assert_int_equal(estab_recv(r->stack, r->now, old, &byte, 1, 0), -ESTAB_EBADF);
    assert_int_equal(estab_recv_slices(r->stack, old, &slice, 1), -ESTAB_EBADF);
    assert_int_equal(estab_recv_consume(r->stack, r->now, old, 0), -ESTAB_EBADF);
    assert_int_equal(estab_shutdown(r->stack, r->now, old, ESTAB_SHUT_WR), -ESTAB_EBADF);
    assert_int_equal(estab_close(r->stack, r->now, old), -ESTAB_EBADF);
    assert_int_equal(estab_abort(r->stack, r->now, old), -ESTAB_EBADF);
    assert_int_equal(estab_set(r->stack, r->now, old, ESTAB_OPTION_NODELAY, 1), -ESTAB_EBADF);
    assert_int_equal(estab_get(r->stack, old, ESTAB_OPTION_NODELAY, &value), -ESTAB_EBADF);
    assert_int_equal(estab_status(r->stack, old, &status), -ESTAB_EBADF);
    assert_int_equal(estab_ready(r->stack, old), -ESTAB_EBADF);
    rig_stop(r);
}

/* ---- receive and send in their forms ---- */

static void peek_vectors_and_slices_see_the_same_bytes(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    uint8_t a[300], b[300];
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 500);
    assert_int_equal(estab_recv(r->stack, r->now, r->conn, a, 300, ESTAB_PEEK), 300);
    assert_int_equal(a[299], rig_byte(299));
    struct estab_slice slices[4];
    int n = estab_recv_slices(r->stack, r->conn, slices, 4);
    assert_int_equal(n, 1);
    assert_int_equal(slices[0].length, 500);
    assert_int_equal(slices[0].data[499], rig_byte(499));
    struct estab_buffer buffers[2] = {{a, 100}, {b, 300}};
    assert_int_equal(estab_recvv(r->stack, r->now, r->conn, buffers, 2), 400);
    assert_int_equal(a[0], rig_byte(0));
    assert_int_equal(b[0], rig_byte(100));
    assert_int_equal(b[299], rig_byte(399));
    assert_int_equal(estab_recv_consume(r->stack, r->now, r->conn, 101), -ESTAB_EMSGSIZE);
    assert_int_equal(estab_recv_consume(r->stack, r->now, r->conn, 100), 0);
    assert_int_equal(estab_recv(r->stack, r->now, r->conn, a, 1, 0), -ESTAB_EAGAIN);
    rig_called(r);
    advance(r, 40 * MS);
    expect(r, .flags = ACK, .seq = 1, .ack = 501);
    rig_stop(r);
}

static void sendv_and_reserve_fill_the_same_stream(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    uint8_t bytes[100];
    for (unsigned i = 0; i < 100; i++) {
        bytes[i] = rig_byte(i);
    }
    struct estab_slice slices[3] = {{bytes, 10}, {bytes + 10, 0}, {bytes + 10, 90}};
    assert_int_equal(estab_sendv(r->stack, r->now, r->conn, slices, 3), 100);
    rig_called(r);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 100);
    size_t length = 0;
    int error = 0;
    uint8_t *at = estab_send_reserve(r->stack, r->conn, &length, &error);
    assert_non_null(at);
    assert_true(length > 0);
    for (unsigned i = 0; i < 50 && i < length; i++) {
        at[i] = rig_byte(100 + i);
    }
    assert_int_equal(estab_send_commit(r->stack, r->now, r->conn, length + 1, 0), -ESTAB_EMSGSIZE);
    assert_int_equal(estab_send_commit(r->stack, r->now, r->conn, 50, 0), 0);
    rig_called(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 101);
    expect(r, .flags = ACK | PSH, .seq = 101, .ack = 1, .length = 50);
    rig_stop(r);
}

/* MUST-45: an address that goes takes its connections along. */
static void removing_an_address_ends_its_connections(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    struct estab_addr local = rig_local(r, 0);
    assert_int_equal(estab_address_remove(r->stack, r->now, 1, &local), 0);
    rig_called(r);
    rig_discard(r);
    expect_state(r, ESTAB_CLOSED);
    assert_int_equal(rig_status(r).error, -ESTAB_EADDRNOTAVAIL);
    rig_stop(r);
}

/* TIME-WAIT records are bounded: the oldest gives way, counted. */
static void time_wait_overflow_drops_the_oldest(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.max_time_wait = 2;
    struct rig *r = rig_start(&options);
    rig_listen(r, 8);
    for (uint16_t i = 0; i < 3; i++) {
        uint16_t port = (uint16_t)(PEER_PORT + i);
        handshake(r, port);
        rig_accept(r);
        estab_close(r->stack, r->now, r->conn);
        rig_called(r);
        expect(r, .flags = FIN | ACK, .seq = 1, .ack = 1, .port = port);
        inject(r, .flags = FIN | ACK, .seq = 1, .ack = 2, .port = port);
        expect(r, .flags = ACK, .seq = 2, .ack = 2, .port = port);
        advance(r, SECOND);
    }
    struct estab_memory memory;
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.time_wait, 2);
    assert_int_equal(rig_counters(r).time_wait_dropped, 1);
    inject(r, .flags = ACK, .seq = 2, .ack = 2);
    expect(r, .flags = RST, .seq = 2); /* the first is forgotten */
    rig_stop(r);
}

/* Events: each edge once; the user value comes with them. */
static void events_tell_each_edge_once(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    struct estab_event event;
    rig_set(r, ESTAB_OPTION_USER, 4711);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 10);
    assert_int_equal(estab_poll(r->stack, &event, 1), 1);
    assert_true(event.conn == r->conn && event.user == 4711);
    assert_int_equal(event.changed, ESTAB_READABLE);
    assert_int_equal(event.ready, ESTAB_READABLE | ESTAB_WRITABLE | ESTAB_CONNECTED);
    assert_int_equal(estab_poll(r->stack, &event, 1), 0);
    assert_int_equal(rig_read(r, 100), 10);
    assert_false(estab_ready(r->stack, r->conn) & ESTAB_READABLE);
    assert_int_equal(estab_poll(r->stack, &event, 1), 0);
    rig_discard(r);
    inject(r, .flags = FIN | ACK, .seq = 11, .ack = 1);
    rig_discard(r);
    assert_int_equal(estab_poll(r->stack, &event, 1), 1);
    assert_true(event.changed & ESTAB_PEER_CLOSED);
    rig_stop(r);
}

/* Walking over everything. */
static void iteration_names_connections_listeners_and_time_wait(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_TIME_WAIT);
    rig_close(r);
    estab_conn listener = open_one(r);
    assert_int_equal(bind_to(r, listener, 81), 0);
    assert_int_equal(estab_listen(r->stack, r->now, listener, 4), 0);
    unsigned seen[ESTAB_STATE_COUNT] = {0};
    struct estab_status status;
    uint64_t cursor = 0;
    while (estab_iterate(r->stack, &cursor, &status)) {
        seen[status.state]++;
    }
    assert_int_equal(seen[ESTAB_TIME_WAIT], 1);
    assert_int_equal(seen[ESTAB_LISTEN], 1);
    rig_stop(r);
}

/* The budget of records is bounded, and what is full says so. */
static void records_that_are_used_up_are_refused(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.max_connections = 3;
    struct rig *r = rig_start(&options);
    rig_listen(r, 8);
    handshake(r, PEER_PORT);
    handshake(r, PEER_PORT + 1);
    inject(r, .flags = SYN, .seq = 0, .port = PEER_PORT + 2);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = PEER_PORT + 2);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = PEER_PORT + 2);
    expect_nothing(r); /* the handshake stays in the cache */
    assert_int_equal(r->drop, ESTAB_DROP_NO_MEMORY);
    estab_conn conn;
    assert_int_equal(estab_open(r->stack, &conn), -ESTAB_ENOBUFS);
    rig_accept(r);
    rig_abort(r);
    rig_discard(r);
    rig_ready(r); /* nobody may still be told of it */
    inject(r, .flags = SYN, .seq = 0, .port = PEER_PORT + 2);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .port = PEER_PORT + 2);
    rig_stop(r);
}

/* What estab_memory_minimum() says is taken, and 16 bytes less is not. */
static void memory_minimum_is_enough(void **state)
{
    (void)state;
    static const uint32_t connections[] = {1, 64, 500, 5000};
    for (unsigned i = 0; i < 8; i++) {
        struct rig_options options;
        int error = 0;
        const char *what = "";
        rig_defaults(&options);
        options.config.max_connections = connections[i % 4];
        options.config.block_size = i < 4 ? 4096 : 65536;
        size_t minimum = estab_memory_minimum(&options.config);
        void *memory = aligned_alloc(16, (minimum + 15) & ~(size_t)15);
        assert_non_null(memory);
        assert_null(estab_init(memory, minimum - 16, &options.config, &error, &what));
        assert_int_equal(error, -ESTAB_ENOBUFS);
        assert_string_equal(what, "memory");
        assert_non_null(estab_init(memory, minimum, &options.config, &error, NULL));
        free(memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ephemeral_ports_are_found_to_the_last),
        cmocka_unit_test(ephemeral_port_avoids_listeners),
        cmocka_unit_test(ephemeral_port_is_free_again_after_abort),
        cmocka_unit_test(bind_and_connect_refuse_bad_addresses),
        cmocka_unit_test(bind_follows_the_rules_of_reuse_address),
        cmocka_unit_test(bind_to_a_port_in_time_wait),
        cmocka_unit_test(connect_into_time_wait_needs_timestamps_and_reuse),
        cmocka_unit_test(listen_beside_an_opening_connection_on_the_port),
        cmocka_unit_test(backlog_bounds_what_waits),
        cmocka_unit_test(full_accept_queue_delays_the_handshake),
        cmocka_unit_test(closing_a_listener_aborts_what_waits),
        cmocka_unit_test(connection_reset_while_waiting_is_not_accepted),
        cmocka_unit_test(data_and_fin_before_accept_are_kept),
        cmocka_unit_test(accepted_connection_inherits_options),
        cmocka_unit_test(dscp_and_hop_limit_change_mid_connection),
        cmocka_unit_test(listener_on_any_address),
        cmocka_unit_test(listener_that_comes_is_seen_at_once),
        cmocka_unit_test(linger_zero_aborts),
        cmocka_unit_test(half_close_goes_on_receiving),
        cmocka_unit_test(close_sends_what_was_queued_and_vanishes),
        cmocka_unit_test(stale_handle_is_refused_everywhere),
        cmocka_unit_test(peek_vectors_and_slices_see_the_same_bytes),
        cmocka_unit_test(sendv_and_reserve_fill_the_same_stream),
        cmocka_unit_test(removing_an_address_ends_its_connections),
        cmocka_unit_test(time_wait_overflow_drops_the_oldest),
        cmocka_unit_test(events_tell_each_edge_once),
        cmocka_unit_test(iteration_names_connections_listeners_and_time_wait),
        cmocka_unit_test(records_that_are_used_up_are_refused),
        cmocka_unit_test(memory_minimum_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
