/*
 * ACK storms (Joncheray 1995, Abramov 2011; RFC 9293 3.10.7.4, RFC 5961 7): row V-41. Somebody beside the
 * path injects bytes into both directions, so that each end acknowledges what the other has not sent, and
 * each such ACK would bring another for ever. The limit on unasked ACKs ends it: at most four segments a
 * second, and the connection goes on, or is given up by R2.
 */
#include "drivers/pipe.h"
#include "sim/bytes.h"
#include "support/siege.h"

#define DELAY  (MS / 2) /* a round trip of one millisecond: an unlimited storm makes 2000 segments a second */
#define R2     (120 * SECOND)
#define SIDE_A 0x0a090001u
#define SIDE_B 0x0a090002u

struct storm {
    struct pipe pipe;
    estab_stack *stack[2];
    void *memory[2];
    estab_conn conn[2], listener;
    uint32_t next[2], acked[2]; /* what each side said last: its SND.NXT, and its RCV.NXT */
    uint64_t segments;
};

static void hook(void *user, unsigned from, uint64_t index, struct estab_packet *packet,
                 struct pipe_fate *fate)
{
    struct storm *storm = user;
    struct raw raw;
    (void)index;
    raw_read(packet->data, packet->length, &raw);
    uint32_t next = raw.seq + raw.length + ((raw.flags & (SYN | FIN)) ? 1 : 0);
    storm->next[from] = next;
    storm->acked[from] = raw.ack;
    storm->segments++;
    (void)fate;
}

static void start(struct storm *storm)
{
    char error[200] = "";
    struct pipe_options options = {.delay_ns = DELAY, .hook = hook, .hook_user = storm};
    memset(storm, 0, sizeof *storm);
    for (unsigned i = 0; i < 2; i++) {
        struct estab_config config;
        estab_config_init(&config);
        memset(config.secret, 3 + (int)i, sizeof config.secret);
        config.max_connections = 8;
        config.user_timeout_ns = R2;
        config.no_timestamps = true; /* with them the attacker has to know one thing more */
        storm->memory[i] = aligned_alloc(64, 1u << 18);
        storm->stack[i] = estab_init(storm->memory[i], 1u << 18, &config, NULL, NULL);
        assert_non_null(storm->stack[i]);
    }
    assert_int_equal(pipe_open(&storm->pipe, storm->stack, &options, error, sizeof error), 0);
    assert_int_equal(pipe_address(&storm->pipe, 0, "10.9.0.1/24", error, sizeof error), 0);
    assert_int_equal(pipe_address(&storm->pipe, 1, "10.9.0.2/24", error, sizeof error), 0);
    struct estab_addr server = estab_addr_ipv4(10, 9, 0, 2, SIEGE_PORT);
    struct estab_addr client = estab_addr_ipv4(10, 9, 0, 1, 7000);
    assert_int_equal(estab_open(storm->stack[1], &storm->listener), 0);
    assert_int_equal(estab_bind(storm->stack[1], storm->pipe.now, storm->listener, &server), 0);
    assert_int_equal(estab_listen(storm->stack[1], storm->pipe.now, storm->listener, 4), 0);
    assert_int_equal(estab_open(storm->stack[0], &storm->conn[0]), 0);
    assert_int_equal(estab_bind(storm->stack[0], storm->pipe.now, storm->conn[0], &client), 0);
    assert_int_equal(estab_connect(storm->stack[0], storm->pipe.now, storm->conn[0], &server), 0);
    pipe_run(&storm->pipe, NULL, NULL, SECOND);
    assert_int_equal(estab_accept(storm->stack[1], storm->pipe.now, storm->listener, &storm->conn[1]), 0);
}

static void stop(struct storm *storm)
{
    pipe_close(&storm->pipe);
    free(storm->memory[0]);
    free(storm->memory[1]);
}

static enum estab_state state_of(const struct storm *storm, unsigned side)
{
    struct estab_status status;
    return estab_status(storm->stack[side], storm->conn[side], &status) == 0 ? status.state : ESTAB_CLOSED;
}

/* Bytes as if the other end had sent them. */
static void inject_bytes(struct storm *storm, unsigned to, uint32_t length)
{
    uint8_t bytes[2048];
    struct raw raw = {
        .from = to == 0 ? SIDE_B : SIDE_A,
        .to = to == 0 ? SIDE_A : SIDE_B,
        .from_port = to == 0 ? SIEGE_PORT : 7000,
        .to_port = to == 0 ? 7000 : SIEGE_PORT,
        .seq = storm->acked[to],
        .ack = storm->next[to],
        .flags = ACK | PSH,
        .wnd = 60000,
        .length = length,
    };
    size_t size = raw_write(&raw, bytes);
    struct estab_packet packet = {
        .data = bytes, .length = (uint32_t)size, .interface = (uint32_t)storm->pipe.end[to].interface};
    estab_input(storm->stack[to], storm->pipe.now, &packet, 1);
    assert_int_equal(packet.reason, ESTAB_DROP_NONE);
}

/* The segments of the next second, both ways. */
static uint64_t second_of(struct storm *storm)
{
    uint64_t before = storm->segments;
    pipe_run(&storm->pipe, NULL, NULL, SECOND);
    for (unsigned i = 0; i < 2; i++) {
        assert_null(estab_check(storm->stack[i]));
    }
    return storm->segments - before;
}

static void send_bytes(struct storm *storm, unsigned side, size_t length)
{
    uint8_t bytes[4096] = {0};
    assert_true(length <= sizeof bytes);
    if (state_of(storm, side) == ESTAB_ESTABLISHED) {
        estab_send(storm->stack[side], storm->pipe.now, storm->conn[side], bytes, length, 0);
    }
}

/* V-41: nobody has anything to send: the ends answer each other, and fall silent. */
static void v41_desynchronised_and_idle_ends_fall_silent(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1, 2, 100, 1400};
    for (unsigned i = 0; i < 4; i++) {
        struct storm storm;
        start(&storm);
        inject_bytes(&storm, 0, lengths[i]);
        inject_bytes(&storm, 1, lengths[i]);
        uint64_t most = 0;
        for (unsigned n = 0; n < 30; n++) {
            uint64_t segments = second_of(&storm);
            most = segments > most ? segments : most;
        }
        assert_true(most > 0 && most <= 4 + 2); /* the two ACKs of the bytes themselves */
        assert_int_equal(second_of(&storm), 0);
        stop(&storm);
    }
}

/*
 * V-41: bytes are injected anew ten times a second, for as long as R2: what comes back to each injected
 * segment is its own ACK and the limited ones.
 */
static void v41_attacker_that_goes_on_gets_no_storm(void **state)
{
    (void)state;
    struct storm storm;
    start(&storm);
    for (unsigned n = 0; n < R2 / SECOND; n++) {
        uint64_t before = storm.segments;
        for (unsigned i = 0; i < 10; i++) {
            inject_bytes(&storm, i % 2, 1);
            pipe_run(&storm.pipe, NULL, NULL, SECOND / 10);
        }
        assert_true(storm.segments - before <= 10 + 4);
    }
    stop(&storm);
}

static uint64_t retransmissions(const struct storm *storm)
{
    struct estab_counters counters[2];
    estab_counters(storm->stack[0], &counters[0]);
    estab_counters(storm->stack[1], &counters[1]);
    return counters[0].segments_retransmitted + counters[1].segments_retransmitted;
}

/* Either all is acknowledged, or somebody knows that it is over. */
static bool is_settled(const struct storm *storm)
{
    for (unsigned i = 0; i < 2; i++) {
        struct estab_status status;
        if (estab_status(storm->stack[i], storm->conn[i], &status) != 0 ||
            status.state != ESTAB_ESTABLISHED) {
            return true;
        }
        if (status.send_queued > 0) {
            return false;
        }
    }
    return true;
}

/*
 * V-41: both ends have something to send when the other has taken somebody else's bytes for it. Beside the
 * text, its retransmissions and an ACK for each of them there are at most four segments a second; the
 * connection goes on, or is over within R2.
 */
static void try_with_text(uint32_t injected, uint32_t written)
{
    struct storm storm;
    start(&storm);
    uint64_t segments = 0;
    uint64_t asked = 2 + 2 * 2; /* the ACKs of what was injected; the text of both, and its ACKs */
    inject_bytes(&storm, 0, injected);
    inject_bytes(&storm, 1, injected);
    send_bytes(&storm, 0, written);
    send_bytes(&storm, 1, written);
    unsigned n = 0;
    do {
        segments += second_of(&storm);
        n++;
        assert_true(segments <= asked + 2 * retransmissions(&storm) + 4 * (n + 1));
    } while (!is_settled(&storm) && n < R2 / SECOND + 60);
    assert_true(is_settled(&storm));
    stop(&storm);
}

/* V-41 */
static void v41_desynchronised_ends_with_text_recover_or_end_within_r2(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1, 10, 1000};
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 3; k++) {
            try_with_text(lengths[i], lengths[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v41_desynchronised_and_idle_ends_fall_silent),
        cmocka_unit_test(v41_attacker_that_goes_on_gets_no_storm),
        cmocka_unit_test(v41_desynchronised_ends_with_text_recover_or_end_within_r2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
