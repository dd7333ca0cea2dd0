/*
 * The state machine drawn: for Mermaid, for Graphviz, and as SVG in the places of RFC 9293 Figure 5. Which
 * arrows there are comes from estab_transition(); here stands only where the SVG puts them. As in the figure,
 * CLOSED stands at the beginning and once more at the end.
 */
#include "states.h"
#include "tool.h"

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

/* ------------------------------------------------------------------------------------------------------ SVG
 */

#define BOX_WIDTH  140
#define BOX_HEIGHT 40

struct place {
    unsigned state;
    int x, y; /* of the middle */
};

static const struct place places[] = {
    {ESTAB_CLOSED, 450, 50},      {ESTAB_LISTEN, 450, 200},      {ESTAB_SYN_RECEIVED, 110, 350},
    {ESTAB_SYN_SENT, 790, 350},   {ESTAB_ESTABLISHED, 450, 500}, {ESTAB_FIN_WAIT_1, 110, 640},
    {ESTAB_CLOSE_WAIT, 790, 640}, {ESTAB_FIN_WAIT_2, 110, 780},  {ESTAB_CLOSING, 450, 780},
    {ESTAB_LAST_ACK, 790, 780},   {ESTAB_TIME_WAIT, 450, 920},   {ESTAB_CLOSED, 790, 920},
};

/* How an arrow of the figure runs, and where its words stand. */
struct route {
    unsigned from, to;
    const char *path;
    int x, y;
    const char *anchor;
};

static const struct route routes[] = {
    {ESTAB_CLOSED, ESTAB_LISTEN, "M420,70 V178", 412, 120, "end"},
    {ESTAB_LISTEN, ESTAB_CLOSED, "M480,180 V72", 488, 120, "start"},
    {ESTAB_CLOSED, ESTAB_SYN_SENT, "M520,42 C720,42 820,140 820,328", 748, 100, "start"},
    {ESTAB_SYN_SENT, ESTAB_CLOSED, "M770,330 C770,180 690,62 522,62", 668, 160, "end"},
    {ESTAB_LISTEN, ESTAB_SYN_RECEIVED, "M420,220 C420,300 330,335 182,335", 290, 300, "end"},
    {ESTAB_LISTEN, ESTAB_SYN_SENT, "M480,220 C480,300 570,335 718,335", 610, 300, "start"},
    {ESTAB_SYN_RECEIVED, ESTAB_LISTEN, "M110,330 C110,240 220,200 378,200", 180, 215, "end"},
    {ESTAB_SYN_SENT, ESTAB_SYN_RECEIVED, "M720,352 H182", 450, 330, "middle"},
    {ESTAB_SYN_RECEIVED, ESTAB_ESTABLISHED, "M180,366 C330,366 420,400 420,478", 300, 420, "end"},
    {ESTAB_SYN_SENT, ESTAB_ESTABLISHED, "M720,366 C570,366 480,400 480,478", 600, 420, "start"},
    {ESTAB_SYN_RECEIVED, ESTAB_FIN_WAIT_1, "M110,370 V618", 120, 500, "start"},
    {ESTAB_ESTABLISHED, ESTAB_FIN_WAIT_1, "M420,520 C420,600 320,630 182,630", 290, 590, "end"},
    {ESTAB_ESTABLISHED, ESTAB_CLOSE_WAIT, "M480,520 C480,600 580,630 718,630", 610, 590, "start"},
    {ESTAB_FIN_WAIT_1, ESTAB_FIN_WAIT_2, "M110,660 V758", 120, 710, "start"},
    {ESTAB_FIN_WAIT_1, ESTAB_CLOSING, "M180,648 C350,648 450,680 450,758", 330, 692, "end"},
    {ESTAB_CLOSE_WAIT, ESTAB_LAST_ACK, "M790,660 V758", 800, 710, "start"},
    {ESTAB_FIN_WAIT_2, ESTAB_TIME_WAIT, "M110,800 C110,890 220,920 378,920", 165, 918, "end"},
    {ESTAB_CLOSING, ESTAB_TIME_WAIT, "M450,800 V898", 460, 850, "start"},
    {ESTAB_LAST_ACK, ESTAB_CLOSED, "M790,800 V898", 800, 850, "start"},
    {ESTAB_TIME_WAIT, ESTAB_CLOSED, "M520,920 H718", 620, 898, "middle"},
};

static const struct route *find_route(const struct estab_transition *arrow)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (routes[i].from == arrow->from && routes[i].to == arrow->to) {
            return &routes[i];
        }
    }
    return NULL;
}

static void draw_arrow(const struct estab_transition *arrow, const struct route *route)
{
    printf("<path class=\"arrow\" d=\"%s\"/>\n"
           "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s"
           "<tspan class=\"section\" x=\"%d\" dy=\"14\">%s</tspan></text>\n",
           route->path, route->x, route->y, route->anchor, arrow->event, route->x, arrow->section);
}

static void draw_state(const struct place *place)
{
    printf("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n"
           "<text class=\"state\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
           place->x - BOX_WIDTH / 2, place->y - BOX_HEIGHT / 2, BOX_WIDTH, BOX_HEIGHT, place->x, place->y + 5,
           estab_state_name(place->state));
}

bool states_draw_svg(void)
{
    struct estab_transition arrow;
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (arrow.in_figure && find_route(&arrow) == NULL) {
            tool_error("the drawing has no place for %s from %s to %s", arrow.event,
                       estab_state_name(arrow.from), estab_state_name(arrow.to));
            return false;
        }
    }
    printf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 970\" "
           "font-family=\"sans-serif\" font-size=\"13\">\n"
           "<title>The states of a TCP connection (RFC 9293 Figure 5)</title>\n"
           "<style>\n"
           "svg { color: #1f2328; background: #ffffff; }\n"
           "text { fill: currentColor; }\n"
           "rect { fill: none; stroke: currentColor; stroke-width: 1.5; }\n"
           ".arrow { fill: none; stroke: currentColor; stroke-width: 1.2; marker-end: url(#head); }\n"
           ".state { font-weight: bold; font-size: 14px; }\n"
           ".section { font-size: 10px; fill-opacity: 0.6; }\n"
           "@media (prefers-color-scheme: dark) { svg { color: #e6edf3; background: #0d1117; } }\n"
           "</style>\n"
           "<defs><marker id=\"head\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"4\" "
           "orient=\"auto\">"
           "<path d=\"M0,0 L8,4 L0,8 Z\" fill=\"currentColor\"/></marker></defs>\n");
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (arrow.in_figure) {
            draw_arrow(&arrow, find_route(&arrow));
        }
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        draw_state(&places[i]);
    }
    printf("</svg>\n");
    return true;
}
