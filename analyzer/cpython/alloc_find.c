/* SPDX-License-Identifier: MIT
 * alloc_find.c: where the table of arenas is.
 *
 * Up to 3.11 it is a static variable of the interpreter; from 3.12 on each interpreter that has an
 * allocator of its own has it in its state (Include/internal/pycore_obmalloc.h). Where neither a
 * symbol nor a layout says so: look for pages that begin as a pool does, and for a word in the
 * interpreter's data that points to a table whose entry for that pool's arena spans the pool.
 */
#include <elf.h>
#include <stdlib.h>

#include "analyzer/cpython/alloc_internal.h"
#include "analyzer/cpython/layout_internal.h"
#include "dumpfmt/base/mem.h"

#define SAMPLES 64 /* pools that the search goes by */
#define NEEDED 3   /* of them that a table must explain, unless there are fewer */

struct sample {
    uint64_t pool;
    uint32_t arena;
};

static void add_table(struct py_arena_tables *tables, uint64_t address, uint32_t count)
{
    if (!address || !count || count > PY_MAX_ARENAS)
        return;
    for (size_t i = 0; i < tables->count; i++)
        if (tables->items[i].address == address)
            return;
    DF_PUSH(tables, (struct py_arena_table){.address = address, .count = count});
}

static void from_symbols(const struct py *py, struct py_arena_tables *tables, uint64_t *ret_raw)
{
    const struct df_symbol *arenas = py_local_symbol(py->module, "arenas");
    const struct df_symbol *count = py_local_symbol(py->module, "maxarenas");
    const struct df_symbol *raw = py_local_symbol(py->module, "raw_allocated_blocks");
    uint64_t table;
    uint32_t length;
    if (!arenas || !count || !df_u64(py->dump->space, arenas->address, &table) ||
        !df_u32(py->dump->space, count->address, &length))
        return;
    add_table(tables, table, length);
    if (raw && !df_u64(py->dump->space, raw->address, ret_raw))
        *ret_raw = 0;
}

/* A subinterpreter that shares the main one's allocator has the same pointer (3.13+), or an unused
 * state of its own (3.12). */
static void from_interpreters(const struct py *py, struct py_arena_tables *tables,
                              uint64_t *ret_raw)
{
    const struct py_layout *layout = &py->layout;
    struct py_reader reader = py_reader(py);
    if (!PY_HAS(layout, interp, obmalloc) || !PY_HAS(layout, obmalloc, arenas))
        return;
    for (uint32_t i = 0; i < py->interpreter_count; i++) {
        uint64_t state = PY_AT(layout, py->interpreters[i].address, interp, obmalloc);
        size_t before = tables->count;
        if (layout->size[PY_F_interp_obmalloc] == 8)
            state = py_word(&reader, state);
        if (!state)
            continue;
        add_table(tables, PY_PTR(&reader, state, obmalloc, arenas),
                  (uint32_t)PY_GET(&reader, state, obmalloc, maxarenas));
        if (tables->count > before)
            *ret_raw += PY_GET(&reader, state, obmalloc, raw_allocated_blocks);
    }
}

/* Some pools, from anonymous memory; their size too. Returns how many. */
static uint32_t sample_pools(const struct py *py, const struct py_alloc_shape *shape,
                             struct sample *samples, uint32_t *ret_largest)
{
    const struct df_aspace *space = py->dump->space;
    uint32_t count = 0;
    *ret_largest = 0;
    for (size_t r = 0; r < space->count && count < SAMPLES; r++) {
        const struct df_range *range = &space->ranges[r];
        if (range->origin != DF_FROM_CORE || !(range->flags & PF_W) || !range->host)
            continue;
        for (uint64_t at = (range->start + 4095) & ~UINT64_C(4095);
             at + 4096 <= range->end && count < SAMPLES; at += 4096) {
            struct py_pool_head head;
            if (!py_pool_head(space, shape, at, &head) || !head.count || !head.maxnextoffset)
                continue;
            uint64_t size = head.maxnextoffset + (head.szidx + 1) * UINT64_C(16);
            if (size < 4096 || size > PY_MAX_POOL_SIZE || (size & (size - 1)) ||
                head.arenaindex >= PY_MAX_ARENAS ||
                !py_pool_plausible(shape, at, &head, (uint32_t)size))
                continue;
            samples[count++] = (struct sample){.pool = at, .arena = head.arenaindex};
            if (head.arenaindex > *ret_largest)
                *ret_largest = head.arenaindex;
        }
    }
    return count;
}

/* How many of the samples a table at this address explains. */
static uint32_t explained(const struct df_aspace *space, const struct py_alloc_shape *shape,
                          uint64_t table, const struct sample *samples, uint32_t count)
{
    uint32_t good = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t entry = table + (uint64_t)samples[i].arena * shape->arena_size, address;
        uint32_t pools;
        if (!df_u64(space, entry + shape->address, &address) ||
            !df_u32(space, entry + shape->ntotalpools, &pools) || pools > PY_MAX_POOLS)
            return 0;
        good += address && samples[i].pool - address < (uint64_t)pools * PY_MAX_POOL_SIZE;
        if (i == 0 && !good)
            return 0;
    }
    return good;
}

/* Entries in use go on behind the last arena that was sampled; how many there are is not known, so
 * as many as look like entries. */
static uint32_t table_length(const struct df_aspace *space, const struct py_alloc_shape *shape,
                             uint64_t table, uint32_t least)
{
    uint32_t count = least;
    for (; count < PY_MAX_ARENAS; count++) {
        uint64_t entry = table + (uint64_t)count * shape->arena_size, address;
        uint32_t total, available;
        if (!df_u64(space, entry + shape->address, &address) ||
            !df_u32(space, entry + shape->ntotalpools, &total) ||
            !df_u32(space, entry + shape->nfreepools, &available) || !address || (address & 4095) ||
            !total || total > PY_MAX_POOLS || available > total || !df_aspace_range(space, address))
            break;
    }
    return count;
}

static void by_search(const struct py *py, const struct py_alloc_shape *shape,
                      struct py_arena_tables *tables)
{
    const struct df_aspace *space = py->dump->space;
    struct sample samples[SAMPLES];
    uint32_t largest, count = sample_pools(py, shape, samples, &largest), best = 0;
    uint64_t table = 0;
    for (uint32_t i = 0; count && i < py->module->load_count; i++) {
        const struct df_load *load = &py->module->loads[i];
        if (!(load->flags & PF_W))
            continue;
        for (uint64_t at = (load->start + 7) & ~UINT64_C(7); at + 8 <= load->end; at += 8) {
            uint64_t word;
            if (!df_u64(space, at, &word) || !word || (word & 7))
                continue;
            uint32_t good = explained(space, shape, word, samples, count);
            if (good > best)
                best = good, table = word;
        }
    }
    if (best >= NEEDED || (best && best == count))
        add_table(tables, table, table_length(space, shape, table, largest + 1));
}

void py_find_arena_tables(const struct py *py, const struct py_alloc_shape *shape,
                          struct py_arena_tables *ret, uint64_t *ret_raw)
{
    from_interpreters(py, ret, ret_raw);
    if (!ret->count)
        from_symbols(py, ret, ret_raw);
    if (!ret->count && py->module)
        by_search(py, shape, ret);
}
