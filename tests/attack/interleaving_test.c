/*
 * Close and reset races: row V-53. Short scenarios, each of three courses that run beside each other: the
 * user's calls, the peer's packets, and time. Every way to interleave them is run from the start, with every
 * invariant checked after each step (the rig calls estab_check()). A handle that was given up is stale from
 * then on, for every call and for ever; and whatever the order was, in the end the stack is as empty as it
 * began.
 */
#include "support/rig.h"

#define MOST_STEPS 6u
#define COURSES    3u

struct play {
    struct rig *r;
    estab_conn stale[4]; /* handles that were given up */
    unsigned stale_count;
};

typedef void step(struct play *play);

struct scenario {
    const char *name;
    step *begin;
    step *steps[COURSES][MOST_STEPS + 1]; /* calls, packets, time; each ends with NULL */
};

/* ---- what must hold ---- */

/* A stale handle is found out by every call. */
static void expect_stale(struct rig *r, estab_conn conn)
{
    uint8_t byte = 0;
    int error = 0;
    size_t length = 0;
    uint64_t value;
    uint64_t now = r->now;
    estab_conn other;
    struct estab_status status;
    struct estab_slice slice;
    struct estab_addr local = rig_local(r, 0);
    struct estab_addr peer = rig_peer(r, PEER_PORT);
    assert_int_equal(estab_send(r->stack, now, conn, &byte, 1, 0), -ESTAB_EBADF);
    assert_int_equal(estab_recv(r->stack, now, conn, &byte, 1, 0), -ESTAB_EBADF);
    assert_int_equal(estab_shutdown(r->stack, now, conn, ESTAB_SHUT_WR), -ESTAB_EBADF);
    assert_int_equal(estab_close(r->stack, now, conn), -ESTAB_EBADF);
    assert_int_equal(estab_abort(r->stack, now, conn), -ESTAB_EBADF);
    assert_int_equal(estab_ready(r->stack, conn), -ESTAB_EBADF);
    assert_int_equal(estab_status(r->stack, conn, &status), -ESTAB_EBADF);
    assert_int_equal(estab_bind(r->stack, now, conn, &local), -ESTAB_EBADF);
    assert_int_equal(estab_connect(r->stack, now, conn, &peer), -ESTAB_EBADF);
    assert_int_equal(estab_open_passive(r->stack, now, conn, NULL), -ESTAB_EBADF);
    assert_int_equal(estab_listen(r->stack, now, conn, 1), -ESTAB_EBADF);
    assert_int_equal(estab_accept(r->stack, now, conn, &other), -ESTAB_EBADF);
    assert_int_equal(estab_set(r->stack, now, conn, ESTAB_OPTION_NODELAY, 1), -ESTAB_EBADF);
    assert_int_equal(estab_get(r->stack, conn, ESTAB_OPTION_NODELAY, &value), -ESTAB_EBADF);
    assert_int_equal(estab_recv_slices(r->stack, conn, &slice, 1), -ESTAB_EBADF);
    assert_int_equal(estab_recv_consume(r->stack, now, conn, 1), -ESTAB_EBADF);
    assert_null(estab_send_reserve(r->stack, conn, &length, &error));
    assert_int_equal(error, -ESTAB_EBADF);
}

static void given_up(struct play *play)
{
    if (play->r->conn != 0) {
        assert_true(play->stale_count < 4);
        play->stale[play->stale_count++] = play->r->conn;
        play->r->conn = 0;
    }
}

static void after_step(struct play *play)
{
    struct estab_event events[8];
    rig_called(play->r);
    rig_discard(play->r);
    for (unsigned i = 0; i < play->stale_count; i++) {
        expect_stale(play->r, play->stale[i]);
    }
    unsigned n = estab_poll(play->r->stack, events, 8);
    for (unsigned i = 0; i < n; i++) { /* no event tells of what was given up */
        for (unsigned k = 0; k < play->stale_count; k++) {
            assert_true(events[i].conn != play->stale[k]);
        }
    }
}

/* ---- the user's calls: any answer will do ---- */

static void call_accept(struct play *play)
{
    estab_conn conn;
    if (play->r->conn == 0 && estab_accept(play->r->stack, play->r->now, play->r->listener, &conn) == 0) {
        play->r->conn = conn;
    }
}

static void call_send(struct play *play)
{
    uint8_t bytes[3000];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = rig_byte(play->r->written + i);
    }
    ptrdiff_t sent = estab_send(play->r->stack, play->r->now, play->r->conn, bytes, sizeof bytes, 0);
    play->r->written += sent > 0 ? (uint64_t)sent : 0;
}

static void call_recv(struct play *play)
{
    if (play->r->conn != 0) {
        rig_read(play->r, 100000); /* checks every byte */
    }
}

static void call_shutdown(struct play *play)
{
    estab_shutdown(play->r->stack, play->r->now, play->r->conn, ESTAB_SHUT_WR);
}

static void call_shutdown_read(struct play *play)
{
    estab_shutdown(play->r->stack, play->r->now, play->r->conn, ESTAB_SHUT_RD);
}

static void call_close(struct play *play)
{
    if (play->r->conn != 0) {
        assert_int_equal(estab_close(play->r->stack, play->r->now, play->r->conn), 0);
        given_up(play);
    }
}

static void call_abort(struct play *play)
{
    if (play->r->conn != 0) {
        assert_int_equal(estab_abort(play->r->stack, play->r->now, play->r->conn), 0);
        given_up(play);
    }
}

static void call_close_listener(struct play *play)
{
    assert_int_equal(estab_close(play->r->stack, play->r->now, play->r->listener), 0);
    play->stale[play->stale_count++] = play->r->listener;
}

/* A record of the same place in the array, perhaps: the old handle must not mean it. */
static void call_open_again(struct play *play)
{
    struct estab_addr local = rig_local(play->r, LOCAL_PORT);
    struct estab_addr peer = rig_peer(play->r, PEER_PORT);
    estab_conn conn;
    if (play->r->conn == 0 && estab_open(play->r->stack, &conn) == 0) {
        play->r->conn = conn;
        play->r->written = play->r->read = 0;
        estab_set(play->r->stack, play->r->now, conn, ESTAB_OPTION_REUSE_ADDRESS, 1);
        estab_bind(play->r->stack, play->r->now, conn, &local);
        estab_connect(play->r->stack, play->r->now, conn, &peer);
    }
}

/* ---- the peer's packets ---- */

static void put(struct play *play, struct segment seg)
{
    uint8_t packet[2048];
    struct estab_status status = rig_status(play->r);
    if ((seg.flags & ACK) && seg.ack == 0) { /* of all that was sent */
        seg.ack = status.snd_nxt - status.iss;
    }
    rig_input(play->r, packet, rig_packet(play->r, &seg, packet));
    rig_discard(play->r);
}

static void packet_syn(struct play *play)
{
    put(play, (struct segment){.flags = SYN, .seq = 0});
}

static void packet_syn_ack(struct play *play)
{
    put(play, (struct segment){.flags = SYN | ACK, .seq = 0, .ack = 1});
}

static void packet_ack(struct play *play)
{
    put(play, (struct segment){.flags = ACK, .seq = 1});
}

static void packet_text(struct play *play)
{
    put(play, (struct segment){.flags = ACK | PSH, .seq = 1, .length = 700});
}

static void packet_ahead(struct play *play)
{
    put(play, (struct segment){.flags = ACK | PSH, .seq = 501, .length = 200});
}

static void packet_fin(struct play *play)
{
    put(play, (struct segment){.flags = FIN | ACK, .seq = 701});
}

static void packet_early_fin(struct play *play)
{
    put(play, (struct segment){.flags = FIN | ACK, .seq = 1});
}

static void packet_rst(struct play *play)
{
    struct estab_status status = rig_status(play->r);
    put(play, (struct segment){.flags = RST | ACK, .seq = status.rcv_nxt - play->r->irs});
}

static void packet_unreachable(struct play *play)
{
    struct estab_status status = rig_status(play->r);
    rig_discard(play->r);
    rig_inject_icmp(play->r, 3, 3, status.snd_una - play->r->iss[0], 0);
}

/* ---- time ---- */

static void pass(struct play *play, uint64_t ns)
{
    uint64_t end = play->r->now + ns;
    while (play->r->now < end) {
        uint64_t due = estab_next_deadline(play->r->stack);
        rig_discard(play->r);
        advance(play->r, due < end && due > play->r->now ? due - play->r->now : end - play->r->now);
    }
    rig_discard(play->r);
}

static void time_a_little(struct play *play)
{
    pass(play, 50 * MS);
}

static void time_of_retransmission(struct play *play)
{
    pass(play, 2 * SECOND);
}

static void time_of_time_wait(struct play *play)
{
    pass(play, 61 * SECOND);
}

static void time_of_giving_up(struct play *play)
{
    pass(play, 1000 * SECOND);
}

/* ---- scenarios ---- */

static void begin_listening(struct play *play)
{
    rig_listen(play->r, 2);
}

static void begin_connecting(struct play *play)
{
    rig_connect(play->r);
    rig_discard(play->r);
}

static void begin_established(struct play *play)
{
    rig_reach(play->r, AT_ESTABLISHED);
}

static const struct scenario scenarios[] = {
    {"accepted, read, answered and closed",
     begin_listening,
     {{call_accept, call_recv, call_send, call_close},
      {packet_syn, packet_ack, packet_text, packet_fin},
      {time_a_little, time_of_retransmission}}},
    {"a listener that goes while somebody comes",
     begin_listening,
     {{call_accept, call_close_listener, call_send, call_close},
      {packet_syn, packet_ack, packet_text, packet_rst},
      {time_a_little, time_of_giving_up}}},
    {"opened, written, half closed, read and closed",
     begin_connecting,
     {{call_send, call_shutdown, call_recv, call_close},
      {packet_syn_ack, packet_text, packet_fin, packet_ack},
      {time_of_retransmission, time_of_time_wait}}},
    {"opened by both at once, and given up",
     begin_connecting,
     {{call_send, call_abort, call_open_again, call_abort},
      {packet_syn, packet_syn_ack, packet_text, packet_rst},
      {time_of_retransmission, time_of_giving_up}}},
    {"closed with text unread, and opened again",
     begin_established,
     {{call_recv, call_close, call_open_again, call_close},
      {packet_text, packet_ahead, packet_fin, packet_ack},
      {time_a_little, time_of_time_wait}}},
    {"reset while both close",
     begin_established,
     {{call_send, call_shutdown, call_shutdown_read, call_close},
      {packet_early_fin, packet_ack, packet_rst, packet_text},
      {time_of_retransmission, time_of_giving_up}}},
    {"errors from the path while it opens and is aborted",
     begin_connecting,
     {{call_send, call_recv, call_abort, call_open_again},
      {packet_unreachable, packet_syn_ack, packet_unreachable, packet_rst},
      {time_of_retransmission, time_of_giving_up}}},
};

/* The end: what the user still holds is given up, and time passes. */
static void end(struct play *play)
{
    struct estab_memory memory;
    if (play->r->conn != 0) {
        call_abort(play);
        after_step(play);
    }
    estab_close(play->r->stack, play->r->now, play->r->listener);
    rig_called(play->r);
    rig_discard(play->r);
    pass(play, 2000 * SECOND);
    after_step(play);
    estab_memory(play->r->stack, &memory);
    assert_int_equal(memory.connections, 0);
    assert_int_equal(memory.half_open, 0);
    assert_int_equal(memory.time_wait, 0);
    assert_int_equal(memory.blocks_used, 0);
    assert_int_equal(estab_next_deadline(play->r->stack), UINT64_MAX);
    rig_stop(play->r);
}

/* order[i] names the course whose next step is the i-th. */
static void run(const struct scenario *scenario, const uint8_t *order, unsigned length)
{
    struct play play = {.r = rig_start(NULL)};
    unsigned at[COURSES] = {0};
    scenario->begin(&play);
    for (unsigned i = 0; i < length; i++) {
        scenario->steps[order[i]][at[order[i]]++](&play);
        after_step(&play);
    }
    end(&play);
}

/* The next order of the same multiset, in lexicographic order; false: that was the last. */
static bool next_order(uint8_t *order, unsigned length)
{
    unsigned i = length - 1;
    while (i > 0 && order[i - 1] >= order[i]) {
        i--;
    }
    if (i == 0) {
        return false;
    }
    unsigned k = length - 1;
    while (order[k] <= order[i - 1]) {
        k--;
    }
    uint8_t swapped = order[k];
    order[k] = order[i - 1];
    order[i - 1] = swapped;
    for (unsigned a = i, b = length - 1; a < b; a++, b--) {
        swapped = order[a];
        order[a] = order[b];
        order[b] = swapped;
    }
    return true;
}

/* V-53 */
static void v53_every_interleaving_of_calls_packets_and_time(void **state)
{
    (void)state;
    unsigned runs = 0;
    for (unsigned s = 0; s < sizeof scenarios / sizeof scenarios[0]; s++) {
        uint8_t order[COURSES * MOST_STEPS];
        unsigned length = 0;
        unsigned skipped = 0;
        for (uint8_t course = 0; course < COURSES; course++) {
            for (unsigned i = 0; scenarios[s].steps[course][i] != NULL; i++) {
                order[length++] = course;
            }
        }
        do {
            if (ESTAB_TEST_SLOW && skipped++ % 13 != 0) {
                continue;
            }
            run(&scenarios[s], order, length);
            runs++;
        } while (next_order(order, length));
    }
    assert_true(runs >= (ESTAB_TEST_SLOW ? 1500u : 7u * 3150u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v53_every_interleaving_of_calls_packets_and_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
