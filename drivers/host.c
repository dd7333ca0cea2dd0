/*
 * A host on a device (host.h): the loop that a program needs around a stack. Order of a turn: send what is
 * due, wait, read, estab_input(), estab_tick(). Sending comes first so that what the program did after the
 * last turn goes out with the acknowledgments of the same moment.
 *
 * Slices of the send queue live until the next call other than estab_pull(); what the device does not take at
 * once is therefore copied into buffers of our own (at most one batch) and nothing is pulled until it is
 * gone.
 */
#include "host.h"

#include "addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define SECOND         UINT64_C(1000000000)
#define DEFAULT_MEMORY ((size_t)64 << 20)

/* Batches read in one turn, so that timers and the program get theirs under a flood. */
#define READ_ROUNDS 8

/* Ticks in one turn: each handles a bounded number of timers. */
#define TICK_ROUNDS 64

/*
 * How long to wait before a device is tried again that said it is ready and then was not (short of memory).
 */
#define RETRY_NS UINT64_C(1000000)

struct host_room {
    uint8_t in[HOST_BATCH][DEVICE_PACKET_ROOM];
    uint8_t out[HOST_BATCH][DEVICE_PACKET_ROOM];
    struct estab_slice slices[HOST_BATCH][DEVICE_SLICES];
    struct estab_packet in_packets[HOST_BATCH];
    struct estab_packet out_packets[HOST_BATCH];
    unsigned held_first, held_count; /* of out_packets: copied whole, waiting for POLLOUT */
    bool retry;                      /* the device was ready and full at once */
    struct pollfd *polls;            /* the device's and the program's */
    unsigned polls_size;
};

void host_options_init(struct host_options *options)
{
    memset(options, 0, sizeof *options);
    estab_config_init(&options->config);
}

/* -------------------------------------------------------------------------------------------------- clock */

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

uint64_t host_now(struct host *host)
{
    host->now = read_clock(CLOCK_MONOTONIC);
    return host->now;
}

/* --------------------------------------------------------------------------------------------------- open */

/* False: `text` is no choice. */
static bool choose_cookies(struct estab_config *config, const char *text)
{
    if (text == NULL)
        return true;
    if (strcmp(text, "always") == 0)
        config->cookies = &estab_syn_cookies_always;
    else if (strcmp(text, "overflow") == 0)
        config->cookies = &estab_syn_cookies;
    else if (strcmp(text, "off") == 0)
        config->cookies = NULL;
    else
        return false;
    return true;
}

static int open_stack(struct host *host, const struct host_options *options, char *error, size_t size)
{
    size_t bytes = options->memory != 0 ? options->memory : DEFAULT_MEMORY;
    struct estab_config config = options->config;
    const char *what = "";
    int code = 0;

    if (!choose_cookies(&config, options->syn_cookies)) {
        snprintf(error, size, "bad --syn-cookies '%.64s': always, overflow or off", options->syn_cookies);
        return 2;
    }
    if (getrandom(config.secret, sizeof config.secret, 0) != (ssize_t)sizeof config.secret) {
        snprintf(error, size, "no random bytes: %s", strerror(errno));
        return 1;
    }
    bytes = (bytes + 63) / 64 * 64;
    host->memory = aligned_alloc(64, bytes);
    if (host->memory == NULL) {
        snprintf(error, size, "out of memory for a stack of %zu bytes", bytes);
        return 1;
    }
    host->stack = estab_init(host->memory, bytes, &config, &code, &what);
    if (host->stack != NULL)
        return 0;
    if (code == -ESTAB_ENOBUFS)
        snprintf(error, size, "%zu bytes of memory are too few: at least %zu", bytes,
                 estab_memory_minimum(&config));
    else
        snprintf(error, size, "bad setting of the stack: %s", what != NULL ? what : "?");
    return 2;
}

static int open_device(struct host *host, const struct host_options *options, char *error, size_t size)
{
    struct device_options device = {0};
    struct estab_interface interface;
    enum device_result result;

    if (options->device == NULL) {
        snprintf(error, size, "no device: give --dev tun:NAME or --dev tap:NAME");
        return 2;
    }
    device.spec = options->device;
    device.path = options->device_path;
    device.mtu = options->mtu;
    device.no_offload = options->no_offload;
    result = device_open(&host->device, &device, error, size);
    if (result != DEVICE_OK)
        return (int)result;
    device_interface(&host->device, &interface);
    interface.accept_any_address = options->accept_any_address;
    host->interface = estab_interface_add(host->stack, host->now, &interface);
    if (host->interface < 0) {
        snprintf(error, size, "cannot use device %s with an MTU of %u: %s", host->device.name,
                 (unsigned)host->device.mtu, estab_strerror(host->interface));
        return 1;
    }
    host->device.interface = (uint32_t)host->interface;
    return 0;
}

static int add_addresses(struct host *host, const struct addr_prefix *list, int count, char *error,
                         size_t size)
{
    char text[ADDR_TEXT];

    for (int i = 0; i < count; i++) {
        int result = estab_address_add(host->stack, host->now, (uint32_t)host->interface, &list[i].addr,
                                       list[i].length);

        if (result == 0)
            continue;
        snprintf(error, size, "cannot use the address %s/%u: %s", addr_format(&list[i].addr, text),
                 list[i].length, estab_strerror(result));
        return 2;
    }
    return 0;
}

/* gateway NULL = everything of that family is on the link. */
static int add_default_route(struct host *host, bool ipv4, const struct estab_addr *gateway)
{
    struct estab_addr network = ipv4 ? estab_addr_ipv4(0, 0, 0, 0, 0) : estab_addr_any(0);

    return estab_route_add(host->stack, (uint32_t)host->interface, &network, 0, gateway);
}

static int add_routes(struct host *host, const struct addr_prefix *gateways, int count, char *error,
                      size_t size)
{
    char text[ADDR_TEXT];
    bool named[2] = {false, false};

    for (int i = 0; i < count; i++) {
        bool ipv4 = addr_is_ipv4(&gateways[i].addr);
        int result = add_default_route(host, ipv4, &gateways[i].addr);

        if (result == 0 && !named[ipv4]) {
            named[ipv4] = true;
            continue;
        }
        snprintf(error, size, "cannot use the gateway %s: %s", addr_format(&gateways[i].addr, text),
                 result == 0 ? "one for each address family" : estab_strerror(result));
        return 2;
    }
    if (host->device.ethernet)
        return 0;
    /* A stack without IPv6 refuses its route: it has no use for it either. */
    for (int ipv4 = 0; ipv4 < 2; ipv4++) {
        if (!named[ipv4])
            add_default_route(host, ipv4 == 1, NULL);
    }
    return 0;
}

/* Done before anything is opened: a wrong flag leaves nothing behind. 0 = no such flag was given. */
static int parse_addresses(const char *text, const char *flag, struct addr_prefix *list, char *error,
                           size_t size)
{
    int count;

    if (text == NULL)
        return 0;
    count = addr_parse_list(text, list, HOST_MAX_ADDRESSES, error, size);
    for (int i = 0; i < count; i++) {
        if (!addr_is_any(&list[i].addr))
            continue;
        snprintf(error, size, "bad address in %s %s: it must not be zero", flag, text);
        return -1;
    }
    return count;
}

static int open_capture(struct host *host, const char *path, char *error, size_t size)
{
    if (path == NULL)
        return 0;
    if (pcapng_open(&host->capture, path, error, size) != 0)
        return 1;
    host->capturing = true;
    host->wall_offset = read_clock(CLOCK_REALTIME) - host->now;
    pcapng_interface(&host->capture, host->device.name, host->device.ethernet);
    return 0;
}

static int open_parts(struct host *host, const struct host_options *options, char *error, size_t size)
{
    struct addr_prefix addresses[HOST_MAX_ADDRESSES];
    struct addr_prefix gateways[HOST_MAX_ADDRESSES];
    int count = parse_addresses(options->addresses, "--addr", addresses, error, size);
    int gateway_count = count < 0 ? -1 : parse_addresses(options->gateways, "--gw", gateways, error, size);
    int result;

    if (count < 0 || gateway_count < 0)
        return 2;
    if (count == 0) {
        snprintf(error, size, "no address: give --addr, for example --addr 10.9.0.2/24,fd09::2/64");
        return 2;
    }
    host->room = calloc(1, sizeof *host->room);
    if (host->room == NULL) {
        snprintf(error, size, "out of memory");
        return 1;
    }
    result = open_stack(host, options, error, size);
    if (result == 0)
        result = open_device(host, options, error, size);
    if (result == 0)
        result = add_addresses(host, addresses, count, error, size);
    if (result == 0)
        result = add_routes(host, gateways, gateway_count, error, size);
    if (result == 0)
        result = open_capture(host, options->capture, error, size);
    return result;
}

int host_open(struct host *host, const struct host_options *options, char *error, size_t size)
{
    int result;

    memset(host, 0, sizeof *host);
    host->device.fd = -1;
    host_now(host);
    result = open_parts(host, options, error, size);
    if (result != 0)
        host_close(host);
    return result;
}

int host_close(struct host *host)
{
    const char *report;
    int result = 0;

    if (host->capturing) {
        pcapng_close(&host->capture);
        report = pcapng_report(&host->capture);
        if (report != NULL)
            fprintf(stderr, "estab: %s\n", report);
        result = host->capture.failed != 0;
    }
    host->capturing = false;
    device_close(&host->device);
    if (host->room != NULL)
        free(host->room->polls);
    free(host->room);
    free(host->memory);
    host->room = NULL;
    host->memory = NULL;
    host->stack = NULL;
    return result;
}

/* ------------------------------------------------------------------------------------------------ capture */

static void report_capture(struct host *host)
{
    const char *report = pcapng_report(&host->capture);

    if (report != NULL)
        fprintf(stderr, "estab: %s\n", report);
}

static void capture(struct host *host, const struct estab_packet *packets, unsigned count, bool outgoing)
{
    if (!host->capturing)
        return;
    for (unsigned i = 0; i < count; i++) {
        struct pcapng_record record = {0};

        record.time_ns = host->now + host->wall_offset;
        record.outgoing = outgoing;
        record.packet = &packets[i];
        pcapng_write(&host->capture, &record);
    }
    report_capture(host);
}

/* ----------------------------------------------------------------------------------------------- sending */

static int fail(struct host *host, int code)
{
    snprintf(host->error, sizeof host->error, "device %s is gone: %s", host->device.name, strerror(-code));
    return code;
}

/* A packet that must wait may not point into the send queue. */
static bool make_whole(struct estab_packet *packet)
{
    for (unsigned i = 0; i < packet->slice_count; i++) {
        const struct estab_slice *slice = &packet->slices[i];

        if (slice->length > packet->capacity - packet->length)
            return false;
        memcpy(packet->data + packet->length, slice->data, slice->length);
        packet->length += (uint32_t)slice->length;
    }
    packet->slice_count = 0;
    return true;
}

/*
 * Keeps packets [first, first + count) of the batch. One that is too long for its room, which no segment
 * is, is counted lost.
 */
static void hold(struct host *host, unsigned first, unsigned count)
{
    struct host_room *room = host->room;
    unsigned kept = 0;

    for (unsigned i = first; i < first + count; i++) {
        struct estab_packet packet = room->out_packets[i];

        if (!make_whole(&packet)) {
            host->device.rejected++;
            continue;
        }
        room->out_packets[first + kept++] = packet;
    }
    room->held_first = first;
    room->held_count = kept;
    host->held_total += kept;
    host->blocked = kept > 0;
}

/* Offers the held packets again. 1 = all gone, 0 = some are left, or a negative errno. */
static int write_held(struct host *host)
{
    struct host_room *room = host->room;
    int n;

    if (room->held_count == 0)
        return 1;
    n = device_write(&host->device, room->out_packets + room->held_first, room->held_count);
    if (n < 0)
        return n;
    room->retry = n == 0;
    room->held_first += (unsigned)n;
    room->held_count -= (unsigned)n;
    host->blocked = room->held_count > 0;
    return !host->blocked;
}

static unsigned pull_batch(struct host *host)
{
    struct host_room *room = host->room;

    for (unsigned i = 0; i < HOST_BATCH; i++) {
        struct estab_packet *packet = &room->out_packets[i];

        packet->data = room->out[i];
        packet->capacity = DEVICE_PACKET_ROOM;
        packet->slices = room->slices[i];
        packet->slice_capacity = DEVICE_SLICES;
        packet->slice_count = 0;
    }
    return estab_pull(host->stack, host->now, room->out_packets, HOST_BATCH);
}

int host_flush(struct host *host)
{
    unsigned count;
    int n = write_held(host);

    if (n < 0)
        return fail(host, n);
    if (n == 0)
        return 0;
    host_now(host);
    while ((count = pull_batch(host)) > 0) {
        capture(host, host->room->out_packets, count, true);
        n = device_write(&host->device, host->room->out_packets, count);
        if (n < 0)
            return fail(host, n);
        if ((unsigned)n == count)
            continue;
        hold(host, (unsigned)n, count - (unsigned)n);
        return 0;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ waiting */

/* The device's descriptor and those of the program in one array. NULL = out of memory. */
static struct pollfd *collect_polls(struct host *host)
{
    struct host_room *room = host->room;
    unsigned count = host->fd_count + 1;

    if (room->polls_size < count) {
        struct pollfd *more = realloc(room->polls, count * sizeof *more);

        if (more == NULL)
            return NULL;
        room->polls = more;
        room->polls_size = count;
    }
    room->polls[0].fd = host->device.fd;
    room->polls[0].events = host->blocked && !room->retry ? POLLIN | POLLOUT : POLLIN;
    room->polls[0].revents = 0;
    if (host->fd_count > 0)
        memcpy(room->polls + 1, host->fds, host->fd_count * sizeof *host->fds);
    return room->polls;
}

static uint64_t wait_ns(struct host *host, uint64_t timeout_ns)
{
    uint64_t deadline = estab_next_deadline(host->stack);
    uint64_t now = host_now(host);

    if (deadline != UINT64_MAX) {
        uint64_t left = deadline > now ? deadline - now : 0;

        timeout_ns = left < timeout_ns ? left : timeout_ns;
    }
    if (host->room->retry && timeout_ns > RETRY_NS)
        timeout_ns = RETRY_NS;
    return timeout_ns;
}

/* 1 = the device has something, 0 = not, or a negative errno. */
static int wait_for_events(struct host *host, uint64_t timeout_ns)
{
    struct pollfd *polls = collect_polls(host);
    uint64_t ns = wait_ns(host, timeout_ns);
    struct timespec time = {(time_t)(ns / SECOND), (long)(ns % SECOND)};
    int n;

    if (polls == NULL)
        return -ENOMEM;
    if (host->capturing && ns > 0) {
        pcapng_flush(&host->capture);
        report_capture(host);
    }
    n = ppoll(polls, (nfds_t)host->fd_count + 1, ns == HOST_FOREVER ? NULL : &time, host->signals);
    if (n < 0 && errno != EINTR)
        return -errno;
    for (unsigned i = 0; i < host->fd_count; i++)
        host->fds[i].revents = n > 0 ? polls[i + 1].revents : 0;
    if (n <= 0)
        return 0;
    return (polls[0].revents & ~POLLOUT) != 0;
}

static void offer_room(struct host_room *room)
{
    for (unsigned i = 0; i < HOST_BATCH; i++) {
        room->in_packets[i].data = room->in[i];
        room->in_packets[i].capacity = DEVICE_PACKET_ROOM;
    }
}

static int read_all(struct host *host)
{
    struct host_room *room = host->room;

    for (unsigned round = 0; round < READ_ROUNDS; round++) {
        int n;

        offer_room(room);
        n = device_read(&host->device, room->in_packets, HOST_BATCH);
        if (n <= 0)
            return n;
        host_now(host);
        estab_input(host->stack, host->now, room->in_packets, (unsigned)n);
        capture(host, room->in_packets, (unsigned)n, false);
        if ((unsigned)n < HOST_BATCH)
            return 0;
        n = host_flush(host); /* a sender's window must not wait for one ACK (SHLD-19) */
        if (n < 0)
            return n;
    }
    return 0;
}

int host_step(struct host *host, uint64_t timeout_ns)
{
    int result = host_flush(host);

    if (result < 0)
        return result;
    result = wait_for_events(host, timeout_ns);
    if (result > 0)
        result = read_all(host);
    if (result < 0)
        return fail(host, result);
    host_now(host);
    for (unsigned i = 0; i < TICK_ROUNDS && estab_tick(host->stack, host->now); i++)
        continue;
    return 0;
}

/* ----------------------------------------------------------------------------------------------- draining */

static bool is_at_rest(const struct host *host)
{
    struct estab_status status;
    uint64_t cursor = 0;

    if (host->blocked || estab_pull_pending(host->stack))
        return false;
    while (estab_iterate(host->stack, &cursor, &status)) {
        if (status.state != ESTAB_CLOSED && status.state != ESTAB_LISTEN && status.state != ESTAB_TIME_WAIT)
            return false;
    }
    return true;
}

int host_drain(struct host *host, uint64_t timeout_ns)
{
    uint64_t start = host_now(host);
    int result = host_flush(host);

    while (result == 0 && !is_at_rest(host) && host_now(host) - start < timeout_ns) {
        result = host_step(host, timeout_ns - (host->now - start));
        if (result == 0)
            result = host_flush(host); /* the last ACK is no reason to wait for another packet */
    }
    return result;
}
