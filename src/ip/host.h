/*
 * The tables of the Internet layer and the parts that only its own files share: interfaces with their
 * addresses, routes, neighbours (RFC 826, RFC 4861 5.1), path MTUs (RFC 1191, RFC 8201), reassembly slots
 * (RFC 791 3.2, RFC 8200 4.5) and the queues of own packets. The optional parts are the two tables of
 * functions, struct estab_link (Ethernet with ARP) and struct estab_family (IPv6 with neighbour discovery):
 * code outside of ethernet_link.c and ipv6_family.c reaches them only through the pointers of the config, so
 * that a program that does not name them does not link them.
 *
 * Everything is sized once in ip_create(). It knows nothing of connections.
 */
#ifndef ESTAB_IP_HOST_H
#define ESTAB_IP_HOST_H

#include "base/assert.h"
#include "base/limiter.h"
#include "base/table.h"
#include "ip/fragments.h"
#include "ip/ip.h"

#define SECOND_NS    1000000000ull
#define IPV6_MIN_MTU 1280u /* RFC 8200 5 */
#define IPV4_MIN_MTU 68u   /* RFC 791 3.2 */

/* ---- interfaces and routes (host.c) ---- */

struct ip_address {
    struct ip_addr address;
    uint32_t broadcast; /* of its network, IPv4; 0 = none */
    uint8_t prefix;
};

struct ip_interface {
    struct estab_interface setup;
    struct mac_addr mac;
    uint8_t address_count;
    struct ip_address addresses[IP_MAX_ADDRESSES];
};

struct ip_route {
    struct ip_addr network;
    struct ip_addr gateway; /* any: the destination itself is on the link */
    uint8_t interface;
    uint8_t prefix;
};

/* ---- neighbours (neighbour.c) ---- */

enum neighbour_state {
    NEIGHBOUR_FREE,
    NEIGHBOUR_INCOMPLETE, /* asked for, nothing heard yet */
    NEIGHBOUR_FAILED,     /* did not answer */
    NEIGHBOUR_STALE,      /* an address that nobody has confirmed lately */
    NEIGHBOUR_REACHABLE,
    NEIGHBOUR_DELAY, /* STALE and used: TCP may confirm it before it is probed */
    NEIGHBOUR_PROBE, /* asked again, its address used meanwhile */
    NEIGHBOUR_STATIC
};
#define NEIGHBOUR_LISTS 8u

struct neighbour {
    struct ip_addr address;
    uint64_t
        when; /* INCOMPLETE, DELAY, PROBE: when the timer fires; REACHABLE: confirmed; FAILED: given up */
    uint16_t next; /* in the list of its state, oldest first */
    uint16_t previous;
    uint16_t generation; /* counts the neighbours that stood here */
    struct mac_addr mac;
    uint8_t interface;
    uint8_t state;
    uint8_t tries;
    bool used; /* since eviction last passed by */
};

struct neighbour_list {
    uint16_t head;
    uint16_t tail;
    uint32_t count;
};

/*
 * A packet of ARP or neighbour discovery that waits to be pulled: it is written then, so that it needs no
 * block of the pool.
 */
enum link_message_kind { LINK_ASK, LINK_ANSWER, LINK_FIND_ROUTER };

struct link_message {
    struct ip_addr address; /* ASK: whom; ANSWER: the address of ours that was asked for */
    struct ip_addr to;      /* ANSWER: who asked; any: everybody */
    struct mac_addr mac;    /* ANSWER, or ASK with `to_one`: where to */
    uint8_t kind;
    uint8_t interface;
    bool to_one;
};

struct neighbours {
    struct neighbour *entries;
    struct link_message *messages; /* a ring of IP_MAX_REPLIES */
    struct table table;            /* keyed hash of address and interface to entry */
    uint32_t capacity;
    uint16_t message_first;
    uint16_t message_count;
    uint64_t settle_at; /* tell those whose entry was evicted to try again; UINT64_MAX = none */
    struct neighbour_list lists[NEIGHBOUR_LISTS];
};

/* ---- path MTUs (path_mtu.c) ---- */

struct path_mtu {
    uint64_t hash;    /* of the destination; with 64 keyed bits no two are taken for each other */
    uint32_t expires; /* in units of 2^32 ns */
    uint16_t mtu;     /* 0 = free */
};

/* ---- IPv6 on an Ethernet interface (ipv6_family.c) ---- */

struct ipv6_interface {
    struct ip_addr router;   /* from a router advertisement */
    uint64_t router_expires; /* 0 = none */
    uint64_t solicit_at;     /* next router solicitation; UINT64_MAX = none */
    uint32_t mtu;            /* of the MTU option; 0 = none */
    uint8_t solicit_left;
};

/* ---- the host ---- */

struct ip_reply {
    struct block *block; /* the whole packet stands at block->data */
    uint16_t length;
    uint8_t interface;
};

struct ip_host {
    struct ip_config config;
    struct pool *pool;
    uint32_t generation; /* of addresses and routes; never 0 */
    uint8_t interface_count;
    uint8_t route_count;
    uint8_t reply_first;
    uint8_t reply_count;
    bool settled;
    struct limiter limiters[IP_REPLY_KINDS];
    struct ip_interface interfaces[ESTAB_MAX_INTERFACES];
    struct ip_route routes[IP_MAX_ROUTES];
    struct path_mtu path_mtus[IP_MAX_PATH_MTUS];
    struct ip_reply replies[IP_MAX_REPLIES];
    struct neighbours *neighbours;          /* NULL without Ethernet */
    struct ipv6_interface *ipv6_interfaces; /* NULL without IPv6 or without Ethernet */
    struct fragments *fragments;            /* NULL without memory for them */
};

/* An IP packet on its way through the input. */
struct ip_arrival {
    uint64_t now;
    uint32_t interface;
    const uint8_t *data;
    size_t length;
    struct mac_addr link_source; /* Ethernet */
    bool link_group;             /* came in a multicast or broadcast frame */
    bool reassembled;
};

/* Ethernet, or another link with addresses. */
struct estab_link {
    uint32_t header;
    /*
     * Takes the link header off: true where an IP packet of *type remains in *arrival; else all is done and
     * *drop says what.
     */
    bool (*input)(struct ip_host *ip, struct ip_arrival *arrival, uint16_t *type, enum estab_drop *drop);
    void (*write)(uint8_t *out, const struct mac_addr *destination, const struct mac_addr *source, bool v6);
    size_t (*message_write)(const struct ip_host *ip, const struct link_message *message, uint8_t *out);
};

/* IPv6. */
struct estab_family {
    enum ip_verdict (*parse)(const uint8_t *data, size_t length, struct ip_datagram *datagram);
    enum ip_verdict (*skip_extensions)(struct ip_datagram *datagram);
    void (*write)(uint8_t *out, const struct ip_header_fields *fields);
    bool (*listens)(const struct ip_host *ip, uint32_t interface, const struct ip_addr *group);
    enum estab_drop (*discovery_input)(struct ip_host *ip, const struct ip_arrival *arrival,
                                       const struct ip_datagram *datagram,
                                       const struct icmp_message *message);
    size_t (*message_write)(const struct ip_host *ip, const struct link_message *message, uint8_t *out);
    void (*interface_added)(struct ip_host *ip, uint32_t interface);
    void (*address_added)(struct ip_host *ip, uint64_t now, uint32_t interface,
                          const struct ip_addr *address);
    const struct ip_addr *(*router)(const struct ip_host *ip, uint64_t now,
                                    uint32_t interface); /* NULL = none */
    void (*tick)(struct ip_host *ip, uint64_t now);
    uint64_t (*next_deadline)(const struct ip_host *ip);
};

/* host.c */
static inline const struct ip_interface *host_interface(const struct ip_host *ip, uint32_t interface)
{
    return &ip->interfaces[interface - 1];
}

static inline bool host_has_interface(const struct ip_host *ip, uint32_t interface)
{
    return interface >= 1 && interface <= ip->interface_count;
}

/* Every path has to be found anew. */
void host_changed(struct ip_host *ip);
const struct ip_address *host_interface_address(const struct ip_interface *interface,
                                                const struct ip_addr *address);
bool host_is_broadcast(const struct ip_host *ip,
                       const struct ip_addr *address); /* of a prefix of ours, IPv4 */
bool host_is_on_link(const struct ip_host *ip, uint32_t interface, const struct ip_addr *address);

/*
 * The address of this interface that fits best as a source for `destination` (RFC 6724 5: scope, then common
 * prefix); NULL = none of its family.
 */
const struct ip_addr *host_source(const struct ip_interface *interface, const struct ip_addr *destination);

/* A keyed hash of an address; `tag` tells the uses apart. */
uint64_t host_hash(const struct ip_host *ip, const struct ip_addr *address, uint64_t tag);

/* neighbour.c */
size_t neighbours_memory(uint32_t capacity);
struct neighbours *neighbours_create(void *memory, uint32_t capacity);
uint16_t neighbour_find(const struct ip_host *ip, uint32_t interface, const struct ip_addr *address);
uint16_t neighbour_want(struct ip_host *ip, uint64_t now, uint32_t interface, const struct ip_addr *address);
enum ip_path_state neighbour_resolve(struct ip_host *ip, uint64_t now, uint16_t index);
void neighbour_confirm(struct ip_host *ip, uint64_t now, uint16_t index);
int neighbour_set(struct ip_host *ip, uint32_t interface, const struct ip_addr *address,
                  const struct mac_addr *mac);

/*
 * What was heard: somebody asked us and told its own address; somebody said where an address is, to our
 * question or unasked. mac NULL = not said.
 */
struct neighbour_claim {
    uint32_t interface;
    const struct ip_addr *address;
    const struct mac_addr *mac;
    bool solicited;
};
void neighbour_learn(struct ip_host *ip, uint64_t now, const struct neighbour_claim *claim);
bool neighbour_answered(struct ip_host *ip, uint64_t now, const struct neighbour_claim *claim);
void neighbours_tick(struct ip_host *ip, uint64_t now);
uint64_t neighbours_next_deadline(const struct neighbours *neighbours);
const char *neighbours_check(const struct ip_host *ip);
bool link_message_add(struct ip_host *ip, const struct link_message *message); /* false = no room */
bool link_message_take(struct ip_host *ip, struct link_message *message);

/* icmp.c */
enum estab_drop icmp_input(struct ip_host *ip, const struct ip_arrival *arrival,
                           struct ip_received *received);

/* output.c */
void output_write_ip(const struct ip_host *ip, const struct ip_header_fields *fields, uint8_t *out);

/* path_mtu.c */
uint32_t path_mtu_get(const struct ip_host *ip, uint64_t now,
                      const struct ip_addr *destination); /* UINT32_MAX = not known */

#endif
