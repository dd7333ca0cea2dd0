/*
 * The builders of TCP options: one function for each thing that may follow an option's name, and the check
 * that all of them fit a header (RFC 9293 3.1: 40 bytes). They need no padding: who builds the segment pads.
 *
 * Options and their bytes: RFC 9293 3.2, RFC 7323, RFC 2018, RFC 7413, RFC 2385, RFC 9768.
 */
#include <string.h>

#include "tools/script/reader.h"

#define MOST_OPTION_BYTES 40

enum {
    KIND_ACCECN_0 = 172, /* its counters begin with ECT(0)'s */
    KIND_ACCECN_1 = 174, /* with ECT(1)'s */
};

/* The option's number and the bytes of it that do not vary, kind and length included. */
static const struct {
    uint8_t number, length;
} shapes[] = {
    [SCRIPT_OPTION_END] = {0, 1},
    [SCRIPT_OPTION_NOP] = {1, 1},
    [SCRIPT_OPTION_MSS] = {2, 4},
    [SCRIPT_OPTION_WSCALE] = {3, 3},
    [SCRIPT_OPTION_SACK_OK] = {4, 2},
    [SCRIPT_OPTION_SACK] = {5, 2},
    [SCRIPT_OPTION_TIMESTAMPS] = {8, 10},
    [SCRIPT_OPTION_FAST_OPEN] = {34, 2},
    [SCRIPT_OPTION_FAST_OPEN_EXPERIMENT] = {254, 4},
    [SCRIPT_OPTION_MD5] = {19, 2},
    [SCRIPT_OPTION_OTHER] = {0, 2},
};

static uint8_t option_kind_number(enum script_tcp_option kind)
{
    return shapes[kind].number;
}

/* The bytes that it takes on the wire. */
static unsigned option_wire_length(const struct tcp_option_text *option)
{
    return shapes[option->kind].length + 8 * option->blocks + option->length;
}

struct tcp_option_text *option_add(struct reader *reader, enum script_tcp_option kind,
                                   const struct span *span)
{
    struct packet *packet = reader->packet;
    struct tcp_option_text *option;

    if (packet->option_count == sizeof packet->options / sizeof packet->options[0]) {
        reader_fail(reader, span, "too many TCP options, expected at most %u", packet->option_count);
        return &packet->options[0];
    }
    option = &packet->options[packet->option_count++];
    option->kind = kind;
    option->number = option_kind_number(kind);
    option->place = span->place;
    return option;
}

struct tcp_option_text *option_last(struct reader *reader)
{
    return &reader->packet->options[reader->packet->option_count - 1];
}

void option_value(struct reader *reader, struct tcp_option_text *option, const struct span *span)
{
    if (option->kind == SCRIPT_OPTION_MSS)
        option->value = (uint32_t)reader_number(reader, span, 0xffff, "MSS");
    else if (option->kind == SCRIPT_OPTION_WSCALE)
        option->value = (uint32_t)reader_number(reader, span, 0xff, "window scale");
    else
        option->value = (uint32_t)reader_number(reader, span, UINT32_MAX, "timestamp");
}

void option_echo(struct reader *reader, struct tcp_option_text *option, const struct span *span)
{
    option->echo = (uint32_t)reader_number(reader, span, UINT32_MAX, "timestamp");
}

void option_sack(struct reader *reader, struct tcp_option_text *option, const struct span *left,
                 const struct span *right)
{
    if (option->blocks == sizeof option->sack / sizeof option->sack[0]) {
        reader_fail(reader, left, "too many SACK blocks, expected at most %u", option->blocks);
        return;
    }
    uint32_t *block = option->sack[option->blocks++];
    block[0] = (uint32_t)reader_number(reader, left, UINT32_MAX, "left edge");
    block[1] = (uint32_t)reader_number(reader, right, UINT32_MAX, "right edge");
}

void option_number(struct reader *reader, struct tcp_option_text *option, const struct span *span)
{
    option->number = (uint8_t)reader_number(reader, span, 0xff, "option kind");
}

/* ------------------------------------------------------------------------------------------- bytes in hex */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void option_bytes(struct reader *reader, struct tcp_option_text *option, const struct span *span)
{
    const char *text = reader_definition(reader, span);
    size_t length;

    if (text == NULL)
        text = reader_slice(reader, span);
    if (text[0] == '0' && (text[1] | 0x20) == 'x')
        text += 2;
    length = strlen(text);
    if (length % 2 != 0 || length / 2 > MOST_OPTION_BYTES) {
        reader_fail(reader, span,
                    "%s are not the bytes of an option, expected up to 40 pairs of hexadecimal digits",
                    reader_quote(reader, span));
        return;
    }
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_digit(text[i]);
        int low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0) {
            reader_fail(reader, span,
                        "%s is not hexadecimal, expected pairs of hexadecimal digits or a --define",
                        reader_quote(reader, span));
            return;
        }
        option->bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    option->length = (unsigned)length / 2;
}

/* ------------------------------------------------------------------------------------------- Accurate ECN */

void option_ecn(struct tcp_option_text *option)
{
    option->number = KIND_ACCECN_0;
}

void option_ecn_counter(struct reader *reader, struct tcp_option_text *option, const struct span *name,
                        const struct span *value)
{
    static const char *const orders[2][3] = {{"e0b", "ceb", "e1b"}, {"e1b", "ceb", "e0b"}};
    unsigned at = option->length / 3;
    uint32_t counter = (uint32_t)reader_number(reader, value, 0xffffff, "byte counter");

    if (at == 0)
        option->number = span_is(reader, name, "e1b") ? KIND_ACCECN_1 : KIND_ACCECN_0;
    const char *const *order = orders[option->number == KIND_ACCECN_1];
    if (at > 2 || !span_is(reader, name, order[at])) {
        reader_fail(reader, name, "unexpected %s, expected the counters as e0b ceb e1b or as e1b ceb e0b",
                    reader_quote(reader, name));
        return;
    }
    for (int shift = 16; shift >= 0; shift -= 8)
        option->bytes[option->length++] = (uint8_t)(counter >> shift);
}

void options_check(struct reader *reader, const struct span *span)
{
    const struct packet *packet = reader->packet;
    unsigned length = 0;

    for (unsigned i = 0; i < packet->option_count; i++)
        length += option_wire_length(&packet->options[i]);
    if (length > MOST_OPTION_BYTES)
        reader_fail(reader, span, "the TCP options take %u bytes, expected at most %d", length,
                    MOST_OPTION_BYTES);
}
