/*
 * SYNs from everywhere, for tests and benchmarks of our own namespaces: Ethernet frames out of a device of
 * the kernel's by a packet socket, each with another source address, port, sequence number and timestamp, the
 * options that Linux sends and right checksums. The sources lie in the networks that are set aside for
 * benchmarks (198.18.0.0/15 of RFC 2544, 2001:2::/48 of RFC 5180), so that nobody can be hit by an answer.
 *
 *     synflood DEVICE MAC ADDRESS PORT RATE SECONDS      RATE 0 = as fast as it goes; at most 60 seconds
 *
 * Prints one JSON object: how many were sent, how many the device had no room for, and how long that took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sim/bytes.h"

#define BATCH       64
#define ETHERNET    14u
#define TCP         40u /* bytes of a SYN with the options of Linux */
#define FRAME       (ETHERNET + 40 + TCP)
#define MAX_SECONDS 60

struct flood {
    int fd;
    bool ipv6;
    uint64_t random;
    uint32_t ip_sum, tcp_sum; /* of the frame without what varies */
    uint8_t frame[FRAME];
    uint8_t frames[BATCH][FRAME];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    uint64_t sent, refused;
};

static int give_up(const char *what)
{
    fprintf(stderr, "synflood: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int usage(const char *wrong)
{
    fprintf(stderr, "synflood: %s: synflood DEVICE MAC ADDRESS PORT RATE SECONDS\n", wrong);
    return 2;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static uint32_t next_random(struct flood *flood)
{
    flood->random = flood->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(flood->random >> 32);
}

/* ------------------------------------------------------------------------------------------------- frames */

static uint32_t ip_bytes(const struct flood *flood)
{
    return flood->ipv6 ? 40 : 20;
}

/* Where the last four bytes of the source address stand. */
static uint32_t source_at(const struct flood *flood)
{
    return ETHERNET + (flood->ipv6 ? 20 : 12);
}

static void make_ip(struct flood *flood, const uint8_t destination[16])
{
    uint8_t *ip = flood->frame + ETHERNET;
    if (flood->ipv6) {
        put32(ip, 6u << 28);
        put16(ip + 4, TCP);
        put16(ip + 6, 6 << 8 | 64);
        put32(ip + 8, 0x20010002);
        memcpy(ip + 24, destination, 16);
        return;
    }
    put32(ip, 0x45000000u | (20 + TCP));
    put32(ip + 4, 0x4000);
    put32(ip + 8, 64u << 24 | 6u << 16);
    memcpy(ip + 16, destination, 4);
    flood->ip_sum = sum_bytes(ip, 20, 0);
}

/* MSS, SACK-permitted, timestamps, NOP, window scale; what varies is zero. */
static void make_tcp(struct flood *flood, unsigned port)
{
    uint8_t *tcp = flood->frame + ETHERNET + ip_bytes(flood);
    uint32_t addresses = flood->ipv6 ? 32 : 8;
    put16(tcp + 2, port);
    put32(tcp + 12, 0xa0020000u | 64240);
    put32(tcp + 20, 0x02040000u | 1460);
    put32(tcp + 24, 0x0402080au);
    put32(tcp + 36, 0x01030307u);
    flood->tcp_sum = sum_bytes(tcp, TCP, sum_bytes(tcp - addresses, addresses, 6 + TCP));
}

static uint32_t add32(uint32_t sum, uint32_t value)
{
    return sum + (value >> 16) + (value & 0xffff);
}

static unsigned complement(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

/* Another SYN, its checksums from the sum of the rest. */
static void vary(struct flood *flood, uint8_t *frame)
{
    uint8_t *ip = frame + ETHERNET;
    uint8_t *tcp = ip + ip_bytes(flood);
    uint32_t random = next_random(flood);
    uint32_t source = flood->ipv6 ? random : 198u << 24 | 18u << 16 | (random & 0x1ffff);
    uint32_t port = 1024 + next_random(flood) % 64512;
    uint32_t seq = next_random(flood);
    uint32_t stamp = next_random(flood);
    put32(frame + source_at(flood), source);
    put16(tcp, port);
    put32(tcp + 4, seq);
    put32(tcp + 28, stamp);
    put16(tcp + 16, complement(add32(add32(add32(flood->tcp_sum + port, source), seq), stamp)));
    if (!flood->ipv6) {
        put16(ip + 10, complement(add32(flood->ip_sum, source)));
    }
}

/* ------------------------------------------------------------------------------------------------ sending */

static void send_batch(struct flood *flood, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        vary(flood, flood->frames[i]);
    }
    for (unsigned done = 0; done < count;) {
        int n = sendmmsg(flood->fd, flood->messages + done, count - done, 0);
        if (n > 0) {
            done += (unsigned)n;
            flood->sent += (unsigned)n;
        } else if (errno == ENOBUFS || errno == EAGAIN) {
            done++;
            flood->refused++;
        } else if (errno != EINTR) {
            give_up("send");
        }
    }
}

/* As many as the rate has due, never more than a batch at once. */
static double run(struct flood *flood, double rate, double seconds)
{
    double start = now();
    double elapsed = 0;
    while (elapsed < seconds) {
        double due = rate > 0 ? rate * elapsed - (double)(flood->sent + flood->refused) : BATCH;
        if (due < 1) {
            const struct timespec pause = {.tv_nsec = 50000};
            nanosleep(&pause, NULL);
        } else {
            send_batch(flood, due < BATCH ? (unsigned)due : BATCH);
        }
        elapsed = now() - start;
    }
    return elapsed;
}

static void open_device(struct flood *flood, const char *device)
{
    const int on = 1;
    struct ifreq request = {0};
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(device)};
    flood->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* 0: it receives nothing */
    if (flood->fd < 0 || address.sll_ifindex == 0) {
        give_up(device);
    }
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    if (ioctl(flood->fd, SIOCGIFHWADDR, &request) != 0 ||
        bind(flood->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        give_up(device);
    }
    setsockopt(flood->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    memcpy(flood->frame + 6, request.ifr_hwaddr.sa_data, 6);
    put16(flood->frame + 12, flood->ipv6 ? ETH_P_IPV6 : ETH_P_IP);
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    int end = 0;
    return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                  &mac[5], &end) == 6 &&
           text[end] == 0;
}

int main(int argc, char **argv)
{
    static struct flood flood;
    uint8_t destination[16];
    if (argc != 7) {
        return usage("six arguments");
    }
    flood.ipv6 = strchr(argv[3], ':') != NULL;
    int port = atoi(argv[4]);
    double rate = atof(argv[5]);
    double seconds = atof(argv[6]);
    if (!parse_mac(argv[2], flood.frame) ||
        inet_pton(flood.ipv6 ? AF_INET6 : AF_INET, argv[3], destination) != 1) {
        return usage("bad MAC or address");
    }
    if (port < 1 || port > 65535 || rate < 0 || !(seconds > 0 && seconds <= MAX_SECONDS)) {
        return usage("port 1 to 65535, rate 0 or more, up to 60 seconds");
    }
    flood.random = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
    open_device(&flood, argv[1]);
    make_ip(&flood, destination);
    make_tcp(&flood, (unsigned)port);
    for (unsigned i = 0; i < BATCH; i++) {
        memcpy(flood.frames[i], flood.frame, FRAME);
        flood.parts[i] = (struct iovec){flood.frames[i], ETHERNET + ip_bytes(&flood) + TCP};
        flood.messages[i].msg_hdr = (struct msghdr){.msg_iov = &flood.parts[i], .msg_iovlen = 1};
    }
    double elapsed = run(&flood, rate, seconds);
    printf("{\"sent\":%llu,\"refused\":%llu,\"seconds\":%.3f}\n", (unsigned long long)flood.sent,
           (unsigned long long)flood.refused, elapsed);
    return 0;
}
