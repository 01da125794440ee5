/* SPDX-License-Identifier: MIT
 * dominators_check.c: proves that an array of immediate dominators is right, without computing
 * dominators.
 *
 * 1. Shape. A walk down from the virtual root comes to all nodes that have a parent; the roots are
 *    among them, and with each node its successors.
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
 * An edge from a node just settled does the same, when it leads to one that the search found
 * before: then the path to that one did not come this way. (So a doubly linked list that is held at
 * both ends is done in one round, not in as many as it can be halved.) If a round settles nothing,
 * then all edges to the open nodes of a label come from nodes of this label: the settled node whose
 * label it is dominates them, a sibling, and idom is wrong.
 *
 * That every node with a parent is reached needs no search: a node is settled over edges from its
 * parent or from below siblings settled before, so by induction over the height of the tree, where
 * all is settled, each parent reaches its children.
 */
#include "analyzer/algo/dominators.h"

#include <assert.h>
#include <string.h>

#include "analyzer/algo/dominator_tree.h"
#include "dumpfmt/base/mem.h"

/* Rounds may look at this many times the nodes and edges of the graph. */
#define ROUND_WORK 16

struct derived {
    uint32_t from;
    uint32_t to;
};

struct check {
    const struct al_csr *graph;
    const uint32_t *idom;
    struct al_dominator_tree tree;
    uint32_t reached;
    uint32_t *depth;         /* 1.. in the tree; 0: not walked to */
    uint32_t *path;          /* the walk's path by depth; path[0] is AL_ROOT */
    uint8_t *settled;        /* 1: settled; 2: about to be, in a round */
    struct derived *derived; /* edges to nodes that rule a does not settle */
    uint32_t derived_count;
    uint32_t *start; /* the same as rows, by source */
    uint32_t *target;
    uint32_t *via;   /* per open node: its first settled sibling with an edge to it */
    uint32_t *label; /* per open node, within a round */
    uint32_t *place; /* per open node, within a round: when the search found it */
    uint32_t *queue;
    uint32_t tail;
    uint32_t bad; /* the answer: AL_NONE, or a node that shows the fault */
};

static bool parents_are_nodes(struct check *c)
{
    for (uint32_t v = 0; v < c->graph->count; v++) {
        if (c->idom[v] < AL_ROOT && c->idom[v] >= c->graph->count) {
            c->bad = v;
            return false;
        }
        c->reached += c->idom[v] != AL_NONE;
    }
    return true;
}

static bool roots_are_on_top(struct check *c, const uint32_t *roots, uint32_t root_count)
{
    for (uint32_t i = 0; i < root_count; i++) {
        assert(roots[i] < c->graph->count);
        if (c->idom[roots[i]] != AL_ROOT) {
            c->bad = roots[i];
            return false;
        }
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

/* Rule a. Returns the number of edges that it used. */
static uint32_t settle_children(struct check *c, const uint32_t *roots, uint32_t root_count)
{
    const struct al_csr *graph = c->graph;
    uint32_t used = 0;

    for (uint32_t i = 0; i < root_count; i++)
        c->settled[roots[i]] = 1;
    for (uint32_t u = 0; u < graph->count; u++)
        for (uint32_t e = graph->start[u]; e < graph->start[u + 1]; e++)
            if (c->idom[graph->target[e]] == u) {
                c->settled[graph->target[e]] = 1;
                used++;
            }
    return used;
}

/* The parent property for the edges of u, to which c->path leads; collects the derived edges to
 * open nodes. Nodes not yet walked to have depth 0, and path[0] is no node's parent but a root's.
 */
static bool edges_of(struct check *c, uint32_t u, uint32_t depth)
{
    const struct al_csr *graph = c->graph;

    for (uint32_t e = graph->start[u]; e < graph->start[u + 1]; e++) {
        uint32_t v = graph->target[e], p = c->idom[v];
        uint32_t at = p < AL_ROOT ? c->depth[p] : 0;

        if (at > depth || c->path[at] != p) {
            c->bad = v;
            return false;
        }
        if (c->settled[v] || c->path[at + 1] == v)
            continue;
        c->derived[c->derived_count].from = c->path[at + 1];
        c->derived[c->derived_count++].to = v;
    }
    return true;
}

/* Shape and parent property. */
static bool walk(struct check *c)
{
    uint32_t walked = 0, depth = 1;

    c->path[0] = AL_ROOT;
    for (uint32_t u = c->tree.top; u < AL_ROOT; u = walk_next(c, u, &depth)) {
        c->path[depth] = u;
        c->depth[u] = depth;
        walked++;
        if (!edges_of(c, u, depth))
            return false;
    }
    for (uint32_t v = 0; walked < c->reached; v++)
        if (c->idom[v] != AL_NONE && c->depth[v] == 0) {
            c->bad = v;
            return false;
        }
    return true;
}

/* The derived edges, sorted into rows. */
static struct df_err *sort_derived(struct check *c)
{
    uint32_t count = c->graph->count;

    DF_TRY(df_array((size_t)count + 1, sizeof(*c->start), &c->start));
    DF_TRY(df_array(c->derived_count, sizeof(*c->target), &c->target));
    for (uint32_t i = 0; i < c->derived_count; i++)
        c->start[c->derived[i].from]++;
    for (uint32_t v = 1; v < count; v++)
        c->start[v] += c->start[v - 1];
    c->start[count] = c->derived_count;
    for (uint32_t i = c->derived_count; i-- > 0;)
        c->target[--c->start[c->derived[i].from]] = c->derived[i].to;
    free(DF_TAKE(c->derived));
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

        c->place[u] = head;
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

/* Rule c for the edges of u: by labels, or from the settled u to what was found before. */
static void mark_targets(struct check *c, uint32_t u, bool by_label)
{
    for (uint32_t e = c->start[u]; e < c->start[u + 1]; e++) {
        uint32_t v = c->target[e];

        if (c->settled[v])
            continue;
        if (by_label ? c->label[v] != c->label[u] : c->place[v] < c->place[u])
            c->settled[v] = 2;
    }
}

/* A round. Returns the work done; what it settles is in the queue. */
static uint64_t settle_by_labels(struct check *c, const uint32_t *open, uint32_t count)
{
    uint32_t tail = c->tail, end = label_open(c, open, count);
    uint64_t work = count;

    for (uint32_t i = tail; i < end; i++) {
        work += c->start[c->queue[i] + 1] - c->start[c->queue[i]];
        mark_targets(c, c->queue[i], true);
    }
    for (uint32_t i = end; i-- > tail;)
        if (c->settled[c->queue[i]] == 2)
            mark_targets(c, c->queue[i], false);
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

/* Everything up to the parent property; leaves c->bad as it is when that holds. */
static struct df_err *check_parents(struct check *c, const uint32_t *roots, uint32_t root_count)
{
    uint32_t count = c->graph->count, used;

    if (!parents_are_nodes(c) || !roots_are_on_top(c, roots, root_count))
        return NULL;
    DF_TRY(al_dominator_tree_init(&c->tree, count, c->idom, NULL, 0));
    DF_TRY(df_array(count, sizeof(*c->depth), &c->depth));
    DF_TRY(df_array((size_t)count + 2, sizeof(*c->path), &c->path));
    DF_TRY(df_array(count, sizeof(*c->settled), &c->settled));
    used = settle_children(c, roots, root_count);
    DF_TRY(df_array(c->graph->start[count] - used, sizeof(*c->derived), &c->derived));
    walk(c);
    al_dominator_tree_deinit(&c->tree);
    free(DF_TAKE(c->depth));
    return NULL;
}

static struct df_err *check_siblings(struct check *c)
{
    uint32_t count = c->graph->count;

    DF_TRY(sort_derived(c));
    DF_TRY(df_array(count, sizeof(*c->via), &c->via));
    DF_TRY(df_array(count, sizeof(*c->label), &c->label));
    DF_TRY(df_array(count, sizeof(*c->place), &c->place));
    DF_TRY(df_array(count, sizeof(*c->queue), &c->queue));
    memset(c->via, 0xff, (size_t)count * sizeof(*c->via));
    settle(c);
    return NULL;
}

static struct df_err *check_run(struct check *c, const uint32_t *roots, uint32_t root_count)
{
    DF_TRY(check_parents(c, roots, root_count));
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
    free(c.derived);
    free(c.start);
    free(c.target);
    free(c.via);
    free(c.label);
    free(c.place);
    free(c.queue);
    if (err)
        return err;
    *ret_ok = c.bad == AL_NONE;
    *ret_node = c.bad;
    return NULL;
}
