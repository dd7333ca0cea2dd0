/*
 * A host on a TUN or TAP device, ready for an event loop: stack, memory, device, addresses, routes, clock,
 * random secret and, if asked for, a capture.
 *
 *     struct host_options options;
 *     host_options_init(&options);
 *     options.device = "tun:estab0"; options.addresses = "10.9.0.2/24,fd09::2/64";
 *     if ((code = host_open(&host, &options, error, sizeof error)) != 0) {
 *         fprintf(stderr, "estab: %s\n", error);
 *         return code;
 *     }
 *     while (!done) {
 *         if (host_step(&host, HOST_FOREVER) < 0) break;
 *         while (estab_poll(host.stack, &event, 1) > 0) ... estab_recv(host.stack, host_now(&host), ...) ...
 *     }
 *     host_close(&host);
 */
#ifndef ESTAB_DRIVERS_HOST_H
#define ESTAB_DRIVERS_HOST_H

#include "device.h"
#include "pcapng.h"

#include <poll.h>
#include <signal.h>

#define HOST_FOREVER       UINT64_MAX
#define HOST_MAX_ADDRESSES 16
#define HOST_BATCH         32u /* packets read or written at once */

struct host_options {
    const char *device;         /* --dev tun:NAME|tap:NAME */
    const char *device_path;    /* NULL = /dev/net/tun */
    const char *addresses;      /* --addr 10.9.0.2/24,fd09::2/64: of the stack; at least one */
    const char *gateways;       /* --gw 10.9.0.1,fd09::1: at most one a family; NULL = none. On TUN
                                 * everything goes to the device anyway */
    const char *capture;        /* -w FILE.pcapng; NULL = none */
    const char *syn_cookies;    /* --syn-cookies always|overflow|off; NULL = what the config has */
    uint32_t mtu;               /* --mtu; 0 = the device's */
    bool no_offload;            /* --no-offload */
    bool accept_any_address;    /* see struct estab_interface */
    size_t memory;              /* bytes of the stack; 0 = 64 MiB */
    struct estab_config config; /* every default is set by host_options_init(): change what you want
                                 * (msl_ns, trace_records ...); the secret is made by host_open() */
};

struct host {
    estab_stack *stack;
    struct device device;
    int interface; /* of the stack */
    struct pcapng capture;
    bool capturing;
    bool blocked;            /* the device is full: the held packets wait for POLLOUT */
    uint64_t now;            /* of the last host_now() */
    uint64_t wall_offset;    /* added to `now` gives time since 1970, for captures */
    const sigset_t *signals; /* mask while waiting, as ppoll() takes it: lets a loop end on a signal
                                 * without a race; NULL = unchanged */
    struct pollfd *fds;      /* descriptors of the tool, waited for too; revents are filled by
                                 * host_step() (0 where nothing is there) */
    unsigned fd_count;
    uint64_t held_total; /* packets that had to wait for POLLOUT, for statistics */
    char error[256];     /* why host_step() or host_flush() failed */
    void *memory;
    struct host_room *room; /* packet buffers */
};

void host_options_init(struct host_options *options);

/*
 * 0, or the exit code for the tool: 2 = the options are wrong, 1 = it cannot be done; one line in `error`.
 * Nothing is left behind then.
 */
int host_open(struct host *host, const struct host_options *options, char *error, size_t size);

/* CLOCK_MONOTONIC in ns, also kept in host->now: the `now` for all calls. */
uint64_t host_now(struct host *host);

/*
 * One turn of the loop: sends what is due (as host_flush()), waits until a packet, a descriptor of `fds`, a
 * timer of the stack or `timeout_ns` (HOST_FOREVER), gives what arrived to the stack and handles due
 * timers. Ask estab_poll() afterwards until it has nothing more. Returns 0, also when a signal came in, or
 * a negative errno with host->error: the device is gone. With fds: look at their revents.
 */
int host_step(struct host *host, uint64_t timeout_ns);

/*
 * Pulls and writes all that is due. What the device does not take stays here, in order and bounded, and
 * nothing more is pulled until it has gone. 0 or a negative errno. host_step() calls it; call it before you
 * do something long, and at the end.
 */
int host_flush(struct host *host);

/*
 * Steps until every connection is gone or only TIME-WAIT and listeners are left, at most `timeout_ns`: so
 * that the last FIN and its ACK get through.
 */
int host_drain(struct host *host, uint64_t timeout_ns);

/*
 * Frees everything. 0, or 1 = the capture is not complete: its line has been printed to standard error,
 * once, when it happened.
 */
int host_close(struct host *host);

#endif
