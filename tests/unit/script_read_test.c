/*
 * Unit tests of the reader of packet scripts: what each thing of the language becomes, and that the dialects
 * in use are read. Errors are in script_errors_test.c, printing in script_print_test.c.
 */
#include "tools/script/script.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static struct script *reading; /* of the test that runs; freed behind it */

static struct script *read_with(const char *text, const struct script_settings *settings)
{
    script_free(reading);
    reading = script_parse("test.pkt", text, strlen(text), settings, stderr);
    assert_non_null(reading);
    return reading;
}

static struct script *read_text(const char *text)
{
    return read_with(text, NULL);
}

static const struct event *event_of(const char *text)
{
    const struct script *script = read_text(text);
    assert_int_equal(script->event_count, 1);
    assert_non_null(script->events);
    assert_null(script->events->next);
    return script->events;
}

static const struct packet *packet_of(const char *text)
{
    char line[1024];
    snprintf(line, sizeof line, "+0 %s", text);
    const struct event *event = event_of(line);
    assert_int_equal(event->kind, EVENT_PACKET);
    return &event->packet;
}

static const struct packet *ipv6_packet_of(const char *text)
{
    char line[512];
    snprintf(line, sizeof line, "--ip_version=ipv6\n+0 %s", text);
    return &event_of(line)->packet;
}

/* The one option of a segment. */
static const struct tcp_option_text *option_of(const char *text)
{
    char line[512];
    snprintf(line, sizeof line, "> . 1:1(0) ack 1 <%s>", text);
    const struct packet *packet = packet_of(line);
    assert_int_equal(packet->option_count, 1);
    assert_false(packet->any_options);
    return &packet->options[0];
}

static const struct call *call_of(const char *text)
{
    char line[1024];
    snprintf(line, sizeof line, "+0 %s", text);
    const struct event *event = event_of(line);
    assert_int_equal(event->kind, EVENT_CALL);
    return &event->call;
}

/* The one argument of a call. */
static const struct expression *expression_of(const char *text)
{
    char line[512];
    snprintf(line, sizeof line, "f(%s) = 0", text);
    const struct call *call = call_of(line);
    assert_int_equal(call->argument_count, 1);
    return call->arguments;
}

static int64_t number_of(const char *text)
{
    const struct expression *expression = expression_of(text);
    assert_int_equal(expression->kind, EXPRESSION_INTEGER);
    assert_string_equal(expression->source, text);
    return expression->number;
}

static int free_script(void **state)
{
    (void)state;
    script_free(reading);
    reading = NULL;
    return 0;
}

/* -------------------------------------------------------------------------------------------------- times */

static void check_time(const char *time, enum time_kind kind, int64_t ns, int64_t to_ns)
{
    char line[128];
    snprintf(line, sizeof line, "%s > . 1:1(0) ack 1", time);
    const struct event *event = event_of(line);
    assert_int_equal(event->time, kind);
    assert_int_equal(event->time_ns, ns);
    if (kind == TIME_ABSOLUTE_RANGE || kind == TIME_RELATIVE_RANGE)
        assert_int_equal(event->time_to_ns, to_ns);
}

static void time_of_each_form_is_read_exactly(void **state)
{
    (void)state;
    check_time("0", TIME_ABSOLUTE, 0, 0);
    check_time("0.1", TIME_ABSOLUTE, SECOND / 10, 0);
    check_time("12.000000001", TIME_ABSOLUTE, 12 * SECOND + 1, 0);
    check_time("3600", TIME_ABSOLUTE, 3600 * SECOND, 0);
    check_time("+0", TIME_RELATIVE, 0, 0);
    check_time("+.002", TIME_RELATIVE, SECOND / 500, 0);
    check_time("+ 0.25", TIME_RELATIVE, SECOND / 4, 0);
    check_time("*", TIME_ANY, 0, 0);
    check_time("0.1~0.2", TIME_ABSOLUTE_RANGE, SECOND / 10, SECOND / 5);
    check_time("+0.1~+0.2", TIME_RELATIVE_RANGE, SECOND / 10, SECOND / 5);
    check_time("+0~+1", TIME_RELATIVE_RANGE, 0, SECOND);
}

static void time_of_a_blocking_call_has_an_end(void **state)
{
    static const char *const forms[] = {"0.1...0.3", ".1 ... .3", "+.1...0.3", "+0.1...0.300"};
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "%s accept(3, ..., ...) = 4", forms[i]);
        const struct event *event = event_of(line);
        assert_int_equal(event->time, forms[i][0] == '+' ? TIME_RELATIVE : TIME_ABSOLUTE);
        assert_int_equal(event->time_ns, SECOND / 10);
        assert_true(event->call.has_end);
        assert_int_equal(event->call.end_ns, 3 * (SECOND / 10));
    }
    assert_true(event_of("+0...0 connect(4, ..., ...) = 0")->call.has_end);
    assert_false(event_of("+0 connect(4, ..., ...) = 0")->call.has_end);
}

static void events_keep_their_order_source_and_place(void **state)
{
    const struct script *script =
        read_text("// one\n0 close(3) = 0 // two\n\n  +1 > . 1:1(0)\n  ack 1\n* `x`\n");
    const struct event *event = script->events;
    (void)state;
    assert_int_equal(script->event_count, 3);
    assert_string_equal(event->source, "0 close(3) = 0");
    assert_int_equal(event->place.line, 2);
    assert_int_equal(event->place.column, 1);
    event = event->next;
    assert_string_equal(event->source, "+1 > . 1:1(0)\n  ack 1");
    assert_int_equal(event->place.line, 4);
    assert_int_equal(event->place.column, 3);
    assert_int_equal(event->place.end_line, 5);
    assert_int_equal(event->place.end_column, 8);
    event = event->next;
    assert_int_equal(event->kind, EVENT_COMMAND);
    assert_null(event->next);
}

/* ------------------------------------------------------------------------------------------------ options */

static void options_are_kept_in_order_with_their_values(void **state)
{
    const struct script *script =
        read_text("#!/usr/bin/env x\n--mss=1000\n--ip_version = ipv6 // six\n--flag\n"
                  "--text=\"a b\"\n/* c */ 0 close(3) = 0\n");
    const struct script_option *option = script->options;
    (void)state;
    assert_string_equal(option->name, "mss");
    assert_string_equal(option->value, "1000");
    option = option->next;
    assert_string_equal(option->name, "ip_version");
    assert_string_equal(option->value, "ipv6");
    assert_int_equal(option->place.line, 3);
    option = option->next;
    assert_string_equal(option->name, "flag");
    assert_string_equal(option->value, "");
    option = option->next;
    assert_string_equal(option->value, "a b");
    assert_null(option->next);
    assert_true(script->ipv6);
}

static void ip_version_of_the_settings_goes_first(void **state)
{
    struct script_settings settings = {.ip_version = 6};
    (void)state;
    assert_false(read_text("--ip_version=ipv4\n0 close(3) = 0")->ipv6);
    assert_false(read_text("--ip_version=ipv4-mapped-ipv6\n0 close(3) = 0")->ipv6);
    assert_true(read_with("--ip_version=ipv4\n0 close(3) = 0", &settings)->ipv6);
    assert_true(read_with("0 close(3) = 0", &settings)->ipv6);
    settings.ip_version = 4;
    assert_false(read_with("--ip_version=ipv6\n0 close(3) = 0", &settings)->ipv6);
    settings.ip_version = 0;
    assert_true(read_with("--ip_version=ipv6\n0 close(3) = 0", &settings)->ipv6);
}

static void definitions_stand_for_words_the_settings_first(void **state)
{
    static const char *const defines[] = {"LEVEL=SOL_TCP", "COOKIE=ffee"};
    static const struct script_settings settings = {.defines = defines, .define_count = 2};
    const char *text = "--define=LEVEL=SOL_IP\n--define=NN=1\n--define=N=0x10\n--define=NAME=abc\n"
                       "0 f(LEVEL, N, NAME) = 0\n0 > S 0:0(0) <FO COOKIE>";
    const struct event *event = read_with(text, &settings)->events;
    const struct expression *argument = event->call.arguments;
    (void)state;
    assert_int_equal(argument->number, IPPROTO_TCP);
    argument = argument->next;
    assert_int_equal(argument->kind, EXPRESSION_INTEGER);
    assert_int_equal(argument->number, 16);
    argument = argument->next;
    assert_int_equal(argument->kind, EXPRESSION_WORD);
    assert_string_equal(argument->text, "abc");
    assert_int_equal(event->next->packet.options[0].length, 2);
    assert_int_equal(event->next->packet.options[0].bytes[0], 0xff);
}

/* -------------------------------------------------------------------------------------- commands and code */

static void commands_without_a_time_stand_at_both_ends(void **state)
{
    const struct event *event = read_text("--mss=1\n`a\n b \\` c`\n0 `d`\n`e`")->events;
    (void)state;
    assert_true(event->untimed);
    assert_int_equal(event->kind, EVENT_COMMAND);
    assert_int_equal(event->time, TIME_RELATIVE);
    assert_int_equal(event->time_ns, 0);
    assert_string_equal(event->text, "a\n b \\` c");
    event = event->next;
    assert_false(event->untimed);
    assert_string_equal(event->text, "d");
    event = event->next;
    assert_true(event->untimed);
    assert_string_equal(event->text, "e");
}

static void code_is_kept_with_its_lines(void **state)
{
    const struct event *event = event_of("+0 %{\nassert d == {1: {2: 3}}, '%d' % x\n}%");
    (void)state;
    assert_int_equal(event->kind, EVENT_CODE);
    assert_string_equal(event->text, "\nassert d == {1: {2: 3}}, '%d' % x\n");
    assert_int_equal(event->place.end_line, 3);
}

/* -------------------------------------------------------------------------------------------------- calls */

static void call_arguments_and_result_are_read(void **state)
{
    const struct call *call = call_of("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3");
    (void)state;
    assert_string_equal(call->name, "socket");
    assert_int_equal(call->argument_count, 3);
    assert_int_equal(call->arguments->kind, EXPRESSION_ELLIPSIS);
    assert_int_equal(call->arguments->next->number, SOCK_STREAM);
    assert_int_equal(call->arguments->next->next->number, IPPROTO_TCP);
    assert_int_equal(call->result.kind, EXPRESSION_INTEGER);
    assert_int_equal(call->result.number, 3);
    assert_null(call->error);
    assert_null(call->note);
    assert_int_equal(call_of("gettid() = 0")->argument_count, 0);
}

static void call_error_and_note_are_read(void **state)
{
    const struct call *call = call_of("connect(3, ..., ...)=-1 EINPROGRESS (Operation now in progress)");
    (void)state;
    assert_int_equal(call->result.number, -1);
    assert_string_equal(call->error, "EINPROGRESS");
    assert_string_equal(call->note, "Operation now in progress");
    call = call_of("bind(3, ..., ...) = -1 EADDRNOTAVAIL (Can't assign (this) address)");
    assert_string_equal(call->note, "Can't assign (this) address");
    call = call_of("read(3, ..., 1) = -1 EAGAIN");
    assert_string_equal(call->error, "EAGAIN");
    assert_null(call->note);
    call = call_of("fcntl(3, F_GETFL) = 0x02 (flags O_RDWR)");
    assert_int_equal(call->result.number, O_RDWR);
    assert_null(call->error);
    assert_string_equal(call->note, "flags O_RDWR");
    call = call_of("fcntl(3, F_GETFL) = O_RDWR|O_NONBLOCK (flags)");
    assert_int_equal(call->result.number, O_RDWR | O_NONBLOCK);
    assert_int_equal(call_of("read(3, ..., 1) = ...")->result.kind, EXPRESSION_ELLIPSIS);
}

/* -------------------------------------------------------------------------------------------- expressions */

static void expression_numbers_and_names_are_computed(void **state)
{
    (void)state;
    assert_int_equal(number_of("17"), 17);
    assert_int_equal(number_of("0x1F"), 31);
    assert_int_equal(number_of("-1"), -1);
    assert_int_equal(number_of("9223372036854775807"), INT64_MAX);
    assert_int_equal(number_of("~0"), -1);
    assert_int_equal(number_of("1 << 4 | 2"), 18);
    assert_int_equal(number_of("2 | 1 << 4"), 18);
    assert_int_equal(number_of("7 & 5 | 8"), 13);
    assert_int_equal(number_of("3 | 1"), 3);
    assert_int_equal(number_of("O_RDWR|O_NONBLOCK"), O_RDWR | O_NONBLOCK);
    assert_int_equal(number_of("htons(8080)"), 8080);
    assert_int_equal(number_of("htonl(INADDR_ANY)"), 0);
    assert_int_equal(number_of("ECONNRESET"), ECONNRESET);
    assert_int_equal(number_of("NULL"), 0);
    assert_int_equal(number_of("IPTOS_DSCP_CS7"), 0xe0);
}

static void expression_name_without_a_number_stays_a_word(void **state)
{
    const struct expression *expression = expression_of("TCP_KEEPINIT");
    (void)state;
    assert_int_equal(expression->kind, EXPRESSION_WORD);
    assert_string_equal(expression->text, "TCP_KEEPINIT");
    expression = expression_of("O_RDWR | ~NO_SUCH");
    assert_int_equal(expression->kind, EXPRESSION_WORD);
    assert_string_equal(expression->text, "NO_SUCH");
    assert_int_equal(expression->place.column, 16);
}

static void expression_strings_are_unescaped(void **state)
{
    const struct expression *expression = expression_of("\"a\\n\\\"\\x41\\0b\\\\\"");
    (void)state;
    assert_int_equal(expression->kind, EXPRESSION_STRING);
    assert_int_equal(expression->length, 7);
    assert_memory_equal(expression->text, "a\n\"A\0b\\", 8);
    assert_string_equal(expression_of("\"\\101\\0602\"")->text, "A02");
    assert_string_equal(expression_of("\"reno\"")->text, "reno");
    assert_string_equal(expression_of("\"reno\"...")->text, "reno");
}

static void expression_addresses_are_mapped(void **state)
{
    static const uint8_t v4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 0, 1};
    static const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
    const struct expression *expression = expression_of("inet_addr(\"192.168.0.1\")");
    (void)state;
    assert_int_equal(expression->kind, EXPRESSION_ADDRESS);
    assert_memory_equal(expression->address, v4, 16);
    assert_memory_equal(expression_of("inet_pton(AF_INET, \"192.168.0.1\")")->address, v4, 16);
    assert_memory_equal(expression_of("inet_pton(AF_INET6, \"2001:db8::1\")")->address, v6, 16);
}

static void expression_lists_hold_their_items(void **state)
{
    const struct expression *list = expression_of("[{..., 1000}, {...,0}]");
    const struct expression *vector = list->items;
    (void)state;
    assert_int_equal(list->kind, EXPRESSION_LIST);
    assert_int_equal(list->count, 2);
    assert_int_equal(vector->kind, EXPRESSION_STRUCT);
    assert_int_equal(vector->count, 2);
    assert_null(vector->items->name);
    assert_int_equal(vector->items->kind, EXPRESSION_ELLIPSIS);
    assert_int_equal(vector->items->next->number, 1000);
    assert_int_equal(vector->next->items->next->number, 0);
    assert_int_equal(expression_of("[]")->count, 0);
}

static const struct expression *member(const struct expression *of, const char *name)
{
    const struct expression *item = of->items;
    while (item != NULL && (item->name == NULL || strcmp(item->name, name) != 0))
        item = item->next;
    assert_non_null(item);
    return item;
}

static void expression_structs_hold_members_by_name(void **state)
{
    const struct expression *of =
        expression_of("{sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr(\"1.2.3.4\")}");
    (void)state;
    assert_int_equal(of->kind, EXPRESSION_STRUCT);
    assert_int_equal(of->count, 3);
    assert_int_equal(member(of, "sa_family")->number, AF_INET);
    assert_int_equal(member(of, "sin_port")->number, 80);
    assert_int_equal(member(of, "sin_addr")->address[15], 4);
    of = expression_of("[{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}]")->items;
    assert_int_equal(member(of, "events")->number, POLLIN | POLLOUT);
    assert_int_equal(member(expression_of("{onoff=1, linger=5}"), "linger")->number, 5);
    assert_int_equal(member(expression_of("{events=EPOLLIN, ptr=7}"), "ptr")->number, 7);
    of = expression_of("{msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=MSG_ERRQUEUE,\n"
                       " msg_control=[{cmsg_level=SOL_IP, cmsg_data={ee_errno=0, ack=1}}]}");
    assert_int_equal(member(of, "msg_name")->kind, EXPRESSION_ELLIPSIS);
    assert_int_equal(member(of, "msg_iov")->items->items->next->number, 10);
    of = member(of, "msg_control")->items;
    assert_int_equal(member(member(of, "cmsg_data"), "ack")->number, 1);
}

/* ----------------------------------------------------------------------------------------------- segments */

static void segment_header_fields_are_read(void **state)
{
    const struct packet *packet = packet_of("< P. 4294967290:4(10) ack 4294967295 win 65535 urg 7");
    (void)state;
    assert_true(packet->inbound);
    assert_false(packet->icmp);
    assert_int_equal(packet->seq, 4294967290);
    assert_int_equal(packet->seq_end, 4);
    assert_int_equal(packet->length, 10);
    assert_true(packet->has_ack && packet->has_window && packet->has_urgent);
    assert_int_equal(packet->ack, 4294967295);
    assert_int_equal(packet->window, 65535);
    assert_int_equal(packet->urgent, 7);
    assert_int_equal(packet->tos, -1);
    assert_int_equal(packet->ttl, -1);
    assert_int_equal(packet->flow_label, -1);
    assert_int_equal(packet->ecn, ECN_NOT_SAID);
    packet = packet_of("> S 0:0(0)");
    assert_false(packet->inbound || packet->has_ack || packet->has_window || packet->has_urgent);
    assert_false(packet->absolute || packet->any_sequence || packet->any_options || packet->any_flags);
}

static void segment_flags_are_read_in_any_order(void **state)
{
    static const struct {
        const char *text;
        unsigned flags;
    } cases[] = {
        {"F", 1},      {"S", 2},        {"R", 4},       {"P", 8},
        {".", 0x10},   {"U", 0x20},     {"E", 0x40},    {"W", 0x80},
        {"A", 0x100},  {"-", 0},        {"S.", 0x12},   {"F.", 0x11},
        {".F", 0x11},  {"SEWA", 0x1c2}, {"SE.", 0x52},  {"FSRP.UEWA", 0x1ff},
        {".5", 0x150}, {"P.6", 0x198},  {"P5.", 0x158}, {".7", 0x1d0},
        {".0", 0x10},  {"EAP.", 0x158}, {"SW.", 0x92},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "> %s 1:1(0)", cases[i].text);
        assert_int_equal(packet_of(line)->flags, cases[i].flags);
    }
    assert_true(packet_of("> * 1:1(0)")->any_flags);
}

static void segment_sequence_may_be_open_or_absolute(void **state)
{
    const struct packet *packet = packet_of("> S. ...(3) ack 65537 <...>");
    (void)state;
    assert_true(packet->any_sequence && packet->any_options);
    assert_int_equal(packet->length, 3);
    assert_int_equal(packet->ack, 65537);
    packet = packet_of("> R. 0:0(0)! ack 2 win 0");
    assert_true(packet->absolute);
    assert_int_equal(packet->ack, 2);
    packet = packet_of("< 1234 > 80 S 0:0(0) win 1");
    assert_int_equal(packet->source_port, 1234);
    assert_int_equal(packet->destination_port, 80);
}

static void segment_ip_fields_are_read_in_both_brackets(void **state)
{
    static const struct {
        const char *text;
        enum script_ecn ecn;
    } cases[] = {
        {"[noecn]", ECN_NONE}, {"[ect0]", ECN_ECT0},   {"[ect1]", ECN_ECT1},
        {"[ce]", ECN_CE},      {"[ect01]", ECN_ECT01},
    };
    const struct packet *packet;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "> %s . 1:1(0)", cases[i].text);
        assert_int_equal(packet_of(line)->ecn, cases[i].ecn);
    }
    packet = packet_of("< [ect0, tos 0x28, ttl 4, flowlabel 0x12345] . 1:1(0)");
    assert_int_equal(packet->ecn, ECN_ECT0);
    assert_int_equal(packet->tos, 0x28);
    assert_int_equal(packet->ttl, 4);
    assert_int_equal(packet->flow_label, 0x12345);
    assert_int_equal(packet_of("< (tos 0xe0) . 1:1(0)")->tos, 0xe0);
    assert_int_equal(packet_of("< (class 0x20)  S. 1:1(0)")->tos, 0x20);
    assert_int_equal(packet_of("< (hlim 255) - 1:1(0)")->ttl, 255);
}

static void segment_options_of_each_kind_are_read(void **state)
{
    const struct tcp_option_text *option = option_of("mss 1460");
    (void)state;
    assert_int_equal(option->kind, SCRIPT_OPTION_MSS);
    assert_int_equal(option->number, 2);
    assert_int_equal(option->value, 1460);
    option = option_of("wscale 14");
    assert_int_equal(option->kind, SCRIPT_OPTION_WSCALE);
    assert_int_equal(option->value, 14);
    assert_int_equal(option_of("sackOK")->kind, SCRIPT_OPTION_SACK_OK);
    assert_int_equal(option_of("nop")->kind, SCRIPT_OPTION_NOP);
    assert_int_equal(option_of("eol")->kind, SCRIPT_OPTION_END);
    option = option_of("sack 1:2 4294967295:4");
    assert_int_equal(option->kind, SCRIPT_OPTION_SACK);
    assert_int_equal(option->blocks, 2);
    assert_int_equal(option->sack[0][0], 1);
    assert_int_equal(option->sack[1][0], 4294967295);
    assert_int_equal(option->sack[1][1], 4);
    option = option_of("TS val 4294967295 ecr 7");
    assert_int_equal(option->kind, SCRIPT_OPTION_TIMESTAMPS);
    assert_int_equal(option->value, 4294967295);
    assert_int_equal(option->echo, 7);
    assert_false(option->any_value || option->any_echo);
    assert_true(option_of("TS val ... ecr 7")->any_value);
    assert_true(option_of("TS val 1 ecr ...")->any_echo);
    option = option_of("md5 000102030405060708090a0b0c0d0eff");
    assert_int_equal(option->kind, SCRIPT_OPTION_MD5);
    assert_int_equal(option->length, 16);
    assert_int_equal(option->bytes[15], 0xff);
    option = option_of("kind 253 abcd");
    assert_int_equal(option->kind, SCRIPT_OPTION_OTHER);
    assert_int_equal(option->number, 253);
    assert_int_equal(option->length, 2);
    assert_int_equal(option->bytes[1], 0xcd);
}

static void segment_cookies_may_be_digits_or_letters(void **state)
{
    const struct tcp_option_text *option = option_of("FO 3021b9d889017eeb");
    (void)state;
    assert_int_equal(option->kind, SCRIPT_OPTION_FAST_OPEN);
    assert_int_equal(option->number, 34);
    assert_int_equal(option->length, 8);
    assert_int_equal(option->bytes[0], 0x30);
    assert_int_equal(option->bytes[7], 0xeb);
    assert_int_equal(option_of("FO 01234567890123456789012345678901")->length, 16);
    assert_int_equal(option_of("FO")->length, 0);
    option = option_of("FOEXP abcd1234");
    assert_int_equal(option->kind, SCRIPT_OPTION_FAST_OPEN_EXPERIMENT);
    assert_int_equal(option->bytes[3], 0x34);
}

static void segment_accurate_ecn_counters_are_in_wire_order(void **state)
{
    static const uint8_t first[9] = {0, 0, 1, 0x12, 0x34, 0x56, 0xff, 0xff, 0xff};
    const struct tcp_option_text *option = option_of("ECN e0b 1 ceb 1193046 e1b 16777215");
    (void)state;
    assert_int_equal(option->kind, SCRIPT_OPTION_OTHER);
    assert_int_equal(option->number, 172);
    assert_int_equal(option->length, 9);
    assert_memory_equal(option->bytes, first, 9);
    option = option_of("ECN e1b 1 ceb 0");
    assert_int_equal(option->number, 174);
    assert_int_equal(option->length, 6);
    assert_int_equal(option_of("ECN")->length, 0);
}

static void segment_options_may_be_open_none_or_many(void **state)
{
    const struct packet *packet = packet_of("> S. 0:0(0) ack 1 <mss 1460, nop,nop , sackOK,nop,wscale 8>");
    (void)state;
    assert_int_equal(packet->option_count, 6);
    assert_int_equal(packet->options[5].value, 8);
    assert_true(packet_of("> S 0:0(0) <...>")->any_options);
    packet = packet_of("> S 0:0(0)");
    assert_false(packet->any_options);
    assert_int_equal(packet->option_count, 0);
    assert_int_equal(packet_of("> . 0:0(0) <sack 1:2 3:4 5:6 7:8,nop,nop,nop,nop,nop,nop>")->option_count, 7);
}

/* --------------------------------------------------------------------------------------------------- ICMP */

static void icmp_errors_have_type_code_mtu_and_quote(void **state)
{
    const struct packet *packet = packet_of("< icmp unreachable frag_needed mtu 1200 [1:1461(1460)]");
    (void)state;
    assert_true(packet->icmp && packet->inbound && packet->quotes_sequence);
    assert_string_equal(packet->icmp_type, "unreachable");
    assert_string_equal(packet->icmp_code_name, "frag_needed");
    assert_int_equal(packet->icmp_number, 3);
    assert_int_equal(packet->icmp_code, 4);
    assert_int_equal(packet->icmp_mtu, 1200);
    assert_int_equal(packet->quoted_protocol, 6);
    assert_int_equal(packet->seq, 1);
    assert_int_equal(packet->length, 1460);
    packet = packet_of("< [1:1461(1460)] icmp unreachable host_unreachable");
    assert_true(packet->quotes_sequence);
    assert_int_equal(packet->icmp_code, 1);
    assert_int_equal(packet->icmp_mtu, -1);
    packet = packet_of("< [ect0] icmp source_quench");
    assert_false(packet->quotes_sequence);
    assert_null(packet->icmp_code_name);
    assert_int_equal(packet->icmp_number, 4);
    packet = packet_of("< icmp time_exceeded ttl_exceeded_in_transit [udp 5000 > 53 (100)]");
    assert_int_equal(packet->icmp_number, 11);
    assert_int_equal(packet->quoted_protocol, 17);
    assert_int_equal(packet->length, 100);
    assert_int_equal(packet->destination_port, 53);
    assert_int_equal(packet_of("< icmp time_exceeded exceeded_frag_time [udp (9)]")->length, 9);
}

static void icmp_numbers_are_those_of_the_ip_version(void **state)
{
    const struct packet *packet = ipv6_packet_of("< icmp packet_too_big mtu 70000 [1:1(0)]");
    (void)state;
    assert_int_equal(packet->icmp_number, 2);
    assert_int_equal(packet->icmp_mtu, 70000);
    packet = ipv6_packet_of("< icmp unreachable address_unreachable");
    assert_int_equal(packet->icmp_number, 1);
    assert_int_equal(packet->icmp_code, 3);
    assert_int_equal(ipv6_packet_of("< icmp unreachable port_unreachable")->icmp_code, 4);
    assert_int_equal(packet_of("< icmp unreachable port_unreachable")->icmp_code, 3);
    packet = ipv6_packet_of("< icmp time_exceeded exceeded_hop_limit [0:0(0)]");
    assert_int_equal(packet->icmp_number, 3);
    assert_int_equal(packet->icmp_code, 0);
}

static void icmp_names_are_found_for_numbers(void **state)
{
    const char *code;
    (void)state;
    assert_string_equal(script_icmp_name(false, 3, 3, &code), "unreachable");
    assert_string_equal(code, "port_unreachable");
    assert_string_equal(script_icmp_name(true, 1, 4, &code), "unreachable");
    assert_string_equal(code, "port_unreachable");
    assert_string_equal(script_icmp_name(true, 2, 0, &code), "packet_too_big");
    assert_null(code);
    assert_null(script_icmp_name(false, 200, 0, &code));
}

/* ---------------------------------------------------------------------------------------------- constants */

static void constants_are_the_hosts(void **state)
{
    static const char *const used[] = {
        "SO_ERROR",      "SO_REUSEADDR",   "SO_LINGER",
        "SO_SNDBUF",     "SO_RCVBUF",      "SO_RCVLOWAT",
        "SO_KEEPALIVE",  "SO_MARK",        "SO_ZEROCOPY",
        "TCP_NODELAY",   "TCP_CORK",       "TCP_MAXSEG",
        "TCP_INFO",      "TCP_CONGESTION", "TCP_FASTOPEN",
        "TCP_KEEPIDLE",  "TCP_KEEPCNT",    "TCP_KEEPINTVL",
        "TCP_QUICKACK",  "TCP_LINGER2",    "TCP_SYNCNT",
        "TCP_CM_INQ",    "TCP_INQ",        "TCP_USER_TIMEOUT",
        "IP_TOS",        "IP_TTL",         "IP_RECVERR",
        "IPV6_TCLASS",   "IPV6_V6ONLY",    "IPV6_UNICAST_HOPS",
        "MSG_PEEK",      "MSG_DONTWAIT",   "MSG_ERRQUEUE",
        "MSG_FASTOPEN",  "MSG_ZEROCOPY",   "MSG_WAITALL",
        "POLLIN",        "POLLRDHUP",      "EPOLLRDHUP",
        "EPOLL_CTL_MOD", "O_NONBLOCK",     "F_SETFL",
        "SHUT_RD",       "SPLICE_F_MOVE",  "SIOCINQ",
        "SIOCOUTQ",      "FIONREAD",       "SOL_TCP",
        "AF_INET6",      "SOCK_STREAM",    "IPPROTO_ICMP",
        "TCP_CA_Open",   "TCP_CA_Loss",    "TCPI_OPT_SACK",
        "EHOSTUNREACH",  "ETIMEDOUT",      "EINPROGRESS",
        "EMSGSIZE",      "EPIPE",          "EWOULDBLOCK",
    };
    int64_t value = 0;
    (void)state;
    assert_true(script_constant("SOL_SOCKET", &value));
    assert_int_equal(value, SOL_SOCKET);
    assert_true(script_constant("EPOLLET", &value));
    assert_int_equal(value, (int64_t)EPOLLET);
    assert_false(script_constant("SOL_SOCKET_", &value));
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++) {
        if (!script_constant(used[i], &value))
            fail_msg("%s is used in scripts and has no number", used[i]);
    }
    assert_false(script_constant("", &value));
}

/* The table is searched by halving: each of its rows must be found. */
static void constants_are_all_found(void **state)
{
#define CONSTANT(name)      #name,
#define ERROR(name)         #name,
#define NAMED(name, number) #name,
    static const char *const names[] = {
#include "tools/script/constants.def"
    };
    int64_t value;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!script_constant(names[i], &value))
            fail_msg("%s is not found: the table is not in order", names[i]);
        assert_true(i == 0 || strcmp(names[i - 1], names[i]) < 0);
    }
}

static void errors_have_their_usual_names(void **state)
{
    (void)state;
    assert_string_equal(script_errno_name(ECONNREFUSED), "ECONNREFUSED");
    assert_string_equal(script_errno_name(EAGAIN), "EAGAIN");
    assert_string_equal(script_errno_name(EOPNOTSUPP), "EOPNOTSUPP");
    assert_string_equal(script_errno_name(EDEADLK), "EDEADLK");
    assert_string_equal(script_errno_name(123456), "E?");
}

/* --------------------------------------------------------------------------------------------- from files */

static void file_is_read_as_text_is(void **state)
{
    char path[] = "/tmp/script_read_test.XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    struct script *script;
    (void)state;
    assert_non_null(file);
    for (int i = 0; i < 5000; i++)
        fprintf(file, "+0 close(%d) = 0\n", i);
    fclose(file);
    script = script_read(path, NULL, stderr);
    unlink(path);
    assert_non_null(script);
    assert_string_equal(script->path, path);
    assert_int_equal(script->event_count, 5000);
    script_free(script);
    script_free(NULL);
}

static void text_of_any_length_is_kept(void **state)
{
    enum { LENGTH = 300000 };
    char *text = malloc(LENGTH + 1);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', LENGTH);
    memcpy(text, "0 `", 3);
    memcpy(text + LENGTH - 1, "`", 2);
    assert_int_equal(strlen(event_of(text)->text), LENGTH - 4);
    free(text);
}

/* ----------------------------------------------------------------------------------------------- dialects */

/* Lines as scripts for Linux and for FreeBSD have them: all must be read. */
static void dialects_in_use_are_read(void **state)
{
    static const char *const lines[] = {
        "0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3",
        "0.000 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
        "   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
        "+0\tsetsockopt(3, IPPROTO_TCP, TCP_CONGESTION, \"cubic\", 5) = 0",
        "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0",
        "+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0",
        "+0 setsockopt(3, IPPROTO_TCP, TCP_KEEPINIT, [75], 4) = 0",
        "+0 bind(3, {sa_family = AF_INET6, sin6_port = htons(80),\n"
        " sin6_addr = inet_pton(AF_INET6, \"::1\")}, 28) = 0",
        "+0 accept(3,...,...)=4",
        "+.1...0.200 connect(3, ..., ...) = 0",
        "+.002 ... 0.052 connect(4, ..., ...) = 0",
        "+0.0> P. 1161:1461(300) ack 1",
        "+0< S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>",
        "+0 > S 0:0(0)  win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>",
        "+0~+0.002 > [ect0] P.5 2001:3001(1000) ack 1 <ECN e1b 1 ceb 0 e0b 1, nop>",
        "+.001 > [ect0] EWA. 1:1(0) ack 2001 <ECN e1b 1 ceb 2000 e0b 1 ,nop>",
        "+1.0~+1.1 > SW. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>",
        "+0 < S 999000:999040(40) win 32792 <mss 1460,sackOK,TS val 100 ecr 100,nop,wscale 6>",
        "* > P. 1:11(10) ack 1",
        "+ 0.10 <  .     1:1(0)     ack     1 win 65535",
        "+0.00 > S.     ...(0)     ack 65538  <...>",
        "+0.00 > R.     0:0(0)!      ack    2 win     0",
        "+0.10 < (tos 0x28) S     0:0(0)       ack    1 win 32767 <mss 1440,sackOK,eol,eol>",
        "+0.10 < (hlim 3)  .    1:1(0)       ack 2881 win 32767 <sack 4321:5761, nop, nop>",
        "+0.10 < icmp unreachable port_unreachable [4294967295:4294967295(0)]",
        "0.250 < [1:1461(1460)] icmp unreachable frag_needed mtu 1500",
        "+0 write(4, ..., 1000) = 1000",
        "+0 writev(4, [{..., 1000}, {..., 20}], 2) = 1020",
        "+0 sendto(4, ..., 1000, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
        "+0 recvfrom(4, ..., 1000, MSG_DONTWAIT|MSG_PEEK, ..., ...) = 1000",
        "+0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0}, 0) = 10",
        "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,0}],\n msg_flags=MSG_ERRQUEUE, // why\n"
        " msg_control=["
        "{cmsg_level=CMSG_LEVEL_IP, cmsg_type=CMSG_TYPE_RECVERR,\n cmsg_data={ee_errno=0,ee_data=1}}\n]},"
        " MSG_ERRQUEUE) = 0",
        "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,0}], msg_control=[]}, 0) = -1 EAGAIN (x)",
        "+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1",
        "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLET, fd=4}) = 0",
        "+0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0",
        "+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0   // non-blocking",
        "+0 fcntl(3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)",
        "+0 ioctl(4, SIOCINQ, [1000]) = 0",
        "+0 pipe([5, 6]) = 0",
        "+0 splice(5, NULL, 4, NULL, 1000, SPLICE_F_MOVE|SPLICE_F_MORE) = 1000",
        "+0 open(\"/tmp/testfile\", O_RDONLY) = 5",
        "+0 sendfile(4, 5, [0], 5) = 5",
        "+0 shutdown(4, SHUT_WR) = 0",
        "+0 getsockopt(4, IPPROTO_TCP, TCP_INFO, {...}, [232]) = 0",
        "+0 setsockopt(3, SOL_SOCKET, SO_TIMESTAMPING,\n [SOF_TIMESTAMPING_TX_SCHED |\n"
        " SOF_TIMESTAMPING_SOFTWARE], 4)"
        " = 0",
        "+0 %{ assert (tcpi_options & TCPI_OPT_SYN_DATA) == 0, tcpi_options }%",
        "+0.00 `true`",
        "`./defaults.sh\nsysctl -q net.ipv4.tcp_ecn=3\n`\n0 close(3) = 0\n`/tmp/restore_${PPID}.sh`",
        "--tolerance_usecs=75000\n--non_fatal=syscall\n--wire_server_ip=10.0.0.1\n0 close(3) = 0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_true(read_text(lines[i])->event_count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(time_of_each_form_is_read_exactly, free_script),
        cmocka_unit_test_teardown(time_of_a_blocking_call_has_an_end, free_script),
        cmocka_unit_test_teardown(events_keep_their_order_source_and_place, free_script),
        cmocka_unit_test_teardown(options_are_kept_in_order_with_their_values, free_script),
        cmocka_unit_test_teardown(ip_version_of_the_settings_goes_first, free_script),
        cmocka_unit_test_teardown(definitions_stand_for_words_the_settings_first, free_script),
        cmocka_unit_test_teardown(commands_without_a_time_stand_at_both_ends, free_script),
        cmocka_unit_test_teardown(code_is_kept_with_its_lines, free_script),
        cmocka_unit_test_teardown(call_arguments_and_result_are_read, free_script),
        cmocka_unit_test_teardown(call_error_and_note_are_read, free_script),
        cmocka_unit_test_teardown(expression_numbers_and_names_are_computed, free_script),
        cmocka_unit_test_teardown(expression_name_without_a_number_stays_a_word, free_script),
        cmocka_unit_test_teardown(expression_strings_are_unescaped, free_script),
        cmocka_unit_test_teardown(expression_addresses_are_mapped, free_script),
        cmocka_unit_test_teardown(expression_lists_hold_their_items, free_script),
        cmocka_unit_test_teardown(expression_structs_hold_members_by_name, free_script),
        cmocka_unit_test_teardown(segment_header_fields_are_read, free_script),
        cmocka_unit_test_teardown(segment_flags_are_read_in_any_order, free_script),
        cmocka_unit_test_teardown(segment_sequence_may_be_open_or_absolute, free_script),
        cmocka_unit_test_teardown(segment_ip_fields_are_read_in_both_brackets, free_script),
        cmocka_unit_test_teardown(segment_options_of_each_kind_are_read, free_script),
        cmocka_unit_test_teardown(segment_cookies_may_be_digits_or_letters, free_script),
        cmocka_unit_test_teardown(segment_accurate_ecn_counters_are_in_wire_order, free_script),
        cmocka_unit_test_teardown(segment_options_may_be_open_none_or_many, free_script),
        cmocka_unit_test_teardown(icmp_errors_have_type_code_mtu_and_quote, free_script),
        cmocka_unit_test_teardown(icmp_numbers_are_those_of_the_ip_version, free_script),
        cmocka_unit_test(icmp_names_are_found_for_numbers),
        cmocka_unit_test(constants_are_the_hosts),
        cmocka_unit_test(constants_are_all_found),
        cmocka_unit_test(errors_have_their_usual_names),
        cmocka_unit_test(file_is_read_as_text_is),
        cmocka_unit_test_teardown(text_of_any_length_is_kept, free_script),
        cmocka_unit_test_teardown(dialects_in_use_are_read, free_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
