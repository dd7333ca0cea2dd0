/*
 * The pcapng writer (pcapng.h): draft-ietf-opsawg-pcapng sections 4.1 (section header), 4.2 (interface
 * description), 4.3 (enhanced packet) and 3.5 (options). Everything stands in the byte order of the
 * machine, which the magic number tells the reader.
 *
 * It knows packets as the core's struct estab_packet and nothing of devices or stacks; the time comes with
 * each record.
 */
#include "pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,

    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_SHB_APPLICATION = 4,
    OPTION_IF_NAME = 2,
    OPTION_IF_TSRESOL = 9,
    OPTION_EPB_FLAGS = 2,

    LINKTYPE_ETHERNET = 1,
    LINKTYPE_RAW = 101,

    FLAG_INBOUND = 1,
    FLAG_OUTBOUND = 2,

    /* Everything of a packet block but packet and comment: header, options, padding, length. */
    BLOCK_OVERHEAD = 64
};

/* ----------------------------------------------------------------------------------------------- bytes */

static void put(struct pcapng *writer, const void *data, size_t length)
{
    memcpy(writer->buffer + writer->used, data, length);
    writer->used += length;
}

static void put16(struct pcapng *writer, unsigned value)
{
    uint16_t word = (uint16_t)value;

    put(writer, &word, sizeof word);
}

static void put32(struct pcapng *writer, size_t value)
{
    uint32_t word = (uint32_t)value;

    put(writer, &word, sizeof word);
}

static void put_padding(struct pcapng *writer, size_t length)
{
    static const uint8_t zero[4];

    put(writer, zero, (4 - length % 4) % 4);
}

static void put_option(struct pcapng *writer, unsigned code, const void *value, size_t length)
{
    put16(writer, code);
    put16(writer, (unsigned)length);
    put(writer, value, length);
    put_padding(writer, length);
}

/* A block's length stands behind its type and again at its end: begin leaves room, end fills it in. */
static size_t block_begin(struct pcapng *writer, unsigned type)
{
    size_t start = writer->used;

    put32(writer, type);
    put32(writer, 0);
    return start;
}

static void block_end(struct pcapng *writer, size_t start)
{
    uint32_t length;

    put16(writer, OPTION_END);
    put16(writer, 0);
    length = (uint32_t)(writer->used + 4 - start);
    memcpy(writer->buffer + start + 4, &length, 4);
    put32(writer, length);
}

/* ------------------------------------------------------------------------------------------------ file */

/* How much of what stands in the buffer is whole blocks of the first `length` bytes. */
static size_t whole_blocks(const struct pcapng *writer, size_t length)
{
    size_t at = 0;

    while (at + 8 <= length) {
        uint32_t block;

        memcpy(&block, writer->buffer + at + 4, 4);
        if (at + block > length)
            break;
        at += block;
    }
    return at;
}

/* write() that answers EPIPE without raising SIGPIPE, whatever the program does with that signal. */
static ssize_t write_quietly(int fd, const uint8_t *data, size_t length)
{
    const struct timespec at_once = {0, 0};
    sigset_t pipe_set, pending, old;
    ssize_t result;
    int saved;

    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
    result = write(fd, data, length);
    saved = errno;
    if (result < 0 && saved == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe_set, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = saved;
    return result;
}

static int fail(struct pcapng *writer, int code)
{
    writer->failed = code;
    writer->used = 0;
    snprintf(writer->error, sizeof writer->error, "%s: %s: capture stopped after %llu packets", writer->path,
             strerror(code), (unsigned long long)writer->packets);
    return -code;
}

int pcapng_flush(struct pcapng *writer)
{
    size_t done = 0;

    if (writer->failed != 0)
        return -writer->failed;
    while (done < writer->used) {
        ssize_t n = write_quietly(writer->fd, writer->buffer + done, writer->used - done);

        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            int code = errno;

            /* Only a file can be cut back to its last whole block; for a pipe the call changes nothing. */
            if (ftruncate(writer->fd, (off_t)(writer->written + whole_blocks(writer, done))) != 0)
                errno = code;
            return fail(writer, code);
        }
    }
    writer->written += writer->used;
    writer->used = 0;
    return 0;
}

static int make_room(struct pcapng *writer, size_t length)
{
    if (writer->failed != 0)
        return -writer->failed;
    if (writer->used + length <= PCAPNG_BUFFER)
        return 0;
    return pcapng_flush(writer);
}

static void put_section(struct pcapng *writer)
{
    static const char application[] = "estab";
    static const int64_t unknown = -1;
    size_t start = block_begin(writer, BLOCK_SECTION);

    put32(writer, BYTE_ORDER_MAGIC);
    put16(writer, 1);
    put16(writer, 0);
    put(writer, &unknown, sizeof unknown);
    put_option(writer, OPTION_SHB_APPLICATION, application, sizeof application - 1);
    block_end(writer, start);
}

int pcapng_attach(struct pcapng *writer, int fd, const char *name, char *error, size_t size)
{
    memset(writer, 0, sizeof *writer);
    writer->fd = fd;
    snprintf(writer->path, sizeof writer->path, "%s", name);
    writer->buffer = malloc(PCAPNG_BUFFER);
    if (writer->buffer == NULL) {
        writer->fd = -1;
        snprintf(error, size, "%s: out of memory", name);
        return -ENOMEM;
    }
    put_section(writer);
    return 0;
}

int pcapng_open(struct pcapng *writer, const char *path, char *error, size_t size)
{
    int result;
    int fd;

    memset(writer, 0, sizeof *writer);
    writer->fd = -1;
    if (strcmp(path, "-") == 0)
        return pcapng_attach(writer, STDOUT_FILENO, "standard output", error, size);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        result = -errno;
        snprintf(error, size, "cannot write the capture %s: %s", path, strerror(-result));
        return result;
    }
    result = pcapng_attach(writer, fd, path, error, size);
    if (result == 0)
        result = pcapng_flush(writer);
    if (result == 0) {
        writer->owned = true;
        return 0;
    }
    if (writer->error[0] != '\0')
        snprintf(error, size, "cannot write the capture %s: %s", path, strerror(-result));
    free(writer->buffer);
    close(fd);
    writer->buffer = NULL;
    writer->fd = -1;
    return result;
}

int pcapng_interface(struct pcapng *writer, const char *name, bool ethernet)
{
    static const uint8_t nanoseconds = 9;
    size_t length = strnlen(name, 64);
    size_t start;
    int result;

    if (writer->interfaces == PCAPNG_MAX_INTERFACES)
        return -ENOSPC;
    result = make_room(writer, BLOCK_OVERHEAD + length);
    if (result != 0)
        return result;
    start = block_begin(writer, BLOCK_INTERFACE);
    put16(writer, ethernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW);
    put16(writer, 0);
    put32(writer, 0);
    put_option(writer, OPTION_IF_NAME, name, length);
    put_option(writer, OPTION_IF_TSRESOL, &nanoseconds, 1);
    block_end(writer, start);
    return (int)writer->interfaces++;
}

/* --------------------------------------------------------------------------------------------- packets */

/* Appends text where it fits whole or in part; returns the new length. */
static size_t append(char text[PCAPNG_COMMENT], size_t length, const char *more)
{
    size_t room = PCAPNG_COMMENT - 1 - length;
    size_t n = strnlen(more, room);

    memcpy(text + length, more, n);
    text[length + n] = '\0';
    return length + n;
}

size_t pcapng_comment(const struct pcapng_record *record, char text[PCAPNG_COMMENT])
{
    const struct estab_packet *packet = record->packet;
    bool dropped = !record->outgoing && packet->reason != ESTAB_DROP_NONE;
    const char *why = record->outgoing ? estab_reason_name(packet->reason) : estab_drop_name(packet->reason);
    bool changed = packet->state_before != packet->state_after;
    size_t length = 0;

    text[0] = '\0';
    if (record->note != NULL)
        length = append(text, length, record->note);
    if (packet->conn != 0 || changed || packet->state_before != ESTAB_CLOSED) {
        if (length > 0)
            length = append(text, length, "; ");
        length = append(text, length, estab_state_name(packet->state_before));
        if (changed) {
            length = append(text, length, " -> ");
            length = append(text, length, estab_state_name(packet->state_after));
        }
    }
    if (why[0] == '\0')
        return length;
    if (length > 0)
        length = append(text, length, ": ");
    if (dropped)
        length = append(text, length, "dropped, ");
    return append(text, length, why);
}

static size_t packet_length(const struct estab_packet *packet)
{
    size_t length = packet->length;

    if (packet->slices == NULL)
        return length;
    for (unsigned i = 0; i < packet->slice_count; i++)
        length += packet->slices[i].length;
    return length;
}

/* Head and slices, not more than `kept` bytes. */
static void put_packet(struct pcapng *writer, const struct estab_packet *packet, size_t kept)
{
    size_t n = packet->length < kept ? packet->length : kept;
    size_t left = kept - n;

    if (n > 0)
        put(writer, packet->data, n);
    for (unsigned i = 0; left > 0 && i < packet->slice_count; i++) {
        n = packet->slices[i].length < left ? packet->slices[i].length : left;
        put(writer, packet->slices[i].data, n);
        left -= n;
    }
    put_padding(writer, kept);
}

int pcapng_write(struct pcapng *writer, const struct pcapng_record *record)
{
    const size_t most = PCAPNG_BUFFER - BLOCK_OVERHEAD - PCAPNG_COMMENT;
    size_t length = packet_length(record->packet);
    size_t kept = length < most ? length : most;
    uint32_t flags = record->outgoing ? FLAG_OUTBOUND : FLAG_INBOUND;
    char comment[PCAPNG_COMMENT];
    size_t comment_length = pcapng_comment(record, comment);
    int result = make_room(writer, kept + comment_length + BLOCK_OVERHEAD);
    size_t start;

    if (result != 0)
        return result;
    start = block_begin(writer, BLOCK_PACKET);
    put32(writer, record->interface);
    put32(writer, (uint32_t)(record->time_ns >> 32));
    put32(writer, (uint32_t)record->time_ns);
    put32(writer, kept);
    put32(writer, length);
    put_packet(writer, record->packet, kept);
    put_option(writer, OPTION_EPB_FLAGS, &flags, sizeof flags);
    if (comment_length > 0)
        put_option(writer, OPTION_COMMENT, comment, comment_length);
    block_end(writer, start);
    writer->packets++;
    return 0;
}

const char *pcapng_report(struct pcapng *writer)
{
    if (writer->failed == 0 || writer->reported)
        return NULL;
    writer->reported = true;
    return writer->error;
}

int pcapng_close(struct pcapng *writer)
{
    if (writer->fd < 0)
        return -writer->failed;
    pcapng_flush(writer);
    if (writer->owned && close(writer->fd) != 0 && writer->failed == 0)
        fail(writer, errno);
    free(writer->buffer);
    writer->buffer = NULL;
    writer->fd = -1;
    return -writer->failed;
}
