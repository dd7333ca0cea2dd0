/*
 * The shell commands of a script. None is ever executed: where one sets something that our config has too (a
 * sysctl of Linux or FreeBSD, an initial window or MTU of `ip`), that is set before the stack is made; the
 * rest is passed over with a note. A command behind the first packet or call comes too late and is passed
 * over too.
 */
#include "run.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

/* What `value` means for one field of the config. */
enum meaning {
    OFF_IF_ZERO, /* a bool `no_...` */
    SECONDS,
    MILLISECONDS,
    MICROSECONDS,
    COUNT,         /* uint32_t */
    OCTET,         /* uint8_t */
    LAST_OF_THREE, /* min, default, max: the largest, uint32_t */
    SYN_RETRIES,   /* into a time */
    DATA_RETRIES,
    MTU_PROBING, /* Linux's 0, 1, 2: off, black holes, always */
    PORTS,       /* low and high */
    NOTHING      /* known, and the same as we do it anyway */
};

struct knob {
    const char *name;
    enum meaning meaning;
    size_t offset;
};

#define CONFIG(field) offsetof(struct estab_config, field)

static const struct knob knobs[] = {
    {"net.ipv4.tcp_timestamps", OFF_IF_ZERO, CONFIG(no_timestamps)},
    {"net.ipv4.tcp_sack", OFF_IF_ZERO, CONFIG(no_sack)},
    {"net.ipv4.tcp_window_scaling", OFF_IF_ZERO, CONFIG(no_window_scale)},
    {"net.ipv4.tcp_rmem", LAST_OF_THREE, CONFIG(receive_buffer)},
    {"net.ipv4.tcp_wmem", LAST_OF_THREE, CONFIG(send_buffer)},
    {"net.ipv4.tcp_syn_retries", SYN_RETRIES, CONFIG(syn_timeout_ns)},
    {"net.ipv4.tcp_synack_retries", SYN_RETRIES, CONFIG(syn_timeout_ns)},
    {"net.ipv4.tcp_retries2", DATA_RETRIES, CONFIG(user_timeout_ns)},
    {"net.ipv4.tcp_mtu_probing", MTU_PROBING, CONFIG(mtu_probing)},
    {"net.ipv4.tcp_keepalive_time", SECONDS, CONFIG(keep_idle_ns)},
    {"net.ipv4.tcp_keepalive_intvl", SECONDS, CONFIG(keep_interval_ns)},
    {"net.ipv4.tcp_keepalive_probes", COUNT, CONFIG(keep_count)},
    {"net.ipv4.tcp_fin_timeout", SECONDS, CONFIG(fin_wait_2_ns)},
    {"net.ipv4.tcp_rto_min_us", MICROSECONDS, CONFIG(min_rto_ns)},
    {"net.ipv4.tcp_rto_max_ms", MILLISECONDS, CONFIG(max_rto_ns)},
    {"net.ipv4.ip_local_port_range", PORTS, 0},
    {"net.ipv4.ip_default_ttl", OCTET, CONFIG(hop_limit)},
    {"net.ipv4.tcp_no_metrics_save", NOTHING, 0},
    {"net.ipv4.tcp_rfc1337", NOTHING, 0},
    {"net.inet.tcp.rfc1323", OFF_IF_ZERO, CONFIG(no_timestamps)},
    {"net.inet.tcp.sack.enable", OFF_IF_ZERO, CONFIG(no_sack)},
    {"net.inet.tcp.msl", MILLISECONDS, CONFIG(msl_ns)},
    {"net.inet.tcp.keepidle", MILLISECONDS, CONFIG(keep_idle_ns)},
    {"net.inet.tcp.keepintvl", MILLISECONDS, CONFIG(keep_interval_ns)},
    {"net.inet.tcp.keepcnt", COUNT, CONFIG(keep_count)},
    {"net.inet.tcp.finwait2_timeout", MILLISECONDS, CONFIG(fin_wait_2_ns)},
    {"net.inet.tcp.rexmit_min", MILLISECONDS, CONFIG(min_rto_ns)},
    {"net.inet.tcp.rexmit_initial", MILLISECONDS, CONFIG(initial_rto_ns)},
    {"net.inet.tcp.delacktime", MILLISECONDS, CONFIG(delayed_ack_ns)},
    {"net.inet.tcp.initcwnd_segments", COUNT, CONFIG(initial_window)},
    {"net.inet.tcp.path_mtu_discovery", NOTHING, 0},
};

/* ------------------------------------------------------------------------------------------------ knobs */

/* The sum of `retries` + 1 timeouts that double from `first` up to `most`. */
static uint64_t retried(uint64_t first, uint64_t most, uint64_t retries)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i <= retries && i < 64; i++) {
        sum += first;
        first = first * 2 < most ? first * 2 : most;
    }
    return sum;
}

/* Numbers of a value, "4096 87380 6291456"; returns how many. */
static unsigned read_values(const char *text, uint64_t values[3])
{
    unsigned count = 0;
    while (count < 3) {
        char *end;
        text += strspn(text, " \t,'\"");
        if (!isdigit((unsigned char)*text)) {
            return count;
        }
        values[count++] = strtoull(text, &end, 10);
        text = end;
    }
    return count;
}

static void put_time(void *field, uint64_t value, uint64_t unit)
{
    *(uint64_t *)field = value == 0 ? 1 : value * unit;
}

static bool set_knob(struct estab_config *config, const struct knob *knob, const char *text)
{
    uint64_t values[3] = {0};
    unsigned count = read_values(text, values);
    void *field = (char *)config + knob->offset;
    if (count == 0) {
        return false;
    }
    switch (knob->meaning) {
    case OFF_IF_ZERO: *(bool *)field = values[0] == 0; break;
    case SECONDS: put_time(field, values[0], SECOND); break;
    case MILLISECONDS: put_time(field, values[0], SECOND / 1000); break;
    case MICROSECONDS: put_time(field, values[0], 1000); break;
    case COUNT: *(uint32_t *)field = (uint32_t)values[0]; break;
    case OCTET: *(uint8_t *)field = (uint8_t)values[0]; break;
    case LAST_OF_THREE:
        values[0] = values[count - 1];
        *(uint32_t *)field = values[0] > 1U << 24 ? 1U << 24 : (uint32_t)values[0];
        break;
    case SYN_RETRIES: *(uint64_t *)field = retried(SECOND, 60 * SECOND, values[0]); break;
    case DATA_RETRIES: *(uint64_t *)field = retried(SECOND / 5, 60 * SECOND, values[0]); break;
    case MTU_PROBING:
        *(uint8_t *)field = values[0] == 0   ? ESTAB_MTU_PROBING_OFF
                            : values[0] == 1 ? ESTAB_MTU_PROBING_DEFAULT
                                             : ESTAB_MTU_PROBING_ALWAYS;
        break;
    case PORTS:
        config->port_low = (uint16_t)values[0];
        config->port_high = (uint16_t)(count > 1 ? values[1] : values[0]);
        break;
    case NOTHING: break;
    }
    return true;
}

/* net/ipv4/x and net.ipv4.x are one name. */
static bool same_name(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i] && !(a[i] == '/' && b[i] == '.')) {
            return false;
        }
    }
    return b[length] == 0;
}

static bool set_named(struct estab_config *config, const char *name, size_t length, const char *value)
{
    for (size_t i = 0; i < sizeof knobs / sizeof knobs[0]; i++) {
        if (same_name(name, knobs[i].name, length)) {
            return set_knob(config, &knobs[i], value);
        }
    }
    return false;
}

/* ---------------------------------------------------------------------------------------- one command */

/* The next word of a command, its quotes taken off; false at the end. */
static bool next_word(const char **at, char *word, size_t size)
{
    size_t used = 0;
    char quote = 0;
    *at += strspn(*at, " \t");
    if (**at == 0) {
        return false;
    }
    for (; **at != 0 && (quote != 0 || (**at != ' ' && **at != '\t')); (*at)++) {
        if (**at == quote) {
            quote = 0;
        } else if (quote == 0 && (**at == '\'' || **at == '"')) {
            quote = **at;
        } else if (used + 1 < size) {
            word[used++] = **at;
        }
    }
    word[used] = 0;
    return true;
}

static const char tree[] = "/proc/sys/";

/* sysctl -q net.ipv4.tcp_sack=0, set_sysctls.py /proc/sys/net/ipv4/tcp_rmem="4096 131072 6291456" */
static bool run_sysctl(struct run *run, const char *at)
{
    char word[256];
    bool all = true;
    bool any = false;
    while (next_word(&at, word, sizeof word)) {
        size_t length = strcspn(word, "=");
        if (word[0] == '-' || strcmp(word, "=") == 0) {
            continue;
        }
        any = true;
        size_t skip = strncmp(word, tree, sizeof tree - 1) == 0 ? sizeof tree - 1 : 0;
        all = word[length] == '=' &&
              set_named(&run->settings.config, word + skip, length - skip, word + length + 1) && all;
    }
    return any && all;
}

/* echo 0 > /proc/sys/net/ipv4/tcp_sack */
static bool run_echo(struct run *run, const char *at)
{
    const char *name = strstr(at, tree);
    char value[128];
    size_t length = strcspn(at, ">");
    if (name == NULL || at[length] != '>' || length >= sizeof value) {
        return false;
    }
    memcpy(value, at, length);
    value[length] = 0;
    name += sizeof tree - 1;
    return set_named(&run->settings.config, name, strcspn(name, " \t\"'"), value);
}

/* ip route change ... initcwnd 3, ip link set dev tun0 mtu 1200, ifconfig tun0 mtu 1200 */
static bool run_ip(struct run *run, const char *at)
{
    char word[256];
    bool any = false;
    while (next_word(&at, word, sizeof word)) {
        char value[64];
        const char *ahead = at;
        if (!next_word(&ahead, value, sizeof value)) {
            return any;
        }
        if (strcmp(word, "mtu") == 0 && strcmp(value, "lock") == 0) {
            next_word(&ahead, value, sizeof value);
        }
        unsigned long number = strtoul(value, NULL, 10);
        if (strcmp(word, "initcwnd") == 0 && number != 0) {
            run->settings.config.initial_window = (uint32_t)number;
            any = true;
        } else if (strcmp(word, "mtu") == 0 && number >= 68 && number <= 65535) {
            run->settings.mtu = (uint32_t)number;
            any = true;
        } else if (strcmp(word, "rto_min") == 0 && number != 0) {
            bool seconds = value[strlen(value) - 1] == 's' && strstr(value, "ms") == NULL;
            run->settings.config.min_rto_ns = number * (seconds ? SECOND : SECOND / 1000);
            any = true;
        }
    }
    return any;
}

static bool run_one(struct run *run, const char *command)
{
    char word[128];
    const char *at = command;
    if (!next_word(&at, word, sizeof word)) {
        return true;
    }
    const char *slash = strrchr(word, '/');
    const char *name = slash != NULL ? slash + 1 : word;
    if (strcmp(name, "true") == 0 || strcmp(name, ":") == 0 || name[0] == '#' || strcmp(name, "sleep") == 0) {
        return true;
    }
    if (strcmp(name, "sysctl") == 0 || strcmp(name, "set_sysctls.py") == 0) {
        return run_sysctl(run, at);
    }
    if (strcmp(name, "echo") == 0) {
        return run_echo(run, at);
    }
    if (strcmp(name, "ip") == 0 || strcmp(name, "ifconfig") == 0) {
        return run_ip(run, at);
    }
    return false;
}

/* Where a command ends: a newline that is not escaped, `;` or `&&`, none of them inside quotes. */
static const char *command_end(const char *at)
{
    char quote = 0;
    for (; *at != 0; at++) {
        if (*at == '\\' && at[1] != 0) {
            at++;
        } else if (*at == quote) {
            quote = 0;
        } else if (quote == 0 && (*at == '\'' || *at == '"')) {
            quote = *at;
        } else if (quote == 0 && (*at == '\n' || *at == ';' || (at[0] == '&' && at[1] == '&'))) {
            return at;
        }
    }
    return at;
}

static void take(struct run *run, const struct event *event)
{
    char command[1024];
    for (const char *at = event->text; *at != 0;) {
        const char *end = command_end(at);
        size_t used = 0;
        for (; at < end; at++) {
            bool joined = at[0] == '\\' && at[1] == '\n';
            if (used + 1 < sizeof command) {
                command[used++] = joined ? ' ' : *at;
            }
            at += joined;
        }
        command[used] = 0;
        at += strspn(at, "\n;&");
        bool set = run_one(run, command);
        const char *text = command + strspn(command, " \t");
        run->outcome->commands += set;
        run->outcome->skipped += !set;
        if (!set) {
            run_note(run, event->place.line, "command passed over: %s", text);
        }
    }
}

void commands_read(struct run *run)
{
    for (const struct event *event = run->script->events; event != NULL && event->kind == EVENT_COMMAND;
         event = event->next) {
        take(run, event);
    }
}

void commands_run(struct run *run)
{
    bool first = true;
    for (const struct event *event = run->script->events; event != run->event && first; event = event->next) {
        first = event->kind == EVENT_COMMAND;
    }
    if (!first && strncmp(run->event->text, "true", 4) != 0) {
        run->outcome->skipped++;
        run_note(run, run->event->place.line, "command passed over, the stack runs already: %s",
                 run->event->text);
    }
}
