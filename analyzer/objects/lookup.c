/* SPDX-License-Identifier: MIT
 * lookup.c: attributes, modules and locals by name: what a reader of the process would type.
 */
#include "analyzer/objects/internal.h"

static uint64_t slot_attribute(struct py_objects *objects, uint64_t object, const char *name)
{
    struct py_refs *refs = &objects->scratch;
    refs->count = 0;
    uint32_t type = py_object_type(objects, object);
    py_walk_instance(objects, objects->types[type], object, refs);
    for (size_t i = 0; i < refs->count; i++) {
        if (refs->items[i].label != PY_LABEL_SLOT)
            continue;
        DF_CLEANUP_FREE char *slot =
            df_cstring(objects->reader.space, refs->items[i].argument, 200);
        if (slot && strcmp(slot, name) == 0)
            return refs->items[i].target;
    }
    return 0;
}

uint64_t py_attribute(struct py_objects *objects, uint64_t object, const char *name)
{
    struct py_reader *reader = &objects->reader;
    uint32_t index = py_object_type(objects, object);
    if (index == PY_NO_TYPE)
        return 0;
    const struct py_type *type = objects->types[index];
    uint64_t found = 0;
    if (type->flags & PY_TPFLAGS_TYPE) {
        found = py_dict_get(reader, py_type_dict(objects->py, object), name);
    } else {
        struct py_attributes attributes;
        py_instance_attributes(objects, type, object, &attributes);
        for (uint64_t i = 0; i < attributes.value_count && !found && attributes.values; i++)
            if (py_str_equals(reader, py_shared_key(objects, attributes.keys, i), name))
                found = py_word(reader, attributes.values + i * 8);
        if (!found && attributes.dict)
            found = py_dict_get(reader, attributes.dict, name);
        if (!found && type->python_class)
            found = slot_attribute(objects, object, name);
    }
    reader->fault = false;
    return found;
}

struct attribute_visit {
    struct py_objects *objects;
    bool (*visit)(void *context, uint64_t name, const char *slot, uint64_t value);
    void *context;
};

static bool visit_slots(const struct attribute_visit *v, const struct py_type *type,
                        uint64_t object)
{
    struct py_refs refs = {0};
    bool more = true;
    py_walk_instance(v->objects, type, object, &refs);
    for (size_t i = 0; i < refs.count && more; i++) {
        if (refs.items[i].label != PY_LABEL_SLOT)
            continue;
        DF_CLEANUP_FREE char *slot =
            df_cstring(v->objects->reader.space, refs.items[i].argument, 200);
        more = v->visit(v->context, 0, slot ? slot : "?", refs.items[i].target);
    }
    free(refs.items);
    return more;
}

/* Inline values have the order of insertion behind them, a byte each (get_insertion_order_array,
 * Include/internal/pycore_dict.h, 3.13+); how many is in their head. */
static uint64_t inserted(const struct attribute_visit *v, const struct py_attributes *attributes,
                         uint64_t *ret_count)
{
    struct py_reader *reader = &v->objects->reader;
    const struct py_layout *layout = reader->layout;
    *ret_count = attributes->value_count;
    if (layout->attr_shape != PY_ATTR_INLINE || !attributes->values)
        return 0;
    uint64_t head = attributes->values - PY_OFF(layout, dictvalues, values);
    uint64_t count = PY_GET(reader, head, dictvalues, size), there = 0;
    for (uint64_t i = 0; i < attributes->value_count; i++)
        there += py_word(reader, attributes->values + i * 8) != 0;
    if (count > attributes->value_count || count < there) /* it says too little: by place then */
        return 0;
    *ret_count = count;
    return attributes->values + attributes->value_count * 8;
}

static bool visit_values(const struct attribute_visit *v, const struct py_attributes *attributes)
{
    uint64_t count, order = inserted(v, attributes, &count);
    for (uint64_t n = 0; n < count && attributes->values; n++) {
        uint64_t i = order ? py_byte(&v->objects->reader, order + n) : n;
        if (i >= attributes->value_count)
            continue;
        uint64_t value = py_word(&v->objects->reader, attributes->values + i * 8);
        uint64_t name = value ? py_shared_key(v->objects, attributes->keys, i) : 0;
        if (name && !v->visit(v->context, name, NULL, value))
            return false;
    }
    return true;
}

void py_attributes(struct py_objects *objects, uint64_t object,
                   bool (*visit)(void *context, uint64_t name, const char *slot, uint64_t value),
                   void *context)
{
    struct attribute_visit v = {objects, visit, context};
    struct py_reader *reader = &objects->reader;
    struct py_attributes attributes;
    struct py_dict_cursor cursor;
    uint64_t name, value;
    uint32_t index = py_object_type(objects, object);
    if (index == PY_NO_TYPE)
        return;
    const struct py_type *type = objects->types[index];
    if (type->python_class && !visit_slots(&v, type, object))
        return;
    py_instance_attributes(objects, type, object, &attributes);
    if (visit_values(&v, &attributes) && attributes.dict &&
        py_dict_begin(reader, attributes.dict, &cursor))
        while (py_dict_next(reader, &cursor, &name, &value))
            if (!visit(context, name, NULL, value))
                break;
    reader->fault = false;
}

uint64_t py_module(struct py_objects *objects, const char *name)
{
    if (!objects->py->interpreter_count || !objects->py->interpreters[0].modules)
        return 0;
    uint64_t module = py_dict_get(&objects->reader, objects->py->interpreters[0].modules, name);
    objects->reader.fault = false;
    return module;
}

void py_frame_locals(struct py_objects *objects, const struct py_frame *frame,
                     void (*visit)(void *context, const char *name, uint64_t object), void *context)
{
    struct py_reader *reader = &objects->reader;
    for (uint32_t i = 0; i < frame->slot_count && i < PY_MAX_LOCALS; i++) {
        uint64_t word = py_word(reader, frame->localsplus + (uint64_t)i * 8);
        uint64_t object = word ? py_slot_object(objects->py, word, NULL) : 0;
        bool cell = false;
        DF_CLEANUP_FREE char *name =
            object ? py_local_name(objects->py, frame->code, i, &cell) : NULL;
        uint32_t type = object ? py_object_type(objects, object) : PY_NO_TYPE;
        if (!name || type == PY_NO_TYPE)
            continue;
        if (cell && strcmp(objects->types[type]->name, "cell") == 0)
            object = PY_PTR(reader, object, cell, ob_ref);
        if (object && py_object_type(objects, object) != PY_NO_TYPE)
            visit(context, name, object);
    }
    reader->fault = false;
}
