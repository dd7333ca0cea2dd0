/*
 * RFC 9293 3.10.7.4, "other states" but TIME-WAIT: the order of its eight steps, and the first four: sequence
 * number (with RFC 7323 5.3 before it), RST (RFC 5961 3.2), security (not there, A.1), SYN (RFC 5961 4.2).
 */
#include "matrix/oracle_steps.h"

/* The TCB is gone, and with it all queues; its user is told how. */
void oracle_end(struct oracle_tcb *tcb, enum oracle_end end)
{
    tcb->state = ESTAB_CLOSED;
    tcb->end = end;
}

/*
 * RFC 7323 5.2: TSval < TS.Recent in 32-bit arithmetic. Choice: a distance of exactly half the circle, which
 * is neither less nor more there, counts as older.
 */
bool oracle_timestamp_older(const struct oracle_arrival *arrival)
{
    return oracle_place(arrival->sent->tsval, arrival->tcb->ts_recent) < 0;
}

/*
 * RFC 7323 3.2, 5.3 R1, before the sequence check and not for a RST: a segment without the timestamps that
 * were negotiated is dropped in silence, one with an old TSval is not acceptable and answered by an ACK.
 *
 * Choice: what carries text is always acknowledged (its sender waits for that), what does not counts against
 * the limit of RFC 5961 7.
 */
static bool first_timestamps(struct oracle_arrival *arrival)
{
    if (!arrival->tcb->timestamps || oracle_has(arrival, ORACLE_RST)) {
        return true;
    }
    if (!arrival->sent->timestamps) {
        return false;
    }
    if (!oracle_timestamp_older(arrival)) {
        return true;
    }
    if (arrival->text_length > 0) {
        oracle_owe(arrival, ORACLE_OWED_ACK);
    } else {
        oracle_owe_limited_ack(arrival);
    }
    return false;
}

/*
 * Simultaneous open, RFC 9293 Figure 7, lines 6 and 7: the peer's SYN,ACK repeats a SYN that was taken
 * already, so it lies left of the window, and the sequence check would refuse the ACK that we wait for.
 *
 * DEVIATION: it is let on without its SYN, from SEQ + 1, where its ACK acknowledges our SYN. (RFC 9293 A.2
 * leaves the way to each implementation.)
 */
static bool is_crossing_syn_ack(const struct oracle_arrival *arrival)
{
    const struct oracle_tcb *tcb = arrival->tcb;
    if (tcb->state != ESTAB_SYN_RECEIVED || tcb->passive || oracle_has(arrival, ORACLE_RST) ||
        !arrival->syn || !oracle_has(arrival, ORACLE_ACK) || arrival->sent->seq != tcb->irs) {
        return false;
    }
    int64_t ack = oracle_place(arrival->sent->ack, tcb->snd_una);
    return ack > 0 && ack <= oracle_place(tcb->snd_nxt, tcb->snd_una);
}

/*
 * Table 6, F-SEQ-1 to F-SEQ-4.
 *
 * DEVIATION (F-SEQ-3; MUST-66, U-13, 3.8.6.1): a segment with text at RCV.NXT is let on where the window is
 * closed, so that its RST, ACK and URG count. Its text is trimmed to nothing, and an ACK is owed.
 */
static bool is_acceptable(const struct oracle_arrival *arrival)
{
    const struct oracle_tcb *tcb = arrival->tcb;
    int64_t length = (int64_t)arrival->text_length + arrival->syn + arrival->fin;
    int64_t first = oracle_place(arrival->seq, tcb->rcv_nxt);
    int64_t last = first + length - 1;
    int64_t window = oracle_place(tcb->rcv_adv, tcb->rcv_nxt);
    bool first_fits = first >= 0 && first < window;
    bool last_fits = last >= 0 && last < window;
    if (window == 0) {
        return first == 0;
    }
    return length == 0 ? first_fits : first_fits || last_fits;
}

/* F-SYN-1: the SYN that made this connection, again; its sender has not seen our SYN,ACK. */
static bool is_syn_again(const struct oracle_arrival *arrival)
{
    return arrival->tcb->state == ESTAB_SYN_RECEIVED && arrival->syn && !oracle_has(arrival, ORACLE_ACK) &&
           arrival->sent->seq == arrival->tcb->irs;
}

/*
 * F-SEQ-5, F-SEQ-6. Choice: text is acknowledged always, the rest at a limited rate, as in
 * first_timestamps().
 */
static void refuse(struct oracle_arrival *arrival)
{
    if (oracle_has(arrival, ORACLE_RST)) {
        return; /* also RFC 5961 3.2, rule 1: F-RST-1 */
    }
    if (is_syn_again(arrival)) {
        oracle_owe(arrival, ORACLE_OWED_SYN_ACK);
    } else if (arrival->syn || arrival->text_length == 0) {
        oracle_owe_limited_ack(arrival); /* F-SYN-2: irrespective of the sequence number */
    } else {
        oracle_owe(arrival, ORACLE_OWED_ACK);
    }
}

/*
 * F-SEQ-7: what lies left of the window was had already; what lies right of it, a FIN included, is not taken
 * and will come again, so an ACK tells where the window ends (3.8.6.1).
 */
void oracle_trim(struct oracle_arrival *arrival)
{
    const struct oracle_tcb *tcb = arrival->tcb;
    int64_t edge = oracle_place(tcb->rcv_adv, tcb->rcv_nxt);
    int64_t left = oracle_place(arrival->seq, tcb->rcv_nxt);
    int64_t right = left + arrival->text_length;
    if (right + arrival->fin > edge && (arrival->fin || arrival->text_length > 0)) {
        arrival->fin = false;
        right = right < edge ? right : edge;
        oracle_owe(arrival, ORACLE_OWED_ACK);
    }
    if (left < 0) {
        left = 0;
        if (right < 0) {
            arrival->fin = false;
        }
    }
    if (right < left) {
        right = left;
    }
    arrival->seq = tcb->rcv_nxt + (uint32_t)left;
    arrival->text_length = (uint32_t)(right - left);
}

static bool first_sequence(struct oracle_arrival *arrival)
{
    if (is_crossing_syn_ack(arrival)) {
        arrival->syn = false;
        arrival->seq++;
        oracle_trim(arrival);
        return true;
    }
    if (!is_acceptable(arrival)) {
        refuse(arrival);
        return false;
    }
    /* A RST and a SYN are judged as they were sent, and end in their step. */
    if (!oracle_has(arrival, ORACLE_RST) && !arrival->syn) {
        oracle_trim(arrival);
    }
    return true;
}

/* F-RST-3 to F-RST-6 (TIME-WAIT is elsewhere). */
static void take_reset(struct oracle_tcb *tcb)
{
    switch (tcb->state) {
    case ESTAB_SYN_RECEIVED:
        if (tcb->passive) {
            tcb->state = ESTAB_LISTEN;
            tcb->half_open_gone = true;
        } else {
            oracle_end(tcb, ORACLE_REFUSED);
        }
        break;
    case ESTAB_CLOSING:
    case ESTAB_LAST_ACK:
        /* Choice: a user whose text the peer has not taken, more than the FIN, learns of it. */
        oracle_end(tcb, tcb->snd_nxt - tcb->snd_una == 1 ? ORACLE_ENDED : ORACLE_RESET);
        break;
    default: oracle_end(tcb, ORACLE_RESET); break;
    }
}

/*
 * RFC 5961 3.2: only at RCV.NXT exactly; elsewhere in the window a challenge ACK. SHLD-2: with text or
 * without.
 */
static bool second_reset(struct oracle_arrival *arrival)
{
    if (!oracle_has(arrival, ORACLE_RST)) {
        return true;
    }
    int64_t at = oracle_place(arrival->sent->seq, arrival->tcb->rcv_nxt);
    if (at == 0) {
        take_reset(arrival->tcb);
    } else if (at > 0) {
        oracle_owe_limited_ack(arrival); /* F-RST-2 */
    }
    /* Left of the window with text that reaches into it: the RST itself lies outside, F-RST-1. */
    return false;
}

/*
 * F-SYN-2, RFC 5961 4.2: a challenge ACK.
 *
 * DEVIATION (F-SYN-1): the text returns a passive SYN-RECEIVED to LISTEN here, so that one forged SYN in the
 * window ends a handshake. The SYN that made the connection gets our SYN,ACK again, any other the challenge
 * ACK.
 */
static bool fourth_syn(struct oracle_arrival *arrival)
{
    if (!arrival->syn) {
        return true;
    }
    if (is_syn_again(arrival)) {
        oracle_owe(arrival, ORACLE_OWED_SYN_ACK);
    } else {
        oracle_owe_limited_ack(arrival);
    }
    return false;
}

void oracle_synchronized(struct oracle_arrival *arrival)
{
    if (!first_timestamps(arrival) || !first_sequence(arrival) || !second_reset(arrival) ||
        !fourth_syn(arrival) || !oracle_fifth_ack(arrival)) {
        return;
    }
    oracle_sixth_urgent(arrival);
    if (oracle_seventh_text(arrival)) {
        oracle_eighth_fin(arrival);
    }
}
