/*
 * The legitimate clients of `estab bench flood`, all on one stack of their own. Most open, ask for 10 kB,
 * read them to the end and close, over and over, with a short pause; every byte is compared. Some send
 * requests so large that they come in fragments. A few are streams: one long answer each, read slowly, that
 * must outlive everything. A few say nothing: their connections are led apart (bench_flood_watch.c). See
 * bench_flood.h.
 */
#include "bench_flood.h"
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORTS        200u
#define FRAGMENTED    8u
#define STREAMS       8u
#define STREAM_BYTES  "1000000000\n"
#define STREAM_TURN   8192u
#define STREAM_BUFFER 16384u
#define STREAM_PERIOD (BENCH_SECOND / 20)
#define PAUSE_NS      (BENCH_SECOND / 20) /* between exchanges, and up to twice as much more */
#define PADDING       1200u
#define EVENTS        64u

enum role { SHORT, IN_FRAGMENTS, STREAM, SILENT };

struct flood_client {
    estab_conn conn; /* 0 = it pauses */
    uint64_t begun_ns, wake_ns;
    uint64_t received;
    uint32_t seq;
    uint16_t port;
    uint8_t role;
    bool connected;
};

static enum role role_of(unsigned index)
{
    return index < SHORTS                          ? SHORT
           : index < SHORTS + FRAGMENTED           ? IN_FRAGMENTS
           : index < SHORTS + FRAGMENTED + STREAMS ? STREAM
                                                   : SILENT;
}

bool flood_clients_open(struct flood *flood)
{
    flood->client_count = SHORTS + FRAGMENTED + STREAMS + FLOOD_STORMS;
    flood->clients = calloc(flood->client_count, sizeof *flood->clients);
    if (flood->clients == NULL) {
        tool_error("out of memory");
        return false;
    }
    for (unsigned i = 0; i < flood->client_count; i++) {
        struct flood_client *client = &flood->clients[i];
        client->role = (uint8_t)role_of(i);
        client->wake_ns = flood->now + flood_below(flood, (uint32_t)PAUSE_NS);
        if ((client->role == IN_FRAGMENTS && !flood->setup->fragments) ||
            (client->role == SILENT && !flood->setup->storm)) {
            client->wake_ns = UINT64_MAX;
        }
    }
    return true;
}

void flood_clients_close(struct flood *flood)
{
    free(flood->clients);
}

/* ---- beginning ---- */

static bool counts(const struct flood_client *client)
{
    return client->role == SHORT;
}

static int connect_client(struct flood *flood, struct flood_client *client, uint64_t user)
{
    struct estab_addr server = estab_addr_ipv4(10, 0, 0, 2, BENCH_PORT);
    int error = estab_open(flood->client, &client->conn);
    if (error == 0) {
        error = estab_set(flood->client, flood->now, client->conn, ESTAB_OPTION_USER, user);
    }
    if (error == 0 && client->role == STREAM) {
        error =
            estab_set(flood->client, flood->now, client->conn, ESTAB_OPTION_RECEIVE_BUFFER, STREAM_BUFFER);
    }
    return error != 0 ? error : estab_connect(flood->client, flood->now, client->conn, &server);
}

static void look(struct flood *flood, struct flood_client *client)
{
    struct estab_status status;
    if (estab_status(flood->client, client->conn, &status) == 0) {
        client->port = status.local.port;
        client->seq = status.snd_una + (uint32_t)status.send_queued;
    }
}

static void begin(struct flood *flood, unsigned index)
{
    struct flood_client *client = &flood->clients[index];
    client->begun_ns = flood->now;
    client->received = 0;
    client->connected = false;
    if (connect_client(flood, client, (uint64_t)index + 1) != 0) {
        tool_error("a client has no connection left: the benchmark is at fault");
        client->conn = 0;
        client->wake_ns = UINT64_MAX;
        return;
    }
    look(flood, client);
    if (client->role == SILENT) {
        flood->storms[index - SHORTS - FRAGMENTED - STREAMS].port = client->port;
    }
    flood->tally.begun += counts(client);
    flood->tally.fragmented_begun += client->role == IN_FRAGMENTS;
    flood->tally.streams += client->role == STREAM;
    flood->open_exchanges += counts(client);
}

/* ---- ending ---- */

static void record(struct flood_times *times, uint64_t took_ns)
{
    uint64_t bin = took_ns / FLOOD_STEP_NS;
    times->bins[bin < FLOOD_BINS ? bin : FLOOD_BINS - 1]++;
    times->count++;
}

static void end(struct flood *flood, struct flood_client *client)
{
    if (!client->connected && counts(client)) {
        record(&flood->tally.setup, FLOOD_PATIENCE_NS);
    }
    flood->open_exchanges -= counts(client);
    client->conn = 0;
    client->port = 0;
    client->wake_ns = flood->now + PAUSE_NS + flood_below(flood, 2 * (uint32_t)PAUSE_NS);
    if (client->role == STREAM || client->role == SILENT) {
        client->wake_ns = UINT64_MAX;
        flood->tally.streams_lost += client->role == STREAM;
    }
}

static void complete(struct flood *flood, struct flood_client *client)
{
    estab_close(flood->client, flood->now, client->conn);
    if (counts(client)) {
        flood->tally.completed++;
        record(&flood->tally.exchange, flood->now - client->begun_ns);
    }
    flood->tally.fragmented_completed += client->role == IN_FRAGMENTS;
    end(flood, client);
}

/* By an error of the connection, or of its contents. */
static void fail(struct flood *flood, struct flood_client *client, uint64_t *why)
{
    estab_abort(flood->client, flood->now, client->conn);
    if (counts(client)) {
        (*why)++;
        record(&flood->tally.exchange, FLOOD_PATIENCE_NS);
    }
    end(flood, client);
}

/* ---- the exchange ---- */

static void request(struct flood *flood, struct flood_client *client)
{
    char text[PADDING + 16];
    int length = 0;
    if (client->role == IN_FRAGMENTS) {
        memset(text, ' ', PADDING);
        length = PADDING;
    }
    if (client->role == SILENT) { /* half of a request, which the server waits for the rest of */
        text[length++] = '1';
    } else if (client->role == STREAM) {
        length += snprintf(text + length, 16, "%s", STREAM_BYTES);
    } else {
        length += snprintf(text + length, 16, "%u\n", FLOOD_ANSWER);
    }
    estab_send(flood->client, flood->now, client->conn, text, (size_t)length, 0);
}

static bool as_sent(const struct flood *flood, const struct flood_client *client, const uint8_t *bytes,
                    size_t count)
{
    for (size_t done = 0; done < count;) {
        size_t at = (client->received + done) % FLOOD_PATTERN;
        size_t run = count - done < FLOOD_PATTERN - at ? count - done : FLOOD_PATTERN - at;
        if (memcmp(bytes + done, flood->answer + at, run) != 0) {
            return false;
        }
        done += run;
    }
    return true;
}

static void receive(struct flood *flood, struct flood_client *client, size_t most)
{
    uint8_t bytes[16384];
    ptrdiff_t count;
    while (most > 0 && (count = estab_recv(flood->client, flood->now, client->conn, bytes,
                                           most < sizeof bytes ? most : sizeof bytes, 0)) > 0) {
        if (!as_sent(flood, client, bytes, (size_t)count)) {
            fail(flood, client, &flood->tally.corrupt);
            return;
        }
        client->received += (uint64_t)count;
        most -= (size_t)count;
    }
    if (most == 0 || count == -ESTAB_EAGAIN) {
        return;
    }
    if (count == 0 && client->received == FLOOD_ANSWER) {
        complete(flood, client);
    } else {
        fail(flood, client, &flood->tally.resets);
    }
}

static void on_event(struct flood *flood, const struct estab_event *event)
{
    struct flood_client *client = &flood->clients[event->user - 1];
    if (client->conn != event->conn) {
        return;
    }
    if (event->ready & ESTAB_ERROR) {
        fail(flood, client, &flood->tally.resets);
        return;
    }
    if ((event->ready & ESTAB_CONNECTED) && !client->connected) {
        client->connected = true;
        if (counts(client)) {
            record(&flood->tally.setup, flood->now - client->begun_ns);
        }
        request(flood, client);
        look(flood, client);
        client->wake_ns = flood->now;
    }
    if ((event->ready & ESTAB_READABLE) && (client->role == SHORT || client->role == IN_FRAGMENTS)) {
        receive(flood, client, SIZE_MAX);
    }
}

void flood_clients_events(struct flood *flood)
{
    struct estab_event events[EVENTS];
    unsigned count;
    while ((count = estab_poll(flood->client, events, EVENTS)) > 0) {
        for (unsigned i = 0; i < count; i++) {
            if (events[i].user != 0) {
                on_event(flood, &events[i]);
            }
        }
    }
}

static void read_stream(struct flood *flood, struct flood_client *client)
{
    uint64_t before = client->received;
    client->wake_ns = flood->now + STREAM_PERIOD;
    receive(flood, client, STREAM_TURN);
    if (client->conn == 0) {
        return;
    }
    if (client->received > before) {
        client->begun_ns = flood->now; /* its patience counts from the last progress */
    }
}

void flood_clients_tick(struct flood *flood)
{
    for (unsigned i = 0; i < flood->client_count; i++) {
        struct flood_client *client = &flood->clients[i];
        if (client->conn == 0) {
            if (client->wake_ns <= flood->now && !flood->draining) {
                begin(flood, i);
            }
            continue;
        }
        if (client->role == STREAM && client->connected && client->wake_ns <= flood->now) {
            read_stream(flood, client);
        }
        if (client->conn != 0 && client->role != SILENT &&
            flood->now - client->begun_ns > FLOOD_PATIENCE_NS) {
            fail(flood, client, &flood->tally.timeouts);
        }
    }
}

/* ---- for attackers ---- */

struct flood_victim flood_victim(struct flood *flood)
{
    const struct flood_client *client = &flood->clients[flood_below(flood, SHORTS + FRAGMENTED + STREAMS)];
    return (struct flood_victim){client->port, client->seq};
}

struct flood_victim flood_victim_stream(struct flood *flood)
{
    const struct flood_client *client = &flood->clients[SHORTS + FRAGMENTED + flood_below(flood, STREAMS)];
    return (struct flood_victim){client->connected ? client->port : 0, client->seq};
}

bool flood_clients_fragments(const struct flood *flood, uint16_t port)
{
    for (unsigned i = SHORTS; i < SHORTS + FRAGMENTED && flood->setup->fragments; i++) {
        if (flood->clients[i].port == port) {
            return true;
        }
    }
    return false;
}
