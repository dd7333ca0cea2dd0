/*
 * TCP headers and options (RFC 9293 3.1, 3.2; RFC 7323; RFC 2018). Parsing compares 20 <= data offset * 4 <=
 * length before anything behind the fixed header is read (V-01). The option loop takes at least one byte a
 * step and refuses a length below two, past the end of the header, or other than the one that a known kind
 * must have (MUST-7, V-02). Headers are written field by field, nothing is left over (V-12).
 *
 * This file must not know connections: which options were negotiated, the limit of the window scale and what
 * a SACK block may say are for tcp/ to decide. It knows only what an option may not mean outside of a SYN.
 */
#include "wire/tcp_header.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "wire/checksum.h"

#define MSS_LENGTH            4u
#define WINDOW_SCALE_LENGTH   3u
#define SACK_PERMITTED_LENGTH 2u
#define TIMESTAMPS_LENGTH     10u
#define SACK_HEAD_LENGTH      2u
#define SACK_BLOCK_LENGTH     8u

#define FLAGS_MASK                0x0fffu
#define NOP_NOP_TIMESTAMPS        0x0101080au
#define NOP_NOP_TIMESTAMPS_LENGTH 12u
#define ALL_SYN_OPTIONS_LENGTH    20u
#define MSS_HEAD                  0x0204u
#define SACK_PERMITTED_TIMESTAMPS 0x0402080au
#define NOP_WINDOW_SCALE_HEAD     0x010303u

static uint32_t padded(uint32_t length)
{
    return (length + 3u) & ~3u;
}

/* A known kind has one length, SACK one for each number of blocks: four at most fit into a header. */
static bool length_is_legal(uint8_t kind, uint32_t length)
{
    switch (kind) {
    case TCP_OPTION_MSS: return length == MSS_LENGTH;
    case TCP_OPTION_WINDOW_SCALE: return length == WINDOW_SCALE_LENGTH;
    case TCP_OPTION_SACK_PERMITTED: return length == SACK_PERMITTED_LENGTH;
    case TCP_OPTION_TIMESTAMPS: return length == TIMESTAMPS_LENGTH;
    case TCP_OPTION_SACK:
        return length > SACK_HEAD_LENGTH && (length - SACK_HEAD_LENGTH) % SACK_BLOCK_LENGTH == 0;
    default: return true;
    }
}

static void read_timestamps(const uint8_t *value, struct tcp_options *options)
{
    options->has_timestamps = true;
    options->tsval = get_be32(value);
    options->tsecr = get_be32(value + 4);
}

static void read_sack(const uint8_t *value, uint32_t length, struct tcp_options *options)
{
    uint32_t count = length / SACK_BLOCK_LENGTH;
    for (uint32_t i = 0; i < count; i++) {
        options->sack[i].left = seq_of(get_be32(value + i * SACK_BLOCK_LENGTH));
        options->sack[i].right = seq_of(get_be32(value + i * SACK_BLOCK_LENGTH + 4));
    }
    options->sack_count = (uint8_t)count;
}

/* Options that mean something only in a SYN (MUST-65, RFC 7323 2.2, RFC 2018 2). */
static void read_syn_option(const uint8_t *option, struct tcp_options *options)
{
    switch (option[0]) {
    case TCP_OPTION_MSS:
        /* A segment size of nothing is as good as no option, and nobody may ever divide by it (V-14). */
        if (get_be16(option + 2) != 0) {
            options->has_mss = true;
            options->mss = get_be16(option + 2);
        }
        break;
    case TCP_OPTION_WINDOW_SCALE:
        options->has_window_scale = true;
        options->window_scale = option[2]; /* R7323-03 */
        break;
    case TCP_OPTION_SACK_PERMITTED: options->sack_permitted = true; break;
    default: break;
    }
}

static void read_option(const uint8_t *option, uint32_t length, bool syn, struct tcp_options *options)
{
    if (option[0] == TCP_OPTION_TIMESTAMPS) {
        read_timestamps(option + 2, options);
    } else if (option[0] == TCP_OPTION_SACK) {
        read_sack(option + SACK_HEAD_LENGTH, length - SACK_HEAD_LENGTH, options);
    } else if (syn) {
        read_syn_option(option, options);
    }
}

static enum tcp_parse_verdict read_options(const uint8_t *data, uint32_t length, bool syn,
                                           struct tcp_options *options)
{
    uint32_t at = 0;
    while (at < length && data[at] != TCP_OPTION_END) { /* MUST-4 */
        if (data[at] == TCP_OPTION_NOP) {
            at++;
            continue;
        }
        uint32_t left = length - at;
        if (left < 2 || data[at + 1] < 2 || data[at + 1] > left) {
            return TCP_BAD_OPTION;
        }
        uint32_t bytes = data[at + 1];
        if (!length_is_legal(data[at], bytes)) {
            return TCP_BAD_OPTION;
        }
        read_option(data + at, bytes, syn, options);
        at += bytes;
    }
    return TCP_PARSED;
}

/*
 * What nearly every SYN looks like: MSS, SACK-permitted, timestamps, NOP, window scale. False: it does not,
 * and nothing was read.
 */
static bool read_all_syn_options(const uint8_t *data, struct tcp_options *options)
{
    uint32_t mss = get_be32(data);
    uint32_t scale = get_be32(data + 16);
    if (mss >> 16 != MSS_HEAD || (uint16_t)mss == 0 || get_be32(data + 4) != SACK_PERMITTED_TIMESTAMPS ||
        scale >> 8 != NOP_WINDOW_SCALE_HEAD) {
        return false;
    }
    options->has_mss = options->sack_permitted = options->has_window_scale = true;
    options->mss = (uint16_t)mss;
    options->window_scale = (uint8_t)scale;
    read_timestamps(data + 8, options);
    return true;
}

/* The blocks of SACK are not touched: their count says that there are none. */
static inline void clear_options(struct tcp_options *options)
{
    options->has_mss = options->has_window_scale = options->sack_permitted = options->has_timestamps = false;
    options->window_scale = 0;
    options->sack_count = 0;
    options->mss = 0;
    options->tsval = options->tsecr = 0;
}

enum tcp_parse_verdict tcp_segment_parse(const uint8_t *data, size_t length, struct tcp_segment *seg)
{
    if (length < TCP_HEADER) {
        return TCP_TRUNCATED;
    }
    uint32_t header_length = (data[12] >> 4) * 4u;
    if (header_length < TCP_HEADER || header_length > length) {
        return TCP_BAD_OFFSET;
    }
    seg->source_port = get_be16(data);
    seg->destination_port = get_be16(data + 2);
    seg->seq = seq_of(get_be32(data + 4));
    seg->ack = seq_of(get_be32(data + 8));
    seg->flags = get_be16(data + 12) & FLAGS_MASK;
    seg->wnd = get_be16(data + 14);
    seg->up = get_be16(data + 18);
    seg->merged_size = 0;
    seg->text = data + header_length;
    seg->text_length = (uint32_t)length - header_length;
    seg->header = data;
    seg->header_length = header_length;
    clear_options(&seg->options);
    /* What nearly every segment of a connection with timestamps looks like (RFC 7323 appendix A). */
    if (header_length == TCP_HEADER + NOP_NOP_TIMESTAMPS_LENGTH &&
        get_be32(data + TCP_HEADER) == NOP_NOP_TIMESTAMPS) {
        read_timestamps(data + TCP_HEADER + 4, &seg->options);
        return TCP_PARSED;
    }
    bool syn = (seg->flags & TCP_SYN) != 0;
    if (syn && header_length == TCP_HEADER + ALL_SYN_OPTIONS_LENGTH &&
        read_all_syn_options(data + TCP_HEADER, &seg->options)) {
        return TCP_PARSED;
    }
    return read_options(data + TCP_HEADER, header_length - TCP_HEADER, syn, &seg->options);
}

/*
 * Stores a word and returns what it adds to the checksum, so that what was just written need not be read
 * again.
 */
static inline uint64_t put_word(uint8_t *out, uint32_t value)
{
    uint32_t word = be32_word(value);
    memcpy(out, &word, sizeof word);
    return word;
}

static uint32_t timestamps_write(uint8_t *out, const struct tcp_options *options)
{
    out[0] = TCP_OPTION_TIMESTAMPS;
    out[1] = TIMESTAMPS_LENGTH;
    put_be32(out + 2, options->tsval);
    put_be32(out + 6, options->tsecr);
    return TIMESTAMPS_LENGTH;
}

/* Outside of a SYN, aligned (RFC 7323 appendix A). Returns their sum. */
static inline uint64_t aligned_timestamps_write(uint8_t *out, const struct tcp_options *options)
{
    return put_word(out, NOP_NOP_TIMESTAMPS) + put_word(out + 4, options->tsval) +
           put_word(out + 8, options->tsecr);
}

/* What syn_options_write() writes where a SYN has all of them. Returns their sum. */
static inline uint64_t all_syn_options_write(uint8_t *out, const struct tcp_options *options)
{
    return put_word(out, MSS_HEAD << 16 | options->mss) + put_word(out + 4, SACK_PERMITTED_TIMESTAMPS) +
           put_word(out + 8, options->tsval) + put_word(out + 12, options->tsecr) +
           put_word(out + 16, NOP_WINDOW_SCALE_HEAD << 8 | options->window_scale);
}

/* MSS, SACK-permitted, timestamps, NOP, window scale, and NOPs to the next multiple of four. */
static uint32_t syn_options_write(uint8_t *out, const struct tcp_options *options)
{
    uint32_t at = 0;
    if (options->has_mss) {
        out[at] = TCP_OPTION_MSS;
        out[at + 1] = MSS_LENGTH;
        put_be16(out + at + 2, options->mss);
        at += MSS_LENGTH;
    }
    if (options->sack_permitted) {
        out[at] = TCP_OPTION_SACK_PERMITTED;
        out[at + 1] = SACK_PERMITTED_LENGTH;
        at += SACK_PERMITTED_LENGTH;
    }
    if (options->has_timestamps) {
        at += timestamps_write(out + at, options);
    }
    if (options->has_window_scale) {
        out[at] = TCP_OPTION_NOP;
        out[at + 1] = TCP_OPTION_WINDOW_SCALE;
        out[at + 2] = WINDOW_SCALE_LENGTH;
        out[at + 3] = options->window_scale;
        at += 1 + WINDOW_SCALE_LENGTH;
    }
    while (at % 4 != 0) {
        out[at++] = TCP_OPTION_NOP;
    }
    return at;
}

/* How many of the blocks have room beside the other options. */
static uint32_t sack_blocks_that_fit(const struct tcp_options *options)
{
    ESTAB_ASSERT(options->sack_count <= TCP_MAX_SACK);
    uint32_t used = (options->has_timestamps ? NOP_NOP_TIMESTAMPS_LENGTH : 0u) + 2u + SACK_HEAD_LENGTH;
    uint32_t fit = (TCP_MAX_OPTIONS - used) / SACK_BLOCK_LENGTH;
    return options->sack_count < fit ? options->sack_count : fit;
}

static uint32_t sack_write(uint8_t *out, const struct tcp_options *options)
{
    uint32_t count = sack_blocks_that_fit(options);
    out[0] = TCP_OPTION_NOP;
    out[1] = TCP_OPTION_NOP;
    out[2] = TCP_OPTION_SACK;
    out[3] = (uint8_t)(SACK_HEAD_LENGTH + count * SACK_BLOCK_LENGTH); /* MUST-68 */
    for (uint32_t i = 0; i < count; i++) {
        put_be32(out + 4 + i * SACK_BLOCK_LENGTH, options->sack[i].left.v);
        put_be32(out + 8 + i * SACK_BLOCK_LENGTH, options->sack[i].right.v);
    }
    return 4 + count * SACK_BLOCK_LENGTH;
}

static uint32_t options_write(uint8_t *out, const struct tcp_segment *seg)
{
    const struct tcp_options *options = &seg->options;
    uint32_t length = 0;
    if (seg->flags & TCP_SYN) {
        return syn_options_write(out, options);
    }
    if (options->has_timestamps) {
        aligned_timestamps_write(out, options);
        length = NOP_NOP_TIMESTAMPS_LENGTH;
    }
    if (options->sack_count > 0) {
        length += sack_write(out + length, options);
    }
    return length;
}

uint32_t tcp_header_write_sum(uint8_t out[TCP_MAX_HEADER], const struct tcp_segment *seg, uint64_t *sum)
{
    const struct tcp_options *options = &seg->options;
    bool syn = (seg->flags & TCP_SYN) != 0;
    uint32_t length = TCP_HEADER + (syn ? ALL_SYN_OPTIONS_LENGTH : NOP_NOP_TIMESTAMPS_LENGTH);
    uint64_t words;
    if (!syn && options->has_timestamps && options->sack_count == 0) {
        words = aligned_timestamps_write(out + TCP_HEADER, options);
    } else if (syn && options->has_mss && options->sack_permitted && options->has_timestamps &&
               options->has_window_scale) {
        words = all_syn_options_write(out + TCP_HEADER, options);
    } else {
        length = TCP_HEADER + options_write(out + TCP_HEADER, seg);
        words = checksum_sum(out + TCP_HEADER, length - TCP_HEADER);
    }
    words += put_word(out, (uint32_t)seg->source_port << 16 | seg->destination_port);
    words += put_word(out + 4, seg->seq.v);
    words += put_word(out + 8, seg->ack.v);
    words += put_word(out + 12, (length / 4) << 28 | (seg->flags & FLAGS_MASK) << 16 | seg->wnd);
    words += put_word(out + 16, seg->up);
    *sum = words;
    return length;
}

uint32_t tcp_header_write(uint8_t out[TCP_MAX_HEADER], const struct tcp_segment *seg)
{
    uint64_t sum;
    return tcp_header_write_sum(out, seg, &sum);
}

uint32_t tcp_options_length(const struct tcp_options *options, bool syn)
{
    uint32_t length = 0;
    if (syn) {
        length += options->has_mss ? MSS_LENGTH : 0u;
        length += options->sack_permitted ? SACK_PERMITTED_LENGTH : 0u;
        length += options->has_timestamps ? TIMESTAMPS_LENGTH : 0u;
        length += options->has_window_scale ? 1u + WINDOW_SCALE_LENGTH : 0u;
        return padded(length); /* MUST-69 */
    }
    length += options->has_timestamps ? NOP_NOP_TIMESTAMPS_LENGTH : 0u;
    if (options->sack_count > 0) {
        length += 2u + SACK_HEAD_LENGTH + sack_blocks_that_fit(options) * SACK_BLOCK_LENGTH;
    }
    return length;
}
