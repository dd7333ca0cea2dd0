/*
 * Tells a scene: heading, ladder, the states that each end passed, checks. In the ladder our states stand on
 * the left, the peer's on the right, segments between them with their arrow; sequence numbers are relative to
 * each side's SYN (RFC 9293 3.4), windows are scaled where that was agreed.
 */
#include "demo_print.h"
#include "json.h"
#include "tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATE_WIDTH   13
#define MIDDLE_WIDTH  104
#define SEGMENT_WIDTH 84
#define SEGMENT_TEXT  128

/* ---------------------------------------------------------------------------------------------- pieces */

static double milliseconds(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void append(char *text, size_t size, const char *more)
{
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s", length > 0 ? "," : "", more);
}

static const char *flags_text(const struct estab_trace_segment *segment, char text[SEGMENT_TEXT])
{
    static const struct {
        unsigned bit;
        const char *name;
    } flags[] = {{0x02, "SYN"}, {0x01, "FIN"}, {0x04, "RST"}, {0x20, "URG"}, {0x08, "PSH"}, {0x10, "ACK"}};
    text[0] = '\0';
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (segment->flags & flags[i].bit) {
            append(text, SEGMENT_TEXT, flags[i].name);
        }
    }
    return text;
}

static const char *options_text(const struct line *line, char text[SEGMENT_TEXT])
{
    const struct estab_trace_segment *segment = &line->record.segment;
    char one[32];
    text[0] = '\0';
    if (segment->mss != 0) {
        snprintf(one, sizeof one, "mss %u", (unsigned)segment->mss);
        append(text, SEGMENT_TEXT, one);
    }
    if (segment->sack_permitted) {
        append(text, SEGMENT_TEXT, "sack ok");
    }
    if (segment->timestamps) {
        append(text, SEGMENT_TEXT, "ts");
    }
    if (segment->window_scale != 255) {
        snprintf(one, sizeof one, "ws %u", (unsigned)segment->window_scale);
        append(text, SEGMENT_TEXT, one);
    }
    uint32_t isn = segment->ack - line->ack;
    for (unsigned i = 0; i < segment->sack_count && i < 4; i++) {
        snprintf(one, sizeof one, "sack %" PRIu32 ":%" PRIu32, segment->sack[i][0] - isn,
                 segment->sack[i][1] - isn);
        append(text, SEGMENT_TEXT, one);
    }
    return text;
}

/* Why it was sent, where that is ours to say; of the kernel's segments, what was thought of them. */
static const char *why_text(const struct line *line, char text[SEGMENT_TEXT])
{
    const struct estab_trace *record = &line->record;
    bool incoming = record->kind == ESTAB_TRACE_SEGMENT_IN;
    snprintf(text, SEGMENT_TEXT, "%s%s%s", incoming && record->drop != ESTAB_DROP_NONE ? "dropped: " : "",
             incoming ? estab_drop_name(record->drop) : estab_reason_name(record->reason),
             line->lost ? " (lost on the way)" : "");
    return text;
}

static const char *event_text(const struct line *line)
{
    static struct estab_transition arrow;
    if (line->record.transition == LADDER_NO_ARROW || !estab_transition(line->record.transition, &arrow)) {
        return "";
    }
    return arrow.event;
}

static const char *peer_name(const struct scene *scene)
{
    return scene->world.kernel ? "the kernel" : "estab, two stacks in memory, virtual time";
}

/* ------------------------------------------------------------------------------------------------ text */

static void print_segment(const struct line *line)
{
    const struct estab_trace_segment *segment = &line->record.segment;
    char flags[SEGMENT_TEXT];
    char options[SEGMENT_TEXT];
    char why[SEGMENT_TEXT];
    char ack[32] = "";
    char text[SEGMENT_TEXT * 2];
    char urgent[24] = "";
    if (segment->flags & 0x10) {
        snprintf(ack, sizeof ack, "ACK %" PRIu32, line->ack);
    }
    if (segment->flags & 0x20) {
        snprintf(urgent, sizeof urgent, "UP %u,", (unsigned)segment->up);
    }
    snprintf(text, sizeof text, "%-11s SEQ %-9" PRIu32 " %-13s LEN %-5" PRIu32 " WND %-8" PRIu32 "%s%s",
             flags_text(segment, flags), line->seq, ack, segment->length, segment->window, urgent,
             options_text(line, options));
    const char *arrow = line->side == OURS ? line->lost ? "--x" : "-->" : line->lost ? "x--" : "<--";
    why_text(line, why);
    printf("%10.2f  %-*s %s %-*s%s%s\n", milliseconds(line->time_ns), STATE_WIDTH, "", arrow,
           why[0] != '\0' ? SEGMENT_WIDTH : 0, text, why[0] != '\0' ? " " : "", why);
}

static void print_state(const struct line *line)
{
    const char *state = estab_state_name(line->record.state_after);
    const char *event = event_text(line);
    if (line->side == OURS) {
        printf("%10.2f  %-*s   %s\n", milliseconds(line->time_ns), STATE_WIDTH, state, event);
    } else {
        printf("%10.2f  %*s  %s\n", milliseconds(line->time_ns), STATE_WIDTH + MIDDLE_WIDTH - 12, event,
               state);
    }
}

static void print_timer(const struct line *line)
{
    const char *name = estab_timer_name(line->record.timer);
    if (line->side == OURS) {
        printf("%10.2f  %-*s   timer: %s\n", milliseconds(line->time_ns), STATE_WIDTH, "", name);
    } else {
        printf("%10.2f  %*s %s\n", milliseconds(line->time_ns), STATE_WIDTH + MIDDLE_WIDTH - 12,
               "timer:", name);
    }
}

static void print_line(const struct line *line)
{
    switch (line->kind) {
    case LINE_SEGMENT: print_segment(line); break;
    case LINE_STATE: print_state(line); break;
    case LINE_TIMER: print_timer(line); break;
    case LINE_NOTE:
        printf("%10.2f  %-*s   * %s\n", milliseconds(line->time_ns), STATE_WIDTH, "", line->note);
        break;
    }
}

static void print_ladder(const struct scene *scene)
{
    const struct ladder *ladder = &scene->ladder;
    uint64_t elided = ladder_elided(ladder);
    printf("%10s  %-*s %-*s%s\n", "ms", STATE_WIDTH, scene_side(scene, OURS), MIDDLE_WIDTH - 12, "",
           scene_side(scene, PEER));
    for (unsigned i = 0; i < ladder_kept(ladder); i++) {
        if (elided > 0 && i == ladder->head_count) {
            printf("%10s  %-*s ... %" PRIu64 " lines left out, with %.1f MiB of text ...\n", "...",
                   STATE_WIDTH, "", elided, (double)ladder->elided_bytes / 1048576);
        }
        print_line(ladder_line(ladder, i));
    }
}

static void print_text(const struct scene *scene)
{
    char path[LADDER_PATH * 16];
    printf("\n%u. %s (%s; peer: %s)\n   %s\n", scene->number, scene->info->name,
           scene->world.ipv6 ? "IPv6" : "IPv4", peer_name(scene), scene->info->about);
    if (!scene->world.kernel && scene->demo->kernel && scene->info->why != NULL) {
        printf("   In memory: %s\n", scene->info->why);
    }
    print_ladder(scene);
    for (unsigned side = OURS; side <= PEER; side++) {
        path_format(&scene->ladder.path[side], path, sizeof path);
        printf("   %-9s %s\n", scene_side(scene, (enum side)side), path);
    }
    if (scene->rate[0] != '\0') {
        printf("   rate      %s\n", scene->rate);
    }
    for (unsigned i = 0; i < scene->check_count; i++) {
        const struct check *check = &scene->checks[i];
        printf("   %s %s\n", check->holds ? "[ok]    " : "[FAILED]", check->expected);
        if (!check->holds) {
            printf("             seen: %s\n", check->seen);
        }
    }
}

/* ------------------------------------------------------------------------------------------------ JSON */

static void begin_object(const struct scene *scene, const char *kind)
{
    json_begin(stdout);
    json_text(stdout, "demo", kind);
    json_unsigned(stdout, "scene", scene->number);
}

static void json_segment(const struct scene *scene, const struct line *line)
{
    const struct estab_trace_segment *segment = &line->record.segment;
    char text[SEGMENT_TEXT];
    begin_object(scene, "segment");
    json_real(stdout, "ms", milliseconds(line->time_ns), 3);
    json_text(stdout, "from", scene_side(scene, line->side));
    json_text(stdout, "flags", flags_text(segment, text));
    json_unsigned(stdout, "seq", line->seq);
    if (segment->flags & 0x10) {
        json_unsigned(stdout, "ack", line->ack);
    }
    json_unsigned(stdout, "len", segment->length);
    json_unsigned(stdout, "wnd", segment->window);
    if (segment->flags & 0x20) {
        json_unsigned(stdout, "up", segment->up);
    }
    json_text(stdout, "options", options_text(line, text));
    json_text(stdout, "why", why_text(line, text));
    json_bool(stdout, "lost", line->lost);
    json_end(stdout);
}

static void json_line(const struct scene *scene, const struct line *line)
{
    static const char *const kinds[] = {"segment", "state", "timer", "note"};
    if (line->kind == LINE_SEGMENT) {
        json_segment(scene, line);
        return;
    }
    begin_object(scene, kinds[line->kind]);
    json_real(stdout, "ms", milliseconds(line->time_ns), 3);
    if (line->kind == LINE_NOTE) {
        json_text(stdout, "text", line->note);
        json_end(stdout);
        return;
    }
    json_text(stdout, "side", scene_side(scene, line->side));
    if (line->kind == LINE_TIMER) {
        json_text(stdout, "timer", estab_timer_name(line->record.timer));
    } else {
        json_text(stdout, "from", estab_state_name(line->record.state));
        json_text(stdout, "to", estab_state_name(line->record.state_after));
        json_text(stdout, "event", event_text(line));
        json_unsigned(stdout, "conn", line->record.conn); /* 0: a kernel's, or nobody holds it any more */
        json_unsigned(stdout, "local_port", line->record.local.port);
        json_unsigned(stdout, "remote_port", line->record.remote.port);
    }
    json_end(stdout);
}

static void json_check(const struct scene *scene, const struct check *check)
{
    begin_object(scene, "check");
    json_text(stdout, "expected", check->expected);
    json_bool(stdout, "holds", check->holds);
    if (!check->holds) {
        json_text(stdout, "seen", check->seen);
    }
    json_end(stdout);
}

static void json_scene_end(const struct scene *scene)
{
    char path[LADDER_PATH * 16];
    begin_object(scene, "scene_end");
    json_bool(stdout, "holds", !scene->failed);
    json_unsigned(stdout, "segments", scene->ladder.segments);
    path_format(&scene->ladder.path[OURS], path, sizeof path);
    json_text(stdout, "path", path);
    path_format(&scene->ladder.path[PEER], path, sizeof path);
    json_text(stdout, "peer_path", path);
    if (scene->rate[0] != '\0') {
        json_text(stdout, "rate", scene->rate);
    }
    json_end(stdout);
}

static void print_json(const struct scene *scene)
{
    const struct ladder *ladder = &scene->ladder;
    uint64_t elided = ladder_elided(ladder);
    begin_object(scene, "scene");
    json_text(stdout, "name", scene->info->name);
    json_text(stdout, "family", scene->world.ipv6 ? "IPv6" : "IPv4");
    json_text(stdout, "peer", scene->world.kernel ? "kernel" : "estab in memory");
    json_text(stdout, "about", scene->info->about);
    json_end(stdout);
    for (unsigned i = 0; i < ladder_kept(ladder); i++) {
        if (elided > 0 && i == ladder->head_count) {
            begin_object(scene, "elided");
            json_unsigned(stdout, "lines", elided);
            json_unsigned(stdout, "bytes", ladder->elided_bytes);
            json_end(stdout);
        }
        json_line(scene, ladder_line(ladder, i));
    }
    for (unsigned i = 0; i < scene->check_count; i++) {
        json_check(scene, &scene->checks[i]);
    }
    json_scene_end(scene);
}

void print_scene(const struct scene *scene)
{
    if (scene->demo->json) {
        print_json(scene);
    } else {
        print_text(scene);
    }
    tool_flush();
}

void print_heading(const struct demo *demo, const char *text)
{
    if (!demo->json) {
        printf("\n=== %s ===\n", text);
        tool_flush();
    }
}
