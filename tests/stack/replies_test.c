/*
 * Replies that have no connection behind them and meet a link whose neighbour is not known yet: SYN,ACKs of
 * the SYN cache, SYN cookies, RSTs (RFC 1122 2.3.2.2: the link layer should keep the latest packets for an
 * address that it asks for). A few wait for the answer; what is too much, or gets no answer, is dropped.
 */
#include "attack/victim.h"

#include "stack/stack.h"

enum { TCP_AT = ETHERNET_BYTES + 20, ARP_AT = ETHERNET_BYTES };

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

static void assert_syn_ack_to(struct victim *v, uint8_t host)
{
    assert_true(victim_sends(v));
    assert_int_equal(get16(v->out + 12), 0x0800);
    assert_int_equal(v->out[ETHERNET_BYTES + 19], host);
    assert_int_equal(v->out[TCP_AT + 13], V_SYN | V_ACK);
    assert_memory_equal(v->out, peer_mac, 6);
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

/* Once, at once, and with nothing more to pull while the neighbour is silent. */
static void first_syn_ack_waits_for_its_neighbour(void **state)
{
    (void)state;
    for (unsigned cookies = 0; cookies < 2; cookies++) {
        struct estab_config config;
        victim_config(&config);
        config.cookies = cookies ? &estab_syn_cookies_always : NULL;
        struct victim *v = victim_create(&config, true, 0);
        victim_drain(v);
        syn_from(v, 77);
        assert_asks_for(v, 77);
        assert_false(victim_sends(v));
        assert_false(estab_pull_pending(v->stack));
        neighbour_answers(v, 77);
        assert_true(estab_pull_pending(v->stack));
        assert_syn_ack_to(v, 77);
        assert_false(victim_sends(v));
        assert_int_equal(lost(v), 0);
        victim_stop(v);
    }
}

/* The latest few wait; those before them are lost, which is counted. */
static void only_a_few_replies_wait(void **state)
{
    (void)state;
    struct estab_config config;
    victim_config(&config);
    struct victim *v = victim_create(&config, true, 0);
    victim_drain(v);
    for (uint8_t i = 0; i < REPLIES_WAITING + 2; i++) {
        syn_from(v, (uint8_t)(70 + i));
        assert_asks_for(v, (uint8_t)(70 + i));
        assert_false(victim_sends(v));
    }
    assert_int_equal(lost(v), 2);
    for (uint8_t i = 0; i < REPLIES_WAITING + 2; i++) {
        neighbour_answers(v, (uint8_t)(70 + i));
        if (i >= 2) {
            assert_syn_ack_to(v, (uint8_t)(70 + i));
        }
        assert_false(victim_sends(v));
    }
    assert_int_equal(lost(v), 2);
    victim_stop(v);
}

/* A neighbour that never answers: nothing is kept, and nobody is asked for on account of what waited. */
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
        cmocka_unit_test(first_syn_ack_waits_for_its_neighbour),
        cmocka_unit_test(only_a_few_replies_wait),
        cmocka_unit_test(silent_neighbour_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
