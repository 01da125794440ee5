/* SPDX-License-Identifier: MIT
 * cuts.c: the least number of references that hold some objects, in words.
 */
#include "analyzer/findings/cuts.h"

#include "analyzer/algo/disjoint.h"
#include "analyzer/findings/hops.h"
#include "analyzer/findings/parts.h"
#include "analyzer/findings/phrase.h"
#include "analyzer/findings/ways.h"
#include "dumpfmt/base/mem.h"

#define PATH_HOPS 64
#define MAX_NESTED 32 /* class in class in module */

enum { STAYS = 1, NEVER };

struct work {
    struct fi_analysis *analysis;
    struct fi_pool *pool;
    struct fi_cuts *cuts;
    struct fi_type_fact *facts;
    uint8_t *stays; /* per node */
    struct {
        uint32_t *items;
        size_t count, capacity;
    } staying; /* nodes that stay */
    struct {
        uint32_t *items;
        size_t count, capacity;
    } roots;       /* nodes of the roots that are alive, a reason each */
    uint8_t *late; /* per root */
    size_t late_count, late_capacity;
    struct {
        uint32_t *items;
        size_t count, capacity;
    } row; /* of referrers */
    struct al_disjoint found;
};

static uint32_t referrers(void *context, uint32_t node, const uint32_t **ret)
{
    struct work *work = context;
    uint32_t referrer;

    work->row.count = 0;
    GR_EACH_REFERRER (work->analysis->graph, node, referrer)
        DF_PUSH(&work->row, referrer);
    *ret = work->row.items;
    return (uint32_t)work->row.count;
}

static bool late_edge(void *context, uint32_t from, uint32_t to)
{
    const struct work *work = context;

    return fi_is_last_way(work->analysis->graph, work->facts, from, to);
}

static bool is_alive(uint8_t kind)
{
    return kind != GR_ROOT_NONE && kind != GR_ROOT_GARBAGE && kind != GR_ROOT_UNKNOWN;
}

/* Modules are what a person thinks of first, then what runs; the interpreter's state and C code
 * come after them. */
static uint8_t lateness(uint8_t kind)
{
    return kind == GR_ROOT_MODULE ? 0 : kind == GR_ROOT_FRAME ? 1 : AL_LATEST;
}

static void let_stay(struct work *work, uint32_t v)
{
    if (work->stays[v])
        return;
    work->stays[v] = STAYS;
    DF_PUSH(&work->staying, v);
}

/* Namespaces that hang on one by the tree of ways. */
static void let_namespaces_stay(struct work *work, uint32_t holder)
{
    const struct fi_analysis *a = work->analysis;

    for (uint32_t e = a->graph->start[holder]; e < a->graph->start[holder + 1]; e++) {
        uint32_t v = a->graph->target[e];

        if (!work->stays[v] && fi_parent(a, v) == holder && fi_is_namespace(a, v))
            let_stay(work, v);
    }
}

static int by_number(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

/* Modules and classes that modules name, with their dicts, stay, whatever leaks: the references
 * that hold what is in them are the ones to cut, not those that hold them. The targets are not
 * among them, nor what hangs below those. */
static struct df_err *find_namespaces(struct work *work, const uint32_t *nodes, uint32_t count)
{
    const struct fi_analysis *a = work->analysis;
    const struct gr_graph *graph = a->graph;
    size_t first = 0;

    DF_TRY(df_array(graph->count, 1, &work->stays));
    for (uint32_t i = 0; i < count; i++)
        work->stays[nodes[i]] = NEVER;
    for (uint32_t i = 0; i < graph->root_node_count; i++) {
        uint32_t v = graph->root_nodes[i];

        if (fi_parent(a, v) == AL_ROOT && (gr_root_kind_of(graph, v) == GR_ROOT_MODULE ||
                                           gr_root_kind_of(graph, v) == GR_ROOT_STATIC_TYPE))
            let_stay(work, v);
    }
    for (uint32_t depth = 0; depth < MAX_NESTED && first < work->staying.count; depth++)
        for (size_t end = work->staying.count; first < end; first++)
            let_namespaces_stay(work, work->staying.items[first]);
    if (work->staying.count)
        qsort(work->staying.items, work->staying.count, sizeof(uint32_t), by_number);
    return NULL;
}

static void add_root(struct work *work, uint32_t node, uint8_t late)
{
    DF_PUSH(&work->roots, node);
    work->late = df_grow(work->late, work->late_count, &work->late_capacity, 1);
    work->late[work->late_count++] = late;
}

static void find_roots(struct work *work)
{
    const struct gr_graph *graph = work->analysis->graph;

    for (size_t n = 0; n < work->staying.count; n++)
        for (uint32_t i = 0; i <= FI_MOST_CUTS; i++)
            add_root(work, work->staying.items[n], 0); /* more often than can be cut */
    for (uint32_t i = 0; i < graph->root_count; i++)
        if (is_alive(graph->roots[i].kind) && work->stays[graph->roots[i].node] != STAYS)
            add_root(work, graph->roots[i].node, lateness(graph->roots[i].kind));
}

static struct df_err *search(struct work *work, const uint32_t *nodes, uint32_t count)
{
    const struct gr_graph *graph = work->analysis->graph;
    const struct al_csr forward = {graph->count, graph->start, graph->target};
    const struct al_disjoint_input input = {
        .graph = &forward,
        .referrers = referrers,
        .roots = work->roots.items,
        .late = work->late,
        .root_count = (uint32_t)work->roots.count,
        .targets = nodes,
        .target_count = count,
        .limit = FI_MOST_CUTS,
        .late_edge = late_edge,
        .context = work,
    };

    return al_disjoint_ways(&input, &work->found);
}

/* The reason number `number` for a node's being a root. */
static const struct gr_root *root_reason(const struct gr_graph *graph, uint32_t node,
                                         uint32_t number)
{
    for (uint32_t i = 0; i < graph->root_count; i++)
        if (graph->roots[i].node == node && is_alive(graph->roots[i].kind) && !number--)
            return &graph->roots[i];
    return NULL;
}

static struct fi_cut make_root_cut(struct work *work, uint32_t node, uint32_t number)
{
    const struct gr_graph *graph = work->analysis->graph;
    const struct gr_root *root = root_reason(graph, node, number);

    return (struct fi_cut){
        .path = fi_pool_text(work->pool, root ? root->path : "<root>"),
        .kind = root ? gr_root_kind_name(root->kind) : NULL,
        .held = gr_address(graph, node),
    };
}

/* The natural path of the holder, and the one reference. */
static struct fi_cut make_cut(struct work *work, uint32_t holder, uint32_t held)
{
    struct fi_analysis *a = work->analysis;
    struct {
        uint32_t *items;
        size_t count, capacity;
    } chain = {0};
    struct fi_cut cut = {
        .holder_type = fi_pool_text(work->pool, fi_type(a, holder)->name),
        .holder = gr_address(a->graph, holder),
        .held = gr_address(a->graph, held),
    };

    DF_PUSH(&chain, held);
    for (uint32_t v = holder; v < a->graph->count; v = fi_parent(a, v))
        DF_PUSH(&chain, v);
    cut.path = fi_pool_take(work->pool, fi_chain_path(a, chain.items, chain.count, PATH_HOPS));
    free(chain.items);
    return cut;
}

static void fill_cuts(struct work *work)
{
    struct fi_cuts *cuts = work->cuts;
    uint32_t number = 0;

    cuts->cuts = fi_pool_array(work->pool, work->found.count, sizeof(*cuts->cuts));
    for (uint32_t i = 0; work->found.cut && i < work->found.count; i++) {
        const uint32_t *edge = work->found.cut[i];
        bool same = i && edge[0] == AL_ROOT && work->found.cut[i - 1][0] == AL_ROOT &&
                    edge[1] == work->found.cut[i - 1][1];

        number = same ? number + 1 : 0;
        cuts->cuts[cuts->cut_count++] = edge[0] == AL_ROOT ? make_root_cut(work, edge[1], number)
                                                           : make_cut(work, edge[0], edge[1]);
    }
}

static void fill_ways(struct work *work)
{
    const struct al_disjoint *found = &work->found;
    struct fi_cuts *cuts = work->cuts;
    struct {
        uint32_t *items;
        size_t count, capacity;
    } chain = {0};

    cuts->ways = fi_pool_array(work->pool, found->count, sizeof(*cuts->ways));
    for (uint32_t i = 0; i < found->count; i++) {
        chain.count = 0;
        for (uint32_t k = found->start[i + 1]; k-- > found->start[i];)
            DF_PUSH(&chain, found->node[k]);
        /* what stays is itself held in some way */
        for (uint32_t v = found->node[found->start[i]];
             work->stays[v] == STAYS && fi_parent(work->analysis, v) != AL_ROOT;) {
            v = fi_parent(work->analysis, v);
            DF_PUSH(&chain, v);
        }
        cuts->ways[cuts->way_count++] =
            fi_route_along(work->analysis, work->pool, chain.items, (uint32_t)chain.count);
    }
    free(chain.items);
}

static const char *sentence_of(const struct fi_cuts *cuts, struct fi_pool *pool, uint32_t targets)
{
    const char *freed = targets == 1 ? "it is freed" : "they are all freed";
    const char *held = targets == 1 ? "it" : "them";

    if (!cuts->count)
        return fi_pool_format(pool, "No reference must go: nothing alive holds %s.", held);
    if (cuts->more)
        return fi_pool_format(pool, "More than %u references must go before %s.", FI_MOST_CUTS,
                              freed);
    if (cuts->count == 1)
        return fi_pool_format(pool, "1 reference must go before %s: every way passes it.", freed);
    return fi_pool_format(pool,
                          "%u references must go before %s: so many ways lead to %s that share "
                          "none.",
                          cuts->count, freed, held);
}

struct df_err *fi_cuts_make(struct fi_analysis *analysis, const uint32_t *nodes, uint32_t count,
                            struct fi_pool *pool, struct fi_cuts **ret)
{
    struct work work = {
        .analysis = analysis, .pool = pool, .cuts = fi_pool_array(pool, 1, sizeof(struct fi_cuts))};
    uint32_t types;
    struct df_err *err =
        fi_type_facts(analysis->py, analysis->objects, analysis->graph, &work.facts, &types);

    if (!err)
        err = find_namespaces(&work, nodes, count);
    if (!err) {
        find_roots(&work);
        err = search(&work, nodes, count);
    }
    if (!err) {
        work.cuts->count = work.found.count;
        work.cuts->more = work.found.more;
        fill_cuts(&work);
        fill_ways(&work);
        work.cuts->sentence = sentence_of(work.cuts, pool, count);
        *ret = work.cuts;
    }
    al_disjoint_deinit(&work.found);
    free(work.facts);
    free(work.stays);
    free(work.staying.items);
    free(work.roots.items);
    free(work.late);
    free(work.row.items);
    return err;
}
