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

struct gr_node_list {
    uint32_t *items;
    size_t count, capacity;
};

/* The type of code objects; PY_NO_TYPE when there is none. */
uint32_t gr_code_type(const struct py_objects *objects);
/* Adds objects that a module has lost when it was imported, where nothing explains them yet
 * (ledger_constants.c). `codes`: all code objects, by node. */
void gr_explain_constants(struct gr_graph *graph, struct py_objects *objects, const struct py *py,
                          const struct gr_node_list *codes, struct gr_words *words);

struct gr_shared_keys { /* tables of keys */
    struct gr_shared_table {
        uint64_t keys; /* address of the table */
        uint32_t node; /* the first dict that has it */
    } * items;
    size_t count, capacity;
};

/* Appends every table that dicts share and no class has, in the order of its first dict
 * (ledger_keys.c). */
void gr_find_shared_keys(const struct gr_graph *graph, struct py_objects *objects,
                         const struct df_aspace *space, uint32_t jobs, struct gr_shared_keys *ret);

/* Adds up, for every object; then looks for native words that explain what is left over. `jobs`:
 * threads that may work at once. */
struct df_err *gr_ledger_make(struct gr_graph *graph, struct py_objects *objects,
                              const struct py *py, uint32_t jobs);

#endif
