/*
 * The frame of a scene: it is made, played, given time to come to its end, and told. Everything a scene waits
 * for is a check at the same time; after the first that does not hold the rest of the scene does not wait any
 * more, so that a broken stack is told of quickly.
 */
#include "demo_print.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_KERNEL (4 * DEMO_SECOND)
#define PATIENCE_MEMORY (900 * DEMO_SECOND)
#define FIRST_PORT_OURS 7000u
#define FIRST_PORT_PEER 8000u

const char *scene_side(const struct scene *scene, enum side side)
{
    static const char *const in_memory[] = {"estab A", "estab B"};
    return !scene->world.kernel ? in_memory[side] : side == OURS ? "estab" : "kernel";
}

/* ---------------------------------------------------------------------------------------------- checks */

__attribute__((format(printf, 3, 0))) static void format_text(char *text, size_t size, const char *format,
                                                              va_list arguments)
{
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): every caller has begun it */
    vsnprintf(text, size, format, arguments);
}

bool scene_check(struct scene *scene, bool holds, const char *seen, const char *expected, ...)
{
    va_list arguments;
    if (scene->check_count < SCENE_CHECKS) {
        struct check *check = &scene->checks[scene->check_count++];
        va_start(arguments, expected);
        format_text(check->expected, sizeof check->expected, expected, arguments);
        va_end(arguments);
        snprintf(check->seen, sizeof check->seen, "%s", seen);
        check->holds = holds;
    }
    scene->demo->checks++;
    scene->demo->failed += !holds;
    scene->failed = scene->failed || !holds;
    return holds;
}

void scene_note(struct scene *scene, const char *format, ...)
{
    char note[LADDER_NOTE];
    va_list arguments;
    va_start(arguments, format);
    format_text(note, sizeof note, format, arguments);
    va_end(arguments);
    ladder_note(&scene->ladder, world_now(scene) - scene->world.start, note);
}

bool check_path(struct scene *scene, enum side side, const char *part)
{
    char path[LADDER_PATH * 16];
    path_format(&scene->ladder.path[side], path, sizeof path);
    return scene_check(scene, strstr(path, part) != NULL, path, "%s: %s", scene_side(scene, side), part);
}

bool check_result(struct end *end, int result, const char *call)
{
    const char *wanted = result == 0 ? "succeeds" : estab_strerror(result);
    return scene_check(end->scene, end->result == result,
                       end->result == 0 ? "it succeeds" : estab_strerror(end->result), "%s: %s: %s",
                       scene_side(end->scene, end->side), call, wanted);
}

/* --------------------------------------------------------------------------------------------- waiting */

/* What is waited for, asked after each turn. */
struct wanted {
    bool (*is_so)(const struct wanted *wanted);
    struct scene *scene;
    struct end *end;
    enum side side;
    int value;
    unsigned count;
    const char *text;
    struct program *program;
};

static bool until(const struct wanted *wanted)
{
    struct scene *scene = wanted->scene;
    uint64_t start = world_now(scene);
    uint64_t patience = scene->world.kernel ? PATIENCE_KERNEL : PATIENCE_MEMORY;
    while (!wanted->is_so(wanted)) {
        if (scene->failed || world_now(scene) - start > patience) {
            return false;
        }
        world_turn(scene, patience);
    }
    return true;
}

static bool state_is(const struct wanted *wanted)
{
    return wanted->scene->ladder.state[wanted->side] == wanted->value;
}

bool wait_state(struct scene *scene, enum side side, enum estab_state state)
{
    struct wanted wanted = {.is_so = state_is, .scene = scene, .side = side, .value = (int)state};
    bool holds = until(&wanted);
    return scene_check(scene, holds, estab_state_name(scene->ladder.state[side]), "%s comes to %s",
                       scene_side(scene, side), estab_state_name(state));
}

static bool has_text(const struct wanted *wanted)
{
    end_receive(wanted->end);
    return strcmp(wanted->end->text, wanted->text) == 0;
}

bool wait_text(struct end *end, const char *text)
{
    struct wanted wanted = {.is_so = has_text, .scene = end->scene, .end = end, .text = text};
    bool holds = until(&wanted);
    return scene_check(end->scene, holds, end->text, "%s has received \"%s\"",
                       scene_side(end->scene, end->side), text);
}

static bool is_at_end(const struct wanted *wanted)
{
    end_receive(wanted->end);
    return wanted->end->result == 0;
}

bool wait_end_of_data(struct end *end)
{
    struct wanted wanted = {.is_so = is_at_end, .scene = end->scene, .end = end};
    bool holds = until(&wanted);
    return scene_check(end->scene, holds, estab_strerror(end->result), "%s sees the end of the peer's data",
                       scene_side(end->scene, end->side));
}

static bool has_error(const struct wanted *wanted)
{
    end_look(wanted->end);
    return wanted->end->error == wanted->value;
}

bool wait_error(struct end *end, int error)
{
    struct wanted wanted = {.is_so = has_error, .scene = end->scene, .end = end, .value = error};
    bool holds = until(&wanted);
    return scene_check(end->scene, holds, end->error == 0 ? "no error" : estab_strerror(end->error),
                       "%s is told: %s", scene_side(end->scene, end->side), estab_strerror(error));
}

static bool has_urgent(const struct wanted *wanted)
{
    struct pollfd poll_fd = {wanted->end->fd, POLLPRI, 0};
    end_look(wanted->end);
    if (wanted->end->fd >= 0 && poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLPRI) != 0) {
        wanted->end->urgent = true;
    }
    return wanted->end->urgent;
}

bool wait_urgent(struct end *end)
{
    struct wanted wanted = {.is_so = has_urgent, .scene = end->scene, .end = end};
    bool holds = until(&wanted);
    return scene_check(end->scene, holds, "no urgent mark", "%s is told of urgent data",
                       scene_side(end->scene, end->side));
}

static bool has_reasons(const struct wanted *wanted)
{
    return wanted->scene->ladder.reasons[wanted->side][wanted->value] >= wanted->count;
}

bool wait_reason(struct scene *scene, enum side from, enum estab_reason reason, unsigned count)
{
    struct wanted wanted = {
        .is_so = has_reasons, .scene = scene, .side = from, .value = (int)reason, .count = count};
    char seen[32];
    bool holds = until(&wanted);
    snprintf(seen, sizeof seen, "%u", scene->ladder.reasons[from][reason]);
    return scene_check(scene, holds, seen, "%s has sent %u for the reason \"%s\"", scene_side(scene, from),
                       count, estab_reason_name(reason));
}

static bool has_bytes(const struct wanted *wanted)
{
    end_receive(wanted->end);
    return wanted->end->received >= wanted->count;
}

bool wait_bytes(struct end *end, size_t count)
{
    struct wanted wanted = {.is_so = has_bytes, .scene = end->scene, .end = end, .count = (unsigned)count};
    char seen[64];
    bool holds = until(&wanted);
    snprintf(seen, sizeof seen, "%zu bytes, %zu of them wrong", end->received, end->wrong);
    return scene_check(end->scene, holds && end->wrong == 0 && end->received == count, seen,
                       "%s has received %zu bytes, each what was sent", scene_side(end->scene, end->side),
                       count);
}

static bool program_has_ended(const struct wanted *wanted)
{
    program_look(wanted->program);
    return wanted->program->code >= 0 && wanted->program->out < 0;
}

bool wait_program(struct scene *scene, struct program *program, const char *name, int code)
{
    struct wanted wanted = {.is_so = program_has_ended, .scene = scene, .program = program};
    char seen[64];
    bool holds = until(&wanted);
    snprintf(seen, sizeof seen, program->code < 0 ? "it still runs" : "it ends with %d", program->code);
    return scene_check(scene, holds && program->code == code, seen, "%s ends with exit code %d", name, code);
}

void scene_pass(struct scene *scene, uint64_t ns)
{
    uint64_t end = world_now(scene) + ns;
    while (!scene->failed && world_now(scene) < end) {
        world_turn(scene, end - world_now(scene));
    }
}

/* --------------------------------------------------------------------------------------------- a scene */

struct scene *scene_new(struct demo *demo, const struct scene_info *info, bool kernel, bool ipv6)
{
    struct scene *scene = calloc(1, sizeof *scene);
    if (scene == NULL) {
        return NULL;
    }
    scene->demo = demo;
    scene->info = info;
    scene->number = ++demo->scenes;
    scene->world.kernel = kernel;
    scene->world.ipv6 = ipv6;
    scene->port[OURS] = (uint16_t)(FIRST_PORT_OURS + scene->number);
    scene->port[PEER] = (uint16_t)(FIRST_PORT_PEER + scene->number);
    ladder_init(&scene->ladder);
    return scene;
}

void scene_finish(struct scene *scene)
{
    print_scene(scene);
    free(scene);
}

static void check_invariants(struct scene *scene)
{
    const char *broken = NULL;
    for (unsigned side = OURS; side <= PEER && broken == NULL; side++) {
        broken = scene->world.stack[side] != NULL ? estab_check(scene->world.stack[side]) : NULL;
    }
    scene_check(scene, broken == NULL, broken != NULL ? broken : "", "every invariant of the stack holds");
}

void scene_run(struct demo *demo, const struct scene_info *info, bool kernel, bool ipv6)
{
    struct scene *scene = ferror(stdout) == 0 ? scene_new(demo, info, kernel, ipv6) : NULL;
    if (scene == NULL) { /* no memory, or nobody left to tell it to */
        demo->failed++;
        return;
    }
    scene->world.msl_ns = info->msl_ns;
    if (world_open(scene)) {
        info->play(scene);
        check_invariants(scene);
    }
    scene->over = true;
    for (unsigned i = 0; i < scene->end_count; i++) {
        end_close(&scene->ends[i]);
    }
    world_close(scene);
    scene_finish(scene);
}
