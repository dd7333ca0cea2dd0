/*
 * One step: the same segment for core and oracle, and everything compared: the variables, the one answer or
 * none (F-INV-3), its timestamps and SACK blocks, the timers, and in samples checksums, the text and every
 * invariant of the stack.
 */
#include "matrix/figure.h"
#include "matrix/matrix.h"

#define SAMPLE 64

void matrix_run(struct matrix_bench *bench, const struct matrix_step *step, const struct oracle_tcb *before,
                struct matrix_outcome *outcome)
{
    uint8_t bytes[2048];
    uint8_t room[2048];
    bool checksum = step->number % SAMPLE == 0;
    size_t size = matrix_packet(bench, &step->segment, checksum, bytes);
    struct estab_packet in = {.data = bytes,
                              .length = (uint32_t)size,
                              .interface = 1,
                              .flags = checksum ? 0 : ESTAB_PACKET_CHECKSUM_VALID};
    estab_input(bench->stack, step->now, &in, 1);
    struct estab_packet out = {.data = room, .capacity = sizeof room};
    outcome->sent_count = 0;
    while (estab_pull(bench->stack, step->now, &out, 1) == 1 && outcome->sent_count <= MATRIX_MAX_SENT) {
        if (outcome->sent_count < MATRIX_MAX_SENT) {
            matrix_parse(bench, &out, checksum, &outcome->sent[outcome->sent_count]);
        }
        outcome->sent_count++;
    }
    matrix_read(bench, step->now, before, &outcome->core);
}

/* ---- the answer ---- */

static const char *syn_options_differ(const struct oracle_segment *a, const struct oracle_segment *b)
{
    if (a->mss != b->mss) {
        return "answer: MSS option";
    }
    if (a->window_scale != b->window_scale) {
        return "answer: window scale option";
    }
    return a->sack_permitted != b->sack_permitted ? "answer: SACK-permitted option" : NULL;
}

static const char *segments_differ(const struct oracle_segment *a, const struct oracle_segment *b)
{
    if (a->flags != b->flags) {
        return "answer: flags";
    }
    if (a->seq != b->seq) {
        return "answer: SEG.SEQ";
    }
    if (a->ack != b->ack) {
        return "answer: SEG.ACK";
    }
    if (a->window != b->window) {
        return "answer: SEG.WND";
    }
    if (a->text_length != b->text_length || a->up != b->up) {
        return "answer: text or urgent pointer";
    }
    if (a->timestamps != b->timestamps) {
        return "answer: timestamps option";
    }
    if (a->timestamps && a->tsecr != b->tsecr) {
        return "answer: TSecr";
    }
    return syn_options_differ(a, b);
}

/* Our clock ticks in milliseconds (RFC 7323 5.4); a RST for no connection has no clock to show. */
static const char *clock_wrong(const struct matrix_bench *bench, const struct matrix_step *step,
                               const struct matrix_sent *sent)
{
    const struct oracle_segment *seg = &sent->segment;
    bool refuses = sent->reason == ESTAB_REASON_RESET_REFUSE;
    uint32_t clock = refuses ? 0 : (uint32_t)(step->now / 1000000) + bench->ts_offset;
    return seg->timestamps && seg->tsval != clock ? "answer: TSval" : NULL;
}

/*
 * RFC 2018 3 and 4: what lies right of the ACK is a range that is held, whole, each once; all of them where
 * they fit. The first block may be a duplicate (RFC 2883 4), which lies anywhere.
 */
static const char *sack_wrong(const struct oracle_tcb *tcb, const struct matrix_sent *sent)
{
    if ((sent->segment.flags & (ORACLE_SYN | ORACLE_RST)) || tcb->state == ESTAB_TIME_WAIT || !tcb->sack) {
        return sent->sack_count > 0 ? "answer: SACK" : NULL;
    }
    unsigned named = 0;
    for (unsigned i = 0; i < sent->sack_count; i++) {
        bool held = false;
        for (unsigned k = 0; k < tcb->ahead_count && k < ORACLE_RANGES; k++) {
            held |= sent->sack[i][0] == tcb->ahead[k].left && sent->sack[i][1] == tcb->ahead[k].right;
        }
        named += held;
        if (!held && i > 0) {
            return "answer: a SACK block that is not held";
        }
    }
    unsigned room = tcb->timestamps ? 3 : 4;
    unsigned wanted = tcb->ahead_count < room ? tcb->ahead_count : room;
    return named + 1 < wanted || (named < wanted && sent->sack_count == named)
               ? "answer: a SACK block is missing"
               : NULL;
}

static const char *answers_differ(const struct matrix_bench *bench, const struct matrix_step *step,
                                  const struct matrix_outcome *outcome, const struct oracle_answer *answer)
{
    if (outcome->sent_count == 0) {
        return answer->sent ? "answer: none, but one is due" : NULL;
    }
    if (outcome->sent_count > 1) {
        return "answer: more than one segment";
    }
    const struct matrix_sent *sent = &outcome->sent[0];
    if (sent->broken != NULL) {
        return sent->broken;
    }
    if (!answer->sent) {
        return "answer: one, but none is due";
    }
    const char *what = segments_differ(&sent->segment, &answer->segment);
    what = what != NULL ? what : clock_wrong(bench, step, sent);
    return what != NULL ? what : sack_wrong(&outcome->core, sent);
}

/* ---- a window that opens again ---- */

/*
 * Where the peer opens a closed window, what is in flight goes out again (RFC 9293 3.8.6.1), which is not the
 * oracle's matter: it is judged and taken off here. Each such segment acknowledges like any other, and may be
 * the answer that is due.
 */
static const char *take_off_resent(struct oracle_tcb *tcb, struct matrix_outcome *outcome,
                                   struct oracle_answer *answer)
{
    const struct oracle_tcb *core = &outcome->core;
    unsigned kept = 0;
    unsigned resent = 0;
    for (unsigned i = 0; i < outcome->sent_count && i < MATRIX_MAX_SENT; i++) {
        const struct oracle_segment *seg = &outcome->sent[i].segment;
        if (outcome->sent[i].reason != ESTAB_REASON_RETRANSMIT_TIMEOUT) {
            outcome->sent[kept++] = outcome->sent[i];
            continue;
        }
        uint32_t from = seg->seq - core->snd_una;
        uint32_t length = seg->text_length + ((seg->flags & ORACLE_FIN) ? 1 : 0);
        bool right =
            length > 0 && from + length <= core->snd_nxt - core->snd_una && from + length <= core->snd_wnd;
        if (!right || !(seg->flags & ORACLE_ACK) || seg->ack != core->rcv_nxt) {
            return "answer: what is sent again";
        }
        resent++;
    }
    outcome->sent_count = kept;
    if (resent > 0 && kept == 0) {
        answer->sent = answer->sent && answer->segment.flags != ORACLE_ACK;
        tcb->ack_delayed = false;
        tcb->last_ack_sent = tcb->rcv_nxt;
        tcb->rcv_adv = core->rcv_adv;
    }
    return NULL;
}

static bool opens_again(const struct oracle_tcb *before, const struct oracle_tcb *after)
{
    return before->state >= ESTAB_ESTABLISHED && before->snd_wnd == 0 && after->snd_wnd > 0 &&
           after->snd_una != after->snd_nxt;
}

/* ---- all of it ---- */

static void to_oracle(const struct oracle_segment *wire, struct oracle_segment *seg)
{
    *seg = *wire;
    seg->ack = (wire->flags & ORACLE_ACK) ? wire->ack : 0;
    if (!wire->timestamps) {
        seg->tsval = seg->tsecr = 0;
    }
}

/* What was traced: each change of state is an arrow of Figure 5's second text. */
static const char *arrows_wrong(const struct matrix_bench *bench)
{
    struct estab_trace records[MATRIX_TRACE];
    unsigned count = estab_trace_pull(bench->stack, records, MATRIX_TRACE);
    const char *wrong = NULL;
    for (unsigned i = 0; i < count && wrong == NULL; i++) {
        wrong = figure_arrow_wrong(&records[i]);
    }
    return wrong;
}

static const char *extras_wrong(const struct matrix_bench *bench, const struct matrix_step *step,
                                const struct oracle_tcb *before, const struct oracle_tcb *after)
{
    const char *what = matrix_timers_wrong(bench, step->now, before, after);
    if (what == NULL && before->state != after->state) {
        what = arrows_wrong(bench);
    }
    if (what == NULL && step->number % 8 == 0) {
        what = estab_check(bench->stack);
    }
    if (what == NULL && step->number % 8 == 1) {
        what = matrix_text_wrong(bench, after);
    }
    return what;
}

const char *matrix_compare(struct matrix_bench *bench, const struct matrix_step *step, struct oracle_tcb *tcb,
                           struct matrix_outcome *outcome, struct oracle_answer *answer)
{
    struct oracle_segment seg;
    struct oracle_tcb before = *tcb;
    struct oracle_offer offer = matrix_offer(bench, &before, step->now);
    matrix_run(bench, step, &before, outcome);
    to_oracle(&step->segment, &seg);
    tcb->time_wait_restarted = tcb->half_open_gone = false;
    bool nobody_listens = before.state == ESTAB_TIME_WAIT && bench->listener == 0;
    *answer = oracle_segment_arrives(tcb, &seg, nobody_listens ? NULL : &offer);
    const char *what = opens_again(&before, tcb) ? take_off_resent(tcb, outcome, answer) : NULL;
    what = what != NULL ? what : oracle_difference(tcb, &outcome->core);
    what = what != NULL ? what : answers_differ(bench, step, outcome, answer);
    return what != NULL ? what : extras_wrong(bench, step, &before, &outcome->core);
}
