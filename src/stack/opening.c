/*
 * What a connection needs to know of addresses before its first SYN: the way to the peer, its initial
 * sequence number, its timestamp offset and its MSS.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "stack/stack.h"

struct ip_addr conn_bound_address(const struct conn *conn)
{
    static const uint8_t zero[4];
    if (conn->bound_any_v4) {
        return ip_addr_v4(zero);
    }
    static const struct ip_addr any;
    return conn->bound_any ? any : conn->local;
}

uint32_t conn_headers(const struct conn *conn)
{
    return TCP_HEADER + (ip_addr_is_v4(&conn->local) ? IPV4_HEADER : IPV6_HEADER);
}

/* Chooses the local address where it is still any (MUST-44), and keeps it from then on (MUST-45). */
int conn_find_path(struct estab_stack *stack, struct conn *conn, uint64_t now)
{
    struct ip_path_query query = {&conn->remote, conn->scope, conn->path.interface};
    return ip_path_find(stack->ip, now, &query, &conn->local, &conn->path);
}

static uint16_t mss_of(uint32_t mtu, uint32_t headers)
{
    uint32_t mss = mtu > headers + TCP_MIN_MSS ? mtu - headers : TCP_MIN_MSS;
    return (uint16_t)(mss > 65495 ? 65495 : mss);
}

uint16_t mss_to_offer(struct estab_stack *stack, const struct conn *listener, const struct arrival *arrival)
{
    uint32_t headers = TCP_HEADER + (ip_addr_is_v4(&arrival->key.local) ? IPV4_HEADER : IPV6_HEADER);
    uint16_t mss = mss_of(ip_interface(stack->ip, arrival->interface)->mtu, headers);
    return listener->mss_option != 0 && listener->mss_option < mss ? listener->mss_option : mss;
}

struct open_facts open_facts_of(struct estab_stack *stack, const struct conn *conn, uint64_t now)
{
    struct flow_key key = {conn->local, conn->remote, conn->local_port, conn->remote_port};
    struct flow_words words;
    flow_words_of(&key, &words);
    const struct estab_interface *interface = ip_interface(stack->ip, conn->path.interface);
    ESTAB_ASSERT(interface != NULL);
    uint32_t headers = conn_headers(conn);
    uint32_t path_mtu = ip_path_mtu(stack->ip, now, &conn->path, &conn->remote);
    struct open_facts facts = {
        .iss = guard_isn(&stack->isn_key, &words, now),
        .ts_offset = guard_timestamp_offset(&stack->stamp_key, &words),
        .path_mss = mss_of(path_mtu, headers),
        .link_mss = mss_of(ip_link_mtu(stack->ip, &conn->path, &conn->remote), headers),
        .adv_mss = mss_of(interface->mtu, headers), /* MUST-67 */
    };
    if (conn->mss_option != 0) {
        facts.adv_mss = conn->mss_option < facts.adv_mss ? conn->mss_option : facts.adv_mss;
        facts.path_mss = conn->mss_option < facts.path_mss ? conn->mss_option : facts.path_mss;
        facts.link_mss = conn->mss_option < facts.link_mss ? conn->mss_option : facts.link_mss;
    }
    return facts;
}

/* MUST-46: nobody to connect to at a multicast, broadcast or unspecified address. */
static int check_remote(const struct conn *conn)
{
    return ip_addr_is_unicast(&conn->remote) && conn->remote_port != 0 ? 0 : -ESTAB_EINVAL;
}

/*
 * A TIME-WAIT record that holds the flow gives way by SO_REUSEADDR's rules, where timestamps tell the
 * incarnations apart; *after is set to its SND.NXT.
 */
static int displace(struct estab_stack *stack, const struct conn *conn, uint32_t id, tcp_seq *after)
{
    if (!(id & TIME_WAIT_ID) || !conn->reuse_address) {
        return -ESTAB_EADDRINUSE;
    }
    const struct time_wait *tw = &stack->time_waits[id & ~TIME_WAIT_ID];
    uint64_t since = tw->deadline_ns - 2 * stack->settings.msl_ns;
    if (!tw->tcp.timestamps || stack->tcp.now - since <= UINT64_C(1000000000)) {
        return -ESTAB_EADDRINUSE;
    }
    *after = tw->tcp.snd_nxt;
    time_wait_end(stack, id & ~TIME_WAIT_ID, EVENT_REUSED);
    stack->counters.time_wait_reused++;
    return 0;
}

/* The local port, chosen or checked against who uses the flow now. */
static int take_flow(struct estab_stack *stack, struct conn *conn, bool *displaced, tcp_seq *after)
{
    struct flow_key key = {conn->local, conn->remote, conn->local_port, conn->remote_port};
    if (conn->local_port == 0) {
        if (!port_choose(stack, conn, &key)) {
            return -ESTAB_EADDRNOTAVAIL;
        }
        conn->local_port = key.local_port;
        return 0;
    }
    uint32_t id = flow_find(stack, &key, flow_hash(stack, &key));
    if (id == TABLE_NONE || (!(id & RECORD_IDS) && &stack->conns[id] == conn)) {
        return 0;
    }
    *displaced = true;
    return displace(stack, conn, id, after);
}

/*
 * Where to and from where: the way, the local address and the local port. `after` is set where a TIME-WAIT
 * record gave way.
 */
static int choose_flow(struct estab_stack *stack, struct conn *conn, bool *displaced, tcp_seq *after)
{
    int error = check_remote(conn);
    if (error == 0) {
        error = conn_find_path(stack, conn, stack->tcp.now);
    }
    return error == 0 ? take_flow(stack, conn, displaced, after) : error;
}

int conn_open_active(struct estab_stack *stack, struct conn *conn, enum tcp_event event)
{
    uint64_t now = stack->tcp.now;
    struct ip_addr local = conn->local;
    bool listed = conn->in_table;
    bool displaced = false;
    tcp_seq after = seq_of(0);
    conn_leave_table(stack, conn); /* its key is about to change */
    int error = choose_flow(stack, conn, &displaced, &after);
    if (error != 0) {
        conn->local = local;
        if (listed) {
            conn_enter_table(stack, conn);
        }
        return error;
    }
    struct open_facts facts = open_facts_of(stack, conn, now);
    if (displaced) {
        facts.iss = seq_add(after, 65537);
    }
    conn->flow_label = ip_flow_label(stack->ip, &conn->local, &conn->remote,
                                     (uint32_t)conn->local_port << 16 | conn->remote_port);
    conn->tcp.v6 = !ip_addr_is_v4(&conn->local);
    open_active(&conn->tcp, conn_context(stack, conn, now), event, &facts);
    conn_enter_table(stack, conn);
    return 0;
}
