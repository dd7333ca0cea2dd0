/*
 * The kernel's end of a TUN or TAP device (device.h): set up, and given an address, so that demos and tests
 * need no other program. Linux rtnetlink(7) and netdevice(7). Wants CAP_NET_ADMIN in the device's network
 * namespace.
 *
 * It knows nothing of packets or stacks.
 */
#include "addr.h"
#include "device.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

int device_up(const struct device *device)
{
    int query = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    int result = 0;

    if (query < 0)
        return -errno;
    memcpy(request.ifr_name, device->name, sizeof device->name);
    if (ioctl(query, SIOCGIFFLAGS, &request) != 0)
        result = -errno;
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    if (result == 0 && ioctl(query, SIOCSIFFLAGS, &request) != 0)
        result = -errno;
    close(query);
    return result;
}

struct address_request {
    struct nlmsghdr header;
    struct ifaddrmsg address;
    uint8_t attributes[64];
};

static void add_attribute(struct address_request *request, unsigned short type, const void *data,
                          size_t length)
{
    struct rtattr attribute = {(unsigned short)RTA_LENGTH(length), type};
    size_t start = NLMSG_ALIGN(request->header.nlmsg_len);
    uint8_t *at = (uint8_t *)request + start;

    memcpy(at, &attribute, sizeof attribute);
    memcpy(at + RTA_LENGTH(0), data, length);
    request->header.nlmsg_len = (uint32_t)(start + RTA_ALIGN(RTA_LENGTH(length)));
}

/* Sends the request and waits for the kernel's word on it. */
static int transact(const struct address_request *request)
{
    int query = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        uint8_t rest[256];
    } answer;
    int result = 0;

    if (query < 0)
        return -errno;
    if (send(query, request, request->header.nlmsg_len, 0) < 0)
        result = -errno;
    else if (recv(query, &answer, sizeof answer, 0) < (ssize_t)NLMSG_LENGTH(sizeof answer.error))
        result = -EIO;
    else if (answer.header.nlmsg_type == NLMSG_ERROR)
        result = answer.error.error;
    close(query);
    return result;
}

int device_kernel_address(const struct device *device, const struct estab_addr *address, unsigned prefix)
{
    bool ipv4 = addr_is_ipv4(address);
    const uint8_t *bytes = ipv4 ? address->ip + 12 : address->ip;
    size_t length = ipv4 ? 4 : 16;
    struct address_request request = {0};

    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.address);
    request.header.nlmsg_type = RTM_NEWADDR;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    request.address.ifa_family = ipv4 ? AF_INET : AF_INET6;
    request.address.ifa_prefixlen = (uint8_t)prefix;
    request.address.ifa_flags = ipv4 ? 0 : IFA_F_NODAD;
    request.address.ifa_index = if_nametoindex(device->name);
    if (request.address.ifa_index == 0)
        return -errno;
    add_attribute(&request, IFA_LOCAL, bytes, length);
    add_attribute(&request, IFA_ADDRESS, bytes, length);
    return transact(&request);
}
