/*
 * What an HTTP server answers to a request for a file below a directory: a head, a small body in memory or a
 * part of an open file. It knows no connection. Symbolic links and names that begin with a dot are not
 * followed or shown, so nothing outside the directory is served.
 */
#ifndef ESTAB_TOOLS_SERVE_FILE_H
#define ESTAB_TOOLS_SERVE_FILE_H

#include "http.h"

struct answer {
    unsigned status;
    char *text; /* the head and what of the body stands in memory; allocated */
    size_t text_length;
    int fd; /* then `length` bytes of this file from `offset`; -1 = nothing */
    uint64_t offset;
    uint64_t length;
    bool keep_alive;
};

/* False = out of memory; nothing is left open then. */
bool answer_request(struct answer *answer, const struct http_request *request, int directory);

/* Closes and frees what an answer holds. */
void answer_release(struct answer *answer);

#endif
