/* SPDX-License-Identifier: MIT
 * dicts.c: the tables of a dict, in every form that CPython has given them.
 *
 * A keys object is a header, an index (hash to entry number) and an array of entries; the index is
 * skipped here. Combined dicts keep values in the entries; split ones (ma_values set) share the
 * keys with other instances of a class and keep an array of values of their own. Since 3.11 tables
 * whose keys are all exact str have entries without a hash. Objects/dictobject.c has the drawing.
 *
 * Up to 3.10 the index width follows from dk_size, and only dk_lookup tells a table of str keys
 * from a general one.
 */
#include "analyzer/cpython/view.h"

enum { KEYS_GENERAL = 0, KEYS_UNICODE = 1, KEYS_SPLIT = 2 }; /* DictKeysKind, pycore_dict.h */

/* Bytes of an index slot for a table of `size` slots (DK_IXSIZE, up to 3.10). */
static uint64_t index_width(uint64_t size)
{
    return size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
}

/* Slots and bytes of the index; false when what the header says cannot be. */
static bool index_size(struct py_reader *reader, uint64_t keys, uint64_t *ret_slots,
                       uint64_t *ret_bytes)
{
    if (reader->layout->keys_shape == PY_KEYS_LOG2) {
        uint64_t slots = PY_GET(reader, keys, dictkeys, dk_log2_size);
        uint64_t bytes = PY_GET(reader, keys, dictkeys, dk_log2_index_bytes);
        if (slots > 44 || bytes > 47) /* more than an address space has */
            return false;
        *ret_slots = UINT64_C(1) << slots;
        *ret_bytes = UINT64_C(1) << bytes;
        return *ret_bytes >= *ret_slots;
    }
    uint64_t slots = PY_PTR(reader, keys, dictkeys, dk_size);
    if (!slots || slots > UINT64_C(1) << 44 || (slots & (slots - 1)))
        return false;
    *ret_slots = slots;
    *ret_bytes = slots * index_width(slots);
    return true;
}

/* Up to 3.10, without the symbol lookdict: a table is general when a key is no str. (Not the same
 * when such a key was deleted: the table stays general.) */
static bool any_other_key(struct py_reader *reader, const struct py_dict_cursor *cursor)
{
    for (uint64_t i = 0; i < cursor->count; i++) {
        uint64_t entry = cursor->entries + i * cursor->entry_size;
        uint64_t key = py_word(reader, entry + cursor->key_offset);
        if (key && !(py_flags_of(reader, key) & PY_TPFLAGS_UNICODE))
            return true;
    }
    return false;
}

static bool general_table(struct py_reader *reader, const struct py_dict_cursor *cursor)
{
    const struct py_layout *layout = reader->layout;
    if (layout->keys_hold_unicode_kind)
        return PY_GET(reader, cursor->keys, dictkeys, dk_kind) == KEYS_GENERAL;
    if (cursor->values)
        return false;
    if (layout->general_lookup)
        return PY_PTR(reader, cursor->keys, dictkeys, dk_lookup) == layout->general_lookup;
    return any_other_key(reader, cursor);
}

static void entry_form(struct py_reader *reader, struct py_dict_cursor *cursor)
{
    const struct py_layout *layout = reader->layout;
    bool narrow = layout->keys_hold_unicode_kind &&
                  PY_GET(reader, cursor->keys, dictkeys, dk_kind) != KEYS_GENERAL;
    cursor->entry_size = narrow ? PY_SIZEOF(layout, unicodeentry) : PY_SIZEOF(layout, dictentry);
    cursor->key_offset =
        narrow ? PY_OFF(layout, unicodeentry, me_key) : PY_OFF(layout, dictentry, me_key);
    cursor->value_offset =
        narrow ? PY_OFF(layout, unicodeentry, me_value) : PY_OFF(layout, dictentry, me_value);
}

/* Where the values of a split dict start, given ma_values; bounds the count by their capacity where
 * it is stored (3.13+). */
static uint64_t split_values(struct py_reader *reader, uint64_t values, uint64_t *count)
{
    const struct py_layout *layout = reader->layout;
    if (PY_HAS(layout, dictvalues, capacity)) {
        uint64_t capacity = PY_GET(reader, values, dictvalues, capacity);
        *count = *count < capacity ? *count : capacity;
    }
    return PY_HAS(layout, dictvalues, values) ? PY_AT(layout, values, dictvalues, values) : values;
}

static bool begin(struct py_reader *reader, uint64_t dict, struct py_dict_cursor *cursor)
{
    uint64_t slots, index_bytes;
    cursor->dict = dict;
    cursor->keys = PY_PTR(reader, dict, dict, ma_keys);
    cursor->values = PY_PTR(reader, dict, dict, ma_values);
    if (!cursor->keys || !index_size(reader, cursor->keys, &slots, &index_bytes))
        return false;
    cursor->count = PY_PTR(reader, cursor->keys, dictkeys, dk_nentries);
    if (cursor->count > slots || !PY_HAS(reader->layout, dictkeys, dk_indices))
        return false;
    cursor->entries = PY_AT(reader->layout, cursor->keys, dictkeys, dk_indices) + index_bytes;
    entry_form(reader, cursor);
    if (cursor->entry_size == PY_ABSENT)
        return false;
    if (cursor->values)
        cursor->values = split_values(reader, cursor->values, &cursor->count);
    if (!py_readable(reader, cursor->entries, cursor->count * cursor->entry_size))
        return false;
    cursor->general = general_table(reader, cursor);
    return !cursor->values || py_readable(reader, cursor->values, cursor->count * 8);
}

bool py_dict_begin(struct py_reader *reader, uint64_t dict, struct py_dict_cursor *ret)
{
    struct py_dict_cursor cursor = {0};
    bool before = reader->fault;
    reader->fault = false;
    bool fine = dict && begin(reader, dict, &cursor) && !reader->fault;
    reader->fault |= before;
    if (fine)
        *ret = cursor;
    return fine;
}

bool py_dict_next(struct py_reader *reader, struct py_dict_cursor *cursor, uint64_t *ret_key,
                  uint64_t *ret_value)
{
    while (cursor->index < cursor->count) {
        uint64_t i = cursor->index++;
        uint64_t entry = cursor->entries + i * cursor->entry_size;
        uint64_t value =
            py_word(reader, cursor->values ? cursor->values + i * 8 : entry + cursor->value_offset);
        if (!value)
            continue;
        *ret_key = py_word(reader, entry + cursor->key_offset);
        *ret_value = value;
        return true;
    }
    return false;
}

uint64_t py_dict_get(struct py_reader *reader, uint64_t dict, const char *key)
{
    struct py_dict_cursor cursor;
    uint64_t name, value;
    if (!py_dict_begin(reader, dict, &cursor))
        return 0;
    while (py_dict_next(reader, &cursor, &name, &value))
        if (py_str_equals(reader, name, key))
            return value;
    return 0;
}
