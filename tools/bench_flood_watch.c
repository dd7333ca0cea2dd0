/*
 * What an observer at the server's link counts in `estab bench flood`: what goes out to attackers, SYN,ACKs
 * of one cache entry, challenge ACKs to one connection in a second, segments of an ACK storm. The storm is
 * made here too, since its attacker sees the packets: a byte is injected each way, after which both ends
 * believe the other to be wrong (Joncheray 1995); then a segment of the client's is said again, every
 * millisecond. See bench_flood.h.
 */
#include "bench_flood.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY_BITS 20 /* tuples remembered, by hash */
#define PORTS      65536u
#define STORM_NS   BENCH_SECOND /* of flood until the bytes are injected */
#define TIMESTAMPS 12u          /* NOP, NOP, the option (RFC 7323 appendix A) */

struct flood_entry {
    uint64_t tuple;
    uint32_t count;
};

struct flood_challenges {
    estab_conn conn; /* 0 = a TIME-WAIT record or a handshake */
    uint64_t second;
    uint32_t count;
};

bool flood_watch_open(struct flood *flood)
{
    flood->entries = calloc((size_t)1 << ENTRY_BITS, sizeof *flood->entries);
    flood->challenges = calloc(PORTS, sizeof *flood->challenges);
    return flood->entries != NULL && flood->challenges != NULL;
}

void flood_watch_close(struct flood *flood)
{
    free(flood->entries);
    free(flood->challenges);
}

static struct flood_storm *storm_of(struct flood *flood, uint16_t port)
{
    for (unsigned i = 0; i < FLOOD_STORMS; i++) {
        if (flood->storms[i].port == port && port != 0) {
            return &flood->storms[i];
        }
    }
    return NULL;
}

static void count_storm(struct flood *flood, struct flood_storm *storm)
{
    uint64_t second = flood->now / BENCH_SECOND;
    if (second != storm->second) {
        storm->second = second;
        storm->segments = 0;
    }
    storm->segments++;
    if (storm->segments > flood->tally.storm_most) {
        flood->tally.storm_most = storm->segments;
    }
}

static void count_challenge(struct flood *flood, uint16_t port, estab_conn conn)
{
    struct flood_challenges *count = &flood->challenges[port];
    uint64_t second = flood->now / BENCH_SECOND;
    if (count->second != second || count->conn != conn) { /* a port may be used again */
        *count = (struct flood_challenges){.second = second, .conn = conn};
    }
    count->count++;
    if (count->count > flood->tally.challenges_most) {
        flood->tally.challenges_most = count->count;
    }
}

void flood_watch(struct flood *flood, unsigned towards, const struct estab_packet *packet)
{
    struct flood_segment segment;
    if (!flood_read(packet->data, packet->length, &segment)) {
        return;
    }
    uint16_t port = towards == 0 ? segment.source_port : segment.destination_port;
    if (towards == 1 && packet->reason == ESTAB_REASON_ACK_CHALLENGE) {
        count_challenge(flood, port, packet->conn);
    }
    struct flood_storm *storm = storm_of(flood, port);
    if (storm == NULL || packet->length > FLOOD_SMALL) {
        return;
    }
    if (towards == 0) {
        memcpy(storm->sniffed, packet->data, packet->length);
        storm->sniffed_length = packet->length;
    }
    if (storm->begun && flood->now / BENCH_SECOND > storm->begun_ns / BENCH_SECOND) {
        count_storm(flood, storm); /* in the second of the injection the bytes get their own ACKs */
    }
}

/* Of two tuples with the same place the later one counts. */
static void count_syn_ack(struct flood *flood, uint64_t tuple)
{
    struct flood_entry *entry = &flood->entries[(tuple * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - ENTRY_BITS)];
    if (entry->tuple != tuple) {
        *entry = (struct flood_entry){.tuple = tuple};
    }
    entry->count++;
    if (entry->count > flood->tally.syn_acks_most) {
        flood->tally.syn_acks_most = entry->count;
    }
}

void flood_watch_out(struct flood *flood, const struct estab_packet *packet)
{
    struct flood_segment segment;
    flood->tally.out_packets++;
    flood->tally.out_bytes += packet->length;
    if (!flood_read(packet->data, packet->length, &segment)) {
        return;
    }
    if (segment.flags == (FLOOD_SYN | FLOOD_ACK) && packet->reason != ESTAB_REASON_SYN_COOKIE &&
        packet->conn == 0) { /* else it is a connection already */
        uint64_t key = (uint64_t)segment.destination << 16 | segment.destination_port;
        count_syn_ack(flood, key);
    }
    flood_bots_hear(flood, &segment);
}

/* ---- the storm ---- */

/*
 * One byte behind what the client has sent, or behind what the server has: an ACK of the client's tells all
 * about both directions, timestamps too.
 */
static uint32_t forge(const struct flood_storm *storm, unsigned towards, uint8_t *to)
{
    static const uint8_t byte = 'x';
    uint8_t options[TIMESTAMPS];
    struct flood_segment segment;
    if (!flood_read(storm->sniffed, storm->sniffed_length, &segment) || (segment.flags & FLOOD_SYN) ||
        segment.options_length != TIMESTAMPS) {
        return 0;
    }
    segment.seq += segment.text_length;
    memcpy(options, segment.options, TIMESTAMPS);
    if (towards == 1) {
        memcpy(options + 4, segment.options + 8, 4);
        memcpy(options + 8, segment.options + 4, 4);
        segment = (struct flood_segment){.source = segment.destination,
                                         .destination = segment.source,
                                         .source_port = segment.destination_port,
                                         .destination_port = segment.source_port,
                                         .seq = segment.ack,
                                         .ack = segment.seq,
                                         .wnd = segment.wnd};
    }
    segment.flags = FLOOD_ACK | FLOOD_PSH;
    segment.options = options;
    segment.options_length = TIMESTAMPS;
    segment.text = &byte;
    segment.text_length = 1;
    return flood_write(&segment, to);
}

static struct estab_packet packet_of(uint8_t *data, uint32_t length)
{
    return (struct estab_packet){.data = data, .length = length, .interface = 1};
}

static void lead_apart(struct flood *flood, struct flood_storm *storm)
{
    uint8_t to_server[FLOOD_SMALL];
    uint8_t to_client[FLOOD_SMALL];
    struct estab_packet packets[2] = {packet_of(to_server, forge(storm, 0, to_server)),
                                      packet_of(to_client, forge(storm, 1, to_client))};
    if (packets[0].length > 0 && packets[1].length > 0) {
        storm->begun = true;
        storm->begun_ns = flood->now;
        estab_input(flood->server, flood->now, &packets[0], 1);
        estab_input(flood->client, flood->now, &packets[1], 1);
    }
}

void flood_storms_tick(struct flood *flood)
{
    for (unsigned i = 0; i < FLOOD_STORMS && flood->now >= flood->start + STORM_NS; i++) {
        struct flood_storm *storm = &flood->storms[i];
        if (storm->begun) { /* a storm that has died down is begun again */
            struct estab_packet again = packet_of(storm->sniffed, storm->sniffed_length);
            estab_input(flood->server, flood->now, &again, 1);
        } else if (storm->port != 0) {
            lead_apart(flood, storm);
        }
    }
}
