/*
 * Unit tests of the printing of events and packets: the usual form is kept, others become it, and what is
 * printed is read as the same. What was expected and what was there are compared by eye in this form.
 */
#include "tools/script/script.h"
#include "tools/script/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The only event of a script, printed; to be freed. */
static char *print_of(const char *text)
{
    struct script *script = script_parse("test.pkt", text, strlen(text), NULL, stderr);
    char *printed;
    size_t length;
    FILE *out = open_memstream(&printed, &length);
    assert_non_null(script);
    assert_int_equal(script->event_count, 1);
    script_print_event(out, script->events);
    fclose(out);
    script_free(script);
    return printed;
}

static void check(const char *text, const char *expected)
{
    char *printed = print_of(text);
    char *again = print_of(printed);
    assert_string_equal(printed, expected);
    assert_string_equal(again, expected);
    free(printed);
    free(again);
}

static void check_same(const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(lines[i], lines[i]);
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void times_print_with_the_decimals_that_count(void **state)
{
    (void)state;
    check("0.000 > . 1:1(0)", "0 > . 1:1(0)");
    check("+.100 > . 1:1(0)", "+0.1 > . 1:1(0)");
    check("+ 3600.000000001 > . 1:1(0)", "+3600.000000001 > . 1:1(0)");
    check(".5~1.50 > . 1:1(0)", "0.5~1.5 > . 1:1(0)");
    check("+0~+.002 > . 1:1(0)", "+0~+0.002 > . 1:1(0)");
    check("* > . 1:1(0)", "* > . 1:1(0)");
    check("+.002 ... 0.052 connect(4, ..., ...) = 0", "+0.002...0.052 connect(4, ..., ...) = 0");
}

static void segments_in_the_usual_form_print_unchanged(void **state)
{
    static const char *const lines[] = {
        "+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>",
        "+0 > S. 0:0(0) ack 1 <...>",
        "+0 > P. 4294967290:4(10) ack 4294967295 win 65535 urg 7",
        "+0 > SEW 0:0(0)",
        "+0 > SFREWAPU. 0:0(0)",
        "+0 < - 0:0(0) win 0",
        "+0 < * 0:0(0) win 0",
        "+0 < [ect0, tos 0x28, ttl 4, flowlabel 0x12345] . 1:1(0)",
        "+0 < [noecn] . 1:1(0)",
        "+0 < [ttl 255] . 1:1(0)",
        "+0 > R. 0:0(0)! ack 2 win 0",
        "+0 > S. ...(3) ack 65537",
        "+0 < 1234 > 80 S 0:0(0) win 1",
        "+0 > . 1:1(0) ack 1 <nop,nop,TS val 4294967295 ecr 0>",
        "+0 > . 1:1(0) ack 1 <nop,nop,TS val ... ecr ...>",
        "+0 > . 1:1(0) ack 1 <sack 1:2 3:4,eol>",
        "+0 > S 0:0(0) <FO,FOEXP 3021b9d889017eeb,md5,kind 253 abcd,kind 99>",
        "+0 > S 0:0(0) <ECN e0b 1 ceb 16777215 e1b 3,ECN e1b 1,ECN,kind 174>",
    };
    (void)state;
    check_same(lines, COUNT(lines));
}

static void segments_in_other_forms_print_in_the_usual_one(void **state)
{
    (void)state;
    check("+0 <  .    1:1(0)   ack  1\twin 0x10", "+0 < . 1:1(0) ack 1 win 16");
    check("+0 < (class 0x20) .S 0:0(0) <mss 1, nop , nop>", "+0 < [tos 0x20] S. 0:0(0) <mss 1,nop,nop>");
    check("+0 > (hlim 6)  P.5 1:2(1)", "+0 > [ttl 6] EAP. 1:2(1)");
    check("+0 > S 0:0(0) <FO 0xABCD>", "+0 > S 0:0(0) <FO abcd>");
}

static void icmp_errors_print_as_they_are_read(void **state)
{
    static const char *const lines[] = {
        "+0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]",
        "+0 < icmp source_quench",
        "+0 < [ce] icmp time_exceeded ttl_exceeded_in_transit [udp 5000 > 53 (100)]",
        "+0 < icmp time_exceeded exceeded_ttl [udp (9)]",
    };
    (void)state;
    check_same(lines, COUNT(lines));
    check("+0 < [1:11(10)] icmp unreachable host_unknown", "+0 < icmp unreachable host_unknown [1:11(10)]");
}

static void calls_print_on_one_line(void **state)
{
    (void)state;
    check("+0 f( 1 ,2, [ {..., 3} ] )=-1 EAGAIN   (try  again)",
          "+0 f(1, 2, [ {..., 3} ]) = -1 EAGAIN (try  again)");
    check("+0 recvmsg(4, {a=1, // one\n /* two */ b=\"x  // y\\\"\",\n\n # three\n c=[]}, 0) = ...",
          "+0 recvmsg(4, {a=1, b=\"x  // y\\\"\", c=[]}, 0) = ...");
    check("+0 fcntl(3, F_GETFL) = 0x02 (flags O_RDWR)", "+0 fcntl(3, F_GETFL) = 0x02 (flags O_RDWR)");
    check("+0 g() = O_RDWR | 1", "+0 g() = O_RDWR | 1");
}

static void commands_and_code_print_as_they_are(void **state)
{
    (void)state;
    check("+0 `a\n \\` b`", "+0 `a\n \\` b`");
    check("+0 %{ assert x == {1: 2}\n}%", "+0 %{ assert x == {1: 2}\n}%");
}

static void packets_that_were_never_read_print_too(void **state)
{
    struct packet packet = {
        .tos = -1,
        .ttl = -1,
        .flow_label = -1,
        .icmp_mtu = -1,
        .flags = 0x12,
        .seq = 1,
        .seq_end = 3,
        .length = 2,
        .has_ack = true,
        .ack = 9,
        .has_window = true,
        .window = 65535,
        .option_count = 1,
        .options = {{.kind = SCRIPT_OPTION_MSS, .value = 1460}},
    };
    char *printed;
    size_t length;
    FILE *out = open_memstream(&printed, &length);
    (void)state;
    script_print_packet(out, &packet);
    fclose(out);
    assert_string_equal(printed, "> S. 1:3(2) ack 9 win 65535 <mss 1460>");
    free(printed);
}

/* An ICMP message that the stack sends has no words of a script: they are found for its numbers. */
static void icmp_off_the_wire_prints_with_its_names(void **state)
{
    static const char *const expected[] = {" icmp unreachable port_unreachable mtu 0", " icmp unknown mtu 0"};
    static const uint8_t types[] = {3, 200};
    static uint8_t bytes[WIRE_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        struct wire sent = {.protocol = WIRE_ICMP,
                            .packet = {.icmp = true, .icmp_number = types[i], .icmp_code = 3}};
        struct wire seen;
        char *printed;
        size_t length;
        FILE *out = open_memstream(&printed, &length);
        wire_read(&seen, bytes, wire_write(&sent, bytes));
        assert_null(seen.broken);
        script_print_packet(out, &seen.packet);
        fclose(out);
        assert_non_null(strstr(printed, expected[i]));
        free(printed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_print_with_the_decimals_that_count),
        cmocka_unit_test(segments_in_the_usual_form_print_unchanged),
        cmocka_unit_test(segments_in_other_forms_print_in_the_usual_one),
        cmocka_unit_test(icmp_errors_print_as_they_are_read),
        cmocka_unit_test(calls_print_on_one_line),
        cmocka_unit_test(commands_and_code_print_as_they_are),
        cmocka_unit_test(packets_that_were_never_read_print_too),
        cmocka_unit_test(icmp_off_the_wire_prints_with_its_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
