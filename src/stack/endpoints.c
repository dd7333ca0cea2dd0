/*
 * The API's calls that make, open and end connections: OPEN, CLOSE and ABORT of RFC 9293 3.10 under the names
 * that BSD users know.
 */
#include "base/mem.h"
#include "stack/stack.h"
#include "tcp/user_calls.h"

int estab_open(estab_stack *stack, estab_conn *out)
{
    struct conn *conn = conn_new(stack);
    if (conn == NULL) {
        return -ESTAB_ENOBUFS;
    }
    *out = conn_handle(stack, conn);
    return 0;
}

/* ---- names ---- */

static bool is_mapped_any(const struct ip_addr *ip)
{
    return ip_addr_is_any(ip) && ip_addr_is_v4(ip);
}

static int check_local(const struct estab_stack *stack, const struct ip_addr *local)
{
    if (!ip_addr_is_any(local) && !ip_is_local(stack->ip, local)) {
        return -ESTAB_EADDRNOTAVAIL; /* MUST-43 */
    }
    return !ip_addr_is_v4(local) && !ip_addr_is_any(local) && stack->settings.ipv6 == NULL
               ? -ESTAB_EAFNOSUPPORT
               : 0;
}

static int bind_port(struct estab_stack *stack, struct conn *conn, const struct ip_addr *local, uint16_t port)
{
    if (port != 0 && port_conflict(stack, conn, local, port)) {
        return -ESTAB_EADDRINUSE;
    }
    struct flow_key key = {.local = *local, .local_port = port};
    bool any_port = port == 0 && ip_addr_is_any(local);
    if (port == 0 && !any_port && !port_choose(stack, conn, &key)) {
        return -ESTAB_EADDRNOTAVAIL;
    }
    conn->local = *local;
    conn->local_port = key.local_port;
    conn->bound_any = ip_addr_is_any(local);
    conn->bound_any_v4 = is_mapped_any(local);
    port_bind(stack, conn);
    return 0;
}

int estab_bind(estab_stack *stack, uint64_t now, estab_conn handle, const struct estab_addr *local)
{
    struct conn *conn = conn_of(stack, handle);
    stack->tcp.now = now;
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    if (conn->tcp.state != ESTAB_CLOSED || conn->bound || conn->tcp.established || conn->spent) {
        return -ESTAB_EINVAL;
    }
    struct ip_addr ip = ip_of(local);
    int error = check_local(stack, &ip);
    if (error == 0) {
        conn->scope = (uint8_t)local->scope;
        error = bind_port(stack, conn, &ip, local->port);
    }
    return error;
}

/* ---- OPEN ---- */

int estab_connect(estab_stack *stack, uint64_t now, estab_conn handle, const struct estab_addr *remote)
{
    struct conn *conn = conn_of(stack, handle);
    stack->tcp.now = now;
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    if (conn->listening || conn->tcp.state > ESTAB_LISTEN) {
        return -ESTAB_EISCONN;
    }
    if (conn->tcp.established || conn->spent) {
        return -ESTAB_EINVAL; /* one record, one connection */
    }
    struct ip_addr before = conn->remote;
    uint16_t port_before = conn->remote_port;
    struct ip_addr ip = ip_of(remote);
    if (!ip_addr_is_v4(&ip) && stack->settings.ipv6 == NULL) {
        return -ESTAB_EAFNOSUPPORT;
    }
    conn_leave_table(stack, conn);
    conn->remote = ip;
    conn->remote_port = remote->port;
    conn->scope = remote->scope != 0 ? (uint8_t)remote->scope : conn->scope;
    int error = conn_open_active(stack, conn, EVENT_ACTIVE_OPEN);
    if (error != 0) {
        conn->remote = before;
        conn->remote_port = port_before;
        if (conn->tcp.state == ESTAB_LISTEN) {
            conn_enter_table(stack, conn);
        }
        return error;
    }
    conn_settle(stack, conn);
    return 0;
}

/* Whether a passive OPEN is possible: bound and closed. */
static int check_closed(const struct conn *conn)
{
    if (conn->tcp.state != ESTAB_CLOSED || conn->tcp.established || conn->spent) {
        return conn->tcp.state == ESTAB_CLOSED ? -ESTAB_EINVAL : -ESTAB_EISCONN;
    }
    return conn->bound ? 0 : -ESTAB_EINVAL;
}

/* And nobody listens there yet (MUST-41). */
static int check_passive(const struct estab_stack *stack, const struct conn *conn)
{
    struct flow_key key = {conn->local, conn->remote, conn->local_port, conn->remote_port};
    int error = check_closed(conn);
    bool taken = error == 0 && flow_find(stack, &key, flow_hash(stack, &key)) != TABLE_NONE;
    return taken ? -ESTAB_EADDRINUSE : error;
}

int estab_open_passive(estab_stack *stack, uint64_t now, estab_conn handle, const struct estab_addr *remote)
{
    struct conn *conn = conn_of(stack, handle);
    stack->tcp.now = now;
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    if (conn->tcp.state == ESTAB_CLOSED && conn->local_port == 0) {
        return -ESTAB_EINVAL; /* every port is for listeners: this record becomes one connection */
    }
    struct ip_addr ip = remote != NULL ? ip_of(remote) : (struct ip_addr){{0}};
    bool named = remote != NULL && remote->port != 0 && !ip_addr_is_any(&ip);
    if (conn->tcp.state == ESTAB_CLOSED && named) {
        conn->remote = ip;
        conn->remote_port = remote->port;
    }
    int error = check_passive(stack, conn);
    if (error == 0 && named) {
        error = conn_find_path(stack, conn, now);
    }
    if (error != 0) {
        if (conn->tcp.state == ESTAB_CLOSED && named) {
            conn->remote = (struct ip_addr){{0}};
            conn->remote_port = 0;
            conn->local = conn_bound_address(conn);
        }
        return error;
    }
    conn->named_remote = named;
    conn_event(&conn->tcp, conn_context(stack, conn, now), EVENT_PASSIVE_OPEN);
    conn_enter_table(stack, conn);
    return 0;
}

int estab_listen(estab_stack *stack, uint64_t now, estab_conn handle, unsigned backlog)
{
    struct conn *conn = conn_of(stack, handle);
    stack->tcp.now = now;
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    if (backlog < 1 || backlog > 65535) {
        return -ESTAB_EINVAL;
    }
    if (conn->listening) {
        conn->listener.backlog = (uint16_t)backlog;
        return 0;
    }
    int error = check_closed(conn);
    error = error != 0 ? error : group_join(stack, conn);
    if (error != 0) {
        return error;
    }
    conn->listening = true;
    conn->listener = (struct listener){.waiting = {NONE, NONE}, .backlog = (uint16_t)backlog};
    conn_event(&conn->tcp, conn_context(stack, conn, now), EVENT_PASSIVE_OPEN);
    conn_enter_table(stack, conn);
    return 0;
}

int estab_accept(estab_stack *stack, uint64_t now, estab_conn handle, estab_conn *out)
{
    struct conn *listener = conn_of(stack, handle);
    stack->tcp.now = now;
    if (listener == NULL) {
        return -ESTAB_EBADF;
    }
    if (!listener->listening) {
        return -ESTAB_EOPNOTSUPP;
    }
    struct conn *child = waiting_pop(stack, listener);
    if (child == NULL) {
        return -ESTAB_EAGAIN;
    }
    child->has_parent = false;
    child->partner = NONE;
    stack->counters.accepts++;
    *out = conn_handle(stack, child);
    conn_context(stack, child, now);
    conn_settle(stack, child);
    return 0;
}

/* ---- CLOSE and ABORT ---- */

static int close_sending(struct estab_stack *stack, struct conn *conn)
{
    int error = tcp_close(&conn->tcp, &stack->tcp);
    return error == -ESTAB_EPIPE ? 0 : error; /* closed before: nothing is wrong */
}

int estab_shutdown(estab_stack *stack, uint64_t now, estab_conn handle, enum estab_how how)
{
    struct conn *conn = conn_of(stack, handle);
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    if (how < ESTAB_SHUT_RD || how > ESTAB_SHUT_RDWR) {
        return -ESTAB_EINVAL;
    }
    if (conn->listening || conn->tcp.state == ESTAB_CLOSED) {
        return -ESTAB_ENOTCONN;
    }
    struct tcp_context *ctx = conn_context(stack, conn, now);
    if (how & ESTAB_SHUT_RD) {
        conn->tcp.shut_read = true;
        tcp_consume(&conn->tcp, ctx, recv_queue_readable(&conn->tcp.rcv));
    }
    int error = (how & ESTAB_SHUT_WR) ? close_sending(stack, conn) : 0;
    conn_settle(stack, conn);
    return error;
}

int estab_close(estab_stack *stack, uint64_t now, estab_conn handle)
{
    struct conn *conn = conn_of(stack, handle);
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    conn_context(stack, conn, now);
    if (conn->listening) {
        listener_close(stack, conn);
    }
    bool unread = recv_queue_readable(&conn->tcp.rcv) > 0;
    if (unread || conn->linger_abort) { /* SHLD-3 */
        conn_abort(stack, conn, -ESTAB_ECONNABORTED);
    } else if (conn->tcp.state != ESTAB_CLOSED && conn->tcp.state != ESTAB_TIME_WAIT) {
        close_sending(stack, conn);
    }
    conn_release(stack, conn);
    return 0;
}

int estab_abort(estab_stack *stack, uint64_t now, estab_conn handle)
{
    struct conn *conn = conn_of(stack, handle);
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    conn_context(stack, conn, now);
    if (conn->listening) {
        listener_close(stack, conn);
    }
    conn_abort(stack, conn, -ESTAB_ECONNABORTED);
    conn_release(stack, conn);
    return 0;
}
