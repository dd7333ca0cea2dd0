/*
 * Where received bytes go: a file that appears under its name only when it is complete, or a descriptor
 * (standard output, a device) that may not take them at once. Never waits for a pipe or a terminal.
 */
#ifndef ESTAB_TOOLS_SINK_H
#define ESTAB_TOOLS_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sink {
    int fd;
    bool patient;     /* a regular file or a device: a write does not wait for anybody */
    bool owned;       /* to be closed */
    const char *path; /* for messages */
    char *temporary;  /* the name until it is complete, NULL = none */
};

/* Standard output. */
void sink_standard(struct sink *sink);

/* Begins the file `path`. 0, or a negative errno; nothing is left behind then. */
int sink_open(struct sink *sink, const char *path);

/* Writes what goes in at once: the number of bytes, 0 = wait until `fd` is writable, or a negative errno. */
ptrdiff_t sink_write(struct sink *sink, const void *data, size_t length);

/* The file is complete: gives it its name. 0, or a negative errno; nothing is left behind then. */
int sink_commit(struct sink *sink);

/* Takes away what was written. May be called after each of the others. */
void sink_discard(struct sink *sink);

#endif
