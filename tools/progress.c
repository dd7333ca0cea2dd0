/* A progress bar on a terminal, amounts and rates as people read them: see progress.h. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH        30
#define DRAW_INTERVAL_NS UINT64_C(100000000)
#define ERASE_LINE       "\r\033[K"

void progress_begin(struct progress *progress, const char *name, uint64_t total, uint64_t now_ns)
{
    *progress = (struct progress){
        .name = name,
        .total = total,
        .started_ns = now_ns,
        .drawn_ns = now_ns,
        .shown = isatty(STDERR_FILENO) == 1,
    };
}

/* "12.3 MiB", "999 B": returns `text`. */
static const char *progress_amount(uint64_t bytes, char text[PROGRESS_RATE])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes / 1024;
    unsigned unit = 0;
    if (bytes < 1024) {
        snprintf(text, PROGRESS_RATE, "%" PRIu64 " B", bytes);
        return text;
    }
    while (value >= 1023.95 && unit < 3) {
        value /= 1024;
        unit++;
    }
    snprintf(text, PROGRESS_RATE, "%.1f %s", value, units[unit]);
    return text;
}

const char *progress_rate(uint64_t bytes, uint64_t duration_ns, char text[PROGRESS_RATE])
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
    double value = (double)bytes * 8e9 / (double)(duration_ns != 0 ? duration_ns : 1);
    unsigned unit = 0;
    while (value >= 999.5 && unit < 3) {
        value /= 1000;
        unit++;
    }
    snprintf(text, PROGRESS_RATE, value < 9.995 ? "%.2f %s" : "%.1f %s", value, units[unit]);
    return text;
}

/* The line that is drawn, without control characters: returns its length. */
static size_t progress_format(const struct progress *progress, uint64_t done, uint64_t now_ns,
                              char text[PROGRESS_LINE])
{
    char amount[PROGRESS_RATE];
    char rate[PROGRESS_RATE];
    progress_amount(done, amount);
    progress_rate(done, now_ns - progress->started_ns, rate);
    int length;
    if (progress->total == 0) {
        length = snprintf(text, PROGRESS_LINE, "%.40s  %s  %s", progress->name, amount, rate);
    } else {
        uint64_t part = done < progress->total ? done : progress->total;
        double share = (double)part / (double)progress->total;
        char bar[BAR_WIDTH + 1];
        memset(bar, '.', BAR_WIDTH);
        memset(bar, '#', (size_t)(share * BAR_WIDTH));
        bar[BAR_WIDTH] = 0;
        length = snprintf(text, PROGRESS_LINE, "%.40s  [%s] %3d %%  %s  %s", progress->name, bar,
                          (int)(share * 100), amount, rate);
    }
    return length < PROGRESS_LINE ? (size_t)length : PROGRESS_LINE - 1;
}

static void draw(struct progress *progress, uint64_t done, uint64_t now_ns)
{
    char text[PROGRESS_LINE];
    progress_format(progress, done, now_ns, text);
    fprintf(stderr, ERASE_LINE "%s", text);
    fflush(stderr);
    progress->drawn_ns = now_ns;
}

void progress_update(struct progress *progress, uint64_t done, uint64_t now_ns)
{
    if (progress->shown && now_ns - progress->drawn_ns >= DRAW_INTERVAL_NS) {
        draw(progress, done, now_ns);
    }
}

void progress_end(struct progress *progress, uint64_t done, uint64_t now_ns, bool keep)
{
    if (!progress->shown) {
        return;
    }
    if (keep) {
        draw(progress, done, now_ns);
        fputc('\n', stderr);
    } else {
        fputs(ERASE_LINE, stderr);
    }
    fflush(stderr);
}
