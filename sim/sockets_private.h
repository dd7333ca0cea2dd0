/*
 * What the files of the socket layer share: open files as Linux has them (a socket, an end of a pipe, an
 * epoll set), the table of descriptors, and what a socket knows beyond its connection. Linux's words: a
 * `file` is an open file description, which F_DUPFD shares; its descriptors are numbers for it.
 *
 * Everything below <sim/sockets.c> returns 0 or more, or a negated errno of the host, or SOCKETS_BLOCKED.
 */
#ifndef SIM_SOCKETS_PRIVATE_H
#define SIM_SOCKETS_PRIVATE_H

#include "sockets.h"

#include <errno.h>
#include <fcntl.h>

#define NANOSECONDS UINT64_C(1000000000)

/* The options that are kept, in the order of the table in sockets_options.c. */
enum socket_option {
    OPTION_REUSEADDR,
    OPTION_REUSEPORT,
    OPTION_KEEPALIVE,
    OPTION_OOBINLINE,
    OPTION_RCVLOWAT,
    OPTION_RCVBUF,
    OPTION_SNDBUF,
    OPTION_PRIORITY,
    OPTION_MARK,
    OPTION_TIMESTAMP,
    OPTION_BROADCAST,
    OPTION_DONTROUTE,
    OPTION_BUSY_POLL,
    OPTION_ZEROCOPY,
    OPTION_NODELAY,
    OPTION_CORK,
    OPTION_MAXSEG,
    OPTION_KEEPIDLE,
    OPTION_KEEPINTVL,
    OPTION_KEEPCNT,
    OPTION_SYNCNT,
    OPTION_LINGER2,
    OPTION_DEFER_ACCEPT,
    OPTION_WINDOW_CLAMP,
    OPTION_QUICKACK,
    OPTION_USER_TIMEOUT,
    OPTION_THIN_LINEAR_TIMEOUTS,
    OPTION_THIN_DUPACK,
    OPTION_NOTSENT_LOWAT,
    OPTION_TOS,
    OPTION_TTL,
    OPTION_MTU_DISCOVER,
    OPTION_RECVERR,
    OPTION_RECVTOS,
    OPTION_FREEBIND,
    OPTION_V6ONLY,
    OPTION_TCLASS,
    OPTION_UNICAST_HOPS,
    OPTION_MTU_DISCOVER6,
    OPTION_RECVERR6,
    OPTION_RECVTCLASS,
    OPTION_COUNT
};

/* As Linux's socket_state: what connect() may do next. */
enum socket_phase { PHASE_UNCONNECTED, PHASE_CONNECTING, PHASE_CONNECTED, PHASE_DISCONNECTING };

/* Which ways are shut, in Linux's bits. */
enum { SHUT_RECEIVING = 1, SHUT_SENDING = 2, SHUT_BOTH = 3 };

struct socket {
    estab_conn conn;
    int domain; /* AF_INET, AF_INET6 */
    int protocol;
    enum socket_phase phase;
    bool opened;               /* its record has been active, or was accepted */
    bool bound, port_named;    /* by bind(); port_named: with a port of the caller's */
    struct estab_addr local;   /* as bound */
    int error;                 /* SO_ERROR: told once */
    int soft_error;            /* ICMP's advice: told by SO_ERROR, and the reason of a timeout */
    uint32_t soft_una;         /* SND.UNA when that came: progress forgets it */
    unsigned shut;             /* by shutdown() */
    bool peer_closed;          /* the peer's FIN has come */
    bool urgent, urgent_taken; /* there is an urgent byte; MSG_OOB has read it */
    struct linger linger;
    uint64_t receive_timeout_ns, send_timeout_ns; /* 0 = none */
    uint64_t core_user_timeout, core_hop_limit;   /* what a new record has */
    int option[OPTION_COUNT];
    bool option_set[OPTION_COUNT];
};

/* Bytes between two ends. */
struct pipe_bytes {
    uint8_t *bytes;
    size_t capacity, begin, length;
    struct file *reader, *writer; /* NULL = closed */
};

struct epoll_item {
    struct file *file;
    int fd;
    uint32_t events; /* 0 with EPOLLONESHOT = waits for EPOLL_CTL_MOD */
    epoll_data_t data;
    uint32_t seen_in, seen_out; /* of the file's news: what was there when it was looked at last */
    bool armed;                 /* added or modified since: edges do not matter yet */
};

struct epoll_set {
    struct epoll_item *items; /* the one reported longest ago first */
    unsigned count, room;
};

enum file_kind { FILE_SOCKET, FILE_PIPE_READ, FILE_PIPE_WRITE, FILE_EPOLL };

struct file {
    enum file_kind kind;
    unsigned references;
    int flags;                  /* O_NONBLOCK and its like */
    uint32_t news_in, news_out; /* counts wake-ups: what EPOLLET waits for */
    union {
        struct socket socket;
        struct pipe_bytes *pipe;
        struct epoll_set epoll;
    };
};

struct descriptor {
    struct file *file; /* NULL = free */
    bool close_on_exec;
};

/* A run of bytes to be read or written, and how. */
struct transfer {
    const struct iovec *iov;
    size_t count;
    size_t length; /* of all */
    int flags;     /* MSG_* */
    bool nonblocking;
    struct sockets_wait *wait;
};

struct sockets {
    estab_stack *stack;
    struct sockets_options options;
    uint64_t now;
    struct descriptor *descriptors; /* by number */
    int descriptor_count;
};

/* ---- sockets.c ---- */

struct file *file_of(const struct sockets *s, int fd);
/* NULL and *error = -EBADF or -ENOTSOCK */
struct file *socket_file_of(const struct sockets *s, int fd, int *error);
int descriptor_new(struct sockets *s, struct file *file, int lowest, bool close_on_exec);
struct file *file_new(enum file_kind kind, int flags);
void file_drop(struct sockets *s, struct file *file);
void file_woken(struct file *file);
static inline bool file_nonblocking(const struct file *file)
{
    return (file->flags & O_NONBLOCK) != 0;
}

/*
 * A call has nothing to do: -EAGAIN where it may not wait or has waited long enough, else SOCKETS_BLOCKED.
 * timeout_ns 0 = for ever.
 */
int call_wait(struct sockets *s, struct sockets_wait *wait, bool nonblocking, uint64_t timeout_ns);
/* The same of a call that has moved `done` bytes: what it returns, where waiting is over, is their number. */
ssize_t transfer_wait(struct sockets *s, const struct transfer *t, size_t done, uint64_t timeout_ns);
/* An errno, negated, of an enum estab_error, negated or not. */
int errno_of(int error);

/* ---- sockets_state.c: what a socket is, in Linux's terms ---- */

/* A fresh record with the socket's options, in place of the one it has (which is over or given up). */
int socket_renew(struct sockets *s, struct file *file);
enum estab_state socket_state(const struct sockets *s, const struct socket *socket,
                              struct estab_status *status);
unsigned socket_shut(const struct socket *socket, enum estab_state state);
/* The pending error, negated, which is told once; 0 = none. */
int socket_take_error(struct socket *socket);
void socket_event(struct sockets *s, struct file *file, uint32_t changed);
/* Bytes up to the urgent one, itself not counted, or SIZE_MAX where there is none ahead. */
size_t socket_urgent_distance(const struct socket *socket, const struct estab_status *status);
unsigned file_poll(struct sockets *s, struct file *file);

/* ---- sockets_address.c ---- */

int address_read(const struct socket *socket, const struct sockaddr *from, socklen_t length,
                 struct estab_addr *to);
int address_write(const struct socket *socket, const struct estab_addr *from, struct sockaddr *to,
                  socklen_t *length);
struct estab_addr address_any(const struct socket *socket, uint16_t port);
bool address_is_v4(const struct estab_addr *address);

/* ---- sockets_options.c ---- */

void options_init(struct sockets *s, struct socket *socket);
/* To a new record: what was set before. */
void options_apply(struct sockets *s, struct socket *socket);
void options_inherit(struct socket *child, const struct socket *listener);
static inline uint64_t socket_timeout(const struct socket *socket, bool receiving)
{
    return receiving ? socket->receive_timeout_ns : socket->send_timeout_ns;
}

/* ---- sockets_info.c ---- */

/* TCP_INFO, TCP_CC_INFO and SO_MEMINFO into `value`, at most *length bytes, which is set. */
int info_tcp(struct sockets *s, struct socket *socket, void *value, socklen_t *length);
int info_memory(struct sockets *s, struct socket *socket, void *value, socklen_t *length);

/* ---- sockets_data.c, sockets_pipe.c ---- */

/* `skip` bytes in, `length` bytes from or to the iovecs. */
void iov_copy_to(const struct transfer *t, size_t skip, const void *from, size_t length);
void iov_copy_from(const struct transfer *t, size_t skip, void *to, size_t length);

ssize_t socket_receive(struct sockets *s, struct file *file, const struct transfer *t, int *flags_out);
ssize_t socket_send(struct sockets *s, struct file *file, const struct transfer *t);
ssize_t pipe_read(struct sockets *s, struct file *file, const struct transfer *t);
ssize_t pipe_write(struct sockets *s, struct file *file, const struct transfer *t);
unsigned pipe_poll(const struct file *file);
void pipe_drop(struct file *file);
int pipe_resize(struct pipe_bytes *pipe, long size);

/* ---- sockets_epoll.c ---- */

unsigned epoll_poll(struct sockets *s, struct file *file);
void epoll_drop(struct file *file);
/* A file is gone, or one descriptor of it: no set watches it any longer. */
void epoll_forget(struct sockets *s, const struct file *file);

#endif
