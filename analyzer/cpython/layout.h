/* SPDX-License-Identifier: MIT
 * layout.h: where CPython keeps what, in this very build: offsets and shapes, decided once.
 *
 * Offsets come from a source of trust (in order: the DWARF of the exact build; `_Py_DebugOffsets`
 * in the core, 3.13+; a table of known layouts; probing) and each remembers which. A *shape* is a
 * form that a thing takes, told by which fields exist, not by a version number; where only the
 * version tells (a change of behaviour without a change of layout), layout.c decides it from the
 * hexadecimal version and nobody after it asks.
 *
 * An absent field is PY_ABSENT, never 0; PY_HAS asks.
 */
#ifndef PY_LAYOUT_H
#define PY_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "dumpfmt/ctype.h"
#include "dumpfmt/dump.h"

enum py_struct {
#define PY_STRUCT(tag, module, names) PY_S_##tag,
#define PY_FIELD(tag, field, paths)
#include "analyzer/cpython/pyfields.def"
#undef PY_STRUCT
#undef PY_FIELD
    PY_STRUCTS
};

enum py_field {
#define PY_STRUCT(tag, module, names)
#define PY_FIELD(tag, field, paths) PY_F_##tag##_##field,
#include "analyzer/cpython/pyfields.def"
#undef PY_STRUCT
#undef PY_FIELD
    PY_FIELDS
};

#define PY_ABSENT UINT32_MAX

enum py_source {
    PY_SOURCE_NONE,
    PY_SOURCE_DWARF,
    PY_SOURCE_DEBUG_OFFSETS,
    PY_SOURCE_TABLE,
    PY_SOURCE_PROBE
};

/* ints: sign in ob_size (up to 3.11), or tag word (3.12+) */
enum py_int_shape { PY_INT_OB_SIZE, PY_INT_LV_TAG };
/* dict keys: dk_size (up to 3.10), or logarithms and a kind (3.11+) */
enum py_keys_shape { PY_KEYS_SIZE, PY_KEYS_LOG2 };
/* attributes of instances of Python classes:
 *  DICT         a dict at tp_dictoffset (up to 3.10)
 *  SPLIT        values and dict pointers before the object, -4 and -3 words (3.11)
 *  TAGGED       one tagged word at -3: values (bit 0 set) or dict (3.12)
 *  INLINE       dict pointer at -3, values inline in the object (3.13+) */
enum py_attr_shape { PY_ATTR_DICT, PY_ATTR_SPLIT, PY_ATTR_TAGGED, PY_ATTR_INLINE };
/* where inline values start: after the header (3.13), or at tp_basicsize (3.14+) */
enum py_inline_place { PY_INLINE_AFTER_HEADER, PY_INLINE_AT_BASICSIZE };
/* what PyObject_VisitManagedDict visits when a dict shares the inline values: the values (until
 * GH-130327), or the dict (since) */
enum py_managed_visit { PY_VISIT_VALUES, PY_VISIT_DICT };
/* reference counts: plain (up to 3.11), 32-bit sign test (3.12, 3.13), 32-bit half (3.14+), biased
 * (free-threaded) */
enum py_ref_shape { PY_COUNT_PLAIN, PY_COUNT_SIGN32, PY_COUNT_HALF32, PY_COUNT_BIASED };
/* frames: objects (up to 3.10), interpreter frames with pointers (3.11 to 3.13), with tagged
 * references (3.14+) */
enum py_frame_shape { PY_FRAME_OBJECTS, PY_FRAME_POINTERS, PY_FRAME_STACKREFS };
/* line tables: co_lnotab (up to 3.9), co_linetable pairs (3.10), location entries (3.11+) */
enum py_line_shape { PY_LINES_LNOTAB, PY_LINES_PAIRS, PY_LINES_LOCATIONS };
/* f_lasti / instruction pointer: byte offset (up to 3.9), instruction index (3.10), pointer to the
 * last executed unit (3.11, 3.12), pointer to the current or next unit (3.13+) */
enum py_lasti_shape { PY_LASTI_BYTES, PY_LASTI_UNITS, PY_LASTI_PREVIOUS, PY_LASTI_NEXT };
/* where static builtin types keep their dict, subclasses and weak list: in themselves, or per
 * interpreter (3.12+) */
enum py_static_type_shape { PY_STATIC_IN_TYPE, PY_STATIC_PER_INTERPRETER };
/* the collector's lists: linked by PyGC_Head, or none (free-threaded: allocator pages) */
enum py_gc_shape { PY_GC_LISTS, PY_GC_PAGES };
/* what a collection stops tracking before it counts anything, where it refers to nothing tracked:
 * nothing (it does so afterwards, with what is alive); dicts and tuples (3.13t), tuples (3.14t+) */
enum py_untrack { PY_UNTRACKS_LATE, PY_UNTRACKS_DICTS_TUPLES, PY_UNTRACKS_TUPLES };

/* A slot of the runtime's own state that owns a reference to an object: a root. */
struct py_slot {
    char *path;      /* as C would write it from its structure: "codecs.search_cache" */
    uint32_t offset; /* bytes from the structure's start */
    uint32_t count;  /* pointers; 1 for a plain member */
    uint32_t stride; /* bytes from one pointer to the next: 8, or more in an array of structs */
};

struct py_slots {
    struct py_slot *items;
    size_t count, capacity;
};

struct py_layout {
    uint32_t offset[PY_FIELDS]; /* bytes, or PY_ABSENT */
    uint8_t size[PY_FIELDS]; /* bytes of the member (of a bit field: its storage unit); 255: more */
    uint8_t bit_offset[PY_FIELDS];
    uint8_t bit_size[PY_FIELDS];      /* 0: not a bit field */
    uint8_t source[PY_FIELDS];        /* enum py_source */
    uint32_t struct_size[PY_STRUCTS]; /* bytes, or PY_ABSENT */
    uint8_t struct_source[PY_STRUCTS];

    uint32_t version; /* PY_VERSION_HEX, for the report only; 0 when unknown */
    bool free_threaded, debug_build, trace_refs;
    bool keys_hold_unicode_kind; /* dk_kind tells unicode tables apart */
    uint64_t general_lookup;     /* address of lookdict: dk_lookup of general tables (up to 3.10); 0
                                    unknown */

    uint32_t gc_head_size; /* bytes before a collected object; 0 in free-threaded builds */
    enum py_int_shape int_shape;
    enum py_keys_shape keys_shape;
    enum py_attr_shape attr_shape;
    enum py_inline_place inline_place;
    enum py_managed_visit managed_visit; /* by the version; objects/probe.c asks the code itself */
    enum py_ref_shape ref_shape;
    enum py_frame_shape frame_shape;
    enum py_line_shape line_shape;
    enum py_lasti_shape lasti_shape;
    enum py_static_type_shape static_type_shape;
    enum py_gc_shape gc_shape;
    enum py_untrack untrack;
    bool managed_weakref;        /* types may keep the weak list before the object (3.12+) */
    bool generator_visits_code;  /* gen_traverse visits gi_code (up to 3.11) */
    bool frame_visits_func;      /* _PyFrame_Traverse visits f_funcobj */
    bool presize_by_type;      /* sys.getsizeof adds the GC head by the type's flag, not by the object
                                  (3.11, 3.12): static types have it counted */
    bool zero_has_digit;         /* int.__sizeof__ counts a digit for 0 (3.11+) */
    uint32_t presize_dict_words; /* words of the pre-header without the GC head: 0 or 2 */
    uint16_t unicode_version;    /* of the character database, 0x0f01: 15.1; what repr calls printable */
    bool odict_shows_pairs;      /* repr: OrderedDict([('a', 1)]) (up to 3.11) */
    bool bytearray_escapes;      /* repr escapes a single quote whatever the text is quoted with (up to
                                    3.14) */
    bool namespace_sorts;        /* repr of types.SimpleNamespace is by name (up to 3.8) */
    int8_t frame_state_created, frame_state_suspended, frame_state_executing, frame_state_completed,
        frame_state_cleared; /* gi_frame_state values */
    uint8_t owner_thread, owner_generator, owner_frame_object,
        owner_skip;                                     /* iframe.owner; >= skip: a shim */
    uint32_t static_type_count, static_extension_count; /* elements of interp.types arrays */

    struct py_slots runtime_slots, interp_slots, thread_slots;
};

/* Where a field is: PY_AT(layout, address, list, ob_item). */
#define PY_OFF(layout, tag, field) ((layout)->offset[PY_F_##tag##_##field])
#define PY_AT(layout, address, tag, field) ((address) + PY_OFF(layout, tag, field))
#define PY_HAS(layout, tag, field) (PY_OFF(layout, tag, field) != PY_ABSENT)
#define PY_SIZEOF(layout, tag) ((layout)->struct_size[PY_S_##tag])

/* tp_flags (Include/object.h). */
#define PY_TPFLAGS_STATIC_BUILTIN (UINT64_C(1) << 1)  /* 3.12+ */
#define PY_TPFLAGS_INLINE_VALUES (UINT64_C(1) << 2)   /* 3.13+ */
#define PY_TPFLAGS_MANAGED_WEAKREF (UINT64_C(1) << 3) /* 3.12+ */
#define PY_TPFLAGS_MANAGED_DICT (UINT64_C(1) << 4)    /* 3.11+ */
#define PY_TPFLAGS_HEAPTYPE (UINT64_C(1) << 9)
#define PY_TPFLAGS_READY (UINT64_C(1) << 12)
#define PY_TPFLAGS_HAVE_GC (UINT64_C(1) << 14)
#define PY_TPFLAGS_LONG (UINT64_C(1) << 24)
#define PY_TPFLAGS_LIST (UINT64_C(1) << 25)
#define PY_TPFLAGS_TUPLE (UINT64_C(1) << 26)
#define PY_TPFLAGS_BYTES (UINT64_C(1) << 27)
#define PY_TPFLAGS_UNICODE (UINT64_C(1) << 28)
#define PY_TPFLAGS_DICT (UINT64_C(1) << 29)
#define PY_TPFLAGS_BASE_EXC (UINT64_C(1) << 30)
#define PY_TPFLAGS_TYPE (UINT64_C(1) << 31)

/* Fills a layout from the debug information of the module that holds the interpreter (and, for
 * structures of extension modules, of those). On success every field that `necessary` code needs
 * exists, or the error names the first one that does not. `cache_directory` as for
 * df_ctypes_open. The layout is deinitialised with py_layout_deinit, *ret_types (the interpreter's,
 * which others may want too; also after an error) closed with df_ctypes_close. */
struct df_err *py_layout_from_dwarf(struct df_dump *dump, struct df_module *python,
                                    const char *cache_directory, struct py_layout *ret,
                                    struct df_ctypes **ret_types);
/* The C types of a module, or why there are none. */
struct df_err *py_open_types(const struct df_module *module, const char *cache_directory,
                             struct df_ctypes **ret);
void py_layout_deinit(struct py_layout *layout);

const char *py_source_name(enum py_source source);    /* "dwarf", ... */
const char *py_field_name(enum py_field field);       /* "list.ob_item" */
const char *py_struct_name(enum py_struct structure); /* "list" */

#endif
