/* SPDX-License-Identifier: MIT
 * repeats.h: which hashes of a long row are there more than once? Private to this folder.
 */
#ifndef FI_REPEATS_H
#define FI_REPEATS_H

#include <stdint.h>

#include "dumpfmt/base/err.h"

/* Sets to 0 the hashes that nothing else is equal to, all but a few in a thousand of them; 0: no
 * hash. Takes a byte a hash meanwhile. */
struct df_err *fi_keep_repeats(uint32_t *hashes, uint32_t count);

#endif
