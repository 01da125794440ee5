/* SPDX-License-Identifier: MIT
 * pybuild.c: see pybuild.h.
 */
#include "tests/support/pybuild.h"

#include <string.h>

#include "analyzer/objects/internal.h"

const struct pb_form pb_forms[] = {
    {.name = "3.8",
     .keys_shape = PY_KEYS_SIZE,
     .attr_shape = PY_ATTR_DICT,
     .frame_shape = PY_FRAME_OBJECTS,
     .generator_code = true},
    {.name = "3.10, stripped",
     .keys_shape = PY_KEYS_SIZE,
     .attr_shape = PY_ATTR_DICT,
     .frame_shape = PY_FRAME_OBJECTS,
     .no_lookup_symbol = true,
     .stack_depth = true,
     .generator_code = true},
    {.name = "3.11",
     .keys_shape = PY_KEYS_LOG2,
     .attr_shape = PY_ATTR_SPLIT,
     .frame_shape = PY_FRAME_POINTERS,
     .generator_code = true},
    {.name = "3.12",
     .int_shape = PY_INT_LV_TAG,
     .keys_shape = PY_KEYS_LOG2,
     .attr_shape = PY_ATTR_TAGGED,
     .ref_shape = PY_COUNT_SIGN32,
     .frame_shape = PY_FRAME_POINTERS},
    {.name = "3.13",
     .int_shape = PY_INT_LV_TAG,
     .keys_shape = PY_KEYS_LOG2,
     .attr_shape = PY_ATTR_INLINE,
     .ref_shape = PY_COUNT_SIGN32,
     .frame_shape = PY_FRAME_POINTERS},
    {.name = "3.14",
     .int_shape = PY_INT_LV_TAG,
     .keys_shape = PY_KEYS_LOG2,
     .attr_shape = PY_ATTR_INLINE,
     .inline_place = PY_INLINE_AT_BASICSIZE,
     .managed_visit = PY_VISIT_DICT,
     .ref_shape = PY_COUNT_HALF32,
     .frame_shape = PY_FRAME_STACKREFS},
    {.name = "3.14t",
     .int_shape = PY_INT_LV_TAG,
     .keys_shape = PY_KEYS_LOG2,
     .attr_shape = PY_ATTR_INLINE,
     .inline_place = PY_INLINE_AT_BASICSIZE,
     .managed_visit = PY_VISIT_DICT,
     .ref_shape = PY_COUNT_BIASED,
     .frame_shape = PY_FRAME_STACKREFS,
     .free_threaded = true},
};
const size_t pb_form_count = sizeof(pb_forms) / sizeof(*pb_forms);

#define LOOKDICT 0x401000 /* made-up addresses of functions */
#define LOOKDICT_UNICODE 0x401100
#define SUBTYPE_TRAVERSE 0x402000
#define OTHER_TRAVERSE 0x403000

static void field(struct py_layout *layout, enum py_field which, uint32_t offset, unsigned size)
{
    layout->offset[which] = offset;
    layout->size[which] = (uint8_t)size;
    layout->source[which] = PY_SOURCE_TABLE;
}
#define FIELD(tag, name, at, size) field(layout, PY_F_##tag##_##name, (uint32_t)(at), size)
#define BITS(tag, name, at, from, bits)                                         \
    (FIELD(tag, name, at, 4), layout->bit_offset[PY_F_##tag##_##name] = (from), \
     layout->bit_size[PY_F_##tag##_##name] = (bits))
#define STRUCT(tag, bytes) (layout->struct_size[PY_S_##tag] = (uint32_t)(bytes))

/* Consecutive words of a structure from `at` on. */
#define WORDS(at, ...)                                                   \
    do {                                                                 \
        static const enum py_field words_[] = {__VA_ARGS__};             \
        for (size_t i_ = 0; i_ < sizeof(words_) / sizeof(*words_); i_++) \
            field(layout, words_[i_], (uint32_t)((at) + i_ * 8), 8);     \
    } while (0)

static void layout_headers(struct py_layout *layout, const struct pb_form *form, uint32_t head)
{
    if (form->free_threaded) {
        FIELD(object, ob_tid, 0, 8);
        FIELD(object, ob_gc_bits, 11, 1);
        FIELD(object, ob_ref_local, 12, 4);
        FIELD(object, ob_ref_shared, 16, 8);
    } else {
        FIELD(object, ob_refcnt, 0, 8);
        FIELD(gc_head, gc_next, 0, 8);
        FIELD(gc_head, gc_prev, 8, 8);
        STRUCT(gc_head, 16);
    }
    FIELD(object, ob_type, head - 8, 8);
    STRUCT(object, head);
    FIELD(varobject, ob_size, head, 8);
    STRUCT(varobject, head + 8);
    layout->gc_head_size = form->free_threaded ? 0 : 16;
    layout->gc_shape = form->free_threaded ? PY_GC_PAGES : PY_GC_LISTS;
}

static void layout_types(struct py_layout *layout, uint32_t head)
{
    WORDS(head + 8, PY_F_type_tp_name, PY_F_type_tp_basicsize, PY_F_type_tp_itemsize,
          PY_F_type_tp_dealloc, PY_F_type_tp_flags, PY_F_type_tp_traverse,
          PY_F_type_tp_weaklistoffset, PY_F_type_tp_members, PY_F_type_tp_base, PY_F_type_tp_dict,
          PY_F_type_tp_dictoffset, PY_F_type_tp_bases, PY_F_type_tp_mro, PY_F_type_tp_cache,
          PY_F_type_tp_subclasses, PY_F_type_tp_del, PY_F_type_tp_finalize);
    STRUCT(type, head + 8 + 17 * 8);
    WORDS(PY_SIZEOF(layout, type), PY_F_heaptype_ht_name, PY_F_heaptype_ht_slots,
          PY_F_heaptype_ht_qualname, PY_F_heaptype_ht_cached_keys, PY_F_heaptype_ht_module);
    STRUCT(heaptype, PY_SIZEOF(layout, type) + 5 * 8);
    FIELD(memberdef, name, 0, 8);
    FIELD(memberdef, type, 8, 4);
    FIELD(memberdef, offset, 16, 8);
    STRUCT(memberdef, 40);
}

static void layout_dicts(struct py_layout *layout, const struct pb_form *form, uint32_t head)
{
    WORDS(head, PY_F_dict_ma_used, PY_F_dict_ma_keys, PY_F_dict_ma_values);
    STRUCT(dict, head + 24);
    FIELD(dictkeys, dk_refcnt, 0, 8);
    if (form->keys_shape == PY_KEYS_LOG2) {
        FIELD(dictkeys, dk_log2_size, 8, 1);
        FIELD(dictkeys, dk_log2_index_bytes, 9, 1);
        FIELD(dictkeys, dk_kind, 10, 1);
        FIELD(unicodeentry, me_key, 0, 8);
        FIELD(unicodeentry, me_value, 8, 8);
        STRUCT(unicodeentry, 16);
        layout->keys_hold_unicode_kind = true;
    } else {
        FIELD(dictkeys, dk_size, 8, 8);
        FIELD(dictkeys, dk_lookup, 32, 8);
        layout->general_lookup = form->no_lookup_symbol ? 0 : LOOKDICT;
    }
    FIELD(dictkeys, dk_usable, 16, 8);
    FIELD(dictkeys, dk_nentries, 24, 8);
    FIELD(dictkeys, dk_indices, 40, 1);
    FIELD(dictentry, me_hash, 0, 8);
    FIELD(dictentry, me_key, 8, 8);
    FIELD(dictentry, me_value, 16, 8);
    STRUCT(dictentry, 24);
    if (form->attr_shape == PY_ATTR_SPLIT || form->attr_shape == PY_ATTR_TAGGED)
        FIELD(dictvalues, values, 0, 8);
    if (form->attr_shape == PY_ATTR_INLINE) {
        FIELD(dictvalues, capacity, 0, 1);
        FIELD(dictvalues, size, 1, 1);
        FIELD(dictvalues, embedded, 2, 1);
        FIELD(dictvalues, valid, 3, 1);
        FIELD(dictvalues, values, 8, 8);
    }
    WORDS(head + 24, PY_F_odict_od_fast_nodes, PY_F_odict_od_fast_nodes_size, PY_F_odict_od_first,
          PY_F_odict_od_inst_dict);
    STRUCT(odict, head + 56);
    WORDS(0, PY_F_odictnode_key, PY_F_odictnode_next);
    STRUCT(odictnode, 16);
}

static void layout_containers(struct py_layout *layout, uint32_t head)
{
    WORDS(head, PY_F_set_fill, PY_F_set_used, PY_F_set_mask, PY_F_set_table, PY_F_set_smalltable);
    STRUCT(set, head + 32 + 8 * 16);
    WORDS(0, PY_F_setentry_key, PY_F_setentry_hash);
    STRUCT(setentry, 16);
    WORDS(head + 8, PY_F_list_ob_item, PY_F_list_allocated);
    STRUCT(list, head + 24);
    FIELD(tuple, ob_item, head + 8, 8);
    STRUCT(tuple, head + 16);
    WORDS(head + 8, PY_F_deque_leftblock, PY_F_deque_rightblock, PY_F_deque_leftindex,
          PY_F_deque_rightindex);
    STRUCT(deque, head + 40);
    FIELD(dequeblock, leftlink, 0, 8);
    FIELD(dequeblock, data, 8, 8);
    FIELD(dequeblock, rightlink, 8 + 64 * 8, 8);
    STRUCT(dequeblock, 16 + 64 * 8);
    WORDS(0, PY_F_lrulink_prev, PY_F_lrulink_next);
    WORDS(head + 16, PY_F_lrulink_key, PY_F_lrulink_result);
    FIELD(lrulink, prev, head, 8);
    FIELD(lrulink, next, head + 8, 8);
    STRUCT(lrulink, head + 32);
    FIELD(lru, root, 0, 8);
    layout->offset[PY_F_lru_root] = head; /* a whole link, header and all */
    WORDS(head + PY_SIZEOF(layout, lrulink), PY_F_lru_cache, PY_F_lru_func, PY_F_lru_dict);
    STRUCT(lru, head + PY_SIZEOF(layout, lrulink) + 24);
}

static void layout_scalars(struct py_layout *layout, const struct pb_form *form, uint32_t head)
{
    WORDS(head, PY_F_ascii_length, PY_F_ascii_hash);
    BITS(ascii, interned, head + 16, 0, 2);
    BITS(ascii, kind, head + 16, 2, 3);
    BITS(ascii, compact, head + 16, 5, 1);
    BITS(ascii, ascii, head + 16, 6, 1);
    STRUCT(ascii, head + 24);
    WORDS(head + 24, PY_F_compact_utf8_length, PY_F_compact_utf8);
    STRUCT(compact, head + 40);
    FIELD(unicode, data, head + 40, 8);
    STRUCT(unicode, head + 48);
    if (form->int_shape == PY_INT_LV_TAG)
        FIELD(long, lv_tag, head, 8);
    FIELD(long, ob_digit, head + 8, 4);
    STRUCT(long, head + 16);
    FIELD(cell, ob_ref, head, 8);
    STRUCT(cell, head + 8);
    WORDS(head, PY_F_function_func_globals, PY_F_function_func_builtins, PY_F_function_func_name,
          PY_F_function_func_qualname, PY_F_function_func_code, PY_F_function_func_defaults,
          PY_F_function_func_closure, PY_F_function_func_dict);
    STRUCT(function, head + 64);
    WORDS(head, PY_F_weakref_wr_object, PY_F_weakref_wr_callback);
    WORDS(head, PY_F_property_prop_get, PY_F_property_prop_set);
    WORDS(head, PY_F_exception_dict, PY_F_exception_args, PY_F_exception_traceback,
          PY_F_exception_context, PY_F_exception_cause);
    WORDS(0, PY_F_moduledef_m_name, PY_F_moduledef_m_size, PY_F_moduledef_m_traverse);
    WORDS(head, PY_F_module_md_dict, PY_F_module_md_def, PY_F_module_md_state, PY_F_module_md_name);
}

static void layout_frames(struct py_layout *layout, const struct pb_form *form, uint32_t head)
{
    WORDS(head + 8, PY_F_code_co_consts, PY_F_code_co_names, PY_F_code_co_name,
          PY_F_code_co_qualname, PY_F_code_co_filename);
    FIELD(code, co_nlocals, head + 48, 4);
    FIELD(code, co_stacksize, head + 52, 4);
    FIELD(code, co_firstlineno, head + 56, 4);
    STRUCT(code, head + 80);
    FIELD(frameobject, f_back, head, 8);
    if (form->generator_code)
        FIELD(gen, gi_code, head, 8);
    WORDS(head + 8, PY_F_gen_gi_name, PY_F_gen_gi_qualname);
    FIELD(gen, gi_frame_state, head + 24, 1);
    FIELD(gen, gi_exc_state, head + 32, 8);
    FIELD(errstack, exc_value, 0, 8);
    FIELD(coro, cr_origin, head + 40, 8);
    FIELD(asyncgen, ag_finalizer, head + 40, 8);
    if (form->frame_shape == PY_FRAME_OBJECTS) {
        FIELD(gen, gi_frame, head + 48, 8);
        WORDS(head + 8, PY_F_frameobject_f_trace, PY_F_frameobject_f_code,
              PY_F_frameobject_f_builtins, PY_F_frameobject_f_globals, PY_F_frameobject_f_locals,
              PY_F_frameobject_f_valuestack);
        if (form->stack_depth)
            FIELD(frameobject, f_stackdepth, head + 56, 4);
        else
            FIELD(frameobject, f_stacktop, head + 56, 8);
        FIELD(frameobject, f_lasti, head + 64, 4);
        FIELD(frameobject, f_localsplus, head + 72, 8);
        STRUCT(frameobject, head + 80);
        return;
    }
    FIELD(code, co_nlocalsplus, head + 60, 4);
    FIELD(code, co_code_adaptive, head + 72, 1);
    FIELD(gen, gi_iframe, head + 48, 8);
    WORDS(head + 8, PY_F_frameobject_f_frame, PY_F_frameobject_f_trace);
    FIELD(frameobject, f_frame_data, head + 24, 8);
    WORDS(0, PY_F_iframe_executable, PY_F_iframe_funcobj, PY_F_iframe_f_globals,
          PY_F_iframe_f_builtins, PY_F_iframe_f_locals, PY_F_iframe_frame_obj, PY_F_iframe_previous,
          PY_F_iframe_prev_instr);
    if (form->frame_shape == PY_FRAME_STACKREFS)
        FIELD(iframe, stackpointer, 64, 8);
    else
        FIELD(iframe, stacktop, 64, 4);
    FIELD(iframe, owner, 72, 1);
    FIELD(iframe, localsplus, 80, 8);
}

static void make_layout(struct py_layout *layout, const struct pb_form *form)
{
    uint32_t head = form->free_threaded ? 32 : 16;
    memset(layout->offset, 0xff, sizeof(layout->offset));
    memset(layout->struct_size, 0xff, sizeof(layout->struct_size));
    layout->free_threaded = form->free_threaded;
    layout->int_shape = form->int_shape;
    layout->keys_shape = form->keys_shape;
    layout->attr_shape = form->attr_shape;
    layout->inline_place = form->inline_place;
    layout->managed_visit = form->managed_visit;
    layout->ref_shape = form->ref_shape;
    layout->frame_shape = form->frame_shape;
    layout->generator_visits_code = form->generator_code;
    layout->managed_weakref = form->int_shape == PY_INT_LV_TAG;
    layout->zero_has_digit = form->keys_shape == PY_KEYS_LOG2;
    layout->presize_dict_words = form->attr_shape == PY_ATTR_DICT ? 0 : 2;
    layout->frame_state_created = -2;
    layout->frame_state_suspended = -1;
    layout->frame_state_completed = 1;
    layout->frame_state_cleared = 4;
    layout->owner_generator = 1;
    layout->owner_frame_object = 2;
    layout->owner_skip = 3;
    layout_headers(layout, form, head);
    layout_types(layout, head);
    layout_dicts(layout, form, head);
    layout_containers(layout, head);
    layout_scalars(layout, form, head);
    layout_frames(layout, form, head);
}

uint64_t pb_take(struct pb *pb, uint64_t bytes)
{
    uint64_t ret = pb->top;
    if (bytes > pb->size || pb->top + bytes + 16 > PB_BASE + pb->size)
        abort(); /* the test needs a larger arena */
    pb->top += (bytes + 15) & ~UINT64_C(15);
    return ret;
}

void pb_put(struct pb *pb, uint64_t address, uint64_t word)
{
    memcpy(pb->memory + (address - PB_BASE), &word, 8);
}

uint64_t pb_get(struct pb *pb, uint64_t address)
{
    uint64_t word;
    memcpy(&word, pb->memory + (address - PB_BASE), 8);
    return word;
}

void pb_set(struct pb *pb, uint64_t structure, enum py_field which, uint64_t value)
{
    const struct py_layout *layout = &pb->py.layout;
    if (layout->offset[which] == PY_ABSENT)
        return;
    uint64_t address = structure + layout->offset[which], old = pb_get(pb, address);
    unsigned bits = layout->bit_size[which] ? layout->bit_size[which] : layout->size[which] * 8u;
    uint64_t mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
    unsigned shift = layout->bit_size[which] ? layout->bit_offset[which] : 0;
    pb_put(pb, address, (old & ~(mask << shift)) | (value & mask) << shift);
}

static uint64_t text(struct pb *pb, const char *bytes)
{
    uint64_t ret = pb_take(pb, strlen(bytes) + 1);
    memcpy(pb->memory + (ret - PB_BASE), bytes, strlen(bytes) + 1);
    return ret;
}

uint64_t pb_object(struct pb *pb, uint64_t type, uint64_t bytes)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t object = pb_take(pb, bytes + 48) + 48; /* all that may come before it */
    if (pb->form->free_threaded)
        PB_SET(pb, object, object, ob_ref_local, 1);
    PB_SET(pb, object, object, ob_refcnt, 1);
    PB_SET(pb, object, object, ob_type, type);
    (void)layout;
    return object;
}

static uint64_t make_type(struct pb *pb, const char *name, uint64_t flags, uint64_t basic_size,
                          uint64_t item_size, uint64_t base)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t type = pb_object(pb, pb->type, PY_SIZEOF(layout, heaptype) + 40 * 8);
    PB_SET(pb, type, type, tp_name, text(pb, name));
    PB_SET(pb, type, type, tp_flags, flags | PY_TPFLAGS_READY);
    PB_SET(pb, type, type, tp_basicsize, basic_size);
    PB_SET(pb, type, type, tp_itemsize, item_size);
    PB_SET(pb, type, type, tp_base, base);
    return type;
}

uint64_t pb_static_type(struct pb *pb, const char *name, uint64_t flags, uint64_t basic_size,
                        uint64_t item_size, uint64_t base)
{
    uint64_t type = make_type(pb, name, flags, basic_size, item_size, base);
    if (flags & PY_TPFLAGS_HAVE_GC)
        PB_SET(pb, type, type, tp_traverse, OTHER_TRAVERSE + 16 * pb->traverses++);
    return type;
}

/* Every class is in the collector's list: that is how subtype_traverse is found. */
static void link_class(struct pb *pb, uint64_t type)
{
    if (pb->form->free_threaded)
        return;
    uint64_t head = type - 16;
    pb_put(pb, pb->last_in_list, head);
    pb_put(pb, head, pb->list_head);
    pb->last_in_list = head;
}

static void add_slots(struct pb *pb, uint64_t type, uint64_t *size, const char *const *slots)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t member = type + pb_get(pb, PY_AT(layout, pb->type, type, tp_basicsize)), count = 0;
    for (; slots && slots[count]; count++, *size += 8, member += 40) {
        PB_SET(pb, member, memberdef, name, text(pb, slots[count]));
        PB_SET(pb, member, memberdef, type, 16);
        PB_SET(pb, member, memberdef, offset, *size);
    }
    PB_SET(pb, type, varobject, ob_size, count);
}

uint64_t pb_class(struct pb *pb, const char *name, uint64_t base, bool attributes,
                  const char *const *slots)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t size = pb_get(pb, PY_AT(layout, base, type, tp_basicsize));
    uint64_t item = pb_get(pb, PY_AT(layout, base, type, tp_itemsize));
    uint64_t above = pb_get(pb, PY_AT(layout, base, type, tp_flags));
    uint64_t flags = PY_TPFLAGS_HEAPTYPE | PY_TPFLAGS_HAVE_GC | (above & UINT64_C(0xff000000));
    uint64_t type = make_type(pb, name, flags, size, item, base);
    add_slots(pb, type, &size, slots);
    int64_t dict_offset = (int64_t)pb_get(pb, PY_AT(layout, base, type, tp_dictoffset));
    if (attributes && layout->attr_shape == PY_ATTR_DICT) {
        dict_offset = item ? -8 : (int64_t)size;
        size += 8;
    } else if (attributes) {
        flags |= PY_TPFLAGS_MANAGED_DICT;
        dict_offset = -1;
        if (layout->attr_shape == PY_ATTR_INLINE && !item)
            flags |= PY_TPFLAGS_INLINE_VALUES;
    }
    PB_SET(pb, type, type, tp_flags, flags | PY_TPFLAGS_READY);
    PB_SET(pb, type, type, tp_basicsize, size);
    PB_SET(pb, type, type, tp_dictoffset, (uint64_t)dict_offset);
    PB_SET(pb, type, type, tp_traverse, SUBTYPE_TRAVERSE);
    PB_SET(pb, type, heaptype, ht_qualname, pb_str(pb, name));
    uint64_t key = pb_str(pb, "__module__"), value = pb_str(pb, "m");
    PB_SET(pb, type, type, tp_dict, pb_dict(pb, PB_UNICODE, 1, &key, &value));
    link_class(pb, type);
    return type;
}

uint64_t pb_share_keys(struct pb *pb, uint64_t type, size_t count, const char *const *names)
{
    uint64_t keys[32];
    for (size_t i = 0; i < count; i++)
        keys[i] = pb_str(pb, names[i]);
    uint64_t table = pb_keys(pb, PB_SHARED, 5, count, keys, NULL);
    PB_SET(pb, type, heaptype, ht_cached_keys, table);
    return table;
}

uint64_t pb_str_wide(struct pb *pb, size_t count, const uint32_t *points, unsigned kind)
{
    uint64_t head = PY_SIZEOF(&pb->py.layout, compact);
    uint64_t object = pb_object(pb, pb->str, head + (count + 1) * kind);
    PB_SET(pb, object, ascii, length, count);
    PB_SET(pb, object, ascii, kind, kind);
    PB_SET(pb, object, ascii, compact, 1);
    for (size_t i = 0; i < count; i++)
        memcpy(pb->memory + (object + head + i * kind - PB_BASE), &points[i], kind);
    return object;
}

uint64_t pb_str(struct pb *pb, const char *ascii)
{
    uint64_t head = PY_SIZEOF(&pb->py.layout, ascii), length = strlen(ascii);
    uint64_t object = pb_object(pb, pb->str, head + length + 1);
    PB_SET(pb, object, ascii, length, length);
    PB_SET(pb, object, ascii, kind, 1);
    PB_SET(pb, object, ascii, compact, 1);
    PB_SET(pb, object, ascii, ascii, 1);
    memcpy(pb->memory + (object + head - PB_BASE), ascii, length + 1);
    return object;
}

uint64_t pb_int(struct pb *pb, int64_t value)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value, digits = 0;
    uint64_t object = pb_object(pb, pb->integer, PY_SIZEOF(layout, long) + 16);
    for (; rest; rest >>= 30, digits++) {
        uint32_t digit = rest & ((1u << 30) - 1);
        memcpy(pb->memory + (PY_AT(layout, object, long, ob_digit) + digits * 4 - PB_BASE), &digit,
               4);
    }
    PB_SET(pb, object, long, lv_tag, digits << 3 | (value < 0 ? 2 : value ? 0 : 1));
    if (pb->form->int_shape == PY_INT_OB_SIZE)
        PB_SET(pb, object, varobject, ob_size, value < 0 ? -digits : digits);
    return object;
}

uint64_t pb_tuple(struct pb *pb, size_t count, const uint64_t *items)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t object = pb_object(pb, pb->tuple, PY_SIZEOF(layout, tuple) + count * 8);
    PB_SET(pb, object, varobject, ob_size, count);
    for (size_t i = 0; i < count; i++)
        pb_put(pb, PY_AT(layout, object, tuple, ob_item) + i * 8, items[i]);
    return object;
}

uint64_t pb_list(struct pb *pb, size_t count, const uint64_t *items, size_t allocated)
{
    uint64_t object = pb_object(pb, pb->list, PY_SIZEOF(&pb->py.layout, list));
    uint64_t array = pb_take(pb, allocated * 8);
    PB_SET(pb, object, varobject, ob_size, count);
    PB_SET(pb, object, list, allocated, allocated);
    PB_SET(pb, object, list, ob_item, array);
    for (size_t i = 0; i < count; i++)
        pb_put(pb, array + i * 8, items[i]);
    return object;
}

uint64_t pb_keys(struct pb *pb, enum pb_table kind, unsigned log2, size_t count,
                 const uint64_t *keys, const uint64_t *values)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t slots = UINT64_C(1) << log2, usable = slots * 2 / 3;
    bool narrow = kind != PB_GENERAL && layout->keys_hold_unicode_kind;
    uint64_t entry = narrow ? 16 : 24;
    uint64_t table = pb_take(pb, 40 + slots + usable * entry);
    PB_SET(pb, table, dictkeys, dk_refcnt, 1);
    PB_SET(pb, table, dictkeys, dk_log2_size, log2);
    PB_SET(pb, table, dictkeys, dk_log2_index_bytes, log2);
    PB_SET(pb, table, dictkeys, dk_kind, (uint64_t)kind);
    PB_SET(pb, table, dictkeys, dk_size, slots);
    PB_SET(pb, table, dictkeys, dk_lookup, kind == PB_GENERAL ? LOOKDICT : LOOKDICT_UNICODE);
    PB_SET(pb, table, dictkeys, dk_nentries, count);
    PB_SET(pb, table, dictkeys, dk_usable, usable - count);
    uint64_t at = PY_AT(layout, table, dictkeys, dk_indices) + slots;
    for (size_t i = 0; i < count; i++, at += entry) {
        pb_put(pb, at + (narrow ? 0 : 8), keys[i]);
        pb_put(pb, at + (narrow ? 8 : 16), values ? values[i] : 0);
    }
    return table;
}

uint64_t pb_dict(struct pb *pb, enum pb_table kind, size_t count, const uint64_t *keys,
                 const uint64_t *values)
{
    uint64_t object = pb_object(pb, pb->dict, PY_SIZEOF(&pb->py.layout, dict));
    unsigned log2 = 3;
    while ((UINT64_C(1) << log2) * 2 / 3 < count)
        log2++;
    PB_SET(pb, object, dict, ma_used, count);
    PB_SET(pb, object, dict, ma_keys, pb_keys(pb, kind, log2, count, keys, values));
    return object;
}

uint64_t pb_split_dict(struct pb *pb, uint64_t keys, size_t count, const uint64_t *values)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t object = pb_object(pb, pb->dict, PY_SIZEOF(layout, dict));
    uint64_t array = pb_take(pb, 8 + 32 * 8);
    PB_SET(pb, array, dictvalues, capacity, 30);
    PB_SET(pb, array, dictvalues, valid, 1);
    PB_SET(pb, object, dict, ma_used, count);
    PB_SET(pb, object, dict, ma_keys, keys);
    PB_SET(pb, object, dict, ma_values, array);
    uint64_t first =
        PY_HAS(layout, dictvalues, values) ? PY_AT(layout, array, dictvalues, values) : array;
    for (size_t i = 0; i < count; i++)
        pb_put(pb, first + i * 8, values[i]);
    return object;
}

static void make_types(struct pb *pb)
{
    const struct py_layout *layout = &pb->py.layout;
    const uint64_t gc = PY_TPFLAGS_HAVE_GC, head = PY_SIZEOF(layout, object);
    pb->type = pb_static_type(pb, "type", gc | PY_TPFLAGS_TYPE, PY_SIZEOF(layout, heaptype), 40, 0);
    PB_SET(pb, pb->type, object, ob_type, pb->type);
    pb->object = pb_static_type(pb, "object", 0, head, 0, 0);
    PB_SET(pb, pb->type, type, tp_base, pb->object);
    uint64_t object = pb->object;
    pb->str = pb_static_type(pb, "str", PY_TPFLAGS_UNICODE, PY_SIZEOF(layout, unicode), 0, object);
    pb->integer =
        pb_static_type(pb, "int", PY_TPFLAGS_LONG, PY_OFF(layout, long, ob_digit), 4, object);
    pb->boolean =
        pb_static_type(pb, "bool", PY_TPFLAGS_LONG, PY_OFF(layout, long, ob_digit), 4, pb->integer);
    pb->tuple = pb_static_type(pb, "tuple", gc | PY_TPFLAGS_TUPLE, PY_OFF(layout, tuple, ob_item),
                               8, object);
    pb->list = pb_static_type(pb, "list", gc | PY_TPFLAGS_LIST, PY_SIZEOF(layout, list), 0, object);
    pb->dict = pb_static_type(pb, "dict", gc | PY_TPFLAGS_DICT, PY_SIZEOF(layout, dict), 0, object);
    pb->set = pb_static_type(pb, "set", gc, PY_SIZEOF(layout, set), 0, object);
    pb->cell = pb_static_type(pb, "cell", gc, head + 8, 0, object);
    pb->function = pb_static_type(pb, "function", gc, PY_SIZEOF(layout, function), 0, object);
    pb->module_type = pb_static_type(pb, "module", gc, head + 32, 0, object);
    pb->code = pb_static_type(pb, "code", pb->form->free_threaded ? gc : 0, PY_SIZEOF(layout, code),
                              2, object);
    pb->frame = pb_static_type(pb, "frame", gc, head + 24, 8, object);
    pb->generator = pb_static_type(pb, "generator", gc, head + 48, 8, object);
    pb->deque = pb_static_type(pb, "collections.deque", gc, PY_SIZEOF(layout, deque), 0, object);
    pb->odict = pb_static_type(pb, "collections.OrderedDict", gc | PY_TPFLAGS_DICT,
                               PY_SIZEOF(layout, odict), 0, pb->dict);
    pb->lru =
        pb_static_type(pb, "functools._lru_cache_wrapper", gc, PY_SIZEOF(layout, lru), 0, object);
    pb->lru_link =
        pb_static_type(pb, "functools._lru_list_elem", 0, PY_SIZEOF(layout, lrulink), 0, object);
    pb->exception =
        pb_static_type(pb, "BaseException", gc | PY_TPFLAGS_BASE_EXC, head + 40, 0, object);
    pb->property = pb_static_type(pb, "property", gc, head + 16, 0, object);
    pb->weakref = pb_static_type(pb, "weakref.ReferenceType", gc, head + 16, 0, object);
}

/* Sizes are found by who defines __sizeof__. */
static void define_sizes(struct pb *pb)
{
    const uint64_t types[] = {pb->object, pb->str,  pb->integer, pb->list,  pb->dict,
                              pb->set,    pb->type, pb->deque,   pb->odict, pb->code};
    uint64_t name = pb_str(pb, "__sizeof__");
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        PB_SET(pb, types[i], type, tp_dict, pb_dict(pb, PB_UNICODE, 1, &name, &name));
}

struct pb *pb_create(const struct pb_form *form)
{
    return pb_create_large(form, PB_SIZE);
}

struct pb *pb_create_large(const struct pb_form *form, uint64_t size)
{
    struct pb *pb = df_xcalloc(1, sizeof(*pb));
    pb->form = form;
    pb->size = size;
    pb->memory = df_xcalloc(1, size);
    pb->top = PB_BASE + 64;
    make_layout(&pb->py.layout, form);
    pb->dump =
        (struct df_dump){.core = &pb->core, .space = df_aspace_create(), .modules = &pb->modules};
    df_aspace_add(pb->dump.space, PB_BASE, size, pb->memory, DF_FROM_CORE, 6);
    df_aspace_add(pb->dump.space, PB_BASE + size, 0x10000, NULL, DF_ABSENT, 6);
    df_err_free(df_aspace_seal(pb->dump.space));
    pb->module.symbols_loaded = true;
    pb->py.dump = &pb->dump;
    pb->py.module = &pb->module;
    pb->py.interpreters = &pb->interpreter;
    pb->py.interpreter_count = 1;
    df_map_init(&pb->py.static_types);
    pb->list_head = pb->last_in_list = pb_take(pb, 16);
    pb_put(pb, pb->list_head, pb->list_head);
    pb->interpreter.gc.generations[2].head = pb->list_head;
    make_types(pb);
    define_sizes(pb);
    pb->py.type_type = pb->type;
    pb->py.code_type = pb->code;
    pb->py.dict_type = pb->dict;
    pb->py.cell_type = pb->cell;
    return pb;
}

struct py_objects *pb_open(struct pb *pb)
{
    if (pb->objects)
        return pb->objects;
    df_err_free(
        py_objects_open(&pb->py, &(struct py_objects_options){.no_emulator = true}, &pb->objects));
    if (pb->form->free_threaded) { /* no lists to learn it from: as the symbol would tell */
        pb->objects->subtype_traverse = SUBTYPE_TRAVERSE;
        pb->objects->subtype_traverse_known = true;
    }
    return pb->objects;
}

void pb_destroy(struct pb *pb)
{
    py_objects_close(pb->objects);
    df_aspace_destroy(pb->dump.space);
    df_map_deinit(&pb->py.static_types);
    free(pb->memory);
    free(pb);
}
