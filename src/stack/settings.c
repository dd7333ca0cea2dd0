/*
 * The config of the API with its defaults filled in and its contradictions found. Every default and every
 * range stands here once.
 */
#include "base/mem.h"
#include "stack/stack.h"

#define MILLISECOND UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)

void estab_config_init(struct estab_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->ipv6 = &estab_ipv6;
    config->ethernet = &estab_ethernet;
    config->cookies = &estab_syn_cookies;
    config->cc[0] = &estab_cc_newreno;
}

static uint64_t time_or(uint64_t value, uint64_t fallback)
{
    return value == 0 ? fallback : value;
}

static uint32_t number_or(uint32_t value, uint32_t fallback)
{
    return value == 0 ? fallback : value;
}

static void fill_times(struct settings *s, const struct estab_config *config)
{
    s->msl_ns = time_or(config->msl_ns, 30 * SECOND);
    s->limits.rtt.min_rto_ns = time_or(config->min_rto_ns, 200 * MILLISECOND);
    s->limits.rtt.max_rto_ns = time_or(config->max_rto_ns, 60 * SECOND);
    s->limits.rtt.initial_rto_ns = time_or(config->initial_rto_ns, 1 * SECOND);
    s->limits.delayed_ack_ns =
        config->delayed_ack_ns == ESTAB_OFF ? 0 : time_or(config->delayed_ack_ns, 40 * MILLISECOND);
    s->limits.syn_timeout_ns = time_or(config->syn_timeout_ns, 180 * SECOND);
    s->limits.fin_wait_2_ns = time_or(config->fin_wait_2_ns, 60 * SECOND);
    s->limits.initial_window = number_or(config->initial_window, 10);
    s->limits.challenge_acks = number_or(config->challenge_acks, 2);
    s->limits.mtu_probing = config->mtu_probing;
    s->user_timeout_ns = time_or(config->user_timeout_ns, 900 * SECOND);
    /* At least that long, by a clock that has just changed at both ends. */
    uint64_t stall_ns = time_or(config->stall_ns, 10 * SECOND);
    s->stall = stall_ns >= ESTAB_INFINITE ? UINT32_MAX : (uint32_t)(stall_ns / CONN_PROGRESS_NS) + 1;
    s->keep_idle_ns = time_or(config->keep_idle_ns, 7200 * SECOND);
    s->keep_interval_ns = time_or(config->keep_interval_ns, 75 * SECOND);
}

static uint32_t clamp(uint64_t value, uint32_t low, uint32_t high)
{
    return value < low ? low : value > high ? high : (uint32_t)value;
}

static void fill_sizes(struct settings *s, const struct estab_config *config, size_t memory)
{
    s->block_size = number_or(config->block_size, 4096);
    s->receive_buffer = number_or(config->receive_buffer, 256 * 1024);
    s->send_buffer = number_or(config->send_buffer, 256 * 1024);
    uint32_t fitting = clamp(memory / 4 / (sizeof(struct conn) + 32), 1, 0x7fffffff);
    s->max_connections = number_or(config->max_connections, fitting);
    s->max_time_wait = number_or(config->max_time_wait, s->max_connections);
    uint32_t share = clamp(memory / 32 / (sizeof(struct half_open) + 12), 8, 8192);
    s->max_half_open = number_or(config->max_half_open, share);
    s->max_neighbours = number_or(config->max_neighbours, 64);
    s->max_orphans = number_or(config->max_orphans, clamp(s->max_connections / 2, 16, UINT32_MAX));
    s->trace_records = config->trace_records;
    /* Room for what one batch of packets may provoke. */
    s->max_replies = clamp(s->max_connections / 128, clamp(s->max_connections, 8, 64), 1024);
    s->bound_heads = clamp(s->max_connections / 32, 4, 4096);
    s->fragment_bytes = memory < 256 * 1024 ? 0 : clamp(memory / 32, 0, 1024 * 1024);
    s->replies_per_second = number_or(config->replies_per_second, 1000);
    s->reply_places = clamp(s->replies_per_second / 8, 4, clamp(s->max_connections / 2, 4, 256));
}

static void fill_rest(struct settings *s, const struct estab_config *config)
{
    memcpy(s->cc, config->cc, sizeof s->cc);
    s->ipv6 = config->ipv6;
    s->ethernet = config->ethernet;
    s->cookies = config->cookies;
    s->port_low = config->port_low == 0 ? 1024 : config->port_low;
    s->port_high = config->port_high == 0 ? 65535 : config->port_high;
    s->keep_count = (uint8_t)number_or(config->keep_count, 9);
    s->hop_limit = config->hop_limit == 0 ? 64 : config->hop_limit;
    s->timestamps = !config->no_timestamps;
    s->window_scale = !config->no_window_scale;
    s->sack = !config->no_sack;
}

/* The first field that is out of range or contradicts another, NULL = none. */
static const char *wrong_field(const struct settings *s, const struct estab_config *config)
{
    const uint64_t longest = UINT64_C(1) << 62;
    if (config->cc[0] == NULL) {
        return "cc[0]";
    }
    if (s->block_size < 256 || s->block_size > 65536 || (s->block_size & (s->block_size - 1)) != 0) {
        return "block_size";
    }
    if (s->max_connections >= HALF_OPEN_ID || s->max_time_wait >= HALF_OPEN_ID) {
        return s->max_connections >= HALF_OPEN_ID ? "max_connections" : "max_time_wait";
    }
    if (s->max_half_open >= HALF_OPEN_ID) {
        return "max_half_open";
    }
    if (s->max_neighbours > 65534) {
        return "max_neighbours";
    }
    if (s->receive_buffer > 1u << 30 || s->send_buffer > 1u << 30) {
        return s->receive_buffer > 1u << 30 ? "receive_buffer" : "send_buffer";
    }
    if (s->limits.rtt.min_rto_ns > s->limits.rtt.max_rto_ns || s->limits.rtt.max_rto_ns > longest) {
        return "min_rto_ns";
    }
    if (s->limits.delayed_ack_ns >= 500 * MILLISECOND) {
        return "delayed_ack_ns"; /* MUST-40 */
    }
    if (s->msl_ns > longest || s->limits.rtt.initial_rto_ns > longest) {
        return s->msl_ns > longest ? "msl_ns" : "initial_rto_ns";
    }
    if (config->stall_ns > 600 * SECOND && config->stall_ns != ESTAB_INFINITE) {
        return "stall_ns";
    }
    if (config->keep_count == 1 || config->keep_count > 255) {
        return "keep_count"; /* MUST-29 */
    }
    if (config->mtu_probing > ESTAB_MTU_PROBING_ALWAYS) {
        return "mtu_probing";
    }
    if (s->limits.initial_window > 1000) {
        return "initial_window";
    }
    return s->port_low > s->port_high ? "port_low" : NULL;
}

int settings_fill(struct settings *settings, const struct estab_config *config, size_t memory,
                  const char **what)
{
    *what = "size";
    if (config->size != sizeof *config) {
        return -ESTAB_EINVAL;
    }
    fill_times(settings, config);
    fill_sizes(settings, config, memory);
    fill_rest(settings, config);
    *what = wrong_field(settings, config);
    return *what == NULL ? 0 : -ESTAB_EINVAL;
}
