/* SPDX-License-Identifier: MIT
 * growth.h: the places of a merged tree where memory grew. Private to this folder.
 */
#ifndef FI_GROWTH_H
#define FI_GROWTH_H

#include "analyzer/findings/diff.h"
#include "analyzer/findings/merged.h"

struct fi_pool;

/* Fills paths, path_count and all_growth of the diff. */
void fi_find_growth(const struct fi_merged *merged, struct fi_diff *diff);
/* Grew in each step, of dumps - 1 steps. */
bool fi_is_monotone(const uint64_t *figures, uint32_t dumps);

#endif
