/*
 * The link between clients and server: one way of it, a ring of packets that arrive after their delay, in
 * their order. See bench_flood.h.
 */
#include "bench_flood.h"
#include "tool.h"

#include <string.h>
#include <sys/mman.h>

#define SLOTS 8192u

struct slot {
    uint64_t due_ns;
    uint32_t length;
    uint8_t data[FLOOD_ROOM];
};

struct flood_pipe {
    uint32_t head, count;
    struct slot slots[SLOTS];
};

struct flood_pipe *flood_pipe_open(void)
{
    return flood_allocate(sizeof(struct flood_pipe));
}

void flood_pipe_close(struct flood_pipe *pipe)
{
    if (pipe != NULL) {
        munmap(pipe, sizeof *pipe);
    }
}

bool flood_pipe_push(struct flood_pipe *pipe, uint64_t due_ns, const uint8_t *packet, uint32_t length)
{
    if (pipe->count == SLOTS) {
        return false;
    }
    struct slot *slot = &pipe->slots[(pipe->head + pipe->count) % SLOTS];
    slot->due_ns = due_ns;
    slot->length = length;
    memcpy(slot->data, packet, length);
    pipe->count++;
    return true;
}

unsigned flood_pipe_pop(struct flood_pipe *pipe, uint64_t now, struct estab_packet *packets, unsigned count)
{
    unsigned taken = 0;
    while (taken < count && pipe->count > 0 && pipe->slots[pipe->head].due_ns <= now) {
        struct slot *slot = &pipe->slots[pipe->head];
        packets[taken++] = (struct estab_packet){.data = slot->data, .length = slot->length, .interface = 1};
        pipe->head = (pipe->head + 1) % SLOTS;
        pipe->count--;
    }
    return taken;
}
