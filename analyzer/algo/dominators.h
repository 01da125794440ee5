/* SPDX-License-Identifier: MIT
 * dominators.h: immediate dominators and retained sizes.
 *
 * SEMI-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and Related Problems", PhD thesis,
 * Princeton 2005; Georgiadis, Tarjan, Werneck, "Finding Dominators in Practice", JGAA 10(1), 2006),
 * in preorder index space, iterative path compression. One virtual root (AL_ROOT) stands above all
 * roots.
 */
#ifndef AL_DOMINATORS_H
#define AL_DOMINATORS_H

#include "analyzer/algo/csr.h"

/* idom[v]: the immediate dominator, AL_ROOT under the virtual root, AL_NONE when v is unreached.
 * `reverse` is al_csr_reverse of `graph`. order (may be NULL): the reached nodes in an order in
 * which every node comes after its immediate dominator; *ret_reached of them. */
struct df_err *al_dominators(const struct al_csr *graph, const struct al_csr *reverse,
                             const uint32_t *roots, uint32_t root_count, uint32_t *idom,
                             uint32_t *order, uint32_t *ret_reached);

/* retained[v] = size[v] + the retained sizes of all nodes that v immediately dominates; 0 for
 * unreached nodes. retained_count (may be NULL): the same with 1 for each node. Sums saturate. */
void al_retained(uint32_t count, const uint32_t *idom, const uint32_t *order, uint32_t reached,
                 const uint64_t *size, uint64_t *retained, uint32_t *retained_count);

/* Retained size of each class of nodes (0..class_count-1): the sum of retained[v] over members v
 * that have no member of the same class among their dominators. Linear. class_retained is zeroed
 * first. */
struct df_err *al_class_retained(uint32_t count, const uint32_t *idom, const uint32_t *order,
                                 uint32_t reached, const uint32_t *class_of, uint32_t class_count,
                                 const uint64_t *retained, uint64_t *class_retained);

/* The linear self-check: idom is a tree over exactly the reached nodes, and has the parent property
 * (for each edge u->v, idom[v] is v's ancestor-or-equal of u in the tree), which proves that idom
 * dominates, and each idom[v] is reached by no shortcut found among v's predecessors (idom[v] is
 * the nearest common ancestor of v's predecessors' and its own virtual edge: necessary for acyclic
 * v, checked there). False says that our algorithm is wrong, and *ret_node which node shows it. */
struct df_err *al_dominators_check(const struct al_csr *graph, const uint32_t *roots,
                                   uint32_t root_count, const uint32_t *idom, bool *ret_ok,
                                   uint32_t *ret_node);

/* The children of each node in the dominator tree as CSR: allocates *ret_start (count + 2; row
 * `count` is the virtual root's) and *ret_child (reached); the caller frees both. Children stand
 * by descending retained size, then ascending number. */
struct df_err *al_dominator_children(uint32_t count, const uint32_t *idom,
                                     const uint64_t *retained, uint32_t **ret_start,
                                     uint32_t **ret_child);

#endif
