/* SPDX-License-Identifier: MIT
 * test_err.c: errors as values.
 */
#include "tests/support/cmocka_all.h"

static void text_is_formatted(void **state)
{
    (void)state;
    assert_fails(df_err_new(DF_ERR_INPUT, "%s: %d bytes", "x", 3), DF_ERR_INPUT, "x: 3 bytes");
}

static void prefix_keeps_code_and_text(void **state)
{
    (void)state;
    struct df_err *err = df_err_new(DF_ERR_MISSING, "no %s", "libc");
    err = df_err_prefix(err, "while %s", "reading");
    assert_string_equal(df_err_text(err), "while reading: no libc");
    assert_int_equal(df_err_code(err), DF_ERR_MISSING);
    df_err_free(err);
    assert_null(df_err_prefix(NULL, "while reading"));
}

static void out_of_memory_is_static(void **state)
{
    (void)state;
    struct df_err *err = df_err_nomem();
    assert_int_equal(df_err_code(err), DF_ERR_NOMEM);
    assert_string_equal(df_err_text(err), "out of memory");
    df_err_free(err);
    assert_ptr_equal(err, df_err_nomem());
    assert_fails(df_err_prefix(err, "here"), DF_ERR_NOMEM, "here: out of memory");
    df_err_free(NULL);
}

static struct df_err *attempt(struct df_err *err)
{
    DF_TRY(err);
    return df_err_new(DF_ERR_USAGE, "went on");
}

static void try_passes_up(void **state)
{
    (void)state;
    assert_fails(attempt(df_err_new(DF_ERR_IO, "stop")), DF_ERR_IO, "stop");
    assert_fails(attempt(NULL), DF_ERR_USAGE, "went on");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_formatted),
        cmocka_unit_test(prefix_keeps_code_and_text),
        cmocka_unit_test(out_of_memory_is_static),
        cmocka_unit_test(try_passes_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
