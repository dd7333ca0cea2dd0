/*
 * Listeners that share an address and a port (SO_REUSEPORT): each has a number in its group, which stands in
 * the table in the place of the remote port, so the one that a flow's keyed hash picks is found by one look.
 * The first knows how many they are; when one leaves the last takes its number.
 */
#include "base/assert.h"
#include "stack/stack.h"

static struct conn *member(const struct estab_stack *stack, const struct conn *first, uint16_t number)
{
    struct flow_key key = {first->local, first->remote, first->local_port, number};
    uint32_t id = flow_find(stack, &key, flow_hash(stack, &key));
    ESTAB_ASSERT(id != TABLE_NONE && !(id & RECORD_IDS));
    return &stack->conns[id];
}

int group_join(const struct estab_stack *stack, struct conn *listener)
{
    struct flow_key key = {listener->local, listener->remote, listener->local_port, 0};
    uint32_t id = flow_find(stack, &key, flow_hash(stack, &key));
    if (id == TABLE_NONE) {
        listener->group = 1;
        return 0;
    }
    struct conn *first = &stack->conns[id];
    if (!first->listening || !first->reuse_port || !listener->reuse_port ||
        first->group == UINT16_MAX) {
        return -ESTAB_EADDRINUSE;
    }
    listener->remote_port = first->group++;
    return 0;
}

void group_leave(struct estab_stack *stack, struct conn *listener)
{
    uint16_t number = listener->remote_port;
    struct conn *first = number == 0 ? listener : member(stack, listener, 0);
    uint16_t count = --first->group;
    struct conn *last = number == count ? listener : member(stack, listener, count);
    conn_forget_flow(stack, listener);
    listener->remote_port = 0;
    if (last != listener) {
        conn_forget_flow(stack, last);
        last->remote_port = number;
        last->group = number == 0 ? count : 0;
        conn_enter_table(stack, last);
    }
}

struct conn *group_pick(const struct estab_stack *stack, struct conn *first, const struct flow_key *key)
{
    uint64_t hash = flow_hash(stack, key);
    return member(stack, first, (uint16_t)(hash * first->group >> 32));
}
