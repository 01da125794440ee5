/* SPDX-License-Identifier: MIT
 * graphgen.h: graphs for tests: random ones of many shapes, the same for the same seed, and a few
 * large regular ones.
 */
#ifndef TESTS_SUPPORT_GRAPHGEN_H
#define TESTS_SUPPORT_GRAPHGEN_H

#include "analyzer/algo/csr.h"

struct graphgen {
    struct al_csr csr;
    uint32_t *roots; /* perhaps none, perhaps the same twice */
    uint32_t root_count;
};

/* splitmix64. */
uint64_t graphgen_next(uint64_t *state);
uint32_t graphgen_below(uint64_t *state, uint32_t limit); /* 0 when limit is 0 */

/* At most max_nodes nodes; shape, size and roots follow from the seed. */
void graphgen_random(struct graphgen *graph, uint64_t seed, uint32_t max_nodes);

/* A graph from `count` nodes and pairs of ends; root 0. Rows keep the order of the pairs. */
void graphgen_edges(struct graphgen *graph, uint32_t count, const uint32_t (*edge)[2],
                    uint32_t edge_count);

void graphgen_list(struct graphgen *graph, uint32_t count); /* 0 -> 1 -> 2 -> ... */
void graphgen_star(struct graphgen *graph, uint32_t count); /* 0 -> each other */

void graphgen_deinit(struct graphgen *graph);

#endif
