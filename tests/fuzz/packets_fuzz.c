/*
 * Packets from nowhere into a stack with listeners, connections in many states and TIME-WAIT, on bare IP and
 * on Ethernet, IPv4 and IPv6, in virtual time. After each packet (or batch of them) estab_check() holds,
 * everything that the stack sends is pulled and must be well formed, and it comes to rest: no deadline stays
 * in the past.
 *
 * Input: one byte that chooses the config, then records: how (1 byte), time since the last one, and what
 * `how` names: raw bytes as they are, raw bytes with their lengths and checksums mended, an upper-layer
 * message in an IP header, a segment toward a live connection with sequence numbers relative to its
 * variables, an ICMP error that quotes a live connection, a fragment. The rest of `how` says what the
 * application does meanwhile.
 *
 * The stack is built once for each config and copied back for each input: it lives in its memory alone, which
 * this relies on and so tests.
 */
#include "fuzz.h"
#include "wire/arp.h"
#include "wire/icmp.h"

enum { MEMORY = 384 * 1024, CONFIGS = 8, LARGEST = 4096, MOST_RECORDS = 120, AFTER = 32 };

static _Alignas(64) uint8_t memory[MEMORY];
static uint8_t *snapshots[CONFIGS];
static estab_stack *stack;
static uint64_t now;
static const uint64_t start = 5 * FUZZ_SECOND;
static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2};

static uint8_t out_room[4][2048];
static uint32_t room; /* of each packet that is pulled */

/* ----------------------------------------------------------------------------------------- moving */

static unsigned pull_all(void)
{
    unsigned total = 0;
    for (;;) {
        struct estab_packet packets[4];
        memset(packets, 0, sizeof(packets));
        for (unsigned i = 0; i < 4; i++) {
            packets[i].data = out_room[i];
            packets[i].capacity = room;
            memset(out_room[i] + room, 0x77, AFTER);
        }
        unsigned n = estab_pull(stack, now, packets, 4);
        fuzz_check_stack(stack);
        for (unsigned i = 0; i < n; i++) {
            bool ethernet = packets[i].interface == 2;
            FUZZ_CHECK(packets[i].length <= (ethernet ? 1514u : 1500u), "a packet sent fits the MTU");
            FUZZ_CHECK(packets[i].length <= room, "a packet sent fits its room");
            uint32_t type = ethernet ? get_be16(packets[i].data + 12) : 0;
            if (ethernet)
                FUZZ_CHECK(memcmp(packets[i].data + 6, our_mac, 6) == 0, "a frame sent is from our address");
            if (type != ETHERTYPE_ARP)
                fuzz_check_ip(packets[i].data + (ethernet ? 14 : 0), packets[i].length - (ethernet ? 14 : 0),
                              &packets[i]);
        }
        for (unsigned i = 0; i < 4 * AFTER; i++)
            FUZZ_CHECK(out_room[i / AFTER][room + i % AFTER] == 0x77, "nothing is written behind the room");
        total += n;
        FUZZ_CHECK(total < 20000, "what is due at one time comes to an end");
        if (n == 0)
            return total;
    }
}

/* Packets that arrive in one call; each stands in a block of its own. */
static struct estab_packet held[20];
static unsigned held_count;
static bool holding;

static void flush(void)
{
    estab_input(stack, now, held, held_count);
    for (unsigned i = 0; i < held_count; i++) {
        FUZZ_CHECK(held[i].reason < ESTAB_DROP_COUNT, "the reason of a drop is one");
        free(held[i].data);
    }
    held_count = 0;
    fuzz_check_stack(stack);
}

static void input(const uint8_t *data, size_t length, uint32_t interface)
{
    uint8_t *exact = malloc(length + (length == 0));
    if (length > 0)
        memcpy(exact, data, length);
    held[held_count++] =
        (struct estab_packet){.data = exact, .length = (uint32_t)length, .interface = interface};
    if (!holding || held_count == sizeof(held) / sizeof(held[0]))
        flush();
}

static void rest(void)
{
    unsigned rounds = 0;
    do {
        fuzz_tick(stack, now);
        pull_all();
        FUZZ_CHECK(++rounds < 100, "a stack comes to rest: its deadline lies in the future");
    } while (estab_next_deadline(stack) <= now);
}

/* ---------------------------------------------------------------------------------- the first scene */

static estab_conn open_bound(const struct estab_addr *local)
{
    estab_conn conn = 0;
    int error = estab_open(stack, &conn);
    if (error == 0)
        error = estab_set(stack, now, conn, ESTAB_OPTION_REUSE_ADDRESS, 1);
    if (error == 0)
        error = estab_bind(stack, now, conn, local);
    FUZZ_CHECK(error == 0, "the scene: bind");
    return conn;
}

static void listen_on(const struct estab_addr *local, unsigned backlog)
{
    FUZZ_CHECK(estab_listen(stack, now, open_bound(local), backlog) == 0, "the scene: listen");
}

/* Everything that is in the stack, in order: `nth` modulo their number. */
static bool pick(unsigned nth, struct estab_status *status)
{
    uint64_t cursor = 0;
    unsigned count = 0;
    while (estab_iterate(stack, &cursor, status))
        count++;
    if (count == 0)
        return false;
    cursor = 0;
    for (unsigned i = 0; i <= nth % count; i++) {
        if (!estab_iterate(stack, &cursor, status))
            fuzz_fail(__FILE__, __LINE__, "two walks see the same");
    }
    return true;
}

static void send_segment(const struct estab_addr *from, const struct estab_addr *to, struct tcp_segment *seg,
                         uint32_t interface)
{
    static uint8_t packet[LARGEST + 200];
    struct ip_addr source = fuzz_ip(from);
    struct ip_addr destination = fuzz_ip(to);
    size_t link = interface == 2 ? ETHERNET_HEADER : 0;
    if (ip_addr_is_v4(&source) != ip_addr_is_v4(&destination))
        return;
    seg->source_port = from->port;
    seg->destination_port = to->port;
    if (link > 0) {
        memcpy(packet, our_mac, 6);
        memcpy(packet + 6, peer_mac, 6);
        put_be16(packet + 12, ip_addr_is_v4(&source) ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
    }
    size_t length = link + fuzz_segment_write(packet + link, &source, &destination, seg);
    input(packet, length, interface);
}

/* A handshake from outside; the connection is accepted. */
static estab_conn open_from(const struct estab_addr *from, const struct estab_addr *to, uint32_t interface)
{
    struct tcp_segment syn = {.seq = seq_of(0xfffffff0), .flags = TCP_SYN, .wnd = 8000};
    syn.options = (struct tcp_options){.has_mss = true,
                                       .mss = 1200,
                                       .has_timestamps = true,
                                       .tsval = 7,
                                       .sack_permitted = true,
                                       .has_window_scale = true,
                                       .window_scale = 2};
    send_segment(from, to, &syn, interface);
    rest();
    uint64_t cursor = 0;
    struct estab_status status;
    while (estab_iterate(stack, &cursor, &status)) {
        if (status.state == ESTAB_SYN_RECEIVED) {
            struct tcp_segment ack = {
                .seq = seq_of(0xfffffff1), .ack = seq_of(status.snd_nxt), .flags = TCP_ACK, .wnd = 8000};
            ack.options = (struct tcp_options){.has_timestamps = status.timestamps, .tsval = 8};
            send_segment(from, to, &ack, interface);
            break;
        }
    }
    rest();
    estab_conn conn = 0;
    cursor = 0;
    while (conn == 0 && estab_iterate(stack, &cursor, &status)) {
        if (status.accept_waiting > 0)
            estab_accept(stack, now, status.conn, &conn);
    }
    FUZZ_CHECK(conn != 0, "the scene: accept");
    return conn;
}

/* The peer closes first, we answer, it has our FIN: we are done. Then the other way round: TIME-WAIT. */
static void make_time_wait(estab_conn conn)
{
    struct estab_status s;
    estab_close(stack, now, conn);
    rest();
    for (unsigned i = 0; pick(i, &s) && i < 16; i++) {
        if (s.state != ESTAB_FIN_WAIT_1)
            continue;
        struct tcp_segment fin = {
            .seq = seq_of(s.rcv_nxt), .ack = seq_of(s.snd_nxt), .flags = TCP_FIN | TCP_ACK, .wnd = 8000};
        fin.options = (struct tcp_options){.has_timestamps = s.timestamps, .tsval = 9};
        send_segment(&s.remote, &s.local, &fin, 1);
        rest();
        return;
    }
}

static void add_interface(bool ethernet, const struct estab_addr *v4, const struct estab_addr *v6)
{
    struct estab_interface interface = {.size = sizeof(interface), .mtu = 1500, .ethernet = ethernet};
    memcpy(interface.mac, our_mac, 6);
    int number = estab_interface_add(stack, now, &interface);
    FUZZ_CHECK(number > 0, "the scene: interface");
    int error = estab_address_add(stack, now, (uint32_t)number, v4, 24);
    if (v6 != NULL)
        error |= estab_address_add(stack, now, (uint32_t)number, v6, 64);
    FUZZ_CHECK(error == 0, "the scene: addresses");
}

static void build_connections(bool v6)
{
    struct estab_addr server = estab_addr_ipv4(10, 0, 0, 1, 80);
    struct estab_addr server6 = fuzz_v6(0, 1, 80);
    struct estab_addr client = estab_addr_ipv4(10, 0, 0, 2, 5000);
    struct estab_addr client6 = fuzz_v6(0, 2, 5000);
    struct estab_addr far = estab_addr_ipv4(10, 0, 0, 3, 7);
    struct estab_addr beside = estab_addr_ipv4(10, 1, 0, 2, 7);
    struct estab_addr single = estab_addr_any(81);
    static uint8_t text[3000];
    open_from(&client, &server, 1);
    if (v6)
        open_from(&client6, &server6, 1);
    client.port = 5001;
    estab_conn busy = open_from(&client, &server, 1);
    estab_send(stack, now, busy, text, sizeof(text), 0);
    client.port = 5002;
    make_time_wait(open_from(&client, &server, 1));
    estab_open_passive(stack, now, open_bound(&single), &far);
    estab_conn conn;
    estab_open(stack, &conn);
    estab_connect(stack, now, conn, &far); /* stays in SYN-SENT */
    estab_open(stack, &conn);
    estab_connect(stack, now, conn, &beside); /* waits for its neighbour */
}

static void build(unsigned variant)
{
    struct estab_config config;
    estab_config_init(&config);
    config.max_connections = 16;
    config.max_time_wait = 4;
    config.max_neighbours = 8;
    config.block_size = 512;
    config.trace_records = 8;
    config.receive_buffer = (variant & 1) ? 3000 : 200000;
    config.send_buffer = 8000;
    bool v6 = !(variant & 2);
    config.no_timestamps = config.no_sack = (variant & 4) != 0;
    config.no_window_scale = variant == 5;
    if (!v6)
        config.ipv6 = NULL;
    memset(config.secret, 0x51, sizeof(config.secret));
    memset(memory, 0xa5, sizeof(memory));
    now = start;
    room = 1514;
    stack = fuzz_stack(memory, sizeof(memory), &config);
    struct estab_addr a1 = estab_addr_ipv4(10, 0, 0, 1, 0);
    struct estab_addr a2 = estab_addr_ipv4(10, 1, 0, 1, 0);
    struct estab_addr b1 = fuzz_v6(0, 1, 0);
    struct estab_addr b2 = fuzz_v6(1, 1, 0);
    add_interface(false, &a1, v6 ? &b1 : NULL);
    add_interface(true, &a2, v6 ? &b2 : NULL);
    struct estab_addr gateway = estab_addr_ipv4(10, 1, 0, 2, 0);
    struct estab_addr any = estab_addr_ipv4(0, 0, 0, 0, 0);
    estab_route_add(stack, 2, &any, 0, &gateway);
    struct estab_addr web = estab_addr_any(80);
    listen_on(&web, 3);
    if (variant & 1) {
        struct estab_addr every = estab_addr_any(0);
        listen_on(&every, 2);
    }
    build_connections(v6);
    now += FUZZ_MILLISECOND;
    rest();
}

static void scene(unsigned variant)
{
    if (snapshots[variant] == NULL) {
        build(variant);
        snapshots[variant] = malloc(sizeof(memory));
        memcpy(snapshots[variant], memory, sizeof(memory));
    }
    memcpy(memory, snapshots[variant], sizeof(memory));
    room = variant == 6 ? 700 : 1514;
    now = start + FUZZ_MILLISECOND;
}

/* ----------------------------------------------------------------------------------------- records */

static void record_raw(struct fuzz_input *in, bool mend, uint32_t interface)
{
    static uint8_t packet[LARGEST];
    size_t length;
    size_t link = interface == 2 ? ETHERNET_HEADER : 0;
    const uint8_t *from = take_bytes(in, take16(in) % LARGEST, &length);
    if (length > 0)
        memcpy(packet, from, length);
    if (mend && length >= link) {
        if (link > 0)
            memcpy(packet, (packet[0] & 1) ? packet : our_mac, 6);
        fuzz_mend(packet + link, length - link);
    }
    input(packet, length, interface);
}

static void frame_for_us(uint8_t *frame, bool v4)
{
    memcpy(frame, our_mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    put_be16(frame + 12, v4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
}

/* Bytes as the payload of ICMP, ICMPv6 or TCP between sensible addresses, with a right checksum. */
static void record_message(struct fuzz_input *in, uint32_t interface)
{
    static uint8_t packet[LARGEST + 100];
    uint8_t what = take8(in);
    size_t length;
    const uint8_t *from = take_bytes(in, take16(in) % 2048, &length);
    bool v4 = (what & 1) == 0;
    uint16_t net = interface == 2;
    struct estab_addr local = v4 ? estab_addr_ipv4(10, (uint8_t)net, 0, 1, 0) : fuzz_v6(net, 1, 0);
    struct estab_addr remote =
        v4 ? estab_addr_ipv4(10, (uint8_t)net, 0, 2 + (what >> 4), 0) : fuzz_v6(net, 2 + (what >> 4), 0);
    struct ip_addr source = fuzz_ip(&remote);
    struct ip_addr destination = fuzz_ip(&local);
    size_t link = interface == 2 ? ETHERNET_HEADER : 0;
    uint8_t *ip = packet + link;
    uint8_t protocol = (what & 2) ? IP_PROTOCOL_TCP : v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6;
    if (!v4 && (what & 4)) { /* link-local, as neighbour discovery has it */
        static const uint8_t prefix[8] = {0xfe, 0x80};
        memcpy(source.b, prefix, 8);
    }
    if (length > 0)
        memcpy(ip + fuzz_ip_header(&source), from, length);
    if (link > 0)
        frame_for_us(packet, v4);
    length = fuzz_ip_write(ip, &source, &destination, protocol, length);
    fuzz_mend(ip, length);
    if (link > 0 && (what & 8) && v4) {
        put_be16(packet + 12, ETHERTYPE_ARP);
        size_t arp = length - IPV4_HEADER;
        memmove(ip, ip + IPV4_HEADER, arp);
        length = arp;
    }
    input(packet, link + length, interface);
}

static void take_options(struct fuzz_input *in, struct tcp_options *options, const struct estab_status *s)
{
    uint8_t which = take8(in);
    options->has_timestamps = s->timestamps != ((which & 1) != 0);
    options->tsval = (which & 2) ? take32(in) : (uint32_t)(now / FUZZ_MILLISECOND);
    options->tsecr = (which & 4) ? take32(in) : (uint32_t)(now / FUZZ_MILLISECOND);
    options->has_mss = (which & 8) != 0;
    options->mss = options->has_mss ? take16(in) : 0;
    options->has_window_scale = (which & 16) != 0;
    options->window_scale = options->has_window_scale ? take8(in) : 0;
    options->sack_permitted = (which & 32) != 0;
    options->sack_count = which >> 6;
    for (unsigned i = 0; i < options->sack_count; i++) {
        options->sack[i].left = seq_of(s->snd_una + take_offset(in));
        options->sack[i].right = seq_add(options->sack[i].left, take_offset(in));
    }
}

/* The other end of what is there; for a listener somebody near. */
static void complete_addresses(struct estab_status *s, uint8_t which)
{
    bool v4 = (which & 1) == 0;
    if (s->remote.port == 0) {
        s->remote = v4 ? estab_addr_ipv4(10, 0, 0, 2 + (which >> 5), 0) : fuzz_v6(0, 2 + (which >> 5), 0);
        s->remote.port = (uint16_t)(6000 + (which >> 3));
    }
    struct ip_addr local = fuzz_ip(&s->local);
    if (ip_addr_is_any(&local)) {
        uint16_t port = s->local.port;
        struct ip_addr remote = fuzz_ip(&s->remote);
        s->local = ip_addr_is_v4(&remote) ? estab_addr_ipv4(10, 0, 0, 1, port) : fuzz_v6(0, 1, port);
    }
}

static void record_segment(struct fuzz_input *in, uint32_t interface)
{
    static uint8_t text[LARGEST];
    struct estab_status s;
    uint8_t target = take8(in);
    uint8_t which = take8(in);
    if (!pick(target, &s))
        return;
    complete_addresses(&s, which);
    struct tcp_segment seg = {.flags = take8(in)};
    seg.flags |= (which & 2) ? TCP_AE : 0;
    seg.seq = seq_of(s.rcv_nxt + take_offset(in));
    seg.ack = seq_of(((which & 4) ? s.snd_una : s.snd_nxt) + take_offset(in));
    seg.wnd = take16(in);
    seg.up = (seg.flags & TCP_URG) ? take16(in) : 0;
    take_options(in, &seg.options, &s);
    seg.text_length = take8(in);
    seg.text_length = seg.text_length < 200 ? seg.text_length : (seg.text_length - 199) * 25u;
    seg.text = text;
    send_segment(&s.remote, &s.local, &seg, interface);
}

static void record_error(struct fuzz_input *in, uint32_t interface)
{
    static const uint8_t types4[] = {3, 4, 5, 11, 12, 0, 8, 13};
    static const uint8_t types6[] = {1, 2, 3, 4, 128, 129, 137, 100};
    uint8_t packet[400] = {0};
    struct estab_status s;
    if (!pick(take8(in), &s))
        return;
    complete_addresses(&s, 0);
    struct ip_addr local = fuzz_ip(&s.local);
    struct ip_addr remote = fuzz_ip(&s.remote);
    if (ip_addr_is_v4(&local) != ip_addr_is_v4(&remote))
        return;
    bool v4 = ip_addr_is_v4(&local);
    uint8_t type = take8(in);
    size_t header = fuzz_ip_header(&local);
    uint8_t *icmp = packet + header;
    icmp[0] = v4 ? types4[type & 7] : types6[type & 7];
    icmp[1] = take8(in) & 15;
    put_be32(icmp + 4, take16(in));
    struct tcp_segment seg = {
        .source_port = s.local.port, .destination_port = s.remote.port, .flags = TCP_ACK};
    seg.seq = seq_of(((type & 8) ? s.snd_nxt : s.snd_una) + take_offset(in));
    size_t quoted = fuzz_segment_write(icmp + ICMP_HEADER, &local, &remote, &seg);
    if (type & 16)
        quoted = header + 8;
    else if (type & 32)
        quoted = take8(in) < quoted ? quoted / 2 : quoted;
    size_t length = fuzz_ip_write(packet, &remote, &local, v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6,
                                  ICMP_HEADER + quoted);
    fuzz_mend(packet, length);
    (void)interface;
    input(packet, length, 1);
}

/* A part of a datagram that holds a segment for a live connection, or of one that is only bytes. */
static void record_fragment(struct fuzz_input *in)
{
    static uint8_t whole[LARGEST + 200];
    static uint8_t part[LARGEST + 200];
    static uint8_t text[LARGEST];
    uint8_t what = take8(in);
    bool v4 = (what & 1) == 0;
    struct estab_status s;
    if (!pick(take8(in), &s))
        return;
    complete_addresses(&s, v4 ? 0 : 1);
    struct ip_addr local = fuzz_ip(&s.local);
    struct ip_addr remote = fuzz_ip(&s.remote);
    if (ip_addr_is_v4(&local) != ip_addr_is_v4(&remote))
        return;
    v4 = ip_addr_is_v4(&local);
    struct tcp_segment seg = {
        .source_port = s.remote.port, .destination_port = s.local.port, .flags = TCP_ACK, .wnd = 9000};
    seg.seq = seq_of(s.rcv_nxt);
    seg.ack = seq_of(s.snd_nxt);
    seg.options =
        (struct tcp_options){.has_timestamps = s.timestamps, .tsval = (uint32_t)(now / FUZZ_MILLISECOND)};
    seg.text_length = (what >> 4) * 100u;
    seg.text = text;
    size_t header = fuzz_ip_header(&local);
    size_t upper = fuzz_segment_write(whole, &remote, &local, &seg) - header;
    uint32_t offset = take8(in) * 8u;
    uint32_t length = take8(in) * 8u;
    bool more = (what & 2) != 0;
    offset = offset < upper ? offset : offset % (uint32_t)upper / 8 * 8;
    if (!more || offset + length > upper)
        length = (uint32_t)upper - offset;
    size_t extra = v4 ? 0 : 8;
    memcpy(part + header + extra, whole + header + offset, length);
    fuzz_ip_write(part, &remote, &local, v4 ? IP_PROTOCOL_TCP : 44, length + extra);
    uint8_t id = (what >> 2) & 3;
    if (v4) {
        put_be16(part + 4, id);
        put_be16(part + 6, (more ? 0x2000u : 0) | offset / 8);
        put_be16(part + 10, 0);
        checksum_put(part + 10, checksum_sum(part, header));
    } else {
        part[header] = IP_PROTOCOL_TCP;
        part[header + 1] = 0;
        put_be16(part + header + 2, offset | (more ? 1u : 0));
        put_be32(part + header + 4, id);
    }
    input(part, header + extra + length, 1);
}

/* -------------------------------------------------------------------------------------- application */

static void use(const struct estab_event *event, unsigned what)
{
    static uint8_t bytes[5000];
    estab_conn accepted;
    if (event->ready & ESTAB_ACCEPTABLE)
        estab_accept(stack, now, event->conn, &accepted);
    if (event->ready & ESTAB_READABLE)
        estab_recv(stack, now, event->conn, bytes, sizeof(bytes), 0);
    if (what >= 2 && (event->ready & ESTAB_WRITABLE))
        estab_send(stack, now, event->conn, bytes, 700, what == 3 ? ESTAB_URGENT : 0);
    if (what == 3 && (event->ready & ESTAB_PEER_CLOSED))
        estab_close(stack, now, event->conn);
    fuzz_check_stack(stack);
}

static void application(unsigned what)
{
    struct estab_event events[4];
    struct estab_trace records[4];
    unsigned n = 0;
    unsigned rounds = 0;
    while (what > 0 && rounds++ < 8 && (n = estab_poll(stack, events, 4)) > 0) {
        for (unsigned i = 0; i < n; i++)
            use(&events[i], what);
    }
    estab_trace_pull(stack, records, 4);
}

static void record(struct fuzz_input *in)
{
    uint8_t how = take8(in);
    uint32_t interface = (how & 0x20) ? 2 : 1;
    holding = (how & 0x10) != 0;
    if (!holding) {
        now += take_time(in);
        fuzz_tick(stack, now);
    }
    switch (how & 7) {
    case 0: record_raw(in, false, interface); break;
    case 1: record_raw(in, true, interface); break;
    case 2: record_message(in, interface); break;
    case 3: record_error(in, interface); break;
    case 4: record_fragment(in); break;
    default: record_segment(in, interface); break;
    }
    if (holding)
        return;
    if (held_count > 0)
        flush();
    application(how >> 6);
    if (how & 8)
        rest();
    else
        pull_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    scene(take8(&in) % CONFIGS);
    for (unsigned i = 0; in.left > 0 && i < MOST_RECORDS; i++)
        record(&in);
    holding = false;
    flush();
    for (unsigned i = 0; i < 12 && estab_next_deadline(stack) != UINT64_MAX; i++) {
        uint64_t next = estab_next_deadline(stack);
        now = next > now ? next : now;
        rest();
        application(1);
    }
    rest();
    return 0;
}
