/* SPDX-License-Identifier: MIT
 * dwarf_die.h: libdwarf with its two APIs (20210528 and 0.7 on) and its error objects kept in one
 * place: an attribute that is absent, malformed or of an unexpected form is simply not there.
 *
 * Private to dwarf*.c. Every struct df_die that comes out of here is freed with df_die_free.
 */
#ifndef DF_DWARF_DIE_H
#define DF_DWARF_DIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dwarf.h>
#include <libdwarf.h>

#include "dumpfmt/base/err.h"
#include "dumpfmt/base/map.h"

/* An offset, where this folder says Dwarf_Off, is a place in all files together: which part, which
 * of .debug_info and .debug_types, and the byte there. 0 is no place. */
#define DF_PLACE_PART 48
#define DF_PLACE_TYPES (UINT64_C(1) << 47)

struct df_dwarf_unit {
    Dwarf_Off place;    /* of its own DIE */
    Dwarf_Off target;   /* type unit: the type's DIE; else place */
    uint64_t signature; /* of a type unit; the id of a split unit and its skeleton; or 0 */
    uint8_t type;       /* DW_UT_... */
    bool partial;       /* read where it is imported */
    bool split_known;   /* of a skeleton: */
    Dwarf_Off split;    /* the DIE of the unit it stands for; 0: not found */
};

/* A file with debug information. The first part is the one that was asked for; then that which dwz
 * moved common entries to, then the split ones. Those are opened when needed, and closed again when
 * there are too many: places stay valid, DIEs do not. */
struct df_dwarf_part {
    struct df_dwarf *owner;
    Dwarf_Off base; /* index << DF_PLACE_PART */
    char *path;
    Dwarf_Debug debug; /* NULL while closed */
    int fd;
    uint64_t opened; /* serial number */
    struct {
        struct df_dwarf_unit *items;
        size_t count, capacity;
    } units;                  /* as the file has them: .debug_info, then .debug_types */
    struct df_map signatures; /* index of unit */
    bool units_known, broken;
};

struct df_dwarf {
    struct {
        struct df_dwarf_part **items;
        size_t count, capacity;
    } parts;
    struct df_dwarf_part *main, *alt, *package; /* alt, package (.dwp): NULL without */
    struct df_alt_strings *alt_strings;         /* NULL without */
    bool has_alt;                               /* the main part refers to another file */
    bool incomplete;                            /* a part was not found */
    uint64_t opened;
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

struct df_die {
    Dwarf_Die raw; /* NULL: none */
    struct df_dwarf_part *part;
};
#define DF_NO_DIE ((struct df_die){0})

struct df_err *df_dwarf_attach(struct df_dwarf *dwarf, const char *file);
void df_dwarf_detach(struct df_dwarf *dwarf);
/* For dwarf_parts.c: a new part, closed, of a file; and opening it, with its units. */
struct df_dwarf_part *df_dwarf_add_part(struct df_dwarf *dwarf, const char *path);
struct df_err *df_dwarf_open_part(struct df_dwarf_part *part);
/* The unit with this signature, or NULL. */
struct df_dwarf_unit *df_dwarf_signed_unit(const struct df_dwarf_part *part, uint64_t signature);

/* Makes the next unit libdwarf's current one; over the last, starts again at the first. It looks in
 * the current unit before it goes through all others, so this is worth a third of the time. */
bool df_dwarf_next_unit(const struct df_dwarf *dwarf);

/* False when there is none (or the data is damaged there). */
bool df_die_at(const struct df_dwarf *dwarf, Dwarf_Off offset, struct df_die *ret);
bool df_die_child(struct df_die die, struct df_die *ret);
/* Steps to the next sibling; frees the one it had, and leaves none at the end. */
bool df_die_next(struct df_die *die);
void df_die_free(struct df_die die); /* none is allowed */

Dwarf_Half df_die_tag(struct df_die die);           /* 0 when it cannot be told */
Dwarf_Off df_die_offset(struct df_die die);         /* 0 when it cannot be told */
const char *df_die_name(struct df_die die);         /* NULL when it has none, or an empty one */
bool df_die_size(struct df_die die, uint64_t *ret); /* DW_AT_byte_size */
bool df_die_has(struct df_die die, Dwarf_Half attribute);
/* A constant; negative ones in two's complement. */
bool df_die_constant(struct df_die die, Dwarf_Half attribute, uint64_t *ret);
/* The DIE that the attribute refers to, in whatever part. */
bool df_die_reference(struct df_die die, Dwarf_Half attribute, Dwarf_Off *ret);
bool df_die_address(struct df_die die, Dwarf_Half attribute, uint64_t *ret);
/* A location expression; the bytes live as long as `dwarf`. */
bool df_die_expression(struct df_die die, Dwarf_Half attribute, const uint8_t **ret,
                       size_t *ret_size);
/* The address number `index` of the DIE's unit (.debug_addr). */
bool df_die_indexed_address(struct df_die die, uint64_t index, uint64_t *ret);
/* Where a function starts: DW_AT_low_pc, or the start of its first range. */
bool df_die_entry(struct df_die die, uint64_t *ret);
/* DW_AT_name and the like; NULL when it has none. */
const char *df_die_text(struct df_die die, Dwarf_Half attribute);
/* The unit of the main part whose .debug_aranges hold the address: the offset of its DIE. */
bool df_dwarf_unit_of(struct df_dwarf *dwarf, uint64_t address, Dwarf_Off *ret);

#endif
