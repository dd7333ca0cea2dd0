/*
 * `estab serve`: files of a directory over HTTP/1.1, for as many connections as the stack holds. One thread,
 * one loop: host_step(), then every connection that something became possible on is worked on until it would
 * have to wait. File bytes are read straight into the send queue (reserve and commit), so they are copied
 * once before they are packets. What an answer is stands in serve_file.c.
 */
#include "host_options.h"
#include "json.h"
#include "serve_file.h"
#include "tool.h"

#include "drivers/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

struct settings {
    struct host_options host;
    const char *address;
    uint32_t port;
    uint32_t backlog;
    uint64_t idle_ns;
    bool verbose;
    bool json;
};

enum phase {
    RECEIVING, /* a request, or waiting for one */
    SENDING,   /* an answer */
    ENDING     /* our side is closed: what still comes is thrown away until the peer closes too */
};

struct client {
    estab_conn conn;
    struct client *older, *newer; /* in the order in which they last did something */
    uint64_t active_ns;
    enum phase phase;
    size_t text_sent;
    struct answer answer;
    struct estab_addr remote;
    size_t in_used;
    char in[HTTP_HEAD_MAX];
};

struct server {
    struct host host;
    const struct settings *settings;
    int directory;
    estab_conn listener;
    struct client *oldest, *newest;
};

/* ------------------------------------------------------------------------------------------------- clients
 */

static void unlink_client(struct server *server, struct client *client)
{
    if (client->older != NULL) {
        client->older->newer = client->newer;
    } else {
        server->oldest = client->newer;
    }
    if (client->newer != NULL) {
        client->newer->older = client->older;
    } else {
        server->newest = client->older;
    }
}

static void link_newest(struct server *server, struct client *client)
{
    client->active_ns = server->host.now;
    client->newer = NULL;
    client->older = server->newest;
    if (server->newest != NULL) {
        server->newest->newer = client;
    } else {
        server->oldest = client;
    }
    server->newest = client;
}

static void forget(struct server *server, struct client *client)
{
    unlink_client(server, client);
    answer_release(&client->answer);
    free(client);
}

static void drop(struct server *server, struct client *client)
{
    estab_abort(server->host.stack, server->host.now, client->conn);
    forget(server, client);
}

static void finish(struct server *server, struct client *client)
{
    estab_close(server->host.stack, server->host.now, client->conn);
    forget(server, client);
}

static void log_request(const struct server *server, const struct client *client,
                        const struct http_request *request)
{
    char address[ADDR_TEXT];
    const char *method = request->head ? "HEAD" : "GET";
    if (!server->settings->json && !server->settings->verbose) {
        return;
    }
    addr_format_port(&client->remote, address);
    if (server->settings->json) {
        json_begin(stdout);
        json_text(stdout, "serve", "request");
        json_text(stdout, "from", address);
        json_text(stdout, "method", request->error == 405 ? NULL : method);
        json_text(stdout, "path", request->path);
        json_unsigned(stdout, "status", client->answer.status);
        json_unsigned(stdout, "bytes", client->answer.text_length + client->answer.length);
        json_end(stdout);
        tool_flush();
        return;
    }
    printf("%s %s ", address, request->error == 405 ? "-" : method);
    for (const char *c = request->path; *c != 0; c++) {
        putchar(*c < ' ' || *c == 0x7f ? '?' : *c);
    }
    printf(" %u %" PRIu64 "\n", client->answer.status, client->answer.text_length + client->answer.length);
    tool_flush();
}

/* ------------------------------------------------------------------------------------------------- sending
 */

/* What became of a piece of work on a connection. */
enum outcome {
    DONE,
    WAIT, /* until the next event */
    GONE  /* the client is forgotten */
};

static enum outcome send_failed(struct server *server, struct client *client, ptrdiff_t error)
{
    if (error == -ESTAB_EAGAIN) {
        return WAIT;
    }
    drop(server, client);
    return GONE;
}

static enum outcome send_file(struct server *server, struct client *client)
{
    struct answer *answer = &client->answer;
    while (answer->length > 0) {
        int error = 0;
        size_t room = answer->length < SIZE_MAX ? (size_t)answer->length : SIZE_MAX;
        uint8_t *place = estab_send_reserve(server->host.stack, client->conn, &room, &error);
        if (place == NULL) {
            return send_failed(server, client, error);
        }
        room = room < answer->length ? room : (size_t)answer->length;
        ssize_t count = pread(answer->fd, place, room, (off_t)answer->offset);
        if (count <= 0) {
            /* Cut short or unreadable under way: the length was promised, so only a reset says it. */
            tool_error("a file cannot be read to its end: %s",
                       count < 0 ? strerror(errno) : "it has become shorter");
            drop(server, client);
            return GONE;
        }
        unsigned more = (uint64_t)count < answer->length ? ESTAB_MORE : 0;
        error = estab_send_commit(server->host.stack, server->host.now, client->conn, (size_t)count, more);
        if (error < 0) {
            return send_failed(server, client, error);
        }
        answer->offset += (uint64_t)count;
        answer->length -= (uint64_t)count;
    }
    return DONE;
}

static enum outcome send_answer(struct server *server, struct client *client)
{
    struct answer *answer = &client->answer;
    while (client->text_sent < answer->text_length) {
        ptrdiff_t count =
            estab_send(server->host.stack, server->host.now, client->conn, answer->text + client->text_sent,
                       answer->text_length - client->text_sent, answer->length > 0 ? ESTAB_MORE : 0);
        if (count < 0) {
            return send_failed(server, client, count);
        }
        client->text_sent += (size_t)count;
    }
    enum outcome outcome = send_file(server, client);
    if (outcome != DONE) {
        return outcome;
    }
    client->phase = answer->keep_alive ? RECEIVING : ENDING;
    answer_release(answer);
    if (client->phase == ENDING) {
        estab_shutdown(server->host.stack, server->host.now, client->conn, ESTAB_SHUT_WR);
    }
    return DONE;
}

/* ----------------------------------------------------------------------------------------------- receiving
 */

/* Begins the answer to the request in client->in, if there is a whole one. */
static enum outcome take_request(struct server *server, struct client *client)
{
    struct http_request request;
    size_t blank = 0;
    while (blank < client->in_used && (client->in[blank] == '\r' || client->in[blank] == '\n')) {
        blank++; /* RFC 9112 2.2: empty lines before a request */
    }
    client->in_used -= blank;
    memmove(client->in, client->in + blank, client->in_used);
    size_t length = http_head_length(client->in, client->in_used);
    if (length == 0 && client->in_used < sizeof client->in) {
        return WAIT;
    }
    if (length == 0) {
        request = (struct http_request){.error = 431};
    } else {
        http_parse_request(client->in, length, &request);
    }
    if (!answer_request(&client->answer, &request, server->directory)) {
        tool_error("out of memory: a connection is given up");
        drop(server, client);
        return GONE;
    }
    log_request(server, client, &request);
    client->in_used -= length;
    memmove(client->in, client->in + length, client->in_used);
    client->text_sent = 0;
    client->phase = SENDING;
    return DONE;
}

static enum outcome receive(struct server *server, struct client *client)
{
    if (client->phase == RECEIVING && take_request(server, client) != WAIT) {
        return client->phase == SENDING ? DONE : GONE;
    }
    if (client->phase == ENDING) {
        client->in_used = 0;
    }
    ptrdiff_t count = estab_recv(server->host.stack, server->host.now, client->conn,
                                 client->in + client->in_used, sizeof client->in - client->in_used, 0);
    if (count == -ESTAB_EAGAIN) {
        return WAIT;
    }
    if (count <= 0) {
        finish(server, client);
        return GONE;
    }
    client->in_used += (size_t)count;
    return DONE;
}

static void work(struct server *server, struct client *client)
{
    enum outcome outcome = DONE;
    unlink_client(server, client);
    link_newest(server, client);
    while (outcome == DONE) {
        outcome = client->phase == SENDING ? send_answer(server, client) : receive(server, client);
    }
}

/* ----------------------------------------------------------------------------------------------------- loop
 */

static void accept_all(struct server *server)
{
    estab_conn conn;
    while (estab_accept(server->host.stack, server->host.now, server->listener, &conn) == 0) {
        struct estab_status status;
        struct client *client = malloc(sizeof *client);
        if (client == NULL || estab_status(server->host.stack, conn, &status) != 0) {
            free(client);
            estab_abort(server->host.stack, server->host.now, conn);
            continue;
        }
        /* Not all of it: `in` need not be touched before something comes. */
        client->conn = conn;
        client->phase = RECEIVING;
        client->text_sent = 0;
        client->answer = (struct answer){.fd = -1};
        client->remote = status.remote;
        client->in_used = 0;
        link_newest(server, client);
        estab_set(server->host.stack, server->host.now, conn, ESTAB_OPTION_USER, (uint64_t)(uintptr_t)client);
        work(server, client);
    }
}

/* Drops those on which nothing has moved for so long, the oldest first; returns when to look again. */
static uint64_t drop_idle(struct server *server, uint64_t idle_ns)
{
    struct client *client = server->oldest;
    while (client != NULL && server->host.now - client->active_ns >= idle_ns) {
        struct client *newer = client->newer;
        drop(server, client);
        client = newer;
    }
    return client == NULL ? HOST_FOREVER : client->active_ns + idle_ns - server->host.now;
}

static int loop(struct server *server)
{
    struct estab_event event;
    uint64_t timeout = HOST_FOREVER;
    while (!tool_interrupted()) {
        if (host_step(&server->host, timeout) < 0) {
            return tool_fail("%s", server->host.error);
        }
        while (estab_poll(server->host.stack, &event, 1) > 0) {
            if (event.conn == server->listener) {
                accept_all(server);
            } else if (event.user != 0) {
                work(server, (struct client *)(uintptr_t)event.user);
            }
        }
        timeout = drop_idle(server, server->settings->idle_ns);
        if (ferror(stdout) != 0) {
            return TOOL_OK; /* tool_finish() says it */
        }
    }
    return TOOL_OK;
}

static int start_listening(struct server *server)
{
    const struct settings *settings = server->settings;
    struct estab_addr local;
    char text[ADDR_TEXT];
    int code = host_options_local("--bind", settings->address, settings->port, &local);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    int error = estab_open(server->host.stack, &server->listener);
    if (error == 0) {
        error = estab_bind(server->host.stack, server->host.now, server->listener, &local);
    }
    if (error == 0) {
        error = estab_listen(server->host.stack, server->host.now, server->listener, settings->backlog);
    }
    if (error != 0) {
        return tool_fail("cannot listen on %s: %s", addr_format_port(&local, text), estab_strerror(error));
    }
    if (settings->json) {
        json_begin(stdout);
        json_text(stdout, "serve", "listening");
        json_text(stdout, "address", addr_format_port(&local, text));
        json_end(stdout);
    } else {
        printf("listening on %s\n", addr_format_port(&local, text));
    }
    tool_flush();
    return OPTIONS_GO_ON;
}

/* What the stack has to tell of how clients came in. */
static void report_end(const struct server *server)
{
    struct estab_counters counters;
    if (!server->settings->json && !server->settings->verbose) {
        return;
    }
    estab_counters(server->host.stack, &counters);
    if (server->settings->json) {
        json_begin(stdout);
        json_text(stdout, "serve", "end");
        json_unsigned(stdout, "segments_in", counters.segments_in);
        json_unsigned(stdout, "segments_out", counters.segments_out);
        json_unsigned(stdout, "passive_opens", counters.passive_opens);
        json_unsigned(stdout, "cookies_sent", counters.cookies_sent);
        json_unsigned(stdout, "cookies_accepted", counters.cookies_accepted);
        json_unsigned(stdout, "half_open_dropped", counters.half_open_dropped);
        json_end(stdout);
    } else {
        printf("%" PRIu64 " SYNs answered by cookie, %" PRIu64 " connections opened by cookie\n",
               counters.cookies_sent, counters.cookies_accepted);
    }
    tool_flush();
}

static int serve(struct server *server)
{
    int code = host_options_open(&server->host, &server->settings->host);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    code = start_listening(server);
    if (code == OPTIONS_GO_ON) {
        code = loop(server);
    }
    drop_idle(server, 0);
    host_flush(&server->host);
    report_end(server);
    int incomplete = host_close(&server->host);
    return code != TOOL_OK ? code : incomplete;
}

int serve_main(int argc, char **argv)
{
    static const struct option table[] = {
        {"port", 'p', OPTION_NUMBER, "PORT", "listen on PORT (default 8080)", offsetof(struct settings, port),
         1, 65535},
        {"bind", 0, OPTION_TEXT, "ADDR", "listen on this address only", offsetof(struct settings, address), 0,
         0},
        {"backlog", 0, OPTION_NUMBER, "N", "connections that may wait (default 1024)",
         offsetof(struct settings, backlog), 1, 65535},
        {"idle", 0, OPTION_SECONDS, "SECONDS", "end connections on which nothing moves (default 60)",
         offsetof(struct settings, idle_ns), SECOND / 10, 86400 * SECOND},
        {"verbose", 'v', OPTION_FLAG, NULL, "a line for each request", offsetof(struct settings, verbose), 0,
         0},
        {"json", 0, OPTION_FLAG, NULL, "the same as JSON, an object a line", offsetof(struct settings, json),
         0, 0},
        {.name = NULL},
    };
    struct settings settings = {.port = 8080, .backlog = 1024, .idle_ns = 60 * SECOND};
    host_options_init(&settings.host);
    struct option_group groups[] = {{"Options", table, &settings}, host_options_group(&settings.host)};
    struct option_command command = {
        .name = "serve",
        .arguments = "DIRECTORY",
        .summary = "Serves the files below DIRECTORY over HTTP/1.1 (GET and HEAD, ranges, keep-alive) until "
                   "SIGINT.\n"
                   "Symbolic links are not followed.",
        .example = "estab serve --dev tun:estab0 --addr 10.9.0.2/24,fd09::2/64 --port 80 /srv/www",
        .groups = groups,
        .group_count = 2,
        .least = 1,
        .most = 1,
    };
    struct option_arguments arguments;
    int code = options_parse(&command, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    struct server server = {.settings = &settings};
    server.directory = open(arguments.values[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (server.directory < 0) {
        return tool_fail("%s: %s", arguments.values[0], strerror(errno));
    }
    code = serve(&server);
    close(server.directory);
    return code;
}
