/*
 * The scenes with real programs at both ends: the kernel's curl fetches a file from `estab serve`, and `estab
 * fetch` one from python3's http.server. Ours run as processes of their own and write their capture into a
 * pipe; the ladder is made of it, every segment with state and reason as they stand there. What arrived is
 * compared with what was sent by sha256sum.
 */
#include "demo.h"

#include "tool.h"

#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES   ((size_t)256 << 20)
#define PIECE        ((size_t)1 << 20)
#define SERVE_PORT   8080u
#define PYTHON_PORT  8081u
#define HASH_TEXT    64u
#define LIMIT_NS     (30 * DEMO_SECOND)
#define QUIET_NS     (30 * DEMO_MILLISECOND)
#define ANSWER_NS    (80 * DEMO_MILLISECOND)
#define LADDER_FIRST 12u
#define LADDER_LAST  12u
#define ADDRESSES    "10.9.0.2/24,fd09::2/64"

struct transfer {
    struct demo *demo;
    struct scene *scene; /* of which the segments are being taken, NULL = none */
    struct capture_reader reader;
    int write_end;     /* of the pipe that the program writes its capture to */
    uint8_t shift[2];  /* window scale of each side, once both have offered it */
    uint64_t first_ns; /* time of the first segment */
    uint64_t told_ns;  /* of the last segment, since the first */
    uint64_t last_ns;  /* when the last one was taken, by our clock */
    char file[48], got[48], directory[32], capture[32];
    char hash[HASH_TEXT + 1]; /* of what is sent */
};

static const char device[] = "tun:" DEMO_DEVICE;

static uint64_t clock_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * DEMO_SECOND + (uint64_t)time.tv_nsec;
}

/* -------------------------------------------------------------------------------------------- segments */

/* A user's call moved the state since the last segment: the capture does not tell of it, the next packet's
 * state does. */
static void follow_state(struct ladder *ladder, uint64_t time_ns, uint8_t from, uint8_t to)
{
    struct figure not_counted = {0};
    struct estab_trace record = {
        .time_ns = time_ns, .kind = ESTAB_TRACE_STATE, .state = from, .state_after = to};
    if (from == to) {
        return;
    }
    record.transition = ladder_arrow(from, to);
    ladder_record(ladder, &not_counted, OURS, &record);
}

static void scale_window(struct transfer *transfer, enum side from, struct estab_trace_segment *segment)
{
    bool syn = (segment->flags & 0x02) != 0;
    if (syn) {
        transfer->shift[from] = segment->window_scale == 255 ? 0 : segment->window_scale;
    } else {
        segment->window <<= transfer->shift[from];
    }
}

static void on_segment(void *user, const struct estab_trace *captured, bool ipv6)
{
    struct transfer *transfer = user;
    struct scene *scene = transfer->scene;
    struct estab_trace record = *captured;
    enum side from = record.kind == ESTAB_TRACE_SEGMENT_OUT ? OURS : PEER;
    if (scene == NULL || ipv6 != scene->world.ipv6) {
        return;
    }
    uint16_t ours = from == OURS ? record.local.port : record.remote.port;
    uint16_t theirs = from == OURS ? record.remote.port : record.local.port;
    scene->port[OURS] = scene->port[OURS] == 0 ? ours : scene->port[OURS];
    if (ours != scene->port[OURS] || theirs != scene->port[PEER]) {
        return;
    }
    transfer->first_ns = transfer->first_ns == 0 ? record.time_ns : transfer->first_ns;
    transfer->last_ns = clock_now();
    record.time_ns -= transfer->first_ns;
    scale_window(transfer, from, &record.segment);
    follow_state(&scene->ladder, record.time_ns, scene->ladder.state[OURS], record.state);
    ladder_segment(&scene->ladder, from, &record, false);
    follow_state(&scene->ladder, record.time_ns, record.state, record.state_after);
    transfer->told_ns = record.time_ns;
}

/* Takes what the program has captured, waiting a little for it; the kernel's state is looked at behind it. */
static void take_segments(struct transfer *transfer, int wait_ms)
{
    struct scene *scene = transfer->scene;
    struct pollfd input = {transfer->reader.fd, POLLIN, 0};
    poll(&input, 1, wait_ms);
    capture_take(&transfer->reader, transfer->demo, on_segment, transfer);
    if (scene != NULL && scene->ladder.segments > 0) {
        enum estab_state state = space_kernel_state(scene->world.ipv6, scene->port[PEER], scene->port[OURS]);
        ladder_kernel_state(&scene->ladder, transfer->told_ns, state);
    }
}

/* -------------------------------------------------------------------------------------------- programs */

static bool run_to_end(struct transfer *transfer, struct program *program, uint64_t *duration_ns)
{
    uint64_t start = clock_now();
    while (program->code < 0 && clock_now() - start < LIMIT_NS) {
        take_segments(transfer, 2);
        program_look(program);
    }
    *duration_ns = clock_now() - start;
    transfer->last_ns = clock_now();
    while (clock_now() - transfer->last_ns < QUIET_NS) {
        take_segments(transfer, 10);
    }
    return program->code == 0;
}

/* The first word that sha256sum prints. */
static void hash_of(const char *path, char hash[HASH_TEXT + 1])
{
    const char *const arguments[] = {"sha256sum", path, NULL};
    struct program_wiring wiring = {.output = -1, .input = -1};
    struct program program;
    program_start(&program, arguments, &wiring);
    program_close_input(&program);
    while (program.code < 0 || program.out >= 0) {
        struct pollfd output = {program.out, POLLIN, 0};
        poll(&output, 1, 10);
        program_look(&program);
    }
    snprintf(hash, HASH_TEXT + 1, "%.64s", program.text);
    program_end(&program);
}

static void check_program(struct scene *scene, const struct program *program, const char *name)
{
    char seen[SCENE_TEXT];
    if (program->code < 0) {
        snprintf(seen, sizeof seen, "it still runs");
    } else {
        snprintf(seen, sizeof seen, "exit code %d %.100s", program->code, program->text);
    }
    scene_check(scene, program->code == 0, seen, "%s ends with exit code 0", name);
}

/* Compares what arrived with what was sent, tells the rate, and ends the scene. */
static void judge(struct transfer *transfer, uint64_t duration_ns)
{
    struct scene *scene = transfer->scene;
    char hash[HASH_TEXT + 1];
    char rate[PROGRESS_RATE];
    hash_of(transfer->got, hash);
    scene_check(scene, strlen(hash) == HASH_TEXT && strcmp(hash, transfer->hash) == 0, hash,
                "SHA-256 of what arrived is that of what was sent, %s", transfer->hash);
    snprintf(scene->rate, sizeof scene->rate, "256 MiB in %.2f s, %s, with every segment captured",
             (double)duration_ns / 1e9, progress_rate(FILE_BYTES, duration_ns, rate));
    unlink(transfer->got);
    transfer->scene = NULL;
    scene_finish(scene);
}

static struct scene *begin_scene(struct transfer *transfer, const struct scene_info *info, bool ipv6)
{
    struct scene *scene = scene_new(transfer->demo, info, true, ipv6);
    if (scene == NULL) {
        transfer->demo->failed++;
        return NULL;
    }
    scene->ladder.head_most = LADDER_FIRST;
    scene->ladder.tail_most = LADDER_LAST;
    transfer->scene = scene;
    transfer->first_ns = 0;
    transfer->shift[OURS] = transfer->shift[PEER] = 0;
    return scene;
}

/* One of our programs; its capture goes into a pipe. */
static bool start_ours(struct program *program, const char *const *arguments)
{
    struct program_wiring wiring = {.show_errors = true, .output = -1, .input = -1};
    bool started = program_start(program, arguments, &wiring);
    program_close_input(program);
    return started;
}

static bool open_pipe(struct transfer *transfer)
{
    int ends[2];
    if (pipe(ends) != 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) != 0 ||
        !capture_begin(&transfer->reader, ends[0])) {
        return false;
    }
    transfer->write_end = ends[1];
    snprintf(transfer->capture, sizeof transfer->capture, "/proc/self/fd/%d", ends[1]);
    return true;
}

static void close_pipe(struct transfer *transfer)
{
    close(transfer->write_end);
    capture_end(&transfer->reader);
}

/* ------------------------------------------------------------------------------------- curl from serve */

static const struct scene_info serve_info = {
    .name = "the kernel's curl fetches 256 MiB from `estab serve`",
    .about =
        "Two programs, one on each side. Left: the states of `estab serve`; a line may be many segments\n"
        "   that the device cuts or has merged (LEN above the MSS); the middle is left out.",
};

static void fetch_with_curl(struct transfer *transfer, bool ipv6)
{
    struct scene *scene = begin_scene(transfer, &serve_info, ipv6);
    struct program curl;
    struct program_wiring wiring = {.show_errors = true, .output = -1, .input = -1};
    uint64_t duration_ns = 0;
    char port[8];
    if (scene == NULL) {
        return;
    }
    scene->port[OURS] = SERVE_PORT;
    snprintf(port, sizeof port, "%u", scene->port[PEER]);
    const char *const arguments[] = {"curl",
                                     "-q",
                                     isatty(STDERR_FILENO) == 1 ? "-#" : "-sS",
                                     "--noproxy",
                                     "*",
                                     "--local-port",
                                     port,
                                     "-o",
                                     transfer->got,
                                     ipv6 ? "http://[fd09::2]:8080/file" : "http://10.9.0.2:8080/file",
                                     NULL};
    program_start(&curl, arguments, &wiring);
    program_close_input(&curl);
    run_to_end(transfer, &curl, &duration_ns);
    check_program(scene, &curl, "curl");
    check_path(scene, OURS, "SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT > LAST-ACK");
    program_end(&curl);
    judge(transfer, duration_ns);
}

static void play_serve(struct transfer *transfer)
{
    struct program serve;
    uint64_t start = clock_now();
    const char *const arguments[] = {"/proc/self/exe",    "serve",  "--dev", device,    "--addr",
                                     ADDRESSES,           "--port", "8080",  "--write", transfer->capture,
                                     transfer->directory, NULL};
    if (!open_pipe(transfer)) {
        return;
    }
    start_ours(&serve, arguments);
    while (strstr(serve.text, "listening") == NULL && serve.code < 0 && clock_now() - start < LIMIT_NS) {
        take_segments(transfer, 5);
        program_look(&serve);
    }
    fetch_with_curl(transfer, false);
    fetch_with_curl(transfer, true);
    program_end(&serve);
    close_pipe(transfer);
}

/* ----------------------------------------------------------------------------------- fetch from python */

static const struct scene_info fetch_info = {
    .name = "`estab fetch` fetches 256 MiB from python3's http.server",
    .about =
        "Two programs, one on each side. Left: the states of `estab fetch`; a line may be many segments\n"
        "   that the device cuts or has merged (LEN above the MSS); the middle is left out.",
};

static void fetch_from_python(struct transfer *transfer, bool ipv6)
{
    struct scene *scene = begin_scene(transfer, &fetch_info, ipv6);
    struct program fetch;
    uint64_t duration_ns = 0;
    if (scene == NULL || !open_pipe(transfer)) {
        return;
    }
    const char *const arguments[] = {"/proc/self/exe",
                                     "fetch",
                                     "--dev",
                                     device,
                                     "--addr",
                                     ADDRESSES,
                                     "--write",
                                     transfer->capture,
                                     "-o",
                                     transfer->got,
                                     ipv6 ? "http://[fd09::1]:8081/file" : "http://10.9.0.1:8081/file",
                                     NULL};
    scene->port[OURS] = 0;
    scene->port[PEER] = PYTHON_PORT;
    start_ours(&fetch, arguments);
    run_to_end(transfer, &fetch, &duration_ns);
    check_program(scene, &fetch, "estab fetch");
    check_path(scene, OURS, "CLOSED > SYN-SENT > ESTABLISHED");
    program_end(&fetch);
    close_pipe(transfer);
    judge(transfer, duration_ns);
}

static void play_fetch(struct transfer *transfer)
{
    const char *const arguments[] = {"python3", "-m",          "http.server",       "8081", "--bind",
                                     "::",      "--directory", transfer->directory, NULL};
    struct program_wiring wiring = {.output = -1, .input = -1};
    struct program python;
    uint64_t start = clock_now();
    program_start(&python, arguments, &wiring);
    program_close_input(&python);
    while (space_kernel_state(true, PYTHON_PORT, 0) != ESTAB_LISTEN && python.code < 0 &&
           clock_now() - start < LIMIT_NS) {
        poll(NULL, 0, 5);
        program_look(&python);
    }
    fetch_from_python(transfer, false);
    fetch_from_python(transfer, true);
    program_end(&python);
}

/* ------------------------------------------------------------------------------- half-close by estab nc */

static const struct scene_info nc_info = {
    .name = "half-close by `estab nc -N`",
    .about = "Our program closes its direction after \"question\"; a kernel socket answers it in FIN-WAIT-2.",
};

/* The kernel's end of it: reads to the end, then answers and closes. */
struct answerer {
    int listener;
    int fd;
    char text[64];
    size_t length;
    uint64_t ended_ns; /* when the end of the question came, 0 = not yet */
};

static bool answerer_open(struct answerer *answerer, const struct scene *scene)
{
    struct sockaddr_storage address;
    socklen_t length = world_sockaddr(scene, PEER, &address);
    *answerer = (struct answerer){.fd = -1};
    answerer->listener = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return answerer->listener >= 0 && bind(answerer->listener, (struct sockaddr *)&address, length) == 0 &&
           listen(answerer->listener, 1) == 0;
}

static void answerer_turn(struct answerer *answerer)
{
    if (answerer->fd < 0 && answerer->ended_ns == 0) {
        answerer->fd = accept4(answerer->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    if (answerer->fd < 0) {
        return;
    }
    ssize_t count = recv(answerer->fd, answerer->text + answerer->length,
                         sizeof answerer->text - 1 - answerer->length, 0);
    if (count > 0) {
        answerer->length += (size_t)count;
    } else if (count == 0 && answerer->ended_ns == 0) {
        answerer->ended_ns = clock_now();
    } else if (count == 0 && clock_now() - answerer->ended_ns > ANSWER_NS) {
        send(answerer->fd, "answer", 6, MSG_NOSIGNAL);
        close(answerer->fd);
        answerer->fd = -1;
    }
}

/* Both until `nc` has ended. */
static void answer_program(struct transfer *transfer, struct answerer *answerer, struct program *nc)
{
    uint64_t start = clock_now();
    program_write(nc, "question");
    program_close_input(nc);
    while ((nc->code < 0 || nc->out >= 0) && clock_now() - start < LIMIT_NS) {
        take_segments(transfer, 2);
        answerer_turn(answerer);
        program_look(nc);
    }
    take_segments(transfer, 10);
    close(answerer->listener);
}

static void half_close_with_nc(struct transfer *transfer, bool ipv6)
{
    struct scene *scene = begin_scene(transfer, &nc_info, ipv6);
    struct program_wiring wiring = {.show_errors = true, .output = -1, .input = -1};
    struct answerer answerer;
    struct program nc;
    char port[8];
    if (scene == NULL || !open_pipe(transfer)) {
        return;
    }
    scene->port[OURS] = 0;
    snprintf(port, sizeof port, "%u", scene->port[PEER]);
    const char *const arguments[] = {"/proc/self/exe",
                                     "nc",
                                     "--dev",
                                     device,
                                     "--addr",
                                     ADDRESSES,
                                     "--write",
                                     transfer->capture,
                                     "-N",
                                     ipv6 ? "fd09::1" : "10.9.0.1",
                                     port,
                                     NULL};
    scene_check(scene, answerer_open(&answerer, scene), strerror(errno), "a kernel socket listens");
    program_start(&nc, arguments, &wiring);
    answer_program(transfer, &answerer, &nc);
    check_program(scene, &nc, "estab nc");
    scene_check(scene, strcmp(answerer.text, "question") == 0, answerer.text,
                "the kernel's socket has received \"question\" and its end");
    scene_check(scene, strcmp(nc.text, "answer") == 0, nc.text, "estab nc has written \"answer\"");
    check_path(scene, OURS, "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT");
    program_end(&nc);
    close_pipe(transfer);
    transfer->scene = NULL;
    scene_finish(scene);
}

/* -------------------------------------------------------------------------------------------- the file */

/* Bytes that do not repeat, by xorshift64. */
static bool make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    uint64_t *words = malloc(PIECE);
    uint64_t word = 88172645463325252u;
    bool good = fd >= 0 && words != NULL;
    for (size_t done = 0; good && done < FILE_BYTES; done += PIECE) {
        for (size_t i = 0; i < PIECE / sizeof word; i++) {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            words[i] = word;
        }
        good = write(fd, words, PIECE) == (ssize_t)PIECE;
    }
    free(words);
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

void demo_transfers(struct demo *demo)
{
    struct transfer transfer = {.demo = demo};
    snprintf(transfer.directory, sizeof transfer.directory, "/proc/self/fd/%d", demo->directory);
    snprintf(transfer.file, sizeof transfer.file, "%s/file", transfer.directory);
    snprintf(transfer.got, sizeof transfer.got, "%s/got", transfer.directory);
    if (!make_file(transfer.file)) {
        tool_error("cannot make a file of 256 MiB in memory: %s", strerror(errno));
        demo->failed++;
        return;
    }
    hash_of(transfer.file, transfer.hash);
    play_serve(&transfer);
    if (ferror(stdout) == 0) {
        play_fetch(&transfer);
        half_close_with_nc(&transfer, false);
        half_close_with_nc(&transfer, true);
    }
    unlink(transfer.file);
}
