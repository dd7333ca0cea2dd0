/*
 * The fields of Linux's tcp_info by their names, for assertions in code and for getsockopt(TCP_INFO) with a
 * struct. Knows nothing of a run.
 */
#ifndef TOOLS_SCRIPT_INFO_H
#define TOOLS_SCRIPT_INFO_H

#include <linux/tcp.h>
#include <stdint.h>

/* The name of a field and its value; NULL past the last one. */
const char *info_field(unsigned index, const struct tcp_info *info, uint64_t *value);

/* Names of states and options as code may use them; NULL past the last one. */
const char *info_symbol(unsigned index, uint64_t *value);

#endif
