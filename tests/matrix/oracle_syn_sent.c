/*
 * RFC 9293 3.10.7.3: a segment arrives in SYN-SENT, first to fifth (the third, security, is not there: RFC
 * 9293 A.1 leaves it to multilevel secure hosts).
 */
#include "matrix/oracle_steps.h"

/* F-SYNSENT-1, -2: ISS < SEG.ACK =< SND.NXT, also where a part of what was sent with the SYN is left (-8). */
static bool first_ack(struct oracle_arrival *arrival)
{
    const struct oracle_tcb *tcb = arrival->tcb;
    if (!oracle_has(arrival, ORACLE_ACK)) {
        return true;
    }
    int64_t ack = oracle_place(arrival->sent->ack, tcb->iss);
    if (ack > 0 && ack <= oracle_place(tcb->snd_nxt, tcb->iss)) {
        return true;
    }
    if (!oracle_has(arrival, ORACLE_RST)) {
        oracle_owe(arrival, ORACLE_OWED_RESET);
    }
    return false;
}

/*
 * F-SYNSENT-3, -4. RCV.NXT is not known here, so RFC 5961 3.2 leaves the ACK as the only check (U-2). The
 * text says "connection reset"; choice: the user hears "refused", as 3.10.7.4 says for SYN-RECEIVED and as
 * sockets do.
 */
static bool second_reset(struct oracle_arrival *arrival)
{
    if (!oracle_has(arrival, ORACLE_RST)) {
        return true;
    }
    if (oracle_has(arrival, ORACLE_ACK)) {
        oracle_end(arrival->tcb, ORACLE_REFUSED);
    }
    return false;
}

/*
 * F-SYNSENT-5: our SYN is acknowledged. Goes on at the sixth step; the ACK of the SYN acknowledges all of it.
 */
static void fourth_syn_with_ack(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    oracle_take_syn_options(arrival);
    tcb->snd_una = arrival->sent->ack;
    oracle_take_window(arrival);
    tcb->state = ESTAB_ESTABLISHED;
    oracle_owe(arrival, ORACLE_OWED_ACK);
    oracle_trim(arrival);
    oracle_sixth_urgent(arrival);
    if (oracle_seventh_text(arrival)) {
        oracle_eighth_fin(arrival);
    }
}

/* F-SYNSENT-6: simultaneous open (MUST-10); MUST-11: it is remembered as an active one. */
static void fourth_syn_alone(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    oracle_take_syn_options(arrival);
    oracle_take_window(arrival);
    oracle_keep_text_of_syn(arrival);
    tcb->passive = false;
    tcb->state = ESTAB_SYN_RECEIVED;
    oracle_owe(arrival, ORACLE_OWED_SYN_ACK);
}

void oracle_syn_sent(struct oracle_arrival *arrival)
{
    if (!first_ack(arrival) || !second_reset(arrival)) {
        return;
    }
    if (!arrival->syn) {
        return; /* fifth, F-SYNSENT-7; with it goes a FIN, F-FIN-1 */
    }
    if (oracle_has(arrival, ORACLE_ACK)) {
        fourth_syn_with_ack(arrival);
    } else {
        fourth_syn_alone(arrival);
    }
}
