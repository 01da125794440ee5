/* SPDX-License-Identifier: MIT
 * tree.c: makes the dominator tree, and answers what analysis.h asks of it.
 */
#include "analyzer/findings/tree.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/algo/dominators.h"
#include "analyzer/findings/analysis.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

/* What a node and its leaves are together; the largest of these, AL_NONE when there is none. */
static uint32_t weigh(const struct gr_trunk *trunk, uint32_t node, uint64_t *bytes)
{
    const struct gr_graph *graph = trunk->graph;
    uint32_t largest = AL_NONE;
    uint64_t most = 0;

    *bytes = gr_size(graph, node);
    for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++) {
        uint32_t target = graph->target[e];
        uint64_t size;

        if (gr_in_trunk(trunk, target))
            continue;
        size = gr_size(graph, target);
        if (__builtin_add_overflow(*bytes, size, bytes))
            *bytes = UINT64_MAX;
        if (largest == AL_NONE || size > most || (size == most && target < largest)) {
            largest = target;
            most = size;
        }
    }
    return largest;
}

struct leaf_list {
    struct fi_tree_leaf *items;
    size_t count, capacity;
};

#define PART 262144 /* nodes that are weighed at a time; a multiple of 64 */

struct weighing { /* divided among threads */
    const struct gr_trunk *trunk;
    uint64_t *bytes;
    struct leaf_list *leaves; /* per part */
};

static void weigh_part(void *context, uint32_t part)
{
    struct weighing *w = context;
    const struct gr_graph *graph = w->trunk->graph;
    uint64_t first = (uint64_t)part * PART, end = first + PART;
    uint32_t row = w->trunk->before[first / 64];

    for (uint64_t at = first; at < end && at < graph->count; at++) {
        uint32_t v = (uint32_t)at, leaf;

        if (!gr_in_trunk(w->trunk, v))
            continue;
        leaf = weigh(w->trunk, v, &w->bytes[row++]);
        if (graph->start[v + 1] - graph->start[v] >= FI_MANY_REFERENCES)
            DF_PUSH(&w->leaves[part], (struct fi_tree_leaf){v, leaf});
    }
}

static struct leaf_list weigh_all(const struct gr_trunk *trunk, uint32_t jobs, uint64_t *bytes)
{
    uint32_t parts = trunk->graph->count / PART + 1;
    struct weighing weighing = {trunk, bytes, df_xcalloc(parts, sizeof(*weighing.leaves))};
    struct leaf_list all = {0};

    df_threads_share(jobs, parts, weigh_part, &weighing);
    for (uint32_t part = 0; part < parts; part++) {
        for (size_t i = 0; i < weighing.leaves[part].count; i++)
            DF_PUSH(&all, weighing.leaves[part].items[i]);
        free(weighing.leaves[part].items);
    }
    free(weighing.leaves);
    return all;
}

static struct df_err *lay_out(const struct gr_trunk *trunk, struct fi_dominators *dominators,
                              uint32_t jobs, struct fi_tree *tree)
{
    DF_CLEANUP_FREE uint64_t *bytes = NULL;
    struct gr_wide_list wide = {0};
    struct leaf_list leaves;
    uint32_t count = trunk->count, reached = dominators->reached;

    DF_TRY(df_array(count, sizeof(*bytes), &bytes));
    leaves = weigh_all(trunk, jobs, bytes);
    tree->leaves = leaves.items;
    tree->leaf_count = (uint32_t)leaves.count;
    al_retained(count, dominators->idom, dominators->order, reached, bytes, NULL);
    DF_TRY(al_preorder_make(count, &dominators->idom, &dominators->order, reached, bytes,
                            &tree->order));
    DF_TRY(gr_column_init(&tree->retained, reached, 4));
    for (uint32_t place = 0; place < reached; place++)
        gr_column_put(&tree->retained, &wide, place, bytes[tree->order.node[place]]);
    gr_column_join(&tree->retained, &wide);
    return NULL;
}

/* The tree has rows; it is to have nodes. */
static void name_nodes(const struct gr_trunk *trunk, struct al_preorder *order)
{
    uint32_t row = 0;

    for (uint32_t v = 0; v < trunk->graph->count; v++)
        if (gr_in_trunk(trunk, v) && order->place[row++] != AL_NONE)
            order->node[order->place[row - 1]] = v;
}

static struct df_err *count_objects(const struct gr_trunk *trunk, struct fi_tree *tree)
{
    DF_CLEANUP_FREE uint32_t *objects = NULL;
    const struct gr_graph *graph = trunk->graph;
    const struct al_preorder *order = &tree->order;

    DF_TRY(df_array(order->count, sizeof(*objects), &objects));
    for (uint32_t place = order->count; place-- > 0;) {
        uint32_t v = order->node[place];

        objects[place]++;
        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
            objects[place] += !gr_in_trunk(trunk, graph->target[e]);
        if (order->above[place] != AL_NONE)
            objects[order->above[place]] += objects[place];
    }
    return gr_column_pack(&tree->objects, objects, order->count);
}

static struct df_err *sum_classes(const struct gr_trunk *trunk, const struct fi_tree *tree,
                                  const uint32_t *class_of, uint32_t class_count,
                                  uint64_t *retained)
{
    DF_CLEANUP_FREE uint32_t *end = NULL;
    const struct gr_graph *graph = trunk->graph;
    const struct al_preorder *order = &tree->order;
    struct al_classes classes = {.count = class_count, .sum = retained};

    DF_TRY(df_array(class_count, sizeof(*end), &end));
    classes.end = end;
    memset(retained, 0, (size_t)class_count * sizeof(*retained));
    for (uint32_t place = 0; place < order->count; place++) {
        uint32_t v = order->node[place];

        al_class_meet(&classes, class_of ? class_of[v] : gr_type(graph, v), place,
                      order->span[place], gr_column_get(&tree->retained, place));
        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
            uint32_t w = graph->target[e];

            if (!gr_in_trunk(trunk, w))
                al_class_meet(&classes, class_of ? class_of[w] : gr_type(graph, w), place, 0,
                              gr_size(graph, w));
        }
    }
    return NULL;
}

struct counting {
    const struct gr_trunk *trunk;
    struct fi_tree *tree;
    struct df_err *err;
};

static void count_beside(void *context)
{
    struct counting *counting = context;

    counting->err = count_objects(counting->trunk, counting->tree);
}

static struct df_err *sum_types(const struct gr_trunk *trunk, const struct fi_tree *tree,
                                uint32_t type_count, uint64_t **ret)
{
    DF_TRY(df_array(type_count, sizeof(**ret), ret));
    return sum_classes(trunk, tree, NULL, type_count, *ret);
}

struct df_err *fi_tree_make(const struct gr_trunk *trunk, struct fi_dominators *dominators,
                            uint32_t type_count, uint32_t jobs, struct fi_tree *ret,
                            uint64_t **ret_types)
{
    struct counting counting = {.trunk = trunk, .tree = ret};
    struct df_beside beside;
    struct df_err *err;

    DF_TRY(lay_out(trunk, dominators, jobs, ret));
    name_nodes(trunk, &ret->order);
    df_beside_begin(&beside, jobs, count_beside, &counting);
    err = sum_types(trunk, ret, type_count, ret_types);
    df_beside_end(&beside);
    if (!err)
        return counting.err;
    df_err_free(counting.err);
    return err;
}

void fi_tree_deinit(struct fi_tree *tree)
{
    al_preorder_deinit(&tree->order);
    gr_column_deinit(&tree->retained);
    gr_column_deinit(&tree->objects);
    free(tree->leaves);
    *tree = (struct fi_tree){0};
}

/* The place of a node of the trunk; AL_NONE when it is not reached. */
static uint32_t place_of(const struct fi_analysis *analysis, uint32_t node)
{
    return analysis->tree.order.place[gr_trunk_row(&analysis->trunk, node)];
}

/* The only holder of a leaf; AL_NONE when that is not reached. */
static uint32_t owner_of(const struct fi_analysis *analysis, uint32_t leaf)
{
    uint32_t owner = gr_only_referrer(analysis->graph, leaf);

    return owner != AL_NONE && place_of(analysis, owner) != AL_NONE ? owner : AL_NONE;
}

uint32_t fi_idom(const struct fi_analysis *analysis, uint32_t node)
{
    const struct al_preorder *order = &analysis->tree.order;
    uint32_t place;

    if (!gr_in_trunk(&analysis->trunk, node))
        return owner_of(analysis, node);
    place = place_of(analysis, node);
    if (place == AL_NONE)
        return AL_NONE;
    return order->above[place] == AL_NONE ? AL_ROOT : order->node[order->above[place]];
}

uint64_t fi_retained(const struct fi_analysis *analysis, uint32_t node)
{
    uint32_t place;

    if (!gr_in_trunk(&analysis->trunk, node))
        return gr_size(analysis->graph, node);
    place = place_of(analysis, node);
    return place == AL_NONE ? 0 : gr_column_get(&analysis->tree.retained, place);
}

uint32_t fi_retained_count(const struct fi_analysis *analysis, uint32_t node)
{
    uint32_t place;

    if (!gr_in_trunk(&analysis->trunk, node))
        return 1;
    place = place_of(analysis, node);
    return place == AL_NONE ? 0 : (uint32_t)gr_column_get(&analysis->tree.objects, place);
}

struct fi_children fi_children(const struct fi_analysis *analysis, uint32_t node)
{
    const struct gr_graph *graph = analysis->graph;
    struct fi_children children = {.analysis = analysis};
    uint32_t place;

    if (node == graph->count) {
        children.end = analysis->tree.order.count;
    } else if (gr_in_trunk(&analysis->trunk, node) &&
               (place = place_of(analysis, node)) != AL_NONE) {
        children.next = place + 1;
        children.end = place + analysis->tree.order.span[place];
        children.edge = graph->start[node];
        children.edge_end = graph->start[node + 1];
    }
    return children;
}

bool fi_next_child(struct fi_children *children, uint32_t *ret)
{
    const struct fi_analysis *analysis = children->analysis;
    const struct al_preorder *order = &analysis->tree.order;

    if (children->next < children->end) {
        *ret = order->node[children->next];
        children->next += order->span[children->next];
        return true;
    }
    while (children->edge < children->edge_end) {
        *ret = analysis->graph->target[children->edge++];
        if (!gr_in_trunk(&analysis->trunk, *ret))
            return true;
    }
    return false;
}

static uint32_t kept_leaf(const struct fi_tree *tree, uint32_t node)
{
    uint32_t low = 0, high = tree->leaf_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (tree->leaves[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < tree->leaf_count && tree->leaves[low].node == node ? tree->leaves[low].leaf
                                                                    : AL_NONE;
}

static uint32_t largest_leaf(const struct fi_analysis *analysis, uint32_t node)
{
    const struct gr_graph *graph = analysis->graph;
    uint64_t bytes;

    if (graph->start[node + 1] - graph->start[node] >= FI_MANY_REFERENCES)
        return kept_leaf(&analysis->tree, node);
    return weigh(&analysis->trunk, node, &bytes);
}

uint32_t fi_biggest_child(const struct fi_analysis *analysis, uint32_t node)
{
    struct fi_children children = fi_children(analysis, node);
    uint32_t first = AL_NONE, leaf;
    uint64_t retained, size;

    if (children.next < children.end)
        first = analysis->tree.order.node[children.next];
    if (children.edge == children.edge_end)
        return first;
    leaf = largest_leaf(analysis, node);
    if (leaf == AL_NONE || first == AL_NONE)
        return leaf == AL_NONE ? first : leaf;
    retained = fi_retained(analysis, first);
    size = gr_size(analysis->graph, leaf);
    return size > retained || (size == retained && leaf < first) ? leaf : first;
}

struct fi_walk fi_walk_down(const struct fi_analysis *analysis)
{
    return (struct fi_walk){.analysis = analysis};
}

struct fi_walk fi_walk_up(const struct fi_analysis *analysis)
{
    return (struct fi_walk){.analysis = analysis, .place = analysis->tree.order.count, .up = true};
}

static bool next_leaf(struct fi_walk *walk, uint32_t *ret)
{
    const struct fi_analysis *analysis = walk->analysis;

    while (walk->leaf < analysis->graph->count) {
        uint32_t node = walk->leaf++;

        if (!gr_in_trunk(&analysis->trunk, node) && owner_of(analysis, node) != AL_NONE) {
            *ret = node;
            return true;
        }
    }
    return false;
}

bool fi_next_walked(struct fi_walk *walk, uint32_t *ret)
{
    const struct al_preorder *order = &walk->analysis->tree.order;

    if (walk->up) {
        if (next_leaf(walk, ret))
            return true;
        if (!walk->place)
            return false;
        *ret = order->node[--walk->place];
        return true;
    }
    if (walk->place == order->count)
        return next_leaf(walk, ret);
    *ret = order->node[walk->place++];
    return true;
}

struct df_err *fi_class_retained(const struct fi_analysis *analysis, const uint32_t *class_of,
                                 uint32_t class_count, uint64_t *retained)
{
    return sum_classes(&analysis->trunk, &analysis->tree, class_of, class_count, retained);
}

struct run { /* what a node dominates: places; none of its own for a leaf, at its owner's */
    uint32_t place, span;
    uint64_t retained;
};

/* A leaf stands behind its owner. */
static int by_place(const void *left, const void *right)
{
    const struct run *a = left, *b = right;

    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return a->span > b->span ? -1 : a->span < b->span;
}

static struct run run_of(const struct fi_analysis *analysis, uint32_t node)
{
    uint32_t owner = node, place;

    if (!gr_in_trunk(&analysis->trunk, node))
        owner = gr_only_referrer(analysis->graph, node);
    place = place_of(analysis, owner);
    if (place == AL_NONE)
        return (struct run){0};
    if (owner != node)
        return (struct run){place, 0, gr_size(analysis->graph, node)};
    return (struct run){place, analysis->tree.order.span[place],
                        gr_column_get(&analysis->tree.retained, place)};
}

struct df_err *fi_set_retained(const struct fi_analysis *analysis, const uint32_t *nodes,
                               uint32_t count, uint64_t *ret)
{
    DF_CLEANUP_FREE struct run *runs = NULL;
    uint32_t end = 0;
    struct al_classes classes = {.count = 1, .end = &end, .sum = ret};

    *ret = 0;
    DF_TRY(df_array(count, sizeof(*runs), &runs));
    for (uint32_t i = 0; i < count; i++)
        runs[i] = run_of(analysis, nodes[i]);
    if (count)
        qsort(runs, count, sizeof(*runs), by_place);
    for (uint32_t i = 0; i < count; i++)
        al_class_meet(&classes, 0, runs[i].place, runs[i].span, runs[i].retained);
    return NULL;
}
