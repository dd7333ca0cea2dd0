/*
 * The words for the numbers of the API: version, errors, states, timers, reasons and drops, each from the
 * list that also makes its enum.
 */
#include "base/mem.h"
#include "stack/stack.h"

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x

const char *estab_version(void)
{
    return TEXT(ESTAB_VERSION_MAJOR) "." TEXT(ESTAB_VERSION_MINOR) "." TEXT(ESTAB_VERSION_PATCH);
}

const char *estab_strerror(int error)
{
    static const char *const texts[] = {
        "no error",
#define ERROR_TEXT(name, text) text,
        ESTAB_ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
    };
    unsigned i = error < 0 ? 0u - (unsigned)error : (unsigned)error;
    return i < sizeof texts / sizeof texts[0] ? texts[i] : "unknown error";
}

const char *estab_error_name(int error)
{
    static const char *const names[] = {
        "OK",
#define ERROR_NAME(name, text) #name,
        ESTAB_ERRORS(ERROR_NAME)
#undef ERROR_NAME
    };
    unsigned i = error < 0 ? 0u - (unsigned)error : (unsigned)error;
    return i < sizeof names / sizeof names[0] ? names[i] : "unknown";
}

#define SECOND_COLUMN(name, text) text,

const char *estab_state_name(unsigned state)
{
    static const char *const names[] = {ESTAB_STATES(SECOND_COLUMN)};
    return state < ESTAB_STATE_COUNT ? names[state] : "unknown";
}

const char *estab_timer_name(unsigned timer)
{
    static const char *const names[] = {ESTAB_TIMERS(SECOND_COLUMN)};
    return timer < ESTAB_TIMER_COUNT ? names[timer] : "unknown";
}

const char *estab_reason_name(unsigned reason)
{
    static const char *const names[] = {ESTAB_REASONS(SECOND_COLUMN)};
    return reason < ESTAB_REASON_COUNT ? names[reason] : "unknown";
}

const char *estab_drop_name(unsigned drop)
{
    static const char *const names[] = {ESTAB_DROPS(SECOND_COLUMN)};
    return drop < ESTAB_DROP_COUNT ? names[drop] : "unknown";
}

unsigned estab_trace_pull(estab_stack *stack, struct estab_trace *records, unsigned max)
{
    return trace_on(&stack->trace) ? trace_pull(&stack->trace, records, max) : 0;
}
