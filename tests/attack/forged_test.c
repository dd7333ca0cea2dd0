/*
 * What comes off the wire is never asserted: lwIP's 'mss_local is too small' and gVisor's panics were
 * relations between a window, an MSS and what is queued that only a peer controls. Packets of every kind that
 * the stack reads are made, damaged at random places, cut, and sent in the middle of connections whose user
 * goes on working; assertions are always on in this library, so that reaching one ends this program. Seeds
 * are fixed; `make fuzz` goes on from here.
 */
#include "attack/victim.h"

#define MAX_CONNS 12u

struct melee {
    struct victim *v;
    uint64_t seed;
    estab_conn conns[MAX_CONNS];
    unsigned count;
};

static uint32_t number(struct melee *m, uint32_t below)
{
    return victim_random(&m->seed) % below;
}

/* A number of the peer's near one that means something to a connection of ours. */
static uint32_t near(struct melee *m, uint32_t value)
{
    static const int32_t steps[] = {0, 0, 0, 1, -1, 20, -20, 1460, 8000, 16384, -16384, INT32_MAX, INT32_MIN};
    return value + (uint32_t)steps[number(m, sizeof steps / sizeof steps[0])];
}

/* A segment with random flags, options, window and text, of a flow that is mostly known. */
static size_t put_random_segment(struct melee *m, uint8_t *out, bool v6)
{
    static const uint8_t kinds[] = {0, 1, 1, 2, 3, 4, 5, 8, 77};
    struct estab_status status = {.rcv_nxt = number(m, 3), .snd_nxt = number(m, 3)};
    uint32_t text = number(m, 3) == 0 ? number(m, 1400) : number(m, 20);
    unsigned words = 5 + number(m, 11);
    if (m->count > 0) {
        (void)estab_status(m->v->stack, m->conns[number(m, m->count)], &status);
    }
    size_t at = put_ip(out, v6, V_TCP, words * 4 + text);
    uint8_t *tcp = out + at;
    unsigned flags = number(m, 4) != 0 ? V_ACK : number(m, 64);
    flags |= number(m, 6) == 0 ? number(m, 256) : 0;
    put_tcp(tcp, words, flags, near(m, status.rcv_nxt),
            near(m, number(m, 2) ? status.snd_nxt : status.snd_una));
    for (unsigned i = 20; i < words * 4; i++) {
        tcp[i] = number(m, 2) ? kinds[number(m, sizeof kinds)] : (uint8_t)number(m, 14);
    }
    if (number(m, 2)) { /* options that parse, so that what stands behind the parser is reached */
        memset(tcp + 20, 1, words * 4 - 20);
        if (words >= 8 && (flags & V_SYN)) {
            const uint8_t options[12] = {
                2, 4, (uint8_t)number(m, 6), (uint8_t)number(m, 256), 3, 3, (uint8_t)number(m, 256), 4, 2, 1,
                1, 1};
            memcpy(tcp + 20, options, 12);
        } else if (words >= 8) {
            tcp[20] = 5;
            tcp[21] = 10;
            put32(tcp + 22, near(m, status.snd_una));
            put32(tcp + 26, near(m, status.snd_nxt));
        }
    }
    put16(tcp, (unsigned)(status.remote.port != 0 ? status.remote.port : 5000 + number(m, 4)));
    put16(tcp + 2, number(m, 8) ? VICTIM_PORT : number(m, 65536));
    put16(tcp + 14, number(m, 3) ? number(m, 65536) : number(m, 3));
    put16(tcp + 18, number(m, 65536));
    for (uint32_t i = 0; i < text; i++) {
        tcp[words * 4 + i] = (uint8_t)i;
    }
    seal_tcp(tcp, words * 4 + text, v6);
    return at + words * 4 + text;
}

/* An ICMP message of random type, with a quote of a flow of ours where it is an error. */
static size_t put_random_icmp(struct melee *m, uint8_t *out, bool v6)
{
    size_t length = put_echo(out, v6, 40 + number(m, 60));
    size_t head = v6 ? 40 : 20;
    uint8_t *quote = out + head + 8;
    out[head] = (uint8_t)(number(m, 2) ? number(m, 256) : v6 ? 1 + number(m, 4) : 3);
    out[head + 1] = (uint8_t)number(m, 16);
    put32(out + head + 4, number(m, 70000));
    if (length >= head + 8 + head + 20 && m->count > 0) {
        struct estab_status status = {.snd_nxt = 1};
        (void)estab_status(m->v->stack, m->conns[number(m, m->count)], &status);
        put_ip(quote, v6, V_TCP, 500);
        memcpy(quote + (v6 ? 8 : 12), out + (v6 ? 24 : 16), v6 ? 16 : 4);
        memcpy(quote + (v6 ? 24 : 16), out + (v6 ? 8 : 12), v6 ? 16 : 4);
        put16(quote + head, VICTIM_PORT);
        put16(quote + head + 2, status.remote.port);
        put32(quote + head + 4, near(m, status.snd_una));
    }
    seal_icmp(out + head, length - head, v6);
    return length;
}

static size_t put_random_fragment(struct melee *m, uint8_t *out, bool v6)
{
    size_t length = 8 * (1 + number(m, 40)) + (number(m, 8) == 0 ? number(m, 8) : 0);
    unsigned where = number(m, 8) == 0 ? number(m, 65536) : number(m, 8) * 8;
    size_t at = put_ip(out, v6, v6 ? 44 : V_TCP, length + (v6 ? 8 : 0));
    if (v6) {
        memset(out + at, 0, 8);
        out[at] = (uint8_t)(number(m, 2) ? V_ICMPV6 : number(m, 64));
        put16(out + at + 2, (where & 0xfff8) | number(m, 2));
        put32(out + at + 4, number(m, 4));
        at += 8;
    } else {
        out[9] = (uint8_t)(number(m, 2) ? V_ICMP : number(m, 64));
        put16(out + 4, number(m, 4));
        put16(out + 6, (where / 8 & 0x1fff) | number(m, 8) << 13);
        seal_ipv4(out);
    }
    for (size_t i = 0; i < length; i++) {
        out[at + i] = (uint8_t)(victim_random(&m->seed));
    }
    return at + length;
}

static size_t put_random_arp(struct melee *m, uint8_t *out)
{
    for (unsigned i = 0; i < 46; i++) {
        out[i] = (uint8_t)(number(m, 3) ? 0 : number(m, 256));
    }
    put16(out, 1);
    put16(out + 2, 0x0800);
    out[4] = 6;
    out[5] = 4;
    put16(out + 6, 1 + number(m, 2));
    memcpy(out + 14, victim_address(false, (uint8_t)number(m, 5), 0).ip + 12, 4);
    memcpy(out + 24, victim_address(false, (uint8_t)number(m, 3), 0).ip + 12, 4);
    return 46;
}

/* A third is damaged: bytes at random places of the headers, or the end cut off. */
static size_t damage(struct melee *m, uint8_t *packet, size_t length)
{
    unsigned kind = number(m, 9);
    if (kind == 0) {
        return number(m, (uint32_t)length + 1);
    }
    for (unsigned i = 0; kind < 3 && i <= number(m, 4); i++) {
        packet[number(m, length < 80 ? (uint32_t)length : 80)] ^= (uint8_t)(1u << number(m, 8));
    }
    if (kind == 2 && length >= 20 && packet[0] >> 4 == 4) { /* so that it gets past the header's checksum */
        size_t head = (size_t)(packet[0] & 15) * 4;
        if (head >= 20 && head <= length) {
            seal_ipv4(packet);
        }
    }
    return length;
}

static void packet_arrives(struct melee *m)
{
    uint8_t frame[4096];
    bool v6 = number(m, 3) == 0;
    unsigned kind = number(m, 16);
    unsigned type = v6 ? 0x86dd : 0x0800;
    size_t link = m->v->ethernet ? ETHERNET_BYTES : 0;
    uint8_t *packet = frame + link;
    size_t length;
    if (kind < 11) {
        length = put_random_segment(m, packet, v6);
    } else if (kind < 13) {
        length = put_random_icmp(m, packet, v6);
    } else if (kind < 15 || link == 0) {
        length = put_random_fragment(m, packet, v6);
    } else {
        length = put_random_arp(m, packet);
        type = 0x0806;
    }
    if (link > 0) {
        put_ethernet(frame, number(m, 50) ? type : number(m, 65536));
        frame[number(m, 14)] ^= number(m, 50) ? 0 : 1;
    }
    victim_input(m->v, frame, link + damage(m, packet, length));
}

/* A handshake that nobody disturbs; the answer to the SYN is the last packet out. */
static void connection_opens(struct melee *m)
{
    uint8_t frame[128];
    bool v6 = number(m, 3) == 0;
    unsigned port = 5000 + number(m, 64);
    struct victim *v = m->v;
    size_t link = v->ethernet ? put_ethernet(frame, v6 ? 0x86dd : 0x0800) : 0;
    size_t at = link + (v6 ? 40 : 20);
    uint32_t isn = number(m, 2) ? 0xfffffff0u : 0x7ffffff0u;
    victim_drain(v);
    for (unsigned step = 0; step < 2; step++) {
        uint32_t ack = step == 0 ? 0 : get32(v->out + at + 4) + 1;
        size_t length = put_segment(frame + link, v6, step == 0 ? V_SYN : V_ACK, isn + step, ack);
        put16(frame + at, port);
        seal_tcp(frame + at, 20, v6);
        victim_input(v, frame, link + length);
        if (step == 0 && !victim_sends(v)) {
            return;
        }
    }
}

static void user_acts(struct melee *m)
{
    static uint8_t bytes[6000];
    struct victim *v = m->v;
    if (m->count < MAX_CONNS && estab_accept(v->stack, v->now, v->listener, &m->conns[m->count]) == 0) {
        m->count++;
    }
    if (m->count == 0) {
        return;
    }
    unsigned which = number(m, m->count);
    estab_conn conn = m->conns[which];
    switch (number(m, 12)) {
    case 0: (void)estab_shutdown(v->stack, v->now, conn, ESTAB_SHUT_WR); break;
    case 1:
        (void)(number(m, 2) ? estab_close(v->stack, v->now, conn) : estab_abort(v->stack, v->now, conn));
        m->conns[which] = m->conns[--m->count];
        break;
    case 2:
    case 3:
    case 4: (void)estab_recv(v->stack, v->now, conn, bytes, number(m, sizeof bytes), 0); break;
    default: (void)estab_send(v->stack, v->now, conn, bytes, number(m, sizeof bytes), 0); break;
    }
}

static void run_melee(uint64_t seed, bool ethernet)
{
    struct melee m = {.v = victim_start(ethernet), .seed = seed};
    for (unsigned i = 0; i < 3000; i++) {
        if (i % 50 == 0) {
            connection_opens(&m);
        }
        packet_arrives(&m);
        if (number(&m, 3) == 0) {
            user_acts(&m);
        }
        if (number(&m, 5) == 0) {
            victim_wait(m.v, number(&m, 8) ? number(&m, 50) * 1000000ull : number(&m, 300) * VICTIM_SECOND);
        }
        victim_drain(m.v);
        if (i % 16 == 0) {
            victim_check(m.v);
        }
    }
    struct estab_counters counters = victim_counters(m.v);
    assert_true(counters.segments_in > 300); /* not all of it ends in the parsers */
    assert_true(counters.established > 5);
    victim_stop(m.v);
}

/*
 * V-15: 300,000 packets, whole, damaged and cut, in the life of connections: no assertion, every invariant
 * holds.
 */
static void v15_no_packet_reaches_an_assertion(void **state)
{
    (void)state;
    for (unsigned run = 0; run < (ESTAB_TEST_SLOW ? 10 : 100); run++) {
        run_melee(run, run % 4 == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v15_no_packet_reaches_an_assertion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
