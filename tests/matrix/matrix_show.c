/*
 * A difference for a reader: where it was, which segment came, what was remembered before, and what oracle
 * and core make of it. Of the variables only those that change or differ are worth their line; all of them
 * stand before.
 */
#include "matrix/matrix.h"

#include <stdarg.h>

__attribute__((format(printf, 3, 4))) static void add(char *out, size_t size, const char *format, ...)
{
    size_t used = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out + used, size - used, format, arguments);
    va_end(arguments);
}

const char *matrix_window_name(enum matrix_window window)
{
    static const char *const names[WINDOWS] = {"window zero", "window small", "window scaled"};
    return names[window];
}

const char *matrix_placement_name(enum matrix_placement placement)
{
    static const char *const names[PLACEMENTS] = {"the wrap lies inside the windows",
                                                  "the wrap lies just ahead", "far from the wrap, IPv6"};
    return names[placement];
}

void matrix_show(char *out, size_t size, const struct matrix_spot *spot, const char *what,
                 const char *classes)
{
    out[0] = 0;
    add(out, size, "%s\n  place    %s (%s), %s, %s, %s\n  classes  %s\n", what, spot->place->name,
        spot->place->what, matrix_window_name(spot->window), matrix_placement_name(spot->placement),
        spot->timestamps ? "timestamps offered" : "no timestamps offered", classes);
}

static void add_segment(char *out, size_t size, const char *title, const struct oracle_segment *seg)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
    add(out, size, "  %-8s <SEQ=%u><ACK=%u><CTL=", title, seg->seq, seg->ack);
    bool any = false;
    for (unsigned i = 0; i < 8; i++) {
        if (seg->flags & 1u << i) {
            add(out, size, "%s%s", any ? "," : "", names[i]);
            any = true;
        }
    }
    add(out, size, "> text %u wnd %u", seg->text_length, seg->window);
    if (seg->flags & ORACLE_URG || seg->up != 0) {
        add(out, size, " up %u", seg->up);
    }
    if (seg->timestamps) {
        add(out, size, " TSval %u TSecr %u", seg->tsval, seg->tsecr);
    }
    if (seg->mss != 0) {
        add(out, size, " mss %u", seg->mss);
    }
    if (seg->window_scale >= 0) {
        add(out, size, " wscale %d", seg->window_scale);
    }
    add(out, size, "%s\n", seg->sack_permitted ? " sack-permitted" : "");
}

static void add_tcb(char *out, size_t size, const char *title, const struct oracle_tcb *t)
{
    static const char *const ends[] = {"", " ended", " refused", " reset", " aborted"};
    add(out, size, "  %-8s %s%s%s%s%s%s%s\n", title, estab_state_name(t->state), t->passive ? " passive" : "",
        t->released ? " released" : "", t->fin_sent ? " FIN-sent" : "", ends[t->end],
        t->half_open_gone ? " half-open-gone" : "", t->time_wait_restarted ? " 2MSL-restarted" : "");
    add(out, size, "           SND.UNA %u NXT %u WND %u WL1 %u WL2 %u max %u ISS %u shift %u MSS %u\n",
        t->snd_una, t->snd_nxt, t->snd_wnd, t->snd_wl1, t->snd_wl2, t->max_snd_wnd, t->iss, t->snd_shift,
        t->peer_mss);
    add(out, size, "           RCV.NXT %u edge %u (WND %u) room %u readable %u MSS %u IRS %u shift %u",
        t->rcv_nxt, t->rcv_adv, t->rcv_adv - t->rcv_nxt, t->rcv_room, t->readable, t->rcv_mss, t->irs,
        t->rcv_shift);
    for (unsigned i = 0; i < t->ahead_count && i < ORACLE_RANGES; i++) {
        add(out, size, " ahead %u..%u", t->ahead[i].left, t->ahead[i].right);
    }
    add(out, size, "\n           last ACK %u%s", t->last_ack_sent, t->eof ? " eof" : "");
    if (t->fin_known) {
        add(out, size, " FIN at %u", t->rcv_fin);
    }
    if (t->urgent) {
        add(out, size, " urgent to %u", t->rcv_up);
    }
    if (t->ack_delayed) {
        add(out, size, " ACK delayed");
    }
    if (t->timestamps) {
        add(out, size, " TS.Recent %u", t->ts_recent);
    }
    add(out, size, "%s challenges left %u\n", t->sack ? " SACK" : "", t->challenges_left);
}

void matrix_show_step(char *out, size_t size, const struct matrix_step *step, const struct oracle_tcb *before,
                      const struct oracle_tcb *oracle, const struct oracle_answer *answer)
{
    add_segment(out, size, "segment", &step->segment);
    add_tcb(out, size, "before", before);
    add_tcb(out, size, "oracle", oracle);
    if (answer->sent) {
        add_segment(out, size, "  sends", &answer->segment);
    } else {
        add(out, size, "    sends  nothing\n");
    }
}

void matrix_show_core(char *out, size_t size, const struct matrix_outcome *outcome)
{
    add_tcb(out, size, "core", &outcome->core);
    for (unsigned i = 0; i < outcome->sent_count && i < MATRIX_MAX_SENT; i++) {
        add_segment(out, size, "  sends", &outcome->sent[i].segment);
        for (unsigned k = 0; k < outcome->sent[i].sack_count; k++) {
            add(out, size, "           SACK %u..%u\n", outcome->sent[i].sack[k][0],
                outcome->sent[i].sack[k][1]);
        }
    }
    if (outcome->sent_count == 0) {
        add(out, size, "    sends  nothing\n");
    }
}
