/*
 * Checksums that are wrong (CVE-2015-5364, CVE-2015-5366) and the metadata that says they need no check (the
 * virtio and GRO confusions): a packet with a wrong one is dropped before anybody is woken, and only the flag
 * that the own driver sets makes it pass. And what the core does not ship (NAME:WRECK, AMNESIA:33): DNS and
 * DHCP.
 */
#include "attack/victim.h"

#include <dirent.h>
#include <stdio.h>
#include <strings.h>

enum { TEXT = 32 };

/* In order, for the connection: whoever takes it wakes the reader. */
static size_t put_bad_segment(uint8_t *out, const struct victim *v, bool v6, uint16_t wrong)
{
    size_t at = put_ip(out, v6, V_TCP, 20 + TEXT);
    put_tcp(out + at, 5, V_ACK | V_PSH, v->peer_nxt, v->victim_nxt);
    memset(out + at + 20, 'x', TEXT);
    seal_tcp(out + at, 20 + TEXT, v6);
    put16(out + at + 16, get16(out + at + 16) ^ wrong);
    return at + 20 + TEXT;
}

static size_t put_bad_echo(uint8_t *out, bool v6, uint16_t wrong)
{
    size_t length = put_echo(out, v6, TEXT);
    size_t at = v6 ? 42 : 22;
    put16(out + at, get16(out + at) ^ wrong);
    return length;
}

/*
 * V-43: a flood of 400,000 packets with wrong checksums (TCP in order, echo, IPv4 header, UDP): 0 wakeups, 0
 * packets out, no timer moved, each counted.
 */
static void v43_wrong_checksums_wake_nobody(void **state)
{
    (void)state;
    unsigned rounds = ESTAB_TEST_SLOW ? 2000 : 50000;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct victim *v = victim_start(false);
        estab_conn conn = victim_connected(v, v6);
        struct estab_counters before = victim_counters(v);
        uint64_t due = estab_next_deadline(v->stack);
        struct estab_event event;
        for (unsigned i = 0; i < rounds; i++) {
            uint8_t packet[128];
            uint16_t wrong = (uint16_t)(1 + i % 65534);
            victim_input(v, packet, put_bad_segment(packet, v, v6, wrong));
            victim_input(v, packet, put_bad_echo(packet, v6, wrong));
            size_t length = put_echo(packet, false, TEXT);
            put16(packet + 10, get16(packet + 10) ^ wrong);
            victim_input(v, packet, length);
            length = put_ip(packet, v6, V_UDP, 28);
            memset(packet + length, (int)i, 28);
            victim_input(v, packet, length + 28);
            assert_int_equal(estab_poll(v->stack, &event, 1), 0);
            assert_false(estab_pull_pending(v->stack));
            assert_true(estab_next_deadline(v->stack) == due);
        }
        struct estab_counters after = victim_counters(v);
        assert_int_equal(after.drops[ESTAB_DROP_TCP_CHECKSUM] - before.drops[ESTAB_DROP_TCP_CHECKSUM],
                         rounds);
        assert_int_equal(after.drops[ESTAB_DROP_ICMP] - before.drops[ESTAB_DROP_ICMP], rounds);
        assert_int_equal(after.drops[ESTAB_DROP_IP_CHECKSUM] - before.drops[ESTAB_DROP_IP_CHECKSUM], rounds);
        assert_int_equal(after.drops[ESTAB_DROP_IP_PROTOCOL] - before.drops[ESTAB_DROP_IP_PROTOCOL], rounds);
        assert_int_equal(victim_drain(v), 0);
        assert_int_equal(victim_status(v, conn).receive_queued, 0);
        victim_stop(v);
    }
}

/* V-43, V-56: each wrong value of the field is found, but for the two that are one zero (RFC 1624 3). */
static void v43_each_wrong_value_is_found(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    estab_conn conn = victim_connected(v, false);
    for (unsigned wrong = 1; wrong < 65536; wrong++) {
        uint8_t packet[128];
        size_t length = put_bad_segment(packet, v, false, (uint16_t)wrong);
        unsigned right = get16(packet + 36) ^ wrong;
        if (wrong == 0xffff && (right == 0 || right == 0xffff)) {
            continue;
        }
        victim_input(v, packet, length);
        assert_int_equal(v->drop, ESTAB_DROP_TCP_CHECKSUM);
    }
    assert_int_equal(victim_status(v, conn).receive_queued, 0);
    victim_stop(v);
}

/*
 * V-56: a wrong checksum passes with ESTAB_PACKET_CHECKSUM_VALID and with nothing else: neither other flags,
 * nor that segments were merged, nor an interface whose driver completes what goes out.
 */
static void v56_only_the_drivers_own_flag_is_trusted(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct victim *v = victim_start(false);
        estab_conn conn = victim_connected(v, v6);
        uint8_t packet[128];
        size_t length = put_bad_segment(packet, v, v6, 0x101);
        for (unsigned bit = 0; bit < 32; bit++) {
            for (unsigned merged = 0; merged < 3; merged++) {
                v->flags = 1u << bit & ~(uint32_t)ESTAB_PACKET_CHECKSUM_VALID;
                v->gso_size = (uint16_t)(merged * 16);
                victim_input(v, packet, length);
                assert_int_equal(v->drop, ESTAB_DROP_TCP_CHECKSUM);
            }
        }
        v->gso_size = 0;
        struct estab_interface offload = {.size = sizeof offload, .mtu = 1500, .checksum_offload = true};
        assert_int_equal(estab_interface_add(v->stack, v->now, &offload), 2);
        struct estab_packet in = {.data = packet, .length = (uint32_t)length, .interface = 2};
        estab_input(v->stack, v->now, &in, 1);
        assert_int_equal(in.reason, ESTAB_DROP_TCP_CHECKSUM);
        assert_int_equal(victim_status(v, conn).receive_queued, 0);
        v->flags = ESTAB_PACKET_CHECKSUM_VALID;
        victim_input(v, packet, length);
        assert_int_equal(v->drop, ESTAB_DROP_NONE);
        assert_int_equal(victim_status(v, conn).receive_queued, TEXT);
        victim_drain(v);
        length = put_bad_echo(packet, v6, 0x101); /* the flag speaks of TCP alone */
        victim_input(v, packet, length);
        assert_int_equal(v->drop, ESTAB_DROP_ICMP);
        victim_stop(v);
    }
}

/* V-56: the flag trusts the checksum and no length: a merged size and text that do not fit do no harm. */
static void v56_a_merged_size_is_no_length(void **state)
{
    (void)state;
    struct victim *v = victim_start(false);
    estab_conn conn = victim_connected(v, false);
    unsigned taken = 0;
    for (unsigned size = 0; size < 65536; size += 251) {
        uint8_t packet[128];
        char got[TEXT];
        v->flags = ESTAB_PACKET_CHECKSUM_VALID;
        v->gso_size = (uint16_t)size;
        victim_input(v, packet, put_bad_segment(packet, v, false, 5));
        v->peer_nxt += TEXT;
        assert_int_equal(estab_recv(v->stack, v->now, conn, got, sizeof got, 0), TEXT);
        taken++;
        victim_drain(v);
        victim_check(v);
    }
    assert_int_equal(victim_status(v, conn).bytes_received, taken * TEXT);
    victim_stop(v);
}

/* ---- what is not there ---- */

/*
 * V-11: no DNS and no DHCP in the core: a datagram from or to their ports, by IPv4 and IPv6, broadcast or
 * not, is dropped for its protocol, before a byte of UDP is looked at; a stack that is left alone for an hour
 * sends none.
 */
static void v11_udp_is_not_looked_into(void **state)
{
    (void)state;
    static const uint16_t ports[] = {53, 67, 68, 546, 547, 5353, 5355};
    struct victim *v = victim_start(true);
    for (unsigned i = 0; i < 7 * 7 * 4; i++) {
        uint8_t frame[256];
        bool v6 = i & 1;
        size_t at = put_ethernet(frame, v6 ? 0x86dd : 0x0800);
        uint8_t *ip = frame + at;
        at += put_ip(ip, v6, V_UDP, 64);
        if (i & 2) { /* to all */
            memset(frame, 0xff, 6);
            memset(ip + (v6 ? 24 : 16), 0xff, v6 ? 2 : 4);
        }
        if (!v6) {
            seal_ipv4(ip);
        }
        memset(frame + at, 0xc0, 64); /* pointers to themselves, for whoever takes it for DNS */
        put16(frame + at, ports[i / 4 % 7]);
        put16(frame + at + 2, ports[i / 28]);
        victim_input(v, frame, at + 64);
        assert_int_equal(v->drop, i & 2 ? ESTAB_DROP_IP_ADDRESS : ESTAB_DROP_IP_PROTOCOL);
        assert_int_equal(victim_drain(v), 0);
    }
    for (uint64_t due = 0; (due = estab_next_deadline(v->stack)) < v->now + 3600 * VICTIM_SECOND;) {
        v->now = due;
        estab_tick(v->stack, v->now);
        while (victim_sends(v)) {
            bool v6 = get16(v->out + 12) == 0x86dd;
            assert_true(get16(v->out + 12) == 0x0806 || v->out[v6 ? 20 : 23] != V_UDP);
        }
    }
    victim_stop(v);
}

/* The names of the functions and files of DNS or DHCP in a text. */
static bool speaks_of_names(const char *text)
{
    static const char *const words[] = {"dns_", "_dns", "dhcp", "resolver", "\"53\"", " 67u", "bootp"};
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasestr(text, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static unsigned look_through(const char *folder)
{
    char path[512];
    unsigned files = 0;
    DIR *open = opendir(folder);
    assert_non_null(open);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
        char line[512];
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strchr(entry->d_name, '.') == NULL) {
            files += look_through(path);
            continue;
        }
        assert_false(speaks_of_names(entry->d_name));
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        while (fgets(line, sizeof line, file) != NULL) {
            if (speaks_of_names(line)) {
                fail_msg("%s: %s", path, line);
            }
        }
        fclose(file);
        files++;
    }
    closedir(open);
    return files;
}

/*
 * V-11: nor is there source of any in src/ and include/: the fault classes of RFC 9267 have nowhere to stand.
 */
static void v11_the_core_ships_no_dns_and_no_dhcp(void **state)
{
    (void)state;
    assert_true(speaks_of_names("static void dhcp_input(void)")); /* it can fail */
    assert_true(look_through(ESTAB_SOURCE_DIR "/src") > 50);
    assert_true(look_through(ESTAB_SOURCE_DIR "/include") >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v43_wrong_checksums_wake_nobody),
        cmocka_unit_test(v43_each_wrong_value_is_found),
        cmocka_unit_test(v56_only_the_drivers_own_flag_is_trusted),
        cmocka_unit_test(v56_a_merged_size_is_no_length),
        cmocka_unit_test(v11_udp_is_not_looked_into),
        cmocka_unit_test(v11_the_core_ships_no_dns_and_no_dhcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
