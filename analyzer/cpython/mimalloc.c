/* SPDX-License-Identifier: MIT
 * mimalloc.c: walks the pages of a heap as mi_heap_visit_blocks and _mi_abandoned_pool_visit_blocks
 * do (Objects/mimalloc/heap.c, segment.c), without collecting anything first: what other threads
 * have freed is still on its lists.
 *
 * A block is free when it is on one of its page's three lists, or on the list of blocks that other
 * threads have given back to the heap (thread_delayed_free). Debug builds encode the links.
 *
 * Everything is hostile: a page must lie in the array of its segment and is visited once, its
 * blocks must lie in its own slices, a free list may only name its blocks, each once. A budget
 * bounds what pages that overlap could cost.
 */
#include "analyzer/cpython/mimalloc.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/layout_internal.h"
#include "dumpfmt/base/mem.h"

/* Include/internal/mimalloc/mimalloc/types.h, for 64 bits */
#define SEGMENT_MASK ((UINT64_C(32) << 20) - 1)
#define SLICE_SIZE (UINT64_C(64) << 10)
#define MAX_SLICES 1024                /* of a segment, the one with the segment itself included */
#define QUEUES 75                      /* MI_BIN_FULL + 1 */
#define HUGE_BLOCK (UINT64_C(2) << 30) /* a block size that stands for: all of the page */
#define DELAYED_MASK UINT64_C(3)       /* mi_delayed_t in the low bits of xthread_free */
#define MAX_CAPACITY 65536             /* of a page: a uint16_t */

struct page {
    uint64_t address;
    uint64_t start, block_size, capacity;
    uint64_t area, end; /* its slices */
    uint64_t free_bits[MAX_CAPACITY / 64];
};

struct walk {
    struct py_reader reader;
    enum py_mi_heap heap;
    bool (*visit)(void *context, uint64_t block);
    void *context;
    const struct py_mi_visitor *visitor; /* instead: pages, of all heaps */
    struct df_map pages;                 /* visited */
    struct df_map delayed;               /* blocks that other threads gave back */
    uint64_t budget;                     /* blocks, links and slices that may still be looked at */
    bool stopped, damaged;
    struct page page;
};

static bool spend(struct walk *walk)
{
    if (!walk->budget) {
        walk->stopped = walk->damaged = true;
        return false;
    }
    walk->budget--;
    return true;
}

/* mi_ptr_decode: `null` stands for the end. */
static uint64_t decode(uint64_t null, uint64_t word, const uint64_t keys[2])
{
    unsigned shift = keys[0] & 63;
    uint64_t x = word - keys[0];
    uint64_t rotated = shift ? x >> shift | x << (64 - shift) : x;
    uint64_t pointer = rotated ^ keys[1];
    return pointer == null ? 0 : pointer;
}

static bool encoded(const struct walk *walk)
{
    return PY_HAS(walk->reader.layout, mipage, keys);
}

/* The link in a free block. owner: the page or the heap that the list is of. */
static uint64_t next_free(struct walk *walk, uint64_t block, uint64_t owner, uint64_t keys_at)
{
    uint64_t word = py_word(&walk->reader, block);
    if (!encoded(walk))
        return word;
    uint64_t keys[2] = {py_word(&walk->reader, keys_at), py_word(&walk->reader, keys_at + 8)};
    return decode(owner, word, keys);
}

static bool mark_free(struct page *page, uint64_t block)
{
    uint64_t offset = block - page->start;
    if (block < page->start || offset >= page->capacity * page->block_size ||
        offset % page->block_size)
        return false;
    uint64_t i = offset / page->block_size, bit = UINT64_C(1) << (i % 64);
    if (page->free_bits[i / 64] & bit)
        return false;
    page->free_bits[i / 64] |= bit;
    return true;
}

/* Where a list leads astray the rest of its blocks counts as allocated. */
static void mark_list(struct walk *walk, uint64_t block)
{
    struct page *page = &walk->page;
    uint64_t keys_at = encoded(walk) ? PY_AT(walk->reader.layout, page->address, mipage, keys) : 0;
    while (block && spend(walk)) {
        if (!mark_free(page, block)) {
            walk->damaged = true;
            return;
        }
        block = next_free(walk, block, page->address, keys_at);
    }
}

/* Where the blocks of a page are; false when that contradicts itself (_mi_segment_page_start). */
static bool locate(struct walk *walk, uint64_t address)
{
    struct py_reader *reader = &walk->reader;
    const struct py_layout *layout = reader->layout;
    struct page *page = &walk->page;
    uint64_t segment = address & ~SEGMENT_MASK;
    uint64_t array = PY_AT(layout, segment, misegment, slices), size = PY_SIZEOF(layout, mipage);
    uint64_t index = address < array ? MAX_SLICES : (address - array) / size;
    if (!segment || index >= MAX_SLICES || !index || (address - array) % size)
        return false;
    uint64_t slices = (uint32_t)PY_GET(reader, address, mipage, slice_count);
    page->address = address;
    page->capacity = PY_GET(reader, address, mipage, capacity) & 0xffff;
    page->block_size = (uint32_t)PY_GET(reader, address, mipage, xblock_size);
    page->start = segment + index * SLICE_SIZE;
    if (!slices || reader->fault)
        return false;
    uint64_t room = slices * SLICE_SIZE;
    page->area = page->start;
    page->end = page->start + room;
    if (page->block_size >= HUGE_BLOCK)
        page->block_size = room;
    uint64_t gap = 0;
    if (page->block_size >= 8 && page->block_size <= 512)
        gap = page->block_size <= 64 ? 3 * page->block_size : page->block_size;
    page->start += gap;
    /* Only a huge page is larger than its segment, and it has one block. */
    if (index + slices > MAX_SLICES && page->capacity > 1)
        return false;
    return page->block_size >= 8 && page->block_size % 8 == 0 &&
           page->capacity * page->block_size <= room - gap;
}

static void visit_blocks(struct walk *walk)
{
    const struct page *page = &walk->page;
    for (uint64_t i = 0; i < page->capacity && !walk->stopped && spend(walk); i++) {
        uint64_t block = page->start + i * page->block_size;
        if (page->free_bits[i / 64] >> (i % 64) & 1)
            continue;
        if (walk->delayed.count && df_map_get(&walk->delayed, block) != DF_MAP_NONE)
            continue;
        if (!walk->visit(walk->context, block))
            walk->stopped = true;
    }
}

static void visit_page(struct walk *walk, uint64_t address)
{
    struct py_reader *reader = &walk->reader;
    if (!locate(walk, address)) {
        reader->fault = false;
        walk->damaged = true;
        return;
    }
    memset(walk->page.free_bits, 0, (walk->page.capacity + 63) / 64 * 8);
    mark_list(walk, PY_PTR(reader, address, mipage, free));
    mark_list(walk, PY_PTR(reader, address, mipage, local_free));
    mark_list(walk, PY_PTR(reader, address, mipage, xthread_free) & ~DELAYED_MASK);
    walk->damaged |= reader->fault;
    reader->fault = false;
    if (!walk->visitor) {
        visit_blocks(walk);
        return;
    }
    const struct page *page = &walk->page;
    const struct py_mi_page found = {.start = page->area,
                                     .end = page->end,
                                     .first = page->start,
                                     .block_size = page->block_size,
                                     .capacity = page->capacity,
                                     .free_bits = page->free_bits};
    walk->visitor->page(walk->visitor->context, &found);
}

/* Each page belongs to one queue of one heap: one that comes again is damage. */
static bool is_new_page(struct walk *walk, uint64_t address)
{
    bool added = false;
    df_map_add(&walk->pages, address, 0, &added);
    return added;
}

static void visit_queue(struct walk *walk, uint64_t queue)
{
    struct py_reader *reader = &walk->reader;
    uint64_t page = PY_PTR(reader, queue, miqueue, first);
    while (page && !walk->stopped && spend(walk)) {
        if (reader->fault || (page & 7) || !is_new_page(walk, page)) {
            walk->damaged = true;
            break;
        }
        visit_page(walk, page);
        page = PY_PTR(reader, page, mipage, next);
    }
    walk->damaged |= reader->fault;
    reader->fault = false;
}

static void note_delayed(struct walk *walk, uint64_t heap)
{
    struct py_reader *reader = &walk->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t keys_at =
        encoded(walk) && PY_HAS(layout, miheap, keys) ? PY_AT(layout, heap, miheap, keys) : 0;
    uint64_t block = PY_PTR(reader, heap, miheap, thread_delayed_free);
    while (block && spend(walk)) {
        bool added = false;
        df_map_add(&walk->delayed, block, 0, &added);
        if (!added || reader->fault) {
            walk->damaged = true;
            break;
        }
        block = next_free(walk, block, heap, keys_at);
    }
    walk->damaged |= reader->fault;
    reader->fault = false;
}

static void visit_thread(struct walk *walk, uint64_t thread)
{
    struct py_reader *reader = &walk->reader;
    const struct py_layout *layout = reader->layout;
    if (PY_HAS(layout, threadimpl, mi_initialized) &&
        !PY_GET(reader, thread, threadimpl, mi_initialized)) {
        walk->damaged |= reader->fault;
        reader->fault = false;
        return;
    }
    uint64_t heap = PY_AT(layout, thread, threadimpl, mi_heaps) +
                    (uint64_t)walk->heap * PY_SIZEOF(layout, miheap);
    note_delayed(walk, heap);
    for (uint32_t i = 0; i < QUEUES && !walk->stopped; i++)
        visit_queue(walk, PY_AT(layout, heap, miheap, pages) + i * PY_SIZEOF(layout, miqueue));
}

/* The pages of a segment that nobody owns: those with the heap's tag. */
static void visit_segment(struct walk *walk, uint64_t segment)
{
    struct py_reader *reader = &walk->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t index = PY_PTR(reader, segment, misegment, segment_info_slices);
    uint64_t end = PY_PTR(reader, segment, misegment, slice_entries);
    if (reader->fault || !index || end > MAX_SLICES) {
        walk->damaged = true;
        reader->fault = false;
        return;
    }
    while (index < end && !walk->stopped && spend(walk)) {
        uint64_t slice =
            PY_AT(layout, segment, misegment, slices) + index * PY_SIZEOF(layout, mipage);
        uint64_t count = (uint32_t)PY_GET(reader, slice, mipage, slice_count);
        uint64_t size = (uint32_t)PY_GET(reader, slice, mipage, xblock_size);
        uint64_t tag = PY_GET(reader, slice, mipage, tag);
        if (reader->fault) {
            walk->damaged = true;
            break;
        }
        if (size > 1 &&
            (walk->visitor ||
             tag == (uint64_t)walk->heap)) { /* 0: free; 1: not its page's first slice */
            if (is_new_page(walk, slice))
                visit_page(walk, slice);
            else
                walk->damaged = true;
        }
        index += count ? count : 1;
    }
    reader->fault = false;
}

static void visit_abandoned(struct walk *walk, uint64_t first)
{
    struct py_reader *reader = &walk->reader;
    struct py_cycle cycle = {0};
    uint64_t segment = first & ~SEGMENT_MASK; /* the low bits count changes */
    while (segment && !walk->stopped && spend(walk)) {
        if (py_cycle_closed(&cycle, segment)) {
            walk->damaged = true;
            break;
        }
        visit_segment(walk, segment);
        segment = PY_PTR(reader, segment, misegment, abandoned_next) & ~SEGMENT_MASK;
    }
    walk->damaged |= reader->fault;
    reader->fault = false;
}

/* No more blocks than the dump could hold, each with a link to read and a place in a page. */
static uint64_t fair_budget(const struct df_aspace *space)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < space->count; i++)
        if (space->ranges[i].host)
            bytes += space->ranges[i].end - space->ranges[i].start;
    return bytes / 4 + MAX_CAPACITY;
}

static bool complete(const struct py_layout *layout)
{
    return PY_HAS(layout, threadimpl, mi_heaps) && PY_HAS(layout, miheap, pages) &&
           PY_HAS(layout, miqueue, first) && PY_HAS(layout, mipage, next) &&
           PY_HAS(layout, mipage, capacity) && PY_HAS(layout, mipage, xblock_size) &&
           PY_HAS(layout, misegment, slices) && PY_SIZEOF(layout, mipage) &&
           PY_SIZEOF(layout, mipage) != PY_ABSENT && PY_SIZEOF(layout, miheap) != PY_ABSENT &&
           PY_SIZEOF(layout, miqueue) != PY_ABSENT;
}

bool py_mimalloc_blocks(const struct py *py, uint32_t interpreter, enum py_mi_heap heap,
                        bool (*visit)(void *context, uint64_t block), void *context)
{
    const struct py_layout *layout = &py->layout;
    struct walk *walk;
    if (!complete(layout))
        return false;
    walk = df_xcalloc(1, sizeof(*walk));
    walk->reader = py_reader(py);
    walk->heap = heap;
    walk->visit = visit;
    walk->context = context;
    walk->budget = fair_budget(py->dump->space);
    df_map_init(&walk->pages);
    df_map_init(&walk->delayed);
    for (uint32_t i = 0; i < py->thread_count && !walk->stopped; i++)
        if (py->threads[i].interpreter == interpreter)
            visit_thread(walk, py->threads[i].address);
    uint64_t owner = py->interpreters[interpreter].address;
    visit_abandoned(walk, PY_PTR(&walk->reader, owner, interp, abandoned));
    visit_abandoned(walk, PY_PTR(&walk->reader, owner, interp, abandoned_visited));
    bool good = !walk->stopped && !walk->damaged;
    df_map_deinit(&walk->pages);
    df_map_deinit(&walk->delayed);
    free(walk);
    return good;
}

/* mi_arena_t in Objects/mimalloc/arena.c, the same in 3.13 to 3.15. */
#define ARENA_START 32
#define ARENA_BLOCKS 40 /* of the size of a segment */
#define ARENA_FIELDS 48
#define ARENA_IN_USE 136 /* a bit for each block */
#define MAX_ARENAS 112   /* MI_MAX_ARENAS */
#define MAX_ARENA_BLOCKS 65536

static void visit_arena(struct walk *walk, uint64_t arena)
{
    struct py_reader *reader = &walk->reader;
    uint64_t start = py_word(reader, arena + ARENA_START);
    uint64_t count = py_word(reader, arena + ARENA_BLOCKS);
    uint64_t fields = py_word(reader, arena + ARENA_FIELDS);
    if (reader->fault || !start || (start & SEGMENT_MASK) || count > MAX_ARENA_BLOCKS ||
        fields < (count + 63) / 64) {
        walk->damaged = true;
        reader->fault = false;
        return;
    }
    walk->visitor->range(walk->visitor->context, start, start + count * (SEGMENT_MASK + 1));
    for (uint64_t i = 0; i < count && !walk->stopped && spend(walk); i++) {
        uint64_t segment = start + i * (SEGMENT_MASK + 1);
        uint64_t in_use = py_word(reader, arena + ARENA_IN_USE + i / 64 * 8);
        if (!(in_use >> (i % 64) & 1) || reader->fault)
            continue;
        walk->page.end = 0;
        visit_segment(walk, segment);
        if (walk->page.end > segment + SEGMENT_MASK) /* a huge page takes the next ones too */
            i = (walk->page.end - 1 - start) / (SEGMENT_MASK + 1);
    }
    reader->fault = false;
}

bool py_mimalloc_pages(const struct py *py, const struct py_mi_visitor *visitor)
{
    const struct py_layout *layout = &py->layout;
    const struct df_symbol *arenas = py->module ? py_local_symbol(py->module, "mi_arenas") : NULL;
    const struct df_symbol *length = arenas ? py_local_symbol(py->module, "mi_arena_count") : NULL;
    uint64_t count = 0;
    if (!arenas || !length || !PY_HAS(layout, mipage, capacity) ||
        !PY_HAS(layout, mipage, xblock_size) || !PY_HAS(layout, misegment, slices) ||
        !PY_SIZEOF(layout, mipage) || PY_SIZEOF(layout, mipage) == PY_ABSENT)
        return false;
    if (!df_u64(py->dump->space, length->address, &count) || !count || count > MAX_ARENAS)
        return false;
    struct walk *walk = df_xcalloc(1, sizeof(*walk));
    walk->reader = py_reader(py);
    walk->visitor = visitor;
    walk->budget = fair_budget(py->dump->space);
    df_map_init(&walk->pages);
    df_map_init(&walk->delayed);
    for (uint64_t i = 0; i < count && !walk->stopped; i++)
        visit_arena(walk, py_word(&walk->reader, arenas->address + i * 8));
    bool good = !walk->stopped && !walk->damaged;
    df_map_deinit(&walk->pages);
    df_map_deinit(&walk->delayed);
    free(walk);
    return good;
}
