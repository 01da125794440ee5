/* SPDX-License-Identifier: MIT
 * ctype_cache.h: a module's table of C types in the user's cache directory, one file a build-id,
 * and beside it which structs its functions work on (ctype_selves.h).
 *
 * A file is the table as it is in memory (ctype_table.h), written beside its name and renamed. One
 * that is damaged, of another version, for another build-id or made from another file (a stripped
 * one has the same build-id) is as good as none, and is replaced.
 */
#ifndef DF_CTYPE_CACHE_H
#define DF_CTYPE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "dumpfmt/ctype_table.h"

/* `source` is the size of the file that the types are read from. */
bool df_ct_cache_load(const char *directory, const char *build_id, uint64_t source,
                      struct df_ct_table *ret);
/* Makes the directory when it is missing. A failure is silent: the next run reads DWARF again. */
void df_ct_cache_store(const char *directory, const char *build_id, uint64_t source,
                       struct df_ct_table *table);

/* Any file of a build-id, by its suffix: malloc'ed, NULL when there is none. */
void *df_ct_cache_read(const char *directory, const char *build_id, const char *suffix,
                       uint64_t *ret_bytes);
void df_ct_cache_write(const char *directory, const char *build_id, const char *suffix,
                       const void *block, uint64_t bytes);

#endif
