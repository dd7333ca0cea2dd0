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
    estab_conn *conns;   /* by peer */
    uint32_t *owed;      /* bytes still to be sent to it */
    uint32_t *asked;     /* bytes of its request that have come */
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

static void server_accept(struct server *s)
{
    struct crowd *c = &s->crowd;
    estab_conn conn;
    for (uint32_t n = 0; n < s->accept_most && estab_accept(c->stack, c->now, s->listener, &conn) == 0; n++) {
        struct estab_status status;
        assert_int_equal(estab_status(c->stack, conn, &status), 0);
        uint32_t i = peer_of(&status.remote);
        assert_int_equal(estab_set(c->stack, c->now, conn, ESTAB_OPTION_USER, i), 0);
        s->conns[i] = conn;
        s->owed[i] = s->asked[i] = 0;
        s->accepted++;
    }
}

static void server_ends(struct server *s, uint32_t i)
{
    struct estab_status status;
    assert_int_equal(estab_status(s->crowd.stack, s->conns[i], &status), 0);
    s->refused_memory += status.error == -ESTAB_ENOBUFS;
    s->timed_out += status.error == -ESTAB_ETIMEDOUT;
    s->other_errors += status.error != 0 && status.error != -ESTAB_ENOBUFS && status.error != -ESTAB_ETIMEDOUT;
    assert_int_equal(estab_close(s->crowd.stack, s->crowd.now, s->conns[i]), 0);
    s->conns[i] = 0;
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

#define HOLDERS  (ESTAB_TEST_SLOW ? 8000u : 50000u)
#define HEALTHY  200u
#define IDLE     200u
#define NEWCOMERS (ESTAB_TEST_SLOW ? 600u : 2000u)
#define STEP     (10 * MS)
#define PATIENCE (20 * SECOND) /* of a newcomer */

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
    uint32_t newcomers, served;
};

static void ask(struct siege *g, uint32_t i, uint32_t seq)
{
    struct crowd *c = &g->server.crowd;
    crowd_say(c, i, (struct crowd_words){.flags = ACK | PSH, .seq = seq, .wnd = 60000, .length = REQUEST});
}

static void open_again(struct siege *g, uint32_t i)
{
    struct crowd *c = &g->server.crowd;
    struct crowd_peer *peer = &c->peers[i];
    *peer = (struct crowd_peer){.snd = CROWD_ISN, .port = (uint16_t)(peer->port + 1), .deaf = peer->deaf};
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
 * come back when they are ended: memory stays within the budget, at least 99 % of newcomers are served, those
 * ended are counted, told and reset, and no healthy connection is lost, idle ones included.
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
    uint32_t lost = 0;
    for (uint32_t i = HOLDERS; i < HOLDERS + HEALTHY + IDLE; i++) {
        lost += g.clients[i].phase != SERVED;
    }
    struct estab_memory memory = crowd_memory(&s->crowd);
    struct estab_counters counters = crowd_counters(&s->crowd);
    print_message("served %u of %u, healthy lost %u, shed %u, orphans %u, used %zu of %zu\n", g.served,
                  NEWCOMERS, lost, (unsigned)counters.shed_connections, (unsigned)counters.orphans_dropped,
                  memory.used_high, memory.budget);
    assert_int_equal(lost, 0);
    assert_true(g.served >= NEWCOMERS * 99 / 100);
    assert_true(memory.used_high <= memory.budget);
    assert_int_equal(memory.budget, s->crowd.size);
    assert_true(counters.shed_connections > HOLDERS / 50); /* the blocks did run out */
    assert_int_equal(s->refused_memory, counters.shed_connections); /* each was told */
    assert_int_equal(s->other_errors, 0);
    free(g.clients);
    server_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_that_take_nothing_lose_and_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
