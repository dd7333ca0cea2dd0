/*
 * Calls of the API that no trace of rfc/ makes: in states where they are refused, with arguments that are
 * wrong, listeners on every port, packets with slices and offload facts, a link that changes its MTU, a
 * receiving side that is shut, and every field of the config that can contradict itself.
 */
#include "support/rig.h"

static estab_conn open_one(struct rig *r)
{
    estab_conn conn = 0;
    assert_int_equal(estab_open(r->stack, &conn), 0);
    return conn;
}

/* ---- refused ---- */

static void calls_in_the_wrong_state_say_so(void **state)
{
    (void)state;
    struct rig *r = rig_start(NULL);
    struct estab_addr local = rig_local(r, LOCAL_PORT);
    struct estab_addr any_port = estab_addr_any(0);
    uint8_t byte = 0;
    struct estab_slice slice = {&byte, 1};
    struct estab_buffer buffer = {&byte, 1};
    size_t length = 1;
    int error = 0;
    uint64_t value;
    estab_conn conn = open_one(r);
    r->conn = conn;
    assert_int_equal(estab_send(r->stack, r->now, conn, &byte, 1, 0), -ESTAB_ENOTCONN);
    assert_int_equal(estab_sendv(r->stack, r->now, conn, &slice, 1), -ESTAB_ENOTCONN);
    assert_null(estab_send_reserve(r->stack, conn, &length, &error));
    assert_int_equal(error, -ESTAB_ENOTCONN);
    assert_int_equal(estab_send_commit(r->stack, r->now, conn, 0, 0), -ESTAB_ENOTCONN);
    assert_int_equal(estab_recv(r->stack, r->now, conn, &byte, 1, 0), -ESTAB_ENOTCONN);
    assert_int_equal(estab_recvv(r->stack, r->now, conn, &buffer, 1), -ESTAB_ENOTCONN);
    assert_int_equal(estab_shutdown(r->stack, r->now, conn, ESTAB_SHUT_WR), -ESTAB_ENOTCONN);
    assert_int_equal(estab_listen(r->stack, r->now, conn, 1), -ESTAB_EINVAL); /* not bound */
    assert_int_equal(estab_open_passive(r->stack, r->now, conn, NULL), -ESTAB_EINVAL);
    assert_int_equal(estab_accept(r->stack, r->now, conn, &conn), -ESTAB_EOPNOTSUPP);
    assert_int_equal(estab_bind(r->stack, r->now, conn, &local), 0);
    assert_int_equal(estab_bind(r->stack, r->now, conn, &local), -ESTAB_EINVAL);
    assert_int_equal(estab_listen(r->stack, r->now, conn, 0), -ESTAB_EINVAL);
    assert_int_equal(estab_listen(r->stack, r->now, conn, 65536), -ESTAB_EINVAL);
    assert_int_equal(estab_listen(r->stack, r->now, conn, 65535), 0);
    assert_int_equal(estab_open_passive(r->stack, r->now, conn, NULL), -ESTAB_EISCONN);
    assert_int_equal(estab_connect(r->stack, r->now, conn, &local), -ESTAB_EISCONN);
    assert_int_equal(estab_send(r->stack, r->now, conn, &byte, 1, 0), -ESTAB_EOPNOTSUPP);
    assert_int_equal(estab_recv(r->stack, r->now, conn, &byte, 1, 0), -ESTAB_EOPNOTSUPP);
    assert_int_equal(estab_shutdown(r->stack, r->now, conn, ESTAB_SHUT_WR), -ESTAB_ENOTCONN);
    assert_int_equal(estab_set(r->stack, r->now, conn, ESTAB_OPTION_COUNT, 1), -ESTAB_EINVAL);
    assert_int_equal(estab_get(r->stack, conn, ESTAB_OPTION_COUNT, &value), -ESTAB_EINVAL);
    assert_int_equal(estab_abort(r->stack, r->now, conn), 0);
    conn = open_one(r);
    assert_int_equal(estab_bind(r->stack, r->now, conn, &any_port), 0);
    assert_int_equal(estab_open_passive(r->stack, r->now, conn, NULL), -ESTAB_EINVAL);
    rig_called(r);
    rig_stop(r);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum estab_option option;
        uint64_t value;
    } bad[] = {
        {ESTAB_OPTION_NODELAY, 2},
        {ESTAB_OPTION_CORK, 2},
        {ESTAB_OPTION_REUSE_ADDRESS, 2},
        {ESTAB_OPTION_KEEPALIVE, 7},
        {ESTAB_OPTION_KEEP_IDLE, 0},
        {ESTAB_OPTION_KEEP_INTERVAL, 0},
        {ESTAB_OPTION_KEEP_COUNT, 1},
        {ESTAB_OPTION_KEEP_COUNT, 256},
        {ESTAB_OPTION_USER_TIMEOUT, 0},
        {ESTAB_OPTION_LINGER, 5},
        {ESTAB_OPTION_RECEIVE_BUFFER, 0},
        {ESTAB_OPTION_SEND_BUFFER, 0},
        {ESTAB_OPTION_RECEIVE_BUFFER, (UINT64_C(1) << 30) + 1},
        {ESTAB_OPTION_CONGESTION, 1},
        {ESTAB_OPTION_CONGESTION, ESTAB_MAX_CC},
        {ESTAB_OPTION_MAX_SEGMENT, 70000},
    };
    struct rig *r = rig_start(NULL);
    r->conn = open_one(r);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t before = 0, after = 1;
        assert_int_equal(estab_get(r->stack, r->conn, bad[i].option, &before), 0);
        assert_int_equal(estab_set(r->stack, r->now, r->conn, bad[i].option, bad[i].value), -ESTAB_EINVAL);
        assert_int_equal(estab_get(r->stack, r->conn, bad[i].option, &after), 0);
        assert_true(before == after);
    }
    rig_set(r, ESTAB_OPTION_CONGESTION, 0);
    rig_stop(r);
    r = rig_at(AT_ESTABLISHED);
    assert_int_equal(estab_set(r->stack, r->now, r->conn, ESTAB_OPTION_CONGESTION, 0), -ESTAB_EISCONN);
    assert_int_equal(estab_set(r->stack, r->now, r->conn, ESTAB_OPTION_MAX_SEGMENT, 500), -ESTAB_EISCONN);
    assert_string_equal(rig_status(r).congestion, "newreno");
    rig_stop(r);
}

static void expect_refused(const struct estab_config *config, const char *field)
{
    static _Alignas(64) uint8_t memory[256 << 10];
    int error = 0;
    const char *what = NULL;
    assert_null(estab_init(memory, sizeof memory, config, &error, &what));
    assert_int_equal(error, -ESTAB_EINVAL);
    assert_string_equal(what, field);
}

#define refuse(field_, value_)                        \
    do {                                              \
        struct estab_config config_ = options.config; \
        config_.field_ = (value_);                    \
        expect_refused(&config_, #field_);            \
    } while (0)

static void config_that_contradicts_itself_is_refused_by_name(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    refuse(size, 3);
    refuse(block_size, 255);
    refuse(block_size, 300);
    refuse(block_size, 131072);
    refuse(receive_buffer, (1u << 30) + 1);
    refuse(send_buffer, (1u << 30) + 1);
    refuse(min_rto_ns, 61 * SECOND);
    refuse(delayed_ack_ns, 500 * MS);
    refuse(keep_count, 1);
    refuse(keep_count, 256);
    refuse(initial_window, 1001);
    struct estab_config config = options.config;
    config.port_low = 5000;
    config.port_high = 4999;
    expect_refused(&config, "port_low");
    config = options.config;
    config.cc[0] = NULL;
    expect_refused(&config, "cc[0]");
}

/* ---- listeners on every port ---- */

/* A proxy's: any address, any port, on an interface that takes what is for others. */
static void listener_on_every_port_takes_any_address(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.accept_any = true;
    struct rig *r = rig_start(&options);
    struct estab_addr any = estab_addr_any(0);
    r->listener = open_one(r);
    assert_int_equal(estab_bind(r->stack, r->now, r->listener, &any), 0);
    assert_int_equal(estab_listen(r->stack, r->now, r->listener, 5), 0);
    rig_called(r);
    inject(r, .flags = SYN, .seq = 0, .local_port = 12345);
    expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1, .local_port = 12345);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .local_port = 12345);
    rig_accept(r);
    assert_int_equal(rig_status(r).local.port, 12345);
    struct estab_addr elsewhere = estab_addr_ipv4(192, 0, 2, 55, 0);
    r->to = &elsewhere;
    uint8_t packet[2048], room[2048];
    struct segment syn = {.flags = SYN, .local_port = 443};
    struct estab_packet in = {.data = packet, .interface = 1};
    struct estab_packet out = {.data = room, .capacity = sizeof room};
    in.length = (uint32_t)rig_packet(r, &syn, packet);
    estab_input(r->stack, r->now, &in, 1);
    assert_int_equal(estab_pull(r->stack, r->now, &out, 1), 1);
    assert_memory_equal(room + 12, elsewhere.ip + 12, 4); /* it answers as the one that was asked */
    r->to = NULL;
    assert_int_equal(estab_close(r->stack, r->now, r->listener), 0);
    rig_ready(r);
    assert_int_equal(estab_pull(r->stack, r->now, &out, 1), 1); /* the RST of what was half open */
    inject(r, .flags = SYN, .seq = 0, .local_port = 12346);
    expect(r, .flags = RST | ACK, .seq = 0u - r->iss[0], .ack = 1, .local_port = 12346);
    rig_stop(r);
}

/* ---- packets as drivers see them ---- */

/* Slices: the text stays in the send queue; together with the headers it is the packet that copying makes. */
static void slices_and_copies_make_the_same_packet(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.block_size = 256;
    uint8_t whole[2][2048];
    uint32_t length[2];
    for (unsigned gathered = 0; gathered < 2; gathered++) {
        struct rig *r = rig_start(&options);
        uint8_t bytes[1460], room[2048];
        struct estab_slice slices[16];
        struct estab_packet out = {.data = room, .capacity = sizeof room};
        rig_reach(r, AT_ESTABLISHED);
        for (unsigned i = 0; i < sizeof bytes; i++) {
            bytes[i] = rig_byte(i);
        }
        assert_int_equal(estab_send(r->stack, r->now, r->conn, bytes, sizeof bytes, 0), sizeof bytes);
        out.slices = gathered ? slices : NULL;
        out.slice_capacity = 16;
        assert_int_equal(estab_pull(r->stack, r->now, &out, 1), 1);
        assert_int_equal(out.slice_count > 1, gathered);
        memcpy(whole[gathered], room, out.length);
        length[gathered] = out.length;
        for (unsigned i = 0; i < out.slice_count; i++) {
            memcpy(whole[gathered] + length[gathered], out.slices[i].data, out.slices[i].length);
            length[gathered] += (uint32_t)out.slices[i].length;
        }
        rig_stop(r);
    }
    assert_int_equal(length[0], 1500);
    assert_int_equal(length[1], 1500);
    assert_memory_equal(whole[0], whole[1], 1500);
}

/* A checksum that is left to the driver: the pseudo header's sum, to be finished where the packet says. */
static void partial_checksum_is_finished_by_the_driver(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    uint8_t packet[2][2048];
    for (unsigned offload = 0; offload < 2; offload++) {
        options.checksum_offload = offload == 1;
        struct rig *r = rig_start(&options);
        struct estab_packet out = {.data = packet[offload], .capacity = 2048};
        struct estab_addr local = rig_local(r, LOCAL_PORT);
        struct estab_addr peer = rig_peer(r, PEER_PORT);
        r->conn = open_one(r);
        assert_int_equal(estab_bind(r->stack, r->now, r->conn, &local), 0);
        assert_int_equal(estab_connect(r->stack, r->now, r->conn, &peer), 0);
        assert_int_equal(estab_pull(r->stack, r->now, &out, 1), 1);
        assert_int_equal(out.flags, offload ? ESTAB_PACKET_CHECKSUM_PARTIAL : 0);
        if (offload) {
            uint32_t sum = 0;
            for (uint32_t i = out.checksum_start; i < out.length; i++) {
                sum += (i - out.checksum_start) & 1 ? out.data[i] : (uint32_t)out.data[i] << 8;
            }
            sum = (sum & 0xffff) + (sum >> 16);
            sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
            out.data[out.checksum_start + out.checksum_offset] = (uint8_t)(sum >> 8);
            out.data[out.checksum_start + out.checksum_offset + 1] = (uint8_t)sum;
            assert_memory_equal(packet[0], packet[1], out.length);
        }
        rig_stop(r);
    }
}

/* A driver that vouches for the checksum is believed. */
static void verified_checksum_is_not_looked_at(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_CLOSED);
    uint8_t packet[2048];
    struct segment seg = {.flags = ACK, .seq = 1, .ack = 7, .bad_checksum = true};
    struct estab_packet in = {.data = packet, .interface = 1, .flags = ESTAB_PACKET_CHECKSUM_VALID};
    in.length = (uint32_t)rig_packet(r, &seg, packet);
    estab_input(r->stack, r->now, &in, 1);
    rig_called(r);
    expect(r, .flags = RST, .seq = 7);
    rig_stop(r);
}

/* ---- the link and the receiving side ---- */

static void smaller_mtu_makes_smaller_segments(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 1460, 0);
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 1, .length = 1460);
    assert_int_equal(estab_interface_set_mtu(r->stack, r->now, 1, 1000), 0);
    rig_called(r);
    uint32_t at = 1;
    struct segment sent;
    while (rig_take(r, &sent)) { /* what is in flight goes again in pieces that fit */
        assert_int_equal(sent.seq, at);
        assert_true(sent.length <= 960);
        at += sent.length;
    }
    assert_int_equal(at, 1461);
    assert_true(estab_interface_set_mtu(r->stack, r->now, 1, 67) < 0);
    assert_true(estab_interface_set_mtu(r->stack, r->now, 9, 1000) < 0);
    rig_stop(r);
}

/* ESTAB_SHUT_RD: what comes is acknowledged and forgotten. */
static void shut_receiving_side_takes_and_forgets(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    struct estab_memory memory;
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100);
    assert_int_equal(estab_shutdown(r->stack, r->now, r->conn, ESTAB_SHUT_RD), 0);
    rig_called(r);
    assert_int_equal(rig_read(r, 10), 0);
    for (uint32_t i = 0; i < 40; i++) { /* twice the buffer */
        inject(r, .flags = ACK, .seq = 101 + 1000 * i, .ack = 1, .length = 1000);
        rig_discard(r);
    }
    assert_int_equal(rig_status(r).rcv_nxt, PEER_ISN + 40101);
    estab_memory(r->stack, &memory);
    assert_int_equal(memory.blocks_used, 0);
    advance(r, SECOND);
    rig_discard(r);
    rig_send(r, 10, 0); /* the other direction lives */
    expect(r, .flags = ACK | PSH, .seq = 1, .ack = 40101, .length = 10);
    assert_int_equal(estab_shutdown(r->stack, r->now, r->conn, (enum estab_how)0), -ESTAB_EINVAL);
    assert_int_equal(estab_shutdown(r->stack, r->now, r->conn, (enum estab_how)4), -ESTAB_EINVAL);
    rig_stop(r);
}

/* The hash that spreads flows: the same both ways, another with another key. */
static void flow_hash_is_symmetric_and_keyed(void **state)
{
    (void)state;
    uint8_t key[16] = {1};
    uint8_t other[16] = {2};
    struct estab_addr a = estab_addr_ipv4(10, 0, 0, 1, 80);
    struct estab_addr b = estab_addr_ipv4(10, 0, 0, 2, 5000);
    struct estab_addr c = estab_addr_ipv4(10, 0, 0, 2, 5001);
    assert_int_equal(estab_flow_hash(key, &a, &b), estab_flow_hash(key, &b, &a));
    assert_true(estab_flow_hash(key, &a, &b) != estab_flow_hash(key, &a, &c));
    assert_true(estab_flow_hash(key, &a, &b) != estab_flow_hash(other, &a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_in_the_wrong_state_say_so),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(config_that_contradicts_itself_is_refused_by_name),
        cmocka_unit_test(listener_on_every_port_takes_any_address),
        cmocka_unit_test(slices_and_copies_make_the_same_packet),
        cmocka_unit_test(partial_checksum_is_finished_by_the_driver),
        cmocka_unit_test(verified_checksum_is_not_looked_at),
        cmocka_unit_test(smaller_mtu_makes_smaller_segments),
        cmocka_unit_test(shut_receiving_side_takes_and_forgets),
        cmocka_unit_test(flow_hash_is_symmetric_and_keyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
