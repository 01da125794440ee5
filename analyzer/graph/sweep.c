/* SPDX-License-Identifier: MIT
 * sweep.c: the order of the sweep.
 *
 * Objects have their places' bits; their buffers set a bit where they begin. Every used block
 * without such a bit is open; objects among the open blocks are discovered, which may give others
 * an owner; the rest is followed from words that lead to it, which waits until objects have their
 * numbers: their types need not be read again then. All steps but the first two concern open blocks
 * alone, of which there are few.
 */
#include "analyzer/graph/sweep_internal.h"

#include <stdlib.h>

#include "analyzer/algo/csr.h"
#include "analyzer/graph/runs.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define AREAS 8   /* that one thread visits */
#define BATCH 64  /* objects that are fetched together */
#define TYPES 256 /* a thread's known ones */
#define FIELDS 48 /* first bytes of an object, in which it mostly says what it owns */

struct known_type {
    uint64_t address;
    uint32_t index;
    bool owner; /* its objects may own memory */
};

struct marker { /* what one thread needs to mark buffers */
    const struct gr_sweeping *sweeping;
    struct py_objects *objects;
    struct py_reader reader;
    const struct gr_area *last;
    bool alone; /* no other thread sets bits */
    struct known_type types[TYPES];
};

static void mark_buffer(void *context, uint64_t address, uint64_t size, enum py_buffer_kind kind)
{
    struct marker *marker = context;
    const struct gr_area *area = gr_area_near(marker->sweeping, address, &marker->last);
    uint64_t *bits = marker->sweeping->buffers, bit;
    (void)size;
    (void)kind;
    if (!area)
        return;
    bit = area->bit + (address - area->start) / 16;
    if (marker->alone)
        gr_set_bit(bits, bit);
    else
        __atomic_fetch_or(&bits[bit / 64], UINT64_C(1) << (bit % 64), __ATOMIC_RELAXED);
}

/* What was learned of a type, kept at a hash of its address. */
static const struct known_type *know_type(struct marker *marker, uint64_t address)
{
    struct known_type *known = &marker->types[address / 16 % TYPES];
    if (known->address == address && address)
        return known;
    known->address = address;
    known->index = py_type_index(marker->objects, address);
    known->owner = known->index != PY_NO_TYPE && py_has_buffers(marker->objects, known->index);
    return known;
}

static void mark_buffers(struct marker *marker, uint64_t object)
{
    const struct known_type *type = know_type(marker, py_type_of(&marker->reader, object));
    if (type->owner)
        py_buffer_places(marker->objects, object, type->index, mark_buffer, marker);
}

struct marking { /* what threads share that mark what was found */
    const struct gr_sweeping *sweeping;
    struct gr_runs runs;
    struct py_objects **workers; /* one a thread */
    uint32_t count;
};

/* Reads what a batch of objects begins with once all of it was asked for. */
static void mark_batch(struct marker *marker, const uint64_t *objects, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *bytes = py_ptr(&marker->reader, objects[i], FIELDS);
        if (!bytes)
            continue;
        __builtin_prefetch(bytes);
        __builtin_prefetch(bytes + FIELDS - 1);
    }
    for (uint32_t i = 0; i < count; i++)
        mark_buffers(marker, objects[i]);
}

static void mark_run(struct marker *marker, struct gr_run *run)
{
    uint64_t batch[BATCH], place;
    uint32_t count = 0;
    for (uint32_t v = run->first; v < run->end; v++) {
        if (!gr_places_next(&run->cursor, &batch[count], &place))
            break;
        if (++count < BATCH)
            continue;
        mark_batch(marker, batch, count);
        count = 0;
    }
    mark_batch(marker, batch, count);
}

static void mark_runs(void *context, uint32_t i)
{
    struct marking *marking = context;
    struct marker marker = {.sweeping = marking->sweeping,
                            .objects = marking->workers[i],
                            .reader = marking->sweeping->discovery->reader,
                            .alone = marking->count == 1};
    struct gr_run run;
    while (gr_runs_take(&marking->runs, &run))
        mark_run(&marker, &run);
}

/* What all objects own. */
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

/* What those own that were discovered since. */
static void mark_fresh(struct gr_sweeping *sweeping)
{
    struct marker marker = {.sweeping = sweeping,
                            .objects = sweeping->discovery->objects,
                            .reader = sweeping->discovery->reader,
                            .alone = true};
    for (size_t i = 0; i < sweeping->discovery->fresh.count; i++)
        mark_buffers(&marker, sweeping->discovery->fresh.items[i]);
}

/* Whether one of some bits is set. */
static inline bool any_bit(const uint64_t *bits, uint64_t first, uint64_t count)
{
    uint64_t word = first / 64, end = first + count, head;
    if (!count)
        return false;
    head = bits[word] >> (first % 64);
    if (first % 64 + count <= 64)
        return head << (64 - count);
    if (head)
        return true;
    for (word++; word < end / 64; word++)
        if (bits[word])
            return true;
    return end % 64 && bits[word] << (64 - end % 64);
}

/* has_object where the places are in several pieces. */
static bool some_piece_has(const struct gr_places *places, uint64_t start, uint64_t end)
{
    while (start < end) {
        const struct df_range *range = df_aspace_range(places->space, start);
        uint64_t stop = range && range->end < end ? range->end : end;
        if (!range || !range->host)
            return false;
        uint64_t first =
            places->first[range - places->space->ranges] + (start / 8 - range->start / 8);
        if (any_bit(places->bits, first, (stop - 1) / 8 - start / 8 + 1))
            return true;
        start = stop;
    }
    return false;
}

static inline bool has_object(const struct gr_sweeping *sweeping, const struct gr_area *area,
                              uint64_t address, uint64_t size)
{
    const struct gr_places *places = &sweeping->discovery->places;
    uint64_t end = size < area->end - address ? address + size : area->end;
    if (area->place == GR_NO_PLACE)
        return some_piece_has(places, address, end);
    return any_bit(places->bits, area->place + address / 8, (end + 7) / 8 - address / 8);
}

static inline enum gr_memory owner(const struct gr_sweeping *sweeping, const struct gr_area *area,
                                   uint64_t address, uint64_t size)
{
    if (has_object(sweeping, area, address, size))
        return GR_MEMORY_OBJECTS;
    return any_bit(sweeping->buffers, area->bit + (address - area->start) / 16, (size + 15) / 16)
               ? GR_MEMORY_BUFFERS
               : GR_MEMORY_KINDS;
}

static void visit_block(struct gr_visit *visit, const struct gr_area *area, uint64_t address,
                        uint64_t size)
{
    const struct gr_sweeping *sweeping = visit->sweeping;
    enum gr_memory is = owner(sweeping, area, address, size);
    if (is != GR_MEMORY_KINDS) {
        gr_visit_count(visit, is, 1, size);
        return;
    }
    gr_set_bit(sweeping->waits, area->bit + (address - area->start) / 16);
    visit->hooked |= py_block_has_hook(sweeping->discovery->reader.space, address);
    DF_PUSH(&visit->open, (struct gr_open){.address = address,
                                           .size = size,
                                           .is = GR_MEMORY_KINDS,
                                           .chunk = area->kind == GR_AREA_MALLOC});
}

/* An area's bits are in words of its own, so that nobody else writes to them. */
static void visit_some(void *context, uint32_t part)
{
    struct gr_visit *visit = (struct gr_visit *)context + part;
    const struct gr_sweeping *sweeping = visit->sweeping;
    for (size_t i = (size_t)part * AREAS; i < (size_t)(part + 1) * AREAS; i++)
        if (i < sweeping->areas.count)
            gr_area_visit(visit, &sweeping->areas.items[i], visit_block);
}

static void join(struct gr_sweeping *sweeping, struct gr_visit *visit)
{
    struct gr_sweep *sweep = sweeping->sweep;
    for (int kind = 0; kind < GR_MEMORY_KINDS; kind++) {
        sweep->blocks[kind] += visit->blocks[kind];
        sweep->bytes[kind] += visit->bytes[kind];
    }
    sweep->damaged += visit->damaged;
    sweeping->hooked |= visit->hooked;
    DF_APPEND(&sweeping->open, visit->open.items, visit->open.count);
    free(visit->open.items);
}

/* All used blocks; what is open is noted. */
static void visit_areas(struct gr_sweeping *sweeping)
{
    uint32_t parts = (uint32_t)((sweeping->areas.count + AREAS - 1) / AREAS);
    struct gr_visit *visits = df_xcalloc((size_t)parts + 1, sizeof(*visits));
    for (uint32_t i = 0; i < parts; i++)
        visits[i].sweeping = sweeping;
    df_threads_share(sweeping->discovery->jobs, parts, visit_some, visits);
    for (uint32_t i = 0; i < parts; i++)
        join(sweeping, &visits[i]);
    free(visits);
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
        sweeping->sweep->blocks[kind]++;
        sweeping->sweep->bytes[kind] += open->size;
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
    visit_areas(sweeping);
    sweeping->discovery->logging = true;
    discover_lost(sweeping);
    DF_TRY(gr_discover_all(sweeping->discovery));
    sweeping->discovery->logging = false;
    mark_fresh(sweeping);
    close_owned(sweeping);
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
