/* SPDX-License-Identifier: MIT
 * look.c: what is asked of every object, in one go. Most of it is the same for all objects of a
 * type: what is, is found out once (py_settle_sizer), so that of an object of a common type no more
 * is read than its head, its count and its length.
 */
#include "analyzer/objects/internal.h"

/* Of one that the collector may track: whether it does, and whether its finalizer has run. */
static uint8_t gc_flags(struct py_reader *reader, uint64_t object)
{
    const struct py_layout *layout = reader->layout;
    uint64_t head = object - layout->gc_head_size, next, finalized;
    if (layout->gc_shape == PY_GC_PAGES) {
        uint8_t bits = py_byte(reader, PY_AT(layout, object, object, ob_gc_bits));
        return (bits & 1 ? PY_FLAG_TRACKED : 0) | (bits & 2 ? PY_FLAG_FINALIZED : 0);
    }
    next = py_word(reader, PY_AT(layout, head, gc_head, gc_next));
    finalized = PY_HAS(layout, gc_head, gc_refs)
                    ? py_word(reader, PY_AT(layout, head, gc_head, gc_refs))
                    : py_word(reader, PY_AT(layout, head, gc_head, gc_prev));
    return (next ? PY_FLAG_TRACKED : 0) | (finalized & 1 ? PY_FLAG_FINALIZED : 0);
}

static uint8_t flags_of(struct py_objects *objects, uint64_t object, int64_t references, bool is_gc)
{
    struct py_reader *reader = &objects->reader;
    uint8_t flags = references == INT64_MAX ? PY_FLAG_IMMORTAL : 0;
    if (is_gc)
        flags |= gc_flags(reader, object);
    reader->fault = false;
    return flags;
}

uint8_t py_object_flags(struct py_objects *objects, uint64_t object, uint32_t type)
{
    int64_t references = py_refcount(&objects->reader, object);
    return flags_of(objects, object, references, py_is_gc(objects, object, type));
}

void py_look(struct py_objects *worker, uint64_t object, struct py_look *ret)
{
    uint32_t index = py_object_type(worker, object);
    const struct py_type *type = worker->types[index];
    *ret = (struct py_look){.type = type, .references = py_refcount(&worker->reader, object)};
    if (py_type_runs_code(type))
        return;
    ret->is_gc = type->same_gc ? type->is_gc : py_is_gc(worker, object, index);
    ret->flags = flags_of(worker, object, ret->references, ret->is_gc);
    ret->status = (uint8_t)py_size(worker, object, index, &ret->size);
}
