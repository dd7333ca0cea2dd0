/*
 * Events and packets in the language of scripts, on one line: what is expected and what was there then differ
 * only where they differ. What was read prints as what reads the same.
 *
 * It knows nothing of how either came about.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "tools/script/script.h"

/* -------------------------------------------------------------------------------------------------- times */

/* Seconds, with as many decimals as say something. */
static void print_time(FILE *out, int64_t ns)
{
    char digits[16];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%09lld", (long long)(ns % 1000000000));

    while (length > 0 && digits[length - 1] == '0')
        length--;
    fprintf(out, "%lld%s%.*s", (long long)(ns / 1000000000), length > 0 ? "." : "", (int)length, digits);
}

static void print_event_time(FILE *out, const struct event *event)
{
    const char *sign = event->time == TIME_RELATIVE || event->time == TIME_RELATIVE_RANGE ? "+" : "";

    if (event->time == TIME_ANY) {
        fputs("* ", out);
        return;
    }
    fputs(sign, out);
    print_time(out, event->time_ns);
    if (event->time == TIME_ABSOLUTE_RANGE || event->time == TIME_RELATIVE_RANGE) {
        fprintf(out, "~%s", sign);
        print_time(out, event->time_to_ns);
    }
    if (event->kind == EVENT_CALL && event->call.has_end) {
        fputs("...", out);
        print_time(out, event->call.end_ns);
    }
    fputc(' ', out);
}

/* ------------------------------------------------------------------------------------------------ packets */

static void print_ip(FILE *out, const struct packet *packet)
{
    static const char *const ecn[] = {"", "noecn", "ect0", "ect1", "ce", "ect01"};
    const char *before = "[";

    if (packet->ecn != ECN_NOT_SAID) {
        fprintf(out, "%s%s", before, ecn[packet->ecn]);
        before = ", ";
    }
    if (packet->tos >= 0) {
        fprintf(out, "%stos 0x%02x", before, (unsigned)packet->tos);
        before = ", ";
    }
    if (packet->ttl >= 0) {
        fprintf(out, "%sttl %d", before, packet->ttl);
        before = ", ";
    }
    if (packet->flow_label >= 0) {
        fprintf(out, "%sflowlabel 0x%05" PRIx64, before, (uint64_t)packet->flow_label);
        before = ", ";
    }
    if (before[0] == ',')
        fputs("] ", out);
}

static void print_flags(FILE *out, const struct packet *packet)
{
    static const struct {
        uint16_t flag;
        char letter;
    } letters[] = {
        {0x02, 'S'},  {0x01, 'F'}, {0x04, 'R'}, {0x40, 'E'}, {0x80, 'W'},
        {0x100, 'A'}, {0x08, 'P'}, {0x20, 'U'}, {0x10, '.'},
    };

    if (packet->any_flags)
        fputc('*', out);
    else if (packet->flags == 0)
        fputc('-', out);
    for (size_t i = 0; i < sizeof letters / sizeof letters[0] && !packet->any_flags; i++) {
        if (packet->flags & letters[i].flag)
            fputc(letters[i].letter, out);
    }
}

static void print_bytes(FILE *out, const struct tcp_option_text *option)
{
    if (option->length > 0)
        fputc(' ', out);
    for (unsigned i = 0; i < option->length; i++)
        fprintf(out, "%02x", option->bytes[i]);
}

static void print_timestamp(FILE *out, const char *name, bool any, uint32_t value)
{
    if (any)
        fprintf(out, " %s ...", name);
    else
        fprintf(out, " %s %" PRIu32, name, value);
}

/* Accurate ECN's counters, where the bytes are these (RFC 9768 3.2.3); else a kind and its bytes. */
static void print_other(FILE *out, const struct tcp_option_text *option)
{
    static const char *const counters[2][3] = {{"e0b", "ceb", "e1b"}, {"e1b", "ceb", "e0b"}};

    if ((option->number != 172 && option->number != 174) || option->length % 3 != 0 || option->length > 9 ||
        (option->number == 174 && option->length == 0)) {
        fprintf(out, "kind %u", option->number);
        print_bytes(out, option);
        return;
    }
    fputs("ECN", out);
    for (unsigned i = 0; i < option->length; i += 3) {
        const uint8_t *at = option->bytes + i;
        fprintf(out, " %s %u", counters[option->number == 174][i / 3],
                (unsigned)at[0] << 16 | (unsigned)at[1] << 8 | at[2]);
    }
}

static void print_option(FILE *out, const struct tcp_option_text *option)
{
    static const char *const names[] = {
        [SCRIPT_OPTION_END] = "eol",
        [SCRIPT_OPTION_NOP] = "nop",
        [SCRIPT_OPTION_MSS] = "mss",
        [SCRIPT_OPTION_WSCALE] = "wscale",
        [SCRIPT_OPTION_SACK_OK] = "sackOK",
        [SCRIPT_OPTION_SACK] = "sack",
        [SCRIPT_OPTION_TIMESTAMPS] = "TS",
        [SCRIPT_OPTION_FAST_OPEN] = "FO",
        [SCRIPT_OPTION_FAST_OPEN_EXPERIMENT] = "FOEXP",
        [SCRIPT_OPTION_MD5] = "md5",
        [SCRIPT_OPTION_OTHER] = "",
    };

    fputs(names[option->kind], out);
    if (option->kind == SCRIPT_OPTION_MSS || option->kind == SCRIPT_OPTION_WSCALE)
        fprintf(out, " %" PRIu32, option->value);
    for (unsigned i = 0; option->kind == SCRIPT_OPTION_SACK && i < option->blocks; i++)
        fprintf(out, " %" PRIu32 ":%" PRIu32, option->sack[i][0], option->sack[i][1]);
    if (option->kind == SCRIPT_OPTION_TIMESTAMPS) {
        print_timestamp(out, "val", option->any_value, option->value);
        print_timestamp(out, "ecr", option->any_echo, option->echo);
    }
    if (option->kind == SCRIPT_OPTION_OTHER)
        print_other(out, option);
    else
        print_bytes(out, option);
}

static void print_options(FILE *out, const struct packet *packet)
{
    if (packet->any_options)
        fputs(" <...>", out);
    if (packet->any_options || packet->option_count == 0)
        return;
    for (unsigned i = 0; i < packet->option_count; i++) {
        fputs(i == 0 ? " <" : ",", out);
        print_option(out, &packet->options[i]);
    }
    fputc('>', out);
}

static void print_range(FILE *out, const struct packet *packet)
{
    if (packet->any_sequence)
        fprintf(out, "...(%" PRIu32 ")", packet->length);
    else
        fprintf(out, "%" PRIu32 ":%" PRIu32 "(%" PRIu32 ")", packet->seq, packet->seq_end, packet->length);
    if (packet->absolute)
        fputc('!', out);
}

static void print_tcp(FILE *out, const struct packet *packet)
{
    if (packet->source_port != 0 || packet->destination_port != 0)
        fprintf(out, "%d > %d ", packet->source_port, packet->destination_port);
    print_flags(out, packet);
    fputc(' ', out);
    print_range(out, packet);
    if (packet->has_ack)
        fprintf(out, " ack %" PRIu32, packet->ack);
    if (packet->has_window)
        fprintf(out, " win %lld", (long long)packet->window);
    if (packet->has_urgent)
        fprintf(out, " urg %u", packet->urgent);
    print_options(out, packet);
}

static void print_icmp(FILE *out, const struct packet *packet)
{
    fprintf(out, "icmp %s", packet->icmp_type);
    if (packet->icmp_code_name != NULL)
        fprintf(out, " %s", packet->icmp_code_name);
    if (packet->icmp_mtu >= 0)
        fprintf(out, " mtu %lld", (long long)packet->icmp_mtu);
    if (packet->quotes_sequence) {
        fputs(" [", out);
        print_range(out, packet);
        fputc(']', out);
    } else if (packet->quoted_protocol == 17 && packet->source_port != 0) {
        fprintf(out, " [udp %d > %d (%" PRIu32 ")]", packet->source_port, packet->destination_port,
                packet->length);
    } else if (packet->quoted_protocol == 17) {
        fprintf(out, " [udp (%" PRIu32 ")]", packet->length);
    }
}

void script_print_packet(FILE *out, const struct packet *packet)
{
    fputs(packet->inbound ? "< " : "> ", out);
    print_ip(out, packet);
    if (packet->icmp)
        print_icmp(out, packet);
    else
        print_tcp(out, packet);
}

/* -------------------------------------------------------------------------------------------------- calls */

/* Behind what separates words at `text`, white space or a comment; `text` itself if there is none. */
static const char *skip_blank(const char *text)
{
    if (isspace((unsigned char)*text))
        return text + 1;
    if (*text == '#' || (text[0] == '/' && text[1] == '/'))
        return text + strcspn(text, "\n");
    if (text[0] == '/' && text[1] == '*')
        return strstr(text, "*/") + 2;
    return text;
}

/* One line of it: each run of white space and comments as one space, strings as they are. */
static void print_flat(FILE *out, const char *text)
{
    while (*text != '\0') {
        const char *next = skip_blank(text);
        bool blank = next != text;
        while (skip_blank(next) != next)
            next = skip_blank(next);
        if (blank && *next != '\0')
            fputc(' ', out);
        for (bool quoted = false; *next != '\0' && (quoted || skip_blank(next) == next); next++) {
            quoted = *next == '"' ? !quoted : quoted;
            fputc(*next, out);
            if (quoted && *next == '\\' && next[1] != '\0')
                fputc(*++next, out);
        }
        text = next;
    }
}

static void print_call(FILE *out, const struct call *call)
{
    fprintf(out, "%s(", call->name);
    for (const struct expression *argument = call->arguments; argument != NULL; argument = argument->next) {
        print_flat(out, argument->source);
        if (argument->next != NULL)
            fputs(", ", out);
    }
    fputs(") = ", out);
    print_flat(out, call->result.source);
    if (call->error != NULL)
        fprintf(out, " %s", call->error);
    if (call->note != NULL)
        fprintf(out, " (%s)", call->note);
}

void script_print_event(FILE *out, const struct event *event)
{
    if (!event->untimed)
        print_event_time(out, event);
    switch (event->kind) {
    case EVENT_PACKET: script_print_packet(out, &event->packet); break;
    case EVENT_CALL: print_call(out, &event->call); break;
    case EVENT_COMMAND: fprintf(out, "`%s`", event->text); break;
    default: fprintf(out, "%%{%s}%%", event->text); break;
    }
}
