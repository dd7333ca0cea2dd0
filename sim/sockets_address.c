/*
 * Socket addresses of Linux and addresses of the library, both ways, with Linux's checks: lengths first, then
 * families. IPv4 stands in mapped form in the library, and on an AF_INET6 socket of Linux too.
 */
#include "sockets_private.h"

#include <netinet/in.h>
#include <string.h>

#define SIN6_LENGTH_RFC2133 24 /* without sin6_scope_id: what Linux still takes */

bool address_is_v4(const struct estab_addr *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(address->ip, mapped, sizeof mapped) == 0;
}

struct estab_addr address_any(const struct socket *socket, uint16_t port)
{
    return socket->domain == AF_INET ? estab_addr_ipv4(0, 0, 0, 0, port) : estab_addr_any(port);
}

static int read_v4(const struct sockaddr *from, socklen_t length, struct estab_addr *to)
{
    struct sockaddr_in in;
    if (length < sizeof in) {
        return -EINVAL;
    }
    memcpy(&in, from, sizeof in);
    if (in.sin_family != AF_INET && !(in.sin_family == AF_UNSPEC && in.sin_addr.s_addr == INADDR_ANY)) {
        return -EAFNOSUPPORT;
    }
    *to = estab_addr_ipv4(0, 0, 0, 0, ntohs(in.sin_port));
    memcpy(to->ip + 12, &in.sin_addr, 4);
    return 0;
}

static int read_v6(const struct sockaddr *from, socklen_t length, struct estab_addr *to)
{
    struct sockaddr_in6 in = {0};
    if (length < SIN6_LENGTH_RFC2133) {
        return -EINVAL;
    }
    memcpy(&in, from, length < sizeof in ? length : sizeof in);
    if (in.sin6_family != AF_INET6) {
        return -EAFNOSUPPORT;
    }
    *to = estab_addr_any(ntohs(in.sin6_port));
    memcpy(to->ip, &in.sin6_addr, 16);
    to->scope = in.sin6_scope_id;
    return 0;
}

int address_read(const struct socket *socket, const struct sockaddr *from, socklen_t length,
                 struct estab_addr *to)
{
    if (from == NULL) {
        return -EFAULT;
    }
    if (length > sizeof(struct sockaddr_storage)) {
        return -EINVAL;
    }
    return socket->domain == AF_INET ? read_v4(from, length, to) : read_v6(from, length, to);
}

int address_write(const struct socket *socket, const struct estab_addr *from, struct sockaddr *to,
                  socklen_t *length)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(from->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(from->port)};
    bool v4 = socket->domain == AF_INET;
    if (to == NULL || length == NULL) {
        return -EFAULT;
    }
    if ((int)*length < 0) {
        return -EINVAL;
    }
    memcpy(&in.sin_addr, from->ip + 12, 4);
    memcpy(&in6.sin6_addr, from->ip, 16);
    in6.sin6_scope_id = from->scope;
    const void *bytes = v4 ? (const void *)&in : (const void *)&in6;
    socklen_t size = v4 ? sizeof in : sizeof in6;
    memcpy(to, bytes, *length < size ? *length : size);
    *length = size;
    return 0;
}
