/*
 * The demonstration `estab demo`, in parts:
 *
 *   demo.c            options, the order of the scenes, the end
 *   demo_space.c      the network namespace with its TUN device, where everything happens and vanishes
 *   demo_world.c      a scene's two ends: our stack against the kernel, or two of our stacks in memory
 *   demo_end.c        one end of a connection, an estab connection or a kernel socket, under one set of calls
 *   demo_program.c    real programs beside us in the namespace
 *   demo_scene.c      the beginning and end of a scene, waiting, checks
 *   demo_ladder.c     what crossed and what states were passed; demo_print.c tells it as text and as JSON
 *   demo_figure.c     which arrows of RFC 9293 Figure 5 were taken
 *   demo_capture.c    packets and states out of the pcapng that a program of ours writes
 *   demo_open.c demo_close.c demo_trouble.c demo_time_wait.c demo_transfer.c   the scenes
 */
#ifndef ESTAB_TOOLS_DEMO_H
#define ESTAB_TOOLS_DEMO_H

#include "demo_ladder.h"

#include "drivers/host.h"
#include "drivers/pcapng.h"
#include "drivers/pipe.h"

#include <netinet/in.h>
#include <sys/types.h>

#define DEMO_DEVICE      "estab0"
#define DEMO_MILLISECOND UINT64_C(1000000)
#define DEMO_SECOND      UINT64_C(1000000000)

/* Times in the scenes against the kernel are real, so they are shortened; in memory time is virtual. */
#define DEMO_MSL           (100 * DEMO_MILLISECOND)
#define DEMO_MSL_TIME_WAIT (600 * DEMO_MILLISECOND)
#define DEMO_RTO           (250 * DEMO_MILLISECOND)
#define DEMO_USER_TIMEOUT  (1 * DEMO_SECOND)
#define DEMO_KEEP_IDLE     (200 * DEMO_MILLISECOND)

#define SCENE_ENDS   8
#define SCENE_CHECKS 40
#define SCENE_FATES  64
#define SCENE_TEXT   160

/* -------------------------------------------------------------------------------------- the whole demo */

struct demo {
    bool json;
    bool kernel; /* there is a namespace with a device */
    int capture; /* of -w, -1 = none; each scene is a section of its own in it */
    const char *capture_path;
    bool capture_failed;
    int directory; /* a tmpfs that nobody else sees; -1 = none */
    char self[64]; /* the tool itself, to be run as a program */
    struct figure figure;
    unsigned scenes, checks, failed; /* failed: checks that did not hold */
};

/* --------------------------------------------------------------------------------------------- a scene */

struct scene;

struct scene_info {
    const char *name;
    const char *about; /* what is shown, a line or two */
    void (*play)(struct scene *scene);
    uint64_t msl_ns; /* against the kernel; 0 = DEMO_MSL */
    bool memory_too; /* also between two stacks of ours where the kernel is there: `why` */
    const char *why;
};

/* One end of a connection: ours, or the peer's (a kernel socket, or a connection of the second stack). */
struct end {
    struct scene *scene;
    enum side side;
    estab_conn conn; /* 0 = none, or given up */
    int fd;          /* -1 = none */
    int result;      /* of the last call, 0 or a negative enum estab_error */
    int error;       /* what ended the connection, likewise */
    bool urgent;     /* an urgent mark was told of */
    size_t pending;  /* bytes of the pattern that are still to be sent */
    size_t sent;     /* of the pattern */
    size_t received;
    size_t wrong;   /* received bytes that are not the pattern's */
    char text[256]; /* the beginning of what was received */
};

struct check {
    bool holds;
    char expected[SCENE_TEXT];
    char seen[SCENE_TEXT];
};

struct world {
    bool kernel;
    bool ipv6;
    bool open[2];
    uint64_t start; /* `now` when the scene began */
    uint64_t msl_ns;
    struct host host;      /* the kernel is the peer */
    struct pipe pipe;      /* two stacks in memory */
    struct pcapng capture; /* of the pipe */
    int capture_fd;        /* of the host: a file in memory; -1 = none */
    estab_stack *stack[2]; /* PEER: NULL where it is the kernel */
    void *memory[2];
    uint8_t restarts;
    bool cut[2];                /* what this side sends is lost */
    unsigned lose[2];           /* so many packets of this side are lost */
    bool fates[2][SCENE_FATES]; /* whether the packets that were pulled are lost, in order */
    unsigned fate_first[2], fate_count[2];
};

struct scene {
    struct demo *demo;
    const struct scene_info *info;
    unsigned number;
    struct world world;
    struct ladder ladder;
    uint16_t port[2];
    struct end ends[SCENE_ENDS];
    unsigned end_count;
    struct check checks[SCENE_CHECKS];
    unsigned check_count;
    bool small_window[2];  /* this side's ends are given a small receive buffer */
    bool failed;           /* a check did not hold: waiting has no use any more */
    bool over;             /* what follows is only put away, not told */
    char rate[SCENE_TEXT]; /* of a transfer, "" = none */
};

/* The capture has come to its end before its time: says why, once; nothing more is written. */
void demo_capture_failed(struct demo *demo, const char *why);

/* Plays one scene and prints it. `kernel`: who is the peer. */
void scene_run(struct demo *demo, const struct scene_info *info, bool kernel, bool ipv6);

/* The parts of scene_run(), for the transfers, whose stack lives in another process. */
struct scene *scene_new(struct demo *demo, const struct scene_info *info, bool kernel, bool ipv6);
void scene_finish(struct scene *scene);

/* A check with what it expects; what was seen is printed where it does not hold. Returns `holds`. */
bool scene_check(struct scene *scene, bool holds, const char *seen, const char *expected, ...)
    __attribute__((format(printf, 4, 5)));

/* A line in the ladder that is no segment: "the cable is pulled". */
void scene_note(struct scene *scene, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the two sides are called. */
const char *scene_side(const struct scene *scene, enum side side);

/* Each waits until it is so, at most some seconds, and is a check. */
bool wait_state(struct scene *scene, enum side side, enum estab_state state);
bool wait_text(struct end *end, const char *text);
bool wait_end_of_data(struct end *end);
bool wait_error(struct end *end, int error);
bool wait_urgent(struct end *end);

/* Waits until `from` has sent so many segments for that reason, in all. */
bool wait_reason(struct scene *scene, enum side from, enum estab_reason reason, unsigned count);

/* Waits until an end has received so many bytes of the pattern, and whether they are right. */
bool wait_bytes(struct end *end, size_t count);

/* Whether one side's states contain this part: "ESTABLISHED > FIN-WAIT-1 > CLOSING". */
bool check_path(struct scene *scene, enum side side, const char *part);
bool check_result(struct end *end, int result, const char *call);

/* Lets so much time pass. */
void scene_pass(struct scene *scene, uint64_t ns);

/* ------------------------------------------------------------------------------------------- the world */

/* False after a failed check. */
bool world_open(struct scene *scene);
void world_close(struct scene *scene);

/* Our stack is thrown away and made again with the same addresses, as after a power cut. */
bool world_restart(struct scene *scene);

/* One turn: what is due goes out, what has arrived is handed on, time goes on to the next event, at most by
 * `most_ns`. */
void world_turn(struct scene *scene, uint64_t most_ns);

/* Only sends what is due now; nothing is read, no time passes. */
void world_flush(struct scene *scene);

/* Takes what has been told of and looks at the kernel's state. */
void world_look(struct scene *scene);

/* The cable between the two is pulled: nothing arrives any more, on either side. */
void world_cut(struct scene *scene);

uint64_t world_now(struct scene *scene);

/* The address of one side with the scene's port. */
struct estab_addr world_address(const struct scene *scene, enum side side);
socklen_t world_sockaddr(const struct scene *scene, enum side side, struct sockaddr_storage *address);

/* ------------------------------------------------------------------------------------------------ ends */

/* A new end bound to the scene's port of that side. `reuse`: SO_REUSEADDR. end->result says whether it could.
 */
struct end *end_open(struct scene *scene, enum side side, bool reuse);
void end_listen(struct end *end);

/* Passive OPEN of this very connection, ours only; `named`: only for the peer's address and port. */
void end_open_passive(struct end *end, bool named);
void end_connect(struct end *end);

/* The connection that waits, waiting for it; a check. */
struct end *end_accept(struct end *listener);

/* An end of `side` that listens, one of the other that connects, and both established. False: a check failed.
 */
struct pair {
    struct end *ours, *theirs;
};
bool end_pair(struct scene *scene, enum side opener, struct pair *pair);

void end_send(struct end *end, const char *text);
void end_send_bytes(struct end *end, size_t count); /* of a pattern; goes on while the world turns */
void end_pump(struct end *end);
void end_send_urgent(struct end *end, const char *text);

/* Reads what is there into end->text and counts it; end->result: 0 at the end of the data, -ESTAB_EAGAIN ...
 */
void end_receive(struct end *end);
void end_shutdown(struct end *end); /* CLOSE of the sending direction */
void end_close(struct end *end);
void end_abort(struct end *end);
void end_keepalive(struct end *end, uint64_t idle_ns);

/* Looks what has become of it: end->error, end->urgent. */
void end_look(struct end *end);

/* -------------------------------------------------------------------------------------------- programs */

struct program {
    pid_t pid;
    int in;   /* its standard input, -1 = closed */
    int out;  /* its standard output, read without waiting; -1 = at its end */
    int code; /* exit code, -1 = it runs */
    size_t length;
    char text[512]; /* the beginning of what it wrote */
};

/* Whether there is such a program in PATH. */
bool program_exists(const char *name);

/* What a program is given. */
struct program_wiring {
    bool show_errors; /* its standard error is ours; else it is thrown away */
    int output;       /* its standard output; -1 = a pipe that we read */
    int input;        /* its standard input; -1 = a pipe that we write */
};

/* Arguments end with NULL. False: it could not be started. */
bool program_start(struct program *program, const char *const *arguments,
                   const struct program_wiring *wiring);

/* Takes what it wrote and whether it has ended. */
void program_look(struct program *program);
void program_write(struct program *program, const char *text);
void program_close_input(struct program *program);

/* Ends it if it still runs and frees what it holds. */
void program_end(struct program *program);

/* Waits, turning the scene's world, until it ended; a check of its exit code. */
bool wait_program(struct scene *scene, struct program *program, const char *name, int code);

/* ------------------------------------------------------------------------------------------- the space */

/*
 * Plays `play` in a network and process namespace of its own, whose end is the end of everything in it.
 * Returns its exit code; -1 = there is no such thing to be had: one line in `error`.
 */
int space_run(int (*play)(struct demo *demo), struct demo *demo, char *error, size_t size);

/* Within: makes the device, addresses and the tmpfs. False: one line in `error`. */
bool space_prepare(struct demo *demo, char *error, size_t size);

/* The device set up and given its addresses (again). False: it could not be. */
bool space_connect(bool up);

/* Whether the device has come to carry packets in both directions; it takes a moment after it was opened. */
bool space_carries(void);

/* The kernel's state of its connection between two ports: LISTEN where there is only a listener, CLOSED where
 * there is nothing. */
enum estab_state space_kernel_state(bool ipv6, uint16_t local, uint16_t remote);

/* -------------------------------------------------------------------------------------------- captures */

/* Reads the pcapng that a program of ours writes, in pieces. */
struct capture_reader {
    int fd;
    size_t used;
    uint8_t *buffer;
    uint64_t packets;
};

typedef void capture_handler(void *user, const struct estab_trace *record, bool ipv6);

bool capture_begin(struct capture_reader *reader, int fd);

/* Takes what is there; hands on each TCP segment; copies the heads of packets to the descriptor `copy` (-1 =
 * not). False = at its end. */
bool capture_take(struct capture_reader *reader, struct demo *copy, capture_handler *handler, void *user);
void capture_end(struct capture_reader *reader);

/* ---------------------------------------------------------------------------------------------- scenes */

extern const struct scene_info demo_refused_scenes[];
extern const struct scene_info demo_open_scenes[];
extern const struct scene_info demo_close_scenes[];
extern const struct scene_info demo_trouble_scenes[];
extern const struct scene_info demo_time_wait_scenes[];

/* Real programs at both ends: curl and `estab serve`, `estab fetch` and python3's http.server, `estab nc`. */
void demo_transfers(struct demo *demo);

#endif
