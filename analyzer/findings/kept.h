/* SPDX-License-Identifier: MIT
 * kept.h: an analysis as sections of a snapshot, and back: arrays are mapped and used in place.
 */
#ifndef FI_KEPT_H
#define FI_KEPT_H

#include "analyzer/findings/analysis.h"
#include "analyzer/graph/saved.h"

/* Sections "trunk.*", "tree.*", "ways.*", "cycles.*", "collector.*". */
struct df_err *fi_analysis_save(const struct fi_analysis *analysis, struct df_necro_writer *to);
/* Brings analysis->cycle_member, where it has not been unpacked yet: few commands want it. */
struct df_err *fi_need_cycles(struct fi_analysis *analysis);
/* `graph` is the one that was saved with it; all are borrowed. */
struct df_err *fi_analysis_load(struct df_necro *from, struct py *py, struct py_objects *objects,
                                struct gr_graph *graph, struct fi_analysis **ret);

#endif
