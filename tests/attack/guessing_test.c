/*
 * Guessing SYN cookies (RFC 4987 3.6, V-22, O-36): whoever finds one opens a connection from any address. Ten
 * million random ACKs go through a whole stack; how many may be accepted follows from the bits of the MAC,
 * not from what was measured. Which epochs, tuples and modes a cookie is good for is tried with true ones,
 * which a second stack with the same secret makes.
 *
 * ESTAB_GUESSES in the environment sets the number (`make guess`).
 */
#include "attack/bench.h"
#include "stack/stack.h"

#define SERVICE 80
#define EPOCH   (64 * SECOND) /* of the secret; the one before is good too */
/*
 * 32 bits of ISS, of which four are public: three of MSS, and one that tells which of the two epochs is
 * meant. So each of the sixteen has one MAC of 28 bits that is good.
 */
#define MAC_BITS 28u

static uint64_t guesses(uint64_t fallback)
{
    const char *named = getenv("ESTAB_GUESSES");
    uint64_t number = named != NULL ? strtoull(named, NULL, 10) : 0;
    return number != 0 ? number : ESTAB_TEST_SLOW ? fallback / 50 : fallback;
}

/* The most that n guesses may hit: the expectation n / 2^28 and three times its standard deviation. */
static uint64_t most_hits(uint64_t n)
{
    uint64_t most = 0;
    /* m <= e + 3 sqrt(e), where m > e: (m - e)^2 <= 9 e; in units of 2^-28 */
    for (uint64_t m = 1; m < n; m++) {
        uint64_t scaled = m << MAC_BITS;
        uint64_t over = scaled > n ? (scaled - n) >> 8 : 0; /* 2^-20 */
        if (scaled > n && over * over > ((9 * n) << (MAC_BITS - 16))) {
            break;
        }
        most = m;
    }
    return most;
}

/* ---- a listener, and who writes to it ---- */

struct target {
    struct bench b;
    estab_conn listener;
    struct heard answer; /* the last SYN,ACK */
    uint64_t resets;
};

static void hear(void *user, const uint8_t *packet, size_t length)
{
    struct target *t = user;
    struct heard h = read_packet(packet, length);
    t->resets += (h.flags & RST) != 0;
    if (h.flags == (SYN | ACK)) {
        t->answer = h;
    }
}

static struct target *target_start(const struct estab_cookies *cookies, uint32_t max_half_open)
{
    struct target *t = calloc(1, sizeof *t);
    struct estab_config config;
    bench_config(&config, 3);
    config.cookies = cookies;
    config.max_half_open = max_half_open;
    bench_start(&t->b, &config, 16 << 20);
    t->b.now = 100 * EPOCH;
    t->b.hear = hear;
    t->b.user = t;
    t->listener = bench_listen(&t->b, SERVICE, 65535);
    return t;
}

static void target_stop(struct target *t)
{
    bench_stop(&t->b);
    free(t);
}

static uint64_t accepted(const struct target *t)
{
    return bench_counters(&t->b).cookies_accepted;
}

static struct packet_fields from(unsigned host, uint16_t port)
{
    return (struct packet_fields){.from = host_addr(false, 40 + (host >> 16), host & 0xffff, port),
                                  .to = bench_addr(false, SERVICE)};
}

static void syn(struct target *t, unsigned host, uint16_t port, uint32_t isn)
{
    struct packet_fields f = from(host, port);
    f.flags = SYN;
    f.seq = isn;
    bench_tcp(&t->b, &f);
}

/* The SYN of a flow, and what our SYN,ACK says that the ACK must bring back. */
static struct packet_fields cookie_for(struct target *t, unsigned host, uint16_t port, uint32_t isn)
{
    syn(t, host, port, isn);
    bench_flush(&t->b);
    struct packet_fields f = from(host, port);
    assert_int_equal(t->answer.to.port, port);
    f.flags = ACK;
    f.seq = isn + 1;
    f.ack = t->answer.seq + 1;
    return f;
}

static bool takes(struct target *t, const struct packet_fields *ack)
{
    uint64_t before = accepted(t);
    bench_flush(&t->b);
    bench_tcp(&t->b, ack);
    bench_flush(&t->b);
    estab_conn conn;
    if (estab_accept(t->b.stack, t->b.now, t->listener, &conn) == 0) {
        estab_abort(t->b.stack, t->b.now, conn);
        bench_flush(&t->b);
    }
    return accepted(t) > before;
}

/* SYNs enough to overflow the cache, and to have a cookie of this epoch sent. */
static void keep_full(struct target *t, uint64_t *seed, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        syn(t, 0x20000 + roll(seed, 60000), (uint16_t)(1 + roll(seed, 60000)), (uint32_t)next_random(seed));
    }
    bench_flush(&t->b);
}

/*
 * n ACKs with nothing but luck in them, spread over five epochs. `syns`: so many in each thousandth of
 * them.
 */
static void guess(struct target *t, uint64_t n, unsigned syns)
{
    uint64_t seed = 7;
    uint64_t pause = 5 * EPOCH / n;
    for (uint64_t i = 0; i < n; i++) {
        if (i % (n / 1000) == 0) {
            keep_full(t, &seed, syns);
        }
        struct packet_fields f = from(roll(&seed, 0x20000), (uint16_t)(1 + roll(&seed, 65535)));
        uint64_t numbers = next_random(&seed);
        f.flags = ACK;
        f.seq = (uint32_t)numbers;
        f.ack = (uint32_t)(numbers >> 32);
        bench_tcp(&t->b, &f);
        t->b.now += pause;
    }
    bench_flush(&t->b);
}

/* ---- the tests ---- */

/* V-22, O-36, R4987-01: of 10^7 guesses no more hit than 28 bits of MAC let, every SYN answered by cookie. */
static void guessing_hits_no_more_than_the_mac_lets(void **state)
{
    (void)state;
    uint64_t n = guesses(10000000);
    struct target *t = target_start(&estab_syn_cookies_always, 0);
    guess(t, n, 1);
    print_message("accepted %u of %u million guesses, at most %u by three sigma\n", (unsigned)accepted(t),
                  (unsigned)(n / 1000000), (unsigned)most_hits(n));
    assert_true(accepted(t) <= most_hits(n));
    assert_true(bench_counters(&t->b).drops[ESTAB_DROP_LISTEN_SEGMENT] >= n - most_hits(n));
    target_stop(t);
}

/* V-22, O-36: the same with a SYN cache that stays full, and where it never is: there none. */
static void guessing_in_overflow_and_without(void **state)
{
    (void)state;
    static const struct {
        const struct estab_cookies *cookies;
        unsigned syns;
        bool sends;
    } cases[] = {{&estab_syn_cookies, 200, true}, {&estab_syn_cookies, 0, false}, {NULL, 200, false}};
    for (unsigned i = 0; i < 3; i++) {
        uint64_t n = guesses(1000000);
        struct target *t = target_start(cases[i].cookies, 64);
        guess(t, n, cases[i].syns);
        assert_int_equal(bench_counters(&t->b).cookies_sent > 0, cases[i].sends);
        assert_true(accepted(t) <= (cases[i].sends ? most_hits(n) : 0));
        target_stop(t);
    }
}

/* V-22: the bound itself: how many guesses a hit takes is counted, where the rest of the number is known. */
static void one_mac_in_two_to_the_24th_is_good(void **state)
{
    (void)state;
    struct target *t = target_start(&estab_syn_cookies_always, 0);
    struct packet_fields right = cookie_for(t, 1, 5000, 1000);
    struct tcp_segment seg = {.seq = seq_of(right.seq), .flags = TCP_ACK, .wnd = 1000};
    struct estab_packet packet = {0};
    struct arrival arrival = {
        .key.local_port = SERVICE, .key.remote_port = 5000, .seg = &seg, .packet = &packet, .interface = 1};
    struct tcp_half_open found;
    uint32_t step = ESTAB_TEST_SLOW ? 64 : 1;
    unsigned hits = 0;
    memcpy(arrival.key.local.b, right.to.ip, 16);
    memcpy(arrival.key.remote.b, right.from.ip, 16);
    uint32_t top = (right.ack - 1) & 0xff000000u;
    for (uint32_t low = (right.ack - 1) % step; low < 1u << 24; low += step) {
        seg.ack = seq_of((top | low) + 1);
        hits += estab_syn_cookies_always.check(t->b.stack, &arrival, &found);
    }
    assert_int_equal(hits, 1);
    target_stop(t);
}

/* O-36, R4987-02: a cookie is good in its epoch of 64 s and in the next one, and never again. */
static void cookie_is_good_for_two_epochs(void **state)
{
    (void)state;
    static const struct {
        uint64_t into, age; /* ms: when in its epoch it was made, how old it is */
        bool good;
    } cases[] = {
        {0, 0, true},         {0, 63999, true},         {0, 64000, true},     {0, 127999, true},
        {0, 128000, false},   {0, 192000, false},       {63999, 0, true},     {63999, 1, true},
        {63999, 64000, true}, {63999, 64001, false},    {32000, 95999, true}, {32000, 96000, false},
        {0, 256000, false},   {0, 64000 * 1024, false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct target *t = target_start(&estab_syn_cookies_always, 0);
        t->b.now = 100 * EPOCH + cases[i].into * MS;
        struct packet_fields ack = cookie_for(t, 1, 5000, 1000);
        bench_advance(&t->b, cases[i].age * MS);
        syn(t, 2, 6000, 1); /* cookies are under way all the time */
        assert_int_equal(takes(t, &ack), cases[i].good);
        target_stop(t);
    }
}

/* O-36: it opens the flow that it was made for, with the SEQ that the SYN had, and no other. */
static void cookie_of_another_flow_is_refused(void **state)
{
    (void)state;
    struct target *t = target_start(&estab_syn_cookies_always, 0);
    uint16_t other_service = 81;
    (void)bench_listen(&t->b, other_service, 100);
    struct packet_fields right = cookie_for(t, 1, 5000, 1000);
    for (unsigned i = 0; i < 7; i++) {
        struct packet_fields f = right;
        f.from.port = (uint16_t)(f.from.port + (i == 0));
        f.from.ip[15] ^= (uint8_t)(i == 1);
        f.to.port = i == 2 ? other_service : SERVICE;
        f.seq += i == 3;
        f.ack += i == 4 ? 1u << 28 : i == 5 ? 1u << 31 : i == 6; /* another MSS, another epoch, another MAC */
        assert_false(takes(t, &f));
    }
    assert_true(takes(t, &right));
    target_stop(t);
}

/*
 * O-36, R4987-01: in the default mode not even a true one, while the cache has had room for as long as it
 * lives.
 */
static void cookies_are_off_while_the_cache_has_room(void **state)
{
    (void)state;
    uint64_t seed = 1;
    struct target *maker = target_start(&estab_syn_cookies_always, 0);
    struct target *t = target_start(&estab_syn_cookies, 64);
    struct target *never = target_start(NULL, 64);
    struct packet_fields ack = cookie_for(maker, 1, 5000, 1000);
    assert_false(takes(t, &ack)); /* it never was full */
    keep_full(t, &seed, 200);
    keep_full(never, &seed, 200);
    assert_true(takes(t, &ack)); /* now cookies are under way */
    assert_false(takes(never, &ack));
    bench_advance(&t->b, 2 * EPOCH - MS);
    bench_advance(&maker->b, 2 * EPOCH - MS);
    ack = cookie_for(maker, 1, 5001, 1000);
    assert_true(takes(t, &ack));
    bench_advance(&t->b, MS);
    bench_advance(&maker->b, MS);
    ack = cookie_for(maker, 1, 5002, 1000);
    assert_false(takes(t, &ack));
    assert_int_equal(accepted(t), 2);
    target_stop(maker);
    target_stop(t);
    target_stop(never);
}

/* V-22, O-41: an ACK that is no cookie is answered by a RST within the limits on them, and leaves nothing. */
static void failed_cookies_are_answered_at_a_limited_rate(void **state)
{
    (void)state;
    for (unsigned many = 0; many < 2; many++) {
        struct target *t = target_start(&estab_syn_cookies_always, 0);
        uint64_t seed = 5;
        struct estab_memory memory;
        syn(t, 1, 5000, 1);
        for (unsigned second = 0; second < 3; second++) {
            uint64_t before = t->resets;
            for (unsigned i = 0; i < 20000; i++) {
                unsigned host = many ? roll(&seed, 0x20000) : 9;
                struct packet_fields f = from(host, (uint16_t)(1 + roll(&seed, 60000)));
                f.flags = ACK;
                f.ack = (uint32_t)next_random(&seed);
                bench_tcp(&t->b, &f);
            }
            bench_flush(&t->b);
            assert_true(t->resets - before <= (many ? 1000 : 8));
            assert_true(t->resets > before);
            bench_advance(&t->b, SECOND);
        }
        estab_memory(t->b.stack, &memory);
        assert_int_equal(memory.connections, 1); /* the listener */
        assert_int_equal(memory.half_open, 0);
        assert_int_equal(memory.blocks_used_high, 0);
        target_stop(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guessing_hits_no_more_than_the_mac_lets),
        cmocka_unit_test(guessing_in_overflow_and_without),
        cmocka_unit_test(one_mac_in_two_to_the_24th_is_good),
        cmocka_unit_test(cookie_is_good_for_two_epochs),
        cmocka_unit_test(cookie_of_another_flow_is_refused),
        cmocka_unit_test(cookies_are_off_while_the_cache_has_room),
        cmocka_unit_test(failed_cookies_are_answered_at_a_limited_rate),
    };
    return cmocka_run_group_tests_name("guessing", tests, NULL, NULL);
}
