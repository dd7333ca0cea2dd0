/* docs/deviations.tsv as far as scripts matter: see deviations.h. */
#include "deviations.h"

#include "tools/tool.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    struct row *next;
    char *id;
    char *globs;
};

struct deviations {
    struct row *first, **tail;
    int id_column, scripts_column;
};

/* The cell of a line at a column, ended; NULL = the line has fewer. Leaves the line cut there. */
static char *cell(char *line, int column)
{
    for (; column > 0 && line != NULL; column--) {
        line = strchr(line, '\t');
        line = line != NULL ? line + 1 : NULL;
    }
    return line != NULL ? strndup(line, strcspn(line, "\t\r\n")) : NULL;
}

static int find_column(char *line, const char *name)
{
    for (int column = 0;; column++) {
        char *text = cell(line, column);
        bool found = text != NULL && strcmp(text, name) == 0;
        bool end = text == NULL;
        free(text);
        if (found || end) {
            return found ? column : -1;
        }
    }
}

static bool read_line(struct deviations *table, char *line, const char *path, int number)
{
    if (table->id_column < 0) {
        table->id_column = find_column(line, "id");
        table->scripts_column = find_column(line, "scripts");
        if (table->id_column < 0 || table->scripts_column < 0) {
            tool_error("%s:%d: the first line must name the columns, 'id' and 'scripts' among them", path,
                       number);
            return false;
        }
        return true;
    }
    struct row *row = calloc(1, sizeof *row);
    if (row == NULL) {
        tool_error("no memory");
        return false;
    }
    *table->tail = row;
    table->tail = &row->next;
    row->id = cell(line, table->id_column);
    row->globs = cell(line, table->scripts_column);
    if (row->id == NULL || *row->id == 0 || row->globs == NULL) {
        tool_error("%s:%d: a row needs an id, and as many cells as the first line up to 'scripts'", path,
                   number);
        return false;
    }
    return true;
}

struct deviations *deviations_read(const char *path)
{
    FILE *file = fopen(path, "r");
    struct deviations *table = calloc(1, sizeof *table);
    char *line = NULL;
    size_t room = 0;
    int number = 0;
    bool good = table != NULL && file != NULL;
    if (!good) {
        tool_error("%s: %s", path, file == NULL ? strerror(errno) : "no memory");
    } else {
        table->tail = &table->first;
        table->id_column = -1;
    }
    while (good && getline(&line, &room, file) >= 0) {
        number++;
        if (*line != '#' && line[strspn(line, " \t\r\n")] != 0) {
            good = read_line(table, line, path, number);
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    if (!good) {
        deviations_free(table);
        return NULL;
    }
    return table;
}

void deviations_free(struct deviations *deviations)
{
    struct row *row = deviations != NULL ? deviations->first : NULL;
    while (row != NULL) {
        struct row *next = row->next;
        free(row->id);
        free(row->globs);
        free(row);
        row = next;
    }
    free(deviations);
}

/* Whether the glob fits the path, or an end of it that begins behind a '/'. */
static bool glob_fits(const char *glob, const char *path)
{
    while (path != NULL && fnmatch(glob, path, 0) != 0) {
        path = strchr(path, '/');
        path = path != NULL ? path + 1 : NULL;
    }
    return path != NULL;
}

const char *deviations_find(const struct deviations *deviations, const char *script)
{
    for (const struct row *row = deviations->first; row != NULL; row = row->next) {
        for (const char *at = row->globs; *at != 0;) {
            size_t length = strcspn(at, " ");
            char *glob = strndup(at, length);
            bool fits = glob != NULL && length > 0 && strcmp(glob, "-") != 0 && glob_fits(glob, script);
            free(glob);
            if (fits) {
                return row->id;
            }
            at += length;
            at += strspn(at, " ");
        }
    }
    return NULL;
}
