/*
 * A server and a crowd of peers that are nobody: raw segments over bare IPv4, each peer by its number, in
 * virtual time. Tests say what a peer does with what it is sent; here is only the wire. No timestamps, no
 * SACK: the segments stay small, and there are millions of them.
 */
#ifndef ESTAB_TESTS_CROWD_H
#define ESTAB_TESTS_CROWD_H

#include "support/rig.h"

#define CROWD_ISN 0xffffff00u /* of every peer: each stream crosses the wrap soon */

struct crowd_peer {
    uint32_t snd, rcv; /* the next numbers of both streams */
    uint32_t got;      /* bytes of text in order */
    uint16_t port;
    bool synchronized; /* the SYN,ACK has come */
    bool fin;          /* the server's FIN has come */
    bool reset;        /* so has a RST */
    bool deaf;         /* takes no text: what is said to it does not count */
    bool told;         /* something came since the test looked last, and it stands in `heard` */
};

struct crowd {
    estab_stack *stack;
    void *memory;
    size_t size;
    struct crowd_peer *peers;
    uint32_t count;
    uint32_t *heard; /* the peers that were told something */
    uint32_t heard_count;
    int interface;
    uint64_t now;
    uint64_t packets_out, resets_out;
    uint8_t drop; /* enum estab_drop of the last segment said */
};

static inline void crowd_start(struct crowd *c, const struct estab_config *config, size_t size,
                               uint32_t count)
{
    const struct estab_interface interface = {.size = sizeof interface, .mtu = 1500};
    const struct estab_addr ours = estab_addr_ipv4(10, 0, 0, 1, 0);
    const char *what = "";
    int error = 0;
    *c = (struct crowd){.size = size, .count = count, .now = 1000 * SECOND};
    c->memory = aligned_alloc(16, size);
    c->peers = calloc(count, sizeof *c->peers);
    c->heard = calloc(count, sizeof *c->heard);
    c->stack = estab_init(c->memory, size, config, &error, &what);
    if (c->stack == NULL) {
        fail_msg("estab_init: %s, %s", estab_strerror(error), what);
    }
    c->interface = estab_interface_add(c->stack, c->now, &interface);
    assert_int_equal(estab_address_add(c->stack, c->now, 1, &ours, 8), 0);
    for (uint32_t i = 0; i < count; i++) {
        c->peers[i] = (struct crowd_peer){.snd = CROWD_ISN, .port = 5000};
    }
}

static inline void crowd_stop(struct crowd *c)
{
    assert_null(estab_check(c->stack));
    free(c->peers);
    free(c->heard);
    free(c->memory);
}

static inline void crowd_put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void crowd_put32(uint8_t *at, uint32_t value)
{
    crowd_put16(at, value >> 16);
    crowd_put16(at + 2, value & 0xffff);
}

static inline uint32_t crowd_get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What a peer says; its number stands in its address. */
struct crowd_words {
    unsigned flags;
    uint32_t seq; /* relative to what it would send next: 0 = in order */
    unsigned wnd;
    unsigned length; /* of text, all 'x' */
};

static inline void crowd_say(struct crowd *c, uint32_t i, struct crowd_words words)
{
    uint8_t bytes[1600];
    struct crowd_peer *peer = &c->peers[i];
    unsigned header = 20 + (words.flags & SYN ? 4u : 0u);
    unsigned total = 20 + header + words.length;
    memset(bytes, 0, 20 + header);
    memset(bytes + 20 + header, 'x', words.length);
    bytes[0] = 0x45;
    crowd_put16(bytes + 2, total);
    bytes[8] = 64;
    bytes[9] = 6;
    crowd_put32(bytes + 12, 0x0a010000u + i);
    crowd_put32(bytes + 16, 0x0a000001u);
    uint32_t sum = 0;
    for (unsigned k = 0; k < 20; k += 2) {
        sum += (uint32_t)bytes[k] << 8 | bytes[k + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    crowd_put16(bytes + 10, ~(sum + (sum >> 16)) & 0xffff);
    uint8_t *tcp = bytes + 20;
    crowd_put16(tcp, peer->port);
    crowd_put16(tcp + 2, LOCAL_PORT);
    crowd_put32(tcp + 4, peer->snd + words.seq);
    crowd_put32(tcp + 8, words.flags & ACK ? peer->rcv : 0);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = (uint8_t)words.flags;
    crowd_put16(tcp + 14, words.wnd);
    if (words.flags & SYN) {
        crowd_put32(tcp + 20, 0x02040000u | MSS);
    }
    struct estab_packet packet = {.data = bytes,
                                  .capacity = sizeof bytes,
                                  .length = total,
                                  .interface = (uint32_t)c->interface,
                                  .flags = ESTAB_PACKET_CHECKSUM_VALID};
    estab_input(c->stack, c->now, &packet, 1);
    c->drop = packet.reason;
}

/* The peer begins again, from its next port. */
static inline void crowd_anew(struct crowd *c, uint32_t i)
{
    struct crowd_peer *peer = &c->peers[i];
    *peer = (struct crowd_peer){
        .snd = CROWD_ISN, .port = (uint16_t)(peer->port + 1), .deaf = peer->deaf, .told = peer->told};
}

/* The peer's stream goes on by what it has said in order. */
static inline void crowd_go_on(struct crowd *c, uint32_t i, uint32_t by)
{
    c->peers[i].snd += by;
}

static inline void crowd_hears(struct crowd *c, const uint8_t *bytes, unsigned length)
{
    uint32_t i = crowd_get32(bytes + 16) - 0x0a010000u;
    const uint8_t *tcp = bytes + 20;
    uint32_t text = length - 20 - (tcp[12] >> 4) * 4u;
    unsigned flags = tcp[13];
    assert_true(i < c->count);
    struct crowd_peer *peer = &c->peers[i];
    if (!peer->told) {
        peer->told = true;
        c->heard[c->heard_count++] = i;
    }
    if (flags & RST) {
        c->resets_out++;
        peer->reset = true;
        return;
    }
    if (flags & SYN) {
        peer->rcv = crowd_get32(tcp + 4) + 1;
        peer->synchronized = true;
        return;
    }
    if (!peer->synchronized || peer->deaf || crowd_get32(tcp + 4) != peer->rcv) {
        return;
    }
    peer->rcv += text;
    peer->got += text;
    if (flags & FIN) {
        peer->rcv++;
        peer->fin = true;
    }
}

/* Peers that were told something since, each once; false = none is left. */
static inline bool crowd_next_told(struct crowd *c, uint32_t *i)
{
    if (c->heard_count == 0) {
        return false;
    }
    *i = c->heard[--c->heard_count];
    c->peers[*i].told = false;
    return true;
}

/* Everything that is due is pulled. */
static inline void crowd_listen(struct crowd *c)
{
    static uint8_t room[16][2048];
    struct estab_packet packets[16];
    unsigned n;
    do {
        for (unsigned k = 0; k < 16; k++) {
            packets[k] = (struct estab_packet){.data = room[k], .capacity = sizeof room[k]};
        }
        n = estab_pull(c->stack, c->now, packets, 16);
        for (unsigned k = 0; k < n; k++) {
            c->packets_out++;
            crowd_hears(c, packets[k].data, packets[k].length);
        }
    } while (n > 0);
}

static inline void crowd_tick(struct crowd *c)
{
    while (estab_tick(c->stack, c->now)) {
    }
}

static inline struct estab_memory crowd_memory(const struct crowd *c)
{
    struct estab_memory memory;
    estab_memory(c->stack, &memory);
    return memory;
}

static inline struct estab_counters crowd_counters(const struct crowd *c)
{
    struct estab_counters counters;
    estab_counters(c->stack, &counters);
    return counters;
}

/* Both ends of a handshake by peers [from, to) in turn; the ACK says `wnd`. */
static inline void crowd_connect(struct crowd *c, uint32_t from, uint32_t to, unsigned wnd)
{
    for (uint32_t i = from; i < to; i++) {
        crowd_say(c, i, (struct crowd_words){.flags = SYN, .wnd = 60000});
        crowd_listen(c);
        assert_true(c->peers[i].synchronized);
        crowd_go_on(c, i, 1);
        crowd_say(c, i, (struct crowd_words){.flags = ACK, .wnd = wnd});
    }
}

static inline estab_conn crowd_listener(struct crowd *c, unsigned backlog)
{
    estab_conn listener;
    const struct estab_addr any = estab_addr_any(LOCAL_PORT);
    assert_int_equal(estab_open(c->stack, &listener), 0);
    assert_int_equal(estab_bind(c->stack, c->now, listener, &any), 0);
    assert_int_equal(estab_listen(c->stack, c->now, listener, backlog), 0);
    return listener;
}

#endif
