/* See siege.h. */
#include "support/siege.h"

#include "sim/bytes.h"

#define ETHERNET 14u

/* ---- packets ---- */

static uint32_t pseudo_sum(const uint8_t *ip, size_t tcp_length)
{
    return sum_bytes(ip + 12, 8, 6 + (uint32_t)tcp_length);
}

size_t raw_write(const struct raw *raw, uint8_t out[2048])
{
    size_t tcp_length = 20 + raw->option_length + raw->length;
    uint8_t *tcp = out + 20;
    assert_true(20 + tcp_length <= 2048);
    memset(out, 0, 40);
    out[0] = 0x45;
    put16(out + 2, 20 + (unsigned)tcp_length);
    put16(out + 6, 0x4000);
    out[8] = 64;
    out[9] = 6;
    put32(out + 12, raw->from);
    put32(out + 16, raw->to != 0 ? raw->to : SIEGE_US);
    put16(out + 10, ~sum_bytes(out, 20, 0) & 0xffff);
    put16(tcp, raw->from_port);
    put16(tcp + 2, raw->to_port != 0 ? raw->to_port : SIEGE_PORT);
    put32(tcp + 4, raw->seq);
    put32(tcp + 8, raw->ack);
    tcp[12] = (uint8_t)((20 + raw->option_length) << 2);
    tcp[13] = (uint8_t)raw->flags;
    put16(tcp + 14, raw->wnd);
    if (raw->option_length > 0) {
        memcpy(tcp + 20, raw->options, raw->option_length);
    }
    for (uint32_t i = 0; i < raw->length; i++) {
        tcp[20 + raw->option_length + i] = rig_byte(raw->position + i);
    }
    put16(tcp + 16, ~sum_bytes(tcp, tcp_length, pseudo_sum(out, tcp_length)) & 0xffff);
    return 20 + tcp_length;
}

void raw_read(const uint8_t *packet, size_t length, struct raw *raw)
{
    const uint8_t *tcp = packet + 20;
    memset(raw, 0, sizeof *raw);
    raw->from = get32(packet + 12);
    raw->to = get32(packet + 16);
    if (packet[9] != 6) {
        return;
    }
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    assert_int_equal(packet[0], 0x45);
    assert_int_equal(get16(packet + 2), length);
    assert_true(length >= 40 && header >= 20 && 20 + header <= length);
    assert_int_equal(sum_bytes(tcp, length - 20, pseudo_sum(packet, length - 20)), 0xffff);
    raw->from_port = get16(tcp);
    raw->to_port = get16(tcp + 2);
    raw->seq = get32(tcp + 4);
    raw->ack = get32(tcp + 8);
    raw->flags = tcp[13];
    raw->wnd = get16(tcp + 14);
    raw->options = tcp + 20;
    raw->option_length = (unsigned)header - 20;
    raw->length = (uint32_t)(length - 20 - header);
}

/* ---- the wire ---- */

/* Whether the users' machine is meant. */
static bool is_for_users(const struct siege *siege, const struct estab_packet *packet)
{
    static const uint8_t arp[2] = {8, 6};
    static const uint8_t ipv4[2] = {8, 0};
    const uint8_t *ip = packet->data;
    if (siege->pipe.options.ethernet) {
        ip += ETHERNET;
        if (memcmp(packet->data + 12, arp, 2) == 0) {
            return get32(ip + 24) == SIEGE_USERS;
        }
        if (memcmp(packet->data + 12, ipv4, 2) != 0) {
            return false;
        }
    }
    return get32(ip + 16) == SIEGE_USERS;
}

/* What does not go to the users is the attacker's. */
static void hook(void *user, unsigned from, uint64_t index, struct estab_packet *packet,
                 struct pipe_fate *fate)
{
    struct siege *siege = user;
    (void)index;
    if (from == 0 || is_for_users(siege, packet)) {
        return;
    }
    fate->copies = 0;
    if (packet->reason == ESTAB_REASON_NEIGHBOUR) {
        siege->questions++;
        return;
    }
    siege->answers++;
    siege->answer_bytes += packet->length;
    if (siege->answer != NULL) {
        struct raw raw;
        raw_read(packet->data, packet->length, &raw);
        siege->answer(siege->answer_user, &raw, packet->reason);
    }
}

static estab_stack *make_stack(struct siege *siege, unsigned side, const struct estab_config *config,
                               size_t memory)
{
    int error = 0;
    const char *what = NULL;
    struct estab_config own = *config;
    memset(own.secret, 40 + (int)side, sizeof own.secret);
    siege->memory[side] = aligned_alloc(64, (memory + 63) & ~(size_t)63);
    assert_non_null(siege->memory[side]);
    estab_stack *stack = estab_init(siege->memory[side], memory, &own, &error, &what);
    if (stack == NULL) {
        fail_msg("estab_init: %s, %s", estab_strerror(error), what);
    }
    return stack;
}

static void start(struct siege *siege, const struct estab_config *config, size_t memory, bool ethernet)
{
    char error[200] = "";
    struct estab_config users;
    struct pipe_options options = {.delay_ns = MS, .hook = hook, .hook_user = siege, .ethernet = ethernet};
    struct estab_addr any = estab_addr_any(SIEGE_PORT);
    const char *list = ethernet ? "10.9.0.2/8,fd09::2/64" : "10.9.0.2/24";
    memset(siege, 0, sizeof *siege);
    estab_config_init(&users);
    users.max_connections = 64;
    siege->stack[0] = make_stack(siege, 0, &users, (size_t)4 << 20);
    siege->stack[1] = make_stack(siege, 1, config, memory);
    assert_int_equal(pipe_open(&siege->pipe, siege->stack, &options, error, sizeof error), 0);
    assert_int_equal(pipe_address(&siege->pipe, 0, "10.9.0.1/24", error, sizeof error), 0);
    assert_int_equal(pipe_address(&siege->pipe, 1, list, error, sizeof error), 0);
    assert_int_equal(estab_open(siege->stack[1], &siege->listener), 0);
    assert_int_equal(estab_bind(siege->stack[1], siege->pipe.now, siege->listener, &any), 0);
    assert_int_equal(estab_listen(siege->stack[1], siege->pipe.now, siege->listener, SIEGE_SERVED), 0);
    siege->clients = SIEGE_CLIENTS;
}

void siege_start(struct siege *siege, const struct estab_config *config, size_t memory)
{
    struct estab_addr network = estab_addr_ipv4(0, 0, 0, 0, 0);
    start(siege, config, memory, false);
    uint32_t interface = (uint32_t)siege->pipe.end[1].interface;
    assert_int_equal(estab_route_add(siege->stack[1], interface, &network, 0, NULL), 0);
}

void siege_start_ethernet(struct siege *siege, const struct estab_config *config, size_t memory)
{
    start(siege, config, memory, true);
}

void siege_put_bytes(struct siege *siege, const uint8_t *bytes, size_t length)
{
    uint8_t copy[2048 + ETHERNET] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 99};
    size_t header = siege->pipe.options.ethernet ? ETHERNET : 0;
    assert_true(header + length <= sizeof copy);
    put16(copy + 12, bytes[0] >> 4 == 6 ? 0x86dd : 0x0800);
    memcpy(copy + header, bytes, length);
    struct estab_packet packet = {.data = copy,
                                  .length = (uint32_t)(header + length),
                                  .interface = (uint32_t)siege->pipe.end[1].interface};
    estab_input(siege->stack[1], siege->pipe.now, &packet, 1);
    siege->attack_in++;
    siege->attack_in_bytes += length;
}

void siege_put(struct siege *siege, const struct raw *raw)
{
    uint8_t bytes[2048];
    siege_put_bytes(siege, bytes, raw_write(raw, bytes));
}

/* ---- the users ---- */

static void client_open(struct siege *siege, struct siege_user *u)
{
    struct estab_addr server = estab_addr_ipv4(10, 9, 0, 2, SIEGE_PORT);
    *u = (struct siege_user){.opened_ns = siege->pipe.now};
    if (estab_open(siege->stack[0], &u->conn) == 0) {
        siege->opened++;
        assert_int_equal(estab_connect(siege->stack[0], siege->pipe.now, u->conn, &server), 0);
    }
}

static void client_over(struct siege *siege, struct siege_user *u, bool well)
{
    uint64_t took = siege->pipe.now - u->opened_ns;
    estab_close(siege->stack[0], siege->pipe.now, u->conn);
    u->conn = 0;
    siege->done += well;
    siege->failed += !well;
    siege->worst_ns = well && took > siege->worst_ns ? took : siege->worst_ns;
}

static void client_write(struct siege *siege, struct siege_user *u)
{
    uint8_t bytes[SIEGE_BYTES];
    uint32_t left = SIEGE_BYTES - u->moved;
    for (uint32_t i = 0; i < left; i++) {
        bytes[i] = rig_byte(u->moved + i);
    }
    ptrdiff_t sent = estab_send(siege->stack[0], siege->pipe.now, u->conn, bytes, left, 0);
    u->moved += sent > 0 ? (uint32_t)sent : 0;
    if (u->moved == SIEGE_BYTES) {
        u->shut = estab_shutdown(siege->stack[0], siege->pipe.now, u->conn, ESTAB_SHUT_WR) == 0;
    }
}

static void client_step(struct siege *siege, struct siege_user *u)
{
    uint8_t byte;
    int ready = estab_ready(siege->stack[0], u->conn);
    if (ready < 0 || (ready & ESTAB_ERROR)) {
        client_over(siege, u, false);
    } else if (!u->shut && (ready & ESTAB_WRITABLE)) {
        client_write(siege, u);
    } else if (u->shut && (ready & ESTAB_READABLE) &&
               estab_recv(siege->stack[0], siege->pipe.now, u->conn, &byte, 1, 0) == 0) {
        client_over(siege, u, true);
    }
}

static void served_step(struct siege *siege, struct siege_user *u)
{
    uint8_t bytes[4096];
    ptrdiff_t got;
    while ((got = estab_recv(siege->stack[1], siege->pipe.now, u->conn, bytes, sizeof bytes, 0)) > 0) {
        for (ptrdiff_t i = 0; i < got; i++) {
            assert_int_equal(bytes[i], rig_byte(u->moved + (uint64_t)i));
        }
        u->moved += (uint32_t)got;
    }
    if (got != -ESTAB_EAGAIN) {
        estab_close(siege->stack[1], siege->pipe.now, u->conn);
        u->conn = 0;
    }
}

/* What has happened is looked up at each connection: the events are only taken, as a program does. */
static void take_events(const struct siege *siege)
{
    struct estab_event events[16];
    for (unsigned i = 0; i < 2; i++) {
        while (estab_poll(siege->stack[i], events, 16) == 16) {
        }
    }
}

static bool users(void *user)
{
    struct siege *siege = user;
    take_events(siege);
    for (unsigned i = 0; i < SIEGE_SERVED; i++) {
        struct siege_user *u = &siege->served[i];
        if (u->conn == 0 && estab_accept(siege->stack[1], siege->pipe.now, siege->listener, &u->conn) == 0) {
            u->moved = 0;
        }
        if (u->conn != 0) {
            served_step(siege, u);
        }
    }
    bool busy = false;
    for (unsigned i = 0; i < SIEGE_CLIENTS; i++) {
        struct siege_user *u = &siege->client[i];
        if (u->conn == 0 && i < siege->clients) {
            client_open(siege, u);
        } else if (u->conn != 0) {
            client_step(siege, u);
        }
        busy |= u->conn != 0;
    }
    return siege->clients == 0 && !busy;
}

void siege_run(struct siege *siege, uint64_t ns)
{
    uint64_t end = siege->pipe.now + ns;
    do {
        users(siege);
    } while (pipe_step(&siege->pipe, end));
    siege->pipe.now = end;
}

void siege_finish(struct siege *siege)
{
    siege->clients = 0;
    if (!users(siege)) {
        assert_true(pipe_run(&siege->pipe, users, siege, 1000 * SECOND));
    }
}

void siege_stop(struct siege *siege)
{
    for (unsigned i = 0; i < 2; i++) {
        const char *wrong = estab_check(siege->stack[i]);
        if (wrong != NULL) {
            fail_msg("estab_check: %s", wrong);
        }
    }
    pipe_close(&siege->pipe);
    free(siege->memory[0]);
    free(siege->memory[1]);
}

struct estab_memory siege_memory(const struct siege *siege)
{
    struct estab_memory memory;
    estab_memory(siege->stack[1], &memory);
    return memory;
}

struct estab_counters siege_counters(const struct siege *siege)
{
    struct estab_counters counters;
    estab_counters(siege->stack[1], &counters);
    return counters;
}
