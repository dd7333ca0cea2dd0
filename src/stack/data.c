/*
 * The API's calls that carry data: SEND and RECEIVE of RFC 9293 3.10.2 and 3.10.3, copying or in place, and
 * what may be done now.
 */
#include "base/mem.h"
#include "stack/stack.h"
#include "tcp/timers.h"
#include "tcp/user_calls.h"

/* ---- SEND ---- */

/* 3.10.2: a SEND turns a passive OPEN that named its peer into an active one. */
static int may_send(struct estab_stack *stack, struct conn *conn)
{
    if (conn->tcp.state == ESTAB_LISTEN && conn->named_remote) {
        int error = conn_open_active(stack, conn, EVENT_SEND);
        if (error != 0) {
            return error;
        }
    }
    return conn->listening ? -ESTAB_EOPNOTSUPP : tcp_may_send(&conn->tcp);
}

static struct conn *begin_send(struct estab_stack *stack, uint64_t now, estab_conn handle, int *error)
{
    struct conn *conn = conn_of(stack, handle);
    if (conn == NULL) {
        *error = -ESTAB_EBADF;
        return NULL;
    }
    conn_context(stack, conn, now);
    *error = may_send(stack, conn);
    return conn;
}

/*
 * Who holds nothing and found no block waits until blocks come back; who holds something, and may hold no
 * more or has no room for more, until its next ACK.
 */
static void end_send(struct estab_stack *stack, struct conn *conn)
{
    const struct tcp_conn *c = &conn->tcp;
    if (c->want_write && send_queue_length(&c->snd) == 0 && blocks_for_senders(stack) == 0) {
        stack->counters.no_memory++;
        queue_starved(stack, conn);
    }
    conn_settle(stack, conn);
}

static ptrdiff_t send_slice(struct estab_stack *stack, struct conn *conn, const struct slice *slice,
                            unsigned flags)
{
    uint32_t allowance = conn_allowance(stack, conn);
    if (slice->length <= allowance) {
        return tcp_send(&conn->tcp, &stack->tcp, slice, flags);
    }
    struct slice part = {slice->data, allowance};
    tcp_want_write(&conn->tcp, &stack->tcp);
    return allowance == 0 ? -ESTAB_EAGAIN
                          : tcp_send(&conn->tcp, &stack->tcp, &part, flags & ~(unsigned)ESTAB_URGENT);
}

ptrdiff_t estab_send(estab_stack *stack, uint64_t now, estab_conn handle, const void *data, size_t length,
                     unsigned flags)
{
    int error;
    struct conn *conn = begin_send(stack, now, handle, &error);
    if (error != 0) {
        return error;
    }
    struct slice slice = {data, length};
    ptrdiff_t sent = send_slice(stack, conn, &slice, flags);
    end_send(stack, conn);
    return sent;
}

ptrdiff_t estab_sendv(estab_stack *stack, uint64_t now, estab_conn handle, const struct estab_slice *slices,
                      unsigned count)
{
    int error;
    struct conn *conn = begin_send(stack, now, handle, &error);
    if (error != 0) {
        return error;
    }
    ptrdiff_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        struct slice slice = {slices[i].data, slices[i].length};
        ptrdiff_t sent = send_slice(stack, conn, &slice, 0);
        if (sent < 0) {
            total = total == 0 ? sent : total;
            break;
        }
        total += sent;
        if ((size_t)sent < slice.length) {
            break;
        }
    }
    end_send(stack, conn);
    return total;
}

uint8_t *estab_send_reserve(estab_stack *stack, estab_conn handle, size_t *length, int *error)
{
    struct conn *conn = begin_send(stack, stack->tcp.now, handle, error);
    if (*error != 0) {
        return NULL;
    }
    uint32_t contiguous = 0;
    uint32_t room = conn_send_room(&conn->tcp);
    uint32_t allowance = conn_allowance(stack, conn);
    room = allowance < room ? allowance : room;
    uint8_t *at = room > 0 ? send_queue_reserve(&conn->tcp.snd, &stack->pool, &contiguous) : NULL;
    if (at == NULL) {
        *error = -ESTAB_EAGAIN;
        tcp_want_write(&conn->tcp, &stack->tcp);
        end_send(stack, conn);
        return NULL;
    }
    *length = contiguous < room ? contiguous : room;
    conn_settle(stack, conn); /* it may have turned a passive OPEN active */
    return at;
}

int estab_send_commit(estab_stack *stack, uint64_t now, estab_conn handle, size_t length, unsigned flags)
{
    int error;
    struct conn *conn = begin_send(stack, now, handle, &error);
    if (error != 0) {
        return error;
    }
    uint32_t reserved = send_queue_reserved(&conn->tcp.snd);
    if (length > reserved || length > conn_send_room(&conn->tcp)) {
        return -ESTAB_EMSGSIZE;
    }
    if (length > 0) {
        send_queue_commit(&conn->tcp.snd, (uint32_t)length);
        tcp_sent_by_user(&conn->tcp, &stack->tcp, flags, false);
    } else {
        send_queue_trim(&conn->tcp.snd, &stack->pool);
    }
    end_send(stack, conn);
    return 0;
}

/* ---- RECEIVE ---- */

/* 1 = there are bytes, else the API's answer. */
static int begin_receive(struct estab_stack *stack, uint64_t now, estab_conn handle, struct conn **out)
{
    struct conn *conn = conn_of(stack, handle);
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    *out = conn;
    conn_context(stack, conn, now);
    return conn->listening ? -ESTAB_EOPNOTSUPP : tcp_may_receive(&conn->tcp);
}

/* Reading may make a window update due, and nothing else. */
static void consume(struct estab_stack *stack, struct conn *conn, uint32_t length)
{
    tcp_consume(&conn->tcp, &stack->tcp, length);
    if (conn->tcp.owed & OWED_WINDOW) {
        queue_output(stack, conn);
    }
}

ptrdiff_t estab_recv(estab_stack *stack, uint64_t now, estab_conn handle, void *data, size_t length,
                     unsigned flags)
{
    struct conn *conn;
    int may = begin_receive(stack, now, handle, &conn);
    if (may <= 0) {
        return may;
    }
    uint32_t want = length > UINT32_MAX ? UINT32_MAX : (uint32_t)length;
    uint32_t got = recv_queue_copy(&conn->tcp.rcv, 0, data, want);
    if (!(flags & ESTAB_PEEK)) {
        consume(stack, conn, got);
    }
    return (ptrdiff_t)got;
}

ptrdiff_t estab_recvv(estab_stack *stack, uint64_t now, estab_conn handle, const struct estab_buffer *buffers,
                      unsigned count)
{
    struct conn *conn;
    int may = begin_receive(stack, now, handle, &conn);
    if (may <= 0) {
        return may;
    }
    uint32_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t want = buffers[i].length > UINT32_MAX ? UINT32_MAX : (uint32_t)buffers[i].length;
        uint32_t got = recv_queue_copy(&conn->tcp.rcv, total, buffers[i].data, want);
        total += got;
        if (got < want) {
            break;
        }
    }
    consume(stack, conn, total);
    return (ptrdiff_t)total;
}

int estab_recv_slices(const estab_stack *stack, estab_conn handle, struct estab_slice *slices, unsigned max)
{
    struct conn *conn = conn_of(stack, handle);
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    if (recv_queue_readable(&conn->tcp.rcv) == 0 || !conn->tcp.established) {
        if (conn->tcp.error != 0) {
            return conn->tcp.error;
        }
        return state_peer_closed(conn->tcp.state) || conn->tcp.state == ESTAB_CLOSED ? 0 : -ESTAB_EAGAIN;
    }
    struct slice found[16];
    unsigned n = recv_queue_slices(&conn->tcp.rcv, found, max < 16 ? max : 16);
    for (unsigned i = 0; i < n; i++) {
        slices[i] = (struct estab_slice){found[i].data, found[i].length};
    }
    return (int)n;
}

int estab_recv_consume(estab_stack *stack, uint64_t now, estab_conn handle, size_t length)
{
    struct conn *conn = conn_of(stack, handle);
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    if (length > recv_queue_readable(&conn->tcp.rcv)) {
        return -ESTAB_EMSGSIZE;
    }
    conn_context(stack, conn, now);
    consume(stack, conn, (uint32_t)length);
    return 0;
}

/* ---- events ---- */

static uint32_t readiness(const struct conn *conn)
{
    if (conn->listening) {
        return conn->listener.waiting_count > 0 ? ESTAB_ACCEPTABLE : 0;
    }
    return conn_ready(&conn->tcp);
}

unsigned estab_poll(estab_stack *stack, struct estab_event *events, unsigned max)
{
    unsigned n = 0;
    while (n < max && stack->ready.head != NONE) {
        struct conn *conn = &stack->conns[stack->ready.head];
        stack->ready.head = conn->ready_next;
        conn->in_ready = false;
        if (!conn->in_use || conn->tcp.released) {
            conn_recycle(stack, conn);
            continue;
        }
        events[n].conn = conn_handle(stack, conn);
        events[n].user = conn->user;
        events[n].ready = readiness(conn);
        events[n].changed = conn->tcp.events;
        conn->tcp.events = 0;
        n++;
    }
    if (stack->ready.head == NONE) {
        stack->ready.tail = NONE;
    }
    return n;
}

int estab_ready(const estab_stack *stack, estab_conn handle)
{
    const struct conn *conn = conn_of(stack, handle);
    return conn == NULL ? -ESTAB_EBADF : (int)readiness(conn);
}
