/*
 * The packets of an exploration, each kept once under a number, and told in words for counterexamples. The
 * fields are read here from the bytes (RFC 791, RFC 9293 3.1) and not by src/wire.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/explore.h"
#include "sim/bytes.h"

enum { MOST = 65535, HEADER = 20 };

struct stored {
    uint32_t at, length;
    uint8_t from;
};

static struct stored *stored;
static unsigned count;
static uint8_t *bytes;
static size_t used, room;

static void *grown(void *memory, size_t size)
{
    void *more = realloc(memory, size);
    if (more == NULL) {
        fprintf(stderr, "explore: out of memory\n");
        exit(2);
    }
    return more;
}

void packets_clear(void)
{
    free(stored);
    free(bytes);
    stored = NULL;
    bytes = NULL;
    count = 0;
    used = room = 0;
}

unsigned packet_total(void)
{
    return count;
}

uint16_t packet_number(unsigned from, const uint8_t *data, uint32_t length)
{
    for (unsigned i = 0; i < count; i++) {
        if (stored[i].from == from && stored[i].length == length &&
            memcmp(bytes + stored[i].at, data, length) == 0) {
            return (uint16_t)i;
        }
    }
    if (count == MOST) {
        fprintf(stderr, "explore: more than %d different packets: a scenario that small has none\n", MOST);
        exit(2);
    }
    if ((count & (count + 1)) == 0) {
        stored = grown(stored, (2 * (size_t)count + 2) * sizeof *stored);
    }
    if (used + length > room) {
        room = 2 * room + length;
        bytes = grown(bytes, room);
    }
    memcpy(bytes + used, data, length);
    stored[count] = (struct stored){(uint32_t)used, length, (uint8_t)from};
    used += length;
    return (uint16_t)count++;
}

const uint8_t *packet_bytes(uint16_t number, uint32_t *length)
{
    *length = stored[number].length;
    return bytes + stored[number].at;
}

/* ---- in words ---- */

/* "2+5": five behind the ISS of the third connection that the owner of these numbers began. */
static void relative(char *out, size_t size, const struct user *owner, uint32_t number)
{
    unsigned best = MAX_INCARNATIONS;
    uint32_t distance = UINT32_MAX;
    for (unsigned i = 0; i < owner->incarnations; i++) {
        uint32_t ahead = number - owner->began[i].iss;
        if (ahead < distance) {
            best = i;
            distance = ahead;
        }
    }
    if (distance < 100000) {
        snprintf(out, size, "#%u+%u", best, distance);
    } else {
        snprintf(out, size, "%u", number);
    }
}

const char *packet_text(uint16_t number, const struct user *sender, const struct user *receiver)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"};
    static char out[128];
    const uint8_t *tcp = bytes + stored[number].at + HEADER;
    unsigned flags = tcp[13];
    uint32_t text = stored[number].length - HEADER - (tcp[12] >> 4) * 4u;
    char seq[24];
    char ack[24] = "-";
    relative(seq, sizeof seq, sender, get32(tcp + 4));
    if (flags & 0x10) {
        relative(ack, sizeof ack, receiver, get32(tcp + 8));
    }
    char list[32] = "";
    for (unsigned i = 0; i < 6; i++) {
        if (flags & 1u << i) {
            strcat(strcat(list, list[0] != '\0' ? "," : ""), names[i]);
        }
    }
    snprintf(out, sizeof out, "%s seq %s ack %s win %u%s%.0u", list, seq, ack,
             (unsigned)tcp[14] << 8 | tcp[15], text > 0 ? " text " : "", text);
    return out;
}
