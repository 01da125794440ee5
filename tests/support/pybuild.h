/* SPDX-License-Identifier: MIT
 * pybuild.h: CPython objects built in memory, under a layout made by hand, in each of the forms
 * that things have taken from 3.8 to 3.15: no interpreter is needed.
 *
 * Everything lies in one range of a small address space that can be read, with a lost page behind
 * it. Objects are built with the same layout that reads them: what is tested is the reading, not
 * the offsets, which the oracle tests check on real interpreters.
 */
#ifndef TESTS_SUPPORT_PYBUILD_H
#define TESTS_SUPPORT_PYBUILD_H

#include "analyzer/objects/object.h"

struct pb_form {
    const char *name;
    enum py_int_shape int_shape;
    enum py_keys_shape keys_shape;
    enum py_attr_shape attr_shape;
    enum py_inline_place inline_place;
    enum py_managed_visit managed_visit;
    enum py_ref_shape ref_shape;
    enum py_frame_shape frame_shape;
    bool no_lookup_symbol; /* stripped: lookdict's address is not known */
    bool stack_depth;      /* 3.10's frames */
    bool generator_code;   /* gi_code is a field and visited */
    bool free_threaded;
};
extern const struct pb_form pb_forms[];
extern const size_t pb_form_count;

#define PB_BASE UINT64_C(0x7f1200000000)
#define PB_SIZE UINT64_C(0x80000)
#define PB_LOST (PB_BASE + PB_SIZE) /* a page that existed and is not in the dump */
#define PB_NOWHERE UINT64_C(0x7f4400000000)

struct pb {
    const struct pb_form *form;
    uint8_t *memory;
    uint64_t size; /* of it */
    uint64_t top;
    struct py py;
    struct df_dump dump;
    struct df_core core;
    struct df_modules modules;
    struct df_module module;
    struct py_interpreter interpreter;
    struct py_objects *objects; /* opened by pb_open */
    uint64_t list_head;         /* a collector list of all classes */
    uint64_t last_in_list;
    uint64_t traverses; /* how many functions were made up */
    /* builtin types */
    uint64_t type, object, str, integer, tuple, list, dict, set, cell, function, module_type, code,
        frame, generator, deque, odict, lru, lru_link, boolean, exception, property, weakref;
};

struct pb *pb_create(const struct pb_form *form);
/* With room for `size` bytes, not PB_SIZE; the lost page is behind them. */
struct pb *pb_create_large(const struct pb_form *form, uint64_t size);
void pb_destroy(struct pb *pb);
struct py_objects *pb_open(struct pb *pb); /* when all is built (more can be, later) */

uint64_t pb_take(struct pb *pb, uint64_t bytes); /* zeroed, aligned */
void pb_put(struct pb *pb, uint64_t address, uint64_t word);
uint64_t pb_get(struct pb *pb, uint64_t address);
/* A field of any width, through the layout; nothing happens where it is absent. */
void pb_set(struct pb *pb, uint64_t structure, enum py_field field, uint64_t value);
#define PB_SET(pb, structure, tag, field, value) pb_set(pb, structure, PY_F_##tag##_##field, value)

/* A type that is not made by a class statement, with a tp_traverse of its own. */
uint64_t pb_static_type(struct pb *pb, const char *name, uint64_t flags, uint64_t basic_size,
                        uint64_t item_size, uint64_t base);
/* A class: subtype_traverse, a dict with __module__ "m", its own dict slot or managed attributes
 * when `attributes`, and slots (names end with NULL; may be NULL). Slots lie behind the base. */
uint64_t pb_class(struct pb *pb, const char *name, uint64_t base, bool attributes,
                  const char *const *slots);
/* Gives a class shared keys. */
uint64_t pb_share_keys(struct pb *pb, uint64_t type, size_t count, const char *const *names);
/* Space for an object with what comes before it; the count is 1. */
uint64_t pb_object(struct pb *pb, uint64_t type, uint64_t bytes);

uint64_t pb_str(struct pb *pb, const char *ascii);
uint64_t pb_str_wide(struct pb *pb, size_t count, const uint32_t *points, unsigned kind);
uint64_t pb_int(struct pb *pb, int64_t value);
uint64_t pb_tuple(struct pb *pb, size_t count, const uint64_t *items);
uint64_t pb_list(struct pb *pb, size_t count, const uint64_t *items, size_t allocated);

enum pb_table { PB_GENERAL, PB_UNICODE, PB_SHARED };
/* A keys object with room for 1 << log2 slots; values are 0 in a shared one. */
uint64_t pb_keys(struct pb *pb, enum pb_table kind, unsigned log2, size_t count,
                 const uint64_t *keys, const uint64_t *values);
uint64_t pb_dict(struct pb *pb, enum pb_table kind, size_t count, const uint64_t *keys,
                 const uint64_t *values);
/* A dict that shares keys; values are copied to an array of its own. */
uint64_t pb_split_dict(struct pb *pb, uint64_t keys, size_t count, const uint64_t *values);

#endif
