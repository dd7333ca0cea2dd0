/*
 * The adapter between packetdrill and a stack of estab in virtual time: one stack with one interface, the
 * socket calls of sim/sockets.h over it, a clock, and what has left the stack and was not fetched yet. There
 * is one adapter in a process, because the interposed getsockopt() has no other way to find it.
 *
 * Two threads call: the script's, and one for its blocking calls. Everything here is done under one lock; a
 * call that blocks sleeps on a condition, and whoever moves the stack on makes it again in its stead, so that
 * it ends at the very moment of virtual time at which it can.
 */
#ifndef SIM_PACKETDRILL_ADAPTER_H
#define SIM_PACKETDRILL_ADAPTER_H

#include "sim/packetdrill/interface.h"
#include "sim/sockets.h"

#include <pthread.h>

#define MICROSECOND UINT64_C(1000)
#define MAX_PACKET  65536
#define MAX_THREADS 8
#define MAX_LOCAL   4
#define MAX_NUMBER  65536 /* placeholders are below */

/* What --so_flags chooses. */
struct adapter_settings {
    struct estab_config config;
    size_t memory;
    uint32_t mtu;
    unsigned local_count;
    struct estab_addr local[MAX_LOCAL];
};

/* A packet that has left the stack. */
struct sent_packet {
    struct sent_packet *next;
    uint64_t time_ns;
    size_t length;
    uint8_t bytes[];
};

/* One call of the script: what to do, and what it needs. Each uses the fields that it likes. */
struct call {
    ssize_t (*run)(struct call *call);
    int fd, other_fd, number, name;
    unsigned long flags;
    void *data, *more;
    const void *bytes;
    size_t size;
    struct sockets_wait wait;
    ssize_t result;
    bool done;
    pthread_t thread;
    struct call *next; /* among those that block */
};

struct adapter {
    bool open;
    pthread_t main; /* the thread of the script */
    void *memory;
    estab_stack *stack;
    uint32_t interface;
    struct sockets *sockets;
    uint64_t now;
    struct call *blocked;
    /* Threads whose call has just ended: the clock stands until they have asked for the time. */
    pthread_t woken[MAX_THREADS];
    unsigned woken_count;
    struct sent_packet *first, *last;
    uint8_t room[MAX_PACKET];
};

extern struct adapter adapter;

/* ---- clock.c: time, and those who wait for it; the lock ---- */

void adapter_lock(void);
void adapter_unlock(void);
/* Makes a call, waiting as long as it blocks. Takes the lock. The result is Linux's: -1 and errno. */
ssize_t adapter_call(struct call *call);
/* Those who sleep in a call return with EINTR, and are waited for. */
void adapter_interrupt(void);

/* The calls of the interface that are time and packets. */
int packetdrill_usleep(void *userdata, useconds_t usec);
int packetdrill_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz);
int packetdrill_netdev_send(void *userdata, const void *buf, size_t count);
int packetdrill_netdev_receive(void *userdata, void *buf, size_t *count, long long *time_usecs);

/* ---- calls.c: all the others ---- */

void calls_fill(struct packetdrill_interface *ifc);

/* ---- settings.c ---- */

/* Reads --so_flags. NULL, or one line that says what is wrong with it, in `room`. */
const char *settings_read(struct adapter_settings *settings, const char *flags, char *room, size_t size);

/* ---- placeholders.c: descriptors of the host for ours ---- */

int placeholder_open(void *user);
void placeholder_close(void *user, int fd);

#endif
