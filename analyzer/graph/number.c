/* SPDX-License-Identifier: MIT
 * number.c: numbers objects by address, and walks each in this order, runs of them on as many
 * threads as there may be (rows.h): its node is written where it stays, its row of edges copied
 * there when those of all lower addresses have their place.
 *
 * What only code of the dead process can tell of an object, which one emulator runs, is asked in
 * the end.
 */
#include "analyzer/graph/number.h"

#include <string.h>

#include "analyzer/graph/rows.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define PROGRESS_STEP 65536

struct numbering {
    struct gr_discovery *discovery;
    struct gr_graph *graph;
    struct py_objects **workers; /* one a thread */
    struct gr_runs runs;
    struct gr_row_lists lists; /* of all runs whose turn is over; `target` is the graph's */
    bool too_many;
};

static struct df_err *allocate_nodes(struct gr_graph *graph, uint32_t count, uint32_t type_count)
{
    graph->count = count;
    DF_TRY(gr_column_init(&graph->types, count, type_count < UINT16_MAX ? 2 : 4));
    DF_TRY(gr_column_init(&graph->sizes, count, 2));
    DF_TRY(gr_column_init(&graph->references, count, 1));
    DF_TRY(df_array(count, sizeof(*graph->flags), &graph->flags));
    DF_TRY(df_array(count, sizeof(*graph->origins), &graph->origins));
    return df_array((size_t)count + 1, sizeof(*graph->start), &graph->start);
}

/* In a run's turn: what it found goes behind what all before it did. */
static void take_lists(struct numbering *n, struct gr_rows *rows, const struct gr_run *run)
{
    struct gr_numbers *target = &n->lists.target;
    size_t first = target->count, more = rows->lists.target.count;

    n->too_many |= first + more >= UINT32_MAX - 1 ||
                   n->lists.weak_target.count + rows->lists.weak_target.count >= UINT32_MAX - 1;
    n->runs.stopped |= n->too_many;
    if (!n->too_many) {
        DF_APPEND(target, rows->lists.target.items, more);
        gr_row_lists_join(&n->lists, &rows->lists, first);
    }
    py_objects_take_ledger(n->discovery->objects, rows->objects);
    if (run->end / PROGRESS_STEP != run->first / PROGRESS_STEP)
        df_progress(n->discovery->progress, "numbering objects", run->end, n->graph->count);
}

static void move_starts(uint32_t *start, const struct gr_run *run, uint32_t first_edge)
{
    for (uint32_t v = run->first; v < run->end; v++)
        start[v + 1] += first_edge;
}

static void number_runs(void *context, uint32_t i)
{
    struct numbering *n = context;
    struct gr_rows rows = {.discovery = n->discovery,
                           .graph = n->graph,
                           .objects = n->workers[i],
                           .refs = {.bare = true}};
    struct gr_run run;

    while (gr_runs_take(&n->runs, &run)) {
        uint32_t first_edge;

        gr_rows_make(&rows, run);
        gr_runs_begin_turn(&n->runs, &run);
        first_edge = (uint32_t)n->lists.target.count;
        take_lists(n, &rows, &run);
        gr_runs_end_turn(&n->runs, &run);
        move_starts(n->graph->start, &run, first_edge);
    }
    free(rows.refs.items);
    gr_row_lists_deinit(&rows.lists);
}

/* Sizes that were asked in the end and do not fit go between the others: both ascend by node. */
static void merge_wide(struct gr_wide_list *wide, struct gr_wide_list *more)
{
    size_t left = wide->count, right = more->count;

    DF_APPEND(wide, more->items, more->count);
    for (size_t at = wide->count; right; at--)
        wide->items[at - 1] = left && wide->items[left - 1].node > more->items[right - 1].node
                                  ? wide->items[--left]
                                  : more->items[--right];
    free(more->items);
}

static void ask(struct numbering *n)
{
    struct gr_graph *graph = n->graph;
    struct py_objects *objects = n->discovery->objects;
    struct gr_wide_list wide = {0};

    for (size_t i = 0; i < n->lists.asked.count; i++) {
        const struct gr_subject *object = &n->lists.asked.items[i];

        graph->flags[object->node] |= gr_flags_of(objects, n->discovery, object);
        gr_column_put(&graph->sizes, &wide, object->node, gr_size_of(objects, object));
    }
    merge_wide(&n->lists.wide_sizes, &wide);
}

static int by_number(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

/* References that counts do not have are added to them. Immortal is immortal. */
static void add_uncounted(struct numbering *n)
{
    const struct gr_address_list *more = &n->discovery->uncounted;
    struct gr_numbers *nodes = &n->lists.uncounted;

    for (size_t i = 0; i < more->count; i++) {
        uint32_t v = gr_rank(&n->discovery->places, more->items[i]);

        if (v != GR_NO_RANK)
            DF_PUSH(nodes, v);
    }
    if (nodes->count)
        qsort(nodes->items, nodes->count, sizeof(*nodes->items), by_number);
    for (size_t i = 0, end; i < nodes->count; i = end) {
        uint32_t v = nodes->items[i];
        int64_t references = gr_references(n->graph, v);

        for (end = i + 1; end < nodes->count && nodes->items[end] == v;)
            end++;
        if (references < INT64_MAX - (int64_t)(end - i))
            gr_column_set(&n->graph->references, v, (uint64_t)(references + (int64_t)(end - i)));
    }
}

/* Objects that were found in other ways than in a list or by a reference, all of which have been
 * taken for found by a reference. */
static void tell_sources(struct numbering *n)
{
    const struct gr_discovery *discovery = n->discovery;
    const struct df_map *sources = &discovery->sources;

    for (size_t i = 0; sources->keys && i <= sources->mask; i++) {
        uint32_t v = sources->keys[i] ? gr_rank(&discovery->places, sources->keys[i]) : GR_NO_RANK;

        if (v == GR_NO_RANK || n->graph->origins[v] == GR_FROM_GC_LIST)
            continue;
        n->graph->origins[v] = (uint8_t)sources->values[i];
        n->lists.objects_by_source[GR_FROM_REFERENT]--;
        n->lists.objects_by_source[sources->values[i]]++;
    }
}

/* The lists become the graph's. */
static struct df_err *install(struct numbering *n)
{
    struct gr_graph *graph = n->graph;
    struct gr_row_lists *lists = &n->lists;

    gr_column_join(&graph->types, &lists->wide_types);
    gr_column_join(&graph->sizes, &lists->wide_sizes);
    gr_column_join(&graph->references, &lists->wide_references);
    DF_PUSH(&lists->weak_start, (uint32_t)lists->weak_target.count);
    graph->weak_count = (uint32_t)lists->weak_target.count;
    graph->weak_holder_count = (uint32_t)lists->weak_holder.count;
    graph->weak_holder = DF_TAKE(lists->weak_holder.items);
    graph->weak_start = DF_TAKE(lists->weak_start.items);
    graph->weak_target = DF_TAKE(lists->weak_target.items);
    graph->edge_count = (uint32_t)lists->target.count;
    graph->unusual_count = (uint32_t)lists->kinds.count;
    DF_TRY(df_array((size_t)graph->edge_count / 4 + 1, 1, &graph->edge_kinds));
    for (size_t i = 0; i < lists->kinds.count; i++) {
        const struct gr_edge_kind *kind = &lists->kinds.items[i];

        graph->edge_kinds[kind->edge / 4] |= (uint8_t)(kind->kind << 2 * (kind->edge % 4));
    }
    graph->target = DF_TAKE(lists->target.items);
    memcpy(graph->references_by_kind, lists->references_by_kind, sizeof(lists->references_by_kind));
    graph->references_by_kind[PY_REF_WEAK] = graph->weak_count;
    memcpy(graph->objects_by_source, lists->objects_by_source, sizeof(lists->objects_by_source));
    DF_APPEND(&n->discovery->native, lists->native.items, lists->native.count);
    return NULL;
}

static struct df_err *finish(struct numbering *n)
{
    if (n->too_many)
        return df_err_new(DF_ERR_UNSUPPORTED, "the process has more than 4 billion references, "
                                              "more than this program can number");
    ask(n);
    tell_sources(n);
    DF_TRY(install(n));
    add_uncounted(n);
    return NULL;
}

static int by_object(const void *left, const void *right)
{
    const struct gr_kept *a = left, *b = right;

    return a->object < b->object ? -1 : a->object > b->object;
}

static struct df_err *begin(struct numbering *n)
{
    struct gr_discovery *discovery = n->discovery;
    struct gr_numbers *target = &n->lists.target;
    uint64_t count;

    free(DF_TAKE(discovery->work.items));
    if (discovery->kept.count)
        qsort(discovery->kept.items, discovery->kept.count, sizeof(*discovery->kept.items),
              by_object);
    DF_TRY(gr_places_rank_all(&discovery->places, &count));
    DF_TRY(allocate_nodes(n->graph, (uint32_t)count, py_type_count(discovery->objects)));
    target->capacity = (size_t)discovery->edge_count + 1;
    return df_array(target->capacity, sizeof(*target->items), &target->items);
}

static void walk_all(struct numbering *n)
{
    struct gr_discovery *discovery = n->discovery;

    n->workers = py_objects_workers(discovery->objects, discovery->jobs);
    gr_runs_init(&n->runs, &discovery->places);
    df_threads_run(discovery->jobs, number_runs, n);
    gr_runs_deinit(&n->runs);
    py_objects_close_workers(n->workers, discovery->jobs);
}

struct df_err *gr_number(struct gr_discovery *discovery, struct gr_graph *graph)
{
    struct numbering n = {.discovery = discovery, .graph = graph};
    struct df_err *err = begin(&n);

    if (!err) {
        walk_all(&n);
        err = finish(&n);
    }
    gr_discovery_release(discovery);
    gr_row_lists_deinit(&n.lists);
    graph->places = discovery->places;
    discovery->places = (struct gr_places){0};
    return err;
}
