/* SPDX-License-Identifier: MIT
 * build.c: the order of the work: seeds, discovery, numbers, roots.
 *
 * Everything here is deterministic: the same dump gives the same graph, edge by edge.
 */
#include "analyzer/graph/build.h"

#include <assert.h>

#include "analyzer/algo/csr.h"
#include "analyzer/graph/discover.h"
#include "analyzer/graph/ledger.h"
#include "analyzer/graph/number.h"
#include "analyzer/graph/roots.h"
#include "analyzer/graph/salvage.h"
#include "analyzer/graph/sweep_internal.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

/* What a thread's stack refers to without counting it. What is only perhaps an object must have
 * been found otherwise. */
static void add_deferred(void *context, uint64_t object, bool sure)
{
    struct gr_discovery *discovery = context;

    if (sure ? gr_discover(discovery, object, GR_FROM_REFERENT) != GR_NO_OBJECT
             : gr_is_discovered(discovery, object))
        gr_discover_reference(discovery, object);
}

/* Static types first: no source that they have besides is stronger. */
static void discover_seeds(struct gr_discovery *discovery, const struct gr_seeds *seeds,
                           bool is_static)
{
    for (size_t i = 0; i < seeds->count; i++) {
        const struct gr_seed *seed = &seeds->items[i];

        if ((seed->kind == GR_ROOT_STATIC_TYPE) != is_static)
            continue;
        if (gr_discover(discovery, seed->object, is_static ? GR_FROM_STATIC : GR_FROM_REFERENT) ==
                GR_NO_OBJECT &&
            !discovery->too_many)
            py_ledger_add(discovery->objects, "roots that are no object", seed->object);
    }
}

static struct df_err *discover(struct gr_discovery *discovery, const struct gr_seeds *seeds)
{
    gr_discover_gc_lists(discovery);
    discover_seeds(discovery, seeds, true);
    discover_seeds(discovery, seeds, false);
    py_deferred_refs(discovery->py, add_deferred, discovery);
    return gr_discover_all(discovery);
}

/* Turns the seeds of one lateness into roots; late ones only when they are not reached by then. */
static void add_seeds(struct gr_reach *reach, struct gr_root_list *roots,
                      const struct gr_seeds *seeds, uint8_t late)
{
    for (size_t i = 0; i < seeds->count; i++) {
        const struct gr_seed *seed = &seeds->items[i];
        uint32_t node;

        if (seed->late != late)
            continue;
        node = gr_node(reach->graph, seed->object);
        if (node == AL_NONE || (late && gr_reached(reach, node)))
            continue;
        DF_PUSH(roots, (struct gr_root){.node = node,
                                        .kind = seed->kind,
                                        .path = seed->path,
                                        .thread = seed->thread,
                                        .frame = seed->frame});
        gr_reach_from(reach, node);
    }
}

static void add_native(struct gr_reach *reach, struct gr_root_list *roots,
                       const struct gr_discovery *discovery)
{
    for (size_t i = 0; i < discovery->native.count; i++) {
        uint32_t node = gr_node(reach->graph, discovery->native.items[i]);

        if (node == AL_NONE)
            continue;
        DF_PUSH(roots, (struct gr_root){.node = node,
                                        .kind = GR_ROOT_NATIVE,
                                        .path = "<native>",
                                        .thread = UINT32_MAX,
                                        .frame = UINT32_MAX});
        gr_reach_from(reach, node);
    }
}

static const char *type_name(void *context, uint32_t type)
{
    return py_type_at(context, type)->name;
}

struct finding { /* of roots: begun beside other work, as nothing else is needed for most of it */
    struct gr_reach reach;
    struct gr_root_list roots;
};

/* What the process itself says. */
static struct df_err *begin_roots(struct finding *finding, struct gr_graph *graph,
                                  const struct gr_discovery *discovery,
                                  const struct gr_seeds *seeds)
{
    DF_TRY(gr_reach_init(&finding->reach, graph));
    add_seeds(&finding->reach, &finding->roots, seeds, 0);
    add_native(&finding->reach, &finding->roots, discovery);
    return NULL;
}

/* And what the ledger lets conclude. */
static struct df_err *end_roots(struct finding *finding, struct gr_graph *graph,
                                const struct gr_discovery *discovery, const struct gr_seeds *seeds)
{
    struct py_objects *objects = discovery->objects;
    struct gr_reach *reach = &finding->reach;
    struct gr_root_list *roots = &finding->roots;

    gr_roots_of_natives(reach, roots, graph->texts, objects, discovery->py, false);
    for (uint8_t late = 1; late <= GR_LATEST; late++)
        add_seeds(reach, roots, seeds, late);
    gr_roots_of_natives(reach, roots, graph->texts, objects, discovery->py, true);
    DF_TRY(gr_roots_of_unreached(reach, roots, graph->texts, type_name, objects));
    return gr_roots_install(graph, roots);
}

static void close_roots(struct finding *finding)
{
    free(finding->roots.items);
    gr_reach_deinit(&finding->reach);
}

struct finishing { /* what edges and numbers lead to; none needs another */
    struct gr_graph *graph;
    struct gr_sweeping *sweeping;
    const struct gr_discovery *discovery;
    const struct gr_seeds *seeds;
    struct finding *finding;
    struct df_err *errs[3];
};

static void finish_one(void *context, uint32_t i)
{
    struct finishing *f = context;
    const struct al_csr csr = {
        .count = f->graph->count, .start = f->graph->start, .target = f->graph->target};

    if (i == 0) /* the longest first */
        f->errs[i] = begin_roots(f->finding, f->graph, f->discovery, f->seeds);
    else if (i == 1)
        f->errs[i] = gr_sweep_end(f->sweeping, f->graph, &f->graph->sweep);
    else
        f->errs[i] = gr_reverse_count(&csr, &f->graph->reverse);
}

/* The first of the errors, if there is one. */
static struct df_err *finish(struct finishing *f)
{
    struct df_err *err = NULL;

    df_threads_share(f->discovery->jobs, 3, finish_one, f);
    for (uint32_t i = 0; i < 3; i++)
        if (!err)
            err = f->errs[i];
        else
            df_err_free(f->errs[i]);
    return err;
}

struct df_err *gr_build(struct py_objects *objects, struct py *py,
                        const struct df_progress *progress, uint32_t jobs, struct gr_graph **ret)
{
    struct gr_graph *graph = df_xcalloc(1, sizeof(*graph));
    struct gr_seeds seeds = {0};
    struct gr_discovery discovery;
    struct gr_sweeping *sweeping = NULL;
    struct finding finding = {0};
    struct df_err *err;

    graph->texts = gr_texts_create();
    seeds.texts = graph->texts;
    py_objects_begin_emulator(objects);
    err = gr_discovery_init(&discovery, objects, py, progress, jobs);
    gr_seeds_collect(&seeds, objects, py);
    if (!err)
        err = discover(&discovery, &seeds);
    if (!err)
        err = gr_salvage(&discovery);
    if (!err)
        err = gr_sweep_begin(&discovery, &sweeping);
    df_progress(progress, "numbering objects", 0, 0);
    if (!err)
        err = gr_number(&discovery, graph);
    if (!err)
        err = finish(&(struct finishing){.graph = graph,
                                         .sweeping = sweeping,
                                         .discovery = &discovery,
                                         .seeds = &seeds,
                                         .finding = &finding});
    gr_sweep_close(sweeping);
    df_progress(progress, "adding up reference counts", 0, 0);
    if (!err)
        err = gr_ledger_make(graph, objects, py, discovery.jobs);
    df_progress(progress, "finding roots", 0, 0);
    if (!err)
        err = end_roots(&finding, graph, &discovery, &seeds);
    close_roots(&finding);
    free(seeds.items);
    gr_discovery_deinit(&discovery);
    if (err) {
        gr_graph_destroy(graph);
        return err;
    }
    *ret = graph;
    return NULL;
}
