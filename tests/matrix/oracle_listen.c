/*
 * RFC 9293 3.10.7.2: a segment arrives in LISTEN; and what a SYN brings in whichever state it is taken: its
 * options (3.7.1, RFC 7323 2.3, 3.2, RFC 2018 2) and its text (3.5).
 */
#include "matrix/oracle_steps.h"

/* MUST-15: what a SYN without the MSS option means. */
enum { DEFAULT_MSS_V4 = 536, DEFAULT_MSS_V6 = 1220 };

/* RFC 7323 2.3: a larger shift is read as this. */
enum { LARGEST_SHIFT = 14 };

/* Choice: of a buffer no more is used than the window can tell (RFC 7323 2.2), so that its edge can stay. */
static void limit_room(struct oracle_tcb *tcb)
{
    uint32_t most = UINT32_C(0xffff) << tcb->rcv_shift;
    tcb->rcv_room = tcb->rcv_room < most ? tcb->rcv_room : most;
}

/*
 * The peer's SYN meets what our SYN offers, or will: only what both have is used. F-LISTEN-3, F-SYNSENT-5, 6:
 * RCV.NXT, IRS. The window that our SYN announced begins at RCV.NXT.
 */
void oracle_take_syn_options(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    const struct oracle_segment *syn = arrival->sent;
    uint32_t window = tcb->rcv_adv - tcb->rcv_nxt;
    tcb->irs = syn->seq;
    tcb->rcv_nxt = syn->seq + 1;
    tcb->rcv_adv = tcb->rcv_nxt + window;
    tcb->readable = 0;

    uint16_t silent_mss = tcb->v6 ? DEFAULT_MSS_V6 : DEFAULT_MSS_V4;
    tcb->peer_mss = syn->mss != 0 ? syn->mss : silent_mss;
    tcb->sack = tcb->sack && syn->sack_permitted;
    tcb->timestamps = tcb->timestamps && syn->timestamps;
    tcb->ts_recent = tcb->timestamps ? syn->tsval : 0;
    tcb->window_scale = tcb->window_scale && syn->window_scale >= 0;
    if (tcb->window_scale) {
        tcb->snd_shift = (uint8_t)(syn->window_scale > LARGEST_SHIFT ? LARGEST_SHIFT : syn->window_scale);
    } else {
        tcb->snd_shift = 0;
        tcb->rcv_shift = 0;
    }
    limit_room(tcb);
    /* What follows the SYN in its sequence space is processed without it ("should not be repeated"). */
    arrival->syn = false;
    arrival->seq = syn->seq + 1;
}

/*
 * The text of a SYN that does not establish the connection is kept, as far as it lies in the window: RCV.NXT
 * moves over it, and the user may read it once ESTABLISHED is reached (3.5).
 *
 * DEVIATION (F-LISTEN-3: "queued for processing later"): a FIN or urgent pointer on such a SYN is not kept.
 * The FIN is not acknowledged and so comes again; the pointer is repeated in what follows, as long as there
 * is urgent data (3.8.5).
 */
void oracle_keep_text_of_syn(struct oracle_arrival *arrival)
{
    struct oracle_tcb *tcb = arrival->tcb;
    uint32_t window = tcb->rcv_adv - tcb->rcv_nxt;
    uint32_t kept = arrival->text_length < window ? arrival->text_length : window;
    tcb->rcv_nxt += kept;
    tcb->rcv_room = tcb->rcv_room > kept ? tcb->rcv_room - kept : 0;
    tcb->readable = kept;
}

/*
 * The connection that the listener makes for a SYN, before the SYN is looked at. Choice: its window begins as
 * large as the SYN,ACK can tell it (RFC 7323 2.2: unscaled), and the SYN's text takes from that.
 */
static struct oracle_tcb new_connection(const struct oracle_offer *offer)
{
    const uint32_t unscaled = 0xffff;
    struct oracle_tcb tcb = {
        .state = ESTAB_LISTEN,
        .passive = true,
        .v6 = offer->v6,
        .iss = offer->iss,
        .rcv_adv = offer->receive_window < unscaled ? offer->receive_window : unscaled,
        .rcv_room = offer->receive_window,
        .timestamps = offer->timestamps,
        .window_scale = offer->window_scale,
        .sack = offer->sack,
        .rcv_shift = offer->shift,
        .adv_mss = offer->mss,
        .challenges_left = ORACLE_CHALLENGES,
    };
    return tcb;
}

/*
 * F-LISTEN-3. RFC 9293 is silent on SND.WND here and sets it in the ACK step; a SYN in SYN-SENT sets it at
 * once. Choice: the SYN's window is taken here too, so that MAX.SND.WND is "the largest window ever received"
 * (RFC 5961 5.2) and one statement serves both.
 */
static void third_syn(struct oracle_arrival *arrival, const struct oracle_offer *offer)
{
    struct oracle_tcb *tcb = arrival->tcb;
    *tcb = new_connection(offer);
    oracle_take_syn_options(arrival);
    tcb->snd_nxt = tcb->iss + 1;
    tcb->snd_una = tcb->iss;
    oracle_take_window(arrival);
    oracle_keep_text_of_syn(arrival);
    tcb->state = ESTAB_SYN_RECEIVED;
    oracle_owe(arrival, ORACLE_OWED_SYN_ACK);
}

void oracle_listen(struct oracle_arrival *arrival, const struct oracle_offer *offer)
{
    if (oracle_has(arrival, ORACLE_RST)) {
        return; /* first, F-LISTEN-1 */
    }
    if (oracle_has(arrival, ORACLE_ACK)) {
        oracle_owe(arrival, ORACLE_OWED_RESET); /* second, F-LISTEN-2 */
        return;
    }
    if (arrival->syn) {
        third_syn(arrival, offer);
    }
    /* fourth, F-LISTEN-4: anything else is dropped. */
}
