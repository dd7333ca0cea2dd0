/*
 * What scanner, grammar and builders share while a script is read: where they are in its text, what they have
 * built, and whether a mistake was found. The first mistake is reported and ends the reading; the builders
 * may go on with anything behind it, for nothing of it is used.
 *
 * Spans are places in the text: lines and columns for people, offsets for slices. This header is internal to
 * the reader; users of scripts see script.h.
 */
#ifndef TOOLS_SCRIPT_READER_H
#define TOOLS_SCRIPT_READER_H

#include "tools/script/arena.h"
#include "tools/script/script.h"

struct span {
    struct place place;
    size_t begin, end; /* offsets */
};

/* How the scanner takes what follows: the grammar says so at places where that does not depend on it. */
enum scan_mode {
    SCAN_PLAIN,
    SCAN_HEADER, /* between `<` or `>` and the flags: `.`, `-` and `P.5` are flags */
    SCAN_NOTE    /* text up to the closing parenthesis */
};

struct reader {
    const char *path;
    const char *text;
    size_t length;
    const struct script_settings *settings;
    FILE *errors;
    bool failed;
    struct arena *arena;
    struct script *script;
    struct script_option **option_tail;
    struct event **event_tail;
    struct event *event;   /* the one that is being read */
    struct packet *packet; /* its packet */
    /* of the scanner */
    enum scan_mode mode;
    struct span at; /* of the last token */
};

/* A list under construction, first to last. */
struct expression_list {
    struct expression *first, *last;
    unsigned count;
};

/* ------------------------------------------------------------------------------ the generated parts' door */

/* Runs scanner and grammar over the reader's text; reader->failed tells how it went. */
void reader_run(struct reader *reader);

/* ------------------------------------------------------------------------------------------------- report */

/* One line "path:line:column: ...", once; what follows a first mistake is not told. */
__attribute__((format(printf, 3, 4))) void reader_fail(struct reader *reader, const struct span *span,
                                                       const char *format, ...);
/* What was found does not fit; `names` are the grammar's names of what would. */
void reader_fail_expected(struct reader *reader, const struct span *found, const char *const *names,
                          int count);

/* The text of a span; for messages shortened and printable, else all of it. */
const char *reader_quote(struct reader *reader, const struct span *span);
char *reader_slice(struct reader *reader, const struct span *span);
bool span_is(const struct reader *reader, const struct span *span, const char *word);

/* ------------------------------------------------------------------------------------------------- values */

/* Decimal or 0x..., at most `most`; `what` names it in the complaint. */
uint64_t reader_number(struct reader *reader, const struct span *span, uint64_t most, const char *what);
/* Seconds as nanoseconds. */
int64_t reader_time(struct reader *reader, const struct span *span);
/* What stands for a word by --define or -D; NULL = nothing. */
const char *reader_definition(const struct reader *reader, const struct span *word);

/* ------------------------------------------------------------------------------------- options and events */

void reader_option(struct reader *reader, const struct span *span);
void reader_event_begin(struct reader *reader, enum time_kind kind, int64_t time_ns, int64_t time_to_ns);
void reader_event_end(struct reader *reader, const struct span *span);
void reader_command(struct reader *reader, const struct span *span);
void reader_untimed_command(struct reader *reader, const struct span *span);
void reader_code(struct reader *reader, const struct span *span);

void reader_call(struct reader *reader, const struct span *name, struct expression_list arguments);
void reader_call_end_time(struct reader *reader, const struct span *span, int64_t end_ns);
void reader_call_result(struct reader *reader, const struct expression *result);
void reader_call_error(struct reader *reader, const struct span *name);
void reader_call_note(struct reader *reader, const struct span *text);

/* -------------------------------------------------------------------------------------------- expressions */

struct expression *expression_new(struct reader *reader, enum expression_kind kind, const struct span *span);
struct expression *expression_integer(struct reader *reader, const struct span *span);
struct expression *expression_word(struct reader *reader, const struct span *span);
struct expression *expression_string(struct reader *reader, const struct span *span);
struct expression *expression_items(struct reader *reader, enum expression_kind kind, const struct span *span,
                                    struct expression_list items);
struct expression *expression_unary(struct reader *reader, char sign, struct expression *of,
                                    const struct span *span);
struct expression *expression_binary(struct reader *reader, char sign, struct expression *left,
                                     struct expression *right, const struct span *span);
/* htons(8080), inet_addr("1.2.3.4"): `span` is all of it. */
struct expression *expression_apply(struct reader *reader, const struct span *name,
                                    struct expression_list arguments, const struct span *span);
void expression_name(struct reader *reader, struct expression *member, const struct span *name,
                     const struct span *span);
struct expression_list list_add(struct expression_list list, struct expression *item);

/* ------------------------------------------------------------------------------------------------ packets */

void packet_begin(struct reader *reader, bool inbound);
void packet_ip(struct reader *reader, const struct span *name, const struct span *value);
void packet_ports(struct reader *reader, const struct span *source, const struct span *destination);
void packet_flags(struct reader *reader, const struct span *span);
void packet_sequence(struct reader *reader, const struct span *start, const struct span *end,
                     const struct span *length);
void packet_any_sequence(struct reader *reader, const struct span *length);
void packet_ack(struct reader *reader, const struct span *span);
void packet_window(struct reader *reader, const struct span *span);
void packet_urgent(struct reader *reader, const struct span *span);
/* A protocol that is none of ours. */
void packet_not_tcp(struct reader *reader, const struct span *span);

/* What an ICMP error is about: the range that was read last, or a UDP datagram. */
void packet_quote(struct reader *reader);
void packet_quote_udp(struct reader *reader, const struct span *length);
void packet_icmp(struct reader *reader, const struct span *type, const struct span *code);
void packet_mtu(struct reader *reader, const struct span *span);

/* The names of ICMP's types and codes: false if there is none, then `known` is a list for the complaint. */
bool icmp_type_number(bool ipv6, const char *name, uint8_t *number, const char **known);
bool icmp_code_number(bool ipv6, uint8_t type, const char *name, uint8_t *number, const char **known);

/* ------------------------------------------------------------------------------------------------ options */

/* One more option of the packet; the grammar fills in what follows its name. */
struct tcp_option_text *option_add(struct reader *reader, enum script_tcp_option kind,
                                   const struct span *span);
struct tcp_option_text *option_last(struct reader *reader);
void option_value(struct reader *reader, struct tcp_option_text *option, const struct span *span);
void option_echo(struct reader *reader, struct tcp_option_text *option, const struct span *span);
void option_sack(struct reader *reader, struct tcp_option_text *option, const struct span *left,
                 const struct span *right);
/* Bytes in hexadecimal: a cookie, a digest. */
void option_bytes(struct reader *reader, struct tcp_option_text *option, const struct span *span);
void option_number(struct reader *reader, struct tcp_option_text *option, const struct span *span);
/* Accurate ECN's: a number of its kind, then its counters in order. */
void option_ecn(struct tcp_option_text *option);
void option_ecn_counter(struct reader *reader, struct tcp_option_text *option, const struct span *name,
                        const struct span *value);
/* At the end of the list: they fit a header. */
void options_check(struct reader *reader, const struct span *span);

#endif
