/* SPDX-License-Identifier: MIT
 * number.h: from objects in order of discovery to the graph's arrays in order of address. Private
 * to this folder.
 */
#ifndef GR_NUMBER_H
#define GR_NUMBER_H

#include "analyzer/graph/discover.h"

/* Fills the arrays of nodes and of edges, reversed ones too; not the roots. The discovery's own
 * arrays are freed on the way, its map stays. */
struct df_err *gr_number(struct gr_discovery *discovery, struct gr_graph *graph);

/* The order that sorts distinct keys ascending (order[i]: place of the i-th smallest). */
struct df_err *gr_sort(const uint64_t *keys, uint32_t count, uint32_t *order);

#endif
