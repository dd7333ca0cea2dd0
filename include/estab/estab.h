/*
 * estab: TCP as a library (RFC 9293).
 *
 * A stack is a value in memory that you give it. It owns no thread, no socket and no clock: you feed it
 * packets with estab_input(), ask it for packets with estab_pull(), tell it the time in every call and call
 * it again at the latest when estab_next_deadline() says. It never calls you back: what has become possible
 * is pulled with estab_poll().
 *
 *     for (;;) {
 *         wait for a packet, for your own events, or until estab_next_deadline(stack);
 *         estab_input(stack, now, packets, n);              what has arrived
 *         estab_tick(stack, now);                           what has become due
 *         n = estab_poll(stack, events, max);               what you may do now
 *         ... estab_recv(), estab_send(), estab_accept() ...
 *         while ((n = estab_pull(stack, now, packets, max)) > 0) send them;
 *     }
 *
 * Conventions. Times are nanoseconds of one monotonic clock of yours, starting anywhere above zero and never
 * going back. Calls that can fail return 0 or a count, or a negative value of enum estab_error. Where a
 * comment says "moves the deadline", ask estab_next_deadline() again afterwards; every call that takes `now`
 * may also leave packets to pull. One thread at a time may use a stack; different stacks share nothing.
 *
 * Requirement ids (MUST-n, SHLD-n ...) are those of RFC 9293 appendix B; all are in docs/requirements.md.
 */
#ifndef ESTAB_ESTAB_H
#define ESTAB_ESTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__clang__)
#define ESTAB_API __attribute__((visibility("default")))
#elif defined(__GNUC__)
#define ESTAB_API __attribute__((visibility("default"), externally_visible))
#else
#define ESTAB_API
#endif

#define ESTAB_VERSION_MAJOR 0
#define ESTAB_VERSION_MINOR 1
#define ESTAB_VERSION_PATCH 0

/* "0.1.0": the version of the library that is linked, which may differ from the header's. */
ESTAB_API const char *estab_version(void);

/* ------------------------------------------------------------------------------------------------- errors */

/* Calls return these negated. X(name, text) */
#define ESTAB_ERRORS(X)                                                                                      \
    X(EBADF, "no such connection: the handle is stale")                                                      \
    X(EINVAL, "invalid argument")                                                                            \
    X(EAGAIN, "nothing to do now, try again after the next event")                                           \
    X(EADDRINUSE, "address and port are in use")                                                             \
    X(EADDRNOTAVAIL, "not an address of this stack, or no ephemeral port is free")                           \
    X(ENETUNREACH, "no route to the destination")                                                            \
    X(EHOSTUNREACH, "the destination cannot be reached")                                                     \
    X(ECONNREFUSED, "connection refused")                                                                    \
    X(ECONNRESET, "connection reset by the peer")                                                            \
    X(ECONNABORTED, "connection aborted by this side")                                                       \
    X(ETIMEDOUT, "connection timed out")                                                                     \
    X(EPIPE, "this side has closed its sending direction")                                                   \
    X(ENOTCONN, "not connected")                                                                             \
    X(EISCONN, "already connected or opening")                                                               \
    X(EOPNOTSUPP, "not possible in this state")                                                              \
    X(EAFNOSUPPORT, "this address family is not built in")                                                   \
    X(ENOBUFS, "the memory budget is used up")                                                               \
    X(EPROTO, "the peer broke the protocol")                                                                 \
    X(EMSGSIZE, "too large")                                                                                 \
    X(EACCES, "not permitted")

enum estab_error {
    ESTAB_OK = 0,
#define ESTAB_ERROR_ENUM(name, text) ESTAB_##name,
    ESTAB_ERRORS(ESTAB_ERROR_ENUM)
#undef ESTAB_ERROR_ENUM
};

/* A sentence for an error, negated or not; never NULL. */
ESTAB_API const char *estab_strerror(int error);

/* "ECONNREFUSED" for ESTAB_ECONNREFUSED, negated or not; never NULL. */
ESTAB_API const char *estab_error_name(int error);

/* ---------------------------------------------------------------------------------------------- addresses */

/*
 * An address and a port. IPv4 addresses stand in mapped form (::ffff:a.b.c.d); all zero, or ::ffff:0.0.0.0,
 * means any.
 */
struct estab_addr {
    uint8_t ip[16];
    uint16_t port;      /* host order; 0 = choose one, or any */
    uint16_t reserved;  /* 0 */
    uint32_t scope;     /* interface number of an IPv6 link-local address, 0 = whichever fits */
};

static inline struct estab_addr estab_addr_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    struct estab_addr addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, port, 0, 0};
    return addr;
}

static inline struct estab_addr estab_addr_any(uint16_t port)
{
    struct estab_addr addr = {{0}, port, 0, 0};
    return addr;
}

/* -------------------------------------------------------------------------------------------------- names */

typedef struct estab_stack estab_stack;

/*
 * A connection or a listener: index and generation, so that a stale one is found out (-ESTAB_EBADF). 0 is
 * none.
 */
typedef uint64_t estab_conn;

/* The states of RFC 9293 3.3.2, in the order of its text. */
#define ESTAB_STATES(X)                                                                                      \
    X(CLOSED, "CLOSED")                                                                                      \
    X(LISTEN, "LISTEN")                                                                                      \
    X(SYN_SENT, "SYN-SENT")                                                                                  \
    X(SYN_RECEIVED, "SYN-RECEIVED")                                                                          \
    X(ESTABLISHED, "ESTABLISHED")                                                                            \
    X(FIN_WAIT_1, "FIN-WAIT-1")                                                                              \
    X(FIN_WAIT_2, "FIN-WAIT-2")                                                                              \
    X(CLOSE_WAIT, "CLOSE-WAIT")                                                                              \
    X(CLOSING, "CLOSING")                                                                                    \
    X(LAST_ACK, "LAST-ACK")                                                                                  \
    X(TIME_WAIT, "TIME-WAIT")

enum estab_state {
#define ESTAB_STATE_ENUM(name, text) ESTAB_##name,
    ESTAB_STATES(ESTAB_STATE_ENUM)
#undef ESTAB_STATE_ENUM
    ESTAB_STATE_COUNT
};

/* "FIN-WAIT-1"; never NULL. */
ESTAB_API const char *estab_state_name(unsigned state);

/*
 * The arrows of the state machine, one after the other: what happened in `from` and where it led. Returns
 * false past the last one.
 */
struct estab_transition {
    uint8_t from;         /* enum estab_state */
    uint8_t to;
    bool in_figure;       /* drawn in RFC 9293 Figure 5, that of its note 1 included */
    const char *event;    /* "rcv FIN" */
    const char *event_id; /* "RCV_FIN" */
    const char *section;  /* "3.10.7.4" */
};
ESTAB_API bool estab_transition(unsigned index, struct estab_transition *transition);

/* For each state what the user may call, what may arrive and which timers may run, in words; never NULL. */
struct estab_state_notes {
    const char *calls;
    const char *segments;
    const char *timers;
};
ESTAB_API struct estab_state_notes estab_state_notes(unsigned state);

/* ------------------------------------------------------------------------------------------ configuration */

#define ESTAB_OFF UINT64_MAX             /* for fields where 0 means the default: switch it off */
#define ESTAB_INFINITE (UINT64_MAX - 1)  /* for times: never */

/*
 * Optional parts. A pointer left NULL in the config leaves the part out of the program (with --gc-sections).
 */
struct estab_family;
struct estab_link;
struct estab_cookies;
struct estab_cc;
ESTAB_API extern const struct estab_family estab_ipv6;
ESTAB_API extern const struct estab_link estab_ethernet;   /* Ethernet with ARP, and NDP where IPv6 is in */
ESTAB_API extern const struct estab_cookies estab_syn_cookies;    /* RFC 4987: once the SYN cache is full */
ESTAB_API extern const struct estab_cookies estab_syn_cookies_always; /* for every SYN, without a cache */
ESTAB_API extern const struct estab_cc estab_cc_newreno;   /* RFC 5681, 6582 */

#define ESTAB_MAX_CC 4

/*
 * What TCP finds out about the path MTU beside packet-too-big messages (RFC 4821, RFC 8899). Where a segment
 * goes unacknowledged for three timeouts in a row (a black hole), segments become those of an MTU of 1024
 * bytes (IPv4; 552 where it was no larger, or after two more) or 1280 (IPv6). While segments are smaller than
 * link and peer allow, larger ones are probed with text that waits to be sent: at once after a black hole,
 * else ten minutes after the path MTU was lowered or the last search ended.
 */
enum estab_mtu_probing {
    ESTAB_MTU_PROBING_DEFAULT, /* both */
    ESTAB_MTU_PROBING_OFF,     /* neither: only packet too big counts */
    ESTAB_MTU_PROBING_ALWAYS   /* begin with the small size and search upward from there: never stalls */
};

struct estab_config {
    size_t size;                  /* sizeof(struct estab_config): lets the struct grow */
    /* the only entropy (RFC 6528, 6056, 7323): 16 random bytes, another for each stack, never shown */
    uint8_t secret[16];
    const struct estab_family *ipv6;
    const struct estab_link *ethernet;
    const struct estab_cookies *cookies; /* NULL: a full SYN cache lets its oldest go */
    const struct estab_cc *cc[ESTAB_MAX_CC]; /* cc[0] is the default and must be there */

    uint32_t max_connections;     /* connections and listeners; 0 = from the memory, a quarter of it */
    /* TIME-WAIT records; 0 = max_connections. When full the oldest is let go (counted) */
    uint32_t max_time_wait;
    /*
     * handshakes of listeners under way, in the SYN cache; 0 = a thirty-second of the memory, at most 8192.
     * Once three quarters are taken chance decides which SYNs are answered by cookie; when it is full all are
     */
    uint32_t max_half_open;
    uint32_t max_neighbours;      /* 0 = 64; at most 65534 */
    /*
     * connections that were closed and are not at their end yet; 0 = half of max_connections, at least 16.
     * Beyond it the one that got on least recently is reset (counted)
     */
    uint32_t max_orphans;
    uint32_t trace_records;       /* records kept until they are pulled (estab/trace.h); 0 = none */
    uint32_t block_size;          /* bytes of a buffer block, a power of two from 256 to 65536; 0 = 4096 */

    /* bytes a connection may hold for its reader: the largest window; 0 = 256 KiB */
    uint32_t receive_buffer;
    uint32_t send_buffer;         /* bytes a connection may hold until they are acknowledged; 0 = 256 KiB */

    /* 0 = 30 s (DEVIATION from RFC 9293 3.4.2: as Linux); TIME-WAIT lasts twice this (MUST-13) */
    uint64_t msl_ns;
    uint64_t min_rto_ns;          /* 0 = 200 ms (DEVIATION from R6298-04: 1 s) */
    uint64_t max_rto_ns;          /* 0 = 60 s (RFC 6298 2.5) */
    uint64_t initial_rto_ns;      /* 0 = 1 s (RFC 6298 2.1) */
    uint64_t delayed_ack_ns;      /* 0 = 40 ms; below 500 ms (MUST-40); ESTAB_OFF = acknowledge at once */
    uint64_t syn_timeout_ns;      /* R2 of a SYN; 0 = 180 s (MUST-23); handshakes in the SYN cache: 15 s */
    uint64_t user_timeout_ns;     /* R2 of data; 0 = 900 s (SHLD-11: at least 100 s); ESTAB_INFINITE */
    /*
     * Where the budget is used up, who has waited for its peer for longest is ended (-ESTAB_ENOBUFS): without
     * an ACK for a good part of what is held for it (a 64th), nor the text that is missing. Nobody who has
     * waited for less than this is, unless nobody has waited for longer: then it is halved for a while, again
     * and again, but not to less than 67 ms. 0 = 10 s, at most 10 min; ESTAB_INFINITE = nobody ever is ended.
     * An idle connection is not ended, unless it was opened by its peer and has carried nothing yet
     */
    uint64_t stall_ns;
    /* how long a closed connection waits for the peer's FIN; 0 = 60 s; ESTAB_INFINITE */
    uint64_t fin_wait_2_ns;
    /* where a connection has keep-alive on (MUST-25: off by default): 0 = 2 h (MUST-28) */
    uint64_t keep_idle_ns;
    uint64_t keep_interval_ns;    /* 0 = 75 s */
    /* unanswered probes before the connection is given up; 0 = 9 (MUST-29: at least 2) */
    uint32_t keep_count;
    uint32_t initial_window;      /* segments; 0 = 10 (RFC 6928) */
    uint32_t challenge_acks;      /* per connection and second; 0 = 2 (R5961-13) */
    /*
     * RSTs for no connection of ours at most, and as many echo replies; 0 = 1000. They are for an eighth as
     * many remote addresses (IPv6: networks of 64 bits) in a second, at most 256, fewer where max_connections
     * is small; each has the same share, and none can tell what others got
     */
    uint32_t replies_per_second;
    uint16_t port_low;            /* ephemeral ports (RFC 6056 3.2); 0 = 1024 (R6056-01) */
    uint16_t port_high;           /* 0 = 65535 */
    uint8_t hop_limit;            /* 0 = 64 (MUST-49) */
    uint8_t mtu_probing;          /* enum estab_mtu_probing (RFC 4821 7.7, RFC 8899 5) */
    bool no_timestamps;           /* do not offer RFC 7323 timestamps */
    bool no_window_scale;         /* do not offer window scaling */
    bool no_sack;                 /* do not offer SACK */
};

/* Fills the config with every optional part and every default; the secret stays to be set. */
ESTAB_API void estab_config_init(struct estab_config *config);

/* Bytes of memory below which estab_init() refuses this config (with its 0 fields read as their defaults). */
ESTAB_API size_t estab_memory_minimum(const struct estab_config *config);

/*
 * Makes a stack in `memory` (aligned to 16 bytes), which is all that it will ever use. Returns NULL when the
 * memory is too small or the config contradicts itself; *error (may be NULL) then says -ESTAB_ENOBUFS or
 * -ESTAB_EINVAL, and *what names the field.
 */
ESTAB_API estab_stack *estab_init(void *memory, size_t size, const struct estab_config *config, int *error,
                                  const char **what);

/* --------------------------------------------------------------------------------------------- interfaces */

struct estab_interface {
    size_t size;                /* sizeof(struct estab_interface) */
    uint32_t mtu;               /* bytes of an IP packet: 68..65535 */
    bool ethernet;              /* frames with an Ethernet header; else bare IP packets */
    uint8_t mac[6];
    bool checksum_offload;      /* the driver completes TCP checksums (ESTAB_PACKET_CHECKSUM_PARTIAL) */
    /* take packets for any destination as ours (a VPN's or a proxy's interface) */
    bool accept_any_address;
    /* the driver cuts TCP segments up to this many bytes of text; 0 = it does not */
    uint32_t gso_max;
};

/* Returns the interface's number (1..ESTAB_MAX_INTERFACES) or an error. */
#define ESTAB_MAX_INTERFACES 4
ESTAB_API int estab_interface_add(estab_stack *stack, uint64_t now, const struct estab_interface *interface);
ESTAB_API int estab_interface_set_mtu(estab_stack *stack, uint64_t now, uint32_t interface, uint32_t mtu);

/*
 * Addresses of an interface with the length of their network's prefix. Removing one ends its connections with
 * -ESTAB_EADDRNOTAVAIL.
 */
ESTAB_API int estab_address_add(estab_stack *stack, uint64_t now, uint32_t interface,
                                const struct estab_addr *address, unsigned prefix);
ESTAB_API int estab_address_remove(estab_stack *stack, uint64_t now, uint32_t interface,
                                   const struct estab_addr *address);

/* A route to network/prefix by a gateway (NULL: on the link). Prefix 0 is the default route. */
ESTAB_API int estab_route_add(estab_stack *stack, uint32_t interface, const struct estab_addr *network,
                              unsigned prefix, const struct estab_addr *gateway);
ESTAB_API int estab_route_remove(estab_stack *stack, uint32_t interface, const struct estab_addr *network,
                                 unsigned prefix);

/* A neighbour whose link-layer address is known and stays. */
ESTAB_API int estab_neighbour_add(estab_stack *stack, uint64_t now, uint32_t interface,
                                  const struct estab_addr *address, const uint8_t mac[6]);

/* ------------------------------------------------------------------------------------------------ packets */

/* A run of bytes. */
struct estab_slice {
    const uint8_t *data;
    size_t length;
};

enum estab_packet_flag {
    /*
     * In: somebody the driver trusts has verified the TCP checksum (or the packet never left this machine).
     */
    ESTAB_PACKET_CHECKSUM_VALID = 1,
    /*
     * Out: the TCP checksum field holds the pseudo header's sum; sum from checksum_start and put it at
     * checksum_start + checksum_offset.
     */
    ESTAB_PACKET_CHECKSUM_PARTIAL = 2
};

struct estab_packet {
    /* in: the packet (not changed); out: room of the driver's, filled by the stack */
    uint8_t *data;
    uint32_t capacity;        /* out: bytes of room; at least MTU + 14 */
    uint32_t length;          /* in, out: bytes at data */
    uint32_t interface;       /* in, out */
    uint32_t flags;           /* enum estab_packet_flag */
    /* in: text of the merged segments, 0 = not merged; out: cut the text at this size, 0 = do not */
    uint16_t gso_size;
    uint16_t header_length;   /* out, with gso_size: bytes of all headers */
    uint16_t checksum_start;  /* out, with CHECKSUM_PARTIAL */
    uint16_t checksum_offset;
    /* out: room for slices, or NULL. If given, the text of a segment may follow as slices of the send */
    struct estab_slice *slices;
    /* queue instead of standing at data; they are valid until the next call other than estab_pull() */
    uint16_t slice_capacity;
    uint16_t slice_count;       /* out */
    /* What the stack has to say about it, both ways: for logs and captures. */
    uint8_t state_before;     /* enum estab_state of the connection it met */
    uint8_t state_after;
    uint8_t reason;           /* out: enum estab_reason; in: enum estab_drop */
    estab_conn conn;          /* 0 = none */
};

/*
 * Packets that have arrived, in order. They are borrowed for the call. Anything may be in them: what is wrong
 * is dropped and counted with a reason. Sends nothing by itself. Moves the deadline.
 */
ESTAB_API void estab_input(estab_stack *stack, uint64_t now, struct estab_packet *packets, unsigned count);

/*
 * Fills up to `count` packets that are due and returns their number; 0 = nothing is due now. Moves the
 * deadline.
 */
ESTAB_API unsigned estab_pull(estab_stack *stack, uint64_t now, struct estab_packet *packets, unsigned count);

/*
 * Handles the timers that are due, a bounded number a call. Returns true where more are due at once (call
 * again). Moves the deadline.
 */
ESTAB_API bool estab_tick(estab_stack *stack, uint64_t now);

/* When estab_tick() must be called at the latest; UINT64_MAX = no timer runs. */
ESTAB_API uint64_t estab_next_deadline(estab_stack *stack);

/* Whether estab_pull() has anything to give: a cheap question for event loops. */
ESTAB_API bool estab_pull_pending(const estab_stack *stack);

/* -------------------------------------------------------------------------------------------- connections */

/* A new connection record in CLOSED. */
ESTAB_API int estab_open(estab_stack *stack, estab_conn *conn);

/*
 * Names the local address and port (MUST-43). Port 0 chooses one. -ESTAB_EADDRINUSE by SO_REUSEADDR's rules:
 * with ESTAB_OPTION_REUSE_ADDRESS set, connections and TIME-WAIT records on the port do not count, a listener
 * does, unless it shares the port (ESTAB_OPTION_REUSE_PORT).
 */
ESTAB_API int estab_bind(estab_stack *stack, uint64_t now, estab_conn conn, const struct estab_addr *local);

/*
 * Active OPEN (RFC 9293 3.10.1), from CLOSED or from a passive OPEN's LISTEN. The outcome comes as an event.
 * Moves the deadline.
 */
ESTAB_API int estab_connect(estab_stack *stack, uint64_t now, estab_conn conn,
                            const struct estab_addr *remote);

/*
 * Passive OPEN of this very record (RFC 9293 3.10.1): the one connection that arrives becomes it;
 * estab_send() turns it active where a remote was named (3.10.2). remote NULL or any: everybody may connect.
 * The record must be bound.
 */
ESTAB_API int estab_open_passive(estab_stack *stack, uint64_t now, estab_conn conn,
                                 const struct estab_addr *remote);

/*
 * A listener: each connection that arrives gets a record of its own and waits to be accepted. backlog
 * (1..65535) bounds those that wait, and those whose handshake is not done. The record must be bound; with
 * port 0 in an any-address bind it takes every port (for proxies).
 */
ESTAB_API int estab_listen(estab_stack *stack, uint64_t now, estab_conn conn, unsigned backlog);

/* The next connection that waits; -ESTAB_EAGAIN when there is none. */
ESTAB_API int estab_accept(estab_stack *stack, uint64_t now, estab_conn listener, estab_conn *conn);

enum estab_io_flag {
    ESTAB_MORE = 1,     /* send: more will follow at once, do not push (MAY-15) */
    ESTAB_URGENT = 2,   /* send: the last byte is the end of urgent data (RFC 6093) */
    ESTAB_PEEK = 4      /* receive: leave the bytes */
};

/*
 * SEND (3.10.2): copies bytes to the send queue and returns their number, which is less than asked when the
 * buffer or the budget is full, -ESTAB_EAGAIN for none. Before the connection is established they wait.
 * -ESTAB_EPIPE after estab_shutdown(). The error of a dead connection is returned once, then -ESTAB_EPIPE.
 * Moves the deadline.
 */
ESTAB_API ptrdiff_t estab_send(estab_stack *stack, uint64_t now, estab_conn conn, const void *data,
                               size_t length, unsigned flags);
ESTAB_API ptrdiff_t estab_sendv(estab_stack *stack, uint64_t now, estab_conn conn,
                                const struct estab_slice *slices, unsigned count);

/*
 * The send queue's own room, to be filled in place: *length bytes at the returned pointer, or NULL with
 * *error set. Then commit (flags as in send).
 */
ESTAB_API uint8_t *estab_send_reserve(estab_stack *stack, estab_conn conn, size_t *length, int *error);
ESTAB_API int estab_send_commit(estab_stack *stack, uint64_t now, estab_conn conn, size_t length,
                                unsigned flags);

/*
 * RECEIVE (3.10.3): returns the number of bytes copied; 0 = the peer has closed and all was read;
 * -ESTAB_EAGAIN = nothing now. Data that arrived before a reset is lost with it, as 3.10.7.4 says. May owe a
 * window update. Moves the deadline.
 */
ESTAB_API ptrdiff_t estab_recv(estab_stack *stack, uint64_t now, estab_conn conn, void *data, size_t length,
                               unsigned flags);

/* Scatters into several buffers, given as slices whose bytes are written. */
struct estab_buffer {
    uint8_t *data;
    size_t length;
};
ESTAB_API ptrdiff_t estab_recvv(estab_stack *stack, uint64_t now, estab_conn conn,
                                const struct estab_buffer *buffers, unsigned count);

/*
 * The readable bytes in place: up to `max` slices, valid until the next call on this connection. Returns
 * their number, 0 at the end, or an error.
 */
ESTAB_API int estab_recv_slices(const estab_stack *stack, estab_conn conn, struct estab_slice *slices,
                                unsigned max);
ESTAB_API int estab_recv_consume(estab_stack *stack, uint64_t now, estab_conn conn, size_t length);

enum estab_how { ESTAB_SHUT_RD = 1, ESTAB_SHUT_WR = 2, ESTAB_SHUT_RDWR = 3 };

/*
 * ESTAB_SHUT_WR is the RFC's CLOSE (3.10.4): what was sent goes out, then FIN; receiving goes on. In SYN-SENT
 * it ends the connection, and what was queued with it, as 3.10.4 says: wait for ESTAB_CONNECTED first.
 * ESTAB_SHUT_RD drops what comes from now on. Moves the deadline.
 */
ESTAB_API int estab_shutdown(estab_stack *stack, uint64_t now, estab_conn conn, enum estab_how how);

/*
 * Closes both ways and gives up the handle. With unread data, or where data arrives later, the peer gets a
 * RST (SHLD-3). ESTAB_OPTION_LINGER 0 aborts. Else the stack brings the closing to its end by itself. A
 * listener's waiting connections are aborted. Moves the deadline.
 */
ESTAB_API int estab_close(estab_stack *stack, uint64_t now, estab_conn conn);

/* ABORT (3.10.5): RST where a peer knows of the connection, everything dropped, the handle given up. */
ESTAB_API int estab_abort(estab_stack *stack, uint64_t now, estab_conn conn);

/* ------------------------------------------------------------------------------------------------ options */

enum estab_option {
    ESTAB_OPTION_NODELAY,          /* 0, 1: no Nagle (MUST-17). Default 0 */
    ESTAB_OPTION_CORK,             /* 0, 1: only full segments until it is taken off */
    ESTAB_OPTION_REUSE_ADDRESS,    /* 0, 1 */
    /*
     * 0, 1: several listeners, each with this option, share address and port; which one a connection gets is
     * up to a keyed hash of its flow. Before estab_listen()
     */
    ESTAB_OPTION_REUSE_PORT,
    /* 0, 1: listener: where the backlog is full, a client that has completed the handshake is reset. Default
     * 0: its ACK is dropped, and it tries again */
    ESTAB_OPTION_BACKLOG_RESET,
    ESTAB_OPTION_KEEPALIVE,        /* 0, 1 (MUST-24, MUST-25) */
    ESTAB_OPTION_KEEP_IDLE,        /* ns (MUST-27) */
    ESTAB_OPTION_KEEP_INTERVAL,    /* ns */
    ESTAB_OPTION_KEEP_COUNT,       /* 2..255 */
    ESTAB_OPTION_USER_TIMEOUT,     /* ns, ESTAB_INFINITE (MUST-21) */
    ESTAB_OPTION_LINGER,           /* ESTAB_OFF, or 0 = estab_close() aborts */
    ESTAB_OPTION_HOP_LIMIT,        /* 1..255 (MUST-49) */
    ESTAB_OPTION_DSCP,             /* 0..63 (MUST-48) */
    ESTAB_OPTION_RECEIVE_BUFFER,   /* bytes */
    ESTAB_OPTION_SEND_BUFFER,      /* bytes */
    /* bytes: before connect or listen the MSS to offer and the most to send; 0 = from the MTU */
    ESTAB_OPTION_MAX_SEGMENT,
    ESTAB_OPTION_CONGESTION,       /* index into config.cc; before data flows */
    ESTAB_OPTION_QUICK_ACK,        /* 0, 1: no delayed ACK */
    ESTAB_OPTION_USER,             /* any value: the application's own, handed back with every event */
    /* 0, 1: report ICMP errors and R1 as events (MUST-47, SHLD-20). Default 1 */
    ESTAB_OPTION_SOFT_ERRORS,
    ESTAB_OPTION_COUNT
};

/* Accepted connections inherit from their listener. Moves the deadline. */
ESTAB_API int estab_set(estab_stack *stack, uint64_t now, estab_conn conn, enum estab_option option,
                        uint64_t value);
ESTAB_API int estab_get(const estab_stack *stack, estab_conn conn, enum estab_option option, uint64_t *value);

/* ------------------------------------------------------------------------------------------------- events */

enum estab_ready {
    ESTAB_READABLE = 0x01,   /* bytes, or the end of them */
    ESTAB_WRITABLE = 0x02,   /* established, and a useful part of the send buffer is free */
    ESTAB_ACCEPTABLE = 0x04, /* a listener has a connection waiting */
    ESTAB_CONNECTED = 0x08,  /* the handshake is done */
    ESTAB_PEER_CLOSED = 0x10, /* the peer's FIN has arrived, in order (MUST-12) */
    ESTAB_CLOSED_BIT = 0x20, /* the connection is over: nothing more will arrive or be sent */
    ESTAB_ERROR = 0x40,      /* ended by an error: estab_status().error */
    ESTAB_URGENT_MARK = 0x80, /* urgent data began or its end moved on (MUST-32) */
    ESTAB_SOFT_ERROR = 0x100 /* estab_status().soft_error: advice, the connection lives (MUST-47) */
};

struct estab_event {
    estab_conn conn;
    uint64_t user;     /* ESTAB_OPTION_USER */
    uint32_t ready;    /* everything that is possible now (level) */
    uint32_t changed;  /* what became so since the last event (edge) */
};

/* Connections whose readiness grew since they were last named here, each once. Returns their number. */
ESTAB_API unsigned estab_poll(estab_stack *stack, struct estab_event *events, unsigned max);

/* What is possible on one connection now, or an error. */
ESTAB_API int estab_ready(const estab_stack *stack, estab_conn conn);

/* ------------------------------------------------------------------------------------------------ looking */

/* STATUS (3.10.6): all that Linux's tcp_info tells, and the RFC's variables. */
struct estab_status {
    estab_conn conn;             /* 0 for a TIME-WAIT record */
    uint64_t user;
    struct estab_addr local;
    struct estab_addr remote;
    enum estab_state state;
    int error;                   /* what ended it, negative, 0 = nothing */
    int soft_error;              /* the last ICMP error or R1, negative */
    uint32_t interface;
    bool closed_by_user;         /* the handle was given up */
    bool timestamps, sack, window_scale; /* negotiated */
    uint8_t snd_wnd_shift, rcv_wnd_shift;
    uint8_t backoff;             /* RTO doublings in a row */
    uint8_t retransmits;         /* of the segment in front */
    uint8_t probes;              /* keep-alive or window probes unanswered */
    uint8_t in_recovery;         /* 0 no, 1 fast recovery, 2 after an RTO */
    uint32_t iss, irs;
    uint32_t snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, max_snd_wnd;
    uint32_t rcv_nxt, rcv_wnd;
    uint32_t snd_mss;            /* text of a full segment, options taken off */
    uint32_t rcv_mss;            /* the largest segment seen */
    uint32_t advertised_mss;
    uint32_t path_mtu;
    uint32_t cwnd, ssthresh, bytes_in_flight;
    uint64_t srtt_ns, rttvar_ns, min_rtt_ns, rto_ns;
    uint64_t send_queued;        /* written and not acknowledged */
    uint64_t send_unsent;
    uint64_t receive_queued;     /* readable */
    uint64_t receive_ahead;      /* behind a gap */
    bool urgent;                 /* an urgent mark lies ahead */
    uint32_t urgent_ahead;       /* bytes up to the end of urgent data (MUST-33) */
    uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retransmitted;
    uint64_t segments_sent, segments_received, segments_retransmitted;
    /* of what takes sequence numbers, and of any segment; to about a millisecond; 0 = never */
    uint64_t last_sent_ns, last_received_ns;
    uint64_t next_timer_ns;      /* UINT64_MAX = none runs */
    uint8_t timers;              /* bit i = enum estab_timer i runs */
    uint32_t accept_waiting;     /* listener: connections to accept */
    uint32_t half_open;          /* listener: handshakes under way */
    uint32_t backlog;
    const char *congestion;      /* "newreno" */
};
ESTAB_API int estab_status(const estab_stack *stack, estab_conn conn, struct estab_status *status);

/* Walks over all connections, listeners and TIME-WAIT records: *cursor = 0 to begin; false at the end. */
ESTAB_API bool estab_iterate(const estab_stack *stack, uint64_t *cursor, struct estab_status *status);

#define ESTAB_TIMERS(X)                                                                                      \
    X(RETRANSMIT, "retransmit")                                                                              \
    X(PERSIST, "persist")                                                                                    \
    X(DELAYED_ACK, "delayed ack")                                                                            \
    X(KEEPALIVE, "keep-alive")                                                                               \
    X(USER, "user timeout")                                                                                  \
    X(FIN_WAIT_2, "fin-wait-2")                                                                              \
    X(TIME_WAIT, "2msl")

enum estab_timer {
#define ESTAB_TIMER_ENUM(name, text) ESTAB_TIMER_##name,
    ESTAB_TIMERS(ESTAB_TIMER_ENUM)
#undef ESTAB_TIMER_ENUM
    ESTAB_TIMER_COUNT
};
ESTAB_API const char *estab_timer_name(unsigned timer);

/* Why a segment was sent. */
#define ESTAB_REASONS(X)                                                                                     \
    X(NONE, "")                                                                                              \
    X(SYN, "open")                                                                                           \
    X(SYN_ACK, "answer to SYN")                                                                              \
    X(SYN_COOKIE, "answer to SYN by cookie")                                                                 \
    X(DATA, "data")                                                                                          \
    X(FIN, "close")                                                                                          \
    X(ACK, "acknowledge")                                                                                    \
    X(ACK_DELAYED, "delayed ack")                                                                            \
    X(ACK_DUPLICATE, "out of order or duplicate")                                                            \
    X(ACK_CHALLENGE, "challenge ack")                                                                        \
    X(WINDOW_UPDATE, "window update")                                                                        \
    X(RETRANSMIT_TIMEOUT, "retransmission timeout")                                                          \
    X(RETRANSMIT_FAST, "fast retransmit")                                                                    \
    X(MTU_PROBE, "path MTU probe")                                                                           \
    X(WINDOW_PROBE, "window probe")                                                                          \
    X(KEEPALIVE, "keep-alive")                                                                               \
    X(RESET_ABORT, "abort")                                                                                  \
    X(RESET_REFUSE, "no such connection")                                                                    \
    X(TIME_WAIT_ACK, "time-wait")                                                                            \
    X(ICMP, "icmp")                                                                                          \
    X(NEIGHBOUR, "neighbour discovery")

enum estab_reason {
#define ESTAB_REASON_ENUM(name, text) ESTAB_REASON_##name,
    ESTAB_REASONS(ESTAB_REASON_ENUM)
#undef ESTAB_REASON_ENUM
    ESTAB_REASON_COUNT
};
ESTAB_API const char *estab_reason_name(unsigned reason);

/* Why a packet, or what was in it, was dropped. Each has its counter. */
#define ESTAB_DROPS(X)                                                                                       \
    X(NONE, "")                                                                                              \
    X(INTERFACE, "no such interface")                                                                        \
    X(LINK_HEADER, "frame too short or not for us")                                                          \
    X(LINK_TYPE, "not a protocol of ours")                                                                   \
    X(IP_HEADER, "broken IP header")                                                                         \
    X(IP_CHECKSUM, "wrong IP checksum")                                                                      \
    X(IP_OPTION, "broken IP option or source route")                                                         \
    X(IP_EXTENSION, "broken or too many IPv6 extension headers")                                             \
    X(IP_ADDRESS, "invalid source or destination address")                                                   \
    X(IP_NOT_OURS, "not for this host")                                                                      \
    X(IP_PROTOCOL, "not a transport protocol of ours")                                                       \
    X(IP_FRAGMENT, "fragment overlaps, is too long or finds no room")                                        \
    X(ICMP, "broken, unwanted or implausible ICMP")                                                          \
    X(ARP, "broken or implausible ARP or neighbour discovery")                                               \
    X(TCP_HEADER, "broken TCP header")                                                                       \
    X(TCP_CHECKSUM, "wrong TCP checksum")                                                                    \
    X(TCP_OPTION, "broken TCP option")                                                                       \
    X(NO_CONNECTION, "no such connection")                                                                   \
    X(CLOSED_RST, "reset for no connection")                                                                 \
    X(LISTEN_SEGMENT, "no SYN for a listener")                                                               \
    X(BACKLOG, "the backlog is full")                                                                        \
    X(NO_MEMORY, "the budget is used up")                                                                    \
    X(SYN_SENT_SEGMENT, "implausible answer to a SYN")                                                       \
    X(SEQUENCE, "outside the window")                                                                        \
    X(PAWS, "old timestamp")                                                                                 \
    X(NO_TIMESTAMP, "timestamp missing")                                                                     \
    X(RST_WINDOW, "reset outside the window")                                                                \
    X(RST_CHALLENGED, "reset not at the left edge")                                                          \
    X(SYN_CHALLENGED, "SYN in a synchronized state")                                                         \
    X(ACK_MISSING, "no ACK bit")                                                                             \
    X(ACK_RANGE, "implausible ACK")                                                                          \
    X(DUPLICATE_TEXT, "text received before")                                                                \
    X(TEXT_AFTER_CLOSE, "text after close")                                                                  \
    X(TIME_WAIT, "old segment in TIME-WAIT")                                                                 \
    X(REPLY_LIMIT, "reply limited")                                                                          \
    X(REPLY_QUEUE, "no room for a reply")                                                                    \
    X(NEIGHBOUR_UNKNOWN, "neighbour not known")

enum estab_drop {
#define ESTAB_DROP_ENUM(name, text) ESTAB_DROP_##name,
    ESTAB_DROPS(ESTAB_DROP_ENUM)
#undef ESTAB_DROP_ENUM
    ESTAB_DROP_COUNT
};
ESTAB_API const char *estab_drop_name(unsigned drop);

/* Counters of a stack, since it was made. X(name, help) */
#define ESTAB_COUNTERS(X)                                                                                    \
    X(packets_in, "packets given to estab_input()")                                                          \
    X(packets_out, "packets given to the driver")                                                            \
    X(bytes_in, "bytes of those")                                                                            \
    X(bytes_out, "bytes of those")                                                                           \
    X(segments_in, "TCP segments that parsed")                                                               \
    X(segments_out, "TCP segments sent")                                                                     \
    X(segments_fast, "segments that took the fast path")                                                     \
    X(segments_retransmitted, "segments sent again")                                                         \
    X(active_opens, "connections opened by us")                                                              \
    X(passive_opens, "connections opened to us")                                                             \
    X(established, "connections that became established")                                                    \
    X(accepts, "connections accepted")                                                                       \
    X(attempt_fails, "openings that failed")                                                                 \
    X(resets_in, "connections reset by a peer")                                                              \
    X(resets_out, "RST segments sent")                                                                       \
    X(challenge_acks, "challenge ACKs sent")                                                                 \
    X(timeouts_retransmit, "retransmission timeouts")                                                        \
    X(timeouts_user, "connections given up after R2")                                                        \
    X(fast_retransmits, "fast recoveries begun")                                                             \
    X(window_probes, "zero-window probes sent")                                                              \
    X(keepalives, "keep-alive probes sent")                                                                  \
    X(time_wait_entered, "TIME-WAIT records made")                                                           \
    X(time_wait_reused, "TIME-WAIT ended by a new SYN or a new connect")                                     \
    X(time_wait_dropped, "TIME-WAIT ended early for want of room")                                           \
    X(cookies_sent, "SYNs answered by cookie")                                                               \
    X(cookies_accepted, "connections opened by cookie")                                                      \
    X(half_open_dropped, "handshakes let go for want of room in the SYN cache")                              \
    X(backlog_overflows, "handshakes dropped by a full backlog")                                             \
    X(out_of_order, "segments stored behind a gap")                                                          \
    X(no_memory, "times that the budget was used up")                                                        \
    X(path_mtu_changes, "path MTU lowered by packet too big")                                                \
    X(mtu_probes_sent, "segments that probed a larger path MTU")                                             \
    X(mtu_probes_lost, "path MTU probes lost")                                                               \
    X(black_holes, "path MTU lowered because segments vanished")                                             \
    X(icmp_in, "ICMP messages received")                                                                     \
    X(icmp_out, "ICMP messages sent")                                                                        \
    X(icmp_errors_delivered, "ICMP errors that met a connection")                                            \
    X(fragments_in, "IP fragments received")                                                                 \
    X(fragments_reassembled, "datagrams put together")                                                       \
    X(shed_out_of_order, "times a connection's text ahead of gaps was given up for want of blocks")          \
    X(shed_fragments, "datagrams begun and given up for want of room")                                       \
    X(shed_connections, "connections without progress ended for want of room")                               \
    X(orphans_dropped, "closed connections ended early: too many, or without progress and no room")          \
    X(neighbour_in, "ARP and neighbour discovery received")                                                  \
    X(neighbour_out, "ARP and neighbour discovery sent")                                                     \
    X(neighbour_failures, "neighbours that did not answer")                                                  \
    X(trace_lost, "trace records lost because they were not pulled")

struct estab_counters {
#define ESTAB_COUNTER_FIELD(name, help) uint64_t name;
    ESTAB_COUNTERS(ESTAB_COUNTER_FIELD)
#undef ESTAB_COUNTER_FIELD
    uint64_t drops[ESTAB_DROP_COUNT];
};
ESTAB_API void estab_counters(const estab_stack *stack, struct estab_counters *counters);

/* What the budget is used for, in bytes. */
struct estab_memory {
    size_t budget;             /* given at creation */
    size_t fixed;              /* tables of the stack itself */
    size_t per_connection;     /* one idle connection, its share of tables and timers included */
    size_t per_time_wait;      /* one TIME-WAIT record, likewise */
    size_t per_half_open;      /* one handshake in the SYN cache, likewise */
    uint32_t connections, connections_max;
    uint32_t time_wait, time_wait_max;
    uint32_t half_open, half_open_max;
    size_t block_size;
    uint32_t blocks, blocks_used, blocks_used_high;
    uint64_t worst_case_connection; /* the most that one connection with the default buffers can hold */
    uint32_t orphans, orphans_max; /* of the connections: closed by their users, not at their end yet */
    /* What is held now, in bytes of blocks and records: */
    size_t send_bytes;         /* written and not acknowledged */
    size_t receive_bytes;      /* received in order, not read */
    size_t out_of_order_bytes; /* received ahead of gaps, with the lists of it */
    size_t reply_bytes;        /* echo replies that wait to be pulled */
    size_t fragment_bytes;     /* datagrams of which fragments are missing, of fragment_bytes_max */
    size_t fragment_bytes_max;
    size_t time_wait_bytes;
    size_t half_open_bytes;
    size_t connection_bytes;   /* without what their buffers hold */
    size_t used;               /* the tables (`fixed`: with every record above) and the blocks in use */
    size_t used_high;          /* the most that has ever been: never over `budget` */
};
/* Walks nothing: it costs the same however many connections there are. */
ESTAB_API void estab_memory(const estab_stack *stack, struct estab_memory *memory);

/*
 * Checks every invariant of the stack and all its connections. NULL = all hold, else the one that does not.
 * For tests: walks everything.
 */
ESTAB_API const char *estab_check(const estab_stack *stack);

/* The hash that spreads flows over several stacks: the same for both directions of a flow, keyed. */
ESTAB_API uint32_t estab_flow_hash(const uint8_t key[16], const struct estab_addr *a,
                                   const struct estab_addr *b);

#ifdef __cplusplus
}
#endif

#endif
