/*
 * What all sub-commands of `estab` share: exit codes, the one line that an error is, standard output that may
 * be closed or full, and the signals that end a loop.
 *
 * A sub-command is `int NAME_main(int argc, char **argv)`: argv[0] is its name, the result is the exit code.
 */
#ifndef ESTAB_TOOLS_TOOL_H
#define ESTAB_TOOLS_TOOL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

enum tool_exit { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

/* The sub-command that lines of tool_error() begin with: "estab NAME: ..."; NULL = none, "estab: ...". */
void tool_set_name(const char *name);

/* One line to standard error. */
void tool_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same; returns the exit code. */
int tool_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int tool_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Flushes standard output, so that a reader of a pipe sees it at once; what fails is told by tool_finish().
 */
void tool_flush(void);

/*
 * Flushes standard output. Returns `code`, or TOOL_FAILED with a line where `code` is TOOL_OK and not all
 * that was printed has arrived (disk full, pipe closed).
 */
int tool_finish(int code);

/*
 * From now on SIGINT and SIGTERM set tool_interrupted() instead of ending the process. They are blocked; the
 * returned mask lets them through while a loop waits (struct host's `signals`).
 */
const sigset_t *tool_catch_interrupts(void);

/* Whether one of them came in. */
bool tool_interrupted(void);

int serve_main(int argc, char **argv);
int fetch_main(int argc, char **argv);
int nc_main(int argc, char **argv);
int script_main(int argc, char **argv);
int states_main(int argc, char **argv);
int bench_main(int argc, char **argv);
int demo_main(int argc, char **argv);

#endif
