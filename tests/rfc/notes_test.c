/*
 * What `estab states` tells of each state is true (estab_state_notes(), RFC 9293 3.10.1 to 3.10.5): each call
 * is tried in each state, and is refused exactly where the notes do not name it; each timer that the notes
 * name is seen running. That no other timer runs is checked by the rig after every call of every test.
 */
#include "support/rig.h"

/* ---- calls ---- */

static ptrdiff_t try_send(struct rig *r)
{
    uint8_t byte = rig_byte(0);
    return estab_send(r->stack, r->now, r->conn, &byte, 1, 0);
}

static ptrdiff_t try_receive(struct rig *r)
{
    uint8_t byte;
    return estab_recv(r->stack, r->now, r->conn, &byte, 1, 0);
}

static ptrdiff_t try_shutdown(struct rig *r)
{
    return estab_shutdown(r->stack, r->now, r->conn, ESTAB_SHUT_WR);
}

static ptrdiff_t try_close(struct rig *r)
{
    return estab_close(r->stack, r->now, r->conn);
}

static ptrdiff_t try_abort(struct rig *r)
{
    return estab_abort(r->stack, r->now, r->conn);
}

static ptrdiff_t try_connect(struct rig *r)
{
    struct estab_addr peer = rig_peer(r, PEER_PORT);
    return estab_connect(r->stack, r->now, r->conn, &peer);
}

static ptrdiff_t try_listen(struct rig *r)
{
    return estab_listen(r->stack, r->now, r->conn, 1);
}

static ptrdiff_t try_open_passive(struct rig *r)
{
    return estab_open_passive(r->stack, r->now, r->conn, NULL);
}

static ptrdiff_t try_accept(struct rig *r)
{
    estab_conn conn;
    return estab_accept(r->stack, r->now, r->conn, &conn);
}

static const struct {
    const char *word; /* in the notes */
    ptrdiff_t (*call)(struct rig *r);
} calls[] = {
    {"send", try_send},         {"receive", try_receive},
    {"shutdown", try_shutdown}, {"close", try_close},
    {"abort", try_abort},       {"connect", try_connect},
    {"listen", try_listen},     {"open_passive", try_open_passive},
    {"accept", try_accept},
};

/* A passive OPEN for one named peer, so that a SEND may make it active (3.10.2); else as the rig does it. */
static struct rig *fresh_at(enum place place)
{
    if (place != AT_CLOSED && place != AT_LISTEN) {
        return rig_at(place);
    }
    struct rig *r = rig_start(NULL);
    struct estab_addr local = rig_local(r, LOCAL_PORT);
    struct estab_addr peer = rig_peer(r, PEER_PORT);
    assert_int_equal(estab_open(r->stack, &r->conn), 0);
    assert_int_equal(estab_bind(r->stack, r->now, r->conn, &local), 0);
    if (place == AT_LISTEN) {
        assert_int_equal(estab_open_passive(r->stack, r->now, r->conn, &peer), 0);
    }
    rig_called(r);
    return r;
}

/* A connection that has ended and was not read to its end. */
static struct rig *ended_with_text(void)
{
    struct rig *r = rig_at(AT_LAST_ACK);
    inject(r, .flags = ACK, .seq = 2, .ack = 2);
    expect_state(r, ESTAB_CLOSED);
    return r;
}

static bool refused(ptrdiff_t result)
{
    return result < 0 && result != -ESTAB_EAGAIN;
}

static void calls_are_refused_exactly_where_the_notes_do_not_name_them(void **state)
{
    (void)state;
    for (unsigned place = 0; place < PLACES; place++) {
        struct estab_state_notes notes = estab_state_notes(places[place].state);
        for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++) {
            bool receives_in_closed = place == AT_CLOSED && calls[i].call == try_receive;
            bool accepts = place == AT_LISTEN && calls[i].call == try_accept;
            struct rig *r = receives_in_closed ? ended_with_text()
                            : accepts          ? rig_start(NULL)
                                               : fresh_at((enum place)place);
            if (accepts) {
                rig_listen(r, 1);
                r->conn = r->listener;
            }
            bool named = strstr(notes.calls, calls[i].word) != NULL;
            ptrdiff_t result = calls[i].call(r);
            if (refused(result) == named) {
                fail_msg("%s: %s returns %s, the notes say \"%s\"", places[place].name, calls[i].word,
                         result < 0 ? estab_strerror((int)result) : "no error", notes.calls);
            }
            rig_called(r);
            rig_discard(r);
            rig_stop(r);
        }
    }
}

/* ---- timers ---- */

static unsigned seen[ESTAB_STATE_COUNT]; /* bit i = enum estab_timer i ran */

static void look(struct rig *r)
{
    struct estab_status status;
    uint64_t cursor = 0;
    rig_discard(r);
    while (estab_iterate(r->stack, &cursor, &status)) {
        seen[status.state] |= status.timers;
    }
}

/* Text of the peer that is acknowledged later. */
static void receive_text(struct rig *r, uint32_t seq, uint32_t ack, bool zero)
{
    inject(r, .flags = ACK, .seq = seq, .ack = ack, .length = 10, .wnd = zero ? WND_ZERO : 0);
    look(r);
}

/* To ESTABLISHED by a simultaneous open, with ten bytes of ours under way or held back by a closed window. */
static void open_and_send(struct rig *r, bool zero)
{
    rig_connect(r);
    look(r);
    inject(r, .flags = SYN, .seq = 0);
    look(r);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_set(r, ESTAB_OPTION_KEEPALIVE, 1);
    look(r);
    receive_text(r, 1, 1, zero);
    rig_send(r, 10, 0);
    look(r);
}

static void closed_by_us(struct rig *r, bool zero, bool both_at_once, bool released)
{
    assert_int_equal(released ? rig_close(r) : rig_shutdown(r), 0);
    look(r);
    if (!released) {
        receive_text(r, 11, 1, zero);
    }
    uint32_t next = released ? 11 : 21;
    if (both_at_once) {
        inject(r, .flags = FIN | ACK, .seq = next++, .ack = 1, .wnd = zero ? WND_ZERO : 0);
        look(r);
    }
    inject(r, .flags = ACK, .seq = next, .ack = 1); /* the window is open now at the latest */
    look(r);
    inject(r, .flags = ACK, .seq = next, .ack = 12);
    look(r);
    if (!both_at_once && !released) {
        receive_text(r, next, 12, false);
        assert_int_equal(rig_read(r, 100), 30);
        look(r);
    }
}

static void closed_by_the_peer(struct rig *r, bool zero)
{
    inject(r, .flags = FIN | ACK, .seq = 11, .ack = 1, .wnd = zero ? WND_ZERO : 0);
    look(r);
    assert_int_equal(rig_shutdown(r), 0);
    look(r);
}

static void live(unsigned way)
{
    bool zero = way & 1;
    struct rig *r = rig_start(NULL);
    open_and_send(r, zero);
    if (way & 2) {
        closed_by_the_peer(r, zero);
    } else {
        bool released = way & 8;
        if (released) {
            assert_int_equal(rig_read(r, 100), 10); /* unread text would abort (SHLD-3) */
            rig_discard(r);
        }
        closed_by_us(r, zero, way & 4, released);
    }
    rig_discard(r);
    rig_stop(r);
}

static void timers_that_the_notes_name_run_and_no_others(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 16; way++) {
        live(way);
    }
    for (unsigned s = 0; s < ESTAB_STATE_COUNT; s++) {
        const char *notes = estab_state_notes(s).timers;
        for (unsigned i = 0; i < ESTAB_TIMER_COUNT; i++) {
            bool named = strstr(notes, estab_timer_name(i)) != NULL;
            if ((seen[s] >> i & 1) != named) {
                fail_msg("%s: the timer \"%s\" %s, the notes say \"%s\"", estab_state_name(s),
                         estab_timer_name(i), named ? "never ran" : "ran", notes);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_refused_exactly_where_the_notes_do_not_name_them),
        cmocka_unit_test(timers_that_the_notes_name_run_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
