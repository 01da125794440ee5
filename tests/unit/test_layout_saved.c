/* SPDX-License-Identifier: MIT
 * test_layout_saved.c: a layout that was saved by names is the one that it was: every byte of it.
 */
#include "tests/support/cmocka_all.h"

#include "analyzer/cpython/known.h"
#include "analyzer/cpython/layout_internal.h"

static char path[] = "/tmp/necropy-layout-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

/* False when it is refused. */
static bool through_a_file(const struct py_layout *layout, struct py_layout *ret)
{
    struct df_necro_writer *writer;
    struct df_necro *necro;
    struct df_file *file;
    memset(ret, 0, sizeof(*ret));
    assert_ok(df_necro_create(path, 1, &writer));
    assert_ok(py_layout_save(layout, writer));
    assert_ok(df_necro_commit(writer));
    assert_ok(df_file_open(path, &file));
    assert_ok(df_necro_open(file, &necro));
    struct df_err *err = py_layout_restore(necro, ret);
    bool good = !err;
    df_err_free(err);
    df_necro_close(necro);
    df_file_close(file);
    return good;
}

static void same_slots(const struct py_slots *a, const struct py_slots *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->items[i].path, b->items[i].path);
        assert_int_equal(a->items[i].offset, b->items[i].offset);
        assert_int_equal(a->items[i].count, b->items[i].count);
        assert_int_equal(a->items[i].stride, b->items[i].stride);
    }
}

static void every_known_layout_comes_back(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < py_known_count(); i++) {
        struct py_known_layout row;
        struct py_layout layout, restored;
        py_known_at(i, &row);
        py_layout_from_known(&row, row.version, &layout);
        assert_true(through_a_file(&layout, &restored));
        for (enum py_field field = 0; field < PY_FIELDS; field++) {
            assert_int_equal(layout.offset[field], restored.offset[field]);
            assert_int_equal(layout.source[field], restored.source[field]);
            if (layout.offset[field] == PY_ABSENT)
                continue;
            assert_int_equal(layout.size[field], restored.size[field]);
            assert_int_equal(layout.bit_offset[field], restored.bit_offset[field]);
            assert_int_equal(layout.bit_size[field], restored.bit_size[field]);
        }
        for (enum py_struct structure = 0; structure < PY_STRUCTS; structure++)
            assert_int_equal(layout.struct_size[structure], restored.struct_size[structure]);
        same_slots(&layout.runtime_slots, &restored.runtime_slots);
        same_slots(&layout.interp_slots, &restored.interp_slots);
        same_slots(&layout.thread_slots, &restored.thread_slots);
        py_layout_deinit(&restored);
        py_layout_deinit(&layout);
    }
}

/* Each byte of what is neither field nor slot is changed: it comes back, or the value is refused
 * because there is none such. A member that nobody saves does neither. */
static void no_member_is_forgotten(void **state)
{
    (void)state;
#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
    const size_t first = offsetof(struct py_layout, version);
    const size_t end = offsetof(struct py_layout, runtime_slots);
    struct py_known_layout row;
    struct py_layout layout, ones, restored;
    size_t kept = 0, refused = 0;
    py_known_at(0, &row);
    py_layout_from_known(&row, row.version, &layout);
    memset(&ones, 0xff, sizeof(ones));
    __builtin_clear_padding(&ones);
    for (size_t at = first; at < end; at++) {
        uint8_t *byte = (uint8_t *)&layout + at;
        if (!((uint8_t *)&ones)[at])
            continue;
        *byte ^= 1;
        if (through_a_file(&layout, &restored)) {
            if (((uint8_t *)&restored)[at] != *byte)
                fail_msg("the member at byte %zu of struct py_layout is not saved", at);
            kept++;
        } else {
            refused++;
        }
        py_layout_deinit(&restored);
        *byte ^= 1;
    }
    assert_true(kept > 50 && refused > 10);
    py_layout_deinit(&layout);
    return;
#endif
#endif
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_layout_comes_back),
        cmocka_unit_test(no_member_is_forgotten),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
