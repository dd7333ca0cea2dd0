/* See receive.h. RFC 9293 3.10.7.4 (sixth to eighth), 3.8.5, 3.8.6.3; RFC 5681 4.2; RFC 2883 4. */
#include "tcp/receive.h"

#include "tcp/timers.h"

void receive_owe_ack(struct tcp_conn *c, enum estab_reason reason)
{
    if (!(c->owed & OWED_ACK)) { /* MUST-58, MUST-59 */
        c->owed |= OWED_ACK;
        c->ack_reason = (uint8_t)reason;
    }
}

void receive_note_duplicate(struct tcp_conn *c, tcp_seq left, tcp_seq right)
{
    if (c->sack && !c->dsack) {
        c->dsack = true;
        c->dsack_left = left;
        c->dsack_right = right;
    }
}

/* MUST-30, U-1 */
void receive_urgent(struct tcp_conn *c, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_URG) || !state_can_receive(c->state)) {
        return; /* F-URG-2 */
    }
    tcp_seq up = seq_add(seg->seq, seg->up); /* MUST-62: the octet after the urgent data */
    if (seq_leq(up, c->rcv.begin) || (c->rcv_urgent && seq_leq(up, c->rcv_up))) {
        return; /* F-URG-1: one signal for each advance */
    }
    c->rcv_urgent = true;
    c->rcv_up = up;
    c->events |= ESTAB_URGENT_MARK;
}

/* RFC 5681 4.2, SHLD-19: at once for every second full segment, else within the delay (R5681-21). */
static void owe_ack_for_text(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    uint32_t size = seg->merged_size != 0 ? seg->merged_size : seg->text_length;
    size = size < c->adv_mss ? size : c->adv_mss;
    if (size > c->rcv_mss) {
        c->rcv_mss = (uint16_t)size;
    }
    uint32_t waiting = seq_diff(c->rcv_nxt, c->last_ack_sent);
    bool report = c->dsack; /* RFC 2883 4: of the newest segment, so it does not wait */
    if (waiting >= 2u * c->rcv_mss || report || c->quick_ack || ctx->limits->delayed_ack_ns == 0) {
        receive_owe_ack(c, ESTAB_REASON_ACK);
    } else if (!(c->owed & OWED_ACK_LATER)) {
        c->owed |= OWED_ACK_LATER;
        tcp_timers_on_ack_owed(c, ctx);
    }
}

/* RCV.NXT follows the queue: counts, owes the ACK, tells the user (F-TXT-1). */
static void receive_advance(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    uint32_t added = seq_diff(c->rcv.end, c->rcv_nxt);
    c->bytes_received += added;
    c->rcv_nxt = c->rcv.end;
    if (conn_flight(c) == 0) { /* else what was sent is waited for */
        conn_note_progress(c, ctx->now);
    }
    c->events |= ESTAB_READABLE;
    if (c->shut_read) {
        recv_queue_consume(&c->rcv, ctx->pool, recv_queue_readable(&c->rcv));
    }
    owe_ack_for_text(c, ctx, seg);
}

/*
 * The peer will send it again: it keeps what it has not seen acknowledged by number, whatever was reported
 * (RFC 2018 8). The next ACK names none of it any more, the duplicate still to be reported neither.
 */
void receive_shed_ahead(struct tcp_conn *c, struct tcp_context *ctx)
{
    ctx->counters->shed_out_of_order++;
    recv_queue_shed_ahead(&c->rcv, ctx->pool);
    c->dsack = c->dsack && seq_leq(c->dsack_right, c->rcv_nxt);
}

/* It is in order and all before is read, or there are blocks enough. */
static bool may_keep(const struct tcp_conn *c, const struct pool *pool, const struct tcp_segment *seg)
{
    return (recv_queue_readable(&c->rcv) == 0 && seq_leq(seg->seq, c->rcv_nxt)) ||
           pool_available(pool) >= 2 * pool_kept(pool);
}

/* What came ahead of a gap gives way to what is in order. */
static enum recv_verdict insert(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (!may_keep(c, ctx->pool, seg)) {
        return RECV_NO_MEMORY;
    }
    enum recv_verdict verdict = recv_queue_insert(&c->rcv, ctx->pool, seg->seq, seg->text, seg->text_length);
    if (verdict == RECV_NO_MEMORY && seq_eq(seg->seq, c->rcv_nxt) && recv_queue_has_ahead(&c->rcv)) {
        ctx->counters->no_memory++;
        receive_shed_ahead(c, ctx);
        verdict = recv_queue_insert(&c->rcv, ctx->pool, seg->seq, seg->text, seg->text_length);
    }
    return verdict;
}

/* RFC 2883 4: of a segment of which a part lies ahead already, that part is reported. */
static void note_held(struct tcp_conn *c, const struct tcp_segment *seg)
{
    tcp_seq edges[2];
    if (c->sack && recv_queue_has_ahead(&c->rcv) &&
        recv_queue_held(&c->rcv, seg->seq, seg->text_length, edges)) {
        receive_note_duplicate(c, edges[0], edges[1]);
    }
}

enum estab_drop receive_text(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    if (seg->text_length == 0) {
        return ESTAB_DROP_NONE;
    }
    if (!state_can_receive(c->state)) {
        return ESTAB_DROP_TEXT_AFTER_CLOSE; /* F-TXT-2: the peer has sent its FIN */
    }
    bool filled = recv_queue_has_ahead(&c->rcv) || c->rcv_fin_known;
    bool waited = conn_waits_for_peer(c);
    note_held(c, seg);
    enum recv_verdict verdict = insert(c, ctx, seg);
    if (!seq_eq(c->rcv.end, c->rcv_nxt)) {
        receive_advance(c, ctx, seg);
    }
    if (verdict == RECV_IN_ORDER) {
        if (filled) {
            receive_owe_ack(c, ESTAB_REASON_ACK); /* R5681-13: a gap was filled */
        }
        return ESTAB_DROP_NONE;
    }
    receive_owe_ack(c, ESTAB_REASON_ACK_DUPLICATE); /* F-SEQ-8, R5681-13 */
    if (verdict == RECV_AHEAD) {
        ctx->counters->out_of_order++;
        if (!waited) {
            conn_note_progress(c, ctx->now); /* from now on it may stall */
        }
        return ESTAB_DROP_NONE;
    }
    if (verdict == RECV_DUPLICATE) {
        return ESTAB_DROP_DUPLICATE_TEXT;
    }
    ctx->counters->no_memory++; /* DEVIATION from R2018-09: what is not kept is not reported */
    return ESTAB_DROP_NO_MEMORY;
}

/*
 * A FIN may come ahead of a gap, as text may: its place is remembered. The one told last counts, so that a
 * peer's own FIN mends what a forged one said; bytes beyond the place prove it wrong.
 */
static void note_fin(struct tcp_conn *c, const struct tcp_segment *seg)
{
    tcp_seq place = seq_add(seg->seq, seg->text_length);
    if (c->rcv_fin_known && seq_gt(c->rcv_nxt, c->rcv_fin)) {
        c->rcv_fin_known = false;
    }
    if ((seg->flags & TCP_FIN) && seq_geq(place, c->rcv_nxt)) {
        c->rcv_fin_known = true;
        c->rcv_fin = place;
    }
}

void receive_fin(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    note_fin(c, seg);
    if (!c->rcv_fin_known || state_peer_closed(c->state)) {
        return;
    }
    if (seq_lt(c->rcv_nxt, c->rcv_fin)) {
        if (seg->flags &
            TCP_FIN) { /* a plain ACK gets none: two such ends would answer each other for ever */
            receive_owe_ack(c, ESTAB_REASON_ACK_DUPLICATE); /* F-FIN-8: not before the bytes in front of it */
        }
        return;
    }
    c->rcv_nxt = seq_add(c->rcv_nxt, 1);
    conn_note_progress(c, ctx->now);
    c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt);
    recv_queue_shed_ahead(&c->rcv, ctx->pool);
    c->events |= ESTAB_PEER_CLOSED | ESTAB_READABLE;
    receive_owe_ack(c, ESTAB_REASON_ACK);
    conn_event(c, ctx, EVENT_RCV_FIN); /* F-FIN-2, F-FIN-3, F-FIN-4, F-FIN-5, F-FIN-6 */
}

void receive_text_of_syn(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *seg)
{
    uint32_t length = seg->text_length < conn_rcv_wnd(c) ? seg->text_length : conn_rcv_wnd(c);
    if (length > 0) {
        recv_queue_insert(&c->rcv, ctx->pool, seq_add(seg->seq, 1), seg->text, length);
        c->bytes_received += seq_diff(c->rcv.end, c->rcv_nxt);
        c->rcv_nxt = c->rcv.end;
    }
}
