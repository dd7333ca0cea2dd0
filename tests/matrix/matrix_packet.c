/*
 * Packets of the matrix: segments to bytes and back, written from RFC 791, 8200, 9293 3.1, 7323 and 2018 and
 * not from src/wire, so that an error there does not hide itself. Checksums are computed where the caller
 * asks for it.
 */
#include "matrix/matrix.h"
#include "sim/bytes.h"

#define TEXT_PERIOD 256u
#define TEXT_MOST   2048u

/* The sum of a TCP segment with its pseudo header: the addresses stand in the IP header before it. */
static uint32_t sum_tcp(const struct matrix_bench *bench, const uint8_t *ip, const uint8_t *tcp,
                        size_t length)
{
    uint32_t sum = bench->v6 ? sum_bytes(ip + 8, 32, 0) : sum_bytes(ip + 12, 8, 0);
    return sum_bytes(tcp, length, sum + 6 + (uint32_t)length);
}

/* ---- the peer's stream ---- */

static uint8_t text_at(uint32_t position)
{
    return (uint8_t)(position * 37 + 5);
}

uint8_t matrix_byte(const struct matrix_bench *bench, uint32_t seq)
{
    return text_at(seq - bench->irs);
}

static void put_text(const struct matrix_bench *bench, const struct oracle_segment *seg, uint8_t *out)
{
    static uint8_t stream[TEXT_PERIOD + TEXT_MOST];
    if (stream[0] == 0) {
        for (uint32_t i = 0; i < sizeof stream; i++) {
            stream[i] = text_at(i);
        }
    }
    uint32_t first = seg->seq + ((seg->flags & ORACLE_SYN) ? 1 : 0) - bench->irs;
    memcpy(out, stream + first % TEXT_PERIOD, seg->text_length);
}

/* ---- in ---- */

static size_t put_options(const struct oracle_segment *seg, uint8_t *out)
{
    size_t n = 0;
    if (seg->mss != 0) {
        out[n] = 2;
        out[n + 1] = 4;
        put16(out + n + 2, seg->mss);
        n += 4;
    }
    if (seg->window_scale >= 0) {
        const uint8_t scale[4] = {1, 3, 3, (uint8_t)seg->window_scale};
        memcpy(out + n, scale, 4);
        n += 4;
    }
    if (seg->sack_permitted) {
        const uint8_t permitted[4] = {1, 1, 4, 2};
        memcpy(out + n, permitted, 4);
        n += 4;
    }
    if (seg->timestamps) {
        const uint8_t head[4] = {1, 1, 8, 10};
        memcpy(out + n, head, 4);
        put32(out + n + 4, seg->tsval);
        put32(out + n + 8, seg->tsecr);
        n += 12;
    }
    return n;
}

static size_t put_ip(const struct matrix_bench *bench, uint8_t *out, size_t payload)
{
    static const uint8_t v6[40] = {0x60, 0, 0, 0, 0,    0, 6, 64, 0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                   0,    0, 0, 1, 0xfd, 9, 0, 0,  0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
    static const uint8_t v4[20] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2};
    if (bench->v6) {
        memcpy(out, v6, sizeof v6);
        put16(out + 4, (unsigned)payload);
        return sizeof v6;
    }
    memcpy(out, v4, sizeof v4);
    put16(out + 2, (unsigned)(sizeof v4 + payload));
    put16(out + 10, ~sum_bytes(out, sizeof v4, 0) & 0xffff);
    return sizeof v4;
}

size_t matrix_packet(const struct matrix_bench *bench, const struct oracle_segment *seg, bool checksum,
                     uint8_t *out)
{
    uint8_t options[40];
    size_t optlen = put_options(seg, options);
    size_t length = 20 + optlen + seg->text_length;
    size_t at = put_ip(bench, out, length);
    uint8_t *tcp = out + at;
    put16(tcp, MATRIX_PEER_PORT);
    put16(tcp + 2, MATRIX_LOCAL_PORT);
    put32(tcp + 4, seg->seq);
    put32(tcp + 8, seg->ack);
    tcp[12] = (uint8_t)((20 + optlen) << 2);
    tcp[13] = seg->flags;
    put16(tcp + 14, seg->window & 0xffff);
    put16(tcp + 16, 0);
    put16(tcp + 18, seg->up);
    memcpy(tcp + 20, options, optlen);
    put_text(bench, seg, tcp + 20 + optlen);
    if (checksum) {
        put16(tcp + 16, ~sum_tcp(bench, out, tcp, length) & 0xffff);
    }
    return at + length;
}

/* ---- out ---- */

static const char *parse_option(const uint8_t *p, size_t n, struct matrix_sent *sent)
{
    struct oracle_segment *seg = &sent->segment;
    if (p[0] == 2 && n == 4) {
        seg->mss = (uint16_t)get16(p + 2);
    } else if (p[0] == 3 && n == 3) {
        seg->window_scale = (int8_t)p[2];
    } else if (p[0] == 4 && n == 2) {
        seg->sack_permitted = true;
    } else if (p[0] == 8 && n == 10) {
        seg->timestamps = true;
        seg->tsval = get32(p + 2);
        seg->tsecr = get32(p + 6);
    } else if (p[0] == 5 && n >= 10 && (n - 2) % 8 == 0 && n <= 34) {
        for (size_t at = 2; at < n; at += 8) {
            sent->sack[sent->sack_count][0] = get32(p + at);
            sent->sack[sent->sack_count++][1] = get32(p + at + 4);
        }
    } else {
        return "an option that should not be there";
    }
    return NULL;
}

static const char *parse_options(const uint8_t *p, size_t length, struct matrix_sent *sent)
{
    for (size_t i = 0; i < length && p[i] != 0;) {
        if (p[i] == 1) {
            i++;
            continue;
        }
        if (i + 1 >= length || p[i + 1] < 2 || i + p[i + 1] > length) {
            return "an option that is cut off";
        }
        const char *wrong = parse_option(p + i, p[i + 1], sent);
        if (wrong != NULL) {
            return wrong;
        }
        i += p[i + 1];
    }
    return NULL;
}

static const char *parse_tcp(const uint8_t *tcp, size_t length, struct matrix_sent *sent)
{
    struct oracle_segment *seg = &sent->segment;
    size_t header = length >= 20 ? (size_t)(tcp[12] >> 4) * 4 : 0;
    if (header < 20 || header > length) {
        return "a broken TCP header";
    }
    if (get16(tcp) != MATRIX_LOCAL_PORT || get16(tcp + 2) != MATRIX_PEER_PORT) {
        return "wrong ports";
    }
    seg->seq = get32(tcp + 4);
    seg->ack = get32(tcp + 8);
    seg->flags = tcp[13];
    seg->window = get16(tcp + 14);
    seg->up = (uint16_t)get16(tcp + 18);
    seg->text_length = (uint32_t)(length - header);
    return parse_options(tcp + 20, header - 20, sent);
}

void matrix_parse(const struct matrix_bench *bench, const struct estab_packet *packet, bool checksum,
                  struct matrix_sent *sent)
{
    const uint8_t *p = packet->data;
    size_t at = bench->v6 ? 40 : 20;
    size_t ours = bench->v6 ? 23 : 15;
    size_t theirs = bench->v6 ? 39 : 19;
    memset(sent, 0, sizeof *sent);
    sent->segment.window_scale = -1;
    sent->reason = packet->reason;
    size_t told = packet->length < at ? 0 : bench->v6 ? at + get16(p + 4) : get16(p + 2);
    if (told != packet->length || p[0] >> 4 != (bench->v6 ? 6 : 4) || p[ours] != 2 || p[theirs] != 1) {
        sent->broken = "a broken IP header";
        return;
    }
    sent->broken = parse_tcp(p + at, packet->length - at, sent);
    if (sent->broken == NULL && checksum && sum_tcp(bench, p, p + at, packet->length - at) != 0xffff) {
        sent->broken = "a wrong checksum";
    }
}
