/*
 * The builders of expressions: arguments and results of system calls. Numbers, and names that this system has
 * a number for, become numbers at once, also through `|`, `<<`, `~` and `-`; a name without one stays a word,
 * and who runs the script may know it.
 *
 * It knows nothing of which call takes what.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tools/script/reader.h"

struct expression *expression_new(struct reader *reader, enum expression_kind kind, const struct span *span)
{
    struct expression *expression = arena_take(reader->arena, sizeof *expression);
    expression->kind = kind;
    expression->place = span->place;
    expression->source = reader_slice(reader, span);
    return expression;
}

static struct expression *integer(struct reader *reader, int64_t number, const struct span *span)
{
    struct expression *expression = expression_new(reader, EXPRESSION_INTEGER, span);
    expression->number = number;
    return expression;
}

struct expression *expression_integer(struct reader *reader, const struct span *span)
{
    return integer(reader, (int64_t)reader_number(reader, span, INT64_MAX, "number"), span);
}

/* A number as the text of a definition; false: it is none. */
static bool number_of(const char *text, int64_t *number)
{
    char *end;
    *number = strtoll(text, &end, 0);
    return end != text && *end == '\0';
}

struct expression *expression_word(struct reader *reader, const struct span *span)
{
    const char *text = reader_definition(reader, span);
    struct expression *expression = expression_new(reader, EXPRESSION_WORD, span);

    if (text == NULL)
        text = expression->source;
    if (text[0] >= '0' && text[0] <= '9' && text == expression->source) {
        reader_fail(reader, span, "%s is no number, expected digits", reader_quote(reader, span));
    } else if (script_constant(text, &expression->number) || number_of(text, &expression->number)) {
        expression->kind = EXPRESSION_INTEGER;
    } else {
        expression->text = text;
        expression->length = strlen(text);
    }
    return expression;
}

/* ------------------------------------------------------------------------------------------------ strings */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* What stands behind a backslash, up to `end`; *from moves behind it. */
static char escaped(const char **from, const char *end)
{
    static const char letters[] = "abfnrtv";
    static const char meanings[] = "\a\b\f\n\r\t\v";
    char c = *(*from)++;
    const char *letter = c == '\0' ? NULL : strchr(letters, c);
    int value = 0;

    if (letter != NULL)
        return meanings[letter - letters];
    if (c == 'x' && *from < end && hex_digit(**from) >= 0) {
        for (int i = 0; i < 2 && *from < end && hex_digit(**from) >= 0; i++)
            value = value * 16 + hex_digit(*(*from)++);
        return (char)value;
    }
    if (c < '0' || c > '7')
        return c;
    value = c - '0';
    for (int i = 0; i < 2 && *from < end && **from >= '0' && **from <= '7'; i++)
        value = value * 8 + (*(*from)++ - '0');
    return (char)value;
}

struct expression *expression_string(struct reader *reader, const struct span *span)
{
    struct expression *expression = expression_new(reader, EXPRESSION_STRING, span);
    const char *from = reader->text + span->begin + 1;
    const char *end = reader->text + span->end - 1;
    char *text = arena_take(reader->arena, (size_t)(end - from) + 1);
    size_t length = 0;

    while (from < end) {
        char c = *from++;
        text[length++] = c == '\\' && from < end ? escaped(&from, end) : c;
    }
    expression->text = text;
    expression->length = length;
    return expression;
}

/* -------------------------------------------------------------------------------------- lists and structs */

struct expression_list list_add(struct expression_list list, struct expression *item)
{
    if (list.last == NULL)
        list.first = item;
    else
        list.last->next = item;
    list.last = item;
    list.count++;
    return list;
}

struct expression *expression_items(struct reader *reader, enum expression_kind kind, const struct span *span,
                                    struct expression_list items)
{
    struct expression *expression = expression_new(reader, kind, span);
    expression->items = items.first;
    expression->count = items.count;
    return expression;
}

void expression_name(struct reader *reader, struct expression *member, const struct span *name,
                     const struct span *span)
{
    member->name = reader_slice(reader, name);
    member->place = span->place;
}

/* ---------------------------------------------------------------------------------------------- operators */

static void complain(struct reader *reader, const struct expression *operand)
{
    struct span span = {operand->place, 0, 0};
    reader_fail(reader, &span, "'%s' cannot be computed with, expected a number or a name", operand->source);
}

struct expression *expression_unary(struct reader *reader, char sign, struct expression *of,
                                    const struct span *span)
{
    if (of->kind == EXPRESSION_WORD)
        return of;
    if (of->kind != EXPRESSION_INTEGER)
        complain(reader, of);
    uint64_t number = (uint64_t)of->number;
    return integer(reader, (int64_t)(sign == '-' ? 0 - number : ~number), span);
}

static int64_t computed(char sign, int64_t left, int64_t right)
{
    if (sign == '|')
        return left | right;
    if (sign == '&')
        return left & right;
    return right < 0 || right > 63 ? 0 : (int64_t)((uint64_t)left << right);
}

struct expression *expression_binary(struct reader *reader, char sign, struct expression *left,
                                     struct expression *right, const struct span *span)
{
    struct expression *operands[2] = {left, right};

    for (int i = 0; i < 2; i++) {
        if (operands[i]->kind == EXPRESSION_WORD)
            return operands[i];
        if (operands[i]->kind != EXPRESSION_INTEGER)
            complain(reader, operands[i]);
    }
    return integer(reader, computed(sign, left->number, right->number), span);
}

/* ---------------------------------------------------------------------------------------------- functions */

static void put_v4(uint8_t address[16], const struct in_addr *v4)
{
    memset(address, 0, 10);
    memset(address + 10, 0xff, 2);
    memcpy(address + 12, v4, 4);
}

static struct expression *address_of(struct reader *reader, const struct expression *text, int family,
                                     const struct span *span)
{
    struct expression *expression = expression_new(reader, EXPRESSION_ADDRESS, span);
    struct in_addr v4;
    bool right = false;

    if (text->kind == EXPRESSION_STRING && family == AF_INET6) {
        right = inet_pton(AF_INET6, text->text, expression->address) == 1;
    } else if (text->kind == EXPRESSION_STRING && inet_pton(AF_INET, text->text, &v4) == 1) {
        put_v4(expression->address, &v4);
        right = true;
    }
    if (!right)
        reader_fail(reader, span, "%s is no address, expected an %s address in quotes", text->source,
                    family == AF_INET6 ? "IPv6" : "IPv4");
    return expression;
}

/* htons() and its kind: the number stays as it is written; byte order is the runner's matter. */
static struct expression *swapped(struct reader *reader, const struct expression *of, int bits,
                                  const struct span *span)
{
    struct expression *expression;

    if (of->kind == EXPRESSION_INTEGER && (of->number < 0 || of->number >> bits != 0))
        reader_fail(reader, span, "%s is out of range, expected at most %llu", of->source,
                    (1ULL << bits) - 1);
    if (of->kind != EXPRESSION_INTEGER && of->kind != EXPRESSION_WORD)
        complain(reader, of);
    expression = expression_new(reader, of->kind, span);
    expression->number = of->number;
    expression->text = of->text;
    expression->length = of->length;
    return expression;
}

struct expression *expression_apply(struct reader *reader, const struct span *name,
                                    struct expression_list arguments, const struct span *span)
{
    struct expression *first = arguments.first;

    if (arguments.count == 1 && (span_is(reader, name, "htons") || span_is(reader, name, "ntohs")))
        return swapped(reader, first, 16, span);
    if (arguments.count == 1 && (span_is(reader, name, "htonl") || span_is(reader, name, "ntohl")))
        return swapped(reader, first, 32, span);
    if (arguments.count == 1 && span_is(reader, name, "inet_addr"))
        return address_of(reader, first, AF_INET, span);
    if (arguments.count == 2 && span_is(reader, name, "inet_pton") && first->kind == EXPRESSION_INTEGER)
        return address_of(reader, first->next, (int)first->number, span);
    reader_fail(reader, name,
                "unknown function %s, or not its arguments, expected htons(port), htonl(number), "
                "inet_addr(\"...\") or inet_pton(family, \"...\")",
                reader_quote(reader, name));
    return expression_new(reader, EXPRESSION_ELLIPSIS, span);
}
