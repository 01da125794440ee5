/* SPDX-License-Identifier: MIT
 * sweep_internal.h: what the files of the sweep share.
 */
#ifndef GR_SWEEP_INTERNAL_H
#define GR_SWEEP_INTERNAL_H

#include "analyzer/cpython/alloc.h"
#include "analyzer/graph/discover.h"
#include "analyzer/graph/sweep.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/malloc.h"

#define GR_HOOK_SIZE 16 /* what debug hooks put before a block; large ones pass two of them */
#define GR_MAX_HOOKS 2

enum gr_area_kind { GR_AREA_ARENA, GR_AREA_MALLOC, GR_AREA_FRAMES, GR_AREA_PAGE };

struct gr_area { /* a stretch of memory that one allocator has cut up */
    uint64_t start, end;
    uint64_t bit;   /* of its first 16 bytes in the bitmaps; a multiple of 64 */
    uint64_t place; /* of address 0 among the discovery's places, were the area that long: may wrap;
                       GR_NO_PLACE: its places are not in one piece */
    uint32_t index; /* of the arena, of malloc's area, of mimalloc's page */
    uint8_t kind;   /* enum gr_area_kind */
};

struct gr_open {            /* a used block without an owner so far */
    uint64_t address, size; /* all of the block */
    uint8_t is;             /* enum gr_memory */
    bool chunk;             /* of malloc */
};

struct gr_open_list { /* by address */
    struct gr_open *items;
    size_t count, capacity;
};

struct gr_page { /* of mimalloc */
    uint64_t start, end, first, block_size, capacity;
    size_t bits; /* where its bits of free blocks begin */
};

struct gr_sweeping {
    struct gr_discovery *discovery;
    struct gr_sweep *sweep;
    struct py_alloc *alloc;
    struct df_malloc *malloc;
    struct {
        struct gr_page *items;
        size_t count, capacity;
    } pages;
    struct {
        uint64_t *items;
        size_t count, capacity;
    } page_bits;
    struct {
        struct gr_span *items; /* what mimalloc has reserved, sorted */
        size_t count, capacity;
    } reserved;
    struct {
        struct gr_area *items;
        size_t count, capacity;
    } areas;
    uint64_t low, high; /* of all areas */
    const struct gr_area *last;
    uint64_t *buffers; /* bitmap: a buffer begins here */
    uint64_t *waits;   /* an open block begins here */
    struct gr_open_list open;
    struct py_refs refs; /* scratch */
    uint64_t budget; /* references that objects which were not found may still have: each word of
                        the heap is one object's, whatever many claim */
    bool hooked;     /* some block has debug hooks */
};

/* Areas, and empty bitmaps for them (sweep_areas.c). */
struct df_err *gr_areas_make(struct gr_sweeping *sweeping);
const struct gr_area *gr_area_search(const struct gr_sweeping *sweeping, uint64_t address);

/* The area that holds address, or NULL. *last: one that may be it. */
static inline const struct gr_area *gr_area_near(const struct gr_sweeping *sweeping,
                                                 uint64_t address, const struct gr_area **last)
{
    if (address - sweeping->low >= sweeping->high - sweeping->low)
        return NULL;
    if (*last && address - (*last)->start < (*last)->end - (*last)->start)
        return *last;
    const struct gr_area *found = gr_area_search(sweeping, address);
    if (found)
        *last = found;
    return found;
}

static inline const struct gr_area *gr_area_at(struct gr_sweeping *sweeping, uint64_t address)
{
    return gr_area_near(sweeping, address, &sweeping->last);
}

struct gr_visit { /* what one thread has seen of some areas */
    const struct gr_sweeping *sweeping;
    struct gr_open_list open;
    uint64_t bytes[GR_MEMORY_KINDS], blocks[GR_MEMORY_KINDS];
    uint64_t damaged;
    bool hooked;
};

static inline void gr_visit_count(struct gr_visit *visit, enum gr_memory kind, uint64_t blocks,
                                  uint64_t bytes)
{
    visit->blocks[kind] += blocks;
    visit->bytes[kind] += bytes;
}

/* mimalloc's pages and what it has reserved; a page's used blocks; what is reserved and no page
 * (sweep_pages.c). */
void gr_pages_read(struct gr_sweeping *sweeping);
typedef void (*gr_block_visitor)(struct gr_visit *visit, const struct gr_area *area,
                                 uint64_t address, uint64_t size);
void gr_page_visit(struct gr_visit *visit, const struct gr_area *area, gr_block_visitor visitor);
void gr_pages_rest(struct gr_sweeping *sweeping);

/* The end of the bytes that are readable from start on, at most `end`. */
uint64_t gr_readable_end(const struct df_aspace *space, uint64_t start, uint64_t end);

/* One more stretch that is accounted for. */
static inline void gr_span_add(struct gr_sweep *sweep, uint64_t start, uint64_t end)
{
    sweep->spans =
        df_grow(sweep->spans, sweep->span_count, &sweep->span_capacity, sizeof(*sweep->spans));
    sweep->spans[sweep->span_count++] = (struct gr_span){start, end};
}

/* Visits every used block of an area by address; counts all its other bytes (sweep_areas.c). */
void gr_area_visit(struct gr_visit *visit, const struct gr_area *area, gr_block_visitor visitor);

/* Is there, in an open block, an object that nothing refers to; or a dead one that its type keeps?
 * (sweep_objects.c) *ret: the object. */
enum gr_found_block { GR_BLOCK_NONE, GR_BLOCK_OBJECT, GR_BLOCK_KEPT };
enum gr_found_block gr_block_object(struct gr_sweeping *sweeping, const struct gr_open *open,
                                    uint64_t *ret);

/* Says of open blocks who leads to them (sweep_marks.c). */
struct df_err *gr_marks_follow(struct gr_sweeping *sweeping, const struct gr_graph *graph);

/* The sweep after a discovery: discovers more. */
struct df_err *gr_sweep_begin(struct gr_discovery *discovery, struct gr_sweeping **ret);
/* The rest, when nodes have their numbers, places and types; reads only what it did not make. */
struct df_err *gr_sweep_end(struct gr_sweeping *sweeping, const struct gr_graph *graph,
                            struct gr_sweep **ret);
/* After either; NULL is allowed. */
void gr_sweep_close(struct gr_sweeping *sweeping);

#endif
