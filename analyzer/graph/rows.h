/* SPDX-License-Identifier: MIT
 * rows.h: nodes and rows of edges, a run of objects at a time, each run by one thread. Private to
 * this folder.
 *
 * What is a node's own is written where it stays. All else goes to lists, in which edges and weak
 * references are numbered from the run's first one on; in the order of the runs (runs.h) these
 * lists are joined, so that nothing depends on how many threads work.
 */
#ifndef GR_ROWS_H
#define GR_ROWS_H

#include "analyzer/graph/discover.h"
#include "analyzer/graph/runs.h"

struct gr_numbers {
    uint32_t *items;
    size_t count, capacity;
};

struct gr_subject { /* an object in work */
    uint64_t address, place;
    uint32_t node, type;
};

struct gr_row_lists {
    struct gr_numbers target; /* as the graph's arrays of these names */
    struct {
        struct gr_edge_kind *items;
        size_t count, capacity;
    } kinds;
    struct gr_numbers weak_target, weak_holder, weak_start;
    struct gr_wide_list wide_types, wide_sizes, wide_references;
    struct gr_numbers uncounted;   /* nodes; one more reference each */
    struct gr_address_list native; /* as the discovery's */
    struct {
        struct gr_subject *items; /* of whose size and flags only the dead process' code can tell */
        size_t count, capacity;
    } asked;
    uint64_t references_by_kind[PY_REF_KINDS], objects_by_source[GR_SOURCES];
};

struct gr_rows {
    const struct gr_discovery *discovery; /* its places ranked, what it kept sorted by object */
    struct gr_graph *graph;
    struct py_objects *objects; /* a worker */
    struct py_refs refs;        /* scratch */
    struct gr_near_range near[GR_NEAR_RANGES];
    size_t kept; /* of the discovery's: those of lower addresses are done */
    struct gr_row_lists lists;
};

/* Fills the nodes of a run; start[v + 1] is the end of v's row in `lists`, which were empty. */
void gr_rows_make(struct gr_rows *rows, struct gr_run run);
/* Size and flags of an object of `asked`, by the owner of the types. */
uint64_t gr_size_of(struct py_objects *objects, const struct gr_subject *object);
uint8_t gr_flags_of(struct py_objects *objects, const struct gr_discovery *discovery,
                    const struct gr_subject *object);
/* Appends the lists of the run that follows, all but `target`, and empties it. */
void gr_row_lists_join(struct gr_row_lists *lists, struct gr_row_lists *more, uint64_t first_edge);
void gr_row_lists_deinit(struct gr_row_lists *lists);

#endif
