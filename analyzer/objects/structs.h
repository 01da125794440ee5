/* SPDX-License-Identifier: MIT
 * structs.h: the C structure behind a type, from debug information (structs.c) or from a snapshot
 * (structs_saved.c). Private to the two.
 */
#ifndef PY_STRUCTS_H
#define PY_STRUCTS_H

#include "analyzer/objects/internal.h"

struct debug_module {
    const struct df_module *module;
    struct df_ctypes *types; /* NULL when it has none */
    bool owned;              /* else struct py's */
};

struct owned_field {
    uint32_t offset;
    bool nested; /* in a struct within the struct */
    const char *name;
};

struct saved_row; /* structs_saved.c */

struct type_struct {
    uint64_t type; /* address */
    struct df_ctypes *types;
    const struct df_ctype *structure; /* NULL when unknown, or of a snapshot */
    const struct saved_row *rows;     /* of a snapshot; NULL when unknown */
    uint32_t row_count;
    const char *names; /* of rows */
    struct {
        struct owned_field *items; /* of py_struct_own; filled when it is first asked */
        size_t count, capacity;
    } owned;
    bool owned_known;
};

struct py_debug {
    struct debug_module *items;
    size_t count, capacity;
    struct df_map by_type; /* type address -> row of structs */
    struct {
        struct type_struct *items;
        size_t count, capacity;
    } structs;
};

/* The structure of a type, perhaps unknown; valid until another type's is asked for. */
struct type_struct *py_find_struct(struct py_objects *objects, const struct py_type *type);

/* Calls visit with pointers in a structure: name may be NULL; nested: in a struct within it. */
typedef void (*py_struct_visitor)(void *context, uint64_t offset, const char *name, bool nested);
/* Members whose types say that they point to objects. */
void py_struct_pointers(const struct type_struct *found, py_struct_visitor visit, void *context);
/* All pointers to what begins with an object's header, in structs within the struct too, behind its
 * own header. */
void py_struct_objects(const struct type_struct *found, uint64_t header, py_struct_visitor visit,
                       void *context);

/* Takes the structure of a type from the snapshot, if it is there. */
void py_saved_struct(struct py_objects *objects, const struct py_type *type,
                     struct type_struct *ret);
const char *py_saved_member(const struct type_struct *found, uint64_t offset);
void py_saved_pointers(const struct type_struct *found, py_struct_visitor visit, void *context);
void py_saved_objects(const struct type_struct *found, py_struct_visitor visit, void *context);

#endif
