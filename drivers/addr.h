/*
 * Addresses as people write them, and estab's errors as the operating system's.
 *
 * `10.0.0.1`, `fd09::2`, `fe80::1%2` (scope = interface number of the stack), with a port `10.0.0.1:80`,
 * `[fd09::2]:80`, `:80` or `*:80` (any address), with a prefix `10.9.0.2/24`, lists with commas. Nothing is
 * resolved: a name is not an address. IPv4 addresses are kept in mapped form, as estab.h does; the prefix
 * length is that of the family (0..32, 0..128). Parsing is strict: the whole text must be used, no blanks,
 * no leading zeros in IPv4.
 */
#ifndef ESTAB_DRIVERS_ADDR_H
#define ESTAB_DRIVERS_ADDR_H

#include "estab/estab.h"

/* Room for every address with scope and port, NUL included. */
#define ADDR_TEXT 72

struct addr_prefix {
    struct estab_addr addr;
    unsigned length;
};

/* An address without a port. False = not one; *addr is then unchanged. */
bool addr_parse(const char *text, struct estab_addr *addr);

/*
 * An address with a port; the port (0..65535) must be there, the address may be missing or `*`: any. A lone
 * number is a port. False = not one.
 */
bool addr_parse_port(const char *text, struct estab_addr *addr);

/* An address with a prefix length; without one it is the family's full length. False = not one. */
bool addr_parse_prefix(const char *text, struct addr_prefix *prefix);

/*
 * A list with commas of at most `max`. Returns their number, or -1 with one line in `error` that names the
 * bad one.
 */
int addr_parse_list(const char *text, struct addr_prefix *list, unsigned max, char *error, size_t size);

/* A port number 0..65535 in decimal. False = not one. */
bool addr_parse_number(const char *text, uint16_t *port);

/* "10.0.0.1", "fd09::2", "fe80::1%2": returns `text` (of ADDR_TEXT bytes). Any address is "*". */
const char *addr_format(const struct estab_addr *addr, char text[ADDR_TEXT]);

/* "10.0.0.1:80", "[fd09::2]:80", "*:80". */
const char *addr_format_port(const struct estab_addr *addr, char text[ADDR_TEXT]);

bool addr_is_ipv4(const struct estab_addr *addr);
bool addr_is_any(const struct estab_addr *addr);

/* Address and scope, not the port. */
bool addr_equal(const struct estab_addr *a, const struct estab_addr *b);

/*
 * The errno of an estab error (negated or not): ECONNREFUSED for -ESTAB_ECONNREFUSED. 0 for ESTAB_OK, EIO
 * for a number that is none of ours.
 */
int addr_errno(int error);

#endif
