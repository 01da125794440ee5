/* SPDX-License-Identifier: MIT
 * traces.c: blocks added up by traceback, and objects by type and traceback.
 */
#include "analyzer/findings/traces.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/parts.h"
#include "dumpfmt/base/mem.h"

/* Blocks of one traceback that are objects of one type; type 0 stands for "all blocks". */
struct cell {
    uint32_t type, stack;
    uint64_t size, count;
};

struct table {
    struct cell *items;
    size_t count, capacity;
    struct df_map by_key;
};

static void add(struct table *table, uint32_t type, const struct py_trace *trace)
{
    uint64_t key = ((uint64_t)type << 32 | trace->stack) + 1;
    bool added = false;
    uint32_t at = df_map_add(&table->by_key, key, (uint32_t)table->count, &added);

    if (added)
        DF_PUSH(table, (struct cell){.type = type, .stack = trace->stack});
    table->items[at].size += trace->size;
    table->items[at].count++;
}

static int compare_cells(const void *left, const void *right)
{
    const struct cell *a = left, *b = right;

    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    return (a->stack > b->stack) - (a->stack < b->stack);
}

struct fi_traces fi_trace_tables(const struct py_tracemalloc *from)
{
    return (struct fi_traces){.state = from->state,
                              .max_frames = from->max_frames,
                              .traced_bytes = from->traced_bytes,
                              .peak_bytes = from->peak_bytes,
                              .own_bytes = from->own_bytes,
                              .blocks = from->trace_count,
                              .damaged = from->damaged,
                              .stacks = from->stacks,
                              .stack_count = from->stack_count,
                              .frames = from->frames,
                              .frame_count = from->frame_count,
                              .files = (const char **)from->files,
                              .file_count = from->file_count};
}

static void *copy(struct fi_traces *made, const void *items, size_t count, size_t element)
{
    void *own = fi_pool_array(made->pool, count, element);

    return count ? memcpy(own, items, count * element) : own;
}

/* Tables that last as long as `made`. */
static void own_tables(struct fi_traces *made)
{
    made->stacks = copy(made, made->stacks, made->stack_count, sizeof(*made->stacks));
    made->frames = copy(made, made->frames, made->frame_count, sizeof(*made->frames));
    made->files = copy(made, made->files, made->file_count, sizeof(*made->files));
    for (uint32_t i = 0; i < made->file_count; i++)
        made->files[i] = fi_pool_text(made->pool, made->files[i]);
}

/* Names in the order in which types were met; place[type number]: the row of its name. */
static uint32_t *list_types(struct fi_context *context, struct fi_traces *made)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    uint32_t types = py_type_count(analysis->objects);
    uint32_t *place = fi_pool_array(context->pool, types, sizeof(*place));
    uint32_t *row = fi_pool_array(context->pool, types, sizeof(*row));
    uint64_t *count = fi_pool_array(context->pool, types, sizeof(*count));

    for (uint32_t node = 0; node < graph->count; node++)
        count[gr_type(graph, node)]++;
    made->types = fi_pool_array(made->pool, types, sizeof(*made->types));
    memset(row, 0xFF, types * sizeof(*row));
    for (uint32_t i = 0; i < types; i++) {
        uint32_t *known = &row[context->named[i]];

        if (!count[i])
            continue;
        if (*known == UINT32_MAX) {
            *known = made->type_count++;
            made->types[*known].type =
                fi_pool_text(made->pool, py_type_at(analysis->objects, i)->name);
        }
        place[i] = *known;
        made->types[*known].objects += count[i];
    }
    return place;
}

static void add_objects(struct fi_context *context, struct fi_traces *made, struct table *table)
{
    const uint32_t *place = list_types(context, made);
    const struct gr_graph *graph = context->analysis->graph;

    for (uint32_t node = 0; node < graph->count; node++) {
        uint32_t row = place[gr_type(graph, node)];
        const struct py_trace *trace = fi_allocation_of(context->analysis, node);

        if (trace)
            add(table, row + 1, trace);
        else
            made->types[row].untraced++;
    }
}

static struct fi_trace_sum *take_sums(struct fi_traces *made, const struct table *table, size_t *at,
                                      uint32_t type, uint32_t *ret_count)
{
    size_t from = *at;

    while (*at < table->count && table->items[*at].type == type)
        ++*at;
    *ret_count = (uint32_t)(*at - from);
    struct fi_trace_sum *sums = fi_pool_array(made->pool, *ret_count, sizeof(*sums));
    for (uint32_t i = 0; i < *ret_count; i++) {
        const struct cell *cell = &table->items[from + i];

        sums[i] = (struct fi_trace_sum){cell->stack, cell->size, cell->count};
    }
    return sums;
}

static void fill(struct fi_context *context, const struct py_tracemalloc *traced,
                 struct fi_traces *made)
{
    struct table table = {0};
    size_t at = 0;

    df_map_init(&table.by_key);
    for (size_t i = 0; traced && i < traced->trace_count; i++)
        add(&table, 0, &traced->traces[i]);
    fi_name_types(context);
    add_objects(context, made, &table);
    df_map_deinit(&table.by_key);
    if (table.count)
        qsort(table.items, table.count, sizeof(*table.items), compare_cells);
    made->sums = take_sums(made, &table, &at, 0, &made->sum_count);
    for (uint32_t i = 0; i < made->type_count; i++)
        made->types[i].sums = take_sums(made, &table, &at, i + 1, &made->types[i].sum_count);
    free(table.items);
}

struct df_err *fi_traces_make(struct fi_analysis *analysis, struct fi_traces **ret)
{
    const struct py_tracemalloc *traced = fi_traced(analysis);

    if (!analysis->traced)
        return df_err_nomem();
    struct fi_pool *pool = fi_pool_create(), *scratch = fi_pool_create();
    struct fi_traces *made = fi_pool_array(pool, 1, sizeof(*made));
    struct fi_context context = {.analysis = analysis, .pool = scratch};

    *made = fi_trace_tables(analysis->traced);
    made->pool = pool;
    own_tables(made);
    made->gap = fi_pool_take(pool, fi_coverage_gap(analysis));
    fill(&context, traced, made);
    fi_pool_destroy(scratch);
    *ret = made;
    return NULL;
}

void fi_traces_free(struct fi_traces *traces)
{
    if (traces)
        fi_pool_destroy(traces->pool);
}
