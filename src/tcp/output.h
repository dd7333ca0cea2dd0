/*
 * What is to be sent next, decided in one place and without changing anything: tcp_output_decide(). The stack
 * builds the packet that the plan describes and then reports it with tcp_output_sent(). RFC 9293 3.7.4
 * (Nagle), 3.8.6 (windows, probes, silly windows), 3.8.6.3 (ACKs).
 */
#ifndef ESTAB_TCP_OUTPUT_H
#define ESTAB_TCP_OUTPUT_H

#include "tcp/conn.h"
#include "wire/tcp_header.h"

struct tcp_plan {
    struct tcp_segment seg; /* as it goes out, but for the ports, which are the stack's */
    uint32_t segment_size;  /* text of one segment: seg.text_length may be several */
    tcp_seq edge;           /* the right edge that it announces */
    uint8_t reason;         /* enum estab_reason */
    bool again;             /* a retransmission */
    bool held_back;         /* nothing to send, although there is unsent data */
};

/*
 * True: `plan` is due now. False: nothing is; plan->held_back tells tcp_output_idle() what is missing.
 * `gso_max`: text of merged segments, 0 = none.
 */
bool tcp_output_decide(const struct tcp_conn *c, const struct tcp_context *ctx, uint32_t gso_max,
                       struct tcp_plan *plan);

/* It was handed to the driver. */
void tcp_output_sent(struct tcp_conn *c, struct tcp_context *ctx, const struct tcp_plan *plan);

/* Nothing was due: the timers learn of data that must wait. */
void tcp_output_idle(struct tcp_conn *c, const struct tcp_context *ctx, const struct tcp_plan *plan);

#endif
