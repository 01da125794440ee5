/* SPDX-License-Identifier: MIT
 * mimalloc.h: the blocks that free-threaded CPython has allocated, page by page.
 *
 * There the collector has no lists: what it knows is what lies in two of the heaps of every thread
 * state, and in the pages that threads have left behind (the interpreter's abandoned pool). CPython
 * carries its own copy of mimalloc 2.1, changed: pages have a tag that says which heap they are of.
 */
#ifndef PY_MIMALLOC_H
#define PY_MIMALLOC_H

#include "analyzer/cpython/python.h"

/* _Py_mimalloc_heap_id, Include/internal/pycore_mimalloc.h */
enum py_mi_heap {
    PY_MI_MEMORY,       /* PyMem_Malloc and its kin */
    PY_MI_OBJECTS,      /* objects that the collector does not know */
    PY_MI_GC,           /* those that it does, */
    PY_MI_GC_PREHEADER, /* and those with two words before them */
    PY_MI_HEAPS
};

/* Calls visit with the address of each block that is allocated in one heap of an interpreter (in
 * the heaps of that kind of all its threads, and in abandoned pages): in order of address within
 * a page. A block that is allocated need not be initialised. Stops when visit returns false.
 * Returns true when all was visited and nothing was damaged. */
bool py_mimalloc_blocks(const struct py *py, uint32_t interpreter, enum py_mi_heap heap,
                        bool (*visit)(void *context, uint64_t block), void *context);

/* All of its memory, without asking whose heap a page is of: what the allocator has reserved, and
 * in it the pages of blocks. */
struct py_mi_page {
    uint64_t start, end; /* all of its memory */
    uint64_t first, block_size, capacity;
    const uint64_t *free_bits; /* a bit for each block */
};
struct py_mi_visitor {
    void (*range)(void *context, uint64_t start, uint64_t end);
    void (*page)(void *context, const struct py_mi_page *page); /* of the range visited last */
    void *context;
};
/* Returns false where there is none, its layout is not known, or something was damaged. */
bool py_mimalloc_pages(const struct py *py, const struct py_mi_visitor *visitor);

#endif
