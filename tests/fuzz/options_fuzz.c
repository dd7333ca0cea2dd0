/*
 * The parsers of src/wire on bytes in a heap block of exactly their length: TCP header and options, IPv4
 * options, IPv6 extension chains, quoted headers, ICMP, neighbour discovery, ARP, Ethernet
 * (requirements/vulns.tsv A). Whatever parses must point into the bytes that it came from, and what can be
 * written again must parse to the same value.
 *
 * Input: one byte that chooses the parser, one of variation, then the bytes to parse.
 */
#include "fuzz.h"
#include "wire/arp.h"
#include "wire/icmp.h"

static void check_inside(const uint8_t *part, size_t part_length, const uint8_t *whole, size_t length)
{
    FUZZ_CHECK(part >= whole && part <= whole + length, "what was parsed begins in the bytes");
    FUZZ_CHECK(part_length <= (size_t)(whole + length - part), "what was parsed ends in the bytes");
    volatile uint8_t last = part_length > 0 ? part[part_length - 1] : 0;
    (void)last;
}

/* ------------------------------------------------------------------------------------------ TCP */

static void check_same_options(const struct tcp_segment *a, const struct tcp_segment *b)
{
    const struct tcp_options *x = &a->options;
    const struct tcp_options *y = &b->options;
    bool syn = (a->flags & TCP_SYN) != 0;
    FUZZ_CHECK(x->has_timestamps == y->has_timestamps && x->tsval == y->tsval && x->tsecr == y->tsecr,
               "timestamps survive");
    FUZZ_CHECK(!syn || (x->has_mss == y->has_mss && x->mss == y->mss), "the MSS survives");
    FUZZ_CHECK(!syn || (x->has_window_scale == y->has_window_scale && x->window_scale == y->window_scale),
               "the window scale survives");
    FUZZ_CHECK(!syn || x->sack_permitted == y->sack_permitted, "SACK-permitted survives");
    FUZZ_CHECK(syn || !(x->has_mss || x->has_window_scale || x->sack_permitted),
               "options of a SYN mean nothing elsewhere");
    uint8_t most = x->has_timestamps ? 3 : 4;
    uint8_t expected = syn ? 0 : x->sack_count < most ? x->sack_count : most;
    FUZZ_CHECK(y->sack_count == expected, "as many SACK blocks survive as fit");
    for (unsigned i = 0; i < y->sack_count; i++) {
        FUZZ_CHECK(seq_eq(x->sack[i].left, y->sack[i].left) && seq_eq(x->sack[i].right, y->sack[i].right),
                   "SACK blocks survive");
    }
}

static void fuzz_tcp(const uint8_t *data, size_t length)
{
    struct tcp_segment seg;
    struct tcp_segment again;
    struct tcp_segment third;
    uint8_t out[TCP_MAX_HEADER];
    uint8_t second[TCP_MAX_HEADER];
    if (tcp_segment_parse(data, length, &seg) != TCP_PARSED)
        return;
    check_inside(seg.header, seg.header_length, data, length);
    check_inside(seg.text, seg.text_length, data, length);
    FUZZ_CHECK(seg.header_length + seg.text_length == length, "header and text are the segment");
    FUZZ_CHECK(seg.options.sack_count <= TCP_MAX_SACK, "SACK blocks have room");
    uint32_t written = tcp_header_write(out, &seg);
    FUZZ_CHECK(written <= TCP_MAX_HEADER && written % 4 == 0, "a header written has a legal length");
    FUZZ_CHECK(written == TCP_HEADER + tcp_options_length(&seg.options, (seg.flags & TCP_SYN) != 0),
               "the length of options is foretold");
    FUZZ_CHECK(tcp_segment_parse(out, written, &again) == TCP_PARSED, "a header written parses");
    FUZZ_CHECK(seg.source_port == again.source_port && seg.destination_port == again.destination_port &&
                   seq_eq(seg.seq, again.seq) && seq_eq(seg.ack, again.ack) && seg.flags == again.flags &&
                   seg.wnd == again.wnd && seg.up == again.up,
               "the fields survive");
    check_same_options(&seg, &again);
    FUZZ_CHECK(tcp_header_write(second, &again) == written && memcmp(out, second, written) == 0,
               "writing what was written gives the same bytes");
    FUZZ_CHECK(tcp_segment_parse(second, written, &third) == TCP_PARSED, "and it parses once more");
}

/* The options alone, behind a header that is right: what mutation finds it hard to keep. */
static void fuzz_tcp_options(const uint8_t *data, size_t length, uint8_t variation)
{
    size_t options = length < TCP_MAX_OPTIONS ? length : TCP_MAX_OPTIONS;
    size_t padded = (options + 3) / 4 * 4;
    uint8_t *segment = malloc(TCP_HEADER + padded);
    memset(segment, 0, TCP_HEADER + padded);
    put_be16(segment, 0xffff);
    put_be32(segment + 4, 0xfffffff0);
    segment[12] = (uint8_t)((TCP_HEADER + padded) / 4 << 4);
    segment[13] = variation;
    if (options > 0)
        memcpy(segment + TCP_HEADER, data, options);
    memset(segment + TCP_HEADER + options, TCP_OPTION_NOP, padded - options);
    fuzz_tcp(segment, TCP_HEADER + padded);
    free(segment);
}

/* ------------------------------------------------------------------------------------------ IP */

static void check_again(const struct ip_datagram *d)
{
    struct ip_header_fields fields = {
        .source = d->source,
        .destination = d->destination,
        .payload_length = d->length,
        .flow_label = d->flow_label,
        .id = (uint16_t)d->id,
        .protocol = d->protocol,
        .hop_limit = d->hop_limit,
        .traffic_class = d->traffic_class,
    };
    struct ip_datagram again;
    size_t header = d->is_v6 ? IPV6_HEADER : IPV4_HEADER;
    uint8_t *packet = malloc(header + d->length);
    if (d->is_v6)
        ipv6_write(packet, &fields);
    else
        ipv4_write(packet, &fields);
    memcpy(packet + header, d->payload, d->length);
    enum ip_verdict verdict = d->is_v6 ? ipv6_parse(packet, header + d->length, &again)
                                       : ipv4_parse(packet, header + d->length, &again);
    FUZZ_CHECK(verdict == IP_OK, "a header written parses");
    FUZZ_CHECK(ip_addr_eq(&d->source, &again.source) && ip_addr_eq(&d->destination, &again.destination),
               "addresses survive");
    FUZZ_CHECK(d->protocol == again.protocol && d->hop_limit == again.hop_limit && d->is_v6 == again.is_v6 &&
                   d->traffic_class == again.traffic_class && d->flow_label == again.flow_label &&
                   (d->is_v6 || d->id == again.id) && !again.is_fragment,
               "the fields survive");
    FUZZ_CHECK(d->length == again.length && memcmp(d->payload, again.payload, d->length) == 0,
               "the payload survives");
    free(packet);
}

static void fuzz_icmp_of(const struct ip_datagram *d)
{
    struct icmp_message message;
    struct icmp_quote quote;
    struct ndp_message ndp;
    if (!icmp_parse(d, &message))
        return;
    check_inside(message.body, message.body_length, d->payload, d->length);
    if (icmp_parse_quote(&message, d->is_v6, &quote))
        check_inside(quote.datagram.payload, quote.datagram.length < 8 ? quote.datagram.length : 8,
                     message.body, message.body_length);
    ndp_parse(&message, &ndp);
    if (message.kind == ICMP_ECHO_REQUEST) {
        uint8_t *reply = malloc(ICMP_HEADER + message.body_length);
        struct ip_datagram back = *d;
        struct icmp_message echo;
        back.source = d->destination;
        back.destination = d->source;
        back.payload = reply;
        back.length = (uint32_t)(ICMP_HEADER + message.body_length);
        uint64_t pseudo = checksum_pseudo(&back.source, &back.destination, IP_PROTOCOL_ICMPV6);
        icmp_echo_reply_write(reply, &message, d->is_v6, pseudo);
        bool parsed = icmp_parse(&back, &echo);
        FUZZ_CHECK(parsed && echo.kind == ICMP_ECHO_REPLY, "an echo is answered by an echo reply");
        FUZZ_CHECK(echo.body_length == message.body_length &&
                       memcmp(echo.body, message.body, echo.body_length) == 0,
                   "with the same data");
        free(reply);
    }
}

static void fuzz_ip_packet(const uint8_t *data, size_t length, bool v6)
{
    struct ip_datagram d;
    enum ip_verdict verdict = v6 ? ipv6_parse(data, length, &d) : ipv4_parse(data, length, &d);
    if (verdict != IP_OK)
        return;
    check_inside(d.payload, d.length, data, length);
    if (!d.is_fragment) {
        check_again(&d);
        if (d.protocol == (v6 ? IP_PROTOCOL_ICMPV6 : IP_PROTOCOL_ICMP))
            fuzz_icmp_of(&d);
    } else if (v6 && d.fragment_offset == 0 && ipv6_skip_extensions(&d) == IP_OK) {
        check_inside(d.payload, d.length, data, length);
    }
}

static void fuzz_quoted(const uint8_t *data, size_t length, bool v6)
{
    struct ip_datagram d;
    enum ip_verdict verdict = v6 ? ipv6_parse_quoted(data, length, &d) : ipv4_parse_quoted(data, length, &d);
    if (verdict == IP_OK)
        check_inside(d.payload, d.length, data, length);
}

/* Version, lengths and checksums made right first, in a copy. */
static void fuzz_mended(const uint8_t *data, size_t length, bool v6)
{
    size_t header = v6 ? IPV6_HEADER : IPV4_HEADER;
    if (length < header || length > 65535)
        return;
    uint8_t *copy = malloc(length);
    memcpy(copy, data, length);
    copy[0] = (uint8_t)((v6 ? 0x60 : 0x40) | (copy[0] & 15));
    fuzz_mend(copy, length);
    fuzz_ip_packet(copy, length, v6);
    free(copy);
}

/* An ICMP message with a right checksum, whatever its type. */
static void fuzz_icmp(const uint8_t *data, size_t length, bool v6)
{
    static const uint8_t host[16] = {0xfd, 1};
    static const uint8_t v4[4] = {10, 0, 0, 1};
    if (length < ICMP_HEADER || length > 2048)
        return;
    uint8_t *copy = malloc(length);
    memcpy(copy, data, length);
    struct ip_datagram d = {
        .source = v6 ? ip_addr_v6(host) : ip_addr_v4(v4),
        .destination = v6 ? ip_addr_v6(host) : ip_addr_v4(v4),
        .payload = copy,
        .length = (uint32_t)length,
        .protocol = v6 ? IP_PROTOCOL_ICMPV6 : IP_PROTOCOL_ICMP,
        .hop_limit = 255,
        .is_v6 = v6,
    };
    fuzz_upper_checksum(&d, copy, 2);
    fuzz_icmp_of(&d);
    free(copy);
}

/* ------------------------------------------------------------------------------------------- link */

static void fuzz_link(const uint8_t *data, size_t length)
{
    struct ethernet_frame frame;
    struct arp_packet arp;
    struct arp_packet again;
    uint8_t out[ARP_LENGTH];
    if (ethernet_parse(data, length, &frame))
        check_inside(frame.payload, frame.length, data, length);
    if (arp_parse(data, length, &arp)) {
        arp_write(out, &arp);
        FUZZ_CHECK(arp_parse(out, ARP_LENGTH, &again), "ARP written parses");
        FUZZ_CHECK(arp.operation == again.operation && mac_eq(&arp.sender_mac, &again.sender_mac) &&
                       mac_eq(&arp.target_mac, &again.target_mac) &&
                       memcmp(arp.sender_ip, again.sender_ip, 4) == 0 &&
                       memcmp(arp.target_ip, again.target_ip, 4) == 0,
                   "ARP survives");
    }
}

/* Sums do not depend on where a run begins or is cut. */
static void fuzz_checksum(const uint8_t *data, size_t length, uint8_t cut)
{
    if (length == 0 || length > 65536)
        return;
    uint8_t *copy = malloc(length);
    uint32_t naive = 0;
    for (size_t i = 0; i < length; i++) {
        naive += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
        naive = (naive & 0xffff) + (naive >> 16);
    }
    uint8_t bytes[2];
    checksum_put(bytes, checksum_sum(data, length));
    uint16_t ours = (uint16_t)~get_be16(bytes);
    FUZZ_CHECK(ours == naive || (naive == 0xffff && ours == 0) || (naive == 0 && ours == 0xffff),
               "sums agree");
    FUZZ_CHECK(checksum_fold(checksum_copy(copy, data, length)) == checksum_fold(checksum_sum(data, length)),
               "copying sums the same");
    FUZZ_CHECK(memcmp(copy, data, length) == 0, "copying copies");
    size_t at = cut % length;
    uint64_t sum = checksum_sum(data, at);
    uint64_t rest = checksum_sum(data + at, length - at);
    sum = at % 2 == 1 ? checksum_add_odd(sum, rest) : sum + rest;
    FUZZ_CHECK(checksum_fold(sum) % 0xffff == checksum_fold(checksum_sum(data, length)) % 0xffff,
               "a cut changes nothing");
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size < 2)
        return 0;
    uint8_t variation = input[1];
    size_t length = size - 2;
    uint8_t *data = malloc(length + (length == 0));
    if (length > 0)
        memcpy(data, input + 2, length);
    bool v6 = (input[0] & 1) != 0;
    switch (input[0] >> 1 & 7) {
    case 0: fuzz_tcp(data, length); break;
    case 1: fuzz_tcp_options(data, length, variation); break;
    case 2: fuzz_ip_packet(data, length, v6); break;
    case 3: fuzz_mended(data, length, v6); break;
    case 4: fuzz_quoted(data, length, v6); break;
    case 5: fuzz_icmp(data, length, v6); break;
    case 6: fuzz_link(data, length); break;
    default: fuzz_checksum(data, length, variation); break;
    }
    free(data);
    return 0;
}
