/* SPDX-License-Identifier: MIT
 * test_lines.c: the three forms of line tables, on tables written by hand from their
 * specifications.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzer/cpython/lines.h"

#define TABLE(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void lnotab(void **state)
{
    (void)state;
    /* 6 bytes of line 1, 8 of line 2, 10 of line 134 (a delta too large for one pair), then back */
#define LNOTAB TABLE(6, 1, 8, 2, 0, 127, 0, 3, 10, 0xfb)
    assert_int_equal(py_line_lnotab(LNOTAB, 1, -1), 1);
    assert_int_equal(py_line_lnotab(LNOTAB, 1, 0), 1);
    assert_int_equal(py_line_lnotab(LNOTAB, 1, 5), 1);
    assert_int_equal(py_line_lnotab(LNOTAB, 1, 6), 2);
    assert_int_equal(py_line_lnotab(LNOTAB, 1, 13), 2);
    assert_int_equal(py_line_lnotab(LNOTAB, 1, 14), 134);
    assert_int_equal(py_line_lnotab(LNOTAB, 1, 24), 129);
    assert_int_equal(py_line_lnotab(LNOTAB, 1, 1000), 129);
    assert_int_equal(py_line_lnotab(NULL, 0, 7, 0), 7);
    assert_int_equal(py_line_lnotab(TABLE(6), 7, 100), 7);       /* half a pair */
    assert_int_equal(py_line_lnotab(TABLE(0, 0x80), 7, 100), 0); /* before the first line */
}

static void pairs(void **state)
{
    (void)state;
#define PAIRS TABLE(4, 1, 2, 0x80, 6, 2, 0, 3, 2, 0)
    assert_int_equal(py_line_pairs(PAIRS, 10, -1), 10);
    assert_int_equal(py_line_pairs(PAIRS, 10, 0), 11);
    assert_int_equal(py_line_pairs(PAIRS, 10, 3), 11);
    assert_int_equal(py_line_pairs(PAIRS, 10, 4), 0); /* no line */
    assert_int_equal(py_line_pairs(PAIRS, 10, 6), 13);
    assert_int_equal(py_line_pairs(PAIRS, 10, 11), 13);
    assert_int_equal(py_line_pairs(PAIRS, 10, 12), 16);
    assert_int_equal(py_line_pairs(PAIRS, 10, 14), 0); /* beyond the table */
    assert_int_equal(py_line_pairs(NULL, 0, 10, 0), 0);
}

static void locations(void **state)
{
    (void)state;
#define LOCATIONS                                                    \
    TABLE(0xf8,                         /* [0, 2) no location */     \
          0xe9, 0x02,                   /* [2, 6) +1, no columns */  \
          0x80, 0x12,                   /* [6, 8) +0, short form */  \
          0xd8, 0x00, 0x05,             /* [8, 10) +1, one line */   \
          0xe0, 0x00, 0x05,             /* [10, 12) +2, one line */  \
          0xf7, 0x07, 0x01, 0x01, 0x01, /* [12, 28) -3, long form */ \
          0xe8, 0x48, 0x03)             /* [28, 30) +100, a delta of two bytes */
    assert_int_equal(py_line_locations(LOCATIONS, 20, -1), 20);
    assert_int_equal(py_line_locations(LOCATIONS, 20, 0), 0);
    assert_int_equal(py_line_locations(LOCATIONS, 20, 2), 21);
    assert_int_equal(py_line_locations(LOCATIONS, 20, 5), 21);
    assert_int_equal(py_line_locations(LOCATIONS, 20, 6), 21);
    assert_int_equal(py_line_locations(LOCATIONS, 20, 8), 22);
    assert_int_equal(py_line_locations(LOCATIONS, 20, 10), 24);
    assert_int_equal(py_line_locations(LOCATIONS, 20, 12), 21);
    assert_int_equal(py_line_locations(LOCATIONS, 20, 27), 21);
    assert_int_equal(py_line_locations(LOCATIONS, 20, 28), 121);
    assert_int_equal(py_line_locations(LOCATIONS, 20, 30), 0); /* beyond the table */
}

static void damaged_locations(void **state)
{
    (void)state;
    uint8_t endless[64];
    for (size_t i = 0; i < sizeof(endless); i++)
        endless[i] = 0x7f; /* a number that never ends */
    endless[0] = 0xe8;
    py_line_locations(endless, sizeof(endless), 1, 0);
    assert_int_equal(py_line_locations(TABLE(0xe8), 5, 0), 5); /* cut before its delta */
    assert_int_equal(py_line_locations(NULL, 0, 5, 0), 0);
    assert_int_equal(py_line_locations(TABLE(0, 0, 0), 5, 1000), 0); /* no first byte at all */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lnotab),
        cmocka_unit_test(pairs),
        cmocka_unit_test(locations),
        cmocka_unit_test(damaged_locations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
