/* SPDX-License-Identifier: MIT
 * tree.h: the dominator tree over all nodes, kept for the trunk (analyzer/graph/trunk.h): what it
 * says of leaves follows from the graph. Private to this folder: analysis.h has the questions.
 *
 * Memory: some 16 bytes a row of the trunk.
 */
#ifndef FI_TREE_H
#define FI_TREE_H

#include "analyzer/algo/preorder.h"
#include "analyzer/findings/dominate.h"
#include "analyzer/graph/trunk.h"

struct fi_tree_leaf { /* of a node with many references: the largest leaf that it has */
    uint32_t node, leaf;
};

struct fi_tree {
    struct al_preorder order;    /* rows of the trunk by place; `node` is the graph's, by place */
    uint32_t *above;             /* per place: that of its immediate dominator, AL_NONE: the virtual
                                    root; */
    struct gr_column span;       /* places of what it dominates, its own too: its run; */
    struct gr_column retained;   /* bytes; */
    struct gr_column objects;    /* number of objects */
    struct fi_tree_leaf *leaves; /* ascending nodes: all with at least FI_MANY_REFERENCES */
    uint32_t leaf_count;
};

#define FI_MANY_REFERENCES 64

static inline uint32_t fi_span(const struct fi_tree *tree, uint32_t place)
{
    return (uint32_t)gr_column_get(&tree->span, place);
}

/* The tree, and what the objects of each type retain together (malloc'ed). The dominators are freed
 * on the way. total: bytes of all objects. */
struct df_err *fi_tree_make(const struct gr_trunk *trunk, struct fi_dominators *dominators,
                            uint64_t total, uint32_t type_count, uint32_t jobs, struct fi_tree *ret,
                            uint64_t **ret_types);
/* fi_class_retained (analysis.h) by several threads. */
struct df_err *fi_sum_classes(const struct gr_trunk *trunk, const struct fi_tree *tree,
                              const uint32_t *class_of, uint32_t class_count, uint32_t jobs,
                              uint64_t *retained);
/* What a node and its leaves are together; how many leaves it has, and the largest of them, AL_NONE
 * when there is none. */
uint32_t fi_weigh_leaves(const struct gr_trunk *trunk, uint32_t node, uint64_t *bytes,
                         uint32_t *count);
void fi_tree_deinit(struct fi_tree *tree);

#endif
