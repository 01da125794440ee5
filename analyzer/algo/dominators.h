/* SPDX-License-Identifier: MIT
 * dominators.h: immediate dominators.
 *
 * SEMI-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and Related Problems", PhD thesis,
 * Princeton 2005; Georgiadis, Tarjan, Werneck, "Finding Dominators in Practice", JGAA 10(1), 2006),
 * in preorder index space, iterative path compression. One virtual root (AL_ROOT) stands above all
 * roots.
 */
#ifndef AL_DOMINATORS_H
#define AL_DOMINATORS_H

#include "analyzer/algo/csr.h"

/* The dominator tree in "places": numbers from 1 in the order of a depth-first search; 0 is the
 * virtual root. A dominator's place is smaller. */
struct al_jump {     /* (Myers 1983: see dominators.c) */
    uint32_t up;     /* the place of some dominator */
    uint32_t number; /* of dominators: depth */
};
struct al_dominator_places {
    uint32_t reached;
    uint32_t *place;      /* per node; AL_NONE: unreached */
    uint32_t *dominator;  /* per place: of its immediate dominator */
    struct al_jump *jump; /* per place, 0 too */
};

/* roots must be nodes, in any order, repeated or not. done (may be NULL) is called as soon as the
 * graph is not needed any more. Never quadratic. Memory: 24 bytes a node, while the graph is needed
 * and when it is not any more, and 4 of each edge that leads neither down nor away from its node's
 * first finder; 16 a node of the result. */
struct df_err *al_dominator_places_find(const struct al_csr *graph, const uint32_t *roots,
                                        uint32_t root_count, void (*done)(void *context),
                                        void *context, struct al_dominator_places *ret);
void al_dominator_places_deinit(struct al_dominator_places *places);
/* The place of the nearest common dominator-or-self of two places: O(log n). */
uint32_t al_common_dominator(const struct al_dominator_places *places, uint32_t a, uint32_t b);

/* The same by node. idom[v]: the immediate dominator, AL_ROOT under the virtual root, AL_NONE when
 * v is unreached. order (may be NULL): the reached nodes in an order in which every node comes
 * after its immediate dominator (a depth-first preorder); *ret_reached (may be NULL) of them. */
struct df_err *al_dominators(const struct al_csr *graph, const uint32_t *roots, uint32_t root_count,
                             uint32_t *idom, uint32_t *order, uint32_t *ret_reached);

/* The self-check, by another argument than al_dominators' (Georgiadis and Tarjan, "Dominator Tree
 * Certification and Divergent Spanning Trees", ACM TALG 12(1), 2016): a tree over exactly the
 * reached nodes is the dominator tree if and only if
 *  - it has the parent property: for each edge u->v, idom[v] is u or above u in the tree (for a
 *    root: AL_ROOT); this proves that each idom[v] dominates v; and
 *  - it has the sibling property: no child of a node dominates another child; this proves that
 *    each idom[v] is the nearest.
 * Both are proven for the given graph, nothing is sampled. Linear: what cycles leave open of the
 * sibling property is proven in rounds (see dominators_check.c), seldom more than a few; should a
 * graph ask for more work than a fixed multiple of its size, the check stops and says true, and for
 * the nodes still open then only the parent property is proven. False is always a proof that idom
 * is wrong, and *ret_node names a node that shows it (AL_NONE when true). idom may hold anything.
 * Memory: 25 bytes a node, and up to 12 an edge that the sibling property needs. */
struct df_err *al_dominators_check(const struct al_csr *graph, const uint32_t *roots,
                                   uint32_t root_count, const uint32_t *idom, bool *ret_ok,
                                   uint32_t *ret_node);

#endif
