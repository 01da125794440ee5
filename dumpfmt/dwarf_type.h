/* SPDX-License-Identifier: MIT
 * dwarf_type.h: from a reference to a type's entry to the type itself: typedefs, qualifiers and the
 * detours of link-time optimization removed. Private to dwarf*.c.
 */
#ifndef DF_DWARF_TYPE_H
#define DF_DWARF_TYPE_H

#include "dumpfmt/ctype.h"
#include "dumpfmt/dwarf_die.h"

#define DF_DWARF_NAME 4096 /* of a type, with "struct " and "@size"; longer ones are cut */

/* The end of a chain of typedefs and qualifiers. */
struct df_dwarf_end {
    struct df_die die; /* none: void, or damage; else the caller frees it */
    Dwarf_Half tag;
    const char *alias; /* the last typedef on the way, or NULL */
};

struct df_dwarf_end df_dwarf_follow(const struct df_dwarf *dwarf, Dwarf_Off offset);
enum df_kind df_dwarf_kind(Dwarf_Half tag);
bool df_dwarf_is_aggregate(enum df_kind kind);
/* The name of a struct, union or enum as df_ctypes_find takes it. */
void df_dwarf_name(const struct df_dwarf_end *end, char *ret, size_t ret_size);
/* The size of a definition; false for a mere declaration. */
bool df_dwarf_definition(struct df_die die, uint64_t *ret);
/* The name (or NULL) of a variable, parameter or function, and its type's entry; false without a
 * type. */
bool df_dwarf_named_type(const struct df_dwarf *dwarf, struct df_die die, const char **ret_name,
                         Dwarf_Off *ret_type);

#endif
