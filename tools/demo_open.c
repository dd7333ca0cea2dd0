/*
 * The scenes of opening, and of openings that come to nothing (RFC 9293 3.5, 3.10.1
 * to 3.10.4, 3.10.7.2, 3.10.7.3): among them what BSD sockets hide, a passive OPEN that a SEND turns active
 * and one that a RST brings back to LISTEN.
 */
#include "demo.h"

#include <stdio.h>
#include <string.h>

static void play_refused_to_us(struct scene *scene)
{
    struct end *ours = end_open(scene, OURS, true);
    end_connect(ours);
    wait_error(ours, -ESTAB_ECONNREFUSED);
    check_path(scene, OURS, "CLOSED > SYN-SENT > CLOSED");
}

static void play_refused_by_us(struct scene *scene)
{
    if (!scene->world.kernel) {
        struct end *theirs = end_open(scene, PEER, true);
        end_connect(theirs);
        wait_error(theirs, -ESTAB_ECONNREFUSED);
    } else {
        char url[64];
        char port[8];
        struct program curl;
        struct program_wiring wiring = {.output = -1, .input = -1};
        snprintf(url, sizeof url, scene->world.ipv6 ? "http://[fd09::2]:%u/" : "http://10.9.0.2:%u/",
                 scene->port[OURS]);
        snprintf(port, sizeof port, "%u", scene->port[PEER]);
        const char *const arguments[] = {"curl",         "-q", "-sS", "--noproxy", "*",
                                         "--local-port", port, url,   NULL};
        scene_note(scene, "curl %s", url);
        program_start(&curl, arguments, &wiring);
        wait_program(scene, &curl, "curl (7: could not connect)", 7);
        program_end(&curl);
    }
    wait_reason(scene, OURS, ESTAB_REASON_RESET_REFUSE, 1);
}

static void play_both_at_once(struct scene *scene)
{
    struct end *theirs = end_open(scene, PEER, true);
    struct end *ours = end_open(scene, OURS, true);
    end_connect(theirs);
    end_connect(ours);
    wait_state(scene, OURS, ESTAB_ESTABLISHED);
    wait_state(scene, PEER, ESTAB_ESTABLISHED);
    check_path(scene, OURS, "CLOSED > SYN-SENT > SYN-RECEIVED > ESTABLISHED");
    check_path(scene, PEER, "SYN-SENT > SYN-RECEIVED > ESTABLISHED");
    end_send(ours, "from us");
    wait_text(theirs, "from us");
    end_send(theirs, "from them");
    wait_text(ours, "from them");
    end_abort(theirs);
    wait_error(ours, -ESTAB_ECONNRESET);
}

static void play_send_in_listen(struct scene *scene)
{
    struct end *listener = end_open(scene, PEER, true);
    struct end *ours = end_open(scene, OURS, true);
    end_listen(listener);
    end_open_passive(ours, true);
    scene_pass(scene, 5 * DEMO_MILLISECOND);
    check_path(scene, OURS, "CLOSED > LISTEN");
    end_send(ours, "I speak first");
    check_result(ours, 0, "SEND in LISTEN");
    struct end *theirs = end_accept(listener);
    wait_text(theirs, "I speak first");
    check_path(scene, OURS, "LISTEN > SYN-SENT > ESTABLISHED");
    end_abort(ours);
    wait_error(theirs, -ESTAB_ECONNRESET);
}

static void play_reset_in_syn_received(struct scene *scene)
{
    struct end *ours = end_open(scene, OURS, true);
    end_open_passive(ours, false);
    struct end *theirs = end_open(scene, PEER, true);
    end_connect(theirs);
    wait_state(scene, OURS, ESTAB_SYN_RECEIVED);
    scene_note(scene, "the peer gives up its socket before our SYN,ACK arrives");
    end_abort(theirs);
    wait_state(scene, OURS, ESTAB_LISTEN);
    check_path(scene, OURS, "CLOSED > LISTEN > SYN-RECEIVED > LISTEN");
    struct end *again = end_open(scene, PEER, true);
    end_connect(again);
    wait_state(scene, OURS, ESTAB_ESTABLISHED);
    scene_note(scene, "the same passive OPEN serves the next who comes");
    end_abort(again);
    wait_error(ours, -ESTAB_ECONNRESET);
}

static void play_close_in_listen(struct scene *scene)
{
    struct end *ours = end_open(scene, OURS, true);
    end_open_passive(ours, false);
    scene_pass(scene, 5 * DEMO_MILLISECOND);
    end_shutdown(ours);
    check_result(ours, 0, "CLOSE in LISTEN");
    scene_pass(scene, 5 * DEMO_MILLISECOND);
    check_path(scene, OURS, "CLOSED > LISTEN > CLOSED");
    struct end *theirs = end_open(scene, PEER, true);
    end_connect(theirs);
    wait_error(theirs, -ESTAB_ECONNREFUSED);
}

static void play_close_in_syn_sent(struct scene *scene)
{
    struct end *listener = end_open(scene, PEER, true);
    struct end *ours = end_open(scene, OURS, true);
    end_listen(listener);
    end_connect(ours);
    world_flush(scene);
    end_shutdown(ours);
    check_result(ours, 0, "CLOSE in SYN-SENT");
    wait_reason(scene, OURS, ESTAB_REASON_RESET_REFUSE, 1);
    check_path(scene, OURS, "CLOSED > SYN-SENT > CLOSED");
}

static void play_close_in_syn_received(struct scene *scene)
{
    struct end *ours = end_open(scene, OURS, true);
    end_open_passive(ours, false);
    struct end *theirs = end_open(scene, PEER, true);
    end_connect(theirs);
    wait_state(scene, OURS, ESTAB_SYN_RECEIVED);
    end_shutdown(ours);
    check_result(ours, 0, "CLOSE in SYN-RECEIVED");
    wait_end_of_data(theirs);
    check_path(scene, OURS, "LISTEN > SYN-RECEIVED > FIN-WAIT-1");
    end_close(theirs);
    wait_state(scene, OURS, ESTAB_TIME_WAIT);
    wait_state(scene, OURS, ESTAB_CLOSED);
}

const struct scene_info demo_refused_scenes[] = {
    {.name = "refused to us",
     .about = "We connect to a port where nobody listens: the peer answers with RST.",
     .play = play_refused_to_us},
    {.name = "refused by us",
     .about = "The peer connects to a port of ours where nobody listens: we answer with RST.",
     .play = play_refused_by_us},
    {.name = NULL},
};

const struct scene_info demo_open_scenes[] = {
    {.name = "both open at once",
     .about = "Two SYNs cross; one connection comes of it (MUST-10).",
     .play = play_both_at_once,
     .memory_too = true,
     .why = "both ends by our own table of states."},
    {.name = "a SEND turns a passive OPEN active",
     .about = "LISTEN for one named peer; instead of waiting for it, we send (3.10.2).",
     .play = play_send_in_listen,
     .memory_too = true,
     .why = "the kernel has no passive OPEN of this kind, so this is between two of ours."},
    {.name = "a RST brings SYN-RECEIVED back to LISTEN",
     .about = "The peer's SYN is answered, then it wants nothing of it (Figure 5, note 1).",
     .play = play_reset_in_syn_received},
    {.name = "CLOSE in LISTEN",
     .about = "A passive OPEN is given up before anybody came.",
     .play = play_close_in_listen},
    {.name = "CLOSE in SYN-SENT",
     .about = "An active OPEN is given up while the SYN is on its way; its answer meets nobody.",
     .play = play_close_in_syn_sent},
    {.name = "CLOSE in SYN-RECEIVED",
     .about = "We close before the peer's ACK of our SYN is there: FIN goes out behind the SYN.",
     .play = play_close_in_syn_received,
     .memory_too = true,
     .why = "the kernel cannot close in SYN-RECEIVED, its sockets do not exist yet; two of ours can."},
    {.name = NULL},
};
