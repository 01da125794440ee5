/* SPDX-License-Identifier: MIT
 * dwarf_die.h: libdwarf with its two APIs (20210528 and 0.7 on) and its error objects kept in one
 * place: an attribute that is absent, malformed or of an unexpected form is simply not there.
 *
 * Private to dwarf*.c. Every Dwarf_Die that comes out of here is freed with df_die_free.
 */
#ifndef DF_DWARF_DIE_H
#define DF_DWARF_DIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dwarf.h>
#include <libdwarf.h>

#include "dumpfmt/base/err.h"

struct df_dwarf {
    Dwarf_Debug debug;
    int fd;
    struct {
        Dwarf_Off *items; /* offsets of the units' own DIEs, ascending */
        size_t count, capacity;
    } units;
    struct {
        struct df_dwarf_range {
            uint64_t start, bytes;
            Dwarf_Off unit;
        } * items;
        size_t count, capacity;
    } ranges; /* .debug_aranges, when there is one */
    /* Functions by address, for those that no range covers; made when first asked for. */
    struct {
        struct df_dwarf_function {
            uint64_t address;
            Dwarf_Off die;
        } * items;
        size_t count, capacity;
    } functions;
    bool ranges_known, functions_known;
};

struct df_err *df_dwarf_attach(struct df_dwarf *dwarf, const char *file);
void df_dwarf_detach(struct df_dwarf *dwarf);

/* Makes the next unit libdwarf's current one; over the last, starts again at the first. It looks in
 * the current unit before it goes through all others, so this is worth a third of the time. */
bool df_dwarf_next_unit(const struct df_dwarf *dwarf);

/* False when there is none (or the data is damaged there). */
bool df_die_at(const struct df_dwarf *dwarf, Dwarf_Off offset, Dwarf_Die *ret);
bool df_die_child(Dwarf_Die die, Dwarf_Die *ret);
/* Steps to the next sibling; frees the one it had, and leaves NULL at the end. */
bool df_die_next(const struct df_dwarf *dwarf, Dwarf_Die *die);
void df_die_free(Dwarf_Die die); /* NULL is allowed */

Dwarf_Half df_die_tag(Dwarf_Die die);           /* 0 when it cannot be told */
Dwarf_Off df_die_offset(Dwarf_Die die);         /* in .debug_info */
const char *df_die_name(Dwarf_Die die);         /* NULL when it has none, or an empty one */
bool df_die_size(Dwarf_Die die, uint64_t *ret); /* DW_AT_byte_size */
bool df_die_has(Dwarf_Die die, Dwarf_Half attribute);
/* A constant; negative ones in two's complement. */
bool df_die_constant(Dwarf_Die die, Dwarf_Half attribute, uint64_t *ret);
/* The DIE of this file's .debug_info that the attribute refers to. */
bool df_die_reference(Dwarf_Die die, Dwarf_Half attribute, Dwarf_Off *ret);
bool df_die_address(Dwarf_Die die, Dwarf_Half attribute, uint64_t *ret);
/* A location expression; the bytes live as long as `dwarf`. */
bool df_die_expression(const struct df_dwarf *dwarf, Dwarf_Die die, Dwarf_Half attribute,
                       const uint8_t **ret, size_t *ret_size);
/* The address number `index` of the DIE's unit (.debug_addr). */
bool df_die_indexed_address(Dwarf_Die die, uint64_t index, uint64_t *ret);
/* Where a function starts: DW_AT_low_pc, or the start of its first range. */
bool df_die_entry(const struct df_dwarf *dwarf, Dwarf_Die die, uint64_t *ret);
/* The unit whose .debug_aranges hold the address: the offset of its DIE. */
bool df_dwarf_unit_of(struct df_dwarf *dwarf, uint64_t address, Dwarf_Off *ret);

#endif
