/* SPDX-License-Identifier: MIT
 * test_aspace.c: the address space against a model that is one array of bytes.
 */
#include "tests/support/cmocka_all.h"

#include <elf.h>

#include "dumpfmt/aspace.h"

static uint8_t bytes[4][1 << 16];
static const char nothing[] = ""; /* stands for an absent byte in the model */

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < sizeof(bytes[i]); j++)
            bytes[i][j] = (uint8_t)(j * 7 + i * 61);
    return 0;
}

static void empty_space_reads_nothing(void **state)
{
    (void)state;
    uint64_t value;
    struct df_aspace *space = df_aspace_create();
    assert_null(df_ptr(space, 0x1000, 1)); /* not sealed yet */
    assert_ok(df_aspace_seal(space));
    assert_ok(df_aspace_seal(space));
    assert_null(df_ptr(space, 0x1000, 1));
    assert_null(df_ptr(space, UINT64_MAX, 1));
    assert_false(df_u64(space, 0, &value));
    assert_null(df_cstring(space, 0x1000, 10));
    df_aspace_destroy(space);
    df_aspace_destroy(NULL);
}

static void first_added_wins(void **state)
{
    (void)state;
    struct df_aspace *space = df_aspace_create();
    df_aspace_add(space, 0x2800, 0x1000, bytes[0], DF_FROM_CORE, PF_R | PF_W);
    df_aspace_add(space, 0x1000, 0x4000, bytes[1], DF_FROM_FILE, PF_R);
    df_aspace_add(space, 0x0, 0x10000, NULL, DF_ABSENT, 0);
    assert_ok(df_aspace_seal(space));
    assert_ptr_equal(df_ptr(space, 0x2800, 0x1000), bytes[0]);
    assert_ptr_equal(df_ptr(space, 0x1000, 0x1800), bytes[1]);
    assert_null(df_ptr(space, 0x1000, 0x1801));
    assert_ptr_equal(df_ptr(space, 0x3800, 0x1800), bytes[1] + 0x2800);
    assert_int_equal(df_aspace_range(space, 0x3000)->origin, DF_FROM_CORE);
    assert_int_equal(df_aspace_range(space, 0x3800)->origin, DF_FROM_FILE);
    assert_int_equal(df_aspace_range(space, 0x5000)->origin, DF_ABSENT);
    assert_null(df_ptr(space, 0x5000, 1));
    assert_null(df_aspace_range(space, 0x10000));
    uint8_t read[0x4000];
    assert_true(df_read(space, 0x1000, read, sizeof(read)));
    assert_memory_equal(read, bytes[1], 0x1800);
    assert_memory_equal(read + 0x1800, bytes[0], 0x1000);
    assert_memory_equal(read + 0x2800, bytes[1] + 0x2800, 0x1800);
    assert_false(df_read(space, 0x1001, read, sizeof(read)));
    df_aspace_destroy(space);
}

static void neighbours_in_one_backing_are_one_range(void **state)
{
    (void)state;
    struct df_aspace *space = df_aspace_create();
    df_aspace_add(space, 0x2000, 0x1000, bytes[0] + 0x1000, DF_FROM_CORE, PF_R);
    df_aspace_add(space, 0x1000, 0x1000, bytes[0], DF_FROM_CORE, PF_R);
    df_aspace_add(space, 0x3000, 0x1000, bytes[0] + 0x2000, DF_FROM_CORE, PF_R | PF_W);
    assert_ok(df_aspace_seal(space));
    assert_int_equal(space->count, 2);
    assert_int_equal(df_contiguous(space, 0x1800), 0x1800);
    df_aspace_destroy(space);
}

static void high_addresses_are_refused(void **state)
{
    (void)state;
    struct df_aspace *space = df_aspace_create();
    df_aspace_add(space, UINT64_C(0xffffffffff600000), 0x1000, bytes[0], DF_FROM_CORE, PF_R);
    df_aspace_add(space, (UINT64_C(1) << 48) - 0x1000, 0x8000, bytes[1], DF_FROM_CORE, PF_R);
    df_aspace_add(space, UINT64_MAX, UINT64_MAX, NULL, DF_ABSENT, PF_R);
    assert_ok(df_aspace_seal(space));
    assert_null(df_ptr(space, UINT64_C(0xffffffffff600000), 1));
    assert_int_equal(df_contiguous(space, (UINT64_C(1) << 48) - 0x1000), 0x1000);
    assert_null(df_ptr(space, UINT64_C(1) << 48, 1));
    df_aspace_destroy(space);
}

/* A header may claim the whole address space: that must cost neither time nor memory. */
static void huge_claims_are_cheap(void **state)
{
    (void)state;
    struct df_aspace *space = df_aspace_create();
    for (uint64_t i = 0; i < 3000; i++)
        df_aspace_add(space, (i << 36) + 0x1000, 0x1000, bytes[i % 4], DF_FROM_CORE, PF_R);
    df_aspace_add(space, 0, UINT64_MAX, NULL, DF_ABSENT, 0);
    assert_ok(df_aspace_seal(space));
    for (uint64_t i = 0; i < 3000; i++) {
        assert_ptr_equal(df_ptr(space, (i << 36) + 0x1000, 0x1000), bytes[i % 4]);
        assert_int_equal(df_aspace_range(space, (i << 36) + 0x2000)->origin, DF_ABSENT);
    }
    df_aspace_destroy(space);
}

static void strings(void **state)
{
    (void)state;
    uint8_t text[16] = "hello";
    memset(text + 10, 'x', 6);
    struct df_aspace *space = df_aspace_create();
    df_aspace_add(space, 0x1000, 3, text, DF_FROM_CORE, PF_R);
    df_aspace_add(space, 0x1003, 13, text + 3, DF_FROM_FILE, PF_R);
    assert_ok(df_aspace_seal(space));
    char *copy = df_cstring(space, 0x1000, 6);
    assert_string_equal(copy, "hello");
    free(copy);
    assert_null(df_cstring(space, 0x1000, 5));
    assert_null(df_cstring(space, 0x100a, 100)); /* runs off the end */
    copy = df_cstring(space, 0x1009, 100);
    assert_string_equal(copy, "");
    free(copy);
    df_aspace_destroy(space);
}

/* Random small ranges in 64 KiB of addresses, compared byte by byte. */
static void agrees_with_the_model(void **state)
{
    (void)state;
    static const uint8_t *model[1 << 16];
    srand(1);
    for (int round = 0; round < 60; round++) {
        struct df_aspace *space = df_aspace_create();
        memset(model, 0, sizeof(model));
        for (int i = 0; i < 1 + round; i++) {
            uint32_t start = (uint32_t)rand() % 60000, size = (uint32_t)rand() % 5000;
            const uint8_t *host = rand() % 8 ? bytes[rand() % 4] : NULL;
            if (rand() % 2)
                start &= ~0xfffu;
            df_aspace_add(space, start, size, host, DF_FROM_CORE, PF_R);
            for (uint32_t j = 0; j < size; j++)
                if (!model[start + j])
                    model[start + j] = host ? host + j : (const uint8_t *)nothing;
        }
        assert_ok(df_aspace_seal(space));
        for (uint32_t at = 0; at < 1 << 16; at++) {
            const struct df_range *range = df_aspace_range(space, at);
            const uint8_t *found = df_ptr(space, at, 1);
            assert_ptr_equal(range, df_aspace_search(space, at));
            bool absent = model[at] == (const uint8_t *)nothing;
            assert_int_equal(range != NULL, model[at] != NULL);
            assert_ptr_equal(found, absent ? NULL : model[at]);
        }
        df_aspace_destroy(space);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_space_reads_nothing),
        cmocka_unit_test(first_added_wins),
        cmocka_unit_test(neighbours_in_one_backing_are_one_range),
        cmocka_unit_test(high_addresses_are_refused),
        cmocka_unit_test(huge_claims_are_cheap),
        cmocka_unit_test(strings),
        cmocka_unit_test(agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
