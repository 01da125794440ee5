/* SPDX-License-Identifier: MIT
 * malloc_internal.h: what the files that read glibc's malloc share.
 */
#ifndef DF_MALLOC_INTERNAL_H
#define DF_MALLOC_INTERNAL_H

#include "dumpfmt/malloc.h"

#define BINS 127
#define BIN_BYTES (BINS * UINT64_C(16))
#define FAST_BINS 10
#define MIN_CHUNK 32 /* MINSIZE */

/* The size of a chunk that lies before end, flags removed; 0 when it is none. */
uint64_t df_chunk_size(const struct df_aspace *space, uint64_t chunk, uint64_t end);
/* Whether the list of arenas, followed from these bins, comes back to bins - offset. */
bool df_malloc_comes_back(const struct df_aspace *space, uint64_t bins, uint64_t offset);
/* Chunks that look used and are not: of an arena's fast bins; of all threads' caches, which are
 * looked for among the chunks of all areas (malloc_cached.c). */
void df_malloc_fast_bins(struct df_malloc *malloc, const struct df_aspace *space, uint64_t bins);
void df_malloc_thread_caches(struct df_malloc *malloc, const struct df_aspace *space);
/* Sorts areas and cached chunks; drops areas that overlap another. */
void df_malloc_settle(struct df_malloc *malloc);

#endif
