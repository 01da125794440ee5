/* SPDX-License-Identifier: MIT
 * ways.h: the tree of paths that a person would write: short, and through natural holders. Private
 * to this folder.
 */
#ifndef FI_WAYS_H
#define FI_WAYS_H

#include "analyzer/findings/analysis.h"

/* Allocates and fills parent and distance of an analysis that has its trunk. */
struct df_err *fi_ways(struct fi_analysis *analysis, const struct fi_type_fact *facts);
/* The same for comparing dumps: all that modules reach hangs under modules, whatever code was
 * running when the process was dumped; then come the interpreter, frames, C code, garbage. */
struct df_err *fi_ways_steady(struct fi_analysis *analysis, const struct fi_type_fact *facts);
/* Is a reference to be used only when nothing else leads to its target: an object's to its class, a
 * module's to what is outside its dict? */
bool fi_is_last_way(const struct gr_graph *graph, const struct fi_type_fact *facts, uint32_t from,
                    uint32_t to);
/* Moves what several modules refer to under the module that it says it is from. */
void fi_ways_home(struct fi_analysis *analysis);

#endif
