/*
 * A script from a file or from memory to its events: the reader's life, its options and the frame of its
 * events. Scanner and grammar are generated from lexer.l and grammar.y; what they find, the builders of
 * read_*.c put together on the script's arena.
 *
 * Nothing here knows what an event does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/script/reader.h"

/* ------------------------------------------------------------------------------------------------ options */

static void take_ip_version(struct reader *reader, const struct script_option *option,
                            const struct span *span)
{
    if (strcmp(option->value, "ipv4") != 0 && strcmp(option->value, "ipv6") != 0 &&
        strcmp(option->value, "ipv4-mapped-ipv6") != 0)
        reader_fail(reader, span, "unknown IP version '%s', expected ipv4, ipv4-mapped-ipv6 or ipv6",
                    option->value);
    if (reader->settings == NULL || reader->settings->ip_version == 0)
        reader->script->ipv6 = strcmp(option->value, "ipv6") == 0;
}

/* The end of a value, white space and quotes around it left out. */
static const char *value_text(struct reader *reader, const char *from, const char *end)
{
    while (from < end && strchr(" \t", *from) != NULL)
        from++;
    if (end - from > 1 && *from == '"' && end[-1] == '"')
        return arena_text(reader->arena, from + 1, (size_t)(end - from) - 2);
    return arena_text(reader->arena, from, (size_t)(end - from));
}

void reader_option(struct reader *reader, const struct span *span)
{
    const char *text = reader->text + span->begin + 2;
    const char *end = reader->text + span->end;
    const char *equals = memchr(text, '=', (size_t)(end - text));
    const char *name_end = equals == NULL ? end : equals;
    struct script_option *option = arena_take(reader->arena, sizeof *option);

    while (strchr(" \t", name_end[-1]) != NULL)
        name_end--;
    option->name = arena_text(reader->arena, text, (size_t)(name_end - text));
    option->value = equals == NULL ? "" : value_text(reader, equals + 1, end);
    option->place = span->place;
    *reader->option_tail = option;
    reader->option_tail = &option->next;
    if (strcmp(option->name, "ip_version") == 0)
        take_ip_version(reader, option, span);
    else if (strcmp(option->name, "udp_encapsulation") == 0)
        reader_fail(reader, span, "TCP inside UDP: not a TCP script, expected segments directly in IP");
    else if (strcmp(option->name, "define") == 0 && strchr(option->value, '=') == NULL)
        reader_fail(reader, span, "%s defines nothing, expected --define=NAME=VALUE",
                    reader_quote(reader, span));
}

/* ------------------------------------------------------------------------------------------------- events */

void reader_event_begin(struct reader *reader, enum time_kind kind, int64_t time_ns, int64_t time_to_ns)
{
    struct event *event = arena_take(reader->arena, sizeof *event);

    event->time = kind;
    event->time_ns = time_ns;
    event->time_to_ns = time_to_ns;
    reader->event = event;
    *reader->event_tail = event;
    reader->event_tail = &event->next;
    reader->script->event_count++;
}

void reader_event_end(struct reader *reader, const struct span *span)
{
    struct event *event = reader->event;
    bool range = event->time == TIME_ABSOLUTE_RANGE || event->time == TIME_RELATIVE_RANGE;

    event->place = span->place;
    event->source = reader_slice(reader, span);
    if (range && event->time_to_ns < event->time_ns)
        reader_fail(reader, span, "the range of time ends before it begins, expected the earlier time first");
}

/* Text between marks of one or two characters. */
static void take_text(struct reader *reader, enum event_kind kind, const struct span *span, size_t marks)
{
    reader->event->kind = kind;
    reader->event->text =
        arena_text(reader->arena, reader->text + span->begin + marks, span->end - span->begin - 2 * marks);
}

void reader_command(struct reader *reader, const struct span *span)
{
    take_text(reader, EVENT_COMMAND, span, 1);
}

void reader_code(struct reader *reader, const struct span *span)
{
    take_text(reader, EVENT_CODE, span, 2);
}

void reader_untimed_command(struct reader *reader, const struct span *span)
{
    reader_event_begin(reader, TIME_RELATIVE, 0, 0);
    reader->event->untimed = true;
    reader_command(reader, span);
    reader_event_end(reader, span);
}

/* -------------------------------------------------------------------------------------------------- calls */

void reader_call(struct reader *reader, const struct span *name, struct expression_list arguments)
{
    struct call *call = &reader->event->call;

    reader->event->kind = EVENT_CALL;
    call->name = reader_slice(reader, name);
    call->arguments = arguments.first;
    call->argument_count = arguments.count;
}

void reader_call_end_time(struct reader *reader, const struct span *span, int64_t end_ns)
{
    struct event *event = reader->event;

    event->call.has_end = true;
    event->call.end_ns = end_ns;
    if (event->time != TIME_ABSOLUTE && event->time != TIME_RELATIVE)
        reader_fail(reader, span,
                    "a call that blocks begins at one time, expected TIME...END or +TIME...END");
    else if (end_ns < event->time_ns)
        reader_fail(reader, span, "the call ends before it begins, expected a time not before its start");
}

void reader_call_result(struct reader *reader, const struct expression *result)
{
    reader->event->call.result = *result;
}

void reader_call_error(struct reader *reader, const struct span *name)
{
    const char *error = reader_slice(reader, name);
    int64_t number;

    reader->event->call.error = error;
    if (error[0] != 'E' || !script_constant(error, &number))
        reader_fail(reader, name, "unknown error %s, expected a name as EAGAIN or ECONNRESET",
                    reader_quote(reader, name));
}

void reader_call_note(struct reader *reader, const struct span *text)
{
    size_t length = text->end - text->begin - 1; /* the parenthesis is in the span */
    reader->event->call.note = arena_text(reader->arena, reader->text + text->begin, length);
}

/* ---------------------------------------------------------------------------------------------- the whole */

struct script *script_parse(const char *path, const char *text, size_t length,
                            const struct script_settings *settings, FILE *errors)
{
    struct arena *arena = arena_new();
    struct script *script = arena_take(arena, sizeof *script);
    struct reader reader = {
        .path = path,
        .text = text,
        .length = length,
        .settings = settings,
        .errors = errors,
        .arena = arena,
        .script = script,
        .option_tail = &script->options,
        .event_tail = &script->events,
    };

    script->arena = arena;
    script->ipv6 = settings != NULL && settings->ip_version == 6;
    script->path = arena_text(arena, path, strlen(path));
    reader_run(&reader);
    if (!reader.failed)
        return script;
    script_free(script);
    return NULL;
}

/* All of a file, for the caller to free; NULL with errno. */
static char *file_text(FILE *file, size_t *length)
{
    size_t room = 4096;
    char *text = malloc(room);

    *length = 0;
    while (text != NULL) {
        *length += fread(text + *length, 1, room - *length, file);
        if (*length < room)
            break;
        room *= 2;
        char *larger = realloc(text, room);
        if (larger == NULL)
            free(text);
        text = larger;
    }
    if (text != NULL && ferror(file)) {
        free(text);
        text = NULL;
    }
    return text;
}

struct script *script_read(const char *path, const struct script_settings *settings, FILE *errors)
{
    FILE *file = fopen(path, "rb");
    size_t length = 0;
    char *text = file == NULL ? NULL : file_text(file, &length);
    struct script *script = NULL;

    if (text == NULL)
        fprintf(errors, "%s:1:1: cannot be read: %s, expected a packet script\n", path, strerror(errno));
    else
        script = script_parse(path, text, length, settings, errors);
    if (file != NULL)
        fclose(file);
    free(text);
    return script;
}

void script_free(struct script *script)
{
    if (script != NULL)
        arena_free(script->arena);
}
