/* SPDX-License-Identifier: MIT
 * saved.h: a graph as sections of a snapshot (dumpfmt/necro.h), and back: arrays are mapped and
 * used in place.
 *
 * One description of the arrays serves both directions: gr_save_array writes an array, or finds it,
 * so that writer and reader cannot drift apart. Names of sections say what is in them.
 */
#ifndef GR_SAVED_H
#define GR_SAVED_H

#include "analyzer/graph/graph.h"
#include "dumpfmt/necro.h"

struct gr_saved { /* one of `to` and `from` is NULL */
    struct df_necro_writer *to;
    struct df_necro *from;
    struct df_err *err; /* the first; nothing is done after it */
};

/* Writes `count` elements of *pointer, or lets *pointer be the section's, which must have as many.
 * pointer: address of a pointer. What was found so must not be freed. */
void gr_save_array(struct gr_saved *saved, const char *tag, void *pointer, size_t element,
                   uint64_t count);
/* The same where the number of elements is not known before: *count is written, or found. */
void gr_save_list(struct gr_saved *saved, const char *tag, void *pointer, size_t element,
                  uint64_t *count);
/* A few numbers: copied. */
void gr_save_numbers(struct gr_saved *saved, const char *tag, uint64_t *numbers, uint64_t count);
void gr_save_column(struct gr_saved *saved, const char *tag, const char *wide_tag,
                    struct gr_column *column, uint64_t count);

/* What these sections mean: to be raised with every change of their contents, here or in the
 * sections of an analysis (analyzer/findings/kept.h). */
#define GR_SAVED_VERSION 9

/* Sections "places.*", "graph.*", "roots.*", "sweep.*", "ledger.*": also what could not be read
 * while the graph was made. Redacted: names of threads, which are data, are "…". */
struct df_err *gr_graph_save(const struct gr_graph *graph, struct py_objects *objects,
                             const struct py *py, bool redacted, struct df_necro_writer *to);
/* NULL in *ret when there is no graph in it, or one of another version of this program, whose
 * types have other numbers now: it must be built anew then. `from` must outlive the graph. */
struct df_err *gr_graph_load(struct df_necro *from, struct py_objects *objects,
                             struct gr_graph **ret);
/* What the graph knows of objects of which only their own code tells, so that none need be run; for
 * as long as the graph is there. */
struct py_objects_source gr_objects_source(struct gr_graph *graph);

/* saved_sweep.c. NULL when there is none; an error is in `saved`. */
void gr_sweep_save(struct gr_saved *saved, const struct gr_sweep *sweep);
struct gr_sweep *gr_sweep_load(struct gr_saved *saved);

#endif
