/*
 * Unit tests of the complaints about scripts that are not in the language: one line each, at the place of the
 * mistake, with what would have been right there. Memory is given back in each case (seen by the sanitizers).
 */
#include "tools/script/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* clang-format off */
static const struct {
    const char *text, *complaint;
} cases[] = {
    {"",
     "1:1: unexpected end of the script, expected a time, an option or a command in back quotes"},
    {"// c\n",
     "2:1: unexpected end of the script, expected a time, an option or a command in back quotes"},
    {"0",
     "1:2: unexpected end of the script, expected a word, a command in back quotes, code in %{ "
     "}%, '...', '~', '<' or '>'"},
    {"0 ",
     "1:3: unexpected end of the script, expected a word, a command in back quotes, code in %{ "
     "}%, '...', '~', '<' or '>'"},
    {"+",
     "1:2: unexpected end of the script, expected a time"},
    {"x",
     "1:1: unexpected 'x', expected a time, an option or a command in back quotes"},
    {"0 socket",
     "1:9: unexpected end of the script, expected '('"},
    {"0 socket(",
     "1:10: unexpected end of the script, expected an expression or ')'"},
    {"0 socket()",
     "1:11: unexpected end of the script, expected '='"},
    {"0 socket() =",
     "1:13: unexpected end of the script, expected an expression"},
    {"0 socket() = 3 3",
     "1:17: unexpected end of the script, expected a word, a command in back quotes, code in %{ "
     "}%, '...', '~', '<' or '>'"},
    {"0 socket() = -1 EFOO",
     "1:17: unknown error 'EFOO', expected a name as EAGAIN or ECONNRESET"},
    {"0 socket() = -1 EAGAIN (x\n",
     "1:25: the note is not closed, expected ')' before the end of the line"},
    {"0 socket(1 2) = 3",
     "1:12: unexpected '2', expected '<<', ')', ',', '|' or '&'"},
    {"0 socket(,) = 3",
     "1:10: unexpected ',', expected an expression or ')'"},
    {"0 socket([1,) = 3",
     "1:13: unexpected ')', expected an expression"},
    {"0 socket({a=}) = 3",
     "1:13: unexpected '}', expected an expression"},
    {"0 s(foo(1)) = 3",
     "1:5: unknown function 'foo', or not its arguments, expected htons(port), htonl(number), "
     "inet_addr(\"...\") or inet_pton(family, \"...\")"},
    {"0 s(htons(70000)) = 3",
     "1:5: 70000 is out of range, expected at most 65535"},
    {"0 s(inet_addr(\"x\")) = 1",
     "1:5: \"x\" is no address, expected an IPv4 address in quotes"},
    {"0 s(inet_pton(AF_INET6, \"1.2.3.4\")) = 1",
     "1:5: \"1.2.3.4\" is no address, expected an IPv6 address in quotes"},
    {"0 s(\"a) = 1",
     "1:5: the string is not closed, expected '\"' before the end of the line"},
    {"0 s(1|\"a\") = 1",
     "1:7: '\"a\"' cannot be computed with, expected a number or a name"},
    {"0 s(-[1]) = 3",
     "1:6: '[1]' cannot be computed with, expected a number or a name"},
    {"0 s(12x) = 3",
     "1:5: '12x' is no number, expected digits"},
    {"0 s(99999999999999999999) = 3",
     "1:5: number '99999999999999999999' is out of range, expected at most 9223372036854775807"},
    {"/* x",
     "1:1: the comment is not closed, expected '*/'"},
    {"0 %{ x",
     "1:3: the code is not closed, expected '}%'"},
    {"0 `x",
     "1:3: the command is not closed, expected '`'"},
    {"`x`",
     "1:4: unexpected end of the script, expected a time"},
    {"0 < ",
     "1:5: unexpected end of the script, expected a number, flags, 'icmp', '(' or '['"},
    {"0 < S",
     "1:6: unexpected end of the script, expected a number or '...'"},
    {"0 < S 0",
     "1:8: unexpected end of the script, expected ':'"},
    {"0 < S 0:0",
     "1:10: unexpected end of the script, expected '('"},
    {"0 < S 0:0(0",
     "1:12: unexpected end of the script, expected ')'"},
    {"0 < SQ 0:0(0)",
     "1:5: unknown 'Q' in the flags 'SQ', expected each of F S R P . U E W A and one digit at "
     "most once"},
    {"0 < SS 0:0(0)",
     "1:5: repeated 'S' in the flags 'SS', expected each of F S R P . U E W A and one digit at "
     "most once"},
    {"0 < S55 0:0(0)",
     "1:5: repeated '5' in the flags 'S55', expected each of F S R P . U E W A and one digit at "
     "most once"},
    {"0 < s 0:0(0)",
     "1:5: unknown 's' in the flags 's', expected each of F S R P . U E W A and one digit at "
     "most once"},
    {"0 < 0:0(0)",
     "1:5: no flags before the sequence number, expected some of F S R P . U E W A, or '-'"},
    {"0 < S 1:1460(1460)",
     "1:7: 1:1460(1460) does not add up, expected 1:1461(1460)"},
    {"0 < S 0:0(0) win",
     "1:17: unexpected end of the script, expected a number"},
    {"0 < S 0:0(0) win 70000",
     "1:18: window '70000' is out of range, expected at most 65535"},
    {"0 < S 0:0(0) win 1 ack 1",
     "1:20: unexpected 'ack', expected the end of the script, a time, a command in back quotes, "
     "'urg', '<' or '/'"},
    {"0 < S 0:0(0) win 1 mss 1",
     "1:20: unexpected 'mss', expected the end of the script, a time, a command in back quotes, "
     "'urg', '<' or '/'"},
    {"0 < S 0:0(0) <",
     "1:15: unexpected end of the script, expected '...', 'mss', 'wscale', 'sackOK', 'sack', "
     "'TS', 'nop', 'eol', 'FO', 'FOEXP', 'md5', 'kind' or 'ECN'"},
    {"0 < S 0:0(0) <mss>",
     "1:18: unexpected '>', expected a number"},
    {"0 < S 0:0(0) <mss 100000>",
     "1:19: MSS '100000' is out of range, expected at most 65535"},
    {"0 < S 0:0(0) <foo 1>",
     "1:15: unexpected 'foo', expected '...', 'mss', 'wscale', 'sackOK', 'sack', 'TS', 'nop', "
     "'eol', 'FO', 'FOEXP', 'md5', 'kind' or 'ECN'"},
    {"0 < S 0:0(0) <mss 1 nop>",
     "1:21: unexpected 'nop', expected ',' or '>'"},
    {"0 < S 0:0(0) <mss 1,>",
     "1:21: unexpected '>', expected 'mss', 'wscale', 'sackOK', 'sack', 'TS', 'nop', 'eol', "
     "'FO', 'FOEXP', 'md5', 'kind' or 'ECN'"},
    {"0 < S 0:0(0) <sack>",
     "1:19: unexpected '>', expected a number"},
    {"0 < S 0:0(0) <sack 1:2 3:4 5:6 7:8 9:10>",
     "1:14: the TCP options take 42 bytes, expected at most 40"},
    {"0 < S 0:0(0) <TS val 1>",
     "1:23: unexpected '>', expected 'ecr'"},
    {"0 < S 0:0(0) <FO abc>",
     "1:18: 'abc' are not the bytes of an option, expected up to 40 pairs of hexadecimal digits"},
    {"0 < S 0:0(0) <FO xyzz>",
     "1:18: 'xyzz' is not hexadecimal, expected pairs of hexadecimal digits or a --define"},
    {"0 < S 0:0(0) <ECN ceb 1>",
     "1:19: unexpected 'ceb', expected the counters as e0b ceb e1b or as e1b ceb e0b"},
    {"0 < S 0:0(0) <mss 1",
     "1:20: unexpected end of the script, expected ',' or '>'"},
    {"0 < [foo] S 0:0(0)",
     "1:6: unknown IP field 'foo', expected noecn, ect0, ect1, ce, ect01, tos N, ttl N or "
     "flowlabel N"},
    {"0 < [tos 300] S 0:0(0)",
     "1:10: type of service '300' is out of range, expected at most 255"},
    {"0 < [foo 3] S 0:0(0)",
     "1:6: unknown IP field 'foo', expected tos, class, ttl, hlim or flowlabel"},
    {"0 < [] S 0:0(0)",
     "1:6: unexpected ']', expected a number or a word"},
    {"0 < [ect0 S 0:0(0)",
     "1:11: unexpected 'S', expected a number, ',' or ']'"},
    {"0 < udp (1000)",
     "1:5: 'udp': not a TCP script, expected a TCP segment or an ICMP error about one"},
    {"0 < udp 1 > 2 (1000)",
     "1:5: 'udp': not a TCP script, expected a TCP segment or an ICMP error about one"},
    {"0 < sctp: INIT",
     "1:5: 'sctp': not a TCP script, expected a TCP segment or an ICMP error about one"},
    {"0 < ipv4 1.2.3.4 > 5.6.7.8: S 0:0(0)",
     "1:5: 'ipv4': not a TCP script, expected a TCP segment or an ICMP error about one"},
    {"0 < gre: S",
     "1:5: 'gre': not a TCP script, expected a TCP segment or an ICMP error about one"},
    {"0 < mpls (label 0)",
     "1:5: 'mpls': not a TCP script, expected a TCP segment or an ICMP error about one"},
    {"0 < icmp foo",
     "1:10: unknown ICMP type 'foo', expected unreachable, source_quench, redirect, "
     "time_exceeded or parameter_problem"},
    {"0 < icmp unreachable foo",
     "1:22: unknown code 'foo' of ICMP unreachable, expected net_unreachable, host_unreachable, "
     "protocol_unreachable, port_unreachable, frag_needed, source_route_failed, net_unknown, "
     "host_unknown, source_host_isolated, net_prohibited, host_prohibited, "
     "net_unreachable_for_tos, host_unreachable_for_tos, packet_filtered, precedence_violation "
     "or precedence_cutoff"},
    {"0 < icmp echo_request id 5",
     "1:10: 'echo_request': not a TCP script, expected a TCP segment or an ICMP error about one"},
    {"0 < icmp unreachable port_unreachable mtu",
     "1:42: unexpected end of the script, expected a number"},
    {"0 < icmp unreachable port_unreachable [",
     "1:40: unexpected end of the script, expected a number, 'udp' or 'tcp'"},
    {"0 < icmp unreachable port_unreachable [1:2(3)]",
     "1:40: 1:2(3) does not add up, expected 1:4(3)"},
    {"0 < icmp packet_too_big mtu 5",
     "1:10: unknown ICMP type 'packet_too_big', expected unreachable, source_quench, redirect, "
     "time_exceeded or parameter_problem"},
    {"0 < S 0:0(0) win 1/udp(1 > 2)",
     "1:19: '/': not a TCP script, expected a TCP segment or an ICMP error about one"},
    {"0.3...0.1 s() = 3",
     "1:7: the call ends before it begins, expected a time not before its start"},
    {"+0.3...0.1 s() = 3",
     "1:8: the call ends before it begins, expected a time not before its start"},
    {"*...1 s() = 0",
     "1:5: a call that blocks begins at one time, expected TIME...END or +TIME...END"},
    {"0.3~0.1 > . 1:1(0)",
     "1:1: the range of time ends before it begins, expected the earlier time first"},
    {"+1~2 > . 1:1(0)",
     "1:4: unexpected '2', expected '+'"},
    {"1~+2 > .",
     "1:3: unexpected '+', expected a time"},
    {"99999999999 s() = 0",
     "1:1: time '99999999999' is out of range, expected at most 1000000000 seconds"},
    {"0x10 s() = 0",
     "1:1: '0x10' is no time, expected seconds"},
    {"--ip_version=ipv5\n",
     "1:1: unknown IP version 'ipv5', expected ipv4, ipv4-mapped-ipv6 or ipv6"},
    {"--mss=\n",
     "1:1: '--mss=' has no value, expected one behind '='"},
    {"--define=X\n",
     "1:1: '--define=X' defines nothing, expected --define=NAME=VALUE"},
    {"--udp_encapsulation=tcp\n",
     "1:1: TCP inside UDP: not a TCP script, expected segments directly in IP"},
    {"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n--mss=5\n",
     "2:1: unexpected '--mss=5', expected the end of the script, a time, a word, a command in "
     "back quotes, '<<', '(' or '|'"},
    {"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n@",
     "2:1: unexpected character '@', expected a word, a number or a sign of the language"},
    {"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n1 \1",
     "2:3: unexpected character '?', expected a word, a number or a sign of the language"},
    {"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n0 < . ~1:1(0)",
     "2:7: unexpected '~', expected a number or '...'"},
    {"0 < mp:0(0)",
     "1:5: unknown 'm' in the flags 'mp', expected each of F S R P . U E W A and one digit at "
     "most once"},
    {"0 < $ 0:0(0)",
     "1:5: unexpected character '$', expected a word, a number or a sign of the language"},
    {"0 < S 0:0(0) win 1 <mss 1> foo",
     "1:28: unexpected 'foo', expected the end of the script, a time or a command in back quotes"},
    {"0 > . 1:1(0) ack 1 ack 2",
     "1:20: unexpected 'ack', expected the end of the script, a time, a command in back quotes, "
     "'win', 'urg', '<' or '/'"},
    {"--",
     "1:1: unexpected '-', expected a time, an option or a command in back quotes"},
    {"0 > (hlim 3 . 1:1(0)",
     "1:13: unexpected character '.', expected a word, a number or a sign of the language"},
    {"0 s()= 0 (a)(b)",
     "1:13: unexpected '(', expected the end of the script, a time or a command in back quotes"},
    {"0 close(3) = 0\n\n/* two\nlines */ +0 close(3) =\n  = 1",
     "5:3: unexpected '=', expected an expression"},
    {"\t0 < S 1:2(2)",
     "1:8: 1:2(2) does not add up, expected 1:3(2)"},
    {"0 < S 0:0(0) "
     "<nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,n"
     "op,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop>",
     "1:175: too many TCP options, expected at most 40"},
    {"0 s(\"a\nb\") = 1",
     "1:5: the string is not closed, expected '\"' before the end of the line"},
    {"0 s() = -1 EAGAIN (",
     "1:20: the note is not closed, expected ')'"},
    {"0 < [1:2(1)] S 0:0(0)",
     "1:14: unexpected 'S', expected 'icmp'"},
    {"0 < . 1:1(0) 5 > 6 7",
     "1:20: unexpected '7', expected '>'"},
    {"0 < .06 1:1(0)",
     "1:5: repeated '6' in the flags '.06', expected each of F S R P . U E W A and one digit at "
     "most once"},
    {"0 < . 4294967296:4294967296(70000)",
     "1:7: sequence number '4294967296' is out of range, expected at most 4294967295"},
    {"--ip_version=\"a\tb\"\n0 f() = 0",
     "1:1: unknown IP version 'a?b', expected ipv4, ipv4-mapped-ipv6 or ipv6"},
};
/* clang-format on */

/* What is said about a text; to be freed. */
static char *complaint_about(const char *text, size_t length)
{
    char *said;
    size_t said_length;
    FILE *errors = open_memstream(&said, &said_length);
    struct script *script = script_parse("t.pkt", text, length, NULL, errors);
    fclose(errors);
    if (script != NULL)
        fail_msg("read without a complaint: %s", text);
    return said;
}

static void mistakes_are_told_on_one_line_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *said = complaint_about(cases[i].text, strlen(cases[i].text));
        char expected[1024];
        snprintf(expected, sizeof expected, "t.pkt:%s\n", cases[i].complaint);
        assert_string_equal(said, expected);
        free(said);
    }
}

static void nesting_without_an_end_is_refused(void **state)
{
    enum { DEPTH = 100000 };
    char *text = malloc(DEPTH + 8);
    char *said;
    (void)state;
    assert_non_null(text);
    memcpy(text, "0 f(", 4);
    memset(text + 4, '[', DEPTH);
    said = complaint_about(text, DEPTH);
    assert_non_null(strstr(said, "nested too deeply"));
    free(said);
    free(text);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    static const char zero[] = "0 close(3) = 0\n\0 x";
    char *said = complaint_about(zero, sizeof zero - 1);
    (void)state;
    assert_non_null(strstr(said, "t.pkt:2:1: unexpected character '?'"));
    free(said);
    said = complaint_about("\xff\xfe", 2);
    assert_non_null(strstr(said, "t.pkt:1:1: unexpected character '?'"));
    free(said);
}

/* A script cut short anywhere is read or refused in one line; sanitizers see a read beyond its end. */
static void scripts_cut_short_are_read_or_refused(void **state)
{
    static const char whole[] =
        "--ip_version=ipv4\n`a`\n0...1 connect(3, {a=\"b\\n\", c=[1|2]}, ...) = -1 EAGAIN (x)\n"
        "+0~+1 < [ect0] P.5 1:2(1) ack 1 win 1 <nop,TS val 1 ecr 2,sack 1:2 3:4,FO ab>\n"
        "* < icmp unreachable frag_needed mtu 5 [1:2(1)] // c\n/* d */ 0 %{ e }%\n`f`\n";
    unsigned read = 0;
    (void)state;
    for (size_t length = 0; length < sizeof whole; length++) {
        char *said;
        size_t said_length;
        FILE *errors = open_memstream(&said, &said_length);
        char *text = malloc(length + (length == 0));
        assert_non_null(text);
        memcpy(text, whole, length);
        struct script *script = script_parse("t.pkt", text, length, NULL, errors);
        fclose(errors);
        read += script != NULL;
        assert_true(script != NULL ? said_length == 0 : strchr(said, '\n') == said + said_length - 1);
        script_free(script);
        free(text);
        free(said);
    }
    assert_in_range(read, 20, 100);
}

static void files_that_cannot_be_read_are_told(void **state)
{
    char *said;
    size_t length;
    FILE *errors = open_memstream(&said, &length);
    (void)state;
    assert_null(script_read("/nonexistent/a.pkt", NULL, errors));
    assert_null(script_read("/", NULL, errors));
    fclose(errors);
    assert_string_equal(said, "/nonexistent/a.pkt:1:1: cannot be read: No such file or directory, "
                              "expected a packet script\n"
                              "/:1:1: cannot be read: Is a directory, expected a packet script\n");
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told_on_one_line_with_their_place),
        cmocka_unit_test(nesting_without_an_end_is_refused),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
        cmocka_unit_test(scripts_cut_short_are_read_or_refused),
        cmocka_unit_test(files_that_cannot_be_read_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
