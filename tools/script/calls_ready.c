/* poll(), epoll: see calls.h. Events and data are the script's own numbers and come back as such. */
#include "calls.h"

#include <inttypes.h>
#include <string.h>

/* -------------------------------------------------------------------------------------------------- poll */

static bool read_polled(struct run *run, struct pending *call, const struct expression *e,
                        struct pollfd *polled)
{
    const struct expression *fd = call_member(e, "fd", 0);
    const struct expression *events = call_member(e, "events", 1);
    int64_t number = 0;
    int64_t mask = 0;
    if (e->kind != EXPRESSION_STRUCT || !call_number_of(run, call, fd, &number) ||
        (events != NULL && !call_number_of(run, call, events, &mask))) {
        return run_fail(run, call->event, "poll(): '%s': expected {fd=3, events=POLLIN, revents=0}",
                        e->source);
    }
    struct run_fd *known = run_find_fd(run, number);
    polled->fd = known != NULL ? known->live : number < 0 ? (int)number : INT32_MAX;
    polled->events = (short)mask;
    return true;
}

static bool prepare_poll(struct run *run, struct pending *call)
{
    const struct expression *list = call_argument(call, 0);
    unsigned count = 0;
    if (list->kind != EXPRESSION_LIST || list->count > CALL_VECTORS) {
        return call_bad(run, call, 0, "[{fd=3, events=POLLIN, revents=0}, ...]");
    }
    for (const struct expression *e = list->items; e != NULL; e = e->next) {
        if (!read_polled(run, call, e, &call->polled[count++])) {
            return false;
        }
    }
    return call_number(run, call, 1, &call->number[1]) && call_number(run, call, 2, &call->number[2]) &&
           (call->number[1] == (int64_t)count || call_bad(run, call, 1, "the number of entries in the list"));
}

static int64_t make_poll(struct run *run, struct pending *call)
{
    return sockets_poll(run->world.sockets, run->world.now, call->polled, (nfds_t)call->number[1],
                        (int)call->number[2], &call->wait);
}

static bool check_poll(struct run *run, struct pending *call, int64_t result)
{
    unsigned i = 0;
    for (const struct expression *e = call_argument(call, 0)->items; e != NULL && result >= 0;
         e = e->next, i++) {
        const struct expression *revents = call_member(e, "revents", 2);
        int64_t expected = 0;
        if (revents == NULL || revents->kind == EXPRESSION_ELLIPSIS) {
            continue;
        }
        if (!call_number_of(run, call, revents, &expected)) {
            return false;
        }
        if (expected != call->polled[i].revents) {
            return call_differs(run, call, "revents", expected, call->polled[i].revents);
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------- epoll */

static bool prepare_create(struct run *run, struct pending *call)
{
    return call_number(run, call, 0, &call->number[0]);
}

static int64_t make_create(struct run *run, struct pending *call)
{
    bool flags = strcmp(call->kind->name, "epoll_create1") == 0;
    if (!flags && call->number[0] <= 0) {
        return -22; /* EINVAL */
    }
    return sockets_epoll_create(run->world.sockets, flags ? (int)call->number[0] : 0);
}

static bool check_create(struct run *run, struct pending *call, int64_t result)
{
    const struct expression *script = &call->event->call.result;
    return result < 0 ||
           call_new_fd(run, call, script->kind == EXPRESSION_INTEGER ? script->number : result, (int)result);
}

/* {events=EPOLLIN, fd=4}, or ptr, u32, u64 in place of fd. */
static bool read_event(struct run *run, struct pending *call, const struct expression *e,
                       struct epoll_event *event)
{
    static const char *const names[] = {"fd", "ptr", "u32", "u64"};
    const struct expression *data = NULL;
    int64_t number = 0;
    if (e == NULL || e->kind != EXPRESSION_STRUCT ||
        !call_number_of(run, call, call_member(e, "events", 0), &number)) {
        return run_fail(run, call->event, "%s(): '%s': expected {events=EPOLLIN, fd=4}",
                        call->event->call.name, e != NULL ? e->source : "");
    }
    event->events = (uint32_t)number;
    for (size_t i = 0; i < 4 && data == NULL; i++) {
        data = call_member(e, names[i], 1);
    }
    number = 0;
    if (data != NULL && !call_number_of(run, call, data, &number)) {
        return false;
    }
    event->data.u64 = (uint64_t)number;
    return true;
}

static bool prepare_control(struct run *run, struct pending *call)
{
    const struct expression *event = call_argument(call, 3);
    if (!call_number(run, call, 1, &call->number[1]) || !call_number(run, call, 2, &call->number[2]) ||
        !call_live_fd(run, call, call->number[2], &call->other)) {
        return false;
    }
    bool given = event != NULL && event->kind == EXPRESSION_STRUCT;
    return !given || read_event(run, call, event, &call->epolled[0]);
}

static int64_t make_control(struct run *run, struct pending *call)
{
    return sockets_epoll_ctl(run->world.sockets, run->world.now, call->live, (int)call->number[1],
                             call->other, &call->epolled[0]);
}

static bool prepare_wait(struct run *run, struct pending *call)
{
    if (!call_number(run, call, 2, &call->number[2]) || !call_number(run, call, 3, &call->number[3])) {
        return false;
    }
    return (call->number[2] <= CALL_VECTORS) || call_bad(run, call, 2, "at most 64 events");
}

static int64_t make_wait(struct run *run, struct pending *call)
{
    return sockets_epoll_wait(run->world.sockets, run->world.now, call->live, call->epolled,
                              (int)call->number[2], (int)call->number[3], &call->wait);
}

static bool check_event(struct run *run, struct pending *call, const struct expression *e,
                        const struct epoll_event *got)
{
    struct epoll_event expected = {0};
    if (e->kind == EXPRESSION_ELLIPSIS) {
        return true;
    }
    if (!read_event(run, call, e, &expected)) {
        return false;
    }
    if (expected.events != got->events) {
        return call_differs(run, call, "events", expected.events, got->events);
    }
    return expected.data.u64 == got->data.u64 ||
           call_differs(run, call, "data", (int64_t)expected.data.u64, (int64_t)got->data.u64);
}

/* One event, or a list of them. Where none came, nothing of what the script says about it can be wrong. */
static bool check_wait(struct run *run, struct pending *call, int64_t result)
{
    const struct expression *e = call_argument(call, 1);
    if (e->kind != EXPRESSION_LIST) {
        return result <= 0 || check_event(run, call, e, &call->epolled[0]);
    }
    unsigned i = 0;
    for (const struct expression *item = e->items; item != NULL && i < result; item = item->next, i++) {
        if (!check_event(run, call, item, &call->epolled[i])) {
            return false;
        }
    }
    return true;
}

const struct call_kind calls_ready[] = {
    {"poll", 3, 3, false, false, prepare_poll, make_poll, check_poll},
    {"epoll_create", 1, 1, false, true, prepare_create, make_create, check_create},
    {"epoll_create1", 1, 1, false, true, prepare_create, make_create, check_create},
    {"epoll_ctl", 4, 4, true, false, prepare_control, make_control, NULL},
    {"epoll_wait", 4, 4, true, false, prepare_wait, make_wait, check_wait},
    {.name = NULL},
};
