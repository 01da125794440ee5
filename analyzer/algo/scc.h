/* SPDX-License-Identifier: MIT
 * scc.h: strongly connected components.
 *
 * Tarjan 1972, iterative, with Pearce's ("A Space-Efficient Algorithm for Finding Strongly
 * Connected Components", IPL 2016) saving of arrays. Linear time.
 */
#ifndef AL_SCC_H
#define AL_SCC_H

#include "analyzer/algo/csr.h"

/* component[v]: 0..*ret_count-1, numbered in reverse topological order (a component's successors
 * have smaller numbers). */
struct df_err *al_scc(const struct al_csr *graph, uint32_t *component, uint32_t *ret_count);

/* Is a component a cycle: more than one node, or a self loop? Given al_scc's result, allocates the
 * cyclic components as runs: members of cycle i are (*ret_member)[(*ret_start)[i]] up to
 * (*ret_start)[i + 1], ascending; cycles ordered by their smallest member. The caller frees both.
 */
struct df_err *al_cycles(const struct al_csr *graph, const uint32_t *component,
                         uint32_t component_count, uint32_t **ret_start, uint32_t **ret_member,
                         uint32_t *ret_count);

#endif
