/* SPDX-License-Identifier: MIT
 * garbage.c: what gc.collect() would return, what would be freed with it, and what it could not
 * free.
 */
#include "analyzer/findings/parts.h"

#include "dumpfmt/base/mem.h"

struct by_type { /* three arrays, one element per type */
    uint64_t *count, *shallow, *retained;
};

static void init(struct by_type *sums, uint32_t types)
{
    sums->count = df_xcalloc(types, sizeof(uint64_t));
    sums->shallow = df_xcalloc(types, sizeof(uint64_t));
    sums->retained = df_xcalloc(types, sizeof(uint64_t));
}

static void deinit(struct by_type *sums)
{
    free(sums->count);
    free(sums->shallow);
    free(sums->retained);
}

static bool any(const struct fi_analysis *analysis, uint32_t node)
{
    return fi_is_garbage(analysis, node);
}

static bool uncollectable(const struct fi_analysis *analysis, uint32_t node)
{
    return fi_verdict_of(analysis, node) == AL_UNCOLLECTABLE;
}

/* Its __del__ is still to be run. */
static bool with_finalizer(const struct fi_analysis *analysis, uint32_t node)
{
    uint8_t flags = analysis->graph->flags[node];
    return fi_is_garbage(analysis, node) && (flags & GR_HAS_FINALIZER) && !(flags & GR_FINALIZED);
}

/* Sums by type over the nodes that belong. Retained sizes come from the dominator tree, in which a
 * class's members below another member of it are not counted twice. */
static struct df_err *sum(struct fi_context *context, fi_belongs belongs, struct by_type *sums,
                          uint64_t *ret_total)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    uint32_t count = 0;
    DF_TRY(df_array(analysis->garbage + analysis->uncollectable, sizeof(*nodes), &nodes));
    for (uint32_t node = 0; node < graph->count; node++) {
        if (!belongs(analysis, node))
            continue;
        uint32_t type = context->named[gr_type(graph, node)];
        sums->count[type]++;
        sums->shallow[type] += gr_size(graph, node);
        nodes[count++] = node;
    }
    *ret_total = count;
    return fi_named_retained(context, nodes, count, belongs, sums->retained);
}

static struct df_err *fill_rows(struct fi_context *context, fi_belongs belongs,
                                uint64_t *ret_objects, struct fi_type_row **ret_rows,
                                uint32_t *ret_count)
{
    struct by_type sums;
    init(&sums, py_type_count(context->analysis->objects));
    uint64_t objects = 0;
    struct df_err *err = sum(context, belongs, &sums, &objects);
    if (!err) {
        *ret_objects = objects;
        *ret_count = fi_type_rows(context, sums.count, sums.shallow, sums.retained, ret_rows);
    }
    deinit(&sums);
    return err;
}

/* len(gc.garbage), over all interpreters. */
static uint64_t count_gc_garbage(const struct fi_analysis *analysis)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < analysis->py->interpreter_count; i++) {
        uint64_t list = analysis->py->interpreters[i].gc.garbage;
        uint32_t node = list ? gr_node(analysis->graph, list) : AL_NONE;
        if (node != AL_NONE)
            count += analysis->graph->start[node + 1] - analysis->graph->start[node];
    }
    return count;
}

struct df_err *fi_fill_garbage(struct fi_context *context)
{
    const struct fi_analysis *analysis = context->analysis;
    struct fi_garbage *garbage = &context->verdict->garbage;
    garbage->objects = (uint64_t)analysis->garbage + analysis->uncollectable;
    garbage->freed_objects = analysis->garbage_freed;
    garbage->bytes = analysis->garbage_bytes;
    garbage->in_gc_garbage = count_gc_garbage(analysis);
    if (!garbage->objects)
        return NULL;
    uint64_t counted;
    DF_TRY(fill_rows(context, any, &counted, &garbage->types, &garbage->type_count));
    DF_TRY(fill_rows(context, with_finalizer, &garbage->with_finalizer,
                     &garbage->with_finalizer_types, &garbage->with_finalizer_type_count));
    return fill_rows(context, uncollectable, &garbage->uncollectable, &garbage->uncollectable_types,
                     &garbage->uncollectable_type_count);
}
