/* SPDX-License-Identifier: MIT
 * tree.h: the dominator tree over all nodes, kept for the trunk (analyzer/graph/trunk.h): what it
 * says of leaves follows from the graph. Private to this folder: analysis.h has the questions.
 *
 * Memory: 24 bytes a row of the trunk.
 */
#ifndef FI_TREE_H
#define FI_TREE_H

#include "analyzer/algo/preorder.h"
#include "analyzer/graph/trunk.h"

struct fi_tree_leaf { /* of a node with many references: the largest leaf that it has */
    uint32_t node, leaf;
};

struct fi_tree {
    struct al_preorder order;    /* rows of the trunk by place; `node` is the graph's, by place */
    struct gr_column retained;   /* per place: bytes; */
    uint32_t *objects;           /* number of objects */
    struct fi_tree_leaf *leaves; /* ascending nodes: all with at least FI_MANY_REFERENCES */
    uint32_t leaf_count;
};

#define FI_MANY_REFERENCES 64

struct df_err *fi_tree_make(const struct gr_trunk *trunk, const struct gr_trunk_graph *graph,
                            struct fi_tree *ret);
/* The last step of it, for tests: idom, order and own sizes by row, consumed. */
struct df_err *fi_tree_lay_out(const struct gr_trunk *trunk, const uint32_t *idom,
                               const uint32_t *order, uint32_t reached, struct fi_tree *ret);
void fi_tree_deinit(struct fi_tree *tree);

#endif
