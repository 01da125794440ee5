/* SPDX-License-Identifier: MIT
 * malloc.h: the heaps of glibc's malloc in a dead process: every chunk, used or free.
 *
 * Read from malloc's own state (malloc/malloc.c, malloc/arena.c of glibc 2.17 to 2.43): the main
 * arena by its symbol or, without debug symbols, by the shape of its bins in libc's data; the other
 * arenas from its list. A chunk is free when the next one says so; chunks that a thread's cache or
 * a fast bin keeps are free too but do not look it, so their lists are read beforehand. Chunks that
 * have a mapping of their own are on no list: they are looked for where nothing else is.
 *
 *   chunk                 user data
 *   +-----------+------+--------------------------------+-----------+--
 *   | prev_size | size | bytes ... (a free one: links)  | (used up) | next chunk's size, ...
 *   +-----------+------+--------------------------------+-----------+--
 *               low bits of size: 1 the one before is in use, 2 mapped, 4 not of the main arena
 *
 * Where the state cannot be read, there are no areas, and the note says why.
 */
#ifndef DF_MALLOC_H
#define DF_MALLOC_H

#include "dumpfmt/dump.h"

#define DF_MAX_HEAPS 1000000 /* of all arenas */

enum df_area_kind {
    DF_AREA_MAIN,   /* grown by brk */
    DF_AREA_HEAP,   /* of another arena: at most 64 MiB, aligned so */
    DF_AREA_MAPPED, /* one chunk */
};

struct df_malloc_area {
    uint64_t start, end; /* all of its bytes */
    uint64_t first;      /* the first chunk; what is before it is malloc's own */
    uint64_t top;        /* the chunk that the area grows from; 0 when it has none */
    uint8_t kind;        /* enum df_area_kind */
    bool whole;          /* its chunks lead from one end to the other */
};

struct df_malloc {
    struct df_malloc_area *areas; /* sorted, disjoint */
    size_t area_count, area_capacity;
    uint64_t *cached; /* sorted: user data of chunks that caches and fast bins keep */
    size_t cached_count, cached_capacity;
    uint64_t main_arena; /* address; 0 when not found */
    bool by_symbol;      /* found by its symbol, not by its shape */
    uint32_t arenas;     /* how many */
    uint32_t damaged;    /* areas that are not whole, lists that lead astray */
    const char *note;    /* why there is nothing, or not all; NULL */
    uint64_t budget; /* links of lists that may still be followed: lists that share their ends */
};

enum df_chunk_state { DF_CHUNK_USED, DF_CHUNK_FREE, DF_CHUNK_TOP };

struct df_chunk {
    uint64_t start, end;    /* what it takes of its area: sums to the area */
    uint64_t address, size; /* user data: all that the owner may use */
    enum df_chunk_state state;
};

struct df_malloc_span { /* [start, end) */
    uint64_t start, end;
};

struct df_err *df_malloc_open(const struct df_dump *dump, struct df_malloc **ret);
void df_malloc_close(struct df_malloc *malloc); /* NULL is allowed */

/* Looks for chunks that are mappings of their own in writable memory that belongs to no file and is
 * not in `taken` (sorted, disjoint; what else is known to be there), and adds them as areas. */
void df_malloc_find_mapped(struct df_malloc *malloc, const struct df_dump *dump,
                           const struct df_malloc_span *taken, size_t count);

/* Iterates the chunks of an area by address. */
struct df_chunk_cursor {
    const struct df_malloc *malloc;
    const struct df_aspace *space;
    const struct df_malloc_area *area;
    uint64_t at;
    size_t cached; /* the next one of malloc->cached */
};
void df_chunks_begin(const struct df_malloc *malloc, const struct df_aspace *space,
                     const struct df_malloc_area *area, struct df_chunk_cursor *ret);
/* False at the area's end, or where the chunks lead no further. */
bool df_chunks_next(struct df_chunk_cursor *cursor, struct df_chunk *ret);

#endif
