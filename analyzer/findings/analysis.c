/* SPDX-License-Identifier: MIT
 * analysis.c: runs the algorithms over a graph and keeps their answers.
 */
#include "analyzer/findings/analysis.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "analyzer/cpython/tracemalloc.h"
#include "analyzer/findings/collect.h"
#include "analyzer/findings/ways.h"
#include "dumpfmt/base/mem.h"

/* The linear proofs of our own results run where time does not matter. */
#if defined(__SANITIZE_ADDRESS__) || defined(NECROPY_CHECKS)
#define FI_SELF_CHECK 1
#endif

struct work { /* what is needed only while the analysis is made */
    struct fi_analysis *analysis;
    const struct gr_trunk_graph *rows;
    const struct df_progress *progress;
    const struct fi_type_fact *facts;
    struct fi_dominators dominators;
};

static struct df_err *find_dominators(struct work *work)
{
    df_progress(work->progress, "finding dominators", 0, 0);
    return fi_dominators_find(work->analysis->graph, work->rows, &work->dominators);
}

/* What follows from dominators alone: when all that needs the references of rows is done. */
static struct df_err *make_tree(struct work *work, uint32_t jobs)
{
    struct fi_analysis *a = work->analysis;

    df_progress(work->progress, "adding up what is retained", 0, 0);
    return fi_tree_make(&a->trunk, &work->dominators, a->type_count, jobs, &a->tree,
                        &a->type_retained);
}

static struct df_err *find_cycles(struct work *work)
{
    DF_CLEANUP_FREE uint32_t *component = NULL;
    const struct al_csr *csr = &work->rows->csr;
    struct fi_analysis *a = work->analysis;
    uint32_t count;

    df_progress(work->progress, "finding cycles", 0, 0);
    DF_TRY(df_array(csr->count, sizeof(*component), &component));
    DF_TRY(al_scc(csr, component, &count));
    DF_TRY(al_cycles(csr, component, count, &a->cycle_start, &a->cycle_member, &a->cycle_count));
    for (uint32_t i = 0; i < a->cycle_start[a->cycle_count]; i++)
        a->cycle_member[i] = work->rows->node[a->cycle_member[i]];
    return NULL;
}

/* All that asks for no dominators. */
static struct df_err *find_others(struct work *work)
{
    df_progress(work->progress, "finding paths", 0, 0);
    DF_TRY(fi_ways(work->analysis, work->rows, work->facts));
    DF_TRY(find_cycles(work));
    df_progress(work->progress, "finding garbage", 0, 0);
    return fi_collect(work->analysis, work->rows, work->facts);
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

static struct df_err *find_all(struct work *work, uint32_t jobs)
{
    struct beside beside = {.work = *work};
    pthread_t thread;
    struct df_err *err;

    beside.work.progress = NULL;
    if (jobs < 2 || pthread_create(&thread, NULL, find_beside, &beside)) {
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

static struct df_err *run(struct work *work, uint32_t jobs)
{
    struct fi_analysis *a = work->analysis;
    struct gr_trunk_graph rows = {0};
    struct df_err *err;

#ifdef FI_SELF_CHECK
    assert(gr_graph_is_valid(a->graph, a->type_count));
#endif
    for (uint32_t v = 0; v < a->graph->count; v++)
        a->total_bytes += gr_size(a->graph, v);
    DF_TRY(gr_trunk_make(a->graph, &a->trunk));
    err = gr_trunk_graph_make(&a->trunk, &rows);
    work->rows = &rows;
    if (!err)
        err = find_all(work, jobs);
    gr_trunk_graph_deinit(&rows);
    if (!err)
        err = gr_find_referrers(a->graph, jobs);
    if (!err)
        err = make_tree(work, jobs);
    fi_dominators_deinit(&work->dominators);
    return err;
}

struct df_err *fi_analyse_graph(struct gr_graph *graph, uint32_t type_count,
                                const struct fi_type_fact *facts,
                                const struct df_progress *progress, uint32_t jobs,
                                struct fi_analysis **ret)
{
    struct work work = {
        .analysis = df_xcalloc(1, sizeof(*work.analysis)), .progress = progress, .facts = facts};
    struct df_err *err;

    work.analysis->graph = graph;
    work.analysis->jobs = jobs;
    work.analysis->type_count = type_count;
    work.analysis->first_inconsistent = AL_NONE;
    err = run(&work, jobs);
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

/* The row of a node, or of the holder of a leaf. */
static uint32_t row_on_way(const struct fi_analysis *analysis, uint32_t node, uint32_t *ret_holder)
{
    *ret_holder = AL_NONE;
    if (!gr_in_trunk(&analysis->trunk, node))
        node = *ret_holder = gr_only_referrer(analysis->graph, node);
    return gr_trunk_row(&analysis->trunk, node);
}

uint32_t fi_parent(const struct fi_analysis *analysis, uint32_t node)
{
    uint32_t holder, row = row_on_way(analysis, node, &holder);

    if (holder == AL_NONE || analysis->parent[row] == AL_NONE)
        return analysis->parent[row];
    return holder;
}

uint32_t fi_distance(const struct fi_analysis *analysis, uint32_t node)
{
    uint32_t holder, row = row_on_way(analysis, node, &holder);

    uint32_t distance = (uint32_t)gr_column_get(&analysis->distances, row);

    return distance + (holder != AL_NONE && distance != AL_NONE);
}

enum al_verdict fi_verdict_of(const struct fi_analysis *analysis, uint32_t node)
{
    return (enum al_verdict)analysis->verdict[node];
}

static void free_arrays(struct fi_analysis *analysis)
{
    fi_tree_deinit(&analysis->tree);
    gr_trunk_deinit(&analysis->trunk);
    free(analysis->parent);
    gr_column_deinit(&analysis->distances);
    free(analysis->type_retained);
    free(analysis->cycle_start);
    free(analysis->verdict);
}

void fi_analysis_destroy(struct fi_analysis *analysis)
{
    if (!analysis)
        return;
    if (!analysis->is_mapped)
        free_arrays(analysis);
    free(analysis->cycle_member);
    py_tracemalloc_close(analysis->traced);
    free(analysis);
}
