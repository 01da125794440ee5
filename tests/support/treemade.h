/* SPDX-License-Identifier: MIT
 * treemade.h: an analysis from immediate dominators that are written by hand.
 */
#ifndef TESTS_TREEMADE_H
#define TESTS_TREEMADE_H

#include "analyzer/findings/analysis.h"

/* Gives an analysis whose graph has sizes, and no edges but by hand, a tree in which every node has
 * a row. idom[v] < v, AL_ROOT, or AL_NONE; consumed by nobody. graph->start is made when NULL. */
void treemade(struct fi_analysis *analysis, const uint32_t *idom);
void treemade_end(struct fi_analysis *analysis);

#endif
