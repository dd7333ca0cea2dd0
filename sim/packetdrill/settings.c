/*
 * --so_flags: words between commas. `linux` is the profile of public scripts: of Linux's legal choices those
 * that the core can be told of; the rest (RFC choices such as the IW of 10, the minimum RTO of 200 ms, the
 * delayed ACK of 40 ms and the order of options) are the core's own defaults. The others set one thing each.
 */
#include "sim/packetdrill/adapter.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)
#define MAX_WORD    128

static const char known[] =
    "linux, mtu=, local=, receive_buffer=, send_buffer=, initial_window=, min_rto_ms=, "
    "delayed_ack_ms=, msl_ms=, no_timestamps, no_sack, no_window_scale";

/* ---------------------------------------------------------------------------------------------- numbers */

struct number_row {
    const char *name;
    size_t offset;
    bool wide; /* uint64_t, else uint32_t */
    uint64_t unit, low, high;
};

#define FIELD(name) offsetof(struct adapter_settings, name)

static const struct number_row numbers[] = {
    {"mtu", FIELD(mtu), false, 1, 68, 65535},
    {"receive_buffer", FIELD(config.receive_buffer), false, 1, 1, 1 << 30},
    {"send_buffer", FIELD(config.send_buffer), false, 1, 1, 1 << 30},
    {"initial_window", FIELD(config.initial_window), false, 1, 1, 10},
    {"min_rto_ms", FIELD(config.min_rto_ns), true, MILLISECOND, 1, 60000},
    {"delayed_ack_ms", FIELD(config.delayed_ack_ns), true, MILLISECOND, 1, 499},
    {"msl_ms", FIELD(config.msl_ns), true, MILLISECOND, 1, 120000},
};

static bool set_number(struct adapter_settings *settings, const struct number_row *row, const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value < row->low || value > row->high) {
        return false;
    }
    uint64_t wide = value * row->unit;
    uint32_t narrow = (uint32_t)wide;
    uint8_t *field = (uint8_t *)settings + row->offset;
    memcpy(field, row->wide ? (const void *)&wide : (const void *)&narrow,
           row->wide ? sizeof wide : sizeof narrow);
    return true;
}

/* ------------------------------------------------------------------------------------------------ words */

static void set_linux(struct adapter_settings *settings)
{
    settings->config.receive_buffer = 8 << 20; /* a window scale of 8 */
    settings->config.send_buffer = 4 << 20;
    settings->config.syn_timeout_ns = 127 * SECOND;  /* six retransmissions of a SYN */
    settings->config.user_timeout_ns = 924 * SECOND; /* fifteen of data */
    settings->config.port_low = 32768;
    settings->config.port_high = 60999;
}

static bool add_local(struct adapter_settings *settings, const char *text)
{
    struct estab_addr address = estab_addr_ipv4(0, 0, 0, 0, 0);
    if (settings->local_count == MAX_LOCAL) {
        return false;
    }
    if (inet_pton(AF_INET, text, address.ip + 12) != 1 && inet_pton(AF_INET6, text, address.ip) != 1) {
        return false;
    }
    settings->local[settings->local_count++] = address;
    return true;
}

static bool set_switch(struct adapter_settings *settings, const char *name)
{
    if (strcmp(name, "linux") == 0) {
        set_linux(settings);
    } else if (strcmp(name, "no_timestamps") == 0) {
        settings->config.no_timestamps = true;
    } else if (strcmp(name, "no_sack") == 0) {
        settings->config.no_sack = true;
    } else if (strcmp(name, "no_window_scale") == 0) {
        settings->config.no_window_scale = true;
    } else {
        return false;
    }
    return true;
}

/* One word; what is wrong with it goes to `room`. */
static bool set_word(struct adapter_settings *settings, char *word, char *room, size_t size)
{
    char *value = strchr(word, '=');
    if (value == NULL) {
        bool fine = set_switch(settings, word);
        if (!fine) {
            snprintf(room, size, "--so_flags: `%s` is unknown; there are %s", word, known);
        }
        return fine;
    }
    *value++ = '\0';
    if (strcmp(word, "local") == 0) {
        bool fine = add_local(settings, value);
        if (!fine) {
            snprintf(room, size, "--so_flags: local=%s: an IPv4 or IPv6 address is wanted, at most %d", value,
                     MAX_LOCAL);
        }
        return fine;
    }
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(word, numbers[i].name) == 0) {
            bool fine = set_number(settings, &numbers[i], value);
            if (!fine) {
                snprintf(room, size, "--so_flags: %s=%s: a number from %" PRIu64 " to %" PRIu64 " is wanted",
                         word, value, numbers[i].low, numbers[i].high);
            }
            return fine;
        }
    }
    snprintf(room, size, "--so_flags: `%s=` is unknown; there are %s", word, known);
    return false;
}

const char *settings_read(struct adapter_settings *settings, const char *flags, char *room, size_t size)
{
    static const char separators[] = ", ";
    memset(settings, 0, sizeof *settings);
    estab_config_init(&settings->config);
    memset(settings->config.secret, 0x5a, sizeof settings->config.secret); /* the same result every time */
    settings->config.max_connections = 1024;
    settings->memory = (size_t)64 << 20;
    settings->mtu = 1500;
    for (const char *at = flags != NULL ? flags : ""; *at != '\0';) {
        char word[MAX_WORD];
        size_t length = strcspn(at, separators);
        if (length >= sizeof word) {
            snprintf(room, size, "--so_flags: a word of more than %d bytes", MAX_WORD - 1);
            return room;
        }
        memcpy(word, at, length);
        word[length] = '\0';
        if (length > 0 && !set_word(settings, word, room, size)) {
            return room;
        }
        at += length + strspn(at + length, separators);
    }
    return NULL;
}
