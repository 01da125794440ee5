/* SPDX-License-Identifier: MIT
 * sort.h: the order of keys. Private to this folder.
 */
#ifndef GR_SORT_H
#define GR_SORT_H

#include <stdint.h>

#include "dumpfmt/base/err.h"

/* The order that sorts distinct keys ascending (order[i]: place of the i-th smallest). */
struct df_err *gr_sort(const uint64_t *keys, uint32_t count, uint32_t *order);

#endif
