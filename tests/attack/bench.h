/*
 * For tests that send packets by the million: one stack in virtual time, a writer of packets from any address
 * to any other, and a reader of what comes back. No checks after each packet (the rig has those), few copies.
 * What is written here is written from RFC 791, 792, 4443, 8200 and 9293, not by src/wire.
 */
#ifndef ESTAB_TESTS_ATTACK_BENCH_H
#define ESTAB_TESTS_ATTACK_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "estab/estab.h"
#include "sim/bytes.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 0x10 };

#define MICROSECOND UINT64_C(1000)
#define MS          UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)
#define BATCH       16u
#define ROOM        1600u

/* ---- numbers ---- */

static inline uint64_t next_random(uint64_t *seed)
{
    uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint32_t roll(uint64_t *seed, uint32_t n)
{
    return (uint32_t)(((next_random(seed) >> 32) * n) >> 32);
}

/* ---- addresses ---- */

static inline bool is_v4(const struct estab_addr *a)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(a->ip, mapped, 12) == 0;
}

static inline bool same_host(const struct estab_addr *a, const struct estab_addr *b)
{
    return memcmp(a->ip, b->ip, 16) == 0;
}

/* Host `host` of network `network`: 10.network.host, or fd09:network::host. */
static inline struct estab_addr host_addr(bool v6, unsigned network, unsigned host, uint16_t port)
{
    if (!v6) {
        return estab_addr_ipv4(10, (uint8_t)network, (uint8_t)(host >> 8), (uint8_t)host, port);
    }
    struct estab_addr a = {.ip = {0xfd, 9}, .port = port};
    put16(a.ip + 2, network);
    put16(a.ip + 14, host);
    return a;
}

/* ---- packets ---- */

struct packet_fields {
    struct estab_addr from, to;
    uint32_t seq, ack;
    unsigned flags;
    unsigned wnd;    /* 0 = 65535 */
    unsigned length; /* of text, all zero */
    const uint8_t *options;
    unsigned options_length; /* a multiple of four */
};

static inline uint32_t pseudo_sum(const struct estab_addr *a, const struct estab_addr *b, size_t length,
                                  unsigned protocol)
{
    size_t skip = is_v4(a) ? 12 : 0;
    uint32_t sum = sum_bytes(a->ip + skip, 16 - skip, protocol + (uint32_t)length);
    return sum_bytes(b->ip + skip, 16 - skip, sum);
}

/* An IP header for `length` bytes that follow. Returns where they begin. */
static inline size_t write_ip(uint8_t *out, const struct estab_addr *from, const struct estab_addr *to,
                              unsigned protocol, size_t length)
{
    if (!is_v4(from)) {
        memset(out, 0, 8);
        out[0] = 0x60;
        put16(out + 4, (unsigned)length);
        out[6] = (uint8_t)protocol;
        out[7] = 64;
        memcpy(out + 8, from->ip, 16);
        memcpy(out + 24, to->ip, 16);
        return 40;
    }
    memset(out, 0, 12);
    out[0] = 0x45;
    put16(out + 2, 20 + (unsigned)length);
    out[8] = 64;
    out[9] = (uint8_t)protocol;
    memcpy(out + 12, from->ip + 12, 4);
    memcpy(out + 16, to->ip + 12, 4);
    put16(out + 10, ~sum_bytes(out, 20, 0) & 0xffff);
    return 20;
}

static inline size_t write_tcp(uint8_t *out, const struct packet_fields *f)
{
    size_t length = 20 + f->options_length + f->length;
    size_t at = write_ip(out, &f->from, &f->to, 6, length);
    uint8_t *tcp = out + at;
    memset(tcp, 0, 20);
    put16(tcp, f->from.port);
    put16(tcp + 2, f->to.port);
    put32(tcp + 4, f->seq);
    put32(tcp + 8, f->ack);
    tcp[12] = (uint8_t)((20 + f->options_length) << 2);
    tcp[13] = (uint8_t)f->flags;
    put16(tcp + 14, f->wnd == 0 ? 65535 : f->wnd);
    if (f->options_length > 0) {
        memcpy(tcp + 20, f->options, f->options_length);
    }
    memset(tcp + 20 + f->options_length, 0, f->length);
    /* zeros add nothing to a sum */
    uint32_t sum = pseudo_sum(&f->from, &f->to, length, 6);
    put16(tcp + 16, ~sum_bytes(tcp, 20 + f->options_length, sum) & 0xffff);
    return at + length;
}

/* An ICMP message of the addresses' family: type, code, its second word, and a body. */
struct icmp_fields {
    struct estab_addr from, to;
    unsigned type, code;
    uint32_t rest;
    const uint8_t *body;
    size_t body_length;
};

static inline size_t write_icmp(uint8_t *out, const struct icmp_fields *f)
{
    bool v6 = !is_v4(&f->from);
    size_t length = 8 + f->body_length;
    size_t at = write_ip(out, &f->from, &f->to, v6 ? 58 : 1, length);
    uint8_t *icmp = out + at;
    memset(icmp, 0, 8);
    icmp[0] = (uint8_t)f->type;
    icmp[1] = (uint8_t)f->code;
    put32(icmp + 4, f->rest);
    memcpy(icmp + 8, f->body, f->body_length);
    uint32_t sum = v6 ? pseudo_sum(&f->from, &f->to, length, 58) : 0;
    put16(icmp + 2, ~sum_bytes(icmp, length, sum) & 0xffff);
    return at + length;
}

/* What a packet that came back says. */
struct heard {
    struct estab_addr from, to;
    bool tcp;
    uint32_t seq, ack;
    unsigned flags;
    unsigned text_length;
    bool has_ts;
    uint32_t tsval;
    unsigned id, fragment; /* of IPv4 */
    uint32_t label;        /* of IPv6 */
};

static inline void read_options(const uint8_t *p, size_t length, struct heard *h)
{
    for (size_t i = 0; i < length && p[i] != 0; i += p[i] == 1 ? 1 : p[i + 1]) {
        if (p[i] == 8) {
            h->has_ts = true;
            h->tsval = get32(p + i + 2);
        }
    }
}

static inline struct heard read_packet(const uint8_t *p, size_t length)
{
    struct heard h = {.from = estab_addr_any(0), .to = estab_addr_any(0)};
    bool v6 = p[0] >> 4 == 6;
    size_t at = v6 ? 40 : 20;
    if (v6) {
        memcpy(h.from.ip, p + 8, 16);
        memcpy(h.to.ip, p + 24, 16);
        h.label = get32(p) & 0xfffff;
    } else {
        h.from = estab_addr_ipv4(p[12], p[13], p[14], p[15], 0);
        h.to = estab_addr_ipv4(p[16], p[17], p[18], p[19], 0);
        h.id = get16(p + 4);
        h.fragment = get16(p + 6);
    }
    h.tcp = p[v6 ? 6 : 9] == 6;
    if (h.tcp) {
        const uint8_t *tcp = p + at;
        size_t header = (size_t)(tcp[12] >> 4) * 4;
        h.from.port = get16(tcp);
        h.to.port = get16(tcp + 2);
        h.seq = get32(tcp + 4);
        h.ack = get32(tcp + 8);
        h.flags = tcp[13];
        h.text_length = (unsigned)(length - at - header);
        read_options(tcp + 20, header - 20, &h);
    }
    return h;
}

/* ---- a stack, and the batch that is on its way to it ---- */

struct bench {
    estab_stack *stack;
    void *memory;
    uint64_t now;
    uint32_t interface;
    unsigned waiting;
    struct estab_packet packets[BATCH];
    uint8_t bytes[BATCH][ROOM];
    uint8_t out[BATCH][ROOM];
    void (*hear)(void *user, const uint8_t *packet, size_t length);
    void *user;
};

static inline void bench_config(struct estab_config *config, uint8_t secret)
{
    estab_config_init(config);
    for (uint8_t i = 0; i < 16; i++) {
        config->secret[i] = (uint8_t)(secret * 17 + i);
    }
    config->block_size = 4096;
}

/* Host 1 of network 1, of both families, on a link without headers. */
static inline struct estab_addr bench_addr(bool v6, uint16_t port)
{
    return host_addr(v6, 1, 1, port);
}

static inline void bench_start(struct bench *b, const struct estab_config *config, size_t memory)
{
    const struct estab_interface interface = {.size = sizeof interface, .mtu = 1500};
    const char *what = NULL;
    int error = 0;
    memset(b, 0, sizeof *b);
    b->memory = aligned_alloc(64, memory);
    assert_non_null(b->memory);
    b->stack = estab_init(b->memory, memory, config, &error, &what);
    if (b->stack == NULL) {
        fail_msg("estab_init: %s, %s", estab_strerror(error), what);
    }
    b->now = 1000 * SECOND;
    b->interface = (uint32_t)estab_interface_add(b->stack, b->now, &interface);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct estab_addr own = bench_addr(v6 == 1, 0);
        assert_int_equal(estab_address_add(b->stack, b->now, b->interface, &own, v6 ? 64 : 24), 0);
        struct estab_addr any = v6 ? estab_addr_any(0) : estab_addr_ipv4(0, 0, 0, 0, 0);
        struct estab_addr gateway = host_addr(v6 == 1, 1, 254, 0);
        assert_int_equal(estab_route_add(b->stack, b->interface, &any, 0, &gateway), 0);
    }
}

static inline void bench_stop(struct bench *b)
{
    const char *wrong = estab_check(b->stack);
    if (wrong != NULL) {
        fail_msg("%s", wrong);
    }
    free(b->memory);
}

static inline estab_conn bench_listen(struct bench *b, uint16_t port, unsigned backlog)
{
    estab_conn listener;
    struct estab_addr any = estab_addr_any(port);
    assert_int_equal(estab_open(b->stack, &listener), 0);
    assert_int_equal(estab_bind(b->stack, b->now, listener, &any), 0);
    assert_int_equal(estab_listen(b->stack, b->now, listener, backlog), 0);
    return listener;
}

/* What waits goes in, and everything that is due comes out. */
static inline void bench_flush(struct bench *b)
{
    struct estab_packet out[BATCH];
    estab_input(b->stack, b->now, b->packets, b->waiting);
    b->waiting = 0;
    while (estab_next_deadline(b->stack) <= b->now && estab_tick(b->stack, b->now)) {
    }
    while (estab_pull_pending(b->stack)) {
        for (unsigned i = 0; i < BATCH; i++) {
            out[i] = (struct estab_packet){.data = b->out[i], .capacity = ROOM};
        }
        unsigned count = estab_pull(b->stack, b->now, out, BATCH);
        for (unsigned i = 0; i < count && b->hear != NULL; i++) {
            b->hear(b->user, out[i].data, out[i].length);
        }
        if (count == 0) {
            break;
        }
    }
}

/* Where the next packet of the batch is to be written; bench_add() says how long it got. */
static inline uint8_t *bench_room(struct bench *b)
{
    if (b->waiting == BATCH) {
        bench_flush(b);
    }
    return b->bytes[b->waiting];
}

static inline void bench_add(struct bench *b, size_t length)
{
    b->packets[b->waiting] = (struct estab_packet){
        .data = b->bytes[b->waiting], .length = (uint32_t)length, .interface = b->interface};
    b->waiting++;
}

static inline void bench_tcp(struct bench *b, const struct packet_fields *fields)
{
    uint8_t *room = bench_room(b);
    bench_add(b, write_tcp(room, fields));
}

/* Time goes on, with a stop at each deadline. */
static inline void bench_advance(struct bench *b, uint64_t ns)
{
    uint64_t until = b->now + ns;
    bench_flush(b);
    for (uint64_t next; (next = estab_next_deadline(b->stack)) <= until;) {
        b->now = next > b->now ? next : b->now;
        bench_flush(b);
    }
    b->now = until;
}

static inline struct estab_counters bench_counters(const struct bench *b)
{
    struct estab_counters counters;
    estab_counters(b->stack, &counters);
    return counters;
}

#endif
