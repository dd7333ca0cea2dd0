/* Options of scripts: see settings.h. The names and defaults are those of packetdrill's documentation. */
#include "settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TOLERANCE_NS 4000000

void settings_init(struct settings *settings)
{
    *settings = (struct settings){
        .bind_port = 8080,
        .connect_port = 8080,
        .tolerance_ns = DEFAULT_TOLERANCE_NS,
        .mtu = 1500,
    };
    estab_config_init(&settings->config);
    memcpy(settings->config.secret, "estab script 001", sizeof settings->config.secret);
    settings->config.max_connections = 64;
}

/* ------------------------------------------------------------------------------------------------- values */

static bool read_number(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == 0 && *value >= low && *value <= high;
}

static bool read_address(const char *text, struct estab_addr *address)
{
    char copy[64];
    size_t length = strcspn(text, "/"); /* 192.0.2.1/24: the prefix is ours to choose */
    if (length >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = 0;
    *address = (struct estab_addr){0};
    if (strchr(copy, ':') != NULL) {
        return inet_pton(AF_INET6, copy, address->ip) == 1;
    }
    address->ip[10] = address->ip[11] = 0xff;
    return inet_pton(AF_INET, copy, address->ip + 12) == 1;
}

static enum setting_result taken(bool good)
{
    return good ? SETTING_TAKEN : SETTING_BAD;
}

static enum setting_result take_number(const char *text, uint32_t low, uint32_t high, uint32_t *field)
{
    uint64_t number;
    bool good = read_number(text, low, high, &number);
    *field = (uint32_t)number;
    return taken(good);
}

static enum setting_result take_port(const char *text, uint16_t *field)
{
    uint32_t port;
    enum setting_result result = take_number(text, 1, 65535, &port);
    *field = (uint16_t)port;
    return result;
}

/* ---------------------------------------------------------------------------------------------- setters */

static enum setting_result set_ip_version(struct settings *settings, const char *value)
{
    settings->ipv6 = strcmp(value, "ipv6") == 0;
    settings->mapped = strcmp(value, "ipv4-mapped-ipv6") == 0;
    return taken(settings->ipv6 || settings->mapped || strcmp(value, "ipv4") == 0);
}

static enum setting_result set_local(struct settings *settings, const char *value)
{
    settings->local_set = true;
    return taken(read_address(value, &settings->local));
}

static enum setting_result set_remote(struct settings *settings, const char *value)
{
    settings->remote_set = true;
    return taken(read_address(value, &settings->remote));
}

static enum setting_result set_bind_port(struct settings *settings, const char *value)
{
    return take_port(value, &settings->bind_port);
}

static enum setting_result set_connect_port(struct settings *settings, const char *value)
{
    return take_port(value, &settings->connect_port);
}

static enum setting_result set_tolerance(struct settings *settings, const char *value)
{
    uint64_t microseconds;
    bool good = read_number(value, 0, 1000000000, &microseconds);
    settings->tolerance_ns = microseconds * 1000;
    return taken(good);
}

static enum setting_result set_percent(struct settings *settings, const char *value)
{
    char *end;
    settings->tolerance_percent = strtod(value, &end);
    return taken(end != value && *end == 0 && settings->tolerance_percent >= 0 &&
                 settings->tolerance_percent <= 100);
}

static enum setting_result set_mtu(struct settings *settings, const char *value)
{
    return take_number(value, 68, 65535, &settings->mtu);
}

static enum setting_result set_mss(struct settings *settings, const char *value)
{
    return take_number(value, 1, 65535, &settings->mss);
}

static enum setting_result set_tick(struct settings *settings, const char *value)
{
    return take_number(value, 0, 1000000, &settings->ts_tick_us);
}

static enum setting_result set_strict(struct settings *settings, const char *value)
{
    settings->strict_segments = true;
    return taken(*value == 0);
}

static enum setting_result set_scaled(struct settings *settings, const char *value)
{
    settings->echo_scaled = true;
    return taken(*value == 0);
}

static enum setting_result set_anyip(struct settings *settings, const char *value)
{
    settings->anyip = true;
    return taken(*value == 0);
}

static enum setting_result set_non_fatal(struct settings *settings, const char *value)
{
    while (*value != 0) {
        size_t length = strcspn(value, ", ");
        if (length == 6 && memcmp(value, "packet", 6) == 0) {
            settings->non_fatal_packet = true;
        } else if (length == 7 && memcmp(value, "syscall", 7) == 0) {
            settings->non_fatal_call = true;
        } else if (length != 0) {
            return SETTING_BAD;
        }
        value += length;
        value += *value != 0;
    }
    return SETTING_TAKEN;
}

/* The reader has put it in already. */
static enum setting_result set_define(struct settings *settings, const char *value)
{
    (void)settings;
    size_t length = strcspn(value, "=");
    return taken(length != 0 && value[length] == '=');
}

/* -------------------------------------------------------------------------------------------- the table */

struct setting {
    const char *name;
    enum setting_result (*set)(struct settings *settings, const char *value); /* NULL: no meaning here */
    const char *wants;
};

static const struct setting table[] = {
    {"ip_version", set_ip_version, "ipv4, ipv6 or ipv4-mapped-ipv6"},
    {"local_ip", set_local, "an IPv4 or IPv6 address"},
    {"remote_ip", set_remote, "an IPv4 or IPv6 address"},
    {"bind_port", set_bind_port, "a port from 1 to 65535"},
    {"connect_port", set_connect_port, "a port from 1 to 65535"},
    {"tolerance_usecs", set_tolerance, "microseconds from 0 to 1000000000"},
    {"tolerance_percent", set_percent, "a number from 0 to 100"},
    {"mtu", set_mtu, "bytes from 68 to 65535"},
    {"mss", set_mss, "bytes from 1 to 65535"},
    {"strict_segments", set_strict, "no value"},
    {"non_fatal", set_non_fatal, "packet, syscall or both with a comma"},
    {"tcp_ts_ecr_scaled", set_scaled, "no value"},
    {"tcp_ts_tick_usecs", set_tick, "microseconds from 0 to 1000000"},
    {"is_anyip", set_anyip, "no value"},
    {"define", set_define, "NAME=value"},
    {"D", set_define, "NAME=value"},
    {"code_command", NULL, ""},
    {"code_format", NULL, ""},
    {"code_sockopt", NULL, ""},
    {"debug", NULL, ""},
    {"dry_run", NULL, ""},
    {"gateway_ip", NULL, ""},
    {"init_scripts", NULL, ""},
    {"netmask_ip", NULL, ""},
    {"send_omit_free", NULL, ""},
    {"so_filename", NULL, ""},
    {"so_flags", NULL, ""},
    {"speed", NULL, ""},
    {"verbose", NULL, ""},
    {"v", NULL, ""},
    {"wire_client", NULL, ""},
    {"wire_client_dev", NULL, ""},
    {"wire_server", NULL, ""},
    {"wire_server_at", NULL, ""},
    {"wire_server_dev", NULL, ""},
    {"wire_server_ip", NULL, ""},
    {"wire_server_port", NULL, ""},
};

static const struct setting *find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

enum setting_result settings_set(struct settings *settings, const char *name, const char *value)
{
    const struct setting *setting = find(name);
    if (setting == NULL) {
        return SETTING_UNKNOWN;
    }
    return setting->set == NULL ? SETTING_IGNORED : setting->set(settings, value);
}

const char *settings_wants(const char *name)
{
    const struct setting *setting = find(name);
    return setting != NULL ? setting->wants : "";
}

static bool is_ipv4(const struct estab_addr *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(address->ip, mapped, sizeof mapped) == 0;
}

bool settings_finish(struct settings *settings)
{
    if (!settings->local_set) {
        read_address(settings->ipv6 ? "fd3d:fa7b:d17d::2" : "192.168.0.2", &settings->local);
    }
    if (!settings->remote_set) {
        read_address(settings->ipv6 ? "2001:db8::1" : "192.0.2.1", &settings->remote);
    }
    return is_ipv4(&settings->local) != settings->ipv6 && is_ipv4(&settings->remote) != settings->ipv6;
}
