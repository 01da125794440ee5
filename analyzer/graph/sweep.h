/* SPDX-License-Identifier: MIT
 * sweep.h: every block that an allocator has handed out, and what it is: after the discovery, the
 * rest.
 *
 * Blocks of Python's allocator and of malloc, by address: an object that was found, memory that
 * belongs to such an object, an object that nothing found refers to (it enters the discovery with
 * GR_FROM_SWEEP, and its references are followed), an object kept by its type for reuse, memory
 * that a word of an object, of C data or of a native stack leads to, or nothing that is known.
 * Every byte of what allocators took from the system is counted once.
 *
 * Linear in the heap: who owns a block is asked from bitmaps with one bit for 16 bytes.
 */
#ifndef GR_SWEEP_H
#define GR_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"

enum gr_memory {
    GR_MEMORY_OBJECTS,        /* blocks with objects */
    GR_MEMORY_BUFFERS,        /* items, tables, texts of objects */
    GR_MEMORY_KEPT,           /* objects that are dead and kept for reuse */
    GR_MEMORY_OF_OBJECTS,     /* other memory that words of objects lead to */
    GR_MEMORY_OF_DATA,        /* memory that C data leads to */
    GR_MEMORY_OF_STACKS,      /* memory that native stacks and registers lead to */
    GR_MEMORY_FRAMES,         /* frames of threads (3.11+) */
    GR_MEMORY_FREE,           /* free blocks and pools */
    GR_MEMORY_POOLS,          /* what Python's allocator itself needs: heads of pools, odd ends */
    GR_MEMORY_MALLOC_FREE,    /* free chunks */
    GR_MEMORY_MALLOC,         /* what malloc itself needs */
    GR_MEMORY_UNKNOWN_BLOCKS, /* blocks of Python's allocator that nothing known leads to */
    GR_MEMORY_UNKNOWN_CHUNKS, /* the same of malloc's; damaged parts of both */
    GR_MEMORY_KINDS
};

struct gr_span { /* [start, end) */
    uint64_t start, end;
};

struct gr_sweep {
    uint64_t bytes[GR_MEMORY_KINDS], blocks[GR_MEMORY_KINDS];
    struct gr_span *spans; /* sorted, disjoint: their bytes are what the sum of `bytes` is */
    size_t span_count, span_capacity;
    struct gr_span *foreign; /* used blocks that are neither objects nor buffers of one, sorted */
    size_t foreign_count;
    uint64_t lost; /* objects that only the sweep found */
    bool pymalloc; /* Python's allocator was read */
    uint32_t arenas, pools;
    uint64_t used_blocks, raw_blocks; /* as analyzer/cpython/alloc.h has them */
    uint64_t damaged;        /* arenas, pools, areas of malloc that contradict themselves */
    const char *malloc_note; /* why malloc's state was not read; NULL */
};

void gr_sweep_destroy(struct gr_sweep *sweep); /* NULL is allowed */

#endif
