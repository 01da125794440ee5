/* SPDX-License-Identifier: MIT
 * ledger.h: are the references that an object counts the references that were found? Private to
 * this folder; the result is graph->surplus, natives and counts.
 */
#ifndef GR_LEDGER_H
#define GR_LEDGER_H

#include "analyzer/graph/native.h"

/* Adds up, for every object; then looks for native words that explain what is left over. */
struct df_err *gr_ledger_make(struct gr_graph *graph, struct py_objects *objects,
                              const struct py *py);

#endif
