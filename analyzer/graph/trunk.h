/* SPDX-License-Identifier: MIT
 * trunk.h: the nodes of which more is kept than what the graph itself says.
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

/* How many bits are set before that of a node; before: of each word of bits. */
static inline uint32_t gr_bits_rank(const uint64_t *bits, const uint32_t *before, uint32_t node)
{
    uint64_t below = bits[node / 64] & ((UINT64_C(1) << node % 64) - 1);

    return before[node / 64] + (uint32_t)gr_count_bits(below);
}
/* Makes `before`, of bits of `nodes` nodes; and how many are set in all. */
struct df_err *gr_bits_count(const uint64_t *bits, uint32_t nodes, uint32_t **ret_before,
                             uint32_t *ret_count);

/* The row of a node of the trunk. */
static inline uint32_t gr_trunk_row(const struct gr_trunk *trunk, uint32_t node)
{
    return gr_bits_rank(trunk->bits, trunk->before, node);
}

#endif
