/*
 * The state machine as SVG, in the places of RFC 9293 Figure 5. Which arrows there are comes from
 * estab_transition(); here stands only where the drawing puts them, what the figure writes below an event,
 * and how notes 1 and 2 are marked. What the figure leaves out (3.10: RST, ABORT, timeouts) is a table below
 * it, so that the drawing stays legible. As in the figure, CLOSED stands at the beginning and once more at
 * the end.
 */
#include "states.h"
#include "tool.h"

#include "estab/estab.h"

#include <stdio.h>
#include <string.h>

#define WIDTH      1000
#define BOX_WIDTH  140
#define BOX_HEIGHT 40
#define ROW_HEIGHT 19
#define LEGEND     1000 /* its first line, below the figure */
#define TABLE      (LEGEND + 3 * ROW_HEIGHT + 8)

/* Where its columns begin. */
enum { COLUMN_EVENT = 40, COLUMN_FROM = 190, COLUMN_TO = 798, COLUMN_SECTION = 878 };

struct place {
    unsigned state;
    int x, y; /* of the middle */
};

static const struct place places[] = {
    {ESTAB_CLOSED, 500, 50},      {ESTAB_LISTEN, 500, 200},      {ESTAB_SYN_RECEIVED, 160, 350},
    {ESTAB_SYN_SENT, 840, 350},   {ESTAB_ESTABLISHED, 500, 500}, {ESTAB_FIN_WAIT_1, 160, 640},
    {ESTAB_CLOSE_WAIT, 840, 640}, {ESTAB_FIN_WAIT_2, 160, 780},  {ESTAB_CLOSING, 500, 780},
    {ESTAB_LAST_ACK, 840, 780},   {ESTAB_TIME_WAIT, 500, 920},   {ESTAB_CLOSED, 840, 920},
};

/* How an arrow of the figure runs, where its words stand, and what the figure writes below the event. */
struct route {
    unsigned from, to;
    const char *path;
    int x, y;
    const char *anchor;
    const char *action; /* "" = the figure's x: nothing is done */
    bool note;          /* of note 1 or 2 */
};

static const struct route routes[] = {
    {ESTAB_CLOSED, ESTAB_LISTEN, "M470,70 V178", 462, 120, "end", "create TCB", false},
    {ESTAB_LISTEN, ESTAB_CLOSED, "M530,180 V72", 538, 120, "start", "delete TCB", false},
    {ESTAB_CLOSED, ESTAB_SYN_SENT, "M570,42 C770,42 870,140 870,328", 815, 96, "start", "create TCB, snd SYN",
     false},
    {ESTAB_SYN_SENT, ESTAB_CLOSED, "M820,330 C820,180 740,62 572,62", 716, 164, "end", "delete TCB", false},
    {ESTAB_LISTEN, ESTAB_SYN_RECEIVED, "M470,220 C470,300 380,335 232,335", 340, 290, "end", "snd SYN,ACK",
     false},
    {ESTAB_LISTEN, ESTAB_SYN_SENT, "M530,220 C530,300 620,335 768,335", 660, 290, "start", "snd SYN", false},
    {ESTAB_SYN_RECEIVED, ESTAB_LISTEN, "M160,330 C160,240 270,200 428,200", 218, 212, "end", "note 1", true},
    {ESTAB_SYN_SENT, ESTAB_SYN_RECEIVED, "M770,352 H232", 500, 372, "middle", "snd SYN,ACK", false},
    {ESTAB_SYN_RECEIVED, ESTAB_ESTABLISHED, "M230,366 C380,366 470,400 470,478", 350, 424, "end", "", false},
    {ESTAB_SYN_SENT, ESTAB_ESTABLISHED, "M770,366 C620,366 530,400 530,478", 650, 424, "start", "snd ACK",
     false},
    {ESTAB_SYN_RECEIVED, ESTAB_FIN_WAIT_1, "M160,370 V618", 170, 500, "start", "snd FIN", false},
    {ESTAB_ESTABLISHED, ESTAB_FIN_WAIT_1, "M470,520 C470,600 370,630 232,630", 340, 586, "end", "snd FIN",
     false},
    {ESTAB_ESTABLISHED, ESTAB_CLOSE_WAIT, "M530,520 C530,600 630,630 768,630", 660, 586, "start", "snd ACK",
     false},
    {ESTAB_FIN_WAIT_1, ESTAB_FIN_WAIT_2, "M120,660 V758", 112, 704, "end", "", false},
    {ESTAB_FIN_WAIT_1, ESTAB_CLOSING, "M230,648 C400,648 500,680 500,758", 462, 664, "start", "snd ACK",
     false},
    {ESTAB_CLOSE_WAIT, ESTAB_LAST_ACK, "M840,660 V758", 850, 704, "start", "snd FIN", false},
    {ESTAB_FIN_WAIT_1, ESTAB_TIME_WAIT, "M205,660 C245,780 310,906 428,910", 320, 838, "start", "note 2",
     true},
    {ESTAB_FIN_WAIT_2, ESTAB_TIME_WAIT, "M160,800 C160,890 270,928 428,928", 198, 910, "end", "snd ACK",
     false},
    {ESTAB_CLOSING, ESTAB_TIME_WAIT, "M500,800 V898", 510, 844, "start", "", false},
    {ESTAB_LAST_ACK, ESTAB_CLOSED, "M840,800 V898", 850, 844, "start", "", false},
    {ESTAB_TIME_WAIT, ESTAB_CLOSED, "M570,920 H768", 670, 896, "middle", "delete TCB", false},
};

static const struct route *find_route(unsigned from, unsigned to)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (routes[i].from == from && routes[i].to == to) {
            return &routes[i];
        }
    }
    return NULL;
}

/* --------------------------------------------------------------------------------------------- the figure */

static void draw_arrow(const struct route *route, const char *event, const char *section)
{
    const char *kind = route->note ? "arrow note" : "arrow";
    printf("<path class=\"%s\" d=\"%s\"/>\n"
           "<text class=\"label\" x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s"
           "<tspan class=\"%s\" x=\"%d\" dy=\"14\">%s%s%s</tspan></text>\n",
           kind, route->path, route->x, route->y, route->anchor, event, route->note ? "marked" : "quiet",
           route->x, route->action, route->action[0] != '\0' ? " · " : "", section);
}

/* Note 2: no row of the table, but two of them in sequence. */
static void draw_note_2(void)
{
    draw_arrow(find_route(ESTAB_FIN_WAIT_1, ESTAB_TIME_WAIT), "rcv FIN,ACK of FIN", "by FIN-WAIT-2");
}

static void draw_state(const struct place *place)
{
    printf("<rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n"
           "<text class=\"state\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
           place->x - BOX_WIDTH / 2, place->y - BOX_HEIGHT / 2, BOX_WIDTH, BOX_HEIGHT, place->x, place->y + 5,
           estab_state_name(place->state));
}

/* ----------------------------------------------------------------------------- what the figure leaves out */

/* Arrows of the text with the same event that end in the same state, or all stay where they are: one row. */
static bool same_row(const struct estab_transition *a, const struct estab_transition *b)
{
    bool stays = a->from == a->to;
    return !a->in_figure && !b->in_figure && strcmp(a->event_id, b->event_id) == 0 &&
           stays == (b->from == b->to) && (stays || a->to == b->to);
}

/* The first of its row draws it. */
static bool opens_row(unsigned index, const struct estab_transition *arrow)
{
    struct estab_transition before;
    for (unsigned i = 0; i < index && estab_transition(i, &before); i++) {
        if (same_row(arrow, &before)) {
            return false;
        }
    }
    return !arrow->in_figure;
}

/* Their sections, each once: they stand together in the table. */
static void print_sections(const struct estab_transition *first)
{
    struct estab_transition arrow;
    char told[64] = "";
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (same_row(first, &arrow) && strstr(told, arrow.section) == NULL) {
            size_t length = strlen(told);
            snprintf(told + length, sizeof told - length, "%s%s", length > 0 ? ", " : "", arrow.section);
        }
    }
    printf("<text class=\"quiet\" x=\"%d\">%s</text>", COLUMN_SECTION, told);
}

static void draw_row(const struct estab_transition *first, int y)
{
    struct estab_transition arrow;
    const char *between = "";
    printf("<g class=\"row\" transform=\"translate(0,%d)\"><text x=\"%d\">%s</text><text x=\"%d\">", y,
           COLUMN_EVENT, first->event, COLUMN_FROM);
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (same_row(first, &arrow)) {
            printf("%s%s", between, estab_state_name(arrow.from));
            between = ", ";
        }
    }
    printf("</text><text x=\"%d\">%s</text>", COLUMN_TO,
           first->from == first->to ? "stays" : estab_state_name(first->to));
    print_sections(first);
    printf("</g>\n");
}

static unsigned count_rows(void)
{
    struct estab_transition arrow;
    unsigned rows = 0;
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        rows += opens_row(i, &arrow);
    }
    return rows;
}

static void draw_key(const char *line, const char *words, int y)
{
    printf("<path class=\"%s\" d=\"M40,%d H84\"/><text class=\"small\" x=\"96\" y=\"%d\">%s</text>\n", line,
           y - 4, y, words);
}

static void draw_legend(void)
{
    static const char *const titles[] = {"what happened", "in the states", "leads to", "section"};
    static const int columns[] = {COLUMN_EVENT, COLUMN_FROM, COLUMN_TO, COLUMN_SECTION};
    struct estab_transition arrow;
    int y = LEGEND;
    printf("<path class=\"rule\" d=\"M24,%d H%d\"/>\n", y - 26, WIDTH - 24);
    draw_key("line", "drawn in RFC 9293 Figure 5: what happened, below it what is done, and the section", y);
    draw_key("line note",
             "of its notes 1 (after a passive OPEN) and 2 (one segment, two arrows: by FIN-WAIT-2)",
             y + ROW_HEIGHT);
    printf("<text class=\"small\" x=\"%d\" y=\"%d\">Note 3 is not followed: who sends a RST ends in CLOSED "
           "(3.10.5), not in TIME-WAIT. What the figure leaves out:</text>\n",
           COLUMN_EVENT, y + 2 * ROW_HEIGHT);
    y = TABLE;
    for (unsigned i = 0; i < 4; i++) {
        printf("<text class=\"small title\" x=\"%d\" y=\"%d\">%s</text>\n", columns[i], y, titles[i]);
    }
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (opens_row(i, &arrow)) {
            y += ROW_HEIGHT;
            draw_row(&arrow, y);
        }
    }
}

/* ---------------------------------------------------------------------------------------------- the whole */

static const char style[] = "<style>\n"
                            ".card { fill: #ffffff; stroke: #d0d7de; }\n"
                            "text { fill: #1f2328; }\n"
                            ".label { stroke: #ffffff; stroke-width: 4; stroke-linejoin: round; paint-order: "
                            "stroke; }\n"
                            ".box { fill: #f6f8fa; stroke: #1f2328; stroke-width: 1.5; }\n"
                            ".state { font-weight: bold; font-size: 14px; }\n"
                            ".arrow, .line { fill: none; stroke: #1f2328; stroke-width: 1.3; marker-end: "
                            "url(#head); }\n"
                            ".note { stroke: #0969da; stroke-dasharray: 6 4; marker-end: url(#notehead); }\n"
                            ".head { fill: #1f2328; }\n"
                            ".notehead { fill: #0969da; }\n"
                            ".rule { stroke: #d0d7de; }\n"
                            ".quiet { fill: #656d76; font-size: 11px; }\n"
                            ".marked { fill: #0969da; font-size: 11px; }\n"
                            ".small { font-size: 11.5px; }\n"
                            ".row text { font-size: 11px; }\n"
                            ".title { font-weight: bold; }\n"
                            "@media (prefers-color-scheme: dark) {\n"
                            ".card { fill: #0d1117; stroke: #30363d; }\n"
                            "text { fill: #e6edf3; }\n"
                            ".label { stroke: #0d1117; }\n"
                            ".box { fill: #161b22; stroke: #e6edf3; }\n"
                            ".arrow, .line { stroke: #e6edf3; }\n"
                            ".note { stroke: #58a6ff; }\n"
                            ".head { fill: #e6edf3; }\n"
                            ".notehead { fill: #58a6ff; }\n"
                            ".rule { stroke: #30363d; }\n"
                            ".quiet { fill: #8d96a0; }\n"
                            ".marked { fill: #58a6ff; }\n"
                            "}\n"
                            "</style>\n";

static void draw_head(const char *name)
{
    printf("<marker id=\"%s\" markerWidth=\"9\" markerHeight=\"8\" refX=\"8\" refY=\"4\" orient=\"auto\" "
           "markerUnits=\"userSpaceOnUse\"><path class=\"%s\" d=\"M0,0 L9,4 L0,8 Z\"/></marker>\n",
           name, name);
}

static bool every_arrow_has_a_route(void)
{
    struct estab_transition arrow;
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (arrow.in_figure && find_route(arrow.from, arrow.to) == NULL) {
            tool_error("the drawing has no place for %s from %s to %s", arrow.event,
                       estab_state_name(arrow.from), estab_state_name(arrow.to));
            return false;
        }
    }
    return true;
}

bool states_draw_svg(void)
{
    struct estab_transition arrow;
    int height = TABLE + (int)count_rows() * ROW_HEIGHT + 22;
    if (!every_arrow_has_a_route()) {
        return false;
    }
    printf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"system-ui, "
           "sans-serif\" font-size=\"13\" role=\"img\" aria-labelledby=\"title\">\n"
           "<title id=\"title\">The states of a TCP connection (RFC 9293 Figure 5)</title>\n",
           WIDTH, height);
    printf("%s<defs>\n", style);
    draw_head("head");
    draw_head("notehead");
    printf("</defs>\n<rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n",
           WIDTH - 1, height - 1);
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        if (arrow.in_figure) {
            draw_arrow(find_route(arrow.from, arrow.to), arrow.event, arrow.section);
        }
    }
    draw_note_2();
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        draw_state(&places[i]);
    }
    draw_legend();
    printf("</svg>\n");
    return true;
}
