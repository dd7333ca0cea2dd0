/*
 * What the two SYNs agree on (RFC 9293 3.7.1, RFC 7323 2-3, RFC 2018 2), and the options of each segment that
 * goes out.
 */
#ifndef ESTAB_TCP_OPTIONS_H
#define ESTAB_TCP_OPTIONS_H

#include "tcp/conn.h"
#include "wire/tcp_header.h"

/*
 * Takes the peer's SYN: MSS, window scale, timestamps, SACK-permitted hold where both offer them. `v6`
 * chooses the MSS where none is told (MUST-15).
 */
void options_take_syn(struct tcp_conn *c, const struct tcp_context *ctx, const struct tcp_segment *syn,
                      bool v6);

/* The shift that lets the receive buffer be announced. */
uint8_t options_choose_shift(uint32_t rcv_limit);

/* Our timestamp clock: milliseconds and this flow's offset (RFC 7323 5.4, R7323-23, R7323-38). */
static inline uint32_t options_tsval(const struct tcp_conn *c, uint64_t now)
{
    return (uint32_t)(now / 1000000) + c->ts_offset;
}

/* The options of a SYN or SYN,ACK of ours. */
void options_of_syn(const struct tcp_conn *c, uint64_t now, struct tcp_options *options);

/*
 * The options of any other segment: timestamps, and SACK blocks while there is a gap or a duplicate to
 * report.
 */
void options_of_segment(const struct tcp_conn *c, uint64_t now, struct tcp_options *options);

/* RFC 7323 5.3, R1-R3: false where the segment is too old by its timestamp. */
bool options_paws_ok(const struct tcp_conn *c, const struct tcp_context *ctx, const struct tcp_segment *seg);

/* RFC 7323 4.3: TS.Recent moves on only with a segment that spans the last ACK sent. */
void options_update_ts_recent(struct tcp_conn *c, const struct tcp_context *ctx,
                              const struct tcp_segment *seg);

#endif
