/* SPDX-License-Identifier: MIT
 * sweep_areas.c: what allocators took from the system, and the blocks in it.
 *
 * An area ends where its bytes do: what a damaged core says of sizes costs no more than the bytes
 * that are there.
 */
#include "analyzer/graph/sweep_internal.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

#define MAX_CHUNKS 100000 /* of one thread's frames */

uint64_t gr_readable_end(const struct df_aspace *space, uint64_t start, uint64_t end)
{
    uint64_t at = start;
    while (at < end) {
        uint64_t more = df_contiguous(space, at);
        if (!more)
            return at;
        at = more < end - at ? at + more : end;
    }
    return at;
}

static void add_area(struct gr_sweeping *sweeping, uint64_t start, uint64_t end,
                     enum gr_area_kind kind, size_t index)
{
    end = gr_readable_end(sweeping->discovery->reader.space, start, end);
    if (end > start)
        DF_PUSH(&sweeping->areas,
                (struct gr_area){
                    .start = start, .end = end, .kind = (uint8_t)kind, .index = (uint32_t)index});
}

/* _PyStackChunk: previous, size, top, data (Include/internal/pycore_interp.h, 3.11+). They come
 * from the arena allocator: mappings. */
static void add_frames(struct gr_sweeping *sweeping)
{
    const struct py *py = sweeping->discovery->py;
    struct py_reader reader = sweeping->discovery->reader;
    for (uint32_t i = 0; i < py->thread_count; i++) {
        uint64_t chunk = PY_PTR(&reader, py->threads[i].address, thread, datastack_chunk);
        struct py_cycle cycle = {0};
        for (uint32_t n = 0; chunk && n < MAX_CHUNKS && !py_cycle_closed(&cycle, chunk); n++) {
            uint64_t size = py_word(&reader, chunk + 8);
            if (!reader.fault && size <= UINT64_C(1) << 40)
                add_area(sweeping, chunk, chunk + size, GR_AREA_FRAMES, i);
            chunk = py_word(&reader, chunk);
        }
        reader.fault = false;
    }
}

static int by_start(const void *left, const void *right)
{
    const struct gr_area *a = left, *b = right;
    return a->start != b->start ? (a->start < b->start ? -1 : 1) : (int)a->kind - (int)b->kind;
}

/* Where the places of an area are, when they are in one piece. */
static uint64_t first_place(const struct gr_places *places, const struct gr_area *area)
{
    const struct df_range *range = df_aspace_range(places->space, area->start);
    if (!range || !range->host || area->end > range->end)
        return GR_NO_PLACE;
    return places->first[range - places->space->ranges] - range->start / 8;
}

/* Sorts, drops what overlaps, numbers the bits. */
static uint64_t settle(struct gr_sweeping *sweeping)
{
    size_t kept = 0;
    uint64_t bits = 0;
    if (sweeping->areas.count)
        qsort(sweeping->areas.items, sweeping->areas.count, sizeof(*sweeping->areas.items),
              by_start);
    for (size_t i = 0; i < sweeping->areas.count; i++) {
        struct gr_area area = sweeping->areas.items[i];
        if (kept && area.start < sweeping->areas.items[kept - 1].end) {
            sweeping->sweep->damaged++;
            continue;
        }
        area.bit = bits;
        area.place = first_place(&sweeping->discovery->places, &area);
        bits += ((area.end - area.start) / 16 + 64) & ~UINT64_C(63);
        sweeping->areas.items[kept++] = area;
    }
    sweeping->areas.count = kept;
    sweeping->low = kept ? sweeping->areas.items[0].start : 0;
    sweeping->high = kept ? sweeping->areas.items[kept - 1].end : 0;
    return bits;
}

static int by_span(const void *left, const void *right)
{
    const struct gr_span *a = left, *b = right;
    return a->start < b->start ? -1 : a->start > b->start;
}

static void make_spans(struct gr_sweeping *sweeping)
{
    struct gr_sweep *sweep = sweeping->sweep;
    for (size_t i = 0; i < sweeping->areas.count; i++)
        gr_span_add(sweep, sweeping->areas.items[i].start, sweeping->areas.items[i].end);
    gr_pages_rest(sweeping);
    if (sweep->span_count)
        qsort(sweep->spans, sweep->span_count, sizeof(*sweep->spans), by_span);
}

static struct df_err *find_malloc(struct gr_sweeping *sweeping)
{
    const struct py_alloc *alloc = sweeping->alloc;
    const struct df_dump *dump = sweeping->discovery->py->dump;
    DF_CLEANUP_FREE struct df_malloc_span *taken = NULL;
    size_t count = alloc->arena_count, all = count + sweeping->reserved.count;
    DF_TRY(df_malloc_open(dump, &sweeping->malloc));
    DF_TRY(df_array(all, sizeof(*taken), &taken));
    for (size_t i = 0; i < count; i++)
        taken[i] = (struct df_malloc_span){alloc->arenas[i].address, alloc->arenas[i].end};
    for (size_t i = count; i < all; i++)
        taken[i] = (struct df_malloc_span){sweeping->reserved.items[i - count].start,
                                           sweeping->reserved.items[i - count].end};
    if (all)
        qsort(taken, all, sizeof(*taken), by_span);
    df_malloc_find_mapped(sweeping->malloc, dump, taken, all);
    return NULL;
}

struct df_err *gr_areas_make(struct gr_sweeping *sweeping)
{
    DF_TRY(py_alloc_open(sweeping->discovery->py, &sweeping->alloc));
    gr_pages_read(sweeping);
    DF_TRY(find_malloc(sweeping));
    for (uint32_t i = 0; i < sweeping->alloc->arena_count; i++)
        add_area(sweeping, sweeping->alloc->arenas[i].address, sweeping->alloc->arenas[i].end,
                 GR_AREA_ARENA, i);
    for (size_t i = 0; i < sweeping->malloc->area_count; i++)
        add_area(sweeping, sweeping->malloc->areas[i].start, sweeping->malloc->areas[i].end,
                 GR_AREA_MALLOC, i);
    for (size_t i = 0; i < sweeping->pages.count; i++)
        add_area(sweeping, sweeping->pages.items[i].start, sweeping->pages.items[i].end,
                 GR_AREA_PAGE, i);
    add_frames(sweeping);
    uint64_t bits = settle(sweeping), words = bits / 64 + 1;
    sweeping->budget = bits * 4 + 65536;
    DF_TRY(df_array(words, 8, &sweeping->buffers));
    DF_TRY(df_array(words, 8, &sweeping->waits));
    make_spans(sweeping);
    return NULL;
}

const struct gr_area *gr_area_search(const struct gr_sweeping *sweeping, uint64_t address)
{
    const struct gr_area *areas = sweeping->areas.items;
    size_t low = 0, high = sweeping->areas.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (areas[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low || address >= areas[low - 1].end)
        return NULL;
    return &areas[low - 1];
}

/* Visits a pool's used blocks; returns the bytes that are accounted for. */
static uint64_t visit_pool(struct gr_visit *visit, const struct gr_area *area,
                           const struct py_pool *pool, gr_block_visitor visitor)
{
    const struct py_alloc *alloc = visit->sweeping->alloc;
    uint64_t bits[PY_POOL_WORDS];
    uint32_t all = (alloc->pool_size - alloc->header_size) / pool->block_size, idle = 0;
    if (!py_pool_free(alloc, visit->sweeping->discovery->reader.space, pool, bits))
        visit->damaged++;
    for (uint32_t i = 0; i < pool->carved; i++) {
        if (bits[i / 64] >> (i % 64) & 1)
            idle++;
        else
            visitor(visit, area, py_block_at(alloc, pool, i), pool->block_size);
    }
    idle += all - pool->carved;
    gr_visit_count(visit, GR_MEMORY_FREE, idle, (uint64_t)idle * pool->block_size);
    return (uint64_t)all * pool->block_size;
}

/* The first pool at an address or behind it. */
static uint32_t find_pool(const struct py_alloc *alloc, uint64_t address)
{
    uint32_t low = 0, high = alloc->pool_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (alloc->pools[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void visit_arena(struct gr_visit *visit, const struct gr_area *area,
                        gr_block_visitor visitor)
{
    const struct py_alloc *alloc = visit->sweeping->alloc;
    const struct py_arena *arena = &alloc->arenas[area->index];
    uint64_t bytes = area->end - area->start, used = 0, pools = 0;
    for (uint32_t i = find_pool(alloc, arena->address);
         i < alloc->pool_count && alloc->pools[i].address < arena->end; i++) {
        if (alloc->pools[i].address + alloc->pool_size > area->end)
            continue; /* not all there */
        used += visit_pool(visit, area, &alloc->pools[i], visitor);
        pools++;
    }
    uint64_t idle =
        (arena->pools - arena->carved_pools + arena->free_pools) * (uint64_t)alloc->pool_size;
    uint64_t damaged =
        arena->carved_pools > pools + arena->free_pools
            ? (arena->carved_pools - pools - arena->free_pools) * (uint64_t)alloc->pool_size
            : 0;
    idle = idle < bytes - used ? idle : bytes - used;
    damaged = damaged < bytes - used - idle ? damaged : bytes - used - idle;
    gr_visit_count(visit, GR_MEMORY_FREE, 0, idle);
    gr_visit_count(visit, GR_MEMORY_UNKNOWN_BLOCKS, 0, damaged);
    gr_visit_count(visit, GR_MEMORY_POOLS, 0, bytes - used - idle - damaged);
}

static void visit_malloc(struct gr_visit *visit, const struct gr_area *area,
                         gr_block_visitor visitor)
{
    const struct df_malloc *malloc = visit->sweeping->malloc;
    struct df_malloc_area whole = malloc->areas[area->index];
    struct df_chunk_cursor cursor;
    struct df_chunk chunk;
    if (whole.end > area->end)
        whole.end = area->end, whole.whole = false;
    if (whole.first > area->end)
        whole.first = area->end;
    uint64_t reached = whole.first;
    df_chunks_begin(malloc, visit->sweeping->discovery->reader.space, &whole, &cursor);
    while (df_chunks_next(&cursor, &chunk)) {
        reached = chunk.end;
        if (chunk.state != DF_CHUNK_USED) {
            gr_visit_count(visit, GR_MEMORY_MALLOC_FREE, chunk.state == DF_CHUNK_FREE,
                           chunk.end - chunk.start);
            continue;
        }
        gr_visit_count(visit, GR_MEMORY_MALLOC, 0, chunk.address - chunk.start);
        visitor(visit, area, chunk.address, chunk.end - chunk.address);
    }
    gr_visit_count(visit, GR_MEMORY_MALLOC, 0, whole.first - area->start);
    gr_visit_count(visit, whole.whole ? GR_MEMORY_MALLOC : GR_MEMORY_UNKNOWN_CHUNKS, 0,
                   area->end - reached);
}

void gr_area_visit(struct gr_visit *visit, const struct gr_area *area, gr_block_visitor visitor)
{
    if (area->kind == GR_AREA_ARENA)
        visit_arena(visit, area, visitor);
    else if (area->kind == GR_AREA_MALLOC)
        visit_malloc(visit, area, visitor);
    else if (area->kind == GR_AREA_PAGE)
        gr_page_visit(visit, area, visitor);
    else
        gr_visit_count(visit, GR_MEMORY_FRAMES, 1, area->end - area->start);
}
