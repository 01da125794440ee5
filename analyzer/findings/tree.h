/* SPDX-License-Identifier: MIT
 * tree.h: the dominator tree over all nodes, kept for the trunk (analyzer/graph/trunk.h): what it
 * says of leaves follows from the graph. Private to this folder: analysis.h has the questions.
 *
 * Memory: 22 bytes a row of the trunk.
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
    struct gr_column retained;   /* per place: bytes; */
    struct gr_column objects;    /* number of objects */
    struct fi_tree_leaf *leaves; /* ascending nodes: all with at least FI_MANY_REFERENCES */
    uint32_t leaf_count;
};

#define FI_MANY_REFERENCES 64

/* The tree, and what the objects of each type retain together (malloc'ed). The dominators are freed
 * on the way. */
struct df_err *fi_tree_make(const struct gr_trunk *trunk, struct fi_dominators *dominators,
                            uint32_t type_count, uint32_t jobs, struct fi_tree *ret,
                            uint64_t **ret_types);
void fi_tree_deinit(struct fi_tree *tree);

#endif
