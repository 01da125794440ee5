/* SPDX-License-Identifier: MIT
 * kept.h: an analysis as sections of a snapshot, and back: arrays are mapped and used in place.
 */
#ifndef FI_KEPT_H
#define FI_KEPT_H

#include "analyzer/findings/analysis.h"
#include "analyzer/graph/saved.h"

/* Sections "trunk.*", "tree.*", "ways.*", "cycles.*", "collector.*". */
struct df_err *fi_analysis_save(const struct fi_analysis *analysis, struct df_necro_writer *to);
/* Checks the large sections of both, graph and analysis, on several threads, so that they need not
 * be checked one after the other when they are loaded. What is damaged is told then. */
void fi_check_sections(struct df_necro *from, uint32_t jobs);
/* `graph` is the one that was saved with it; all are borrowed. */
struct df_err *fi_analysis_load(struct df_necro *from, struct py *py, struct py_objects *objects,
                                struct gr_graph *graph, struct fi_analysis **ret);

#endif
