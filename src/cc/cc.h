/*
 * Congestion control as a table of functions: how much may be in flight (RFC 5681). Which segments to send
 * again is recovery's business, what has been lost or delivered the scoreboard's. An algorithm sees the
 * window, one sample of facts and a small private state that stays with the connection; it knows no segments.
 */
#ifndef ESTAB_CC_CC_H
#define ESTAB_CC_CC_H

#include <stdbool.h>
#include <stdint.h>

#include "estab/estab.h"

#define CC_PRIVATE_WORDS 2

struct cc_window {
    uint32_t cwnd;     /* bytes */
    uint32_t ssthresh; /* bytes */
};

/* What one event was like. */
struct cc_sample {
    uint64_t now_ns;
    uint32_t acked;      /* bytes newly acknowledged */
    uint32_t flight;     /* bytes in flight before the event */
    uint32_t mss;        /* bytes of text of a full segment */
    uint32_t srtt_us;    /* 0 = none yet */
    bool cwnd_limited;   /* the window was the limit, not the application (RFC 9438 4.6, RFC 7661) */
};

struct estab_cc {
    const char *name;
    void (*init)(uint64_t *private_words, struct cc_window *window);
    /* New data was acknowledged outside recovery. */
    void (*on_ack)(uint64_t *private_words, struct cc_window *window, const struct cc_sample *sample);
    /* A loss was found: sets ssthresh. cwnd in recovery is recovery's. */
    void (*on_loss)(uint64_t *private_words, struct cc_window *window, const struct cc_sample *sample);
    /*
     * The retransmission timer fired for a segment that was not yet sent again: sets ssthresh and cwnd (RFC
     * 5681 equation 4, LW).
     */
    void (*on_timeout)(uint64_t *private_words, struct cc_window *window, const struct cc_sample *sample);
    /* Recovery has ended: cwnd goes to ssthresh. */
    void (*on_recovered)(uint64_t *private_words, struct cc_window *window, const struct cc_sample *sample);
};

#endif
