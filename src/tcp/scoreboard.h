/*
 * What ACKs have told about the segments in flight: the facts on which recovery decides. NewReno needs one,
 * the duplicate ACKs in a row; the ranges of SACK (RFC 6675, RFC 8985) come to stand here.
 */
#ifndef ESTAB_TCP_SCOREBOARD_H
#define ESTAB_TCP_SCOREBOARD_H

#include "tcp/conn.h"

#define SCOREBOARD_DUP_THRESH 3 /* RFC 5681 3.2 */

static inline void scoreboard_reset(struct tcp_scoreboard *scoreboard)
{
    scoreboard->dup_acks = 0;
}

static inline void scoreboard_duplicate(struct tcp_scoreboard *scoreboard)
{
    if (scoreboard->dup_acks < UINT8_MAX) {
        scoreboard->dup_acks++;
    }
}

static inline bool scoreboard_lost(const struct tcp_scoreboard *scoreboard)
{
    return scoreboard->dup_acks >= SCOREBOARD_DUP_THRESH;
}

/* Segments that RFC 3042 allows beyond cwnd: one for each of the first two duplicates. */
static inline uint32_t scoreboard_limited_transmit(const struct tcp_scoreboard *scoreboard)
{
    return scoreboard->dup_acks < SCOREBOARD_DUP_THRESH ? scoreboard->dup_acks : 0;
}

#endif
