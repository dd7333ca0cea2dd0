/*
 * ICMP (RFC 792, RFC 1191) and ICMPv6 (RFC 4443) messages as values, and the messages of IPv6 neighbour
 * discovery (RFC 4861). Only bytes that arrived are ever looked at or copied (V-09); an option of length zero
 * makes a neighbour discovery message unparsable (V-10).
 */
#ifndef ESTAB_WIRE_ICMP_H
#define ESTAB_WIRE_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/address.h"
#include "wire/ethernet.h"
#include "wire/ip_header.h"

#define ICMP_HEADER 8u

/* What an ICMP or ICMPv6 message means to us, in one vocabulary for both. */
enum icmp_kind {
    ICMP_ECHO_REQUEST,
    ICMP_ECHO_REPLY,
    ICMP_NET_UNREACHABLE,      /* 3/0; v6 1/0 no route */
    ICMP_HOST_UNREACHABLE,     /* 3/1 and 3/5..3/8, 3/11, 3/12; v6 1/2, 1/3 */
    ICMP_PROTOCOL_UNREACHABLE, /* 3/2; v6 4/1 */
    ICMP_PORT_UNREACHABLE,     /* 3/3; v6 1/4 */
    ICMP_PROHIBITED,           /* 3/9, 3/10, 3/13; v6 1/1, 1/5, 1/6 */
    ICMP_PACKET_TOO_BIG,       /* 3/4; v6 2/0 */
    ICMP_TIME_EXCEEDED,        /* 11; v6 3 */
    ICMP_PARAMETER_PROBLEM,    /* 12; v6 4/0, 4/2 */
    ICMP_SOURCE_QUENCH,        /* 4 */
    ICMP_REDIRECT,             /* 5; v6 137 */
    NDP_ROUTER_SOLICITATION,
    NDP_ROUTER_ADVERTISEMENT,
    NDP_NEIGHBOUR_SOLICITATION,
    NDP_NEIGHBOUR_ADVERTISEMENT,
    ICMP_OTHER
};

struct icmp_message {
    enum icmp_kind kind;
    uint8_t type;
    uint8_t code;
    uint32_t mtu;          /* packet too big; 0 where an old router says none */
    const uint8_t *body;   /* after the 8-byte header: echo data, or the quoted packet */
    size_t body_length;
    uint8_t rest[4];       /* bytes 4..7: identifier and sequence number of an echo */
};

/* Length and checksum are verified; v6 needs the pseudo header of `datagram`. */
bool icmp_parse(const struct ip_datagram *datagram, struct icmp_message *message);

/*
 * An echo reply to `message` in `out` (ICMP_HEADER + body_length bytes), checksummed; pseudo = 0 for IPv4,
 * else checksum_pseudo() of the reply.
 */
void icmp_echo_reply_write(uint8_t *out, const struct icmp_message *message, bool v6, uint64_t pseudo);

/*
 * The quoted datagram of an error message, and of its TCP header the ports and the sequence number: the eight
 * bytes every router sends.
 */
struct icmp_quote {
    struct ip_datagram datagram; /* payload may be shorter than the header said */
    uint16_t source_port;
    uint16_t destination_port;
    uint32_t seq;
};
bool icmp_parse_quote(const struct icmp_message *message, bool v6, struct icmp_quote *quote);

/* Neighbour discovery. Hop limit 255 is checked by the caller, lengths and options here. */
struct ndp_message {
    struct ip_addr target;       /* solicitation and advertisement of a neighbour */
    bool has_link_address;       /* source or target link-layer address option */
    struct mac_addr link_address;
    bool router, solicited, override; /* flags of a neighbour advertisement */
    uint16_t router_lifetime_s;  /* router advertisement */
    uint8_t hop_limit;           /* router advertisement; 0 = not said */
    uint32_t mtu;                /* MTU option; 0 = none */
    bool has_prefix;             /* first prefix information option */
    bool prefix_on_link;
    bool prefix_autonomous;
    uint8_t prefix_length;
    struct ip_addr prefix;
    uint32_t prefix_valid_s;
};
bool ndp_parse(const struct icmp_message *message, struct ndp_message *ndp);

/* Whole ICMPv6 messages, checksummed with `pseudo`; they return their length. */
#define NDP_MAX_LENGTH 32u
size_t ndp_write_neighbour_solicitation(uint8_t *out, const struct ip_addr *target,
                                        const struct mac_addr *mac, uint64_t pseudo);
size_t ndp_write_neighbour_advertisement(uint8_t *out, const struct ip_addr *target,
                                         const struct mac_addr *mac, bool solicited, uint64_t pseudo);
size_t ndp_write_router_solicitation(uint8_t *out, const struct mac_addr *mac, uint64_t pseudo);

#endif
