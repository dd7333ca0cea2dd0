/*
 * What is sent in answer: the ACK, SYN,ACK and RST of RFC 9293 3.10.7, the window they announce (3.8.6, RFC
 * 7323 2.3), their timestamps (RFC 7323 3.2, 4.3, 5.2), and the limit on ACKs that anyone can provoke (RFC
 * 5961 7). Sending an ACK changes what is remembered: Last.ACK.sent and the edge announced.
 */
#include "matrix/oracle_steps.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/*
 * At most one answer a segment (F-INV-3): what acknowledges more or says more stands in for the rest. A RST
 * replaces an ACK, since what it answers is not taken.
 */
void oracle_owe(struct oracle_arrival *arrival, enum oracle_owed owed)
{
    if (owed > arrival->owed) {
        arrival->owed = owed;
    }
}

/*
 * Choice (RFC 5961 7; erratum 4772): challenge ACKs and ACKs for what carries no text are counted together, a
 * connection for itself and never all of a stack together. One that is owed anyway costs nothing.
 */
void oracle_owe_limited_ack(struct oracle_arrival *arrival)
{
    if (arrival->owed >= ORACLE_OWED_ACK || arrival->tcb->challenges_left == 0) {
        return;
    }
    arrival->tcb->challenges_left--;
    oracle_owe(arrival, ORACLE_OWED_ACK);
}

/*
 * 3.8.6.2.2, MUST-39: the right edge stays until it can move by min(RCV.BUFF / 2, Eff.snd.MSS). RCV.BUFF is
 * what stands readable and what is free. Returns RCV.WND to announce: never less than before (SHLD-14).
 */
static uint32_t window_to_announce(const struct oracle_tcb *tcb)
{
    uint32_t announced = tcb->rcv_adv - tcb->rcv_nxt;
    uint32_t step = smaller((tcb->rcv_room + tcb->readable) / 2, tcb->peer_mss);
    bool moves = tcb->rcv_room > announced && tcb->rcv_room - announced >= step;
    return moves ? tcb->rcv_room : announced;
}

/*
 * RFC 7323 2.3: the field is the window shifted right.
 *
 * Choice: shifting drops low bits, which would show the peer an edge left of the one announced before. Of the
 * two ways that RFC 7323 2.4 names, the one that does not shrink the window (SHLD-14): it is rounded up where
 * the edge stays, and as rcv_adv remembers, what was announced is taken. An edge that moves is rounded down.
 */
static uint32_t announce_window(struct oracle_tcb *tcb)
{
    unsigned shift = tcb->rcv_shift;
    uint32_t announced = tcb->rcv_adv - tcb->rcv_nxt;
    uint32_t kept = (announced + (1U << shift) - 1) >> shift;
    uint32_t moved = window_to_announce(tcb) >> shift;
    uint32_t field = smaller(moved > kept ? moved : kept, 0xffff);
    uint32_t told = field << shift;
    if (told > announced) {
        tcb->rcv_adv = tcb->rcv_nxt + told;
    }
    return field;
}

/* RFC 7323 3.2: once negotiated, in every segment; 4.3 (3): it echoes TS.Recent. */
static void add_timestamps(const struct oracle_tcb *tcb, struct oracle_segment *segment)
{
    segment->timestamps = tcb->timestamps;
    segment->tsecr = tcb->timestamps ? tcb->ts_recent : 0;
}

static struct oracle_segment form_ack(struct oracle_tcb *tcb)
{
    struct oracle_segment segment = {
        .seq = tcb->snd_nxt, .ack = tcb->rcv_nxt, .flags = ORACLE_ACK, .window_scale = -1};
    /* Choice: the record of TIME-WAIT holds no buffer and repeats the window that was announced last. */
    segment.window = tcb->state == ESTAB_TIME_WAIT ? (tcb->rcv_adv - tcb->rcv_nxt) >> tcb->rcv_shift
                                                   : announce_window(tcb);
    add_timestamps(tcb, &segment);
    return segment;
}

/*
 * RFC 7323 2.2, 3.2 and RFC 2018 2: a SYN,ACK has the options that the SYN had and that we offer. MUST-14:
 * MSS. Choice: it never moves the edge, so that each repetition tells the same one; the first ACK may.
 */
static struct oracle_segment form_syn_ack(struct oracle_tcb *tcb)
{
    struct oracle_segment segment = {.seq = tcb->iss,
                                     .ack = tcb->rcv_nxt,
                                     .flags = ORACLE_SYN | ORACLE_ACK,
                                     .mss = tcb->adv_mss,
                                     .sack_permitted = tcb->sack};
    segment.window_scale = tcb->window_scale ? (int8_t)tcb->rcv_shift : -1;
    segment.window = smaller(tcb->rcv_adv - tcb->rcv_nxt, 0xffff);
    add_timestamps(tcb, &segment);
    return segment;
}

/*
 * 3.10.7.1, 3.5.2: the RST takes its SEQ from the ACK, or else acknowledges all of the segment. F-INV-1: it
 * has no SYN. RFC 7323 5.2: it has timestamps where the segment had them, and echoes the segment's own.
 *
 * DEVIATION (R7323-31, which is RECOMMENDED): not in SYN-SENT. That RST is to clear an old connection of the
 * peer (3.5.1), and its TSval of 0 may look old to a peer that applies PAWS to a RST too.
 */
static struct oracle_segment form_reset(const struct oracle_arrival *arrival)
{
    const struct oracle_segment *sent = arrival->sent;
    bool timestamps = sent->timestamps && arrival->tcb->state != ESTAB_SYN_SENT;
    struct oracle_segment segment = {.flags = ORACLE_RST, .window_scale = -1};
    if (sent->flags & ORACLE_ACK) {
        segment.seq = sent->ack;
    } else {
        segment.flags |= ORACLE_ACK;
        segment.ack = sent->seq + sent->text_length + ((sent->flags & ORACLE_SYN) ? 1 : 0) +
                      ((sent->flags & ORACLE_FIN) ? 1 : 0);
    }
    segment.timestamps = timestamps;
    segment.tsecr = timestamps ? sent->tsval : 0;
    return segment;
}

struct oracle_answer oracle_answer_form(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    struct oracle_answer answer = {.sent = true};
    if (arrival->owed == ORACLE_OWED_RESET) {
        answer.segment = form_reset(arrival);
        return answer;
    }
    /* With the TCB goes what was owed (3.10.7.4: "delete the TCB ... and return"). */
    if (tcb->state == ESTAB_CLOSED || tcb->state == ESTAB_LISTEN || arrival->owed < ORACLE_OWED_ACK) {
        tcb->ack_delayed |= arrival->owed == ORACLE_OWED_LATER;
        answer.sent = false;
        return answer;
    }
    answer.segment = arrival->owed == ORACLE_OWED_SYN_ACK ? form_syn_ack(tcb) : form_ack(tcb);
    tcb->last_ack_sent = tcb->rcv_nxt; /* RFC 7323 4.3 (1) */
    tcb->ack_delayed = false;
    return answer;
}
