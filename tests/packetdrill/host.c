/*
 * A host for libestab_packetdrill.so that does with it what packetdrill does: loads it with the same flags,
 * drives every call of the interface in virtual time against a peer made of bytes, and makes the blocking
 * ones on a second thread, which must really sleep. Nothing here knows estab; the struct is declared once
 * more.
 *
 *     packetdrill_host LIBRARY
 */
#include "sim/bytes.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The documented order, written down independently of the adapter. */
struct interface {
    void *userdata;
    void (*free)(void *);
    int (*socket)(void *, int, int, int);
    int (*bind)(void *, int, const struct sockaddr *, socklen_t);
    int (*listen)(void *, int, int);
    int (*accept)(void *, int, struct sockaddr *, socklen_t *);
    int (*connect)(void *, int, const struct sockaddr *, socklen_t);
    ssize_t (*read)(void *, int, void *, size_t);
    ssize_t (*readv)(void *, int, const struct iovec *, int);
    ssize_t (*recv)(void *, int, void *, size_t, int);
    ssize_t (*recvfrom)(void *, int, void *, size_t, int, struct sockaddr *, socklen_t *);
    ssize_t (*recvmsg)(void *, int, struct msghdr *, int);
    ssize_t (*write)(void *, int, const void *, size_t);
    ssize_t (*writev)(void *, int, const struct iovec *, int);
    ssize_t (*send)(void *, int, const void *, size_t, int);
    ssize_t (*sendto)(void *, int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    ssize_t (*sendmsg)(void *, int, const struct msghdr *, int);
    int (*fcntl)(void *, int, int, ...);
    int (*ioctl)(void *, int, unsigned long, ...);
    int (*close)(void *, int);
    int (*shutdown)(void *, int, int);
    int (*getsockopt)(void *, int, int, int, void *, socklen_t *);
    int (*setsockopt)(void *, int, int, int, const void *, socklen_t);
    int (*poll)(void *, struct pollfd *, nfds_t, int);
    int (*netdev_send)(void *, const void *, size_t);
    int (*netdev_receive)(void *, void *, size_t *, long long *);
    int (*usleep)(void *, useconds_t);
    int (*gettimeofday)(void *, struct timeval *, struct timezone *);
    int (*epoll_create)(void *, int);
    int (*epoll_ctl)(void *, int, int, int, struct epoll_event *);
    int (*epoll_wait)(void *, int, struct epoll_event *, int, int);
    int (*pipe)(void *, int[2]);
    ssize_t (*splice)(void *, int, loff_t *, int, loff_t *, size_t, unsigned);
};

typedef void init_call(const char *flags, struct interface *ifc);
typedef int option_call(int fd, int level, int name, void *value, socklen_t *length);

static struct interface so;
static init_call *init;
static option_call *interposed;
static const char *library;
static bool v6;

#define U so.userdata

/* ------------------------------------------------------------------------------------------- checks */

#define CHECK(what)      check((what), #what, __LINE__)
#define EQUAL(got, want) equal((long long)(got), (long long)(want), #got, __LINE__)
#define FAILS(call, error)   \
    do {                     \
        errno = 0;           \
        EQUAL(call, -1);     \
        EQUAL(errno, error); \
    } while (0)

static unsigned checks;

static void check(bool holds, const char *what, int line)
{
    checks++;
    if (!holds) {
        fprintf(stderr, "host.c:%d: %s: does not hold (%s)\n", line, what, v6 ? "IPv6" : "IPv4");
        exit(1);
    }
}

static void equal(long long got, long long want, const char *what, int line)
{
    checks++;
    if (got != want) {
        fprintf(stderr, "host.c:%d: %s is %lld, not %lld (%s, errno %d)\n", line, what, got, want,
                v6 ? "IPv6" : "IPv4", errno);
        exit(1);
    }
}

/* --------------------------------------------------------------------------------------------- time */

static long long now_us(void)
{
    struct timeval tv;
    struct timezone tz = {5, 5};
    EQUAL(so.gettimeofday(U, &tv, &tz), 0);
    return (long long)tv.tv_sec * 1000000 + tv.tv_usec;
}

/* As packetdrill waits: asleep nearly to the end, then looking at the clock. */
static void wait_until(long long us)
{
    long long left = us - now_us();
    if (left > 20)
        EQUAL(so.usleep(U, (useconds_t)(left - 20)), 0);
    while (now_us() < us) {
    }
}

static double real_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ------------------------------------------------------------------------------------------ packets */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

#define OUR_PORT  8080
#define PEER_PORT 40000
#define PEER_ISS  0xfffffff0u /* the sequence space wraps early */

struct segment {
    uint16_t from, to;
    uint32_t seq, ack;
    unsigned flags, window;
    size_t length;
    const uint8_t *text;
    long long time_us;
    uint8_t bytes[65536];
};

/* The peer's side of one connection. */
struct peer {
    uint16_t port, our_port;
    uint32_t seq, ack;
};

static uint8_t our_v4[4] = {192, 168, 77, 5}, peer_v4[4] = {192, 0, 2, 1};
static uint8_t our_v6[16] = {0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d}, peer_v6[16] = {0x20, 0x01, 0x0d, 0xb8};

static uint32_t sum_add(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    return sum;
}

static uint16_t sum_end(uint32_t sum)
{
    while (sum > 0xffff)
        sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)~sum;
}

static size_t put_ip(uint8_t *at, const uint8_t *source, const uint8_t *to, size_t tcp_length)
{
    if (v6) {
        put32(at, 0x60000000);
        put16(at + 4, (unsigned)tcp_length);
        at[6] = 6;
        at[7] = 64;
        memcpy(at + 8, source, 16);
        memcpy(at + 24, to, 16);
        return 40;
    }
    put32(at, 0x45000000 | (uint32_t)(20 + tcp_length));
    put32(at + 8, 64u << 24 | 6u << 16);
    memcpy(at + 12, source, 4);
    memcpy(at + 16, to, 4);
    put16(at + 10, sum_end(sum_add(0, at, 20)));
    return 20;
}

/* A segment of the peer's: MSS 1460 with a SYN, no other option. */
static void inject(struct peer *peer, unsigned flags, const void *text, size_t length)
{
    static uint8_t bytes[2048];
    size_t header = (flags & SYN) ? 24 : 20;
    const uint8_t *source = v6 ? peer_v6 : peer_v4, *to = v6 ? our_v6 : our_v4;
    memset(bytes, 0, sizeof bytes);
    size_t ip = put_ip(bytes, source, to, header + length);
    uint8_t *tcp = bytes + ip;
    put16(tcp, peer->port);
    put16(tcp + 2, peer->our_port);
    put32(tcp + 4, peer->seq);
    put32(tcp + 8, (flags & ACK) ? peer->ack : 0);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = (uint8_t)flags;
    put16(tcp + 14, 65535);
    if (flags & SYN)
        put32(tcp + 20, 0x020405b4);
    if (length > 0)
        memcpy(tcp + header, text, length);
    uint32_t sum = sum_add(0, source, v6 ? 16 : 4);
    sum = sum_add(sum, to, v6 ? 16 : 4) + 6 + (uint32_t)(header + length);
    put16(tcp + 16, sum_end(sum_add(sum, tcp, header + length)));
    EQUAL(so.netdev_send(U, bytes, ip + header + length), 0);
    peer->seq += (uint32_t)length + ((flags & SYN) != 0) + ((flags & FIN) != 0);
}

static void parse(struct segment *seg, size_t count)
{
    const uint8_t *at = seg->bytes;
    size_t ip = v6 ? 40 : 20;
    EQUAL(at[0] >> 4, v6 ? 6 : 4);
    const uint8_t *tcp = at + ip;
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    seg->from = (uint16_t)(tcp[0] << 8 | tcp[1]);
    seg->to = (uint16_t)(tcp[2] << 8 | tcp[3]);
    seg->seq = get32(tcp + 4);
    seg->ack = get32(tcp + 8);
    seg->flags = tcp[13] & 0x3f;
    seg->window = (unsigned)(tcp[14] << 8 | tcp[15]);
    seg->text = tcp + header;
    seg->length = count - ip - header;
    uint32_t sum = sum_add(0, at + (v6 ? 8 : 12), v6 ? 32 : 8) + 6 + (uint32_t)(count - ip);
    EQUAL(sum_end(sum_add(sum, tcp, count - ip)), 0);
}

static struct segment seg;

/* The next packet that leaves: these flags (PSH aside), and the peer's numbers fit. */
static void expect(struct peer *peer, unsigned flags)
{
    size_t count = sizeof seg.bytes;
    EQUAL(so.netdev_receive(U, seg.bytes, &count, &seg.time_us), 0);
    CHECK(count > 0);
    parse(&seg, count);
    EQUAL(seg.flags & ~(unsigned)PSH, flags);
    EQUAL(seg.to, peer->port);
    if ((flags & ACK) && !(flags & RST))
        EQUAL(seg.ack, peer->seq);
    if (!(flags & SYN))
        EQUAL(seg.seq, peer->ack);
    peer->our_port = seg.from;
    memcpy(v6 ? our_v6 : our_v4, seg.bytes + (v6 ? 8 : 12), v6 ? 16 : 4); /* where it came from */
    peer->ack = seg.seq + (uint32_t)seg.length + ((flags & SYN) != 0) + ((flags & FIN) != 0);
}

static void expect_nothing_any_more(void)
{
    size_t count = sizeof seg.bytes;
    long long time_us = -1;
    EQUAL(so.netdev_receive(U, seg.bytes, &count, &time_us), 0);
    EQUAL(count, 0);
}

/* -------------------------------------------------------------------------------- the second thread */

/* A blocking call, made as packetdrill does: clock, call, clock. */
struct job {
    ssize_t (*work)(struct job *job);
    int fd, other;
    void *bytes;
    size_t size;
    ssize_t result;
    int error;
    long long begin_us, end_us;
    pthread_t thread;
    _Atomic pid_t tid;
    _Atomic bool done;
};

static void *job_run(void *argument)
{
    struct job *job = argument;
    job->begin_us = now_us();
    job->tid = (pid_t)syscall(SYS_gettid);
    errno = 0;
    job->result = job->work(job);
    job->error = errno;
    job->end_us = now_us();
    job->done = true;
    return NULL;
}

static char thread_state(pid_t tid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return '?';
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    return end != NULL ? end[2] : '?';
}

/* Starts it, and sees it asleep: several times in a row, so that no wait for the lock is taken for sleep. */
static void job_start(struct job *job)
{
    EQUAL(pthread_create(&job->thread, NULL, job_run, job), 0);
    double limit = real_seconds() + 10;
    for (unsigned asleep = 0; asleep < 20;) {
        CHECK(real_seconds() < limit);
        CHECK(!job->done);
        asleep = job->tid != 0 && thread_state(job->tid) == 'S' ? asleep + 1 : 0;
        sched_yield();
    }
}

static void job_end(struct job *job, ssize_t result, int error)
{
    EQUAL(pthread_join(job->thread, NULL), 0);
    EQUAL(job->result, result);
    EQUAL(job->error, error);
}

static ssize_t work_accept(struct job *job)
{
    return so.accept(U, job->fd, NULL, NULL);
}

static ssize_t work_connect(struct job *job)
{
    return so.connect(U, job->fd, job->bytes, (socklen_t)job->size);
}

static ssize_t work_read(struct job *job)
{
    return so.read(U, job->fd, job->bytes, job->size);
}

static ssize_t work_waitall(struct job *job)
{
    return so.recv(U, job->fd, job->bytes, job->size, MSG_WAITALL);
}

static ssize_t work_write(struct job *job)
{
    return so.write(U, job->fd, job->bytes, job->size);
}

static ssize_t work_poll(struct job *job)
{
    return so.poll(U, job->bytes, 1, (int)job->size);
}

static ssize_t work_epoll(struct job *job)
{
    return so.epoll_wait(U, job->fd, job->bytes, 4, (int)job->size);
}

static ssize_t work_splice(struct job *job)
{
    return so.splice(U, job->fd, NULL, job->other, NULL, job->size, 0);
}

static ssize_t work_close(struct job *job)
{
    return so.close(U, job->fd);
}

/* ------------------------------------------------------------------------------------------ openings */

static socklen_t address(struct sockaddr_storage *to, bool ours, uint16_t port)
{
    memset(to, 0, sizeof *to);
    if (v6) {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)to;
        in->sin6_family = AF_INET6;
        in->sin6_port = htons(port);
        memcpy(&in->sin6_addr, ours ? our_v6 : peer_v6, 16);
        return sizeof *in;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)to;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, ours ? our_v4 : peer_v4, 4);
    return sizeof *in;
}

static int new_socket(void)
{
    int fd = so.socket(U, v6 ? AF_INET6 : AF_INET, SOCK_STREAM, IPPROTO_TCP);
    CHECK(fd > 2);
    return fd;
}

static int new_listener(void)
{
    struct sockaddr_storage own;
    socklen_t length = address(&own, true, OUR_PORT);
    int fd = new_socket(), one = 1;
    EQUAL(so.setsockopt(U, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    EQUAL(so.bind(U, fd, (struct sockaddr *)&own, length), 0);
    EQUAL(so.listen(U, fd, 4), 0);
    return fd;
}

static struct peer handshake(uint16_t port)
{
    struct peer peer = {.port = port, .our_port = OUR_PORT, .seq = PEER_ISS};
    inject(&peer, SYN, NULL, 0);
    expect(&peer, SYN | ACK);
    inject(&peer, ACK, NULL, 0);
    return peer;
}

static int accepted(int listener)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int fd = so.accept(U, listener, (struct sockaddr *)&from, &length);
    CHECK(fd > 2);
    EQUAL(length, v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    EQUAL(from.ss_family, v6 ? AF_INET6 : AF_INET);
    return fd;
}

static void begin(const char *flags)
{
    memset(&so, 0, sizeof so);
    init(flags, &so);
}

/* -------------------------------------------------------------------------------------------- scenes */

/* Accept, bytes both ways, both closes: the time of each packet and of each blocked call is the moment's. */
static void scene_passive(void)
{
    begin("linux");
    int listener = new_listener();
    struct job job = {.work = work_accept, .fd = listener};
    job_start(&job);
    struct peer peer = {.port = PEER_PORT, .our_port = OUR_PORT, .seq = PEER_ISS};
    wait_until(now_us() + 100000);
    inject(&peer, SYN, NULL, 0);
    long long before = now_us();
    expect(&peer, SYN | ACK);
    EQUAL(seg.time_us, before - 1); /* it left when the SYN came, not when it was fetched */
    wait_until(now_us() + 100000);
    inject(&peer, ACK, NULL, 0);
    long long woken = now_us(); /* stands still until the thread has looked */
    pthread_join(job.thread, NULL);
    int fd = (int)job.result;
    CHECK(fd > 2 && job.begin_us < before);
    CHECK(job.end_us == woken || job.end_us == woken - 1);

    char bytes[16] = "";
    job = (struct job){.work = work_read, .fd = fd, .bytes = bytes, .size = sizeof bytes};
    job_start(&job);
    inject(&peer, PSH | ACK, "hello", 5);
    job_end(&job, 5, 0);
    CHECK(memcmp(bytes, "hello", 5) == 0);
    expect(&peer, ACK); /* delayed: time went on by itself */
    EQUAL(so.write(U, fd, "world!", 6), 6);
    expect(&peer, ACK);
    EQUAL(seg.length, 6);
    CHECK(memcmp(seg.text, "world!", 6) == 0);
    inject(&peer, ACK, NULL, 0);
    inject(&peer, FIN | ACK, NULL, 0);
    expect(&peer, ACK);
    EQUAL(so.read(U, fd, bytes, sizeof bytes), 0);
    EQUAL(so.close(U, fd), 0);
    expect(&peer, FIN | ACK);
    inject(&peer, ACK, NULL, 0);
    EQUAL(so.close(U, listener), 0);
    expect_nothing_any_more();
    so.free(U);
}

static void scene_active(void)
{
    begin(NULL);
    struct sockaddr_storage to;
    socklen_t length = address(&to, false, PEER_PORT);
    struct peer peer = {.port = PEER_PORT, .seq = PEER_ISS};
    int fd = new_socket();
    struct job job = {.work = work_connect, .fd = fd, .bytes = &to, .size = length};
    job_start(&job);
    expect(&peer, SYN);
    long long first = seg.time_us;
    expect(&peer, SYN); /* again, one RTO later: nobody has to wait for it */
    EQUAL(seg.time_us - first, 1000000);
    inject(&peer, RST | ACK, NULL, 0);
    job_end(&job, -1, ECONNREFUSED);

    EQUAL(so.fcntl(U, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    EQUAL(so.fcntl(U, fd, F_GETFL), O_RDWR | O_NONBLOCK);
    FAILS(so.connect(U, fd, (struct sockaddr *)&to, length), EINPROGRESS);
    FAILS(so.connect(U, fd, (struct sockaddr *)&to, length), EALREADY);
    peer = (struct peer){.port = PEER_PORT, .seq = PEER_ISS};
    expect(&peer, SYN);
    inject(&peer, SYN | ACK, NULL, 0);
    expect(&peer, ACK);
    EQUAL(so.connect(U, fd, (struct sockaddr *)&to, length), 0);
    FAILS(so.connect(U, fd, (struct sockaddr *)&to, length), EISCONN);
    inject(&peer, RST, NULL, 0);
    char byte;
    FAILS(so.recv(U, fd, &byte, 1, 0), ECONNRESET);
    EQUAL(so.recv(U, fd, &byte, 1, 0), 0);
    FAILS(so.send(U, fd, &byte, 1, MSG_NOSIGNAL), EPIPE);
    EQUAL(so.close(U, fd), 0);
    FAILS(so.close(U, fd), EBADF);
    so.free(U);
}

/* The ten calls that carry bytes, and what asks and sets. */
static void scene_calls(void)
{
    begin("linux");
    int listener = new_listener();
    struct peer peer = handshake(PEER_PORT);
    int fd = accepted(listener);
    char bytes[32] = "", more[8] = "";
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    struct iovec iov[2] = {{bytes, 2}, {more, 3}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    inject(&peer, PSH | ACK, "abcdefghijklmno", 15);
    expect(&peer, ACK);
    int value = 0;
    EQUAL(so.ioctl(U, fd, FIONREAD, &value), 0);
    EQUAL(value, 15);
    EQUAL(so.readv(U, fd, iov, 2), 5);
    CHECK(memcmp(bytes, "ab", 2) == 0 && memcmp(more, "cde", 3) == 0);
    EQUAL(so.recv(U, fd, bytes, 2, MSG_PEEK), 2);
    EQUAL(so.recvfrom(U, fd, bytes, 2, 0, (struct sockaddr *)&from, &length), 2);
    EQUAL(length, 0);
    EQUAL(so.recvmsg(U, fd, &msg, 0), 5);
    CHECK(memcmp(bytes, "hi", 2) == 0 && memcmp(more, "jkl", 3) == 0);
    EQUAL(so.read(U, fd, bytes, sizeof bytes), 3);
    FAILS(so.recv(U, fd, bytes, 1, MSG_DONTWAIT), EAGAIN);
    FAILS(so.readv(U, fd, iov, -1), EINVAL);
    FAILS(so.writev(U, fd, iov, 5000), EINVAL);
    FAILS(so.recvmsg(U, fd, NULL, 0), EFAULT);

    EQUAL(so.write(U, fd, "1", 1), 1);
    expect(&peer, ACK);
    inject(&peer, ACK, NULL, 0);
    EQUAL(so.writev(U, fd, iov, 2), 5);
    expect(&peer, ACK);
    EQUAL(seg.length, 5);
    inject(&peer, ACK, NULL, 0);
    EQUAL(so.send(U, fd, "23", 2, MSG_MORE), 2);
    EQUAL(so.sendto(U, fd, "45", 2, 0, (struct sockaddr *)&from, 0), 2);
    expect(&peer, ACK);
    EQUAL(seg.length, 4);
    inject(&peer, ACK, NULL, 0);
    EQUAL(so.sendmsg(U, fd, &msg, 0), 5);
    expect(&peer, ACK);
    EQUAL(seg.length, 5);
    inject(&peer, ACK, NULL, 0);
    EQUAL(so.ioctl(U, fd, SIOCOUTQ, &value), 0);
    EQUAL(value, 0);
    FAILS(so.ioctl(U, fd, 0x1234, &value), ENOTTY);

    struct tcp_info info;
    length = sizeof info;
    EQUAL(so.getsockopt(U, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    EQUAL(info.tcpi_state, 1);
    EQUAL(info.tcpi_bytes_received, 15);
    EQUAL(info.tcpi_rcv_wscale, 0); /* the peer offered none */
    FAILS(so.setsockopt(U, fd, IPPROTO_TCP, 999, &value, sizeof value), ENOPROTOOPT);
    FAILS(so.getsockopt(U, 999, SOL_SOCKET, SO_ERROR, &value, &length), EBADF);
    FAILS(so.socket(U, AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
    FAILS(so.listen(U, fd, 1), EINVAL);
    FAILS(so.shutdown(U, fd, 9), EINVAL);
    EQUAL(so.shutdown(U, fd, SHUT_WR), 0);
    expect(&peer, FIN | ACK);
    FAILS(so.write(U, fd, "x", 1), EPIPE);
    so.free(U);
}

static void scene_poll_pipe_splice(void)
{
    begin("linux");
    int listener = new_listener();
    struct peer peer = handshake(PEER_PORT);
    int fd = accepted(listener), epfd = so.epoll_create(U, 1), fds[2];
    FAILS(so.epoll_create(U, 0), EINVAL);
    char bytes[16] = "";
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7}, events[4];
    EQUAL(so.epoll_ctl(U, epfd, EPOLL_CTL_ADD, fd, &event), 0);
    FAILS(so.epoll_ctl(U, epfd, EPOLL_CTL_ADD, fd, &event), EEXIST);
    EQUAL(so.epoll_wait(U, epfd, events, 4, 0), 0);
    struct pollfd pfd = {.fd = fd, .events = POLLIN | POLLOUT};
    EQUAL(so.poll(U, &pfd, 1, 0), 1);
    EQUAL(pfd.revents, POLLOUT);

    struct job job = {.work = work_epoll, .fd = epfd, .bytes = events, .size = 5000};
    job_start(&job);
    inject(&peer, PSH | ACK, "abc", 3);
    job_end(&job, 1, 0);
    EQUAL(events[0].events, EPOLLIN);
    EQUAL(events[0].data.u32, 7);
    EQUAL(so.epoll_ctl(U, epfd, EPOLL_CTL_DEL, fd, NULL), 0);

    EQUAL(so.pipe(U, fds), 0);
    FAILS(so.recv(U, fds[0], bytes, 1, 0), ENOTSOCK);
    FAILS(so.listen(U, fds[0], 1), ENOTSOCK);
    EQUAL(so.splice(U, fd, NULL, fds[1], NULL, 16, 0), 3);
    EQUAL(so.splice(U, fds[0], NULL, fd, NULL, 16, 0), 3);
    expect(&peer, ACK);
    EQUAL(seg.length, 3);
    CHECK(memcmp(seg.text, "abc", 3) == 0);
    inject(&peer, ACK, NULL, 0);
    loff_t place = 0;
    FAILS(so.splice(U, fds[0], &place, fd, NULL, 16, 0), ESPIPE);
    FAILS(so.splice(U, fds[0], NULL, fd, NULL, 16, SPLICE_F_NONBLOCK), EAGAIN);
    job = (struct job){.work = work_splice, .fd = fd, .other = fds[1], .size = 16};
    job_start(&job);
    inject(&peer, PSH | ACK, "xyz", 3);
    job_end(&job, 3, 0);
    EQUAL(so.read(U, fds[0], bytes, 16), 3);
    job = (struct job){.work = work_read, .fd = fds[0], .bytes = bytes, .size = 16};
    job_start(&job);
    EQUAL(so.write(U, fds[1], "pipe", 4), 4); /* woken by a call, not by a packet */
    job_end(&job, 4, 0);

    pfd.events = POLLIN;
    long long before = now_us();
    job = (struct job){.work = work_poll, .bytes = &pfd, .size = 250};
    job_start(&job);
    wait_until(before + 200000);
    CHECK(!job.done);
    wait_until(before + 300000);
    job_end(&job, 0, 0);
    EQUAL(job.end_us - job.begin_us, 250000); /* the clock stood when its time was over */
    so.free(U);
}

/* A write of more than the buffer, a read of all of it, a close that lingers: on the other thread, asleep. */
static void scene_blocking(void)
{
    begin("send_buffer=8192,mtu=1500");
    int listener = new_listener();
    struct peer peer = handshake(PEER_PORT);
    int fd = accepted(listener);
    static char big[20000];
    struct job job = {.work = work_write, .fd = fd, .bytes = big, .size = sizeof big};
    job_start(&job);
    size_t got = 0;
    while (got < sizeof big) {
        expect(&peer, ACK);
        got += seg.length;
        inject(&peer, ACK, NULL, 0);
    }
    EQUAL(got, sizeof big);
    job_end(&job, sizeof big, 0);

    char bytes[8] = "";
    job = (struct job){.work = work_waitall, .fd = fd, .bytes = bytes, .size = 6};
    job_start(&job);
    inject(&peer, PSH | ACK, "abc", 3);
    wait_until(now_us() + 1000);
    CHECK(!job.done);
    inject(&peer, PSH | ACK, "def", 3);
    job_end(&job, 6, 0);
    CHECK(memcmp(bytes, "abcdef", 6) == 0);

    struct linger linger = {.l_onoff = 1, .l_linger = 2};
    EQUAL(so.setsockopt(U, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    job = (struct job){.work = work_close, .fd = fd};
    job_start(&job);
    wait_until(now_us() + 500000);
    CHECK(!job.done);
    wait_until(now_us() + 2000000);
    job_end(&job, 0, 0);
    EQUAL(job.end_us - job.begin_us, 2000000);
    so.free(U);
}

/* On the script's own thread a call that waits takes time along; what can never end says so. */
static void scene_waiting_alone(void)
{
    begin(NULL);
    int listener = new_listener();
    struct timeval time = {.tv_sec = 3};
    EQUAL(so.setsockopt(U, listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time), 0);
    long long before = now_us();
    FAILS(so.accept(U, listener, NULL, NULL), EAGAIN);
    EQUAL(now_us() - before, 3000001);
    time.tv_sec = 0;
    EQUAL(so.setsockopt(U, listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time), 0);
    FAILS(so.accept(U, listener, NULL, NULL), EDEADLK);
    so.free(U);
}

static void scene_an_hour(void)
{
    begin("linux");
    int listener = new_listener();
    struct peer peer = handshake(PEER_PORT);
    int fd = accepted(listener), one = 1, idle = 10;
    EQUAL(so.setsockopt(U, fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one), 0);
    EQUAL(so.setsockopt(U, fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle), 0);
    double real = real_seconds();
    long long first = now_us();
    for (unsigned i = 0; i < 360; i++) {
        size_t count = sizeof seg.bytes;
        wait_until(first + (long long)(i + 1) * 10000000);
        EQUAL(so.netdev_receive(U, seg.bytes, &count, &seg.time_us), 0);
        CHECK(count > 0); /* a probe each ten seconds */
        inject(&peer, ACK, NULL, 0);
    }
    CHECK(now_us() - first >= 3600000000ll);
    real = real_seconds() - real;
    if (real >= 1)
        fprintf(stderr, "3,600 virtual seconds took %.2f s\n", real);
    CHECK(real < 1);
    so.free(U);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* Scripts one after the other, each leaving things open; the host closes some of them itself. */
static void scene_again_and_again(void)
{
    unsigned before = open_descriptors();
    for (unsigned i = 0; i < 30; i++) {
        begin(i % 2 == 0 ? "linux" : NULL);
        int listener = new_listener(), fds[2];
        handshake(PEER_PORT);
        int fd = accepted(listener);
        EQUAL(so.pipe(U, fds), 0);
        CHECK(fcntl(fd, F_GETFD) >= 0); /* a descriptor of the host */
        EQUAL(close(fd), 0);            /* by the host, as packetdrill does at the end */
        if (i % 3 == 0)
            so.free(U);
    }
    begin(NULL);
    int fd = new_socket();
    EQUAL(close(fd), 0);
    int other = memfd_create("other", MFD_CLOEXEC); /* the number is used again by somebody else */
    EQUAL(other, fd);
    so.free(U);
    CHECK(fcntl(other, F_GETFD) >= 0); /* and was not taken from him */
    close(other);
    EQUAL(open_descriptors(), before);
}

/* A script that ends while a call of its sleeps: the next begins, the call is told. */
static void scene_left_asleep(void)
{
    begin(NULL);
    struct job job = {.work = work_accept, .fd = new_listener()};
    job_start(&job);
    struct interface next = so;
    init(NULL, &next);
    job_end(&job, -1, EINTR);
    next.free(next.userdata);
    FAILS(next.socket(next.userdata, AF_INET, SOCK_STREAM, 0), EBADF);
}

static int flags_exit(const char *flags)
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(2);
        begin(flags);
        _exit(0);
    }
    EQUAL(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void scene_flags(void)
{
    EQUAL(flags_exit("linux, mtu=1400,local=10.1.2.3 no_sack"), 0);
    EQUAL(flags_exit("linus"), 2);
    EQUAL(flags_exit("mtu=1"), 2);
    EQUAL(flags_exit("mtu=1500x"), 2);
    EQUAL(flags_exit("local=nowhere"), 2);
    EQUAL(flags_exit("speed=3"), 2);
    begin("no_timestamps,no_sack,no_window_scale,mtu=1300");
    struct sockaddr_storage to;
    socklen_t length = address(&to, false, PEER_PORT);
    struct peer peer = {.port = PEER_PORT, .seq = PEER_ISS};
    int fd = new_socket();
    EQUAL(so.fcntl(U, fd, F_SETFL, O_NONBLOCK), 0);
    FAILS(so.connect(U, fd, (struct sockaddr *)&to, length), EINPROGRESS);
    expect(&peer, SYN);
    const uint8_t *tcp = seg.bytes + (v6 ? 40 : 20);
    EQUAL(tcp[12] >> 4, 6); /* the MSS alone */
    EQUAL(tcp[22] << 8 | tcp[23], v6 ? 1240 : 1260);
    so.free(U);
    begin("linux");
    fd = new_socket();
    EQUAL(so.fcntl(U, fd, F_SETFL, O_NONBLOCK), 0);
    FAILS(so.connect(U, fd, (struct sockaddr *)&to, length), EINPROGRESS);
    expect(&peer, SYN);
    /* MSS, SACK permitted, timestamps, NOP, window scale 8 */
    static const uint8_t kinds[] = {2, 4, 4, 2, 8, 10, 1, 3, 3, 8};
    tcp = seg.bytes + (v6 ? 40 : 20) + 20;
    CHECK(tcp[0] == kinds[0] && tcp[1] == kinds[1] && tcp[4] == kinds[2] && tcp[5] == kinds[3]);
    CHECK(tcp[6] == kinds[4] && tcp[7] == kinds[5] && memcmp(tcp + 16, kinds + 6, 4) == 0);
    so.free(U);
}

/* getsockopt() of the object for our descriptors, the real one for the host's. */
static void check_interposed(option_call *call)
{
    begin(NULL);
    int listener = new_listener(), real = socket(AF_INET, SOCK_STREAM, 0), type = 0;
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    EQUAL(call(listener, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    EQUAL(info.tcpi_state, 10);
    uint32_t memory[9];
    length = sizeof memory;
    EQUAL(call(listener, SOL_SOCKET, SO_MEMINFO, memory, &length), 0);
    EQUAL(length, sizeof memory);
    length = sizeof info;
    EQUAL(call(listener, IPPROTO_TCP, TCP_CC_INFO, &info, &length), 0);
    CHECK(real >= 0);
    length = sizeof type;
    EQUAL(call(real, SOL_SOCKET, SO_TYPE, &type, &length), 0);
    EQUAL(type, SOCK_STREAM);
    length = sizeof info;
    EQUAL(call(real, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    EQUAL(info.tcpi_state, 7);
    length = sizeof type;
    FAILS(call(listener, SOL_SOCKET, SO_TYPE, &type, &length), ENOTSOCK); /* not ours to answer */
    close(real);
    so.free(U);
}

/* Once more in a process that has the object preloaded, where the plain name leads to it. */
static void check_preloaded(const char *program)
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("LD_PRELOAD", library, 1);
        execl(program, program, library, "preloaded", (char *)NULL);
        _exit(99);
    }
    EQUAL(waitpid(pid, &status, 0), pid);
    EQUAL(status, 0);
}

/* ----------------------------------------------------------------------------------------------- main */

static void *symbol(void *handle, const char *name)
{
    void *found = dlsym(handle, name);
    if (found == NULL) {
        fprintf(stderr, "%s has no `%s`\n", library, name);
        exit(1);
    }
    return found;
}

static void load(void)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND);
    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    void *found = symbol(handle, "packetdrill_interface_init");
    memcpy(&init, &found, sizeof init);
    found = symbol(handle, "getsockopt");
    memcpy(&interposed, &found, sizeof interposed);
    CHECK(dlsym(handle, "estab_init") == NULL); /* nothing else leaves it */
    CHECK(dlsym(handle, "sockets_new") == NULL);
}

static void every_call_is_there(void)
{
    begin(NULL);
    const unsigned char *bytes = (const unsigned char *)&so;
    for (size_t i = 0; i < sizeof so / sizeof(void *); i++) {
        void *entry;
        memcpy(&entry, bytes + i * sizeof entry, sizeof entry);
        CHECK(entry != NULL);
    }
    so.free(U);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: packetdrill_host LIBRARY\n");
        return 2;
    }
    library = argv[1];
    alarm(60);
    our_v6[15] = 5;
    peer_v6[15] = 1;
    load();
    if (argc > 2) {
        check_interposed(getsockopt);
        return 0;
    }
    every_call_is_there();
    for (int round = 0; round < 2; round++) {
        v6 = round == 1;
        scene_passive();
        scene_active();
        scene_calls();
        scene_poll_pipe_splice();
        scene_blocking();
        scene_waiting_alone();
        scene_an_hour();
        scene_again_and_again();
        scene_left_asleep();
        scene_flags();
        check_interposed(interposed);
    }
    check_preloaded(argv[0]);
    printf("%u checks hold\n", checks);
    return 0;
}
