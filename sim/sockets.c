/*
 * The table of descriptors and the calls that make, name and give up files: socket(), close(), fcntl().
 * Numbers are the lowest free ones, as POSIX has it, or the host's. What a file is stands in the other
 * sockets_*.c.
 *
 * Time comes with every call and is kept for its duration; the events of the stack are taken in first, so
 * that each call sees the state of this moment.
 */
#include "sockets_private.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_FD         3
#define DESCRIPTOR_LIMIT 1024      /* Linux's soft limit, where numbers are counted here */
#define NUMBER_LIMIT     (1 << 20) /* for numbers of the host */
#define EVENTS_AT_ONCE   16

/* ------------------------------------------------------------------------------------------- the whole */

struct sockets *sockets_new(estab_stack *stack, const struct sockets_options *options)
{
    struct sockets *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->stack = stack;
    if (options != NULL) {
        s->options = *options;
    }
    if (s->options.first_fd <= 0) {
        s->options.first_fd = FIRST_FD;
    }
    return s;
}

void sockets_free(struct sockets *s)
{
    if (s == NULL) {
        return;
    }
    for (int fd = 0; fd < s->descriptor_count; fd++) {
        if (s->descriptors[fd].file != NULL) {
            sockets_close(s, s->now, fd, NULL);
        }
    }
    free(s->descriptors);
    free(s);
}

void sockets_update(struct sockets *s, uint64_t now)
{
    struct estab_event events[EVENTS_AT_ONCE];
    unsigned n;
    s->now = now;
    do {
        n = estab_poll(s->stack, events, EVENTS_AT_ONCE);
        for (unsigned i = 0; i < n; i++) {
            if (events[i].user != 0) { /* a connection of ours */
                socket_event(s, (struct file *)(uintptr_t)events[i].user, events[i].changed);
            }
        }
    } while (n == EVENTS_AT_ONCE);
}

uint64_t sockets_deadline(const struct sockets *s, const struct sockets_wait *wait)
{
    (void)s;
    return wait->deadline_ns != 0 ? wait->deadline_ns : UINT64_MAX;
}

int call_wait(struct sockets *s, struct sockets_wait *wait, bool nonblocking, uint64_t timeout_ns)
{
    if (nonblocking || wait == NULL) {
        return -EAGAIN;
    }
    wait->begun = true;
    if (wait->deadline_ns == 0) {
        wait->deadline_ns = timeout_ns == 0 ? UINT64_MAX : s->now + timeout_ns;
    }
    return s->now >= wait->deadline_ns ? -EAGAIN : SOCKETS_BLOCKED;
}

ssize_t transfer_wait(struct sockets *s, const struct transfer *t, size_t done, uint64_t timeout_ns)
{
    int waited = call_wait(s, t->wait, t->nonblocking, timeout_ns);
    if (t->wait != NULL && waited == SOCKETS_BLOCKED) {
        t->wait->progress = done;
        return SOCKETS_BLOCKED;
    }
    return done > 0 ? (ssize_t)done : waited;
}

int errno_of(int error)
{
    static const int table[] = {
#define ERRNO_ROW(name, text) [ESTAB_##name] = (name),
        ESTAB_ERRORS(ERRNO_ROW)
#undef ERRNO_ROW
    };
    unsigned index = (unsigned)(error < 0 ? -error : error);
    return index < sizeof table / sizeof table[0] ? -table[index] : -EIO;
}

/* --------------------------------------------------------------------------------------------- files */

struct file *file_new(enum file_kind kind, int flags)
{
    struct file *file = calloc(1, sizeof *file);
    if (file != NULL) {
        file->kind = kind;
        file->flags = flags;
    }
    return file;
}

void file_woken(struct file *file)
{
    file->news_in++;
    file->news_out++;
}

/* The last reference is gone. */
void file_drop(struct sockets *s, struct file *file)
{
    epoll_forget(s, file);
    switch (file->kind) {
    case FILE_SOCKET:
        if (file->socket.linger.l_onoff != 0 && file->socket.linger.l_linger == 0) {
            estab_abort(s->stack, s->now, file->socket.conn);
        } else {
            estab_close(s->stack, s->now, file->socket.conn);
        }
        break;
    case FILE_PIPE_READ:
    case FILE_PIPE_WRITE: pipe_drop(file); break;
    case FILE_EPOLL: epoll_drop(file); break;
    }
    free(file);
}

/* --------------------------------------------------------------------------------------- descriptors */

struct file *file_of(const struct sockets *s, int fd)
{
    return fd >= 0 && fd < s->descriptor_count ? s->descriptors[fd].file : NULL;
}

struct file *socket_file_of(const struct sockets *s, int fd, int *error)
{
    struct file *file = file_of(s, fd);
    *error = file == NULL ? -EBADF : file->kind != FILE_SOCKET ? -ENOTSOCK : 0;
    return *error == 0 ? file : NULL;
}

estab_conn sockets_conn(const struct sockets *s, int fd)
{
    const struct file *file = file_of(s, fd);
    return file != NULL && file->kind == FILE_SOCKET ? file->socket.conn : 0;
}

/* A number of the host not below `lowest`; those below are held until one is found. */
static int number_reserve(struct sockets *s, int lowest)
{
    int fd = s->options.reserve_fd(s->options.user);
    if (fd < 0 || fd >= lowest) {
        return fd;
    }
    int next = number_reserve(s, lowest);
    s->options.release_fd(s->options.user, fd);
    return next;
}

static int number_choose(struct sockets *s, int lowest)
{
    if (s->options.reserve_fd != NULL) {
        return number_reserve(s, lowest);
    }
    int fd = lowest > s->options.first_fd ? lowest : s->options.first_fd;
    while (file_of(s, fd) != NULL) {
        fd++;
    }
    return fd < DESCRIPTOR_LIMIT ? fd : -EMFILE;
}

static void number_release(struct sockets *s, int fd)
{
    if (s->options.release_fd != NULL) {
        s->options.release_fd(s->options.user, fd);
    }
}

static int table_grow(struct sockets *s, int fd)
{
    if (fd < s->descriptor_count) {
        return 0;
    }
    if (fd >= NUMBER_LIMIT) {
        return -EMFILE;
    }
    int count = (fd / 64 + 1) * 64;
    struct descriptor *grown = realloc(s->descriptors, (size_t)count * sizeof *grown);
    if (grown == NULL) {
        return -ENOMEM;
    }
    memset(grown + s->descriptor_count, 0, (size_t)(count - s->descriptor_count) * sizeof *grown);
    s->descriptors = grown;
    s->descriptor_count = count;
    return 0;
}

int descriptor_new(struct sockets *s, struct file *file, int lowest, bool close_on_exec)
{
    int fd = number_choose(s, lowest);
    if (fd < 0) {
        return fd;
    }
    int error = table_grow(s, fd);
    if (error != 0) {
        number_release(s, fd);
        return error;
    }
    s->descriptors[fd] = (struct descriptor){file, close_on_exec};
    file->references++;
    return fd;
}

/* ------------------------------------------------------------------------------------------- socket() */

static int check_kind(int domain, int type, int protocol)
{
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (kind < 0 || kind > SOCK_PACKET || protocol < 0 || protocol > 255) {
        return -EINVAL;
    }
    if (domain != AF_INET && domain != AF_INET6) {
        return -EAFNOSUPPORT;
    }
    if (kind != SOCK_STREAM) {
        return protocol == IPPROTO_TCP ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
    }
    return protocol == 0 || protocol == IPPROTO_TCP ? 0 : -EPROTONOSUPPORT;
}

int sockets_socket(struct sockets *s, uint64_t now, int domain, int type, int protocol)
{
    sockets_update(s, now);
    int error = check_kind(domain, type, protocol);
    if (error != 0) {
        return error;
    }
    struct file *file = file_new(FILE_SOCKET, O_RDWR | ((type & SOCK_NONBLOCK) ? O_NONBLOCK : 0));
    if (file == NULL) {
        return -ENOMEM;
    }
    file->socket.domain = domain;
    file->socket.protocol = IPPROTO_TCP;
    error = socket_renew(s, file);
    int fd = error == 0 ? descriptor_new(s, file, 0, (type & SOCK_CLOEXEC) != 0) : error;
    if (fd < 0) {
        estab_close(s->stack, now, file->socket.conn);
        free(file);
    }
    return fd;
}

/* -------------------------------------------------------------------------------------------- close() */

/* SO_LINGER with a time: waits until what was sent and the FIN are acknowledged, at most that long. */
static int close_linger(struct sockets *s, struct file *file, struct sockets_wait *wait)
{
    struct socket *socket = &file->socket;
    if (file->references > 1 || socket->linger.l_onoff == 0 || socket->linger.l_linger == 0) {
        return 0;
    }
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    if (status.receive_queued > 0) {
        return 0; /* it will be a RST */
    }
    if (state == ESTAB_ESTABLISHED || state == ESTAB_CLOSE_WAIT) {
        estab_shutdown(s->stack, s->now, socket->conn, ESTAB_SHUT_WR);
        state = socket_state(s, socket, &status);
    }
    if (state != ESTAB_FIN_WAIT_1 && state != ESTAB_CLOSING && state != ESTAB_LAST_ACK) {
        return 0;
    }
    uint64_t linger_ns = (uint64_t)socket->linger.l_linger * NANOSECONDS;
    return call_wait(s, wait, false, linger_ns) == SOCKETS_BLOCKED ? SOCKETS_BLOCKED : 0;
}

int sockets_close(struct sockets *s, uint64_t now, int fd, struct sockets_wait *wait)
{
    sockets_update(s, now);
    struct file *file = file_of(s, fd);
    if (file == NULL) {
        return -EBADF;
    }
    if (file->kind == FILE_SOCKET && wait != NULL && close_linger(s, file, wait) != 0) {
        return SOCKETS_BLOCKED;
    }
    s->descriptors[fd].file = NULL;
    number_release(s, fd);
    if (--file->references == 0) {
        file_drop(s, file);
    }
    return 0;
}

/* -------------------------------------------------------------------------------------------- fcntl() */

static int set_flags(struct file *file, long flags)
{
    const int settable = O_APPEND | O_NONBLOCK | O_ASYNC;
    if (file->kind != FILE_PIPE_WRITE && (flags & O_DIRECT) != 0) {
        return -EINVAL;
    }
    file->flags = (file->flags & ~settable) | ((int)flags & settable);
    return 0;
}

static int duplicate(struct sockets *s, struct file *file, long lowest, bool close_on_exec)
{
    if (lowest < 0 || lowest >= DESCRIPTOR_LIMIT) {
        return -EINVAL;
    }
    return descriptor_new(s, file, (int)lowest, close_on_exec);
}

static int pipe_size(struct file *file, int command, long argument)
{
    if (file->kind != FILE_PIPE_READ && file->kind != FILE_PIPE_WRITE) {
        return -EBADF;
    }
    return command == F_GETPIPE_SZ ? (int)file->pipe->capacity : pipe_resize(file->pipe, argument);
}

int sockets_fcntl(struct sockets *s, uint64_t now, int fd, int command, long argument)
{
    sockets_update(s, now);
    struct file *file = file_of(s, fd);
    if (file == NULL) {
        return -EBADF;
    }
    switch (command) {
    case F_GETFL: return file->flags;
    case F_SETFL: return set_flags(file, argument);
    case F_GETFD: return s->descriptors[fd].close_on_exec ? FD_CLOEXEC : 0;
    case F_SETFD: s->descriptors[fd].close_on_exec = (argument & FD_CLOEXEC) != 0; return 0;
    case F_DUPFD: return duplicate(s, file, argument, false);
    case F_DUPFD_CLOEXEC: return duplicate(s, file, argument, true);
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ: return pipe_size(file, command, argument);
    default: return -EINVAL;
    }
}
