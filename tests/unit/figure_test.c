/*
 * The replay of traces against Figure 5 as text (matrix/figure.h): the text and the core's table say the
 * same, bad texts are refused with their line, and each kind of wrong trace is seen: an arrow that nobody
 * drew, a gap between two, a beginning out of nothing, an arrow without its segment, a segment without its
 * arrow, note 2 by the wrong way, a record that was lost, a connection that moved without a record.
 */
#include "matrix/figure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/rig.h"

/* ---- the text ---- */

static bool in_figure(enum figure_kind kind)
{
    return kind == FIGURE_DRAWN || kind == FIGURE_NOTE1;
}

static void text_and_table_have_the_same_arrows(void **state)
{
    (void)state;
    struct estab_transition arrow;
    unsigned arrows = 0;
    unsigned lines = 0;
    for (; estab_transition(arrows, &arrow); arrows++) {
        const struct figure_line *line = figure_find(arrow.from, arrow.event, arrow.to);
        if (line == NULL) {
            fail_msg("%s, %s, %s is not in figure5.txt", estab_state_name(arrow.from), arrow.event,
                     estab_state_name(arrow.to));
            return;
        }
        assert_string_equal(line->section, arrow.section);
        assert_int_equal(in_figure(line->kind), arrow.in_figure);
    }
    const struct figure_line *line;
    for (unsigned i = 0; (line = figure_line(i)) != NULL; i++) {
        lines += line->kind != FIGURE_REFUSED && line->kind != FIGURE_NOTE2;
    }
    assert_int_equal(lines, arrows); /* each event once in a state, so there are no others */
}

/* What the figure shows: 19 arrows and that of note 1; note 2 is one line, by FIN-WAIT-2. */
static void text_has_the_whole_figure(void **state)
{
    (void)state;
    unsigned count[FIGURE_KINDS] = {0};
    const struct figure_line *line;
    for (unsigned i = 0; (line = figure_line(i)) != NULL; i++) {
        count[line->kind]++;
        if (line->kind == FIGURE_NOTE2) {
            assert_int_equal(line->from, ESTAB_FIN_WAIT_1);
            assert_int_equal(line->by, ESTAB_FIN_WAIT_2);
            assert_int_equal(line->to, ESTAB_TIME_WAIT);
        }
        if (line->kind == FIGURE_REFUSED) {
            assert_null(figure_find(line->from, line->event, line->to));
        }
    }
    assert_int_equal(count[FIGURE_DRAWN], 19);
    assert_int_equal(count[FIGURE_NOTE1], 1);
    assert_int_equal(count[FIGURE_NOTE2], 1);
    assert_true(count[FIGURE_REFUSED] > 0); /* note 3 */
}

static void refused(const char *text, const char *why)
{
    struct figure_line lines[2];
    char wrong[200] = "";
    if (figure_parse(text, lines, 2, wrong, sizeof wrong) != -1 || strstr(wrong, why) == NULL) {
        fail_msg("\"%s\": not refused with \"%s\" but \"%s\"", text, why, wrong);
    }
}

static void bad_texts_are_refused_with_their_line(void **state)
{
    (void)state;
    struct figure_line lines[2];
    char wrong[200] = "";
    assert_int_equal(figure_parse("# x\n\nLISTEN  ABORT  CLOSED  3.10.5  text\n", lines, 2, wrong, 200), 1);
    assert_int_equal(lines[0].from, ESTAB_LISTEN);
    assert_int_equal(lines[0].to, ESTAB_CLOSED);
    assert_string_equal(lines[0].event, "ABORT");
    assert_int_equal(lines[0].kind, FIGURE_TEXT);
    refused("LISTEN  ABORT  CLOSED  3.10.5\n", "line 1: wanted");
    refused("#\nLISTEN ABORT CLOSED 3.10.5 text\n", "line 2: wanted");
    refused("LISTENING  ABORT  CLOSED  3.10.5  text\n", "no such state");
    refused("LISTEN  ABORT  CLOSE  3.10.5  text\n", "no such state");
    refused("LISTEN  ABORT  CLOSED  3.10.5  note3\n", "no such kind");
    refused("LISTEN  ABORT  LISTEN  3.10.5  text\n", "\"stays\"");
    refused("LISTEN  ABORT  CLOSED  3.10.5  stays\n", "\"stays\"");
    refused("-  ABORT  CLOSED  3.10.5  text\n", "any state");
    refused("LISTEN  ABORT  CLOSED  3.10.5  ours\n", "why");
    refused("LISTEN  rcv  CLOSED  3.10.5  note2  NOWHERE\n", "state between");
    refused("LISTEN  A  CLOSED  3  text\nLISTEN  A  SYN-SENT  3  text\n", "line 2: this state has a line");
    refused("LISTEN  A  CLOSED  3  text\nLISTEN  B  CLOSED  3  text\nLISTEN  C  CLOSED  3  text\n",
            "line 3: too many");
    refused("LISTEN  A  CLOSED  123456789012345678  text\n", "too long");
}

/* ---- traces ---- */

struct step {
    enum estab_state from;
    const char *event; /* NULL = a segment that leads from `from` to `to` */
    enum estab_state to;
    unsigned flags; /* of the segment */
    unsigned conn;
    unsigned port; /* of the peer, 0 = 5000 */
};

static uint16_t index_of(unsigned from, const char *event)
{
    struct estab_transition arrow;
    for (uint16_t i = 0; estab_transition(i, &arrow); i++) {
        if (arrow.from == from && strcmp(arrow.event, event) == 0) {
            return i;
        }
    }
    return UINT16_MAX;
}

static struct estab_trace record_of(const struct step *step)
{
    struct estab_trace record = {
        .kind = step->event == NULL ? ESTAB_TRACE_SEGMENT_IN : ESTAB_TRACE_STATE,
        .conn = step->conn,
        .local = estab_addr_ipv4(10, 0, 0, 1, 80),
        .remote = estab_addr_ipv4(10, 0, 0, 2, step->port == 0 ? 5000 : (uint16_t)step->port),
        .state = (uint8_t)step->from,
        .state_after = (uint8_t)step->to,
        .transition = step->event == NULL ? 0 : index_of(step->from, step->event),
        .segment.flags = (uint16_t)step->flags,
    };
    return record;
}

/* All steps but the last are right; the last is wrong for a reason that contains `why`, or right for NULL. */
static void replay_steps(const struct step *steps, unsigned count, const char *why)
{
    struct figure_replay *replay = figure_replay_new();
    for (unsigned i = 0; i < count; i++) {
        struct estab_trace record = record_of(&steps[i]);
        const char *wrong = figure_replay(replay, &record);
        const char *want = i + 1 == count ? why : NULL;
        if ((wrong == NULL) != (want == NULL) || (want != NULL && strstr(wrong, want) == NULL)) {
            fail_msg("step %u: \"%s\" instead of \"%s\"", i, wrong == NULL ? "right" : wrong,
                     want == NULL ? "right" : want);
        }
    }
    figure_replay_free(replay);
}

#define REPLAY(why, ...)                                          \
    do {                                                          \
        static const struct step steps[] = {__VA_ARGS__};         \
        replay_steps(steps, sizeof steps / sizeof steps[0], why); \
    } while (0)

/* clang-format off */
#define ARRIVES(a, b, bits, of)  {.from = ESTAB_##a, .to = ESTAB_##b, .flags = (bits), .conn = (of)}
#define TAKES(a, what, b, of)    {.from = ESTAB_##a, .event = (what), .to = ESTAB_##b, .conn = (of)}
#define OPENED                                                                                               \
    TAKES(CLOSED, "active OPEN", SYN_SENT, 1),                                                  \
    ARRIVES(SYN_SENT, ESTABLISHED, SYN | ACK, 1),                                              \
    TAKES(SYN_SENT, "rcv SYN,ACK", ESTABLISHED, 1)
#define CLOSED_BY_US OPENED, TAKES(ESTABLISHED, "CLOSE", FIN_WAIT_1, 1)
#define LISTENING    TAKES(CLOSED, "passive OPEN", LISTEN, 1)
/* clang-format on */

static void right_traces_are_right(void **state)
{
    (void)state;
    REPLAY(NULL, CLOSED_BY_US, ARRIVES(FIN_WAIT_1, TIME_WAIT, FIN | ACK, 1),
           TAKES(FIN_WAIT_1, "rcv ACK of FIN", FIN_WAIT_2, 1), TAKES(FIN_WAIT_2, "rcv FIN", TIME_WAIT, 1),
           ARRIVES(TIME_WAIT, TIME_WAIT, FIN | ACK, 1), TAKES(TIME_WAIT, "rcv FIN", TIME_WAIT, 1),
           TAKES(TIME_WAIT, "timeout=2MSL", CLOSED, 1), TAKES(CLOSED, "active OPEN", SYN_SENT, 1));
    REPLAY(NULL, LISTENING, ARRIVES(LISTEN, SYN_RECEIVED, SYN, 2), TAKES(LISTEN, "rcv SYN", SYN_RECEIVED, 2),
           ARRIVES(SYN_RECEIVED, CLOSE_WAIT, FIN | ACK, 2),
           TAKES(SYN_RECEIVED, "rcv ACK of SYN", ESTABLISHED, 2),
           TAKES(ESTABLISHED, "rcv FIN", CLOSE_WAIT, 2), TAKES(LISTEN, "CLOSE", CLOSED, 1));
    /* A TIME-WAIT record that gives way to a SYN: one segment, two connections. */
    REPLAY(NULL, LISTENING, ARRIVES(LISTEN, SYN_RECEIVED, SYN, 2), TAKES(LISTEN, "rcv SYN", SYN_RECEIVED, 2),
           TAKES(SYN_RECEIVED, "CLOSE", FIN_WAIT_1, 2), ARRIVES(FIN_WAIT_1, CLOSING, FIN | ACK, 2),
           TAKES(FIN_WAIT_1, "rcv FIN", CLOSING, 2), ARRIVES(CLOSING, TIME_WAIT, ACK, 2),
           TAKES(CLOSING, "rcv ACK of FIN", TIME_WAIT, 2), ARRIVES(LISTEN, SYN_RECEIVED, SYN, 3),
           TAKES(TIME_WAIT, "port reused", CLOSED, 2), TAKES(LISTEN, "rcv SYN", SYN_RECEIVED, 3));
    /* Note 1: the child of a listener ends in LISTEN, the listener listens on. */
    REPLAY(NULL, LISTENING, ARRIVES(LISTEN, SYN_RECEIVED, SYN, 2), TAKES(LISTEN, "rcv SYN", SYN_RECEIVED, 2),
           ARRIVES(SYN_RECEIVED, LISTEN, RST, 2), TAKES(SYN_RECEIVED, "rcv RST (passive OPEN)", LISTEN, 2),
           ARRIVES(LISTEN, SYN_RECEIVED, SYN, 3), TAKES(LISTEN, "rcv SYN", SYN_RECEIVED, 3));
}

static void arrow_that_nobody_drew_is_refused(void **state)
{
    (void)state;
    REPLAY("no such arrow", CLOSED_BY_US, TAKES(FIN_WAIT_1, "rcv FIN", TIME_WAIT, 1));
    REPLAY("no such arrow", CLOSED_BY_US, TAKES(FIN_WAIT_1, "CLOSE", LAST_ACK, 1));
    REPLAY("no such arrow", LISTENING, TAKES(LISTEN, "CLOSE", SYN_SENT, 1));
    struct estab_trace record = record_of(&(struct step)TAKES(LISTEN, "CLOSE", CLOSED, 1));
    assert_null(figure_arrow_wrong(&record));
    record.state_after = ESTAB_SYN_SENT;
    assert_non_null(figure_arrow_wrong(&record));
    record.kind = ESTAB_TRACE_TIMER;
    assert_null(figure_arrow_wrong(&record));
}

static void gap_between_two_arrows_is_refused(void **state)
{
    (void)state;
    REPLAY("stands in ESTABLISHED", OPENED, TAKES(CLOSE_WAIT, "CLOSE", LAST_ACK, 1));
    REPLAY("stands in FIN-WAIT-1", CLOSED_BY_US, TAKES(ESTABLISHED, "CLOSE", FIN_WAIT_1, 1));
    REPLAY("begins in CLOSED", CLOSED_BY_US, TAKES(TIME_WAIT, "timeout=2MSL", CLOSED, 1));
    REPLAY("begins in CLOSED", TAKES(ESTABLISHED, "CLOSE", FIN_WAIT_1, 1));
    REPLAY("begins in CLOSED", OPENED, TAKES(ESTABLISHED, "CLOSE", FIN_WAIT_1, 2));
    REPLAY("begins in CLOSED", LISTENING, TAKES(LISTEN, "CLOSE", CLOSED, 2));
    REPLAY("begins in CLOSED", OPENED, TAKES(ESTABLISHED, "ABORT", CLOSED, 1),
           TAKES(ESTABLISHED, "CLOSE", FIN_WAIT_1, 1));
}

static void connection_of_a_flow_in_time_wait_is_refused(void **state)
{
    (void)state;
    REPLAY("still in TIME-WAIT", CLOSED_BY_US, ARRIVES(FIN_WAIT_1, TIME_WAIT, FIN | ACK, 1),
           TAKES(FIN_WAIT_1, "rcv ACK of FIN", FIN_WAIT_2, 1), TAKES(FIN_WAIT_2, "rcv FIN", TIME_WAIT, 1),
           TAKES(CLOSED, "active OPEN", SYN_SENT, 2));
}

static void connection_of_no_listener_is_refused(void **state)
{
    (void)state;
    REPLAY("nobody listens", ARRIVES(LISTEN, SYN_RECEIVED, SYN, 1),
           TAKES(LISTEN, "rcv SYN", SYN_RECEIVED, 1));
    REPLAY("nobody listens", LISTENING, TAKES(LISTEN, "CLOSE", CLOSED, 1),
           ARRIVES(LISTEN, SYN_RECEIVED, SYN, 2), TAKES(LISTEN, "rcv SYN", SYN_RECEIVED, 2));
}

static void arrow_without_its_segment_is_refused(void **state)
{
    (void)state;
    REPLAY("no segment", OPENED,
           {.from = ESTAB_ESTABLISHED, .to = ESTAB_ESTABLISHED, .flags = ACK, .conn = 2, .port = 6000},
           TAKES(ESTABLISHED, "rcv FIN", CLOSE_WAIT, 1));
    REPLAY("led elsewhere", OPENED, ARRIVES(ESTABLISHED, ESTABLISHED, FIN | ACK, 1),
           TAKES(ESTABLISHED, "rcv FIN", CLOSE_WAIT, 1));
    REPLAY("led elsewhere", OPENED, TAKES(ESTABLISHED, "rcv FIN", CLOSE_WAIT, 1));
    REPLAY("not the flags", OPENED, ARRIVES(ESTABLISHED, CLOSED, ACK, 1),
           TAKES(ESTABLISHED, "rcv RST", CLOSED, 1));
    REPLAY("not the flags", OPENED, ARRIVES(ESTABLISHED, CLOSED, RST, 1),
           TAKES(ESTABLISHED, "ABORT", CLOSED, 1));
    REPLAY("not the flags", LISTENING, ARRIVES(LISTEN, SYN_RECEIVED, SYN | ACK, 1),
           TAKES(LISTEN, "rcv SYN", SYN_RECEIVED, 1));
}

static void segment_without_its_arrow_is_refused(void **state)
{
    (void)state;
    REPLAY("the arrows only to ESTABLISHED", OPENED, ARRIVES(ESTABLISHED, CLOSE_WAIT, FIN | ACK, 1),
           ARRIVES(CLOSE_WAIT, CLOSE_WAIT, ACK, 1));
    REPLAY("the arrows only to FIN-WAIT-2", CLOSED_BY_US, ARRIVES(FIN_WAIT_1, TIME_WAIT, FIN | ACK, 1),
           TAKES(FIN_WAIT_1, "rcv ACK of FIN", FIN_WAIT_2, 1), ARRIVES(FIN_WAIT_2, FIN_WAIT_2, ACK, 1));
    REPLAY("not where the segment found it", OPENED, ARRIVES(FIN_WAIT_2, TIME_WAIT, FIN | ACK, 1),
           TAKES(ESTABLISHED, "CLOSE", FIN_WAIT_1, 1));
}

/* A FIN that acknowledges ours: fifth the ACK, eighth the FIN. By CLOSING the FIN was looked at first. */
static void note_2_by_closing_is_refused(void **state)
{
    (void)state;
    REPLAY("note 2", CLOSED_BY_US, ARRIVES(FIN_WAIT_1, TIME_WAIT, FIN | ACK, 1),
           TAKES(FIN_WAIT_1, "rcv FIN", CLOSING, 1));
}

static void lost_records_are_refused_and_the_rest_of_a_stack_is_right(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.trace_records = 4;
    struct rig *r = rig_start(&options);
    struct figure_replay *replay = figure_replay_new();
    rig_connect(r);
    expect(r, .flags = SYN, .seq = 0);
    assert_null(figure_replay_pull(replay, r->stack));
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    assert_null(figure_replay_pull(replay, r->stack));
    assert_int_equal(figure_replay_changes(replay), 2);
    for (unsigned i = 0; i < 5; i++) {
        inject(r, .flags = ACK, .seq = 1, .ack = 1);
    }
    const char *wrong = figure_replay_pull(replay, r->stack);
    assert_non_null(wrong);
    assert_non_null(strstr(wrong, "1 trace records were lost"));
    assert_null(figure_replay_pull(replay, r->stack)); /* told once */
    figure_replay_free(replay);
    rig_stop(r);
}

static void connection_that_moved_without_a_record_is_refused(void **state)
{
    (void)state;
    struct rig *r = rig_at(AT_ESTABLISHED);
    struct figure_replay *replay = figure_replay_new();
    static const struct step wrong[] = {OPENED, TAKES(ESTABLISHED, "CLOSE", FIN_WAIT_1, 1)};
    for (unsigned i = 0; i < 3; i++) {
        struct estab_trace record = record_of(&wrong[i]);
        record.conn = r->conn;
        assert_null(figure_replay(replay, &record));
    }
    assert_null(figure_replay_stands(replay, r->stack));
    struct estab_trace record = record_of(&wrong[3]);
    record.conn = r->conn;
    assert_null(figure_replay(replay, &record));
    assert_non_null(strstr(figure_replay_stands(replay, r->stack), "stands in ESTABLISHED"));
    rig_abort(r);
    rig_discard(r);
    assert_non_null(strstr(figure_replay_stands(replay, r->stack), "left 1 connections"));
    figure_replay_free(replay);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_table_have_the_same_arrows),
        cmocka_unit_test(text_has_the_whole_figure),
        cmocka_unit_test(bad_texts_are_refused_with_their_line),
        cmocka_unit_test(right_traces_are_right),
        cmocka_unit_test(arrow_that_nobody_drew_is_refused),
        cmocka_unit_test(gap_between_two_arrows_is_refused),
        cmocka_unit_test(connection_of_a_flow_in_time_wait_is_refused),
        cmocka_unit_test(connection_of_no_listener_is_refused),
        cmocka_unit_test(arrow_without_its_segment_is_refused),
        cmocka_unit_test(segment_without_its_arrow_is_refused),
        cmocka_unit_test(note_2_by_closing_is_refused),
        cmocka_unit_test(connection_that_moved_without_a_record_is_refused),
        cmocka_unit_test(lost_records_are_refused_and_the_rest_of_a_stack_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
