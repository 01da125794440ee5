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

/* py_refcount of a count that is at hand. */
static int64_t count_in(const struct py_layout *layout, const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    if (layout->ref_shape != PY_COUNT_PLAIN && (uint32_t)word >> 31)
        return INT64_MAX;
    return layout->ref_shape == PY_COUNT_HALF32 ? (int64_t)(uint32_t)word : (int64_t)word;
}

/* An object's type and count, which lie side by side but in free-threaded builds. */
static uint32_t look_at_head(struct py_objects *worker, uint64_t object, int64_t *ret_references)
{
    struct py_reader *reader = &worker->reader;
    const struct py_layout *layout = reader->layout;
    uint32_t type_at = PY_OFF(layout, object, ob_type);
    uint32_t count_at = PY_OFF(layout, object, ob_refcnt);
    const uint8_t *head = py_ptr(reader, object, (uint64_t)type_at + 8);
    uint64_t type;
    if (!head || layout->ref_shape == PY_COUNT_BIASED || count_at > type_at) {
        *ret_references = py_refcount(reader, object);
        return py_object_type(worker, object);
    }
    memcpy(&type, head + type_at, 8);
    *ret_references = count_in(layout, head + count_at);
    return type == worker->last_type ? worker->last_index : py_type_index(worker, type);
}

void py_look(struct py_objects *worker, uint64_t object, struct py_look *ret)
{
    int64_t references;
    uint32_t index = look_at_head(worker, object, &references);
    const struct py_type *type = worker->types[index];
    *ret = (struct py_look){.type = type, .references = references};
    if (py_type_runs_code(type))
        return;
    ret->is_gc = type->same_gc ? type->is_gc : py_is_gc(worker, object, index);
    ret->flags = flags_of(worker, object, ret->references, ret->is_gc);
    if (type->same_size)
        ret->size = (uint64_t)type->basic_size + type->head;
    else
        ret->status = (uint8_t)py_size(worker, object, index, &ret->size);
}
