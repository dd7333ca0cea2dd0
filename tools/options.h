/*
 * Options of a sub-command, declared as tables: the parser, the --help text and the error lines all come from
 * them.
 *
 *     static const struct option table[] = {
 *         {"port", 'p', OPTION_NUMBER, "PORT", "listen on PORT (default 8080)", offsetof(struct settings,
 * port), 1, 65535},
 *         {.name = NULL}};
 *     struct option_group groups[] = {{"Options", table, &settings}};
 *     struct option_command command = {.name = "serve", .groups = groups, .group_count = 1, ...};
 *     int code = options_parse(&command, argc, argv, &arguments);
 *     if (code != OPTIONS_GO_ON) return code;
 *
 * Long options take their value as `--port 80` or `--port=80`, letters as `-p 80` or `-p80`; letters without
 * a value may be joined (`-lk`). `--` ends the options, `-` alone is an argument. --help and -h are always
 * there.
 */
#ifndef ESTAB_TOOLS_OPTIONS_H
#define ESTAB_TOOLS_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

/* What stands at the offset. */
enum option_kind {
    OPTION_FLAG,   /* bool: no value, set to true */
    OPTION_TEXT,   /* const char * */
    OPTION_NUMBER, /* uint32_t from low to high */
    OPTION_BYTES,  /* size_t from low to high, with K, M or G for powers of 1024 */
    OPTION_SECONDS /* uint64_t nanoseconds, given in seconds with decimals, from low to high nanoseconds */
};

struct option {
    const char *name; /* long name without its dashes; NULL ends the table */
    char letter;      /* 0 = none */
    enum option_kind kind;
    const char *value;  /* what the value is called; NULL for a flag */
    const char *help;   /* one line, or several with newlines */
    size_t offset;      /* into the group's target */
    uint64_t low, high; /* high 0 = no bound */
};

struct option_group {
    const char *title;
    const struct option *options;
    void *target; /* preset with the defaults */
};

struct option_command {
    const char *name;      /* "serve" */
    const char *arguments; /* "DIRECTORY"; "" = none */
    const char *summary;
    const char *example; /* lines */
    const struct option_group *groups;
    unsigned group_count;
    unsigned least, most; /* how many arguments */
};

/* The arguments that are not options, in order. */
struct option_arguments {
    char **values;
    unsigned count;
};

#define OPTIONS_GO_ON (-1)

/* OPTIONS_GO_ON, or the exit code: help was printed (0) or the line of an error (2). Moves the entries of
 * argv. */
int options_parse(const struct option_command *command, int argc, char **argv,
                  struct option_arguments *arguments);

#endif
