/*
 * A host of the Internet layer in memory of exactly ip_memory() bytes, packets to put in and what comes out.
 * Every packet goes in from a heap buffer of its own length, so that a read past its end is seen by
 * AddressSanitizer; after every call the invariants are checked.
 */
#ifndef ESTAB_TESTS_IP_FIXTURE_H
#define ESTAB_TESTS_IP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ip/ip.h"
#include "wire/arp.h"
#include "wire/checksum.h"

#define SECOND     1000000000ull
#define START      (7 * SECOND)
#define BLOCK_SIZE 4096u
#define BLOCKS     32u

static const struct mac_addr OUR_MAC = {{2, 0, 0, 0, 0, 1}};
static const struct mac_addr PEER_MAC = {{2, 0, 0, 0, 0, 2}};
static const struct mac_addr OTHER_MAC = {{2, 0, 0, 0, 0, 3}};
static const struct mac_addr BROADCAST_MAC = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct fixture {
    struct ip_config config;
    struct estab_counters counters;
    struct pool pool;
    void *pool_memory;
    void *memory;
    struct ip_host *ip;
    uint64_t now;
    struct ip_received received;
    uint8_t *last; /* the packet that `received` points into */
    uint8_t out[2048];
    struct estab_packet pulled;
};

static inline struct ip_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    uint8_t bytes[4] = {a, b, c, d};
    return ip_addr_v4(bytes);
}

/* prefix:0:0:0:0:0:0:last, of 16 bits each. */
static inline struct ip_addr v6(unsigned prefix, unsigned last)
{
    struct ip_addr address = {{0}};
    put_be16(address.b, prefix);
    put_be16(address.b + 14, last);
    return address;
}

static inline void fixture_check(struct fixture *f)
{
    const char *wrong = ip_check(f->ip);
    if (wrong != NULL) {
        fail_msg("%s", wrong);
    }
}

static inline struct fixture *fixture_create(const struct ip_config *config)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->config = *config;
    f->config.counters = &f->counters;
    f->pool_memory = aligned_alloc(16, BLOCKS * BLOCK_SIZE);
    pool_init(&f->pool, f->pool_memory, BLOCKS * BLOCK_SIZE, BLOCK_SIZE);
    assert_int_equal(ip_memory(&f->config) % 16, 0);
    f->memory = aligned_alloc(16, ip_memory(&f->config));
    memset(f->memory, 0xa5, ip_memory(&f->config));
    f->ip = ip_create(f->memory, &f->config, &f->pool);
    f->now = START;
    fixture_check(f);
    return f;
}

static inline struct ip_config config_full(void)
{
    struct ip_config config = {.ipv6 = &estab_ipv6, .ethernet = &estab_ethernet};
    config.max_neighbours = 8;
    config.replies_per_second = 100;
    config.reply_places = 1;
    config.fragment_bytes = 16384;
    config.hop_limit = 64;
    config.key = (struct siphash_key){0x0123456789abcdefull, 0xfedcba9876543210ull};
    return config;
}

static inline uint32_t fixture_interface(struct fixture *f, bool ethernet)
{
    struct estab_interface interface = {.size = sizeof(interface), .mtu = 1500, .ethernet = ethernet};
    memcpy(interface.mac, OUR_MAC.b, 6);
    int number = ip_interface_add(f->ip, f->now, &interface);
    assert_true(number > 0);
    return (uint32_t)number;
}

/* An interface with 10.9.0.2/24 and fd09::2/64. */
static inline struct fixture *fixture_with(const struct ip_config *config, bool ethernet)
{
    struct fixture *f = fixture_create(config);
    uint32_t interface = fixture_interface(f, ethernet);
    struct ip_addr four = v4(10, 9, 0, 2);
    struct ip_addr six = v6(0xfd09, 2);
    assert_int_equal(ip_address_add(f->ip, f->now, interface, &four, 24), 0);
    if (config->ipv6 != NULL) {
        assert_int_equal(ip_address_add(f->ip, f->now, interface, &six, 64), 0);
    }
    fixture_check(f);
    return f;
}

static inline void fixture_destroy(struct fixture *f)
{
    fixture_check(f);
    free(f->last);
    free(f->memory);
    free(f->pool_memory);
    free(f);
}

static inline struct ip_received *put(struct fixture *f, uint32_t interface, const uint8_t *data,
                                      size_t length)
{
    free(f->last);
    f->last = malloc(length + (length == 0));
    memcpy(f->last, data, length);
    struct estab_packet packet = {.data = f->last, .length = (uint32_t)length, .interface = interface};
    ip_input(f->ip, f->now, &packet, &f->received);
    if (f->received.kind == IP_RECEIVED_TCP) {
        f->received.drop = ip_check_addresses(f->ip, &f->received);
        f->received.kind = f->received.drop == ESTAB_DROP_NONE ? IP_RECEIVED_TCP : IP_RECEIVED_NOTHING;
    }
    fixture_check(f);
    return &f->received;
}

static inline void expect_drop(struct fixture *f, const uint8_t *data, size_t length, enum estab_drop drop)
{
    struct ip_received *received = put(f, 1, data, length);
    assert_int_equal(received->kind, IP_RECEIVED_NOTHING);
    assert_int_equal(received->drop, drop);
}

/* False where nothing is due; else f->pulled, in f->out. */
static inline bool pull(struct fixture *f)
{
    memset(f->out, 0xee, sizeof(f->out));
    f->pulled = (struct estab_packet){.data = f->out, .capacity = sizeof(f->out)};
    bool pending = ip_pull_pending(f->ip);
    bool pulled = ip_pull(f->ip, f->now, &f->pulled);
    assert_int_equal(pending, pulled);
    fixture_check(f);
    return pulled;
}

static inline void expect_silence(struct fixture *f)
{
    assert_false(pull(f));
}

static inline void tick_to(struct fixture *f, uint64_t now)
{
    f->now = now;
    ip_tick(f->ip, now);
    fixture_check(f);
}

/* ---- packets ---- */

struct header {
    struct ip_addr from, to;
    uint8_t protocol;
    uint8_t hop_limit;
    uint16_t id;
    uint16_t fragment; /* the IPv4 field: flags and offset in units */
};

static inline size_t ip_packet(uint8_t *out, const struct header *h, const void *payload, size_t length)
{
    struct ip_header_fields fields = {.source = h->from, .destination = h->to, .protocol = h->protocol};
    fields.payload_length = (uint32_t)length;
    fields.hop_limit = h->hop_limit == 0 ? 64 : h->hop_limit;
    fields.id = h->id;
    if (!ip_addr_is_v4(&h->to)) {
        ipv6_write(out, &fields);
        memmove(out + IPV6_HEADER, payload, length);
        return IPV6_HEADER + length;
    }
    ipv4_write(out, &fields);
    put_be16(out + 6, h->fragment);
    memset(out + 10, 0, 2);
    checksum_put(out + 10, checksum_sum(out, IPV4_HEADER));
    memmove(out + IPV4_HEADER, payload, length);
    return IPV4_HEADER + length;
}

static inline size_t frame(uint8_t *out, const struct mac_addr *to, unsigned type, const void *payload,
                           size_t length)
{
    memmove(out + ETHERNET_HEADER, payload, length);
    ethernet_write(out, to, &PEER_MAC, (uint16_t)type);
    return ETHERNET_HEADER + length;
}

/* An ICMP or ICMPv6 message with its checksum over `length` bytes at `message`. */
static inline size_t icmp_packet(uint8_t *out, const struct header *h, uint8_t *message, size_t length)
{
    bool six = !ip_addr_is_v4(&h->to);
    struct header with = *h;
    with.protocol = six ? IP_PROTOCOL_ICMPV6 : IP_PROTOCOL_ICMP;
    memset(message + 2, 0, 2);
    uint64_t sum = checksum_sum(message, length);
    if (six) {
        sum += checksum_pseudo(&h->from, &h->to, IP_PROTOCOL_ICMPV6) + checksum_length((uint32_t)length);
    }
    checksum_put(message + 2, sum);
    return ip_packet(out, &with, message, length);
}

/* The way to `to`, which must be found. */
static inline struct ip_path path_to(struct fixture *f, const struct ip_addr *to)
{
    struct ip_path_query query = {.destination = to};
    struct ip_addr source = {{0}};
    struct ip_path path = {0};
    assert_int_equal(ip_path_find(f->ip, f->now, &query, &source, &path), 0);
    assert_true(ip_path_valid(f->ip, &path));
    fixture_check(f);
    return path;
}

#endif
