/*
 * The options of every sub-command that puts a host on a device: --dev, --addr and so on, as one table over
 * struct host_options, and the opening of that host.
 */
#ifndef ESTAB_TOOLS_HOST_OPTIONS_H
#define ESTAB_TOOLS_HOST_OPTIONS_H

#include "options.h"

#include "drivers/host.h"

/* A group "Device" whose target is `options` (host_options_init() first). */
struct option_group host_options_group(struct host_options *options);

/*
 * Opens the host; its waiting ends on SIGINT and SIGTERM (tool_interrupted()). OPTIONS_GO_ON, or the exit
 * code after a line was printed.
 */
int host_options_open(struct host *host, const struct host_options *options);

/*
 * The local end that `text` names (an address, or NULL for any) with `port`. OPTIONS_GO_ON, or the exit code
 * after a line was printed that names `flag`.
 */
int host_options_local(const char *flag, const char *text, uint32_t port, struct estab_addr *local);

#endif
