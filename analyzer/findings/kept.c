/* SPDX-License-Identifier: MIT
 * kept.c: see kept.h. One description serves both directions (analyzer/graph/saved.h).
 */
#include "analyzer/findings/kept.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

enum {
    TRUNK,
    PLACES,
    TYPES,
    CYCLES,
    GARBAGE,
    UNCOLLECTABLE,
    INCONSISTENT,
    FIRST_INCONSISTENT,
    FREED,
    FREED_BYTES,
    TOTAL_BYTES,
    OBJECTS_WIDTH,
    DISTANCE_WIDTH,
    SPAN_WIDTH,
    RETAINED_WIDTH,
    NUMBERS
};

static void tell(const struct fi_analysis *a, uint64_t *numbers)
{
    numbers[TRUNK] = a->trunk.count;
    numbers[PLACES] = a->tree.order.count;
    numbers[TYPES] = a->type_count;
    numbers[CYCLES] = a->cycle_count;
    numbers[GARBAGE] = a->garbage;
    numbers[UNCOLLECTABLE] = a->uncollectable;
    numbers[INCONSISTENT] = a->inconsistent;
    numbers[FIRST_INCONSISTENT] = a->first_inconsistent;
    numbers[FREED] = a->garbage_freed;
    numbers[FREED_BYTES] = a->garbage_bytes;
    numbers[TOTAL_BYTES] = a->total_bytes;
    numbers[OBJECTS_WIDTH] = a->tree.objects.width;
    numbers[DISTANCE_WIDTH] = a->distances.width;
    numbers[SPAN_WIDTH] = a->tree.span.width;
    numbers[RETAINED_WIDTH] = a->tree.retained.width;
}

static void take(struct fi_analysis *a, const uint64_t *numbers)
{
    a->trunk.count = (uint32_t)numbers[TRUNK];
    a->tree.order.count = (uint32_t)numbers[PLACES];
    a->type_count = (uint32_t)numbers[TYPES];
    a->cycle_count = (uint32_t)numbers[CYCLES];
    a->garbage = (uint32_t)numbers[GARBAGE];
    a->uncollectable = (uint32_t)numbers[UNCOLLECTABLE];
    a->inconsistent = (uint32_t)numbers[INCONSISTENT];
    a->first_inconsistent = (uint32_t)numbers[FIRST_INCONSISTENT];
    a->garbage_freed = (uint32_t)numbers[FREED];
    a->garbage_bytes = numbers[FREED_BYTES];
    a->total_bytes = numbers[TOTAL_BYTES];
    a->tree.objects.width = (uint8_t)numbers[OBJECTS_WIDTH];
    a->distances.width = (uint8_t)numbers[DISTANCE_WIDTH];
    a->tree.span.width = (uint8_t)numbers[SPAN_WIDTH];
    a->tree.retained.width = (uint8_t)numbers[RETAINED_WIDTH];
}

static void save_tree(struct gr_saved *saved, struct fi_tree *tree, uint64_t rows, uint64_t places)
{
    struct al_preorder *order = &tree->order;
    uint64_t leaves = tree->leaf_count;

    gr_save_array(saved, "tree.place", &order->place, sizeof(*order->place), rows);
    gr_save_array(saved, "tree.node", &order->node, sizeof(*order->node), places);
    gr_save_column(saved, "tree.span", "tree.spanw", &tree->span, places);
    gr_save_array(saved, "tree.above", &tree->above, sizeof(*tree->above), places);
    gr_save_column(saved, "tree.retained", "tree.retainedw", &tree->retained, places);
    gr_save_column(saved, "tree.objects", "tree.objectsw", &tree->objects, places);
    gr_save_list(saved, "tree.leaves", &tree->leaves, sizeof(*tree->leaves), &leaves);
    tree->leaf_count = (uint32_t)leaves;
}

/* Members of a cycle ascend: their differences are small, and packed they take a tenth. */
static void write_members(struct gr_saved *saved, const struct fi_analysis *a, uint64_t count)
{
    uint32_t *differences = df_xcalloc((size_t)count + 1, sizeof(*differences));

    for (uint64_t i = 0; i < count; i++)
        differences[i] = a->cycle_member[i] - (i ? a->cycle_member[i - 1] : 0);
    saved->err = df_necro_add(saved->to, "cycles.members", DF_NECRO_PACKED, differences,
                              sizeof(*differences), count);
    free(differences);
}

struct df_err *fi_need_cycles(struct fi_analysis *analysis)
{
    uint64_t count, there;
    const uint32_t *found;

    if (!analysis->kept)
        return NULL;
    count = analysis->cycle_start[analysis->cycle_count];
    DF_TRY(df_necro_section(analysis->kept, "cycles.members", sizeof(*found), &found, &there));
    if (there != count)
        return df_necro_senseless(analysis->kept, "cycles.members");
    DF_TRY(df_array((size_t)count, sizeof(*analysis->cycle_member), &analysis->cycle_member));
    for (uint64_t i = 0; i < count; i++)
        analysis->cycle_member[i] = found[i] + (i ? analysis->cycle_member[i - 1] : 0);
    analysis->kept = NULL;
    return NULL;
}

static void write_bytes(struct gr_saved *saved, const struct fi_analysis *a)
{
    uint64_t *bytes = df_xcalloc((size_t)a->cycle_count + 1, sizeof(*bytes));

    for (uint32_t cycle = 0; cycle < a->cycle_count; cycle++)
        for (uint32_t i = a->cycle_start[cycle]; i < a->cycle_start[cycle + 1]; i++)
            bytes[cycle] += gr_size(a->graph, a->cycle_member[i]);
    gr_save_array(saved, "cycles.bytes", &bytes, sizeof(*bytes), a->cycle_count);
    free(bytes);
}

static void save_cycles(struct gr_saved *saved, struct fi_analysis *a)
{
    gr_save_array(saved, "cycles.start", &a->cycle_start, sizeof(*a->cycle_start),
                  (uint64_t)a->cycle_count + 1);
    if (saved->err)
        return;
    if (saved->from) {
        gr_save_array(saved, "cycles.bytes", &a->cycle_bytes, sizeof(*a->cycle_bytes),
                      a->cycle_count);
        a->kept = saved->from;
        return;
    }
    write_members(saved, a, a->cycle_start[a->cycle_count]);
    if (!saved->err)
        write_bytes(saved, a);
}

static void save_arrays(struct gr_saved *saved, struct fi_analysis *a)
{
    uint64_t words = a->graph->count / 64 + 1, rows = a->trunk.count;

    gr_save_array(saved, "trunk.bits", &a->trunk.bits, sizeof(*a->trunk.bits), words);
    gr_save_array(saved, "trunk.before", &a->trunk.before, sizeof(*a->trunk.before), words);
    save_tree(saved, &a->tree, rows, a->tree.order.count);
    gr_save_array(saved, "ways.parent", &a->parent, sizeof(*a->parent), rows);
    gr_save_column(saved, "ways.distance", "ways.distancew", &a->distances, rows);
    gr_save_array(saved, "tree.types", &a->type_retained, sizeof(*a->type_retained), a->type_count);
    save_cycles(saved, a);
    gr_save_array(saved, "collector.says", &a->verdict, 1, a->graph->count);
}

struct df_err *fi_analysis_save(const struct fi_analysis *analysis, struct df_necro_writer *to)
{
    struct gr_saved saved = {.to = to};
    struct fi_analysis copy = *analysis; /* the description wants to write; not when it saves */
    uint64_t numbers[NUMBERS];

    DF_TRY(fi_need_cycles(&copy));
    tell(analysis, numbers);
    gr_save_numbers(&saved, "analysis.nums", numbers, NUMBERS);
    save_arrays(&saved, &copy);
    if (analysis->kept)
        free(copy.cycle_member);
    return saved.err;
}

static struct df_err *load(struct gr_saved *saved, struct fi_analysis *a)
{
    uint64_t numbers[NUMBERS];

    gr_save_numbers(saved, "analysis.nums", numbers, NUMBERS);
    if (saved->err)
        return saved->err;
    take(a, numbers);
    a->trunk.graph = a->graph;
    save_arrays(saved, a);
    return saved->err;
}

struct df_err *fi_analysis_load(struct df_necro *from, struct py *py, struct py_objects *objects,
                                struct gr_graph *graph, struct fi_analysis **ret)
{
    struct gr_saved saved = {.from = from};
    struct fi_analysis *analysis = df_xcalloc(1, sizeof(*analysis));
    struct df_err *err;

    analysis->is_mapped = true;
    analysis->py = py;
    analysis->objects = objects;
    analysis->graph = graph;
    err = load(&saved, analysis);
    if (err) {
        fi_analysis_destroy(analysis);
        return err;
    }
    *ret = analysis;
    return NULL;
}
