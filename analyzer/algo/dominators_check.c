/* SPDX-License-Identifier: MIT
 * dominators_check.c: proves that an array of immediate dominators is right, without computing
 * dominators.
 *
 * 1. Shape. Exactly the nodes that a breadth-first search reaches have a parent, and a walk down
 *    from the virtual root comes to all of them.
 * 2. Parent property. The walk keeps the tree path to the node u at hand by depth, so "is idom[v]
 *    on the way to u" is one comparison for each edge u->v.
 * 3. Sibling property. An edge u->v with p = idom[v] is, seen from p, an edge to its child v either
 *    from p itself or from that child c of p that is u or above u: the derived edge c->v. No child
 *    of p dominates another if and only if in these derived graphs every child can be "settled":
 *      a. v is settled when p->v is an edge;
 *      b. or when two different settled siblings have edges to v: neither they nor anything else
 *         is on all paths.
 *    a and b, by a queue, do nearly everything. Where cycles are left, rounds:
 *      c. each open node has the label of one settled sibling from which a path of open nodes
 *         leads to it (breadth-first). An open node with an edge from an open node of another
 *         label is settled: the two paths to it are disjoint but for ends that no node dominates.
 *    If a round settles nothing, then all edges to the open nodes of a label come from nodes of
 *    this label: the settled node whose label it is dominates them, a sibling, and idom is wrong.
 */
#include "analyzer/algo/dominators.h"

#include <string.h>

#include "analyzer/algo/dominator_tree.h"
#include "analyzer/algo/reach.h"
#include "dumpfmt/base/mem.h"

/* Rounds may look at this many times the nodes and edges of the graph. */
#define ROUND_WORK 16

struct check {
    const struct al_csr *graph;
    const uint32_t *idom;
    struct al_dominator_tree tree;
    uint32_t reached;
    uint32_t *depth;  /* 1.. in the tree; 0: not walked to */
    uint32_t *path;   /* the walk's path by depth; path[0] is AL_ROOT */
    uint8_t *settled; /* 1: settled; 2: about to be, in a round */
    uint32_t *start;  /* derived edges to nodes that rule a does not settle, by source */
    uint32_t *target;
    uint32_t *via;   /* per open node: its first settled sibling with an edge to it */
    uint32_t *label; /* per open node, within a round */
    uint32_t *queue;
    uint32_t tail;
    uint32_t bad; /* the answer: AL_NONE, or a node that shows the fault */
};

static bool shape_holds(struct check *c, const uint32_t *parent, const uint32_t *roots,
                        uint32_t root_count)
{
    for (uint32_t v = 0; v < c->graph->count; v++) {
        uint32_t d = c->idom[v];

        if ((d == AL_NONE) != (parent[v] == AL_NONE) || (d < AL_ROOT && d >= c->graph->count)) {
            c->bad = v;
            return false;
        }
    }
    for (uint32_t i = 0; i < root_count; i++)
        if (c->idom[roots[i]] != AL_ROOT) {
            c->bad = roots[i];
            return false;
        }
    return true;
}

/* Preorder: the node after v at depth *depth, which follows; AL_ROOT at the end. */
static uint32_t walk_next(const struct check *c, uint32_t v, uint32_t *depth)
{
    if (c->tree.first[v] != AL_NONE) {
        ++*depth;
        return c->tree.first[v];
    }
    while (c->tree.sibling[v] == AL_NONE) {
        v = c->idom[v];
        --*depth;
        if (v == AL_ROOT)
            return v;
    }
    return c->tree.sibling[v];
}

static bool walk_reaches_all(struct check *c)
{
    uint32_t walked = 0, depth = 1;

    for (uint32_t v = c->tree.top; v < AL_ROOT; v = walk_next(c, v, &depth)) {
        c->depth[v] = depth;
        walked++;
    }
    for (uint32_t v = 0; walked < c->reached; v++)
        if (c->idom[v] != AL_NONE && c->depth[v] == 0) {
            c->bad = v;
            return false;
        }
    return true;
}

/* Rule a. */
static void settle_children(struct check *c, const uint32_t *roots, uint32_t root_count)
{
    const struct al_csr *graph = c->graph;

    for (uint32_t i = 0; i < root_count; i++)
        c->settled[roots[i]] = 1;
    for (uint32_t u = 0; u < graph->count; u++)
        for (uint32_t e = graph->start[u]; e < graph->start[u + 1]; e++)
            if (c->idom[graph->target[e]] == u)
                c->settled[graph->target[e]] = 1;
}

/* Looks at the edges of u, to which c->path leads; counts (no target yet) or fills in the derived
 * edges to open nodes. */
static bool edges_of(struct check *c, uint32_t u, uint32_t depth)
{
    const struct al_csr *graph = c->graph;

    for (uint32_t e = graph->start[u]; e < graph->start[u + 1]; e++) {
        uint32_t v = graph->target[e], p = c->idom[v];
        uint32_t at = p == AL_ROOT ? 0 : c->depth[p];

        if (at > depth || c->path[at] != p) {
            c->bad = v;
            return false;
        }
        if (c->settled[v] || c->path[at + 1] == v)
            continue;
        if (c->target)
            c->target[--c->start[c->path[at + 1]]] = v;
        else
            c->start[c->path[at + 1]]++;
    }
    return true;
}

static bool all_edges(struct check *c)
{
    uint32_t depth = 1;

    c->path[0] = AL_ROOT;
    for (uint32_t u = c->tree.top; u < AL_ROOT; u = walk_next(c, u, &depth)) {
        c->path[depth] = u;
        if (!edges_of(c, u, depth))
            return false;
    }
    return true;
}

/* The parent property; and the derived edges as start and target. */
static struct df_err *derive(struct check *c)
{
    uint32_t count = c->graph->count;

    if (!all_edges(c))
        return NULL;
    for (uint32_t v = 1; v < count; v++)
        c->start[v] += c->start[v - 1];
    if (count > 0)
        c->start[count] = c->start[count - 1];
    DF_TRY(df_array(c->start[count], sizeof(*c->target), &c->target));
    if (c->start[count] > 0)
        all_edges(c);
    return NULL;
}

/* Rule b for everything in the queue from *head on. */
static void settle_by_two(struct check *c, uint32_t *head)
{
    for (; *head < c->tail; ++*head) {
        uint32_t u = c->queue[*head];

        for (uint32_t e = c->start[u]; e < c->start[u + 1]; e++) {
            uint32_t v = c->target[e];

            if (c->settled[v] || c->via[v] == u)
                continue;
            if (c->via[v] == AL_NONE) {
                c->via[v] = u;
                continue;
            }
            c->settled[v] = 1;
            c->queue[c->tail++] = v;
        }
    }
}

/* Keeps the open ones of `open`; returns how many. */
static uint32_t still_open(const struct check *c, uint32_t *open, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++)
        if (!c->settled[open[i]])
            open[kept++] = open[i];
    return kept;
}

/* Rule c's labels. The search's queue is the free end of c->queue: what is open was never in it.
 * Returns its end. */
static uint32_t label_open(struct check *c, const uint32_t *open, uint32_t count)
{
    uint32_t end = c->tail;

    for (uint32_t i = 0; i < count; i++) {
        c->label[open[i]] = c->via[open[i]];
        if (c->via[open[i]] != AL_NONE)
            c->queue[end++] = open[i];
    }
    for (uint32_t head = c->tail; head < end; head++) {
        uint32_t u = c->queue[head];

        for (uint32_t e = c->start[u]; e < c->start[u + 1]; e++) {
            uint32_t v = c->target[e];

            if (c->settled[v] || c->label[v] != AL_NONE)
                continue;
            c->label[v] = c->label[u];
            c->queue[end++] = v;
        }
    }
    return end;
}

/* Rule c. Returns the work done; what it settles is in the queue. */
static uint64_t settle_by_labels(struct check *c, const uint32_t *open, uint32_t count)
{
    uint32_t end = label_open(c, open, count), tail = c->tail;
    uint64_t work = count;

    for (uint32_t i = tail; i < end; i++) {
        uint32_t u = c->queue[i];

        work += c->start[u + 1] - c->start[u];
        for (uint32_t e = c->start[u]; e < c->start[u + 1]; e++)
            if (!c->settled[c->target[e]] && c->label[c->target[e]] != c->label[u])
                c->settled[c->target[e]] = 2;
    }
    for (uint32_t i = tail; i < end; i++)
        if (c->settled[c->queue[i]] == 2) {
            c->settled[c->queue[i]] = 1;
            c->queue[c->tail++] = c->queue[i];
        }
    return work;
}

/* The sibling property. The open nodes stand in c->path, which the walk no longer needs. */
static void settle(struct check *c)
{
    const struct al_csr *graph = c->graph;
    uint64_t budget = ROUND_WORK * ((uint64_t)graph->count + graph->start[graph->count]);
    uint32_t *open = c->path, head = 0, count = 0;

    for (uint32_t v = 0; v < graph->count; v++) {
        if (c->settled[v] && c->start[v] < c->start[v + 1])
            c->queue[c->tail++] = v;
        else if (!c->settled[v] && c->idom[v] != AL_NONE)
            open[count++] = v;
    }
    for (;;) {
        uint64_t work;

        settle_by_two(c, &head);
        count = still_open(c, open, count);
        if (count == 0)
            return;
        work = settle_by_labels(c, open, count);
        if (head == c->tail) {
            c->bad = open[0];
            return;
        }
        if (work > budget)
            return;
        budget -= work;
    }
}

static struct df_err *check_allocate(struct check *c)
{
    uint32_t count = c->graph->count;

    DF_TRY(df_array(count, sizeof(*c->depth), &c->depth));
    DF_TRY(df_array((size_t)count + 2, sizeof(*c->path), &c->path));
    DF_TRY(df_array(count, sizeof(*c->settled), &c->settled));
    return df_array((size_t)count + 1, sizeof(*c->start), &c->start);
}

static struct df_err *check_siblings(struct check *c)
{
    uint32_t count = c->graph->count;

    al_dominator_tree_deinit(&c->tree);
    free(DF_TAKE(c->depth));
    DF_TRY(df_array(count, sizeof(*c->via), &c->via));
    DF_TRY(df_array(count, sizeof(*c->label), &c->label));
    DF_TRY(df_array(count, sizeof(*c->queue), &c->queue));
    memset(c->via, 0xff, (size_t)count * sizeof(*c->via));
    settle(c);
    return NULL;
}

static struct df_err *check_run(struct check *c, const uint32_t *roots, uint32_t root_count)
{
    DF_CLEANUP_FREE uint32_t *parent = NULL;

    DF_TRY(df_array(c->graph->count, sizeof(*parent), &parent));
    DF_TRY(al_reach(c->graph, roots, root_count, NULL, parent, &c->reached));
    if (!shape_holds(c, parent, roots, root_count))
        return NULL;
    free(DF_TAKE(parent));
    DF_TRY(al_dominator_tree_init(&c->tree, c->graph->count, c->idom, NULL, 0));
    DF_TRY(check_allocate(c));
    if (!walk_reaches_all(c))
        return NULL;
    settle_children(c, roots, root_count);
    DF_TRY(derive(c));
    return c->bad == AL_NONE ? check_siblings(c) : NULL;
}

struct df_err *al_dominators_check(const struct al_csr *graph, const uint32_t *roots,
                                   uint32_t root_count, const uint32_t *idom, bool *ret_ok,
                                   uint32_t *ret_node)
{
    struct check c = {.graph = graph, .idom = idom, .tree = {.top = AL_NONE}, .bad = AL_NONE};
    struct df_err *err = check_run(&c, roots, root_count);

    al_dominator_tree_deinit(&c.tree);
    free(c.depth);
    free(c.path);
    free(c.settled);
    free(c.start);
    free(c.target);
    free(c.via);
    free(c.label);
    free(c.queue);
    if (err)
        return err;
    *ret_ok = c.bad == AL_NONE;
    *ret_node = c.bad;
    return NULL;
}
