/*
 * The ring of trace records: written in order, pulled in order, never allocated. It must not change what the
 * stack does: same inputs, same bytes, traced or not.
 */
#include "tcp/trace.h"

#include "base/mem.h"

void trace_init(struct trace_ring *ring, struct estab_trace *records, uint32_t capacity, uint64_t *lost)
{
    memset(ring, 0, sizeof *ring);
    ring->records = records;
    ring->capacity = capacity;
    ring->lost = lost;
}

unsigned trace_pull(struct trace_ring *ring, struct estab_trace *out, unsigned max)
{
    unsigned n = 0;
    while (n < max && ring->count > 0) {
        out[n++] = ring->records[ring->head];
        ring->head = ring->head + 1 == ring->capacity ? 0 : ring->head + 1;
        ring->count--;
    }
    return n;
}

struct estab_trace *trace_add(struct trace_ring *ring, uint64_t now, enum estab_trace_kind kind)
{
    if (ring->count == ring->capacity) {
        ++*ring->lost;
        return NULL;
    }
    uint32_t place = ring->head + ring->count;
    struct estab_trace *record = &ring->records[place >= ring->capacity ? place - ring->capacity : place];
    ring->count++;
    memset(record, 0, sizeof *record);
    record->time_ns = now;
    record->kind = (uint8_t)kind;
    record->conn = ring->who.conn;
    record->local = ring->who.local;
    record->remote = ring->who.remote;
    return record;
}

void trace_segment_fields(struct estab_trace_segment *out, const struct tcp_segment *seg,
                          unsigned window_shift)
{
    const struct tcp_options *options = &seg->options;
    out->seq = seg->seq.v;
    out->ack = (seg->flags & TCP_ACK) ? seg->ack.v : 0;
    out->length = seg->text_length;
    out->window = (uint32_t)seg->wnd << window_shift;
    out->flags = seg->flags;
    out->up = seg->up;
    out->mss = options->has_mss ? options->mss : 0;
    out->window_scale = options->has_window_scale ? options->window_scale : 255;
    out->sack_permitted = options->sack_permitted;
    out->timestamps = options->has_timestamps;
    out->tsval = options->tsval;
    out->tsecr = options->tsecr;
    out->sack_count = options->sack_count;
    for (unsigned i = 0; i < options->sack_count; i++) {
        out->sack[i][0] = options->sack[i].left.v;
        out->sack[i][1] = options->sack[i].right.v;
    }
}
