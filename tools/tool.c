/*
 * What all sub-commands of `estab` share: the one line that an error is, standard output that may be closed
 * or full, and the signals that end a loop. The name and the flag are the process's own, as its arguments and
 * signals are.
 */
#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *tool_name;
static int output_error;
static volatile sig_atomic_t interrupts;

void tool_set_name(const char *name)
{
    tool_name = name;
}

__attribute__((format(printf, 1, 0))) static void print_line(const char *format, va_list arguments)
{
    tool_flush();
    if (tool_name != NULL) {
        fprintf(stderr, "estab %s: ", tool_name);
    } else {
        fputs("estab: ", stderr);
    }
    vfprintf(stderr, format, arguments); /* NOLINT(clang-analyzer-valist.Uninitialized): callers began it */
    fputc('\n', stderr);
}

void tool_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
}

int tool_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
    return TOOL_FAILED;
}

int tool_usage(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
    return TOOL_USAGE;
}

void tool_flush(void)
{
    errno = 0;
    if (fflush(stdout) != 0 && output_error == 0) {
        output_error = errno;
    }
}

int tool_finish(int code)
{
    tool_flush();
    if ((output_error == 0 && ferror(stdout) == 0) || code != TOOL_OK) {
        return code;
    }
    return tool_fail("standard output: %s",
                     output_error != 0 ? strerror(output_error) : "not everything could be written");
}

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupts = 1;
}

const sigset_t *tool_catch_interrupts(void)
{
    static sigset_t waiting;
    sigset_t caught;
    sigemptyset(&caught);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGTERM);
    sigprocmask(SIG_BLOCK, &caught, &waiting);
    sigdelset(&waiting, SIGINT);
    sigdelset(&waiting, SIGTERM);

    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &waiting;
}

bool tool_interrupted(void)
{
    return interrupts != 0;
}
