/* SPDX-License-Identifier: MIT
 * dwarf_type.c: see dwarf_type.h.
 */
#include "dumpfmt/dwarf_type.h"

#include <stdio.h>

#define MAX_CHAIN 64 /* typedefs and qualifiers in front of a type */
#define MAX_ORIGIN 8 /* abstract origins and specifications in a row */

static bool is_transparent(Dwarf_Half tag)
{
    return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
           tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type;
}

struct df_dwarf_end df_dwarf_follow(const struct df_dwarf *dwarf, Dwarf_Off offset)
{
    struct df_dwarf_end end = {0};
    for (int steps = 0; steps < MAX_CHAIN && df_die_at(dwarf, offset, &end.die); steps++) {
        end.tag = df_die_tag(end.die);
        bool stub = end.tag != DW_TAG_base_type && df_die_has(end.die, DW_AT_signature);
        if (!is_transparent(end.tag) && !stub)
            return end;
        const char *name = end.tag == DW_TAG_typedef ? df_die_name(end.die) : NULL;
        if (name)
            end.alias = name;
        /* A stub stands for the type in a type unit, often without a name of its own. */
        bool more = df_die_reference(end.die, stub ? DW_AT_signature : DW_AT_type, &offset);
        if (stub && !more)
            return end; /* nameless, or declared */
        df_die_free(end.die);
        end.die = DF_NO_DIE;
        if (!more)
            break;
    }
    return (struct df_dwarf_end){0};
}

enum df_kind df_dwarf_kind(Dwarf_Half tag)
{
    switch (tag) {
    case DW_TAG_base_type:
        return DF_KIND_BASE;
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
        return DF_KIND_POINTER;
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
        return DF_KIND_STRUCT;
    case DW_TAG_union_type:
        return DF_KIND_UNION;
    case DW_TAG_enumeration_type:
        return DF_KIND_ENUM;
    case DW_TAG_array_type:
        return DF_KIND_ARRAY;
    case DW_TAG_subroutine_type:
        return DF_KIND_FUNCTION;
    default:
        return DF_KIND_UNKNOWN;
    }
}

bool df_dwarf_is_aggregate(enum df_kind kind)
{
    return kind == DF_KIND_STRUCT || kind == DF_KIND_UNION || kind == DF_KIND_ENUM;
}

/* The name of a struct, union or enum as df_ctypes_find takes it. */
void df_dwarf_name(const struct df_dwarf_end *end, char *ret, size_t ret_size)
{
    enum df_kind kind = df_dwarf_kind(end->tag);
    const char *word = kind == DF_KIND_STRUCT ? "struct" : kind == DF_KIND_UNION ? "union" : "enum";
    const char *name = df_die_name(end->die);
    if (name)
        snprintf(ret, ret_size, "%s %s", word, name);
    else if (end->alias)
        snprintf(ret, ret_size, "%s", end->alias);
    else
        snprintf(ret, ret_size, "%s @%llx", word, (unsigned long long)df_die_offset(end->die));
}

/* The size of a definition; false for a mere declaration. */
bool df_dwarf_definition(struct df_die die, uint64_t *ret)
{
    return df_die_size(die, ret) && !df_die_has(die, DW_AT_declaration);
}

/* Where an entry says that the rest about it is: the declaration that it defines, or, with
 * link-time optimization, its twin in the unit that was compiled. */
static bool origin_of(struct df_die die, Dwarf_Off *ret)
{
    return df_die_reference(die, DW_AT_abstract_origin, ret) ||
           df_die_reference(die, DW_AT_specification, ret);
}

/* The name and the type's offset of a variable, parameter or function; false without a type. */
bool df_dwarf_named_type(const struct df_dwarf *dwarf, struct df_die die, const char **ret_name,
                         Dwarf_Off *ret_type)
{
    Dwarf_Off offset;
    struct df_die origin = DF_NO_DIE;
    bool typed = df_die_reference(die, DW_AT_type, ret_type);
    const char *name = df_die_name(die);
    for (int steps = 0; (!typed || !name) && steps < MAX_ORIGIN; steps++) {
        if (!origin_of(origin.raw ? origin : die, &offset))
            break;
        df_die_free(origin);
        origin = DF_NO_DIE;
        if (!df_die_at(dwarf, offset, &origin))
            break;
        if (!typed)
            typed = df_die_reference(origin, DW_AT_type, ret_type);
        if (!name)
            name = df_die_name(origin);
    }
    df_die_free(origin);
    *ret_name = name;
    return typed;
}
