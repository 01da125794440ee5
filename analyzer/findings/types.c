/* SPDX-License-Identifier: MIT
 * types.c: the table of types, by name.
 */
#include "analyzer/findings/parts.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define CLIMBS 4 /* steps up the dominator tree for each object, on average, and no more */

static int compare_names(const void *left, const void *right, void *data)
{
    const struct py_objects *objects = data;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    int order = strcmp(py_type_at(objects, a)->name, py_type_at(objects, b)->name);
    return order ? order : (a > b) - (a < b);
}

void fi_name_types(struct fi_context *context)
{
    const struct py_objects *objects = context->analysis->objects;
    uint32_t count = py_type_count(objects);
    uint32_t *sorted = fi_pool_array(context->pool, count, sizeof(*sorted));
    context->named = fi_pool_array(context->pool, count, sizeof(uint32_t));
    context->rank = fi_pool_array(context->pool, count, sizeof(uint32_t));
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = i;
    if (count)
        qsort_r(sorted, count, sizeof(*sorted), compare_names, (void *)(uintptr_t)objects);
    for (uint32_t i = 0; i < count; i++) {
        bool same = i && !strcmp(py_type_at(objects, sorted[i])->name,
                                 py_type_at(objects, sorted[i - 1])->name);
        context->named[sorted[i]] = same ? context->named[sorted[i - 1]] : sorted[i];
        context->rank[sorted[i]] = same ? context->rank[sorted[i - 1]] : i;
        context->merged |= same;
    }
}

static int compare_rows(const void *left, const void *right)
{
    const struct fi_type_row *a = left, *b = right;
    if (a->retained_bytes != b->retained_bytes)
        return a->retained_bytes > b->retained_bytes ? -1 : 1;
    if (a->shallow_bytes != b->shallow_bytes)
        return a->shallow_bytes > b->shallow_bytes ? -1 : 1;
    return strcmp(a->type, b->type);
}

uint32_t fi_type_rows(struct fi_context *context, const uint64_t *count, const uint64_t *shallow,
                      const uint64_t *retained, struct fi_type_row **ret)
{
    const struct py_objects *objects = context->analysis->objects;
    uint32_t types = py_type_count(objects), used = 0;
    for (uint32_t i = 0; i < types; i++)
        used += count[i] != 0;
    struct fi_type_row *rows = fi_pool_array(context->pool, used, sizeof(*rows));
    used = 0;
    for (uint32_t i = 0; i < types; i++)
        if (count[i])
            rows[used++] = (struct fi_type_row){
                .type = fi_pool_text(context->pool, py_type_at(objects, i)->name),
                .count = count[i],
                .shallow_bytes = shallow[i],
                .retained_bytes = retained[i]};
    if (used)
        qsort(rows, used, sizeof(*rows), compare_rows);
    *ret = rows;
    return used;
}

static void add(uint64_t *sum, uint64_t bytes)
{
    if (__builtin_add_overflow(*sum, bytes, sum))
        *sum = UINT64_MAX;
}

/* Has it a dominator that belongs and bears the same name? Takes from *steps what it climbs. */
static bool is_below_another(const struct fi_context *context, uint32_t node, fi_belongs belongs,
                             uint64_t *steps)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    uint32_t named = context->named[gr_type(graph, node)];
    for (uint32_t at = fi_idom(analysis, node); at < graph->count && *steps;
         at = fi_idom(analysis, at), --*steps)
        if (context->named[gr_type(graph, at)] == named && (!belongs || belongs(analysis, at)))
            return true;
    return false;
}

/* The same by a pass over all, where many stand deep. */
static struct df_err *retained_of_all(const struct fi_context *context, const uint32_t *nodes,
                                      uint32_t count, uint64_t *retained)
{
    const struct fi_analysis *analysis = context->analysis;
    uint32_t types = py_type_count(analysis->objects), *class_of;
    DF_TRY(df_array(analysis->graph->count, sizeof(*class_of), &class_of));
    for (uint32_t node = 0; node < analysis->graph->count; node++)
        class_of[node] = types; /* of none */
    for (uint32_t i = 0; i < count; i++)
        class_of[nodes[i]] = context->named[gr_type(analysis->graph, nodes[i])];
    struct df_err *err = fi_class_retained(analysis, class_of, types, retained);
    free(class_of);
    return err;
}

struct df_err *fi_named_retained(const struct fi_context *context, const uint32_t *nodes,
                                 uint32_t count, fi_belongs belongs, uint64_t *retained)
{
    const struct fi_analysis *analysis = context->analysis;
    uint64_t steps = CLIMBS * (uint64_t)analysis->graph->count;
    for (uint32_t i = 0; i < count && steps; i++)
        if (fi_idom(analysis, nodes[i]) != AL_NONE &&
            !is_below_another(context, nodes[i], belongs, &steps))
            add(&retained[context->named[gr_type(analysis->graph, nodes[i])]],
                fi_retained(analysis, nodes[i]));
    return steps || !count ? NULL : retained_of_all(context, nodes, count, retained);
}

/* Retained sizes by name: those by type, unless types share a name. */
static struct df_err *retained_by_name(struct fi_context *context, uint64_t *retained)
{
    const struct fi_analysis *analysis = context->analysis;
    uint32_t types = py_type_count(analysis->objects), count = 0;
    DF_CLEANUP_FREE uint8_t *shared = df_xcalloc(types, 1);
    DF_CLEANUP_FREE uint64_t *of_shared = df_xcalloc(types, sizeof(*of_shared));
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    memcpy(retained, analysis->type_retained, analysis->type_count * sizeof(*retained));
    for (uint32_t i = 0; i < types; i++)
        if (context->named[i] != i)
            shared[i] = shared[context->named[i]] = 1;
    if (context->merged)
        DF_TRY(fi_nodes_of(context, shared, &nodes, &count));
    DF_TRY(fi_named_retained(context, nodes, count, NULL, of_shared));
    for (uint32_t i = 0; i < types; i++)
        if (shared[i])
            retained[i] = of_shared[i];
    return NULL;
}

struct df_err *fi_fill_types(struct fi_context *context)
{
    uint32_t types = py_type_count(context->analysis->objects);
    DF_CLEANUP_FREE uint64_t *count = df_xcalloc(types, sizeof(uint64_t));
    DF_CLEANUP_FREE uint64_t *shallow = df_xcalloc(types, sizeof(uint64_t));
    DF_CLEANUP_FREE uint64_t *retained = df_xcalloc(types, sizeof(uint64_t));
    for (uint32_t i = 0; i < context->census->types; i++) {
        count[context->named[i]] += context->census->sums[i].count;
        shallow[context->named[i]] += context->census->sums[i].shallow;
    }
    DF_TRY(retained_by_name(context, retained));
    context->verdict->type_count =
        fi_type_rows(context, count, shallow, retained, &context->verdict->types);
    return NULL;
}
