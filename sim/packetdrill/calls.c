/*
 * The socket calls of the interface: each puts its arguments into a `struct call`, which is made under the
 * lock and again as long as it blocks. What Linux keeps apart by name is told apart here: recv() and send()
 * take no pipes, read() and write() do.
 */
#include "sim/packetdrill/adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

#define NOW adapter.sockets, adapter.now

/* ----------------------------------------------------------------------------------- opening and ending */

static ssize_t run_socket(struct call *c)
{
    return sockets_socket(NOW, c->fd, c->number, c->name);
}

static int packetdrill_socket(void *userdata, int domain, int type, int protocol)
{
    (void)userdata;
    struct call c = {.run = run_socket, .fd = domain, .number = type, .name = protocol};
    return (int)adapter_call(&c);
}

/* The address of packetdrill's host becomes ours when a script binds it. */
static void adopt_address(const struct sockaddr *addr, socklen_t length)
{
    struct estab_addr address = estab_addr_ipv4(0, 0, 0, 0, 0);
    bool v4 = length >= sizeof(struct sockaddr_in) && addr->sa_family == AF_INET;
    if (v4) {
        memcpy(address.ip + 12, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
    } else if (length >= sizeof(struct sockaddr_in6) && addr->sa_family == AF_INET6) {
        memcpy(address.ip, &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr, 16);
        v4 = IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr);
    } else {
        return;
    }
    estab_address_add(adapter.stack, adapter.now, adapter.interface, &address, v4 ? 32 : 128);
}

static ssize_t run_bind(struct call *c)
{
    int result = sockets_bind(NOW, c->fd, c->bytes, (socklen_t)c->size);
    if (result == -EADDRNOTAVAIL) {
        adopt_address(c->bytes, (socklen_t)c->size);
        result = sockets_bind(NOW, c->fd, c->bytes, (socklen_t)c->size);
    }
    return result;
}

static int packetdrill_bind(void *userdata, int sockfd, const struct sockaddr *addr, socklen_t addrlen)
{
    (void)userdata;
    struct call c = {.run = run_bind, .fd = sockfd, .bytes = addr, .size = addrlen};
    return (int)adapter_call(&c);
}

static ssize_t run_listen(struct call *c)
{
    return sockets_listen(NOW, c->fd, c->number);
}

static int packetdrill_listen(void *userdata, int sockfd, int backlog)
{
    (void)userdata;
    struct call c = {.run = run_listen, .fd = sockfd, .number = backlog};
    return (int)adapter_call(&c);
}

static ssize_t run_accept(struct call *c)
{
    return sockets_accept(NOW, c->fd, c->data, c->more, 0, &c->wait);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the interface's signature */
static int packetdrill_accept(void *userdata, int sockfd, struct sockaddr *addr, socklen_t *addrlen)
{
    (void)userdata;
    struct call c = {.run = run_accept, .fd = sockfd, .data = addr, .more = addrlen};
    return (int)adapter_call(&c);
}

static ssize_t run_connect(struct call *c)
{
    return sockets_connect(NOW, c->fd, c->bytes, (socklen_t)c->size, &c->wait);
}

static int packetdrill_connect(void *userdata, int sockfd, const struct sockaddr *addr, socklen_t addrlen)
{
    (void)userdata;
    struct call c = {.run = run_connect, .fd = sockfd, .bytes = addr, .size = addrlen};
    return (int)adapter_call(&c);
}

static ssize_t run_shutdown(struct call *c)
{
    return sockets_shutdown(NOW, c->fd, c->number);
}

static int packetdrill_shutdown(void *userdata, int sockfd, int how)
{
    (void)userdata;
    struct call c = {.run = run_shutdown, .fd = sockfd, .number = how};
    return (int)adapter_call(&c);
}

static ssize_t run_close(struct call *c)
{
    return sockets_close(NOW, c->fd, &c->wait);
}

static int packetdrill_close(void *userdata, int fd)
{
    (void)userdata;
    struct call c = {.run = run_close, .fd = fd};
    return (int)adapter_call(&c);
}

/* ------------------------------------------------------------------------------------------------- bytes */

static ssize_t run_read(struct call *c)
{
    return sockets_recvmsg(NOW, c->fd, c->data, c->number, &c->wait);
}

static ssize_t run_recv(struct call *c)
{
    int wrong = sockets_check_socket(adapter.sockets, c->fd);
    return wrong != 0 ? wrong : run_read(c);
}

static ssize_t run_write(struct call *c)
{
    return sockets_sendmsg(NOW, c->fd, c->bytes, c->number, &c->wait);
}

static ssize_t run_send(struct call *c)
{
    int wrong = sockets_check_socket(adapter.sockets, c->fd);
    return wrong != 0 ? wrong : run_write(c);
}

static ssize_t packetdrill_read(void *userdata, int fd, void *buf, size_t count)
{
    (void)userdata;
    struct iovec iov = {buf, count};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct call c = {.run = run_read, .fd = fd, .data = &msg};
    return adapter_call(&c);
}

/* A count that is none: Linux says so before it looks at anything else. */
static ssize_t refuse_count(void)
{
    errno = EINVAL;
    return -1;
}

static ssize_t packetdrill_readv(void *userdata, int fd, const struct iovec *iov, int iovcnt)
{
    (void)userdata;
    if (iovcnt < 0 || iovcnt > UIO_MAXIOV) {
        return refuse_count();
    }
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)iovcnt};
    struct call c = {.run = run_read, .fd = fd, .data = &msg};
    return adapter_call(&c);
}

static ssize_t packetdrill_recvfrom(void *userdata, int sockfd, void *buf, size_t len, int flags,
                                    struct sockaddr *src_addr, socklen_t *addrlen)
{
    (void)userdata;
    struct iovec iov = {buf, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct call c = {.run = run_recv, .fd = sockfd, .data = &msg, .number = flags};
    ssize_t result = adapter_call(&c);
    if (result >= 0 && src_addr != NULL && addrlen != NULL) {
        *addrlen = 0; /* TCP names nobody */
    }
    return result;
}

static ssize_t packetdrill_recv(void *userdata, int sockfd, void *buf, size_t len, int flags)
{
    return packetdrill_recvfrom(userdata, sockfd, buf, len, flags, NULL, NULL);
}

static ssize_t packetdrill_recvmsg(void *userdata, int sockfd, struct msghdr *msg, int flags)
{
    (void)userdata;
    struct call c = {.run = run_recv, .fd = sockfd, .data = msg, .number = flags};
    return adapter_call(&c);
}

static ssize_t packetdrill_write(void *userdata, int fd, const void *buf, size_t count)
{
    (void)userdata;
    struct iovec iov = {(void *)(uintptr_t)buf, count};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct call c = {.run = run_write, .fd = fd, .bytes = &msg};
    return adapter_call(&c);
}

static ssize_t packetdrill_writev(void *userdata, int fd, const struct iovec *iov, int iovcnt)
{
    (void)userdata;
    if (iovcnt < 0 || iovcnt > UIO_MAXIOV) {
        return refuse_count();
    }
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)iovcnt};
    struct call c = {.run = run_write, .fd = fd, .bytes = &msg};
    return adapter_call(&c);
}

static ssize_t packetdrill_send(void *userdata, int sockfd, const void *buf, size_t len, int flags)
{
    (void)userdata;
    struct iovec iov = {(void *)(uintptr_t)buf, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct call c = {.run = run_send, .fd = sockfd, .bytes = &msg, .number = flags};
    return adapter_call(&c);
}

/* TCP on Linux does not look at the address, but for Fast Open. */
static ssize_t packetdrill_sendto(void *userdata, int sockfd, const void *buf, size_t len, int flags,
                                  const struct sockaddr *dest_addr, socklen_t addrlen)
{
    (void)dest_addr, (void)addrlen;
    return packetdrill_send(userdata, sockfd, buf, len, flags);
}

static ssize_t packetdrill_sendmsg(void *userdata, int sockfd, const struct msghdr *msg, int flags)
{
    (void)userdata;
    struct call c = {.run = run_send, .fd = sockfd, .bytes = msg, .number = flags};
    return adapter_call(&c);
}

/* ------------------------------------------------------------------------------- fcntl, ioctl, options */

static ssize_t run_fcntl(struct call *c)
{
    return sockets_fcntl(NOW, c->fd, c->number, (long)c->flags);
}

static int packetdrill_fcntl(void *userdata, int fd, int cmd, ...)
{
    (void)userdata;
    va_list arguments;
    va_start(arguments, cmd);
    struct call c = {.run = run_fcntl, .fd = fd, .number = cmd};
    bool takes_none = cmd == F_GETFL || cmd == F_GETFD || cmd == F_GETPIPE_SZ;
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    c.flags = takes_none ? 0 : (unsigned long)va_arg(arguments, long);
    va_end(arguments);
    return (int)adapter_call(&c);
}

static ssize_t run_ioctl(struct call *c)
{
    return sockets_ioctl(NOW, c->fd, c->flags, c->data);
}

static int packetdrill_ioctl(void *userdata, int fd, unsigned long request, ...)
{
    (void)userdata;
    va_list arguments;
    va_start(arguments, request);
    struct call c = {.run = run_ioctl, .fd = fd, .flags = request, .data = va_arg(arguments, void *)};
    va_end(arguments);
    return (int)adapter_call(&c);
}

static ssize_t run_getsockopt(struct call *c)
{
    return sockets_getsockopt(NOW, c->fd, c->number, c->name, c->data, c->more);
}

static int packetdrill_getsockopt(void *userdata, int sockfd, int level, int optname, void *optval,
                                  socklen_t *optlen) /* NOLINT(readability-non-const-parameter): signature */
{
    (void)userdata;
    struct call c = {.run = run_getsockopt,
                     .fd = sockfd,
                     .number = level,
                     .name = optname,
                     .data = optval,
                     .more = optlen};
    return (int)adapter_call(&c);
}

static ssize_t run_setsockopt(struct call *c)
{
    return sockets_setsockopt(NOW, c->fd, c->number, c->name, c->bytes, (socklen_t)c->size);
}

static int packetdrill_setsockopt(void *userdata, int sockfd, int level, int optname, const void *optval,
                                  socklen_t optlen)
{
    (void)userdata;
    struct call c = {.run = run_setsockopt,
                     .fd = sockfd,
                     .number = level,
                     .name = optname,
                     .bytes = optval,
                     .size = optlen};
    return (int)adapter_call(&c);
}

/* ------------------------------------------------------------------------------------ poll, epoll, pipes */

static ssize_t run_poll(struct call *c)
{
    return sockets_poll(NOW, c->data, c->size, c->number, &c->wait);
}

static int packetdrill_poll(void *userdata, struct pollfd *fds, nfds_t nfds, int timeout)
{
    (void)userdata;
    struct call c = {.run = run_poll, .data = fds, .size = nfds, .number = timeout};
    return (int)adapter_call(&c);
}

static ssize_t run_epoll_create(struct call *c)
{
    return c->number <= 0 ? -EINVAL : sockets_epoll_create(adapter.sockets, 0);
}

static int packetdrill_epoll_create(void *userdata, int size)
{
    (void)userdata;
    struct call c = {.run = run_epoll_create, .number = size};
    return (int)adapter_call(&c);
}

static ssize_t run_epoll_ctl(struct call *c)
{
    return sockets_epoll_ctl(NOW, c->fd, c->number, c->other_fd, c->data);
}

static int packetdrill_epoll_ctl(void *userdata, int epfd, int op, int fd, struct epoll_event *event)
{
    (void)userdata;
    struct call c = {.run = run_epoll_ctl, .fd = epfd, .number = op, .other_fd = fd, .data = event};
    return (int)adapter_call(&c);
}

static ssize_t run_epoll_wait(struct call *c)
{
    return sockets_epoll_wait(NOW, c->fd, c->data, c->name, c->number, &c->wait);
}

static int packetdrill_epoll_wait(void *userdata, int epfd, struct epoll_event *events, int maxevents,
                                  int timeout)
{
    (void)userdata;
    struct call c = {.run = run_epoll_wait, .fd = epfd, .data = events, .name = maxevents, .number = timeout};
    return (int)adapter_call(&c);
}

static ssize_t run_pipe(struct call *c)
{
    return sockets_pipe(adapter.sockets, c->data, 0);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the interface's signature */
static int packetdrill_pipe(void *userdata, int pipefd[2])
{
    (void)userdata;
    struct call c = {.run = run_pipe, .data = pipefd};
    return (int)adapter_call(&c);
}

static ssize_t run_splice(struct call *c)
{
    return sockets_splice(NOW, c->fd, c->other_fd, c->size, (unsigned)c->flags, &c->wait);
}

/* Neither sockets nor pipes have a place to begin at. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the interface's signature */
static ssize_t packetdrill_splice(void *userdata, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out,
                                  size_t len, unsigned int flags)
{
    (void)userdata;
    if (off_in != NULL || off_out != NULL) {
        errno = ESPIPE;
        return -1;
    }
    struct call c = {.run = run_splice, .fd = fd_in, .other_fd = fd_out, .size = len, .flags = flags};
    return adapter_call(&c);
}

void calls_fill(struct packetdrill_interface *ifc)
{
    ifc->socket = packetdrill_socket;
    ifc->bind = packetdrill_bind;
    ifc->listen = packetdrill_listen;
    ifc->accept = packetdrill_accept;
    ifc->connect = packetdrill_connect;
    ifc->read = packetdrill_read;
    ifc->readv = packetdrill_readv;
    ifc->recv = packetdrill_recv;
    ifc->recvfrom = packetdrill_recvfrom;
    ifc->recvmsg = packetdrill_recvmsg;
    ifc->write = packetdrill_write;
    ifc->writev = packetdrill_writev;
    ifc->send = packetdrill_send;
    ifc->sendto = packetdrill_sendto;
    ifc->sendmsg = packetdrill_sendmsg;
    ifc->fcntl = packetdrill_fcntl;
    ifc->ioctl = packetdrill_ioctl;
    ifc->close = packetdrill_close;
    ifc->shutdown = packetdrill_shutdown;
    ifc->getsockopt = packetdrill_getsockopt;
    ifc->setsockopt = packetdrill_setsockopt;
    ifc->poll = packetdrill_poll;
    ifc->epoll_create = packetdrill_epoll_create;
    ifc->epoll_ctl = packetdrill_epoll_ctl;
    ifc->epoll_wait = packetdrill_epoll_wait;
    ifc->pipe = packetdrill_pipe;
    ifc->splice = packetdrill_splice;
}
