/*
 * Unit tests of drivers/addr: what is an address and what is not, both ways, and errno.
 */
#include "drivers/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *in;
    const char *out; /* NULL = refused */
};

static void addr_parse_grid_round_trips(void **state)
{
    static const struct row rows[] = {
        {"10.0.0.1", "10.0.0.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"0.0.0.0", "*"},
        {"::", "*"},
        {"::ffff:10.0.0.1", "10.0.0.1"},
        {"fd09::2", "fd09::2"},
        {"FD09:0:0:0:0:0:0:2", "fd09::2"},
        {"fe80::1%2", "fe80::1%2"},
        {"fe80::1%4294967295", "fe80::1%4294967295"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"", NULL},
        {" 10.0.0.1", NULL},
        {"10.0.0.1 ", NULL},
        {"10.0.0", NULL},
        {"10.0.0.256", NULL},
        {"10.0.0.01", NULL},
        {"10.0.0.1.", NULL},
        {"10.0.0.1%1", NULL},
        {"0x0a000001", NULL},
        {"167772161", NULL},
        {"-1.0.0.1", NULL},
        {"localhost", NULL},
        {"fd09:::2", NULL},
        {"fd09::2::", NULL},
        {"fd09::g", NULL},
        {"fe80::1%", NULL},
        {"fe80::1%eth0", NULL},
        {"fe80::1%4294967296", NULL},
        {"fe80::1%1%1", NULL},
        {"[fd09::2]", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000001", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct estab_addr addr = estab_addr_ipv4(9, 9, 9, 9, 9);
        char text[ADDR_TEXT];

        if (addr_parse(rows[i].in, &addr) != (rows[i].out != NULL))
            fail_msg("'%s' is %s", rows[i].in, rows[i].out != NULL ? "an address" : "no address");
        if (rows[i].out != NULL)
            assert_string_equal(addr_format(&addr, text), rows[i].out);
        else
            assert_int_equal(addr.port, 9); /* left alone */
    }
}

static void addr_parse_port_grid_round_trips(void **state)
{
    static const struct row rows[] = {
        {"10.0.0.1:80", "10.0.0.1:80"},
        {"10.0.0.1:0", "10.0.0.1:0"},
        {"10.0.0.1:65535", "10.0.0.1:65535"},
        {"[fd09::2]:80", "[fd09::2]:80"},
        {"[fe80::1%2]:80", "[fe80::1%2]:80"},
        {":80", "*:80"},
        {"*:80", "*:80"},
        {"80", "*:80"},
        {"0.0.0.0:80", "*:80"},
        {"", NULL},
        {":", NULL},
        {"10.0.0.1", NULL},
        {"10.0.0.1:", NULL},
        {"10.0.0.1:65536", NULL},
        {"10.0.0.1:+80", NULL},
        {"10.0.0.1: 80", NULL},
        {"10.0.0.1:80x", NULL},
        {"10.0.0.1:99999999999999999999", NULL},
        {"fd09::2:80", NULL},
        {"[fd09::2]", NULL},
        {"[fd09::2]80", NULL},
        {"[fd09::2:80", NULL},
        {"[10.0.0.1]:80", NULL},
        {"[]:80", NULL},
        {"[:80", NULL},
        {"name:80", NULL},
        {"**:80", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct estab_addr addr = {0};
        char text[ADDR_TEXT];

        if (addr_parse_port(rows[i].in, &addr) != (rows[i].out != NULL))
            fail_msg("'%s' is %s", rows[i].in, rows[i].out != NULL ? "good" : "bad");
        if (rows[i].out != NULL)
            assert_string_equal(addr_format_port(&addr, text), rows[i].out);
    }
}

static void addr_parse_prefix_counts_in_the_familys_bits(void **state)
{
    static const struct {
        const char *in;
        int length; /* -1 = refused */
    } rows[] = {
        {"10.9.0.2/24", 24},
        {"10.9.0.2", 32},
        {"10.9.0.2/0", 0},
        {"10.9.0.2/32", 32},
        {"fd09::2/64", 64},
        {"fd09::2", 128},
        {"fd09::2/128", 128},
        {"::/0", 0},
        {"10.9.0.2/33", -1},
        {"fd09::2/129", -1},
        {"10.9.0.2/", -1},
        {"/24", -1},
        {"10.9.0.2/-1", -1},
        {"10.9.0.2/24/24", -1},
        {"10.9.0.2/2 4", -1},
        {"10.9.0.2:80/24", -1},
        {"10.9.0.2/255.255.255.0", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct addr_prefix prefix = {0};

        if (addr_parse_prefix(rows[i].in, &prefix) != (rows[i].length >= 0))
            fail_msg("'%s'", rows[i].in);
        if (rows[i].length >= 0)
            assert_int_equal(prefix.length, rows[i].length);
    }
}

static void addr_parse_list_names_the_bad_one(void **state)
{
    struct addr_prefix list[3];
    char error[160] = "";

    (void)state;
    assert_int_equal(addr_parse_list("10.9.0.2/24,fd09::2/64", list, 3, error, sizeof error), 2);
    assert_int_equal(list[0].length, 24);
    assert_int_equal(list[1].length, 64);
    assert_true(addr_is_ipv4(&list[0].addr));
    assert_false(addr_is_ipv4(&list[1].addr));
    assert_string_equal(error, "");

    assert_int_equal(addr_parse_list("10.9.0.2/24,10.9.0.300/24", list, 3, error, sizeof error), -1);
    assert_non_null(strstr(error, "'10.9.0.300/24'"));
    assert_null(strchr(error, '\n'));
    assert_int_equal(addr_parse_list("", list, 3, error, sizeof error), -1);
    assert_int_equal(addr_parse_list("10.9.0.2/24,", list, 3, error, sizeof error), -1);
    assert_int_equal(addr_parse_list(",10.9.0.2/24", list, 3, error, sizeof error), -1);
    assert_int_equal(addr_parse_list("1.1.1.1,1.1.1.2,1.1.1.3", list, 3, error, sizeof error), 3);
    assert_int_equal(addr_parse_list("1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4", list, 3, error, sizeof error), -1);
    assert_non_null(strstr(error, "at most 3"));
}

static void addr_parse_list_survives_a_long_item(void **state)
{
    struct addr_prefix list[2];
    char text[4096];
    char error[160];

    (void)state;
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(addr_parse_list(text, list, 2, error, sizeof error), -1);
    assert_false(addr_parse_port(text, &list[0].addr));
    assert_false(addr_parse_prefix(text, &list[0]));
}

static void addr_format_longest_fits(void **state)
{
    struct estab_addr addr = {.port = 65535, .scope = UINT32_MAX};
    char text[ADDR_TEXT];

    (void)state;
    memset(addr.ip, 0xff, sizeof addr.ip);
    assert_string_equal(addr_format_port(&addr, text),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
    assert_true(addr_parse_port(text, &addr));
    assert_int_equal(addr.scope, UINT32_MAX);
}

static void addr_equal_looks_at_address_and_scope(void **state)
{
    struct estab_addr a = estab_addr_ipv4(10, 0, 0, 1, 1);
    struct estab_addr b = estab_addr_ipv4(10, 0, 0, 1, 2);

    (void)state;
    assert_true(addr_equal(&a, &b));
    b.scope = 1;
    assert_false(addr_equal(&a, &b));
    b = estab_addr_ipv4(10, 0, 0, 2, 1);
    assert_false(addr_equal(&a, &b));
}

static void addr_errno_maps_every_error(void **state)
{
    (void)state;
    assert_int_equal(addr_errno(0), 0);
    assert_int_equal(addr_errno(-ESTAB_ECONNREFUSED), ECONNREFUSED);
    assert_int_equal(addr_errno(ESTAB_ECONNREFUSED), ECONNREFUSED);
    assert_int_equal(addr_errno(-ESTAB_EAGAIN), EAGAIN);
    assert_int_equal(addr_errno(-ESTAB_EACCES), EACCES);
    assert_int_equal(addr_errno(-12345), EIO);
    for (int i = 1; i <= ESTAB_EACCES; i++)
        assert_true(addr_errno(-i) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addr_parse_grid_round_trips),
        cmocka_unit_test(addr_parse_port_grid_round_trips),
        cmocka_unit_test(addr_parse_prefix_counts_in_the_familys_bits),
        cmocka_unit_test(addr_parse_list_names_the_bad_one),
        cmocka_unit_test(addr_parse_list_survives_a_long_item),
        cmocka_unit_test(addr_format_longest_fits),
        cmocka_unit_test(addr_equal_looks_at_address_and_scope),
        cmocka_unit_test(addr_errno_maps_every_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
