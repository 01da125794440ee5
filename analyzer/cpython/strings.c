/* SPDX-License-Identifier: MIT
 * strings.c: str objects as UTF-8.
 *
 * The forms (Include/cpython/unicodeobject.h): compact ASCII text follows the smallest header,
 * other compact text the middle one; a str subclass and a legacy string (up to 3.11) point to their
 * text. A legacy string that nobody made ready has kind 0 and only a wchar_t copy: no text for us.
 */
#include <inttypes.h>

#include "analyzer/cpython/view.h"
#include "dumpfmt/base/mem.h"

bool py_str_data(struct py_reader *reader, uint64_t object, uint64_t *ret_data,
                 uint64_t *ret_length, uint32_t *ret_kind)
{
    const struct py_layout *layout = reader->layout;
    bool before = reader->fault;
    reader->fault = false;
    uint64_t length = PY_PTR(reader, object, ascii, length);
    uint32_t kind = (uint32_t)PY_GET(reader, object, ascii, kind);
    bool compact = PY_GET(reader, object, ascii, compact);
    bool ascii = PY_GET(reader, object, ascii, ascii);
    uint64_t data;
    if (!compact)
        data = PY_PTR(reader, object, unicode, data);
    else
        data = object + (ascii ? PY_SIZEOF(layout, ascii) : PY_SIZEOF(layout, compact));
    bool fine = !reader->fault && data && (kind == 1 || kind == 2 || kind == 4) &&
                length <= (uint64_t)INT64_MAX / 4;
    reader->fault |= before;
    if (!fine)
        return false;
    *ret_data = data;
    *ret_length = length;
    *ret_kind = kind;
    return true;
}

/* A field of a structure whose bytes are at hand; false when it is of an unusual width. */
static inline bool field_of(const struct py_layout *layout, const uint8_t *structure,
                            enum py_field field, uint64_t *ret)
{
    const uint8_t *at = structure + layout->offset[field];
    unsigned bits = layout->bit_size[field];
    uint32_t four;
    if (layout->offset[field] == PY_ABSENT)
        return false;
    if (layout->size[field] == 8) {
        memcpy(ret, at, 8);
    } else if (layout->size[field] == 4) {
        memcpy(&four, at, 4);
        *ret = four;
    } else if (layout->size[field] == 1) {
        *ret = *at;
    } else {
        return false;
    }
    if (bits && bits < 64)
        *ret = *ret >> (layout->bit_offset[field] & 63) & ((UINT64_C(1) << bits) - 1);
    return true;
}

/* The usual form: one block, its head and its characters behind each other. */
static const uint8_t *compact_bytes(struct py_reader *reader, uint64_t object, uint64_t limit,
                                    uint64_t *ret_size)
{
    const struct py_layout *layout = reader->layout;
    uint64_t head = PY_SIZEOF(layout, compact), length, kind, compact, ascii;
    const uint8_t *bytes = py_ptr(reader, object, head);
    if (!bytes || !field_of(layout, bytes, PY_F_ascii_length, &length) ||
        !field_of(layout, bytes, PY_F_ascii_kind, &kind) ||
        !field_of(layout, bytes, PY_F_ascii_compact, &compact) ||
        !field_of(layout, bytes, PY_F_ascii_ascii, &ascii))
        return NULL;
    if (!compact || (kind != 1 && kind != 2 && kind != 4) || length > limit / kind)
        return NULL;
    *ret_size = length * kind;
    return py_ptr(reader, object + (ascii ? PY_SIZEOF(layout, ascii) : head), *ret_size);
}

const uint8_t *py_str_bytes(struct py_reader *reader, uint64_t object, uint64_t limit,
                            uint64_t *ret_size)
{
    uint64_t data, length;
    uint32_t kind;
    if (py_str_is_gone(reader, object, &length))
        return NULL;
    const uint8_t *bytes = compact_bytes(reader, object, limit, ret_size);
    if (bytes)
        return bytes;
    if (!py_str_data(reader, object, &data, &length, &kind) || length > limit / kind)
        return NULL;
    *ret_size = length * kind;
    return df_ptr(reader->space, data, *ret_size);
}

bool py_str_is_gone(struct py_reader *reader, uint64_t object, uint64_t *ret_length)
{
    uint64_t data;
    uint32_t kind;
    return reader->redacted && py_str_data(reader, object, &data, ret_length, &kind) &&
           *ret_length && !py_byte(reader, data) && (kind < 2 || !py_byte(reader, data + 1)) &&
           (kind < 4 || !py_byte(reader, data + 2));
}

size_t py_put_utf8(char *text, uint32_t point)
{
    if (point < 0x80) {
        text[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        text[0] = (char)(0xc0 | point >> 6);
        text[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        point = 0xfffd; /* surrogateescape'd file names, or damage: keep the output valid */
    if (point < 0x10000) {
        text[0] = (char)(0xe0 | point >> 12);
        text[1] = (char)(0x80 | (point >> 6 & 0x3f));
        text[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    text[0] = (char)(0xf0 | point >> 18);
    text[1] = (char)(0x80 | (point >> 12 & 0x3f));
    text[2] = (char)(0x80 | (point >> 6 & 0x3f));
    text[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

static uint32_t point_at(const uint8_t *units, uint32_t kind, size_t i)
{
    uint16_t two;
    uint32_t four;
    switch (kind) {
    case 1:
        return units[i];
    case 2:
        memcpy(&two, units + 2 * i, 2);
        return two;
    default:
        memcpy(&four, units + 4 * i, 4);
        return four;
    }
}

/* Read in chunks, so that the memory that is asked for is never more than a small multiple of
 * what the dump really has, whatever the length field says. */
#define CHUNK 1024

char *py_str(struct py_reader *reader, uint64_t object, size_t max, bool *ret_cut)
{
    uint64_t data, length;
    uint32_t kind;
    if (!object || !(py_flags_of(reader, object) & PY_TPFLAGS_UNICODE) ||
        !py_str_data(reader, object, &data, &length, &kind))
        return NULL;
    if (py_str_is_gone(reader, object, &length))
        return df_xasprintf("<str of %" PRIu64 ">", length);
    uint64_t want = length < max ? length : max;
    uint8_t units[CHUNK * 4];
    size_t used = 0, capacity = 0;
    char *text = NULL;
    for (uint64_t done = 0; done < want;) {
        size_t count = want - done < CHUNK ? (size_t)(want - done) : CHUNK;
        if (!df_read(reader->space, data + done * kind, units, count * kind)) {
            reader->fault = true;
            free(text);
            return NULL;
        }
        if (capacity - used < count * 4 + 1) {
            capacity = capacity * 2 > used + count * 4 + 1 ? capacity * 2 : used + count * 4 + 1;
            text = df_xrealloc(text, capacity, 1);
        }
        for (size_t i = 0; i < count; i++)
            used += py_put_utf8(text + used, point_at(units, kind, i));
        done += count;
    }
    text = df_xrealloc(text, used + 1, 1);
    text[used] = 0;
    if (ret_cut)
        *ret_cut = want < length;
    return text;
}

bool py_str_equals(struct py_reader *reader, uint64_t object, const char *text)
{
    uint64_t data, length;
    uint32_t kind;
    size_t expected = strlen(text);
    if (!object || !(py_flags_of(reader, object) & PY_TPFLAGS_UNICODE) ||
        !py_str_data(reader, object, &data, &length, &kind))
        return false;
    if (length != expected || kind != 1) /* ASCII text is always stored in its narrowest kind */
        return false;
    const void *bytes = df_ptr(reader->space, data, expected);
    if (bytes)
        return memcmp(bytes, text, expected) == 0;
    for (size_t i = 0; i < expected; i++)
        if (py_byte(reader, data + i) != (uint8_t)text[i])
            return false;
    return true;
}
