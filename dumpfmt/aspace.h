/* SPDX-License-Identifier: MIT
 * aspace.h: the address space of the dead process: from an address to a checked pointer.
 *
 * Ranges of bytes, each backed by the mapped core file or by a mapped file of the dead machine
 * (text and read-only data that the core left out), never overlapping: what was added first wins.
 * df_ptr gives a pointer straight into the backing bytes, without copying, in constant time: a
 * two-level table of 4 KiB pages leads to the range. Immutable after df_aspace_seal, so any number
 * of threads may read; before it, nothing can be read.
 */
#ifndef DF_ASPACE_H
#define DF_ASPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dumpfmt/base/err.h"

enum df_origin { DF_ABSENT, DF_FROM_CORE, DF_FROM_FILE };

struct df_range {
    uint64_t start, end; /* [start, end) */
    const uint8_t *host; /* bytes of start; NULL for absent ranges (known, but without bytes) */
    uint8_t origin;      /* enum df_origin */
    uint8_t flags;       /* PF_R | PF_W | PF_X */
};

#define DF_PAGE_SHIFT 12
#define DF_ADDRESS_BITS 48
#define DF_L1_SHIFT 32
#define DF_L1_ENTRIES (1u << (DF_ADDRESS_BITS - DF_L1_SHIFT))
#define DF_L2_ENTRIES (1u << (DF_L1_SHIFT - DF_PAGE_SHIFT))
#define DF_PAGE_SHARED UINT32_MAX /* page table value: several ranges share this page, search */

struct df_aspace {
    struct df_range *ranges; /* sorted by start after seal */
    size_t count, capacity;
    uint32_t **pages;  /* [DF_L1_ENTRIES] of [DF_L2_ENTRIES]: range index + 1, 0 none */
    uint32_t *unpaged; /* the level 2 table of regions without one of their own: all "search" */
    bool sealed;
};

struct df_aspace *df_aspace_create(void);
void df_aspace_destroy(struct df_aspace *space); /* NULL is allowed */

/* Adds [start, start + size) where nothing is yet; parts that are already there keep their first
 * bytes. `host` must outlive the space; NULL goes with DF_ABSENT: known to have existed, not
 * readable. Addresses of DF_ADDRESS_BITS and more are refused silently (no user process has them).
 * Must not be called after seal. */
void df_aspace_add(struct df_aspace *space, uint64_t start, uint64_t size, const uint8_t *host,
                   enum df_origin origin, uint32_t flags);
/* Sorts, builds the page table. */
struct df_err *df_aspace_seal(struct df_aspace *space);

/* The range that holds address (also an absent one), or NULL. */
const struct df_range *df_aspace_search(const struct df_aspace *space, uint64_t address);

static inline const struct df_range *df_aspace_range(const struct df_aspace *space,
                                                     uint64_t address)
{
    if (address >> DF_ADDRESS_BITS)
        return NULL;
    const uint32_t *level2 = space->pages[address >> DF_L1_SHIFT];
    if (!level2)
        return NULL;
    uint32_t index = level2[(address >> DF_PAGE_SHIFT) & (DF_L2_ENTRIES - 1)];
    if (!index)
        return NULL;
    if (index == DF_PAGE_SHARED)
        return df_aspace_search(space, address);
    const struct df_range *range = &space->ranges[index - 1];
    return address >= range->start && address < range->end ? range : NULL;
}

/* A pointer to `size` bytes at address, or NULL when they are not all there, or not contiguous in
 * the backing (two ranges): use df_read then. size 0 asks for 1. Nothing is promised about the
 * pointer's alignment (gdb puts segments at any file offset): read through memcpy. */
static inline const void *df_ptr(const struct df_aspace *space, uint64_t address, uint64_t size)
{
    const struct df_range *range = df_aspace_range(space, address);
    if (!range || !range->host || range->end - address < size)
        return NULL;
    return range->host + (address - range->start);
}

/* How many bytes are contiguously readable at address through df_ptr (0 when none). */
static inline uint64_t df_contiguous(const struct df_aspace *space, uint64_t address)
{
    const struct df_range *range = df_aspace_range(space, address);
    return range && range->host ? range->end - address : 0;
}

/* Copies size bytes, across ranges if need be. False, with nothing promised about buffer, when
 * some are missing. */
bool df_read(const struct df_aspace *space, uint64_t address, void *buffer, uint64_t size);

static inline bool df_u64(const struct df_aspace *space, uint64_t address, uint64_t *ret)
{
    const void *bytes = df_ptr(space, address, 8);
    if (!bytes)
        return df_read(space, address, ret, 8);
    memcpy(ret, bytes, 8);
    return true;
}

static inline bool df_u32(const struct df_aspace *space, uint64_t address, uint32_t *ret)
{
    const void *bytes = df_ptr(space, address, 4);
    if (!bytes)
        return df_read(space, address, ret, 4);
    memcpy(ret, bytes, 4);
    return true;
}

/* A NUL-terminated string of at most max bytes with its NUL, as a malloc'ed copy; NULL when it is
 * unreadable or longer. */
char *df_cstring(const struct df_aspace *space, uint64_t address, size_t max);

#endif
