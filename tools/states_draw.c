/*
 * The state machine drawn for Mermaid and for Graphviz, which find the places themselves. Which arrows
 * there are comes from estab_transition(). The drawing in the places of RFC 9293 Figure 5 is states_svg.c.
 */
#include "states.h"

#include "estab/estab.h"

#include <stdio.h>

/* A name without the hyphen, which Mermaid and Graphviz do not take. */
static const char *identifier(unsigned state)
{
    static const char *const names[] = {
#define STATE_IDENTIFIER(name, text) #name,
        ESTAB_STATES(STATE_IDENTIFIER)
#undef STATE_IDENTIFIER
    };
    return names[state];
}

void states_draw_mermaid(bool all)
{
    struct estab_transition arrow;
    printf("stateDiagram-v2\n");
    for (unsigned state = 0; state < ESTAB_STATE_COUNT; state++) {
        printf("    %s: %s\n", identifier(state), estab_state_name(state));
    }
    printf("    [*] --> %s\n", identifier(ESTAB_CLOSED));
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (all || arrow.in_figure) {
            printf("    %s --> %s: %s%s\n", identifier(arrow.from), identifier(arrow.to), arrow.event,
                   arrow.in_figure ? "" : " (text)");
        }
    }
}

void states_draw_dot(bool all)
{
    struct estab_transition arrow;
    printf("digraph tcp {\n    node [shape=box, style=rounded, fontname=\"sans-serif\"];\n"
           "    edge [fontname=\"sans-serif\", fontsize=10];\n");
    for (unsigned state = 0; state < ESTAB_STATE_COUNT; state++) {
        printf("    %s [label=\"%s\"];\n", identifier(state), estab_state_name(state));
    }
    printf("    {rank=same; SYN_RECEIVED; SYN_SENT}\n    {rank=same; FIN_WAIT_1; CLOSE_WAIT}\n"
           "    {rank=same; FIN_WAIT_2; CLOSING; LAST_ACK}\n");
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (all || arrow.in_figure) {
            printf("    %s -> %s [label=\"%s\"%s];\n", identifier(arrow.from), identifier(arrow.to),
                   arrow.event, arrow.in_figure ? "" : ", style=dashed, color=gray50, fontcolor=gray40");
        }
    }
    printf("}\n");
}
