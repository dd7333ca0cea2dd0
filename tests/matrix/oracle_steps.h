/*
 * What the files of the oracle share: how places in the sequence space are compared, and the segment that is
 * under way. Each step of RFC 9293 3.10.7 is one function that takes the arrival and says whether the segment
 * goes on to the next step. Nothing is sent by a step: it says what is owed, and oracle_answer.c forms it at
 * the end, so that there is at most one answer (F-INV-3) and it tells what the whole segment changed.
 */
#ifndef TESTS_MATRIX_ORACLE_STEPS_H
#define TESTS_MATRIX_ORACLE_STEPS_H

#include "matrix/oracle.h"

/*
 * Sequence numbers go round, so two of them are compared on a straight line (RFC 9293 3.4): `zero` is its
 * origin, and what lies less than half the circle ahead of it stands at a positive place, the rest at a
 * negative one.
 */
static inline int64_t oracle_place(uint32_t number, uint32_t zero)
{
    const int64_t circle = INT64_C(1) << 32;
    int64_t ahead = (int64_t)number - (int64_t)zero;
    if (ahead < 0) {
        ahead += circle;
    }
    return ahead < circle / 2 ? ahead : ahead - circle;
}

/* What is owed to the peer. A later one replaces an earlier one unless it is weaker, see oracle_owe(). */
enum oracle_owed {
    ORACLE_OWED_NOTHING,
    ORACLE_OWED_LATER,   /* an ACK that may be delayed (3.8.6.3) */
    ORACLE_OWED_ACK,     /* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> at once */
    ORACLE_OWED_SYN_ACK, /* <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> */
    ORACLE_OWED_RESET    /* the one that 3.10.7.1 forms for the segment */
};

/*
 * The segment under way. `sent` is what arrived. The rest is the part of it that is still to be processed:
 * the sequence step trims it to the window (F-SEQ-7) and the steps behind it take this for the segment, as
 * 3.10.7.4 assumes ("begins at RCV.NXT and does not exceed the window").
 */
struct oracle_arrival {
    struct oracle_tcb *tcb;
    const struct oracle_segment *sent;
    uint32_t seq, text_length;
    bool syn, fin;
    enum oracle_owed owed;
};

static inline bool oracle_has(const struct oracle_arrival *arrival, uint8_t flag)
{
    return (arrival->sent->flags & flag) != 0;
}

/* oracle_answer.c */
void oracle_owe(struct oracle_arrival *arrival, enum oracle_owed owed);
void oracle_owe_limited_ack(struct oracle_arrival *arrival);
struct oracle_answer oracle_answer_form(struct oracle_arrival *arrival);

/* oracle_listen.c: 3.10.7.2 */
void oracle_listen(struct oracle_arrival *arrival, const struct oracle_offer *offer);
void oracle_take_syn_options(struct oracle_arrival *arrival);
void oracle_keep_text_of_syn(struct oracle_arrival *arrival);

/* oracle_syn_sent.c: 3.10.7.3 */
void oracle_syn_sent(struct oracle_arrival *arrival);

/* oracle_synchronized.c: 3.10.7.4, first to fourth, and the order of all eight */
void oracle_synchronized(struct oracle_arrival *arrival);
bool oracle_timestamp_older(const struct oracle_arrival *arrival);
void oracle_trim(struct oracle_arrival *arrival);
void oracle_end(struct oracle_tcb *tcb, enum oracle_end end);

/* oracle_ack.c: fifth */
bool oracle_fifth_ack(struct oracle_arrival *arrival);
void oracle_take_window(struct oracle_arrival *arrival);

/* oracle_text.c: sixth to eighth */
void oracle_sixth_urgent(struct oracle_arrival *arrival);
bool oracle_seventh_text(struct oracle_arrival *arrival);
void oracle_eighth_fin(struct oracle_arrival *arrival);

/* oracle_time_wait.c: TIME-WAIT in all steps */
void oracle_time_wait(struct oracle_arrival *arrival, const struct oracle_offer *offer);

#endif
