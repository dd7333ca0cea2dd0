/*
 * RFC 9293 3.10.7.4, fifth: the ACK field, in each state but TIME-WAIT, with the check of RFC 5961 5.2 and,
 * once the ACK is believed, TS.Recent (RFC 7323 4.3, 5.3 R3).
 */
#include "matrix/oracle_steps.h"

/*
 * SND.WND, WL1, WL2 from the segment, without a comparison. RFC 7323 2.2: the window of a segment with a SYN
 * is never shifted. Choice: SEG.SEQ is that of the trimmed segment, which 3.10.7.4 speaks about from the
 * second step on.
 */
void oracle_take_window(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    unsigned shift = oracle_has(arrival, ORACLE_SYN) ? 0 : tcb->snd_shift;
    tcb->snd_wnd = arrival->sent->window << shift;
    tcb->snd_wl1 = oracle_has(arrival, ORACLE_SYN) ? arrival->sent->seq : arrival->seq;
    tcb->snd_wl2 = arrival->sent->ack;
    if (tcb->snd_wnd > tcb->max_snd_wnd) {
        tcb->max_snd_wnd = tcb->snd_wnd;
    }
}

/* F-ACK-7, F-ACK-8: an old segment does not change the window. */
static void update_window(struct oracle_arrival *arrival)
{
    const struct oracle_tcb *tcb = arrival->tcb;
    int64_t sequence = oracle_place(arrival->seq, tcb->snd_wl1);
    int64_t ack = oracle_place(arrival->sent->ack, tcb->snd_wl2);
    if (sequence > 0 || (sequence == 0 && ack >= 0)) {
        oracle_take_window(arrival);
    }
}

/* F-ACK-1, F-ACK-6, RFC 5961 5.2: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT. */
static bool is_believable(const struct oracle_arrival *arrival)
{
    const struct oracle_tcb *tcb = arrival->tcb;
    int64_t ack = oracle_place(arrival->sent->ack, tcb->snd_una);
    return ack >= -(int64_t)tcb->max_snd_wnd && ack <= oracle_place(tcb->snd_nxt, tcb->snd_una);
}

/* SND.UNA < SEG.ACK =< SND.NXT */
static bool acknowledges_new(const struct oracle_arrival *arrival)
{
    const struct oracle_tcb *tcb = arrival->tcb;
    int64_t ack = oracle_place(arrival->sent->ack, tcb->snd_una);
    return ack > 0 && ack <= oracle_place(tcb->snd_nxt, tcb->snd_una);
}

static bool our_fin_is_acknowledged(const struct oracle_tcb *tcb)
{
    return tcb->fin_sent && tcb->snd_una == tcb->snd_nxt;
}

/*
 * RFC 7323 4.3 (2), 5.3 R3, with the SEG.SEQ that was sent.
 *
 * DEVIATION: R3 stands before the ACK step. Here an ACK that is not believed leaves TS.Recent alone, so that
 * who guesses a sequence number but no ACK cannot poison it (the reason of RFC 5961 5.2).
 */
static void remember_timestamp(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    if (tcb->timestamps && !oracle_timestamp_older(arrival) &&
        oracle_place(arrival->sent->seq, tcb->last_ack_sent) <= 0) {
        tcb->ts_recent = arrival->sent->tsval;
    }
}

/* F-ACK-2, F-ACK-3. A bad ACK leaves the connection as it is (3.5.2, second group). */
static bool in_syn_received(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    if (!acknowledges_new(arrival)) {
        oracle_owe(arrival, ORACLE_OWED_RESET);
        return false;
    }
    remember_timestamp(arrival);
    tcb->snd_una = arrival->sent->ack;
    oracle_take_window(arrival);
    tcb->state = ESTAB_ESTABLISHED;
    return true;
}

/*
 * F-ACK-4, F-ACK-5, F-ACK-11. An ACK older than SND.UNA brings no window (F-ACK-7).
 *
 * CLOSE in SYN-RECEIVED leads to FIN-WAIT-1 before our SYN was acknowledged: the first good ACK is then what
 * in SYN-RECEIVED establishes the connection, and its window is taken without a comparison.
 */
static void as_in_established(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    bool establishes = tcb->snd_una == tcb->iss && acknowledges_new(arrival);
    if (acknowledges_new(arrival)) {
        tcb->snd_una = arrival->sent->ack;
    }
    if (establishes) {
        oracle_take_window(arrival);
    } else if (oracle_place(arrival->sent->ack, tcb->snd_una) >= 0) {
        update_window(arrival);
    }
}

/* What the ACK means in the state beyond that: F-ACK-9, F-ACK-12, F-ACK-13. */
static bool by_state(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    bool closed = our_fin_is_acknowledged(tcb);
    switch (tcb->state) {
    case ESTAB_FIN_WAIT_1:
        if (closed) {
            tcb->state = ESTAB_FIN_WAIT_2;
        }
        return true;
    case ESTAB_CLOSING:
        /*
         * The segment ends here in both cases: "otherwise, ignore"; and TIME-WAIT heeds neither text nor FIN.
         */
        if (closed) {
            tcb->state = ESTAB_TIME_WAIT;
        }
        return false;
    case ESTAB_LAST_ACK:
        if (closed) {
            oracle_end(tcb, ORACLE_ENDED);
        }
        return false;
    default: return true; /* ESTABLISHED, FIN-WAIT-2 (F-ACK-10), CLOSE-WAIT */
    }
}

bool oracle_fifth_ack(struct oracle_arrival *arrival)
{
    if (!oracle_has(arrival, ORACLE_ACK)) {
        return false; /* F-ACK-0, U-11 */
    }
    if (arrival->tcb->state == ESTAB_SYN_RECEIVED) {
        return in_syn_received(arrival);
    }
    if (!is_believable(arrival)) {
        oracle_owe_limited_ack(arrival);
        return false;
    }
    remember_timestamp(arrival);
    as_in_established(arrival);
    return by_state(arrival);
}
