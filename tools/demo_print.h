/* A scene as it is told: text for people, or JSON with one object a line. See demo_print.c. */
#ifndef ESTAB_TOOLS_DEMO_PRINT_H
#define ESTAB_TOOLS_DEMO_PRINT_H

#include "demo.h"

/* Everything about a scene that has ended. */
void print_scene(const struct scene *scene);

/* A heading between groups of scenes, text only. */
void print_heading(const struct demo *demo, const char *text);

#endif
