/*
 * Writes captures that Wireshark opens (pcapng, draft-ietf-opsawg-pcapng): section header, one description
 * an interface, one enhanced packet block a packet with nanoseconds, its direction, and a comment with what
 * the stack had to say: state before -> after and why it was sent or dropped.
 *
 * Blocks are collected in a buffer and written whole. The first error (a full disk, a closed pipe) ends the
 * capture: it stands as one line in `error`, everything later is ignored, and a file is cut back to its
 * last whole block. SIGPIPE is not raised.
 */
#ifndef ESTAB_DRIVERS_PCAPNG_H
#define ESTAB_DRIVERS_PCAPNG_H

#include "estab/estab.h"

#define PCAPNG_BUFFER         (256u * 1024u)
#define PCAPNG_MAX_INTERFACES 8

struct pcapng {
    int fd;        /* -1 = closed */
    bool owned;    /* the descriptor is closed with the capture */
    int failed;    /* errno of what ended the capture, 0 = nothing */
    bool reported; /* for the caller: pcapng_report() */
    unsigned interfaces;
    uint64_t packets; /* written or in the buffer */
    uint64_t written; /* bytes in the file */
    size_t used;      /* bytes in the buffer */
    uint8_t *buffer;
    char path[256];  /* for messages */
    char error[384]; /* "out.pcapng: No space left on device: capture stopped after 12 packets" */
};

struct pcapng_record {
    unsigned interface; /* of pcapng_interface() */
    uint64_t time_ns;   /* since 1970 (a virtual clock may start at 0) */
    bool outgoing;
    const char *note;                  /* put in front of the comment; NULL = nothing */
    const struct estab_packet *packet; /* data and slices; before the call that ends the slices' life */
};

/* Creates or empties the file; "-" = standard output. 0, or a negative errno with one line in `error`. */
int pcapng_open(struct pcapng *writer, const char *path, char *error, size_t size);

/* Writes to an open descriptor, which stays the caller's. */
int pcapng_attach(struct pcapng *writer, int fd, const char *name, char *error, size_t size);

/*
 * Adds an interface: Ethernet frames or bare IP packets. Returns its number, from 0; a negative errno once
 * the capture has ended.
 */
int pcapng_interface(struct pcapng *writer, const char *name, bool ethernet);

/* 0, or the negative errno that ended the capture. */
int pcapng_write(struct pcapng *writer, const struct pcapng_record *record);

/* Brings what is in the buffer to the file: before a long wait. */
int pcapng_flush(struct pcapng *writer);

/* The line about what ended the capture, the first time it is asked for; NULL = nothing to say. */
const char *pcapng_report(struct pcapng *writer);

/*
 * Flushes and closes. 0, or the negative errno that ended the capture (writer->error and pcapng_report()
 * stay readable).
 */
int pcapng_close(struct pcapng *writer);

/*
 * The comment of a packet, pure: "ESTABLISHED -> CLOSE-WAIT: close", "ESTABLISHED: dropped, outside the
 * window". Returns its length.
 */
#define PCAPNG_COMMENT 192
size_t pcapng_comment(const struct pcapng_record *record, char text[PCAPNG_COMMENT]);

#endif
