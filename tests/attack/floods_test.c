/*
 * Floods of packets against a stack that honest users go on using (RFC 4987, 1858, 5961 7): SYNs from
 * addresses that do not exist, segments for no connection, first fragments of datagrams that never end. Rows
 * V-08, V-34, V-35 and V-42 of the table of published faults: what is counted here is memory, answers and the
 * users' success; what it costs in time is the flood bench's matter.
 */
#include "sim/bytes.h"
#include "support/siege.h"

#define SECONDS (ESTAB_TEST_SLOW ? 1u : 3u)
#define PER_MS  100u /* packets: 100,000 a second */
#define MEMORY  ((size_t)4 << 20)

static void configure(struct estab_config *config)
{
    estab_config_init(config);
    config->max_connections = 256;
    config->max_half_open = 512;
}

/* An idle run as long as the flood: what the users do, and how long they wait, when nobody disturbs. */
static void idle(uint64_t *done, uint64_t *worst_ns)
{
    struct siege siege;
    struct estab_config config;
    configure(&config);
    siege_start(&siege, &config, MEMORY);
    siege_run(&siege, SECONDS * SECOND);
    siege_finish(&siege);
    assert_int_equal(siege.failed, 0);
    *done = siege.done;
    *worst_ns = siege.worst_ns;
    siege_stop(&siege);
}

/* Addresses that no user has: 172.16.0.0/12. */
static uint32_t stranger(uint64_t *seed)
{
    return 0xac100000u | (rig_random(seed) & 0xfffffu);
}

/* ---- SYN flood ---- */

struct seen {
    uint64_t syn_acks, cookies, others, with_text;
    uint8_t of_source[1u << 20]; /* SYN,ACKs to each address, of the first 2^20 */
};

static void look(void *user, const struct raw *raw, unsigned reason)
{
    struct seen *seen = user;
    bool syn_ack = raw->flags == (SYN | ACK);
    seen->syn_acks += syn_ack;
    seen->others += !syn_ack;
    seen->cookies += reason == ESTAB_REASON_SYN_COOKIE;
    seen->with_text += raw->length > 0;
    seen->of_source[raw->to & 0xfffff] += syn_ack;
}

struct syn_flood {
    const struct estab_cookies *cookies;
    unsigned most_answers; /* to one SYN */
    double most_bytes;     /* out for each that came in */
};

static void syn_flood(const struct syn_flood *flood)
{
    static const uint8_t mss[4] = {2, 4, 5, 0xb4};
    struct seen *seen = calloc(1, sizeof *seen);
    struct siege siege;
    struct estab_config config;
    uint64_t quiet_done, quiet_worst, seed = 1;
    assert_non_null(seen);
    idle(&quiet_done, &quiet_worst);
    configure(&config);
    config.cookies = flood->cookies;
    siege_start(&siege, &config, MEMORY);
    siege.answer = look;
    siege.answer_user = seen;
    uint32_t used = siege_memory(&siege).blocks_used;
    uint32_t most = 0;
    for (unsigned ms = 0; ms < SECONDS * 1000; ms++) {
        for (unsigned i = 0; i < PER_MS; i++) {
            siege_put(&siege, &(struct raw){.from = 0xac100000u | ((ms * PER_MS + i) & 0xfffffu),
                                            .from_port = (uint16_t)(1 + rig_random(&seed) % 65535),
                                            .seq = rig_random(&seed),
                                            .flags = SYN,
                                            .wnd = 65535,
                                            .options = mss,
                                            .option_length = 4});
        }
        siege_run(&siege, MS);
        struct estab_memory memory = siege_memory(&siege);
        most = memory.half_open > most ? memory.half_open : most;
        assert_true(memory.half_open <= memory.half_open_max);
        assert_true(memory.connections <= 1 + 4 * SIEGE_CLIENTS); /* none for who has only sent a SYN */
    }
    siege_finish(&siege);
    struct estab_memory memory = siege_memory(&siege);
    assert_int_equal(memory.half_open_max, 512);
    assert_true(memory.half_open_max * memory.per_half_open <= (1u << 20));
    assert_int_equal(memory.blocks_used, used);
    if (flood->cookies != &estab_syn_cookies_always) {
        assert_int_equal(most, memory.half_open_max);
    }
    if (flood->cookies != NULL) {
        assert_int_equal(siege.failed, 0); /* at least 99 % */
        assert_true(siege.done * 100 >= quiet_done * 99);
        assert_true(siege.worst_ns <= 2 * quiet_worst + 2 * MS);
        assert_true(seen->cookies > 0);
    }
    assert_int_equal(seen->with_text, 0); /* to nobody who has not answered */
    assert_int_equal(seen->others, 0);
    for (unsigned i = 0; i < 1u << 20; i++) {
        assert_true(seen->of_source[i] <= flood->most_answers);
    }
    assert_true((double)siege.answer_bytes <= flood->most_bytes * (double)siege.attack_in_bytes);
    siege_stop(&siege);
    free(seen);
}

/*
 * V-34, V-35, O-36: the cache full, cookies for the rest: one packet out for one in, and not one byte more.
 */
static void v34_syn_flood_with_cookies_once_the_cache_is_full(void **state)
{
    (void)state;
    syn_flood(&(struct syn_flood){.cookies = &estab_syn_cookies, .most_answers = 4, .most_bytes = 1.02});
}

/* V-34, V-35 */
static void v34_syn_flood_with_cookies_always(void **state)
{
    (void)state;
    syn_flood(
        &(struct syn_flood){.cookies = &estab_syn_cookies_always, .most_answers = 1, .most_bytes = 1.0});
}

/* V-34, V-35: without cookies the users suffer, but memory and answers stay where they are. */
static void v35_syn_flood_without_cookies_is_not_amplified(void **state)
{
    (void)state;
    syn_flood(&(struct syn_flood){.cookies = NULL, .most_answers = 4, .most_bytes = 1.02});
}

/* V-35: a SYN that the cache has room for is answered at most four times, then never again. */
static void v35_one_syn_brings_at_most_four_packets(void **state)
{
    (void)state;
    struct seen *seen = calloc(1, sizeof *seen);
    struct siege siege;
    struct estab_config config;
    assert_non_null(seen);
    configure(&config);
    siege_start(&siege, &config, MEMORY);
    siege.clients = 0;
    siege.answer = look;
    siege.answer_user = seen;
    for (unsigned i = 0; i < 100; i++) {
        siege_put(&siege, &(struct raw){.from = 0xac100000u + i, .from_port = 9, .flags = SYN, .wnd = 1});
        siege_run(&siege, MS);
    }
    siege_run(&siege, 600 * SECOND);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(seen->of_source[i], 4);
    }
    assert_int_equal(siege.answers, 400);
    assert_int_equal(siege_memory(&siege).half_open, 0);
    siege_stop(&siege);
    free(seen);
}

/* V-35: a SYN to or from a broadcast or multicast address brings nothing. */
static void v35_no_answer_to_many(void **state)
{
    (void)state;
    static const uint32_t many[] = {0xffffffff, 0x0a0900ff, 0xe0000001, 0xefffffff};
    struct siege siege;
    struct estab_config config;
    configure(&config);
    siege_start(&siege, &config, MEMORY);
    siege.clients = 0;
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned flags = 0; flags < 64; flags++) {
            siege_put(&siege, &(struct raw){.from = many[i], .from_port = 9, .flags = flags});
            siege_put(&siege,
                      &(struct raw){.from = 0xac100001, .to = many[i], .from_port = 9, .flags = flags});
        }
    }
    siege_run(&siege, 100 * SECOND);
    assert_int_equal(siege.answers, 0);
    assert_int_equal(siege_counters(&siege).packets_out, 0);
    siege_stop(&siege);
}

/* ---- segments for no connection ---- */

/* V-42: the users' throughput under a flood of one kind of segment, against an idle run. */
static void segment_flood(unsigned flags, uint64_t quiet_done)
{
    struct siege siege;
    struct estab_config config;
    uint64_t seed = flags;
    configure(&config);
    config.replies_per_second = 100;
    siege_start(&siege, &config, MEMORY);
    for (unsigned ms = 0; ms < SECONDS * 1000; ms++) {
        for (unsigned i = 0; i < PER_MS; i++) {
            /* also with the users' own address: of the four parts of a connection one is guessed wrong */
            bool user = i % 8 == 0;
            siege_put(&siege,
                      &(struct raw){.from = user ? SIEGE_USERS : stranger(&seed),
                                    .from_port = (uint16_t)(user ? 1 : rig_random(&seed)),
                                    .to_port = (uint16_t)(i % 2 ? SIEGE_PORT : 1 + rig_random(&seed) % 65535),
                                    .seq = rig_random(&seed),
                                    .ack = rig_random(&seed),
                                    .flags = flags,
                                    .wnd = 1000,
                                    .length = i % 16});
        }
        siege_run(&siege, MS);
        assert_true(siege_memory(&siege).connections <= 1 + 4 * SIEGE_CLIENTS);
    }
    siege_finish(&siege);
    assert_int_equal(siege.failed, 0);
    assert_true(siege.done * 100 >= quiet_done * 90);
    assert_true(siege.answers <= 100 * (SECONDS + 2)); /* the RSTs */
    siege_stop(&siege);
}

/* V-42: RST, FIN, ACK, SYN,ACK and nothing at all for connections that are not there. */
static void v42_segments_for_no_connection_leave_the_others_alone(void **state)
{
    (void)state;
    static const unsigned kinds[] = {RST, RST | ACK, FIN, FIN | ACK, ACK, SYN | ACK, 0, PSH | ACK | URG};
    uint64_t done, worst;
    idle(&done, &worst);
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i += ESTAB_TEST_SLOW ? 3 : 1) {
        segment_flood(kinds[i], done);
    }
}

/* ---- fragments ---- */

/* One fragment of a datagram of `length` bytes of TCP; `more` follow. */
static void put_fragment(struct siege *siege, const struct raw *raw, uint16_t id, uint32_t first,
                         uint32_t end)
{
    uint8_t whole[2048], part[2048];
    size_t length = raw_write(raw, whole);
    uint32_t last = end < length - 20 ? end : (uint32_t)length - 20;
    memcpy(part, whole, 20);
    memcpy(part + 20, whole + 20 + first, last - first);
    put16(part + 2, 20 + last - first);
    put16(part + 4, id);
    put16(part + 6, (last < length - 20 ? 0x2000 : 0) | first / 8);
    put16(part + 10, 0);
    put16(part + 10, ~sum_bytes(part, 20, 0) & 0xffff);
    siege_put_bytes(siege, part, 20 + last - first);
}

static void count_answers(void *user, const struct raw *raw, unsigned reason)
{
    (void)reason;
    *(unsigned *)user += raw->to == 0xc0a80001 && raw->flags == (SYN | ACK);
}

/* V-08: `from` 0 = a source of its own for each. Between the halves of an honest datagram come `between`. */
static void fragment_flood(uint32_t from, unsigned between)
{
    struct siege siege;
    struct estab_config config;
    uint64_t seed = 3;
    unsigned whole = 0, sent = 0;
    static const uint8_t nops[20] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    configure(&config);
    config.cookies = &estab_syn_cookies_always; /* one answer to each, and no more */
    config.replies_per_second = 100000;         /* of one remote 100 are wanted */
    siege_start(&siege, &config, MEMORY);
    siege.answer = count_answers;
    siege.answer_user = &whole;
    size_t fixed = siege_memory(&siege).fixed;
    for (unsigned ms = 0; ms < SECONDS * 1000; ms++) {
        /* Of an honest sender: a SYN in two parts; the SYN,ACK shows that it arrived. */
        struct raw honest = {.from = 0xc0a80001,
                             .from_port = (uint16_t)(1000 + sent),
                             .flags = SYN,
                             .wnd = 9,
                             .options = nops,
                             .option_length = sizeof nops};
        if (ms % 10 == 0) {
            put_fragment(&siege, &honest, (uint16_t)sent, 0, 24);
        }
        for (unsigned i = 0; i < PER_MS; i++) {
            struct raw raw = {.from = from != 0 ? from : stranger(&seed), .flags = ACK, .length = 200};
            if (i == between && ms % 10 == 0) {
                put_fragment(&siege, &honest, (uint16_t)sent++, 24, 2048);
            }
            put_fragment(&siege, &raw, (uint16_t)rig_random(&seed), 0, 8 * (1 + rig_random(&seed) % 20));
        }
        siege_run(&siege, MS);
        struct estab_memory memory = siege_memory(&siege);
        assert_int_equal(memory.fixed, fixed);
        assert_true(memory.blocks_used <= 4 * SIEGE_CLIENTS * 4);
    }
    siege_finish(&siege);
    assert_int_equal(siege.failed, 0);
    assert_true(whole * 10 >= sent * 9 && whole <= sent);
    assert_true(sent >= SECONDS * 100);
    assert_true(config.max_connections == 256 && fixed <= ((size_t)4 << 20));
    siege_stop(&siege);
}

/* V-08: a source cannot take the slots of others, however many fragments it sends. */
static void v08_fragments_of_one_source_leave_others_whole(void **state)
{
    (void)state;
    fragment_flood(0xac100005, PER_MS - 1);
}

/* V-08: from a source of its own each: the oldest goes, and what comes together is put together. */
static void v08_fragments_of_many_sources_leave_others_whole(void **state)
{
    (void)state;
    fragment_flood(0, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v34_syn_flood_with_cookies_once_the_cache_is_full),
        cmocka_unit_test(v34_syn_flood_with_cookies_always),
        cmocka_unit_test(v35_syn_flood_without_cookies_is_not_amplified),
        cmocka_unit_test(v35_one_syn_brings_at_most_four_packets),
        cmocka_unit_test(v35_no_answer_to_many),
        cmocka_unit_test(v42_segments_for_no_connection_leave_the_others_alone),
        cmocka_unit_test(v08_fragments_of_one_source_leave_others_whole),
        cmocka_unit_test(v08_fragments_of_many_sources_leave_others_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
