/*
 * The scenes of TIME-WAIT (RFC 9293 3.6.1, 3.4.2; RFC 6191): for 2MSL the port is taken, with SO_REUSEADDR it
 * may be bound, and a new connection between the same two ends may begin once timestamps tell the
 * incarnations apart; then all is free again.
 */
#include "demo.h"

#include <stdio.h>

/* We close first; the record of TIME-WAIT is left alone with the stack. */
static bool into_time_wait(struct scene *scene, struct end *ours, struct end *theirs)
{
    end_shutdown(ours);
    wait_end_of_data(theirs);
    end_close(theirs);
    bool done = wait_state(scene, OURS, ESTAB_TIME_WAIT);
    end_close(ours);
    return done;
}

static void try_at_once(struct scene *scene)
{
    struct end *plain = end_open(scene, OURS, false);
    check_result(plain, -ESTAB_EADDRINUSE, "bind to the port in TIME-WAIT");
    end_close(plain);
    struct end *reuse = end_open(scene, OURS, true);
    check_result(reuse, 0, "the same with SO_REUSEADDR");
    end_connect(reuse);
    check_result(reuse, -ESTAB_EADDRINUSE, "connect to the same peer within a second of it");
    end_close(reuse);
}

static void play_time_wait(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, OURS, &pair)) {
        return;
    }
    struct end *listener = &scene->ends[0];
    scene_note(scene, "MSL is %.1f s here, so TIME-WAIT lasts %.1f s",
               scene->world.kernel ? (double)DEMO_MSL_TIME_WAIT / 1e9 : 30.0,
               scene->world.kernel ? (double)DEMO_MSL_TIME_WAIT * 2 / 1e9 : 60.0);
    if (!into_time_wait(scene, pair.ours, pair.theirs)) {
        return;
    }
    try_at_once(scene);
    scene_pass(scene, 1010 * DEMO_MILLISECOND);
    struct end *again = end_open(scene, OURS, true);
    end_connect(again);
    check_result(again, 0, "connect with SO_REUSEADDR after that second");
    struct end *theirs = end_accept(listener);
    end_send(theirs, "a new connection");
    wait_text(again, "a new connection");
    if (!into_time_wait(scene, again, theirs)) {
        return;
    }
    wait_state(scene, OURS, ESTAB_CLOSED);
    struct end *plain = end_open(scene, OURS, false);
    check_result(plain, 0, "bind after 2MSL, without SO_REUSEADDR");
    check_path(scene, OURS,
               "TIME-WAIT > CLOSED > SYN-SENT > ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT > CLOSED");
}

static void play_peer_time_wait(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, OURS, &pair)) {
        return;
    }
    struct end *listener = &scene->ends[0];
    end_shutdown(pair.theirs);
    wait_end_of_data(pair.ours);
    end_close(pair.ours);
    wait_state(scene, PEER, ESTAB_TIME_WAIT);
    end_close(pair.theirs);
    wait_state(scene, OURS, ESTAB_CLOSED);
    struct end *again = end_open(scene, OURS, true);
    end_connect(again);
    check_result(again, 0, "connect from the same port");
    struct end *theirs = end_accept(listener);
    end_send(theirs, "a new connection");
    wait_text(again, "a new connection");
    check_path(scene, OURS, "LAST-ACK > CLOSED > SYN-SENT > ESTABLISHED");
    end_abort(theirs);
    wait_error(again, -ESTAB_ECONNRESET);
}

const struct scene_info demo_time_wait_scenes[] = {
    {.name = "TIME-WAIT is ours",
     .about = "The port is taken until 2MSL has passed, but for SO_REUSEADDR; then it is free.",
     .play = play_time_wait,
     .msl_ns = DEMO_MSL_TIME_WAIT,
     .memory_too = true,
     .why = "with the MSL of 30 s that is the default, in virtual time."},
    {.name = "TIME-WAIT is the peer's",
     .about = "A SYN of ours, newer by its timestamp, opens a new connection out of it (RFC 6191).",
     .play = play_peer_time_wait},
    {.name = NULL},
};
