/* See random_trace.h. */
#include "support/random_trace.h"

static uint32_t below(struct random_trace *trace, uint32_t n)
{
    return rig_random(&trace->seed) % n;
}

/* The peer sees what was sent. */
static void look(struct rig *r, struct random_trace *trace)
{
    struct segment sent;
    while (rig_take(r, &sent)) {
        uint32_t end = sent.seq + sent.length + ((sent.flags & (SYN | FIN)) ? 1 : 0);
        if (!(sent.flags & RST) && (int32_t)(end - trace->top) > 0) {
            trace->top = end;
        }
    }
}

static void wild_segment(struct random_trace *trace, struct segment *seg)
{
    static const uint32_t far[] = {0,          1,          2,          100,       1460, RCV_BUFFER - 1,
                                   RCV_BUFFER, 0x7fffffff, 0x80000000, 0xffffffff};
    switch (below(trace, 5)) {
    case 0:
        seg->seq += far[below(trace, 10)];
        break;
    case 1:
        seg->seq -= far[below(trace, 10)];
        break;
    case 2:
        seg->ack += far[below(trace, 10)];
        break;
    case 3:
        seg->ack -= far[below(trace, 10)];
        break;
    default:
        seg->flags = below(trace, 256) & (trace->closes ? 255u : ~(unsigned)(FIN | RST | SYN));
        seg->up = (uint16_t)below(trace, 3000);
        break;
    }
}

static void segment_from_peer(struct rig *r, struct random_trace *trace)
{
    struct segment seg = {.flags = ACK, .seq = trace->peer_nxt, .reserved = trace->reserved};
    uint32_t outstanding = trace->top - trace->acked;
    uint32_t kind = below(trace, 10);
    if (kind < 6) {
        seg.length = below(trace, 3) == 0 ? 1460 : below(trace, 1461);
        seg.flags |= below(trace, 2) ? PSH : 0;
        seg.seq += below(trace, 12) == 0 ? below(trace, 4000) : 0;  /* ahead of a gap */
        seg.seq -= below(trace, 12) == 0 ? below(trace, 2000) % (trace->peer_nxt) : 0; /* again */
    }
    if (outstanding > 0 && below(trace, 3) != 0) {
        trace->acked += below(trace, 2) ? outstanding : below(trace, outstanding + 1);
    }
    seg.ack = trace->acked;
    seg.wnd = below(trace, 20) == 0 ? WND_ZERO : below(trace, 4) ? 0 : 1 + (int32_t)below(trace, 40000);
    if (trace->closes && below(trace, 200) == 0) {
        seg.flags |= FIN;
    }
    if (below(trace, 100) < trace->wildness) {
        wild_segment(trace, &seg);
    }
    if (seg.flags & SYN) {
        seg.length = 0; /* the place of its text is one further: keep to one stream */
    }
    r->peer_ts += below(trace, 3);
    rig_inject(r, &seg, __FILE__, __LINE__);
    uint32_t end = seg.seq + seg.length;
    if (seg.seq == trace->peer_nxt && (int32_t)(end - trace->peer_nxt) > 0 && r->drop == ESTAB_DROP_NONE &&
        rig_status(r).rcv_nxt - r->irs >= end) {
        trace->peer_nxt = end;
    }
}

static void user_call(struct rig *r, struct random_trace *trace)
{
    uint8_t bytes[3000];
    uint32_t length = 1 + below(trace, sizeof bytes);
    switch (below(trace, 12)) {
    case 0:
        rig_set(r, ESTAB_OPTION_NODELAY, below(trace, 2));
        return;
    case 1:
        rig_set(r, ESTAB_OPTION_CORK, below(trace, 4) == 0);
        return;
    case 2:
        rig_set(r, ESTAB_OPTION_KEEPALIVE, below(trace, 2));
        return;
    case 3:
        if (trace->closes && below(trace, 20) == 0) {
            rig_shutdown(r);
        }
        return;
    case 4:
    case 5:
    case 6:
    case 7: {
        for (uint32_t i = 0; i < length; i++) {
            bytes[i] = rig_byte(r->written + i);
        }
        unsigned flags = below(trace, 10) == 0 ? ESTAB_MORE : below(trace, 20) == 0 ? ESTAB_URGENT : 0;
        ptrdiff_t sent = estab_send(r->stack, r->now, r->conn, bytes, length, flags);
        r->written += sent > 0 ? (uint64_t)sent : 0;
        rig_called(r);
        return;
    }
    default:
        if (trace->reads) {
            rig_read(r, length);
        } else {
            estab_recv(r->stack, r->now, r->conn, bytes, length, 0);
            rig_called(r);
        }
        return;
    }
}

bool random_step(struct rig *r, struct random_trace *trace)
{
    look(r, trace);
    uint32_t kind = below(trace, 10);
    if (kind < 6) {
        segment_from_peer(r, trace);
    } else if (kind < 9) {
        user_call(r, trace);
    } else {
        static const uint64_t steps[] = {0, MS, 10 * MS, 39 * MS, 40 * MS, 200 * MS, SECOND, 3 * SECOND};
        uint64_t left = steps[below(trace, 8)];
        while (left > 0) { /* a deadline at a time: what is sent on the way is looked at */
            uint64_t due = estab_next_deadline(r->stack);
            uint64_t step = due <= r->now ? 0 : due - r->now < left ? due - r->now : left;
            advance(r, step);
            look(r, trace);
            left -= step;
            if (step == 0 && estab_next_deadline(r->stack) <= r->now) {
                fail_msg("the deadline stands still");
            }
        }
    }
    look(r, trace);
    return rig_state(r) != ESTAB_CLOSED;
}
