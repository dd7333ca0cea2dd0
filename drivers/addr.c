/*
 * Addresses as people write them (addr.h): IPv4 and IPv6 literals by inet_pton(), which is as strict as RFC
 * 6943 3.1.1 asks, and written back in the form of RFC 5952 by inet_ntop(). Everything around them (port,
 * prefix, scope, lists) is done here. It knows nothing of stacks or devices and never asks a name server.
 */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Decimal digits only, no sign, no blank, at most `max`. */
static bool parse_decimal(const char *text, unsigned long max, unsigned long *value)
{
    unsigned long sum = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        sum = sum * 10 + (unsigned long)(*text - '0');
        if (sum > max)
            return false;
    }
    *value = sum;
    return true;
}

/* Parsing cuts the text up; what is longer than every address is none. */
static bool copy_text(char copy[ADDR_TEXT], const char *text)
{
    size_t length = strnlen(text, ADDR_TEXT);

    if (length == ADDR_TEXT)
        return false;
    memcpy(copy, text, length + 1);
    return true;
}

bool addr_parse_number(const char *text, uint16_t *port)
{
    unsigned long value;

    if (!parse_decimal(text, 65535, &value))
        return false;
    *port = (uint16_t)value;
    return true;
}

bool addr_is_ipv4(const struct estab_addr *addr)
{
    return memcmp(addr->ip, mapped, sizeof mapped) == 0;
}

bool addr_is_any(const struct estab_addr *addr)
{
    static const uint8_t zero[16];

    if (addr_is_ipv4(addr))
        return memcmp(addr->ip + 12, zero, 4) == 0;
    return memcmp(addr->ip, zero, 16) == 0;
}

bool addr_equal(const struct estab_addr *a, const struct estab_addr *b)
{
    return memcmp(a->ip, b->ip, 16) == 0 && a->scope == b->scope;
}

bool addr_parse(const char *text, struct estab_addr *addr)
{
    struct estab_addr parsed = {0};
    char copy[ADDR_TEXT];
    unsigned long scope;
    char *percent;

    if (!copy_text(copy, text))
        return false;
    if (inet_pton(AF_INET, copy, parsed.ip + 12) == 1) {
        memcpy(parsed.ip, mapped, sizeof mapped);
        *addr = parsed;
        return true;
    }
    percent = strchr(copy, '%');
    if (percent != NULL) {
        if (!parse_decimal(percent + 1, UINT32_MAX, &scope))
            return false;
        parsed.scope = (uint32_t)scope;
        *percent = '\0';
    }
    if (inet_pton(AF_INET6, copy, parsed.ip) != 1)
        return false;
    *addr = parsed;
    return true;
}

/* The part in front of the port: nothing or `*` is any, brackets hold IPv6, without brackets it is IPv4. */
static bool parse_host(char *host, struct estab_addr *addr)
{
    size_t length = strlen(host);

    if (length == 0 || strcmp(host, "*") == 0) {
        *addr = estab_addr_any(0);
        return true;
    }
    if (host[0] == '[') {
        if (host[length - 1] != ']')
            return false;
        host[length - 1] = '\0';
        return addr_parse(host + 1, addr) && strchr(host + 1, ':') != NULL;
    }
    return strchr(host, ':') == NULL && addr_parse(host, addr);
}

bool addr_parse_port(const char *text, struct estab_addr *addr)
{
    struct estab_addr parsed;
    char copy[ADDR_TEXT];
    uint16_t port;
    char *colon;

    if (addr_parse_number(text, &port)) {
        *addr = estab_addr_any(port);
        return true;
    }
    if (!copy_text(copy, text))
        return false;
    colon = strrchr(copy, ':');
    if (colon == NULL || !addr_parse_number(colon + 1, &port))
        return false;
    *colon = '\0';
    if (!parse_host(copy, &parsed))
        return false;
    parsed.port = port;
    *addr = parsed;
    return true;
}

bool addr_parse_prefix(const char *text, struct addr_prefix *prefix)
{
    char copy[ADDR_TEXT];
    struct estab_addr addr;
    unsigned long length;
    unsigned full;
    char *slash;

    if (!copy_text(copy, text))
        return false;
    slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    if (!addr_parse(copy, &addr))
        return false;
    full = addr_is_ipv4(&addr) ? 32 : 128;
    length = full;
    if (slash != NULL && !parse_decimal(slash + 1, full, &length))
        return false;
    prefix->addr = addr;
    prefix->length = (unsigned)length;
    return true;
}

int addr_parse_list(const char *text, struct addr_prefix *list, unsigned max, char *error, size_t size)
{
    unsigned count = 0;

    for (;;) {
        size_t length = strcspn(text, ",");
        char item[ADDR_TEXT] = "";

        if (count == max) {
            snprintf(error, size, "too many addresses: at most %u", max);
            return -1;
        }
        if (length < sizeof item)
            memcpy(item, text, length);
        if (item[0] == '\0' || !addr_parse_prefix(item, &list[count])) {
            snprintf(error, size, "bad address '%.*s': write it like 10.9.0.2/24 or 10.9.0.2/24,fd09::2/64",
                     (int)(length < ADDR_TEXT ? length : ADDR_TEXT), text);
            return -1;
        }
        count++;
        if (text[length] == '\0')
            return (int)count;
        text += length + 1;
    }
}

const char *addr_format(const struct estab_addr *addr, char text[ADDR_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "?";

    if (addr_is_any(addr)) {
        snprintf(text, ADDR_TEXT, "*");
        return text;
    }
    if (addr_is_ipv4(addr))
        inet_ntop(AF_INET, addr->ip + 12, ip, sizeof ip);
    else
        inet_ntop(AF_INET6, addr->ip, ip, sizeof ip);
    if (addr->scope != 0)
        snprintf(text, ADDR_TEXT, "%s%%%u", ip, (unsigned)addr->scope);
    else
        snprintf(text, ADDR_TEXT, "%s", ip);
    return text;
}

const char *addr_format_port(const struct estab_addr *addr, char text[ADDR_TEXT])
{
    bool brackets = !addr_is_any(addr) && !addr_is_ipv4(addr);
    char host[ADDR_TEXT];

    addr_format(addr, host);
    if (brackets)
        snprintf(text, ADDR_TEXT, "[%.60s]:%u", host, (unsigned)addr->port);
    else
        snprintf(text, ADDR_TEXT, "%.60s:%u", host, (unsigned)addr->port);
    return text;
}

int addr_errno(int error)
{
    switch (error < 0 ? -error : error) {
#define ADDR_ERRNO(name, text) \
    case ESTAB_##name: return name;
        ESTAB_ERRORS(ADDR_ERRNO)
#undef ADDR_ERRNO
    case ESTAB_OK: return 0;
    default: return EIO;
    }
}
