/*
 * What the parts of `estab bench flood` share. One stack, the server, in virtual time; legitimate clients on
 * a stack of their own behind a link with a round trip; attackers beside the server, who see what it sends
 * at once and have no stack: they write their packets themselves.
 *
 * Time moves in steps of FLOOD_STEP_NS. In each, what has arrived from the clients is handed to the server,
 * then FLOOD_BATCH attack packets: a million a second. Nothing is random but one generator with a fixed seed,
 * so a run can be repeated; only the figures about CPU time differ.
 */
#ifndef ESTAB_TOOLS_BENCH_FLOOD_H
#define ESTAB_TOOLS_BENCH_FLOOD_H

#include "bench.h"

#define FLOOD_BATCH       64u
#define FLOOD_STEP_NS     UINT64_C(64000)
#define FLOOD_DELAY_NS    UINT64_C(5000000) /* one way between clients and server */
#define FLOOD_PATIENCE_NS UINT64_C(30000000000)
#define FLOOD_PULL        256u /* packets of the server at once */
#define FLOOD_ROOM        1536u
#define FLOOD_SMALL       256u /* room of an attack packet */
#define FLOOD_DECILES     10u
#define FLOOD_CLIENT      0x0a000001u /* 10.0.0.1 */
#define FLOOD_SERVER      0x0a000002u
#define FLOOD_BOTS        0xac100000u /* 172.16.0.0: attackers with connections, a /16 for each set */
#define FLOOD_BOT_SETS    4u
#define FLOOD_MOST_BOTS   65536u /* in a set */
#define FLOOD_ANSWER      10000u /* bytes that a legitimate client asks for */
#define FLOOD_STORMS      4u

/* ---- packets (bench_flood_wire.c) ---- */

enum flood_flag { FLOOD_FIN = 1, FLOOD_SYN = 2, FLOOD_RST = 4, FLOOD_PSH = 8, FLOOD_ACK = 16 };

/* A segment in an IPv4 packet, in host order. */
struct flood_segment {
    uint32_t source, destination;
    uint16_t source_port, destination_port;
    uint32_t seq, ack;
    uint16_t flags, wnd;
    const uint8_t *options; /* a multiple of four bytes, or as they came */
    uint32_t options_length;
    const uint8_t *text;
    uint32_t text_length;
};

/* Returns the packet's length; its checksums are right. */
uint32_t flood_write(const struct flood_segment *segment, uint8_t *to);

/* A packet of a stack's, without IP options. False: it carries no TCP. */
bool flood_read(const uint8_t *packet, uint32_t length, struct flood_segment *segment);

/* Cuts a packet into two fragments, at a multiple of eight bytes of its text; their lengths. */
void flood_cut(const uint8_t *packet, uint32_t length, uint8_t *parts[2], uint32_t lengths[2]);

/* The IPv4 header of a fragment or of a whole packet: `fragment` is the field of flags and offset. */
void flood_write_ip(uint8_t *to, uint32_t length, uint16_t id, uint16_t fragment,
                    const uint32_t addresses[2]);

/* ---- what is counted ---- */

/* How long something took: a histogram with a bin a step. */
#define FLOOD_BINS (FLOOD_PATIENCE_NS / FLOOD_STEP_NS + 1)
struct flood_times {
    uint64_t count;
    uint32_t *bins;
};

struct flood_tally {
    uint64_t attack_packets, attack_bytes; /* to the server */
    uint64_t out_packets, out_bytes;       /* from it, to others than the clients */
    uint64_t cpu_ns[FLOOD_DECILES], cpu_packets[FLOOD_DECILES];
    uint64_t begun, completed, resets, timeouts, corrupt; /* legitimate exchanges */
    uint64_t streams, streams_lost;
    uint64_t cut, fragmented_begun, fragmented_completed;
    struct flood_times setup;      /* until the client is connected */
    struct flood_times exchange;   /* until it has everything */
    uint64_t half_open_bytes_high; /* with connections that SYNs with text got at once */
    uint32_t half_open_high, connections_high, time_wait_high;
    uint32_t syn_acks_most;   /* for one SYN cache entry */
    uint32_t challenges_most; /* in a second to one connection of a client */
    uint32_t storm_most;      /* segments of both ends in a second */
    uint64_t pipe_lost;
};

/* ---- the world ---- */

struct flood;
struct flood_pipe;
struct flood_client;
struct flood_challenges;
struct flood_entry;
struct flood_bots;

struct flood_kind {
    const char *name;
    const char *what;
    bool (*begin)(struct flood *flood); /* NULL = nothing to prepare; false after a line was printed */
    /* One packet that goes to the server now; its length, 0 = none. */
    uint32_t (*fill)(struct flood *flood, uint8_t *to);
};

struct flood_setup {
    const struct flood_kind *kind; /* NULL = idle: no attack */
    uint64_t duration_ns;
    uint64_t msl_ns; /* 0 = the default */
    size_t budget;
    uint32_t attackers; /* with connections, in each set of them; 0 = as the kind has it */
    bool no_cookies;
    bool fragments; /* some clients' packets come in fragments */
    bool storm;     /* some clients' connections are desynchronised */
};

/* A connection of a client whose two ends an attacker on the path has led apart. */
struct flood_storm {
    uint16_t port;
    bool begun;
    uint64_t begun_ns;
    uint64_t second;
    uint32_t segments; /* in it */
    uint32_t sniffed_length;
    uint8_t sniffed[FLOOD_SMALL]; /* the client's last segment */
};

/* The datagram of which an attacker has sent a fragment; `again`: it will get one that overlaps. */
struct flood_fragment {
    uint32_t source;
    uint16_t id;
    bool again;
};

struct flood {
    const struct flood_setup *setup;
    estab_stack *server, *client;
    void *memory[2];
    size_t memory_size[2];
    estab_conn listener;
    uint64_t start, now, end;
    uint64_t step;
    uint64_t random;
    bool draining; /* no new exchange is begun */
    struct flood_pipe *to_server, *to_client;
    struct flood_pipe *late; /* to the server, behind the first attack packets of the step */
    struct flood_client *clients;
    unsigned client_count, open_exchanges;
    unsigned turn; /* of the mix */
    struct flood_fragment fragment;
    struct flood_bots *bots[FLOOD_BOT_SETS];
    struct flood_storm storms[FLOOD_STORMS];
    uint8_t *answer;                     /* what the server answers, once around and over */
    struct flood_entry *entries;         /* SYN,ACKs a tuple, by its hash */
    struct flood_challenges *challenges; /* by the port of the client */
    struct flood_tally tally;
    struct estab_packet in[FLOOD_BATCH];
    struct estab_packet out[FLOOD_PULL];
    uint8_t in_room[FLOOD_BATCH][FLOOD_SMALL];
    uint8_t out_room[FLOOD_PULL][FLOOD_ROOM];
};

uint64_t flood_random(struct flood *flood);

static inline uint32_t flood_below(struct flood *flood, uint32_t bound)
{
    return (uint32_t)(((flood_random(flood) >> 32) * bound) >> 32);
}

/* bench_flood_world.c: NULL or false after a line was printed. */
struct flood *flood_open(const struct flood_setup *setup);
bool flood_run(struct flood *flood);
void flood_close(struct flood *flood);
void *flood_allocate(size_t size);

/* ---- the link (bench_flood_pipe.c) ---- */

struct flood_pipe *flood_pipe_open(void);
void flood_pipe_close(struct flood_pipe *pipe);

/* False: there was no room, the packet is lost. */
bool flood_pipe_push(struct flood_pipe *pipe, uint64_t due_ns, const uint8_t *packet, uint32_t length);

/* Up to `count` packets that are due; they stay where they lie until the next push. */
unsigned flood_pipe_pop(struct flood_pipe *pipe, uint64_t now, struct estab_packet *packets, unsigned count);

/* ---- the server's application (bench_flood_server.c) ---- */

bool flood_server_listen(struct flood *flood);
void flood_server_events(struct flood *flood);

/* What stands at this position of every answer. */
#define FLOOD_PATTERN 65536u
uint8_t *flood_pattern(void);

/* ---- the clients (bench_flood_clients.c) ---- */

struct flood_victim {
    uint16_t port;
    uint32_t seq; /* of a stream: what the client sends next */
};

bool flood_clients_open(struct flood *flood);
void flood_clients_close(struct flood *flood);

/* What the clients' stack has to tell. */
void flood_clients_events(struct flood *flood);

/* Their timers, and what a step of a millisecond needs. */
void flood_clients_tick(struct flood *flood);

/* A connection that lives: of any client, or of a stream. Port 0: there is none. */
struct flood_victim flood_victim(struct flood *flood);
struct flood_victim flood_victim_stream(struct flood *flood);

/* Whether the packet is to be cut in two on its way, because of the port it comes from. */
bool flood_clients_fragments(const struct flood *flood, uint16_t port);

/* ---- what passes between clients and server (bench_flood_watch.c) ---- */

bool flood_watch_open(struct flood *flood);
void flood_watch_close(struct flood *flood);

/* towards: 0 = the server, 1 = a client. */
void flood_watch(struct flood *flood, unsigned towards, const struct estab_packet *packet);

/* A packet to somebody who is none of the clients. */
void flood_watch_out(struct flood *flood, const struct estab_packet *packet);

/* Leads connections apart when it is time, and keeps them so: once a millisecond. */
void flood_storms_tick(struct flood *flood);

/* ---- attackers with connections (bench_flood_bots.c) ---- */

struct flood_bot {
    uint32_t seq;  /* what it sends next */
    uint32_t ack;  /* what it says it has received up to */
    uint32_t high; /* the end of what it has received */
    uint32_t since_ms;
    uint32_t count; /* the kind's own */
    uint16_t port;
    uint8_t state;
    uint8_t mss;
};

struct flood_bots_plan {
    unsigned set;
    uint32_t count;            /* connections that they want to have */
    uint32_t opens_per_second; /* SYNs; 0 = as many as may be */
    bool small_mss;
    uint16_t wnd; /* in the ACK of the handshake */
    const char *(*request)(uint32_t index);
    /* A packet of an established connection; 0 = none now. */
    uint32_t (*act)(struct flood *flood, struct flood_bots *bots, uint32_t index, uint8_t *to);
    bool fins; /* closes after the server, and begins again */
};

bool flood_bots_open(struct flood *flood, const struct flood_bots_plan *plan);
void flood_bots_close(struct flood_bots *bots);
uint32_t flood_bots_fill(struct flood *flood, unsigned set, uint8_t *to);
void flood_bots_hear(struct flood *flood, const struct flood_segment *segment);
struct flood_bot *flood_bot(struct flood_bots *bots, uint32_t index);

/* A segment from bot to server, seq and ack filled in. */
struct flood_segment flood_bot_segment(const struct flood_bots *bots, uint32_t index, uint16_t flags);

/* ---- kinds (bench_flood_kinds.c, bench_flood_holders.c) ---- */

const struct flood_kind *flood_kind_find(const char *name);
extern const struct flood_kind flood_ooo, flood_sack, flood_sockstress, flood_timewait;

/* ---- the report (bench_flood_report.c) ---- */

/* Prints the figures; with settings->check a line for each bound that is missed. Exit code. */
int flood_report(const struct bench_settings *settings, const struct flood *flood, const struct flood *idle,
                 uint64_t real_ns);

#endif
