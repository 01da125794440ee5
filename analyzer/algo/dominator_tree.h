/* SPDX-License-Identifier: MIT
 * dominator_tree.h: the dominator tree as child lists, private to this folder.
 *
 * Walked without a stack: down by first, sideways by sibling, up by idom. A walk from `top` ends
 * even when idom is no tree: each node is in one list only, and a loop's nodes in none that the
 * walk comes to. Memory: 8 bytes a node.
 */
#ifndef AL_DOMINATOR_TREE_H
#define AL_DOMINATOR_TREE_H

#include "analyzer/algo/csr.h"

struct al_dominator_tree {
    uint32_t top;      /* first child of the virtual root; AL_NONE: empty */
    uint32_t *first;   /* per node: first child; AL_NONE: a leaf */
    uint32_t *sibling; /* per node: next child of the same parent; AL_NONE: last */
};

/* Every idom[v] must be a node, AL_ROOT or AL_NONE. Children stand as in `order`, which has all
 * `reached` nodes; or by number when it is NULL. */
struct df_err *al_dominator_tree_init(struct al_dominator_tree *tree, uint32_t count,
                                      const uint32_t *idom, const uint32_t *order,
                                      uint32_t reached);
void al_dominator_tree_deinit(struct al_dominator_tree *tree);

#endif
