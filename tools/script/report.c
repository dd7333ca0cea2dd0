/*
 * The reader's complaints: one line for the first mistake of a script, "path:line:column: what is wrong,
 * expected what would be right", and the slices of its text that they quote.
 *
 * What the grammar expects comes as the names of its tokens; where they make up a thing that has a name of
 * its own, an expression or a time, that name is told instead.
 */
#include <stdarg.h>
#include <string.h>

#include "tools/script/reader.h"

#define QUOTE_LENGTH 40
#define LINE_LENGTH  1000

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

void reader_fail(struct reader *reader, const struct span *span, const char *format, ...)
{
    char line[LINE_LENGTH];
    va_list arguments;

    if (reader->failed)
        return;
    reader->failed = true;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *c = line; *c != '\0'; c++) {
        if (!is_printable(*c))
            *c = '?'; /* what is quoted may go over lines; a complaint does not */
    }
    fprintf(reader->errors, "%s:%d:%d: %s\n", reader->path, span->place.line, span->place.column, line);
}

char *reader_slice(struct reader *reader, const struct span *span)
{
    return arena_text(reader->arena, reader->text + span->begin, span->end - span->begin);
}

bool span_is(const struct reader *reader, const struct span *span, const char *word)
{
    size_t length = strlen(word);
    return span->end - span->begin == length && memcmp(reader->text + span->begin, word, length) == 0;
}

const char *reader_quote(struct reader *reader, const struct span *span)
{
    size_t length = span->end - span->begin;
    bool cut = length > QUOTE_LENGTH;
    char *quote = arena_take(reader->arena, QUOTE_LENGTH + sizeof "'...'");
    char *to = quote;

    if (length == 0)
        return "end of the script";
    *to++ = '\'';
    for (size_t i = 0; i < (cut ? QUOTE_LENGTH : length); i++) {
        char c = reader->text[span->begin + i];
        *to++ = is_printable(c) ? c : '?';
    }
    memcpy(to, cut ? "...'" : "'", cut ? 4 : 1);
    return quote;
}

/* -------------------------------------------------------------------------------------- what was expected */

/* Where all of these are possible, the thing that they begin is told; the first one stands for all. */
static const struct group {
    const char *name;
    const char *members[24];
} groups[] = {
    {"an expression", {"a word", "a number", "a string", "'...'", "'['", "'{'", "'-'", "'~'", NULL}},
    {"a time", {"a number", "a number with a fraction", "'+'", "'*'", NULL}},
    {"a time", {"a number", "a number with a fraction", NULL}},
};

/* A word that means something in packets is a word like others in calls. */
static const char *const keywords[] = {
    "'ack'", "'win'", "'urg'", "'mss'",   "'wscale'", "'sackOK'", "'sack'", "'TS'",  "'val'", "'ecr'",
    "'nop'", "'eol'", "'FO'",  "'FOEXP'", "'md5'",    "'kind'",   "'ECN'",  "'mtu'", "'udp'", "'tcp'",
};

static int find(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (names[i] != NULL && strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

static bool has_all(const char *const *names, int count, const struct group *group)
{
    for (int i = 0; group->members[i] != NULL; i++) {
        if (find(names, count, group->members[i]) < 0)
            return false;
    }
    return true;
}

static void drop(const char **names, int count, const char *name)
{
    int at = find(names, count, name);
    if (at >= 0)
        names[at] = NULL;
}

static void take_group(const char **names, int count, const struct group *group)
{
    for (int i = 1; group->members[i] != NULL; i++)
        drop(names, count, group->members[i]);
    names[find(names, count, group->members[0])] = group->name;
}

/* Where any word will do, and what is only known to be refused. */
static void drop_details(const char **names, int count)
{
    drop(names, count, "another protocol");
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0] && find(names, count, "a word") >= 0; i++)
        drop(names, count, keywords[i]);
}

void reader_fail_expected(struct reader *reader, const struct span *found, const char *const *names,
                          int count)
{
    enum { MOST = 64, ROOM = 512 };
    const char *kept[MOST];
    char *list = arena_take(reader->arena, ROOM);
    size_t used = 0;
    int left = 0;

    count = count < MOST ? count : MOST;
    memcpy(kept, names, (size_t)count * sizeof kept[0]);
    drop_details(kept, count);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (has_all(kept, count, &groups[i]))
            take_group(kept, count, &groups[i]);
    }
    for (int i = 0; i < count; i++)
        left += kept[i] != NULL;
    for (int i = 0; i < count && used < ROOM; i++) {
        if (kept[i] == NULL)
            continue;
        const char *before = used == 0 ? "" : left == 1 ? " or " : ", ";
        used += (size_t)snprintf(list + used, ROOM - used, "%s%s", before, kept[i]);
        left--;
    }
    if (used == 0)
        reader_fail(reader, found, "unexpected %s", reader_quote(reader, found));
    else
        reader_fail(reader, found, "unexpected %s, expected %s", reader_quote(reader, found), list);
}
