/*
 * The cases of one spot. Single steps: 64 flag sets x 12 SEQ x 9 ACK x 4 lengths x the timestamp classes;
 * window, urgent pointer and the options of a SYN go by a mix of the case's number, so that each value meets
 * each class of the others. Two-step sequences: the first steps that change something without ending the
 * connection, each distinct outcome once, and after each of them a mix of second steps.
 */
#include "matrix/matrix.h"

#include <stdlib.h>

#define FLAG_SETS    64u
#define OUTCOMES     4000u /* first steps with distinct outcomes that are followed, for a spot */
#define SECOND_STEPS 160u  /* after each of them, in the mean */
#define FAR_LEFT     0x40000000u

/* ---- segments ---- */

/* Where there is no connection yet the classes count from what the peer would begin with. */
static struct oracle_tcb reference(const struct matrix_bench *bench, const struct oracle_tcb *tcb)
{
    struct oracle_tcb like = *tcb;
    bool no_peer = tcb->state == ESTAB_CLOSED || tcb->state == ESTAB_LISTEN || tcb->state == ESTAB_SYN_SENT;
    if (no_peer) {
        like.irs = bench->irs;
        like.rcv_nxt = bench->irs + 1;
        like.rcv_adv = like.rcv_nxt + bench->limit;
    }
    if (no_peer && tcb->state != ESTAB_SYN_SENT) {
        like.iss = like.snd_una = like.snd_nxt = bench->iss_at_zero + (uint32_t)(bench->now / 4000);
    }
    if (!like.timestamps) {
        like.ts_recent = bench->tsval;
    }
    return like;
}

static uint32_t seq_of_class(const struct oracle_tcb *tcb, unsigned class, uint32_t seg_len)
{
    uint32_t wnd = tcb->rcv_adv - tcb->rcv_nxt;
    const uint32_t values[MATRIX_SEQ_CLASSES] = {tcb->rcv_nxt - 0x80000000u, tcb->rcv_nxt - FAR_LEFT,
                                                 tcb->rcv_nxt - 300,         tcb->rcv_nxt - seg_len,
                                                 tcb->rcv_nxt - 1,           tcb->rcv_nxt,
                                                 tcb->rcv_nxt + 1,           tcb->rcv_nxt + wnd / 2,
                                                 tcb->rcv_adv - 1,           tcb->rcv_adv,
                                                 tcb->rcv_adv + 500,         tcb->irs};
    return values[class];
}

static uint32_t ack_of_class(const struct oracle_tcb *tcb, unsigned class)
{
    uint32_t half = (tcb->snd_nxt - tcb->snd_una) / 2;
    const uint32_t values[MATRIX_ACK_CLASSES] = {tcb->snd_una - tcb->max_snd_wnd - 1,
                                                 tcb->snd_una - tcb->max_snd_wnd,
                                                 tcb->snd_una - 1,
                                                 tcb->snd_una,
                                                 tcb->snd_una + (half > 0 ? half : 1),
                                                 tcb->snd_nxt,
                                                 tcb->snd_nxt + 1,
                                                 tcb->snd_nxt + 0x80000000u,
                                                 tcb->iss};
    return values[class];
}

static void add_timestamps(const struct matrix_bench *bench, const struct oracle_tcb *tcb,
                           const struct matrix_classes *classes, struct oracle_segment *seg)
{
    bool far = classes->up >= 2;
    unsigned class = bench->spot.timestamps || classes->timestamp == 0 ? classes->timestamp : 3;
    seg->timestamps = class > 0;
    seg->tsval = tcb->ts_recent;
    if (class == 1) {
        seg->tsval -= far ? 0x7fffffffu : 1;
    } else if (class == 3) {
        seg->tsval += far ? 0x7fffffffu : 1;
    }
    seg->tsecr = (seg->flags & ORACLE_ACK) ? bench->tsecr : 0;
}

static void add_syn_options(unsigned class, struct oracle_segment *seg)
{
    static const struct {
        uint16_t mss;
        int8_t scale;
        bool sack;
    } options[3] = {{0, -1, false}, {500, 3, true}, {1400, 15, false}};
    seg->mss = options[class].mss;
    seg->window_scale = options[class].scale;
    seg->sack_permitted = options[class].sack;
}

void matrix_segment(const struct matrix_bench *bench, const struct oracle_tcb *tcb,
                    const struct matrix_classes *classes, struct oracle_segment *segment)
{
    static const uint16_t lengths[MATRIX_LENGTH_CLASSES] = {0, 1, 20, 1000};
    static const uint16_t windows[3] = {0, 7, 5000};
    static const uint16_t pointers[4] = {0, 1, 30, 1000};
    struct oracle_tcb like = reference(bench, tcb);
    *segment = (struct oracle_segment){
        .flags = classes->flags,
        .text_length = lengths[classes->length],
        .window = windows[classes->window],
        .up = pointers[classes->up],
        .window_scale = -1,
    };
    uint32_t seg_len = segment->text_length + ((classes->flags & ORACLE_SYN) ? 1 : 0) +
                       ((classes->flags & ORACLE_FIN) ? 1 : 0);
    segment->seq = seq_of_class(&like, classes->seq, seg_len);
    segment->ack = ack_of_class(&like, classes->ack);
    add_timestamps(bench, &like, classes, segment);
    if (classes->flags & ORACLE_SYN) {
        add_syn_options(classes->options, segment);
    }
}

void matrix_describe(const struct matrix_classes *classes, char *out, size_t size)
{
    static const char *const seqs[MATRIX_SEQ_CLASSES] = {
        "RCV.NXT-2^31", "RCV.NXT-2^30",      "RCV.NXT-300",  "RCV.NXT-SEG.LEN", "RCV.NXT-1",      "RCV.NXT",
        "RCV.NXT+1",    "RCV.NXT+RCV.WND/2", "right edge-1", "right edge",      "right edge+500", "IRS"};
    static const char *const acks[MATRIX_ACK_CLASSES] = {"SND.UNA-MAX.SND.WND-1",
                                                         "SND.UNA-MAX.SND.WND",
                                                         "SND.UNA-1",
                                                         "SND.UNA",
                                                         "between SND.UNA and SND.NXT",
                                                         "SND.NXT",
                                                         "SND.NXT+1",
                                                         "SND.NXT+2^31",
                                                         "ISS"};
    static const char *const times[MATRIX_TIMESTAMP_CLASSES] = {"none", "older", "equal", "newer"};
    snprintf(out, size, "SEQ %s, ACK %s, timestamp %s", seqs[classes->seq], acks[classes->ack],
             times[classes->timestamp]);
}

/* ---- mixing ---- */

static uint32_t mix(uint64_t number)
{
    number = (number ^ number >> 33) * UINT64_C(0xff51afd7ed558ccd);
    number = (number ^ number >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (uint32_t)(number ^ number >> 33);
}

static void mix_rest(struct matrix_classes *classes, uint32_t number)
{
    uint32_t m = mix(number ^ UINT64_C(0x5eed00000000));
    classes->window = (uint8_t)(m % 3);
    classes->up = (uint8_t)(m / 3 % 4);
    classes->options = (uint8_t)(m / 12 % 3);
}

/* Takes a digit off a number that counts through several classes. */
static uint8_t digit(uint32_t *number, uint32_t base)
{
    uint8_t value = (uint8_t)(*number % base);
    *number /= base;
    return value;
}

/* ---- one spot ---- */

struct run {
    struct matrix_worker *worker;
    struct matrix_bench bench;
    uint8_t reached[MATRIX_MEMORY]; /* the memory in the place */
    uint8_t halfway[MATRIX_MEMORY]; /* after a first step */
    struct oracle_tcb before;
    struct oracle_tcb outcomes[OUTCOMES];
    unsigned outcome_count;
    uint32_t salt;
};

static void restore(struct run *run, const uint8_t *memory)
{
    memcpy(run->bench.memory, memory, MATRIX_MEMORY);
}

static void count_cause(struct matrix_tally *tally, const char *place, const char *what)
{
    for (unsigned i = 0; i < MATRIX_CAUSES; i++) {
        struct matrix_cause *cause = &tally->causes[i];
        if (cause->what == NULL || (strcmp(cause->what, what) == 0 && strcmp(cause->place, place) == 0)) {
            cause->place = place;
            cause->what = what;
            cause->count++;
            return;
        }
    }
}

/* What a difference is shown with. */
struct evidence {
    const char *what;
    const struct matrix_classes *first; /* of a sequence, else NULL */
    const struct matrix_classes *classes;
    const struct matrix_step *step;
    const struct oracle_tcb *before, *after;
    const struct oracle_answer *answer;
    const struct matrix_outcome *outcome;
};

static void write_down(const struct run *run, const struct evidence *e, char *out)
{
    char line[640];
    char one[256];
    char two[256];
    matrix_describe(e->classes, one, sizeof one);
    snprintf(line, sizeof line, "%s", one);
    if (e->first != NULL) {
        matrix_describe(e->first, two, sizeof two);
        snprintf(line, sizeof line, "second step %s; first step flags %02x, %s", one, e->first->flags, two);
    }
    matrix_show(out, MATRIX_TEXT, &run->bench.spot, e->what, line);
    matrix_show_step(out, MATRIX_TEXT, e->step, e->before, e->after, e->answer);
    matrix_show_core(out, MATRIX_TEXT, e->outcome);
}

/* The first of each cause is written down. */
static void keep(const struct run *run, const struct evidence *evidence)
{
    struct matrix_shown *shown = run->worker->shown;
    for (unsigned i = 0; i < shown->count; i++) {
        if (strcmp(shown->what[i], evidence->what) == 0) {
            return;
        }
    }
    if (shown->count < MATRIX_SHOWN) {
        shown->what[shown->count] = evidence->what;
        write_down(run, evidence, shown->text[shown->count++]);
    }
}

static void differs(struct run *run, const struct evidence *evidence)
{
    struct matrix_worker *worker = run->worker;
    worker->tally->differences++;
    count_cause(worker->tally, run->bench.spot.place->name, evidence->what);
    keep(run, evidence);
    if (worker->plan->first) {
        *worker->stop = 1;
    }
}

static void single(struct run *run, const struct matrix_classes *classes, uint32_t number)
{
    struct matrix_step step = {.now = run->bench.now + MATRIX_STEP_NS, .number = number};
    struct matrix_outcome outcome;
    struct oracle_answer answer;
    struct oracle_tcb tcb = run->before;
    restore(run, run->reached);
    matrix_segment(&run->bench, &run->before, classes, &step.segment);
    const char *what = matrix_compare(&run->bench, &step, &tcb, &outcome, &answer);
    run->worker->tally->single++;
    if (what != NULL) {
        differs(run, &(struct evidence){.what = what,
                                        .classes = classes,
                                        .step = &step,
                                        .before = &run->before,
                                        .after = &tcb,
                                        .answer = &answer,
                                        .outcome = &outcome});
    }
}

static unsigned timestamp_classes(const struct run *run)
{
    return run->bench.spot.timestamps ? MATRIX_TIMESTAMP_CLASSES : 2;
}

static void singles(struct run *run)
{
    unsigned times = timestamp_classes(run);
    uint32_t all = FLAG_SETS * MATRIX_SEQ_CLASSES * MATRIX_ACK_CLASSES * MATRIX_LENGTH_CLASSES * times;
    for (uint32_t n = 0; n < all && !*run->worker->stop; n++) {
        if (run->worker->plan->stride > 1 && mix(n + run->salt) % run->worker->plan->stride != 0) {
            continue;
        }
        uint32_t rest = n;
        struct matrix_classes classes = {
            .timestamp = digit(&rest, times),
            .length = digit(&rest, MATRIX_LENGTH_CLASSES),
            .ack = digit(&rest, MATRIX_ACK_CLASSES),
            .seq = digit(&rest, MATRIX_SEQ_CLASSES),
            .flags = digit(&rest, FLAG_SETS),
        };
        mix_rest(&classes, n + run->salt);
        single(run, &classes, n);
    }
}

/* ---- sequences ---- */

static const uint8_t interesting_flags[] = {
    ORACLE_ACK,
    ORACLE_ACK | ORACLE_FIN,
    ORACLE_ACK | ORACLE_URG | ORACLE_PSH,
    ORACLE_ACK | ORACLE_FIN | ORACLE_URG,
    ORACLE_SYN,
    ORACLE_SYN | ORACLE_ACK,
    ORACLE_SYN | ORACLE_FIN | ORACLE_ACK,
    ORACLE_RST,
    ORACLE_RST | ORACLE_ACK,
    ORACLE_FIN,
};
static const uint8_t interesting_acks[] = {0, 2, 3, 4, 5, 6};
#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof(array)[0]))

static uint32_t interesting_steps(const struct run *run)
{
    return COUNT(interesting_flags) * MATRIX_SEQ_CLASSES * COUNT(interesting_acks) * MATRIX_LENGTH_CLASSES *
           timestamp_classes(run);
}

static void interesting_step(const struct run *run, uint32_t number, struct matrix_classes *classes)
{
    uint32_t rest = number;
    *classes = (struct matrix_classes){
        .timestamp = digit(&rest, timestamp_classes(run)),
        .length = digit(&rest, MATRIX_LENGTH_CLASSES),
        .ack = interesting_acks[digit(&rest, COUNT(interesting_acks))],
        .seq = digit(&rest, MATRIX_SEQ_CLASSES),
        .flags = interesting_flags[digit(&rest, COUNT(interesting_flags))],
    };
    mix_rest(classes, number + run->salt);
}

/* Whether a first step led somewhere that no other has led to. */
static bool is_new(struct run *run, const struct oracle_tcb *after)
{
    if (after->state == ESTAB_CLOSED || memcmp(after, &run->before, sizeof *after) == 0) {
        return false;
    }
    for (unsigned i = 0; i < run->outcome_count; i++) {
        if (memcmp(after, &run->outcomes[i], sizeof *after) == 0) {
            return false;
        }
    }
    run->outcomes[run->outcome_count++] = *after;
    return true;
}

struct first {
    const struct matrix_classes *classes;
    struct oracle_tcb after; /* the oracle's */
};

static void second(struct run *run, const struct first *first, uint32_t number)
{
    struct matrix_step step = {.now = run->bench.now + 2 * MATRIX_STEP_NS, .number = number};
    struct matrix_classes classes;
    struct matrix_outcome outcome;
    struct oracle_answer answer;
    struct oracle_tcb tcb = first->after;
    interesting_step(run, number, &classes);
    restore(run, run->halfway);
    matrix_segment(&run->bench, &first->after, &classes, &step.segment);
    const char *what = matrix_compare(&run->bench, &step, &tcb, &outcome, &answer);
    run->worker->tally->sequences++;
    if (what != NULL) {
        differs(run, &(struct evidence){.what = what,
                                        .first = first->classes,
                                        .classes = &classes,
                                        .step = &step,
                                        .before = &first->after,
                                        .after = &tcb,
                                        .answer = &answer,
                                        .outcome = &outcome});
    }
}

/* The bench stands after the first step. */
static void seconds(struct run *run, const struct first *first)
{
    uint32_t all = interesting_steps(run);
    uint32_t stride = all / SECOND_STEPS * run->worker->plan->stride;
    uint32_t salt = mix(run->salt + run->outcome_count);
    bool time_wait_began = first->after.state == ESTAB_TIME_WAIT &&
                           (run->before.state != ESTAB_TIME_WAIT || first->after.time_wait_restarted);
    uint32_t index = run->bench.index;
    memcpy(run->halfway, run->bench.memory, MATRIX_MEMORY);
    run->bench.index = matrix_index(&run->bench);
    run->bench.two_msl_since = run->bench.now + (time_wait_began ? MATRIX_STEP_NS : 0);
    for (uint32_t n = salt % stride; n < all && !*run->worker->stop; n += 1 + mix(n + salt) % (2 * stride)) {
        second(run, first, n);
    }
    run->bench.index = index;
    run->bench.two_msl_since = run->bench.now;
}

static void sequences(struct run *run)
{
    uint32_t all = interesting_steps(run);
    uint32_t tried = all / (1 + run->worker->plan->stride / 8);
    uint32_t n = run->salt % all;
    for (uint32_t i = 0; i < tried && run->outcome_count < OUTCOMES && !*run->worker->stop; i++) {
        struct matrix_step step = {.now = run->bench.now + MATRIX_STEP_NS, .number = i};
        struct matrix_classes classes;
        struct matrix_outcome outcome;
        struct oracle_answer answer;
        n = (n + 7919) % all; /* a prime that divides none of the counts: every number once */
        interesting_step(run, n, &classes);
        restore(run, run->reached);
        matrix_segment(&run->bench, &run->before, &classes, &step.segment);
        matrix_run(&run->bench, &step, &run->before, &outcome);
        if (!is_new(run, &outcome.core)) {
            continue;
        }
        struct first first = {.classes = &classes, .after = run->before};
        restore(run, run->reached);
        const char *what = matrix_compare(&run->bench, &step, &first.after, &outcome, &answer);
        if (what == NULL) {
            seconds(run, &first);
            continue;
        }
        differs(run, &(struct evidence){.what = what,
                                        .classes = &classes,
                                        .step = &step,
                                        .before = &run->before,
                                        .after = &first.after,
                                        .answer = &answer,
                                        .outcome = &outcome});
    }
}

void matrix_spot_run(struct matrix_worker *worker, const struct matrix_spot *spot)
{
    static struct run run;
    run.worker = worker;
    run.outcome_count = 0;
    run.salt = mix((uint64_t)(spot->place - matrix_places) * 64 + spot->window * 16u + spot->placement * 2u +
                   spot->timestamps) %
               1000003;
    matrix_build(&run.bench, spot);
    matrix_read(&run.bench, run.bench.now, NULL, &run.before);
    memcpy(run.reached, run.bench.memory, MATRIX_MEMORY);
    singles(&run);
    sequences(&run);
}
