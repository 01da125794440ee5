/* SPDX-License-Identifier: MIT
 * ctype_table.c: making, checking and searching the flat form of a module's C types.
 */
#include "dumpfmt/ctype_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define ROW_ALIGNMENT 8 /* sizes of rows are multiples of it, so are starts of tables */

static_assert(sizeof(struct df_ct_header) % ROW_ALIGNMENT == 0, "header");
static_assert(sizeof(struct df_ctype) == 24 && sizeof(struct df_ct_member) == 48, "rows");
static_assert(sizeof(struct df_ct_name) == 8 && sizeof(struct df_ct_enumerator) == 16, "rows");
static_assert(sizeof(struct df_ct_variable) == 24, "rows");

/* Finds damage, not malice. Four multiplications a cache line: a megabyte takes 0.2 ms. */
uint64_t df_ct_checksum(const void *image, size_t start, uint64_t bytes)
{
    const uint8_t *data = image;
    uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ bytes;
    while (start < bytes) {
        uint64_t word = 0;
        memcpy(&word, data + start, bytes - start < sizeof(word) ? bytes - start : sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
        start += sizeof(word);
    }
    return hash;
}

static uint64_t checksum(const struct df_ct_header *image, uint64_t bytes)
{
    return df_ct_checksum(image, offsetof(struct df_ct_header, checksum) + sizeof(image->checksum),
                          bytes);
}

/* Points the tables into the image; false when the counts do not add up to its size. */
static bool table_place(struct df_ct_table *table)
{
    const struct df_ct_header *header = table->image;
    const uint8_t *start = (const uint8_t *)header;
    uint64_t at = sizeof(*header); /* 32-bit counts of small rows: no overflow */
    table->types = (const void *)(start + at);
    at += header->types * (uint64_t)sizeof(*table->types);
    uint64_t members = at;
    at += header->members * (uint64_t)sizeof(*table->members);
    uint64_t names = at;
    at += header->names * (uint64_t)sizeof(*table->names);
    uint64_t enumerators = at;
    at += header->enumerators * (uint64_t)sizeof(*table->enumerators);
    uint64_t variables = at;
    at += header->variables * (uint64_t)sizeof(*table->variables);
    uint64_t strings = at;
    if (at + header->strings != table->bytes || header->strings == 0)
        return false;
    table->members = (const void *)(start + members);
    table->names = (const void *)(start + names);
    table->enumerators = (const void *)(start + enumerators);
    table->variables = (const void *)(start + variables);
    table->strings = (const void *)(start + strings);
    return table->strings[0] == 0 && table->strings[header->strings - 1] == 0;
}

static bool member_fits(const struct df_ct_member *member, uint64_t size)
{
    if (member->offset > size || member->size > size - member->offset)
        return false;
    if (member->count != 0 && member->element > member->size / member->count)
        return false;
    if (member->bit_size == 0)
        return member->bit_offset == 0;
    return member->size <= DF_CT_BITS_MAX / 8 &&
           (uint32_t)member->bit_offset + member->bit_size <= member->size * 8;
}

static bool type_valid(const struct df_ct_table *table, const struct df_ctype *type)
{
    const struct df_ct_header *header = table->image;
    if (type->name >= header->strings || type->kind > DF_KIND_FUNCTION ||
        type->first > header->members || type->count > header->members - type->first)
        return false;
    for (uint32_t i = 0; i < type->count; i++) {
        const struct df_ct_member *member = &table->members[type->first + i];
        if (!member_fits(member, type->size) || member->name >= header->strings ||
            member->type >= header->strings || member->kind > DF_KIND_FUNCTION ||
            member->element_kind > DF_KIND_FUNCTION)
            return false;
    }
    return true;
}

static bool table_valid(const struct df_ct_table *table)
{
    const struct df_ct_header *header = table->image;
    /* Each member belongs to one type at most, or checking them would not be linear. */
    uint64_t members = 0;
    for (uint32_t i = 0; i < header->types; i++) {
        members += table->types[i].count;
        if (members > header->members || !type_valid(table, &table->types[i]))
            return false;
    }
    for (uint32_t i = 0; i < header->names; i++)
        if (table->names[i].name >= header->strings || table->names[i].type >= header->types)
            return false;
    for (uint32_t i = 0; i < header->enumerators; i++)
        if (table->enumerators[i].name >= header->strings)
            return false;
    for (uint32_t i = 0; i < header->variables; i++)
        if (table->variables[i].name >= header->strings)
            return false;
    return true;
}

bool df_ct_table_adopt(void *image, uint64_t bytes, struct df_ct_table *ret)
{
    struct df_ct_header *header = image;
    struct df_ct_table table = {.image = header, .bytes = bytes};
    if (bytes < sizeof(*header) || bytes > DF_CT_MAX_IMAGE ||
        memcmp(header->magic, DF_CT_MAGIC, sizeof(header->magic)) != 0 ||
        header->version != DF_CT_VERSION || header->header_size != sizeof(*header) ||
        memchr(header->build_id, 0, sizeof(header->build_id)) == NULL ||
        header->checksum != checksum(header, bytes) || !table_place(&table) ||
        !table_valid(&table)) {
        free(image);
        return false;
    }
    *ret = table;
    return true;
}

void df_ct_table_deinit(struct df_ct_table *table)
{
    free(table->image);
    *table = (struct df_ct_table){0};
}

void df_ct_table_seal(struct df_ct_table *table)
{
    table->image->checksum = checksum(table->image, table->bytes);
}

/* Rows sorted by name: the row whose string, `at` bytes into the row, is `name`. */
static const void *bisect(const struct df_ct_table *table, const void *rows, size_t count,
                          size_t row, size_t at, const char *name)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint8_t *candidate = (const uint8_t *)rows + middle * row;
        uint32_t string;
        memcpy(&string, candidate + at, sizeof(string));
        int order = strcmp(name, table->strings + string);
        if (order == 0)
            return candidate;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct df_ctype *df_ct_find(const struct df_ct_table *table, const char *name)
{
    const struct df_ct_name *row =
        bisect(table, table->names, table->image->names, sizeof(*table->names),
               offsetof(struct df_ct_name, name), name);
    return row ? &table->types[row->type] : NULL;
}

const struct df_ct_enumerator *df_ct_find_enumerator(const struct df_ct_table *table,
                                                     const char *name)
{
    return bisect(table, table->enumerators, table->image->enumerators, sizeof(*table->enumerators),
                  offsetof(struct df_ct_enumerator, name), name);
}

const struct df_ct_variable *df_ct_find_variable(const struct df_ct_table *table, const char *name)
{
    return bisect(table, table->variables, table->image->variables, sizeof(*table->variables),
                  offsetof(struct df_ct_variable, name), name);
}

void df_ct_build_init(struct df_ct_build *build)
{
    *build = (struct df_ct_build){0};
    df_map_init(&build->string_ids);
    df_map_init(&build->name_ids);
    df_map_init(&build->enumerator_ids);
    df_map_init(&build->variable_ids);
    df_ct_string(build, ""); /* id 0 */
}

void df_ct_build_deinit(struct df_ct_build *build)
{
    free(build->strings.items);
    free(build->types.items);
    free(build->members.items);
    free(build->names.items);
    free(build->deferred.items);
    free(build->enumerators.items);
    free(build->variables.items);
    df_map_deinit(&build->string_ids);
    df_map_deinit(&build->name_ids);
    df_map_deinit(&build->enumerator_ids);
    df_map_deinit(&build->variable_ids);
}

/* FNV-1a; never 0, which is no key. */
static uint64_t string_hash(const char *text)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001B3);
    return hash ? hash : 1;
}

uint32_t df_ct_string(struct df_ct_build *build, const char *text)
{
    for (uint64_t key = string_hash(text);; key = key + 1 ? key + 1 : 1) {
        bool added;
        uint32_t id = df_map_add(&build->string_ids, key, (uint32_t)build->strings.count, &added);
        if (!added && strcmp(build->strings.items + id, text) == 0)
            return id;
        if (!added)
            continue; /* two strings of one hash: the second lives at the next key */
        size_t bytes = strlen(text) + 1;
        for (size_t i = 0; i < bytes; i++)
            DF_PUSH(&build->strings, text[i]);
        return id;
    }
}

uint32_t df_ct_build_find(const struct df_ct_build *build, uint32_t name)
{
    return df_map_get(&build->name_ids, name + UINT64_C(1));
}

void df_ct_build_alias(struct df_ct_build *build, uint32_t name, uint32_t type)
{
    bool added;
    df_map_add(&build->name_ids, name + UINT64_C(1), type, &added);
    if (added)
        DF_PUSH(&build->names, (struct df_ct_name){.name = name, .type = type});
}

void df_ct_build_defer(struct df_ct_build *build, uint32_t name, uint32_t target)
{
    DF_PUSH(&build->deferred, (struct df_ct_name){.name = name, .type = target});
}

uint32_t df_ct_build_type(struct df_ct_build *build, uint32_t name, enum df_kind kind,
                          uint64_t size)
{
    uint32_t row = (uint32_t)build->types.count;
    DF_PUSH(&build->types, (struct df_ctype){.size = size, .name = name, .kind = kind});
    df_ct_build_alias(build, name, row);
    return row;
}

void df_ct_build_members(struct df_ct_build *build, uint32_t type)
{
    build->types.items[type].first = (uint32_t)build->members.count;
    build->types.items[type].count = 0;
    build->current = type;
}

void df_ct_build_member(struct df_ct_build *build, const struct df_ct_member *member)
{
    struct df_ctype *type = &build->types.items[build->current];
    if (!member_fits(member, type->size))
        return;
    DF_PUSH(&build->members, *member);
    type->count++;
}

bool df_ct_build_has_enumerator(const struct df_ct_build *build, uint32_t name)
{
    return df_map_get(&build->enumerator_ids, name + UINT64_C(1)) != DF_MAP_NONE;
}

void df_ct_build_enumerator(struct df_ct_build *build, uint32_t name, int64_t value)
{
    bool added;
    df_map_add(&build->enumerator_ids, name + UINT64_C(1), 0, &added);
    if (added)
        DF_PUSH(&build->enumerators, (struct df_ct_enumerator){.name = name, .value = value});
}

bool df_ct_build_has_variable(const struct df_ct_build *build, uint32_t name)
{
    return df_map_get(&build->variable_ids, name + UINT64_C(1)) != DF_MAP_NONE;
}

void df_ct_build_variable(struct df_ct_build *build, uint32_t name, uint64_t address, uint64_t size)
{
    bool added;
    df_map_add(&build->variable_ids, name + UINT64_C(1), 0, &added);
    if (added)
        DF_PUSH(&build->variables,
                (struct df_ct_variable){.name = name, .address = address, .size = size});
}

static int compare_names(const void *a, const void *b, void *strings)
{
    const struct df_ct_name *left = a, *right = b;
    return strcmp((char *)strings + left->name, (char *)strings + right->name);
}

static int compare_enumerators(const void *a, const void *b, void *strings)
{
    const struct df_ct_enumerator *left = a, *right = b;
    return strcmp((char *)strings + left->name, (char *)strings + right->name);
}

static int compare_variables(const void *a, const void *b, void *strings)
{
    const struct df_ct_variable *left = a, *right = b;
    return strcmp((char *)strings + left->name, (char *)strings + right->name);
}

static void build_sort(struct df_ct_build *build)
{
    for (size_t i = 0; i < build->deferred.count; i++) {
        uint32_t type = df_ct_build_find(build, build->deferred.items[i].type);
        if (type != DF_MAP_NONE)
            df_ct_build_alias(build, build->deferred.items[i].name, type);
    }
    char *strings = build->strings.items;
    if (build->names.count) /* qsort of nothing must not see NULL */
        qsort_r(build->names.items, build->names.count, sizeof(*build->names.items), compare_names,
                strings);
    if (build->enumerators.count)
        qsort_r(build->enumerators.items, build->enumerators.count,
                sizeof(*build->enumerators.items), compare_enumerators, strings);
    if (build->variables.count)
        qsort_r(build->variables.items, build->variables.count, sizeof(*build->variables.items),
                compare_variables, strings);
}

static uint8_t *append(uint8_t *at, const void *rows, size_t bytes)
{
    if (bytes)
        memcpy(at, rows, bytes);
    return at + bytes;
}

struct df_err *df_ct_build_finish(struct df_ct_build *build, struct df_ct_table *ret)
{
    build_sort(build);
    size_t types = build->types.count * sizeof(*build->types.items);
    size_t members = build->members.count * sizeof(*build->members.items);
    size_t names = build->names.count * sizeof(*build->names.items);
    size_t enumerators = build->enumerators.count * sizeof(*build->enumerators.items);
    size_t variables = build->variables.count * sizeof(*build->variables.items);
    size_t strings = build->strings.count;
    struct df_ct_table table = {
        .bytes = sizeof(*table.image) + types + members + names + enumerators + variables + strings,
    };
    if (table.bytes > DF_CT_MAX_IMAGE)
        return df_err_new(DF_ERR_UNSUPPORTED, "too many C types for this program");
    table.image = df_xcalloc(1, table.bytes);
    *table.image = (struct df_ct_header){
        .magic = DF_CT_MAGIC,
        .version = DF_CT_VERSION,
        .header_size = sizeof(*table.image),
        .types = (uint32_t)build->types.count,
        .members = (uint32_t)build->members.count,
        .names = (uint32_t)build->names.count,
        .enumerators = (uint32_t)build->enumerators.count,
        .variables = (uint32_t)build->variables.count,
        .strings = (uint32_t)strings,
    };
    uint8_t *at = (uint8_t *)(table.image + 1);
    at = append(at, build->types.items, types);
    at = append(at, build->members.items, members);
    at = append(at, build->names.items, names);
    at = append(at, build->enumerators.items, enumerators);
    at = append(at, build->variables.items, variables);
    append(at, build->strings.items, strings);
    table_place(&table);
    *ret = table;
    return NULL;
}
