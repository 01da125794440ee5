/* SPDX-License-Identifier: MIT
 * stem.h: what remains of the trunk (trunk.h) without twigs: the graph of which cycles and
 * dominators are found.
 *
 * A twig refers to leaves only, or to leaves and such twigs: it is in no cycle, and nothing but
 * twigs and leaves is reached through it, so that dominators of the rest do not depend on it. Its
 * own is the nearest one that its referrers have in common. In heaps of services that is two of
 * five rows of the trunk (shared strings, dicts of strings) and a third of its references. Nodes of
 * the stem are numbered anew, in the same order.
 */
#ifndef GR_STEM_H
#define GR_STEM_H

#include "analyzer/graph/trunk.h"

struct gr_stem {
    const struct gr_trunk *trunk;
    uint64_t *bits;   /* per node: in the stem */
    uint32_t *before; /* per word of bits: numbers before */
    struct al_csr csr;
    uint32_t *start, *target; /* csr's; NULL when given back */
    uint32_t *roots;          /* numbers of the root nodes that are in it; */
    uint32_t root_count;
};

struct df_err *gr_stem_make(const struct gr_trunk *trunk, uint32_t jobs, struct gr_stem *ret);
void gr_stem_give_back(struct gr_stem *stem); /* its references */
void gr_stem_deinit(struct gr_stem *stem);

static inline bool gr_in_stem(const struct gr_stem *stem, uint32_t node)
{
    return gr_bit(stem->bits, node);
}

/* The number of a node of the stem. */
static inline uint32_t gr_stem_number(const struct gr_stem *stem, uint32_t node)
{
    return gr_bits_rank(stem->bits, stem->before, node);
}

#endif
