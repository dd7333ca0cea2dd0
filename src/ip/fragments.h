/*
 * Reassembly of IPv4 and IPv6 fragments (RFC 791 3.2, RFC 8200 4.5, RFC 5722) in a fixed number of slots,
 * each one datagram in contiguous memory. Two bitmaps of 8-byte units say which bytes are there and where a
 * fragment began, so that a fragment costs the same whatever came before it, and an overlap is found exactly.
 */
#ifndef ESTAB_IP_FRAGMENTS_H
#define ESTAB_IP_FRAGMENTS_H

#include "estab/estab.h"
#include "wire/ip_header.h"

#define FRAGMENT_SLOTS      16u
#define FRAGMENT_SLOT_MIN   2048u
#define FRAGMENT_SLOT_MAX   65536u
#define FRAGMENT_TIMEOUT_NS 15000000000ull

struct fragments;

/*
 * Bytes beyond which nothing is taken for `budget` bytes of slots: the slots, their maps and their records; 0
 * where no slot fits.
 */
size_t fragments_memory(uint32_t budget);
struct fragments *fragments_create(void *memory, uint32_t budget);

enum fragment_result {
    FRAGMENT_KEPT,     /* wait for the others */
    FRAGMENT_COMPLETE, /* *datagram is whole; its payload lies in the slot until the next call */
    FRAGMENT_DROPPED
};
enum fragment_result fragments_input(struct fragments *fragments, uint64_t now, struct ip_datagram *datagram);
void fragments_tick(struct fragments *fragments, uint64_t now);
uint64_t fragments_next_deadline(const struct fragments *fragments);
/* What is held now and at most, and how many datagrams were given up for others. */
struct fragments_use {
    size_t bytes;
    size_t bytes_max;
    uint64_t shed;
};
struct fragments_use fragments_use(const struct fragments *fragments);
const char *fragments_check(const struct fragments *fragments);

#endif
