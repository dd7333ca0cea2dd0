/*
 * docs/deviations.tsv as far as scripts matter: which of them fail by a choice that is written down. Columns
 * by their names in the first line: `id`, and `scripts`, a list of globs with spaces between them that are
 * held against the end of a script's path.
 */
#ifndef TOOLS_SCRIPT_DEVIATIONS_H
#define TOOLS_SCRIPT_DEVIATIONS_H

#include <stdbool.h>

struct deviations;

/* NULL: the file cannot be read or is no such table; then a line was told (tool_error()). */
struct deviations *deviations_read(const char *path);
void deviations_free(struct deviations *deviations);

/* The id of the first row that names the script, NULL = none does. */
const char *deviations_find(const struct deviations *deviations, const char *script);

#endif
