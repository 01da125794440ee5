/* SPDX-License-Identifier: MIT
 * collect.c: the collector's algorithm over the trunk; a leaf's fate follows from its count and its
 * only referrer's.
 */
#include "analyzer/findings/collect.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

enum { ALIVE = 1, FREED = 2 };

struct work {
    struct fi_analysis *analysis;
    const struct gr_graph *graph;
    const struct gr_trunk *trunk;
    const struct gr_trunk_graph *rows;
    const struct fi_type_fact *facts;
    uint8_t *candidate; /* per node; its memory becomes the analysis' verdict */
    uint8_t *verdict;   /* per row */
    uint8_t *mark;      /* per row: ALIVE, FREED, 0 */
    uint32_t *queue;    /* rows */
};

/* _PyObject_GC_MAY_BE_TRACKED (pycore_gc.h): tuples are believed, whatever else could be is. */
static bool may_be_tracked(const struct work *work, uint32_t v)
{
    const struct gr_graph *graph = work->graph;

    return (graph->flags[v] & GR_GC) &&
           (!work->facts[gr_type(graph, v)].tuple || work->candidate[v]);
}

static bool leaves(const struct work *work, uint32_t v)
{
    const struct gr_graph *graph = work->graph;

    for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
        if (gr_edge_kind(graph, e) == PY_REF_REFERENT && may_be_tracked(work, graph->target[e]))
            return false;
    return true;
}

/* _PyTuple_MaybeUntrack and its like, where the collector calls them before it counts. */
static void leave_atomic(struct work *work)
{
    const struct gr_graph *graph = work->graph;

    for (uint32_t v = 0; v < graph->count; v++)
        if (work->candidate[v] && work->facts[gr_type(graph, v)].atomic &&
            gr_references(graph, v) > 0 && leaves(work, v))
            work->candidate[v] = 0;
}

/* The collector's input, by row; to be freed. */
struct input {
    uint8_t *visited, *candidate, *legacy;
    int64_t *references;
};

static struct df_err *fill_input(const struct work *work, struct input *input)
{
    const struct gr_trunk_graph *rows = work->rows;
    bool any_legacy = false;

    DF_TRY(df_array(rows->csr.count, 1, &input->candidate));
    DF_TRY(df_array(rows->csr.count, 1, &input->legacy));
    DF_TRY(df_array(rows->csr.count, sizeof(*input->references), &input->references));
    for (uint32_t row = 0; row < rows->csr.count; row++) {
        uint32_t v = rows->node[row];

        input->candidate[row] = work->candidate[v];
        input->references[row] = gr_references(work->graph, v);
        any_legacy |= input->legacy[row] = work->facts[gr_type(work->graph, v)].legacy;
    }
    if (!any_legacy)
        free(DF_TAKE(input->legacy));
    if (!rows->unusual_count)
        return NULL;
    DF_TRY(df_array(rows->start[rows->csr.count], 1, &input->visited));
    for (uint32_t e = 0; e < rows->start[rows->csr.count]; e++)
        input->visited[e] = 1;
    for (uint32_t i = 0; i < rows->unusual_count; i++)
        input->visited[rows->unusual[i]] = 0;
    return NULL;
}

static struct df_err *collect_trunk(struct work *work)
{
    struct fi_analysis *a = work->analysis;
    struct input in = {0};
    struct al_collector_input input = {.graph = &work->rows->csr};
    struct al_collector_result result = {.verdict = work->verdict};
    struct df_err *err = fill_input(work, &in);

    input.visited = in.visited;
    input.references = in.references;
    input.candidate = in.candidate;
    input.legacy = in.legacy;
    if (!err)
        err = al_collector(&input, &result);
    free(in.visited);
    free(in.candidate);
    free(in.legacy);
    free(in.references);
    if (err)
        return err;
    a->garbage = result.garbage;
    a->uncollectable = result.uncollectable;
    a->inconsistent = result.inconsistent;
    if (result.first_inconsistent != AL_NONE)
        a->first_inconsistent = work->rows->node[result.first_inconsistent];
    return NULL;
}

/* A candidate that is a leaf: `seen` is whether the collector sees the reference of its holder. */
static enum al_verdict judge_leaf(struct work *work, uint32_t leaf, bool seen,
                                  enum al_verdict holder)
{
    struct fi_analysis *a = work->analysis;
    int64_t references = gr_references(work->graph, leaf);
    bool legacy = work->facts[gr_type(work->graph, leaf)].legacy;

    if (references < seen) {
        a->inconsistent++;
        if (leaf < a->first_inconsistent)
            a->first_inconsistent = leaf;
    }
    if (references > seen || (seen && holder == AL_ALIVE))
        return AL_ALIVE;
    if (legacy || (seen && holder == AL_UNCOLLECTABLE)) {
        a->uncollectable++;
        return AL_UNCOLLECTABLE;
    }
    a->garbage++;
    return AL_GARBAGE;
}

/* The verdict of all nodes, from those by row. */
static void judge_leaves(struct work *work)
{
    const struct gr_graph *graph = work->graph;
    uint8_t *verdict = work->candidate;
    uint32_t row = 0;

    for (uint32_t v = 0; v < graph->count; v++) {
        enum al_verdict own;

        if (!gr_in_trunk(work->trunk, v))
            continue;
        own = verdict[v] = work->verdict[row++];
        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
            uint32_t w = graph->target[e];
            bool plain = gr_edge_kind(graph, e) == PY_REF_REFERENT;

            if (!gr_in_trunk(work->trunk, w))
                verdict[w] = verdict[w] ? judge_leaf(work, w, plain && own != AL_NOT_CANDIDATE, own)
                                        : AL_NOT_CANDIDATE;
        }
    }
    work->analysis->verdict = DF_TAKE(work->candidate);
}

static bool is_alive_root(const struct gr_graph *graph, uint32_t v)
{
    uint8_t kind = gr_root_kind_of(graph, v);

    return kind != GR_ROOT_NONE && kind != GR_ROOT_GARBAGE && kind != GR_ROOT_UNKNOWN;
}

static void flood(struct work *work, uint8_t colour, uint32_t count)
{
    const struct al_csr *csr = &work->rows->csr;

    for (uint32_t head = 0; head < count; head++) {
        uint32_t row = work->queue[head];

        for (uint32_t e = csr->start[row]; e < csr->start[row + 1]; e++) {
            if (work->mark[csr->target[e]])
                continue;
            work->mark[csr->target[e]] = colour;
            work->queue[count++] = csr->target[e];
        }
    }
}

static void mark_alive(struct work *work)
{
    uint32_t count = 0;

    for (uint32_t row = 0; row < work->rows->csr.count; row++)
        if (!work->mark[row] && (is_alive_root(work->graph, work->rows->node[row]) ||
                                 work->verdict[row] == AL_UNCOLLECTABLE)) {
            work->mark[row] = ALIVE;
            work->queue[count++] = row;
        }
    flood(work, ALIVE, count);
}

static void mark_freed(struct work *work)
{
    uint32_t count = 0;

    for (uint32_t row = 0; row < work->rows->csr.count; row++)
        if (work->mark[row] == FREED)
            work->queue[count++] = row;
    flood(work, FREED, count);
}

static void count_freed(struct work *work, uint32_t node)
{
    work->analysis->garbage_freed++;
    work->analysis->garbage_bytes += gr_size(work->graph, node);
}

static void add_up(struct work *work)
{
    const struct gr_graph *graph = work->graph;
    const uint8_t *verdict = work->analysis->verdict;

    for (uint32_t row = 0; row < work->rows->csr.count; row++) {
        uint32_t v = work->rows->node[row];

        if (work->mark[row] == FREED)
            count_freed(work, v);
        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
            uint32_t w = graph->target[e];

            if (gr_in_trunk(work->trunk, w) || verdict[w] == AL_UNCOLLECTABLE)
                continue;
            if (verdict[w] == AL_GARBAGE || work->mark[row] == FREED)
                count_freed(work, w);
        }
    }
}

/* What a collection would free: the garbage, and what only garbage holds. What lives is reached
 * from a root that is alive, or from garbage that cannot be freed, not through garbage. */
static struct df_err *measure_garbage(struct work *work)
{
    uint32_t count = work->rows->csr.count;

    if (!work->analysis->garbage)
        return NULL;
    DF_TRY(df_array(count, 1, &work->mark));
    DF_TRY(df_array(count, sizeof(*work->queue), &work->queue));
    for (uint32_t row = 0; row < count; row++)
        if (work->verdict[row] == AL_GARBAGE)
            work->mark[row] = FREED;
    mark_alive(work);
    mark_freed(work);
    add_up(work);
    return NULL;
}

static struct df_err *run(struct work *work)
{
    const struct gr_graph *graph = work->graph;

    DF_TRY(df_array(graph->count, 1, &work->candidate));
    DF_TRY(df_array(work->trunk->count, 1, &work->verdict));
    for (uint32_t v = 0; v < graph->count; v++)
        work->candidate[v] =
            (graph->flags[v] & (GR_TRACKED | GR_GC | GR_FROZEN)) == (GR_TRACKED | GR_GC);
    leave_atomic(work);
    DF_TRY(collect_trunk(work));
    judge_leaves(work);
    return measure_garbage(work);
}

struct df_err *fi_collect(struct fi_analysis *analysis, const struct gr_trunk_graph *graph,
                          const struct fi_type_fact *facts)
{
    struct work work = {.analysis = analysis,
                        .graph = analysis->graph,
                        .trunk = &analysis->trunk,
                        .rows = graph,
                        .facts = facts};
    struct df_err *err = run(&work);

    free(work.candidate);
    free(work.verdict);
    free(work.mark);
    free(work.queue);
    return err;
}
