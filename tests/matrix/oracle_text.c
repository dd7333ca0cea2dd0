/*
 * RFC 9293 3.10.7.4, sixth to eighth: the urgent pointer (3.8.5), the text with its acknowledgment (3.8.6.3,
 * RFC 5681 4.2), the FIN. The segment has been trimmed to the window.
 */
#include "matrix/oracle_steps.h"

/* The states in which the peer has not closed its direction yet; in the rest F-URG-2, F-TXT-2, F-FIN-6. */
static bool peer_may_send(const struct oracle_tcb *tcb)
{
    return tcb->state == ESTAB_ESTABLISHED || tcb->state == ESTAB_FIN_WAIT_1 ||
           tcb->state == ESTAB_FIN_WAIT_2;
}

/*
 * F-URG-1, MUST-62: SEQ + UP is the octet after the urgent data, counted from the SEQ that was sent. The
 * pointer cannot recede, and what the user has read is not urgent any more: he reads next what stands at
 * RCV.NXT - readable.
 */
void oracle_sixth_urgent(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    if (!oracle_has(arrival, ORACLE_URG) || !peer_may_send(tcb)) {
        return;
    }
    uint32_t end = arrival->sent->seq + arrival->sent->up;
    uint32_t reads_next = tcb->rcv_nxt - tcb->readable;
    bool unread = oracle_place(end, reads_next) > 0;
    bool advances = !tcb->urgent || oracle_place(end, tcb->rcv_up) > 0;
    if (unread && advances) {
        tcb->urgent = true;
        tcb->rcv_up = end;
    }
}

/* SHLD-31: the text joins what is held ahead of RCV.NXT; ranges that overlap or touch become one. */
static void hold(struct oracle_tcb *tcb, uint32_t seq, uint32_t length)
{
    struct oracle_range held[ORACLE_RANGES + 1];
    unsigned count = 0;
    int64_t left = oracle_place(seq, tcb->rcv_nxt);
    int64_t right = left + length;
    bool placed = false;
    for (unsigned i = 0; i < tcb->ahead_count; i++) {
        struct oracle_range other = tcb->ahead[i];
        int64_t other_left = oracle_place(other.left, tcb->rcv_nxt);
        int64_t other_right = oracle_place(other.right, tcb->rcv_nxt);
        if (other_left > right && !placed) {
            held[count++] =
                (struct oracle_range){tcb->rcv_nxt + (uint32_t)left, tcb->rcv_nxt + (uint32_t)right};
            placed = true;
        }
        if (other_right < left || other_left > right) {
            held[count++] = other;
            continue;
        }
        left = other_left < left ? other_left : left;
        right = other_right > right ? other_right : right;
    }
    if (!placed) {
        held[count++] = (struct oracle_range){tcb->rcv_nxt + (uint32_t)left, tcb->rcv_nxt + (uint32_t)right};
    }
    /* The oracle remembers few ranges: the last one makes room. */
    tcb->ahead_count = count < ORACLE_RANGES ? count : ORACLE_RANGES;
    for (unsigned i = 0; i < tcb->ahead_count; i++) {
        tcb->ahead[i] = held[i];
    }
}

/*
 * F-TXT-1: RCV.NXT moves over what stands at it now. The user may read that much more, and as much less is
 * free: the right edge stays (3.8.6.2.2).
 */
static void deliver(struct oracle_tcb *tcb)
{
    if (tcb->ahead_count == 0 || tcb->ahead[0].left != tcb->rcv_nxt) {
        return;
    }
    uint32_t length = tcb->ahead[0].right - tcb->ahead[0].left;
    tcb->rcv_nxt += length;
    tcb->readable += length;
    tcb->rcv_room = tcb->rcv_room > length ? tcb->rcv_room - length : 0;
    tcb->ahead_count--;
    for (unsigned i = 0; i < tcb->ahead_count; i++) {
        tcb->ahead[i] = tcb->ahead[i + 1];
    }
}

/*
 * SHLD-19: how large a full segment of the peer is, is learned from what it sends. Choice: from text in order
 * behind the handshake, which is the text that the delayed ACK counts.
 */
static void learn_full_size(struct oracle_tcb *tcb, uint32_t length)
{
    uint32_t size = length < tcb->adv_mss ? length : tcb->adv_mss;
    tcb->rcv_mss = size > tcb->rcv_mss ? size : tcb->rcv_mss;
}

/*
 * RFC 2883 4: with SACK the part of a segment that was had before is reported, of the newest segment; choice:
 * hence at once.
 */
static bool had_in_part(const struct oracle_arrival *arrival)
{
    int64_t cut = oracle_place(arrival->seq, arrival->sent->seq);
    return arrival->tcb->sack && cut > (oracle_has(arrival, ORACLE_SYN) ? 1 : 0);
}

/*
 * SHLD-18, SHLD-19, MUST-58: text in order may wait for its ACK until as much as two full segments is there.
 * RFC 5681 4.2: not where it fills (a part of) a gap, and not what lies behind one (MAY-13, choice: always at
 * once).
 */
static void owe_for_text(struct oracle_arrival *arrival, bool in_order, bool gap)
{
    const struct oracle_tcb *tcb = arrival->tcb;
    int64_t waiting = oracle_place(tcb->rcv_nxt, tcb->last_ack_sent);
    bool at_once = !in_order || gap || had_in_part(arrival) || waiting >= 2 * (int64_t)tcb->rcv_mss;
    oracle_owe(arrival, at_once ? ORACLE_OWED_ACK : ORACLE_OWED_LATER);
}

/*
 * F-TXT-3, SHLD-3: nobody will ever read it, which the peer is told by a RST. Choice: the RST is the one that
 * the segment would get had the connection gone already (3.10.7.1): at SEG.ACK it is sure to meet the peer's
 * RCV.NXT, which SND.NXT is not while our FIN is under way.
 */
static bool text_after_close(struct oracle_arrival *arrival)
{
    oracle_end(arrival->tcb, ORACLE_ABORTED);
    oracle_owe(arrival, ORACLE_OWED_RESET);
    return false;
}

bool oracle_seventh_text(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    if (!peer_may_send(tcb)) {
        return true;
    }
    if (arrival->text_length == 0) {
        if (arrival->sent->text_length > 0) {
            oracle_owe(arrival, ORACLE_OWED_ACK); /* all of it was had before, or does not fit */
        }
        return true;
    }
    if (tcb->released) {
        return text_after_close(arrival);
    }
    bool in_order = arrival->seq == tcb->rcv_nxt;
    bool gap = tcb->ahead_count > 0 || tcb->fin_known;
    if (in_order) {
        learn_full_size(tcb, arrival->text_length);
    }
    hold(tcb, arrival->seq, arrival->text_length);
    deliver(tcb);
    owe_for_text(arrival, in_order, gap);
    return true;
}

/*
 * The user is told that nothing follows; what was held ahead of it cannot be delivered any more. The FIN
 * takes no buffer (3.8.6.2.2: RCV.USER is data).
 */
static void reach_fin(struct oracle_tcb *tcb)
{
    tcb->rcv_nxt++;
    tcb->eof = true;
    tcb->ahead_count = 0;
    switch (tcb->state) {
    case ESTAB_ESTABLISHED: tcb->state = ESTAB_CLOSE_WAIT; break; /* F-FIN-2 */
    case ESTAB_FIN_WAIT_1: tcb->state = ESTAB_CLOSING; break;     /* F-FIN-4; our FIN is not acknowledged */
    case ESTAB_FIN_WAIT_2: tcb->state = ESTAB_TIME_WAIT; break;   /* F-FIN-3, F-FIN-5 */
    default: break;
    }
}

/*
 * F-FIN-8: a FIN counts when RCV.NXT reaches it; until then it is remembered, the place told last. One that
 * RCV.NXT has passed, by the text of its segment or later, was none: its octet was had, and was text.
 */
void oracle_eighth_fin(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    if (!peer_may_send(tcb)) {
        return;
    }
    uint32_t place = arrival->seq + arrival->text_length;
    if (arrival->fin) {
        oracle_owe(arrival, ORACLE_OWED_ACK);
    }
    if (arrival->fin && oracle_place(place, tcb->rcv_nxt) >= 0) {
        tcb->fin_known = true;
        tcb->rcv_fin = place;
    }
    if (!tcb->fin_known) {
        return;
    }
    int64_t ahead = oracle_place(tcb->rcv_fin, tcb->rcv_nxt);
    if (ahead < 0) {
        tcb->fin_known = false;
    } else if (ahead == 0) {
        reach_fin(tcb);
        oracle_owe(arrival, ORACLE_OWED_ACK);
    }
}
