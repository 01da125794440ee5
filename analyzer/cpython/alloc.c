/* SPDX-License-Identifier: MIT
 * alloc.c: reads arenas and pools.
 *
 * A pool on its arena's list of free pools has no blocks in use (its count is 0), and only such are
 * there: pymalloc_pool_extend and insert_to_freepool keep it so. So the list need not be followed.
 */
#include "analyzer/cpython/alloc_internal.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

#define ALIGNMENT 16
#define SMALLEST_POOL 4096
#define SIZE_CLASSES 32
#define VOTES 64 /* pools and blocks that are asked for the size of pools, for debug hooks */

struct py_alloc_shape py_alloc_shape(const struct py_layout *layout)
{
    struct py_alloc_shape ret = {.arena_size = 48,
                                 .address = 0,
                                 .pool_address = 8,
                                 .nfreepools = 16,
                                 .ntotalpools = 20,
                                 .header_size = 48,
                                 .count = 0,
                                 .freeblock = 8,
                                 .arenaindex = 32,
                                 .szidx = 36,
                                 .nextoffset = 40,
                                 .maxnextoffset = 44};
    if (PY_HAS(layout, arena, ntotalpools)) {
        ret.arena_size = PY_SIZEOF(layout, arena);
        ret.address = PY_OFF(layout, arena, address);
        ret.pool_address = PY_OFF(layout, arena, pool_address);
        ret.nfreepools = PY_OFF(layout, arena, nfreepools);
        ret.ntotalpools = PY_OFF(layout, arena, ntotalpools);
    }
    if (PY_HAS(layout, pool, maxnextoffset)) {
        ret.header_size = (PY_SIZEOF(layout, pool) + ALIGNMENT - 1) & ~(ALIGNMENT - 1u);
        ret.count = PY_OFF(layout, pool, count);
        ret.freeblock = PY_OFF(layout, pool, freeblock);
        ret.arenaindex = PY_OFF(layout, pool, arenaindex);
        ret.szidx = PY_OFF(layout, pool, szidx);
        ret.nextoffset = PY_OFF(layout, pool, nextoffset);
        ret.maxnextoffset = PY_OFF(layout, pool, maxnextoffset);
    }
    return ret;
}

bool py_pool_head(const struct df_aspace *space, const struct py_alloc_shape *shape, uint64_t pool,
                  struct py_pool_head *ret)
{
    return df_u32(space, pool + shape->count, &ret->count) &&
           df_u64(space, pool + shape->freeblock, &ret->freeblock) &&
           df_u32(space, pool + shape->arenaindex, &ret->arenaindex) &&
           df_u32(space, pool + shape->szidx, &ret->szidx) &&
           df_u32(space, pool + shape->nextoffset, &ret->nextoffset) &&
           df_u32(space, pool + shape->maxnextoffset, &ret->maxnextoffset);
}

static uint32_t carved_blocks(const struct py_alloc_shape *shape, const struct py_pool_head *head)
{
    uint32_t size = (head->szidx + 1) * ALIGNMENT, end = head->maxnextoffset + size;
    if (head->nextoffset < end)
        end = head->nextoffset;
    return (end - shape->header_size) / size;
}

bool py_pool_plausible(const struct py_alloc_shape *shape, uint64_t pool,
                       const struct py_pool_head *head, uint32_t pool_size)
{
    if (head->szidx >= SIZE_CLASSES || (pool & (pool_size - 1)))
        return false;
    uint32_t size = (head->szidx + 1) * ALIGNMENT;
    return head->maxnextoffset == pool_size - size && head->nextoffset >= shape->header_size &&
           head->nextoffset <= pool_size + size &&
           (head->nextoffset - shape->header_size) % size == 0 &&
           head->count <= carved_blocks(shape, head) &&
           (!head->freeblock || head->freeblock - pool < pool_size);
}

struct reading {
    const struct df_aspace *space;
    struct py_alloc_shape shape;
    struct py_alloc *alloc;
    struct {
        struct py_arena *items;
        size_t count, capacity;
    } arenas;
    struct {
        struct py_pool *items;
        size_t count, capacity;
    } pools;
};

struct entry { /* of a table of arenas */
    uint64_t address, pool_address;
    uint32_t nfreepools, ntotalpools;
};

static bool read_entry(const struct reading *reading, uint64_t at, struct entry *ret)
{
    const struct py_alloc_shape *shape = &reading->shape;
    return df_u64(reading->space, at + shape->address, &ret->address) &&
           df_u64(reading->space, at + shape->pool_address, &ret->pool_address) &&
           df_u32(reading->space, at + shape->nfreepools, &ret->nfreepools) &&
           df_u32(reading->space, at + shape->ntotalpools, &ret->ntotalpools);
}

/* The size of pools by the pools at the beginning of arenas: some arena has one. */
static uint32_t ask_pool_size(const struct reading *reading, const struct py_arena_table *table)
{
    uint32_t votes[5] = {0}, asked = 0, best = 0;
    for (uint32_t i = 0; i < table->count && asked < VOTES; i++) {
        struct entry entry;
        if (!read_entry(reading, table->address + (uint64_t)i * reading->shape.arena_size,
                        &entry) ||
            !entry.address)
            continue;
        for (uint32_t v = 0; v < 5; v++) {
            uint64_t size = (uint64_t)SMALLEST_POOL << v;
            uint64_t pool = (entry.address + size - 1) & ~(size - 1);
            struct py_pool_head head;
            if (pool < entry.pool_address &&
                py_pool_head(reading->space, &reading->shape, pool, &head) &&
                py_pool_plausible(&reading->shape, pool, &head, (uint32_t)size))
                asked++, votes[v]++;
        }
    }
    for (uint32_t v = 1; v < 5; v++)
        if (votes[v] > votes[best])
            best = v;
    return votes[best] ? (uint32_t)SMALLEST_POOL << best : 0;
}

static void add_pool(struct reading *reading, struct py_arena *arena, uint64_t address)
{
    struct py_pool_head head;
    if (!py_pool_head(reading->space, &reading->shape, address, &head)) {
        reading->alloc->damaged_pools++;
        return;
    }
    if (head.count == 0) {
        arena->free_pools++;
        return;
    }
    if (!py_pool_plausible(&reading->shape, address, &head, reading->alloc->pool_size)) {
        reading->alloc->damaged_pools++;
        return;
    }
    reading->alloc->used_blocks += head.count;
    DF_PUSH(&reading->pools, (struct py_pool){.address = address,
                                              .block_size = (head.szidx + 1) * ALIGNMENT,
                                              .carved = carved_blocks(&reading->shape, &head),
                                              .used = head.count});
}

/* What an entry of the table says, checked against itself and against the memory that there is. */
static bool plausible_arena(const struct reading *reading, const struct entry *entry,
                            struct py_arena *ret)
{
    uint64_t size = reading->alloc->pool_size;
    if (!entry->ntotalpools || entry->ntotalpools > PY_MAX_POOLS ||
        entry->nfreepools > entry->ntotalpools || entry->address >> DF_ADDRESS_BITS)
        return false;
    uint64_t first = (entry->address + size - 1) & ~(size - 1);
    uint64_t end = first + entry->ntotalpools * size;
    if (entry->pool_address < first || entry->pool_address > end ||
        (entry->pool_address - first) % size || !df_aspace_range(reading->space, entry->address))
        return false;
    if (first != entry->address) /* new_arena gives up the pool that alignment cuts in two */
        end = entry->address + (entry->ntotalpools + 1) * size;
    *ret = (struct py_arena){.address = entry->address,
                             .end = end,
                             .first_pool = first,
                             .pools = entry->ntotalpools,
                             .carved_pools = (uint32_t)((entry->pool_address - first) / size)};
    return true;
}

static void read_table(struct reading *reading, const struct py_arena_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        uint64_t at = table->address + (uint64_t)i * reading->shape.arena_size;
        struct entry entry;
        struct py_arena arena;
        if (!read_entry(reading, at, &entry)) {
            reading->alloc->damaged_arenas++;
            return; /* the rest of the table is as absent as this */
        }
        if (!entry.address)
            continue;
        if (!plausible_arena(reading, &entry, &arena)) {
            reading->alloc->damaged_arenas++;
            continue;
        }
        DF_PUSH(&reading->arenas, arena);
    }
}

static int by_address(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* Sorts, and drops arenas that overlap the one before (the same table twice, damage). */
static void settle_arenas(struct reading *reading)
{
    size_t kept = 0;
    if (reading->arenas.count)
        qsort(reading->arenas.items, reading->arenas.count, sizeof(*reading->arenas.items),
              by_address);
    for (size_t i = 0; i < reading->arenas.count; i++) {
        const struct py_arena *arena = &reading->arenas.items[i];
        if (kept && arena->address < reading->arenas.items[kept - 1].end) {
            reading->alloc->damaged_arenas++;
            continue;
        }
        reading->arenas.items[kept++] = *arena;
    }
    reading->arenas.count = kept;
}

/* Debug hooks put 16 bytes before what they hand out: its length, a letter for the domain, and
 * seven times 0xfd (Objects/obmalloc.c, _PyMem_DebugRawAlloc). */
bool py_block_has_hook(const struct df_aspace *space, uint64_t block)
{
    static const uint8_t fence[7] = {0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd};
    const uint8_t *bytes = df_ptr(space, block, 16);
    return bytes && (bytes[8] == 'o' || bytes[8] == 'm' || bytes[8] == 'r') &&
           !memcmp(bytes + 9, fence, 7);
}

static uint32_t ask_hooks(const struct reading *reading)
{
    uint32_t asked = 0, hooked = 0;
    for (size_t i = 0; i < reading->pools.count && asked < VOTES; i++) {
        const struct py_pool *pool = &reading->pools.items[i];
        uint64_t bits[PY_POOL_WORDS];
        py_pool_free(reading->alloc, reading->space, pool, bits);
        if (bits[0] & 1)
            continue;
        asked++;
        hooked += py_block_has_hook(reading->space, py_block_at(reading->alloc, pool, 0));
    }
    return hooked * 2 > asked ? 16 : 0;
}

static void read_arenas(struct reading *reading, const struct py_arena_tables *tables)
{
    struct py_alloc *alloc = reading->alloc;
    for (size_t i = 0; i < tables->count && !alloc->pool_size; i++)
        alloc->pool_size = ask_pool_size(reading, &tables->items[i]);
    if (!alloc->pool_size)
        return;
    for (size_t i = 0; i < tables->count; i++)
        read_table(reading, &tables->items[i]);
    settle_arenas(reading);
    for (size_t i = 0; i < reading->arenas.count; i++) {
        struct py_arena *arena = &reading->arenas.items[i];
        for (uint32_t p = 0; p < arena->carved_pools; p++)
            add_pool(reading, arena, arena->first_pool + (uint64_t)p * alloc->pool_size);
    }
}

/* Up to 3.8 one variable counts all blocks, large ones too. */
static void count_raw_blocks(const struct py *py, struct py_alloc *alloc)
{
    const struct df_symbol *all =
        alloc->raw_blocks ? NULL : df_module_symbol(py->module, "_Py_AllocatedBlocks");
    uint64_t blocks;
    if (all && df_u64(py->dump->space, all->address, &blocks) && blocks > alloc->used_blocks)
        alloc->raw_blocks = blocks - alloc->used_blocks;
}

struct df_err *py_alloc_open(const struct py *py, struct py_alloc **ret)
{
    struct py_alloc *alloc = df_xcalloc(1, sizeof(*alloc));
    struct reading reading = {
        .space = py->dump->space, .shape = py_alloc_shape(&py->layout), .alloc = alloc};
    struct py_arena_tables tables = {0};
    alloc->header_size = reading.shape.header_size;
    alloc->free_at = reading.shape.freeblock;
    py_find_arena_tables(py, &reading.shape, &tables, &alloc->raw_blocks);
    read_arenas(&reading, &tables);
    alloc->found = tables.count != 0;
    free(tables.items);
    alloc->arenas = reading.arenas.items;
    alloc->arena_count = (uint32_t)reading.arenas.count;
    alloc->pools = reading.pools.items;
    alloc->pool_count = (uint32_t)reading.pools.count;
    alloc->hook_size = ask_hooks(&reading);
    count_raw_blocks(py, alloc);
    *ret = alloc;
    return NULL;
}

void py_alloc_close(struct py_alloc *alloc)
{
    if (!alloc)
        return;
    free(alloc->arenas);
    free(alloc->pools);
    free(alloc);
}

bool py_pool_free(const struct py_alloc *alloc, const struct df_aspace *space,
                  const struct py_pool *pool, uint64_t *bits)
{
    uint64_t first = pool->address + alloc->header_size, at;
    memset(bits, 0, PY_POOL_WORDS * sizeof(*bits));
    if (!df_u64(space, pool->address + alloc->free_at, &at))
        return false;
    for (uint32_t left = pool->carved - pool->used; at; left--) {
        uint64_t offset = at - first, i = offset / pool->block_size;
        if (at < first || offset % pool->block_size || i >= pool->carved || !left ||
            bits[i / 64] >> (i % 64) & 1)
            return false;
        bits[i / 64] |= UINT64_C(1) << (i % 64);
        if (!df_u64(space, at, &at))
            return false;
    }
    return true;
}

const struct py_arena *py_arena_at(const struct py_alloc *alloc, uint64_t address)
{
    uint32_t low = 0, high = alloc->arena_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (alloc->arenas[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low && address < alloc->arenas[low - 1].end ? &alloc->arenas[low - 1] : NULL;
}
