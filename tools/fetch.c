/*
 * `estab fetch`: gets files over HTTP/1.1 into a file or standard output. Received bytes are written from
 * where they stand in the receive queue; while the output takes no more, they stay there and the peer's
 * window closes. Several URLs of one server share a connection. Exit codes are those of curl where it has one
 * for the case.
 */
#include "host_options.h"
#include "http.h"
#include "json.h"
#include "progress.h"
#include "sink.h"
#include "tool.h"

#include "drivers/addr.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SECOND   UINT64_C(1000000000)
#define DRAIN_NS (5 * SECOND)
#define SLICES   16

/* curl's exit codes (curl(1)); 0 and 1 are TOOL_OK and TOOL_FAILED. */
enum fetch_exit { FETCH_NAME = 6, FETCH_CONNECT = 7, FETCH_TIMEOUT = 28, FETCH_RECEIVE = 56 };

struct settings {
    struct host_options host;
    const char *output;
    uint64_t max_time_ns;
    bool head;
    bool quiet;
    bool json;
};

struct url {
    const char *text;
    struct estab_addr server;
    char authority[ADDR_TEXT];
    const char *path; /* "" = the root */
};

struct fetch {
    struct host host;
    const struct settings *settings;
    struct sink sink;
    struct pollfd output; /* waited for while it takes no more */
    struct progress progress;
    struct url url;
    estab_conn conn;          /* 0 = none */
    struct estab_addr server; /* of conn */
    uint64_t deadline;
    size_t head_used;
    char head[HTTP_HEAD_MAX];
    struct http_response response;
    struct http_body body;
    uint64_t received;
};

/* ------------------------------------------------------------------------------------------------------ URL
 */

/* OPTIONS_GO_ON, or the exit code. */
static int parse_url(const char *text, struct url *url)
{
    char address[ADDR_TEXT];
    *url = (struct url){.text = text};
    const char *at = strstr(text, "://");
    if (at != NULL && strncasecmp(text, "http://", 7) != 0) {
        return tool_usage("'%s': only http:// is spoken here", text);
    }
    at = at != NULL ? at + 3 : text;
    size_t length = strcspn(at, "/?#");
    url->path = at + length;
    if (length == 0 || length >= sizeof url->authority) {
        return tool_usage("'%s' is not a URL: for example http://10.9.0.1:8080/file", text);
    }
    memcpy(url->authority, at, length);
    url->authority[length] = 0;
    if (addr_parse_port(url->authority, &url->server) && !addr_is_any(&url->server) &&
        url->server.port != 0) {
        return OPTIONS_GO_ON;
    }
    bool bracketed = url->authority[0] == '[' && url->authority[length - 1] == ']';
    snprintf(address, sizeof address, "%.*s", (int)(length - (bracketed ? 2 : 0)),
             url->authority + bracketed);
    if ((bracketed || strchr(address, ':') == NULL) && addr_parse(address, &url->server) &&
        !addr_is_any(&url->server)) {
        url->server.port = 80;
        return OPTIONS_GO_ON;
    }
    tool_error("'%s' is not an address (names are not resolved): for example http://10.9.0.1:8080/ or "
               "http://[fd09::1]/",
               url->authority);
    return FETCH_NAME;
}

/* ---------------------------------------------------------------------------------------------------- ending
 */

/* Says why the connection failed. */
static int connection_failed(struct fetch *fetch, int error, bool established)
{
    bool timeout = error == -ESTAB_ETIMEDOUT;
    tool_error("%s: %s", fetch->url.authority, estab_strerror(error));
    return timeout ? FETCH_TIMEOUT : established ? FETCH_RECEIVE : FETCH_CONNECT;
}

static int output_failed(const struct fetch *fetch, int error)
{
    return tool_fail("%s: %s", fetch->sink.path, strerror(-error));
}

static void abandon(struct fetch *fetch)
{
    if (fetch->conn != 0) {
        estab_abort(fetch->host.stack, fetch->host.now, fetch->conn);
        fetch->conn = 0;
    }
}

/* ----------------------------------------------------------------------------------------------------- loop
 */

/* One turn: OPTIONS_GO_ON, or the exit code of what ends it. */
static int turn(struct fetch *fetch)
{
    struct estab_event event;
    uint64_t now = host_now(&fetch->host);
    uint64_t timeout = fetch->deadline - now;
    if (now >= fetch->deadline) {
        tool_error("%s: not done within %g s", fetch->url.text, (double)fetch->settings->max_time_ns / 1e9);
        return FETCH_TIMEOUT;
    }
    if (fetch->deadline == HOST_FOREVER) {
        timeout = HOST_FOREVER;
    }
    if (host_step(&fetch->host, timeout) < 0) {
        return tool_fail("%s", fetch->host.error);
    }
    unsigned events;
    do {
        events = estab_poll(fetch->host.stack, &event, 1); /* there is one connection: it is asked directly */
    } while (events > 0);
    if (tool_interrupted()) {
        return tool_fail("interrupted");
    }
    progress_update(&fetch->progress, fetch->received, fetch->host.now);
    return OPTIONS_GO_ON;
}

static int connect_to(struct fetch *fetch)
{
    struct host *host = &fetch->host;
    struct estab_status status;
    int error = estab_open(host->stack, &fetch->conn);
    if (error == 0) {
        error = estab_connect(host->stack, host->now, fetch->conn, &fetch->url.server);
    }
    if (error != 0) {
        return connection_failed(fetch, error, false);
    }
    fetch->server = fetch->url.server;
    for (;;) {
        int code = turn(fetch);
        if (code != OPTIONS_GO_ON) {
            return code;
        }
        error = estab_status(host->stack, fetch->conn, &status);
        if (error != 0 || status.error != 0) {
            return connection_failed(fetch, error != 0 ? error : status.error, false);
        }
        if ((estab_ready(host->stack, fetch->conn) & ESTAB_CONNECTED) != 0) {
            return OPTIONS_GO_ON;
        }
    }
}

static int send_request(struct fetch *fetch)
{
    char text[HTTP_HEAD_MAX];
    int path = (int)strcspn(fetch->url.path, "#");
    int length = snprintf(text, sizeof text,
                          "%s %s%.*s HTTP/1.1\r\nHost: %s\r\nUser-Agent: estab/%s\r\nAccept: */*\r\n\r\n",
                          fetch->settings->head ? "HEAD" : "GET", fetch->url.path[0] == '/' ? "" : "/", path,
                          fetch->url.path, fetch->url.authority, estab_version());
    if (length >= (int)sizeof text) {
        return tool_usage("the URL is too long: %.60s...", fetch->url.text);
    }
    for (size_t sent = 0; sent < (size_t)length;) {
        ptrdiff_t count = estab_send(fetch->host.stack, fetch->host.now, fetch->conn, text + sent,
                                     (size_t)length - sent, 0);
        if (count < 0 && count != -ESTAB_EAGAIN) {
            return connection_failed(fetch, (int)count, true);
        }
        sent += count > 0 ? (size_t)count : 0;
        int code = sent < (size_t)length ? turn(fetch) : OPTIONS_GO_ON;
        if (code != OPTIONS_GO_ON) {
            return code;
        }
    }
    return OPTIONS_GO_ON;
}

/* ------------------------------------------------------------------------------------------------- response
 */

/* What ended the connection, 0 = the peer's close: those who read in place see an end for both. */
static int connection_error(const struct fetch *fetch)
{
    struct estab_status status;
    int error = estab_status(fetch->host.stack, fetch->conn, &status);
    return error != 0 ? error : status.error;
}

/* The peer has closed too early, or the connection has failed. */
static int ended_early(struct fetch *fetch, int error)
{
    if (error < 0) {
        return connection_failed(fetch, error, true);
    }
    if (fetch->response.framing == HTTP_BODY_LENGTH) {
        tool_error("%s: the connection was closed after %" PRIu64 " of %" PRIu64 " bytes", fetch->url.text,
                   fetch->received, fetch->response.length);
    } else {
        tool_error("%s: the connection was closed before the end of the response", fetch->url.text);
    }
    return FETCH_RECEIVE;
}

/* Takes one head off the connection into fetch->head; head_used is its length then. */
static int receive_head(struct fetch *fetch)
{
    struct host *host = &fetch->host;
    for (;;) {
        ptrdiff_t count =
            estab_recv(host->stack, host->now, fetch->conn, fetch->head, sizeof fetch->head, ESTAB_PEEK);
        if (count == 0 || (count < 0 && count != -ESTAB_EAGAIN)) {
            return ended_early(fetch, (int)count);
        }
        fetch->head_used = count > 0 ? http_head_length(fetch->head, (size_t)count) : 0;
        if (fetch->head_used > 0) {
            estab_recv_consume(host->stack, host->now, fetch->conn, fetch->head_used);
            return OPTIONS_GO_ON;
        }
        if (count == (ptrdiff_t)sizeof fetch->head) {
            tool_error("%s: the head of the response is longer than %u bytes", fetch->url.text,
                       HTTP_HEAD_MAX);
            return FETCH_RECEIVE;
        }
        int ready = estab_ready(host->stack, fetch->conn);
        if (ready < 0 || (ready & ESTAB_PEER_CLOSED) != 0) {
            return ended_early(fetch, connection_error(fetch));
        }
        int code = turn(fetch);
        if (code != OPTIONS_GO_ON) {
            return code;
        }
    }
}

static int receive_response(struct fetch *fetch)
{
    do {
        int code = receive_head(fetch);
        if (code != OPTIONS_GO_ON) {
            return code;
        }
        if (!http_parse_response(fetch->head, fetch->head_used, fetch->settings->head, &fetch->response)) {
            tool_error("%s: not a response of HTTP/1", fetch->url.text);
            return FETCH_RECEIVE;
        }
    } while (fetch->response.status < 200); /* interim responses: RFC 9110 15.2 */
    if (fetch->response.status < 300 || fetch->settings->head) {
        return OPTIONS_GO_ON;
    }
    return tool_fail("%s: the server says %u %s%s%s", fetch->url.text, fetch->response.status,
                     fetch->response.reason, fetch->response.location[0] != 0 ? ": it is at " : "",
                     fetch->response.location);
}

/* Writes what there is of the body: bytes used, 0 = the output takes no more, or -1 with *code set. */
static ptrdiff_t use_slice(struct fetch *fetch, const struct estab_slice *slice, int *code)
{
    size_t used = 0;
    while (used < slice->length && !fetch->body.done) {
        const char *at = (const char *)slice->data + used;
        ptrdiff_t skipped = http_body_skip(&fetch->body, at, slice->length - used);
        if (skipped < 0) {
            tool_error("%s: broken chunked transfer coding", fetch->url.text);
            *code = FETCH_RECEIVE;
            return -1;
        }
        used += (size_t)skipped;
        size_t text = http_body_text(&fetch->body, slice->length - used);
        if (text == 0) {
            continue;
        }
        ptrdiff_t written = sink_write(&fetch->sink, slice->data + used, text);
        if (written < 0) {
            *code = output_failed(fetch, (int)written);
            return -1;
        }
        if (written == 0) {
            break;
        }
        http_body_take(&fetch->body, (size_t)written);
        used += (size_t)written;
        fetch->received += (uint64_t)written;
    }
    return (ptrdiff_t)used;
}

/* Uses what has arrived. OPTIONS_GO_ON = more must come, or the output be ready; TOOL_OK = the body is
 * complete. */
static int use_received(struct fetch *fetch)
{
    struct host *host = &fetch->host;
    struct estab_slice slices[SLICES];
    int code = OPTIONS_GO_ON;
    fetch->output.fd = -1;
    while (!fetch->body.done) {
        int count = estab_recv_slices(host->stack, fetch->conn, slices, SLICES);
        if (count == -ESTAB_EAGAIN) {
            return OPTIONS_GO_ON;
        }
        if (count <= 0) {
            int error = count < 0 ? count : connection_error(fetch);
            bool complete = error == 0 && fetch->body.framing == HTTP_BODY_CLOSE;
            return complete ? TOOL_OK : ended_early(fetch, error);
        }
        size_t used = 0;
        bool stuck = false;
        for (int i = 0; i < count && !stuck; i++) {
            ptrdiff_t part = use_slice(fetch, &slices[i], &code);
            if (part < 0) {
                return code;
            }
            used += (size_t)part;
            stuck = (size_t)part < slices[i].length;
        }
        estab_recv_consume(host->stack, host_now(host), fetch->conn, used);
        if (stuck && !fetch->body.done) {
            fetch->output.fd = fetch->sink.fd;
            return OPTIONS_GO_ON;
        }
    }
    return TOOL_OK;
}

static int receive_body(struct fetch *fetch)
{
    http_body_begin(&fetch->body, &fetch->response);
    fetch->progress.total = fetch->response.framing == HTTP_BODY_LENGTH ? fetch->response.length : 0;
    if (fetch->settings->head) {
        ptrdiff_t written = write(fetch->sink.fd, fetch->head, fetch->head_used);
        return written == (ptrdiff_t)fetch->head_used
                   ? TOOL_OK
                   : tool_fail("%s: the head cannot be written", fetch->sink.path);
    }
    for (;;) {
        int code = use_received(fetch);
        if (code == OPTIONS_GO_ON) {
            code = turn(fetch);
        }
        if (code != OPTIONS_GO_ON) {
            return code;
        }
    }
}

/* ------------------------------------------------------------------------------------------------ one fetch
 */

static void report(const struct fetch *fetch)
{
    uint64_t duration = fetch->host.now - fetch->progress.started_ns;
    if (!fetch->settings->json) {
        return;
    }
    FILE *stream = fetch->settings->output != NULL ? stdout : stderr;
    json_begin(stream);
    json_text(stream, "fetch", fetch->url.text);
    json_unsigned(stream, "status", fetch->response.status);
    json_unsigned(stream, "bytes", fetch->received);
    json_real(stream, "seconds", (double)duration / 1e9, 6);
    json_real(stream, "gbit_per_s", duration > 0 ? (double)fetch->received * 8 / (double)duration : 0, 3);
    json_end(stream);
}

/* Uses the connection there is if it goes to the same server and is still open. */
static int fetch_url(struct fetch *fetch)
{
    int code = OPTIONS_GO_ON;
    fetch->received = 0;
    fetch->response = (struct http_response){0};
    progress_begin(&fetch->progress, fetch->url.text, 0, host_now(&fetch->host));
    fetch->progress.shown = fetch->progress.shown && !fetch->settings->quiet && isatty(fetch->sink.fd) != 1;
    bool same = memcmp(&fetch->server, &fetch->url.server, sizeof fetch->server) == 0;
    bool open = fetch->conn != 0 &&
                (estab_ready(fetch->host.stack, fetch->conn) & (ESTAB_PEER_CLOSED | ESTAB_ERROR)) == 0;
    if (fetch->conn != 0 && !(same && open)) {
        estab_close(fetch->host.stack, fetch->host.now, fetch->conn);
        fetch->conn = 0;
    }
    if (fetch->conn == 0) {
        code = connect_to(fetch);
    }
    if (code == OPTIONS_GO_ON) {
        code = send_request(fetch);
    }
    if (code == OPTIONS_GO_ON) {
        code = receive_response(fetch);
    }
    if (code == OPTIONS_GO_ON) {
        code = receive_body(fetch);
    }
    progress_end(&fetch->progress, fetch->received, fetch->host.now, code == TOOL_OK);
    if (code == TOOL_OK) {
        report(fetch);
    }
    if (code == TOOL_OK && !fetch->response.keep_alive) {
        estab_close(fetch->host.stack, fetch->host.now, fetch->conn);
        fetch->conn = 0;
    }
    return code;
}

static int fetch_all(struct fetch *fetch, const struct option_arguments *urls)
{
    int code = host_options_open(&fetch->host, &fetch->settings->host);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    fetch->host.fds = &fetch->output;
    fetch->host.fd_count = 1;
    fetch->deadline = fetch->settings->max_time_ns == 0
                          ? HOST_FOREVER
                          : host_now(&fetch->host) + fetch->settings->max_time_ns;
    code = TOOL_OK;
    for (unsigned i = 0; i < urls->count && code == TOOL_OK; i++) {
        parse_url(urls->values[i], &fetch->url);
        code = fetch_url(fetch);
    }
    if (code != TOOL_OK) {
        abandon(fetch);
        host_flush(&fetch->host);
    } else if (fetch->conn != 0) {
        estab_close(fetch->host.stack, fetch->host.now, fetch->conn);
    }
    if (code == TOOL_OK) {
        host_drain(&fetch->host, DRAIN_NS);
    }
    int incomplete = host_close(&fetch->host);
    return code != TOOL_OK ? code : incomplete;
}

static int fetch_into(struct fetch *fetch, const struct option_arguments *urls)
{
    const char *output = fetch->settings->output;
    int error = 0;
    if (output == NULL || strcmp(output, "-") == 0) {
        sink_standard(&fetch->sink);
    } else {
        error = sink_open(&fetch->sink, output);
    }
    if (error != 0) {
        return tool_fail("%s: %s", output, strerror(-error));
    }
    fetch->output = (struct pollfd){.fd = -1, .events = POLLOUT};
    int code = fetch_all(fetch, urls);
    if (code == TOOL_OK && (error = sink_commit(&fetch->sink)) != 0) {
        code = output_failed(fetch, error);
    }
    sink_discard(&fetch->sink);
    return code;
}

int fetch_main(int argc, char **argv)
{
    static const struct option table[] = {
        {"output", 'o', OPTION_TEXT, "FILE", "write to FILE (default: standard output)",
         offsetof(struct settings, output), 0, 0},
        {"head", 'I', OPTION_FLAG, NULL, "ask for the head only and print it",
         offsetof(struct settings, head), 0, 0},
        {"connect-timeout", 0, OPTION_SECONDS, "SECONDS", "give up opening after this time (default 180)",
         offsetof(struct settings, host.config.syn_timeout_ns), SECOND / 10, 86400 * SECOND},
        {"max-time", 'm', OPTION_SECONDS, "SECONDS", "give up after this time in all (default: never)",
         offsetof(struct settings, max_time_ns), SECOND / 100, 86400 * SECOND},
        {"quiet", 'q', OPTION_FLAG, NULL, "no progress bar", offsetof(struct settings, quiet), 0, 0},
        {"json", 0, OPTION_FLAG, NULL, "report as JSON (to standard error without -o)",
         offsetof(struct settings, json), 0, 0},
        {.name = NULL},
    };
    static struct fetch fetch;
    struct settings settings = {0};
    host_options_init(&settings.host);
    struct option_group groups[] = {{"Options", table, &settings}, host_options_group(&settings.host)};
    struct option_command command = {
        .name = "fetch",
        .arguments = "URL...",
        .summary = "Gets URLs over HTTP/1.1, those of one server over one connection. Hosts are addresses, "
                   "not names.\n"
                   "Exit codes: 6 the host is no address, 7 no connection, 28 timeout, 56 receiving failed, "
                   "2 usage, else 1.\n"
                   "What could not be fetched to its end is not left behind.",
        .example = "estab fetch --dev tun:estab0 --addr 10.9.0.2/24 -o file http://10.9.0.1:8000/file",
        .groups = groups,
        .group_count = 2,
        .least = 1,
        .most = 1000,
    };
    struct option_arguments urls;
    int code = options_parse(&command, argc, argv, &urls);
    for (unsigned i = 0; code == OPTIONS_GO_ON && i < urls.count; i++) {
        code = parse_url(urls.values[i], &fetch.url);
    }
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    fetch.settings = &settings;
    return fetch_into(&fetch, &urls);
}
