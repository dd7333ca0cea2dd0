/*
 * The command line of the two-endpoint exploration; see explore.h.
 *
 *     explore               the quick scenarios (what ctest runs)
 *     explore --full        all of them
 *     explore NAME...       these
 *     explore --list
 *     explore --self-test   plants faults in the harness and expects each of them to be found
 *
 * Exits with 1 after a violation, after a scenario that was not explored to its end, and where an arrow of
 * RFC 9293 Figure 5 was taken in none of the quick scenarios; with 2 for a wrong command line.
 */
#include <stdio.h>
#include <string.h>

#include "estab/estab.h"
#include "explore/explore.h"

enum { MOST_WORLDS = 16 * 1000 * 1000 };

static struct result run(const struct scenario *scenario, const char *plant)
{
    struct result result;
    explore(scenario, MOST_WORLDS, plant, plant != NULL, &result);
    return result;
}

static void print_result(const struct scenario *scenario, const struct result *r)
{
    printf("explore %s: states %lu, transitions %lu, depth %u, violations %u%s\n", scenario->name, r->states,
           r->transitions, r->depth, r->violations, r->cut ? ", not explored to its end" : "");
    printf("    sides: states %u and %u, steps of the core %u and %u, packets %u\n", r->side_states[0],
           r->side_states[1], r->side_steps[0], r->side_steps[1], r->packets);
    fflush(stdout);
}

/* What all scenarios of a run come to. */
struct sum {
    unsigned long states, transitions;
    unsigned violations, cut;
    uint64_t arrows;
};

static void add(struct sum *sum, const struct scenario *scenario)
{
    struct result r = run(scenario, NULL);
    print_result(scenario, &r);
    sum->states += r.states;
    sum->transitions += r.transitions;
    sum->violations += r.violations;
    sum->cut += r.cut;
    sum->arrows |= r.arrows;
}

/* Prints the arrows that nobody took; returns how many of Figure 5 are among them. */
static unsigned print_arrows(const struct sum *sum)
{
    struct estab_transition arrow;
    unsigned total = 0;
    unsigned taken = 0;
    unsigned missing = 0;
    for (; estab_transition(total, &arrow); total++) {
        bool was = (sum->arrows >> total & 1) != 0;
        taken += was;
        if (!was) {
            printf("    not taken: %s --%s--> %s%s\n", estab_state_name(arrow.from), arrow.event,
                   estab_state_name(arrow.to), arrow.in_figure ? " (Figure 5)" : "");
            missing += arrow.in_figure;
        }
    }
    printf("explore: states %lu, transitions %lu, arrows %u of %u, violations %u\n", sum->states,
           sum->transitions, taken, total, sum->violations);
    return missing;
}

static int run_all(bool full)
{
    struct sum sum = {0};
    for (unsigned i = 0; i < scenario_count; i++) {
        if (full || scenarios[i].quick) {
            add(&sum, &scenarios[i]);
        }
    }
    unsigned missing = print_arrows(&sum);
    return sum.violations > 0 || sum.cut > 0 || missing > 0;
}

static const struct scenario *scenario_named(const char *name)
{
    for (unsigned i = 0; i < scenario_count; i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return &scenarios[i];
        }
    }
    return NULL;
}

static int run_named(char **names)
{
    struct sum sum = {0};
    for (; *names != NULL; names++) {
        const struct scenario *scenario = scenario_named(*names);
        if (scenario == NULL) {
            fprintf(stderr, "explore: %s: no such scenario (--list shows them)\n", *names);
            return 2;
        }
        add(&sum, scenario);
    }
    return sum.violations > 0 || sum.cut > 0;
}

/* Faults of the harness that stand for faults of the core, where one would show them. */
static int self_test(void)
{
    static const struct {
        const char *plant, *scenario, *what;
    } plants[] = {
        {"altered", "active-passive", "a byte is changed on its way"},
        {"lost-byte", "stream", "a byte that was read is forgotten"},
        {"uncounted", "active-passive", "a byte arrives that nobody sent"},
        {"deaf", "open-close", "timers never fire"},
        {"unread", "small-window", "the reader never reads"},
    };
    int missed = 0;
    for (unsigned i = 0; i < sizeof plants / sizeof plants[0]; i++) {
        struct result r = run(scenario_named(plants[i].scenario), plants[i].plant);
        printf("self-test: %s: %s\n", plants[i].what, r.violations > 0 ? "found" : "NOT FOUND");
        missed += r.violations == 0;
    }
    return missed > 0;
}

static int list(void)
{
    for (unsigned i = 0; i < scenario_count; i++) {
        printf("%-22s %s%s\n", scenarios[i].name, scenarios[i].about, scenarios[i].quick ? "" : " (full)");
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *option = argc > 1 ? argv[1] : "";
    if (option[0] != '-') {
        return argc > 1 ? run_named(argv + 1) : run_all(false);
    }
    if (strcmp(option, "--full") == 0) {
        return run_all(true);
    }
    if (strcmp(option, "--self-test") == 0) {
        return self_test();
    }
    if (strcmp(option, "--list") == 0) {
        return list();
    }
    fprintf(stderr, "explore: %s: no such option: --full, --self-test, --list or names of scenarios\n",
            option);
    return 2;
}
