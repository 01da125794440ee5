/* SPDX-License-Identifier: MIT
 * debug_offsets.c: the interpreter's own list of offsets, read from the dump (3.13+).
 *
 * `_Py_DebugOffsets` is the first member of _PyRuntime (Include/internal/pycore_debug_offsets.h,
 * for out-of-process profilers). It begins with a cookie, the full version, and whether the build
 * is free-threaded; then come offsets and sizes, 8 bytes each. Where each of them lies is a matter
 * of the minor version, and comes from the layout, like any structure. What it says is foreign: an
 * offset outside the structure that it is about is no offset.
 */
#include <string.h>

#include "analyzer/cpython/layout_internal.h"

#define MAX_STRUCT (1u << 24) /* bytes of a structure; the largest, an interpreter, has 400 KiB */
#define COOKIE "xdebugpy"

#define FIELD(from, tag, field)                                           \
    {                                                                     \
        PY_F_debugoffsets_##from, false, PY_S_##tag, PY_F_##tag##_##field \
    }
#define SIZE(from, tag)                                       \
    {                                                         \
        PY_F_debugoffsets_##from, true, PY_S_##tag, PY_FIELDS \
    }
static const struct {
    enum py_field from;
    bool is_size;
    enum py_struct structure;
    enum py_field field;
} members[] = {
    SIZE(runtime_size, runtime),
    FIELD(runtime_finalizing, runtime, finalizing),
    FIELD(runtime_interpreters_head, runtime, interpreters_head),
    SIZE(interp_size, interp),
    FIELD(interp_id, interp, id),
    FIELD(interp_next, interp, next),
    FIELD(interp_threads_head, interp, threads_head),
    FIELD(interp_gc, interp, gc),
    FIELD(interp_modules, interp, modules),
    FIELD(interp_sysdict, interp, sysdict),
    FIELD(interp_builtins, interp, builtins),
    FIELD(interp_gil, interp, gil),
    SIZE(thread_size, thread),
    FIELD(thread_next, thread, next),
    FIELD(thread_interp, thread, interp),
    FIELD(thread_current_frame, thread, current_frame),
    FIELD(thread_thread_id, thread, thread_id),
    FIELD(thread_native_thread_id, thread, native_thread_id),
    FIELD(thread_datastack_chunk, thread, datastack_chunk),
    SIZE(iframe_size, iframe),
    FIELD(iframe_previous, iframe, previous),
    FIELD(iframe_executable, iframe, executable),
    FIELD(iframe_instr_ptr, iframe, instr_ptr),
    FIELD(iframe_localsplus, iframe, localsplus),
    FIELD(iframe_owner, iframe, owner),
    FIELD(iframe_stackpointer, iframe, stackpointer),
    FIELD(iframe_tlbc_index, iframe, tlbc_index),
    SIZE(code_size, code),
    FIELD(code_filename, code, co_filename),
    FIELD(code_name, code, co_name),
    FIELD(code_qualname, code, co_qualname),
    FIELD(code_linetable, code, co_linetable),
    FIELD(code_firstlineno, code, co_firstlineno),
    FIELD(code_argcount, code, co_argcount),
    FIELD(code_localsplusnames, code, co_localsplusnames),
    FIELD(code_localspluskinds, code, co_localspluskinds),
    FIELD(code_code_adaptive, code, co_code_adaptive),
    FIELD(code_tlbc, code, co_tlbc),
    SIZE(object_size, object),
    FIELD(object_ob_type, object, ob_type),
    SIZE(type_size, type),
    FIELD(type_tp_name, type, tp_name),
    FIELD(type_tp_flags, type, tp_flags),
    FIELD(tuple_ob_size, varobject, ob_size),
    FIELD(tuple_ob_item, tuple, ob_item),
    SIZE(list_size, list),
    FIELD(list_ob_item, list, ob_item),
    SIZE(set_size, set),
    FIELD(set_used, set, used),
    FIELD(set_table, set, table),
    FIELD(set_mask, set, mask),
    SIZE(dict_size, dict),
    FIELD(dict_ma_keys, dict, ma_keys),
    FIELD(dict_ma_values, dict, ma_values),
    SIZE(float_size, float),
    FIELD(float_ob_fval, float, ob_fval),
    SIZE(long_size, long),
    FIELD(long_lv_tag, long, lv_tag),
    FIELD(long_ob_digit, long, ob_digit),
    FIELD(bytes_ob_sval, bytes, ob_sval),
    FIELD(unicode_length, ascii, length),
    SIZE(ascii_size, ascii),
    SIZE(gc_size, gcstate),
    FIELD(gc_collecting, gcstate, collecting),
    SIZE(gen_size, gen),
    FIELD(gen_gi_name, gen, gi_name),
    FIELD(gen_gi_iframe, gen, gi_iframe),
    FIELD(gen_gi_frame_state, gen, gi_frame_state),
};

bool py_debug_offsets(const struct df_aspace *space, uint64_t runtime, uint32_t *ret_version,
                      bool *ret_free_threaded)
{
    char cookie[8];
    uint64_t version, free_threaded;
    if (!df_read(space, runtime, cookie, sizeof(cookie)) ||
        memcmp(cookie, COOKIE, sizeof(cookie)) != 0 || !df_u64(space, runtime + 8, &version) ||
        !df_u64(space, runtime + 16, &free_threaded))
        return false;
    if (version >> 24 != 3 || (version >> 16 & 0xff) < 13 || free_threaded > 1)
        return false;
    *ret_version = (uint32_t)version;
    *ret_free_threaded = free_threaded != 0;
    return true;
}

/* The size of the structure that member i is about, as the list itself says, else the layout. */
static uint64_t outer_size(const struct df_aspace *space, const struct py_layout *layout,
                           uint64_t list, size_t i)
{
    uint64_t size;
    for (size_t k = 0; k < sizeof(members) / sizeof(*members); k++)
        if (members[k].is_size && members[k].structure == members[i].structure &&
            layout->offset[members[k].from] != PY_ABSENT &&
            df_u64(space, list + layout->offset[members[k].from], &size) && size <= MAX_STRUCT)
            return size;
    return layout->struct_size[members[i].structure];
}

void py_debug_offsets_each(const struct df_aspace *space, const struct py_layout *layout,
                           uint64_t runtime, py_debug_offset_visitor visit, void *context)
{
    uint32_t version;
    bool free_threaded;
    if (!py_debug_offsets(space, runtime, &version, &free_threaded))
        return;
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        uint64_t value;
        uint32_t at = layout->offset[members[i].from];
        if (at == PY_ABSENT || !df_u64(space, runtime + at, &value))
            continue;
        uint64_t end = members[i].is_size ? MAX_STRUCT : outer_size(space, layout, runtime, i);
        struct py_debug_offset offset = {
            .field = members[i].field,
            .structure = members[i].structure,
            .is_size = members[i].is_size,
            .value = value < PY_ABSENT ? (uint32_t)value : PY_ABSENT - 1,
            .good = value < end && (!members[i].is_size || value),
        };
        visit(context, &offset);
    }
}

static void apply(void *context, const struct py_debug_offset *offset)
{
    struct py_layout *layout = context;
    if (!offset->good)
        return;
    if (offset->is_size) {
        layout->struct_size[offset->structure] = offset->value;
        layout->struct_source[offset->structure] = PY_SOURCE_DEBUG_OFFSETS;
    } else if (layout->offset[offset->field] != PY_ABSENT) {
        layout->offset[offset->field] = offset->value;
        layout->source[offset->field] = PY_SOURCE_DEBUG_OFFSETS;
    }
}

void py_debug_offsets_apply(const struct df_aspace *space, uint64_t runtime,
                            struct py_layout *layout)
{
    struct py_layout whole = *layout; /* outer_size must not see what is being changed */
    py_debug_offsets_each(space, &whole, runtime, apply, layout);
}
