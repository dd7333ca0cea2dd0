/*
 * The names of ICMP's and ICMPv6's errors in scripts, their numbers in RFC 792, RFC 1122 3.2.2.1, RFC 1812
 * 5.2.7.1 and RFC 4443. Dialects differ in names: the first row of a number is the one that is printed.
 *
 * It knows nothing of what an error does to a connection.
 */
#include <string.h>

#include "tools/script/reader.h"

struct name {
    const char *name;
    uint8_t number;
};

struct type {
    const char *name;
    uint8_t number;
    const struct name *codes; /* the last has no name */
    const char *known;        /* their names, for complaints */
};

static const struct name v4_unreachable[] = {
    {"net_unreachable", 0},      {"host_unreachable", 1},
    {"protocol_unreachable", 2}, {"port_unreachable", 3},
    {"frag_needed", 4},          {"source_route_failed", 5},
    {"net_unknown", 6},          {"host_unknown", 7},
    {"source_host_isolated", 8}, {"net_prohibited", 9},
    {"host_prohibited", 10},     {"net_unreachable_for_tos", 11},
    {"bad_tos_for_net", 11},     {"host_unreachable_for_tos", 12},
    {"bad_tos_for_host", 12},    {"packet_filtered", 13},
    {"admin_prohibited", 13},    {"precedence_violation", 14},
    {"precedence_cutoff", 15},   {NULL, 0},
};

static const struct name v4_redirect[] = {
    {"redirect_for_net", 0},
    {"redirect_for_host", 1},
    {"redirect_for_tos_and_net", 2},
    {"redirect_for_tos_and_host", 3},
    {NULL, 0},
};

static const struct name v4_time_exceeded[] = {
    {"exceeded_ttl", 0},       {"ttl_exceeded_in_transit", 0},       {"ttl_exceeded", 0},
    {"exceeded_frag_time", 1}, {"frag_reassembly_time_exceeded", 1}, {NULL, 0},
};

static const struct name v4_parameter_problem[] = {
    {"pointer_indicates_error", 0},
    {"missing_option", 1},
    {"bad_length", 2},
    {NULL, 0},
};

static const struct name v6_unreachable[] = {
    {"no_route", 0},         {"admin_prohibited", 1},    {"prohibited", 1},       {"beyond_scope", 2},
    {"not_neighbour", 2},    {"address_unreachable", 3}, {"addr_unreachable", 3}, {"host_unreachable", 3},
    {"port_unreachable", 4}, {"source_policy", 5},       {"reject_route", 6},     {NULL, 0},
};

static const struct name v6_time_exceeded[] = {
    {"exceeded_hop_limit", 0},
    {"hop_limit_exceeded", 0},
    {"exceeded_frag_time", 1},
    {"frag_reassembly_time_exceeded", 1},
    {NULL, 0},
};

static const struct name v6_parameter_problem[] = {
    {"bad_header_field", 0},
    {"erroneous_header", 0},
    {"unknown_next_header", 1},
    {"unknown_option", 2},
    {NULL, 0},
};

static const struct name no_codes[] = {{NULL, 0}};

static const struct type v4_types[] = {
    {"unreachable", 3, v4_unreachable,
     "net_unreachable, host_unreachable, protocol_unreachable, port_unreachable, frag_needed, "
     "source_route_failed, net_unknown, host_unknown, source_host_isolated, net_prohibited, host_prohibited, "
     "net_unreachable_for_tos, host_unreachable_for_tos, packet_filtered, precedence_violation or "
     "precedence_cutoff"},
    {"source_quench", 4, no_codes, "none"},
    {"redirect", 5, v4_redirect,
     "redirect_for_net, redirect_for_host, redirect_for_tos_and_net or redirect_for_tos_and_host"},
    {"time_exceeded", 11, v4_time_exceeded, "exceeded_ttl, ttl_exceeded_in_transit or exceeded_frag_time"},
    {"parameter_problem", 12, v4_parameter_problem, "pointer_indicates_error, missing_option or bad_length"},
    {NULL, 0, NULL, NULL},
};

static const struct type v6_types[] = {
    {"unreachable", 1, v6_unreachable,
     "no_route, admin_prohibited, beyond_scope, address_unreachable, port_unreachable, source_policy or "
     "reject_route"},
    {"packet_too_big", 2, no_codes, "none"},
    {"time_exceeded", 3, v6_time_exceeded, "exceeded_hop_limit or exceeded_frag_time"},
    {"parameter_problem", 4, v6_parameter_problem, "bad_header_field, unknown_next_header or unknown_option"},
    {NULL, 0, NULL, NULL},
};

static const struct type *types_of(bool ipv6)
{
    return ipv6 ? v6_types : v4_types;
}

static const struct type *type_of(bool ipv6, uint8_t number)
{
    const struct type *type = types_of(ipv6);
    while (type->name != NULL && type->number != number)
        type++;
    return type->name == NULL ? NULL : type;
}

bool icmp_type_number(bool ipv6, const char *name, uint8_t *number, const char **known)
{
    for (const struct type *type = types_of(ipv6); type->name != NULL; type++) {
        if (strcmp(type->name, name) == 0) {
            *number = type->number;
            return true;
        }
    }
    *known = ipv6 ? "unreachable, packet_too_big, time_exceeded or parameter_problem"
                  : "unreachable, source_quench, redirect, time_exceeded or parameter_problem";
    return false;
}

bool icmp_code_number(bool ipv6, uint8_t type_number, const char *name, uint8_t *number, const char **known)
{
    const struct type *type = type_of(ipv6, type_number);
    for (const struct name *code = type->codes; code->name != NULL; code++) {
        if (strcmp(code->name, name) == 0) {
            *number = code->number;
            return true;
        }
    }
    *known = type->known;
    return false;
}

const char *script_icmp_name(bool ipv6, uint8_t number, uint8_t code, const char **code_name)
{
    const struct type *type = type_of(ipv6, number);

    *code_name = NULL;
    if (type == NULL)
        return NULL;
    for (const struct name *at = type->codes; at->name != NULL && *code_name == NULL; at++) {
        if (at->number == code)
            *code_name = at->name;
    }
    return type->name;
}
