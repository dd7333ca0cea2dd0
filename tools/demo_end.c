/*
 * One end of a connection under one set of calls, whether it is an estab connection or a kernel socket: what
 * a scene does to an end, it does in the words of RFC 9293 3.9.1. Nothing waits here but end_accept() and
 * end_pair(); what a call said is end->result, as an error of estab's.
 */
#include "demo.h"

#include "drivers/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALL_WINDOW 4096u

static estab_stack *stack_of(const struct end *end)
{
    return end->scene->world.stack[end->side];
}

static uint64_t now_of(const struct end *end)
{
    return world_now(end->scene);
}

/* The estab error that stands for errno. */
static int error_of(int number)
{
    for (int error = 1; error <= ESTAB_EACCES; error++) {
        if (addr_errno(error) == number) {
            return -error;
        }
    }
    return -ESTAB_EINVAL;
}

static bool is_kernel(const struct end *end)
{
    return end->side == PEER && end->scene->world.kernel;
}

static void take_result(struct end *end, int64_t result)
{
    end->result = is_kernel(end) ? result < 0 ? error_of(errno) : 0 : result < 0 ? (int)result : 0;
}

/* --------------------------------------------------------------------------------------------- opening */

static struct end *end_new(struct scene *scene, enum side side)
{
    struct end *end = &scene->ends[scene->end_count < SCENE_ENDS - 1 ? scene->end_count++ : SCENE_ENDS - 1];
    memset(end, 0, sizeof *end);
    end->scene = scene;
    end->side = side;
    end->fd = -1;
    return end;
}

static void make_window_small(struct end *end)
{
    int bytes = SMALL_WINDOW;
    if (is_kernel(end)) {
        setsockopt(end->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    } else {
        estab_set(stack_of(end), now_of(end), end->conn, ESTAB_OPTION_RECEIVE_BUFFER, SMALL_WINDOW);
    }
}

static void open_socket(struct end *end, bool reuse)
{
    struct sockaddr_storage address;
    socklen_t length = world_sockaddr(end->scene, PEER, &address);
    int yes = 1;
    end->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (reuse && end->fd >= 0) {
        setsockopt(end->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    }
    take_result(end, bind(end->fd, (struct sockaddr *)&address, length));
}

struct end *end_open(struct scene *scene, enum side side, bool reuse)
{
    struct end *end = end_new(scene, side);
    struct estab_addr local = world_address(scene, side);
    if (is_kernel(end)) {
        open_socket(end, reuse);
        if (scene->small_window[side]) {
            make_window_small(end);
        }
        return end;
    }
    take_result(end, stack_of(end) != NULL ? estab_open(stack_of(end), &end->conn) : -ESTAB_ENOBUFS);
    if (end->result == 0 && reuse) {
        estab_set(stack_of(end), now_of(end), end->conn, ESTAB_OPTION_REUSE_ADDRESS, 1);
    }
    if (end->result == 0) {
        take_result(end, estab_bind(stack_of(end), now_of(end), end->conn, &local));
    }
    if (end->conn != 0 && scene->small_window[side]) {
        make_window_small(end);
    }
    return end;
}

void end_listen(struct end *end)
{
    take_result(end,
                is_kernel(end) ? listen(end->fd, 8) : estab_listen(stack_of(end), now_of(end), end->conn, 8));
    world_look(end->scene);
}

void end_open_passive(struct end *end, bool named)
{
    struct estab_addr remote = world_address(end->scene, end->side == OURS ? PEER : OURS);
    take_result(end, estab_open_passive(stack_of(end), now_of(end), end->conn, named ? &remote : NULL));
}

void end_connect(struct end *end)
{
    enum side other = end->side == OURS ? PEER : OURS;
    struct estab_addr remote = world_address(end->scene, other);
    if (!is_kernel(end)) {
        take_result(end, estab_connect(stack_of(end), now_of(end), end->conn, &remote));
        return;
    }
    struct sockaddr_storage address;
    socklen_t length = world_sockaddr(end->scene, other, &address);
    int result = connect(end->fd, (struct sockaddr *)&address, length);
    take_result(end, result != 0 && errno == EINPROGRESS ? 0 : result);
    world_look(end->scene);
}

static bool try_accept(struct end *listener, struct end *end)
{
    if (is_kernel(listener)) {
        end->fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return end->fd >= 0;
    }
    return estab_accept(stack_of(listener), now_of(listener), listener->conn, &end->conn) == 0;
}

struct end *end_accept(struct end *listener)
{
    struct scene *scene = listener->scene;
    struct end *end = end_new(scene, listener->side);
    uint64_t patience = scene->world.kernel ? 3 * DEMO_SECOND : 60 * DEMO_SECOND;
    uint64_t start = world_now(scene);
    while (!scene->failed && !try_accept(listener, end)) {
        if (world_now(scene) - start > patience) {
            scene_check(scene, false, "nothing to accept", "%s accepts a connection",
                        scene_side(scene, end->side));
            return end;
        }
        world_turn(scene, DEMO_SECOND);
    }
    return end;
}

bool end_pair(struct scene *scene, enum side opener, struct pair *pair)
{
    enum side other = opener == OURS ? PEER : OURS;
    struct end *listener = end_open(scene, other, true);
    end_listen(listener);
    struct end *active = end_open(scene, opener, true);
    end_connect(active);
    struct end *accepted = end_accept(listener);
    *pair = opener == OURS ? (struct pair){active, accepted} : (struct pair){accepted, active};
    return wait_state(scene, opener, ESTAB_ESTABLISHED) && wait_state(scene, other, ESTAB_ESTABLISHED);
}

/* -------------------------------------------------------------------------------------------------------
 * data */

static ptrdiff_t send_some(struct end *end, const void *data, size_t length, bool urgent)
{
    if (is_kernel(end)) {
        return send(end->fd, data, length, MSG_NOSIGNAL | (urgent ? MSG_OOB : 0));
    }
    return estab_send(stack_of(end), now_of(end), end->conn, data, length, urgent ? ESTAB_URGENT : 0);
}

void end_send(struct end *end, const char *text)
{
    take_result(end, send_some(end, text, strlen(text), false));
}

void end_send_urgent(struct end *end, const char *text)
{
    take_result(end, send_some(end, text, strlen(text), true));
}

static uint8_t pattern(size_t position)
{
    return (uint8_t)(position * 31 + (position >> 8) * 7);
}

void end_send_bytes(struct end *end, size_t count)
{
    end->pending += count;
    end_pump(end);
}

void end_pump(struct end *end)
{
    uint8_t bytes[4096];
    while (end->pending > 0) {
        size_t count = end->pending < sizeof bytes ? end->pending : sizeof bytes;
        for (size_t i = 0; i < count; i++) {
            bytes[i] = pattern(end->sent + i);
        }
        ptrdiff_t sent = send_some(end, bytes, count, false);
        if (sent <= 0) {
            return;
        }
        end->sent += (size_t)sent;
        end->pending -= (size_t)sent;
    }
}

static void take_bytes(struct end *end, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        end->wrong += bytes[i] != pattern(end->received);
        if (end->received + 1 < sizeof end->text) {
            end->text[end->received] = (char)bytes[i];
        }
        end->received++;
    }
}

void end_receive(struct end *end)
{
    uint8_t bytes[16384];
    ptrdiff_t count;
    do {
        count = is_kernel(end) ? recv(end->fd, bytes, sizeof bytes, 0)
                               : estab_recv(stack_of(end), now_of(end), end->conn, bytes, sizeof bytes, 0);
        take_result(end, count);
        if (count > 0) {
            take_bytes(end, bytes, (size_t)count);
        }
    } while (count > 0);
    if (end->result != 0 && end->result != -ESTAB_EAGAIN && end->error == 0) {
        end->error = end->result; /* told once */
    }
}

/* -----------------------------------------------------------------------------------------------------
 * closing */

void end_shutdown(struct end *end)
{
    take_result(end, is_kernel(end) ? shutdown(end->fd, SHUT_WR)
                                    : estab_shutdown(stack_of(end), now_of(end), end->conn, ESTAB_SHUT_WR));
    world_look(end->scene);
}

void end_close(struct end *end)
{
    if (is_kernel(end)) {
        if (end->fd >= 0) {
            take_result(end, close(end->fd));
        }
    } else if (end->conn != 0 && stack_of(end) != NULL) {
        take_result(end, estab_close(stack_of(end), now_of(end), end->conn));
    }
    end->fd = -1;
    end->conn = 0;
    end->pending = 0;
    world_look(end->scene);
}

void end_abort(struct end *end)
{
    struct linger at_once = {1, 0};
    if (is_kernel(end)) {
        setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        end_close(end);
        return;
    }
    take_result(end, estab_abort(stack_of(end), now_of(end), end->conn));
    end->conn = 0;
}

/* -----------------------------------------------------------------------------------------------------
 * options */

void end_keepalive(struct end *end, uint64_t idle_ns)
{
    int yes = 1;
    int seconds = (int)(idle_ns / DEMO_SECOND) > 0 ? (int)(idle_ns / DEMO_SECOND) : 1;
    if (is_kernel(end)) {
        setsockopt(end->fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
        setsockopt(end->fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
        setsockopt(end->fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
        return;
    }
    uint64_t now = now_of(end);
    estab_set(stack_of(end), now, end->conn, ESTAB_OPTION_KEEP_IDLE, idle_ns);
    estab_set(stack_of(end), now, end->conn, ESTAB_OPTION_KEEP_INTERVAL, idle_ns / 2);
    estab_set(stack_of(end), now, end->conn, ESTAB_OPTION_KEEP_COUNT, 3);
    estab_set(stack_of(end), now, end->conn, ESTAB_OPTION_KEEPALIVE, 1);
}

void end_look(struct end *end)
{
    struct estab_status status;
    int error = 0;
    socklen_t length = sizeof error;
    if (is_kernel(end)) {
        if (end->fd >= 0 && getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error != 0) {
            end->error = error_of(error);
        }
        return;
    }
    if (end->conn == 0 || stack_of(end) == NULL || estab_status(stack_of(end), end->conn, &status) != 0) {
        return;
    }
    end->urgent = end->urgent || status.urgent;
    if (status.state == ESTAB_CLOSED && status.error != 0) {
        end->error = status.error;
    }
}
