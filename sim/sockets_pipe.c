/*
 * Pipes of 64 KiB, and what moves bytes between files without the program seeing them: splice() and
 * sendfile(). Blocking, partial results and errors are Linux's; a write of at most PIPE_BUF bytes is whole
 * or not done. A pipe holds bytes and not pages: many short writes fill it later than one of Linux.
 */
#include "sockets_private.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define PIPE_CAPACITY 65536
#define PIPE_LARGEST  (1 << 20) /* fs.pipe-max-size */
#define PAGE          4096

/* ---------------------------------------------------------------------------------------------- bytes */

static size_t pipe_room(const struct pipe_bytes *pipe)
{
    return pipe->capacity - pipe->length;
}

/* The contiguous bytes to be read next. */
static size_t front_length(const struct pipe_bytes *pipe)
{
    size_t to_end = pipe->capacity - pipe->begin;
    return pipe->length < to_end ? pipe->length : to_end;
}

static void pipe_consume(struct pipe_bytes *pipe, size_t length)
{
    pipe->begin = (pipe->begin + length) % pipe->capacity;
    pipe->length -= length;
    if (length > 0 && pipe->writer != NULL) {
        pipe->writer->news_out++;
    }
}

/* The contiguous room to be written next, at most `length` bytes. */
static struct iovec pipe_space(const struct pipe_bytes *pipe, size_t length)
{
    size_t end = (pipe->begin + pipe->length) % pipe->capacity;
    size_t room = pipe_room(pipe);
    size_t contiguous = end + room <= pipe->capacity ? room : pipe->capacity - end;
    return (struct iovec){pipe->bytes + end, length < contiguous ? length : contiguous};
}

static void pipe_produce(struct pipe_bytes *pipe, size_t length)
{
    pipe->length += length;
    if (length > 0 && pipe->reader != NULL) {
        pipe->reader->news_in++;
    }
}

int pipe_resize(struct pipe_bytes *pipe, long size)
{
    size_t capacity = PAGE;
    if (size < 0 || size > INT_MAX) {
        return -EINVAL;
    }
    while (capacity < (size_t)size) {
        capacity *= 2;
    }
    if (capacity > PIPE_LARGEST) {
        return -EPERM;
    }
    if (capacity < pipe->length) {
        return -EBUSY;
    }
    uint8_t *bytes = malloc(capacity);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    size_t front = front_length(pipe);
    memcpy(bytes, pipe->bytes + pipe->begin, front);
    memcpy(bytes + front, pipe->bytes, pipe->length - front);
    free(pipe->bytes);
    pipe->bytes = bytes;
    pipe->capacity = capacity;
    pipe->begin = 0;
    return (int)capacity;
}

/* ----------------------------------------------------------------------------------------------- ends */

/* An empty pipe and its two ends, which no descriptor holds yet; NULL = no memory. */
static struct pipe_bytes *pipe_new(int flags)
{
    struct pipe_bytes *pipe = calloc(1, sizeof *pipe);
    if (pipe == NULL) {
        return NULL;
    }
    pipe->bytes = malloc(PIPE_CAPACITY);
    pipe->capacity = PIPE_CAPACITY;
    pipe->reader = file_new(FILE_PIPE_READ, O_RDONLY | flags);
    pipe->writer = file_new(FILE_PIPE_WRITE, O_WRONLY | flags);
    if (pipe->bytes == NULL || pipe->reader == NULL || pipe->writer == NULL) {
        free(pipe->reader);
        free(pipe->writer);
        free(pipe->bytes);
        free(pipe);
        return NULL;
    }
    pipe->reader->pipe = pipe->writer->pipe = pipe;
    return pipe;
}

int sockets_pipe(struct sockets *s, int fds[2], int flags)
{
    bool close_on_exec = (flags & O_CLOEXEC) != 0;
    if (fds == NULL) {
        return -EFAULT;
    }
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return -EINVAL;
    }
    struct pipe_bytes *pipe = pipe_new(flags & O_NONBLOCK);
    if (pipe == NULL) {
        return -ENOMEM;
    }
    struct file *reader = pipe->reader;
    struct file *writer = pipe->writer;
    int first = descriptor_new(s, reader, 0, close_on_exec);
    int second = first < 0 ? first : descriptor_new(s, writer, 0, close_on_exec);
    if (second >= 0) {
        fds[0] = first;
        fds[1] = second;
        return 0;
    }
    file_drop(s, writer); /* the pipe goes with its last end */
    if (first >= 0) {
        sockets_close(s, s->now, first, NULL);
    } else {
        file_drop(s, reader);
    }
    return second;
}

void pipe_drop(struct file *file)
{
    struct pipe_bytes *pipe = file->pipe;
    struct file *other = file->kind == FILE_PIPE_READ ? pipe->writer : pipe->reader;
    if (file->kind == FILE_PIPE_READ) {
        pipe->reader = NULL;
    } else {
        pipe->writer = NULL;
    }
    if (other != NULL) {
        file_woken(other);
        return;
    }
    free(pipe->bytes);
    free(pipe);
}

unsigned pipe_poll(const struct file *file)
{
    const struct pipe_bytes *pipe = file->pipe;
    if (file->kind == FILE_PIPE_READ) {
        return (pipe->length > 0 ? POLLIN | POLLRDNORM : 0u) | (pipe->writer == NULL ? POLLHUP : 0u);
    }
    return (pipe_room(pipe) >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0u) | (pipe->reader == NULL ? POLLERR : 0u);
}

/* --------------------------------------------------------------------------------------- read and write */

ssize_t pipe_read(struct sockets *s, struct file *file, const struct transfer *t)
{
    struct pipe_bytes *pipe = file->pipe;
    size_t done = 0;
    if (t->length == 0) {
        return 0;
    }
    while (done < t->length && pipe->length > 0) {
        size_t n = front_length(pipe);
        n = n < t->length - done ? n : t->length - done;
        iov_copy_to(t, done, pipe->bytes + pipe->begin, n);
        pipe_consume(pipe, n);
        done += n;
    }
    if (done > 0 || pipe->writer == NULL) {
        return (ssize_t)done;
    }
    return call_wait(s, t->wait, t->nonblocking, 0);
}

static size_t pipe_fill(struct pipe_bytes *pipe, const struct transfer *t, size_t done)
{
    while (done < t->length && pipe_room(pipe) > 0) {
        struct iovec space = pipe_space(pipe, t->length - done);
        iov_copy_from(t, done, space.iov_base, space.iov_len);
        pipe_produce(pipe, space.iov_len);
        done += space.iov_len;
    }
    return done;
}

ssize_t pipe_write(struct sockets *s, struct file *file, const struct transfer *t)
{
    struct pipe_bytes *pipe = file->pipe;
    size_t done = t->wait != NULL ? t->wait->progress : 0;
    if (t->length == 0) {
        return 0;
    }
    if (pipe->reader == NULL) {
        return done > 0 ? (ssize_t)done : -EPIPE;
    }
    if (t->length > PIPE_BUF || pipe_room(pipe) >= t->length) {
        done = pipe_fill(pipe, t, done);
    }
    if (done == t->length) {
        return (ssize_t)done;
    }
    return transfer_wait(s, t, done, 0);
}

/* ---------------------------------------------------------------------------------------------- splice */

/* From a socket or a pipe into a pipe: what there is now, at most what there is room for. */
static ssize_t splice_into_pipe(struct sockets *s, struct file *in, struct pipe_bytes *to, struct transfer *t)
{
    if (to->reader == NULL) {
        return -EPIPE;
    }
    if (pipe_room(to) == 0) {
        return call_wait(s, t->wait, t->nonblocking, 0);
    }
    size_t length = t->length < pipe_room(to) ? t->length : pipe_room(to);
    uint8_t *bytes = malloc(length);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    struct iovec iov = {bytes, length};
    struct transfer read = {.iov = &iov, .count = 1, .length = length, .wait = t->wait};
    int ignored = 0;
    read.nonblocking = file_nonblocking(in) || (in->kind == FILE_PIPE_READ && t->nonblocking);
    ssize_t got = in->kind == FILE_SOCKET ? socket_receive(s, in, &read, &ignored) : pipe_read(s, in, &read);
    if (got > 0) {
        struct iovec written = {bytes, (size_t)got};
        struct transfer write = {.iov = &written, .count = 1, .length = (size_t)got};
        pipe_fill(to, &write, 0);
    }
    free(bytes);
    return got;
}

/* From a pipe to a socket: all that stands in it, at most the length, waiting for the socket's buffer. */
static ssize_t splice_to_socket(struct sockets *s, struct file *in, struct file *out, struct transfer *t)
{
    struct pipe_bytes *from = in->pipe;
    size_t done = t->wait != NULL ? t->wait->progress : 0;
    while (from->length > 0 && done < t->length) {
        size_t n = front_length(from);
        n = n < t->length - done ? n : t->length - done;
        struct iovec iov = {from->bytes + from->begin, n};
        struct transfer send = {.iov = &iov, .count = 1, .length = n, .flags = t->flags, .nonblocking = true};
        ssize_t sent = socket_send(s, out, &send);
        if (sent < 0 && sent != -EAGAIN) {
            return done > 0 ? (ssize_t)done : sent;
        }
        size_t moved = sent > 0 ? (size_t)sent : 0;
        pipe_consume(from, moved);
        done += moved;
        if (moved < n) {
            t->nonblocking = file_nonblocking(out); /* the socket's own: SPLICE_F_NONBLOCK is the pipe's */
            return transfer_wait(s, t, done, socket_timeout(&out->socket, false));
        }
    }
    if (done > 0 || from->writer == NULL) {
        return (ssize_t)done;
    }
    return call_wait(s, t->wait, t->nonblocking, 0);
}

static bool is_pipe(const struct file *file)
{
    return file->kind == FILE_PIPE_READ || file->kind == FILE_PIPE_WRITE;
}

static int check_splice(const struct file *in, const struct file *out, unsigned flags)
{
    const unsigned all = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;
    if ((flags & ~all) != 0) {
        return -EINVAL;
    }
    if (in == NULL || out == NULL || in->kind == FILE_PIPE_WRITE || out->kind == FILE_PIPE_READ) {
        return -EBADF;
    }
    bool one_is_pipe = is_pipe(in) || is_pipe(out);
    bool same = is_pipe(in) && is_pipe(out) && in->pipe == out->pipe;
    bool sets = in->kind == FILE_EPOLL || out->kind == FILE_EPOLL;
    return one_is_pipe && !same && !sets ? 0 : -EINVAL;
}

ssize_t sockets_splice(struct sockets *s, uint64_t now, int fd_in, int fd_out, size_t length, unsigned flags,
                       struct sockets_wait *wait)
{
    sockets_update(s, now);
    if (length == 0) {
        return 0;
    }
    struct file *in = file_of(s, fd_in);
    struct file *out = file_of(s, fd_out);
    int error = check_splice(in, out, flags);
    if (error != 0) {
        return error;
    }
    bool pipe_waits_not = (is_pipe(in) && file_nonblocking(in)) || (is_pipe(out) && file_nonblocking(out));
    struct transfer t = {.length = length < INT_MAX ? length : INT_MAX,
                         .flags = (flags & SPLICE_F_MORE) ? MSG_MORE : 0,
                         .nonblocking = pipe_waits_not || (flags & SPLICE_F_NONBLOCK) != 0,
                         .wait = wait};
    return is_pipe(out) ? splice_into_pipe(s, in, out->pipe, &t) : splice_to_socket(s, in, out, &t);
}

ssize_t sockets_sendfile(struct sockets *s, uint64_t now, int out_fd, const void *file, size_t length,
                         struct sockets_wait *wait)
{
    if (file == NULL && length > 0) {
        return -EBADF;
    }
    const struct iovec iov = {(void *)(uintptr_t)file, length};
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)&iov, .msg_iovlen = 1};
    return sockets_sendmsg(s, now, out_fd, &msg, 0, wait);
}
