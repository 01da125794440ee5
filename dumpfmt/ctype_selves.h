/* SPDX-License-Identifier: MIT
 * ctype_selves.h: which structs the functions of a module work on (df_ctypes_self_struct), as
 * earlier runs found out; also that there is none. Asking the debug information costs more than all
 * else that is done with a small core.
 *
 * A file in the cache beside the table of types, by the same rules: a header, rows, strings.
 * A name that a forged file gives is only looked up in the table, which is checked.
 */
#ifndef DF_CTYPE_SELVES_H
#define DF_CTYPE_SELVES_H

#include <stdbool.h>
#include <stdint.h>

#include "dumpfmt/base/map.h"

struct df_ct_self {
    uint64_t function, size;
    uint32_t name, unused; /* string; 0 is none */
};

struct df_ct_selves {
    struct {
        struct df_ct_self *items;
        size_t count, capacity;
    } rows;
    struct {
        char *items; /* byte 0 is the empty string */
        size_t count, capacity;
    } strings;
    struct df_map by_function;
    bool changed; /* since it was loaded */
};

void df_ct_selves_init(struct df_ct_selves *selves);
void df_ct_selves_deinit(struct df_ct_selves *selves);
/* What the cache has; nothing when that is none, damaged, or of another file. */
void df_ct_selves_load(struct df_ct_selves *selves, const char *directory, const char *build_id,
                       uint64_t source);
/* Writes it, when anything is new. A failure is silent. */
void df_ct_selves_store(struct df_ct_selves *selves, const char *directory, const char *build_id,
                        uint64_t source);
/* Whether it is known what a function works on: *ret_name, NULL when nothing of that size. */
bool df_ct_selves_get(const struct df_ct_selves *selves, uint64_t function, uint64_t size,
                      const char **ret_name);
void df_ct_selves_add(struct df_ct_selves *selves, uint64_t function, uint64_t size,
                      const char *name);

#endif
