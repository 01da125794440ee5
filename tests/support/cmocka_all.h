/* SPDX-License-Identifier: MIT
 * cmocka_all.h: cmocka with what it needs before it, and checks for struct df_err.
 */
#ifndef TESTS_CMOCKA_ALL_H
#define TESTS_CMOCKA_ALL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dumpfmt/base/err.h"

/* Success; prints the error's text otherwise. */
#define assert_ok(expression)                                      \
    do {                                                           \
        struct df_err *ok_err_ = (expression);                     \
        if (ok_err_)                                               \
            fail_msg("%s: %s", #expression, df_err_text(ok_err_)); \
    } while (0)

/* Failure with this code and a text that contains `part`. */
#define assert_fails(expression, expected_code, part)                       \
    do {                                                                    \
        struct df_err *fails_err_ = (expression);                           \
        assert_non_null(fails_err_);                                        \
        if (!strstr(df_err_text(fails_err_), part))                         \
            fail_msg("\"%s\" lacks \"%s\"", df_err_text(fails_err_), part); \
        assert_int_equal(df_err_code(fails_err_), expected_code);           \
        df_err_free(fails_err_);                                            \
    } while (0)

#endif
