/* SPDX-License-Identifier: MIT
 * alloc_internal.h: what the files that read the allocator share.
 */
#ifndef PY_ALLOC_INTERNAL_H
#define PY_ALLOC_INTERNAL_H

#include "analyzer/cpython/alloc.h"

struct py_arena_table { /* the array of struct arena_object */
    uint64_t address;
    uint32_t count;
};

struct py_arena_tables {
    struct py_arena_table *items;
    size_t count, capacity;
};

/* Offsets of struct arena_object and struct pool_header. They have been the same since 3.3 in all
 * builds: where there is no debug information, these serve. */
struct py_alloc_shape {
    uint32_t arena_size, address, pool_address, nfreepools, ntotalpools;
    uint32_t header_size, count, freeblock, szidx, arenaindex, nextoffset, maxnextoffset;
};
struct py_alloc_shape py_alloc_shape(const struct py_layout *layout);

struct py_pool_head {
    uint32_t count, szidx, arenaindex, nextoffset, maxnextoffset;
    uint64_t freeblock;
};
bool py_pool_head(const struct df_aspace *space, const struct py_alloc_shape *shape, uint64_t pool,
                  struct py_pool_head *ret);
/* Whether a pool of this size at this address can say this of itself. */
bool py_pool_plausible(const struct py_alloc_shape *shape, uint64_t pool,
                       const struct py_pool_head *head, uint32_t pool_size);

/* The tables of arenas of all interpreters (alloc_find.c). *ret_raw: raw_allocated_blocks. */
void py_find_arena_tables(const struct py *py, const struct py_alloc_shape *shape,
                          struct py_arena_tables *ret, uint64_t *ret_raw);

#endif
