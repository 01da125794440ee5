/* SPDX-License-Identifier: MIT
 * internal.h: what the files of this folder share: the state behind struct py_objects, and the
 * tables that say which walker and which size rule serve a type.
 */
#ifndef PY_OBJECTS_INTERNAL_H
#define PY_OBJECTS_INTERNAL_H

#include "analyzer/objects/object.h"
#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/emulator.h"

#define PY_BAD_TYPE (UINT32_MAX - 1) /* in type_map: looked at, is no type */
#define PY_MAX_BAD_TYPES 1000000     /* addresses that are remembered as no type */
#define PY_MAX_WORDS 65536           /* words of an object that a scan or a label search looks at */
#define PY_MAX_LEDGER 64             /* distinct reasons */
#define PY_MAX_SHARED_KEYS 65536     /* attributes of one class that share their keys */
#define PY_MAX_SIZE (UINT64_C(1) << 47) /* bytes of one object: no address space has more */

#define PY_SHARED_TABLES 256 /* tables of keys that are remembered */

struct py_names;
struct py_debug; /* structs.c: debug information of modules, opened on demand */

struct py_table {                  /* of a dict's keys, read and found plausible */
    uint64_t keys, entries, count; /* count: dk_nentries */
    uint64_t size;                 /* of the hash table: a power of two */
    uint32_t entry_size, key_at, value_at;
    bool string_keys; /* dict_traverse visits no keys */
    bool split_kind;
};

struct py_told_type { /* of which scouts learn */
    struct py_type *type;
    bool settled; /* else it is only a base of one that is */
};
struct py_told {
    struct py_told_type *items;
    size_t count, capacity;
};

/* A worker is a copy of its owner, made while that rests: tables and types are the owner's and are
 * only read; reader, ledger, remembered tables of keys and scratch are its own. */
struct py_objects {
    struct py *py;
    struct py_reader reader;
    bool is_worker; /* meets no new types, runs no code */

    struct py_type **types;
    size_t type_count, type_capacity;
    struct df_map type_map;     /* address of a type -> index, or PY_BAD_TYPE */
    uint64_t last_type;         /* the one that was asked for last, */
    uint32_t last_index;        /* and its number: objects of one type lie side by side */
    struct df_map traverse_map; /* tp_traverse -> index of the first type with a row that has it */
    size_t bad_types;
    uint64_t subtype_traverse; /* address; 0 when it could not be told */
    bool subtype_traverse_known;
    uint64_t type_type; /* address of `type` itself, once met */

    struct df_emulator *emulator;
    bool emulator_tried, no_emulator;
    char *emulator_note;
    struct df_targets targets; /* scratch of emulated batches */
    uint64_t size_calls;       /* emulated __sizeof__ calls since the last reset */

    struct py_ledger_row ledger[PY_MAX_LEDGER];
    uint32_t ledger_count;

    struct df_map gc_map;     /* objects whose tp_is_gc was asked -> what it said */
    struct df_map sizeof_map; /* address of a type -> row of sizeofs: its own __sizeof__ */
    struct {
        uint64_t *items;
        size_t count, capacity;
    } sizeofs;

    struct py_table tables[PY_SHARED_TABLES]; /* by address; walk_dict.c's */
    struct py_table last_table;               /* likewise */
    struct py_debug *debug;
    struct py_names *names;               /* names.c; NULL until one is asked for */
    struct py_thread_names *thread_names; /* threadnames.c; the same */
    struct py_refs scratch;

    struct py_objects_source source;
    struct py_refs sourced;   /* scratch of source.references */
    struct py_type *restored; /* the first restored_count types: one block */
    size_t restored_count;

    struct py_told settled, told; /* scouts.c's; `told` is under the lock of whoever has scouts */
    size_t settled_told, heard;   /* of settled: are in `told`. A scout's: of `told` */
};

/* saved.c: fills a fresh `objects` from its dump's snapshot. */
struct df_err *py_objects_restore(struct py_objects *objects);

/* A row of known.c: who walks the types of this name and of the same tp_traverse. */
struct py_known {
    const char *name; /* module.qualname as struct py_type has it */
    py_walker walk;
    const void *data;    /* the walker's own: for rows of plain fields, their list */
    enum py_field needs; /* a field without which the walker is of no use */
};
/* NULL when there is none, or none for this build. */
const struct py_known *py_known_type(const struct py_layout *layout, const struct py_type *type);
/* The same for types without HAVE_GC, whose references nobody visits. */
const struct py_known *py_known_owner(const struct py_layout *layout, const struct py_type *type);
/* The row of py_known_type that the type's walker and data are of; NULL when they are of none. */
const struct py_known *py_known_row_of(const struct py_type *type);

/* A plain field of a row. */
struct py_known_field {
    enum py_field field;
    const char *label; /* as it reads behind the holder: "__func__" */
    uint8_t kind;      /* enum py_ref_kind */
    uint8_t tag_mask;  /* low bits of the word that are no address */
};
enum { PY_ROW_FIELDS = 24 };
struct py_known_row { /* without fields: another object's tp_traverse visits what this one owns */
    bool visits_type; /* tp_traverse visits Py_TYPE(self) when the type is a heap type */
    uint8_t count;
    struct py_known_field fields[PY_ROW_FIELDS];
};

/* Whether the process had memory for `count` words at address in one piece, be it in the dump or
 * not: what a count must pass to be believed, so that one that lies costs no more than the memory
 * that is there. */
bool py_plausible_words(const struct py_objects *objects, uint64_t address, uint64_t count);

/* What an object visits by its tp_traverse but has its tp_is_gc deny is owned. */
void py_disown(struct py_refs *refs, size_t first);
/* Is there a collector's header in front of it? */
bool py_has_gc_head(struct py_objects *objects, uint64_t object, const struct py_type *type);

/* The name of a static type whose own is in a file that is not at hand, NULL when no module knows
 * it (names.c). */
const char *py_static_name(struct py_objects *objects, uint64_t type);
void py_names_close(struct py_names *names);               /* NULL is allowed */
void py_thread_names_close(struct py_thread_names *names); /* threadnames.c; NULL is allowed */

/* Walkers. */
enum py_status py_walk_row(struct py_objects *, const struct py_type *, uint64_t, struct py_refs *);
enum py_status py_walk_tuple(struct py_objects *, const struct py_type *, uint64_t,
                             struct py_refs *);
enum py_status py_walk_structseq(struct py_objects *, const struct py_type *, uint64_t,
                                 struct py_refs *);
/* Fields of a struct sequence's type, hidden ones too; 0 when it is none. */
uint64_t py_structseq_fields(struct py_objects *objects, const struct py_type *type);
enum py_status py_walk_list(struct py_objects *, const struct py_type *, uint64_t,
                            struct py_refs *);
enum py_status py_walk_set(struct py_objects *, const struct py_type *, uint64_t, struct py_refs *);
enum py_status py_walk_dict(struct py_objects *, const struct py_type *, uint64_t,
                            struct py_refs *);
enum py_status py_walk_defaultdict(struct py_objects *, const struct py_type *, uint64_t,
                                   struct py_refs *);
enum py_status py_walk_odict(struct py_objects *, const struct py_type *, uint64_t,
                             struct py_refs *);
enum py_status py_walk_deque(struct py_objects *, const struct py_type *, uint64_t,
                             struct py_refs *);
enum py_status py_walk_lru(struct py_objects *, const struct py_type *, uint64_t, struct py_refs *);
enum py_status py_walk_type(struct py_objects *, const struct py_type *, uint64_t,
                            struct py_refs *);
enum py_status py_walk_code(struct py_objects *, const struct py_type *, uint64_t,
                            struct py_refs *);
/* walk_numpy.c */
enum py_status py_walk_ndarray(struct py_objects *, const struct py_type *, uint64_t,
                               struct py_refs *);
enum py_status py_walk_dtype(struct py_objects *, const struct py_type *, uint64_t,
                             struct py_refs *);
enum py_status py_walk_void_scalar(struct py_objects *, const struct py_type *, uint64_t,
                                   struct py_refs *);
/* The memory of an array that owns it; false when it owns none. */
bool py_numpy_data(struct py_objects *objects, uint64_t object, uint64_t *ret_address,
                   uint64_t *ret_size);
/* An array's dimensions (of which `room` at most are stored), the kind of its elements ('f':
 * floats; numpy.dtype.kind) and their size; 0 of either when the dtype cannot be read. */
uint32_t py_numpy_shape(struct py_objects *objects, uint64_t object, uint64_t *ret_dimensions,
                        uint32_t room, char *ret_kind, uint64_t *ret_item);
enum py_status py_walk_frame(struct py_objects *, const struct py_type *, uint64_t,
                             struct py_refs *);
enum py_status py_walk_generator(struct py_objects *, const struct py_type *, uint64_t,
                                 struct py_refs *);
enum py_status py_walk_module(struct py_objects *, const struct py_type *, uint64_t,
                              struct py_refs *);
/* What dict_traverse, type_traverse, module_traverse leave out. */
void py_own_dict_keys(struct py_objects *objects, uint64_t dict, struct py_refs *refs);
void py_own_type_parts(struct py_objects *objects, uint64_t type, struct py_refs *refs);
void py_own_module_name(struct py_objects *objects, uint64_t module, struct py_refs *refs);
enum py_status py_walk_timezone_owner(struct py_objects *, const struct py_type *, uint64_t,
                                      struct py_refs *);
/* An object that the collector does not look at: what the nearest known base owns, or what the
 * structure says; not its type. */
enum py_status py_walk_unvisited(struct py_objects *, const struct py_type *, uint64_t,
                                 struct py_refs *);
/* Whether it is walked by its structure, by its tp_members, or owns nothing: for good. */
void py_find_members(struct py_objects *objects, struct py_type *type);
/* An object of a heap type owns its type (3.8+, bpo-35810): pushes it where nothing from `first` on
 * is a reference to it, which many a tp_traverse forgets. Objects that are part of a mapped file
 * own nothing. */
void py_own_type(struct py_objects *objects, const struct py_type *type, uint64_t object,
                 struct py_refs *refs, size_t first);
/* An instance of a Python class, all but what its base's traverse visits: slots, attributes, type.
 */
enum py_status py_walk_instance(struct py_objects *, const struct py_type *, uint64_t,
                                struct py_refs *);
/* Whether a Python class adds slots to its bases', or it cannot be told. */
bool py_may_have_slots(struct py_objects *objects, const struct py_type *class);
/* The base whose traverse subtype_traverse ends in; NULL when it has none. */
const struct py_type *py_instance_base(struct py_objects *objects, const struct py_type *type);

/* Where an instance keeps its attributes, by the layout's shape. */
struct py_attributes {
    uint64_t dict;   /* dict object, 0 when none */
    uint64_t hidden; /* a dict that shares the values, which are visited instead of it */
    uint64_t values; /* address of the first value, 0 when not in use */
    uint64_t value_count;
    uint64_t keys; /* the type's cached keys object (for names), 0 when none */
};
void py_instance_attributes(struct py_objects *objects, const struct py_type *type, uint64_t object,
                            struct py_attributes *ret);
/* The name object of the i-th shared key; 0 when unreadable. */
uint64_t py_shared_key(struct py_objects *objects, uint64_t keys, uint64_t i);
/* Number of entries that a keys object says it has (bounded); 0 when implausible. */
uint64_t py_keys_entries(struct py_objects *objects, uint64_t keys);
/* Whether a member of a type's structure counts no reference (borrowed.c). */
bool py_is_borrowed_member(const struct py_type *type, const char *member);

/* buffers.c: the rules of a type whose bases are known. */
uint16_t py_buffer_rules(struct py_objects *objects, const struct py_type *type);

/* sizes.c: finds the sizer when it is not known, and what all objects of the type have in common.
 */
void py_settle_sizer(struct py_objects *objects, struct py_type *type);
/* The sizers by name, for snapshots: a class whose __sizeof__ it is, or one for what is run.
 * NULL: there is none of this name, or none for this build. */
const char *py_sizer_name(py_sizer sizer);
py_sizer py_sizer_named(const struct py_layout *layout, const char *name);
void py_find_sizers(struct py_objects *objects); /* of all types (objects.c) */
/* Bytes of a keys object as _PyDict_KeysSize counts them; 0 when implausible. */
uint64_t py_keys_size(struct py_objects *objects, uint64_t keys);

/* emulated.c */
struct df_emulator *py_emulator(struct py_objects *objects); /* NULL when there is none */
enum py_status py_walk_fallback(struct py_objects *objects, const struct py_type *type,
                                uint64_t object, struct py_refs *refs);

/* T_OBJECT members of the type and its bases: exact as far as they go. How many were pushed. */
size_t py_push_members(struct py_objects *objects, const struct py_type *type, uint64_t object,
                       enum py_ref_kind ref_kind, struct py_refs *refs);

/* probe.c: decides layout.managed_visit by what the dead code does, where it can be asked. */
void py_probe_managed_visit(struct py_objects *objects);

/* structs.c: names of an object's words from the debug information of the module that defines its
 * type: the member's name at a byte offset, or NULL. Lives as long as `objects`. */
const char *py_struct_member(struct py_objects *objects, const struct py_type *type,
                             uint64_t offset);
/* Pushes the object pointers of the structure; false when it is not known or has none. */
bool py_struct_push(struct py_objects *objects, const struct py_type *type, uint64_t object,
                    struct py_refs *refs);
/* Pushes them as owned: for types without tp_traverse. Structs within it are looked at; heads of
 * lists of weak references are left out. False when the type has no such pointer. */
bool py_struct_own(struct py_objects *objects, const struct py_type *type, uint64_t object,
                   struct py_refs *refs);
bool py_struct_owns(struct py_objects *objects, const struct py_type *type);
void py_debug_close(struct py_debug *debug);
/* structs_saved.c: adds the structures of all types that were met to a snapshot. */
struct df_err *py_structs_save(struct py_objects *objects, struct df_necro_writer *writer);

static inline void py_push(struct py_refs *refs, uint64_t target, enum py_ref_kind kind,
                           enum py_label label, uint64_t argument)
{
    if (!target)
        return;
    if (refs->count == refs->capacity)
        refs->items = df_grow(refs->items, refs->count, &refs->capacity, sizeof(*refs->items));
    refs->items[refs->count++] = (struct py_ref){
        .target = target, .argument = argument, .kind = (uint8_t)kind, .label = (uint8_t)label};
}

/* An item of a container of any size. */
static inline void py_push_item(struct py_refs *refs, uint64_t target, enum py_ref_kind kind,
                                enum py_label label, uint64_t argument)
{
    if (!refs->only || target == refs->only)
        py_push(refs, target, kind, label, argument);
}

static inline void py_push_field(struct py_refs *refs, uint64_t target, enum py_ref_kind kind,
                                 const char *label)
{
    py_push(refs, target, kind, PY_LABEL_FIELD, (uint64_t)(uintptr_t)label);
}

/* The status that a reader's sticky fault means; clears it. */
static inline enum py_status py_reader_status(struct py_objects *objects)
{
    bool fault = objects->reader.fault;
    objects->reader.fault = false;
    return fault ? PY_FAULT : PY_OK;
}

#endif
