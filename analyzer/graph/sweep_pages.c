/* SPDX-License-Identifier: MIT
 * sweep_pages.c: the memory of mimalloc, which free-threaded builds have instead of Python's own
 * allocator (and others by PYTHONMALLOC=mimalloc): pages of blocks of one size, in memory that is
 * reserved by the gigabyte.
 */
#include "analyzer/graph/sweep_internal.h"

#include <stdlib.h>

#include "analyzer/cpython/mimalloc.h"

#define SLICE (UINT64_C(64) << 10) /* the first one of a segment describes it */
#define SEGMENT (UINT64_C(32) << 20)

static void add_range(void *context, uint64_t start, uint64_t end)
{
    struct gr_sweeping *sweeping = context;
    DF_PUSH(&sweeping->reserved, (struct gr_span){start, end});
}

static void add_page(void *context, const struct py_mi_page *page)
{
    struct gr_sweeping *sweeping = context;
    DF_PUSH(&sweeping->pages, (struct gr_page){.start = page->start,
                                               .end = page->end,
                                               .first = page->first,
                                               .block_size = page->block_size,
                                               .capacity = page->capacity,
                                               .bits = sweeping->page_bits.count});
    for (uint64_t i = 0; i < (page->capacity + 63) / 64; i++)
        DF_PUSH(&sweeping->page_bits, page->free_bits[i]);
}

static int by_start(const void *left, const void *right)
{
    const struct gr_span *a = left, *b = right;
    return a->start < b->start ? -1 : a->start > b->start;
}

void gr_pages_read(struct gr_sweeping *sweeping)
{
    const struct py_mi_visitor visitor = {add_range, add_page, sweeping};
    if (!py_mimalloc_pages(sweeping->discovery->py, &visitor))
        sweeping->sweep->damaged += sweeping->reserved.count != 0;
    size_t kept = 0;
    if (sweeping->reserved.count)
        qsort(sweeping->reserved.items, sweeping->reserved.count, sizeof(*sweeping->reserved.items),
              by_start);
    for (size_t i = 0; i < sweeping->reserved.count; i++) {
        struct gr_span span = sweeping->reserved.items[i];
        if (!kept || span.start >= sweeping->reserved.items[kept - 1].end)
            sweeping->reserved.items[kept++] = span;
    }
    sweeping->reserved.count = kept;
}

/* What is behind the blocks was never handed out. */
void gr_page_visit(struct gr_visit *visit, const struct gr_area *area, gr_block_visitor visitor)
{
    const struct gr_page *page = &visit->sweeping->pages.items[area->index];
    const uint64_t *bits = visit->sweeping->page_bits.items + page->bits;
    uint64_t at = page->first, used = 0;
    for (uint64_t i = 0; i < page->capacity && at + page->block_size <= area->end;
         i++, at += page->block_size) {
        if (bits[i / 64] >> (i % 64) & 1)
            continue;
        visitor(visit, area, at, page->block_size);
        used += page->block_size;
    }
    uint64_t head = page->first - area->start;
    if (head > area->end - area->start)
        head = area->end - area->start;
    gr_visit_count(visit, GR_MEMORY_POOLS, 0, head);
    gr_visit_count(visit, GR_MEMORY_FREE, 0, area->end - area->start - head - used);
}

/* The first byte at or behind address that some range has; UINT64_MAX when none has. */
static uint64_t next_range(const struct df_aspace *space, uint64_t address)
{
    size_t low = 0, high = space->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (space->ranges[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == space->count)
        return UINT64_MAX;
    return space->ranges[low].start > address ? space->ranges[low].start : space->ranges[low].end;
}

/* A piece of reserved memory between pages, as far as its bytes are there. */
static void add_rest(struct gr_sweeping *sweeping, uint64_t start, uint64_t end)
{
    const struct df_aspace *space = sweeping->discovery->reader.space;
    while (start < end) {
        uint64_t until = gr_readable_end(space, start, end);
        if (until == start) { /* not there: up to what is */
            start = next_range(space, start);
            continue;
        }
        uint64_t head = !(start % SEGMENT) && until - start <= SEGMENT ? SLICE : 0;
        head = head < until - start ? head : until - start;
        gr_span_add(sweeping->sweep, start, until);
        sweeping->sweep->bytes[GR_MEMORY_POOLS] += head;
        sweeping->sweep->bytes[GR_MEMORY_FREE] += until - start - head;
        start = until;
    }
}

void gr_pages_rest(struct gr_sweeping *sweeping)
{
    size_t a = 0;
    for (size_t i = 0; i < sweeping->reserved.count; i++) {
        uint64_t at = sweeping->reserved.items[i].start, end = sweeping->reserved.items[i].end;
        while (at < end) {
            while (a < sweeping->areas.count && sweeping->areas.items[a].end <= at)
                a++;
            bool more = a < sweeping->areas.count && sweeping->areas.items[a].start < end;
            uint64_t until = more ? sweeping->areas.items[a].start : end;
            if (until > at)
                add_rest(sweeping, at, until);
            at = more ? sweeping->areas.items[a].end : end;
        }
    }
}
