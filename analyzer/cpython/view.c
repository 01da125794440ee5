/* SPDX-License-Identifier: MIT
 * view.c: fields of any width, scalars and tuples of the dead process.
 *
 * What each form looks like: Include/cpython/longintrepr.h (ints), Include/refcount.h and
 * Include/object.h (counts).
 */
#include "analyzer/cpython/view.h"

bool py_readable(const struct py_reader *reader, uint64_t address, uint64_t size)
{
    if (address + size < address)
        return false;
    while (size) {
        uint64_t there = df_contiguous(reader->space, address);
        if (!there)
            return false;
        if (there >= size)
            break;
        address += there;
        size -= there;
    }
    return true;
}

const void *py_ptr_elsewhere(struct py_reader *reader, uint64_t address, uint64_t size)
{
    const struct df_range *near = df_aspace_range(reader->space, address);
    if (!near || !near->host || near->end - address < size)
        return NULL;
    if (!reader->space->backing)
        reader->near[address >> PY_NEAR_SHIFT & (PY_NEAR_RANGES - 1)] = near;
    return df_range_ptr(reader->space, near, address, size);
}

uint64_t py_read_slowly(struct py_reader *reader, uint64_t address, uint64_t size)
{
    uint64_t value = 0;
    if (df_read(reader->space, address, &value, size))
        return value;
    reader->fault = true;
    return 0;
}

uint64_t py_field_slowly(struct py_reader *reader, uint64_t structure, enum py_field field)
{
    const struct py_layout *layout = reader->layout;
    uint64_t value = 0;
    if (layout->offset[field] == PY_ABSENT)
        return 0;
    size_t size = layout->size[field] < 8 ? layout->size[field] : 8;
    if (!df_read(reader->space, structure + layout->offset[field], &value, size)) {
        reader->fault = true;
        return 0;
    }
    unsigned bits = layout->bit_size[field];
    if (!bits)
        return value;
    value >>= layout->bit_offset[field] & 63;
    return bits < 64 ? value & ((UINT64_C(1) << bits) - 1) : value;
}

bool py_tuple(struct py_reader *reader, uint64_t tuple, uint64_t *ret_items, uint64_t *ret_count)
{
    if (!tuple || !(py_flags_of(reader, tuple) & PY_TPFLAGS_TUPLE))
        return false;
    int64_t count = py_ob_size(reader, tuple);
    if (count < 0 || (uint64_t)count > PY_MAX_TUPLE || !PY_HAS(reader->layout, tuple, ob_item))
        return false;
    uint64_t items = PY_AT(reader->layout, tuple, tuple, ob_item);
    if (!py_readable(reader, items, (uint64_t)count * 8))
        return false;
    *ret_items = items;
    *ret_count = (uint64_t)count;
    return true;
}

/* Number of digits and the sign of an int; false when it is implausible. */
static bool int_digits(struct py_reader *reader, uint64_t object, uint64_t *ret_count,
                       bool *ret_negative)
{
    if (reader->layout->int_shape == PY_INT_LV_TAG) {
        uint64_t tag = PY_PTR(reader, object, long, lv_tag);
        *ret_count = (tag & 3) == 1 ? 0 : tag >> 3; /* sign 1: zero */
        *ret_negative = (tag & 3) == 2;
        return (tag & 3) != 3;
    }
    int64_t size = py_ob_size(reader, object);
    *ret_negative = size < 0;
    *ret_count = size < 0 ? -(uint64_t)size : (uint64_t)size;
    return true;
}

/* No int has a highest digit of 0. */
static bool is_gone(struct py_reader *reader, uint64_t digits, uint64_t count, unsigned bytes)
{
    return reader->redacted && count &&
           !(bytes == 2 ? py_half(reader, digits + (count - 1) * 2) & 0xffff
                        : py_half(reader, digits + (count - 1) * 4));
}

bool py_int_digits(struct py_reader *reader, uint64_t object, struct py_digits *ret)
{
    bool before = reader->fault;
    reader->fault = false;
    *ret = (struct py_digits){0};
    if (!object || !(py_flags_of(reader, object) & PY_TPFLAGS_LONG) ||
        !PY_HAS(reader->layout, long, ob_digit))
        return reader->fault = before, false;
    ret->address = PY_AT(reader->layout, object, long, ob_digit);
    ret->bytes = reader->layout->size[PY_F_long_ob_digit] == 2 ? 2 : 4; /* PYLONG_BITS_IN_DIGIT */
    ret->bits = ret->bytes == 2 ? 15 : 30;
    bool fine = int_digits(reader, object, &ret->count, &ret->negative) && !reader->fault &&
                ret->count <= PY_MAX_TUPLE &&
                py_readable(reader, ret->address, ret->count * ret->bytes) &&
                !is_gone(reader, ret->address, ret->count, ret->bytes);
    reader->fault = before;
    return fine;
}

bool py_int(struct py_reader *reader, uint64_t object, int64_t *ret)
{
    uint64_t count, magnitude = 0;
    bool negative, fault = reader->fault;
    if (!object || !(py_flags_of(reader, object) & PY_TPFLAGS_LONG) ||
        !PY_HAS(reader->layout, long, ob_digit))
        return false;
    reader->fault = false;
    uint64_t digits = PY_AT(reader->layout, object, long, ob_digit);
    bool narrow = reader->layout->size[PY_F_long_ob_digit] == 2; /* PYLONG_BITS_IN_DIGIT 15 */
    unsigned bits = narrow ? 15 : 30;
    bool fits = int_digits(reader, object, &count, &negative) && count <= 64 / bits + 1 &&
                !is_gone(reader, digits, count, narrow ? 2 : 4);
    for (uint64_t i = count; fits && i-- > 0;) {
        uint32_t digit = py_half(reader, digits + i * (narrow ? 2 : 4));
        digit &= (1u << bits) - 1;
        fits = magnitude >> (64 - bits) == 0;
        magnitude = magnitude << bits | digit;
    }
    fits = fits && !reader->fault && magnitude <= (uint64_t)INT64_MAX + negative;
    reader->fault |= fault;
    if (!fits)
        return false;
    *ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

int64_t py_refcount(struct py_reader *reader, uint64_t object)
{
    if (reader->layout->ref_shape == PY_COUNT_BIASED)
        return py_biased_refcount(reader, object);
    uint64_t address = PY_AT(reader->layout, object, object, ob_refcnt);
    switch (reader->layout->ref_shape) {
    case PY_COUNT_HALF32: {
        uint32_t half = py_half(reader, address);
        return half >> 31 ? INT64_MAX : half;
    }
    case PY_COUNT_SIGN32: {
        uint64_t word = py_word(reader, address);
        return (uint32_t)word >> 31 ? INT64_MAX : (int64_t)word;
    }
    default:
        return (int64_t)py_word(reader, address);
    }
}
