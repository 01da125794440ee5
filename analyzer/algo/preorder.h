/* SPDX-License-Identifier: MIT
 * preorder.h: a dominator tree laid out in preorder, the biggest child first.
 *
 * A node and all that it dominates are a run of places, so that the children of a node, all below
 * it, and whether one node dominates another are read off without lists of children. Dominators
 * stand before what they dominate.
 */
#ifndef AL_PREORDER_H
#define AL_PREORDER_H

#include "analyzer/algo/csr.h"

struct al_preorder {
    uint32_t count;  /* places: reached nodes */
    uint32_t *place; /* per node; AL_NONE: unreached */
    uint32_t *node;  /* per place; */
    uint32_t *span;  /* nodes that it dominates, itself too: its run; */
    uint32_t *above; /* the place of its immediate dominator, AL_NONE: the virtual root */
};

/* idom, order, reached: as al_dominators gives them; both arrays are freed as soon as they are not
 * needed any more, and set to NULL. Children stand by retained, largest first, then by number.
 * Memory: 12 bytes a node beside these and half of the result. */
struct df_err *al_preorder_make(uint32_t count, uint32_t **idom, uint32_t **order, uint32_t reached,
                                const uint64_t *retained, struct al_preorder *ret);
void al_preorder_deinit(struct al_preorder *tree);

/* The retained size of each class of nodes: the sum over its members that have no member of the
 * same class among their dominators. To be told of all members by ascending place; what a node
 * dominates besides the tree's nodes is told at its place, with span 0. Sums saturate. */
struct al_classes {
    uint32_t count;
    uint32_t *end; /* per class: where the run of its last topmost member ends; zeroed */
    uint64_t *sum; /* zeroed */
};

static inline void al_class_meet(struct al_classes *classes, uint32_t class, uint32_t place,
                                 uint32_t span, uint64_t retained)
{
    if (class >= classes->count || classes->end[class] > place)
        return;
    if (__builtin_add_overflow(classes->sum[class], retained, &classes->sum[class]))
        classes->sum[class] = UINT64_MAX;
    if (span)
        classes->end[class] = place + span;
}

#endif
