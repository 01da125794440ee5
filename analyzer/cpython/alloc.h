/* SPDX-License-Identifier: MIT
 * alloc.h: Python's own allocator for small blocks (pymalloc, Objects/obmalloc.c): which blocks
 * there are, and which of them are in use.
 *
 *   arena (256 KiB, since 3.10 1 MiB): one mmap
 *   +------+--------+--------+------------+-------------------------+
 *   |      | pool   | pool   | free pool  | pools never used so far |
 *   +------+--------+--------+------------+-------------------------+
 *    ^ up to a pool's alignment            ^ pool_address
 *
 *   pool (4 KiB, since 3.10 16 KiB): blocks of one size
 *   +---------+-------+-------+------+-------+----------------------+
 *   | header  | block | block | free | block | blocks never used    |
 *   +---------+-------+-------+------+-------+----------------------+
 *                              ^ freeblock    ^ nextoffset
 *
 * The table of arenas is found by its symbol (up to 3.11) or in the interpreter's state (3.12+),
 * and where neither is known by what points to a table that describes pools which were seen. The
 * size of a pool is told by the pools themselves: its last block begins at maxnextoffset.
 *
 * Free means free for this allocator: objects that a type keeps for reuse are blocks in use.
 */
#ifndef PY_ALLOC_H
#define PY_ALLOC_H

#include "analyzer/cpython/python.h"

#define PY_MAX_ARENAS (1u << 24)
#define PY_MAX_POOLS 8192                          /* of one arena */
#define PY_MAX_POOL_SIZE (1u << 16)                /* bytes */
#define PY_POOL_WORDS (PY_MAX_POOL_SIZE / 16 / 64) /* of a bitmap with a bit for each block */

struct py_arena {
    uint64_t address, end;                    /* end: of the last pool */
    uint64_t first_pool;                      /* address */
    uint32_t pools, carved_pools, free_pools; /* carved: used before, free ones included */
};

struct py_pool { /* one that has blocks in use */
    uint64_t address;
    uint32_t block_size;
    uint32_t carved; /* blocks handed out at least once: the others lie behind them */
    uint32_t used;   /* blocks in use, as the pool says */
};

struct py_alloc {
    struct py_arena *arenas; /* sorted, disjoint */
    uint32_t arena_count;
    struct py_pool *pools; /* sorted by address */
    uint32_t pool_count;
    uint32_t pool_size;   /* bytes; 0 when there are no pools */
    uint32_t header_size; /* of a pool: where its first block lies */
    uint32_t free_at;     /* where a pool's header has its first free block */
    uint32_t hook_size;   /* bytes in front of what the caller of a debug allocator got: 16, or 0 */
    bool found;           /* there is a table of arenas; false: the allocator is off or not known */
    uint64_t used_blocks; /* over all pools */
    uint64_t raw_blocks; /* blocks that were too big and come from malloc, as the interpreter counts
                            them for sys.getallocatedblocks(); 0 when not known */
    uint64_t damaged_arenas, damaged_pools; /* whose numbers contradict themselves: left out */
};

/* Reads all arenas and pools of all interpreters. What is damaged is left out and counted. */
struct df_err *py_alloc_open(const struct py *py, struct py_alloc **ret);
void py_alloc_close(struct py_alloc *alloc); /* NULL is allowed */

/* Which of a pool's carved blocks are free: bits must have PY_POOL_WORDS words; bit i is for the
 * block at py_block_at(alloc, pool, i). False when the chain of free blocks is damaged: what it
 * named before that counts as free. */
bool py_pool_free(const struct py_alloc *alloc, const struct df_aspace *space,
                  const struct py_pool *pool, uint64_t *bits);

static inline uint64_t py_block_at(const struct py_alloc *alloc, const struct py_pool *pool,
                                   uint32_t i)
{
    return pool->address + alloc->header_size + (uint64_t)i * pool->block_size;
}

/* Whether a block of any allocator is one that debug hooks made (PYTHONMALLOC=debug, debug builds):
 * what they hand out begins 16 bytes later, behind its length, a letter for its domain, and seven
 * times 0xfd (Objects/obmalloc.c, _PyMem_DebugRawAlloc). */
bool py_block_has_hook(const struct df_aspace *space, uint64_t block);

/* The arena that holds address, or NULL. */
const struct py_arena *py_arena_at(const struct py_alloc *alloc, uint64_t address);

#endif
