/*
 * RFC 9293 Figure 5 as a drawing in characters: which arrows there are comes from estab_transition(), here
 * stands only where they run. An arrow that was taken is a line with its count, one that was not is dotted.
 * As in the figure, CLOSED stands at the beginning and once more at the end.
 */
#include "demo_ladder.h"

#include "json.h"

#include <stdio.h>
#include <string.h>

#define WIDTH     110
#define HEIGHT    43
#define BOX_WIDTH 17
#define POINTS    4
#define NOTE_2    (-1) /* a route that is no row of the table */

struct canvas {
    char cell[HEIGHT][WIDTH + 1];
};

struct place {
    unsigned state;
    int x, y; /* of the middle */
};

static const struct place places[] = {
    {ESTAB_CLOSED, 50, 1},      {ESTAB_LISTEN, 50, 8},       {ESTAB_SYN_RECEIVED, 14, 15},
    {ESTAB_SYN_SENT, 86, 15},   {ESTAB_ESTABLISHED, 50, 22}, {ESTAB_FIN_WAIT_1, 14, 28},
    {ESTAB_CLOSE_WAIT, 86, 28}, {ESTAB_FIN_WAIT_2, 14, 34},  {ESTAB_CLOSING, 50, 34},
    {ESTAB_LAST_ACK, 86, 34},   {ESTAB_TIME_WAIT, 50, 40},   {ESTAB_CLOSED, 86, 40},
};

struct route {
    int from, to;
    int x[POINTS], y[POINTS]; /* the last ones may repeat */
    int label_x, label_y;     /* label_x negative: the label ends there */
};

static const struct route routes[] = {
    {ESTAB_CLOSED, ESTAB_LISTEN, {46, 46, 46, 46}, {3, 6, 6, 6}, -44, 5},
    {ESTAB_LISTEN, ESTAB_CLOSED, {54, 54, 54, 54}, {6, 3, 3, 3}, 56, 4},
    {ESTAB_CLOSED, ESTAB_SYN_SENT, {59, 92, 92, 92}, {0, 0, 13, 13}, 94, 6},
    {ESTAB_SYN_SENT, ESTAB_CLOSED, {86, 86, 59, 59}, {13, 2, 2, 2}, -84, 4},
    {ESTAB_LISTEN, ESTAB_SYN_RECEIVED, {41, 20, 20, 20}, {9, 9, 13, 13}, 22, 11},
    {ESTAB_SYN_RECEIVED, ESTAB_LISTEN, {8, 8, 41, 41}, {13, 7, 7, 7}, 9, 6},
    {ESTAB_LISTEN, ESTAB_SYN_SENT, {59, 80, 80, 80}, {8, 8, 13, 13}, -78, 10},
    {ESTAB_SYN_SENT, ESTAB_SYN_RECEIVED, {77, 23, 23, 23}, {15, 15, 15, 15}, 46, 14},
    {ESTAB_SYN_RECEIVED, ESTAB_ESTABLISHED, {18, 18, 41, 41}, {17, 22, 22, 22}, 20, 20},
    {ESTAB_SYN_SENT, ESTAB_ESTABLISHED, {86, 86, 59, 59}, {17, 22, 22, 22}, -84, 20},
    {ESTAB_SYN_RECEIVED, ESTAB_FIN_WAIT_1, {8, 8, 8, 8}, {17, 26, 26, 26}, 10, 24},
    {ESTAB_ESTABLISHED, ESTAB_FIN_WAIT_1, {46, 46, 23, 23}, {24, 27, 27, 27}, 26, 26},
    {ESTAB_ESTABLISHED, ESTAB_CLOSE_WAIT, {54, 54, 77, 77}, {24, 27, 27, 27}, 58, 26},
    {ESTAB_FIN_WAIT_1, ESTAB_FIN_WAIT_2, {8, 8, 8, 8}, {30, 32, 32, 32}, 10, 31},
    {ESTAB_FIN_WAIT_1, ESTAB_CLOSING, {23, 50, 50, 50}, {28, 28, 32, 32}, 52, 30},
    {ESTAB_CLOSE_WAIT, ESTAB_LAST_ACK, {86, 86, 86, 86}, {30, 32, 32, 32}, 88, 31},
    {NOTE_2, ESTAB_TIME_WAIT, {23, 32, 32, 41}, {29, 29, 39, 39}, 0, 0},
    {ESTAB_FIN_WAIT_2, ESTAB_TIME_WAIT, {14, 14, 41, 41}, {36, 41, 41, 41}, 16, 40},
    {ESTAB_CLOSING, ESTAB_TIME_WAIT, {50, 50, 50, 50}, {36, 38, 38, 38}, 52, 37},
    {ESTAB_LAST_ACK, ESTAB_CLOSED, {86, 86, 86, 86}, {36, 38, 38, 38}, 88, 37},
    {ESTAB_TIME_WAIT, ESTAB_CLOSED, {59, 77, 77, 77}, {40, 40, 40, 40}, 60, 39},
};

#define ROUTES (sizeof routes / sizeof routes[0])

/* --------------------------------------------------------------------------------------------- drawing */

static void put(struct canvas *canvas, int x, int y, char c)
{
    if (x >= 0 && x < WIDTH && y >= 0 && y < HEIGHT) {
        canvas->cell[y][x] = c;
    }
}

static void put_text(struct canvas *canvas, int x, int y, const char *text)
{
    for (int i = 0; text[i] != '\0'; i++) {
        put(canvas, x + i, y, text[i]);
    }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void put_stretch(struct canvas *canvas, const struct route *route, unsigned i, bool taken)
{
    int dx = sign(route->x[i + 1] - route->x[i]);
    int dy = sign(route->y[i + 1] - route->y[i]);
    int x = route->x[i];
    int y = route->y[i];
    if (dx == 0 && dy == 0) {
        return;
    }
    put(canvas, x, y, i > 0 ? '+' : !taken ? '.' : dx != 0 ? '-' : '|');
    do {
        x += dx;
        y += dy;
        put(canvas, x, y, !taken ? '.' : dx != 0 ? '-' : '|');
    } while (x != route->x[i + 1] || y != route->y[i + 1]);
    put(canvas, x, y, dx > 0 ? '>' : dx < 0 ? '<' : dy > 0 ? 'v' : '^');
}

static void put_route(struct canvas *canvas, const struct route *route, const char *event, unsigned count)
{
    char text[64];
    for (unsigned i = 0; i + 1 < POINTS; i++) {
        put_stretch(canvas, route, i, count > 0);
    }
    if (count > 0) {
        snprintf(text, sizeof text, "%s x%u", event, count);
    } else {
        snprintf(text, sizeof text, "%s: NOT TAKEN", event);
    }
    int length = (int)strlen(text);
    put_text(canvas, route->label_x < 0 ? -route->label_x - length : route->label_x, route->label_y, text);
}

static void put_box(struct canvas *canvas, const struct place *place)
{
    const char *name = estab_state_name(place->state);
    int left = place->x - BOX_WIDTH / 2;
    int right = place->x + BOX_WIDTH / 2;
    for (int x = left; x <= right; x++) {
        char edge = x == left || x == right ? '+' : '-';
        put(canvas, x, place->y - 1, edge);
        put(canvas, x, place->y + 1, edge);
        put(canvas, x, place->y, x == left || x == right ? '|' : ' ');
    }
    put_text(canvas, place->x - (int)strlen(name) / 2, place->y, name);
}

static const struct route *find_route(const struct estab_transition *arrow)
{
    for (size_t i = 0; i < ROUTES; i++) {
        if (routes[i].from == arrow->from && routes[i].to == arrow->to) {
            return &routes[i];
        }
    }
    return NULL;
}

static void put_note_2(struct canvas *canvas, unsigned count)
{
    char text[32];
    for (size_t i = 0; i < ROUTES; i++) {
        if (routes[i].from == NOTE_2) {
            put_route(canvas, &routes[i], "", count);
        }
    }
    put_text(canvas, 0, 0, "                       ");
    put_text(canvas, 34, 37, "rcv FIN,ACK");
    snprintf(text, sizeof text, count > 0 ? "of FIN x%u" : "NOT TAKEN", count);
    put_text(canvas, 34, 38, text);
}

/* -------------------------------------------------------------------------------------------- counting */

unsigned figure_arrows(void)
{
    struct estab_transition arrow;
    unsigned count = 1; /* note 2 */
    for (unsigned i = 0; estab_transition(i, &arrow); i++) {
        count += arrow.in_figure;
    }
    return count;
}

unsigned figure_taken(const struct figure *figure)
{
    struct estab_transition arrow;
    unsigned count = figure->note_2 > 0;
    for (unsigned i = 0; i < FIGURE_ARROWS && estab_transition(i, &arrow); i++) {
        count += arrow.in_figure && figure->taken[i] > 0;
    }
    return count;
}

static void print_missing(const struct figure *figure)
{
    struct estab_transition arrow;
    printf("Arrows of Figure 5 that were not taken:");
    if (figure_taken(figure) == figure_arrows()) {
        printf(" none\n");
        return;
    }
    putchar('\n');
    for (unsigned i = 0; i < FIGURE_ARROWS && estab_transition(i, &arrow); i++) {
        if (arrow.in_figure && figure->taken[i] == 0) {
            printf("  %s to %s: %s\n", estab_state_name(arrow.from), estab_state_name(arrow.to), arrow.event);
        }
    }
    if (figure->note_2 == 0) {
        printf("  FIN-WAIT-1 to TIME-WAIT: rcv FIN and the ACK of our FIN (note 2)\n");
    }
}

void figure_print(const struct figure *figure)
{
    static struct canvas canvas;
    struct estab_transition arrow;
    memset(canvas.cell, ' ', sizeof canvas.cell);
    put_note_2(&canvas, figure->note_2);
    for (unsigned i = 0; i < FIGURE_ARROWS && estab_transition(i, &arrow); i++) {
        const struct route *route = find_route(&arrow);
        if (arrow.in_figure && route != NULL) {
            put_route(&canvas, route, arrow.event, figure->taken[i]);
        }
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        put_box(&canvas, &places[i]);
    }
    printf("RFC 9293 Figure 5, the arrows taken and how often (dotted: not taken):\n\n");
    for (int y = 0; y < HEIGHT; y++) {
        int length = WIDTH;
        while (length > 0 && canvas.cell[y][length - 1] == ' ') {
            length--;
        }
        printf("%.*s\n", length, canvas.cell[y]);
    }
    putchar('\n');
    print_missing(figure);
}

static void json_arrow(const struct estab_transition *arrow, const char *event, unsigned taken)
{
    json_begin(stdout);
    json_text(stdout, "demo", "arrow");
    json_text(stdout, "from", estab_state_name(arrow->from));
    json_text(stdout, "event", event);
    json_text(stdout, "to", estab_state_name(arrow->to));
    json_unsigned(stdout, "taken", taken);
    json_end(stdout);
}

void figure_print_json(const struct figure *figure)
{
    static const struct estab_transition note_2 = {.from = ESTAB_FIN_WAIT_1, .to = ESTAB_TIME_WAIT};
    struct estab_transition arrow;
    for (unsigned i = 0; i < FIGURE_ARROWS && estab_transition(i, &arrow); i++) {
        if (arrow.in_figure) {
            json_arrow(&arrow, arrow.event, figure->taken[i]);
        }
    }
    json_arrow(&note_2, "rcv FIN and ACK of FIN in one segment (note 2)", figure->note_2);
}
