/* SPDX-License-Identifier: MIT
 * view.h: checked reads of the dead process through a layout.
 *
 * A reader carries a sticky fault: a read that fails returns 0 and marks the reader, so a walker
 * reads everything it wants and asks once at the end. Facts, not faults, in the hot path.
 */
#ifndef PY_VIEW_H
#define PY_VIEW_H

#include "analyzer/cpython/layout.h"
#include "dumpfmt/base/map.h"

/* References that are counted apart from their objects (free-threaded builds; refcounts.c). */
struct py_counts {
    struct df_map objects; /* object -> index */
    int64_t *items;
    size_t count, capacity;
};

#define PY_NEAR_SHIFT 22
#define PY_NEAR_RANGES 8

struct py_reader {
    const struct df_aspace *space;
    const struct py_layout *layout;
    const struct py_counts *counts;              /* NULL: none */
    const struct df_range *near[PY_NEAR_RANGES]; /* where reads were, for each of some regions of
                                                    the address space the last: likely again */
    bool fault;    /* something could not be read since this was cleared */
    bool redacted; /* the dump is a snapshot without data: a text that begins with a 0 is gone, and
                      so is an int whose highest digit is 0 */
};

/* Where no read was of late. */
const void *py_ptr_elsewhere(struct py_reader *reader, uint64_t address, uint64_t size);

/* As df_ptr. Only of a core are ranges remembered, whose bytes are all there from the start: of a
 * snapshot each read asks for them (aspace.h). */
static inline const void *py_ptr(struct py_reader *reader, uint64_t address, uint64_t size)
{
    const struct df_range *near = reader->near[address >> PY_NEAR_SHIFT & (PY_NEAR_RANGES - 1)];
    if (__builtin_expect(near && address >= near->start && address < near->end &&
                             near->end - address >= size,
                         1))
        return near->host + (address - near->start);
    return py_ptr_elsewhere(reader, address, size);
}

/* What is not in one piece, or not there. */
uint64_t py_read_slowly(struct py_reader *reader, uint64_t address, uint64_t size);

static inline uint64_t py_word(struct py_reader *reader, uint64_t address)
{
    const void *bytes = py_ptr(reader, address, 8);
    uint64_t value;
    if (!bytes)
        return py_read_slowly(reader, address, 8);
    memcpy(&value, bytes, 8);
    return value;
}

static inline uint32_t py_half(struct py_reader *reader, uint64_t address)
{
    const void *bytes = py_ptr(reader, address, 4);
    uint32_t value;
    if (!bytes)
        return (uint32_t)py_read_slowly(reader, address, 4);
    memcpy(&value, bytes, 4);
    return value;
}

static inline uint8_t py_byte(struct py_reader *reader, uint64_t address)
{
    const uint8_t *byte = py_ptr(reader, address, 1);
    return byte ? *byte : (uint8_t)py_read_slowly(reader, address, 1);
}

/* A field of any width up to 8 bytes, bit fields too, zero-extended. Absent fields read as 0
 * without a fault: ask PY_HAS where it matters. */
uint64_t py_field_slowly(struct py_reader *reader, uint64_t structure, enum py_field field);

/* 1, 4 and 8 bytes are the rule. */
static inline uint64_t py_field_at(struct py_reader *reader, uint64_t structure,
                                   enum py_field field)
{
    const struct py_layout *layout = reader->layout;
    uint64_t address = structure + layout->offset[field], value;
    unsigned bits = layout->bit_size[field];
    if (layout->offset[field] == PY_ABSENT)
        return 0;
    if (layout->size[field] == 4)
        value = py_half(reader, address);
    else if (layout->size[field] == 8)
        value = py_word(reader, address);
    else if (layout->size[field] == 1)
        value = py_byte(reader, address);
    else
        return py_field_slowly(reader, structure, field);
    if (!bits)
        return value;
    value >>= layout->bit_offset[field] & 63;
    return bits < 64 ? value & ((UINT64_C(1) << bits) - 1) : value;
}

/* A pointer-sized field; the common case, without the table look-ups of py_field_at. */
#define PY_PTR(reader, address, tag, field)                              \
    (PY_HAS((reader)->layout, tag, field)                                \
         ? py_word(reader, PY_AT((reader)->layout, address, tag, field)) \
         : 0)
#define PY_GET(reader, address, tag, field) py_field_at(reader, address, PY_F_##tag##_##field)

static inline uint64_t py_type_of(struct py_reader *reader, uint64_t object)
{
    return PY_PTR(reader, object, object, ob_type);
}

/* ob_size of a variable-sized object, signed as stored. */
static inline int64_t py_ob_size(struct py_reader *reader, uint64_t object)
{
    return (int64_t)PY_PTR(reader, object, varobject, ob_size);
}

/* tp_flags of an object's type; 0 when either is unreadable. */
static inline uint64_t py_flags_of(struct py_reader *reader, uint64_t object)
{
    uint64_t type = py_type_of(reader, object);
    return type ? PY_PTR(reader, type, type, tp_flags) : 0;
}

/* Whether all of [address, address + size) can be read, also across ranges. Size 0: yes. */
bool py_readable(const struct py_reader *reader, uint64_t address, uint64_t size);

/* The text of a str object as malloc'ed UTF-8 (lone surrogates become U+FFFD), at most max code
 * points (longer: cut, *ret_cut set when not NULL); NULL when it is no readable string. One that a
 * redacted dump has not is "<str of 12>". */
char *py_str(struct py_reader *reader, uint64_t object, size_t max, bool *ret_cut);
/* Whether a str's text was there and is not kept in this dump; *ret_length: its code points. */
bool py_str_is_gone(struct py_reader *reader, uint64_t object, uint64_t *ret_length);
/* Writes a code point as UTF-8 (what is none as U+FFFD) to where there is room for 4 bytes; returns
 * how many it took. */
size_t py_put_utf8(char *text, uint32_t point);
/* Whether a str object equals an ASCII text. */
bool py_str_equals(struct py_reader *reader, uint64_t object, const char *text);
/* Data address, code points and bytes per code point (1, 2, 4) of a str; false when unreadable or
 * not ready. */
bool py_str_data(struct py_reader *reader, uint64_t object, uint64_t *ret_data,
                 uint64_t *ret_length, uint32_t *ret_kind);
/* The characters of a str as they are in the core, when they lie there in one piece and have at
 * most `limit` bytes; NULL otherwise. */
const uint8_t *py_str_bytes(struct py_reader *reader, uint64_t object, uint64_t limit,
                            uint64_t *ret_size);
/* A code point as repr sees it: printed, or escaped (printable.c). */
bool py_printable(const struct py_layout *layout, uint32_t code_point);
/* The digits of an int of any size: where they are, how many, how many bits each has (15 or 30, in
 * 2 or 4 bytes), and the sign. False when it is none, or its digits cannot be read or are not kept
 * in this dump. */
struct py_digits {
    uint64_t address, count;
    uint32_t bits, bytes;
    bool negative;
};
bool py_int_digits(struct py_reader *reader, uint64_t object, struct py_digits *ret);
/* An int that fits 64 bits; false otherwise. */
bool py_int(struct py_reader *reader, uint64_t object, int64_t *ret);
/* A tuple's items: their address and number; false when it does not look like one. */
bool py_tuple(struct py_reader *reader, uint64_t tuple, uint64_t *ret_items, uint64_t *ret_count);
/* The reference count of an object: INT64_MAX when immortal. In free-threaded builds: the sum of
 * all that is counted anywhere, without the bias of objects whose stack references are deferred. */
int64_t py_refcount(struct py_reader *reader, uint64_t object);
int64_t py_biased_refcount(struct py_reader *reader, uint64_t object); /* refcounts.c */

/* Iterates a dict's entries in the order of its key table, which is the order of dict_traverse (of
 * insertion too, unless the dict shares its keys). */
struct py_dict_cursor {
    uint64_t dict, keys, values, entries; /* set by py_dict_begin */
    uint64_t index, count;
    uint32_t entry_size, key_offset, value_offset;
    bool general; /* keys of any type, or (false) unicode-only: dict_traverse visits no keys */
};
/* False when the dict's tables are unreadable or implausible. */
bool py_dict_begin(struct py_reader *reader, uint64_t dict, struct py_dict_cursor *ret);
/* The next entry that has a value; false at the end. */
bool py_dict_next(struct py_reader *reader, struct py_dict_cursor *cursor, uint64_t *ret_key,
                  uint64_t *ret_value);
/* The value of a str key in a dict (linear search; for the few look-ups that reading a process
 * needs), 0 when absent. */
uint64_t py_dict_get(struct py_reader *reader, uint64_t dict, const char *key);

/* Detects a cycle in a chain of foreign pointers with constant memory (Brent): call for each
 * element; true when the chain has come back to where it was. */
struct py_cycle {
    uint64_t mark, steps, limit;
};

static inline bool py_cycle_closed(struct py_cycle *cycle, uint64_t address)
{
    if (address == cycle->mark)
        return true;
    if (++cycle->steps > cycle->limit) {
        cycle->mark = address;
        cycle->steps = 0;
        cycle->limit = cycle->limit * 2 + 1;
    }
    return false;
}

/* Named maximum of every count that is read from a core. */
#define PY_MAX_TUPLE (UINT64_C(1) << 36)
#define PY_MAX_NAME 4096 /* code points of a name */
#define PY_MAX_MRO 4096  /* bases of a type */
#define PY_MAX_INTERPRETERS 65536
#define PY_MAX_STRAY_STEPS 100000000 /* links followed in search of lists on native stacks */
#define PY_MAX_THREADS 1000000
#define PY_MAX_FRAMES 1000000                 /* of one thread */
#define PY_MAX_ALL_FRAMES 4000000             /* of all threads: chains may share their tails */
#define PY_MAX_LINE_BYTES (UINT64_C(1) << 32) /* of line tables read for all threads' frames */
#define PY_MAX_LOCALS 65536                   /* of one frame */

#endif
