/*
 * From state.def: next[state][event], the list of arrows for tools, and transition(), the only place where a
 * state changes. What a state allows is told in words at the end, for `estab states` and for readers. Nothing
 * here knows what a connection is.
 */
#include "tcp/state.h"

#include "base/assert.h"

enum {
#define ARROW(from, event, to, figure, section) ARROW_##from##_##event,
#include "tcp/state.def"
#undef ARROW
    ARROW_COUNT
};

struct arrow {
    uint8_t from;
    uint8_t event;
    uint8_t to;
    uint8_t figure;
    const char *section;
};

static const struct arrow arrows[ARROW_COUNT] = {
#define ARROW(from, event, to, figure, section) \
    {ESTAB_##from, EVENT_##event, ESTAB_##to, ARROW_##figure, section},
#include "tcp/state.def"
#undef ARROW
};

/*
 * Index of the arrow + 1; 0 = none. Two rows with one (from, event) would not compile: their enumerators
 * would clash.
 */
static const uint8_t next[ESTAB_STATE_COUNT][EVENT_COUNT] = {
#define ARROW(from, event, to, figure, section) [ESTAB_##from][EVENT_##event] = ARROW_##from##_##event + 1,
#include "tcp/state.def"
#undef ARROW
};

bool state_has_arrow(unsigned state, enum tcp_event event)
{
    return next[state][event] != 0;
}

unsigned transition(uint8_t *state, enum tcp_event event)
{
    unsigned arrow = next[*state][event];
    ESTAB_ASSERT(arrow != 0);
    *state = arrows[arrow - 1].to;
    return arrow - 1;
}

void state_hand_over(uint8_t *to, uint8_t state)
{
    *to = state;
}

bool estab_transition(unsigned index, struct estab_transition *out)
{
    static const char *const texts[EVENT_COUNT] = {
#define STATE_EVENT(name, text) text,
#include "tcp/state.def"
#undef STATE_EVENT
    };
    static const char *const ids[EVENT_COUNT] = {
#define STATE_EVENT(name, text) #name,
#include "tcp/state.def"
#undef STATE_EVENT
    };
    if (index >= ARROW_COUNT) {
        return false;
    }
    const struct arrow *arrow = &arrows[index];
    out->from = arrow->from;
    out->to = arrow->to;
    out->in_figure = arrow->figure >= ARROW_FIGURE;
    out->event = texts[arrow->event];
    out->event_id = ids[arrow->event];
    out->section = arrow->section;
    return true;
}

struct estab_state_notes estab_state_notes(unsigned state)
{
    static const struct estab_state_notes notes[ESTAB_STATE_COUNT] = {
        [ESTAB_CLOSED] =
            {"bind, connect (active OPEN), listen and open_passive (passive OPEN), receive what is "
             "left of a connection that has ended, close, abort",
             "nothing: everything but RST is answered with RST", "none"},
        [ESTAB_LISTEN] =
            {"accept; of a passive OPEN without a queue also send and connect (become active) and "
             "shutdown; close, abort",
             "SYN makes a connection; ACK is answered with RST; RST and the rest are dropped", "none"},
        [ESTAB_SYN_SENT] = {"send (queued), receive (nothing yet), shutdown and close (delete), abort",
                            "SYN,ACK or SYN; RST that acknowledges our SYN; ICMP hard errors end it",
                            "retransmit (SYN), user timeout"},
        [ESTAB_SYN_RECEIVED] =
            {"send (queued), receive (nothing yet), shutdown and close (FIN at once, or after queued data), "
             "abort",
             "ACK of our SYN, with it text and FIN; SYN again; RST at RCV.NXT returns a passive OPEN to "
             "LISTEN and ends an active one",
             "retransmit (SYN,ACK), user timeout"},
        [ESTAB_ESTABLISHED] = {"send, receive, shutdown, close, abort", "text, ACK, FIN, URG, RST at RCV.NXT",
                               "retransmit or persist, delayed ack, keep-alive, user timeout"},
        [ESTAB_FIN_WAIT_1] = {"receive, shutdown (changes nothing), close, abort",
                              "ACK of our FIN, text, FIN, URG, RST at RCV.NXT",
                              "retransmit or persist, delayed ack, keep-alive, user timeout"},
        [ESTAB_FIN_WAIT_2] = {"receive, shutdown (changes nothing), close, abort",
                              "text, FIN, URG, RST at RCV.NXT",
                              "delayed ack, keep-alive, fin-wait-2 once closed by the user"},
        [ESTAB_CLOSE_WAIT] = {"send, receive what is left, shutdown, close, abort",
                              "ACK, RST at RCV.NXT; text and URG are ignored",
                              "retransmit or persist, keep-alive, user timeout"},
        [ESTAB_CLOSING] = {"receive what is left, shutdown (changes nothing), close, abort",
                           "ACK of our FIN, RST at RCV.NXT; text and URG are ignored",
                           "retransmit or persist, keep-alive, user timeout"},
        [ESTAB_LAST_ACK] = {"receive what is left, shutdown (changes nothing), close, abort",
                            "ACK of our FIN, RST at RCV.NXT; text and URG are ignored",
                            "retransmit or persist, keep-alive, user timeout"},
        [ESTAB_TIME_WAIT] =
            {"receive what is left, shutdown (changes nothing), close and abort (2MSL goes on)",
             "FIN again (acknowledged, 2MSL anew), SYN by RFC 6191; RST is ignored (RFC 1337)", "2msl"},
    };
    static const struct estab_state_notes unknown = {"", "", ""};
    return state < ESTAB_STATE_COUNT ? notes[state] : unknown;
}
