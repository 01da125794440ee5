/* SPDX-License-Identifier: MIT
 * analysis.c: runs the algorithms over a graph and keeps their answers.
 */
#include "analyzer/findings/analysis.h"

#include <assert.h>
#include <string.h>

#include "analyzer/cpython/tracemalloc.h"
#include "analyzer/findings/collect.h"
#include "analyzer/findings/rules/looks.h"
#include "analyzer/findings/ways.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

/* The linear proofs of our own results run where time does not matter. */
#if defined(__SANITIZE_ADDRESS__) || defined(NECROPY_CHECKS)
#define FI_SELF_CHECK 1
#endif

struct work { /* what is needed only while the analysis is made */
    struct fi_analysis *analysis;
    const struct df_progress *progress;
    const struct fi_type_fact *facts;
    uint32_t jobs;
    bool judged;
    struct gr_stem stem;
    uint32_t stem_users; /* who still needs its references */
    struct fi_dominators dominators;
};

static void leave_stem(void *context)
{
    struct work *work = context;

    if (__atomic_sub_fetch(&work->stem_users, 1, __ATOMIC_ACQ_REL) == 0)
        gr_stem_give_back(&work->stem);
}

static struct df_err *find_dominators(struct work *work)
{
    return fi_dominators_find(&work->stem, leave_stem, work, &work->dominators);
}

/* Numbers of the stem become nodes. */
static struct df_err *name_members(const struct gr_stem *stem, uint32_t *members, uint32_t count)
{
    DF_CLEANUP_FREE uint32_t *node = NULL;
    uint32_t number = 0;

    DF_TRY(df_array(stem->csr.count, sizeof(*node), &node));
    for (uint32_t v = 0; v < stem->trunk->graph->count; v++)
        if (gr_in_stem(stem, v))
            node[number++] = v;
    for (uint32_t i = 0; i < count; i++)
        members[i] = node[members[i]];
    return NULL;
}

static struct df_err *find_components(struct work *work)
{
    DF_CLEANUP_FREE uint32_t *component = NULL;
    const struct al_csr *csr = &work->stem.csr;
    struct fi_analysis *a = work->analysis;
    uint32_t count;

    DF_TRY(df_array(csr->count, sizeof(*component), &component));
    DF_TRY(al_scc(csr, component, &count));
    return al_cycles(csr, component, count, &a->cycle_start, &a->cycle_member, &a->cycle_count);
}

static struct df_err *find_cycles(struct work *work)
{
    struct fi_analysis *a = work->analysis;
    struct df_err *err = find_components(work);

    leave_stem(work);
    if (err)
        return err;
    return name_members(&work->stem, a->cycle_member, a->cycle_start[a->cycle_count]);
}

static struct df_err *find_ways(struct work *work)
{
    return fi_ways(work->analysis, work->facts);
}

static struct df_err *find_garbage(struct work *work)
{
    return fi_collect(work->analysis, work->facts);
}

/* Saturates. */
static struct df_err *find_total(struct work *work)
{
    struct fi_analysis *a = work->analysis;

    for (uint32_t v = 0; v < a->graph->count; v++)
        if (__builtin_add_overflow(a->total_bytes, gr_size(a->graph, v), &a->total_bytes))
            a->total_bytes = UINT64_MAX;
    return NULL;
}

/* None asks for what another one finds. The longest stand first. */
static const struct task {
    const char *name;
    struct df_err *(*find)(struct work *work);
} tasks[] = {
    {"finding dominators", find_dominators}, {"finding paths", find_ways},
    {"finding garbage", find_garbage},       {"finding cycles", find_cycles},
    {"finding garbage", find_total},
};

#define TASKS ((uint32_t)(sizeof(tasks) / sizeof(*tasks)))

struct finding {
    struct work *work;
    struct df_err *err[TASKS];
};

static void run_task(void *context, uint32_t i)
{
    struct finding *finding = context;

    if (finding->work->jobs < 2)
        df_progress(finding->work->progress, tasks[i].name, 0, 0);
    finding->err[i] = tasks[i].find(finding->work);
}

static struct df_err *find_all(struct work *work)
{
    struct finding finding = {.work = work};
    struct df_err *err = NULL;

    work->stem_users = 2;
    df_threads_share(work->jobs, TASKS, run_task, &finding);
    for (uint32_t i = 0; i < TASKS; i++) {
        if (err)
            df_err_free(finding.err[i]);
        else
            err = finding.err[i];
    }
    return err;
}

/* What needs the references of the stem, and after it what follows from dominators alone. */
static struct df_err *find_and_make_tree(struct work *work)
{
    struct fi_analysis *a = work->analysis;
    struct df_err *err;

    df_progress(work->progress, "finding dominators", 0, 0);
    DF_TRY(gr_stem_make(&a->trunk, work->jobs, &work->stem));
    err = find_all(work);
    gr_stem_deinit(&work->stem);
    if (err)
        return err;
    if (work->judged)
        a->looks = fi_looks_begin(a);
    df_progress(work->progress, "adding up what is retained", 0, 0);
    return fi_tree_make(&a->trunk, &work->dominators, a->total_bytes, a->type_count, work->jobs,
                        &a->tree, &a->type_retained);
}

#ifdef FI_SELF_CHECK
static struct df_err *check_dominators(const struct fi_analysis *a)
{
    DF_CLEANUP_FREE uint32_t *idom = NULL;
    const struct gr_graph *graph = a->graph;
    const struct al_csr csr = {graph->count, graph->start, graph->target};
    uint32_t node;
    bool ok;

    DF_TRY(df_array(graph->count, sizeof(*idom), &idom));
    for (uint32_t v = 0; v < graph->count; v++)
        idom[v] = fi_idom(a, v);
    DF_TRY(al_dominators_check(&csr, graph->root_nodes, graph->root_node_count, idom, &ok, &node));
    assert(ok);
    return NULL;
}
#endif

static struct df_err *run(struct work *work)
{
    struct fi_analysis *a = work->analysis;
    struct df_err *err;

#ifdef FI_SELF_CHECK
    assert(gr_graph_is_valid(a->graph, a->type_count));
#endif
    DF_TRY(gr_trunk_make(a->graph, &a->trunk));
    err = find_and_make_tree(work);
    fi_dominators_deinit(&work->dominators);
    if (!err)
        err = gr_find_referrers(a->graph, work->jobs);
#ifdef FI_SELF_CHECK
    if (!err)
        err = check_dominators(a);
#endif
    return err;
}

static struct fi_analysis *begin(struct gr_graph *graph, uint32_t type_count, uint32_t jobs)
{
    struct fi_analysis *analysis = df_xcalloc(1, sizeof(*analysis));

    analysis->graph = graph;
    analysis->jobs = jobs;
    analysis->type_count = type_count;
    analysis->first_inconsistent = AL_NONE;
    return analysis;
}

static struct df_err *finish(struct work *work, struct fi_analysis **ret)
{
    struct df_err *err = run(work);

    if (err)
        fi_analysis_destroy(work->analysis);
    else
        *ret = work->analysis;
    return err;
}

struct df_err *fi_analyse_graph(struct gr_graph *graph, uint32_t type_count,
                                const struct fi_type_fact *facts,
                                const struct df_progress *progress, uint32_t jobs,
                                struct fi_analysis **ret)
{
    struct work work = {.analysis = begin(graph, type_count, jobs),
                        .progress = progress,
                        .facts = facts,
                        .jobs = jobs};

    return finish(&work, ret);
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
                          bool judged, const struct df_progress *progress, uint32_t jobs,
                          struct fi_analysis **ret)
{
    DF_CLEANUP_FREE struct fi_type_fact *facts = NULL;
    struct work work = {.progress = progress, .jobs = jobs, .judged = judged};
    uint32_t type_count;

    DF_TRY(fi_type_facts(py, objects, graph, &facts, &type_count));
    work.facts = facts;
    work.analysis = begin(graph, type_count, jobs);
    work.analysis->py = py;
    work.analysis->objects = objects;
    DF_TRY(finish(&work, ret));
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
    fi_looks_end(analysis->looks);
    if (!analysis->is_mapped)
        free_arrays(analysis);
    free(analysis->cycle_member);
    py_tracemalloc_close(analysis->traced);
    free(analysis);
}
