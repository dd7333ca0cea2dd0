/* A connection as a script sees it: see flow.h. */
#include "flow.h"

#include <string.h>

enum { SYN = 2, ACK = 0x10 };

static bool same_end(const struct estab_addr *a, const struct estab_addr *b, bool ports)
{
    bool port = !ports || a->port == 0 || b->port == 0 || a->port == b->port;
    return port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool flow_has(const struct flow *flow, const struct wire *wire, bool inbound)
{
    bool ports = wire->protocol == WIRE_TCP;
    const struct estab_addr *local = inbound ? &wire->destination : &wire->source;
    const struct estab_addr *remote = inbound ? &wire->source : &wire->destination;
    return same_end(&flow->local, local, ports) && same_end(&flow->remote, remote, ports);
}

void flow_learn(struct flow *flow, const struct wire *wire)
{
    const struct packet *packet = &wire->packet;
    if (wire->protocol != WIRE_TCP) {
        return;
    }
    if (flow->local.port == 0) {
        flow->local.port = wire->source.port;
    }
    bool syn = (packet->flags & SYN) != 0;
    bool answers = packet->has_ack && flow->has_syn && packet->ack - 1 - flow->syn <= UINT16_MAX;
    if (syn && packet->has_ack && answers) {
        flow->iss = packet->seq;
        flow->irs = flow->script_irs = flow->syn;
    } else if (syn && !packet->has_ack) {
        flow->iss = packet->seq;
    }
}

static uint32_t ours_offset(const struct flow *flow, bool syn)
{
    return syn ? flow->iss - flow->script_iss : flow->iss;
}

static uint32_t theirs_offset(const struct flow *flow, bool syn)
{
    return syn ? flow->irs - flow->script_irs : flow->irs;
}

static void shift_sack(struct packet *packet, uint32_t by)
{
    for (unsigned i = 0; i < packet->option_count; i++) {
        for (unsigned k = 0; k < packet->options[i].blocks; k++) {
            packet->options[i].sack[k][0] += by;
            packet->options[i].sack[k][1] += by;
        }
    }
}

static struct tcp_option_text *timestamps_of(struct packet *packet)
{
    for (unsigned i = 0; i < packet->option_count; i++) {
        if (packet->options[i].kind == SCRIPT_OPTION_TIMESTAMPS) {
            return &packet->options[i];
        }
    }
    return NULL;
}

/* The latest TSval of ours that the script calls so. */
static bool find_stamp(const struct flow *flow, uint32_t script, uint32_t *wire)
{
    for (unsigned i = flow->stamp_count; i-- > 0;) {
        if (flow->stamps[i][0] == script) {
            *wire = flow->stamps[i][1];
            return true;
        }
    }
    return false;
}

static bool map_echo(const struct flow *flow, bool scaled, struct tcp_option_text *stamps)
{
    if (find_stamp(flow, stamps->echo, &stamps->echo)) {
        return true;
    }
    if (scaled && flow->stamp_count > 0) {
        stamps->echo += flow->stamps[0][1] - flow->stamps[0][0];
        return true;
    }
    return stamps->echo == 0;
}

bool flow_to_wire(const struct flow *flow, const struct packet *script, bool scaled, struct packet *wire)
{
    *wire = *script;
    bool syn = !script->icmp && (script->flags & SYN) != 0;
    if (script->icmp) {
        wire->seq += flow->iss;
        return true;
    }
    if (!script->absolute) {
        wire->seq += theirs_offset(flow, syn);
    }
    wire->seq_end = wire->seq + wire->length;
    if (script->has_ack) {
        wire->ack += ours_offset(flow, syn);
    }
    shift_sack(wire, ours_offset(flow, syn));
    struct tcp_option_text *stamps = timestamps_of(wire);
    return stamps == NULL || !script->has_ack || map_echo(flow, scaled, stamps);
}

void flow_to_script(const struct flow *flow, const struct packet *wire, bool inbound, struct packet *script)
{
    *script = *wire;
    script->inbound = inbound;
    script->tos = script->ttl = -1;
    script->flow_label = -1;
    script->ecn = wire->ecn == ECN_NONE ? ECN_NOT_SAID : wire->ecn;
    if (wire->icmp) {
        return;
    }
    bool syn = (wire->flags & SYN) != 0;
    uint32_t seq = inbound ? theirs_offset(flow, syn) : ours_offset(flow, syn);
    uint32_t ack = inbound ? ours_offset(flow, syn) : theirs_offset(flow, syn);
    script->seq -= seq;
    script->seq_end = script->seq + script->length;
    if (script->has_ack) {
        script->ack -= ack;
    }
    shift_sack(script, 0 - ack);
    struct tcp_option_text *stamps = timestamps_of(script);
    if (stamps != NULL && flow->stamp_count > 0) {
        uint32_t shift = flow->stamps[0][1] - flow->stamps[0][0];
        stamps->value -= inbound ? 0 : shift;
        stamps->echo -= inbound ? shift : 0;
    }
}

void flow_stamp(struct flow *flow, uint32_t script, uint32_t wire)
{
    if (flow->stamp_count == FLOW_STAMPS) {
        /* the first stays: it is the base for all that has no name */
        memmove(flow->stamps[1], flow->stamps[2], (FLOW_STAMPS - 2) * sizeof flow->stamps[0]);
        flow->stamp_count--;
    }
    flow->stamps[flow->stamp_count][0] = script;
    flow->stamps[flow->stamp_count++][1] = wire;
}
