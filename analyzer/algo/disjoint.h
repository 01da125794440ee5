/* SPDX-License-Identifier: MIT
 * disjoint.h: how many edges must go before nothing leads from the roots to some nodes any more,
 * which, and the ways that share none.
 *
 * By Menger's theorem ("Zur allgemeinen Kurventheorie", Fundamenta Mathematicae 10, 1927) the least
 * number of edges that separate two sets is the greatest number of ways between them that have no
 * edge in common. A root's being one counts as an edge from the virtual root (AL_ROOT).
 */
#ifndef AL_DISJOINT_H
#define AL_DISJOINT_H

#include "analyzer/algo/csr.h"

#define AL_LATEST 2

struct al_disjoint_input {
    const struct al_csr *graph;
    /* Who refers to a node: returns how many, ascending, with multiplicity; *ret is valid until the
     * next call. */
    uint32_t (*referrers)(void *context, uint32_t node, const uint32_t **ret);
    const uint32_t *roots; /* nodes; one stands as often as there are reasons for it */
    const uint8_t *late;   /* per root, 0 to AL_LATEST: used only when those less late have no way
                              left; or NULL */
    uint32_t root_count;
    const uint32_t *targets; /* nodes, distinct or not */
    uint32_t target_count;
    uint32_t limit; /* more ways than so many are not looked for */
    /* Edges that are as late as the latest roots; or NULL. */
    bool (*late_edge)(void *context, uint32_t from, uint32_t to);
    void *context;
};

struct al_disjoint {
    uint32_t count;         /* ways */
    bool more;              /* there are more than limit */
    uint32_t *start, *node; /* way i: node[start[i]] (a root) .. node[start[i + 1] - 1] (a target);
                               short ones first */
    uint32_t (*cut)[2];     /* count edges, from (AL_ROOT: that it is a root) and to, without which
                               nothing leads to the targets: those nearest to them. NULL when more */
};

/* Augmenting ways by breadth-first search backwards from the targets (Edmonds and Karp,
 * "Theoretical Improvements in Algorithmic Efficiency for Network Flow Problems", JACM 19(2),
 * 1972): at most limit + 3 searches, each O(n + m), which end at the first root. Memory: 18 bytes a
 * node. al_disjoint_deinit the result. */
struct df_err *al_disjoint_ways(const struct al_disjoint_input *input, struct al_disjoint *ret);
void al_disjoint_deinit(struct al_disjoint *ways);

#endif
