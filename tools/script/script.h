/*
 * A packet script as it was read: options, then events in their order, each with its place in the file, its
 * time and what happens. The language is packetdrill's. Reading knows nothing of TCP's rules or of sockets;
 * what the events mean is run.h's.
 *
 * Everything hangs on one arena: script_free() gives all of it back.
 */
#ifndef TOOLS_SCRIPT_SCRIPT_H
#define TOOLS_SCRIPT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct place {
    int line, column;        /* from 1 */
    int end_line, end_column;
};

/* -------------------------------------------------------------------------------------------- expressions */

enum expression_kind {
    EXPRESSION_ELLIPSIS,     /* ... : not said */
    EXPRESSION_INTEGER,      /* 3, 0x02, O_RDWR | O_NONBLOCK: `number`; htons(8080) is 8080 */
    EXPRESSION_WORD,         /* a name that is no number of this system: `text` */
    EXPRESSION_STRING,       /* "...", escapes done: `text`, `length` */
    EXPRESSION_ADDRESS,      /* inet_addr("..."), inet_pton(AF_INET6, "..."): `address` */
    EXPRESSION_LIST,         /* [a, b]: `items` */
    EXPRESSION_STRUCT        /* {name = a, b, ...}: `items`, each with its `name` or NULL */
};

struct expression {
    enum expression_kind kind;
    struct place place;
    const char *source;      /* as it stands in the script, for messages */
    const char *name;        /* of a member of a struct; for msg_iov(1)=... the name alone */
    int64_t number;
    const char *text;
    size_t length;
    uint8_t address[16];     /* IPv4 mapped */
    struct expression *items; /* the first; NULL = none */
    struct expression *next;  /* beside it in its list */
    unsigned count;          /* of items */
};

/* ------------------------------------------------------------------------------------------------ packets */

/* What has no name here is OTHER; Accurate ECN's `ECN e0b 1 ceb 0 e1b 1` is too, with kind 172 or 174. */
struct tcp_option_text {
    enum script_tcp_option {
        SCRIPT_OPTION_END,
        SCRIPT_OPTION_NOP,
        SCRIPT_OPTION_MSS,
        SCRIPT_OPTION_WSCALE,
        SCRIPT_OPTION_SACK_OK,
        SCRIPT_OPTION_SACK,
        SCRIPT_OPTION_TIMESTAMPS,
        SCRIPT_OPTION_FAST_OPEN,  /* `bytes` is the cookie */
        SCRIPT_OPTION_FAST_OPEN_EXPERIMENT,
        SCRIPT_OPTION_MD5,
        SCRIPT_OPTION_OTHER       /* any kind: `number` and `bytes` */
    } kind;
    struct place place;
    uint8_t number;          /* the kind's number on the wire */
    uint32_t value;          /* MSS, shift, TSval */
    uint32_t echo;           /* TSecr */
    bool any_value, any_echo; /* `...` in their place */
    unsigned blocks;         /* SACK */
    uint32_t sack[8][2];
    unsigned length;
    uint8_t bytes[40];
};

enum script_ecn { ECN_NOT_SAID, ECN_NONE, ECN_ECT0, ECN_ECT1, ECN_CE, ECN_ECT01 };

struct packet {
    bool inbound;            /* `<`; else `>` */
    bool icmp;
    struct place place;
    /* of the IP header */
    enum script_ecn ecn;
    int tos, ttl;            /* -1 = not said */
    int64_t flow_label;      /* -1 = not said */
    int source_port, destination_port; /* `1234 > 80` before the flags; 0 = not said */
    /* TCP; of an ICMP error: of the segment it is about */
    uint16_t flags;          /* FIN 1 SYN 2 RST 4 PSH 8 ACK 0x10 URG 0x20 ECE 0x40 CWR 0x80 AE 0x100 */
    bool any_flags;          /* the wild card in place of flags */
    uint32_t seq, seq_end;
    uint32_t length;
    bool has_ack, has_window, has_urgent;
    bool any_sequence;       /* `...(0)`: only the length counts */
    bool absolute;           /* `!` behind it: SEQ is that of the wire; ACK stays relative */
    uint32_t ack;
    int64_t window;
    uint16_t urgent;
    bool any_options;        /* <...> */
    unsigned option_count;
    struct tcp_option_text options[40];
    /* ICMP */
    const char *icmp_type;   /* "unreachable" */
    const char *icmp_code_name; /* "port_unreachable", NULL = 0 was meant */
    uint8_t icmp_number;     /* of its family: by the script's --ip_version */
    uint8_t icmp_code;
    int64_t icmp_mtu;        /* -1 = not said */
    bool quotes_sequence;    /* [seq:end(length)] was given */
    uint8_t quoted_protocol; /* 6, 17 */
};

/* ------------------------------------------------------------------------------------------------- events */

enum time_kind {
    TIME_ABSOLUTE,           /* 0.1 */
    TIME_RELATIVE,           /* +0.1: after the event before */
    TIME_ANY,                /* * */
    TIME_ABSOLUTE_RANGE,     /* 0.1~0.2 */
    TIME_RELATIVE_RANGE      /* +0.1~+0.2 */
};

struct call {
    const char *name;
    struct expression *arguments;
    unsigned argument_count;
    struct expression result;  /* ELLIPSIS = any */
    const char *error;         /* "EINPROGRESS", NULL = none is expected */
    const char *note;          /* in parentheses behind it, NULL */
    bool has_end;              /* a blocking call: time...end */
    int64_t end_ns;            /* like the event's own time */
};

enum event_kind { EVENT_PACKET, EVENT_CALL, EVENT_COMMAND, EVENT_CODE };

struct event {
    enum event_kind kind;
    struct place place;
    bool untimed;              /* a command before the first or after the last event with a time: +0 */
    const char *source;        /* the event as it stands in the script, one line or more */
    enum time_kind time;
    int64_t time_ns;           /* absolute, or after the event before */
    int64_t time_to_ns;        /* of a range */
    struct packet packet;
    struct call call;
    const char *text;          /* of a command or of code */
    struct event *next;
};

/* --name=value at the top */
struct script_option {
    const char *name;
    const char *value;         /* "" = none */
    struct place place;
    struct script_option *next;
};

struct script {
    const char *path;
    struct script_option *options;
    struct event *events;
    unsigned event_count;
    bool ipv6;                 /* --ip_version=ipv6 */
    void *arena;
};

/* What a command line says about every script; it goes before what the script says itself. */
struct script_settings {
    int ip_version;              /* 0 = as the script says, 4, 6 */
    const char *const *defines;  /* "NAME=VALUE": the word NAME stands for VALUE in expressions and cookies */
    unsigned define_count;
};

/*
 * Reads a script. NULL: it cannot be read or is not in the language; then one line "path:line:column: what is
 * wrong, what was expected" was written to `errors`. `settings` may be NULL.
 */
struct script *script_read(const char *path, const struct script_settings *settings, FILE *errors);
/* The same from memory; `path` for messages. */
struct script *script_parse(const char *path, const char *text, size_t length,
                            const struct script_settings *settings, FILE *errors);
void script_free(struct script *script);

/* The event, or a packet as it really was, in the language; without a newline. */
void script_print_event(FILE *out, const struct event *event);
void script_print_packet(FILE *out, const struct packet *packet);
/* The name of an ICMP type, and of its code (NULL: it has none): for packets as they were. NULL: unknown. */
const char *script_icmp_name(bool ipv6, uint8_t number, uint8_t code, const char **code_name);

/* A constant of the host's headers by its name: true and *value, or false. */
bool script_constant(const char *name, int64_t *value);
/* "ECONNREFUSED" of a host's errno; never NULL. */
const char *script_errno_name(int number);

#endif
