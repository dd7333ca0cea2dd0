/*
 * A second statement of what RFC 9293 3.10.7 asks for when a segment arrives, to hold the core against. Plain
 * and slow: given what an endpoint remembers and one segment, it says what the endpoint remembers afterwards
 * and what it answers at once. Written from the RFC's text and the decisions that docs/deviations.tsv lists;
 * it shares no code with src/ and includes nothing of it. The names of states come from the public header.
 *
 * Left out on purpose: congestion control, loss recovery, retransmission, time (an outdated TS.Recent of RFC
 * 7323 5.5) and the choice of what new data to send. The endpoints it is asked about have sent all that their
 * users wrote.
 */
#ifndef TESTS_MATRIX_ORACLE_H
#define TESTS_MATRIX_ORACLE_H

#include "estab/estab.h"

enum oracle_flag {
    ORACLE_FIN = 0x01,
    ORACLE_SYN = 0x02,
    ORACLE_RST = 0x04,
    ORACLE_PSH = 0x08,
    ORACLE_ACK = 0x10,
    ORACLE_URG = 0x20
};

/* A segment, in or out. Sequence numbers as on the wire. */
struct oracle_segment {
    uint32_t seq, ack; /* SEG.SEQ, SEG.ACK (0 where the ACK bit is off) */
    uint32_t text_length;
    uint32_t window; /* the field as on the wire, not scaled */
    uint8_t flags;   /* enum oracle_flag */
    uint16_t up;     /* the urgent pointer */
    bool timestamps;
    uint32_t tsval, tsecr;
    /* options of a SYN */
    uint16_t mss;        /* 0 = none */
    int8_t window_scale; /* -1 = none */
    bool sack_permitted;
};

/* Text that was accepted behind a gap: [left, right). */
struct oracle_range {
    uint32_t left, right;
};
#define ORACLE_RANGES 4

/* How an endpoint ended, as its user is told. */
enum oracle_end {
    ORACLE_NOT_ENDED,
    ORACLE_ENDED, /* in order: nothing to tell */
    ORACLE_REFUSED,
    ORACLE_RESET,
    ORACLE_ABORTED /* by this side: text came after the user's full close */
};

/* What an endpoint remembers (RFC 9293 3.3.1). */
struct oracle_tcb {
    enum estab_state state;
    bool passive;  /* it came from LISTEN (MUST-11) */
    bool released; /* its user has given up both directions (close(), not shutdown()) */
    bool fin_sent; /* our FIN was sent; it stands at snd_nxt - 1 */
    bool v6;       /* for the MSS that a SYN without the option means (MUST-15) */
    uint32_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, max_snd_wnd;
    uint32_t irs, rcv_nxt;
    uint32_t rcv_adv;  /* the rightmost edge that was announced; RCV.WND = rcv_adv - rcv_nxt. In
                                SYN-SENT, where RCV.NXT is not known, only that difference counts */
    uint32_t rcv_room; /* RCV.BUFF - RCV.USER: bytes that the user could be given beyond what stands
                                readable. The edge can move to rcv_nxt + rcv_room, never left (SHLD-14) */
    uint32_t readable; /* bytes the user may read; text that came with a SYN counts at once */
    uint32_t rcv_mss;  /* the largest text of one segment in order, for the delayed ACK (SHLD-19) */
    bool eof;          /* the peer's FIN was reached */
    bool fin_known;    /* a FIN was seen at rcv_fin, behind a gap; means nothing once eof */
    uint32_t rcv_fin;
    struct oracle_range ahead[ORACLE_RANGES]; /* in order, disjoint, not touching */
    unsigned ahead_count;
    bool urgent; /* rcv_up is valid and lies ahead of the reader */
    uint32_t rcv_up;
    bool ack_delayed; /* an ACK is owed, later (SHLD-18) */
    /* negotiated; in SYN-SENT: offered in our SYN */
    bool timestamps, window_scale, sack;
    uint32_t ts_recent, last_ack_sent;
    uint8_t snd_shift, rcv_shift; /* RFC 7323 2.3: 0 both where not negotiated */
    uint16_t adv_mss;             /* what our SYN says or said */
    uint16_t peer_mss;            /* what its SYN offered, or the default (MUST-15) */
    uint8_t challenges_left;      /* of this second (RFC 5961 7) */
    enum oracle_end end;
    bool half_open_gone; /* passive SYN-RECEIVED went back to LISTEN: the user is told nothing (note 1) */
    bool time_wait_restarted; /* 2MSL begins again (3.10.7.4, eighth) */
};

/* What the stack will offer on a connection that a SYN opens. */
struct oracle_offer {
    uint32_t iss;            /* that it will choose */
    uint32_t receive_window; /* the largest it can announce */
    uint16_t mss;
    uint8_t shift;
    bool timestamps, window_scale, sack;
    bool v6;
};
#define ORACLE_CHALLENGES 2 /* a second, where a connection begins (RFC 5961 7) */

/* What is sent at once in answer. More than one does not happen (F-INV-3). */
struct oracle_answer {
    bool sent;
    struct oracle_segment segment; /* tsval is not predicted; window is the field that goes out, 0 on a RST */
};

/*
 * The segment arrives. `offer` is what the stack would offer to a SYN: in LISTEN and, where RFC 6191 lets a
 * SYN end it, in TIME-WAIT; *tcb is then the connection that the SYN opens. NULL in TIME-WAIT: nobody
 * listens.
 */
struct oracle_answer oracle_segment_arrives(struct oracle_tcb *tcb, const struct oracle_segment *segment,
                                            const struct oracle_offer *offer);

/*
 * "RCV.NXT", ... the name of the first thing in which two differ, NULL = nothing. Compared is what means
 * something in the state: of CLOSED and LISTEN only the state and the end, of TIME-WAIT what its record
 * holds.
 */
const char *oracle_difference(const struct oracle_tcb *a, const struct oracle_tcb *b);
const char *oracle_answer_difference(const struct oracle_answer *a, const struct oracle_answer *b);

#endif
