/* SPDX-License-Identifier: MIT
 * trunk.h: the nodes that algorithms must look at, and the graph that they make.
 *
 * A leaf refers to nothing, is no root, and is referred to once: that referrer is its immediate
 * dominator and its only way, it is in no cycle, and it retains itself. In heaps of services two
 * nodes of three are leaves (a string, a number, an empty list of one owner). What remains is the
 * trunk; its nodes are numbered anew, in the same order, and these numbers are called rows.
 */
#ifndef GR_TRUNK_H
#define GR_TRUNK_H

#include "analyzer/graph/graph.h"

struct gr_trunk {
    const struct gr_graph *graph;
    uint64_t *bits;   /* per node: in the trunk */
    uint32_t *before; /* per word of bits: rows before */
    uint32_t count;   /* rows */
};

struct df_err *gr_trunk_make(const struct gr_graph *graph, struct gr_trunk *ret);
void gr_trunk_deinit(struct gr_trunk *trunk);

static inline bool gr_in_trunk(const struct gr_trunk *trunk, uint32_t node)
{
    return gr_bit(trunk->bits, node);
}

/* The row of a node of the trunk. */
static inline uint32_t gr_trunk_row(const struct gr_trunk *trunk, uint32_t node)
{
    uint64_t below = trunk->bits[node / 64] & ((UINT64_C(1) << node % 64) - 1);

    return trunk->before[node / 64] + (uint32_t)gr_count_bits(below);
}

/* The references within the trunk, for as long as algorithms need them. */
struct gr_trunk_graph {
    struct al_csr csr;
    uint32_t *node; /* per row */
    uint32_t *start, *target;
    uint32_t *unusual; /* edges that are no PY_REF_REFERENT, ascending */
    uint32_t unusual_count;
    uint32_t *roots; /* rows of the graph's root_nodes */
};
struct df_err *gr_trunk_graph_make(const struct gr_trunk *trunk, struct gr_trunk_graph *ret);
void gr_trunk_graph_deinit(struct gr_trunk_graph *graph);

#endif
