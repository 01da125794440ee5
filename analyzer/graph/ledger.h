/* SPDX-License-Identifier: MIT
 * ledger.h: are the references that an object counts the references that were found? Private to
 * this folder; the result is graph->surplus, natives and counts.
 */
#ifndef GR_LEDGER_H
#define GR_LEDGER_H

#include "analyzer/graph/native.h"

struct gr_words {
    struct gr_native *items;
    size_t count, capacity;
};

/* What may explain the surplus of every object: fills the graph's natives. `slots` has the
 * addresses of words that are counted among the references found (ledger_words.c). */
void gr_ledger_explain(struct gr_graph *graph, struct py_objects *objects, const struct py *py,
                       const struct df_map *slots, uint32_t jobs);
/* Adds objects that a module has lost when it was imported, where nothing explains them yet
 * (ledger_constants.c). */
void gr_explain_constants(struct gr_graph *graph, struct py_objects *objects, const struct py *py,
                          struct gr_words *words);

/* Adds up, for every object; then looks for native words that explain what is left over. `jobs`:
 * threads that may work at once. */
struct df_err *gr_ledger_make(struct gr_graph *graph, struct py_objects *objects,
                              const struct py *py, uint32_t jobs);

#endif
