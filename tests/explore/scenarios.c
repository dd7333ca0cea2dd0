/*
 * What is explored. Each scenario is small, and the faults are few, so that all of it can be visited: the
 * quick ones in seconds, the others in minutes. See explore.h for the fields.
 */
#include "explore/explore.h"

#define CALLS(...) .opens = (__VA_ARGS__), .open_count = 1
#define CALLS_TWICE(...) .opens = (__VA_ARGS__), .open_count = 2
#define CONNECTS BIT(ACT_CONNECT)
#define WAITS BIT(ACT_PASSIVE)
#define NAMES BIT(ACT_PASSIVE_NAMED)
#define LISTENS BIT(ACT_LISTEN)

const struct scenario scenarios[] = {
    {.name = "open-close", .quick = true,
     .about = "one side calls, the other waits, both close; three losses, repetitions, early timers",
     .role = {{CALLS(CONNECTS)}, {CALLS(WAITS)}},
     .window = 1000, .channel = 2, .faults = 3, .syns = 1, .syn_timeout_s = 2, .no_delayed_ack = true},

    {.name = "active-passive", .quick = true,
     .about = "one side calls, the other waits; a byte each way",
     .role = {{CALLS(CONNECTS), .sends = 1}, {CALLS(WAITS), .sends = 1}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 2, .no_delayed_ack = true},

    {.name = "listener", .quick = true,
     .about = "a listener whose connection is accepted, at any time or never",
     .role = {{CALLS(CONNECTS), .sends = 1}, {CALLS(LISTENS), .sends = 1}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 2, .gives_up = true, .no_delayed_ack = true},

    {.name = "simultaneous", .quick = true,
     .about = "both sides call, which crosses or meets nobody; both close, which may cross too",
     .role = {{CALLS(CONNECTS), .sends = 1}, {CALLS(CONNECTS)}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 1, .no_delayed_ack = true},

    {.name = "passive-turns-active", .quick = true,
     .about = "passive OPENs that a SEND or a second OPEN makes active",
     .role = {{CALLS_TWICE(NAMES | CONNECTS), .sends = 1}, {CALLS(NAMES), .sends = 1}},
     .window = 1000, .channel = 2, .faults = 0, .syns = 2, .syn_timeout_s = 2, .no_delayed_ack = true},

    {.name = "stream", .quick = true,
     .about = "three bytes one way, with SACK and delayed ACKs",
     .role = {{CALLS(CONNECTS), .sends = 3}, {CALLS(WAITS)}},
     .window = 1000, .channel = 3, .faults = 1, .syns = 1, .sack = true},

    {.name = "small-window", .quick = true,
     .about = "three bytes into a window of two that its user empties when he likes",
     .role = {{CALLS(CONNECTS), .sends = 3}, {CALLS(WAITS), .lazy = true}},
     .window = 2, .channel = 1, .faults = 1, .syns = 1, .no_delayed_ack = true},

    {.name = "half-open", .quick = true,
     .about = "one side forgets everything and calls again",
     .role = {{CALLS_TWICE(CONNECTS), .sends = 1, .crashes = 1}, {CALLS(WAITS)}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 2, .gives_up = true, .syn_timeout_s = 2, .no_delayed_ack = true},

    {.name = "abort", .quick = true,
     .about = "either side may abort",
     .role = {{CALLS(CONNECTS), .sends = 1, .aborts = 1}, {CALLS(WAITS), .aborts = 1}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 1, .gives_up = true, .no_delayed_ack = true},

    {.name = "early-close", .quick = true,
     .about = "handles are given up at any time, with data on its way or unread",
     .role = {{CALLS(CONNECTS), .sends = 1, .early_close = true},
              {CALLS(WAITS), .early_close = true, .lazy = true}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 1, .gives_up = true, .no_delayed_ack = true},

    {.name = "time-wait", .quick = true,
     .about = "the flow is used again while TIME-WAIT remembers it, on either side (RFC 6191, SO_REUSEADDR)",
     .role = {{CALLS_TWICE(CONNECTS), .waits = 1}, {CALLS(LISTENS)}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 2, .timestamps = true, .gives_up = true, .syn_timeout_s = 2, .no_delayed_ack = true},

    {.name = "open-close-any",
     .about = "one side calls, the other waits, both close; any number of losses, repetitions, early timers",
     .role = {{CALLS(CONNECTS)}, {CALLS(WAITS)}},
     .window = 1000, .channel = 2, .faults = UNBOUNDED, .syns = 1, .no_delayed_ack = true},

    {.name = "listener-2",
     .about = "as listener, called twice",
     .role = {{CALLS_TWICE(CONNECTS), .sends = 1}, {CALLS(LISTENS)}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 2, .gives_up = true, .syn_timeout_s = 2, .no_delayed_ack = true},

    {.name = "active-passive-2",
     .about = "as active-passive with two faults",
     .role = {{CALLS(CONNECTS), .sends = 1}, {CALLS(WAITS), .sends = 1}},
     .window = 1000, .channel = 2, .faults = 2, .syns = 1, .no_delayed_ack = true},

    {.name = "simultaneous-2",
     .about = "as simultaneous, and one side calls twice",
     .role = {{CALLS_TWICE(CONNECTS), .sends = 1}, {CALLS(CONNECTS), .sends = 1}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 2, .syn_timeout_s = 2, .no_delayed_ack = true},

    {.name = "stream-2",
     .about = "three bytes one way, two faults",
     .role = {{CALLS(CONNECTS), .sends = 3}, {CALLS(WAITS)}},
     .window = 1000, .channel = 2, .faults = 2, .syns = 1, .sack = true, .no_delayed_ack = true},

    {.name = "stream-repeated",
     .about = "two bytes, any number of faults, one packet each way",
     .role = {{CALLS(CONNECTS), .sends = 2}, {CALLS(WAITS)}},
     .window = 1000, .channel = 1, .faults = UNBOUNDED, .syns = 1},

    {.name = "small-window-2",
     .about = "four bytes into a window of two, two faults",
     .role = {{CALLS(CONNECTS), .sends = 4}, {CALLS(WAITS), .lazy = true}},
     .window = 2, .channel = 1, .faults = 2, .syns = 1, .no_delayed_ack = true},

    {.name = "half-open-2",
     .about = "both sides may forget everything once",
     .role = {{CALLS_TWICE(CONNECTS), .crashes = 1}, {CALLS_TWICE(WAITS), .crashes = 1}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 2, .gives_up = true, .syn_timeout_s = 2, .no_delayed_ack = true},

    {.name = "abort-2",
     .about = "either side may abort, the caller calls again",
     .role = {{CALLS_TWICE(CONNECTS), .sends = 1, .aborts = 1}, {CALLS(WAITS), .aborts = 1}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 2, .gives_up = true, .syn_timeout_s = 2, .no_delayed_ack = true},

    {.name = "time-wait-2",
     .about = "as time-wait, with data",
     .role = {{CALLS_TWICE(CONNECTS), .waits = 1, .sends = 1}, {CALLS(LISTENS)}},
     .window = 1000, .channel = 2, .faults = 1, .syns = 2, .timestamps = true, .gives_up = true, .syn_timeout_s = 2, .no_delayed_ack = true},
};
const unsigned scenario_count = sizeof scenarios / sizeof scenarios[0];
