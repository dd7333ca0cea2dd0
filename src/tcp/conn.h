/*
 * One TCP connection (RFC 9293 3.3.1: the transmission control block) under the RFC's names. It knows
 * sequence numbers, windows, queues and deadlines; whose addresses it has, which packets carry its segments
 * and who wakes its user is the stack's business (stack/).
 *
 * Receiving never sends. What a segment, a call or a timer makes due is marked in `owed`; tcp_output_decide()
 * alone turns that, the queues and the windows into the next segment.
 */
#ifndef ESTAB_TCP_CONN_H
#define ESTAB_TCP_CONN_H

#include "base/recv_queue.h"
#include "base/send_queue.h"
#include "cc/cc.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/trace.h"

#define TCP_DEADLINES (ESTAB_TIMER_TIME_WAIT) /* all timers but 2MSL, which a TIME-WAIT record keeps */
#define TCP_MAX_SHIFT 14                      /* RFC 7323 2.3 */
#define TCP_MIN_MSS   88 /* of a peer's MSS option: room for 48 bytes beside all options (V-39) */

/* What is owed to the peer, to be decided on by output. */
enum tcp_owed {
    OWED_ACK = 0x01,            /* at once, for `ack_reason` */
    OWED_ACK_LATER = 0x02,      /* the delayed-ACK timer runs */
    OWED_SYN = 0x04,            /* SYN or SYN,ACK, first or again */
    OWED_PROBE = 0x08,          /* a window probe */
    OWED_KEEPALIVE = 0x10,
    OWED_WINDOW = 0x40,         /* the user has read: the window may be worth announcing */
    OWED_OVERRIDE = 0x20        /* send what there is, silly or not (RFC 9293 3.8.6.2.1: override timeout) */
};

/* Where loss recovery stands; which range is due is recovery.c's. */
enum tcp_recovery_phase {
    RECOVERY_OPEN,  /* nothing known to be lost */
    RECOVERY_FAST,  /* RFC 6582 fast recovery */
    RECOVERY_LOSS,  /* after a retransmission timeout: everything up to `recover` goes again */
    RECOVERY_MTU_PROBE, /* a probe of the path MTU is lost: it goes again, without a congestion response */
    RECOVERY_PROBED /* a window opened after probes: what they carried goes again, without a congestion
                       response */
};

struct tcp_recovery {
    tcp_seq recover;     /* SND.NXT when the loss was found (RFC 6582 3.2) */
    union {
        tcp_seq rexmit_nxt; /* LOSS, MTU_PROBE, PROBED: the next byte to send again */
        uint32_t unheard;   /* FAST: bytes of what was in flight that no duplicate has told of yet */
    };
    uint8_t phase;
    bool front_due;      /* FAST: the segment at SND.UNA is due */
    bool partial_seen;   /* FAST: the first partial ACK has restarted the timer (RFC 6582 4, impatient) */
};

struct tcp_scoreboard {
    uint8_t dup_acks;    /* in a row, capped */
};

/* The search for a larger path MTU; sizes as path_mss. See mtu_probing.h. */
struct tcp_mtu_probe {
    tcp_seq seq;             /* where the probe begins; without one: none goes before SND.NXT gets here */
    uint16_t size;           /* of the probe that is out, 0 = none */
    uint16_t high;           /* the largest size that may get through */
    uint16_t most;           /* what link, user and peer allow */
    uint16_t since;          /* when the wait for the next search began */
};

struct tcp_conn {
    /* What a segment in order touches. */
    uint8_t state;           /* enum estab_state; changed by transition() alone */
    uint8_t owed;            /* enum tcp_owed bits */
    uint8_t ack_reason;      /* enum estab_reason of OWED_ACK */
    uint8_t snd_shift;       /* Snd.Wind.Shift */
    uint8_t rcv_shift;       /* Rcv.Wind.Shift */
    bool timestamps : 1;     /* negotiated */
    bool sack : 1;
    bool window_scale : 1;
    bool passive : 1;        /* came from LISTEN (MUST-11) */
    bool closing : 1;        /* the user's CLOSE is queued behind the data: a FIN stands at snd.end */
    bool released : 1;       /* the user has given up the handle */
    bool shut_read : 1;      /* the user wants no more data */
    bool nodelay : 1;
    bool cork : 1;
    bool more : 1;           /* the last send said more would follow */
    bool keepalive : 1;
    bool quick_ack : 1;
    bool soft_errors : 1;
    bool want_write : 1;     /* a send fell short: tell when there is room */
    bool offer_timestamps : 1;
    bool offer_sack : 1;
    bool offer_window_scale : 1;
    bool snd_urgent : 1;     /* urgent data up to snd_up is not yet acknowledged */
    bool rcv_urgent : 1;     /* urgent data up to rcv_up is not yet read */
    bool dsack : 1;          /* dsack_left, dsack_right are to be reported (RFC 2883) */
    bool cwnd_limited : 1;
    bool probing : 1;        /* the byte at SND.UNA was sent into a closed window */
    bool established : 1;    /* has been */
    bool timers_set : 1;     /* wake_ns was moved ahead since the stack looked last */
    bool v6 : 1;             /* the addresses are IPv6: the default MSS (MUST-15) */
    bool rcv_fin_known : 1;  /* the peer's FIN was seen, at rcv_fin, maybe behind a gap */
    bool mtu_search : 1;     /* segments are smaller than link and peer allow: larger ones are probed */
    bool mtu_untried : 1;    /* of mtu.high no probe has failed yet */
    uint8_t mtu_failures : 2; /* probes of one size lost so far */
    uint16_t progress;       /* conn_progress_clock() of the last step forward, see conn_note_progress() */
    tcp_seq rcv_nxt;
    tcp_seq rcv_adv;         /* right edge that was announced: never moves left (SHLD-14) */
    tcp_seq last_ack_sent;
    tcp_seq snd_una;
    tcp_seq snd_nxt;         /* never moves back: what is sent again is recovery's */
    uint32_t snd_wnd; /* MUST-1, REC-1 */
    tcp_seq snd_wl1;
    tcp_seq snd_wl2;
    uint32_t max_snd_wnd;
    uint32_t cwnd;
    uint32_t ssthresh;
    uint32_t ts_recent;
    uint32_t ts_offset;
    uint64_t deadline[TCP_DEADLINES]; /* by enum estab_timer; UINT64_MAX = does not run */
    uint64_t wake_ns;        /* when the stack will look at them: never later than the earliest */
    struct recv_queue rcv;
    struct send_queue snd;
    uint32_t last_received;  /* in units of 2^20 ns, see conn_clock() */
    uint32_t last_sent;

    /* What the handshake, loss and rarer things need. */
    tcp_seq iss;
    tcp_seq irs;
    tcp_seq snd_up;
    tcp_seq rcv_up;
    tcp_seq rcv_fin;
    tcp_seq dsack_left;
    tcp_seq dsack_right;
    uint32_t ts_recent_s;    /* second at which ts_recent was set: it is void after 24 days (RFC 7323 5.5) */
    struct tcp_rtt rtt;
    struct tcp_recovery recovery;
    struct tcp_scoreboard scoreboard;
    uint8_t retransmits;     /* of the front segment, in a row */
    uint8_t probes;          /* keep-alive or window probes unanswered */
    uint8_t keep_count;
    uint8_t challenges;      /* challenge ACKs in the second challenge_s (modulo 256) */
    uint8_t challenge_s;
    uint16_t events;         /* enum estab_ready: news for the user */
    uint16_t adv_mss;        /* offered in our SYN */
    uint16_t peer_mss;       /* from the peer's SYN, or the default (MUST-15) */
    uint16_t rcv_mss;        /* the largest text received, for the delayed ACK */
    uint16_t path_mss;       /* path MTU less IP and TCP headers without options */
    int16_t error;           /* negated enum estab_error that ended it */
    int16_t soft_error;
    struct tcp_mtu_probe mtu;
    uint32_t rcv_limit;      /* bytes: the receive buffer */
    uint32_t snd_limit;
    uint32_t keep_idle_ms;
    uint32_t keep_interval_ms;
    uint32_t user_timeout_ms; /* UINT32_MAX = infinite */
    const struct estab_cc *cc;
    uint64_t cc_private[CC_PRIVATE_WORDS];

    uint64_t bytes_sent;     /* of text, first transmissions */
    uint64_t bytes_received; /* of text, in order */
    uint32_t bytes_retransmitted;
    uint32_t segments_sent;
    uint32_t segments_received;
    uint32_t segments_retransmitted;
};

/* The limits and times of a stack's config that a connection needs, resolved. */
struct tcp_limits {
    struct rtt_limits rtt;
    uint64_t delayed_ack_ns; /* 0 = acknowledge at once */
    uint64_t syn_timeout_ns;
    uint64_t fin_wait_2_ns;  /* UINT64_MAX = for ever */
    uint32_t initial_window; /* segments */
    uint32_t challenge_acks; /* per connection and second */
    uint8_t mtu_probing;     /* enum estab_mtu_probing */
};

/* What a connection is given in each call: the time and the parts of its stack that it may use. */
struct tcp_context {
    uint64_t now;
    struct pool *pool;
    const struct tcp_limits *limits;
    struct estab_counters *counters;
    struct trace_ring *trace;
};

/* Options as a fresh connection has them. */
struct tcp_conn_defaults {
    const struct estab_cc *cc;
    uint64_t keep_idle_ns;
    uint64_t keep_interval_ns;
    uint64_t user_timeout_ns;
    uint32_t rcv_limit;
    uint32_t snd_limit;
    uint8_t keep_count;
    bool timestamps, window_scale, sack; /* to be offered */
};

void conn_init(struct tcp_conn *c, const struct tcp_conn_defaults *defaults);

/* Takes the options, not the state, of a listener (BSD's inheritance). */
void conn_inherit(struct tcp_conn *c, const struct tcp_conn *listener);

/* Gives back every block. */
void conn_free_queues(struct tcp_conn *c, struct pool *pool);

/* Moves the state by what happened, and traces it. */
void conn_event(struct tcp_conn *c, struct tcp_context *ctx, enum tcp_event event);

/*
 * The end by `error` (negated; 0 = a normal end): moves to CLOSED by `event`, stops the timers, tells the
 * user, frees the queues (but what can still be read).
 */
void conn_end(struct tcp_conn *c, struct tcp_context *ctx, enum tcp_event event, int error);

/* A coarse clock for what is told or compared in seconds: about a millisecond, round after 52 days. */
static inline uint32_t conn_clock(uint64_t now)
{
    return (uint32_t)(now >> 20);
}

/*
 * A smaller one, in steps of 17 ms and round after 18 minutes: what is compared with it is a matter of
 * seconds, and an idle connection must stay small.
 */
#define CONN_PROGRESS_NS (UINT64_C(1) << 24)
#define CONN_GOOD_PART   64 /* of what is held, the part that counts as a step: one 64th */
static inline uint16_t conn_progress_clock(uint64_t now)
{
    return (uint16_t)(now / CONN_PROGRESS_NS);
}

/* SND.UNA or RCV.NXT has moved, or what makes a connection wait for either has just begun. */
static inline void conn_note_progress(struct tcp_conn *c, uint64_t now)
{
    c->progress = conn_progress_clock(now);
}

/*
 * So many bytes were acknowledged: a step forward where they are a good part of what is held for the peer,
 * else a part of the way. Who holds much and takes a byte now and then does not get on by that.
 */
static inline void conn_note_acked(struct tcp_conn *c, uint64_t now, uint32_t acked)
{
    uint16_t clock = conn_progress_clock(now);
    uint32_t waited = (uint16_t)(clock - c->progress);
    uint64_t share = (uint64_t)acked * CONN_GOOD_PART;
    uint32_t held = send_queue_length(&c->snd);
    c->progress = share >= held ? clock : (uint16_t)(c->progress + waited * share / held);
}

/* RCV.WND: what was announced and is not used up. */
static inline uint32_t conn_rcv_wnd(const struct tcp_conn *c)
{
    return seq_diff(c->rcv_adv, c->rcv_nxt);
}

/*
 * By how much the right edge could move if the whole buffer were free: more than conn_rcv_edge() gives, and
 * cheap.
 */
static inline uint32_t conn_rcv_most_gain(const struct tcp_conn *c)
{
    uint32_t wnd = conn_rcv_wnd(c);
    return c->rcv_limit > wnd ? c->rcv_limit - wnd : 0;
}

static inline uint32_t conn_flight(const struct tcp_conn *c)
{
    return seq_diff(c->snd_nxt, c->snd_una);
}

/* Only the peer can bring it on: by an ACK, by what fills a gap, or by a window for what is to be sent. */
static inline bool conn_waits_for_peer(const struct tcp_conn *c)
{
    return conn_flight(c) > 0 || recv_queue_has_ahead(&c->rcv) || (c->snd_wnd == 0 && c->want_write);
}

/* Bytes of the send queue that were never sent. */
static inline uint32_t conn_unsent(const struct tcp_conn *c)
{
    return seq_lt(c->snd_nxt, c->snd.begin) ? send_queue_length(&c->snd)
           : seq_gt(c->snd_nxt, c->snd.end) ? 0
                                            : seq_diff(c->snd.end, c->snd_nxt);
}

/* Whether there are any: what is asked more often than how many. */
static inline bool conn_has_unsent(const struct tcp_conn *c)
{
    return seq_lt(c->snd_nxt, c->snd.end) && !seq_eq(c->snd.begin, c->snd.end);
}

static inline bool conn_syn_sent(const struct tcp_conn *c)
{
    return seq_diff(c->snd_nxt, c->iss) != 0;
}

static inline bool conn_syn_acked(const struct tcp_conn *c)
{
    return seq_diff(c->snd_una, c->iss) != 0;
}

/* The FIN stands behind the last byte of the queue. */
static inline bool conn_fin_sent(const struct tcp_conn *c)
{
    return c->closing && seq_gt(c->snd_nxt, c->snd.end);
}

static inline bool conn_fin_acked(const struct tcp_conn *c)
{
    return c->closing && seq_gt(c->snd_una, c->snd.end);
}

/* Text of a full segment without SACK blocks: MSS less the timestamps option (MUST-16). */
uint32_t conn_snd_mss(const struct tcp_conn *c);

/* The right edge that the buffer allows now, and whether announcing it is worth a segment (MUST-39). */
tcp_seq conn_rcv_edge(const struct tcp_conn *c);
bool conn_window_update_due(const struct tcp_conn *c);

/* Room and readiness as the user sees them. */
uint32_t conn_send_room(const struct tcp_conn *c);
bool conn_writable(const struct tcp_conn *c);
uint32_t conn_ready(const struct tcp_conn *c);

/* Every invariant; NULL = all hold, else the one that does not. */
const char *conn_check(const struct tcp_conn *c, const struct pool *pool);

#endif
