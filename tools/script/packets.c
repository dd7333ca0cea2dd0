/*
 * The packets of a script: what goes in is written with the numbers of the wire, what is expected is compared
 * with the next packet of the connection under test. Which connection that is goes as in packetdrill: the
 * latest socket(), or the child of a listener from the packet on that reaches it; ports that a packet names
 * choose another.
 */
#include "expect.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

enum { FIN = 1, SYN = 2, RST = 4, ACK = 0x10 };

/* The remote ports of connections that come in, one each. */
#define REMOTE_PORT 50001

/* How far a packet is looked for that is late already: to say when it came. */
#define LOOK_AHEAD_NS (INT64_C(300) * 1000000000)
/* How far a packet at any time is waited for. */
#define ANY_TIME_NS (INT64_C(1000000) * 1000000000)

/* -------------------------------------------------------------------------------------------- connections */

static struct flow *passive_flow(struct run *run, const struct packet *packet)
{
    struct flow *flow = run_new_flow(run);
    if (flow == NULL) {
        return NULL;
    }
    flow->state = FLOW_PASSIVE;
    flow->local = run->settings.local;
    flow->remote = run->settings.remote;
    flow->local.port =
        packet->destination_port != 0 ? (uint16_t)packet->destination_port : run->settings.bind_port;
    flow->remote.port =
        packet->source_port != 0 ? (uint16_t)packet->source_port : (uint16_t)(REMOTE_PORT + run->flow_count);
    flow->irs = flow->script_irs = packet->seq;
    return flow;
}

/* The connection with the ports that a packet of the script names; NULL = there is none. */
static struct flow *named_flow(struct run *run, const struct packet *packet)
{
    int local = packet->inbound ? packet->destination_port : packet->source_port;
    int remote = packet->inbound ? packet->source_port : packet->destination_port;
    for (struct flow *flow = run->flows; flow != NULL; flow = flow->next) {
        if ((local == 0 || flow->local.port == local) && (remote == 0 || flow->remote.port == remote) &&
            flow->state != FLOW_LISTENING && flow->state != FLOW_NEW) {
            return flow;
        }
    }
    return NULL;
}

static struct flow *flow_for(struct run *run, const struct packet *packet)
{
    struct flow *flow = run->flow;
    bool named = packet->source_port != 0 || packet->destination_port != 0;
    if (named && !packet->icmp) {
        struct flow *other = named_flow(run, packet);
        flow = other != NULL || !packet->inbound ? other : passive_flow(run, packet);
    } else if (packet->inbound && !packet->icmp &&
               (flow == NULL || flow->state == FLOW_LISTENING || flow->state == FLOW_NEW)) {
        flow = passive_flow(run, packet);
    }
    run->flow = flow != NULL ? flow : run->flow;
    return flow;
}

static bool sends(const struct flow *flow, const struct crossing *crossing)
{
    return flow->state != FLOW_LISTENING && flow->state != FLOW_NEW && flow_has(flow, &crossing->wire, false);
}

void packets_seen(void *user, struct crossing *crossing)
{
    struct run *run = user;
    crossing->cause = run->acted;
    crossing->shown = crossing->wire.packet;
    struct flow *flow = run->flow != NULL && sends(run->flow, crossing) ? run->flow : run->flows;
    while (flow != NULL && !sends(flow, crossing)) {
        flow = flow->next;
    }
    if (flow != NULL) {
        crossing->flow = flow;
        crossing->foreign = flow != run->flow;
        flow_learn(flow, &crossing->wire);
        flow_to_script(flow, &crossing->wire.packet, false, &crossing->shown);
    }
}

/* ------------------------------------------------------------------------------------------- packets in */

static void fill_wire(const struct run *run, const struct flow *flow, struct wire *wire)
{
    const struct packet *packet = &wire->packet;
    wire->ipv6 = run->settings.ipv6;
    wire->protocol = !packet->icmp ? WIRE_TCP : wire->ipv6 ? WIRE_ICMPV6 : WIRE_ICMP;
    wire->source = flow->remote;
    wire->destination = flow->local;
    if (packet->source_port != 0) {
        wire->source.port = (uint16_t)packet->source_port;
    }
    if (packet->destination_port != 0) {
        wire->destination.port = (uint16_t)packet->destination_port;
    }
}

/* An ICMP error that names no segment is about the first one that is not acknowledged. */
static void quote_first(struct run *run, struct packet *packet)
{
    struct run_fd *fd = run_flow_fd(run);
    struct estab_status status;
    if (fd != NULL &&
        estab_status(run->world.stack, sockets_conn(run->world.sockets, fd->live), &status) == 0) {
        packet->seq = status.snd_una;
    }
}

/* A SYN names the remote ISN: of a passive connection as it stands, of ours once it was taken. */
static void learn_inbound(struct flow *flow, const struct crossing *crossing)
{
    const struct packet *packet = &crossing->wire.packet;
    if (packet->icmp || (packet->flags & SYN) == 0) {
        return;
    }
    if ((packet->flags & ACK) == 0) {
        flow->has_syn = true;
        flow->syn = packet->seq;
    }
    if (crossing->state_before == ESTAB_SYN_SENT && crossing->state_after != ESTAB_SYN_SENT) {
        flow->irs = flow->script_irs = packet->seq;
    }
}

static bool run_inbound(struct run *run)
{
    const struct packet *packet = &run->event->packet;
    struct wire wire = {.not_zero = -1};
    if (!run_until(run, run->start) ||
        !run_check_time(run, run->event, world_time(&run->world), "packet in")) {
        return false;
    }
    struct flow *flow = flow_for(run, packet);
    if (flow == NULL) {
        return run_fail(run, run->event, "there is no connection that this packet could be for");
    }
    if (!flow_to_wire(flow, packet, run->settings.echo_scaled, &wire.packet)) {
        return run_fail(run, run->event,
                        "TS ecr names no TS val of a packet of ours before "
                        "(--tcp_ts_ecr_scaled lets it count from the first)");
    }
    fill_wire(run, flow, &wire);
    if (packet->icmp && !packet->quotes_sequence) {
        quote_first(run, &wire.packet);
    }
    run->acted = run->index;
    struct crossing *crossing = world_inject(&run->world, &wire, run->settings.mss);
    if (crossing == NULL) {
        return run_fail(run, run->event,
                        "this packet cannot be written: more than 65535 bytes, or more than 40 "
                        "bytes of TCP options");
    }
    crossing->flow = flow;
    crossing->cause = run->index;
    crossing->shown = *packet;
    learn_inbound(flow, crossing);
    run_settle(run);
    return true;
}

/* -------------------------------------------------------------------------------------- packets expected */

/* The next packet that nothing was expected for, of the connection under test or of none that is known. */
static struct crossing *next_packet(struct run *run, const struct flow *flow)
{
    for (struct crossing *c = run->world.first; c != NULL; c = c->next) {
        if (!c->inbound && !c->matched && !c->merged && (c->flow == flow || c->flow == NULL)) {
            return c;
        }
    }
    return NULL;
}

/* Waits for it: while it may still be in time, and then on, so that a failure can say when it came. */
static struct crossing *await_packet(struct run *run, const struct flow *flow)
{
    int64_t tolerance = (int64_t)run->settings.tolerance_ns;
    int64_t limit = run->event->time == TIME_ANY ? world_time(&run->world) + ANY_TIME_NS
                                                 : run->end + tolerance + LOOK_AHEAD_NS;
    struct crossing *found = next_packet(run, flow);
    while (found == NULL && !run->failed && run_step(run, limit)) {
        found = next_packet(run, flow);
    }
    return found != NULL ? found : next_packet(run, flow);
}

static bool missing(struct run *run)
{
    char text[32];
    const char *until = run_seconds(world_time(&run->world), text);
    if (run->failed) {
        return false;
    }
    return run_fail(run, run->event, "expected packet is missing: nothing was sent up to %s s", until);
}

/* Takes further parts of a segment that the script has in one. */
static void merge(struct run *run, const struct flow *flow, struct crossing *first, struct packet *whole)
{
    const struct packet *expected = &run->event->packet;
    struct crossing *last = first;
    while (whole->length < expected->length && !expected->icmp && !run->settings.strict_segments) {
        struct crossing *next = await_packet(run, flow);
        if (next == NULL || whole->length + next->shown.length > expected->length ||
            !expect_continues(whole, &last->shown, &next->shown)) {
            return;
        }
        next->merged = true;
        if (next->wire.not_zero >= 0 && first->wire.not_zero < 0) {
            first->wire.not_zero = whole->length + next->wire.not_zero;
        }
        expect_append(whole, &next->shown);
        last = next;
    }
}

static void name_stamps(struct flow *flow, const struct packet *expected, const struct crossing *crossing)
{
    const struct tcp_option_text *script = NULL;
    for (unsigned i = 0; i < expected->option_count; i++) {
        script = expected->options[i].kind == SCRIPT_OPTION_TIMESTAMPS ? &expected->options[i] : script;
    }
    for (unsigned i = 0; i < crossing->wire.packet.option_count && script != NULL && !script->any_value;
         i++) {
        const struct tcp_option_text *ours = &crossing->wire.packet.options[i];
        if (ours->kind == SCRIPT_OPTION_TIMESTAMPS) {
            flow_stamp(flow, script->value, ours->value);
        }
    }
}

/* A flow label means only: the same as before, or another one (RFC 6437). */
static const char *compare_label(struct flow *flow, const struct packet *expected,
                                 const struct packet *actual)
{
    uint32_t script = expected->flow_label > 0 ? (uint32_t)expected->flow_label : 0;
    uint32_t live = actual->flow_label > 0 ? (uint32_t)actual->flow_label : 0;
    if (script == 0) {
        return NULL;
    }
    if (live == 0) {
        return "flow label: expected one, got 0";
    }
    bool same = live == flow->label;
    bool wanted = script == flow->script_label;
    bool first = flow->script_label == 0;
    flow->script_label = script;
    flow->label = live;
    return first || same == wanted ? NULL
           : wanted                ? "flow label: expected the same as before, got another"
                                   : "flow label: expected another than before, got the same";
}

static void show_pair(struct run *run, const struct packet *actual, int64_t at)
{
    char text[32];
    char *line = NULL;
    size_t length;
    FILE *out = open_memstream(&line, &length);
    if (out == NULL) {
        return;
    }
    fprintf(out, "expected  %11s  ", run->event->time == TIME_ANY ? "*" : run_seconds(run->start, text));
    script_print_packet(out, &run->event->packet);
    fprintf(out, "\n  actual    %11s  ", run_seconds(at, text));
    script_print_packet(out, actual);
    fclose(out);
    run_detail(run, "%s", line);
    free(line);
}

static bool mismatch(struct run *run, const struct crossing *crossing, const char *names, const char *lines)
{
    if (run->settings.non_fatal_packet) {
        run_warn(run, run->event, "packet differs: %s", names);
        return true;
    }
    run->fault = crossing;
    run_fail(run, run->event, "packet differs: %s", names);
    show_pair(run, &crossing->shown, crossing->time_ns);
    for (const char *at = lines; *at != 0;) {
        int length = (int)strcspn(at, "\n");
        run_detail(run, "          %.*s", length, at);
        at += length + (at[length] != 0);
    }
    return false;
}

/* What the script says about the IP header is shown of the packet too. */
static void show_ip(const struct packet *expected, struct crossing *crossing)
{
    const struct packet *wire = &crossing->wire.packet;
    struct packet *shown = &crossing->shown;
    shown->ecn = expected->ecn != ECN_NOT_SAID ? wire->ecn : shown->ecn;
    shown->tos = expected->tos >= 0 ? wire->tos : -1;
    shown->ttl = expected->ttl >= 0 ? wire->ttl : -1;
    shown->flow_label = expected->flow_label >= 0 ? wire->flow_label : -1;
}

static bool compare(struct run *run, struct flow *flow, struct crossing *crossing)
{
    const struct packet *expected = &run->event->packet;
    char names[256];
    char *lines = NULL;
    size_t length;
    FILE *out = open_memstream(&lines, &length);
    if (out == NULL) {
        return run_fail(run, run->event, "no memory");
    }
    show_ip(expected, crossing);
    struct expectation expectation = {
        .expected = expected,
        .actual = &crossing->shown,
        .ipv6 = run->settings.ipv6,
        .tick_ns = (uint64_t)run->settings.ts_tick_us * 1000,
        .tolerance_ns = run->settings.tolerance_ns,
        .not_zero = crossing->wire.not_zero,
    };
    unsigned count = expect_compare(&expectation, out, names, sizeof names);
    const char *label = compare_label(flow, expected, &crossing->shown);
    const char *broken = crossing->wire.broken;
    if (label != NULL || broken != NULL) {
        fprintf(out, "%s\n", label != NULL ? label : broken);
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used == 0 ? "" : ", ",
                 label != NULL ? "flow label" : broken);
        count++;
    }
    fclose(out);
    bool good = count == 0 || mismatch(run, crossing, names, lines);
    free(lines);
    return good;
}

static bool check_packet_time(struct run *run, struct crossing *crossing, int64_t at)
{
    if (run->event->time == TIME_ANY || run_check_time(run, run->event, at, "packet")) {
        return true;
    }
    if (!run->failed) {
        return true; /* --non_fatal=packet */
    }
    run->fault = crossing;
    show_pair(run, &crossing->shown, at);
    return false;
}

/* The first SYN or SYN,ACK of ours that a script has says what it calls the ISS; what follows is compared. */
static bool name_iss(struct flow *flow, const struct packet *expected, const struct packet *wire)
{
    bool both = (expected->flags & SYN) != 0 && (wire->flags & SYN) != 0 && !expected->icmp && !wire->icmp;
    if (!both || (flow->named && flow->named_iss == flow->iss)) {
        return false;
    }
    flow->script_iss = expected->any_sequence ? 0 : expected->seq;
    flow->named = true;
    flow->named_iss = flow->iss;
    flow->state = FLOW_OPEN;
    return true;
}

static bool run_outbound(struct run *run)
{
    const struct packet *expected = &run->event->packet;
    struct flow *flow = flow_for(run, expected);
    if (flow == NULL) {
        return run_fail(run, run->event, "there is no connection that could send this packet");
    }
    struct crossing *crossing = await_packet(run, flow);
    if (crossing == NULL) {
        return missing(run);
    }
    crossing->matched = true;
    bool stamped = flow->stamp_count > 0;
    bool named = name_iss(flow, expected, &crossing->wire.packet);
    name_stamps(flow, expected, crossing);
    if (named || stamped != (flow->stamp_count > 0)) {
        flow_to_script(flow, &crossing->wire.packet, false, &crossing->shown);
    }
    if (expected->absolute) {
        crossing->shown.seq = crossing->wire.packet.seq;
        crossing->shown.seq_end = crossing->wire.packet.seq_end;
    }
    crossing->shown.source_port = expected->source_port != 0 ? crossing->wire.source.port : 0;
    crossing->shown.destination_port = expected->destination_port != 0 ? crossing->wire.destination.port : 0;
    struct packet alone = crossing->shown;
    merge(run, flow, crossing, &crossing->shown);
    bool good =
        !run->failed && compare(run, flow, crossing) && check_packet_time(run, crossing, crossing->time_ns);
    crossing->shown = run->failed ? crossing->shown : alone;
    return good;
}

bool packets_run(struct run *run)
{
    return run->event->packet.inbound ? run_inbound(run) : run_outbound(run);
}

/* ---------------------------------------------------------------------------------------------- the end */

static void report_left(struct run *run, const struct crossing *crossing)
{
    char text[32];
    char *line = NULL;
    size_t length;
    FILE *out = open_memstream(&line, &length);
    if (out != NULL) {
        fprintf(out, "actual    %11s  ", run_seconds(crossing->time_ns, text));
        script_print_packet(out, &crossing->shown);
        fclose(out);
        run_detail(run, "%s", line);
        free(line);
    }
}

/* The event that a packet came out of. */
static const struct event *cause_of(const struct run *run, const struct crossing *crossing)
{
    const struct event *event = run->script->events;
    for (int i = 0; i < crossing->cause && event->next != NULL; i++) {
        event = event->next;
    }
    return event;
}

bool packets_left(struct run *run)
{
    if (run->options->unmatched_ok || (run->event->kind == EVENT_PACKET && !run->event->packet.inbound)) {
        return true; /* what is left came behind it */
    }
    for (const struct crossing *c = run->world.first; c != NULL; c = c->next) {
        if (c->inbound || c->matched || c->merged || c->foreign || c->cause >= run->index) {
            continue;
        }
        run->fault = c;
        run_fail(run, cause_of(run, c), "a packet was sent that the script does not expect");
        report_left(run, c);
        return false;
    }
    return true;
}
