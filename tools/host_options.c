/*
 * --dev, --addr and so on: see host_options.h. What a value may be is said by the drivers, which parse it;
 * here stand only the names.
 */
#include "host_options.h"

#include "tool.h"

#include "drivers/addr.h"

#define SECOND UINT64_C(1000000000)

static const struct option host_table[] = {
    {"dev", 0, OPTION_TEXT, "tun:NAME|tap:NAME", "the device to put the stack on; made if it is not there",
     offsetof(struct host_options, device), 0, 0},
    {"addr", 0, OPTION_TEXT, "ADDR/LEN,...", "addresses of the stack, IPv4 and IPv6",
     offsetof(struct host_options, addresses), 0, 0},
    {"gw", 0, OPTION_TEXT, "ADDR,...", "gateways, one for each family (TAP; a TUN device needs none)",
     offsetof(struct host_options, gateways), 0, 0},
    {"mtu", 0, OPTION_NUMBER, "BYTES", "MTU of the device (default: what it has)",
     offsetof(struct host_options, mtu), 68, 65535},
    {"no-offload", 0, OPTION_FLAG, NULL, "make checksums and cut segments here, not in the kernel",
     offsetof(struct host_options, no_offload), 0, 0},
    {"write", 'w', OPTION_TEXT, "FILE.pcapng",
     "write all packets with state and reason ('-': standard output)", offsetof(struct host_options, capture),
     0, 0},
    {"memory", 0, OPTION_BYTES, "BYTES", "memory of the stack, all that it will ever use (default 64M)",
     offsetof(struct host_options, memory), 65536, 0},
    {"msl", 0, OPTION_SECONDS, "SECONDS", "maximum segment lifetime: TIME-WAIT lasts twice this (default 30)",
     offsetof(struct host_options, config.msl_ns), SECOND / 1000, 3600 * SECOND},
    {"syn-cookies", 0, OPTION_TEXT, "always|overflow|off",
     "SYNs answered by cookie: all, those that the SYN cache has\n"
     "no room for, or none (default overflow)",
     offsetof(struct host_options, syn_cookies), 0, 0},
    {"max-half-open", 0, OPTION_NUMBER, "N", "handshakes in the SYN cache (default: as the memory allows)",
     offsetof(struct host_options, config.max_half_open), 1, 1 << 22},
    {.name = NULL},
};

struct option_group host_options_group(struct host_options *options)
{
    return (struct option_group){"Device", host_table, options};
}

int host_options_open(struct host *host, const struct host_options *options)
{
    char error[512];
    if (options->device == NULL) {
        return tool_usage("--dev is missing: --dev tun:NAME or --dev tap:NAME");
    }
    if (options->addresses == NULL) {
        return tool_usage("--addr is missing: for example --addr 10.9.0.2/24,fd09::2/64");
    }
    int code = host_open(host, options, error, sizeof error);
    if (code != 0) {
        tool_error("%s", error);
        return code;
    }
    host->signals = tool_catch_interrupts();
    return OPTIONS_GO_ON;
}

int host_options_local(const char *flag, const char *text, uint32_t port, struct estab_addr *local)
{
    *local = estab_addr_any(0);
    if (text != NULL && !addr_parse(text, local)) {
        return tool_usage("%s: '%s' is not an IPv4 or IPv6 address", flag, text);
    }
    local->port = (uint16_t)port;
    return OPTIONS_GO_ON;
}
