/* SPDX-License-Identifier: MIT
 * csr.h: a directed graph as two arrays (compressed sparse rows), the common input of this folder.
 *
 * Nodes are 0..count-1; the successors of v are target[start[v]] .. target[start[v + 1] - 1], with
 * multiplicity, self loops allowed. Integers in, integers out: nothing in this folder reads a core
 * or knows what a node is. No function here recurses; each says its working memory. Input graphs
 * must be valid (al_csr_is_valid); results are caller-allocated arrays of `count` unless said.
 */
#ifndef AL_CSR_H
#define AL_CSR_H

#include <stdbool.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"

/* Special node numbers; a graph has at most AL_MAX_NODES nodes. */
#define AL_NONE UINT32_MAX       /* no node: unreached, no parent */
#define AL_ROOT (UINT32_MAX - 1) /* the virtual root, above all roots */
#define AL_MAX_NODES (UINT32_MAX - 2)

struct al_csr {
    uint32_t count;
    const uint32_t *start;  /* count + 1 */
    const uint32_t *target; /* start[count] */
};

/* start ascends, every target is a node. */
bool al_csr_is_valid(const struct al_csr *graph);

/* The reversed graph: allocates *ret_start (count + 1) and *ret_target; the caller frees both.
 * Predecessors stand in ascending order. */
struct df_err *al_csr_reverse(const struct al_csr *graph, uint32_t **ret_start,
                              uint32_t **ret_target);

#endif
