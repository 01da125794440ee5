/* SPDX-License-Identifier: MIT
 * layout.c: names of fields, and the shapes.
 *
 * A shape is told by which fields exist. Where only a behaviour changed the version decides, here
 * and nowhere else; each such line names the change.
 */
#include "analyzer/cpython/layout.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/layout_internal.h"

static const struct {
    const char *name, *module, *names;
} structs[PY_STRUCTS] = {
#define PY_STRUCT(tag, module, names) [PY_S_##tag] = {#tag, module, names},
#define PY_FIELD(tag, field, paths)
#include "analyzer/cpython/pyfields.def"
#undef PY_STRUCT
#undef PY_FIELD
};

static const struct {
    const char *name, *paths;
    enum py_struct structure;
} fields[PY_FIELDS] = {
#define PY_STRUCT(tag, module, names)
#define PY_FIELD(tag, field, paths) [PY_F_##tag##_##field] = {#tag "." #field, paths, PY_S_##tag},
#include "analyzer/cpython/pyfields.def"
#undef PY_STRUCT
#undef PY_FIELD
};

const char *py_field_name(enum py_field field)
{
    return fields[field].name;
}

const char *py_struct_name(enum py_struct structure)
{
    return structs[structure].name;
}

const char *py_field_paths(enum py_field field)
{
    return fields[field].paths;
}

const char *py_struct_names(enum py_struct structure)
{
    return structs[structure].names;
}

const char *py_struct_module(enum py_struct structure)
{
    return structs[structure].module;
}

enum py_struct py_field_struct(enum py_field field)
{
    return fields[field].structure;
}

const char *py_source_name(enum py_source source)
{
    static const char *const names[] = {
        [PY_SOURCE_NONE] = "none",
        [PY_SOURCE_DWARF] = "dwarf",
        [PY_SOURCE_DEBUG_OFFSETS] = "debug-offsets",
        [PY_SOURCE_TABLE] = "table",
        [PY_SOURCE_PROBE] = "probe",
    };
    return names[source];
}

bool py_next_alternative(const char **cursor, char *buffer, size_t size)
{
    if (!**cursor)
        return false;
    size_t length = strcspn(*cursor, "|");
    size_t copied = length < size ? length : size - 1;
    memcpy(buffer, *cursor, copied);
    buffer[copied] = 0;
    *cursor += length + ((*cursor)[length] == '|');
    return true;
}

static int8_t enumerator(const struct df_ctypes *types, const char *name, int8_t otherwise)
{
    int64_t value;
    return types && df_ctypes_enumerator(types, name, &value) && value >= -128 && value < 128
               ? (int8_t)value
               : otherwise;
}

static void frame_shapes(struct py_layout *layout, const struct df_ctypes *types)
{
    bool interpreter_frames = PY_HAS(layout, iframe, localsplus);
    if (!interpreter_frames)
        layout->frame_shape = PY_FRAME_OBJECTS;
    else if (PY_HAS(layout, iframe, stackpointer))
        layout->frame_shape = PY_FRAME_STACKREFS;
    else
        layout->frame_shape = PY_FRAME_POINTERS;
    layout->frame_visits_func = interpreter_frames;
    layout->generator_visits_code = PY_HAS(layout, gen, gi_code);

    if (!PY_HAS(layout, code, co_linetable))
        layout->line_shape = PY_LINES_LNOTAB;
    else
        layout->line_shape = interpreter_frames ? PY_LINES_LOCATIONS : PY_LINES_PAIRS;
    if (!interpreter_frames)
        layout->lasti_shape =
            layout->line_shape == PY_LINES_PAIRS ? PY_LASTI_UNITS : PY_LASTI_BYTES;
    else
        layout->lasti_shape = PY_HAS(layout, iframe, instr_ptr) ? PY_LASTI_NEXT : PY_LASTI_PREVIOUS;

    layout->frame_state_created = enumerator(types, "FRAME_CREATED", -2);
    layout->frame_state_suspended = enumerator(types, "FRAME_SUSPENDED", -1);
    layout->frame_state_executing = enumerator(types, "FRAME_EXECUTING", 0);
    layout->frame_state_completed = enumerator(types, "FRAME_COMPLETED", 1);
    layout->frame_state_cleared = enumerator(types, "FRAME_CLEARED", 4);
    layout->owner_thread = (uint8_t)enumerator(types, "FRAME_OWNED_BY_THREAD", 0);
    layout->owner_generator = (uint8_t)enumerator(types, "FRAME_OWNED_BY_GENERATOR", 1);
    layout->owner_frame_object = (uint8_t)enumerator(types, "FRAME_OWNED_BY_FRAME_OBJECT", 2);
    int8_t c_stack = enumerator(types, "FRAME_OWNED_BY_CSTACK", 3);
    int8_t shim = enumerator(types, "FRAME_OWNED_BY_INTERPRETER", c_stack); /* 3.14+ */
    layout->owner_skip = (uint8_t)(shim < c_stack ? shim : c_stack);
}

/* GH-130327: since 3.13.13, 3.14.4 and 3.15 PyObject_VisitManagedDict visits a materialised dict
 * and not the inline values under it. The layout did not change. */
static enum py_managed_visit managed_visit(uint32_t version)
{
    uint32_t minor = version >> 16 & 0xff, micro = version >> 8 & 0xff;
    bool since = minor > 14 || (minor == 14 && micro >= 4) || (minor == 13 && micro >= 13);
    return since ? PY_VISIT_DICT : PY_VISIT_VALUES;
}

static void object_shapes(struct py_layout *layout, const struct df_ctypes *types)
{
    layout->int_shape = PY_HAS(layout, long, lv_tag) ? PY_INT_LV_TAG : PY_INT_OB_SIZE;
    layout->keys_shape = PY_HAS(layout, dictkeys, dk_log2_size) ? PY_KEYS_LOG2 : PY_KEYS_SIZE;
    layout->keys_hold_unicode_kind = PY_HAS(layout, dictkeys, dk_kind);
    if (layout->free_threaded)
        layout->ref_shape = PY_COUNT_BIASED;
    else if (PY_HAS(layout, object, ob_flags))
        layout->ref_shape = PY_COUNT_HALF32;
    else
        layout->ref_shape =
            PY_HAS(layout, object, ob_refcnt_split) ? PY_COUNT_SIGN32 : PY_COUNT_PLAIN;

    if (!PY_HAS(layout, dictvalues, values))
        layout->attr_shape = PY_ATTR_DICT;
    else if (PY_HAS(layout, dictvalues, capacity))
        layout->attr_shape = PY_ATTR_INLINE;
    else if (layout->int_shape == PY_INT_LV_TAG ||
             (types && df_ctypes_find(types, "PyDictOrValues")))
        layout->attr_shape = PY_ATTR_TAGGED;
    else
        layout->attr_shape = PY_ATTR_SPLIT;
    /* 3.14 gave inline values to classes with slots and to list subclasses, hence the move; told by
     * its frames, which changed in the same version. */
    layout->inline_place =
        PY_HAS(layout, iframe, stackpointer) ? PY_INLINE_AT_BASICSIZE : PY_INLINE_AFTER_HEADER;
    layout->managed_visit = managed_visit(layout->version);
    layout->managed_weakref =
        layout->attr_shape == PY_ATTR_TAGGED || layout->attr_shape == PY_ATTR_INLINE;
    layout->presize_by_type =
        layout->attr_shape == PY_ATTR_SPLIT || layout->attr_shape == PY_ATTR_TAGGED;
    layout->zero_has_digit = layout->keys_shape == PY_KEYS_LOG2;
    layout->presize_dict_words = layout->attr_shape == PY_ATTR_DICT ? 0 : 2;
}

/* What repr changed without a change of layout. An unknown version is taken for the newest. */
void py_layout_texts(struct py_layout *layout)
{
    /* Modules/unicodedata_db.h, UNIDATA_VERSION */
    static const struct {
        uint8_t minor; /* of the first Python with it */
        uint16_t unicode;
    } databases[] = {{15, 0x1100}, {14, 0x1000}, {13, 0x0f01}, {12, 0x0f00},
                     {11, 0x0e00}, {9, 0x0d00},  {0, 0x0c01}};
    uint32_t minor = layout->version ? layout->version >> 16 & 0xff : 0xff;
    size_t row = 0;
    while (databases[row].minor > minor)
        row++;
    layout->unicode_version = databases[row].unicode;
    layout->odict_shows_pairs = minor < 12;
    layout->bytearray_escapes = minor < 15;
    layout->namespace_sorts = minor < 9;
}

void py_layout_shapes(struct py_layout *layout, const struct df_ctypes *types)
{
    layout->free_threaded = PY_HAS(layout, object, ob_tid);
    layout->trace_refs = PY_HAS(layout, object, ob_next) || PY_HAS(layout, interp, refchain);
    uint64_t address, size;
    layout->debug_build = PY_HAS(layout, interp, reftotal) ||
                          (types && df_ctypes_variable(types, "_Py_RefTotal", &address, &size));
    object_shapes(layout, types);
    frame_shapes(layout, types);
    py_layout_texts(layout);
    layout->gc_shape = layout->free_threaded ? PY_GC_PAGES : PY_GC_LISTS;
    /* update_refs, Python/gc_free_threading.c; in 3.14, whose frames changed too, dicts stay. */
    if (layout->free_threaded)
        layout->untrack = layout->frame_shape == PY_FRAME_STACKREFS ? PY_UNTRACKS_TUPLES
                                                                    : PY_UNTRACKS_DICTS_TUPLES;
    layout->gc_head_size = layout->free_threaded || PY_SIZEOF(layout, gc_head) == PY_ABSENT
                               ? 0
                               : PY_SIZEOF(layout, gc_head);
    layout->static_type_shape =
        PY_HAS(layout, interp, types_builtins) ? PY_STATIC_PER_INTERPRETER : PY_STATIC_IN_TYPE;
}

static void slots_deinit(struct py_slots *slots)
{
    for (size_t i = 0; i < slots->count; i++)
        free(slots->items[i].path);
    free(slots->items);
    *slots = (struct py_slots){0};
}

void py_layout_deinit(struct py_layout *layout)
{
    slots_deinit(&layout->runtime_slots);
    slots_deinit(&layout->interp_slots);
    slots_deinit(&layout->thread_slots);
}
