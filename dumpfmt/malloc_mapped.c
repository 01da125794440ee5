/* SPDX-License-Identifier: MIT
 * malloc_mapped.c: chunks with a mapping of their own (sysmalloc_mmap in malloc/malloc.c).
 *
 * glibc keeps no list of them. Each begins on a page, has nothing before it (prev_size is what
 * alignment cost: 0; since 2.43 its lowest bit says that it has huge pages), the flag 2 alone, and
 * a size of whole pages within its mapping (since 2.43 less 16 bytes). The kernel merges mappings
 * of the same kind, so every page is asked; what a chunk spans is passed over.
 */
#include <elf.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/malloc_internal.h"

#define PAGE UINT64_C(4096)
#define IS_MMAPPED 2u
#define FLAGS UINT64_C(7)
#define HUGE_PAGES 1 /* MMAP_HP */
#define HEAD 16      /* CHUNK_HDR_SZ */

/* Of several stacks that of the thread that comes first in the core. */
static bool holds_stack(const struct df_lwp_order *stacks, uint64_t start, uint64_t end,
                        uint64_t *ret_sp)
{
    uint32_t first = UINT32_MAX;
    for (uint32_t i = df_lwp_order_find(stacks, start);
         i < stacks->count && stacks->rows[i].value < end; i++)
        if (stacks->rows[i].index < first) {
            first = stacks->rows[i].index;
            *ret_sp = stacks->rows[i].value;
        }
    return first != UINT32_MAX;
}

static bool of_file(const struct df_core *core, uint64_t address)
{
    uint32_t low = 0, high = core->mapping_count;
    while (low < high) { /* the last mapping that starts at or before the address */
        uint32_t middle = low + (high - low) / 2;
        if (core->mappings[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low && address < core->mappings[low - 1].end;
}

/* The bytes of the mapping that a chunk at this page would have; 0 when there is none. */
static uint64_t mapping_of(const struct df_aspace *space, uint64_t page, uint64_t end)
{
    uint64_t before, size;
    if (!df_u64(space, page, &before) || !df_u64(space, page + 8, &size) || before > HUGE_PAGES ||
        (size & FLAGS) != IS_MMAPPED || (size &= ~FLAGS) < MIN_CHUNK || size > end - page)
        return 0;
    if (size % PAGE == 0)
        return size;
    size += HEAD;
    return size % PAGE == 0 && size <= end - page ? size : 0;
}

static void look_between(struct df_malloc *malloc, const struct df_dump *dump,
                         const struct df_lwp_order *stacks, uint64_t start, uint64_t end)
{
    uint64_t sp;
    if (holds_stack(stacks, start, end, &sp)) /* what is below it is of no use, or the stack */
        start = sp;
    for (uint64_t at = (start + PAGE - 1) & ~(PAGE - 1); at < end && end - at >= PAGE;) {
        uint64_t step = mapping_of(dump->space, at, end);
        if (step) {
            struct df_malloc_area area = {
                .start = at, .end = at + step, .first = at, .kind = DF_AREA_MAPPED, .whole = true};
            malloc->areas =
                df_grow(malloc->areas, malloc->area_count, &malloc->area_capacity, sizeof(area));
            malloc->areas[malloc->area_count++] = area;
        }
        at += step ? step : PAGE;
    }
}

/* The first of `taken` and of the areas that ends behind `at`: both are sorted. */
static bool next_taken(const struct df_malloc *malloc, size_t areas,
                       const struct df_malloc_span *taken, size_t count, uint64_t at, size_t *i,
                       size_t *j, struct df_malloc_span *ret)
{
    while (*i < count && taken[*i].end <= at)
        (*i)++;
    while (*j < areas && malloc->areas[*j].end <= at)
        (*j)++;
    bool a = *i < count, b = *j < areas;
    if (!a && !b)
        return false;
    if (a && (!b || taken[*i].start <= malloc->areas[*j].start))
        *ret = taken[*i];
    else
        *ret = (struct df_malloc_span){malloc->areas[*j].start, malloc->areas[*j].end};
    return true;
}

void df_malloc_find_mapped(struct df_malloc *malloc, const struct df_dump *dump,
                           const struct df_malloc_span *taken, size_t count)
{
    size_t areas = malloc->area_count, i = 0, j = 0;
    struct df_lwp_order stacks;
    if (!malloc->main_arena)
        return;
    df_lwp_order_make(&stacks, dump->core, DF_LWP_SP);
    for (uint32_t s = 0; s < dump->core->segment_count; s++) {
        const struct df_segment *segment = &dump->core->segments[s];
        uint64_t at = segment->address, end = at + segment->file_size;
        struct df_malloc_span span;
        if (!(segment->flags & PF_W) || of_file(dump->core, at))
            continue;
        while (at < end) {
            bool more = next_taken(malloc, areas, taken, count, at, &i, &j, &span);
            uint64_t until = more && span.start < end ? span.start : end;
            if (at < until)
                look_between(malloc, dump, &stacks, at, until);
            at = more && span.start < end ? span.end : end;
        }
    }
    df_lwp_order_free(&stacks);
    df_malloc_settle(malloc);
}
