/* SPDX-License-Identifier: MIT
 * collect.c: the collector's algorithm, and what it would free.
 */
#include "analyzer/findings/collect.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

enum { ALIVE = 1, FREED = 2 };

struct work {
    struct fi_analysis *analysis;
    const struct gr_graph *graph;
    const struct fi_type_fact *facts;
    uint8_t *verdict; /* per node: AL_ALIVE of candidates first; its memory becomes the analysis' */
    uint8_t *mark;    /* per node: ALIVE, FREED, 0 */
    uint32_t *queue;
    uint32_t count;
};

/* _PyObject_GC_MAY_BE_TRACKED (pycore_gc.h): tuples are believed, whatever else could be is. */
static bool may_be_tracked(const struct work *work, uint32_t v)
{
    const struct gr_graph *graph = work->graph;

    return (graph->flags[v] & GR_GC) && (!work->facts[gr_type(graph, v)].tuple || work->verdict[v]);
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
        if (work->verdict[v] && work->facts[gr_type(graph, v)].atomic &&
            gr_references(graph, v) > 0 && leaves(work, v))
            work->verdict[v] = AL_NOT_CANDIDATE;
}

static int64_t references_of(void *context, uint32_t v)
{
    const struct work *work = context;

    return gr_references(work->graph, v);
}

static bool is_legacy(void *context, uint32_t v)
{
    const struct work *work = context;

    return work->facts[gr_type(work->graph, v)].legacy;
}

static bool any_is_legacy(const struct work *work)
{
    for (uint32_t type = 0; type < work->analysis->type_count; type++)
        if (work->facts[type].legacy)
            return true;
    return false;
}

static struct df_err *collect(struct work *work)
{
    struct fi_analysis *a = work->analysis;
    const struct gr_graph *graph = work->graph;
    const struct al_csr csr = {graph->count, graph->start, graph->target};
    struct al_collector_input input = {.graph = &csr,
                                       .kinds = graph->unusual_count ? graph->edge_kinds : NULL,
                                       .references = references_of,
                                       .legacy = any_is_legacy(work) ? is_legacy : NULL,
                                       .context = work};
    struct al_collector_result result = {.verdict = work->verdict};

    DF_TRY(al_collector(&input, &result));
    a->garbage = result.garbage;
    a->uncollectable = result.uncollectable;
    a->inconsistent = result.inconsistent;
    a->first_inconsistent = result.first_inconsistent;
    a->verdict = DF_TAKE(work->verdict);
    return NULL;
}

static bool is_alive_root(const struct gr_graph *graph, uint32_t v)
{
    uint8_t kind = gr_root_kind_of(graph, v);

    return kind != GR_ROOT_NONE && kind != GR_ROOT_GARBAGE && kind != GR_ROOT_UNKNOWN;
}

/* What refers to nothing needs no place in the queue. */
static inline void enter(struct work *work, uint32_t v, uint8_t colour)
{
    work->mark[v] = colour;
    if (work->graph->start[v] < work->graph->start[v + 1])
        work->queue[work->count++] = v;
}

static void flood(struct work *work, uint8_t colour)
{
    const struct gr_graph *graph = work->graph;

    for (uint32_t head = 0; head < work->count; head++) {
        uint32_t v = work->queue[head];

        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
            if (!work->mark[graph->target[e]])
                enter(work, graph->target[e], colour);
    }
}

static void mark_alive(struct work *work)
{
    work->count = 0;
    for (uint32_t v = 0; v < work->graph->count; v++)
        if (!work->mark[v] &&
            (is_alive_root(work->graph, v) || work->analysis->verdict[v] == AL_UNCOLLECTABLE))
            enter(work, v, ALIVE);
    flood(work, ALIVE);
}

static void mark_freed(struct work *work)
{
    work->count = 0;
    for (uint32_t v = 0; v < work->graph->count; v++)
        if (work->mark[v] == FREED)
            enter(work, v, FREED);
    flood(work, FREED);
}

static void add_up(struct work *work)
{
    for (uint32_t v = 0; v < work->graph->count; v++)
        if (work->mark[v] == FREED) {
            work->analysis->garbage_freed++;
            work->analysis->garbage_bytes += gr_size(work->graph, v);
        }
}

/* What a collection would free: the garbage, and what only garbage holds. What lives is reached
 * from a root that is alive, or from garbage that cannot be freed, not through garbage. */
static struct df_err *measure_garbage(struct work *work)
{
    uint32_t count = work->graph->count;

    if (!work->analysis->garbage)
        return NULL;
    DF_TRY(df_array(count, 1, &work->mark));
    DF_TRY(df_array(count, sizeof(*work->queue), &work->queue));
    for (uint32_t v = 0; v < count; v++)
        if (work->analysis->verdict[v] == AL_GARBAGE)
            work->mark[v] = FREED;
    mark_alive(work);
    mark_freed(work);
    add_up(work);
    return NULL;
}

static struct df_err *run(struct work *work)
{
    const struct gr_graph *graph = work->graph;
    const uint8_t mask = GR_TRACKED | GR_GC | GR_FROZEN, wanted = GR_TRACKED | GR_GC;

    DF_TRY(df_array(graph->count, 1, &work->verdict));
    for (uint32_t v = 0; v < graph->count; v++)
        work->verdict[v] = (graph->flags[v] & mask) == wanted ? AL_ALIVE : AL_NOT_CANDIDATE;
    leave_atomic(work);
    DF_TRY(collect(work));
    return measure_garbage(work);
}

struct df_err *fi_collect(struct fi_analysis *analysis, const struct fi_type_fact *facts)
{
    struct work work = {.analysis = analysis, .graph = analysis->graph, .facts = facts};
    struct df_err *err = run(&work);

    free(work.verdict);
    free(work.mark);
    free(work.queue);
    return err;
}
