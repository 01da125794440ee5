/* SPDX-License-Identifier: MIT
 * kept.c: see kept.h. One description serves both directions (analyzer/graph/saved.h).
 */
#include "analyzer/findings/kept.h"

#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

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
}

static void save_tree(struct gr_saved *saved, struct fi_tree *tree, uint64_t rows, uint64_t places)
{
    struct al_preorder *order = &tree->order;
    uint64_t leaves = tree->leaf_count;

    gr_save_array(saved, "tree.place", &order->place, sizeof(*order->place), rows);
    gr_save_array(saved, "tree.node", &order->node, sizeof(*order->node), places);
    gr_save_array(saved, "tree.span", &order->span, sizeof(*order->span), places);
    gr_save_array(saved, "tree.above", &order->above, sizeof(*order->above), places);
    gr_save_column(saved, "tree.retained", "tree.retainedw", &tree->retained, places);
    gr_save_column(saved, "tree.objects", "tree.objectsw", &tree->objects, places);
    gr_save_list(saved, "tree.leaves", &tree->leaves, sizeof(*tree->leaves), &leaves);
    tree->leaf_count = (uint32_t)leaves;
}

/* Members of a cycle ascend: their differences are small, and packed they take a tenth. */
static void save_members(struct gr_saved *saved, struct fi_analysis *a, uint64_t count)
{
    DF_CLEANUP_FREE uint32_t *own = NULL;
    const uint32_t *found;
    uint64_t there = 0;

    if (saved->err)
        return;
    own = df_xcalloc((size_t)count + 1, sizeof(*own));
    if (saved->to) {
        for (uint64_t i = 0; i < count; i++)
            own[i] = a->cycle_member[i] - (i ? a->cycle_member[i - 1] : 0);
        saved->err =
            df_necro_add(saved->to, "cycles.members", DF_NECRO_PACKED, own, sizeof(*own), count);
        return;
    }
    saved->err = df_necro_section(saved->from, "cycles.members", sizeof(*own), &found, &there);
    if (!saved->err && there != count)
        saved->err = df_err_new(DF_ERR_INPUT, "this snapshot is damaged: its cycles make no sense");
    for (uint64_t i = 0; !saved->err && i < count; i++)
        own[i] = found[i] + (i ? own[i - 1] : 0);
    a->cycle_member = DF_TAKE(own);
}

static void save_arrays(struct gr_saved *saved, struct fi_analysis *a)
{
    uint64_t words = a->graph->count / 64 + 1, rows = a->trunk.count, members = 0;

    gr_save_array(saved, "trunk.bits", &a->trunk.bits, sizeof(*a->trunk.bits), words);
    gr_save_array(saved, "trunk.before", &a->trunk.before, sizeof(*a->trunk.before), words);
    save_tree(saved, &a->tree, rows, a->tree.order.count);
    gr_save_array(saved, "ways.parent", &a->parent, sizeof(*a->parent), rows);
    gr_save_column(saved, "ways.distance", "ways.distancew", &a->distances, rows);
    gr_save_array(saved, "tree.types", &a->type_retained, sizeof(*a->type_retained), a->type_count);
    gr_save_array(saved, "cycles.start", &a->cycle_start, sizeof(*a->cycle_start),
                  (uint64_t)a->cycle_count + 1);
    if (!saved->err)
        members = a->cycle_start[a->cycle_count];
    save_members(saved, a, members);
    gr_save_array(saved, "collector.says", &a->verdict, 1, a->graph->count);
}

struct df_err *fi_analysis_save(const struct fi_analysis *analysis, struct df_necro_writer *to)
{
    struct gr_saved saved = {.to = to};
    struct fi_analysis copy = *analysis; /* the description wants to write; not when it saves */
    uint64_t numbers[NUMBERS];

    tell(analysis, numbers);
    gr_save_numbers(&saved, "analysis.nums", numbers, NUMBERS);
    save_arrays(&saved, &copy);
    return saved.err;
}

static const struct {
    const char *tag;
    size_t element;
} large[] = {
    {"graph.target", 4}, {"graph.start", 4},   {"graph.referrer", 1}, {"graph.types", 2},
    {"graph.sizes", 2},  {"tree.place", 4},    {"tree.node", 4},      {"tree.span", 4},
    {"tree.above", 4},   {"tree.retained", 4}, {"ways.parent", 4},    {"places.bits", 8},
    {"graph.counts", 1}, {"graph.flags", 1},   {"graph.origins", 1},  {"collector.says", 1},
};

static void check_section(void *context, uint32_t i)
{
    const void *found;
    uint64_t count;

    df_err_free(df_necro_section(context, large[i].tag, large[i].element, &found, &count));
}

void fi_check_sections(struct df_necro *from, uint32_t jobs)
{
    if (jobs > 1 && df_necro_has(from, large[0].tag))
        df_threads_share(jobs, sizeof(large) / sizeof(*large), check_section, from);
}

static struct df_err *load(struct gr_saved *saved, struct fi_analysis *a)
{
    uint64_t numbers[NUMBERS];

    gr_save_numbers(saved, "analysis.nums", numbers, NUMBERS);
    if (saved->err)
        return saved->err;
    take(a, numbers);
    a->tree.retained.width = 4;
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
