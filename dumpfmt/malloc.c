/* SPDX-License-Identifier: MIT
 * malloc.c: from the main arena to all areas; the iteration of chunks.
 *
 * Everything is told from the bins, whose place in struct malloc_state has moved (2.26 put
 * have_fastchunks in front of them, 2.43 took the fast bins away), while what surrounds them has
 * not:
 *
 *   fastbinsY[10] | top | last_remainder | bins[254] | binmap, 16 bytes | next | next_free |
 *   attached_threads | system_mem | max_system_mem
 *
 * An area is believed when its chunks lead from its first byte to its end: each chunk's size is
 * aligned, within the area, and more than nothing, so a walk ends, whatever the bytes say.
 */
#include "dumpfmt/malloc.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/malloc_internal.h"

#define HEAP_MAX (UINT64_C(64) << 20) /* HEAP_MAX_SIZE: 2 * DEFAULT_MMAP_THRESHOLD_MAX, 64 bits */
#define HEAP_MAX_32M                                                            \
    (UINT64_C(32) << 20) /* with huge pages, or threshold tuned down: tried too \
                          */
#define STATE_BEHIND_BINS (BIN_BYTES + 16 + 5 * 8)

/* malloc's symbol in libc, or in a program that is linked statically. */
static struct df_module *find_libc(const struct df_modules *modules)
{
    for (uint32_t i = 0; i < modules->count; i++) {
        const char *name = modules->items[i].name;
        if (!strcmp(name, "libc.so.6") || !strncmp(name, "libc-2.", 7))
            return &modules->items[i];
    }
    return NULL;
}

/* bin_at: a bin is the links of a chunk that begins 16 bytes before it. One that is empty points to
 * itself; of one that is not, the first and the last chunk point back to it. */
static bool bin_is_good(const struct df_aspace *space, uint64_t bin)
{
    uint64_t first, last, back, forth;
    if (!df_u64(space, bin, &first) || !df_u64(space, bin + 8, &last) || (first & 7))
        return false;
    return df_u64(space, first + 24, &back) && df_u64(space, last + 16, &forth) &&
           back == bin - 16 && forth == bin - 16;
}

static uint32_t count_good_bins(const struct df_aspace *space, uint64_t bins)
{
    uint32_t good = 0;
    for (uint32_t i = 0; i < BINS; i++)
        good += bin_is_good(space, bins + i * UINT64_C(16));
    return good;
}

/* Some may be amid an operation of a thread that ran. */
static bool bins_are_good(const struct df_aspace *space, uint64_t bins)
{
    return count_good_bins(space, bins) >= BINS - 2;
}

/* Where the bins are, in [start, end); 0 when nowhere. */
static uint64_t search_bins(const struct df_aspace *space, uint64_t start, uint64_t end)
{
    for (uint64_t at = (start + 7) & ~UINT64_C(7); at + BIN_BYTES <= end; at += 8)
        if (bin_is_good(space, at) && count_good_bins(space, at) == BINS)
            return at;
    return 0;
}

static uint64_t bins_by_shape(const struct df_aspace *space, const struct df_module *libc)
{
    uint64_t bins = 0;
    for (uint32_t i = 0; i < libc->load_count && !bins; i++)
        if (libc->loads[i].flags & PF_W) {
            uint64_t end = libc->loads[i].end;
            for (uint64_t at = libc->loads[i].start; at < end && !bins;) {
                const struct df_range *range = df_aspace_range(space, at);
                if (!range)
                    break;
                if (range->host)
                    bins = search_bins(space, at, range->end < end ? range->end : end);
                at = range->end;
            }
        }
    return bins;
}

/* Offsets in struct malloc_state: of 2.43, of what is before 2.26, of what is between. */
static const uint64_t bins_places[] = {24, 104, 112};
#define BINS_PLACES (sizeof(bins_places) / sizeof(*bins_places))

/* The bins of an arena at this address. */
static uint64_t bins_of(const struct df_aspace *space, uint64_t arena)
{
    for (size_t i = 0; i < BINS_PLACES; i++)
        if (bins_are_good(space, arena + bins_places[i]))
            return arena + bins_places[i];
    return 0;
}

static uint64_t find_bins(struct df_malloc *malloc, const struct df_dump *dump)
{
    struct df_module *libc = find_libc(dump->modules);
    const struct df_symbol *symbol = libc ? df_module_symbol(libc, "main_arena") : NULL;
    if (!libc && dump->modules->executable)
        symbol = df_module_symbol(dump->modules->executable, "main_arena");
    uint64_t bins = symbol ? bins_of(dump->space, symbol->address) : 0;
    malloc->by_symbol = bins != 0;
    if (!bins && libc)
        bins = bins_by_shape(dump->space, libc);
    if (!bins && libc)
        malloc->note = "malloc's state was not found in libc's data: it had not been used, or the "
                       "core lacks it";
    else if (!bins)
        malloc->note = "no glibc was found in the program: blocks of another malloc are not told "
                       "apart, and what belongs to no object counts as unknown";
    return bins;
}

/* Whether a list of areas has come back to where it was (Brent's method). */
struct round {
    uint64_t mark, steps, limit;
};

static bool goes_round(struct round *round, uint64_t address)
{
    if (address == round->mark)
        return true;
    if (++round->steps > round->limit) {
        round->mark = address;
        round->steps = 0;
        round->limit = round->limit * 2 + 1;
    }
    return false;
}

/* No list is longer than there are chunks in the dump. */
static uint64_t fair_budget(const struct df_core *core)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < core->segment_count; i++)
        bytes += core->segments[i].file_size;
    return bytes / 8 + 65536;
}

static void add_area(struct df_malloc *malloc, struct df_malloc_area area)
{
    malloc->areas =
        df_grow(malloc->areas, malloc->area_count, &malloc->area_capacity, sizeof(area));
    malloc->areas[malloc->area_count++] = area;
}

uint64_t df_chunk_size(const struct df_aspace *space, uint64_t chunk, uint64_t end)
{
    uint64_t size;
    if (chunk >= end || !df_u64(space, chunk + 8, &size))
        return 0;
    size &= ~UINT64_C(7);
    return size < MIN_CHUNK || (size & 15) || size > end - chunk ? 0 : size;
}

/* Where the chunks from `first` on lead to, at most to `end`. A heap that was filled up ends with
 * two or three marks that are no chunks: less than MIN_CHUNK each. */
static uint64_t chase(const struct df_aspace *space, uint64_t first, uint64_t end)
{
    uint64_t at = first, size;
    while (at < end && (size = df_chunk_size(space, at, end)))
        at += size;
    return at;
}

static bool is_whole(const struct df_aspace *space, uint64_t first, uint64_t end, uint64_t top)
{
    uint64_t reached = chase(space, first, end);
    return reached == end || (!top && reached < end && end - reached <= 4 * 16);
}

/* system_mem says how long the main arena's memory is, when it is in one piece. */
static void add_main(struct df_malloc *malloc, const struct df_aspace *space, uint64_t bins)
{
    uint64_t top, size, bytes;
    if (!df_u64(space, bins - 16, &top) || top == bins - 16 || (top & 15) ||
        !(size = df_chunk_size(space, top, UINT64_MAX)) ||
        !df_u64(space, bins + BIN_BYTES + 16 + 24, &bytes))
        return; /* top is bins themselves until the first allocation (initial_top) */
    struct df_malloc_area area = {.end = top + size, .top = top, .kind = DF_AREA_MAIN};
    const struct df_range *range = df_aspace_range(space, top);
    uint64_t starts[2] = {bytes < area.end ? area.end - bytes : 0, range ? range->start : 0};
    for (int i = 0; i < 2 && !area.whole; i++) {
        area.start = starts[i];
        area.first = (starts[i] + 15) & ~UINT64_C(15);
        area.whole = area.start && area.first <= top && is_whole(space, area.first, area.end, top);
    }
    if (!area.whole) {
        malloc->damaged++;
        malloc->note = "the main arena of malloc is in pieces or damaged: not all of it was read";
        if (!range)
            return;
        area.start = area.first = top; /* what is known for sure */
        area.whole = is_whole(space, top, area.end, top);
    }
    add_area(malloc, area);
}

/* heap_info: ar_ptr, prev, size, mprotect_size, and from 2.35 on pagesize. The first heap of an
 * arena holds the arena behind that. */
static bool add_heap(struct df_malloc *malloc, const struct df_aspace *space, uint64_t heap,
                     uint64_t arena, uint64_t arena_end, uint64_t top)
{
    uint64_t owner, size;
    if (!df_u64(space, heap, &owner) || !df_u64(space, heap + 16, &size) || owner != arena ||
        size > HEAP_MAX || size < 64)
        return false;
    struct df_malloc_area area = {
        .start = heap, .end = heap + size, .kind = DF_AREA_HEAP, .top = top};
    uint64_t firsts[3] = {((arena_end + 15) & ~UINT64_C(15)), heap + 32, heap + 48};
    bool holds_arena = arena - heap < size;
    for (int i = holds_arena ? 0 : 1; i < (holds_arena ? 1 : 3) && !area.whole; i++) {
        area.first = firsts[i];
        area.whole = area.first < area.end && is_whole(space, area.first, area.end, top);
    }
    if (!area.whole)
        malloc->damaged++;
    add_area(malloc, area);
    return true;
}

/* All heaps of an arena other than the main one: from the one that has its top. */
static bool add_arena(struct df_malloc *malloc, const struct df_aspace *space, uint64_t arena,
                      uint64_t bins)
{
    uint64_t top, arena_end = bins + STATE_BEHIND_BINS, owner;
    if (!df_u64(space, bins - 16, &top))
        return false;
    uint64_t align = HEAP_MAX;
    if (!df_u64(space, top & ~(align - 1), &owner) || owner != arena)
        align = HEAP_MAX_32M;
    uint64_t heap = top & ~(align - 1);
    struct round round = {0};
    while (heap && malloc->area_count < DF_MAX_HEAPS) {
        uint64_t previous;
        if ((heap & (align - 1)) || goes_round(&round, heap) ||
            !add_heap(malloc, space, heap, arena, arena_end,
                      heap == (top & ~(align - 1)) ? top : 0) ||
            !df_u64(space, heap + 8, &previous))
            return false;
        if (heap == (arena & ~(align - 1)))
            break; /* the arena's own is its first */
        heap = previous;
    }
    return true;
}

static void add_arenas(struct df_malloc *malloc, const struct df_aspace *space, uint64_t main_bins)
{
    uint64_t arena_at = malloc->main_arena, bins = main_bins, offset = main_bins - arena_at;
    add_main(malloc, space, main_bins);
    if (offset > FAST_BINS * 8)
        df_malloc_fast_bins(malloc, space, main_bins);
    malloc->arenas = 1;
    struct round round = {0};
    for (uint64_t arena = 0; malloc->arenas < DF_MAX_HEAPS; malloc->arenas++) {
        if (!df_u64(space, bins + BIN_BYTES + 16, &arena) || arena == arena_at)
            break;
        bins = arena + offset;
        if (goes_round(&round, arena) || !bins_are_good(space, bins) ||
            !add_arena(malloc, space, arena, bins)) {
            malloc->damaged++;
            malloc->note = "malloc's list of arenas is damaged: not all of it was read";
            break;
        }
        if (offset > FAST_BINS * 8)
            df_malloc_fast_bins(malloc, space, bins);
    }
}

static int by_start(const void *left, const void *right)
{
    const struct df_malloc_area *a = left, *b = right;
    return a->start < b->start ? -1 : a->start > b->start;
}

static int by_address(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

void df_malloc_settle(struct df_malloc *malloc)
{
    size_t kept = 0;
    if (malloc->area_count)
        qsort(malloc->areas, malloc->area_count, sizeof(*malloc->areas), by_start);
    for (size_t i = 0; i < malloc->area_count; i++) {
        if (kept && malloc->areas[i].start < malloc->areas[kept - 1].end) {
            malloc->damaged++;
            continue;
        }
        malloc->areas[kept++] = malloc->areas[i];
    }
    malloc->area_count = kept;
    if (malloc->cached_count)
        qsort(malloc->cached, malloc->cached_count, sizeof(*malloc->cached), by_address);
}

struct df_err *df_malloc_open(const struct df_dump *dump, struct df_malloc **ret)
{
    struct df_malloc *malloc = df_xcalloc(1, sizeof(*malloc));
    uint64_t bins = find_bins(malloc, dump);
    malloc->budget = fair_budget(dump->core);
    if (bins) {
        /* Only distances from the bins matter: take the newer shape where the symbol is gone. The
         * list of arenas comes back to the true address, which the check below finds. */
        uint64_t next;
        malloc->main_arena = bins - 112;
        const struct df_aspace *space = dump->space;
        for (size_t i = 0; i < BINS_PLACES; i++)
            if (df_malloc_comes_back(space, bins, bins_places[i]))
                malloc->main_arena = bins - bins_places[i];
        if (df_u64(space, bins + BIN_BYTES + 16, &next))
            add_arenas(malloc, space, bins);
        df_malloc_settle(malloc);
        df_malloc_thread_caches(malloc, space);
        df_malloc_settle(malloc);
    }
    *ret = malloc;
    return NULL;
}

void df_malloc_close(struct df_malloc *malloc)
{
    if (!malloc)
        return;
    free(malloc->areas);
    free(malloc->cached);
    free(malloc);
}

void df_chunks_begin(const struct df_malloc *malloc, const struct df_aspace *space,
                     const struct df_malloc_area *area, struct df_chunk_cursor *ret)
{
    size_t low = 0, high = malloc->cached_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (malloc->cached[middle] < area->start)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = (struct df_chunk_cursor){
        .malloc = malloc, .space = space, .area = area, .at = area->first, .cached = low};
}

/* The chunk in front of the next one is in use, as that one says. At the end of a heap that is
 * full, the marks say it too. */
static bool in_use(const struct df_aspace *space, uint64_t next)
{
    uint64_t size;
    return !df_u64(space, next + 8, &size) || (size & 1);
}

static bool is_cached(struct df_chunk_cursor *cursor, uint64_t address)
{
    const struct df_malloc *malloc = cursor->malloc;
    while (cursor->cached < malloc->cached_count && malloc->cached[cursor->cached] < address)
        cursor->cached++;
    return cursor->cached < malloc->cached_count && malloc->cached[cursor->cached] == address;
}

bool df_chunks_next(struct df_chunk_cursor *cursor, struct df_chunk *ret)
{
    const struct df_malloc_area *area = cursor->area;
    uint64_t at = cursor->at, size = df_chunk_size(cursor->space, at, area->end);
    if (!size)
        return false;
    *ret = (struct df_chunk){.start = at, .end = at + size, .address = at + 16, .size = size - 8};
    cursor->at = ret->end;
    if (area->kind == DF_AREA_MAPPED) {
        ret->size = size - 16; /* no next chunk whose prev_size could be used */
        ret->state = DF_CHUNK_USED;
    } else if (at == area->top) {
        ret->state = DF_CHUNK_TOP;
    } else {
        bool used = in_use(cursor->space, ret->end) && !is_cached(cursor, ret->address);
        ret->state = used ? DF_CHUNK_USED : DF_CHUNK_FREE;
    }
    return true;
}
