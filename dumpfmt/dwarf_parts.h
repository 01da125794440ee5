/* SPDX-License-Identifier: MIT
 * dwarf_parts.h: the other files that a file's debug information is spread over.
 *
 * What dwz moved out of several files (.gnu_debugaltlink, or .debug_sup of DWARF 5) is found by its
 * build-id; split units (-gsplit-dwarf) in the .dwp beside the file, or in their own .dwo files,
 * by the id that both halves have. A file that is missing makes the whole incomplete, no more.
 * Private to dwarf*.c.
 */
#ifndef DF_DWARF_PARTS_H
#define DF_DWARF_PARTS_H

#include "dumpfmt/dwarf_die.h"

/* Adds the parts that can be told before reading. */
void df_dwarf_find_parts(struct df_dwarf *dwarf);
bool df_dwarf_is_skeleton(const struct df_dwarf_unit *unit);
/* The DIE of the unit that a skeleton of the main part stands for. */
bool df_dwarf_split_of(struct df_dwarf *dwarf, struct df_dwarf_unit *skeleton, Dwarf_Off *ret);

/* Strings of the file that dwz made: DW_FORM_GNU_strp_alt, DW_FORM_strp_sup. */
struct df_alt_strings;
const char *df_alt_string(const struct df_alt_strings *strings, uint64_t offset); /* or NULL */
void df_alt_strings_close(struct df_alt_strings *strings);                        /* NULL: fine */

#endif
