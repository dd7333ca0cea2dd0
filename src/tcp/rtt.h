/*
 * The round-trip time estimator and the retransmission timeout that follows from it (RFC 6298, MUST-18), its
 * backoff included. Microseconds inside, nanoseconds outside.
 */
#ifndef ESTAB_TCP_RTT_H
#define ESTAB_TCP_RTT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"

struct tcp_rtt {
    uint32_t srtt_us;   /* 0 = no sample yet */
    uint32_t rttvar_us;
    uint32_t min_us;    /* the smallest sample; UINT32_MAX = none */
    uint8_t backoff;    /* doublings since the last new sample or ACK (RFC 6298 5.5) */
    bool timing;        /* a segment is being timed (Karn's rule: never one that was sent twice) */
    bool syn_lost;      /* RFC 6298 5.7: ... */
    bool handshake_done; /* ... then data starts with 3 s */
    tcp_seq timed;      /* an ACK beyond this ends the timing */
    uint64_t timed_since_ns;
};

struct rtt_limits {
    uint64_t min_rto_ns;
    uint64_t max_rto_ns;
    uint64_t initial_rto_ns;
};

void rtt_init(struct tcp_rtt *rtt);
void rtt_sample(struct tcp_rtt *rtt, uint64_t sample_ns);

/* The timeout with its backoff, within the limits. */
uint64_t rtt_rto_ns(const struct tcp_rtt *rtt, const struct rtt_limits *limits);

/* The timer fired: twice as long next time; the timed segment is not timed any more. */
void rtt_back_off(struct tcp_rtt *rtt);

/* Begins to time [first, end of a segment) unless one is timed already. */
void rtt_start(struct tcp_rtt *rtt, tcp_seq end, uint64_t now);

/* Something in front of the timed segment or itself is sent again. */
static inline void rtt_cancel(struct tcp_rtt *rtt)
{
    rtt->timing = false;
}

/* An ACK that moved SND.UNA to una; returns whether it gave a sample. */
bool rtt_ack(struct tcp_rtt *rtt, tcp_seq una, uint64_t now);

#endif
