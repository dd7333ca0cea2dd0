/*
 * Numbers, times and definitions of a script, from their text: nothing is rounded through floating point, and
 * what does not fit is said to be out of range.
 *
 * It knows nothing of what the numbers mean.
 */
#include <ctype.h>
#include <string.h>

#include "tools/script/reader.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define MOST_SECONDS  INT64_C(1000000000)

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

uint64_t reader_number(struct reader *reader, const struct span *span, uint64_t most, const char *what)
{
    const char *at = reader->text + span->begin;
    const char *end = reader->text + span->end;
    bool hexadecimal = end - at > 2 && at[0] == '0' && (at[1] | 0x20) == 'x';
    unsigned base = hexadecimal ? 16 : 10;
    uint64_t value = 0;

    for (at += hexadecimal ? 2 : 0; at < end; at++) {
        unsigned digit = (unsigned)digit_of(*at);
        if (digit >= base) {
            reader_fail(reader, span, "%s is no number, expected digits", reader_quote(reader, span));
            return 0;
        }
        if (digit > most || value > (most - digit) / base) {
            reader_fail(reader, span, "%s %s is out of range, expected at most %llu", what,
                        reader_quote(reader, span), (unsigned long long)most);
            return 0;
        }
        value = value * base + digit;
    }
    return value;
}

int64_t reader_time(struct reader *reader, const struct span *span)
{
    const char *at = reader->text + span->begin;
    const char *end = reader->text + span->end;
    int64_t seconds = 0, fraction = 0;
    int64_t unit = NS_PER_SECOND / 10;

    if (end - at > 2 && (at[1] | 0x20) == 'x') {
        reader_fail(reader, span, "%s is no time, expected seconds", reader_quote(reader, span));
        return 0;
    }
    for (; at < end && *at != '.'; at++) {
        seconds = seconds * 10 + digit_of(*at);
        if (seconds > MOST_SECONDS) {
            reader_fail(reader, span, "time %s is out of range, expected at most %lld seconds",
                        reader_quote(reader, span), (long long)MOST_SECONDS);
            return 0;
        }
    }
    for (at += at < end; at < end; at++, unit /= 10)
        fraction += digit_of(*at) * unit;
    return seconds * NS_PER_SECOND + fraction;
}

/* ----------------------------------------------------------------------------------------------- --define */

/* The value of "NAME=VALUE" if its name is that word. */
static const char *value_of(const char *definition, const char *word, size_t length)
{
    if (strncmp(definition, word, length) != 0 || definition[length] != '=')
        return NULL;
    return definition + length + 1;
}

const char *reader_definition(const struct reader *reader, const struct span *word)
{
    const char *name = reader->text + word->begin;
    size_t length = word->end - word->begin;
    const char *value = NULL;

    for (unsigned i = 0; reader->settings != NULL && i < reader->settings->define_count; i++) {
        value = value_of(reader->settings->defines[i], name, length);
        if (value != NULL)
            return value;
    }
    for (const struct script_option *o = reader->script->options; o != NULL && value == NULL; o = o->next) {
        if (strcmp(o->name, "define") == 0)
            value = value_of(o->value, name, length);
    }
    return value;
}
