/* The fields of Linux's tcp_info by their names: see info.h. The fields are those of the kernel's header. */
#include "info.h"

#include <stddef.h>
#include <string.h>

struct field {
    const char *name;
    size_t offset, size;
};

#define FIELD(name)                                                                  \
    {                                                                                \
#name, offsetof(struct tcp_info, name), sizeof(((struct tcp_info *)0)->name) \
    }

static const struct field fields[] = {
    FIELD(tcpi_state),         FIELD(tcpi_ca_state),
    FIELD(tcpi_retransmits),   FIELD(tcpi_probes),
    FIELD(tcpi_backoff),       FIELD(tcpi_options),
    FIELD(tcpi_rto),           FIELD(tcpi_ato),
    FIELD(tcpi_snd_mss),       FIELD(tcpi_rcv_mss),
    FIELD(tcpi_unacked),       FIELD(tcpi_sacked),
    FIELD(tcpi_lost),          FIELD(tcpi_retrans),
    FIELD(tcpi_fackets),       FIELD(tcpi_last_data_sent),
    FIELD(tcpi_last_ack_sent), FIELD(tcpi_last_data_recv),
    FIELD(tcpi_last_ack_recv), FIELD(tcpi_pmtu),
    FIELD(tcpi_rcv_ssthresh),  FIELD(tcpi_rtt),
    FIELD(tcpi_rttvar),        FIELD(tcpi_snd_ssthresh),
    FIELD(tcpi_snd_cwnd),      FIELD(tcpi_advmss),
    FIELD(tcpi_reordering),    FIELD(tcpi_rcv_rtt),
    FIELD(tcpi_rcv_space),     FIELD(tcpi_total_retrans),
    FIELD(tcpi_pacing_rate),   FIELD(tcpi_max_pacing_rate),
    FIELD(tcpi_bytes_acked),   FIELD(tcpi_bytes_received),
    FIELD(tcpi_segs_out),      FIELD(tcpi_segs_in),
    FIELD(tcpi_notsent_bytes), FIELD(tcpi_min_rtt),
    FIELD(tcpi_data_segs_in),  FIELD(tcpi_data_segs_out),
    FIELD(tcpi_delivery_rate), FIELD(tcpi_busy_time),
    FIELD(tcpi_rwnd_limited),  FIELD(tcpi_sndbuf_limited),
    FIELD(tcpi_delivered),     FIELD(tcpi_delivered_ce),
    FIELD(tcpi_bytes_sent),    FIELD(tcpi_bytes_retrans),
    FIELD(tcpi_dsack_dups),    FIELD(tcpi_reord_seen),
    FIELD(tcpi_rcv_ooopack),   FIELD(tcpi_snd_wnd),
};

#define FIELDS (sizeof fields / sizeof fields[0])

/* Fields of bits have no offset. */
static const char *bit_field(unsigned index, const struct tcp_info *info, uint64_t *value)
{
    switch (index) {
    case 0: *value = info->tcpi_snd_wscale; return "tcpi_snd_wscale";
    case 1: *value = info->tcpi_rcv_wscale; return "tcpi_rcv_wscale";
    case 2: *value = info->tcpi_delivery_rate_app_limited; return "tcpi_delivery_rate_app_limited";
    case 3: *value = info->tcpi_fastopen_client_fail; return "tcpi_fastopen_client_fail";
    default: return NULL;
    }
}

const char *info_field(unsigned index, const struct tcp_info *info, uint64_t *value)
{
    if (index >= FIELDS) {
        return bit_field(index - (unsigned)FIELDS, info, value);
    }
    const uint8_t *at = (const uint8_t *)info + fields[index].offset;
    uint32_t word;
    switch (fields[index].size) {
    case 1: *value = *at; break;
    case 4:
        memcpy(&word, at, sizeof word);
        *value = word;
        break;
    default: memcpy(value, at, sizeof *value); break;
    }
    return fields[index].name;
}

const char *info_symbol(unsigned index, uint64_t *value)
{
    static const struct {
        const char *name;
        uint64_t value;
    } symbols[] = {
        {"TCP_ESTABLISHED", 1},
        {"TCP_SYN_SENT", 2},
        {"TCP_SYN_RECV", 3},
        {"TCP_FIN_WAIT1", 4},
        {"TCP_FIN_WAIT2", 5},
        {"TCP_TIME_WAIT", 6},
        {"TCP_CLOSE", 7},
        {"TCP_CLOSE_WAIT", 8},
        {"TCP_LAST_ACK", 9},
        {"TCP_LISTEN", 10},
        {"TCP_CLOSING", 11},
        {"TCP_CA_Open", TCP_CA_Open},
        {"TCP_CA_Disorder", TCP_CA_Disorder},
        {"TCP_CA_CWR", TCP_CA_CWR},
        {"TCP_CA_Recovery", TCP_CA_Recovery},
        {"TCP_CA_Loss", TCP_CA_Loss},
        {"TCPI_OPT_TIMESTAMPS", TCPI_OPT_TIMESTAMPS},
        {"TCPI_OPT_SACK", TCPI_OPT_SACK},
        {"TCPI_OPT_WSCALE", TCPI_OPT_WSCALE},
        {"TCPI_OPT_ECN", TCPI_OPT_ECN},
        {"TCPI_OPT_ECN_SEEN", TCPI_OPT_ECN_SEEN},
        {"TCPI_OPT_SYN_DATA", TCPI_OPT_SYN_DATA},
    };
    if (index >= sizeof symbols / sizeof symbols[0]) {
        return NULL;
    }
    *value = symbols[index].value;
    return symbols[index].name;
}
