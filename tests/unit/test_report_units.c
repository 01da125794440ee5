/* SPDX-License-Identifier: MIT
 * test_report_units.c: numbers for people; bytes of a dead process as safe text.
 */
#include "tests/support/cmocka_all.h"

#include "analyzer/findings/phrase.h"
#include "analyzer/report/paper.h"
#include "analyzer/report/report.h"
#include "analyzer/report/utf8.h"

static void bytes_have_three_figures(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {312, "312 B"},
        {999, "999 B"},
        {1000, "1.00 kB"},
        {1234, "1.23 kB"},
        {9994, "9.99 kB"},
        {9996, "10.0 kB"},
        {24100000, "24.1 MB"},
        {999499, "999 kB"},
        {999500, "1.00 MB"},
        {1200000000, "1.20 GB"},
        {UINT64_C(3500000000000), "3.50 TB"},
        {UINT64_MAX, "18.4 EB"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[FI_PHRASE_MAX];
        rp_bytes(cases[i].bytes, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
    }
}

static void numbers_are_grouped(void **state)
{
    (void)state;
    char text[FI_PHRASE_MAX];
    rp_number(0, text, sizeof(text));
    assert_string_equal(text, "0");
    rp_number(999, text, sizeof(text));
    assert_string_equal(text, "999");
    rp_number(30000, text, sizeof(text));
    assert_string_equal(text, "30 000");
    rp_number(UINT64_MAX, text, sizeof(text));
    assert_string_equal(text, "18 446 744 073 709 551 615");
    rp_number(1234567, text, 4);
    assert_true(strlen(text) < 4);
}

static void shares(void **state)
{
    (void)state;
    assert_string_equal(fi_percent_phrase(0, 10).text, "0 %");
    assert_string_equal(fi_percent_phrase(1, 100000).text, "< 0.1 %");
    assert_string_equal(fi_percent_phrase(42, 1000).text, "4.2 %");
    assert_string_equal(fi_percent_phrase(831, 1000).text, "83 %");
    assert_string_equal(fi_percent_phrase(1, 0).text, "0 %");
}

static void check_clean(const char *text, int printable, const char *expected)
{
    char *clean = rp_utf8_clean(text, printable);
    assert_string_equal(clean, expected);
    free(clean);
}

static void bad_bytes_are_replaced(void **state)
{
    (void)state;
    check_clean("plain", true, "plain");
    check_clean("gr\xc3\xbc\xc3\x9f", true, "gr\xc3\xbc\xc3\x9f");
    check_clean("a\xff"
                "b",
                false,
                "a\xef\xbf\xbd"
                "b");
    check_clean("\xc0\x80", false, "\xef\xbf\xbd\xef\xbf\xbd");                 /* overlong NUL */
    check_clean("\xed\xa0\x80", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* surrogate */
    check_clean("\xf5\x80\x80\x80", false,
                "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* above U+10FFFF */
    check_clean("\xe2\x82", false, "\xef\xbf\xbd\xef\xbf\xbd");      /* cut short */
    check_clean("\033[31mred\n", true, "\xef\xbf\xbd[31mred\xef\xbf\xbd");
    check_clean("two\nlines", false, "two\nlines");
    check_clean(NULL, true, "");
}

static void every_code_point_survives(void **state)
{
    (void)state;
    static const uint32_t points[] = {1,      0x7f,   0x80,   0x7ff,   0x800,
                                      0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff};
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        char buffer[8] = {0};
        uint32_t back;
        size_t length = rp_utf8_put(points[i], buffer);
        assert_int_equal(rp_utf8_next(buffer, &back), length);
        assert_int_equal(back, points[i]);
    }
}

static void check_clip(const char *text, size_t columns, bool middle, const char *expected)
{
    char *clipped = rp_clip(text, columns, middle);
    assert_string_equal(clipped, expected);
    free(clipped);
}

static void long_texts_are_clipped(void **state)
{
    (void)state;
    check_clip("short", 10, true, "short");
    check_clip("abcdefghij", 5, false, "abcd…");
    check_clip("abcdefghij", 5, true, "ab…ij");
    check_clip("äöüäöüäöü", 5, true, "äö…öü");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_three_figures),
        cmocka_unit_test(numbers_are_grouped),
        cmocka_unit_test(shares),
        cmocka_unit_test(bad_bytes_are_replaced),
        cmocka_unit_test(every_code_point_survives),
        cmocka_unit_test(long_texts_are_clipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
