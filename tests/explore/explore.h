/*
 * Two stacks joined by a small channel that loses, repeats and reorders packets, explored state by state
 * until there is nothing new (RFC 9293 3.10 as a whole).
 *
 * A side is a real stack in 16 KiB with its user. It is a deterministic machine: from one state, one action
 * (a call, a packet, a timer) always leads to the same next state and the same packets. So its states and
 * steps are numbered and remembered (side.c), and the core runs once for each step that differs; a world is
 * two numbers and two sets of packets, and exploring worlds (world.c) is a walk over a graph.
 *
 * Nothing here but side.c looks into a stack.
 */
#ifndef ESTAB_TESTS_EXPLORE_H
#define ESTAB_TESTS_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIDES = 2,
    MAX_INCARNATIONS = 5,
    MAX_TEXT = 6,
    MAX_OUT = 6,
    MAX_CHANNEL = 3,
    MAX_ENDS = 3,
    UNBOUNDED = 255
};

/* What may happen to a side. The kinds up to ACT_WAIT are its user's. */
enum act {
    ACT_PASSIVE,       /* passive OPEN of one record, for anybody */
    ACT_PASSIVE_NAMED, /* passive OPEN that names the peer: SEND makes it active (3.10.2) */
    ACT_LISTEN,        /* a listener; connections are accepted */
    ACT_CONNECT,       /* active OPEN, from CLOSED or LISTEN */
    ACT_ACCEPT,
    ACT_SEND, /* one byte */
    ACT_RECEIVE,
    ACT_SHUTDOWN, /* the RFC's CLOSE */
    ACT_CLOSE,    /* the handle is given up */
    ACT_CLOSE_LISTENER,
    ACT_ABORT,
    ACT_CRASH,  /* everything is forgotten, nobody is told (3.5.1) */
    ACT_WAIT,   /* two seconds pass in which no timer is due */
    ACT_TIMER,  /* time goes on to the next deadline */
    ACT_SECOND, /* time goes on, on the other side's clock too: limits by the second begin anew */
    ACT_PACKET,
    ACT_KINDS
};
#define BIT(act) (1u << (act))
extern const char *const act_names[ACT_KINDS];

/* What the user of a side may do, and how often. */
struct role {
    unsigned opens; /* BIT()s of the calls that open */
    uint8_t open_count;
    uint8_t sends;
    uint8_t aborts, crashes, waits;
    bool early_close; /* may give the handle up at any time; else when both directions are closed */
    bool lazy;        /* reads when it likes; else at once */
};

struct scenario {
    const char *name;
    const char *about;
    struct role role[SIDES];
    uint32_t window;  /* bytes: the receive buffer */
    unsigned channel; /* packets under way in each direction */
    uint8_t faults;   /* losses, repetitions and early timers in all, or UNBOUNDED; any order is free */
    bool timestamps, sack;
    bool no_delayed_ack;
    uint8_t syn_timeout_s; /* R2 of a SYN; 0 = none */
    bool gives_up;         /* peers may vanish: a user may tire of FIN-WAIT-2 */
    bool quick;            /* explored in every run of the tests */
    uint8_t syns;          /* connections that a side may begin, those that arrive included */
};

/* A connection as the other side must agree with it; a TIME-WAIT record is one too. */
struct end {
    uint8_t state; /* enum estab_state */
    bool pending;  /* something is unacknowledged, unsent or half done: it must come to an end by itself */
    uint32_t iss, irs;
    uint32_t snd_una, snd_nxt, rcv_nxt;
};

/* One connection that was begun, as its user knows it; kept when all else is forgotten. */
struct incarnation {
    uint32_t iss;
    uint8_t sent;  /* bytes */
    bool finished; /* by SHUTDOWN or CLOSE: no more will be sent */
};

struct user {
    uint8_t opens, sends, aborts, crashes, waits; /* left */
    uint8_t conn, listener;                       /* index in the stack + 1; 0 = none */
    bool shut;
    bool end_seen; /* the end of the peer's bytes */
    uint8_t error; /* enum estab_error that ended it */
    uint8_t incarnations;
    uint8_t received; /* bytes of the last connection */
    uint8_t text[MAX_TEXT];
    uint32_t iss, irs; /* of that connection */
    struct incarnation began[MAX_INCARNATIONS + 1];
};

/* What is known of a side's state without restoring it. */
struct facts {
    struct user user;
    uint32_t acts;      /* BIT()s of what the user may do now, and ACT_TIMER */
    bool timer_is_long; /* the next timer takes longer than an MSL: no packet lives that long */
    bool idle;          /* no connection, no record, no block in use */
    uint8_t fair;       /* what a user who wants to finish does now; ACT_KINDS = waits */
    uint8_t state;      /* enum estab_state, for people: of the connection that matters most */
    uint8_t end_count;
    struct end ends[MAX_ENDS];
};

struct effect {
    uint32_t side; /* the next state */
    bool refused;  /* would begin more connections than the scenario has: not explored */
    uint8_t packet_count;
    uint16_t packets[MAX_OUT];
    const char *violation; /* NULL = none */
};

/* ---- packets: numbered, each once ---- */
uint16_t packet_number(unsigned from, const uint8_t *data, uint32_t length);
const uint8_t *packet_bytes(uint16_t number, uint32_t *length);
unsigned packet_total(void);
void packets_clear(void);
/* "SYN,ACK A+0 ack B+1 text 1": numbers count from the ISS of the incarnation they belong to. */
const char *packet_text(uint16_t number, const struct user *sender, const struct user *receiver);

/* ---- one side ---- */
struct machine;
/* Its first state has the number 0. `plant` names a fault of the harness for the self-test, NULL = none. */
struct machine *machine_new(const struct scenario *scenario, unsigned side, const char *plant);
void machine_free(struct machine *machine);
const struct effect *machine_step(struct machine *machine, uint32_t state, enum act act, uint16_t packet);
const struct facts *machine_facts(const struct machine *machine, uint32_t state);
unsigned machine_states(const struct machine *machine);
unsigned machine_steps(const struct machine *machine);
/* The arrows that were taken, one bit for each index of estab_transition(). */
uint64_t machine_arrows(const struct machine *machine);

/* The byte of a stream: who sent it, in which connection, at which place. */
static inline uint8_t text_byte(unsigned side, unsigned incarnation, unsigned place)
{
    return (uint8_t)(side << 7 | incarnation << 4 | place);
}

/* ---- worlds ---- */
struct result {
    unsigned long states, transitions;
    unsigned depth;
    unsigned side_states[SIDES], side_steps[SIDES], packets;
    unsigned violations;
    bool cut; /* stopped at the most states allowed */
    uint64_t arrows;
};
/* Explores; prints a counterexample where there is one. */
void explore(const struct scenario *scenario, unsigned long max_states, const char *plant, bool quiet,
             struct result *result);

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

#endif
