/*
 * Unit tests of matrix/oracle: the rules of RFC 9293 3.10.7 one by one, each test named after the rule's id
 * in the requirement tables (F-...), or after the decision that the oracle states. What is told here is how
 * the oracle answers; that the core answers likewise is what `make matrix` shows.
 */
#include "matrix/oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Both directions go round during the connection. */
enum { WINDOW = 1000, ROOM = 1000, SENT = 200, PEER_WINDOW = 5000, MSS = 100 };
static const uint32_t iss = 0xffffff80;
static const uint32_t irs = 0xfffffff0;
static const uint32_t rcv_nxt = 0x00000010;

static const struct oracle_offer offer = {
    .iss = 0x80000000,
    .receive_window = 100000,
    .mss = 1460,
    .shift = 3,
    .timestamps = true,
    .window_scale = true,
    .sack = true,
};

static bool has_sent_fin(enum estab_state state)
{
    return state == ESTAB_FIN_WAIT_1 || state == ESTAB_FIN_WAIT_2 || state == ESTAB_CLOSING ||
           state == ESTAB_LAST_ACK || state == ESTAB_TIME_WAIT;
}

/* A connection in `state`: SENT bytes are under way where it may be, nothing is kept or waits for an ACK. */
static struct oracle_tcb in_state(enum estab_state state)
{
    struct oracle_tcb tcb = {.state = state,
                             .iss = iss,
                             .snd_una = iss + 1,
                             .irs = irs,
                             .rcv_nxt = rcv_nxt,
                             .challenges_left = 2,
                             .adv_mss = MSS,
                             .rcv_mss = MSS,
                             .peer_mss = 536};
    tcb.snd_nxt = iss + 1 + SENT;
    tcb.snd_wnd = tcb.max_snd_wnd = PEER_WINDOW;
    tcb.snd_wl1 = rcv_nxt;
    tcb.snd_wl2 = tcb.snd_una;
    tcb.last_ack_sent = rcv_nxt;
    tcb.rcv_room = ROOM;
    tcb.readable = 10;
    if (state == ESTAB_SYN_SENT || state == ESTAB_SYN_RECEIVED) {
        tcb.snd_una = iss;
        tcb.snd_nxt = iss + 1;
        tcb.rcv_nxt = tcb.last_ack_sent = irs + 1;
        tcb.readable = 0;
    }
    tcb.rcv_adv = tcb.rcv_nxt + WINDOW;
    if (has_sent_fin(state)) {
        tcb.fin_sent = true;
        tcb.snd_nxt++;
    }
    if (state == ESTAB_FIN_WAIT_2 || state == ESTAB_TIME_WAIT) {
        tcb.snd_una = tcb.snd_nxt;
    }
    tcb.eof = state == ESTAB_CLOSE_WAIT || state == ESTAB_CLOSING || state == ESTAB_LAST_ACK ||
              state == ESTAB_TIME_WAIT;
    return tcb;
}

static struct oracle_tcb passive_half_open(void)
{
    struct oracle_tcb tcb = in_state(ESTAB_SYN_RECEIVED);
    tcb.passive = true;
    return tcb;
}

static struct oracle_tcb with_timestamps(struct oracle_tcb tcb)
{
    tcb.timestamps = true;
    tcb.ts_recent = 0xffffff00;
    return tcb;
}

/* A segment at RCV.NXT + at that acknowledges SND.UNA. */
static struct oracle_segment segment(const struct oracle_tcb *tcb, uint8_t flags, int at, uint32_t length)
{
    struct oracle_segment seg = {.seq = tcb->rcv_nxt + (uint32_t)at,
                                 .text_length = length,
                                 .flags = flags,
                                 .window = PEER_WINDOW,
                                 .window_scale = -1};
    seg.ack = (flags & ORACLE_ACK) ? tcb->snd_una : 0;
    return seg;
}

static struct oracle_answer arrives(struct oracle_tcb *tcb, struct oracle_segment seg)
{
    return oracle_segment_arrives(tcb, &seg, &offer);
}

static struct oracle_answer arrives_at(struct oracle_tcb *tcb, uint8_t flags, int at, uint32_t length)
{
    return arrives(tcb, segment(tcb, flags, at, length));
}

/* The states of 3.10.7.4 that have a connection. */
static const enum estab_state synchronized[] = {ESTAB_ESTABLISHED, ESTAB_FIN_WAIT_1, ESTAB_FIN_WAIT_2,
                                                ESTAB_CLOSE_WAIT,  ESTAB_CLOSING,    ESTAB_LAST_ACK};
#define SYNCHRONIZED (sizeof synchronized / sizeof synchronized[0])
static const enum estab_state peer_closed[] = {ESTAB_CLOSE_WAIT, ESTAB_CLOSING, ESTAB_LAST_ACK};
static const enum estab_state peer_open[] = {ESTAB_ESTABLISHED, ESTAB_FIN_WAIT_1, ESTAB_FIN_WAIT_2};

static void assert_silence(const struct oracle_answer *answer)
{
    assert_false(answer->sent);
}

static void assert_ack(const struct oracle_answer *answer, const struct oracle_tcb *tcb)
{
    assert_true(answer->sent);
    assert_int_equal(answer->segment.flags, ORACLE_ACK);
    assert_int_equal(answer->segment.seq, tcb->snd_nxt);
    assert_int_equal(answer->segment.ack, tcb->rcv_nxt);
    assert_int_equal(answer->segment.text_length, 0);
}

static void assert_reset_at(const struct oracle_answer *answer, uint32_t seq)
{
    assert_true(answer->sent);
    assert_int_equal(answer->segment.flags, ORACLE_RST);
    assert_int_equal(answer->segment.seq, seq);
}

static void assert_unchanged(const struct oracle_tcb *before, const struct oracle_tcb *after)
{
    const char *name = oracle_difference(before, after);
    assert_string_equal(name != NULL ? name : "", "");
}

/* Like assert_unchanged(), but one ACK of the limited ones was spent. */
static void assert_challenged(const struct oracle_answer *answer, struct oracle_tcb before,
                              const struct oracle_tcb *after)
{
    assert_ack(answer, &before);
    before.challenges_left--;
    assert_unchanged(&before, after);
}

/* ----------------------------------------------------------------------------------------- CLOSED, LISTEN */

static void f_closed_1_rst_is_dropped(void **state)
{
    (void)state;
    struct oracle_tcb tcb = {.state = ESTAB_CLOSED};
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_RST | ORACLE_ACK, 0, 0);
    assert_silence(&answer);
}

static void f_closed_2_without_ack_rst_acknowledges_all(void **state)
{
    (void)state;
    struct oracle_tcb tcb = {.state = ESTAB_CLOSED};
    struct oracle_segment seg = {.seq = 0xfffffffe,
                                 .text_length = 3,
                                 .flags = ORACLE_SYN | ORACLE_FIN,
                                 .timestamps = true,
                                 .tsval = 77};
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_true(answer.sent);
    assert_int_equal(answer.segment.flags, ORACLE_RST | ORACLE_ACK);
    assert_int_equal(answer.segment.seq, 0);
    assert_int_equal(answer.segment.ack, 3);
    assert_true(answer.segment.timestamps); /* RFC 7323 5.2 */
    assert_int_equal(answer.segment.tsecr, 77);
}

static void f_closed_3_with_ack_rst_stands_at_it(void **state)
{
    (void)state;
    struct oracle_tcb tcb = {.state = ESTAB_CLOSED};
    struct oracle_segment seg = {.seq = 5, .ack = 0xffffffff, .flags = ORACLE_ACK};
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_reset_at(&answer, 0xffffffff);
    assert_false(answer.segment.timestamps);
}

static void f_listen_1_rst_is_ignored(void **state)
{
    (void)state;
    struct oracle_tcb tcb = {.state = ESTAB_LISTEN};
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_RST | ORACLE_ACK | ORACLE_SYN, 0, 0);
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_LISTEN);
}

static void f_listen_2_ack_gets_rst(void **state)
{
    (void)state;
    struct oracle_tcb tcb = {.state = ESTAB_LISTEN};
    struct oracle_segment seg = {.ack = 1234, .flags = ORACLE_SYN | ORACLE_ACK};
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_reset_at(&answer, 1234);
    assert_int_equal(tcb.state, ESTAB_LISTEN);
}

static struct oracle_segment plain_syn(void)
{
    return (struct oracle_segment){.seq = irs,
                                   .flags = ORACLE_SYN,
                                   .window = 60000,
                                   .mss = 1000,
                                   .window_scale = 7,
                                   .timestamps = true,
                                   .tsval = 5,
                                   .sack_permitted = true};
}

static void f_listen_3_syn_is_answered_by_syn_ack(void **state)
{
    (void)state;
    struct oracle_tcb tcb = {.state = ESTAB_LISTEN};
    struct oracle_answer answer = arrives(&tcb, plain_syn());
    assert_true(answer.sent);
    assert_int_equal(answer.segment.flags, ORACLE_SYN | ORACLE_ACK);
    assert_int_equal(answer.segment.seq, offer.iss);
    assert_int_equal(answer.segment.ack, irs + 1);
    assert_int_equal(answer.segment.window, 65535); /* RFC 7323 2.2: not shifted */
    assert_int_equal(answer.segment.mss, 1460);
    assert_int_equal(answer.segment.window_scale, 3);
    assert_int_equal(answer.segment.tsecr, 5);
    assert_true(answer.segment.sack_permitted && answer.segment.timestamps);
    assert_int_equal(tcb.state, ESTAB_SYN_RECEIVED);
    assert_true(tcb.passive);
    assert_int_equal(tcb.irs, irs);
    assert_int_equal(tcb.rcv_nxt, irs + 1);
    assert_int_equal(tcb.snd_una, offer.iss);
    assert_int_equal(tcb.snd_nxt, offer.iss + 1);
    assert_int_equal(tcb.snd_wnd, 60000);
    assert_int_equal(tcb.snd_shift, 7);
    assert_int_equal(tcb.rcv_shift, 3);
    assert_int_equal(tcb.rcv_adv, irs + 1 + 65535);
    assert_int_equal(tcb.peer_mss, 1000);
}

static void f_listen_3_options_that_one_side_lacks_are_not_used(void **state)
{
    (void)state;
    struct oracle_tcb tcb = {.state = ESTAB_LISTEN};
    struct oracle_segment seg = {.seq = irs, .flags = ORACLE_SYN, .window = 10, .window_scale = -1};
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_int_equal(answer.segment.window_scale, -1);
    assert_false(answer.segment.timestamps || answer.segment.sack_permitted);
    assert_int_equal(tcb.snd_shift, 0);
    assert_int_equal(tcb.rcv_shift, 0);
    assert_int_equal(tcb.peer_mss, 536);   /* MUST-15 */
    assert_int_equal(tcb.rcv_room, 65535); /* the window cannot tell more */
    tcb = (struct oracle_tcb){.state = ESTAB_LISTEN};
    seg.window_scale = 15; /* RFC 7323 2.3: read as 14 */
    (void)arrives(&tcb, seg);
    assert_int_equal(tcb.snd_shift, 14);
}

static void f_listen_3_text_is_kept_and_fin_is_not(void **state)
{
    (void)state;
    struct oracle_tcb tcb = {.state = ESTAB_LISTEN};
    struct oracle_segment seg = plain_syn();
    seg.flags |= ORACLE_FIN;
    seg.text_length = 40;
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_int_equal(answer.segment.ack, irs + 41);
    assert_int_equal(tcb.readable, 40);
    assert_int_equal(tcb.rcv_room, offer.receive_window - 40);
    assert_false(tcb.eof || tcb.fin_known);
    assert_int_equal(tcb.state, ESTAB_SYN_RECEIVED);
}

static void f_listen_4_anything_else_is_dropped(void **state)
{
    (void)state;
    struct oracle_tcb tcb = {.state = ESTAB_LISTEN};
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_FIN | ORACLE_PSH | ORACLE_URG, 0, 5);
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_LISTEN);
}

/* ----------------------------------------------------------------------------------------------- SYN-SENT */

static struct oracle_segment answer_to_syn(uint8_t flags, uint32_t ack)
{
    return (struct oracle_segment){
        .seq = irs, .ack = ack, .flags = flags, .window = 4000, .window_scale = -1};
}

static void f_synsent_1_bad_ack_gets_rst(void **state)
{
    (void)state;
    const uint32_t bad[] = {iss, iss + 2, iss - 1, iss + 0x80000000};
    for (unsigned i = 0; i < 4; i++) {
        struct oracle_tcb tcb = in_state(ESTAB_SYN_SENT);
        struct oracle_tcb before = tcb;
        struct oracle_segment seg = answer_to_syn(ORACLE_SYN | ORACLE_ACK, bad[i]);
        seg.timestamps = true;
        struct oracle_answer answer = arrives(&tcb, seg);
        assert_reset_at(&answer, bad[i]);
        assert_false(answer.segment.timestamps); /* R7323-31: a deviation */
        assert_unchanged(&before, &tcb);
    }
}

static void f_synsent_2_bad_ack_with_rst_is_dropped(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_SYN_SENT);
    struct oracle_answer answer = arrives(&tcb, answer_to_syn(ORACLE_RST | ORACLE_ACK, iss + 2));
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_SYN_SENT);
}

static void f_synsent_3_rst_refuses(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_SYN_SENT);
    struct oracle_answer answer = arrives(&tcb, answer_to_syn(ORACLE_RST | ORACLE_ACK, iss + 1));
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_CLOSED);
    assert_int_equal(tcb.end, ORACLE_REFUSED);
}

static void f_synsent_4_rst_without_ack_is_dropped(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_SYN_SENT);
    struct oracle_answer answer = arrives(&tcb, answer_to_syn(ORACLE_RST | ORACLE_SYN, 0));
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_SYN_SENT);
}

static void f_synsent_5_syn_ack_establishes(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_SYN_SENT);
    tcb.timestamps = tcb.window_scale = true;
    tcb.rcv_shift = 2;
    struct oracle_segment seg = answer_to_syn(ORACLE_SYN | ORACLE_ACK, iss + 1);
    seg.window_scale = 4;
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
    assert_ack(&answer, &tcb);
    assert_int_equal(answer.segment.ack, irs + 1);
    assert_int_equal(answer.segment.window, WINDOW >> 2);
    assert_false(tcb.timestamps); /* the peer has none */
    assert_int_equal(tcb.snd_una, iss + 1);
    assert_int_equal(tcb.snd_wnd, 4000); /* RFC 7323 2.2: not shifted */
    assert_int_equal(tcb.snd_wl1, irs);
    assert_int_equal(tcb.snd_wl2, iss + 1);
}

static void f_synsent_5_text_and_fin_are_processed(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_SYN_SENT);
    struct oracle_segment seg = answer_to_syn(ORACLE_SYN | ORACLE_ACK | ORACLE_FIN, iss + 1);
    seg.text_length = 30;
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_int_equal(tcb.state, ESTAB_CLOSE_WAIT);
    assert_int_equal(tcb.readable, 30);
    assert_int_equal(answer.segment.ack, irs + 32);
    tcb = in_state(ESTAB_SYN_SENT);
    seg.text_length =
        WINDOW + 1; /* the last octet and the FIN lie beyond the window that our SYN announced */
    answer = arrives(&tcb, seg);
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
    assert_int_equal(answer.segment.ack, irs + 1 + WINDOW);
    tcb = in_state(ESTAB_SYN_SENT);
    seg.flags &= (uint8_t)~ORACLE_FIN;
    seg.text_length = 1;
    answer = arrives(&tcb, seg);
    assert_ack(&answer, &tcb); /* the ACK of the SYN does not wait with that of the text */
    assert_false(tcb.ack_delayed);
}

static void f_synsent_6_syn_alone_is_a_simultaneous_open(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_SYN_SENT);
    struct oracle_segment seg = answer_to_syn(ORACLE_SYN | ORACLE_FIN, 0);
    seg.text_length = 8;
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_int_equal(tcb.state, ESTAB_SYN_RECEIVED);
    assert_false(tcb.passive);
    assert_true(answer.sent);
    assert_int_equal(answer.segment.flags, ORACLE_SYN | ORACLE_ACK);
    assert_int_equal(answer.segment.seq, iss);
    assert_int_equal(answer.segment.ack, irs + 9);
    assert_int_equal(tcb.snd_wnd, 4000);
    assert_int_equal(tcb.snd_wl1, irs);
}

static void f_synsent_7_neither_syn_nor_rst_is_dropped(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_SYN_SENT);
    struct oracle_tcb before = tcb;
    struct oracle_answer answer = arrives(&tcb, answer_to_syn(ORACLE_ACK | ORACLE_FIN, iss + 1));
    assert_silence(&answer);
    answer = arrives(&tcb, answer_to_syn(ORACLE_FIN, 0)); /* F-FIN-1, U-10 */
    assert_silence(&answer);
    assert_unchanged(&before, &tcb);
}

static void f_synsent_8_a_part_of_what_was_sent_is_acknowledged(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_SYN_SENT);
    tcb.snd_nxt = iss + 50;
    (void)arrives(&tcb, answer_to_syn(ORACLE_SYN | ORACLE_ACK, iss + 20));
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
    assert_int_equal(tcb.snd_una, iss + 20);
}

/* --------------------------------------------------------------------------------- first: sequence number */

static void f_seq_1_nothing_fits_a_closed_window_but_rcv_nxt(void **state)
{
    (void)state;
    for (int at = -1; at <= 1; at++) {
        struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
        tcb.rcv_adv = tcb.rcv_nxt;
        tcb.rcv_room = 0;
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK, at, 0);
        seg.ack++;
        struct oracle_answer answer = arrives(&tcb, seg);
        assert_int_equal(tcb.snd_una, iss + 1 + (at == 0));
        assert_int_equal(answer.sent, at != 0);
    }
}

static void f_seq_2_empty_segments_fit_the_window(void **state)
{
    (void)state;
    const struct {
        int at;
        bool fits;
    } cases[] = {{-1, false}, {0, true}, {WINDOW - 1, true}, {WINDOW, false}, {INT32_MIN, false}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK, cases[i].at, 0);
        seg.ack++;
        struct oracle_answer answer = arrives(&tcb, seg);
        assert_int_equal(tcb.snd_una, iss + 1 + cases[i].fits);
        assert_int_equal(answer.sent, !cases[i].fits);
    }
}

/* MUST-66, U-13: nothing of it fits, but its ACK counts. */
static void f_seq_3_text_at_rcv_nxt_of_a_closed_window(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    tcb.rcv_adv = tcb.rcv_nxt;
    tcb.rcv_room = 0;
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK | ORACLE_FIN | ORACLE_URG, 0, 5);
    seg.ack++;
    seg.up = 5;
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_int_equal(tcb.snd_una, iss + 2);
    assert_int_equal(tcb.rcv_nxt, rcv_nxt);
    assert_int_equal(tcb.readable, 10);
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
    assert_true(tcb.urgent);
    assert_ack(&answer, &tcb);
    assert_int_equal(answer.segment.window, 0);
    assert_int_equal(tcb.challenges_left, 2);
}

static void f_seq_4_text_fits_by_its_first_or_last_octet(void **state)
{
    (void)state;
    const struct {
        int at;
        uint32_t length;
        bool fits;
    } cases[] = {{-10, 10, false},        {-10, 11, true},     {0, 1, true},
                 {WINDOW - 1, 10, true},  {WINDOW, 10, false}, {-10, WINDOW + 20, false},
                 {-10, WINDOW + 10, true}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK, cases[i].at, cases[i].length);
        seg.ack++;
        (void)arrives(&tcb, seg);
        assert_int_equal(tcb.snd_una, iss + 1 + cases[i].fits);
    }
}

static void f_seq_5_unacceptable_is_acknowledged_and_dropped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SYNCHRONIZED; i++) {
        struct oracle_tcb tcb = in_state(synchronized[i]);
        struct oracle_tcb before = tcb;
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK, -1, 1);
        assert_ack(&answer, &tcb);
        assert_unchanged(&before, &tcb); /* text: not counted */
        answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, -1, 0);
        assert_challenged(&answer, before, &tcb);
        tcb.challenges_left = 0;
        answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, -1, 0);
        assert_silence(&answer);
    }
}

static void f_seq_6_unacceptable_rst_is_dropped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SYNCHRONIZED; i++) {
        struct oracle_tcb tcb = in_state(synchronized[i]);
        struct oracle_tcb before = tcb;
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_RST | ORACLE_ACK, -1, 0);
        assert_silence(&answer); /* F-RST-1, RFC 5961 3.2 */
        answer = arrives_at(&tcb, ORACLE_RST | ORACLE_ACK, WINDOW, 10);
        assert_silence(&answer);
        assert_unchanged(&before, &tcb);
    }
}

static void f_seq_7_both_ends_are_trimmed(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK, -5, 20);
    assert_int_equal(tcb.rcv_nxt, rcv_nxt + 15);
    assert_int_equal(tcb.readable, 25);
    assert_silence(&answer);
    answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, 0, WINDOW);
    assert_int_equal(tcb.rcv_nxt, rcv_nxt + WINDOW);
    assert_ack(&answer, &tcb); /* the end of the window is told */
    assert_int_equal(answer.segment.window, 0);
    assert_false(tcb.fin_known); /* F-FIN-8: it stood beyond the window */
}

static void f_seq_7_fin_just_beyond_the_window_is_cut_off(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, 0, WINDOW);
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
    assert_ack(&answer, &tcb);
    tcb = in_state(ESTAB_ESTABLISHED);
    answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, 0, WINDOW - 1);
    assert_int_equal(tcb.state, ESTAB_CLOSE_WAIT);
    assert_ack(&answer, &tcb);
}

static void f_seq_8_text_ahead_is_held_and_acknowledged_at_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct oracle_tcb tcb = in_state(peer_open[i]);
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK, 20, 10);
        assert_ack(&answer, &tcb);
        assert_int_equal(tcb.rcv_nxt, rcv_nxt);
        answer = arrives_at(&tcb, ORACLE_ACK, 50, 10);
        answer = arrives_at(&tcb, ORACLE_ACK, 30, 15); /* touches the first */
        assert_int_equal(tcb.ahead_count, 2);
        assert_int_equal(tcb.ahead[0].left, rcv_nxt + 20);
        assert_int_equal(tcb.ahead[0].right, rcv_nxt + 45);
        assert_int_equal(tcb.ahead[1].left, rcv_nxt + 50);
        answer = arrives_at(&tcb, ORACLE_ACK, 40, 11); /* joins both */
        assert_int_equal(tcb.ahead_count, 1);
        answer = arrives_at(&tcb, ORACLE_ACK, 0, 20); /* MUST-59: one ACK for all */
        assert_int_equal(tcb.rcv_nxt, rcv_nxt + 60);
        assert_int_equal(tcb.readable, 70);
        assert_int_equal(tcb.ahead_count, 0);
        assert_ack(&answer, &tcb);
    }
}

static void f_seq_8_of_too_many_ranges_the_last_is_let_go(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    for (int i = ORACLE_RANGES; i >= 0; i--) {
        (void)arrives_at(&tcb, ORACLE_ACK, 10 + 20 * i, 10);
    }
    assert_int_equal(tcb.ahead_count, ORACLE_RANGES);
    assert_int_equal(tcb.ahead[0].left, rcv_nxt + 10);
    assert_int_equal(tcb.ahead[ORACLE_RANGES - 1].left, rcv_nxt + 10 + 20 * (ORACLE_RANGES - 1));
}

/* RFC 9293 Figure 7, line 7: the SYN,ACK repeats a SYN that was taken. */
static void syn_received_active_crossing_syn_ack_establishes(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_SYN_RECEIVED);
    tcb.rcv_nxt += 4; /* text of the SYN */
    tcb.last_ack_sent += 4;
    tcb.snd_shift = 3;
    struct oracle_segment seg = answer_to_syn(ORACLE_SYN | ORACLE_ACK, iss + 1);
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
    assert_int_equal(tcb.snd_wnd, 4000); /* a SYN's window is not shifted */
    assert_int_equal(tcb.rcv_nxt, irs + 5);
    tcb = in_state(ESTAB_SYN_RECEIVED);
    seg.text_length = 7;
    (void)arrives(&tcb, seg);
    assert_int_equal(tcb.readable, 7);
    tcb = in_state(ESTAB_SYN_RECEIVED);
    struct oracle_tcb before = tcb;
    seg = answer_to_syn(ORACLE_SYN | ORACLE_ACK, iss); /* acknowledges nothing */
    answer = arrives(&tcb, seg);
    assert_challenged(&answer, before, &tcb);
    tcb = before = passive_half_open();
    seg = answer_to_syn(ORACLE_SYN | ORACLE_ACK, iss + 1);
    answer = arrives(&tcb, seg);
    assert_challenged(&answer, before, &tcb);
}

/* --------------------------------------------------------------------------------------------- timestamps */

static void r7323_13_segment_without_timestamps_is_dropped_in_silence(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SYNCHRONIZED; i++) {
        struct oracle_tcb tcb = with_timestamps(in_state(synchronized[i]));
        struct oracle_tcb before = tcb;
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK, -5, 10);
        assert_silence(&answer);
        assert_unchanged(&before, &tcb);
        (void)arrives_at(&tcb, ORACLE_RST, 0, 0); /* RFC 7323 5.2: a RST needs none */
        assert_int_equal(tcb.state, ESTAB_CLOSED);
    }
}

static void r7323_36_old_timestamp_is_acknowledged_and_dropped(void **state)
{
    (void)state;
    struct oracle_tcb tcb = with_timestamps(in_state(ESTAB_ESTABLISHED));
    struct oracle_tcb before = tcb;
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, 10);
    seg.timestamps = true;
    seg.tsval = tcb.ts_recent - 1;
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_ack(&answer, &tcb);
    assert_int_equal(answer.segment.tsecr, tcb.ts_recent);
    assert_unchanged(&before, &tcb);
    seg.text_length = 0;
    answer = arrives(&tcb, seg);
    assert_challenged(&answer, before, &tcb);
    seg.tsval = tcb.ts_recent + 0x80000000; /* half the circle away counts as older */
    answer = arrives(&tcb, seg);
    assert_ack(&answer, &tcb);
    answer = arrives(&tcb, seg); /* the limit */
    assert_silence(&answer);
}

static void ts_recent_is_taken_from_a_segment_that_is_believed(void **state)
{
    (void)state;
    struct oracle_tcb tcb = with_timestamps(in_state(ESTAB_ESTABLISHED));
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, 10);
    seg.timestamps = true;
    seg.tsval = 3; /* newer, beyond the wrap */
    seg.ack = tcb.snd_nxt + 1;
    (void)arrives(&tcb, seg);
    assert_int_equal(tcb.ts_recent, 0xffffff00);
    seg.ack = tcb.snd_nxt;
    seg.seq++; /* beyond Last.ACK.sent */
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_int_equal(tcb.ts_recent, 0xffffff00);
    assert_int_equal(answer.segment.tsecr, 0xffffff00);
    seg.seq--;
    answer = arrives(&tcb, seg);
    assert_int_equal(tcb.ts_recent, 3);
    assert_int_equal(answer.segment.tsecr, 3); /* RFC 7323 4.3 (C): the one that filled the hole */
}

/* -------------------------------------------------------------------------------------------- second: RST */

static void f_rst_2_in_the_window_is_challenged(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SYNCHRONIZED; i++) {
        struct oracle_tcb tcb = in_state(synchronized[i]);
        struct oracle_tcb before = tcb;
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_RST, 1, 0);
        assert_challenged(&answer, before, &tcb);
        answer = arrives_at(&tcb, ORACLE_RST, 1, 0);
        answer = arrives_at(&tcb, ORACLE_RST, 1, 0);
        assert_silence(&answer); /* RFC 5961 7: two a second */
    }
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_RST, -1, 5); /* F-RST-1: its text reaches into it */
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
}

static void f_rst_3_passive_half_open_returns_to_listen(void **state)
{
    (void)state;
    struct oracle_tcb tcb = passive_half_open();
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_RST, 0, 0);
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_LISTEN);
    assert_true(tcb.half_open_gone);
    assert_int_equal(tcb.end, ORACLE_NOT_ENDED);
}

static void f_rst_4_active_half_open_is_refused(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_SYN_RECEIVED);
    (void)arrives_at(&tcb, ORACLE_RST | ORACLE_SYN | ORACLE_ACK, 0, 0);
    assert_int_equal(tcb.state, ESTAB_CLOSED);
    assert_int_equal(tcb.end, ORACLE_REFUSED);
}

static void f_rst_5_resets(void **state)
{
    (void)state;
    const enum estab_state states[] = {ESTAB_ESTABLISHED, ESTAB_FIN_WAIT_1, ESTAB_FIN_WAIT_2,
                                       ESTAB_CLOSE_WAIT};
    for (unsigned i = 0; i < 4; i++) {
        struct oracle_tcb tcb = in_state(states[i]);
        tcb.rcv_adv = tcb.rcv_nxt; /* MUST-66: also where the window is closed */
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_RST | ORACLE_FIN, 0, 9); /* SHLD-2: text */
        assert_silence(&answer);                                                       /* F-INV-1 */
        assert_int_equal(tcb.state, ESTAB_CLOSED);
        assert_int_equal(tcb.end, ORACLE_RESET);
    }
}

static void f_rst_6_ends_in_order_and_not_in_time_wait(void **state)
{
    (void)state;
    const enum estab_state states[] = {ESTAB_CLOSING, ESTAB_LAST_ACK};
    for (unsigned i = 0; i < 2; i++) {
        struct oracle_tcb tcb = in_state(states[i]);
        tcb.snd_una = tcb.snd_nxt - 1;
        (void)arrives_at(&tcb, ORACLE_RST, 0, 0);
        assert_int_equal(tcb.state, ESTAB_CLOSED);
        assert_int_equal(tcb.end, ORACLE_ENDED);
        tcb = in_state(states[i]); /* text that the peer never took is lost: the user learns of it */
        (void)arrives_at(&tcb, ORACLE_RST, 0, 0);
        assert_int_equal(tcb.end, ORACLE_RESET);
    }
    struct oracle_tcb tcb = in_state(ESTAB_TIME_WAIT);
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_RST, 0, 0);
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_TIME_WAIT);
}

/* -------------------------------------------------------------------------------------------- fourth: SYN */

static void f_syn_1_the_same_syn_gets_the_same_answer(void **state)
{
    (void)state;
    for (uint32_t length = 0; length < 2; length++) {
        struct oracle_tcb tcb = passive_half_open();
        struct oracle_tcb before = tcb;
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_SYN, -1, length);
        assert_true(answer.sent);
        assert_int_equal(answer.segment.flags, ORACLE_SYN | ORACLE_ACK);
        assert_int_equal(answer.segment.seq, iss);
        assert_int_equal(answer.segment.ack, irs + 1);
        assert_int_equal(answer.segment.mss, MSS);
        assert_unchanged(&before, &tcb);
    }
    struct oracle_tcb tcb = passive_half_open();
    tcb.rcv_adv = tcb.rcv_nxt + 70000; /* an ACK has told it, a SYN,ACK cannot */
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_SYN, -1, 0);
    assert_int_equal(answer.segment.window, 65535);
}

static void f_syn_1_another_syn_is_challenged(void **state)
{
    (void)state;
    const int at[] = {0, 1, -2};
    for (unsigned i = 0; i < 3; i++) {
        struct oracle_tcb tcb = passive_half_open();
        struct oracle_tcb before = tcb;
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_SYN, at[i], 0);
        assert_challenged(&answer, before, &tcb);
    }
}

static void f_syn_2_is_challenged_wherever_it_stands(void **state)
{
    (void)state;
    const int at[] = {-1, 0, 1, (int)(irs - rcv_nxt), INT32_MIN};
    for (unsigned i = 0; i < SYNCHRONIZED * 5; i++) {
        struct oracle_tcb tcb = in_state(synchronized[i / 5]);
        struct oracle_tcb before = tcb;
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_SYN | (i % 2 ? ORACLE_ACK : 0), at[i % 5], 3);
        assert_challenged(&answer, before, &tcb);
    }
}

/* --------------------------------------------------------------------------------------------- fifth: ACK */

static void f_ack_0_without_ack_is_dropped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SYNCHRONIZED; i++) {
        struct oracle_tcb tcb = in_state(synchronized[i]);
        struct oracle_tcb before = tcb;
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_FIN | ORACLE_URG | ORACLE_PSH, 0, 5);
        assert_silence(&answer);
        assert_unchanged(&before, &tcb);
    }
}

static void f_ack_1_and_6_only_a_plausible_ack_is_believed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SYNCHRONIZED; i++) {
        struct oracle_tcb tcb = in_state(synchronized[i]);
        struct oracle_tcb before = tcb;
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, 5);
        seg.ack = tcb.snd_una - PEER_WINDOW - 1;
        struct oracle_answer answer = arrives(&tcb, seg);
        assert_challenged(&answer, before, &tcb);
        before = tcb;
        seg.ack = tcb.snd_nxt + 1;
        answer = arrives(&tcb, seg);
        assert_challenged(&answer, before, &tcb);
        answer = arrives(&tcb, seg);
        assert_silence(&answer);
        assert_int_equal(tcb.rcv_nxt, rcv_nxt);
    }
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, 5);
    seg.ack = tcb.snd_una - PEER_WINDOW;
    (void)arrives(&tcb, seg);
    assert_int_equal(tcb.rcv_nxt, rcv_nxt + 5); /* F-ACK-5: a duplicate is no reason to drop the text */
}

static void f_ack_2_ack_of_syn_establishes(void **state)
{
    (void)state;
    struct oracle_tcb tcb = passive_half_open();
    tcb.snd_shift = 2;
    tcb.snd_wl1 = tcb.rcv_nxt + 1000; /* no comparison: it is taken */
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK | ORACLE_FIN, 0, 5);
    seg.ack = iss + 1;
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_int_equal(tcb.state, ESTAB_CLOSE_WAIT); /* F-FIN-2: from SYN-RECEIVED */
    assert_int_equal(tcb.snd_una, iss + 1);
    assert_int_equal(tcb.snd_wnd, PEER_WINDOW << 2);
    assert_int_equal(tcb.max_snd_wnd, PEER_WINDOW << 2);
    assert_int_equal(tcb.snd_wl1, irs + 1);
    assert_int_equal(tcb.snd_wl2, iss + 1);
    assert_ack(&answer, &tcb);
}

static void f_ack_3_bad_ack_gets_rst(void **state)
{
    (void)state;
    const uint32_t bad[] = {iss, iss + 2};
    for (unsigned i = 0; i < 2; i++) {
        struct oracle_tcb tcb = passive_half_open();
        struct oracle_tcb before = tcb;
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, WINDOW + 5);
        seg.ack = bad[i];
        struct oracle_answer answer = arrives(&tcb, seg);
        assert_reset_at(&answer, bad[i]);
        assert_unchanged(&before, &tcb);
    }
}

static void f_ack_4_5_and_11_una_moves_forward_only(void **state)
{
    (void)state;
    const enum estab_state states[] = {ESTAB_ESTABLISHED, ESTAB_CLOSE_WAIT};
    for (unsigned i = 0; i < 2; i++) {
        struct oracle_tcb tcb = in_state(states[i]);
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, 0);
        seg.ack = tcb.snd_nxt;
        struct oracle_answer answer = arrives(&tcb, seg);
        assert_silence(&answer);
        assert_int_equal(tcb.snd_una, tcb.snd_nxt);
        seg.ack--;
        answer = arrives(&tcb, seg);
        assert_silence(&answer);
        assert_int_equal(tcb.snd_una, tcb.snd_nxt);
        assert_int_equal(tcb.state, states[i]);
    }
}

static void f_ack_7_and_8_only_a_newer_segment_sets_the_window(void **state)
{
    (void)state;
    const struct {
        int wl1, wl2, ack; /* against SEQ and SND.UNA */
        bool sets;
    } cases[] = {{0, 0, 0, true},   {0, 1, 0, false},   {-1, 5, 0, true}, {1, 0, 0, false},
                 {0, 0, -1, false}, {-1, 0, -1, false}, {0, 1, 1, true}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
        tcb.snd_shift = 1;
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, 0);
        tcb.snd_wl1 = tcb.rcv_nxt + (uint32_t)cases[i].wl1;
        tcb.snd_wl2 = tcb.snd_una + (uint32_t)cases[i].wl2;
        seg.ack = tcb.snd_una + (uint32_t)cases[i].ack;
        seg.window = 4;
        (void)arrives(&tcb, seg);
        assert_int_equal(tcb.snd_wnd, cases[i].sets ? 8 : PEER_WINDOW);
        assert_int_equal(tcb.max_snd_wnd, PEER_WINDOW);
        if (cases[i].sets) {
            assert_int_equal(tcb.snd_wl1, seg.seq);
            assert_int_equal(tcb.snd_wl2, seg.ack);
        }
    }
}

static void f_ack_9_ack_of_our_fin(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_FIN_WAIT_1);
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, 5);
    seg.ack = tcb.snd_nxt - 1; /* all but the FIN */
    (void)arrives(&tcb, seg);
    assert_int_equal(tcb.state, ESTAB_FIN_WAIT_1);
    seg = segment(&tcb, ORACLE_ACK, 0, 5);
    seg.ack = tcb.snd_nxt;
    (void)arrives(&tcb, seg);
    assert_int_equal(tcb.state, ESTAB_FIN_WAIT_2);
    assert_int_equal(tcb.readable, 20); /* processing goes on */
    tcb = in_state(ESTAB_FIN_WAIT_1);
    tcb.fin_sent = false; /* it waits behind text */
    (void)arrives(&tcb, seg);
    assert_int_equal(tcb.state, ESTAB_FIN_WAIT_1);
}

static void f_ack_9_fin_wait_1_whose_syn_is_not_acknowledged(void **state)
{
    (void)state;
    for (uint32_t acknowledged = 1; acknowledged <= 2; acknowledged++) {
        struct oracle_tcb tcb = in_state(ESTAB_FIN_WAIT_1);
        tcb.snd_una = iss;
        tcb.snd_nxt = iss + 2;
        tcb.snd_wl1 = rcv_nxt + 100;
        tcb.snd_wnd = tcb.max_snd_wnd = 1;
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, 0);
        seg.ack = iss + acknowledged;
        (void)arrives(&tcb, seg);
        assert_int_equal(tcb.snd_wnd, PEER_WINDOW);
        assert_int_equal(tcb.state, acknowledged == 2 ? ESTAB_FIN_WAIT_2 : ESTAB_FIN_WAIT_1);
    }
}

static void f_ack_10_fin_wait_2_goes_on(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_FIN_WAIT_2);
    (void)arrives_at(&tcb, ORACLE_ACK, 0, 5);
    assert_int_equal(tcb.state, ESTAB_FIN_WAIT_2);
    assert_int_equal(tcb.readable, 15);
}

static void f_ack_12_closing_enters_time_wait(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_CLOSING);
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK | ORACLE_FIN, 0, 5);
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_CLOSING);
    seg.ack = tcb.snd_nxt;
    answer = arrives(&tcb, seg);
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_TIME_WAIT);
    assert_int_equal(tcb.rcv_nxt, rcv_nxt);
}

static void f_ack_13_last_ack_closes(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_LAST_ACK);
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, 0);
    seg.ack = tcb.snd_nxt;
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_silence(&answer);
    assert_int_equal(tcb.state, ESTAB_CLOSED);
    assert_int_equal(tcb.end, ORACLE_ENDED);
}

static void f_ack_14_and_fin_7_the_fin_again_restarts_time_wait(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_TIME_WAIT);
    tcb.challenges_left = 0;
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, -6, 5);
    assert_ack(&answer, &tcb);
    assert_int_equal(answer.segment.window, WINDOW);
    assert_true(tcb.time_wait_restarted);
    assert_int_equal(tcb.state, ESTAB_TIME_WAIT);
    tcb = in_state(ESTAB_TIME_WAIT);
    answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, -5, 5); /* not where the FIN was */
    assert_false(tcb.time_wait_restarted);
    assert_ack(&answer, &tcb);
    assert_int_equal(tcb.challenges_left, 1);
}

/* --------------------------------------------------------------------------- sixth, seventh: urgent, text */

static void f_urg_1_the_pointer_moves_forward(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct oracle_tcb tcb = in_state(peer_open[i]);
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK | ORACLE_URG, -4, 5);
        seg.up = 0; /* where the user reads next: he has read what was urgent */
        seg.seq = tcb.rcv_nxt - tcb.readable;
        seg.text_length = tcb.readable + 1;
        (void)arrives(&tcb, seg);
        assert_false(tcb.urgent);
        seg = segment(&tcb, ORACLE_ACK | ORACLE_URG, -4, 5); /* counts from the SEQ that was sent */
        seg.up = 6;
        uint32_t end = seg.seq + 6;
        (void)arrives(&tcb, seg);
        assert_true(tcb.urgent);
        assert_int_equal(tcb.rcv_up, end);
        seg = segment(&tcb, ORACLE_ACK | ORACLE_URG, 0, 0);
        seg.up = 0;
        (void)arrives(&tcb, seg);
        assert_int_equal(tcb.rcv_up, end);
        seg.up = 60000; /* MUST-31: beyond the window */
        (void)arrives(&tcb, seg);
        assert_int_equal(tcb.rcv_up, seg.seq + 60000);
    }
}

static void f_urg_2_and_txt_2_are_ignored_behind_the_fin(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct oracle_tcb tcb = in_state(peer_closed[i]);
        struct oracle_tcb before = tcb;
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK | ORACLE_URG, 0, 5);
        seg.up = 5;
        struct oracle_answer answer = arrives(&tcb, seg);
        assert_silence(&answer);
        assert_unchanged(&before, &tcb);
    }
}

static void f_txt_1_text_is_delivered_and_acknowledged_later(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct oracle_tcb tcb = in_state(peer_open[i]);
        uint32_t edge = tcb.rcv_adv;
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_PSH, 0, MSS);
        assert_silence(&answer);
        assert_true(tcb.ack_delayed);
        assert_int_equal(tcb.readable, 10 + MSS);
        answer = arrives_at(&tcb, ORACLE_ACK, 0, MSS - 1);
        assert_silence(&answer);
        answer = arrives_at(&tcb, ORACLE_ACK, 0, 1); /* SHLD-19: as much as two full segments */
        assert_ack(&answer, &tcb);
        assert_false(tcb.ack_delayed);
        assert_int_equal(tcb.rcv_adv, edge);
        assert_int_equal(answer.segment.window, WINDOW - 2 * MSS);
        answer = arrives_at(&tcb, ORACLE_ACK, 0, 1); /* RFC 7323 4.3: counted from Last.ACK.sent */
        assert_silence(&answer);
    }
}

static void f_txt_1_a_full_segment_is_learned(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    tcb.rcv_mss = 10;
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK, 0, 50);
    assert_silence(&answer);                           /* 50 < 2 * 50 */
    answer = arrives_at(&tcb, ORACLE_ACK, 0, 3 * MSS); /* our SYN allows MSS: more is not one segment */
    assert_ack(&answer, &tcb);
    assert_int_equal(tcb.rcv_mss, MSS);
    tcb.rcv_mss = 1;
    (void)arrives_at(&tcb, ORACLE_ACK, 10, 10); /* not in order: not learned */
    assert_int_equal(tcb.rcv_mss, 1);
}

static void f_txt_1_a_gap_that_is_filled_in_part_is_acknowledged_at_once(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    (void)arrives_at(&tcb, ORACLE_ACK, 20, 10);
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK, 0, 5);
    assert_ack(&answer, &tcb);
    assert_int_equal(tcb.rcv_nxt, rcv_nxt + 5);
    answer = arrives_at(&tcb, ORACLE_ACK, 15, 10); /* had already */
    assert_ack(&answer, &tcb);
    assert_int_equal(tcb.ahead_count, 1);
}

/* MUST-39, SHLD-14, RFC 7323 2.4. */
static void window_of_an_ack_never_shrinks_and_opens_by_a_step(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    tcb.rcv_shift = 3;
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK, 4, 4);
    answer = arrives_at(&tcb, ORACLE_ACK, 0, 4);
    assert_int_equal(answer.segment.window, WINDOW / 8 - 1);
    assert_int_equal(tcb.rcv_adv, rcv_nxt + WINDOW);
    answer = arrives_at(&tcb, ORACLE_ACK, 1, 1);
    (void)arrives_at(&tcb, ORACLE_ACK, 0, 1);
    assert_int_equal(tcb.rcv_adv, rcv_nxt + 10 + 124 * 8); /* 990 are told as this: rounded up */
    tcb = in_state(ESTAB_ESTABLISHED);
    tcb.peer_mss = 400;
    tcb.rcv_room = WINDOW + 399; /* RCV.BUFF / 2 is more than the peer's MSS, which is not reached */
    answer = arrives_at(&tcb, ORACLE_ACK, 1, 1);
    assert_int_equal(answer.segment.window, WINDOW);
    tcb.rcv_room = WINDOW + 400;
    answer = arrives_at(&tcb, ORACLE_ACK, 3, 1);
    assert_int_equal(answer.segment.window, WINDOW + 400);
    assert_int_equal(tcb.rcv_adv, rcv_nxt + WINDOW + 400);
    tcb.rcv_room = 100000; /* more than the field can tell */
    answer = arrives_at(&tcb, ORACLE_ACK, 5, 1);
    assert_int_equal(answer.segment.window, 65535);
}

static void f_txt_3_text_after_close_is_answered_by_rst(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 3; i++) {
        struct oracle_tcb tcb = in_state(peer_open[i]);
        tcb.released = true;
        struct oracle_segment seg = segment(&tcb, ORACLE_ACK | ORACLE_FIN, 0, 0);
        (void)arrives(&tcb, seg);
        assert_int_not_equal(tcb.state, ESTAB_CLOSED); /* a FIN is no text */
        tcb = in_state(peer_open[i]);
        tcb.released = true;
        seg.text_length = 1;
        struct oracle_answer answer = arrives(&tcb, seg);
        assert_reset_at(&answer, seg.ack);
        assert_int_equal(tcb.state, ESTAB_CLOSED);
        assert_int_equal(tcb.end, ORACLE_ABORTED);
    }
}

/* -------------------------------------------------------------------------------------------- eighth: FIN */

static void f_fin_2_to_5_fin_in_order(void **state)
{
    (void)state;
    const enum estab_state next[] = {ESTAB_CLOSE_WAIT, ESTAB_CLOSING, ESTAB_TIME_WAIT};
    for (unsigned i = 0; i < 3; i++) {
        struct oracle_tcb tcb = in_state(peer_open[i]);
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, 0, 3);
        assert_int_equal(tcb.state, next[i]);
        assert_int_equal(tcb.rcv_nxt, rcv_nxt + 4);
        assert_int_equal(tcb.readable, 13);
        assert_true(tcb.eof);
        assert_ack(&answer, &tcb);
        assert_int_equal(answer.segment.window, WINDOW - 4);
    }
    struct oracle_tcb tcb = in_state(ESTAB_FIN_WAIT_1); /* F-FIN-3: with the ACK of ours */
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK | ORACLE_FIN, 0, 0);
    seg.ack = tcb.snd_nxt;
    (void)arrives(&tcb, seg);
    assert_int_equal(tcb.state, ESTAB_TIME_WAIT);
}

static void f_fin_6_another_fin_changes_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct oracle_tcb tcb = in_state(peer_closed[i]);
        struct oracle_tcb before = tcb;
        struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, 0, 0);
        assert_silence(&answer);
        assert_unchanged(&before, &tcb);
        answer =
            arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, -1, 0); /* the same again: the first step answers */
        assert_challenged(&answer, before, &tcb);
    }
}

static void f_fin_8_fin_waits_for_what_stands_before_it(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, 10, 5);
    assert_ack(&answer, &tcb);
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
    assert_true(tcb.fin_known);
    assert_int_equal(tcb.rcv_fin, rcv_nxt + 15);
    answer = arrives_at(&tcb, ORACLE_ACK, 0, 10);
    assert_int_equal(tcb.state, ESTAB_CLOSE_WAIT);
    assert_int_equal(tcb.rcv_nxt, rcv_nxt + 16);
    assert_ack(&answer, &tcb);
}

static void f_fin_8_the_place_told_last_counts(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    (void)arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, 10, 0);
    (void)arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, 20, 0);
    assert_int_equal(tcb.rcv_fin, rcv_nxt + 20);
    (void)arrives_at(&tcb, ORACLE_ACK, 0, 10);
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
    (void)arrives_at(&tcb, ORACLE_ACK, 0, 11); /* passes it: it was none */
    assert_false(tcb.fin_known);
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
}

static void f_fin_8_a_fin_that_its_own_text_passes_was_none(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_ESTABLISHED);
    (void)arrives_at(&tcb, ORACLE_ACK, 10, 10);
    (void)arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, 50, 0);
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_FIN, 0, 15);
    assert_ack(&answer, &tcb);
    assert_int_equal(tcb.rcv_nxt, rcv_nxt + 20);
    assert_int_equal(tcb.rcv_fin, rcv_nxt + 50); /* the other one is remembered still */
    assert_int_equal(tcb.state, ESTAB_ESTABLISHED);
}

/* ---------------------------------------------------------------------------------------------- TIME-WAIT */

static struct oracle_segment reopening_syn(const struct oracle_tcb *tcb, int at)
{
    struct oracle_segment seg = plain_syn();
    seg.seq = tcb->rcv_nxt + (uint32_t)at;
    return seg;
}

static void f_seq_9_syn_opens_again_by_rfc_6191(void **state)
{
    (void)state;
    const struct {
        bool old_has, new_has;
        int tsval, at; /* against TS.Recent and RCV.NXT */
        bool opens;
    } cases[] = {
        {true, true, 1, -5, true},    {true, true, 0, 1, true},   {true, true, 0, 0, false},
        {true, true, -1, 5, false},   {true, false, 0, 1, true},  {true, false, 0, 0, false},
        {false, true, -9, -9, true},  {false, false, 0, 1, true}, {false, false, 0, 0, false},
        {false, false, 0, -1, false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct oracle_tcb tcb = in_state(ESTAB_TIME_WAIT);
        tcb = cases[i].old_has ? with_timestamps(tcb) : tcb;
        struct oracle_tcb before = tcb;
        struct oracle_segment seg = reopening_syn(&tcb, cases[i].at);
        seg.timestamps = cases[i].new_has;
        seg.tsval = tcb.ts_recent + (uint32_t)cases[i].tsval;
        struct oracle_answer answer = arrives(&tcb, seg);
        if (cases[i].opens) {
            assert_int_equal(tcb.state, ESTAB_SYN_RECEIVED);
            assert_int_equal(answer.segment.flags, ORACLE_SYN | ORACLE_ACK);
            assert_int_equal(answer.segment.seq, offer.iss);
        } else {
            assert_challenged(&answer, before, &tcb);
        }
    }
    struct oracle_tcb tcb = in_state(ESTAB_TIME_WAIT);
    struct oracle_tcb before = tcb;
    struct oracle_segment seg = reopening_syn(&tcb, 9);
    struct oracle_answer answer = oracle_segment_arrives(&tcb, &seg, NULL); /* nobody listens */
    assert_challenged(&answer, before, &tcb);
    before = tcb;
    seg.flags |= ORACLE_ACK;
    answer = arrives(&tcb, seg);
    assert_challenged(&answer, before, &tcb);
}

static void time_wait_timestamps_missing_and_old(void **state)
{
    (void)state;
    struct oracle_tcb tcb = with_timestamps(in_state(ESTAB_TIME_WAIT));
    struct oracle_tcb before = tcb;
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK | ORACLE_FIN, -1, 0);
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_silence(&answer);
    seg.timestamps = true;
    seg.tsval = tcb.ts_recent - 1;
    answer = arrives(&tcb, seg);
    assert_challenged(&answer, before, &tcb);
    seg.tsval = tcb.ts_recent;
    answer = arrives(&tcb, seg);
    assert_true(tcb.time_wait_restarted);
    seg = segment(&tcb, ORACLE_ACK, 0, 0);
    seg.timestamps = true;
    seg.tsval = tcb.ts_recent + 5;
    answer = arrives(&tcb, seg);
    assert_int_equal(tcb.ts_recent, seg.tsval); /* R3 */
}

static void time_wait_old_segments(void **state)
{
    (void)state;
    struct oracle_tcb tcb = in_state(ESTAB_TIME_WAIT);
    struct oracle_tcb before = tcb;
    struct oracle_answer answer = arrives_at(&tcb, ORACLE_ACK, 1, 9);
    assert_challenged(&answer, before, &tcb);
    before = tcb;
    answer = arrives_at(&tcb, ORACLE_URG, 0, 0); /* F-ACK-0 */
    assert_silence(&answer);
    answer = arrives_at(&tcb, ORACLE_ACK | ORACLE_URG, 0, 9); /* F-URG-2, F-TXT-2 */
    assert_silence(&answer);
    struct oracle_segment seg = segment(&tcb, ORACLE_ACK, 0, 0);
    seg.ack = tcb.snd_nxt - 1;
    answer = arrives(&tcb, seg);
    assert_challenged(&answer, before, &tcb);
}

/* ---------------------------------------------------------------------- the whole: invariants, comparing */

/* Figure 5 and 3.10.7: where one segment can lead; two arrows where it establishes or both sides close. */
#define BIT(state) (1U << ESTAB_##state)
static const unsigned led_to[ESTAB_STATE_COUNT] = {
    [ESTAB_CLOSED] = BIT(CLOSED),
    [ESTAB_LISTEN] = BIT(LISTEN) | BIT(SYN_RECEIVED),
    [ESTAB_SYN_SENT] = BIT(SYN_SENT) | BIT(SYN_RECEIVED) | BIT(ESTABLISHED) | BIT(CLOSE_WAIT) | BIT(CLOSED),
    [ESTAB_SYN_RECEIVED] = BIT(SYN_RECEIVED) | BIT(ESTABLISHED) | BIT(CLOSE_WAIT) | BIT(LISTEN) | BIT(CLOSED),
    [ESTAB_ESTABLISHED] = BIT(ESTABLISHED) | BIT(CLOSE_WAIT) | BIT(CLOSED),
    [ESTAB_FIN_WAIT_1] = BIT(FIN_WAIT_1) | BIT(FIN_WAIT_2) | BIT(CLOSING) | BIT(TIME_WAIT) | BIT(CLOSED),
    [ESTAB_FIN_WAIT_2] = BIT(FIN_WAIT_2) | BIT(TIME_WAIT) | BIT(CLOSED),
    [ESTAB_CLOSE_WAIT] = BIT(CLOSE_WAIT) | BIT(CLOSED),
    [ESTAB_CLOSING] = BIT(CLOSING) | BIT(TIME_WAIT) | BIT(CLOSED),
    [ESTAB_LAST_ACK] = BIT(LAST_ACK) | BIT(CLOSED),
    [ESTAB_TIME_WAIT] = BIT(TIME_WAIT) | BIT(SYN_RECEIVED),
};

/* Each state with each set of flags at some places: what holds for all of them. */
static void check_invariants(enum estab_state from, bool passive, unsigned flags, int at)
{
    struct oracle_tcb tcb = in_state(from);
    tcb.passive = passive;
    struct oracle_tcb before = tcb;
    struct oracle_segment seg = segment(&tcb, (uint8_t)flags, at, 7);
    seg.ack = (flags & ORACLE_ACK) ? tcb.snd_nxt : 0;
    seg.up = 3;
    struct oracle_answer answer = arrives(&tcb, seg);
    assert_true((led_to[from] >> tcb.state & 1) != 0);
    if (answer.sent && (answer.segment.flags & ORACLE_RST)) {
        assert_false(flags & ORACLE_RST); /* F-INV-1 */
        assert_false(answer.segment.flags & ORACLE_SYN);
    }
    if (from >= ESTAB_SYN_RECEIVED && tcb.state >= ESTAB_ESTABLISHED && tcb.irs == before.irs) { /* F-INV-2 */
        assert_true((int32_t)(tcb.snd_nxt - tcb.snd_una) >= 0);
        assert_true((int32_t)(tcb.rcv_nxt - before.rcv_nxt) >= 0);
        assert_true((int32_t)(tcb.rcv_adv - before.rcv_adv) >= 0);
        assert_true((int32_t)(tcb.rcv_adv - tcb.rcv_nxt) >= 0);
    }
}

static void f_inv_1_and_2_hold_and_the_figure_leads(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ESTAB_STATE_COUNT * 2 * 64 * 5; i++) {
        const int at[] = {-8, -3, 0, 4, WINDOW - 3};
        check_invariants((enum estab_state)(i / 640), i / 320 % 2 != 0, i % 64, at[i / 64 % 5]);
    }
}

static void difference_names_the_first_variable(void **state)
{
    (void)state;
    struct oracle_tcb a = in_state(ESTAB_ESTABLISHED);
    struct oracle_tcb b = a;
    assert_null(oracle_difference(&a, &b));
    b.rcv_up = 9; /* means nothing without `urgent` */
    assert_null(oracle_difference(&a, &b));
    b.ts_recent = 1;
    b.timestamps = true;
    assert_string_equal(oracle_difference(&a, &b), "Snd.TS.OK");
    b.snd_wl2++;
    assert_string_equal(oracle_difference(&a, &b), "SND.WL2");
    b.snd_wl2--;
    b.rcv_nxt++;
    assert_string_equal(oracle_difference(&a, &b), "RCV.NXT");
    b.state = ESTAB_CLOSED;
    assert_string_equal(oracle_difference(&a, &b), "state");
    a = b;
    a.snd_nxt++;
    assert_null(oracle_difference(&a, &b)); /* of CLOSED nothing is left */
    struct oracle_answer answer = {0}, other = {.sent = true};
    assert_string_equal(oracle_answer_difference(&answer, &other), "answer");
    answer = other;
    answer.segment.tsval = 5;
    assert_null(oracle_answer_difference(&answer, &other));
    answer.segment.window = 5;
    assert_string_equal(oracle_answer_difference(&answer, &other), "window of the answer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f_closed_1_rst_is_dropped),
        cmocka_unit_test(f_closed_2_without_ack_rst_acknowledges_all),
        cmocka_unit_test(f_closed_3_with_ack_rst_stands_at_it),
        cmocka_unit_test(f_listen_1_rst_is_ignored),
        cmocka_unit_test(f_listen_2_ack_gets_rst),
        cmocka_unit_test(f_listen_3_syn_is_answered_by_syn_ack),
        cmocka_unit_test(f_listen_3_options_that_one_side_lacks_are_not_used),
        cmocka_unit_test(f_listen_3_text_is_kept_and_fin_is_not),
        cmocka_unit_test(f_listen_4_anything_else_is_dropped),
        cmocka_unit_test(f_synsent_1_bad_ack_gets_rst),
        cmocka_unit_test(f_synsent_2_bad_ack_with_rst_is_dropped),
        cmocka_unit_test(f_synsent_3_rst_refuses),
        cmocka_unit_test(f_synsent_4_rst_without_ack_is_dropped),
        cmocka_unit_test(f_synsent_5_syn_ack_establishes),
        cmocka_unit_test(f_synsent_5_text_and_fin_are_processed),
        cmocka_unit_test(f_synsent_6_syn_alone_is_a_simultaneous_open),
        cmocka_unit_test(f_synsent_7_neither_syn_nor_rst_is_dropped),
        cmocka_unit_test(f_synsent_8_a_part_of_what_was_sent_is_acknowledged),
        cmocka_unit_test(f_seq_1_nothing_fits_a_closed_window_but_rcv_nxt),
        cmocka_unit_test(f_seq_2_empty_segments_fit_the_window),
        cmocka_unit_test(f_seq_3_text_at_rcv_nxt_of_a_closed_window),
        cmocka_unit_test(f_seq_4_text_fits_by_its_first_or_last_octet),
        cmocka_unit_test(f_seq_5_unacceptable_is_acknowledged_and_dropped),
        cmocka_unit_test(f_seq_6_unacceptable_rst_is_dropped),
        cmocka_unit_test(f_seq_7_both_ends_are_trimmed),
        cmocka_unit_test(f_seq_7_fin_just_beyond_the_window_is_cut_off),
        cmocka_unit_test(f_seq_8_text_ahead_is_held_and_acknowledged_at_once),
        cmocka_unit_test(f_seq_8_of_too_many_ranges_the_last_is_let_go),
        cmocka_unit_test(syn_received_active_crossing_syn_ack_establishes),
        cmocka_unit_test(r7323_13_segment_without_timestamps_is_dropped_in_silence),
        cmocka_unit_test(r7323_36_old_timestamp_is_acknowledged_and_dropped),
        cmocka_unit_test(ts_recent_is_taken_from_a_segment_that_is_believed),
        cmocka_unit_test(f_rst_2_in_the_window_is_challenged),
        cmocka_unit_test(f_rst_3_passive_half_open_returns_to_listen),
        cmocka_unit_test(f_rst_4_active_half_open_is_refused),
        cmocka_unit_test(f_rst_5_resets),
        cmocka_unit_test(f_rst_6_ends_in_order_and_not_in_time_wait),
        cmocka_unit_test(f_syn_1_the_same_syn_gets_the_same_answer),
        cmocka_unit_test(f_syn_1_another_syn_is_challenged),
        cmocka_unit_test(f_syn_2_is_challenged_wherever_it_stands),
        cmocka_unit_test(f_ack_0_without_ack_is_dropped),
        cmocka_unit_test(f_ack_1_and_6_only_a_plausible_ack_is_believed),
        cmocka_unit_test(f_ack_2_ack_of_syn_establishes),
        cmocka_unit_test(f_ack_3_bad_ack_gets_rst),
        cmocka_unit_test(f_ack_4_5_and_11_una_moves_forward_only),
        cmocka_unit_test(f_ack_7_and_8_only_a_newer_segment_sets_the_window),
        cmocka_unit_test(f_ack_9_ack_of_our_fin),
        cmocka_unit_test(f_ack_9_fin_wait_1_whose_syn_is_not_acknowledged),
        cmocka_unit_test(f_ack_10_fin_wait_2_goes_on),
        cmocka_unit_test(f_ack_12_closing_enters_time_wait),
        cmocka_unit_test(f_ack_13_last_ack_closes),
        cmocka_unit_test(f_ack_14_and_fin_7_the_fin_again_restarts_time_wait),
        cmocka_unit_test(f_urg_1_the_pointer_moves_forward),
        cmocka_unit_test(f_urg_2_and_txt_2_are_ignored_behind_the_fin),
        cmocka_unit_test(f_txt_1_text_is_delivered_and_acknowledged_later),
        cmocka_unit_test(f_txt_1_a_full_segment_is_learned),
        cmocka_unit_test(f_txt_1_a_gap_that_is_filled_in_part_is_acknowledged_at_once),
        cmocka_unit_test(window_of_an_ack_never_shrinks_and_opens_by_a_step),
        cmocka_unit_test(f_txt_3_text_after_close_is_answered_by_rst),
        cmocka_unit_test(f_fin_2_to_5_fin_in_order),
        cmocka_unit_test(f_fin_6_another_fin_changes_nothing),
        cmocka_unit_test(f_fin_8_fin_waits_for_what_stands_before_it),
        cmocka_unit_test(f_fin_8_the_place_told_last_counts),
        cmocka_unit_test(f_fin_8_a_fin_that_its_own_text_passes_was_none),
        cmocka_unit_test(f_seq_9_syn_opens_again_by_rfc_6191),
        cmocka_unit_test(time_wait_timestamps_missing_and_old),
        cmocka_unit_test(time_wait_old_segments),
        cmocka_unit_test(f_inv_1_and_2_hold_and_the_figure_leads),
        cmocka_unit_test(difference_names_the_first_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
