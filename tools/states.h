/* Drawings of the state machine, made from estab_transition(): states_draw.c and states_svg.c. */
#ifndef ESTAB_TOOLS_STATES_H
#define ESTAB_TOOLS_STATES_H

#include <stdbool.h>

/* `all`: also the arrows that RFC 9293 Figure 5 leaves out, dashed. */
void states_draw_mermaid(bool all);
void states_draw_dot(bool all);

/*
 * Laid out as Figure 5 is, with its arrows and those of its notes; the others are listed below. False = an
 * arrow has no place in the drawing (a line was printed).
 */
bool states_draw_svg(void);

#endif
