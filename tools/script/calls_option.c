/* fcntl(), ioctl(), getsockopt(), setsockopt(): see calls.h. */
#include "calls.h"
#include "info.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------- fcntl, ioctl */

static bool prepare_control(struct run *run, struct pending *call)
{
    return call_number(run, call, 1, &call->number[1]) &&
           (call_is_open(call, 2) || call_number(run, call, 2, &call->number[2]));
}

static int64_t make_fcntl(struct run *run, struct pending *call)
{
    return sockets_fcntl(run->world.sockets, run->world.now, call->live, (int)call->number[1],
                         (long)call->number[2]);
}

/* The argument stands in brackets: what is put in and expected back. */
static bool prepare_ioctl(struct run *run, struct pending *call)
{
    const struct expression *value = call_argument(call, 2);
    if (!call_number(run, call, 1, &call->number[1])) {
        return false;
    }
    if (value == NULL || value->kind == EXPRESSION_ELLIPSIS) {
        return true;
    }
    if (value->kind != EXPRESSION_LIST || value->count != 1) {
        return call_bad(run, call, 2, "a value in brackets: [0]");
    }
    if (value->items->kind != EXPRESSION_ELLIPSIS &&
        !call_number_of(run, call, value->items, &call->number[2])) {
        return false;
    }
    call->pair[0] = (int)call->number[2];
    return true;
}

static int64_t make_ioctl(struct run *run, struct pending *call)
{
    return sockets_ioctl(run->world.sockets, run->world.now, call->live, (unsigned long)call->number[1],
                         &call->pair[0]);
}

static bool check_ioctl(struct run *run, struct pending *call, int64_t result)
{
    const struct expression *value = call_argument(call, 2);
    bool said = value != NULL && value->kind == EXPRESSION_LIST && value->items->kind == EXPRESSION_INTEGER;
    return result < 0 || !said || call->pair[0] == (int)call->number[2] ||
           call_differs(run, call, "value", call->number[2], call->pair[0]);
}

/* ------------------------------------------------------------------------------------------- setsockopt */

static bool put_numbers(struct run *run, struct pending *call, const struct expression *items)
{
    int *at = (int *)(void *)call->control;
    unsigned count = 0;
    for (const struct expression *e = items; e != NULL && count < 64; e = e->next, count++) {
        int64_t number;
        if (!call_number_of(run, call, e, &number)) {
            return false;
        }
        at[count] = (int)number;
    }
    call->length = count * sizeof(int);
    return true;
}

static bool put_value(struct run *run, struct pending *call, const struct expression *value)
{
    bool v4 = !run->settings.ipv6;
    switch (value->kind) {
    case EXPRESSION_LIST:
    case EXPRESSION_STRUCT: /* {onoff=1, linger=0} */ return put_numbers(run, call, value->items);
    case EXPRESSION_STRING:
        call->length = value->length < sizeof call->control ? value->length : sizeof call->control;
        memcpy(call->control, value->text, call->length);
        return true;
    case EXPRESSION_ADDRESS:
        call->length = v4 ? 4 : 16;
        memcpy(call->control, value->address + (v4 ? 12 : 0), call->length);
        return true;
    case EXPRESSION_ELLIPSIS: return true;
    case EXPRESSION_INTEGER:
    case EXPRESSION_WORD: break;
    }
    return call_bad(run, call, 3, "a value: [1], {onoff=1, linger=0} or \"text\"");
}

static bool prepare_set(struct run *run, struct pending *call)
{
    if (!call_number(run, call, 1, &call->number[1]) || !call_number(run, call, 2, &call->number[2]) ||
        !put_value(run, call, call_argument(call, 3)) || !call_number(run, call, 4, &call->number[4])) {
        return false;
    }
    return (call->number[4] >= 0 && call->number[4] <= (int64_t)sizeof call->control) ||
           call_bad(run, call, 4, "a length from 0 to 1024");
}

static int64_t make_set(struct run *run, struct pending *call)
{
    return sockets_setsockopt(run->world.sockets, run->world.now, call->live, (int)call->number[1],
                              (int)call->number[2], call->control, (socklen_t)call->number[4]);
}

/* ------------------------------------------------------------------------------------------- getsockopt */

static bool prepare_get(struct run *run, struct pending *call)
{
    const struct expression *length = call_argument(call, 4);
    if (!call_number(run, call, 1, &call->number[1]) || !call_number(run, call, 2, &call->number[2])) {
        return false;
    }
    call->number[4] = sizeof call->control;
    bool bracketed = length->kind == EXPRESSION_LIST && length->count == 1;
    if (bracketed && length->items->kind != EXPRESSION_ELLIPSIS &&
        !call_number_of(run, call, length->items, &call->number[4])) {
        return false;
    }
    if (!bracketed && length->kind != EXPRESSION_ELLIPSIS) {
        return call_bad(run, call, 4, "a length in brackets: [4]");
    }
    return (call->number[4] >= 0 && call->number[4] <= (int64_t)sizeof call->control) ||
           call_bad(run, call, 4, "a length from 0 to 1024");
}

static int64_t make_get(struct run *run, struct pending *call)
{
    call->option_length = (socklen_t)call->number[4];
    return sockets_getsockopt(run->world.sockets, run->world.now, call->live, (int)call->number[1],
                              (int)call->number[2], call->control, &call->option_length);
}

static bool check_numbers(struct run *run, struct pending *call, const struct expression *items)
{
    const int *got = (const int *)(const void *)call->control;
    unsigned i = 0;
    for (const struct expression *e = items; e != NULL; e = e->next, i++) {
        int64_t expected;
        if (e->kind == EXPRESSION_ELLIPSIS) {
            continue;
        }
        if (!call_number_of(run, call, e, &expected)) {
            return false;
        }
        if ((i + 1) * sizeof(int) > call->option_length) {
            return call->option_length == 1 && i == 0 && expected == call->control[0]
                       ? true
                       : call_differs(run, call, "bytes of the value", (int64_t)(i + 1) * 4,
                                      call->option_length);
        }
        if ((int)expected != got[i]) {
            return call_differs(run, call, e->name != NULL ? e->name : "value", expected, got[i]);
        }
    }
    return true;
}

/* {tcpi_state = 1, tcpi_rto = 200000} */
static bool check_info(struct run *run, struct pending *call, const struct expression *items)
{
    struct tcp_info info = {0};
    memcpy(&info, call->control, call->option_length < sizeof info ? call->option_length : sizeof info);
    for (const struct expression *e = items; e != NULL; e = e->next) {
        const char *name = NULL;
        uint64_t value = 0;
        int64_t expected = 0;
        for (unsigned i = 0; (name = info_field(i, &info, &value)) != NULL && strcmp(name, e->name) != 0;
             i++) {
        }
        if (name == NULL) {
            return run_fail(run, call->event, "getsockopt(): tcp_info has no '%s'", e->name);
        }
        if (e->kind == EXPRESSION_ELLIPSIS) {
            continue;
        }
        if (!call_number_of(run, call, e, &expected)) {
            return false;
        }
        if ((uint64_t)expected != value) {
            return call_differs(run, call, name, expected, (int64_t)value);
        }
    }
    return true;
}

static bool check_bytes(struct run *run, struct pending *call, const void *expected, size_t length)
{
    if (length != call->option_length) {
        return call_differs(run, call, "bytes of the value", (int64_t)length, call->option_length);
    }
    return memcmp(expected, call->control, length) == 0 ||
           run_fail(run, call->event, "getsockopt(): expected '%.*s', got '%.*s'", (int)length,
                    (const char *)expected, (int)length, (const char *)call->control);
}

static bool check_value(struct run *run, struct pending *call, const struct expression *value)
{
    switch (value->kind) {
    case EXPRESSION_ELLIPSIS: return true;
    case EXPRESSION_LIST: return check_numbers(run, call, value->items);
    case EXPRESSION_STRUCT:
        return value->items != NULL && value->items->name != NULL &&
                       strncmp(value->items->name, "tcpi_", 5) == 0
                   ? check_info(run, call, value->items)
                   : check_numbers(run, call, value->items);
    case EXPRESSION_STRING: return check_bytes(run, call, value->text, value->length);
    case EXPRESSION_ADDRESS:
        return call->option_length == 4 ? check_bytes(run, call, value->address + 12, 4)
                                        : check_bytes(run, call, value->address, 16);
    case EXPRESSION_INTEGER:
    case EXPRESSION_WORD: break;
    }
    return call_bad(run, call, 3, "a value: [1], {onoff=1, linger=0} or \"text\"");
}

static bool check_get(struct run *run, struct pending *call, int64_t result)
{
    const struct expression *length = call_argument(call, 4);
    bool said = length->kind == EXPRESSION_LIST && length->items->kind == EXPRESSION_INTEGER;
    if (result < 0) {
        return true;
    }
    if (!check_value(run, call, call_argument(call, 3))) {
        return false;
    }
    return !said || call->number[4] == (int64_t)call->option_length ||
           call_differs(run, call, "length of the value", call->number[4], call->option_length);
}

/* --------------------------------------------------------------------------------------------- the rest */

/* Rights are not an application's business here: everything is allowed. */
static int64_t make_nothing(struct run *run, struct pending *call)
{
    run_note(run, call->event->place.line, "%s() does nothing here", call->kind->name);
    return 0;
}

const struct call_kind calls_option[] = {
    {"fcntl", 2, 3, true, false, prepare_control, make_fcntl, NULL},
    {"ioctl", 2, 3, true, false, prepare_ioctl, make_ioctl, check_ioctl},
    {"setsockopt", 5, 5, true, false, prepare_set, make_set, NULL},
    {"getsockopt", 5, 5, true, false, prepare_get, make_get, check_get},
    {"cap_set", 3, 3, false, false, NULL, make_nothing, NULL},
    {.name = NULL},
};
