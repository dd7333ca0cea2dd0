/*
 * The world of a scene: our stack on the TUN device with the kernel as its peer, in real time; or two stacks
 * joined in memory, in virtual time. What both stacks tell in their trace goes to the scene's ladder, with
 * the kernel's states as they are seen after each turn.
 */
#include "demo.h"

#include "drivers/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_MEMORY ((size_t)8 << 20)
#define WAY_NS       (10 * DEMO_MILLISECOND) /* in memory, one way */
#define TURN_KERNEL  (1 * DEMO_MILLISECOND)
#define TURN_MEMORY  (100 * DEMO_MILLISECOND)

static const char *const texts[2][2] = {{"10.9.0.2", "10.9.0.1"}, {"fd09::2", "fd09::1"}};
static const char *const lists[2] = {"10.9.0.2/24,fd09::2/64", "10.9.0.1/24,fd09::1/64"};

/* ------------------------------------------------------------------------------------------- addresses */

struct estab_addr world_address(const struct scene *scene, enum side side)
{
    struct estab_addr address;
    addr_parse(texts[scene->world.ipv6][side], &address);
    address.port = scene->port[side];
    return address;
}

socklen_t world_sockaddr(const struct scene *scene, enum side side, struct sockaddr_storage *address)
{
    memset(address, 0, sizeof *address);
    if (scene->world.ipv6) {
        struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)address;
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons(scene->port[side]);
        inet_pton(AF_INET6, texts[1][side], &ipv6->sin6_addr);
        return sizeof *ipv6;
    }
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)address;
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(scene->port[side]);
    inet_pton(AF_INET, texts[0][side], &ipv4->sin_addr);
    return sizeof *ipv4;
}

/* ------------------------------------------------------------------------------------------ the ladder */

uint64_t world_now(struct scene *scene)
{
    return scene->world.kernel ? host_now(&scene->world.host) : scene->world.pipe.now;
}

static bool take_fate(struct world *world, enum side side)
{
    if (world->kernel) {
        return world->cut[side];
    }
    if (world->fate_count[side] == 0) {
        return false;
    }
    bool lost = world->fates[side][world->fate_first[side]];
    world->fate_first[side] = (world->fate_first[side] + 1) % SCENE_FATES;
    world->fate_count[side]--;
    return lost;
}

static void take_record(struct scene *scene, enum side side, struct estab_trace *record)
{
    record->time_ns -= scene->world.start;
    bool lost = record->kind == ESTAB_TRACE_SEGMENT_OUT && take_fate(&scene->world, side);
    if (record->local.port != scene->port[side]) {
        return;
    }
    if (record->kind == ESTAB_TRACE_SEGMENT_OUT) {
        ladder_segment(&scene->ladder, side, record, lost);
        return;
    }
    ladder_record(&scene->ladder, &scene->demo->figure, side, record);
    if (record->kind == ESTAB_TRACE_SEGMENT_IN && scene->world.kernel) {
        ladder_segment(&scene->ladder, PEER, record, false);
    }
}

/* A segment stands in the ladder before the arrows that it takes, hence in the order of the records. */
static void drain(struct scene *scene, enum side side)
{
    struct estab_trace records[16];
    unsigned count;
    while (scene->world.stack[side] != NULL &&
           (count = estab_trace_pull(scene->world.stack[side], records, 16)) > 0) {
        for (unsigned i = 0; i < count; i++) {
            take_record(scene, side, &records[i]);
        }
    }
}

void world_look(struct scene *scene)
{
    if (scene->over) {
        return;
    }
    drain(scene, OURS);
    drain(scene, PEER);
    if (scene->world.kernel) {
        enum estab_state state = space_kernel_state(scene->world.ipv6, scene->port[PEER], scene->port[OURS]);
        ladder_kernel_state(&scene->ladder, world_now(scene) - scene->world.start, state);
    }
}

/* --------------------------------------------------------------------------------------------- turning */

static void on_packet(void *user, unsigned from, uint64_t index, struct estab_packet *packet,
                      struct pipe_fate *fate)
{
    struct world *world = user;
    (void)index;
    (void)packet;
    bool lost = world->cut[from];
    if (!lost && world->lose[from] > 0) {
        world->lose[from]--;
        lost = true;
    }
    if (lost) {
        fate->copies = 0;
    }
    if (world->fate_count[from] < SCENE_FATES) {
        unsigned place = (world->fate_first[from] + world->fate_count[from]++) % SCENE_FATES;
        world->fates[from][place] = lost;
    }
}

void world_turn(struct scene *scene, uint64_t most_ns)
{
    struct world *world = &scene->world;
    for (unsigned i = 0; i < scene->end_count; i++) {
        end_pump(&scene->ends[i]);
    }
    if (world->kernel) {
        host_step(&world->host, most_ns < TURN_KERNEL ? most_ns : TURN_KERNEL);
    } else {
        pipe_step(&world->pipe, world->pipe.now + (most_ns < TURN_MEMORY ? most_ns : TURN_MEMORY));
    }
    world_look(scene);
}

void world_flush(struct scene *scene)
{
    if (scene->world.kernel) {
        host_flush(&scene->world.host);
    } else {
        pipe_round(&scene->world.pipe);
    }
    world_look(scene);
}

void world_cut(struct scene *scene)
{
    scene->world.cut[OURS] = scene->world.cut[PEER] = true;
    scene_note(scene, "the cable is pulled: nothing arrives any more");
    if (scene->world.kernel) {
        space_connect(false);
    }
}

/* -------------------------------------------------------------------------------------- open and close */

static void configure(const struct scene *scene, struct estab_config *config)
{
    config->trace_records = 512;
    config->max_connections = 64;
    config->max_time_wait = 16;
    if (scene->world.kernel) {
        config->msl_ns = scene->world.msl_ns;
        config->initial_rto_ns = DEMO_RTO;
    }
}

static bool fail_open(struct scene *scene, const char *error)
{
    return scene_check(scene, false, error, "the stack is there");
}

static bool open_host(struct scene *scene)
{
    struct world *world = &scene->world;
    struct host_options options;
    char capture[64];
    char error[256];
    host_options_init(&options);
    options.device = "tun:" DEMO_DEVICE;
    options.addresses = lists[OURS];
    options.memory = STACK_MEMORY;
    configure(scene, &options.config);
    if (scene->demo->capture >= 0 && world->capture_fd < 0) {
        world->capture_fd = memfd_create("capture", MFD_CLOEXEC);
    }
    if (world->capture_fd >= 0) {
        snprintf(capture, sizeof capture, "/proc/self/fd/%d", world->capture_fd);
        options.capture = capture;
    }
    if (host_open(&world->host, &options, error, sizeof error) != 0) {
        return fail_open(scene, error);
    }
    world->open[OURS] = true;
    world->stack[OURS] = world->host.stack;
    return space_carries() || fail_open(scene, "the device carries nothing");
}

static bool open_stack(struct scene *scene, enum side side)
{
    struct world *world = &scene->world;
    struct estab_config config;
    const char *what = "";
    int code = 0;
    estab_config_init(&config);
    configure(scene, &config);
    config.secret[0] = (uint8_t)scene->number;
    config.secret[1] = (uint8_t)(side + 1);
    config.secret[2] = world->restarts;
    free(world->memory[side]);
    world->memory[side] = aligned_alloc(64, STACK_MEMORY);
    world->stack[side] = NULL;
    if (world->memory[side] != NULL) {
        world->stack[side] = estab_init(world->memory[side], STACK_MEMORY, &config, &code, &what);
    }
    world->open[side] = world->stack[side] != NULL;
    return world->open[side] || fail_open(scene, what[0] != '\0' ? what : "out of memory");
}

static bool open_pair(struct scene *scene)
{
    struct world *world = &scene->world;
    struct pipe_options options = {.delay_ns = WAY_NS, .hook = on_packet, .hook_user = world};
    char error[256];
    if (!open_stack(scene, OURS) || !open_stack(scene, PEER)) {
        return false;
    }
    if (scene->demo->capture >= 0 && pcapng_attach(&world->capture, scene->demo->capture,
                                                   scene->demo->capture_path, error, sizeof error) == 0) {
        options.capture = &world->capture;
    }
    if (pipe_open(&world->pipe, world->stack, &options, error, sizeof error) != 0 ||
        pipe_address(&world->pipe, OURS, lists[OURS], error, sizeof error) != 0 ||
        pipe_address(&world->pipe, PEER, lists[PEER], error, sizeof error) != 0) {
        return fail_open(scene, error);
    }
    return true;
}

bool world_open(struct scene *scene)
{
    struct world *world = &scene->world;
    world->host.device.fd = world->capture.fd = world->capture_fd = -1;
    world->msl_ns = world->msl_ns != 0 ? world->msl_ns : DEMO_MSL;
    bool done = world->kernel ? open_host(scene) : open_pair(scene);
    world->start = done ? world_now(scene) : 0;
    return done;
}

/* A capture in memory becomes a section of the one that was asked for, whole or not at all. */
static void hand_over_capture(struct scene *scene)
{
    struct demo *demo = scene->demo;
    char bytes[65536];
    ssize_t count;
    off_t at = 0;
    off_t begin = lseek(demo->capture, 0, SEEK_CUR);
    while (demo->capture >= 0 && (count = pread(scene->world.capture_fd, bytes, sizeof bytes, at)) > 0) {
        at += count;
        if (write(demo->capture, bytes, (size_t)count) == count) {
            continue;
        }
        const char *why = strerror(errno);
        if (begin < 0 || ftruncate(demo->capture, begin) != 0) {
            why = "it could not be cut back to whole packets";
        }
        demo_capture_failed(demo, why);
    }
    close(scene->world.capture_fd);
    scene->world.capture_fd = -1;
}

static void close_host(struct scene *scene)
{
    struct world *world = &scene->world;
    if (world->open[OURS] && host_close(&world->host) != 0) {
        demo_capture_failed(scene->demo, "no memory for it");
    }
    if (world->capture_fd >= 0) {
        hand_over_capture(scene);
    }
    world->open[OURS] = false;
    world->stack[OURS] = NULL;
}

bool world_restart(struct scene *scene)
{
    struct world *world = &scene->world;
    char error[256];
    world_look(scene);
    scene_note(scene, "our side is restarted: a new stack with the same addresses, which knows of nothing");
    world->restarts++;
    for (unsigned i = 0; i < scene->end_count; i++) {
        scene->ends[i].conn = scene->ends[i].side == OURS ? 0 : scene->ends[i].conn;
    }
    ladder_jump(&scene->ladder, OURS);
    if (world->kernel) {
        close_host(scene);
        return open_host(scene);
    }
    if (!open_stack(scene, OURS) || pipe_replace(&world->pipe, OURS, world->stack[OURS]) != 0 ||
        pipe_address(&world->pipe, OURS, lists[OURS], error, sizeof error) != 0) {
        return fail_open(scene, "it cannot be restarted");
    }
    return true;
}

void world_close(struct scene *scene)
{
    struct world *world = &scene->world;
    if (world->kernel) {
        close_host(scene);
        if (world->cut[OURS]) {
            space_connect(true);
        }
        return;
    }
    pipe_close(&world->pipe);
    if (world->capture.fd >= 0 && pcapng_close(&world->capture) != 0) {
        demo_capture_failed(scene->demo, strerror(world->capture.failed));
    }
    free(world->memory[OURS]);
    free(world->memory[PEER]);
}
