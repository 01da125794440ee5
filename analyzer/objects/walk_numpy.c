/* SPDX-License-Identifier: MIT
 * walk_numpy.c: NumPy's arrays, dtypes and void scalars. None of them has a tp_traverse, so that
 * nobody visits what they own: the base, the dtype, and every object in an array of objects.
 *
 * The structures are public ABI (numpy/ndarraytypes.h: PyArrayObject_fields, PyArray_Descr; of
 * dtypes there are two forms, 1.x and 2.x, told apart by their size) and the same on all machines
 * of 64 bits. An array owns its elements' objects when it owns its memory (NPY_ARRAY_OWNDATA); then
 * they lie one after the other, whatever the strides say. Where in an element there are objects is
 * told by the dtype: itself, its subarray's base, its fields (a dict), and so on, without
 * recursion.
 */
#include "analyzer/objects/internal.h"

#define OWNDATA 0x4u      /* NPY_ARRAY_OWNDATA */
#define HAS_OBJECTS 0x01u /* NPY_ITEM_REFCOUNT */
#define TYPE_OBJECT 17u   /* NPY_OBJECT */
#define MAX_DIMENSIONS 64 /* NPY_MAXDIMS of 2.x */
#define MAX_PLACES 1024   /* objects in one element */
#define MAX_FIELDS 4096

/* Offsets from the end of the object's head, which free-threaded builds have longer. */
enum {
    ARRAY_DATA = 0,
    ARRAY_ND = 8,
    ARRAY_DIMENSIONS = 16,
    ARRAY_BASE = 32,
    ARRAY_DESCR = 40,
    ARRAY_FLAGS = 48,
    ARRAY_HANDLER = 72, /* 1.22+ */
    ARRAY_BASIC = 80,   /* the size with it */
    VOID_DESCR = 16,    /* after ob_size and obval */
    VOID_BASE = 32,
    DESCR_TYPE = 0,
    DESCR_KIND = 8,
    DESCR_TYPE_NUMBER = 12,
    DESCR_BASIC_1 = 80 /* the size of numpy.dtype, 1.x */
};

struct descr_form {
    uint32_t flags, flag_bytes, size, size_bytes, subarray, fields, names, metadata;
};
static const struct descr_form form_1 = {11, 1, 16, 4, 24, 32, 40, 56};
static const struct descr_form form_2 = {16, 8, 24, 8, 72, 80, 88, 40};

struct numpy { /* one object, and the dtypes of its elements */
    struct py_objects *objects;
    struct py_reader *reader;
    uint64_t head;
};

static struct numpy begin(struct py_objects *objects)
{
    return (struct numpy){.objects = objects,
                          .reader = &objects->reader,
                          .head = PY_SIZEOF(objects->reader.layout, object)};
}

static uint64_t number(const struct numpy *numpy, uint64_t object, uint32_t offset, uint32_t bytes)
{
    uint64_t word = 0;
    if (!df_read(numpy->reader->space, object + numpy->head + offset, &word, bytes))
        numpy->reader->fault = true;
    return word;
}

static uint64_t pointer(const struct numpy *numpy, uint64_t object, uint32_t offset)
{
    return py_word(numpy->reader, object + numpy->head + offset);
}

/* The form of a dtype: by the size of the class `numpy.dtype` above its own. */
static const struct descr_form *form_of(const struct numpy *numpy, uint64_t descr)
{
    uint32_t index = py_object_type(numpy->objects, descr);
    while (index != PY_NO_TYPE) {
        const struct py_type *type = numpy->objects->types[index];
        if (strcmp(type->name, "numpy.dtype") == 0)
            return (uint64_t)type->basic_size == numpy->head + DESCR_BASIC_1 ? &form_1 : &form_2;
        index = type->base_index;
    }
    return NULL;
}

/* 2.x: dtypes that are not of the old kind end before the fields (type_num < 0, or user types). */
static bool is_legacy(const struct numpy *numpy, uint64_t descr, const struct descr_form *form)
{
    int32_t type = (int32_t)number(numpy, descr, DESCR_TYPE_NUMBER, 4);
    return form == &form_1 || (type >= 0 && type != 2056 /* NPY_VSTRING */);
}

struct place { /* a dtype at an offset in the element */
    uint64_t descr, offset;
};
struct places {
    struct place *items;
    size_t count, capacity;
};

/* Puts the dtypes of the fields, {name: (dtype, offset[, title])}, on the list. */
static void push_fields(const struct numpy *numpy, uint64_t fields, uint64_t offset,
                        struct places *todo)
{
    struct py_dict_cursor cursor;
    uint64_t key, value;
    if (!fields || !py_dict_begin(numpy->reader, fields, &cursor))
        return;
    while (py_dict_next(numpy->reader, &cursor, &key, &value) && todo->count < MAX_FIELDS) {
        uint64_t items, count;
        int64_t at;
        if (py_tuple(numpy->reader, value, &items, &count) && count >= 2 &&
            py_int(numpy->reader, py_word(numpy->reader, items + 8), &at) && at >= 0)
            DF_PUSH(todo, (struct place){.descr = py_word(numpy->reader, items),
                                         .offset = offset + (uint64_t)at});
    }
}

/* Puts the base dtype once for each element of a subarray: PyArray_ArrayDescr {base; shape}. */
static void push_subarray(const struct numpy *numpy, const struct descr_form *form, uint64_t inner,
                          uint64_t whole, uint64_t offset, struct places *todo)
{
    uint64_t base = py_word(numpy->reader, inner);
    const struct descr_form *of_base = form_of(numpy, base);
    uint64_t size = of_base ? number(numpy, base, form->size, form->size_bytes) : 0;
    for (uint64_t at = 0; size && size <= whole && at <= whole - size && todo->count < MAX_FIELDS;
         at += size)
        DF_PUSH(todo, (struct place){.descr = base, .offset = offset + at});
}

static int by_offset(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Where in an element there are objects: sorted, distinct. A title names its field twice. */
static void find_objects(const struct numpy *numpy, uint64_t descr, struct places *ret)
{
    struct places todo = {0};
    size_t kept = 0;
    DF_PUSH(&todo, (struct place){.descr = descr});
    for (size_t next = 0; next < todo.count && ret->count < MAX_PLACES; next++) {
        struct place here = todo.items[next];
        const struct descr_form *form = form_of(numpy, here.descr);
        if (!form || !(number(numpy, here.descr, form->flags, form->flag_bytes) & HAS_OBJECTS))
            continue;
        if (number(numpy, here.descr, DESCR_TYPE_NUMBER, 4) == TYPE_OBJECT) {
            DF_PUSH(ret, here);
            continue;
        }
        uint64_t inner =
            is_legacy(numpy, here.descr, form) ? pointer(numpy, here.descr, form->subarray) : 0;
        if (inner)
            push_subarray(numpy, form, inner,
                          number(numpy, here.descr, form->size, form->size_bytes), here.offset,
                          &todo);
        else if (is_legacy(numpy, here.descr, form))
            push_fields(numpy, pointer(numpy, here.descr, form->fields), here.offset, &todo);
    }
    free(todo.items);
    if (ret->count)
        qsort(ret->items, ret->count, sizeof(*ret->items), by_offset);
    for (size_t i = 0; i < ret->count; i++)
        if (!i || ret->items[i].offset != ret->items[i - 1].offset)
            ret->items[kept++] = ret->items[i];
    ret->count = kept;
}

/* Elements of an array; false when its dimensions are implausible. */
static bool count_elements(const struct numpy *numpy, uint64_t array, uint64_t *ret)
{
    uint64_t dimensions = number(numpy, array, ARRAY_ND, 4);
    uint64_t shape = pointer(numpy, array, ARRAY_DIMENSIONS);
    *ret = 1;
    if (dimensions > MAX_DIMENSIONS)
        return false;
    for (uint64_t i = 0; i < dimensions; i++)
        if (__builtin_mul_overflow(*ret, py_word(numpy->reader, shape + i * 8), ret))
            return false;
    return !numpy->reader->fault;
}

/* The objects in the array's memory. An element may hold NULL, which reads as None. */
static enum py_status push_elements(const struct numpy *numpy, uint64_t array, uint64_t descr,
                                    const struct descr_form *form, struct py_refs *refs)
{
    uint64_t data = pointer(numpy, array, ARRAY_DATA), count, bytes;
    uint64_t size = number(numpy, descr, form->size, form->size_bytes);
    if (!count_elements(numpy, array, &count) || !size || size > PY_MAX_SIZE ||
        __builtin_mul_overflow(count, size, &bytes))
        return PY_IMPLAUSIBLE;
    if (!count)
        return PY_OK;
    if (!py_plausible_words(numpy->objects, data, bytes / 8))
        return PY_IMPLAUSIBLE;
    struct places places = {0};
    find_objects(numpy, descr, &places);
    for (uint64_t i = 0; i < count && places.count && !numpy->reader->fault; i++)
        for (size_t k = 0; k < places.count && places.items[k].offset <= size - 8; k++)
            py_push(refs, py_word(numpy->reader, data + i * size + places.items[k].offset),
                    PY_REF_OWNED, PY_LABEL_ITEM, i);
    free(places.items);
    return PY_OK;
}

enum py_status py_walk_ndarray(struct py_objects *objects, const struct py_type *type,
                               uint64_t object, struct py_refs *refs)
{
    struct numpy numpy = begin(objects);
    uint64_t descr = pointer(&numpy, object, ARRAY_DESCR);
    const struct descr_form *form = descr ? form_of(&numpy, descr) : NULL;
    enum py_status status = PY_OK;
    py_push_field(refs, pointer(&numpy, object, ARRAY_BASE), PY_REF_OWNED, "base");
    py_push_field(refs, descr, PY_REF_OWNED, "dtype");
    if ((uint64_t)type->basic_size >= numpy.head + ARRAY_BASIC)
        py_push_field(refs, pointer(&numpy, object, ARRAY_HANDLER), PY_REF_OWNED, "mem_handler");
    if (form && (number(&numpy, object, ARRAY_FLAGS, 4) & OWNDATA) &&
        (number(&numpy, descr, form->flags, form->flag_bytes) & HAS_OBJECTS))
        status = push_elements(&numpy, object, descr, form, refs);
    enum py_status read = py_reader_status(objects);
    return status != PY_OK ? status : read;
}

enum py_status py_walk_dtype(struct py_objects *objects, const struct py_type *type,
                             uint64_t object, struct py_refs *refs)
{
    (void)type;
    struct numpy numpy = begin(objects);
    const struct descr_form *form = form_of(&numpy, object);
    if (!form)
        return PY_OK;
    py_push_field(refs, pointer(&numpy, object, DESCR_TYPE), PY_REF_OWNED, "type");
    py_push_field(refs, pointer(&numpy, object, form->metadata), PY_REF_OWNED, "metadata");
    if (!is_legacy(&numpy, object, form))
        return py_reader_status(objects);
    py_push_field(refs, pointer(&numpy, object, form->fields), PY_REF_OWNED, "fields");
    py_push_field(refs, pointer(&numpy, object, form->names), PY_REF_OWNED, "names");
    uint64_t inner = pointer(&numpy, object, form->subarray);
    if (inner) {
        py_push_field(refs, py_word(&objects->reader, inner), PY_REF_OWNED, "base");
        py_push_field(refs, py_word(&objects->reader, inner + 8), PY_REF_OWNED, "shape");
    }
    return py_reader_status(objects);
}

enum py_status py_walk_void_scalar(struct py_objects *objects, const struct py_type *type,
                                   uint64_t object, struct py_refs *refs)
{
    (void)type;
    struct numpy numpy = begin(objects);
    py_push_field(refs, pointer(&numpy, object, VOID_DESCR), PY_REF_OWNED, "dtype");
    py_push_field(refs, pointer(&numpy, object, VOID_BASE), PY_REF_OWNED, "base");
    return py_reader_status(objects);
}

bool py_numpy_data(struct py_objects *objects, uint64_t object, uint64_t *ret_address,
                   uint64_t *ret_size)
{
    struct numpy numpy = begin(objects);
    uint64_t descr = pointer(&numpy, object, ARRAY_DESCR), count;
    const struct descr_form *form = descr ? form_of(&numpy, descr) : NULL;
    bool good = form && (number(&numpy, object, ARRAY_FLAGS, 4) & OWNDATA) &&
                count_elements(&numpy, object, &count) &&
                !__builtin_mul_overflow(count, number(&numpy, descr, form->size, form->size_bytes),
                                        ret_size);
    *ret_address = good ? pointer(&numpy, object, ARRAY_DATA) : 0;
    good &= !objects->reader.fault;
    objects->reader.fault = false;
    return good;
}

bool py_type_is_array(const struct py_objects *objects, uint32_t type)
{
    for (int depth = 0; type != PY_NO_TYPE && depth < PY_MAX_MRO; depth++) {
        if (strcmp(objects->types[type]->name, "numpy.ndarray") == 0)
            return true;
        type = objects->types[type]->base_index;
    }
    return false;
}

bool py_array_view(struct py_objects *objects, uint64_t object, uint32_t type, uint64_t *ret_bytes,
                   uint64_t *ret_base)
{
    struct numpy numpy = begin(objects);
    if (!py_type_is_array(objects, type))
        return false;
    uint64_t descr = pointer(&numpy, object, ARRAY_DESCR), count;
    const struct descr_form *form = descr ? form_of(&numpy, descr) : NULL;
    *ret_base = pointer(&numpy, object, ARRAY_BASE);
    bool good = form && *ret_base && !(number(&numpy, object, ARRAY_FLAGS, 4) & OWNDATA) &&
                count_elements(&numpy, object, &count) &&
                !__builtin_mul_overflow(count, number(&numpy, descr, form->size, form->size_bytes),
                                        ret_bytes);
    good &= !objects->reader.fault;
    objects->reader.fault = false;
    return good;
}

uint32_t py_numpy_shape(struct py_objects *objects, uint64_t object, uint64_t *ret_dimensions,
                        uint32_t room, char *ret_kind, uint64_t *ret_item)
{
    struct numpy numpy = begin(objects);
    uint64_t descr = pointer(&numpy, object, ARRAY_DESCR);
    const struct descr_form *form = descr ? form_of(&numpy, descr) : NULL;
    uint32_t count = (uint32_t)number(&numpy, object, ARRAY_ND, 4);
    uint64_t dimensions = pointer(&numpy, object, ARRAY_DIMENSIONS);
    *ret_kind = form ? (char)number(&numpy, descr, DESCR_KIND, 1) : 0;
    *ret_item = form ? number(&numpy, descr, form->size, form->size_bytes) : 0;
    count = count <= MAX_DIMENSIONS ? count : 0;
    for (uint32_t i = 0; i < count && i < room; i++)
        ret_dimensions[i] = py_word(numpy.reader, dimensions + i * 8);
    objects->reader.fault = false;
    return count;
}
