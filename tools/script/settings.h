/*
 * What a script and the command line set before the first event: addresses, ports, tolerances, and the
 * stack's config as far as a script's shell commands change it. The options are those of packetdrill, in the
 * first lines of a script or on the command line, which wins. Knows nothing of events.
 */
#ifndef TOOLS_SCRIPT_SETTINGS_H
#define TOOLS_SCRIPT_SETTINGS_H

#include "estab/estab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
    bool ipv6;   /* on the wire */
    bool mapped; /* --ip_version=ipv4-mapped-ipv6: sockets are of AF_INET6, packets IPv4 */
    struct estab_addr local, remote;
    bool local_set, remote_set;
    uint16_t bind_port, connect_port;
    uint64_t tolerance_ns;
    double tolerance_percent; /* of the time since the event before, where that is more */
    uint32_t mtu;
    uint32_t mss; /* inbound text above it comes merged; 0 = not */
    bool strict_segments;
    bool non_fatal_packet, non_fatal_call;
    bool anyip;
    bool echo_scaled;    /* --tcp_ts_ecr_scaled */
    uint32_t ts_tick_us; /* --tcp_ts_tick_usecs: 0 = TSval is not compared */
    struct estab_config config;
};

enum setting_result {
    SETTING_TAKEN,
    SETTING_IGNORED, /* an option of packetdrill that has no meaning here */
    SETTING_UNKNOWN, /* no option of packetdrill's */
    SETTING_BAD      /* its value cannot be */
};

void settings_init(struct settings *settings);

/* One option without its dashes. The strings must outlive the settings. */
enum setting_result settings_set(struct settings *settings, const char *name, const char *value);

/* What a value of the option must look like: for the line of SETTING_BAD. */
const char *settings_wants(const char *name);

/* Fills in what depends on other options: addresses by family. False: an address is of the other family. */
bool settings_finish(struct settings *settings);

#endif
