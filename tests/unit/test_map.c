/* SPDX-License-Identifier: MIT
 * test_map.c: the address map, and growing arrays.
 */
#include "tests/support/cmocka_all.h"

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

static void empty_map_finds_nothing(void **state)
{
    (void)state;
    struct df_map map;
    df_map_init(&map);
    assert_int_equal(df_map_get(&map, 42), DF_MAP_NONE);
    df_map_reserve(&map, 0);
    assert_int_equal(df_map_get(&map, 42), DF_MAP_NONE);
    df_map_deinit(&map);
    df_map_deinit(&map);
}

static void key_zero_is_refused(void **state)
{
    (void)state;
    struct df_map map;
    bool added = true;
    df_map_init(&map);
    df_map_set(&map, 0, 7);
    assert_int_equal(df_map_add(&map, 0, 7, &added), DF_MAP_NONE);
    assert_false(added);
    df_map_set(&map, 16, 1);
    assert_int_equal(df_map_get(&map, 0), DF_MAP_NONE);
    assert_int_equal(map.count, 1);
    df_map_deinit(&map);
}

static void set_overwrites_and_add_does_not(void **state)
{
    (void)state;
    struct df_map map;
    bool added;
    df_map_init(&map);
    assert_int_equal(df_map_add(&map, 8, 1, &added), 1);
    assert_true(added);
    assert_int_equal(df_map_add(&map, 8, 2, &added), 1);
    assert_false(added);
    df_map_set(&map, 8, 3);
    assert_int_equal(df_map_get(&map, 8), 3);
    assert_int_equal(map.count, 1);
    df_map_deinit(&map);
}

/* Keys as heaps have them: aligned, close to each other, far from zero. */
static void many_addresses(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    const uint64_t base = UINT64_C(0x7f1234560010);
    struct df_map map;
    df_map_init(&map);
    for (uint32_t i = 0; i < COUNT; i++)
        df_map_set(&map, base + i * UINT64_C(48), i);
    assert_int_equal(map.count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(df_map_get(&map, base + i * UINT64_C(48)), i);
        assert_int_equal(df_map_get(&map, base + i * UINT64_C(48) + 16), DF_MAP_NONE);
    }
    df_map_deinit(&map);
}

static void reserve_keeps_room(void **state)
{
    (void)state;
    struct df_map map;
    df_map_init(&map);
    df_map_set(&map, 5, 55);
    df_map_reserve(&map, 1000);
    const uint64_t *keys = map.keys;
    for (uint64_t i = 1; i < 1000; i++)
        df_map_set(&map, i * 4096, 1);
    assert_ptr_equal(keys, map.keys);
    assert_int_equal(df_map_get(&map, 5), 55);
    df_map_deinit(&map);
}

static void lists_grow(void **state)
{
    (void)state;
    struct {
        uint64_t *items;
        size_t count, capacity;
    } list = {0};
    for (uint64_t i = 0; i < 10000; i++)
        DF_PUSH(&list, i * i);
    for (uint64_t i = 0; i < 10000; i++)
        assert_int_equal(list.items[i], i * i);
    free(list.items);
}

static void arrays_are_zeroed_and_checked(void **state)
{
    (void)state;
    uint32_t *array = NULL;
    assert_ok(df_array(100, sizeof(*array), &array));
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(array[i], 0);
    free(array);
    array = NULL;
    assert_ok(df_array(0, sizeof(*array), &array));
    assert_non_null(array);
    free(array);
    assert_fails(df_array(SIZE_MAX / 2, 8, &array), DF_ERR_NOMEM, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_map_finds_nothing),
        cmocka_unit_test(key_zero_is_refused),
        cmocka_unit_test(set_overwrites_and_add_does_not),
        cmocka_unit_test(many_addresses),
        cmocka_unit_test(reserve_keeps_room),
        cmocka_unit_test(lists_grow),
        cmocka_unit_test(arrays_are_zeroed_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
