/* SPDX-License-Identifier: MIT
 * dwarf.h: reading a module's C types out of its DWARF (versions 2 to 5).
 *
 * Only the top-level entries of each unit are looked at, and of a type that is known already only
 * its size: a module repeats the types of its headers in every unit. Types refer to each other by
 * name, so that what one unit only declares is found in another one.
 *
 * Names. "struct s", "union u", "enum e" as C says them; an anonymous one has the name of the
 * typedef through which it was first met, or, without one, "struct @1f2e" by its place in the file.
 * When two units define one name with different sizes, the first has the name, and the second is
 * "struct s@48", with its size; every reference in the second unit goes to the latter. (Different
 * definitions of equal size are not told apart.)
 *
 * It may be spread over several files and kinds of units (dwarf_parts.h): type units
 * (-fdebug-types-section), split DWARF (.dwo, .dwp), what dwz moved to another file, partial units.
 * Not read: type units in .dwo files (each is a section group of its own; in a .dwp they are),
 * and DW_FORM_ref_sup4 (dwz -5) where libdwarf does not know it (20210528).
 */
#ifndef DF_DWARF_H
#define DF_DWARF_H

#include <stdbool.h>
#include <stdint.h>

#include "dumpfmt/base/err.h"
#include "dumpfmt/ctype_table.h"

struct df_dwarf;

/* DF_ERR_MISSING when the file has no debug information. */
struct df_err *df_dwarf_open(const char *file, struct df_dwarf **ret);
void df_dwarf_close(struct df_dwarf *dwarf); /* NULL is allowed */

/* Adds everything to `build`. */
void df_dwarf_read(struct df_dwarf *dwarf, struct df_ct_build *build);
/* Whether some of it is in files that were not found; told after reading. */
bool df_dwarf_incomplete(const struct df_dwarf *dwarf);

/* See df_ctypes_self_struct: the name as it is before "@48" is added; malloc'ed, or NULL. */
char *df_dwarf_self_struct(struct df_dwarf *dwarf, uint64_t function, uint64_t size);

#endif
