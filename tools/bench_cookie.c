/*
 * `estab bench cookie`: SYNs from everywhere, with the options that Linux sends, each of which a listener
 * answers by a SYN cookie (RFC 4987 3.6). A SYN is parsed, verified, met with no connection, answered with
 * two keyed hashes, and its SYN,ACK is made and checksummed. What the answers are worth is tried first: the
 * ACK of one must open a connection, so that no figure is of a path that answers nonsense.
 */
#include "bench.h"
#include "tool.h"

#include "sim/bytes.h"

#include <stdlib.h>
#include <string.h>

#define SYNS      4096u /* different ones, sent round and round */
#define PER_CLOCK 4096u /* between two looks at the clock */
#define ROOM      128u  /* of a SYN, in whole cache lines */
#define TCP       40u   /* bytes of a SYN with the options of Linux */
#define MEMORY    ((size_t)4 << 20)

struct cookie {
    estab_stack *stack;
    estab_conn listener;
    uint64_t now;
    uint64_t random;
    bool ipv6;
    struct estab_packet in[BENCH_BATCH];
    struct estab_packet out[BENCH_BATCH];
    uint8_t answers[BENCH_BATCH][BENCH_ROOM];
    _Alignas(64) uint8_t syns[SYNS][ROOM];
};

static uint32_t next_random(struct cookie *cookie)
{
    cookie->random = cookie->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(cookie->random >> 32);
}

/* ------------------------------------------------------------------------------------------------ packets */

static uint32_t ip_header(const struct cookie *cookie)
{
    return cookie->ipv6 ? 40 : 20;
}

/* 10.0.0.2 or fd00::2 hears from 11.0.0.0/8 or 2001:db8::/32. */
static void write_ip(struct cookie *cookie, uint8_t *ip)
{
    static const uint8_t own[16] = {0xfd, [15] = 2};
    uint32_t source = next_random(cookie);
    if (cookie->ipv6) {
        put32(ip, 6u << 28);
        put16(ip + 4, TCP);
        put16(ip + 6, 6 << 8 | 64);
        put32(ip + 8, 0x20010db8);
        put32(ip + 20, source);
        memcpy(ip + 24, own, sizeof own);
        return;
    }
    put32(ip, 0x45000000u | (20 + TCP));
    put32(ip + 4, next_random(cookie) << 16 | 0x4000);
    put32(ip + 8, 64u << 24 | 6u << 16);
    put32(ip + 12, 11u << 24 | source >> 8);
    put32(ip + 16, 10u << 24 | 2);
    put16(ip + 10, ~sum_bytes(ip, 20, 0) & 0xffff);
}

static void sum_tcp(const struct cookie *cookie, uint8_t *ip, uint32_t length)
{
    uint8_t *tcp = ip + ip_header(cookie);
    uint32_t addresses = cookie->ipv6 ? 32 : 8;
    put16(tcp + 16, 0);
    uint32_t pseudo = sum_bytes(tcp - addresses, addresses, 6 + length);
    put16(tcp + 16, ~sum_bytes(tcp, length, pseudo) & 0xffff);
}

/* MSS, SACK-permitted, timestamps, NOP, window scale. */
static void write_syn(struct cookie *cookie, uint8_t *ip)
{
    static const uint16_t common_mss[] = {1460, 1460, 1440, 1452, 1360, 8960};
    uint8_t *tcp = ip + ip_header(cookie);
    write_ip(cookie, ip);
    put16(tcp, 1024 + next_random(cookie) % 64512);
    put16(tcp + 2, BENCH_PORT);
    put32(tcp + 4, next_random(cookie));
    put32(tcp + 12, 0xa0020000u | 64240);
    put32(tcp + 20, 0x02040000u | common_mss[next_random(cookie) % 6]);
    put32(tcp + 24, 0x0402080au);
    put32(tcp + 28, next_random(cookie));
    put32(tcp + 36, 0x01030307u);
    sum_tcp(cookie, ip, TCP);
}

/* ------------------------------------------------------------------------------------------------ answers */

/* One batch in, the answers out; how many there were. */
static unsigned answer(struct cookie *cookie, uint32_t first)
{
    for (unsigned i = 0; i < BENCH_BATCH; i++) {
        cookie->in[i].data = cookie->syns[(first + i) % SYNS];
    }
    estab_input(cookie->stack, cookie->now, cookie->in, BENCH_BATCH);
    return estab_pull(cookie->stack, cookie->now, cookie->out, BENCH_BATCH);
}

/* Whether the ACK of the first SYN's answer opens a connection; it is gone afterwards. */
static bool is_accepted(struct cookie *cookie)
{
    uint8_t ack[ROOM] = {0};
    const uint32_t at = ip_header(cookie);
    const uint8_t *theirs = cookie->out[0].data + at;
    uint8_t *tcp = ack + at;
    estab_conn conn;
    memcpy(ack, cookie->syns[0], (size_t)at + TCP);
    put32(tcp + 4, get32(tcp + 4) + 1);
    put32(tcp + 8, get32(theirs + 4) + 1);
    tcp[12] = 0x80;
    tcp[13] = 0x10;
    put32(tcp + 20, 0x0101080au);
    put32(tcp + 24, get32(tcp + 28));
    put32(tcp + 28, get32(theirs + 28)); /* behind MSS, SACK-permitted and the kind of the timestamps */
    put16(ack + (cookie->ipv6 ? 4 : 2), at + 32 - (cookie->ipv6 ? 40 : 0));
    if (!cookie->ipv6) {
        put16(ack + 10, 0);
        put16(ack + 10, ~sum_bytes(ack, 20, 0) & 0xffff);
    }
    sum_tcp(cookie, ack, 32);
    struct estab_packet packet = {.data = ack, .length = at + 32, .interface = 1};
    estab_input(cookie->stack, cookie->now, &packet, 1);
    bool accepted = estab_accept(cookie->stack, cookie->now, cookie->listener, &conn) == 0;
    if (accepted) {
        estab_abort(cookie->stack, cookie->now, conn);
    }
    unsigned count = BENCH_BATCH;
    while (count > 0) {
        count = estab_pull(cookie->stack, cookie->now, cookie->out, BENCH_BATCH);
    }
    return accepted;
}

/* ---------------------------------------------------------------------------------------------- the stack */

static int put_on_link(struct cookie *cookie)
{
    const struct estab_addr own_ipv6 = {.ip = {0xfd, [15] = 2}};
    const struct estab_addr own_ipv4 = estab_addr_ipv4(10, 0, 0, 2, 0);
    const struct estab_addr any = estab_addr_any(BENCH_PORT);
    struct estab_interface interface = {.size = sizeof interface, .mtu = BENCH_MTU};
    int error = estab_interface_add(cookie->stack, cookie->now, &interface);
    if (error > 0) {
        error = estab_address_add(cookie->stack, cookie->now, (uint32_t)error,
                                  cookie->ipv6 ? &own_ipv6 : &own_ipv4, cookie->ipv6 ? 64 : 24);
    }
    if (error == 0) {
        error = estab_open(cookie->stack, &cookie->listener);
    }
    if (error == 0) {
        error = estab_bind(cookie->stack, cookie->now, cookie->listener, &any);
    }
    return error == 0 ? estab_listen(cookie->stack, cookie->now, cookie->listener, 16) : error;
}

static bool prepare(struct cookie *cookie, void *memory)
{
    struct estab_config config;
    int error = 0;
    const char *what = NULL;
    estab_config_init(&config);
    config.secret[0] = 1;
    config.max_connections = 64;
    config.cookies = &estab_syn_cookies_always;
    cookie->stack = estab_init(memory, MEMORY, &config, &error, &what);
    if (cookie->stack != NULL) {
        error = put_on_link(cookie);
    }
    if (error != 0) {
        tool_error("no stack with a listener: %s (%s)", estab_strerror(error), what != NULL ? what : "-");
        return false;
    }
    for (unsigned i = 0; i < SYNS; i++) {
        write_syn(cookie, cookie->syns[i]);
    }
    for (unsigned i = 0; i < BENCH_BATCH; i++) {
        cookie->out[i].data = cookie->answers[i];
        cookie->out[i].capacity = BENCH_ROOM;
        cookie->in[i].length = ip_header(cookie) + TCP;
        cookie->in[i].interface = 1;
    }
    return true;
}

static int measure(struct cookie *cookie, const struct bench_settings *settings)
{
    uint64_t answered = 0;
    uint64_t asked = 0;
    if (answer(cookie, 0) != BENCH_BATCH || !is_accepted(cookie)) {
        return tool_fail("a SYN was not answered by a cookie that opens a connection");
    }
    uint64_t start = cookie->now = bench_clock();
    while (cookie->now - start < settings->duration_ns) {
        for (unsigned i = 0; i < PER_CLOCK; i += BENCH_BATCH) {
            answered += answer(cookie, (uint32_t)asked);
            asked += BENCH_BATCH;
        }
        cookie->now = bench_clock();
    }
    if (answered != asked) {
        return tool_fail("%llu of %llu SYNs were answered", (unsigned long long)answered,
                         (unsigned long long)asked);
    }
    double elapsed = (double)(cookie->now - start);
    const struct bench_figure figures[] = {
        {"per_s", (double)answered * 1e9 / elapsed, 0},
        {"ns", elapsed / (double)answered, 1},
        {"ipv6", cookie->ipv6, 0},
        {"seconds", elapsed / 1e9, 2},
    };
    bench_report(settings, "cookie", "SYNs from everywhere, each answered by a SYN cookie, one core", figures,
                 4);
    return TOOL_OK;
}

int bench_cookie(const struct bench_settings *settings)
{
    int code = TOOL_FAILED;
    void *memory = aligned_alloc(64, MEMORY);
    struct cookie *cookie = aligned_alloc(64, sizeof *cookie);
    if (memory == NULL || cookie == NULL) {
        code = tool_fail("out of memory");
    } else {
        memset(cookie, 0, sizeof *cookie);
        cookie->now = BENCH_SECOND;
        cookie->ipv6 = settings->ipv6;
        code = prepare(cookie, memory) ? measure(cookie, settings) : TOOL_FAILED;
    }
    free(cookie);
    free(memory);
    return code;
}
