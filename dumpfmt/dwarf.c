/* SPDX-License-Identifier: MIT
 * dwarf.c: see dwarf.h.
 */
#include "dumpfmt/dwarf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/dwarf_parts.h"
#include "dumpfmt/dwarf_type.h"

/* Members of all types together. Only in forged data, where the entries of types overlap, is their
 * number not bounded by the size of the file; what is beyond it is left out. */
#define MAX_MEMBERS (1u << 24)
#define MAX_IMPORTS 32 /* units that import units */
#define MAX_ARRAYS 16  /* arrays of arrays, through typedefs */
#define MAX_NAME 4096  /* of a type, with "struct " and "@size"; longer ones are cut */

/* What a reference to a type leads to. */
struct shape {
    enum df_kind kind, element_kind;
    uint64_t size, count, element;
    uint32_t type; /* string id of the aggregate's name, or 0 */
};

struct reader {
    const struct df_dwarf *dwarf;
    struct df_ct_build *build;
    struct {
        Dwarf_Off *items; /* by row of build->types: where its members are */
        size_t count, capacity;
    } dies;
    size_t done; /* rows whose members were read */
    struct {
        struct shape *items;
        size_t count, capacity;
    } shapes;
    struct df_map shape_ids; /* by the offset of a type's entry: looking it up again costs more */
    uint64_t members;        /* looked at */
    struct df_map plain;     /* typedef names (string id + 1) of what is no aggregate */
    struct df_map visited;   /* places of units */
};

static void add_type(struct reader *reader, uint32_t name, const struct df_dwarf_end *end,
                     uint64_t size)
{
    df_ct_build_type(reader->build, name, df_dwarf_kind(end->tag), size);
    DF_PUSH(&reader->dies, df_die_offset(end->die));
}

/* The name (string id) of an aggregate, which becomes a type of the table when it is not one yet;
 * its members are read later. */
static uint32_t note_aggregate(struct reader *reader, const struct df_dwarf_end *end)
{
    char name[MAX_NAME];
    df_dwarf_name(end, name, sizeof(name) - 32);
    uint32_t id = df_ct_string(reader->build, name);
    uint64_t size;
    if (!df_dwarf_definition(end->die, &size))
        return id;
    uint32_t row = df_ct_build_find(reader->build, id);
    if (row != DF_MAP_NONE && reader->build->types.items[row].size != size) {
        size_t length = strlen(name);
        snprintf(name + length, sizeof(name) - length, "@%llu", (unsigned long long)size);
        id = df_ct_string(reader->build, name);
        row = df_ct_build_find(reader->build, id);
    }
    if (row == DF_MAP_NONE)
        add_type(reader, id, end, size);
    return id;
}

/* The number of elements in all dimensions; 0 when there is no telling, as for `x[]`. */
static uint64_t count_elements(struct df_die array)
{
    uint64_t total = 1;
    struct df_die die;
    if (!df_die_child(array, &die))
        return 0;
    do {
        uint64_t count = 0;
        if (df_die_tag(die) != DW_TAG_subrange_type)
            continue;
        if (!df_die_constant(die, DW_AT_count, &count) &&
            df_die_constant(die, DW_AT_upper_bound, &count))
            count =
                count == UINT32_MAX ? 0 : count + 1; /* -1 in four bytes, as older GCCs say x[0] */
        if (__builtin_mul_overflow(total, count, &total))
            total = 0;
    } while (df_die_next(&die));
    df_die_free(die);
    return total;
}

static void describe_pointer(struct reader *reader, const struct df_dwarf_end *pointer,
                             struct shape *shape)
{
    Dwarf_Off offset;
    if (!df_die_size(pointer->die, &shape->size))
        shape->size = sizeof(uint64_t);
    if (!df_die_reference(pointer->die, DW_AT_type, &offset))
        return;
    struct df_dwarf_end end = df_dwarf_follow(reader->dwarf, offset);
    if (end.die.raw && df_dwarf_is_aggregate(df_dwarf_kind(end.tag)))
        shape->type = note_aggregate(reader, &end);
    df_die_free(end.die);
}

/* What is at the end of a chain, when it is not an array. */
static void describe_end(struct reader *reader, const struct df_dwarf_end *end, struct shape *shape)
{
    shape->kind = df_dwarf_kind(end->tag);
    if (shape->kind == DF_KIND_POINTER)
        describe_pointer(reader, end, shape);
    else if (!df_die_size(end->die, &shape->size))
        shape->size = 0;
    if (df_dwarf_is_aggregate(shape->kind))
        shape->type = note_aggregate(reader, end);
}

static struct shape describe_anew(struct reader *reader, Dwarf_Off offset)
{
    struct shape shape = {.count = 1};
    uint64_t count = 1;
    bool array = false;
    for (int nesting = 0; nesting < MAX_ARRAYS; nesting++) {
        struct df_dwarf_end end = df_dwarf_follow(reader->dwarf, offset);
        if (!end.die.raw)
            break;
        bool inner = end.tag == DW_TAG_array_type;
        if (inner) {
            array = true;
            if (__builtin_mul_overflow(count, count_elements(end.die), &count))
                count = 0;
            inner = df_die_reference(end.die, DW_AT_type, &offset);
        } else {
            describe_end(reader, &end, &shape);
        }
        df_die_free(end.die);
        if (!inner)
            break;
    }
    shape.element_kind = shape.kind;
    shape.element = shape.size;
    if (array) {
        shape.kind = DF_KIND_ARRAY;
        shape.count = count;
        if (__builtin_mul_overflow(count, shape.element, &shape.size))
            shape.size = shape.count = 0;
    }
    return shape;
}

static struct shape describe(struct reader *reader, Dwarf_Off offset)
{
    uint32_t known = df_map_get(&reader->shape_ids, offset); /* no entry is at offset 0 */
    if (known != DF_MAP_NONE)
        return reader->shapes.items[known];
    struct shape shape = describe_anew(reader, offset);
    if (offset) {
        df_map_set(&reader->shape_ids, offset, (uint32_t)reader->shapes.count);
        DF_PUSH(&reader->shapes, shape);
    }
    return shape;
}

/* DW_AT_data_member_location: a constant, or before DWARF 4 an expression with one operation. */
static bool member_location(struct df_die die, uint64_t *ret)
{
    if (df_die_constant(die, DW_AT_data_member_location, ret))
        return true;
    const uint8_t *bytes;
    size_t size;
    if (!df_die_expression(die, DW_AT_data_member_location, &bytes, &size) || size < 2 ||
        size > 10 || bytes[0] != DW_OP_plus_uconst)
        return false;
    uint64_t value = 0;
    for (size_t i = 1; i < size; i++) { /* unsigned LEB128 */
        if (i == 10 || (i == 9 && bytes[i] > 1))
            return false;
        value |= (uint64_t)(bytes[i] & 0x7F) << (7 * (i - 1));
    }
    *ret = value;
    return true;
}

/* Turns a position in bits from the start of the struct (little endian: the least significant
 * first) into a storage unit of the declared type, or, when it would not fit, as in packed structs,
 * the smallest that holds it. */
static bool place_bits(uint64_t position, uint64_t bits, uint64_t struct_size,
                       struct df_ct_member *member)
{
    if (bits == 0 || bits > DF_CT_BITS_MAX)
        return false;
    uint64_t size = member->size;
    if (size == 0 || size > DF_CT_BITS_MAX / 8)
        size = 1;
    uint64_t offset = position / (8 * size) * size;
    if (position - offset * 8 + bits > 8 * size || offset + size > struct_size) {
        offset = position / 8;
        for (size = 1; position % 8 + bits > 8 * size; size *= 2)
            if (size == DF_CT_BITS_MAX / 8)
                return false;
        if (size > struct_size - offset && struct_size > offset) /* three bytes at the end, say */
            size = struct_size - offset;
    }
    member->offset = offset;
    member->size = member->element = size;
    member->bit_offset = (uint16_t)(position - offset * 8);
    member->bit_size = (uint16_t)bits;
    return true;
}

/* DWARF 4 and 5 count bits from the start of the struct; DW_AT_bit_offset (DWARF 2 to 4) counts
 * from the most significant bit of a storage unit of DW_AT_byte_size bytes. */
static bool read_bits(struct df_die die, uint64_t struct_size, uint64_t bits,
                      struct df_ct_member *member)
{
    uint64_t position, from_top;
    if (df_die_constant(die, DW_AT_data_bit_offset, &position))
        return place_bits(position, bits, struct_size, member);
    uint64_t storage = member->size, location = 0;
    df_die_size(die, &storage);
    member_location(die, &location);
    if (!df_die_constant(die, DW_AT_bit_offset, &from_top))
        return false;
    if (location > UINT32_MAX || storage > DF_CT_BITS_MAX / 8)
        return false;
    /* In two's complement: from_top is negative in packed structs. */
    position = (location + storage) * 8 - from_top - bits;
    return position <= struct_size * 8 && place_bits(position, bits, struct_size, member);
}

static void read_member(struct reader *reader, struct df_die die, const struct df_ctype *type)
{
    Dwarf_Off offset;
    if (!df_die_reference(die, DW_AT_type, &offset))
        return;
    uint64_t size = type->size; /* describe() may move the rows */
    enum df_kind kind = type->kind;
    struct shape shape = describe(reader, offset);
    const char *name = df_die_name(die);
    struct df_ct_member member = {
        .size = shape.size,
        .count = shape.count,
        .element = shape.element,
        .name = name ? df_ct_string(reader->build, name) : 0,
        .type = shape.type,
        .kind = (uint8_t)shape.kind,
        .element_kind = (uint8_t)shape.element_kind,
    };
    uint64_t bits;
    if (df_die_constant(die, DW_AT_bit_size, &bits)) {
        if (!read_bits(die, size, bits, &member))
            return;
    } else if (!member_location(die, &member.offset) && kind != DF_KIND_UNION) {
        if (df_die_has(die, DW_AT_external) || df_die_has(die, DW_AT_declaration))
            return; /* a static member, in C++ */
    }
    df_ct_build_member(reader->build, &member);
}

static void read_members(struct reader *reader, struct df_die type, uint32_t row)
{
    struct df_die die;
    df_ct_build_members(reader->build, row);
    if (!df_die_child(type, &die))
        return;
    do
        if (df_die_tag(die) == DW_TAG_member)
            read_member(reader, die, &reader->build->types.items[row]);
    while (reader->members++ < MAX_MEMBERS && df_die_next(&die));
    df_die_free(die);
}

static void read_enumerators(struct reader *reader, struct df_die type)
{
    struct df_die die;
    if (!df_die_child(type, &die))
        return;
    do {
        const char *name = df_die_tag(die) == DW_TAG_enumerator ? df_die_name(die) : NULL;
        uint64_t value;
        if (!name)
            continue;
        uint32_t id = df_ct_string(reader->build, name);
        if (!df_ct_build_has_enumerator(reader->build, id) &&
            df_die_constant(die, DW_AT_const_value, &value))
            df_ct_build_enumerator(reader->build, id, (int64_t)value);
    } while (df_die_next(&die));
    df_die_free(die);
}

/* Reads the members of every type that was noted; that notes more types. */
static void read_noted(struct reader *reader)
{
    for (; reader->done < reader->dies.count; reader->done++) {
        uint32_t row = (uint32_t)reader->done;
        enum df_kind kind = reader->build->types.items[row].kind;
        struct df_die die;
        if (!df_die_at(reader->dwarf, reader->dies.items[row], &die))
            continue;
        if (kind == DF_KIND_ENUM)
            read_enumerators(reader, die);
        else
            read_members(reader, die, row);
        df_die_free(die);
    }
}

static void read_typedef(struct reader *reader, struct df_die die)
{
    const char *name = df_die_name(die);
    if (!name)
        return;
    uint32_t id = df_ct_string(reader->build, name);
    if (df_map_get(&reader->plain, id + UINT64_C(1)) != DF_MAP_NONE)
        return;
    struct df_dwarf_end end = df_dwarf_follow(reader->dwarf, df_die_offset(die));
    if (end.die.raw && df_dwarf_is_aggregate(df_dwarf_kind(end.tag))) {
        uint32_t target = note_aggregate(reader, &end);
        uint32_t row = df_ct_build_find(reader->build, target);
        if (row != DF_MAP_NONE)
            df_ct_build_alias(reader->build, id, row);
        else
            df_ct_build_defer(reader->build, id, target);
    } else {
        df_map_set(&reader->plain, id + UINT64_C(1), 0);
    }
    df_die_free(end.die);
}

/* The link-time address that a variable's location says, when it is nothing but an address. */
static bool static_address(struct df_die die, uint64_t *ret)
{
    const uint8_t *bytes;
    size_t size;
    if (!df_die_expression(die, DW_AT_location, &bytes, &size) || size < 2)
        return false;
    if (bytes[0] == DW_OP_addr && size == 1 + sizeof(*ret)) {
        memcpy(ret, bytes + 1, sizeof(*ret));
        return true;
    }
    if (bytes[0] != DW_OP_addrx && bytes[0] != DW_OP_GNU_addr_index)
        return false;
    uint64_t index = 0;
    size_t i = 1;
    for (; i < size && i < 6; i++) {
        index |= (uint64_t)(bytes[i] & 0x7F) << (7 * (i - 1));
        if (!(bytes[i] & 0x80))
            break;
    }
    return i == size - 1 && df_die_indexed_address(die, index, ret);
}

static void read_variable(struct reader *reader, struct df_die die)
{
    uint64_t address;
    const char *name;
    Dwarf_Off type;
    if (!static_address(die, &address) || !df_dwarf_named_type(reader->dwarf, die, &name, &type) ||
        !name)
        return;
    uint32_t id = df_ct_string(reader->build, name);
    if (df_ct_build_has_variable(reader->build, id))
        return;
    df_ct_build_variable(reader->build, id, address, describe(reader, type).size);
}

static void read_top(struct reader *reader, struct df_die die)
{
    struct df_dwarf_end end = {.die = die, .tag = df_die_tag(die)};
    switch (end.tag) {
    case DW_TAG_enumeration_type:
        /* Read again for each unit: enums of one name have one size, too, when they differ. */
        read_enumerators(reader, die);
        __attribute__((fallthrough));
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
        if (df_die_name(die)) /* else it is read when something refers to it */
            note_aggregate(reader, &end);
        break;
    case DW_TAG_typedef:
        read_typedef(reader, die);
        break;
    case DW_TAG_variable:
        read_variable(reader, die);
        break;
    }
}

/* Goes into a unit, when it was not read yet: its first entry. */
static bool enter_unit(struct reader *reader, Dwarf_Off place, bool imported, struct df_die *ret)
{
    struct df_die unit;
    bool fresh, there = false;
    if (!df_die_at(reader->dwarf, place, &unit))
        return false;
    if (!imported || df_die_tag(unit) == DW_TAG_partial_unit) { /* others come by themselves */
        df_map_add(&reader->visited, place, 0, &fresh);
        there = fresh && df_die_child(unit, ret);
    }
    df_die_free(unit);
    return there;
}

/* One unit, and in the place of each import what dwz moved out of it: thus the order is what it
 * was, and with it which of two definitions has the name. */
static void read_unit(struct reader *reader, Dwarf_Off place)
{
    struct df_die stack[MAX_IMPORTS];
    int depth = enter_unit(reader, place, false, &stack[0]);
    while (depth) {
        struct df_die *die = &stack[depth - 1];
        Dwarf_Off import = 0;
        if (df_die_tag(*die) != DW_TAG_imported_unit)
            read_top(reader, *die);
        else if (!df_die_reference(*die, DW_AT_import, &import))
            import = 0;
        if (!df_die_next(die))
            depth--;
        if (import && depth < MAX_IMPORTS && enter_unit(reader, import, true, &stack[depth]))
            depth++;
    }
    read_noted(reader);
}

static bool is_type_unit(const struct df_dwarf_unit *unit)
{
    return unit->target != unit->place;
}

static void read_type_units(struct reader *reader, const struct df_dwarf_part *part)
{
    for (size_t i = 0; i < part->units.count; i++)
        if (is_type_unit(&part->units.items[i]))
            read_unit(reader, part->units.items[i].place);
}

/* A unit that is in another file, with the types that are there beside it. */
static void read_split(struct reader *reader, struct df_dwarf *dwarf,
                       struct df_dwarf_unit *skeleton)
{
    Dwarf_Off place;
    if (!df_dwarf_split_of(dwarf, skeleton, &place))
        return;
    read_unit(reader, place);
    const struct df_dwarf_part *part = dwarf->parts.items[place >> DF_PLACE_PART];
    if (part != dwarf->package)
        read_type_units(reader, part);
}

static void read_units(struct reader *reader, struct df_dwarf *dwarf)
{
    struct df_dwarf_part *part = dwarf->main;
    for (size_t i = 0; i < part->units.count; i++) {
        struct df_dwarf_unit *unit = &part->units.items[i];
        df_dwarf_next_unit(dwarf); /* only for speed */
        if (df_dwarf_is_skeleton(unit))
            read_split(reader, dwarf, unit);
        else if (!unit->partial && !is_type_unit(unit))
            read_unit(reader, unit->place);
    }
    for (size_t i = 0; i < part->units.count; i++) /* those that nobody imports */
        if (part->units.items[i].partial)
            read_unit(reader, part->units.items[i].place);
    read_type_units(reader, part);
    if (dwarf->package)
        read_type_units(reader, dwarf->package);
}

void df_dwarf_read(struct df_dwarf *dwarf, struct df_ct_build *build)
{
    struct reader reader = {.dwarf = dwarf, .build = build};
    df_map_init(&reader.plain);
    df_map_init(&reader.shape_ids);
    df_map_init(&reader.visited);
    read_units(&reader, dwarf);
    df_map_deinit(&reader.plain);
    df_map_deinit(&reader.shape_ids);
    df_map_deinit(&reader.visited);
    free(reader.shapes.items);
    free(reader.dies.items);
}

bool df_dwarf_incomplete(const struct df_dwarf *dwarf)
{
    return dwarf->incomplete;
}

struct df_err *df_dwarf_open(const char *file, struct df_dwarf **ret)
{
    struct df_dwarf *dwarf = df_xcalloc(1, sizeof(*dwarf));
    struct df_err *err = df_dwarf_attach(dwarf, file);
    if (err)
        free(dwarf);
    else
        *ret = dwarf;
    return err;
}

void df_dwarf_close(struct df_dwarf *dwarf)
{
    if (!dwarf)
        return;
    df_dwarf_detach(dwarf);
    free(dwarf);
}
