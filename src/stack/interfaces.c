/*
 * The API over the IP layer's tables: interfaces, addresses, routes, neighbours, all of which may change
 * while connections live.
 */
#include "base/mem.h"
#include "stack/stack.h"
#include "tcp/icmp_error.h"
#include "tcp/mtu_probing.h"
#include "tcp/user_calls.h"

int estab_interface_add(estab_stack *stack, uint64_t now, const struct estab_interface *interface)
{
    return ip_interface_add(stack->ip, now, interface);
}

/* Connections through the interface learn of a smaller MTU at once, of a larger one when they open anew. */
int estab_interface_set_mtu(estab_stack *stack, uint64_t now, uint32_t interface, uint32_t mtu)
{
    int error = ip_interface_set_mtu(stack->ip, interface, mtu);
    for (uint32_t i = 0; error == 0 && i < stack->conn_fresh; i++) {
        struct conn *conn = &stack->conns[i];
        bool lives = conn->in_use && conn->tcp.state >= ESTAB_SYN_SENT && conn->tcp.state < ESTAB_TIME_WAIT;
        if (!lives || conn->path.interface != interface) {
            continue;
        }
        struct tcp_context *ctx = conn_context(stack, conn, now);
        uint32_t mss = mtu > conn_headers(conn) ? mtu - conn_headers(conn) : 0;
        mtu_probing_on_link(&conn->tcp, mss);
        if (mss < conn->tcp.path_mss) {
            tcp_path_mss_changed(&conn->tcp, ctx, mss);
            conn_settle(stack, conn);
        }
    }
    return error;
}

int estab_address_add(estab_stack *stack, uint64_t now, uint32_t interface, const struct estab_addr *address,
                      unsigned prefix)
{
    struct ip_addr ip = ip_of(address);
    return ip_address_add(stack->ip, now, interface, &ip, prefix);
}

int estab_address_remove(estab_stack *stack, uint64_t now, uint32_t interface,
                         const struct estab_addr *address)
{
    struct ip_addr ip = ip_of(address);
    int error = ip_address_remove(stack->ip, interface, &ip);
    for (uint32_t i = 0; error == 0 && i < stack->conn_fresh; i++) {
        struct conn *conn = &stack->conns[i];
        bool lives = conn->in_use && conn->tcp.state >= ESTAB_SYN_SENT && conn->tcp.state < ESTAB_TIME_WAIT;
        if (lives && ip_addr_eq(&conn->local, &ip)) {
            tcp_abort(&conn->tcp, conn_context(stack, conn, now), -ESTAB_EADDRNOTAVAIL);
            conn_settle(stack, conn);
        }
    }
    return error;
}

int estab_route_add(estab_stack *stack, uint32_t interface, const struct estab_addr *network, unsigned prefix,
                    const struct estab_addr *gateway)
{
    struct ip_addr to = ip_of(network);
    struct ip_addr by = gateway != NULL ? ip_of(gateway) : to;
    return ip_route_add(stack->ip, interface, &to, prefix, gateway != NULL ? &by : NULL);
}

int estab_route_remove(estab_stack *stack, uint32_t interface, const struct estab_addr *network,
                       unsigned prefix)
{
    struct ip_addr to = ip_of(network);
    return ip_route_remove(stack->ip, interface, &to, prefix);
}

int estab_neighbour_add(estab_stack *stack, uint64_t now, uint32_t interface,
                        const struct estab_addr *address, const uint8_t mac[6])
{
    struct ip_addr ip = ip_of(address);
    struct mac_addr link;
    memcpy(link.b, mac, 6);
    stack->tcp.now = now;
    int error = ip_neighbour_add(stack->ip, interface, &ip, &link);
    if (ip_take_settled(stack->ip)) {
        unpark_all(stack);
    }
    return error;
}
