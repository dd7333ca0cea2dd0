/*
 * The command line tool `estab`: a table of sub-commands, and nothing else. Each stands in a file of its own
 * and is handed its arguments; see tool.h for what they share.
 */
#include "tool.h"

#include "estab/estab.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    {"demo", demo_main, "a TCP's whole life against the kernel's, told segment by segment"},
    {"serve", serve_main, "serve the files of a directory over HTTP"},
    {"fetch", fetch_main, "fetch a file over HTTP"},
    {"nc", nc_main, "connect standard input and output with a TCP connection"},
    {"script", script_main, "run packet scripts in virtual time"},
    {"states", states_main, "print or draw the state machine"},
    {"bench", bench_main, "measure the stack in memory"},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static int print_help(void)
{
    printf("Usage: estab COMMAND [options] [arguments]\n\n"
           "TCP as a library (RFC 9293): programs that stand on it.\n\n"
           "Commands:\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        printf("  %-10s%s\n", commands[i].name, commands[i].summary);
    }
    printf("\nOptions:\n"
           "  -h, --help     print this and end; `estab COMMAND --help` tells about a command\n"
           "  -V, --version  print the version and end\n\n"
           "Exit codes: 0 done, 2 wrong usage, 1 anything else; `estab fetch` has those of curl.\n\n"
           "Example:\n"
           "  estab serve --dev tun:estab0 --addr 10.9.0.2/24,fd09::2/64 --port 80 /srv/www\n");
    return TOOL_OK;
}

static int print_version(void)
{
    printf("estab %s\n", estab_version());
    return TOOL_OK;
}

static int run(int argc, char **argv)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[0], commands[i].name) == 0) {
            tool_set_name(argv[0]);
            return commands[i].run(argc, argv);
        }
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "help") == 0) {
        return print_help();
    }
    if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0) {
        return print_version();
    }
    return tool_usage("unknown command '%s': see 'estab --help'", argv[0]);
}

int main(int argc, char **argv)
{
    /* A closed pipe is an error that is told in a line (tool_finish()), not a silent end. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        return tool_usage(
            "a command is missing: demo, serve, fetch, nc, script, states or bench; see 'estab --help'");
    }
    return tool_finish(run(argc - 1, argv + 1));
}
