/*
 * The scenes of trouble: a peer that has forgotten us (RFC 9293 3.5.1), aborts (3.10.5), a peer that is gone
 * (3.8.3), keep-alive (3.8.4), a closed window (3.8.6.1), and urgent data (3.8.5, RFC 6093).
 */
#include "demo.h"

#include <stdio.h>
#include <sys/socket.h>

#define MANY 20000u

/* ------------------------------------------------------------------------------------------- half-open */

static void play_restarted_and_spoken_to(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, PEER, &pair) || !world_restart(scene)) {
        return;
    }
    end_send(pair.theirs, "are you there?");
    wait_error(pair.theirs, -ESTAB_ECONNRESET);
    wait_reason(scene, OURS, ESTAB_REASON_RESET_REFUSE, 1);
    wait_state(scene, PEER, ESTAB_CLOSED);
}

static void play_restarted_and_connects(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, OURS, &pair)) {
        return;
    }
    struct end *listener = &scene->ends[0];
    end_send(pair.theirs, "one");
    wait_text(pair.ours, "one");
    scene_pass(scene, 60 * DEMO_MILLISECOND);
    if (!world_restart(scene)) {
        return;
    }
    struct end *ours = end_open(scene, OURS, true);
    end_connect(ours);
    wait_error(pair.theirs, -ESTAB_ECONNRESET);
    wait_reason(scene, OURS, ESTAB_REASON_RESET_REFUSE, 1);
    struct end *theirs = end_accept(listener);
    end_send(theirs, "two");
    wait_text(ours, "two");
    check_path(scene, OURS, "SYN-SENT > ESTABLISHED");
    end_abort(theirs);
    wait_error(ours, -ESTAB_ECONNRESET);
}

/* -------------------------------------------------------------------------------------- abort, silence */

static void play_we_abort(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, PEER, &pair)) {
        return;
    }
    end_abort(pair.ours);
    check_result(pair.ours, 0, "ABORT");
    wait_error(pair.theirs, -ESTAB_ECONNRESET);
    wait_reason(scene, OURS, ESTAB_REASON_RESET_ABORT, 1);
    check_path(scene, OURS, "ESTABLISHED > CLOSED");
}

static void play_peer_aborts(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, PEER, &pair)) {
        return;
    }
    end_abort(pair.theirs);
    wait_error(pair.ours, -ESTAB_ECONNRESET);
    check_path(scene, OURS, "ESTABLISHED > CLOSED");
}

static void play_peer_disappears(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, OURS, &pair)) {
        return;
    }
    uint64_t timeout = scene->world.kernel ? DEMO_USER_TIMEOUT : 30 * DEMO_USER_TIMEOUT;
    estab_set(scene->world.stack[OURS], world_now(scene), pair.ours->conn, ESTAB_OPTION_USER_TIMEOUT,
              timeout);
    world_cut(scene);
    end_send(pair.ours, "are you there?");
    wait_reason(scene, OURS, ESTAB_REASON_RETRANSMIT_TIMEOUT, 2);
    wait_error(pair.ours, -ESTAB_ETIMEDOUT);
    check_path(scene, OURS, "ESTABLISHED > CLOSED");
    end_abort(pair.theirs);
}

/* ------------------------------------------------------------------------------------------ keep-alive */

static void play_keep_alive(struct scene *scene)
{
    struct pair pair;
    uint64_t idle = scene->world.kernel ? DEMO_KEEP_IDLE : 7200 * DEMO_SECOND;
    char seen[48];
    if (!end_pair(scene, OURS, &pair)) {
        return;
    }
    uint64_t before = scene->ladder.segments;
    end_keepalive(pair.theirs, DEMO_SECOND);
    scene_note(scene, "the peer's keep-alive is on: probes after 1 s");
    scene_pass(scene, 1300 * DEMO_MILLISECOND);
    snprintf(seen, sizeof seen, "%u segments", (unsigned)(scene->ladder.segments - before));
    scene_check(scene, scene->ladder.segments >= before + 2, seen, "the peer's probe is answered");
    end_keepalive(pair.ours, idle);
    scene_note(scene, "our keep-alive is on: probes after %.1f s", (double)idle / 1e9);
    if (!scene->world.kernel) {
        estab_set(scene->world.stack[PEER], world_now(scene), pair.theirs->conn, ESTAB_OPTION_KEEPALIVE, 0);
    }
    scene_pass(scene, idle * 5 / 4);
    wait_reason(scene, OURS, ESTAB_REASON_KEEPALIVE, 1);
    scene_check(scene, scene->ladder.state[OURS] == ESTAB_ESTABLISHED, "it is not",
                "the connection lives: the probe was answered");
    world_cut(scene);
    scene_pass(scene, idle * 3);
    wait_error(pair.ours, -ESTAB_ETIMEDOUT);
    check_path(scene, OURS, "ESTABLISHED > CLOSED");
    end_abort(pair.theirs);
}

/* --------------------------------------------------------------------------------------------- windows */

static void play_peer_window_closes(struct scene *scene)
{
    struct pair pair;
    scene->small_window[PEER] = true;
    if (!end_pair(scene, OURS, &pair)) {
        return;
    }
    end_send_bytes(pair.ours, MANY);
    wait_reason(scene, OURS, ESTAB_REASON_WINDOW_PROBE, 2);
    scene_check(scene, scene->ladder.zero_window[PEER], "it was not", "the peer's window was closed");
    scene_note(scene, "the peer's application reads now");
    wait_bytes(pair.theirs, MANY);
    end_abort(pair.ours);
    wait_error(pair.theirs, -ESTAB_ECONNRESET);
}

static void play_our_window_closes(struct scene *scene)
{
    struct pair pair;
    scene->small_window[OURS] = true;
    if (!end_pair(scene, PEER, &pair)) {
        return;
    }
    end_send_bytes(pair.theirs, MANY);
    scene_pass(scene, 100 * DEMO_MILLISECOND);
    uint64_t before = scene->ladder.segments;
    scene_pass(scene, 600 * DEMO_MILLISECOND);
    scene_check(scene, scene->ladder.zero_window[OURS], "it was not", "our window was closed");
    scene_check(scene, scene->ladder.segments >= before + 2, "no probe", "the peer's probe is answered");
    scene_note(scene, "our application reads now");
    wait_bytes(pair.ours, MANY);
    end_abort(pair.theirs);
    wait_error(pair.ours, -ESTAB_ECONNRESET);
}

static void play_urgent(struct scene *scene)
{
    struct pair pair;
    int yes = 1;
    if (!end_pair(scene, PEER, &pair)) {
        return;
    }
    if (scene->world.kernel) {
        setsockopt(pair.theirs->fd, SOL_SOCKET, SO_OOBINLINE, &yes, sizeof yes);
    }
    end_send_urgent(pair.ours, "stop!");
    wait_urgent(pair.theirs);
    wait_text(pair.theirs, "stop!");
    end_send_urgent(pair.theirs, "why?");
    wait_urgent(pair.ours);
    wait_text(pair.ours, "why?");
    end_abort(pair.ours);
    wait_error(pair.theirs, -ESTAB_ECONNRESET);
}

const struct scene_info demo_trouble_scenes[] = {
    {.name = "half-open, found out by data",
     .about = "Our side is restarted; the peer does not know and sends: RST.",
     .play = play_restarted_and_spoken_to},
    {.name = "half-open, found out by a new connection",
     .about = "Our side is restarted and connects from the same port: ACK, RST, and SYN once more (RFC 9293 "
              "Figure 9).",
     .play = play_restarted_and_connects},
    {.name = "we abort", .about = "ABORT: everything is dropped, RST tells the peer.", .play = play_we_abort},
    {.name = "the peer aborts", .about = "A RST at RCV.NXT ends our connection.", .play = play_peer_aborts},
    {.name = "the peer disappears",
     .about =
         "Nothing answers any more: the segment is sent again, later and later, until the user timeout (1 "
         "s here; in memory 30 s).",
     .play = play_peer_disappears},
    {.name = "keep-alive",
     .about = "Probes on an idle connection both ways, answered; then nobody answers and the connection is "
              "given up.",
     .play = play_keep_alive},
    {.name = "the peer's window closes",
     .about = "The peer's application does not read for a while: we probe, then everything arrives.",
     .play = play_peer_window_closes},
    {.name = "our window closes",
     .about = "Our application does not read for a while: the peer probes, then everything arrives.",
     .play = play_our_window_closes},
    {.name = "urgent data",
     .about = "An urgent mark each way, the bytes in line (RFC 6093).",
     .play = play_urgent},
    {.name = NULL},
};
