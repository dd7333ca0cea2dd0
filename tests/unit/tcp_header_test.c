/*
 * Tests of wire/tcp_header: round trips of every set of options, what counts outside of a SYN, and the grids
 * of V-01, V-02 and V-14. Segments lie in heap blocks of their exact length, so that a sanitizer sees the
 * first byte read beyond them. Which options are legal is computed here by a second reading of the bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/tcp_header.h"

#define NEAR_WRAP 0xfffffff0u

static uint8_t *exact_copy(const uint8_t *data, size_t length)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, data, length);
    return copy;
}

/* A header with these flags and option bytes (a multiple of 4 of them), in a block of its own. */
static enum tcp_parse_verdict parse_options(uint16_t flags, const uint8_t *options, uint32_t length,
                                            struct tcp_segment *seg)
{
    uint8_t data[TCP_MAX_HEADER] = {0};
    put_be16(data + 12, (TCP_HEADER + length) / 4 << 12 | flags);
    memcpy(data + TCP_HEADER, options, length);
    uint8_t *copy = exact_copy(data, TCP_HEADER + length);
    enum tcp_parse_verdict verdict = tcp_segment_parse(copy, TCP_HEADER + length, seg);
    free(copy);
    return verdict;
}

static struct tcp_segment make_segment(uint16_t flags, unsigned options)
{
    struct tcp_segment seg = {
        .source_port = 65535,
        .destination_port = 1,
        .seq = seq_of(NEAR_WRAP),
        .ack = seq_of(NEAR_WRAP + 1),
        .flags = flags,
        .wnd = 0xfffe,
        .up = 0x8001,
    };
    seg.options.has_mss = (options & 1) != 0;
    seg.options.mss = 1460;
    seg.options.has_window_scale = (options & 2) != 0;
    seg.options.window_scale = 14;
    seg.options.sack_permitted = (options & 4) != 0;
    seg.options.has_timestamps = (options & 8) != 0;
    seg.options.tsval = 0xffffffff;
    seg.options.tsecr = 0x80000000;
    seg.options.sack_count = (uint8_t)(options >> 4);
    for (uint32_t i = 0; i < TCP_MAX_SACK; i++) {
        seg.options.sack[i].left = seq_of(NEAR_WRAP + 1000 * i);
        seg.options.sack[i].right = seq_of(NEAR_WRAP + 1000 * i + 20);
    }
    return seg;
}

/* Of the options that were asked for, those that stand in the header which came back, and nothing else. */
static void check_round_trip(const struct tcp_segment *in, const struct tcp_segment *out)
{
    bool syn = (in->flags & TCP_SYN) != 0;
    const struct tcp_options *a = &in->options;
    const struct tcp_options *b = &out->options;
    uint8_t room = a->has_timestamps ? 3 : 4;
    uint8_t blocks = syn ? 0 : a->sack_count < room ? a->sack_count : room;
    assert_int_equal(b->has_mss, syn && a->has_mss);
    assert_int_equal(b->mss, syn && a->has_mss ? a->mss : 0);
    assert_int_equal(b->has_window_scale, syn && a->has_window_scale);
    assert_int_equal(b->window_scale, syn && a->has_window_scale ? a->window_scale : 0);
    assert_int_equal(b->sack_permitted, syn && a->sack_permitted);
    assert_int_equal(b->has_timestamps, a->has_timestamps);
    assert_int_equal(b->tsval, a->has_timestamps ? a->tsval : 0);
    assert_int_equal(b->tsecr, a->has_timestamps ? a->tsecr : 0);
    assert_int_equal(b->sack_count, blocks);
    for (uint32_t i = 0; i < blocks; i++) {
        assert_int_equal(b->sack[i].left.v, a->sack[i].left.v);
        assert_int_equal(b->sack[i].right.v, a->sack[i].right.v);
    }
}

/* All sets of options with all flags: 80 x 4096. */
static void header_written_parses_back(void **state)
{
    (void)state;
    for (unsigned options = 0; options < 5 * 16; options++) {
        for (uint16_t flags = 0; flags < 4096; flags++) {
            uint8_t data[TCP_MAX_HEADER + 7];
            struct tcp_segment in = make_segment(flags, options);
            struct tcp_segment out;
            memset(data, 0xff, sizeof data);
            uint32_t length = tcp_header_write(data, &in);
            assert_int_equal(length % 4, 0);
            assert_int_equal(length, TCP_HEADER + tcp_options_length(&in.options, flags & TCP_SYN));
            assert_int_equal(tcp_segment_parse(data, length + 7, &out), TCP_PARSED);
            assert_int_equal(out.source_port, in.source_port);
            assert_int_equal(out.destination_port, in.destination_port);
            assert_int_equal(out.seq.v, in.seq.v);
            assert_int_equal(out.ack.v, in.ack.v);
            assert_int_equal(out.flags, flags);
            assert_int_equal(out.wnd, in.wnd);
            assert_int_equal(out.up, in.up);
            assert_int_equal(out.merged_size, 0);
            assert_ptr_equal(out.header, data);
            assert_int_equal(out.header_length, length);
            assert_ptr_equal(out.text, data + length);
            assert_int_equal(out.text_length, 7);
            check_round_trip(&in, &out);
        }
    }
}

static void v12_header_is_written_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5 * 16 * 2; i++) {
        uint8_t a[TCP_MAX_HEADER];
        uint8_t b[TCP_MAX_HEADER];
        struct tcp_segment seg = make_segment(i % 2 ? TCP_SYN : TCP_ACK, i / 2);
        memset(a, 0x00, sizeof a);
        memset(b, 0xff, sizeof b);
        uint32_t length = tcp_header_write(a, &seg);
        assert_int_equal(tcp_header_write(b, &seg), length);
        assert_memory_equal(a, b, length);
        assert_int_equal(get_be16(a + 16), 0);
    }
}

static void syn_options_stand_in_the_order_of_the_design(void **state)
{
    (void)state;
    const uint8_t expected[20] = {
        2, 4, 5, 0xb4, 4, 2, 8, 10, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 1, 3, 3, 14,
    };
    uint8_t data[TCP_MAX_HEADER];
    struct tcp_segment seg = make_segment(TCP_SYN, 15);
    assert_int_equal(tcp_header_write(data, &seg), 40);
    assert_memory_equal(data + TCP_HEADER, expected, sizeof expected);
}

static void ack_options_stand_on_words(void **state)
{
    (void)state;
    const uint8_t expected[] = {1, 1, 8, 10, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0,
                                1, 1, 5, 10, 0xff, 0xff, 0xff, 0xf0, 0,    0, 0, 4};
    uint8_t data[TCP_MAX_HEADER];
    struct tcp_segment seg = make_segment(TCP_ACK, 8 + 16);
    assert_int_equal(tcp_header_write(data, &seg), 44);
    assert_memory_equal(data + TCP_HEADER, expected, sizeof expected);
}

static void fast_path_reads_timestamps_only(void **state)
{
    (void)state;
    const uint8_t options[12] = {1, 1, 8, 10, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 5};
    const uint16_t flags[] = {TCP_ACK, TCP_ACK | TCP_PSH, TCP_SYN, TCP_RST};
    for (unsigned i = 0; i < 4; i++) {
        struct tcp_segment seg;
        memset(&seg, 0xff, sizeof seg);
        assert_int_equal(parse_options(flags[i], options, 12, &seg), TCP_PARSED);
        assert_true(seg.options.has_timestamps);
        assert_int_equal(seg.options.tsval, 0xfffffff0);
        assert_int_equal(seg.options.tsecr, 5);
        assert_false(seg.options.has_mss);
        assert_false(seg.options.has_window_scale);
        assert_false(seg.options.sack_permitted);
        assert_int_equal(seg.options.sack_count, 0);
    }
}

/* MUST-65, RFC 7323 2.2, RFC 2018 2: ignored without SYN, but no reason to drop the segment. */
static void syn_only_options_are_ignored_elsewhere(void **state)
{
    (void)state;
    const uint8_t options[12] = {2, 4, 5, 0xb4, 3, 3, 7, 4, 2, 0, 0, 0};
    for (uint16_t flags = 0; flags < 4096; flags++) {
        struct tcp_segment seg;
        bool syn = (flags & TCP_SYN) != 0;
        assert_int_equal(parse_options(flags, options, sizeof options, &seg), TCP_PARSED);
        assert_int_equal(seg.options.has_mss, syn);
        assert_int_equal(seg.options.has_window_scale, syn);
        assert_int_equal(seg.options.sack_permitted, syn);
    }
}

/* MUST-64: each option on each byte of a word. */
static void options_may_start_on_any_byte(void **state)
{
    (void)state;
    const uint8_t all[29] = {
        2, 4, 5, 0xb4, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 3, 3, 7, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8, 4, 2,
    };
    for (unsigned nops = 0; nops < 11; nops++) {
        uint8_t options[40] = {0};
        struct tcp_segment seg;
        memset(options, 1, nops);
        memcpy(options + nops, all, sizeof all);
        assert_int_equal(parse_options(TCP_SYN, options, 40, &seg), TCP_PARSED);
        assert_true(seg.options.has_mss && seg.options.has_window_scale);
        assert_true(seg.options.has_timestamps && seg.options.sack_permitted);
        assert_int_equal(seg.options.mss, 1460);
        assert_int_equal(seg.options.window_scale, 7);
        assert_int_equal(seg.options.tsval, 1);
        assert_int_equal(seg.options.tsecr, 2);
        assert_int_equal(seg.options.sack_count, 1);
        assert_int_equal(seg.options.sack[0].left.v, 0x01020304);
        assert_int_equal(seg.options.sack[0].right.v, 0x05060708);
    }
}

static void bytes_behind_the_end_option_are_not_options(void **state)
{
    (void)state;
    const uint8_t options[8] = {1, 0, 2, 4, 5, 0xb4, 2, 0};
    struct tcp_segment seg;
    assert_int_equal(parse_options(TCP_SYN, options, sizeof options, &seg), TCP_PARSED);
    assert_false(seg.options.has_mss);
}

static void v01_offset_and_length_must_agree(void **state)
{
    (void)state;
    for (unsigned offset = 0; offset < 16; offset++) {
        for (size_t length = 0; length <= 74; length++) {
            uint8_t data[74] = {0};
            struct tcp_segment seg;
            data[12] = (uint8_t)(offset << 4);
            uint8_t *copy = exact_copy(data, length);
            enum tcp_parse_verdict expected = TCP_PARSED;
            if (length < TCP_HEADER) {
                expected = TCP_TRUNCATED;
            } else if (offset < 5 || offset * 4 > length) {
                expected = TCP_BAD_OFFSET;
            }
            assert_int_equal(tcp_segment_parse(copy, length, &seg), expected);
            if (expected == TCP_PARSED) {
                assert_ptr_equal(seg.text, copy + offset * 4);
                assert_int_equal(seg.text_length, length - offset * 4);
            }
            free(copy);
        }
    }
}

/*
 * Whether an option of this kind may have this length, with `left` bytes from its first to the end of the
 * header.
 */
static bool legal(uint32_t kind, uint32_t length, uint32_t left)
{
    if (length < 2 || length > left) {
        return false;
    }
    switch (kind) {
    case 2: return length == 4;
    case 3: return length == 3;
    case 4: return length == 2;
    case 5: return length == 10 || length == 18 || length == 26 || length == 34;
    case 8: return length == 10;
    default: return true;
    }
}

static bool all_legal(const uint8_t *options, uint32_t length)
{
    bool good = true;
    for (uint32_t at = 0; good && at < length && options[at] != 0;) {
        uint32_t bytes = options[at] == 1 ? 1 : at + 1 < length ? options[at + 1] : 0;
        good = options[at] == 1 || legal(options[at], bytes, length - at);
        at += bytes;
    }
    return good;
}

/* Kind x length x place x SYN or not, among NOPs: 256 x 42 x 40 x 2 cases. */
static void v02_every_option_length_is_survived(void **state)
{
    (void)state;
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < 256u * 42 * 40 * 2; i++) {
        uint16_t flags = i % 2 ? TCP_SYN : TCP_ACK;
        uint32_t kind = i / 2 % 256;
        uint32_t length = i / 512 % 42;
        uint32_t at = i / 512 / 42;
        uint8_t options[40];
        struct tcp_segment seg;
        memset(options, 1, sizeof options);
        options[at] = (uint8_t)kind;
        if (at < 39) {
            options[at + 1] = (uint8_t)length;
        }
        bool good = kind == 0 || (at < 39 && legal(kind, length, 40 - at));
        if (kind == 1) { /* then the length is itself the kind of an option, and a NOP its length */
            good = at == 39 || length < 2;
        }
        assert_int_equal(parse_options(flags, options, 40, &seg), good ? TCP_PARSED : TCP_BAD_OPTION);
        accepted += good;
        if (good && kind > 1) {
            assert_int_equal(seg.options.has_mss, kind == 2 && flags == TCP_SYN);
            assert_int_equal(seg.options.has_window_scale, kind == 3 && flags == TCP_SYN);
            assert_int_equal(seg.options.sack_permitted, kind == 4 && flags == TCP_SYN);
            assert_int_equal(seg.options.sack_count, kind == 5 ? length / 8 : 0);
            assert_int_equal(seg.options.has_timestamps, kind == 8);
        }
    }
    assert_true(accepted > 0);
}

/*
 * A last option whose length byte lies outside of the header, for every header length: the text behind must
 * not be taken for it.
 */
static void v02_last_byte_cannot_be_an_option(void **state)
{
    (void)state;
    for (uint32_t length = 4; length <= 40; length += 4) {
        for (uint32_t kind = 0; kind < 256; kind++) {
            uint8_t data[TCP_MAX_HEADER + 4] = {0};
            struct tcp_segment seg;
            memset(data + TCP_HEADER, 1, length);
            data[12] = (uint8_t)((TCP_HEADER + length) * 4);
            data[TCP_HEADER + length - 1] = (uint8_t)kind;
            data[TCP_HEADER + length] = 2;
            enum tcp_parse_verdict expected = kind < 2 ? TCP_PARSED : TCP_BAD_OPTION;
            assert_int_equal(tcp_segment_parse(data, TCP_HEADER + length + 4, &seg), expected);
        }
    }
}

/* What looks nearly like the header of the fast path: each of its first four bytes with each value. */
static void v02_neighbours_of_the_fast_path_are_read_in_full(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4 * 256 * 2; i++) {
        uint8_t options[12] = {1, 1, 8, 10, 1, 1, 1, 1, 1, 1, 1, 1};
        struct tcp_segment seg;
        uint32_t at = i / 2 % 4;
        options[at] = (uint8_t)(i / 8);
        enum tcp_parse_verdict expected = all_legal(options, sizeof options) ? TCP_PARSED : TCP_BAD_OPTION;
        assert_int_equal(parse_options(i % 2 ? TCP_SYN : TCP_ACK, options, sizeof options, &seg), expected);
        if (expected == TCP_PARSED) {
            assert_int_equal(seg.options.has_timestamps, options[at] == (at < 2 ? 1 : at == 2 ? 8 : 10));
        }
    }
}

/* Each byte of the common SYN with each value: read as behind four NOPs, where it is not the common one. */
static void v02_neighbours_of_the_common_syn_are_read_in_full(void **state)
{
    (void)state;
    const uint8_t common[20] = {2, 4, 0, 1, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7};
    for (uint32_t i = 0; i < sizeof common * 256 * 2; i++) {
        uint8_t options[4 + sizeof common] = {1, 1, 1, 1};
        struct tcp_segment fast;
        struct tcp_segment full;
        uint16_t flags = i % 2 ? TCP_SYN : TCP_ACK;
        memset(&fast, 0, sizeof fast);
        memset(&full, 0, sizeof full);
        memcpy(options + 4, common, sizeof common);
        options[4 + i / 2 % sizeof common] = (uint8_t)(i / 2 / sizeof common);
        enum tcp_parse_verdict verdict = parse_options(flags, options + 4, sizeof common, &fast);
        assert_int_equal(parse_options(flags, options, sizeof options, &full), verdict);
        if (verdict == TCP_PARSED) {
            assert_memory_equal(&fast.options, &full.options, sizeof fast.options);
        }
    }
}

static void v02_random_options_agree_with_a_second_reading(void **state)
{
    (void)state;
    const uint8_t likely[] = {0, 1, 2, 3, 4, 5, 8, 10, 18, 26, 34, 42};
    uint32_t random = 11;
    uint32_t accepted = 0;
    for (uint32_t round = 0; round < 300000; round++) {
        uint8_t options[40];
        struct tcp_segment seg;
        uint32_t length = (random >> 9) % 11 * 4;
        for (uint32_t i = 0; i < length; i++) {
            random = random * 1664525u + 1013904223u;
            options[i] = random >> 28 ? likely[(random >> 16) % sizeof likely] : (uint8_t)(random >> 8);
        }
        bool good = all_legal(options, length);
        uint16_t flags = random >> 31 ? TCP_SYN : TCP_ACK;
        enum tcp_parse_verdict verdict = parse_options(flags, options, length, &seg);
        assert_int_equal(verdict, good ? TCP_PARSED : TCP_BAD_OPTION);
        assert_true(verdict != TCP_PARSED || seg.options.sack_count <= TCP_MAX_SACK);
        accepted += good;
        random = random * 1664525u + 1013904223u;
    }
    assert_in_range(accepted, 1000, 299000);
}

/* RFC 2018: blocks are told as they came, wrap, order and nonsense included; the connection judges them. */
static void sack_blocks_of_all_counts_are_read(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 4; count++) {
        uint8_t options[40] = {1, 1, 5, (uint8_t)(2 + 8 * count)};
        struct tcp_segment seg;
        for (uint32_t i = 0; i < 2 * count; i++) {
            put_be32(options + 4 + 4 * i, NEAR_WRAP + 7 * i);
        }
        assert_int_equal(parse_options(TCP_ACK, options, 4 + 8 * count, &seg), TCP_PARSED);
        assert_int_equal(seg.options.sack_count, count);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(seg.options.sack[i].left.v, NEAR_WRAP + 14 * i);
            assert_int_equal(seg.options.sack[i].right.v, NEAR_WRAP + 14 * i + 7);
        }
    }
}

static void v14_mss_of_zero_is_no_mss(void **state)
{
    (void)state;
    for (uint32_t mss = 0; mss < 65536; mss++) {
        uint8_t options[4] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss};
        struct tcp_segment seg;
        assert_int_equal(parse_options(TCP_SYN, options, 4, &seg), TCP_PARSED);
        assert_int_equal(seg.options.has_mss, mss != 0);
        assert_int_equal(seg.options.mss, mss);
    }
}

static void v14_window_scale_is_told_as_sent(void **state)
{
    (void)state;
    for (uint32_t shift = 0; shift < 256; shift++) {
        uint8_t options[4] = {1, 3, 3, (uint8_t)shift};
        struct tcp_segment seg;
        assert_int_equal(parse_options(TCP_SYN, options, 4, &seg), TCP_PARSED);
        assert_true(seg.options.has_window_scale);
        assert_int_equal(seg.options.window_scale, shift);
    }
}

static void v14_timestamps_take_every_extreme(void **state)
{
    (void)state;
    const uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff};
    for (unsigned i = 0; i < 36; i++) {
        for (unsigned nops = 1; nops <= 2; nops++) {
            uint8_t options[16] = {1, 1, 8, 10};
            struct tcp_segment seg;
            options[nops] = 8;
            options[nops + 1] = 10;
            put_be32(options + nops + 2, values[i / 6]);
            put_be32(options + nops + 6, values[i % 6]);
            assert_int_equal(parse_options(TCP_ACK, options, 12, &seg), TCP_PARSED);
            assert_int_equal(seg.options.tsval, values[i / 6]);
            assert_int_equal(seg.options.tsecr, values[i % 6]);
        }
    }
}

static void segment_len_counts_syn_and_fin(void **state)
{
    (void)state;
    struct tcp_segment seg = make_segment(TCP_ACK, 0);
    seg.text_length = 100;
    assert_int_equal(tcp_segment_len(&seg), 100);
    seg.flags = TCP_SYN;
    assert_int_equal(tcp_segment_len(&seg), 101);
    seg.flags = TCP_SYN | TCP_FIN | TCP_RST;
    assert_int_equal(tcp_segment_len(&seg), 102);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_written_parses_back),
        cmocka_unit_test(v12_header_is_written_whole),
        cmocka_unit_test(syn_options_stand_in_the_order_of_the_design),
        cmocka_unit_test(ack_options_stand_on_words),
        cmocka_unit_test(fast_path_reads_timestamps_only),
        cmocka_unit_test(syn_only_options_are_ignored_elsewhere),
        cmocka_unit_test(options_may_start_on_any_byte),
        cmocka_unit_test(bytes_behind_the_end_option_are_not_options),
        cmocka_unit_test(v01_offset_and_length_must_agree),
        cmocka_unit_test(v02_every_option_length_is_survived),
        cmocka_unit_test(v02_last_byte_cannot_be_an_option),
        cmocka_unit_test(v02_neighbours_of_the_fast_path_are_read_in_full),
        cmocka_unit_test(v02_neighbours_of_the_common_syn_are_read_in_full),
        cmocka_unit_test(v02_random_options_agree_with_a_second_reading),
        cmocka_unit_test(sack_blocks_of_all_counts_are_read),
        cmocka_unit_test(v14_mss_of_zero_is_no_mss),
        cmocka_unit_test(v14_window_scale_is_told_as_sent),
        cmocka_unit_test(v14_timestamps_take_every_extreme),
        cmocka_unit_test(segment_len_counts_syn_and_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
