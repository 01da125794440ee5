/* SPDX-License-Identifier: MIT
 * reach.h: breadth-first search: what is reachable from roots, how far, and by which shortest path.
 *
 * Memory: one queue of 4 bytes a node.
 */
#ifndef AL_REACH_H
#define AL_REACH_H

#include "analyzer/algo/csr.h"

/* From all roots at once. distance[v]: edges from the nearest root (0 for a root), AL_NONE when
 * unreached. parent[v]: predecessor on a shortest path, AL_ROOT for a root, AL_NONE when
 * unreached. Deterministic: roots in their order, successors in theirs. Either may be NULL.
 * Returns the number of reached nodes in *ret_reached when not NULL. */
struct df_err *al_reach(const struct al_csr *graph, const uint32_t *roots, uint32_t root_count,
                        uint32_t *distance, uint32_t *parent, uint32_t *ret_reached);

#endif
