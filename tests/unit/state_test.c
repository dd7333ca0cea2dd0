/*
 * Unit tests of tcp/state: the arrows against Figure 5 as it is drawn (listed here a second time, from the
 * figure), that the table is a function, that nothing is a dead end, and the names and notes.
 */
#include "tcp/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct drawn {
    unsigned from;
    const char *event;
    unsigned to;
};

/* RFC 9293 Figure 5, read from CLOSED downwards; the last is its note 1. */
static const struct drawn figure_5[] = {
    {ESTAB_CLOSED, "PASSIVE_OPEN", ESTAB_LISTEN},        {ESTAB_CLOSED, "ACTIVE_OPEN", ESTAB_SYN_SENT},
    {ESTAB_LISTEN, "CLOSE", ESTAB_CLOSED},               {ESTAB_LISTEN, "SEND", ESTAB_SYN_SENT},
    {ESTAB_LISTEN, "RCV_SYN", ESTAB_SYN_RECEIVED},       {ESTAB_SYN_SENT, "CLOSE", ESTAB_CLOSED},
    {ESTAB_SYN_SENT, "RCV_SYN", ESTAB_SYN_RECEIVED},     {ESTAB_SYN_SENT, "RCV_SYN_ACK", ESTAB_ESTABLISHED},
    {ESTAB_SYN_RECEIVED, "RCV_ACK_SYN", ESTAB_ESTABLISHED}, {ESTAB_SYN_RECEIVED, "CLOSE", ESTAB_FIN_WAIT_1},
    {ESTAB_ESTABLISHED, "CLOSE", ESTAB_FIN_WAIT_1},      {ESTAB_ESTABLISHED, "RCV_FIN", ESTAB_CLOSE_WAIT},
    {ESTAB_FIN_WAIT_1, "RCV_ACK_FIN", ESTAB_FIN_WAIT_2}, {ESTAB_FIN_WAIT_1, "RCV_FIN", ESTAB_CLOSING},
    {ESTAB_FIN_WAIT_2, "RCV_FIN", ESTAB_TIME_WAIT},      {ESTAB_CLOSING, "RCV_ACK_FIN", ESTAB_TIME_WAIT},
    {ESTAB_CLOSE_WAIT, "CLOSE", ESTAB_LAST_ACK},         {ESTAB_LAST_ACK, "RCV_ACK_FIN", ESTAB_CLOSED},
    {ESTAB_TIME_WAIT, "TIMEOUT_2MSL", ESTAB_CLOSED},     {ESTAB_SYN_RECEIVED, "RST_PASSIVE", ESTAB_LISTEN},
};
#define DRAWN (sizeof figure_5 / sizeof figure_5[0])

static const char *const event_ids[] = {
#define STATE_EVENT(name, text) #name,
#include "tcp/state.def"
#undef STATE_EVENT
};

static void figure_5_is_there_and_nothing_else_claims_to_be(void **state)
{
    (void)state;
    struct estab_transition arrow;
    unsigned in_figure = 0;
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        bool drawn = false;
        for (unsigned k = 0; k < DRAWN; k++) {
            drawn |= figure_5[k].from == arrow.from && figure_5[k].to == arrow.to &&
                     strcmp(figure_5[k].event, arrow.event_id) == 0;
        }
        assert_int_equal(arrow.in_figure, drawn);
        in_figure += arrow.in_figure;
        assert_true(strlen(arrow.event) > 0 && strlen(arrow.section) > 0);
    }
    assert_int_equal(in_figure, DRAWN);
}

/* How many arrows the list has for an event in a state; each must be the one that transition() takes. */
static unsigned listed_for(unsigned from, unsigned event)
{
    struct estab_transition arrow;
    unsigned found = 0;
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (arrow.from == from && strcmp(arrow.event_id, event_ids[event]) == 0) {
            uint8_t at = (uint8_t)from;
            assert_int_equal(transition(&at, (enum tcp_event)event), i);
            assert_int_equal(at, arrow.to);
            found++;
        }
    }
    return found;
}

static void transition_takes_the_listed_arrows_and_there_are_no_others(void **state)
{
    (void)state;
    struct estab_transition arrow;
    unsigned listed = 0;
    unsigned total = 0;
    for (unsigned from = 0; from < ESTAB_STATE_COUNT; from++) {
        for (unsigned event = 0; event < EVENT_COUNT; event++) {
            unsigned found = listed_for(from, event);
            assert_int_equal(found, state_has_arrow(from, (enum tcp_event)event));
            listed += found;
        }
    }
    while (estab_transition(total, &arrow)) {
        total++;
    }
    assert_int_equal(listed, total);
}

/* From CLOSED everything can be reached, and from everywhere CLOSED. */
static void no_state_is_a_dead_end(void **state)
{
    (void)state;
    struct estab_transition arrow;
    unsigned from_closed = 1u << ESTAB_CLOSED;
    unsigned to_closed = 1u << ESTAB_CLOSED;
    for (unsigned round = 0; round < ESTAB_STATE_COUNT; round++) {
        for (unsigned i = 0; estab_transition(i, &arrow); i++) {
            from_closed |= (from_closed >> arrow.from & 1) << arrow.to;
            to_closed |= (to_closed >> arrow.to & 1) << arrow.from;
        }
    }
    assert_int_equal(from_closed, (1u << ESTAB_STATE_COUNT) - 1);
    assert_int_equal(to_closed, (1u << ESTAB_STATE_COUNT) - 1);
}

/* ABORT and RST end every connection that exists, but RST one in TIME-WAIT (RFC 1337). */
static void abort_and_rst_close_from_everywhere(void **state)
{
    (void)state;
    for (unsigned from = ESTAB_LISTEN; from < ESTAB_TIME_WAIT; from++) {
        uint8_t at = (uint8_t)from;
        transition(&at, EVENT_ABORT);
        assert_int_equal(at, ESTAB_CLOSED);
        if (from != ESTAB_LISTEN) {
            at = (uint8_t)from;
            transition(&at, EVENT_RCV_RST);
            assert_int_equal(at, ESTAB_CLOSED);
        }
    }
    assert_false(state_has_arrow(ESTAB_TIME_WAIT, EVENT_RCV_RST));
    assert_false(state_has_arrow(ESTAB_LISTEN, EVENT_RCV_RST));
}

static void groups_of_states_are_the_texts(void **state)
{
    (void)state;
    for (unsigned s = 0; s < ESTAB_STATE_COUNT; s++) {
        assert_int_equal(state_is_synchronized(s), s != ESTAB_CLOSED && s != ESTAB_LISTEN &&
                                                       s != ESTAB_SYN_SENT && s != ESTAB_SYN_RECEIVED);
        assert_int_equal(state_can_send(s), s == ESTAB_ESTABLISHED || s == ESTAB_CLOSE_WAIT);
        assert_int_equal(state_can_receive(s),
                         s == ESTAB_ESTABLISHED || s == ESTAB_FIN_WAIT_1 || s == ESTAB_FIN_WAIT_2);
        assert_int_equal(state_peer_closed(s), s == ESTAB_CLOSE_WAIT || s == ESTAB_CLOSING ||
                                                   s == ESTAB_LAST_ACK || s == ESTAB_TIME_WAIT);
    }
}

static void every_state_has_a_name_and_notes(void **state)
{
    (void)state;
    for (unsigned s = 0; s < ESTAB_STATE_COUNT; s++) {
        struct estab_state_notes notes = estab_state_notes(s);
        assert_true(strlen(estab_state_name(s)) > 3);
        assert_true(strlen(notes.calls) > 0 && strlen(notes.segments) > 0 && strlen(notes.timers) > 0);
    }
    assert_string_equal(estab_state_name(ESTAB_FIN_WAIT_1), "FIN-WAIT-1");
    assert_non_null(estab_state_name(ESTAB_STATE_COUNT));
    assert_non_null(estab_state_name(UINT32_MAX));
    assert_non_null(estab_state_notes(UINT32_MAX).calls);
    struct estab_transition arrow;
    assert_false(estab_transition(UINT32_MAX, &arrow));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figure_5_is_there_and_nothing_else_claims_to_be),
        cmocka_unit_test(transition_takes_the_listed_arrows_and_there_are_no_others),
        cmocka_unit_test(no_state_is_a_dead_end),
        cmocka_unit_test(abort_and_rst_close_from_everywhere),
        cmocka_unit_test(groups_of_states_are_the_texts),
        cmocka_unit_test(every_state_has_a_name_and_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
