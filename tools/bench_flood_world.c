/*
 * The two stacks of `estab bench flood`, the link between them, and time: see bench_flood.h. What the server
 * does for attack packets is timed, in turns of FLOOD_BATCH packets: input, what is due, the application, and
 * all that it has to send. What it does for its clients' packets is not.
 */
#include "bench_flood.h"
#include "sim/bytes.h"
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define MILLISECOND_STEPS 16u /* what is looked at about once a millisecond */
#define LATE_BEHIND       8u  /* attack packets between the two fragments of a client's packet */
#define CLIENT_MEMORY     ((size_t)64 << 20)

enum end { AT_SERVER, AT_CLIENT };

uint64_t flood_random(struct flood *flood)
{
    flood->random ^= flood->random << 13;
    flood->random ^= flood->random >> 7;
    flood->random ^= flood->random << 17;
    return flood->random;
}

void *flood_allocate(size_t size)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        tool_error("%zu bytes: %s", size, strerror(errno));
        return NULL;
    }
    return memory;
}

/* ---- stacks ---- */

static int add_interface(estab_stack *stack, uint64_t now, const struct estab_addr *address)
{
    struct estab_interface interface = {.size = sizeof interface, .mtu = BENCH_MTU};
    struct estab_addr any = estab_addr_ipv4(0, 0, 0, 0, 0);
    int number = estab_interface_add(stack, now, &interface);
    int error = number < 0 ? number : estab_address_add(stack, now, (uint32_t)number, address, 24);
    return error != 0 ? error : estab_route_add(stack, (uint32_t)number, &any, 0, NULL);
}

static estab_stack *make_stack(struct flood *flood, enum end end, size_t size)
{
    struct estab_addr address = estab_addr_ipv4(10, 0, 0, end == AT_CLIENT ? 1 : 2, 0);
    struct estab_config config;
    const char *what = NULL;
    int error = 0;
    estab_config_init(&config);
    memset(config.secret, (int)end + 1, sizeof config.secret);
    config.msl_ns = end == AT_SERVER ? flood->setup->msl_ns : 0;
    config.cookies = end == AT_SERVER && flood->setup->no_cookies ? NULL : config.cookies;
    flood->memory[end] = flood_allocate(size);
    flood->memory_size[end] = size;
    if (flood->memory[end] == NULL) {
        return NULL;
    }
    estab_stack *stack = estab_init(flood->memory[end], size, &config, &error, &what);
    error = stack != NULL ? add_interface(stack, flood->now, &address) : error;
    if (error != 0) {
        tool_error("no stack in %zu bytes: %s (%s)", size, estab_strerror(error), what != NULL ? what : "-");
        return NULL;
    }
    return stack;
}

static void rooms(struct flood *flood)
{
    for (unsigned i = 0; i < FLOOD_BATCH; i++) {
        flood->in[i].data = flood->in_room[i];
    }
    for (unsigned i = 0; i < FLOOD_PULL; i++) {
        flood->out[i].data = flood->out_room[i];
        flood->out[i].capacity = FLOOD_ROOM;
    }
}

static bool make_all(struct flood *flood)
{
    flood->server = make_stack(flood, AT_SERVER, flood->setup->budget);
    flood->client = flood->server != NULL ? make_stack(flood, AT_CLIENT, CLIENT_MEMORY) : NULL;
    if (flood->client == NULL) {
        return false;
    }
    flood->to_server = flood_pipe_open();
    flood->to_client = flood_pipe_open();
    flood->late = flood_pipe_open();
    flood->answer = flood_pattern();
    flood->tally.setup.bins = calloc(FLOOD_BINS, sizeof(uint32_t));
    flood->tally.exchange.bins = calloc(FLOOD_BINS, sizeof(uint32_t));
    if (flood->to_server == NULL || flood->to_client == NULL || flood->late == NULL ||
        flood->answer == NULL || flood->tally.setup.bins == NULL || flood->tally.exchange.bins == NULL ||
        !flood_watch_open(flood)) {
        tool_error("out of memory");
        return false;
    }
    return flood_server_listen(flood) && flood_clients_open(flood) &&
           (flood->setup->kind == NULL || flood->setup->kind->begin == NULL ||
            flood->setup->kind->begin(flood));
}

struct flood *flood_open(const struct flood_setup *setup)
{
    struct flood *flood = flood_allocate(sizeof *flood);
    if (flood == NULL) {
        return NULL;
    }
    flood->setup = setup;
    flood->random = UINT64_C(88172645463325252);
    flood->start = flood->now = 1000 * BENCH_SECOND;
    rooms(flood);
    if (!make_all(flood)) {
        flood_close(flood);
        return NULL;
    }
    return flood;
}

void flood_close(struct flood *flood)
{
    for (unsigned end = AT_SERVER; end <= AT_CLIENT; end++) {
        if (flood->memory[end] != NULL) {
            munmap(flood->memory[end], flood->memory_size[end]);
        }
    }
    for (unsigned i = 0; i < FLOOD_BOT_SETS; i++) {
        flood_bots_close(flood->bots[i]);
    }
    flood_pipe_close(flood->to_server);
    flood_pipe_close(flood->to_client);
    flood_pipe_close(flood->late);
    flood_clients_close(flood);
    flood_watch_close(flood);
    free(flood->tally.setup.bins);
    free(flood->tally.exchange.bins);
    free(flood->answer);
    munmap(flood, sizeof *flood);
}

/* ---- packets of the server ---- */

static void route(struct flood *flood, const struct estab_packet *packet)
{
    if (get32(packet->data + 16) != FLOOD_CLIENT) {
        flood_watch_out(flood, packet);
        return;
    }
    flood_watch(flood, 1, packet);
    bool room = flood_pipe_push(flood->to_client, flood->now + FLOOD_DELAY_NS, packet->data, packet->length);
    flood->tally.pipe_lost += !room;
}

static void due(estab_stack *stack, uint64_t now)
{
    while (estab_next_deadline(stack) <= now) {
        estab_tick(stack, now);
    }
}

static unsigned server_pull(struct flood *flood)
{
    return estab_pull(flood->server, flood->now, flood->out, FLOOD_PULL);
}

static void server_route(struct flood *flood, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        route(flood, &flood->out[i]);
    }
}

static void input_late(struct flood *flood)
{
    struct estab_packet packets[FLOOD_BATCH];
    unsigned count = flood_pipe_pop(flood->late, flood->now, packets, FLOOD_BATCH);
    estab_input(flood->server, flood->now, packets, count);
}

static void serve_clients(struct flood *flood)
{
    struct estab_packet packets[FLOOD_BATCH];
    unsigned count;
    if (flood->setup->kind == NULL) {
        input_late(flood);
    }
    while ((count = flood_pipe_pop(flood->to_server, flood->now, packets, FLOOD_BATCH)) > 0) {
        estab_input(flood->server, flood->now, packets, count);
        flood_server_events(flood);
    }
    while ((count = server_pull(flood)) > 0) {
        server_route(flood, count);
    }
}

/* ---- attack packets ---- */

static uint64_t cpu_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * BENCH_SECOND + (uint64_t)time.tv_nsec;
}

static unsigned attack_packets(struct flood *flood)
{
    unsigned count = 0;
    while (count < FLOOD_BATCH) {
        struct estab_packet *packet = &flood->in[count];
        uint32_t length = flood->setup->kind->fill(flood, packet->data);
        if (length == 0) {
            break;
        }
        *packet = (struct estab_packet){.data = packet->data, .length = length, .interface = 1};
        flood->tally.attack_bytes += length;
        count++;
    }
    flood->tally.attack_packets += count;
    return count;
}

/* One turn of the server, with the attack packets of a step. */
static void attack(struct flood *flood)
{
    unsigned count = attack_packets(flood);
    uint64_t begun = cpu_clock();
    uint64_t took = 0;
    unsigned ahead = count < LATE_BEHIND ? count : LATE_BEHIND;
    estab_input(flood->server, flood->now, flood->in, ahead);
    input_late(flood);
    estab_input(flood->server, flood->now, flood->in + ahead, count - ahead);
    due(flood->server, flood->now);
    flood_server_events(flood);
    unsigned out;
    do {
        out = server_pull(flood);
        took += cpu_clock() - begun;
        server_route(flood, out);
        begun = out > 0 ? cpu_clock() : 0;
    } while (out == FLOOD_PULL);
    if (!flood->draining && flood->now < flood->end) {
        uint64_t decile = (flood->now - flood->start) * FLOOD_DECILES / (flood->end - flood->start);
        flood->tally.cpu_ns[decile] += took;
        flood->tally.cpu_packets[decile] += count;
    }
}

/* ---- packets of the clients ---- */

/* Some go in two fragments, with LATE_BEHIND attack packets between them. */
static void send_to_server(struct flood *flood, const struct estab_packet *packet)
{
    uint64_t due_ns = flood->now + FLOOD_DELAY_NS;
    uint8_t first[FLOOD_ROOM];
    uint8_t second[FLOOD_ROOM];
    uint8_t *parts[2] = {first, second};
    uint32_t lengths[2];
    flood_watch(flood, 0, packet);
    if (packet->length < 512 || !flood_clients_fragments(flood, get16(packet->data + 20))) {
        flood->tally.pipe_lost += !flood_pipe_push(flood->to_server, due_ns, packet->data, packet->length);
        return;
    }
    flood->tally.cut++;
    flood_cut(packet->data, packet->length, parts, lengths);
    flood->tally.pipe_lost += !flood_pipe_push(flood->to_server, due_ns, parts[0], lengths[0]);
    flood->tally.pipe_lost += !flood_pipe_push(flood->late, due_ns, parts[1], lengths[1]);
}

static void clients(struct flood *flood, bool millisecond)
{
    struct estab_packet packets[FLOOD_BATCH];
    unsigned count;
    while ((count = flood_pipe_pop(flood->to_client, flood->now, packets, FLOOD_BATCH)) > 0) {
        estab_input(flood->client, flood->now, packets, count);
    }
    due(flood->client, flood->now);
    flood_clients_events(flood);
    if (millisecond) {
        flood_clients_tick(flood);
        flood_storms_tick(flood);
    }
    while (estab_pull_pending(flood->client) &&
           (count = estab_pull(flood->client, flood->now, flood->out, FLOOD_PULL)) > 0) {
        for (unsigned i = 0; i < count; i++) {
            send_to_server(flood, &flood->out[i]);
        }
    }
}

/* ---- time ---- */

static void look(struct flood *flood)
{
    struct estab_memory memory;
    struct estab_status listener;
    struct flood_tally *tally = &flood->tally;
    estab_memory(flood->server, &memory);
    estab_status(flood->server, flood->listener, &listener);
    uint32_t connections = listener.half_open - memory.half_open; /* half-open, but no longer in the cache */
    uint64_t half_open_bytes =
        memory.half_open * memory.per_half_open + connections * (memory.per_connection + memory.block_size);
    tally->half_open_bytes_high =
        half_open_bytes > tally->half_open_bytes_high ? half_open_bytes : tally->half_open_bytes_high;
    tally->half_open_high =
        memory.half_open > tally->half_open_high ? memory.half_open : tally->half_open_high;
    tally->time_wait_high =
        memory.time_wait > tally->time_wait_high ? memory.time_wait : tally->time_wait_high;
    tally->connections_high =
        memory.connections > tally->connections_high ? memory.connections : tally->connections_high;
}

static void step(struct flood *flood)
{
    bool millisecond = flood->step++ % MILLISECOND_STEPS == 0;
    clients(flood, millisecond);
    serve_clients(flood);
    if (flood->setup->kind != NULL) {
        attack(flood);
    } else {
        due(flood->server, flood->now);
    }
    if (millisecond) {
        look(flood);
    }
    flood->now += FLOOD_STEP_NS;
}

bool flood_run(struct flood *flood)
{
    flood->end = flood->start + flood->setup->duration_ns;
    while (flood->now < flood->end) {
        step(flood);
    }
    flood->draining = true; /* the flood goes on until those who have begun are done */
    while (flood->open_exchanges > 0) {
        step(flood);
    }
    const char *wrong = estab_check(flood->server);
    if (wrong != NULL) {
        tool_error("the server's stack is inconsistent: %s", wrong);
    }
    return wrong == NULL;
}
