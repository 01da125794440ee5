/* SPDX-License-Identifier: MIT
 * number.h: from addresses of objects to the graph's arrays, in order of address. Private to this
 * folder.
 */
#ifndef GR_NUMBER_H
#define GR_NUMBER_H

#include "analyzer/graph/discover.h"

/* Fills the arrays of nodes and of edges; not the reversed ones, nor the roots. The graph takes the
 * discovery's places, so that nothing can be discovered any more. */
struct df_err *gr_number(struct gr_discovery *discovery, struct gr_graph *graph);

#endif
