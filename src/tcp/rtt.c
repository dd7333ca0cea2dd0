/* RFC 6298 in microseconds of integers; see rtt.h. It knows neither segments nor timers. */
#include "tcp/rtt.h"

#define CLOCK_GRANULARITY_US 1u
#define MAX_BACKOFF 16u

void rtt_init(struct tcp_rtt *rtt)
{
    *rtt = (struct tcp_rtt){.min_us = UINT32_MAX};
}

/* RFC 6298 2.2 and 2.3: RTTVAR before SRTT, alpha = 1/8, beta = 1/4 (R6298-02, R6298-03). */
void rtt_sample(struct tcp_rtt *rtt, uint64_t sample_ns)
{
    uint64_t us = sample_ns / 1000;
    uint32_t r = us > UINT32_MAX / 16 ? UINT32_MAX / 16 : (uint32_t)us;
    r = r == 0 ? 1 : r;
    if (r < rtt->min_us) {
        rtt->min_us = r;
    }
    if (rtt->srtt_us == 0) {
        rtt->srtt_us = r;
        rtt->rttvar_us = r / 2;
    } else {
        uint32_t error = rtt->srtt_us > r ? rtt->srtt_us - r : r - rtt->srtt_us;
        rtt->rttvar_us = rtt->rttvar_us - rtt->rttvar_us / 4 + error / 4;
        rtt->srtt_us = rtt->srtt_us - rtt->srtt_us / 8 + r / 8;
        rtt->srtt_us = rtt->srtt_us == 0 ? 1 : rtt->srtt_us;
    }
    rtt->backoff = 0;
    rtt->syn_lost = false;
}

uint64_t rtt_rto_ns(const struct tcp_rtt *rtt, const struct rtt_limits *limits)
{
    uint64_t rto = limits->initial_rto_ns; /* R6298-01 */
    if (rtt->srtt_us != 0) {
        uint64_t variance = 4 * (uint64_t)rtt->rttvar_us;
        variance = variance < CLOCK_GRANULARITY_US ? CLOCK_GRANULARITY_US : variance; /* R6298-08 */
        rto = ((uint64_t)rtt->srtt_us + variance) * 1000;
    } else if (rtt->syn_lost && rtt->handshake_done && rto < 3000000000u) {
        rto = 3000000000u; /* R6298-12 */
    }
    rto = rto < limits->min_rto_ns ? limits->min_rto_ns : rto;
    for (unsigned i = 0; i < rtt->backoff && rto < limits->max_rto_ns; i++) {
        rto *= 2; /* R6298-05, R6298-11 */
    }
    return rto > limits->max_rto_ns ? limits->max_rto_ns : rto;
}

void rtt_back_off(struct tcp_rtt *rtt)
{
    if (rtt->backoff < MAX_BACKOFF) {
        rtt->backoff++;
    }
    rtt->timing = false;
}

/* R6298-07 */
void rtt_start(struct tcp_rtt *rtt, tcp_seq end, uint64_t now)
{
    if (!rtt->timing) {
        rtt->timing = true;
        rtt->timed = end;
        rtt->timed_since_ns = now;
    }
}

bool rtt_ack(struct tcp_rtt *rtt, tcp_seq una, uint64_t now)
{
    if (!rtt->timing || seq_lt(una, rtt->timed)) {
        return false;
    }
    rtt->timing = false;
    rtt_sample(rtt, now - rtt->timed_since_ns);
    return true;
}
