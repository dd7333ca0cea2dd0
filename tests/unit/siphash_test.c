/*
 * SipHash against the vectors of its authors' reference implementation: key 00 01 .. 0f, message 00 01 02 ..
 * of each length that is whole words. For 1-3 the same program built with one and three rounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/siphash.h"

enum { LENGTHS = 8 };

/* Eight output bytes read as a little-endian word, for messages of 0, 8, 16, .. 56 bytes. */
static const uint64_t vectors24[LENGTHS] = {
    0x726fdb47dd0e0e31, 0x93f5f5799a932462, 0x3f2acc7f57c29bdb, 0xb8ad50c6f649af94,
    0x7127512f72f27cce, 0x0e3ea96b5304a7d0, 0xe612a3cb9ecba951, 0xb78dbfaf3a8d83bd,
};

static const uint64_t vectors13[LENGTHS] = {
    0xabac0158050fc4dc, 0x369095118d299a8e, 0xcc4fdd1a7d908b66, 0xf464aeb267349c8c,
    0x81157b6c16a7b60d, 0xc1d2363299e41531, 0x9f3143f8df074c46, 0xb4bcc0db243c6d75,
};

static struct siphash_key reference_key(void)
{
    uint8_t bytes[16];
    for (unsigned i = 0; i < 16; i++) {
        bytes[i] = (uint8_t)i;
    }
    return siphash_key_read(bytes);
}

static void reference_words(uint64_t words[LENGTHS])
{
    for (unsigned i = 0; i < LENGTHS; i++) {
        words[i] = 0;
        for (unsigned j = 0; j < 8; j++) {
            words[i] |= (uint64_t)(i * 8 + j) << (8 * j);
        }
    }
}

static void key_read_is_little_endian(void **state)
{
    (void)state;
    struct siphash_key key = reference_key();
    assert_true(key.k0 == 0x0706050403020100);
    assert_true(key.k1 == 0x0f0e0d0c0b0a0908);
}

static void siphash24_reference_vectors_match(void **state)
{
    (void)state;
    struct siphash_key key = reference_key();
    uint64_t words[LENGTHS];
    reference_words(words);
    for (unsigned count = 0; count < LENGTHS; count++) {
        assert_true(siphash24(&key, words, count) == vectors24[count]);
    }
}

static void siphash13_reference_vectors_match(void **state)
{
    (void)state;
    struct siphash_key key = reference_key();
    uint64_t words[LENGTHS];
    reference_words(words);
    for (unsigned count = 0; count < LENGTHS; count++) {
        assert_true(siphash13(&key, words, count) == vectors13[count]);
    }
}

static unsigned bits_of(uint64_t value)
{
    unsigned count = 0;
    for (; value != 0; value &= value - 1) {
        count++;
    }
    return count;
}

/*
 * Every bit of key and message must reach about half of the result: between 10 and 54 of 64 in each single
 * case.
 */
static void any_input_bit_changes_about_half_the_output(void **state)
{
    (void)state;
    struct siphash_key key = reference_key();
    uint64_t words[3] = {1, 2, 3};
    uint64_t plain = siphash13(&key, words, 3);
    unsigned sum = 0;
    for (unsigned bit = 0; bit < 5 * 64; bit++) {
        uint64_t *word = bit < 192 ? &words[bit / 64] : bit < 256 ? &key.k0 : &key.k1;
        *word ^= UINT64_C(1) << (bit % 64);
        unsigned changed = bits_of(plain ^ siphash13(&key, words, 3));
        *word ^= UINT64_C(1) << (bit % 64);
        assert_in_range(changed, 10, 54);
        sum += changed;
    }
    assert_in_range(sum / 320, 30, 34);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_read_is_little_endian),
        cmocka_unit_test(siphash24_reference_vectors_match),
        cmocka_unit_test(siphash13_reference_vectors_match),
        cmocka_unit_test(any_input_bit_changes_about_half_the_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
