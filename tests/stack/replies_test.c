/*
 * Replies that have no connection behind them and meet a link whose neighbour is not known yet: SYN,ACKs of
 * the SYN cache, SYN cookies, RSTs. The neighbour is asked for at once.
 */
#include "attack/victim.h"

enum { ARP_AT = ETHERNET_BYTES };

/* A SYN from 10.9.0.`host`, in a frame. */
static void syn_from(struct victim *v, uint8_t host)
{
    uint8_t frame[128];
    size_t at = put_ethernet(frame, 0x0800);
    size_t length = put_segment(frame + at, false, V_SYN, VICTIM_ISN, 0);
    uint8_t *ip = frame + at;
    uint8_t *tcp = ip + 20;
    ip[15] = host;
    seal_ipv4(ip);
    put16(tcp + 16, 0);
    put16(tcp + 16, ~sum_bytes(tcp, 20, sum_bytes(ip + 12, 8, V_TCP + 20)) & 0xffff);
    victim_input(v, frame, at + length);
}

static void assert_asks_for(struct victim *v, uint8_t host)
{
    assert_true(victim_sends(v));
    assert_int_equal(get16(v->out + 12), 0x0806);
    assert_int_equal(v->out[ARP_AT + 27], host);
}

static void neighbour_answers(struct victim *v, uint8_t host)
{
    struct estab_addr address = victim_address(false, host, 0);
    assert_int_equal(estab_neighbour_add(v->stack, v->now, 1, &address, peer_mac), 0);
}

static uint64_t lost(const struct victim *v)
{
    return victim_counters(v).drops[ESTAB_DROP_NEIGHBOUR_UNKNOWN];
}

/* The question goes out in the same call; a neighbour that never answers leaves nothing behind. */
static void silent_neighbour_ends_the_wait(void **state)
{
    (void)state;
    struct estab_config config;
    victim_config(&config);
    config.cookies = &estab_syn_cookies_always; /* no timer sends it again */
    struct victim *v = victim_create(&config, true, 0);
    victim_drain(v);
    syn_from(v, 77);
    assert_asks_for(v, 77);
    for (unsigned i = 0; i < 10; i++) {
        victim_wait(v, VICTIM_SECOND);
    }
    assert_int_equal(lost(v), 1);
    neighbour_answers(v, 77);
    assert_false(victim_sends(v));
    victim_stop(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_neighbour_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
