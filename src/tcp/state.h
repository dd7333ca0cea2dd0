/*
 * The state machine of RFC 9293 3.3.2 as a table (state.def) and the one function that moves along it. Every
 * holder of a state, be it a connection or a TIME-WAIT record, says what happened; where that leads stands in
 * the table.
 */
#ifndef ESTAB_TCP_STATE_H
#define ESTAB_TCP_STATE_H

#include "estab/estab.h"

enum tcp_event {
#define STATE_EVENT(name, text) EVENT_##name,
#include "tcp/state.def"
#undef STATE_EVENT
    EVENT_COUNT
};

/* What an arrow is to RFC 9293 Figure 5; see state.def. */
enum arrow_figure { ARROW_TEXT, ARROW_LOOP, ARROW_FIGURE, ARROW_NOTE1 };

/*
 * Moves *state along the arrow of `event`, which must exist (asserted), and returns the arrow's index for
 * estab_transition().
 */
unsigned transition(uint8_t *state, enum tcp_event event);

/* Another holder takes a connection's state over as it is. */
void state_hand_over(uint8_t *to, uint8_t state);

/* Whether the table has an arrow for `event` in `state`. */
bool state_has_arrow(unsigned state, enum tcp_event event);

/* RFC 9293 3.3.2: ESTABLISHED and later, where both sides know both initial sequence numbers. */
static inline bool state_is_synchronized(unsigned state)
{
    return state >= ESTAB_ESTABLISHED;
}

/* The user may still send (before CLOSE). */
static inline bool state_can_send(unsigned state)
{
    return state == ESTAB_ESTABLISHED || state == ESTAB_CLOSE_WAIT;
}

/* Text is still taken from the peer (before its FIN): ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2. */
static inline bool state_can_receive(unsigned state)
{
    return state == ESTAB_ESTABLISHED || state == ESTAB_FIN_WAIT_1 || state == ESTAB_FIN_WAIT_2;
}

/* The peer's FIN has been taken. */
static inline bool state_peer_closed(unsigned state)
{
    return state == ESTAB_CLOSE_WAIT || state == ESTAB_CLOSING || state == ESTAB_LAST_ACK ||
           state == ESTAB_TIME_WAIT;
}

#endif
