/*
 * Answers about neighbours (RFC 826, RFC 4861 7.2.5, 6.1.2; O-34) while somebody is being asked for: an open
 * connection waits for the neighbour, so that what is believed shows at once, as a SYN that goes out. What
 * nobody asked for, what is no answer, and what names a group or ourselves is not believed, and router
 * advertisements neither move a route to a group's address nor make the stack wake up for nothing.
 */
#include "attack/victim.h"

#include "wire/icmp.h"

static const uint8_t third_mac[6] = {2, 0, 0, 0, 0, 7};

/* An Ethernet stack that asks for .7 on its link, for a connection of ours. */
static struct victim *asking(bool v6)
{
    struct victim *v = victim_start(true);
    struct estab_addr third = victim_address(v6, 7, 5000);
    estab_conn conn;
    assert_int_equal(estab_open(v->stack, &conn), 0);
    assert_int_equal(estab_connect(v->stack, v->now, conn, &third), 0);
    assert_int_equal(victim_drain(v), 1); /* the question */
    return v;
}

/* Whether the connection's SYN went out, to the neighbour's MAC address. */
static bool believed(struct victim *v)
{
    bool any = false;
    while (victim_sends(v)) {
        bool v6 = get16(v->out + 12) == 0x86dd;
        bool tcp = (v6 && v->out[20] == V_TCP) || (get16(v->out + 12) == 0x0800 && v->out[23] == V_TCP);
        assert_true(!tcp || memcmp(v->out, third_mac, 6) == 0);
        any |= tcp;
    }
    return any;
}

static void put_arp_of(uint8_t *frame, unsigned operation, const struct estab_addr *sender)
{
    static const uint8_t fixed[6] = {0, 1, 8, 0, 6, 4};
    put_ethernet(frame, 0x0806);
    memcpy(frame + 6, third_mac, 6);
    memset(frame + 14, 0, 28);
    memcpy(frame + 14, fixed, 6);
    put16(frame + 20, operation);
    memcpy(frame + 22, third_mac, 6);
    memcpy(frame + 28, sender->ip + 12, 4);
    memcpy(frame + 32, victim_mac, 6);
    memcpy(frame + 38, victim_address(false, 2, 0).ip + 12, 4);
}

/* V-10: an answer resolves, whether it names our address or, as one to a probe, none; nothing else does. */
static void v10_only_an_arp_answer_answers(void **state)
{
    (void)state;
    struct estab_addr third = victim_address(false, 7, 0);
    for (unsigned operation = 0; operation < 12; operation++) {
        uint8_t frame[42];
        struct victim *v = asking(false);
        put_arp_of(frame, operation, &third);
        victim_input(v, frame, sizeof frame);
        assert_int_equal(believed(v),
                         operation == 1 || operation == 2); /* a question to us tells it as well */
        victim_stop(v);
    }
    for (unsigned target = 0; target < 3; target++) { /* us, nobody, somebody */
        uint8_t frame[42];
        struct victim *v = asking(false);
        put_arp_of(frame, 2, &third);
        put32(frame + 38, target == 0 ? 0x0a090002u : target == 1 ? 0 : 0x0a090009u);
        victim_input(v, frame, sizeof frame);
        assert_int_equal(believed(v), target < 2);
        victim_stop(v);
    }
}

/* V-10: with a route that puts everybody on the link, still nobody is learnt who cannot be. */
static void v10_senders_of_arp_that_cannot_be(void **state)
{
    (void)state;
    static const uint32_t senders[] = {0x7f000001, 0xe0000001, 0xffffffff,
                                       0x0a090002, 0x0a0900ff, 0x00010203};
    struct victim *v = victim_start(true);
    struct estab_addr any = estab_addr_ipv4(0, 0, 0, 0, 0);
    assert_int_equal(estab_route_add(v->stack, 1, &any, 0, NULL), 0);
    for (unsigned i = 0; i < sizeof senders / sizeof senders[0]; i++) {
        uint8_t frame[42];
        struct estab_addr sender = {.port = 0};
        put32(sender.ip + 12, senders[i]);
        put_arp_of(frame, 1, &sender);
        victim_input(v, frame, sizeof frame);
        assert_int_equal(v->drop, ESTAB_DROP_ARP);
        assert_int_equal(victim_drain(v), 0);
    }
    victim_stop(v);
}

/* An advertisement of a neighbour, or of a router, with these options. */
struct advertisement {
    unsigned type;
    uint32_t rest;                                /* flags, or hop limit and lifetime */
    const uint8_t *source, *destination, *target; /* NULL: .7, us, .7 */
    uint8_t options[32];
    size_t length;
};

static void advertise(struct victim *v, const struct advertisement *a)
{
    uint8_t frame[160];
    struct estab_addr third = victim_address(true, 7, 0);
    size_t at = put_ethernet(frame, 0x86dd);
    uint8_t *ip = frame + at;
    memcpy(frame + 6, third_mac, 6);
    size_t body = 8 + (a->type == 136 ? 16 : a->type == 134 ? 8 : 0);
    put_ipv6(ip, V_ICMPV6, body + a->length);
    memcpy(ip + 8, a->source != NULL ? a->source : third.ip, 16);
    memcpy(ip + 24, a->destination != NULL ? a->destination : victim_address(true, 2, 0).ip, 16);
    uint8_t *icmp = ip + 40;
    memset(icmp, 0, body);
    icmp[0] = (uint8_t)a->type;
    put32(icmp + 4, a->rest);
    if (a->type == 136) {
        memcpy(icmp + 8, a->target != NULL ? a->target : third.ip, 16);
    }
    memcpy(icmp + body, a->options, a->length);
    uint32_t sum = sum_bytes(ip + 8, 32, V_ICMPV6 + (uint32_t)(body + a->length));
    put16(icmp + 2, ~sum_bytes(icmp, body + a->length, sum) & 0xffff);
    victim_input(v, frame, at + 40 + body + a->length);
}

#define SOLICITED 0x60000000u
static const uint8_t everybody[16] = {0xff, 2, [15] = 1};
static const uint8_t nobody[16] = {0};

static struct advertisement answer_of_third(void)
{
    struct advertisement a = {.type = 136, .rest = SOLICITED, .options = {2, 1}, .length = 8};
    memcpy(a.options + 2, third_mac, 6);
    return a;
}

/* V-10: a neighbour advertisement answers if it was asked for, names one station, and says where it is. */
static void v10_only_a_solicited_advertisement_answers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct advertisement a = answer_of_third();
        struct victim *v = asking(true);
        a.length = i == 1 ? 0 : a.length;          /* without the option */
        a.options[2] = i == 2 ? 3 : a.options[2];  /* at a group */
        a.destination = i == 3 ? everybody : NULL; /* solicited and to all */
        a.rest = i == 4 ? 0 : a.rest;
        a.options[0] = i == 5 ? 1 : a.options[0]; /* the option of a question */
        advertise(v, &a);
        assert_int_equal(believed(v), i == 0);
        assert_true(i == 0 || v->drop == ESTAB_DROP_ARP);
        victim_stop(v);
    }
}

/*
 * V-10: what a known neighbour tells all is heard; in its name nobody without an address, and nobody in ours.
 */
static void v10_advertisements_to_all(void **state)
{
    (void)state;
    struct victim *v = asking(true);
    struct advertisement a = answer_of_third();
    advertise(v, &a);
    assert_true(believed(v));
    a.rest = 0x20000000;
    a.destination = everybody;
    advertise(v, &a);
    assert_int_equal(v->drop, ESTAB_DROP_NONE);
    a.source = nobody;
    advertise(v, &a);
    assert_int_equal(v->drop, ESTAB_DROP_ARP);
    a.source = NULL;
    struct estab_addr third = victim_address(true, 7, 0);
    assert_int_equal(estab_address_add(v->stack, v->now, 1, &third, 64), 0); /* now it is ours */
    struct estab_addr peer = victim_address(true, 1, 0);
    a.source = peer.ip;
    advertise(v, &a);
    assert_int_equal(v->drop, ESTAB_DROP_ARP);
    victim_stop(v);
}

/* V-10: an address that has become ours answers for nobody else's neighbour. */
static void v10_an_arp_answer_in_our_name(void **state)
{
    (void)state;
    uint8_t frame[42];
    struct estab_addr third = victim_address(false, 7, 0);
    struct victim *v = asking(false);
    put_arp_of(frame, 2, &third);
    victim_input(v, frame, sizeof frame);
    assert_true(believed(v));
    victim_input(v, frame, sizeof frame);
    assert_int_equal(v->drop, ESTAB_DROP_NONE);
    assert_int_equal(estab_address_add(v->stack, v->now, 1, &third, 24), 0);
    victim_input(v, frame, sizeof frame);
    assert_int_equal(v->drop, ESTAB_DROP_ARP);
    victim_stop(v);
}

/* V-10: questions that nobody fetches the answers of are bounded: dropped and counted. */
static void v10_answers_that_find_no_room_are_counted(void **state)
{
    (void)state;
    struct victim *v = victim_start(true);
    for (unsigned i = 0; i < 100; i++) {
        struct estab_addr us = victim_address(true, 2, 0);
        uint8_t frame[160];
        size_t at = put_ethernet(frame, 0x86dd);
        at += put_ipv6(frame + at, V_ICMPV6, 24);
        memset(frame + at, 0, 24);
        frame[at] = 135;
        memcpy(frame + at + 8, us.ip, 16);
        seal_icmp(frame + at, 24, true);
        victim_input(v, frame, at + 24);
    }
    unsigned answers = victim_drain(v);
    assert_true(answers > 0 && answers < 100);
    assert_int_equal(victim_counters(v).drops[ESTAB_DROP_REPLY_QUEUE], 100 - answers);
    victim_stop(v);
}

/* ---- routers ---- */

static const uint8_t router[16] = {0xfe, 0x80, [15] = 0x99};

/* A SYN to somebody far away: true where it went to `mac`; false where the router is asked for. */
static bool goes_to(struct victim *v, const uint8_t mac[6])
{
    struct estab_addr far = {.ip = {0x20, 1, [15] = 1}, .port = 99};
    estab_conn conn;
    assert_int_equal(estab_open(v->stack, &conn), 0);
    int result = estab_connect(v->stack, v->now, conn, &far);
    bool sent = false;
    while (result == 0 && victim_sends(v)) {
        bool tcp = get16(v->out + 12) == 0x86dd && v->out[20] == V_TCP;
        assert_true(!tcp || (v->out[0] & 1) == 0);
        sent |= tcp && memcmp(v->out, mac, 6) == 0;
    }
    (void)estab_abort(v->stack, v->now, conn);
    return sent;
}

/* V-10: a router is taken from its link-local address alone, and never at the address of a group. */
static void v10_routers_that_cannot_be(void **state)
{
    (void)state;
    struct advertisement a = {.type = 134, .rest = 0x40000708, .source = router, .destination = everybody};
    a.options[0] = 1;
    a.options[1] = 1;
    memcpy(a.options + 2, third_mac, 6);
    a.length = 8;
    struct victim *v = victim_start(true);
    assert_false(goes_to(v, third_mac));
    a.source = NULL; /* .7: no address of this link only */
    advertise(v, &a);
    assert_int_equal(v->drop, ESTAB_DROP_ARP);
    assert_false(goes_to(v, third_mac));
    a.source = router;
    a.options[2] = 3;
    advertise(v, &a);
    assert_int_equal(v->drop, ESTAB_DROP_NONE);
    assert_false(goes_to(v, third_mac)); /* it is asked for */
    a.options[2] = 2;
    advertise(v, &a);
    assert_true(goes_to(v, third_mac));
    victim_stop(v);
}

/* V-10, V-51: a router that withdraws leaves no deadline behind that is due at once. */
static void v10_a_router_that_withdraws(void **state)
{
    (void)state;
    struct advertisement a = {.type = 134, .rest = 0x40000708, .source = router, .destination = everybody};
    struct victim *v = victim_start(true);
    for (unsigned i = 0; i < 40; i++) { /* nobody is asked for any more */
        victim_wait(v, VICTIM_SECOND);
    }
    advertise(v, &a);
    assert_true(estab_next_deadline(v->stack) > v->now);
    a.rest = 0x40000000;
    advertise(v, &a);
    assert_true(estab_next_deadline(v->stack) > v->now);
    victim_stop(v);
}

/* V-10: solicitations of routers are heard as discovery, and are not for us. */
static void v10_router_solicitations_are_not_for_hosts(void **state)
{
    (void)state;
    struct advertisement a = {.type = 133, .source = router};
    struct victim *v = victim_start(true);
    uint64_t before = victim_counters(v).neighbour_in;
    advertise(v, &a);
    assert_int_equal(v->drop, ESTAB_DROP_ARP);
    assert_int_equal(victim_counters(v).neighbour_in, before + 1);
    victim_stop(v);
}

/* V-10: each option is what its kind and its length say together, and nothing by one of them alone. */
static void v10_options_of_advertisements(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        uint8_t body[8 + 32] = {0};
        struct icmp_message message = {.kind = NDP_ROUTER_ADVERTISEMENT, .body = body};
        struct ndp_message ndp;
        body[8] = (uint8_t)kind;
        body[9] = 1;
        put32(body + 12, 1400);
        message.body_length = 16;
        assert_true(ndp_parse(&message, &ndp));
        assert_int_equal(ndp.has_link_address, kind == 1);
        assert_int_equal(ndp.mtu, kind == 5 ? 1400 : 0);
        assert_false(ndp.has_prefix);
        body[9] = 4;
        body[10] = 64;
        body[24] = 0x20;
        message.body_length = 40;
        assert_true(ndp_parse(&message, &ndp));
        assert_int_equal(ndp.has_prefix, kind == 3);
        assert_int_equal(ndp.mtu, 0);
        assert_false(ndp.has_link_address);
        body[24] = 0; /* ::ffff:0:0, which would pass for IPv4 */
        body[34] = body[35] = 0xff;
        assert_true(ndp_parse(&message, &ndp));
        assert_false(ndp.has_prefix);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v10_only_an_arp_answer_answers),
        cmocka_unit_test(v10_senders_of_arp_that_cannot_be),
        cmocka_unit_test(v10_only_a_solicited_advertisement_answers),
        cmocka_unit_test(v10_advertisements_to_all),
        cmocka_unit_test(v10_an_arp_answer_in_our_name),
        cmocka_unit_test(v10_answers_that_find_no_room_are_counted),
        cmocka_unit_test(v10_routers_that_cannot_be),
        cmocka_unit_test(v10_a_router_that_withdraws),
        cmocka_unit_test(v10_router_solicitations_are_not_for_hosts),
        cmocka_unit_test(v10_options_of_advertisements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
