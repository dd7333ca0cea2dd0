/*
 * The scenes of closing (RFC 9293 3.6, 3.10.4): each direction is closed by its own FIN, by either side
 * first, by both at once, with a long time between the two.
 */
#include "demo.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define QUESTION "question"
#define ANSWER   "answer"

/* Words both ways, so that both have sent and received something. */
static void talk(struct pair *pair)
{
    end_send(pair->ours, QUESTION);
    wait_text(pair->theirs, QUESTION);
    end_send(pair->theirs, ANSWER);
    wait_text(pair->ours, ANSWER);
}

static void port_text(const struct scene *scene, enum side side, char text[8])
{
    snprintf(text, 8, "%u", scene->port[side]);
}

static const char *address_text(const struct scene *scene, enum side side)
{
    static const char *const texts[2][2] = {{"10.9.0.2", "10.9.0.1"}, {"fd09::2", "fd09::1"}};
    return texts[scene->world.ipv6][side];
}

/* ------------------------------------------------------------------------------------------ half-close */

/* What we do while the peer has closed its direction: still send. */
static void answer_half_closed(struct scene *scene, struct end *ours)
{
    wait_text(ours, QUESTION);
    wait_end_of_data(ours);
    check_path(scene, OURS, "ESTABLISHED > CLOSE-WAIT");
    wait_state(scene, PEER, ESTAB_FIN_WAIT_2);
    end_send(ours, ANSWER);
    check_result(ours, 0, "SEND in CLOSE-WAIT");
}

static void play_half_close_by_peer(struct scene *scene)
{
    struct end *listener = end_open(scene, OURS, true);
    char from[8];
    char to[8];
    end_listen(listener);
    port_text(scene, PEER, from);
    port_text(scene, OURS, to);
    if (!scene->world.kernel) {
        struct end *theirs = end_open(scene, PEER, true);
        end_connect(theirs);
        struct end *ours = end_accept(listener);
        end_send(theirs, QUESTION);
        end_shutdown(theirs);
        answer_half_closed(scene, ours);
        wait_text(theirs, ANSWER);
        end_close(ours);
        wait_end_of_data(theirs);
    } else {
        const char *const arguments[] = {"nc", "-N", "-p", from, address_text(scene, OURS), to, NULL};
        struct program_wiring wiring = {.output = -1, .input = -1};
        struct program nc;
        scene_note(scene, "nc -N -p %s %s %s", from, address_text(scene, OURS), to);
        program_start(&nc, arguments, &wiring);
        program_write(&nc, QUESTION);
        program_close_input(&nc);
        struct end *ours = end_accept(listener);
        answer_half_closed(scene, ours);
        end_close(ours);
        wait_program(scene, &nc, "nc", 0);
        scene_check(scene, strcmp(nc.text, ANSWER) == 0, nc.text, "nc has written the answer");
        program_end(&nc);
    }
    wait_state(scene, PEER, ESTAB_TIME_WAIT);
    wait_state(scene, OURS, ESTAB_CLOSED);
    check_path(scene, OURS, "CLOSE-WAIT > LAST-ACK > CLOSED");
}

static void play_half_close_by_us(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, OURS, &pair)) {
        return;
    }
    end_send(pair.ours, QUESTION);
    end_shutdown(pair.ours);
    wait_text(pair.theirs, QUESTION);
    wait_end_of_data(pair.theirs);
    wait_state(scene, OURS, ESTAB_FIN_WAIT_2);
    end_send(pair.theirs, ANSWER);
    wait_text(pair.ours, ANSWER);
    end_send(pair.ours, "no more");
    check_result(pair.ours, -ESTAB_EPIPE, "SEND after CLOSE");
    end_close(pair.theirs);
    wait_end_of_data(pair.ours);
    wait_state(scene, OURS, ESTAB_CLOSED);
    check_path(scene, OURS, "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT > CLOSED");
}

/* ---------------------------------------------------------------------------------------- who is first */

static void play_we_close_first(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, PEER, &pair)) {
        return;
    }
    talk(&pair);
    end_shutdown(pair.ours);
    wait_end_of_data(pair.theirs);
    wait_state(scene, OURS, ESTAB_FIN_WAIT_2);
    end_close(pair.theirs);
    wait_state(scene, OURS, ESTAB_TIME_WAIT);
    wait_state(scene, PEER, ESTAB_CLOSED);
    wait_state(scene, OURS, ESTAB_CLOSED);
    check_path(scene, OURS, "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT > CLOSED");
    check_path(scene, PEER, "ESTABLISHED > CLOSE-WAIT");
}

static void play_peer_closes_first(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, OURS, &pair)) {
        return;
    }
    talk(&pair);
    end_shutdown(pair.theirs);
    wait_end_of_data(pair.ours);
    wait_state(scene, OURS, ESTAB_CLOSE_WAIT);
    wait_state(scene, PEER, ESTAB_FIN_WAIT_2);
    end_shutdown(pair.ours);
    wait_state(scene, PEER, ESTAB_TIME_WAIT);
    wait_state(scene, OURS, ESTAB_CLOSED);
    check_path(scene, PEER, "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT");
    check_path(scene, OURS, "SYN-SENT > ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED");
    end_receive(pair.ours);
    check_result(pair.ours, 0, "RECEIVE after a normal end");
}

static void play_both_close_at_once(struct scene *scene)
{
    struct pair pair;
    if (!end_pair(scene, PEER, &pair)) {
        return;
    }
    talk(&pair);
    scene_pass(scene, 50 * DEMO_MILLISECOND);
    end_shutdown(pair.theirs);
    end_shutdown(pair.ours);
    wait_state(scene, OURS, ESTAB_TIME_WAIT);
    wait_state(scene, PEER, ESTAB_TIME_WAIT);
    check_path(scene, OURS, "ESTABLISHED > FIN-WAIT-1 > CLOSING > TIME-WAIT");
    check_path(scene, PEER, "ESTABLISHED > FIN-WAIT-1");
    wait_state(scene, OURS, ESTAB_CLOSED);
}

/* The peer's ACK of our FIN is held back by its delay, or lost: its own FIN brings it. */
static void play_fin_with_ack(struct scene *scene)
{
    struct pair pair;
    int off = 0;
    unsigned before = scene->demo->figure.note_2;
    if (!end_pair(scene, PEER, &pair)) {
        return;
    }
    talk(&pair);
    scene_pass(scene, 60 * DEMO_MILLISECOND);
    if (scene->world.kernel) {
        setsockopt(pair.theirs->fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
        end_shutdown(pair.ours);
        world_flush(scene);
    } else {
        scene->world.lose[PEER] = 1;
        end_shutdown(pair.ours);
        wait_state(scene, PEER, ESTAB_CLOSE_WAIT);
    }
    end_close(pair.theirs);
    wait_state(scene, OURS, ESTAB_TIME_WAIT);
    check_path(scene, OURS, "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT");
    scene_check(scene, scene->demo->figure.note_2 == before + 1, "two segments",
                "one segment took both arrows: FIN and the ACK of our FIN (note 2)");
    wait_state(scene, OURS, ESTAB_CLOSED);
}

const struct scene_info demo_close_scenes[] = {
    {.name = "half-close by the peer",
     .about = "The peer closes its direction and still listens; we answer in CLOSE-WAIT.",
     .play = play_half_close_by_peer},
    {.name = "half-close by us",
     .about = "We close our direction and still listen; the answer reaches us in FIN-WAIT-2.",
     .play = play_half_close_by_us},
    {.name = "we close first",
     .about = "The side that closes first waits in TIME-WAIT.",
     .play = play_we_close_first},
    {.name = "the peer closes first",
     .about = "We only acknowledge and close too; TIME-WAIT is the peer's.",
     .play = play_peer_closes_first},
    {.name = "both close at once",
     .about = "Two FINs cross: CLOSING on both sides.",
     .play = play_both_close_at_once,
     .memory_too = true,
     .why = "both ends by our own table of states."},
    {.name = "FIN and the ACK of our FIN in one segment",
     .about = "FIN-WAIT-1 to TIME-WAIT at once (Figure 5, note 2): two rows of the table in one segment.",
     .play = play_fin_with_ack,
     .memory_too = true,
     .why = "here the ACK of our FIN is lost on the way, which the kernel's end cannot be made to do."},
    {.name = NULL},
};
