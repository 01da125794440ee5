/* SPDX-License-Identifier: MIT
 * sweep.h: overlapping intervals with a precedence become disjoint ones.
 *
 * Segments of a damaged core may overlap in any way; whoever comes first in the input keeps its
 * bytes. One sweep over the sorted ends with a heap of what is open: O(n log n), whatever the
 * overlap.
 */
#ifndef DF_SWEEP_H
#define DF_SWEEP_H

#include <stddef.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"

struct df_interval { /* [start, end) */
    uint64_t start, end;
};

struct df_piece {
    uint64_t start, end;
    uint32_t owner; /* index of the interval that it was cut from */
};

/* Disjoint pieces that cover the same addresses, sorted; each is as long as can be. Of intervals
 * that overlap, the one with the lower index owns the common part. Empty ones vanish. */
struct df_err *df_sweep(const struct df_interval *intervals, uint32_t count, struct df_piece **ret,
                        size_t *ret_count);

#endif
