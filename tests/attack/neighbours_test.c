/*
 * A scan of a whole network from within (RFC 6583, RFC 4861, RFC 826): row V-50. 100,000 packets a second
 * come from addresses on the link that nobody has, each of which would want a neighbour. The table keeps to
 * its cap, those that are asked for to half of it, a packet brings one question at most, and the neighbour
 * that the users are is kept throughout: none of their connections fails.
 */
#include "ip/host.h"
#include "sim/bytes.h"
#include "stack/stack.h"
#include "support/siege.h"

#define SECONDS    (ESTAB_TEST_SLOW ? 1u : 3u)
#define PER_MS     100u
#define NEIGHBOURS 64u

/* A SYN from fd09::x to fd09::2. */
static void put_v6(struct siege *siege, uint32_t x)
{
    uint8_t p[60] = {0x60, 0, 0, 0, 0, 20, 6, 64, 0xfd, 9};
    p[24] = 0xfd;
    p[25] = 9;
    p[39] = 2;
    put32(p + 16, x * 2654435761u);
    put32(p + 20, x);
    put16(p + 40, 7);
    put16(p + 42, SIEGE_PORT);
    p[52] = 5 << 4;
    p[53] = SYN;
    put16(p + 56, ~sum_bytes(p + 8, 52, 20 + 6) & 0xffff);
    siege_put_bytes(siege, p, sizeof p);
}

static void put_v4(struct siege *siege, uint32_t x)
{
    siege_put(siege,
              &(struct raw){.from = 0x0a100000u + (x & 0xfffff), .from_port = 7, .flags = SYN, .wnd = 9});
}

/* What stands in the table, and what is asked for. */
static void check_table(const struct siege *siege)
{
    const struct neighbours *n = ((const struct estab_stack *)siege->stack[1])->ip->neighbours;
    uint32_t used = 0;
    for (unsigned i = 0; i < NEIGHBOUR_LISTS; i++) {
        used += i == NEIGHBOUR_FREE ? 0 : n->lists[i].count;
    }
    assert_true(used <= NEIGHBOURS);
    assert_true(n->lists[NEIGHBOUR_INCOMPLETE].count <= NEIGHBOURS / 2);
    struct ip_addr users = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 0, 1}};
    uint32_t interface = (uint32_t)siege->pipe.end[1].interface;
    assert_true(neighbour_find(((const struct estab_stack *)siege->stack[1])->ip, interface, &users) !=
                IP_NO_NEIGHBOUR);
}

/* V-50 */
static void scan(void (*put)(struct siege *siege, uint32_t x), const struct estab_cookies *cookies)
{
    struct siege siege;
    struct estab_config config;
    estab_config_init(&config);
    config.max_connections = 256;
    config.max_half_open = 1024;
    config.max_neighbours = NEIGHBOURS;
    config.cookies = cookies;
    siege_start_ethernet(&siege, &config, (size_t)4 << 20);
    siege_run(&siege, SECOND);
    uint64_t done = siege.done;
    uint32_t x = 3;
    size_t fixed = siege_memory(&siege).fixed;
    assert_true(done > 0);
    for (unsigned ms = 0; ms < SECONDS * 1000; ms++) {
        for (unsigned i = 0; i < PER_MS; i++) {
            put(&siege, x++);
        }
        siege_run(&siege, MS);
        check_table(&siege);
    }
    siege_finish(&siege);
    assert_int_equal(siege.failed, 0);
    assert_true(siege.done - done >= SECONDS * done * 9 / 10);
    assert_int_equal(siege_memory(&siege).fixed, fixed);
    assert_true(siege.questions > 0);
    assert_true(siege.questions <= siege.attack_in); /* never more than one for a packet */
    siege_stop(&siege);
}

/* V-50: with the handshakes remembered, and by cookie. */
static void v50_scan_by_ipv4_keeps_the_neighbours(void **state)
{
    (void)state;
    scan(put_v4, &estab_syn_cookies);
    scan(put_v4, &estab_syn_cookies_always);
}

/* V-50, RFC 6583: a /64. */
static void v50_scan_by_ipv6_keeps_the_neighbours(void **state)
{
    (void)state;
    scan(put_v6, &estab_syn_cookies);
    scan(put_v6, &estab_syn_cookies_always);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v50_scan_by_ipv4_keeps_the_neighbours),
        cmocka_unit_test(v50_scan_by_ipv6_keeps_the_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
