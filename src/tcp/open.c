/* See open.h. RFC 9293 3.10.1, 3.10.7.2, 3.10.7.3; 3.7.1 for the MSS. */
#include "tcp/open.h"

#include "tcp/ack.h"
#include "tcp/options.h"
#include "tcp/receive.h"
#include "tcp/recovery.h"
#include "tcp/timers.h"

/* What a half-open connection of the same record, that a RST took back to LISTEN, has left behind. */
static void forget_peer(struct tcp_conn *c)
{
    c->max_snd_wnd = 0;
    c->rcv_mss = 0;
    c->rcv_urgent = c->dsack = c->probing = false;
    c->challenges = 0;
    c->soft_error = 0;
}

static void begin(struct tcp_conn *c, struct tcp_context *ctx, const struct open_facts *facts)
{
    c->iss = facts->iss;
    c->snd_una = facts->iss;
    c->snd_nxt = facts->iss;
    c->ts_offset = facts->ts_offset;
    c->path_mss = facts->path_mss;
    c->adv_mss = facts->adv_mss;
    c->mtu = (struct tcp_mtu_probe){.most = facts->link_mss};
    c->mtu_search = false;
    c->peer_mss = facts->path_mss;
    c->error = 0;
    forget_peer(c);
    send_queue_rebase(&c->snd, ctx->pool, seq_add(facts->iss, 1));
    rtt_init(&c->rtt);
    recovery_init(c);
    c->owed = OWED_SYN;
    tcp_timers_on_open(c, ctx);
}

void open_active(struct tcp_conn *c, struct tcp_context *ctx, enum tcp_event event,
                 const struct open_facts *facts)
{
    c->passive = false;
    begin(c, ctx, facts);
    conn_event(c, ctx, event);
    ctx->counters->active_opens++;
}

void open_take_syn(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *syn)
{
    c->irs = syn->seq;
    c->rcv_nxt = seq_add(syn->seq, 1);
    c->rcv_adv = c->rcv_nxt;
    c->last_ack_sent = c->rcv_nxt;
    recv_queue_init(&c->rcv, c->rcv_nxt);
    options_take_syn(c, ctx, syn, c->v6);
    /* the window of a SYN is not scaled (R7323-04) */
    uint32_t limit = c->rcv_limit < 65535 ? c->rcv_limit : 65535;
    c->rcv_adv = seq_add(c->rcv_nxt, limit);
}

void open_accept_syn(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_segment *syn,
                     const struct open_facts *facts)
{
    c->passive = true;
    begin(c, ctx, facts);
    open_take_syn(c, ctx, syn);
    conn_event(c, ctx, EVENT_RCV_SYN);
    ack_take_window(c, syn);
    receive_text_of_syn(c, ctx, syn); /* DEVIATION from F-LISTEN-3: its FIN is left */
}

void open_return_to_listen(struct tcp_conn *c, struct tcp_context *ctx)
{
    conn_event(c, ctx, EVENT_RST_PASSIVE);
    conn_free_queues(c, ctx->pool);
    send_queue_init(&c->snd, seq_of(0));
    recv_queue_init(&c->rcv, seq_of(0));
    tcp_timers_stop(c);
    c->owed = 0;
    c->closing = c->snd_urgent = false;
    c->rcv_fin_known = false;
    c->timestamps = c->sack = c->window_scale = false;
    c->snd_shift = c->rcv_shift = 0;
    c->retransmits = 0;
}

void open_continue_close(struct tcp_conn *c, struct tcp_context *ctx)
{
    if (c->closing) {
        conn_event(c, ctx, EVENT_CLOSE);
    }
}
