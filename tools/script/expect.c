/* An expected packet against the one that came: see expect.h. */
#include "expect.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 0x10, URG = 0x20, CWR = 0x80 };

struct differences {
    FILE *lines;
    char *names;
    size_t size;
    unsigned count;
};

__attribute__((format(printf, 3, 4))) static void differ(struct differences *d, const char *field,
                                                         const char *format, ...)
{
    va_list arguments;
    size_t used = strlen(d->names);
    if (strstr(d->names, field) == NULL) {
        snprintf(d->names + used, d->size - used, "%s%s", used == 0 ? "" : ", ", field);
    }
    d->count++;
    fprintf(d->lines, "%s: ", field);
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    vfprintf(d->lines, format, arguments);
    va_end(arguments);
    fputc('\n', d->lines);
}

static void compare(struct differences *d, const char *field, int64_t expected, int64_t actual)
{
    if (expected != actual) {
        differ(d, field, "expected %" PRId64 ", got %" PRId64, expected, actual);
    }
}

static void flags_text(unsigned flags, char text[16])
{
    static const char letters[] = "FSRP.UEWA";
    char *at = text;
    for (unsigned bit = 0; bit < 9; bit++) {
        if ((flags >> bit & 1) != 0) {
            *at++ = letters[bit];
        }
    }
    if (at == text) {
        *at++ = '-';
    }
    *at = 0;
}

/* ------------------------------------------------------------------------------------------------ options */

static const char *option_name(const struct tcp_option_text *option, char text[24])
{
    static const char *const names[] = {
        [SCRIPT_OPTION_END] = "eol",        [SCRIPT_OPTION_NOP] = "nop",
        [SCRIPT_OPTION_MSS] = "mss",        [SCRIPT_OPTION_WSCALE] = "wscale",
        [SCRIPT_OPTION_SACK_OK] = "sackOK", [SCRIPT_OPTION_SACK] = "sack",
        [SCRIPT_OPTION_TIMESTAMPS] = "TS",  [SCRIPT_OPTION_FAST_OPEN] = "FO",
        [SCRIPT_OPTION_MD5] = "md5",        [SCRIPT_OPTION_FAST_OPEN_EXPERIMENT] = "FOEXP",
    };
    if (option->kind != SCRIPT_OPTION_OTHER) {
        return names[option->kind];
    }
    snprintf(text, 24, "kind %u", option->number);
    return text;
}

static void compare_sack(struct differences *d, const struct tcp_option_text *expected,
                         const struct tcp_option_text *actual)
{
    compare(d, "blocks of sack", expected->blocks, actual->blocks);
    for (unsigned i = 0; i < expected->blocks && i < actual->blocks; i++) {
        if (expected->sack[i][0] != actual->sack[i][0] || expected->sack[i][1] != actual->sack[i][1]) {
            differ(d, "sack", "block %u: expected %u:%u, got %u:%u", i + 1, expected->sack[i][0],
                   expected->sack[i][1], actual->sack[i][0], actual->sack[i][1]);
        }
    }
}

static void compare_stamps(struct differences *d, const struct expectation *e,
                           const struct tcp_option_text *expected, const struct tcp_option_text *actual)
{
    int64_t apart = (int32_t)(actual->value - expected->value);
    uint64_t apart_ns = (uint64_t)(apart < 0 ? -apart : apart) * e->tick_ns;
    if (!expected->any_value && e->tick_ns != 0 && apart_ns > e->tolerance_ns) {
        compare(d, "TS val", expected->value, actual->value);
    }
    if (!expected->any_echo) {
        compare(d, "TS ecr", expected->echo, actual->echo);
    }
}

static void compare_bytes(struct differences *d, const char *name, const struct tcp_option_text *expected,
                          const struct tcp_option_text *actual)
{
    if (expected->length != actual->length || memcmp(expected->bytes, actual->bytes, actual->length) != 0) {
        differ(d, name, "expected other bytes (%u, got %u)", expected->length, actual->length);
    }
}

static void compare_option(struct differences *d, const struct expectation *e,
                           const struct tcp_option_text *expected, const struct tcp_option_text *actual)
{
    char text[24];
    const char *name = option_name(expected, text);
    switch (expected->kind) {
    case SCRIPT_OPTION_END:
    case SCRIPT_OPTION_NOP:
    case SCRIPT_OPTION_SACK_OK: return;
    case SCRIPT_OPTION_MSS:
    case SCRIPT_OPTION_WSCALE:
        if (!expected->any_value) {
            compare(d, name, expected->value, actual->value);
        }
        return;
    case SCRIPT_OPTION_SACK: compare_sack(d, expected, actual); return;
    case SCRIPT_OPTION_TIMESTAMPS: compare_stamps(d, e, expected, actual); return;
    case SCRIPT_OPTION_FAST_OPEN:
    case SCRIPT_OPTION_FAST_OPEN_EXPERIMENT:
    case SCRIPT_OPTION_MD5:
    case SCRIPT_OPTION_OTHER: compare_bytes(d, name, expected, actual); return;
    }
}

static void list_options(FILE *out, const struct packet *packet)
{
    char text[24];
    for (unsigned i = 0; i < packet->option_count; i++) {
        fprintf(out, "%s%s", i == 0 ? "<" : ",", option_name(&packet->options[i], text));
    }
    fputs(packet->option_count == 0 ? "none" : ">", out);
}

static bool same_kinds(const struct packet *a, const struct packet *b)
{
    bool same = a->option_count == b->option_count;
    for (unsigned i = 0; same && i < a->option_count; i++) {
        const struct tcp_option_text *x = &a->options[i];
        const struct tcp_option_text *y = &b->options[i];
        same = x->kind == y->kind && (x->kind != SCRIPT_OPTION_OTHER || x->number == y->number);
    }
    return same;
}

static void compare_options(struct differences *d, const struct expectation *e)
{
    if (e->expected->any_options) {
        return;
    }
    if (!same_kinds(e->expected, e->actual)) {
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        if (out == NULL) {
            return;
        }
        fputs("expected ", out);
        list_options(out, e->expected);
        fputs(", got ", out);
        list_options(out, e->actual);
        fclose(out);
        differ(d, "options", "%s", text);
        free(text);
        return;
    }
    for (unsigned i = 0; i < e->expected->option_count; i++) {
        compare_option(d, e, &e->expected->options[i], &e->actual->options[i]);
    }
}

/* ------------------------------------------------------------------------------------------------- header */

static void compare_ip(struct differences *d, const struct packet *expected, const struct packet *actual)
{
    static const char *const names[] = {"any", "noecn", "ect0", "ect1", "ce", "ect01"};
    if (expected->tos >= 0) {
        compare(d, "tos", expected->tos, actual->tos);
    } else if (expected->ecn == ECN_ECT01 && (actual->ecn == ECN_ECT0 || actual->ecn == ECN_ECT1)) {
        return;
    } else if (expected->ecn != ECN_NOT_SAID && expected->ecn != actual->ecn) {
        differ(d, "ecn", "expected %s, got %s", names[expected->ecn], names[actual->ecn]);
    }
    if (expected->ttl >= 0) {
        compare(d, "ttl", expected->ttl, actual->ttl);
    }
}

static void compare_ports(struct differences *d, const struct packet *expected, const struct packet *actual)
{
    if (expected->source_port != 0) {
        compare(d, "source port", expected->source_port, actual->source_port);
    }
    if (expected->destination_port != 0) {
        compare(d, "destination port", expected->destination_port, actual->destination_port);
    }
}

static void compare_tcp(struct differences *d, const struct expectation *e)
{
    const struct packet *expected = e->expected;
    const struct packet *actual = e->actual;
    if (!expected->any_flags && expected->flags != actual->flags) {
        char want[16];
        char got[16];
        flags_text(expected->flags, want);
        flags_text(actual->flags, got);
        differ(d, "flags", "expected %s, got %s", want, got);
    }
    if (!expected->any_sequence) {
        compare(d, "seq", expected->seq, actual->seq);
    }
    compare(d, "length", expected->length, actual->length);
    if (expected->has_ack && actual->has_ack) {
        compare(d, "ack", expected->ack, actual->ack);
    }
    if (expected->has_window) {
        compare(d, "win", expected->window, actual->window);
    }
    compare(d, "urgent pointer", expected->urgent, actual->urgent);
    compare_ports(d, expected, actual);
    compare_options(d, e);
    if (e->not_zero >= 0) {
        differ(d, "text", "expected zeros, got another byte at %" PRId64, e->not_zero);
    }
}

static void compare_icmp(struct differences *d, const struct expectation *e)
{
    compare(d, "icmp type", e->expected->icmp_number, e->actual->icmp_number);
    compare(d, "icmp code", e->expected->icmp_code, e->actual->icmp_code);
    if (e->expected->icmp_mtu >= 0) {
        compare(d, "mtu", e->expected->icmp_mtu, e->actual->icmp_mtu);
    }
}

unsigned expect_compare(const struct expectation *e, FILE *lines, char *names, size_t size)
{
    struct differences d = {lines, names, size, 0};
    names[0] = 0;
    if (e->expected->icmp != e->actual->icmp) {
        differ(&d, "protocol", "expected %s, got %s", e->expected->icmp ? "ICMP" : "TCP",
               e->actual->icmp ? "ICMP" : "TCP");
        return d.count;
    }
    compare_ip(&d, e->expected, e->actual);
    if (e->expected->icmp) {
        compare_icmp(&d, e);
    } else {
        compare_tcp(&d, e);
    }
    return d.count;
}

/* ---------------------------------------------------------------------------------------- merged segments */

bool expect_continues(const struct packet *first, const struct packet *last, const struct packet *next)
{
    const unsigned loose = FIN | PSH | CWR;
    return !next->icmp && next->length > 0 && last->length > 0 && next->seq == last->seq + last->length &&
           (next->flags & ~loose) == (first->flags & ~loose) && (last->flags & FIN) == 0 &&
           next->ack == first->ack && next->window == first->window && next->ecn == first->ecn &&
           next->urgent == first->urgent && same_kinds(first, next) && last->length >= next->length;
}

void expect_append(struct packet *whole, const struct packet *next)
{
    whole->length += next->length;
    whole->seq_end = whole->seq + whole->length;
    whole->flags |= next->flags & (FIN | PSH | CWR);
}
