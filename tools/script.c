/*
 * `estab script`: packet scripts in packetdrill's language against the stack in virtual time. Here stand only
 * the options; script/ reads and runs the scripts.
 */
#include "tools/options.h"
#include "tools/script/tree.h"
#include "tools/tool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Options of packetdrill's that a command line may give too: values, then flags. */
enum { VALUES = 11, FLAGS = 3 };

struct arguments {
    bool json, verbose, allow_unparsed, unmatched_ok;
    const char *junit;
    const char *deviations;
    uint32_t jobs;
    uint64_t timeout_ns;
    const char *define;
    const char *value[VALUES];
    bool flag[FLAGS];
};

#define OWN(field)   offsetof(struct arguments, field)
#define VALUE(index) (offsetof(struct arguments, value) + (index) * sizeof(const char *))
#define FLAG(index)  (offsetof(struct arguments, flag) + (index) * sizeof(bool))

static const struct option own_options[] = {
    {"json", 0, OPTION_FLAG, NULL, "an object a script and one with the totals, a line each", OWN(json), 0,
     0},
    {"junit", 0, OPTION_TEXT, "FILE", "write the results to FILE as JUnit's XML", OWN(junit), 0, 0},
    {"verbose", 'v', OPTION_FLAG, NULL, "also notes, and packets and state of scripts that pass",
     OWN(verbose), 0, 0},
    {"jobs", 'j', OPTION_NUMBER, "N", "run N scripts at once (default: one a processor)", OWN(jobs), 1, 256},
    {"timeout", 0, OPTION_SECONDS, "SECONDS", "end a script that takes longer; it fails (default 60)",
     OWN(timeout_ns), 100000000, UINT64_C(86400000000000)},
    {"deviations", 0, OPTION_TEXT, "FILE",
     "a table of choices: a failing script that its column `scripts` names is\ndeviating, not failed",
     OWN(deviations), 0, 0},
    {"unmatched-ok", 0, OPTION_FLAG, NULL,
     "packets sent behind the last one that a script expects do not fail it, as in\npacketdrill",
     OWN(unmatched_ok), 0, 0},
    {"allow-unparsed", 0, OPTION_FLAG, NULL, "scripts that cannot be read do not fail the run",
     OWN(allow_unparsed), 0, 0},
    {.name = NULL},
};

static const struct option script_options[] = {
    {"ip_version", 0, OPTION_TEXT, "VERSION", "ipv4, ipv6 or ipv4-mapped-ipv6", VALUE(0), 0, 0},
    {"local_ip", 0, OPTION_TEXT, "ADDRESS", "of the stack (default 192.168.0.2, fd3d:fa7b:d17d::2)", VALUE(1),
     0, 0},
    {"remote_ip", 0, OPTION_TEXT, "ADDRESS", "of its peer (default 192.0.2.1, 2001:db8::1)", VALUE(2), 0, 0},
    {"bind_port", 0, OPTION_TEXT, "PORT", "for bind() (default 8080)", VALUE(3), 0, 0},
    {"connect_port", 0, OPTION_TEXT, "PORT", "for connect() (default 8080)", VALUE(4), 0, 0},
    {"tolerance_usecs", 0, OPTION_TEXT, "N", "how far times may be off (default 4000)", VALUE(5), 0, 0},
    {"tolerance_percent", 0, OPTION_TEXT, "N", "the same, of the time since the event before (default 0)",
     VALUE(6), 0, 0},
    {"mtu", 0, OPTION_TEXT, "BYTES", "of the interface (default 1500)", VALUE(7), 0, 0},
    {"mss", 0, OPTION_TEXT, "BYTES", "text above it comes in as merged segments of that size", VALUE(8), 0,
     0},
    {"non_fatal", 0, OPTION_TEXT, "KINDS", "packet, syscall: what may differ with a warning only", VALUE(9),
     0, 0},
    {"tcp_ts_tick_usecs", 0, OPTION_TEXT, "N", "compare TS val, a tick of which is N us (default 0: not)",
     VALUE(10), 0, 0},
    {"strict_segments", 0, OPTION_FLAG, NULL, "smaller segments do not make up a larger one of the script",
     FLAG(0), 0, 0},
    {"tcp_ts_ecr_scaled", 0, OPTION_FLAG, NULL, "TS ecr of no known TS val counts from the first one",
     FLAG(1), 0, 0},
    {"is_anyip", 0, OPTION_FLAG, NULL, "every address is the stack's", FLAG(2), 0, 0},
    {"define", 'D', OPTION_TEXT, "NAME=VALUE", "what a word in calls stands for; may be repeated",
     OWN(define), 0, 0},
    {.name = NULL},
};

static const char *const value_names[VALUES] = {
    "ip_version",        "local_ip", "remote_ip", "bind_port", "connect_port",     "tolerance_usecs",
    "tolerance_percent", "mtu",      "mss",       "non_fatal", "tcp_ts_tick_usecs"};
static const char *const flag_names[FLAGS] = {"strict_segments", "tcp_ts_ecr_scaled", "is_anyip"};

/* Every --define of the command line; the parser of options keeps the last one only. */
static unsigned find_defines(int argc, char **argv, const char **defines)
{
    unsigned count = 0;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if ((strcmp(argv[i], "--define") == 0 || strcmp(argv[i], "-D") == 0) && i + 1 < argc) {
            defines[count++] = argv[++i];
        } else if (strncmp(argv[i], "--define=", 9) == 0) {
            defines[count++] = argv[i] + 9;
        } else if (strncmp(argv[i], "-D", 2) == 0) {
            defines[count++] = argv[i] + 2;
        }
    }
    return count;
}

/* Name, value, ... NULL of what was given. False: one cannot be, a line was told. */
static bool list_overrides(const struct arguments *arguments, const char **pairs)
{
    struct settings scratch;
    unsigned count = 0;
    settings_init(&scratch);
    for (unsigned i = 0; i < VALUES; i++) {
        const char *value = arguments->value[i];
        if (value == NULL) {
            continue;
        }
        if (settings_set(&scratch, value_names[i], value) != SETTING_TAKEN) {
            tool_error("--%s: '%s' is not %s", value_names[i], value, settings_wants(value_names[i]));
            return false;
        }
        pairs[count++] = value_names[i];
        pairs[count++] = value;
    }
    for (unsigned i = 0; i < FLAGS; i++) {
        if (arguments->flag[i]) {
            pairs[count++] = flag_names[i];
            pairs[count++] = "";
        }
    }
    pairs[count] = NULL;
    return true;
}

static bool check_defines(const char *const *defines, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (strchr(defines[i], '=') == NULL || defines[i][0] == '=') {
            tool_error("--define: '%s' is not NAME=VALUE", defines[i]);
            return false;
        }
    }
    return true;
}

static int run_with(struct tree_options *options, const char *deviations_path, struct option_arguments *given)
{
    struct tree_paths paths = {0};
    struct deviations *deviations = NULL;
    int code = TOOL_USAGE;
    if (deviations_path != NULL && (deviations = deviations_read(deviations_path)) == NULL) {
        return code;
    }
    options->deviations = deviations;
    options->deviations_path = deviations_path;
    if (tree_find(&paths, given->values, given->count)) {
        code = tree_run(&paths, options);
    }
    tree_free(&paths);
    deviations_free(deviations);
    return code;
}

static int run_scripts(const struct arguments *arguments, const struct script_settings *reading,
                       struct option_arguments *given)
{
    const char *overrides[2 * (VALUES + FLAGS) + 1];
    if (!list_overrides(arguments, overrides) || !check_defines(reading->defines, reading->define_count)) {
        return TOOL_USAGE;
    }
    struct tree_options options = {
        .run = {.reading = reading,
                .overrides = overrides,
                .verbose = arguments->verbose,
                .unmatched_ok = arguments->unmatched_ok},
        .jobs = arguments->jobs,
        .timeout_ns = arguments->timeout_ns,
        .json = arguments->json,
        .junit = arguments->junit,
        .allow_unparsed = arguments->allow_unparsed,
    };
    return run_with(&options, arguments->deviations, given);
}

static const char summary[] =
    "Runs packet scripts in packetdrill's language against the stack in virtual time: each PATH is a\n"
    "script, or a folder whose *.pkt are run. Every run of a script gives the same result. Nothing of this\n"
    "machine is used: sysctls that a script's commands set become our config where we have the like, other\n"
    "commands are passed over (--verbose names them), files that it opens are zeros. python3 runs where a\n"
    "script has code.\n"
    "\n"
    "A packet that differs, comes at another time, is missing, or was sent before the last event without\n"
    "being expected fails a script. Exit codes: 0 nothing failed; 1 a script failed, or one of several\n"
    "could not be read; 2 wrong usage, or the only script could not be read.";

int script_main(int argc, char **argv)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct arguments arguments = {
        .jobs = processors > 0 ? (uint32_t)processors : 1,
        .timeout_ns = UINT64_C(60000000000),
    };
    struct option_group groups[] = {
        {"Options", own_options, &arguments},
        {"Options of scripts, for every script; they win over what it says itself", script_options,
         &arguments},
    };
    struct option_command command = {
        .name = "script",
        .arguments = "PATH...",
        .summary = summary,
        .example = "estab script tests/script\n"
                   "estab script --json --deviations docs/deviations.tsv scripts > results.json\n"
                   "estab script -v --ip_version=ipv6 three-way-handshake.pkt",
        .groups = groups,
        .group_count = sizeof groups / sizeof groups[0],
        .least = 1,
        .most = UINT32_MAX,
    };
    const char **defines = calloc((size_t)argc + 1, sizeof *defines);
    struct option_arguments given;
    if (defines == NULL) {
        return tool_fail("no memory");
    }
    struct script_settings reading = {.defines = defines, .define_count = find_defines(argc, argv, defines)};
    int code = options_parse(&command, argc, argv, &given);
    if (code == OPTIONS_GO_ON) {
        const char *version = arguments.value[0];
        reading.ip_version = version == NULL ? 0 : strcmp(version, "ipv6") == 0 ? 6 : 4;
        code = run_scripts(&arguments, &reading, &given);
    }
    free(defines);
    return code;
}
