/* SPDX-License-Identifier: MIT
 * test_view.c: ints, strings, tuples and dicts in all their forms, built by hand in an address
 * space with a layout written by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/cpython/view.h"

#define BASE UINT64_C(0x10000)
#define BYTES 0x4000
#define SPLIT 0x2000 /* a second range begins here: things may lie across */

static uint8_t *memory, *tail; /* two buffers, apart from each other on the host */
static struct df_aspace *space;
static struct py_layout layout;
static uint64_t top; /* next free address */

enum { TYPE_INT = 0x10000, TYPE_STR = 0x10100, TYPE_TUPLE = 0x10200, TYPE_OTHER = 0x10300 };

static void put(uint64_t address, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint64_t at = address - BASE + i;
        *(at < SPLIT ? &memory[at] : &tail[at - SPLIT]) = ((const uint8_t *)bytes)[i];
    }
}

static void put64(uint64_t address, uint64_t value)
{
    put(address, &value, 8);
}

static void put32(uint64_t address, uint32_t value)
{
    put(address, &value, 4);
}

static void put8(uint64_t address, uint8_t value)
{
    put(address, &value, 1);
}

static uint64_t take(size_t bytes)
{
    uint64_t ret = top;
    top += (bytes + 15) & ~(size_t)15;
    assert_true(top <= BASE + BYTES);
    return ret;
}

#define FIELD(tag, field, at, bytes) \
    (layout.offset[PY_F_##tag##_##field] = (at), layout.size[PY_F_##tag##_##field] = (bytes))
#define BITS(tag, field, at, from, bits)                                         \
    (FIELD(tag, field, at, 4), layout.bit_offset[PY_F_##tag##_##field] = (from), \
     layout.bit_size[PY_F_##tag##_##field] = (bits))
#define STRUCT(tag, bytes) (layout.struct_size[PY_S_##tag] = (bytes))

/* What has never moved, and the newest forms; tests change what they are about. */
static void make_layout(void)
{
    memset(&layout, 0, sizeof(layout));
    memset(layout.offset, 0xff, sizeof(layout.offset));
    memset(layout.struct_size, 0xff, sizeof(layout.struct_size));
    FIELD(object, ob_refcnt, 0, 8);
    FIELD(object, ob_type, 8, 8);
    FIELD(varobject, ob_size, 16, 8);
    FIELD(type, tp_flags, 168, 8);
    FIELD(tuple, ob_item, 24, 8);
    FIELD(long, ob_digit, 24, 4);
    FIELD(ascii, length, 16, 8);
    BITS(ascii, interned, 32, 0, 2);
    BITS(ascii, kind, 32, 2, 3);
    BITS(ascii, compact, 32, 5, 1);
    BITS(ascii, ascii, 32, 6, 1);
    FIELD(unicode, data, 56, 8);
    STRUCT(ascii, 40);
    STRUCT(compact, 56);
    FIELD(dict, ma_keys, 32, 8);
    FIELD(dict, ma_values, 40, 8);
    FIELD(dictentry, me_hash, 0, 8);
    FIELD(dictentry, me_key, 8, 8);
    FIELD(dictentry, me_value, 16, 8);
    STRUCT(dictentry, 24);
}

static void use_log2_keys(void)
{
    layout.keys_shape = PY_KEYS_LOG2;
    layout.keys_hold_unicode_kind = true;
    FIELD(dictkeys, dk_log2_size, 8, 1);
    FIELD(dictkeys, dk_log2_index_bytes, 9, 1);
    FIELD(dictkeys, dk_kind, 10, 1);
    FIELD(dictkeys, dk_nentries, 24, 8);
    FIELD(dictkeys, dk_indices, 32, 1);
    FIELD(unicodeentry, me_key, 0, 8);
    FIELD(unicodeentry, me_value, 8, 8);
    STRUCT(unicodeentry, 16);
}

static void use_sized_keys(void)
{
    layout.keys_shape = PY_KEYS_SIZE;
    FIELD(dictkeys, dk_size, 8, 8);
    FIELD(dictkeys, dk_lookup, 16, 8);
    FIELD(dictkeys, dk_nentries, 32, 8);
    FIELD(dictkeys, dk_indices, 40, 1);
}

static int setup(void **state)
{
    (void)state;
    memory = calloc(1, SPLIT);
    tail = calloc(1, BYTES - SPLIT);
    space = df_aspace_create();
    df_aspace_add(space, BASE, SPLIT, memory, DF_FROM_CORE, 6);
    df_aspace_add(space, BASE + SPLIT, BYTES - SPLIT, tail, DF_FROM_CORE, 6);
    make_layout();
    top = BASE + 0x400;
    put64(TYPE_INT + 168, PY_TPFLAGS_LONG);
    put64(TYPE_STR + 168, PY_TPFLAGS_UNICODE);
    put64(TYPE_TUPLE + 168, PY_TPFLAGS_TUPLE);
    return df_aspace_seal(space) != NULL;
}

static int teardown(void **state)
{
    (void)state;
    df_aspace_destroy(space);
    free(memory);
    free(tail);
    return 0;
}

static struct py_reader new_reader(void)
{
    return (struct py_reader){.space = space, .layout = &layout};
}

static uint64_t new_object(uint64_t type, size_t bytes)
{
    uint64_t object = take(bytes);
    put64(object, 1);
    put64(object + 8, type);
    return object;
}

/* An int with these digits; word is ob_size or lv_tag. */
static uint64_t new_int(uint64_t word, uint32_t digit0, uint32_t digit1, uint32_t digit2)
{
    uint64_t object = new_object(TYPE_INT, 40);
    put64(object + 16, word);
    put32(object + 24, digit0);
    put32(object + 28, digit1);
    put32(object + 32, digit2);
    return object;
}

static void check_int(uint64_t object, int64_t expected)
{
    struct py_reader reader = new_reader();
    int64_t value = 0;
    assert_true(py_int(&reader, object, &value));
    assert_true(value == expected);
    assert_false(reader.fault);
}

static void check_no_int(uint64_t object)
{
    struct py_reader reader = new_reader();
    int64_t value;
    assert_false(py_int(&reader, object, &value));
}

static void ints_by_size(void **state)
{
    (void)state;
    layout.int_shape = PY_INT_OB_SIZE;
    const uint64_t minus = UINT64_MAX; /* -1 */
    check_int(new_int(0, 9, 9, 9), 0);
    check_int(new_int(1, 5, 0, 0), 5);
    check_int(new_int(minus, 7, 0, 0), -7);
    check_int(new_int(2, 0, 1, 0), INT64_C(1) << 30);
    check_int(new_int(3, 0x3fffffff, 0x3fffffff, 7), INT64_MAX);
    check_int(new_int(minus - 2, 0, 0, 8), INT64_MIN);
    check_no_int(new_int(3, 0, 0, 8)); /* 2 ** 63 */
    check_no_int(new_int(3, 0, 0, 16));
    check_no_int(new_int(minus - 2, 1, 0, 8));
    check_no_int(new_int(4, 1, 1, 1));
    check_no_int(new_int(UINT64_C(1) << 63, 1, 1, 1));
    check_no_int(BASE + BYTES);
    check_no_int(new_object(TYPE_OTHER, 40));
}

static void ints_by_tag(void **state)
{
    (void)state;
    layout.int_shape = PY_INT_LV_TAG;
    FIELD(long, lv_tag, 16, 8);
    check_int(new_int(1 << 3 | 0, 5, 0, 0), 5);
    check_int(new_int(1 << 3 | 2, 7, 0, 0), -7);
    check_int(new_int(0 << 3 | 1, 0, 0, 0), 0);
    check_int(new_int(1 << 3 | 4, 3, 0, 0), 3); /* bit 2: a small int of 3.14 */
    check_int(new_int(3 << 3 | 2, 0, 0, 8), INT64_MIN);
    check_no_int(new_int(3 << 3, 0, 0, 8));
    check_no_int(new_int(1 << 3 | 3, 1, 0, 0));
    check_no_int(new_int(UINT64_MAX - 7, 1, 0, 0));
}

enum { ASCII = 1 << 6 | 1 << 5 | 1 << 2, COMPACT = 1 << 5 };

static uint64_t new_str(uint32_t flags, uint32_t kind, const void *units, uint64_t length)
{
    uint64_t object = new_object(TYPE_STR, 56 + length * kind + kind);
    put64(object + 16, length);
    put32(object + 32, flags | kind << 2);
    put(object + (flags & 1 << 6 ? 40 : 56), units, length * kind);
    return object;
}

static void check_str(uint64_t object, const char *expected)
{
    struct py_reader reader = new_reader();
    bool cut = true;
    char *text = py_str(&reader, object, PY_MAX_NAME, &cut);
    assert_non_null(text);
    assert_string_equal(text, expected);
    assert_false(cut);
    free(text);
}

static void strings(void **state)
{
    (void)state;
    struct py_reader reader = new_reader();
    uint64_t ascii = new_str(ASCII, 1, "_by_id", 6);
    check_str(ascii, "_by_id");
    assert_true(py_str_equals(&reader, ascii, "_by_id"));
    assert_false(py_str_equals(&reader, ascii, "_by_i"));
    assert_false(py_str_equals(&reader, ascii, "_by_iD"));
    check_str(new_str(ASCII, 1, "", 0), "");
    check_str(new_str(COMPACT, 1, "caf\xe9", 4), "caf\xc3\xa9");
    check_str(new_str(COMPACT, 2, (uint16_t[]){0x4f60, 0x21, 0xdc80}, 3),
              "\xe4\xbd\xa0!\xef\xbf\xbd"); /* a lone surrogate is replaced */
    check_str(new_str(COMPACT, 4, (uint32_t[]){0x1f600, 0x110000}, 2),
              "\xf0\x9f\x98\x80\xef\xbf\xbd");
    uint64_t legacy = new_object(TYPE_STR, 64);
    put64(legacy + 16, 2);
    put32(legacy + 32, 1 << 2);
    put64(legacy + 56, take(16));
    put(top - 16, "hi", 2);
    check_str(legacy, "hi");
    bool cut;
    char *text = py_str(&reader, ascii, 3, &cut);
    assert_string_equal(text, "_by");
    assert_true(cut);
    free(text);
}

static void long_string_across_ranges(void **state)
{
    (void)state;
    char units[3000];
    memset(units, 'x', sizeof(units));
    units[2999] = 0;
    top = BASE + SPLIT - 1500;
    top &= ~UINT64_C(15);
    uint64_t object = new_str(ASCII, 1, units, 2999);
    check_str(object, units);
    struct py_reader reader = new_reader();
    assert_true(py_str_equals(&reader, object, units));
    assert_true(py_readable(&reader, object, 3000));
    assert_false(py_readable(&reader, BASE + BYTES - 10, 11));
    assert_true(py_readable(&reader, BASE + BYTES - 10, 10));
    assert_false(py_readable(&reader, UINT64_MAX - 5, 10));
}

static void damaged_strings(void **state)
{
    (void)state;
    struct py_reader reader = new_reader();
    uint64_t lying = new_str(ASCII, 1, "abc", 3);
    put64(lying + 16, UINT64_C(1) << 40);
    assert_null(py_str(&reader, lying, SIZE_MAX, NULL));
    assert_true(reader.fault);
    put64(lying + 16, UINT64_MAX); /* negative */
    assert_null(py_str(&reader, lying, SIZE_MAX, NULL));
    uint64_t unready = new_str(0, 0, "", 0);
    assert_null(py_str(&reader, unready, 10, NULL));
    assert_null(py_str(&reader, 0, 10, NULL));
    assert_null(py_str(&reader, UINT64_MAX - 3, 10, NULL));
    assert_null(py_str(&reader, new_int(0, 0, 0, 0), 10, NULL));
}

static void tuples(void **state)
{
    (void)state;
    struct py_reader reader = new_reader();
    uint64_t tuple = new_object(TYPE_TUPLE, 48), items, count;
    put64(tuple + 16, 3);
    assert_true(py_tuple(&reader, tuple, &items, &count));
    assert_int_equal(count, 3);
    assert_int_equal(items, tuple + 24);
    put64(tuple + 16, UINT64_MAX);
    assert_false(py_tuple(&reader, tuple, &items, &count));
    put64(tuple + 16, 100000);
    assert_false(py_tuple(&reader, tuple, &items, &count));
    assert_false(py_tuple(&reader, 0, &items, &count));
    assert_false(py_tuple(&reader, new_int(0, 0, 0, 0), &items, &count));
}

/* Iterates a dict whose keys are str and values small ints: "key=value" each, joined by spaces. */
static void check_dict(uint64_t dict, const char *expected, bool general)
{
    struct py_reader reader = new_reader();
    struct py_dict_cursor cursor;
    uint64_t key, value;
    char text[256] = "";
    assert_true(py_dict_begin(&reader, dict, &cursor));
    assert_int_equal(cursor.general, general);
    while (py_dict_next(&reader, &cursor, &key, &value)) {
        int64_t number = 0;
        char *name = py_str(&reader, key, 10, NULL);
        assert_true(py_int(&reader, value, &number));
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s=%d", *text ? " " : "",
                 name ? name : "?", (int)number);
        free(name);
    }
    assert_string_equal(text, expected);
    assert_false(reader.fault);
}

static void check_no_dict(uint64_t dict)
{
    struct py_reader reader = new_reader();
    struct py_dict_cursor cursor;
    assert_false(py_dict_begin(&reader, dict, &cursor));
    assert_int_equal(py_dict_get(&reader, dict, "a"), 0);
}

static uint64_t new_dict(uint64_t keys, uint64_t values)
{
    uint64_t dict = new_object(TYPE_OTHER, 48);
    put64(dict + 32, keys);
    put64(dict + 40, values);
    return dict;
}

enum { GENERAL, UNICODE_KEYS, SPLIT_KEYS };

/* 8 slots, an index of 8 bytes. */
static uint64_t new_keys(uint8_t kind, uint64_t entries)
{
    uint64_t keys = take(32 + 8 + 8 * 24);
    put8(keys + 8, 3);
    put8(keys + 9, 3);
    put8(keys + 10, kind);
    put64(keys + 24, entries);
    return keys;
}

static void entry(uint64_t keys, uint8_t kind, uint64_t i, uint64_t key, uint64_t value)
{
    uint64_t at = keys + 40 + i * (kind == GENERAL ? 24 : 16);
    put64(at + (kind == GENERAL ? 8 : 0), key);
    put64(at + (kind == GENERAL ? 16 : 8), value);
}

static void dicts_by_log2(void **state)
{
    (void)state;
    use_log2_keys();
    uint64_t a = new_str(ASCII, 1, "a", 1), b = new_str(ASCII, 1, "b", 1);
    uint64_t one = new_int(1, 1, 0, 0), two = new_int(1, 2, 0, 0);

    uint64_t keys = new_keys(UNICODE_KEYS, 3);
    entry(keys, UNICODE_KEYS, 0, a, one);
    entry(keys, UNICODE_KEYS, 1, 0, 0); /* deleted */
    entry(keys, UNICODE_KEYS, 2, b, two);
    uint64_t dict = new_dict(keys, 0);
    check_dict(dict, "a=1 b=2", false);
    struct py_reader reader = new_reader();
    assert_int_equal(py_dict_get(&reader, dict, "b"), two);
    assert_int_equal(py_dict_get(&reader, dict, "c"), 0);

    keys = new_keys(GENERAL, 2);
    entry(keys, GENERAL, 0, one, two);
    entry(keys, GENERAL, 1, b, one);
    check_dict(new_dict(keys, 0), "?=2 b=1", true);
    check_dict(new_dict(new_keys(GENERAL, 0), 0), "", true);
}

static void split_dicts(void **state)
{
    (void)state;
    use_log2_keys();
    uint64_t a = new_str(ASCII, 1, "a", 1), b = new_str(ASCII, 1, "b", 1);
    uint64_t one = new_int(1, 1, 0, 0), two = new_int(1, 2, 0, 0);
    uint64_t keys = new_keys(SPLIT_KEYS, 3), values = take(48);
    entry(keys, SPLIT_KEYS, 0, a, 0);
    entry(keys, SPLIT_KEYS, 1, b, 0);
    entry(keys, SPLIT_KEYS, 2, a, 0);

    put64(values, one); /* 3.11: values alone */
    put64(values + 16, two);
    FIELD(dictvalues, values, 0, 8);
    check_dict(new_dict(keys, values), "a=1 a=2", false);

    put8(values, 2); /* 3.13: capacity first; the third key is beyond it */
    put64(values + 8, 0);
    put64(values + 16, two);
    put64(values + 24, one);
    FIELD(dictvalues, values, 8, 8);
    FIELD(dictvalues, capacity, 0, 1);
    check_dict(new_dict(keys, values), "b=2", false);
}

static void dicts_by_size(void **state)
{
    (void)state;
    use_sized_keys();
    layout.general_lookup = 0x77777;
    uint64_t a = new_str(ASCII, 1, "a", 1), one = new_int(1, 1, 0, 0);
    uint64_t keys = take(40 + 8 + 5 * 24);
    put64(keys + 8, 8);
    put64(keys + 16, 0x77777);
    put64(keys + 32, 2);
    put64(keys + 48 + 8, a);
    put64(keys + 48 + 16, one);
    put64(keys + 48 + 24 + 8, one);
    put64(keys + 48 + 24 + 16, one);
    uint64_t dict = new_dict(keys, 0);
    check_dict(dict, "a=1 ?=1", true);
    put64(keys + 16, 0x66666);
    check_dict(dict, "a=1 ?=1", false);
    layout.general_lookup = 0; /* told by the keys */
    check_dict(dict, "a=1 ?=1", true);
    put64(keys + 32, 1);
    check_dict(dict, "a=1", false);
    uint64_t values = take(16);
    put64(values, one);
    check_dict(new_dict(keys, values), "a=1", false);
    put64(keys + 8, 7); /* no power of two */
    check_no_dict(dict);
    put64(keys + 8, 0);
    check_no_dict(dict);
}

static void damaged_dicts(void **state)
{
    (void)state;
    use_log2_keys();
    FIELD(dictvalues, values, 0, 8);
    uint64_t keys = new_keys(UNICODE_KEYS, 9); /* more entries than slots */
    check_no_dict(new_dict(keys, 0));
    put64(keys + 24, UINT64_MAX);
    check_no_dict(new_dict(keys, 0));
    put64(keys + 24, 3);
    put8(keys + 8, 200);
    check_no_dict(new_dict(keys, 0));
    put8(keys + 8, 40);
    put8(keys + 9, 42);
    check_no_dict(new_dict(keys, 0)); /* plausible, but nothing is there */
    put8(keys + 8, 3);
    put8(keys + 9, 3);
    check_no_dict(new_dict(keys, BASE + BYTES - 8)); /* values cut off */
    check_no_dict(new_dict(0, 0));
    check_no_dict(new_dict(BASE + BYTES, 0));
    check_no_dict(0);
}

static void refcounts(void **state)
{
    (void)state;
    struct py_reader reader = new_reader();
    uint64_t object = new_object(TYPE_OTHER, 32);
    put64(object, UINT64_C(0xffffffff));
    layout.ref_shape = PY_COUNT_PLAIN;
    assert_true(py_refcount(&reader, object) == 0xffffffff);
    layout.ref_shape = PY_COUNT_SIGN32;
    assert_true(py_refcount(&reader, object) == INT64_MAX);
    put64(object, 12);
    assert_true(py_refcount(&reader, object) == 12);
    layout.ref_shape = PY_COUNT_HALF32;
    put64(object, UINT64_C(5) << 48 | 12); /* flags above the count */
    assert_true(py_refcount(&reader, object) == 12);
    put64(object, UINT64_C(0xc0000000));
    assert_true(py_refcount(&reader, object) == INT64_MAX);
}

static void biased_refcounts(void **state)
{
    (void)state;
    struct py_reader reader = new_reader();
    uint64_t object = take(32);
    layout.ref_shape = PY_COUNT_BIASED;
    FIELD(object, ob_gc_bits, 11, 1);
    FIELD(object, ob_ref_local, 12, 4);
    FIELD(object, ob_ref_shared, 16, 8);
    put32(object + 12, 3);
    put64(object + 16, 5 << 2 | 3);
    assert_true(py_refcount(&reader, object) == 8);
    put64(object + 16, (uint64_t)(INT64_MAX / 8 + 2) << 2); /* deferred */
    put8(object + 11, 64);
    assert_true(py_refcount(&reader, object) == 5);
    put64(object + 16, (uint64_t)-4); /* -1 shared; deferred as in 3.13: one too many */
    assert_true(py_refcount(&reader, object) == 1);
    put8(object + 11, 0);
    assert_true(py_refcount(&reader, object) == 2);
    put32(object + 12, UINT32_MAX);
    assert_true(py_refcount(&reader, object) == INT64_MAX);
}

static void absent_and_faulting_fields(void **state)
{
    (void)state;
    struct py_reader reader = new_reader();
    assert_int_equal(PY_GET(&reader, BASE, thread, frame), 0);
    assert_int_equal(PY_PTR(&reader, BASE, thread, frame), 0);
    assert_false(reader.fault);
    PY_GET(&reader, BASE + BYTES, object, ob_type);
    assert_true(reader.fault);
    reader.fault = false;
    PY_GET(&reader, BASE + BYTES - 12, object, ob_type); /* half of it */
    assert_true(reader.fault);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ints_by_size),
        TEST(ints_by_tag),
        TEST(strings),
        TEST(long_string_across_ranges),
        TEST(damaged_strings),
        TEST(tuples),
        TEST(dicts_by_log2),
        TEST(split_dicts),
        TEST(dicts_by_size),
        TEST(damaged_dicts),
        TEST(refcounts),
        TEST(biased_refcounts),
        TEST(absent_and_faulting_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
