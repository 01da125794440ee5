/* SPDX-License-Identifier: MIT
 * routes.c: the ways to many objects, grouped by shape.
 *
 * The shape of a route is its path with indices and keys left out: `shop.models.Repo._by_id[*]`.
 * Shapes form a tree, found from the roots down along the paths of analysis->parent: the shape of
 * a node is that of its holder and one hop, so that each holder is walked once, whatever number
 * of targets it holds, and the shapes of common parts are found once. A hop that repeats the one
 * before it (a linked list) stays in its shape.
 */
#include "analyzer/findings/verdict.h"

#include <string.h>

#include "analyzer/findings/cuts.h"
#include "analyzer/findings/hops.h"
#include "analyzer/findings/pool.h"
#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

#define STEP_TEXT_LENGTH 80
#define PATH_HOPS 64
#define MAX_STEPS 200

struct shape {
    uint32_t above;    /* shape of the holder; AL_NONE for a root */
    uint32_t type;     /* of the node */
    const char *label; /* in the pool; of roots the path */
    uint64_t targets;
    uint32_t example; /* the first target */
};

struct grouping {
    struct fi_analysis *analysis;
    struct fi_pool *pool;
    struct {
        struct shape *items;
        size_t count, capacity;
    } shapes;
    struct df_map by_hash; /* hash of (above, type, label) to shape, rehashed on collision */
    uint32_t *shape_of;    /* per node; AL_NONE when not known yet */
    uint8_t *wanted;       /* per node: its shape is needed */
    uint32_t *order;       /* wanted nodes, each after its holder */
    uint32_t wanted_count;
    struct py_refs refs;
};

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
    return hash;
}

static uint32_t intern_shape(struct grouping *g, uint32_t above, uint32_t type, const char *label)
{
    uint64_t hash = hash_text(UINT64_C(0xCBF29CE484222325) ^ ((uint64_t)above << 32 | type), label);

    for (;; hash = hash * UINT64_C(0x9E3779B97F4A7C15) + 1) {
        uint32_t known = hash ? df_map_get(&g->by_hash, hash) : DF_MAP_NONE;
        const struct shape *shape = known == DF_MAP_NONE ? NULL : &g->shapes.items[known];

        if (!hash)
            continue;
        if (shape && shape->above == above && shape->type == type &&
            strcmp(shape->label, label) == 0)
            return known;
        if (shape) /* another shape with this hash */
            continue;
        df_map_set(&g->by_hash, hash, (uint32_t)g->shapes.count);
        DF_PUSH(&g->shapes, (struct shape){.above = above,
                                           .type = type,
                                           .label = fi_pool_text(g->pool, label),
                                           .example = AL_NONE});
        return (uint32_t)g->shapes.count - 1;
    }
}

/* Enters the node and what is above it, holders first. */
static void want(struct grouping *g, uint32_t node)
{
    uint32_t first = g->wanted_count;

    for (uint32_t v = node; v < g->analysis->graph->count && !g->wanted[v];
         v = fi_parent(g->analysis, v)) {
        g->wanted[v] = 1;
        g->order[g->wanted_count++] = v;
    }
    for (uint32_t i = first, j = g->wanted_count; i + 1 < j; i++, j--) {
        uint32_t swap = g->order[i];

        g->order[i] = g->order[j - 1];
        g->order[j - 1] = swap;
    }
}

/* What was wanted below each holder, as chains: few nodes of many are wanted. */
struct below {
    uint32_t *first; /* per node: a place in `order`, plus 1; 0: nothing */
    uint32_t *next;  /* per place in `order`, likewise */
    struct {
        uint32_t *items;
        size_t count, capacity;
    } held; /* scratch */
};

static struct df_err *below_fill(struct below *below, const struct grouping *g)
{
    uint32_t count = g->analysis->graph->count;

    DF_TRY(df_array(count, sizeof(*below->first), &below->first));
    DF_TRY(df_array(g->wanted_count, sizeof(*below->next), &below->next));
    for (uint32_t i = g->wanted_count; i-- > 0;) {
        uint32_t holder = fi_parent(g->analysis, g->order[i]);

        if (holder >= count)
            continue;
        below->next[i] = below->first[holder];
        below->first[holder] = i + 1;
    }
    return NULL;
}

/* The shape of `held`, reached from its holder by ref. */
static uint32_t shape_below(struct grouping *g, uint32_t holder, uint32_t held,
                            const struct py_ref *ref)
{
    uint32_t above = g->shape_of[holder], type = gr_type(g->analysis->graph, held);
    const struct shape *shape = &g->shapes.items[above];
    DF_CLEANUP_FREE char *text = NULL;
    const char *label = ".<reference>";

    if (ref && ref->label == PY_LABEL_VALUE && strcmp(shape->label, ".__dict__") == 0) {
        text = fi_hop_text(g->analysis, holder, ref); /* an attribute has a name */
        label = text;
    } else if (ref) {
        label = fi_hop_shape(g->analysis, holder, ref, &text);
    }
    if (shape->above != AL_NONE && shape->type == type && strcmp(shape->label, label) == 0)
        return above; /* a repetition */
    return intern_shape(g, above, type, label);
}

/* Finds the shapes of all wanted nodes below a holder with one walk of it: the best reference to
 * each, found through a map of the targets' addresses. */
static void shape_children(struct grouping *g, struct below *below, uint32_t holder)
{
    const struct gr_graph *graph = g->analysis->graph;
    const struct py_ref **best;
    const uint32_t *held;
    struct df_map place;
    uint32_t count;

    below->held.count = 0;
    for (uint32_t i = below->first[holder]; i; i = below->next[i - 1])
        DF_PUSH(&below->held, g->order[i - 1]);
    held = below->held.items;
    count = (uint32_t)below->held.count;
    best = df_xcalloc(count, sizeof(*best));
    df_map_init(&place);
    df_map_reserve(&place, count);
    for (uint32_t i = 0; i < count; i++)
        df_map_set(&place, gr_address(graph, held[i]), i);
    if (count == 1)
        fi_walk_to(g->analysis, holder, held[0], &g->refs);
    else
        fi_walk(g->analysis, holder, &g->refs);
    for (size_t r = 0; r < g->refs.count; r++) {
        const struct py_ref *ref = &g->refs.items[r];
        uint32_t i = df_map_get(&place, ref->target);

        if (i != DF_MAP_NONE && fi_ref_is_better(ref, best[i]))
            best[i] = ref;
    }
    for (uint32_t i = 0; i < count; i++)
        g->shape_of[held[i]] = shape_below(g, holder, held[i], best[i]);
    df_map_deinit(&place);
    free(best);
}

static struct df_err *find_shapes(struct grouping *g)
{
    struct below below = {0};
    const struct gr_graph *graph = g->analysis->graph;
    struct df_err *err = below_fill(&below, g);

    for (uint32_t i = 0; i < g->wanted_count && !err; i++) {
        uint32_t v = g->order[i];

        if (fi_parent(g->analysis, v) >= graph->count) {
            const struct gr_root *root = gr_root_of(graph, v);

            g->shape_of[v] =
                intern_shape(g, AL_NONE, gr_type(graph, v), root ? root->path : "<unreached>");
        }
        if (below.first[v])
            shape_children(g, &below, v);
    }
    free(below.first);
    free(below.next);
    free(below.held.items);
    return err;
}

static struct fi_step make_step(struct grouping *g, uint32_t holder, uint32_t v)
{
    struct fi_analysis *a = g->analysis;
    uint64_t address = gr_address(a->graph, v);

    return (struct fi_step){
        .address = address,
        .type = fi_type(a, v)->name,
        .label = fi_pool_take(g->pool, fi_step_label(a, holder, v, &g->refs)),
        .text = fi_pool_take(g->pool, py_text(a->objects, address, STEP_TEXT_LENGTH)),
        .size = gr_size(a->graph, v),
        .retained_bytes = fi_retained(a, v),
    };
}

/* The steps along chain (root last), the middle of a very long one in a single step. */
static void fill_steps(struct grouping *g, struct fi_route *route, const uint32_t *chain,
                       uint32_t count)
{
    uint32_t cut = count > MAX_STEPS ? count - MAX_STEPS : 0;

    route->steps = fi_pool_array(g->pool, count - cut + 1, sizeof(*route->steps));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t holder = i ? chain[count - i] : AL_NONE;

        if (cut && i == MAX_STEPS / 2) {
            route->steps[route->step_count++] = (struct fi_step){
                .type = "",
                .label = "…",
                .text = fi_pool_format(g->pool, "%u steps more", cut),
            };
            i += cut - 1;
            continue;
        }
        route->steps[route->step_count++] = make_step(g, holder, chain[count - i - 1]);
    }
}

struct fi_route fi_route_along(struct fi_analysis *analysis, struct fi_pool *pool,
                               const uint32_t *chain, uint32_t count)
{
    struct grouping g = {.analysis = analysis, .pool = pool};
    struct fi_route route = {0};

    fill_steps(&g, &route, chain, count);
    route.path = fi_pool_take(pool, fi_chain_path(analysis, chain, count, PATH_HOPS));
    free(g.refs.items);
    return route;
}

/* A route along a tree of holders, root first. */
static struct fi_route make_route(struct grouping *g, uint32_t node, bool dominators)
{
    struct fi_analysis *a = g->analysis;
    uint32_t (*above)(const struct fi_analysis *, uint32_t) = dominators ? fi_idom : fi_parent;
    struct {
        uint32_t *items;
        size_t count, capacity;
    } chain = {0};
    struct fi_route route = {0};

    for (uint32_t v = node; v < a->graph->count; v = above(a, v))
        DF_PUSH(&chain, v);
    fill_steps(g, &route, chain.items, (uint32_t)chain.count);
    free(chain.items);
    route.path = fi_pool_take(g->pool, fi_path(a, node, dominators, PATH_HOPS));
    return route;
}

static int compare_shapes(const void *left, const void *right)
{
    const struct shape *a = left, *b = right;

    if (a->targets != b->targets)
        return a->targets > b->targets ? -1 : 1;
    return a->example < b->example ? -1 : a->example > b->example;
}

static void list_routes(struct grouping *g, struct fi_routes *routes, uint32_t limit)
{
    uint32_t count = 0;

    /* From here on shapes are only listed: their order may change. */
    qsort(g->shapes.items, g->shapes.count, sizeof(*g->shapes.items), compare_shapes);
    while (count < g->shapes.count && g->shapes.items[count].targets)
        count++;
    routes->total = count;
    if (limit && count > limit)
        count = limit;
    routes->count = count;
    routes->shortest = fi_pool_array(g->pool, count, sizeof(*routes->shortest));
    routes->counts = fi_pool_array(g->pool, count, sizeof(*routes->counts));
    for (uint32_t i = 0; i < count; i++) {
        routes->shortest[i] = make_route(g, g->shapes.items[i].example, false);
        routes->counts[i] = g->shapes.items[i].targets;
    }
}

static struct df_err *group(struct grouping *g, const uint32_t *nodes, uint32_t count)
{
    uint32_t all = g->analysis->graph->count;

    DF_TRY(df_array(all, sizeof(*g->shape_of), &g->shape_of));
    DF_TRY(df_array(all, sizeof(*g->wanted), &g->wanted));
    DF_TRY(df_array(all, sizeof(*g->order), &g->order));
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i] >= all)
            return df_err_new(DF_ERR_USAGE, "there is no such object");
        want(g, nodes[i]);
    }
    DF_TRY(find_shapes(g));
    for (uint32_t i = 0; i < count; i++) {
        struct shape *shape = &g->shapes.items[g->shape_of[nodes[i]]];

        if (!shape->targets++)
            shape->example = nodes[i];
    }
    return NULL;
}

struct df_err *fi_routes_make(struct fi_analysis *analysis, const uint32_t *nodes, uint32_t count,
                              uint32_t limit, struct fi_routes **ret)
{
    struct grouping g = {.analysis = analysis, .pool = fi_pool_create()};
    struct fi_routes *routes = fi_pool_array(g.pool, 1, sizeof(*routes));
    struct df_err *err;

    routes->pool = g.pool;
    routes->targets = count;
    df_map_init(&g.by_hash);
    err = group(&g, nodes, count);
    if (!err) {
        list_routes(&g, routes, limit);
        if (count)
            routes->dominators = make_route(&g, nodes[0], true);
        err = fi_cuts_make(analysis, nodes, count, g.pool, &routes->cuts);
    }
    df_map_deinit(&g.by_hash);
    free(g.shapes.items);
    free(g.shape_of);
    free(g.wanted);
    free(g.order);
    free(g.refs.items);
    if (err) {
        fi_routes_free(routes);
        return err;
    }
    *ret = routes;
    return NULL;
}

void fi_routes_free(struct fi_routes *routes)
{
    if (routes)
        fi_pool_destroy(routes->pool);
}
