/* SPDX-License-Identifier: MIT
 * test_known.c: the table of known layouts is whole, and the interpreter's own list of offsets is
 * believed only within bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/cpython/known.h"
#include "analyzer/cpython/layout_internal.h"

#define RUNTIME UINT64_C(0x10000)
#define BYTES 4096

static void every_row_is_whole(void **state)
{
    (void)state;
    assert_true(py_known_count() >= 16);
    for (uint32_t i = 0; i < py_known_count(); i++) {
        struct py_known_layout row;
        struct py_layout layout;
        py_known_at(i, &row);
        py_layout_from_known(&row, row.version, &layout);
        struct df_err *err = py_layout_check_necessary(&layout, "the table");
        assert_null(err);
        assert_int_equal(py_layout_build(&layout), row.build);
        assert_true(layout.interp_slots.count > 10);
        assert_true(layout.thread_slots.count > 3);
        for (enum py_field field = 0; field < PY_FIELDS; field++)
            assert_true((layout.offset[field] == PY_ABSENT) ==
                        (layout.source[field] == PY_SOURCE_NONE));
        py_layout_deinit(&layout);
    }
}

static void rows_are_found_by_minor_version_and_build(void **state)
{
    struct py_known_layout row;
    (void)state;
    assert_true(py_known_find(0x030b07f0, "x86_64", PY_BUILD_RELEASE, &row));
    assert_int_equal(row.version, 0x030b07f0);
    assert_true(py_known_find(0x030b09f0, "x86_64", PY_BUILD_RELEASE, &row));
    assert_int_equal(row.version, 0x030b07f0); /* the nearest */
    assert_true(py_known_find(0x030b03f0, "x86_64", PY_BUILD_RELEASE, &row));
    assert_int_equal(row.version, 0x030b02f0);
    assert_false(py_known_find(0x030b07f0, "riscv64", PY_BUILD_RELEASE, &row));
    assert_false(py_known_find(0x030600f0, "x86_64", PY_BUILD_RELEASE, &row));
    assert_false(py_known_find(0x036300f0, "x86_64", PY_BUILD_RELEASE, &row));
}

struct fixture {
    uint8_t bytes[BYTES];
    struct df_aspace *space;
    struct py_layout layout;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct py_known_layout row;
    uint64_t head[] = {0, 0x030d00f0, 0};
    memcpy(head, "xdebugpy", 8);
    memcpy(fixture->bytes, head, sizeof(head));
    fixture->space = df_aspace_create();
    df_aspace_add(fixture->space, RUNTIME, BYTES, fixture->bytes, DF_FROM_CORE, 6);
    assert_null(df_aspace_seal(fixture->space));
    assert_true(py_known_find(0x030d00f0, "x86_64", PY_BUILD_RELEASE, &row));
    py_layout_from_known(&row, row.version, &fixture->layout);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    py_layout_deinit(&fixture->layout);
    df_aspace_destroy(fixture->space);
    free(fixture);
    return 0;
}

static void put(struct fixture *fixture, enum py_field member, uint64_t value)
{
    memcpy(fixture->bytes + fixture->layout.offset[member], &value, sizeof(value));
}

static void offsets_within_bounds_override(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, PY_F_debugoffsets_interp_size, 500000);
    put(fixture, PY_F_debugoffsets_interp_gc, 7777);
    py_debug_offsets_apply(fixture->space, RUNTIME, &fixture->layout);
    assert_int_equal(PY_OFF(&fixture->layout, interp, gc), 7777);
    assert_int_equal(fixture->layout.source[PY_F_interp_gc], PY_SOURCE_DEBUG_OFFSETS);
    assert_int_equal(PY_SIZEOF(&fixture->layout, interp), 500000);
}

static void offsets_out_of_bounds_do_not(void **state)
{
    struct fixture *fixture = *state;
    uint32_t sysdict = PY_OFF(&fixture->layout, interp, sysdict);
    uint32_t next = PY_OFF(&fixture->layout, interp, next);
    uint32_t size = PY_SIZEOF(&fixture->layout, thread);
    put(fixture, PY_F_debugoffsets_interp_size, 100000);
    put(fixture, PY_F_debugoffsets_interp_sysdict, 100000);      /* at the end of it */
    put(fixture, PY_F_debugoffsets_interp_next, UINT64_MAX - 7); /* beyond everything */
    put(fixture, PY_F_debugoffsets_thread_size, UINT64_C(1) << 40);
    py_debug_offsets_apply(fixture->space, RUNTIME, &fixture->layout);
    assert_int_equal(PY_OFF(&fixture->layout, interp, sysdict), sysdict);
    assert_int_equal(PY_OFF(&fixture->layout, interp, next), next);
    assert_int_equal(PY_SIZEOF(&fixture->layout, thread), size);
}

static void only_a_cookie_with_a_version_is_a_list(void **state)
{
    struct fixture *fixture = *state;
    uint32_t version;
    bool free_threaded;
    assert_true(py_debug_offsets(fixture->space, RUNTIME, &version, &free_threaded));
    assert_int_equal(version, 0x030d00f0);
    assert_false(free_threaded);
    fixture->bytes[16] = 2;
    assert_false(py_debug_offsets(fixture->space, RUNTIME, &version, &free_threaded));
    fixture->bytes[16] = 1;
    fixture->bytes[10] = 12; /* 3.12 had none */
    assert_false(py_debug_offsets(fixture->space, RUNTIME, &version, &free_threaded));
    assert_false(py_debug_offsets(fixture->space, RUNTIME + BYTES - 8, &version, &free_threaded));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(rows_are_found_by_minor_version_and_build),
        cmocka_unit_test_setup_teardown(offsets_within_bounds_override, setup, teardown),
        cmocka_unit_test_setup_teardown(offsets_out_of_bounds_do_not, setup, teardown),
        cmocka_unit_test_setup_teardown(only_a_cookie_with_a_version_is_a_list, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
