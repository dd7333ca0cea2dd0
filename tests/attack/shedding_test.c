/*
 * Memory that runs out: what is given up, in which order, who is told, and who must never notice. Peers that
 * hold connections open and take nothing (sockstress, Naptha, CVE-2008-4609), that vanish, or that are more
 * than the server accepts. Each bound is that of its row in the table of vulnerabilities.
 */
#include "attack/crowd.h"

#define REQUEST 100u

/* ---- a server: answers each request of a peer with as many bytes as the peer's kind gets ---- */

struct server {
    struct crowd crowd;
    estab_conn listener;
    estab_conn *conns; /* by peer */
    uint32_t *owed;    /* bytes still to be sent to it */
    uint32_t *asked;   /* bytes of its request that have come */
    uint32_t (*answer)(uint32_t peer);
    uint32_t accepted, refused_memory, timed_out, other_errors;
    uint32_t accept_most; /* in one round */
    bool reads_nothing;
};

static uint32_t peer_of(const struct estab_addr *addr)
{
    return crowd_get32(addr->ip + 12) - 0x0a010000u;
}

static void server_start(struct server *s, const struct estab_config *config, size_t size, uint32_t peers)
{
    *s = (struct server){.accept_most = UINT32_MAX};
    crowd_start(&s->crowd, config, size, peers);
    s->conns = calloc(peers, sizeof *s->conns);
    s->owed = calloc(peers, sizeof *s->owed);
    s->asked = calloc(peers, sizeof *s->asked);
    s->listener = crowd_listener(&s->crowd, 65535);
}

static void server_stop(struct server *s)
{
    crowd_stop(&s->crowd);
    free(s->conns);
    free(s->owed);
    free(s->asked);
}

static void server_ends(struct server *s, uint32_t i)
{
    struct estab_status status;
    assert_int_equal(estab_status(s->crowd.stack, s->conns[i], &status), 0);
    s->refused_memory += status.error == -ESTAB_ENOBUFS;
    s->timed_out += status.error == -ESTAB_ETIMEDOUT;
    s->other_errors +=
        status.error != 0 && status.error != -ESTAB_ENOBUFS && status.error != -ESTAB_ETIMEDOUT;
    assert_int_equal(estab_close(s->crowd.stack, s->crowd.now, s->conns[i]), 0);
    s->conns[i] = 0;
}

static void server_accept(struct server *s)
{
    struct crowd *c = &s->crowd;
    estab_conn conn;
    for (uint32_t n = 0; n < s->accept_most && estab_accept(c->stack, c->now, s->listener, &conn) == 0; n++) {
        struct estab_status status;
        assert_int_equal(estab_status(c->stack, conn, &status), 0);
        uint32_t i = peer_of(&status.remote);
        assert_int_equal(estab_set(c->stack, c->now, conn, ESTAB_OPTION_USER, i), 0);
        if (s->conns[i] != 0) {
            server_ends(s, i); /* it was ended, and its peer is back already */
        }
        s->conns[i] = conn;
        s->owed[i] = s->asked[i] = 0;
        s->accepted++;
    }
}

static void server_sends(struct server *s, uint32_t i)
{
    static const uint8_t bytes[16384];
    while (s->owed[i] > 0) {
        uint32_t length = s->owed[i] < sizeof bytes ? s->owed[i] : (uint32_t)sizeof bytes;
        ptrdiff_t sent = estab_send(s->crowd.stack, s->crowd.now, s->conns[i], bytes, length, 0);
        if (sent <= 0) {
            return;
        }
        s->owed[i] -= (uint32_t)sent;
    }
}

static void server_reads(struct server *s, uint32_t i)
{
    uint8_t bytes[2048];
    ptrdiff_t got;
    while ((got = estab_recv(s->crowd.stack, s->crowd.now, s->conns[i], bytes, sizeof bytes, 0)) > 0) {
        for (s->asked[i] += (uint32_t)got; s->asked[i] >= REQUEST; s->asked[i] -= REQUEST) {
            s->owed[i] += s->answer(i);
        }
    }
    if (got == 0) {
        server_ends(s, i);
    }
}

static void server_serves(struct server *s)
{
    struct estab_event events[64];
    unsigned n;
    server_accept(s);
    while ((n = estab_poll(s->crowd.stack, events, 64)) > 0) {
        for (unsigned k = 0; k < n; k++) {
            uint32_t i = (uint32_t)events[k].user;
            if (events[k].conn == s->listener || s->conns[i] != events[k].conn) {
                continue;
            }
            if (events[k].ready & ESTAB_CLOSED_BIT) {
                server_ends(s, i);
                continue;
            }
            if ((events[k].ready & ESTAB_READABLE) && !s->reads_nothing) {
                server_reads(s, i);
            }
            if (s->conns[i] != 0) {
                server_sends(s, i);
            }
        }
    }
}

/* Everything that can happen at this moment. */
static void settle(struct server *s)
{
    crowd_tick(&s->crowd);
    server_serves(s);
    crowd_listen(&s->crowd);
}

/* Time goes on from deadline to deadline. */
static void pass(struct server *s, uint64_t ns)
{
    struct crowd *c = &s->crowd;
    uint64_t until = c->now + ns;
    settle(s);
    for (;;) {
        uint64_t next = estab_next_deadline(c->stack);
        if (next > until) {
            break;
        }
        c->now = next > c->now ? next : c->now;
        settle(s);
    }
    c->now = until;
    settle(s);
}

static struct estab_config config_of(uint32_t connections)
{
    struct estab_config config;
    estab_config_init(&config);
    memset(config.secret, 7, sizeof config.secret);
    config.max_connections = connections;
    config.max_time_wait = 1000;
    config.block_size = 1024;
    return config;
}

/* ---- V-36 ---- */

#define HOLDERS   (ESTAB_TEST_SLOW ? 8000u : 50000u)
#define HEALTHY   200u
#define IDLE      200u
#define NEWCOMERS (ESTAB_TEST_SLOW ? 600u : 2000u)
#define STEP      (10 * MS)
#define PATIENCE  (20 * SECOND) /* of a newcomer */

enum kind { HOLDER, HEALTH, IDLER, NEWCOMER };

static enum kind kind_of(uint32_t i)
{
    return i < HOLDERS                    ? HOLDER
           : i < HOLDERS + HEALTHY        ? HEALTH
           : i < HOLDERS + HEALTHY + IDLE ? IDLER
                                          : NEWCOMER;
}

static uint32_t siege_answer(uint32_t i)
{
    return kind_of(i) == HOLDER ? 4096 : 2000; /* a holder's fills its send buffer */
}

struct client {
    uint64_t began, again;
    uint32_t had; /* text before its last request */
    enum { AWAY, OPENING, ASKED, SERVED, LOST } phase;
};

struct siege {
    struct server server;
    struct client *clients; /* by peer */
    uint32_t newcomers, served, late;
};

static void ask(struct siege *g, uint32_t i, uint32_t seq)
{
    struct crowd *c = &g->server.crowd;
    crowd_say(c, i, (struct crowd_words){.flags = ACK | PSH, .seq = seq, .wnd = 60000, .length = REQUEST});
}

static void open_again(struct siege *g, uint32_t i)
{
    struct crowd *c = &g->server.crowd;
    crowd_anew(c, i);
    crowd_say(c, i, (struct crowd_words){.flags = SYN, .wnd = 60000});
}

/* Takes nothing, answers every probe, and comes back when it is thrown out. */
static void holder_hears(struct siege *g, uint32_t i)
{
    struct crowd *c = &g->server.crowd;
    struct crowd_peer *peer = &c->peers[i];
    if (peer->reset) {
        open_again(g, i);
    } else if (peer->snd == CROWD_ISN) {
        crowd_go_on(c, i, 1);
        crowd_say(c, i, (struct crowd_words){.flags = ACK | PSH, .length = REQUEST});
        crowd_go_on(c, i, REQUEST);
    } else {
        crowd_say(c, i, (struct crowd_words){.flags = ACK});
    }
}

static void client_hears(struct siege *g, uint32_t i)
{
    struct crowd *c = &g->server.crowd;
    struct crowd_peer *peer = &c->peers[i];
    struct client *client = &g->clients[i];
    if (peer->reset) {
        client->phase = LOST;
        return;
    }
    if (client->phase == OPENING && peer->synchronized) {
        crowd_go_on(c, i, 1);
        client->phase = ASKED;
        client->again = c->now + SECOND;
        ask(g, i, 0);
        crowd_go_on(c, i, REQUEST);
        return;
    }
    crowd_say(c, i, (struct crowd_words){.flags = ACK, .wnd = 60000});
    if (client->phase == ASKED && peer->got >= client->had + 2000) {
        client->phase = SERVED;
        if (kind_of(i) == NEWCOMER) {
            g->served++;
            g->late += c->now - client->began > SECOND;
            crowd_say(c, i, (struct crowd_words){.flags = FIN | ACK, .wnd = 60000});
            crowd_go_on(c, i, 1);
        }
    }
}

static void everybody_hears(struct siege *g)
{
    struct crowd *c = &g->server.crowd;
    uint32_t i;
    for (crowd_listen(c); c->heard_count > 0; crowd_listen(c)) {
        while (crowd_next_told(c, &i)) {
            if (kind_of(i) == HOLDER) {
                holder_hears(g, i);
            } else {
                client_hears(g, i);
            }
        }
    }
}

/* One who waits asks again each second. */
static void client_waits(struct siege *g, uint32_t i)
{
    struct crowd *c = &g->server.crowd;
    struct client *client = &g->clients[i];
    if (client->again > c->now || c->now - client->began > PATIENCE) {
        return;
    }
    client->again = c->now + SECOND;
    if (client->phase == OPENING) {
        crowd_say(c, i, (struct crowd_words){.flags = SYN, .wnd = 60000});
    } else if (client->phase == ASKED) {
        ask(g, i, 0u - REQUEST);
    }
}

static void client_begins(struct siege *g, uint32_t i)
{
    struct crowd *c = &g->server.crowd;
    g->clients[i] = (struct client){.began = c->now, .again = c->now + SECOND, .phase = OPENING};
    crowd_say(c, i, (struct crowd_words){.flags = SYN, .wnd = 60000});
}

static void client_asks_again(struct siege *g, uint32_t i)
{
    struct crowd *c = &g->server.crowd;
    struct client *client = &g->clients[i];
    if (client->phase == SERVED) {
        *client = (struct client){c->now, c->now + SECOND, c->peers[i].got, ASKED};
        ask(g, i, 0);
        crowd_go_on(c, i, REQUEST);
    }
}

static void siege_step(struct siege *g, unsigned step)
{
    struct crowd *c = &g->server.crowd;
    const uint32_t first = HOLDERS + HEALTHY + IDLE;
    for (uint32_t i = HOLDERS / 1000 * step; step < 1000 && i < HOLDERS / 1000 * (step + 1); i++) {
        c->peers[i].deaf = true;
        crowd_say(c, i, (struct crowd_words){.flags = SYN, .wnd = 60000});
    }
    if (step % 2 == 0 && g->newcomers < NEWCOMERS) {
        client_begins(g, first + g->newcomers++);
    }
    client_asks_again(g, HOLDERS + step % HEALTHY);
    for (uint32_t i = HOLDERS; i < first + g->newcomers; i++) {
        client_waits(g, i);
    }
    everybody_hears(g);
    crowd_tick(c);
    server_serves(&g->server);
    everybody_hears(g);
    c->now += STEP;
}

/*
 * V-36, R6429-02: 50,000 connections with a closed window and full send buffers, which answer every probe and
 * come back when they are ended: memory stays within the budget, at least 99 % of newcomers are served, and
 * within a second, those ended are counted, told and reset, and no healthy connection is lost, idle ones
 * included.
 */
static void peers_that_take_nothing_lose_and_nobody_else(void **state)
{
    (void)state;
    struct siege g = {0};
    struct server *s = &g.server;
    struct estab_config config = config_of(HOLDERS + HEALTHY + IDLE + NEWCOMERS / 2);
    config.send_buffer = 4096;
    server_start(s, &config, (size_t)HOLDERS * 1000, HOLDERS + HEALTHY + IDLE + NEWCOMERS);
    s->answer = siege_answer;
    g.clients = calloc(s->crowd.count, sizeof *g.clients);
    for (uint32_t i = HOLDERS; i < HOLDERS + HEALTHY + IDLE; i++) {
        client_begins(&g, i);
        everybody_hears(&g);
        server_serves(s);
        everybody_hears(&g);
        assert_int_equal(g.clients[i].phase, SERVED);
    }
    for (unsigned step = 0; step < 2 * NEWCOMERS + PATIENCE / STEP; step++) {
        siege_step(&g, step);
    }
    for (uint32_t i = HOLDERS; i < HOLDERS + HEALTHY + IDLE; i++) {
        client_asks_again(&g, i);
    }
    for (unsigned step = 0; step < PATIENCE / STEP; step++) {
        siege_step(&g, 1000000);
    }
    server_serves(s);
    crowd_listen(&s->crowd);
    uint32_t lost = 0;
    for (uint32_t i = HOLDERS; i < HOLDERS + HEALTHY + IDLE; i++) {
        lost += g.clients[i].phase != SERVED;
    }
    struct estab_memory memory = crowd_memory(&s->crowd);
    struct estab_counters counters = crowd_counters(&s->crowd);
    print_message("served %u of %u, late %u, healthy lost %u, shed %u, orphans %u, used %zu of %zu\n",
                  g.served, NEWCOMERS, g.late, lost, (unsigned)counters.shed_connections,
                  (unsigned)counters.orphans_dropped, memory.used_high, memory.budget);
    assert_int_equal(lost, 0);
    assert_true(g.served - g.late >= NEWCOMERS * 99 / 100);
    assert_true(memory.used_high <= memory.budget);
    assert_int_equal(memory.budget, s->crowd.size);
    assert_true(counters.shed_connections > HOLDERS / 50);          /* the blocks did run out */
    assert_int_equal(s->refused_memory, counters.shed_connections); /* each was told, */
    assert_int_equal(s->crowd.resets_out + counters.drops[ESTAB_DROP_REPLY_QUEUE],
                     counters.shed_connections); /* its peer too, where there was room to say so */
    assert_int_equal(s->other_errors, 0);
    free(g.clients);
    server_stop(s);
}

/* ---- V-37 ---- */

/*
 * V-37: ten days of a closed window: at most a probe a minute, and the connection stays until its user
 * ends it.
 */
static void closed_window_is_probed_slowly_until_the_user_decides(void **state)
{
    (void)state;
    const unsigned days = ESTAB_TEST_SLOW ? 1 : 10;
    struct rig *r = rig_at(AT_ESTABLISHED);
    rig_send(r, 1000, 0);
    expect(r, .seq = 1, .ack = 1, .flags = ACK | PSH, .length = 1000);
    inject(r, .flags = ACK, .seq = 1, .ack = 1001, .wnd = WND_ZERO);
    rig_send(r, 1000, 0);
    uint64_t end = r->now + days * 86400 * SECOND;
    uint64_t last = 0;
    unsigned probes = 0;
    while (r->now < end) {
        struct segment seg;
        advance_to_next(r, 61 * SECOND);
        if (!rig_take(r, &seg)) {
            continue;
        }
        assert_int_equal(seg.reason, ESTAB_REASON_WINDOW_PROBE);
        assert_true(seg.length <= 1);
        assert_true(probes < 10 || seg.at - last >= 60 * SECOND);
        last = seg.at;
        probes++;
        inject(r, .flags = ACK, .seq = 1, .ack = 1001, .wnd = WND_ZERO);
    }
    assert_in_range(probes, days * 1440 - 20, days * 1440 + 10);
    expect_state(r, ESTAB_ESTABLISHED);
    assert_int_equal(rig_abort(r), 0);
    expect(r, .flags = RST | ACK, .seq = 1002, .ack = 1);
    rig_stop(r);
}

/* ---- V-46, V-49: peers that vanish ---- */

#define CROWD (ESTAB_TEST_SLOW ? 1000u : 10000u)
#define R2    (100 * SECOND)

static uint32_t much(uint32_t i)
{
    (void)i;
    return 3000;
}

/* Peers [from, to) have connected, asked, and been answered; the test reads what they were told. */
static void serve_crowd(struct server *s, uint32_t from, uint32_t to)
{
    struct crowd *c = &s->crowd;
    crowd_connect(c, from, to, 60000);
    for (uint32_t i = from; i < to; i++) {
        crowd_say(c, i, (struct crowd_words){.flags = ACK | PSH, .wnd = 60000, .length = REQUEST});
        crowd_go_on(c, i, REQUEST);
    }
    settle(s);
    assert_int_equal(s->accepted, to);
}

static struct estab_config crowd_config(void)
{
    struct estab_config config = config_of(CROWD + 10);
    config.user_timeout_ns = R2;
    config.max_orphans = CROWD;
    return config;
}

static void expect_all_freed(struct server *s)
{
    struct estab_memory memory = crowd_memory(&s->crowd);
    assert_int_equal(memory.connections, 1); /* the listener */
    assert_int_equal(memory.orphans, 0);
    assert_int_equal(memory.half_open, 0);
    assert_int_equal(memory.blocks_used, 0);
    assert_int_equal(memory.send_bytes + memory.receive_bytes + memory.out_of_order_bytes, 0);
}

/*
 * V-46: 10,000 peers vanish while their connections are closed, in FIN-WAIT-1, FIN-WAIT-2, CLOSING and
 * LAST-ACK by turns: each is over within 60 s and R2, and nothing is left.
 */
static void peers_that_vanish_while_closing_leave_nothing(void **state)
{
    (void)state;
    struct server s;
    struct estab_config config = crowd_config();
    server_start(&s, &config, (size_t)CROWD * 6000, CROWD);
    struct crowd *c = &s.crowd;
    s.answer = much;
    serve_crowd(&s, 0, CROWD);
    for (uint32_t i = 0; i < CROWD; i++) {
        if (i % 4 == 3) { /* LAST-ACK: the peer's FIN makes the server close */
            crowd_say(c, i, (struct crowd_words){.flags = FIN | ACK, .wnd = 60000});
            continue;
        }
        crowd_say(c, i, (struct crowd_words){.flags = ACK, .wnd = 60000});
        crowd_listen(c);
        crowd_say(c, i, (struct crowd_words){.flags = ACK, .wnd = 60000});
        assert_int_equal(estab_close(c->stack, c->now, s.conns[i]), 0);
        s.conns[i] = 0;
        crowd_listen(c);
        assert_true(c->peers[i].fin);
        if (i % 4 == 1) { /* FIN-WAIT-2 */
            crowd_say(c, i, (struct crowd_words){.flags = ACK, .wnd = 60000});
        } else if (i % 4 == 2) { /* CLOSING: its FIN does not acknowledge ours */
            c->peers[i].rcv--;
            crowd_say(c, i, (struct crowd_words){.flags = FIN | ACK, .wnd = 60000});
        }
    }
    settle(&s);
    struct estab_memory before = crowd_memory(c);
    assert_int_equal(before.orphans, CROWD);
    pass(&s, 60 * SECOND + R2 + SECOND);
    expect_all_freed(&s);
    assert_int_equal(crowd_counters(c).orphans_dropped, 0);
    server_stop(&s);
}

/* V-49: 10,000 peers stop acknowledging: their users are told at R2, and every byte kept for them is free. */
static void peers_that_stop_acknowledging_are_freed_at_r2(void **state)
{
    (void)state;
    struct server s;
    struct estab_config config = crowd_config();
    server_start(&s, &config, (size_t)CROWD * 6000, CROWD);
    s.answer = much;
    serve_crowd(&s, 0, CROWD);
    struct estab_memory before = crowd_memory(&s.crowd);
    assert_true(before.send_bytes >= (size_t)CROWD * 3000);
    assert_true(before.used_high <= before.budget);
    pass(&s, R2 - SECOND);
    assert_int_equal(s.timed_out, 0);
    assert_int_equal(crowd_memory(&s.crowd).connections, CROWD + 1);
    pass(&s, 2 * SECOND);
    assert_int_equal(s.timed_out, CROWD);
    expect_all_freed(&s);
    server_stop(&s);
}

/* ---- V-48 ---- */

#define BACKLOG 100u

/*
 * V-48: 10,000 clients of an application that accepts slowly: never more wait than the backlog says, the last
 * ACK is dropped and no RST sent for it, and clients that try again are all served in the end.
 */
static void more_clients_than_the_backlog_are_served_as_they_try_again(void **state)
{
    (void)state;
    struct server s;
    struct estab_config config = config_of(CROWD + 10);
    server_start(&s, &config, (size_t)CROWD * 6000, CROWD);
    struct crowd *c = &s.crowd;
    s.answer = much;
    s.accept_most = 0;
    assert_int_equal(estab_listen(c->stack, c->now, s.listener, BACKLOG), 0);
    for (uint32_t i = 0; i < BACKLOG + 50; i++) { /* so many SYNs before the first ACK */
        crowd_say(c, i, (struct crowd_words){.flags = SYN, .wnd = 60000});
        crowd_listen(c);
    }
    for (uint32_t i = 0; i < BACKLOG + 50; i++) {
        crowd_go_on(c, i, 1);
        crowd_say(c, i, (struct crowd_words){.flags = ACK | PSH, .wnd = 60000, .length = REQUEST});
        assert_int_equal(c->drop, i < BACKLOG ? ESTAB_DROP_NONE : ESTAB_DROP_BACKLOG);
    }
    crowd_listen(c);
    assert_int_equal(c->resets_out, 0);
    s.accept_most = BACKLOG;
    unsigned rounds = 0;
    for (uint32_t served = 0; served < CROWD; rounds++) {
        served = 0;
        for (uint32_t i = 0; i < CROWD; i++) {
            struct crowd_peer *peer = &c->peers[i];
            served += peer->got == 3000;
            if (peer->reset) { /* its handshake was given up meanwhile: from the start */
                crowd_anew(c, i);
            }
            if (peer->got < 3000 && !peer->synchronized) {
                crowd_say(c, i, (struct crowd_words){.flags = SYN, .wnd = 60000});
            } else if (peer->got > 0) {
                crowd_say(c, i, (struct crowd_words){.flags = ACK, .seq = REQUEST, .wnd = 60000});
            } else {
                peer->snd = CROWD_ISN + 1;
                crowd_say(c, i, (struct crowd_words){.flags = ACK | PSH, .wnd = 60000, .length = REQUEST});
            }
            crowd_listen(c);
        }
        struct estab_status status;
        assert_int_equal(estab_status(c->stack, s.listener, &status), 0);
        assert_true(status.accept_waiting <= BACKLOG);
        pass(&s, SECOND);
        assert_true(rounds < 3 * CROWD / BACKLOG);
    }
    assert_int_equal(s.accepted, CROWD);
    assert_true(crowd_counters(c).backlog_overflows > 0);
    for (uint32_t i = 0; i < CROWD; i++) {
        crowd_say(c, i, (struct crowd_words){.flags = ACK, .wnd = 60000, .seq = REQUEST});
        assert_int_equal(estab_abort(c->stack, c->now, s.conns[i]), 0);
    }
    crowd_listen(c);
    pass(&s, 120 * SECOND);
    expect_all_freed(&s);
    server_stop(&s);
}

/* ---- the order, and who stays ---- */

/* Peers of a small stack, each in a plight of its own. */
enum { AHEAD, ORPHAN, STALLED, LATELY, QUIET, FILLER, PLIGHTS };

static uint32_t three_blocks(uint32_t i)
{
    return i == FILLER ? 0 : 3000;
}

static void server_start_small(struct server *s, const struct estab_config *config, unsigned blocks)
{
    server_start(s, config, estab_memory_minimum(config) + (size_t)blocks * config->block_size, 64);
    s->answer = three_blocks;
}

/* Asks, and takes none of the answer: it waits for this peer from now on. */
static void stalls(struct server *s, uint32_t i)
{
    struct crowd *c = &s->crowd;
    c->peers[i].deaf = true;
    crowd_say(c, i, (struct crowd_words){.flags = ACK | PSH, .wnd = 60000, .length = REQUEST});
    crowd_go_on(c, i, REQUEST);
    settle(s);
}

/* Text in order that nobody reads, until no more is taken; what was given up for it, in order. */
static void fill(struct server *s, char *order, uint8_t *drop)
{
    struct crowd *c = &s->crowd;
    struct estab_counters before = crowd_counters(c);
    s->reads_nothing = true;
    do {
        crowd_say(c, FILLER, (struct crowd_words){.flags = ACK, .wnd = 60000, .length = 500});
        crowd_go_on(c, FILLER, c->drop == ESTAB_DROP_NONE ? 500 : 0);
        struct estab_counters now = crowd_counters(c);
        const char *what = now.shed_out_of_order > before.shed_out_of_order ? "a"
                           : now.orphans_dropped > before.orphans_dropped   ? "o"
                           : now.shed_connections > before.shed_connections ? "s"
                                                                            : "";
        strcat(order, what);
        before = now;
    } while (c->drop == ESTAB_DROP_NONE && strlen(order) < 20);
    *drop = c->drop;
    assert_null(estab_check(c->stack));
}

/*
 * V-36, R6429-02: text in order is what must have room. For it are given up: what came ahead of a gap,
 * then an orphan that does not get on, then who has waited for its peer for longest. Who has waited for
 * less than stall_ns stays, and who waits for nothing.
 */
static void what_is_given_up_goes_in_the_stated_order(void **state)
{
    (void)state;
    struct server s;
    struct estab_config config = config_of(16);
    config.stall_ns = 10 * SECOND;
    server_start_small(&s, &config, 24);
    struct crowd *c = &s.crowd;
    crowd_connect(c, 0, PLIGHTS, 60000);
    settle(&s);
    crowd_say(c, AHEAD, (struct crowd_words){.flags = ACK, .seq = 50, .wnd = 60000, .length = 500});
    stalls(&s, ORPHAN);
    assert_int_equal(estab_close(c->stack, c->now, s.conns[ORPHAN]), 0);
    s.conns[ORPHAN] = 0;
    stalls(&s, STALLED);
    pass(&s, 12 * SECOND);
    stalls(&s, LATELY);
    pass(&s, 5 * SECOND);
    struct estab_memory use = crowd_memory(c);
    assert_int_equal(use.out_of_order_bytes, 2 * 1024);
    assert_int_equal(use.send_bytes, 9 * 1024);
    assert_int_equal(use.receive_bytes, 0);
    assert_int_equal(use.orphans, 1);
    char order[32] = "";
    uint8_t drop = 0;
    fill(&s, order, &drop);
    assert_string_equal(order, "aos");
    assert_int_equal(drop, ESTAB_DROP_NO_MEMORY);
    use = crowd_memory(c);
    assert_int_equal(use.out_of_order_bytes, 0);
    assert_int_equal(use.send_bytes, 3 * 1024);
    assert_int_equal(use.receive_bytes + use.send_bytes, (size_t)use.blocks * use.block_size);
    assert_int_equal(use.used, use.used_high);
    assert_true(use.used_high <= use.budget);
    settle(&s);
    assert_int_equal(s.refused_memory, 1);
    assert_int_equal(s.conns[STALLED], 0);
    assert_true(c->peers[STALLED].reset && c->peers[ORPHAN].reset);
    assert_true(s.conns[AHEAD] != 0 && s.conns[LATELY] != 0 && s.conns[QUIET] != 0);
    server_stop(&s);
}

/* Takes so many bytes more of what it was sent, each 100 ms, for ten seconds. */
static void take_slowly(struct server *s, uint32_t a, uint32_t bytes_a, uint32_t b, uint32_t bytes_b)
{
    struct crowd *c = &s->crowd;
    for (unsigned n = 0; n < 100; n++) {
        c->peers[a].rcv += bytes_a;
        crowd_say(c, a, (struct crowd_words){.flags = ACK, .wnd = 60000});
        c->peers[b].rcv += bytes_b;
        crowd_say(c, b, (struct crowd_words){.flags = ACK, .wnd = 60000});
        pass(s, 100 * MS);
    }
}

/*
 * V-36, V-40: who takes a byte now and then does not get on by that: what counts is a part of what is held
 * for it. The one that takes a hundred bytes a second of 3,000 stays.
 */
static void dribbler_is_ended_before_one_that_is_slow(void **state)
{
    (void)state;
    enum { DRIBBLER = ORPHAN, SLOW = STALLED };
    struct server s;
    struct estab_config config = config_of(16);
    config.stall_ns = 2 * SECOND;
    server_start_small(&s, &config, 24);
    crowd_connect(&s.crowd, 0, PLIGHTS, 60000);
    settle(&s);
    stalls(&s, SLOW);
    stalls(&s, DRIBBLER);
    take_slowly(&s, DRIBBLER, 1, SLOW, 10);
    char order[32] = "";
    uint8_t drop = 0;
    fill(&s, order, &drop);
    assert_string_equal(order, "s");
    settle(&s);
    assert_true(s.crowd.peers[DRIBBLER].reset);
    assert_int_equal(s.conns[DRIBBLER], 0);
    assert_true(s.conns[SLOW] != 0 && !s.crowd.peers[SLOW].reset);
    server_stop(&s);
}

/*
 * V-36: a sender may hold four times what it leaves free, so that there is some for the next one, and the
 * last 32nd of the blocks is for what arrives.
 */
static void sender_leaves_some_blocks_to_the_next(void **state)
{
    (void)state;
    enum { BLOCKS = 200, SENDERS = 3 };
    static const uint8_t bytes[BLOCKS * 1024];
    struct server s;
    struct estab_config config = config_of(16);
    config.send_buffer = sizeof bytes;
    server_start_small(&s, &config, BLOCKS);
    struct crowd *c = &s.crowd;
    crowd_connect(c, 0, SENDERS, 60000);
    settle(&s);
    ptrdiff_t sent[SENDERS];
    for (uint32_t i = 0; i < SENDERS; i++) {
        c->peers[i].deaf = true;
        ptrdiff_t more;
        for (sent[i] = 0; (more = estab_send(c->stack, c->now, s.conns[i], bytes, sizeof bytes, 0)) > 0;) {
            sent[i] += more;
        }
        assert_int_equal(more, -ESTAB_EAGAIN);
        uint32_t free = crowd_memory(c).blocks - crowd_memory(c).blocks_used;
        assert_true(sent[i] > 0 && (uint64_t)sent[i] <= 4 * (uint64_t)(free + 1) * 1024);
    }
    assert_in_range(sent[0], BLOCKS * 1024 * 7 / 10, BLOCKS * 1024 * 8 / 10);
    assert_true(crowd_memory(c).blocks_used <= crowd_memory(c).blocks - crowd_memory(c).blocks / 32);
    server_stop(&s);
}

/*
 * V-36, V-38: the last sixteenth of the blocks is not for text that nobody reads, nor for text ahead of gaps:
 * a request in order is taken, and nobody has to go for it.
 */
static void unread_text_leaves_room_for_requests(void **state)
{
    (void)state;
    enum { BLOCKS = 64, UNREAD = 0, ASKS = 1, GAPS = 2 };
    struct server s;
    struct estab_config config = config_of(16);
    server_start_small(&s, &config, BLOCKS);
    struct crowd *c = &s.crowd;
    crowd_connect(c, 0, PLIGHTS, 60000);
    settle(&s);
    s.reads_nothing = true;
    for (c->drop = ESTAB_DROP_NONE; c->drop == ESTAB_DROP_NONE;) {
        crowd_say(c, UNREAD, (struct crowd_words){.flags = ACK, .wnd = 60000, .length = 500});
        crowd_go_on(c, UNREAD, 500);
        settle(&s);
    }
    assert_int_equal(c->drop, ESTAB_DROP_NO_MEMORY);
    struct estab_memory use = crowd_memory(c);
    assert_int_equal(use.blocks - use.blocks_used, 2 * (use.blocks / 32) - 1);
    crowd_say(c, GAPS, (struct crowd_words){.flags = ACK, .seq = 50, .wnd = 60000, .length = 500});
    assert_int_equal(c->drop, ESTAB_DROP_NO_MEMORY);
    s.reads_nothing = false;
    crowd_say(c, ASKS, (struct crowd_words){.flags = ACK | PSH, .wnd = 60000, .length = REQUEST});
    assert_int_equal(c->drop, ESTAB_DROP_NONE);
    settle(&s);
    crowd_listen(c);
    assert_true(c->peers[ASKS].got > 0);
    assert_int_equal(crowd_counters(c).shed_connections, 0);
    server_stop(&s);
}

/* A stall_ns of ESTAB_INFINITE: nobody is ended; one of more than ten minutes is refused by its name. */
static void nobody_is_ended_where_it_is_switched_off(void **state)
{
    (void)state;
    struct server s;
    struct estab_config config = config_of(16);
    config.stall_ns = ESTAB_INFINITE;
    server_start_small(&s, &config, 24);
    crowd_connect(&s.crowd, 0, PLIGHTS, 60000);
    settle(&s);
    stalls(&s, STALLED);
    pass(&s, 60 * SECOND);
    char order[32] = "";
    uint8_t drop = 0;
    fill(&s, order, &drop);
    assert_string_equal(order, "");
    assert_int_equal(drop, ESTAB_DROP_NO_MEMORY);
    server_stop(&s);

    static uint8_t memory[1 << 20] __attribute__((aligned(16)));
    const char *what = NULL;
    int error = 0;
    config.stall_ns = 600 * SECOND + 1;
    assert_null(estab_init(memory, sizeof memory, &config, &error, &what));
    assert_int_equal(error, -ESTAB_EINVAL);
    assert_string_equal(what, "stall_ns");
}

/*
 * A send that finds no block ends nobody by itself, so that what a user holds of one connection outlives
 * calls on others; the tick does, and tells the sender that there is room.
 */
static void sender_without_a_block_is_helped_by_the_tick(void **state)
{
    (void)state;
    static const uint8_t bytes[3000];
    struct server s;
    struct estab_config config = config_of(16);
    config.stall_ns = 10 * SECOND;
    server_start_small(&s, &config, 24);
    struct crowd *c = &s.crowd;
    crowd_connect(c, 0, PLIGHTS, 60000);
    settle(&s);
    stalls(&s, STALLED);
    pass(&s, 8 * SECOND);
    char order[32] = "";
    uint8_t drop = 0;
    fill(&s, order, &drop);
    assert_string_equal(order, ""); /* nobody has stalled for long enough */
    s.reads_nothing = false;
    c->now += 4 * SECOND;
    uint64_t before = crowd_counters(c).shed_connections;
    assert_int_equal(estab_send(c->stack, c->now, s.conns[QUIET], bytes, sizeof bytes, 0), -ESTAB_EAGAIN);
    assert_int_equal(crowd_counters(c).shed_connections, before);
    assert_true(estab_next_deadline(c->stack) <= c->now);
    crowd_tick(c);
    assert_int_equal(crowd_counters(c).shed_connections, before + 1);
    assert_true(estab_ready(c->stack, s.conns[STALLED]) & ESTAB_ERROR);
    struct estab_event events[8];
    unsigned n = estab_poll(c->stack, events, 8);
    bool writable = false;
    for (unsigned k = 0; k < n; k++) {
        writable = writable || (events[k].conn == s.conns[QUIET] && (events[k].changed & ESTAB_WRITABLE));
    }
    assert_true(writable);
    assert_true(estab_send(c->stack, c->now, s.conns[QUIET], bytes, sizeof bytes, 0) > 0);
    server_stop(&s);
}

/*
 * V-36 (Naptha): where records of connections run out, one that has stalled makes room and its user is
 * told, and the newcomer is served as it tries again; one that its peer opened and never used is another's
 * soon; connections that were of use and owe nothing are never ended for another.
 */
static void stalled_connection_gives_its_record_and_idle_ones_do_not(void **state)
{
    (void)state;
    const uint32_t idle = 14;
    struct server s;
    struct estab_config config = config_of(idle + 2); /* and the listener, and one that stalls */
    server_start_small(&s, &config, 60);
    struct crowd *c = &s.crowd;
    crowd_connect(c, 0, idle + 1, 60000);
    for (uint32_t i = 0; i <= idle; i++) {
        crowd_say(c, i, (struct crowd_words){.flags = ACK | PSH, .wnd = 60000, .length = 1});
        crowd_go_on(c, i, 1);
    }
    settle(&s);
    assert_int_equal(crowd_memory(c).connections, crowd_memory(c).connections_max);
    crowd_say(c, 40, (struct crowd_words){.flags = SYN, .wnd = 60000});
    crowd_listen(c);
    crowd_go_on(c, 40, 1);
    for (unsigned n = 0; n < 5; n++) { /* all are idle: it must wait */
        crowd_say(c, 40, (struct crowd_words){.flags = ACK, .wnd = 60000});
        assert_int_equal(c->drop, ESTAB_DROP_NO_MEMORY);
        pass(&s, SECOND);
    }
    stalls(&s, idle);
    pass(&s, 12 * SECOND);
    c->peers[40] = (struct crowd_peer){.snd = CROWD_ISN, .port = 6000, .told = c->peers[40].told};
    assert_int_equal(crowd_counters(c).shed_connections, 0); /* nobody wants its record now */
    crowd_say(c, 40, (struct crowd_words){.flags = SYN, .wnd = 60000});
    crowd_listen(c);
    crowd_go_on(c, 40, 1);
    crowd_say(c, 40, (struct crowd_words){.flags = ACK, .wnd = 60000});
    assert_int_equal(c->drop, ESTAB_DROP_NO_MEMORY);
    settle(&s);
    assert_int_equal(crowd_counters(c).shed_connections, 1);
    assert_int_equal(s.refused_memory, 1);
    crowd_say(c, 40, (struct crowd_words){.flags = ACK | PSH, .wnd = 60000, .length = REQUEST});
    assert_int_equal(c->drop, ESTAB_DROP_NONE);
    settle(&s);
    assert_true(c->peers[40].got > 0);
    for (uint32_t i = 0; i < idle; i++) {
        assert_true(s.conns[i] != 0 && !c->peers[i].reset);
    }
    server_stop(&s);
}

/* The ACK that completes a newcomer's handshake, again each 50 ms until one is ended for it. */
static unsigned knock(struct server *s, uint32_t peer, unsigned most)
{
    struct crowd *c = &s->crowd;
    uint64_t before = crowd_counters(c).shed_connections;
    crowd_say(c, peer, (struct crowd_words){.flags = SYN, .wnd = 60000});
    crowd_listen(c);
    crowd_go_on(c, peer, 1);
    for (unsigned n = 0; n < most; n++) {
        crowd_say(c, peer, (struct crowd_words){.flags = ACK, .wnd = 60000});
        if (crowd_counters(c).shed_connections > before) {
            return n;
        }
        pass(s, 50 * MS);
    }
    return most;
}

/*
 * V-36 (Naptha, by number): a table full of connections that their peers never used makes room, but not at
 * once: each look in vain halves what is left of stall_ns, and quiet seconds bring it back.
 */
static void connections_never_used_make_room_the_sooner_the_more_is_asked_for(void **state)
{
    (void)state;
    const uint32_t silent = 15;
    struct server s;
    struct estab_config config = config_of(silent + 1);
    server_start_small(&s, &config, 60);
    struct crowd *c = &s.crowd;
    crowd_connect(c, 0, silent, 60000);
    settle(&s);
    pass(&s, 400 * MS);
    assert_in_range(knock(&s, 40, 20), 3, 5); /* 10 s, 5, 2.5, 1.25, 0.6: waited for 0.6 s by then */
    settle(&s);
    crowd_say(c, 40, (struct crowd_words){.flags = ACK, .wnd = 60000});
    assert_int_equal(c->drop, ESTAB_DROP_NONE); /* its user has closed the other */
    settle(&s);
    assert_in_range(knock(&s, 41, 20), 0, 1); /* the next goes soon */
    pass(&s, 8 * SECOND);
    assert_int_equal(crowd_counters(c).shed_connections, 2);
    assert_int_equal(knock(&s, 42, 1), 1); /* ten seconds again, and nobody has waited for so long */
    server_stop(&s);
}

/*
 * V-46: orphans are under a cap: the one that got on least recently is reset and counted, and one that
 * does not.
 */
static void orphans_are_under_a_cap(void **state)
{
    (void)state;
    enum { CAP = 10, ALL = 30 };
    struct server s;
    struct estab_config config = config_of(64);
    config.max_orphans = CAP;
    server_start_small(&s, &config, 200);
    struct crowd *c = &s.crowd;
    crowd_connect(c, 0, ALL, 60000);
    settle(&s);
    for (uint32_t i = 0; i < ALL; i++) {
        stalls(&s, i);
    }
    for (uint32_t i = 0; i < ALL; i++) {
        assert_int_equal(estab_close(c->stack, c->now, s.conns[i]), 0);
        s.conns[i] = 0;
        assert_true(crowd_memory(c).orphans <= CAP);
        if (i < CAP) { /* peer 0 takes a little each second */
            c->peers[0].rcv += 100;
            crowd_say(c, 0, (struct crowd_words){.flags = ACK, .wnd = 60000});
        }
        assert_null(estab_check(c->stack));
        pass(&s, SECOND);
        assert_int_equal(crowd_counters(c).orphans_dropped, i < CAP ? 0 : i - CAP + 1);
        for (uint32_t k = 1; k <= i; k++) { /* the others went in turn, peer 0 after peer 9 */
            bool gone = i >= CAP && k <= i - CAP + (i < 2 * CAP - 1 ? 1 : 0);
            assert_int_equal(c->peers[k].reset, gone);
        }
        assert_int_equal(c->peers[0].reset, i >= 2 * CAP - 1);
    }
    assert_int_equal(s.refused_memory, 0);
    server_stop(&s);
}

/*
 * RFC 2018 8: what was reported by SACK and given up is not reported again, so that the peer learns of it
 * and sends it again; not a byte is lost by that.
 */
static void what_was_given_up_is_not_reported_any_more(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.block_size = 256;
    options.config.max_connections = 8;
    options.sack = true;
    options.memory = (estab_memory_minimum(&options.config) + 8 * 256 + 63) & ~(size_t)63;
    struct rig *r = rig_start(&options);
    rig_listen(r, 5);
    inject(r, .flags = SYN);
    expect(r, .flags = SYN | ACK, .ack = 1, .sack_ok = true);
    inject(r, .flags = ACK, .seq = 1, .ack = 1);
    rig_accept(r);
    inject(r, .flags = ACK, .seq = 301, .ack = 1, .length = 200);
    expect(r, .flags = ACK, .seq = 1, .ack = 1, .sack_count = 1, .sack = {{301, 501}});
    inject(r, .flags = SYN, .port = PEER_PORT + 1);
    expect(r, .flags = SYN | ACK, .ack = 1, .port = PEER_PORT + 1);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .port = PEER_PORT + 1);
    uint32_t at = 1;
    while (rig_counters(r).shed_out_of_order == 0 && at < 20000) {
        inject(r, .flags = ACK, .seq = at, .ack = 1, .length = 200, .port = PEER_PORT + 1);
        assert_int_equal(r->drop, ESTAB_DROP_NONE);
        at += 200;
        rig_discard(r);
    }
    assert_int_equal(rig_counters(r).shed_out_of_order, 1);
    assert_int_equal(rig_status(r).receive_ahead, 0);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 100);
    rig_discard(r);
    inject(r, .flags = ACK, .seq = 20000, .ack = 1, .length = 1); /* not taken, but answered */
    expect(r, .flags = ACK, .seq = 1, .ack = 101, .sack_count = 0);
    assert_int_equal(rig_read(r, 1000), 100);
    rig_stop(r);
}

/* ---- bounds of one connection, and of fragments ---- */

/*
 * V-38: ranges ahead of gaps are at most 256 however large the blocks; what fills the gaps is taken as
 * ever.
 */
static void ranges_ahead_are_bounded(void **state)
{
    (void)state;
    struct rig_options options;
    rig_defaults(&options);
    options.config.block_size = 65536;
    options.memory = (estab_memory_minimum(&options.config) + 32 * 65536 + 63) & ~(size_t)63;
    struct rig *r = rig_start(&options);
    rig_reach(r, AT_ESTABLISHED);
    for (uint32_t i = 0; i < 600; i++) {
        inject(r, .flags = ACK, .seq = 2 + 2 * i, .ack = 1, .length = 1);
        rig_discard(r);
        assert_int_equal(r->drop, i < 256 ? ESTAB_DROP_NONE : ESTAB_DROP_NO_MEMORY);
    }
    assert_int_equal(rig_status(r).receive_ahead, 256);
    inject(r, .flags = ACK, .seq = 1, .ack = 1, .length = 1200);
    rig_discard(r);
    assert_int_equal(rig_read(r, 2000), 1200); /* every byte is the right one */
    rig_stop(r);
}

/*
 * V-08: datagrams begun and never finished: their memory keeps its bound, and those that gave way are
 * counted.
 */
static void datagrams_never_finished_keep_their_bound(void **state)
{
    (void)state;
    struct server s;
    struct estab_config config = config_of(16);
    server_start(&s, &config, 1 << 20, 64);
    struct crowd *c = &s.crowd;
    uint8_t bytes[60] = {
        0x45, [3] = 60, [6] = 0x20, [8] = 64, [9] = 6, [12] = 10, [13] = 1, [16] = 10, [19] = 1};
    size_t most = crowd_memory(c).fragment_bytes_max;
    assert_in_range(most, 2048, 1 << 15);
    for (unsigned n = 0; n < 1000; n++) {
        crowd_put16(bytes + 4, n);
        crowd_put16(bytes + 14, n);
        crowd_put16(bytes + 10, 0);
        uint32_t sum = 0;
        for (unsigned k = 0; k < 20; k += 2) {
            sum += (uint32_t)bytes[k] << 8 | bytes[k + 1];
        }
        sum = (sum & 0xffff) + (sum >> 16);
        crowd_put16(bytes + 10, ~sum & 0xffff);
        struct estab_packet packet = {
            .data = bytes, .length = sizeof bytes, .capacity = sizeof bytes, .interface = 1};
        estab_input(c->stack, c->now, &packet, 1);
        assert_true(crowd_memory(c).fragment_bytes <= most);
    }
    assert_int_equal(crowd_counters(c).fragments_in, 1000);
    assert_true(crowd_counters(c).shed_fragments >= 1000 - 16);
    assert_int_equal(crowd_memory(c).blocks_used, 0);
    pass(&s, 20 * SECOND);
    assert_int_equal(crowd_memory(c).fragment_bytes, 0);
    server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_that_take_nothing_lose_and_nobody_else),
        cmocka_unit_test(closed_window_is_probed_slowly_until_the_user_decides),
        cmocka_unit_test(peers_that_vanish_while_closing_leave_nothing),
        cmocka_unit_test(peers_that_stop_acknowledging_are_freed_at_r2),
        cmocka_unit_test(more_clients_than_the_backlog_are_served_as_they_try_again),
        cmocka_unit_test(what_is_given_up_goes_in_the_stated_order),
        cmocka_unit_test(dribbler_is_ended_before_one_that_is_slow),
        cmocka_unit_test(sender_leaves_some_blocks_to_the_next),
        cmocka_unit_test(connections_never_used_make_room_the_sooner_the_more_is_asked_for),
        cmocka_unit_test(unread_text_leaves_room_for_requests),
        cmocka_unit_test(nobody_is_ended_where_it_is_switched_off),
        cmocka_unit_test(sender_without_a_block_is_helped_by_the_tick),
        cmocka_unit_test(stalled_connection_gives_its_record_and_idle_ones_do_not),
        cmocka_unit_test(orphans_are_under_a_cap),
        cmocka_unit_test(what_was_given_up_is_not_reported_any_more),
        cmocka_unit_test(ranges_ahead_are_bounded),
        cmocka_unit_test(datagrams_never_finished_keep_their_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
