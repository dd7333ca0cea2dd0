/*
 * `estab demo`: a TCP's whole life against one that we did not write, the kernel's, told segment by segment
 * (RFC 9293). Each scene is a small function over the frame of demo.h; here stand the options, the order of
 * the scenes, and the end: which arrows of Figure 5 were taken.
 *
 * Where no namespace or TUN device can be had, the same lives are played between two stacks in memory.
 */
#include "demo_print.h"
#include "json.h"
#include "options.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct settings {
    bool memory;
    bool json;
    const char *capture;
};

struct group {
    const char *heading;
    const struct scene_info *scenes;
};

static const struct group groups[] = {
    {"Refused", demo_refused_scenes}, {"Opening", demo_open_scenes},        {"Closing", demo_close_scenes},
    {"Trouble", demo_trouble_scenes}, {"TIME-WAIT", demo_time_wait_scenes},
};

static void play_scenes(struct demo *demo)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        print_heading(demo, groups[i].heading);
        for (const struct scene_info *info = groups[i].scenes; info->name != NULL; info++) {
            scene_run(demo, info, demo->kernel, false);
            scene_run(demo, info, demo->kernel, true);
            if (demo->kernel && info->memory_too) {
                scene_run(demo, info, false, false);
            }
        }
    }
}

static void tell_end(const struct demo *demo, bool good)
{
    unsigned taken = figure_taken(&demo->figure);
    unsigned missing = figure_arrows() - taken;
    if (demo->json) {
        figure_print_json(&demo->figure);
        json_begin(stdout);
        json_text(stdout, "demo", good ? "ok" : "failed");
        json_unsigned(stdout, "arrows_taken", taken);
        json_unsigned(stdout, "arrows_missing", missing);
        if (!good) {
            json_unsigned(stdout, "checks_failed", demo->failed);
        }
        json_end(stdout);
        return;
    }
    print_heading(demo, "The end");
    figure_print(&demo->figure);
    printf("%u scenes, %u checks, %u of them did not hold; %u of %u arrows of Figure 5 taken (notes 1 and 2 "
           "among them).\n",
           demo->scenes, demo->checks, demo->failed, taken, figure_arrows());
}

void demo_capture_failed(struct demo *demo, const char *why)
{
    if (demo->capture >= 0) {
        tool_error("%s: %s: the capture is not complete", demo->capture_path, why);
        close(demo->capture);
    }
    demo->capture = -1;
    demo->capture_failed = true;
}

/* What is left once it is known whether the kernel is there. Returns the exit code. */
static int play(struct demo *demo)
{
    if (demo->kernel) {
        print_heading(demo, "Programs: 256 MiB each way, half-close");
        demo_transfers(demo);
    }
    play_scenes(demo);
    if (ferror(stdout) != 0) {
        return tool_finish(TOOL_OK); /* that is what failed, and it says so */
    }
    bool good = demo->failed == 0 && figure_taken(&demo->figure) == figure_arrows();
    tell_end(demo, good);
    return tool_finish(good && !demo->capture_failed ? TOOL_OK : TOOL_FAILED);
}

static void say_memory(struct demo *demo, const char *why)
{
    if (demo->json) {
        json_begin(stdout);
        json_text(stdout, "demo", "memory");
        json_text(stdout, "why", why);
        json_end(stdout);
    } else {
        printf("Not against the kernel (%s): the same lives between two stacks in memory.\n", why);
    }
    tool_flush();
}

/* The first of the programs we need that is not there, with the package that has it; NULL = all are. */
static const char *missing_program(const char **package)
{
    static const char *const needed[][2] = {
        {"curl", "curl"}, {"nc", "netcat-openbsd"}, {"python3", "python3"}, {"sha256sum", "coreutils"}};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        *package = needed[i][1];
        if (!program_exists(needed[i][0])) {
            return needed[i][0];
        }
    }
    return NULL;
}

/* In the namespace. */
static int play_in_space(struct demo *demo)
{
    char error[256];
    const char *package;
    const char *missing = missing_program(&package);
    if (missing != NULL) {
        return tool_fail("%s is missing (apt-get install %s); --memory does without", missing, package);
    }
    demo->kernel = space_prepare(demo, error, sizeof error);
    if (!demo->kernel) {
        say_memory(demo, error);
    } else if (!demo->json) {
        printf(
            "A network namespace of its own with the TUN device " DEMO_DEVICE ": estab has 10.9.0.2 and "
            "fd09::2, the kernel 10.9.0.1 and fd09::1.\n"
            "Its states are those that were seen between segments. SEQ and ACK are relative, WND is scaled.\n"
            "Times are shortened against the kernel: MSL %.1f s (%.1f s in the scenes of TIME-WAIT), first "
            "RTO %.2f s.\n",
            (double)DEMO_MSL / 1e9, (double)DEMO_MSL_TIME_WAIT / 1e9, (double)DEMO_RTO / 1e9);
    }
    return play(demo);
}

static int run(struct demo *demo, bool memory)
{
    char error[256];
    tool_flush();
    if (!memory) {
        int code = space_run(play_in_space, demo, error, sizeof error);
        if (code >= 0) {
            return code;
        }
    }
    say_memory(demo, memory ? "--memory" : error);
    return play(demo);
}

int demo_main(int argc, char **argv)
{
    static const struct option table[] = {
        {"memory", 0, OPTION_FLAG, NULL, "between two stacks in memory, not against the kernel",
         offsetof(struct settings, memory), 0, 0},
        {"write", 'w', OPTION_TEXT, "FILE.pcapng",
         "write all packets with state and reason, a section a scene", offsetof(struct settings, capture), 0,
         0},
        {"json", 0, OPTION_FLAG, NULL, "the same as JSON, an object a line", offsetof(struct settings, json),
         0, 0},
        {.name = NULL},
    };
    struct settings settings = {0};
    struct option_group group = {"Options", table, &settings};
    struct option_command command = {
        .name = "demo",
        .arguments = "",
        .summary = "Shows the whole life of TCP connections against the kernel's TCP, in a network namespace "
                   "of its own\n"
                   "that ends with it (root), or between two stacks in memory: each scene with its segments, "
                   "the states of\n"
                   "both ends and what was expected; at the end the arrows of RFC 9293 Figure 5 that were "
                   "taken.\n"
                   "Takes under a minute; exit code 0 only if everything was as expected.",
        .example = "sudo estab demo\nestab demo --memory --json | tail -n 1",
        .groups = &group,
        .group_count = 1,
    };
    struct option_arguments arguments;
    static struct demo demo = {.capture = -1, .directory = -1};
    int code = options_parse(&command, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    demo.json = settings.json;
    if (settings.capture != NULL && strcmp(settings.capture, "-") == 0) {
        return tool_usage("-w: standard output is taken; name a file");
    }
    demo.capture_path = settings.capture;
    if (settings.capture != NULL) {
        demo.capture = open(settings.capture, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (demo.capture < 0) {
            return tool_fail("%s: %s", settings.capture, strerror(errno));
        }
    }
    return run(&demo, settings.memory);
}
