/*
 * `estab nc`: a TCP connection with standard input and output at its ends. Input is read straight into the
 * send queue (reserve and commit), what arrives is written from where it stands in the receive queue. A side
 * that cannot go on holds up only its own direction.
 */
#include "host_options.h"
#include "sink.h"
#include "tool.h"

#include "drivers/addr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND   UINT64_C(1000000000)
#define DRAIN_NS (10 * SECOND)
#define SLICES   16
#define READ_MAX 65536u

struct settings {
    struct host_options host;
    const char *source;
    uint32_t port;
    bool listen;
    bool keep;
    bool shut;
    bool verbose;
};

enum descriptor { INPUT, OUTPUT, DESCRIPTORS };

struct nc {
    struct host host;
    const struct settings *settings;
    struct estab_addr remote; /* to connect to */
    struct pollfd fds[DESCRIPTORS];
    struct sink output;
    estab_conn listener; /* 0 = none */
    estab_conn conn;
    bool input_ended; /* end of standard input */
    bool shut;        /* our direction is closed */
    bool peer_ended;  /* all the peer had to say was written */
};

static void say(const struct nc *nc, const char *what, const struct estab_addr *remote)
{
    char text[ADDR_TEXT];
    if (nc->settings->verbose) {
        tool_error("%s %s", what, addr_format_port(remote, text));
    }
}

/* -------------------------------------------------------------------------------------------------- opening
 */

static int open_bound(struct nc *nc, estab_conn *conn)
{
    struct estab_addr local;
    char text[ADDR_TEXT];
    int code = host_options_local("--source", nc->settings->source, nc->settings->port, &local);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    int error = estab_open(nc->host.stack, conn);
    if (error == 0 && (local.port != 0 || nc->settings->source != NULL)) {
        error = estab_bind(nc->host.stack, nc->host.now, *conn, &local);
    }
    if (error == 0 && nc->settings->listen) {
        error = estab_listen(nc->host.stack, nc->host.now, *conn, 16);
    }
    if (error == 0) {
        return OPTIONS_GO_ON;
    }
    return tool_fail("cannot use %s: %s", addr_format_port(&local, text), estab_strerror(error));
}

static int start(struct nc *nc)
{
    char text[ADDR_TEXT];
    int code = open_bound(nc, nc->settings->listen ? &nc->listener : &nc->conn);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    if (nc->settings->listen) {
        struct estab_status status;
        if (estab_status(nc->host.stack, nc->listener, &status) == 0) {
            say(nc, "listening on", &status.local);
        }
        return OPTIONS_GO_ON;
    }
    int error = estab_connect(nc->host.stack, nc->host.now, nc->conn, &nc->remote);
    if (error != 0) {
        return tool_fail("%s: %s", addr_format_port(&nc->remote, text), estab_strerror(error));
    }
    return OPTIONS_GO_ON;
}

/* ------------------------------------------------------------------------------------------------- transfer
 */

/* Standard input to the send queue. OPTIONS_GO_ON or the exit code. */
static int read_input(struct nc *nc)
{
    struct host *host = &nc->host;
    bool readable = (nc->fds[INPUT].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0;
    nc->fds[INPUT].fd = -1;
    if (nc->input_ended) {
        return OPTIONS_GO_ON;
    }
    int error = 0;
    size_t room = READ_MAX;
    uint8_t *place = estab_send_reserve(host->stack, nc->conn, &room, &error);
    if (place == NULL) {
        return OPTIONS_GO_ON; /* no room, or the connection's end, which receiving tells */
    }
    nc->fds[INPUT].fd = STDIN_FILENO;
    if (!readable) {
        return OPTIONS_GO_ON;
    }
    nc->fds[INPUT].revents = 0;
    ssize_t count = read(STDIN_FILENO, place, room);
    if (count < 0 && errno != EINTR && errno != EAGAIN) {
        return tool_fail("standard input: %s", strerror(errno));
    }
    nc->input_ended = count == 0;
    if (count > 0) {
        estab_send_commit(host->stack, host->now, nc->conn, (size_t)count, 0);
    }
    return OPTIONS_GO_ON;
}

static void shut_if_due(struct nc *nc)
{
    if (!nc->input_ended || !nc->settings->shut || nc->shut) {
        return;
    }
    int ready = estab_ready(nc->host.stack, nc->conn);
    if (ready < 0 || (ready & ESTAB_CONNECTED) == 0) {
        return; /* CLOSE in SYN-SENT would drop what was sent (RFC 9293 3.10.4) */
    }
    int error = estab_shutdown(nc->host.stack, nc->host.now, nc->conn, ESTAB_SHUT_WR);
    nc->shut = error == 0;
}

/* Receive queue to standard output: OPTIONS_GO_ON or the exit code. */
static int write_output(struct nc *nc)
{
    struct host *host = &nc->host;
    struct estab_slice slices[SLICES];
    nc->fds[OUTPUT].fd = -1;
    for (;;) {
        int count = estab_recv_slices(host->stack, nc->conn, slices, SLICES);
        if (count == -ESTAB_EAGAIN || count == -ESTAB_ENOTCONN) {
            return OPTIONS_GO_ON;
        }
        if (count < 0) {
            return tool_fail("%s", estab_strerror(count));
        }
        nc->peer_ended = count == 0;
        if (nc->peer_ended) {
            return OPTIONS_GO_ON;
        }
        ptrdiff_t written = sink_write(&nc->output, slices[0].data, slices[0].length);
        if (written < 0) {
            return tool_fail("standard output: %s", strerror((int)-written));
        }
        if (written == 0) {
            nc->fds[OUTPUT].fd = STDOUT_FILENO;
            return OPTIONS_GO_ON;
        }
        estab_recv_consume(host->stack, host_now(host), nc->conn, (size_t)written);
    }
}

/* Whether nothing more is to be said: both directions have ended, or the peer's where -k waits for the next
 * one. */
static bool is_over(const struct nc *nc)
{
    return nc->peer_ended && (nc->input_ended || nc->settings->keep);
}

/* ----------------------------------------------------------------------------------------------------- loop
 */

static void accept_one(struct nc *nc)
{
    struct estab_status status;
    if (nc->listener == 0 || nc->conn != 0 ||
        estab_accept(nc->host.stack, nc->host.now, nc->listener, &nc->conn) != 0) {
        return;
    }
    nc->shut = false;
    nc->peer_ended = false;
    nc->fds[INPUT].revents = 0;
    if (estab_status(nc->host.stack, nc->conn, &status) == 0) {
        say(nc, "connection from", &status.remote);
    }
    if (!nc->settings->keep) {
        estab_close(nc->host.stack, nc->host.now, nc->listener);
        nc->listener = 0;
    }
}

/* Ends the connection: by -k, then the next one may come. TOOL_OK, or OPTIONS_GO_ON. */
static int end_connection(struct nc *nc)
{
    estab_close(nc->host.stack, nc->host.now, nc->conn);
    nc->conn = 0;
    nc->fds[INPUT].fd = -1;
    nc->fds[OUTPUT].fd = -1;
    return nc->settings->listen && nc->settings->keep ? OPTIONS_GO_ON : TOOL_OK;
}

static int transfer(struct nc *nc)
{
    int code = read_input(nc);
    if (code == OPTIONS_GO_ON) {
        shut_if_due(nc);
        code = write_output(nc);
    }
    if (code == OPTIONS_GO_ON && is_over(nc)) {
        return end_connection(nc);
    }
    if (code != OPTIONS_GO_ON) {
        estab_abort(nc->host.stack, nc->host.now, nc->conn);
        nc->conn = 0;
    }
    return code;
}

/* What befell the connection. OPTIONS_GO_ON or the exit code. */
static int handle_event(struct nc *nc, const struct estab_event *event)
{
    char text[ADDR_TEXT];
    struct estab_status status;
    if (event->conn != nc->conn || estab_status(nc->host.stack, nc->conn, &status) != 0) {
        return OPTIONS_GO_ON;
    }
    if ((event->changed & ESTAB_CONNECTED) != 0 && !nc->settings->listen) {
        say(nc, "connected to", &status.remote);
    }
    if ((event->changed & ESTAB_URGENT_MARK) != 0) {
        say(nc, "urgent data from", &status.remote);
    }
    if (status.error == 0) {
        return OPTIONS_GO_ON;
    }
    int code = tool_fail("%s: %s", addr_format_port(&status.remote, text), estab_strerror(status.error));
    return end_connection(nc) == OPTIONS_GO_ON ? OPTIONS_GO_ON : code;
}

static int loop(struct nc *nc)
{
    struct estab_event event;
    int code = OPTIONS_GO_ON;
    while (code == OPTIONS_GO_ON) {
        if (host_step(&nc->host, HOST_FOREVER) < 0) {
            return tool_fail("%s", nc->host.error);
        }
        if (tool_interrupted()) {
            return nc->settings->keep && nc->conn == 0 ? TOOL_OK : tool_fail("interrupted");
        }
        while (code == OPTIONS_GO_ON && estab_poll(nc->host.stack, &event, 1) > 0) {
            code = handle_event(nc, &event);
        }
        accept_one(nc);
        if (code == OPTIONS_GO_ON && nc->conn != 0) {
            code = transfer(nc);
        }
    }
    return code;
}

static int run(struct nc *nc)
{
    int code = host_options_open(&nc->host, &nc->settings->host);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    nc->host.fds = nc->fds;
    nc->host.fd_count = DESCRIPTORS;
    code = start(nc);
    if (code == OPTIONS_GO_ON) {
        code = loop(nc);
    }
    if (nc->conn != 0) {
        estab_abort(nc->host.stack, nc->host.now, nc->conn);
    }
    nc->host.fd_count = 0;
    if (code == TOOL_OK) {
        host_drain(&nc->host, DRAIN_NS);
    } else {
        host_flush(&nc->host);
    }
    int incomplete = host_close(&nc->host);
    return code != TOOL_OK ? code : incomplete;
}

/* ------------------------------------------------------------------------------------------------ arguments
 */

static int check_arguments(struct nc *nc, struct settings *settings, const struct option_arguments *arguments)
{
    const char *port = arguments->count > 0 ? arguments->values[arguments->count - 1] : NULL;
    uint16_t number = 0;
    if (port != NULL && (!addr_parse_number(port, &number) || number == 0)) {
        return tool_usage("'%s' is not a port from 1 to 65535", port);
    }
    if (settings->keep && !settings->listen) {
        return tool_usage("-k goes with -l only");
    }
    if (settings->listen) {
        settings->port = number != 0 ? number : settings->port;
        if (settings->port == 0 || arguments->count > 1) {
            return tool_usage("-l takes one port: estab nc -l PORT (the address by -s)");
        }
        return OPTIONS_GO_ON;
    }
    if (arguments->count != 2) {
        return tool_usage("an address and a port are needed: estab nc [options] ADDRESS PORT");
    }
    if (!addr_parse(arguments->values[0], &nc->remote) || addr_is_any(&nc->remote)) {
        return tool_usage("'%s' is not an IPv4 or IPv6 address (names are not resolved)",
                          arguments->values[0]);
    }
    nc->remote.port = number;
    return OPTIONS_GO_ON;
}

int nc_main(int argc, char **argv)
{
    static const struct option table[] = {
        {"listen", 'l', OPTION_FLAG, NULL, "wait for a connection instead of making one",
         offsetof(struct settings, listen), 0, 0},
        {"keep", 'k', OPTION_FLAG, NULL, "with -l: when one has ended wait for the next",
         offsetof(struct settings, keep), 0, 0},
        {"shutdown", 'N', OPTION_FLAG, NULL, "at the end of input close our direction (half-close)",
         offsetof(struct settings, shut), 0, 0},
        {"source", 's', OPTION_TEXT, "ADDR", "our address", offsetof(struct settings, source), 0, 0},
        {"port", 'p', OPTION_NUMBER, "PORT", "our port", offsetof(struct settings, port), 1, 65535},
        {"verbose", 'v', OPTION_FLAG, NULL, "tell what happens", offsetof(struct settings, verbose), 0, 0},
        {"connect-timeout", 0, OPTION_SECONDS, "SECONDS", "give up opening after this time (default 180)",
         offsetof(struct settings, host.config.syn_timeout_ns), SECOND / 10, 86400 * SECOND},
        {.name = NULL},
    };
    static struct nc nc;
    struct settings settings = {0};
    host_options_init(&settings.host);
    struct option_group groups[] = {{"Options", table, &settings}, host_options_group(&settings.host)};
    struct option_command command = {
        .name = "nc",
        .arguments = "ADDRESS PORT | -l PORT",
        .summary = "Connects standard input and output with a TCP connection. Ends when the peer has closed "
                   "and input is at\n"
                   "its end; with -k the peer's close is enough, and the next connection may come.",
        .example = "estab nc --dev tun:estab0 --addr 10.9.0.2/24 -N 10.9.0.1 7 < question\n"
                   "estab nc --dev tun:estab0 --addr 10.9.0.2/24 -l 7",
        .groups = groups,
        .group_count = 2,
        .least = 0,
        .most = 2,
    };
    struct option_arguments arguments;
    int code = options_parse(&command, argc, argv, &arguments);
    if (code == OPTIONS_GO_ON) {
        code = check_arguments(&nc, &settings, &arguments);
    }
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    nc.settings = &settings;
    nc.fds[INPUT] = (struct pollfd){.fd = -1, .events = POLLIN};
    nc.fds[OUTPUT] = (struct pollfd){.fd = -1, .events = POLLOUT};
    sink_standard(&nc.output);
    return run(&nc);
}
