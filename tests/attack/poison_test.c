/*
 * No byte of a frame is left as the memory was (FreeBSD CVE-2020-7451: the traffic class of a SYN,ACK;
 * Etherleak CVE-2003-0001: padding). One life of a stack, with every kind of packet that it can send, runs
 * twice, with different bytes in the budget that it is given and in the room that packets are built in: each
 * packet must be the same, byte for byte, and end where its own header says. (Short frames are padded by the
 * driver or the machine.)
 */
#include "attack/victim.h"

#define LOG_ROOM (512u << 10)

struct life {
    struct victim *v;
    int fill;
    bool v6;
    uint8_t *log;        /* length and bytes of each packet */
    size_t length, last; /* of what stands there; where the last packet begins */
    unsigned packets;
    unsigned seen; /* kinds of packets, by the bits below */
};

enum seen {
    SAW_SYN = 1,
    SAW_SYN_ACK = 2,
    SAW_COOKIE = 4,
    SAW_TEXT = 8,
    SAW_RST = 0x10,
    SAW_ECHO = 0x20,
    SAW_ARP_OR_ND = 0x40,
    SAW_FIN = 0x80,
    SAW_TIME_WAIT_ACK = 0x100,
    SAW_SACK = 0x200,
    SAW_ALL = 0x3ff
};

static void note_tcp(struct life *l, const uint8_t *tcp, size_t length)
{
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    unsigned flags = tcp[13];
    l->seen |= (flags & (V_SYN | V_ACK)) == V_SYN ? SAW_SYN : 0;
    l->seen |= (flags & (V_SYN | V_ACK)) == (V_SYN | V_ACK) ? SAW_SYN_ACK : 0;
    l->seen |= (flags & V_RST) ? SAW_RST : 0;
    l->seen |= (flags & V_FIN) ? SAW_FIN : 0;
    l->seen |= length > header ? SAW_TEXT : 0;
    for (size_t at = 20; at + 3 < header; at++) {
        l->seen |= tcp[at] == 1 && tcp[at + 1] == 1 && tcp[at + 2] == 5 ? SAW_SACK : 0;
    }
}

/* The kind of the packet; its length must be what its own header says. */
static void note(struct life *l, const uint8_t *p, size_t length)
{
    unsigned type = l->v->ethernet ? get16(p + 12) : 0;
    size_t link = l->v->ethernet ? ETHERNET_BYTES : 0;
    if (type == 0x0806) {
        assert_int_equal(length, link + 28);
        l->seen |= SAW_ARP_OR_ND;
        return;
    }
    bool v6 = p[link] >> 4 == 6;
    size_t head = link + (v6 ? 40 : 20);
    assert_int_equal(length, link + (v6 ? 40u + get16(p + link + 4) : get16(p + link + 2)));
    unsigned protocol = p[link + (v6 ? 6 : 9)];
    if (protocol == V_TCP) {
        note_tcp(l, p + head, length - head);
    } else {
        bool echo = p[head] == 129 || p[head] == 0;
        l->seen |= echo ? SAW_ECHO : SAW_ARP_OR_ND;
    }
}

/* Everything that is due, each packet into room that is full of the pattern. */
static unsigned take_all(struct life *l)
{
    unsigned count = 0;
    for (;;) {
        memset(l->v->out, l->fill, sizeof l->v->out);
        if (!victim_sends(l->v)) {
            return count;
        }
        count++;
        note(l, l->v->out, l->v->out_length);
        assert_true(l->length + l->v->out_length + 4 <= LOG_ROOM);
        l->last = l->length + 4;
        put32(l->log + l->length, l->v->out_length);
        memcpy(l->log + l->length + 4, l->v->out, l->v->out_length);
        l->length += l->v->out_length + 4;
        l->packets++;
    }
}

static void pass(struct life *l, uint64_t ns)
{
    uint64_t end = l->v->now + ns;
    for (uint64_t due = estab_next_deadline(l->v->stack); due <= end;
         due = estab_next_deadline(l->v->stack)) {
        l->v->now = due > l->v->now ? due : l->v->now;
        while (estab_tick(l->v->stack, l->v->now)) {
        }
        take_all(l);
    }
    l->v->now = end;
}

/* A segment of `text` bytes of the peer to one of our ports, with options as given. */
static void segment(struct life *l, const uint16_t ports[2], unsigned flags, const uint32_t numbers[2],
                    unsigned text)
{
    uint8_t frame[2048];
    size_t at = l->v->ethernet ? put_ethernet(frame, l->v6 ? 0x86dd : 0x0800) : 0;
    unsigned words = flags & V_SYN ? 10 : 8;
    at += put_ip(frame + at, l->v6, V_TCP, words * 4 + text);
    uint8_t *tcp = frame + at;
    put_tcp(tcp, words, flags, numbers[0], numbers[1]);
    put16(tcp, ports[0]);
    put16(tcp + 2, ports[1]);
    if (flags & V_SYN) {
        static const uint8_t options[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7};
        memcpy(tcp + 20, options, 20);
    } else {
        static const uint8_t options[12] = {1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0};
        memcpy(tcp + 20, options, 12);
    }
    memset(tcp + words * 4, 0x77, text);
    seal_tcp(tcp, words * 4 + text, l->v6);
    victim_input(l->v, frame, at + words * 4 + text);
    take_all(l);
}

/* The SEQ of the last packet that was sent. */
static uint32_t last_seq(const struct life *l)
{
    return get32(l->log + l->last + (l->v->ethernet ? ETHERNET_BYTES : 0) + (l->v6 ? 40 : 20) + 4);
}

/* ARP or neighbour discovery: the peer asks for us and answers what we ask. */
static void neighbours_meet(struct life *l, unsigned operation)
{
    uint8_t frame[128];
    if (!l->v->ethernet) {
        return;
    }
    if (l->v6) {
        size_t at = put_ethernet(frame, 0x86dd);
        at += put_ipv6(frame + at, V_ICMPV6, 32);
        memset(frame + at, 0, 32);
        frame[at] = operation == 1 ? 135 : 136;
        frame[at + 4] = operation == 1 ? 0 : 0x60;
        memcpy(frame + at + 8, victim_address(true, operation == 1 ? 2 : 1, 0).ip, 16);
        frame[at + 24] = (uint8_t)operation;
        frame[at + 25] = 1;
        memcpy(frame + at + 26, peer_mac, 6);
        seal_icmp(frame + at, 32, true);
        victim_input(l->v, frame, at + 32);
    } else {
        static const uint8_t fixed[6] = {0, 1, 8, 0, 6, 4};
        size_t at = put_ethernet(frame, 0x0806);
        memset(frame + at, 0, 28);
        memcpy(frame + at, fixed, 6);
        put16(frame + at + 6, operation);
        memcpy(frame + at + 8, peer_mac, 6);
        memcpy(frame + at + 14, victim_address(false, 1, 0).ip + 12, 4);
        memcpy(frame + at + 24, victim_address(false, 2, 0).ip + 12, 4);
        victim_input(l->v, frame, at + 28);
    }
    take_all(l);
}

static void echo(struct life *l)
{
    uint8_t frame[256];
    size_t at = l->v->ethernet ? put_ethernet(frame, l->v6 ? 0x86dd : 0x0800) : 0;
    victim_input(l->v, frame, at + put_echo(frame + at, l->v6, 33));
    take_all(l);
}

/*
 * A connection of ours: SYN again and again, text, a gap that is told by SACK, FIN, and TIME-WAIT that
 * answers.
 */
static void active_life(struct life *l)
{
    estab_conn conn;
    uint8_t text[1000]; /* one segment: that the SYN was lost makes the window small */
    uint16_t ports[2] = {4000, 4001};
    struct estab_addr local = victim_address(l->v6, 2, 4001);
    struct estab_addr peer = victim_address(l->v6, 1, 4000);
    assert_int_equal(estab_open(l->v->stack, &conn), 0);
    assert_int_equal(estab_bind(l->v->stack, l->v->now, conn, &local), 0);
    assert_int_equal(estab_connect(l->v->stack, l->v->now, conn, &peer), 0);
    take_all(l); /* on Ethernet a question */
    neighbours_meet(l, 2);
    pass(l, 3 * VICTIM_SECOND);
    uint32_t iss = victim_status(l->v, conn).iss;
    segment(l, ports, V_SYN | V_ACK, (uint32_t[]){500, iss + 1}, 0);
    memset(text, 0x33, sizeof text);
    assert_int_equal(estab_send(l->v->stack, l->v->now, conn, text, sizeof text, 0), sizeof text);
    take_all(l);
    segment(l, ports, V_ACK, (uint32_t[]){601, iss + 1}, 50); /* behind a gap */
    segment(l, ports, V_ACK, (uint32_t[]){801, iss + 1}, 50);
    pass(l, 2 * VICTIM_SECOND); /* retransmissions */
    segment(l, ports, V_ACK, (uint32_t[]){501, iss + 1001}, 350);
    assert_true(estab_recv(l->v->stack, l->v->now, conn, text, sizeof text, 0) == 350);
    assert_int_equal(estab_close(l->v->stack, l->v->now, conn), 0);
    take_all(l);
    segment(l, ports, V_ACK | V_FIN, (uint32_t[]){851, iss + 1002}, 0);
    unsigned before = l->packets;
    segment(l, ports, V_ACK | V_FIN, (uint32_t[]){851, iss + 1002}, 0);
    l->seen |= l->packets > before ? SAW_TIME_WAIT_ACK : 0;
}

/* Connections of others: SYN,ACK, resets, and cookies once the cache is full. */
static void passive_life(struct life *l)
{
    uint16_t ports[2] = {4100, VICTIM_PORT};
    estab_conn conn;
    segment(l, ports, V_SYN, (uint32_t[]){900, 0}, 0);
    uint32_t iss = last_seq(l);
    pass(l, 4 * VICTIM_SECOND);
    segment(l, ports, V_ACK, (uint32_t[]){901, iss + 1}, 0);
    assert_int_equal(estab_accept(l->v->stack, l->v->now, l->v->listener, &conn), 0);
    assert_int_equal(estab_abort(l->v->stack, l->v->now, conn), 0);
    take_all(l);
    ports[1] = 9;
    segment(l, ports, V_SYN, (uint32_t[]){900, 0}, 0); /* nobody listens */
    segment(l, ports, V_ACK, (uint32_t[]){900, 77}, 10);
    ports[1] = VICTIM_PORT;
    for (unsigned i = 0; i < 40; i++) {
        ports[0] = (uint16_t)(4200 + i);
        segment(l, ports, V_SYN, (uint32_t[]){900 + i, 0}, 0);
    }
    l->seen |= victim_counters(l->v).cookies_sent > 0 ? SAW_COOKIE : 0;
}

static void live(struct life *l, int fill, bool ethernet, bool v6)
{
    struct estab_config config;
    memset(l, 0, sizeof *l);
    l->log = malloc(LOG_ROOM);
    assert_non_null(l->log);
    l->fill = fill;
    l->v6 = v6;
    victim_config(&config);
    l->v = victim_create(&config, ethernet, fill);
    take_all(l);
    pass(l, 20 * VICTIM_SECOND); /* routers are looked for */
    active_life(l);
    neighbours_meet(l, 1);
    passive_life(l);
    echo(l);
    victim_stop(l->v);
}

/*
 * V-12: SYN, SYN,ACK, cookie, text, SACK, FIN, RST, ACK of TIME-WAIT, echo, ARP and neighbour discovery, on
 * Ethernet and bare, IPv4 and IPv6: 0 bytes differ between two patterns of poison.
 */
static void v12_no_byte_of_a_packet_is_left_as_it_was(void **state)
{
    (void)state;
    static const int patterns[] = {0x00, 0xff, 0xa5, 0x5a};
    for (unsigned run = 0; run < 4; run++) {
        struct life lives[4];
        for (unsigned i = 0; i < 4; i++) {
            live(&lives[i], patterns[i], run & 1, run & 2);
            assert_int_equal(lives[i].seen | ((run & 1) ? 0u : SAW_ARP_OR_ND), SAW_ALL);
            assert_int_equal(lives[i].length, lives[0].length);
            assert_memory_equal(lives[i].log, lives[0].log, lives[0].length);
        }
        for (unsigned i = 0; i < 4; i++) {
            free(lives[i].log);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v12_no_byte_of_a_packet_is_left_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
