/*
 * The system calls of a script: made at their time, again while they block, and their results, errors and
 * outputs compared. What each takes stands in the tables of calls_socket.c, calls_data.c, calls_ready.c and
 * calls_option.c.
 */
#include "calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- arguments */

const struct expression *call_argument(const struct pending *call, unsigned place)
{
    const struct expression *e = call->event->call.arguments;
    for (unsigned i = 0; i < place && e != NULL; i++) {
        e = e->next;
    }
    return e;
}

bool call_bad(struct run *run, const struct pending *call, unsigned place, const char *wants)
{
    const struct expression *e = call_argument(call, place);
    return run_fail(run, call->event, "%s(): argument %u, '%s': expected %s", call->event->call.name,
                    place + 1, e != NULL ? e->source : "", wants);
}

bool call_number_of(struct run *run, const struct pending *call, const struct expression *e, int64_t *number)
{
    if (e != NULL && e->kind == EXPRESSION_INTEGER) {
        *number = e->number;
        return true;
    }
    if (e != NULL && e->kind == EXPRESSION_WORD) {
        return run_fail(run, call->event, "%s(): '%s' is not known (--define %s=value?)",
                        call->event->call.name, e->text, e->text);
    }
    return run_fail(run, call->event, "%s(): '%s': expected a number", call->event->call.name,
                    e != NULL ? e->source : "");
}

bool call_number(struct run *run, struct pending *call, unsigned place, int64_t *number)
{
    return call_number_of(run, call, call_argument(call, place), number);
}

bool call_is_open(const struct pending *call, unsigned place)
{
    const struct expression *e = call_argument(call, place);
    return e == NULL || e->kind == EXPRESSION_ELLIPSIS;
}

bool call_live_fd(struct run *run, const struct pending *call, int64_t script, int *live)
{
    struct run_fd *fd = run_find_fd(run, script);
    *live = fd != NULL ? fd->live : -1;
    return fd != NULL || run_fail(run, call->event, "%s(): the script has no open descriptor %" PRId64,
                                  call->event->call.name, script);
}

bool call_differs(struct run *run, const struct pending *call, const char *what, int64_t expected,
                  int64_t actual)
{
    if (run->settings.non_fatal_call) {
        run_warn(run, call->event, "%s(): %s: expected %" PRId64 ", got %" PRId64, call->event->call.name,
                 what, expected, actual);
        return true;
    }
    return run_fail(run, call->event, "%s(): %s: expected %" PRId64 ", got %" PRId64, call->event->call.name,
                    what, expected, actual);
}

const struct expression *call_member(const struct expression *e, const char *name, unsigned place)
{
    const struct expression *item = e != NULL ? e->items : NULL;
    for (unsigned i = 0; item != NULL; item = item->next, i++) {
        if (item->name != NULL ? strcmp(item->name, name) == 0 : i == place) {
            return item;
        }
    }
    return NULL;
}

bool call_new_fd(struct run *run, const struct pending *call, int64_t script, int live)
{
    if (run_find_fd(run, script) != NULL) {
        return run_fail(run, call->event, "%s(): the script has a descriptor %" PRId64 " already",
                        call->event->call.name, script);
    }
    if (run->fd_count == RUN_FDS) {
        return run_fail(run, call->event, "more than %d descriptors", RUN_FDS);
    }
    run->fds[run->fd_count++] = (struct run_fd){.script = (int)script, .live = live, .file_length = -1};
    return true;
}

uint8_t *call_bytes(struct run *run, struct pending *call, int64_t length)
{
    if (length < 0 || length > CALL_BYTES) {
        run_fail(run, call->event, "%s(): a buffer of %" PRId64 " bytes: expected 0 to %u",
                 call->event->call.name, length, CALL_BYTES);
        return NULL;
    }
    free(call->bytes);
    call->bytes = calloc(1, (size_t)length + 1);
    call->length = (size_t)length;
    return call->bytes;
}

/* ---------------------------------------------------------------------------------------------- addresses */

static void put_address(struct pending *call, const struct estab_addr *addr, int family)
{
    memset(&call->address, 0, sizeof call->address);
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&call->address;
        in->sin_family = AF_INET;
        in->sin_port = htons(addr->port);
        memcpy(&in->sin_addr, addr->ip + 12, 4);
        call->address_length = sizeof *in;
        return;
    }
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&call->address;
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(addr->port);
    memcpy(&in->sin6_addr, addr->ip, 16);
    call->address_length = sizeof *in;
}

static bool read_member(struct run *run, const struct pending *call, const struct expression *e,
                        int64_t *number)
{
    return e == NULL || e->kind == EXPRESSION_ELLIPSIS || call_number_of(run, call, e, number);
}

/* {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.168.0.1")} */
static bool read_struct(struct run *run, struct pending *call, const struct expression *e,
                        const struct estab_addr *otherwise)
{
    int64_t family = run->settings.ipv6 || run->settings.mapped ? AF_INET6 : AF_INET;
    int64_t port = otherwise->port;
    struct estab_addr addr = *otherwise;
    static const char *const families[] = {"sa_family", "sin_family", "sin6_family"};
    static const char *const ports[] = {"sin_port", "sin6_port"};
    static const char *const addresses[] = {"sin_addr", "sin6_addr"};
    for (size_t i = 0; i < 3; i++) {
        if (!read_member(run, call, call_member(e, families[i], 0), &family)) {
            return false;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        const struct expression *ip = call_member(e, addresses[i], 2);
        if (!read_member(run, call, call_member(e, ports[i], 1), &port)) {
            return false;
        }
        if (ip != NULL && ip->kind == EXPRESSION_ADDRESS) {
            memcpy(addr.ip, ip->address, 16);
        } else if (ip != NULL && ip->kind == EXPRESSION_INTEGER && ip->number == 0) {
            memset(addr.ip + (family == AF_INET ? 12 : 0), 0, family == AF_INET ? 4 : 16);
        }
    }
    addr.port = (uint16_t)port;
    put_address(call, &addr, family == AF_INET ? AF_INET : AF_INET6);
    call->address.ss_family = (sa_family_t)family;
    return true;
}

bool call_address(struct run *run, struct pending *call, const struct expression *e,
                  const struct estab_addr *otherwise)
{
    int family = run->settings.ipv6 || run->settings.mapped ? AF_INET6 : AF_INET;
    if (e != NULL && e->kind == EXPRESSION_STRUCT) {
        return read_struct(run, call, e, otherwise);
    }
    put_address(call, otherwise, family);
    if (e != NULL && e->kind == EXPRESSION_INTEGER) {
        call->address.ss_family = (sa_family_t)e->number; /* AF_UNSPEC */
    }
    return true;
}

/* The address that a call filled in, where the script says it. */
bool call_check_address(struct run *run, struct pending *call, unsigned place)
{
    const struct expression *e = call_argument(call, place);
    if (e == NULL || e->kind != EXPRESSION_STRUCT) {
        return true;
    }
    struct sockaddr_storage got = call->address;
    struct estab_addr none = {0};
    if (!read_struct(run, call, e, &none)) {
        return false;
    }
    if (got.ss_family != call->address.ss_family) {
        return call_differs(run, call, "sa_family", call->address.ss_family, got.ss_family);
    }
    const struct sockaddr_in *a = (const struct sockaddr_in *)&call->address;
    const struct sockaddr_in *b = (const struct sockaddr_in *)&got;
    if (a->sin_port != 0 && a->sin_port != b->sin_port) {
        return call_differs(run, call, "port", ntohs(a->sin_port), ntohs(b->sin_port));
    }
    bool v6 = got.ss_family == AF_INET6;
    const uint8_t *x =
        v6 ? ((const struct sockaddr_in6 *)a)->sin6_addr.s6_addr : (const uint8_t *)&a->sin_addr;
    const uint8_t *y =
        v6 ? ((const struct sockaddr_in6 *)b)->sin6_addr.s6_addr : (const uint8_t *)&b->sin_addr;
    if (memcmp(x, v6 ? none.ip : none.ip + 12, v6 ? 16 : 4) == 0 || memcmp(x, y, v6 ? 16 : 4) == 0) {
        return true;
    }
    char want[INET6_ADDRSTRLEN];
    char have[INET6_ADDRSTRLEN];
    inet_ntop(got.ss_family, x, want, sizeof want);
    inet_ntop(got.ss_family, y, have, sizeof have);
    return run_fail(run, call->event, "%s(): address: expected %s, got %s", call->event->call.name, want,
                    have);
}

/* ------------------------------------------------------------------------------------------------- making */

static const struct call_kind *find_kind(const char *name)
{
    static const struct call_kind *const tables[] = {calls_socket, calls_data, calls_ready, calls_option};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (const struct call_kind *kind = tables[i]; kind->name != NULL; kind++) {
            if (strcmp(kind->name, name) == 0) {
                return kind;
            }
        }
    }
    return NULL;
}

uint64_t calls_deadline(const struct run *run)
{
    return run->pending != NULL ? sockets_deadline(run->world.sockets, &run->pending->wait) : UINT64_MAX;
}

void calls_free(struct run *run)
{
    if (run->pending != NULL) {
        free(run->pending->bytes);
        free(run->pending);
        run->pending = NULL;
    }
}

static void result_text(char *text, size_t size, int64_t result)
{
    if (result < 0) {
        snprintf(text, size, "-1 %s", script_errno_name((int)-result));
    } else {
        snprintf(text, size, "%" PRId64, result);
    }
}

static bool result_differs(struct run *run, const struct pending *call, int64_t result)
{
    const struct call *script = &call->event->call;
    char want[64];
    char got[64];
    snprintf(want, sizeof want, "%" PRId64 "%s%s", script->result.number, script->error != NULL ? " " : "",
             script->error != NULL ? script->error : "");
    result_text(got, sizeof got, result);
    if (run->settings.non_fatal_call) {
        run_warn(run, call->event, "%s(): expected %s, got %s", script->name, want, got);
        return true;
    }
    return run_fail(run, call->event, "%s(): expected %s, got %s", script->name, want, got);
}

static bool check_result(struct run *run, struct pending *call, int64_t result)
{
    const struct call *script = &call->event->call;
    int64_t expected = 0;
    int64_t error = 0;
    if (script->result.kind == EXPRESSION_ELLIPSIS) {
        return true;
    }
    if (!call_number_of(run, call, &script->result, &expected)) {
        return false;
    }
    bool fd = call->kind->gives_fd && expected >= 0 && result >= 0;
    if (!fd && (result < 0 ? -1 : result) != expected) {
        return result_differs(run, call, result);
    }
    if (script->error == NULL) {
        return true;
    }
    if (!script_constant(script->error, &error)) {
        return run_fail(run, call->event, "%s(): '%s' is no error of this system", script->name,
                        script->error);
    }
    return result == -error || result_differs(run, call, result);
}

/* When a call that may block returned: at its end, else at its beginning. */
static bool check_end(struct run *run, struct pending *call)
{
    if (!call->event->call.has_end) {
        return true;
    }
    struct run at = {.settings = run->settings,
                     .start = call->end,
                     .end = call->end,
                     .before_start = call->before,
                     .outcome = run->outcome,
                     .script = run->script,
                     .report = run->report,
                     .options = run->options};
    at.settings.non_fatal_packet = false;
    bool good = run_check_time(&at, call->event, world_time(&run->world), "the call's return");
    run->failed = run->failed || at.failed;
    return good;
}

static bool complete(struct run *run, int64_t result)
{
    struct pending *call = run->pending;
    run->pending = NULL;
    bool good = check_result(run, call, result);
    bool warned = good && call->event->call.result.kind == EXPRESSION_INTEGER && !call->kind->gives_fd &&
                  (result < 0 ? -1 : result) != call->event->call.result.number;
    good = good && (warned || call->kind->check == NULL || call->kind->check(run, call, result)) &&
           check_end(run, call);
    free(call->bytes);
    free(call);
    return good;
}

bool calls_retry(struct run *run)
{
    struct pending *call = run->pending;
    if (call == NULL || run->failed) {
        return true;
    }
    int64_t result = call->kind->make(run, call);
    if (result == SOCKETS_BLOCKED) {
        return false;
    }
    complete(run, result);
    return true;
}

bool calls_finish(struct run *run)
{
    struct pending *call = run->pending;
    int64_t limit = call->end + (int64_t)run->settings.tolerance_ns;
    while (run->pending != NULL && !run->failed && run_step(run, limit)) {
    }
    if (run->pending != NULL && !run->failed) {
        char text[2][32];
        return run_fail(run, call->event, "%s() still blocks at %s s, expected its return at %s s",
                        call->event->call.name, run_seconds(world_time(&run->world), text[0]),
                        run_seconds(call->end, text[1]));
    }
    return !run->failed;
}

/* A call without an end that blocks: nothing else goes on, as in a program with one thread. */
static bool wait_for_it(struct run *run)
{
    const struct pending *call = run->pending;
    int64_t limit = world_time(&run->world) + INT64_C(100000) * 1000000000;
    while (run->pending != NULL && !run->failed && run_step(run, limit)) {
    }
    if (run->pending != NULL && !run->failed) {
        return run_fail(
            run, call->event,
            "%s() blocks and nothing ends that: write its end, start...end, where later events do",
            call->event->call.name);
    }
    return !run->failed;
}

static bool prepare(struct run *run, struct pending *call)
{
    const struct call *script = &call->event->call;
    if (script->argument_count < call->kind->least || script->argument_count > call->kind->most) {
        return run_fail(run, call->event, "%s(): %u arguments, expected %u%s%.0u", script->name,
                        script->argument_count, call->kind->least,
                        call->kind->most > call->kind->least ? " or " : "",
                        call->kind->most > call->kind->least ? call->kind->most : 0);
    }
    if (call->kind->first_is_fd) {
        int64_t number = 0;
        if (!call_number(run, call, 0, &number)) {
            return false;
        }
        call->fd = run_find_fd(run, number);
        call->live = call->fd != NULL ? call->fd->live : -1; /* the socket layer says EBADF */
    }
    return call->kind->prepare == NULL || call->kind->prepare(run, call);
}

static struct pending *new_call(struct run *run)
{
    struct pending *call = calloc(1, sizeof *call);
    if (call == NULL) {
        run_fail(run, run->event, "no memory");
        return NULL;
    }
    call->event = run->event;
    call->kind = find_kind(run->event->call.name);
    call->start = run->start;
    call->before = run->before_start;
    call->live = call->other = -1;
    bool relative = run->event->time == TIME_RELATIVE || run->event->time == TIME_RELATIVE_RANGE;
    call->end = run->event->call.end_ns + (relative ? run->start - run->event->time_ns : 0);
    if (call->kind == NULL) {
        run_fail(run, run->event, "%s(): no call that scripts can make here", run->event->call.name);
    }
    return call;
}

bool calls_run(struct run *run)
{
    if ((run->pending != NULL && !calls_finish(run)) || !run_until(run, run->start) ||
        !run_check_time(run, run->event, world_time(&run->world), "call")) {
        return false;
    }
    struct pending *call = new_call(run);
    if (call == NULL || run->failed || !prepare(run, call)) {
        free(call != NULL ? call->bytes : NULL);
        free(call);
        return false;
    }
    run->acted = run->index;
    run->pending = call;
    if (!calls_retry(run) && !run->failed) {
        run_settle(run);
        return !run->failed && (run->pending == NULL || run->event->call.has_end || wait_for_it(run));
    }
    run_settle(run);
    return !run->failed;
}
