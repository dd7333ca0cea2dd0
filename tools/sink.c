/*
 * Where received bytes go: see sink.h. The unfinished file stands beside its later name, so that what was
 * there before stays whole until rename(2), and goes away if the transfer fails.
 */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".estab-XXXXXX"

static void set_kind(struct sink *sink)
{
    struct stat status;
    sink->patient = fstat(sink->fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

void sink_standard(struct sink *sink)
{
    *sink = (struct sink){.fd = STDOUT_FILENO, .path = "standard output"};
    set_kind(sink);
}

/* mkstemp() makes files for the owner only; a finished download has the rights that open() would have given.
 */
static void set_mode(int fd)
{
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
}

static int open_temporary(struct sink *sink)
{
    size_t length = strlen(sink->path);
    sink->temporary = malloc(length + sizeof SUFFIX);
    if (sink->temporary == NULL) {
        return -ENOMEM;
    }
    memcpy(sink->temporary, sink->path, length);
    memcpy(sink->temporary + length, SUFFIX, sizeof SUFFIX);
    sink->fd = mkostemp(sink->temporary, O_CLOEXEC);
    if (sink->fd < 0) {
        int code = -errno;
        free(sink->temporary);
        sink->temporary = NULL;
        return code;
    }
    set_mode(sink->fd);
    return 0;
}

int sink_open(struct sink *sink, const char *path)
{
    struct stat status;
    *sink = (struct sink){.fd = -1, .owned = true, .path = path};
    bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) {
        return -EISDIR;
    }
    if (exists && !S_ISREG(status.st_mode)) {
        sink->fd = open(path, O_WRONLY | O_CLOEXEC);
    } else if (exists && access(path, W_OK) != 0) {
        return -errno;
    } else {
        int code = open_temporary(sink);
        if (code != 0) {
            return code;
        }
    }
    if (sink->fd < 0) {
        return -errno;
    }
    set_kind(sink);
    return 0;
}

ptrdiff_t sink_write(struct sink *sink, const void *data, size_t length)
{
    if (!sink->patient) {
        /* What poll() calls writable takes PIPE_BUF bytes without waiting (pipe(7)). */
        struct pollfd poll_fd = {.fd = sink->fd, .events = POLLOUT};
        if (poll(&poll_fd, 1, 0) <= 0) {
            return 0;
        }
        length = length < PIPE_BUF ? length : PIPE_BUF;
    }
    ssize_t written = write(sink->fd, data, length);
    if (written < 0) {
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    }
    return written;
}

int sink_commit(struct sink *sink)
{
    int code = 0;
    if (!sink->owned || sink->fd < 0) {
        return 0;
    }
    if (close(sink->fd) != 0) {
        code = -errno;
    }
    sink->fd = -1;
    if (code == 0 && sink->temporary != NULL && rename(sink->temporary, sink->path) != 0) {
        code = -errno;
    }
    if (code != 0) {
        sink_discard(sink);
        return code;
    }
    free(sink->temporary);
    sink->temporary = NULL;
    return 0;
}

void sink_discard(struct sink *sink)
{
    if (sink->owned && sink->fd >= 0) {
        close(sink->fd);
        sink->fd = -1;
    }
    if (sink->temporary != NULL) {
        unlink(sink->temporary);
        free(sink->temporary);
        sink->temporary = NULL;
    }
}
