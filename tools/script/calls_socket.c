/* socket(), bind(), listen(), accept(), connect(), shutdown(), close() and names: see calls.h. */
#include "calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct estab_addr bind_address(const struct run *run)
{
    struct estab_addr addr = run->settings.local;
    addr.port = run->settings.bind_port;
    return addr;
}

static struct estab_addr connect_address(const struct run *run)
{
    struct estab_addr addr = run->settings.remote;
    addr.port = run->settings.connect_port;
    return addr;
}

static struct sockaddr *address_of(struct pending *call)
{
    return (struct sockaddr *)&call->address;
}

/* ------------------------------------------------------------------------------------------------- socket */

static bool prepare_socket(struct run *run, struct pending *call)
{
    call->number[0] = run->settings.ipv6 || run->settings.mapped ? AF_INET6 : AF_INET;
    return (call_is_open(call, 0) || call_number(run, call, 0, &call->number[0])) &&
           call_number(run, call, 1, &call->number[1]) && call_number(run, call, 2, &call->number[2]);
}

static int64_t make_socket(struct run *run, struct pending *call)
{
    return sockets_socket(run->world.sockets, run->world.now, (int)call->number[0], (int)call->number[1],
                          (int)call->number[2]);
}

/* The latest socket is the one under test. */
static bool check_socket(struct run *run, struct pending *call, int64_t result)
{
    const struct expression *script = &call->event->call.result;
    if (result < 0) {
        return true;
    }
    if (!call_new_fd(run, call, script->kind == EXPRESSION_INTEGER ? script->number : result, (int)result)) {
        return false;
    }
    struct flow *flow = run_new_flow(run);
    if (flow == NULL) {
        return run_fail(run, call->event, "no memory");
    }
    run->fds[run->fd_count - 1].flow = flow;
    flow->fd = run->fds[run->fd_count - 1].script;
    run->flow = flow;
    return true;
}

/* ----------------------------------------------------------------------------------------- bind, listen */

static bool prepare_bind(struct run *run, struct pending *call)
{
    struct estab_addr addr = bind_address(run);
    return call_address(run, call, call_argument(call, 1), &addr);
}

static int64_t make_bind(struct run *run, struct pending *call)
{
    return sockets_bind(run->world.sockets, run->world.now, call->live, address_of(call),
                        call->address_length);
}

static bool prepare_second(struct run *run, struct pending *call)
{
    return call_number(run, call, 1, &call->number[1]);
}

static int64_t make_listen(struct run *run, struct pending *call)
{
    return sockets_listen(run->world.sockets, run->world.now, call->live, (int)call->number[1]);
}

static bool check_listen(struct run *run, struct pending *call, int64_t result)
{
    if (result == 0 && call->fd->flow != NULL) {
        call->fd->flow->state = FLOW_LISTENING;
        run->flow = call->fd->flow;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------- accept */

static bool prepare_accept(struct run *run, struct pending *call)
{
    return call->event->call.argument_count < 4 || call_number(run, call, 3, &call->number[3]);
}

static int64_t make_accept(struct run *run, struct pending *call)
{
    call->address_length = sizeof call->address;
    return sockets_accept(run->world.sockets, run->world.now, call->live, address_of(call),
                          &call->address_length, (int)call->number[3], &call->wait);
}

/* Finds the connection by its remote port. */
static struct flow *accepted_flow(struct run *run, int live)
{
    struct estab_status status;
    if (estab_status(run->world.stack, sockets_conn(run->world.sockets, live), &status) != 0) {
        return NULL;
    }
    for (struct flow *flow = run->flows; flow != NULL; flow = flow->next) {
        if (!flow->active && flow->remote.port == status.remote.port &&
            flow->local.port == status.local.port && flow->remote.port != 0) {
            return flow;
        }
    }
    return NULL;
}

static bool check_accept(struct run *run, struct pending *call, int64_t result)
{
    const struct expression *script = &call->event->call.result;
    if (result < 0) {
        return true;
    }
    if (!call_check_address(run, call, 1) ||
        !call_new_fd(run, call, script->kind == EXPRESSION_INTEGER ? script->number : result, (int)result)) {
        return false;
    }
    struct run_fd *fd = &run->fds[run->fd_count - 1];
    fd->flow = accepted_flow(run, fd->live);
    if (fd->flow != NULL) {
        fd->flow->fd = fd->script;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ connect */

static bool prepare_connect(struct run *run, struct pending *call)
{
    struct estab_addr addr = connect_address(run);
    if (!call_address(run, call, call_argument(call, 1), &addr)) {
        return false;
    }
    struct flow *flow = call->fd != NULL ? call->fd->flow : NULL;
    if (flow == NULL || flow->state != FLOW_NEW || call->address.ss_family == AF_UNSPEC) {
        return true;
    }
    run->flow = flow;
    flow->state = FLOW_CONNECTING;
    flow->active = true;
    flow->local = run->settings.local;
    flow->local.port = 0;
    flow->remote = addr;
    const struct expression *port = call_member(call_argument(call, 1), "sin_port", 1);
    if (port != NULL && port->kind == EXPRESSION_INTEGER) {
        flow->remote.port = (uint16_t)port->number;
    }
    return true;
}

static int64_t make_connect(struct run *run, struct pending *call)
{
    return sockets_connect(run->world.sockets, run->world.now, call->live, address_of(call),
                           call->address_length, &call->wait);
}

/* A socket that is disconnected, or whose attempt was refused at once, may connect anew. */
static bool check_connect(struct run *run, struct pending *call, int64_t result)
{
    (void)run;
    struct flow *flow = call->fd != NULL ? call->fd->flow : NULL;
    bool undone = (result == 0 && call->address.ss_family == AF_UNSPEC) ||
                  (result < 0 && result != -EINPROGRESS && result != -EALREADY && result != -EISCONN);
    if (flow != NULL && undone && flow->state == FLOW_CONNECTING && flow->local.port == 0) {
        flow->state = FLOW_NEW;
    }
    return true;
}

/* --------------------------------------------------------------------------------------- shutdown, close */

static int64_t make_shutdown(struct run *run, struct pending *call)
{
    return sockets_shutdown(run->world.sockets, run->world.now, call->live, (int)call->number[1]);
}

static int64_t make_close(struct run *run, struct pending *call)
{
    if (call->fd != NULL && call->fd->file_length >= 0) {
        return 0;
    }
    return sockets_close(run->world.sockets, run->world.now, call->live, &call->wait);
}

static bool check_close(struct run *run, struct pending *call, int64_t result)
{
    (void)run;
    if (result == 0 && call->fd != NULL) {
        call->fd->live = -1;
        if (call->fd->flow != NULL) {
            call->fd->flow->closed = true;
        }
    }
    return true;
}

/* -------------------------------------------------------------------------------------------------- names */

static int64_t make_name(struct run *run, struct pending *call)
{
    call->address_length = sizeof call->address;
    bool own = strcmp(call->kind->name, "getsockname") == 0;
    return (own ? sockets_getsockname : sockets_getpeername)(run->world.sockets, call->live, address_of(call),
                                                             &call->address_length);
}

static bool check_name(struct run *run, struct pending *call, int64_t result)
{
    return result < 0 || call_check_address(run, call, 1);
}

/* ------------------------------------------------------------------------------------------- duplicates */

static int64_t make_dup(struct run *run, struct pending *call)
{
    return sockets_fcntl(run->world.sockets, run->world.now, call->live, 0 /* F_DUPFD */, 0);
}

static bool check_dup(struct run *run, struct pending *call, int64_t result)
{
    const struct expression *script = &call->event->call.result;
    if (result < 0) {
        return true;
    }
    struct flow *flow = call->fd->flow;
    if (!call_new_fd(run, call, script->kind == EXPRESSION_INTEGER ? script->number : result, (int)result)) {
        return false;
    }
    run->fds[run->fd_count - 1].flow = flow;
    return true;
}

const struct call_kind calls_socket[] = {
    {"socket", 3, 3, false, true, prepare_socket, make_socket, check_socket},
    {"bind", 3, 3, true, false, prepare_bind, make_bind, NULL},
    {"listen", 2, 2, true, false, prepare_second, make_listen, check_listen},
    {"accept", 3, 3, true, true, prepare_accept, make_accept, check_accept},
    {"accept4", 4, 4, true, true, prepare_accept, make_accept, check_accept},
    {"connect", 3, 3, true, false, prepare_connect, make_connect, check_connect},
    {"shutdown", 2, 2, true, false, prepare_second, make_shutdown, NULL},
    {"close", 1, 1, true, false, NULL, make_close, check_close},
    {"getsockname", 3, 3, true, false, NULL, make_name, check_name},
    {"getpeername", 3, 3, true, false, NULL, make_name, check_name},
    {"dup", 1, 1, true, true, NULL, make_dup, check_dup},
    {.name = NULL},
};
