/*
 * epoll: sets of files, level-triggered, edge-triggered and one-shot. A file counts its wake-ups (news_in,
 * news_out); an edge-triggered item is looked at again once one that it waits for was counted. What was
 * reported goes to the end, so that all have their turn.
 */
#include "sockets_private.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define EPOLL_PRIVATE (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)
#define EPOLL_INWARD  (EPOLLIN | EPOLLRDNORM | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)
#define EPOLL_OUTWARD (EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR)
#define MAX_DEPTH     5
#define MAX_EVENTS    (0x7fffffff / (int)sizeof(struct epoll_event))

int sockets_epoll_create(struct sockets *s, int flags)
{
    if ((flags & ~EPOLL_CLOEXEC) != 0) {
        return -EINVAL;
    }
    struct file *file = file_new(FILE_EPOLL, O_RDWR);
    if (file == NULL) {
        return -ENOMEM;
    }
    int fd = descriptor_new(s, file, 0, (flags & EPOLL_CLOEXEC) != 0);
    if (fd < 0) {
        free(file);
    }
    return fd;
}

void epoll_drop(struct file *file)
{
    free(file->epoll.items);
}

static void item_remove(struct epoll_set *set, unsigned i)
{
    memmove(&set->items[i], &set->items[i + 1], (set->count - i - 1) * sizeof set->items[0]);
    set->count--;
}

void epoll_forget(struct sockets *s, const struct file *file)
{
    for (int fd = 0; fd < s->descriptor_count; fd++) {
        struct file *owner = s->descriptors[fd].file;
        if (owner == NULL || owner->kind != FILE_EPOLL) {
            continue;
        }
        struct epoll_set *set = &owner->epoll;
        for (unsigned i = set->count; i > 0; i--) {
            if (set->items[i - 1].file == file) {
                item_remove(set, i - 1);
            }
        }
    }
}

/* ------------------------------------------------------------------------------------------- what is up */

/* What an item has to report now. Linux looks only where a wake-up has put it on its list. */
static uint32_t item_events(struct sockets *s, const struct epoll_item *item)
{
    uint32_t wanted = item->events & ~EPOLL_PRIVATE;
    if (wanted == 0) {
        return 0; /* one-shot, and shot */
    }
    if ((item->events & EPOLLET) && !item->armed) {
        bool in = item->seen_in != item->file->news_in && (wanted & EPOLL_INWARD) != 0;
        bool out = item->seen_out != item->file->news_out && (wanted & EPOLL_OUTWARD) != 0;
        if (!in && !out) {
            return 0;
        }
    }
    return file_poll(s, item->file) & wanted;
}

unsigned epoll_poll(struct sockets *s, struct file *file)
{
    for (unsigned i = 0; i < file->epoll.count; i++) {
        if (item_events(s, &file->epoll.items[i]) != 0) {
            return POLLIN | POLLRDNORM;
        }
    }
    return 0;
}

static void item_seen(struct epoll_item *item)
{
    item->seen_in = item->file->news_in;
    item->seen_out = item->file->news_out;
    item->armed = false;
}

static int epoll_collect(struct sockets *s, struct epoll_set *set, struct epoll_event *events, int max)
{
    int found = 0;
    unsigned looked = 0, i = 0;
    for (unsigned count = set->count; looked < count && found < max; looked++) {
        struct epoll_item item = set->items[i];
        uint32_t ready = item_events(s, &item);
        if (ready == 0) {
            i++;
            continue;
        }
        events[found].events = ready;
        events[found++].data = item.data;
        item_seen(&item);
        if (item.events & EPOLLONESHOT) {
            item.events &= EPOLL_PRIVATE;
        }
        item_remove(set, i);
        set->items[set->count++] = item;
    }
    return found;
}

int sockets_epoll_wait(struct sockets *s, uint64_t now, int epfd, struct epoll_event *events, int max,
                       int timeout_ms, struct sockets_wait *wait)
{
    sockets_update(s, now);
    struct file *file = file_of(s, epfd);
    if (max <= 0 || max > MAX_EVENTS) {
        return -EINVAL;
    }
    if (events == NULL) {
        return -EFAULT;
    }
    if (file == NULL) {
        return -EBADF;
    }
    if (file->kind != FILE_EPOLL) {
        return -EINVAL;
    }
    int found = epoll_collect(s, &file->epoll, events, max);
    if (found > 0 || timeout_ms == 0) {
        return found;
    }
    uint64_t timeout_ns = timeout_ms < 0 ? 0 : (uint64_t)timeout_ms * (NANOSECONDS / 1000);
    return call_wait(s, wait, false, timeout_ns) == SOCKETS_BLOCKED ? SOCKETS_BLOCKED : 0;
}

/* ---------------------------------------------------------------------------------------- epoll_ctl() */

/* Whether `file` is, or watches, `target`; sets may stand in sets, at most MAX_DEPTH deep. */
static bool reaches(const struct file *file, const struct file *target, unsigned depth)
{
    if (file == target || depth == MAX_DEPTH) {
        return true;
    }
    for (unsigned i = 0; file->kind == FILE_EPOLL && i < file->epoll.count; i++) {
        if (reaches(file->epoll.items[i].file, target, depth + 1)) {
            return true;
        }
    }
    return false;
}

static struct epoll_item *item_find(const struct epoll_set *set, const struct file *file, int fd)
{
    for (unsigned i = 0; i < set->count; i++) {
        if (set->items[i].file == file && set->items[i].fd == fd) {
            return &set->items[i];
        }
    }
    return NULL;
}

static void item_set(struct epoll_item *item, const struct epoll_event *event)
{
    item->events = event->events | EPOLLERR | EPOLLHUP;
    item->data = event->data;
    item->armed = true;
}

static int item_add(struct epoll_set *set, struct file *file, int fd, const struct epoll_event *event)
{
    if (set->count == set->room) {
        unsigned room = set->room == 0 ? 8 : 2 * set->room;
        struct epoll_item *grown = realloc(set->items, room * sizeof *grown);
        if (grown == NULL) {
            return -ENOMEM;
        }
        set->items = grown;
        set->room = room;
    }
    struct epoll_item *item = &set->items[set->count++];
    *item = (struct epoll_item){.file = file, .fd = fd};
    item_set(item, event);
    return 0;
}

/* EPOLLEXCLUSIVE is for EPOLL_CTL_ADD, with few others, and not for sets. */
static bool exclusive_is_wrong(const struct file *file, int op, const struct epoll_event *event)
{
    const uint32_t beside = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
    return (event->events & EPOLLEXCLUSIVE) != 0 &&
           (op == EPOLL_CTL_MOD || file->kind == FILE_EPOLL || (event->events & ~beside) != 0);
}

static int control(struct epoll_set *set, struct file *file, int op, int fd, const struct epoll_event *event)
{
    struct epoll_item *item = item_find(set, file, fd);
    switch (op) {
    case EPOLL_CTL_ADD: return item != NULL ? -EEXIST : item_add(set, file, fd, event);
    case EPOLL_CTL_MOD:
        if (item == NULL) {
            return -ENOENT;
        }
        if (item->events & EPOLLEXCLUSIVE) {
            return -EINVAL;
        }
        item_set(item, event);
        return 0;
    case EPOLL_CTL_DEL:
        if (item == NULL) {
            return -ENOENT;
        }
        item_remove(set, (unsigned)(item - set->items));
        return 0;
    default: return -EINVAL;
    }
}

int sockets_epoll_ctl(struct sockets *s, uint64_t now, int epfd, int op, int fd, struct epoll_event *event)
{
    sockets_update(s, now);
    struct file *set = file_of(s, epfd);
    struct file *file = file_of(s, fd);
    if (event == NULL && op != EPOLL_CTL_DEL) {
        return -EFAULT;
    }
    if (set == NULL || file == NULL) {
        return -EBADF;
    }
    if (set->kind != FILE_EPOLL || set == file) {
        return -EINVAL;
    }
    if (op != EPOLL_CTL_DEL && exclusive_is_wrong(file, op, event)) {
        return -EINVAL;
    }
    if (op == EPOLL_CTL_ADD && file->kind == FILE_EPOLL && reaches(file, set, 0)) {
        return -ELOOP;
    }
    return control(&set->epoll, file, op, fd, event);
}
