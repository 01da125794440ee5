/* SPDX-License-Identifier: MIT
 * analysis.c: runs the algorithms over a graph and keeps their answers.
 */
#include "analyzer/findings/analysis.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "analyzer/cpython/tracemalloc.h"
#include "analyzer/findings/ways.h"
#include "dumpfmt/base/mem.h"

/* The linear proofs of our own results run where time does not matter. */
#if defined(__SANITIZE_ADDRESS__) || defined(NECROPY_CHECKS)
#define FI_SELF_CHECK 1
#endif

struct work { /* what is needed only while the analysis is made */
    struct fi_analysis *analysis;
    struct al_csr csr;
    const struct df_progress *progress;
    uint32_t type_count;
    const struct fi_type_fact *facts;
    uint32_t jobs;
};

static struct df_err *allocate(struct fi_analysis *a, uint32_t type_count)
{
    uint32_t count = a->graph->count;

    DF_TRY(df_array(count, sizeof(*a->idom), &a->idom));
    DF_TRY(df_array(count, sizeof(*a->order), &a->order));
    DF_TRY(df_array(count, sizeof(*a->retained), &a->retained));
    DF_TRY(df_array(count, sizeof(*a->retained_count), &a->retained_count));
    DF_TRY(df_array(count, sizeof(*a->verdict), &a->verdict));
    return df_array(type_count, sizeof(*a->type_retained), &a->type_retained);
}

static struct df_err *find_dominators(struct work *work)
{
    DF_CLEANUP_FREE uint32_t *start = NULL;
    DF_CLEANUP_FREE uint32_t *source = NULL;
    DF_CLEANUP_FREE uint64_t *sizes = NULL;
    DF_CLEANUP_FREE uint32_t *types = NULL;
    struct fi_analysis *a = work->analysis;
    struct gr_graph *graph = a->graph;
    struct al_csr reverse = {.count = graph->count};

    df_progress(work->progress, "finding dominators", 0, 0);
    DF_TRY(gr_reverse_csr(&graph->reverse, &start, &source));
    reverse.start = start;
    reverse.target = source;
    DF_TRY(al_dominators(&work->csr, &reverse, graph->root_nodes, graph->root_node_count, a->idom,
                         a->order, &a->reached));
#ifdef FI_SELF_CHECK
    bool ok;
    uint32_t node;

    DF_TRY(al_dominators_check(&work->csr, graph->root_nodes, graph->root_node_count, a->idom, &ok,
                               &node));
    assert(ok);
#endif
    DF_TRY(df_array(graph->count, sizeof(*sizes), &sizes));
    DF_TRY(df_array(graph->count, sizeof(*types), &types));
    for (uint32_t v = 0; v < graph->count; v++) {
        sizes[v] = gr_size(graph, v);
        types[v] = gr_type(graph, v);
    }
    al_retained(graph->count, a->idom, a->order, a->reached, sizes, a->retained, a->retained_count);
    DF_TRY(al_class_retained(graph->count, a->idom, a->order, a->reached, types, work->type_count,
                             a->retained, a->type_retained));
    return al_dominator_children(graph->count, a->idom, a->retained, &a->child_start, &a->child);
}

static struct df_err *find_cycles(struct work *work)
{
    DF_CLEANUP_FREE uint32_t *component = NULL;
    struct fi_analysis *a = work->analysis;
    uint32_t count;

    df_progress(work->progress, "finding cycles", 0, 0);
    DF_TRY(df_array(a->graph->count, sizeof(*component), &component));
    DF_TRY(al_scc(&work->csr, component, &count));
    return al_cycles(&work->csr, component, count, &a->cycle_start, &a->cycle_member,
                     &a->cycle_count);
}

/* _PyObject_GC_MAY_BE_TRACKED (pycore_gc.h): tuples are believed, whatever else could be is. */
static bool may_be_tracked(const struct work *work, const uint8_t *candidate, uint32_t v)
{
    const struct gr_graph *graph = work->analysis->graph;

    return (graph->flags[v] & GR_GC) && (!work->facts[gr_type(graph, v)].tuple || candidate[v]);
}

/* _PyTuple_MaybeUntrack and its like, where the collector calls them before it counts. */
static void leave_atomic(const struct work *work, const uint8_t *visited, uint8_t *candidate)
{
    const struct gr_graph *graph = work->analysis->graph;

    for (uint32_t v = 0; v < graph->count; v++) {
        bool leave =
            candidate[v] && work->facts[gr_type(graph, v)].atomic && gr_references(graph, v) > 0;

        for (uint32_t e = graph->start[v]; leave && e < graph->start[v + 1]; e++)
            leave = !visited[e] || !may_be_tracked(work, candidate, graph->target[e]);
        if (leave)
            candidate[v] = 0;
    }
}

/* The collector looks at tracked objects of its lists; the permanent generation is not among
 * them. It sees what tp_traverse visits. */
static struct df_err *find_garbage(struct work *work)
{
    DF_CLEANUP_FREE uint8_t *visited = NULL;
    DF_CLEANUP_FREE uint8_t *candidate = NULL;
    DF_CLEANUP_FREE uint8_t *legacy = NULL;
    struct fi_analysis *a = work->analysis;
    const struct gr_graph *graph = a->graph;
    DF_CLEANUP_FREE int64_t *references = NULL;
    struct al_collector_input input = {.graph = &work->csr};
    uint32_t cursor = 0;
    struct al_collector_result result = {.verdict = a->verdict};

    df_progress(work->progress, "finding garbage", 0, 0);
    DF_TRY(df_array(graph->edge_count, 1, &visited));
    DF_TRY(df_array(graph->count, 1, &candidate));
    DF_TRY(df_array(graph->count, 1, &legacy));
    DF_TRY(df_array(graph->count, sizeof(*references), &references));
    for (uint32_t v = 0; v < graph->count; v++)
        references[v] = gr_references(graph, v);
    input.references = references;
    for (uint32_t e = 0; e < graph->edge_count; e++)
        visited[e] = gr_next_edge_kind(graph, e, &cursor) == PY_REF_REFERENT;
    for (uint32_t v = 0; v < graph->count; v++) {
        candidate[v] = (graph->flags[v] & (GR_TRACKED | GR_GC | GR_FROZEN)) == (GR_TRACKED | GR_GC);
        legacy[v] = work->facts[gr_type(graph, v)].legacy;
    }
    leave_atomic(work, visited, candidate);
    input.visited = visited;
    input.candidate = candidate;
    input.legacy = legacy;
    DF_TRY(al_collector(&input, &result));
    a->garbage = result.garbage;
    a->uncollectable = result.uncollectable;
    a->inconsistent = result.inconsistent;
    a->first_inconsistent = result.first_inconsistent;
    return NULL;
}

static void flood(const struct gr_graph *graph, uint8_t *mark, uint8_t colour, uint32_t *queue,
                  uint32_t count)
{
    for (uint32_t head = 0; head < count; head++) {
        uint32_t v = queue[head];

        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
            if (mark[graph->target[e]])
                continue;
            mark[graph->target[e]] = colour;
            queue[count++] = graph->target[e];
        }
    }
}

static bool is_alive_root(const struct gr_graph *graph, uint32_t v)
{
    uint8_t kind = gr_root_kind_of(graph, v);

    return kind != GR_ROOT_NONE && kind != GR_ROOT_GARBAGE && kind != GR_ROOT_UNKNOWN;
}

/* What a collection would free: the garbage, and what only garbage holds. What lives is reached
 * from a root that is alive, or from garbage that cannot be freed, not through garbage. */
static struct df_err *measure_garbage(struct work *work)
{
    enum { ALIVE = 1, FREED = 2 };
    DF_CLEANUP_FREE uint8_t *mark = NULL;
    DF_CLEANUP_FREE uint32_t *queue = NULL;
    struct fi_analysis *a = work->analysis;
    const struct gr_graph *graph = a->graph;
    uint32_t count = 0;

    if (!a->garbage)
        return NULL;
    DF_TRY(df_array(graph->count, 1, &mark));
    DF_TRY(df_array(graph->count, sizeof(*queue), &queue));
    for (uint32_t v = 0; v < graph->count; v++)
        if (a->verdict[v] == AL_GARBAGE)
            mark[v] = FREED;
    for (uint32_t v = 0; v < graph->count; v++)
        if (!mark[v] && (is_alive_root(graph, v) || a->verdict[v] == AL_UNCOLLECTABLE)) {
            mark[v] = ALIVE;
            queue[count++] = v;
        }
    flood(graph, mark, ALIVE, queue, count);
    count = 0;
    for (uint32_t v = 0; v < graph->count; v++)
        if (mark[v] == FREED)
            queue[count++] = v;
    flood(graph, mark, FREED, queue, count);
    for (uint32_t v = 0; v < graph->count; v++)
        if (mark[v] == FREED) {
            a->garbage_freed++;
            a->garbage_bytes += gr_size(graph, v);
        }
    return NULL;
}

/* All that asks for no dominators. */
static struct df_err *find_others(struct work *work)
{
    df_progress(work->progress, "finding paths", 0, 0);
    DF_TRY(fi_ways(work->analysis, work->facts));
    DF_TRY(find_cycles(work));
    DF_TRY(find_garbage(work));
    return measure_garbage(work);
}

struct beside { /* done by another thread: it writes other arrays, and tells no progress */
    struct work work;
    struct df_err *err;
};

static void *find_beside(void *context)
{
    struct beside *beside = context;

    beside->err = find_others(&beside->work);
    return NULL;
}

static struct df_err *find_all(struct work *work)
{
    struct beside beside = {.work = *work};
    pthread_t thread;
    struct df_err *err;

    beside.work.progress = NULL;
    if (work->jobs < 2 || pthread_create(&thread, NULL, find_beside, &beside)) {
        DF_TRY(find_dominators(work));
        return find_others(work);
    }
    err = find_dominators(work);
    pthread_join(thread, NULL);
    if (!err)
        return beside.err;
    df_err_free(beside.err);
    return err;
}

static struct df_err *run(struct work *work)
{
    struct fi_analysis *a = work->analysis;
    const struct gr_graph *graph = a->graph;

#ifdef FI_SELF_CHECK
    assert(gr_graph_is_valid(graph, work->type_count));
#endif
    DF_TRY(allocate(a, work->type_count));
    for (uint32_t v = 0; v < graph->count; v++)
        a->total_bytes += gr_size(graph, v);
    return find_all(work);
}

struct df_err *fi_analyse_graph(struct gr_graph *graph, uint32_t type_count,
                                const struct fi_type_fact *facts,
                                const struct df_progress *progress, uint32_t jobs,
                                struct fi_analysis **ret)
{
    struct work work = {
        .analysis = df_xcalloc(1, sizeof(*work.analysis)),
        .csr = {.count = graph->count, .start = graph->start, .target = graph->target},
        .progress = progress,
        .type_count = type_count,
        .facts = facts,
        .jobs = jobs,
    };
    struct df_err *err;

    work.analysis->graph = graph;
    work.analysis->type_count = type_count;
    work.analysis->first_inconsistent = AL_NONE;
    err = run(&work);
    if (err) {
        fi_analysis_destroy(work.analysis);
        return err;
    }
    *ret = work.analysis;
    return NULL;
}

struct df_err *fi_type_facts(struct py *py, struct py_objects *objects,
                             const struct gr_graph *graph, struct fi_type_fact **ret,
                             uint32_t *ret_count)
{
    uint32_t type_count = py_type_count(objects);
    struct fi_type_fact *facts;

    DF_TRY(df_array(type_count, sizeof(*facts), &facts));
    for (uint32_t i = 0; i < type_count; i++) {
        const struct py_type *type = py_type_at(objects, i);
        bool is_static = !(type->flags & PY_TPFLAGS_HEAPTYPE); /* the type itself, no subclass */
        bool is_tuple = is_static && strcmp(type->name, "tuple") == 0;
        bool is_dict = is_static && strcmp(type->name, "dict") == 0;

        facts[i] = (struct fi_type_fact){
            .node = gr_node(graph, type->address),
            .legacy = type->del != 0,
            .dict = (type->flags & PY_TPFLAGS_DICT) != 0,
            .tuple = is_tuple,
            .atomic = (is_tuple && py->layout.untrack != PY_UNTRACKS_LATE) ||
                      (is_dict && py->layout.untrack == PY_UNTRACKS_DICTS_TUPLES),
        };
    }
    *ret = facts;
    *ret_count = type_count;
    return NULL;
}

struct df_err *fi_analyse(struct py *py, struct py_objects *objects, struct gr_graph *graph,
                          const struct df_progress *progress, uint32_t jobs,
                          struct fi_analysis **ret)
{
    DF_CLEANUP_FREE struct fi_type_fact *facts = NULL;
    uint32_t type_count;

    DF_TRY(fi_type_facts(py, objects, graph, &facts, &type_count));
    DF_TRY(fi_analyse_graph(graph, type_count, facts, progress, jobs, ret));
    (*ret)->py = py;
    (*ret)->objects = objects;
    fi_ways_home(*ret);
    return NULL;
}

uint32_t fi_idom(const struct fi_analysis *analysis, uint32_t node)
{
    return analysis->idom[node];
}

uint64_t fi_retained(const struct fi_analysis *analysis, uint32_t node)
{
    return analysis->retained[node];
}

uint32_t fi_retained_count(const struct fi_analysis *analysis, uint32_t node)
{
    return analysis->retained_count[node];
}

uint32_t fi_parent(const struct fi_analysis *analysis, uint32_t node)
{
    return analysis->parent[node];
}

uint32_t fi_distance(const struct fi_analysis *analysis, uint32_t node)
{
    return analysis->distance[node];
}

enum al_verdict fi_verdict_of(const struct fi_analysis *analysis, uint32_t node)
{
    return (enum al_verdict)analysis->verdict[node];
}

struct fi_children fi_children(const struct fi_analysis *analysis, uint32_t node)
{
    return (struct fi_children){analysis, analysis->child_start[node],
                                analysis->child_start[node + 1]};
}

bool fi_next_child(struct fi_children *children, uint32_t *ret)
{
    if (children->next >= children->end)
        return false;
    *ret = children->analysis->child[children->next++];
    return true;
}

uint32_t fi_biggest_child(const struct fi_analysis *analysis, uint32_t node)
{
    uint32_t first = analysis->child_start[node];

    return first < analysis->child_start[node + 1] ? analysis->child[first] : AL_NONE;
}

struct fi_walk fi_walk_down(const struct fi_analysis *analysis)
{
    return (struct fi_walk){.analysis = analysis};
}

struct fi_walk fi_walk_up(const struct fi_analysis *analysis)
{
    return (struct fi_walk){.analysis = analysis, .next = analysis->reached, .up = true};
}

bool fi_next_walked(struct fi_walk *walk, uint32_t *ret)
{
    if (walk->up ? !walk->next : walk->next >= walk->analysis->reached)
        return false;
    *ret = walk->analysis->order[walk->up ? --walk->next : walk->next++];
    return true;
}

struct df_err *fi_class_retained(const struct fi_analysis *analysis, const uint32_t *class_of,
                                 uint32_t class_count, uint64_t *retained)
{
    return al_class_retained(analysis->graph->count, analysis->idom, analysis->order,
                             analysis->reached, class_of, class_count, analysis->retained,
                             retained);
}

void fi_analysis_destroy(struct fi_analysis *analysis)
{
    if (!analysis)
        return;
    free(analysis->idom);
    free(analysis->order);
    free(analysis->retained);
    free(analysis->retained_count);
    free(analysis->parent);
    free(analysis->distance);
    free(analysis->child_start);
    free(analysis->child);
    free(analysis->type_retained);
    free(analysis->cycle_start);
    free(analysis->cycle_member);
    free(analysis->verdict);
    py_tracemalloc_close(analysis->traced);
    free(analysis);
}
