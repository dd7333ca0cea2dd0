/*
 * Slow start and congestion avoidance of RFC 5681 3.1 with appropriate byte counting: the window grows by
 * bytes acknowledged, not by ACKs, so that dividing ACKs gains nothing (V-44). Fast recovery itself (RFC
 * 6582) is tcp/recovery.c.
 */
#include "cc/cc.h"

/* private_words[0]: bytes acknowledged in congestion avoidance that have not yet made a full window. */

static uint32_t half_flight(const struct cc_sample *sample)
{
    uint32_t half = sample->flight / 2;
    return half > 2 * sample->mss ? half : 2 * sample->mss; /* RFC 5681 equation 4 */
}

static void newreno_init(uint64_t *private_words, struct cc_window *window)
{
    private_words[0] = 0;
    window->ssthresh = UINT32_MAX; /* R5681-08 */
}

static void newreno_on_ack(uint64_t *private_words, struct cc_window *window, const struct cc_sample *sample)
{
    if (!sample->cwnd_limited || window->cwnd >= UINT32_MAX / 4) {
        return;
    }
    uint32_t acked = sample->acked;
    if (window->cwnd < window->ssthresh) {
        /*
         * DEVIATION from R5681-09 (equation 2), one SMSS an ACK. Where segments and ACKs are merged one ACK
         * stands for many, so that growth counts all the bytes acknowledged, as Linux does; it still no more
         * than doubles in a round trip.
         */
        acked = acked < window->cwnd ? acked : window->cwnd;
        uint32_t room = window->ssthresh - window->cwnd;
        uint32_t growth = acked < room ? acked : room;
        window->cwnd += growth;
        acked -= growth; /* past the threshold the rest is congestion avoidance's */
    }
    private_words[0] += acked; /* R5681-10 */
    if (private_words[0] >= window->cwnd) {
        private_words[0] -= window->cwnd;
        window->cwnd += sample->mss;
    }
}

static void newreno_on_loss(uint64_t *private_words, struct cc_window *window, const struct cc_sample *sample)
{
    private_words[0] = 0;
    window->ssthresh = half_flight(sample);
}

static void newreno_on_timeout(uint64_t *private_words, struct cc_window *window,
                               const struct cc_sample *sample)
{
    private_words[0] = 0;
    window->ssthresh = half_flight(sample);
    window->cwnd = sample->mss; /* R5681-12 */
}

static void newreno_on_recovered(uint64_t *private_words, struct cc_window *window,
                                 const struct cc_sample *sample)
{
    /*
     * RFC 6582 3.2 step 3, first form: no burst after a window of which little is left in flight (R6582-03).
     */
    uint32_t flight = sample->flight > sample->mss ? sample->flight : sample->mss;
    private_words[0] = 0;
    window->cwnd = window->ssthresh < flight + sample->mss ? window->ssthresh : flight + sample->mss;
}

const struct estab_cc estab_cc_newreno = {
    .name = "newreno",
    .init = newreno_init,
    .on_ack = newreno_on_ack,
    .on_loss = newreno_on_loss,
    .on_timeout = newreno_on_timeout,
    .on_recovered = newreno_on_recovered,
};
