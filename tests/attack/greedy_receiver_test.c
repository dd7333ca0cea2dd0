/*
 * Receivers that want more than their share (Savage 1999; RFC 5681 3.1, RFC 3465, RFC 9293 3.10.7.4): row
 * V-44. One that divides its ACKs, sends each a thousand times, or acknowledges what it has not received, is
 * sent at most 1.05 times in each round trip what an honest one is sent that acknowledges every segment. One
 * that acknowledges early, but only what was sent, shortens its own round trip: for it the bound is the
 * congestion window, which it cannot make grow by more than it acknowledged.
 */
#include "support/rig.h"

#define RTT   (100 * MS)
#define TRIPS 7u
#define WRITE 4000000u

enum manner { HONEST, DIVIDES, REPEATS, AHEAD_OF_SENT, EVERY_TRICK };

/* Of a trip: what arrived in it for the first time, and again. */
struct trip {
    uint32_t bytes, again;
    uint32_t top;
};

static struct trip gather(struct rig *r, uint32_t top)
{
    struct trip trip = {.top = top};
    struct segment sent;
    while (rig_take(r, &sent)) {
        uint32_t end = sent.seq + sent.length;
        uint32_t news = end > trip.top ? end - trip.top : 0;
        trip.bytes += news;
        trip.again += sent.length - news;
        trip.top += news;
    }
    return trip;
}

/* Everything that is sent while one segment is acknowledged, in this manner. */
static struct trip acknowledge(struct rig *r, enum manner manner, uint32_t from, uint32_t to, uint32_t top)
{
    struct trip all = {.top = top};
    unsigned pieces = manner == DIVIDES || manner == EVERY_TRICK ? to - from : 1;
    unsigned copies = manner == REPEATS ? 1000 : manner == EVERY_TRICK ? 2 : 1;
    for (unsigned i = 1; i <= pieces; i++) {
        for (unsigned k = 0; k < copies; k++) {
            uint32_t ack = pieces == 1 ? to : from + i;
            inject(r, .flags = ACK, .seq = 1, .ack = ack);
            struct trip now = gather(r, all.top);
            all.bytes += now.bytes;
            all.again += now.again;
            all.top = now.top;
        }
        if (manner == AHEAD_OF_SENT || (manner == EVERY_TRICK && i % 100 == 0)) {
            inject(r, .flags = ACK, .seq = 1, .ack = all.top + 1 + i);
            assert_int_equal(r->drop, ESTAB_DROP_ACK_RANGE);
            struct trip now = gather(r, all.top);
            all.bytes += now.bytes;
            all.again += now.again;
            all.top = now.top;
        }
    }
    return all;
}

static struct rig *receiver(void)
{
    struct rig_options options;
    rig_defaults(&options);
    options.wscale = 1 + 8;
    options.config.send_buffer = WRITE;
    options.memory = (size_t)8 << 20;
    struct rig *r = rig_start(&options);
    r->unchecked = true;
    rig_reach(r, AT_ESTABLISHED);
    rig_send(r, WRITE, 0);
    return r;
}

/* The new bytes of each round trip. */
static void run(enum manner manner, uint32_t bytes[TRIPS])
{
    struct rig *r = receiver();
    struct trip flight = gather(r, 1);
    uint32_t acked = 1;
    for (unsigned n = 0; n < TRIPS; n++) {
        struct trip next = {.top = flight.top};
        bytes[n] = flight.bytes;
        advance(r, RTT);
        uint32_t end = flight.top;
        while (acked < end) {
            uint32_t to = end - acked < MSS ? end : acked + MSS;
            struct trip now = acknowledge(r, manner, acked, to, next.top);
            next.bytes += now.bytes;
            next.again += now.again;
            next.top = now.top;
            acked = to;
        }
        assert_true(next.again <= flight.bytes); /* what it says it lacks, once */
        flight = next;
    }
    assert_null(estab_check(r->stack));
    rig_abort(r);
    rig_discard(r);
    rig_stop(r);
}

/*
 * V-44: slow start, where growth is fastest. What goes again because duplicates said that it is missing is no
 * gain: it is bounded by the flight. (EVERY_TRICK sends one duplicate of each ACK: RFC 3042 lets one segment
 * out for it. A third would halve the window.)
 */
static void v44_no_manner_of_acknowledging_brings_more_than_an_honest_one(void **state)
{
    (void)state;
    static const enum manner manners[] = {DIVIDES, REPEATS, AHEAD_OF_SENT, EVERY_TRICK};
    uint32_t honest[TRIPS];
    uint32_t greedy[TRIPS];
    run(HONEST, honest);
    assert_true(honest[TRIPS - 1] > 20 * honest[0]); /* it did grow */
    for (unsigned i = 0; i < 4; i++) {
        run(manners[i], greedy);
        for (unsigned n = 0; n < TRIPS; n++) {
            if ((uint64_t)greedy[n] * 100 > (uint64_t)honest[n] * 105) {
                fail_msg("manner %u, trip %u: %u bytes, the honest %u", manners[i], n, greedy[n], honest[n]);
            }
        }
    }
}

/*
 * V-44, RFC 6582: a million duplicates of one ACK: never more in flight than was in flight, and one segment
 * for each that may have left the network.
 */
static void v44_duplicates_inflate_by_no_more_than_what_is_out(void **state)
{
    (void)state;
    struct rig *r = receiver();
    uint32_t acked = 1;
    struct trip flight = gather(r, 1);
    for (unsigned n = 0; n < 4; n++) { /* grown to some size */
        inject(r, .flags = ACK, .seq = 1, .ack = flight.top);
        acked = flight.top;
        flight = gather(r, flight.top);
    }
    uint32_t out = flight.top - acked;
    uint32_t bytes = 0; /* also what goes again */
    for (unsigned i = 0; i < (ESTAB_TEST_SLOW ? 20000u : 200000u); i++) {
        inject(r, .flags = ACK, .seq = 1, .ack = acked);
        struct trip now = gather(r, flight.top);
        bytes += now.bytes + now.again;
        flight.top = now.top;
    }
    /* an honest receiver that lost the first segment of these would have brought as much */
    assert_true((uint64_t)bytes * 100 <= (uint64_t)out * 105);
    rig_abort(r);
    rig_discard(r);
    rig_stop(r);
}

/*
 * V-44: early, but only what was sent: one cwnd for each time that it says so, and cwnd grows by what it
 * says.
 */
static void v44_early_acks_are_bound_by_the_window(void **state)
{
    (void)state;
    struct rig *r = receiver();
    struct trip flight = gather(r, 1);
    uint32_t cwnd = rig_status(r).cwnd;
    uint32_t acked = 1;
    for (unsigned n = 0; n < 6; n++) {
        uint32_t news = flight.top - acked;
        acked = flight.top;
        inject(r, .flags = ACK, .seq = 1, .ack = acked);
        flight = gather(r, flight.top);
        uint32_t now = rig_status(r).cwnd;
        assert_true(now - cwnd <= news);
        assert_true(flight.top - acked <= now);
        cwnd = now;
    }
    rig_abort(r);
    rig_discard(r);
    rig_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v44_no_manner_of_acknowledging_brings_more_than_an_honest_one),
        cmocka_unit_test(v44_duplicates_inflate_by_no_more_than_what_is_out),
        cmocka_unit_test(v44_early_acks_are_bound_by_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
