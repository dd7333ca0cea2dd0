/* JSON for reports, one flat object a line: see json.h. RFC 8259 section 7 for what must be escaped. */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Length of the UTF-8 sequence at `text`, 0 = it is none (RFC 3629 section 4). */
static unsigned utf8_length(const unsigned char *text, const unsigned char *end)
{
    unsigned length = *text < 0x80 ? 1 : *text >= 0xc2 && *text < 0xe0 ? 2 : (*text & 0xf0) == 0xe0 ? 3 : 0;
    if (*text >= 0xf0 && *text < 0xf5) {
        length = 4;
    }
    if (length == 0 || (size_t)(end - text) < length) {
        return 0;
    }
    for (unsigned i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (*text == 0xe0 && text[1] < 0xa0) || (*text == 0xf0 && text[1] < 0x90);
    bool surrogate = *text == 0xed && text[1] > 0x9f;
    bool beyond = *text == 0xf4 && text[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

static void put_text(FILE *stream, const char *value, size_t length)
{
    const unsigned char *at = (const unsigned char *)value;
    const unsigned char *end = at + length;
    putc('"', stream);
    while (at < end) {
        unsigned run = utf8_length(at, end);
        if (run == 0) {
            fputs("\\ufffd", stream);
            run = 1;
        } else if (*at == '"' || *at == '\\') {
            fprintf(stream, "\\%c", *at);
        } else if (*at < 0x20) {
            fprintf(stream, "\\u%04x", *at);
        } else {
            fwrite(at, 1, run, stream);
        }
        at += run;
    }
    putc('"', stream);
}

static void put_name(FILE *stream, const char *name)
{
    putc(',', stream);
    put_text(stream, name, strlen(name));
    putc(':', stream);
}

void json_begin(FILE *stream)
{
    fputs("{\"v\":1", stream);
}

void json_end(FILE *stream)
{
    fputs("}\n", stream);
}

void json_text(FILE *stream, const char *name, const char *value)
{
    put_name(stream, name);
    if (value == NULL) {
        fputs("null", stream);
    } else {
        put_text(stream, value, strlen(value));
    }
}

void json_unsigned(FILE *stream, const char *name, uint64_t value)
{
    put_name(stream, name);
    fprintf(stream, "%" PRIu64, value);
}

void json_bool(FILE *stream, const char *name, bool value)
{
    put_name(stream, name);
    fputs(value ? "true" : "false", stream);
}

void json_real(FILE *stream, const char *name, double value, int decimals)
{
    put_name(stream, name);
    if (isfinite(value)) {
        fprintf(stream, "%.*f", decimals, value);
    } else {
        fputs("null", stream);
    }
}
