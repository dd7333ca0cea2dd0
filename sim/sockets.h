/*
 * The socket calls of Linux over a stack in virtual time, for packet scripts and for packetdrill's shared
 * object: descriptors, blocking and non-blocking calls, poll, epoll, pipes, splice and sendfile, with Linux's
 * results, errors and structures. No I/O, no clock, no thread: time is an argument as everywhere.
 *
 * Every call returns what Linux would, or a negated errno of the host. A call that would block returns
 * SOCKETS_BLOCKED: make it again with the same arguments and the same `wait` after time or packets have moved
 * the stack on; sockets_deadline() says when at the latest.
 */
#ifndef SIM_SOCKETS_H
#define SIM_SOCKETS_H

#include "estab/estab.h"

#include <poll.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#define SOCKETS_BLOCKED (-100000)

struct sockets;

/*
 * What a call that blocks remembers between its parts. Zero it before the first. A call that is given NULL
 * never blocks: it does as a non-blocking one (-EAGAIN, -EINPROGRESS).
 */
struct sockets_wait {
    bool begun;
    size_t progress;      /* bytes done so far */
    uint64_t deadline_ns; /* of a timeout; 0 = none was set yet, UINT64_MAX = none */
};

struct sockets_options {
    int first_fd; /* descriptors start here; 0 = 3 */
    /* A descriptor of the host for each new one, so that others cannot reuse the number (a negated errno
       where there is none); NULL = the lowest free one, counted from first_fd. */
    int (*reserve_fd)(void *user);
    void (*release_fd)(void *user, int fd);
    void *user;
};

/*
 * Over a stack that stays the caller's: feeding and pulling packets is the caller's business, the events of
 * estab_poll() are this layer's. Freeing closes every descriptor. NULL = no memory.
 */
struct sockets *sockets_new(estab_stack *stack, const struct sockets_options *options);
void sockets_free(struct sockets *s);

/* Takes in what estab_poll() has to tell; call it whenever the stack was given packets or time. */
void sockets_update(struct sockets *s, uint64_t now);
/* When a call that blocks, or an epoll_wait, may time out; UINT64_MAX = never. */
uint64_t sockets_deadline(const struct sockets *s, const struct sockets_wait *wait);

int sockets_socket(struct sockets *s, uint64_t now, int domain, int type, int protocol);
int sockets_bind(struct sockets *s, uint64_t now, int fd, const struct sockaddr *addr, socklen_t length);
int sockets_listen(struct sockets *s, uint64_t now, int fd, int backlog);
int sockets_accept(struct sockets *s, uint64_t now, int fd, struct sockaddr *addr, socklen_t *length,
                   int flags, struct sockets_wait *wait);
int sockets_connect(struct sockets *s, uint64_t now, int fd, const struct sockaddr *addr, socklen_t length,
                    struct sockets_wait *wait);
/* read, readv, recv, recvfrom: recvmsg with fewer arguments. Flags as on Linux (MSG_PEEK, MSG_DONTWAIT,
   MSG_WAITALL, MSG_TRUNC, MSG_OOB). write, writev, send, sendto: sendmsg (MSG_MORE, MSG_OOB, MSG_DONTWAIT,
   MSG_NOSIGNAL). They work on pipes too. */
ssize_t sockets_recvmsg(struct sockets *s, uint64_t now, int fd, struct msghdr *msg, int flags,
                        struct sockets_wait *wait);
ssize_t sockets_sendmsg(struct sockets *s, uint64_t now, int fd, const struct msghdr *msg, int flags,
                        struct sockets_wait *wait);
int sockets_shutdown(struct sockets *s, uint64_t now, int fd, int how);
int sockets_close(struct sockets *s, uint64_t now, int fd, struct sockets_wait *wait);
int sockets_getsockname(struct sockets *s, int fd, struct sockaddr *addr, socklen_t *length);
int sockets_getpeername(struct sockets *s, int fd, struct sockaddr *addr, socklen_t *length);
int sockets_fcntl(struct sockets *s, uint64_t now, int fd, int command, long argument);
/* FIONREAD/SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK, FIONBIO */
int sockets_ioctl(struct sockets *s, uint64_t now, int fd, unsigned long request, int *argument);
int sockets_getsockopt(struct sockets *s, uint64_t now, int fd, int level, int name, void *value,
                       socklen_t *length);
int sockets_setsockopt(struct sockets *s, uint64_t now, int fd, int level, int name, const void *value,
                       socklen_t length);
int sockets_poll(struct sockets *s, uint64_t now, struct pollfd *fds, nfds_t count, int timeout_ms,
                 struct sockets_wait *wait);
int sockets_epoll_create(struct sockets *s, int flags);
int sockets_epoll_ctl(struct sockets *s, uint64_t now, int epfd, int op, int fd, struct epoll_event *event);
int sockets_epoll_wait(struct sockets *s, uint64_t now, int epfd, struct epoll_event *events, int max,
                       int timeout_ms, struct sockets_wait *wait);
int sockets_pipe(struct sockets *s, int fds[2], int flags);
ssize_t sockets_splice(struct sockets *s, uint64_t now, int fd_in, int fd_out, size_t length, unsigned flags,
                       struct sockets_wait *wait);
/* sendfile() from a file of `length` bytes in memory, to a socket or a pipe. */
ssize_t sockets_sendfile(struct sockets *s, uint64_t now, int out_fd, const void *file, size_t length,
                         struct sockets_wait *wait);

/* 0, -EBADF or -ENOTSOCK: for recv(), send() and their like, which take no pipes as read() and write() do. */
int sockets_check_socket(const struct sockets *s, int fd);

/* The connection or listener behind a descriptor; 0 = it is none. */
estab_conn sockets_conn(const struct sockets *s, int fd);

#endif
