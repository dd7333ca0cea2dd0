/*
 * An echo server on port 7 of 10.9.0.2, over a TUN device: the whole event loop of a program on estab.
 *
 *     sudo ./echo &
 *     sudo ip addr add 10.9.0.1/24 dev estab0 && sudo ip link set estab0 up
 *     nc 10.9.0.2 7
 *
 * Copy it and change serve(). drivers/host.h does the same with flags, captures and a device that is full.
 */
#include "drivers/device.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define BATCH  8
#define MEMORY ((size_t)16 << 20)

static uint64_t clock_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* A stack on the device, with an address and a listener; NULL = *why says what is wrong. */
static estab_stack *start(struct device *device, estab_conn *listener, const char **why)
{
    const struct estab_addr address = estab_addr_ipv4(10, 9, 0, 2, 0), port = estab_addr_any(7);
    struct estab_interface interface;
    struct estab_config config;
    uint64_t now = clock_ns();
    estab_stack *stack;
    int error = 0;
    int number;

    estab_config_init(&config);
    if (getrandom(config.secret, sizeof config.secret, 0) != (ssize_t)sizeof config.secret)
        abort();
    stack = estab_init(aligned_alloc(64, MEMORY), MEMORY, &config, &error, why);
    if (stack == NULL)
        return NULL;
    device_interface(device, &interface);
    number = error = estab_interface_add(stack, now, &interface);
    device->interface = (uint32_t)number;
    if (error > 0)
        error = estab_address_add(stack, now, device->interface, &address, 24);
    if (error == 0)
        error = estab_open(stack, listener);
    if (error == 0)
        error = estab_bind(stack, now, *listener, &port);
    if (error == 0)
        error = estab_listen(stack, now, *listener, 128);
    *why = estab_strerror(error);
    return error == 0 ? stack : NULL;
}

/* Sends back what has come, as far as there is room: what does not fit stays unread and closes the window. */
static void serve(estab_stack *stack, uint64_t now, estab_conn conn)
{
    uint8_t bytes[4096];
    ptrdiff_t count;

    while ((count = estab_recv(stack, now, conn, bytes, sizeof bytes, ESTAB_PEEK)) > 0) {
        ptrdiff_t sent = estab_send(stack, now, conn, bytes, (size_t)count, 0);

        if (sent <= 0 || estab_recv_consume(stack, now, conn, (size_t)sent) != 0)
            return;
    }
    if (count != -ESTAB_EAGAIN) /* the end, or an error: everything that came has been answered */
        estab_close(stack, now, conn);
}

int main(void)
{
    static uint8_t room[BATCH][DEVICE_PACKET_ROOM];
    struct estab_packet packets[BATCH] = {0};
    struct device_options options = {.spec = "tun:estab0"};
    struct device device;
    estab_conn listener, conn;
    struct estab_event event;
    const char *why = "";
    estab_stack *stack;
    char error[256];
    int count;

    if (device_open(&device, &options, error, sizeof error) != DEVICE_OK)
        return fprintf(stderr, "echo: %s\n", error), 1;
    if ((stack = start(&device, &listener, &why)) == NULL)
        return fprintf(stderr, "echo: %s\n", why), 1;
    for (int i = 0; i < BATCH; i++)
        packets[i] = (struct estab_packet){.data = room[i], .capacity = DEVICE_PACKET_ROOM};
    for (;;) {
        struct pollfd wait = {device.fd, POLLIN, 0};
        uint64_t now = clock_ns(), deadline = estab_next_deadline(stack);
        uint64_t left = deadline > now ? deadline - now : 0;
        struct timespec time = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};

        ppoll(&wait, 1, deadline == UINT64_MAX ? NULL : &time, NULL);
        if ((count = device_read(&device, packets, BATCH)) < 0)
            return 1; /* the device is gone */
        estab_input(stack, now = clock_ns(), packets, (unsigned)count);
        estab_tick(stack, now);
        while (estab_poll(stack, &event, 1) > 0) {
            while (event.conn == listener && estab_accept(stack, now, listener, &conn) == 0)
                serve(stack, now, conn);
            if (event.conn != listener)
                serve(stack, now, event.conn);
        }
        /* What a full device does not take is lost here, and TCP sends it again. */
        while ((count = (int)estab_pull(stack, now, packets, BATCH)) > 0)
            device_write(&device, packets, (unsigned)count);
    }
}
