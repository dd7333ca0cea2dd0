/*
 * Descriptors of the host that stand for ours: nobody else gets the number, and the host may close() what a
 * script left open. Each is an empty file in memory of its own, known by its inode, so that one the host has
 * closed and used again is not closed twice.
 */
#include "sim/packetdrill/adapter.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct identity {
    dev_t device;
    ino_t inode;
};

static struct identity placeholders[MAX_NUMBER];

int placeholder_open(void *user)
{
    (void)user;
    struct stat status;
    int fd = memfd_create("estab", MFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (fd >= MAX_NUMBER || fstat(fd, &status) != 0) {
        close(fd);
        return -EMFILE;
    }
    placeholders[fd] = (struct identity){status.st_dev, status.st_ino};
    return fd;
}

void placeholder_close(void *user, int fd)
{
    (void)user;
    struct stat status;
    if (fstat(fd, &status) == 0 && status.st_dev == placeholders[fd].device &&
        status.st_ino == placeholders[fd].inode) {
        close(fd);
    }
}
