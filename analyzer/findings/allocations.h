/* SPDX-License-Identifier: MIT
 * allocations.h: which lines allocated what: tracemalloc's tables, grouped as tracemalloc groups
 * them, and joined with the objects.
 *
 * Everything here is cheap when tracemalloc was off: that is decided once.
 */
#ifndef FI_ALLOCATIONS_H
#define FI_ALLOCATIONS_H

#include "analyzer/cpython/tracemalloc.h"
#include "analyzer/findings/analysis.h"

struct fi_allocation_frame {
    const char *file;
    uint32_t line; /* 0: unknown, or a whole file is meant */
};

enum fi_allocation_group { FI_BY_LINE, FI_BY_FILE, FI_BY_TRACEBACK };

/* tracemalloc.Statistic: what all blocks of one line, one file or one traceback add up to. */
struct fi_allocation_row {
    struct fi_allocation_frame *frames; /* the oldest call first, as Python has it */
    uint32_t frame_count;
    uint64_t size, count;
};

/* The list that `tracemalloc.take_snapshot().statistics(group)` would have returned. */
struct fi_allocations {
    bool tracing;          /* what follows the note is only there when it was */
    const char *note;      /* one sentence: why nothing is known; NULL */
    uint32_t max_frames;   /* kept of each traceback; 0: not known */
    uint64_t traced_bytes; /* tracemalloc.get_traced_memory() */
    uint64_t peak_bytes;   /* 0: not known */
    uint64_t own_bytes;    /* that tracemalloc itself takes, of C's memory */
    uint64_t blocks;       /* all that were traced */
    uint64_t damaged;      /* of its tables: entries that could not be read */
    enum fi_allocation_group group;
    const char *type;               /* only objects of this type; NULL: all blocks */
    uint64_t objects;               /* of the type, */
    uint64_t untraced;              /* and of those: without a trace */
    uint64_t size, count;           /* sums of the rows */
    struct fi_allocation_row *rows; /* in the order of tracemalloc: biggest first */
    uint32_t row_count;
    void *pool;
};

struct fi_allocations_options {
    enum fi_allocation_group group;
    const char *type; /* with analysis and nodes: those objects alone; NULL: all blocks */
    const uint32_t *nodes;
    uint32_t node_count;
};

/* analysis may be NULL when no type is asked for. */
struct df_err *fi_allocations_make(const struct py *py, struct fi_analysis *analysis,
                                   const struct fi_allocations_options *options,
                                   struct fi_allocations **ret);
void fi_allocations_free(struct fi_allocations *allocations);         /* NULL is allowed */
const char *fi_allocation_group_name(enum fi_allocation_group group); /* "lineno", ... */

/* What tracemalloc wrote down, read when first asked for; NULL when there is nothing of it. */
const struct py_tracemalloc *fi_traced(struct fi_analysis *analysis);
/* The trace of a node's own memory (not of its tables and texts); NULL when there is none: it was
 * allocated before tracing began, it is static, or its memory was reused by its type. */
const struct py_trace *fi_allocation_of(struct fi_analysis *analysis, uint32_t node);

/* Where most of some objects were allocated. */
struct fi_allocations_top {
    const char *file; /* of the line that allocated more of them than any other; borrowed */
    uint32_t line;
    uint64_t count;  /* of them that it allocated */
    uint64_t traced; /* of them that have a trace */
    uint64_t total;
    uint32_t stack; /* the traceback that most of `count` have */
};
/* False when none of them has a trace. */
bool fi_allocations_top(struct fi_analysis *analysis, const uint32_t *nodes, uint32_t count,
                        struct fi_allocations_top *ret);

/* One block of an object, for `show`. */
struct fi_allocated {
    const char *what;                   /* "object", "items", "table", ... */
    uint64_t size;                      /* bytes that were asked for */
    struct fi_allocation_frame *frames; /* the most recent call first */
    uint32_t frame_count, frame_total;  /* total: that there were; 0: not known */
};

struct fi_pool;
/* The blocks of a node that have a trace: its own first, then buffers. All memory is the pool's. */
void fi_allocated_fill(struct fi_analysis *analysis, struct fi_pool *pool, uint32_t node,
                       struct fi_allocated **ret, uint32_t *ret_count);

#endif
