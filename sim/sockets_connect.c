/*
 * Opening and ending connections: bind(), listen(), accept(), connect(), shutdown(), and the names of both
 * ends. The calls of RFC 9293 3.10 stand behind them; what is said here is Linux's order of checks, its
 * phases of a socket and its errors.
 */
#include "sockets_private.h"

#include <stdlib.h>

#define SOMAXCONN_LINUX 4096

/* ---------------------------------------------------------------------------------------------- bind */

static int bind_to(struct sockets *s, struct socket *socket, const struct estab_addr *local)
{
    int error = estab_bind(s->stack, s->now, socket->conn, local);
    if (error != 0) {
        return errno_of(error);
    }
    struct estab_status status;
    socket_state(s, socket, &status);
    socket->bound = true;
    socket->local = status.local;
    return 0;
}

/* Port 0 of an any-address bind would be every port (estab_listen()); a program gets one of its own. */
static int bind_any_port(struct sockets *s, struct socket *socket, const struct estab_addr *local)
{
    struct estab_addr named = *local;
    for (unsigned port = 32768; port <= 60999; port++) {
        named.port = (uint16_t)port;
        int error = bind_to(s, socket, &named);
        if (error != -EADDRINUSE) {
            return error;
        }
    }
    return -EADDRINUSE;
}

static bool is_any(const struct estab_addr *address)
{
    unsigned sum = 0;
    for (unsigned i = address_is_v4(address) ? 12 : 0; i < sizeof address->ip; i++) {
        sum |= address->ip[i];
    }
    return sum == 0;
}

static int bind_socket(struct sockets *s, struct socket *socket, const struct estab_addr *local)
{
    if (local->port == 0 && is_any(local)) {
        return bind_any_port(s, socket, local);
    }
    return bind_to(s, socket, local);
}

int sockets_bind(struct sockets *s, uint64_t now, int fd, const struct sockaddr *addr, socklen_t length)
{
    struct estab_addr local;
    int error;
    sockets_update(s, now);
    struct file *file = socket_file_of(s, fd, &error);
    if (file == NULL) {
        return error;
    }
    struct socket *socket = &file->socket;
    error = address_read(socket, addr, length, &local);
    if (error != 0) {
        return error;
    }
    struct estab_status status;
    bool mapped = socket->domain == AF_INET6 && address_is_v4(&local);
    if (socket->bound || socket_state(s, socket, &status) != ESTAB_CLOSED || socket->opened ||
        (mapped && socket->option[OPTION_V6ONLY])) {
        return -EINVAL;
    }
    error = bind_socket(s, socket, &local);
    socket->port_named = error == 0;
    return error;
}

/* -------------------------------------------------------------------------------------------- listen */

int sockets_listen(struct sockets *s, uint64_t now, int fd, int backlog)
{
    int error;
    sockets_update(s, now);
    struct file *file = socket_file_of(s, fd, &error);
    if (file == NULL) {
        return error;
    }
    struct socket *socket = &file->socket;
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    if (socket->phase != PHASE_UNCONNECTED || (state != ESTAB_CLOSED && state != ESTAB_LISTEN)) {
        return -EINVAL;
    }
    if (!socket->bound) {
        struct estab_addr any = address_any(socket, 0);
        error = bind_socket(s, socket, &any);
        if (error != 0) {
            return error;
        }
    }
    /* Linux's queue is full when it has more than the backlog; a negative one is the largest. */
    unsigned bounded = backlog < 0 || backlog > SOMAXCONN_LINUX ? SOMAXCONN_LINUX : (unsigned)backlog;
    error = estab_listen(s->stack, now, socket->conn, bounded + 1);
    return error == 0 ? 0 : errno_of(error);
}

/* -------------------------------------------------------------------------------------------- accept */

static int accept_one(struct sockets *s, struct socket *listener, estab_conn conn, int flags)
{
    struct file *file = file_new(FILE_SOCKET, O_RDWR | ((flags & SOCK_NONBLOCK) ? O_NONBLOCK : 0));
    if (file == NULL) {
        estab_abort(s->stack, s->now, conn);
        return -ENOMEM;
    }
    struct socket *socket = &file->socket;
    socket->domain = listener->domain;
    socket->protocol = listener->protocol;
    socket->conn = conn;
    socket->phase = PHASE_CONNECTED;
    socket->opened = true;
    options_inherit(socket, listener);
    estab_set(s->stack, s->now, conn, ESTAB_OPTION_USER, (uintptr_t)file);
    int ready = estab_ready(s->stack, conn);
    socket->peer_closed = ((unsigned)ready & ESTAB_PEER_CLOSED) != 0;
    socket->urgent = ((unsigned)ready & ESTAB_URGENT_MARK) != 0;
    int fd = descriptor_new(s, file, 0, (flags & SOCK_CLOEXEC) != 0);
    if (fd < 0) {
        file_drop(s, file);
    }
    return fd;
}

/* An IPv6-only listener on any address hears IPv4 too in the core: such a connection is refused here. */
static bool is_unwanted(struct sockets *s, const struct socket *listener, estab_conn conn)
{
    struct estab_status status;
    return listener->domain == AF_INET6 && listener->option[OPTION_V6ONLY] &&
           estab_status(s->stack, conn, &status) == 0 && address_is_v4(&status.local);
}

static int accept_next(struct sockets *s, struct socket *listener, estab_conn *conn)
{
    int error;
    do {
        error = estab_accept(s->stack, s->now, listener->conn, conn);
    } while (error == 0 && is_unwanted(s, listener, *conn) && estab_abort(s->stack, s->now, *conn) == 0);
    return error;
}

int sockets_accept(struct sockets *s, uint64_t now, int fd, struct sockaddr *addr, socklen_t *length,
                   int flags, struct sockets_wait *wait)
{
    int error;
    sockets_update(s, now);
    struct file *file = socket_file_of(s, fd, &error);
    if (file == NULL) {
        return error;
    }
    struct socket *listener = &file->socket;
    struct estab_status status;
    if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0 ||
        socket_state(s, listener, &status) != ESTAB_LISTEN) {
        return -EINVAL;
    }
    estab_conn conn = 0;
    if (accept_next(s, listener, &conn) != 0) {
        return call_wait(s, wait, file_nonblocking(file), socket_timeout(listener, true));
    }
    int accepted = accept_one(s, listener, conn, flags);
    if (accepted >= 0 && addr != NULL) {
        estab_status(s->stack, conn, &status);
        error = address_write(listener, &status.remote, addr, length);
        if (error != 0) {
            sockets_close(s, now, accepted, NULL);
            return error;
        }
    }
    return accepted;
}

/* ------------------------------------------------------------------------------------------- connect */

static bool is_opening(enum estab_state state)
{
    return state == ESTAB_SYN_SENT || state == ESTAB_SYN_RECEIVED;
}

/* connect() to AF_UNSPEC: the socket is new again. A peer that knows of the connection gets a RST. */
static int disconnect(struct sockets *s, struct file *file)
{
    struct estab_status status;
    enum estab_state state = socket_state(s, &file->socket, &status);
    int error = is_opening(state) || state == ESTAB_ESTABLISHED ? ECONNRESET : 0;
    int result = socket_renew(s, file);
    file->socket.error = error;
    file_woken(file);
    return result;
}

static int connect_begin(struct sockets *s, struct socket *socket, const struct estab_addr *remote)
{
    struct estab_status status;
    if (socket_state(s, socket, &status) != ESTAB_CLOSED) {
        return -EISCONN; /* it listens */
    }
    if (socket->domain == AF_INET6 && socket->option[OPTION_V6ONLY] && address_is_v4(remote)) {
        return -ENETUNREACH;
    }
    int error = estab_connect(s->stack, s->now, socket->conn, remote);
    if (error != 0) {
        return errno_of(error);
    }
    socket->opened = true;
    socket->error = 0;
    socket->phase = PHASE_CONNECTING;
    return -EINPROGRESS;
}

/* The handshake's outcome, or how long it may still be waited for. */
static int connect_continue(struct sockets *s, struct file *file, int in_progress, struct sockets_wait *wait)
{
    struct socket *socket = &file->socket;
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    if (is_opening(state)) {
        if (wait != NULL && wait->begun && socket->error != 0) {
            return socket_take_error(socket);
        }
        int waited = call_wait(s, wait, file_nonblocking(file), socket_timeout(socket, false));
        return waited == SOCKETS_BLOCKED ? SOCKETS_BLOCKED : in_progress;
    }
    if (state == ESTAB_CLOSED) {
        int error = socket_take_error(socket);
        socket_renew(s, file);
        return error != 0 ? error : -ECONNABORTED;
    }
    socket->phase = PHASE_CONNECTED;
    return 0;
}

int sockets_connect(struct sockets *s, uint64_t now, int fd, const struct sockaddr *addr, socklen_t length,
                    struct sockets_wait *wait)
{
    struct estab_addr remote;
    int error;
    sockets_update(s, now);
    struct file *file = socket_file_of(s, fd, &error);
    if (file == NULL) {
        return error;
    }
    struct socket *socket = &file->socket;
    if (addr != NULL && length < sizeof addr->sa_family) {
        return -EINVAL;
    }
    if (addr != NULL && addr->sa_family == AF_UNSPEC) {
        return disconnect(s, file);
    }
    if (socket->phase == PHASE_CONNECTED) {
        return -EISCONN;
    }
    if (socket->phase == PHASE_DISCONNECTING) {
        return -EINVAL;
    }
    bool waiting = wait != NULL && wait->begun;
    int in_progress = waiting ? -EINPROGRESS : -EALREADY;
    if (socket->phase == PHASE_UNCONNECTED) {
        error = address_read(socket, addr, length, &remote);
        in_progress = error == 0 ? connect_begin(s, socket, &remote) : error;
        if (in_progress != -EINPROGRESS) {
            return in_progress;
        }
    }
    return connect_continue(s, file, in_progress, wait);
}

/* ------------------------------------------------------------------------------------------ shutdown */

static int shutdown_connected(struct sockets *s, struct file *file, unsigned how, enum estab_state state)
{
    struct socket *socket = &file->socket;
    socket->shut |= how;
    file_woken(file);
    if (state == ESTAB_CLOSED) {
        return -ENOTCONN; /* and yet poll() shows it from now on */
    }
    if (how & SHUT_SENDING) {
        estab_shutdown(s->stack, s->now, socket->conn, ESTAB_SHUT_WR);
    }
    return 0;
}

int sockets_shutdown(struct sockets *s, uint64_t now, int fd, int how)
{
    int error;
    sockets_update(s, now);
    struct file *file = socket_file_of(s, fd, &error);
    if (file == NULL) {
        return error;
    }
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) {
        return -EINVAL;
    }
    struct socket *socket = &file->socket;
    unsigned ways = (unsigned)how + 1;
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    if (state == ESTAB_SYN_SENT) {
        return disconnect(s, file); /* RFC 9293 3.10.4 deletes the connection; the program learns of it */
    }
    if (state == ESTAB_LISTEN) {
        return (ways & SHUT_RECEIVING) ? disconnect(s, file) : 0;
    }
    if (socket->phase == PHASE_CONNECTING) {
        bool nowhere = state == ESTAB_SYN_RECEIVED || state == ESTAB_CLOSED;
        socket->phase = nowhere ? PHASE_DISCONNECTING : PHASE_CONNECTED;
    }
    return shutdown_connected(s, file, ways, state);
}

/* --------------------------------------------------------------------------------------------- names */

int sockets_getsockname(struct sockets *s, int fd, struct sockaddr *addr, socklen_t *length)
{
    int error;
    struct file *file = socket_file_of(s, fd, &error);
    if (file == NULL) {
        return error;
    }
    struct socket *socket = &file->socket;
    struct estab_status status;
    socket_state(s, socket, &status);
    struct estab_addr local = status.local;
    if (local.port == 0 && !socket->bound) {
        local = address_any(socket, 0);
    }
    return address_write(socket, &local, addr, length);
}

int sockets_getpeername(struct sockets *s, int fd, struct sockaddr *addr, socklen_t *length)
{
    int error;
    struct file *file = socket_file_of(s, fd, &error);
    if (file == NULL) {
        return error;
    }
    struct socket *socket = &file->socket;
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    if (state == ESTAB_CLOSED || state == ESTAB_SYN_SENT || state == ESTAB_LISTEN) {
        return -ENOTCONN;
    }
    return address_write(socket, &status.remote, addr, length);
}
