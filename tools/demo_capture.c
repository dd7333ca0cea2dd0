/*
 * Reads the pcapng that a program of ours writes with -w (draft-ietf-opsawg-pcapng), as it comes out of a
 * pipe, and makes trace records of the TCP segments in it: state and reason stand in the comment of each
 * packet (drivers/pcapng.h). It can copy what it reads with the packets cut to their heads. What it does not
 * know it skips; the writer is ours, so what is broken ends the reading.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER       ((size_t)1 << 20)
#define BLOCK_PACKET 6u
#define PACKET_FIXED 28u /* of a packet block, up to its data */
#define KEPT         128u
#define COMMENT      192u

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint16_t get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint16_t be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static size_t padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

bool capture_begin(struct capture_reader *reader, int fd)
{
    memset(reader, 0, sizeof *reader);
    reader->fd = fd;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETPIPE_SZ, (int)BUFFER);
    reader->buffer = malloc(BUFFER);
    return reader->buffer != NULL;
}

void capture_end(struct capture_reader *reader)
{
    free(reader->buffer);
    if (reader->fd >= 0) {
        close(reader->fd);
    }
    reader->fd = -1;
}

/* -------------------------------------------------------------------------------------------- segments */

static void parse_options(const uint8_t *at, const uint8_t *end, struct estab_trace_segment *segment)
{
    while (at < end && at[0] != 0) {
        size_t length = at[0] == 1 ? 1 : at + 1 < end ? at[1] : 0;
        if (length == 0 || at + length > end) {
            return;
        }
        if (at[0] == 2 && length == 4) {
            segment->mss = be16(at + 2);
        } else if (at[0] == 3 && length == 3) {
            segment->window_scale = at[2];
        } else if (at[0] == 4) {
            segment->sack_permitted = true;
        } else if (at[0] == 8 && length == 10) {
            segment->timestamps = true;
        }
        for (size_t i = 0; at[0] == 5 && i < 4 && 2 + 8 * (i + 1) <= length; i++) {
            segment->sack[i][0] = be32(at + 2 + 8 * i);
            segment->sack[i][1] = be32(at + 6 + 8 * i);
            segment->sack_count++;
        }
        at += length;
    }
}

/* An IP packet without extension headers or fragments, as our programs send them and the kernel answers.
 * False = no TCP segment. */
static bool parse_packet(const uint8_t *data, size_t length, struct estab_trace *record, bool *ipv6)
{
    struct estab_trace_segment *segment = &record->segment;
    if (length < 40) {
        return false;
    }
    *ipv6 = data[0] >> 4 == 6;
    size_t ip = *ipv6 ? 40 : (size_t)(data[0] & 15) * 4;
    size_t total = *ipv6 ? 40u + be16(data + 4) : be16(data + 2);
    const uint8_t *tcp = data + ip;
    if (data[*ipv6 ? 6 : 9] != 6 || length < ip + 20) {
        return false;
    }
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    if (length < ip + header) {
        return false;
    }
    record->local.port = be16(tcp);
    record->remote.port = be16(tcp + 2);
    segment->seq = be32(tcp + 4);
    segment->ack = tcp[13] & 0x10 ? be32(tcp + 8) : 0;
    segment->flags = tcp[13];
    segment->window = be16(tcp + 14);
    segment->up = be16(tcp + 18);
    segment->length = total > ip + header ? (uint32_t)(total - ip - header) : 0;
    segment->window_scale = 255;
    parse_options(tcp + 20, tcp + header, segment);
    return true;
}

/* -------------------------------------------------------------------------------------------- comments */

/* The state whose name stands at `*text`, which moves behind it. */
static bool take_state(const char **text, uint8_t *state)
{
    size_t best = 0;
    for (unsigned i = 0; i < ESTAB_STATE_COUNT; i++) {
        size_t length = strlen(estab_state_name(i));
        if (length > best && strncmp(*text, estab_state_name(i), length) == 0) {
            best = length;
            *state = (uint8_t)i;
        }
    }
    *text += best;
    return best > 0;
}

static uint8_t reason_of(const char *text)
{
    for (unsigned i = 1; i < ESTAB_REASON_COUNT; i++) {
        if (strcmp(text, estab_reason_name(i)) == 0) {
            return (uint8_t)i;
        }
    }
    return ESTAB_REASON_NONE;
}

static uint8_t drop_of(const char *text)
{
    for (unsigned i = 1; i < ESTAB_DROP_COUNT; i++) {
        if (strcmp(text, estab_drop_name(i)) == 0) {
            return (uint8_t)i;
        }
    }
    return ESTAB_DROP_NONE;
}

/* "ESTABLISHED -> CLOSE-WAIT: close" or "ESTABLISHED: dropped, outside the window". */
static void parse_comment(const char *text, struct estab_trace *record)
{
    static const char dropped[] = "dropped, ";
    if (take_state(&text, &record->state)) {
        record->state_after = record->state;
        if (strncmp(text, " -> ", 4) == 0) {
            text += 4;
            take_state(&text, &record->state_after);
        }
        text += strncmp(text, ": ", 2) == 0 ? 2 : 0;
    }
    if (strncmp(text, dropped, sizeof dropped - 1) == 0) {
        record->drop = drop_of(text + sizeof dropped - 1);
    } else {
        record->reason = reason_of(text);
    }
}

static void parse_block_options(const uint8_t *at, const uint8_t *end, struct estab_trace *record)
{
    char comment[COMMENT + 1] = "";
    while (at + 4 <= end && get16(at) != 0) {
        size_t length = get16(at + 2);
        if (at + 4 + length > end) {
            break;
        }
        if (get16(at) == 1) {
            snprintf(comment, sizeof comment, "%.*s", (int)length, (const char *)at + 4);
        } else if (get16(at) == 2 && length == 4) {
            record->kind = (get32(at + 4) & 3) == 1 ? ESTAB_TRACE_SEGMENT_IN : ESTAB_TRACE_SEGMENT_OUT;
        }
        at += 4 + padded(length);
    }
    parse_comment(comment, record);
}

/* ---------------------------------------------------------------------------------------------- blocks */

static void write_all(struct demo *copy, const void *data, size_t length)
{
    if (copy->capture >= 0 && write(copy->capture, data, length) != (ssize_t)length) {
        demo_capture_failed(copy, strerror(errno));
    }
}

/* The block with its packet cut to its head. */
static void copy_packet(struct demo *copy, const uint8_t *block, size_t length, size_t captured)
{
    uint8_t out[PACKET_FIXED + KEPT + 512];
    size_t kept = captured < KEPT ? captured : KEPT;
    size_t behind = length - PACKET_FIXED - padded(captured) - 4;
    uint32_t size = (uint32_t)(PACKET_FIXED + padded(kept) + behind + 4);
    uint32_t kept32 = (uint32_t)kept;
    if (size > sizeof out) {
        return;
    }
    memcpy(out, block, PACKET_FIXED + padded(kept));
    memcpy(out + 4, &size, 4);
    memcpy(out + 20, &kept32, 4);
    memcpy(out + PACKET_FIXED + padded(kept), block + PACKET_FIXED + padded(captured), behind);
    memcpy(out + size - 4, &size, 4);
    write_all(copy, out, size);
}

static void take_packet(const uint8_t *block, size_t length, capture_handler *handler, void *user)
{
    struct estab_trace record = {0};
    size_t captured = get32(block + 20);
    bool ipv6 = false;
    const uint8_t *options = block + PACKET_FIXED + padded(captured);
    record.time_ns = (uint64_t)get32(block + 12) << 32 | get32(block + 16);
    parse_block_options(options, block + length - 4, &record);
    if (parse_packet(block + PACKET_FIXED, captured, &record, &ipv6)) {
        handler(user, &record, ipv6);
    }
}

/* Returns how many bytes of the buffer were whole blocks. */
static size_t take_blocks(struct capture_reader *reader, struct demo *copy, capture_handler *handler,
                          void *user)
{
    size_t at = 0;
    while (at + 12 <= reader->used) {
        const uint8_t *block = reader->buffer + at;
        size_t length = get32(block + 4);
        if (length < 12 || at + length > reader->used) {
            break;
        }
        if (get32(block) != BLOCK_PACKET) {
            write_all(copy, block, length);
        } else if (length >= PACKET_FIXED + 4 && padded(get32(block + 20)) <= length - PACKET_FIXED - 4) {
            reader->packets++;
            copy_packet(copy, block, length, get32(block + 20));
            take_packet(block, length, handler, user);
        }
        at += length;
    }
    return at;
}

bool capture_take(struct capture_reader *reader, struct demo *copy, capture_handler *handler, void *user)
{
    ssize_t count;
    while ((count = read(reader->fd, reader->buffer + reader->used, BUFFER - reader->used)) > 0) {
        reader->used += (size_t)count;
        size_t taken = take_blocks(reader, copy, handler, user);
        reader->used -= taken;
        memmove(reader->buffer, reader->buffer + taken, reader->used);
    }
    return count != 0;
}
