/*
 * Running many scripts at once: see tree.h. A child runs one script and hands back its outcome and its report
 * through a pipe; the parent keeps as many children as it may and ends those that take too long, together
 * with what they started.
 */
#include "tree.h"

#include "tools/tool.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MOST 256
#define NS        UINT64_C(1000000000)

/* ---------------------------------------------------------------------------------------------- finding */

static struct tree_paths *walked; /* nftw() has no argument for its function */

static bool add_path(struct tree_paths *found, const char *path)
{
    if (found->count == found->room) {
        unsigned room = found->room == 0 ? 64 : found->room * 2;
        char **paths = realloc(found->paths, room * sizeof *paths);
        if (paths == NULL) {
            return false;
        }
        found->paths = paths;
        found->room = room;
    }
    found->paths[found->count] = strdup(path);
    return found->paths[found->count++] != NULL;
}

static int on_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    size_t length = strlen(path);
    (void)status;
    (void)place;
    bool script = kind == FTW_F && length > 4 && strcmp(path + length - 4, ".pkt") == 0;
    return script && !add_path(walked, path);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool find_in(struct tree_paths *found, const char *folder)
{
    unsigned before = found->count;
    walked = found;
    if (nftw(folder, on_entry, 16, 0) != 0) {
        tool_error("%s: %s", folder, strerror(errno));
        return false;
    }
    if (found->count == before) {
        tool_error("%s: no script in it: files that end in .pkt", folder);
        return false;
    }
    qsort(found->paths + before, found->count - before, sizeof *found->paths, compare_paths);
    return true;
}

bool tree_find(struct tree_paths *found, char **arguments, unsigned count)
{
    *found = (struct tree_paths){0};
    for (unsigned i = 0; i < count; i++) {
        struct stat status;
        if (stat(arguments[i], &status) != 0) {
            tool_error("%s: %s", arguments[i], strerror(errno));
            return false;
        }
        bool good = S_ISDIR(status.st_mode) ? find_in(found, arguments[i]) : add_path(found, arguments[i]);
        if (!good) {
            return false;
        }
    }
    return true;
}

void tree_free(struct tree_paths *found)
{
    for (unsigned i = 0; i < found->count; i++) {
        free(found->paths[i]);
    }
    free(found->paths);
}

/* ---------------------------------------------------------------------------------------------- one job */

struct job {
    struct tree_result *result; /* NULL = free */
    pid_t pid;
    int output;
    uint64_t began;
    bool late;
    char *bytes; /* what came so far: outcome, then report */
    size_t length, room;
};

static uint64_t wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

static void write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t count = write(fd, at, length);
        if (count <= 0) {
            _exit(TOOL_FAILED);
        }
        at += count;
        length -= (size_t)count;
    }
}

static void be_child(const char *path, const struct run_options *options, int output)
{
    struct outcome outcome;
    char *report = NULL;
    size_t length = 0;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    FILE *out = open_memstream(&report, &length);
    if (out == NULL) {
        _exit(TOOL_FAILED);
    }
    run_script(path, options, out, &outcome);
    fclose(out);
    write_all(output, &outcome, sizeof outcome);
    write_all(output, report, length);
    free(report);
    _exit(TOOL_OK);
}

static bool start(struct job *job, struct tree_result *result, const struct tree_options *options)
{
    int ends[2];
    if (pipe(ends) != 0) {
        tool_error("pipe: %s", strerror(errno));
        return false;
    }
    tool_flush();
    *job = (struct job){.output = ends[0], .began = wall()};
    job->pid = fork();
    if (job->pid == 0) {
        setpgid(0, 0);
        close(ends[0]);
        be_child(result->path, &options->run, ends[1]);
    }
    close(ends[1]);
    if (job->pid < 0) {
        tool_error("fork: %s", strerror(errno));
        close(ends[0]);
        return false;
    }
    setpgid(job->pid, job->pid);
    job->result = result;
    return true;
}

/* What a child that ended without a word leaves. */
static void tell_end(struct job *job, int status)
{
    struct tree_result *result = job->result;
    struct outcome *outcome = &result->outcome;
    char text[900];
    *outcome = (struct outcome){.verdict = VERDICT_FAILED};
    if (job->late) {
        snprintf(outcome->reason, sizeof outcome->reason, "did not end within %.1f s", result->seconds);
    } else if (WIFSIGNALED(status)) {
        snprintf(outcome->reason, sizeof outcome->reason, "crashed: signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else {
        snprintf(outcome->reason, sizeof outcome->reason, "its process ended with exit code %d",
                 WEXITSTATUS(status));
    }
    snprintf(text, sizeof text, "%.300s: %s\n", result->path, outcome->reason);
    result->report = strdup(text);
}

static void judge(struct tree_result *result, const struct tree_options *options)
{
    if (options->deviations == NULL) {
        return;
    }
    result->deviation = deviations_find(options->deviations, result->path);
    if (result->deviation != NULL && result->outcome.verdict == VERDICT_FAILED) {
        result->outcome.verdict = VERDICT_DEVIATING;
    }
}

static void finish(struct job *job, const struct tree_options *options)
{
    int status = 0;
    struct tree_result *result = job->result;
    kill(-job->pid, SIGKILL); /* what it may have left behind */
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR) {
    }
    close(job->output);
    result->seconds = (double)(wall() - job->began) / (double)NS;
    if (job->late || job->length < sizeof result->outcome) {
        tell_end(job, status);
    } else {
        memcpy(&result->outcome, job->bytes, sizeof result->outcome);
        result->report = strndup(job->bytes + sizeof result->outcome, job->length - sizeof result->outcome);
    }
    free(job->bytes);
    judge(result, options);
    *job = (struct job){0};
}

/* Takes what a child says; false: that was all. */
static bool take(struct job *job)
{
    if (job->length == job->room) {
        size_t room = job->room == 0 ? 8192 : job->room * 2;
        char *bytes = realloc(job->bytes, room);
        if (bytes == NULL) {
            return false;
        }
        job->bytes = bytes;
        job->room = room;
    }
    ssize_t count = read(job->output, job->bytes + job->length, job->room - job->length);
    job->length += count > 0 ? (size_t)count : 0;
    return count > 0;
}

/* --------------------------------------------------------------------------------------------- all jobs */

struct tree {
    const struct tree_options *options;
    const sigset_t *waiting;
    struct tree_result *results;
    unsigned count, started, shown;
    unsigned jobs;
    struct job job[JOBS_MOST];
};

/* Waits until a child says something or is late. Returns false where the user has had enough. */
static bool wait_for_children(struct tree *tree)
{
    struct pollfd fds[JOBS_MOST];
    uint64_t now = wall();
    uint64_t next = now + tree->options->timeout_ns;
    for (unsigned i = 0; i < tree->jobs; i++) {
        struct job *job = &tree->job[i];
        uint64_t end = job->began + tree->options->timeout_ns;
        fds[i] = (struct pollfd){.fd = job->result != NULL ? job->output : -1, .events = POLLIN};
        next = job->result != NULL && end < next ? end : next;
    }
    uint64_t rest = next > now ? next - now : 0;
    struct timespec timeout = {(time_t)(rest / NS), (long)(rest % NS)};
    if (ppoll(fds, tree->jobs, &timeout, tree->waiting) < 0 && tool_interrupted()) {
        return false;
    }
    now = wall();
    for (unsigned i = 0; i < tree->jobs; i++) {
        struct job *job = &tree->job[i];
        if (job->result == NULL) {
            continue;
        }
        job->late = now - job->began >= tree->options->timeout_ns;
        if (job->late || (fds[i].revents != 0 && !take(job))) {
            finish(job, tree->options);
        }
    }
    return true;
}

static bool start_more(struct tree *tree)
{
    for (unsigned i = 0; i < tree->jobs && tree->started < tree->count; i++) {
        if (tree->job[i].result == NULL &&
            !start(&tree->job[i], &tree->results[tree->started++], tree->options)) {
            return false;
        }
    }
    return true;
}

static void show_done(struct tree *tree)
{
    while (tree->shown < tree->started && tree->results[tree->shown].report != NULL) {
        tree_print_result(tree->options, &tree->results[tree->shown++], tree->count == 1);
    }
}

static bool run_all(struct tree *tree)
{
    bool good = true;
    while (good && tree->shown < tree->count) {
        good = start_more(tree) && wait_for_children(tree);
        show_done(tree);
    }
    for (unsigned i = 0; i < tree->jobs; i++) {
        if (tree->job[i].result != NULL) {
            finish(&tree->job[i], tree->options);
        }
    }
    return good;
}

static int conclude(const struct tree *tree, const struct tree_totals *totals)
{
    const struct tree_options *options = tree->options;
    if (options->junit != NULL && !tree_write_junit(options->junit, tree->results, tree->count, totals)) {
        return TOOL_FAILED;
    }
    if (tree->count == 1 && totals->unparsed == 1 && !options->allow_unparsed) {
        return TOOL_USAGE;
    }
    return totals->failed != 0 || (totals->unparsed != 0 && !options->allow_unparsed) ? TOOL_FAILED : TOOL_OK;
}

static void count_verdicts(const struct tree *tree, struct tree_totals *totals)
{
    for (unsigned i = 0; i < tree->count; i++) {
        enum verdict verdict = tree->results[i].outcome.verdict;
        totals->passed += verdict == VERDICT_PASSED;
        totals->failed += verdict == VERDICT_FAILED;
        totals->deviating += verdict == VERDICT_DEVIATING;
        totals->unparsed += verdict == VERDICT_UNPARSED;
    }
}

int tree_run(const struct tree_paths *scripts, const struct tree_options *options)
{
    struct tree *tree = calloc(1, sizeof *tree);
    struct tree_result *results = calloc(scripts->count, sizeof *results);
    int code = TOOL_FAILED;
    uint64_t began = wall();
    if (tree == NULL || results == NULL) {
        tool_error("no memory");
        goto out;
    }
    for (unsigned i = 0; i < scripts->count; i++) {
        results[i].path = scripts->paths[i];
    }
    tree->options = options;
    tree->waiting = tool_catch_interrupts();
    tree->results = results;
    tree->count = scripts->count;
    tree->jobs = options->jobs < JOBS_MOST ? options->jobs : JOBS_MOST;
    if (run_all(tree)) {
        struct tree_totals totals = {.seconds = (double)(wall() - began) / (double)NS};
        count_verdicts(tree, &totals);
        tree_print_totals(options, &totals, scripts->count == 1);
        code = conclude(tree, &totals);
    }
out:
    for (unsigned i = 0; results != NULL && i < scripts->count; i++) {
        free(results[i].report);
    }
    free(results);
    free(tree);
    return code;
}
