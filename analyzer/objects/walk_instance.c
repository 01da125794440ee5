/* SPDX-License-Identifier: MIT
 * walk_instance.c: instances of Python classes: subtype_traverse (Objects/typeobject.c) without the
 * base's part, which the caller adds.
 *
 * In its order: __slots__ of every class up to the base whose traverse is another function;
 * attributes, in whatever place the build keeps them (enum py_attr_shape); the type, unless the
 * base is a heap type too and so visits it itself.
 */
#include "analyzer/objects/internal.h"

#define T_OBJECT_EX 16 /* Include/structmember.h, descrobject.h */
#define AFTER_ITEMS 16 /* flag of a member that lies behind the items of a tuple (3.15+) */
#define MAX_SLOTS 65536

const struct py_type *py_instance_base(struct py_objects *objects, const struct py_type *type)
{
    uint32_t base = type->base_index;
    while (base != PY_NO_TYPE && objects->types[base]->python_class)
        base = objects->types[base]->base_index;
    return base == PY_NO_TYPE ? NULL : objects->types[base];
}

/* Bytes of an object's items, whole words (_Py_AFTER_ITEMS, Python/structmember.c). */
static uint64_t items_size(struct py_reader *reader, uint64_t object)
{
    uint64_t type = py_type_of(reader, object);
    uint64_t item = type ? PY_PTR(reader, type, type, tp_itemsize) : 0;
    uint64_t count = (uint64_t)py_ob_size(reader, object);
    return item <= UINT16_MAX && count <= PY_MAX_TUPLE ? (item * count + 7) & ~UINT64_C(7)
                                                       : PY_MAX_SIZE;
}

bool py_may_have_slots(struct py_objects *objects, const struct py_type *class)
{
    struct py_reader *reader = &objects->reader;
    bool fault = reader->fault;
    reader->fault = false;
    uint64_t count = (uint64_t)py_ob_size(reader, class->address);
    bool may = reader->fault || (count && count <= MAX_SLOTS);
    reader->fault = fault;
    return may;
}

/* Member definitions of a heap type begin behind the type object, at its metatype's basicsize. */
static void walk_slots(struct py_objects *objects, const struct py_type *class, uint64_t object,
                       struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t count = (uint64_t)py_ob_size(reader, class->address);
    if (!count || count > MAX_SLOTS)
        return;
    uint64_t meta = py_type_of(reader, class->address);
    uint64_t member = class->address + PY_PTR(reader, meta, type, tp_basicsize);
    for (uint64_t i = 0; i < count && !reader->fault; i++, member += PY_SIZEOF(layout, memberdef)) {
        if (py_half(reader, PY_AT(layout, member, memberdef, type)) != T_OBJECT_EX)
            continue;
        uint64_t offset = py_word(reader, PY_AT(layout, member, memberdef, offset));
        if (PY_GET(reader, member, memberdef, flags) & AFTER_ITEMS)
            offset += items_size(reader, object);
        if (offset > PY_MAX_SIZE)
            continue;
        py_push(refs, py_word(reader, object + offset), PY_REF_REFERENT, PY_LABEL_SLOT,
                py_word(reader, PY_AT(layout, member, memberdef, name)));
    }
}

/* Where a dict pointer lies that tp_dictoffset gives; negative: counted from the end
 * (_PyObject_GetDictPtr). 0 when there is none. */
static uint64_t dict_slot(struct py_reader *reader, const struct py_type *type, uint64_t object)
{
    int64_t offset = type->dict_offset;
    if (!offset || offset == -1)
        return 0;
    if (offset < 0) {
        int64_t size = 0;
        if (type->flags & PY_TPFLAGS_LONG && reader->layout->int_shape == PY_INT_LV_TAG)
            size = (int64_t)(PY_PTR(reader, object, long, lv_tag) >> 3);
        else
            size = py_ob_size(reader, object);
        if (size < -(int64_t)PY_MAX_TUPLE || size > (int64_t)PY_MAX_TUPLE)
            return 0;
        if (size < 0)
            size = -size;
        offset += (type->basic_size + size * type->item_size + 7) & ~INT64_C(7);
        if (offset <= 0)
            return 0;
    }
    return object + (uint64_t)offset;
}

static bool has_managed_dict(const struct py_layout *layout, const struct py_type *type)
{
    return type->flags & PY_TPFLAGS_MANAGED_DICT && layout->attr_shape != PY_ATTR_DICT;
}

uint64_t py_instance_dict(struct py_reader *reader, const struct py_type *type, uint64_t object)
{
    const struct py_layout *layout = reader->layout;
    if (!has_managed_dict(layout, type)) {
        uint64_t slot = dict_slot(reader, type, object);
        return slot ? py_word(reader, slot) : 0;
    }
    if (layout->attr_shape == PY_ATTR_INLINE)
        return py_word(reader, object - (layout->gc_head_size ? 24 : 8));
    uint64_t word = py_word(reader, object - 24);
    return layout->attr_shape == PY_ATTR_TAGGED && word & 1 ? 0 : word;
}

static void inline_attributes(struct py_objects *objects, const struct py_type *type,
                              uint64_t object, struct py_attributes *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    if (!(type->flags & PY_TPFLAGS_INLINE_VALUES))
        return;
    uint64_t values =
        object + (layout->inline_place == PY_INLINE_AFTER_HEADER ? PY_SIZEOF(layout, object)
                                                                 : (uint64_t)type->basic_size);
    if (!PY_GET(reader, values, dictvalues, valid))
        return;
    if (layout->managed_visit == PY_VISIT_DICT && ret->dict)
        return;
    /* The values are visited instead of the dict that shares them. */
    ret->values = PY_AT(layout, values, dictvalues, values);
    ret->value_count = PY_GET(reader, values, dictvalues, capacity);
    if (layout->managed_visit == PY_VISIT_VALUES) {
        ret->hidden = ret->dict;
        ret->dict = 0;
    }
}

void py_instance_attributes(struct py_objects *objects, const struct py_type *type, uint64_t object,
                            struct py_attributes *ret)
{
    struct py_reader *reader = &objects->reader;
    const struct py_layout *layout = reader->layout;
    *ret = (struct py_attributes){.dict = py_instance_dict(reader, type, object)};
    if (type->flags & PY_TPFLAGS_HEAPTYPE)
        ret->keys = PY_PTR(reader, type->address, heaptype, ht_cached_keys);
    if (!has_managed_dict(layout, type))
        return;
    if (layout->attr_shape == PY_ATTR_INLINE) {
        inline_attributes(objects, type, object, ret);
        return;
    }
    if (layout->attr_shape == PY_ATTR_SPLIT) {
        ret->values = py_word(reader, object - 32);
    } else {
        uint64_t word = py_word(reader, object - 24);
        ret->values = word & 1 ? word + 1 : 0;
    }
    if (ret->values && PY_HAS(layout, dictvalues, values))
        ret->values = PY_AT(layout, ret->values, dictvalues, values);
    if (ret->values)
        ret->value_count = py_keys_entries(objects, ret->keys);
    if (ret->value_count > PY_MAX_SHARED_KEYS)
        ret->value_count = 0;
}

/* Where the base has the same tp_dictoffset its traverse visits the dict; only 3.11 (SPLIT) looks
 * at the values of managed attributes whatever the base does. */
static void walk_attributes(struct py_objects *objects, const struct py_type *type,
                            const struct py_type *base, uint64_t object, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    bool own_dict = type->dict_offset != (base ? base->dict_offset : 0);
    bool split =
        (type->flags & PY_TPFLAGS_MANAGED_DICT) && reader->layout->attr_shape == PY_ATTR_SPLIT;
    if (!own_dict && !split)
        return;
    struct py_attributes attributes;
    py_instance_attributes(objects, type, object, &attributes);
    for (uint64_t i = 0; i < attributes.value_count && attributes.values && !reader->fault; i++) {
        uint64_t value = py_word(reader, attributes.values + i * 8);
        if (value)
            py_push(refs, value, PY_REF_REFERENT, PY_LABEL_ATTR,
                    refs->bare ? 0 : py_shared_key(objects, attributes.keys, i));
    }
    if (own_dict)
        py_push_field(refs, attributes.dict, PY_REF_REFERENT, "__dict__");
    py_push_field(refs, attributes.hidden, PY_REF_OWNED, "__dict__");
}

enum py_status py_walk_instance(struct py_objects *objects, const struct py_type *type,
                                uint64_t object, struct py_refs *refs)
{
    const struct py_type *class = type;
    while (class->python_class) {
        if (class->may_have_slots)
            walk_slots(objects, class, object, refs);
        if (class->base_index == PY_NO_TYPE)
            break;
        class = objects->types[class->base_index];
    }
    const struct py_type *base = class->python_class ? NULL : class;
    walk_attributes(objects, type, base, object, refs);
    if (!base || !base->traverse || !(base->flags & PY_TPFLAGS_HEAPTYPE))
        py_push(refs, type->address, PY_REF_REFERENT, PY_LABEL_TYPE, 0);
    return py_reader_status(objects);
}

static bool has_members(struct py_objects *objects, const struct py_type *type)
{
    return PY_PTR(&objects->reader, type->address, type, tp_members);
}

/* What its structure says, or its tp_members, where no row does. */
static void own_members(struct py_objects *objects, const struct py_type *type, uint64_t object,
                        struct py_refs *refs)
{
    if (!type->owns_nothing && !py_struct_own(objects, type, object, refs) &&
        has_members(objects, type))
        py_push_members(objects, type, object, PY_REF_OWNED, refs);
}

void py_find_members(struct py_objects *objects, struct py_type *type)
{
    if (type->walk != py_walk_unvisited || type->data || type->owns_nothing)
        return;
    if (py_struct_owns(objects, type)) {
        type->walk_kind = PY_WALK_STRUCT;
    } else if (has_members(objects, type)) {
        type->walk_kind = PY_WALK_MEMBERS;
    } else {
        type->owns_nothing = true;
        type->walk = NULL;
    }
}

enum py_status py_walk_unvisited(struct py_objects *objects, const struct py_type *type,
                                 uint64_t object, struct py_refs *refs)
{
    const struct py_known *owner = type->data;
    enum py_status status = PY_OK;
    if (owner) {
        struct py_type as = *type; /* the row's own data, the object's own type */
        as.data = owner->data;
        status = owner->walk(objects, &as, object, refs);
    } else {
        own_members(objects, type, object, refs);
        status = py_reader_status(objects);
    }
    return status;
}

void py_own_type(struct py_objects *objects, const struct py_type *type, uint64_t object,
                 struct py_refs *refs, size_t first)
{
    const struct py_known *owner = type->walk == py_walk_unvisited ? type->data : NULL;
    const struct py_known_row *row = owner && owner->walk == py_walk_row ? owner->data : NULL;
    if (!(type->flags & PY_TPFLAGS_HEAPTYPE) || (row && !row->count))
        return;
    for (size_t i = refs->count; i-- > first;) /* mostly the last one */
        if (refs->items[i].target == type->address && refs->items[i].kind != PY_REF_WEAK)
            return;
    if (!df_module_at(objects->py->dump->modules, object))
        py_push(refs, type->address, PY_REF_OWNED, PY_LABEL_TYPE, 0);
}
