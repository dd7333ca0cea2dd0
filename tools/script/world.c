/* The stack under test in virtual time: see world.h. */
#include "world.h"

#include <stdlib.h>

#define MEMORY       (UINT64_C(24) << 20) /* above the least */
#define PULL_AT_ONCE 8

static bool add_interface(struct world *world, const struct settings *settings)
{
    struct estab_interface interface = {
        .size = sizeof interface,
        .mtu = settings->mtu,
        .accept_any_address = settings->anyip,
    };
    struct estab_addr any = {0};
    if (!settings->ipv6) {
        any = estab_addr_ipv4(0, 0, 0, 0, 0);
    }
    int number = estab_interface_add(world->stack, world->now, &interface);
    return number > 0 &&
           estab_address_add(world->stack, world->now, (uint32_t)number, &settings->local,
                             settings->ipv6 ? 48 : 16) == 0 &&
           estab_route_add(world->stack, (uint32_t)number, &any, 0, NULL) == 0;
}

bool world_make(struct world *world, const struct settings *settings, const char **why)
{
    size_t size = estab_memory_minimum(&settings->config) + MEMORY;
    int error = 0;
    *world = (struct world){.now = WORLD_START, .room = settings->mtu + 64};
    world->memory = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    world->buffer = malloc((size_t)world->room * PULL_AT_ONCE + WIRE_MAX);
    if (world->memory == NULL || world->buffer == NULL) {
        *why = "no memory for the stack";
        return false;
    }
    world->stack = estab_init(world->memory, size, &settings->config, &error, why);
    if (world->stack == NULL) {
        return false;
    }
    *why = "the stack refuses the addresses";
    if (!add_interface(world, settings)) {
        return false;
    }
    world->sockets = sockets_new(world->stack, NULL);
    *why = "no memory for sockets";
    return world->sockets != NULL;
}

void world_free(struct world *world)
{
    if (world->sockets != NULL) {
        sockets_free(world->sockets);
    }
    while (world->first != NULL) {
        struct crossing *next = world->first->next;
        free(world->first);
        world->first = next;
    }
    free(world->buffer);
    free(world->memory);
}

int64_t world_time(const struct world *world)
{
    return (int64_t)(world->now - WORLD_START);
}

static struct crossing *record(struct world *world, const struct estab_packet *packet)
{
    struct crossing *crossing = calloc(1, sizeof *crossing);
    if (crossing == NULL || world->packets++ > WORLD_PACKETS) {
        free(crossing);
        world->looped = true;
        return NULL;
    }
    crossing->time_ns = world_time(world);
    crossing->state_before = packet->state_before;
    crossing->state_after = packet->state_after;
    crossing->reason = packet->reason;
    wire_read(&crossing->wire, packet->data, packet->length);
    *(world->last == NULL ? &world->first : &world->last->next) = crossing;
    world->last = crossing;
    return crossing;
}

static unsigned pull(struct world *world)
{
    struct estab_packet packets[PULL_AT_ONCE] = {{0}};
    for (unsigned i = 0; i < PULL_AT_ONCE; i++) {
        packets[i].data = world->buffer + (size_t)i * world->room;
        packets[i].capacity = world->room;
    }
    unsigned count = estab_pull(world->stack, world->now, packets, PULL_AT_ONCE);
    for (unsigned i = 0; i < count; i++) {
        struct crossing *crossing = record(world, &packets[i]);
        if (crossing != NULL) {
            world->on_packet(world->user, crossing);
        }
    }
    return count;
}

void world_settle(struct world *world)
{
    while (!world->looped && pull(world) > 0) {
    }
    sockets_update(world->sockets, world->now);
    if (world->check == NULL) {
        world->check = estab_check(world->stack);
    }
}

bool world_step(struct world *world, int64_t until, uint64_t deadline)
{
    uint64_t end = WORLD_START + (uint64_t)until;
    uint64_t due = estab_next_deadline(world->stack);
    due = deadline < due ? deadline : due;
    if (++world->steps > WORLD_STEPS) {
        world->looped = true;
    }
    bool within = due <= end && !world->looped;
    uint64_t moment = within ? due : end;
    world->now = moment > world->now ? moment : world->now;
    if (!world->looped) {
        while (estab_tick(world->stack, world->now)) {
        }
        world_settle(world);
    }
    return within;
}

struct crossing *world_inject(struct world *world, const struct wire *wire, uint32_t mss)
{
    uint8_t *bytes = world->buffer + (size_t)world->room * PULL_AT_ONCE;
    struct estab_packet packet = {.data = bytes, .interface = 1};
    packet.length = (uint32_t)wire_write(wire, bytes);
    if (packet.length == 0) {
        return NULL;
    }
    if (mss != 0 && !wire->packet.icmp && wire->packet.length > mss) {
        packet.gso_size = (uint16_t)mss;
    }
    estab_input(world->stack, world->now, &packet, 1);
    struct crossing *crossing = record(world, &packet);
    if (crossing != NULL) {
        crossing->inbound = true;
    }
    return crossing;
}
