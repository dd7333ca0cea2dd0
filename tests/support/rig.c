/*
 * See rig.h. The codec of packets here is a second one, written from RFC 791, 8200 and 9293 and not from
 * src/wire, so that an error there does not hide itself; checksums, lengths and the fixed fields of every
 * packet sent are verified.
 */
#include "support/rig.h"
#include "sim/bytes.h"

#include <stdio.h>

#define START (100 * SECOND)

_Static_assert(TRACE_MEMORY % 64 == 0, "the stack's other parts keep their alignment");

/* ---- bytes ---- */

static unsigned checksum(const uint8_t *p, size_t length, uint32_t sum)
{
    return ~sum_bytes(p, length, sum) & 0xffff;
}

/* ---- addresses ---- */

static struct estab_addr address(const struct rig *r, uint8_t last, uint16_t port)
{
    if (!r->options.v6) {
        return estab_addr_ipv4(10, 9, 0, last, port);
    }
    struct estab_addr addr = {.ip = {0xfd, 9}, .port = port};
    addr.ip[15] = last;
    return addr;
}

struct estab_addr rig_local(const struct rig *r, uint16_t port)
{
    return address(r, 2, port);
}

struct estab_addr rig_peer(const struct rig *r, uint16_t port)
{
    return address(r, 1, port);
}

static struct estab_addr source(const struct rig *r)
{
    return r->from != NULL ? *r->from : rig_peer(r, 0);
}

static struct estab_addr destination(const struct rig *r)
{
    return r->to != NULL ? *r->to : rig_local(r, 0);
}

/* The sum of the pseudo header. */
static uint32_t pseudo_of(const struct rig *r, const struct estab_addr *a, const struct estab_addr *b,
                          size_t length)
{
    size_t skip = r->options.v6 ? 0 : 12;
    uint32_t sum = sum_bytes(a->ip + skip, 16 - skip, 6 + (uint32_t)length);
    return sum_bytes(b->ip + skip, 16 - skip, sum);
}

static uint32_t pseudo_in(const struct rig *r, size_t length)
{
    struct estab_addr a = source(r);
    struct estab_addr b = destination(r);
    return pseudo_of(r, &a, &b, length);
}

static uint32_t pseudo_out(const struct rig *r, size_t length)
{
    struct estab_addr a = rig_local(r, 0);
    struct estab_addr b = rig_peer(r, 0);
    return pseudo_of(r, &a, &b, length);
}

/* ---- packets in ---- */

static size_t ip_header(const struct rig *r, uint8_t *out, unsigned protocol, size_t payload)
{
    struct estab_addr from = source(r);
    struct estab_addr to = destination(r);
    if (r->options.v6) {
        memset(out, 0, 40);
        out[0] = 0x60;
        put16(out + 4, (unsigned)payload);
        out[6] = (uint8_t)protocol;
        out[7] = 64;
        memcpy(out + 8, from.ip, 16);
        memcpy(out + 24, to.ip, 16);
        return 40;
    }
    memset(out, 0, 20);
    out[0] = 0x45;
    put16(out + 2, 20 + (unsigned)payload);
    put16(out + 6, 0x4000);
    out[8] = 64;
    out[9] = (uint8_t)protocol;
    memcpy(out + 12, from.ip + 12, 4);
    memcpy(out + 16, to.ip + 12, 4);
    put16(out + 10, checksum(out, 20, 0));
    return 20;
}

static uint32_t iss_of(const struct rig *r, unsigned port)
{
    return r->iss[(port - PEER_PORT) & 255];
}

static size_t put_timestamps(uint8_t *out, uint32_t tsval, uint32_t tsecr)
{
    out[0] = 1;
    out[1] = 1;
    out[2] = 8;
    out[3] = 10;
    put32(out + 4, tsval);
    put32(out + 8, tsecr);
    return 12;
}

static size_t put_options(const struct rig *r, const struct segment *seg, uint8_t *out)
{
    size_t n = 0;
    if (seg->raw != NULL) {
        memcpy(out, seg->raw, seg->raw_length);
        n = seg->raw_length;
    } else if (!seg->no_options) {
        bool syn = (seg->flags & SYN) != 0;
        unsigned mss = seg->mss != 0 ? seg->mss : r->options.peer_mss;
        if (syn && mss != 0) {
            out[n] = 2;
            out[n + 1] = 4;
            put16(out + n + 2, mss);
            n += 4;
        }
        if (syn && r->options.wscale > 0) {
            uint8_t scale[4] = {1, 3, 3, (uint8_t)(r->options.wscale - 1)};
            memcpy(out + n, scale, 4);
            n += 4;
        }
        if (syn && r->options.sack) {
            uint8_t permitted[4] = {1, 1, 4, 2};
            memcpy(out + n, permitted, 4);
            n += 4;
        }
        if (r->options.timestamps && !seg->no_ts) {
            uint32_t tsval = seg->check_ts ? seg->tsval : r->peer_ts;
            uint32_t tsecr = seg->check_ts ? seg->tsecr : (seg->flags & ACK) ? r->last_tsval : 0;
            n += put_timestamps(out + n, tsval, tsecr);
        }
        for (unsigned i = 0; i < seg->sack_count; i++) {
            if (i == 0) {
                uint8_t head[4] = {1, 1, 5, (uint8_t)(2 + 8 * seg->sack_count)};
                memcpy(out + n, head, 4);
                n += 4;
            }
            put32(out + n, seg->sack[i][0] + iss_of(r, seg->port ? seg->port : PEER_PORT));
            put32(out + n + 4, seg->sack[i][1] + iss_of(r, seg->port ? seg->port : PEER_PORT));
            n += 8;
        }
    }
    while (n % 4 != 0) {
        out[n++] = 0;
    }
    return n;
}

size_t rig_packet(const struct rig *r, const struct segment *seg, uint8_t out[2048])
{
    uint8_t options[64];
    size_t optlen = put_options(r, seg, options);
    size_t tcp_length = 20 + optlen + seg->length;
    size_t at = ip_header(r, out, 6, tcp_length);
    uint8_t *tcp = out + at;
    unsigned port = seg->port != 0 ? seg->port : PEER_PORT;
    int32_t wnd = seg->wnd == WND_ZERO ? 0 : seg->wnd != 0 ? seg->wnd : r->wnd;
    assert_true(at + tcp_length <= 2048 && optlen <= 40);
    memset(tcp, 0, 20);
    put16(tcp, port);
    put16(tcp + 2, seg->local_port != 0 ? seg->local_port : LOCAL_PORT);
    put32(tcp + 4, seg->seq + r->irs);
    put32(tcp + 8, (seg->flags & ACK) ? seg->ack + iss_of(r, port) : seg->ack);
    tcp[12] = (uint8_t)((20 + optlen) << 2 | (seg->reserved & 15));
    tcp[13] = (uint8_t)seg->flags;
    put16(tcp + 14, (unsigned)wnd & 0xffff);
    put16(tcp + 18, seg->up);
    memcpy(tcp + 20, options, optlen);
    uint32_t first = seg->seq + ((seg->flags & SYN) ? 1 : 0) - 1;
    for (uint32_t i = 0; i < seg->length; i++) {
        tcp[20 + optlen + i] = rig_byte(first + i);
    }
    unsigned sum = checksum(tcp, tcp_length, pseudo_in(r, tcp_length));
    put16(tcp + 16, seg->bad_checksum ? sum ^ 1 : sum);
    return at + tcp_length;
}

/* ---- packets out ---- */

static void parse_options(const struct rig *r, const uint8_t *p, size_t length, struct segment *seg)
{
    size_t i = 0;
    seg->wscale = -1;
    while (i < length && p[i] != 0) {
        if (p[i] == 1) {
            i++;
            continue;
        }
        assert_true(i + 1 < length && p[i + 1] >= 2 && i + p[i + 1] <= length); /* MUST-68 */
        size_t n = p[i + 1];
        if (p[i] == 2 && n == 4) {
            seg->mss = (uint16_t)get16(p + i + 2);
        } else if (p[i] == 3 && n == 3) {
            seg->wscale = p[i + 2] + 1;
        } else if (p[i] == 4 && n == 2) {
            seg->sack_ok = true;
        } else if (p[i] == 8 && n == 10) {
            seg->has_ts = true;
            seg->tsval = get32(p + i + 2);
            seg->tsecr = get32(p + i + 6);
        } else if (p[i] == 5) {
            for (size_t at = i + 2; at + 8 <= i + n; at += 8) {
                assert_true(seg->sack_count < 4);
                seg->sack[seg->sack_count][0] = get32(p + at) - r->irs;
                seg->sack[seg->sack_count++][1] = get32(p + at + 4) - r->irs;
            }
        } else {
            fail_msg("option %u of length %zu was sent", p[i], n);
        }
        i += n;
    }
    for (; i < length; i++) {
        assert_int_equal(p[i], 0); /* MUST-69 */
    }
}

static size_t parse_ip(const struct rig *r, const uint8_t *p, size_t length, struct segment *seg)
{
    struct estab_addr from = rig_local(r, 0);
    struct estab_addr to = rig_peer(r, 0);
    if (r->options.v6) {
        assert_int_equal(p[0] >> 4, 6);
        assert_int_equal(get16(p + 4), length - 40);
        assert_int_equal(p[6], 6);
        assert_memory_equal(p + 8, from.ip, 16);
        assert_memory_equal(p + 24, to.ip, 16);
        seg->hop_limit = p[7];
        seg->traffic_class = (uint8_t)(get16(p) >> 4 & 0xff);
        return 40;
    }
    assert_int_equal(p[0], 0x45);
    assert_int_equal(get16(p + 2), length);
    assert_int_equal(get16(p + 6), 0x4000); /* DF, no fragment */
    assert_int_equal(p[9], 6);
    assert_int_equal(sum_bytes(p, 20, 0), 0xffff);
    assert_memory_equal(p + 12, from.ip + 12, 4);
    assert_memory_equal(p + 16, to.ip + 12, 4);
    seg->hop_limit = p[8];
    seg->traffic_class = p[1];
    return 20;
}

/* SHLD-14: what was once announced is never taken back. */
static void check_edge(struct rig *r, const struct segment *seg, uint32_t ack)
{
    if (!(seg->flags & ACK) || (seg->flags & (SYN | RST)) || seg->port != PEER_PORT) {
        r->rightmost_known = r->rightmost_known && !(seg->flags & SYN);
        return;
    }
    struct estab_status status = rig_status(r);
    if (status.state == ESTAB_CLOSED || status.state == ESTAB_TIME_WAIT || status.rcv_wnd_shift != 0) {
        return;
    }
    uint32_t edge = ack + (uint32_t)seg->wnd;
    if (r->rightmost_known && (int32_t)(edge - r->rightmost) < 0) {
        fail_msg("the right edge moved left by %u", r->rightmost - edge);
    }
    r->rightmost = edge;
    r->rightmost_known = true;
}

static void parse(struct rig *r, const struct estab_packet *packet, struct segment *seg)
{
    const uint8_t *p = packet->data;
    memset(seg, 0, sizeof *seg);
    size_t at = parse_ip(r, p, packet->length, seg);
    const uint8_t *tcp = p + at;
    size_t length = packet->length - at;
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    assert_true(length >= 20 && header >= 20 && header <= length);
    assert_int_equal(sum_bytes(tcp, length, pseudo_out(r, length)), 0xffff); /* MUST-2 */
    assert_int_equal(tcp[12] & 15, 0);
    seg->local_port = (uint16_t)get16(tcp);
    seg->port = (uint16_t)get16(tcp + 2);
    seg->flags = tcp[13];
    uint32_t seq = get32(tcp + 4);
    uint32_t ack = get32(tcp + 8);
    if (seg->flags & SYN) {
        r->iss[(seg->port - PEER_PORT) & 255] = seq;
    }
    seg->seq = seq - iss_of(r, seg->port);
    seg->ack = (seg->flags & ACK) ? ack - r->irs : ack;
    seg->wnd = (int32_t)get16(tcp + 14);
    seg->up = (uint16_t)get16(tcp + 18);
    seg->length = (uint32_t)(length - header);
    seg->reason = packet->reason;
    seg->at = r->now;
    parse_options(r, tcp + 20, header - 20, seg);
    uint32_t first = seg->seq + ((seg->flags & SYN) ? 1 : 0) - 1;
    for (uint32_t i = 0; i < seg->length; i++) {
        if (tcp[header + i] != rig_byte(first + i)) {
            fail_msg("byte %u of the stream was sent as %u", first + i, tcp[header + i]);
        }
    }
    if (seg->has_ts) {
        r->last_tsval = seg->tsval;
    }
    assert_true((seg->flags & (SYN | RST)) != (SYN | RST)); /* F-INV-1 */
    check_edge(r, seg, ack);
}

static void log_packet(struct rig *r, const struct estab_packet *packet)
{
    r->log = realloc(r->log, r->log_length + packet->length + 8);
    assert_non_null(r->log);
    memcpy(r->log + r->log_length, &r->now, 8);
    memcpy(r->log + r->log_length + 8, packet->data, packet->length);
    r->log_length += packet->length + 8;
}

void rig_replay(struct figure_replay *replay, estab_stack *stack)
{
    const char *wrong = figure_replay_pull(replay, stack);
    wrong = wrong != NULL ? wrong : figure_replay_stands(replay, stack);
    if (wrong != NULL) {
        fail_msg("Figure 5: %s", wrong);
    }
}

static void replay_trace(struct rig *r)
{
    if (r->replays) {
        rig_replay(r->replay, r->stack);
    }
}

unsigned rig_trace(struct rig *r, struct estab_trace *records, unsigned max)
{
    unsigned count = estab_trace_pull(r->stack, records, max);
    for (unsigned i = 0; i < count; i++) {
        const char *wrong = figure_replay(r->replay, &records[i]);
        if (wrong != NULL) {
            fail_msg("Figure 5: %s", wrong);
        }
    }
    return count;
}

static void pull_all(struct rig *r)
{
    uint8_t room[2048];
    struct estab_packet packet = {.data = room, .capacity = sizeof room};
    for (unsigned n = 0; estab_pull(r->stack, r->now, &packet, 1) == 1; n++) {
        assert_true(n < MAX_SENT && r->sent_count < MAX_SENT);
        if (r->options.log) {
            log_packet(r, &packet);
        }
        struct segment *seg = &r->sent[(r->sent_head + r->sent_count++) % MAX_SENT];
        parse(r, &packet, seg);
        packet.slices = NULL;
        if (n % 128 == 127) {
            replay_trace(r);
        }
    }
    assert_false(estab_pull_pending(r->stack));
}

/* A timer that runs is one that `estab states` tells of for the state. */
static void check_notes(struct rig *r)
{
    struct estab_status status;
    uint64_t cursor = 0;
    while (estab_iterate(r->stack, &cursor, &status)) {
        const char *notes = estab_state_notes(status.state).timers;
        for (unsigned i = 0; i < ESTAB_TIMER_COUNT; i++) {
            if ((status.timers >> i & 1) && strstr(notes, estab_timer_name(i)) == NULL) {
                fail_msg("the timer \"%s\" runs in %s: its notes do not name it", estab_timer_name(i),
                         estab_state_name(status.state));
            }
        }
    }
}

void rig_called(struct rig *r)
{
    replay_trace(r);
    for (unsigned i = 0; i < 2 && !r->unchecked; i++) {
        const char *wrong = estab_check(r->stack);
        if (wrong != NULL) {
            fail_msg("estab_check: %s", wrong);
        }
        if (i == 0) {
            pull_all(r);
        } else {
            check_notes(r);
        }
    }
    if (r->unchecked) {
        pull_all(r);
    }
    replay_trace(r);
}

/* ---- messages ---- */

static void describe(const char *what, const struct segment *seg)
{
    char flags[16];
    static const char letters[] = "FSRPAUEC";
    unsigned n = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (seg->flags & 1u << i) {
            flags[n++] = letters[i];
        }
    }
    flags[n] = 0;
    print_error("%s %s seq %u ack %u length %u wnd %d up %u mss %u wscale %d sacks %u port %u (%s)\n", what,
                flags, seg->seq, seg->ack, seg->length, seg->wnd, seg->up, seg->mss, seg->wscale,
                seg->sack_count, seg->port, estab_reason_name(seg->reason));
    for (unsigned i = 0; i < seg->sack_count; i++) {
        print_error("    sack %u..%u\n", seg->sack[i][0], seg->sack[i][1]);
    }
}

/* What was sent and not expected. */
static void refuse_unexpected(struct rig *r, const char *file, int line)
{
    if (r->sent_count > 0) {
        for (unsigned i = 0; i < r->sent_count; i++) {
            describe("not expected:", &r->sent[(r->sent_head + i) % MAX_SENT]);
        }
        _fail(file, line);
    }
}

/* ---- what tests call ---- */

bool rig_take(struct rig *r, struct segment *seg)
{
    if (r->sent_count == 0) {
        return false;
    }
    *seg = r->sent[r->sent_head];
    r->sent_head = (r->sent_head + 1) % MAX_SENT;
    r->sent_count--;
    return true;
}

void rig_discard(struct rig *r)
{
    r->sent_count = 0;
}

void rig_input(struct rig *r, const uint8_t *bytes, size_t length)
{
    uint8_t *exact = malloc(length > 0 ? length : 1); /* a read past its end is seen by AddressSanitizer */
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    struct estab_packet packet = {
        .data = exact, .length = (uint32_t)length, .interface = (uint32_t)r->interface};
    estab_input(r->stack, r->now, &packet, 1);
    r->drop = packet.reason;
    assert_memory_equal(exact, bytes, length);
    free(exact);
    rig_called(r);
}

void rig_inject(struct rig *r, const struct segment *seg, const char *file, int line)
{
    uint8_t packet[2048];
    refuse_unexpected(r, file, line);
    rig_input(r, packet, rig_packet(r, seg, packet));
}

void rig_inject_batch(struct rig *r, const struct segment *segs, unsigned count)
{
    uint8_t bytes[32][2048];
    struct estab_packet packets[32];
    assert_true(count <= 32);
    for (unsigned i = 0; i < count; i++) {
        size_t length = rig_packet(r, &segs[i], bytes[i]);
        packets[i] = (struct estab_packet){
            .data = bytes[i], .length = (uint32_t)length, .interface = (uint32_t)r->interface};
    }
    estab_input(r->stack, r->now, packets, count);
    rig_called(r);
}

static bool options_differ(const struct rig *r, const struct segment *got, const struct segment *want)
{
    bool syn = (want->flags & SYN) != 0;
    bool differ = got->sack_count != want->sack_count;
    for (unsigned i = 0; i < want->sack_count && !differ; i++) {
        differ = got->sack[i][0] != want->sack[i][0] || got->sack[i][1] != want->sack[i][1];
    }
    if (syn) {
        differ |= got->mss == 0 || (want->mss != 0 && got->mss != want->mss);
        differ |= want->wscale != 0 && got->wscale != want->wscale;
    } else {
        differ |= got->mss != 0 || got->wscale != -1 || got->sack_ok; /* MUST-65 */
        differ |= got->has_ts != (r->options.timestamps && !want->no_ts && !r->options.config.no_timestamps);
    }
    if (want->check_ts) {
        differ |= got->tsval != want->tsval || got->tsecr != want->tsecr;
    }
    return differ;
}

static bool differs(const struct rig *r, const struct segment *got, const struct segment *want)
{
    unsigned port = want->port != 0 ? want->port : PEER_PORT;
    unsigned local = want->local_port != 0 ? want->local_port : LOCAL_PORT;
    int32_t wnd = want->wnd == WND_ZERO ? 0 : want->wnd;
    return got->flags != want->flags || got->seq != want->seq || got->ack != want->ack ||
           got->length != want->length || got->port != port || got->local_port != local ||
           got->up != want->up || (want->wnd != 0 && got->wnd != wnd) ||
           (want->reason != 0 && got->reason != want->reason) || options_differ(r, got, want);
}

void rig_expect(struct rig *r, const struct segment *want, const char *file, int line)
{
    struct segment got;
    if (!rig_take(r, &got)) {
        describe("nothing was sent, but should:", want);
        _fail(file, line);
    }
    if (differs(r, &got, want)) {
        describe("sent:  ", &got);
        describe("wanted:", want);
        _fail(file, line);
    }
    r->last = got;
}

void rig_expect_nothing(struct rig *r, const char *file, int line)
{
    refuse_unexpected(r, file, line);
}

void rig_inject_icmp(struct rig *r, unsigned type, unsigned code, uint32_t seq, uint32_t rest)
{
    uint8_t packet[256];
    uint8_t quote[48 + 20];
    struct estab_addr from = rig_local(r, 0);
    struct estab_addr to = rig_peer(r, 0);
    bool v6 = r->options.v6;
    refuse_unexpected(r, __FILE__, __LINE__);
    /* The quoted packet is ours: the header turned round. */
    size_t head = ip_header(r, quote, 6, 20);
    size_t width = v6 ? 16 : 4;
    size_t skip = v6 ? 0 : 12;
    memcpy(quote + (v6 ? 8 : 12), from.ip + skip, width);
    memcpy(quote + (v6 ? 24 : 16), to.ip + skip, width);
    memset(quote + head, 0, 20);
    put16(quote + head, LOCAL_PORT);
    put16(quote + head + 2, PEER_PORT);
    put32(quote + head + 4, seq + r->iss[0]);
    quote[head + 12] = 0x50;
    size_t payload = 8 + head + 20;
    size_t at = ip_header(r, packet, v6 ? 58 : 1, payload);
    uint8_t *icmp = packet + at;
    icmp[0] = (uint8_t)type;
    icmp[1] = (uint8_t)code;
    put16(icmp + 2, 0);
    put32(icmp + 4, rest);
    memcpy(icmp + 8, quote, head + 20);
    uint32_t sum = v6 ? pseudo_in(r, payload) + 58 - 6 : 0;
    put16(icmp + 2, checksum(icmp, payload, sum));
    rig_input(r, packet, at + payload);
}

/* ---- time ---- */

static void tick(struct rig *r)
{
    for (unsigned n = 0; estab_tick(r->stack, r->now); n++) {
        assert_true(n < 10000);
        replay_trace(r);
    }
    rig_called(r);
}

void advance(struct rig *r, uint64_t ns)
{
    uint64_t end = r->now + ns;
    unsigned still = 0;
    refuse_unexpected(r, __FILE__, __LINE__);
    for (;;) {
        uint64_t due = estab_next_deadline(r->stack);
        if (due > end) {
            break;
        }
        still = due > r->now ? 0 : still + 1;
        assert_true(still < 100); /* the deadline stands still */
        r->now = due > r->now ? due : r->now;
        tick(r);
    }
    r->now = end;
    tick(r);
}

uint64_t advance_to_next(struct rig *r, uint64_t limit)
{
    uint64_t from = r->now;
    uint64_t due = estab_next_deadline(r->stack);
    assert_true(due <= from + limit);
    advance(r, due > from ? due - from : 0);
    return r->now - from;
}

/* ---- the user ---- */

void rig_send(struct rig *r, size_t length, unsigned flags)
{
    uint8_t *bytes = malloc(length > 0 ? length : 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++) {
        bytes[i] = rig_byte(r->written + i);
    }
    refuse_unexpected(r, __FILE__, __LINE__);
    assert_int_equal(estab_send(r->stack, r->now, r->conn, bytes, length, flags), length);
    r->written += length;
    free(bytes);
    rig_called(r);
}

ptrdiff_t rig_read(struct rig *r, size_t most)
{
    uint8_t bytes[4096];
    ptrdiff_t sum = 0;
    while ((size_t)sum < most) {
        size_t want = most - (size_t)sum < sizeof bytes ? most - (size_t)sum : sizeof bytes;
        ptrdiff_t got = estab_recv(r->stack, r->now, r->conn, bytes, want, 0);
        if (got <= 0) {
            sum = sum > 0 ? sum : got;
            break;
        }
        for (ptrdiff_t i = 0; i < got; i++) {
            if (bytes[i] != rig_byte(r->read + (uint64_t)i)) {
                fail_msg("byte %llu of the stream was read as %u", (unsigned long long)r->read + (unsigned)i,
                         bytes[i]);
            }
        }
        r->read += (uint64_t)got;
        sum += got;
    }
    rig_called(r);
    return sum;
}

int rig_shutdown(struct rig *r)
{
    refuse_unexpected(r, __FILE__, __LINE__);
    int result = estab_shutdown(r->stack, r->now, r->conn, ESTAB_SHUT_WR);
    rig_called(r);
    return result;
}

int rig_close(struct rig *r)
{
    refuse_unexpected(r, __FILE__, __LINE__);
    int result = estab_close(r->stack, r->now, r->conn);
    rig_called(r);
    return result;
}

int rig_abort(struct rig *r)
{
    refuse_unexpected(r, __FILE__, __LINE__);
    int result = estab_abort(r->stack, r->now, r->conn);
    rig_called(r);
    return result;
}

void rig_set(struct rig *r, enum estab_option option, uint64_t value)
{
    assert_int_equal(estab_set(r->stack, r->now, r->conn, option, value), 0);
    rig_called(r);
}

void rig_accept(struct rig *r)
{
    assert_int_equal(estab_accept(r->stack, r->now, r->listener, &r->conn), 0);
    rig_called(r);
}

/* The main connection by its handle, or by its flow where nobody holds it. */
struct estab_status rig_status(const struct rig *r)
{
    struct estab_status status;
    uint64_t cursor = 0;
    if (r->conn != 0 && estab_status(r->stack, r->conn, &status) == 0) {
        return status;
    }
    while (estab_iterate(r->stack, &cursor, &status)) {
        if (status.remote.port == PEER_PORT && status.local.port == LOCAL_PORT) {
            return status;
        }
    }
    memset(&status, 0, sizeof status);
    return status;
}

enum estab_state rig_state(const struct rig *r)
{
    return rig_status(r).state;
}

struct estab_counters rig_counters(const struct rig *r)
{
    struct estab_counters counters;
    estab_counters(r->stack, &counters);
    return counters;
}

uint32_t rig_ready(struct rig *r)
{
    struct estab_event events[16];
    uint32_t changed = 0;
    unsigned n;
    while ((n = estab_poll(r->stack, events, 16)) > 0) {
        for (unsigned i = 0; i < n; i++) {
            changed |= events[i].conn == r->conn ? events[i].changed : 0;
        }
    }
    return changed;
}

void rig_expect_state(struct rig *r, enum estab_state want, const char *file, int line)
{
    enum estab_state got = rig_state(r);
    if (got != want) {
        print_error("the state is %s, not %s\n", estab_state_name(got), estab_state_name(want));
        _fail(file, line);
    }
}

uint32_t rig_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33 ^ *state >> 59);
}

/* ---- start and stop ---- */

void rig_defaults(struct rig_options *options)
{
    memset(options, 0, sizeof *options);
    estab_config_init(&options->config);
    for (unsigned i = 0; i < 16; i++) {
        options->config.secret[i] = (uint8_t)(i * 7 + 1);
    }
    options->config.receive_buffer = RCV_BUFFER;
    options->config.send_buffer = SND_BUFFER;
    options->config.max_connections = 64;
    options->config.max_time_wait = 16;
    options->config.max_half_open = 64;
    options->config.challenge_acks = 200;
    options->peer_mss = MSS;
    options->mtu = 1500;
    options->memory = (size_t)256 << 10;
}

static void make_stack(struct rig *r)
{
    int error = 0;
    const char *what = NULL;
    struct estab_addr local = rig_local(r, 0);
    struct estab_interface interface = {
        .size = sizeof interface,
        .mtu = r->options.mtu,
        .checksum_offload = r->options.checksum_offload,
        .accept_any_address = r->options.accept_any,
    };
    struct estab_config config = r->options.config;
    size_t size = r->options.memory;
    if (r->replays) {
        config.trace_records = TRACE_ROOM;
        size += TRACE_MEMORY;
    }
    memset(r->memory, 0xa5, size);
    r->stack = estab_init(r->memory, size, &config, &error, &what);
    if (r->stack == NULL) {
        fail_msg("estab_init: %s, %s", estab_strerror(error), what);
    }
    r->interface = estab_interface_add(r->stack, r->now, &interface);
    assert_true(r->interface > 0);
    assert_int_equal(estab_address_add(r->stack, r->now, (uint32_t)r->interface, &local, 24), 0);
    r->conn = r->listener = 0;
    r->started = r->now;
    figure_replay_free(r->replay);
    r->replay = figure_replay_new();
}

/*
 * The ISS is a keyed hash of the flow plus a clock of 4 us: an open at START tells the time at which it is
 * what is wanted.
 */
static uint64_t time_of_iss(struct rig *r, uint32_t iss)
{
    struct estab_status status;
    r->now = START;
    make_stack(r);
    struct estab_addr local = rig_local(r, LOCAL_PORT);
    struct estab_addr peer = rig_peer(r, PEER_PORT);
    assert_int_equal(estab_open(r->stack, &r->conn), 0);
    assert_int_equal(estab_bind(r->stack, r->now, r->conn, &local), 0);
    assert_int_equal(estab_connect(r->stack, r->now, r->conn, &peer), 0);
    assert_int_equal(estab_status(r->stack, r->conn, &status), 0);
    return START + (uint64_t)(iss - status.iss) * 4000;
}

struct rig *rig_start(const struct rig_options *options)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    if (options != NULL) {
        r->options = *options;
    } else {
        rig_defaults(&r->options);
    }
    r->replays = r->options.config.trace_records == 0 && !r->options.untraced;
    r->memory = aligned_alloc(64, r->options.memory + TRACE_MEMORY);
    assert_non_null(r->memory);
    r->irs = PEER_ISN;
    r->wnd = PEER_WND;
    r->peer_ts = 0xfffffff0u;
    uint64_t start =
        r->options.far_from_wrap ? START : time_of_iss(r, r->options.iss != 0 ? r->options.iss : OUR_ISN);
    r->now = start;
    make_stack(r);
    rig_called(r);
    return r;
}

void rig_stop(struct rig *r)
{
    refuse_unexpected(r, __FILE__, __LINE__);
    replay_trace(r);
    figure_replay_free(r->replay);
    free(r->log);
    free(r->memory);
    free(r);
}

/* ---- places ---- */

const struct place_facts places[PLACES] = {
    [AT_CLOSED] = {ESTAB_CLOSED, "CLOSED", 0, 0, 0},
    [AT_LISTEN] = {ESTAB_LISTEN, "LISTEN", 0, 0, 0},
    [AT_SYN_SENT] = {ESTAB_SYN_SENT, "SYN-SENT", 0, 1, 0},
    [AT_SYN_RECEIVED_PASSIVE] = {ESTAB_SYN_RECEIVED, "SYN-RECEIVED (passive)", 0, 1, 1},
    [AT_SYN_RECEIVED_ACTIVE] = {ESTAB_SYN_RECEIVED, "SYN-RECEIVED (active)", 0, 1, 1},
    [AT_ESTABLISHED] = {ESTAB_ESTABLISHED, "ESTABLISHED", 1, 1, 1},
    [AT_FIN_WAIT_1] = {ESTAB_FIN_WAIT_1, "FIN-WAIT-1", 1, 2, 1},
    [AT_FIN_WAIT_2] = {ESTAB_FIN_WAIT_2, "FIN-WAIT-2", 2, 2, 1},
    [AT_CLOSE_WAIT] = {ESTAB_CLOSE_WAIT, "CLOSE-WAIT", 1, 1, 2},
    [AT_CLOSING] = {ESTAB_CLOSING, "CLOSING", 1, 2, 2},
    [AT_LAST_ACK] = {ESTAB_LAST_ACK, "LAST-ACK", 1, 2, 2},
    [AT_TIME_WAIT] = {ESTAB_TIME_WAIT, "TIME-WAIT", 2, 2, 2},
};

static void open_bound(struct rig *r)
{
    struct estab_addr local = rig_local(r, LOCAL_PORT);
    assert_int_equal(estab_open(r->stack, &r->conn), 0);
    assert_int_equal(estab_bind(r->stack, r->now, r->conn, &local), 0);
}

void rig_listen(struct rig *r, unsigned backlog)
{
    open_bound(r);
    r->listener = r->conn;
    r->conn = 0;
    assert_int_equal(estab_listen(r->stack, r->now, r->listener, backlog), 0);
    rig_called(r);
}

void rig_connect(struct rig *r)
{
    struct estab_addr peer = rig_peer(r, PEER_PORT);
    open_bound(r);
    assert_int_equal(estab_connect(r->stack, r->now, r->conn, &peer), 0);
    rig_called(r);
}

static void reach_opening(struct rig *r, enum place place)
{
    if (place == AT_CLOSED) {
        return;
    }
    if (place == AT_LISTEN || place == AT_SYN_RECEIVED_PASSIVE) {
        open_bound(r);
        assert_int_equal(estab_open_passive(r->stack, r->now, r->conn, NULL), 0);
        rig_called(r);
    } else {
        rig_connect(r);
        expect(r, .flags = SYN, .seq = 0);
    }
    if (place == AT_SYN_RECEIVED_PASSIVE || place == AT_SYN_RECEIVED_ACTIVE) {
        inject(r, .flags = SYN, .seq = 0);
        expect(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    }
}

void rig_reach(struct rig *r, enum place place)
{
    reach_opening(r, place);
    if (place < AT_ESTABLISHED) {
        expect_state(r, places[place].state);
        return;
    }
    inject(r, .flags = SYN | ACK, .seq = 0, .ack = 1);
    expect(r, .flags = ACK, .seq = 1, .ack = 1);
    if (place == AT_CLOSE_WAIT || place == AT_LAST_ACK) {
        inject(r, .flags = FIN | ACK, .seq = 1, .ack = 1);
        expect(r, .flags = ACK, .seq = 1, .ack = 2);
    }
    if (place != AT_ESTABLISHED && place != AT_CLOSE_WAIT) {
        assert_int_equal(rig_shutdown(r), 0);
        expect(r, .flags = FIN | ACK, .seq = 1, .ack = place == AT_LAST_ACK ? 2 : 1);
    }
    if (place == AT_CLOSING) {
        inject(r, .flags = FIN | ACK, .seq = 1, .ack = 1);
        expect(r, .flags = ACK, .seq = 2, .ack = 2);
    }
    if (place == AT_FIN_WAIT_2 || place == AT_TIME_WAIT) {
        inject(r, .flags = ACK, .seq = 1, .ack = 2);
        expect_nothing(r);
    }
    if (place == AT_TIME_WAIT) {
        inject(r, .flags = FIN | ACK, .seq = 1, .ack = 2);
        expect(r, .flags = ACK, .seq = 2, .ack = 2);
    }
    expect_state(r, places[place].state);
    rig_ready(r);
}

struct rig *rig_at(enum place place)
{
    struct rig *r = rig_start(NULL);
    rig_reach(r, place);
    return r;
}

struct rig *rig_with_timestamps(enum place place)
{
    struct rig_options options;
    rig_defaults(&options);
    options.timestamps = true;
    struct rig *r = rig_start(&options);
    rig_reach(r, place);
    return r;
}
