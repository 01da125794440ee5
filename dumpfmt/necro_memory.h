/* SPDX-License-Identifier: MIT
 * necro_memory.h: the memory of a dead process in a FILE.necro, and an address space made of it.
 *
 * Kept are the ranges of an address space, each with its bytes in chunks that are compressed one by
 * one and have checksums of their own, or without (known, but absent). A space that is opened from
 * it has the same ranges; a chunk is unpacked when something of it is first asked for, so what
 * nobody looks at costs nothing. One that is damaged reads as absent, and df_necro_damage says so.
 *
 * Sections: "mem.ranges", "mem.chunks", "mem.bytes"; README.md specifies them.
 */
#ifndef DF_NECRO_MEMORY_H
#define DF_NECRO_MEMORY_H

#include "dumpfmt/aspace.h"
#include "dumpfmt/base/progress.h"
#include "dumpfmt/necro.h"

/* What to keep of a space. */
struct df_memory_filter {
    /* Whether a range keeps its bytes; the others become absent. NULL: all do. */
    bool (*wants)(void *context, const struct df_range *range);
    /* Gets a copy of the bytes of [address, address + size), all of one range and at most 64 KiB,
     * and may change them: zeros cost nothing. Called by several threads, in any order: what it
     * does must follow from its arguments alone. NULL: bytes stay as they are. */
    void (*change)(void *context, uint64_t address, uint8_t *bytes, uint32_t size);
    void *context;
    const struct df_progress *progress; /* "saving memory", in bytes */
};

/* Writes the sections. filter: NULL keeps all. */
struct df_err *df_memory_save(const struct df_aspace *space, const struct df_memory_filter *filter,
                              struct df_necro_writer *writer);

/* The space of a file, sealed; `necro` must outlive it. */
struct df_memory;
struct df_err *df_memory_open(struct df_necro *necro, struct df_memory **ret);
/* Owned by `memory`. */
struct df_aspace *df_memory_space(const struct df_memory *memory);
void df_memory_close(struct df_memory *memory); /* NULL is allowed */

#endif
