/* SPDX-License-Identifier: MIT
 * ctype_table.h: the flat form of a module's C types: one block of memory, the same in a cache
 * file.
 *
 * A header, then six tables in a fixed order, rows of fixed size: types, members, names,
 * enumerators, variables, strings. Strings are referred to by their byte in the string table; byte
 * 0 is the empty string and stands for "none". Names, enumerators and variables are sorted by the
 * bytes of their names and found by bisection.
 *
 * A block that comes from a file is hostile: df_ct_table_adopt checks every index, string and
 * extent once, so that no reader has to. What a checked table guarantees: every member lies inside
 * its type, an array's elements lie inside the array, and a bit field lies inside its storage unit.
 */
#ifndef DF_CTYPE_TABLE_H
#define DF_CTYPE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/ctype.h"

#define DF_CT_MAGIC "necroCT" /* with its final 0: 8 bytes */
#define DF_CT_VERSION 2       /* counts up with every change of what follows */
#define DF_CT_BUILD_ID 128    /* hexadecimal digits of the longest build-id that is cached */
#define DF_CT_MAX_IMAGE (1u << 30)
#define DF_CT_BITS_MAX 64 /* of a bit field's storage unit */

struct df_ct_header {
    char magic[8];
    uint32_t version, header_size;
    uint64_t checksum; /* of everything after this field */
    uint64_t source;   /* bytes of the file that it was read from: its stripped twin differs */
    uint32_t types, members, names, enumerators, variables, strings; /* rows; bytes for strings */
    char build_id[DF_CT_BUILD_ID];
};

struct df_ctype { /* opaque outside */
    uint64_t size;
    uint32_t name, first, count; /* members */
    uint32_t kind;               /* enum df_kind */
};

struct df_ct_member {
    uint64_t offset, size, count, element;
    uint32_t name, type; /* strings; 0 is none */
    uint16_t bit_offset, bit_size;
    uint8_t kind, element_kind; /* enum df_kind */
    uint16_t unused;
};

struct df_ct_name { /* a name, or a typedef, of a type */
    uint32_t name, type;
};

struct df_ct_enumerator {
    int64_t value;
    uint32_t name, unused;
};

struct df_ct_variable {
    uint64_t address, size;
    uint32_t name, unused;
};

struct df_ct_table {
    struct df_ct_header *image; /* malloc'ed; owns the rest */
    uint64_t bytes;
    const struct df_ctype *types;
    const struct df_ct_member *members;
    const struct df_ct_name *names;
    const struct df_ct_enumerator *enumerators;
    const struct df_ct_variable *variables;
    const char *strings;
};

/* Takes over a malloc'ed block that says that it is a table. False when anything in it is not as it
 * should be; the block is then freed. The magic, version and checksum are checked too. */
bool df_ct_table_adopt(void *image, uint64_t bytes, struct df_ct_table *ret);
void df_ct_table_deinit(struct df_ct_table *table);
/* To be called when the header was changed. */
void df_ct_table_seal(struct df_ct_table *table);
/* Of the bytes from `start` on. */
uint64_t df_ct_checksum(const void *image, size_t start, uint64_t bytes);

const struct df_ctype *df_ct_find(const struct df_ct_table *table, const char *name);
const struct df_ct_enumerator *df_ct_find_enumerator(const struct df_ct_table *table,
                                                     const char *name);
const struct df_ct_variable *df_ct_find_variable(const struct df_ct_table *table, const char *name);

/* A table in the making. Names are string ids from df_ct_string. The first one of a name wins,
 * always. */
struct df_ct_build {
    struct {
        char *items;
        size_t count, capacity;
    } strings;
    struct {
        struct df_ctype *items;
        size_t count, capacity;
    } types;
    struct {
        struct df_ct_member *items;
        size_t count, capacity;
    } members;
    struct {
        struct df_ct_name *items;
        size_t count, capacity;
    } names;
    struct {
        struct df_ct_name *items; /* .type is the string id of the type's name */
        size_t count, capacity;
    } deferred;
    struct {
        struct df_ct_enumerator *items;
        size_t count, capacity;
    } enumerators;
    struct {
        struct df_ct_variable *items;
        size_t count, capacity;
    } variables;
    struct df_map string_ids, name_ids, enumerator_ids, variable_ids;
    uint32_t current; /* the type whose members come */
};

void df_ct_build_init(struct df_ct_build *build);
void df_ct_build_deinit(struct df_ct_build *build);
/* The id of a string, the same for the same bytes. */
uint32_t df_ct_string(struct df_ct_build *build, const char *text);
/* The row of a type by one of its names, or DF_MAP_NONE. */
uint32_t df_ct_build_find(const struct df_ct_build *build, uint32_t name);
/* A new type under its name; its members are to follow with df_ct_build_members. */
uint32_t df_ct_build_type(struct df_ct_build *build, uint32_t name, enum df_kind kind,
                          uint64_t size);
/* One more name of a type; or of whatever type will have the name `target` in the end. */
void df_ct_build_alias(struct df_ct_build *build, uint32_t name, uint32_t type);
void df_ct_build_defer(struct df_ct_build *build, uint32_t name, uint32_t target);
/* The members that follow are of this type. Every type is named at most once. */
void df_ct_build_members(struct df_ct_build *build, uint32_t type);
/* A member that does not lie inside its type is left out. */
void df_ct_build_member(struct df_ct_build *build, const struct df_ct_member *member);
bool df_ct_build_has_enumerator(const struct df_ct_build *build, uint32_t name);
void df_ct_build_enumerator(struct df_ct_build *build, uint32_t name, int64_t value);
bool df_ct_build_has_variable(const struct df_ct_build *build, uint32_t name);
void df_ct_build_variable(struct df_ct_build *build, uint32_t name, uint64_t address,
                          uint64_t size);
struct df_err *df_ct_build_finish(struct df_ct_build *build, struct df_ct_table *ret);

#endif
