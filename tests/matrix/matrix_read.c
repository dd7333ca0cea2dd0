/*
 * The core's variables in the oracle's words: read out of the stack's memory, nothing changed. What the
 * oracle has no word for is judged here: timers (RFC 6298 5, RFC 9293 3.8.6.1, 3.4.2) and the bytes that
 * the user would read.
 */
#include "matrix/matrix.h"

#include "tcp/timers.h"

/* The TIME-WAIT record or the connection that the flow's segments go to. */
static uint32_t flow_owner(const struct matrix_bench *bench)
{
    struct flow_key key = {.local_port = MATRIX_LOCAL_PORT, .remote_port = MATRIX_PEER_PORT};
    static const uint8_t local[4] = {10, 9, 0, 2};
    static const uint8_t remote[4] = {10, 9, 0, 1};
    key.local = ip_addr_v4(local);
    key.remote = ip_addr_v4(remote);
    if (bench->v6) {
        key.local = (struct ip_addr){{0xfd, 9, [15] = 2}};
        key.remote = (struct ip_addr){{0xfd, 9, [15] = 1}};
    }
    return flow_find(bench->stack, &key, flow_hash(bench->stack, &key));
}

static const struct half_open *half_open_of(const struct matrix_bench *bench, uint32_t owner)
{
    bool held = owner != TABLE_NONE && (owner & RECORD_IDS) == HALF_OPEN_ID;
    return held ? &bench->stack->half_opens[owner & ~RECORD_IDS] : NULL;
}

/*
 * The record in question: a new one where a SYN opened it, else the one of the place. What the SYN cache
 * holds is unfolded, as it is for each segment.
 */
static const struct conn *record_of(const struct matrix_bench *bench, uint32_t owner)
{
    static struct conn unfolded;
    const struct half_open *half_open = half_open_of(bench, owner);
    if (half_open != NULL) {
        return half_open_copy(bench->stack, half_open, &unfolded) ? &unfolded : NULL;
    }
    if (owner != TABLE_NONE && !(owner & TIME_WAIT_ID)) {
        return &bench->stack->conns[owner];
    }
    return bench->index == NONE ? NULL : &bench->stack->conns[bench->index];
}

uint32_t matrix_index(const struct matrix_bench *bench)
{
    uint32_t owner = flow_owner(bench);
    const struct conn *conn = half_open_of(bench, owner) != NULL ? NULL : record_of(bench, owner);
    return conn == NULL ? NONE : conn_index(bench->stack, conn);
}

static enum oracle_end end_of(const struct tcp_conn *c)
{
    if (c->state != ESTAB_CLOSED) {
        return ORACLE_NOT_ENDED;
    }
    switch (-c->error) {
    case ESTAB_ECONNREFUSED: return ORACLE_REFUSED;
    case ESTAB_ECONNRESET: return ORACLE_RESET;
    case ESTAB_ECONNABORTED: return ORACLE_ABORTED;
    default: return ORACLE_ENDED;
    }
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What could be announced: the buffer less what waits for its reader; 65535 where no scale was negotiated. */
static uint32_t room_of(const struct tcp_conn *c)
{
    uint32_t most = c->window_scale || c->rcv_limit <= 65535 ? c->rcv_limit : 65535;
    uint32_t used = c->shut_read ? 0 : recv_queue_readable(&c->rcv);
    return most > used ? most - used : 0;
}

static void read_ahead(const struct tcp_conn *c, struct oracle_tcb *tcb)
{
    if (c->rcv.ahead == NULL) {
        return;
    }
    const struct recv_ahead *ahead = (const struct recv_ahead *)(const void *)c->rcv.ahead->data;
    tcb->ahead_count = ahead->count;
    for (unsigned i = 0; i < ahead->count && i < ORACLE_RANGES; i++) {
        tcb->ahead[i] = (struct oracle_range){ahead->range[i].begin.v, ahead->range[i].end.v};
    }
}

static void read_send(const struct tcp_conn *c, struct oracle_tcb *tcb)
{
    tcb->fin_sent = conn_fin_sent(c);
    tcb->iss = c->iss.v;
    tcb->snd_una = c->snd_una.v;
    tcb->snd_nxt = c->snd_nxt.v;
    tcb->snd_wnd = c->snd_wnd;
    tcb->snd_wl1 = c->snd_wl1.v;
    tcb->snd_wl2 = c->snd_wl2.v;
    tcb->max_snd_wnd = c->max_snd_wnd;
    tcb->snd_shift = c->snd_shift;
    tcb->peer_mss = c->peer_mss;
}

static void read_receive(const struct tcp_conn *c, struct oracle_tcb *tcb)
{
    tcb->irs = c->irs.v;
    tcb->rcv_nxt = c->rcv_nxt.v;
    tcb->rcv_adv = c->rcv_adv.v;
    tcb->rcv_room = room_of(c);
    tcb->readable = recv_queue_readable(&c->rcv);
    tcb->rcv_mss = c->rcv_mss;
    tcb->rcv_shift = c->rcv_shift;
    tcb->eof = state_peer_closed(c->state);
    tcb->fin_known = c->rcv_fin_known;
    tcb->rcv_fin = c->rcv_fin.v;
    tcb->urgent = c->rcv_urgent;
    tcb->rcv_up = c->rcv_up.v;
    tcb->ack_delayed = (c->owed & OWED_ACK_LATER) != 0;
    tcb->last_ack_sent = c->last_ack_sent.v;
    read_ahead(c, tcb);
}

/* What was negotiated; what our SYN offered while it has no answer. */
static void read_options(const struct matrix_bench *bench, const struct tcp_conn *c, struct oracle_tcb *tcb)
{
    bool asking = c->state == ESTAB_SYN_SENT;
    tcb->v6 = bench->v6;
    tcb->adv_mss = c->adv_mss;
    tcb->timestamps = asking ? c->offer_timestamps : c->timestamps;
    tcb->window_scale = asking ? c->offer_window_scale : c->window_scale;
    tcb->sack = asking ? c->offer_sack : c->sack;
    if (asking) {
        tcb->rcv_shift = bench->spot.window == WINDOW_SCALED ? 2 : 0;
        tcb->rcv_nxt = 0;
        tcb->rcv_adv = smaller(c->rcv_limit, 65535); /* no SYN scales its window (RFC 7323 2.2) */
        tcb->rcv_room = c->rcv_limit;
    }
}

/* In TIME-WAIT the record counts; what it has dropped is as the connection left it. */
static void read_time_wait(const struct matrix_bench *bench, const struct time_wait *tw, uint64_t now,
                           struct oracle_tcb *tcb)
{
    const struct settings *settings = &bench->stack->settings;
    tcb->state = tw->tcp.state;
    tcb->snd_nxt = tw->tcp.snd_nxt.v;
    tcb->rcv_nxt = tw->tcp.rcv_nxt.v;
    tcb->ts_recent = tw->tcp.ts_recent;
    tcb->timestamps = tw->tcp.timestamps;
    tcb->last_ack_sent = tw->tcp.rcv_nxt.v;
    tcb->ack_delayed = false;
    uint8_t used = tw->tcp.challenge_s == (uint8_t)(now / 1000000000) ? tw->tcp.challenges : 0;
    tcb->challenges_left = (uint8_t)(settings->limits.challenge_acks - used);
}

/* An entry of the SYN cache that has gone leaves nothing behind, and its listener in LISTEN. */
static void read_nobody(const struct oracle_tcb *before, struct oracle_tcb *tcb)
{
    if (before != NULL && (before->state == ESTAB_SYN_RECEIVED || before->state == ESTAB_LISTEN)) {
        *tcb = *before;
        tcb->state = ESTAB_LISTEN;
        tcb->half_open_gone = before->state == ESTAB_SYN_RECEIVED;
    }
}

void matrix_read(const struct matrix_bench *bench, uint64_t now, const struct oracle_tcb *before,
                 struct oracle_tcb *tcb)
{
    memset(tcb, 0, sizeof *tcb);
    tcb->state = ESTAB_CLOSED;
    uint32_t owner = flow_owner(bench);
    const struct conn *conn = record_of(bench, owner);
    if (conn == NULL) {
        read_nobody(before, tcb);
        return;
    }
    const struct tcp_conn *c = &conn->tcp;
    tcb->state = c->state;
    tcb->passive = c->passive;
    tcb->released = c->released;
    read_send(c, tcb);
    read_receive(c, tcb);
    tcb->ts_recent = c->ts_recent;
    read_options(bench, c, tcb);
    uint8_t used = c->challenge_s == (uint8_t)(now / 1000000000) ? c->challenges : 0;
    tcb->challenges_left = (uint8_t)(bench->stack->settings.limits.challenge_acks - used);
    tcb->end = before != NULL && before->state == ESTAB_CLOSED ? ORACLE_NOT_ENDED : end_of(c);
    tcb->half_open_gone = before != NULL && before->state == ESTAB_SYN_RECEIVED && c->state == ESTAB_LISTEN;
    if (owner != TABLE_NONE && (owner & TIME_WAIT_ID)) {
        const struct time_wait *tw = &bench->stack->time_waits[owner & ~RECORD_IDS];
        read_time_wait(bench, tw, now, tcb);
        tcb->time_wait_restarted =
            before != NULL && before->state == ESTAB_TIME_WAIT &&
            tw->deadline_ns != bench->two_msl_since + 2 * bench->stack->settings.msl_ns;
    }
}

/* ---- timers ---- */

static bool runs(const struct tcp_conn *c, enum estab_timer timer)
{
    return c->deadline[timer] != UINT64_MAX;
}

static const char *retransmit_wrong(const struct matrix_bench *bench, const struct tcp_conn *c, uint64_t now,
                                    const struct oracle_tcb *before)
{
    bool flight = c->snd_una.v != c->snd_nxt.v;
    bool shut = c->snd_wnd == 0 && state_is_synchronized(c->state);
    if (runs(c, ESTAB_TIMER_RETRANSMIT) != (flight && !shut)) {
        return "the retransmission timer runs while something is in flight";
    }
    if (runs(c, ESTAB_TIMER_PERSIST) != (flight && shut)) {
        return "the persist timer runs while something waits for a closed window";
    }
    if ((flight || !state_is_synchronized(c->state)) != runs(c, ESTAB_TIMER_USER)) {
        return "the user timeout runs while something is in flight";
    }
    bool advanced = before->state >= ESTAB_ESTABLISHED && c->snd_una.v != before->snd_una && !shut;
    uint64_t rto = rtt_rto_ns(&c->rtt, &bench->stack->settings.limits.rtt);
    if (flight && advanced && c->deadline[ESTAB_TIMER_RETRANSMIT] != now + rto) {
        return "the retransmission timer restarts when SND.UNA advances (RFC 6298 5.3)";
    }
    return NULL;
}

static const char *conn_timers_wrong(const struct matrix_bench *bench, const struct tcp_conn *c, uint64_t now,
                                     const struct oracle_tcb *before)
{
    const struct tcp_limits *limits = &bench->stack->settings.limits;
    bool delayed = (c->owed & OWED_ACK_LATER) != 0;
    if (runs(c, ESTAB_TIMER_DELAYED_ACK) != delayed) {
        return "the delayed-ACK timer runs while an ACK is delayed";
    }
    if (delayed && !before->ack_delayed &&
        c->deadline[ESTAB_TIMER_DELAYED_ACK] != now + limits->delayed_ack_ns) {
        return "an ACK is delayed by the configured time";
    }
    bool fin_wait_2 = c->state == ESTAB_FIN_WAIT_2 && c->released;
    if (runs(c, ESTAB_TIMER_FIN_WAIT_2) != fin_wait_2) {
        return "FIN-WAIT-2 has its timer once the user is gone";
    }
    if (fin_wait_2 && before->state == ESTAB_FIN_WAIT_1 &&
        c->deadline[ESTAB_TIMER_FIN_WAIT_2] != now + limits->fin_wait_2_ns) {
        return "FIN-WAIT-2 lasts the configured time";
    }
    if (runs(c, ESTAB_TIMER_KEEPALIVE)) {
        return "keep-alive is off";
    }
    return retransmit_wrong(bench, c, now, before);
}

/* A SYN,ACK waits for the initial RTO (RFC 6298 2.1), whatever else arrives. */
static const char *half_open_timer_wrong(const struct matrix_bench *bench, const struct half_open *half_open,
                                         uint64_t now, const struct oracle_tcb *before)
{
    uint64_t sent_ns = half_open->deadline_ns - bench->stack->settings.limits.rtt.initial_rto_ns;
    bool fresh = before->state != ESTAB_SYN_RECEIVED;
    return (fresh ? sent_ns == now : sent_ns >= bench->now && sent_ns < now)
               ? NULL
               : "a handshake in the SYN cache waits for the initial RTO";
}

const char *matrix_timers_wrong(const struct matrix_bench *bench, uint64_t now,
                                const struct oracle_tcb *before, const struct oracle_tcb *after)
{
    uint32_t owner = flow_owner(bench);
    const struct conn *conn = record_of(bench, owner);
    if (after->state == ESTAB_TIME_WAIT) {
        if (owner == TABLE_NONE || !(owner & TIME_WAIT_ID)) {
            return "TIME-WAIT has a record";
        }
        bool fresh = before->state != ESTAB_TIME_WAIT || after->time_wait_restarted;
        uint64_t since = fresh ? now : bench->two_msl_since;
        const struct time_wait *tw = &bench->stack->time_waits[owner & ~RECORD_IDS];
        return tw->deadline_ns == since + 2 * bench->stack->settings.msl_ns ? NULL : "2MSL";
    }
    const struct half_open *half_open = half_open_of(bench, owner);
    if (conn == NULL || half_open != NULL) {
        return half_open == NULL ? NULL : half_open_timer_wrong(bench, half_open, now, before);
    }
    if (after->state == ESTAB_CLOSED || after->state == ESTAB_LISTEN) {
        return tcp_timers_next(&conn->tcp) == UINT64_MAX ? NULL : "no timer runs in CLOSED and LISTEN";
    }
    return conn_timers_wrong(bench, &conn->tcp, now, before);
}

/* ---- text ---- */

const char *matrix_text_wrong(const struct matrix_bench *bench, const struct oracle_tcb *after)
{
    const struct conn *conn = record_of(bench, flow_owner(bench));
    uint8_t bytes[2048];
    if (conn == NULL || after->readable == 0 || conn->tcp.state == ESTAB_CLOSED) {
        return NULL;
    }
    uint32_t got = recv_queue_copy(&conn->tcp.rcv, 0, bytes, sizeof bytes);
    if (got != (after->readable < sizeof bytes ? after->readable : sizeof bytes)) {
        return "all that is readable can be read";
    }
    for (uint32_t i = 0; i < got; i++) {
        if (bytes[i] != matrix_byte(bench, conn->tcp.rcv.begin.v + i)) {
            return "the bytes are those that were sent";
        }
    }
    return NULL;
}
