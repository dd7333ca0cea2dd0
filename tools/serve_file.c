/*
 * Files of a directory as HTTP answers: see serve_file.h. RFC 9110 for the fields. A path is walked name by
 * name with O_NOFOLLOW, which is what confines it: no link and no ".." can lead out, whatever happens to the
 * directory meanwhile.
 */
#include "serve_file.h"

#include "estab/estab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DATE_MAX 40

/* ------------------------------------------------------------------------------------------------- the head
 */

static const char *format_date(time_t when, char text[DATE_MAX])
{
    struct tm parts;
    gmtime_r(&when, &parts);
    strftime(text, DATE_MAX, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text;
}

static const char *content_type(const char *path)
{
    static const char *const table[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".css", "text/css"},
        {".js", "text/javascript"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".md", "text/markdown; charset=utf-8"},
        {".pdf", "application/pdf"},
    };
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t suffix = strlen(table[i][0]);
        if (length > suffix && strcmp(path + length - suffix, table[i][0]) == 0) {
            return table[i][1];
        }
    }
    return "application/octet-stream";
}

struct head {
    unsigned status;
    bool keep_alive;
    const char *type;
    uint64_t length;
    const char *fields; /* further lines, each with CRLF */
};

/* Sets answer->text to the head, with room for `room` bytes behind it. */
static bool put_head(struct answer *answer, const struct head *head, size_t room)
{
    char date[DATE_MAX];
    size_t size = 512 + strlen(head->fields);
    answer->text = malloc(size + room);
    if (answer->text == NULL) {
        return false;
    }
    int length = snprintf(
        answer->text, size,
        "HTTP/1.1 %u %s\r\nServer: estab/%s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %" PRIu64
        "\r\nConnection: %s\r\n%s\r\n",
        head->status, http_reason(head->status), estab_version(), format_date(time(NULL), date), head->type,
        head->length, head->keep_alive ? "keep-alive" : "close", head->fields);
    answer->text_length = (size_t)length;
    answer->status = head->status;
    answer->keep_alive = head->keep_alive;
    return true;
}

/* An answer whose body stands in memory. */
static bool put_text(struct answer *answer, const struct http_request *request, struct head head,
                     const char *body)
{
    size_t length = strlen(body);
    head.length = length;
    if (!put_head(answer, &head, length)) {
        return false;
    }
    if (!request->head) {
        memcpy(answer->text + answer->text_length, body, length);
        answer->text_length += length;
    }
    return true;
}

static bool put_status(struct answer *answer, const struct http_request *request, unsigned status,
                       const char *fields)
{
    char body[80];
    snprintf(body, sizeof body, "%u %s\n", status, http_reason(status));
    struct head head = {status, request->keep_alive, "text/plain; charset=utf-8", 0, fields};
    return put_text(answer, request, head, body);
}

/* -------------------------------------------------------------------------------------------------- listing
 */

struct page {
    char *text;
    size_t length, size;
    bool failed;
};

static void page_add(struct page *page, const char *text)
{
    size_t length = strlen(text);
    if (page->length + length + 1 > page->size) {
        size_t size = page->size * 2 + length + 256;
        char *larger = realloc(page->text, size);
        if (larger == NULL) {
            page->failed = true;
            return;
        }
        page->text = larger;
        page->size = size;
    }
    memcpy(page->text + page->length, text, length + 1);
    page->length += length;
}

/* A name inside an attribute as a relative reference, or as text. */
static void page_add_name(struct page *page, const char *name, bool reference)
{
    for (; *name != 0; name++) {
        unsigned c = (unsigned char)*name;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        char piece[8] = {*name, 0};
        if (reference && !plain && strchr("-_.~", (int)c) == NULL) {
            snprintf(piece, sizeof piece, "%%%02X", c);
        } else if (!reference && (c == '<' || c == '&' || c < ' ')) {
            snprintf(piece, sizeof piece, "&#%u;", c);
        }
        page_add(page, piece);
    }
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool put_listing(struct answer *answer, const struct http_request *request, int directory)
{
    struct dirent **entries = NULL;
    int count = scandirat(directory, ".", &entries, is_shown, alphasort);
    if (count < 0) {
        return put_status(answer, request, errno == EACCES ? 403 : 503, "");
    }
    struct page page = {0};
    page_add(&page, "<!DOCTYPE html><title>");
    page_add_name(&page, request->path, false);
    page_add(&page, "</title>\n<ul>\n");
    for (int i = 0; i < count; i++) {
        const char *slash = entries[i]->d_type == DT_DIR ? "/" : "";
        page_add(&page, "<li><a href=\"./");
        page_add_name(&page, entries[i]->d_name, true);
        page_add(&page, slash);
        page_add(&page, "\">");
        page_add_name(&page, entries[i]->d_name, false);
        page_add(&page, slash);
        page_add(&page, "</a>\n");
        free(entries[i]);
    }
    free(entries);
    page_add(&page, "</ul>\n");
    struct head head = {200, request->keep_alive, "text/html; charset=utf-8", 0, ""};
    bool done = !page.failed && put_text(answer, request, head, page.text);
    free(page.text);
    return done;
}

/* ---------------------------------------------------------------------------------------------------- files
 */

static unsigned status_of_error(int error)
{
    switch (error) {
    case EACCES:
    case EPERM: return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM: return 503;
    case EIO: return 500;
    default: return 404; /* not there, a link, or below something that is no directory */
    }
}

/*
 * Opens what `path` names below `directory`. Returns the descriptor, or -1 with errno. Only directories and
 * regular files are opened, and a FIFO's or device's open never waits.
 */
static int open_below(int directory, const char *path)
{
    int at = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (at >= 0) {
        char name[256];
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 0) {
            return at;
        }
        bool dots = (length == 1 || (length == 2 && path[1] == '.')) && path[0] == '.';
        int next = -1;
        errno = ENOENT;
        if (length < sizeof name && !dots) {
            memcpy(name, path, length);
            name[length] = 0;
            int kind = path[length] == '/' ? O_DIRECTORY : 0;
            next = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | kind);
        }
        int error = errno;
        close(at);
        errno = error;
        at = next;
        path += length;
    }
    return -1;
}

/* `fd` belongs to the answer, or is closed. */
static bool put_file(struct answer *answer, const struct http_request *request, int fd,
                     const struct stat *status)
{
    char fields[256];
    char date[DATE_MAX];
    char range[96] = "";
    uint64_t size = (uint64_t)status->st_size;
    uint64_t first = 0;
    uint64_t count = 0;
    if (!http_resolve_range(&request->range, size, &first, &count)) {
        close(fd);
        snprintf(fields, sizeof fields, "Content-Range: bytes */%" PRIu64 "\r\n", size);
        return put_status(answer, request, 416, fields);
    }
    if (request->range.given) {
        snprintf(range, sizeof range, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", first,
                 first + count - 1, size);
    }
    snprintf(fields, sizeof fields, "Last-Modified: %s\r\nAccept-Ranges: bytes\r\n%s",
             format_date(status->st_mtime, date), range);
    struct head head = {request->range.given ? 206 : 200, request->keep_alive, content_type(request->path),
                        count, fields};
    if (!put_head(answer, &head, 0)) {
        close(fd);
        return false;
    }
    if (request->head || count == 0) {
        close(fd);
        return true;
    }
    posix_fadvise(fd, (off_t)first, (off_t)count, POSIX_FADV_SEQUENTIAL);
    answer->fd = fd;
    answer->offset = first;
    answer->length = count;
    return true;
}

/* Relative references in its pages need the slash at the end: send the client there. */
static bool put_redirect(struct answer *answer, const struct http_request *request)
{
    struct page fields = {0};
    page_add(&fields, "Location: ./");
    page_add_name(&fields, strrchr(request->path, '/') + 1, true);
    page_add(&fields, "/\r\n");
    bool done = !fields.failed && put_status(answer, request, 301, fields.text);
    free(fields.text);
    return done;
}

/* The directory's index.html, or a list of what is in it. */
static bool put_directory(struct answer *answer, const struct http_request *request, int fd)
{
    struct stat status;
    if (request->path[strlen(request->path) - 1] != '/') {
        return put_redirect(answer, request);
    }
    int index = open_below(fd, "index.html");
    if (index >= 0 && fstat(index, &status) == 0 && S_ISREG(status.st_mode)) {
        struct http_request other = *request;
        snprintf(other.path, sizeof other.path, "/index.html");
        return put_file(answer, &other, index, &status);
    }
    if (index >= 0) {
        close(index);
    }
    return put_listing(answer, request, fd);
}

bool answer_request(struct answer *answer, const struct http_request *request, int directory)
{
    struct stat status;
    *answer = (struct answer){.fd = -1};
    if (request->error != 0) {
        return put_status(answer, request, request->error,
                          request->error == 405 ? "Allow: GET, HEAD\r\n" : "");
    }
    int fd = open_below(directory, request->path);
    if (fd < 0) {
        return put_status(answer, request, status_of_error(errno), "");
    }
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        bool done = put_directory(answer, request, fd);
        close(fd);
        return done;
    }
    bool slash = request->path[strlen(request->path) - 1] == '/';
    if (!S_ISREG(status.st_mode) || slash) {
        close(fd);
        return put_status(answer, request, 404, "");
    }
    return put_file(answer, request, fd, &status);
}

void answer_release(struct answer *answer)
{
    free(answer->text);
    answer->text = NULL;
    if (answer->fd >= 0) {
        close(answer->fd);
        answer->fd = -1;
    }
}
