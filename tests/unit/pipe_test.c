/*
 * Unit tests of drivers/pipe with two real stacks: virtual time, delay, the hook's fates, offload, a peer
 * that is gone, and every byte of a transfer checked by its position.
 */
#include "drivers/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MEMORY ((size_t)4 << 20)
#define DELAY  (10 * PIPE_MILLISECOND)
#define TOTAL  300000u

struct wire {
    struct pipe pipe;
    void *memory[2];
    estab_stack *stack[2];
    estab_conn client, listener, server;
    bool connected;
    uint32_t sent, received;
    uint32_t wrong;
    /* What the hook does. */
    uint64_t lose_index; /* of end 0's packets; UINT64_MAX = none */
    unsigned lose_every, double_every, late_every;
    uint64_t hooked;
};

static void *make_stack(void **memory, uint8_t secret)
{
    struct estab_config config;
    estab_stack *stack;
    int error = 0;

    estab_config_init(&config);
    memset(config.secret, secret, sizeof config.secret);
    *memory = aligned_alloc(64, MEMORY);
    assert_non_null(*memory);
    stack = estab_init(*memory, MEMORY, &config, &error, NULL);
    assert_non_null(stack);
    return stack;
}

static void hook(void *user, unsigned from, uint64_t index, struct estab_packet *packet,
                 struct pipe_fate *fate)
{
    struct wire *wire = user;

    assert_int_equal(packet->slice_count, 0);
    assert_true(packet->length > 0);
    wire->hooked++;
    if (from == 0 && index == wire->lose_index)
        fate->copies = 0;
    if (wire->lose_every != 0 && index % wire->lose_every == wire->lose_every - 1)
        fate->copies = 0;
    if (wire->double_every != 0 && index % wire->double_every == 1)
        fate->copies = 2;
    if (wire->late_every != 0 && index % wire->late_every == 2)
        fate->extra_ns = DELAY / 2;
}

static void wire_open(struct wire *wire, struct pipe_options *options)
{
    char error[200] = "";

    memset(wire, 0, sizeof *wire);
    wire->lose_index = UINT64_MAX;
    wire->stack[0] = make_stack(&wire->memory[0], 1);
    wire->stack[1] = make_stack(&wire->memory[1], 2);
    options->hook_user = wire;
    assert_int_equal(pipe_open(&wire->pipe, wire->stack, options, error, sizeof error), 0);
    assert_int_equal(pipe_address(&wire->pipe, 0, "10.0.0.1/24,fd00::1/64", error, sizeof error), 0);
    assert_int_equal(pipe_address(&wire->pipe, 1, "10.0.0.2/24,fd00::2/64", error, sizeof error), 0);
    assert_string_equal(error, "");
}

static void wire_close(struct wire *wire)
{
    pipe_close(&wire->pipe);
    free(wire->memory[0]);
    free(wire->memory[1]);
}

static void wire_connect(struct wire *wire)
{
    struct estab_addr any = estab_addr_any(80);
    struct estab_addr server = estab_addr_ipv4(10, 0, 0, 2, 80);
    uint64_t now = wire->pipe.now;

    assert_int_equal(estab_open(wire->stack[1], &wire->listener), 0);
    assert_int_equal(estab_bind(wire->stack[1], now, wire->listener, &any), 0);
    assert_int_equal(estab_listen(wire->stack[1], now, wire->listener, 5), 0);
    assert_int_equal(estab_open(wire->stack[0], &wire->client), 0);
    assert_int_equal(estab_connect(wire->stack[0], now, wire->client, &server), 0);
}

static uint8_t byte_at(uint32_t position)
{
    return (uint8_t)(position * 31 + (position >> 8));
}

static bool client_is_connected(void *user)
{
    struct wire *wire = user;
    struct estab_status status;

    if (estab_status(wire->stack[0], wire->client, &status) != 0)
        return false;
    return status.state == ESTAB_ESTABLISHED;
}

static bool client_has_ended(void *user)
{
    struct wire *wire = user;
    struct estab_status status;

    return estab_status(wire->stack[0], wire->client, &status) != 0 || status.state == ESTAB_CLOSED;
}

/* The client sends TOTAL bytes, the server takes and checks them. True once all are there. */
static bool transfer(void *user)
{
    struct wire *wire = user;
    uint64_t now = wire->pipe.now;
    uint8_t bytes[4096];
    ptrdiff_t n = 1;

    while (n > 0 && wire->sent < TOTAL && client_is_connected(wire)) {
        uint32_t length = TOTAL - wire->sent < sizeof bytes ? TOTAL - wire->sent : (uint32_t)sizeof bytes;

        for (uint32_t i = 0; i < length; i++)
            bytes[i] = byte_at(wire->sent + i);
        n = estab_send(wire->stack[0], now, wire->client, bytes, length, 0);
        wire->sent += n > 0 ? (uint32_t)n : 0;
    }
    if (wire->server == 0 && estab_accept(wire->stack[1], now, wire->listener, &wire->server) != 0)
        return false;
    while ((n = estab_recv(wire->stack[1], now, wire->server, bytes, sizeof bytes, 0)) > 0) {
        for (ptrdiff_t i = 0; i < n; i++)
            wire->wrong += bytes[i] != byte_at(wire->received++);
    }
    return wire->received == TOTAL;
}

static void handshake_takes_a_round_trip_of_virtual_time(void **state)
{
    struct pipe_options options = {.delay_ns = DELAY};
    struct wire wire;

    (void)state;
    wire_open(&wire, &options);
    wire_connect(&wire);
    assert_true(pipe_run(&wire.pipe, client_is_connected, &wire, PIPE_SECOND));
    assert_int_equal(wire.pipe.now, PIPE_START + 2 * DELAY);
    assert_int_equal(wire.pipe.end[0].sent, 2); /* SYN, and ACK by the same event */
    assert_int_equal(wire.pipe.end[1].sent, 1);
    assert_int_equal(wire.pipe.end[1].delivered, 1);
    wire_close(&wire);
}

static void nothing_to_happen_ends_at_the_deadline(void **state)
{
    struct pipe_options options = {.delay_ns = DELAY};
    struct wire wire;

    (void)state;
    wire_open(&wire, &options);
    assert_false(pipe_run(&wire.pipe, NULL, NULL, PIPE_SECOND));
    assert_int_equal(wire.pipe.now, PIPE_START + PIPE_SECOND);
    assert_int_equal(wire.pipe.end[0].sent + wire.pipe.end[1].sent, 0);
    assert_int_equal(pipe_next(&wire.pipe), UINT64_MAX);
    assert_int_equal(pipe_round(&wire.pipe), 0);
    wire_close(&wire);
}

static void lost_syn_is_sent_again_after_the_initial_timeout(void **state)
{
    struct pipe_options options = {.delay_ns = DELAY, .hook = hook};
    struct wire wire;

    (void)state;
    wire_open(&wire, &options);
    wire.lose_index = 0;
    wire_connect(&wire);
    assert_true(pipe_run(&wire.pipe, client_is_connected, &wire, 10 * PIPE_SECOND));
    assert_int_equal(wire.pipe.now, PIPE_START + PIPE_SECOND + 2 * DELAY);
    assert_int_equal(wire.pipe.end[0].lost, 1);
    assert_int_equal(wire.pipe.end[0].sent, 3);
    wire_close(&wire);
}

static void check_transfer(struct pipe_options *options, unsigned lose, unsigned twice, unsigned late)
{
    struct wire wire;

    wire_open(&wire, options);
    wire.lose_every = lose;
    wire.double_every = twice;
    wire.late_every = late;
    wire_connect(&wire);
    assert_true(pipe_run(&wire.pipe, transfer, &wire, 1000 * PIPE_SECOND));
    assert_int_equal(wire.received, TOTAL);
    assert_int_equal(wire.wrong, 0);
    assert_null(estab_check(wire.stack[0]));
    assert_null(estab_check(wire.stack[1]));
    if (options->hook != NULL)
        assert_int_equal(wire.hooked, wire.pipe.end[0].sent + wire.pipe.end[1].sent);
    if (lose == 0 && twice == 0)
        assert_true(wire.pipe.end[1].delivered <= wire.pipe.end[0].sent);
    if (twice != 0 && lose == 0)
        assert_true(wire.pipe.end[1].delivered > wire.pipe.end[0].sent);
    if (lose != 0)
        assert_true(wire.pipe.end[0].lost > 0);
    wire_close(&wire);
}

static void transfer_every_byte_arrives(void **state)
{
    struct pipe_options options = {.delay_ns = DELAY};

    (void)state;
    check_transfer(&options, 0, 0, 0);
    options.delay_ns = 0;
    check_transfer(&options, 0, 0, 0);
    options.ethernet = true;
    check_transfer(&options, 0, 0, 0);
    options.mtu = 1280; /* the least that IPv6 takes */
    options.ethernet = false;
    options.slots = 2;
    check_transfer(&options, 0, 0, 0);
}

static void transfer_lost_doubled_and_late_packets_do_no_harm(void **state)
{
    struct pipe_options options = {.delay_ns = DELAY, .hook = hook};

    (void)state;
    check_transfer(&options, 11, 0, 0);
    check_transfer(&options, 0, 5, 0);
    check_transfer(&options, 0, 0, 7);
    check_transfer(&options, 13, 5, 7);
}

static void transfer_with_offload_needs_fewer_packets(void **state)
{
    struct pipe_options options = {.delay_ns = DELAY, .offload = true};
    struct wire wire;

    (void)state;
    check_transfer(&options, 0, 0, 0);
    wire_open(&wire, &options);
    wire_connect(&wire);
    assert_true(pipe_run(&wire.pipe, transfer, &wire, 1000 * PIPE_SECOND));
    assert_true(wire.pipe.end[0].sent < TOTAL / 1460);
    wire_close(&wire);
}

static void replaced_by_nothing_the_peer_times_out(void **state)
{
    struct pipe_options options = {.delay_ns = DELAY};
    struct wire wire;

    (void)state;
    wire_open(&wire, &options);
    wire_connect(&wire);
    assert_int_equal(pipe_replace(&wire.pipe, 1, NULL), 0);
    assert_true(pipe_run(&wire.pipe, client_has_ended, &wire, 1000 * PIPE_SECOND));
    assert_true(wire.pipe.end[0].sent > 3);
    assert_int_equal(wire.pipe.end[1].delivered, 0);
    wire_close(&wire);
}

static void replaced_by_another_stack_answers_with_reset(void **state)
{
    struct pipe_options options = {.delay_ns = DELAY};
    char error[200];
    struct wire wire;
    void *memory;

    (void)state;
    wire_open(&wire, &options);
    wire_connect(&wire);
    assert_true(pipe_run(&wire.pipe, client_is_connected, &wire, PIPE_SECOND));
    assert_int_equal(pipe_replace(&wire.pipe, 1, make_stack(&memory, 3)), 0);
    assert_int_equal(pipe_address(&wire.pipe, 1, "10.0.0.2/24", error, sizeof error), 0);
    assert_true(pipe_run(&wire.pipe, client_has_ended, &wire, 10 * PIPE_SECOND));
    assert_int_equal(wire.pipe.now, PIPE_START + 4 * DELAY);
    free(memory);
    wire_close(&wire);
}

static void capture_sees_what_end_0_sends_and_gets(void **state)
{
    struct pcapng writer;
    struct pipe_options options = {.delay_ns = DELAY, .capture = &writer};
    int fd = open("/dev/null", O_WRONLY);
    struct wire wire;
    char error[128];

    (void)state;
    assert_int_equal(pcapng_attach(&writer, fd, "null", error, sizeof error), 0);
    wire_open(&wire, &options);
    wire_connect(&wire);
    assert_true(pipe_run(&wire.pipe, transfer, &wire, 1000 * PIPE_SECOND));
    assert_int_equal(writer.packets, wire.pipe.end[0].sent + wire.pipe.end[0].delivered);
    wire_close(&wire);
    assert_int_equal(pcapng_close(&writer), 0);
    close(fd);
}

static void address_bad_is_named(void **state)
{
    struct pipe_options options = {.delay_ns = DELAY};
    char error[200] = "";
    struct wire wire;

    (void)state;
    wire_open(&wire, &options);
    assert_int_equal(pipe_address(&wire.pipe, 0, "10.0.0.1/33", error, sizeof error), -EINVAL);
    assert_non_null(strstr(error, "'10.0.0.1/33'"));
    wire_close(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_takes_a_round_trip_of_virtual_time),
        cmocka_unit_test(nothing_to_happen_ends_at_the_deadline),
        cmocka_unit_test(lost_syn_is_sent_again_after_the_initial_timeout),
        cmocka_unit_test(transfer_every_byte_arrives),
        cmocka_unit_test(transfer_lost_doubled_and_late_packets_do_no_harm),
        cmocka_unit_test(transfer_with_offload_needs_fewer_packets),
        cmocka_unit_test(replaced_by_nothing_the_peer_times_out),
        cmocka_unit_test(replaced_by_another_stack_answers_with_reset),
        cmocka_unit_test(capture_sees_what_end_0_sends_and_gets),
        cmocka_unit_test(address_bad_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
