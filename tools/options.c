/*
 * Parser and help text for tables of options: see options.h. It knows no sub-command. Every error is one line
 * that names the option, what was given and what would be right.
 */
#include "options.h"
#include "tool.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NANOSECONDS UINT64_C(1000000000)

struct found {
    const struct option *option;
    void *target;
};

/* --------------------------------------------------------------------------------------------------- help */

static void print_option(const struct option *option)
{
    char left[64];
    char letter[8] = "    ";
    if (option->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    int length = snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name,
                          option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
    printf("%s", left);
    if (length > 26) {
        printf("\n");
        length = 0;
    }
    printf("%*s", 28 - length, "");
    for (const char *c = option->help; *c != 0; c++) {
        if (*c == '\n') {
            printf("\n%*s", 28, "");
        } else {
            putchar(*c);
        }
    }
    putchar('\n');
}

static void print_help(const struct option_command *command)
{
    printf("Usage: estab %s [options]%s%s\n\n%s\n", command->name, command->arguments[0] != 0 ? " " : "",
           command->arguments, command->summary);
    for (unsigned i = 0; i < command->group_count; i++) {
        printf("\n%s:\n", command->groups[i].title);
        for (const struct option *option = command->groups[i].options; option->name != NULL; option++) {
            print_option(option);
        }
        if (i == 0) {
            const struct option help = {.name = "help", .letter = 'h', .help = "print this and end"};
            print_option(&help);
        }
    }
    printf("\nExample:\n");
    for (const char *line = command->example; *line != 0;) {
        size_t length = strcspn(line, "\n");
        printf("  %.*s\n", (int)length, line);
        line += length + (line[length] != 0);
    }
}

/* ------------------------------------------------------------------------------------------------- values */

/* Decimal digits at *text, advanced past them; false = none, or too large. */
static bool parse_digits(const char **text, uint64_t *value)
{
    const char *at = *text;
    uint64_t sum = 0;
    if (*at < '0' || *at > '9') {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        if (sum > (UINT64_MAX - 9) / 10) {
            return false;
        }
        sum = sum * 10 + (uint64_t)(*at - '0');
    }
    *text = at;
    *value = sum;
    return true;
}

static bool parse_number(const char *text, uint64_t *value)
{
    return parse_digits(&text, value) && *text == 0;
}

static bool parse_bytes(const char *text, uint64_t *value)
{
    if (!parse_digits(&text, value)) {
        return false;
    }
    static const char units[] = "KMG";
    const char *unit = *text != 0 ? strchr(units, *text) : NULL;
    if (unit == NULL) {
        return *text == 0;
    }
    unsigned shift = 10 * (unsigned)(unit - units + 1);
    if (text[1] != 0 || *value > UINT64_MAX >> shift) {
        return false;
    }
    *value <<= shift;
    return true;
}

static bool parse_seconds(const char *text, uint64_t *value)
{
    uint64_t whole = 0;
    if (*text != '.' && !parse_digits(&text, &whole)) {
        return false;
    }
    uint64_t fraction = 0;
    if (*text == '.') {
        uint64_t unit = NANOSECONDS / 10;
        text++;
        if (*text < '0' || *text > '9') {
            return false;
        }
        for (; *text >= '0' && *text <= '9'; text++, unit /= 10) {
            fraction += (uint64_t)(*text - '0') * unit;
        }
    }
    if (*text != 0 || whole > UINT64_MAX / NANOSECONDS - 1) {
        return false;
    }
    *value = whole * NANOSECONDS + fraction;
    return true;
}

static void print_bound(char *text, size_t size, const struct option *option, uint64_t bound)
{
    if (option->kind == OPTION_SECONDS) {
        snprintf(text, size, "%g", (double)bound / (double)NANOSECONDS);
    } else {
        snprintf(text, size, "%" PRIu64, bound);
    }
}

static int value_error(const struct option *option, const char *given)
{
    static const char *const what[] = {
        [OPTION_NUMBER] = "a number",
        [OPTION_BYTES] = "a number of bytes (K, M, G for powers of 1024)",
        [OPTION_SECONDS] = "a number of seconds",
    };
    char low[32];
    char high[32];
    print_bound(low, sizeof low, option, option->low);
    print_bound(high, sizeof high, option, option->high);
    if (option->high == 0) {
        return tool_usage("--%s: '%s' is not %s from %s on", option->name, given, what[option->kind], low);
    }
    return tool_usage("--%s: '%s' is not %s from %s to %s", option->name, given, what[option->kind], low,
                      high);
}

static int store(const struct found *found, const char *given)
{
    const struct option *option = found->option;
    void *place = (char *)found->target + option->offset;
    if (option->kind == OPTION_FLAG) {
        *(bool *)place = true;
        return OPTIONS_GO_ON;
    }
    if (option->kind == OPTION_TEXT) {
        *(const char **)place = given;
        return OPTIONS_GO_ON;
    }
    uint64_t value = 0;
    bool good = option->kind == OPTION_NUMBER  ? parse_number(given, &value)
                : option->kind == OPTION_BYTES ? parse_bytes(given, &value)
                                               : parse_seconds(given, &value);
    if (!good || value < option->low || (option->high != 0 && value > option->high)) {
        return value_error(option, given);
    }
    if (option->kind == OPTION_NUMBER) {
        if (value > UINT32_MAX) {
            return value_error(option, given);
        }
        *(uint32_t *)place = (uint32_t)value;
    } else if (option->kind == OPTION_BYTES) {
        *(size_t *)place = (size_t)value;
    } else {
        *(uint64_t *)place = value;
    }
    return OPTIONS_GO_ON;
}

/* ------------------------------------------------------------------------------------------------ parsing */

struct parser {
    const struct option_command *command;
    int argc;
    char **argv;
    int at; /* the argument that is looked at */
};

static bool find(const struct option_command *command, const char *name, size_t length, struct found *found)
{
    for (unsigned i = 0; i < command->group_count; i++) {
        for (const struct option *option = command->groups[i].options; option->name != NULL; option++) {
            bool same = length == 1
                            ? option->letter == *name
                            : strlen(option->name) == length && memcmp(option->name, name, length) == 0;
            if (same) {
                *found = (struct found){option, command->groups[i].target};
                return true;
            }
        }
    }
    return false;
}

/* The value of an option: what is joined to it, else the next argument. */
static int store_with_value(struct parser *parser, const struct found *found, const char *joined)
{
    if (joined == NULL && found->option->kind != OPTION_FLAG) {
        if (parser->at + 1 >= parser->argc) {
            return tool_usage("--%s: a value is missing: %s", found->option->name, found->option->value);
        }
        joined = parser->argv[++parser->at];
    }
    return store(found, joined);
}

static int parse_long(struct parser *parser, const char *text)
{
    size_t length = strcspn(text, "=");
    const char *joined = text[length] == '=' ? text + length + 1 : NULL;
    struct found found;
    if (strcmp(text, "help") == 0) {
        print_help(parser->command);
        return tool_finish(TOOL_OK);
    }
    if (length < 2 || !find(parser->command, text, length, &found)) {
        return tool_usage("unknown option '--%.*s': see 'estab %s --help'", (int)length, text,
                          parser->command->name);
    }
    if (joined != NULL && found.option->kind == OPTION_FLAG) {
        return tool_usage("--%s takes no value, '%s' was given", found.option->name, joined);
    }
    return store_with_value(parser, &found, joined);
}

static int parse_letters(struct parser *parser, const char *letters)
{
    for (; *letters != 0; letters++) {
        struct found found;
        if (*letters == 'h') {
            print_help(parser->command);
            return tool_finish(TOOL_OK);
        }
        if (!find(parser->command, letters, 1, &found)) {
            return tool_usage("unknown option '-%c': see 'estab %s --help'", *letters, parser->command->name);
        }
        if (found.option->kind != OPTION_FLAG) {
            return store_with_value(parser, &found, letters[1] != 0 ? letters + 1 : NULL);
        }
        store(&found, NULL);
    }
    return OPTIONS_GO_ON;
}

int options_parse(const struct option_command *command, int argc, char **argv,
                  struct option_arguments *arguments)
{
    struct parser parser = {command, argc, argv, 1};
    bool ended = false;
    arguments->values = argv + 1;
    arguments->count = 0;
    for (; parser.at < argc; parser.at++) {
        char *text = argv[parser.at];
        int code = OPTIONS_GO_ON;
        if (ended || text[0] != '-' || text[1] == 0) {
            arguments->values[arguments->count++] = text;
        } else if (strcmp(text, "--") == 0) {
            ended = true;
        } else {
            code = text[1] == '-' ? parse_long(&parser, text + 2) : parse_letters(&parser, text + 1);
        }
        if (code != OPTIONS_GO_ON) {
            return code;
        }
    }
    if (arguments->count > command->most) {
        return tool_usage("'%s' is one argument too many: see 'estab %s --help'",
                          arguments->values[command->most], command->name);
    }
    if (arguments->count < command->least) {
        return tool_usage("an argument is missing: estab %s [options] %s", command->name, command->arguments);
    }
    return OPTIONS_GO_ON;
}
