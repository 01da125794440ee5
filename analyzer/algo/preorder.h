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

/* What each node is by itself, and then what it retains: itself and all that it dominates. */
struct al_weight {
    uint32_t bytes; /* the lower half */
    uint32_t span;  /* nodes that it dominates, itself too */
    uint32_t child; /* private to preorder.c */
};
struct al_weights {
    uint32_t count;
    struct al_weight *of;
    uint32_t *high; /* the upper half of bytes; NULL: all of them together fit the lower one */
};

/* wide: the bytes of all nodes may be more than UINT32_MAX together. Memory: 12 bytes a node, 16
 * when wide. */
struct df_err *al_weights_init(struct al_weights *weights, uint32_t count, bool wide);
void al_weights_deinit(struct al_weights *weights);

static inline uint64_t al_weight(const struct al_weights *weights, uint32_t node)
{
    uint64_t high = weights->high ? weights->high[node] : 0;

    return high << 32 | weights->of[node].bytes;
}

static inline void al_weigh(struct al_weights *weights, uint32_t node, uint64_t bytes)
{
    weights->of[node].bytes = (uint32_t)bytes;
    if (weights->high && bytes > UINT32_MAX)
        weights->high[node] = (uint32_t)(bytes >> 32);
}

/* From what nodes are by themselves to what they retain. idom, order, reached: as al_dominators
 * gives them. Sums saturate. */
void al_weights_add_up(struct al_weights *weights, const uint32_t *idom, const uint32_t *order,
                       uint32_t reached);

struct al_preorder {
    uint32_t count;  /* places: reached nodes */
    uint32_t *place; /* per node; AL_NONE: unreached */
    uint32_t *node;  /* per place */
};

/* weights: added up; they are of no use afterwards. idom is taken: its memory becomes the places'.
 * Children stand by retained bytes, largest first, then by number. Each node is told in the order
 * of places. Memory: 4 bytes a node beside these, and 16 of each child of the node that has most.
 */
struct df_err *al_preorder_make(struct al_weights *weights, uint32_t **idom, uint32_t reached,
                                void (*tell)(void *context, uint32_t place, uint32_t node),
                                void *context, struct al_preorder *ret);
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
