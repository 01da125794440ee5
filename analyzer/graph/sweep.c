/* SPDX-License-Identifier: MIT
 * sweep.c: the order of the sweep.
 *
 * Objects and their buffers set a bit where they begin. Every used block without such a bit is
 * open; objects among the open blocks are discovered, which may give others an owner; the rest is
 * followed from words that lead to it, which waits until objects have their numbers: their types
 * need not be read again then. All steps but the first two concern open blocks alone, of which
 * there are few.
 */
#include "analyzer/graph/sweep_internal.h"

#include <stdlib.h>

#include "analyzer/algo/csr.h"
#include "analyzer/graph/runs.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

struct marker { /* what one thread needs to mark objects and their buffers */
    const struct gr_sweeping *sweeping;
    struct py_objects *objects;
    const struct gr_area *last;
    bool alone; /* no other thread sets bits */
};

static void set_bit(struct marker *marker, uint64_t *bits, uint64_t address)
{
    const struct gr_area *area = gr_area_near(marker->sweeping, address, &marker->last);
    if (!area)
        return;
    uint64_t bit = area->bit + (address - area->start) / 16;
    if (marker->alone)
        gr_set_bit(bits, bit);
    else
        __atomic_fetch_or(&bits[bit / 64], UINT64_C(1) << (bit % 64), __ATOMIC_RELAXED);
}

static void mark_buffer(void *context, uint64_t address, uint64_t size, enum py_buffer_kind kind)
{
    struct marker *marker = context;
    (void)size;
    (void)kind;
    set_bit(marker, marker->sweeping->buffers, address);
}

static void mark_object(struct marker *marker, uint64_t object)
{
    set_bit(marker, marker->sweeping->objects, object);
    py_buffers(marker->objects, object, py_object_type(marker->objects, object), mark_buffer,
               marker);
}

struct marking { /* what threads share that mark what was found */
    const struct gr_sweeping *sweeping;
    struct gr_runs runs;
    struct py_objects **workers; /* one a thread */
    uint32_t count;
};

static void mark_runs(void *context, uint32_t i)
{
    struct marking *marking = context;
    struct marker marker = {.sweeping = marking->sweeping,
                            .objects = marking->workers[i],
                            .alone = marking->count == 1};
    struct gr_run run;
    uint64_t object, place;
    while (gr_runs_take(&marking->runs, &run))
        for (uint32_t v = run.first; v < run.end && gr_places_next(&run.cursor, &object, &place);
             v++)
            mark_object(&marker, object);
}

/* Bits of all objects. */
static void mark_found(struct gr_sweeping *sweeping)
{
    struct gr_discovery *discovery = sweeping->discovery;
    struct marking marking = {.sweeping = sweeping,
                              .workers = py_objects_workers(discovery->objects, discovery->jobs),
                              .count = discovery->jobs};
    gr_runs_init(&marking.runs, &discovery->places);
    df_threads_run(marking.count, mark_runs, &marking);
    gr_runs_deinit(&marking.runs);
    py_objects_close_workers(marking.workers, marking.count);
}

/* Of those that were discovered since. */
static void mark_fresh(struct gr_sweeping *sweeping)
{
    struct marker marker = {
        .sweeping = sweeping, .objects = sweeping->discovery->objects, .alone = true};
    for (size_t i = 0; i < sweeping->discovery->fresh.count; i++)
        mark_object(&marker, sweeping->discovery->fresh.items[i]);
}

/* Whether a bit is set in the block's part of a bitmap. */
static bool has_bit(const uint64_t *bits, uint64_t first, uint64_t count)
{
    uint64_t end = first + count, word = first / 64;
    uint64_t mask = ~UINT64_C(0) << (first % 64);
    for (; word < end / 64; word++, mask = ~UINT64_C(0))
        if (bits[word] & mask)
            return true;
    mask &= (UINT64_C(1) << (end % 64)) - 1;
    return bits[word] & mask;
}

static enum gr_memory owner(const struct gr_sweeping *sweeping, const struct gr_area *area,
                            uint64_t address, uint64_t size)
{
    uint64_t first = area->bit + (address - area->start) / 16, count = (size + 15) / 16;
    if (has_bit(sweeping->objects, first, count))
        return GR_MEMORY_OBJECTS;
    return has_bit(sweeping->buffers, first, count) ? GR_MEMORY_BUFFERS : GR_MEMORY_KINDS;
}

static void count(struct gr_sweeping *sweeping, enum gr_memory kind, uint64_t bytes)
{
    sweeping->sweep->blocks[kind]++;
    sweeping->sweep->bytes[kind] += bytes;
}

static void visit_block(struct gr_sweeping *sweeping, const struct gr_area *area, uint64_t address,
                        uint64_t size)
{
    enum gr_memory is = owner(sweeping, area, address, size);
    if (is != GR_MEMORY_KINDS) {
        count(sweeping, is, size);
        return;
    }
    gr_set_bit(sweeping->waits, area->bit + (address - area->start) / 16);
    sweeping->hooked |= py_block_has_hook(sweeping->discovery->reader.space, address);
    DF_PUSH(&sweeping->open, (struct gr_open){.address = address,
                                              .size = size,
                                              .is = GR_MEMORY_KINDS,
                                              .chunk = area->kind == GR_AREA_MALLOC});
}

/* Looks for objects in open blocks. */
static void discover_lost(struct gr_sweeping *sweeping)
{
    for (size_t i = 0; i < sweeping->open.count; i++) {
        struct gr_open *open = &sweeping->open.items[i];
        uint64_t object;
        enum gr_found_block found = gr_block_object(sweeping, open, &object);
        if (found == GR_BLOCK_KEPT)
            open->is = GR_MEMORY_KEPT;
        else if (found == GR_BLOCK_OBJECT)
            gr_discover(sweeping->discovery, object, GR_FROM_SWEEP);
        if (sweeping->discovery->too_many)
            return;
    }
}

/* What the newly discovered objects own is open no more. */
static void close_owned(struct gr_sweeping *sweeping)
{
    for (size_t i = 0; i < sweeping->open.count; i++) {
        struct gr_open *open = &sweeping->open.items[i];
        const struct gr_area *area = gr_area_at(sweeping, open->address);
        enum gr_memory is = owner(sweeping, area, open->address, open->size);
        if (is == GR_MEMORY_KINDS && open->is == GR_MEMORY_KINDS)
            continue;
        if (is != GR_MEMORY_KINDS)
            open->is = (uint8_t)is;
        uint64_t bit = area->bit + (open->address - area->start) / 16;
        sweeping->waits[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
    }
}

static void count_open(struct gr_sweeping *sweeping)
{
    for (size_t i = 0; i < sweeping->open.count; i++) {
        const struct gr_open *open = &sweeping->open.items[i];
        enum gr_memory kind = (enum gr_memory)open->is;
        if (kind == GR_MEMORY_KINDS)
            kind = open->chunk ? GR_MEMORY_UNKNOWN_CHUNKS : GR_MEMORY_UNKNOWN_BLOCKS;
        count(sweeping, kind, open->size);
    }
}

static bool is_foreign(const struct gr_open *open)
{
    return open->is != GR_MEMORY_OBJECTS && open->is != GR_MEMORY_BUFFERS &&
           open->is != GR_MEMORY_KEPT;
}

/* Where C code may keep references. */
static struct df_err *list_foreign(struct gr_sweeping *sweeping)
{
    struct gr_sweep *sweep = sweeping->sweep;
    DF_TRY(df_array(sweeping->open.count, sizeof(*sweep->foreign), &sweep->foreign));
    for (size_t i = 0; i < sweeping->open.count; i++) {
        const struct gr_open *open = &sweeping->open.items[i];
        if (is_foreign(open))
            sweep->foreign[sweep->foreign_count++] =
                (struct gr_span){open->address, open->address + open->size};
    }
    return NULL;
}

static void tell(struct gr_sweeping *sweeping)
{
    struct gr_sweep *sweep = sweeping->sweep;
    const struct py_alloc *alloc = sweeping->alloc;
    sweep->lost = gr_discovered_from(sweeping->discovery, GR_FROM_SWEEP);
    sweep->pymalloc = alloc->found && alloc->pool_size;
    sweep->arenas = alloc->arena_count;
    sweep->pools = alloc->pool_count;
    sweep->used_blocks = alloc->used_blocks;
    sweep->raw_blocks = alloc->raw_blocks;
    sweep->damaged += alloc->damaged_arenas + alloc->damaged_pools + sweeping->malloc->damaged;
    sweep->malloc_note = sweeping->malloc->note;
}

static struct df_err *begin(struct gr_sweeping *sweeping)
{
    const struct df_progress *progress = sweeping->discovery->progress;
    df_progress(progress, "reading the allocators", 0, 0);
    DF_TRY(gr_areas_make(sweeping));
    df_progress(progress, "sweeping the heap", 0, 0);
    mark_found(sweeping);
    gr_areas_visit(sweeping, visit_block);
    sweeping->discovery->logging = true;
    discover_lost(sweeping);
    DF_TRY(gr_discover_all(sweeping->discovery));
    sweeping->discovery->logging = false;
    mark_fresh(sweeping);
    close_owned(sweeping);
    free(DF_TAKE(sweeping->objects));
    free(DF_TAKE(sweeping->buffers));
    return NULL;
}

struct df_err *gr_sweep_begin(struct gr_discovery *discovery, struct gr_sweeping **ret)
{
    struct gr_sweeping *sweeping = df_xcalloc(1, sizeof(*sweeping));
    *ret = sweeping;
    sweeping->discovery = discovery;
    sweeping->sweep = df_xcalloc(1, sizeof(*sweeping->sweep));
    return begin(sweeping);
}

struct df_err *gr_sweep_end(struct gr_sweeping *sweeping, const struct gr_graph *graph,
                            struct gr_sweep **ret)
{
    DF_TRY(gr_marks_follow(sweeping, graph));
    count_open(sweeping);
    tell(sweeping);
    DF_TRY(list_foreign(sweeping));
    *ret = DF_TAKE(sweeping->sweep);
    return NULL;
}

void gr_sweep_close(struct gr_sweeping *sweeping)
{
    if (!sweeping)
        return;
    gr_sweep_destroy(sweeping->sweep);
    py_alloc_close(sweeping->alloc);
    df_malloc_close(sweeping->malloc);
    free(sweeping->areas.items);
    free(sweeping->pages.items);
    free(sweeping->page_bits.items);
    free(sweeping->reserved.items);
    free(sweeping->objects);
    free(sweeping->buffers);
    free(sweeping->waits);
    free(sweeping->open.items);
    free(sweeping->refs.items);
    free(sweeping);
}

void gr_sweep_destroy(struct gr_sweep *sweep)
{
    if (!sweep)
        return;
    free(sweep->spans);
    free(sweep->foreign);
    free(sweep);
}
