/* STATUS (RFC 9293 3.10.6): the variables of a connection as the user may see them. It changes nothing. */
#include "tcp/timers.h"
#include "tcp/user_calls.h"

static void sequence_variables(const struct tcp_conn *c, struct estab_status *status)
{
    status->iss = c->iss.v;
    status->irs = c->irs.v;
    status->snd_una = c->snd_una.v;
    status->snd_nxt = c->snd_nxt.v;
    status->snd_wnd = c->snd_wnd;
    status->snd_wl1 = c->snd_wl1.v;
    status->snd_wl2 = c->snd_wl2.v;
    status->max_snd_wnd = c->max_snd_wnd;
    status->rcv_nxt = c->rcv_nxt.v;
    status->rcv_wnd = conn_rcv_wnd(c);
    status->urgent = c->rcv_urgent;
    status->urgent_ahead = c->rcv_urgent ? seq_diff(c->rcv_up, c->rcv.begin) : 0;
}

/* The coarse clock's time before now, or 0 = never. */
static uint64_t time_of(uint32_t coarse, uint64_t now)
{
    return coarse == 0 ? 0 : now - ((uint64_t)(conn_clock(now) - coarse) << 20);
}

static void queues(const struct tcp_conn *c, uint64_t now, struct estab_status *status)
{
    status->send_queued = send_queue_length(&c->snd);
    status->send_unsent = conn_unsent(c);
    status->receive_queued = recv_queue_readable(&c->rcv);
    status->receive_ahead = recv_queue_ahead_bytes(&c->rcv);
    status->bytes_sent = c->bytes_sent;
    status->bytes_acked = c->bytes_sent - (status->send_queued - status->send_unsent);
    status->bytes_received = c->bytes_received;
    status->bytes_retransmitted = c->bytes_retransmitted;
    status->segments_sent = c->segments_sent;
    status->segments_received = c->segments_received;
    status->segments_retransmitted = c->segments_retransmitted;
    status->last_sent_ns = time_of(c->last_sent, now);
    status->last_received_ns = time_of(c->last_received, now);
}

static void recovery_and_times(const struct tcp_conn *c, const struct tcp_limits *limits,
                               struct estab_status *status)
{
    status->cwnd = c->cwnd;
    status->ssthresh = c->ssthresh;
    status->bytes_in_flight = conn_flight(c);
    status->srtt_ns = (uint64_t)c->rtt.srtt_us * 1000;
    status->rttvar_ns = (uint64_t)c->rtt.rttvar_us * 1000;
    status->min_rtt_ns = c->rtt.min_us == UINT32_MAX ? 0 : (uint64_t)c->rtt.min_us * 1000;
    status->rto_ns = rtt_rto_ns(&c->rtt, &limits->rtt);
    status->backoff = c->rtt.backoff;
    status->retransmits = c->retransmits;
    status->probes = c->probes;
    status->in_recovery = c->recovery.phase == RECOVERY_FAST ? 1 : c->recovery.phase == RECOVERY_LOSS ? 2 : 0;
    status->next_timer_ns = tcp_timers_next(c);
    for (unsigned i = 0; i < TCP_DEADLINES; i++) {
        status->timers |= (uint8_t)(tcp_timer_runs(c, i) ? 1u << i : 0);
    }
}

void tcp_status(const struct tcp_conn *c, const struct tcp_context *ctx, struct estab_status *status)
{
    status->state = c->state;
    status->error = c->error;
    status->soft_error = c->soft_error;
    status->closed_by_user = c->released;
    status->timestamps = c->timestamps;
    status->sack = c->sack;
    status->window_scale = c->window_scale;
    status->snd_wnd_shift = c->snd_shift;
    status->rcv_wnd_shift = c->rcv_shift;
    status->snd_mss = c->peer_mss != 0 ? conn_snd_mss(c) : 0;
    status->rcv_mss = c->rcv_mss;
    status->advertised_mss = c->adv_mss;
    status->congestion = c->cc->name;
    sequence_variables(c, status);
    queues(c, ctx->now, status);
    recovery_and_times(c, ctx->limits, status);
}
