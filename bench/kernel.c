/*
 * The kernel's TCP over the loopback interface, doing what `estab bench` does: both ends in this process, by
 * non-blocking calls, so that one core does it all. What it prints is one JSON object with the same figures.
 *
 *     kernel bulk SECONDS            one connection, 16 KiB a call
 *     kernel conn SECONDS            connect, accept, one byte, close by the client, then by the server
 *     kernel lookup SECONDS N        one byte on a random connection of N, and one byte back
 *
 * The loopback interface has an MTU of 65536 and leaves checksums out: its bulk figure is not that of
 * 1500-byte packets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE (16 * 1024)

static struct sockaddr_in address; /* of the listener */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int give_up(const char *what)
{
    fprintf(stderr, "kernel: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int listen_anywhere(void)
{
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        give_up("listen");
    }
    return fd;
}

/* Goes round many loopback addresses, so that ports in TIME-WAIT do not become scarce. */
static void connect_pair(int listener, int pair[2])
{
    static uint32_t number;
    struct sockaddr_in remote = address;
    remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number++ % 65536);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (pair[0] < 0 || connect(pair[0], (struct sockaddr *)&remote, sizeof remote) != 0) {
        give_up("connect");
    }
    pair[1] = accept(listener, NULL, NULL);
    if (pair[1] < 0) {
        give_up("accept");
    }
}

static void bulk(int listener, double seconds)
{
    static char data[PIECE];
    int pair[2];
    uint64_t bytes = 0;
    connect_pair(listener, pair);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    double start = now();
    double elapsed;
    do {
        while (write(pair[0], data, sizeof data) > 0) {
            continue;
        }
        for (ssize_t count; (count = read(pair[1], data, sizeof data)) > 0;) {
            bytes += (uint64_t)count;
        }
        elapsed = now() - start;
    } while (elapsed < seconds);
    printf("{\"v\":1,\"bench\":\"bulk\",\"gbit_per_s\":%.2f}\n", (double)bytes * 8e-9 / elapsed);
}

static void conn(int listener, double seconds)
{
    uint64_t done = 0;
    double start = now();
    double elapsed;
    do {
        int pair[2];
        char byte = 'x';
        connect_pair(listener, pair);
        if (write(pair[0], &byte, 1) != 1 || read(pair[1], &byte, 1) != 1) {
            give_up("one byte");
        }
        close(pair[0]);
        if (read(pair[1], &byte, 1) != 0) {
            give_up("end");
        }
        close(pair[1]);
        done++;
        elapsed = now() - start;
    } while (elapsed < seconds);
    printf("{\"v\":1,\"bench\":\"conn\",\"per_s\":%.0f}\n", (double)done / elapsed);
}

static void lookup(int listener, double seconds, unsigned count)
{
    int(*pairs)[2] = calloc(count, sizeof *pairs);
    const int on = 1;
    uint64_t random = 88172645463325252u;
    uint64_t done = 0;
    for (unsigned i = 0; pairs != NULL && i < count; i++) {
        connect_pair(listener, pairs[i]);
        setsockopt(pairs[i][0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(pairs[i][1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    double start = now();
    double elapsed;
    do {
        char byte = 'x';
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        const int *pair = pairs[random % count];
        if (write(pair[0], &byte, 1) != 1 || read(pair[1], &byte, 1) != 1 || write(pair[1], &byte, 1) != 1 ||
            read(pair[0], &byte, 1) != 1) {
            give_up("one byte");
        }
        done++;
        elapsed = now() - start;
    } while (elapsed < seconds);
    printf("{\"v\":1,\"bench\":\"lookup\",\"connections\":%u,\"ns_per_segment\":%.1f}\n", count,
           elapsed * 1e9 / (double)(2 * done));
}

int main(int argc, char **argv)
{
    struct rlimit limit = {1u << 17, 1u << 17};
    setrlimit(RLIMIT_NOFILE, &limit);
    double seconds = argc > 2 ? atof(argv[2]) : 0;
    if (seconds > 0 && strcmp(argv[1], "bulk") == 0) {
        bulk(listen_anywhere(), seconds);
    } else if (seconds > 0 && strcmp(argv[1], "conn") == 0) {
        conn(listen_anywhere(), seconds);
    } else if (seconds > 0 && argc > 3 && strcmp(argv[1], "lookup") == 0 && atoi(argv[3]) > 0) {
        lookup(listen_anywhere(), seconds, (unsigned)atoi(argv[3]));
    } else {
        fprintf(stderr, "kernel: usage: kernel bulk|conn|lookup SECONDS [N]\n");
        return 2;
    }
    return 0;
}
