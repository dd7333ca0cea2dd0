/*
 * The Internet layer under TCP: interfaces, addresses, routes, neighbours, fragments, ICMP and path MTU, for
 * IPv4 (RFC 791, 1122 3) and IPv6 (RFC 8200, 4861, 4443). It takes packets apart into what TCP must see,
 * answers by itself what is its own business (ARP, neighbour discovery, echo), and writes the headers of what
 * TCP sends. It knows nothing of connections: what an ICMP error is worth is decided above, which then
 * reports back a lower path MTU.
 *
 * Optional parts are tables of functions behind the pointers of the config (struct estab_family, struct
 * estab_link): where one is NULL its packets are dropped and none of its code is linked.
 */
#ifndef ESTAB_IP_IP_H
#define ESTAB_IP_IP_H

#include "base/pool.h"
#include "base/siphash.h"
#include "estab/estab.h"
#include "ip/fragments.h"
#include "wire/icmp.h"
#include "wire/ip_header.h"

#define IP_MAX_ADDRESSES 8 /* of one interface */
#define IP_MAX_ROUTES 16
#define IP_MAX_PATH_MTUS 32
#define IP_MAX_REPLIES 16 /* own packets that wait to be pulled; more are dropped and counted */
#define IP_NO_NEIGHBOUR UINT16_MAX

struct ip_host; /* ip/host.h: the tables; private to src/ip */

struct ip_config {
    const struct estab_family *ipv6;   /* NULL = IPv4 only */
    const struct estab_link *ethernet; /* NULL = no Ethernet interface can be added */
    uint32_t max_neighbours;
    uint32_t replies_per_second;       /* of each kind, and of them what one place allows: */
    uint32_t reply_places;             /* remote addresses that may be answered in a second */
    uint32_t fragment_bytes;           /* memory for reassembly; 0 = fragments are dropped */
    uint8_t hop_limit;
    struct siphash_key key;            /* for IP ids and flow labels */
    struct estab_counters *counters;   /* the stack's, to be counted into */
};

/* Bytes (a multiple of 16) that ip_create() will take for this config, and the host made in them. */
size_t ip_memory(const struct ip_config *config);
struct ip_host *ip_create(void *memory, const struct ip_config *config, struct pool *pool);

/* The tables behind the API of the same names; errors are the API's. */
int ip_interface_add(struct ip_host *ip, uint64_t now, const struct estab_interface *interface);
int ip_interface_set_mtu(struct ip_host *ip, uint32_t interface, uint32_t mtu);
/* NULL where there is none */
const struct estab_interface *ip_interface(const struct ip_host *ip, uint32_t interface);
int ip_address_add(struct ip_host *ip, uint64_t now, uint32_t interface, const struct ip_addr *address,
                   unsigned prefix);
int ip_address_remove(struct ip_host *ip, uint32_t interface, const struct ip_addr *address);
int ip_route_add(struct ip_host *ip, uint32_t interface, const struct ip_addr *network, unsigned prefix,
                 const struct ip_addr *gateway);
int ip_route_remove(struct ip_host *ip, uint32_t interface, const struct ip_addr *network, unsigned prefix);
int ip_neighbour_add(struct ip_host *ip, uint32_t interface, const struct ip_addr *address,
                     const struct mac_addr *mac);

/* An address of one of our interfaces. */
bool ip_is_local(const struct ip_host *ip, const struct ip_addr *address);

/* ---- input ---- */

enum ip_received_kind {
    IP_RECEIVED_NOTHING,   /* handled here or dropped: `drop` says which */
    /* datagram.payload is a whole TCP segment from a valid unicast source to an address of ours */
    IP_RECEIVED_TCP,
    IP_RECEIVED_ICMP_ERROR /* about a packet that quotes one of our addresses as its source */
};

struct ip_received {
    enum ip_received_kind kind;
    enum estab_drop drop;
    uint32_t interface;
    /* points into the packet, or into a reassembly buffer until the next ip_input() */
    struct ip_datagram datagram;
    enum icmp_kind error;        /* ICMP_ERROR */
    uint32_t error_mtu;          /* with ICMP_PACKET_TOO_BIG: as told, RFC 1191's plateaus where 0 was told */
    struct icmp_quote quote;
};

/*
 * Takes one packet apart. Source routes, and TCP in a frame for a group, are dropped here; invalid addresses
 * (MUST-57, MUST-63, LAND) here for all but TCP, for TCP in ip_check_addresses(). ARP, neighbour discovery
 * and echo requests are handled and their answers queued for ip_pull().
 */
void ip_input(struct ip_host *ip, uint64_t now, const struct estab_packet *packet,
              struct ip_received *received);

/*
 * The address rules for a TCP segment (MUST-57, MUST-63): ESTAB_DROP_NONE or why it must be dropped in
 * silence. ip_input() leaves them to the caller, who need not ask for a segment of a connection that exists:
 * its addresses were checked when it was opened.
 */
enum estab_drop ip_check_addresses(const struct ip_host *ip, const struct ip_received *received);

/* ---- limits ---- */

/* What strangers can provoke; each kind has a limit of its own. */
enum ip_reply_kind { IP_REPLY_ECHO, IP_REPLY_RESET, IP_REPLY_KINDS };

/*
 * Whether one more may be sent to this address in this second; counts it. No address can tell what another
 * has had. One IPv6 network of 64 bits counts as one address: its hosts have as many as they like.
 */
bool ip_reply_allowed(struct ip_host *ip, uint64_t now, const struct ip_addr *remote,
                      enum ip_reply_kind kind);

/* ---- output ---- */

/* The way to a destination as a connection remembers it: 12 bytes. */
struct ip_path {
    uint32_t generation; /* of the tables when it was found; 0 = none yet */
    uint16_t neighbour;  /* index of the next hop's entry, IP_NO_NEIGHBOUR on a link without */
    uint16_t neighbour_generation;
    uint8_t interface;   /* 1.. */
    uint8_t link_header; /* bytes in front of the IP header: 0 or 14 */
};

/*
 * Finds the way from *source to `destination`. Where *source is any it is chosen (MUST-44), longest prefix
 * first, same scope. `scope` is an interface or 0. Returns 0, -ESTAB_ENETUNREACH, -ESTAB_EADDRNOTAVAIL
 * (source is not ours, unless the interface accepts any address; or the destination is ours),
 * -ESTAB_EAFNOSUPPORT, -ESTAB_ENOBUFS (every neighbour entry is static).
 * `hint` is the interface that a packet being answered came in by, or 0.
 */
struct ip_path_query {
    const struct ip_addr *destination;
    uint32_t scope;
    uint32_t hint;
};
int ip_path_find(struct ip_host *ip, uint64_t now, const struct ip_path_query *query, struct ip_addr *source,
                 struct ip_path *path);

/* False once routes, addresses or the neighbour entry have changed: find it again. */
bool ip_path_valid(const struct ip_host *ip, const struct ip_path *path);

enum ip_path_state {
    IP_PATH_READY,
    IP_PATH_WAIT,  /* the neighbour is being asked for; ip_take_settled() will say when to try again */
    IP_PATH_FAILED /* the neighbour did not answer lately: the host cannot be reached (a soft error) */
};
enum ip_path_state ip_path_resolve(struct ip_host *ip, uint64_t now, const struct ip_path *path);

/*
 * True once after a neighbour was resolved or given up since the last call: connections that wait may try
 * again.
 */
bool ip_take_settled(struct ip_host *ip);

/* TCP made progress through this neighbour: it is reachable (RFC 4861 7.3.1). Cheap. */
void ip_path_confirm(struct ip_host *ip, uint64_t now, const struct ip_path *path);

/* Bytes of link and IP header on this path. */
static inline uint32_t ip_path_header(const struct ip_path *path, bool v6)
{
    return path->link_header + (v6 ? IPV6_HEADER : IPV4_HEADER);
}

/* Writes link and IP header for a path that is READY; always DF, so IPv4 ids carry nothing (RFC 6864). */
void ip_path_write(const struct ip_host *ip, const struct ip_path *path,
                   const struct ip_header_fields *fields, uint8_t *out);

/* A label that is the same for a flow and tells nothing of others (RFC 6437). */
uint32_t ip_flow_label(const struct ip_host *ip, const struct ip_addr *source,
                       const struct ip_addr *destination, uint32_t ports);

/* The MTU of the link that a path begins with. */
uint32_t ip_link_mtu(const struct ip_host *ip, const struct ip_path *path, const struct ip_addr *destination);

/*
 * The MTU towards a destination: the interface's, or what packet-too-big told less than 10 minutes ago (RFC
 * 1191 6.3, RFC 8201 5.3).
 */
uint32_t ip_path_mtu(const struct ip_host *ip, uint64_t now, const struct ip_path *path,
                     const struct ip_addr *destination);

/*
 * Lowers it, not below 552 (IPv4) or 1280 (IPv6) (RFC 5927 7). Returns the new path MTU. The caller has made
 * sure that the message is about a packet in flight.
 */
uint32_t ip_path_mtu_lower(struct ip_host *ip, uint64_t now, const struct ip_addr *destination, uint32_t mtu);

/*
 * One packet of this layer's own (ARP, neighbour discovery, echo reply) if any waits: fills packet->data,
 * length, interface, reason.
 */
bool ip_pull(struct ip_host *ip, uint64_t now, struct estab_packet *packet);
bool ip_pull_pending(const struct ip_host *ip);

/* Blocks of the pool that waiting echo replies hold. */
uint32_t ip_blocks_used(const struct ip_host *ip);

/* Memory of datagrams that wait for their fragments: its own, no block of the pool. */
struct fragments_use ip_fragments_use(const struct ip_host *ip);

/* Neighbour and router solicitations, reassembly timeouts. */
void ip_tick(struct ip_host *ip, uint64_t now);
uint64_t ip_next_deadline(const struct ip_host *ip); /* UINT64_MAX = none */

/* Every invariant of the tables; NULL = all hold. */
const char *ip_check(const struct ip_host *ip);

#endif
