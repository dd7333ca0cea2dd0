/*
 * Sequences of API calls on two stacks that are joined by a link which loses, repeats, reorders, delays and
 * damages packets as the input says, with segments made up toward live connections in between, and handles
 * that may be stale or garbage. After each call estab_check() holds on that stack.
 *
 * Oracle: each byte of a stream is a function of its sender's and receiver's port and of its position, so
 * that any byte that arrives twice, moved, changed or from another connection is found where it is read. What
 * ended without an error delivered every byte that was sent, unless segments were made up. At the end every
 * handle is given up and the link is good: after a bounded virtual time no connection, no TIME-WAIT and no
 * block is left. A part of the inputs is played twice and must give the same bytes.
 *
 * Input: two bytes of config, then opcodes with their arguments.
 */
#include "fuzz.h"

enum {
    SIDES = 2,
    MEMORY = 160 * 1024,
    SLOTS = 10,
    LINK = 48,
    MOST_CALLS = 400,
    MOST_STEPS = 30000,
    TEXT = 20000
};

static _Alignas(64) uint8_t memory[SIDES][MEMORY];
static uint8_t out_room[FUZZ_ROOM];
static uint8_t flat[FUZZ_ROOM];
static uint8_t text[TEXT];
static uint8_t room[TEXT];

/* A handle that the application holds, and what it knows of its connection. */
struct slot {
    estab_conn conn; /* 0 = none */
    bool listener;
    bool known; /* ports and first sequence numbers were seen */
    uint16_t local_port;
    uint16_t remote_port;
    uint32_t iss, irs;
    uint64_t sent;
    uint64_t received;
    bool at_end; /* receive has said 0 */
    bool shut_read;
};

struct packet {
    uint64_t due;
    uint32_t length;
    uint32_t flags;
    uint16_t gso_size;
    uint8_t *data;
};

/* What one has sent, kept after the handle is gone: for the one that reads the end of it. */
struct stream {
    uint32_t iss;
    uint16_t local_port;
    uint16_t remote_port;
    uint64_t sent;
};

enum { STREAMS = 64 };

static struct world {
    struct fuzz_input in;
    uint64_t now;
    estab_stack *stack[SIDES];
    struct slot slots[SIDES][SLOTS];
    estab_conn last[SIDES];          /* a handle given up */
    struct packet link[SIDES][LINK]; /* toward that side */
    unsigned under_way[SIDES];
    struct stream streams[SIDES][STREAMS];
    unsigned stream_count[SIDES];
    bool forged;  /* segments were made up: streams need not be whole */
    bool damaged; /* or bytes were, which a checksum may miss only where we left it to the link */
    bool ethernet;
    bool gather;
    uint8_t delay_ms;
    uint8_t fill;    /* what stands in the memory that a stack is given */
    uint64_t digest; /* of every packet sent, with its time */
} w;

static struct estab_addr address_of(unsigned side, bool v6, uint16_t port)
{
    return v6 ? fuzz_v6(0, (uint8_t)(side + 1), port) : estab_addr_ipv4(10, 0, 0, (uint8_t)(side + 1), port);
}

/* ----------------------------------------------------------------------------------------- oracle */

FUZZ_UNTRACED static uint8_t byte_of(uint16_t from, uint16_t to, uint64_t position)
{
    uint32_t x = ((uint32_t)from << 16 | to) * 2654435761u + (uint32_t)position * 40503u;
    return (uint8_t)(x >> 13 ^ x >> 24);
}

FUZZ_UNTRACED static void fill_text(uint8_t *out, size_t length, const struct slot *s, uint64_t position)
{
    for (size_t i = 0; i < length; i++)
        out[i] = byte_of(s->local_port, s->remote_port, position + i);
}

FUZZ_UNTRACED static void check_text(const uint8_t *data, size_t length, const struct slot *s,
                                     uint64_t position)
{
    for (size_t i = 0; i < length; i++) {
        FUZZ_CHECK(data[i] == byte_of(s->remote_port, s->local_port, position + i),
                   "each byte arrives once, in order, unchanged");
    }
}

/* Remembers what was sent under this ISS, the newest in place of the oldest. */
static void note_stream(unsigned side, const struct slot *s)
{
    struct stream *streams = w.streams[side];
    unsigned count = w.stream_count[side] < STREAMS ? w.stream_count[side] : STREAMS;
    for (unsigned i = 0; i < count; i++) {
        if (streams[i].iss == s->iss && streams[i].local_port == s->local_port &&
            streams[i].remote_port == s->remote_port) {
            streams[i].sent = s->sent;
            return;
        }
    }
    streams[w.stream_count[side]++ % STREAMS] =
        (struct stream){s->iss, s->local_port, s->remote_port, s->sent};
}

static void learn(unsigned side, struct slot *s)
{
    struct estab_status status;
    if (s->conn == 0 || s->listener || s->known || estab_status(w.stack[side], s->conn, &status) != 0)
        return;
    if (status.state == ESTAB_CLOSED || status.state == ESTAB_LISTEN)
        return;
    s->local_port = status.local.port;
    s->remote_port = status.remote.port;
    s->iss = status.iss;
    s->irs = status.irs;
    s->known = status.state != ESTAB_SYN_SENT;
}

/* The peer's side of a stream that was read to its end: as much arrived as was sent. */
static void check_whole(unsigned side, const struct slot *s)
{
    const struct stream *streams = w.streams[!side];
    if (w.forged || !s->known || s->shut_read)
        return;
    for (unsigned i = 0; i < STREAMS; i++) {
        if (streams[i].iss == s->irs && streams[i].local_port == s->remote_port &&
            streams[i].remote_port == s->local_port && w.stream_count[!side] <= STREAMS) {
            FUZZ_CHECK(streams[i].sent == s->received, "at the end of a stream every byte has arrived");
        }
    }
}

/* ------------------------------------------------------------------------------------------- link */

static void link_remove(unsigned side, unsigned index)
{
    free(w.link[side][index].data);
    w.under_way[side]--;
    memmove(&w.link[side][index], &w.link[side][index + 1],
            (w.under_way[side] - index) * sizeof(struct packet));
}

static void link_add(unsigned side, const uint8_t *data, const struct packet *facts)
{
    if (w.under_way[side] == LINK)
        return; /* the queue is full: lost */
    struct packet *packet = &w.link[side][w.under_way[side]++];
    *packet = *facts;
    packet->data = malloc(facts->length);
    memcpy(packet->data, data, facts->length);
}

FUZZ_UNTRACED static void digest(const uint8_t *data, size_t length)
{
    uint64_t hash = w.digest ^ w.now;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    w.digest = hash;
}

static void check_sent(const uint8_t *data, size_t length, const struct estab_packet *packet)
{
    size_t link = w.ethernet ? ETHERNET_HEADER : 0;
    FUZZ_CHECK(length >= link, "a frame has its header");
    if (!w.ethernet || get_be16(data + 12) != ETHERTYPE_ARP)
        fuzz_check_ip(data + link, length - link, packet);
}

/* What a stack has to send goes on the link. */
static void pull(unsigned side)
{
    unsigned total = 0;
    bool pending = estab_pull_pending(w.stack[side]);
    for (;;) {
        struct estab_slice slices[8];
        struct estab_packet packet = {.data = out_room, .capacity = FUZZ_ROOM};
        if (w.gather) {
            packet.slices = slices;
            packet.slice_capacity = 8;
        }
        unsigned n = estab_pull(w.stack[side], w.now, &packet, 1);
        if (n == 0)
            break;
        size_t length = fuzz_flatten(&packet, flat);
        fuzz_check_stack(w.stack[side]);
        check_sent(flat, length, &packet);
        struct packet facts = {w.now + w.delay_ms * FUZZ_MILLISECOND, (uint32_t)length,
                               ESTAB_PACKET_CHECKSUM_VALID, packet.gso_size, NULL};
        facts.flags = packet.gso_size > 0 ? ESTAB_PACKET_CHECKSUM_VALID : 0;
        digest(flat, length);
        link_add(!side, flat, &facts);
        FUZZ_CHECK(++total < 5000, "what is due at one time comes to an end");
    }
    FUZZ_CHECK(pending || total == 0, "what can be pulled is announced");
    if (pending)
        fuzz_check_stack(w.stack[side]);
}

/* The n-th packet under way arrives. */
static void deliver(unsigned side, unsigned index, bool keep)
{
    struct packet *p = &w.link[side][index];
    struct estab_packet packet = {.data = p->data, .length = p->length, .interface = 1};
    packet.flags = p->flags;
    packet.gso_size = p->gso_size;
    estab_input(w.stack[side], w.now, &packet, 1);
    if (!keep)
        link_remove(side, index);
    fuzz_check_stack(w.stack[side]);
}

static void tick(unsigned side)
{
    fuzz_tick(w.stack[side], w.now);
    pull(side);
}

/* Everything under way arrives in one call. */
static void deliver_batch(unsigned side)
{
    struct estab_packet packets[LINK];
    unsigned count = w.under_way[side];
    for (unsigned i = 0; i < count; i++) {
        const struct packet *p = &w.link[side][i];
        packets[i] = (struct estab_packet){
            .data = p->data, .length = p->length, .interface = 1, .flags = p->flags, .gso_size = p->gso_size};
    }
    estab_input(w.stack[side], w.now, packets, count);
    while (w.under_way[side] > 0)
        link_remove(side, 0);
    fuzz_check_stack(w.stack[side]);
}

/* All that is due arrives; bit i of `lost` loses the i-th. Returns whether anything moved. */
static bool exchange(uint32_t lost)
{
    bool moved = false;
    for (unsigned side = 0; side < SIDES; side++) {
        tick(side);
        for (unsigned i = 0; i < w.under_way[side];) {
            if (w.link[side][i].due > w.now) {
                i++;
                continue;
            }
            if (lost & 1)
                link_remove(side, i);
            else
                deliver(side, i, false);
            lost >>= 1;
            moved = true;
        }
        pull(side);
    }
    return moved;
}

static uint64_t next_event(void)
{
    uint64_t next = UINT64_MAX;
    for (unsigned side = 0; side < SIDES; side++) {
        uint64_t deadline = estab_next_deadline(w.stack[side]);
        next = deadline < next ? deadline : next;
        for (unsigned i = 0; i < w.under_way[side]; i++)
            next = w.link[side][i].due < next ? w.link[side][i].due : next;
    }
    return next;
}

/* Time goes on to the next thing that happens, at most until `until`. */
static void run(uint64_t until, unsigned steps, uint32_t lost)
{
    unsigned stuck = 0;
    pull(0); /* what calls have made due */
    pull(1);
    while (steps-- > 0) {
        uint64_t next = next_event();
        if (next > until)
            break;
        stuck = next <= w.now ? stuck + 1 : 0;
        FUZZ_CHECK(stuck < 2000, "a deadline does not stay in the past");
        w.now = next > w.now ? next : w.now;
        exchange(lost);
        lost >>= 8;
    }
}

/* ----------------------------------------------------------------------------------------- handles */

static struct slot *slot_with(unsigned side, estab_conn conn)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (w.slots[side][i].conn == conn && conn != 0)
            return &w.slots[side][i];
    }
    return NULL;
}

/* Most often one that lives. A made-up one may hit a living one, which then is the one meant. */
static estab_conn take_handle(unsigned side, struct slot **slot)
{
    uint8_t code = take8(&w.in);
    estab_conn conn = w.slots[side][code % SLOTS].conn;
    if (code >= 250)
        conn = code == 255 ? w.last[side] : w.last[!side];
    else if (code >= 240)
        conn = (estab_conn)take32(&w.in) << 32 | (code & 3u ? take8(&w.in) : take32(&w.in));
    else if (code >= 230)
        conn += (code & 1) ? UINT64_C(1) << 32 : 1;
    *slot = slot_with(side, conn);
    return conn;
}

static struct slot *free_slot(unsigned side)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (w.slots[side][i].conn == 0)
            return &w.slots[side][i];
    }
    return NULL;
}

static void check_answer(ptrdiff_t answer, const struct slot *slot)
{
    FUZZ_CHECK(answer >= -ESTAB_EACCES, "an error is one of ours");
    FUZZ_CHECK((slot == NULL) == (answer == -ESTAB_EBADF), "a stale handle is found out, and no other");
}

static void forget(unsigned side, struct slot *slot)
{
    w.last[side] = slot->conn;
    *slot = (struct slot){0};
}

/* Seldom: an address that is anything, on an interface that may not be there. */
static void twist(struct estab_addr *address)
{
    uint8_t code = take8(&w.in);
    if (code < 240)
        return;
    if (code & 1)
        address->scope = take8(&w.in);
    if (code & 2)
        address->ip[take8(&w.in) & 15] ^= take8(&w.in);
    if (code & 4)
        memset(address->ip, take8(&w.in), 16);
    if (code & 8)
        memcpy(address->ip, (const uint8_t[]){0xfe, 0x80, 0, 0, 0, 0, 0, 0}, 8);
}

/* ------------------------------------------------------------------------------------------- calls */

static uint16_t take_port(void)
{
    uint8_t code = take8(&w.in);
    return code < 8 ? (uint16_t)(7000 + code % 4) : code < 250 ? (uint16_t)(7000 + code) : 0;
}

static void call_open(unsigned side)
{
    struct slot *slot = free_slot(side);
    estab_conn conn = 0;
    if (slot == NULL)
        return;
    int error = estab_open(w.stack[side], &conn);
    FUZZ_CHECK(error == 0 || error == -ESTAB_ENOBUFS, "open succeeds or finds no room");
    if (error == 0) {
        FUZZ_CHECK(conn != 0 && slot_with(side, conn) == NULL, "a new handle is new");
        *slot = (struct slot){.conn = conn};
    }
}

static void call_bind(unsigned side)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    uint8_t which = take8(&w.in);
    struct estab_addr local = address_of(side, which & 1, take_port());
    if (which & 2)
        local = (which & 1) ? estab_addr_any(local.port) : estab_addr_ipv4(0, 0, 0, 0, local.port);
    else if ((which & 0xfc) == 0xfc)
        local.ip[15] = 77; /* not ours */
    else if ((which & 0xfc) == 0xf8)
        twist(&local);
    check_answer(estab_bind(w.stack[side], w.now, conn, &local), slot);
}

static void call_listen(unsigned side)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    int error = estab_listen(w.stack[side], w.now, conn, take8(&w.in) % 5);
    check_answer(error, slot);
    if (error == 0)
        slot->listener = true;
}

static void call_open_passive(unsigned side)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    uint8_t which = take8(&w.in);
    struct estab_addr remote = address_of(!side, which & 1, take_port());
    check_answer(estab_open_passive(w.stack[side], w.now, conn, (which & 2) ? &remote : NULL), slot);
}

static void call_connect(unsigned side)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    uint8_t which = take8(&w.in);
    struct estab_addr remote = address_of((which & 0xf8) == 0xf8 ? side : !side, which & 1, take_port());
    if ((which & 0xfc) == 0xf4)
        remote.ip[15] = 99; /* nobody, or not unicast */
    if ((which & 0xfc) == 0xf0)
        remote.ip[12] = 224;
    if ((which & 0xfc) == 0xec)
        twist(&remote);
    check_answer(estab_connect(w.stack[side], w.now, conn, &remote), slot);
    if (slot != NULL)
        learn(side, slot);
}

static void call_accept(unsigned side)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    estab_conn child = 0;
    struct slot *place = free_slot(side);
    if (place == NULL)
        return;
    int error = estab_accept(w.stack[side], w.now, conn, &child);
    check_answer(error, slot);
    if (error != 0)
        return;
    FUZZ_CHECK(child != 0 && slot_with(side, child) == NULL, "an accepted handle is new");
    *place = (struct slot){.conn = child};
    learn(side, place);
}

static size_t take_length(void)
{
    uint8_t code = take8(&w.in);
    return code < 128 ? code : code < 250 ? (size_t)(code - 127) * 100 : (size_t)TEXT;
}

static void sent(unsigned side, struct slot *slot, ptrdiff_t n)
{
    if (n > 0) {
        slot->sent += (uint64_t)n;
        learn(side, slot);
        note_stream(side, slot);
    }
}

/* Only where the ports are known can the bytes be coded; a record that waits for its peer learns them in
 * connect. */
static bool coded(unsigned side, struct slot *slot)
{
    if (slot == NULL)
        return false;
    learn(side, slot);
    struct estab_status status;
    if (slot->local_port == 0 && estab_status(w.stack[side], slot->conn, &status) == 0) {
        slot->local_port = status.local.port;
        slot->remote_port = status.remote.port;
    }
    return true;
}

static void call_send(unsigned side, bool vector)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    size_t length = take_length();
    unsigned flags = take8(&w.in) & (ESTAB_MORE | ESTAB_URGENT);
    static const struct slot nobody;
    const struct slot *writer = coded(side, slot) ? slot : &nobody;
    fill_text(text, length, writer, writer->sent);
    ptrdiff_t n;
    if (vector) {
        size_t cut = length / 3;
        struct estab_slice slices[3] = {{text, cut}, {text + cut, 0}, {text + cut, length - cut}};
        n = estab_sendv(w.stack[side], w.now, conn, slices, 3);
    } else {
        n = estab_send(w.stack[side], w.now, conn, text, length, flags);
    }
    check_answer(n, slot);
    FUZZ_CHECK(n <= (ptrdiff_t)length, "no more is sent than was asked");
    if (slot != NULL)
        sent(side, slot, n);
}

static void call_reserve(unsigned side)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    uint8_t what = take8(&w.in);
    size_t length = 0;
    int error = 0;
    uint8_t *place = NULL;
    if (what & 1)
        place = estab_send_reserve(w.stack[side], conn, &length, &error);
    fuzz_check_stack(w.stack[side]);
    FUZZ_CHECK((what & 1) == 0 || (place != NULL) == (error == 0), "a reservation is room or an error");
    if (what & 1)
        check_answer(error, slot);
    if (place != NULL && coded(side, slot))
        fill_text(place, length, slot, slot->sent);
    if (what & 2)
        return;
    size_t wanted = (what & 4) ? take_length() : length;
    if (place == NULL && wanted > 0 && (what & 1) == 0)
        wanted =
            (what & 8) ? SIZE_MAX : 0; /* nothing reserved by this call: what stands there is not coded */
    error = estab_send_commit(w.stack[side], w.now, conn, wanted, 0);
    check_answer(error, slot);
    FUZZ_CHECK(error != 0 || wanted <= length, "no more is committed than was reserved");
    if (error == 0)
        sent(side, slot, (ptrdiff_t)wanted);
}

static void received(unsigned side, struct slot *slot, ptrdiff_t n, const uint8_t *data)
{
    learn(side, slot);
    if (n > 0) {
        FUZZ_CHECK(!slot->at_end, "nothing comes after the end");
        check_text(data, (size_t)n, slot, slot->received);
    }
}

static void call_receive(unsigned side, unsigned how)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    size_t length = take_length();
    ptrdiff_t n;
    unsigned flags = how == 1 ? ESTAB_PEEK : 0;
    if (how == 2) {
        struct estab_buffer buffers[2] = {{room, length / 2}, {room + length / 2, length - length / 2}};
        n = estab_recvv(w.stack[side], w.now, conn, buffers, 2);
    } else {
        n = estab_recv(w.stack[side], w.now, conn, room, length, flags);
    }
    check_answer(n, slot);
    FUZZ_CHECK(n <= (ptrdiff_t)length, "no more is received than was asked");
    if (slot == NULL)
        return;
    received(side, slot, n, room);
    if (n > 0 && how != 1)
        slot->received += (uint64_t)n;
    if (n == 0 && length > 0) {
        struct estab_status status;
        estab_status(w.stack[side], conn, &status);
        bool whole = status.state == ESTAB_CLOSE_WAIT || status.state == ESTAB_LAST_ACK ||
                     status.state == ESTAB_CLOSING || status.state == ESTAB_TIME_WAIT;
        if (whole)
            check_whole(side, slot);
        slot->at_end = !slot->shut_read;
    }
}

static void call_consume(unsigned side)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    struct estab_slice slices[20];
    int n = estab_recv_slices(w.stack[side], conn, slices, take8(&w.in) % 21);
    check_answer(n, slot);
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        learn(side, slot);
        check_text(slices[i].data, slices[i].length, slot, slot->received + total);
        total += slices[i].length;
    }
    size_t wanted = take_length();
    uint8_t exact = take8(&w.in);
    wanted = exact & 1 ? total : wanted;
    if (wanted > total && n > 0 && slot != NULL && !(exact & 2))
        wanted = total;
    int error = estab_recv_consume(w.stack[side], w.now, conn, wanted);
    check_answer(error, slot);
    if (error == 0)
        slot->received += wanted;
}

static void call_shutdown(unsigned side)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    unsigned how = take8(&w.in) % 5;
    int error = estab_shutdown(w.stack[side], w.now, conn, (enum estab_how)how);
    check_answer(error, slot);
    if (error == 0 && (how & ESTAB_SHUT_RD))
        slot->shut_read = true;
}

static void call_close(unsigned side, bool abort)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    int error = abort ? estab_abort(w.stack[side], w.now, conn) : estab_close(w.stack[side], w.now, conn);
    check_answer(error, slot);
    if (slot != NULL)
        forget(side, slot);
}

static void call_set(unsigned side)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    unsigned option = take8(&w.in) % (ESTAB_OPTION_COUNT + 1);
    uint8_t size = take8(&w.in);
    uint64_t value = size < 200 ? size : size < 230 ? take16(&w.in) : take32(&w.in) * (uint64_t)take16(&w.in);
    uint64_t before = 0;
    uint64_t after = 0;
    bool timeout = option == ESTAB_OPTION_USER_TIMEOUT;
    if (timeout && value > 600 * FUZZ_SECOND)
        value = 600 * FUZZ_SECOND; /* or the world would not end */
    int known = estab_get(w.stack[side], conn, (enum estab_option)option, &before);
    int error = estab_set(w.stack[side], w.now, conn, (enum estab_option)option, value);
    check_answer(error, slot);
    FUZZ_CHECK(known != 0 || estab_get(w.stack[side], conn, (enum estab_option)option, &after) == 0,
               "an option that can be read stays so");
    FUZZ_CHECK(known != 0 || error == 0 || after == before, "an option that was refused is as it was");
}

static void call_look(unsigned side)
{
    struct slot *slot;
    estab_conn conn = take_handle(side, &slot);
    struct estab_status status;
    struct estab_event events[4];
    struct estab_trace records[4];
    struct estab_memory use;
    struct estab_counters counters;
    uint64_t cursor = 0;
    uint32_t count = 0;
    uint32_t waiting = 0;
    check_answer(estab_status(w.stack[side], conn, &status), slot);
    check_answer(estab_ready(w.stack[side], conn), slot);
    while (estab_iterate(w.stack[side], &cursor, &status)) {
        FUZZ_CHECK(status.state < ESTAB_STATE_COUNT, "a state is one");
        waiting += status.state == ESTAB_TIME_WAIT;
        count++;
    }
    estab_memory(w.stack[side], &use);
    estab_counters(w.stack[side], &counters);
    FUZZ_CHECK(count <= use.connections + use.time_wait + use.half_open, "the walk sees what there is");
    FUZZ_CHECK(waiting == use.time_wait, "each TIME-WAIT is seen once");
    FUZZ_CHECK(use.blocks_used <= use.blocks, "no more blocks are used than there are");
    unsigned n = estab_poll(w.stack[side], events, 4);
    for (unsigned i = 0; i < n; i++)
        FUZZ_CHECK(slot_with(side, events[i].conn) != NULL, "an event names a handle that is held");
    FUZZ_CHECK(estab_trace_pull(w.stack[side], records, 4) <= 4, "no more records than asked");
    estab_pull_pending(w.stack[side]);
}

static int call_neighbour(unsigned side, uint32_t interface, const struct estab_addr *ours, uint8_t what)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
    static const uint8_t key[16] = {1, 2, 3};
    struct estab_addr peer = address_of(!side, what & 1, 0);
    FUZZ_CHECK(estab_flow_hash(key, &peer, ours) == estab_flow_hash(key, ours, &peer),
               "both directions of a flow hash the same");
    return (what & 2) ? estab_neighbour_add(w.stack[side], w.now, interface, &peer, mac) : 0;
}

static int call_interface(unsigned side)
{
    struct estab_interface interface = {.size = sizeof(interface)};
    interface.mtu = take16(&w.in);
    interface.ethernet = (interface.mtu & 1) != 0;
    interface.mac[0] = take8(&w.in);
    int number = estab_interface_add(w.stack[side], w.now, &interface);
    FUZZ_CHECK(number <= ESTAB_MAX_INTERFACES, "an interface has a number");
    return number > 0 ? 0 : number;
}

static void call_addresses(unsigned side)
{
    uint8_t what = take8(&w.in);
    struct estab_addr address = address_of(side, what & 1, 0);
    struct estab_addr gateway = address_of(!side, what & 1, 0);
    uint32_t interface = (what & 0x1e) == 0x1e ? take8(&w.in) : 1;
    unsigned prefix = (what & 0x1c) == 0x1c ? take8(&w.in) : (what & 1) ? 64 : 24;
    estab_stack *stack = w.stack[side];
    int error = 0;
    twist(&address);
    switch (what >> 5) {
    case 0: error = estab_address_remove(stack, w.now, interface, &address); break;
    case 1:
        error = estab_interface_set_mtu(stack, w.now, interface, what & 2 ? take16(&w.in) % 1501 : 1500);
        break;
    case 2: error = estab_route_add(stack, interface, &address, prefix, (what & 2) ? &gateway : NULL); break;
    case 3: error = estab_route_remove(stack, interface, &address, prefix); break;
    case 4: error = call_neighbour(side, interface, &address, what); break;
    case 5: error = call_interface(side); break;
    default: error = estab_address_add(stack, w.now, interface, &address, prefix); break;
    }
    FUZZ_CHECK(error <= 0 && error >= -ESTAB_EACCES, "an error is one of ours");
}

/* ----------------------------------------------------------------------------------- link and forgery */

static void link_play(unsigned side)
{
    uint8_t what = take8(&w.in);
    if (w.under_way[side] == 0)
        return;
    unsigned index = (what >> 3) % w.under_way[side];
    struct packet *p = &w.link[side][index];
    switch (what & 7) {
    case 0: deliver(side, index, false); break;
    case 1: deliver(side, index, true); break;
    case 2: link_remove(side, index); break;
    case 3: p->due += (uint64_t)take8(&w.in) * 10 * FUZZ_MILLISECOND; break;
    case 4: link_add(side, p->data, p); break;
    case 5:
        p->flags = 0;
        p->data[take16(&w.in) % p->length] ^= (uint8_t)(1u << (what >> 5));
        w.damaged = true;
        break;
    default: deliver_batch(side); break;
    }
}

/* A segment toward a live connection, relative to its variables; its text is what its place in the stream
 * asks for. */
static void forge(unsigned side)
{
    static uint8_t packet[5000];
    struct estab_status s;
    uint64_t cursor = 0;
    unsigned nth = take8(&w.in) % 8;
    bool found = estab_iterate(w.stack[side], &cursor, &s);
    while (found && nth-- > 0)
        found = estab_iterate(w.stack[side], &cursor, &s);
    if (!found || w.ethernet)
        return;
    struct tcp_segment seg = {.flags = take8(&w.in) & 0x3f};
    uint8_t which = take8(&w.in);
    if (s.remote.port == 0)
        s.remote = address_of(!side, which & 1, (uint16_t)(9000 + (which >> 4)));
    struct ip_addr local = fuzz_ip(&s.local);
    struct ip_addr remote = fuzz_ip(&s.remote);
    if (ip_addr_is_any(&local)) {
        struct estab_addr ours = address_of(side, !ip_addr_is_v4(&remote), 0);
        local = fuzz_ip(&ours);
    }
    seg.source_port = s.remote.port;
    seg.destination_port = s.local.port;
    seg.seq = seq_of(s.rcv_nxt + take_offset(&w.in));
    seg.ack = seq_of(((which & 4) ? s.snd_una : s.snd_nxt) + take_offset(&w.in));
    seg.wnd = (which & 8) ? take16(&w.in) : 4000;
    seg.up = (which & 2) ? take16(&w.in) : 1;
    seg.options.has_timestamps = s.timestamps;
    seg.options.tsval = (uint32_t)(w.now / FUZZ_MILLISECOND);
    size_t length = take_length();
    length = length < 1300 ? length : 1300;
    struct slot reader = {.local_port = s.remote.port, .remote_port = s.local.port};
    uint32_t position = seg.seq.v - s.irs - ((seg.flags & TCP_SYN) ? 0 : 1);
    if ((seg.flags & TCP_SYN) && (s.state == ESTAB_LISTEN || s.state == ESTAB_SYN_SENT))
        position = 0;
    fill_text(text, length, &reader, position);
    seg.text = text;
    seg.text_length = (uint32_t)length;
    size_t bytes = fuzz_segment_write(packet, &remote, &local, &seg);
    uint8_t *exact = malloc(bytes);
    memcpy(exact, packet, bytes);
    struct estab_packet in = {.data = exact, .length = (uint32_t)bytes, .interface = 1};
    w.forged = true;
    estab_input(w.stack[side], w.now, &in, 1);
    free(exact);
}

/* ---------------------------------------------------------------------------------------- the world */

static void make_side(unsigned side, unsigned variant, unsigned variant2)
{
    struct estab_config config;
    estab_config_init(&config);
    config.max_connections = (variant & 1) ? 6 : 16;
    config.max_time_wait = (variant & 2) ? 2 : 8;
    config.block_size = (variant & 4) ? 256 : 1024;
    config.trace_records = (variant & 8) ? 5 : 0;
    config.receive_buffer = (variant & 16) ? 900 : 30000;
    config.send_buffer = (variant & 32) ? 700 : 20000;
    config.no_timestamps = (variant2 & 1) != 0;
    config.no_sack = (variant2 & 2) != 0;
    config.no_window_scale = (variant2 & 4) != 0;
    config.delayed_ack_ns = (variant2 & 8) ? ESTAB_OFF : 0;
    config.keep_idle_ns = 3 * FUZZ_SECOND;
    config.keep_interval_ns = FUZZ_SECOND;
    config.max_neighbours = 4;
    config.port_low = 30000;
    config.port_high = (variant2 & 16) ? 30003 : 30100;
    memset(config.secret, (int)(0x31 + side), sizeof(config.secret));
    size_t size = MEMORY;
    if (variant & 64) { /* hardly any block */
        size = estab_memory_minimum(&config) + (size_t)config.block_size * 4;
        size = (size < MEMORY ? size : MEMORY) & ~(size_t)15;
    }
    memset(memory[side], w.fill, MEMORY);
    w.stack[side] = fuzz_stack(memory[side], size, &config);
    struct estab_interface interface = {.size = sizeof(interface), .mtu = 1500, .ethernet = w.ethernet};
    interface.mac[0] = 2;
    interface.mac[5] = (uint8_t)(side + 1);
    interface.checksum_offload = (variant & 128) != 0;
    interface.gso_max = (variant & 128) ? 8000 : 0;
    struct estab_addr v4 = address_of(side, false, 0);
    struct estab_addr v6 = address_of(side, true, 0);
    int error = estab_interface_add(w.stack[side], w.now, &interface);
    FUZZ_CHECK(error == 1, "the world: interface");
    error = estab_address_add(w.stack[side], w.now, 1, &v4, 24);
    error |= estab_address_add(w.stack[side], w.now, 1, &v6, 64);
    FUZZ_CHECK(error == 0, "the world: addresses");
}

/* A quick way to a connection: listens, connects, lets it happen, accepts. */
static void scene(unsigned side)
{
    uint8_t which = take8(&w.in);
    estab_conn listener = 0;
    struct slot *place = free_slot(!side);
    struct estab_addr any = estab_addr_any((uint16_t)(7000 + (which >> 6)));
    struct slot *ours = free_slot(side);
    if (place == NULL || ours == NULL)
        return;
    if (estab_open(w.stack[!side], &listener) == 0)
        *place = (struct slot){.conn = listener};
    if (listener != 0 && estab_bind(w.stack[!side], w.now, listener, &any) == 0 &&
        estab_listen(w.stack[!side], w.now, listener, 4) == 0)
        place->listener = true;
    estab_conn conn = 0;
    if (estab_open(w.stack[side], &conn) != 0)
        return;
    *ours = (struct slot){.conn = conn};
    struct estab_addr remote = address_of(!side, which & 1, any.port);
    estab_connect(w.stack[side], w.now, conn, &remote);
    learn(side, ours);
    run(w.now + 200 * FUZZ_MILLISECOND, 30, 0);
    learn(side, ours);
    struct slot *child = free_slot(!side);
    estab_conn accepted = 0;
    if (child != NULL && listener != 0 && estab_accept(w.stack[!side], w.now, listener, &accepted) == 0) {
        *child = (struct slot){.conn = accepted};
        learn(!side, child);
    }
}

static void call(void)
{
    uint8_t op = take8(&w.in);
    unsigned side = op >> 7;
    switch (op & 31) {
    case 0: call_open(side); break;
    case 1: call_bind(side); break;
    case 2: call_listen(side); break;
    case 3: call_open_passive(side); break;
    case 4: call_connect(side); break;
    case 5: call_accept(side); break;
    case 6: call_send(side, false); break;
    case 7: call_send(side, true); break;
    case 8: call_reserve(side); break;
    case 9: call_receive(side, 0); break;
    case 10: call_receive(side, 1); break;
    case 11: call_receive(side, 2); break;
    case 12: call_consume(side); break;
    case 13: call_shutdown(side); break;
    case 14: call_close(side, false); break;
    case 15: call_close(side, true); break;
    case 16: call_set(side); break;
    case 17: call_look(side); break;
    case 18: call_addresses(side); break;
    case 19: link_play(side); break;
    case 20: forge(side); break;
    case 21: forge(side); break;
    case 22: scene(side); break;
    case 23: w.now += take_time(&w.in); break;
    case 24: fuzz_tick(w.stack[side], w.now); break;
    case 25: pull(side); break;
    case 26: exchange(take16(&w.in)); break;
    case 27: run(w.now + take_time(&w.in), 60, take32(&w.in)); break;
    case 28: link_play(side); break;
    case 29: call_send(side, false); break;
    case 30: call_receive(side, 0); break;
    default: run(w.now + 20 * FUZZ_MILLISECOND, 20, 0); break;
    }
    fuzz_check_stack(w.stack[0]);
    fuzz_check_stack(w.stack[1]);
}

/* For whoever reads a finding. */
static void tell_what_is_left(unsigned side)
{
    uint64_t cursor = 0;
    struct estab_status s;
    while (estab_iterate(w.stack[side], &cursor, &s)) {
        fprintf(
            stderr,
            "left on side %u at %llu s: %u > %u %s una +%u nxt +%u wnd %u rcv_nxt +%u unsent %llu due %llu\n",
            side, (unsigned long long)(w.now / FUZZ_SECOND), s.local.port, s.remote.port,
            estab_state_name(s.state), s.snd_una - s.iss, s.snd_nxt - s.iss, s.snd_wnd, s.rcv_nxt - s.irs,
            (unsigned long long)s.send_unsent, (unsigned long long)s.next_timer_ns);
    }
}

static void check_empty(unsigned side)
{
    struct estab_memory use;
    estab_memory(w.stack[side], &use);
    if (use.connections + use.time_wait + use.blocks_used > 0)
        tell_what_is_left(side);
    FUZZ_CHECK(use.connections == 0, "at the end no connection is left");
    FUZZ_CHECK(use.time_wait == 0, "at the end no TIME-WAIT is left");
    FUZZ_CHECK(use.blocks_used == 0, "at the end no block is kept");
    FUZZ_CHECK(w.ethernet || estab_next_deadline(w.stack[side]) == UINT64_MAX, "at the end no timer runs");
}

static bool is_empty(void)
{
    struct estab_memory a;
    struct estab_memory b;
    estab_memory(w.stack[0], &a);
    estab_memory(w.stack[1], &b);
    return a.connections + b.connections + a.time_wait + b.time_wait == 0 &&
           w.under_way[0] + w.under_way[1] == 0;
}

/* Everything is given up, on a link that is good: it ends. */
static void end(void)
{
    for (unsigned side = 0; side < SIDES; side++) {
        for (unsigned i = 0; i < SLOTS; i++) {
            if (w.slots[side][i].conn != 0)
                FUZZ_CHECK(estab_close(w.stack[side], w.now, w.slots[side][i].conn) == 0,
                           "what is held can be closed");
            fuzz_check_stack(w.stack[side]);
        }
    }
    uint64_t until = w.now + 7200 * FUZZ_SECOND;
    w.delay_ms = 1;
    for (unsigned i = 0; i < MOST_STEPS && !is_empty(); i += 50)
        run(until, 50, 0);
    run(w.now + FUZZ_SECOND, 50, 0);
    check_empty(0);
    check_empty(1);
}

static uint64_t take_setting(void)
{
    uint8_t code = take8(&w.in);
    if (code < 100)
        return 0;
    if (code < 180)
        return code - 100u;
    return code < 220   ? take16(&w.in)
           : code < 250 ? take32(&w.in) * (uint64_t)take16(&w.in)
                        : UINT64_MAX - (255u - code);
}

/* Any config is refused with a reason or gives a stack that works. */
static void any_config(void)
{
    struct estab_config config;
    const char *what = NULL;
    int error = 0;
    estab_config_init(&config);
    uint8_t absent = take8(&w.in);
    if (absent & 1)
        config.ipv6 = NULL;
    if (absent & 2)
        config.ethernet = NULL;
    config.max_connections = (uint32_t)take_setting();
    config.max_time_wait = (uint32_t)take_setting();
    config.max_neighbours = (uint32_t)take_setting();
    config.trace_records = (uint32_t)take_setting();
    config.block_size = (absent & 4) ? 1u << (take8(&w.in) & 31) : (uint32_t)take_setting();
    config.receive_buffer = (uint32_t)take_setting();
    config.send_buffer = (uint32_t)take_setting();
    uint64_t *times[] = {&config.msl_ns,          &config.min_rto_ns,     &config.max_rto_ns,
                         &config.initial_rto_ns,  &config.delayed_ack_ns, &config.syn_timeout_ns,
                         &config.user_timeout_ns, &config.fin_wait_2_ns,  &config.keep_idle_ns,
                         &config.keep_interval_ns};
    for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        *times[i] = take_setting();
    config.keep_count = (uint32_t)take_setting();
    config.initial_window = (uint32_t)take_setting();
    config.challenge_acks = (uint32_t)take_setting();
    config.replies_per_second = (uint32_t)take_setting();
    config.port_low = (uint16_t)take_setting();
    config.port_high = (uint16_t)take_setting();
    config.mtu_probing = (uint8_t)take_setting();
    size_t minimum = estab_memory_minimum(&config);
    estab_stack *stack = estab_init(memory[0], MEMORY, &config, &error, &what);
    FUZZ_CHECK((stack == NULL) == (error != 0), "a config that is refused has an error");
    FUZZ_CHECK(stack != NULL || what != NULL, "and names a field");
    FUZZ_CHECK(stack == NULL || minimum <= MEMORY, "less than the minimum is refused");
    if (stack == NULL)
        return;
    struct estab_interface interface = {.size = sizeof(interface), .mtu = 1500};
    struct estab_addr ours = address_of(0, false, 0);
    struct estab_addr peer = address_of(1, false, 80);
    struct estab_packet packet = {.data = out_room, .capacity = FUZZ_ROOM};
    estab_conn conn = 0;
    fuzz_check_stack(stack);
    FUZZ_CHECK(estab_interface_add(stack, w.now, &interface) == 1, "the world: interface");
    FUZZ_CHECK(estab_address_add(stack, w.now, 1, &ours, 24) == 0, "the world: address");
    if (estab_open(stack, &conn) == 0)
        estab_connect(stack, w.now, conn, &peer);
    for (unsigned i = 0; i < 20; i++) {
        fuzz_tick(stack, w.now);
        for (unsigned n = 0; estab_pull(stack, w.now, &packet, 1) > 0; n++)
            FUZZ_CHECK(n < 1000, "what is due at one time comes to an end");
        fuzz_check_stack(stack);
        uint64_t next = estab_next_deadline(stack);
        w.now = next == UINT64_MAX || next <= w.now ? w.now + 1 : next;
    }
}

/* Returns a digest of what was sent. */
static uint64_t play(const uint8_t *data, size_t size, uint8_t fill)
{
    memset(&w, 0, sizeof(w));
    w.fill = fill;
    w.in = (struct fuzz_input){data, size};
    w.now = FUZZ_SECOND;
    uint8_t variant = take8(&w.in);
    uint8_t variant2 = take8(&w.in);
    if (variant == 0xff && variant2 == 0xff) {
        any_config();
        return w.digest;
    }
    w.ethernet = (variant2 & 32) != 0;
    w.gather = (variant2 & 64) != 0;
    w.delay_ms = (variant2 & 128) ? 20 : 1;
    make_side(0, variant, variant2);
    make_side(1, variant ^ 16, variant2 & ~1u);
    for (unsigned i = 0; w.in.left > 0 && i < MOST_CALLS; i++)
        call();
    end();
    for (unsigned side = 0; side < SIDES; side++) {
        while (w.under_way[side] > 0)
            link_remove(side, 0);
    }
    return w.digest;
}

/* The same inputs give the same bytes, whatever stood in the memory before: tried with a part of them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t first = play(data, size, 0xa5);
    if (size % 8 == 5)
        FUZZ_CHECK(play(data, size, 0x5a) == first, "the same inputs give the same bytes");
    return 0;
}
