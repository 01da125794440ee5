/* SPDX-License-Identifier: MIT
 * test_report_text.c: the report for a person, from literal values.
 */
#include "tests/support/cmocka_all.h"

#include "analyzer/report/utf8.h"
#include "tests/unit/report_sample.h"

static char *text_of(const struct fi_verdict *verdict, enum rp_section section,
                     struct rp_style style)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_ok(rp_text(stream, verdict, section, &style));
    fclose(stream);
    return text;
}

static void check_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("`%s` is not in:\n%s", part, text);
}

static void answer_comes_first(void **state)
{
    (void)state;
    char *text = text_of(&sample_verdict, RP_REPORT, (struct rp_style){0});
    static const char start[] =
        "core.4242, 62.7 MB, pid 4242: python3 app.py\n"
        "CPython 3.11.2 on x86-64, killed by SIGABRT, dumped by the kernel\n"
        "\n"
        "24.1 MB of 29.0 MB is held by `ui.events.bus.listeners`, a list of 30 000 `Widget`.\n"
        "\n"
        "Findings\n"
        "  high     30 000 `ui.Widget` (24.1 MB, 83 % of the heap) are held by "
        "`ui.events.bus.listeners`, a\n"
        "           list\n"
        "           · it is the only way to 90 001 objects\n"
        "           → What is added must be removed again.\n";
    assert_int_equal(strncmp(text, start, sizeof(start) - 1), 0);
    check_contains(text, "Read 1 030 451 objects and 1 470 000 references; complete.");
    check_contains(text, "/usr/lib/libm.so.6: no file found");
    free(text);
}

static void columns_are_aligned(void **state)
{
    (void)state;
    static const char expected[] =
        "Types  1 030 451 objects, 29.0 MB\n"
        "  retained    share  shallow   count  type\n"
        "   24.1 MB     83 %  1.68 MB  30 000  ui.Widget\n"
        "   2.50 MB    8.6 %   300 kB   1 200  dict\n"
        "      48 B  < 0.1 %     48 B       1  evil\xef\xbf\xbd\"name\xef\xbf\xbd\n";
    char *text = text_of(&sample_verdict, RP_TYPES, (struct rp_style){0});
    assert_string_equal(text, expected);
    free(text);
}

static void cut_rows_are_counted(void **state)
{
    (void)state;
    char *text = text_of(&sample_verdict, RP_TYPES, (struct rp_style){.limit = 1});
    check_contains(text, "… 2 more types");
    assert_null(strstr(text, "dict"));
    free(text);
}

static void lines_fit(void **state)
{
    (void)state;
    char *text = text_of(&sample_verdict, RP_REPORT, (struct rp_style){.width = 60});
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (rp_utf8_width(line) > 75)
            fail_msg("%zu columns: %s", rp_utf8_width(line), line);
    free(text);
}

static void colors_only_when_asked(void **state)
{
    (void)state;
    char *plain = text_of(&sample_verdict, RP_REPORT, (struct rp_style){0});
    char *colored = text_of(&sample_verdict, RP_REPORT, (struct rp_style){.color = true});
    assert_null(strchr(plain, '\033'));
    assert_non_null(strchr(colored, '\033'));
    free(plain);
    free(colored);
}

static void threads_in_full(void **state)
{
    (void)state;
    char *text = text_of(&sample_verdict, RP_THREADS, (struct rp_style){0});
    assert_string_equal(text, "consumer (native id 4242), holds the GIL\n"
                              "    consume at /srv/app/queue.py:33\n"
                              "        backlog = <list of 3>  retains 1.50 kB\n"
                              "    <module> at /srv/app/main.py\n"
                              "\n"
                              "unnamed thread (thread id 0x7f01), no such thread in the core\n"
                              "    no Python frames\n");
    free(text);
}

static void nothing_wrong(void **state)
{
    (void)state;
    struct fi_verdict healthy = sample_verdict;
    healthy.finding_count = 0;
    healthy.garbage = (struct fi_garbage){0};
    healthy.cycles = (struct fi_cycles){0};
    char *text = text_of(&healthy, RP_REPORT, (struct rp_style){0});
    check_contains(text, "Nothing stands out");
    check_contains(text, "Cycles  none\n");
    free(text);
    text = text_of(&healthy, RP_FINDINGS, (struct rp_style){0});
    check_contains(text, "No findings");
    free(text);
}

static void one_object(void **state)
{
    (void)state;
    struct fi_field fields[] = {
        {"[0]", "ui.Widget", "<ui.Widget name='a\x1b[31m'>", 0x7f0000001040, 56, 800}};
    struct fi_link others[] = {{0x7f0000001080, "dict", ".__dict__", "{}", "referent"}};
    struct fi_link dominator = {0x7f00000010c0, "ui.Bus", ".listeners", "<ui.Bus>", "referent"};
    struct fi_fact facts[] = {{"length", "30 000 items"}};
    struct fi_type_row freed[] = {{.type = "ui.Widget", .count = 30000, .shallow_bytes = 1680000}};
    struct fi_object object = {.address = 0x7f0000001000,
                               .size = 240056,
                               .retained_bytes = 24100000,
                               .retained_objects = 90001,
                               .references = 1,
                               .type = "list",
                               .text = "<list of 30000>",
                               .path = "ui.events.bus.listeners",
                               .source = "gc-list",
                               .verdict = "alive",
                               .fields_are = "items",
                               .fields = fields,
                               .field_count = 1,
                               .field_total = 30000,
                               .facts = facts,
                               .fact_count = 1,
                               .others = others,
                               .other_count = 1,
                               .other_total = 1,
                               .dominator = &dominator,
                               .freed = freed,
                               .freed_count = 1,
                               .freed_total = 3,
                               .cycle_objects = 2,
                               .cycle_bytes = 300000,
                               .cycle_types = "1 × list, 1 × ui.Bus"};
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_ok(rp_object_text(stream, &object, NULL));
    fclose(stream);
    check_contains(text, "list at 0x7f0000001000\n");
    check_contains(text, "24.1 MB in 90 001 objects");
    check_contains(text, "length      30 000 items\n");
    check_contains(text, "kept by     ui.Bus at 0x7f00000010c0: <ui.Bus>\n");
    check_contains(text, "cycle       of 2 objects, 300 kB: 1 × list, 1 × ui.Bus\n");
    check_contains(text, "Items  30 000\n");
    check_contains(text, "[0]   0x7f0000001040  ui.Widget  56 B     800 B  <ui.Widget name='a\uFFFD");
    check_contains(text, "… 29 999 more");
    check_contains(text, "Refers to, besides  1\n");
    check_contains(text, "Would be freed with it  23.9 MB in 90 000 objects\n");
    check_contains(text, "1.68 MB  30 000  ui.Widget\n");
    check_contains(text, "… 2 more types");
    free(text);
}

static void routes_of_many(void **state)
{
    (void)state;
    struct fi_step steps[] = {{0x7f01, "module", "module ui.events", NULL, 72, 100},
                              {0x7f02, "list", ".listeners", "<list>", 88, 90}};
    struct fi_route route = {steps, 2, "ui.events.bus.listeners[…]"};
    uint64_t counts[] = {30000};
    struct fi_routes routes = {.shortest = &route, .counts = counts, .count = 1, .targets = 30000};
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_ok(rp_routes_text(stream, &routes, NULL));
    fclose(stream);
    check_contains(text, "30 000 of 30 000 objects");
    check_contains(text, "ui.events.bus.listeners[…]");
    free(text);
}

static void full_disk_is_reported(void **state)
{
    (void)state;
    FILE *stream = fopen("/dev/full", "w");
    if (!stream)
        skip();
    setvbuf(stream, NULL, _IONBF, 0);
    assert_fails(rp_text(stream, &sample_verdict, RP_REPORT, NULL), DF_ERR_IO, "written");
    fclose(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_comes_first),     cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(cut_rows_are_counted),   cmocka_unit_test(lines_fit),
        cmocka_unit_test(colors_only_when_asked), cmocka_unit_test(threads_in_full),
        cmocka_unit_test(nothing_wrong),          cmocka_unit_test(one_object),
        cmocka_unit_test(routes_of_many),         cmocka_unit_test(full_disk_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
