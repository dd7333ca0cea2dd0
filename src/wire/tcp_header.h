/*
 * A TCP segment as a value in host order under the RFC's names (RFC 9293 3.1, 3.2; RFC 7323, 2018), and the
 * bytes it came from. Parsing looks only at bytes that arrived. Options may start on any byte (MUST-64) and
 * stand in any segment (MUST-5); unknown ones are skipped (MUST-6); an illegal length makes the segment
 * unacceptable (MUST-7: dropped and counted). Options are written by one writer with a budget of 40 bytes.
 */
#ifndef ESTAB_WIRE_TCP_HEADER_H
#define ESTAB_WIRE_TCP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/seq.h"

#define TCP_HEADER 20u
#define TCP_MAX_HEADER 60u
#define TCP_MAX_OPTIONS 40u
#define TCP_MAX_SACK 4u

enum tcp_flag {
    TCP_FIN = 0x001,
    TCP_SYN = 0x002,
    TCP_RST = 0x004,
    TCP_PSH = 0x008,
    TCP_ACK = 0x010,
    TCP_URG = 0x020,
    TCP_ECE = 0x040,
    TCP_CWR = 0x080,
    TCP_AE = 0x100
};

enum tcp_option_kind {
    TCP_OPTION_END = 0,
    TCP_OPTION_NOP = 1,
    TCP_OPTION_MSS = 2,
    TCP_OPTION_WINDOW_SCALE = 3,
    TCP_OPTION_SACK_PERMITTED = 4,
    TCP_OPTION_SACK = 5,
    TCP_OPTION_TIMESTAMPS = 8
};

struct tcp_sack_block {
    tcp_seq left;
    tcp_seq right;
};

struct tcp_options {
    bool has_mss, has_window_scale, sack_permitted, has_timestamps;
    uint8_t window_scale;  /* as sent: 0..255; the connection limits it to 14 */
    uint8_t sack_count;
    uint16_t mss;
    uint32_t tsval;
    uint32_t tsecr;
    struct tcp_sack_block sack[TCP_MAX_SACK];
};

struct tcp_segment {
    uint16_t source_port;
    uint16_t destination_port;
    tcp_seq seq;
    tcp_seq ack;
    uint16_t flags;      /* all twelve bits of enum tcp_flag and the reserved ones */
    uint16_t wnd;        /* as sent, not scaled */
    uint16_t up;         /* urgent pointer */
    uint16_t merged_size; /* set by the caller: text of the segments that offload merged into it, 0 = not */
    const uint8_t *text; /* borrowed from the packet */
    uint32_t text_length;
    const uint8_t *header; /* the raw bytes, header_length of them */
    uint32_t header_length;
    struct tcp_options options;
};

enum tcp_parse_verdict { TCP_PARSED, TCP_TRUNCATED, TCP_BAD_OFFSET, TCP_BAD_OPTION };

/* Sequence numbers are used up by text, SYN and FIN (RFC 9293 3.4: SEG.LEN). */
static inline uint32_t tcp_segment_len(const struct tcp_segment *seg)
{
    return seg->text_length + ((seg->flags & TCP_SYN) ? 1u : 0u) + ((seg->flags & TCP_FIN) ? 1u : 0u);
}

/* Nothing but zeros; the blocks of SACK are not touched: their count says that there are none. */
static inline void tcp_segment_clear(struct tcp_segment *seg)
{
    memset(seg, 0, offsetof(struct tcp_segment, options.sack));
}

/* The checksum is the caller's to verify. */
enum tcp_parse_verdict tcp_segment_parse(const uint8_t *data, size_t length, struct tcp_segment *seg);

/*
 * Writes a header of *header_length bytes (a multiple of 4): fields and options of seg, checksum field zero.
 * Text fields of seg are not looked at. Options go out in the order MSS, SACK-permitted, timestamps, NOP,
 * window scale; without SYN: NOP NOP timestamps, NOP NOP SACK, as many blocks as fit.
 */
uint32_t tcp_header_write(uint8_t out[TCP_MAX_HEADER], const struct tcp_segment *seg);

/* The same, and the sum of what was written for its checksum (wire/checksum.h). */
uint32_t tcp_header_write_sum(uint8_t out[TCP_MAX_HEADER], const struct tcp_segment *seg, uint64_t *sum);

/* The bytes that these options take, padded: what a segment loses of its MSS (MUST-16). */
uint32_t tcp_options_length(const struct tcp_options *options, bool syn);

#endif
