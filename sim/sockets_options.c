/*
 * getsockopt() and setsockopt(). One table holds the options that are a number: Linux's level and name, what
 * values it takes, what it is at first, and which option of the core follows from it. A second one holds
 * those that need a function. What is set stays with the socket, so that a new record after a failed
 * connect() gets it too; the order of checks and the errors are Linux's.
 */
#include "sockets_private.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>

#ifndef SO_BUSY_POLL
#define SO_BUSY_POLL 46
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif

#define NO_CORE            ESTAB_OPTION_COUNT
#define SECOND             NANOSECONDS
#define MILLISECOND        (NANOSECONDS / 1000)
#define BUFFER_MAX         (1 << 30)
#define BUFFER_DEFAULT_MAX 4194304 /* net.core.[rw]mem_max of recent Linux */
#define RCVBUF_MIN         2304
#define SNDBUF_MIN         4608
#define MSS_DEFAULT        536
#define LINGER2_MAX        120
#define RTO_MAX            120 /* seconds */
#define NAME_MAX_CC        16

/* ------------------------------------------------------------------------------------ options that count */

enum number_kind {
    FLAG,  /* anything but 0 is 1 */
    NUMBER /* from low to high, else EINVAL */
};

struct option_row {
    int level, name;
    enum number_kind kind;
    int low, high, initial;
    enum estab_option core; /* the option of the core that follows, in `unit` */
    uint64_t unit;
};

static const struct option_row rows[OPTION_COUNT] = {
#define PLAIN NO_CORE, 1
    [OPTION_REUSEADDR] = {SOL_SOCKET, SO_REUSEADDR, FLAG, 0, 0, 0, ESTAB_OPTION_REUSE_ADDRESS, 1},
    [OPTION_REUSEPORT] = {SOL_SOCKET, SO_REUSEPORT, FLAG, 0, 0, 0, ESTAB_OPTION_REUSE_PORT, 1},
    [OPTION_KEEPALIVE] = {SOL_SOCKET, SO_KEEPALIVE, FLAG, 0, 0, 0, ESTAB_OPTION_KEEPALIVE, 1},
    [OPTION_OOBINLINE] = {SOL_SOCKET, SO_OOBINLINE, FLAG, 0, 0, 0, PLAIN},
    [OPTION_RCVLOWAT] = {SOL_SOCKET, SO_RCVLOWAT, NUMBER, INT32_MIN, INT32_MAX, 1, PLAIN},
    [OPTION_RCVBUF] = {SOL_SOCKET, SO_RCVBUF, NUMBER, INT32_MIN, INT32_MAX, 0, ESTAB_OPTION_RECEIVE_BUFFER,
                       1},
    [OPTION_SNDBUF] = {SOL_SOCKET, SO_SNDBUF, NUMBER, INT32_MIN, INT32_MAX, 0, ESTAB_OPTION_SEND_BUFFER, 1},
    [OPTION_PRIORITY] = {SOL_SOCKET, SO_PRIORITY, NUMBER, INT32_MIN, INT32_MAX, 0, PLAIN},
    [OPTION_MARK] = {SOL_SOCKET, SO_MARK, NUMBER, INT32_MIN, INT32_MAX, 0, PLAIN},
    [OPTION_TIMESTAMP] = {SOL_SOCKET, SO_TIMESTAMP, FLAG, 0, 0, 0, PLAIN},
    [OPTION_BROADCAST] = {SOL_SOCKET, SO_BROADCAST, FLAG, 0, 0, 0, PLAIN},
    [OPTION_DONTROUTE] = {SOL_SOCKET, SO_DONTROUTE, FLAG, 0, 0, 0, PLAIN},
    [OPTION_BUSY_POLL] = {SOL_SOCKET, SO_BUSY_POLL, NUMBER, 0, INT32_MAX, 0, PLAIN},
    [OPTION_ZEROCOPY] = {SOL_SOCKET, SO_ZEROCOPY, NUMBER, 0, 1, 0, PLAIN},
    [OPTION_NODELAY] = {IPPROTO_TCP, TCP_NODELAY, FLAG, 0, 0, 0, ESTAB_OPTION_NODELAY, 1},
    [OPTION_CORK] = {IPPROTO_TCP, TCP_CORK, FLAG, 0, 0, 0, ESTAB_OPTION_CORK, 1},
    [OPTION_MAXSEG] = {IPPROTO_TCP, TCP_MAXSEG, NUMBER, 88, 32767, 0, ESTAB_OPTION_MAX_SEGMENT, 1},
    [OPTION_KEEPIDLE] = {IPPROTO_TCP, TCP_KEEPIDLE, NUMBER, 1, 32767, 7200, ESTAB_OPTION_KEEP_IDLE, SECOND},
    [OPTION_KEEPINTVL] = {IPPROTO_TCP, TCP_KEEPINTVL, NUMBER, 1, 32767, 75, ESTAB_OPTION_KEEP_INTERVAL,
                          SECOND},
    [OPTION_KEEPCNT] = {IPPROTO_TCP, TCP_KEEPCNT, NUMBER, 1, 127, 9, ESTAB_OPTION_KEEP_COUNT, 1},
    [OPTION_SYNCNT] = {IPPROTO_TCP, TCP_SYNCNT, NUMBER, 1, 127, 6, PLAIN},
    [OPTION_LINGER2] = {IPPROTO_TCP, TCP_LINGER2, NUMBER, INT32_MIN, INT32_MAX, 60, PLAIN},
    [OPTION_DEFER_ACCEPT] = {IPPROTO_TCP, TCP_DEFER_ACCEPT, NUMBER, INT32_MIN, INT32_MAX, 0, PLAIN},
    [OPTION_WINDOW_CLAMP] = {IPPROTO_TCP, TCP_WINDOW_CLAMP, NUMBER, 0, INT32_MAX, 0, PLAIN},
    [OPTION_QUICKACK] = {IPPROTO_TCP, TCP_QUICKACK, FLAG, 0, 0, 1, ESTAB_OPTION_QUICK_ACK, 1},
    [OPTION_USER_TIMEOUT] = {IPPROTO_TCP, TCP_USER_TIMEOUT, NUMBER, 0, INT32_MAX, 0,
                             ESTAB_OPTION_USER_TIMEOUT, MILLISECOND},
    [OPTION_THIN_LINEAR_TIMEOUTS] = {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, NUMBER, 0, 1, 0, PLAIN},
    [OPTION_THIN_DUPACK] = {IPPROTO_TCP, TCP_THIN_DUPACK, NUMBER, 0, 1, 0, PLAIN},
    [OPTION_NOTSENT_LOWAT] = {IPPROTO_TCP, TCP_NOTSENT_LOWAT, NUMBER, INT32_MIN, INT32_MAX, 0, PLAIN},
    [OPTION_TOS] = {IPPROTO_IP, IP_TOS, NUMBER, INT32_MIN, INT32_MAX, 0, ESTAB_OPTION_DSCP, 1},
    [OPTION_TTL] = {IPPROTO_IP, IP_TTL, NUMBER, -1, 255, -1, ESTAB_OPTION_HOP_LIMIT, 1},
    [OPTION_MTU_DISCOVER] = {IPPROTO_IP, IP_MTU_DISCOVER, NUMBER, IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT,
                             IP_PMTUDISC_WANT, PLAIN},
    [OPTION_RECVERR] = {IPPROTO_IP, IP_RECVERR, FLAG, 0, 0, 0, PLAIN},
    [OPTION_RECVTOS] = {IPPROTO_IP, IP_RECVTOS, FLAG, 0, 0, 0, PLAIN},
    [OPTION_FREEBIND] = {IPPROTO_IP, IP_FREEBIND, FLAG, 0, 0, 0, PLAIN},
    [OPTION_V6ONLY] = {IPPROTO_IPV6, IPV6_V6ONLY, FLAG, 0, 0, 0, PLAIN},
    [OPTION_TCLASS] = {IPPROTO_IPV6, IPV6_TCLASS, NUMBER, -1, 255, 0, ESTAB_OPTION_DSCP, 1},
    [OPTION_UNICAST_HOPS] = {IPPROTO_IPV6, IPV6_UNICAST_HOPS, NUMBER, -1, 255, -1, ESTAB_OPTION_HOP_LIMIT, 1},
    [OPTION_MTU_DISCOVER6] = {IPPROTO_IPV6, IPV6_MTU_DISCOVER, NUMBER, IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_OMIT,
                              IPV6_PMTUDISC_WANT, PLAIN},
    [OPTION_RECVERR6] = {IPPROTO_IPV6, IPV6_RECVERR, FLAG, 0, 0, 0, PLAIN},
    [OPTION_RECVTCLASS] = {IPPROTO_IPV6, IPV6_RECVTCLASS, FLAG, 0, 0, 0, PLAIN},
#undef PLAIN
};

static int row_of(int level, int name)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (rows[i].level == level && rows[i].name == name) {
            return i;
        }
    }
    return -1;
}

/* What the core is told: Linux's value in the core's terms. */
static uint64_t core_value(const struct socket *socket, int option)
{
    int value = socket->option[option];
    switch (option) {
    case OPTION_RCVBUF:
    case OPTION_SNDBUF:
        return (uint64_t)value / 2; /* Linux doubles what a program asks for, for its own bookkeeping */
    case OPTION_KEEPCNT:
        return value < 2 ? 2 : (uint64_t)value; /* RFC 9293 MUST-29: one lost probe must not end it */
    case OPTION_USER_TIMEOUT: return value == 0 ? socket->core_user_timeout : (uint64_t)value * MILLISECOND;
    case OPTION_TTL:
    case OPTION_UNICAST_HOPS: return value <= 0 ? socket->core_hop_limit : (uint64_t)value;
    case OPTION_TOS:
    case OPTION_TCLASS: return value < 0 ? 0 : ((unsigned)value >> 2) & 63;
    default: return (uint64_t)value * rows[option].unit;
    }
}

/* What a state does not let the core change any more Linux lets pass: it has no effect there either. */
static void apply(struct sockets *s, struct socket *socket, int option)
{
    if (rows[option].core != NO_CORE && socket->option_set[option]) {
        estab_set(s->stack, s->now, socket->conn, rows[option].core, core_value(socket, option));
    }
}

static int core_number(const struct sockets *s, const struct socket *socket, enum estab_option core,
                       uint64_t unit)
{
    uint64_t value = 0;
    estab_get(s->stack, socket->conn, core, &value);
    return value / unit > INT32_MAX ? INT32_MAX : (int)(value / unit);
}

void options_init(struct sockets *s, struct socket *socket)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        socket->option[i] = rows[i].initial;
    }
    estab_get(s->stack, socket->conn, ESTAB_OPTION_USER_TIMEOUT, &socket->core_user_timeout);
    estab_get(s->stack, socket->conn, ESTAB_OPTION_HOP_LIMIT, &socket->core_hop_limit);
    const int from_core[] = {OPTION_KEEPIDLE, OPTION_KEEPINTVL, OPTION_KEEPCNT};
    for (unsigned i = 0; i < sizeof from_core / sizeof from_core[0]; i++) {
        const struct option_row *row = &rows[from_core[i]];
        socket->option[from_core[i]] = core_number(s, socket, row->core, row->unit);
    }
    socket->option[OPTION_RCVBUF] = 2 * core_number(s, socket, ESTAB_OPTION_RECEIVE_BUFFER, 1);
    socket->option[OPTION_SNDBUF] = 2 * core_number(s, socket, ESTAB_OPTION_SEND_BUFFER, 1);
}

void options_apply(struct sockets *s, struct socket *socket)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        apply(s, socket, i);
    }
}

void options_inherit(struct socket *child, const struct socket *listener)
{
    memcpy(child->option, listener->option, sizeof child->option);
    memcpy(child->option_set, listener->option_set, sizeof child->option_set);
    child->core_user_timeout = listener->core_user_timeout;
    child->core_hop_limit = listener->core_hop_limit;
    child->linger = listener->linger;
    child->receive_timeout_ns = listener->receive_timeout_ns;
    child->send_timeout_ns = listener->send_timeout_ns;
}

static int buffer_size(int name, int value)
{
    int least = name == SO_RCVBUF ? RCVBUF_MIN : SNDBUF_MIN;
    int bounded = value < 0 || value > BUFFER_DEFAULT_MAX ? BUFFER_DEFAULT_MAX : value;
    return 2 * bounded < least ? least : 2 * bounded;
}

/* TCP_DEFER_ACCEPT is kept as a number of SYN,ACKs: the time at which the last of them would be over. */
static int defer_seconds(int seconds)
{
    int over = 1, wait = 1;
    if (seconds <= 0) {
        return 0;
    }
    for (unsigned sent = 1; over < seconds && sent < 255; sent++) {
        wait = 2 * wait < RTO_MAX ? 2 * wait : RTO_MAX;
        over += wait;
    }
    return over;
}

/* What Linux makes of a value before it keeps it; an error where it refuses it. */
static int adjust(const struct socket *socket, int option, int *value)
{
    switch (option) {
    case OPTION_RCVLOWAT: *value = *value < 0 ? INT32_MAX : *value == 0 ? 1 : *value; return 0;
    case OPTION_RCVBUF:
    case OPTION_SNDBUF: *value = buffer_size(rows[option].name, *value); return 0;
    case OPTION_LINGER2:
        *value = *value < 0 ? -1 : *value == 0 ? 60 : *value > LINGER2_MAX ? LINGER2_MAX : *value;
        return 0;
    case OPTION_DEFER_ACCEPT: *value = defer_seconds(*value); return 0;
    case OPTION_TOS:
        *value &= 0xfc; /* ECN's bits are TCP's own */
        return 0;
    case OPTION_TCLASS: *value = *value < 0 ? 0 : *value & 0xfc; return 0;
    case OPTION_TTL:
    case OPTION_UNICAST_HOPS: return *value == 0 && option == OPTION_TTL ? -EINVAL : 0;
    case OPTION_V6ONLY: return socket->bound || socket->opened ? -EINVAL : 0;
    default: return 0;
    }
}

static int set_number(struct sockets *s, struct socket *socket, int option, int value)
{
    const struct option_row *row = &rows[option];
    bool unset = option == OPTION_MAXSEG && value == 0;
    if (row->kind == FLAG) {
        value = value != 0;
    } else if (!unset && (value < row->low || value > row->high)) {
        return -EINVAL;
    }
    int error = adjust(socket, option, &value);
    if (error != 0) {
        return error;
    }
    socket->option[option] = value;
    socket->option_set[option] = true;
    apply(s, socket, option);
    return 0;
}

static int get_number(struct sockets *s, const struct socket *socket, int option)
{
    struct estab_status status;
    enum estab_state state = socket_state(s, socket, &status);
    int value = socket->option[option];
    switch (option) {
    case OPTION_MAXSEG:
        if (state != ESTAB_CLOSED && state != ESTAB_LISTEN) {
            return (int)status.snd_mss;
        }
        return value != 0 ? value : MSS_DEFAULT;
    case OPTION_TTL:
    case OPTION_UNICAST_HOPS: return value < 0 ? (int)socket->core_hop_limit : value;
    default: return value;
    }
}

/* ------------------------------------------------------------------------------ options with a function */

struct option_call {
    struct sockets *s;
    struct socket *socket;
    int name;
    void *out;
    const void *in;
    socklen_t *length;
};

/* Gives a value back, cut to the room. */
static int put(const struct option_call *call, const void *value, size_t size)
{
    socklen_t length = *call->length < size ? *call->length : (socklen_t)size;
    memcpy(call->out, value, length);
    *call->length = length;
    return 0;
}

static int put_int(const struct option_call *call, int value)
{
    return put(call, &value, sizeof value);
}

static int get_error(const struct option_call *call)
{
    struct socket *socket = call->socket;
    int error = -socket_take_error(socket);
    if (error == 0) {
        error = socket->soft_error;
        socket->soft_error = 0;
    }
    return put_int(call, error);
}

static int get_fact(const struct option_call *call)
{
    struct estab_status status;
    switch (call->name) {
    case SO_TYPE: return put_int(call, SOCK_STREAM);
    case SO_DOMAIN: return put_int(call, call->socket->domain);
    case SO_PROTOCOL: return put_int(call, call->socket->protocol);
    default: /* SO_ACCEPTCONN */
        return put_int(call, socket_state(call->s, call->socket, &status) == ESTAB_LISTEN);
    }
}

static int get_linger(const struct option_call *call)
{
    return put(call, &call->socket->linger, sizeof call->socket->linger);
}

static int set_linger(const struct option_call *call)
{
    struct linger linger;
    if (*call->length < sizeof linger) {
        return -EINVAL;
    }
    memcpy(&linger, call->in, sizeof linger);
    call->socket->linger.l_onoff = linger.l_onoff != 0;
    if (linger.l_onoff != 0) {
        call->socket->linger.l_linger = linger.l_linger;
    }
    return 0;
}

static uint64_t *timeout_of(const struct option_call *call)
{
    return call->name == SO_RCVTIMEO ? &call->socket->receive_timeout_ns : &call->socket->send_timeout_ns;
}

static int get_timeout(const struct option_call *call)
{
    uint64_t ns = *timeout_of(call);
    struct timeval time = {.tv_sec = (time_t)(ns / SECOND), .tv_usec = (suseconds_t)(ns % SECOND / 1000)};
    return put(call, &time, sizeof time);
}

static int set_timeout(const struct option_call *call)
{
    struct timeval time;
    if (*call->length < sizeof time) {
        return -EINVAL;
    }
    memcpy(&time, call->in, sizeof time);
    if (time.tv_usec < 0 || time.tv_usec >= 1000000) {
        return -EDOM;
    }
    uint64_t most = UINT64_MAX / 4 / SECOND;
    uint64_t seconds = (uint64_t)time.tv_sec < most ? (uint64_t)time.tv_sec : most;
    /* a negative time is over at once */
    *timeout_of(call) = time.tv_sec < 0 ? 1 : seconds * SECOND + (uint64_t)time.tv_usec * 1000;
    return 0;
}

/* SO_RCVBUFFORCE, SO_SNDBUFFORCE: without the system's limit. */
static int set_buffer_force(const struct option_call *call)
{
    int value;
    if (*call->length < sizeof value) {
        return -EINVAL;
    }
    memcpy(&value, call->in, sizeof value);
    int option = call->name == SO_RCVBUFFORCE ? OPTION_RCVBUF : OPTION_SNDBUF;
    int least = option == OPTION_RCVBUF ? RCVBUF_MIN : SNDBUF_MIN;
    value = value < 0 ? 0 : value > BUFFER_MAX / 2 ? BUFFER_MAX / 2 : value;
    call->socket->option[option] = 2 * value < least ? least : 2 * value;
    call->socket->option_set[option] = true;
    apply(call->s, call->socket, option);
    return 0;
}

static int get_memory(const struct option_call *call)
{
    return info_memory(call->s, call->socket, call->out, call->length);
}

static int get_info(const struct option_call *call)
{
    return info_tcp(call->s, call->socket, call->out, call->length);
}

/* The window of an algorithm's own facts: none of ours has any to tell. */
static int get_cc_info(const struct option_call *call)
{
    *call->length = 0;
    return 0;
}

static int get_mtu(const struct option_call *call)
{
    struct estab_status status;
    enum estab_state state = socket_state(call->s, call->socket, &status);
    if (state == ESTAB_CLOSED || state == ESTAB_LISTEN) {
        return -ENOTCONN;
    }
    return put_int(call, (int)status.path_mtu);
}

/* Linux's name of an algorithm: NewReno is "reno" there. */
static const char *linux_cc_name(const char *name)
{
    return strcmp(name, "newreno") == 0 ? "reno" : name;
}

static int get_congestion(const struct option_call *call)
{
    struct estab_status status;
    char name[NAME_MAX_CC] = "";
    socket_state(call->s, call->socket, &status);
    const char *text = linux_cc_name(status.congestion != NULL ? status.congestion : "");
    memcpy(name, text, strnlen(text, sizeof name - 1));
    return put(call, name, sizeof name);
}

/* The core knows its algorithms by number: each is tried until one has the name. */
static int set_congestion(const struct option_call *call)
{
    struct sockets *s = call->s;
    estab_conn conn = call->socket->conn;
    struct estab_status status;
    char name[NAME_MAX_CC + 1] = "";
    uint64_t before = 0;
    if (*call->length < 1) {
        return -EINVAL;
    }
    memcpy(name, call->in, *call->length < NAME_MAX_CC ? *call->length : NAME_MAX_CC);
    estab_get(s->stack, conn, ESTAB_OPTION_CONGESTION, &before);
    for (uint64_t i = 0; i < ESTAB_MAX_CC; i++) {
        bool taken = estab_set(s->stack, s->now, conn, ESTAB_OPTION_CONGESTION, i) == 0 || i == before;
        if (taken && estab_status(s->stack, conn, &status) == 0 &&
            strcmp(linux_cc_name(status.congestion), linux_cc_name(name)) == 0) {
            return 0;
        }
    }
    estab_set(s->stack, s->now, conn, ESTAB_OPTION_CONGESTION, before);
    return -ENOENT;
}

struct special_row {
    int level, name;
    int (*get)(const struct option_call *call); /* NULL = cannot be asked for */
    int (*set)(const struct option_call *call); /* NULL = cannot be set */
};

static const struct special_row specials[] = {
    {SOL_SOCKET, SO_ERROR, get_error, NULL},
    {SOL_SOCKET, SO_TYPE, get_fact, NULL},
    {SOL_SOCKET, SO_DOMAIN, get_fact, NULL},
    {SOL_SOCKET, SO_PROTOCOL, get_fact, NULL},
    {SOL_SOCKET, SO_ACCEPTCONN, get_fact, NULL},
    {SOL_SOCKET, SO_LINGER, get_linger, set_linger},
    {SOL_SOCKET, SO_RCVTIMEO, get_timeout, set_timeout},
    {SOL_SOCKET, SO_SNDTIMEO, get_timeout, set_timeout},
    {SOL_SOCKET, SO_RCVBUFFORCE, NULL, set_buffer_force},
    {SOL_SOCKET, SO_SNDBUFFORCE, NULL, set_buffer_force},
    {SOL_SOCKET, SO_MEMINFO, get_memory, NULL},
    {IPPROTO_TCP, TCP_INFO, get_info, NULL},
    {IPPROTO_TCP, TCP_CC_INFO, get_cc_info, NULL},
    {IPPROTO_TCP, TCP_CONGESTION, get_congestion, set_congestion},
    {IPPROTO_IP, IP_MTU, get_mtu, NULL},
    {IPPROTO_IPV6, IPV6_MTU, get_mtu, NULL},
};

static const struct special_row *special_of(int level, int name)
{
    for (unsigned i = 0; i < sizeof specials / sizeof specials[0]; i++) {
        if (specials[i].level == level && specials[i].name == name) {
            return &specials[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- the calls */

/* IPv6's options are for sockets of its own; IPv4's serve both, mapped addresses being what they are. */
static bool level_fits(const struct socket *socket, int level)
{
    bool own = level == IPPROTO_IPV6 && socket->domain == AF_INET6;
    return own || level == SOL_SOCKET || level == IPPROTO_TCP || level == IPPROTO_IP;
}

/* An option of IP that fits into a byte is given back as one where there is no room for more. */
static int put_number(const struct option_call *call, int level, int value)
{
    socklen_t room = *call->length;
    if (level == IPPROTO_IP && room > 0 && room < sizeof value && value >= 0 && value < 256) {
        *(uint8_t *)call->out = (uint8_t)value;
        *call->length = 1;
        return 0;
    }
    return put_int(call, value);
}

int sockets_getsockopt(struct sockets *s, uint64_t now, int fd, int level, int name, void *value,
                       socklen_t *length) /* NOLINT(readability-non-const-parameter): set through `call` */
{
    int error;
    sockets_update(s, now);
    struct file *file = socket_file_of(s, fd, &error);
    if (file == NULL) {
        return error;
    }
    if (length == NULL || value == NULL) {
        return -EFAULT;
    }
    if ((int)*length < 0) {
        return -EINVAL;
    }
    struct option_call call = {.s = s, .socket = &file->socket, .name = name, .out = value, .length = length};
    if (!level_fits(call.socket, level)) {
        return call.socket->domain == AF_INET ? -EOPNOTSUPP : -ENOPROTOOPT;
    }
    const struct special_row *special = special_of(level, name);
    if (special != NULL) {
        return special->get != NULL ? special->get(&call) : -ENOPROTOOPT;
    }
    int option = row_of(level, name);
    return option < 0 ? -ENOPROTOOPT : put_number(&call, level, get_number(s, call.socket, option));
}

/* A number as the level takes it: IP takes a byte too. */
static int take_number(int level, const void *value, socklen_t length, int *number)
{
    *number = 0;
    if (level == IPPROTO_IP && length < sizeof *number) {
        *number = length > 0 ? *(const uint8_t *)value : 0;
        return 0;
    }
    if (length < sizeof *number) {
        return -EINVAL;
    }
    memcpy(number, value, sizeof *number);
    return 0;
}

int sockets_setsockopt(struct sockets *s, uint64_t now, int fd, int level, int name, const void *value,
                       socklen_t length)
{
    int error;
    sockets_update(s, now);
    struct file *file = socket_file_of(s, fd, &error);
    if (file == NULL) {
        return error;
    }
    struct option_call call = {.s = s, .socket = &file->socket, .name = name, .in = value, .length = &length};
    const struct special_row *special = special_of(level, name);
    int option = row_of(level, name);
    if (!level_fits(call.socket, level) || (special == NULL && option < 0)) {
        return -ENOPROTOOPT;
    }
    if ((int)length < 0) {
        return -EINVAL;
    }
    if (value == NULL && length > 0) {
        return -EFAULT;
    }
    if (special != NULL) {
        return special->set != NULL ? special->set(&call) : -ENOPROTOOPT;
    }
    int number;
    error = take_number(level, value, length, &number);
    return error == 0 ? set_number(s, call.socket, option, number) : error;
}
