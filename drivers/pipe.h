/*
 * A wire in memory that joins two stacks in virtual time: for tests, for the demo without a device, for
 * benchmarks.
 *
 * Packets are copied into slots that were made at the start (nothing is allocated later), arrive `delay_ns`
 * after they were sent, and may be dropped, doubled, delayed or changed by a hook. Time is pipe->now and
 * goes from one event to the next; nothing waits. A full direction is not pulled any more until there is
 * room: nothing is lost that the hook did not lose.
 *
 *     pipe_open(&pipe, stacks, &options, error, sizeof error);
 *     pipe_address(&pipe, 0, "10.0.0.1/24,fd00::1/64", error, sizeof error); ... 1 ...
 *     estab_connect(a, pipe.now, ...);
 *     pipe_run(&pipe, application, &state, 10 * PIPE_SECOND);   calls application(&state) after each event
 *                                                               until it returns true
 */
#ifndef ESTAB_DRIVERS_PIPE_H
#define ESTAB_DRIVERS_PIPE_H

#include "estab/estab.h"
#include "pcapng.h"

#define PIPE_MILLISECOND UINT64_C(1000000)
#define PIPE_SECOND      UINT64_C(1000000000)
#define PIPE_START       PIPE_SECOND /* the first `now` */

/* What becomes of a packet. Comes preset: copies 1, no extra delay. */
struct pipe_fate {
    unsigned copies;   /* 0 = lost, 2 = doubled */
    uint64_t extra_ns; /* added to the delay: lets later ones overtake */
};

/*
 * Called for each packet that a stack sends. from = 0 or 1, index counts that direction's packets from 0.
 * The packet is whole (no slices), with the sender's reason and states; its bytes may be changed, its
 * length made smaller.
 */
typedef void pipe_hook(void *user, unsigned from, uint64_t index, struct estab_packet *packet,
                       struct pipe_fate *fate);

struct pipe_options {
    uint64_t delay_ns; /* one way */
    uint32_t mtu;      /* 0 = 1500 */
    unsigned slots;    /* packets under way in each direction; 0 = 512, with offload 128 */
    bool ethernet;     /* frames, with ARP and NDP: MAC 02:00:00:00:00:01 and ...:02 */
    bool offload;      /* checksums are not made and long segments not cut: what crosses is trusted */
    pipe_hook *hook;   /* NULL = none */
    void *hook_user;
    struct pcapng *capture; /* NULL = none; all packets as end 0 sends and receives them, and those of end
                               * 1 that are lost on the way, as lost */
};

struct pipe_end {
    estab_stack *stack;
    int interface;            /* of that stack */
    uint64_t sent;            /* packets this end has sent */
    uint64_t lost;            /* of those, by the hook */
    uint64_t delivered;       /* packets this end was given */
    struct pipe_queue *queue; /* what this end has sent and the other has not got */
};

struct pipe {
    uint64_t now;
    struct pipe_end end[2];
    struct pipe_options options;
    int capture_interface;
};

/* Joins two stacks: adds an interface to both. 0, or a negative errno with one line in `error`. */
int pipe_open(struct pipe *pipe, estab_stack *const stacks[2], const struct pipe_options *options,
              char *error, size_t size);
void pipe_close(struct pipe *pipe);

/* Adds addresses ("10.0.0.1/24,fd00::1/64") to an end's stack. 0, or a negative errno with one line. */
int pipe_address(struct pipe *pipe, unsigned end, const char *list, char *error, size_t size);

/*
 * Another stack takes the place of an end's (a host that has restarted); addresses are to be added again.
 * Packets under way stay. NULL = the host is gone: packets to it are lost.
 */
int pipe_replace(struct pipe *pipe, unsigned end, estab_stack *stack);

/*
 * One round at pipe->now without moving time: ticks both stacks, delivers what is due, pulls what they
 * send. Returns the number of packets moved; 0 = at rest until pipe_next(). For benchmarks, which set
 * pipe->now from a clock of theirs.
 */
unsigned pipe_round(struct pipe *pipe);

/*
 * When something will happen next: a packet arrives or a timer is due; pipe->now or earlier = at once;
 * UINT64_MAX = never.
 */
uint64_t pipe_next(const struct pipe *pipe);

/*
 * One round, and if nothing moved, time goes on to the next event, not past `deadline`. False = nothing
 * left to happen before then (now = deadline, unless that is UINT64_MAX).
 */
bool pipe_step(struct pipe *pipe, uint64_t deadline);

/*
 * Steps, calling `application` after each, until it returns true (result: true), `duration_ns` is over or
 * nothing is left to happen (result: false). NULL: until then.
 */
bool pipe_run(struct pipe *pipe, bool (*application)(void *user), void *user, uint64_t duration_ns);

#endif
