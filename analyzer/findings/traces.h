/* SPDX-License-Identifier: MIT
 * traces.h: what tracemalloc wrote down, added up: all that `allocations` can be asked, of all
 * blocks or of the objects of one type, without the single blocks and without the objects.
 *
 * For snapshots: ten million blocks have some thousand tracebacks.
 */
#ifndef FI_TRACES_H
#define FI_TRACES_H

#include "analyzer/findings/allocations.h"

struct fi_trace_sum { /* of blocks that one traceback allocated */
    uint32_t stack;
    uint64_t size, count;
};

struct fi_trace_type { /* the objects of all types of one name */
    const char *type;
    uint64_t objects;
    uint64_t untraced; /* of them: without a trace */
    struct fi_trace_sum *sums;
    uint32_t sum_count;
};

struct fi_traces {
    enum py_tracing state; /* what follows, up to the types, is only there when it was on */
    uint32_t max_frames;
    uint64_t traced_bytes, peak_bytes, own_bytes;
    uint64_t blocks, damaged; /* as fi_allocations */
    struct py_trace_stack *stacks;
    uint32_t stack_count;
    struct py_trace_frame *frames;
    uint32_t frame_count;
    const char **files; /* numbered as Python sorts them */
    uint32_t file_count;
    struct fi_trace_sum *sums; /* of all blocks, by traceback */
    uint32_t sum_count;
    struct fi_trace_type
        *types; /* those that there are objects of, in the order of their numbers */
    uint32_t type_count;
    const char *gap; /* of the core: one sentence on what could not be read; NULL */
    void *pool;
};

/* Head and tables, borrowed; no sums, no types. */
struct fi_traces fi_trace_tables(const struct py_tracemalloc *from);
struct df_err *fi_traces_make(struct fi_analysis *analysis, struct fi_traces **ret);
void fi_traces_free(struct fi_traces *traces); /* NULL is allowed */

/* What fi_allocations_make would say; type: one of traces->types, NULL: all blocks. */
struct df_err *fi_allocations_of(const struct fi_traces *traces, enum fi_allocation_group group,
                                 const struct fi_trace_type *type, struct fi_allocations **ret);

#endif
