/*
 * What a socket is in Linux's terms, derived from its connection's STATUS (RFC 9293 3.10.6) and from the news
 * that the stack told: the state that a program sees, which ways are shut, the pending error, and what poll()
 * says of it all.
 *
 * Where Linux and the RFC part: a connection in TIME-WAIT is closed to its program; the error of a reset
 * after the peer's FIN is EPIPE; a connection that times out after ICMP errors has the last of them as its
 * reason.
 */
#include "sockets_private.h"

#include <poll.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------- records */

static void forget_connection(struct socket *socket)
{
    socket->phase = PHASE_UNCONNECTED;
    socket->opened = socket->peer_closed = socket->urgent = socket->urgent_taken = false;
    socket->shut = 0;
    socket->soft_error = 0;
}

int socket_renew(struct sockets *s, struct file *file)
{
    struct socket *socket = &file->socket;
    bool first = socket->conn == 0;
    if (!first) {
        estab_abort(s->stack, s->now, socket->conn);
        socket->conn = 0;
    }
    forget_connection(socket);
    int error = estab_open(s->stack, &socket->conn);
    if (error != 0) {
        return errno_of(error);
    }
    estab_set(s->stack, s->now, socket->conn, ESTAB_OPTION_USER, (uintptr_t)file);
    if (first) {
        options_init(s, socket);
    }
    options_apply(s, socket);
    socket->bound = socket->bound && socket->port_named &&
                    estab_bind(s->stack, s->now, socket->conn, &socket->local) == 0;
    return 0;
}

enum estab_state socket_state(const struct sockets *s, const struct socket *socket,
                              struct estab_status *status)
{
    if (estab_status(s->stack, socket->conn, status) != 0) {
        memset(status, 0, sizeof *status);
    }
    return status->state == ESTAB_TIME_WAIT ? ESTAB_CLOSED : status->state;
}

unsigned socket_shut(const struct socket *socket, enum estab_state state)
{
    if (socket->opened && state == ESTAB_CLOSED) {
        return SHUT_BOTH;
    }
    return socket->shut | (socket->peer_closed ? SHUT_RECEIVING : 0u);
}

int socket_take_error(struct socket *socket)
{
    int error = socket->error;
    socket->error = 0;
    return -error;
}

/* ---------------------------------------------------------------------------------------------- news */

/* How Linux names an ICMP error; administrative prohibition is one of its own in IPv6 only. */
static int soft_errno(const struct estab_status *status)
{
    int error = -errno_of(status->soft_error);
    return error == EACCES && address_is_v4(&status->remote) ? EHOSTUNREACH : error;
}

/*
 * ICMP's advice. RFC 9293 MUST-56: the connection lives on, in SYN-SENT too; there Linux's program is told at
 * once, as it is with IP_RECVERR.
 */
static void take_soft_error(struct socket *socket, const struct estab_status *status)
{
    if (status->soft_error == 0 || status->soft_error == -ESTAB_ETIMEDOUT) {
        return; /* R1 (RFC 9293 3.8.3) is not told on Linux */
    }
    bool told = status->state == ESTAB_SYN_SENT || socket->option[OPTION_RECVERR] != 0 ||
                socket->option[OPTION_RECVERR6] != 0;
    if (told) {
        socket->error = soft_errno(status);
    } else {
        socket->soft_error = soft_errno(status);
        socket->soft_una = status->snd_una;
    }
}

static void take_end(struct socket *socket, const struct estab_status *status)
{
    if (status->error == 0) {
        return;
    }
    int error = -errno_of(status->error);
    if (error == ECONNRESET && socket->peer_closed && (socket->shut & SHUT_SENDING) == 0) {
        error = EPIPE;
    } else if (error == ETIMEDOUT && socket->soft_error != 0 && socket->soft_una == status->snd_una) {
        error = socket->soft_error;
    }
    socket->error = error;
}

void socket_event(struct sockets *s, struct file *file, uint32_t changed)
{
    struct socket *socket = &file->socket;
    struct estab_status status;
    socket_state(s, socket, &status);
    const uint32_t both = ESTAB_CONNECTED | ESTAB_PEER_CLOSED | ESTAB_CLOSED_BIT | ESTAB_ERROR;
    if (changed & ESTAB_PEER_CLOSED) {
        socket->peer_closed = true;
    }
    if (changed & ESTAB_URGENT_MARK) {
        socket->urgent = true;
        socket->urgent_taken = false;
    }
    if (changed & ESTAB_SOFT_ERROR) {
        take_soft_error(socket, &status);
    }
    if (changed & ESTAB_CLOSED_BIT) {
        take_end(socket, &status);
    }
    file->news_in += (changed & (both | ESTAB_READABLE | ESTAB_ACCEPTABLE | ESTAB_URGENT_MARK)) != 0;
    file->news_out += (changed & (both | ESTAB_WRITABLE)) != 0;
}

/* -------------------------------------------------------------------------------------------- urgent */

size_t socket_urgent_distance(const struct socket *socket, const struct estab_status *status)
{
    bool ahead = socket->urgent && status->urgent && status->urgent_ahead > 0;
    return ahead ? status->urgent_ahead - 1 : SIZE_MAX;
}

/* ---------------------------------------------------------------------------------------------- poll */

static unsigned poll_receiving(const struct socket *socket, const struct estab_status *status)
{
    size_t distance = socket_urgent_distance(socket, status);
    uint64_t target = socket->option[OPTION_RCVLOWAT] > 1 ? (uint64_t)socket->option[OPTION_RCVLOWAT] : 1;
    if (distance == 0 && !socket->option[OPTION_OOBINLINE]) {
        target++; /* the urgent byte itself is not read in line */
    }
    unsigned events = status->receive_queued >= target ? POLLIN | POLLRDNORM : 0;
    bool urgent = status->receive_queued > distance && !socket->urgent_taken;
    return urgent ? events | POLLPRI : events;
}

static bool may_write(const struct sockets *s, const struct socket *socket, enum estab_state state,
                      const struct estab_status *status)
{
    if (state != ESTAB_ESTABLISHED && state != ESTAB_CLOSE_WAIT) {
        return true; /* nothing is queued, or nothing can be any more: the call will not wait */
    }
    uint64_t lowat = (unsigned)socket->option[OPTION_NOTSENT_LOWAT];
    bool held_back = lowat != 0 && status->send_unsent >= lowat;
    return !held_back && ((unsigned)estab_ready(s->stack, socket->conn) & ESTAB_WRITABLE) != 0;
}

static unsigned socket_poll(struct sockets *s, const struct socket *socket)
{
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    if (state == ESTAB_LISTEN) {
        return status.accept_waiting > 0 ? POLLIN | POLLRDNORM : 0;
    }
    unsigned events = socket->error != 0 ? POLLERR : 0;
    unsigned shut = socket_shut(socket, state);
    if (shut == SHUT_BOTH || state == ESTAB_CLOSED) {
        events |= POLLHUP;
    }
    if (shut & SHUT_RECEIVING) {
        events |= POLLIN | POLLRDNORM | POLLRDHUP;
    }
    if (state == ESTAB_SYN_SENT || state == ESTAB_SYN_RECEIVED) {
        return events;
    }
    if ((shut & SHUT_SENDING) || may_write(s, socket, state, &status)) {
        events |= POLLOUT | POLLWRNORM;
    }
    return events | poll_receiving(socket, &status);
}

unsigned file_poll(struct sockets *s, struct file *file)
{
    switch (file->kind) {
    case FILE_SOCKET: return socket_poll(s, &file->socket);
    case FILE_EPOLL: return epoll_poll(s, file);
    default: return pipe_poll(file);
    }
}

int sockets_poll(struct sockets *s, uint64_t now, struct pollfd *fds, nfds_t count, int timeout_ms,
                 struct sockets_wait *wait)
{
    int ready = 0;
    sockets_update(s, now);
    if (fds == NULL && count > 0) {
        return -EFAULT;
    }
    for (nfds_t i = 0; i < count; i++) {
        struct file *file = file_of(s, fds[i].fd);
        unsigned wanted = (unsigned short)fds[i].events | POLLERR | POLLHUP;
        unsigned events = file != NULL ? file_poll(s, file) & wanted : POLLNVAL;
        fds[i].revents = fds[i].fd < 0 ? 0 : (short)events;
        ready += fds[i].revents != 0;
    }
    if (ready > 0 || timeout_ms == 0) {
        return ready;
    }
    uint64_t timeout_ns = timeout_ms < 0 ? 0 : (uint64_t)timeout_ms * (NANOSECONDS / 1000);
    return call_wait(s, wait, false, timeout_ns) == SOCKETS_BLOCKED ? SOCKETS_BLOCKED : 0;
}
