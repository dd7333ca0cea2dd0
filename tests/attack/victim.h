/*
 * A whole stack for tests that send it bytes which no honest codec writes: lies about lengths, fragments,
 * frames, packets cut short. One interface (bare IP, or Ethernet with its neighbour known) with 10.9.0.2/24
 * and fd09::2/64, a listener on port 80 and, once asked for, a connection to it from 10.9.0.1 or fd09::1 port
 * 5000.
 *
 * Every packet goes in from a heap buffer of exactly its length, so that AddressSanitizer sees a read past
 * its end; what the stack sends is pulled into a buffer of its own. The bytes are written here from RFC 791,
 * 8200, 9293 and not by src/wire. See support/rig.h where whole segments are enough.
 */
#ifndef ESTAB_TESTS_VICTIM_H
#define ESTAB_TESTS_VICTIM_H

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

#define VICTIM_SECOND UINT64_C(1000000000)
#define VICTIM_PORT   80
#define PEER_TCP_PORT 5000
#define VICTIM_MEMORY ((size_t)512 << 10)
#define VICTIM_ISN    0xfffffe00u /* of the peer: traces cross the wrap */

enum { V_FIN = 1, V_SYN = 2, V_RST = 4, V_PSH = 8, V_ACK = 16, V_URG = 32 };
enum { V_ICMP = 1, V_TCP = 6, V_UDP = 17, V_ICMPV6 = 58 };
enum { ETHERNET_BYTES = 14 };

static const uint8_t victim_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2};

struct victim {
    estab_stack *stack;
    void *memory;
    uint64_t now;
    bool ethernet;
    estab_conn listener;
    uint32_t flags; /* of struct estab_packet for what goes in */
    uint16_t gso_size;
    uint8_t drop;      /* enum estab_drop of the last packet */
    uint8_t out[4096]; /* the last packet that victim_sends() took */
    uint32_t out_length;
    uint32_t peer_nxt, victim_nxt; /* of the connection */
};

static inline struct estab_addr victim_address(bool v6, uint8_t last, uint16_t port)
{
    if (!v6) {
        return estab_addr_ipv4(10, 9, 0, last, port);
    }
    struct estab_addr addr = {.ip = {0xfd, 9}, .port = port};
    addr.ip[15] = last;
    return addr;
}

static inline void victim_config(struct estab_config *config)
{
    estab_config_init(config);
    for (unsigned i = 0; i < 16; i++) {
        config->secret[i] = (uint8_t)(i * 11 + 3);
    }
    config->max_connections = 32;
    config->max_time_wait = 16;
    config->max_half_open = 16;
    config->max_neighbours = 16;
    config->receive_buffer = 16384;
    config->send_buffer = 16384;
    config->replies_per_second = 1000000;
    config->challenge_acks = 1000000;
}

static inline void victim_listen(struct victim *v)
{
    struct estab_addr any = estab_addr_any(VICTIM_PORT);
    assert_int_equal(estab_open(v->stack, &v->listener), 0);
    assert_int_equal(estab_bind(v->stack, v->now, v->listener, &any), 0);
    assert_int_equal(estab_listen(v->stack, v->now, v->listener, 8), 0);
}

/* The budget and what lies in it before; neighbours are not known yet. */
static inline struct victim *victim_create(const struct estab_config *config, bool ethernet, int fill)
{
    int error = 0;
    const char *what = NULL;
    struct victim *v = calloc(1, sizeof *v);
    assert_non_null(v);
    v->memory = aligned_alloc(64, VICTIM_MEMORY);
    assert_non_null(v->memory);
    memset(v->memory, fill, VICTIM_MEMORY);
    v->now = 100 * VICTIM_SECOND;
    v->ethernet = ethernet;
    v->stack = estab_init(v->memory, VICTIM_MEMORY, config, &error, &what);
    if (v->stack == NULL) {
        fail_msg("estab_init: %s, %s", estab_strerror(error), what);
    }
    struct estab_interface interface = {.size = sizeof interface, .mtu = 1500, .ethernet = ethernet};
    memcpy(interface.mac, victim_mac, 6);
    assert_int_equal(estab_interface_add(v->stack, v->now, &interface), 1);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct estab_addr own = victim_address(v6, 2, 0);
        assert_int_equal(estab_address_add(v->stack, v->now, 1, &own, v6 ? 64 : 24), 0);
    }
    victim_listen(v);
    return v;
}

static inline void victim_check(struct victim *v)
{
    const char *wrong = estab_check(v->stack);
    if (wrong != NULL) {
        fail_msg("estab_check: %s", wrong);
    }
}

/* Takes the next packet that is due: false = none. */
static inline bool victim_sends(struct victim *v)
{
    struct estab_packet packet = {.data = v->out, .capacity = sizeof v->out};
    if (estab_pull(v->stack, v->now, &packet, 1) == 0) {
        return false;
    }
    v->out_length = packet.length;
    return true;
}

static inline unsigned victim_drain(struct victim *v)
{
    unsigned count = 0;
    while (victim_sends(v)) {
        count++;
    }
    return count;
}

static inline struct victim *victim_start(bool ethernet)
{
    struct estab_config config;
    victim_config(&config);
    struct victim *v = victim_create(&config, ethernet, 0xa5);
    for (unsigned v6 = 0; v6 < 2 && ethernet; v6++) {
        struct estab_addr peer = victim_address(v6, 1, 0);
        assert_int_equal(estab_neighbour_add(v->stack, v->now, 1, &peer, peer_mac), 0);
    }
    victim_drain(v);
    victim_check(v);
    return v;
}

static inline void victim_stop(struct victim *v)
{
    victim_check(v);
    free(v->memory);
    free(v);
}

static inline struct estab_counters victim_counters(const struct victim *v)
{
    struct estab_counters counters;
    estab_counters(v->stack, &counters);
    return counters;
}

/* One packet or frame, as it is. */
static inline void victim_input(struct victim *v, const uint8_t *bytes, size_t length)
{
    uint8_t *exact = malloc(length > 0 ? length : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    uint8_t *data = length > 0 ? exact : exact + 1; /* of nothing there is no first byte */
    struct estab_packet packet = {.data = data, .length = (uint32_t)length, .interface = 1};
    packet.flags = v->flags;
    packet.gso_size = v->gso_size;
    estab_input(v->stack, v->now, &packet, 1);
    v->drop = packet.reason;
    free(exact);
}

/* Time goes on; what is due happens, and what is sent is thrown away. */
static inline void victim_wait(struct victim *v, uint64_t ns)
{
    v->now += ns;
    for (unsigned n = 0; estab_tick(v->stack, v->now); n++) {
        assert_true(n < 10000);
    }
    victim_drain(v);
}

/* ---- bytes: each returns how many it wrote ---- */

static inline size_t put_ethernet(uint8_t *out, unsigned type)
{
    memcpy(out, victim_mac, 6);
    memcpy(out + 6, peer_mac, 6);
    put16(out + 12, type);
    return ETHERNET_BYTES;
}

static inline void seal_ipv4(uint8_t *header)
{
    size_t length = (size_t)(header[0] & 15) * 4;
    put16(header + 10, 0);
    put16(header + 10, ~sum_bytes(header, length, 0) & 0xffff);
}

/* From the peer, for `payload` bytes behind a header of `words` words whose options are NOPs. */
static inline size_t put_ipv4(uint8_t *out, unsigned words, unsigned protocol, size_t payload)
{
    size_t length = (size_t)words * 4;
    memset(out, 0, 20);
    memset(out + 20, 1, length > 20 ? length - 20 : 0);
    out[0] = (uint8_t)(0x40 | words);
    put16(out + 2, (unsigned)(length + payload));
    out[8] = 64;
    out[9] = (uint8_t)protocol;
    memcpy(out + 12, victim_address(false, 1, 0).ip + 12, 4);
    memcpy(out + 16, victim_address(false, 2, 0).ip + 12, 4);
    seal_ipv4(out);
    return length;
}

static inline size_t put_ipv6(uint8_t *out, unsigned next, size_t payload)
{
    memset(out, 0, 40);
    out[0] = 0x60;
    put16(out + 4, (unsigned)payload);
    out[6] = (uint8_t)next;
    out[7] = 255;
    memcpy(out + 8, victim_address(true, 1, 0).ip, 16);
    memcpy(out + 24, victim_address(true, 2, 0).ip, 16);
    return 40;
}

static inline size_t put_ip(uint8_t *out, bool v6, unsigned protocol, size_t payload)
{
    return v6 ? put_ipv6(out, protocol, payload) : put_ipv4(out, 5, protocol, payload);
}

/* The sum of the pseudo header of a packet from the peer (RFC 9293 3.1, RFC 8200 8.1). */
static inline uint32_t pseudo_sum(bool v6, unsigned protocol, size_t length)
{
    struct estab_addr from = victim_address(v6, 1, 0);
    struct estab_addr to = victim_address(v6, 2, 0);
    size_t skip = v6 ? 0 : 12;
    uint32_t sum = sum_bytes(from.ip + skip, 16 - skip, protocol + (uint32_t)length);
    return sum_bytes(to.ip + skip, 16 - skip, sum);
}

static inline void seal_tcp(uint8_t *tcp, size_t length, bool v6)
{
    put16(tcp + 16, 0);
    put16(tcp + 16, ~sum_bytes(tcp, length, pseudo_sum(v6, V_TCP, length)) & 0xffff);
}

static inline void seal_icmp(uint8_t *icmp, size_t length, bool v6)
{
    put16(icmp + 2, 0);
    uint32_t sum = v6 ? pseudo_sum(true, V_ICMPV6, length) : 0;
    put16(icmp + 2, ~sum_bytes(icmp, length, sum) & 0xffff);
}

/* A header of `words` words, its options NOPs; the checksum is still to be made. */
static inline size_t put_tcp(uint8_t *out, unsigned words, unsigned flags, uint32_t seq, uint32_t ack)
{
    size_t length = (size_t)words * 4;
    memset(out, 0, 20);
    memset(out + 20, 1, length > 20 ? length - 20 : 0);
    put16(out, PEER_TCP_PORT);
    put16(out + 2, VICTIM_PORT);
    put32(out + 4, seq);
    put32(out + 8, ack);
    out[12] = (uint8_t)(words << 4);
    out[13] = (uint8_t)flags;
    put16(out + 14, 8000);
    return length;
}

/* A whole segment without options in a whole packet. */
static inline size_t put_segment(uint8_t *out, bool v6, unsigned flags, uint32_t seq, uint32_t ack)
{
    size_t at = put_ip(out, v6, V_TCP, 20);
    put_tcp(out + at, 5, flags, seq, ack);
    seal_tcp(out + at, 20, v6);
    return at + 20;
}

/* An echo request whose body counts up, in a whole packet. */
static inline size_t put_echo(uint8_t *out, bool v6, size_t body)
{
    size_t at = put_ip(out, v6, v6 ? V_ICMPV6 : V_ICMP, 8 + body);
    uint8_t *icmp = out + at;
    memset(icmp, 0, 8);
    icmp[0] = v6 ? 128 : 8;
    put32(icmp + 4, 0x12345678);
    for (size_t i = 0; i < body; i++) {
        icmp[8 + i] = (uint8_t)(i * 29 + 7);
    }
    seal_icmp(icmp, 8 + body, v6);
    return at + 8 + body;
}

static inline void victim_segment(struct victim *v, bool v6, unsigned flags, uint32_t seq, uint32_t ack)
{
    uint8_t packet[128];
    size_t link = v->ethernet ? put_ethernet(packet, v6 ? 0x86dd : 0x0800) : 0;
    victim_input(v, packet, link + put_segment(packet + link, v6, flags, seq, ack));
}

/* A connection from the peer's port 5000 to the listener; its user holds it. */
static inline estab_conn victim_connected(struct victim *v, bool v6)
{
    estab_conn conn = 0;
    size_t tcp = (v->ethernet ? ETHERNET_BYTES : 0) + (v6 ? 40u : 20u);
    victim_segment(v, v6, V_SYN, VICTIM_ISN, 0);
    assert_true(victim_sends(v));
    assert_int_equal(v->out[tcp + 13], V_SYN | V_ACK);
    v->peer_nxt = VICTIM_ISN + 1;
    v->victim_nxt = get32(v->out + tcp + 4) + 1;
    victim_segment(v, v6, V_ACK, v->peer_nxt, v->victim_nxt);
    assert_int_equal(estab_accept(v->stack, v->now, v->listener, &conn), 0);
    assert_int_equal(victim_drain(v), 0);
    struct estab_event events[16];
    while (estab_poll(v->stack, events, 16) > 0) {
    }
    return conn;
}

static inline struct estab_status victim_status(const struct victim *v, estab_conn conn)
{
    struct estab_status status;
    assert_int_equal(estab_status(v->stack, conn, &status), 0);
    return status;
}

/* Deterministic numbers. */
static inline uint32_t victim_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33 ^ *state >> 59);
}

#endif
