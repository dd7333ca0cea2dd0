/*
 * The entry of the shared object: reads the flags, makes stack, interface and sockets anew, and fills the
 * table of calls. The host's addresses are chosen at random by packetdrill and told to nobody, so an address
 * that a script binds becomes ours, and packets for any are taken; a connection that names none comes from a
 * default.
 */
#include "sim/packetdrill/adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED    __attribute__((visibility("default")))
#define BEGINNING   (UINT64_C(1700000000) * 1000000000) /* the clock's first reading */
#define USAGE_ERROR 2

struct adapter adapter;

static void give_up(const char *what)
{
    fprintf(stderr, "libestab_packetdrill: %s\n", what);
    exit(USAGE_ERROR);
}

/* ---------------------------------------------------------------------------------------- begin and end */

static void adapter_close(void)
{
    if (!adapter.open) {
        return;
    }
    adapter_interrupt();
    sockets_free(adapter.sockets);
    while (adapter.first != NULL) {
        struct sent_packet *packet = adapter.first;
        adapter.first = packet->next;
        free(packet);
    }
    free(adapter.memory);
    memset(&adapter, 0, sizeof adapter);
}

static void add_interface(const struct adapter_settings *settings)
{
    struct estab_interface interface = {
        .size = sizeof interface, .mtu = settings->mtu, .accept_any_address = true};
    const struct estab_addr everywhere[2] = {estab_addr_ipv4(0, 0, 0, 0, 0), estab_addr_any(0)};
    int number = estab_interface_add(adapter.stack, adapter.now, &interface);
    if (number < 0) {
        give_up("the MTU is refused");
    }
    adapter.interface = (uint32_t)number;
    estab_route_add(adapter.stack, adapter.interface, &everywhere[0], 0, NULL);
    estab_route_add(adapter.stack, adapter.interface, &everywhere[1], 0, NULL);
}

static int add_address(const struct estab_addr *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool v4 = memcmp(address->ip, mapped, sizeof mapped) == 0;
    return estab_address_add(adapter.stack, adapter.now, adapter.interface, address, v4 ? 16 : 48);
}

/* Addresses that were named come first; then one of each family where packetdrill's networks are. */
static void add_addresses(const struct adapter_settings *settings)
{
    static const struct estab_addr defaults[2] = {
        {.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 0, 1}},
        {.ip = {0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
    };
    for (unsigned i = 0; i < settings->local_count; i++) {
        if (add_address(&settings->local[i]) != 0) {
            give_up("--so_flags: local=: not an address that an interface can have");
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        add_address(&defaults[i]);
    }
}

static void adapter_open(const struct adapter_settings *settings)
{
    const struct sockets_options options = {.reserve_fd = placeholder_open, .release_fd = placeholder_close};
    const char *field = NULL;
    int error = 0;
    char message[200];
    adapter.main = pthread_self();
    adapter.now = BEGINNING;
    adapter.memory = aligned_alloc(64, settings->memory);
    if (adapter.memory == NULL) {
        give_up("no memory");
    }
    adapter.stack = estab_init(adapter.memory, settings->memory, &settings->config, &error, &field);
    if (adapter.stack == NULL) {
        snprintf(message, sizeof message, "--so_flags: %s: %s", field != NULL ? field : "config",
                 estab_strerror(error));
        give_up(message);
    }
    add_interface(settings);
    add_addresses(settings);
    adapter.sockets = sockets_new(adapter.stack, &options);
    if (adapter.sockets == NULL) {
        give_up("no memory");
    }
    adapter.open = true;
}

/* --------------------------------------------------------------------------------------------- the entry */

static void packetdrill_free(void *userdata)
{
    (void)userdata;
    adapter_lock();
    adapter_close();
    adapter_unlock();
}

EXPORTED void packetdrill_interface_init(const char *flags, struct packetdrill_interface *ifc)
{
    struct adapter_settings settings;
    char message[400];
    const char *wrong = settings_read(&settings, flags, message, sizeof message);
    if (wrong != NULL) {
        give_up(wrong);
    }
    adapter_lock();
    adapter_close();
    adapter_open(&settings);
    adapter_unlock();
    memset(ifc, 0, sizeof *ifc);
    ifc->userdata = &adapter;
    ifc->free = packetdrill_free;
    calls_fill(ifc);
    ifc->usleep = packetdrill_usleep;
    ifc->gettimeofday = packetdrill_gettimeofday;
    ifc->netdev_send = packetdrill_netdev_send;
    ifc->netdev_receive = packetdrill_netdev_receive;
}
