/*
 * TIME-WAIT (RFC 9293 3.4.2, 3.6.1, 3.10.7.4) in the few bytes that it needs: the connection's record is
 * given back when it is entered. RST is ignored (RFC 1337), a new SYN judged by RFC 6191, the peer's FIN
 * acknowledged again and 2MSL restarted.
 */
#ifndef ESTAB_TCP_TIME_WAIT_H
#define ESTAB_TCP_TIME_WAIT_H

#include "tcp/conn.h"
#include "tcp/segment_arrives.h"

struct tcp_time_wait {
    tcp_seq snd_nxt;
    tcp_seq rcv_nxt;
    uint32_t ts_recent;
    uint32_t ts_offset;
    uint16_t wnd;           /* the window field of its ACKs */
    uint8_t challenge_s;    /* second (modulo 256) of the last limited ACKs, and their number */
    uint8_t challenges;
    uint8_t state;          /* enum estab_state: TIME_WAIT, or CLOSED on its way out */
    bool timestamps;
    uint8_t traffic_class;  /* the owner's: what its packets carry */
    uint8_t interface;
};

enum time_wait_answer {
    TIME_WAIT_IGNORE,
    TIME_WAIT_ACK,     /* send tcp_time_wait_ack() */
    TIME_WAIT_RESTART, /* the same, and 2MSL anew */
    TIME_WAIT_REUSE    /* RFC 6191: the SYN may open a new connection in its place */
};

void tcp_time_wait_enter(struct tcp_time_wait *tw, const struct tcp_conn *c);

enum time_wait_answer tcp_time_wait_segment(struct tcp_time_wait *tw, const struct tcp_context *ctx,
                                            const struct tcp_segment *seg, enum estab_drop *drop);

/* ACK within the limit of the second, or IGNORE. */
enum time_wait_answer tcp_time_wait_limited_ack(struct tcp_time_wait *tw, const struct tcp_context *ctx);

void tcp_time_wait_ack(const struct tcp_time_wait *tw, uint64_t now, struct tcp_reply *reply);

#endif
