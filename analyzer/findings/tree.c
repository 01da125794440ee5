/* SPDX-License-Identifier: MIT
 * tree.c: answers what analysis.h asks of the dominator tree.
 */
#include "analyzer/findings/tree.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/algo/dominators.h"
#include "analyzer/findings/analysis.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

void fi_tree_deinit(struct fi_tree *tree)
{
    al_preorder_deinit(&tree->order);
    free(tree->above);
    gr_column_deinit(&tree->span);
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
    return analysis->tree.above[place] == AL_NONE ? AL_ROOT
                                                  : order->node[analysis->tree.above[place]];
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
        children.end = place + fi_span(&analysis->tree, place);
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
        children->next += fi_span(&analysis->tree, children->next);
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
    uint32_t count;

    if (graph->start[node + 1] - graph->start[node] >= FI_MANY_REFERENCES)
        return kept_leaf(&analysis->tree, node);
    return fi_weigh_leaves(&analysis->trunk, node, &bytes, &count);
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
    return fi_sum_classes(&analysis->trunk, &analysis->tree, class_of, class_count, 1, retained);
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
    return (struct run){place, fi_span(&analysis->tree, place),
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
