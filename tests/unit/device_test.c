/*
 * Unit tests of drivers/device: the specification, every error line, the virtio-net header both ways as
 * pure functions, packets through a socket pair in place of a device, and a real TUN device in a network
 * namespace where that can be had.
 */
#include "drivers/addr.h"
#include "drivers/device.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOM 2048

/* ------------------------------------------------------------------------------------------ specification */

static void device_spec_good_is_split(void **state)
{
    struct device device;
    char error[200] = "";

    (void)state;
    assert_int_equal(device_parse_spec("tun:estab0", &device, error, sizeof error), DEVICE_OK);
    assert_false(device.ethernet);
    assert_string_equal(device.name, "estab0");
    assert_int_equal(device_parse_spec("tap:fifteen-charact", &device, error, sizeof error), DEVICE_OK);
    assert_true(device.ethernet);
    assert_string_equal(device.name, "fifteen-charact");
    assert_string_equal(error, "");
}

static void device_spec_bad_is_named(void **state)
{
    static const struct {
        const char *spec;
        const char *says;
    } rows[] = {
        {"", "tun:NAME or tap:NAME"},
        {"estab0", "tun:NAME or tap:NAME"},
        {"tun", "tun:NAME or tap:NAME"},
        {"TUN:estab0", "tun:NAME or tap:NAME"},
        {"veth:estab0", "tun:NAME or tap:NAME"},
        {"tun:", "bad device name"},
        {"tun:.", "bad device name"},
        {"tun:..", "bad device name"},
        {"tun:a/b", "bad device name"},
        {"tun:a b", "bad device name"},
        {"tun:a:b", "bad device name"},
        {"tun:tun%d", "bad device name"},
        {"tap:sixteen-characts", "too long: at most 15"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct device_options options = {.spec = rows[i].spec};
        struct device device;
        char error[200] = "";

        assert_int_equal(device_open(&device, &options, error, sizeof error), DEVICE_USAGE);
        assert_int_equal(device.fd, -1);
        if (strstr(error, rows[i].says) == NULL || strchr(error, '\n') != NULL)
            fail_msg("'%s' says: %s", rows[i].spec, error);
    }
}

static void device_mtu_out_of_range_is_usage(void **state)
{
    struct device_options options = {.spec = "tun:estab0", .mtu = 67};
    struct device device;
    char error[200];

    (void)state;
    assert_int_equal(device_open(&device, &options, error, sizeof error), DEVICE_USAGE);
    assert_string_equal(error, "bad MTU 67: 68 to 65535");
    options.mtu = 65536;
    assert_int_equal(device_open(&device, &options, error, sizeof error), DEVICE_USAGE);
}

static void device_missing_path_says_what_to_do(void **state)
{
    struct device_options options = {.spec = "tun:estab0", .path = "/nonexistent/tun"};
    struct device device;
    char error[300];

    (void)state;
    assert_int_equal(device_open(&device, &options, error, sizeof error), DEVICE_FAILED);
    assert_int_equal(device.fd, -1);
    assert_non_null(strstr(error, "/nonexistent/tun"));
    assert_non_null(strstr(error, "modprobe tun"));
    assert_null(strchr(error, '\n'));
}

static void device_that_is_none_fails_and_closes(void **state)
{
    struct device_options options = {.spec = "tun:estab0", .path = "/dev/null"};
    struct device device;
    char error[300];

    (void)state;
    assert_int_equal(device_open(&device, &options, error, sizeof error), DEVICE_FAILED);
    assert_int_equal(device.fd, -1);
    assert_non_null(strstr(error, "cannot open tun device estab0"));
}

/* ------------------------------------------------------------------------------------------ virtio header */

static struct estab_packet segment(uint8_t *bytes, uint32_t headers)
{
    struct estab_packet packet = {.data = bytes, .capacity = ROOM, .length = headers};

    packet.flags = ESTAB_PACKET_CHECKSUM_PARTIAL;
    packet.checksum_start = (uint16_t)(headers - 20);
    packet.checksum_offset = 16;
    packet.header_length = (uint16_t)headers;
    return packet;
}

static void header_complete_packet_asks_for_nothing(void **state)
{
    uint8_t bytes[ROOM] = {0x45};
    struct estab_packet packet = {.data = bytes, .length = 40, .gso_size = 1000, .checksum_start = 20};
    struct virtio_net_hdr header, none = {0};

    (void)state;
    memset(&header, 0xff, sizeof header);
    device_header_from_packet(&header, &packet, false);
    assert_memory_equal(&header, &none, sizeof header);
}

static void header_partial_checksum_is_left_to_the_kernel(void **state)
{
    uint8_t bytes[ROOM] = {0x45};
    struct estab_packet packet = segment(bytes, 40);
    struct virtio_net_hdr header;

    (void)state;
    device_header_from_packet(&header, &packet, false);
    assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(header.csum_start, 20);
    assert_int_equal(header.csum_offset, 16);
    assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    assert_int_equal(header.gso_size, 0);
}

static void header_long_segment_grid(void **state)
{
    static const struct {
        bool ethernet;
        uint8_t first; /* of the IP header */
        uint32_t headers;
        uint8_t tcp_flags;
        uint8_t type;
    } rows[] = {
        {false, 0x45, 40, 0x10, VIRTIO_NET_HDR_GSO_TCPV4},
        {false, 0x60, 60, 0x10, VIRTIO_NET_HDR_GSO_TCPV6},
        {true, 0x45, 54, 0x10, VIRTIO_NET_HDR_GSO_TCPV4},
        {true, 0x60, 74, 0x18, VIRTIO_NET_HDR_GSO_TCPV6},
        {false, 0x45, 40, 0x90, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN},
        {true, 0x60, 74, 0x90, VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[ROOM] = {0x60}; /* a MAC address that looks like IPv6 */
        uint8_t text[3000] = {0};
        struct estab_slice slices[2] = {{text, 2000}, {text, 1000}};
        struct estab_packet packet = segment(bytes, rows[i].headers);
        struct virtio_net_hdr header;

        bytes[rows[i].ethernet ? 14 : 0] = rows[i].first;
        bytes[packet.checksum_start + 13u] = rows[i].tcp_flags;
        packet.slices = slices;
        packet.slice_count = 2;
        packet.gso_size = 1448;
        device_header_from_packet(&header, &packet, rows[i].ethernet);
        assert_int_equal(header.gso_type, rows[i].type);
        assert_int_equal(header.gso_size, 1448);
        assert_int_equal(header.hdr_len, rows[i].headers);
        assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    }
}

static void header_short_text_is_not_cut(void **state)
{
    uint8_t bytes[ROOM] = {0x45};
    struct estab_packet packet = segment(bytes, 40);
    struct virtio_net_hdr header;

    (void)state;
    packet.length += 1448;
    packet.gso_size = 1448;
    device_header_from_packet(&header, &packet, false);
    assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    packet.length++;
    device_header_from_packet(&header, &packet, false);
    assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
}

static void header_incoming_grid(void **state)
{
    static const struct {
        uint8_t flags, type;
        uint16_t gso_size;
        uint32_t packet_flags;
        uint16_t packet_gso;
    } rows[] = {
        {0, 0, 0, 0, 0},
        {VIRTIO_NET_HDR_F_NEEDS_CSUM, 0, 0, ESTAB_PACKET_CHECKSUM_VALID, 0},
        {VIRTIO_NET_HDR_F_DATA_VALID, 0, 0, ESTAB_PACKET_CHECKSUM_VALID, 0},
        {VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, 1448, ESTAB_PACKET_CHECKSUM_VALID, 1448},
        {VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV6, 1428, ESTAB_PACKET_CHECKSUM_VALID, 1428},
        {VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 1448,
         ESTAB_PACKET_CHECKSUM_VALID, 1448},
        {0, VIRTIO_NET_HDR_GSO_UDP, 1448, 0, 0},
        {0, VIRTIO_NET_HDR_GSO_NONE, 1448, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct virtio_net_hdr header = {0};
        struct estab_packet packet;

        memset(&packet, 0xff, sizeof packet);
        header.flags = rows[i].flags;
        header.gso_type = rows[i].type;
        header.gso_size = rows[i].gso_size;
        device_header_to_packet(&packet, &header);
        assert_int_equal(packet.flags, rows[i].packet_flags);
        assert_int_equal(packet.gso_size, rows[i].packet_gso);
    }
}

static void interface_tells_what_the_device_can(void **state)
{
    struct device device = {.mtu = 1400, .ethernet = true, .offload = true, .mac = {2, 0, 0, 0, 0, 9}};
    struct estab_interface interface;

    (void)state;
    device_interface(&device, &interface);
    assert_int_equal(interface.size, sizeof interface);
    assert_int_equal(interface.mtu, 1400);
    assert_true(interface.ethernet);
    assert_true(interface.checksum_offload);
    assert_true(interface.gso_max > 60000 && interface.gso_max + 14 + 40 + 60 <= 65535);
    assert_memory_equal(interface.mac, device.mac, 6);
    device.offload = false;
    device_interface(&device, &interface);
    assert_false(interface.checksum_offload);
    assert_int_equal(interface.gso_max, 0);
}

/* ------------------------------------------------------------------------------------------ a socket pair */

static void make_pair(struct device *device, int *other, bool offload)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    device_adopt(device, ends[0], false, offload, 1500);
    device->interface = 3;
    *other = ends[1];
}

static void write_gathers_header_packet_and_slices(void **state)
{
    uint8_t head[40] = {0x45};
    uint8_t got[256];
    struct estab_slice slices[2] = {{(const uint8_t *)"abc", 3}, {(const uint8_t *)"defg", 4}};
    struct estab_packet packet = segment(head, 40);
    struct virtio_net_hdr header;
    struct device device;
    int other;

    (void)state;
    packet.slices = slices;
    packet.slice_count = 2;
    make_pair(&device, &other, true);
    assert_int_equal(device_write(&device, &packet, 1), 1);
    assert_int_equal(recv(other, got, sizeof got, 0), 10 + 40 + 7);
    memcpy(&header, got, sizeof header);
    assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_memory_equal(got + 10, head, 40);
    assert_memory_equal(got + 50, "abcdefg", 7);
    assert_int_equal(device.packets_out, 1);
    device_close(&device);
    close(other);
}

static void write_without_offload_refuses_unfinished_packets(void **state)
{
    uint8_t head[40] = {0x45};
    struct estab_packet packets[2] = {segment(head, 40), segment(head, 40)};
    struct device device;
    uint8_t got[256];
    int other;

    (void)state;
    packets[1].flags = 0;
    make_pair(&device, &other, false);
    assert_int_equal(device_write(&device, packets, 2), 2);
    assert_int_equal(device.rejected, 1);
    assert_int_equal(device.packets_out, 1);
    assert_int_equal(recv(other, got, sizeof got, 0), 40);
    device_close(&device);
    close(other);
}

static void write_full_device_takes_some_and_the_rest_later(void **state)
{
    static uint8_t bytes[8][ROOM];
    struct estab_packet packets[8];
    struct device device;
    uint8_t got[ROOM + 16];
    unsigned taken = 0;
    unsigned received = 0;
    int other;
    int n;

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        packets[i] = (struct estab_packet){.data = bytes[i], .length = ROOM};
    make_pair(&device, &other, false);
    do {
        n = device_write(&device, packets, 8);
        assert_true(n >= 0);
        taken += (unsigned)n;
    } while (n == 8 && taken < 100000);
    assert_true(n < 8);
    while (recv(other, got, sizeof got, MSG_DONTWAIT) == ROOM)
        received++;
    assert_int_equal(received, taken);
    assert_int_equal(device.packets_out, taken);
    assert_int_equal(device.rejected, 0);
    assert_int_equal(device_write(&device, packets + n, (unsigned)(8 - n)), 8 - n);
    device_close(&device);
    close(other);
}

static void read_fills_packets_and_skips_what_is_too_long(void **state)
{
    struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
    uint8_t bytes[3][64];
    uint8_t wire[200];
    struct estab_packet packets[3] = {0};
    struct device device;
    int other;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        packets[i].data = bytes[i];
        packets[i].capacity = 64;
        packets[i].conn = 99;
        packets[i].slice_count = 9;
    }
    make_pair(&device, &other, true);
    assert_int_equal(device_read(&device, packets, 3), 0);
    memcpy(wire, &header, sizeof header);
    memset(wire + 10, 0xaa, sizeof wire - 10);
    assert_int_equal(send(other, wire, 10 + 64, 0), 74);
    assert_int_equal(send(other, wire, 10 + 65, 0), 75);
    assert_int_equal(send(other, wire, 10 + 20, 0), 30);
    assert_int_equal(send(other, wire, 5, 0), 5);
    assert_int_equal(device_read(&device, packets, 3), 2);
    assert_int_equal(packets[0].length, 64);
    assert_int_equal(packets[1].length, 20);
    assert_int_equal(packets[0].interface, 3);
    assert_int_equal(packets[0].flags, ESTAB_PACKET_CHECKSUM_VALID);
    assert_int_equal(packets[0].slice_count, 0);
    assert_int_equal(packets[0].conn, 0);
    assert_int_equal(bytes[1][19], 0xaa);
    assert_int_equal(device.truncated, 2);
    assert_int_equal(device.packets_in, 2);
    close(other);
    assert_true(device_read(&device, packets, 3) < 0);
    device_close(&device);
}

/* ------------------------------------------------------------------------------------------ a real device */

/* Answers a SYN of the kernel by the count: what came in is what the kernel's TCP sent through the device. */
static int kernel_syn_arrives(struct device *device, bool offload)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    static uint8_t bytes[DEVICE_PACKET_ROOM];
    struct estab_packet packet = {.data = bytes, .capacity = sizeof bytes};
    struct pollfd wait = {device->fd, POLLIN, 0};
    int found = 0;

    to.sin_addr.s_addr = htonl(0x0a630002);
    connect(client, (struct sockaddr *)&to, sizeof to);
    for (unsigned i = 0; i < 20 && !found && poll(&wait, 1, 1000) == 1; i++) {
        if (device_read(device, &packet, 1) != 1 || bytes[0] != 0x45 || bytes[9] != 6)
            continue;
        found = packet.length >= 40 && bytes[33] == 0x02 && bytes[22] == 0 && bytes[23] == 80;
        if (((packet.flags & ESTAB_PACKET_CHECKSUM_VALID) != 0) != offload)
            found = 0;
    }
    close(client);
    return found;
}

/*
 * Each step has its number: the child's exit code says which one failed. 77 = no namespace or device to be
 * had here.
 */
static int real_device_steps(bool offload)
{
    struct device_options options = {.spec = "tun:estabtest0", .mtu = 1400, .no_offload = !offload};
    struct estab_addr kernel = estab_addr_ipv4(10, 99, 0, 1, 0);
    struct device device, second;
    char error[300] = "";

    if (unshare(CLONE_NEWNET) != 0 || access("/dev/net/tun", R_OK | W_OK) != 0)
        return 77;
    if (device_open(&device, &options, error, sizeof error) != DEVICE_OK)
        return strstr(error, "modprobe") != NULL || strstr(error, "permitted") != NULL ? 77 : 1;
    if (device.mtu != 1400 || device.offload != offload)
        return 2;
    if (device_open(&second, &options, error, sizeof error) != DEVICE_FAILED || strstr(error, "busy") == NULL)
        return 3;
    options.spec = "tap:estabtest0";
    if (device_open(&second, &options, error, sizeof error) != DEVICE_FAILED)
        return 4;
    options.spec = "tun:lo";
    if (device_open(&second, &options, error, sizeof error) != DEVICE_FAILED ||
        strstr(error, "is not a tun device") == NULL)
        return 5;
    if (device_up(&device) != 0)
        return 6;
    if (device_kernel_address(&device, &kernel, 24) != 0)
        return 7;
    if (!kernel_syn_arrives(&device, offload))
        return 8;
    device_close(&device);
    if (if_nametoindex("estabtest0") != 0)
        return 9;
    return 0;
}

static void run_in_child(int (*steps)(bool), bool argument)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        alarm(30);
        _exit(steps(argument));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void device_real_with_offload_gets_the_kernels_syn(void **state)
{
    (void)state;
    run_in_child(real_device_steps, true);
}

static void device_real_without_offload_gets_the_kernels_syn(void **state)
{
    (void)state;
    run_in_child(real_device_steps, false);
}

/* A packet written while the device is down is refused, counted, and not an end of the device. */
static int down_steps(bool ethernet)
{
    struct device_options options = {.spec = ethernet ? "tap:estabtest1" : "tun:estabtest1"};
    uint8_t bytes[64] = {0x45};
    struct estab_packet packet = {.data = bytes, .length = sizeof bytes};
    struct device device;
    char error[300];

    if (unshare(CLONE_NEWNET) != 0 || access("/dev/net/tun", R_OK | W_OK) != 0)
        return 77;
    if (device_open(&device, &options, error, sizeof error) != DEVICE_OK)
        return 77;
    if (device_write(&device, &packet, 1) != 1 || device.rejected != 1 || device.reject_errno != EIO)
        return 1;
    if (ethernet && (device.mac[0] & 3) != 2)
        return 2;
    if (device_up(&device) != 0 || device_write(&device, &packet, 1) != 1 || device.rejected != 1)
        return 3;
    device_close(&device);
    return 0;
}

static void device_real_down_refuses_and_counts(void **state)
{
    (void)state;
    run_in_child(down_steps, false);
    run_in_child(down_steps, true);
}

/* Without rights in the namespace the kernel says EPERM; an unprivileged user cannot open the file either. */
static int no_right_steps(bool unused)
{
    struct device_options options = {.spec = "tun:estabtest2"};
    struct device device;
    char error[300] = "";

    (void)unused;
    if (access("/dev/net/tun", F_OK) != 0 || (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)))
        return 77;
    if (device_open(&device, &options, error, sizeof error) != DEVICE_FAILED)
        return 1;
    return strstr(error, "root") != NULL && strchr(error, '\n') == NULL ? 0 : 2;
}

static void device_real_without_right_says_what_to_do(void **state)
{
    (void)state;
    run_in_child(no_right_steps, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_spec_good_is_split),
        cmocka_unit_test(device_spec_bad_is_named),
        cmocka_unit_test(device_mtu_out_of_range_is_usage),
        cmocka_unit_test(device_missing_path_says_what_to_do),
        cmocka_unit_test(device_that_is_none_fails_and_closes),
        cmocka_unit_test(header_complete_packet_asks_for_nothing),
        cmocka_unit_test(header_partial_checksum_is_left_to_the_kernel),
        cmocka_unit_test(header_long_segment_grid),
        cmocka_unit_test(header_short_text_is_not_cut),
        cmocka_unit_test(header_incoming_grid),
        cmocka_unit_test(interface_tells_what_the_device_can),
        cmocka_unit_test(write_gathers_header_packet_and_slices),
        cmocka_unit_test(write_without_offload_refuses_unfinished_packets),
        cmocka_unit_test(write_full_device_takes_some_and_the_rest_later),
        cmocka_unit_test(read_fills_packets_and_skips_what_is_too_long),
        cmocka_unit_test(device_real_with_offload_gets_the_kernels_syn),
        cmocka_unit_test(device_real_without_offload_gets_the_kernels_syn),
        cmocka_unit_test(device_real_down_refuses_and_counts),
        cmocka_unit_test(device_real_without_right_says_what_to_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
