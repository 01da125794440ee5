/* SPDX-License-Identifier: MIT
 * malloc_cached.c: free chunks that look used: those in fast bins and in threads' caches.
 *
 * Both are singly linked lists, one for each size. Since 2.32 a link is mangled with its own
 * address (PROTECT_PTR in malloc/malloc.c); which it is, is told by what it leads to: a chunk of
 * the list's size. A thread's cache (struct tcache_perthread_struct, 2.26+) is the first chunk that
 * the thread allocates, found here by its size and by what its lists lead to.
 */
#include <stdlib.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/malloc_internal.h"

struct list { /* of chunks of one size */
    const struct df_aspace *space;
    uint64_t size; /* of its chunks */
    uint32_t link; /* where the link lies, from the address that links have */
    uint32_t head; /* of a chunk before that address */
};

static bool fits(const struct list *list, uint64_t address)
{
    return !(address & 15) && address > list->head &&
           df_chunk_size(list->space, address - list->head, UINT64_MAX) == list->size;
}

/* The next one; 0 at the end; false when the link leads nowhere. */
static bool follow(const struct list *list, uint64_t address, uint64_t *ret)
{
    uint64_t position = address + list->link, word;
    if (!df_u64(list->space, position, &word))
        return false;
    uint64_t plain = word ^ position >> 12;
    if (!plain || fits(list, plain))
        return *ret = plain, true;
    *ret = word;
    return !word || fits(list, word);
}

static void push(struct df_malloc *malloc, uint64_t address)
{
    malloc->cached = df_grow(malloc->cached, malloc->cached_count, &malloc->cached_capacity,
                             sizeof(*malloc->cached));
    malloc->cached[malloc->cached_count++] = address;
}

/* Adds the user data addresses of a list; false when it is damaged (what came before it stays). A
 * list that goes round is found by Brent's method. */
static bool collect(struct df_malloc *malloc, const struct list *list, uint64_t address)
{
    uint64_t mark = 0, steps = 0, limit = 1;
    if (address && !fits(list, address))
        return false;
    while (address) {
        if (address == mark || !malloc->budget)
            return false;
        malloc->budget--;
        if (++steps == limit) {
            mark = address;
            steps = 0;
            limit *= 2;
        }
        push(malloc, address - list->head + 16);
        if (!follow(list, address, &address))
            return false;
    }
    return true;
}

void df_malloc_fast_bins(struct df_malloc *malloc, const struct df_aspace *space, uint64_t bins)
{
    uint64_t fast = bins - 16 - FAST_BINS * 8, first;
    for (uint32_t i = 0; i < FAST_BINS; i++) {
        struct list list = {.space = space, .size = (i + 2) * UINT64_C(16), .link = 16};
        if (!df_u64(space, fast + i * UINT64_C(8), &first) || !collect(malloc, &list, first))
            malloc->damaged++;
    }
}

/* How the cache was laid out: counts of one byte (2.26), of two (2.30), more lists (2.42). */
static const struct cache_shape {
    uint32_t chunk, lists, entries;
} shapes[] = {
    {0x250, 64, 64},
    {0x290, 64, 128},
    {0x300, 64, 152}, /* 76 lists; the last 12 are of chunks too large to be alike */
};

static bool read_cache(struct df_malloc *malloc, const struct df_aspace *space,
                       const struct cache_shape *shape, uint64_t address)
{
    size_t before = malloc->cached_count;
    for (uint32_t i = 0; i < shape->lists; i++) {
        struct list list = {.space = space, .size = 32 + i * UINT64_C(16), .head = 16};
        uint64_t first;
        if (!df_u64(space, address + shape->entries + i * UINT64_C(8), &first) ||
            !collect(malloc, &list, first)) {
            malloc->cached_count = before;
            return false;
        }
    }
    return malloc->cached_count > before;
}

static void look_in_area(struct df_malloc *malloc, const struct df_aspace *space,
                         const struct df_malloc_area *area)
{
    uint64_t at = area->first, size;
    while ((size = df_chunk_size(space, at, area->end))) {
        for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
            if (size == shapes[i].chunk)
                read_cache(malloc, space, &shapes[i], at + 16);
        at += size;
    }
}

void df_malloc_thread_caches(struct df_malloc *malloc, const struct df_aspace *space)
{
    for (size_t i = 0; i < malloc->area_count; i++)
        if (malloc->areas[i].kind != DF_AREA_MAPPED)
            look_in_area(malloc, space, &malloc->areas[i]);
}

bool df_malloc_comes_back(const struct df_aspace *space, uint64_t bins, uint64_t offset)
{
    uint64_t arena = 0, first = bins - offset;
    for (uint32_t steps = 0; steps < DF_MAX_HEAPS; steps++) {
        if (!df_u64(space, bins + BIN_BYTES + 16, &arena))
            return false;
        if (arena == first)
            return true;
        bins = arena + offset;
    }
    return false;
}
