/*
 * The protocol that the table of arrows stands for, as a model for spin: two endpoints with a lossy channel
 * (RFC 9293 3.3.2, 3.5, 3.6, 3.10). The model says what happens, as the core's handlers do; where that leads is
 * included from src/tcp/state.def, so the table itself is checked. An event for which it has no arrow in that
 * state is an assertion violated.
 *
 * Sequence numbers are small: the SYN is 0, then come the bytes, then the FIN; each side sends BYTES at most. A
 * segment stands in one of ROOM slots of its direction and may be taken out of any of them, so the order is free.
 * FAULTS times a segment is lost or taken twice, or a timer fires while something is still under way. No segment
 * outlives 2MSL. Left out: windows, options, several connections in a row (tests/explore/explore.c has them).
 *
 * Safety: only arrows of the table, both ends agree, no byte is lost, doubled or told out of order, nobody is
 * stuck. Liveness (`ends`): under weak fairness both sides get to CLOSED and stay.
 */
#ifndef BYTES
#define BYTES 1
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef ABORTS
#define ABORTS 1
#endif
#ifndef PLANT
#define PLANT 0
#endif
#define ROOM 2
#define SIDES 2

mtype = { CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING,
          LAST_ACK, TIME_WAIT };
mtype = {
#define STATE_EVENT(name, text) EVENT_##name,
#include "tcp/state.def"
#undef STATE_EVENT
          EVENT_END };

#define SYN 1
#define ACK 2
#define FIN 4
#define RST 8
#define TXT 16
#define ANY 32 /* a slot that is in use */

/* The table as an array: 0 = no arrow. spin numbers the names of each mtype list from its end. */
c_decl {
    enum { S_CLOSED, S_LISTEN, S_SYN_SENT, S_SYN_RECEIVED, S_ESTABLISHED, S_FIN_WAIT_1, S_FIN_WAIT_2, S_CLOSE_WAIT,
           S_CLOSING, S_LAST_ACK, S_TIME_WAIT, S_COUNT };
    enum {
#define STATE_EVENT(name, text) E_##name,
#include "tcp/state.def"
#undef STATE_EVENT
        E_COUNT };
    static const struct { unsigned char to, line; } arrows[S_COUNT][E_COUNT] = {
#define ARROW(from, event, to, figure, section) [S_##from][E_##event] = {S_COUNT - S_##to, __LINE__},
#include "tcp/state.def"
#undef ARROW
    };
    static unsigned char took[256]; /* by the line of state.def */
    static int follow(int state, int event)
    {
        int from = S_COUNT - state;
        int what = S_COUNT + E_COUNT + 1 - event;
        took[arrows[from][what].line] = 1;
        return arrows[from][what].to;
    }
    static void print_taken(void)
    {
        printf("arrows taken:");
        for (int i = 1; i < 256; i++) {
            if (took[i]) {
                printf(" %d", i);
            }
        }
        printf("\n");
    }
}

byte who;              /* what follow() is given */
mtype what;
mtype state[SIDES] = CLOSED;
byte una[SIDES];       /* SND.UNA, SND.NXT, RCV.NXT */
byte nxt[SIDES];
byte rnxt[SIDES];
byte written[SIDES];   /* bytes that the user has sent */
byte got[SIDES];       /* bytes that the user was given */
bool passive[SIDES];
bool closing[SIDES];   /* the user's CLOSE was called */
bool end_told[SIDES];  /* the user knows of the peer's FIN */
bool broken[SIDES];    /* ended by RST or ABORT: what was under way may be lost */
bool opened[SIDES];
byte faults = FAULTS;
byte aborts = ABORTS;

typedef slots {
    byte flags[ROOM];
    byte seq[ROOM];
    byte ack[ROOM];
};
slots net[SIDES];      /* by the side that sent it */

/* The place behind the FIN. */
#define END(i) (written[i] + 2)
#define NET_EMPTY (net[0].flags[0] == 0 && net[0].flags[1] == 0 && net[1].flags[0] == 0 && net[1].flags[1] == 0)
#define FINISHED (opened[0] && opened[1] && state[0] == CLOSED && state[1] == CLOSED && NET_EMPTY)
#define CAN_RECEIVE(i) (state[i] == ESTABLISHED || state[i] == FIN_WAIT_1 || state[i] == FIN_WAIT_2)
#define CAN_TRANSMIT(i) (state[i] == ESTABLISHED || state[i] == FIN_WAIT_1 || state[i] == CLOSE_WAIT || \
                         state[i] == CLOSING || state[i] == LAST_ACK)

inline move(i, event)
{
    who = i; what = event;
    c_code { now.state[now.who] = follow(now.state[now.who], now.what); };
    who = 0; what = 0;
    assert(state[i] != 0) /* the table has no such arrow */
}

/* Puts a segment into a slot; where there is none it is lost. */
inline send(by, bits, number, ackno)
{
    if
    :: net[by].flags[0] == 0 ->
        net[by].flags[0] = (bits) | ANY; net[by].seq[0] = number; net[by].ack[0] = ackno
    :: net[by].flags[0] != 0 && net[by].flags[1] == 0 ->
        net[by].flags[1] = (bits) | ANY; net[by].seq[1] = number; net[by].ack[1] = ackno
    :: else -> skip
    fi
}

inline forget(i)
{
    una[i] = 0; nxt[i] = 0; rnxt[i] = 0; passive[i] = false
}

/* What can be sent now and was not: one segment with the next byte, the FIN, or both. */
inline transmit(i, from)
{
    if
    :: from <= written[i] && closing[i] && from == written[i] && CAN_TRANSMIT(i) && state[i] != ESTABLISHED &&
       state[i] != CLOSE_WAIT ->
        send(i, TXT | FIN | ACK, from, rnxt[i]);
        nxt[i] = END(i)
    :: from <= written[i] && !(closing[i] && from == written[i] && state[i] != ESTABLISHED && state[i] != CLOSE_WAIT) ->
        send(i, TXT | ACK, from, rnxt[i]);
        if
        :: nxt[i] < from + 1 -> nxt[i] = from + 1
        :: else -> skip
        fi
    :: from > written[i] ->
        send(i, FIN | ACK, from, rnxt[i]);
        nxt[i] = END(i)
    fi
}

/* ---- the user ---- */

proctype user(byte i)
{
    do
    :: atomic { state[i] == CLOSED && !opened[i] ->
        opened[i] = true;
        if
        :: true -> move(i, EVENT_PASSIVE_OPEN)
        :: true -> move(i, EVENT_ACTIVE_OPEN); nxt[i] = 1; send(i, SYN, 0, 0)
        fi }
    :: atomic { state[i] == LISTEN && !closing[i] && written[i] < BYTES ->
        written[i]++;
        move(i, EVENT_SEND); nxt[i] = 1; send(i, SYN, 0, 0) }
    :: atomic { state[i] == LISTEN && !closing[i] ->
        move(i, EVENT_ACTIVE_OPEN); nxt[i] = 1; send(i, SYN, 0, 0) }
    :: atomic { (state[i] == SYN_SENT || state[i] == SYN_RECEIVED || state[i] == ESTABLISHED ||
                 state[i] == CLOSE_WAIT) && !closing[i] && written[i] < BYTES ->
        written[i]++ }
    :: atomic { (state[i] == LISTEN || state[i] == SYN_SENT) && !closing[i] ->
        closing[i] = true; broken[i] = true;
        move(i, EVENT_CLOSE); forget(i) }
    :: atomic { state[i] == SYN_RECEIVED && !closing[i] ->
        closing[i] = true;
        if
        :: written[i] == 0 -> move(i, EVENT_CLOSE)
        :: else -> skip /* queued until ESTABLISHED: 3.10.4 */
        fi }
    :: atomic { (state[i] == ESTABLISHED || state[i] == CLOSE_WAIT) && !closing[i] ->
        closing[i] = true;
        move(i, EVENT_CLOSE) }
    :: atomic { aborts > 0 && state[i] != CLOSED && state[i] != TIME_WAIT ->
        aborts--;
        closing[i] = true; broken[i] = true;
        if
        :: state[i] == SYN_RECEIVED || state[i] == ESTABLISHED || state[i] == FIN_WAIT_1 ||
           state[i] == FIN_WAIT_2 || state[i] == CLOSE_WAIT -> send(i, RST | ACK, nxt[i], rnxt[i])
        :: else -> skip
        fi;
        move(i, EVENT_ABORT); forget(i) }
    :: FINISHED -> break
    od
}

/* ---- sending, and the timers ---- */

proctype sender(byte i)
{
    do
    :: atomic { CAN_TRANSMIT(i) && nxt[i] >= 1 && una[i] >= 1 && nxt[i] <= written[i] -> transmit(i, nxt[i]) }
    :: atomic { CAN_TRANSMIT(i) && nxt[i] >= 1 && nxt[i] == written[i] + 1 && closing[i] &&
                state[i] != ESTABLISHED && state[i] != CLOSE_WAIT -> transmit(i, nxt[i]) }
    :: FINISHED -> break
    od
}

#define OUTSTANDING(i) (una[i] < nxt[i] && state[i] != CLOSED && state[i] != LISTEN && state[i] != TIME_WAIT)

proctype timer(byte i)
{
    do
    :: atomic { OUTSTANDING(i) && (NET_EMPTY || faults > 0) ->
        if
        :: NET_EMPTY -> skip
        :: else -> faults--
        fi;
        if
        :: una[i] == 0 && state[i] == SYN_SENT -> send(i, SYN, 0, 0)
        :: una[i] == 0 && state[i] != SYN_SENT -> send(i, SYN | ACK, 0, rnxt[i])
        :: else ->
#if PLANT == 1
            if
            :: una[i] > written[i] -> skip /* the FIN is never sent again */
            :: else -> transmit(i, una[i])
            fi
#else
            transmit(i, una[i])
#endif
        fi }
    :: atomic { state[i] == TIME_WAIT && NET_EMPTY -> move(i, EVENT_TIMEOUT_2MSL); forget(i) }
    /* the peer is gone and its user told: this one tires of FIN-WAIT-2 */
    :: atomic { state[i] == FIN_WAIT_2 && NET_EMPTY && state[1 - i] == CLOSED && opened[1 - i] ->
        broken[i] = true;
        move(i, EVENT_TIMEOUT_FIN); forget(i) }
    :: FINISHED -> break
    od
}

/* ---- SEGMENT ARRIVES (3.10.7) ---- */

inline reset_for(i)
{
    if
    :: f & RST -> skip
    :: !(f & RST) && (f & ACK) -> send(i, RST, a, 0)
    :: else -> send(i, RST | ACK, 0, s + span)
    fi
}

inline reset_received(i)
{
    broken[i] = true;
    if
    :: state[i] == SYN_RECEIVED && passive[i] ->
        /* the user's bytes went with the connection */
        move(i, EVENT_RST_PASSIVE); forget(i);
        if
        :: closing[i] -> move(i, EVENT_CLOSE)
        :: else -> skip
        fi
    :: else -> move(i, EVENT_RCV_RST); closing[i] = true; forget(i)
    fi
}

inline ack_of_fin(i)
{
    if
    :: closing[i] && una[i] == END(i) && state[i] == FIN_WAIT_1 -> move(i, EVENT_RCV_ACK_FIN)
    :: closing[i] && una[i] == END(i) && state[i] == CLOSING -> move(i, EVENT_RCV_ACK_FIN)
    :: closing[i] && una[i] == END(i) && state[i] == LAST_ACK -> move(i, EVENT_RCV_ACK_FIN); forget(i)
    :: else -> skip
    fi
}

inline text_and_fin(i)
{
    if
    :: (f & TXT) && s == rnxt[i] && CAN_RECEIVE(i) ->
        rnxt[i]++; got[i]++; owed = true
#if PLANT == 2
    :: (f & TXT) && s < rnxt[i] && CAN_RECEIVE(i) -> /* what came before is taken again */
        got[i]++
#endif
    :: else -> skip
    fi;
    fin_at = s + (f & TXT -> 1 : 0);
    if
#if PLANT == 3
    :: (f & FIN) && fin_at >= rnxt[i] && CAN_RECEIVE(i) -> /* ahead of the byte before it */
        rnxt[i] = fin_at;
#else
    :: (f & FIN) && fin_at == rnxt[i] && CAN_RECEIVE(i) ->
#endif
        rnxt[i]++; owed = true; end_told[i] = true;
        move(i, EVENT_RCV_FIN)
    :: else -> skip
    fi
}

/* Fifth to eighth: the segment is in the window and neither RST nor SYN. */
inline ack_and_on(i)
{
    if
    :: !(f & ACK) -> skip
    :: (f & ACK) && state[i] == SYN_RECEIVED && !(una[i] < a && a <= nxt[i]) -> reset_for(i)
    :: (f & ACK) && state[i] != SYN_RECEIVED && a > nxt[i] -> owed = true
    :: else ->
        if
        :: a > una[i] -> una[i] = a
        :: else -> skip
        fi;
        if
        :: state[i] == SYN_RECEIVED ->
            move(i, EVENT_RCV_ACK_SYN);
            if
            :: closing[i] -> move(i, EVENT_CLOSE)
            :: else -> skip
            fi
        :: else -> skip
        fi;
        ack_of_fin(i);
        if
        :: state[i] != CLOSED && state[i] != TIME_WAIT -> text_and_fin(i)
        :: state[i] == TIME_WAIT && (f & FIN) && s + span == rnxt[i] -> owed = true
        :: else -> skip
        fi
    fi
}

inline syn_sent_arrives(i)
{
    if
    :: (f & ACK) && a != 1 -> reset_for(i)
    :: (f & RST) && (f & ACK) && a == 1 -> broken[i] = true; closing[i] = true; move(i, EVENT_RCV_RST); forget(i)
    :: !(f & RST) && (f & SYN) && (f & ACK) && a == 1 ->
        rnxt[i] = s + 1; una[i] = 1; owed = true;
        move(i, EVENT_RCV_SYN_ACK)
    :: !(f & RST) && (f & SYN) && !(f & ACK) ->
        rnxt[i] = s + 1;
        move(i, EVENT_RCV_SYN);
        send(i, SYN | ACK, 0, rnxt[i])
    :: else -> skip
    fi
}

/* Left of the window. */
inline old_arrives(i)
{
    if
    :: f & RST -> skip
    /* both opened at once and this answers our SYN: Figure 8 */
    :: !(f & RST) && (f & SYN) && (f & ACK) && state[i] == SYN_RECEIVED && !passive[i] && a == 1 ->
        una[i] = 1;
        move(i, EVENT_RCV_ACK_SYN);
        if
        :: closing[i] -> move(i, EVENT_CLOSE)
        :: else -> skip
        fi
    :: !(f & RST) && (f & SYN) && !(f & ACK) && state[i] == SYN_RECEIVED -> send(i, SYN | ACK, 0, rnxt[i])
    :: !(f & RST) && state[i] == TIME_WAIT && (f & FIN) && s + span == rnxt[i] ->
        owed = true;
        move(i, EVENT_RCV_FIN) /* 2MSL anew */
    :: else -> owed = true
    fi
}

inline arrives(i)
{
    span = (f & SYN -> 1 : 0) + (f & TXT -> 1 : 0) + (f & FIN -> 1 : 0);
    owed = false;
    if
    :: state[i] == CLOSED -> reset_for(i)
    :: state[i] == LISTEN && (f & RST) -> skip
    :: state[i] == LISTEN && !(f & RST) && (f & ACK) -> reset_for(i)
    :: state[i] == LISTEN && !(f & RST) && !(f & ACK) && (f & SYN) ->
        rnxt[i] = s + 1; una[i] = 0; nxt[i] = 1; passive[i] = true;
        move(i, EVENT_RCV_SYN);
        send(i, SYN | ACK, 0, rnxt[i])
    :: state[i] == LISTEN && !(f & RST) && !(f & ACK) && !(f & SYN) -> skip
    :: state[i] == SYN_SENT -> syn_sent_arrives(i)
    :: else ->
        if
        :: state[i] == TIME_WAIT && (f & RST) -> skip /* RFC 1337 */
        :: !(state[i] == TIME_WAIT && (f & RST)) && s < rnxt[i] && (span == 0 || s + span <= rnxt[i]) -> old_arrives(i)
        :: s >= rnxt[i] && (f & RST) && state[i] != TIME_WAIT ->
            if
            :: s == rnxt[i] -> reset_received(i)
            :: else -> owed = true /* challenge ACK: RFC 5961 3 */
            fi
        :: (s >= rnxt[i] || s + span > rnxt[i]) && !(f & RST) ->
            if
            :: f & SYN -> owed = true /* challenge ACK: RFC 5961 4 */
            :: else -> ack_and_on(i)
            fi
        :: else -> skip
        fi
    fi;
    if
    :: owed && state[i] != CLOSED -> send(i, ACK, nxt[i], rnxt[i])
    :: owed && state[i] == CLOSED -> skip
    :: else -> skip
    fi
}

/* ---- what must hold ---- */

/* After each segment: this side knows nothing that the other did not do. */
inline check(i)
{
#if PLANT == 4
    if
    :: got[i] == 1 && state[i] == ESTABLISHED -> move(i, EVENT_RCV_ACK_FIN)
    :: else -> skip
    fi;
#endif
    assert(got[i] <= written[1 - i]);
    assert(!end_told[i] || (closing[1 - i] && got[i] == written[1 - i]));
    assert(!(state[i] == ESTABLISHED && state[1 - i] == ESTABLISHED) || rnxt[i] == got[i] + 1);
    assert(state[i] <= SYN_SENT || una[i] <= nxt[i])
}

proctype receiver(byte i)
{
    byte f, s, a, span, fin_at, k;
    bool owed;
    do
    :: atomic {
        if
        :: net[1 - i].flags[0] != 0 -> k = 0
        :: net[1 - i].flags[1] != 0 -> k = 1
        fi;
        f = net[1 - i].flags[k]; s = net[1 - i].seq[k]; a = net[1 - i].ack[k];
        if
        :: true -> net[1 - i].flags[k] = 0; net[1 - i].seq[k] = 0; net[1 - i].ack[k] = 0
        :: faults > 0 -> faults-- /* it stays: it will come again */
        :: faults > 0 -> faults--; net[1 - i].flags[k] = 0; net[1 - i].seq[k] = 0; net[1 - i].ack[k] = 0;
            goto lost
        fi;
        arrives(i);
        check(i);
lost:
        f = 0; s = 0; a = 0; span = 0; fin_at = 0; k = 0; owed = false }
    :: FINISHED -> break
    od
}

/*
 * At the end: what ended as it should has all that was sent. A side that reached TIME-WAIT or acknowledged the
 * FIN has been told the end, which check() allows only then.
 */
init
{
    c_code { atexit(print_taken); };
    atomic {
        run user(0); run user(1);
        run sender(0); run sender(1);
        run timer(0); run timer(1);
        run receiver(0); run receiver(1)
    }
    FINISHED;
    assert(broken[0] || broken[1] || (end_told[0] && end_told[1]))
}

ltl ends { <> [] FINISHED }
