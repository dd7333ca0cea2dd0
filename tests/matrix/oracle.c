/*
 * The oracle's entrance: which part of RFC 9293 3.10.7 a segment goes to, and what 3.10.7.1 says where there
 * is no connection. It must not know how src/ is made.
 */
#include "matrix/oracle_steps.h"

/* 3.10.7.1. F-CLOSED-1: a RST is dropped. F-CLOSED-2, F-CLOSED-3: all else is answered by a RST. */
static void closed(struct oracle_arrival *arrival)
{
    if (!oracle_has(arrival, ORACLE_RST)) {
        oracle_owe(arrival, ORACLE_OWED_RESET);
    }
}

struct oracle_answer oracle_segment_arrives(struct oracle_tcb *tcb, const struct oracle_segment *segment,
                                            const struct oracle_offer *offer)
{
    struct oracle_arrival arrival = {
        .tcb = tcb,
        .sent = segment,
        .seq = segment->seq,
        .text_length = segment->text_length,
        .syn = (segment->flags & ORACLE_SYN) != 0,
        .fin = (segment->flags & ORACLE_FIN) != 0,
        .owed = ORACLE_OWED_NOTHING,
    };
    switch (tcb->state) {
    case ESTAB_CLOSED: closed(&arrival); break;
    case ESTAB_LISTEN: oracle_listen(&arrival, offer); break;
    case ESTAB_SYN_SENT: oracle_syn_sent(&arrival); break;
    case ESTAB_TIME_WAIT: oracle_time_wait(&arrival, offer); break;
    case ESTAB_SYN_RECEIVED:
    case ESTAB_ESTABLISHED:
    case ESTAB_FIN_WAIT_1:
    case ESTAB_FIN_WAIT_2:
    case ESTAB_CLOSE_WAIT:
    case ESTAB_CLOSING:
    case ESTAB_LAST_ACK:
    case ESTAB_STATE_COUNT: oracle_synchronized(&arrival); break;
    }
    return oracle_answer_form(&arrival);
}
