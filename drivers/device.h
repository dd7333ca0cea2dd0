/*
 * A Linux TUN (IP packets) or TAP (Ethernet frames) device as the link of a stack.
 *
 * Each packet travels with the virtio-net header, so that checksums and the cutting of long segments are
 * left to the kernel and merged segments come in whole; `no_offload` switches that off. The descriptor does
 * not block. Text of a segment is gathered from the stack's slices: no copy of it is made here. It knows
 * packets, not connections. Tests and privilege-separated programs hand in an open descriptor with
 * device_adopt().
 */
#ifndef ESTAB_DRIVERS_DEVICE_H
#define ESTAB_DRIVERS_DEVICE_H

#include "estab/estab.h"

#include <linux/virtio_net.h>

/* Room a packet needs at the most: 64 KiB of merged segments and an Ethernet header, rounded. */
#define DEVICE_PACKET_ROOM 65664u

/* Slices a packet may be gathered from. */
#define DEVICE_SLICES 64u

#define DEVICE_NAME 16 /* IFNAMSIZ: 15 characters and NUL */

struct device_options {
    const char *spec; /* "tun:NAME" or "tap:NAME" */
    const char *path; /* NULL = "/dev/net/tun" */
    uint32_t mtu;     /* 0 = what the device has; else the device is set to it */
    bool no_offload;  /* no virtio-net header: checksums and segments are the stack's work */
    uint8_t mac[6];   /* of the stack's end of a TAP device; all zero = a random local one */
};

struct device {
    int fd; /* -1 = closed */
    uint32_t mtu;
    bool ethernet;  /* TAP */
    bool offload;   /* the virtio-net header is there */
    uint8_t mac[6]; /* the stack's, not the kernel's */
    char name[DEVICE_NAME];
    uint32_t interface; /* put into packets that are read: the caller sets it to what
                              * estab_interface_add() returned */
    uint64_t packets_in, packets_out;
    uint64_t truncated; /* read, but longer than the room: not handed on */
    uint64_t rejected;  /* the kernel refused the packet (the device is down, or the packet malformed):
                              * lost, counted */
    int reject_errno;   /* why, the last time */
};

enum device_result {
    DEVICE_OK = 0,
    DEVICE_FAILED = 1, /* the exit code that a tool should end with */
    DEVICE_USAGE = 2
};

/*
 * Opens or creates the device. Not DEVICE_OK: one line without newline in `error` says what is wrong and
 * what would be right; nothing is left open.
 */
enum device_result device_open(struct device *device, const struct device_options *options, char *error,
                               size_t size);

/*
 * Takes over an open descriptor that gives and takes one packet a call (a TUN device from elsewhere, a
 * datagram socket pair), offload = with a virtio-net header in front. Makes it non-blocking.
 */
void device_adopt(struct device *device, int fd, bool ethernet, bool offload, uint32_t mtu);

void device_close(struct device *device);

/* What the stack should know: for estab_interface_add(). */
void device_interface(const struct device *device, struct estab_interface *interface);

/*
 * Reads up to `count` packets into data/capacity of each (DEVICE_PACKET_ROOM avoids truncation) and fills
 * the other fields as estab_input() wants them. Returns their number, 0 = nothing there, or a negative
 * errno: the device is gone.
 */
int device_read(struct device *device, struct estab_packet *packets, unsigned count);

/*
 * Writes packets as estab_pull() gave them. Returns how many were taken from the front: fewer than `count`
 * = the device is full, wait for POLLOUT and offer the rest again. A packet that the kernel refuses counts
 * as taken and in `rejected`. A negative errno: the device is gone.
 */
int device_write(struct device *device, const struct estab_packet *packets, unsigned count);

/* ----------------------------------------- the kernel's end, for demos and tests (wants CAP_NET_ADMIN) */

/* Sets the device up. 0 or a negative errno. */
int device_up(const struct device *device);

/* Gives the kernel's end an address, without duplicate address detection. 0 or a negative errno. */
int device_kernel_address(const struct device *device, const struct estab_addr *address, unsigned prefix);

/* ---------------------------------------------------------------------------------- pure, tested alone */

/* Splits "tun:NAME". DEVICE_USAGE with a line in `error`. */
enum device_result device_parse_spec(const char *spec, struct device *device, char *error, size_t size);

/* The virtio-net header for a packet of the stack, whose text may be in slices. */
void device_header_from_packet(struct virtio_net_hdr *header, const struct estab_packet *packet,
                               bool ethernet);

/* What the header says of a packet that came in: flags and gso_size. */
void device_header_to_packet(struct estab_packet *packet, const struct virtio_net_hdr *header);

#endif
