/*
 * A system call of a script while it is made: its arguments as the socket layer wants them, kept until it
 * returns, and what it gave back. The files calls_*.c fill in the table of calls.c.
 */
#ifndef TOOLS_SCRIPT_CALLS_H
#define TOOLS_SCRIPT_CALLS_H

#include "run.h"

#include <stdbool.h>
#include <stdint.h>

#define CALL_VECTORS 64
#define CALL_BYTES   (UINT32_C(64) << 20) /* the largest buffer a script may name */

struct call_kind;

struct pending {
    const struct event *event;
    const struct call_kind *kind;
    int64_t start, end, before; /* the event's times */
    struct run_fd *fd;          /* of the first argument; NULL */
    int live;                   /* its descriptor; -1 where there is none */
    struct sockets_wait wait;
    int64_t number[6]; /* plain arguments, by their place */
    uint8_t *bytes;    /* what is read or written */
    size_t length;
    struct sockaddr_storage address;
    socklen_t address_length;
    struct msghdr message;
    struct iovec vectors[CALL_VECTORS];
    uint8_t control[1024];
    struct pollfd polled[CALL_VECTORS];
    struct epoll_event epolled[CALL_VECTORS];
    int pair[2];
    int other;           /* a second live descriptor */
    struct run_fd *file; /* of sendfile() */
    socklen_t option_length;
};

struct call_kind {
    const char *name;
    unsigned least, most; /* arguments */
    bool first_is_fd;
    bool gives_fd; /* a result of 0 or more is a descriptor: the script's number stands for it */
    /* Arguments into the pending call; false: run_fail() was told. May be NULL. */
    bool (*prepare)(struct run *run, struct pending *call);
    /* Linux's result: 0 or more, a negated errno, or SOCKETS_BLOCKED. */
    int64_t (*make)(struct run *run, struct pending *call);
    /* What it gave back, against the script; what follows from it. May be NULL. */
    bool (*check)(struct run *run, struct pending *call, int64_t result);
};

extern const struct call_kind calls_socket[];
extern const struct call_kind calls_data[];
extern const struct call_kind calls_ready[];
extern const struct call_kind calls_option[];

/* ----------------------------------------------------------------------------------- arguments (calls.c) */

/* The argument at a place, from 0; NULL = it was not given. */
const struct expression *call_argument(const struct pending *call, unsigned place);
/* Its number; false: it is none, and run_fail() was told. */
bool call_number(struct run *run, struct pending *call, unsigned place, int64_t *number);
bool call_is_open(const struct pending *call, unsigned place);
/* A number that an expression must be. */
bool call_number_of(struct run *run, const struct pending *call, const struct expression *e, int64_t *number);
bool call_live_fd(struct run *run, const struct pending *call, int64_t script, int *live);
/* A mismatch of what a call gave back. */
bool call_differs(struct run *run, const struct pending *call, const char *what, int64_t expected,
                  int64_t actual);
bool call_bad(struct run *run, const struct pending *call, unsigned place, const char *wants);
/* The member of a struct with this name, else the unnamed one at this place; NULL = none. */
const struct expression *call_member(const struct expression *e, const char *name, unsigned place);
/* Registers a descriptor. */
bool call_new_fd(struct run *run, const struct pending *call, int64_t script, int live);
uint8_t *call_bytes(struct run *run, struct pending *call, int64_t length);
/* A sockaddr of the script, or where `...` stands the address and port given. */
bool call_address(struct run *run, struct pending *call, const struct expression *e,
                  const struct estab_addr *otherwise);
bool call_check_address(struct run *run, struct pending *call, unsigned place);

#endif
