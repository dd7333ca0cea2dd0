/*
 * read(), write() and their like, pipes, splice() and sendfile(): see calls.h. What a script writes are
 * zeros, and what it reads must be zeros too, as all text of its packets is. A file that a script opens is as
 * many zeros as anyone asks for: no file of this machine is read.
 */
#include "calls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES (INT64_C(1) << 40)

/* What has a name that begins so takes sockets only. */
static bool sockets_only(const struct pending *call)
{
    return call->kind->name[0] == 's' || strncmp(call->kind->name, "recv", 4) == 0;
}

/* ---------------------------------------------------------------------------------------------- buffers */

static bool prepare_buffer(struct run *run, struct pending *call)
{
    if (!call_number(run, call, 2, &call->number[2])) {
        return false;
    }
    const struct expression *text = call_argument(call, 1);
    uint8_t *bytes = call_bytes(run, call, call->number[2]);
    if (bytes == NULL) {
        return run_fail(run, call->event, "no memory");
    }
    if (text->kind == EXPRESSION_STRING) {
        memcpy(bytes, text->text, text->length < call->length ? text->length : call->length);
    }
    call->vectors[0] = (struct iovec){bytes, call->length};
    call->message.msg_iov = call->vectors;
    call->message.msg_iovlen = 1;
    return call->event->call.argument_count < 4 || call_number(run, call, 3, &call->number[3]);
}

static bool add_vectors(struct run *run, struct pending *call, const struct expression *list)
{
    int64_t total = 0;
    unsigned count = 0;
    for (const struct expression *e = list->items; e != NULL; e = e->next, count++) {
        const struct expression *length = call_member(e, "iov_len", 1);
        int64_t number;
        if (count == CALL_VECTORS || e->kind != EXPRESSION_STRUCT || length == NULL) {
            return run_fail(run, call->event, "%s(): '%s': expected at most %d of {..., length}",
                            call->event->call.name, e->source, CALL_VECTORS);
        }
        if (!call_number_of(run, call, length, &number)) {
            return false;
        }
        if (number < 0 || number > CALL_BYTES) {
            return run_fail(run, call->event, "%s(): a length of %" PRId64, call->event->call.name, number);
        }
        call->vectors[count].iov_len = (size_t)number;
        total += number;
    }
    uint8_t *at = call_bytes(run, call, total);
    for (unsigned i = 0; i < count && at != NULL; i++) {
        call->vectors[i].iov_base = at;
        at += call->vectors[i].iov_len;
    }
    call->message.msg_iov = call->vectors;
    call->message.msg_iovlen = count;
    return call->bytes != NULL;
}

static bool prepare_vectors(struct run *run, struct pending *call)
{
    const struct expression *list = call_argument(call, 1);
    if (list->kind != EXPRESSION_LIST) {
        return call_bad(run, call, 1, "[{..., length}, ...]");
    }
    return add_vectors(run, call, list) && call_number(run, call, 2, &call->number[2]) &&
           (call->number[2] == (int64_t)call->message.msg_iovlen ||
            run_fail(run, call->event, "%s(): %" PRId64 " vectors are said, %zu are there",
                     call->event->call.name, call->number[2], call->message.msg_iovlen));
}

static bool prepare_message(struct run *run, struct pending *call)
{
    const struct expression *message = call_argument(call, 1);
    if (message->kind != EXPRESSION_STRUCT) {
        return call_bad(run, call, 1, "{msg_name(...)=..., msg_iov(1)=[{..., length}], msg_flags=0}");
    }
    const struct expression *vectors = call_member(message, "msg_iov", 99);
    if (vectors != NULL && vectors->kind == EXPRESSION_LIST && !add_vectors(run, call, vectors)) {
        return false;
    }
    return call_number(run, call, 2, &call->number[3]);
}

static bool prepare_to(struct run *run, struct pending *call)
{
    struct estab_addr addr = run->settings.remote;
    addr.port = run->settings.connect_port;
    return prepare_buffer(run, call) && call_address(run, call, call_argument(call, 4), &addr);
}

/* -------------------------------------------------------------------------------------------- transfers */

static int64_t make_receive(struct run *run, struct pending *call)
{
    int error = sockets_only(call) ? sockets_check_socket(run->world.sockets, call->live) : 0;
    if (error != 0) {
        return error;
    }
    call->message.msg_name = &call->address;
    call->message.msg_namelen = sizeof call->address;
    call->message.msg_control = call->control;
    call->message.msg_controllen = sizeof call->control;
    return sockets_recvmsg(run->world.sockets, run->world.now, call->live, &call->message,
                           (int)call->number[3], &call->wait);
}

static int64_t make_send(struct run *run, struct pending *call)
{
    int error = sockets_only(call) ? sockets_check_socket(run->world.sockets, call->live) : 0;
    if (error != 0) {
        return error;
    }
    bool to = strcmp(call->kind->name, "sendto") == 0 && !call_is_open(call, 4);
    call->message.msg_name = to ? &call->address : NULL;
    call->message.msg_namelen = to ? call->address_length : 0;
    return sockets_sendmsg(run->world.sockets, run->world.now, call->live, &call->message,
                           (int)call->number[3], &call->wait);
}

static bool check_text(struct run *run, struct pending *call, int64_t result)
{
    const struct expression *text = call_argument(call, 1);
    bool quoted = text->kind == EXPRESSION_STRING;
    for (int64_t i = 0; i < result && (size_t)i < call->length; i++) {
        uint8_t expected = quoted && (size_t)i < text->length ? (uint8_t)text->text[i] : 0;
        if (call->bytes[i] != expected) {
            return run_fail(run, call->event, "%s(): byte %" PRId64 ": expected %u, got %u",
                            call->event->call.name, i, expected, call->bytes[i]);
        }
    }
    return true;
}

static bool check_message(struct run *run, struct pending *call, int64_t result)
{
    const struct expression *flags = call_member(call_argument(call, 1), "msg_flags", 99);
    int64_t expected = 0;
    if (result < 0 || !check_text(run, call, result)) {
        return result < 0;
    }
    if (flags == NULL || flags->kind == EXPRESSION_ELLIPSIS) {
        return true;
    }
    return call_number_of(run, call, flags, &expected) &&
           (expected == call->message.msg_flags ||
            call_differs(run, call, "msg_flags", expected, call->message.msg_flags));
}

/* ------------------------------------------------------------------------------------------------ pipes */

static bool prepare_pipe(struct run *run, struct pending *call)
{
    const struct expression *list = call_argument(call, 0);
    if (list->kind != EXPRESSION_LIST || list->count != 2) {
        return call_bad(run, call, 0, "two descriptors: [5, 6]");
    }
    return call_number_of(run, call, list->items, &call->number[0]) &&
           call_number_of(run, call, list->items->next, &call->number[1]) &&
           (call->event->call.argument_count < 2 || call_number(run, call, 1, &call->number[2]));
}

static int64_t make_pipe(struct run *run, struct pending *call)
{
    return sockets_pipe(run->world.sockets, call->pair, (int)call->number[2]);
}

static bool check_pipe(struct run *run, struct pending *call, int64_t result)
{
    return result < 0 || (call_new_fd(run, call, call->number[0], call->pair[0]) &&
                          call_new_fd(run, call, call->number[1], call->pair[1]));
}

static bool prepare_splice(struct run *run, struct pending *call)
{
    return call_number(run, call, 2, &call->number[2]) &&
           call_live_fd(run, call, call->number[2], &call->other) &&
           call_number(run, call, 4, &call->number[4]) && call_number(run, call, 5, &call->number[5]);
}

static int64_t make_splice(struct run *run, struct pending *call)
{
    return sockets_splice(run->world.sockets, run->world.now, call->live, call->other,
                          (size_t)call->number[4], (unsigned)call->number[5], &call->wait);
}

/* ------------------------------------------------------------------------------------------------ files */

/* A number that no descriptor of the socket layer has. */
static int64_t make_open(struct run *run, struct pending *call)
{
    (void)call;
    return 1000000 + (int64_t)run->fd_count;
}

static bool check_open(struct run *run, struct pending *call, int64_t result)
{
    const struct expression *script = &call->event->call.result;
    if (!call_new_fd(run, call, script->kind == EXPRESSION_INTEGER ? script->number : result, (int)result)) {
        return false;
    }
    run->fds[run->fd_count - 1].file_length = FILE_BYTES;
    run_note(run, call->event->place.line, "the file is taken for zeros");
    return true;
}

static bool prepare_sendfile(struct run *run, struct pending *call)
{
    int64_t length = 0;
    if (!call_number(run, call, 1, &call->number[1]) || !call_number(run, call, 3, &length)) {
        return false;
    }
    call->file = run_find_fd(run, call->number[1]);
    if (call->file == NULL || call->file->file_length < 0) {
        return call_bad(run, call, 1, "the descriptor of an open() of the script");
    }
    return call_bytes(run, call, length) != NULL;
}

static int64_t make_sendfile(struct run *run, struct pending *call)
{
    return sockets_sendfile(run->world.sockets, run->world.now, call->live, call->bytes, call->length,
                            &call->wait);
}

const struct call_kind calls_data[] = {
    {"read", 3, 3, true, false, prepare_buffer, make_receive, check_text},
    {"readv", 3, 3, true, false, prepare_vectors, make_receive, check_text},
    {"recv", 4, 4, true, false, prepare_buffer, make_receive, check_text},
    {"recvfrom", 6, 6, true, false, prepare_buffer, make_receive, check_text},
    {"recvmsg", 3, 3, true, false, prepare_message, make_receive, check_message},
    {"write", 3, 3, true, false, prepare_buffer, make_send, NULL},
    {"writev", 3, 3, true, false, prepare_vectors, make_send, NULL},
    {"send", 4, 4, true, false, prepare_buffer, make_send, NULL},
    {"sendto", 6, 6, true, false, prepare_to, make_send, NULL},
    {"sendmsg", 3, 3, true, false, prepare_message, make_send, NULL},
    {"pipe", 1, 1, false, false, prepare_pipe, make_pipe, check_pipe},
    {"pipe2", 2, 2, false, false, prepare_pipe, make_pipe, check_pipe},
    {"splice", 6, 6, true, false, prepare_splice, make_splice, NULL},
    {"open", 2, 3, false, true, NULL, make_open, check_open},
    {"sendfile", 4, 4, true, false, prepare_sendfile, make_sendfile, NULL},
    {.name = NULL},
};
