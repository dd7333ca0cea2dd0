/*
 * What the fuzz targets share: the reader of their input, packets made and checked with the library's own
 * wire functions, and a stack that is worked until it is quiet. A condition that does not hold is written to
 * stderr and traps, which libFuzzer and the replay both report as a finding.
 *
 * All of it stands in this header, so that a target is one file. It knows src/wire and the public API,
 * nothing of src/tcp and src/stack.
 */
#ifndef ESTAB_FUZZ_FUZZ_H
#define ESTAB_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "estab/estab.h"
#include "estab/trace.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ip_header.h"
#include "wire/tcp_header.h"

#define FUZZ_SECOND      UINT64_C(1000000000)
#define FUZZ_MILLISECOND UINT64_C(1000000)
#define FUZZ_ROOM        66000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For loops over many bytes whose branches say nothing new to libFuzzer and cost it much. */
#if defined(__clang__)
#define FUZZ_UNTRACED __attribute__((no_sanitize("coverage")))
#else
#define FUZZ_UNTRACED
#endif

#define FUZZ_CHECK(condition, what) ((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, what))

__attribute__((noreturn)) static inline void fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    fflush(stderr);
    __builtin_trap();
}

/* ------------------------------------------------------------------------------------------ input */

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t take8(struct fuzz_input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static inline uint16_t take16(struct fuzz_input *in)
{
    uint16_t high = take8(in);
    return (uint16_t)(high << 8 | take8(in));
}

static inline uint32_t take32(struct fuzz_input *in)
{
    uint32_t high = take16(in);
    return high << 16 | take16(in);
}

/* Up to `length` bytes; *taken says how many there were. */
static inline const uint8_t *take_bytes(struct fuzz_input *in, size_t length, size_t *taken)
{
    const uint8_t *from = in->at;
    *taken = length < in->left ? length : in->left;
    in->at += *taken;
    in->left -= *taken;
    return from;
}

/* Offsets whose edges matter: small ones of both signs, powers of two, halves of the sequence space. */
static inline uint32_t take_offset(struct fuzz_input *in)
{
    uint8_t code = take8(in);
    if (code < 160)
        return (uint32_t)(int32_t)((int)code - 80);
    if (code < 224)
        return (1u << ((code - 160) / 2)) - (code & 1u);
    return take32(in);
}

/* Nanoseconds: none, some, or up to hours. */
static inline uint64_t take_time(struct fuzz_input *in)
{
    uint8_t code = take8(in);
    if (code < 128)
        return code * FUZZ_MILLISECOND;
    if (code < 240)
        return (uint64_t)(code - 127) * 50 * FUZZ_MILLISECOND;
    return (uint64_t)take8(in) * (code == 255 ? 60 : 1) * FUZZ_SECOND;
}

/* ---------------------------------------------------------------------------------------- packets */

static inline struct ip_addr fuzz_ip(const struct estab_addr *addr)
{
    return ip_addr_v6(addr->ip);
}

static inline struct estab_addr fuzz_v6(uint16_t net, uint8_t host, uint16_t port)
{
    struct estab_addr addr = {{0xfd, 0, (uint8_t)(net >> 8), (uint8_t)net}, port, 0, 0};
    addr.ip[15] = host;
    return addr;
}

/* An IP packet with this upper-layer message; the room must hold 40 bytes more than it. */
static inline size_t fuzz_ip_write(uint8_t *out, const struct ip_addr *source,
                                   const struct ip_addr *destination, uint8_t protocol, size_t payload)
{
    struct ip_header_fields fields = {
        .source = *source,
        .destination = *destination,
        .payload_length = (uint32_t)payload,
        .protocol = protocol,
        .hop_limit = 255,
    };
    if (ip_addr_is_v4(source)) {
        ipv4_write(out, &fields);
        return IPV4_HEADER + payload;
    }
    ipv6_write(out, &fields);
    return IPV6_HEADER + payload;
}

static inline size_t fuzz_ip_header(const struct ip_addr *address)
{
    return ip_addr_is_v4(address) ? IPV4_HEADER : IPV6_HEADER;
}

static inline void fuzz_tcp_checksum(uint8_t *segment, size_t length, const struct ip_addr *source,
                                     const struct ip_addr *destination)
{
    if (length < TCP_HEADER)
        return;
    put_be16(segment + 16, 0);
    checksum_put(segment + 16, checksum_pseudo(source, destination, IP_PROTOCOL_TCP) +
                                   checksum_length((uint32_t)length) + checksum_sum(segment, length));
}

/* A segment in its packet; `text` of seg is copied. Returns the length. */
static inline size_t fuzz_segment_write(uint8_t *out, const struct ip_addr *source,
                                        const struct ip_addr *destination, const struct tcp_segment *seg)
{
    uint8_t *segment = out + fuzz_ip_header(source);
    uint32_t header = tcp_header_write(segment, seg);
    if (seg->text_length > 0)
        memcpy(segment + header, seg->text, seg->text_length);
    fuzz_tcp_checksum(segment, header + seg->text_length, source, destination);
    return fuzz_ip_write(out, source, destination, IP_PROTOCOL_TCP, header + seg->text_length);
}

static inline void fuzz_upper_checksum(const struct ip_datagram *d, uint8_t *payload, size_t field)
{
    if (d->length < field + 2)
        return;
    uint64_t sum =
        d->protocol == IP_PROTOCOL_ICMP
            ? 0
            : checksum_pseudo(&d->source, &d->destination, d->protocol) + checksum_length(d->length);
    put_be16(payload + field, 0);
    checksum_put(payload + field, sum + checksum_sum(payload, d->length));
}

/* Lengths and checksums of an IP packet made right, as far as its bytes allow. */
static inline void fuzz_mend(uint8_t *packet, size_t length)
{
    struct ip_datagram d;
    if (length >= IPV4_HEADER && packet[0] >> 4 == 4) {
        size_t header = (packet[0] & 15u) * 4u;
        put_be16(packet + 2, (uint32_t)length);
        put_be16(packet + 10, 0);
        if (header >= IPV4_HEADER && header <= length)
            checksum_put(packet + 10, checksum_sum(packet, header));
        if (ipv4_parse(packet, length, &d) != IP_OK)
            return;
    } else if (length >= IPV6_HEADER && packet[0] >> 4 == 6) {
        put_be16(packet + 4, (uint32_t)(length - IPV6_HEADER));
        if (ipv6_parse(packet, length, &d) != IP_OK)
            return;
    } else {
        return;
    }
    if (d.is_fragment)
        return;
    uint8_t *payload = packet + (d.payload - packet);
    if (d.protocol == IP_PROTOCOL_TCP)
        fuzz_upper_checksum(&d, payload, 16);
    else if (d.protocol == IP_PROTOCOL_ICMP || d.protocol == IP_PROTOCOL_ICMPV6)
        fuzz_upper_checksum(&d, payload, 2);
}

/* What the stack sends must parse, fit its interface and carry right checksums. */
static inline void fuzz_check_ip(const uint8_t *packet, size_t length, const struct estab_packet *from)
{
    struct ip_datagram d;
    struct tcp_segment seg;
    FUZZ_CHECK(length >= IPV4_HEADER, "a packet sent has an IP header");
    bool v4 = packet[0] >> 4 == 4;
    enum ip_verdict verdict = v4 ? ipv4_parse(packet, length, &d) : ipv6_parse(packet, length, &d);
    FUZZ_CHECK(verdict == IP_OK, "a packet sent parses");
    FUZZ_CHECK(length == (size_t)(d.payload - packet) + d.length,
               "a packet sent is as long as its header says");
    FUZZ_CHECK(ip_addr_is_multicast(&d.source) == false, "a packet sent does not come from a group");
    if (d.protocol != IP_PROTOCOL_TCP)
        return;
    FUZZ_CHECK(tcp_segment_parse(d.payload, d.length, &seg) == TCP_PARSED, "a segment sent parses");
    uint64_t sum = checksum_pseudo(&d.source, &d.destination, IP_PROTOCOL_TCP) + checksum_length(d.length);
    FUZZ_CHECK(checksum_ok(sum + checksum_sum(d.payload, d.length)), "a segment sent has a right checksum");
    FUZZ_CHECK(from->gso_size > 0 || d.length <= 1500, "a segment sent fits the interface");
    FUZZ_CHECK(from->reason != ESTAB_REASON_NONE, "a segment sent has a reason");
    FUZZ_CHECK(!((seg.flags & TCP_SYN) && (seg.flags & (TCP_FIN | TCP_RST))),
               "no segment sent opens and ends");
}

/* A packet pulled, its slices behind its header, its checksum completed, in `flat`. Returns the length. */
static inline size_t fuzz_flatten(const struct estab_packet *packet, uint8_t *flat)
{
    size_t length = packet->length;
    memcpy(flat, packet->data, length);
    for (unsigned i = 0; i < packet->slice_count; i++) {
        FUZZ_CHECK(length + packet->slices[i].length <= FUZZ_ROOM,
                   "a gathered packet is no longer than 64 KiB");
        memcpy(flat + length, packet->slices[i].data, packet->slices[i].length);
        length += packet->slices[i].length;
    }
    if (packet->flags & ESTAB_PACKET_CHECKSUM_PARTIAL) {
        uint32_t start = packet->checksum_start;
        uint8_t *field = flat + start + packet->checksum_offset;
        FUZZ_CHECK(start + packet->checksum_offset + 2u <= length,
                   "the checksum left to do is in the packet");
        checksum_put(field, checksum_sum(flat + start, length - start));
    }
    return length;
}

/* ------------------------------------------------------------------------------------------ stack */

static inline void fuzz_check_stack(const estab_stack *stack)
{
    const char *wrong = estab_check(stack);
    if (wrong != NULL)
        fuzz_fail("estab_check", 0, wrong);
}

/* Timers that are due are handled in a bounded number of calls. */
static inline void fuzz_tick(estab_stack *stack, uint64_t now)
{
    unsigned rounds = 0;
    while (estab_tick(stack, now)) {
        FUZZ_CHECK(++rounds < 10000, "the timers that are due at one time come to an end");
    }
    fuzz_check_stack(stack);
}

static inline estab_stack *fuzz_stack(void *memory, size_t size, const struct estab_config *config)
{
    const char *what = "";
    int error = 0;
    estab_stack *stack = estab_init(memory, size, config, &error, &what);
    if (stack == NULL) {
        fprintf(stderr, "estab_init: %s (%s), minimum %zu\n", estab_strerror(error), what,
                estab_memory_minimum(config));
        abort();
    }
    return stack;
}

#endif
