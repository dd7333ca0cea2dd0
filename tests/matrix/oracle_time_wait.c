/*
 * RFC 9293 3.10.7.4 in TIME-WAIT, all steps: the RST (RFC 1337), the SYN (RFC 6191), timestamps (RFC 7323
 * 5.3), the peer's FIN again, and the rest, which is old. A record stands for the connection here: it knows
 * SND.NXT, RCV.NXT, the window announced last, and the timestamps.
 */
#include "matrix/oracle_steps.h"

/*
 * RFC 6191 2: may this SYN open the next connection of the pair of sockets? Choice: "larger than the last
 * sequence number seen" is read as beyond RCV.NXT, one further than the letter, which leaves no doubt about
 * the FIN.
 */
static bool opens_again(const struct oracle_arrival *arrival)
{
    const struct oracle_tcb *tcb = arrival->tcb;
    bool beyond = oracle_place(arrival->sent->seq, tcb->rcv_nxt) > 0;
    if (!arrival->sent->timestamps) {
        return beyond; /* A.3, B.2 */
    }
    if (!tcb->timestamps) {
        return true; /* B.1 */
    }
    int64_t newer = oracle_place(arrival->sent->tsval, tcb->ts_recent);
    return newer > 0 || (newer == 0 && beyond); /* A.1, A.2 */
}

/*
 * F-SEQ-9: before the sequence check. DEVIATION (RFC 6191 A.4, B.3: silence): a SYN that may not open a
 * connection gets the challenge ACK of RFC 9293, at a limited rate, so that a peer that forgot the connection
 * finds out by the RST it sends in answer.
 */
static void syn(struct oracle_arrival *arrival, const struct oracle_offer *offer)
{
    if (oracle_has(arrival, ORACLE_ACK) || !opens_again(arrival) || offer == NULL) {
        oracle_owe_limited_ack(arrival);
        return;
    }
    *arrival->tcb = (struct oracle_tcb){.state = ESTAB_LISTEN};
    oracle_listen(arrival, offer);
}

/*
 * RFC 7323 3.2, 5.3 R1. What comes here carries nothing new: its ACK is a limited one, with text or without.
 */
static bool timestamps(struct oracle_arrival *arrival)
{
    if (!arrival->tcb->timestamps) {
        return true;
    }
    if (!arrival->sent->timestamps) {
        return false;
    }
    if (oracle_timestamp_older(arrival)) {
        oracle_owe_limited_ack(arrival);
        return false;
    }
    return true;
}

/*
 * F-ACK-14, F-FIN-7: the peer's FIN again, at the place where it was: our ACK was lost. It lies left of the
 * window, so by the letter the first step acknowledges and drops it; the fifth and eighth say what is meant.
 */
static bool fin_again(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    uint32_t after = arrival->sent->seq + arrival->sent->text_length + 1;
    if (!arrival->fin || after != tcb->rcv_nxt) {
        return false;
    }
    tcb->time_wait_restarted = true;
    oracle_owe(arrival, ORACLE_OWED_ACK);
    return true;
}

/*
 * The peer has nothing to send beyond its FIN, so only RCV.NXT is expected (F-SEQ-5), with an ACK of all that
 * we sent; F-TXT-2, F-URG-2: what it carries is ignored.
 */
static void rest(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    if (arrival->sent->seq != tcb->rcv_nxt) {
        oracle_owe_limited_ack(arrival);
        return;
    }
    if (!oracle_has(arrival, ORACLE_ACK)) {
        return; /* F-ACK-0 */
    }
    if (arrival->sent->ack != tcb->snd_nxt) {
        oracle_owe_limited_ack(arrival); /* F-ACK-1 */
        return;
    }
    if (tcb->timestamps) {
        tcb->ts_recent = arrival->sent->tsval; /* RFC 7323 5.3 R3: in the window, and not older */
    }
}

void oracle_time_wait(struct oracle_arrival *arrival, const struct oracle_offer *offer)
{
    if (oracle_has(arrival, ORACLE_RST)) {
        /*
         * DEVIATION (F-RST-6): ignored, also at RCV.NXT, so that nothing ends TIME-WAIT early (RFC 1337 F1).
         */
        return;
    }
    if (arrival->syn) {
        syn(arrival, offer);
        return;
    }
    if (timestamps(arrival) && !fin_again(arrival)) {
        rest(arrival);
    }
}
