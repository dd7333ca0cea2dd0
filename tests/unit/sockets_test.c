/*
 * The socket calls of sim/sockets.h over two real stacks that a wire in memory joins, in virtual time:
 * results, errors and structures of every call in the states that matter, as Linux gives them; calls that
 * block are made again as time goes on, as their contract says.
 */
#include "sim/sockets.h"

#include "drivers/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <cmocka.h>

#define MEMORY  ((size_t)8 << 20)
#define DELAY   (10 * PIPE_MILLISECOND)
#define PORT    8080
#define BUFFER  65536u
#define SECONDS PIPE_SECOND

struct world {
    struct pipe pipe;
    void *memory[2];
    estab_stack *stack[2];
    struct sockets *s[2]; /* 0 = the client's host 10.0.0.1, 1 = the server's 10.0.0.2 */
    bool cut;             /* the hook loses everything */
    uint8_t last[2048];   /* the last packet that end 0 sent */
    uint32_t last_length;
};

static struct world w;

#define CLIENT w.s[0], w.pipe.now
#define SERVER w.s[1], w.pipe.now

/* ------------------------------------------------------------------------------------------ the world */

static void hook(void *user, unsigned from, uint64_t index, struct estab_packet *packet,
                 struct pipe_fate *fate)
{
    (void)user, (void)index;
    if (from == 0 && packet->length <= sizeof w.last) {
        memcpy(w.last, packet->data, packet->length);
        w.last_length = packet->length;
    }
    if (w.cut)
        fate->copies = 0;
}

static void make_end(unsigned end)
{
    struct estab_config config;
    int error = 0;
    estab_config_init(&config);
    memset(config.secret, (int)end + 1, sizeof config.secret);
    config.send_buffer = BUFFER;
    config.receive_buffer = BUFFER;
    config.syn_timeout_ns = 5 * SECONDS;
    config.user_timeout_ns = 20 * SECONDS;
    w.memory[end] = aligned_alloc(64, MEMORY);
    assert_non_null(w.memory[end]);
    w.stack[end] = estab_init(w.memory[end], MEMORY, &config, &error, NULL);
    assert_non_null(w.stack[end]);
    w.s[end] = sockets_new(w.stack[end], NULL);
    assert_non_null(w.s[end]);
}

static int setup(void **state)
{
    (void)state;
    char error[200] = "";
    struct pipe_options options = {.delay_ns = DELAY, .hook = hook};
    memset(&w, 0, sizeof w);
    make_end(0);
    make_end(1);
    assert_int_equal(pipe_open(&w.pipe, w.stack, &options, error, sizeof error), 0);
    assert_int_equal(pipe_address(&w.pipe, 0, "10.0.0.1/24,fd00::1/64", error, sizeof error), 0);
    assert_int_equal(pipe_address(&w.pipe, 1, "10.0.0.2/24,fd00::2/64", error, sizeof error), 0);
    return 0;
}

/* Nothing may be left over: neither a connection nor, under the sanitizer, memory. */
static int teardown(void **state)
{
    (void)state;
    for (unsigned end = 0; end < 2; end++) {
        sockets_free(w.s[end]);
        assert_null(estab_check(w.stack[end]));
    }
    pipe_close(&w.pipe);
    free(w.memory[0]);
    free(w.memory[1]);
    return 0;
}

static void pass(uint64_t ns)
{
    pipe_run(&w.pipe, NULL, NULL, ns);
}

static struct sockaddr_in v4(const uint8_t host, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    const uint8_t bytes[4] = {10, 0, 0, host};
    memcpy(&in.sin_addr, bytes, 4);
    return in;
}

static struct sockaddr_in6 v6(uint8_t host, uint16_t port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    in.sin6_addr.s6_addr[0] = 0xfd;
    in.sin6_addr.s6_addr[15] = host;
    return in;
}

#define ADDRESS(in) (const struct sockaddr *)&(in), sizeof(in)

static int new_socket(unsigned end, int flags)
{
    int fd = sockets_socket(w.s[end], w.pipe.now, AF_INET, SOCK_STREAM | flags, 0);
    assert_true(fd >= 3);
    return fd;
}

static int new_listener(int flags)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int fd = new_socket(1, flags);
    assert_int_equal(sockets_bind(SERVER, fd, ADDRESS(any)), 0);
    assert_int_equal(sockets_listen(SERVER, fd, 5), 0);
    return fd;
}

static int connect_to(int fd, struct sockets_wait *wait)
{
    struct sockaddr_in to = v4(2, PORT);
    return sockets_connect(CLIENT, fd, ADDRESS(to), wait);
}

struct pair {
    int client, server, listener;
};

static struct pair connected(int flags)
{
    struct pair p = {.listener = new_listener(SOCK_NONBLOCK), .client = new_socket(0, flags)};
    assert_int_equal(connect_to(p.client, NULL), -EINPROGRESS);
    pass(5 * DELAY);
    p.server = sockets_accept(SERVER, p.listener, NULL, NULL, flags, NULL);
    assert_true(p.server >= 3);
    return p;
}

static ssize_t get(unsigned end, int fd, void *bytes, size_t length, int flags, struct sockets_wait *wait)
{
    struct iovec iov = {bytes, length};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return sockets_recvmsg(w.s[end], w.pipe.now, fd, &msg, flags, wait);
}

static ssize_t put(unsigned end, int fd, const void *bytes, size_t length, int flags,
                   struct sockets_wait *wait)
{
    struct iovec iov = {(void *)(uintptr_t)bytes, length};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return sockets_sendmsg(w.s[end], w.pipe.now, fd, &msg, flags, wait);
}

static unsigned poll_of(unsigned end, int fd)
{
    struct pollfd pfd = {.fd = fd, .events = -1};
    sockets_poll(w.s[end], w.pipe.now, &pfd, 1, 0, NULL);
    return (unsigned short)pfd.revents;
}

static int int_option(unsigned end, int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    int result = sockets_getsockopt(w.s[end], w.pipe.now, fd, level, name, &value, &length);
    return result < 0 ? result : value;
}

static int set_int(unsigned end, int fd, int level, int name, int value)
{
    return sockets_setsockopt(w.s[end], w.pipe.now, fd, level, name, &value, sizeof value);
}

static int so_error(unsigned end, int fd)
{
    return int_option(end, fd, SOL_SOCKET, SO_ERROR);
}

static void set_timeout(unsigned end, int fd, int name, long ms)
{
    struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    assert_int_equal(sockets_setsockopt(w.s[end], w.pipe.now, fd, SOL_SOCKET, name, &time, sizeof time), 0);
}

#define IN_  (POLLIN | POLLRDNORM)
#define OUT_ (POLLOUT | POLLWRNORM)

/* -------------------------------------------------------------------------------- descriptors, socket() */

static void socket_kind_errors(void **state)
{
    (void)state;
    assert_int_equal(sockets_socket(CLIENT, AF_UNIX, SOCK_STREAM, 0), -EAFNOSUPPORT);
    assert_int_equal(sockets_socket(CLIENT, AF_INET, SOCK_DGRAM, 0), -ESOCKTNOSUPPORT);
    assert_int_equal(sockets_socket(CLIENT, AF_INET, SOCK_DGRAM, IPPROTO_TCP), -EPROTONOSUPPORT);
    assert_int_equal(sockets_socket(CLIENT, AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
    assert_int_equal(sockets_socket(CLIENT, AF_INET, SOCK_STREAM, -1), -EINVAL);
    assert_int_equal(sockets_socket(CLIENT, AF_INET, 99, 0), -EINVAL);
    assert_int_equal(sockets_socket(CLIENT, AF_INET6, SOCK_STREAM, IPPROTO_TCP), 3);
    assert_int_equal(int_option(0, 3, SOL_SOCKET, SO_DOMAIN), AF_INET6);
    assert_int_equal(int_option(0, 3, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    assert_int_equal(int_option(0, 3, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
}

static void descriptors_are_the_lowest_free(void **state)
{
    (void)state;
    assert_int_equal(new_socket(0, 0), 3);
    assert_int_equal(new_socket(0, SOCK_NONBLOCK), 4);
    assert_int_equal(new_socket(0, SOCK_CLOEXEC), 5);
    assert_int_equal(sockets_close(CLIENT, 4, NULL), 0);
    assert_int_equal(sockets_close(CLIENT, 4, NULL), -EBADF);
    int fds[2];
    assert_int_equal(sockets_pipe(w.s[0], fds, 0), 0);
    assert_int_equal(fds[0], 4);
    assert_int_equal(fds[1], 6);
    assert_int_equal(sockets_fcntl(CLIENT, 3, F_DUPFD, 10), 10);
    assert_int_equal(sockets_fcntl(CLIENT, 3, F_DUPFD, 0), 7);
    assert_int_equal(sockets_fcntl(CLIENT, 3, F_DUPFD, -1), -EINVAL);
    assert_int_equal(sockets_fcntl(CLIENT, 5, F_GETFD, 0), FD_CLOEXEC);
    assert_int_equal(sockets_fcntl(CLIENT, 3, F_DUPFD_CLOEXEC, 0), 8);
    assert_int_equal(sockets_fcntl(CLIENT, 8, F_GETFD, 0), FD_CLOEXEC);
    assert_int_equal(sockets_fcntl(CLIENT, 8, F_SETFD, 0), 0);
    assert_int_equal(sockets_fcntl(CLIENT, 8, F_GETFD, 0), 0);
    assert_int_equal(sockets_fcntl(CLIENT, 99, F_GETFD, 0), -EBADF);
    assert_int_equal(sockets_fcntl(CLIENT, 3, 12345, 0), -EINVAL);
    assert_int_equal(sockets_check_socket(w.s[0], 4), -ENOTSOCK);
    assert_int_equal(sockets_check_socket(w.s[0], 40), -EBADF);
    assert_int_equal(sockets_check_socket(w.s[0], 3), 0);
    assert_true(sockets_conn(w.s[0], 3) != 0 && sockets_conn(w.s[0], 4) == 0);
}

/* A duplicate shares the description: its flags, and the connection, which lives until both are closed. */
static void duplicate_shares_the_description(void **state)
{
    (void)state;
    struct pair p = connected(0);
    int copy = sockets_fcntl(CLIENT, p.client, F_DUPFD, 0);
    assert_int_equal(sockets_fcntl(CLIENT, copy, F_GETFL, 0), O_RDWR);
    assert_int_equal(sockets_fcntl(CLIENT, p.client, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    assert_int_equal(sockets_fcntl(CLIENT, copy, F_GETFL, 0), O_RDWR | O_NONBLOCK);
    assert_int_equal(sockets_close(CLIENT, p.client, NULL), 0);
    assert_int_equal(put(0, copy, "x", 1, 0, NULL), 1);
    pass(5 * DELAY);
    char byte = 0;
    assert_int_equal(get(1, p.server, &byte, 1, 0, NULL), 1);
    assert_int_equal(sockets_close(CLIENT, copy, NULL), 0);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, &byte, 1, 0, NULL), 0);
}

static void descriptors_run_out(void **state)
{
    (void)state;
    int fds[2] = {-1, -1};
    unsigned pipes = 0;
    while (sockets_pipe(w.s[0], fds, 0) == 0)
        pipes++;
    assert_int_equal(pipes, (1024 - 3) / 2);
    assert_int_equal(sockets_pipe(w.s[0], fds, 0), -EMFILE); /* one is free, two are needed */
    assert_int_equal(sockets_epoll_create(w.s[0], 0), 1023);
    assert_int_equal(sockets_socket(CLIENT, AF_INET, SOCK_STREAM, 0), -EMFILE);
}

/* -------------------------------------------------------------------------------- bind, listen, accept */

static void bind_errors(void **state)
{
    (void)state;
    int fd = new_socket(1, 0);
    struct sockaddr_in own = v4(2, PORT), other = v4(9, PORT);
    struct sockaddr_in6 six = v6(2, PORT);
    assert_int_equal(sockets_bind(SERVER, fd, NULL, 16), -EFAULT);
    assert_int_equal(sockets_bind(SERVER, fd, (struct sockaddr *)&own, 8), -EINVAL);
    assert_int_equal(sockets_bind(SERVER, fd, ADDRESS(six)), -EAFNOSUPPORT);
    assert_int_equal(sockets_bind(SERVER, fd, ADDRESS(other)), -EADDRNOTAVAIL);
    assert_int_equal(sockets_bind(SERVER, 99, ADDRESS(own)), -EBADF);
    assert_int_equal(sockets_bind(SERVER, fd, ADDRESS(own)), 0);
    assert_int_equal(sockets_bind(SERVER, fd, ADDRESS(own)), -EINVAL);
    int second = new_socket(1, 0);
    assert_int_equal(sockets_bind(SERVER, second, ADDRESS(own)), -EADDRINUSE);
    own.sin_port = 0;
    assert_int_equal(sockets_bind(SERVER, second, ADDRESS(own)), 0);
    socklen_t length = sizeof own;
    assert_int_equal(sockets_getsockname(w.s[1], second, (struct sockaddr *)&own, &length), 0);
    assert_true(ntohs(own.sin_port) >= 1024);
}

static void bind_any_address_port_0_gives_one_port(void **state)
{
    (void)state;
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fds[2] = {new_socket(1, 0), new_socket(1, 0)};
    uint16_t ports[2];
    for (unsigned i = 0; i < 2; i++) {
        any.sin_port = 0;
        assert_int_equal(sockets_bind(SERVER, fds[i], ADDRESS(any)), 0);
        socklen_t length = sizeof any;
        assert_int_equal(sockets_getsockname(w.s[1], fds[i], (struct sockaddr *)&any, &length), 0);
        ports[i] = ntohs(any.sin_port);
    }
    assert_true(ports[0] >= 1024 && ports[1] >= 1024 && ports[0] != ports[1]);
}

static void listen_errors(void **state)
{
    (void)state;
    struct pair p = connected(0);
    assert_int_equal(sockets_listen(CLIENT, p.client, 5), -EINVAL);
    assert_int_equal(sockets_listen(SERVER, p.listener, 1), 0); /* again: another backlog */
    assert_int_equal(int_option(1, p.listener, SOL_SOCKET, SO_ACCEPTCONN), 1);
    assert_int_equal(int_option(0, p.client, SOL_SOCKET, SO_ACCEPTCONN), 0);
    int fd = new_socket(1, 0);
    assert_int_equal(sockets_listen(SERVER, fd, -1), 0); /* not bound: takes a port of its own */
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    assert_int_equal(sockets_getsockname(w.s[1], fd, (struct sockaddr *)&name, &length), 0);
    assert_true(name.sin_port != 0);
    assert_int_equal(connect_to(p.client, NULL), 0);
    struct sockaddr_in to = v4(1, 1);
    assert_int_equal(sockets_connect(SERVER, fd, ADDRESS(to), NULL), -EISCONN);
}

static void accept_errors_and_flags(void **state)
{
    (void)state;
    int listener = new_listener(SOCK_NONBLOCK);
    int plain = new_socket(1, 0);
    assert_int_equal(sockets_accept(SERVER, listener, NULL, NULL, 0, NULL), -EAGAIN);
    assert_int_equal(sockets_accept(SERVER, plain, NULL, NULL, 0, NULL), -EINVAL);
    assert_int_equal(sockets_accept(SERVER, listener, NULL, NULL, 1, NULL), -EINVAL);
    assert_int_equal(sockets_accept(SERVER, 77, NULL, NULL, 0, NULL), -EBADF);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(connect_to(new_socket(0, SOCK_NONBLOCK), NULL), -EINPROGRESS);
    pass(5 * DELAY);
    assert_int_equal(poll_of(1, listener), IN_);
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    int fd = sockets_accept(SERVER, listener, (struct sockaddr *)&from, &length, 0, NULL);
    assert_int_equal(length, sizeof from);
    struct sockaddr_in client = v4(1, 0);
    assert_memory_equal(&from.sin_addr, &client.sin_addr, 4);
    assert_int_equal(sockets_fcntl(SERVER, fd, F_GETFL, 0), O_RDWR); /* O_NONBLOCK is not inherited */
    fd = sockets_accept(SERVER, listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC, NULL);
    assert_int_equal(sockets_fcntl(SERVER, fd, F_GETFL, 0), O_RDWR | O_NONBLOCK);
    assert_int_equal(sockets_fcntl(SERVER, fd, F_GETFD, 0), FD_CLOEXEC);
    assert_int_equal(poll_of(1, listener), 0);
}

static void accept_blocks_until_one_comes_or_time_is_over(void **state)
{
    (void)state;
    int listener = new_listener(0);
    struct sockets_wait wait = {0};
    assert_int_equal(sockets_accept(SERVER, listener, NULL, NULL, 0, &wait), SOCKETS_BLOCKED);
    assert_true(sockets_deadline(w.s[1], &wait) == UINT64_MAX);
    assert_int_equal(connect_to(new_socket(0, SOCK_NONBLOCK), NULL), -EINPROGRESS);
    pass(5 * DELAY);
    assert_true(sockets_accept(SERVER, listener, NULL, NULL, 0, &wait) > listener);
    set_timeout(1, listener, SO_RCVTIMEO, 300);
    wait = (struct sockets_wait){0};
    uint64_t begin = w.pipe.now;
    assert_int_equal(sockets_accept(SERVER, listener, NULL, NULL, 0, &wait), SOCKETS_BLOCKED);
    assert_true(sockets_deadline(w.s[1], &wait) == begin + 300 * PIPE_MILLISECOND);
    pass(299 * PIPE_MILLISECOND);
    assert_int_equal(sockets_accept(SERVER, listener, NULL, NULL, 0, &wait), SOCKETS_BLOCKED);
    pass(1 * PIPE_MILLISECOND);
    assert_int_equal(sockets_accept(SERVER, listener, NULL, NULL, 0, &wait), -EAGAIN);
}

/* ------------------------------------------------------------------------------------------- connect() */

static void connect_nonblocking_goes_by_its_phases(void **state)
{
    (void)state;
    new_listener(0);
    int fd = new_socket(0, SOCK_NONBLOCK);
    assert_int_equal(poll_of(0, fd), OUT_ | POLLHUP);
    assert_int_equal(connect_to(fd, NULL), -EINPROGRESS);
    assert_int_equal(poll_of(0, fd), 0);
    assert_int_equal(connect_to(fd, NULL), -EALREADY);
    char byte = 'x';
    assert_int_equal(put(0, fd, &byte, 1, 0, NULL), -EAGAIN);
    assert_int_equal(get(0, fd, &byte, 1, 0, NULL), -EAGAIN);
    pass(5 * DELAY);
    assert_int_equal(poll_of(0, fd), OUT_);
    assert_int_equal(so_error(0, fd), 0);
    assert_int_equal(connect_to(fd, NULL), 0);
    assert_int_equal(connect_to(fd, NULL), -EISCONN);
}

static void connect_address_errors(void **state)
{
    (void)state;
    int fd = new_socket(0, SOCK_NONBLOCK);
    struct sockaddr_in to = v4(2, PORT);
    struct sockaddr_in6 six = v6(2, PORT);
    assert_int_equal(sockets_connect(CLIENT, fd, NULL, sizeof to, NULL), -EFAULT);
    assert_int_equal(sockets_connect(CLIENT, fd, (struct sockaddr *)&to, 1, NULL), -EINVAL);
    assert_int_equal(sockets_connect(CLIENT, fd, (struct sockaddr *)&to, 8, NULL), -EINVAL);
    assert_int_equal(sockets_connect(CLIENT, fd, ADDRESS(six), NULL), -EAFNOSUPPORT);
    to.sin_addr.s_addr = htonl(0xc0000201);
    assert_int_equal(sockets_connect(CLIENT, fd, ADDRESS(to), NULL), -ENETUNREACH);
    assert_int_equal(connect_to(fd, NULL), -EINPROGRESS); /* none of it has harmed the socket */
}

static void connect_refused_nonblocking(void **state)
{
    (void)state;
    int fd = new_socket(0, SOCK_NONBLOCK);
    assert_int_equal(connect_to(fd, NULL), -EINPROGRESS);
    pass(5 * DELAY);
    assert_int_equal(poll_of(0, fd), IN_ | OUT_ | POLLERR | POLLHUP | POLLRDHUP);
    assert_int_equal(so_error(0, fd), ECONNREFUSED);
    assert_int_equal(so_error(0, fd), 0);
    assert_int_equal(poll_of(0, fd), IN_ | OUT_ | POLLHUP | POLLRDHUP);
    char byte;
    assert_int_equal(get(0, fd, &byte, 1, 0, NULL), 0);
    assert_int_equal(put(0, fd, "x", 1, 0, NULL), -EPIPE);
    assert_int_equal(connect_to(fd, NULL), -ECONNABORTED);
    new_listener(0);
    assert_int_equal(connect_to(fd, NULL), -EINPROGRESS);
    pass(5 * DELAY);
    assert_int_equal(connect_to(fd, NULL), 0);
}

static void connect_refused_error_is_told_by_the_next_call(void **state)
{
    (void)state;
    int fds[3];
    char byte;
    for (unsigned i = 0; i < 3; i++) {
        fds[i] = new_socket(0, SOCK_NONBLOCK);
        assert_int_equal(connect_to(fds[i], NULL), -EINPROGRESS);
    }
    pass(5 * DELAY);
    assert_int_equal(connect_to(fds[0], NULL), -ECONNREFUSED);
    assert_int_equal(get(0, fds[1], &byte, 1, 0, NULL), -ECONNREFUSED);
    assert_int_equal(get(0, fds[1], &byte, 1, 0, NULL), 0);
    assert_int_equal(put(0, fds[2], "x", 1, 0, NULL), -ECONNREFUSED);
    assert_int_equal(put(0, fds[2], "x", 1, 0, NULL), -EPIPE);
}

static void connect_blocking_succeeds_or_is_refused(void **state)
{
    (void)state;
    int fd = new_socket(0, 0);
    struct sockets_wait wait = {0};
    assert_int_equal(connect_to(fd, &wait), SOCKETS_BLOCKED);
    pass(5 * DELAY);
    assert_int_equal(connect_to(fd, &wait), -ECONNREFUSED);
    assert_int_equal(so_error(0, fd), 0);
    new_listener(0);
    wait = (struct sockets_wait){0};
    assert_int_equal(connect_to(fd, &wait), SOCKETS_BLOCKED);
    assert_int_equal(connect_to(fd, &wait), SOCKETS_BLOCKED);
    pass(5 * DELAY);
    assert_int_equal(connect_to(fd, &wait), 0);
    assert_int_equal(connect_to(fd, NULL), -EISCONN);
}

static void connect_times_out(void **state)
{
    (void)state;
    int fd = new_socket(0, 0), hasty = new_socket(0, 0);
    struct sockets_wait wait = {0}, soon = {0};
    w.cut = true;
    set_timeout(0, hasty, SO_SNDTIMEO, 200);
    assert_int_equal(connect_to(fd, &wait), SOCKETS_BLOCKED);
    assert_int_equal(connect_to(hasty, &soon), SOCKETS_BLOCKED);
    pass(200 * PIPE_MILLISECOND);
    assert_int_equal(connect_to(hasty, &soon), -EINPROGRESS);
    soon = (struct sockets_wait){0};
    assert_int_equal(connect_to(hasty, &soon), SOCKETS_BLOCKED);
    pass(200 * PIPE_MILLISECOND);
    assert_int_equal(connect_to(fd, &wait), SOCKETS_BLOCKED);
    pass(10 * SECONDS);
    assert_int_equal(connect_to(fd, &wait), -ETIMEDOUT);
}

static void connect_unspec_makes_the_socket_new(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    struct sockaddr_in none = {.sin_family = AF_UNSPEC};
    assert_int_equal(sockets_connect(CLIENT, p.client, ADDRESS(none), NULL), 0);
    pass(5 * DELAY);
    char byte;
    assert_int_equal(get(1, p.server, &byte, 1, 0, NULL), -ECONNRESET); /* a RST told the peer */
    assert_int_equal(so_error(0, p.client), ECONNRESET);
    assert_int_equal(poll_of(0, p.client), OUT_ | POLLHUP);
    assert_int_equal(connect_to(p.client, NULL), -EINPROGRESS);
}

static void bound_port_survives_a_refused_connect(void **state)
{
    (void)state;
    int fd = new_socket(0, 0);
    struct sockaddr_in own = v4(1, 4242), name;
    struct sockets_wait wait = {0};
    assert_int_equal(set_int(0, fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    assert_int_equal(sockets_bind(CLIENT, fd, ADDRESS(own)), 0);
    assert_int_equal(connect_to(fd, &wait), SOCKETS_BLOCKED);
    pass(5 * DELAY);
    assert_int_equal(connect_to(fd, &wait), -ECONNREFUSED);
    socklen_t length = sizeof name;
    assert_int_equal(sockets_getsockname(w.s[0], fd, (struct sockaddr *)&name, &length), 0);
    assert_int_equal(ntohs(name.sin_port), 4242);
    uint64_t nodelay = 0;
    assert_int_equal(estab_get(w.stack[0], sockets_conn(w.s[0], fd), ESTAB_OPTION_NODELAY, &nodelay), 0);
    assert_int_equal(nodelay, 1); /* what was set before has reached the new record */
}

/* ------------------------------------------------------------------------------------------- addresses */

static void names_of_both_ends(void **state)
{
    (void)state;
    struct pair p = connected(0);
    struct sockaddr_in name, server = v4(2, PORT);
    socklen_t length = sizeof name;
    assert_int_equal(sockets_getpeername(w.s[0], p.client, (struct sockaddr *)&name, &length), 0);
    assert_memory_equal(&name, &server, sizeof name);
    assert_int_equal(sockets_getsockname(w.s[1], p.server, (struct sockaddr *)&name, &length), 0);
    assert_memory_equal(&name, &server, sizeof name);
    uint8_t cut[4] = {0xaa, 0xaa, 0xaa, 0xaa};
    length = 2;
    assert_int_equal(sockets_getsockname(w.s[1], p.server, (struct sockaddr *)(void *)cut, &length), 0);
    assert_int_equal(length, sizeof name);
    assert_int_equal(cut[2], 0xaa);
    assert_int_equal(sockets_getsockname(w.s[1], p.server, NULL, &length), -EFAULT);
    length = (socklen_t)-1;
    assert_int_equal(sockets_getsockname(w.s[1], p.server, (struct sockaddr *)&name, &length), -EINVAL);
    int fd = new_socket(0, 0);
    length = sizeof name;
    assert_int_equal(sockets_getpeername(w.s[0], fd, (struct sockaddr *)&name, &length), -ENOTCONN);
    assert_int_equal(sockets_getsockname(w.s[0], fd, (struct sockaddr *)&name, &length), 0);
    assert_int_equal(name.sin_family, AF_INET);
    assert_int_equal(name.sin_port, 0);
}

static int new_v6_listener(bool only)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    int fd = sockets_socket(SERVER, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(set_int(1, fd, IPPROTO_IPV6, IPV6_V6ONLY, only), 0);
    assert_int_equal(sockets_bind(SERVER, fd, ADDRESS(any)), 0);
    assert_int_equal(set_int(1, fd, IPPROTO_IPV6, IPV6_V6ONLY, only), -EINVAL);
    assert_int_equal(sockets_listen(SERVER, fd, 5), 0);
    return fd;
}

static void v6_listener_takes_both_families(void **state)
{
    (void)state;
    int listener = new_v6_listener(false);
    int four = new_socket(0, SOCK_NONBLOCK);
    int six = sockets_socket(CLIENT, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in6 to = v6(2, PORT), from;
    socklen_t length = sizeof from;
    assert_int_equal(connect_to(four, NULL), -EINPROGRESS);
    pass(5 * DELAY);
    assert_true(sockets_accept(SERVER, listener, (struct sockaddr *)&from, &length, 0, NULL) > listener);
    assert_true(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
    assert_int_equal(sockets_connect(CLIENT, six, ADDRESS(to), NULL), -EINPROGRESS);
    pass(5 * DELAY);
    assert_true(sockets_accept(SERVER, listener, (struct sockaddr *)&from, &length, 0, NULL) > listener);
    struct sockaddr_in6 client = v6(1, 0);
    assert_memory_equal(&from.sin6_addr, &client.sin6_addr, 16);
}

static void v6_only_takes_one_family(void **state)
{
    (void)state;
    int listener = new_v6_listener(true);
    int four = new_socket(0, SOCK_NONBLOCK);
    assert_int_equal(connect_to(four, NULL), -EINPROGRESS);
    pass(5 * DELAY);
    assert_int_equal(sockets_accept(SERVER, listener, NULL, NULL, 0, NULL), -EAGAIN);
    pass(5 * DELAY);
    char byte;
    assert_int_equal(get(0, four, &byte, 1, 0, NULL), -ECONNRESET);
    int six = sockets_socket(CLIENT, AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(set_int(0, six, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    const uint8_t bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2};
    memcpy(&mapped.sin6_addr, bytes, 16);
    assert_int_equal(sockets_connect(CLIENT, six, ADDRESS(mapped), NULL), -ENETUNREACH);
    assert_int_equal(sockets_bind(CLIENT, six, ADDRESS(mapped)), -EINVAL);
}

static void mapped_address_on_a_v6_socket_is_v4(void **state)
{
    (void)state;
    new_listener(0);
    int fd = sockets_socket(CLIENT, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)}, name;
    const uint8_t bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2};
    socklen_t length = sizeof name;
    memcpy(&mapped.sin6_addr, bytes, 16);
    assert_int_equal(sockets_connect(CLIENT, fd, ADDRESS(mapped), NULL), -EINPROGRESS);
    pass(5 * DELAY);
    assert_int_equal(sockets_getpeername(w.s[0], fd, (struct sockaddr *)&name, &length), 0);
    assert_memory_equal(&name, &mapped, sizeof name);
}

/* --------------------------------------------------------------------------------------------- receive */

static void receive_what_is_there(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    char bytes[16] = "";
    assert_int_equal(get(1, p.server, bytes, 16, 0, NULL), -EAGAIN);
    assert_int_equal(put(0, p.client, "abcdefgh", 8, 0, NULL), 8);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, bytes, 3, MSG_PEEK, NULL), 3);
    assert_int_equal(get(1, p.server, bytes, 3, 0, NULL), 3);
    assert_memory_equal(bytes, "abc", 3);
    assert_int_equal(get(1, p.server, NULL, 2, MSG_TRUNC, NULL), 2); /* thrown away */
    assert_int_equal(get(1, p.server, bytes, 0, 0, NULL), 0);
    struct iovec iov[3] = {{bytes, 1}, {bytes + 1, 0}, {bytes + 8, 8}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 3, .msg_namelen = 9, .msg_flags = 9};
    assert_int_equal(sockets_recvmsg(SERVER, p.server, &msg, 0, NULL), 3);
    assert_int_equal(bytes[0], 'f');
    assert_memory_equal(bytes + 8, "gh", 2);
    assert_int_equal(msg.msg_namelen, 0);
    assert_int_equal(msg.msg_flags, 0);
    assert_int_equal(get(1, p.server, bytes, 1, MSG_ERRQUEUE, NULL), -EAGAIN);
    assert_int_equal(sockets_close(CLIENT, p.client, NULL), 0);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, bytes, 16, 0, NULL), 0);
    assert_int_equal(get(1, p.server, bytes, 16, 0, NULL), 0);
}

static void receive_argument_errors(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    struct iovec lost = {NULL, 4}, fine = {&lost, 4};
    struct msghdr msg = {.msg_iov = &lost, .msg_iovlen = 1};
    assert_int_equal(sockets_recvmsg(SERVER, p.server, NULL, 0, NULL), -EFAULT);
    assert_int_equal(sockets_recvmsg(SERVER, p.server, &msg, 0, NULL), -EFAULT);
    assert_int_equal(sockets_sendmsg(SERVER, p.server, &msg, 0, NULL), -EFAULT);
    msg = (struct msghdr){.msg_iov = &fine, .msg_iovlen = 1025};
    assert_int_equal(sockets_recvmsg(SERVER, p.server, &msg, 0, NULL), -EMSGSIZE);
    assert_int_equal(get(1, 99, &lost, 1, 0, NULL), -EBADF);
    char byte;
    assert_int_equal(get(1, p.listener, &byte, 1, 0, NULL), -ENOTCONN);
    assert_int_equal(get(1, new_socket(1, 0), &byte, 1, 0, NULL), -ENOTCONN);
    assert_int_equal(put(1, p.listener, &byte, 1, 0, NULL), -EPIPE);
    assert_int_equal(put(1, new_socket(1, 0), &byte, 1, 0, NULL), -EPIPE);
    assert_int_equal(put(1, p.server, &byte, 1, MSG_FASTOPEN, NULL), -EOPNOTSUPP);
}

static void receive_waits_for_bytes_or_its_time(void **state)
{
    (void)state;
    struct pair p = connected(0);
    char bytes[8] = "";
    struct sockets_wait wait = {0};
    assert_int_equal(get(1, p.server, bytes, 8, MSG_DONTWAIT, &wait), -EAGAIN);
    assert_int_equal(get(1, p.server, bytes, 8, 0, &wait), SOCKETS_BLOCKED);
    assert_int_equal(put(0, p.client, "ab", 2, 0, NULL), 2);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, bytes, 8, 0, &wait), 2);
    set_timeout(1, p.server, SO_RCVTIMEO, 50);
    wait = (struct sockets_wait){0};
    assert_int_equal(get(1, p.server, bytes, 8, 0, &wait), SOCKETS_BLOCKED);
    pass(50 * PIPE_MILLISECOND);
    assert_int_equal(get(1, p.server, bytes, 8, 0, &wait), -EAGAIN);
}

static void receive_waitall_keeps_its_progress(void **state)
{
    (void)state;
    struct pair p = connected(0);
    char bytes[8] = "";
    struct sockets_wait wait = {0};
    assert_int_equal(put(0, p.client, "ab", 2, 0, NULL), 2);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, bytes, 6, MSG_WAITALL, &wait), SOCKETS_BLOCKED);
    assert_int_equal(wait.progress, 2);
    assert_int_equal(put(0, p.client, "cdefg", 5, 0, NULL), 5);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, bytes, 6, MSG_WAITALL, &wait), 6);
    assert_memory_equal(bytes, "abcdef", 6);
    wait = (struct sockets_wait){0};
    assert_int_equal(get(1, p.server, bytes, 6, MSG_WAITALL, &wait), SOCKETS_BLOCKED);
    assert_int_equal(sockets_close(CLIENT, p.client, NULL), 0);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, bytes, 6, MSG_WAITALL, &wait), 1); /* the end is an answer too */
    assert_int_equal(bytes[0], 'g');
}

static void receive_low_water_mark(void **state)
{
    (void)state;
    struct pair p = connected(0);
    char bytes[8];
    struct sockets_wait wait = {0};
    assert_int_equal(set_int(1, p.server, SOL_SOCKET, SO_RCVLOWAT, 4), 0);
    assert_int_equal(put(0, p.client, "abc", 3, 0, NULL), 3);
    pass(5 * DELAY);
    assert_int_equal(poll_of(1, p.server), OUT_);
    assert_int_equal(get(1, p.server, bytes, 8, 0, &wait), SOCKETS_BLOCKED);
    assert_int_equal(put(0, p.client, "d", 1, 0, NULL), 1);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, bytes, 8, 0, &wait), 4);
    assert_memory_equal(bytes, "abcd", 4);
}

/* ------------------------------------------------------------------------------------------------ send */

static void send_nonblocking_takes_what_fits(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    static uint8_t bytes[4 * BUFFER];
    w.cut = true;
    assert_int_equal(put(0, p.client, bytes, sizeof bytes, 0, NULL), BUFFER);
    assert_int_equal(put(0, p.client, bytes, 1, 0, NULL), -EAGAIN);
    assert_int_equal(poll_of(0, p.client), 0);
    int queued = 0;
    assert_int_equal(sockets_ioctl(CLIENT, p.client, SIOCOUTQ, &queued), 0);
    assert_int_equal(queued, BUFFER);
    assert_int_equal(sockets_ioctl(CLIENT, p.client, SIOCOUTQNSD, &queued), 0);
    assert_int_equal(queued, BUFFER);
}

static void send_blocking_writes_all_of_it(void **state)
{
    (void)state;
    struct pair p = connected(0);
    static uint8_t bytes[5 * BUFFER], back[BUFFER];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    struct sockets_wait wait = {0};
    ssize_t sent = SOCKETS_BLOCKED;
    size_t got = 0;
    for (unsigned round = 0; got < sizeof bytes && round < 1000; round++) {
        if (sent == SOCKETS_BLOCKED)
            sent = put(0, p.client, bytes, sizeof bytes, 0, &wait);
        pass(2 * DELAY);
        ssize_t n = get(1, p.server, back, sizeof back, MSG_DONTWAIT, NULL);
        if (n > 0) {
            assert_memory_equal(back, bytes + got, (size_t)n);
            got += (size_t)n;
        }
    }
    assert_int_equal(sent, sizeof bytes);
    assert_int_equal(got, sizeof bytes);
}

static void send_timeout_tells_what_went(void **state)
{
    (void)state;
    struct pair p = connected(0);
    static uint8_t bytes[2 * BUFFER];
    struct sockets_wait wait = {0};
    w.cut = true;
    set_timeout(0, p.client, SO_SNDTIMEO, 100);
    assert_int_equal(put(0, p.client, bytes, sizeof bytes, 0, &wait), SOCKETS_BLOCKED);
    pass(100 * PIPE_MILLISECOND);
    assert_int_equal(put(0, p.client, bytes, sizeof bytes, 0, &wait), BUFFER);
    wait = (struct sockets_wait){0};
    assert_int_equal(put(0, p.client, bytes, 1, 0, &wait), SOCKETS_BLOCKED);
    pass(100 * PIPE_MILLISECOND);
    assert_int_equal(put(0, p.client, bytes, 1, 0, &wait), -EAGAIN);
}

static void send_in_syn_sent_waits_for_the_handshake(void **state)
{
    (void)state;
    new_listener(0);
    int fd = new_socket(0, SOCK_NONBLOCK);
    assert_int_equal(connect_to(fd, NULL), -EINPROGRESS);
    assert_int_equal(sockets_fcntl(CLIENT, fd, F_SETFL, 0), 0);
    struct sockets_wait wait = {0};
    assert_int_equal(put(0, fd, "abc", 3, 0, &wait), SOCKETS_BLOCKED);
    pass(5 * DELAY);
    assert_int_equal(put(0, fd, "abc", 3, 0, &wait), 3);
}

/* ----------------------------------------------------------------------------------- resets, shutdown */

static void abort_of(unsigned end, int fd)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(sockets_setsockopt(w.s[end], w.pipe.now, fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard),
                     0);
    assert_int_equal(sockets_close(w.s[end], w.pipe.now, fd, NULL), 0);
    pass(5 * DELAY);
}

static void reset_is_told_once(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    char byte;
    abort_of(0, p.client);
    assert_int_equal(poll_of(1, p.server), IN_ | OUT_ | POLLERR | POLLHUP | POLLRDHUP);
    assert_int_equal(get(1, p.server, &byte, 1, MSG_PEEK, NULL), -ECONNRESET);
    assert_int_equal(get(1, p.server, &byte, 1, 0, NULL), 0);
    assert_int_equal(put(1, p.server, "x", 1, 0, NULL), -EPIPE);
    assert_int_equal(so_error(1, p.server), 0);
    assert_int_equal(sockets_shutdown(SERVER, p.server, SHUT_RDWR), -ENOTCONN);
}

static void reset_is_told_by_a_send(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    abort_of(0, p.client);
    assert_int_equal(put(1, p.server, "x", 1, 0, NULL), -ECONNRESET);
    assert_int_equal(put(1, p.server, "x", 1, 0, NULL), -EPIPE);
}

/* In CLOSE-WAIT Linux makes EPIPE of it; the end of the peer's bytes was seen, so a read still says so. */
static void reset_in_close_wait_is_epipe(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    char byte;
    assert_int_equal(sockets_shutdown(CLIENT, p.client, SHUT_WR), 0);
    pass(5 * DELAY);
    assert_int_equal(poll_of(1, p.server), IN_ | OUT_ | POLLRDHUP);
    abort_of(0, p.client);
    assert_int_equal(get(1, p.server, &byte, 1, 0, NULL), 0);
    assert_int_equal(so_error(1, p.server), EPIPE);
}

static void blocked_calls_learn_of_a_reset(void **state)
{
    (void)state;
    struct pair p = connected(0);
    char byte;
    struct sockets_wait reading = {0};
    assert_int_equal(get(1, p.server, &byte, 1, 0, &reading), SOCKETS_BLOCKED);
    abort_of(0, p.client);
    assert_int_equal(get(1, p.server, &byte, 1, 0, &reading), -ECONNRESET);
}

static void blocked_write_that_is_reset_tells_its_bytes_first(void **state)
{
    (void)state;
    struct pair p = connected(0);
    static uint8_t bytes[8 * BUFFER];
    struct sockets_wait wait = {0};
    assert_int_equal(put(1, p.server, bytes, sizeof bytes, 0, &wait), SOCKETS_BLOCKED);
    abort_of(0, p.client);
    ssize_t sent = put(1, p.server, bytes, sizeof bytes, 0, &wait);
    assert_int_equal(sent, BUFFER);
    assert_int_equal(put(1, p.server, bytes, 1, 0, NULL), -ECONNRESET);
}

static void shutdown_by_state(void **state)
{
    (void)state;
    int fresh = new_socket(0, 0);
    assert_int_equal(sockets_shutdown(CLIENT, fresh, SHUT_WR), -ENOTCONN);
    assert_int_equal(sockets_shutdown(CLIENT, fresh, 3), -EINVAL);
    struct pair p = connected(SOCK_NONBLOCK);
    char byte;
    assert_int_equal(put(0, p.client, "z", 1, 0, NULL), 1);
    assert_int_equal(sockets_shutdown(CLIENT, p.client, SHUT_WR), 0);
    assert_int_equal(sockets_shutdown(CLIENT, p.client, SHUT_WR), 0);
    assert_int_equal(put(0, p.client, "x", 1, 0, NULL), -EPIPE);
    assert_int_equal(poll_of(0, p.client), OUT_);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, &byte, 1, 0, NULL), 1);
    assert_int_equal(get(1, p.server, &byte, 1, 0, NULL), 0);
    assert_int_equal(put(1, p.server, "y", 1, 0, NULL), 1); /* half closed: the other way is open */
    pass(5 * DELAY);
    assert_int_equal(get(0, p.client, &byte, 1, 0, NULL), 1);
    assert_int_equal(sockets_shutdown(SERVER, p.server, SHUT_WR), 0);
    pass(5 * DELAY);
    assert_int_equal(poll_of(0, p.client), IN_ | OUT_ | POLLHUP | POLLRDHUP); /* TIME-WAIT: closed to it */
    assert_int_equal(poll_of(1, p.server), IN_ | OUT_ | POLLHUP | POLLRDHUP);
    assert_int_equal(sockets_shutdown(CLIENT, p.client, SHUT_RDWR), -ENOTCONN);
}

static void shutdown_of_reading_ends_reads(void **state)
{
    (void)state;
    struct pair p = connected(0);
    char byte;
    assert_int_equal(sockets_shutdown(SERVER, p.server, SHUT_RD), 0);
    assert_int_equal(get(1, p.server, &byte, 1, 0, &(struct sockets_wait){0}), 0);
    assert_int_equal(poll_of(1, p.server), IN_ | OUT_ | POLLRDHUP);
    assert_int_equal(put(0, p.client, "q", 1, 0, NULL), 1);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, &byte, 1, 0, NULL), 1); /* Linux hands up what comes all the same */
}

/* RFC 9293 3.10.4 deletes the connection in SYN-SENT: a program of Linux's sees a reset. */
static void shutdown_in_syn_sent(void **state)
{
    (void)state;
    int fd = new_socket(0, SOCK_NONBLOCK);
    w.cut = true;
    assert_int_equal(connect_to(fd, NULL), -EINPROGRESS);
    assert_int_equal(sockets_shutdown(CLIENT, fd, SHUT_WR), 0);
    assert_int_equal(poll_of(0, fd), OUT_ | POLLERR | POLLHUP);
    assert_int_equal(so_error(0, fd), ECONNRESET);
    assert_int_equal(connect_to(fd, NULL), -EINPROGRESS);
}

static void shutdown_of_a_listener(void **state)
{
    (void)state;
    int listener = new_listener(0);
    struct sockets_wait wait = {0};
    assert_int_equal(sockets_shutdown(SERVER, listener, SHUT_WR), 0);
    assert_int_equal(sockets_accept(SERVER, listener, NULL, NULL, 0, &wait), SOCKETS_BLOCKED);
    assert_int_equal(sockets_shutdown(SERVER, listener, SHUT_RD), 0);
    assert_int_equal(sockets_accept(SERVER, listener, NULL, NULL, 0, &wait), -EINVAL);
    assert_int_equal(sockets_listen(SERVER, listener, 1), 0);
}

/* --------------------------------------------------------------------------------------------- close() */

static void close_with_unread_bytes_resets(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    char byte;
    assert_int_equal(put(0, p.client, "z", 1, 0, NULL), 1);
    pass(5 * DELAY);
    assert_int_equal(sockets_close(SERVER, p.server, NULL), 0);
    pass(5 * DELAY);
    assert_int_equal(get(0, p.client, &byte, 1, 0, NULL), -ECONNRESET);
}

static void close_of_a_listener_resets_who_waits(void **state)
{
    (void)state;
    int listener = new_listener(0);
    int fd = new_socket(0, SOCK_NONBLOCK);
    char byte;
    assert_int_equal(connect_to(fd, NULL), -EINPROGRESS);
    pass(5 * DELAY);
    assert_int_equal(sockets_close(SERVER, listener, NULL), 0);
    pass(5 * DELAY);
    assert_int_equal(get(0, fd, &byte, 1, 0, NULL), -ECONNRESET);
}

static void close_lingers_until_all_is_acknowledged(void **state)
{
    (void)state;
    struct pair p = connected(0);
    struct linger linger = {.l_onoff = 1, .l_linger = 3};
    struct sockets_wait wait = {0};
    assert_int_equal(sockets_setsockopt(CLIENT, p.client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    assert_int_equal(put(0, p.client, "abc", 3, 0, NULL), 3);
    assert_int_equal(sockets_close(CLIENT, p.client, &wait), SOCKETS_BLOCKED);
    pass(1 * PIPE_MILLISECOND);
    assert_int_equal(sockets_close(CLIENT, p.client, &wait), SOCKETS_BLOCKED);
    pass(5 * DELAY);
    assert_int_equal(sockets_close(CLIENT, p.client, &wait), 0);
    assert_int_equal(sockets_close(CLIENT, p.client, NULL), -EBADF);
}

static void close_lingers_at_most_its_time(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    struct linger linger = {.l_onoff = 1, .l_linger = 3};
    struct sockets_wait wait = {0};
    w.cut = true;
    assert_int_equal(sockets_setsockopt(CLIENT, p.client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    assert_int_equal(sockets_close(CLIENT, p.client, &wait), SOCKETS_BLOCKED); /* O_NONBLOCK or not */
    assert_true(sockets_deadline(w.s[0], &wait) == w.pipe.now + 3 * SECONDS);
    pass(3 * SECONDS);
    assert_int_equal(sockets_close(CLIENT, p.client, &wait), 0);
}

/* --------------------------------------------------------------------------------------------- urgent */

static void urgent_byte_out_of_line(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    char bytes[8] = "";
    int mark = -1, readable = -1;
    assert_int_equal(get(1, p.server, bytes, 1, MSG_OOB, NULL), -EINVAL);
    assert_int_equal(put(0, p.client, "abX", 3, MSG_OOB, NULL), 3);
    assert_int_equal(put(0, p.client, "cd", 2, 0, NULL), 2);
    pass(5 * DELAY);
    assert_int_equal(poll_of(1, p.server), IN_ | OUT_ | POLLPRI);
    assert_int_equal(sockets_ioctl(SERVER, p.server, FIONREAD, &readable), 0);
    assert_int_equal(readable, 2);
    assert_int_equal(get(1, p.server, bytes, 1, MSG_OOB | MSG_PEEK, NULL), 1);
    assert_int_equal(get(1, p.server, bytes, 1, MSG_OOB, NULL), 1);
    assert_int_equal(bytes[0], 'X');
    assert_int_equal(get(1, p.server, bytes, 1, MSG_OOB, NULL), -EINVAL);
    assert_int_equal(poll_of(1, p.server), IN_ | OUT_);
    assert_int_equal(sockets_ioctl(SERVER, p.server, SIOCATMARK, &mark), 0);
    assert_int_equal(mark, 0);
    assert_int_equal(get(1, p.server, bytes, 8, 0, NULL), 2); /* a read ends at the mark */
    assert_memory_equal(bytes, "ab", 2);
    assert_int_equal(sockets_ioctl(SERVER, p.server, SIOCATMARK, &mark), 0);
    assert_int_equal(mark, 1);
    assert_int_equal(get(1, p.server, bytes, 8, 0, NULL), 2); /* and the next begins behind it */
    assert_memory_equal(bytes, "cd", 2);
    assert_int_equal(get(1, p.server, bytes, 8, 0, NULL), -EAGAIN);
}

/* A read that has bytes and waits for more ends when the mark comes, before the urgent byte. */
static void urgent_byte_ends_a_waiting_read(void **state)
{
    (void)state;
    struct pair p = connected(0);
    char bytes[8] = "";
    struct sockets_wait wait = {0};
    assert_int_equal(put(0, p.client, "ab", 2, 0, NULL), 2);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, bytes, 5, MSG_WAITALL, &wait), SOCKETS_BLOCKED);
    assert_int_equal(put(0, p.client, "X", 1, MSG_OOB, NULL), 1);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, bytes, 5, MSG_WAITALL, &wait), 2);
    assert_int_equal(get(1, p.server, bytes, 1, MSG_OOB, NULL), 1);
    assert_int_equal(bytes[0], 'X');
}

static void urgent_byte_in_line(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    char bytes[8] = "";
    assert_int_equal(set_int(1, p.server, SOL_SOCKET, SO_OOBINLINE, 1), 0);
    assert_int_equal(put(0, p.client, "abX", 3, MSG_OOB, NULL), 3);
    assert_int_equal(put(0, p.client, "cd", 2, 0, NULL), 2);
    pass(5 * DELAY);
    assert_int_equal(get(1, p.server, bytes, 1, MSG_OOB, NULL), -EINVAL);
    assert_int_equal(get(1, p.server, bytes, 8, 0, NULL), 2);
    assert_int_equal(get(1, p.server, bytes, 8, 0, NULL), 3);
    assert_memory_equal(bytes, "Xcd", 3);
}

/* --------------------------------------------------------------------------------------- poll and epoll */

static void poll_counts_waits_and_ends(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    struct pollfd fds[4] = {{.fd = p.server, .events = POLLIN},
                            {.fd = -1, .events = POLLIN, .revents = 7},
                            {.fd = 55, .events = POLLIN},
                            {.fd = p.server, .events = POLLOUT}};
    assert_int_equal(sockets_poll(SERVER, fds, 4, -1, NULL), 2);
    assert_int_equal(fds[0].revents, 0);
    assert_int_equal(fds[1].revents, 0);
    assert_int_equal(fds[2].revents, POLLNVAL);
    assert_int_equal(fds[3].revents, POLLOUT);
    assert_int_equal(sockets_poll(SERVER, NULL, 1, 0, NULL), -EFAULT);
    struct sockets_wait wait = {0};
    assert_int_equal(sockets_poll(SERVER, fds, 1, 0, &wait), 0);
    assert_int_equal(sockets_poll(SERVER, fds, 1, 100, &wait), SOCKETS_BLOCKED);
    pass(100 * PIPE_MILLISECOND);
    assert_int_equal(sockets_poll(SERVER, fds, 1, 100, &wait), 0);
    wait = (struct sockets_wait){0};
    assert_int_equal(sockets_poll(SERVER, fds, 1, -1, &wait), SOCKETS_BLOCKED);
    assert_true(sockets_deadline(w.s[1], &wait) == UINT64_MAX);
    assert_int_equal(put(0, p.client, "z", 1, 0, NULL), 1);
    pass(5 * DELAY);
    assert_int_equal(sockets_poll(SERVER, fds, 1, -1, &wait), 1);
    assert_int_equal(fds[0].revents, POLLIN);
}

static int epoll_with(int fd, uint32_t events)
{
    int epfd = sockets_epoll_create(w.s[1], 0);
    struct epoll_event event = {.events = events, .data.u64 = 77};
    assert_true(epfd >= 3);
    assert_int_equal(sockets_epoll_ctl(SERVER, epfd, EPOLL_CTL_ADD, fd, &event), 0);
    return epfd;
}

static uint32_t epoll_now(int epfd)
{
    struct epoll_event event = {0};
    int n = sockets_epoll_wait(SERVER, epfd, &event, 1, 0, NULL);
    assert_true(n == 0 || event.data.u64 == 77);
    return n == 0 ? 0 : event.events;
}

static void epoll_ctl_errors(void **state)
{
    (void)state;
    int fd = new_socket(1, 0), epfd = epoll_with(fd, EPOLLIN), other = epoll_with(epfd, EPOLLIN);
    struct epoll_event event = {.events = EPOLLIN};
    assert_int_equal(sockets_epoll_create(w.s[1], 1), -EINVAL);
    assert_int_equal(sockets_epoll_ctl(SERVER, epfd, EPOLL_CTL_ADD, fd, &event), -EEXIST);
    assert_int_equal(sockets_epoll_ctl(SERVER, epfd, EPOLL_CTL_ADD, fd, NULL), -EFAULT);
    assert_int_equal(sockets_epoll_ctl(SERVER, epfd, EPOLL_CTL_ADD, 99, &event), -EBADF);
    assert_int_equal(sockets_epoll_ctl(SERVER, 99, EPOLL_CTL_ADD, fd, &event), -EBADF);
    assert_int_equal(sockets_epoll_ctl(SERVER, fd, EPOLL_CTL_ADD, epfd, &event), -EINVAL);
    assert_int_equal(sockets_epoll_ctl(SERVER, epfd, EPOLL_CTL_ADD, epfd, &event), -EINVAL);
    assert_int_equal(sockets_epoll_ctl(SERVER, epfd, EPOLL_CTL_ADD, other, &event), -ELOOP);
    assert_int_equal(sockets_epoll_ctl(SERVER, epfd, 9, fd, &event), -EINVAL);
    assert_int_equal(sockets_epoll_ctl(SERVER, epfd, EPOLL_CTL_DEL, fd, NULL), 0);
    assert_int_equal(sockets_epoll_ctl(SERVER, epfd, EPOLL_CTL_DEL, fd, NULL), -ENOENT);
    assert_int_equal(sockets_epoll_ctl(SERVER, epfd, EPOLL_CTL_MOD, fd, &event), -ENOENT);
    assert_int_equal(sockets_epoll_wait(SERVER, epfd, &event, 0, 0, NULL), -EINVAL);
    assert_int_equal(sockets_epoll_wait(SERVER, epfd, NULL, 1, 0, NULL), -EFAULT);
    assert_int_equal(sockets_epoll_wait(SERVER, fd, &event, 1, 0, NULL), -EINVAL);
    assert_int_equal(sockets_epoll_wait(SERVER, 99, &event, 1, 0, NULL), -EBADF);
}

static void epoll_level_edge_and_one_shot(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    char byte;
    int level = epoll_with(p.server, EPOLLIN), edge = epoll_with(p.server, EPOLLIN | EPOLLET);
    int once = epoll_with(p.server, EPOLLIN | EPOLLONESHOT), nested = epoll_with(level, EPOLLIN);
    assert_int_equal(epoll_now(level) | epoll_now(edge) | epoll_now(once) | epoll_now(nested), 0);
    assert_int_equal(put(0, p.client, "ab", 2, 0, NULL), 2);
    pass(5 * DELAY);
    for (unsigned round = 0; round < 2; round++) { /* an edge and one shot are told once, a level each time */
        assert_int_equal(epoll_now(level), EPOLLIN);
        assert_int_equal(epoll_now(nested), EPOLLIN);
        assert_int_equal(epoll_now(edge), round == 0 ? EPOLLIN : 0);
        assert_int_equal(epoll_now(once), round == 0 ? EPOLLIN : 0);
    }
    assert_int_equal(get(1, p.server, &byte, 1, 0, NULL), 1);
    assert_int_equal(epoll_now(edge), 0);
    assert_int_equal(put(0, p.client, "c", 1, 0, NULL), 1);
    pass(5 * DELAY);
    assert_int_equal(epoll_now(edge), EPOLLIN);
    assert_int_equal(epoll_now(once), 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 77};
    assert_int_equal(sockets_epoll_ctl(SERVER, once, EPOLL_CTL_MOD, p.server, &event), 0);
    assert_int_equal(epoll_now(once), EPOLLIN);
}

static void epoll_tells_hangup_and_forgets_the_closed(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    int epfd = epoll_with(p.server, EPOLLRDHUP | EPOLLET);
    assert_int_equal(sockets_close(CLIENT, p.client, NULL), 0);
    pass(5 * DELAY);
    assert_int_equal(epoll_now(epfd), EPOLLRDHUP);
    assert_int_equal(sockets_close(SERVER, p.server, NULL), 0);
    pass(5 * DELAY);
    assert_int_equal(epoll_now(epfd), 0);
}

static void epoll_wait_blocks_and_gives_turns(void **state)
{
    (void)state;
    int fds[2][2];
    int epfd = sockets_epoll_create(w.s[1], EPOLL_CLOEXEC);
    struct epoll_event event;
    struct sockets_wait wait = {0};
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(sockets_pipe(w.s[1], fds[i], O_NONBLOCK), 0);
        event = (struct epoll_event){.events = EPOLLIN, .data.u32 = i};
        assert_int_equal(sockets_epoll_ctl(SERVER, epfd, EPOLL_CTL_ADD, fds[i][0], &event), 0);
    }
    assert_int_equal(sockets_epoll_wait(SERVER, epfd, &event, 1, 20, &wait), SOCKETS_BLOCKED);
    pass(20 * PIPE_MILLISECOND);
    assert_int_equal(sockets_epoll_wait(SERVER, epfd, &event, 1, 20, &wait), 0);
    wait = (struct sockets_wait){0};
    assert_int_equal(sockets_epoll_wait(SERVER, epfd, &event, 1, -1, &wait), SOCKETS_BLOCKED);
    assert_int_equal(put(1, fds[0][1], "a", 1, 0, NULL), 1);
    assert_int_equal(put(1, fds[1][1], "b", 1, 0, NULL), 1);
    assert_int_equal(sockets_epoll_wait(SERVER, epfd, &event, 1, -1, &wait), 1);
    uint32_t first = event.data.u32;
    assert_int_equal(sockets_epoll_wait(SERVER, epfd, &event, 1, 0, NULL), 1);
    assert_int_equal(event.data.u32, 1 - first);
}

/* -------------------------------------------------------------------------------------------- options */

static void options_keep_what_was_set(void **state)
{
    (void)state;
    static const struct {
        int level, name, before, set, after;
    } rows[] = {
        {SOL_SOCKET, SO_REUSEADDR, 0, 7, 1},
        {SOL_SOCKET, SO_REUSEPORT, 0, 1, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 0, 1, 1},
        {SOL_SOCKET, SO_OOBINLINE, 0, 1, 1},
        {SOL_SOCKET, SO_RCVLOWAT, 1, 0, 1},
        {SOL_SOCKET, SO_RCVBUF, 2 * BUFFER, 5000, 10000},
        {SOL_SOCKET, SO_RCVBUF, 10000, 1, 2304},
        {SOL_SOCKET, SO_SNDBUF, 2 * BUFFER, 1, 4608},
        {IPPROTO_TCP, TCP_NODELAY, 0, 1, 1},
        {IPPROTO_TCP, TCP_CORK, 0, 1, 1},
        {IPPROTO_TCP, TCP_MAXSEG, 536, 1000, 1000},
        {IPPROTO_TCP, TCP_KEEPIDLE, 7200, 60, 60},
        {IPPROTO_TCP, TCP_KEEPINTVL, 75, 5, 5},
        {IPPROTO_TCP, TCP_KEEPCNT, 9, 3, 3},
        {IPPROTO_TCP, TCP_SYNCNT, 6, 2, 2},
        {IPPROTO_TCP, TCP_LINGER2, 60, 1000, 120},
        {IPPROTO_TCP, TCP_LINGER2, 120, -5, -1},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 3000, 3000},
        {IPPROTO_TCP, TCP_QUICKACK, 1, 0, 0},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, 2, 3},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, 3, 1000, 1087},
        {IPPROTO_IP, IP_TOS, 0, 0xb9, 0xb8},
        {IPPROTO_IP, IP_TTL, 64, 3, 3},
        {IPPROTO_IP, IP_RECVERR, 0, 1, 1},
        {IPPROTO_IP, IP_MTU_DISCOVER, 1, 2, 2},
    };
    int fd = new_socket(0, 0);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(int_option(0, fd, rows[i].level, rows[i].name), rows[i].before);
        assert_int_equal(set_int(0, fd, rows[i].level, rows[i].name, rows[i].set), 0);
        assert_int_equal(int_option(0, fd, rows[i].level, rows[i].name), rows[i].after);
    }
    static const struct {
        enum estab_option option;
        uint64_t value;
    } core[] = {
        {ESTAB_OPTION_NODELAY, 1},        {ESTAB_OPTION_KEEP_IDLE, 60 * SECONDS},
        {ESTAB_OPTION_KEEP_COUNT, 3},     {ESTAB_OPTION_USER_TIMEOUT, 3 * SECONDS},
        {ESTAB_OPTION_DSCP, 0xb8 >> 2},   {ESTAB_OPTION_HOP_LIMIT, 3},
        {ESTAB_OPTION_MAX_SEGMENT, 1000}, {ESTAB_OPTION_RECEIVE_BUFFER, 1152},
        {ESTAB_OPTION_SEND_BUFFER, 2304}, {ESTAB_OPTION_REUSE_ADDRESS, 1},
    };
    for (unsigned i = 0; i < sizeof core / sizeof core[0]; i++) {
        uint64_t value = 0;
        assert_int_equal(estab_get(w.stack[0], sockets_conn(w.s[0], fd), core[i].option, &value), 0);
        assert_true(value == core[i].value);
    }
}

static void options_v6(void **state)
{
    (void)state;
    int six = sockets_socket(CLIENT, AF_INET6, SOCK_STREAM, 0), four = new_socket(0, 0);
    assert_int_equal(int_option(0, six, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    assert_int_equal(set_int(0, six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9), 0);
    assert_int_equal(int_option(0, six, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 9);
    assert_int_equal(set_int(0, six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1), 0);
    assert_int_equal(int_option(0, six, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 64);
    assert_int_equal(set_int(0, six, IPPROTO_IPV6, IPV6_TCLASS, 0x20), 0);
    assert_int_equal(int_option(0, six, IPPROTO_IPV6, IPV6_TCLASS), 0x20);
    assert_int_equal(set_int(0, six, IPPROTO_IPV6, IPV6_TCLASS, 256), -EINVAL);
    assert_int_equal(int_option(0, six, IPPROTO_IPV6, IPV6_MTU), -ENOTCONN);
    assert_int_equal(int_option(0, four, IPPROTO_IPV6, IPV6_V6ONLY), -EOPNOTSUPP); /* as Linux has it */
    assert_int_equal(int_option(0, six, 12345, 1), -ENOPROTOOPT);
    assert_int_equal(set_int(0, four, IPPROTO_IPV6, IPV6_V6ONLY, 1), -ENOPROTOOPT);
}

static void option_errors(void **state)
{
    (void)state;
    int fd = new_socket(0, 0);
    int value = 1;
    socklen_t length = sizeof value;
    static const struct {
        int level, name, value;
    } wrong[] = {{IPPROTO_TCP, TCP_MAXSEG, 87},  {IPPROTO_TCP, TCP_MAXSEG, 32768},
                 {IPPROTO_TCP, TCP_KEEPIDLE, 0}, {IPPROTO_TCP, TCP_KEEPCNT, 128},
                 {IPPROTO_TCP, TCP_SYNCNT, 0},   {IPPROTO_IP, IP_TTL, 256},
                 {IPPROTO_IP, IP_TTL, 0},        {IPPROTO_TCP, TCP_USER_TIMEOUT, -1}};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(set_int(0, fd, wrong[i].level, wrong[i].name, wrong[i].value), -EINVAL);
    assert_int_equal(set_int(0, fd, IPPROTO_TCP, 999, 1), -ENOPROTOOPT);
    assert_int_equal(set_int(0, fd, SOL_SOCKET, SO_ERROR, 1), -ENOPROTOOPT);
    assert_int_equal(set_int(0, fd, 12345, 1, 1), -ENOPROTOOPT);
    assert_int_equal(int_option(0, fd, SOL_SOCKET, 999), -ENOPROTOOPT);
    assert_int_equal(sockets_setsockopt(CLIENT, fd, IPPROTO_TCP, TCP_NODELAY, &value, 3), -EINVAL);
    assert_int_equal(sockets_setsockopt(CLIENT, fd, IPPROTO_TCP, TCP_NODELAY, NULL, 4), -EFAULT);
    assert_int_equal(sockets_setsockopt(CLIENT, 99, IPPROTO_TCP, TCP_NODELAY, &value, 4), -EBADF);
    assert_int_equal(sockets_getsockopt(CLIENT, fd, SOL_SOCKET, SO_TYPE, NULL, &length), -EFAULT);
    assert_int_equal(sockets_getsockopt(CLIENT, fd, SOL_SOCKET, SO_TYPE, &value, NULL), -EFAULT);
    length = (socklen_t)-1;
    assert_int_equal(sockets_getsockopt(CLIENT, fd, SOL_SOCKET, SO_TYPE, &value, &length), -EINVAL);
    uint8_t byte = 0;
    length = 1;
    assert_int_equal(sockets_setsockopt(CLIENT, fd, IPPROTO_IP, IP_TOS, &(uint8_t){0x40}, 1), 0);
    assert_int_equal(sockets_getsockopt(CLIENT, fd, IPPROTO_IP, IP_TOS, &byte, &length), 0);
    assert_int_equal(byte, 0x40); /* IP's options fit into a byte */
    struct timeval odd = {.tv_usec = 1000000};
    assert_int_equal(sockets_setsockopt(CLIENT, fd, SOL_SOCKET, SO_RCVTIMEO, &odd, sizeof odd), -EDOM);
    assert_int_equal(sockets_setsockopt(CLIENT, fd, SOL_SOCKET, SO_RCVTIMEO, &odd, 4), -EINVAL);
    assert_int_equal(sockets_setsockopt(CLIENT, fd, SOL_SOCKET, SO_LINGER, &value, 4), -EINVAL);
}

static void options_with_structures(void **state)
{
    (void)state;
    int fd = new_socket(0, 0);
    struct linger linger = {.l_onoff = 5, .l_linger = 9};
    struct timeval time;
    char name[16];
    socklen_t length = sizeof linger;
    assert_int_equal(sockets_setsockopt(CLIENT, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    assert_int_equal(sockets_getsockopt(CLIENT, fd, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
    assert_int_equal(linger.l_onoff, 1);
    assert_int_equal(linger.l_linger, 9);
    set_timeout(0, fd, SO_RCVTIMEO, 1500);
    length = sizeof time;
    assert_int_equal(sockets_getsockopt(CLIENT, fd, SOL_SOCKET, SO_RCVTIMEO, &time, &length), 0);
    assert_true(time.tv_sec == 1 && time.tv_usec == 500000);
    length = sizeof name;
    assert_int_equal(sockets_getsockopt(CLIENT, fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
    assert_string_equal(name, "reno");
    assert_int_equal(length, 16);
    assert_int_equal(sockets_setsockopt(CLIENT, fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
    assert_int_equal(sockets_setsockopt(CLIENT, fd, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6), -ENOENT);
    uint32_t memory[9];
    length = sizeof memory;
    assert_int_equal(sockets_getsockopt(CLIENT, fd, SOL_SOCKET, SO_MEMINFO, memory, &length), 0);
    assert_int_equal(length, sizeof memory);
    assert_int_equal(memory[1], 2 * BUFFER);
}

static void options_are_inherited(void **state)
{
    (void)state;
    int listener = new_listener(SOCK_NONBLOCK);
    assert_int_equal(set_int(1, listener, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    assert_int_equal(set_int(1, listener, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    assert_int_equal(connect_to(new_socket(0, SOCK_NONBLOCK), NULL), -EINPROGRESS);
    pass(5 * DELAY);
    int fd = sockets_accept(SERVER, listener, NULL, NULL, 0, NULL);
    assert_int_equal(int_option(1, fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(int_option(1, fd, SOL_SOCKET, SO_KEEPALIVE), 1);
}

static struct tcp_info info_of(unsigned end, int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0xee, sizeof info);
    assert_int_equal(sockets_getsockopt(w.s[end], w.pipe.now, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(length, sizeof info);
    return info;
}

static void tcp_info_has_linux_numbers(void **state)
{
    (void)state;
    enum { ESTABLISHED = 1, SYN_SENT = 2, FIN_WAIT_2 = 5, CLOSE = 7, CLOSE_WAIT = 8, LISTEN = 10 };
    struct pair p = connected(SOCK_NONBLOCK);
    assert_int_equal(info_of(1, p.listener).tcpi_state, LISTEN);
    assert_int_equal(info_of(1, new_socket(1, 0)).tcpi_state, CLOSE);
    static uint8_t bytes[1000];
    assert_int_equal(put(0, p.client, bytes, sizeof bytes, 0, NULL), sizeof bytes);
    pass(1 * PIPE_MILLISECOND);
    struct tcp_info info = info_of(0, p.client);
    assert_int_equal(info.tcpi_state, ESTABLISHED);
    assert_int_equal(info.tcpi_unacked, 1);
    assert_int_equal(info.tcpi_snd_mss, 1448);
    assert_int_equal(info.tcpi_snd_cwnd, 10);
    assert_int_equal(info.tcpi_options, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
    assert_in_range(info.tcpi_rtt, 20000, 21000);
    assert_int_equal(info.tcpi_pmtu, 1500);
    assert_int_equal(info.tcpi_bytes_sent, sizeof bytes);
    assert_int_equal(int_option(0, p.client, IPPROTO_IP, IP_MTU), 1500);
    assert_int_equal(int_option(0, p.client, IPPROTO_TCP, TCP_MAXSEG), 1448);
    assert_int_equal(sockets_shutdown(CLIENT, p.client, SHUT_WR), 0);
    pass(10 * DELAY);
    assert_int_equal(info_of(0, p.client).tcpi_state, FIN_WAIT_2);
    assert_int_equal(info_of(1, p.server).tcpi_state, CLOSE_WAIT);
    assert_int_equal(info_of(1, p.server).tcpi_bytes_received, sizeof bytes);
    uint8_t two[2];
    socklen_t length = sizeof two;
    assert_int_equal(sockets_getsockopt(CLIENT, p.client, IPPROTO_TCP, TCP_INFO, two, &length), 0);
    assert_int_equal(length, 2);
    w.cut = true;
    int fd = new_socket(0, SOCK_NONBLOCK);
    assert_int_equal(connect_to(fd, NULL), -EINPROGRESS);
    assert_int_equal(info_of(0, fd).tcpi_state, SYN_SENT);
}

static void ioctls(void **state)
{
    (void)state;
    struct pair p = connected(0);
    int value = -1;
    char byte;
    assert_int_equal(put(0, p.client, "abc", 3, 0, NULL), 3);
    pass(10 * DELAY); /* the ACK may be delayed */
    assert_int_equal(sockets_ioctl(SERVER, p.server, FIONREAD, &value), 0);
    assert_int_equal(value, 3);
    assert_int_equal(sockets_ioctl(CLIENT, p.client, SIOCOUTQ, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(sockets_ioctl(SERVER, p.listener, SIOCINQ, &value), -EINVAL);
    assert_int_equal(sockets_ioctl(SERVER, p.server, FIONREAD, NULL), -EFAULT);
    assert_int_equal(sockets_ioctl(SERVER, p.server, 0x1234, &value), -ENOTTY);
    assert_int_equal(sockets_ioctl(SERVER, 99, FIONREAD, &value), -EBADF);
    value = 1;
    assert_int_equal(sockets_ioctl(CLIENT, p.client, FIONBIO, &value), 0);
    assert_int_equal(get(0, p.client, &byte, 1, 0, &(struct sockets_wait){0}), -EAGAIN);
    assert_int_equal(sockets_fcntl(CLIENT, p.client, F_GETFL, 0), O_RDWR | O_NONBLOCK);
    w.cut = true;
    assert_int_equal(put(0, p.client, "abcd", 4, 0, NULL), 4);
    assert_int_equal(sockets_shutdown(CLIENT, p.client, SHUT_WR), 0);
    assert_int_equal(sockets_ioctl(CLIENT, p.client, SIOCOUTQ, &value), 0);
    assert_int_equal(value, 5); /* its FIN counts */
}

/* ------------------------------------------------------------------------------------------------- ICMP */

static uint16_t sum_of(const uint8_t *bytes, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    while (sum > 0xffff)
        sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)~sum;
}

/* An ICMP error about the last packet of the client. */
static void icmp_error(uint8_t type, uint8_t code)
{
    uint8_t bytes[56] = {0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1, type, code};
    memcpy(bytes + 28, w.last, 28);
    uint16_t sum = sum_of(bytes, 20);
    bytes[10] = (uint8_t)(sum >> 8), bytes[11] = (uint8_t)sum;
    sum = sum_of(bytes + 20, 36);
    bytes[22] = (uint8_t)(sum >> 8), bytes[23] = (uint8_t)sum;
    struct estab_packet packet = {.data = bytes, .length = sizeof bytes};
    packet.interface = (uint32_t)w.pipe.end[0].interface;
    estab_input(w.stack[0], w.pipe.now, &packet, 1);
    assert_int_equal(packet.reason, ESTAB_DROP_NONE);
}

static void icmp_in_syn_sent_is_told_and_survived(void **state)
{
    (void)state;
    int fd = new_socket(0, SOCK_NONBLOCK), blocking = new_socket(0, 0);
    struct sockets_wait wait = {0};
    w.cut = true;
    assert_int_equal(connect_to(fd, NULL), -EINPROGRESS);
    pass(1 * PIPE_MILLISECOND);
    icmp_error(11, 0); /* time exceeded */
    assert_int_equal(poll_of(0, fd), POLLERR);
    assert_int_equal(so_error(0, fd), EHOSTUNREACH);
    assert_int_equal(so_error(0, fd), 0);
    assert_int_equal(connect_to(blocking, &wait), SOCKETS_BLOCKED);
    pass(1 * PIPE_MILLISECOND);
    icmp_error(3, 0); /* network unreachable */
    assert_int_equal(connect_to(blocking, &wait), -ENETUNREACH);
    new_listener(0);
    w.cut = false;
    pass(5 * SECONDS);
    assert_int_equal(connect_to(fd, NULL), 0); /* RFC 9293 MUST-56: the opening went on */
}

static void icmp_in_established_is_soft(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    w.cut = true;
    assert_int_equal(put(0, p.client, "abc", 3, 0, NULL), 3);
    pass(1 * PIPE_MILLISECOND);
    icmp_error(3, 1); /* host unreachable */
    assert_int_equal(poll_of(0, p.client), OUT_);
    assert_int_equal(so_error(0, p.client), EHOSTUNREACH);
    assert_int_equal(set_int(0, p.client, IPPROTO_IP, IP_RECVERR, 1), 0);
    icmp_error(3, 10); /* prohibited: no errno of its own in IPv4 */
    assert_int_equal(poll_of(0, p.client), OUT_ | POLLERR);
    assert_int_equal(put(0, p.client, "d", 1, 0, NULL), -EHOSTUNREACH);
    assert_int_equal(put(0, p.client, "d", 1, 0, NULL), 1);
    assert_int_equal(set_int(0, p.client, IPPROTO_IP, IP_RECVERR, 0), 0);
    icmp_error(3, 1);
    sockets_update(CLIENT);
    pass(60 * SECONDS);
    assert_int_equal(so_error(0, p.client), EHOSTUNREACH); /* the reason of the timeout */
    assert_int_equal(poll_of(0, p.client), IN_ | OUT_ | POLLHUP | POLLRDHUP);
}

/* -------------------------------------------------------------------------------------- pipes, splice */

static void pipe_reads_and_writes(void **state)
{
    (void)state;
    int fds[2];
    char bytes[8];
    assert_int_equal(sockets_pipe(w.s[0], NULL, 0), -EFAULT);
    assert_int_equal(sockets_pipe(w.s[0], fds, 1), -EINVAL);
    assert_int_equal(sockets_pipe(w.s[0], fds, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(sockets_fcntl(CLIENT, fds[0], F_GETFL, 0), O_RDONLY | O_NONBLOCK);
    assert_int_equal(sockets_fcntl(CLIENT, fds[1], F_GETFL, 0), O_WRONLY | O_NONBLOCK);
    assert_int_equal(sockets_fcntl(CLIENT, fds[1], F_GETFD, 0), FD_CLOEXEC);
    assert_int_equal(poll_of(0, fds[0]), 0);
    assert_int_equal(poll_of(0, fds[1]), OUT_);
    assert_int_equal(get(0, fds[0], bytes, 8, 0, NULL), -EAGAIN);
    assert_int_equal(put(0, fds[1], "abc", 3, 0, NULL), 3);
    assert_int_equal(poll_of(0, fds[0]), IN_);
    int readable = 0;
    assert_int_equal(sockets_ioctl(CLIENT, fds[0], FIONREAD, &readable), 0);
    assert_int_equal(readable, 3);
    assert_int_equal(get(0, fds[0], bytes, 2, 0, NULL), 2);
    assert_memory_equal(bytes, "ab", 2);
    assert_int_equal(get(0, fds[1], bytes, 2, 0, NULL), -EBADF);
    assert_int_equal(put(0, fds[0], bytes, 2, 0, NULL), -EBADF);
    assert_int_equal(sockets_listen(CLIENT, fds[0], 1), -ENOTSOCK);
    assert_int_equal(get(0, fds[0], bytes, 2, MSG_PEEK, NULL), -ENOTSOCK);
    assert_int_equal(int_option(0, fds[0], SOL_SOCKET, SO_ERROR), -ENOTSOCK);
    assert_int_equal(sockets_close(CLIENT, fds[1], NULL), 0);
    assert_int_equal(poll_of(0, fds[0]), IN_ | POLLHUP);
    assert_int_equal(get(0, fds[0], bytes, 8, 0, NULL), 1);
    assert_int_equal(get(0, fds[0], bytes, 8, 0, NULL), 0);
}

static void pipe_holds_64_kib_and_small_writes_whole(void **state)
{
    (void)state;
    int fds[2];
    static uint8_t bytes[70000], back[70000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i / 3);
    assert_int_equal(sockets_pipe(w.s[0], fds, O_NONBLOCK), 0);
    assert_int_equal(put(0, fds[1], bytes, 65000, 0, NULL), 65000);
    assert_int_equal(put(0, fds[1], bytes, 4096, 0, NULL), -EAGAIN); /* PIPE_BUF: all or nothing */
    assert_int_equal(put(0, fds[1], bytes + 65000, 5000, 0, NULL), 536);
    assert_int_equal(put(0, fds[1], bytes, 1, 0, NULL), -EAGAIN);
    assert_int_equal(poll_of(0, fds[1]), 0);
    assert_int_equal(sockets_fcntl(CLIENT, fds[0], F_GETPIPE_SZ, 0), 65536);
    assert_int_equal(sockets_fcntl(CLIENT, fds[0], F_SETPIPE_SZ, 4096), -EBUSY);
    assert_int_equal(sockets_fcntl(CLIENT, fds[0], F_SETPIPE_SZ, 100000), 131072);
    assert_int_equal(get(0, fds[0], back, sizeof back, 0, NULL), 65536);
    assert_memory_equal(back, bytes, 65536);
    assert_int_equal(sockets_close(CLIENT, fds[0], NULL), 0);
    assert_int_equal(put(0, fds[1], bytes, 1, 0, NULL), -EPIPE);
    assert_int_equal(poll_of(0, fds[1]), OUT_ | POLLERR);
}

static void pipe_keeps_its_bytes_when_resized(void **state)
{
    (void)state;
    int fds[2];
    static uint8_t bytes[65536], back[65536];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i / 3);
    assert_int_equal(sockets_pipe(w.s[0], fds, O_NONBLOCK), 0);
    assert_int_equal(put(0, fds[1], bytes, 65536, 0, NULL), 65536);
    assert_int_equal(get(0, fds[0], back, 60000, 0, NULL), 60000);
    assert_int_equal(put(0, fds[1], bytes, 3000, 0, NULL), 3000); /* goes round the end */
    assert_int_equal(sockets_fcntl(CLIENT, fds[1], F_SETPIPE_SZ, 10000), 16384);
    assert_int_equal(get(0, fds[0], back, sizeof back, 0, NULL), 5536 + 3000);
    assert_memory_equal(back, bytes + 60000, 5536);
    assert_memory_equal(back + 5536, bytes, 3000);
}

static void pipe_blocks(void **state)
{
    (void)state;
    int fds[2];
    static uint8_t bytes[100000], back[65536];
    struct sockets_wait reading = {0}, writing = {0};
    assert_int_equal(sockets_pipe(w.s[0], fds, 0), 0);
    assert_int_equal(get(0, fds[0], back, 4, 0, &reading), SOCKETS_BLOCKED);
    assert_int_equal(put(0, fds[1], bytes, sizeof bytes, 0, &writing), SOCKETS_BLOCKED);
    assert_int_equal(get(0, fds[0], back, 4, 0, &reading), 4);
    assert_int_equal(put(0, fds[1], bytes, sizeof bytes, 0, &writing), SOCKETS_BLOCKED);
    assert_int_equal(get(0, fds[0], back, sizeof back, 0, NULL), 65536);
    assert_int_equal(put(0, fds[1], bytes, sizeof bytes, 0, &writing), sizeof bytes);
    assert_int_equal(get(0, fds[0], back, sizeof back, 0, NULL), sizeof bytes - 4 - 65536);
}

static void splice_moves_both_ways(void **state)
{
    (void)state;
    struct pair p = connected(SOCK_NONBLOCK);
    int fds[2], other[2];
    char bytes[16] = "";
    assert_int_equal(sockets_pipe(w.s[1], fds, 0), 0);
    assert_int_equal(sockets_pipe(w.s[1], other, 0), 0);
    assert_int_equal(sockets_splice(SERVER, p.server, fds[1], 100, 0, NULL), -EAGAIN);
    assert_int_equal(put(0, p.client, "abcdef", 6, 0, NULL), 6);
    pass(5 * DELAY);
    assert_int_equal(sockets_splice(SERVER, p.server, fds[1], 4, 0, NULL), 4);
    assert_int_equal(sockets_splice(SERVER, p.server, fds[1], 100, SPLICE_F_NONBLOCK, NULL), 2);
    assert_int_equal(sockets_splice(SERVER, fds[0], other[1], 100, 0, NULL), 6); /* pipe to pipe */
    assert_int_equal(sockets_splice(SERVER, other[0], p.server, 5, SPLICE_F_MORE, NULL), 5);
    assert_int_equal(sockets_splice(SERVER, other[0], p.server, 5, 0, NULL), 1);
    assert_int_equal(sockets_splice(SERVER, other[0], p.server, 5, SPLICE_F_NONBLOCK, NULL), -EAGAIN);
    pass(5 * DELAY);
    assert_int_equal(get(0, p.client, bytes, 16, 0, NULL), 6);
    assert_memory_equal(bytes, "abcdef", 6);
    assert_int_equal(sockets_splice(SERVER, p.server, p.server, 5, 0, NULL), -EINVAL);
    assert_int_equal(sockets_splice(SERVER, fds[0], fds[1], 5, 0, NULL), -EINVAL);
    assert_int_equal(sockets_splice(SERVER, fds[0], p.server, 5, 0x80, NULL), -EINVAL);
    assert_int_equal(sockets_splice(SERVER, fds[1], p.server, 5, 0, NULL), -EBADF);
    assert_int_equal(sockets_splice(SERVER, 99, p.server, 5, 0, NULL), -EBADF);
    assert_int_equal(sockets_splice(SERVER, 99, p.server, 5, 0x80, NULL), -EINVAL);
    assert_int_equal(sockets_splice(SERVER, 99, p.server, 0, 0, NULL), 0);
    assert_int_equal(sockets_close(SERVER, other[1], NULL), 0);
    assert_int_equal(sockets_splice(SERVER, other[0], p.server, 5, 0, NULL), 0); /* its end */
    assert_int_equal(sockets_close(SERVER, fds[0], NULL), 0);
    assert_int_equal(sockets_splice(SERVER, p.server, fds[1], 5, 0, NULL), -EPIPE);
}

static void splice_blocks(void **state)
{
    (void)state;
    struct pair p = connected(0);
    int fds[2];
    struct sockets_wait wait = {0};
    assert_int_equal(sockets_pipe(w.s[1], fds, 0), 0);
    assert_int_equal(sockets_splice(SERVER, p.server, fds[1], 100, 0, &wait), SOCKETS_BLOCKED);
    assert_int_equal(put(0, p.client, "abc", 3, 0, NULL), 3);
    pass(5 * DELAY);
    assert_int_equal(sockets_splice(SERVER, p.server, fds[1], 100, 0, &wait), 3);
    wait = (struct sockets_wait){0};
    assert_int_equal(sockets_splice(SERVER, fds[0], p.server, 100, 0, &wait), 3);
    assert_int_equal(sockets_splice(SERVER, fds[0], p.server, 100, 0, &wait), SOCKETS_BLOCKED);
    assert_int_equal(put(1, fds[1], "z", 1, 0, NULL), 1);
    assert_int_equal(sockets_splice(SERVER, fds[0], p.server, 100, 0, &wait), 1);
}

static void sendfile_sends_a_file(void **state)
{
    (void)state;
    struct pair p = connected(0);
    static uint8_t file[2 * BUFFER], back[BUFFER];
    struct sockets_wait wait = {0};
    memset(file, 'f', sizeof file);
    ssize_t sent = sockets_sendfile(CLIENT, p.client, file, sizeof file, &wait);
    assert_int_equal(sent, SOCKETS_BLOCKED);
    for (unsigned round = 0; round < 100 && sent == SOCKETS_BLOCKED; round++) {
        pass(2 * DELAY);
        get(1, p.server, back, sizeof back, MSG_DONTWAIT, NULL);
        sent = sockets_sendfile(CLIENT, p.client, file, sizeof file, &wait);
    }
    assert_int_equal(sent, sizeof file);
    assert_int_equal(back[0], 'f');
    assert_int_equal(sockets_sendfile(CLIENT, p.client, NULL, 1, NULL), -EBADF);
}

/* ----------------------------------------------------------------------------------- numbers of the host */

static int next_number, released;

static int reserve(void *user)
{
    (void)user;
    return next_number < 106 ? next_number++ : -EMFILE;
}

static void release(void *user, int fd)
{
    (void)user;
    assert_in_range(fd, 100, 106);
    released++;
}

static void numbers_of_the_host(void **state)
{
    (void)state;
    const struct sockets_options options = {.reserve_fd = reserve, .release_fd = release};
    next_number = 100, released = 0;
    struct sockets *s = sockets_new(w.stack[0], &options);
    int fds[2];
    assert_int_equal(sockets_socket(s, w.pipe.now, AF_INET, SOCK_STREAM, 0), 100);
    assert_int_equal(sockets_fcntl(s, w.pipe.now, 100, F_DUPFD, 103), 103); /* 101 and 102 were held back */
    assert_int_equal(released, 2);
    assert_int_equal(sockets_pipe(s, fds, 0), 0);
    assert_int_equal(fds[1], 105);
    assert_int_equal(sockets_pipe(s, fds, 0), -EMFILE);
    sockets_free(s);
    assert_int_equal(released, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(socket_kind_errors),
        TEST(descriptors_are_the_lowest_free),
        TEST(duplicate_shares_the_description),
        TEST(descriptors_run_out),
        TEST(bind_errors),
        TEST(bind_any_address_port_0_gives_one_port),
        TEST(listen_errors),
        TEST(accept_errors_and_flags),
        TEST(accept_blocks_until_one_comes_or_time_is_over),
        TEST(connect_nonblocking_goes_by_its_phases),
        TEST(connect_address_errors),
        TEST(connect_refused_nonblocking),
        TEST(connect_refused_error_is_told_by_the_next_call),
        TEST(connect_blocking_succeeds_or_is_refused),
        TEST(connect_times_out),
        TEST(connect_unspec_makes_the_socket_new),
        TEST(bound_port_survives_a_refused_connect),
        TEST(names_of_both_ends),
        TEST(v6_listener_takes_both_families),
        TEST(v6_only_takes_one_family),
        TEST(mapped_address_on_a_v6_socket_is_v4),
        TEST(receive_what_is_there),
        TEST(receive_argument_errors),
        TEST(receive_waits_for_bytes_or_its_time),
        TEST(receive_waitall_keeps_its_progress),
        TEST(receive_low_water_mark),
        TEST(send_nonblocking_takes_what_fits),
        TEST(send_blocking_writes_all_of_it),
        TEST(send_timeout_tells_what_went),
        TEST(send_in_syn_sent_waits_for_the_handshake),
        TEST(reset_is_told_once),
        TEST(reset_is_told_by_a_send),
        TEST(reset_in_close_wait_is_epipe),
        TEST(blocked_calls_learn_of_a_reset),
        TEST(blocked_write_that_is_reset_tells_its_bytes_first),
        TEST(shutdown_by_state),
        TEST(shutdown_of_reading_ends_reads),
        TEST(shutdown_in_syn_sent),
        TEST(shutdown_of_a_listener),
        TEST(close_with_unread_bytes_resets),
        TEST(close_of_a_listener_resets_who_waits),
        TEST(close_lingers_until_all_is_acknowledged),
        TEST(close_lingers_at_most_its_time),
        TEST(urgent_byte_out_of_line),
        TEST(urgent_byte_ends_a_waiting_read),
        TEST(urgent_byte_in_line),
        TEST(poll_counts_waits_and_ends),
        TEST(epoll_ctl_errors),
        TEST(epoll_level_edge_and_one_shot),
        TEST(epoll_tells_hangup_and_forgets_the_closed),
        TEST(epoll_wait_blocks_and_gives_turns),
        TEST(options_keep_what_was_set),
        TEST(options_v6),
        TEST(option_errors),
        TEST(options_with_structures),
        TEST(options_are_inherited),
        TEST(tcp_info_has_linux_numbers),
        TEST(ioctls),
        TEST(icmp_in_syn_sent_is_told_and_survived),
        TEST(icmp_in_established_is_soft),
        TEST(pipe_reads_and_writes),
        TEST(pipe_holds_64_kib_and_small_writes_whole),
        TEST(pipe_keeps_its_bytes_when_resized),
        TEST(pipe_blocks),
        TEST(splice_moves_both_ways),
        TEST(splice_blocks),
        TEST(sendfile_sends_a_file),
        TEST(numbers_of_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
