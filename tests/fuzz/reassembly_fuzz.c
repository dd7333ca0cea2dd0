/*
 * The two places that put bytes in order, each against a plain array: the receive queue (base/recv_queue, RFC
 * 9293 3.10.7.4, RFC 2018) and the reassembly of IP fragments (ip/fragments, RFC 791 3.2, RFC 8200 4.5, RFC
 * 5722). Sequence numbers begin near the wrap; the pool may be small or fail.
 *
 * Input: one byte that chooses which, one of variation, then operations of a few bytes.
 */
#include "base/recv_queue.h"
#include "fuzz.h"
#include "ip/fragments.h"

enum { WINDOW = 2500, ROOM = 24 * 1024, MOST_OPERATIONS = 300 };

/* ----------------------------------------------------------------------------------- receive queue */

static _Alignas(16) uint8_t pool_memory[ROOM];

struct model {
    struct recv_queue queue;
    struct pool pool;
    uint64_t begin; /* stream position of queue.begin */
    uint64_t end;
    bool have[WINDOW]; /* ring by position: bytes that must be there, in order or ahead */
    uint8_t value[WINDOW];
    uint32_t start;
};

static uint32_t ring(uint64_t position)
{
    return (uint32_t)(position % WINDOW);
}

static tcp_seq seq_at(const struct model *m, uint64_t position)
{
    return seq_of(m->start + (uint32_t)position);
}

FUZZ_UNTRACED static void model_advance(struct model *m)
{
    while (m->end < m->begin + WINDOW && m->have[ring(m->end)])
        m->end++;
}

FUZZ_UNTRACED static void model_check(const struct model *m)
{
    uint8_t copy[WINDOW];
    FUZZ_CHECK(recv_queue_check(&m->queue, &m->pool), "the receive queue is consistent");
    FUZZ_CHECK(seq_eq(m->queue.begin, seq_at(m, m->begin)), "the queue begins where it should");
    FUZZ_CHECK(seq_eq(m->queue.end, seq_at(m, m->end)), "the queue ends where it should");
    uint32_t n = recv_queue_copy(&m->queue, 0, copy, WINDOW);
    FUZZ_CHECK(n == m->end - m->begin, "everything in order can be read");
    for (uint32_t i = 0; i < n; i++)
        FUZZ_CHECK(copy[i] == m->value[ring(m->begin + i)], "the first byte that was accepted stays");
    uint32_t ahead = 0;
    for (uint64_t p = m->end; p < m->begin + WINDOW; p++)
        ahead += m->have[ring(p)];
    FUZZ_CHECK(recv_queue_ahead_bytes(&m->queue) == ahead, "everything ahead is kept");
    FUZZ_CHECK(recv_queue_has_ahead(&m->queue) == (ahead > 0), "nothing ahead holds nothing");
}

/* What the queue says it has ahead must be ranges of the model, whole ones. */
FUZZ_UNTRACED static void model_ranges(const struct model *m)
{
    tcp_seq edges[8][2];
    unsigned n = recv_queue_recent(&m->queue, edges, 8);
    for (unsigned i = 0; i < n; i++) {
        uint64_t from = m->begin + seq_diff(edges[i][0], m->queue.begin);
        uint64_t to = m->begin + seq_diff(edges[i][1], m->queue.begin);
        FUZZ_CHECK(from < to && from > m->end && to <= m->begin + WINDOW, "a range lies ahead");
        FUZZ_CHECK(!m->have[ring(from - 1)], "a range begins behind a gap");
        for (uint64_t p = from; p < to; p++)
            FUZZ_CHECK(m->have[ring(p)], "a range is whole");
        FUZZ_CHECK(to == m->begin + WINDOW || !m->have[ring(to)], "a range ends in front of a gap");
        for (unsigned j = 0; j < i; j++)
            FUZZ_CHECK(!seq_eq(edges[i][0], edges[j][0]), "no range is told twice");
    }
}

/* Where the pool is empty the queue keeps what it can: the model learns by looking, but never a byte that was
 * not offered. */
FUZZ_UNTRACED static void model_learn(struct model *m, uint64_t from, uint32_t length, const bool *before)
{
    uint64_t end = m->begin + seq_diff(m->queue.end, m->queue.begin);
    FUZZ_CHECK(end >= m->end, "what was in order stays");
    tcp_seq edges[WINDOW / 2][2];
    unsigned n = recv_queue_recent(&m->queue, edges, WINDOW / 2);
    bool now[WINDOW] = {false};
    for (uint64_t p = m->begin; p < end; p++)
        now[ring(p)] = true;
    for (unsigned i = 0; i < n; i++) {
        uint64_t to = m->begin + seq_diff(edges[i][1], m->queue.begin);
        for (uint64_t p = m->begin + seq_diff(edges[i][0], m->queue.begin); p < to; p++)
            now[ring(p)] = true;
    }
    for (uint64_t p = m->begin; p < m->begin + WINDOW; p++) {
        bool offered = p >= from && p < from + length;
        FUZZ_CHECK(now[ring(p)] || !before[ring(p)], "what was kept stays");
        FUZZ_CHECK(!now[ring(p)] || before[ring(p)] || offered, "nothing is kept that was not offered");
        m->have[ring(p)] = now[ring(p)];
    }
}

static void queue_insert(struct model *m, struct fuzz_input *in)
{
    uint8_t bytes[2048];
    bool before[WINDOW];
    uint64_t offset = take16(in) % WINDOW;
    uint32_t length = 1 + take16(in) % 2048;
    bool back = (take8(in) & 1) != 0;
    uint64_t from = m->end + offset;
    if (back)
        from = m->end - (offset % 300 < m->end ? offset % 300 : 0);
    if (from >= m->begin + WINDOW)
        from = m->end;
    if (from >= m->begin + WINDOW)
        return;
    if (from + length > m->begin + WINDOW)
        length = (uint32_t)(m->begin + WINDOW - from);
    uint8_t salt = take8(in);
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(salt + i * 7);
    memcpy(before, m->have, sizeof(before));
    bool new_byte = false;
    for (uint32_t i = 0; i < length; i++) {
        uint64_t p = from + i;
        if (p < m->end || m->have[ring(p)])
            continue;
        new_byte = true;
        m->value[ring(p)] = bytes[i];
        m->have[ring(p)] = true;
    }
    uint8_t *exact = malloc(length);
    memcpy(exact, bytes, length);
    uint64_t end_before = m->end;
    enum recv_verdict verdict = recv_queue_insert(&m->queue, &m->pool, seq_at(m, from), exact, length);
    free(exact);
    FUZZ_CHECK((verdict == RECV_DUPLICATE) == !new_byte, "a duplicate is one");
    if (verdict == RECV_NO_MEMORY)
        model_learn(m, from, length, before);
    model_advance(m);
    FUZZ_CHECK(verdict != RECV_IN_ORDER || m->end > end_before, "in order means that the end moved");
    FUZZ_CHECK(verdict != RECV_AHEAD || m->end == end_before, "ahead means that it did not");
}

static void queue_consume(struct model *m, uint32_t length)
{
    uint32_t readable = recv_queue_readable(&m->queue);
    length = length < readable ? length : readable;
    recv_queue_consume(&m->queue, &m->pool, length);
    for (uint32_t i = 0; i < length; i++)
        m->have[ring(m->begin + i)] = false;
    m->begin += length;
}

FUZZ_UNTRACED static void queue_slices(const struct model *m, unsigned max)
{
    struct slice slices[32];
    uint64_t position = m->begin;
    unsigned n = recv_queue_slices(&m->queue, slices, max);
    FUZZ_CHECK(n <= max, "no more slices than asked");
    for (unsigned i = 0; i < n; i++) {
        for (size_t k = 0; k < slices[i].length; k++, position++)
            FUZZ_CHECK(slices[i].data[k] == m->value[ring(position)], "slices are the bytes");
    }
    FUZZ_CHECK(n == max || position == m->end, "slices are all the bytes");
}

FUZZ_UNTRACED static void queue_shed(struct model *m)
{
    uint32_t ahead = recv_queue_ahead_bytes(&m->queue);
    FUZZ_CHECK(recv_queue_shed_ahead(&m->queue, &m->pool) == ahead, "what is shed is counted");
    for (uint64_t p = m->end; p < m->begin + WINDOW; p++)
        m->have[ring(p)] = false;
}

static void queue_operation(struct model *m, struct fuzz_input *in)
{
    uint8_t op = take8(in);
    switch (op & 7) {
    case 4: queue_consume(m, take16(in) % WINDOW); break;
    case 6: queue_slices(m, op >> 3); break;
    case 7:
        if (op < 64)
            queue_shed(m);
        else if (op < 100)
            m->pool.fail_after = op & 8 ? 1 + (op >> 5) : 0;
        else
            model_ranges(m);
        break;
    default: queue_insert(m, in); break;
    }
    model_check(m);
}

static void fuzz_queue(struct fuzz_input *in, uint8_t variant)
{
    static struct model m;
    memset(&m, 0, sizeof(m));
    m.start = 0u - (uint32_t)(variant & 15) * 700u;
    uint32_t block = 128u << (variant >> 6);
    size_t room = (variant & 0x20) ? block * 5 : ROOM;
    pool_init(&m.pool, pool_memory, room, block);
    recv_queue_init(&m.queue, seq_of(m.start));
    for (unsigned i = 0; in->left > 0 && i < MOST_OPERATIONS; i++)
        queue_operation(&m, in);
    recv_queue_free(&m.queue, &m.pool);
    FUZZ_CHECK(m.pool.used == 0, "a queue that is freed keeps no block");
}

/* --------------------------------------------------------------------------------------- fragments */

enum { DATAGRAMS = 4, LONGEST = 3000 };

/* Each datagram is what a function says; whatever comes out must be one of them, whole. */
FUZZ_UNTRACED static uint8_t byte_of(unsigned id, uint32_t position)
{
    return (uint8_t)(position * 31u + position / 256u + id * 77u);
}

static void fragment(struct fragments *fragments, struct fuzz_input *in, uint64_t now)
{
    static uint8_t bytes[70000];
    uint8_t what = take8(in);
    unsigned id = what & 3;
    uint32_t total = 1200u + id * 601u;
    uint32_t offset = take8(in) * 8u % total / 8 * 8;
    uint32_t length = take8(in) * 8u;
    bool more = (what & 4) == 0;
    bool lies = (what & 8) != 0; /* then nothing needs to come out */
    if (lies) {
        offset = take16(in) & ~7u;
        length = take16(in);
    } else {
        length = offset + length >= total || !more ? total - offset : length;
        more = offset + length < total;
    }
    for (uint32_t i = 0; i < length && i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(byte_of(id, offset + i) + ((what & 16) && lies ? 1 : 0));
    uint8_t host[16] = {0xfd};
    host[15] = (uint8_t)(lies ? 50 + (what >> 5) : 2 + (what >> 5));
    uint8_t *exact = malloc(length + (length == 0));
    memcpy(exact, bytes, length);
    struct ip_datagram d = {
        .source = (id & 1) ? ip_addr_v6(host) : ip_addr_v4(host + 12),
        .destination = (id & 1) ? ip_addr_v6(host) : ip_addr_v4(host + 12),
        .payload = exact,
        .length = length,
        .id = id,
        .fragment_offset = offset,
        .protocol = IP_PROTOCOL_TCP,
        .hop_limit = 64,
        .traffic_class = (uint8_t)(lies ? take8(in) & 3 : 0),
        .more_fragments = more,
        .is_fragment = true,
        .is_v6 = (id & 1) != 0,
    };
    enum fragment_result result = fragments_input(fragments, now, &d);
    if (result == FRAGMENT_COMPLETE) {
        FUZZ_CHECK(!d.is_fragment && d.length <= 65535, "a datagram that is whole is no fragment");
        FUZZ_CHECK(lies || d.length == total, "a datagram that is whole has its length");
        for (uint32_t i = 0; !lies && i < d.length; i++)
            FUZZ_CHECK(d.payload[i] == byte_of(id, i), "a datagram that is whole is what was sent");
        volatile uint8_t last = d.length > 0 ? d.payload[d.length - 1] : 0;
        (void)last;
    }
    free(exact);
}

static void fuzz_fragments(struct fuzz_input *in, uint8_t variant)
{
    static _Alignas(16) uint8_t memory[200 * 1024];
    uint32_t budget = (variant & 1) ? 150 * 1024 : 16 * 1024;
    size_t size = fragments_memory(budget);
    FUZZ_CHECK(size > 0 && size <= sizeof(memory), "a budget for fragments is enough");
    memset(memory, 0xa5, size);
    struct fragments *fragments = fragments_create(memory, budget);
    uint64_t now = FUZZ_SECOND;
    for (unsigned i = 0; in->left > 0 && i < MOST_OPERATIONS; i++) {
        uint8_t step = take8(in);
        if (step < 16)
            now += step * FUZZ_SECOND;
        fragments_tick(fragments, now);
        FUZZ_CHECK(fragments_next_deadline(fragments) > now, "what was due was let go");
        fragment(fragments, in, now);
        FUZZ_CHECK(fragments_check(fragments) == NULL, "the fragments are consistent");
    }
    fragments_tick(fragments, now + FRAGMENT_TIMEOUT_NS);
    FUZZ_CHECK(fragments_next_deadline(fragments) == UINT64_MAX, "in the end nothing is kept");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t which = take8(&in);
    uint8_t variant = take8(&in);
    if (which & 1)
        fuzz_fragments(&in, variant);
    else
        fuzz_queue(&in, variant);
    return 0;
}
