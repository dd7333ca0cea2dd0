/*
 * The stack: many connections behind one table, with their addresses, ports, queues and timers, and the
 * public API over them. Everything is found by index, so that the memory that a stack was given is all that
 * it has: arrays carved at creation, and the pool of blocks.
 *
 * After a segment, a call or a timer has touched a connection, conn_settle() draws the consequences in one
 * place: user events, output, deadline, TIME-WAIT, release.
 */
#ifndef ESTAB_STACK_STACK_H
#define ESTAB_STACK_STACK_H

#include "base/flow_hash.h"
#include "base/table.h"
#include "base/timers.h"
#include "ip/ip.h"
#include "tcp/guard.h"
#include "tcp/half_open.h"
#include "tcp/open.h"
#include "tcp/segment_arrives.h"
#include "tcp/time_wait.h"

#define NONE UINT32_MAX
#define TIME_WAIT_ID 0x80000000u /* table ids with this bit are TIME-WAIT records, */
#define HALF_OPEN_ID 0x40000000u /* with this one handshakes in the SYN cache, */
#define RECORD_IDS   (TIME_WAIT_ID | HALF_OPEN_ID) /* with none connections and listeners */

#define HALF_OPEN_LISTS 4 /* SYN,ACKs that a handshake in the cache is worth */
#define REPLIES_WAITING 4 /* for neighbours that are asked for; the latest ones */
#define EARLY_CHILDREN 32 /* connections that SYNs with text may have, over all listeners */

/* A queue of connections by index, linked through one of their link fields. */
struct index_queue {
    uint32_t head;
    uint32_t tail;
};

struct listener {
    struct index_queue waiting; /* established, to be accepted; linked by queue_next */
    uint32_t half_open;         /* children whose handshake is not done */
    uint16_t waiting_count;
    uint16_t backlog;
};

struct conn {
    struct tcp_conn tcp;
    struct ip_addr local;
    struct ip_addr remote;
    union {
        uint64_t user;
        struct { /* where its user has given up the handle */
            uint32_t orphan_previous;
            uint32_t orphan_next;
        };
    };
    union {
        struct { /* a connection's */
            struct ip_path path;
            uint32_t flow_label;
        };
        struct listener listener; /* where `listening` */
    };
    uint32_t generation;
    /* has_parent: the listener it came from; has_record: the TIME-WAIT record that took over */
    uint32_t partner;
    uint32_t output_next;  /* output or parked queue; the free list of unused ones */
    uint32_t ready_next;
    union {
        uint32_t bound_next;     /* in the chain of its port, while `bound` */
        uint32_t queue_previous; /* while it waits to be accepted: who stands before it */
    };
    uint32_t queue_next;   /* waiting to be accepted, or for blocks */
    uint16_t local_port;
    uint16_t remote_port;  /* a listener's number among those that share its port */
    uint16_t mss_option;
    uint16_t group;        /* listeners that share the port, where this is the first of them */
    uint16_t bound_port;   /* what it was bound to: a listener on every port has children on others */
    uint8_t scope;
    uint8_t hop_limit;     /* 0 = the stack's */
    uint8_t dscp;
    bool in_use : 1;
    bool in_table : 1;
    bool in_output : 1;
    bool parked : 1;       /* waits for a neighbour */
    bool in_ready : 1;
    bool in_queue : 1;
    bool bound : 1;
    bool reuse_address : 1;
    bool reuse_port : 1;
    bool backlog_reset : 1;
    bool linger_abort : 1;
    bool named_remote : 1; /* its passive OPEN named a remote */
    bool bound_any : 1;    /* bound to any address: the packet chose `local` */
    bool bound_any_v4 : 1;
    bool listening : 1;
    bool has_parent : 1;   /* not accepted yet: the stack's own */
    bool has_record : 1;
    bool spent : 1;        /* its one connection is over, or never came about */
    bool orphan : 1;       /* in the list of them */
    bool shed : 1;         /* ended for want of room, and its user has not closed it yet */
};

struct time_wait {
    struct ip_addr local;
    struct ip_addr remote;
    struct tcp_time_wait tcp;
    uint64_t deadline_ns;
    uint32_t previous;     /* in the order of their ends */
    uint32_t next;
    uint32_t holder;       /* the connection whose user still holds the handle, NONE */
    uint16_t local_port;
    uint16_t remote_port;
};

struct arrival;
struct estab_cookies {
    /* Answers a SYN for a listener, remembering nothing. */
    void (*answer)(struct estab_stack *stack, const struct conn *listener, const struct arrival *arrival);
    /* Whether an ACK brings one of them back; then what its SYN was. */
    bool (*check)(const struct estab_stack *stack, const struct arrival *arrival,
                  struct tcp_half_open *half_open);
    bool always;
};

/* A handshake in the SYN cache. */
struct half_open {
    struct ip_addr local;
    struct ip_addr remote;
    struct tcp_half_open tcp;
    uint64_t deadline_ns;  /* of its SYN,ACK */
    uint32_t listener;     /* its index; NONE = the record is free */
    uint32_t previous;     /* in its list, in the order of their ends */
    uint32_t next;
    uint16_t local_port;
    uint16_t remote_port;
};

/* Whom the last segment for a listener, or for nobody, was for: most are for the same. */
struct listener_found {
    struct ip_addr local;
    struct conn *conn; /* NULL: nobody listens there */
    uint16_t port;     /* 0 = not known: a listener came or went */
};

/*
 * Where shedding has got to: a hand goes over the records of connections, some each time. After a round that
 * found nobody it rests until again_ns. Both where [0] a record, [1] blocks are looked for.
 */
struct shed {
    uint64_t again_ns[2];
    uint64_t vain_ns;        /* of the last round in vain */
    uint32_t patience;       /* that it left, in steps of the progress clock */
    uint32_t passed[2];      /* records since something was found */
    uint32_t hand;
    uint32_t reserve;        /* blocks that any segment can be sure to fit into */
    uint32_t records;        /* that are to be free while many come and hold theirs, husks included */
    uint32_t husks;          /* connections that were ended and are not closed by their users yet */
    struct index_queue orphans; /* what got on least recently first, doubly linked */
    uint32_t orphan_count;
};

struct reply {
    struct ip_addr source;
    struct ip_addr destination;
    struct tcp_reply tcp;
    uint16_t source_port;
    uint16_t destination_port;
    estab_conn conn;
    uint8_t interface;
    uint8_t traffic_class;
    uint8_t hop_limit; /* 0 = the stack's */
    uint8_t state_before;
    uint8_t state_after;
};

/* A reply that found its way, but whose neighbour has not answered yet. */
struct waiting_reply {
    struct reply reply;
    struct ip_path path;
};

/* The config with every default filled in. */
struct settings {
    struct tcp_limits limits;
    const struct estab_cc *cc[ESTAB_MAX_CC];
    uint64_t msl_ns;
    uint64_t keep_idle_ns, keep_interval_ns, user_timeout_ns;
    uint32_t receive_buffer, send_buffer;
    uint32_t max_connections, max_time_wait, max_half_open, max_neighbours;
    uint32_t trace_records, block_size, max_replies, bound_heads;
    uint32_t max_orphans;
    uint32_t stall;            /* in steps of conn_progress_clock(): more means stalled */
    uint32_t fragment_bytes;
    uint32_t replies_per_second, reply_places;
    uint16_t port_low, port_high;
    uint8_t keep_count, hop_limit;
    bool timestamps, window_scale, sack;
    const struct estab_family *ipv6;
    const struct estab_link *ethernet;
    const struct estab_cookies *cookies;
};

struct estab_stack {
    struct settings settings;
    struct tcp_context tcp;    /* its `now` is that of the call under way */
    struct pool pool;
    struct table table;
    struct timers timers;
    struct ip_host *ip;
    struct trace_ring trace;
    struct conn *conns;
    struct time_wait *time_waits;
    struct half_open *half_opens;
    uint32_t *bound;           /* heads of chains of bound connections, by port */
    struct reply *replies;
    struct siphash_key isn_key, stamp_key, port_key, cookie_key;
    uint64_t cookie_ns;        /* when the last cookie was sent; 0 = never */
    struct flow_hash_key table_key;
    struct index_queue output, parked, ready, starved, starved_shut;
    uint64_t wake_ns;          /* before it no more of the starved are woken */
    uint32_t conn_free, conn_fresh, conn_count;
    uint32_t time_wait_free, time_wait_fresh, time_wait_count, time_wait_first, time_wait_last;
    uint32_t half_open_free, half_open_fresh, half_open_count;
    uint32_t early_count; /* children that are connections before their handshake is done */
    struct index_queue half_open_lists[HALF_OPEN_LISTS]; /* by SYN,ACKs sent */
    struct shed shed;
    uint32_t reply_head, reply_count;
    uint32_t replies_waiting;
    struct waiting_reply waiting_replies[REPLIES_WAITING]; /* the oldest first */
    uint32_t wildcard_ports;   /* listeners on every port */
    struct listener_found listener_found;
    uint32_t burst;            /* packets in a row for the connection at the head of the output queue */
    uint64_t port_counter;
    size_t budget, fixed;
    struct estab_counters counters;
};

/* ---- create.c ---- */
int settings_fill(struct settings *settings, const struct estab_config *config, size_t memory,
                  const char **what);

/* ---- conns.c: records, handles, the table ---- */
struct conn *conn_new(struct estab_stack *stack);
/* A record as a new one is, where it stands in no array: for what is over before it needs one. */
void conn_clear(const struct estab_stack *stack, struct conn *conn);
void conn_delete(struct estab_stack *stack, struct conn *conn);
void conn_recycle(struct estab_stack *stack, struct conn *conn);
static inline uint32_t conn_index(const struct estab_stack *stack, const struct conn *conn)
{
    return (uint32_t)(conn - stack->conns);
}

static inline estab_conn conn_handle(const struct estab_stack *stack, const struct conn *conn)
{
    return (uint64_t)conn->generation << 32 | (conn_index(stack, conn) + 1);
}

/*
 * Asks for all of a connection's cache lines at once, so that they come together and not one after the other.
 */
static inline void conn_prefetch(const struct conn *conn)
{
    const char *bytes = (const char *)conn;
    for (size_t at = 0; at < sizeof *conn; at += 64) {
        __builtin_prefetch(bytes + at, 1);
    }
}

/* NULL: stale. */
static inline struct conn *conn_of(const struct estab_stack *stack, estab_conn handle)
{
    uint32_t index = (uint32_t)handle - 1;
    if (index >= stack->conn_fresh) {
        return NULL;
    }
    struct conn *conn = &stack->conns[index];
    if (conn->generation != (uint32_t)(handle >> 32) || !conn->in_use || conn->has_parent ||
        conn->tcp.released) {
        return NULL;
    }
    return conn;
}

/* A flow, local side first; a listener's key has remote any and port 0. */
struct flow_key {
    struct ip_addr local;
    struct ip_addr remote;
    uint16_t local_port;
    uint16_t remote_port;
};
void flow_words_of(const struct flow_key *key, struct flow_words *words);
uint32_t flow_hash(const struct estab_stack *stack, const struct flow_key *key);
void conn_enter_table(struct estab_stack *stack, struct conn *conn);
void conn_leave_table(struct estab_stack *stack, struct conn *conn);
/* The table alone, for a record that is in it: what leaving means besides is left to the caller. */
void conn_forget_flow(struct estab_stack *stack, struct conn *conn);
/* The id of a connection or TIME-WAIT record with exactly this key, TABLE_NONE. */
uint32_t flow_find(const struct estab_stack *stack, const struct flow_key *key, uint32_t hash);
struct conn *listener_find(struct estab_stack *stack, const struct flow_key *key);

/* A segment on its way to whatever it is for. */
struct arrival {
    struct flow_key key;
    const struct tcp_segment *seg;
    struct estab_packet *packet; /* to be told what became of it */
    uint8_t interface;
    bool reuses;                 /* opens a connection in place of a TIME-WAIT record */
    tcp_seq iss_after;           /* then: SND.NXT of the old one */
};

/* ---- queues ---- */
void queue_output(struct estab_stack *stack, struct conn *conn);
void unpark_all(struct estab_stack *stack);
void queue_ready(struct estab_stack *stack, struct conn *conn);
/*
 * Gives back the records in the ready queue whose connection is gone: a user need not poll for them. For when
 * no record is free.
 */
void ready_drop_dead(struct estab_stack *stack);
void queue_starved(struct estab_stack *stack, struct conn *conn);
void wake_starved(struct estab_stack *stack);
static inline bool blocks_plenty(const struct estab_stack *stack)
{
    return pool_available(&stack->pool) > stack->pool.total / 4;
}
static inline uint32_t blocks_for_senders(const struct estab_stack *stack)
{
    uint32_t kept = pool_kept(&stack->pool);
    uint32_t free = pool_available(&stack->pool);
    return free > kept ? free - kept : 0;
}
/*
 * How many bytes a sender may add: it holds at most four times what is free (V-36). So few who send as much
 * as they can share nearly all blocks, many leave some to each newcomer, and nothing has to be counted for
 * it.
 */
static inline uint32_t conn_allowance(const struct estab_stack *stack, const struct conn *conn)
{
    uint64_t free = (uint64_t)blocks_for_senders(stack) * pool_payload(&stack->pool);
    uint32_t held = send_queue_length(&conn->tcp.snd);
    uint64_t more = 4 * free > held ? (4 * free - held) / 5 : 0; /* of a block added one is free no more */
    return more < UINT32_MAX ? (uint32_t)more : UINT32_MAX;
}
void waiting_push(struct estab_stack *stack, struct conn *listener, struct conn *child);
struct conn *waiting_pop(struct estab_stack *stack, struct conn *listener);
/* It has ended while it waited. */
void waiting_remove(struct estab_stack *stack, struct conn *listener, struct conn *child);

/* ---- settle.c ---- */
void conn_trace_identity(struct estab_stack *stack, const struct conn *conn);

/* Sets time and trace identity for calls into tcp/. */
static inline struct tcp_context *conn_context(struct estab_stack *stack, const struct conn *conn,
                                               uint64_t now)
{
    stack->tcp.now = now;
    if (trace_on(&stack->trace)) {
        conn_trace_identity(stack, conn);
    }
    return &stack->tcp;
}

/* What follows for the stack from what has happened to a connection. It may be gone afterwards. */
void conn_settle(struct estab_stack *stack, struct conn *conn);
/* Only its deadlines: what sending changes. */
void conn_settle_timers(struct estab_stack *stack, struct conn *conn);
void conn_set_timer(struct estab_stack *stack, struct conn *conn, uint64_t deadline_ns);
/* Whether asking tcp_output_decide() may be worth it: cheap and never wrong in the negative. */
bool conn_may_have_output(const struct tcp_conn *c);
/* The user's interest ends: the record goes with the connection, or at once. */
void conn_release(struct estab_stack *stack, struct conn *conn);
void conn_abort(struct estab_stack *stack, struct conn *conn, int error);
void conn_reset_peer(struct estab_stack *stack, struct conn *conn);
void conn_send_reset(struct estab_stack *stack, const struct conn *conn, uint8_t state_before);

/* ---- ports.c ---- */
void ports_init(struct estab_stack *stack);
/* It has named its local port itself: an active OPEN of another will not choose that one. */
void port_bind(struct estab_stack *stack, struct conn *conn);
void port_unbind(struct estab_stack *stack, struct conn *conn);
bool port_conflict(const struct estab_stack *stack, const struct conn *conn, const struct ip_addr *local,
                   uint16_t port);
/*
 * A free port for this flow (local_port is set), or for any flow where remote_port is 0; false: none is left.
 */
bool port_choose(struct estab_stack *stack, const struct conn *conn, struct flow_key *key);

/* ---- time_waits.c ---- */
void time_waits_init(struct estab_stack *stack);
void time_wait_take_over(struct estab_stack *stack, struct conn *conn);
void time_wait_segment(struct estab_stack *stack, uint32_t index, struct arrival *arrival);
void time_wait_end(struct estab_stack *stack, uint32_t index, enum tcp_event event);
/* Ends those that are due, at most `max`; true where more are. */
bool time_waits_tick(struct estab_stack *stack, uint64_t now, unsigned max);
uint64_t time_waits_deadline(const struct estab_stack *stack);
void time_wait_status(const struct estab_stack *stack, const struct time_wait *tw,
                      struct estab_status *status);

/* ---- half_opens.c: the SYN cache ---- */
void half_opens_init(struct estab_stack *stack);
/* Whether a SYN of this flow is to find room in it, where it may have a cookie instead. */
bool half_opens_have_room(const struct estab_stack *stack, const struct flow_key *key);
/*
 * Whether this flow gets one of the `left` places that all share. Of the last `window` of them chance
 * decides, so that where the last one went shows in nobody's answer.
 */
bool place_is_given(const struct estab_stack *stack, const struct flow_key *key, uint32_t left,
                    uint32_t window);
/* A SYN has led conn to SYN-RECEIVED: the cache remembers it, and sends the SYN,ACK. */
void half_open_begin(struct estab_stack *stack, const struct conn *conn, uint32_t listener);
void half_open_segment(struct estab_stack *stack, uint32_t index, const struct arrival *arrival);
/* Its connection as it would be, in a record of the caller's. False: there is no way back to the peer. */
bool half_open_copy(struct estab_stack *stack, const struct half_open *entry, struct conn *copy);
/* What is traced next is about a handshake that has no handle. */
void half_open_trace_identity(struct estab_stack *stack, const struct flow_key *key);
/* An ACK for a listener that may bring a cookie back: true where it did, and was taken care of. */
bool half_open_cookie(struct estab_stack *stack, const struct conn *listener, const struct arrival *arrival);
/* Their listener goes. */
void half_opens_drop(struct estab_stack *stack, uint32_t listener);
bool half_opens_tick(struct estab_stack *stack); /* true: more are due */
uint64_t half_opens_deadline(const struct estab_stack *stack);

/* ---- replies.c: segments for no connection ---- */
/* Room for a segment that goes out when it is pulled; NULL: there is none, which is counted. */
struct reply *reply_room(struct estab_stack *stack);
/* Such a segment. */
void reply_add(struct estab_stack *stack, const struct flow_key *key, const struct reply *reply);
bool reply_pull(struct estab_stack *stack, struct estab_packet *packet);
/* A neighbour has answered, or will not: what waits goes out after all. */
void replies_unpark(struct estab_stack *stack);
/* The RST that tcp_reset_for() makes, within the limit on them. */
void reply_reset(struct estab_stack *stack, const struct arrival *arrival);

/* ---- groups.c: listeners that share a port ---- */
/* A listener that is to enter the table gets its number. -ESTAB_EADDRINUSE: the port is not shared. */
int group_join(const struct estab_stack *stack, struct conn *listener);
/* It leaves the table, and the last one takes its number. */
void group_leave(struct estab_stack *stack, struct conn *listener);
/* Whose a flow is, where `first` is the first of several. */
struct conn *group_pick(const struct estab_stack *stack, struct conn *first, const struct flow_key *key);

/* ---- shed.c: what is given up when the budget is used up ---- */
void shed_init(struct estab_stack *stack);
/* Room for a segment's text in order, where blocks are few. Ends connections, but not `conn`. */
void shed_for_text(struct estab_stack *stack, const struct conn *conn, const struct tcp_segment *seg);
static inline void shed_for_segment(struct estab_stack *stack, const struct conn *conn,
                                    const struct tcp_segment *seg)
{
    if (__builtin_expect(pool_available(&stack->pool) < stack->shed.reserve, 0)) {
        shed_for_text(stack, conn, seg);
    }
}
/*
 * Not long ago nobody was found who had stalled. Then blocks and records are made free ahead of need: whoever
 * finds none costs a client a timeout.
 */
bool besieged(const struct estab_stack *stack);
/* The user wants a connection and no record is left: an orphan's may be had. */
void shed_for_user(struct estab_stack *stack);
/* A handshake completes: where no record is left one is given up, so that its user gives it back. */
void shed_for_connection(struct estab_stack *stack);
/* Its user has closed it. */
void shed_forget(struct estab_stack *stack, struct conn *conn);
bool shed_tick(struct estab_stack *stack); /* true: there is more to do */
uint64_t shed_deadline(const struct estab_stack *stack);
/* Its user has given up the handle; it got on; it is over. */
void orphan_add(struct estab_stack *stack, struct conn *conn);
void orphan_moved(struct estab_stack *stack, struct conn *conn);
void orphan_remove(struct estab_stack *stack, struct conn *conn);
/* The orphans that are more than may be. */
void orphans_cap(struct estab_stack *stack);

/* ---- listeners.c ---- */
/* A segment for a connection in LISTEN: a listener, or a passive OPEN. */
void listener_segment(struct estab_stack *stack, struct conn *listener, const struct arrival *arrival);
/* Whether somebody has room to accept one more; else the packet is told so, and counted. */
bool listener_may_establish(struct estab_stack *stack, const struct conn *listener,
                            const struct arrival *arrival);
/* Takes the options of its listener. */
void conn_adopt(struct conn *child, const struct conn *listener);
/* The way back to who sent a SYN, and what depends on the addresses; false: there is none. */
bool conn_way_back(struct estab_stack *stack, struct conn *conn);
/* A connection that began in the SYN cache becomes its listener's child. */
void child_begin(struct estab_stack *stack, struct conn *child, struct conn *listener);
void child_established(struct estab_stack *stack, struct conn *child);
void listener_close(struct estab_stack *stack, struct conn *listener);

/* ---- opening.c ---- */
/* The address a passive OPEN listens on, whatever `local` has become. */
struct ip_addr conn_bound_address(const struct conn *conn);
/* ISS, timestamp offset and MSS for a flow whose path is known. */
/* The MSS that a SYN,ACK offers to a SYN that has no connection (MUST-67). */
uint16_t mss_to_offer(struct estab_stack *stack, const struct conn *listener, const struct arrival *arrival);
struct open_facts open_facts_of(struct estab_stack *stack, const struct conn *conn, uint64_t now);
int conn_find_path(struct estab_stack *stack, struct conn *conn, uint64_t now);
int conn_open_active(struct estab_stack *stack, struct conn *conn, enum tcp_event event);
uint32_t conn_headers(const struct conn *conn); /* IP and TCP headers without options */

/* ---- pull.c ---- */
bool conn_pull(struct estab_stack *stack, struct conn *conn, struct estab_packet *packet);
/*
 * Writes IP header, finishes the TCP checksum or leaves it to the driver. `tcp` has header_length bytes at
 * the packet's place for it.
 */
struct frame {
    struct ip_header_fields ip; /* but for the length */
    const struct ip_path *path;
    uint32_t header_length; /* of TCP */
    uint32_t text_length;
    uint64_t header_sum;    /* of the TCP header */
    uint64_t text_sum;      /* of the text, where software does it */
};
void frame_finish(struct estab_stack *stack, struct estab_packet *packet, struct frame *frame);

/* ---- status.c ---- */
struct estab_addr addr_of(const struct ip_addr *ip, uint16_t port, unsigned scope);
struct ip_addr ip_of(const struct estab_addr *addr);

#endif
