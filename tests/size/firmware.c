/*
 * The smallest program that is a TCP server: an echo service on a microcontroller, for `make size` to link
 * and weigh. It stands on a board of five functions (board.c has them without a board).
 *
 * It must not know anything but the public API.
 */
#include "config.h"

size_t board_packet_receive(uint8_t *packet, size_t capacity); /* 0 = none waits */
void board_packet_send(const uint8_t *packet, size_t length);
uint64_t board_clock(void);              /* nanoseconds */
void board_sleep(uint64_t until);        /* or until a packet arrives */
void board_random(uint8_t bytes[16]);

static _Alignas(16) uint8_t memory[SIZE_MEMORY];
static uint8_t frame[SIZE_MTU + 14];
static uint8_t text[128];

static void input(estab_stack *stack)
{
    struct estab_packet packet = {.data = frame, .interface = 1};
    packet.length = (uint32_t)board_packet_receive(frame, sizeof(frame));
    if (packet.length > 0)
        estab_input(stack, board_clock(), &packet, 1);
}

static void output(estab_stack *stack)
{
    struct estab_packet packet = {.data = frame, .capacity = sizeof(frame)};
    while (estab_pull(stack, board_clock(), &packet, 1) > 0)
        board_packet_send(packet.data, packet.length);
}

/* Sends back what the send buffer has room for; the rest waits in the receive queue. */
static void echo(estab_stack *stack, estab_conn conn)
{
    ptrdiff_t got = estab_recv(stack, board_clock(), conn, text, sizeof(text), ESTAB_PEEK);
    if (got == -ESTAB_EAGAIN)
        return;
    if (got <= 0) {
        estab_close(stack, board_clock(), conn);
        return;
    }
    ptrdiff_t sent = estab_send(stack, board_clock(), conn, text, (size_t)got, 0);
    if (sent > 0)
        estab_recv_consume(stack, board_clock(), conn, (size_t)sent);
}

static void serve(estab_stack *stack, estab_conn listener)
{
    struct estab_event event;
    estab_conn conn;
    while (estab_poll(stack, &event, 1) > 0) {
        if (event.conn == listener)
            estab_accept(stack, board_clock(), listener, &conn);
        else
            echo(stack, event.conn);
    }
}

static int start(estab_stack *stack, estab_conn *listener)
{
    struct estab_interface interface = {.size = sizeof(interface), .mtu = SIZE_MTU};
    struct estab_addr address = estab_addr_ipv4(192, 0, 2, 2, 7);
    int number = estab_interface_add(stack, board_clock(), &interface);
    if (number < 0 || estab_address_add(stack, board_clock(), (uint32_t)number, &address, 24) < 0)
        return -1;
    if (estab_open(stack, listener) < 0 || estab_bind(stack, board_clock(), *listener, &address) < 0)
        return -1;
    return estab_listen(stack, board_clock(), *listener, 2);
}

int main(void)
{
    uint8_t secret[16];
    board_random(secret);
    struct estab_config config = size_config(secret);
    estab_stack *stack = estab_init(memory, sizeof(memory), &config, NULL, NULL);
    estab_conn listener;
    if (!stack || start(stack, &listener) < 0)
        return 1;
    for (;;) {
        input(stack);
        estab_tick(stack, board_clock());
        serve(stack, listener);
        output(stack);
        board_sleep(estab_next_deadline(stack));
    }
}
