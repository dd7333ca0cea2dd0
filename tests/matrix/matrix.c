/*
 * estab_matrix: every place x flags x SEQ x ACK x length x window x timestamp x placement of the ISN, core
 * against oracle, and sequences of two segments (docs/matrix.md).
 *
 *     estab_matrix [--place NAME] [--quick] [--stride N] [--first] [--show N] [--jobs N]
 *
 * Worker processes take the spots (ways to stand in a place) from a shared counter; what they count and the
 * first differences of each spot stand in shared memory, so that the output does not depend on their number.
 * Exit 0: no difference; 1: some; 2: bad arguments; 3: a place cannot be reached, or a worker died.
 */
#include "matrix/matrix.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_JOBS     64u
#define MAX_SPOTS    1024u
#define QUICK_STRIDE 30u
#define SHOW_DEFAULT 8u

/* What the processes share. */
struct board {
    unsigned next;
    volatile int stop;
    struct matrix_tally tally[MAX_JOBS];
    struct matrix_shown shown[MAX_SPOTS];
};

struct spots {
    struct matrix_spot list[MAX_SPOTS];
    unsigned count;
};

/* ---- arguments ---- */

#define USAGE "--place NAME, --quick, --stride 1..100000, --first, --show 1..512, --jobs 1..64"

_Noreturn static void usage(const char *what, const char *value)
{
    fprintf(stderr, "estab_matrix: %s%s (%s)\n", what, value, USAGE);
    exit(2);
}

static unsigned number(const char *option, const char *text, unsigned most)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = text != NULL ? strtoul(text, &end, 10) : 0;
    if (text == NULL || end == text || *end != 0 || errno != 0 || value < 1 || value > most) {
        usage("wrong number for ", option);
    }
    return (unsigned)value;
}

static void known_place(const char *name)
{
    char list[512] = "";
    for (unsigned i = 0; i < matrix_place_count; i++) {
        if (name != NULL && strcmp(name, matrix_places[i].name) == 0) {
            return;
        }
        if (i == 0 || strcmp(matrix_places[i].name, matrix_places[i - 1].name) != 0) {
            snprintf(list + strlen(list), sizeof list - strlen(list), " %s", matrix_places[i].name);
        }
    }
    fprintf(stderr, "estab_matrix: no such place: %s; there are%s\n", name == NULL ? "(none given)" : name,
            list);
    exit(2);
}

static void read_arguments(int argc, char **argv, struct matrix_plan *plan)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    *plan = (struct matrix_plan){
        .stride = 1, .jobs = processors < 1 ? 1 : (unsigned)processors, .show = SHOW_DEFAULT};
    plan->jobs = plan->jobs > MAX_JOBS ? MAX_JOBS : plan->jobs;
    for (int i = 1; i < argc; i++) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--quick") == 0) {
            plan->stride = QUICK_STRIDE;
        } else if (strcmp(argv[i], "--first") == 0) {
            plan->first = true;
        } else if (strcmp(argv[i], "--jobs") == 0) {
            plan->jobs = number(argv[i++], value, MAX_JOBS);
        } else if (strcmp(argv[i], "--show") == 0) {
            plan->show = number(argv[i++], value, MATRIX_CAUSES);
        } else if (strcmp(argv[i], "--stride") == 0) {
            plan->stride = number(argv[i++], value, 100000);
        } else if (strcmp(argv[i], "--place") == 0) {
            known_place(value);
            plan->place = argv[++i];
        } else {
            usage("unknown argument ", argv[i]);
        }
    }
}

/* ---- the spots ---- */

static void list_spots(const struct matrix_plan *plan, struct spots *spots)
{
    for (unsigned i = 0; i < matrix_place_count * WINDOWS * PLACEMENTS * 2; i++) {
        struct matrix_spot spot = {
            .place = &matrix_places[i / (WINDOWS * PLACEMENTS * 2)],
            .window = (enum matrix_window)(i / (PLACEMENTS * 2) % WINDOWS),
            .placement = (enum matrix_placement)(i / 2 % PLACEMENTS),
            .timestamps = i % 2 == 0,
        };
        bool wanted = plan->place == NULL || strcmp(plan->place, spot.place->name) == 0;
        if (wanted && !(spot.place->never_shut && spot.window == WINDOW_ZERO)) {
            spots->list[spots->count++] = spot;
        }
    }
}

/* ---- workers ---- */

static void work(const struct matrix_plan *plan, const struct spots *spots, struct board *board, unsigned me)
{
    struct matrix_worker worker = {.plan = plan, .tally = &board->tally[me], .stop = &board->stop};
    while (!board->stop) {
        unsigned next = __atomic_fetch_add(&board->next, 1, __ATOMIC_RELAXED);
        if (next >= spots->count) {
            return;
        }
        worker.shown = &board->shown[next];
        matrix_spot_run(&worker, &spots->list[next]);
    }
}

static struct matrix_tally total(const struct board *board, unsigned jobs)
{
    struct matrix_tally sum = {0};
    for (unsigned i = 0; i < jobs; i++) {
        sum.single += board->tally[i].single;
        sum.sequences += board->tally[i].sequences;
        sum.differences += board->tally[i].differences;
    }
    return sum;
}

static void progress(const struct board *board, const struct matrix_plan *plan, const struct spots *spots)
{
    struct matrix_tally sum = total(board, plan->jobs);
    unsigned taken = board->next < spots->count ? board->next : spots->count;
    fprintf(stderr, "\r%u of %u places, %llu single steps, %llu sequences, %llu differences", taken,
            spots->count, (unsigned long long)sum.single, (unsigned long long)sum.sequences,
            (unsigned long long)sum.differences);
}

/* Returns 0, or 3 where a worker did not end well. */
static int wait_for(const struct matrix_plan *plan, const struct spots *spots, struct board *board)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    unsigned left = plan->jobs;
    int result = 0;
    while (left > 0) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0) {
            left--;
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                fprintf(stderr, "estab_matrix: a worker ended with %s %d\n",
                        WIFEXITED(status) ? "exit code" : "signal",
                        WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
                board->stop = 1;
                result = 3;
            }
            continue;
        }
        usleep(100000);
        if (terminal) {
            progress(board, plan, spots);
        }
    }
    if (terminal) {
        fprintf(stderr, "\n");
    }
    return result;
}

static int run_all(const struct matrix_plan *plan, const struct spots *spots, struct board *board)
{
    for (unsigned i = 0; i < plan->jobs; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            perror("estab_matrix: fork");
            exit(3);
        }
        if (pid == 0) {
            work(plan, spots, board, i);
            _exit(0);
        }
    }
    return wait_for(plan, spots, board);
}

/* ---- the result ---- */

/* The first difference of each cause in each place. */
static void show_differences(const struct matrix_plan *plan, const struct spots *spots,
                             const struct board *board)
{
    const char *done[MATRIX_CAUSES][2];
    unsigned shown = 0;
    for (unsigned i = 0; i < spots->count * MATRIX_SHOWN && shown < plan->show; i++) {
        const struct matrix_shown *of = &board->shown[i / MATRIX_SHOWN];
        const char *place = spots->list[i / MATRIX_SHOWN].place->name;
        unsigned round = i % MATRIX_SHOWN;
        bool known = round >= of->count;
        for (unsigned k = 0; k < shown && !known; k++) {
            known = strcmp(done[k][0], place) == 0 && strcmp(done[k][1], of->what[round]) == 0;
        }
        if (!known) {
            done[shown][0] = place;
            done[shown][1] = of->what[round];
            printf("difference %u: %s\n", ++shown, of->text[round]);
        }
    }
}

/* How often each thing differed in each place. */
static void show_causes(const struct board *board, unsigned jobs)
{
    static struct matrix_cause all[MATRIX_CAUSES];
    for (unsigned i = 0; i < jobs; i++) {
        for (unsigned k = 0; k < MATRIX_CAUSES && board->tally[i].causes[k].what != NULL; k++) {
            const struct matrix_cause *cause = &board->tally[i].causes[k];
            unsigned at = 0;
            while (at < MATRIX_CAUSES - 1 && all[at].what != NULL &&
                   (strcmp(all[at].what, cause->what) != 0 || strcmp(all[at].place, cause->place) != 0)) {
                at++;
            }
            all[at].place = cause->place;
            all[at].what = cause->what;
            all[at].count += cause->count;
        }
    }
    for (unsigned p = 0; p < matrix_place_count; p++) {
        bool again = p > 0 && strcmp(matrix_places[p].name, matrix_places[p - 1].name) == 0;
        for (unsigned k = 0; k < MATRIX_CAUSES && all[k].what != NULL && !again; k++) {
            if (strcmp(all[k].place, matrix_places[p].name) == 0) {
                printf("%-21s %10llu  %s\n", all[k].place, (unsigned long long)all[k].count, all[k].what);
            }
        }
    }
}

int main(int argc, char **argv)
{
    static struct spots spots;
    struct matrix_plan plan;
    read_arguments(argc, argv, &plan);
    list_spots(&plan, &spots);
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED) {
        perror("estab_matrix: mmap");
        return 3;
    }
    int result = run_all(&plan, &spots, board);
    struct matrix_tally sum = total(board, plan.jobs);
    if (sum.differences > 0) {
        show_differences(&plan, &spots, board);
        show_causes(board, plan.jobs);
    }
    printf("places %u, single steps %llu, two-step sequences %llu\n", spots.count,
           (unsigned long long)sum.single, (unsigned long long)sum.sequences);
    printf("cases %llu, differences %llu\n", (unsigned long long)(sum.single + sum.sequences),
           (unsigned long long)sum.differences);
    return result != 0 ? result : sum.differences > 0;
}
