/*
 * What a socket tells about itself: TCP_INFO and SO_MEMINFO, filled from STATUS (RFC 9293 3.10.6) with
 * Linux's units (microseconds, milliseconds, segments) and state numbers, and the ioctls of sockets and
 * pipes. What the stack does not count stays 0.
 */
#include "sockets_private.h"

#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

#define INFINITE_SSTHRESH 0x7fffffffu
#define INITIAL_CWND      10
#define REORDERING        3

/* Linux's numbers, of <netinet/tcp.h>, which does not go together with <linux/tcp.h>. */
static const uint8_t state_numbers[ESTAB_STATE_COUNT] = {
    [ESTAB_ESTABLISHED] = 1, [ESTAB_SYN_SENT] = 2,  [ESTAB_SYN_RECEIVED] = 3, [ESTAB_FIN_WAIT_1] = 4,
    [ESTAB_FIN_WAIT_2] = 5,  [ESTAB_TIME_WAIT] = 6, [ESTAB_CLOSED] = 7,       [ESTAB_CLOSE_WAIT] = 8,
    [ESTAB_LAST_ACK] = 9,    [ESTAB_LISTEN] = 10,   [ESTAB_CLOSING] = 11,
};

static uint32_t microseconds(uint64_t ns)
{
    uint64_t us = ns / 1000;
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static uint32_t milliseconds_since(uint64_t then, uint64_t now)
{
    return then == 0 || then > now ? 0 : (uint32_t)((now - then) / 1000000);
}

static uint32_t in_segments(uint64_t bytes, uint32_t mss)
{
    return mss == 0 ? 0 : (uint32_t)((bytes + mss - 1) / mss);
}

static void fill_state(struct tcp_info *info, const struct estab_status *status, enum estab_state state)
{
    static const uint8_t ca_state[] = {TCP_CA_Open, TCP_CA_Recovery, TCP_CA_Loss};
    info->tcpi_state = state_numbers[state];
    info->tcpi_ca_state = status->in_recovery < sizeof ca_state ? ca_state[status->in_recovery] : TCP_CA_Open;
    info->tcpi_retransmits = status->retransmits;
    info->tcpi_probes = status->probes;
    info->tcpi_backoff = status->backoff;
    info->tcpi_options =
        (uint8_t)((status->timestamps ? TCPI_OPT_TIMESTAMPS : 0) | (status->sack ? TCPI_OPT_SACK : 0) |
                  (status->window_scale ? TCPI_OPT_WSCALE : 0));
    info->tcpi_snd_wscale = (unsigned)status->snd_wnd_shift & 15u;
    info->tcpi_rcv_wscale = (unsigned)status->rcv_wnd_shift & 15u;
}

static void fill_sizes(struct tcp_info *info, const struct estab_status *status, enum estab_state state)
{
    bool opening = state == ESTAB_SYN_SENT || state == ESTAB_SYN_RECEIVED;
    info->tcpi_snd_mss = status->snd_mss;
    info->tcpi_rcv_mss = status->rcv_mss;
    info->tcpi_advmss = status->advertised_mss;
    info->tcpi_pmtu = status->path_mtu;
    info->tcpi_unacked = opening ? 1 : in_segments(status->bytes_in_flight, status->snd_mss);
    info->tcpi_reordering = REORDERING;
    info->tcpi_snd_cwnd =
        status->cwnd == 0 ? INITIAL_CWND : status->cwnd / (status->snd_mss ? status->snd_mss : 1);
    info->tcpi_snd_ssthresh = status->ssthresh == 0 || status->ssthresh >= INFINITE_SSTHRESH
                                  ? INFINITE_SSTHRESH
                                  : status->ssthresh / (status->snd_mss ? status->snd_mss : 1);
    info->tcpi_rcv_ssthresh = status->rcv_wnd;
    info->tcpi_snd_wnd = status->snd_wnd;
    info->tcpi_notsent_bytes = (uint32_t)status->send_unsent;
    if (state == ESTAB_LISTEN) {
        info->tcpi_unacked = status->accept_waiting;
        info->tcpi_sacked = status->backlog > 0 ? status->backlog - 1 : 0;
    }
}

static void fill_times(struct tcp_info *info, const struct estab_status *status, uint64_t now)
{
    info->tcpi_rto = microseconds(status->rto_ns);
    info->tcpi_rtt = microseconds(status->srtt_ns);
    info->tcpi_rttvar = microseconds(status->rttvar_ns);
    info->tcpi_min_rtt = status->min_rtt_ns == 0 ? UINT32_MAX : microseconds(status->min_rtt_ns);
    info->tcpi_last_data_sent = milliseconds_since(status->last_sent_ns, now);
    info->tcpi_last_data_recv = milliseconds_since(status->last_received_ns, now);
    info->tcpi_last_ack_recv = milliseconds_since(status->last_received_ns, now);
}

static void fill_counts(struct tcp_info *info, const struct estab_status *status)
{
    info->tcpi_total_retrans = (uint32_t)status->segments_retransmitted;
    info->tcpi_bytes_acked = status->bytes_acked;
    info->tcpi_bytes_received = status->bytes_received;
    info->tcpi_bytes_retrans = status->bytes_retransmitted;
    info->tcpi_bytes_sent = status->bytes_sent;
    info->tcpi_bytes_sent += status->bytes_retransmitted; /* Linux counts both */
    info->tcpi_segs_out = (uint32_t)status->segments_sent;
    info->tcpi_segs_in = (uint32_t)status->segments_received;
    info->tcpi_pacing_rate = UINT64_MAX; /* nothing is paced */
    info->tcpi_max_pacing_rate = UINT64_MAX;
}

int info_tcp(struct sockets *s, struct socket *socket, void *value, socklen_t *length)
{
    struct tcp_info info = {0};
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    fill_state(&info, &status, state);
    fill_sizes(&info, &status, state);
    fill_times(&info, &status, s->now);
    fill_counts(&info, &status);
    *length = *length < sizeof info ? *length : (socklen_t)sizeof info;
    memcpy(value, &info, *length);
    return 0;
}

int info_memory(struct sockets *s, struct socket *socket, void *value, socklen_t *length)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    struct estab_status status;
    socket_state(s, socket, &status);
    info[SK_MEMINFO_RMEM_ALLOC] = (uint32_t)(status.receive_queued + status.receive_ahead);
    info[SK_MEMINFO_RCVBUF] = (uint32_t)socket->option[OPTION_RCVBUF];
    info[SK_MEMINFO_SNDBUF] = (uint32_t)socket->option[OPTION_SNDBUF];
    info[SK_MEMINFO_WMEM_QUEUED] = (uint32_t)status.send_queued;
    *length = *length < sizeof info ? *length : (socklen_t)sizeof info;
    memcpy(value, info, *length);
    return 0;
}

/* --------------------------------------------------------------------------------------------- ioctl() */

/* FIONREAD: bytes before the urgent one, where that is not read in line. */
static int bytes_to_read(const struct socket *socket, const struct estab_status *status)
{
    size_t distance = socket_urgent_distance(socket, status);
    bool limited = distance < status->receive_queued && distance > 0 && !socket->option[OPTION_OOBINLINE];
    return limited ? (int)distance : (int)status->receive_queued;
}

/* What was written and not acknowledged, or not sent; a FIN of ours takes a place too. */
static int bytes_to_send(const struct estab_status *status, bool unsent_only)
{
    bool fin = status->state == ESTAB_FIN_WAIT_1 || status->state == ESTAB_CLOSING ||
               status->state == ESTAB_LAST_ACK;
    bool fin_sent = status->snd_nxt - status->snd_una > status->send_queued - status->send_unsent;
    if (unsent_only) {
        return (int)status->send_unsent + (fin && !fin_sent);
    }
    return (int)status->send_queued + fin;
}

static int socket_ioctl(struct sockets *s, const struct socket *socket, unsigned long request, int *argument)
{
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    bool opening = state == ESTAB_SYN_SENT || state == ESTAB_SYN_RECEIVED;
    bool queue = request == SIOCINQ || request == SIOCOUTQ || request == SIOCOUTQNSD;
    if (queue && state == ESTAB_LISTEN) {
        return -EINVAL;
    }
    switch (request) {
    case SIOCINQ: /* FIONREAD is the same number */
        *argument = opening ? 0 : bytes_to_read(socket, &status);
        return 0;
    case SIOCOUTQ: *argument = opening ? 0 : bytes_to_send(&status, false); return 0;
    case SIOCOUTQNSD: *argument = opening ? 0 : bytes_to_send(&status, true); return 0;
    case SIOCATMARK: *argument = socket_urgent_distance(socket, &status) == 0; return 0;
    default: return -ENOTTY;
    }
}

int sockets_ioctl(struct sockets *s, uint64_t now, int fd, unsigned long request, int *argument)
{
    sockets_update(s, now);
    struct file *file = file_of(s, fd);
    if (file == NULL) {
        return -EBADF;
    }
    if (request == FIOCLEX || request == FIONCLEX) {
        s->descriptors[fd].close_on_exec = request == FIOCLEX;
        return 0;
    }
    if (argument == NULL) {
        return -EFAULT;
    }
    if (request == FIONBIO) {
        file->flags = (file->flags & ~O_NONBLOCK) | (*argument != 0 ? O_NONBLOCK : 0);
        return 0;
    }
    if (file->kind == FILE_SOCKET) {
        return socket_ioctl(s, &file->socket, request, argument);
    }
    if (file->kind == FILE_EPOLL || request != FIONREAD) {
        return -ENOTTY;
    }
    *argument = (int)file->pipe->length;
    return 0;
}
