/* SPDX-License-Identifier: MIT
 * allocations.c: what Snapshot.statistics of Lib/tracemalloc.py would have said.
 *
 * The rules (Snapshot._group_by, Statistic._sort_key, the same from 3.8 to 3.15): blocks of all
 * domains count alike; a line is the most recent frame of a traceback; tracebacks with equal frames
 * are one, however many frames were cut off behind them; rows are sorted by size, count and
 * traceback, all descending, tracebacks as tuples of (file, line) with the oldest call first. Files
 * are numbered as their names sort, so that numbers are compared in place of texts.
 */
#include "analyzer/findings/traces.h"

#include <stdlib.h>

#include "analyzer/findings/pool.h"
#include "dumpfmt/base/mem.h"

struct grouping {
    const struct fi_traces *traced; /* the tables of stacks, frames and files */
    enum fi_allocation_group group;
    uint32_t *group_of; /* per traceback */
    uint32_t *first;    /* per group: one of its tracebacks */
    uint64_t *size, *count;
    uint32_t groups;
};

/* Frame i of a traceback in the order and the form that the group compares: the oldest first. */
static struct py_trace_frame frame_at(const struct grouping *g, const struct py_trace_stack *stack,
                                      uint32_t i)
{
    uint32_t last = g->group == FI_BY_TRACEBACK ? stack->count - 1 : 0;
    struct py_trace_frame frame = g->traced->frames[stack->first + last - i];

    if (g->group == FI_BY_FILE)
        frame.line = 0;
    return frame;
}

static uint32_t frame_count(const struct grouping *g, const struct py_trace_stack *stack)
{
    return g->group == FI_BY_TRACEBACK ? stack->count : 1;
}

static int compare_stacks(const struct grouping *g, uint32_t left, uint32_t right)
{
    const struct py_trace_stack *a = &g->traced->stacks[left], *b = &g->traced->stacks[right];
    uint32_t a_count = frame_count(g, a), b_count = frame_count(g, b);

    for (uint32_t i = 0; i < a_count && i < b_count; i++) {
        struct py_trace_frame x = frame_at(g, a, i), y = frame_at(g, b, i);

        if (x.file != y.file)
            return x.file < y.file ? -1 : 1;
        if (x.line != y.line)
            return x.line < y.line ? -1 : 1;
    }
    return (a_count > b_count) - (a_count < b_count);
}

static int by_frames(const void *left, const void *right, void *context)
{
    return compare_stacks(context, *(const uint32_t *)left, *(const uint32_t *)right);
}

/* Groups are numbered in ascending order of their tracebacks. */
static struct df_err *make_groups(struct grouping *g)
{
    DF_CLEANUP_FREE uint32_t *order = NULL;
    uint32_t count = g->traced->stack_count;

    DF_TRY(df_array(count, sizeof(*order), &order));
    DF_TRY(df_array(count, sizeof(*g->group_of), &g->group_of));
    DF_TRY(df_array(count, sizeof(*g->first), &g->first));
    DF_TRY(df_array(count, sizeof(*g->size), &g->size));
    DF_TRY(df_array(count, sizeof(*g->count), &g->count));
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof(*order), by_frames, g);
    for (uint32_t i = 0; i < count; i++) {
        if (!i || compare_stacks(g, order[i - 1], order[i]))
            g->first[g->groups++] = order[i];
        g->group_of[order[i]] = g->groups - 1;
    }
    return NULL;
}

static void add(struct grouping *g, uint32_t stack, uint64_t size, uint64_t count)
{
    uint32_t group = g->group_of[stack];

    g->size[group] += size;
    g->count[group] += count;
}

static int by_rank(const void *left, const void *right, void *context)
{
    const struct grouping *g = context;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    if (g->size[a] != g->size[b])
        return g->size[a] > g->size[b] ? -1 : 1;
    if (g->count[a] != g->count[b])
        return g->count[a] > g->count[b] ? -1 : 1;
    return (a < b) - (a > b);
}

static struct fi_allocation_row make_row(const struct grouping *g, struct fi_pool *pool,
                                         uint32_t group)
{
    const struct py_trace_stack *stack = &g->traced->stacks[g->first[group]];
    struct fi_allocation_row row = {
        .size = g->size[group], .count = g->count[group], .frame_count = frame_count(g, stack)};

    row.frames = fi_pool_array(pool, row.frame_count, sizeof(*row.frames));
    for (uint32_t i = 0; i < row.frame_count; i++) {
        struct py_trace_frame frame = frame_at(g, stack, i);

        row.frames[i] = (struct fi_allocation_frame){
            .file = fi_pool_text(pool, g->traced->files[frame.file]), .line = frame.line};
    }
    return row;
}

static struct df_err *make_rows(struct grouping *g, struct fi_allocations *ret)
{
    DF_CLEANUP_FREE uint32_t *order = NULL;

    DF_TRY(df_array(g->groups, sizeof(*order), &order));
    for (uint32_t i = 0; i < g->groups; i++)
        if (g->count[i])
            order[ret->row_count++] = i;
    if (ret->row_count)
        qsort_r(order, ret->row_count, sizeof(*order), by_rank, g);
    ret->rows = fi_pool_array(ret->pool, ret->row_count, sizeof(*ret->rows));
    for (uint32_t i = 0; i < ret->row_count; i++) {
        ret->rows[i] = make_row(g, ret->pool, order[i]);
        ret->size += ret->rows[i].size;
        ret->count += ret->rows[i].count;
    }
    return NULL;
}

/* Blocks one by one, or sums of them. */
struct blocks {
    struct fi_analysis *analysis; /* with options: the objects of a type */
    const struct fi_allocations_options *options;
    const struct py_tracemalloc *all;
    const struct fi_trace_sum *sums;
    uint32_t sum_count;
};

static void add_objects(struct grouping *g, const struct blocks *blocks, struct fi_allocations *ret)
{
    for (uint32_t i = 0; i < blocks->options->node_count; i++) {
        const struct py_trace *trace =
            fi_allocation_of(blocks->analysis, blocks->options->nodes[i]);

        if (trace)
            add(g, trace->stack, trace->size, 1);
        else
            ret->untraced++;
    }
}

static void add_blocks(struct grouping *g, const struct blocks *blocks, struct fi_allocations *ret)
{
    if (blocks->options && blocks->options->type) {
        add_objects(g, blocks, ret);
        return;
    }
    for (size_t i = 0; blocks->all && i < blocks->all->trace_count; i++)
        add(g, blocks->all->traces[i].stack, blocks->all->traces[i].size, 1);
    for (uint32_t i = 0; i < blocks->sum_count; i++)
        add(g, blocks->sums[i].stack, blocks->sums[i].size, blocks->sums[i].count);
}

static struct df_err *fill(const struct fi_traces *traced, const struct blocks *blocks,
                           struct fi_allocations *ret)
{
    struct grouping g = {.traced = traced, .group = ret->group};
    struct df_err *err = make_groups(&g);

    if (!err) {
        add_blocks(&g, blocks, ret);
        err = make_rows(&g, ret);
    }
    free(g.group_of);
    free(g.first);
    free(g.size);
    free(g.count);
    return err;
}

static const char *why_nothing(enum py_tracing state)
{
    switch (state) {
    case PY_TRACING_ON:
        return NULL;
    case PY_TRACING_OFF:
        return "tracemalloc was not on in this process, so where memory was allocated was not "
               "written down: start it with PYTHONTRACEMALLOC=10 in the environment, or with "
               "python -X tracemalloc=10";
    case PY_TRACING_LOST:
        return "tracemalloc was on, but its tables are not found in this core: install the debug "
               "package of the interpreter, or give --debug-dir";
    default:
        return "whether tracemalloc was on cannot be told without the symbols of the interpreter: "
               "give --sysroot or --executable, or install its debug package";
    }
}

static struct df_err *make(const struct fi_traces *traced, const struct blocks *blocks,
                           const struct fi_allocations *about, struct fi_allocations **ret)
{
    struct fi_pool *pool = fi_pool_create();
    struct fi_allocations *made = fi_pool_array(pool, 1, sizeof(*made));
    struct df_err *err = NULL;

    *made = (struct fi_allocations){
        .tracing = traced->state == PY_TRACING_ON,
        .note = why_nothing(traced->state),
        .max_frames = traced->max_frames,
        .traced_bytes = traced->traced_bytes,
        .peak_bytes = traced->peak_bytes,
        .own_bytes = traced->own_bytes,
        .blocks = traced->blocks,
        .damaged = traced->damaged,
        .group = about->group,
        .type = fi_pool_text(pool, about->type),
        .objects = about->objects,
        .untraced = about->untraced,
        .pool = pool,
    };
    if (made->tracing)
        err = fill(traced, blocks, made);
    if (err)
        fi_allocations_free(made);
    else
        *ret = made;
    return err;
}

struct df_err *fi_allocations_make(const struct py *py, struct fi_analysis *analysis,
                                   const struct fi_allocations_options *options,
                                   struct fi_allocations **ret)
{
    struct py_tracemalloc *own = NULL;
    const struct py_tracemalloc *traced = analysis ? fi_traced(analysis) : NULL;

    if (!traced) {
        DF_TRY(py_tracemalloc_open(py, &own));
        traced = own;
    }
    struct fi_traces tables = fi_trace_tables(traced);
    struct blocks blocks = {.analysis = analysis, .options = options, .all = traced};
    struct fi_allocations about = {
        .group = options->group, .type = options->type, .objects = options->node_count};
    struct df_err *err = make(&tables, &blocks, &about, ret);

    py_tracemalloc_close(own);
    return err;
}

struct df_err *fi_allocations_of(const struct fi_traces *traces, enum fi_allocation_group group,
                                 const struct fi_trace_type *type, struct fi_allocations **ret)
{
    struct blocks blocks = {.sums = type ? type->sums : traces->sums,
                            .sum_count = type ? type->sum_count : traces->sum_count};
    struct fi_allocations about = {.group = group};

    if (type) {
        about.type = type->type;
        about.objects = type->objects;
        about.untraced = traces->state == PY_TRACING_ON ? type->untraced : 0;
    }
    return make(traces, &blocks, &about, ret);
}

void fi_allocations_free(struct fi_allocations *allocations)
{
    if (allocations)
        fi_pool_destroy(allocations->pool);
}

const char *fi_allocation_group_name(enum fi_allocation_group group)
{
    static const char *const names[] = {
        [FI_BY_LINE] = "lineno", [FI_BY_FILE] = "filename", [FI_BY_TRACEBACK] = "traceback"};

    return names[group];
}
