/*
 * A space of the demonstration's own: network and process namespaces (namespaces(7)), a TUN device that stays
 * while they do, the kernel's addresses, and a file system in memory that is mounted nowhere. The process
 * that plays is the first of its process namespace, so with it ends everything that it started, and with the
 * last of them the network and the files; it is killed when its parent dies. Nothing has to be cleaned up by
 * hand, whatever happens.
 *
 * Knows nothing of scenes.
 */
#include "demo.h"

#include "drivers/addr.h"
#include "drivers/device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#define STACK ((size_t)8 << 20) /* of the first process within */

/* ------------------------------------------------------------------------------------------- processes */

/* Waits for the child; a signal that would end us ends the child first. Returns its exit code. */
static int wait_for_child(pid_t child, const sigset_t *ending)
{
    int status = 0;
    for (;;) {
        int signal_number = sigwaitinfo(ending, NULL);
        if (signal_number == SIGCHLD && waitpid(child, &status, WNOHANG) == child) {
            break;
        }
        if (signal_number == SIGINT || signal_number == SIGTERM || signal_number == SIGHUP) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            signal(signal_number, SIG_DFL);
            raise(signal_number);
            sigprocmask(SIG_UNBLOCK, ending, NULL);
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/*
 * /proc for the processes in here, so that what they read of themselves there is theirs; the rest of the file
 * system stays as it is. Nothing depends on it.
 */
static void mount_proc(void)
{
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    }
}

/* What the new process is handed. */
struct first {
    int (*play)(struct demo *demo);
    struct demo *demo;
    const sigset_t *signals;
};

/* The first process of the namespace. It ends as by _exit(): what is to be done at exit is the parent's. */
static int be_first(void *argument)
{
    const struct first *first = argument;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, first->signals, NULL);
    mount_proc();
    return first->play(first->demo);
}

int space_run(int (*play)(struct demo *demo), struct demo *demo, char *error, size_t size)
{
    sigset_t ending;
    sigset_t before;
    struct first first = {play, demo, &before};
    uint8_t *stack =
        mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        snprintf(error, size, "no memory for a process: %s", strerror(errno));
        return -1;
    }
    sigemptyset(&ending);
    sigaddset(&ending, SIGCHLD);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    sigprocmask(SIG_BLOCK, &ending, &before);
    pid_t child = clone(be_first, stack + STACK, CLONE_NEWPID | SIGCHLD, &first);
    if (child < 0) {
        snprintf(error, size, "a namespace of its own wants root: %s", strerror(errno));
    }
    int code = child < 0 ? -1 : wait_for_child(child, &ending);
    sigprocmask(SIG_SETMASK, &before, NULL);
    munmap(stack, STACK);
    return code;
}

/* --------------------------------------------------------------------------------------------- network */

static bool give_addresses(const struct device *device)
{
    struct estab_addr ipv4;
    struct estab_addr ipv6;
    return addr_parse("10.9.0.1", &ipv4) && addr_parse("fd09::1", &ipv6) &&
           device_kernel_address(device, &ipv4, 24) == 0 && device_kernel_address(device, &ipv6, 64) == 0;
}

/* Reads the flags of an interface, and sets them where `change` is asked for. False: it could not be. */
static bool interface_flags(const char *name, short *flags, bool change)
{
    int query = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    request.ifr_flags = *flags;
    bool done = query >= 0 && ioctl(query, change ? SIOCSIFFLAGS : SIOCGIFFLAGS, &request) == 0;
    *flags = request.ifr_flags;
    if (query >= 0) {
        close(query);
    }
    return done;
}

static bool set_down(const char *name)
{
    short flags = 0;
    if (!interface_flags(name, &flags, false)) {
        return false;
    }
    flags = (short)(flags & ~IFF_UP);
    return interface_flags(name, &flags, true);
}

/* The kernel begins to send on a device a moment after somebody has opened it, and drops what comes before.
 */
bool space_carries(void)
{
    const struct timespec nap = {0, (long)DEMO_MILLISECOND};
    short flags = 0;
    for (unsigned i = 0; i < 2000; i++) {
        if (interface_flags(DEMO_DEVICE, &flags, false) && (flags & IFF_RUNNING) != 0) {
            nanosleep(&nap, NULL);
            return true;
        }
        nanosleep(&nap, NULL);
    }
    return false;
}

bool space_connect(bool up)
{
    struct device device = {.fd = -1, .name = DEMO_DEVICE};
    return up ? device_up(&device) == 0 && give_addresses(&device) : set_down(DEMO_DEVICE);
}

/* The device stays when those who use it come and go, until the namespace ends. */
static bool make_device(char *error, size_t size)
{
    struct device_options options = {.spec = "tun:" DEMO_DEVICE};
    struct device device;
    struct device loopback = {.fd = -1, .name = "lo"};
    if (device_open(&device, &options, error, size) != DEVICE_OK) {
        return false;
    }
    bool stays = ioctl(device.fd, TUNSETPERSIST, 1UL) == 0;
    device_close(&device);
    device_up(&loopback);
    if (!stays || !space_connect(true)) {
        snprintf(error, size, "cannot set up device %s: %s", DEMO_DEVICE, strerror(errno));
        return false;
    }
    return true;
}

/* ----------------------------------------------------------------------------------------------- files */

static int make_directory(void)
{
    int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
    int directory = -1;
    if (context < 0) {
        return -1;
    }
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) {
        directory = fsmount(context, 0, 0); /* programs find it as /proc/self/fd/N: not closed for them */
    }
    close(context);
    return directory;
}

bool space_prepare(struct demo *demo, char *error, size_t size)
{
    if (unshare(CLONE_NEWNET) != 0) {
        snprintf(error, size, "no network namespace: %s", strerror(errno));
        return false;
    }
    if (!make_device(error, size)) {
        return false;
    }
    demo->directory = make_directory();
    if (demo->directory < 0) {
        snprintf(error, size, "no file system in memory: %s", strerror(errno));
        return false;
    }
    return true;
}

/* --------------------------------------------------------------------------------- the kernel's states */

static enum estab_state state_of(unsigned number)
{
    static const uint8_t states[] = {
        ESTAB_CLOSED,     ESTAB_ESTABLISHED, ESTAB_SYN_SENT,     ESTAB_SYN_RECEIVED, ESTAB_FIN_WAIT_1,
        ESTAB_FIN_WAIT_2, ESTAB_TIME_WAIT,   ESTAB_CLOSED,       ESTAB_CLOSE_WAIT,   ESTAB_LAST_ACK,
        ESTAB_LISTEN,     ESTAB_CLOSING,     ESTAB_SYN_RECEIVED,
    };
    return number < sizeof states ? (enum estab_state)states[number] : ESTAB_CLOSED;
}

/*
 * sock_diag(7): asks for exactly one connection, TIME-WAIT and listeners included. The kernel's answer for
 * IPv4 covers sockets of IPv6 that serve both.
 */
static enum estab_state ask(int query, bool ipv6, uint16_t local, uint16_t remote)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = {
        .header = {.nlmsg_len = sizeof question,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
        .request = {.sdiag_family = ipv6 ? AF_INET6 : AF_INET,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = ~0u,
                    .id = {.idiag_sport = htons(local),
                           .idiag_dport = htons(remote),
                           .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    union {
        struct nlmsghdr header;
        uint8_t bytes[4096];
    } answer;
    inet_pton(question.request.sdiag_family, ipv6 ? "fd09::1" : "10.9.0.1", question.request.id.idiag_src);
    inet_pton(question.request.sdiag_family, ipv6 ? "fd09::2" : "10.9.0.2", question.request.id.idiag_dst);
    if (send(query, &question, sizeof question, 0) < 0 || recv(query, &answer, sizeof answer, 0) < 0 ||
        answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY) {
        return ESTAB_CLOSED;
    }
    const struct inet_diag_msg *message = NLMSG_DATA(&answer.header);
    return state_of(message->idiag_state);
}

enum estab_state space_kernel_state(bool ipv6, uint16_t local, uint16_t remote)
{
    static int query = -1;
    if (query < 0) {
        query = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    }
    return query < 0 ? ESTAB_CLOSED : ask(query, ipv6, local, remote);
}
