/*
 * Many scripts: found under folders, each run in a process of its own so that one that crashes or does not
 * end is a failure of its own, several at once, and told in their order: for humans, as JSON, as JUnit's XML.
 */
#ifndef TOOLS_SCRIPT_TREE_H
#define TOOLS_SCRIPT_TREE_H

#include "deviations.h"
#include "run.h"

struct tree_options {
    struct run_options run;
    uint32_t jobs;
    uint64_t timeout_ns; /* for one script, by the wall's clock */
    bool json;
    const char *junit;                   /* a file to write; NULL */
    const struct deviations *deviations; /* NULL */
    const char *deviations_path;
    bool allow_unparsed;
};

/* What one script came to. */
struct tree_result {
    const char *path;
    struct outcome outcome;
    const char *deviation; /* the id that names it; NULL */
    double seconds;
    char *report; /* what a human reads; ends with a newline unless it is empty */
};

/* The files named, and the *.pkt below the folders named, sorted. False: a line was told. */
struct tree_paths {
    char **paths;
    unsigned count, room;
};
bool tree_find(struct tree_paths *found, char **arguments, unsigned count);
void tree_free(struct tree_paths *found);

/* Runs them all; returns the exit code. */
int tree_run(const struct tree_paths *scripts, const struct tree_options *options);

/* What the end says. */
struct tree_totals {
    unsigned passed, failed, deviating, unparsed;
    double seconds;
};

/* tree_print.c */
void tree_print_result(const struct tree_options *options, const struct tree_result *result, bool alone);
void tree_print_totals(const struct tree_options *options, const struct tree_totals *totals, bool alone);
/* Returns false with a line where the file cannot be written. */
bool tree_write_junit(const char *path, const struct tree_result *results, unsigned count,
                      const struct tree_totals *totals);

#endif
