/* See half_open.h. */
#include "tcp/half_open.h"

#include "tcp/options.h"

void half_open_fold(struct tcp_half_open *half_open, const struct tcp_conn *c)
{
    half_open->iss = c->iss;
    half_open->irs = c->irs;
    half_open->ts_recent = c->ts_recent;
    half_open->wnd = (uint16_t)c->snd_wnd; /* a SYN's, hence not scaled */
    half_open->mss = c->peer_mss;
    half_open->window_scale = c->snd_shift & 15u;
    half_open->has_window_scale = c->window_scale;
    half_open->timestamps = c->timestamps;
    half_open->sack = c->sack;
    half_open->challenges = c->challenges;
    half_open->challenge_s = c->challenge_s;
    state_hand_over(&half_open->state, c->state);
}

/* The SYN as it must have been, as far as this connection took notice. */
static struct tcp_segment syn_of(const struct tcp_half_open *half_open)
{
    return (struct tcp_segment){
        .seq = half_open->irs,
        .flags = TCP_SYN,
        .wnd = half_open->wnd,
        .options = {.has_mss = half_open->mss != 0,
                    .mss = half_open->mss,
                    .has_window_scale = half_open->has_window_scale,
                    .window_scale = half_open->window_scale,
                    .has_timestamps = half_open->timestamps,
                    .tsval = half_open->ts_recent,
                    .sack_permitted = half_open->sack},
    };
}

void half_open_unfold(const struct tcp_half_open *half_open, struct tcp_conn *c, struct tcp_context *ctx,
                      const struct open_facts *facts, uint64_t sent_ns)
{
    struct open_facts own = *facts;
    struct tcp_segment syn = syn_of(half_open);
    struct trace_ring silent = {0}; /* these arrows were taken, and told of, before */
    struct tcp_context quiet = *ctx;
    quiet.trace = &silent;
    own.iss = half_open->iss;
    open_accept_syn(c, &quiet, &syn, &own);
    c->snd_nxt = seq_add(c->iss, 1);
    c->rcv_adv = seq_max(c->rcv_adv, seq_add(c->rcv_nxt, (uint32_t)half_open->told << c->rcv_shift));
    c->owed = 0;
    c->challenges = half_open->challenges;
    c->challenge_s = half_open->challenge_s;
    c->segments_sent = half_open->sent;
    c->segments_received = 1;
    if (half_open->sent == 1) {
        rtt_start(&c->rtt, c->snd_nxt, sent_ns);
    } else if (half_open->sent > 1) { /* Karn's rule; R5681-06 */
        c->rtt.syn_lost = true;
        c->segments_retransmitted = half_open->sent - 1u;
    }
}
