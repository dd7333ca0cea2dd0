/*
 * Where two endpoints, or two answers, differ: the name of the first variable, as RFC 9293 3.3.1 names it.
 * Only what means something in the state is compared.
 */
#include "matrix/oracle_steps.h"

#include <stddef.h>

/* One variable of both. */
struct pair {
    const char *name;
    uint32_t a, b;
};

static const char *first_difference(const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pairs[i].a != pairs[i].b) {
            return pairs[i].name;
        }
    }
    return NULL;
}
#define FIRST_DIFFERENCE(pairs) first_difference(pairs, sizeof(pairs) / sizeof(pairs)[0])

/* A value that means something only under a condition: 0 where it does not. */
static uint32_t where(bool condition, uint32_t value)
{
    return condition ? value : 0;
}

static const char *end_difference(const struct oracle_tcb *a, const struct oracle_tcb *b)
{
    /* Who has given the connection up is told nothing any more. */
    bool told = !a->released && !b->released;
    const struct pair pairs[] = {
        {"state", a->state, b->state},
        {"half-open gone", a->half_open_gone, b->half_open_gone},
        {"end", where(told, a->end), where(told, b->end)},
    };
    return FIRST_DIFFERENCE(pairs);
}

static const char *time_wait_difference(const struct oracle_tcb *a, const struct oracle_tcb *b)
{
    const struct pair pairs[] = {
        {"SND.NXT", a->snd_nxt, b->snd_nxt},
        {"RCV.NXT", a->rcv_nxt, b->rcv_nxt},
        {"Snd.TS.OK", a->timestamps, b->timestamps},
        {"TS.Recent", where(a->timestamps, a->ts_recent), where(b->timestamps, b->ts_recent)},
        {"2MSL restarted", a->time_wait_restarted, b->time_wait_restarted},
        {"challenges left", a->challenges_left, b->challenges_left},
        {"readable", a->readable, b->readable},
        {"eof", a->eof, b->eof},
    };
    return FIRST_DIFFERENCE(pairs);
}

/* What SYN-SENT knows already. */
static const char *opening_difference(const struct oracle_tcb *a, const struct oracle_tcb *b)
{
    bool half_open = a->state == ESTAB_SYN_RECEIVED;
    const struct pair pairs[] = {
        {"released", a->released, b->released},
        {"challenges left", a->challenges_left, b->challenges_left},
        {"passive", where(half_open, a->passive), where(half_open, b->passive)},
        {"ISS", a->iss, b->iss},
        {"SND.UNA", a->snd_una, b->snd_una},
        {"SND.NXT", a->snd_nxt, b->snd_nxt},
        {"FIN sent", a->fin_sent, b->fin_sent},
    };
    return FIRST_DIFFERENCE(pairs);
}

/*
 * SND.WL2 of a half-open connection is SEG.ACK of a SYN without ACK bit, and is replaced without being read.
 */
static const char *window_difference(const struct oracle_tcb *a, const struct oracle_tcb *b)
{
    bool read = a->state != ESTAB_SYN_RECEIVED;
    const struct pair pairs[] = {
        {"SND.WND", a->snd_wnd, b->snd_wnd},
        {"SND.WL1", a->snd_wl1, b->snd_wl1},
        {"SND.WL2", where(read, a->snd_wl2), where(read, b->snd_wl2)},
        {"MAX.SND.WND", a->max_snd_wnd, b->max_snd_wnd},
        {"Snd.Wind.Shift", a->snd_shift, b->snd_shift},
        {"peer's MSS", a->peer_mss, b->peer_mss},
        {"SACK", a->sack, b->sack},
    };
    return FIRST_DIFFERENCE(pairs);
}

static const char *receive_difference(const struct oracle_tcb *a, const struct oracle_tcb *b)
{
    bool fin_a = a->fin_known && !a->eof;
    bool fin_b = b->fin_known && !b->eof;
    const struct pair pairs[] = {
        {"IRS", a->irs, b->irs},
        {"RCV.NXT", a->rcv_nxt, b->rcv_nxt},
        {"RCV.NXT + RCV.WND", a->rcv_adv, b->rcv_adv},
        {"readable", a->readable, b->readable},
        {"eof", a->eof, b->eof},
        {"FIN known", fin_a, fin_b},
        {"place of the FIN", where(fin_a, a->rcv_fin), where(fin_b, b->rcv_fin)},
        {"urgent", a->urgent, b->urgent},
        {"RCV.UP", where(a->urgent, a->rcv_up), where(b->urgent, b->rcv_up)},
        {"RMSS", a->rcv_mss, b->rcv_mss},
        {"ACK delayed", a->ack_delayed, b->ack_delayed},
        {"Last.ACK.sent", a->last_ack_sent, b->last_ack_sent},
        {"Snd.TS.OK", a->timestamps, b->timestamps},
        {"TS.Recent", where(a->timestamps, a->ts_recent), where(b->timestamps, b->ts_recent)},
        {"Rcv.Wind.Shift", a->rcv_shift, b->rcv_shift},
        {"ranges ahead", a->ahead_count, b->ahead_count},
    };
    return FIRST_DIFFERENCE(pairs);
}

static const char *ahead_difference(const struct oracle_tcb *a, const struct oracle_tcb *b)
{
    for (unsigned i = 0; i < a->ahead_count; i++) {
        if (a->ahead[i].left != b->ahead[i].left || a->ahead[i].right != b->ahead[i].right) {
            return "a range ahead";
        }
    }
    return NULL;
}

const char *oracle_difference(const struct oracle_tcb *a, const struct oracle_tcb *b)
{
    const char *name = end_difference(a, b);
    if (name != NULL || a->state == ESTAB_CLOSED || a->state == ESTAB_LISTEN) {
        return name;
    }
    if (a->state == ESTAB_TIME_WAIT) {
        return time_wait_difference(a, b);
    }
    name = opening_difference(a, b);
    if (name != NULL || a->state == ESTAB_SYN_SENT) {
        return name;
    }
    name = window_difference(a, b);
    name = name != NULL ? name : receive_difference(a, b);
    return name != NULL ? name : ahead_difference(a, b);
}

/* TSval is the sender's clock, which nobody predicts. The options of a SYN stand only on one. */
const char *oracle_answer_difference(const struct oracle_answer *a, const struct oracle_answer *b)
{
    const struct oracle_segment *left = &a->segment;
    const struct oracle_segment *right = &b->segment;
    bool syn = (left->flags & ORACLE_SYN) != 0;
    const struct pair pairs[] = {
        {"flags of the answer", left->flags, right->flags},
        {"SEQ of the answer", left->seq, right->seq},
        {"ACK of the answer", left->ack, right->ack},
        {"text of the answer", left->text_length, right->text_length},
        {"window of the answer", left->window, right->window},
        {"timestamps of the answer", left->timestamps, right->timestamps},
        {"TSecr of the answer", where(left->timestamps, left->tsecr), where(right->timestamps, right->tsecr)},
        {"MSS of the answer", where(syn, left->mss), where(syn, right->mss)},
        {"window scale of the answer", where(syn, (uint8_t)left->window_scale),
         where(syn, (uint8_t)right->window_scale)},
        {"SACK-permitted of the answer", where(syn, left->sack_permitted), where(syn, right->sack_permitted)},
    };
    if (a->sent != b->sent) {
        return "answer";
    }
    return a->sent ? FIRST_DIFFERENCE(pairs) : NULL;
}
