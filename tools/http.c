/*
 * HTTP/1.1 messages as bytes: see http.h. RFC 9112 2 to 7 for the syntax, RFC 9110 14 for ranges. It must not
 * know connections or files.
 */
#include "http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A run of bytes in a head. */
struct text {
    const char *at;
    size_t length;
};

static bool text_is(struct text text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.at, word, text.length) == 0;
}

static struct text text_trim(struct text text)
{
    while (text.length > 0 && (*text.at == ' ' || *text.at == '\t')) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 && (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t')) {
        text.length--;
    }
    return text;
}

/* Cuts the text before the first `mark` off the front; all of it if there is none. */
static struct text text_cut(struct text *rest, char mark)
{
    const char *found = memchr(rest->at, mark, rest->length);
    struct text front = {rest->at, found != NULL ? (size_t)(found - rest->at) : rest->length};
    size_t used = front.length + (found != NULL);
    rest->at += used;
    rest->length -= used;
    return front;
}

static struct text next_line(struct text *rest)
{
    struct text line = text_cut(rest, '\n');
    if (line.length > 0 && line.at[line.length - 1] == '\r') {
        line.length--;
    }
    return line;
}

static void text_copy(struct text text, char *room, size_t size)
{
    size_t length = text.length < size ? text.length : size - 1;
    memcpy(room, text.at, length);
    room[length] = 0;
}

/* All of the text is a decimal number. */
static bool text_number(struct text text, uint64_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9' || sum > (UINT64_MAX - 9) / 10) {
            return false;
        }
        sum = sum * 10 + (uint64_t)(text.at[i] - '0');
    }
    *value = sum;
    return text.length > 0;
}

static bool is_token(struct text text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == 0 || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return text.length > 0;
}

/* Whether a list like "keep-alive, upgrade" has the word. */
static bool list_has(struct text list, const char *word)
{
    while (list.length > 0) {
        if (text_is(text_trim(text_cut(&list, ',')), word)) {
            return true;
        }
    }
    return false;
}

/* One header line; false = it is malformed (folded lines are: RFC 9112 5.2). */
static bool split_header(struct text line, struct text *name, struct text *value)
{
    *name = text_cut(&line, ':');
    *value = text_trim(line);
    return is_token(*name) && name->at + name->length < line.at;
}

size_t http_head_length(const char *text, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++) {
        if (text[i] != '\n') {
            continue;
        }
        if (text[i + 1] == '\n') {
            return i + 2;
        }
        if (i + 2 < length && text[i + 1] == '\r' && text[i + 2] == '\n') {
            return i + 3;
        }
    }
    return 0;
}

const char *http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } table[] = {
        {200, "OK"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {414, "URI Too Long"},
        {416, "Range Not Satisfiable"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].status == status) {
            return table[i].reason;
        }
    }
    return "Unknown";
}

/* ------------------------------------------------------------------------------------------------- requests
 */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decodes a request target into a path. Returns 0, or the status of what is wrong. */
static unsigned decode_path(struct text target, char path[HTTP_PATH_MAX])
{
    size_t used = 0;
    if (target.length > 7 && strncasecmp(target.at, "http://", 7) == 0) {
        const char *slash = memchr(target.at + 7, '/', target.length - 7);
        target = slash != NULL ? (struct text){slash, target.length - (size_t)(slash - target.at)}
                               : (struct text){"/", 1};
    }
    target = text_cut(&target, '?');
    if (target.length == 0 || target.at[0] != '/') {
        return 400;
    }
    for (size_t i = 0; i < target.length; i++) {
        int c = (unsigned char)target.at[i];
        if (c == '%') {
            int high = i + 2 < target.length ? hex_digit(target.at[i + 1]) : -1;
            int low = i + 2 < target.length ? hex_digit(target.at[i + 2]) : -1;
            c = high >= 0 && low >= 0 ? high * 16 + low : 0;
            i += 2;
        }
        if (c == 0) {
            return 400;
        }
        if (used + 1 >= HTTP_PATH_MAX) {
            return 414;
        }
        path[used++] = (char)c;
    }
    path[used] = 0;
    return 0;
}

/* One range of bytes; several, or another unit, are as good as none (RFC 9110 14.2). */
static void parse_range(struct text value, struct http_range *range)
{
    struct http_range found = {.given = true, .last = UINT64_MAX};
    struct text unit = text_cut(&value, '=');
    struct text first = text_trim(text_cut(&value, '-'));
    struct text last = text_trim(value);
    if (!text_is(unit, "bytes") || (first.length == 0 && last.length == 0)) {
        return;
    }
    found.suffix = first.length == 0;
    if (!found.suffix && !text_number(first, &found.first)) {
        return;
    }
    if (last.length > 0 && (!text_number(last, &found.last) || (!found.suffix && found.last < found.first))) {
        return;
    }
    *range = found;
}

bool http_resolve_range(const struct http_range *range, uint64_t size, uint64_t *first, uint64_t *count)
{
    *first = 0;
    *count = size;
    if (!range->given) {
        return true;
    }
    if (range->suffix) {
        *count = range->last < size ? range->last : size;
        *first = size - *count;
        return *count > 0;
    }
    if (range->first >= size) {
        return false;
    }
    *first = range->first;
    *count = (range->last < size - 1 ? range->last : size - 1) - range->first + 1;
    return true;
}

static unsigned parse_request_line(struct text line, struct http_request *request, bool *version_1_1)
{
    struct text method = text_cut(&line, ' ');
    struct text target = text_cut(&line, ' ');
    if (!is_token(method) || line.length != 8 || memcmp(line.at, "HTTP/", 5) != 0 || line.at[6] != '.') {
        return 400;
    }
    if (line.at[5] != '1') {
        return 505;
    }
    *version_1_1 = line.at[7] != '0';
    request->keep_alive = *version_1_1;
    unsigned error = decode_path(target, request->path);
    if (error != 0) {
        return error;
    }
    request->head = method.length == 4 && memcmp(method.at, "HEAD", 4) == 0;
    return request->head || (method.length == 3 && memcmp(method.at, "GET", 3) == 0) ? 0 : 405;
}

void http_parse_request(const char *text, size_t length, struct http_request *request)
{
    struct text rest = {text, length};
    struct text name;
    struct text value;
    bool version_1_1 = false;
    bool host = false;
    bool body = false;
    bool if_range = false;
    *request = (struct http_request){0};
    request->error = parse_request_line(next_line(&rest), request, &version_1_1);
    for (struct text line = next_line(&rest); line.length > 0; line = next_line(&rest)) {
        if (!split_header(line, &name, &value)) {
            request->error = 400;
        } else if (text_is(name, "Host")) {
            request->error = host ? 400 : request->error; /* RFC 9112 3.2: exactly one */
            host = true;
        } else if (text_is(name, "Connection")) {
            request->keep_alive =
                list_has(value, "keep-alive") || (request->keep_alive && !list_has(value, "close"));
        } else if (text_is(name, "Range")) {
            parse_range(value, &request->range);
        } else if (text_is(name, "If-Range")) {
            if_range = true;
        } else if (text_is(name, "Transfer-Encoding") ||
                   (text_is(name, "Content-Length") && !text_is(value, "0"))) {
            body = true;
        }
    }
    if (request->error == 0 && version_1_1 && !host) {
        request->error = 400;
    }
    if (if_range) {
        request->range.given = false; /* we give no validators that it could match */
    }
    if (body || (request->error != 0 && request->error != 405)) {
        request->keep_alive = false; /* where the next request begins is not known */
    }
}

/* ------------------------------------------------------------------------------------------------ responses
 */

static bool parse_status_line(struct text line, struct http_response *response)
{
    struct text version = text_cut(&line, ' ');
    struct text status = text_cut(&line, ' ');
    uint64_t number = 0;
    if (version.length != 8 || memcmp(version.at, "HTTP/1.", 7) != 0 || status.length != 3 ||
        !text_number(status, &number) || number < 100) {
        return false;
    }
    response->status = (unsigned)number;
    response->keep_alive = version.at[7] != '0';
    text_copy(line, response->reason, sizeof response->reason);
    return true;
}

/* RFC 9112 6.3: chunked comes before a length. */
static bool parse_framing(struct text name, struct text value, struct http_response *response)
{
    uint64_t length = 0;
    if (text_is(name, "Transfer-Encoding")) {
        response->framing = HTTP_BODY_CHUNKED;
        return text_is(value, "chunked");
    }
    if (!text_number(value, &length) ||
        (response->framing == HTTP_BODY_LENGTH && length != response->length)) {
        return false;
    }
    if (response->framing != HTTP_BODY_CHUNKED) {
        response->framing = HTTP_BODY_LENGTH;
        response->length = length;
    }
    return true;
}

bool http_parse_response(const char *text, size_t length, bool head, struct http_response *response)
{
    struct text rest = {text, length};
    struct text name;
    struct text value;
    *response = (struct http_response){.framing = HTTP_BODY_CLOSE};
    if (!parse_status_line(next_line(&rest), response)) {
        return false;
    }
    for (struct text line = next_line(&rest); line.length > 0; line = next_line(&rest)) {
        if (!split_header(line, &name, &value)) {
            return false;
        }
        if (text_is(name, "Connection")) {
            response->keep_alive =
                list_has(value, "keep-alive") || (response->keep_alive && !list_has(value, "close"));
        } else if (text_is(name, "Location")) {
            text_copy(value, response->location, sizeof response->location);
        } else if (text_is(name, "Transfer-Encoding") || text_is(name, "Content-Length")) {
            if (!parse_framing(name, value, response)) {
                return false;
            }
        }
    }
    if (head || response->status < 200 || response->status == 204 || response->status == 304) {
        response->framing = HTTP_BODY_NONE;
    }
    if (response->framing == HTTP_BODY_CLOSE) {
        response->keep_alive = false;
    }
    return true;
}

/* --------------------------------------------------------------------------------------------------- bodies
 */

/* Where in chunked framing (RFC 9112 7.1) the next byte stands. */
enum chunk_step {
    CHUNK_SIZE, /* the first digit of a size */
    CHUNK_SIZE_MORE,
    CHUNK_EXTENSION, /* up to the end of the line */
    CHUNK_DATA,
    CHUNK_DATA_END, /* the line end behind the data */
    CHUNK_TRAILER,  /* at the beginning of a line */
    CHUNK_TRAILER_MORE
};

void http_body_begin(struct http_body *body, const struct http_response *response)
{
    *body = (struct http_body){.framing = response->framing, .step = CHUNK_SIZE};
    if (body->framing == HTTP_BODY_LENGTH) {
        body->left = response->length;
    }
    body->done = body->framing == HTTP_BODY_NONE || (body->framing == HTTP_BODY_LENGTH && body->left == 0);
}

/* The end of a chunk's size line. */
static enum chunk_step size_ends(const struct http_body *body)
{
    return body->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
}

static bool chunk_size_byte(struct http_body *body, char c)
{
    int digit = hex_digit(c);
    if (digit >= 0) {
        if (body->left > UINT64_MAX >> 4) {
            return false;
        }
        body->left = body->left * 16 + (unsigned)digit;
        body->step = CHUNK_SIZE_MORE;
        return true;
    }
    if (body->step == CHUNK_SIZE) {
        return false;
    }
    body->step = c == '\n' ? (uint8_t)size_ends(body) : CHUNK_EXTENSION;
    return c == '\n' || c == '\r' || c == ';' || c == ' ' || c == '\t';
}

static bool chunk_byte(struct http_body *body, char c)
{
    switch ((enum chunk_step)body->step) {
    case CHUNK_SIZE:
    case CHUNK_SIZE_MORE: return chunk_size_byte(body, c);
    case CHUNK_EXTENSION: body->step = c == '\n' ? (uint8_t)size_ends(body) : CHUNK_EXTENSION; return true;
    case CHUNK_DATA_END: body->step = c == '\n' ? CHUNK_SIZE : CHUNK_DATA_END; return c == '\n' || c == '\r';
    case CHUNK_TRAILER:
        body->done = c == '\n';
        body->step = c == '\r' ? CHUNK_TRAILER : CHUNK_TRAILER_MORE;
        return true;
    case CHUNK_TRAILER_MORE: body->step = c == '\n' ? CHUNK_TRAILER : CHUNK_TRAILER_MORE; return true;
    case CHUNK_DATA: break;
    }
    return true;
}

ptrdiff_t http_body_skip(struct http_body *body, const char *data, size_t length)
{
    size_t at = 0;
    while (body->framing == HTTP_BODY_CHUNKED && !body->done && body->step != CHUNK_DATA && at < length) {
        if (!chunk_byte(body, data[at++])) {
            return -1;
        }
    }
    return (ptrdiff_t)at;
}

size_t http_body_text(const struct http_body *body, size_t length)
{
    if (body->done || (body->framing == HTTP_BODY_CHUNKED && body->step != CHUNK_DATA)) {
        return 0;
    }
    return body->framing == HTTP_BODY_CLOSE || length < body->left ? length : (size_t)body->left;
}

void http_body_take(struct http_body *body, size_t length)
{
    if (body->framing == HTTP_BODY_CLOSE) {
        return;
    }
    body->left -= length;
    if (body->left > 0) {
        return;
    }
    if (body->framing == HTTP_BODY_LENGTH) {
        body->done = true;
    } else if (body->step == CHUNK_DATA) {
        body->step = CHUNK_DATA_END;
    }
}
