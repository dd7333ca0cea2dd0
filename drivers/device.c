/*
 * Linux TUN and TAP devices (device.h): Documentation/networking/tuntap.rst of the kernel, and the
 * virtio-net header of the virtio specification 5.1.6 in its legacy form, whose fields stand in the byte
 * order of the machine.
 *
 * A packet that the kernel made itself comes with VIRTIO_NET_HDR_F_NEEDS_CSUM: its checksum field holds the
 * pseudo header's sum only, for the sender would have left the rest to the network card. It never was on a
 * wire, so it counts as verified, as Linux counts it.
 *
 * This file knows packets, not connections; it looks into one for the CWR bit only, which the segmentation
 * type has to name.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_tun.h>

#define DEVICE_PATH "/dev/net/tun"
#define MTU_MIN     68u
#define MTU_MAX     65535u
#define CARRIER_WAIT_MS 100u

/* 65535 bytes of an IP packet without the longest headers that are sent: IPv6 40, TCP 60; rounded down. */
#define GSO_TEXT_MAX 65400u

#define ETHERNET_HEADER 14u
#define TCP_FLAGS_AT    13u
#define TCP_CWR         0x80u

/* ------------------------------------------------------------------------------------------ specification */

static bool name_is_good(const char *name)
{
    bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;

    return name[0] != '\0' && !dots && strpbrk(name, "/:% \t\n") == NULL;
}

enum device_result device_parse_spec(const char *spec, struct device *device, char *error, size_t size)
{
    bool tap = strncmp(spec, "tap:", 4) == 0;
    const char *name = spec + 4;

    if (!tap && strncmp(spec, "tun:", 4) != 0) {
        snprintf(error, size, "bad device '%.64s': write tun:NAME or tap:NAME", spec);
        return DEVICE_USAGE;
    }
    if (strlen(name) >= DEVICE_NAME) {
        snprintf(error, size, "device name '%.64s' is too long: at most %d characters", name,
                 DEVICE_NAME - 1);
        return DEVICE_USAGE;
    }
    if (!name_is_good(name)) {
        snprintf(error, size, "bad device name in '%.64s': letters and digits, like tun:estab0", spec);
        return DEVICE_USAGE;
    }
    device->ethernet = tap;
    snprintf(device->name, sizeof device->name, "%s", name);
    return DEVICE_OK;
}

/* ------------------------------------------------------------------------------------------ virtio header */

static size_t text_in_slices(const struct estab_packet *packet)
{
    size_t length = 0;

    if (packet->slices == NULL)
        return 0;
    for (unsigned i = 0; i < packet->slice_count; i++)
        length += packet->slices[i].length;
    return length;
}

/* The version nibble of the IP header tells which segmentation it is. */
static uint8_t gso_type(const struct estab_packet *packet, bool ethernet)
{
    size_t ip = ethernet ? ETHERNET_HEADER : 0;
    size_t flags = packet->checksum_start + TCP_FLAGS_AT;
    uint8_t type = VIRTIO_NET_HDR_GSO_TCPV4;

    if (ip < packet->length && packet->data[ip] >> 4 == 6)
        type = VIRTIO_NET_HDR_GSO_TCPV6;
    if (flags < packet->length && (packet->data[flags] & TCP_CWR) != 0)
        type |= VIRTIO_NET_HDR_GSO_ECN;
    return type;
}

void device_header_from_packet(struct virtio_net_hdr *header, const struct estab_packet *packet,
                               bool ethernet)
{
    size_t total = packet->length + text_in_slices(packet);

    memset(header, 0, sizeof *header);
    if ((packet->flags & ESTAB_PACKET_CHECKSUM_PARTIAL) == 0)
        return;
    header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header->csum_start = packet->checksum_start;
    header->csum_offset = packet->checksum_offset;
    if (packet->gso_size == 0 || total <= (size_t)packet->header_length + packet->gso_size)
        return;
    header->hdr_len = packet->header_length;
    header->gso_size = packet->gso_size;
    header->gso_type = gso_type(packet, ethernet);
}

void device_header_to_packet(struct estab_packet *packet, const struct virtio_net_hdr *header)
{
    uint8_t type = (uint8_t)(header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN);

    packet->flags = 0;
    packet->gso_size = 0;
    if ((header->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) != 0)
        packet->flags = ESTAB_PACKET_CHECKSUM_VALID;
    if (type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6)
        packet->gso_size = header->gso_size;
}

/*
 * ------------------------------------------------------------------------------------------ open and close
 */

static enum device_result report_open(const char *path, int code, char *error, size_t size)
{
    const char *hint = "";

    if (code == ENOENT || code == ENODEV || code == ENXIO)
        hint = ": the kernel's tun module is missing (modprobe tun), or a container must be given the device";
    if (code == EACCES || code == EPERM)
        hint = ": run as root, or give your user the right to read and write it";
    snprintf(error, size, "cannot open %.128s: %s%s", path, strerror(code), hint);
    return DEVICE_FAILED;
}

static enum device_result report_attach(const struct device *device, int code, char *error, size_t size)
{
    const char *kind = device->ethernet ? "tap" : "tun";

    if (code == EPERM || code == EACCES)
        snprintf(error, size,
                 "not permitted to open %s device %s: run as root, or let root once run "
                 "`ip tuntap add dev %s mode %s user NAME`, or use a network namespace (unshare -Urn)",
                 kind, device->name, device->name, kind);
    else if (code == EBUSY)
        snprintf(error, size, "%s device %s is busy: another program has it open", kind, device->name);
    else if (code == EINVAL && if_nametoindex(device->name) != 0)
        snprintf(error, size, "%s exists and is not a %s device: choose another name", device->name, kind);
    else
        snprintf(error, size, "cannot open %s device %s: %s", kind, device->name, strerror(code));
    return DEVICE_FAILED;
}

/*
 * Which kinds of long segments the kernel may hand in whole. A kernel that knows fewer of them refuses all;
 * then it cuts and sums them itself, which works as well.
 */
static void set_offload(const struct device *device)
{
    unsigned wanted = device->offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;
    int header = (int)sizeof(struct virtio_net_hdr);
    int legacy = 0;

    if (device->offload) {
        ioctl(device->fd, TUNSETVNETHDRSZ, &header);
        ioctl(device->fd, TUNSETVNETLE, &legacy);
    }
    if (ioctl(device->fd, TUNSETOFFLOAD, (unsigned long)wanted) != 0)
        ioctl(device->fd, TUNSETOFFLOAD, 0UL);
}

static bool attach(struct device *device)
{
    struct ifreq request = {0};
    int flags = IFF_NO_PI | (device->ethernet ? IFF_TAP : IFF_TUN) | (device->offload ? IFF_VNET_HDR : 0);

    request.ifr_flags = (short)flags;
    memcpy(request.ifr_name, device->name, sizeof device->name);
    if (ioctl(device->fd, TUNSETIFF, &request) != 0)
        return false;
    set_offload(device);
    return true;
}

/*
 * A device that is up begins to carry packets a moment after it was attached: until then the kernel drops
 * what it sends us, and the answer to our first SYN with it.
 */
static void await_carrier(const struct device *device)
{
    int query = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct timespec pause = {.tv_nsec = 1000000};

    for (unsigned i = 0; query >= 0 && i < CARRIER_WAIT_MS; i++) {
        struct ifreq request = {0};
        memcpy(request.ifr_name, device->name, sizeof device->name);
        if (ioctl(query, SIOCGIFFLAGS, &request) != 0 || !(request.ifr_flags & IFF_UP) ||
            (request.ifr_flags & IFF_RUNNING))
            break;
        nanosleep(&pause, NULL);
    }
    if (query >= 0)
        close(query);
}

/*
 * Reads the device's MTU, and sets it where another one is asked for. Without the right to set it a smaller
 * one is simply kept to.
 */
static enum device_result settle_mtu(struct device *device, uint32_t wanted, char *error, size_t size)
{
    int query = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    int code = 0;

    memcpy(request.ifr_name, device->name, sizeof device->name);
    if (query < 0 || ioctl(query, SIOCGIFMTU, &request) != 0)
        code = errno;
    device->mtu = (uint32_t)request.ifr_mtu;
    if (code == 0 && wanted != 0 && wanted != device->mtu) {
        request.ifr_mtu = (int)wanted;
        if (ioctl(query, SIOCSIFMTU, &request) != 0 && wanted > device->mtu)
            code = errno;
        device->mtu = wanted;
    }
    if (query >= 0)
        close(query);
    if (code == 0)
        return DEVICE_OK;
    snprintf(error, size, "cannot set the MTU of %s to %u: %s", device->name, (unsigned)wanted,
             strerror(code));
    return DEVICE_FAILED;
}

/*
 * Every address of our own making is a local one: second lowest bit of the first byte set, lowest (group)
 * clear.
 */
static void choose_mac(struct device *device, const uint8_t wanted[6])
{
    static const uint8_t none[6];

    memcpy(device->mac, wanted, 6);
    if (memcmp(wanted, none, 6) != 0)
        return;
    if (getrandom(device->mac, 6, GRND_NONBLOCK) != 6)
        memcpy(device->mac, device->name, 6);
    device->mac[0] = (uint8_t)((device->mac[0] & 0xfc) | 0x02);
}

enum device_result device_open(struct device *device, const struct device_options *options, char *error,
                               size_t size)
{
    const char *path = options->path != NULL ? options->path : DEVICE_PATH;
    enum device_result result;

    memset(device, 0, sizeof *device);
    device->fd = -1;
    result = device_parse_spec(options->spec, device, error, size);
    if (result != DEVICE_OK)
        return result;
    if (options->mtu != 0 && (options->mtu < MTU_MIN || options->mtu > MTU_MAX)) {
        snprintf(error, size, "bad MTU %u: %u to %u", (unsigned)options->mtu, MTU_MIN, MTU_MAX);
        return DEVICE_USAGE;
    }
    device->offload = !options->no_offload;
    choose_mac(device, options->mac);
    device->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (device->fd < 0)
        return report_open(path, errno, error, size);
    result = attach(device) ? settle_mtu(device, options->mtu, error, size)
                            : report_attach(device, errno, error, size);
    if (result != DEVICE_OK)
        device_close(device);
    else
        await_carrier(device);
    return result;
}

void device_adopt(struct device *device, int fd, bool ethernet, bool offload, uint32_t mtu)
{
    static const uint8_t none[6];

    memset(device, 0, sizeof *device);
    device->fd = fd;
    device->ethernet = ethernet;
    device->offload = offload;
    device->mtu = mtu;
    snprintf(device->name, sizeof device->name, "adopted");
    choose_mac(device, none);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void device_close(struct device *device)
{
    if (device->fd >= 0)
        close(device->fd);
    device->fd = -1;
}

void device_interface(const struct device *device, struct estab_interface *interface)
{
    memset(interface, 0, sizeof *interface);
    interface->size = sizeof *interface;
    interface->mtu = device->mtu;
    interface->ethernet = device->ethernet;
    memcpy(interface->mac, device->mac, sizeof interface->mac);
    interface->checksum_offload = device->offload;
    interface->gso_max = device->offload ? GSO_TEXT_MAX : 0;
}

/*
 * ------------------------------------------------------------------------------------------ input and
 * output
 */

/*
 * One packet: 1 = read, 0 = nothing there, or a negative errno. A packet longer than its room is read away
 * and counted.
 */
static int read_one(struct device *device, struct estab_packet *packet)
{
    struct virtio_net_hdr header = {0};
    size_t head = device->offload ? sizeof header : 0;
    uint8_t spill;
    struct iovec parts[3] = {{&header, head}, {packet->data, packet->capacity}, {&spill, 1}};
    ssize_t n;

    for (;;) {
        n = readv(device->fd, parts, 3);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -ENODEV;
        if ((size_t)n > head && (size_t)n <= head + packet->capacity)
            break;
        device->truncated++;
    }
    packet->length = (uint32_t)((size_t)n - head);
    packet->interface = device->interface;
    packet->slice_count = 0;
    packet->state_before = packet->state_after = packet->reason = 0;
    packet->conn = 0;
    device_header_to_packet(packet, &header);
    device->packets_in++;
    return 1;
}

int device_read(struct device *device, struct estab_packet *packets, unsigned count)
{
    unsigned done = 0;

    while (done < count) {
        int result = read_one(device, &packets[done]);

        if (result < 0 && done == 0)
            return result;
        if (result <= 0)
            break;
        done++;
    }
    return (int)done;
}

/* Header, packet and slices as one vector; 0 = it cannot be sent this way. */
static int gather(const struct device *device, const struct estab_packet *packet,
                  struct virtio_net_hdr *header, struct iovec *parts)
{
    unsigned slices = packet->slices != NULL ? packet->slice_count : 0;
    int count = 0;

    if (slices > DEVICE_SLICES || (!device->offload && (packet->flags & ESTAB_PACKET_CHECKSUM_PARTIAL) != 0))
        return 0;
    if (device->offload) {
        device_header_from_packet(header, packet, device->ethernet);
        parts[count++] = (struct iovec){header, sizeof *header};
    }
    parts[count++] = (struct iovec){packet->data, packet->length};
    for (unsigned i = 0; i < slices; i++) {
        /* writev() takes the bytes without const and does not change them. */
        union {
            const uint8_t *in;
            void *out;
        } bytes = {.in = packet->slices[i].data};

        parts[count++] = (struct iovec){bytes.out, packet->slices[i].length};
    }
    return count;
}

static bool is_full(int code)
{
    return code == EAGAIN || code == ENOBUFS || code == ENOMEM;
}

/* The device lives, this packet does not: down (EIO), or its header did not please the kernel. */
static bool is_refusal(int code)
{
    return code == EIO || code == EINVAL || code == EMSGSIZE || code == EPERM || code == ENETDOWN;
}

static void reject(struct device *device, int code)
{
    device->rejected++;
    device->reject_errno = code;
}

/* 1 = taken, 0 = the device is full, or a negative errno. */
static int write_one(struct device *device, const struct estab_packet *packet)
{
    struct iovec parts[2 + DEVICE_SLICES];
    struct virtio_net_hdr header;
    int count = gather(device, packet, &header, parts);

    if (count == 0) {
        reject(device, EMSGSIZE);
        return 1;
    }
    while (writev(device->fd, parts, count) < 0) {
        int code = errno;

        if (code == EINTR)
            continue;
        if (is_full(code))
            return 0;
        if (!is_refusal(code))
            return -code;
        reject(device, code);
        return 1;
    }
    device->packets_out++;
    return 1;
}

int device_write(struct device *device, const struct estab_packet *packets, unsigned count)
{
    unsigned done = 0;

    while (done < count) {
        int result = write_one(device, &packets[done]);

        if (result < 0 && done == 0)
            return result;
        if (result <= 0)
            break;
        done++;
    }
    return (int)done;
}
