/* SPDX-License-Identifier: MIT
 * aspace.c: building the page table, and the slow paths of reading.
 *
 * Until seal, ranges stay in the order of their addition, which is their precedence; seal cuts them
 * into disjoint ones. The page table's memory must not follow from numbers in the core: only 4 GiB
 * regions that hold bytes get a level 2 table of their own, and only so many of them as the bytes
 * justify; the others share one table that says "search", which is slower but right.
 */
#include "dumpfmt/aspace.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/sweep.h"

#define ADDRESS_END (UINT64_C(1) << DF_ADDRESS_BITS)

#define MINIMUM_TABLES 64 /* a process's mappings are in a handful of regions, plus its size */
#define MAXIMUM_TABLES 4096

struct df_aspace *df_aspace_create(void)
{
    struct df_aspace *space = df_xcalloc(1, sizeof(*space));
    /* An empty table from the start: a space that nobody sealed reads as empty. */
    space->pages = df_xcalloc(DF_L1_ENTRIES, sizeof(*space->pages));
    return space;
}

void df_aspace_destroy(struct df_aspace *space)
{
    if (!space)
        return;
    for (size_t i = 0; i < DF_L1_ENTRIES; i++)
        if (space->pages[i] != space->unpaged)
            free(space->pages[i]);
    free(space->unpaged);
    free(space->pages);
    free(space->ranges);
    free(space);
}

void df_aspace_add(struct df_aspace *space, uint64_t start, uint64_t size, const uint8_t *host,
                   enum df_origin origin, uint32_t flags)
{
    if (space->sealed || !size || start >= ADDRESS_END || space->count >= DF_PAGE_SHARED / 4)
        return;
    if (size > ADDRESS_END - start)
        size = ADDRESS_END - start;
    space->ranges = df_grow(space->ranges, space->count, &space->capacity, sizeof(*space->ranges));
    space->ranges[space->count++] = (struct df_range){
        .start = start,
        .end = start + size,
        .host = host,
        .origin = (uint8_t)(host ? origin : DF_ABSENT),
        .flags = (uint8_t)flags,
    };
}

/* Whether `next` goes on where `range` ends, in the process and in the backing. */
static bool continues(const struct df_range *range, const struct df_range *next)
{
    if (range->end != next->start || range->origin != next->origin || range->flags != next->flags)
        return false;
    return range->host ? range->host + (range->end - range->start) == next->host : !next->host;
}

/* Replaces the ranges, in order of precedence, by disjoint ones, in order of address. */
static struct df_err *make_disjoint(struct df_aspace *space)
{
    DF_CLEANUP_FREE struct df_interval *intervals = NULL;
    DF_TRY(df_array(space->count, sizeof(*intervals), &intervals));
    for (size_t i = 0; i < space->count; i++)
        intervals[i] = (struct df_interval){space->ranges[i].start, space->ranges[i].end};
    DF_CLEANUP_FREE struct df_piece *pieces = NULL;
    size_t piece_count = 0;
    DF_TRY(df_sweep(intervals, (uint32_t)space->count, &pieces, &piece_count));
    struct df_range *ranges = NULL;
    DF_TRY(df_array(piece_count, sizeof(*ranges), &ranges));
    size_t count = 0;
    for (size_t i = 0; i < piece_count; i++) {
        struct df_range range = space->ranges[pieces[i].owner];
        if (range.host)
            range.host += pieces[i].start - range.start;
        range.start = pieces[i].start;
        range.end = pieces[i].end;
        if (count && continues(&ranges[count - 1], &range))
            ranges[count - 1].end = range.end;
        else
            ranges[count++] = range;
    }
    free(space->ranges);
    space->ranges = ranges;
    space->count = count;
    space->capacity = piece_count;
    return NULL;
}

static struct df_err *make_unpaged(struct df_aspace *space)
{
    if (space->unpaged)
        return NULL;
    DF_TRY(df_array(DF_L2_ENTRIES, sizeof(*space->unpaged), &space->unpaged));
    memset(space->unpaged, 0xff, DF_L2_ENTRIES * sizeof(*space->unpaged));
    return NULL;
}

/* First and one past the last region that the range touches. */
static void regions(const struct df_range *range, uint64_t *ret_first, uint64_t *ret_end)
{
    *ret_first = range->start >> DF_L1_SHIFT;
    *ret_end = ((range->end - 1) >> DF_L1_SHIFT) + 1;
}

static size_t table_limit(const struct df_aspace *space)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < space->count; i++)
        if (space->ranges[i].host)
            bytes += space->ranges[i].end - space->ranges[i].start; /* disjoint: below 2^48 */
    uint64_t limit = MINIMUM_TABLES + 2 * (bytes >> DF_L1_SHIFT);
    return limit < MAXIMUM_TABLES ? (size_t)limit : MAXIMUM_TABLES;
}

/* Gives every region that holds a range its table: first those with bytes, then the rest. */
static struct df_err *make_tables(struct df_aspace *space)
{
    size_t left = table_limit(space);
    for (int with_bytes = 1; with_bytes >= 0; with_bytes--) {
        for (size_t i = 0; i < space->count; i++) {
            const struct df_range *range = &space->ranges[i];
            uint64_t region, end;
            if ((range->host != NULL) != with_bytes)
                continue;
            for (regions(range, &region, &end); region < end; region++) {
                uint32_t **table = &space->pages[region];
                if (*table)
                    continue;
                if (with_bytes && left) {
                    DF_TRY(df_array(DF_L2_ENTRIES, sizeof(**table), table));
                    left--;
                    continue;
                }
                DF_TRY(make_unpaged(space));
                *table = space->unpaged;
            }
        }
    }
    return NULL;
}

static void fill_pages(struct df_aspace *space, size_t index)
{
    const struct df_range *range = &space->ranges[index];
    uint64_t page = range->start >> DF_PAGE_SHIFT;
    uint64_t end = ((range->end - 1) >> DF_PAGE_SHIFT) + 1;
    while (page < end) {
        uint32_t *table = space->pages[page >> (DF_L1_SHIFT - DF_PAGE_SHIFT)];
        uint64_t stop = (page | (DF_L2_ENTRIES - 1)) + 1;
        if (stop > end)
            stop = end;
        if (table != space->unpaged)
            for (uint64_t at = page; at < stop; at++) {
                uint32_t *entry = &table[at & (DF_L2_ENTRIES - 1)];
                *entry = *entry ? DF_PAGE_SHARED : (uint32_t)index + 1;
            }
        page = stop;
    }
}

struct df_err *df_aspace_seal(struct df_aspace *space)
{
    if (space->sealed)
        return NULL;
    DF_TRY(make_disjoint(space));
    DF_TRY(make_tables(space));
    for (size_t i = 0; i < space->count; i++)
        fill_pages(space, i);
    space->sealed = true;
    return NULL;
}

const struct df_range *df_aspace_search(const struct df_aspace *space, uint64_t address)
{
    if (!space->sealed)
        return NULL;
    size_t low = 0, high = space->count;
    while (low < high) { /* the first range that ends behind address */
        size_t middle = low + (high - low) / 2;
        if (space->ranges[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < space->count && space->ranges[low].start <= address;
    return found ? &space->ranges[low] : NULL;
}

bool df_read(const struct df_aspace *space, uint64_t address, void *buffer, uint64_t size)
{
    uint8_t *target = buffer;
    while (size) {
        const struct df_range *range = df_aspace_range(space, address);
        if (!range || !range->host)
            return false;
        uint64_t part = range->end - address;
        if (part > size)
            part = size;
        const uint8_t *host = range->host + (address - range->start);
        if (!df_bring(space, host, part))
            return false;
        memcpy(target, host, part);
        target += part;
        address += part;
        size -= part;
    }
    return true;
}

char *df_cstring(const struct df_aspace *space, uint64_t address, size_t max)
{
    size_t length = 0;
    for (uint64_t at = address; length < max;) {
        uint64_t part = df_contiguous(space, at);
        if (!part)
            return NULL;
        if (part > max - length)
            part = max - length;
        const char *bytes = df_ptr(space, at, part);
        if (!bytes)
            return NULL;
        size_t found = strnlen(bytes, part);
        length += found;
        if (found < part) {
            char *text = df_xmalloc(length + 1);
            if (df_read(space, address, text, length + 1))
                return text;
            free(text);
            return NULL;
        }
        at += part;
    }
    return NULL;
}
