/*
 * Bytes in and out: recvmsg() and sendmsg(), of which the other ten calls are cases. SEND and RECEIVE of RFC
 * 9293 3.10.2 and 3.10.3 are behind them; the order of checks, the partial results and the urgent byte out of
 * line (RFC 6093 calls it a mistake, programs still use it) are Linux's.
 */
#include "sockets_private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MAX_IOVECS 1024
#define MAX_BYTES  ((size_t)INT_MAX & ~(size_t)4095)

/* --------------------------------------------------------------------------------------------- iovecs */

static size_t iov_length(const struct iovec *iov, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        size_t room = MAX_BYTES - sum;
        sum += iov[i].iov_len < room ? iov[i].iov_len : room;
    }
    return sum;
}

/* The piece of the iovecs that begins `skip` bytes in, at most `length` bytes. */
static struct iovec iov_piece(const struct transfer *t, size_t skip, size_t length)
{
    size_t i = 0;
    while (skip >= t->iov[i].iov_len) {
        skip -= t->iov[i++].iov_len;
    }
    size_t rest = t->iov[i].iov_len - skip;
    return (struct iovec){(uint8_t *)t->iov[i].iov_base + skip, rest < length ? rest : length};
}

void iov_copy_to(const struct transfer *t, size_t skip, const void *from, size_t length)
{
    for (size_t done = 0; done < length;) {
        struct iovec piece = iov_piece(t, skip + done, length - done);
        memcpy(piece.iov_base, (const uint8_t *)from + done, piece.iov_len);
        done += piece.iov_len;
    }
}

void iov_copy_from(const struct transfer *t, size_t skip, void *to, size_t length)
{
    for (size_t done = 0; done < length;) {
        struct iovec piece = iov_piece(t, skip + done, length - done);
        memcpy((uint8_t *)to + done, piece.iov_base, piece.iov_len);
        done += piece.iov_len;
    }
}

static int check_message(const struct msghdr *msg, bool may_lack_bytes)
{
    if (msg == NULL || (msg->msg_iov == NULL && msg->msg_iovlen > 0)) {
        return -EFAULT;
    }
    if (msg->msg_iovlen > MAX_IOVECS) {
        return -EMSGSIZE;
    }
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        if (msg->msg_iov[i].iov_len > SSIZE_MAX) {
            return -EINVAL;
        }
        if (msg->msg_iov[i].iov_base == NULL && msg->msg_iov[i].iov_len > 0 && !may_lack_bytes) {
            return -EFAULT;
        }
    }
    return 0;
}

/* -------------------------------------------------------------------------------------------- receive */

/* What may be read: text that came with a SYN is handed up once the handshake is done (RFC 9293 3.10.7). */
static size_t readable(const struct estab_status *status)
{
    bool early = status->state == ESTAB_SYN_SENT || status->state == ESTAB_SYN_RECEIVED;
    return early ? 0 : (size_t)status->receive_queued;
}

/* Copies `length` bytes that stand `skip` bytes in, and reads them with those before unless it only peeks. */
static int take_bytes(struct sockets *s, struct socket *socket, const struct transfer *t, size_t skip,
                      const size_t place_and_length[2])
{
    size_t length = place_and_length[1];
    if ((t->flags & MSG_TRUNC) == 0) {
        uint8_t *bytes = malloc(skip + length);
        if (bytes == NULL) {
            return -ENOMEM;
        }
        estab_recv(s->stack, s->now, socket->conn, bytes, skip + length, ESTAB_PEEK);
        iov_copy_to(t, place_and_length[0], bytes + skip, length);
        free(bytes);
    }
    if ((t->flags & MSG_PEEK) == 0) {
        estab_recv_consume(s->stack, s->now, socket->conn, skip + length);
    }
    return 0;
}

/*
 * What there is, up to the urgent byte: a read ends before it, and one that begins at it passes over it (or
 * takes it along, with SO_OOBINLINE). Returns the number of bytes.
 */
static ssize_t receive_some(struct sockets *s, struct socket *socket, const struct transfer *t, size_t done)
{
    struct estab_status status;
    socket_state(s, socket, &status);
    size_t queued = readable(&status);
    size_t distance = socket_urgent_distance(socket, &status);
    size_t skip = 0;
    if (distance == 0 && done > 0) {
        return 0;
    }
    if (distance == 0 && queued > 0 && !socket->option[OPTION_OOBINLINE]) {
        skip = 1;
    }
    size_t length = t->length - done;
    length = length < queued - skip ? length : queued - skip;
    length = distance > 0 && distance < length ? distance : length;
    if (length == 0 && (skip == 0 || (t->flags & MSG_PEEK))) {
        return 0;
    }
    const size_t place_and_length[2] = {done, length};
    int error = take_bytes(s, socket, t, skip, place_and_length);
    return error != 0 ? error : (ssize_t)length;
}

/* Why nothing can be read: 0 = the end, 1 = wait, or an error. */
static int receive_nothing(struct sockets *s, struct socket *socket)
{
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    if (socket->peer_closed) {
        return 0;
    }
    if (socket->error != 0) {
        return socket_take_error(socket);
    }
    if (socket_shut(socket, state) & SHUT_RECEIVING) {
        return 0;
    }
    return state == ESTAB_CLOSED ? -ENOTCONN : 1;
}

/* Whether a read that has some of what it wants waits for the rest. */
static bool receive_is_over(struct sockets *s, const struct socket *socket)
{
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    bool at_mark = socket_urgent_distance(socket, &status) == 0;
    return at_mark || socket->error != 0 || (socket_shut(socket, state) & SHUT_RECEIVING) != 0;
}

/* The urgent byte: the last before where the urgent pointer points (RFC 9293 3.8.5, MUST-62). */
static ssize_t receive_urgent(struct sockets *s, struct socket *socket, const struct transfer *t,
                              int *flags_out)
{
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    size_t distance = socket_urgent_distance(socket, &status);
    if (socket->option[OPTION_OOBINLINE] || distance == SIZE_MAX || socket->urgent_taken) {
        return -EINVAL;
    }
    if (readable(&status) <= distance) {
        return (socket_shut(socket, state) & SHUT_RECEIVING) ? 0 : -EAGAIN;
    }
    *flags_out |= MSG_OOB;
    if (t->length == 0) {
        *flags_out |= MSG_TRUNC;
        return 0;
    }
    struct transfer peek = *t;
    const size_t place_and_length[2] = {0, 1};
    peek.flags = MSG_PEEK | (t->flags & MSG_TRUNC);
    int error = take_bytes(s, socket, &peek, distance, place_and_length);
    socket->urgent_taken = (t->flags & MSG_PEEK) == 0;
    return error != 0 ? error : 1;
}

static size_t receive_target(const struct socket *socket, const struct transfer *t)
{
    size_t lowat = socket->option[OPTION_RCVLOWAT] > 1 ? (size_t)socket->option[OPTION_RCVLOWAT] : 1;
    return (t->flags & MSG_WAITALL) || lowat > t->length ? t->length : lowat;
}

ssize_t socket_receive(struct sockets *s, struct file *file, const struct transfer *t, int *flags_out)
{
    struct socket *socket = &file->socket;
    struct estab_status status;
    if (socket_state(s, socket, &status) == ESTAB_LISTEN) {
        return -ENOTCONN;
    }
    if (t->flags & MSG_OOB) {
        return receive_urgent(s, socket, t, flags_out);
    }
    bool peeks = (t->flags & MSG_PEEK) != 0; /* and so begins anew each time */
    size_t done = t->wait != NULL && !peeks ? t->wait->progress : 0;
    ssize_t got = receive_some(s, socket, t, done);
    if (got < 0) {
        return got;
    }
    done += (size_t)got;
    if (done >= receive_target(socket, t) || (done > 0 && receive_is_over(s, socket))) {
        return (ssize_t)done;
    }
    int nothing = done == 0 ? receive_nothing(s, socket) : 1;
    if (nothing <= 0) {
        return nothing;
    }
    return transfer_wait(s, t, done, socket_timeout(socket, true));
}

static struct transfer transfer_of(const struct file *file, const struct msghdr *msg, int flags,
                                   struct sockets_wait *wait)
{
    return (struct transfer){.iov = msg->msg_iov,
                             .count = msg->msg_iovlen,
                             .length = iov_length(msg->msg_iov, msg->msg_iovlen),
                             .flags = flags,
                             .nonblocking = file_nonblocking(file) || (flags & MSG_DONTWAIT) != 0,
                             .wait = wait};
}

ssize_t sockets_recvmsg(struct sockets *s, uint64_t now, int fd, struct msghdr *msg, int flags,
                        struct sockets_wait *wait)
{
    sockets_update(s, now);
    struct file *file = file_of(s, fd);
    if (file == NULL || file->kind == FILE_PIPE_WRITE) {
        return -EBADF;
    }
    int error = check_message(msg, (flags & MSG_TRUNC) != 0 && file->kind == FILE_SOCKET);
    if (error != 0) {
        return error;
    }
    if (file->kind == FILE_EPOLL) {
        return -EINVAL;
    }
    if (file->kind == FILE_PIPE_READ && flags != 0) {
        return -ENOTSOCK;
    }
    struct transfer t = transfer_of(file, msg, flags, wait);
    msg->msg_flags = 0;
    msg->msg_controllen = 0;
    msg->msg_namelen = 0; /* TCP names nobody */
    if (flags & MSG_ERRQUEUE) {
        return -EAGAIN; /* nothing is ever put there */
    }
    return file->kind == FILE_SOCKET ? socket_receive(s, file, &t, &msg->msg_flags) : pipe_read(s, file, &t);
}

/* ----------------------------------------------------------------------------------------------- send */

/* Hands bytes over until all are or the buffer is full; returns how many are now. */
static ssize_t send_some(struct sockets *s, struct socket *socket, const struct transfer *t, size_t done)
{
    while (done < t->length) {
        struct iovec piece = iov_piece(t, done, t->length - done);
        bool last = done + piece.iov_len == t->length;
        unsigned flags = (t->flags & MSG_MORE) ? ESTAB_MORE : 0;
        flags |= last && (t->flags & MSG_OOB) ? ESTAB_URGENT : 0;
        ptrdiff_t sent = estab_send(s->stack, s->now, socket->conn, piece.iov_base, piece.iov_len, flags);
        if (sent < 0) {
            return sent == -ESTAB_EAGAIN || done > 0 ? (ssize_t)done : errno_of((int)sent);
        }
        done += (size_t)sent;
        if ((size_t)sent < piece.iov_len) {
            break;
        }
    }
    return (ssize_t)done;
}

/* 0 = the state and the pending error let bytes go out, 1 = not yet, else the error. */
static int may_send(struct sockets *s, struct socket *socket)
{
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    bool shut = (socket_shut(socket, state) & SHUT_SENDING) != 0;
    if (socket->error != 0) {
        return socket_take_error(socket);
    }
    if (state == ESTAB_SYN_SENT || state == ESTAB_SYN_RECEIVED) {
        return shut ? -EPIPE : 1;
    }
    return shut || (state != ESTAB_ESTABLISHED && state != ESTAB_CLOSE_WAIT) ? -EPIPE : 0;
}

/* Linux wakes a writer that waits when a third of the buffer is free, not for each byte. */
static bool has_room(struct sockets *s, const struct socket *socket, const struct sockets_wait *wait)
{
    bool waiting = wait != NULL && wait->begun;
    return !waiting || ((unsigned)estab_ready(s->stack, socket->conn) & ESTAB_WRITABLE) != 0;
}

ssize_t socket_send(struct sockets *s, struct file *file, const struct transfer *t)
{
    struct socket *socket = &file->socket;
    size_t done = t->wait != NULL ? t->wait->progress : 0;
    int pending = socket->error;
    int may = may_send(s, socket);
    if (may < 0 && done > 0) {
        socket->error = pending; /* the bytes are told now, the error with the next call */
        return (ssize_t)done;
    }
    if (may < 0) {
        return may;
    }
    if (may == 0 && has_room(s, socket, t->wait)) {
        ssize_t sent = send_some(s, socket, t, done);
        if (sent < 0 || (size_t)sent == t->length) {
            return sent;
        }
        done = (size_t)sent;
    }
    return transfer_wait(s, t, done, socket_timeout(socket, false));
}

ssize_t sockets_sendmsg(struct sockets *s, uint64_t now, int fd, const struct msghdr *msg, int flags,
                        struct sockets_wait *wait)
{
    sockets_update(s, now);
    struct file *file = file_of(s, fd);
    if (file == NULL || file->kind == FILE_PIPE_READ) {
        return -EBADF;
    }
    int error = check_message(msg, false);
    if (error != 0) {
        return error;
    }
    if (file->kind == FILE_EPOLL) {
        return -EINVAL;
    }
    if (file->kind == FILE_PIPE_WRITE && flags != 0) {
        return -ENOTSOCK;
    }
    if (flags & MSG_FASTOPEN) {
        return -EOPNOTSUPP;
    }
    struct transfer t = transfer_of(file, msg, flags, wait);
    return file->kind == FILE_SOCKET ? socket_send(s, file, &t) : pipe_write(s, file, &t);
}

int sockets_check_socket(const struct sockets *s, int fd)
{
    int error;
    (void)socket_file_of(s, fd, &error);
    return error;
}
