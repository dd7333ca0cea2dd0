/*
 * The host's constants by name, and the names of its errors. The table is constants.def; the values are those
 * of this system's headers, so that a script says what a program here would say.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#include "tools/script/script.h"

struct constant {
    const char *name;
    int64_t value;
    bool is_error;
};

#define CONSTANT(name)      {#name, (int64_t)(name), false},
#define ERROR(name)         {#name, (int64_t)(name), true},
#define NAMED(name, number) {#name, number, false},
static const struct constant constants[] = {
#include "tools/script/constants.def"
};
#undef CONSTANT
#undef ERROR
#undef NAMED

#define CONSTANT_COUNT (sizeof constants / sizeof constants[0])

static int compare(const void *name, const void *constant)
{
    return strcmp(name, ((const struct constant *)constant)->name);
}

bool script_constant(const char *name, int64_t *value)
{
    const struct constant *found = bsearch(name, constants, CONSTANT_COUNT, sizeof constants[0], compare);
    if (found != NULL)
        *value = found->value;
    return found != NULL;
}

const char *script_errno_name(int number)
{
    for (size_t i = 0; i < CONSTANT_COUNT; i++) {
        if (constants[i].is_error && constants[i].value == number)
            return constants[i].name;
    }
    return "E?";
}
