/*
 * Virtual time and those who wait for it. The clock moves by itself, a microsecond with each look at it,
 * because packetdrill waits by looking; usleep() and a wait for a packet go from event to event. Whatever
 * moves the stack on makes the blocked calls again in their thread's stead. Once one has ended the clock
 * stands until its thread has asked for the time, so that the script sees the moment at which the call
 * returned.
 */
#include "sim/packetdrill/adapter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_S 2 /* of real time, for a thread that does not come back */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned sleepers;
static struct timespec patience_ends; /* of real time, for who was woken last */

void adapter_lock(void)
{
    pthread_mutex_lock(&lock);
}

void adapter_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void deadline_real(struct timespec *until)
{
    clock_gettime(CLOCK_REALTIME, until);
    until->tv_sec += PATIENCE_S;
}

/* ----------------------------------------------------------------------------------------------- output */

static void keep_packet(const struct estab_packet *packet)
{
    struct sent_packet *kept = malloc(sizeof *kept + packet->length);
    if (kept == NULL) {
        return; /* lost, as on a wire */
    }
    kept->next = NULL;
    kept->time_ns = adapter.now;
    kept->length = packet->length;
    memcpy(kept->bytes, packet->data, packet->length);
    if (adapter.first == NULL) {
        adapter.first = kept;
    } else {
        adapter.last->next = kept;
    }
    adapter.last = kept;
}

static bool collect_output(void)
{
    bool any = false;
    struct estab_packet packet = {.data = adapter.room, .capacity = sizeof adapter.room};
    packet.interface = adapter.interface;
    while (estab_pull(adapter.stack, adapter.now, &packet, 1) == 1) {
        keep_packet(&packet);
        any = true;
        packet = (struct estab_packet){
            .data = adapter.room, .capacity = sizeof adapter.room, .interface = adapter.interface};
    }
    return any;
}

/* ---------------------------------------------------------------------------------------- blocked calls */

static void call_remove(struct call *call)
{
    struct call **link = &adapter.blocked;
    while (*link != NULL && *link != call) {
        link = &(*link)->next;
    }
    if (*link == call) {
        *link = call->next;
    }
}

static void call_end(struct call *call, ssize_t result)
{
    call_remove(call);
    call->result = result;
    call->done = true;
    if (!pthread_equal(call->thread, adapter.main) && adapter.woken_count < MAX_THREADS) {
        adapter.woken[adapter.woken_count++] = call->thread;
        deadline_real(&patience_ends);
    }
    pthread_cond_broadcast(&changed);
}

/* Makes each blocked call again. True: one has ended. */
static bool retry_blocked(void)
{
    for (struct call *call = adapter.blocked; call != NULL; call = call->next) {
        ssize_t result = call->run(call);
        if (result != SOCKETS_BLOCKED) {
            call_end(call, result);
            return true;
        }
    }
    return false;
}

/* What follows from a packet, a timer or a call: events, output, blocked calls that can end now. */
static void adapter_settle(void)
{
    bool more = true;
    while (more) {
        while (estab_tick(adapter.stack, adapter.now)) {
        }
        sockets_update(adapter.sockets, adapter.now);
        more = retry_blocked();
        more = collect_output() || more;
    }
}

static uint64_t next_event(void)
{
    uint64_t next = estab_next_deadline(adapter.stack);
    for (const struct call *call = adapter.blocked; call != NULL; call = call->next) {
        uint64_t deadline = sockets_deadline(adapter.sockets, &call->wait);
        next = deadline < next ? deadline : next;
    }
    return next;
}

/* To the next event, not past `limit`. False: there is none before it, and the clock stands there. */
static bool go_on(uint64_t limit)
{
    uint64_t next = next_event();
    if (next > limit || next == UINT64_MAX) {
        adapter.now = limit == UINT64_MAX ? adapter.now : limit;
        return false;
    }
    adapter.now = next > adapter.now ? next : adapter.now;
    adapter_settle();
    return true;
}

/* Until those who were woken have asked for the time; nobody waits for ever. */
static void wait_for_woken(void)
{
    while (adapter.woken_count > 0) {
        if (pthread_cond_timedwait(&changed, &lock, &patience_ends) == ETIMEDOUT) {
            adapter.woken_count = 0;
        }
    }
}

/* Whether the clock stands, for one who does not wait. */
static bool stands_still(void)
{
    struct timespec real;
    if (adapter.woken_count == 0) {
        return false;
    }
    clock_gettime(CLOCK_REALTIME, &real);
    if (real.tv_sec > patience_ends.tv_sec) {
        adapter.woken_count = 0;
    }
    return adapter.woken_count > 0;
}

/* A thread whose call has ended looks at the clock, or makes another call: from now on time goes on. */
static bool take_wake_up(void)
{
    for (unsigned i = 0; i < adapter.woken_count; i++) {
        if (pthread_equal(adapter.woken[i], pthread_self())) {
            adapter.woken[i] = adapter.woken[--adapter.woken_count];
            pthread_cond_broadcast(&changed);
            return true;
        }
    }
    return false;
}

/* The script's own thread cannot wait for anybody else: time goes on until the call ends. */
static void drive(struct call *call)
{
    while (!call->done) {
        wait_for_woken();
        if (!call->done && !go_on(UINT64_MAX)) {
            call_end(call, -EDEADLK); /* nothing will ever happen */
        }
    }
}

/* A thread that is cancelled in its sleep leaves nothing behind. */
static void call_cancelled(void *argument)
{
    call_remove(argument);
    sleepers--;
    pthread_mutex_unlock(&lock);
}

static void sleep_until_done(struct call *call)
{
    sleepers++;
    pthread_cleanup_push(call_cancelled, call);
    while (!call->done) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_cleanup_pop(0);
    sleepers--;
    pthread_cond_broadcast(&changed);
}

ssize_t adapter_call(struct call *call)
{
    adapter_lock();
    take_wake_up();
    call->result = adapter.open ? call->run(call) : -EBADF;
    if (call->result == SOCKETS_BLOCKED) {
        call->thread = pthread_self();
        call->next = adapter.blocked;
        adapter.blocked = call;
    }
    if (adapter.open) {
        adapter_settle();
    }
    if (call->result == SOCKETS_BLOCKED && !call->done) {
        if (pthread_equal(call->thread, adapter.main)) {
            drive(call);
        } else {
            sleep_until_done(call);
        }
    }
    ssize_t result = call->result;
    adapter_unlock();
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

void adapter_interrupt(void)
{
    struct timespec until;
    while (adapter.blocked != NULL) {
        call_end(adapter.blocked, -EINTR);
    }
    deadline_real(&until);
    while (sleepers > 0 && pthread_cond_timedwait(&changed, &lock, &until) != ETIMEDOUT) {
    }
}

/* ------------------------------------------------------------------------------------------------- time */

int packetdrill_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz)
{
    (void)userdata;
    adapter_lock();
    bool woken = take_wake_up();
    if (!woken && adapter.open && !stands_still()) {
        go_on(adapter.now + MICROSECOND);
    }
    uint64_t us = adapter.now / MICROSECOND;
    adapter_unlock();
    if (tv != NULL) {
        tv->tv_sec = (time_t)(us / 1000000);
        tv->tv_usec = (suseconds_t)(us % 1000000);
    }
    if (tz != NULL) {
        memset(tz, 0, sizeof *tz);
    }
    return 0;
}

int packetdrill_usleep(void *userdata, useconds_t usec)
{
    (void)userdata;
    adapter_lock();
    take_wake_up();
    uint64_t until = adapter.now + usec * MICROSECOND;
    do {
        wait_for_woken();
    } while (adapter.open && adapter.now < until && go_on(until));
    adapter_unlock();
    return 0;
}

/* ---------------------------------------------------------------------------------------------- packets */

int packetdrill_netdev_send(void *userdata, const void *buf, size_t count)
{
    (void)userdata;
    adapter_lock();
    struct estab_packet packet = {.data = (uint8_t *)(uintptr_t)buf, .length = (uint32_t)count};
    packet.interface = adapter.interface;
    if (adapter.open) {
        estab_input(adapter.stack, adapter.now, &packet, 1);
        adapter_settle();
    }
    adapter_unlock();
    return 0;
}

int packetdrill_netdev_receive(void *userdata, void *buf, size_t *count, long long *time_usecs)
{
    (void)userdata;
    adapter_lock();
    bool more = adapter.open;
    while (more && adapter.first == NULL) {
        wait_for_woken();
        more = adapter.first != NULL || go_on(UINT64_MAX);
    }
    struct sent_packet *packet = adapter.first;
    *time_usecs = (long long)(adapter.now / MICROSECOND);
    if (packet != NULL) {
        adapter.first = packet->next;
        *count = packet->length < *count ? packet->length : *count;
        memcpy(buf, packet->bytes, *count);
        *time_usecs = (long long)(packet->time_ns / MICROSECOND);
        free(packet);
    } else {
        *count = 0; /* nothing will ever leave: the script ends */
    }
    adapter_unlock();
    return 0;
}
