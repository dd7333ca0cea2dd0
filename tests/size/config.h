/*
 * The configuration that `make size` measures: an IPv4 device without Ethernet, with a listener and two
 * connections in 16 KiB. It is filled by hand, as firmware does: what it does not name (IPv6, Ethernet, the
 * other congestion controls) is not linked.
 */
#ifndef SIZE_CONFIG_H
#define SIZE_CONFIG_H

#include "estab/estab.h"

enum { SIZE_MEMORY = 16384, SIZE_MTU = 576 };

static inline struct estab_config size_config(const uint8_t secret[16])
{
    struct estab_config config = {
        .size = sizeof(config),
        .cc = {&estab_cc_newreno},
        .max_connections = 3, /* the listener is one */
        .max_time_wait = 4,
        .max_neighbours = 1,
        .block_size = 512,
        .receive_buffer = 2048,
        .send_buffer = 2048,
        .no_window_scale = true,
    };
    for (unsigned i = 0; i < sizeof(config.secret); i++)
        config.secret[i] = secret[i];
    return config;
}

#endif
