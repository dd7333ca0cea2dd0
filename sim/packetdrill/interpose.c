/*
 * The host's getsockopt(), where this object was preloaded: packetdrill's `%{ tcpi_... }%` asks it for
 * TCP_INFO, TCP_CC_INFO and SO_MEMINFO of a descriptor that is ours. Everything else goes to the real one.
 */
#include "sim/packetdrill/adapter.h"

#include <dlfcn.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

typedef int getsockopt_call(int fd, int level, int name, void *value, socklen_t *length);

static bool is_ours(int fd)
{
    adapter_lock();
    bool ours = adapter.open && sockets_check_socket(adapter.sockets, fd) == 0;
    adapter_unlock();
    return ours;
}

static bool is_told_by_us(int level, int name)
{
    return (level == IPPROTO_TCP && (name == TCP_INFO || name == TCP_CC_INFO)) ||
           (level == SOL_SOCKET && name == SO_MEMINFO);
}

static getsockopt_call *find_real(void)
{
    void *symbol = dlsym(RTLD_NEXT, "getsockopt");
    getsockopt_call *real = NULL;
    memcpy(&real, &symbol, sizeof real);
    return real;
}

EXPORTED int getsockopt(int fd, int level, int optname, void *restrict optval, socklen_t *restrict optlen)
{
    if (is_told_by_us(level, optname) && is_ours(fd)) {
        struct packetdrill_interface calls;
        calls_fill(&calls);
        return calls.getsockopt(&adapter, fd, level, optname, optval, optlen);
    }
    getsockopt_call *real = find_real();
    return real != NULL ? real(fd, level, optname, optval, optlen)
                        : (int)syscall(SYS_getsockopt, fd, level, optname, optval, optlen);
}
