/* SPDX-License-Identifier: MIT
 * collect.h: what a collection would find: the verdict on each object, and what would be freed.
 * Private to this folder.
 *
 * The collector looks at tracked objects of its lists; the permanent generation is not among them.
 * It sees what tp_traverse visits (Modules/gcmodule.c, Python/gc.c).
 */
#ifndef FI_COLLECT_H
#define FI_COLLECT_H

#include "analyzer/findings/analysis.h"

/* Fills verdict, garbage, uncollectable, inconsistent, garbage_bytes, garbage_freed. */
struct df_err *fi_collect(struct fi_analysis *analysis, const struct fi_type_fact *facts);

#endif
