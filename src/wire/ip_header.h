/*
 * What IPv4 (RFC 791) and IPv6 (RFC 8200) headers say, as one plain value. Parsing checks every length
 * against the bytes that arrived (V-01, V-05, V-06) and never looks past them; the verdict names the first
 * thing that is wrong. Options and extension headers are skipped within bounds; a source route is refused
 * (DEVIATION from MUST-51: RFC 7126).
 */
#ifndef ESTAB_WIRE_IP_HEADER_H
#define ESTAB_WIRE_IP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/address.h"

#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define IP_PROTOCOL_ICMP 1u
#define IP_PROTOCOL_TCP 6u
#define IP_PROTOCOL_ICMPV6 58u
#define IPV6_MAX_EXTENSIONS 8u
#define IPV6_MAX_EXTENSION_BYTES 256u

enum ip_verdict {
    IP_OK,
    IP_TRUNCATED,     /* fewer bytes than a header or its length field says */
    IP_BAD_VERSION,
    IP_BAD_LENGTH,    /* header length or total length impossible */
    IP_BAD_CHECKSUM,
    IP_BAD_OPTION,    /* an option whose length is impossible */
    IP_SOURCE_ROUTED,
    IP_BAD_EXTENSION, /* too many, too long, out of order, or an unknown one whose type says discard */
    IP_NO_NEXT_HEADER
};

struct ip_datagram {
    struct ip_addr source;
    struct ip_addr destination;
    const uint8_t *payload;  /* after options and extension headers; of a fragment: its part */
    uint32_t length;         /* of the payload */
    uint32_t flow_label;     /* IPv6 */
    uint32_t id;             /* of the fragment: 16 bits in IPv4, 32 in IPv6 */
    uint32_t fragment_offset; /* bytes */
    /* the upper-layer protocol (of an IPv6 fragment: the next header of the fragment header) */
    uint8_t protocol;
    uint8_t hop_limit;
    uint8_t traffic_class;   /* DSCP and ECN */
    uint8_t header_length;   /* IPv4 only: bytes of header with options; what an ICMP error must quote */
    bool more_fragments;
    bool is_fragment;        /* more_fragments or an offset */
    bool is_v6;
};

enum ip_verdict ipv4_parse(const uint8_t *data, size_t length, struct ip_datagram *datagram);
enum ip_verdict ipv6_parse(const uint8_t *data, size_t length, struct ip_datagram *datagram);

/*
 * The extension headers that follow a reassembled IPv6 fragment: continues at datagram->payload with
 * datagram->protocol.
 */
enum ip_verdict ipv6_skip_extensions(struct ip_datagram *datagram);

/*
 * Headers quoted in an ICMP error: as parse, but the payload may be cut short, and checksums are not
 * verified.
 */
enum ip_verdict ipv4_parse_quoted(const uint8_t *data, size_t length, struct ip_datagram *datagram);
enum ip_verdict ipv6_parse_quoted(const uint8_t *data, size_t length, struct ip_datagram *datagram);

struct ip_header_fields {
    struct ip_addr source;
    struct ip_addr destination;
    uint32_t payload_length;
    uint32_t flow_label;
    uint16_t id;
    uint8_t protocol;
    uint8_t hop_limit;
    uint8_t traffic_class;
    bool dont_fragment;
};

/* Writes IPV4_HEADER bytes with their checksum, or IPV6_HEADER bytes. */
void ipv4_write(uint8_t *out, const struct ip_header_fields *fields);
/*
 * A datagram that is never cut: DF, and an id of 0, which means nothing and tells nothing (RFC 6864 4.1,
 * O-28).
 */
void ipv4_write_whole(uint8_t *out, const struct ip_header_fields *fields);
void ipv6_write(uint8_t *out, const struct ip_header_fields *fields);

#endif
