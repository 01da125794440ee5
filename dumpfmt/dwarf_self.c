/* SPDX-License-Identifier: MIT
 * dwarf_self.c: which struct a function works on, for functions that are given a base type:
 *
 *     static int thing_traverse(PyObject *op, ...)
 *     {
 *         struct thing *self = (struct thing *)op;
 *
 * Every pointer to a struct of the size that is asked for is a candidate; the first parameter is
 * better than a local variable, one called "self" better than others, and what was inlined is last.
 */
#include "dumpfmt/dwarf.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/dwarf_parts.h"
#include "dumpfmt/dwarf_type.h"

#define MAX_DEPTH 32       /* blocks within blocks; deeper ones are not looked at */
#define MAX_ENTRIES 100000 /* of one function */

enum rank { RANK_PARAMETER, RANK_SELF, RANK_LOCAL, RANK_INLINED, RANK_NONE };

struct search {
    const struct df_dwarf *dwarf;
    uint64_t size;
    enum rank rank; /* of the name found so far */
    char name[DF_DWARF_NAME];
};

/* A parameter or variable. */
static void consider(struct search *search, struct df_die die, bool first_parameter, bool inlined)
{
    const char *name;
    Dwarf_Off type;
    if (!df_dwarf_named_type(search->dwarf, die, &name, &type))
        return;
    enum rank rank = RANK_LOCAL;
    if (inlined)
        rank = RANK_INLINED;
    else if (first_parameter)
        rank = RANK_PARAMETER;
    else if (name && strcmp(name, "self") == 0)
        rank = RANK_SELF;
    if (rank >= search->rank) /* of equals, the first */
        return;
    struct df_dwarf_end end = df_dwarf_follow(search->dwarf, type);
    Dwarf_Off target;
    bool pointer = end.die.raw && df_dwarf_kind(end.tag) == DF_KIND_POINTER &&
                   df_die_reference(end.die, DW_AT_type, &target);
    df_die_free(end.die);
    if (!pointer)
        return;
    end = df_dwarf_follow(search->dwarf, target);
    uint64_t size;
    if (end.die.raw && df_dwarf_kind(end.tag) == DF_KIND_STRUCT &&
        df_dwarf_definition(end.die, &size) && size == search->size) {
        df_dwarf_name(&end, search->name, sizeof(search->name));
        search->rank = rank;
    }
    df_die_free(end.die);
}

/* All entries below a function, depth first, with a stack of its own. */
static void search_below(struct search *search, struct df_die function)
{
    struct df_die stack[MAX_DEPTH] = {DF_NO_DIE};
    int depth = 0, inlined = MAX_DEPTH; /* the level at which inlined code begins */
    bool parameter_seen = false;
    if (!df_die_child(function, &stack[0]))
        return;
    for (int entries = 0; depth >= 0; entries++) {
        struct df_die die = stack[depth];
        Dwarf_Half tag = df_die_tag(die);
        if (tag == DW_TAG_formal_parameter || tag == DW_TAG_variable) {
            bool first = tag == DW_TAG_formal_parameter && depth == 0 && !parameter_seen;
            parameter_seen |= first;
            consider(search, die, first, depth > inlined);
        }
        bool block = tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine;
        if (block && depth + 1 < MAX_DEPTH && df_die_child(die, &stack[depth + 1])) {
            if (tag == DW_TAG_inlined_subroutine && depth < inlined)
                inlined = depth;
            depth++;
            continue;
        }
        while (depth >= 0 && (entries > MAX_ENTRIES || !df_die_next(&stack[depth]))) {
            df_die_free(stack[depth]);
            stack[depth--] = DF_NO_DIE;
            if (depth <= inlined)
                inlined = MAX_DEPTH;
        }
    }
}

/* Adds the functions of one unit that have an address; or, with `wanted`, looks for that one. */
static bool find_in_unit(struct df_dwarf *dwarf, Dwarf_Off unit_offset, uint64_t wanted,
                         Dwarf_Off *ret)
{
    struct df_die unit, die;
    bool found = false;
    if (!df_die_at(dwarf, unit_offset, &unit))
        return false;
    bool more = df_die_child(unit, &die);
    df_die_free(unit);
    if (!more)
        return false;
    do {
        uint64_t entry;
        if (df_die_tag(die) != DW_TAG_subprogram || !df_die_entry(die, &entry))
            continue;
        if (!ret) {
            DF_PUSH(&dwarf->functions,
                    (struct df_dwarf_function){.address = entry, .die = df_die_offset(die)});
        } else if (entry == wanted) {
            *ret = df_die_offset(die);
            found = true;
        }
    } while (!found && df_die_next(&die));
    df_die_free(die);
    return found;
}

static int compare_functions(const void *a, const void *b)
{
    const struct df_dwarf_function *left = a, *right = b;
    return (left->address > right->address) - (left->address < right->address);
}

/* A split unit for its skeleton; others are themselves. */
static Dwarf_Off unit_place(struct df_dwarf *dwarf, struct df_dwarf_unit *unit)
{
    Dwarf_Off place = unit->place;
    if (df_dwarf_is_skeleton(unit))
        df_dwarf_split_of(dwarf, unit, &place);
    return place;
}

static void index_functions(struct df_dwarf *dwarf)
{
    dwarf->functions_known = true;
    for (size_t i = 0; i < dwarf->main->units.count; i++) {
        df_dwarf_next_unit(dwarf);
        find_in_unit(dwarf, unit_place(dwarf, &dwarf->main->units.items[i]), 0, NULL);
    }
    if (dwarf->functions.count)
        qsort(dwarf->functions.items, dwarf->functions.count, sizeof(*dwarf->functions.items),
              compare_functions);
}

/* By the unit that .debug_aranges names, or else among all. */
static bool find_function(struct df_dwarf *dwarf, uint64_t address, Dwarf_Off *ret)
{
    Dwarf_Off place;
    if (df_dwarf_unit_of(dwarf, address, &place)) {
        for (size_t i = 0; i < dwarf->main->units.count; i++)
            if (dwarf->main->units.items[i].place == place)
                place = unit_place(dwarf, &dwarf->main->units.items[i]);
        if (find_in_unit(dwarf, place, address, ret))
            return true;
    }
    if (!dwarf->functions_known)
        index_functions(dwarf);
    struct df_dwarf_function key = {.address = address}, *found = NULL;
    if (dwarf->functions.count)
        found = bsearch(&key, dwarf->functions.items, dwarf->functions.count, sizeof(key),
                        compare_functions);
    if (found)
        *ret = found->die;
    return found;
}

char *df_dwarf_self_struct(struct df_dwarf *dwarf, uint64_t function, uint64_t size)
{
    struct search search = {.dwarf = dwarf, .size = size, .rank = RANK_NONE};
    Dwarf_Off offset;
    struct df_die die;
    if (!find_function(dwarf, function, &offset) || !df_die_at(dwarf, offset, &die))
        return NULL;
    search_below(&search, die);
    df_die_free(die);
    return search.rank == RANK_NONE ? NULL : df_xstrdup(search.name);
}
