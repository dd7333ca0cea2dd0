/* What is said about scripts: lines for humans, JSON, JUnit's XML. See tree.h. */
#include "tree.h"

#include "tools/json.h"
#include "tools/tool.h"

#include <errno.h>
#include <string.h>

static const char *const verdicts[] = {"passed", "failed", "deviating", "unparsed"};

/* ------------------------------------------------------------------------------------------- JSON, text */

static void print_json(const struct tree_result *result)
{
    const struct outcome *outcome = &result->outcome;
    json_begin(stdout);
    json_text(stdout, "path", result->path);
    json_text(stdout, "result", verdicts[outcome->verdict]);
    json_text(stdout, "reason", outcome->reason);
    if (outcome->line != 0) {
        json_unsigned(stdout, "line", (uint64_t)outcome->line);
    }
    if (outcome->verdict == VERDICT_DEVIATING) {
        json_text(stdout, "deviation", result->deviation);
    }
    json_unsigned(stdout, "events", outcome->events);
    json_unsigned(stdout, "packets", outcome->packets);
    json_unsigned(stdout, "commands", outcome->commands);
    json_unsigned(stdout, "skipped", outcome->skipped);
    json_real(stdout, "virtual_seconds", (double)outcome->time_ns / 1e9, 6);
    json_real(stdout, "seconds", result->seconds, 3);
    if (*result->report != 0) {
        json_text(stdout, "report", result->report);
    }
    json_end(stdout);
}

static void print_text(const struct tree_options *options, const struct tree_result *result, bool alone)
{
    const struct outcome *outcome = &result->outcome;
    FILE *out = outcome->verdict == VERDICT_UNPARSED ? stderr : stdout;
    tool_flush();
    if (outcome->verdict == VERDICT_DEVIATING) {
        printf("%s:%d: deviates as %s says: %s\n", result->path, outcome->line, result->deviation,
               outcome->reason);
        fputs(options->run.verbose ? result->report : "", stdout);
    } else {
        fputs(result->report, out);
    }
    if (outcome->verdict == VERDICT_PASSED && (options->run.verbose || alone)) {
        printf("%s: passed (%u events, %u packets, %.6f s of its own time)\n", result->path, outcome->events,
               outcome->packets, (double)outcome->time_ns / 1e9);
    }
    if (outcome->verdict == VERDICT_FAILED && !alone) {
        putchar('\n');
    }
}

void tree_print_result(const struct tree_options *options, const struct tree_result *result, bool alone)
{
    if (result->deviation != NULL && result->outcome.verdict == VERDICT_PASSED) {
        tool_error("note: %s passes, although %s in %s says that it does not", result->path,
                   result->deviation, options->deviations_path);
    }
    if (options->json) {
        print_json(result);
    } else {
        print_text(options, result, alone);
    }
    tool_flush();
}

void tree_print_totals(const struct tree_options *options, const struct tree_totals *totals, bool alone)
{
    unsigned all = totals->passed + totals->failed + totals->deviating + totals->unparsed;
    if (options->json) {
        json_begin(stdout);
        json_unsigned(stdout, "passed", totals->passed);
        json_unsigned(stdout, "failed", totals->failed);
        json_unsigned(stdout, "deviating", totals->deviating);
        json_unsigned(stdout, "unparsed", totals->unparsed);
        json_real(stdout, "seconds", totals->seconds, 3);
        json_end(stdout);
    } else if (!alone) {
        printf("%u scripts: %u passed, %u failed, %u deviating, %u unparsed in %.2f s\n", all, totals->passed,
               totals->failed, totals->deviating, totals->unparsed, totals->seconds);
    }
}

/* ------------------------------------------------------------------------------------------------ JUnit */

/* XML 1.0 2.2 has no other control characters than tab and the ends of lines. */
static void put_xml(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != 0; at++) {
        switch (*at) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\n':
        case '\t': putc(*at, out); break;
        default: putc(*at < ' ' || *at >= 0x7f ? '?' : *at, out); break;
        }
    }
}

static void write_case(FILE *out, const struct tree_result *result)
{
    static const char *const elements[] = {"", "failure", "skipped", "error"};
    const struct outcome *outcome = &result->outcome;
    const char *slash = strrchr(result->path, '/');
    fputs("  <testcase classname=\"", out);
    if (slash != NULL) {
        char folder[4096];
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - result->path), result->path);
        put_xml(out, folder);
    }
    fputs("\" name=\"", out);
    put_xml(out, slash != NULL ? slash + 1 : result->path);
    fprintf(out, "\" time=\"%.3f\"", result->seconds);
    if (outcome->verdict == VERDICT_PASSED) {
        fputs("/>\n", out);
        return;
    }
    fprintf(out, ">\n    <%s message=\"", elements[outcome->verdict]);
    put_xml(out, outcome->verdict == VERDICT_DEVIATING ? result->deviation : outcome->reason);
    fputs("\">", out);
    put_xml(out, result->report);
    fprintf(out, "</%s>\n  </testcase>\n", elements[outcome->verdict]);
}

bool tree_write_junit(const char *path, const struct tree_result *results, unsigned count,
                      const struct tree_totals *totals)
{
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        tool_error("%s: %s", path, strerror(errno));
        return false;
    }
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuite name=\"estab script\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" "
            "time=\"%.3f\">\n",
            count, totals->failed, totals->unparsed, totals->deviating, totals->seconds);
    for (unsigned i = 0; i < count; i++) {
        write_case(out, &results[i]);
    }
    fputs("</testsuite>\n", out);
    bool good = ferror(out) == 0;
    good = fclose(out) == 0 && good;
    if (!good) {
        tool_error("%s: not everything could be written", path);
    }
    return good;
}
