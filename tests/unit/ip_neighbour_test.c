/*
 * ARP and IPv6 neighbour discovery packet by packet, and nothing else sent: questions, answers, time, and
 * what is not believed (O-34, V-10); the bounds of the neighbour table (V-50).
 */
#include "ip_fixture.h"

#include "ip/host.h"

#define PEER_IP v4(10, 9, 0, 1)

/* Our link-local address, by RFC 4291 appendix A from 02:00:00:00:00:01. */
static const struct ip_addr our_local = {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1}};

static struct fixture *quiet(void)
{
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, true);
    tick_to(f, f->now);
    assert_true(pull(f)); /* the router solicitation */
    tick_to(f, f->now + 4 * SECOND);
    assert_true(pull(f));
    tick_to(f, f->now + 4 * SECOND);
    assert_true(pull(f));
    assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
    expect_silence(f);
    return f;
}

/* ---- ARP ---- */

static size_t arp_frame(uint8_t *out, unsigned operation, const struct mac_addr *mac, const uint8_t from[4],
                        const uint8_t to[4])
{
    struct arp_packet arp = {.operation = (uint16_t)operation, .sender_mac = *mac};
    memcpy(arp.sender_ip, from, 4);
    memcpy(arp.target_ip, to, 4);
    arp_write(out + ETHERNET_HEADER, &arp);
    ethernet_write(out, operation == ARP_REPLY ? &OUR_MAC : &BROADCAST_MAC, mac, ETHERTYPE_ARP);
    return ETHERNET_HEADER + ARP_LENGTH;
}

static const uint8_t us[4] = {10, 9, 0, 2};
static const uint8_t peer[4] = {10, 9, 0, 1};
static const uint8_t third[4] = {10, 9, 0, 3};
static const uint8_t zero[4] = {0};

static void expect_arp(struct fixture *f, const struct mac_addr *to, unsigned operation,
                       const uint8_t target[4])
{
    struct arp_packet arp;
    assert_true(pull(f));
    assert_int_equal(f->pulled.length, ETHERNET_HEADER + ARP_LENGTH);
    assert_int_equal(f->pulled.reason, ESTAB_REASON_NEIGHBOUR);
    assert_int_equal(f->pulled.interface, 1);
    assert_memory_equal(f->out, to->b, 6);
    assert_memory_equal(f->out + 6, OUR_MAC.b, 6);
    assert_int_equal(get_be16(f->out + 12), ETHERTYPE_ARP);
    assert_true(arp_parse(f->out + ETHERNET_HEADER, ARP_LENGTH, &arp));
    assert_int_equal(arp.operation, operation);
    assert_true(mac_eq(&arp.sender_mac, &OUR_MAC));
    assert_memory_equal(arp.sender_ip, us, 4);
    assert_memory_equal(arp.target_ip, target, 4);
    expect_silence(f);
}

static enum ip_path_state resolve(struct fixture *f, const struct ip_path *path)
{
    enum ip_path_state result = ip_path_resolve(f->ip, f->now, path);
    fixture_check(f);
    return result;
}

static void expect_next_hop(struct fixture *f, const struct ip_path *path, const struct mac_addr *mac)
{
    uint8_t out[64];
    struct ip_header_fields fields = {
        .source = v4(10, 9, 0, 2), .destination = PEER_IP, .payload_length = 20};
    ip_path_write(f->ip, path, &fields, out);
    assert_memory_equal(out, mac->b, 6);
}

static void arp_request_for_us_is_answered_and_its_sender_learnt(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[64];
    struct ip_addr to = PEER_IP;
    assert_int_equal(put(f, 1, out, arp_frame(out, ARP_REQUEST, &PEER_MAC, peer, us))->drop, ESTAB_DROP_NONE);
    expect_arp(f, &PEER_MAC, ARP_REPLY, peer);
    struct ip_path path = path_to(f, &to);
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    expect_next_hop(f, &path, &PEER_MAC);
    expect_silence(f);
    assert_int_equal(f->counters.neighbour_in, 1);
    assert_int_equal(f->counters.neighbour_out, 4);
    fixture_destroy(f);
}

static void arp_request_for_others_changes_nothing(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[64];
    struct ip_addr to = PEER_IP;
    assert_int_equal(put(f, 1, out, arp_frame(out, ARP_REQUEST, &PEER_MAC, peer, third))->drop,
                     ESTAB_DROP_NONE);
    assert_int_equal(put(f, 1, out, arp_frame(out, ARP_REQUEST, &PEER_MAC, peer, peer))->drop,
                     ESTAB_DROP_NONE);
    expect_silence(f);
    struct ip_path path = path_to(f, &to);
    assert_int_equal(resolve(f, &path), IP_PATH_WAIT);
    fixture_destroy(f);
}

static void arp_probe_is_answered_and_nobody_learnt(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[64];
    assert_int_equal(put(f, 1, out, arp_frame(out, ARP_REQUEST, &PEER_MAC, zero, us))->drop, ESTAB_DROP_NONE);
    expect_arp(f, &PEER_MAC, ARP_REPLY, zero);
    struct ip_addr nobody = v4(0, 0, 0, 0);
    assert_int_equal(neighbour_find(f->ip, 1, &nobody), IP_NO_NEIGHBOUR);
    fixture_destroy(f);
}

static void arp_question_and_answer_make_a_path_ready(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[64];
    struct ip_addr to = PEER_IP;
    struct ip_path path = path_to(f, &to);
    assert_int_equal(resolve(f, &path), IP_PATH_WAIT);
    expect_arp(f, &BROADCAST_MAC, ARP_REQUEST, peer);
    assert_false(ip_take_settled(f->ip));
    assert_int_equal(put(f, 1, out, arp_frame(out, ARP_REPLY, &PEER_MAC, peer, us))->drop, ESTAB_DROP_NONE);
    assert_true(ip_take_settled(f->ip));
    assert_false(ip_take_settled(f->ip));
    assert_true(ip_path_valid(f->ip, &path));
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    expect_next_hop(f, &path, &PEER_MAC);
    expect_silence(f);
    assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
    fixture_destroy(f);
}

static void arp_without_answer_fails_after_three_tries(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    struct ip_addr to = PEER_IP;
    struct ip_path path = path_to(f, &to);
    for (unsigned try = 0; try < 3; try++) {
        expect_arp(f, &BROADCAST_MAC, ARP_REQUEST, peer);
        assert_int_equal(ip_next_deadline(f->ip), f->now + SECOND);
        tick_to(f, f->now + SECOND - 1);
        expect_silence(f);
        assert_int_equal(resolve(f, &path), IP_PATH_WAIT);
        assert_false(ip_take_settled(f->ip));
        tick_to(f, f->now + 1);
    }
    expect_silence(f);
    assert_true(ip_take_settled(f->ip));
    assert_int_equal(f->counters.neighbour_failures, 1);
    assert_int_equal(resolve(f, &path), IP_PATH_FAILED);
    assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
    f->now += SECOND; /* asked for again later, it is asked for again */
    assert_int_equal(resolve(f, &path), IP_PATH_WAIT);
    expect_arp(f, &BROADCAST_MAC, ARP_REQUEST, peer);
    fixture_destroy(f);
}

static void arp_answers_that_nobody_asked_for_create_nothing(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[64];
    struct ip_addr to = PEER_IP;
    expect_drop(f, out, arp_frame(out, ARP_REPLY, &PEER_MAC, peer, us), ESTAB_DROP_ARP);
    expect_drop(f, out, arp_frame(out, ARP_REPLY, &PEER_MAC, us, us), ESTAB_DROP_ARP); /* our address */
    expect_drop(f, out, arp_frame(out, ARP_REQUEST, &PEER_MAC, us, us), ESTAB_DROP_ARP);
    expect_drop(f, out, arp_frame(out, 3, &PEER_MAC, peer, us), ESTAB_DROP_ARP);
    static const uint8_t far[4] = {192, 0, 2, 1};
    expect_drop(f, out, arp_frame(out, ARP_REQUEST, &PEER_MAC, far, us),
                ESTAB_DROP_ARP); /* not on this link */
    static const uint8_t loop[4] = {127, 0, 0, 1};
    expect_drop(f, out, arp_frame(out, ARP_REQUEST, &PEER_MAC, loop, us), ESTAB_DROP_ARP);
    static const uint8_t all[4] = {10, 9, 0, 255};
    expect_drop(f, out, arp_frame(out, ARP_REQUEST, &PEER_MAC, all, us), ESTAB_DROP_ARP);
    size_t length = arp_frame(out, ARP_REQUEST, &PEER_MAC, peer, us);
    out[ETHERNET_HEADER + 8] |= 1; /* a group as the sender's hardware address */
    expect_drop(f, out, length, ESTAB_DROP_ARP);
    expect_silence(f);
    struct ip_path path = path_to(f, &to);
    assert_int_equal(resolve(f, &path), IP_PATH_WAIT);
    fixture_destroy(f);
}

/* A path to the peer, resolved. */
static struct ip_path resolved(struct fixture *f)
{
    uint8_t out[64];
    struct ip_addr to = PEER_IP;
    struct ip_path path = path_to(f, &to);
    assert_true(pull(f));
    (void)put(f, 1, out, arp_frame(out, ARP_REPLY, &PEER_MAC, peer, us));
    assert_true(ip_take_settled(f->ip));
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    return path;
}

static void arp_claim_of_another_address_is_checked_not_believed(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[64];
    struct ip_path path = resolved(f);
    expect_drop(f, out, arp_frame(out, ARP_REPLY, &OTHER_MAC, peer, us), ESTAB_DROP_ARP);
    (void)put(f, 1, out, arp_frame(out, ARP_REQUEST, &OTHER_MAC, peer, peer));
    expect_next_hop(f, &path, &PEER_MAC);
    expect_silence(f); /* it was confirmed less than a second ago */
    f->now += SECOND;
    (void)put(f, 1, out, arp_frame(out, ARP_REQUEST, &OTHER_MAC, peer, peer));
    expect_next_hop(f, &path, &PEER_MAC);
    expect_arp(f, &BROADCAST_MAC, ARP_REQUEST, peer);
    (void)put(f, 1, out, arp_frame(out, ARP_REQUEST, &OTHER_MAC, peer, peer));
    expect_silence(f);                                                     /* one question is enough */
    (void)put(f, 1, out, arp_frame(out, ARP_REPLY, &OTHER_MAC, peer, us)); /* the owner has moved */
    expect_next_hop(f, &path, &OTHER_MAC);
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    fixture_destroy(f);
}

static void static_neighbour_is_never_overwritten(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[64];
    struct ip_addr to = PEER_IP;
    assert_int_equal(ip_neighbour_add(f->ip, 1, &to, &PEER_MAC), 0);
    struct ip_path path = path_to(f, &to);
    (void)put(f, 1, out, arp_frame(out, ARP_REPLY, &OTHER_MAC, peer, us));
    (void)put(f, 1, out, arp_frame(out, ARP_REQUEST, &OTHER_MAC, peer, us));
    expect_arp(f, &OTHER_MAC, ARP_REPLY, peer);
    f->now += 1000 * SECOND;
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    expect_next_hop(f, &path, &PEER_MAC);
    assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
    fixture_destroy(f);
}

static void static_neighbour_settles_who_waits_for_it(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    struct ip_addr to = PEER_IP;
    struct ip_path path = path_to(f, &to);
    assert_int_equal(ip_neighbour_add(f->ip, 1, &to, &PEER_MAC), 0);
    assert_true(ip_take_settled(f->ip));
    assert_true(ip_path_valid(f->ip, &path));
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    fixture_destroy(f);
}

static void used_neighbour_is_probed_when_nobody_confirms_it(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    struct ip_path path = resolved(f);
    f->now += 30 * SECOND - 1;
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
    f->now += 1;
    assert_int_equal(resolve(f, &path), IP_PATH_READY); /* no longer sure: five seconds for TCP to say so */
    assert_int_equal(ip_next_deadline(f->ip), f->now + 5 * SECOND);
    tick_to(f, f->now + 5 * SECOND);
    expect_arp(f, &PEER_MAC, ARP_REQUEST, peer); /* to itself first */
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    tick_to(f, f->now + SECOND);
    expect_arp(f, &BROADCAST_MAC, ARP_REQUEST, peer);
    tick_to(f, f->now + SECOND);
    expect_arp(f, &BROADCAST_MAC, ARP_REQUEST, peer);
    tick_to(f, f->now + SECOND);
    expect_silence(f);
    assert_int_equal(resolve(f, &path), IP_PATH_FAILED);
    assert_int_equal(f->counters.neighbour_failures, 1);
    fixture_destroy(f);
}

static void neighbour_confirmed_by_tcp_is_not_asked_again(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    struct ip_path path = resolved(f);
    for (unsigned i = 0; i < 20; i++) {
        f->now += 20 * SECOND;
        ip_path_confirm(f->ip, f->now, &path);
        assert_int_equal(resolve(f, &path), IP_PATH_READY);
        assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
    }
    f->now += 31 * SECOND;
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    ip_path_confirm(f->ip, f->now, &path); /* also in the last moment */
    assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
    expect_silence(f);
    fixture_destroy(f);
}

static void v10_frames_of_every_length_are_survived(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[64] = {0};
    (void)arp_frame(out, ARP_REQUEST, &PEER_MAC, peer, us);
    for (size_t length = 0; length <= 60; length++) {
        struct ip_received *r = put(f, 1, out, length);
        enum estab_drop short_frame = length < ETHERNET_HEADER ? ESTAB_DROP_LINK_HEADER : ESTAB_DROP_ARP;
        assert_int_equal(r->drop, length < ETHERNET_HEADER + ARP_LENGTH ? short_frame : ESTAB_DROP_NONE);
        assert_int_equal(pull(f), length >= ETHERNET_HEADER + ARP_LENGTH);
    }
    fixture_destroy(f);
}

static void arp_answers_are_bounded(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[64];
    unsigned queued = 0;
    for (unsigned i = 0; i < 100; i++) {
        size_t length = arp_frame(out, ARP_REQUEST, &PEER_MAC, peer, us);
        queued += put(f, 1, out, length)->drop == ESTAB_DROP_NONE;
    }
    assert_int_equal(f->received.drop, ESTAB_DROP_REPLY_QUEUE);
    assert_in_range(queued, 1, IP_MAX_REPLIES - 1);
    struct ip_addr to = v4(10, 9, 0, 3); /* there is room for our own question */
    (void)path_to(f, &to);
    for (unsigned i = 0; i < queued; i++) {
        assert_true(pull(f));
    }
    expect_arp(f, &BROADCAST_MAC, ARP_REQUEST, third);
    fixture_destroy(f);
}

/* ---- neighbour discovery ---- */

struct discovery {
    struct ip_addr from, to;
    uint8_t hop_limit;
    uint8_t type;
    uint8_t flags;
};

/* A message with a body of `length` bytes, in a frame from the peer. */
static size_t ndp_frame(uint8_t *out, const struct discovery *d, const uint8_t *body, size_t length)
{
    uint8_t message[128] = {d->type, 0, 0, 0, d->flags};
    uint8_t packet[200];
    struct header h = {.from = d->from, .to = d->to, .hop_limit = d->hop_limit};
    struct mac_addr to = OUR_MAC;
    if (ip_addr_is_multicast(&d->to)) {
        to = (struct mac_addr){{0x33, 0x33, d->to.b[12], d->to.b[13], d->to.b[14], d->to.b[15]}};
    }
    if (d->type == 134) { /* router advertisement: lifetime 1800 s if the flags are not zero */
        put_be32(message + 4, d->flags != 0 ? 1800 : 0);
    }
    memcpy(message + 8, body, length);
    size_t whole = icmp_packet(packet, &h, message, 8 + length);
    return frame(out, &to, ETHERTYPE_IPV6, packet, whole);
}

static size_t solicitation(uint8_t *out, const struct discovery *d, const struct ip_addr *target, bool option)
{
    uint8_t body[24] = {0};
    memcpy(body, target->b, 16);
    body[16] = 1;
    body[17] = 1;
    memcpy(body + 18, PEER_MAC.b, 6);
    return ndp_frame(out, d, body, option ? 24 : 16);
}

static size_t advertisement(uint8_t *out, const struct discovery *d, const struct ip_addr *target,
                            const struct mac_addr *mac)
{
    uint8_t body[24] = {0};
    memcpy(body, target->b, 16);
    body[16] = 2;
    body[17] = 1;
    memcpy(body + 18, mac->b, 6);
    return ndp_frame(out, d, body, 24);
}

static struct ip_addr node_of(const struct ip_addr *address)
{
    struct ip_addr group = {{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0}};
    memcpy(group.b + 13, address->b + 13, 3);
    return group;
}

static struct ip_datagram expect_ndp(struct fixture *f, enum icmp_kind kind, const struct ip_addr *to,
                                     struct ndp_message *ndp)
{
    struct ip_datagram d;
    struct icmp_message message;
    assert_true(pull(f));
    assert_int_equal(f->pulled.reason, ESTAB_REASON_NEIGHBOUR);
    assert_memory_equal(f->out + 6, OUR_MAC.b, 6);
    assert_int_equal(get_be16(f->out + 12), ETHERTYPE_IPV6);
    assert_int_equal(ipv6_parse(f->out + ETHERNET_HEADER, f->pulled.length - ETHERNET_HEADER, &d), IP_OK);
    assert_int_equal(d.hop_limit, 255);
    assert_true(ip_addr_eq(&d.destination, to));
    if (ip_addr_is_multicast(to)) {
        uint8_t mac[6] = {0x33, 0x33, to->b[12], to->b[13], to->b[14], to->b[15]};
        assert_memory_equal(f->out, mac, 6);
    } else {
        assert_memory_equal(f->out, PEER_MAC.b, 6);
    }
    assert_true(icmp_parse(&d, &message));
    assert_int_equal(message.kind, kind);
    assert_true(ndp_parse(&message, ndp));
    assert_true(ndp->has_link_address);
    assert_true(mac_eq(&ndp->link_address, &OUR_MAC));
    expect_silence(f);
    return d;
}

static void interface_makes_its_link_local_address(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_create(&config);
    (void)fixture_interface(f, true);
    assert_true(ip_is_local(f->ip, &our_local));
    assert_int_equal(ip_next_deadline(f->ip),
                     UINT64_MAX); /* nothing is sent before it has an address of its own */
    expect_silence(f);
    fixture_destroy(f);
}

static void solicitation_for_us_is_answered_and_its_sender_learnt(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[256];
    struct ip_addr six = v6(0xfd09, 2);
    struct ip_addr from = v6(0xfd09, 1);
    struct ndp_message ndp;
    struct discovery d = {.from = from, .to = node_of(&six), .hop_limit = 255, .type = 135};
    assert_int_equal(put(f, 1, out, solicitation(out, &d, &six, true))->drop, ESTAB_DROP_NONE);
    struct ip_datagram answer = expect_ndp(f, NDP_NEIGHBOUR_ADVERTISEMENT, &from, &ndp);
    assert_true(ip_addr_eq(&answer.source, &six));
    assert_true(ip_addr_eq(&ndp.target, &six));
    assert_true(ndp.solicited);
    assert_true(ndp.override);
    struct ip_path path = path_to(f, &from);
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    expect_silence(f);
    d.to = six; /* asked again directly (RFC 4861 7.3.3) */
    assert_int_equal(put(f, 1, out, solicitation(out, &d, &six, false))->drop, ESTAB_DROP_NONE);
    (void)expect_ndp(f, NDP_NEIGHBOUR_ADVERTISEMENT, &from, &ndp);
    fixture_destroy(f);
}

static void duplicate_address_detection_is_answered_to_all(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[256];
    struct ip_addr six = v6(0xfd09, 2);
    struct ip_addr all = v6(0xff02, 1);
    struct ndp_message ndp;
    struct discovery d = {.to = node_of(&six), .hop_limit = 255, .type = 135};
    assert_int_equal(put(f, 1, out, solicitation(out, &d, &six, false))->drop, ESTAB_DROP_NONE);
    (void)expect_ndp(f, NDP_NEIGHBOUR_ADVERTISEMENT, &all, &ndp);
    assert_false(ndp.solicited);
    expect_drop(f, out, solicitation(out, &d, &six, true), ESTAB_DROP_ARP); /* RFC 4861 7.1.1 */
    d.to = all;
    expect_drop(f, out, solicitation(out, &d, &six, false), ESTAB_DROP_ARP);
    expect_silence(f);
    fixture_destroy(f);
}

/* O-34 */
static void o34_discovery_from_beyond_the_link_is_dropped(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[256];
    struct ip_addr six = v6(0xfd09, 2);
    struct ip_addr from = v6(0xfd09, 1);
    struct ip_addr router = v6(0xfe80, 0x99);
    struct ip_addr far = v6(0x2001, 1);
    for (unsigned hop = 1; hop < 256; hop += 127) { /* 1, 128, 255 */
        enum estab_drop drop = hop == 255 ? ESTAB_DROP_NONE : ESTAB_DROP_ARP;
        struct discovery d = {.from = from, .to = six, .hop_limit = (uint8_t)hop, .type = 135};
        expect_drop(f, out, solicitation(out, &d, &six, true), drop);
        assert_int_equal(pull(f), hop == 255);
    }
    struct discovery d = {.from = from, .to = six, .hop_limit = 254, .type = 135};
    expect_drop(f, out, solicitation(out, &d, &six, true), ESTAB_DROP_ARP);
    d = (struct discovery){.from = far, .to = six, .hop_limit = 255, .type = 135};
    expect_drop(f, out, solicitation(out, &d, &six, true), ESTAB_DROP_ARP); /* not on this link */
    d = (struct discovery){.from = router, .to = six, .hop_limit = 254, .type = 134, .flags = 1};
    uint8_t times[8] = {0};
    expect_drop(f, out, ndp_frame(out, &d, times, 8), ESTAB_DROP_ARP);
    d.hop_limit = 255;
    d.from = from; /* a router speaks from its link-local address */
    expect_drop(f, out, ndp_frame(out, &d, times, 8), ESTAB_DROP_ARP);
    d = (struct discovery){.from = from, .to = six, .hop_limit = 254, .type = 136, .flags = 0x60};
    expect_drop(f, out, advertisement(out, &d, &from, &PEER_MAC), ESTAB_DROP_ARP);
    struct ip_path_query query = {.destination = &far};
    struct ip_addr source = {{0}};
    struct ip_path path = {0};
    assert_int_equal(ip_path_find(f->ip, f->now, &query, &source, &path), -ESTAB_ENETUNREACH);
    expect_silence(f);
    fixture_destroy(f);
}

static void neighbour_solicitation_and_advertisement_make_a_path_ready(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[256];
    struct ip_addr six = v6(0xfd09, 2);
    struct ip_addr to = v6(0xfd09, 1);
    struct ip_addr group = node_of(&to);
    struct ndp_message ndp;
    struct ip_path path = path_to(f, &to);
    struct ip_datagram asked = expect_ndp(f, NDP_NEIGHBOUR_SOLICITATION, &group, &ndp);
    assert_true(ip_addr_eq(&ndp.target, &to));
    assert_true(ip_addr_eq(&asked.source, &six));
    struct discovery d = {.from = to, .to = six, .hop_limit = 255, .type = 136, .flags = 0x20};
    expect_drop(f, out, advertisement(out, &d, &to, &OTHER_MAC), ESTAB_DROP_ARP); /* not solicited */
    d.flags = 0x60;
    d.to = v6(0xff02, 1);
    expect_drop(f, out, advertisement(out, &d, &to, &OTHER_MAC), ESTAB_DROP_ARP); /* RFC 4861 7.1.2 */
    assert_int_equal(resolve(f, &path), IP_PATH_WAIT);
    d.to = six;
    assert_int_equal(put(f, 1, out, advertisement(out, &d, &to, &PEER_MAC))->drop, ESTAB_DROP_NONE);
    assert_true(ip_take_settled(f->ip));
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    struct ip_header_fields fields = {.source = six, .destination = to, .payload_length = 20};
    ip_path_write(f->ip, &path, &fields, out);
    assert_memory_equal(out, PEER_MAC.b, 6);
    assert_int_equal(get_be16(out + 12), ETHERTYPE_IPV6);
    f->now += 31 * SECOND;
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    tick_to(f, f->now + 5 * SECOND);
    (void)expect_ndp(f, NDP_NEIGHBOUR_SOLICITATION, &to, &ndp); /* the probe goes to the neighbour itself */
    fixture_destroy(f);
}

static void v10_discovery_options_of_length_zero_are_dropped(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t out[256];
    uint8_t body[24] = {0};
    struct ip_addr six = v6(0xfd09, 2);
    memcpy(body, six.b, 16);
    for (unsigned length = 0; length < 256; length++) {
        struct discovery d = {.from = v6(0xfd09, 1), .to = six, .hop_limit = 255, .type = 135};
        body[16] = 1;
        body[17] = (uint8_t)length;
        expect_drop(f, out, ndp_frame(out, &d, body, 24), length == 1 ? ESTAB_DROP_NONE : ESTAB_DROP_ARP);
        assert_int_equal(pull(f), length == 1);
    }
    for (size_t cut = 0; cut < 24; cut++) {
        struct discovery d = {.from = v6(0xfd09, 1), .to = six, .hop_limit = 255, .type = 135};
        body[17] = 1;
        expect_drop(f, out, ndp_frame(out, &d, body, cut), cut == 16 ? ESTAB_DROP_NONE : ESTAB_DROP_ARP);
        assert_int_equal(pull(f), cut == 16);
    }
    fixture_destroy(f);
}

static void discovery_in_fragments_is_dropped(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    uint8_t packet[256];
    uint8_t out[256];
    struct ip_addr six = v6(0xfd09, 2);
    struct discovery d = {.from = v6(0xfd09, 1), .to = six, .hop_limit = 255, .type = 135};
    size_t length = solicitation(out, &d, &six, true) - ETHERNET_HEADER - IPV6_HEADER;
    uint8_t *message = out + ETHERNET_HEADER + IPV6_HEADER;
    uint8_t whole[64];
    memcpy(whole, message, length);
    for (unsigned half = 0; half < 2; half++) { /* RFC 6980 */
        uint8_t body[64] = {58, 0, 0, (uint8_t)(half == 0 ? 1 : 16)};
        size_t part = half == 0 ? 16 : length - 16;
        struct header h = {.from = d.from, .to = six, .protocol = 44, .hop_limit = 255};
        memcpy(body + 8, whole + half * 16, part);
        size_t packet_length = ip_packet(packet, &h, body, 8 + part);
        size_t frame_length = frame(out, &OUR_MAC, ETHERTYPE_IPV6, packet, packet_length);
        expect_drop(f, out, frame_length, half == 0 ? ESTAB_DROP_NONE : ESTAB_DROP_ARP);
    }
    assert_int_equal(f->counters.fragments_reassembled, 1);
    expect_silence(f);
    fixture_destroy(f);
}

/* ---- routers ---- */

static void router_is_solicited_three_times(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, true);
    struct ip_addr routers = v6(0xff02, 2);
    struct ndp_message ndp;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(ip_next_deadline(f->ip), START + i * 4 * SECOND);
        tick_to(f, START + i * 4 * SECOND);
        struct ip_datagram d = expect_ndp(f, NDP_ROUTER_SOLICITATION, &routers, &ndp);
        assert_true(ip_addr_eq(&d.source, &our_local));
    }
    assert_int_equal(ip_next_deadline(f->ip), UINT64_MAX);
    fixture_destroy(f);
}

/* An advertisement from `router`, with an MTU option unless it is 0. */
static void advertise(struct fixture *f, const struct ip_addr *router, bool serves, uint32_t mtu)
{
    uint8_t out[256];
    uint8_t body[24] = {0};
    body[8] = 5;
    body[9] = 1;
    put_be32(body + 12, mtu);
    struct discovery d = {
        .from = *router, .to = v6(0xff02, 1), .hop_limit = 255, .type = 134, .flags = serves};
    assert_int_equal(put(f, 1, out, ndp_frame(out, &d, body, mtu != 0 ? 16 : 8))->drop, ESTAB_DROP_NONE);
}

static int find_far(struct fixture *f, struct ip_path *path)
{
    struct ip_addr far = v6(0x2001, 1);
    struct ip_addr source = {{0}};
    struct ip_path_query query = {.destination = &far};
    return ip_path_find(f->ip, f->now, &query, &source, path);
}

static void router_advertisement_gives_route_and_mtu_until_it_expires(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    struct fixture *f = fixture_with(&config, true);
    struct ip_addr first = v6(0xfe80, 0x11);
    struct ip_addr second = v6(0xfe80, 0x22);
    struct ip_addr group = node_of(&first);
    struct ip_addr far = v6(0x2001, 1);
    struct ip_path path;
    struct ndp_message ndp;
    assert_int_equal(find_far(f, &path), -ESTAB_ENETUNREACH);
    advertise(f, &first, true, 1400);
    assert_int_equal(ip_next_deadline(f->ip), START + 1800 * SECOND); /* no more solicitations */
    assert_int_equal(find_far(f, &path), 0);
    (void)expect_ndp(f, NDP_NEIGHBOUR_SOLICITATION, &group, &ndp);
    assert_true(ip_addr_eq(&ndp.target, &first));
    assert_int_equal(ip_path_mtu(f->ip, f->now, &path, &far), 1400);
    advertise(f, &first, true, 1279); /* RFC 8200 5: not below 1280 */
    assert_int_equal(ip_path_mtu(f->ip, f->now, &path, &far), 1400);
    advertise(f, &first, true, 9000); /* nor above what the link can do */
    assert_int_equal(ip_path_mtu(f->ip, f->now, &path, &far), 1500);
    struct ip_addr four = PEER_IP;
    advertise(f, &first, true, 1400);
    assert_int_equal(ip_path_mtu(f->ip, f->now, &path, &four), 1500);
    advertise(f, &second, false, 0); /* another router withdraws what it never gave */
    assert_true(ip_path_valid(f->ip, &path));
    tick_to(f, START + 1800 * SECOND);
    assert_false(ip_path_valid(f->ip, &path));
    assert_int_equal(find_far(f, &path), -ESTAB_ENETUNREACH);
    advertise(f, &second, true, 0);
    assert_int_equal(find_far(f, &path), 0);
    advertise(f, &second, false, 0); /* it says goodbye */
    assert_false(ip_path_valid(f->ip, &path));
    assert_int_equal(find_far(f, &path), -ESTAB_ENETUNREACH);
    fixture_destroy(f);
}

static void entered_default_route_goes_before_an_advertised_one(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    struct ip_addr router = v6(0xfe80, 0x11);
    struct ip_addr gateway = v6(0xfd09, 0x33);
    struct ip_addr group = node_of(&gateway);
    struct ip_addr any = {{0}};
    struct ip_path path;
    struct ndp_message ndp;
    advertise(f, &router, true, 0);
    assert_int_equal(ip_route_add(f->ip, 1, &any, 0, &gateway), 0);
    assert_int_equal(find_far(f, &path), 0);
    (void)expect_ndp(f, NDP_NEIGHBOUR_SOLICITATION, &group, &ndp);
    assert_true(ip_addr_eq(&ndp.target, &gateway));
    fixture_destroy(f);
}

/* ---- bounds ---- */

static void v50_scan_keeps_neighbours_that_answer(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.max_neighbours = 64;
    struct fixture *f = fixture_with(&config, true);
    struct ip_path known[40];
    uint8_t out[256];
    for (unsigned i = 0; i < 40; i++) {
        struct ip_addr to = v6(0xfd09, 0x100 + i);
        struct ip_addr six = v6(0xfd09, 2);
        known[i] = path_to(f, &to);
        assert_true(pull(f));
        struct discovery d = {.from = to, .to = six, .hop_limit = 255, .type = 136, .flags = 0x60};
        assert_int_equal(put(f, 1, out, advertisement(out, &d, &to, &PEER_MAC))->drop, ESTAB_DROP_NONE);
        assert_int_equal(resolve(f, &known[i]), IP_PATH_READY);
    }
    for (uint32_t i = 0; i < 50000; i++) { /* 100,000 a second */
        struct ip_addr to = v6(0xfd09, 0);
        put_be32(to.b + 8, 1 + i);
        struct ip_path_query query = {.destination = &to};
        struct ip_addr source = {{0}};
        struct ip_path path;
        f->now += 10000;
        assert_int_equal(ip_path_find(f->ip, f->now, &query, &source, &path), 0);
        if (i % 1000 == 0) {
            tick_to(f, f->now);
            while (pull(f)) {
                continue;
            }
        }
    }
    for (unsigned i = 0; i < 40; i++) {
        assert_true(ip_path_valid(f->ip, &known[i]));
        assert_int_equal(resolve(f, &known[i]), IP_PATH_READY);
    }
    fixture_destroy(f);
}

static void v50_learnt_neighbours_do_not_push_out_those_in_use(void **state)
{
    (void)state;
    struct fixture *f = quiet(); /* eight entries */
    uint8_t out[64];
    struct ip_path path = resolved(f);
    for (unsigned i = 0; i < 250; i++) {
        uint8_t from[4] = {10, 9, 0, (uint8_t)(3 + i % 250)};
        (void)put(f, 1, out, arp_frame(out, ARP_REQUEST, &OTHER_MAC, from, us));
        while (pull(f)) {
            continue;
        }
    }
    assert_true(ip_path_valid(f->ip, &path));
    assert_int_equal(resolve(f, &path), IP_PATH_READY);
    struct ip_addr last = v4(10, 9, 0, 252);
    assert_int_not_equal(neighbour_find(f->ip, 1, &last), IP_NO_NEIGHBOUR); /* but one another */
    fixture_destroy(f);
}

static void full_table_gives_up_the_neighbour_used_longest_ago(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    struct ip_path paths[9];
    uint8_t out[64];
    for (uint8_t i = 0; i < 9; i++) {
        struct ip_addr to = v4(10, 9, 0, (uint8_t)(10 + i));
        uint8_t from[4] = {10, 9, 0, (uint8_t)(10 + i)};
        paths[i] = path_to(f, &to);
        assert_true(pull(f));
        assert_int_equal(put(f, 1, out, arp_frame(out, ARP_REPLY, &PEER_MAC, from, us))->drop,
                         ESTAB_DROP_NONE);
        if (i != 3) {
            assert_int_equal(resolve(f, &paths[i]), IP_PATH_READY);
        }
    }
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(ip_path_valid(f->ip, &paths[i]), i != 3);
    }
    fixture_destroy(f);
}

static void waiting_for_an_evicted_neighbour_is_told_a_second_later(void **state)
{
    (void)state;
    struct fixture *f = quiet();
    struct ip_addr to = v4(10, 9, 0, 10);
    struct ip_path first = path_to(f, &to);
    for (uint8_t i = 11; i < 16; i++) {
        to = v4(10, 9, 0, i);
        (void)path_to(f, &to);
    }
    assert_false(ip_path_valid(f->ip, &first)); /* at most half of eight are asked for */
    assert_false(ip_take_settled(f->ip));
    assert_int_equal(ip_next_deadline(f->ip), f->now + SECOND);
    tick_to(f, f->now + SECOND);
    assert_true(ip_take_settled(f->ip));
    fixture_destroy(f);
}

static void full_of_static_neighbours_there_is_no_buffer_for_more(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.max_neighbours = 2;
    struct fixture *f = fixture_with(&config, true);
    for (uint8_t i = 1; i <= 3; i++) {
        struct ip_addr to = v4(10, 9, 0, (uint8_t)(i + 2));
        assert_int_equal(ip_neighbour_add(f->ip, 1, &to, &PEER_MAC), i <= 2 ? 0 : -ESTAB_ENOBUFS);
    }
    struct ip_addr to = PEER_IP;
    struct ip_path_query query = {.destination = &to};
    struct ip_addr source = {{0}};
    struct ip_path path;
    assert_int_equal(ip_path_find(f->ip, f->now, &query, &source, &path), -ESTAB_ENOBUFS);
    fixture_destroy(f);
}

static void reused_entry_is_never_taken_for_the_old_neighbour(void **state)
{
    (void)state;
    struct ip_config config = config_full();
    config.max_neighbours = 1;
    struct fixture *f = fixture_with(&config, true);
    struct ip_addr to = v4(10, 9, 0, 3);
    struct ip_path old = path_to(f, &to);
    for (uint32_t i = 0; i < 70000; i++) { /* more than a generation counts */
        struct ip_addr next = v4(10, 9, 0, (uint8_t)(4 + i % 2));
        struct ip_path_query query = {.destination = &next};
        struct ip_addr source = {{0}};
        struct ip_path path;
        assert_int_equal(ip_path_find(f->ip, f->now, &query, &source, &path), 0);
        assert_false(ip_path_valid(f->ip, &old));
    }
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arp_request_for_us_is_answered_and_its_sender_learnt),
        cmocka_unit_test(arp_request_for_others_changes_nothing),
        cmocka_unit_test(arp_probe_is_answered_and_nobody_learnt),
        cmocka_unit_test(arp_question_and_answer_make_a_path_ready),
        cmocka_unit_test(arp_without_answer_fails_after_three_tries),
        cmocka_unit_test(arp_answers_that_nobody_asked_for_create_nothing),
        cmocka_unit_test(arp_claim_of_another_address_is_checked_not_believed),
        cmocka_unit_test(static_neighbour_is_never_overwritten),
        cmocka_unit_test(static_neighbour_settles_who_waits_for_it),
        cmocka_unit_test(used_neighbour_is_probed_when_nobody_confirms_it),
        cmocka_unit_test(neighbour_confirmed_by_tcp_is_not_asked_again),
        cmocka_unit_test(v10_frames_of_every_length_are_survived),
        cmocka_unit_test(arp_answers_are_bounded),
        cmocka_unit_test(interface_makes_its_link_local_address),
        cmocka_unit_test(solicitation_for_us_is_answered_and_its_sender_learnt),
        cmocka_unit_test(duplicate_address_detection_is_answered_to_all),
        cmocka_unit_test(o34_discovery_from_beyond_the_link_is_dropped),
        cmocka_unit_test(neighbour_solicitation_and_advertisement_make_a_path_ready),
        cmocka_unit_test(v10_discovery_options_of_length_zero_are_dropped),
        cmocka_unit_test(discovery_in_fragments_is_dropped),
        cmocka_unit_test(router_is_solicited_three_times),
        cmocka_unit_test(router_advertisement_gives_route_and_mtu_until_it_expires),
        cmocka_unit_test(entered_default_route_goes_before_an_advertised_one),
        cmocka_unit_test(v50_scan_keeps_neighbours_that_answer),
        cmocka_unit_test(v50_learnt_neighbours_do_not_push_out_those_in_use),
        cmocka_unit_test(full_table_gives_up_the_neighbour_used_longest_ago),
        cmocka_unit_test(waiting_for_an_evicted_neighbour_is_told_a_second_later),
        cmocka_unit_test(full_of_static_neighbours_there_is_no_buffer_for_more),
        cmocka_unit_test(reused_entry_is_never_taken_for_the_old_neighbour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
