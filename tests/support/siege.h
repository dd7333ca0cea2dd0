/*
 * A siege: a stack that is attacked in virtual time while honest users go on working with it. The users run
 * on a stack of their own behind a wire of 1 ms; each opens a connection, sends SIEGE_BYTES, closes, waits
 * for the end, and begins anew. The attacker may send any packet from any address, and sees what goes to
 * addresses that are not the users'. Bytes are written and read here, not by src/wire.
 *
 *     siege_start(&s, &config, 1 << 20);
 *     for (...) { siege_put(&s, &(struct raw){...}); siege_run(&s, MS); }
 *     assert_int_equal(s.failed, 0);
 *     siege_stop(&s);
 */
#ifndef ESTAB_TESTS_SIEGE_H
#define ESTAB_TESTS_SIEGE_H

#include "drivers/pipe.h"
#include "support/rig.h"

#define SIEGE_PORT    80
#define SIEGE_BYTES   10000u
#define SIEGE_CLIENTS 8u
#define SIEGE_SERVED  64u
#define SIEGE_US      0x0a090002u /* 10.9.0.2, the stack under attack */
#define SIEGE_USERS   0x0a090001u

/* A TCP segment in an IPv4 packet. In the answers that the attacker sees `from` is the victim. */
struct raw {
    uint32_t from, to;           /* in host order; to: 0 = SIEGE_US */
    uint16_t from_port, to_port; /* to_port: 0 = SIEGE_PORT */
    uint32_t seq, ack;
    unsigned flags;
    uint32_t wnd;
    const uint8_t *options;
    unsigned option_length; /* of a length that is a multiple of 4 */
    uint32_t length;        /* of text: rig_byte() from `position` */
    uint64_t position;
};

size_t raw_write(const struct raw *raw, uint8_t out[2048]);
/* What a packet of the stack says; options point into it. */
void raw_read(const uint8_t *packet, size_t length, struct raw *raw);

struct siege_user {
    estab_conn conn;
    uint64_t opened_ns;
    uint32_t moved; /* bytes written, or read */
    bool shut;
};

struct siege {
    struct pipe pipe;
    estab_stack *stack[2]; /* 0: the users', 1: the victim's */
    void *memory[2];
    estab_conn listener;
    struct siege_user client[SIEGE_CLIENTS], served[SIEGE_SERVED];
    unsigned clients; /* how many of them work; 0 = nobody */
    uint64_t opened, done, failed;
    uint64_t worst_ns;                   /* from connect to the end, of those that are done */
    uint64_t attack_in, attack_in_bytes; /* what siege_put() was given */
    uint64_t questions;                  /* of ARP and neighbour discovery, for whom nobody answers */
    uint64_t answers, answer_bytes;      /* what the attacker got back */
    void (*answer)(void *user, const struct raw *raw, unsigned reason); /* NULL = nobody looks */
    void *answer_user;
};

/* config: of the victim; its secret is set here. */
void siege_start(struct siege *siege, const struct estab_config *config, size_t memory);
/* The same on Ethernet, IPv6 too: 10.9.0.2/8 and fd09::2/64. siege_put() adds the frame's header. */
void siege_start_ethernet(struct siege *siege, const struct estab_config *config, size_t memory);
void siege_put(struct siege *siege, const struct raw *raw);
void siege_put_bytes(struct siege *siege, const uint8_t *bytes, size_t length);
void siege_run(struct siege *siege, uint64_t ns);
/* The users finish what they have begun, and open nothing more. */
void siege_finish(struct siege *siege);
void siege_stop(struct siege *siege);

struct estab_memory siege_memory(const struct siege *siege);
struct estab_counters siege_counters(const struct siege *siege);

#endif
