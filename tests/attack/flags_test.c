/*
 * Christmas trees, NULL scans, SYN+FIN, SYN+RST: every flag set, in the order RST, SYN, ACK, URG, text, FIN
 * of RFC 9293 3.10.7, held against the oracle (tests/matrix/oracle.h), which is a second statement of that
 * section. The matrix (`make matrix`) compares every variable in many more places; here it is the bytes on
 * the wire and what the public API says. The two ECN bits, which nobody negotiated, must change nothing.
 */
#include "matrix/oracle.h"
#include "support/rig.h"

static const uint32_t seq_classes[] = {0xffffffff, 0, 1, RCV_BUFFER - 1, RCV_BUFFER, 0x80000000};
static const uint32_t ack_classes[] = {0, 1, 0xffffffff, 0x80000000, 0u - PEER_WND - 1};
enum { SEQS = sizeof seq_classes / sizeof seq_classes[0], ACKS = sizeof ack_classes / sizeof ack_classes[0] };

/* What the endpoint remembers, by the trace that led there. */
static struct oracle_tcb tcb_of(struct rig *r, enum place place)
{
    struct estab_status now = rig_status(r);
    struct oracle_tcb tcb = {.state = places[place].state, .iss = r->iss[0], .irs = r->irs};
    tcb.passive = place == AT_LISTEN || place == AT_SYN_RECEIVED_PASSIVE;
    tcb.fin_sent = places[place].snd_nxt == 2;
    tcb.eof = places[place].rcv_nxt == 2;
    tcb.snd_una = r->iss[0] + places[place].snd_una;
    tcb.snd_nxt = r->iss[0] + places[place].snd_nxt;
    tcb.snd_wnd = now.snd_wnd;
    tcb.snd_wl1 = now.snd_wl1;
    tcb.snd_wl2 = now.snd_wl2;
    tcb.max_snd_wnd = now.max_snd_wnd;
    tcb.rcv_nxt = r->irs + places[place].rcv_nxt;
    tcb.rcv_adv = tcb.rcv_nxt + (now.rcv_wnd != 0 ? now.rcv_wnd : RCV_BUFFER);
    tcb.rcv_room = RCV_BUFFER;
    tcb.rcv_mss = now.rcv_mss;
    tcb.adv_mss = MSS;
    tcb.peer_mss = MSS;
    tcb.window_scale = tcb.sack = tcb.timestamps = place == AT_SYN_SENT;
    tcb.challenges_left = 200;
    return tcb;
}

static struct oracle_segment segment_of(const struct rig *r, const struct segment *seg)
{
    struct oracle_segment out = {.seq = seg->seq + r->irs, .window_scale = -1};
    out.flags = (uint8_t)(seg->flags & 63);
    out.ack = (seg->flags & ACK) ? seg->ack + r->iss[0] : 0;
    out.text_length = seg->length;
    out.window = PEER_WND;
    out.up = seg->up;
    out.mss = (seg->flags & SYN) ? MSS : 0;
    return out;
}

static void differs(enum place place, const struct segment *seg, const char *what)
{
    fail_msg("%s: flags %#x SEQ %u ACK %u text %u: %s", places[place].name, seg->flags, seg->seq, seg->ack,
             seg->length, what);
}

static void compare(struct rig *r, enum place place, const struct segment *seg, const struct oracle_tcb *tcb,
                    const struct oracle_answer *answer)
{
    struct segment sent;
    struct estab_status now = rig_status(r);
    bool opens = place == AT_LISTEN && tcb->state == ESTAB_SYN_RECEIVED; /* with an ISS that it chose */
    if (rig_take(r, &sent) != answer->sent) {
        differs(place, seg, answer->sent ? "an answer is due" : "no answer is due");
    }
    if (answer->sent &&
        (sent.flags != answer->segment.flags || (!opens && sent.seq + r->iss[0] != answer->segment.seq) ||
         ((sent.flags & ACK) && sent.ack + r->irs != answer->segment.ack))) {
        differs(place, seg, "another answer is due");
    }
    expect_nothing(r); /* F-INV-3 */
    if (now.state != tcb->state && !(tcb->end == ORACLE_RESET && now.state == ESTAB_CLOSED)) {
        differs(place, seg, estab_state_name(tcb->state));
    }
    bool synchronized = now.state >= ESTAB_ESTABLISHED && now.state != ESTAB_TIME_WAIT;
    if (synchronized && (now.rcv_nxt != tcb->rcv_nxt || now.snd_una != tcb->snd_una)) {
        differs(place, seg, "RCV.NXT or SND.UNA");
    }
}

static void try_flags(enum place place, const struct segment *seg)
{
    struct rig *r = rig_at(place);
    struct oracle_tcb tcb = tcb_of(r, place);
    struct oracle_segment segment = segment_of(r, seg);
    struct oracle_offer offer = {.receive_window = RCV_BUFFER, .mss = MSS, .timestamps = true};
    offer.window_scale = offer.sack = true;
    if (place == AT_CLOSED) {
        tcb.irs = r->irs;
    }
    struct oracle_answer answer =
        oracle_segment_arrives(&tcb, &segment, place == AT_TIME_WAIT ? NULL : &offer);
    rig_inject(r, seg, __FILE__, __LINE__);
    compare(r, place, seg, &tcb, &answer);
    rig_discard(r);
    rig_stop(r);
}

/*
 * V-04: all 256 flag sets with the ECN bits x 11 states (SYN-RECEIVED twice) x 6 classes of SEQ x 5 of ACK x
 * text and none: the answer and the state that the oracle says, at most one segment back, never a RST for a
 * RST.
 */
static void v04_every_flag_set_in_every_state(void **state)
{
    (void)state;
    for (enum place place = AT_CLOSED; place < PLACES; place++) {
        for (unsigned flags = 0; flags < 256; flags += ESTAB_TEST_SLOW ? 3 : 1) {
            unsigned step = flags < 64 ? 1 : 7; /* the ECN bits: a seventh of the classes */
            for (unsigned i = flags % step; i < SEQS * ACKS * 2; i += step) {
                struct segment seg = {.flags = flags, .length = i % 2 ? 20 : 0};
                seg.seq = places[place].rcv_nxt + seq_classes[i / 2 % SEQS];
                seg.ack = places[place].snd_nxt + ack_classes[i / 2 / SEQS];
                try_flags(place, &seg);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v04_every_flag_set_in_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
