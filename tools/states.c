/*
 * `estab states`: the state machine as the library has it. Everything printed comes from estab_transition()
 * and estab_state_notes(); nothing about TCP is known here.
 */
#include "states.h"
#include "json.h"
#include "options.h"
#include "tool.h"

#include "estab/estab.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LINE_WIDTH  108
#define NOTE_INDENT 20
#define EVERY_STATE ESTAB_STATE_COUNT

struct settings {
    bool mermaid;
    bool dot;
    bool svg;
    bool json;
    bool all;
};

/* "  may be called     OPEN, SEND ...", broken between words. */
static void print_note(const char *title, const char *text)
{
    int column = printf("  %-*s", NOTE_INDENT - 3, title);
    while (*text != 0) {
        int length = (int)strcspn(text, " ");
        if (column + 1 + length > LINE_WIDTH && column >= NOTE_INDENT) {
            column = printf("\n%*s", NOTE_INDENT - 1, "") - 1;
        }
        column += printf(" %.*s", length, text);
        text += length + (text[length] != 0);
    }
    putchar('\n');
}

static void print_arrows(unsigned state)
{
    struct estab_transition arrow;
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (arrow.from == state) {
            printf("    %-24s -> %-14s %-8s %s\n", arrow.event, estab_state_name(arrow.to),
                   arrow.in_figure ? "figure" : "", arrow.section);
        }
    }
}

static void print_state(unsigned state)
{
    struct estab_state_notes notes = estab_state_notes(state);
    printf("%s\n", estab_state_name(state));
    print_note("may be called", notes.calls);
    print_note("may arrive", notes.segments);
    print_note("timers", notes.timers);
    print_arrows(state);
}

static void print_text(void)
{
    printf("The states of TCP (RFC 9293 3.3.2) and what leads out of each. `figure`: the arrow is drawn in "
           "Figure 5;\n"
           "the others are in the text. At the end of a line: the section that says so.\n");
    for (unsigned state = 0; state < ESTAB_STATE_COUNT; state++) {
        putchar('\n');
        print_state(state);
    }
}

/* `only`: a state, or EVERY_STATE. */
static void print_json(unsigned only)
{
    struct estab_transition arrow;
    for (unsigned state = 0; state < ESTAB_STATE_COUNT; state++) {
        struct estab_state_notes notes = estab_state_notes(state);
        if (only != EVERY_STATE && only != state) {
            continue;
        }
        json_begin(stdout);
        json_text(stdout, "state", estab_state_name(state));
        json_text(stdout, "calls", notes.calls);
        json_text(stdout, "segments", notes.segments);
        json_text(stdout, "timers", notes.timers);
        json_end(stdout);
    }
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (only != EVERY_STATE && only != arrow.from) {
            continue;
        }
        json_begin(stdout);
        json_unsigned(stdout, "arrow", i);
        json_text(stdout, "from", estab_state_name(arrow.from));
        json_text(stdout, "event", arrow.event);
        json_text(stdout, "event_id", arrow.event_id);
        json_text(stdout, "to", estab_state_name(arrow.to));
        json_bool(stdout, "in_figure", arrow.in_figure);
        json_text(stdout, "section", arrow.section);
        json_end(stdout);
    }
}

/* "syn-sent" is SYN-SENT. */
static unsigned state_named(const char *name)
{
    unsigned state = 0;
    while (state < ESTAB_STATE_COUNT && strcasecmp(name, estab_state_name(state)) != 0) {
        state++;
    }
    return state;
}

static int refuse_name(const char *name)
{
    char names[256] = "";
    for (unsigned state = 0; state < ESTAB_STATE_COUNT; state++) {
        size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", state > 0 ? " " : "",
                 estab_state_name(state));
    }
    return tool_usage("'%.40s' is no state; there are %s", name, names);
}

static int print_states(const struct settings *settings, const char *name)
{
    unsigned only = name == NULL ? EVERY_STATE : state_named(name);
    if (name != NULL && only == ESTAB_STATE_COUNT) {
        return refuse_name(name);
    }
    if (name != NULL && (settings->mermaid || settings->dot || settings->svg)) {
        return tool_usage("a drawing has all states: --mermaid, --dot and --svg go without '%s'", name);
    }
    if (settings->mermaid + settings->dot + settings->svg + settings->json > 1) {
        return tool_usage("only one of --mermaid, --dot, --svg and --json at a time");
    }
    if (settings->all && !settings->mermaid && !settings->dot) {
        return tool_usage("--all goes with --mermaid or --dot (the table and --json have all arrows anyway)");
    }
    if (settings->mermaid) {
        states_draw_mermaid(settings->all);
    } else if (settings->dot) {
        states_draw_dot(settings->all);
    } else if (settings->svg) {
        return states_draw_svg() ? TOOL_OK : TOOL_FAILED;
    } else if (settings->json) {
        print_json(only);
    } else if (name != NULL) {
        print_state(only);
    } else {
        print_text();
    }
    return TOOL_OK;
}

int states_main(int argc, char **argv)
{
    static const struct option table[] = {
        {"mermaid", 0, OPTION_FLAG, NULL, "draw it for Mermaid", offsetof(struct settings, mermaid), 0, 0},
        {"dot", 0, OPTION_FLAG, NULL, "draw it for Graphviz", offsetof(struct settings, dot), 0, 0},
        {"svg", 0, OPTION_FLAG, NULL, "draw it as SVG, laid out as RFC 9293 Figure 5 is",
         offsetof(struct settings, svg), 0, 0},
        {"json", 0, OPTION_FLAG, NULL, "states and arrows as JSON, an object a line",
         offsetof(struct settings, json), 0, 0},
        {"all", 0, OPTION_FLAG, NULL, "draw also the arrows that Figure 5 leaves out",
         offsetof(struct settings, all), 0, 0},
        {.name = NULL},
    };
    struct settings settings = {0};
    struct option_group group = {"Options", table, &settings};
    struct option_command command = {
        .name = "states",
        .arguments = "[STATE]",
        .most = 1,
        .summary =
            "Prints, for each state or the one named, what may be called, what may arrive, which timers\n"
            "run and the arrows that leave it; or draws the state machine.",
        .example = "estab states\nestab states ESTABLISHED\nestab states --svg > state-machine.svg",
        .groups = &group,
        .group_count = 1,
    };
    struct option_arguments arguments;
    int code = options_parse(&command, argc, argv, &arguments);
    return code == OPTIONS_GO_ON ? print_states(&settings, arguments.count == 1 ? arguments.values[0] : NULL)
                                 : code;
}
