/*
 * Tests of wire/checksum against the definition, one 16-bit word at a time (RFC 1071): every length up to
 * several blocks at every alignment, the patterns that carry most, and sums taken in pieces. Buffers have the
 * exact length, so that a sanitizer sees a byte too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/checksum.h"

#define MAX_LENGTH 420u
#define ALIGNMENTS 16u

static uint32_t random_state;

static uint8_t random_byte(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint8_t)(random_state >> 24);
}

/* The ones' complement sum as RFC 1071 defines it, in network order. */
static uint32_t reference(const uint8_t *data, size_t length, uint32_t start)
{
    uint32_t sum = start;
    for (size_t i = 0; i < length; i++) {
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static uint32_t network_order(uint64_t sum)
{
    uint8_t bytes[2];
    uint16_t folded = checksum_fold(sum);
    memcpy(bytes, &folded, 2);
    return get_be16(bytes);
}

static void rfc1071_example_has_its_sum(void **state)
{
    (void)state;
    const uint8_t data[8] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(network_order(checksum_sum(data, 8)), 0xddf2);
}

/* Random bytes, all ones, all zeros, and words that carry at once when one is added. */
static void fill(uint8_t *data, size_t length, unsigned pattern)
{
    static const uint8_t words[4][4] = {{0}, {0xff, 0xff, 0xff, 0xff}, {0}, {0xff, 0xff, 0xff, 1}};
    for (size_t i = 0; i < length; i++) {
        data[i] = pattern == 0 ? random_byte() : words[pattern][i % 4];
    }
}

static void check_one(size_t length, size_t offset, unsigned pattern)
{
    uint8_t *from = malloc(offset + length + 1);
    uint8_t *to = malloc(length + 2);
    assert_non_null(from);
    assert_non_null(to);
    from = realloc(from, offset + length > 0 ? offset + length : 1);
    fill(from, offset + length, pattern);
    memset(to, 0x5a, length + 2);
    uint32_t expected = reference(from + offset, length, 0);
    assert_int_equal(network_order(checksum_sum(from + offset, length)), expected);
    assert_int_equal(network_order(checksum_copy(to + 1, from + offset, length)), expected);
    assert_memory_equal(to + 1, from + offset, length);
    assert_int_equal(to[0], 0x5a);
    assert_int_equal(to[length + 1], 0x5a);
    free(from);
    free(to);
}

static void sum_and_copy_agree_with_the_definition(void **state)
{
    (void)state;
    random_state = 1;
    for (unsigned pattern = 0; pattern < 4; pattern++) {
        for (size_t offset = 0; offset < ALIGNMENTS; offset++) {
            for (size_t length = 0; length <= MAX_LENGTH; length++) {
                check_one(length, offset, pattern);
            }
        }
    }
}

static void long_runs_do_not_overflow(void **state)
{
    (void)state;
    const size_t lengths[] = {1448, 9000, 65535, 65536, 262143, 1u << 20};
    random_state = 2;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        check_one(lengths[i], 1, 0);
        check_one(lengths[i], 0, 1);
    }
}

/* The header allows 2^16 sums to be added: the largest that a run of 256 KiB has must leave that room. */
static void sums_leave_room_for_65536_of_them(void **state)
{
    (void)state;
    size_t length = 1u << 18;
    uint8_t *data = malloc(length);
    assert_non_null(data);
    memset(data, 0xff, length);
    assert_true(checksum_sum(data, length) <= UINT64_MAX >> 16);
    free(data);
}

static void runs_cut_anywhere_add_up(void **state)
{
    (void)state;
    uint8_t data[301];
    random_state = 3;
    fill(data, sizeof data, 0);
    uint32_t expected = reference(data, sizeof data, 0);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        uint64_t first = checksum_sum(data, cut);
        uint64_t second = checksum_sum(data + cut, sizeof data - cut);
        uint64_t sum = cut % 2 == 0 ? first + second : checksum_add_odd(first, second);
        assert_int_equal(network_order(sum), expected);
    }
}

static void put_makes_a_sum_that_is_ok(void **state)
{
    (void)state;
    uint8_t data[40];
    random_state = 4;
    for (unsigned round = 0; round < 1000; round++) {
        fill(data, sizeof data, 0);
        memset(data + 16, 0, 2);
        uint32_t expected = ~reference(data, sizeof data, 0) & 0xffff;
        checksum_put(data + 16, checksum_sum(data, sizeof data));
        assert_int_equal(get_be16(data + 16), expected);
        assert_true(checksum_ok(checksum_sum(data, sizeof data)));
        data[round % sizeof data] ^= (uint8_t)(1u << (round % 8));
        assert_false(checksum_ok(checksum_sum(data, sizeof data)));
    }
}

static void v4_pseudo_header_is_twelve_bytes(void **state)
{
    (void)state;
    const uint8_t pseudo[12] = {10, 9, 0, 2, 192, 168, 255, 254, 0, 6, 0x05, 0xc8};
    struct ip_addr source = ip_addr_v4(pseudo);
    struct ip_addr destination = ip_addr_v4(pseudo + 4);
    uint64_t sum = checksum_pseudo(&source, &destination, 6) + checksum_length(0x05c8);
    assert_int_equal(network_order(sum), reference(pseudo, sizeof pseudo, 0));
}

static void v6_pseudo_header_is_forty_bytes(void **state)
{
    (void)state;
    uint8_t pseudo[40];
    random_state = 5;
    fill(pseudo, 32, 0);
    put_be32(pseudo + 32, 0x000105c8);
    put_be32(pseudo + 36, 58);
    struct ip_addr source = ip_addr_v6(pseudo);
    struct ip_addr destination = ip_addr_v6(pseudo + 16);
    uint64_t sum = checksum_pseudo(&source, &destination, 58) + checksum_length(0x000105c8);
    assert_int_equal(network_order(sum), reference(pseudo, sizeof pseudo, 0));
}

/*
 * Two mapped prefixes add nothing, but must not turn a sum of zero (which only all-zero data has) into one of
 * 0xffff.
 */
static void v4_pseudo_header_of_small_values_is_exact(void **state)
{
    (void)state;
    for (uint32_t last = 0; last < 4; last++) {
        uint8_t pseudo[12] = {0, 0, 0, 0, 0, 0, 0, (uint8_t)last, 0, 1, 0, 0};
        struct ip_addr source = ip_addr_v4(pseudo);
        struct ip_addr destination = ip_addr_v4(pseudo + 4);
        assert_int_equal(network_order(checksum_pseudo(&source, &destination, 1)), reference(pseudo, 12, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc1071_example_has_its_sum),
        cmocka_unit_test(sum_and_copy_agree_with_the_definition),
        cmocka_unit_test(long_runs_do_not_overflow),
        cmocka_unit_test(sums_leave_room_for_65536_of_them),
        cmocka_unit_test(runs_cut_anywhere_add_up),
        cmocka_unit_test(put_makes_a_sum_that_is_ok),
        cmocka_unit_test(v4_pseudo_header_is_twelve_bytes),
        cmocka_unit_test(v6_pseudo_header_is_forty_bytes),
        cmocka_unit_test(v4_pseudo_header_of_small_values_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
