/*
 * JSON for reports: one flat object a line, and every line begins with "v":1, the version of the format.
 *
 *     json_begin(stdout);
 *     json_text(stdout, "bench", "bulk");
 *     json_real(stdout, "gbit_per_s", 41.7, 2);
 *     json_end(stdout);                          {"v":1,"bench":"bulk","gbit_per_s":41.70}
 *
 * A line is handed to the stream in pieces; what cannot be written shows in ferror() (tool_finish()).
 */
#ifndef ESTAB_TOOLS_JSON_H
#define ESTAB_TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

void json_begin(FILE *stream);

/* Ends the line; tool_flush() then lets a reader of a pipe see it at once. */
void json_end(FILE *stream);

/* Text is escaped; bytes that are not UTF-8 become U+FFFD. NULL is null. */
void json_text(FILE *stream, const char *name, const char *value);
void json_unsigned(FILE *stream, const char *name, uint64_t value);
void json_bool(FILE *stream, const char *name, bool value);

/* With so many decimals; null where the value is not finite. */
void json_real(FILE *stream, const char *name, double value, int decimals);

#endif
