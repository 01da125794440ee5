/* SPDX-License-Identifier: MIT
 * aspace.h: the address space of the dead process: from an address to a checked pointer.
 *
 * Ranges of bytes, each backed by the mapped core file or by a mapped file of the dead machine
 * (text and read-only data that the core left out), never overlapping: what was added first wins.
 * df_ptr gives a pointer straight into the backing bytes, without copying, in constant time: a
 * two-level table of 4 KiB pages leads to the range. Immutable after df_aspace_seal, so any number
 * of threads may read; before it, nothing can be read.
 *
 * Bytes of a snapshot are compressed in its file, and come when they are first asked for: until
 * then `host` leads to memory without them. The rule: whether bytes exist is read off a range
 * (`host` is not NULL), the bytes themselves only through df_ptr, df_range_ptr and df_read, and of
 * what these give no more than the `size` that was asked for. tests/lint/check_law.py looks for
 * `host +`.
 */
#ifndef DF_ASPACE_H
#define DF_ASPACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dumpfmt/base/err.h"

enum df_origin { DF_ABSENT, DF_FROM_CORE, DF_FROM_FILE };

struct df_range {
    uint64_t start, end; /* [start, end) */
    const uint8_t *host; /* where the bytes of start are, or will be: see above; NULL for absent
                            ranges (known, but without bytes) */
    uint8_t origin;      /* enum df_origin */
    uint8_t flags;       /* PF_R | PF_W | PF_X */
};

#define DF_PAGE_SHIFT 12
#define DF_ADDRESS_BITS 48
#define DF_L1_SHIFT 32
#define DF_L1_ENTRIES (1u << (DF_ADDRESS_BITS - DF_L1_SHIFT))
#define DF_L2_ENTRIES (1u << (DF_L1_SHIFT - DF_PAGE_SHIFT))
#define DF_PAGE_SHARED UINT32_MAX /* page table value: several ranges share this page, search */

/* Bytes that come when they are first asked for, in chunks: what a snapshot is to its space. */
#define DF_BACKING_SHIFT 16
enum df_presence { DF_BYTES_AWAY, DF_BYTES_THERE, DF_BYTES_DAMAGED };
struct df_backing {
    const uint8_t *base;       /* all `host` of the space lie behind it */
    _Atomic uint8_t *presence; /* of each (1 << DF_BACKING_SHIFT) bytes from base on */
    /* Brings a chunk; false when it is damaged. Threads may call at once. */
    bool (*bring)(struct df_backing *backing, uint64_t chunk);
};

struct df_aspace {
    struct df_range *ranges; /* sorted by start after seal */
    size_t count, capacity;
    uint32_t **pages;  /* [DF_L1_ENTRIES] of [DF_L2_ENTRIES]: range index + 1, 0 none */
    uint32_t *unpaged; /* the level 2 table of regions without one of their own: all "search" */
    struct df_backing *backing; /* borrowed; NULL: all bytes are there from the start */
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

/* Sees to it that `size` bytes at host are there; false when they are damaged. */
static inline bool df_bring(const struct df_aspace *space, const uint8_t *host, uint64_t size)
{
    struct df_backing *backing = space->backing;
    if (__builtin_expect(!backing, 1))
        return true;
    uint64_t start = (uint64_t)(host - backing->base);
    uint64_t last = (start + (size ? size - 1 : 0)) >> DF_BACKING_SHIFT;
    for (uint64_t chunk = start >> DF_BACKING_SHIFT; chunk <= last; chunk++)
        if (atomic_load_explicit(&backing->presence[chunk], memory_order_acquire) !=
                DF_BYTES_THERE &&
            !backing->bring(backing, chunk))
            return false;
    return true;
}

/* df_ptr where the range is known: it has bytes, and all of [address, address + size) is in it. */
static inline const void *df_range_ptr(const struct df_aspace *space, const struct df_range *range,
                                       uint64_t address, uint64_t size)
{
    const uint8_t *host = range->host + (address - range->start);
    return df_bring(space, host, size) ? host : NULL;
}

/* A pointer to `size` bytes at address, or NULL when they are not all there, or not contiguous in
 * the backing (two ranges): use df_read then. size 0 asks for 1. Nothing is promised about the
 * pointer's alignment (gdb puts segments at any file offset): read through memcpy. */
static inline const void *df_ptr(const struct df_aspace *space, uint64_t address, uint64_t size)
{
    const struct df_range *range = df_aspace_range(space, address);
    if (!range || !range->host || range->end - address < size)
        return NULL;
    return df_range_ptr(space, range, address, size);
}

/* How many bytes are contiguously readable at address through df_ptr (0 when none), unless they are
 * damaged (df_ptr gives NULL then). */
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
