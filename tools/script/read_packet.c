/*
 * The builders of packets: what stands between `<` or `>` and the options. The values are checked for what a
 * header can hold and for agreement with each other; whether TCP would ever send such a segment is not asked.
 *
 * TCP and the ICMP errors about it: RFC 9293 3.1, RFC 792, RFC 4443. Other protocols are refused.
 */
#include <string.h>

#include "tools/script/reader.h"

#define FLAG_ECE 0x40
#define FLAG_CWR 0x80
#define FLAG_AE  0x100

void packet_begin(struct reader *reader, bool inbound)
{
    struct packet *packet = &reader->event->packet;

    reader->event->kind = EVENT_PACKET;
    reader->packet = packet;
    packet->inbound = inbound;
    packet->tos = -1;
    packet->ttl = -1;
    packet->flow_label = -1;
    packet->icmp_mtu = -1;
    packet->quoted_protocol = 6;
}

void packet_not_tcp(struct reader *reader, const struct span *span)
{
    reader_fail(reader, span, "%s: not a TCP script, expected a TCP segment or an ICMP error about one",
                reader_quote(reader, span));
}

/* ----------------------------------------------------------------------------------------------------- IP */

static const struct {
    const char *name;
    enum script_ecn ecn;
} ecn_names[] = {
    {"noecn", ECN_NONE}, {"ect0", ECN_ECT0}, {"ect1", ECN_ECT1}, {"ce", ECN_CE}, {"ect01", ECN_ECT01},
};

static void packet_ip_value(struct reader *reader, const struct span *name, const struct span *value)
{
    struct packet *packet = reader->packet;

    if (span_is(reader, name, "tos") || span_is(reader, name, "class"))
        packet->tos = (int)reader_number(reader, value, 0xff, "type of service");
    else if (span_is(reader, name, "ttl") || span_is(reader, name, "hlim"))
        packet->ttl = (int)reader_number(reader, value, 0xff, "hop limit");
    else if (span_is(reader, name, "flowlabel"))
        packet->flow_label = (int64_t)reader_number(reader, value, 0xfffff, "flow label");
    else
        reader_fail(reader, name, "unknown IP field %s, expected tos, class, ttl, hlim or flowlabel",
                    reader_quote(reader, name));
}

void packet_ip(struct reader *reader, const struct span *name, const struct span *value)
{
    if (value != NULL) {
        packet_ip_value(reader, name, value);
        return;
    }
    for (size_t i = 0; i < sizeof ecn_names / sizeof ecn_names[0]; i++) {
        if (span_is(reader, name, ecn_names[i].name)) {
            reader->packet->ecn = ecn_names[i].ecn;
            return;
        }
    }
    reader_fail(reader, name,
                "unknown IP field %s, expected noecn, ect0, ect1, ce, ect01, tos N, ttl N or flowlabel N",
                reader_quote(reader, name));
}

/* ---------------------------------------------------------------------------------------------------- TCP */

void packet_ports(struct reader *reader, const struct span *source, const struct span *destination)
{
    reader->packet->source_port = (int)reader_number(reader, source, 0xffff, "port");
    reader->packet->destination_port = (int)reader_number(reader, destination, 0xffff, "port");
}

/*
 * The flags of one letter, or of a digit: the three bits of Accurate ECN's counter (RFC 9768), written as
 * their sum. -1: there is none.
 */
static int flag_of(char c)
{
    static const char letters[] = "FSRP.UEWA";
    const char *letter = c == '\0' ? NULL : strchr(letters, c);
    int ace = c - '0';

    if (letter != NULL)
        return 1 << (letter - letters);
    if (ace < 0 || ace > 7)
        return -1;
    return (ace & 4 ? FLAG_AE : 0) | (ace & 2 ? FLAG_CWR : 0) | (ace & 1 ? FLAG_ECE : 0);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

void packet_flags(struct reader *reader, const struct span *span)
{
    struct packet *packet = reader->packet;
    int digits = 0;

    if (span_is(reader, span, "-"))
        return;
    packet->any_flags = span_is(reader, span, "*");
    for (size_t i = span->begin; i < span->end && !packet->any_flags; i++) {
        char c = reader->text[i];
        int flag = flag_of(c);
        digits += is_digit(c);
        if (flag < 0 || (packet->flags & flag) != 0 || digits > 1) {
            reader_fail(
                reader, span,
                "%s '%c' in the flags %s, expected each of F S R P . U E W A and one digit at most once",
                flag < 0 ? "unknown" : "repeated", c, reader_quote(reader, span));
            return;
        }
        packet->flags = (uint16_t)(packet->flags | flag);
    }
}

void packet_sequence(struct reader *reader, const struct span *start, const struct span *end,
                     const struct span *length)
{
    struct packet *packet = reader->packet;

    packet->seq = (uint32_t)reader_number(reader, start, UINT32_MAX, "sequence number");
    packet->seq_end = (uint32_t)reader_number(reader, end, UINT32_MAX, "sequence number");
    packet->length = (uint32_t)reader_number(reader, length, 0xffff, "length");
    if (packet->seq + packet->length != packet->seq_end)
        reader_fail(reader, start, "%u:%u(%u) does not add up, expected %u:%u(%u)", packet->seq,
                    packet->seq_end, packet->length, packet->seq, packet->seq + packet->length,
                    packet->length);
}

void packet_any_sequence(struct reader *reader, const struct span *length)
{
    reader->packet->any_sequence = true;
    reader->packet->length = (uint32_t)reader_number(reader, length, 0xffff, "length");
}

void packet_ack(struct reader *reader, const struct span *span)
{
    reader->packet->has_ack = true;
    reader->packet->ack = (uint32_t)reader_number(reader, span, UINT32_MAX, "acknowledgment number");
}

void packet_window(struct reader *reader, const struct span *span)
{
    reader->packet->has_window = true;
    reader->packet->window = (int64_t)reader_number(reader, span, 0xffff, "window");
}

void packet_urgent(struct reader *reader, const struct span *span)
{
    reader->packet->has_urgent = true;
    reader->packet->urgent = (uint16_t)reader_number(reader, span, 0xffff, "urgent pointer");
}

/* --------------------------------------------------------------------------------------------------- ICMP */

void packet_quote(struct reader *reader)
{
    reader->packet->quotes_sequence = true;
}

void packet_quote_udp(struct reader *reader, const struct span *length)
{
    reader->packet->quoted_protocol = 17;
    reader->packet->length = (uint32_t)reader_number(reader, length, 0xffff, "length");
}

void packet_icmp(struct reader *reader, const struct span *type, const struct span *code)
{
    struct packet *packet = reader->packet;
    bool ipv6 = reader->script->ipv6;
    const char *family = ipv6 ? "ICMPv6" : "ICMP";
    const char *known;

    packet->icmp = true;
    packet->icmp_type = reader_slice(reader, type);
    if (span_is(reader, type, "echo_request") || span_is(reader, type, "echo_reply")) {
        packet_not_tcp(reader, type);
    } else if (!icmp_type_number(ipv6, packet->icmp_type, &packet->icmp_number, &known)) {
        reader_fail(reader, type, "unknown %s type %s, expected %s", family, reader_quote(reader, type),
                    known);
    } else if (code != NULL) {
        packet->icmp_code_name = reader_slice(reader, code);
        if (!icmp_code_number(ipv6, packet->icmp_number, packet->icmp_code_name, &packet->icmp_code, &known))
            reader_fail(reader, code, "unknown code %s of %s %s, expected %s", reader_quote(reader, code),
                        family, packet->icmp_type, known);
    }
}

void packet_mtu(struct reader *reader, const struct span *span)
{
    bool ipv6 = reader->script->ipv6;
    reader->packet->icmp_mtu = (int64_t)reader_number(reader, span, ipv6 ? UINT32_MAX : 0xffff, "MTU");
}
