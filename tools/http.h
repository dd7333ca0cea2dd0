/*
 * HTTP/1.1 messages as bytes: heads of requests and responses, ranges, and the framing of bodies (RFC 9110,
 * 9112). Pure: it knows no connection and no file. A head is parsed once it is complete; what is odd in it is
 * refused rather than guessed.
 */
#ifndef ESTAB_TOOLS_HTTP_H
#define ESTAB_TOOLS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 8192u /* bytes of a head that we look at */
#define HTTP_PATH_MAX 2048u

/* Length of the head at `text`, its empty line included; 0 = it is not complete yet. */
size_t http_head_length(const char *text, size_t length);

/* The reason phrase of a status we send: "Not Found". */
const char *http_reason(unsigned status);

/* -------------------------------------------------------------------------------------------------- requests
 */

struct http_range {
    bool given;
    bool suffix;          /* the last `last` bytes */
    uint64_t first, last; /* last: UINT64_MAX = to the end */
};

struct http_request {
    unsigned error; /* status to answer with if the request cannot be served, else 0 */
    bool head;      /* HEAD, else GET */
    bool keep_alive;
    char path[HTTP_PATH_MAX]; /* decoded, begins with '/', without query */
    struct http_range range;
};

void http_parse_request(const char *text, size_t length, struct http_request *request);

/* The bytes a range means of `size`: false = none (416). *first and *count are set otherwise. */
bool http_resolve_range(const struct http_range *range, uint64_t size, uint64_t *first, uint64_t *count);

/* ------------------------------------------------------------------------------------------------- responses
 */

enum http_framing {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKED,
    HTTP_BODY_CLOSE /* until the connection is closed */
};

struct http_response {
    unsigned status;
    char reason[64];
    bool keep_alive;
    enum http_framing framing;
    uint64_t length;    /* HTTP_BODY_LENGTH */
    char location[256]; /* of a redirection; "" = none */
};

/* `head`: it answers a HEAD request. False = not a response of HTTP/1. */
bool http_parse_response(const char *text, size_t length, bool head, struct http_response *response);

/*
 * A body, however it is framed:
 *
 *     skipped = http_body_skip(&body, data, length);      framing bytes in front; < 0 = broken
 *     count = http_body_text(&body, length - skipped);    bytes of the body that follow
 *     http_body_take(&body, taken);                       so many of them have been used
 */
struct http_body {
    enum http_framing framing;
    uint64_t left; /* of the body or the chunk */
    uint8_t step;  /* within chunked framing */
    bool done;
};

void http_body_begin(struct http_body *body, const struct http_response *response);
ptrdiff_t http_body_skip(struct http_body *body, const char *data, size_t length);
size_t http_body_text(const struct http_body *body, size_t length);
void http_body_take(struct http_body *body, size_t length);

#endif
