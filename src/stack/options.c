/*
 * estab_set() and estab_get(): the options that are addresses' or the application's here, the rest
 * tcp/user_calls.c.
 */
#include "stack/stack.h"
#include "tcp/user_calls.h"

static int set_congestion(struct estab_stack *stack, struct conn *conn, uint64_t value)
{
    if (value >= ESTAB_MAX_CC || stack->settings.cc[value] == NULL) {
        return -ESTAB_EINVAL;
    }
    if (conn->tcp.state != ESTAB_CLOSED && conn->tcp.state != ESTAB_LISTEN) {
        return -ESTAB_EISCONN;
    }
    conn->tcp.cc = stack->settings.cc[value];
    return 0;
}

static int set_max_segment(struct conn *conn, uint64_t value)
{
    if (value != 0 && (value < TCP_MIN_MSS || value > 65495)) {
        return -ESTAB_EINVAL;
    }
    if (conn->tcp.state != ESTAB_CLOSED && conn->tcp.state != ESTAB_LISTEN) {
        return -ESTAB_EISCONN;
    }
    conn->mss_option = (uint16_t)value;
    return 0;
}

static int set_own(struct estab_stack *stack, struct conn *conn, enum estab_option option, uint64_t value)
{
    switch (option) {
    case ESTAB_OPTION_REUSE_ADDRESS:
        conn->reuse_address = value <= 1 ? value == 1 : conn->reuse_address;
        return value > 1 ? -ESTAB_EINVAL : 0;
    case ESTAB_OPTION_REUSE_PORT:
        if (conn->listening) {
            return -ESTAB_EISCONN;
        }
        conn->reuse_port = value <= 1 ? value == 1 : conn->reuse_port;
        return value > 1 ? -ESTAB_EINVAL : 0;
    case ESTAB_OPTION_BACKLOG_RESET:
        conn->backlog_reset = value <= 1 ? value == 1 : conn->backlog_reset;
        return value > 1 ? -ESTAB_EINVAL : 0;
    case ESTAB_OPTION_LINGER:
        conn->linger_abort = value == 0 || (value != ESTAB_OFF && conn->linger_abort);
        return value != 0 && value != ESTAB_OFF ? -ESTAB_EINVAL : 0;
    case ESTAB_OPTION_HOP_LIMIT:
        conn->hop_limit = value >= 1 && value <= 255 ? (uint8_t)value : conn->hop_limit;
        return value < 1 || value > 255 ? -ESTAB_EINVAL : 0;
    case ESTAB_OPTION_DSCP:
        conn->dscp = value <= 63 ? (uint8_t)value : conn->dscp;
        return value > 63 ? -ESTAB_EINVAL : 0;
    case ESTAB_OPTION_MAX_SEGMENT:
        return set_max_segment(conn, value);
    case ESTAB_OPTION_CONGESTION:
        return set_congestion(stack, conn, value);
    case ESTAB_OPTION_USER:
        conn->user = value;
        return 0;
    default:
        return -ESTAB_EOPNOTSUPP;
    }
}

static bool is_own(enum estab_option option)
{
    switch (option) {
    case ESTAB_OPTION_REUSE_ADDRESS:
    case ESTAB_OPTION_REUSE_PORT:
    case ESTAB_OPTION_BACKLOG_RESET:
    case ESTAB_OPTION_LINGER:
    case ESTAB_OPTION_HOP_LIMIT:
    case ESTAB_OPTION_DSCP:
    case ESTAB_OPTION_MAX_SEGMENT:
    case ESTAB_OPTION_CONGESTION:
    case ESTAB_OPTION_USER:
        return true;
    default:
        return false;
    }
}

int estab_set(estab_stack *stack, uint64_t now, estab_conn handle, enum estab_option option, uint64_t value)
{
    struct conn *conn = conn_of(stack, handle);
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    if ((unsigned)option >= ESTAB_OPTION_COUNT) {
        return -ESTAB_EINVAL;
    }
    struct tcp_context *ctx = conn_context(stack, conn, now);
    int error =
        is_own(option) ? set_own(stack, conn, option, value) : tcp_set_option(&conn->tcp, ctx, option, value);
    conn_settle(stack, conn);
    return error;
}

static uint64_t congestion_index(const struct estab_stack *stack, const struct conn *conn)
{
    uint64_t i = 0;
    while (stack->settings.cc[i] != conn->tcp.cc) {
        i++;
    }
    return i;
}

static void get_own(const struct estab_stack *stack, const struct conn *conn, enum estab_option option,
                    uint64_t *value)
{
    switch (option) {
    case ESTAB_OPTION_REUSE_ADDRESS:
        *value = conn->reuse_address;
        return;
    case ESTAB_OPTION_REUSE_PORT:
        *value = conn->reuse_port;
        return;
    case ESTAB_OPTION_BACKLOG_RESET:
        *value = conn->backlog_reset;
        return;
    case ESTAB_OPTION_LINGER:
        *value = conn->linger_abort ? 0 : ESTAB_OFF;
        return;
    case ESTAB_OPTION_HOP_LIMIT:
        *value = conn->hop_limit != 0 ? conn->hop_limit : stack->settings.hop_limit;
        return;
    case ESTAB_OPTION_DSCP:
        *value = conn->dscp;
        return;
    case ESTAB_OPTION_MAX_SEGMENT:
        *value = conn->mss_option;
        return;
    case ESTAB_OPTION_CONGESTION:
        *value = congestion_index(stack, conn);
        return;
    default:
        *value = conn->user;
        return;
    }
}

int estab_get(const estab_stack *stack, estab_conn handle, enum estab_option option, uint64_t *value)
{
    const struct conn *conn = conn_of(stack, handle);
    if (conn == NULL) {
        return -ESTAB_EBADF;
    }
    if ((unsigned)option >= ESTAB_OPTION_COUNT) {
        return -ESTAB_EINVAL;
    }
    if (is_own(option)) {
        get_own(stack, conn, option, value);
        return 0;
    }
    return tcp_get_option(&conn->tcp, option, value);
}
