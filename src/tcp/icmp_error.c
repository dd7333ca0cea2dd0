/* See icmp_error.h. Source Quench never gets here (MUST-55). */
#include "tcp/icmp_error.h"

#include "tcp/mtu_probing.h"
#include "tcp/recovery.h"

bool tcp_icmp_plausible(const struct tcp_conn *c, tcp_seq quoted)
{
    return c->state != ESTAB_CLOSED && c->state != ESTAB_LISTEN &&
           seq_in_window(quoted, c->snd_una, conn_flight(c));
}

static int error_of(enum icmp_kind kind)
{
    switch (kind) {
    case ICMP_NET_UNREACHABLE:
        return -ESTAB_ENETUNREACH;
    case ICMP_PROTOCOL_UNREACHABLE:
    case ICMP_PORT_UNREACHABLE:
        return -ESTAB_ECONNREFUSED;
    case ICMP_PROHIBITED:
        return -ESTAB_EACCES;
    case ICMP_PARAMETER_PROBLEM:
        return -ESTAB_EPROTO;
    default:
        return -ESTAB_EHOSTUNREACH;
    }
}

void tcp_icmp_error(struct tcp_conn *c, struct tcp_context *ctx, enum icmp_kind kind)
{
    ctx->counters->icmp_errors_delivered++;
    bool hard = kind == ICMP_PROTOCOL_UNREACHABLE || kind == ICMP_PORT_UNREACHABLE;
    if (hard && c->state == ESTAB_SYN_SENT) {
        ctx->counters->attempt_fails++;
        conn_end(c, ctx, EVENT_ICMP_HARD, error_of(kind)); /* SHLD-26 */
        return;
    }
    /*
     * MUST-56, R5927-03. DEVIATION from SHLD-26 by RFC 5927 5.2: in synchronized states hard errors are soft
     * too.
     */
    c->soft_error = (int16_t)error_of(kind); /* SHLD-25, U-1 */
    if (c->soft_errors) {
        c->events |= ESTAB_SOFT_ERROR;
    }
}

void tcp_path_mss_changed(struct tcp_conn *c, const struct tcp_context *ctx, uint32_t path_mss)
{
    uint32_t floor = TCP_MIN_MSS;
    uint32_t mss = path_mss < floor ? floor : path_mss > UINT16_MAX ? UINT16_MAX : path_mss;
    bool smaller = mss < c->path_mss && mss < c->peer_mss;
    uint32_t before = conn_snd_mss(c);
    c->path_mss = (uint16_t)mss;
    mtu_probing_on_path_lowered(c, ctx);
    if (smaller) {
        c->cwnd = (uint32_t)((uint64_t)c->cwnd * conn_snd_mss(c) / before); /* R5681-07 */
        recovery_on_path_change(c);
    }
}
